/*
 * test_classes.c - each class of forbidden calls, from inside the seal of cf-upstream-tls.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../classes.h"
#include "upstream.h"

static const char *const the_tunneller_may[] = { "sendmsg", NULL };

START_TEST(the_tunneller_is_refused)
{
	class_try(&upstream_role, the_tunneller_may, _i);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("classes");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, the_tunneller_is_refused, 0, CLASSES);
	return unit_run("classes", tc);
}
