/*
 * runopts.c - options about runs as others see them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "log.h"
#include "settings.h"
#include "spawn.h"

#define NAME_CHARS	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static struct runopts *
runs(void *conf)
{
	return &((struct conf *)conf)->runs;
}

/* Digits alone are a pid. */
bool
runopts_name(void *conf, const char *arg, char *why)
{
	size_t len = strlen(arg);

	if (len == 0 || len > RUN_NAME_MAX || strspn(arg, NAME_CHARS) != len ||
	    strspn(arg, "0123456789") == len) {
		snprintf(why, CLI_WHY_LEN, "a name is 1 to %d letters, digits, dots, dashes and "
		    "underscores, and not only digits", RUN_NAME_MAX);
		return false;
	}
	runs(conf)->name = arg;
	return true;
}

bool
runopts_join(void *conf, const char *arg, char *why)
{
	size_t len = strlen(arg);

	if (len == 0 || len > RUN_NAME_MAX || strspn(arg, NAME_CHARS) != len) {
		snprintf(why, CLI_WHY_LEN, "it is neither a name nor a pid (try: cf-spawn --list)");
		return false;
	}
	runs(conf)->join = arg;
	return true;
}

bool
runopts_list(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	runs(conf)->list = true;
	return true;
}

bool
runopts_plan(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	runs(conf)->plan = true;
	return true;
}

bool
runopts_format(void *conf, const char *arg, char *why)
{
	return cli_text_or_json(arg, &runs(conf)->json, why);
}

bool
runopts_attach(void *conf, const char *arg, char *why)
{
	if (*arg == '\0') {
		snprintf(why, CLI_WHY_LEN, "write the pid of a process, or the path of a namespace");
		return false;
	}
	runs(conf)->attach = arg;
	return true;
}

bool
runopts_ready_fd(void *conf, const char *arg, char *why)
{
	long fd;

	if (!cli_number(arg, 0, 1 << 20, &fd, why))
		return false;
	if (fcntl((int)fd, F_GETFD) == -1) {
		snprintf(why, CLI_WHY_LEN, "descriptor %ld is not open (write %ld>FILE)", fd, fd);
		return false;
	}
	runs(conf)->ready_fd = (int)fd;
	return true;
}

/* Not one of the command's own: it would read there too. */
bool
runopts_exit_fd(void *conf, const char *arg, char *why)
{
	long fd;

	if (!cli_number(arg, STDERR_FILENO + 1, 1 << 20, &fd, why))
		return false;
	if (fcntl((int)fd, F_GETFD) == -1) {
		snprintf(why, CLI_WHY_LEN, "descriptor %ld is not open (write %ld<FILE)", fd, fd);
		return false;
	}
	runs(conf)->exit_fd = (int)fd;
	return true;
}

/* An option of the command line that is for a run of its own; NULL: there is none. */
static const char *
foreign(const struct settings *s)
{
	static const char *const fitting[] = { "verbose", "profile" };

	for (size_t i = 0; i < s->nrows; i++) {
		const struct setting *one = &s->at[i];
		bool fits = one->n == 0 || one->origin.from != FROM_COMMAND_LINE;

		for (size_t k = 0; k < sizeof(fitting) / sizeof(fitting[0]); k++)
			fits = fits || strcmp(one->row->name, fitting[k]) == 0;
		if (!fits)
			return one->row->name;
	}
	return NULL;
}

void
runopts_check(const struct conf *conf, const struct settings *s)
{
	const struct runopts *o = &conf->runs;
	const char *option = o->list ? "--list" : "--join", *name;

	if (!o->list && o->join == NULL)
		return;
	if (o->list && o->join != NULL)
		fatalx("--list and --join exclude each other: leave one out");
	if ((name = foreign(s)) != NULL)
		fatalx("--%s has no sense with %s, where the run is there already: leave it out",
		    name, option);
	if (o->list && conf->command[0] != NULL)
		fatalx("--list runs nothing: leave the command out");
}
