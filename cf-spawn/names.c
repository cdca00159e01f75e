/*
 * names.c - who is told of names: does cf-proxy have to know them, and which it knows at once.
 *
 * That costs a little with every answer, so it is done where something comes of it: a rule that may
 * be about a name, --dns-mode synthetic, or somebody who reads events.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "spawn.h"

bool
names_wanted(const struct conf *conf)
{
	const struct ruleopts *o = &conf->rules;
	bool rule = false;

	for (size_t i = 0; i < o->n; i++)
		rule = rule || (o->given[i].source != RULES_ALLOW_CIDR &&
		    o->given[i].source != RULES_DENY_CIDR);
	return rule || conf->synthetic || conf->proxy.given || conf->summary ||
	    conf->learn_file != NULL || conf->flow_log != NULL || conf->monitor != NULL ||
	    conf->capture_file != NULL || conf->verbose > 0;
}

int
names_hosts_fd(const struct texts *texts)
{
	const char *hosts = texts->hosts != NULL ? texts->hosts : texts->host_hosts;
	size_t len = hosts != NULL ? strlen(hosts) : 0;
	int fd;

	if (len == 0)
		return -1;
	fd = memfd_create("childflow-hosts", MFD_CLOEXEC);
	if (fd == -1 || write(fd, hosts, len) != (ssize_t)len)
		fatal("cannot hand %s to cf-proxy", HOSTS_FILE);
	return fd;
}
