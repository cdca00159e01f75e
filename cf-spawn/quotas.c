/*
 * quotas.c - what was used of each quota, for --status-fd.
 *
 * cf-proxy's policy stage counts in memory that it shares with us (quotas.h): a row for each
 * target's text, in the order in which texts first appeared.  It is read when the run has
 * ended, and only read(2): what lies there is numbers, and no word of them is trusted further.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "event.h"
#include "log.h"
#include "quotas.h"
#include "spawn.h"

#define SEALS	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW)

/* A text, its row being its place here, and the limits of it that are in force. */
struct known {
	char		*target;
	uint64_t	 limit[QUOTA_KINDS];
};
static struct known	known[QUOTAS_ROWS];
static size_t		n_known;

static struct known *
known_of(const char *target)
{
	for (size_t i = 0; i < n_known; i++)
		if (strcmp(known[i].target, target) == 0)
			return &known[i];
	if (n_known == QUOTAS_ROWS)
		return NULL;
	if ((known[n_known].target = strdup(target)) == NULL)
		fatal("cannot remember the quotas");
	return &known[n_known++];
}

void
quotas_know(const void *generation, size_t len)
{
	struct rules rules;

	if (rules_load(generation, len, &rules) != NULL)
		return;
	for (size_t i = 0; i < n_known; i++)
		memset(known[i].limit, 0, sizeof(known[i].limit));
	for (size_t i = 0; i < quotas_count(&rules); i++) {
		struct quota_rule rule = quotas_get(&rules, i);
		struct known *k = known_of(rule.target);

		if (k != NULL)
			memcpy(k->limit, rule.limit, sizeof(k->limit));
	}
}

int
quotas_fd_make(void)
{
	int fd;

	if (n_known == 0)
		return -1;
	fd = memfd_create("childflow-quotas", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1 || ftruncate(fd, QUOTAS_ROWS * sizeof(struct quota_used)) != 0 ||
	    fcntl(fd, F_ADD_SEALS, SEALS) != 0)
		fatal("cannot make the counters of --quota");
	return fd;
}

static json_int_t
number(uint64_t v)
{
	return v > INT64_MAX ? INT64_MAX : (json_int_t)v;
}

static json_t *
limit_json(const struct known *k, enum quota_kind kind, const struct quota_used *row)
{
	char limit[QUOTAS_LIMIT_LEN];
	json_t *o = json_object();

	json_object_set_new(o, "target", event_text(k->target, strlen(k->target)));
	json_object_set_new(o, "limit", json_string(quotas_limit_str(kind, k->limit[kind], limit)));
	json_object_set_new(o, "max", json_integer(number(k->limit[kind])));
	json_object_set_new(o, "used", json_integer(number(row->used[kind])));
	json_object_set_new(o, "flows", json_integer(number(row->flows)));
	return o;
}

json_t *
quotas_json(int fd)
{
	json_t *list = json_array();
	struct quota_used row;

	for (size_t i = 0; i < n_known; i++) {
		if (pread(fd, &row, sizeof(row), (off_t)(i * sizeof(row))) != (ssize_t)sizeof(row))
			break;
		for (int kind = 0; kind < QUOTA_KINDS; kind++)
			if (known[i].limit[kind] != 0)
				json_array_append_new(list,
				    limit_json(&known[i], (enum quota_kind)kind, &row));
	}
	return list;
}
