/*
 * terminal.c - a joined command's terminal: a pair of which it has one end, and we the other.
 *
 * The command is another cf-spawn's child and so cannot have the joiner's terminal as its
 * controlling one.  As sshd(8) does, it gets one of its own, in a session of its own; here bytes
 * go to and fro, and the terminal outside is raw meanwhile: keys that send signals do so inside.
 *
 * What must stay true: the terminal outside is as it was before when we end or stop; in the
 * background nothing is read from it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "log.h"
#include "runs.h"

static struct {
	int		 inside;		/* the master; -1: there is none, or it has ended */
	bool		 open, raw;
	int		 out;			/* where what comes from inside is shown */
	struct termios	 before;
	char		 typed[4096];		/* not yet taken inside */
	size_t		 n_typed;
} t = { .inside = -1 };

/* The end for the command. */
static int
pair_open(void)
{
	struct winsize size;
	char name[64];
	int fd;

	t.inside = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (t.inside == -1 || grantpt(t.inside) != 0 || unlockpt(t.inside) != 0 ||
	    ptsname_r(t.inside, name, sizeof(name)) != 0 ||
	    (fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)) == -1)
		fatal("cannot make a terminal for the command");
	tcsetattr(fd, TCSANOW, &t.before);
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(fd, TIOCSWINSZ, &size);
	return fd;
}

void
terminal_open(int fd[3])
{
	int own;

	if (tcgetattr(STDIN_FILENO, &t.before) != 0)
		return;
	own = pair_open();
	t.open = true;
	t.out = isatty(STDOUT_FILENO) ? STDOUT_FILENO : isatty(STDERR_FILENO) ? STDERR_FILENO :
	    STDIN_FILENO;
	for (int i = 0; i < 3; i++)
		if (isatty(fd[i]))
			fd[i] = own;
}

bool
terminal_is_open(void)
{
	return t.open;
}

static bool
in_foreground(void)
{
	return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

void
terminal_update(void)
{
	struct termios raw = t.before;
	struct winsize size;

	if (!t.open)
		return;
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(t.inside, TIOCSWINSZ, &size);
	if (t.raw || !in_foreground())
		return;
	cfmakeraw(&raw);
	t.raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

void
terminal_leave(void)
{
	if (t.raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &t.before);
	t.raw = false;
}

void
terminal_poll(struct pollfd at[2])
{
	at[0] = (struct pollfd){ .fd = t.raw && t.n_typed == 0 ? STDIN_FILENO : -1,
	    .events = POLLIN };
	at[1] = (struct pollfd){ .fd = t.inside, .events = t.n_typed > 0 ? POLLIN | POLLOUT :
	    POLLIN };
}

/* All of it; a terminal that has gone takes nothing any more. */
static void
show(const char *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		if ((n = write(t.out, p, len)) == -1 && errno != EINTR && errno != EAGAIN)
			return;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
}

/* False: there is no more, for now or ever. */
static bool
from_inside(void)
{
	char buf[4096];
	ssize_t n = read(t.inside, buf, sizeof(buf));

	if (n > 0) {
		show(buf, (size_t)n);
		return true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		close(t.inside);	/* EIO: nobody inside has it open */
		t.inside = -1;
	}
	return false;
}

static void
type(void)
{
	ssize_t n = write(t.inside, t.typed, t.n_typed);

	if (n == (ssize_t)t.n_typed || (n == -1 && errno != EAGAIN && errno != EINTR))
		t.n_typed = 0;
	else if (n > 0) {
		for (size_t i = (size_t)n; i < t.n_typed; i++)
			t.typed[i - (size_t)n] = t.typed[i];
		t.n_typed -= (size_t)n;
	}
}

void
terminal_relay(const struct pollfd at[2])
{
	ssize_t n;

	if (at[0].fd != -1 && at[0].revents != 0) {
		n = read(STDIN_FILENO, t.typed, sizeof(t.typed));
		t.n_typed = n > 0 ? (size_t)n : 0;
		if (n <= 0 && errno != EINTR && errno != EAGAIN)
			t.raw = false;	/* the terminal is lost: nothing more comes */
	}
	if (t.inside != -1 && (at[1].revents & ~POLLOUT) != 0)
		from_inside();
	if (t.inside != -1 && t.n_typed > 0)
		type();
}

void
terminal_close(void)
{
	while (t.inside != -1 && from_inside())
		;
	terminal_leave();
	if (t.inside != -1)
		close(t.inside);
	t.inside = -1;
	t.open = false;
}
