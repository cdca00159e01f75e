/*
 * flowlog.c - the life of `cf-doctor report`: read a log to its end, print once.
 *
 * The log is opened before the seal; after it there are the log, standard output and standard
 * error, and nothing to open.  A line that is no event ends it with the line's number, as in
 * childflow, unless --lenient counts such lines; a last line without its end is what a run
 * leaves that was killed, and is only said.
 *
 * Exit: 0 printed, 1 the log is no flow log, or something failed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "flowlog.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "log.h"

#define READ_SIZE	(256 * 1024)

static const struct sandbox_row rows[] = {
	ALLOW(read,	"the log"),
	ALLOW(ppoll,	"wait where an output takes no more"),
	ALLOW(sysinfo,	"how much memory there is, as qsort(3) asks"),
	{ 0 }
};

const struct sandbox_row *const flowlog_sandbox[] = { sandbox_base, rows, NULL };
const struct sandbox_role flowlog_role = {
	.name = "cf-doctor (report)", .does = "reads a flow log, prints what it tells",
	.tables = flowlog_sandbox, .leaves = SANDBOX_NO_NET,
};

bool
flowlog_form(const char *word, enum flowlog_form *out)
{
	static const char *const words[] = { [FLOWLOG_TEXT] = "text",
	    [FLOWLOG_MARKDOWN] = "markdown", [FLOWLOG_JSON] = "json", [FLOWLOG_HTML] = "html" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i]) == 0) {
			*out = (enum flowlog_form)i;
			return true;
		}
	return false;
}

bool
flowlog_read(struct tally *t, int fd, const char *path)
{
	static char buf[READ_SIZE];
	char shown[1024];
	ssize_t n;

	log_escape(shown, sizeof(shown), path);
	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			log_warn("cannot read the flow log %s", shown);
			return false;
		}
		if (!tally_feed(t, buf, (size_t)n)) {
			log_warnx("%s:%llu: %s; this is no line of a flow log (--lenient counts such "
			    "lines and goes on)", shown, (unsigned long long)t->bad_line, t->bad_why);
			return false;
		}
	}
	tally_end(t);
	if (t->cut_short)
		log_warnx("%s:%llu: the last line has no end and is not counted (was the run killed?)",
		    shown, (unsigned long long)t->number);
	return true;
}

bool
flowlog_write(int fd, const char *text)
{
	size_t len = strlen(text);
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	ssize_t n;

	while (len > 0) {
		n = write(fd, text, len);
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		} else if (n == -1 && errno == EAGAIN) {
			ppoll(&wait, 1, NULL, NULL);
		} else if (n == -1 && errno != EINTR) {
			return false;
		}
	}
	return true;
}

bool
flowlog_print(int fd, const char *text)
{
	bool done = flowlog_write(fd, text);

	if (!done)
		log_warn("cannot write the report");
	return done;
}

/* Only ASCII: a terminal would act on what else may be in a string. */
static char *
json_render(const json_t *model)
{
	return json_dumps(model, JSON_INDENT(2) | JSON_ENSURE_ASCII);
}

static int
render(const struct tally *t, const struct flowlog_conf *conf, int out_fd)
{
	static char *(*const renders[])(const json_t *) = { [FLOWLOG_TEXT] = logtext_render,
	    [FLOWLOG_MARKDOWN] = logmark_render, [FLOWLOG_JSON] = json_render,
	    [FLOWLOG_HTML] = loghtml_render };
	json_t *model = logmodel_new(t, conf->path);
	char *text = model != NULL ? renders[conf->form](model) : NULL;
	int status = 1;

	if (text == NULL)
		log_warnx("cannot make the report: out of memory");
	else if (flowlog_print(out_fd, text))
		status = 0;
	free(text);
	json_decref(model);
	return status;
}

void
flowlog_open(const char *path)
{
	char shown[1024];
	int fd;

	standard_fds_open();
	if (strcmp(path, "-") == 0)
		return;
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) == -1)
		fatal("cannot read %s", log_escape(shown, sizeof(shown), path));
	dup2(fd, STDIN_FILENO);
}

void
flowlog_seal(int *in_fd, int *out_fd, const struct sandbox_role *role)
{
	json_object_seed(0);	/* would be read from a file at the first object */
	sandbox_prepare(in_fd, out_fd, NULL);
	prctl(PR_SET_PDEATHSIG, 0);		/* nobody's helper: nohup(1) is to work, */
	signal(SIGPIPE, SIG_DFL);		/* and head(1) */
	sandbox_enter(role);
}

int
flowlog_run(const struct flowlog_conf *conf)
{
	static struct tally_size size;
	int in_fd, out_fd, status;
	struct tally *t;

	flowlog_open(conf->path);
	size = tally_large;
	size.strict = !conf->lenient;
	if ((t = tally_new(&size)) == NULL)
		fatalx("out of memory");
	flowlog_seal(&in_fd, &out_fd, &flowlog_role);
	status = flowlog_read(t, in_fd, conf->path) ? render(t, conf, out_fd) : 1;
	tally_free(t);
	return status;
}
