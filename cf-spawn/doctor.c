/*
 * doctor.c - what cf-doctor does better is done by it, in our place.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <unistd.h>

#include "log.h"
#include "spawn.h"

void
doctor_become(const char *const *argv)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", paths_libexec, argv[0]);
	execv(path, (char *const *)argv);
	fatal("cannot run %s (install childflow again)", path);
}

/* `cf-spawn --doctor`: with the proxies of this run, and not with their passwords. */
void
doctor_exec(const struct conf *conf)
{
	static char url[HOPS_MAX][HOP_STRLEN];
	const char *argv[5 + 2 * HOPS_MAX] = { "cf-doctor", "--format",
	    conf->doctor_json ? "json" : "text" };
	size_t n = 3;

	if (conf->command[0] != NULL)
		fatalx("--doctor runs nothing: leave the command out (or --doctor)");
	for (size_t i = 0; i < conf->proxy.hops.n; i++) {
		argv[n++] = "-p";
		argv[n++] = hop_str(&conf->proxy.hops.hop[i], url[i]);
	}
	doctor_become(argv);
}
