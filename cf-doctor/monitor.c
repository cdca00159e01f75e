/*
 * monitor.c - the life of `cf-doctor monitor`: lines come in, keys come in, the table is drawn.
 *
 * A log that is a file is followed: at its end we look again a few times a second, until q.
 * A pipe ends when its writers have gone.  Lines are as untrusted as their strings
 * (flowtable.h), so all of it runs sealed: what is open then is the log and the terminal.
 *
 * SPDX-License-Identifier: MIT
 */
#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "color.h"
#include "event.h"
#include "log.h"

#define TURN_MS		250	/* a frame of the display, and how often a file is looked at */
#define READS_A_TURN	64	/* of so many bytes; then keys and screen have their turn */
#define READ_LEN	65536

static const struct sandbox_row rows[] = {
	ALLOW(read,	"the log and the keys"),
	ALLOW(ppoll,	"wait for either"),
	{ 0 }
};
const struct sandbox_row *const monitor_sandbox[] = { sandbox_base, rows, screen_rows, NULL };
const struct sandbox_role monitor_role = {
	.name = "cf-doctor (monitor)", .does = "shows the flows of a run on the terminal",
	.tables = monitor_sandbox, .leaves = SANDBOX_NO_NET,
};

struct monitor {
	struct flowtable *table;
	struct view	 view;
	int		 log_fd, tty_fd;
	bool		 follows;		/* a file: its end is not the end */
	char		 line[EVENT_LINE_MAX];
	size_t		 len;
	bool		 skipping;		/* the rest of a line that is too long */
};

static volatile sig_atomic_t	stop;

static void
on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

/* ---- the log ---- */

static void
line_end(struct monitor *m)
{
	if (m->skipping)
		m->table->malformed++;
	else if (m->len > 0)
		flowtable_line(m->table, m->line, m->len);
	m->len = 0;
	m->skipping = false;
}

static void
feed(struct monitor *m, const char *bytes, size_t len)
{
	const char *nl;
	size_t part;

	for (; len > 0; bytes += part, len -= part) {
		nl = memchr(bytes, '\n', len);
		part = nl != NULL ? (size_t)(nl - bytes) + 1 : len;
		if (part > sizeof(m->line) - m->len)
			m->skipping = true;
		if (!m->skipping) {
			memcpy(m->line + m->len, bytes, part);
			m->len += part - (nl != NULL);
		}
		if (nl != NULL)
			line_end(m);
	}
}

/* All that is there, within bounds; true where there was some, or the end. */
static bool
take(struct monitor *m)
{
	char buf[READ_LEN];
	struct pollfd p = { .fd = m->log_fd, .events = POLLIN };
	const struct timespec now = { 0 };
	ssize_t n = -1;
	bool any = false;

	for (int i = 0; i < READS_A_TURN; i++) {
		if (!m->follows && ppoll(&p, 1, &now, NULL) != 1)
			return any;
		if ((n = read(m->log_fd, buf, sizeof(buf))) <= 0)
			break;
		feed(m, buf, (size_t)n);
		any = true;
	}
	if (n == 0 && !m->follows)
		m->view.ended = true;
	if (n == -1 && errno != EINTR && errno != EAGAIN)
		m->view.ended = true;
	return any || m->view.ended;
}

/* Until there is something to read or a key, at most a turn. */
static void
wait_turn(const struct monitor *m)
{
	struct pollfd p[2] = { { .fd = m->tty_fd, .events = POLLIN },
	    { .fd = m->follows || m->view.ended ? -1 : m->log_fd, .events = POLLIN } };
	const struct timespec turn = { .tv_nsec = TURN_MS * 1000000L };

	ppoll(p, 2, &turn, NULL);
}

static bool
has_room(int tty_fd)
{
	struct pollfd p = { .fd = tty_fd, .events = POLLOUT };
	const struct timespec now = { 0 };

	return ppoll(&p, 1, &now, NULL) == 1 && (p.revents & POLLOUT) != 0;
}

static void
loop(struct monitor *m, bool leave)
{
	bool changed = true;

	while (!stop && !m->view.quit && !(leave && m->view.ended)) {
		if (!m->view.ended && take(m))
			changed = !m->view.frozen;
		if (screen_keys(&m->view))
			changed = true;
		/* A terminal that takes nothing (Ctrl-S) must not make those who write events wait. */
		if (changed && has_room(m->tty_fd)) {
			screen_draw(m->table, &m->view);
			changed = false;
		}
		wait_turn(m);
	}
}

/* Nobody looks any more, but the writers go on, and an end of ours would be an error of theirs. */
static void
drain(struct monitor *m)
{
	char buf[READ_LEN];
	ssize_t n;

	do {
		n = read(m->log_fd, buf, sizeof(buf));
	} while (n > 0 || (n == -1 && errno == EINTR));
}

/* ---- start ---- */

static int
log_open(const char *file)
{
	int fd;

	if (file == NULL || strcmp(file, "-") == 0)
		return STDIN_FILENO;
	if ((fd = open(file, O_RDONLY | O_CLOEXEC)) == -1)
		fatal("cannot read the flow log %s", file);
	if (dup2(fd, STDIN_FILENO) == -1)
		fatal("cannot read the flow log %s", file);
	return STDIN_FILENO;
}

static int
tty_open(const struct monitor_conf *conf)
{
	int fd = conf->tty_fd != -1 ? conf->tty_fd : open("/dev/tty", O_RDWR | O_CLOEXEC);

	if (fd == -1 || !isatty(fd))
		fatalx("there is no terminal to show the table on (for a log as text: "
		    "cf-doctor report)");
	return fd;
}

/* What is typed to end a run (leave) is for its command. */
static void
signals_take(bool leave)
{
	struct sigaction sa = { .sa_handler = on_signal };
	static const int sigs[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT };

	for (size_t i = 0; i < (leave ? 2 : sizeof(sigs) / sizeof(*sigs)); i++)
		sigaction(sigs[i], &sa, NULL);
}

int
monitor_run(const struct monitor_conf *conf)
{
	struct monitor m = { .tty_fd = tty_open(conf), .view.source = conf->file };
	int keep[] = { m.tty_fd, -1 }, unused;
	struct stat st;

	m.follows = fstat(log_open(conf->file), &st) == 0 && S_ISREG(st.st_mode);
	if (m.view.source == NULL || strcmp(m.view.source, "-") == 0)
		m.view.source = "this run";
	if ((m.table = flowtable_new()) == NULL)
		fatal("cannot start");
	json_object_seed(0);	/* would be read from a file at the first object */
	sandbox_prepare(&m.log_fd, &unused, keep);
	close(unused);
	screen_open(m.tty_fd, conf->term, conf->no_color || color_refused());
	signals_take(conf->leave);
	sandbox_enter(&monitor_role);
	loop(&m, conf->leave);
	screen_close();
	if (conf->leave && !m.view.ended)
		drain(&m);
	flowtable_free(m.table);
	return 0;
}
