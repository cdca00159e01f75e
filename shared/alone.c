/*
 * alone.c - see alone.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "alone.h"

#include <fcntl.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "caps.h"
#include "inside.h"
#include "log.h"

#define RESOLV_CONF	"/etc/resolv.conf"
#define NOBODY		"nobody"

void
alone_standard_fds(void)
{
	int fd;

	do {
		if ((fd = open("/dev/null", O_RDWR)) == -1)
			fatal("cannot open /dev/null");
	} while (fd <= STDERR_FILENO);
	close(fd);
}

/* resolv.conf(5) has no ports; an address with a zone (fe80::1%eth0) is skipped. */
size_t
alone_resolvers(struct addr *out, size_t max)
{
	char line[512], word[ADDR_STRLEN];
	FILE *f = fopen(RESOLV_CONF, "re");
	size_t n = 0;

	if (f == NULL)
		fatal("cannot read %s (say whom to ask: --resolver ADDR)", RESOLV_CONF);
	while (n < max && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "nameserver %63s", word) == 1 &&
		    addr_parse(word, INSIDE_DNS_PORT, &out[n]))
			n++;
	fclose(f);
	if (n == 0)
		fatalx("no resolver is in %s (say whom to ask: --resolver ADDR)", RESOLV_CONF);
	return n;
}

static const struct passwd *
user_find(const char *name)
{
	const struct passwd *pw = getpwnam(name);

	if (pw == NULL)
		fatalx("there is no user %s to become (say whom: --user NAME)", name);
	return pw;
}

void
alone_user_become(const char *name)
{
	const struct passwd *pw;

	if (geteuid() != 0 && name != NULL)
		fatalx("--user is for root: you are uid %u (leave it out)", (unsigned)geteuid());
	if (geteuid() != 0)
		return;
	pw = user_find(name != NULL ? name : NOBODY);
	if (pw->pw_uid == 0)
		return;			/* he asked for it */
	if (setgroups(0, NULL) != 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0)
		fatal("cannot become %s (say whom: --user NAME)", pw->pw_name);
}

void
alone_powers_drop(void)
{
	if (caps_drop(0) != 0)
		fatal("cannot give up capabilities");
}

int
alone_signals_take(bool children)
{
	static const int ends[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction was;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (sigaction(ends[i], NULL, &was) != 0 || was.sa_handler != SIG_IGN)
			sigaddset(&set, ends[i]);
	if (children) {
		sigaddset(&set, SIGCHLD);
		signal(SIGCHLD, SIG_DFL);
	}
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 ||
	    (fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) == -1)
		fatal("cannot take signals");
	return fd;
}
