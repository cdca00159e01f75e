/*
 * summary.c - the life of `cf-doctor summary`: read two pipes to their ends, print once.
 *
 * cf-spawn starts it with the run.  On standard input come event lines from the helpers
 * while the run goes on; on the facts descriptor, at the end, one JSON object from
 * cf-spawn.  Both are read as they come, so nobody who writes waits for anybody else.
 * After the seal there are these two pipes and standard error, and nothing to open.
 *
 * With --learn-fd the same events become a profile as well (learn.h), which is written there at
 * the end.
 *
 * A Ctrl-C is for the command; what it did until then is still to be told.
 *
 * SPDX-License-Identifier: MIT
 */
#include "summary.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flowlog.h"
#include "learn.h"
#include "log.h"

#define FACTS_MAX	(1 << 20)	/* a command line of an ordinary length many times over */

static const struct sandbox_row rows[] = {
	ALLOW(read,	"events and facts"),
	ALLOW(ppoll,	"wait for either"),
	ALLOW(ftruncate, "a profile that was learned takes the place of the one before"),
	ALLOW(sysinfo,	"how much memory there is, as qsort(3) asks"),
	{ 0 }
};

const struct sandbox_row *const summary_sandbox[] = { sandbox_base, rows, NULL };
const struct sandbox_role summary_role = {
	.name = "cf-doctor (summary)", .does = "counts events, prints the summary of a run",
	.tables = summary_sandbox, .leaves = SANDBOX_NO_NET,
};

struct input {
	int		 events_fd, facts_fd;
	struct tally	*tally;
	char		*facts;
	size_t		 facts_len;
	bool		 facts_too_long;
};

static void
facts_add(struct input *in, const char *bytes, size_t len)
{
	char *p = NULL;

	if (!in->facts_too_long && in->facts_len + len <= FACTS_MAX)
		p = realloc(in->facts, in->facts_len + len);
	if (p == NULL) {
		in->facts_too_long = true;
		return;
	}
	memcpy(p + in->facts_len, bytes, len);
	in->facts = p;
	in->facts_len += len;
}

/* Read once; false at the end, which an error is too. */
static bool
take(struct input *in, int fd)
{
	char buf[64 * 1024];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n == -1 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n == -1)
		log_warn("cannot read the %s", fd == in->facts_fd ? "facts" : "events");
	if (n <= 0)
		return false;
	if (fd == in->facts_fd)
		facts_add(in, buf, (size_t)n);
	else
		tally_feed(in->tally, buf, (size_t)n);
	return true;
}

static void
take_all(struct input *in)
{
	struct pollfd p[2] = {
		{ .fd = in->events_fd, .events = POLLIN }, { .fd = in->facts_fd, .events = POLLIN }
	};

	while (p[0].fd != -1 || p[1].fd != -1) {
		if (ppoll(p, 2, NULL, NULL) == -1 && errno != EINTR)
			break;
		for (int i = 0; i < 2; i++)
			if (p[i].fd != -1 && p[i].revents != 0 && !take(in, p[i].fd))
				p[i].fd = -1;	/* poll skips it from here on */
	}
	tally_end(in->tally);
}

/* Only ASCII: a terminal would act on what else may be in a string. */
static char *
json_render(const json_t *model)
{
	return json_dumps(model, JSON_INDENT(2) | JSON_ENSURE_ASCII);
}

static int
summary_print(const struct input *in, const json_t *facts, bool json)
{
	json_t *model = model_new(in->tally, facts);
	char *text = model == NULL ? NULL : json ? json_render(model) : text_render(model);
	bool printed = text != NULL && flowlog_write(STDERR_FILENO, text) &&
	    (!json || flowlog_write(STDERR_FILENO, "\n"));

	if (text == NULL)
		log_warnx("cannot make the summary: out of memory");
	free(text);
	json_decref(model);
	return printed ? 0 : 1;
}

static int
profile_write(const struct learn *learn, const json_t *facts, const struct summary_conf *conf)
{
	char *text = profile_render(learn, facts, (unsigned)conf->threshold);
	int status = 1;

	if (text == NULL)
		log_warnx("cannot make the profile: out of memory");
	else if ((ftruncate(conf->learn_fd, 0) != 0 && errno != EINVAL) ||
	    !flowlog_write(conf->learn_fd, text))	/* EINVAL: a pipe or a terminal */
		log_warn("cannot write the profile that was learned");
	else
		status = 0;
	if (learn->keys.floor > 0)
		log_warnx("the run went to more than %d destinations: the profile lacks the rarest",
		    LEARN_MAX);
	free(text);
	return status;
}

static int
render(const struct input *in, const struct learn *learn, const struct summary_conf *conf)
{
	const char *why = "they are too long";
	json_t *facts = in->facts_too_long ? NULL : facts_parse(in->facts, in->facts_len, &why);
	int status = facts == NULL;

	if (facts == NULL)
		log_warnx("the facts of the run cannot be read: %s", why);
	if (!conf->no_summary)
		status |= summary_print(in, facts, conf->json);
	if (learn != NULL)
		status |= profile_write(learn, facts, conf);
	json_decref(facts);
	return status;
}

void
standard_fds_open(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", O_RDWR) != fd)
			_exit(1);
}

int
summary_run(const struct summary_conf *conf)
{
	const int keep[] = { conf->facts_fd, conf->learn_fd, -1 };
	struct input in = { .facts_fd = conf->facts_fd };
	struct learn *learn = NULL;
	int unused, status;

	if (fcntl(in.facts_fd, F_GETFD) == -1)
		fatal("--facts-fd %d", in.facts_fd);
	if (conf->learn_fd != -1 && fcntl(conf->learn_fd, F_GETFD) == -1)
		fatal("--learn-fd %d", conf->learn_fd);
	standard_fds_open();
	sandbox_prepare(&in.events_fd, &unused, keep);
	close(unused);
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	if ((in.tally = tally_new(&tally_small)) == NULL ||
	    (conf->learn_fd != -1 && (learn = learn_new()) == NULL))
		fatal("cannot start");
	if (learn != NULL)
		tally_watch(in.tally, learn_event, learn);
	json_object_seed(0);	/* would be read from a file at the first object */
	sandbox_enter(&summary_role);
	take_all(&in);
	status = render(&in, learn, conf);
	free(in.facts);
	return status;
}
