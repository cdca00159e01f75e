/*
 * test_runmsg.c - names of runs, and what joiners and runs say to each other.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../main.h"
#include "cli.h"
#include "spawn.h"

START_TEST(names_are_words_and_no_numbers)
{
	static const char *const good[] = { "build", "a", "a.b-c_d", "1a", "-" }, *const bad[] = {
	    "", "12", "a b", "a/b", "\xc3\xa4", "a\n",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	static struct conf conf;
	char why[CLI_WHY_LEN];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(runopts_name(&conf, good[i], why), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!runopts_name(&conf, bad[i], why), "%s", bad[i]);
	ck_assert(runopts_join(&conf, "12", why));
}
END_TEST

START_TEST(words_come_out_as_they_went_in)
{
	char *argv[] = { "sh", "-c", "", NULL }, *envp[] = { "A=1", "B=", NULL };
	const struct run_words in = { .mask = 027, .terminal = true, .directory = "/a b",
	    .argv = argv, .envp = envp };
	struct run_words out;
	size_t len;
	char *bytes = runwords_put(&in, &len);

	ck_assert_ptr_nonnull(bytes);
	ck_assert(runwords_get(bytes, len, &out));
	ck_assert_uint_eq(out.mask, 027);
	ck_assert(out.terminal);
	ck_assert_str_eq(out.directory, "/a b");
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(out.argv[i], argv[i]);
	ck_assert_ptr_null(out.argv[3]);
	ck_assert_str_eq(out.envp[0], "A=1");
	ck_assert_str_eq(out.envp[1], "B=");
	ck_assert_ptr_null(out.envp[2]);
	runwords_free(&out);
}
END_TEST

START_TEST(words_that_are_cut_anywhere_are_refused)
{
	char *argv[] = { "a", "b", NULL }, *envp[] = { "C=d", NULL };
	const struct run_words in = { .directory = "/", .argv = argv, .envp = envp };
	struct run_words out;
	size_t len;
	char *bytes = runwords_put(&in, &len), *cut;

	for (size_t n = 0; n < len; n++) {
		cut = malloc(n + 1);
		ck_assert_ptr_nonnull(cut);
		memcpy(cut, bytes, n);
		ck_assert_msg(!runwords_get(cut, n, &out), "%zu bytes", n);
		runwords_free(&out);
	}
	free(bytes);
}
END_TEST

START_TEST(a_message_passes_with_its_descriptors)
{
	static struct run_msg m;
	int fd[2], fds[RUN_FDS], sent[3] = { 0, 1, 2 };

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	ck_assert(runmsg_send(fd[0], RUN_REFUSED, -5, "why", sent, 3));
	ck_assert(runmsg_receive(fd[1], &m, fds));
	ck_assert_uint_eq(m.type, RUN_REFUSED);
	ck_assert_int_eq(m.value, -5);
	ck_assert_str_eq(m.text, "why");
	ck_assert(fds[2] != -1 && fds[3] == -1);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	ck_assert_int_eq(write(fd[0], "garbage", 7), 7);
	ck_assert(!runmsg_receive(fd[1], &m, fds));
	close(fd[0]);
	ck_assert(!runmsg_receive(fd[1], &m, fds));
	close(fd[1]);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("runmsg");

	tcase_add_test(tc, names_are_words_and_no_numbers);
	tcase_add_test(tc, words_come_out_as_they_went_in);
	tcase_add_test(tc, words_that_are_cut_anywhere_are_refused);
	tcase_add_test(tc, a_message_passes_with_its_descriptors);
	return unit_run("runmsg", tc);
}
