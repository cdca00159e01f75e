/*
 * seal.c - options that open or close ways other than the network.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "spawn.h"

static const struct {
	const char	*name;
	unsigned	 part;
} parts[] = {
	{ "pid",	SEAL_PID },
	{ "ipc",	SEAL_IPC },
	{ "sockets",	SEAL_SOCKETS },
	{ "files",	SEAL_FILES },
	{ "env",	SEAL_ENV },
};
#define NPARTS	(sizeof(parts) / sizeof(parts[0]))

static unsigned
part_named(const char *name, size_t len)
{
	for (size_t i = 0; i < NPARTS; i++)
		if (strlen(parts[i].name) == len && strncmp(parts[i].name, name, len) == 0)
			return parts[i].part;
	return 0;
}

bool
seal_set_parts(void *conf, const char *arg, char *why)
{
	struct seal *s = &((struct conf *)conf)->seal;
	unsigned part;

	for (size_t len; ; arg += len + 1) {
		len = strcspn(arg, ",");
		if ((part = part_named(arg, len)) == 0) {
			snprintf(why, CLI_WHY_LEN, "\"%.*s\" is none of: " SEAL_PARTS,
			    (int)(len < 64 ? len : 64), arg);
			return false;
		}
		s->parts |= part;
		if (arg[len] == '\0')
			return true;
	}
}

/* One more path in a list. */
static bool
path_add(const char **list, size_t *n, const char *arg, char *why)
{
	if (arg[0] == '\0') {
		snprintf(why, CLI_WHY_LEN, "the path is empty");
		return false;
	}
	if (*n == SEAL_LIST_MAX) {
		snprintf(why, CLI_WHY_LEN, "at most %d can be given", SEAL_LIST_MAX);
		return false;
	}
	list[(*n)++] = arg;
	return true;
}

bool
seal_set_allow_socket(void *conf, const char *arg, char *why)
{
	struct seal *s = &((struct conf *)conf)->seal;

	return path_add(s->allow_socket, &s->nallow, arg, why);
}

bool
seal_set_strict(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	((struct conf *)conf)->seal.parts = SEAL_ALL;
	return true;
}

bool
seal_set_writable(void *conf, const char *arg, char *why)
{
	struct seal *s = &((struct conf *)conf)->seal;

	if (arg[0] == '/' && strspn(arg, "/") == strlen(arg)) {
		snprintf(why, CLI_WHY_LEN, "that is everything: leave \"files\" out of --seal");
		return false;
	}
	return path_add(s->writable, &s->nwritable, arg, why);
}

bool
seal_set_keep_fd(void *conf, const char *arg, char *why)
{
	struct seal *s = &((struct conf *)conf)->seal;
	long fd;

	if (!cli_number(arg, 0, 1 << 20, &fd, why))
		return false;
	if (fcntl((int)fd, F_GETFD) == -1) {
		snprintf(why, CLI_WHY_LEN, "descriptor %ld is not open (write %ld<>FILE, or leave "
		    "it out)", fd, fd);
		return false;
	}
	if (s->nkeep == SEAL_LIST_MAX) {
		snprintf(why, CLI_WHY_LEN, "at most %d can be given", SEAL_LIST_MAX);
		return false;
	}
	s->keep_fd[s->nkeep++] = (int)fd;
	return true;
}

bool
seal_restricted(const struct conf *conf)
{
	return ruleopts_any(&conf->rules) || conf->encdns == ENCDNS_BLOCK || conf->proxy.given;
}

void
seal_controls(const struct conf *conf, void (*say)(void *arg, const char *control), void *arg)
{
	const struct seal *s = &conf->seal;
	char buf[512];

	for (size_t i = 0; i < NPARTS; i++)
		if ((s->parts & parts[i].part) != 0) {
			snprintf(buf, sizeof(buf), "seal=%s", parts[i].name);
			say(arg, buf);
		}
	for (size_t i = 0; i < s->nallow; i++) {
		snprintf(buf, sizeof(buf), "allow-socket=%s", s->allow_socket[i]);
		say(arg, buf);
	}
	for (size_t i = 0; i < s->nwritable; i++) {
		snprintf(buf, sizeof(buf), "writable=%s", s->writable[i]);
		say(arg, buf);
	}
	for (size_t i = 0; i < s->nkeep; i++) {
		snprintf(buf, sizeof(buf), "keep-fd=%d", s->keep_fd[i]);
		say(arg, buf);
	}
}
