/*
 * list.c - cf-spawn --list: the caller's live runs.
 *
 * The kernel has the list: the abstract unix sockets of this network namespace.  Each run is
 * asked and gets a moment to answer; what it says is its user's, and still escaped.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "log.h"
#include "spawn.h"

#define ANSWER_LIMIT_MS	2000
#define RUNS_MAX	1024

/* The names of the caller's runs, in the order of the kernel's list. */
static size_t
names_find(char names[RUNS_MAX][RUN_NAME_MAX + 1])
{
	FILE *f = fopen("/proc/self/net/unix", "re");
	char line[512], prefix[64], *name;
	size_t n = 0, len;

	if (f == NULL)
		fatal("cannot read /proc/self/net/unix");
	snprintf(prefix, sizeof(prefix), " @" RUN_PREFIX "%u/", (unsigned)geteuid());
	while (n < RUNS_MAX && fgets(line, sizeof(line), f) != NULL) {
		if ((name = strstr(line, prefix)) == NULL)
			continue;
		name += strlen(prefix);
		len = strcspn(name, "\n");
		if (len == 0 || len > RUN_NAME_MAX)
			continue;
		memcpy(names[n], name, len);
		names[n][len] = '\0';
		for (size_t i = 0; i <= n; i++)	/* accepted sockets have the name too */
			if (i == n) {
				n++;
				break;
			} else if (strcmp(names[i], names[n]) == 0) {
				break;
			}
	}
	fclose(f);
	return n;
}

/* What this run says; NULL: it has just ended, or *why not. */
static json_t *
ask(const char *name, const char **why)
{
	struct timeval limit = { ANSWER_LIMIT_MS / 1000, 0 };
	static struct run_msg m;
	int fds[RUN_FDS], fd = runsock_connect(name, ANSWER_LIMIT_MS);
	json_t *o = NULL;

	*why = NULL;
	if (fd == -1)
		return NULL;
	*why = "it does not answer";
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
	    runmsg_send(fd, RUN_LIST, 0, "", NULL, 0) && runmsg_receive(fd, &m, fds) &&
	    m.type == RUN_INFO)
		o = json_loads(m.text, 0, NULL);
	close(fd);
	return o;
}

/* ---- for a person ---- */

static const char *
amount(json_int_t bytes, char buf[32])
{
	static const char *const units[] = { "B", "KB", "MB", "GB", "TB" };
	double v = (double)bytes;
	size_t u = 0;

	for (; v >= 1000 && u + 1 < sizeof(units) / sizeof(units[0]); u++)
		v /= 1000;
	snprintf(buf, 32, u == 0 ? "%.0f %s" : "%.1f %s", v, units[u]);
	return buf;
}

static json_int_t
number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *
word(const json_t *o, const char *key, const char *otherwise, char shown[512])
{
	const char *text = json_string_value(json_object_get(o, key));

	return log_escape(shown, 512, text != NULL ? text : otherwise);
}

static void
print_command(const json_t *o)
{
	const json_t *command = json_object_get(o, "command");
	char shown[1024];

	for (size_t i = 0; i < json_array_size(command); i++) {
		const char *arg = json_string_value(json_array_get(command, i));

		printf(" %s", log_escape(shown, sizeof(shown), arg != NULL ? arg : "?"));
	}
	putchar('\n');
}

static void
print_run(const json_t *o)
{
	const json_t *c = json_object_get(o, "counters"), *helpers = json_object_get(o, "helpers");
	json_int_t s = number(o, "age_ms") / 1000;
	char text[512], up[32], down[32];

	printf("%s  pid %lld, %s, %lld:%02lld:%02lld:", word(o, "name", "-", text),
	    (long long)number(o, "pid"), json_string_value(json_object_get(o, "state")) != NULL ?
	    json_string_value(json_object_get(o, "state")) : "?", (long long)(s / 3600),
	    (long long)(s / 60 % 60), (long long)(s % 60));
	print_command(o);
	printf("  %lld flows, %lld of them open; %s up, %s down; %lld denied; %zu joined\n",
	    (long long)number(c, "flows"), (long long)number(c, "open"),
	    amount(number(c, "bytes_up"), up), amount(number(c, "bytes_down"), down),
	    (long long)number(c, "denials"), json_array_size(json_object_get(o, "joined")));
	for (size_t i = 0; i < json_array_size(helpers); i++) {
		const json_t *h = json_array_get(helpers, i);

		printf("  %7lld  %-20s", (long long)number(h, "pid"), word(h, "name", "?", text));
		printf("  %s\n", word(h, "state", "?", text));
	}
}

int
list(const struct conf *conf)
{
	static char names[RUNS_MAX][RUN_NAME_MAX + 1];
	json_t *runs = json_array(), *o;
	size_t n = names_find(names);
	const char *why;
	char shown[512];

	for (size_t i = 0; i < n; i++) {
		if ((o = ask(names[i], &why)) != NULL)
			json_array_append_new(runs, o);
		else if (why != NULL)
			log_warnx("the run %s: %s", log_escape(shown, sizeof(shown), names[i]), why);
	}
	if (conf->runs.json) {
		json_dumpf(runs, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		for (size_t i = 0; i < json_array_size(runs); i++)
			print_run(json_array_get(runs, i));
	}
	json_decref(runs);
	return fflush(stdout) == 0 ? 0 : STATUS_FAILED;
}
