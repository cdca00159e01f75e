/*
 * test_sandbox.c - the whole life of `cf-doctor summary`, and the checks of the built program.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "flowlog.h"

#define LEN(a)		(sizeof(a) / sizeof((a)[0]))
#define FACTS_FD	7

static const char	facts[] = "{\"backend\":\"b\",\"command\":[\"c\"],\"exit_code\":3}";

/* ---- the built program ---- */

/* The program that was built together with this test: BUILD/tests/sandbox/PART/TEST. */
static const char *
program_path(void)
{
	static char buf[PATH_MAX];
	const char *bin = getenv("CF_BIN");
	ssize_t n;

	if (bin == NULL) {
		n = readlink("/proc/self/exe", buf, sizeof(buf) - 64);
		ck_assert_int_gt(n, 0);
		buf[n] = '\0';
		strcpy(strrchr(buf, '/'), "/../../../bin/cf-doctor");
	} else {
		snprintf(buf, sizeof(buf), "%s/cf-doctor", bin);
	}
	return buf;
}

struct program {
	pid_t	pid;
	int	in, facts, out, err;	/* our ends */
};

static struct program
start(const char *const *args)
{
	const char *argv[8] = { program_path() };
	int in[2], info[2], out[2], err[2];
	struct program p;

	for (size_t i = 0; args[i] != NULL; i++)
		argv[i + 1] = args[i];
	if (pipe2(in, O_CLOEXEC) || pipe2(info, O_CLOEXEC) || pipe2(out, O_CLOEXEC) ||
	    pipe2(err, O_CLOEXEC))
		ck_abort_msg("no pipe");
	if ((p.pid = fork()) == 0) {
		int high = fcntl(info[0], F_DUPFD, 50);

		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		dup2(high, FACTS_FD);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(in[0]);
	close(info[0]);
	close(out[1]);
	close(err[1]);
	p.in = in[1];
	p.facts = info[1];
	p.out = out[0];
	p.err = err[0];
	return p;
}

static const char *const	summary[] = { "summary", "--facts-fd", "7", NULL };
static const char *const	summary_json[] = {
	"summary", "--facts-fd", "7", "--format", "json", NULL
};

static void
say(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* All of a pipe's text; closes it. */
static char *
drain(int fd)
{
	static char buf[1 << 20];
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, buf + len, sizeof(buf) - 1 - len)) > 0)
		len += (size_t)n;
	buf[len] = '\0';
	close(fd);
	return buf;
}

/* Exit status, 128+N for signal N; what it printed on the standard error is in *said. */
static int
finish(struct program *p, char **said)
{
	int status;

	close(p->in);
	close(p->facts);
	ck_assert_str_eq(drain(p->out), "");
	*said = drain(p->err);
	ck_assert_int_eq(waitpid(p->pid, &status, 0), p->pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

START_TEST(whole_life_sealed)
{
	struct program p = start(_i == 1 ? summary_json : summary);
	char *said;

	say(p.in, "{\"event\":\"dns_query\",\"qname\":\"a.test\"}\n{\"event\":\"dns_ans");
	say(p.in, "wer\",\"qname\":\"a.test\",\"answer_ips\":[\"192.0.2.1\"]}\n");
	say(p.in, "{\"event\":\"connect_result\",\"status\":\"ok\",\"remote_addr\":\"192.0.2.1:80\"}\n");
	say(p.in, "no event\n");
	close(p.in);
	p.in = -1;
	say(p.facts, facts);
	ck_assert_int_eq(finish(&p, &said), 0);
	if (_i == 1) {
		json_t *o = json_loads(said, 0, NULL);

		ck_assert_ptr_nonnull(o);
		ck_assert_int_eq(json_integer_value(json_object_get(o, "exit_code")), 3);
		json_decref(o);
	} else {
		ck_assert_int_eq(strncmp(said, "childflow summary\nbackend: b\n", 29), 0);
		ck_assert_ptr_nonnull(strstr(said, "\nflows: tcp=1, udp=0, icmp=0\n"));
		ck_assert_ptr_nonnull(strstr(said, "malformed=1"));
	}
}
END_TEST

/* Writers that die and writers that write at the same time cost no line of the others. */
START_TEST(many_writers_lose_nothing)
{
	static const char line[] = "{\"event\":\"dns_query\",\"qname\":\"busy.test\"}\n";
	struct program p = start(summary);
	char *said;

	for (int w = 0; w < 3; w++)
		if (fork() == 0) {
			for (int i = 0; i < 20000; i++)
				if (write(p.in, line, sizeof(line) - 1) != sizeof(line) - 1)
					_exit(1);
			_exit(0);
		}
	for (int w = 0; w < 3; w++) {
		int status;

		ck_assert_int_gt(waitpid(-1, &status, 0), 0);
		ck_assert_int_eq(status, 0);
	}
	say(p.facts, facts);
	ck_assert_int_eq(finish(&p, &said), 0);
	ck_assert_ptr_nonnull(strstr(said, "total=60000, dns_query=60000, "));
}
END_TEST

/* More facts than a pipe holds, before the events end: nobody waits for anybody. */
START_TEST(facts_may_come_first)
{
	static char word[60000];
	struct program p = start(summary);
	char *said;

	say(p.facts, "{\"backend\":\"b\",\"exit_code\":0,\"command\":[\"");
	memset(word, 'x', sizeof(word));
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(write(p.facts, word, sizeof(word)), sizeof(word));
	say(p.facts, "\"]}");
	say(p.in, "{\"event\":\"dns_query\",\"qname\":\"a.test\"}\n");
	ck_assert_int_eq(finish(&p, &said), 0);
	ck_assert_ptr_nonnull(strstr(said, "x ...\n"));
	ck_assert_ptr_nonnull(strstr(said, "total=1, "));
}
END_TEST

START_TEST(facts_without_end_are_not_kept)
{
	static char junk[60000];
	struct program p = start(summary);
	char *said;

	memset(junk, ' ', sizeof(junk));
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(write(p.facts, junk, sizeof(junk)), sizeof(junk));
	ck_assert_int_eq(finish(&p, &said), 1);
	ck_assert_ptr_eq(strstr(said, "cf-doctor: the facts of the run cannot be read: "
	    "they are too long\nchildflow summary\n"), said);
}
END_TEST

START_TEST(no_facts_is_said_and_the_events_told)
{
	struct program p = start(summary);
	char *said;

	say(p.in, "{\"event\":\"dns_query\",\"qname\":\"a.test\"}\n");
	ck_assert_int_eq(finish(&p, &said), 1);
	ck_assert_ptr_nonnull(strstr(said, "cannot be read: there are none\n"));
	ck_assert_ptr_nonnull(strstr(said, "flow-log dns names: a.test"));
}
END_TEST

START_TEST(interrupt_is_for_the_command)
{
	static char junk[60000];
	struct program p = start(summary);
	char *said;

	say(p.in, "{\"event\":\"dns_query\",\"qname\":\"a.test\"}\n");
	/* The pipe holds less than this, so when all is written the program reads: it is up. */
	memset(junk, ' ', sizeof(junk));
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(write(p.facts, junk, sizeof(junk)), sizeof(junk));
	say(p.facts, facts);
	kill(p.pid, SIGINT);
	kill(p.pid, SIGQUIT);
	ck_assert_int_eq(finish(&p, &said), 0);
	ck_assert_ptr_nonnull(strstr(said, "exit: 3\n"));
}
END_TEST

static const char *const	bad_command_lines[][6] = {
	{ "summary" }, { "summary", "--facts-fd", "0" }, { "summary", "--facts-fd", "x" },
	{ "summary", "--facts-fd", "7", "more" }, { "summary", "--facts-fd", "7", "--format", "x" },
	{ "--nonsense" }, { "no-such-check" }, { "tun", "no-such-check" },
};

START_TEST(bad_command_line_is_2)
{
	struct program p = start(bad_command_lines[_i]);
	char *said;

	ck_assert_int_eq(finish(&p, &said), 2);
	ck_assert_ptr_nonnull(strchr(said, '\n'));
	ck_assert_ptr_eq(strchr(said, '\n'), said + strlen(said) - 1);
}
END_TEST

/* ---- the checks, in a host where namespaces are used up ---- */

/* Output of a shell command; its status in *status. */
static const char *
shell(const char *command, int *status)
{
	static char buf[65536];
	FILE *f = popen(command, "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(buf, 1, sizeof(buf) - 1, f);
	buf[n] = '\0';
	*status = WEXITSTATUS(pclose(f));
	return buf;
}

START_TEST(blocked_host_is_1_with_a_hint)
{
	char command[PATH_MAX + 256];
	const char *said;
	int status;

	snprintf(command, sizeof(command), "unshare -Ur sh -c 'echo 0 > "
	    "/proc/sys/user/max_user_namespaces && exec %s userns quota tun'", program_path());
	if (system("unshare -Ur sh -c 'echo 9 > /proc/sys/user/max_user_namespaces' 2>/dev/null") != 0)
		return;			/* no user namespaces here to try it in */
	said = shell(command, &status);
	ck_assert_int_eq(status, 1);
	ck_assert_ptr_nonnull(strstr(said, "status: blocked\n"));
	ck_assert_ptr_nonnull(strstr(said, "[UNAVAILABLE] runs without root\n"));
	ck_assert_ptr_nonnull(strstr(said, "[FATAL] unprivileged user namespaces\n"
	    "  cannot make a user namespace: No space left on device\n  hint: "));
	ck_assert_ptr_nonnull(strstr(said, "hint: sysctl -w user.max_user_namespaces="));
}
END_TEST

START_TEST(named_checks_run_alone)
{
	char command[PATH_MAX + 64];
	const char *said;
	int status;

	snprintf(command, sizeof(command), "%s seccomp", program_path());
	said = shell(command, &status);
	ck_assert_int_eq(status, 0);
	ck_assert_ptr_nonnull(strstr(said, "status: ready\n"));
	ck_assert_ptr_nonnull(strstr(said, "preflight\n[OK] system call filter\n"));
	ck_assert_ptr_null(strstr(said, "TUN"));
}
END_TEST

START_TEST(json_form_is_childflows)
{
	char command[PATH_MAX + 64];
	json_t *o, *first;
	int status;

	snprintf(command, sizeof(command), "%s --format json seccomp", program_path());
	o = json_loads(shell(command, &status), 0, NULL);
	ck_assert_ptr_nonnull(o);
	ck_assert_str_eq(json_string_value(json_object_get(o, "backend")), "rootless-internal");
	ck_assert_str_eq(json_string_value(json_object_get(o, "status")), "ready");
	ck_assert(json_is_integer(json_object_get(o, "uid")));
	ck_assert(json_is_integer(json_object_get(o, "euid")));
	first = json_array_get(json_object_get(o, "preflight"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(first, "status")), "ok");
	ck_assert(json_is_null(json_object_get(first, "hint")));
	first = json_array_get(json_object_get(o, "capabilities"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(first, "status")), "available");
	json_decref(o);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cf-doctor");
	TCase *tc = tcase_create("sandbox");
	SRunner *sr;
	int failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, whole_life_sealed, 0, 2);
	tcase_add_test(tc, many_writers_lose_nothing);
	tcase_add_test(tc, facts_may_come_first);
	tcase_add_test(tc, facts_without_end_are_not_kept);
	tcase_add_test(tc, no_facts_is_said_and_the_events_told);
	tcase_add_test(tc, interrupt_is_for_the_command);
	tcase_add_loop_test(tc, bad_command_line_is_2, 0, (int)LEN(bad_command_lines));
	tcase_add_test(tc, blocked_host_is_1_with_a_hint);
	tcase_add_test(tc, named_checks_run_alone);
	tcase_add_test(tc, json_form_is_childflows);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
