/*
 * joined.c - commands that others run in this run's network, under its policy (--join).
 *
 * On the other side is cf-spawn --join of the same user (runsock.c).  It sends what to execute
 * and its standard descriptors; the process is ours, so that it is of the tree for all that looks
 * at the tree: it enters the tree's namespaces and then goes the way of the first command
 * (child.c), to the same seal.  Its end is told to the joiner, whose signals it gets.
 *
 *	JOIN ──> fork ── enters ──> [--seal pid: CHILD_MOVED] ── sealed, waits ──> executes
 *
 * The namespaces are those that the child had when it was about to execute the command: the
 * command could move later, to where a joiner would find programs of its making.
 *
 * What must stay true: who connects and says nothing holds no place that another needs; what a
 * joiner sends is read from memory that cannot change; a joined command does not outlive the
 * run.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "run.h"

#define SEALS		(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define END_LIMIT_MS	1000	/* between SIGTERM and SIGKILL, and after that */

extern char **environ;

static void
peer_clear(struct run_peer *p)
{
	*p = (struct run_peer){ .fd = -1, .report_fd = -1 };
}

void
joins_open(struct run *r)
{
	const char *name = r->conf->runs.name;
	char pid[16];

	for (int i = 0; i < RUN_PEERS; i++)
		peer_clear(&r->joins.peer[i]);
	for (int i = 0; i < PLACES; i++)
		r->joins.place[i] = -1;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	r->joins.listen_fd = runsock_listen(name != NULL ? name : pid);
	if (r->joins.listen_fd != -1)
		return;
	if (name == NULL) {		/* one of another process namespace may have that number */
		log_debug("nobody can join this run: %s", strerror(errno));
		return;
	}
	if (errno == EADDRINUSE)
		fatalx("--name %s: a live run has this name (choose another; cf-spawn --list shows "
		    "yours)", name);
	fatal("--name %s: cannot listen for who joins", name);
}

void
joins_placed(struct run *r, const int fd[PLACES])
{
	memcpy(r->joins.place, fd, sizeof(r->joins.place));
	r->joins.placed = fd[PLACE_USER] != -1;
}

/* ---- the process that becomes the command ---- */

static void
places_enter(int fd, const struct joins *j)
{
	static const int kind[PLACE_ROOT] = { [PLACE_USER] = CLONE_NEWUSER, [PLACE_MNT] = CLONE_NEWNS,
	    [PLACE_NET] = CLONE_NEWNET, [PLACE_IPC] = CLONE_NEWIPC, [PLACE_PID] = CLONE_NEWPID };

	for (int i = 0; i < PLACE_ROOT; i++)	/* the user namespace first: it gives the rights */
		if (j->place[i] != -1 && setns(j->place[i], kind[i]) != 0)
			child_failed(fd, "enter the run's namespaces");
	if (fchdir(j->place[PLACE_ROOT]) != 0 || chroot(".") != 0)
		child_failed(fd, "enter the run's root directory");
}

/* In a process namespace only a child is in it. */
static void
move(int fd, const struct joins *j)
{
	struct child_report r = { .stage = CHILD_MOVED };

	if (j->place[PLACE_PID] == -1)
		return;
	if ((r.pid = child_beside()) == -1)
		child_failed(fd, "start a process");
	if (r.pid == 0)
		return;
	child_report_send(fd, &r, NULL, 0);
	_exit(0);
}

static void
signals_reset(void)
{
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
}

static _Noreturn void
joined_main(const struct run *r, int fd, struct run_words *w, const int standard[3])
{
	struct conf own = *r->conf;
	sigset_t none;

	signals_reset();
	setsid();
	for (int i = 0; i <= STDERR_FILENO; i++)
		if (dup2(standard[i], i) == -1)
			child_failed(fd, "take the joiner's descriptors");
	if (w->terminal && ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0)
		child_failed(fd, "take the joiner's terminal");
	close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	own.seal.nkeep = 0;		/* those are descriptors of the run's own caller */
	fds_keep_standard(&own);
	umask((mode_t)w->mask);
	environ = w->envp;
	places_enter(fd, &r->joins);
	child_directory(fd, &own, w->directory[0] != '\0' ? w->directory : NULL);
	move(fd, &r->joins);
	capture_environment(&own);
	sigemptyset(&none);
	own.command = w->argv;
	child_execute(fd, &own, &r->id, &none);
}

/* ---- requests ---- */

static void
refuse(struct run_peer *p, int status, const char *why)
{
	runmsg_send(p->fd, RUN_REFUSED, status, why, NULL, 0);
	close(p->fd);
	p->fd = -1;
}

/* A private copy of what lies in a memfd that nobody can change. */
static bool
words_read(int fd, struct run_words *w)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	size_t len, at = 0;
	char *bytes;
	ssize_t n;

	*w = (struct run_words){ 0 };
	if (seals == -1 || (seals & SEALS) != SEALS || fstat(fd, &st) != 0 ||
	    st.st_size <= 0 || st.st_size > RUN_WORDS_MAX)
		return false;
	len = (size_t)st.st_size;
	if ((bytes = malloc(len)) == NULL)
		return false;
	while (at < len && (n = pread(fd, bytes + at, len - at, (off_t)at)) > 0)
		at += (size_t)n;
	return runwords_get(bytes, at, w);
}

static void
start(struct run *r, struct run_peer *p, struct run_words *w, const int standard[3])
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) != 0) {
		refuse(p, STATUS_FAILED, "the run has no descriptors left");
		return;
	}
	if ((p->pid = fork()) == 0) {
		close(fd[0]);
		joined_main(r, fd[1], w, standard);
	}
	close(fd[1]);
	if (p->pid == -1) {
		p->pid = 0;
		close(fd[0]);
		refuse(p, STATUS_FAILED, "the run cannot start a process");
		return;
	}
	p->report_fd = fd[0];
	if (r->joins.place[PLACE_PID] == -1)
		child_go_on(&(struct child){ .fd = fd[0] });
	log_info("joined: %s, pid %d", w->argv[0], (int)p->pid);
}

static void
on_join(struct run *r, struct run_peer *p, const int fds[RUN_FDS])
{
	struct run_words w = { 0 };

	if (r->state != RUNNING || r->command_ended)
		refuse(p, STATUS_FAILED, "the run is about to end");
	else if (r->conf->runs.attach != NULL)
		refuse(p, STATUS_FAILED, "it is attached to a namespace that is not its own (nsenter(1) "
		    "enters that)");
	else if (!r->joins.placed)
		refuse(p, STATUS_FAILED, "the run does not know its namespaces (is /proc mounted?)");
	else if (fds[RUN_FDS - 1] == -1 || !words_read(fds[0], &w))
		refuse(p, STATUS_FAILED, "the run does not understand (is it of another version?)");
	else
		start(r, p, &w, fds + 1);
	runwords_free(&w);
}

static void
on_signal(const struct run_peer *p, int sig)
{
	if (p->pid > 0 && sig > -NSIG && sig < NSIG && sig != 0)
		kill(sig < 0 ? -p->pid : p->pid, sig < 0 ? -sig : sig);
}

static void
peer_gone(struct run_peer *p)
{
	close(p->fd);
	p->fd = -1;
	if (p->pid > 0) {
		kill(-p->pid, SIGHUP);
		kill(-p->pid, SIGCONT);
	}
}

static void
on_list(struct run *r, struct run_peer *p)
{
	char *text = info_text(r);

	if (text == NULL || !runmsg_send(p->fd, RUN_INFO, 0, text, NULL, 0))
		peer_gone(p);
	free(text);
}

static void
peer_read(struct run *r, struct run_peer *p)
{
	static struct run_msg m;
	int fds[RUN_FDS];

	if (!runmsg_receive(p->fd, &m, fds)) {
		peer_gone(p);
		return;
	}
	if (m.type == RUN_LIST && p->pid == 0)
		on_list(r, p);
	else if (m.type == RUN_JOIN && p->pid == 0)
		on_join(r, p, fds);
	else if (m.type == RUN_SIGNAL)
		on_signal(p, m.value);
	else
		peer_gone(p);
	for (size_t i = 0; i < RUN_FDS; i++)
		if (fds[i] != -1)
			close(fds[i]);
}

/* A place: a free one, or that of who has been silent longest. */
static struct run_peer *
peer_place(struct joins *j)
{
	struct run_peer *silent = NULL;

	for (int i = 0; i < RUN_PEERS; i++) {
		struct run_peer *p = &j->peer[i];

		if (p->pid != 0)
			continue;
		if (p->fd == -1)
			return p;
		if (silent == NULL || p->since < silent->since)
			silent = p;
	}
	if (silent != NULL)
		peer_gone(silent);
	return silent;
}

static void
peer_new(struct joins *j)
{
	int fd = accept4(j->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct run_peer *p;

	if (fd == -1)
		return;
	if (!runsock_peer_is_ours(fd)) {
		log_info("somebody else wanted to join, and may not");
		close(fd);
	} else if ((p = peer_place(j)) == NULL) {
		runmsg_send(fd, RUN_REFUSED, STATUS_FAILED, "the run has too many joined commands",
		    NULL, 0);
		close(fd);
	} else {
		*p = (struct run_peer){ .fd = fd, .report_fd = -1, .since = ++j->serial };
	}
}

/* ---- what becomes of the command ---- */

static void
report_close(struct run_peer *p)
{
	close(p->report_fd);
	p->report_fd = -1;
}

static void
on_report(struct run_peer *p)
{
	struct child child = { .fd = p->report_fd };
	struct child_report report;
	char why[256];
	int status = STATUS_FAILED;

	if (child_report_read(&child, &report, NULL, 0) == 0) {
		report_close(p);	/* it runs, or has ended: SIGCHLD tells */
		return;
	}
	if (report.stage == CHILD_MOVED) {
		p->pid = report.pid;
		child_go_on(&child);
		return;
	}
	snprintf(why, sizeof(why), "cannot %s%.160s: %s", report.stage == CHILD_NO_EXEC ?
	    "execute " : "", report.what, strerror(report.err));
	if (report.stage == CHILD_NO_EXEC)
		status = child_exec_status(report.err);
	if (p->fd != -1)
		refuse(p, status, why);
}

static bool
has_report(const struct run_peer *p)
{
	struct pollfd at = { .fd = p->report_fd, .events = POLLIN };

	return p->report_fd != -1 && poll(&at, 1, 0) == 1;
}

void
joins_ended(struct run *r, const siginfo_t *info)
{
	for (int i = 0; i < RUN_PEERS; i++) {
		struct run_peer *p = &r->joins.peer[i];

		if (p->pid != info->si_pid)
			continue;
		while (has_report(p))	/* it says whether that was the command, or why not */
			on_report(p);
		if (p->pid != info->si_pid || info->si_code == CLD_STOPPED)
			return;
		if (p->report_fd != -1)
			report_close(p);
		if (p->fd != -1) {
			runmsg_send(p->fd, RUN_ENDED, info->si_code == CLD_EXITED ?
			    info->si_status : 128 + info->si_status, "", NULL, 0);
			close(p->fd);
		}
		peer_clear(p);
		return;
	}
}

/* ---- the loop ---- */

void
joins_poll(const struct run *r, struct pollfd at[JOINS_POLL])
{
	const struct joins *j = &r->joins;

	*at++ = (struct pollfd){ .fd = r->state == STARTING ? -1 : j->listen_fd, .events = POLLIN };
	for (int i = 0; i < RUN_PEERS; i++) {
		*at++ = (struct pollfd){ .fd = j->peer[i].fd, .events = POLLIN };
		*at++ = (struct pollfd){ .fd = j->peer[i].report_fd, .events = POLLIN };
	}
}

void
joins_read(struct run *r, const struct pollfd at[JOINS_POLL])
{
	struct joins *j = &r->joins;

	for (int i = 0; i < RUN_PEERS; i++) {
		struct run_peer *p = &j->peer[i];

		if (at[2 + 2 * i].revents != 0 && p->report_fd == at[2 + 2 * i].fd)
			on_report(p);
		if (at[1 + 2 * i].revents != 0 && p->fd == at[1 + 2 * i].fd)
			peer_read(r, p);
	}
	if (at[0].revents != 0)
		peer_new(j);
}

/* ---- the end ---- */

void
joins_signal(const struct run *r, int sig)
{
	for (int i = 0; i < RUN_PEERS; i++)
		if (r->joins.peer[i].pid > 0 && kill(-r->joins.peer[i].pid, sig) != 0)
			kill(r->joins.peer[i].pid, sig);	/* it has no group yet */
}

static bool
any(const struct joins *j)
{
	for (int i = 0; i < RUN_PEERS; i++)
		if (j->peer[i].pid > 0)
			return true;
	return false;
}

void
joins_end(struct run *r)
{
	static const int signals[] = { SIGTERM, SIGKILL };
	struct timespec began;

	for (size_t i = 0; i < 2 && any(&r->joins); i++) {
		joins_signal(r, signals[i]);
		joins_signal(r, SIGCONT);
		clock_gettime(CLOCK_MONOTONIC, &began);
		while (any(&r->joins) && run_ms_since(&began) < END_LIMIT_MS)
			watch_turn(r, 50);
	}
}
