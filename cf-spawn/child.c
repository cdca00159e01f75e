/*
 * child.c - the process that becomes the command.
 *
 * It makes its own namespaces, TUN, network and mounts, tells cf-spawn each step that
 * matters (the TUN's descriptor; what failed), gives everything up that it needed for
 * that, waits for the word that the helpers are ready, and executes the command.  If
 * cf-spawn dies first, the wait ends and so does it: the command never runs without us.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "childnet.h"
#include "log.h"
#include "sockdiag.h"
#include "spawn.h"

#define PASS_LIMIT_MS	5000

union passed {
	char		buf[CMSG_SPACE(CHILD_FDS_MAX * sizeof(int))];
	struct cmsghdr	align;
};

/* Send a report, with n descriptors. */
void
child_report_send(int fd, const struct child_report *r, const int *fds, size_t n)
{
	static const struct timespec step = { 0, 10 * 1000 * 1000 };
	struct iovec iov = { .iov_base = (void *)r, .iov_len = sizeof(*r) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union passed control = { 0 };
	struct cmsghdr *cmsg;

	if (n > 0) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n * sizeof(int));
	}
	/* Descriptors that are on their way are counted for all of a user's processes together. */
	for (int ms = 0; sendmsg(fd, &msg, MSG_NOSIGNAL) == -1; ms += 10) {
		if (errno != ETOOMANYREFS)
			_exit(STATUS_FAILED);
		if (ms >= PASS_LIMIT_MS)
			child_failed(fd, "pass descriptors on");
		nanosleep(&step, NULL);
	}
}

static void
report(int fd, enum child_stage stage, const char *what)
{
	struct child_report r = { .stage = stage, .err = errno };

	snprintf(r.what, sizeof(r.what), "%s", what);
	child_report_send(fd, &r, NULL, 0);
}

_Noreturn void
child_failed(int fd, const char *what)
{
	report(fd, CHILD_FAILED, what);
	_exit(STATUS_FAILED);
}

/* Wait for cf-spawn's word. */
static void
wait_go_on(int fd)
{
	char byte;
	ssize_t n;

	do {
		n = recv(fd, &byte, 1, 0);
	} while (n == -1 && errno == EINTR);
	if (n != 1)
		_exit(STATUS_FAILED);
}

static void
namespaces_make(int fd, const struct conf *conf, const struct identity *id)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) != 0)
		child_failed(fd, "make user, mount and network namespaces");
	if (id->privileged || conf->map_subids) {
		report(fd, CHILD_NEEDS_MAP, "");
		wait_go_on(fd);
	} else if (idmap_self(id->uid, id->gid, conf->map_root) != 0) {
		child_failed(fd, "map our own user id");
	}
}

/* The kernel path, where it is wanted and works; cf-netstack gets what we had of it. */
static void
tcp_make(int fd, const struct conf *conf, int tun_fd, bool ipv6, struct child_report *tun)
{
	struct kpath k;

	if (!tcp_path_wanted(conf))
		return;
	kpath_open(&k, tun_fd, ipv6);
	snprintf(tun->what, sizeof(tun->what), "%s", k.why);
	for (unsigned i = 0; i < KPATH_FAMILIES; i++) {
		struct child_report r = { .stage = CHILD_LISTEN, .family = i == KPATH_4 ? 4 : 6 };

		if (k.listen_fd[i] == -1)
			continue;
		child_report_send(fd, &r, &k.listen_fd[i], 1);
		close(k.listen_fd[i]);
	}
}

/* What the tree's sockets can be asked about by, from outside. */
static void
diag_make(int fd, const struct conf *conf)
{
	struct child_report r = { .stage = CHILD_DIAG, .family = if_nametoindex("tun0") };
	int diag_fd;

	if (!helpers_watch(conf))
		return;
	if ((diag_fd = sockdiag_open()) == -1)
		child_failed(fd, "make a sock_diag socket");
	child_report_send(fd, &r, &diag_fd, 1);
	close(diag_fd);
}

static void
network_make(int fd, const struct conf *conf, const struct identity *id)
{
	struct child_report tun = { .stage = CHILD_TUN };
	const char *what;
	bool ipv6;
	int tun_fd = tun_open(&tun.offloads, &what);

	if (tun_fd == -1 || netlink_configure(&ipv6, &what) != 0)
		child_failed(fd, what);
	netlink_sysctls(conf->map_root ? 0 : id->gid);
	diag_make(fd, conf);
	tcp_make(fd, conf, tun_fd, ipv6, &tun);
	child_report_send(fd, &tun, &tun_fd, 1);
	close(tun_fd);
}

/*
 * The working directory, found anew: the one that we came with lies below the covers that
 * have been made since.  One that cannot be found has been removed, or is covered.
 */
void
child_directory(int fd, const struct conf *conf, const char *path)
{
	if (path != NULL && (chdir(path) == 0 || errno == EACCES))
		return;			/* EACCES: below what only root may search; there is no cover */
	if ((path != NULL || seal_restricted(conf)) && chdir("/") != 0)
		child_failed(fd, "change to the root directory");
}

/* After this the process is what the command will be. */
void
child_powers_drop(int fd, const struct conf *conf, const struct identity *id)
{
	unsigned long long keep = conf->cap_net_raw ? 1ull << CAP_NET_RAW : 0;

	/*
	 * The bounding set stays: with no_new_privs it can give nothing, and without it
	 * the kernel refuses to execute programs with file capabilities, such as ping(8).
	 */
	if (id->name != NULL)		/* keep must outlive the change of user */
		prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (identity_become(id) != 0)
		child_failed(fd, "become the user that the command runs as");
	if (identity_drop_caps(keep) != 0)
		child_failed(fd, "drop capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		child_failed(fd, "set no_new_privs");
	if (landlock_seal(conf) != 0)
		child_failed(fd, "have Landlock refuse sockets for --seal sockets");
	if (treefilter_load() != 0)
		child_failed(fd, "load the system call filter of the tree");
}

int
child_exec_status(int err)
{
	return err == ENOENT || err == ENOTDIR ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
}

_Noreturn void
child_execute(int fd, const struct conf *conf, const struct identity *id, const sigset_t *mask)
{
	child_powers_drop(fd, conf, id);
	wait_go_on(fd);
	env_drop(conf);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(conf->command[0], conf->command);
	report(fd, CHILD_NO_EXEC, conf->command[0]);
	_exit(child_exec_status(errno));
}

/* Where joiners are to enter; where /proc does not tell, nobody can join. */
static void
places_send(int fd, const struct conf *conf)
{
	static const char *const names[PLACES] = { [PLACE_USER] = "user", [PLACE_MNT] = "mnt",
	    [PLACE_NET] = "net", [PLACE_IPC] = "ipc", [PLACE_PID] = "pid" };
	struct child_report r = { .stage = CHILD_PLACES };
	int place[PLACES];
	char path[32];
	size_t n = 0;

	place[n++] = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < PLACE_ROOT; i++) {
		if ((i == PLACE_IPC && (conf->seal.parts & SEAL_IPC) == 0) ||
		    (i == PLACE_PID && (conf->seal.parts & SEAL_PID) == 0))
			continue;
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		r.places |= 1u << i;
		if ((place[n++] = open(path, O_RDONLY | O_CLOEXEC)) == -1)
			return;
	}
	if (place[0] == -1)
		return;
	child_report_send(fd, &r, place, n);
	for (size_t i = 0; i < n; i++)
		close(place[i]);
}

static _Noreturn void
child_main(int fd, const struct conf *conf, const struct identity *id, const struct texts *texts,
    const sigset_t *mask)
{
	const char *what, *directory = getcwd(NULL, 0);

	namespaces_make(fd, conf, id);
	network_make(fd, conf, id);
	if (mounts_make(texts, conf, &what) != 0 || ipc_seal(conf, &what) != 0 ||
	    files_seal(conf, directory, &what) != 0)
		child_failed(fd, what);
	child_directory(fd, conf, directory);
	init_start(fd, conf, id);
	places_send(fd, conf);
	child_execute(fd, conf, id, mask);
}

void
child_start(struct child *child, const struct conf *conf, const struct identity *id,
    const struct texts *texts, const sigset_t *mask)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) != 0)
		fatal("cannot make a socket pair");
	if ((child->pid = fork()) == -1)
		fatal("cannot start a process");
	if (child->pid == 0) {
		close(fd[0]);
		if (conf->runs.attach != NULL)
			attach_main(fd[1]);
		child_main(fd[1], conf, id, texts, mask);
	}
	close(fd[1]);
	child->fd = fd[0];
}

int
child_report_read(const struct child *child, struct child_report *r, int *fds, size_t max)
{
	union passed control;
	struct iovec iov = { .iov_base = r, .iov_len = sizeof(*r) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = control.buf, .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *cmsg;
	size_t len;
	ssize_t n;

	for (size_t i = 0; i < max; i++)
		fds[i] = -1;
	do {
		/* ECONNRESET, once: it died before it read our word; what it said is still there. */
		n = recvmsg(child->fd, &msg, MSG_CMSG_CLOEXEC);
	} while (n == -1 && (errno == EINTR || errno == ECONNRESET));
	if (n != (ssize_t)sizeof(*r))
		return 0;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg != NULL && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS) {
		len = cmsg->cmsg_len - CMSG_LEN(0);
		memcpy(fds, CMSG_DATA(cmsg), len < max * sizeof(int) ? len : max * sizeof(int));
	}
	r->what[sizeof(r->what) - 1] = '\0';
	return 1;
}

void
child_go_on(const struct child *child)
{
	(void)!send(child->fd, "", 1, MSG_NOSIGNAL);
}
