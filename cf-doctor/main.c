/*
 * main.c - cf-doctor: can this host do it, and what did a run do.
 *
 * Several programs in one file, told apart by the first word: the checks (doctor.h); `summary`,
 * the sealed child of cf-spawn that prints the end of a run (summary.h); `report`, which tells what
 * a recorded run did (flowlog.h); `monitor`, the table of flows on a terminal (monitor.h); `why`
 * (why.h); `policy-test`, which tells what of a recorded run a policy would have refused
 * (poltest.h); `policy-diff`, which compares two (poldiff.h); `audit`, which says what each
 * program may do (audit.h); `pcap` (pcap.h); `profile` (explain.h); and `leaks` (leaks.h).
 *
 * Exit: 0 ready or printed, 1 blocked or failed, 2 wrong command line.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "cli.h"
#include "doctor.h"
#include "explain.h"
#include "flowlog.h"
#include "leaks.h"
#include "log.h"
#include "monitor.h"
#include "pcap.h"
#include "poldiff.h"
#include "poltest.h"
#include "summary.h"
#include "why.h"

struct options {
	struct summary_conf	summary;
	struct monitor_conf	monitor;
	bool			json, print;
};

static const struct cli	doctor_cli, summary_cli, monitor_cli;

static bool
set_facts_fd(void *conf, const char *arg, char *why)
{
	return cli_fd(arg, &((struct options *)conf)->summary.facts_fd, why);
}

static bool
set_learn_fd(void *conf, const char *arg, char *why)
{
	return cli_fd(arg, &((struct options *)conf)->summary.learn_fd, why);
}

static bool
set_threshold(void *conf, const char *arg, char *why)
{
	return cli_number(arg, 0, 1000000, &((struct options *)conf)->summary.threshold, why);
}

static bool
set_no_summary(void *conf, const char *arg, char *why)
{
	return cli_true(arg, &((struct options *)conf)->summary.no_summary, why);
}

CLI_SET(options, json, cli_text_or_json)
CLI_SET(options, print, cli_true)

static bool
set_tty_fd(void *conf, const char *arg, char *why)
{
	return cli_fd(arg, &((struct options *)conf)->monitor.tty_fd, why);
}

static bool
set_term(void *conf, const char *arg, char *why)
{
	(void)why;
	((struct options *)conf)->monitor.term = arg;
	return true;
}

static bool
set_no_color(void *conf, const char *arg, char *why)
{
	return cli_true(arg, &((struct options *)conf)->monitor.no_color, why);
}

static bool
set_leave(void *conf, const char *arg, char *why)
{
	return cli_true(arg, &((struct options *)conf)->monitor.leave, why);
}

static bool
set_doctor_help(void *conf, const char *arg, char *why)
{
	(void)conf, (void)arg, (void)why;
	cli_help(&doctor_cli);
	exit(0);
}

static bool
set_summary_help(void *conf, const char *arg, char *why)
{
	(void)conf, (void)arg, (void)why;
	cli_help(&summary_cli);
	exit(0);
}

static bool
set_monitor_help(void *conf, const char *arg, char *why)
{
	(void)conf, (void)arg, (void)why;
	cli_help(&monitor_cli);
	exit(0);
}

static bool
set_version(void *conf, const char *arg, char *why)
{
	(void)conf, (void)arg, (void)why;
	cli_version(&doctor_cli);
	exit(0);
}

static bool
set_proxy(void *conf, const char *arg, char *why)
{
	const char *reason;

	(void)conf;
	if (doctor_proxies.n == HOPS_MAX)
		snprintf(why, CLI_WHY_LEN, "a chain has at most %d proxies", HOPS_MAX);
	else if ((reason = hop_parse(arg, &doctor_proxies.hop[doctor_proxies.n])) != NULL)
		snprintf(why, CLI_WHY_LEN, "%s", reason);
	else
		return ++doctor_proxies.n > 0;
	return false;
}

static const struct cli_option doctor_options[] = {
	{ 'p', "proxy",    "URL",  set_proxy,       "ask this upstream proxy, too", CLI_LIST },
	{ 0,   "format",   "FORM", set_json,        "text (the default) or json" },
	{ 'h', "help",     NULL,   set_doctor_help, "print this" },
	{ 'n', "check",    NULL,   set_print,       "list the checks and why each matters; run none" },
	{ 'V', "version",  NULL,   set_version,     "print the version" },
	{ 0,   NULL,       NULL,   NULL,            NULL }
};

static const struct cli_option summary_options[] = {
	{ 0,   "facts-fd", "N",    set_facts_fd,     "descriptor that the facts of the run come from" },
	{ 0,   "format",   "FORM", set_json,         "text (the default) or json" },
	{ 0,   "learn-fd", "N",    set_learn_fd,     "write a profile of what was needed there" },
	{ 0,   "learn-threshold", "N", set_threshold, "names below one that make a wildcard (0: none)" },
	{ 0,   "no-summary", NULL, set_no_summary,   "print none; with --learn-fd" },
	{ 'h', "help",     NULL,   set_summary_help, "print this" },
	{ 'n', "check",    NULL,   set_print,        "print what the sandbox allows, and exit" },
	{ 'V', "version",  NULL,   set_version,      "print the version" },
	{ 0,   NULL,       NULL,   NULL,             NULL }
};

static const struct cli_option monitor_options[] = {
	{ 0,   "leave",    NULL,   set_leave,        "end with the log, and do not wait for q" },
	{ 0,   "no-color", NULL,   set_no_color,     "no colours (as with NO_COLOR)" },
	{ 0,   "term",     "TYPE", set_term,         "of the terminal (TERM)" },
	{ 0,   "tty-fd",   "N",    set_tty_fd,       "descriptor of the terminal (/dev/tty)" },
	{ 'h', "help",     NULL,   set_monitor_help, "print this" },
	{ 'n', "check",    NULL,   set_print,        "print what the sandbox allows, and exit" },
	{ 'V', "version",  NULL,   set_version,      "print the version" },
	{ 0,   NULL,       NULL,   NULL,             NULL }
};

static const struct cli doctor_cli = {
	"cf-doctor", "[options] [CHECK ...]\n       cf-doctor summary [options]\n"
	"       cf-doctor report [options] FILE\n       cf-doctor monitor [options] [FLOW.jsonl]\n"
	"       cf-doctor why [options of a policy] DEST\n"
	"       cf-doctor policy-test [policy options] [PROFILE] FLOW.jsonl\n"
	"       cf-doctor policy-diff [options] OLD NEW\n"
	"       cf-doctor audit [options] [PROGRAM ...]\n"
	"       cf-doctor pcap [options] FILE.pcapng\n"
	"       cf-doctor profile [options] FILE|NAME\n"
	"       cf-doctor leaks [options] [-- OPTIONS OF CF-SPAWN]",
	"Say whether this host can run commands in a network of their own, and what to change.",
	doctor_options
};

static const struct cli summary_cli = {
	"cf-doctor summary", "--facts-fd N [--format FORM] < EVENTS",
	"Count the events of a run as they come, and print a summary at their end.",
	summary_options
};

static const struct cli monitor_cli = {
	"cf-doctor monitor", "[options] [FLOW.jsonl]",
	"Show the flows of a log in a table on the terminal, as they come.",
	monitor_options
};

static int
monitor_main(int argc, char **argv)
{
	struct options o = { .monitor.tty_fd = -1 };
	int first = cli_parse(&monitor_cli, &o, argc, argv, 2);

	if (o.print) {
		sandbox_print(monitor_sandbox);
		return 0;
	}
	if (first + 1 < argc) {
		log_fatal_status(2);
		fatalx("more than one log (try: cf-doctor monitor --help)");
	}
	o.monitor.file = argv[first];
	return monitor_run(&o.monitor);
}

/* ---- report ---- */

static const struct cli	report_cli;

struct report_options {
	struct flowlog_conf	conf;
	bool			print;
};

static bool
set_form(void *conf, const char *arg, char *why)
{
	if (flowlog_form(arg, &((struct report_options *)conf)->conf.form))
		return true;
	snprintf(why, CLI_WHY_LEN, "it is one of text, markdown, json and html");
	return false;
}

static bool
set_lenient(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	((struct report_options *)conf)->conf.lenient = true;
	return true;
}

static bool
set_report_print(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	((struct report_options *)conf)->print = true;
	return true;
}

static bool
set_report_help(void *conf, const char *arg, char *why)
{
	(void)conf, (void)arg, (void)why;
	cli_help(&report_cli);
	exit(0);
}

static const struct cli_option report_options[] = {
	{ 0,   "format",   "FORM", set_form,	     "text (the default), markdown, json or html" },
	{ 0,   "lenient",  NULL,   set_lenient,	     "count lines that are no event, and go on" },
	{ 'h', "help",     NULL,   set_report_help,  "print this" },
	{ 'n', "check",    NULL,   set_report_print, "print what the sandbox allows, and exit" },
	{ 'V', "version",  NULL,   set_version,      "print the version" },
	{ 0,   NULL,       NULL,   NULL,             NULL }
};

static const struct cli report_cli = {
	"cf-doctor report", "[options] FILE",
	"Say what a run did, from its flow log (- is the standard input).",
	report_options
};

static int
report_main(int argc, char **argv)
{
	struct report_options o = { 0 };
	int at = cli_parse(&report_cli, &o, argc, argv, 2);

	if (o.print) {
		sandbox_print(flowlog_sandbox);
		return 0;
	}
	if (at + 1 != argc) {
		log_fatal_status(2);
		fatalx("%s (try: cf-doctor report --help)", at == argc ? "no flow log is named" :
		    "one flow log at a time");
	}
	o.conf.path = argv[at];
	return flowlog_run(&o.conf);
}

/* ---- the first word ---- */

static int
summary_main(int argc, char **argv)
{
	struct options o = { .summary = { .facts_fd = -1, .learn_fd = -1 } };

	if (cli_parse(&summary_cli, &o, argc, argv, 2) != argc) {
		log_fatal_status(2);
		fatalx("unexpected operand (try: cf-doctor summary --help)");
	}
	if (o.print) {
		sandbox_print(summary_sandbox);
		return 0;
	}
	if (o.summary.facts_fd == -1) {
		log_fatal_status(2);
		fatalx("--facts-fd is needed (try: cf-doctor summary --help)");
	}
	o.summary.json = o.json;
	return summary_run(&o.summary);
}

static const struct { const char *word; int (*main)(int, char **); } programs[] = {
	{ "summary", summary_main }, { "monitor", monitor_main }, { "why", why_main },
	{ "report", report_main }, { "policy-test", poltest_main }, { "policy-diff", poldiff_main },
	{ "audit", audit_main }, { "pcap", pcap_main }, { "profile", explain_main },
	{ "leaks", leaks_main }, { LEAK_PROBE, leakprobe_main },
};

/* Set picked[] for each name; all when there is none. */
static void
pick(char **names, int n, bool *picked)
{
	size_t c;

	for (c = 0; checks[c].name != NULL; c++)
		picked[c] = n == 0;
	for (int i = 0; i < n; i++) {
		for (c = 0; checks[c].name != NULL; c++)
			if (strcmp(checks[c].name, names[i]) == 0)
				break;
		if (checks[c].name == NULL) {
			log_fatal_status(2);
			fatalx("no check is called %s (try: cf-doctor -n)", names[i]);
		}
		picked[c] = true;
	}
}

int
main(int argc, char *argv[])
{
	static const struct sandbox_role *const roles[] = { &summary_role, &monitor_role, &flowlog_role,
	    NULL };
	struct options o = { 0 };
	bool picked[64];
	int first;

	sandbox_audit_asked(argc, argv, "cf-doctor", roles, NULL);
	log_init("cf-doctor", 0);
	for (size_t i = 0; argc > 1 && i < sizeof(programs) / sizeof(programs[0]); i++)
		if (strcmp(argv[1], programs[i].word) == 0)
			return programs[i].main(argc - 1, argv + 1);
	first = cli_parse(&doctor_cli, &o, argc, argv, 2);
	pick(argv + first, argc - first, picked);
	if (!o.print)
		return report_run(picked, o.json ? REPORT_JSON : REPORT_TEXT);
	for (size_t c = 0; checks[c].name != NULL; c++)
		if (picked[c])
			printf("%-12s %s: %s\n", checks[c].name, checks[c].label, checks[c].why);
	return 0;
}
