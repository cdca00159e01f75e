/*
 * test_quota.c - the built policy stage with quotas, between a client that may do anything and
 * a dialler, which are both this test: nothing passes that was not counted.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>

#include "talk.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define HOST		"198.51.100.1"

/* A frame that came to the dialler. */
struct came {
	uint16_t	 type;
	uint64_t	 flow;
	size_t		 len;
	uint8_t		 first[MSG_OPEN_LEN];
};
struct stage_test {
	struct talk	*t;
	struct chan	*far;
	struct came	 came[256];
	size_t		 n;
	int		 log_fd;
};

static void
on_far(struct chan *c, const struct frame *f, int fd)
{
	struct stage_test *s = chan_arg(c);
	struct came *it = &s->came[s->n];

	ck_assert_int_eq(fd, -1);
	ck_assert_uint_lt(s->n++, COUNT(s->came));
	*it = (struct came){ .type = f->type, .flow = f->flow, .len = f->len };
	memcpy(it->first, f->body, f->len < sizeof(it->first) ? f->len : sizeof(it->first));
}

static const struct chan_handler far_handlers[] = {
	{ MSG_OPEN, on_far }, { MSG_CLOSE, on_far }, { MSG_DATA, on_far },
	{ MSG_WINDOW, on_far }, { MSG_EOF, on_far }, { MSG_RESET, on_far }, { 0 }
};

static void
turn(struct stage_test *s)
{
	struct pollfd p = { .fd = chan_rfd(s->far), .events = POLLIN };

	talk_turn(s->t, 2);
	chan_flush(s->far);
	if (poll(&p, 1, 2) > 0)
		(void)chan_read(s->far);
}

#define STAGE_WAIT(s, condition) do {						\
	int64_t until = now_ms() + PATIENCE_MS;					\
	while (!(condition)) {							\
		ck_assert_msg(now_ms() < until, "no %s", #condition);		\
		turn(s);							\
	}									\
} while (0)

/* A generation with this quota alone. */
static int
rules_with(const char *text)
{
	struct ruleopts_given given = { .source = RULES_QUOTA, .text = text };
	struct ruleopts rules = { .given = &given, .n = 1 };
	char why[RULEOPTS_WHY];
	size_t len;
	void *flat = ruleopts_compile(&rules, &len, why);
	int fd;

	ck_assert_msg(flat != NULL, "%s", why);
	fd = rulesfd_make(flat, len);
	ck_assert_int_ne(fd, -1);
	fcntl(fd, F_SETFD, 0);
	free(flat);
	return fd;
}

static struct stage_test *
stage_new(const char *text, bool far_passes_fds)
{
	struct stage_test *s = calloc(1, sizeof(*s));
	char dial[16], log[16], rules[16];
	const char *args[] = { "--policy", "--dial-fd", dial, "--log-fd", log, "--rules-fd", rules,
	    NULL };
	int pair[2], logs[2], rules_fd = rules_with(text);

	s->t = calloc(1, sizeof(*s->t));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(pipe(logs), 0);
	fcntl(pair[1], F_SETFD, FD_CLOEXEC);
	fcntl(logs[0], F_SETFD, FD_CLOEXEC);
	fcntl(logs[0], F_SETFL, O_NONBLOCK);
	snprintf(dial, sizeof(dial), "%d", pair[0]);
	snprintf(log, sizeof(log), "%d", logs[1]);
	snprintf(rules, sizeof(rules), "%d", rules_fd);
	helper_start(&s->t->h, OVER_SOCKET, args);
	close(pair[0]);
	close(logs[1]);
	close(rules_fd);
	s->log_fd = logs[0];
	s->t->relay = true;		/* what comes back is expected without a descriptor */
	talk_hello(s->t, s->t->h.rfd, s->t->h.wfd, R_STACK, R_PROXY);
	s->far = chan_new(pair[1], pair[1], R_DIAL, R_PROXY, s);
	chan_handlers(s->far, far_handlers);
	chan_hello(s->far, far_passes_fds ? MSG_CAP_FD : 0);
	STAGE_WAIT(s, chan_peer(s->t->chan) != 0 && chan_peer(s->far) != 0);
	return s;
}

static void
ask(struct stage_test *s, uint64_t id, uint8_t proto, uint8_t flags)
{
	struct addr dst = address(HOST, 80);
	struct msg_open o = open_to(proto, &dst);
	uint8_t body[MSG_OPEN_LEN];
	struct wr w = wr_over(body, sizeof(body));
	size_t n = s->n, refused = s->t->n_refused;

	o.flags = flags;
	msg_open_put(&w, &o);
	chan_send(s->t->chan, MSG_OPEN, id, body, sizeof(body), NULL, 0, -1);
	STAGE_WAIT(s, s->n > n || s->t->n_refused > refused);
}

static void
grant(struct stage_test *s, uint64_t id)
{
	uint8_t body[MSG_OPENED_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_opened_put(&w, &(struct msg_opened){ .local = { .family = 4, .port = 7 } });
	chan_send(s->far, MSG_OPENED, id, body, sizeof(body), NULL, 0, -1);
	STAGE_WAIT(s, s->t->flow[id].opened);
}

static void
open_one(struct stage_test *s, uint64_t id, uint8_t proto)
{
	ask(s, id, proto, OPEN_DF);
	grant(s, id);
}

static void
data(struct chan *c, uint64_t id, size_t len)
{
	static const uint8_t zeroes[MSG_TAIL_MAX];

	chan_send(c, MSG_DATA, id, NULL, 0, zeroes, len, -1);
}

/* What came to the dialler of these types, added up: bytes of DATA, else how many. */
static size_t
far_sum(const struct stage_test *s, uint16_t type)
{
	size_t sum = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->came[i].type == type)
			sum += type == MSG_DATA ? s->came[i].len : 1;
	return sum;
}

static uint32_t
last_reason(const struct stage_test *s)
{
	struct rd r = rd_over(s->came[s->n - 1].first, MSG_CLOSE_LEN);
	struct msg_close m;

	ck_assert_uint_eq(s->came[s->n - 1].type, MSG_CLOSE);
	ck_assert(msg_close_get(&r, &m));
	return m.reason;
}

/* The next event of this name; those before it are passed over. */
static json_t *
event_find(struct stage_test *s, const char *name)
{
	char line[4096];
	json_t *e;

	for (;;) {
		size_t len = 0;

		while (len < sizeof(line) && read(s->log_fd, line + len, 1) == 1 && line[len] != '\n')
			len++;
		e = json_loadb(line, len, 0, NULL);
		ck_assert_msg(e != NULL, "no event %s", name);
		if (strcmp(json_string_value(json_object_get(e, "event")), name) == 0)
			return e;
		json_decref(e);
	}
}

static void
has(const json_t *event, const char *key, const char *text)
{
	const char *v = json_string_value(json_object_get(event, key));

	ck_assert_str_eq(v != NULL ? v : "(none)", text);
}

static void
counts(const json_t *event, const char *key, json_int_t n)
{
	ck_assert_int_eq(json_integer_value(json_object_get(event, key)), n);
}

static void
stage_end(struct stage_test *s)
{
	int status;

	chan_flush(s->t->chan);
	chan_shutdown(s->t->chan);
	status = helper_wait(&s->t->h);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}

/* ---- the cases ---- */

START_TEST(counted_flow_is_asked_for_without_descriptor)
{
	struct stage_test *s = stage_new("*/tcp=1MB", true);

	ask(s, 1, IPPROTO_TCP, OPEN_DF | OPEN_DIRECT);
	ck_assert_uint_eq(s->came[0].first[3], OPEN_DF | OPEN_RELAY);	/* DIRECT is not the tree's */
	ask(s, 2, IPPROTO_UDP, 0);
	ck_assert_uint_eq(s->came[1].first[3], 0);
	stage_end(s);
}
END_TEST

START_TEST(up_passes_to_the_byte_and_the_dialler_delivers)
{
	struct stage_test *s = stage_new("*=1000B/up", _i == 0);
	json_t *e;

	open_one(s, 1, IPPROTO_TCP);
	data(s->t->chan, 1, 700);
	data(s->t->chan, 1, 700);
	data(s->t->chan, 1, 700);
	STAGE_WAIT(s, s->t->flow[1].reset != 0 && far_sum(s, MSG_EOF) == 1);
	ck_assert_int_eq(s->t->flow[1].reset, EACCES);
	ck_assert_uint_eq(far_sum(s, MSG_DATA), 1000);
	ck_assert_uint_eq(far_sum(s, MSG_CLOSE), 0);
	e = event_find(s, "policy_violation");
	has(e, "reason_code", "quota_bytes");
	has(e, "control", "--quota");
	has(e, "rule", "*");
	has(e, "quota", "1KB/up");
	counts(e, "used", 1000);
	data(s->far, 1, 500);			/* nobody's */
	flow_close(s->t, 1, CLOSE_RESET);
	turn(s);
	ck_assert_uint_eq(far_sum(s, MSG_CLOSE), 0);
	chan_send(s->far, MSG_EOF, 1, NULL, 0, NULL, 0, -1);
	STAGE_WAIT(s, far_sum(s, MSG_CLOSE) == 1);
	ck_assert_uint_eq(last_reason(s), CLOSE_END);
	ck_assert_uint_eq(s->t->flow[1].in_len, 0);
	e = event_find(s, "flow_end");
	has(e, "close_reason", "quota_bytes");
	counts(e, "bytes_up", 1000);
	ask(s, 2, IPPROTO_TCP, 0);
	ck_assert(s->t->flow[2].refused && s->t->flow[2].no.why == REFUSED_POLICY);
	stage_end(s);
	e = event_find(s, "quota");
	has(e, "target", "*");
	has(e, "limit", "1KB/up");
	counts(e, "used", 1000);
	counts(e, "max", 1000);
	counts(e, "flows", 1);
}
END_TEST

START_TEST(down_passes_to_the_byte_and_the_dialler_resets)
{
	struct stage_test *s = stage_new("*=1000B/down", _i == 0);

	open_one(s, 1, IPPROTO_TCP);
	data(s->far, 1, 999);
	data(s->far, 1, 999);
	data(s->far, 1, 999);
	STAGE_WAIT(s, s->t->flow[1].reset != 0 && far_sum(s, MSG_CLOSE) == 1);
	ck_assert_uint_eq(s->t->flow[1].in_len, 1000);
	ck_assert_uint_eq(last_reason(s), CLOSE_RESET);
	flow_close(s->t, 1, CLOSE_PEER);
	turn(s);
	ck_assert_uint_eq(far_sum(s, MSG_CLOSE), 1);
	stage_end(s);
}
END_TEST

START_TEST(datagram_that_does_not_fit_does_not_pass)
{
	struct stage_test *s = stage_new("*=1000B", _i == 0);

	open_one(s, 1, IPPROTO_UDP);
	data(s->t->chan, 1, 900);
	data(s->far, 1, 0);
	data(s->far, 1, 101);
	STAGE_WAIT(s, s->t->flow[1].reset != 0 && far_sum(s, MSG_CLOSE) == 1);
	ck_assert_uint_eq(far_sum(s, MSG_DATA), 900);
	ck_assert_uint_eq(s->t->flow[1].frames, 1);
	ck_assert_uint_eq(s->t->flow[1].in_len, 0);
	stage_end(s);
}
END_TEST

/* What a client goes on sending of a flow that was cut reaches nobody. */
START_TEST(cut_is_cut_whatever_the_client_does)
{
	struct stage_test *s = stage_new("*=10B/up", true);
	uint8_t more[4] = { 0, 0, 1 };
	size_t n;

	open_one(s, 1, IPPROTO_TCP);
	data(s->t->chan, 1, 11);
	STAGE_WAIT(s, far_sum(s, MSG_EOF) == 1);
	n = s->n;
	data(s->t->chan, 1, 1);
	chan_send(s->t->chan, MSG_WINDOW, 1, more, sizeof(more), NULL, 0, -1);
	chan_send(s->t->chan, MSG_EOF, 1, NULL, 0, NULL, 0, -1);
	chan_send(s->t->chan, MSG_RESET, 1, more, sizeof(more), NULL, 0, -1);
	flow_close(s->t, 1, CLOSE_RESET);
	flow_close(s->t, 1, CLOSE_RESET);
	ask(s, 2, IPPROTO_TCP, 0);		/* all before it has been read */
	ck_assert_uint_eq(s->n, n);
	stage_end(s);
	STAGE_WAIT(s, far_sum(s, MSG_CLOSE) == 1);	/* the end of the run is the end of waiting */
}
END_TEST

START_TEST(dialler_must_not_give_a_descriptor_for_it)
{
	struct stage_test *s = stage_new("*=10B/up", true);
	uint8_t body[MSG_OPENED_LEN] = { 4 };
	int status;

	ask(s, 1, IPPROTO_TCP, 0);
	chan_send(s->far, MSG_OPENED, 1, body, sizeof(body), NULL, 0,
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	chan_flush(s->far);
	status = helper_wait(&s->t->h);
	ck_assert_int_eq(WEXITSTATUS(status), 1);
	ck_assert_str_eq(s->t->h.err, "cf-proxy: cf-proxy dialler sent garbage: unexpected descriptor\n");
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("quota");
	Suite *suite = suite_create("quota");
	SRunner *runner = srunner_create(suite);
	int failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, counted_flow_is_asked_for_without_descriptor);
	/* Second: a dialler at the end of a pipe. */
	tcase_add_loop_test(tc, up_passes_to_the_byte_and_the_dialler_delivers, 0, 2);
	tcase_add_loop_test(tc, down_passes_to_the_byte_and_the_dialler_resets, 0, 2);
	tcase_add_loop_test(tc, datagram_that_does_not_fit_does_not_pass, 0, 2);
	tcase_add_test(tc, cut_is_cut_whatever_the_client_does);
	tcase_add_test(tc, dialler_must_not_give_a_descriptor_for_it);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
