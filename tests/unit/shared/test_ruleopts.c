/*
 * test_ruleopts.c - the options of a policy: what they make, and what is said of wrong ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../main.h"
#include "ruleopts.h"

struct conf {
	struct ruleopts	rules;
};

static const struct cli_option options[] = { RULEOPTS_ROWS, { 0 } };
static const struct cli cli = { .name = "cf-test", .usage = "", .about = "", .options = options };

#define ARGS_MAX	8
#define FILE_RULES	"@FILE"		/* stands for the path of the file that the case has */

static char	path[64];

static void
file_make(const char *text)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/test_ruleopts.XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void
parse(struct conf *conf, const char *const *args)
{
	char *argv[ARGS_MAX + 2] = { (char *)"cf-test" };
	int n = 1;

	for (; args[n - 1] != NULL; n++)
		argv[n] = strcmp(args[n - 1], FILE_RULES) == 0 ? path : (char *)args[n - 1];
	*conf = (struct conf){ 0 };
	ck_assert_int_eq(cli_parse(&cli, conf, n, argv, 2), n);
}

/* ---- what they make ---- */

static const struct {
	const char	*args[ARGS_MAX];
	const char	*file;
	unsigned	 flags;		/* of the generation, below RULES_HAS_DENY_NAMES */
	const char	*dst;
	bool		 allowed;
	const char	*control;
} made[] = {
	{ { "--offline" }, NULL, RULES_OFFLINE, "192.0.2.1:1", false, "--offline" },
	{ { "--block-private" }, NULL, RULES_BLOCK_PRIVATE, "10.0.0.1:1", false,
	    "--block-private" },
	{ { "--block-metadata" }, NULL, RULES_BLOCK_METADATA, "169.254.169.254:80", false,
	    "--block-metadata" },
	{ { "--default-policy", "deny" }, NULL, RULES_DEFAULT_DENY, "192.0.2.1:1", false,
	    "--default-policy" },
	{ { "--default-policy=deny", "--default-policy=allow", "--deny-cidr", "10.0.0.0/8" }, NULL,
	    0, "192.0.2.1:1", true, "--default-policy" },
	{ { "--deny-cidr", "192.0.2.0/24" }, NULL, 0, "192.0.2.1:1", false, "--deny-cidr" },
	/* a list of what may leave shuts the rest out; childflow's options do not */
	{ { "--allow-cidr", "192.0.2.0/24" }, NULL, 0, "203.0.113.1:1", true, "--default-policy" },
	{ { "--allow-domain", "a.test", "--allow-domain-exact", "b.test" }, NULL, 0,
	    "203.0.113.1:1", true, "--default-policy" },
	{ { "--allow", "192.0.2.0/24:80" }, NULL, RULES_DEFAULT_DENY, "192.0.2.1:80", true,
	    "--allow" },
	{ { "--allow", "192.0.2.0/24:80" }, NULL, RULES_DEFAULT_DENY, "192.0.2.1:81", false,
	    "--default-policy" },
	{ { "--allow", "192.0.2.1", "--default-policy", "allow" }, NULL, 0, "203.0.113.1:1", true,
	    "--default-policy" },
	{ { "--deny", "192.0.2.1" }, NULL, 0, "192.0.2.1:1", false, "--deny" },
	{ { "--allow-file", FILE_RULES }, "# one\n192.0.2.1\n", RULES_DEFAULT_DENY, "192.0.2.1:1",
	    true, "--allow-file" },
	{ { "--allow-file", FILE_RULES }, "", RULES_DEFAULT_DENY, "192.0.2.1:1", false,
	    "--default-policy" },
	{ { "--deny-file", FILE_RULES }, "192.0.2.1\n", 0, "192.0.2.1:1", false, "--deny-file" },
};

START_TEST(options_make_a_generation)
{
	struct rules_flow flow = { .proto = RULE_TCP };
	struct rules_verdict v;
	struct rules_words words;
	struct rules rules;
	struct conf conf;
	char why[RULEOPTS_WHY];
	size_t len;
	void *buf;

	if (made[_i].file != NULL)
		file_make(made[_i].file);
	parse(&conf, made[_i].args);
	ck_assert(ruleopts_any(&conf.rules));
	buf = ruleopts_compile(&conf.rules, &len, why);
	ck_assert_msg(buf != NULL, "%s", why);
	if (made[_i].file != NULL)
		unlink(path);
	ck_assert_ptr_null(rules_load(buf, len, &rules));
	ck_assert_uint_eq(rules_flags(&rules) & (RULES_HAS_DENY_NAMES - 1), made[_i].flags);
	ck_assert_uint_eq(ruleopts_switches(&conf.rules), made[_i].flags);
	ck_assert(addr_parse(made[_i].dst, 0, &flow.dst));
	ck_assert_int_eq(rules_judge(&rules, &flow, &v), made[_i].allowed);
	rules_explain(&rules, &v, &flow, NULL, &words);
	ck_assert_str_eq(words.control, made[_i].control);
	free(buf);
	ruleopts_done(&conf.rules);
}
END_TEST

START_TEST(no_option_makes_nothing)
{
	static const char *const none[] = { NULL }, *const allow[] = { "--default-policy=allow", NULL };
	struct conf conf;

	parse(&conf, none);
	ck_assert(!ruleopts_any(&conf.rules));
	parse(&conf, allow);
	ck_assert(!ruleopts_any(&conf.rules));
}
END_TEST

/* ---- what is said of wrong ones ---- */

static const struct {
	const char	*args[ARGS_MAX];
	const char	*file;
	const char	*why;		/* a part of the message */
} wrong[] = {
	{ { "--deny-cidr", "10.0.0.1/8" }, NULL, "--deny-cidr '10.0.0.1/8', column " },
	{ { "--deny-cidr", "10.0.0.1/8" }, NULL, "10.0.0.0/8" },
	{ { "--allow", "a.test:99999" }, NULL, "--allow 'a.test:99999', column 8: " },
	{ { "--deny-domain", "" }, NULL, "--deny-domain '', column 1: " },
	{ { "--deny", "a.test", "--deny", "b..test" }, NULL, "'b..test'" },
	{ { "--allow-file", FILE_RULES }, "a.test\n\n  b..test\n", ":3:5: " },
	{ { "--deny-file", FILE_RULES }, "a.test\n\xff", ":2:1: " },
	{ { "--deny-file", "/nonexistent/rules" }, NULL,
	    "cannot read --deny-file /nonexistent/rules: No such file" },
	{ { "--allow-file", "/tmp" }, NULL, "cannot read --allow-file /tmp: Is a directory" },
	{ { "--allow-file", "/dev/zero" }, NULL, "larger than 64 MiB" },
};

START_TEST(wrong_rule_spoils_all_and_says_where)
{
	struct conf conf;
	char why[RULEOPTS_WHY];
	size_t len;

	if (wrong[_i].file != NULL)
		file_make(wrong[_i].file);
	parse(&conf, wrong[_i].args);
	ck_assert_ptr_null(ruleopts_compile(&conf.rules, &len, why));
	ck_assert_msg(strstr(why, wrong[_i].why) != NULL, "%s", why);
	if (wrong[_i].file != NULL)
		unlink(path);
	ruleopts_done(&conf.rules);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("ruleopts");

	tcase_add_loop_test(tc, options_make_a_generation, 0, (int)COUNT(made));
	tcase_add_test(tc, no_option_makes_nothing);
	tcase_add_loop_test(tc, wrong_rule_spoils_all_and_says_where, 0, (int)COUNT(wrong));
	return unit_run("ruleopts", tc);
}
