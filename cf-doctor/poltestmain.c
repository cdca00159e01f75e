/*
 * poltestmain.c - the command line and the life of `cf-doctor policy-test`.
 *
 * Rules and log are opened with the caller's rights; after the seal nothing can be opened any more,
 * and only then the log is read, which anybody may have written.
 *
 * Exit: 0 nothing would be refused, 1 something would, 2 trouble, as diff(1) has it: a pipeline
 * that is to stop at a refusal must not take an unreadable file for one, nor for none.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowlog.h"
#include "log.h"
#include "poltest.h"
#include "ruleopts.h"

struct options {
	struct ruleopts	rules;		/* first: ruleopts.h */
	bool		json, lenient;
};

static const struct cli	cli;

static bool
set_format(void *conf, const char *arg, char *why)
{
	struct options *o = conf;

	o->json = strcmp(arg, "json") == 0;
	if (o->json || strcmp(arg, "text") == 0)
		return true;
	snprintf(why, CLI_WHY_LEN, "neither text nor json");
	return false;
}

CLI_SET(options, lenient, cli_true)
CLI_SET_TOLD(cli)

static const struct cli_option options[] = {
	RULEOPTS_ROWS,
	{ 0,   "format",  "FORM", set_format,  "text (the default) or json" },
	{ 0,   "lenient", NULL,	  set_lenient, "pass over lines that are no event" },
	{ 'h', "help",	  NULL,	  set_help,    "print this" },
	{ 'V', "version", NULL,	  set_version, "print the version" },
	{ 0,   NULL,	  NULL,	  NULL,	       NULL }
};

static const struct cli cli = {
	"cf-doctor policy-test", "[policy options] FILE",
	"Say what of a recorded run these options would have refused (- is the standard input).",
	options
};

static void *
rules_make(const struct ruleopts *given, struct rules *out)
{
	char why[RULEOPTS_WHY];
	const char *bad;
	size_t len;
	void *flat = ruleopts_compile(given, &len, why);

	if (flat == NULL)
		fatalx("%s", why);
	if ((bad = rules_load(flat, len, out)) != NULL)
		fatalx("cannot use the rules: %s", bad);
	return flat;
}

/* -1: it could not be told. */
static int
tell(const struct poltest *p, const struct tally *t, const char *path, bool json, int fd)
{
	json_t *model = poltest_model(p, t, path);
	char *text = model == NULL ? NULL : json ?
	    json_dumps(model, JSON_INDENT(2) | JSON_ENSURE_ASCII) : poltest_text(model);
	bool ok = text != NULL && flowlog_print(fd, text) && (!json || flowlog_print(fd, "\n"));

	if (text == NULL)
		log_warnx("cannot tell the result: out of memory");
	free(text);
	json_decref(model);
	return !ok ? -1 : poltest_refused(p) > 0;
}

int
poltest_main(int argc, char **argv)
{
	static struct tally_size size;
	struct options o = { .json = false };
	struct rules rules;
	struct poltest *p;
	struct tally *t;
	void *flat;
	int at, in_fd, out_fd, status = -1;

	log_fatal_status(2);
	at = cli_parse(&cli, &o, argc, argv, 2);
	if (at + 1 != argc)
		fatalx("%s (try: cf-doctor policy-test --help)", at == argc ? "no flow log is named" :
		    "one flow log at a time");
	flat = rules_make(&o.rules, &rules);
	ruleopts_done(&o.rules);
	flowlog_open(argv[at]);
	size = tally_small;
	size.line = tally_large.line;
	size.strict = !o.lenient;
	p = poltest_new(&rules);
	t = tally_new(&size);
	if (p == NULL || t == NULL)
		fatalx("out of memory");
	tally_watch(t, poltest_event, p);
	flowlog_seal(&in_fd, &out_fd, flowlog_sandbox);
	if (flowlog_read(t, in_fd, argv[at]))
		status = tell(p, t, argv[at], o.json, out_fd);
	tally_free(t);
	poltest_free(p);
	free(flat);
	return status == -1 ? 2 : status;
}
