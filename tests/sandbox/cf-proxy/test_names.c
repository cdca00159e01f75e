/*
 * test_names.c - the built policy stage, sealed, and a cf-dns that is this test: what it learns
 * of names counts at once, made-up addresses lead to real ones, and garbage ends it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>

#include "synthetic.h"
#include "talk.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* The stage with all its neighbours. */
struct names_test {
	struct talk	*t;
	struct chan	*far;		/* the dialler */
	struct chan	*dns;
	struct { uint16_t type; uint64_t flow; struct addr dst; } frames[512];
	size_t		 n;		/* that came to the dialler */
	uint64_t	 question;	/* the last RESOLVE, */
	uint8_t		 family;
	char		 name[MSG_NAME_MAX + 1];
	size_t		 asked;		/* how many there were */
	int		 log_fd;
	char		 log[262144];
	size_t		 log_len;
};

static void
on_far(struct chan *c, const struct frame *f, int fd)
{
	struct names_test *s = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_open o = { 0 };

	(void)fd;
	ck_assert_uint_lt(s->n, COUNT(s->frames));
	if (f->type == MSG_OPEN)
		ck_assert(msg_open_get(&r, &o));
	s->frames[s->n].type = f->type;
	s->frames[s->n].flow = f->flow;
	s->frames[s->n++].dst = o.dst;
}

static void
on_resolve(struct chan *c, const struct frame *f, int fd)
{
	struct names_test *s = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_resolve m;

	(void)fd;
	ck_assert(msg_resolve_get(&r, &m));
	s->question = f->flow;
	s->family = m.family;
	memset(s->name, 0, sizeof(s->name));
	memcpy(s->name, r.p, rd_left(&r));
	s->asked++;
}

static const struct chan_handler far_handlers[] = {
	{ MSG_OPEN, on_far }, { MSG_CLOSE, on_far }, { 0 }
};
static const struct chan_handler dns_handlers[] = { { MSG_RESOLVE, on_resolve }, { 0 } };

static void
chan_turn(struct chan *c)
{
	struct pollfd p = { .fd = chan_rfd(c), .events = POLLIN };

	chan_flush(c);
	if (poll(&p, 1, 1) > 0)
		chan_read(c);
}

static void
turn(struct names_test *s)
{
	talk_turn(s->t, 2);
	chan_turn(s->far);
	if (s->dns != NULL)
		chan_turn(s->dns);
}

#define UNTIL(s, condition) do {						\
	int64_t until = now_ms() + PATIENCE_MS;					\
	while (!(condition)) {							\
		ck_assert_msg(now_ms() < until, "no %s", #condition);		\
		turn(s);							\
	}									\
} while (0)

/* Our end of a socket pair; the other one is inherited under the number in text. */
static int
pair_for(char text[16], int *theirs)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fcntl(pair[1], F_SETFD, FD_CLOEXEC);
	snprintf(text, 16, "%d", pair[0]);
	*theirs = pair[0];
	return pair[1];
}

static struct names_test *
start(const char *synthetic)
{
	struct names_test *s = calloc(1, sizeof(*s));
	char dial[16], names[16], log[16];
	const char *args[] = { "--policy", "--dial-fd", dial, "--names-fd", names, "--log-fd", log,
	    synthetic, NULL };
	int theirs[3], far, dns;

	s->t = calloc(1, sizeof(*s->t));
	far = pair_for(dial, &theirs[0]);
	dns = pair_for(names, &theirs[1]);
	s->log_fd = pair_for(log, &theirs[2]);
	fcntl(s->log_fd, F_SETFL, O_NONBLOCK);
	helper_start(&s->t->h, OVER_SOCKET, args);
	for (int i = 0; i < 3; i++)
		close(theirs[i]);
	talk_hello(s->t, s->t->h.rfd, s->t->h.wfd, R_STACK, R_PROXY);
	s->far = chan_new(far, far, R_DIAL, R_PROXY, s);
	chan_handlers(s->far, far_handlers);
	chan_hello(s->far, MSG_CAP_FD);
	s->dns = chan_new(dns, dns, R_DNS, R_PROXY, s);
	chan_handlers(s->dns, dns_handlers);
	chan_hello(s->dns, 0);
	UNTIL(s, chan_peer(s->t->chan) != 0 && chan_peer(s->far) != 0 && chan_peer(s->dns) != 0);
	return s;
}

static int
end(struct names_test *s)
{
	chan_flush(s->t->chan);
	chan_shutdown(s->t->chan);
	return helper_wait(&s->t->h);
}

static void
say_name(struct names_test *s, const char *ip, const char *name, uint32_t flags)
{
	uint8_t body[MSG_NAME_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_name_put(&w, &(struct msg_name){ .addr = address(ip, 0), .ttl = 60, .flags = flags });
	chan_send(s->dns, MSG_NAME, 0, body, sizeof(body), name, strlen(name), -1);
	ck_assert_int_eq(chan_flush(s->dns), 0);
}

static void
resolved(struct names_test *s, uint64_t question, const char *const *ips, size_t n)
{
	uint8_t body[MSG_RESOLVED_LEN], tail[MSG_ADDRS_MAX * MSG_ADDR_LEN];
	struct wr w = wr_over(body, sizeof(body)), t = wr_over(tail, sizeof(tail));

	msg_resolved_put(&w, &(struct msg_resolved){ .count = (uint32_t)n });
	for (size_t i = 0; i < n; i++) {
		struct addr a = address(ips[i], 0);

		msg_addr_put(&t, &a);
	}
	chan_send(s->dns, MSG_RESOLVED, question, body, sizeof(body), tail, (size_t)(t.p - tail), -1);
}
#define RESOLVED(s, question, ...) do {						\
	static const char *const ips[] = { __VA_ARGS__ };			\
	resolved(s, question, ips, COUNT(ips));					\
} while (0)

static void
ask(struct names_test *s, uint64_t id, const char *ip)
{
	struct addr dst = address(ip, 80);
	struct msg_open o = open_to(IPPROTO_TCP, &dst);

	open_ask(s->t, id, &o);
	ck_assert_int_eq(chan_flush(s->t->chan), 0);
}

static void
refuse(struct names_test *s, uint64_t id, uint32_t err)
{
	uint8_t body[MSG_REFUSED_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_refused_put(&w, &(struct msg_refused){ .why = REFUSED_ERRNO, .err = err });
	chan_send(s->far, MSG_REFUSED, id, body, sizeof(body), NULL, 0, -1);
}

static void
grant(struct names_test *s, uint64_t id)
{
	uint8_t body[MSG_OPENED_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_opened_put(&w, &(struct msg_opened){ .local = { .family = 4, .port = 7 } });
	chan_send(s->far, MSG_OPENED, id, body, sizeof(body), NULL, 0,
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

/* How many events of this kind have exactly these names and this address. */
static size_t
events(struct names_test *s, const char *kind, const char *ip, const char *names)
{
	size_t found = 0;
	ssize_t n;

	while ((n = read(s->log_fd, s->log + s->log_len, sizeof(s->log) - 1 - s->log_len)) > 0)
		s->log_len += (size_t)n;
	s->log[s->log_len] = '\0';
	for (char *line = s->log, *eol; (eol = strchr(line, '\n')) != NULL; line = eol + 1) {
		json_t *e = json_loadb(line, (size_t)(eol - line), 0, NULL), *list;
		char *text;

		ck_assert_ptr_nonnull(e);
		list = json_object_get(e, "names");
		text = json_dumps(list, JSON_COMPACT | JSON_ENCODE_ANY);
		found += strcmp(json_string_value(json_object_get(e, "event")), kind) == 0 &&
		    strcmp(json_string_value(json_object_get(e, "remote_ip")), ip) == 0 &&
		    text != NULL && strcmp(text, names) == 0;
		free(text);
		json_decref(e);
	}
	return found;
}

/*
 * Written before, so known, also where the OPEN is what is read first: the stage is stopped
 * meanwhile, and then finds cf-netstack's channel ready before cf-dns's.
 */
START_TEST(name_that_was_said_before_counts)
{
	struct names_test *s = start(NULL);
	int status;

	ck_assert_int_eq(kill(s->t->h.pid, SIGSTOP), 0);
	ck_assert_int_eq(waitpid(s->t->h.pid, &status, WUNTRACED), s->t->h.pid);
	ask(s, 1, "203.0.113.1");
	say_name(s, "198.51.100.1", "a.test", 0);
	ask(s, 2, "198.51.100.1");
	ck_assert_int_eq(kill(s->t->h.pid, SIGCONT), 0);
	UNTIL(s, s->n == 2);
	ck_assert_uint_eq(events(s, "connect_attempt", "203.0.113.1", "[]"), 1);
	ck_assert_uint_eq(events(s, "connect_attempt", "198.51.100.1", "[\"a.test\"]"), 1);
	ck_assert_int_eq(end(s), 0);
}
END_TEST

START_TEST(flow_keeps_the_names_that_it_went_by)
{
	struct names_test *s = start(NULL);

	say_name(s, "198.51.100.1", "a.test", 0);
	say_name(s, "198.51.100.1", "b.test", 0);
	ask(s, 1, "198.51.100.1");
	UNTIL(s, s->n == 1);
	say_name(s, "198.51.100.1", "c.test", 0);
	ask(s, 2, "198.51.100.1");
	grant(s, 1);
	UNTIL(s, s->n == 2 && s->t->flow[1].opened);
	close(s->t->flow[1].fd);
	flow_close(s->t, 1, CLOSE_EOF);
	ask(s, 3, "198.51.100.2");
	UNTIL(s, s->n >= 3);
	ck_assert_uint_eq(events(s, "connect_attempt", "198.51.100.1", "[\"b.test\",\"a.test\"]"), 1);
	ck_assert_uint_eq(events(s, "connect_result", "198.51.100.1", "[\"b.test\",\"a.test\"]"), 1);
	ck_assert_uint_eq(events(s, "flow_end", "198.51.100.1", "[\"b.test\",\"a.test\"]"), 1);
	ck_assert_uint_eq(events(s, "connect_attempt", "198.51.100.1",
	    "[\"c.test\",\"b.test\",\"a.test\"]"), 1);
	ck_assert_uint_eq(events(s, "connect_attempt", "198.51.100.2", "[]"), 1);
	ck_assert_int_eq(end(s), 0);
}
END_TEST

/* The addresses in turn, under the number of the flow, until one opens. */
START_TEST(made_up_address_leads_to_the_real_ones)
{
	struct names_test *s = start("--synthetic");

	say_name(s, "198.18.0.1", "a.test", MSG_NAME_SYNTHETIC);
	ask(s, 9, "198.18.0.1");
	UNTIL(s, s->asked == 1);
	ck_assert_uint_eq(s->n, 0);
	ck_assert_uint_eq(s->question, 9);
	ck_assert_uint_eq(s->family, 4);
	ck_assert_str_eq(s->name, "a.test");
	RESOLVED(s, 9, "2001:db8::1", "203.0.113.1", "127.0.0.1", "203.0.113.2", "203.0.113.3");
	UNTIL(s, s->n == 1);
	refuse(s, 9, ECONNREFUSED);
	UNTIL(s, s->n == 2);
	ck_assert(!s->t->flow[9].refused);
	grant(s, 9);
	UNTIL(s, s->t->flow[9].opened);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(s->frames[i].type, MSG_OPEN);
		ck_assert_uint_eq(s->frames[i].flow, 9);
		ck_assert_uint_eq(s->frames[i].dst.ip[3], i + 1);
		ck_assert_uint_eq(s->frames[i].dst.port, 80);
	}
	ck_assert_uint_eq(events(s, "connect_result", "203.0.113.1", "[\"a.test\"]"), 1);
	ck_assert_uint_eq(events(s, "connect_attempt", "203.0.113.2", "[\"a.test\"]"), 1);
	ck_assert_uint_eq(events(s, "connect_attempt", "198.18.0.1", "[\"a.test\"]"), 0);
	ck_assert_int_eq(end(s), 0);
	ck_assert_uint_eq(events(s, "flow_end", "203.0.113.2", "[\"a.test\"]"), 1);
}
END_TEST

START_TEST(last_refusal_is_the_flows)
{
	struct names_test *s = start("--synthetic");

	say_name(s, "198.18.0.1", "a.test", MSG_NAME_SYNTHETIC);
	ask(s, 1, "2001:2:0:c612::1");
	UNTIL(s, s->asked == 1);
	ck_assert_uint_eq(s->family, 6);
	RESOLVED(s, 1, "2001:db8::1", "2001:db8::2");
	UNTIL(s, s->n == 1);
	refuse(s, 1, EHOSTUNREACH);
	UNTIL(s, s->n == 2);
	refuse(s, 1, ETIMEDOUT);
	UNTIL(s, s->t->flow[1].refused);
	ck_assert_uint_eq(s->t->flow[1].no.err, ETIMEDOUT);
	ck_assert_int_eq(end(s), 0);
}
END_TEST

START_TEST(real_addresses_are_judged)
{
	struct names_test *s = start("--synthetic");

	say_name(s, "198.18.0.1", "a.test", MSG_NAME_SYNTHETIC);
	ask(s, 1, "198.18.0.1");
	UNTIL(s, s->asked == 1);
	RESOLVED(s, 1, "127.0.0.1", "0.0.0.0", "224.0.0.1");
	UNTIL(s, s->t->flow[1].refused);
	ck_assert_uint_eq(s->t->flow[1].no.why, REFUSED_POLICY);
	ask(s, 2, "198.18.0.1");
	UNTIL(s, s->asked == 2);
	resolved(s, 2, NULL, 0);
	UNTIL(s, s->t->flow[2].refused);
	ck_assert_uint_eq(s->t->flow[2].no.why, REFUSED_ERRNO);
	ck_assert_uint_eq(s->t->flow[2].no.err, EHOSTUNREACH);
	ck_assert_uint_eq(s->n, 0);
	ck_assert_int_eq(end(s), 0);
}
END_TEST

/* Who knows no name of it goes nowhere, in either family. */
START_TEST(address_that_no_name_has_leads_nowhere)
{
	static const char *const nobodys[] = {
		"198.18.0.2", "198.18.0.0", "198.19.255.255", "2001:2:0:c612::2",
		"2001:2:0:c612::", "2001:2:0:c612:8000::1"
	};
	struct names_test *s = start("--synthetic");

	say_name(s, "198.18.0.1", "a.test", MSG_NAME_SYNTHETIC);
	for (uint64_t id = 1; id <= COUNT(nobodys); id++) {
		ask(s, id, nobodys[id - 1]);
		UNTIL(s, s->t->flow[id].refused);
		ck_assert_uint_eq(s->t->flow[id].no.why, REFUSED_ERRNO);
		ck_assert_uint_eq(s->t->flow[id].no.err, EHOSTUNREACH);
		ck_assert_uint_eq(events(s, "connect_result", nobodys[id - 1], "[]"), 1);
	}
	ck_assert_uint_eq(s->n + s->asked, 0);
	ck_assert_int_eq(end(s), 0);
}
END_TEST

START_TEST(without_synthetic_the_range_is_like_any_other)
{
	struct names_test *s = start(NULL);

	ask(s, 1, "198.18.0.1");
	UNTIL(s, s->n == 1);
	ck_assert_uint_eq(s->frames[0].type, MSG_OPEN);
	ck_assert_int_eq(end(s), 0);
}
END_TEST

START_TEST(flow_given_up_while_its_name_is_resolved_is_gone)
{
	struct names_test *s = start("--synthetic");

	say_name(s, "198.18.0.1", "a.test", MSG_NAME_SYNTHETIC);
	ask(s, 1, "198.18.0.1");
	UNTIL(s, s->asked == 1);
	flow_close(s->t, 1, CLOSE_CANCEL);
	ask(s, 2, "198.18.0.1");
	UNTIL(s, s->asked == 2);
	RESOLVED(s, 1, "203.0.113.1");
	RESOLVED(s, 2, "203.0.113.2");
	UNTIL(s, s->n > 0 && s->frames[s->n - 1].type == MSG_OPEN);
	RESOLVED(s, 2, "203.0.113.3");
	ask(s, 3, "203.0.113.4");
	UNTIL(s, s->frames[s->n - 1].flow == 3);
	for (size_t i = 0; i < s->n; i++)
		ck_assert(s->frames[i].type == MSG_CLOSE || s->frames[i].flow > 1);
	ck_assert_uint_eq(events(s, "connect_attempt", "203.0.113.1", "[\"a.test\"]"), 0);
	ck_assert_uint_eq(events(s, "connect_attempt", "203.0.113.2", "[\"a.test\"]"), 1);
	ck_assert_uint_eq(events(s, "connect_attempt", "203.0.113.3", "[\"a.test\"]"), 0);
	ck_assert_int_eq(end(s), 0);
}
END_TEST

/* At the end of a run it may go first. */
START_TEST(end_of_cf_dns_is_not_the_end)
{
	struct names_test *s = start("--synthetic");

	say_name(s, "198.18.0.1", "a.test", MSG_NAME_SYNTHETIC);
	chan_free(s->dns);
	s->dns = NULL;
	ask(s, 1, "203.0.113.1");
	UNTIL(s, s->n == 1);
	ask(s, 2, "198.18.0.1");
	UNTIL(s, s->t->flow[2].refused);
	ck_assert_int_eq(end(s), 0);
}
END_TEST

/* ---- garbage ---- */

static void
name_of_the_wrong_form(struct names_test *s)
{
	say_name(s, "203.0.113.1", "Upper.test", 0);
}

static void
name_with_an_escape(struct names_test *s)
{
	say_name(s, "203.0.113.1", "a\x1b[2J.test", 0);
}

static void
name_without_a_name(struct names_test *s)
{
	say_name(s, "203.0.113.1", "", 0);
}

static void
name_with_unknown_flags(struct names_test *s)
{
	say_name(s, "203.0.113.1", "a.test", 4);
}

static void
name_made_up_outside_of_the_range(struct names_test *s)
{
	say_name(s, "203.0.113.1", "a.test", MSG_NAME_SYNTHETIC);
}

static void
name_for_an_address_that_has_one(struct names_test *s)
{
	say_name(s, "198.18.0.1", "a.test", MSG_NAME_SYNTHETIC);
	say_name(s, "198.18.0.1", "b.test", MSG_NAME_SYNTHETIC);
}

static void
resolved_shorter_than_it_says(struct names_test *s)
{
	uint8_t body[MSG_RESOLVED_LEN] = { 2 }, one[MSG_ADDR_LEN] = { 4 };

	chan_send(s->dns, MSG_RESOLVED, 1, body, sizeof(body), one, sizeof(one), -1);
}

static void
resolved_to_no_address(struct names_test *s)
{
	uint8_t body[MSG_RESOLVED_LEN] = { 1 }, none[MSG_ADDR_LEN] = { 0 };

	chan_send(s->dns, MSG_RESOLVED, 1, body, sizeof(body), none, sizeof(none), -1);
}

static void
query_from_the_wrong_side(struct names_test *s)
{
	chan_send(s->dns, MSG_ANSWER, 1, NULL, 0, NULL, 0, -1);
}

static const struct {
	void		(*send)(struct names_test *);
	const char	*why;
} garbage[] = {
	{ name_of_the_wrong_form, "bad NAME" },
	{ name_with_an_escape, "bad NAME" },
	{ name_without_a_name, "bad NAME" },
	{ name_with_unknown_flags, "bad NAME" },
	{ name_made_up_outside_of_the_range, "bad NAME" },
	{ name_for_an_address_that_has_one, "bad NAME" },
	{ resolved_shorter_than_it_says, "bad RESOLVED" },
	{ resolved_to_no_address, "bad RESOLVED" },
	{ query_from_the_wrong_side, "wrong direction" },
};

START_TEST(garbage_from_cf_dns_ends_it_with_one_line)
{
	struct names_test *s = start("--synthetic");
	char want[128];
	int status;

	garbage[_i].send(s);
	chan_flush(s->dns);
	status = helper_wait(&s->t->h);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	snprintf(want, sizeof(want), "cf-proxy: cf-dns sent garbage: %s\n", garbage[_i].why);
	ck_assert_str_eq(s->t->h.err, want);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("names");
	Suite *suite = suite_create("names of the policy stage");
	SRunner *runner = srunner_create(suite);

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, name_that_was_said_before_counts);
	tcase_add_test(tc, flow_keeps_the_names_that_it_went_by);
	tcase_add_test(tc, made_up_address_leads_to_the_real_ones);
	tcase_add_test(tc, last_refusal_is_the_flows);
	tcase_add_test(tc, real_addresses_are_judged);
	tcase_add_test(tc, address_that_no_name_has_leads_nowhere);
	tcase_add_test(tc, without_synthetic_the_range_is_like_any_other);
	tcase_add_test(tc, flow_given_up_while_its_name_is_resolved_is_gone);
	tcase_add_test(tc, end_of_cf_dns_is_not_the_end);
	tcase_add_loop_test(tc, garbage_from_cf_dns_ends_it_with_one_line, 0, (int)COUNT(garbage));
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	return srunner_ntests_failed(runner) == 0 ? 0 : 1;
}
