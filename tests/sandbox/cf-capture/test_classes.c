/*
 * test_classes.c - each class of forbidden calls, from inside the seal of cf-capture.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../classes.h"
#include "capture.h"

START_TEST(the_writer_of_a_run_is_refused)
{
	class_try(&capture_role, NULL, _i);
}
END_TEST

START_TEST(the_writer_of_an_interface_is_refused)
{
	class_try(&live_role, NULL, _i);
}
END_TEST

START_TEST(the_writer_beside_a_run_is_refused)
{
	class_try(&wire_role, NULL, _i);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("classes");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, the_writer_of_a_run_is_refused, 0, CLASSES);
	tcase_add_loop_test(tc, the_writer_of_an_interface_is_refused, 0, CLASSES);
	tcase_add_loop_test(tc, the_writer_beside_a_run_is_refused, 0, CLASSES);
	return unit_run("classes", tc);
}
