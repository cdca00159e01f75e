/*
 * direct.c - a socket straight to its destination.
 *
 * On the other side is whoever the tree wants to talk to; not a byte of theirs is read
 * here.  Every option that the taker of the socket might not be able to set, or would
 * have to set on each one, is set before it is handed over.
 *
 * On a local or near destination a connect is often done as soon as it has begun: the
 * second connect(2) finds out for one cheap call, where epoll would take three.
 *
 * Left to the kernel: how long a connect may take, the source address, the route.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dial.h"
#include "log.h"

#define HOP_LIMIT_DEFAULT 64		/* RFC 1700, and every Linux: nothing to be set */
#define TCLASS_ECN	0x03		/* RFC 3168 5: on TCP the kernel's own business */
#define STRAY_MAX	64
#define TRACE_HOPS	32		/* SYNs that may go so far and no further */

/* REFUSED carries errno numbers of asm-generic; they are these where this is built. */
_Static_assert(EACCES == 13 && ECONNREFUSED == 111 && ETIMEDOUT == 110 && EHOSTUNREACH == 113 &&
    ENETUNREACH == 101, "errno numbers need a translation on this architecture");

#define SOCK_FLAGS	(SOCK_NONBLOCK | SOCK_CLOEXEC)
#define SOCKET_ROW(family, type, proto, why)						\
	{ .name = "socket", .nr = SYS_socket, .nargs = 3,				\
	  .arg = { SANDBOX_IS(0, family, #family),					\
		   SANDBOX_IS(1, (type) | SOCK_FLAGS, #type " | SOCK_NONBLOCK | SOCK_CLOEXEC"), \
		   SANDBOX_IS(2, proto, #proto) }, .reason = (why) }

const struct sandbox_row direct_rows[] = {
	SOCKET_ROW(AF_INET,  SOCK_STREAM, IPPROTO_TCP,    "TCP flows"),
	SOCKET_ROW(AF_INET6, SOCK_STREAM, IPPROTO_TCP,    "TCP flows over IPv6"),
	SOCKET_ROW(AF_INET,  SOCK_DGRAM,  IPPROTO_UDP,    "UDP flows"),
	SOCKET_ROW(AF_INET6, SOCK_DGRAM,  IPPROTO_UDP,    "UDP flows over IPv6"),
	SOCKET_ROW(AF_INET,  SOCK_DGRAM,  IPPROTO_ICMP,   "ICMP echo"),
	SOCKET_ROW(AF_INET6, SOCK_DGRAM,  IPPROTO_ICMPV6, "ICMPv6 echo"),
	ALLOW(connect,	"to a destination that the policy allows; again, to ask if it is done"),
	ALLOW(bind,	"UDP: the port that the tree's socket had before"),
	ALLOW_ARG2(getsockopt, 1, SOL_SOCKET, 2, SO_ERROR, "why a connect failed"),
	ALLOW(recvmsg,	"what a router said about a connect"),
	ALLOW_NULL(recvfrom, 4, "UDP: drop what came to a shared port before the connect"),
	ALLOW_SET(IPPROTO_TCP,  TCP_NODELAY,       "the tree's own stack has gathered"),
	ALLOW_SET(SOL_SOCKET,   SO_OOBINLINE,      "urgent data stays in its place (RFC 6093 6)"),
	ALLOW_SET(IPPROTO_IP,   IP_RECVERR,        "ICMP errors for the tree"),
	ALLOW_SET(IPPROTO_IPV6, IPV6_RECVERR,      "ICMPv6 errors for the tree"),
	ALLOW_SET(IPPROTO_IP,   IP_MTU_DISCOVER,   "the tree's DF bit"),
	ALLOW_SET(IPPROTO_IPV6, IPV6_MTU_DISCOVER, "the same over IPv6: what the tree had cut may be cut"),
	ALLOW_SET(IPPROTO_IP,   IP_TTL,            "the tree's hop limit (traceroute)"),
	ALLOW_SET(IPPROTO_IPV6, IPV6_UNICAST_HOPS, "the tree's hop limit (traceroute)"),
	ALLOW_SET(IPPROTO_IP,   IP_TOS,            "the tree's traffic class"),
	ALLOW_SET(IPPROTO_IPV6, IPV6_TCLASS,       "the tree's traffic class"),
	ALLOW_SET(SOL_SOCKET,   SO_REUSEADDR,      "UDP: one port for one socket of the tree"),
	{ 0 }
};

void
direct_refusal(int err, struct msg_refused *no)
{
	static const int ours[] = {	/* what we ran out of, not what the network said */
		EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN, EADDRNOTAVAIL
	};

	*no = (struct msg_refused){ .why = REFUSED_ERRNO, .err = (uint32_t)err };
	if (err == EAFNOSUPPORT)	/* a kernel without IPv6 */
		no->err = ENETUNREACH;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (err == ours[i])
			no->why = REFUSED_LIMIT;
}

static void
set(int fd, int level, int option, int value)
{
	/* A kernel that lacks one of them still has a socket worth handing over. */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

static int
socket_new(const struct msg_open *o)
{
	static bool said;
	bool echo = o->proto == IPPROTO_ICMP || o->proto == IPPROTO_ICMPV6;
	int fd = socket(o->dst.family == 4 ? AF_INET : AF_INET6,
	    (o->proto == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_FLAGS, o->proto);

	if (fd == -1 && echo && (errno == EACCES || errno == EPERM)) {
		if (!said)
			log_warnx("ping is not possible: this host's net.ipv4.ping_group_range "
			    "does not include our group (see sysctl(8))");
		said = true;
		errno = EACCES;
	}
	return fd;
}

static void
options_set(int fd, const struct msg_open *o, bool errors)
{
	bool v4 = o->dst.family == 4, tcp = o->proto == IPPROTO_TCP;
	int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	int tclass = o->tclass & (tcp ? ~TCLASS_ECN : ~0);

	if (tcp) {
		set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
		set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
	}
	if ((!tcp && errors) || direct_traces(o))
		set(fd, level, v4 ? IP_RECVERR : IPV6_RECVERR, 1);
	/*
	 * DF asks the path, not what the host remembers of it.  Where nobody could be told that a
	 * datagram was too long it is better cut than lost.
	 */
	if (!tcp)
		set(fd, level, v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER,
		    (o->flags & OPEN_DF) != 0 && errors ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT);
	if (o->hop_limit != 0 && o->hop_limit != HOP_LIMIT_DEFAULT)
		set(fd, level, v4 ? IP_TTL : IPV6_UNICAST_HOPS, o->hop_limit);
	if (tclass != 0)
		set(fd, level, v4 ? IP_TOS : IPV6_TCLASS, tclass);
}

bool
direct_traces(const struct msg_open *o)
{
	return o->proto == IPPROTO_TCP && o->hop_limit != 0 && o->hop_limit < TRACE_HOPS;
}

void
direct_trace_end(int fd, uint8_t family)
{
	set(fd, family == 4 ? IPPROTO_IP : IPPROTO_IPV6, family == 4 ? IP_RECVERR : IPV6_RECVERR, 0);
}

/* Have the port that another socket has; nothing is lost where that cannot be. */
static bool
bind_shared(int fd, uint8_t family, uint16_t port)
{
	struct sockaddr_storage ss;
	struct addr any = { .family = family, .port = port };
	socklen_t len = addr_to_sockaddr(&any, &ss);

	return direct_share_port(fd) && bind(fd, (struct sockaddr *)&ss, len) == 0;
}

/*
 * Between bind and connect the socket took datagrams from anybody; they must not be
 * read as if the peer had sent them.
 */
static void
strays_drop(int fd)
{
	char byte;

	for (int i = 0; i < STRAY_MAX && recv(fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0; i++)
		;
}

static bool
begin(int fd, const struct addr *dst, bool *connected)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(dst, &ss);

	*connected = connect(fd, (struct sockaddr *)&ss, len) == 0;
	if (*connected || errno != EINPROGRESS)
		return *connected;
	*connected = connect(fd, (struct sockaddr *)&ss, len) == 0;
	return *connected || errno == EALREADY;
}

int
direct_open(const struct msg_open *o, uint16_t local_port, bool errors, bool *connected,
    struct msg_refused *no)
{
	int fd = socket_new(o);
	bool shared;

	if (fd == -1) {
		direct_refusal(errno, no);
		return -1;
	}
	options_set(fd, o, errors);
	shared = local_port != 0 && bind_shared(fd, o->dst.family, local_port);
	if (!begin(fd, &o->dst, connected)) {
		direct_refusal(errno, no);
		close(fd);
		return -1;
	}
	if (shared)
		strays_drop(fd);
	return fd;
}

bool
direct_share_port(int fd)
{
	int one = 1;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0;
}

int
direct_result(int fd)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
		return errno;
	return err;
}

/* One record of the error queue; false: none, or it is not about this. */
static bool
said_by(int fd, int err, struct sock_extended_err *ee, struct addr *offender)
{
	union { struct cmsghdr align; char room[256]; } control;
	struct msghdr m = { .msg_control = control.room, .msg_controllen = sizeof(control.room) };
	struct sockaddr_storage ss = { 0 };
	struct cmsghdr *c;
	size_t have;

	if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) == -1 || (c = CMSG_FIRSTHDR(&m)) == NULL ||
	    (have = c->cmsg_len - CMSG_LEN(0)) < sizeof(*ee))
		return false;
	memcpy(ee, CMSG_DATA(c), sizeof(*ee));
	have -= sizeof(*ee);
	memcpy(&ss, CMSG_DATA(c) + sizeof(*ee), have < sizeof(ss) ? have : sizeof(ss));
	return ee->ee_errno == (uint32_t)err &&
	    (ee->ee_origin == SO_EE_ORIGIN_ICMP || ee->ee_origin == SO_EE_ORIGIN_ICMP6) &&
	    addr_from_sockaddr(&ss, offender);
}

void
direct_failure(int fd, uint8_t family, int err, struct msg_refused *no)
{
	struct sock_extended_err ee;
	struct addr offender;

	direct_refusal(err, no);
	if (!said_by(fd, err, &ee, &offender) || offender.family != family)
		return;
	no->why = REFUSED_ICMP;
	no->icmp_type = ee.ee_type;
	no->icmp_code = ee.ee_code;
	no->offender = offender;
	no->offender.port = 0;
}
