/*
 * neighbours.h - the built policy stage, sealed, and a test that is all of its neighbours:
 * cf-netstack, the dialler, cf-dns and, where it asks for that, cf-spawn with new rules.
 *
 * What each of them gets is kept in order; want() looks at the next of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEIGHBOURS_H
#define NEIGHBOURS_H

#include "talk.h"

#define WEB		"203.0.113.1"	/* a.test, b.test */
#define GET(name)	"GET / HTTP/1.1\r\nHost: " name "\r\n\r\n"
#define SEEN_MAX	64

/* A frame that came. */
struct seen {
	uint16_t	 type;
	uint64_t	 flow;
	uint32_t	 word;		/* flags of GO and OPENED, errno of RESET, reason of CLOSE */
	struct addr	 dst;		/* of OPEN */
	int		 fd;
	size_t		 len;
	char		 tail[1024];
};

struct end {
	struct chan	*chan;
	struct seen	 seen[SEEN_MAX];
	size_t		 n, next;	/* came; looked at */
};

struct first_test {
	struct helper	 h;
	struct end	 stack, far, dns;
	struct end	 spawn;		/* without a channel where no new rules will come */
	int		 server;	/* the other end of the socket that was handed over */
};

static inline void
on_frame(struct chan *c, const struct frame *f, int fd)
{
	struct end *e = chan_arg(c);
	struct seen *s = &e->seen[e->n++];
	struct rd r = rd_over(f->body, f->len);
	struct msg_opened opened;
	struct msg_open open;

	ck_assert_uint_lt(e->n, SEEN_MAX);
	*s = (struct seen){ .type = f->type, .flow = f->flow, .fd = fd };
	if (f->type == MSG_OPEN) {
		ck_assert(msg_open_get(&r, &open));
		s->dst = open.dst;
	} else if (f->type == MSG_OPENED) {
		ck_assert(msg_opened_get(&r, &opened));
		s->word = opened.flags;
	} else if (f->type != MSG_DATA && f->type != MSG_REFUSED && f->type != MSG_EOF) {
		s->word = rd_le32(&r);
	}
	s->len = rd_left(&r) < sizeof(s->tail) ? rd_left(&r) : sizeof(s->tail);
	memcpy(s->tail, r.p, s->len);
}

static const struct chan_handler all[] = {
	{ MSG_OPENED, on_frame }, { MSG_REFUSED, on_frame }, { MSG_GO, on_frame },
	{ MSG_RESET, on_frame }, { MSG_DATA, on_frame }, { MSG_WINDOW, on_frame },
	{ MSG_EOF, on_frame }, { 0 }
};
static const struct chan_handler far_all[] = {
	{ MSG_OPEN, on_frame }, { MSG_CLOSE, on_frame }, { MSG_DATA, on_frame },
	{ MSG_WINDOW, on_frame }, { MSG_EOF, on_frame }, { MSG_RESET, on_frame }, { 0 }
};
static const struct chan_handler dns_all[] = { { MSG_RESOLVE, on_frame }, { 0 } };
static const struct chan_handler spawn_all[] = { { MSG_TAKEN, on_frame }, { 0 } };

static inline void
turn(struct first_test *t)
{
	struct end *const ends[] = { &t->stack, &t->far, &t->dns, &t->spawn };

	for (size_t i = 0; i < 4 && ends[i]->chan != NULL; i++) {
		struct pollfd p = { .fd = chan_rfd(ends[i]->chan), .events = POLLIN };

		chan_flush(ends[i]->chan);
		if (poll(&p, 1, 1) > 0)
			chan_read(ends[i]->chan);
	}
}

#define UNTIL(t, condition) do {						\
	int64_t until = now_ms() + PATIENCE_MS;					\
	while (!(condition)) {							\
		ck_assert_msg(now_ms() < until, "no %s", #condition);		\
		turn(t);							\
	}									\
} while (0)

/* The next frame of a neighbour, of this type. */
static inline struct seen *
want(struct first_test *t, struct end *e, uint16_t type)
{
	UNTIL(t, e->next < e->n);
	ck_assert_uint_eq(e->seen[e->next].type, type);
	return &e->seen[e->next++];
}

static inline int
pair_for(char text[16], int *theirs)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fcntl(pair[1], F_SETFD, FD_CLOEXEC);
	snprintf(text, 16, "%d", pair[0]);
	*theirs = pair[0];
	return pair[1];
}

static inline void
neighbour(struct end *e, int fd, enum role me, const struct chan_handler *handlers, uint32_t caps)
{
	e->chan = chan_new(fd, fd, me, R_PROXY, e);
	chan_handlers(e->chan, handlers);
	chan_hello(e->chan, caps);
}

/* also: further options, of which the last is followed by NULL; rules: taken over. */
static inline struct first_test *
start_with(uint32_t caps, int rules, bool reloads, const char *const *also)
{
	struct first_test *t = calloc(1, sizeof(*t));
	char dial[16], names[16], rules_fd[16], control[16];
	const char *args[ARGS_MAX] = { "--policy", "--dial-fd", dial, "--names-fd", names, "--rules-fd",
	    rules_fd };
	int theirs[3] = { -1, -1, -1 }, n = 7, far = pair_for(dial, &theirs[0]),
	    dns = pair_for(names, &theirs[1]), spawn = -1;

	snprintf(rules_fd, sizeof(rules_fd), "%d", rules);
	if (reloads) {
		spawn = pair_for(control, &theirs[2]);
		args[n++] = "--control-fd";
		args[n++] = control;
	}
	for (; *also != NULL; also++)
		args[n++] = *also;
	ck_assert_int_lt(n, ARGS_MAX);
	helper_start(&t->h, OVER_SOCKET, args);
	close(theirs[0]);
	close(theirs[1]);
	close(rules);
	t->stack.chan = chan_new(t->h.rfd, t->h.wfd, R_STACK, R_PROXY, &t->stack);
	chan_handlers(t->stack.chan, all);
	chan_hello(t->stack.chan, caps);
	neighbour(&t->far, far, R_DIAL, far_all, caps);
	neighbour(&t->dns, dns, R_DNS, dns_all, 0);
	if (reloads) {
		close(theirs[2]);
		neighbour(&t->spawn, spawn, R_SPAWN, spawn_all, MSG_CAP_FD);
	}
	UNTIL(t, chan_peer(t->stack.chan) != 0 && chan_peer(t->far.chan) != 0 &&
	    chan_peer(t->dns.chan) != 0 && (!reloads || chan_peer(t->spawn.chan) != 0));
	return t;
}

static inline struct first_test *
start(uint32_t caps, const char *quic, int rules)
{
	const char *const also[] = { "--quic", quic, NULL };

	return start_with(caps, rules, false, also);
}

static inline void
name_give(struct first_test *t, const char *ip, const char *name, uint32_t ttl)
{
	uint8_t body[MSG_NAME_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_name_put(&w, &(struct msg_name){ .addr = address(ip, 0), .ttl = ttl });
	chan_send(t->dns.chan, MSG_NAME, 0, body, sizeof(body), name, strlen(name), -1);
	ck_assert_int_eq(chan_flush(t->dns.chan), 0);
}

static inline void
ask(struct first_test *t, uint64_t id, uint8_t proto, const char *ip, uint16_t port)
{
	uint8_t body[MSG_OPEN_LEN];
	struct wr w = wr_over(body, sizeof(body));
	struct addr dst = address(ip, port);
	struct msg_open o = open_to(proto, &dst);

	msg_open_put(&w, &o);
	chan_send(t->stack.chan, MSG_OPEN, id, body, sizeof(body), NULL, 0, -1);
}

/* The dialler has connected it; t->server is where it leads to. */
static inline void
grant(struct first_test *t, uint64_t id)
{
	uint8_t body[MSG_OPENED_LEN];
	struct wr w = wr_over(body, sizeof(body));
	int pair[2] = { -1, -1 };

	if (chan_caps(t->far.chan) & MSG_CAP_FD)
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		    pair), 0);
	t->server = pair[1];
	msg_opened_put(&w, &(struct msg_opened){ .local = { .family = 4, .port = 7 } });
	chan_send(t->far.chan, MSG_OPENED, id, body, sizeof(body), NULL, 0, pair[0]);
}

static inline void
first(struct first_test *t, uint64_t id, uint32_t flags, const char *text)
{
	uint8_t body[MSG_FIRST_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_first_put(&w, &(struct msg_first){ .flags = flags });
	chan_send(t->stack.chan, MSG_FIRST, id, body, sizeof(body), text, strlen(text), -1);
}

/* A flow to the web server that owes its first flight. */
static inline void
owing(struct first_test *t, uint64_t id, uint16_t port)
{
	ask(t, id, IPPROTO_TCP, WEB, port);
	want(t, &t->far, MSG_OPEN);
	grant(t, id);
	ck_assert_uint_eq(want(t, &t->stack, MSG_OPENED)->word, OPENED_FIRST);
}

/* What the server has got so far. */
static inline const char *
got(const struct first_test *t)
{
	static char text[4096];
	ssize_t n = recv(t->server, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static inline int
end(struct first_test *t)
{
	chan_flush(t->stack.chan);
	chan_shutdown(t->stack.chan);
	return helper_wait(&t->h);
}

static inline void
resolved(struct first_test *t, uint64_t question, const char *ip)
{
	uint8_t body[MSG_RESOLVED_LEN], tail[MSG_ADDR_LEN];
	struct wr w = wr_over(body, sizeof(body)), l = wr_over(tail, sizeof(tail));
	struct addr a = address(ip, 0);

	msg_resolved_put(&w, &(struct msg_resolved){ .count = 1 });
	msg_addr_put(&l, &a);
	chan_send(t->dns.chan, MSG_RESOLVED, question, body, sizeof(body), tail, sizeof(tail), -1);
}

#endif
