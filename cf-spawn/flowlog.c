/*
 * flowlog.c - see flowlog.h.
 *
 * The file is opened here, with the rights of who called us, and truncated; helpers inherit it,
 * and write whole lines to its end.  `-` is our standard output; fd:N, /dev/fd/N and their like
 * are descriptors that the caller opened: these are taken as they are and not truncated.  They
 * share the offset with the caller's, so nothing is overwritten, and for appending they need not
 * be opened anew.
 *
 * What must stay true: the command gets no descriptor of the log but those that the caller gave
 * it as its standard output or error.
 *
 * A helper that was killed in the midst of a write(2), and a disk that was full, may leave a part
 * of a line as the last one.  When all have ended it is cut off.
 *
 * SPDX-License-Identifier: MIT
 */
#include "flowlog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event.h"
#include "log.h"
#include "spawn.h"

#define TAIL_MAX	EVENT_LINE_MAX

static const struct conf *watched;
static enum failure_phase phase;
static pid_t		 our_pid;
static int		 log_fd = -1;
static bool		 opened;

/* ---- the file ---- */

/* The descriptor that a name stands for; -1: it is a file. */
static int
named_fd(const char *name)
{
	static const struct { const char *name; int fd; } std[] = {
		{ "-", STDOUT_FILENO }, { "/dev/stdout", STDOUT_FILENO },
		{ "/dev/stderr", STDERR_FILENO },
	};
	static const char *const prefixes[] = { "fd:", "/dev/fd/", "/proc/self/fd/" };
	char *end;
	long fd;

	for (size_t i = 0; i < sizeof(std) / sizeof(std[0]); i++)
		if (strcmp(name, std[i].name) == 0)
			return std[i].fd;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t len = strlen(prefixes[i]);

		if (strncmp(name, prefixes[i], len) != 0)
			continue;
		fd = strtol(name + len, &end, 10);
		if (end != name + len && *end == '\0' && fd >= 0 && fd < INT_MAX)
			return (int)fd;
		fatalx("--flow-log %s: this is no descriptor (write fd:3, and 3>>FILE)", name);
	}
	return -1;
}

/* One that does not wait would lose lines: where it can be, it is opened anew. */
static int
waiting_fd(int fd)
{
	char path[32];
	int flags = fcntl(fd, F_GETFL), again;
	struct stat st;

	if ((flags & O_NONBLOCK) == 0 || fstat(fd, &st) != 0 || S_ISREG(st.st_mode))
		return fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC);
	return again != -1 ? again : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

static int
inherited_open(const char *name, int fd)
{
	int flags = fcntl(fd, F_GETFL), copy;

	if (flags == -1)
		fatalx("--flow-log %s: descriptor %d is not open (write %d>>FILE)", name, fd, fd);
	if ((flags & O_ACCMODE) == O_RDONLY)
		fatalx("--flow-log %s: descriptor %d is open for reading only (write %d>>FILE)", name,
		    fd, fd);
	if ((copy = waiting_fd(fd)) == -1)
		fatal("cannot use --flow-log %s", name);
	if (fd > STDERR_FILENO)		/* the command must not be able to write there */
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return copy;
}

static int
log_open(const char *name, int how)
{
	int fd = named_fd(name);

	if (fd != -1)
		return inherited_open(name, fd);
	if ((fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC | how, 0644)) == -1)
		fatal("cannot write --flow-log %s", name);
	return fd;
}

void
flowlog_open(struct conf *conf)
{
	struct stat st;
	char path[PATH_MAX];

	conf->log_fd = -1;
	if (conf->flow_log == NULL)
		return;
	opened = true;
	conf->log_fd = log_fd = log_open(conf->flow_log, O_TRUNC);
	event_init(log_fd);
	if (named_fd(conf->flow_log) == -1 && fstat(log_fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    realpath(conf->flow_log, path) != NULL)
		conf->log_path = strdup(path);
}

void
flowlog_mend(const struct conf *conf)
{
	char path[32], tail[TAIL_MAX];
	struct stat st;
	off_t from;
	ssize_t n;
	int fd;

	if (conf->log_path == NULL || fstat(log_fd, &st) != 0 || st.st_size == 0)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", log_fd);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return;			/* it may be one that we can only write to */
	from = st.st_size > TAIL_MAX ? st.st_size - TAIL_MAX : 0;
	n = pread(fd, tail, sizeof(tail), from);
	close(fd);
	if (n <= 0 || tail[n - 1] == '\n')
		return;
	while (n > 0 && tail[n - 1] != '\n')
		n--;
	if ((n > 0 || from == 0) && ftruncate(log_fd, from + n) == 0)
		log_info("a line of the flow log was not finished: it is cut off");
}

/* ---- failures ---- */

/* childflow's codes, by how our messages of the set-up begin (failure.c, child.c). */
static const char *
reason_code(const char *detail)
{
	static const struct { const char *begins, *code; } codes[] = {
		{ "cannot make user", "namespace_unshare_failed" },
		{ "cannot map", "user_namespace_mapping_failed" },
		{ "cannot make the mount namespace private", "mount_propagation_blocked" },
		{ "cannot put our resolv.conf", "resolv_conf_bind_blocked" },
		{ "cannot write the stand-in", "resolv_conf_bind_blocked" },
		{ "cannot put the merged hosts", "hosts_bind_blocked" },
		{ "cannot open /dev/net/tun", "tap_create_blocked" },
		{ "cannot create the TUN", "tap_create_blocked" },
		{ "cannot write --capture", "packet_capture_blocked" },
		{ "cf-capture ", "packet_capture_blocked" },
		{ "cannot execute", "command_not_executed" },
		{ "cf-", "helper_failed" },
		{ "the process that was to become", "rootless_bootstrap_sync_failed" },
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strncmp(detail, codes[i].begins, strlen(codes[i].begins)) == 0)
			return codes[i].code;
	return "unknown_runtime_failure";
}

void
flowlog_phase(enum failure_phase now)
{
	phase = now;
}

void
flowlog_failure(const struct conf *conf, const char *detail)
{
	static const char *const phases[] = { "cli_validate", "preflight", "child_bootstrap", "run" };
	struct jline l;

	if (conf->flow_log == NULL || log_fd == -1)
		return;
	jline_init(&l);
	jline_strn(&l, "detail", detail, strlen(detail), TAIL_MAX / 4);
	jline_str(&l, "phase", phases[phase]);
	jline_str(&l, "reason_code", reason_code(detail));
	event_line("runtime_failure", &l);
	log_fd = -1;			/* the first reason is the reason */
}

/* Our process ends by fatal(): options that make no sense, a file that is not there. */
static void
on_fatal(const char *text)
{
	if (getpid() != our_pid || watched->flow_log == NULL)
		return;			/* a child says it to us, and we write it */
	if (!opened) {
		opened = true;
		if ((log_fd = log_open(watched->flow_log, 0)) != -1)
			event_init(log_fd);
	}
	flowlog_failure(watched, text);
}

void
flowlog_watch_failures(const struct conf *conf)
{
	watched = conf;
	our_pid = getpid();
	log_on_fatal(on_fatal);
}
