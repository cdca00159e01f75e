/*
 * fuzz_answer.c - any bytes as an answer: what is passed on under rules, and as a query.
 *
 * What must hold: an answer that was changed can be read again, has no address that a rule
 * withholds and no ech; one that is refused is refused by both.  A query that passes under
 * default deny asks for a name that a rule allows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "denial.h"
#include "dns.h"
#include "event.h"
#include "rewrite.h"
#include "rulebook.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(x)	do { if (!(x)) abort(); } while (0)

static void
rules_make(struct dns *dns)
{
	static const uint8_t seed[SIPHASH_KEY_LEN] = { 1 };
	struct rulebook *book = rulebook_new(RULES_BLOCK_PRIVATE | RULES_DEFAULT_DENY);
	struct rulebook_error err;
	const char *why;
	size_t len;
	void *buf;

	MUST(rulebook_add(book, RULES_ALLOW_DOMAIN, "example.test", &err));
	MUST((buf = rulebook_compile(book, seed, &len, &why)) != NULL);
	MUST(rules_load(buf, len, &dns->filter.rules) == NULL);
	rulebook_free(book);
	dns->filter.has_rules = true;
	dns->filter.no_encdns = true;
	event_init(-1);
	denial_init(-1);
	dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
}

/* Nothing that may not be told is in it. */
static bool
check_record(void *arg, struct rewrite_record *rec)
{
	struct dns *dns = arg;
	struct rules_verdict verdict;
	struct addr a = { .family = rec->type == WIRE_A ? 4 : 6 };

	if (rec->type == WIRE_A || rec->type == WIRE_AAAA) {
		MUST(rec->len == addr_iplen(&a));
		memcpy(a.ip, rec->data, rec->len);
		MUST(rules_judge_answer(&dns->filter.rules, &a, &verdict));
	}
	return true;
}

static void
answer_check(struct dns *dns, const uint8_t *data, size_t len)
{
	static uint8_t out[65535];
	struct query *q = calloc(1, sizeof(*q) + WIRE_HEAD_MAX);
	const char *no;

	q->dns = dns;
	q->wire = (struct wire_query){ .edns = len % 2, .head_len = WIRE_HEADER_LEN };
	q->answer = malloc(len);
	q->answer_len = len;
	memcpy(q->answer, data, len);
	no = answer_rebinding(q);
	if (no == NULL)
		MUST(answer_ech(q) == NULL);
	else
		MUST(answer_ech(q) != NULL || strstr(no, "memory") != NULL || len > 16384);
	if (no == NULL) {
		MUST(rewrite(out, sizeof(out), q->answer, q->answer_len, check_record, dns) > 0 ||
		    q->answer_len > 16384);
		MUST(wire_id(q->answer) == wire_id(data));
	}
	free(q->answer);
	free(q);
}

/* The question's name, without any of our code: ends in the labels example and test. */
static bool
ends_right(const uint8_t *name, size_t len)
{
	static const char want[] = "\7example\4test";
	char lower[WIRE_NAME_MAX + 1];
	size_t i = 0;

	for (size_t k = 0; k < len; k++)
		lower[k] = (char)(name[k] >= 'A' && name[k] <= 'Z' ? name[k] + 32 : name[k]);
	while (i < len && name[i] != 0 && len - i != sizeof(want))
		i += (size_t)name[i] + 1;
	return len - i == sizeof(want) && memcmp(lower + i, want, sizeof(want)) == 0;
}

static void
query_check(struct dns *dns, const uint8_t *data, size_t len)
{
	struct query *q = calloc(1, sizeof(*q) + len);
	struct made out = { 0 };
	size_t end = WIRE_HEADER_LEN;

	q->dns = dns;
	q->len = len;
	memcpy(q->msg, data, len);
	if (wire_query(q->msg, len, &q->wire) != NULL) {
		free(q);
		return;
	}
	if (filter_query(q, &out) == HOOK_PASS) {
		MUST(q->wire.question && (data[2] & 0x78) == 0 && data[4] == 0 && data[5] == 1);
		while (data[end] != 0)
			end += (size_t)data[end] + 1;
		MUST(ends_right(data + WIRE_HEADER_LEN, end + 1 - WIRE_HEADER_LEN));
	} else {
		struct wire_answer a;

		wire_answer(out.msg, out.len, &a);
		MUST(out.len <= WIRE_DENIAL_MAX && a.records == 0);
		MUST(wire_answers(out.msg, out.len, data, &q->wire));
	}
	free(q);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct dns dns;

	if (!dns.filter.has_rules)
		rules_make(&dns);
	if (len < WIRE_HEADER_LEN || len > 65535)
		return 0;
	answer_check(&dns, data, len);
	query_check(&dns, data, len);
	return 0;
}
