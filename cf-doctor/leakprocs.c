/*
 * leakprocs.c - the probe's ways by other processes; see leaks.h.
 *
 * Who is tried: cf-doctor outside, which lets everybody (PR_SET_PTRACER_ANY, dumpable), and where the
 * probe can see them, cf-spawn and the helpers.  Nothing is written to any, none is stopped.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "leaks.h"

#define TARGETS_MAX	32

static bool
file_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd != -1 ? read(fd, buf, size - 1) : -1;

	if (fd != -1)
		close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* The start of a process (proc(5), field 22 of stat) and its name; 0: it is not seen. */
static uint64_t
started(pid_t pid, char comm[32])
{
	char path[64], text[1024], *p, *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (!file_read(path, text, sizeof(text)) || (p = strchr(text, '(')) == NULL ||
	    (end = strrchr(text, ')')) == NULL)
		return 0;
	snprintf(comm, 32, "%.*s", (int)(end - p - 1), p + 1);
	for (int i = 0; i < 20 && end != NULL; i++)
		end = strchr(end + 1, ' ');
	return end != NULL ? strtoull(end + 1, NULL, 10) : 0;
}

/* Processes outside that may be tried; ours is the first. */
static size_t
targets(const struct leak_world *w, pid_t out[TARGETS_MAX])
{
	static const char *const names[] = { "cf-spawn", "childflow", "cf-watcher", "cf-netstack", "cf-dns",
	    "cf-proxy", "cf-capture" };
	DIR *dir = opendir("/proc");
	struct dirent *e;
	char comm[32];
	size_t n = 0;

	if (started(w->pid, comm) == w->started && w->started != 0)
		out[n++] = w->pid;
	while (dir != NULL && n < TARGETS_MAX && (e = readdir(dir)) != NULL) {
		pid_t pid = isdigit((unsigned char)e->d_name[0]) ? atoi(e->d_name) : 0;

		if (pid == 0 || pid == w->pid || started(pid, comm) == 0)
			continue;
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (strcmp(comm, names[i]) == 0) {
				out[n++] = pid;
				break;
			}
	}
	if (dir != NULL)
		closedir(dir);
	return n;
}

/* Try it on each; true: it worked. */
static enum leak_result
each(const struct leak_world *w, char *detail, bool (*try)(const struct leak_world *, pid_t))
{
	pid_t pid[TARGETS_MAX];
	char comm[32];
	size_t n = targets(w, pid);

	snprintf(detail, LEAK_DETAIL, "no process outside is seen");
	for (size_t i = 0; i < n; i++) {
		errno = 0;
		if (try(w, pid[i])) {
			(void)started(pid[i], comm);
			snprintf(detail, LEAK_DETAIL, "worked with %s (process %d)", comm, pid[i]);
			return LEAK_WORKED;
		}
		snprintf(detail, LEAK_DETAIL, "%s (%zu tried)", strerror(errno), n);
	}
	return n > 0 ? LEAK_REFUSED : LEAK_NONE;
}

static bool
ptraced(const struct leak_world *w, pid_t pid)
{
	(void)w;
	return ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0;
}

/* EFAULT: it looked, and nothing is mapped there. */
static bool
vm_read(const struct leak_world *w, pid_t pid)
{
	char byte;
	struct iovec to = { &byte, 1 }, from = { (void *)0x1000, 1 };

	(void)w;
	return process_vm_readv(pid, &to, 1, &from, 1, 0) == 1 || errno == EFAULT;
}

static bool
opened(pid_t pid, const char *file)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) != -1)
		close(fd);
	return fd != -1;
}

static bool
mem_opened(const struct leak_world *w, pid_t pid)
{
	(void)w;
	return opened(pid, "mem");
}

static bool
environ_read(const struct leak_world *w, pid_t pid)
{
	char path[64], text[16];

	(void)w;
	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	return file_read(path, text, sizeof(text));
}

static bool
fd_seen(const struct leak_world *w, pid_t pid)
{
	char path[64], to[256];

	(void)w;
	snprintf(path, sizeof(path), "/proc/%d/fd/0", pid);
	return readlink(path, to, sizeof(to)) > 0;
}

static bool
fd_taken(const struct leak_world *w, pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	(void)w;
	return pidfd != -1 && syscall(SYS_pidfd_getfd, pidfd, 0, 0) != -1;
}

/* By the handle in /proc, and by the process itself (Linux 5.8). */
static bool
entered(const struct leak_world *w, pid_t pid)
{
	char path[64];
	int fd, pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	(void)w;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) != -1 && setns(fd, CLONE_NEWNET) == 0)
		return true;
	return pidfd != -1 && setns(pidfd, CLONE_NEWNET) == 0;
}

/* The port on which cf-doctor listens is in the host's tables, and in no others. */
static bool
connections_seen(const struct leak_world *w, pid_t pid)
{
	static const char *const files[] = { "tcp", "tcp6" };
	char path[64], line[256], port[16];
	bool seen = false;

	snprintf(port, sizeof(port), ":%04X ", w->port);
	for (size_t i = 0; i < 2 && !seen; i++) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/net/%s", pid, files[i]);
		if ((f = fopen(path, "re")) == NULL)
			continue;
		while (!seen && fgets(line, sizeof(line), f) != NULL)
			seen = strstr(line, port) != NULL && strstr(line, " 0A ") != NULL;
		fclose(f);
	}
	if (!seen && errno == 0)
		errno = EACCES;
	return seen;
}

#define WAY(name, try)								\
enum leak_result								\
leak_##name(const struct leak_world *w, char *detail)				\
{										\
	return each(w, detail, try);						\
}
WAY(ptrace, ptraced)
WAY(vm_read, vm_read)
WAY(mem, mem_opened)
WAY(fds, fd_seen)
WAY(environ, environ_read)
WAY(getfd, fd_taken)
WAY(setns, entered)
WAY(proc_net, connections_seen)
