/*
 * first.c - the first flight: a flow that a rule about names lets pass says which name it means.
 *
 *   cf-netstack        here                                 dialler
 *     OPEN ----------> judged by the names of its address    OPEN ---->
 *          <- OPENED   without its descriptor            <--- OPENED (with it)
 *     FIRST ---------> what the tree says; too little:
 *          <- GO       GO_MORE
 *     FIRST ---------> flight.h finds the name, the rules allow it, this address was given
 *                      for it: all bytes are written here, and
 *          <- GO       the descriptor goes on
 *
 *	else RESET	a name that no rule allows (first_flight_mismatch), or none at all
 *			(first_flight_missing; after FIRST_MS first_flight_late)
 *	or RESOLVE	a name that is allowed, but has another address: cf-dns is asked, the
 *			flow dialled again (alias.c), and then as above
 *
 * On one side is cf-netstack, which may have fallen to the tree; on the other a server, which may
 * be the tree's own.  What must stay true: while a flow owes its first flight cf-netstack has no
 * descriptor for it, so what a server gets first is what was judged here, byte for byte.  The
 * socket waits here and not at the dialler, as its descriptor passes through here anyway: that
 * gives no power that was not there, and saves a way there and back.  It is written to by
 * send(2) without an address, once, and looked at.
 *
 * Two kinds of flows owe it:
 *
 * strict	a rule about names allowed it, and nothing else does.  Where that rule names the port, a
 *		protocol without names and a server that speaks first pass by address.
 * lenient	it is allowed anyway, but there are names that are denied: it may not say one of
 *		these.  All else passes, and who says nothing waits; there is no time limit, as
 *		that would be a way around.
 *
 * Of UDP only QUIC has names.  --quic block refuses it, at once on its port; check judges it as
 * TLS, over as many datagrams as that takes; allow does not look.  What is not QUIC passes.
 *
 * Where payload goes in frames the same bytes go on as DATA.
 *
 * Deliberately not done: what comes after the first flight is not looked at; cf-policy(7) tells
 * what this cannot see.  A first flight with two names, one of them of another address, is not
 * dialled again: which one would the server take?
 *
 * SPDX-License-Identifier: MIT
 */
#include "first.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flight.h"
#include "log.h"

#define FIRST_MS	30000
#define LOOK_MS		1000
#define BYTES_MOST	((size_t)16 << 20)	/* of all flows that have said a part */
#define PORT_QUIC	443
#define EVENTS_A_WAIT	64

const struct sandbox_row first_rows[] = {
	ALLOW_NULL(sendto, 4, "the first flight, to a connected socket; never with an address"),
	ALLOW(recvfrom, "does the server speak first? (only a look)"),
	{ 0 }
};

enum first_state {
	HEARING,		/* FIRST may come */
	REDIALLING,		/* all is said; another socket is on its way */
	ENDED			/* RESET is sent; cf-netstack's CLOSE comes */
};

struct first {
	TAILQ_ENTRY(first) by_age;	/* in firsts.strict, while HEARING and strict */
	struct asked	*fl;
	enum judge_need	 need;
	enum first_state state;
	bool		 at_port;	/* by a rule that names the port */
	bool		 told;		/* a FIRST waits for our answer */
	bool		 spoken;	/* the server has said something, and may */
	bool		 eof;		/* its end, in frames, that is to go on after the GO */
	bool		 polled;
	bool		 listed;
	int		 fd;		/* -1: none */
	uint64_t	 since;
	uint8_t		*bytes;		/* datagrams: each behind its length, two bytes */
	size_t		 len;
	struct flight_quic *quic;
};

struct firsts {
	struct broker	*broker;
	enum quic_choice quic;
	TAILQ_HEAD(first_list, first) strict;	/* oldest first */
	uv_timer_t	 timer;
	uv_poll_t	 poll;
	int		 epoll_fd;
	size_t		 held, bytes;
};

size_t
firsts_held(const struct firsts *all)
{
	return all->held;
}

static bool
is_stream(const struct asked *fl)
{
	return fl->open.proto == IPPROTO_TCP;
}

/* ---- what it keeps ---- */

static void
unpoll(struct firsts *all, struct first *first)
{
	if (first->polled)
		(void)epoll_ctl(all->epoll_fd, EPOLL_CTL_DEL, first->fd, NULL);
	first->polled = false;
}

static void
poll_start(struct firsts *all, struct first *first)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = first };

	first->polled = first->fd != -1 && is_stream(first->fl) &&
	    epoll_ctl(all->epoll_fd, EPOLL_CTL_ADD, first->fd, &ev) == 0;
}

static int
fd_take(struct firsts *all, struct first *first)
{
	int fd = first->fd;

	unpoll(all, first);
	first->fd = -1;
	all->held -= fd != -1;
	return fd;
}

static void
fd_drop(struct firsts *all, struct first *first)
{
	int fd = fd_take(all, first);

	if (fd != -1)
		close(fd);
}

static void
bytes_drop(struct firsts *all, struct first *first)
{
	all->bytes -= first->len;
	free(first->bytes);
	first->bytes = NULL;
	first->len = 0;
}

/* One piece more: of a stream the bytes, of datagrams each with its length. */
static bool
bytes_keep(struct firsts *all, struct first *first, const uint8_t *data, size_t len)
{
	size_t head = is_stream(first->fl) ? 0 : 2;
	uint8_t *more;

	if (len + head == 0)
		return true;
	if (all->bytes + head + len > BYTES_MOST ||
	    (more = realloc(first->bytes, first->len + head + len)) == NULL)
		return false;
	first->bytes = more;
	if (head > 0) {
		more[first->len] = (uint8_t)(len >> 8);
		more[first->len + 1] = (uint8_t)len;
	}
	if (data != NULL && len > 0)
		memcpy(more + first->len + head, data, len);
	first->len += head + len;
	all->bytes += head + len;
	return true;
}

static void
unlist(struct firsts *all, struct first *first)
{
	if (first->listed)
		TAILQ_REMOVE(&all->strict, first, by_age);
	first->listed = false;
	if (TAILQ_EMPTY(&all->strict))
		uv_timer_stop(&all->timer);
}

void
first_free(struct broker *b, struct asked *fl)
{
	struct first *first = fl->first;

	if (first == NULL)
		return;
	unlist(b->firsts, first);
	fd_drop(b->firsts, first);
	bytes_drop(b->firsts, first);
	flight_quic_free(first->quic);
	free(first);
	fl->first = NULL;
}

/* ---- answers to cf-netstack ---- */

/* fd is taken over. */
static void
go_send(struct broker *b, const struct asked *fl, uint32_t flags, int fd)
{
	uint8_t body[MSG_GO_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_go_put(&w, &(struct msg_go){ .flags = flags });
	chan_send(b->client, MSG_GO, fl->id, body, sizeof(body), NULL, 0, fd);
}

/* It is over: what was kept for it goes. */
static void
stop(struct broker *b, struct first *first)
{
	unlist(b->firsts, first);
	fd_drop(b->firsts, first);
	bytes_drop(b->firsts, first);
	first->state = ENDED;
}

/* The same, for the tree as by a reset of the other end. */
static void
end(struct broker *b, struct asked *fl, uint32_t err)
{
	struct first *first = fl->first;

	if (fl->relayed && fl->opened)
		proxy_reset(b->dialler, fl->id, err);
	stop(b, first);
	proxy_reset(b->client, fl->id, err);
}

/* false: it passes all the same, from here on without a name (--permissive). */
static bool
refuse(struct broker *b, struct asked *fl, const struct rules_words *why)
{
	struct record_names names = asked_names(fl);

	if (judge_permits(b->judge, why)) {
		record_permitted(&fl->open, why, &names);
		unlist(b->firsts, fl->first);
		fl->first->at_port = true;
		return false;
	}
	record_violation(&fl->open, why, &names);
	fl->over = why->reason_code;
	end(b, fl, EACCES);
	return true;
}

/* The first flight is with the destination before cf-netstack has the socket.  false: it is not. */
static bool
stream_write(struct broker *b, struct asked *fl, int fd, const uint8_t *data, size_t len)
{
	if (len == 0)
		return true;
	if (fl->relayed)
		return payload_pass(b, fl, true, data, len);
	return send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

/* What the host does not take is lost, as on any wire. */
static void
datagram_write(struct broker *b, struct asked *fl, int fd, const uint8_t *data, size_t len)
{
	if (fl->relayed)
		(void)payload_pass(b, fl, true, data, len);
	else if (send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) == -1)
		(void)send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);	/* that was an older error */
}

static bool
kept_write(struct broker *b, struct asked *fl)
{
	const struct first *first = fl->first;
	size_t at, len;

	if (is_stream(fl))
		return stream_write(b, fl, first->fd, first->bytes, first->len);
	for (at = 0; at < first->len; at += 2 + len) {
		len = (size_t)first->bytes[at] << 8 | first->bytes[at + 1];
		datagram_write(b, fl, first->fd, first->bytes + at + 2, len);
	}
	return true;
}

/* data, len: what was not kept. */
static void
go(struct broker *b, struct asked *fl, const uint8_t *data, size_t len)
{
	struct first *first = fl->first;
	bool ok;
	int fd;

	unpoll(b->firsts, first);
	errno = 0;			/* one that was cut short is no error by itself */
	ok = kept_write(b, fl);
	if (ok && is_stream(fl))
		ok = stream_write(b, fl, first->fd, data, len);
	else if (ok && data != NULL)
		datagram_write(b, fl, first->fd, data, len);
	if (fl->cut) {			/* by a quota, and all are told */
		stop(b, first);
		return;
	}
	if (!ok) {
		end(b, fl, errno == EAGAIN || errno == 0 ? ECONNRESET : (uint32_t)errno);
		return;
	}
	fd = fd_take(b->firsts, first);
	reload_keep(b, fl, fd);
	go_send(b, fl, 0, fd);
	if (first->eof)
		chan_send(b->client, MSG_EOF, fl->id, NULL, 0, NULL, 0, -1);
	first_free(b, fl);
}

/* ---- in words ---- */

__attribute__((format(printf, 3, 4))) static void
say(char *out, size_t len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out, len, fmt, ap);
	va_end(ap);
}
#define SAY(field, ...)	say((field), sizeof(field), __VA_ARGS__)

/* For those that judge by address: one that only the upstream proxy finds has none. */
static struct msg_open
as_judged(const struct broker *b, const struct msg_open *o)
{
	struct msg_open out = *o;

	if (asked_is_told(b, o))
		out.dst = (struct addr){ .port = o->dst.port };
	return out;
}

static void
explain(const struct broker *b, const struct msg_open *o, const struct record_names *names,
    struct rules_words *why)
{
	struct msg_open as = as_judged(b, o);

	judge_explain(b->judge, &as, names->name, names->n, why);
}

/* No name, where the rule that allows it is about one. */
static bool
refuse_missing(struct broker *b, struct asked *fl, const char *code, const char *what)
{
	struct record_names names = asked_names(fl);
	struct rules_words why;
	char allowed[sizeof(why.text)], at[ADDR_STRLEN];

	explain(b, &fl->open, &names, &why);
	snprintf(allowed, sizeof(allowed), "%s", why.text);
	why.reason_code = code;
	SAY(why.text, "blocked: %s, and it is only %.900s", what, allowed);
	if (names.n > 0 && !fl->first->at_port)
		SAY(why.hint, "--allow %s:%u would let it pass by address", names.name[0],
		    fl->open.dst.port);
	else
		SAY(why.hint, "--allow %s would let all pass that goes there",
		    addr_str(&fl->open.dst, at));
	return refuse(b, fl, &why);
}

static bool
refuse_name(struct broker *b, struct asked *fl, const char *name, struct rules_words *why)
{
	char because[sizeof(why->text)];

	snprintf(because, sizeof(because), "%s", why->text);
	SAY(why->text, "%.900s: its first flight names %s", because, name);
	return refuse(b, fl, why);
}

static bool
refuse_pair(struct broker *b, struct asked *fl, const struct flight *said)
{
	struct record_names names = asked_names(fl);
	struct rules_words why;

	explain(b, &fl->open, &names, &why);
	why.reason_code = "first_flight_mismatch";
	SAY(why.text, "blocked: its first flight names %s and %s, and this address was not given "
	    "for both", said->name[0], said->name[1]);
	SAY(why.hint, "no option allows it: one request has one name");
	return refuse(b, fl, &why);
}

static void
quic_words(struct rules_words *why)
{
	*why = (struct rules_words){ .reason_code = "quic", .control = "--quic" };
	SAY(why->text, "blocked by `--quic block` (it is QUIC, and there are rules about names)");
	SAY(why->hint, "--quic check would judge it by its name; clients fall back to TCP");
}

/* ---- the name ---- */

/* Was the address of this flow given for the name? */
static bool
was_given(struct broker *b, const struct asked *fl, const char *name)
{
	if (fl->alias != NULL)
		return strcmp(alias_name(fl->alias), name) == 0;
	if (b->names == NULL)
		return false;
	names_clock(b->names, uv_now(&b->loop));
	if (names_have(b->names, &fl->open.dst, name))
		return true;
	if (b->namechan == NULL)
		return false;
	namechan_drain(b->namechan);
	return names_have(b->names, &fl->open.dst, name);
}

/* It is allowed, but elsewhere: find out where.  data, len: what was not kept. */
static void
redial(struct broker *b, struct asked *fl, const char *name, const uint8_t *data, size_t len)
{
	struct first *first = fl->first;
	struct rules_words why;

	if (!bytes_keep(b->firsts, first, data, len) || !alias_redial(b, fl, name)) {
		end(b, fl, EHOSTUNREACH);
		return;
	}
	unlist(b->firsts, first);
	fd_drop(b->firsts, first);
	proxy_close(b->dialler, fl->id, CLOSE_RESET);
	first->state = REDIALLING;
	first->eof = false;
	fl->opened = false;
	b->n_opening++;
	quota_reopens(fl->quota);
	if (alias_is_told(fl->alias) && !broker_dial(b, fl, &why))
		first_unreachable(b, fl, EACCES, &why);
}

void
first_cut(struct broker *b, struct asked *fl)
{
	if (!fl->opened) {		/* dialled again, and not answered yet */
		proxy_close(b->dialler, fl->id, CLOSE_CANCEL);
		fl->opened = true;
		b->n_opening--;
	}
	end(b, fl, EACCES);
}

void
first_redialled(struct broker *b, struct asked *fl, int fd)
{
	fl->first->fd = fd;
	b->firsts->held += fd != -1;
	go(b, fl, NULL, 0);
}

void
first_unreachable(struct broker *b, struct asked *fl, uint32_t err, const struct rules_words *why)
{
	struct rules_words copy;

	b->n_opening--;
	fl->opened = true;		/* it was, and CLOSE is to come */
	if (why == NULL) {
		end(b, fl, err);
		return;
	}
	copy = *why;
	if (!refuse_name(b, fl, alias_name(fl->alias), &copy))
		end(b, fl, EHOSTUNREACH);	/* allowed to pass, but to where? */
}

/*
 * Where a server has spoken the flow is no other's any more: it may, so the rule names the port, and
 * the address is enough.
 */
static void
judge_names(struct broker *b, struct asked *fl, const struct flight *said, const uint8_t *data,
    size_t len)
{
	struct rules_words why;
	size_t given = 0;

	if (said->n_names > 0)
		record_server_name(fl, said->name[0]);
	for (size_t i = 0; i < said->n_names; i++) {
		const char *name = said->name[i];

		if (!asked_judge(b, fl, &name, 1, &why)) {
			if (fl->first->need == JUDGE_STRICT)
				why.reason_code = "first_flight_mismatch";
			if (refuse_name(b, fl, name, &why))
				return;
			given++;
			continue;
		}
		given += fl->first->need != JUDGE_STRICT || fl->first->spoken || was_given(b, fl, name);
	}
	if (given == said->n_names)
		go(b, fl, data, len);
	else if (said->n_names == 1)
		redial(b, fl, said->name[0], data, len);
	else if (!refuse_pair(b, fl, said))
		go(b, fl, data, len);
}

/* ---- the flight ---- */

/* Without any name it passes by address where the rule names the port, or is not about names. */
static bool
may_be_nameless(const struct first *first)
{
	return first->need == JUDGE_LENIENT || first->at_port;
}

/* It ended before anything was said: a look at the port, or only the server will speak. */
static void
nothing_said(struct broker *b, struct asked *fl)
{
	static const struct rules_words not_told;

	if (may_be_nameless(fl->first) || judge_permits(b->judge, &not_told))
		go(b, fl, NULL, 0);
	else
		end(b, fl, ECONNRESET);
}

static void
more(struct broker *b, struct asked *fl, const uint8_t *data, size_t len)
{
	if (!bytes_keep(b->firsts, fl->first, data, len)) {
		record_limit(LIMIT_POLICY_FLOWS, 0, 1, uv_now(&b->loop));
		end(b, fl, ENOBUFS);
		return;
	}
	fl->first->told = false;
	go_send(b, fl, GO_MORE, -1);
}

/*
 * What flight.h says of all that there is; data, len: the part of it that was not kept.  What is
 * denied is denied too in a flight that is otherwise broken.
 */
static void
heard(struct broker *b, struct asked *fl, enum flight_state state, const struct flight *said,
    const uint8_t *data, size_t len)
{
	struct first *first = fl->first;

	if (state == FLIGHT_MORE && first->len + len < FLIGHT_MAX && !first->spoken)
		more(b, fl, data, len);
	else if (state == FLIGHT_NAMED || first->need == JUDGE_LENIENT)
		judge_names(b, fl, said, data, len);
	else if (first->spoken || (first->at_port && said->kind == FLIGHT_OTHER && state != FLIGHT_MORE))
		go(b, fl, data, len);
	else if (!refuse_missing(b, fl, "first_flight_missing", state == FLIGHT_NAMELESS ?
	    "its first flight names nobody" : "its first flight cannot be read"))
		go(b, fl, data, len);
}

static void
stream_hear(struct broker *b, struct asked *fl, const uint8_t *data, size_t len, bool at_end)
{
	struct first *first = fl->first;
	struct flight said = { .n_names = 0 };
	const uint8_t *bytes = data;
	enum flight_state state;

	if (first->len + len == 0) {
		if (at_end)
			nothing_said(b, fl);
		else
			go(b, fl, NULL, 0);	/* it was asked, as the server has spoken */
		return;
	}
	if (first->len > 0) {
		if (!bytes_keep(b->firsts, first, data, len)) {
			end(b, fl, ENOBUFS);
			return;
		}
		bytes = first->bytes;
		len = 0;
	}
	state = flight_stream(bytes, first->len + len, at_end, &said);
	if (state == FLIGHT_MORE && at_end)
		state = FLIGHT_BAD;
	heard(b, fl, state, &said, data, len);
}

static void
datagram_hear(struct broker *b, struct asked *fl, const uint8_t *data, size_t len)
{
	struct first *first = fl->first;
	struct flight said = { .n_names = 0 };
	struct rules_words why;
	enum flight_state state;

	if (first->quic == NULL && !flight_is_quic(data, len)) {
		go(b, fl, data, len);
		return;
	}
	if (b->firsts->quic == QUIC_BLOCK) {
		quic_words(&why);
		if (!refuse(b, fl, &why))
			go(b, fl, data, len);
		return;
	}
	if (first->quic == NULL && (first->quic = flight_quic_new()) == NULL) {
		end(b, fl, ENOBUFS);
		return;
	}
	state = flight_quic_datagram(first->quic, data, len, &said);
	heard(b, fl, state, &said, data, len);
}

/* What cf-netstack may not send; NULL: it is fine. */
static const char *
misfit(const struct asked *fl, const struct msg_first *m, size_t len)
{
	if (fl == NULL || fl->first == NULL)
		return "FIRST for a flow that owes none";
	if (fl->first->state != ENDED && fl->first->told)
		return "FIRST before the last one was answered";
	if (!is_stream(fl))
		return m->flags != 0 ? "FIRST with an end of datagrams" : NULL;
	if (len > FLIGHT_MAX)
		return "FIRST that is too long";
	if (len == 0 && m->flags == 0 && !fl->first->spoken && fl->first->state != ENDED)
		return "FIRST without anything in it";
	return NULL;
}

void
first_hear(struct broker *b, const struct frame *f)
{
	struct rd r = rd_over(f->body, f->len);
	struct asked *fl = idmap_get(&b->by_id, f->flow);
	struct msg_first m;
	const char *why;

	if (!msg_first_get(&r, &m))
		why = "bad FIRST";
	else
		why = misfit(fl, &m, rd_left(&r));
	if (why != NULL) {
		chan_fail(b->client, why);
		return;
	}
	if (fl->first->state == ENDED)
		return;			/* it crossed with RESET */
	fl->first->told = true;
	if (is_stream(fl))
		stream_hear(b, fl, r.p, rd_left(&r), (m.flags & FIRST_END) != 0);
	else
		datagram_hear(b, fl, r.p, rd_left(&r));
}

/* ---- the server speaks first ---- */

/* It passes, and does not wait for what the tree says. */
static void
ask(struct broker *b, struct asked *fl)
{
	if (is_stream(fl) && !fl->first->spoken && !fl->first->told)
		go_send(b, fl, GO_ASK, -1);
	fl->first->spoken = true;
}

/* It has said something, or ended.  true: it may. */
static bool
server_spoke(struct broker *b, struct asked *fl)
{
	unpoll(b->firsts, fl->first);
	if (!may_be_nameless(fl->first) && refuse_missing(b, fl, "first_flight_missing",
	    "the server speaks first, so no name is to come"))
		return false;
	ask(b, fl);
	return true;
}

/* An end without a word is nothing to pass on while the tree may still say its name. */
static void
on_server(struct broker *b, struct first *first)
{
	struct asked *fl = first->fl;
	char c;
	ssize_t n = recv(first->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0 || (n == 0 && may_be_nameless(first)))
		(void)server_spoke(b, fl);
	else if (n == 0)
		unpoll(b->firsts, first);
	else if (errno != EAGAIN && errno != EINTR)
		end(b, fl, (uint32_t)errno);
}

static void
on_poll(uv_poll_t *h, int status, int events)
{
	struct firsts *all = h->data;
	struct epoll_event ev[EVENTS_A_WAIT];
	int n = epoll_wait(all->epoll_fd, ev, EVENTS_A_WAIT, 0);

	(void)status, (void)events;
	for (int i = 0; i < n; i++)	/* each is there once, and frees no other */
		on_server(all->broker, ev[i].data.ptr);
}

/* A datagram of a server that was not spoken to: lost, as on any wire.  Its credit is not. */
static bool
stray(struct broker *b, const struct frame *f)
{
	uint8_t body[4];
	struct wr w = wr_over(body, sizeof(body));

	wr_le32(&w, f->len);
	chan_send(b->dialler, MSG_WINDOW, f->flow, body, sizeof(body), NULL, 0, -1);
	return false;
}

bool
first_passes(struct broker *b, struct asked *fl, const struct frame *f, bool from_client)
{
	struct first *first = fl->first;

	if (from_client) {
		if (f->type != MSG_WINDOW)
			chan_fail(b->client, "payload before GO");
		return f->type == MSG_WINDOW && first->state != ENDED;
	}
	if (first->state == ENDED)
		return false;
	if (f->type == MSG_RESET) {
		stop(b, first);
		return true;
	}
	if (!is_stream(fl) && f->type == MSG_DATA)
		return stray(b, f);
	if (f->type == MSG_EOF && !may_be_nameless(first)) {
		first->eof = true;	/* the tree may still say its name, and be led elsewhere */
		return false;
	}
	return f->type == MSG_WINDOW || server_spoke(b, fl);
}

/* ---- beginning ---- */

/* Nothing has been said for so long. */
static void
on_look(uv_timer_t *t)
{
	struct firsts *all = t->data;
	uint64_t now = uv_now(t->loop);
	struct first *first;

	while ((first = TAILQ_FIRST(&all->strict)) != NULL && first->since + FIRST_MS <= now)
		if (!refuse_missing(all->broker, first->fl, "first_flight_late",
		    first->len > 0 ? "its first flight did not come to its end in time" :
		    "it has said nothing for half a minute"))
			ask(all->broker, first->fl);
}

static enum judge_need
need_of(struct broker *b, const struct msg_open *o, const struct record_names *names,
    bool *at_port)
{
	struct msg_open as = as_judged(b, o);

	if (o->proto == IPPROTO_UDP && b->firsts->quic == QUIC_ALLOW)
		return JUDGE_NOTHING;
	return judge_first(b->judge, &as, names->name, names->n, at_port);
}

bool
first_is_refused(struct broker *b, const struct msg_open *o, const struct record_names *names,
    struct rules_words *why)
{
	bool at_port;

	if (o->proto != IPPROTO_UDP || o->dst.port != PORT_QUIC || b->firsts->quic != QUIC_BLOCK ||
	    need_of(b, o, names, &at_port) == JUDGE_NOTHING)
		return false;
	quic_words(why);
	return true;
}

/* Time counts from now where it counts at all. */
static void
need_set(struct firsts *all, struct first *first, enum judge_need need)
{
	unlist(all, first);
	first->need = need;
	first->since = uv_now(&all->broker->loop);
	if (need != JUDGE_STRICT)
		return;
	if (TAILQ_EMPTY(&all->strict))
		uv_timer_start(&all->timer, on_look, LOOK_MS, LOOK_MS);
	TAILQ_INSERT_TAIL(&all->strict, first, by_age);
	first->listed = true;
}

/* What was allowed by address may be allowed by a name alone now.  One that owes goes on owing. */
void
first_judge_again(struct broker *b, struct asked *fl)
{
	struct first *first = fl->first;
	struct record_names names;
	enum judge_need need;

	if (first == NULL || first->state != HEARING)
		return;
	names = asked_names(fl);
	first->at_port = false;
	need = need_of(b, &fl->open, &names, &first->at_port);
	need_set(b->firsts, first, need == JUDGE_STRICT ? need : JUDGE_LENIENT);
	if (first->spoken && !may_be_nameless(first))
		(void)refuse_missing(b, fl, "first_flight_missing", "the server has spoken first");
}

bool
first_has_ended(const struct asked *fl)
{
	return fl->first != NULL && fl->first->state == ENDED;
}

static void
opened_send(struct broker *b, uint64_t id, const struct msg_opened *m)
{
	uint8_t body[MSG_OPENED_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_opened_put(&w, &(struct msg_opened){ .local = m->local, .flags = OPENED_FIRST });
	chan_send(b->client, MSG_OPENED, id, body, sizeof(body), NULL, 0, -1);
}

/* No memory to judge it with. */
static void
give_up(struct broker *b, struct asked *fl, int fd)
{
	static const struct msg_refused no = { .why = REFUSED_LIMIT, .err = ENOMEM };

	if (fd != -1)
		close(fd);
	proxy_close(b->dialler, fl->id, CLOSE_RESET);
	proxy_refuse(b->client, fl->id, &no, "out of memory");
	asked_free(b, fl);
}

bool
first_begin(struct broker *b, struct asked *fl, const struct msg_opened *m, int fd)
{
	struct record_names names = asked_names(fl);
	struct firsts *all = b->firsts;
	bool at_port = false;
	enum judge_need need = need_of(b, &fl->open, &names, &at_port);
	struct rules_words why;
	struct first *first;

	if (need == JUDGE_NOTHING || (first_is_refused(b, &fl->open, &names, &why) &&
	    judge_permits(b->judge, &why)))
		return false;		/* --permissive: QUIC, and told already */
	if ((first = malloc(sizeof(*first))) == NULL) {
		give_up(b, fl, fd);
		return true;
	}
	*first = (struct first){ .fl = fl, .at_port = at_port, .fd = fd };
	fl->first = first;
	all->held += fd != -1;
	poll_start(all, first);
	need_set(all, first, need);
	opened_send(b, fl->id, m);
	return true;
}

struct firsts *
firsts_new(struct broker *b, enum quic_choice quic)
{
	static struct firsts only, *all = &only;

	if ((all->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) == -1 ||
	    uv_poll_init(&b->loop, &all->poll, all->epoll_fd) != 0)
		fatal("cannot start");
	all->broker = b;
	all->quic = quic;
	TAILQ_INIT(&all->strict);
	uv_timer_init(&b->loop, &all->timer);
	all->poll.data = all->timer.data = all;
	uv_poll_start(&all->poll, UV_READABLE, on_poll);
	return all;
}
