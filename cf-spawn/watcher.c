/*
 * watcher.c - the process that says whose a flow is.
 *
 * cf-proxy's policy stage is on the other side and asks, while the tree's connect(2) waits: WHO has
 * the socket with these two ends?  By the tree's sock_diag socket, which the child made in its
 * own network namespace, and by /proc: WHOSE.
 *
 * It is a child of cf-spawn that executes nothing.  To look at the tree's processes takes the
 * rights of who made their user namespace: it has the caller's ids and no capability.  (As root it
 * keeps root's effective uid, to which the namespace belongs, and reaches files as the command's
 * user.)  After the seal it can open for reading and not for writing, has no socket but
 * these two, and executes nothing.
 *
 * What must stay true: each WHO is answered once, also where it is not known.  If it fails, the
 * run goes on only as a failed one, since its record is not complete.
 *
 * SPDX-License-Identifier: MIT
 */
#include "watcher.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "chan.h"
#include "log.h"
#include "sandbox.h"
#include "sockdiag.h"
#include "spawn.h"
#include "whose.h"

static const struct sandbox_row watcher_rows[] = {
	ALLOW_WITHOUT(openat, 2, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND,
	    "what /proc has of the tree's processes"),
	ALLOW(readlinkat,	"their descriptors and programs"),
	ALLOW(getdents64,	"lists of descriptors and threads"),
	ALLOW(lseek,		"the same list once more"),
	ALLOW(pread64,		"the name of a process once more"),
	ALLOW_NULL(sendto, 4,	"questions to the kernel, about sockets"),
	ALLOW(recvfrom,		"its answers"),
#ifdef SYS_poll
	ALLOW(poll,		"wait for a question"),
#endif
	ALLOW(ppoll,		"the same, where there is no other"),
	{ 0 }
};

const struct sandbox_row *const watcher_sandbox[] = {
	sandbox_base, sandbox_chan_plain, watcher_rows, NULL
};
const struct sandbox_role watcher_role = {
	.name = "cf-spawn (watcher)", .does = "finds the process that a flow belongs to",
	.tables = watcher_sandbox, .keeps_root = true,
	.stays = "where it is: it reads the tree's part of /proc, with the rights of who made the "
	    "tree's user namespace",
};

struct watcher {
	int		 diag_fd;
	unsigned	 ifindex;
};

static void
answer(struct chan *c, uint64_t flow, const struct whose *who)
{
	uint8_t body[MSG_WHOSE_LEN];
	char tail[MSG_WHOSE_TAIL];
	struct wr w = wr_over(body, sizeof(body));
	size_t comm = strlen(who->comm), exe = strlen(who->exe);

	msg_whose_put(&w, &who->ids);
	memcpy(tail, who->comm, comm + 1);
	memcpy(tail + comm + 1, who->exe, exe);
	chan_send(c, MSG_WHOSE, flow, body, sizeof(body), tail, comm + 1 + exe, -1);
}

static void
on_who(struct chan *c, const struct frame *f, int fd)
{
	static const struct whose nobody;
	const struct watcher *me = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_who m;
	struct whose who;
	unsigned long inode;
	bool known;

	(void)fd;
	if (!msg_who_get(&r, &m)) {
		chan_fail(c, "bad WHO");
		return;
	}
	inode = sockdiag_inode(me->diag_fd, &m, me->ifindex);
	known = inode != 0 && whose_find(inode, &who);
	if (!known)
		log_debug("flow %llu: %s", (unsigned long long)f->flow, inode == 0 ?
		    "its socket is gone, or of a kind that cannot be asked about" :
		    "no process of the tree has its socket");
	answer(c, f->flow, known ? &who : &nobody);
}

static const struct chan_handler handlers[] = { { MSG_WHO, on_who }, { 0 } };

/* Until the policy stage has gone. */
static int
serve(struct chan *c)
{
	for (;;) {
		struct pollfd p = { .fd = chan_rfd(c), .events = POLLIN };

		if (chan_backlog(c) > 0)
			p.events |= POLLOUT;
		if (poll(&p, 1, -1) == -1 && errno != EINTR)
			fatal("cannot wait");
		whose_round();		/* what is there by now is read at once, short of 256 KiB */
		if ((p.revents & ~POLLOUT) != 0 && chan_read(c) <= 0)
			break;
		if (chan_flush(c) < 0)
			break;
	}
	if (chan_why(c) == NULL)
		return 0;
	log_warnx("%s: %s", role_name(R_PROXY), chan_why(c));
	return 1;
}

static void
ids_take(const struct identity *id)
{
	if (id->privileged && id->name != NULL) {
		if (initgroups(id->name, id->gid) != 0)
			fatal("cannot take the groups of %s", id->name);
		setfsgid(id->gid);
		setfsuid(id->uid);
	}
	if (identity_bound_caps(0) != 0 || identity_drop_caps(0) != 0)
		fatal("cannot drop capabilities");
}

static _Noreturn void
watcher_main(int fd, int diag_fd, unsigned ifindex, const struct identity *id, const pid_t *apart,
    size_t n, pid_t root)
{
	struct watcher me = { .ifindex = ifindex };
	int keep[2] = { diag_fd, -1 }, rfd, wfd;
	sigset_t none;
	struct chan *c;
	const char *why;

	log_init("cf-watcher", log_verbose());
	log_fatal_status(1);
	prctl(PR_SET_NAME, "cf-watcher");	/* signals for cf-spawn, by its name, are not for us */
	setpgid(0, 0);			/* a Ctrl-C is for the command */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	ids_take(id);
	if (dup2(fd, STDIN_FILENO) == -1 || dup2(fd, STDOUT_FILENO) == -1)
		fatal("cannot take the watcher's channel");
	sandbox_prepare(&rfd, &wfd, keep);
	if (getppid() != root)		/* it died before we could ask to be told */
		_exit(1);
	me.diag_fd = diag_fd;
	if ((why = whose_init(root, apart, n)) != NULL) {
		log_warnx("processes are not told in events: %s", why);
		close(diag_fd);
		me.diag_fd = -1;	/* then all questions are answered with "nobody" */
	}
	if ((c = chan_new(rfd, wfd, R_WATCH, R_PROXY, &me)) == NULL)
		fatal("cannot use the channel to %s", role_name(R_PROXY));
	chan_handlers(c, handlers);
	sandbox_enter(&watcher_role);
	chan_hello(c, 0);
	(void)chan_flush(c);
	_exit(serve(c));
}

void
watcher_start(struct helpers *h, int diag_fd, unsigned ifindex, const struct identity *id)
{
	pid_t apart[HELPER_KINDS], root = getpid(), pid;

	for (int k = 0; k < HELPER_KINDS; k++)
		apart[k] = h->helper[k].pid;
	if ((pid = fork()) == -1)
		fatal("cannot start a process");
	if (pid == 0) {
		apart[HELPER_WATCHER] = getpid();
		watcher_main(h->watcher_fd, diag_fd, ifindex, id, apart, HELPER_KINDS, root);
	}
	h->helper[HELPER_WATCHER].pid = pid;
	close(h->watcher_fd);
	h->watcher_fd = -1;
	close(diag_fd);
}
