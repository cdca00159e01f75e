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
#include "polopts.h"
#include "poltest.h"

struct options {
	bool	json, lenient;
};

static const struct cli	cli;

CLI_SET(options, json, cli_text_or_json)
CLI_SET(options, lenient, cli_true)
CLI_SET_TOLD(cli)

static const struct cli_option options[] = {
	POLOPTS_ROWS,
	{ 0,   "format",  "FORM", set_json,    "text (the default) or json" },
	{ 0,   "lenient", NULL,	  set_lenient, "pass over lines that are no event" },
	{ 'h', "help",	  NULL,	  set_help,    "print this" },
	{ 'V', "version", NULL,	  set_version, "print the version" },
	{ 0,   NULL,	  NULL,	  NULL,	       NULL }
};

static const struct cli_group groups[] = {
	{ NULL, "what is used most", "profile allow deny block-private format lenient" },
	RULEOPTS_GROUP,
	{ "test", "the log, and all else", NULL },
	{ 0 }
};

static const struct cli cli = {
	"cf-doctor policy-test", "[policy options] [PROFILE] FLOW.jsonl",
	"Say what of a recorded run (-: standard input) this policy would have refused.",
	options, .groups = groups
};

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

/* The path of the log; what stands before it is a profile. */
static const char *
operands(struct polopts *polopts, int argc, char **argv, int at)
{
	if (at == argc || at + 2 < argc)
		fatalx("%s (try: cf-doctor policy-test --help)", at == argc ? "no flow log is named" :
		    "one profile and one flow log at a time");
	if (at + 2 == argc)
		polopts_profile(polopts, argv[at]);
	return argv[argc - 1];
}

int
poltest_main(int argc, char **argv)
{
	static struct tally_size size;
	static struct policy_made made;
	struct polopts polopts = { 0 };
	struct options o = { .json = false };
	struct rules rules;
	struct poltest *p;
	struct tally *t;
	const char *path;
	void *flat;
	int in_fd, out_fd, status = -1;

	log_fatal_status(2);
	path = operands(&polopts, argc, argv, polopts_walk(&polopts, &cli, &o, argc, argv));
	polopts_make(&polopts, &made);
	polopts_done(&polopts);
	flat = policy_made_load(&made, &rules);
	ruleopts_done(&made.rules);
	flowlog_open(path);
	size = tally_small;
	size.line = tally_large.line;
	size.strict = !o.lenient;
	p = poltest_new(&rules, &made);
	t = tally_new(&size);
	if (p == NULL || t == NULL)
		fatalx("out of memory");
	tally_watch(t, poltest_event, p);
	flowlog_seal(&in_fd, &out_fd, &flowlog_role);
	if (flowlog_read(t, in_fd, path))
		status = tell(p, t, path, o.json, out_fd);
	tally_free(t);
	poltest_free(p);
	free(flat);
	return status == -1 ? 2 : status;
}
