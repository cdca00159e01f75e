/*
 * main.h - the last lines of a unit test: run a suite of one case, say how it went.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_MAIN_H
#define UNIT_MAIN_H

#include <check.h>

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static inline int
unit_run(const char *name, TCase *tc)
{
	Suite *s = suite_create(name);
	SRunner *sr;
	int failed;

	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

#endif
