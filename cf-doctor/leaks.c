/*
 * leaks.c - the life of `cf-doctor leaks`; see leaks.h.
 *
 * Exit: 0 no way is open, 1 one is, or it could not be told, 2 wrong command line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "leaks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../cf-spawn/spawn.h"
#include "cli.h"
#include "log.h"

#define RUN_LIMIT	60000	/* ms for one run of the probe */
#define QUIET		300	/* ms after its end in which something may still arrive */
#define ACCEPTED_MAX	32

struct options {
	bool		 json;
	const char	*runner;
	const char	*accept[ACCEPTED_MAX];
	size_t		 n_accept;
	struct polopts	 polopts;
};

static const struct cli	cli;

CLI_SET(options, json, cli_text_or_json)
CLI_SET_TOLD(cli)

static bool
set_runner(void *conf, const char *arg, char *why)
{
	(void)why;
	((struct options *)conf)->runner = arg;
	return true;
}

static bool
set_accept(void *conf, const char *arg, char *why)
{
	struct options *o = conf;

	for (size_t i = 0; leak_ways[i].name != NULL && o->n_accept < ACCEPTED_MAX; i++)
		if (strcmp(leak_ways[i].name, arg) == 0) {
			o->accept[o->n_accept++] = arg;
			return true;
		}
	snprintf(why, CLI_WHY_LEN, "no such way, or too many (the names are in the table)");
	return false;
}

static const struct cli_option options[] = {
	{ 0,   "format",  "FORM", set_json,    "text (the default) or json" },
	{ 0,   "accept",  "WAY",  set_accept,  "that this way is open is no failure", CLI_LIST },
	{ 0,   "runner",  "CMD",  set_runner,  "run the probe by this command, in place of cf-spawn" },
	{ 'h', "help",	  NULL,	  set_help,    "print this" },
	{ 'V', "version", NULL,	  set_version, "print the version" },
	{ 0,   NULL,	  NULL,	  NULL,	       NULL }
};

static const struct cli cli = {
	"cf-doctor leaks", "[options] [-- OPTIONS OF CF-SPAWN]",
	"Try every way out of a sandbox that is known, inside one with these options.",
	options
};

/* ---- what to run ---- */

/* Of cf-spawn's options those that make a policy; the others are for the run alone. */
static bool
take(void *ctx, const struct cli_option *row, const char *arg, bool negated, char *why)
{
	struct options *o = ctx;

	if ((row->flags & CLI_NOW) != 0) {
		snprintf(why, CLI_WHY_LEN, "with it nothing is run");
		return false;
	}
	(void)polopts_add(&o->polopts, row->name, arg, negated);
	return true;
}

static void
policy_of(struct options *o, int argc, char **argv, struct leak_policy *policy)
{
	char **words = calloc((size_t)argc + 2, sizeof(*words));

	if (words == NULL)
		fatalx("out of memory");
	words[0] = "cf-spawn";
	for (int i = 0; i < argc; i++)
		words[i + 1] = argv[i];
	if (cli_walk(&options_cli, take, o, argc + 1, words, 2) != argc + 1)
		fatalx("no command is needed: it is the probe that is run");
	free(words);
	polopts_make(&o->polopts, &policy->made);
	policy->flat = policy_made_load(&policy->made, &policy->rules);
}

struct line {
	const char	*word[256];
	size_t		 n;
};

static void
add(struct line *l, const char *word)
{
	if (l->n + 1 >= sizeof(l->word) / sizeof(l->word[0]))
		fatalx("too many options");
	l->word[l->n++] = word;
}

/* The probe is this program. */
static void
probe_add(struct line *l, const struct leak_world *w)
{
	static char self[4096];
	char *words[LEAK_WORDS_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t n = leak_words(w, words);

	if (len < 0 || n == 0)
		fatal("cannot find this program");
	self[len] = '\0';
	add(l, self);
	add(l, LEAK_PROBE);
	for (size_t i = 0; i < n; i++)
		add(l, words[i]);
}

static void
sandbox_add(struct line *l, const struct options *o, int argc, char **argv, int log_fd)
{
	static char path[4096], log[32];

	if (o->runner != NULL) {
		add(l, "/bin/sh");
		add(l, "-c");
		snprintf(path, sizeof(path), "exec %s \"$@\"", o->runner);
		add(l, path);
		add(l, "sh");
		return;
	}
	snprintf(path, sizeof(path), "%s/cf-spawn", paths_libexec);
	if (access(path, X_OK) != 0)		/* installed, it is not among the helpers */
		snprintf(path, sizeof(path), "%s/../../bin/cf-spawn", paths_libexec);
	snprintf(log, sizeof(log), "fd:%d", log_fd);
	add(l, path);
	for (int i = 0; i < argc; i++)
		add(l, argv[i]);
	add(l, "--flow-log");			/* the last one counts */
	add(l, log);
	add(l, "--");
}

/* ---- running it ---- */

static volatile sig_atomic_t	stopped;	/* by a signal */

static void
on_stop(int sig)
{
	stopped = sig;
}

struct running {
	pid_t	 pid;
	int	 out;			/* the probe's lines */
	char	 line[2 * LEAK_DETAIL];
	size_t	 len;
};

static _Noreturn void
become(const struct line *l, int out, int terminal, int err, int log_fd)
{
	setsid();
	if (terminal != -1 && ioctl(terminal, TIOCSCTTY, 0) != 0)
		terminal = -1;
	if (terminal == -1)
		terminal = open("/dev/null", O_RDONLY);
	dup2(terminal, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	if (log_fd != -1)
		fcntl(log_fd, F_SETFD, 0);
	execvp(l->word[0], (char *const *)l->word);
	fprintf(stderr, "cannot run %s: %s\n", l->word[0], strerror(errno));
	_exit(127);
}

static void
lines_read(struct running *run, struct leak_host *host, struct leak_report *r)
{
	char c[4096];
	ssize_t n = read(run->out, c, sizeof(c));

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR)) {
		close(run->out);
		run->out = -1;
	}
	for (ssize_t i = 0; i < n; i++) {
		if (c[i] != '\n') {
			if (run->len < sizeof(run->line) - 1)
				run->line[run->len++] = c[i];
			continue;
		}
		run->line[run->len] = '\0';
		run->len = 0;
		(void)leak_report_line(r, run->line);
		leak_host_late(host, true);
	}
}

static long
ms_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until the probe's pipe has ended, or the limit; then a moment for what is on its way. */
static void
watch(struct running *run, struct leak_host *host, const char *nonce, struct leak_report *r)
{
	long end = ms_now() + RUN_LIMIT, left;
	int fds[8];

	while (stopped == 0 && (left = end - ms_now()) > 0) {
		struct pollfd p[9] = { { .fd = run->out, .events = POLLIN } };
		size_t n = leak_host_fds(host, fds);

		for (size_t i = 0; i < n; i++)
			p[i + 1] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
		/* Connections that wait for their token are looked at every 50 ms. */
		if (poll(p, n + 1, left < 50 ? (int)left : 50) == -1 && errno != EINTR)
			break;
		leak_host_turn(host, nonce, r);
		if (run->out != -1 && p[0].revents != 0)
			lines_read(run, host, r);
		if (run->out == -1 && end - ms_now() > QUIET && waitpid(run->pid, NULL, WNOHANG) != 0) {
			run->pid = 0;
			end = ms_now() + QUIET;
		}
	}
}

static void
run_probe(const struct line *l, struct leak_host *host, const struct leak_world *w,
    struct leak_report *r, int err, int log_fd)
{
	struct running run = { 0 };
	int fds[2];

	*r = (struct leak_report){ 0 };
	leak_host_late(host, false);
	if (pipe2(fds, O_CLOEXEC) != 0)
		fatal("cannot start the probe");
	fflush(stdout);
	if ((run.pid = fork()) == 0)
		become(l, fds[1], leak_host_terminal(host), err, log_fd);
	if (run.pid == -1)
		fatal("cannot start the probe");
	close(fds[1]);
	run.out = fds[0];
	watch(&run, host, w->nonce, r);
	if (run.pid > 0) {
		kill(-run.pid, SIGKILL);
		kill(run.pid, SIGKILL);
		waitpid(run.pid, NULL, 0);
	}
	if (run.out != -1)
		close(run.out);
}

static void
nonce_make(struct leak_world *w)
{
	uint8_t bytes[LEAK_NONCE / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		fatal("no random numbers");
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(w->nonce + 2 * i, 3, "%02x", bytes[i]);
}

/* What the sandbox has said, where the probe did not run to its end. */
static void
stderr_tell(int err)
{
	char text[2048], shown[4 * sizeof(text) + 8];
	ssize_t n = pread(err, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
		log_warnx("it said: %s", log_escape(shown, sizeof(shown), line));
}

static void
log_read(struct leak_log *log, const struct leak_world *w, int fd)
{
	static struct leak_target target[LEAK_TARGETS];
	off_t len = lseek(fd, 0, SEEK_END);
	char *text = len > 0 ? malloc((size_t)len + 1) : NULL;
	ssize_t n = text != NULL ? pread(fd, text, (size_t)len, 0) : 0;

	if (n > 0)
		leak_log_read(log, target, leak_targets(w, target), text, (size_t)n);
	free(text);
}

/* ---- the whole ---- */

static void
accept_ways(const struct options *o, struct leak_row *row, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < o->n_accept; k++)
			row[i].accepted = row[i].accepted || strcmp(row[i].way, o->accept[k]) == 0;
}

static const char *
command_text(const struct options *o, int argc, char **argv)
{
	static char text[2048];
	size_t len = (size_t)snprintf(text, sizeof(text), "%.1000s", o->runner != NULL ? o->runner :
	    "cf-spawn");

	for (int i = 0; o->runner == NULL && i < argc && len < sizeof(text) - 2; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, " %s", argv[i]);
	return text;
}

/* Both runs; what came of them is in c. */
static bool
try_all(const struct options *o, int argc, char **argv, struct leak_world *w, struct leak_host *host,
    struct leak_report *outside, struct leak_report *inside, struct leak_log *log)
{
	struct line l = { .n = 0 };
	int err = memfd_create("stderr", MFD_CLOEXEC), log_fd = memfd_create("log", MFD_CLOEXEC);

	if (err == -1 || log_fd == -1)
		fatal("no memory");
	nonce_make(w);
	probe_add(&l, w);
	run_probe(&l, host, w, outside, err, -1);
	nonce_make(w);
	l = (struct line){ .n = 0 };
	sandbox_add(&l, o, argc, argv, log_fd);
	probe_add(&l, w);
	(void)!ftruncate(err, 0);
	(void)lseek(err, 0, SEEK_SET);
	run_probe(&l, host, w, inside, err, log_fd);
	log_read(log, w, log_fd);
	if (!inside->finished && stopped == 0) {
		log_warnx("the probe did not run to its end inside");
		stderr_tell(err);
	}
	return inside->finished;
}

int
leaks_main(int argc, char **argv)
{
	static struct leak_report outside, inside;
	static struct leak_policy policy;
	static struct leak_row row[LEAK_ROWS];
	static struct leak_world w;
	static struct leak_log log;
	struct options o = { .json = false };
	struct leak_case c = { &w, &outside, &inside, &log, &policy };
	struct leak_host *host;
	int at = cli_parse(&cli, &o, argc, argv, 2), status;
	bool finished;
	size_t n;

	log_fatal_status(2);
	argc -= at;
	argv += at;
	if (o.runner != NULL && argc > 0)
		fatalx("--runner is in place of cf-spawn: leave its options out, or --runner");
	policy_of(&o, argc, argv, &policy);
	log_fatal_status(1);
	if (o.runner != NULL)
		c.log = NULL, c.policy = NULL;
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, on_stop);	/* what was made is to be gone then, too */
	signal(SIGTERM, on_stop);
	if ((host = leak_host_new(&w)) == NULL)
		return 1;
	finished = try_all(&o, argc, argv, &w, host, &outside, &inside, &log);
	leak_host_free(host);
	if (stopped != 0)
		return 128 + (int)stopped;
	n = leak_judge(&c, row);
	accept_ways(&o, row, n);
	status = leak_tell(row, n, command_text(&o, argc, argv), o.json);
	free(policy.flat);
	return finished ? status : 1;
}
