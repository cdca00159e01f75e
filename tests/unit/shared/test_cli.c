/*
 * test_cli.c - one table: what is parsed, what is refused and in which words, what --help says.
 *
 * Each case runs in a child process, as a bad option ends the process.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../main.h"
#include "cli.h"
#include "log.h"

struct conf {
	int	 verbose;
	long	 number;
	char	 name[32];
};

static const struct cli	cli;

CLI_SET(conf, verbose, cli_count)
CLI_SET_TOLD(cli)

static bool
set_number(void *conf, const char *arg, char *why)
{
	return cli_number(arg, 0, 100, &((struct conf *)conf)->number, why);
}

static bool
set_name(void *conf, const char *arg, char *why)
{
	(void)why;
	snprintf(((struct conf *)conf)->name, 32, "%s", arg);
	return true;
}

static const struct cli_option options[] = {
	{ 'v', "verbose", NULL, set_verbose, "say more" },
	{ 'c', "count", "N", set_number, "how many" },
	{ 0, "name", "TEXT", set_name, "what it is called, which is a longer story" },
	{ 0, "secret", "TEXT", set_name, NULL },
	{ 'h', "help", NULL, set_help, "print this" },
	{ 'V', "version", NULL, set_version, "print the version" },
	{ 0 }
};

static const struct cli cli = { .name = "cf-test", .usage = "[options] CMD", .about = "Test.",
    .options = options };

static const struct {
	const char	*argv[8];
	const char	*out;		/* what it prints: verbose, number, name, operands */
	const char	*err;		/* or, on stderr, with status 2 */
} cases[] = {
	{ { "x" },				"0 0 - 1:", NULL },
	{ { "x", "-v", "-v" },			"2 0 - 3:", NULL },
	{ { "x", "-vvc5", "cmd" },		"2 5 - 2:cmd", NULL },
	{ { "x", "--count", "7", "cmd", "-v" },	"0 7 - 3:cmd", NULL },
	{ { "x", "--count=7", "--name=a=b" },	"0 7 a=b 3:", NULL },
	{ { "x", "-v", "--", "-v" },		"1 0 - 3:-v", NULL },
	{ { "x", "--secret", "s" },		"0 0 s 3:", NULL },
	{ { "x", "-V", "--count", "x" },	"cf-test " CF_VERSION "\n", NULL },
	{ { "x", "--count", "101" },	NULL, "--count 101: not a whole number from 0 to 100" },
	{ { "x", "--count", "-1" },	NULL, "not a whole number from 0 to 100" },
	{ { "x", "--count", "5x" },	NULL, "not a whole number" },
	{ { "x", "--count", "" },	NULL, "not a whole number" },
	{ { "x", "-c", "99999999999999999999" }, NULL, "not a whole number" },
	{ { "x", "--count" },		NULL, "option --count needs a value" },
	{ { "x", "-c" },		NULL, "option -c needs a value" },
	{ { "x", "-z" },		NULL, "unknown or unfitting option -z" },
	{ { "x", "-vz" },		NULL, "unknown or unfitting option -z" },
	{ { "x", "--verbos3" },		NULL, "unknown option --verbos3 (did you mean --verbose?" },
	{ { "x", "--verbose=3" },	NULL, "option --verbose" },
	{ { "x", "--\x1b[31m" },	NULL, "option --\\x1b[31m" },
	{ { "x", "--secre7" },		NULL, "unknown or unfitting option --secre7" },
};

static void
case_run(const char *const *args)
{
	struct conf conf = { .name = "-" };
	char *argv[8];
	int argc = 0, first;

	while (argc < 8 && args[argc] != NULL) {
		argv[argc] = (char *)args[argc];
		argc++;
	}
	argv[argc] = NULL;
	log_init("cf-test", 0);
	first = cli_parse(&cli, &conf, argc, argv, 2);
	printf("%d %ld %s %d:%s", conf.verbose, conf.number, conf.name, first,
	    first < argc ? argv[first] : "");
	exit(0);
}

/* Run it in a child; returns the exit status. */
static int
case_in_child(const char *const *args, char *text, size_t len)
{
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
		case_run(args);
	}
	close(p[1]);
	while (at < len - 1 && (n = read(p[0], text + at, len - 1 - at)) > 0)
		at += (size_t)n;
	text[at] = '\0';
	close(p[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(line_is_parsed_or_refused)
{
	char text[4096];
	int status = case_in_child(cases[_i].argv, text, sizeof(text));

	if (cases[_i].out != NULL) {
		ck_assert_str_eq(text, cases[_i].out);
		ck_assert_int_eq(status, 0);
	} else {
		ck_assert_msg(strstr(text, cases[_i].err) != NULL, "%s", text);
		ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
		ck_assert_int_eq(status, 2);
	}
}
END_TEST

START_TEST(help_shows_all_but_hidden_options)
{
	const char *const args[] = { "x", "--help", NULL };
	char text[4096];

	ck_assert_int_eq(case_in_child(args, text, sizeof(text)), 0);
	ck_assert_ptr_nonnull(strstr(text, "usage: cf-test [options] CMD\n"));
	for (const struct cli_option *o = options; o->name != NULL; o++)
		ck_assert_int_eq(strstr(text, o->name) != NULL, o->help != NULL);
}
END_TEST

static const struct {
	const char	*arg;
	int		 fd;		/* -1: refused */
} fds[] = {
	{ "3", 3 }, { "65535", 65535 }, { "2", -1 }, { "65536", -1 }, { "-3", -1 }, { "", -1 },
	{ "3 4", -1 }, { "4294967299", -1 }
};

START_TEST(fd_is_none_of_the_standard_ones)
{
	char why[CLI_WHY_LEN] = "";
	int fd = -1;

	ck_assert_int_eq(cli_fd(fds[_i].arg, &fd, why), fds[_i].fd != -1);
	ck_assert_int_eq(fd, fds[_i].fd);
	ck_assert_int_eq(*why == '\0', fds[_i].fd != -1);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("cli");

	tcase_add_loop_test(tc, line_is_parsed_or_refused, 0, (int)COUNT(cases));
	tcase_add_test(tc, help_shows_all_but_hidden_options);
	tcase_add_loop_test(tc, fd_is_none_of_the_standard_ones, 0, (int)COUNT(fds));
	return unit_run("cli", tc);
}
