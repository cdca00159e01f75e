/*
 * ways.c - ways out of a run, tried one at a time from inside it.
 *
 *	ways WAY [ARG]			try it: prints "open", or the error that it met
 *	ways hold KIND COMMAND ...	outside: run COMMAND with a descriptor 9 of this kind
 *	ways has N			inside: "open" if descriptor N is there
 *
 * What is tried here is the real thing: "open" means that it worked.  A way whose error
 * would be the same without cf-spawn proves nothing; the tests try each outside first.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../cf-doctor/leaktry.h"

#define HELD_FD		9
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* ---- kinds of sockets ---- */

static int
try_family(const char *arg)
{
	return family_socket(atoi(arg)) == -1 ? -1 : 0;
}

static int
try_i386_socket(const char *arg)
{
	return call_i386(I386_SOCKET, (unsigned)atoi(arg), SOCK_STREAM, 0) == -1 ? -1 : 0;
}

static int
try_i386_socketcall(const char *arg)
{
	/* socketcall(SYS_SOCKET, ...) takes a pointer of 32 bits. */
	uint32_t *args = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (args == MAP_FAILED)
		return -1;
	args[0] = (uint32_t)atoi(arg);
	args[1] = SOCK_STREAM;
	args[2] = 0;
	return call_i386(I386_SOCKETCALL, 1, (unsigned)(uintptr_t)args, 0) == -1 ? -1 : 0;
}

static int
try_i386_io_uring(const char *arg)
{
	char *params = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	(void)arg;
	return params == MAP_FAILED ||
	    call_i386(I386_IO_URING_SETUP, 4, (unsigned)(uintptr_t)params, 0) == -1 ? -1 : 0;
}

static int
try_x32_socket(const char *arg)
{
	return syscall(0x40000000L | SYS_socket, atoi(arg), SOCK_STREAM, 0) == -1 ? -1 : 0;
}

static int
try_io_uring(const char *arg)
{
	char params[256] = { 0 };

	(void)arg;
	return syscall(SYS_io_uring_setup, 4, params) == -1 ? -1 : 0;
}

/* ---- other processes ---- */

static int
try_ptrace(const char *arg)
{
	pid_t pid = atoi(arg);

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0)
		return -1;
	return ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0 ? 0 : -1;
}

static int
try_vm_read(const char *arg)
{
	char byte;
	struct iovec to = { &byte, 1 }, from = { (void *)0x1000, 1 };

	if (process_vm_readv(atoi(arg), &to, 1, &from, 1, 0) == 1 || errno == EFAULT)
		return 0;		/* EFAULT: it looked, and nothing is mapped there */
	return -1;
}

static int
try_pidfd_getfd(const char *arg)
{
	int pidfd = (int)syscall(SYS_pidfd_open, atoi(arg), 0);

	return pidfd == -1 || syscall(SYS_pidfd_getfd, pidfd, 0, 0) == -1 ? -1 : 0;
}

static int
try_open(const char *arg)
{
	int fd = open(arg, O_RDONLY | O_NONBLOCK);
	char buf[1];

	if (fd == -1)
		return -1;
	return read(fd, buf, 1) >= 0 || errno == EISDIR || errno == EIO ? 0 : -1;
}

static int
try_link(const char *arg)
{
	char buf[256];

	return readlink(arg, buf, sizeof(buf)) == -1 ? -1 : 0;
}

static int
try_kill(const char *arg)
{
	return kill(atoi(arg), SIGKILL);
}

static int
try_setns(const char *arg)
{
	int fd = open(arg, O_RDONLY);

	return fd == -1 ? -1 : setns(fd, 0);
}

/* ---- sockets with a name ---- */

static int
connect_to(const struct sockaddr_un *sun, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), rc;

	if ((rc = connect(fd, (const struct sockaddr *)sun, len)) != 0 && errno == EPROTOTYPE) {
		fd = socket(AF_UNIX, SOCK_DGRAM, 0);
		rc = connect(fd, (const struct sockaddr *)sun, len);
	}
	return rc;
}

static int
try_connect(const char *arg)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	strncpy(sun.sun_path, arg, sizeof(sun.sun_path) - 1);
	return connect_to(&sun, sizeof(sun));
}

static int
try_abstract(const char *arg)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	strncpy(sun.sun_path + 1, arg, sizeof(sun.sun_path) - 2);
	return connect_to(&sun, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
	    strlen(arg)));
}

/* ---- the rest ---- */

static int
try_tiocsti(const char *arg)
{
	char c = 'x';

	return ioctl(0, arg != NULL ? (unsigned long)TIOCSTI | 1ul << 32 : TIOCSTI, &c);
}

static int
try_tioclinux(const char *arg)
{
	char mode = 6;

	(void)arg;
	return ioctl(0, TIOCLINUX, &mode);
}

/* Has the kernel run a program of the host, which asks the host's resolvers. */
static int
try_request_key(const char *arg)
{
	return syscall(SYS_request_key, "user", "cf-test", arg, 0) == -1 ? -1 : 0;
}

static int
try_has(const char *arg)
{
	return fcntl(atoi(arg), F_GETFD) == -1 ? -1 : 0;
}

/* Root of other namespaces: does a descriptor see what lies outside? */
static int
try_nested(const char *arg)
{
	(void)arg;
	return unshare(CLONE_NEWUSER | CLONE_NEWNET);
}

static const struct {
	const char	*name;
	int		(*try)(const char *);
} ways[] = {
	{ "family", try_family }, { "i386-socket", try_i386_socket },
	{ "i386-socketcall", try_i386_socketcall }, { "i386-io_uring", try_i386_io_uring },
	{ "x32-socket", try_x32_socket }, { "io_uring", try_io_uring }, { "ptrace", try_ptrace },
	{ "vm_read", try_vm_read }, { "pidfd_getfd", try_pidfd_getfd }, { "open", try_open },
	{ "link", try_link }, { "kill", try_kill }, { "setns", try_setns },
	{ "connect", try_connect }, { "abstract", try_abstract }, { "tiocsti", try_tiocsti },
	{ "tioclinux", try_tioclinux }, { "request_key", try_request_key }, { "has", try_has },
	{ "nested", try_nested },
};

/* ---- descriptors to inherit ---- */

static int
connected(int domain, int type)
{
	int fd[2];

	return socketpair(domain, type, 0, fd) == 0 ? fd[0] : -1;
}

static int
piped(void)
{
	int fd[2];

	return pipe(fd) == 0 ? fd[0] : -1;
}

/* The side of a program; nobody holds the other one. */
static int
terminal(void)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY);

	return fd == -1 || unlockpt(fd) != 0 ? -1 : open(ptsname(fd), O_RDWR | O_NOCTTY);
}

static int
ring(void)
{
	char params[256] = { 0 };

	return (int)syscall(SYS_io_uring_setup, 4, params);
}

static int
of_kind(const char *kind)
{
	return strcmp(kind, "inet") == 0 ? socket(AF_INET, SOCK_STREAM, 0) :
	    strcmp(kind, "netlink") == 0 ? socket(AF_NETLINK, SOCK_RAW, 0) :
	    strcmp(kind, "unix") == 0 ? connected(AF_UNIX, SOCK_STREAM) :
	    strcmp(kind, "unix-dgram") == 0 ? connected(AF_UNIX, SOCK_DGRAM) :
	    strcmp(kind, "tun") == 0 ? open("/dev/net/tun", O_RDWR) :
	    strcmp(kind, "netns") == 0 ? open("/proc/self/ns/net", O_RDONLY) :
	    strcmp(kind, "io_uring") == 0 ? ring() :
	    strcmp(kind, "pidfd") == 0 ? (int)syscall(SYS_pidfd_open, getpid(), 0) :
	    strcmp(kind, "userfaultfd") == 0 ? (int)syscall(SYS_userfaultfd, 1 /* user mode only */) :
	    strcmp(kind, "epoll") == 0 ? epoll_create1(0) :
	    strcmp(kind, "directory") == 0 ? open("/", O_RDONLY | O_DIRECTORY) :
	    strcmp(kind, "path") == 0 ? open("/etc/passwd", O_PATH) :
	    strcmp(kind, "proc") == 0 ? open("/proc/self/mem", O_RDONLY) :
	    strcmp(kind, "file") == 0 ? open("/etc/passwd", O_RDONLY) :
	    strcmp(kind, "pipe") == 0 ? piped() :
	    strcmp(kind, "memfd") == 0 ? memfd_create("test", 0) :
	    strcmp(kind, "eventfd") == 0 ? eventfd(0, 0) :
	    strcmp(kind, "timerfd") == 0 ? timerfd_create(CLOCK_MONOTONIC, 0) :
	    strcmp(kind, "null") == 0 ? open("/dev/null", O_RDWR) :
	    strcmp(kind, "pty") == 0 ? terminal() :
	    strcmp(kind, "ptmx") == 0 ? posix_openpt(O_RDWR | O_NOCTTY) : -1;
}

static int
hold(const char *kind, char **command)
{
	int fd = of_kind(kind);

	if (fd == -1 || dup2(fd, HELD_FD) == -1) {
		printf("cannot make %s: %s\n", kind, strerror(errno));
		return 77;
	}
	if (fd != HELD_FD)
		close(fd);
	execvp(command[0], command);
	perror(command[0]);
	return 127;
}

int
main(int argc, char *argv[])
{
	if (argc > 3 && strcmp(argv[1], "hold") == 0)
		return hold(argv[2], argv + 3);
	for (size_t i = 0; argc > 1 && i < COUNT(ways); i++)
		if (strcmp(argv[1], ways[i].name) == 0) {
			errno = 0;
			printf("%s\n", ways[i].try(argv[2]) == 0 ? "open" :
			    strerrorname_np(errno));
			return 0;
		}
	fprintf(stderr, "usage: ways WAY [ARG] | ways hold KIND COMMAND ...\n");
	return 2;
}
