/*
 * pipes.c - programs of the user's in a helper's place (--proxy-helper and its like).
 *
 * On the other side is a program that speaks frames (cf-protocol(7)) on its standard input and output:
 * cf-proxy at the far end of ssh(1), or anything.  It is the user's, so it runs as who called
 * us, unsealed; what it says is held against the rows of msg.h like all that helpers say, and
 * what may leave has been judged before it hears of it.
 *
 * What must stay true: it has no terminal, and so cannot ask anything (a password) where nobody
 * looks, nor be stopped for trying.  It ends with the run, and the run ends with it.  Of our
 * descriptors it has the channel alone.
 *
 * The channel is a socket: a program that runs on this host in another network namespace
 * (nsenter(1)) passes descriptors, and its payload never comes by here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pipes.h"

#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli.h"
#include "log.h"
#include "spawn.h"

static bool
command_set(const char **field, const char *arg, char *why)
{
	if (*arg == '\0')
		snprintf(why, CLI_WHY_LEN, "the command is empty");
	else
		*field = arg;
	return *why == '\0';
}

bool
pipes_proxy(void *conf, const char *arg, char *why)
{
	return command_set(&((struct conf *)conf)->pipes.proxy, arg, why);
}

bool
pipes_dns(void *conf, const char *arg, char *why)
{
	return command_set(&((struct conf *)conf)->pipes.dns, arg, why);
}

bool
pipes_capture(void *conf, const char *arg, char *why)
{
	return command_set(&((struct conf *)conf)->pipes.capture, arg, why);
}

void
pipes_finish(const struct conf *conf)
{
	const struct pipes *p = &conf->pipes;

	if (p->proxy != NULL && conf->proxy.given)
		fatalx("--proxy and --proxy-helper exclude each other: leave one out");
	if (p->dns != NULL && conf->proxy.given)
		fatalx("--proxy and --dns-helper exclude each other: leave one out");
	if (p->dns != NULL && conf->proxy.dns_direct)
		fatalx("--dns-direct and --dns-helper exclude each other: leave one out");
	if (p->dns != NULL && conf->ndns > 0)
		fatalx("--dns and --dns-helper exclude each other (say it to the helper: "
		    "--dns-helper 'ssh HOST cf-dns --resolver ADDR')");
	if (p->proxy != NULL && p->dns == NULL && conf->ndns == 0 && !conf->proxy.dns_direct)
		fatalx("--proxy-helper: where are names looked up?  Add --dns-helper COMMAND (like 'ssh "
		    "HOST cf-dns'), -d ADDR (a resolver that is asked from there) or --dns-direct "
		    "(from here)");
	if (p->capture != NULL && conf->capture_file != NULL)
		fatalx("--capture and --capture-helper exclude each other: leave one out");
}

bool
pipes_any(const struct conf *conf)
{
	return conf->pipes.proxy != NULL || conf->pipes.dns != NULL || conf->pipes.capture != NULL;
}

bool
pipes_want_dialler(const struct conf *conf)
{
	return conf->pipes.proxy == NULL || conf->proxy.dns_direct;
}

const char *
pipes_behind_dns(const struct conf *conf)
{
	if (conf->pipes.dns != NULL)
		return conf->pipes.dns;
	return conf->proxy.dns_direct ? NULL : conf->pipes.proxy;
}

bool
pipes_ask_host(const struct conf *conf)
{
	return conf->ndns == 0 && pipes_behind_dns(conf) == NULL;
}

/*
 * sh(1) executes the last command without staying itself, so where we are killed it is that which
 * gets the signal; who makes a longer line of it has the channel's end to go by.
 */
_Noreturn void
pipes_become(const char *command, int channel)
{
	sigset_t none;

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(channel, STDIN_FILENO) == -1 || dup2(channel, STDOUT_FILENO) == -1)
		fatal("cannot give its channel to %s", command);
	syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	fatal("cannot execute /bin/sh for %s", command);
}
