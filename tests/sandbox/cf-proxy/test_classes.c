/*
 * test_classes.c - each class of forbidden calls, from inside the seal of cf-proxy.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../classes.h"
#include "proxy.h"

static const char *const the_policy_stage_may[] = { "sendmsg", NULL };

START_TEST(the_policy_stage_is_refused)
{
	class_try(&broker_stage.sandbox, the_policy_stage_may, _i);
}
END_TEST

static const char *const the_dialler_may[] = { "connect", "bind", "sendmsg", NULL };

START_TEST(the_dialler_is_refused)
{
	class_try(&dial_stage.sandbox, the_dialler_may, _i);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("classes");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, the_policy_stage_is_refused, 0, CLASSES);
	tcase_add_loop_test(tc, the_dialler_is_refused, 0, CLASSES);
	return unit_run("classes", tc);
}
