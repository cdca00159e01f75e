/*
 * dsock.c - see dsock.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "dsock.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#define ERRORS_AT_ONCE	64
#define QUOTE_MAX	ICMP_ERROR_MAX
#define RECEIVE_ROOM	(2 * 1024 * 1024)	/* the host's rmem_max may allow less */

#ifndef UDP_GRO
#define UDP_GRO		104
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT	103
#endif

/* The same option in both families; the levels are IPPROTO_IP and IPPROTO_IPV6. */
enum opt { OPT_HOPS, OPT_TCLASS, OPT_DISCOVER, OPT_RECV_HOPS, OPT_RECV_TCLASS, OPTS };
static const int opt_name[OPTS][2] = {
	[OPT_HOPS]	  = { IP_TTL,		IPV6_UNICAST_HOPS },
	[OPT_TCLASS]	  = { IP_TOS,		IPV6_TCLASS },
	[OPT_DISCOVER]	  = { IP_MTU_DISCOVER,	IPV6_MTU_DISCOVER },
	[OPT_RECV_HOPS]	  = { IP_RECVTTL,	IPV6_RECVHOPLIMIT },
	[OPT_RECV_TCLASS] = { IP_RECVTOS,	IPV6_RECVTCLASS },
};

/* setsockopt(fd, level, name): these and no others. */
const struct sandbox_row dsock_rows[] = {
	ALLOW_SET(IPPROTO_IP, IP_TTL,			"the child's hop limit"),
	ALLOW_SET(IPPROTO_IPV6, IPV6_UNICAST_HOPS,	"the child's hop limit"),
	ALLOW_SET(IPPROTO_IP, IP_TOS,			"the child's traffic class"),
	ALLOW_SET(IPPROTO_IPV6, IPV6_TCLASS,		"the child's traffic class"),
	ALLOW_SET(IPPROTO_IP, IP_MTU_DISCOVER,	"the child's don't-fragment bit"),
	ALLOW_SET(IPPROTO_IPV6, IPV6_MTU_DISCOVER,	"the child's don't-fragment bit"),
	ALLOW_SET(IPPROTO_IP, IP_RECVTTL,		"hop limit of replies"),
	ALLOW_SET(IPPROTO_IPV6, IPV6_RECVHOPLIMIT,	"hop limit of replies"),
	ALLOW_SET(IPPROTO_IP, IP_RECVTOS,		"traffic class of replies"),
	ALLOW_SET(IPPROTO_IPV6, IPV6_RECVTCLASS,	"traffic class of replies"),
	ALLOW_SET(IPPROTO_UDP, UDP_SEGMENT,		"many datagrams in one call"),
	ALLOW_SET(IPPROTO_UDP, UDP_GRO,		"many datagrams in one call"),
	ALLOW_SET(SOL_SOCKET, SO_RCVBUF,		"room for a burst of datagrams"),
	ALLOW_GET(IPPROTO_IP, IP_MTU,			"path MTU for ICMP errors"),
	ALLOW_GET(IPPROTO_IPV6, IPV6_MTU,		"path MTU for ICMP errors"),
	ALLOW(recvmsg,				"datagrams and queued errors with control data"),
	ALLOW(recvmmsg,				"many datagrams in one call"),
	{ 0 }
};

static void
set(const struct flow *f, enum opt o, int value)
{
	bool v6 = f->src.family == 6;

	(void)setsockopt(host_fd(f), v6 ? IPPROTO_IPV6 : IPPROTO_IP, opt_name[o][v6], &value,
	    sizeof(value));
}

void
dsock_watch(struct flow *f, bool bulk)
{
	int on = 1, room = RECEIVE_ROOM;

	if (host_fd(f) < 0)
		return;
	set(f, OPT_RECV_HOPS, 1);
	set(f, OPT_RECV_TCLASS, 1);
	if (!bulk)
		return;
	(void)setsockopt(host_fd(f), IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
	(void)setsockopt(host_fd(f), SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
}

void
dsock_attr(struct flow *f, struct dsock *d, const struct dattr *want)
{
	if (host_fd(f) < 0 || (d->known && dattr_equal(&d->attr, want)))
		return;
	if (want->hop_limit != 0 && (!d->known || d->attr.hop_limit != want->hop_limit))
		set(f, OPT_HOPS, want->hop_limit);
	if (!d->known || d->attr.tclass != want->tclass)
		set(f, OPT_TCLASS, want->tclass);
	/*
	 * What the child sends with DF leaves with it whatever the host believes of the path: then
	 * the router that cannot pass it on says so itself.  The values are those of both families.
	 */
	if (!d->known || d->attr.df != want->df)
		set(f, OPT_DISCOVER, want->df ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT);
	d->attr = *want;
	d->known = true;
}

bool
dsock_segment(struct flow *f, struct dsock *d, uint16_t size)
{
	int value = size;

	if (d->segment == size)
		return true;
	if (setsockopt(host_fd(f), IPPROTO_UDP, UDP_SEGMENT, &value, sizeof(value)) != 0)
		return false;
	d->segment = size;
	return true;
}

uint32_t
dsock_mtu(const struct flow *f)
{
	bool v6 = f->src.family == 6;
	int mtu = 0;
	socklen_t len = sizeof(mtu);

	if (host_fd(f) < 0 || getsockopt(host_fd(f), v6 ? IPPROTO_IPV6 : IPPROTO_IP,
	    v6 ? IPV6_MTU : IP_MTU, &mtu, &len) != 0 || mtu < 0)
		return 0;
	return (uint32_t)mtu;
}

/* ---- receiving ---- */

/* Room for what dsock_watch has asked for and a queued error. */
union control {
	struct cmsghdr	align;
	char		room[256];
};

static int
cmsg_int(const struct cmsghdr *c)
{
	int v = 0;

	if (c->cmsg_len >= CMSG_LEN(sizeof(v)))
		memcpy(&v, CMSG_DATA(c), sizeof(v));
	else if (c->cmsg_len >= CMSG_LEN(1))		/* IP_TOS comes as one byte */
		v = *(const uint8_t *)CMSG_DATA(c);
	return v;
}

static void
info_read(struct msghdr *m, struct rx_info *rx)
{
	*rx = (struct rx_info){ 0 };
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
			rx->gso_size = (size_t)(uint16_t)cmsg_int(c);
		else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT))
			rx->hop_limit = (uint8_t)cmsg_int(c);
		else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS))
			rx->tclass = (uint8_t)cmsg_int(c);
	}
}

ssize_t
dsock_recv(struct flow *f, void *data, size_t len, struct rx_info *rx, int *err)
{
	union control control;
	struct sockaddr_storage ss;
	struct iovec iov = { .iov_base = data, .iov_len = len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room,
	    .msg_controllen = sizeof(control.room), .msg_name = &ss, .msg_namelen = sizeof(ss) };
	struct addr from;
	ssize_t n;

	*rx = (struct rx_info){ 0 };
	if (host_fd(f) < 0)
		return host_recv(f, data, len, err);
	do
		n = recvmsg(host_fd(f), &m, MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n == -1) {
		*err = errno;
		f->readable = errno != EAGAIN;
		return errno == EAGAIN ? HOST_AGAIN : HOST_ERROR;
	}
	f->down_bytes += (uint64_t)n;
	info_read(&m, rx);
	if (m.msg_namelen > 0 && addr_from_sockaddr(&ss, &from))
		rx->from_port = from.port;
	return n;
}

int
dsock_recv_batch(struct flow *f, uint8_t *base, size_t size, unsigned n, struct dsock_msg *out,
    int *err)
{
	/* Pages of it exist only once a datagram was longer than the one before it. */
	static uint8_t rest[DSOCK_BATCH][IP_MAX + 1];
	static union control control[DSOCK_BATCH];
	struct mmsghdr m[DSOCK_BATCH] = { 0 };
	struct iovec iov[DSOCK_BATCH][2];
	int got;

	if (n > DSOCK_BATCH)
		n = DSOCK_BATCH;
	for (unsigned i = 0; i < n; i++) {
		iov[i][0] = (struct iovec){ .iov_base = base + i * size, .iov_len = size };
		iov[i][1] = (struct iovec){ .iov_base = rest[i], .iov_len = sizeof(rest[i]) };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = iov[i], .msg_iovlen = 2,
		    .msg_control = control[i].room, .msg_controllen = sizeof(control[i].room) };
	}
	do
		got = recvmmsg(host_fd(f), m, n, MSG_DONTWAIT, NULL);
	while (got == -1 && errno == EINTR);
	if (got == -1) {
		*err = errno;
		f->readable = errno != EAGAIN;
		return errno == EAGAIN ? HOST_AGAIN : HOST_ERROR;
	}
	if (got < (int)n)		/* drained; what comes later, also an error, is a new edge */
		f->readable = false;
	for (int i = 0; i < got; i++) {
		out[i].len = m[i].msg_len;
		out[i].rest = rest[i];
		info_read(&m[i].msg_hdr, &out[i].rx);
		f->down_bytes += m[i].msg_len;
	}
	return got;
}

/* ---- errors ---- */

/* The kernel's record: struct sock_extended_err, then the address of the offender. */
static bool
error_read(const struct cmsghdr *c, uint8_t family, struct dsock_error *out, bool *local)
{
	struct sock_extended_err ee;
	struct sockaddr_storage ss = { 0 };
	size_t have = c->cmsg_len - CMSG_LEN(0), rest;

	if (have < sizeof(ee))
		return false;
	memcpy(&ee, CMSG_DATA(c), sizeof(ee));
	*local = ee.ee_origin != SO_EE_ORIGIN_ICMP && ee.ee_origin != SO_EE_ORIGIN_ICMP6;
	rest = have - sizeof(ee);
	memcpy(&ss, CMSG_DATA(c) + sizeof(ee), rest < sizeof(ss) ? rest : sizeof(ss));
	if (!addr_from_sockaddr(&ss, &out->from) || out->from.family != family)
		out->from = (struct addr){ 0 };
	out->error.type = ee.ee_type;
	out->error.code = ee.ee_code;
	if (ee.ee_errno == EMSGSIZE)
		out->error.info = ee.ee_info;
	return true;
}

static bool
error_find(struct msghdr *m, uint8_t family, struct dsock_error *out, bool *local)
{
	struct rx_info rx;
	bool found = false;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c))
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
			found = error_read(c, family, out, local);
	info_read(m, &rx);
	out->error.hop_limit = rx.hop_limit;
	return found;
}

unsigned
dsock_errors(struct flow *f, dsock_error_fn fn)
{
	uint8_t quote[QUOTE_MAX];
	union control control;
	struct dsock_error e;
	unsigned n;
	bool local = false;
	ssize_t len;

	if (host_fd(f) < 0)
		return 0;
	for (n = 0; n < ERRORS_AT_ONCE && !f->dead; n++) {
		struct iovec iov = { .iov_base = quote, .iov_len = sizeof(quote) };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		    .msg_control = control.room, .msg_controllen = sizeof(control.room) };

		len = recvmsg(host_fd(f), &m, MSG_ERRQUEUE | MSG_DONTWAIT);
		if (len == -1)
			break;
		e = (struct dsock_error){ .data = quote, .len = (size_t)len };
		if (error_find(&m, f->src.family, &e, &local) && !local)
			fn(f, &e);
	}
	return n;
}

bool
refused_error(const struct msg_refused *m, uint8_t family, struct icmp_error *out)
{
	switch (m->why) {
	case REFUSED_POLICY:
		return icmp_error_of(EACCES, family, 0, out);
	case REFUSED_ERRNO:
		return icmp_error_of((int)m->err, family, m->mtu, out);
	case REFUSED_ICMP:
		*out = (struct icmp_error){ .type = m->icmp_type, .code = m->icmp_code,
		    .info = m->mtu };
		return family == 4 || m->icmp_type < 128;
	case REFUSED_PROXY:
		return icmp_error_of(EHOSTUNREACH, family, 0, out);
	case REFUSED_LIMIT:
		break;
	}
	return false;
}
