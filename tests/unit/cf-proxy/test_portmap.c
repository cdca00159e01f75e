/*
 * test_portmap.c - one source, one port, for as long as it has flows, and within a bound.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../main.h"
#include "portmap.h"

static struct addr
source(unsigned n)
{
	return (struct addr){ .family = 4, .port = (uint16_t)n,
	    .ip = { 192, 0, (uint8_t)(n >> 16), 2 } };
}

START_TEST(mapping_lasts_until_its_last_flow)
{
	struct portmap *m = portmap_new();
	struct addr a = source(5000), b = source(5001), a6 = a;
	struct mapping *p;

	a6.family = 6;
	ck_assert_ptr_null(portmap_hold(m, &a));
	ck_assert_uint_eq(mapping_port(NULL), 0);
	p = portmap_add(m, &a, 40000);
	ck_assert_uint_eq(mapping_port(p), 40000);
	ck_assert_ptr_eq(portmap_hold(m, &a), p);
	ck_assert_ptr_null(portmap_hold(m, &b));
	ck_assert_ptr_null(portmap_hold(m, &a6));
	portmap_drop(m, p);
	ck_assert_ptr_eq(portmap_hold(m, &a), p);
	portmap_drop(m, p);
	portmap_drop(m, p);
	ck_assert_ptr_null(portmap_hold(m, &a));
	portmap_drop(m, NULL);
	portmap_free(m);
	portmap_free(NULL);
}
END_TEST

START_TEST(both_families_of_a_socket_are_pointed_to_one_port)
{
	struct portmap *m = portmap_new();
	struct addr a = source(5000), b = source(5001), a6 = a;
	struct mapping *p;

	a6.family = 6;
	ck_assert_uint_eq(portmap_hint(m, &a6), 0);
	p = portmap_add(m, &a, 40000);
	ck_assert_uint_eq(portmap_hint(m, &a6), 40000);
	ck_assert_uint_eq(portmap_hint(m, &a), 0);
	ck_assert_uint_eq(portmap_hint(m, &b), 0);
	portmap_drop(m, p);
	ck_assert_uint_eq(portmap_hint(m, &a6), 0);
	portmap_free(m);
}
END_TEST

START_TEST(full_table_says_no_and_recovers)
{
	struct portmap *m = portmap_new();
	struct mapping *first = NULL, *p;
	struct addr a;

	for (unsigned i = 0; i < PORTMAP_MAX; i++) {
		a = source(i);
		p = portmap_add(m, &a, (uint16_t)(i + 1));
		ck_assert_ptr_nonnull(p);
		if (first == NULL)
			first = p;
	}
	a = source(PORTMAP_MAX);
	ck_assert_ptr_null(portmap_add(m, &a, 1));
	portmap_drop(m, first);
	ck_assert_ptr_nonnull(portmap_add(m, &a, 1));
	a = source(77);
	ck_assert_uint_eq(mapping_port(portmap_hold(m, &a)), 78);
	portmap_free(m);
}
END_TEST

/* Addresses inside are few; who makes them up fills a chain, and no search is long. */
START_TEST(made_up_addresses_of_one_port_find_its_chain_full)
{
	struct portmap *m = portmap_new();
	struct addr a = source(5000), other = source(5001);
	unsigned n = 0;

	for (unsigned i = 0; i < PORTMAP_MAX; i++) {
		memcpy(a.ip, &i, sizeof(i));
		n += portmap_add(m, &a, (uint16_t)(i + 1)) != NULL;
	}
	ck_assert_uint_ge(n, 2);
	ck_assert_uint_le(n, 64);
	ck_assert_ptr_nonnull(portmap_add(m, &other, 7));
	portmap_free(m);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("portmap");

	tcase_add_test(tc, mapping_lasts_until_its_last_flow);
	tcase_add_test(tc, both_families_of_a_socket_are_pointed_to_one_port);
	tcase_add_test(tc, full_table_says_no_and_recovers);
	tcase_add_test(tc, made_up_addresses_of_one_port_find_its_chain_full);
	return unit_run("portmap", tc);
}
