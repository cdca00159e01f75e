/*
 * run.c - one run, from the first process to the status.
 *
 *	starting   the child makes its namespaces and sends the TUN; helpers start and
 *	           seal themselves; the TUN goes to cf-netstack.  When its HELLO says that
 *	           the whole chain is ready, the child may execute the command.
 *	running    the command runs; signals sent to us go to it.  A helper that ends or
 *	           stops now ends the run: its network is gone with it.
 *	finishing  the command has ended: FINISH goes to cf-netstack, which delivers what
 *	           was sent, closes its channels, says FINISHED and ends; the others end by
 *	           themselves; all are reaped.  To close a TUN takes the kernel tens of
 *	           milliseconds.  Where no process of the tree is left, cf-netstack leaves
 *	           the device to its namespace, which the kernel takes down in its own time.
 *
 * Here is what a phase does, and in which order.  What happens while it lasts is in watch.c; what
 * becomes of a run that fails, in failure.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "event.h"
#include "flowlog.h"
#include "log.h"
#include "pipes.h"
#include "run.h"

#define FINISH_LIMIT_MS		40000	/* cf-netstack gives up after 30 s of its own */
#define REAP_LIMIT_MS		3000	/* an orderly end takes less than one */
#define START_LIMIT_MS		20000	/* all is ready in a hundredth of a second */
#define START_SAID_MS		10000	/* a program of the user's may wait for a person */

long
run_ms_since(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - t->tv_sec) * 1000 + (now.tv_nsec - t->tv_nsec) / 1000000;
}

void
run_step(const struct run *r, const char *what)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	log_debug("%.1f ms: %s", (double)(now.tv_sec - r->began.tv_sec) * 1e3 +
	    (double)(now.tv_nsec - r->began.tv_nsec) / 1e6, what);
}

/* With --seal pid, orphans of the tree become children of its process 1. */
static bool
init_has_children(pid_t pid)
{
	char path[64];
	bool has;
	FILE *f;

	if (pid <= 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	if ((f = fopen(path, "re")) == NULL)
		return false;		/* it has ended, and they with it */
	has = getc(f) != EOF;
	fclose(f);
	return has;
}

/*
 * Does a process of the tree live on?  Orphans of the tree become our children
 * (PR_SET_CHILD_SUBREAPER), so the kernel's list of those has at least one of them.
 */
static bool
tree_lives(struct run *r)
{
	char path[64];
	bool lives = false;
	FILE *f;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	if ((f = fopen(path, "re")) == NULL)
		return true;		/* not known: assume the worst */
	while (!lives && fscanf(f, "%d", &pid) == 1)
		lives = helpers_find(&r->helpers, pid) == NULL && pid != r->init_pid;
	fclose(f);
	return lives || init_has_children(r->init_pid);
}

static void
finish(struct run *r)
{
	struct timespec start;

	stack_finish(r, r->conf->runs.attach == NULL && !tree_lives(r));
	clock_gettime(CLOCK_MONOTONIC, &start);
	while (r->state != FINISHED && !r->hurry && run_ms_since(&start) < FINISH_LIMIT_MS)
		watch_turn(r, 1000);
}

/* All helpers but the summary have ended. */
static bool
recorders_ended(const struct run *r)
{
	for (int k = 0; k < HELPER_KINDS; k++)
		if (k != HELPER_SUMMARY && r->helpers.helper[k].pid > 0 &&
		    !r->helpers.helper[k].ended)
			return false;
	return true;
}

/* It could not write an event, and has said so: the run has failed at its record. */
static bool
record_was_lost(struct run *r, const struct helper *h)
{
	if (!h->ended || h->code != CLD_EXITED || h->status != HELPER_LOST)
		return false;
	snprintf(r->detail, sizeof(r->detail), "%s could not record all", h->name);
	if (r->reason == NULL || strcmp(r->reason, "helper") != 0) {
		r->code = STATUS_FAILED;
		r->reason = "record";
	}
	return true;
}

/* Wait for the helpers' orderly end; one that failed at it has lost a record. */
static void
reap_recorders(struct run *r)
{
	const struct helper *bad = NULL;
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (!recorders_ended(r) && run_ms_since(&start) < REAP_LIMIT_MS)
		watch_turn(r, 100);
	for (int k = 0; k < HELPER_KINDS; k++) {
		const struct helper *h = &r->helpers.helper[k];

		if (h->pid <= 0 || r->hurry || k == HELPER_SUMMARY ||
		    (h->ended && !helper_ended_badly(h)) || record_was_lost(r, h))
			continue;
		if (bad == NULL)
			bad = h;
	}
	if (bad == NULL)
		return;
	if (bad->ended)
		bad = failure_first(&r->helpers);
	failure_how(bad, r->detail, sizeof(r->detail));
	log_warnx("%s: what it recorded may be incomplete%s", r->detail, failure_hint(bad));
	r->code = STATUS_FAILED;
	r->reason = "helper";
}

/* --fail-on-leak: that nothing left is not enough where something was meant to. */
static void
leak_judge(struct run *r)
{
	unsigned long long n = policy_violations(r->conf);
	char text[sizeof(r->detail)];

	if (n == 0 || !r->conf->fail_on_leak)
		return;
	snprintf(text, sizeof(text), "--fail-on-leak: %llu time%s the command tree tried what the "
	    "policy %s", n, n == 1 ? "" : "s",
	    ruleopts_switches(&r->conf->rules) & RULES_PERMISSIVE ?
	    "would refuse without --permissive" : "refuses");
	log_warnx("%s (the lines above say what; --summary counts them)", text);
	if (r->code != 0)
		return;			/* there is a reason already */
	memcpy(r->detail, text, sizeof(text));
	r->code = STATUS_LEAK;
	r->reason = "leak";
}

static void
summarise(struct run *r)
{
	struct helper *h = &r->helpers.helper[HELPER_SUMMARY];
	struct timespec start;

	if (r->helpers.facts_fd == -1)
		return;
	status_facts(r->helpers.facts_fd, r->conf, &r->tcp, r->code, r->reason, run_ms_since(&r->began));
	close(r->helpers.facts_fd);
	clock_gettime(CLOCK_MONOTONIC, &start);
	while (!h->ended && run_ms_since(&start) < REAP_LIMIT_MS)
		watch_turn(r, 100);
	if (!h->ended || helper_ended_badly(h)) {
		failure_how(h, r->detail, sizeof(r->detail));
		log_warnx("%s: the %s could not be made%s", r->detail,
		    r->conf->summary ? "summary" : "profile", failure_hint(h));
		r->code = STATUS_FAILED;
		r->reason = "helper";
	}
}

static void
print_control(void *arg, const char *control)
{
	char shown[2048];

	(void)arg;
	printf("policy: %s\n", log_escape(shown, sizeof(shown), control));
}

/* -n: say what would be done. */
static int
check_only(const struct run *r)
{
	char text[ADDR_STRLEN], shown[2048];

	printf("command:");
	for (char **arg = r->conf->command; *arg != NULL; arg++)
		printf(" %s", *arg);
	printf("\nuser: %u, group: %u\nhelpers: %s\n", (unsigned)r->id.uid, (unsigned)r->id.gid,
	    paths_libexec);
	for (size_t i = 0; i < r->texts.resolvers.n && r->conf->pipes.dns == NULL; i++)
		printf("resolver: %s\n", addr_str(&r->texts.resolvers.at[i], text));
	if (r->conf->proxy.given)
		printf("proxy: %s\n", r->conf->proxy.name);
	if (r->conf->pipes.proxy != NULL)
		printf("proxy helper: %s\n", log_escape(shown, sizeof(shown), r->conf->pipes.proxy));
	if (r->conf->pipes.dns != NULL)
		printf("dns helper: %s\n", log_escape(shown, sizeof(shown), r->conf->pipes.dns));
	if (r->conf->hosts_file != NULL)
		printf("hosts file: %s\n", r->conf->hosts_file);
	if (r->conf->capture_file != NULL)
		printf("capture: %s\n", r->conf->capture_file);
	if (r->conf->pipes.capture != NULL)
		printf("capture helper: %s\n", log_escape(shown, sizeof(shown),
		    r->conf->pipes.capture));
	policy_controls(r->conf, print_control, NULL);
	return fflush(stdout) == 0 ? 0 : STATUS_FAILED;
}

/* Open with the caller's rights what the run will write. */
static void
outputs_open(struct conf *conf, const struct identity *id)
{
	learn_open(conf);
	monitor_open(conf);
	capture_open(conf, id);
}

/*
 * A standard descriptor that is closed must not become one of ours: messages would go into
 * a channel.  The command still finds it closed.
 */
static void
standard_fds_hold(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
			(void)!open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* The command must not be able to write, or read, there. */
static void
hide(int fd)
{
	if (fd > STDERR_FILENO)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* All processes of the run, and their channels. */
static void
start(struct run *r)
{
	child_start(&r->child, r->conf, &r->id, &r->texts, &r->caller_mask);
	if (helpers_start(&r->helpers, r->conf, &r->id, &r->texts) != 0)
		failure_setup(r, "make user and network namespaces for the helpers", errno);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);	/* the summary, should a shell inside own the terminal */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	stack_open(r);
	r->generation = 1;
	control_open(&r->told, r->helpers.told_fd, reload_done, r);
}

/* Until the command runs.  Helpers of ours are ready soon or never; others may take their time. */
static void
await_start(struct run *r)
{
	bool theirs = pipes_any(r->conf), said = false;
	long limit = theirs ? START_SAID_MS : START_LIMIT_MS, left;

	while (r->state == STARTING && !r->command_ended) {
		left = limit - run_ms_since(&r->began);
		if (left <= 0 && !theirs)
			failure_setup(r, "wait until all helpers are ready", ETIMEDOUT);
		if (left <= 0 && !said) {
			log_warnx("a helper of yours has not said HELLO for %d s; waiting for it (does it ask "
			    "for a password? ssh -o BatchMode=yes would fail instead)",
			    START_SAID_MS / 1000);
			said = true;
		}
		watch_turn(r, said ? -1 : (int)left);
	}
}

/* From the command's beginning to the end of all that records it. */
static void
lead(struct run *r)
{
	while (!r->command_ended || (r->conf->wait_tree && !r->hurry && !r->alone &&
	    tree_lives(r)))
		watch_turn(r, -1);
	run_step(r, "the command has ended");
	joins_end(r);
	finish(r);
	run_step(r, "all that it sent is delivered");
	if (r->hurry)
		helpers_kill(&r->helpers);
	reap_recorders(r);
	run_step(r, "the helpers have ended");
}

int
run(struct conf *conf)
{
	static struct run r;

	standard_fds_hold();
	hide(conf->status_fd);
	hide(conf->runs.ready_fd);
	hide(conf->runs.exit_fd);
	r.conf = conf;
	r.exit_fd = conf->runs.exit_fd;
	clock_gettime(CLOCK_MONOTONIC, &r.began);
	flowlog_phase(PHASE_PREFLIGHT);
	if (!conf->check_only)
		flowlog_open(conf);
	attach_open(conf);
	identity_find(&r.id, conf);
	r.follow.fd = -1;
	if (pipes_ask_host(conf) && !conf->check_only && !conf->dry_run)
		r.look_at = FOLLOW_AFTER_MS;
	texts_read(&r.texts, conf);
	policy_make(conf);
	totals_make(conf);
	helpers_find_programs(conf);
	if (conf->check_only) {
		proxy_check(conf);
		return check_only(&r);
	}
	if (conf->dry_run)
		return dryrun(conf, &r.id, &r.texts);
	if (conf->runs.plan)
		return plan_print(conf, &r.texts);
	if (ruleopts_switches(&conf->rules) & RULES_PERMISSIVE)
		log_warnx("--permissive: the rules are only watched, and what they refuse leaves");
	joins_open(&r);
	if (conf->runs.attach == NULL) {	/* else there is no command */
		fds_keep(conf);
		sockets_find(conf, &r.id);
	}
	outputs_open(conf, &r.id);
	proxy_make(conf, &r.id);
	fds_check(conf);
	signals_take(&r);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);

	flowlog_phase(PHASE_BOOTSTRAP);
	start(&r);
	await_start(&r);
	lead(&r);
	flowlog_mend(conf);
	flowlog_phase(PHASE_RUN);
	if (strcmp(r.reason, "helper") == 0)
		flowlog_failure(conf, r.detail);
	leak_judge(&r);
	summarise(&r);
	capture_close(conf);
	status_exit(conf, r.code, r.reason, r.detail[0] != '\0' ? r.detail : NULL);
	return r.code;
}
