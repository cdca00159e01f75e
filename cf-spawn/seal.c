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
	return ruleopts_any(&conf->rules) || conf->encdns == ENCDNS_BLOCK;
}

void
seal_controls(const struct conf *conf, void (*say)(void *arg, const char *control), void *arg)
{
	const struct seal *s = &conf->seal;
	char buf[512];

	for (size_t i = 0; i < s->nkeep; i++) {
		snprintf(buf, sizeof(buf), "keep-fd=%d", s->keep_fd[i]);
		say(arg, buf);
	}
}
