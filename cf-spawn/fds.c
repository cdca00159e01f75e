/*
 * fds.c - which of the descriptors that we inherited the command inherits.
 *
 * A descriptor keeps the namespaces in which it was made: a socket its network, a directory
 * its mounts (from it, ".." leads below every cover), /dev/net/tun the right to make a
 * device.  So above 2 only those pass that are known to lead nowhere: files of ordinary
 * file systems (memfds too), pipes (process substitution, make's jobserver), terminals,
 * /dev/null and its like, and counters and timers.  All else gets closed at exec: what is
 * not known is no exception.  --keep-fd passes one as it is.
 *
 * 0, 1 and 2 are how the caller talks with the command: sockets pass too (inetd, sshd,
 * docker and the journal give them).  But a socket can be connected anew: TCP by
 * AF_UNSPEC, a datagram socket at will, and then it goes where the policy is not asked.  So
 * where something is refused, only a unix socket that stands may be one of the three.
 *
 * All of it happens in cf-spawn, before anything is started: helpers get nothing of this.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "log.h"
#include "spawn.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define PIDFS_MAGIC	0x50494446		/* since Linux 6.9; before, a pidfd is an anonymous inode */
#define FDS_OF_A_RUN	100			/* channels and programs, those that are dealt twice too */
#define TUN_DEVICE	makedev(10, 200)

/* File systems whose files are doors of the kernel, not files. */
static const struct {
	unsigned long	 magic;
	const char	*what;
} doors[] = {
	{ NSFS_MAGIC,		"a namespace" },
	{ PIDFS_MAGIC,		"a process (pidfd)" },
	{ PROC_SUPER_MAGIC,	"a file of /proc" },	/* another process's memory, the host's settings */
	{ SYSFS_MAGIC,		"a file of /sys" },
	{ DEBUGFS_MAGIC,	"a file of debugfs" },
	{ TRACEFS_MAGIC,	"a file of tracefs" },
	{ SECURITYFS_MAGIC,	"a file of securityfs" },
	{ BPF_FS_MAGIC,		"a file of bpffs" },
	{ 0x19800202,		"a message queue" },
	{ CGROUP_SUPER_MAGIC,	"a file of a cgroup" },
	{ CGROUP2_SUPER_MAGIC,	"a file of a cgroup" },
	{ 0x62656570,		"a file of configfs" },
};

/* Devices that are data or the terminal; 0xffff: every minor number. */
static const struct {
	unsigned	 from, to, minor;
} devices[] = {
	{ 1, 1, 3 }, { 1, 1, 5 }, { 1, 1, 7 },	/* null, zero, full */
	{ 1, 1, 8 }, { 1, 1, 9 },		/* random, urandom */
	{ 4, 4, 0xffff },			/* consoles, serial lines */
	{ 5, 5, 0 }, { 5, 5, 1 },		/* tty, console; not ptmx, which types for another */
	{ 136, 143, 0xffff },			/* pseudo terminals */
};

/* Anonymous inodes that only count, or say when. */
static const char *const counters[] = { "anon_inode:[eventfd]", "anon_inode:[timerfd]",
    "anon_inode:[signalfd]", "anon_inode:inotify" };

static const char *
judge_file(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return "of an unknown file system";
	for (size_t i = 0; i < COUNT(doors); i++)
		if ((unsigned long)fs.f_type == doors[i].magic)
			return doors[i].what;
	return NULL;
}

static const char *
judge_device(dev_t dev)
{
	for (size_t i = 0; i < COUNT(devices); i++)
		if (major(dev) >= devices[i].from && major(dev) <= devices[i].to &&
		    (devices[i].minor == 0xffff || minor(dev) == devices[i].minor))
			return NULL;
	return dev == TUN_DEVICE ? "a TUN" : "a device";
}

static const char *
judge_anonymous(int fd)
{
	char path[64], name[256];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if ((len = readlink(path, name, sizeof(name) - 1)) == -1)
		return "of an unknown kind";
	name[len] = '\0';
	for (size_t i = 0; i < COUNT(counters); i++)
		if (strcmp(name, counters[i]) == 0)
			return NULL;
	return strstr(name, "pidfd") != NULL ? "a process (pidfd)" :
	    strstr(name, "io_uring") != NULL ? "an io_uring" :
	    strstr(name, "bpf") != NULL ? "an object of bpf" :
	    strstr(name, "userfaultfd") != NULL ? "memory of another process (userfaultfd)" :
	    strstr(name, "eventpoll") != NULL ? "an epoll" : "of an unknown kind";
}

/* What of the outside it leads to; NULL: nothing. */
static const char *
judge(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (flags == -1 || fstat(fd, &st) != 0)
		return "of an unknown kind";
	if (S_ISDIR(st.st_mode))
		return "a directory";
	if (S_ISSOCK(st.st_mode))
		return "a socket";
	if ((flags & O_PATH) != 0)
		return "a place in the file system (O_PATH)";
	switch (st.st_mode & S_IFMT) {
	case S_IFIFO:
		return NULL;
	case S_IFCHR:
		return judge_device(st.st_rdev);
	case S_IFREG:
		return judge_file(fd);
	case 0:
		return judge_anonymous(fd);
	default:
		return "a device";
	}
}

/* A unix stream that has its other end cannot be given another one. */
static bool
stands(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(int);
	int domain = 0, type = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0)
		return false;
	len = sizeof(ss);
	return domain == AF_UNIX && (type == SOCK_STREAM || type == SOCK_SEQPACKET) &&
	    getpeername(fd, (struct sockaddr *)&ss, &len) == 0;
}

static bool
kept(const struct seal *s, int fd)
{
	for (size_t i = 0; i < s->nkeep; i++)
		if (s->keep_fd[i] == fd)
			return true;
	return false;
}

/*
 * What the command may be given to read or write by its caller is more than what may be left
 * open by accident: a device, a file of /proc.  Not what no program reads or writes.
 */
static bool
for_data(int fd)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) != 0 || (fcntl(fd, F_GETFL) & O_PATH) != 0)
		return false;
	if (S_ISREG(st.st_mode))
		return fstatfs(fd, &fs) == 0 && fs.f_type != NSFS_MAGIC && fs.f_type != PIDFS_MAGIC;
	return S_ISBLK(st.st_mode) || (S_ISCHR(st.st_mode) && st.st_rdev != TUN_DEVICE);
}

/* One of 0, 1 and 2. */
static void
standard_keep(const struct conf *conf, int fd)
{
	static const char *const names[] = { "input", "output", "error" };
	const char *what;
	struct stat st;

	if (kept(&conf->seal, fd) || (what = judge(fd)) == NULL)
		return;
	if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode)) {
		if (!seal_restricted(conf) || stands(fd))
			return;
		fatalx("standard %s is a socket, which the command could connect past the policy "
		    "(put a pipe between, as \"cat | cf-spawn ...\", or say --keep-fd %d)",
		    names[fd], fd);
	}
	if (for_data(fd))
		return;
	log_warnx("standard %s is %s, which leads out of the tree: it is /dev/null there "
	    "(--keep-fd %d passes it)", names[fd], what, fd);
	close(fd);
	if (open("/dev/null", O_RDWR) != fd)
		fatal("cannot open /dev/null");
}

static void
one_keep(const struct conf *conf, int fd)
{
	int flags = fcntl(fd, F_GETFD);
	const char *what;

	if (flags == -1 || (flags & FD_CLOEXEC) != 0)
		return;			/* ours, or meant to end here */
	if (kept(&conf->seal, fd)) {
		log_info("descriptor %d (%s) is passed on", fd,
		    (what = judge(fd)) != NULL ? what : "a file");
		return;
	}
	if ((what = judge(fd)) == NULL)
		return;
	log_info("descriptor %d is %s: the command does not get it (--keep-fd %d passes it)", fd,
	    what, fd);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		fatal("cannot keep descriptor %d from the command", fd);
}

/* Without /proc nobody can say which there are: those that were named, and no other. */
static void
only_named_keep(const struct seal *s)
{
	if (close_range(STDERR_FILENO + 1, UINT32_MAX, CLOSE_RANGE_CLOEXEC) != 0)
		fatal("cannot keep inherited descriptors from the command");
	for (size_t i = 0; i < s->nkeep; i++)
		if (fcntl(s->keep_fd[i], F_SETFD, 0) != 0)
			fatal("cannot pass descriptor %d on", s->keep_fd[i]);
}

void
fds_keep_standard(const struct conf *conf)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		standard_keep(conf, fd);
}

void
fds_keep(const struct conf *conf)
{
	struct dirent *entry;
	DIR *dir;

	fds_keep_standard(conf);
	if ((dir = opendir("/proc/self/fd")) == NULL) {
		only_named_keep(&conf->seal);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		int fd = atoi(entry->d_name);

		if (fd > STDERR_FILENO && fd != dirfd(dir))
			one_keep(conf, fd);
	}
	closedir(dir);
}

void
fds_check(const struct conf *conf)
{
	const size_t least = FDS_OF_A_RUN + 2 * conf->capture.n_files;
	struct rlimit nofile;

	if (getrlimit(RLIMIT_NOFILE, &nofile) == 0 && nofile.rlim_cur < least)
		fatalx("no more than %llu files may be open, and this run takes %zu (ulimit -n 1024)",
		    (unsigned long long)nofile.rlim_cur, least);
}
