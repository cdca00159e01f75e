/*
 * test_tcppath.c - which way TCP goes, by option, by capture and by what worked.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"

#include "spawn.h"

static const struct {
	enum tcp_path	 asked;
	const char	*capture;
	bool		 wanted;
} wishes[] = {
	{ TCP_PATH_AUTO,	NULL,		true },
	{ TCP_PATH_AUTO,	"x.pcapng",	false },
	{ TCP_PATH_KERNEL,	NULL,		true },
	{ TCP_PATH_TUN,		NULL,		false },
	{ TCP_PATH_TUN,		"x.pcapng",	false },
};

START_TEST(it_is_tried_where_it_may_be_used)
{
	struct conf conf = { .tcp_path = wishes[_i].asked, .capture_file = wishes[_i].capture };

	ck_assert_int_eq(tcp_path_wanted(&conf), wishes[_i].wanted);
}
END_TEST

static const struct {
	enum tcp_path	 asked;
	unsigned	 families;
	const char	*failed, *name, *why;
} outcomes[] = {
	{ TCP_PATH_AUTO,   2, "",		"kernel", "" },
	{ TCP_PATH_AUTO,   1, "",		"kernel", "" },	/* a host without IPv6 */
	{ TCP_PATH_AUTO,   1, "IPv6: x",	"mixed",  "IPv6: x" },
	{ TCP_PATH_AUTO,   0, "IPv4: y",	"tun",	  "IPv4: y" },
	{ TCP_PATH_AUTO,   0, "",		"tun",	  "--capture sees all of it" },
	{ TCP_PATH_TUN,	   0, "",		"tun",	  "--tcp-path tun" },
};

START_TEST(outcome_has_a_name_and_a_reason)
{
	struct conf conf = { .tcp_path = outcomes[_i].asked, .capture_file = "x.pcapng" };
	struct tcp_choice t = { .families = outcomes[_i].families };

	tcp_path_decided(&t, &conf, outcomes[_i].failed);
	ck_assert_str_eq(t.name, outcomes[_i].name);
	ck_assert_str_eq(t.why, outcomes[_i].why);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("tcppath");

	tcase_add_loop_test(tc, it_is_tried_where_it_may_be_used, 0, COUNT(wishes));
	tcase_add_loop_test(tc, outcome_has_a_name_and_a_reason, 0, COUNT(outcomes));
	return unit_run("tcppath", tc);
}
