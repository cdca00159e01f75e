/*
 * test_answer.c - what is taken out of answers, and that the rest is still there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "denial.h"
#include "dns.h"
#include "event.h"
#include "rd.h"
#include "rewrite.h"
#include "rulebook.h"

#define WWW	"\3wWw\7eXample\4test"		/* and the zero of the literal */

static struct dns	dns;
static int		stderr_of[2];

/* ---- an answer, record by record ---- */

static struct {
	uint8_t		msg[4096];
	struct wr	w;
} made;

static void
answer_begin(uint16_t qtype)
{
	made.w = wr_over(made.msg, sizeof(made.msg));
	wr_bytes(&made.w, "\x12\x34\x81\xb0\0\1\0\0\0\0\0\0", 12);	/* with AD */
	wr_bytes(&made.w, WWW, sizeof(WWW));
	wr_be16(&made.w, qtype);
	wr_be16(&made.w, WIRE_IN);
}

/* The owner is the question's, compressed, unless name has one. */
static void
add(unsigned section, uint16_t type, const void *data, size_t len)
{
	wr_be16(&made.w, 0xc00c);
	wr_be16(&made.w, type);
	wr_be16(&made.w, WIRE_IN);
	wr_be32(&made.w, 60);
	wr_be16(&made.w, (uint16_t)len);
	wr_bytes(&made.w, data, len);
	made.msg[5 + 2 * section]++;
}
#define ADD(section, type, bytes)	add((section), (type), (bytes), sizeof(bytes) - 1)

static void
add_addr(unsigned section, const char *text)
{
	struct addr a;

	ck_assert(addr_parse(text, 0, &a));
	add(section, a.family == 4 ? WIRE_A : WIRE_AAAA, a.ip, addr_iplen(&a));
}

static void
add_opt(void)
{
	wr_bytes(&made.w, "\0\0\x29\x04\xd0\0\0\x80\0\0\0", 11);
	made.msg[11]++;
}

/* The query that it answers, with EDNS. */
static struct query *
query_of(void)
{
	struct query *q = calloc(1, sizeof(*q));
	size_t len = (size_t)(made.w.p - made.msg);

	ck_assert(!made.w.bad);
	q->dns = &dns;
	q->wire = (struct wire_query){ .question = true, .edns = true, .qtype = 1, .qclass = 1,
	    .head_len = 12 + sizeof(WWW) + 4 };
	q = realloc(q, sizeof(*q) + q->wire.head_len);
	memcpy(q->msg, made.msg, q->wire.head_len);
	q->answer = malloc(len);
	memcpy(q->answer, made.msg, len);
	q->answer_len = len;
	return q;
}

static void
query_free(struct query *q)
{
	free(q->answer);
	free(q);
}

/* ---- rules ---- */

static void
setup(void)
{
	static const uint8_t seed[SIPHASH_KEY_LEN] = { 1 };
	struct rulebook *book = rulebook_new(RULES_BLOCK_PRIVATE);
	struct rulebook_error err;
	const char *why;
	size_t len;
	void *buf;

	ck_assert(rulebook_add(book, RULES_DENY_CIDR, "198.51.100.0/24", &err));
	ck_assert(rulebook_add(book, RULES_DENY_DOMAIN, "other.test", &err));
	ck_assert_ptr_nonnull(buf = rulebook_compile(book, seed, &len, &why));
	ck_assert_ptr_null(rules_load(buf, len, &dns.filter.rules));
	dns.filter.has_rules = true;
	rulebook_free(book);
	event_init(-1);
	denial_init(-1);
	ck_assert_int_eq(pipe2(stderr_of, O_NONBLOCK), 0);
	dup2(stderr_of[1], STDERR_FILENO);
}

static const char *
said(void)
{
	static char text[4096];
	ssize_t n = read(stderr_of[0], text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* What is left of a kind of record. */
struct tally {
	uint16_t	type;
	unsigned	n;
	uint8_t		data[512];	/* of the last */
	size_t		len;
};

static bool
tally_one(void *arg, struct rewrite_record *rec)
{
	struct tally *t = arg;

	if (rec->type == t->type) {
		ck_assert_uint_le(rec->len, sizeof(t->data));
		t->n++;
		memcpy(t->data, rec->data, t->len = rec->len);
	}
	return true;
}

static struct tally
tally(const struct query *q, uint16_t type)
{
	struct tally t = { .type = type };
	uint8_t out[8192];

	ck_assert_uint_gt(rewrite(out, sizeof(out), q->answer, q->answer_len, tally_one, &t), 0);
	return t;
}

/* ---- rebinding ---- */

static const struct { const char *addr; bool told; const char *line; } withheld[] = {
	{ "10.0.0.1", true, "blocked by `--block-private`; run it without --block-private" },
	{ "127.0.0.1", true, "blocked: 127.0.0.1 is a loopback address; no option allows it" },
	{ "169.254.1.1", true, "`--block-private`" }, { "192.168.1.1", true, "`--block-private`" },
	{ "198.51.100.7", true, "blocked by `--deny-cidr 198.51.100.0/24`" },
	{ "::1", true, "is the loopback address" }, { "fe80::1", true, "is a link-local address" },
	{ "fd00::1", true, "`--block-private`" }, { "::ffff:10.0.0.1", true, "`--block-private`" },
	{ "64:ff9b::10.0.0.1", true, "`--block-private`" }, { "2002:a00:1::", true, "private" },
	{ "0.0.0.0", false, "" }, { "::", false, "" },
};

START_TEST(an_address_behind_a_rule_is_taken_out_and_reported)
{
	char want[128], ip[ADDR_STRLEN];
	struct wire_answer a;
	const char *line;
	struct addr addr;
	struct query *q;

	answer_begin(WIRE_A);
	add_addr(SECTION_ANSWER, "203.0.113.1");
	add_addr(SECTION_ANSWER, withheld[_i].addr);
	add_addr(SECTION_ANSWER, withheld[_i].addr);
	add_addr(SECTION_ANSWER, "2001:db8:ffff::1");
	add_opt();
	q = query_of();
	ck_assert_ptr_null(answer_rebinding(q));
	wire_answer(q->answer, q->answer_len, &a);
	ck_assert_uint_eq(a.records, 2);
	ck_assert_uint_eq(a.naddrs, 2);
	ck_assert_str_eq(addr_ip_str(&a.addrs[0], ip), "203.0.113.1");
	ck_assert_str_eq(addr_ip_str(&a.addrs[1], ip), "2001:db8:ffff::1");
	ck_assert(memmem(q->answer, q->answer_len, "\0\x0f\0\x18\0\x0f" "an address", 16) != NULL);
	ck_assert_uint_eq(q->answer[3] & 0x20, 0);		/* AD */
	line = said();
	ck_assert_int_eq(line[0] != '\0', withheld[_i].told);
	if (withheld[_i].told) {
		ck_assert(addr_parse(withheld[_i].addr, 0, &addr));
		snprintf(want, sizeof(want), "dns www.example.test -> %s: blocked",
		    addr_ip_str(&addr, ip));
		ck_assert_msg(strstr(line, want) != NULL, "%s", line);
		ck_assert_msg(strstr(line, withheld[_i].line) != NULL, "%s", line);
		ck_assert_ptr_null(strchr(strchr(line, '\n') + 1, '\n'));
	}
	query_free(q);
}
END_TEST

START_TEST(an_answer_that_needs_no_change_stays_as_it_is)
{
	struct query *q;
	size_t len;

	answer_begin(WIRE_HTTPS);
	add_addr(SECTION_ANSWER, "203.0.113.1");
	ADD(SECTION_ANSWER, WIRE_HTTPS, "\0\1\0" "\0\1\0\3\2h2" "\0\4\0\4\xcb\0\x71\1");
	ADD(SECTION_ANSWER, WIRE_RRSIG, "\0\1 signature");
	ADD(SECTION_AUTHORITY, 65280, "\xc0\x0c");
	add_opt();
	wr_bytes(&made.w, "behind the end", 14);
	len = (size_t)(made.w.p - made.msg);
	q = query_of();
	ck_assert_ptr_null(answer_rebinding(q));
	ck_assert_ptr_null(answer_ech(q));
	ck_assert_uint_eq(q->answer_len, len);
	ck_assert_mem_eq(q->answer, made.msg, len);
	ck_assert_str_eq(said(), "");
	query_free(q);
}
END_TEST

START_TEST(signatures_of_what_was_changed_go_wherever_they_stand)
{
	struct query *q;

	answer_begin(WIRE_A);
	ADD(SECTION_ANSWER, WIRE_RRSIG, "\0\1 of A");
	ADD(SECTION_ANSWER, 5, "\5alias\xc0\x10");
	ADD(SECTION_ANSWER, WIRE_RRSIG, "\0\5 of CNAME");
	add_addr(SECTION_ANSWER, "10.0.0.1");
	ADD(SECTION_ANSWER, WIRE_RRSIG, "\0\1 of A");
	q = query_of();
	ck_assert_ptr_null(answer_rebinding(q));
	ck_assert_uint_eq(tally(q, WIRE_RRSIG).n, 1);
	ck_assert_mem_eq(tally(q, WIRE_RRSIG).data, "\0\5 of CNAME", 11);
	ck_assert_mem_eq(tally(q, 5).data, "\5alias\7eXample\4test", 20);
	ck_assert_uint_eq(tally(q, WIRE_A).n, 0);
	query_free(q);
}
END_TEST

START_TEST(glue_in_other_sections_is_taken_out_too)
{
	struct query *q;

	answer_begin(33);
	ADD(SECTION_ANSWER, 33, "\0\1\0\2\0\x50\xc0\x0c");
	ADD(SECTION_AUTHORITY, 2, "\2ns\xc0\x10");
	add_addr(SECTION_AUTHORITY, "192.168.0.1");
	add_addr(SECTION_ADDITIONAL, "10.0.0.1");
	add_addr(SECTION_ADDITIONAL, "203.0.113.1");
	ADD(SECTION_ADDITIONAL, WIRE_A, "\x0a\0\0\1\0");	/* five bytes */
	q = query_of();
	ck_assert_ptr_null(answer_rebinding(q));
	ck_assert_uint_eq(tally(q, WIRE_A).n, 1);
	ck_assert_mem_eq(tally(q, 33).data, "\0\1\0\2\0\x50" WWW, 6 + sizeof(WWW));
	ck_assert_mem_eq(tally(q, 2).data, "\2ns\7eXample\4test", 17);
	query_free(q);
}
END_TEST

START_TEST(an_answer_that_cannot_be_read_is_not_passed_on)
{
	for (size_t cut = 1; cut < 24; cut++) {
		struct query *q;

		answer_begin(WIRE_A);
		add_addr(SECTION_ANSWER, "203.0.113.1");
		ADD(SECTION_ANSWER, 5, "\5alias\xc0\x10");
		q = query_of();
		q->answer_len -= cut;
		ck_assert_ptr_nonnull(answer_rebinding(q));
		ck_assert_ptr_nonnull(answer_ech(q));
		query_free(q);
	}
}
END_TEST

/* ---- SVCB and HTTPS ---- */

#define B(bytes)	(const uint8_t *)(bytes), sizeof(bytes) - 1
#define TARGET		"\0\1" "\3svc\7example\4test\0"
#define ALPN		"\0\1\0\3\2h2"
#define ECH		"\0\5\0\4\0\2\xfe\x0d"
#define HINT4(n)	"\0\4\0" n
#define HINT6(n)	"\0\6\0" n
#define GOOD4		"\xcb\0\x71\1"
#define BAD4		"\x0a\0\0\1"
#define GOOD6		"\x20\1\x0d\xb8\xff\xff\0\0\0\0\0\0\0\0\0\1"
#define BAD6		"\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"

static const struct {
	const uint8_t *in;
	size_t len;
	const uint8_t *out;		/* NULL: the record goes */
	size_t out_len;
} svcbs[] = {
	{ B("\0\0\3svc\4test\0"), B("\0\0\3svc\4test\0") },		/* an alias */
	{ B(TARGET ALPN ECH), B(TARGET ALPN) },
	{ B(TARGET ECH), B(TARGET) },
	{ B(TARGET "\0\0\0\4\0\1\0\5" ALPN ECH), B(TARGET "\0\0\0\2\0\1" ALPN) },
	{ B(TARGET "\0\0\0\2\0\5" ECH), B(TARGET) },
	{ B(TARGET HINT4("\4") GOOD4 ECH HINT6("\x10") GOOD6),
	    B(TARGET HINT4("\4") GOOD4 HINT6("\x10") GOOD6) },
	{ B(TARGET HINT4("\x0c") GOOD4 BAD4 GOOD4), B(TARGET HINT4("\x8") GOOD4 GOOD4) },
	{ B(TARGET "\0\0\0\4\0\4\0\6" HINT4("\4") BAD4 HINT6("\x20") BAD6 GOOD6 "\xff\0\0\1x"),
	    B(TARGET "\0\0\0\2\0\6" HINT6("\x10") GOOD6 "\xff\0\0\1x") },
	{ B(TARGET HINT4("\5") BAD4 "\0"), B(TARGET) },
	/* Not what the type says. */
	{ B(TARGET ECH ECH), NULL, 0 }, { B(TARGET ECH ALPN), NULL, 0 },
	{ B(TARGET "\0\5\0\5\0\2\xfe\x0d"), NULL, 0 }, { B(TARGET "\0\5\0"), NULL, 0 },
	{ B("\0\1\xc0\x0c" ECH), NULL, 0 }, { B("\0\1\3svc"), NULL, 0 }, { B("\0"), NULL, 0 },
};

START_TEST(parameters_go_and_the_rest_of_the_record_stays)
{
	static const uint16_t types[] = { WIRE_SVCB, WIRE_HTTPS };

	for (size_t i = 0; i < 2; i++) {
		struct query *q;
		struct tally t;

		answer_begin(types[i]);
		add(SECTION_ANSWER, types[i], svcbs[_i].in, svcbs[_i].len);
		ADD(SECTION_ANSWER, WIRE_RRSIG, "\0\1 of A");
		ADD(SECTION_ANSWER, 16, "\4text");
		q = query_of();
		ck_assert_ptr_null(answer_rebinding(q));
		ck_assert_ptr_null(answer_ech(q));
		t = tally(q, types[i]);
		ck_assert_uint_eq(t.n, svcbs[_i].out != NULL);
		if (svcbs[_i].out != NULL) {
			ck_assert_uint_eq(t.len, svcbs[_i].out_len);
			ck_assert_mem_eq(t.data, svcbs[_i].out, t.len);
		}
		ck_assert_mem_eq(tally(q, 16).data, "\4text", 5);
		ck_assert_uint_eq(tally(q, WIRE_RRSIG).n, 1);
		query_free(q);
	}
}
END_TEST

START_TEST(ech_stays_where_no_rule_is_about_names)
{
	struct query *q;
	size_t len;

	dns.filter.has_rules = false;
	answer_begin(WIRE_HTTPS);
	ADD(SECTION_ANSWER, WIRE_HTTPS, TARGET ALPN ECH);
	add_addr(SECTION_ANSWER, "10.0.0.1");
	q = query_of();
	len = q->answer_len;
	ck_assert_ptr_null(answer_rebinding(q));
	ck_assert_ptr_null(answer_ech(q));
	ck_assert_uint_eq(q->answer_len, len);
	ck_assert_mem_eq(q->answer, made.msg, len);
	query_free(q);
}
END_TEST

/* ---- the message as a whole ---- */

static bool
keep_all(void *arg, struct rewrite_record *rec)
{
	(void)arg, (void)rec;
	return true;
}

START_TEST(names_are_compressed_anew)
{
	uint8_t out[8192], twice[8192];
	size_t len, n;

	answer_begin(15);
	for (int i = 0; i < 20; i++)
		ADD(SECTION_ANSWER, 15, "\0\x0a\4mail\7eXample\4test\0");
	ADD(SECTION_AUTHORITY, 6, "\2ns\xc0\x0c\5admin\xc0\x10" "serial, refresh, exp");
	len = (size_t)(made.w.p - made.msg);
	n = rewrite(out, sizeof(out), made.msg, len, keep_all, NULL);
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_lt(n, len - 19 * 12);
	/* What was made can be read again, and says the same in full. */
	ck_assert_uint_eq(rewrite(twice, sizeof(twice), out, n, keep_all, NULL), n);
	ck_assert_mem_eq(twice, out, n);
	/* Without room there is nothing. */
	for (size_t room = 0; room < n; room++)
		ck_assert_uint_eq(rewrite(twice, room, out, n, keep_all, NULL), 0);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("answer");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, an_address_behind_a_rule_is_taken_out_and_reported, 0,
	    COUNT(withheld));
	tcase_add_test(tc, an_answer_that_needs_no_change_stays_as_it_is);
	tcase_add_test(tc, signatures_of_what_was_changed_go_wherever_they_stand);
	tcase_add_test(tc, glue_in_other_sections_is_taken_out_too);
	tcase_add_test(tc, an_answer_that_cannot_be_read_is_not_passed_on);
	tcase_add_loop_test(tc, parameters_go_and_the_rest_of_the_record_stays, 0, COUNT(svcbs));
	tcase_add_test(tc, ech_stays_where_no_rule_is_about_names);
	tcase_add_test(tc, names_are_compressed_anew);
	return unit_run("answer", tc);
}
