/*
 * test_broker.c - the built policy stage, sealed, between a client and a dialler that
 * are both this test: what goes through, what does not, and what is written down first.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "talk.h"

#define LIMIT		230		/* of open files: a little above where the channel goes */
#define TOO_MANY	"too many connections are being opened"
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* A stage with both its neighbours.  far: the dialler's end, which records what came. */
struct stage_test {
	struct talk	*t;
	struct chan	*far;
	bool		 far_ended;
	uint16_t	 type[256];		/* frames that came to the dialler */
	uint64_t	 flow[256];
	size_t		 n;
	uint8_t		 data[MSG_TAIL_MAX];
	size_t		 data_len;
	int		 log_fd;		/* to read events from */
	json_t		*event;		/* the last that was read */
};

static void
on_far(struct chan *c, const struct frame *f, int fd)
{
	struct stage_test *s = chan_arg(c);

	ck_assert_int_eq(fd, -1);
	ck_assert_uint_lt(s->n, COUNT(s->type));
	s->type[s->n] = f->type;
	s->flow[s->n++] = f->flow;
	if (f->type == MSG_DATA) {
		memcpy(s->data, f->body, f->len);
		s->data_len = f->len;
	}
}

static const struct chan_handler far_handlers[] = {
	{ MSG_OPEN, on_far }, { MSG_CLOSE, on_far }, { MSG_DATA, on_far },
	{ MSG_WINDOW, on_far }, { MSG_EOF, on_far }, { MSG_RESET, on_far }, { 0 }
};

/* A turn for each of the two neighbours. */
static void
turn(struct stage_test *s)
{
	struct pollfd p = { .fd = chan_rfd(s->far), .events = POLLIN };

	talk_turn(s->t, 2);
	chan_flush(s->far);
	if (!s->far_ended && poll(&p, 1, 2) > 0)
		s->far_ended = chan_read(s->far) <= 0;
}

#define STAGE_WAIT(s, condition) do {						\
	int64_t until = now_ms() + PATIENCE_MS;					\
	while (!(condition)) {							\
		ck_assert_msg(now_ms() < until, "no %s", #condition);		\
		turn(s);							\
	}									\
} while (0)

/* far_caps: what the dialler can do.  more: further options, NULL-ended. */
static struct stage_test *
stage_with(enum transport over, uint32_t far_caps, const char *const *more)
{
	struct stage_test *s = calloc(1, sizeof(*s));
	char dial[16], log[16];
	const char *args[ARGS_MAX] = { "--policy", "--dial-fd", dial, "--log-fd", log };
	int pair[2], logs[2];

	for (int i = 0; more[i] != NULL; i++)
		args[5 + i] = more[i];

	s->t = calloc(1, sizeof(*s->t));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(pipe(logs), 0);
	fcntl(pair[1], F_SETFD, FD_CLOEXEC);
	fcntl(logs[0], F_SETFD, FD_CLOEXEC);
	fcntl(logs[0], F_SETFL, O_NONBLOCK);
	snprintf(dial, sizeof(dial), "%d", pair[0]);
	snprintf(log, sizeof(log), "%d", logs[1]);
	helper_start(&s->t->h, over, args);
	close(pair[0]);
	close(logs[1]);
	s->log_fd = logs[0];
	talk_hello(s->t, s->t->h.rfd, s->t->h.wfd, R_STACK, R_PROXY);
	s->far = chan_new(pair[1], pair[1], R_DIAL, R_PROXY, s);
	chan_handlers(s->far, far_handlers);
	chan_hello(s->far, far_caps);
	STAGE_WAIT(s, chan_peer(s->t->chan) != 0 && chan_peer(s->far) != 0);
	return s;
}

static struct stage_test *
stage_new(enum transport over, uint32_t far_caps)
{
	static const char *const none[] = { NULL };

	return stage_with(over, far_caps, none);
}

/* The next event, which must have been written by now. */
static json_t *
event_next(struct stage_test *s, const char *name)
{
	char line[4096];
	size_t len = 0;

	while (len < sizeof(line) && read(s->log_fd, line + len, 1) == 1 && line[len] != '\n')
		len++;
	json_decref(s->event);
	s->event = json_loadb(line, len, 0, NULL);
	ck_assert_msg(s->event != NULL, "no event where %s should be", name);
	ck_assert_str_eq(json_string_value(json_object_get(s->event, "event")), name);
	ck_assert_int_eq(json_integer_value(json_object_get(s->event, "schema_version")), 1);
	return s->event;
}

static const char *
str(const json_t *event, const char *key)
{
	const char *v = json_string_value(json_object_get(event, key));

	return v != NULL ? v : "(none)";
}

static json_int_t
num(const json_t *event, const char *key)
{
	ck_assert_msg(json_is_integer(json_object_get(event, key)), "%s", key);
	return json_integer_value(json_object_get(event, key));
}

static void
no_more_events(struct stage_test *s)
{
	char c;

	ck_assert_int_le(read(s->log_fd, &c, 1), 0);
}

static int
stage_end(struct stage_test *s)
{
	int status;

	chan_flush(s->t->chan);
	chan_shutdown(s->t->chan);
	status = helper_wait(&s->t->h);
	return status;
}

static void
ask(struct stage_test *s, uint64_t id, uint8_t proto, const char *ip, uint16_t port)
{
	struct addr dst = address(ip, port);
	struct msg_open o = open_to(proto, &dst);
	size_t n = s->n, refused = s->t->n_refused;

	open_ask(s->t, id, &o);
	STAGE_WAIT(s, s->n > n || s->t->n_refused > refused);
}

static void
grant(struct stage_test *s, uint64_t id, int fd)
{
	uint8_t body[MSG_OPENED_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_opened_put(&w, &(struct msg_opened){ .local = { .family = 4, .port = 7 } });
	chan_send(s->far, MSG_OPENED, id, body, sizeof(body), NULL, 0, fd);
}

static void
deny(struct stage_test *s, uint64_t id, const struct msg_refused *no, const char *text)
{
	uint8_t body[MSG_REFUSED_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_refused_put(&w, no);
	chan_send(s->far, MSG_REFUSED, id, body, sizeof(body), text, strlen(text), -1);
}

static int
some_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

START_TEST(flow_is_recorded_before_each_step)
{
	struct stage_test *s = stage_new(OVER_SOCKET, MSG_CAP_FD);
	uint8_t body[MSG_CLOSE_LEN];
	struct wr w = wr_over(body, sizeof(body));
	json_t *e;

	ck_assert_uint_eq(chan_caps(s->t->chan), MSG_CAP_FD);
	ask(s, 1, IPPROTO_TCP, "198.51.100.1", 443);
	ck_assert_uint_eq(s->type[0], MSG_OPEN);
	ck_assert_uint_eq(s->flow[0], 1);
	e = event_next(s, "connect_attempt");
	ck_assert_str_eq(str(e, "protocol"), "tcp");
	ck_assert_str_eq(str(e, "remote_addr"), "198.51.100.1:443");
	ck_assert(json_is_false(json_object_get(e, "via_proxy")));
	no_more_events(s);

	grant(s, 1, some_socket());
	STAGE_WAIT(s, s->t->flow[1].opened);
	e = event_next(s, "connect_result");
	ck_assert_str_eq(str(e, "status"), "ok");
	ck_assert(json_is_null(json_object_get(e, "error")));
	ck_assert_int_ne(s->t->flow[1].fd, -1);

	msg_close_put(&w, &(struct msg_close){ .reason = CLOSE_EOF, .up_bytes = 10,
	    .down_bytes = 20, .up_packets = 3, .down_packets = 4 });
	chan_send(s->t->chan, MSG_CLOSE, 1, body, sizeof(body), NULL, 0, -1);
	ask(s, 2, IPPROTO_UDP, "198.51.100.1", 53);	/* the CLOSE goes with the next OPEN */
	STAGE_WAIT(s, s->n == 3);
	ck_assert_uint_eq(s->type[1], MSG_CLOSE);
	ck_assert_uint_eq(s->type[2], MSG_OPEN);
	e = event_next(s, "flow_end");
	ck_assert_int_eq(num(e, "flow"), 1);
	ck_assert_int_eq(num(e, "src_port"), 4000);
	ck_assert_int_eq(num(e, "remote_port"), 443);
	ck_assert_int_eq(num(e, "bytes_up"), 10);
	ck_assert_int_eq(num(e, "bytes_down"), 20);
	ck_assert_int_eq(num(e, "packets_up"), 3);
	ck_assert_int_eq(num(e, "packets_down"), 4);
	ck_assert_int_ge(num(e, "duration_ms"), 0);
	ck_assert_str_eq(str(e, "close_reason"), "eof");
	ck_assert_str_eq(str(event_next(s, "connect_attempt"), "protocol"), "udp");

	grant(s, 2, some_socket());
	STAGE_WAIT(s, s->t->flow[2].opened);
	event_next(s, "connect_result");
	ask(s, 3, IPPROTO_ICMP, "198.51.100.1", 0);
	e = event_next(s, "connect_attempt");
	ck_assert_str_eq(str(e, "protocol"), "icmpv4");
	ck_assert_str_eq(str(e, "remote_addr"), "198.51.100.1");
	ck_assert_int_eq(stage_end(s), 0);		/* with one open and one pending flow */
	ck_assert_str_eq(s->t->h.err, "");
	ck_assert_str_eq(str(event_next(s, "flow_end"), "close_reason"), "end");
	ck_assert_str_eq(str(event_next(s, "connect_result"), "status"), "error");
	no_more_events(s);
}
END_TEST

START_TEST(forbidden_destination_never_reaches_the_dialler)
{
	struct stage_test *s = stage_new(OVER_SOCKET, MSG_CAP_FD);
	json_t *e;

	ask(s, 1, IPPROTO_TCP, "::ffff:127.0.0.1", 80);
	ck_assert(s->t->flow[1].refused);
	ck_assert_int_eq(s->t->flow[1].no.why, REFUSED_POLICY);
	ck_assert_uint_eq(s->t->flow[1].no.err, EACCES);
	ck_assert_uint_eq(s->n, 0);
	e = event_next(s, "policy_violation");
	ck_assert_str_eq(str(e, "reason_code"), "loopback");
	ck_assert_str_eq(str(e, "action"), "deny");
	ck_assert_str_eq(str(e, "control"), "built-in");
	ck_assert_str_eq(str(e, "matched_cidr"), "127.0.0.0/8");
	ck_assert_str_eq(str(e, "remote_ip"), "::ffff:127.0.0.1");
	ask(s, 2, IPPROTO_ICMP, "192.0.0.1", 0);
	e = event_next(s, "policy_violation");
	ck_assert_str_eq(str(e, "reason_code"), "inside");
	ck_assert_str_eq(str(e, "remote"), "192.0.0.1");
	ck_assert(json_is_null(json_object_get(e, "remote_port")));
	no_more_events(s);
	ck_assert_int_eq(stage_end(s), 0);
}
END_TEST

/* What the rules say is recorded, told once, and counted before the client knows. */
START_TEST(rules_judge_and_each_violation_counts)
{
	static const char *const words[] = { "--deny", "198.51.100.0/24:80/tcp", "--block-private",
	    NULL };
	char rules[16], counter[16];
	const char *more[] = { "--rules-fd", rules, "--violations-fd", counter, NULL };
	int rules_fd = rules_made(words), count_fd = eventfd(0, EFD_NONBLOCK);
	struct stage_test *s;
	uint64_t n;
	json_t *e;

	snprintf(rules, sizeof(rules), "%d", rules_fd);
	snprintf(counter, sizeof(counter), "%d", count_fd);
	s = stage_with(OVER_SOCKET, MSG_CAP_FD, more);
	for (uint64_t id = 1; id <= 2; id++) {
		ask(s, id, IPPROTO_TCP, "198.51.100.1", 80);
		ck_assert_int_eq(s->t->flow[id].no.why, REFUSED_POLICY);
		ck_assert_int_eq(read(count_fd, &n, sizeof(n)), sizeof(n));
		ck_assert_uint_eq(n, 1);
		e = event_next(s, "policy_violation");
		ck_assert_str_eq(str(e, "reason_code"), "deny_rule");
		ck_assert_str_eq(str(e, "control"), "--deny");
		ck_assert_str_eq(str(e, "matched_cidr"), "198.51.100.0/24");
		ck_assert_str_eq(str(e, "reason"), "blocked by `--deny 198.51.100.0/24:80/tcp`");
	}
	ask(s, 3, IPPROTO_UDP, "10.1.2.3", 80);
	ck_assert_str_eq(str(event_next(s, "policy_violation"), "control"), "--block-private");
	ck_assert_uint_eq(s->n, 0);
	ask(s, 4, IPPROTO_TCP, "198.51.100.1", 81);
	event_next(s, "connect_attempt");
	ck_assert_int_eq(stage_end(s), 0);
	ck_assert_str_eq(s->t->h.err, "cf-proxy: tcp 198.51.100.1:80: blocked by `--deny "
	    "198.51.100.0/24:80/tcp`; a rule that refuses beats those that allow: take it away\n"
	    "cf-proxy: udp 10.1.2.3:80: blocked by `--block-private`; run it without "
	    "--block-private (this is a private address)\n"
	    "cf-proxy: tcp 198.51.100.1:80: refused 2 times\n");
}
END_TEST

START_TEST(unfit_rules_end_it_before_anything_leaves)
{
	char fd[16];
	const char *args[] = { "--policy", "--dial-fd", fd, "--rules-fd", fd, NULL };
	struct helper h;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	snprintf(fd, sizeof(fd), "%d", pair[0]);
	helper_start(&h, OVER_SOCKET, args);
	ck_assert_int_eq(WEXITSTATUS(helper_wait(&h)), 1);
	ck_assert_ptr_nonnull(strstr(h.err, "cannot use the rules on descriptor "));
}
END_TEST

START_TEST(refusal_goes_on_with_its_text)
{
	static const struct msg_refused no = { .why = REFUSED_ERRNO, .err = ECONNREFUSED };
	struct stage_test *s = stage_new(OVER_SOCKET, MSG_CAP_FD);

	ask(s, 1, IPPROTO_TCP, "198.51.100.1", 80);
	event_next(s, "connect_attempt");
	deny(s, 1, &no, "");
	STAGE_WAIT(s, s->t->flow[1].refused);
	ck_assert_uint_eq(s->t->flow[1].no.err, ECONNREFUSED);
	ck_assert_str_eq(str(event_next(s, "connect_result"), "error"), "Connection refused");
	ask(s, 2, IPPROTO_TCP, "198.51.100.1", 80);
	event_next(s, "connect_attempt");
	deny(s, 2, &no, "the proxy says \xff no");
	STAGE_WAIT(s, s->t->flow[2].refused);
	ck_assert_str_eq(str(event_next(s, "connect_result"), "error"),
	    "the proxy says \xef\xbf\xbd no");
	ck_assert_int_eq(stage_end(s), 0);
}
END_TEST

START_TEST(flow_given_up_is_cancelled_and_late_answers_are_dropped)
{
	struct stage_test *s = stage_new(OVER_SOCKET, MSG_CAP_FD);

	ask(s, 1, IPPROTO_TCP, "198.51.100.1", 80);
	flow_close(s->t, 1, CLOSE_CANCEL);
	STAGE_WAIT(s, s->n == 2);
	ck_assert_uint_eq(s->type[1], MSG_CLOSE);
	grant(s, 1, some_socket());
	event_next(s, "connect_attempt");
	ck_assert_str_eq(str(event_next(s, "connect_result"), "status"), "error");
	ask(s, 2, IPPROTO_TCP, "198.51.100.1", 80);
	ck_assert(!s->t->flow[1].opened);
	ck_assert_int_eq(stage_end(s), 0);
}
END_TEST

/* Either side without descriptors: payload goes through unchanged. */
START_TEST(payload_passes_through_where_descriptors_do_not)
{
	struct stage_test *s = stage_new(_i == 0 ? OVER_PIPES : OVER_SOCKET,
	    _i == 0 ? MSG_CAP_FD : 0);

	ck_assert_uint_eq(chan_caps(s->t->chan), 0);
	ck_assert_uint_eq(chan_caps(s->far), 0);
	s->t->auto_window = false;
	ask(s, 1, IPPROTO_TCP, "198.51.100.1", 80);
	grant(s, 1, -1);
	STAGE_WAIT(s, s->t->flow[1].opened);
	flow_send(s->t, 1, "payload");
	STAGE_WAIT(s, s->n == 2);
	ck_assert_uint_eq(s->data_len, 7);
	ck_assert_int_eq(memcmp(s->data, "payload", 7), 0);
	chan_send(s->far, MSG_DATA, 1, NULL, 0, "back", 4, -1);
	chan_send(s->far, MSG_EOF, 1, NULL, 0, NULL, 0, -1);
	STAGE_WAIT(s, s->t->flow[1].eof);
	ck_assert_uint_eq(s->t->flow[1].in_len, 4);
	flow_eof(s->t, 1);
	flow_close(s->t, 1, CLOSE_EOF);
	STAGE_WAIT(s, s->n == 4);
	ck_assert_uint_eq(s->type[2], MSG_EOF);
	ck_assert_uint_eq(s->type[3], MSG_CLOSE);
	flow_send(s->t, 1, "after the end");		/* goes nowhere */
	ask(s, 2, IPPROTO_TCP, "198.51.100.1", 80);
	ck_assert_uint_eq(s->type[4], MSG_OPEN);
	ck_assert_int_eq(stage_end(s), 0);
}
END_TEST

/* Without its dialler there is no network: the stage ends, silently, as cf-spawn says what happened. */
START_TEST(dialler_that_goes_ends_the_stage)
{
	struct stage_test *s = stage_new(OVER_SOCKET, MSG_CAP_FD);
	int status;

	ask(s, 1, IPPROTO_TCP, "198.51.100.1", 80);
	grant(s, 1, some_socket());
	STAGE_WAIT(s, s->t->flow[1].opened);
	chan_free(s->far);
	status = helper_wait(&s->t->h);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), CHAN_FOLLOWED);
	ck_assert_str_eq(s->t->h.err, "");
	event_next(s, "connect_attempt");
	event_next(s, "connect_result");
	event_next(s, "flow_end");
}
END_TEST

/* ---- few descriptors ---- */

/* How often word is in the events that were not read yet. */
static size_t
events_with(struct stage_test *s, const char *word)
{
	static char text[65536];
	ssize_t n = read(s->log_fd, text, sizeof(text) - 1);
	size_t found = 0;

	text[n > 0 ? n : 0] = '\0';
	for (const char *p = text; (p = strstr(p, word)) != NULL; p++)
		found++;
	return found;
}

/* One more OPEN, answered by the dialler where it comes that far; the client reads nothing. */
static bool
ask_unread(struct stage_test *s, uint64_t id)
{
	struct addr dst = address("198.51.100.1", 80);
	struct msg_open o = open_to(IPPROTO_TCP, &dst);
	struct pollfd far = { .fd = chan_rfd(s->far), .events = POLLIN };
	int64_t until = now_ms() + PATIENCE_MS;
	size_t refused = 0;

	open_ask(s->t, id, &o);
	chan_flush(s->t->chan);
	for (s->n = 0; s->n == 0 && refused == 0; refused = events_with(s, TOO_MANY)) {
		ck_assert_msg(now_ms() < until, "flow %ju is neither asked for nor refused",
		    (uintmax_t)id);
		if (poll(&far, 1, 2) > 0)
			ck_assert_int_eq(chan_read(s->far), 1);
	}
	if (s->n == 0)
		return false;
	grant(s, id, some_socket());
	ck_assert_int_eq(chan_flush(s->far), 0);
	return true;
}

/* What the client has got; it does not keep it. */
static void
fds_close(struct stage_test *s, uint64_t last)
{
	for (uint64_t id = 1; id <= last; id++)
		if (s->t->flow[id].opened && s->t->flow[id].fd != -1) {
			close(s->t->flow[id].fd);
			s->t->flow[id].fd = -1;
		}
}

/* A client that does not read, or a dialler that does not answer, must not cost a descriptor. */
START_TEST(flows_beyond_the_descriptors_are_refused)
{
	enum { ASKED = 1000 };
	struct stage_test *s;
	size_t granted = 0;
	uint64_t id;

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ LIMIT, LIMIT }), 0);
	s = stage_new(OVER_SOCKET, MSG_CAP_FD);
	ck_assert_int_ge(fcntl(s->log_fd, F_SETPIPE_SZ, 1 << 20), 1 << 20);	/* for all at the end */
	for (id = 1; id <= ASKED; id++)
		granted += ask_unread(s, id);
	ck_assert_uint_gt(granted, 0);
	ck_assert_uint_lt(granted, ASKED);
	STAGE_WAIT(s, (fds_close(s, ASKED), s->t->n_opened + s->t->n_refused == ASKED));
	ck_assert_uint_eq(s->t->n_opened, granted);
	for (id = 1; id <= ASKED; id++)
		ck_assert(s->t->flow[id].opened || s->t->flow[id].no.why == REFUSED_LIMIT);
	ck_assert(ask_unread(s, id));			/* it passes */
	ck_assert_int_eq(stage_end(s), 0);
	ck_assert_ptr_nonnull(strstr(s->t->h.err, "limit reached: descriptors, ports or memory"));
	ck_assert_ptr_eq(strchr(s->t->h.err, '\n'), s->t->h.err + strlen(s->t->h.err) - 1);
}
END_TEST

START_TEST(unanswered_flows_count_as_descriptors)
{
	enum { ASKED = LIMIT };
	struct stage_test *s;
	uint64_t id;

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ LIMIT, LIMIT }), 0);
	s = stage_new(OVER_SOCKET, MSG_CAP_FD);
	for (id = 1; id <= ASKED && s->t->n_refused == 0; id++)
		ask(s, id, IPPROTO_TCP, "198.51.100.1", 80);
	ck_assert_uint_lt(id, ASKED);
	ck_assert_uint_gt(id, 10);
	ck_assert_int_eq(s->t->flow[id - 1].no.why, REFUSED_LIMIT);
	ck_assert_uint_eq(events_with(s, TOO_MANY), 1);
	flow_close(s->t, 1, CLOSE_CANCEL);
	ask(s, id, IPPROTO_TCP, "198.51.100.1", 80);
	ck_assert(!s->t->flow[id].refused);
	ck_assert_int_eq(stage_end(s), 0);
}
END_TEST

/* ---- garbage from either neighbour ---- */

static void
client_reuses_a_number(struct stage_test *s)
{
	struct addr dst = address("198.51.100.1", 80);
	struct msg_open o = open_to(IPPROTO_TCP, &dst);

	open_ask(s->t, 5, &o);
	open_ask(s->t, 5, &o);
}

static void
client_opens_flow_0(struct stage_test *s)
{
	struct addr dst = address("198.51.100.1", 80);
	struct msg_open o = open_to(IPPROTO_TCP, &dst);

	open_ask(s->t, 0, &o);
}

static void
client_pings_the_other_family(struct stage_test *s)
{
	struct addr dst = address("198.51.100.1", 0);
	struct msg_open o = open_to(IPPROTO_ICMPV6, &dst);

	open_ask(s->t, 1, &o);
}

static void
limit_send(struct stage_test *s, uint32_t which, uint64_t times)
{
	uint8_t body[MSG_LIMIT_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_limit_put(&w, &(struct msg_limit){ .which = (enum limit)which, .most = 32768,
	    .times = times });
	chan_send(s->t->chan, MSG_LIMIT, 0, body, sizeof(body), NULL, 0, -1);
}

/* However many LIMITs come, there is one event at once, and one with the rest at the end. */
START_TEST(limits_are_recorded_and_do_not_flood_the_record)
{
	struct stage_test *s = stage_new(OVER_SOCKET, MSG_CAP_FD);
	json_t *e;

	for (int i = 0; i < 1000; i++) {
		limit_send(s, LIMIT_FLOWS, 1);
		limit_send(s, LIMIT_OPENING, UINT64_MAX);
	}
	ask(s, 1, IPPROTO_TCP, "198.51.100.1", 80);
	e = event_next(s, "limit_reached");
	ck_assert_str_eq(str(e, "which"), "flows");
	ck_assert_int_eq(num(e, "limit"), 32768);
	ck_assert_int_eq(num(e, "times"), 1);
	e = event_next(s, "limit_reached");
	ck_assert_str_eq(str(e, "which"), "opening");
	ck_assert_int_eq(num(e, "times"), INT64_MAX);
	event_next(s, "connect_attempt");
	deny(s, 1, &(struct msg_refused){ .why = REFUSED_LIMIT, .err = EMFILE }, "no descriptors");
	STAGE_WAIT(s, s->t->n_refused == 1);
	event_next(s, "connect_result");
	e = event_next(s, "limit_reached");
	ck_assert_str_eq(str(e, "which"), "host");
	ck_assert(json_is_null(json_object_get(e, "limit")));
	/* A host without an address of its own is no limit. */
	ask(s, 2, IPPROTO_TCP, "2001:db8::1", 80);
	event_next(s, "connect_attempt");
	deny(s, 2, &(struct msg_refused){ .why = REFUSED_LIMIT, .err = EADDRNOTAVAIL }, "none");
	STAGE_WAIT(s, s->t->n_refused == 2);
	event_next(s, "connect_result");
	no_more_events(s);
	ck_assert_int_eq(stage_end(s), 0);
	e = event_next(s, "limit_reached");
	ck_assert_str_eq(str(e, "which"), "flows");
	ck_assert_int_eq(num(e, "times"), 999);
	event_next(s, "limit_reached");
	no_more_events(s);
	ck_assert_ptr_nonnull(strstr(s->t->h.err, "limit reached: flows of the command tree (32768)"));
	ck_assert_ptr_null(strstr(strstr(s->t->h.err, "flows of") + 1, "flows of"));
}
END_TEST

static void
client_is_beyond_no_limit(struct stage_test *s)
{
	limit_send(s, LIMIT_HOST, 1);
}

static void
client_sends_data(struct stage_test *s)
{
	ask(s, 1, IPPROTO_TCP, "198.51.100.1", 80);
	grant(s, 1, some_socket());
	STAGE_WAIT(s, s->t->flow[1].opened);
	chan_send(s->t->chan, MSG_DATA, 1, NULL, 0, "x", 1, -1);
}

static void
client_sends_opened(struct stage_test *s)
{
	chan_send(s->t->chan, MSG_OPENED, 1, NULL, 0, "12345678901234567890", 20, -1);
}

static void
client_sends_a_descriptor(struct stage_test *s)
{
	uint8_t body[MSG_OPEN_LEN] = { 0 };

	chan_send(s->t->chan, MSG_OPEN, 1, body, sizeof(body), NULL, 0, some_socket());
}

static void
client_closes_for_no_reason(struct stage_test *s)
{
	uint8_t body[MSG_CLOSE_LEN] = { 99 };

	chan_send(s->t->chan, MSG_CLOSE, 1, body, sizeof(body), NULL, 0, -1);
}

static void
dialler_grants_without_socket(struct stage_test *s)
{
	ask(s, 1, IPPROTO_TCP, "198.51.100.1", 80);
	grant(s, 1, -1);
}

static void
dialler_grants_twice(struct stage_test *s)
{
	ask(s, 1, IPPROTO_TCP, "198.51.100.1", 80);
	grant(s, 1, some_socket());
	grant(s, 1, some_socket());
}

static void
dialler_refuses_nonsense(struct stage_test *s)
{
	static const struct msg_refused no = { .why = 77 };

	ask(s, 1, IPPROTO_TCP, "198.51.100.1", 80);
	deny(s, 1, &no, "");
}

static const struct {
	void		(*send)(struct stage_test *);
	const char	*who, *why;
} garbage[] = {
	{ client_reuses_a_number, "cf-netstack", "OPEN with a flow number that was used" },
	{ client_opens_flow_0,	"cf-netstack", "bad OPEN" },
	{ client_pings_the_other_family, "cf-netstack", "bad OPEN" },
	{ client_is_beyond_no_limit, "cf-netstack", "bad LIMIT" },
	{ client_sends_data,	"cf-netstack", "a frame for a flow that has a descriptor" },
	{ client_sends_opened,	"cf-netstack", "wrong direction" },
	{ client_sends_a_descriptor, "cf-netstack", "unexpected descriptor" },
	{ client_closes_for_no_reason, "cf-netstack", "bad CLOSE" },
	{ dialler_grants_without_socket, "cf-proxy dialler", "OPENED without its descriptor" },
	{ dialler_grants_twice,	"cf-proxy dialler", "OPENED a second time" },
	{ dialler_refuses_nonsense, "cf-proxy dialler", "bad REFUSED" },
};

START_TEST(garbage_ends_it_with_one_line)
{
	struct stage_test *s = stage_new(OVER_SOCKET, MSG_CAP_FD);
	char line[256];
	int status;

	garbage[_i].send(s);
	chan_flush(s->t->chan);
	chan_flush(s->far);
	status = helper_wait(&s->t->h);
	snprintf(line, sizeof(line), "cf-proxy: %s sent garbage: %s\n", garbage[_i].who,
	    garbage[_i].why);
	ck_assert_str_eq(s->t->h.err, line);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("broker");
	TCase *tc = tcase_create("policy stage");
	SRunner *sr;
	int failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, flow_is_recorded_before_each_step);
	tcase_add_test(tc, forbidden_destination_never_reaches_the_dialler);
	tcase_add_test(tc, rules_judge_and_each_violation_counts);
	tcase_add_test(tc, unfit_rules_end_it_before_anything_leaves);
	tcase_add_test(tc, refusal_goes_on_with_its_text);
	tcase_add_test(tc, flow_given_up_is_cancelled_and_late_answers_are_dropped);
	tcase_add_loop_test(tc, payload_passes_through_where_descriptors_do_not, 0, 2);
	tcase_add_test(tc, limits_are_recorded_and_do_not_flood_the_record);
	tcase_add_test(tc, dialler_that_goes_ends_the_stage);
	tcase_add_test(tc, flows_beyond_the_descriptors_are_refused);
	tcase_add_test(tc, unanswered_flows_count_as_descriptors);
	tcase_add_loop_test(tc, garbage_ends_it_with_one_line, 0, (int)COUNT(garbage));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
