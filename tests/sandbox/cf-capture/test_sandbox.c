/*
 * test_sandbox.c - what a live capture may not do, and the whole life of the built program.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../unit/cf-capture/blocks.h"
#include "capture.h"

#define LEN(a)		(sizeof(a) / sizeof((a)[0]))
#define PATIENCE	10000		/* ms; only a broken program takes them */

static char	dir[] = "/tmp/cf-capture-test.XXXXXX";
static char	path[sizeof(dir) + 16];

static void
begin(void)
{
	strcpy(dir, "/tmp/cf-capture-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/run.pcapng", dir);
	signal(SIGPIPE, SIG_IGN);
}

static void
end(void)
{
	unlink(path);
	rmdir(dir);
}

/* ---- forbidden calls ---- */

struct forbidden {
	const char	*name;
	long		 nr, arg[3];
	bool		 in_debug;
};
/* What only a program that stands in a namespace of others could do harm with. */
static const struct forbidden forbidden_live[] = {
	{ "sendto",	SYS_sendto,	{ 0, 0, 0 },			false },
	{ "sendmsg",	SYS_sendmsg,	{ 0, 0, 0 },			false },
	{ "bind",	SYS_bind,	{ 0, 0, 0 },			false },
	{ "setsockopt",	SYS_setsockopt,	{ 0, 0, 0 },			false },
	{ "getsockopt",	SYS_getsockopt,	{ 0, SOL_SOCKET, SO_PEERCRED },	false },
	{ "ioctl",	SYS_ioctl,	{ 0, SIOCSIFFLAGS, 0 },		false },
	{ "capset",	SYS_capset,	{ 0, 0, 0 },			false },
};

static void
call_ends_the_process(const struct sandbox_row *const *sandbox, const struct forbidden *call)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		dup2(open("/dev/null", O_WRONLY), 2);
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		sandbox_seal(sandbox);
		syscall(call->nr, call->arg[0], call->arg[1], call->arg[2]);
		_exit(42);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
#ifdef CF_DEBUG
	if (!call->in_debug)
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%s", call->name);
#else
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s", call->name);
#endif
}

START_TEST(live_source_only_listens)
{
	call_ends_the_process(live_sandbox, &forbidden_live[_i]);
}
END_TEST

/* ---- the built program ---- */

struct program {
	pid_t		 pid;
	struct chan	*chan;
	int		 err;		/* its standard error, read end */
};

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
		strcpy(strrchr(buf, '/'), "/../../../bin/cf-capture");
	} else {
		snprintf(buf, sizeof(buf), "%s/cf-capture", bin);
	}
	return buf;
}

/* Start it on a socket, or on two pipes; args: NULL-ended, after the program's name. */
static struct program
start(bool pipes, const char *const *args, rlim_t file_size)
{
	const char *argv[8] = { program_path() };
	int in[2], out[2], err[2];
	struct program p;

	for (size_t i = 0; args[i] != NULL; i++)
		argv[i + 1] = args[i];
	ck_assert_int_eq(pipe2(err, O_CLOEXEC), 0);
	if (pipes) {
		ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
		ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	} else {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in), 0);
		out[0] = in[1];
		out[1] = in[0];
	}
	if ((p.pid = fork()) == 0) {
		setrlimit(RLIMIT_FSIZE, &(struct rlimit){ file_size, file_size });
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(in[0]);
	close(err[1]);
	if (pipes)
		close(out[1]);
	p.err = err[0];
	p.chan = chan_new(out[0], in[1], R_STACK, R_CAPTURE, NULL);
	ck_assert_ptr_nonnull(p.chan);
	return p;
}

/* Wait for its HELLO, which is READY. */
static void
greet(struct program *p)
{
	struct pollfd wait = { .fd = chan_rfd(p->chan), .events = POLLIN };

	chan_hello(p->chan, 0);
	ck_assert_int_eq(chan_flush(p->chan), 0);
	while (chan_peer(p->chan) == 0) {
		ck_assert_int_eq(poll(&wait, 1, PATIENCE), 1);
		ck_assert_int_eq(chan_read(p->chan), 1);
	}
	ck_assert_int_eq(chan_peer(p->chan), R_CAPTURE);
}

static void
say_interface(struct program *p)
{
	uint8_t body[MSG_INTERFACE_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_interface_put(&w, &(struct msg_interface){ 101, 65535, 1500 });
	chan_send(p->chan, MSG_INTERFACE, 0, body, sizeof(body), "tun0", 4, -1);
}

/* An IPv4 datagram, so that tshark has something to say. */
static void
say_packet(struct program *p, uint64_t interface, uint32_t i)
{
	static const uint8_t packet[] = {
		0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 0, 2, 203, 0, 113, 10,
		0x30, 0x39, 0, 53, 0, 12, 0, 0, 't', 'e', 's', 't'
	};
	uint8_t body[MSG_PACKET_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_packet_put(&w, &(struct msg_packet){ .time = 1700000000123456789u + i,
	    .orig_len = sizeof(packet), .direction = (uint16_t)(1 + i % 2) });
	chan_send(p->chan, MSG_PACKET, interface, body, sizeof(body), packet, sizeof(packet), -1);
}

/* All out; false when the program has gone away. */
static void
flush_all(struct program *p)
{
	struct pollfd wait = { .fd = chan_wfd(p->chan), .events = POLLOUT };

	while (chan_flush(p->chan) == 1)
		ck_assert_int_eq(poll(&wait, 1, PATIENCE), 1);
}

/* Its exit status (128+N for signal N); what it said is in *said. */
static int
finish(struct program *p, char *said, size_t len)
{
	ssize_t n;
	int status;

	chan_free(p->chan);
	n = read(p->err, said, len - 1);
	said[n > 0 ? n : 0] = '\0';
	ck_assert_int_eq(waitpid(p->pid, &status, 0), p->pid);
	close(p->err);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int
count_in_file(uint32_t type)
{
	static uint8_t bytes[1 << 20];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, bytes, sizeof(bytes));

	ck_assert_int_ge(n, 0);
	close(fd);
	return blocks_count(bytes, (size_t)n, type);
}

static const char *const	to_file[] = { "-w", path, NULL };

START_TEST(whole_life_sealed)
{
	struct program p = start(_i == 1, to_file, RLIM_INFINITY);
	char said[512];
	struct stat st;

	greet(&p);
	say_interface(&p);
	for (uint32_t i = 0; i < 5000; i++) {
		say_packet(&p, 0, i);
		if (i % 500 == 0)
			flush_all(&p);
	}
	flush_all(&p);
	ck_assert_int_eq(finish(&p, said, sizeof(said)), 0);
	ck_assert_str_eq(said, "");
	ck_assert_int_eq(count_in_file(6), 5000);
	ck_assert_int_eq(count_in_file(5), 1);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(inherited_descriptor_takes_the_file)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600), other = fcntl(fd, F_DUPFD, 20);
	const char *const args[] = { "--frames", "--write-fd", "20", NULL };
	struct program p;
	char said[512];

	ck_assert_int_eq(other, 20);
	p = start(false, args, RLIM_INFINITY);
	greet(&p);
	say_interface(&p);
	say_packet(&p, 0, 0);
	flush_all(&p);
	ck_assert_int_eq(finish(&p, said, sizeof(said)), 0);
	ck_assert_int_eq(count_in_file(6), 1);
}
END_TEST

/* Poll the file until it holds n packets: what has come is written without our asking. */
static void
wait_for_packets(int n)
{
	for (int i = 0; i < PATIENCE && count_in_file(6) != n; i += 5)
		usleep(5000);
	ck_assert_int_eq(count_in_file(6), n);
}

START_TEST(killed_program_leaves_a_whole_file)
{
	struct program p = start(false, to_file, RLIM_INFINITY);
	char said[512];

	greet(&p);
	say_interface(&p);
	for (uint32_t i = 0; i < 300; i++)
		say_packet(&p, 0, i);
	flush_all(&p);
	wait_for_packets(300);
	kill(p.pid, SIGKILL);
	ck_assert_int_eq(finish(&p, said, sizeof(said)), 128 + SIGKILL);
	ck_assert_int_eq(count_in_file(6), 300);
}
END_TEST

START_TEST(full_disk_is_one_line_and_the_status)
{
	struct program p = start(false, to_file, 10000);
	char said[512], want[256];

	greet(&p);
	say_interface(&p);
	for (uint32_t i = 0; i < 300; i++)
		say_packet(&p, 0, i);
	flush_all(&p);
	ck_assert_int_eq(finish(&p, said, sizeof(said)), STATUS_LOST);
	snprintf(want, sizeof(want),
	    "cf-capture: cannot write %s, the capture ends here: File too large\n", path);
	ck_assert_str_eq(said, want);
	ck_assert_int_gt(count_in_file(6), 100);
	ck_assert_int_eq(count_in_file(1), 1);
}
END_TEST

START_TEST(garbage_is_said_and_the_file_is_whole)
{
	struct program p = start(false, to_file, RLIM_INFINITY);
	char said[512];

	greet(&p);
	say_interface(&p);
	say_packet(&p, 0, 0);
	say_packet(&p, 7, 0);
	flush_all(&p);
	ck_assert_int_eq(finish(&p, said, sizeof(said)), 1);
	ck_assert_str_eq(said, "cf-capture: cf-netstack sent garbage: "
	    "PACKET of an interface that was not announced\n");
	ck_assert_int_eq(count_in_file(6), 1);
	ck_assert_int_eq(count_in_file(5), 1);
}
END_TEST

START_TEST(tshark_reads_it)
{
	struct program p;
	char said[512], command[512], line[256] = "";
	FILE *f;

	if (system("command -v tshark >/dev/null") != 0)
		return;
	p = start(false, to_file, RLIM_INFINITY);
	greet(&p);
	say_interface(&p);
	say_packet(&p, 0, 0);
	say_packet(&p, 0, 1);
	flush_all(&p);
	ck_assert_int_eq(finish(&p, said, sizeof(said)), 0);
	snprintf(command, sizeof(command), "tshark -r %s -T fields -e frame.interface_name "
	    "-e frame.time_epoch -e frame.packet_flags_direction -e ip.dst 2>/dev/null", path);
	f = popen(command, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
	ck_assert_str_eq(line, "tun0\t1700000000.123456789\t0x00000001\t203.0.113.10\n");
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
	ck_assert_str_eq(line, "tun0\t1700000000.123456790\t0x00000002\t203.0.113.10\n");
	ck_assert_int_eq(pclose(f), 0);
}
END_TEST

static const char *const	bad_command_lines[][5] = {
	{ NULL }, { "-w", "a", "--write-fd=5" }, { "--write-fd", "0" }, { "--nonsense" },
	{ "-w", "a", "b" }, { "-w" }, { "-w", "" }, { "-w", "-" }, { "-w", "a", "-c", "1" },
	{ "-w", "a", "--rotate=0" }, { "-w", "a", "--rotate=1KiB" }, { "-w", "a", "--keep=3" },
	{ "--rotate=1s", "--write-fd=5" }, { "--netns=1", "--frames", "-w", "a" }, { "--netns=1" },
	{ "-w", "a", "--snaplen=-1" }, { "-D" },
};

START_TEST(bad_command_line_is_2)
{
	struct program p = start(false, bad_command_lines[_i], RLIM_INFINITY);
	char said[512];

	ck_assert_int_eq(finish(&p, said, sizeof(said)), 2);
	ck_assert_ptr_nonnull(strchr(said, '\n'));
	ck_assert_ptr_eq(strchr(said, '\n'), said + strlen(said) - 1);
}
END_TEST

static const struct { const char *args[4], *said; } unwritable[] = {
	{ { "-w", "/nowhere/x" }, "cf-capture: cannot write /nowhere/x: No such file or directory\n" },
	{ { "--write-fd", "77" }, "cf-capture: cannot write the capture: Bad file descriptor\n" },
};

START_TEST(unwritable_file_is_said_before_anything_starts)
{
	struct program p = start(false, unwritable[_i].args, RLIM_INFINITY);
	char said[512];

	ck_assert_int_eq(finish(&p, said, sizeof(said)), 1);
	ck_assert_str_eq(said, unwritable[_i].said);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cf-capture");
	TCase *tc = tcase_create("sandbox");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_loop_test(tc, live_source_only_listens, 0, (int)LEN(forbidden_live));
	tcase_add_loop_test(tc, whole_life_sealed, 0, 2);
	tcase_add_test(tc, inherited_descriptor_takes_the_file);
	tcase_add_test(tc, killed_program_leaves_a_whole_file);
	tcase_add_test(tc, full_disk_is_one_line_and_the_status);
	tcase_add_test(tc, garbage_is_said_and_the_file_is_whole);
	tcase_add_test(tc, tshark_reads_it);
	tcase_add_loop_test(tc, bad_command_line_is_2, 0, (int)LEN(bad_command_lines));
	tcase_add_loop_test(tc, unwritable_file_is_said_before_anything_starts, 0,
	    (int)LEN(unwritable));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
