/*
 * audit.c - see audit.h.
 *
 * The programs are those that cf-spawn would start: found where it finds them, never by $PATH.
 *
 * SPDX-License-Identifier: MIT
 */
#include "audit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../cf-spawn/spawn.h"
#include "cli.h"
#include "needed.h"
#include "log.h"

#define FILE_MAX	(256 << 20)

static const struct {
	const char	*name, *folder;
} programs[] = {
	{ "cf-spawn",		paths_bin },	/* first: it says how it starts the others */
	{ "cf-toml",		paths_libexec }, { "cf-netstack",	paths_libexec },
	{ "cf-dns",		paths_libexec }, { "cf-proxy",		paths_libexec },
	{ "cf-upstream",	paths_libexec }, { "cf-upstream-tls",	paths_libexec },
	{ "cf-capture",		paths_libexec }, { "cf-doctor",		paths_libexec },
	{ "cf-listen",		paths_libexec },
};
#define PROGRAMS	(sizeof(programs) / sizeof(programs[0]))

struct options {
	bool	json;
};

static const struct cli	cli;

CLI_SET(options, json, cli_text_or_json)
CLI_SET_TOLD(cli)

static const struct cli_option options[] = {
	{ 0,   "format",   "FORM", set_json,	"text (the default) or json" },
	{ 'h', "help",     NULL,   set_help,	"print this" },
	{ 'V', "version",  NULL,   set_version,	"print the version" },
	{ 0 }
};

static const struct cli cli = {
	.name = "cf-doctor audit", .usage = "[options] [PROGRAM ...]", .options = options,
	.about = "Say what each program may do: what it links, its system calls and the reason for\n"
	    "each, its namespaces, what it may open.",
};

/* ---- one program ---- */

/* The libraries as a JSON array; NULL and why. */
static json_t *
links_find(const char *path, char why[AUDIT_WHY])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct needed needed = { 0 };
	json_t *list = NULL;
	const char *wrong = "cannot be read";
	struct stat st;
	void *bytes;

	if (fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < FILE_MAX &&
	    (bytes = malloc((size_t)st.st_size + 1)) != NULL) {
		if (pread(fd, bytes, (size_t)st.st_size, 0) == st.st_size)
			wrong = needed_find(bytes, (size_t)st.st_size, &needed);
		if (wrong == NULL && (list = json_array()) != NULL)
			for (size_t i = 0; i < needed.n; i++)
				json_array_append_new(list, json_string(needed.name[i]));
		free(bytes);
	}
	if (fd != -1)
		close(fd);
	if (list == NULL || json_array_size(list) != needed.n)	/* or a name is no UTF-8 */
		snprintf(why, AUDIT_WHY, "%s", wrong != NULL ? wrong : "out of memory");
	return list;
}

/* All that is known of it; NULL: said why not. */
static json_t *
program_audit(const char *name, const char *path)
{
	char why[AUDIT_WHY];
	json_t *o = NULL, *links;
	size_t len;
	char *text = audit_run(path, &len, why);

	if (text != NULL)
		o = audit_read(text, len, name, why);
	free(text);
	if (o != NULL) {
		links = links_find(path, why);
		if (links != NULL && json_object_set_new(o, "links", links) == 0 &&
		    json_object_set_new(o, "path", json_string(path)) == 0)
			return o;
		json_decref(o);
	}
	log_warnx("%s: %s (install childflow again)", path, why);
	return NULL;
}

/* Each role gets the namespaces in which cf-spawn starts it; null: it starts none such. */
static void
given_add(const json_t *program, const json_t *spawn)
{
	json_t *role, *given;
	const json_t *start;
	size_t i, k;

	json_array_foreach(json_object_get(program, "roles"), i, role) {
		given = NULL;
		json_array_foreach(json_object_get(spawn, "starts"), k, start)
			if (json_equal(json_object_get(start, "role"), json_object_get(role, "role")))
				given = json_object_get(start, "namespaces");
		json_object_set_new(role, "given", given != NULL ? json_incref(given) : json_null());
	}
}

/* ---- all ---- */

static void
pick(char **names, int n, bool picked[PROGRAMS])
{
	size_t p;

	for (int i = 0; i < n; i++) {
		for (p = 0; p < PROGRAMS && strcmp(programs[p].name, names[i]) != 0; p++)
			;
		if (p == PROGRAMS) {
			log_fatal_status(2);
			fatalx("no program is called %s (try one of: cf-spawn cf-netstack cf-dns "
			    "cf-proxy cf-upstream cf-capture cf-doctor)", names[i]);
		}
		picked[p] = true;
	}
	for (p = 0; p < PROGRAMS && n == 0; p++)
		picked[p] = true;
}

/* On a host that has only some of them installed, those; one that was named has to be there. */
static int
collect(json_t *list, const bool picked[PROGRAMS], bool named)
{
	json_t *spawn = NULL, *o;
	char path[PATH_MAX];
	int status = 0;

	for (size_t p = 0; p < PROGRAMS; p++) {
		if (!picked[p] && p != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", programs[p].folder, programs[p].name);
		if (access(path, F_OK) != 0 && !(named && picked[p])) {
			if (picked[p])
				log_warnx("%s is not installed here", path);
			continue;
		}
		if ((o = program_audit(programs[p].name, path)) == NULL) {
			status |= picked[p];
			continue;
		}
		if (p == 0)
			spawn = json_incref(o);
		given_add(o, spawn);
		if (picked[p])
			json_array_append(list, o);
		json_decref(o);
	}
	json_decref(spawn);
	return status;
}

int
audit_main(int argc, char **argv)
{
	bool picked[PROGRAMS] = { false };
	struct options o = { 0 };
	json_t *all = json_object(), *list = json_array(), *one;
	int first = cli_parse(&cli, &o, argc, argv, 2), status;
	size_t i;

	pick(argv + first, argc - first, picked);
	if (all == NULL || list == NULL)
		fatalx("out of memory");
	status = collect(list, picked, argc > first);
	json_object_set_new(all, "version", json_integer(1));
	json_object_set(all, "programs", list);
	if (o.json)
		json_dumpf(all, stdout, JSON_INDENT(1) | JSON_ENSURE_ASCII);
	json_array_foreach(list, i, one)
		if (!o.json) {
			fputs(i > 0 ? "\n" : "", stdout);
			audit_print(stdout, one);
		}
	if (o.json)
		putchar('\n');
	json_decref(list);
	json_decref(all);
	return fflush(stdout) == 0 ? status : 1;
}
