/*
 * leakprobe.c - the probe: every way in a process of its own, a line for each; see leaks.h.
 *
 * It is what a hostile command would be, so it is not sealed.  Its standard output is read by
 * cf-doctor outside: NUMBER, result and detail, parted by tabs, where what is tried has
 * the number of its row (struct leak_report).
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "leaks.h"
#include "log.h"

#define WAY_LIMIT	5	/* s */

/* What a way brings back: its process may be killed at any moment. */
struct shared {
	enum leak_result result;
	char		 detail[LEAK_DETAIL];
};

/* Control characters of a detail would break the lines. */
static void
say(size_t n, enum leak_result result, char *detail)
{
	for (char *p = detail; *p != '\0'; p++)
		if (iscntrl((unsigned char)*p))
			*p = '?';
	printf("%zu\t%d\t%s\n", n, result, detail);
	fflush(stdout);
}

static void
way_try(const struct leak_way *way, size_t n, const struct leak_world *w, struct shared *s)
{
	int status = 0;
	pid_t pid;

	*s = (struct shared){ .result = LEAK_MISSING };
	if ((pid = fork()) == 0) {
		signal(SIGALRM, SIG_DFL);
		alarm(WAY_LIMIT);
		s->result = way->try(w, s->detail);
		_exit(0);
	}
	if (pid == -1) {
		snprintf(s->detail, sizeof(s->detail), "cannot start a process to try it");
	} else if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status)) {
		s->result = LEAK_REFUSED;
		snprintf(s->detail, sizeof(s->detail), WTERMSIG(status) == SIGALRM ? "no answer" :
		    "killed (signal %d)", WTERMSIG(status));
	}
	say(n, s->result, s->detail);
}

static bool
in_netns(uint64_t ino)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) == 0 && st.st_ino == ino;
}

int
leakprobe_main(int argc, char **argv)
{
	static struct leak_target target[LEAK_TARGETS];
	static enum leak_result result[LEAK_TARGETS];
	static char detail[LEAK_TARGETS][LEAK_DETAIL];
	static struct leak_world w;
	struct shared *shared;
	size_t n;

	log_fatal_status(2);
	for (int i = 1; i < argc; i++)
		if (!leak_word(&w, argv[i]))
			fatalx("%s is for `cf-doctor leaks` to start", LEAK_PROBE);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		fatal("no memory");
	printf("begin\t%d\t\n", in_netns(w.netns));
	fflush(stdout);
	n = leak_targets(&w, target);
	leak_addresses(&w, target, n, result, detail);
	for (size_t i = 0; i < n; i++)
		say(i, result[i], detail[i]);
	for (size_t i = 0; leak_ways[i].name != NULL; i++)
		way_try(&leak_ways[i], LEAK_TARGETS + i, &w, shared);
	printf("end\t0\t\n");
	return fflush(stdout) == 0 ? 0 : 1;
}
