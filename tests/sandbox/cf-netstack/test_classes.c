/*
 * test_classes.c - each class of forbidden calls, from inside the seal of cf-netstack.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../classes.h"
#include "loop.h"

START_TEST(the_packet_engine_is_refused)
{
	class_try(&netstack_role, NULL, _i);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("classes");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, the_packet_engine_is_refused, 0, CLASSES);
	return unit_run("classes", tc);
}
