/*
 * test_conversation.c - the built program, sealed: the same words over a socketpair and over two
 * pipes, to a dialler and through both stages.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/resource.h>

#include "talk.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define PENDING		2000

START_TEST(says_hello_and_leaves_with_its_client)
{
	talk_end(talk_new((enum transport)_i, NULL));
}
END_TEST

static const char *const	here[] = { HERE4, HERE6 };

START_TEST(payload_goes_both_ways)
{
	for (size_t i = 0; i < COUNT(here); i++) {
		struct talk *t = talk_new((enum transport)_i, NULL);
		struct addr at;
		int listener = serve(here[i], SOCK_STREAM, &at), peer;

		ck_assert(open_wait(t, 1, IPPROTO_TCP, &at)->opened);
		ck_assert_int_eq(t->flow[1].local.family, at.family);
		ck_assert_uint_ne(t->flow[1].local.port, 0);
		peer = peer_accept(t, listener);
		flow_send(t, 1, "from the tree");
		peer_expect(peer, "from the tree");
		ck_assert_int_eq(send(peer, "to the tree", 11, 0), 11);
		flow_expect(t, 1, "to the tree");
		flow_close(t, 1, CLOSE_EOF);
		close(peer);
		close(listener);
		talk_end(t);
	}
}
END_TEST

/* Much more than any credit or buffer, up and down at once. */
START_TEST(bulk_arrives_whole_each_way)
{
	enum { TOTAL = 8 << 20 };
	struct talk *t = talk_new((enum transport)_i, NULL);
	uint8_t *bytes = malloc(TOTAL), *got = malloc(TOTAL);
	size_t up = 0, up_got = 0, down = 0;
	struct addr at;
	int listener = serve(HERE4, SOCK_STREAM, &at), peer;
	int64_t until = now_ms() + PATIENCE_MS;
	ssize_t n;

	for (size_t i = 0; i < TOTAL; i++)
		bytes[i] = (uint8_t)(i * 31 + (i >> 12));
	open_wait(t, 1, IPPROTO_TCP, &at);
	peer = peer_accept(t, listener);
	while (up_got < TOTAL || t->flow[1].in_len < TOTAL) {
		ck_assert(now_ms() < until);
		if (up < TOTAL)
			up += flow_send_some(t, 1, bytes + up, TOTAL - up);
		if (down < TOTAL && (n = send(peer, bytes + down, TOTAL - down, MSG_DONTWAIT)) > 0)
			down += (size_t)n;
		if (up_got < TOTAL &&
		    (n = recv(peer, got + up_got, TOTAL - up_got, MSG_DONTWAIT)) > 0)
			up_got += (size_t)n;
		for (int i = 0; i < 8; i++)
			if (by_fd(t))
				flow_poll(t, 1);
			else
				talk_turn(t, 0);
	}
	ck_assert_int_eq(memcmp(bytes, got, TOTAL), 0);
	ck_assert_int_eq(memcmp(bytes, t->flow[1].in, TOTAL), 0);
	flow_close(t, 1, CLOSE_EOF);
	close(peer);
	close(listener);
	free(bytes);
	free(got);
	talk_end(t);
}
END_TEST

START_TEST(half_close_leaves_the_other_half)
{
	struct talk *t = talk_new((enum transport)_i, NULL);
	struct addr at;
	int listener = serve(HERE4, SOCK_STREAM, &at), peer;
	char c;

	open_wait(t, 1, IPPROTO_TCP, &at);
	peer = peer_accept(t, listener);
	flow_send(t, 1, "last");
	flow_eof(t, 1);
	peer_expect(peer, "last");
	ck_assert_int_eq(recv(peer, &c, 1, 0), 0);
	ck_assert_int_eq(send(peer, "still here", 10, 0), 10);
	flow_expect(t, 1, "still here");
	shutdown(peer, SHUT_WR);
	FLOW_WAIT(t, 1, t->flow[1].eof);
	flow_close(t, 1, CLOSE_EOF);

	open_wait(t, 2, IPPROTO_TCP, &at);	/* and the destination first */
	close(peer);
	peer = peer_accept(t, listener);
	shutdown(peer, SHUT_WR);
	FLOW_WAIT(t, 2, t->flow[2].eof);
	flow_send(t, 2, "more");
	peer_expect(peer, "more");
	flow_close(t, 2, CLOSE_EOF);
	talk_end(t);
	close(peer);
	close(listener);
}
END_TEST

START_TEST(reset_goes_through_each_way)
{
	const struct linger at_once = { .l_onoff = 1 };
	struct talk *t = talk_new((enum transport)_i, NULL);
	struct addr at;
	int listener = serve(HERE4, SOCK_STREAM, &at), peer;
	char c;

	open_wait(t, 1, IPPROTO_TCP, &at);
	peer = peer_accept(t, listener);
	flow_reset(t, 1);
	ck_assert_int_eq(recv(peer, &c, 1, 0), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	close(peer);

	open_wait(t, 2, IPPROTO_TCP, &at);
	peer = peer_accept(t, listener);
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(peer);
	FLOW_WAIT(t, 2, t->flow[2].reset != 0);
	ck_assert_int_eq(t->flow[2].reset, ECONNRESET);
	flow_close(t, 2, CLOSE_PEER);
	talk_end(t);
	close(listener);
}
END_TEST

static const struct {
	uint8_t		 proto;
	const char	*ip;
	uint16_t	 port;
	enum refusal	 why;
	uint32_t	 err;
} refusals[] = {
	{ IPPROTO_TCP,    HERE4,             9, REFUSED_ERRNO,  ECONNREFUSED },
	{ IPPROTO_TCP,    HERE6,             9, REFUSED_ERRNO,  ECONNREFUSED },
	{ IPPROTO_TCP,    NOWHERE4,         80, REFUSED_ERRNO,  ENETUNREACH },
	{ IPPROTO_UDP,    NOWHERE4,         80, REFUSED_ERRNO,  ENETUNREACH },
	{ IPPROTO_TCP,    "2001:db8:1::1",  80, REFUSED_ERRNO,  ENETUNREACH },
	{ IPPROTO_TCP,    "127.0.0.1",      80, REFUSED_POLICY, EACCES },
	{ IPPROTO_UDP,    "::1",            53, REFUSED_POLICY, EACCES },
	{ IPPROTO_TCP,    "::ffff:127.0.0.1", 80, REFUSED_POLICY, EACCES },
	{ IPPROTO_UDP,    "224.0.0.251",  5353, REFUSED_POLICY, EACCES },
	{ IPPROTO_ICMP,   "192.0.0.1",       0, REFUSED_POLICY, EACCES },
	{ IPPROTO_ICMPV6, "ff02::1",         0, REFUSED_POLICY, EACCES },
};

START_TEST(refusals_say_what_connect_said)
{
	struct talk *t = talk_new((enum transport)_i, NULL);

	for (size_t i = 0; i < COUNT(refusals); i++) {
		struct addr dst = address(refusals[i].ip, refusals[i].port);
		struct tflow *fl = open_wait(t, i + 1, refusals[i].proto, &dst);

		ck_assert_msg(fl->refused, "%s", refusals[i].ip);
		ck_assert_int_eq(fl->no.why, refusals[i].why);
		ck_assert_uint_eq(fl->no.err, refusals[i].err);
	}
	if (_i >= DIALLERS)		/* the policy stage tells a person, the dialler does not */
		t->h.warns = "cf-proxy: tcp 127.0.0.1:80: blocked: ";
	talk_end(t);
}
END_TEST

START_TEST(udp_keeps_datagrams_whole)
{
	for (size_t i = 0; i < COUNT(here); i++) {
		struct talk *t = talk_new((enum transport)_i, NULL);
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		struct addr at, seen;
		int server = serve(here[i], SOCK_DGRAM, &at);
		char buf[16];

		ck_assert(open_wait(t, 1, IPPROTO_UDP, &at)->opened);
		flow_send(t, 1, "one");
		flow_send(t, 1, "");
		flow_send(t, 1, "three");
		ck_assert_int_eq(recvfrom(server, buf, sizeof(buf), 0, (struct sockaddr *)&from,
		    &len), 3);
		ck_assert_int_eq(recv(server, buf, sizeof(buf), 0), 0);
		ck_assert_int_eq(recv(server, buf, sizeof(buf), 0), 5);
		ck_assert(addr_from_sockaddr(&from, &seen));
		ck_assert_uint_eq(seen.port, t->flow[1].local.port);
		sendto(server, "answer", 6, 0, (struct sockaddr *)&from, len);
		flow_expect(t, 1, "answer");

		close(server);			/* and now nobody listens */
		flow_send(t, 1, "hello?");
		FLOW_WAIT(t, 1, t->flow[1].reset != 0);
		ck_assert_int_eq(t->flow[1].reset, ECONNREFUSED);
		flow_close(t, 1, CLOSE_PEER);
		talk_end(t);
	}
}
END_TEST

/* RFC 4787 4.1: whatever the destination, the source port stays. */
START_TEST(udp_flows_of_one_source_share_a_port)
{
	struct talk *t = talk_new((enum transport)_i, NULL);
	struct addr at[3];
	int server[3];
	struct msg_open o;

	for (uint64_t i = 0; i < 3; i++) {
		server[i] = serve(HERE4, SOCK_DGRAM, &at[i]);
		o = open_to(IPPROTO_UDP, &at[i]);
		o.src.port = i < 2 ? 5000 : 5001;
		open_ask(t, i + 1, &o);
		WAIT(t, t->flow[i + 1].opened);
	}
	ck_assert_uint_eq(t->flow[1].local.port, t->flow[2].local.port);
	ck_assert_uint_ne(t->flow[1].local.port, t->flow[3].local.port);
	flow_send(t, 1, "a");
	flow_send(t, 2, "b");
	peer_expect(server[0], "a");
	peer_expect(server[1], "b");
	for (uint64_t i = 1; i <= 3; i++)
		flow_close(t, i, CLOSE_IDLE);
	talk_end(t);
}
END_TEST

/* The mapping outlives its last socket until CLOSE; meanwhile somebody takes the port. */
START_TEST(udp_port_that_is_taken_costs_only_the_port)
{
	struct talk *t = talk_new(OVER_SOCKET, NULL);
	struct addr at, mine;
	int server = serve(HERE4, SOCK_DGRAM, &at), thief;
	struct sockaddr_storage ss;
	socklen_t len;

	ck_assert(open_wait(t, 1, IPPROTO_UDP, &at)->opened);
	mine = t->flow[1].local;
	close(t->flow[1].fd);
	t->flow[1].fd = -1;
	thief = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	len = addr_to_sockaddr(&mine, &ss);
	for (int64_t until = now_ms() + PATIENCE_MS;	/* it closes its copy after it sent it */
	    bind(thief, (struct sockaddr *)&ss, len) != 0;)
		ck_assert(now_ms() < until);
	ck_assert(open_wait(t, 2, IPPROTO_UDP, &at)->opened);
	ck_assert_uint_ne(t->flow[2].local.port, mine.port);
	flow_send(t, 2, "x");
	peer_expect(server, "x");
	flow_close(t, 1, CLOSE_IDLE);
	flow_close(t, 2, CLOSE_IDLE);
	close(server);
	close(thief);
	talk_end(t);
}
END_TEST

static const uint8_t echo4[] = { 8, 0, 0, 0, 0, 0, 0, 1, 'p', 'i', 'n', 'g' };
static const uint8_t echo6[] = { 128, 0, 0, 0, 0, 0, 0, 1, 'p', 'i', 'n', 'g' };

START_TEST(echo_messages_come_back)
{
	struct talk *t = talk_new((enum transport)_i, NULL);
	struct addr to[2] = { address(HERE4, 0), address(HERE6, 0) };
	static const uint8_t proto[2] = { IPPROTO_ICMP, IPPROTO_ICMPV6 };

	for (uint64_t i = 0; i < 2; i++) {
		struct tflow *fl = open_wait(t, i + 1, proto[i], &to[i]);

		ck_assert(fl->opened);
		flow_send_some(t, i + 1, i == 0 ? echo4 : echo6, sizeof(echo4));
		FLOW_WAIT(t, i + 1, fl->in_len > 0);
		ck_assert_uint_eq(fl->in_len, sizeof(echo4));
		ck_assert_uint_eq(fl->in[0], i == 0 ? 0 : 129);
		ck_assert_int_eq(memcmp(fl->in + 6, echo4 + 6, 6), 0);
		flow_close(t, i + 1, CLOSE_IDLE);
	}
	talk_end(t);
}
END_TEST

START_TEST(forbidden_ping_names_the_sysctl_once)
{
	struct talk *t;
	struct addr to = address(HERE4, 0);
	int status;

	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);	/* a new one forbids it to all */
	t = talk_new((enum transport)_i, NULL);
	for (uint64_t i = 1; i <= 2; i++) {
		ck_assert(open_wait(t, i, IPPROTO_ICMP, &to)->refused);
		ck_assert_int_eq(t->flow[i].no.why, REFUSED_ERRNO);
		ck_assert_uint_eq(t->flow[i].no.err, EACCES);
	}
	chan_shutdown(t->chan);
	status = helper_wait(&t->h);
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	ck_assert_ptr_nonnull(strstr(t->h.err, "net.ipv4.ping_group_range"));
	ck_assert_ptr_eq(strchr(t->h.err, '\n'), t->h.err + strlen(t->h.err) - 1);
}
END_TEST

/* A listener whose queue is full answers no SYN. */
static int
deaf_listener(struct addr *at, int fillers[2])
{
	struct sockaddr_storage ss;
	int fd = serve(HERE4, SOCK_STREAM, at);
	socklen_t len = addr_to_sockaddr(at, &ss);

	listen(fd, 0);
	for (int i = 0; i < 2; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(fillers[i], (struct sockaddr *)&ss, len);
	}
	return fd;
}

START_TEST(thousands_pending_stall_nobody)
{
	struct talk *t = talk_new((enum transport)_i, NULL);
	struct addr deaf, good;
	int fillers[2], deaf_fd = deaf_listener(&deaf, fillers);
	int listener = serve(HERE4, SOCK_STREAM, &good), peer;
	struct msg_open o = open_to(IPPROTO_TCP, &deaf);
	int64_t before;

	for (uint64_t id = 1; id <= PENDING; id++)
		open_ask(t, id, &o);
	before = now_ms();
	ck_assert(open_wait(t, PENDING + 1, IPPROTO_TCP, &good)->opened);
	ck_assert_int_lt(now_ms() - before, 2000);
	peer = peer_accept(t, listener);
	flow_send(t, PENDING + 1, "quick");
	peer_expect(peer, "quick");
	ck_assert_uint_eq(t->n_opened, 1);
	ck_assert_uint_eq(t->n_refused, 0);

	for (uint64_t id = 1; id <= PENDING; id++)
		flow_close(t, id, CLOSE_CANCEL);
	ck_assert(open_wait(t, PENDING + 2, IPPROTO_TCP, &good)->opened);
	ck_assert_uint_eq(t->n_opened, 2);	/* what was given up is not answered */
	ck_assert_uint_eq(t->n_refused, 0);
	talk_end(t);
	close(peer);
	close(listener);
	close(deaf_fd);
}
END_TEST

/* As many as the process may have; then REFUSED, and when some are given back, OPENED. */
START_TEST(no_descriptors_left_is_said_and_passes)
{
	const struct rlimit few = { 400, 400 };
	struct talk *t;
	struct addr deaf, good;
	int fillers[2], deaf_fd = deaf_listener(&deaf, fillers);
	int listener = serve(HERE4, SOCK_STREAM, &good);
	struct msg_open o = open_to(IPPROTO_TCP, &deaf);

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	t = talk_new((enum transport)_i, NULL);
	if (_i >= DIALLERS)
		t->h.warns = "cf-proxy: limit reached: descriptors, ports or memory of the host";
	for (uint64_t id = 1; id <= 400; id++)
		open_ask(t, id, &o);
	ck_assert(open_wait(t, 401, IPPROTO_TCP, &good)->refused);
	ck_assert_int_eq(t->flow[401].no.why, REFUSED_LIMIT);
	ck_assert_uint_lt(t->n_refused, 100);
	for (uint64_t id = 1; id <= 400; id++)
		flow_close(t, id, CLOSE_CANCEL);
	ck_assert(open_wait(t, 402, IPPROTO_TCP, &good)->opened);
	talk_end(t);
	close(listener);
	close(deaf_fd);
}
END_TEST

/* ---- without descriptors ---- */

START_TEST(flow_without_credit_waits_alone)
{
	enum { TOTAL = 1 << 20 };
	static uint8_t bytes[TOTAL];
	struct talk *t = talk_new(OVER_PIPES, NULL);
	struct addr at;
	int listener = serve(HERE4, SOCK_STREAM, &at), peer[2];
	size_t sent = 0;
	ssize_t n;

	t->auto_window = false;
	for (uint64_t id = 1; id <= 2; id++) {
		open_wait(t, id, IPPROTO_TCP, &at);
		peer[id - 1] = peer_accept(t, listener);
	}
	for (int i = 0; i < 200; i++) {
		if (sent < TOTAL && (n = send(peer[0], bytes, TOTAL - sent, MSG_DONTWAIT)) > 0)
			sent += (size_t)n;
		talk_turn(t, 1);
	}
	ck_assert_uint_eq(t->flow[1].in_len, MSG_WINDOW_INITIAL);
	ck_assert_int_eq(send(peer[1], "other", 5, 0), 5);
	flow_expect(t, 2, "other");
	ck_assert_uint_eq(t->flow[1].in_len, MSG_WINDOW_INITIAL);
	talk_window(t, 1, 100);
	FLOW_WAIT(t, 1, t->flow[1].in_len == MSG_WINDOW_INITIAL + 100);
	for (uint64_t id = 1; id <= 2; id++)
		flow_close(t, id, CLOSE_EOF);
	talk_end(t);
}
END_TEST

/* The destination does not read; we stop at the credit and another flow goes on. */
START_TEST(destination_that_does_not_read_holds_its_flow_only)
{
	static uint8_t bytes[65536];
	struct talk *t = talk_new(OVER_PIPES, NULL);
	struct addr at;
	int listener, peer[2], small = 4096;
	size_t sent = 0;

	listener = serve(HERE4, SOCK_STREAM, &at);
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (uint64_t id = 1; id <= 2; id++) {
		open_wait(t, id, IPPROTO_TCP, &at);
		peer[id - 1] = peer_accept(t, listener);
	}
	for (int idle = 0; idle < 100;) {
		size_t n = t->flow[1].credit > 0 ?
		    flow_send_some(t, 1, bytes, sizeof(bytes)) : 0;

		sent += n;
		idle = n > 0 ? 0 : idle + 1;
		talk_turn(t, 1);
	}
	ck_assert_uint_eq(t->flow[1].credit, 0);
	ck_assert_uint_gt(sent, MSG_WINDOW_INITIAL);
	flow_send(t, 2, "lively");
	peer_expect(peer[1], "lively");

	/* What was accepted arrives, even when we leave at once. */
	flow_eof(t, 1);
	flow_close(t, 1, CLOSE_EOF);
	flow_close(t, 2, CLOSE_EOF);
	while (chan_flush(t->chan) == 1)
		talk_turn(t, 1);
	chan_shutdown(t->chan);
	for (size_t got = 0; got < sent;) {
		ssize_t n = recv(peer[0], bytes, sizeof(bytes), 0);

		ck_assert_int_gt(n, 0);
		got += (size_t)n;
	}
	ck_assert_int_eq(recv(peer[0], bytes, 1, 0), 0);
	ck_assert_int_eq(helper_wait(&t->h), 0);
	ck_assert_str_eq(t->h.err, "");
}
END_TEST

static void
send_data_beyond(struct talk *t)
{
	static uint8_t bytes[MSG_TAIL_MAX];

	for (size_t sent = 0; sent <= 64 << 20; sent += sizeof(bytes)) {
		chan_send(t->chan, MSG_DATA, 1, NULL, 0, bytes, sizeof(bytes), -1);
		while (chan_flush(t->chan) == 1)
			poll(NULL, 0, 1);
	}
}

static void
send_data_after_eof(struct talk *t)
{
	chan_send(t->chan, MSG_EOF, 1, NULL, 0, NULL, 0, -1);
	chan_send(t->chan, MSG_DATA, 1, NULL, 0, "x", 1, -1);
}

static void
send_two_eofs(struct talk *t)
{
	chan_send(t->chan, MSG_EOF, 1, NULL, 0, NULL, 0, -1);
	chan_send(t->chan, MSG_EOF, 1, NULL, 0, NULL, 0, -1);
}

static void
send_much_credit(struct talk *t)
{
	talk_window(t, 1, UINT32_MAX);
}

static void
send_open_again(struct talk *t)
{
	struct addr dst = address(HERE4, 9);
	struct msg_open o = open_to(IPPROTO_TCP, &dst);

	open_ask(t, 1, &o);
}

static const struct {
	void		(*send)(struct talk *);
	const char	*why;
} breaches[] = {
	{ send_data_beyond,	"DATA beyond its credit" },
	{ send_data_after_eof,	"DATA after EOF" },
	{ send_two_eofs,	"EOF a second time" },
	{ send_much_credit,	"more credit than there can be" },
	{ send_open_again,	"OPEN with a flow number that is in use" },
};

START_TEST(breach_of_the_rules_is_garbage)
{
	struct talk *t = talk_new(OVER_PIPES, NULL);
	struct addr at;
	int listener = serve(HERE4, SOCK_STREAM, &at), status;
	char line[128];

	open_wait(t, 1, IPPROTO_TCP, &at);
	peer_accept(t, listener);
	breaches[_i].send(t);
	while (chan_flush(t->chan) == 1)
		poll(NULL, 0, 1);
	status = helper_wait(&t->h);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 1);
	snprintf(line, sizeof(line), "cf-proxy dialler: cf-proxy sent garbage: %s\n",
	    breaches[_i].why);
	ck_assert_str_eq(t->h.err, line);
}
END_TEST

/* ---- cf-dns as a second client ---- */

static const struct {
	const char	*resolver;
	bool		 only;
	uint8_t		 proto;
	const char	*ip;
	uint16_t	 port;
	bool		 policy;	/* refused as policy */
} dns_opens[] = {
	{ "127.0.0.53",	false, IPPROTO_UDP, "127.0.0.53", 53, false },
	{ "127.0.0.53",	false, IPPROTO_UDP, "127.0.0.1",  53, true },
	{ "127.0.0.53",	false, IPPROTO_UDP, HERE4,	  53, false },
	{ "127.0.0.53",	false, IPPROTO_TCP, HERE4,	  80, true },
	{ "127.0.0.53",	false, IPPROTO_ICMP, HERE4,	  53, true },
	{ "127.0.0.53",	true,  IPPROTO_UDP, "127.0.0.53", 53, false },
	{ "127.0.0.53",	true,  IPPROTO_UDP, HERE4,	  53, true },
	{ "127.0.0.1:5353", true, IPPROTO_UDP, "127.0.0.1", 5353, false },
	{ "127.0.0.1:5353", true, IPPROTO_UDP, "127.0.0.1", 53, true },
};

START_TEST(dns_client_reaches_name_servers_only)
{
	struct talk *t = calloc(1, sizeof(*t)), *dns = calloc(1, sizeof(*dns));
	struct addr dst = address(dns_opens[_i].ip, dns_opens[_i].port);
	const char *args[8] = { "--dns-fd", NULL, "--resolver", dns_opens[_i].resolver };
	char fd[16];
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fcntl(pair[1], F_SETFD, FD_CLOEXEC);
	snprintf(fd, sizeof(fd), "%d", pair[0]);
	args[1] = fd;
	args[4] = dns_opens[_i].only ? "--resolvers-only" : NULL;
	helper_start(&t->h, OVER_SOCKET, args);
	close(pair[0]);
	talk_hello(dns, pair[1], pair[1], R_DNS, R_DIAL);
	talk_hello(t, t->h.rfd, t->h.wfd, R_PROXY, R_DIAL);
	WAIT(t, chan_peer(t->chan) != 0);
	WAIT(dns, chan_peer(dns->chan) != 0);
	open_wait(dns, 1, dns_opens[_i].proto, &dst);
	ck_assert_int_eq(dns->flow[1].refused && dns->flow[1].no.why == REFUSED_POLICY,
	    dns_opens[_i].policy);
	chan_free(dns->chan);		/* its end is not the other client's */
	dst = address(HERE4, 9);
	ck_assert(open_wait(t, 1, IPPROTO_TCP, &dst)->refused);
	talk_end(t);
}
END_TEST

/* ---- resolvers that cf-spawn tells of ---- */

static unsigned	taken;

static void
on_taken(struct chan *c, const struct frame *f, int fd)
{
	struct rd r = rd_over(f->body, f->len);

	(void)c, (void)fd;
	ck_assert_uint_eq(rd_le32(&r), MSG_RESOLVERS);
	taken++;
}

static void
resolver_is(struct chan *spawn, struct talk *t, const char *ip)
{
	static const struct chan_handler handlers[] = { { MSG_TAKEN, on_taken }, { 0 } };
	struct addr a = address(ip, 5353);
	uint8_t body[MSG_LIST_MAX];
	struct wr w = wr_over(body, sizeof(body));
	unsigned before = taken;

	chan_handlers(spawn, handlers);
	msg_list_put(&w, &a, 1);
	chan_send(spawn, MSG_RESOLVERS, 0, body, (size_t)(w.p - body), NULL, 0, -1);
	ck_assert_int_eq(chan_flush(spawn), 0);
	while (taken == before) {
		struct pollfd p = { .fd = chan_rfd(spawn), .events = POLLIN };

		ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
		ck_assert_int_eq(chan_read(spawn), 1);
	}
	talk_turn(t, 0);
}

static bool
may_ask(struct talk *dns, uint64_t id, const char *ip)
{
	struct addr dst = address(ip, 5353);

	open_wait(dns, id, IPPROTO_UDP, &dst);
	return !dns->flow[id].refused || dns->flow[id].no.why != REFUSED_POLICY;
}

START_TEST(resolvers_of_cf_spawn_are_reached_and_those_before_still)
{
	struct talk *t = calloc(1, sizeof(*t)), *dns = calloc(1, sizeof(*dns));
	char dns_fd[16], control_fd[16];
	const char *args[] = { "--dns-fd", dns_fd, "--control-fd", control_fd, "--resolver",
	    "127.0.0.1:5353", NULL };
	struct chan *spawn;
	int pair[2], control[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, control), 0);
	fcntl(pair[1], F_SETFD, FD_CLOEXEC);
	fcntl(control[1], F_SETFD, FD_CLOEXEC);
	snprintf(dns_fd, sizeof(dns_fd), "%d", pair[0]);
	snprintf(control_fd, sizeof(control_fd), "%d", control[0]);
	helper_start(&t->h, OVER_SOCKET, args);
	close(pair[0]);
	close(control[0]);
	spawn = chan_new(control[1], control[1], R_SPAWN, R_DIAL, NULL);
	chan_hello(spawn, 0);
	talk_hello(dns, pair[1], pair[1], R_DNS, R_DIAL);
	talk_hello(t, t->h.rfd, t->h.wfd, R_PROXY, R_DIAL);
	WAIT(t, chan_peer(t->chan) != 0);
	WAIT(dns, chan_peer(dns->chan) != 0);
	ck_assert(may_ask(dns, 1, "127.0.0.1"));
	ck_assert(!may_ask(dns, 2, "127.0.0.2"));
	resolver_is(spawn, t, "127.0.0.2");
	ck_assert(may_ask(dns, 3, "127.0.0.2"));
	ck_assert(may_ask(dns, 4, "127.0.0.1"));
	resolver_is(spawn, t, "127.0.0.3");
	ck_assert(may_ask(dns, 5, "127.0.0.3"));
	ck_assert(may_ask(dns, 6, "127.0.0.2"));
	ck_assert(!may_ask(dns, 7, "127.0.0.1"));
	/* It is for cf-dns alone, and the end of cf-spawn's channel ends nothing. */
	ck_assert(!may_ask(t, 1, "127.0.0.3"));
	chan_free(spawn);
	ck_assert(may_ask(dns, 8, "127.0.0.3"));
	chan_free(dns->chan);
	talk_end(t);
}
END_TEST

/* ---- the dialler's own look at the rules ---- */

static const struct {
	const char	*rules[5];
	bool		 from_dns;
	uint8_t		 proto;
	const char	*ip;
	uint16_t	 port;
	bool		 policy;	/* refused as policy */
} second_looks[] = {
	{ { "--deny-cidr", HERE4 },		false, IPPROTO_TCP, HERE4, 9, true },
	{ { "--deny-cidr", HERE4 },		false, IPPROTO_TCP, HERE6, 9, false },
	{ { "--deny", HERE4 ":9" },		false, IPPROTO_TCP, HERE4, 9, true },
	{ { "--deny", HERE4 ":9" },		false, IPPROTO_UDP, HERE4, 8, false },
	{ { "--allow", HERE4 },			false, IPPROTO_TCP, HERE6, 9, true },
	{ { "--allow", "example.test" },	false, IPPROTO_TCP, HERE6, 9, false },
	{ { "--deny-cidr", "10.0.0.0/8" },	false, IPPROTO_TCP, "127.0.0.1", 9, true },
	{ { "--offline" },			false, IPPROTO_ICMP, HERE4, 0, true },
	/* a resolver of this run is asked whatever the rules say, another is not */
	{ { "--allow", "example.test", "--deny-cidr", "127.0.0.0/8" }, true, IPPROTO_UDP,
	    "127.0.0.53", 53, false },
	{ { "--deny-cidr", HERE4 },		true,  IPPROTO_UDP, HERE4, 53, true },
	{ { "--offline" },			true,  IPPROTO_UDP, "127.0.0.53", 53, true },
};

START_TEST(dialler_looks_at_the_rules_by_itself)
{
	struct talk *t = calloc(1, sizeof(*t)), *dns = calloc(1, sizeof(*dns)), *asks;
	struct addr dst = address(second_looks[_i].ip, second_looks[_i].port);
	char fd[16], rules[16];
	const char *args[] = { "--dns-fd", fd, "--rules-fd", rules, "--resolver", "127.0.0.53", NULL };
	int pair[2], rules_fd = rules_made(second_looks[_i].rules);

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fcntl(pair[1], F_SETFD, FD_CLOEXEC);
	snprintf(fd, sizeof(fd), "%d", pair[0]);
	snprintf(rules, sizeof(rules), "%d", rules_fd);
	helper_start(&t->h, OVER_SOCKET, args);
	close(pair[0]);
	close(rules_fd);
	talk_hello(dns, pair[1], pair[1], R_DNS, R_DIAL);
	talk_hello(t, t->h.rfd, t->h.wfd, R_PROXY, R_DIAL);
	WAIT(t, chan_peer(t->chan) != 0);
	WAIT(dns, chan_peer(dns->chan) != 0);
	asks = second_looks[_i].from_dns ? dns : t;
	open_wait(asks, 1, second_looks[_i].proto, &dst);
	ck_assert_int_eq(asks->flow[1].refused && asks->flow[1].no.why == REFUSED_POLICY,
	    second_looks[_i].policy);
	chan_free(dns->chan);
	talk_end(t);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("conversation");
	TCase *tc = tcase_create("cf-proxy");
	SRunner *sr;
	int failed;

	signal(SIGPIPE, SIG_IGN);
	net_make();
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, says_hello_and_leaves_with_its_client, 0, TRANSPORTS);
	tcase_add_loop_test(tc, payload_goes_both_ways, 0, TRANSPORTS);
	tcase_add_loop_test(tc, bulk_arrives_whole_each_way, 0, TRANSPORTS);
	tcase_add_loop_test(tc, half_close_leaves_the_other_half, 0, TRANSPORTS);
	tcase_add_loop_test(tc, reset_goes_through_each_way, 0, TRANSPORTS);
	tcase_add_loop_test(tc, refusals_say_what_connect_said, 0, TRANSPORTS);
	tcase_add_loop_test(tc, udp_keeps_datagrams_whole, 0, TRANSPORTS);
	tcase_add_loop_test(tc, udp_flows_of_one_source_share_a_port, 0, TRANSPORTS);
	tcase_add_test(tc, udp_port_that_is_taken_costs_only_the_port);
	tcase_add_loop_test(tc, echo_messages_come_back, 0, TRANSPORTS);
	tcase_add_loop_test(tc, forbidden_ping_names_the_sysctl_once, 0, DIALLERS);
	tcase_add_loop_test(tc, thousands_pending_stall_nobody, 0, TRANSPORTS);
	tcase_add_loop_test(tc, no_descriptors_left_is_said_and_passes, 0, TRANSPORTS);
	tcase_add_test(tc, flow_without_credit_waits_alone);
	tcase_add_test(tc, destination_that_does_not_read_holds_its_flow_only);
	tcase_add_loop_test(tc, breach_of_the_rules_is_garbage, 0, (int)COUNT(breaches));
	tcase_add_loop_test(tc, dns_client_reaches_name_servers_only, 0, (int)COUNT(dns_opens));
	tcase_add_test(tc, resolvers_of_cf_spawn_are_reached_and_those_before_still);
	tcase_add_loop_test(tc, dialler_looks_at_the_rules_by_itself, 0, (int)COUNT(second_looks));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
