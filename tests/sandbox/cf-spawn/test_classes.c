/*
 * test_classes.c - each class of forbidden calls, from inside the seal of cf-spawn's watcher.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../classes.h"
#include "watcher.h"

static const char *const the_watcher_may[] = { "openat", NULL };

START_TEST(the_watcher_is_refused)
{
	class_try(&watcher_role, the_watcher_may, _i);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("classes");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, the_watcher_is_refused, 0, CLASSES);
	return unit_run("classes", tc);
}
