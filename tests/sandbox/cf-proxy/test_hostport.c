/*
 * test_hostport.c - --host-port of the built cf-proxy: what each stage lets through by itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "talk.h"
#include "inside.h"

/* A listener on loopback, on a port that the kernel picks; the helper is told of it. */
static int
loopback_serve(uint8_t family, struct addr *at, char port[16])
{
	int fd = serve(family == 4 ? "127.0.0.1" : "::1", SOCK_STREAM, at);

	snprintf(port, 16, "%u", at->port);
	return fd;
}

START_TEST(dialler_opens_these_ports_of_loopback_alone)
{
	char port[16];
	const char *args[] = { "--host-port", port, NULL };
	struct addr at, other;
	int listener = loopback_serve(_i == 0 ? 4 : 6, &at, port);
	struct talk *t = talk_new(OVER_SOCKET, args);

	ck_assert(open_wait(t, 1, IPPROTO_TCP, &at)->opened);
	close(t->flow[1].fd);
	other = at;
	other.port = at.port == 65535 ? 1 : at.port + 1;
	ck_assert(open_wait(t, 2, IPPROTO_TCP, &other)->refused);
	ck_assert_int_eq(t->flow[2].no.why, REFUSED_POLICY);
	other = at;
	if (at.family == 4)
		other.ip[3] = 2;		/* 127.0.0.2 is not it */
	else
		other = address("::ffff:127.0.0.2", at.port);
	ck_assert(open_wait(t, 3, IPPROTO_TCP, &other)->refused);
	ck_assert_int_eq(t->flow[3].no.why, REFUSED_POLICY);
	close(listener);
	talk_end(t);
}
END_TEST

/* With both stages; a client that has fallen to the tree may ask for anything. */
START_TEST(policy_stage_takes_the_way_of_the_tree_and_no_other)
{
	char port[16], fd[16];
	const char *dial_args[] = { "--host-port", port, NULL };
	const char *args[] = { "--policy", "--dial-fd", fd, "--host-port", port, NULL };
	struct talk *t = calloc(1, sizeof(*t));
	struct addr at, inside;
	int listener = loopback_serve(_i == 0 ? 4 : 6, &at, port);

	helper_start(&t->dialler, OVER_SOCKET, dial_args);
	fcntl(t->dialler.wfd, F_SETFD, 0);
	snprintf(fd, sizeof(fd), "%d", t->dialler.wfd);
	helper_start(&t->h, OVER_SOCKET, args);
	close(t->dialler.wfd);
	talk_hello(t, t->h.rfd, t->h.wfd, R_STACK, R_PROXY);
	WAIT(t, chan_peer(t->chan) != 0);

	inside = address(_i == 0 ? INSIDE_HOST4 : INSIDE_HOST6, at.port);
	ck_assert(open_wait(t, 1, IPPROTO_TCP, &inside)->opened);
	flow_close(t, 1, CLOSE_EOF);
	ck_assert(open_wait(t, 2, IPPROTO_TCP, &at)->refused);
	ck_assert_int_eq(t->flow[2].no.why, REFUSED_POLICY);
	inside.port ^= 1;
	ck_assert(open_wait(t, 3, IPPROTO_TCP, &inside)->refused);
	ck_assert_int_eq(t->flow[3].no.why, REFUSED_POLICY);
	close(listener);
	t->h.warns = "cf-proxy: ";
	talk_end(t);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("hostport");
	Suite *suite = suite_create("ports of the host");
	SRunner *runner = srunner_create(suite);

	net_make();
	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, dialler_opens_these_ports_of_loopback_alone, 0, 2);
	tcase_add_loop_test(tc, policy_stage_takes_the_way_of_the_tree_and_no_other, 0, 2);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	return srunner_ntests_failed(runner) == 0 ? 0 : 1;
}
