/*
 * test_classes.c - each class of forbidden calls, from inside the seal of cf-doctor.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../classes.h"
#include "flowlog.h"
#include "monitor.h"
#include "summary.h"

static const char *const the_summary_may[] = { "ftruncate", NULL };

START_TEST(the_summary_is_refused)
{
	class_try(&summary_role, the_summary_may, _i);
}
END_TEST

START_TEST(the_monitor_is_refused)
{
	class_try(&monitor_role, NULL, _i);
}
END_TEST

START_TEST(the_report_is_refused)
{
	class_try(&flowlog_role, NULL, _i);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("classes");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, the_summary_is_refused, 0, CLASSES);
	tcase_add_loop_test(tc, the_monitor_is_refused, 0, CLASSES);
	tcase_add_loop_test(tc, the_report_is_refused, 0, CLASSES);
	return unit_run("classes", tc);
}
