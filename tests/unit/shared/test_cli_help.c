/*
 * test_cli_help.c - pages of --help: which options are on which, what fits a line, what programs read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../main.h"
#include "cli.h"
#include "color.h"
#include "log.h"

static const struct cli	cli;

CLI_SET_TOLD(cli)

static const struct cli_option options[] = {
	{ 'a', "alpha", "FILE", set_version, "the first of them, about which there is so much to be said "
	  "that one line of a screen is not enough" },
	{ 0, "alphabet", NULL, set_version, "no part of --alpha's" },
	{ 0, "beta", "one|two", set_version, "the second" },
	{ 0, "no-beta", NULL, set_version, "an option of its own" },
	{ 0, "hidden", NULL, set_version, NULL },
	{ 'h', "help", NULL, set_help, "print this", CLI_NOW },
	{ 0 }
};

static const struct cli_group groups[] = {
	{ NULL, "what is used most", "beta" },
	{ "first", "about letters", "alpha no-beta" },
	{ "rest", "and all else", NULL },
	{ 0 }
};

static const struct cli cli = { .name = "cf-test", .usage = "[options]\n       cf-test sub [options]",
    .about = "Test.", .options = options, .negatable = true, .groups = groups };

static const struct {
	const char	*words[4];
	const char	*out;
	int		 status;
} cases[] = {
	{ { "--help" }, "usage: cf-test [options]\n       cf-test sub [options]\nTest.\n\n"
	    "      --beta one|two          the second\n\n"
	    "  --help first                about letters\n"
	    "  --help rest                 and all else\n"
	    "  --help all                  all of them\n", 0 },
	{ { "-h", "first" }, "first: about letters\n"
	    "  -a, --alpha FILE            the first of them, about which there is so much to\n"
	    "                              be said that one line of a screen is not enough\n"
	    "      --no-beta               an option of its own\n", 0 },
	{ { "--help", "rest" }, "rest: and all else\n"
	    "      --alphabet              no part of --alpha's\n"
	    "      --beta one|two          the second\n"
	    "  -h, --help                  print this\n", 0 },
	{ { "--help", "second" }, "cf-test: there is no --help second (there is first, rest, all)\n", 2 },
	{ { "--help", "options" }, "usage\tcf-test [options]\nusage\tcf-test sub [options]\n"
	    "about\tTest.\npage\tfirst\tabout letters\npage\trest\tand all else\n"
	    "option\ta\talpha\tFILE\tno-alpha\tthe first of them, about which there is so much to be said "
	    "that one line of a screen is not enough\n"
	    "option\t-\talphabet\t-\tno-alphabet\tno part of --alpha's\n"
	    "option\t-\tbeta\tone|two\t-\tthe second\n"
	    "option\t-\tno-beta\t-\tno-no-beta\tan option of its own\n"
	    "option\th\thelp\t-\t-\tprint this\n", 0 },
};

static void
case_run(const char *const *words)
{
	char *argv[5] = { (char *)"x" };
	int argc = 1;

	for (; argc < 5 && words[argc - 1] != NULL; argc++)
		argv[argc] = (char *)words[argc - 1];
	log_init("cf-test", 0);
	cli_parse(&cli, NULL, argc, argv, 2);
	exit(3);
}

START_TEST(a_page_is_this)
{
	char text[4096];
	int p[2], status;
	size_t at = 0;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(p), 0);
	if ((pid = fork()) == 0) {
		dup2(p[1], STDOUT_FILENO);
		dup2(p[1], STDERR_FILENO);
		close(p[0]);
		close(p[1]);
		case_run(cases[_i].words);
	}
	close(p[1]);
	while ((n = read(p[0], text + at, sizeof(text) - 1 - at)) > 0)
		at += (size_t)n;
	text[at] = '\0';
	close(p[0]);
	waitpid(pid, &status, 0);
	ck_assert_str_eq(text, cases[_i].out);
	ck_assert_int_eq(WEXITSTATUS(status), cases[_i].status);
}
END_TEST

static const struct {
	const char	*no_color, *term;
	bool		 wanted;
} places[] = {
	{ NULL, "xterm", true }, { "", "xterm", true }, { "1", "xterm", false },
	{ NULL, "dumb", false }, { NULL, NULL, false },
};

START_TEST(colours_are_for_terminals_whose_user_wants_them)
{
	int tty = posix_openpt(O_RDWR | O_NOCTTY), file = open("/dev/null", O_RDONLY);

	ck_assert_int_ne(tty, -1);
	unsetenv("NO_COLOR");
	unsetenv("TERM");
	if (places[_i].no_color != NULL)
		setenv("NO_COLOR", places[_i].no_color, 1);
	if (places[_i].term != NULL)
		setenv("TERM", places[_i].term, 1);
	ck_assert_int_eq(color_wanted(tty), places[_i].wanted);
	ck_assert(!color_wanted(file));
	close(tty);
	close(file);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("cli_help");

	tcase_add_loop_test(tc, a_page_is_this, 0, (int)COUNT(cases));
	tcase_add_loop_test(tc, colours_are_for_terminals_whose_user_wants_them, 0, (int)COUNT(places));
	return unit_run("cli_help", tc);
}
