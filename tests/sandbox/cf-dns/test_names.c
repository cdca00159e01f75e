/*
 * test_names.c - the built cf-dns, sealed, and a policy stage that is this test: what it is told of
 * names and when, and what becomes of names in synthetic mode.
 *
 * SPDX-License-Identifier: MIT
 */
#include "synthetic.h"
#include "world.h"

#define GATEWAY		INSIDE_GATEWAY4
#define WWW		"www.Example.test"
#define NAMES_FD	40
#define NAMES_FD_TEXT	"40"

static struct {
	struct chan	*chan;
	size_t		 n;		/* NAME frames */
	struct msg_name	 last;
	char		 name[MSG_NAME_MAX + 1];
	size_t		 resolved;	/* RESOLVED frames */
	uint64_t	 question;
	uint32_t	 count;
	struct addr	 addr;		/* the first */
} told;

static void
on_name(struct chan *c, const struct frame *f, int fd)
{
	struct rd r = rd_over(f->body, f->len);

	(void)c, (void)fd;
	ck_assert(msg_name_get(&r, &told.last));
	memset(told.name, 0, sizeof(told.name));
	memcpy(told.name, r.p, rd_left(&r));
	told.n++;
}

static void
on_resolved(struct chan *c, const struct frame *f, int fd)
{
	struct rd r = rd_over(f->body, f->len);
	struct msg_resolved m;

	(void)c, (void)fd;
	ck_assert(msg_resolved_get(&r, &m));
	ck_assert_uint_eq(rd_left(&r), m.count * MSG_ADDR_LEN);
	told.resolved++;
	told.question = f->flow;
	told.count = m.count;
	if (m.count > 0)
		ck_assert(msg_addr_get(&r, &told.addr));
}

static const struct chan_handler handlers[] = {
	{ MSG_NAME, on_name }, { MSG_RESOLVED, on_resolved }, { 0, NULL }
};

static struct world *
start(const char *mode)
{
	struct world *w = world_new();
	char one[ADDR_STRLEN];
	const char *args[] = { "--resolver", addr_str(&w->fakes[0].addr, one), "--names-fd",
	    NAMES_FD_TEXT, mode, NULL };
	int pair[2], small = 4096;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fcntl(pair[0], F_SETFD, FD_CLOEXEC);
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	ck_assert_int_eq(dup2(pair[1], NAMES_FD), NAMES_FD);
	close(pair[1]);
	told.chan = chan_new(pair[0], pair[0], R_PROXY, R_DNS, w);
	chan_handlers(told.chan, handlers);
	world_start(w, args);
	close(NAMES_FD);
	return w;
}

static void
hello(void)
{
	chan_hello(told.chan, 0);
	ck_assert_int_eq(chan_flush(told.chan), 0);
}

/* What has been written by now. */
static void
hear(void)
{
	ck_assert_int_ge(chan_drain(told.chan), 0);
}

static void
resolve(struct world *w, uint64_t question, const char *name, uint8_t family)
{
	uint8_t body[MSG_RESOLVE_LEN];
	struct wr wr = wr_over(body, sizeof(body));
	size_t before = told.resolved;
	int64_t end = now_ms() + 8000;

	msg_resolve_put(&wr, &(struct msg_resolve){ .family = family });
	chan_send(told.chan, MSG_RESOLVE, question, body, sizeof(body), name, strlen(name), -1);
	ck_assert_int_eq(chan_flush(told.chan), 0);
	while (told.resolved == before && now_ms() < end) {
		world_turn(w, 10);
		hear();
	}
	ck_assert_uint_eq(told.resolved, before + 1);
	ck_assert_uint_eq(told.question, question);
}

static void
query(struct world *w, uint64_t flow, const char *name, uint16_t type)
{
	unsigned n = w->nanswers;

	ask(w, flow, IPPROTO_UDP, GATEWAY, name, type, 0);
	ck_assert(world_until(w, n + 1, 8000));
	hear();
}

static struct wire_answer
last(const struct world *w)
{
	struct wire_answer a;

	wire_answer(w->last->msg, w->last->len, &a);
	return a;
}

static bool
is(const struct addr *a, const char *text)
{
	char buf[ADDR_STRLEN];

	return strcmp(addr_ip_str(a, buf), text) == 0;
}

#define END(w)	ck_assert_int_eq(world_end(w), 0)

START_TEST(names_are_told_with_their_addresses)
{
	struct world *w = start(NULL);

	hello();
	query(w, 1, WWW, WIRE_A);
	ck_assert_uint_eq(told.n, 1);
	ck_assert_str_eq(told.name, "www.example.test");
	ck_assert(is(&told.last.addr, "203.0.113.10"));
	ck_assert_uint_eq(told.last.addr.port, 0);
	ck_assert_uint_eq(told.last.flags, 0);
	ck_assert_uint_ge(told.last.ttl, 60);
	ck_assert_uint_le(told.last.ttl, 86400);
	w->fakes[0].manner = SAYS_NXDOMAIN;
	query(w, 2, "nowhere.test", WIRE_A);
	ck_assert_uint_eq(told.n, 1);
	END(w);
}
END_TEST

/* Nobody may ask before somebody listens. */
START_TEST(hello_waits_for_the_policy_stage)
{
	struct world *w = start(NULL);

	world_for(w, 200);
	ck_assert_int_eq(chan_peer(w->stack), 0);
	hello();
	query(w, 1, WWW, WIRE_A);
	END(w);
}
END_TEST

/* Also where the policy stage is slow and its channel full. */
START_TEST(name_is_told_before_the_answer_is_given)
{
	enum { QUERIES = 1000 };	/* of one asker: INFLIGHT_MAX and half of WAITING_MAX are its */
	struct world *w = start(_i == 0 ? NULL : "--synthetic");
	char name[32];
	int64_t end = now_ms() + 20000;

	hello();
	for (unsigned i = 1; i <= QUERIES; i++) {
		snprintf(name, sizeof(name), "n%u.example.test", i);
		ask(w, i, IPPROTO_UDP, GATEWAY, name, WIRE_A, 0);
	}
	for (unsigned before = 0; w->nanswers < QUERIES && now_ms() < end; before = w->nanswers) {
		world_turn(w, 10);
		if (w->nanswers > before)
			continue;		/* until it is full, and cf-dns waits for us */
		hear();
		ck_assert_uint_ge(told.n, w->nanswers - w->nfailed);
	}
	ck_assert_uint_eq(w->nanswers, QUERIES);
	hear();
	/* On a busy machine the resolvers of this test may be late for some. */
	ck_assert_uint_eq(told.n, QUERIES - w->nfailed);
	ck_assert_uint_lt(w->nfailed, QUERIES / 2);
	END(w);
}
END_TEST

START_TEST(name_has_one_address_of_its_own)
{
	static const char *const asked[] = { WWW, "other.test", "WWW.example.TEST", "other.test" };
	struct world *w = start("--synthetic");
	struct wire_answer a;

	hello();
	for (uint64_t i = 0; i < 4; i++) {
		query(w, i + 1, asked[i], WIRE_A);
		a = last(w);
		ck_assert_uint_eq(a.naddrs, 1);
		ck_assert_uint_eq(a.records, 1);
		ck_assert_uint_eq(a.ttl, 30);
		ck_assert(is(&a.addrs[0], i % 2 == 0 ? "198.18.0.1" : "198.18.0.2"));
	}
	ck_assert_uint_eq(told.n, 2);
	ck_assert_str_eq(told.name, "other.test");
	ck_assert_uint_eq(told.last.flags, MSG_NAME_SYNTHETIC);
	ck_assert_uint_eq(synthetic_number(&told.last.addr), 2);
	END(w);
}
END_TEST

START_TEST(no_address_stays_no_address)
{
	struct world *w = start("--synthetic");

	hello();
	w->fakes[0].manner = SAYS_NXDOMAIN;
	query(w, 1, WWW, WIRE_A);
	ck_assert_uint_eq(last(w).rcode, WIRE_NXDOMAIN);
	w->fakes[0].manner = STAYS_SILENT;
	query(w, 2, WWW, WIRE_A);
	ck_assert_uint_eq(last(w).rcode, WIRE_SERVFAIL);
	ck_assert_uint_eq(told.n, 0);
	END(w);
}
END_TEST

START_TEST(real_addresses_are_said_to_the_policy_stage)
{
	struct world *w = start("--synthetic");
	unsigned asked;

	hello();
	resolve(w, 5, "www.example.test", 4);		/* which nobody has asked for yet */
	ck_assert_uint_eq(told.count, 1);
	ck_assert(is(&told.addr, "203.0.113.10"));
	query(w, 1, WWW, WIRE_A);
	asked = w->fakes[0].nudp;
	resolve(w, 6, "www.example.test", 4);
	ck_assert_uint_eq(told.count, 1);
	ck_assert(is(&told.addr, "203.0.113.10"));
	ck_assert_uint_eq(w->fakes[0].nudp, asked);
	resolve(w, 7, "www.example.test", 0);
	ck_assert_uint_eq(told.count, 1);
	ck_assert_uint_eq(w->nanswers, 1);
	END(w);
}
END_TEST

/* What is not known of a name is asked as the tree would, and nobody but cf-proxy is told. */
START_TEST(family_that_is_not_known_is_asked_for)
{
	struct world *w = start("--synthetic");
	unsigned asked;

	hello();
	query(w, 1, WWW, WIRE_A);
	asked = w->fakes[0].nudp;
	resolve(w, 6, "www.example.test", 6);
	ck_assert_uint_eq(w->fakes[0].nudp, asked + 1);
	ck_assert_uint_eq(w->nanswers, 1);
	w->fakes[0].manner = STAYS_SILENT;
	resolve(w, 7, "www.example.test", 6);
	ck_assert_uint_eq(told.count, 0);
	resolve(w, 8, "www.example.test", 4);
	ck_assert_uint_eq(told.count, 1);
	END(w);
}
END_TEST

START_TEST(reverse_query_is_answered_here)
{
	struct world *w = start("--synthetic");
	unsigned asked;

	hello();
	query(w, 1, WWW, WIRE_A);
	asked = w->fakes[0].nudp;
	query(w, 2, "1.0.18.198.in-addr.arpa", WIRE_PTR);
	ck_assert_uint_eq(last(w).rcode, WIRE_NOERROR);
	ck_assert_uint_eq(last(w).records, 1);
	ck_assert_int_eq(memcmp(w->last->msg + w->last->len - 18, "\3www\7example\4test", 18), 0);
	query(w, 3, "2.0.18.198.in-addr.arpa", WIRE_PTR);
	ck_assert_uint_eq(last(w).rcode, WIRE_NXDOMAIN);
	ck_assert_uint_eq(w->fakes[0].nudp, asked);
	query(w, 4, "2.0.20.198.in-addr.arpa", WIRE_PTR);
	ck_assert_uint_eq(w->fakes[0].nudp, asked + 1);
	END(w);
}
END_TEST

/* Where names have the addresses that resolvers say, they are asked each time. */
START_TEST(names_are_resolved_without_synthetic_mode_too)
{
	struct world *w = start(NULL);

	hello();
	resolve(w, 5, "www.example.test", 4);
	ck_assert_uint_eq(told.count, 1);
	ck_assert(is(&told.addr, "203.0.113.10"));
	w->fakes[0].manner = SAYS_NXDOMAIN;
	resolve(w, 6, "www.example.test", 6);
	ck_assert_uint_eq(told.count, 0);
	ck_assert_uint_eq(w->nanswers, 0);
	END(w);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("names");
	Suite *s = suite_create("cf-dns names");
	SRunner *sr = srunner_create(s);
	int failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tc, 40);
	tcase_add_test(tc, names_are_told_with_their_addresses);
	tcase_add_test(tc, hello_waits_for_the_policy_stage);
	tcase_add_loop_test(tc, name_is_told_before_the_answer_is_given, 0, 2);
	tcase_add_test(tc, name_has_one_address_of_its_own);
	tcase_add_test(tc, no_address_stays_no_address);
	tcase_add_test(tc, real_addresses_are_said_to_the_policy_stage);
	tcase_add_test(tc, family_that_is_not_known_is_asked_for);
	tcase_add_test(tc, reverse_query_is_answered_here);
	tcase_add_test(tc, names_are_resolved_without_synthetic_mode_too);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
