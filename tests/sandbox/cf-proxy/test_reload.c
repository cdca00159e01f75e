/*
 * test_reload.c - new rules from cf-spawn, to the built cf-proxy: both stages, sealed, with a
 * client that does as it is told, or does not.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "talk.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static unsigned	taken;

static void
on_taken(struct chan *c, const struct frame *f, int fd)
{
	struct rd r = rd_over(f->body, f->len);

	(void)c, (void)fd;
	ck_assert_uint_eq(rd_le32(&r), MSG_RULES);
	taken++;
}

/* One stage's channel to cf-spawn: our end, and the helper's as an argument. */
struct told {
	struct chan	*chan;
	int		 theirs;
	char		 arg[16];
};

static void
told_make(struct told *to, enum role peer)
{
	static const struct chan_handler handlers[] = { { MSG_TAKEN, on_taken }, { 0 } };
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fcntl(pair[1], F_SETFD, FD_CLOEXEC);
	to->theirs = pair[0];
	snprintf(to->arg, sizeof(to->arg), "%d", pair[0]);
	to->chan = chan_new(pair[1], pair[1], R_SPAWN, peer, to);
	ck_assert_ptr_nonnull(to->chan);
	chan_handlers(to->chan, handlers);
	chan_hello(to->chan, MSG_CAP_FD);
}

struct world {
	struct talk	*t;
	struct told	 policy, dialler;
	int		 count_fd;
};

/* Both stages; over: how the client talks to them.  The rules at first are `words`. */
static struct world
world_new(enum transport over, const char *const *words)
{
	struct world w = { .t = calloc(1, sizeof(*w.t)), .count_fd = eventfd(0, EFD_NONBLOCK) };
	char rules[16], dial[16], count[16];
	const char *dial_args[] = { "--rules-fd", rules, "--control-fd", w.dialler.arg, NULL };
	const char *args[] = { "--policy", "--keep-flows", "--dial-fd", dial, "--rules-fd", rules,
	    "--control-fd", w.policy.arg, "--violations-fd", count, NULL };
	int rules_fd = rules_made(words);

	told_make(&w.policy, R_PROXY);
	told_make(&w.dialler, R_DIAL);
	snprintf(rules, sizeof(rules), "%d", rules_fd);
	snprintf(count, sizeof(count), "%d", w.count_fd);
	helper_start(&w.t->dialler, OVER_SOCKET, dial_args);
	fcntl(w.t->dialler.wfd, F_SETFD, 0);
	snprintf(dial, sizeof(dial), "%d", w.t->dialler.wfd);
	helper_start(&w.t->h, over, args);
	close(w.t->dialler.wfd);
	close(w.policy.theirs);
	close(w.dialler.theirs);
	close(rules_fd);
	w.t->auto_window = true;
	talk_hello(w.t, w.t->h.rfd, w.t->h.wfd, R_STACK, R_PROXY);
	WAIT(w.t, chan_peer(w.t->chan) != 0);
	return w;
}

static void
tell(struct told *to, uint32_t generation, int fd)
{
	uint8_t body[MSG_RULES_LEN];
	struct wr w = wr_over(body, sizeof(body));

	wr_le32(&w, generation);
	chan_send(to->chan, MSG_RULES, 0, body, sizeof(body), NULL, 0, fd);
	ck_assert_int_eq(chan_flush(to->chan), 0);
}

static void
tell_wait(struct world *w, struct told *to, uint32_t generation, const char *const *words)
{
	unsigned before = taken;

	tell(to, generation, rules_made(words));
	while (taken == before) {
		struct pollfd p = { .fd = chan_rfd(to->chan), .events = POLLIN };

		ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
		ck_assert_int_eq(chan_read(to->chan), 1);
	}
	talk_turn(w->t, 0);
}

static void
reload(struct world *w, uint32_t generation, const char *const *words)
{
	tell_wait(w, &w->dialler, generation, words);
	tell_wait(w, &w->policy, generation, words);
}

static void
world_end(struct world *w, const char *warns)
{
	w->t->h.warns = warns;
	talk_end(w->t);
	chan_free(w->policy.chan);
	chan_free(w->dialler.chan);
	close(w->count_fd);
}

static const char *const open_to_all[] = { "--deny", "192.0.2.1", NULL };
static const char *const shut[] = { "--deny", HERE4, NULL };
static const char withdrawn[] = "cf-proxy: ";

START_TEST(flow_ends_on_the_host_whatever_the_client_does)
{
	struct world w = world_new(OVER_SOCKET, open_to_all);
	struct addr tcp, udp;
	int listener = serve(HERE4, SOCK_STREAM, &tcp), server = serve(HERE4, SOCK_DGRAM, &udp), peer;
	struct pollfd p;
	uint64_t n;
	char buf[8];

	ck_assert(open_wait(w.t, 1, IPPROTO_TCP, &tcp)->opened);
	ck_assert(open_wait(w.t, 2, IPPROTO_UDP, &udp)->opened);
	peer = peer_accept(w.t, listener);
	ck_assert_int_eq(send(w.t->flow[1].fd, "before", 6, 0), 6);
	peer_expect(peer, "before");

	reload(&w, 2, shut);
	WAIT(w.t, w.t->flow[1].reset != 0 && w.t->flow[2].reset != 0);
	/* This client keeps its descriptors, and says nothing. */
	ck_assert_int_eq(send(w.t->flow[1].fd, "after", 5, MSG_NOSIGNAL), -1);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_int_eq(send(w.t->flow[2].fd, "after", 5, MSG_NOSIGNAL), -1);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_int_eq(recv(peer, buf, sizeof(buf), 0), 0);
	/* Nor does anything come in, from a peer that would go on. */
	p = (struct pollfd){ .fd = w.t->flow[1].fd, .events = POLLRDHUP };
	ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
	ck_assert_int_eq(recv(w.t->flow[1].fd, buf, sizeof(buf), 0), 0);
	/* It was allowed when it began: nothing to count. */
	ck_assert_int_eq(read(w.count_fd, &n, sizeof(n)), -1);

	ck_assert(open_wait(w.t, 3, IPPROTO_TCP, &tcp)->refused);
	ck_assert_int_eq(read(w.count_fd, &n, sizeof(n)), sizeof(n));
	close(peer);
	close(listener);
	close(server);
	world_end(&w, withdrawn);
}
END_TEST

START_TEST(flow_in_frames_is_reset_at_both_ends)
{
	struct world w = world_new(OVER_PIPES, open_to_all);
	struct addr tcp;
	int listener = serve(HERE4, SOCK_STREAM, &tcp), peer;
	char buf[8];

	ck_assert(open_wait(w.t, 1, IPPROTO_TCP, &tcp)->opened);
	peer = peer_accept(w.t, listener);
	flow_send(w.t, 1, "before");
	peer_expect(peer, "before");
	reload(&w, 2, shut);
	WAIT(w.t, w.t->flow[1].reset == EACCES);
	ck_assert_int_eq(recv(peer, buf, sizeof(buf), 0), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	flow_close(w.t, 1, CLOSE_RESET);
	close(peer);
	close(listener);
	world_end(&w, withdrawn);
}
END_TEST

START_TEST(flows_that_are_allowed_still_go_on)
{
	static const char *const ranges[][5] = {
		{ "--allow", HERE4 "/tcp", NULL }, { "--allow", "203.0.113.0/24", NULL },
		{ "--deny", "192.0.2.2", "--deny", "10.0.0.0/8", NULL },
	};
	struct world w = world_new(_i == 0 ? OVER_SOCKET : OVER_PIPES, open_to_all);
	struct addr tcp;
	int listener = serve(HERE4, SOCK_STREAM, &tcp), peer;

	ck_assert(open_wait(w.t, 1, IPPROTO_TCP, &tcp)->opened);
	peer = peer_accept(w.t, listener);
	for (size_t i = 0; i < 60; i++) {
		reload(&w, (uint32_t)i + 2, ranges[i % COUNT(ranges)]);
		flow_send(w.t, 1, "x");
		peer_expect(peer, "x");
	}
	flow_close(w.t, 1, CLOSE_EOF);
	close(peer);
	close(listener);
	world_end(&w, NULL);
}
END_TEST

/* With the flow's end the kept copy goes as well: the peer hears of it. */
START_TEST(end_of_a_flow_is_the_end_of_its_socket)
{
	struct world w = world_new(OVER_SOCKET, open_to_all);
	struct addr tcp;
	int listener = serve(HERE4, SOCK_STREAM, &tcp), peer;
	char buf[8];

	for (uint64_t id = 1; id <= 50; id++) {
		ck_assert(open_wait(w.t, id, IPPROTO_TCP, &tcp)->opened);
		peer = peer_accept(w.t, listener);
		flow_close(w.t, id, CLOSE_EOF);
		talk_turn(w.t, 0);
		ck_assert_int_eq(recv(peer, buf, sizeof(buf), 0), 0);
		close(peer);
	}
	close(listener);
	world_end(&w, NULL);
}
END_TEST

/* One stage alone has them: it is stricter, never laxer. */
START_TEST(between_the_stages_both_rules_hold)
{
	struct world w = world_new(OVER_SOCKET, _i == 0 ? open_to_all : shut);
	const char *const *next = _i == 0 ? shut : open_to_all;
	struct addr tcp;
	int listener = serve(HERE4, SOCK_STREAM, &tcp);

	tell_wait(&w, &w.dialler, 2, next);
	ck_assert(open_wait(w.t, 1, IPPROTO_TCP, &tcp)->refused);
	tell_wait(&w, &w.policy, 2, next);
	open_wait(w.t, 2, IPPROTO_TCP, &tcp);
	ck_assert(_i == 0 ? w.t->flow[2].refused : w.t->flow[2].opened);
	close(listener);
	world_end(&w, withdrawn);
}
END_TEST

START_TEST(rules_that_are_none_end_the_stage)
{
	static const char *const why[] = { "it is not a sealed memfd", "bad RULES" };
	struct world w = world_new(OVER_SOCKET, open_to_all);
	char want[128];
	int status;

	if (_i == 0)
		tell(&w.policy, 2, memfd_create("no rules", MFD_CLOEXEC));
	else
		tell(&w.policy, 0, rules_made(shut));
	status = helper_wait(&w.t->h);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	snprintf(want, sizeof(want), "cf-proxy: cf-spawn sent garbage: %s\n", why[_i]);
	ck_assert_str_eq(w.t->h.err, want);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("reload");
	Suite *suite = suite_create("new rules");
	SRunner *runner = srunner_create(suite);

	net_make();
	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, flow_ends_on_the_host_whatever_the_client_does);
	tcase_add_test(tc, flow_in_frames_is_reset_at_both_ends);
	tcase_add_loop_test(tc, flows_that_are_allowed_still_go_on, 0, 2);
	tcase_add_test(tc, end_of_a_flow_is_the_end_of_its_socket);
	tcase_add_loop_test(tc, between_the_stages_both_rules_hold, 0, 2);
	tcase_add_loop_test(tc, rules_that_are_none_end_the_stage, 0, 2);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	return srunner_ntests_failed(runner) == 0 ? 0 : 1;
}
