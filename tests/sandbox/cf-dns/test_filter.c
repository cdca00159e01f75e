/*
 * test_filter.c - the built cf-dns, sealed, with rules: what is never asked, and what is said.
 *
 * SPDX-License-Identifier: MIT
 */
#include "denial.h"
#include "policy.h"

#define GATEWAY		INSIDE_GATEWAY4

static struct world *
start(const char *extra1, const char *extra2)
{
	struct world *w = world_new();
	static char one[ADDR_STRLEN];
	const char *args[] = { "--resolver", addr_str(&w->fakes[0].addr, one), "--rules-fd",
	    RULES_FD_TEXT, extra1, extra2, NULL };

	world_start(w, args);
	return w;
}
#define END(w)	ck_assert_int_eq(world_end(w), 0)

static unsigned
rcode(const struct world *w)
{
	return w->last->msg[3] & 0x0f;
}

static unsigned
count(const struct world *w, int section)
{
	return (unsigned)(w->last->msg[4 + 2 * section] << 8 | w->last->msg[5 + 2 * section]);
}

/* The extended error of the answer, 0: none. */
static unsigned
ede(const struct world *w)
{
	struct wire_answer a;

	wire_answer(w->last->msg, w->last->len, &a);
	if (a.opt == NULL || a.opt_len < 11 + 6)
		return 0;
	ck_assert_uint_eq(a.opt[12], 15);
	return (unsigned)(a.opt[15] << 8 | a.opt[16]);
}

static bool
is_asked(struct world *w, const char *name, uint16_t type)
{
	unsigned before = w->fakes[0].nudp, n = w->nanswers + 1;

	ask(w, n, IPPROTO_UDP, GATEWAY, name, type, 1232);
	ck_assert(world_until(w, n, 3000));
	return w->fakes[0].nudp > before;
}

/* ---- names ---- */

static const struct { const char *name; bool allowed; } spelled[] = {
	{ "allowed.test", true }, { "ALLOWED.TesT", true }, { "www.allowed.test", true },
	{ "_sip._tcp.allowed.test", true }, { "xn--bcher-kva.test", true },
	{ "-odd-.allowed.test", true }, { "\x01\xff.allowed.test", true },
	{ "exact.test", true }, { "a.wild.test", true },
	{ "below.exact.test", false }, { "wild.test", false },
	{ "notallowed.test", false }, { "allowed.test.evil.test", false }, { "test", false },
	{ "xallowed.test", false }, { "b\xfc" "cher.test", false }, { "", false },
	{ "allowed.test\x01", false }, { "\x01" "allowed.test", false }, { "*", false },
	{ "10.113.0.203.in-addr.arpa", false },
};

START_TEST(without_a_rule_that_allows_it_no_name_leaves)
{
	static const uint16_t types[] = { 1, 28, 2, 12, 16, 65, 255, 252, 251, 65280, 0 };
	struct world *w;

	RULES(RULES_DEFAULT_DENY, { RULES_ALLOW_DOMAIN, "allowed.test" },
	    { RULES_ALLOW_DOMAIN, "b\xc3\xbc" "cher.test" },
	    { RULES_ALLOW_DOMAIN_EXACT, "exact.test" }, { RULES_ALLOW, "*.wild.test" });
	w = start(NULL, NULL);
	for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
		ck_assert_msg(is_asked(w, spelled[_i].name, types[t]) == spelled[_i].allowed,
		    "%s, type %u", spelled[_i].name, types[t]);
		ck_assert_uint_eq(rcode(w), 0);
		ck_assert_uint_eq(ede(w), spelled[_i].allowed ? 0 : 15);
		ck_assert(spelled[_i].allowed || count(w, 1) == 0);
	}
	END(w);
}
END_TEST

START_TEST(a_dot_in_a_label_is_no_dot)
{
	/* evil\.allowed.test is a name below test, not below allowed.test. */
	static const uint8_t q[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0" "\x0c" "evil.allowed" "\4test\0"
	    "\0\1\0\1";
	struct world *w;

	RULES(RULES_DEFAULT_DENY, { RULES_ALLOW_DOMAIN, "allowed.test" });
	w = start(NULL, NULL);
	ask_raw(w, 1, IPPROTO_UDP, GATEWAY, q, sizeof(q) - 1);
	ck_assert(world_until(w, 1, 3000));
	ck_assert_uint_eq(w->fakes[0].nudp, 0);
	END(w);
}
END_TEST

/* ---- messages that are something else ---- */

#define NAME	"\7allowed\4test\0"
static const struct { const uint8_t *msg; size_t len; unsigned rcode; } odd[] = {
#define ROW(bytes, rcode)	{ (const uint8_t *)(bytes), sizeof(bytes) - 1, rcode }
	ROW("\x12\x34\1\0\0\0\0\0\0\0\0\0", 1),					/* no question */
	ROW("\x12\x34\1\0\0\2\0\0\0\0\0\0" NAME "\0\1\0\1" NAME "\0\1\0\1", 1),
	ROW("\x12\x34\x28\0\0\1\0\0\0\0\0\0" NAME "\0\6\0\1", 4),		/* UPDATE */
	ROW("\x12\x34\x20\0\0\1\0\0\0\0\0\0" NAME "\0\6\0\1", 4),		/* NOTIFY */
	ROW("\x12\x34\x10\0\0\1\0\0\0\0\0\0" NAME "\0\1\0\1", 4),		/* STATUS */
	ROW("\x12\x34\x30\0\0\0\0\0\0\0\0\0", 4),				/* DSO */
	ROW("\x12\x34\x78\0\0\1\0\0\0\0\0\0" NAME "\0\1\0\1", 4),		/* 15 */
	ROW("\x12\x34\x81\0\0\1\0\0\0\0\0\0" NAME "\0\1\0\1", 1),		/* an answer */
	ROW("\x12\x34\1\0\0\1\0\0\0\0\0\0" "\7allowed\xc0\x0c" "\0\1\0\1", 1),	/* a loop */
	ROW("\x12\x34\1\0\0\1\0\0\0\0\0\0" "\x47" "allowed\4test\0" "\0\1\0\1", 1),
};

START_TEST(what_has_no_name_to_judge_is_not_passed_on)
{
	struct world *w;

	RULES(RULES_DEFAULT_DENY, { RULES_ALLOW_DOMAIN, "allowed.test" });
	w = start(NULL, NULL);
	ask_raw(w, 1, IPPROTO_UDP, GATEWAY, odd[_i].msg, odd[_i].len);
	ck_assert(world_until(w, 1, 3000));
	ck_assert_uint_eq(rcode(w), odd[_i].rcode);
	ck_assert_uint_eq(wire_id(w->last->msg), 0x1234);
	ck_assert_uint_eq(w->fakes[0].nudp, 0);
	END(w);
}
END_TEST

/* ---- answers ---- */

static const struct { const char *kind; unsigned rcode; } kinds[] = {
	{ "empty", 0 }, { "nxdomain", 3 }, { "refused", 5 }
};

START_TEST(a_denied_name_gets_the_answer_that_was_chosen)
{
	const char *events;
	struct world *w;

	RULES(0, { RULES_DENY_DOMAIN, "denied.test" });
	w = start("--deny-answer", kinds[_i].kind);
	ck_assert(is_asked(w, "fine.test", 1));
	ck_assert(!is_asked(w, "Www.denied.test", 1));
	ck_assert_uint_eq(rcode(w), kinds[_i].rcode);
	ck_assert_uint_eq(ede(w), 15);
	ck_assert_uint_eq(w->last->msg[3] & 0x80, 0x80);		/* RA */
	ck_assert(memmem(w->last->msg, w->last->len, "--deny-domain", 13) != NULL);
	/* Without EDNS: no record at all. */
	ask(w, 3, IPPROTO_UDP, GATEWAY, "www.denied.test", 28, 0);
	ck_assert(world_until(w, 3, 3000));
	ck_assert_uint_eq(rcode(w), kinds[_i].rcode);
	ck_assert_uint_eq(count(w, 1) + count(w, 2) + count(w, 3), 0);
	END(w);
	events = drain(w->log);
	ck_assert_ptr_nonnull(strstr(events, "\"event\":\"policy_violation\",\"exe\":null,"));
	ck_assert_ptr_nonnull(strstr(events, "\"matched_cidr\":null,"
	    "\"matched_domain\":\"denied.test\",\"names\":[],\"pid\":null,"
	    "\"ppids\":[],\"protocol\":\"dns\",\"reason\":\"blocked by `--deny-domain denied.test`\","
	    "\"reason_code\":\"deny_domain\",\"remote\":\"www.denied.test\",\"remote_ip\":null,"
	    "\"remote_port\":null,"));
	ck_assert_ptr_nonnull(strstr(events, "\"mode\":\"synthetic_empty\",\"protocol\":\"udp\","
	    "\"qname\":\"www.denied.test\""));
	ck_assert_str_eq(drain(w->err),
	    "cf-dns: dns www.denied.test: blocked by `--deny-domain denied.test`; a rule that "
	    "refuses beats those that allow: take it away\n"
	    "cf-dns: dns www.denied.test: refused 2 times\n");
}
END_TEST

START_TEST(a_flood_of_denied_names_says_few_lines)
{
	char name[64];
	const char *err;
	unsigned lines = 0;
	struct world *w;

	RULES(RULES_OFFLINE, { RULES_ALLOW_DOMAIN, "test" });
	w = start(NULL, NULL);
	for (unsigned i = 1; i <= 1000; i++) {
		snprintf(name, sizeof(name), "n%u.test", i);
		ask(w, i, IPPROTO_UDP, GATEWAY, name, 1, 0);
		if (i % 50 == 0) {
			ck_assert(world_until(w, i, 10000));
			drain(w->log);
		}
	}
	ck_assert_uint_eq(w->fakes[0].nudp, 0);
	END(w);
	err = drain(w->err);
	for (const char *p = err; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	/* Those, that there are more, and how many. */
	ck_assert_uint_eq(lines, DENIAL_LINES + 2);
}
END_TEST

START_TEST(with_rules_the_tree_does_not_choose_who_is_asked)
{
	struct world *w;

	RULES(0, { RULES_DENY_CIDR, "192.0.2.0/24" });
	w = start(NULL, NULL);
	ask(w, 1, IPPROTO_UDP, "198.51.100.1", "www.test", 1, 0);
	ck_assert(world_until(w, 1, 3000));
	ck_assert_uint_eq(w->fakes[0].nudp, 1);
	END(w);
}
END_TEST

START_TEST(rules_that_are_none_end_it)
{
	struct world *w = world_new();
	int fd = open("/dev/null", O_RDONLY);

	dup2(fd, RULES_FD);
	world_start(w, (const char *const []){ "--rules-fd", RULES_FD_TEXT, NULL });
	ck_assert_int_eq(world_end(w), 1);
	ck_assert_str_eq(drain(w->err),
	    "cf-dns: cannot use the rules of descriptor 500: it is not a sealed memfd\n");
}
END_TEST

/* ---- encrypted DNS ---- */

static const struct { const char *name; uint16_t type; unsigned rcode; bool told; } enc[] = {
	{ "use-application-dns.net", 1, 3, false }, { "use-application-dns.net", 28, 3, false },
	{ "mask.icloud.com", 1, 3, false }, { "mask-h2.icloud.com", 65, 3, false },
	{ "_dns.resolver.arpa", 64, 0, false }, { "dns.google", 1, 0, true },
	{ "Mozilla.CloudFlare-DNS.com", 28, 0, true },
};

START_TEST(rules_about_names_refuse_encrypted_dns)
{
	struct world *w;

	RULES(0, { RULES_DENY_DOMAIN, "other.test" });
	w = start(NULL, NULL);
	ck_assert(!is_asked(w, enc[_i].name, enc[_i].type));
	ck_assert_uint_eq(rcode(w), enc[_i].rcode);
	ck_assert_uint_eq(count(w, 1), 0);
	ck_assert_uint_eq(ede(w), 17);
	END(w);
	ck_assert_int_eq(strstr(drain(w->log), "encrypted_dns") != NULL, enc[_i].told);
	ck_assert_int_eq(drain(w->err)[0] != '\0', enc[_i].told);
}
END_TEST

START_TEST(encrypted_dns_can_be_allowed_with_rules)
{
	struct world *w;

	RULES(0, { RULES_DENY_DOMAIN, "other.test" });
	w = start("--allow-encrypted-dns", NULL);
	ck_assert(is_asked(w, enc[_i].name, enc[_i].type));
	END(w);
	ck_assert_str_eq(drain(w->err), "");
}
END_TEST

START_TEST(encrypted_dns_can_be_refused_without_rules)
{
	struct world *w = world_new();
	char one[ADDR_STRLEN];

	world_start(w, (const char *const []){ "--resolver", addr_str(&w->fakes[0].addr, one),
	    "--block-encrypted-dns", NULL });
	ck_assert(!is_asked(w, enc[_i].name, enc[_i].type));
	ck_assert_uint_eq(rcode(w), enc[_i].rcode);
	ck_assert(is_asked(w, "www.test", 1));
	END(w);
}
END_TEST

#define LENGTH(a)	((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	Suite *s = suite_create("filter");
	TCase *tc = tcase_create("filter");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, without_a_rule_that_allows_it_no_name_leaves, 0, LENGTH(spelled));
	tcase_add_test(tc, a_dot_in_a_label_is_no_dot);
	tcase_add_loop_test(tc, what_has_no_name_to_judge_is_not_passed_on, 0, LENGTH(odd));
	tcase_add_loop_test(tc, a_denied_name_gets_the_answer_that_was_chosen, 0, LENGTH(kinds));
	tcase_add_test(tc, a_flood_of_denied_names_says_few_lines);
	tcase_add_test(tc, with_rules_the_tree_does_not_choose_who_is_asked);
	tcase_add_test(tc, rules_that_are_none_end_it);
	tcase_add_loop_test(tc, rules_about_names_refuse_encrypted_dns, 0, LENGTH(enc));
	tcase_add_loop_test(tc, encrypted_dns_can_be_allowed_with_rules, 0, LENGTH(enc));
	tcase_add_loop_test(tc, encrypted_dns_can_be_refused_without_rules, 0, LENGTH(enc));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
