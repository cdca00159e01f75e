/*
 * test_audit.c - what a program says about itself is taken where it is right, and is an error else.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../main.h"
#include "audit.h"

#define CALL	"{\"call\":\"ioctl\",\"number\":16,\"arguments\":[{\"argument\":1,\"mask\":\"0xff\"," \
		"\"value\":\"0x1\",\"means\":\"X\"}],\"reason\":\"why\"}"
#define ROLE	"{\"role\":\"cf-x\",\"does\":\"d\",\"namespaces\":[\"user\"],\"root\":\"empty\"," \
		"\"stays\":null,\"limits\":[{\"limit\":\"core\",\"value\":0,\"reason\":\"r\"}]," \
		"\"calls\":[" CALL "]}"
#define RIGHT	"{\"program\":\"cf-x\",\"roles\":[" ROLE "]}"

START_TEST(what_is_right_is_printed)
{
	char why[AUDIT_WHY], *text;
	json_t *o = audit_read(RIGHT, strlen(RIGHT), "cf-x", why);
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(o);
	audit_print(f, o);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, "cf-x: d\n"));
	ck_assert_ptr_nonnull(strstr(text, "ioctl, argument 1 is X"));
	ck_assert_ptr_nonnull(strstr(text, "namespaces of its own: user\n"));
	ck_assert_ptr_nonnull(strstr(text, "limits: core 0\n"));
	ck_assert_ptr_nonnull(strstr(text, "once sealed:\n      nothing\n"));
	free(text);
	json_decref(o);
}
END_TEST

static const char *const wrong[] = {
	"", "[]", "1", "{", "nonsense", RIGHT RIGHT, "{\"program\":\"cf-x\"}",
	"{\"program\":\"cf-y\",\"roles\":[" ROLE "]}",
	"{\"program\":\"cf-x\",\"program\":\"cf-x\",\"roles\":[]}",
	"{\"program\":\"cf-x\",\"roles\":[],\"more\":1}",
	"{\"program\":\"cf-x\",\"roles\":{}}", "{\"program\":\"cf-x\",\"roles\":[1]}",
	"{\"program\":\"cf-x\",\"roles\":[{}]}", "{\"program\":7,\"roles\":[]}",
	"{\"program\":null,\"roles\":[]}", "{\"program\":\"cf-x\\u001b[2J\",\"roles\":[]}",
	"{\"program\":\"cf-x\",\"roles\":[],\"tree\":{}}",
	"{\"program\":\"cf-x\",\"roles\":[],\"starts\":[{\"role\":\"a\",\"program\":\"b\","
	    "\"namespaces\":[1]}]}",
	"{\"program\":\"cf-x\",\"roles\":[],\"starts\":[{\"role\":\"\\u00e9\",\"program\":\"b\","
	    "\"namespaces\":[]}]}",
};

START_TEST(what_is_wrong_is_refused)
{
	char why[AUDIT_WHY] = "";

	ck_assert_ptr_null(audit_read(wrong[_i], strlen(wrong[_i]), "cf-x", why));
	ck_assert_str_ne(why, "");
}
END_TEST

/* A program that does this with whatever it is asked. */
static const char *
script(const char *body)
{
	static char path[64];
	FILE *f;

	strcpy(path, "/tmp/cf-audit-test.XXXXXX");
	close(mkstemp(path));
	ck_assert_ptr_nonnull(f = fopen(path, "w"));
	fprintf(f, "#!/bin/sh\n%s\n", body);
	fclose(f);
	chmod(path, 0700);
	return path;
}

static const struct {
	const char	*body, *why;		/* why NULL: this is what it says */
} programs[] = {
	{ "echo \"$1 $#\"", NULL },
	{ "exit 1", "it ended badly" },
	{ "echo x; kill -9 $$", "it ended badly" },
	{ "echo x; exec sleep 100", "it does not come to an end" },
	{ "echo x; exec >&-; exec sleep 100", "it ended badly" },
	{ "sleep 100 & echo x", "it does not come to an end" },
	{ "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done",
	  "it says too much" },
};

START_TEST(a_program_is_asked_within_bounds)
{
	const char *path = script(programs[_i].body);
	char why[AUDIT_WHY] = "", *said;
	size_t len = 0;

	if (strstr(programs[_i].body, "sleep") != NULL)
		audit_limit = 500;
	said = audit_run(path, &len, why);
	unlink(path);
	if (programs[_i].why == NULL) {
		ck_assert_ptr_nonnull(said);
		ck_assert_int_eq((int)len, 10);
		ck_assert_int_eq(memcmp(said, "--audit 1\n", 10), 0);
	} else {
		ck_assert_ptr_null(said);
		ck_assert_ptr_nonnull(strstr(why, programs[_i].why));
	}
	free(said);
}
END_TEST

START_TEST(a_program_that_is_not_there_is_told)
{
	char why[AUDIT_WHY] = "";
	size_t len;

	ck_assert_ptr_null(audit_run("/none", &len, why));
	ck_assert_str_ne(why, "");
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("audit");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_is_right_is_printed);
	tcase_add_loop_test(tc, what_is_wrong_is_refused, 0, COUNT(wrong));
	tcase_add_loop_test(tc, a_program_is_asked_within_bounds, 0, COUNT(programs));
	tcase_add_test(tc, a_program_that_is_not_there_is_told);
	return unit_run("audit", tc);
}
