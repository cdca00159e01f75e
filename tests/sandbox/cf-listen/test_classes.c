/*
 * test_classes.c - each class of forbidden calls, from inside the seal of cf-proxy --listen.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../classes.h"
#include "listen.h"

static const char *const the_listener_may[] = { "sendmsg", NULL };

START_TEST(the_listener_is_refused)
{
	class_try(&listen_role, the_listener_may, _i);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("classes");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, the_listener_is_refused, 0, CLASSES);
	return unit_run("classes", tc);
}
