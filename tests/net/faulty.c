/*
 * faulty.c - lies in a helper's place and does what a plan says: holds, is short of something, or
 * goes mad.
 *
 * faults.py binds it over a program of libexec and writes /srv/fault/plan, one line:
 *
 *	NAME hold			make /srv/fault/held, and be the helper once there is a file go
 *	NAME limit fds|memory N		be the helper, with this limit
 *	NAME mad ROLE CHANNEL WHEN WHAT	speak for the helper.  CHANNEL: 0, or the option that names
 *		it; on the others it says HELLO and takes all that comes.  WHEN: before (its HELLO)
 *		or later (once there is a file /srv/fault/go).  WHAT: a row of ways[].  Makes the file
 *		was when that is done, and ends when there is a file done.
 *
 * cf-proxy is "policy" or "dialler"; who is not NAME becomes what it was started as, in
 * /srv/real.  No descriptor and no name of the environment comes from us.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PLACE		"/srv/fault/"
#define FDS_MAX		64
#define FLOOD_FRAMES	300000
#define HEADER_LEN	16
#define HELLO_TYPE	1
#define QUERY_TYPE	16
#define OPEN_TYPE	32
#define NAME_TYPE	48
#define CAN_PASS_FDS	1

static uint32_t	role;
static uint64_t	flow;		/* of the next frame */

static void
le(uint8_t *p, uint64_t v, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* ---- what goes out ---- */

/* A frame with nfds in its header and as many descriptors with it as `fds`. */
static void
frame_send(int fd, unsigned type, unsigned nfds, uint32_t len, const void *body, size_t have, int fds)
{
	union { char buf[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = { 0 };
	uint8_t bytes[HEADER_LEN + 512] = { 0 };
	struct iovec iov = { .iov_base = bytes, .iov_len = HEADER_LEN + have };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	le(bytes, len, 4);
	le(bytes + 4, type, 2);
	le(bytes + 6, nfds, 2);
	le(bytes + 8, flow, 8);
	memcpy(bytes + HEADER_LEN, body, have);
	if (fds > 0) {
		struct cmsghdr *c;
		int what = open("/dev/null", O_RDONLY | O_CLOEXEC);

		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &what, sizeof(int));
	}
	(void)!sendmsg(fd, &msg, MSG_NOSIGNAL);
}

static void
hello_send(int fd, uint32_t as)
{
	uint8_t body[8];

	le(body, 1, 2);
	le(body + 2, as, 2);
	le(body + 4, CAN_PASS_FDS, 4);
	frame_send(fd, HELLO_TYPE, 0, sizeof(body), body, sizeof(body), 0);
}

static void
send_rubbish(int fd)
{
	static const char text[] = "Welcome to this machine.  It is not what you think it is.\r\n";

	(void)!send(fd, text, sizeof(text), MSG_NOSIGNAL);
}

static void
send_role(int fd)		/* that of a program that is on neither side of any such channel */
{
	hello_send(fd, 1u << 14);
}

static void
send_version(int fd)
{
	uint8_t body[8] = { 0xff, 0xff };

	frame_send(fd, HELLO_TYPE, 0, sizeof(body), body, sizeof(body), 0);
}

static void
send_oversize(int fd)
{
	frame_send(fd, HELLO_TYPE, 0, 0xfffffff0u, "", 1, 0);
}

static void
send_type(int fd)
{
	frame_send(fd, 999, 0, 0, "", 0, 0);
}

static void
send_descriptor(int fd)		/* with a frame that takes none, and says so */
{
	uint8_t body[8] = { 1 };

	le(body + 2, role, 2);
	frame_send(fd, HELLO_TYPE, 1, sizeof(body), body, sizeof(body), 1);
}

static void
send_missing(int fd)		/* promised, and not there */
{
	frame_send(fd, HELLO_TYPE, 1, 8, "\1\0\0\0\0\0\0\0", 8, 0);
}

static void
send_again(int fd)
{
	hello_send(fd, role);
	hello_send(fd, role);
}

static void
send_eof(int fd)
{
	shutdown(fd, SHUT_RDWR);
}

/* Frames that may come, as fast as they are taken. */
static void
send_opens(int fd)
{
	uint8_t body[44] = { 17, 0, 0, 0, 4, 0, 0, 0, 192, 0, 0, 1 };

	memcpy(body + 24, (uint8_t[8]){ 4, 0, 7, 0, 127, 0, 0, 1 }, 8);
	for (flow = 1; flow <= FLOOD_FRAMES; flow++) {
		le(body + 6, flow, 2);
		frame_send(fd, OPEN_TYPE, 0, sizeof(body), body, sizeof(body), 0);
	}
}

static void
send_queries(int fd)
{
	static const char question[] = "\0\1\1\0\0\1\0\0\0\0\0\0\3www\7example\4test\0\0\1\0\1";
	uint8_t body[44 + sizeof(question) - 1] = { 17, 0, 0, 0, 4, 0, 0, 4, 192, 0, 0, 1 };

	memcpy(body + 24, (uint8_t[8]){ 4, 0, 53, 0, 203, 0, 113, 53 }, 8);
	memcpy(body + 44, question, sizeof(question) - 1);
	for (flow = 1; flow <= FLOOD_FRAMES; flow++)
		frame_send(fd, QUERY_TYPE, 0, sizeof(body), body, sizeof(body), 0);
}

static void
send_names(int fd)
{
	uint8_t body[28 + 40] = { 4 };
	char *name = (char *)body + 28;
	size_t len;

	le(body + 20, 86400, 4);
	for (uint32_t i = 0; i < FLOOD_FRAMES; i++) {
		le(body + 4, 0x0a000000 + i, 4);
		len = 28 + (size_t)snprintf(name, 40, "name-%u.example.test", i);
		frame_send(fd, NAME_TYPE, 0, (uint32_t)len, body, len, 0);
	}
}

static const struct {
	const char	*name;
	void		(*send)(int fd);
} ways[] = {
	{ "rubbish",	send_rubbish },
	{ "role",	send_role },
	{ "version",	send_version },
	{ "oversize",	send_oversize },
	{ "type",	send_type },
	{ "descriptor",	send_descriptor },
	{ "missing",	send_missing },
	{ "again",	send_again },
	{ "eof",	send_eof },
	{ "opens",	send_opens },
	{ "queries",	send_queries },
	{ "names",	send_names },
};

/* ---- mad ---- */

static bool
is_channel(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

/* All that others say is taken, with its descriptors; false once that channel has ended. */
static bool
take(int fd)
{
	union { char buf[CMSG_SPACE(sizeof(int) * 64)]; struct cmsghdr align; } control;
	static char bytes[65536];
	struct iovec iov = { .iov_base = bytes, .iov_len = sizeof(bytes) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
	    .msg_controllen = sizeof(control.buf) };

	return recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) > 0 || errno == EAGAIN;
}

/* Channels are read until cf-spawn's or the client's, which is the first, has ended. */
static void
listen_until(const char *path, struct pollfd *p, nfds_t n)
{
	while (path == NULL || access(path, F_OK) != 0) {
		(void)poll(p, n, 10);
		for (nfds_t i = 0; i < n; i++)
			if (p[i].revents != 0 && !take(p[i].fd)) {
				if (i == 0)
					exit(0);
				p[i].fd = -1;
			}
	}
}

static _Noreturn void
go_mad(int argc, char *argv[], const char *channel, const char *when, const char *what)
{
	struct pollfd p[FDS_MAX] = { { .fd = 0, .events = POLLIN } };
	void (*way)(int) = NULL;
	int at = strcmp(channel, "0") == 0 ? 0 : -1;
	nfds_t n = 1;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(ways[i].name, what) == 0)
			way = ways[i].send;
	for (int i = 1; i + 1 < argc && n < FDS_MAX; i++) {
		size_t len = strlen(argv[i]);

		if (len < 4 || strcmp(argv[i] + len - 3, "-fd") != 0 || !is_channel(atoi(argv[i + 1])))
			continue;
		if (strcmp(argv[i], channel) == 0)
			at = atoi(argv[i + 1]);
		p[n++] = (struct pollfd){ .fd = atoi(argv[i + 1]), .events = POLLIN };
	}
	if (way == NULL || at == -1)
		abort();
	for (nfds_t i = 0; i < n; i++)
		if (p[i].fd != at || strcmp(when, "before") != 0)
			hello_send(p[i].fd, role);
	if (strcmp(when, "before") != 0)
		listen_until(PLACE "go", p, n);
	way(at);
	close(open(PLACE "was", O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
	listen_until(PLACE "done", p, n);
	exit(0);
}

/* ---- the plan ---- */

static void
be_short_of(const char *what, rlim_t n)
{
	struct rlimit l = { n, n };

	if (setrlimit(strcmp(what, "fds") == 0 ? RLIMIT_NOFILE : RLIMIT_AS, &l) != 0)
		abort();
}

static const char *
own_name(int argc, char *argv[], char *path, size_t len)
{
	ssize_t n = readlink("/proc/self/exe", path, len - 1);
	char *name;

	if (n == -1)
		abort();
	path[n] = '\0';
	name = basename(path);
	if (strcmp(name, "cf-proxy") != 0)
		return name;
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--policy") == 0)
			return "policy";
	return "dialler";
}

static _Noreturn void
become(const char *path, char *argv[])
{
	char real[4200];

	snprintf(real, sizeof(real), "/srv/real/%s", strrchr(path, '/') + 1);
	execv(real, argv);
	abort();
}

int
main(int argc, char *argv[])
{
	char path[4096], target[32], deed[16], a[32] = "", b[32] = "", c[32] = "", d[32] = "";
	const char *name = own_name(argc, argv, path, sizeof(path));
	FILE *f = fopen(PLACE "plan", "re");

	if (f == NULL || fscanf(f, "%31s %15s %31s %31s %31s %31s", target, deed, a, b, c, d) < 2)
		abort();
	fclose(f);
	if (strcmp(target, name) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (strcmp(deed, "hold") == 0) {
			prctl(PR_SET_NAME, "held");
			close(open(PLACE "held", O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
			while (access(PLACE "go", F_OK) != 0)
				(void)poll(NULL, 0, 10);
			become(path, argv);
		}
		if (strcmp(deed, "mad") == 0) {
			role = (uint32_t)strtoul(a, NULL, 10);
			prctl(PR_SET_NAME, "mad");
			go_mad(argc, argv, b, c, d);
		}
		be_short_of(a, strtoul(b, NULL, 10));
	}
	become(path, argv);
}
