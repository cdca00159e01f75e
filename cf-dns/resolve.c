/*
 * resolve.c - c-ares decides who is asked, when again, and whose answer counts.
 *
 * c-ares never sees a socket.  It believes to have one a server, which are slots here, and a
 * server is a place in the order in which a query asks (servers.h):
 *
 *   ares_send ──> on_send(slot) ──> upstream_ask(query, place)       a port that upstream.c chose
 *   upstream  ──> query_take    ──> resolver_answered ──> on_recv(slot)
 *
 * This is how queries get fresh ports although c-ares 1.18 keeps one socket a server, how a
 * broken socket is an error of its own queries only, and why no channel has to be made
 * behind the seal, where c-ares could not read /dev/urandom.  In a flood c-ares takes a
 * fifteenth of this process's time; the rest is sending, receiving and the channel.
 *
 * What goes through it is the head of each message (header and question), by which it
 * tells queries apart and answers from lies.  The rest it would not keep: answers above
 * 512 bytes it cuts, or asks for again, unless it may edit the EDNS record itself.
 * Truncation is not its concern either: query.c asks again over TCP.
 *
 * What must stay true: a slot's read gives one message, once, and otherwise EAGAIN, so
 * c-ares never sees an error that it would hold against all queries of a server.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "dns.h"
#include "log.h"

#define LABEL_PORT	53
#define TRIES		3		/* with doubled times more than BUDGET_MS */

/*
 * To c-ares server n is 0.0.0.(n+1), and always has been: which one that is differs from query
 * to query (servers_order), and there are as many as there may ever be.
 */
static struct in_addr
label_addr(size_t place)
{
	return (struct in_addr){ .s_addr = htonl((uint32_t)place + 1) };
}

static ares_socket_t
on_socket(int family, int type, int protocol, void *arg)
{
	struct resolver *r = arg;

	(void)family, (void)protocol;
	if (type != SOCK_DGRAM || r->nslots == RESOLVERS_MAX) {
		errno = EMFILE;
		return ARES_SOCKET_BAD;
	}
	return (ares_socket_t)r->nslots++;
}

static int
on_connect(ares_socket_t slot, const struct sockaddr *sa, ares_socklen_t len, void *arg)
{
	struct resolver *r = arg;
	struct sockaddr_in in;
	size_t place;

	(void)len;
	memcpy(&in, sa, sizeof(in));
	place = ntohl(in.sin_addr.s_addr) - 1;
	r->place_of[slot] = place;
	r->slot_of[place] = (size_t)slot;
	return 0;
}

/* Slots stay: ARES_FLAG_STAYOPEN, and they never fail. */
static int
on_close(ares_socket_t slot, void *arg)
{
	(void)slot, (void)arg;
	return 0;
}

struct addr
resolver_addr(const struct query *q, size_t place)
{
	return q->servers != NULL ? q->servers->at[q->order[place]].addr : q->asked.server;
}

static size_t
places(const struct query *q)
{
	return q->servers != NULL ? q->servers->n : 1;
}

/* The server at this place has not answered the query. */
static void
failed(struct query *q, size_t place)
{
	char addr[ADDR_STRLEN];

	if (q->servers != NULL && servers_failed(q->servers, q->order[place], q->asking_since,
	    uv_now(&q->dns->loop)))
		log_debug("resolver %s is down: asked last for now",
		    addr_str(&q->servers->at[q->order[place]].addr, addr));
}

static bool
ask(struct query *q, size_t place)
{
	/* A zone transfer has no form for datagrams (RFC 5936 4.1). */
	bool tcp = q->dns->tcp_only || (q->asked.transport == IPPROTO_TCP && q->wire.question &&
	    (q->wire.qtype == WIRE_AXFR || q->wire.qtype == WIRE_IXFR));

	if (q->asking >= 0)
		failed(q, (size_t)q->asking);
	q->asking = -1;
	if (place >= places(q))
		return false;
	q->asking_since = uv_now(&q->dns->loop);
	if (!upstream_ask(q, place, tcp)) {
		failed(q, place);
		return false;
	}
	q->asking = (int)place;
	return true;
}

static ares_ssize_t
on_send(ares_socket_t slot, const struct iovec *iov, int n, void *arg)
{
	struct resolver *r = arg;
	struct query *q;

	q = n == 1 && iov->iov_len >= WIRE_HEADER_LEN ?
	    query_find(r->dns, wire_id(iov->iov_base)) : NULL;
	if (q == NULL) {
		errno = EINVAL;
		return -1;
	}
	if (!ask(q, r->place_of[slot])) {
		errno = ECONNREFUSED;
		return -1;
	}
	return (ares_ssize_t)iov->iov_len;
}

static ares_ssize_t
on_recv(ares_socket_t slot, void *buf, size_t len, int flags, struct sockaddr *from,
    ares_socklen_t *fromlen, void *arg)
{
	struct resolver *r = arg;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(LABEL_PORT),
	    .sin_addr = label_addr(r->place_of[slot]) };
	size_t n = r->msg_len;

	(void)flags;
	if (r->msg == NULL || n > len) {
		errno = EAGAIN;
		return -1;
	}
	memcpy(buf, r->msg, n);
	r->msg = NULL;
	if (from != NULL && *fromlen >= sizeof(in)) {
		memcpy(from, &in, sizeof(in));
		*fromlen = sizeof(in);
	}
	return (ares_ssize_t)n;
}

static const struct ares_socket_functions socket_functions = {
	on_socket, on_close, on_connect, on_recv, on_send
};

static void
places_set(struct resolver *r, size_t n)
{
	struct ares_addr_port_node nodes[RESOLVERS_MAX] = { 0 };
	int rc;

	for (size_t i = 0; i < n; i++) {
		nodes[i].family = AF_INET;
		nodes[i].addr.addr4 = label_addr(i);
		nodes[i].udp_port = nodes[i].tcp_port = LABEL_PORT;
		nodes[i].next = i + 1 < n ? &nodes[i + 1] : NULL;
	}
	if ((rc = ares_set_servers_ports(r->ares, nodes)) != ARES_SUCCESS)
		fatalx("cannot set up c-ares: %s", ares_strerror(rc));
}

void
resolver_init(struct resolver *r, struct dns *dns, size_t places, size_t busy_max)
{
	static struct in_addr none;
	/* Whatever is not given here, c-ares would look for in files. */
	struct ares_options options = {
		.flags = ARES_FLAG_STAYOPEN | ARES_FLAG_IGNTC | ARES_FLAG_NOSEARCH,
		.timeout = TRY_MS, .tries = TRIES, .lookups = "b", .servers = &none,
		.nservers = 1, .ndots = 1
	};
	int rc;

	r->dns = dns;
	r->busy_max = busy_max;
	TAILQ_INIT(&r->busy);
	TAILQ_INIT(&r->waiting);
	if (places == 1)
		options.flags |= ARES_FLAG_NOCHECKRESP;	/* nobody else to ask after SERVFAIL */
	rc = ares_init_options(&r->ares, &options, ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS |
	    ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SERVERS | ARES_OPT_NDOTS |
	    ARES_OPT_DOMAINS | ARES_OPT_SORTLIST | ARES_OPT_NOROTATE);
	if (rc != ARES_SUCCESS)
		fatalx("cannot set up c-ares: %s", ares_strerror(rc));
	ares_set_socket_functions(r->ares, &socket_functions, r);
	places_set(r, places);
}

static void
on_done(void *arg, int status, int timeouts, unsigned char *msg, int len)
{
	(void)status, (void)timeouts, (void)msg, (void)len;
	query_end(arg);
}

void
resolver_ask(struct query *q)
{
	q->asking = -1;
	if (q->dns->far != NULL) {
		far_ask(q);
		return;
	}
	if (q->servers != NULL)
		servers_order(q->servers, uv_now(&q->dns->loop), q->order);
	ares_send(q->via->ares, q->msg, q->wire.head_len, on_done, q);
}

/* c-ares gets to read an answer with this code. */
static void
answered(struct query *q, size_t place, enum wire_rcode rcode)
{
	struct resolver *r = q->via;
	uint8_t head[WIRE_HEAD_MAX];
	size_t slot = r->slot_of[place];

	memcpy(head, q->msg, q->wire.head_len);
	head[2] |= 0x80;			/* QR */
	head[3] = (uint8_t)rcode;
	r->msg = head;
	r->msg_len = q->wire.head_len;
	ares_process_fd(r->ares, (ares_socket_t)slot, ARES_SOCKET_BAD);
	r->msg = NULL;
}

void
resolver_answered(struct query *q, size_t place, enum wire_rcode rcode)
{
	char addr[ADDR_STRLEN];

	if (q->asking == (int)place)
		q->asking = -1;
	if (q->servers != NULL && servers_answered(q->servers, q->order[place],
	    uv_now(&q->dns->loop)))
		log_debug("resolver %s is back",
		    addr_str(&q->servers->at[q->order[place]].addr, addr));
	answered(q, place, rcode);
}

void
resolver_failed(struct query *q, size_t place, bool tcp)
{
	if (q->asking == (int)place)
		q->asking = -1;
	if (!tcp)
		failed(q, place);
	answered(q, place, WIRE_SERVFAIL);
}

void
resolver_stop(struct query *q)
{
	if (q->dns->far != NULL)
		query_end(q);
	else
		answered(q, 0, WIRE_NOERROR);
}

void
resolver_tick(struct resolver *r)
{
	ares_process_fd(r->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}
