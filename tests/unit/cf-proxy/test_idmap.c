/*
 * test_idmap.c - the table of flows against a plain array, with numbers near and far.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "../main.h"
#include "idmap.h"

#define IDS	5000

static const uint64_t steps[] = { 1, 2, 256, 1u << 20, 0x9e3779b97f4a7c15, UINT64_MAX };

START_TEST(finds_what_was_put_and_nothing_else)
{
	static char value[IDS + 1];
	static uint64_t id[IDS + 1];
	static char in[IDS + 1];
	struct idmap m;
	size_t n = 0;

	ck_assert(idmap_init(&m));
	srand(1);
	for (size_t i = 1; i <= IDS; i++)
		id[i] = i * steps[_i];
	for (int round = 0; round < 60000; round++) {
		size_t i = 1 + (size_t)rand() % IDS;

		ck_assert_ptr_eq(idmap_get(&m, id[i]), in[i] ? &value[i] : NULL);
		if (in[i]) {
			ck_assert_ptr_eq(idmap_take(&m, id[i]), &value[i]);
			ck_assert_ptr_null(idmap_take(&m, id[i]));
		} else {
			ck_assert(idmap_put(&m, id[i], &value[i]));
		}
		in[i] = !in[i];
		n += in[i] ? 1 : (size_t)-1;
		ck_assert_uint_eq(m.n, n);
	}
	for (size_t i = 1; i <= IDS; i++)
		ck_assert_ptr_eq(idmap_get(&m, id[i]), in[i] ? &value[i] : NULL);
	idmap_done(&m);
}
END_TEST

START_TEST(pop_empties_it)
{
	static char seen[IDS + 1];
	struct idmap m;
	size_t at = 0, n = 0;
	char *v;

	ck_assert(idmap_init(&m));
	for (size_t i = 1; i <= IDS; i++)
		ck_assert(idmap_put(&m, i * steps[_i], &seen[i]));
	while ((v = idmap_pop(&m, &at)) != NULL) {
		ck_assert_int_eq(*v, 0);
		*v = 1;
		n++;
	}
	ck_assert_uint_eq(n, IDS);
	ck_assert_uint_eq(m.n, 0);
	idmap_done(&m);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("idmap");

	tcase_add_loop_test(tc, finds_what_was_put_and_nothing_else, 0, (int)COUNT(steps));
	tcase_add_loop_test(tc, pop_empties_it, 0, (int)COUNT(steps));
	return unit_run("idmap", tc);
}
