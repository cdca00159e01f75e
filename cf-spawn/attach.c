/*
 * attach.c - --attach: a network for a namespace that somebody else made.
 *
 * In place of the command there is a process of ours, cf-attach, which enters that namespace, and
 * the user namespace that owns it, makes tun0 there as for a command of our own, and waits.  It
 * ends when the process that was named does, when cf-spawn does, or by a signal; with it ends the
 * run, and with cf-netstack tun0, its addresses and its routes.
 *
 * What must stay true: nothing is left in the namespace.  So there is no kernel path for TCP
 * (rules and routes that a killed run could not take down), no setting is changed, and lo, where it
 * was down, goes down again.
 *
 * Deliberately not done: anything about the processes in there.  They are not ours: no filter of
 * system calls, no covered sockets, no files of theirs changed, resolv.conf among them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "childnet.h"
#include "inside.h"
#include "log.h"
#include "settings.h"
#include "spawn.h"

static int	net_fd = -1, process_fd = -1;	/* the namespace, and a pidfd */

/* ---- what is asked for ---- */

/* Options that are about a command of our own, or its processes. */
static const char *const foreign[] = { "user", "run-as-root", "map-root", "map-subids",
    "cap-net-raw", "keep-fd", "seal", "strict", "allow-socket", "writable", "wait", "capture-keys",
    "tcp-path", "hosts-file", "add-host" };

void
attach_check(struct conf *conf, const struct settings *s)
{
	if (conf->runs.attach == NULL)
		return;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (settings_find_name(s, foreign[i])->n > 0)
			fatalx("--%s has no sense with --attach, whose processes are not ours: leave it "
			    "out", foreign[i]);
	if (conf->command[0] != NULL)
		fatalx("--attach runs nothing: leave the command out");
	conf->tcp_path = TCP_PATH_TUN;
	conf->run_as_root = geteuid() == 0;	/* nothing is run, and helpers are nobody then */
}

static bool
is_pid(const char *text)
{
	return text[strspn(text, "0123456789")] == '\0';
}

/* In the host's own network it would be a default route for all. */
static void
namespace_check(const char *what)
{
	struct stat own, its;

	if (ioctl(net_fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		fatalx("--attach %s: that is no network namespace", what);
	if (stat("/proc/self/ns/net", &own) != 0 || fstat(net_fd, &its) != 0)
		fatal("cannot look at our own network namespace");
	if (own.st_dev == its.st_dev && own.st_ino == its.st_ino)
		fatalx("--attach %s: that is the network that we are in (name a process that has one "
		    "of its own)", what);
}

void
attach_open(const struct conf *conf)
{
	const char *what = conf->runs.attach;
	char path[PATH_MAX];

	if (what == NULL)
		return;
	snprintf(path, sizeof(path), is_pid(what) ? "/proc/%s/ns/net" : "%s", what);
	if (is_pid(what) && (process_fd = (int)syscall(SYS_pidfd_open, atoi(what), 0)) == -1)
		fatal("--attach %s: cannot find the process", what);
	if ((net_fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		fatal("--attach %s: cannot open %s", what, path);
	namespace_check(what);
}

void
attach_said(const struct conf *conf)
{
	if (conf->runs.attach != NULL)
		log_warnx("attached to %s; its nameserver is " INSIDE_GATEWAY4 " or " INSIDE_GATEWAY6
		    " (its processes are not confined)", conf->runs.attach);
}

/* ---- the process in there ---- */

/* The rights are those of who owns the namespace; where that is our own user namespace we have them. */
static void
namespace_enter(int fd)
{
	int user_fd = ioctl(net_fd, NS_GET_USERNS);
	struct stat own, its;

	if (user_fd != -1 && fstat(user_fd, &its) == 0 && stat("/proc/self/ns/user", &own) == 0 &&
	    (own.st_dev != its.st_dev || own.st_ino != its.st_ino) &&
	    setns(user_fd, CLONE_NEWUSER) != 0)
		child_failed(fd, "enter the user namespace that owns it");
	if (setns(net_fd, CLONE_NEWNET) != 0)
		child_failed(fd, "enter the network namespace");
	if (user_fd != -1)
		close(user_fd);
}

/* What lo is like: the kernel gives it its address when it comes up for the first time. */
struct lo {
	int		 sock;
	bool		 down, bare;
};

static struct ifreq
lo_request(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };

	return ifr;
}

static void
lo_look(struct lo *lo)
{
	struct ifreq flags = lo_request(), address = lo_request();

	lo->sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	lo->down = ioctl(lo->sock, SIOCGIFFLAGS, &flags) == 0 && (flags.ifr_flags & IFF_UP) == 0;
	lo->bare = lo->down && ioctl(lo->sock, SIOCGIFADDR, &address) != 0;
}

static void
lo_back(const struct lo *lo)
{
	struct ifreq flags = lo_request(), address = lo_request();

	address.ifr_addr.sa_family = AF_INET;
	if (lo->bare)
		ioctl(lo->sock, SIOCSIFADDR, &address);		/* 0.0.0.0: none */
	if (lo->down && ioctl(lo->sock, SIOCGIFFLAGS, &flags) == 0) {
		flags.ifr_flags = (short)(flags.ifr_flags & ~IFF_UP);
		ioctl(lo->sock, SIOCSIFFLAGS, &flags);
	}
}

static void
network_make(int fd, const struct lo *lo)
{
	struct child_report tun = { .stage = CHILD_TUN };
	const char *what;
	bool ipv6;
	int tun_fd = tun_open(&tun.offloads, &what), saved;

	if (tun_fd == -1 || netlink_configure_lent(&ipv6, &what) != 0) {
		saved = errno;
		lo_back(lo);
		errno = saved;
		child_failed(fd, what);
	}
	child_report_send(fd, &tun, &tun_fd, 1);
	close(tun_fd);
}

static int
signals_open(void)
{
	static const int taken[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigaddset(&set, taken[i]);
	sigprocmask(SIG_SETMASK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Until one of those on whom the run depends has ended. */
static void
wait_end(int fd, int signal_fd)
{
	struct pollfd at[] = { { .fd = fd, .events = POLLIN }, { .fd = signal_fd, .events = POLLIN },
	    { .fd = process_fd, .events = POLLIN } };
	char byte;

	for (;;) {
		if (poll(at, 3, -1) == -1)
			continue;
		if (at[1].revents != 0 || at[2].revents != 0 ||
		    (at[0].revents != 0 && recv(fd, &byte, 1, 0) != 1))
			return;
	}
}

_Noreturn void
attach_main(int fd)
{
	int signal_fd = signals_open();
	struct lo lo;

	prctl(PR_SET_NAME, "cf-attach", 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	namespace_enter(fd);
	lo_look(&lo);
	network_make(fd, &lo);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    identity_drop_caps(lo.down ? 1ull << CAP_NET_ADMIN : 0) != 0)
		child_failed(fd, "drop capabilities");
	wait_end(fd, signal_fd);
	lo_back(&lo);
	_exit(0);
}
