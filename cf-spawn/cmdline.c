/*
 * cmdline.c - all that was asked for, by whatever source, into struct conf.
 *
 * The options are those of options.c; what is said about them by profiles, environment and
 * command line is merged by sources.c, and only then handed to the rows' functions.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "flowlog.h"
#include "log.h"
#include "sources.h"
#include "spawn.h"

static char **
command_of(const struct settings *s)
{
	const struct setting *command = settings_find(s, &settings_command);
	char **argv = calloc(command->n + 1, sizeof(*argv));

	if (argv == NULL)
		fatal("cannot take the command");
	for (size_t i = 0; i < command->n; i++)
		argv[i] = command->value[i].text;
	return argv;
}

static _Noreturn void
dump(const struct settings *s, const struct conf *conf)
{
	const char *why = settings_dump(s, conf->dump_secrets, stdout);

	if (why != NULL)
		fatalx("--dump-profile: %s", why);
	if (fflush(stdout) != 0)
		fatal("cannot print the profile");
	exit(0);
}

/* Who keeps a login in the environment does not want it with each run. */
static void
login_unused(struct settings *s)
{
	static const char *const login[] = { "proxy-user", "proxy-password" };
	struct setting *one;

	if (settings_find_name(s, "proxy")->n > 0)
		return;
	for (size_t i = 0; i < sizeof(login) / sizeof(login[0]); i++)
		if ((one = settings_find_name(s, login[i]))->origin.from == FROM_ENVIRONMENT)
			settings_clear(s, one->row, &one->origin);
}

/* Where it is to be said that a value is wrong. */
static void
flow_log_early(struct conf *conf, const struct settings *s)
{
	const struct setting *log = settings_find_name(s, "flow-log");

	conf->flow_log = log->n > 0 ? log->value[log->n - 1].text : NULL;
}

/* What excludes each other. */
static void
conflicts(const struct conf *conf)
{
	if (conf->command[0] == NULL && !conf->dry_run && !conf->runs.plan && !conf->runs.list &&
	    conf->runs.attach == NULL)
		fatalx("no command (try: cf-spawn -- curl https://example.com/)");
	if (conf->user != NULL && conf->run_as_root)
		fatalx("--user and --run-as-root exclude each other: leave one out");
	learn_check(conf);
	for (size_t i = 0; i < conf->seal.nkeep; i++)
		if (conf->seal.keep_fd[i] == conf->status_fd)
			fatalx("--keep-fd %d: that is --status-fd, which the command must not have: "
			    "leave one out", conf->status_fd);
	if (conf->map_root && conf->map_subids)
		fatalx("--map-root and --map-subids exclude each other: leave one out");
	if (conf->seal.nwritable > 0 && (conf->seal.parts & SEAL_FILES) == 0)
		fatalx("--writable is for --seal files, without which all stays writable: leave it "
		    "out, or say --seal files");
	if (conf->tcp_path == TCP_PATH_KERNEL &&
	    (conf->capture_file != NULL || conf->pipes.capture != NULL))
		fatalx("--capture cannot see TCP that the kernel path carries: leave --tcp-path "
		    "kernel or --capture out");
}

void
options_parse(struct conf *conf, int argc, char **argv)
{
	const char *debug = getenv("CHILDFLOW_DEBUG");
	static struct settings settings;	/* its texts are conf's */
	char why[SETTINGS_WHY];

	conf->status_fd = conf->log_fd = conf->learn_fd = conf->totals_fd = -1;
	conf->runs.ready_fd = conf->runs.exit_fd = -1;
	conf->learn_threshold = 8;
	flowlog_watch_failures(conf);
	if (debug != NULL && (strcmp(debug, "1") == 0 || strcasecmp(debug, "true") == 0 ||
	    strcmp(debug, "yes") == 0 || strcmp(debug, "on") == 0))
		conf->verbose = 2;
	if (!options_settings(&settings))
		fatal("cannot read the options");
	sources_read(&settings, &options_cli, conf, argc, argv, STATUS_FAILED);
	if (conf->dump_profile)
		dump(&settings, conf);
	login_unused(&settings);
	flow_log_early(conf, &settings);
	if (!settings_apply(&settings, conf, why))
		fatalx("%s", why);
	conf->command = command_of(&settings);
	if (conf->doctor)
		doctor_exec(conf);
	runopts_check(conf, &settings);
	attach_check(conf, &settings);
	proxyopts_finish(conf);
	pipes_finish(conf);
	if (report_wanted(conf))
		report_exec(conf);
	conflicts(conf);
	capture_check(conf);
	log_init("cf-spawn", conf->verbose);
}
