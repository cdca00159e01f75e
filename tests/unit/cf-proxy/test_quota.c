/*
 * test_quota.c - counters: what they let pass, give back, share, and remember.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../main.h"
#include "quota.h"
#include "rulebook.h"

static struct quotas	*q;

/* The generation of these quotas is in force; it is kept to the end of the test. */
static struct rules *
in_force(const char *const *texts, size_t n)
{
	static const uint8_t seed[SIPHASH_KEY_LEN] = { 7 };
	static struct rules rules[8];
	static size_t used;
	struct rulebook *book = rulebook_new(0);
	struct rulebook_error err;
	const char *why;
	void *flat;
	size_t len;

	for (size_t i = 0; i < n; i++)
		ck_assert_msg(rulebook_add_quota(book, texts[i], &err), "%s", err.text);
	flat = rulebook_compile(book, seed, &len, &why);
	ck_assert_ptr_nonnull(flat);
	ck_assert_ptr_null(rules_load(flat, len, &rules[used]));
	rulebook_free(book);
	ck_assert(quotas_set(q, &rules[used]));
	return &rules[used++];
}
#define IN_FORCE(...)	in_force((const char *const[]){ __VA_ARGS__ },	\
    COUNT(((const char *const[]){ __VA_ARGS__ })))

static void
setup(void)
{
	q = quotas_new(-1);
	ck_assert_ptr_nonnull(q);
}

static void
teardown(void)
{
	quotas_free(q);
}

/* Ask for a flow; NULL and the code of the refusal. */
static struct quota_hold *
take(const char *dst, const char **code)
{
	struct rules_flow flow = { .proto = RULE_TCP };
	struct quota_hold *h = NULL;
	struct rules_words why;
	bool ok;

	ck_assert(addr_parse(dst, 80, &flow.dst));
	ok = quota_take(q, &h, &flow, &why);
	ck_assert(ok || h == NULL);
	*code = ok ? "" : why.reason_code;
	return h;
}

static struct quota_hold *
opened(const char *dst)
{
	const char *code;
	struct quota_hold *h = take(dst, &code);

	ck_assert_str_eq(code, "");
	quota_opened(h);
	return h;
}

static void
refused(const char *dst, const char *want)
{
	const char *code;

	ck_assert_ptr_null(take(dst, &code));
	ck_assert_str_eq(code, want);
}

START_TEST(stream_gets_the_rest_to_the_byte)
{
	struct quota_hold *a, *b;
	struct rules_words why;

	IN_FORCE("*=1000B/up");
	a = opened("192.0.2.1");
	b = opened("192.0.2.2");
	ck_assert(quota_counts(a));
	ck_assert_uint_eq(quota_pass(a, true, 600, false), 600);
	ck_assert_uint_eq(quota_pass(b, false, 99999, false), 99999);
	ck_assert_uint_eq(quota_pass(b, true, 500, false), 400);
	ck_assert_uint_eq(quota_pass(a, true, 1, false), 0);
	quota_words(a, &why);
	ck_assert_str_eq(why.reason_code, "quota_bytes");
	ck_assert_str_eq(why.quota.rule, "*");
	ck_assert_str_eq(why.quota.limit, "1KB/up");
	ck_assert_uint_eq(why.quota.used, 1000);
	ck_assert_uint_eq(quota_passed(a, true), 600);
	ck_assert_uint_eq(quota_passed(b, true), 400);
	refused("192.0.2.3", "quota_bytes");
	quota_release(a);
	quota_release(b);
}
END_TEST

START_TEST(datagram_passes_whole_or_not)
{
	struct quota_hold *a, *b;

	IN_FORCE("*=1000B");
	a = opened("192.0.2.1");
	b = opened("192.0.2.2");
	ck_assert_uint_eq(quota_pass(a, true, 900, true), 900);
	ck_assert_uint_eq(quota_pass(a, false, 101, true), 0);
	refused("192.0.2.3", "quota_bytes");		/* or each one would open a flow */
	ck_assert_uint_eq(quota_pass(b, true, 100, true), 100);
	ck_assert_uint_eq(quota_pass(b, true, 0, true), 0);
	quota_release(a);
	quota_release(b);
}
END_TEST

START_TEST(each_limit_counts_and_none_more_than_it_passed)
{
	struct quota_hold *a, *b;

	IN_FORCE("*=1000B", "192.0.2.0/24=300B/up", "192.0.2.1=500B/up");
	a = opened("192.0.2.1");
	ck_assert_uint_eq(quota_pass(a, true, 400, false), 300);
	quota_release(a);
	refused("192.0.2.1", "quota_bytes");
	b = opened("198.51.100.1");
	ck_assert_uint_eq(quota_pass(b, false, 9999, false), 700);
	quota_release(b);
}
END_TEST

START_TEST(connection_that_does_not_open_is_given_back)
{
	struct quota_hold *a, *b;
	const char *code;

	IN_FORCE("*=2conn");
	a = take("192.0.2.1", &code);
	b = take("192.0.2.1", &code);
	ck_assert(!quota_counts(a));
	refused("192.0.2.1", "quota_connections");	/* both might still open */
	quota_release(a);
	quota_opened(b);
	quota_release(b);
	a = opened("192.0.2.1");
	quota_release(a);
	refused("192.0.2.1", "quota_connections");
}
END_TEST

START_TEST(next_address_of_a_name_gives_the_first_back)
{
	struct rules_flow flow = { .proto = RULE_TCP };
	struct quota_hold *h = NULL;
	struct rules_words why;

	IN_FORCE("*=1conn", "192.0.2.1=1B");
	ck_assert(addr_parse("192.0.2.1", 80, &flow.dst));
	ck_assert(quota_take(q, &h, &flow, &why));
	ck_assert(quota_counts(h));
	ck_assert(addr_parse("192.0.2.2", 80, &flow.dst));
	ck_assert(quota_take(q, &h, &flow, &why));
	ck_assert(!quota_counts(h));
	quota_release(h);
}
END_TEST

START_TEST(destination_is_an_address_in_any_form)
{
	static const char *const more[] = { "192.0.2.1:443", "::ffff:192.0.2.1", "2001:db8::1" };

	IN_FORCE("*=2dest");
	quota_release(opened("192.0.2.1:80"));
	for (size_t i = 0; i < COUNT(more); i++)
		quota_release(opened(more[i]));
	refused("192.0.2.2", "quota_destinations");
	quota_release(opened("[2001:db8::1]:9"));
}
END_TEST

START_TEST(as_many_destinations_as_there_can_be)
{
	struct rules_flow flow = { .proto = RULE_TCP, .dst = { .family = 4, .port = 1 } };
	struct quota_hold *h = NULL;
	struct rules_words why;

	IN_FORCE("*=65536dest");
	for (uint32_t i = 0; i < 2 * QUOTA_DEST_MOST; i++) {
		memcpy(flow.dst.ip, &(uint32_t){ i + 1 }, 4);
		ck_assert_int_eq(quota_take(q, &h, &flow, &why), i < QUOTA_DEST_MOST);
	}
	quota_release(h);
}
END_TEST

START_TEST(later_generation_finds_the_counter_by_its_text)
{
	struct quota_hold *a, *b;

	IN_FORCE("*=1000B/up", "*:80=9conn");
	a = opened("192.0.2.1");
	ck_assert_uint_eq(quota_pass(a, true, 700, false), 700);
	IN_FORCE("192.0.2.9=1B", "*=800B/up");
	ck_assert_uint_eq(quota_pass(a, true, 700, false), 100);
	refused("192.0.2.1", "quota_bytes");
	IN_FORCE("*:80=9conn");
	ck_assert_uint_eq(quota_pass(a, true, 700, false), 700);	/* no limit any more */
	b = opened("192.0.2.1");
	ck_assert(!quota_counts(b));
	IN_FORCE("*=2000B/up");
	ck_assert_uint_eq(quota_pass(a, true, 700, false), 500);
	quota_release(a);
	quota_release(b);
}
END_TEST

START_TEST(what_is_used_lies_in_the_shared_memory)
{
	int fd = memfd_create("counters", 0), copy = dup(fd);
	struct quota_used row[2];
	struct quota_hold *a;
	struct quotas *own = q;

	ck_assert_ptr_null(quotas_new(dup(fd)));	/* it has not the size */
	ck_assert_int_eq(ftruncate(fd, QUOTAS_ROWS * sizeof(struct quota_used)), 0);
	q = quotas_new(fd);
	ck_assert_ptr_nonnull(q);
	IN_FORCE("*:443=1B", "*=1000B/up,5conn,5dest");
	a = opened("192.0.2.1");
	(void)quota_pass(a, true, 10, false);
	ck_assert_int_eq(pread(copy, row, sizeof(row), 0), sizeof(row));
	ck_assert_uint_eq(row[0].flows, 0);
	ck_assert_uint_eq(row[1].used[QUOTA_UP], 10);
	ck_assert_uint_eq(row[1].used[QUOTA_CONN], 1);
	ck_assert_uint_eq(row[1].used[QUOTA_DEST], 1);
	ck_assert_uint_eq(row[1].flows, 1);
	quota_release(a);
	quotas_free(q);
	q = own;
	close(copy);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("quota");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, stream_gets_the_rest_to_the_byte);
	tcase_add_test(tc, datagram_passes_whole_or_not);
	tcase_add_test(tc, each_limit_counts_and_none_more_than_it_passed);
	tcase_add_test(tc, connection_that_does_not_open_is_given_back);
	tcase_add_test(tc, next_address_of_a_name_gives_the_first_back);
	tcase_add_test(tc, destination_is_an_address_in_any_form);
	tcase_add_test(tc, as_many_destinations_as_there_can_be);
	tcase_add_test(tc, later_generation_finds_the_counter_by_its_text);
	tcase_add_test(tc, what_is_used_lies_in_the_shared_memory);
	return unit_run("quota", tc);
}
