/*
 * test_ruletext.c - the grammar of rules: what reads how, and what is said of the rest.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../main.h"
#include "ruletext.h"

#define FULL	RULETEXT_FULL

/* What a text says: target, then ranges of selectors as "tcp1-2 udp5-5". */
static const struct {
	enum ruletext_kind kind;
	const char	*text, *target, *ranges;
} good[] = {
	{ FULL, "example.com", "=example.com", "all" },
	{ FULL, "  Example.COM. ", "=example.com", "all" },
	{ FULL, "*.example.com", "<example.com", "all" },
	{ FULL, ".example.com", "<=example.com", "all" },
	{ FULL, "localhost:80", "=localhost", "tcp80-80 udp80-80" },
	{ FULL, "example.com:443/tcp", "=example.com", "tcp443-443" },
	{ FULL, "example.com/UDP", "=example.com", "udp0-65535" },
	{ FULL, "b\xc3\xbc" "cher.example:443", "=xn--bcher-kva.example", "tcp443-443 udp443-443" },
	{ FULL, "*", "*", "all" }, { FULL, "*:25", "*", "tcp25-25 udp25-25" },
	{ FULL, "*/icmp", "*", "icmp0-65535" }, { FULL, "*:1-65535/tcp", "*", "tcp1-65535" },
	{ FULL, "10.0.0.1", "10.0.0.1/32", "all" }, { FULL, "10.0.0.0/8", "10.0.0.0/8", "all" },
	{ FULL, "10.0.0.0/8:5432", "10.0.0.0/8", "tcp5432-5432 udp5432-5432" },
	{ FULL, "10.0.0.0/8/udp", "10.0.0.0/8", "udp0-65535" },
	{ FULL, "10.0.0.1:53/udp", "10.0.0.1/32", "udp53-53" },
	{ FULL, "10.0.0.1/icmp", "10.0.0.1/32", "icmp0-65535" },
	{ FULL, "0.0.0.0/0:443,8000-8099/tcp", "0.0.0.0/0", "tcp443-443 tcp8000-8099" },
	{ FULL, "2001:db8::/32", "2001:db8::/32", "all" },
	{ FULL, "2001:db8::/32:443", "2001:db8::/32", "tcp443-443 udp443-443" },
	{ FULL, "2001:db8::1:443", "2001:db8::1:443/128", "all" },
	{ FULL, "[2001:db8::1]:443", "2001:db8::1/128", "tcp443-443 udp443-443" },
	{ FULL, "[2001:db8::1]", "2001:db8::1/128", "all" },
	{ FULL, "[2001:db8::]/32:443/tcp", "2001:db8::/32", "tcp443-443" },
	{ FULL, "[2001:db8::/32]:443", "2001:db8::/32", "tcp443-443 udp443-443" },
	{ FULL, "[2001:db8::/32]/udp", "2001:db8::/32", "udp0-65535" },
	{ FULL, "::/0", "::/0", "all" }, { FULL, "::ffff:10.0.0.0/104", "10.0.0.0/8", "all" },
	{ FULL, "::ffff:0:0/96", "0.0.0.0/0", "all" }, { FULL, "::ffff:10.0.0.1", "10.0.0.1/32", "all" },
	{ FULL, "a_b:1,1,2", "=a_b", "tcp1-1 udp1-1 tcp1-1 udp1-1 tcp2-2 udp2-2" },
	{ RULETEXT_DOMAIN, "example.com", "<=example.com", "all" },
	{ RULETEXT_DOMAIN, " Example.com. ", "<=example.com", "all" },
	{ RULETEXT_DOMAIN, ".example.com", "<=example.com", "all" },
	{ RULETEXT_EXACT, "example.com", "=example.com", "all" },
	{ RULETEXT_CIDR, "10.0.0.0/8", "10.0.0.0/8", "all" },
	{ RULETEXT_CIDR, "10.0.0.1", "10.0.0.1/32", "all" },
	{ RULETEXT_CIDR, "[fd00::]/8", "fd00::/8", "all" },
};

static void
target_say(const struct ruletext *t, char out[512])
{
	if (t->target == RULETEXT_NET)
		ruletext_net_str(&t->net, t->bits, out);
	else
		snprintf(out, 512, "%s%s%s", t->below ? "<" : "", t->self ? "=" : "",
		    t->target == RULETEXT_ANY ? "*" : t->name);
}

static void
ranges_say(const struct ruletext *t, char out[512])
{
	static const char *const protos[] = { "tcp", "udp", "icmp" };
	size_t n = 0;

	out[0] = '\0';
	if (t->n_ranges == 1 && t->range[0].lo == 0 && t->range[0].hi == RULE_SELECTOR_LAST)
		strcpy(out, "all");
	else
		for (size_t i = 0; i < t->n_ranges; i++)
			n += (size_t)snprintf(out + n, 512 - n, "%s%s%u-%u", i > 0 ? " " : "",
			    protos[t->range[i].lo >> 16], t->range[i].lo & 0xffff,
			    t->range[i].hi & 0xffff);
}

START_TEST(rule_reads_one_way)
{
	struct ruletext t;
	struct ruletext_error err;
	char said[512];

	ck_assert_msg(ruletext_parse(good[_i].kind, good[_i].text, strlen(good[_i].text), &t, &err),
	    "%s: %s", good[_i].text, err.why);
	target_say(&t, said);
	ck_assert_str_eq(said, good[_i].target);
	ranges_say(&t, said);
	ck_assert_str_eq(said, good[_i].ranges);
}
END_TEST

/* Where the error is, and a piece of what is said. */
static const struct {
	enum ruletext_kind kind;
	const char	*text;
	size_t		 column;
	const char	*said;
} bad[] = {
	{ FULL, "", 1, "empty" }, { FULL, "   ", 4, "empty" },
	{ FULL, "a:99999", 3, "port '99999' is beyond 65535" }, { FULL, "a:0", 3, "port 0" },
	{ FULL, "a:", 3, "a port is missing" }, { FULL, "a:1,", 5, "a port is missing" },
	{ FULL, "a:1-", 5, "a port is missing" }, { FULL, "a:http", 3, "'http' is not a port" },
	{ FULL, "a:20-10", 3, "did you mean 10-20?" }, { FULL, "a:1-2-3", 6, "not a port" },
	{ FULL, "10.0.0.1/8", 1, "did you mean 10.0.0.0/8?" },
	{ FULL, "2001:db8::1/32", 1, "did you mean 2001:db8::/32?" },
	{ FULL, "10.0.0.0/33", 10, "0 to 32" }, { FULL, "::/129", 4, "0 to 128" },
	{ FULL, "10.0.0.0/99999999999999999999", 10, "0 to 32" },
	{ FULL, "10.0.0.0/8x", 11, "neither a length nor a protocol" },
	{ FULL, "10.0.0.0/", 10, "nothing follows" }, { FULL, "10.0.0.0/:80", 10, "0 to 32" },
	{ FULL, "10.0.0.0/-1", 10, "neither a length" },
	{ FULL, "10.0.0", 1, "neither an address nor a name" },
	{ FULL, "256.0.0.1", 1, "neither an address nor a name" },
	{ FULL, "127.0.0.01", 1, "neither an address" }, { FULL, "0x7f000001", 1, "neither" },
	{ FULL, "a/sctp", 3, "'sctp' is not a protocol" }, { FULL, "a/https", 3, "':443/tcp'" },
	{ FULL, "a/icmpv6", 3, "did you mean '/icmp'?" }, { FULL, "a:80/icmp", 3, "icmp has no ports" },
	{ FULL, "example.com/path", 13, "a rule has no path" },
	{ FULL, "example.com/24", 1, "is not an address" },
	{ FULL, "https://example.com", 1, "not a URL" }, { FULL, "me@example.com", 3, "no user" },
	{ FULL, "a b", 2, "a space inside" }, { FULL, "*example.com", 1, "'*.example.com'" },
	{ FULL, "a.*.com", 3, "stands alone or in front" }, { FULL, "*.*.com", 3, "needs a dot" },
	{ FULL, "*.", 1, "needs a dot" }, { FULL, ".", 1, "not a name" }, { FULL, "..a", 2, "empty" },
	{ FULL, "a..b", 3, "a label is empty" }, { FULL, "a,b", 2, "a name has letters" },
	{ FULL, "[::1", 1, "not closed" }, { FULL, "[10.0.0.1]", 2, "an IPv6 address" },
	{ FULL, "[]", 2, "an IPv6 address" }, { FULL, "[::1]80", 6, "behind the ']'" },
	{ FULL, "[fe80::1%eth0]:80", 9, "no zone" }, { FULL, "fe80::1%eth0", 8, "no zone" },
	{ FULL, "2001:db8::g", 1, "is not an address" }, { FULL, "1:2:3", 1, "is not an address" },
	{ FULL, "a\xff", 2, "not UTF-8" }, { FULL, "\x1b[31ma", 1, "'\\x1b[31ma'" },
	{ RULETEXT_DOMAIN, "*.a", 1, "--allow and --deny" },
	{ RULETEXT_DOMAIN, "a:80", 1, "takes a name" },
	{ RULETEXT_DOMAIN, "10.0.0.1", 1, "takes a name" }, { RULETEXT_EXACT, ".a", 1, "one name" },
	{ RULETEXT_EXACT, "*", 1, "one name" }, { RULETEXT_CIDR, "a", 1, "a network" },
	{ RULETEXT_CIDR, "10.0.0.1:80", 1, "a network" },
	{ RULETEXT_CIDR, "10.0.0.0/8/tcp", 1, "a network" },
};

START_TEST(error_says_what_and_where)
{
	struct ruletext t;
	struct ruletext_error err;

	ck_assert_msg(!ruletext_parse(bad[_i].kind, bad[_i].text, strlen(bad[_i].text), &t, &err),
	    "%s", bad[_i].text);
	ck_assert_msg(strstr(err.why, bad[_i].said) != NULL, "%s: %s", bad[_i].text, err.why);
	ck_assert_msg(err.column == bad[_i].column, "%s: column %zu", bad[_i].text, err.column);
	for (const char *p = err.why; *p != '\0'; p++)
		ck_assert_int_ge(*p, 0x20);
}
END_TEST

START_TEST(long_texts_are_refused_and_not_cut)
{
	struct ruletext t;
	struct ruletext_error err;
	char text[RULETEXT_MAX + 2], *p = text;

	memset(text, 'a', sizeof(text));
	ck_assert(!ruletext_parse(FULL, text, sizeof(text), &t, &err));
	ck_assert_ptr_nonnull(strstr(err.why, "at most 1024"));
	ck_assert(!ruletext_parse(FULL, text, 300, &t, &err));
	ck_assert_ptr_nonnull(strstr(err.why, "..."));
	p += sprintf(text, "a:1");
	for (int i = 2; i <= RULETEXT_SPANS / 2; i++)
		p += sprintf(p, ",%d", i);
	ck_assert(ruletext_parse(FULL, text, (size_t)(p - text), &t, &err));
	p += sprintf(p, ",99");
	ck_assert(!ruletext_parse(FULL, text, (size_t)(p - text), &t, &err));
	ck_assert_ptr_nonnull(strstr(err.why, "at most 32"));
	ck_assert(!ruletext_parse(FULL, "a\0b", 3, &t, &err));
	ck_assert_uint_eq(err.column, 2);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("ruletext");

	tcase_add_loop_test(tc, rule_reads_one_way, 0, (int)COUNT(good));
	tcase_add_loop_test(tc, error_says_what_and_where, 0, (int)COUNT(bad));
	tcase_add_test(tc, long_texts_are_refused_and_not_cut);
	return unit_run("ruletext", tc);
}
