/*
 * tunnel.c - one connection's way through the proxies, until it is a tunnel.
 *
 *	for each proxy:  [TLS]  then  CONNECT -> 2xx
 *			      or  greeting -> [login] -> request -> reply
 *
 * What is asked of a proxy is the next one, of the last one the destination.  A connection is the
 * dialler's to make; where the proxy has ended this one and another could do (it has asked for
 * Digest, whose challenge is then known) the dialler is told so.
 *
 * What must stay true: nothing is read beyond an answer where there is no TLS; no password goes
 * to a proxy that it is not for; each end has its words, which name the proxy and the step.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "log.h"
#include "upstream.h"

static const struct hop *
hop(const struct tunnel *t)
{
	return &t->up->hops.hop[t->talk->hop];
}

static bool
is_last(const struct tunnel *t)
{
	return t->talk->hop + 1 == t->up->hops.n;
}

const char *
tunnel_step(const struct tunnel *t)
{
	static const char *const steps[] = {
		[STEP_TLS] = "TLS", [STEP_HTTP] = "CONNECT", [STEP_SOCKS_METHOD] = "greeting",
		[STEP_SOCKS_AUTH] = "login", [STEP_SOCKS_REPLY] = "request", [STEP_PASS] = "tunnel",
	};

	return steps[t->step];
}

void
tunnel_fail(struct tunnel *t, const char *step, const char *why, int err, bool again)
{
	uint8_t body[MSG_UNTUNNELLED_LEN];
	struct wr w = wr_over(body, sizeof(body));
	char text[MSG_TEXT_MAX + 1], at[HOP_STRLEN];
	int n;

	n = snprintf(text, sizeof(text), "%s: %s: %s", hop_str(hop(t), at), step, why);
	msg_untunnelled_put(&w, &(struct msg_untunnelled){ .flags = again ? UNTUNNELLED_AGAIN : 0,
	    .no = { .why = REFUSED_ERRNO, .err = (uint32_t)err } });
	if (!t->told)
		chan_send(t->up->chan, MSG_UNTUNNELLED, t->id, body, sizeof(body), text,
		    n < MSG_TEXT_MAX ? (size_t)n : MSG_TEXT_MAX, -1);
	t->told = true;
	serve_drop(t);
}

static void
fail(struct tunnel *t, const char *why, int err)
{
	tunnel_fail(t, tunnel_step(t), why, err, false);
}

static void
fail_memory(struct tunnel *t)
{
	fail(t, "out of memory", ENOMEM);
}

/* ---- requests ---- */

/* Whom this proxy is asked for: the next one, or the destination. */
static void
target(const struct tunnel *t, struct addr *addr, const char **name)
{
	const struct hop *next = is_last(t) ? NULL : hop(t) + 1;

	*addr = next != NULL ? next->addr : t->want.dst;
	*name = next == NULL ? t->name : next->name[0] != '\0' ? next->name : NULL;
}

static void
target_str(const struct tunnel *t, char out[HTTP_TARGET_MAX])
{
	char text[ADDR_STRLEN];
	struct addr addr;
	const char *name;

	target(t, &addr, &name);
	if (name != NULL)
		snprintf(out, HTTP_TARGET_MAX, "%s:%u", name, addr.port);
	else
		snprintf(out, HTTP_TARGET_MAX, "%s", addr_str(&addr, text));
}

/* "0a1b...": nobody can have guessed it. */
static bool
random_hex(char out[33])
{
	uint8_t bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	return true;
}

/* The login for this proxy; NULL: there is none. */
static const char *
authorization(struct tunnel *t, const char *uri, char out[DIGEST_ANSWER_MAX])
{
	struct upstream *u = t->up;
	size_t i = t->talk->hop, n;
	const struct hop *h = hop(t);
	char cnonce[33];

	if (!h->has_auth)
		return NULL;
	t->talk->used_digest = u->digest[i].algorithm != DIGEST_NONE && random_hex(cnonce);
	t->talk->used_basic = !t->talk->used_digest;
	n = t->talk->used_digest ? digest_answer(&u->digest[i], h->user, h->pass, uri, cnonce,
	    ++u->digest_count[i], out) : http_basic(out, DIGEST_ANSWER_MAX, h->user, h->pass);
	return n > 0 ? out : NULL;
}

static bool
ask_http(struct tunnel *t)
{
	char uri[HTTP_TARGET_MAX], auth[DIGEST_ANSWER_MAX], request[HTTP_REQUEST_MAX];
	size_t n;
	bool ok;

	memset(&t->talk->http, 0, sizeof(t->talk->http));
	t->step = STEP_HTTP;
	target_str(t, uri);
	n = http_request(request, uri, authorization(t, uri, auth));
	ok = n > 0 && wire_send(t, request, n);
	explicit_bzero(auth, sizeof(auth));
	explicit_bzero(request, sizeof(request));
	return ok;
}

static bool
ask_socks(struct tunnel *t, enum step step)
{
	uint8_t request[SOCKS_REQUEST_MAX];
	const struct hop *h = hop(t);
	struct addr addr;
	const char *name;
	size_t n;
	bool ok;

	t->step = step;
	t->talk->socks_len = 0;
	if (step == STEP_SOCKS_METHOD) {
		n = socks_hello(request, h->has_auth);
	} else if (step == STEP_SOCKS_AUTH) {
		n = socks_auth(request, h->user, h->pass);
	} else if (t->want.proto == IPPROTO_UDP) {
		/* From where we send is not known yet (RFC 1928 4). */
		addr = (struct addr){ .family = t->want.dst.family };
		n = socks_request(request, SOCKS_ASSOCIATE, &addr, NULL);
	} else {
		target(t, &addr, &name);
		n = socks_request(request, SOCKS_CONNECT, &addr, name);
	}
	ok = wire_send(t, request, n);
	explicit_bzero(request, sizeof(request));
	return ok;
}

static bool
ask(struct tunnel *t)
{
	return hop(t)->scheme == HOP_SOCKS5 ? ask_socks(t, STEP_SOCKS_METHOD) : ask_http(t);
}

/* ---- the end of the way ---- */

static void
opened(struct tunnel *t, uint16_t port)
{
	uint8_t body[MSG_TUNNELLED_LEN];
	struct wr w = wr_over(body, sizeof(body));
	int fd;

	if (t->n_tls == 0) {
		serve_arm(&t->net, 0, false);
		fd = t->net.fd;
		t->net.fd = -1;
		serve_drop(t);
	} else if ((fd = pass_begin(t)) == -1) {
		fail(t, strerror(errno), errno);
		return;
	}
	serve_settled(t);
	msg_tunnelled_put(&w, &(struct msg_tunnelled){ .port = port });
	t->told = true;
	chan_send(t->up->chan, MSG_TUNNELLED, t->id, body, sizeof(body), NULL, 0, fd);
}

/* This proxy has done what it was asked. */
static void hop_begin(struct tunnel *t);

static void
hop_done(struct tunnel *t, uint16_t port)
{
	if (is_last(t)) {
		opened(t, port);
		return;
	}
	t->talk->hop++;
	t->talk->used_basic = t->talk->used_digest = false;
	hop_begin(t);
}

static void
hop_begin(struct tunnel *t)
{
	if (hop(t)->scheme == HOP_HTTPS) {
		t->step = STEP_TLS;
		if ((t->tls[t->n_tls] = tls_new(hop(t))) == NULL) {
			fail_memory(t);
			return;
		}
		/* What came behind the last answer is the session's. */
		if (!tls_feed(t->tls[t->n_tls++], t->in.p + t->in.off, t->in.len))
			fail_memory(t);
		buf_free(&t->in);
	} else if (!ask(t)) {
		fail_memory(t);
	}
}

/* ---- answers ---- */

/* No login was good enough.  Is there a challenge that was not answered yet? */
static void
login_refused(struct tunnel *t)
{
	struct talk *k = t->talk;
	struct digest *known = &t->up->digest[k->hop];
	const struct digest *d = &k->http.digest;

	if (hop(t)->has_auth && d->algorithm != DIGEST_NONE && (!k->used_digest || d->stale)) {
		*known = *d;
		t->up->digest_count[k->hop] = 0;
		tunnel_fail(t, "CONNECT", "407: it wants another login", EHOSTUNREACH, true);
		return;
	}
	fail(t, !hop(t)->has_auth ? "407: it wants a user and a password (see -U and "
	    "--proxy-password-file)" : k->used_digest || k->http.asks_basic || k->used_basic ?
	    "407: it does not accept the user or the password" :
	    "407: it wants a login of a kind that is not known", EHOSTUNREACH);
}

static void
http_answer(struct tunnel *t)
{
	unsigned status = t->talk->http.status;
	char why[128];
	const char *words;
	int err;

	if (status >= 200 && status < 300) {
		hop_done(t, 0);
		return;
	}
	if (status == 407) {
		login_refused(t);
		return;
	}
	words = http_words(status, &err);
	snprintf(why, sizeof(why), "%u: %s", status, words);
	fail(t, why, err);
}

static void
socks_answer(struct tunnel *t)
{
	struct talk *k = t->talk;
	enum socks_method method = SOCKS_NONE;
	struct addr bound = { 0 };
	const char *why;
	int err;

	switch (t->step) {
	case STEP_SOCKS_METHOD:
		why = socks_method(k->socks, hop(t)->has_auth, &method, &err);
		if (why == NULL && !ask_socks(t, method == SOCKS_PASSWORD ? STEP_SOCKS_AUTH :
		    STEP_SOCKS_REPLY))
			why = "out of memory";
		break;
	case STEP_SOCKS_AUTH:
		if ((why = socks_auth_answer(k->socks, &err)) == NULL && !ask_socks(t, STEP_SOCKS_REPLY))
			why = "out of memory";
		break;
	default:
		why = socks_reply(k->socks, k->socks_len, &bound, &err);
		if (why == NULL && t->want.proto == IPPROTO_UDP && bound.port == 0)
			why = "it names no port for datagrams";
		if (why == NULL)
			hop_done(t, bound.port);
	}
	if (why != NULL)
		fail(t, why, err);
}

static size_t
socks_want(const struct tunnel *t)
{
	const struct talk *k = t->talk;

	switch (t->step) {
	case STEP_SOCKS_METHOD:	return socks_method_len(k->socks, k->socks_len);
	case STEP_SOCKS_AUTH:	return socks_auth_len(k->socks, k->socks_len);
	default:		return socks_reply_len(k->socks, k->socks_len);
	}
}

/* Some of an answer; returns how much of it was used. */
static size_t
socks_feed(struct tunnel *t, const uint8_t *p, size_t len)
{
	struct talk *k = t->talk;
	size_t want = socks_want(t), n = 0;

	while (n < len && k->socks_len < want) {
		k->socks[k->socks_len++] = p[n++];
		want = socks_want(t);
	}
	if (want == 0)
		fail(t, "its answer is not SOCKS5", EHOSTUNREACH);
	return n;
}

static size_t
feed(struct tunnel *t, const uint8_t *p, size_t len)
{
	const char *why = NULL;
	size_t used;

	if (t->step != STEP_HTTP)
		return socks_feed(t, p, len);
	if (http_feed(&t->talk->http, p, len, &used, &why) == HTTP_BAD)
		fail(t, why, EHOSTUNREACH);
	return used;
}

/* Is the answer whole?  Then it is acted on, after what it took has been taken. */
static bool
whole(const struct tunnel *t)
{
	const struct talk *k = t->talk;

	if (t->step == STEP_HTTP)
		return k->http.status >= 200 && k->http.in_head && k->http.ended;
	return k->socks_len > 0 && k->socks_len == socks_want(t);
}

static void
act(struct tunnel *t)
{
	if (t->step == STEP_HTTP)
		http_answer(t);
	else
		socks_answer(t);
}

/* ---- what has come ---- */

static void
closed(struct tunnel *t)
{
	struct talk *k = t->talk;

	/*
	 * A login may have been asked for on a connection that had been kept open for it, and an answer
	 * may be cut off; either way there is nothing more.
	 */
	fail(t, k->http.total > 0 || k->socks_len > 0 ? "it ended the connection within its answer" :
	    "it ended the connection", EHOSTUNREACH);
}

static bool
take_plain(struct tunnel *t)
{
	static uint8_t look[CHUNK];
	ssize_t n = wire_peek(t, look, sizeof(look));

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n == -1)
		fail(t, strerror(errno), EHOSTUNREACH);
	else if (n == 0)
		closed(t);
	else
		wire_skip(t, feed(t, look, (size_t)n));
	return n > 0;
}

static void
take_tls(struct tunnel *t)
{
	char why[TLS_WHY_LEN] = "it broke off";
	int done;

	if (t->step == STEP_TLS) {
		done = tls_handshake(t->tls[t->n_tls - 1], why);
		if (!wire_gather(t))
			fail(t, "it broke off", EHOSTUNREACH);
		else if (done == -1) {
			(void)wire_flush(t);		/* the alert */
			fail(t, why, EHOSTUNREACH);
		} else if (done == 1 && !ask(t))
			fail_memory(t);
	} else if (t->in.len > 0) {
		buf_take(&t->in, feed(t, t->in.p + t->in.off, t->in.len));
	}
}

/* One answer at a time, as long as there is something to be looked at. */
static void
turn(struct tunnel *t)
{
	bool more = true;

	while (more && !t->dead && t->step != STEP_PASS) {
		enum step step = t->step;
		size_t left = t->in.len;

		if (t->n_tls == 0)
			more = take_plain(t);
		else
			take_tls(t);
		if (!t->dead && t->step == step && step != STEP_TLS && whole(t))
			act(t);
		if (t->n_tls > 0)
			more = t->dead || t->step != step || t->in.len < left;
	}
}

void
tunnel_ready(struct tunnel *t, uint32_t events)
{
	if ((events & EPOLLOUT) && wire_flush(t) == -1) {
		fail(t, strerror(errno), EHOSTUNREACH);
		return;
	}
	if (t->n_tls > 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) &&
	    wire_recv(t) == -1) {
		fail(t, errno != 0 ? strerror(errno) : "it broke off", EHOSTUNREACH);
		return;
	}
	turn(t);
	if (t->dead || t->step == STEP_PASS)
		return;
	if (t->net_eof)
		closed(t);
	else if (wire_flush(t) == -1)
		fail(t, strerror(errno), EHOSTUNREACH);
	else if (!serve_arm(&t->net, EPOLLIN | (t->out.len > 0 ? EPOLLOUT : 0u), false))
		fail_memory(t);
}

void
tunnel_begin(struct tunnel *t)
{
	hop_begin(t);
	if (!t->dead)
		tunnel_ready(t, 0);
}
