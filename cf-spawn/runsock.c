/*
 * runsock.c - the sockets by which runs are spoken to, from both ends.
 *
 * Any process of the network namespace can bind and connect there, so each end asks the
 * kernel who is on the other: a joiner sends its terminal and its environment to nobody but its
 * own user, and a run obeys nobody else.  Who is that user, but in a user namespace of its own,
 * may be held in there by another sandbox which shares our network: a command that we start
 * would be its way out.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "runs.h"

#ifndef SO_PEERPIDFD		/* linux 6.5 */
#define SO_PEERPIDFD	77
#endif

socklen_t
runsock_address(struct sockaddr_un *sun, uid_t uid, const char *name)
{
	int n;

	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	n = snprintf(sun->sun_path + 1, sizeof(sun->sun_path) - 1, RUN_PREFIX "%u/%s",
	    (unsigned)uid, name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

/* close(2), whose errno is of no interest. */
static int
give_up(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

int
runsock_listen(const char *name)
{
	struct sockaddr_un sun;
	socklen_t len = runsock_address(&sun, geteuid(), name);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1)
		return -1;
	if (bind(fd, (struct sockaddr *)&sun, len) != 0 || listen(fd, RUN_PEERS) != 0)
		return give_up(fd);
	return fd;
}

static bool
peer_is_user(int fd, struct ucred *cred)
{
	socklen_t len = sizeof(*cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, cred, &len) == 0 && cred->uid == geteuid();
}

int
runsock_connect(const char *name, int ms)
{
	struct timeval limit = { ms / 1000, ms % 1000 * 1000 };
	struct sockaddr_un sun;
	socklen_t len = runsock_address(&sun, geteuid(), name);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct ucred cred;

	if (fd == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
	    connect(fd, (struct sockaddr *)&sun, len) != 0)
		return give_up(fd);
	if (!peer_is_user(fd, &cred)) {
		errno = EACCES;
		return give_up(fd);
	}
	return fd;
}

/* Its pid is still that of who connected, as far as this kernel can tell. */
static bool
peer_lives(int fd)
{
	struct pollfd p = { .events = POLLIN };
	socklen_t len = sizeof(p.fd);
	bool lives;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &p.fd, &len) != 0)
		return errno == ENOPROTOOPT;
	lives = poll(&p, 1, 0) == 0;
	close(p.fd);
	return lives;
}

bool
runsock_peer_is_ours(int fd)
{
	struct stat own, its;
	struct ucred cred;
	char path[64];

	if (!peer_is_user(fd, &cred) || cred.pid <= 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)cred.pid);
	return stat("/proc/self/ns/user", &own) == 0 && stat(path, &its) == 0 &&
	    own.st_dev == its.st_dev && own.st_ino == its.st_ino && peer_lives(fd);
}

_Static_assert(RUN_HEAD == 3 * sizeof(uint32_t), "as runmsg_send() has it");

union control {
	char		buf[CMSG_SPACE(RUN_FDS * sizeof(int))];
	struct cmsghdr	align;
};

bool
runmsg_send(int fd, enum run_type type, int value, const char *text, const int *fds, size_t nfds)
{
	uint32_t head[] = { RUN_MAGIC, type, (uint32_t)value };
	struct iovec iov[2] = { { head, sizeof(head) }, { (char *)text, strlen(text) } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	union control control = { 0 };
	struct cmsghdr *cmsg;

	if (nfds > 0) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nfds * sizeof(int));
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) != -1;
}

static void
descriptors_take(struct msghdr *msg, int fds[RUN_FDS])
{
	size_t n = 0;
	int fd;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; CMSG_LEN(at + sizeof(fd)) <= c->cmsg_len; at += sizeof(fd)) {
			memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
			if (n < RUN_FDS)
				fds[n++] = fd;
			else
				close(fd);
		}
	}
}

bool
runmsg_receive(int fd, struct run_msg *m, int fds[RUN_FDS])
{
	struct iovec iov = { .iov_base = m, .iov_len = RUN_HEAD + RUN_TEXT_MAX };
	union control control;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
	    .msg_controllen = sizeof(control.buf) };
	ssize_t n;

	for (size_t i = 0; i < RUN_FDS; i++)
		fds[i] = -1;
	do {
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return false;
	descriptors_take(&msg, fds);
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && runmsg_valid(m, (size_t)n))
		return true;
	for (size_t i = 0; i < RUN_FDS; i++)
		if (fds[i] != -1)
			close(fds[i]);
	return false;
}
