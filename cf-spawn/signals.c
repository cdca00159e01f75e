/*
 * signals.c - signals sent to us go to the command; SIGCHLD says who has ended or stopped.
 *
 * The command shares our process group, so the terminal's signals reach it without us;
 * only those that somebody sends to us alone are passed on.  Once it has ended they are for
 * us: the end of the run is hurried.  SIGHUP from a process, and not from a terminal that is lost,
 * is for us where there are files of rules: they are read again (reload.c).
 *
 * What must stay true: a zombie is reaped once, by who knows it: helpers by helpers_reap(),
 * the rest of our children (the command, orphans of the tree) here.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "run.h"

static void
on_command_stopped(struct run *r)
{
	siginfo_t info = { 0 };

	/* The shell that started us watches us: stop as the command did, go on as we do. */
	raise(SIGSTOP);
	/* It went on with our process group, and may have been stopped again since. */
	if (waitid(P_PID, (id_t)r->child.pid, &info, WCONTINUED | WSTOPPED | WNOHANG | WNOWAIT) != 0 ||
	    info.si_pid == 0)
		kill(r->child.pid, SIGCONT);
}

static void
on_command_ended(struct run *r, const siginfo_t *info)
{
	r->command_ended = true;
	if (r->init_pid > 0)
		kill(r->init_pid, SIGTERM);	/* it may end when nobody is left: init.c */
	if (info->si_code == CLD_EXITED) {
		r->code = info->si_status;
		if (r->reason == NULL)
			r->reason = "command";
	} else {
		r->code = 128 + info->si_status;
		r->reason = "signal";
	}
	if (r->state == STARTING) {	/* from outside: it would have said why by itself */
		snprintf(r->detail, sizeof(r->detail), "the process that was to become the command "
		    "was killed (%s)", info->si_code == CLD_EXITED ? "it exited" :
		    strsignal(info->si_status));
		log_warnx("%s", r->detail);
		failure_end(r, STATUS_FAILED, "setup");
	}
}

/* --seal pid: the process that we know of is not the command yet. */
static bool
moves(const struct run *r)
{
	return (r->conf->seal.parts & SEAL_PID) != 0 && r->init_pid == 0;
}

void
signals_children(struct run *r)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (r->child.fd != -1 && (r->state == STARTING || moves(r)))
			break;		/* its report comes first: it says why it ended */
		if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT) != 0 ||
		    info.si_pid == 0 || helpers_find(&r->helpers, info.si_pid) != NULL)
			break;
		waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WSTOPPED);
		joins_ended(r, &info);
		if (info.si_pid == r->init_pid)
			r->init_pid = -1;
		if (info.si_pid != r->child.pid)
			continue;
		if (info.si_code == CLD_STOPPED)
			on_command_stopped(r);
		else
			on_command_ended(r, &info);
	}
	if (helpers_reap(&r->helpers) && (r->state == STARTING || r->state == RUNNING))
		failure_helper(r);
}

/* Was it meant for the command too, and has it had it already? */
static bool
had_it_already(const struct run *r, const struct signalfd_siginfo *si)
{
	/* A terminal that is lost tells the session's leader alone; the rest when that ends. */
	if (si->ssi_signo == SIGHUP && getsid(0) == getpid())
		return false;
	/* Otherwise it signals the whole foreground group, which the command may have left. */
	return si->ssi_code == SI_KERNEL && getpgid(r->child.pid) == getpgrp();
}

static bool
is_reload(const struct run *r, const struct signalfd_siginfo *si)
{
	return si->ssi_signo == SIGHUP && si->ssi_code != SI_KERNEL && reload_wanted(r->conf);
}

void
signals_read(struct run *r)
{
	struct signalfd_siginfo si;

	while (read(r->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			signals_children(r);
		else if (r->command_ended)
			r->hurry |= si.ssi_signo != SIGWINCH && si.ssi_signo != SIGCONT &&
			    !is_reload(r, &si);
		else if (is_reload(r, &si))
			reload(r);
		else if (!had_it_already(r, &si))
			kill(r->child.pid, (int)si.ssi_signo);
	}
}

void
signals_take(struct run *r)
{
	static const int taken[] = { SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
	    SIGALRM, SIGWINCH, SIGTSTP, SIGCONT };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigaddset(&set, taken[i]);
	sigprocmask(SIG_BLOCK, &set, &r->caller_mask);
	r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r->signal_fd == -1)
		fatal("cannot take signals");
}
