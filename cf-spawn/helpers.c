/*
 * helpers.c - start the helpers, wire them to each other, and take their ends.
 *
 *	cf-spawn --control-- cf-netstack --dns-- cf-dns --dial-+
 *	                         |  +--proxy-- cf-proxy policy --dial-- cf-proxy dialler
 *	                         +--capture-- cf-capture
 *					cf-upstream --upstream-- cf-proxy dialler
 *	cf-spawn --told-- cf-dns, cf-proxy policy, cf-proxy dialler	(control.c)
 *	cf-proxy policy --who-- the watcher, a process of cf-spawn (watcher.c)
 *
 * With --proxy-helper and its like a program of the user's (pipes.h) stands in the dialler's place,
 * behind cf-dns, or in that of cf-capture; what judges stays in front of it.
 *
 * Every line is a socket pair.  A helper finds the channel to its client on standard
 * input and output and all others under the numbers that its options name.  The dialler
 * alone runs in the caller's network namespace; the others share one that has no
 * interface up, made by a process (the jail's first, which becomes cf-netstack) that
 * starts its siblings with CLONE_PARENT, so that all are our own children.
 *
 * What must stay true: a program is executed through the descriptor under which it was
 * found, with the ids of the helpers and without a capability.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "spawn.h"

#define ARGS_MAX	(256 + 4 * CAPTURE_FILES_MAX)
#define FIRST_EXTRA_FD	3	/* descriptors that options name are 3, 4, ... */
#define EXTRA_FDS_MAX	(12 + 2 * CAPTURE_FILES_MAX)
#define ABOVE_ALL	(FIRST_EXTRA_FD + EXTRA_FDS_MAX)	/* where descriptors wait while the low numbers are dealt */

static const struct {
	const char	*name;		/* in messages */
	const char	*program;	/* in paths_libexec; NULL: started later, by us (watcher.c) */
	bool		 jailed;	/* in the empty namespace */
} kinds[HELPER_KINDS] = {
	[HELPER_NETSTACK] = { "cf-netstack",		"cf-netstack",	true },
	[HELPER_DNS]	  = { "cf-dns",			"cf-dns",	true },
	[HELPER_POLICY]   = { "cf-proxy (policy)",	"cf-proxy",	true },
	[HELPER_CAPTURE]  = { "cf-capture",		"cf-capture",	true },
	[HELPER_DIALLER]  = { "cf-proxy (dialler)",	"cf-proxy",	false },
	[HELPER_WATCHER]  = { "cf-spawn (watcher)",	NULL,		false },
	[HELPER_UPSTREAM] = { "cf-upstream",		"cf-upstream",	true },
	[HELPER_MONITOR]  = { "cf-doctor (monitor)",	"cf-doctor",	false },
	[HELPER_SUMMARY]  = { "cf-doctor (summary)",	"cf-doctor",	false },
	[HELPER_EGRESS]	  = { "--proxy-helper",		NULL,		false },
	[HELPER_NAMES]	  = { "--dns-helper",		NULL,		false },
	[HELPER_RECORDER] = { "--capture-helper",	NULL,		false },
};

/* One helper as it will be executed. */
struct start {
	const char	*command;	/* of the user's, in place of a program; else NULL */
	enum helper_kind kind;
	bool		 wanted;
	int		 program_fd;
	int		 in, out;	/* its standard input and output */
	int		 extra[EXTRA_FDS_MAX];
	unsigned	 nextra;
	char		*argv[ARGS_MAX];
	unsigned	 argc;
	bool		 jailed;
	unsigned long long keep;	/* capabilities */
};

static int	program_fd[HELPER_KINDS];

bool
helpers_watch(const struct conf *conf)
{
	return conf->flow_log != NULL || conf->monitor != NULL || conf->learn_file != NULL ||
	    conf->capture_file != NULL || conf->verbose > 0;
}

/* The command line that the user has given for it; NULL: it is one of our programs, or not wanted. */
static const char *
kind_command(enum helper_kind kind, const struct conf *conf)
{
	return kind == HELPER_EGRESS ? conf->pipes.proxy :
	    kind == HELPER_NAMES ? pipes_behind_dns(conf) :
	    kind == HELPER_RECORDER ? conf->pipes.capture : NULL;
}

static bool
kind_wanted(enum helper_kind kind, const struct conf *conf)
{
	switch (kind) {
	case HELPER_EGRESS:
	case HELPER_NAMES:
	case HELPER_RECORDER:	return kind_command(kind, conf) != NULL;
	case HELPER_DIALLER:	return pipes_want_dialler(conf);
	case HELPER_CAPTURE:	return conf->capture_file != NULL;
	case HELPER_UPSTREAM:	return conf->proxy.given;
	case HELPER_SUMMARY:	return conf->summary || conf->learn_file != NULL;
	case HELPER_WATCHER:	return helpers_watch(conf);
	case HELPER_MONITOR:	return conf->monitor != NULL;
	default:		return true;
	}
}

void
helpers_find_programs(const struct conf *conf)
{
	char path[4096];

	for (int k = 0; k < HELPER_KINDS; k++) {
		program_fd[k] = -1;
		if (kinds[k].program == NULL || !kind_wanted((enum helper_kind)k, conf))
			continue;
		snprintf(path, sizeof(path), "%s/%s%s", paths_libexec, kinds[k].program,
		    k == HELPER_UPSTREAM && conf->proxy.tls ? "-tls" : "");
		program_fd[k] = open(path, O_PATH | O_CLOEXEC);
		if (program_fd[k] == -1)
			fatal("cannot find the helper %s (install childflow again)", path);
	}
}

/* ---- arguments ---- */

static void
arg(struct start *s, const char *text)
{
	if (s->argc == ARGS_MAX - 1)
		fatalx("too many arguments for %s", kinds[s->kind].name);
	if ((s->argv[s->argc++] = strdup(text)) == NULL)
		fatal("cannot start %s", kinds[s->kind].name);
}

static void
arg_number(struct start *s, const char *option, long value)
{
	char number[24];

	snprintf(number, sizeof(number), "%ld", value);
	arg(s, option);
	arg(s, number);
}

/* An option whose value is a descriptor that the helper inherits. */
static void
arg_fd(struct start *s, const char *option, int fd)
{
	if (s->nextra == EXTRA_FDS_MAX)
		fatalx("too many descriptors for %s", kinds[s->kind].name);
	arg_number(s, option, FIRST_EXTRA_FD + s->nextra);
	s->extra[s->nextra++] = fd;
}

/* The same for one that others have too, and only where it is there (-1: it is not). */
static void
arg_fd_copy(struct start *s, const char *option, int fd)
{
	int copy;

	if (fd == -1)
		return;
	if ((copy = fcntl(fd, F_DUPFD_CLOEXEC, ABOVE_ALL)) == -1)
		fatal("cannot start %s", kinds[s->kind].name);
	arg_fd(s, option, copy);
}

static void
pair(int fd[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
		fatal("cannot make a socket pair");
}

/* Is there a route to the IPv6 internet?  Asked of the routing table; nothing is sent. */
static bool
host_has_ipv6(void)
{
	const struct addr somewhere = { .family = 6, .port = 9, .ip = { 0x20, 0x01, 0x04, 0x60 } };
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&somewhere, &ss);
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok = fd != -1 && connect(fd, (struct sockaddr *)&ss, len) == 0;

	if (fd != -1)
		close(fd);
	return ok;
}

static void
args_resolvers(struct start *s, const struct texts *texts)
{
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < texts->resolvers.n; i++) {
		arg(s, "--resolver");
		arg(s, addr_str(&texts->resolvers.at[i], text));
	}
}

/* cf-dns tells cf-proxy which name gave which address. */
static void
wire_names(struct start *dns, struct start *policy, const struct conf *conf,
    const struct texts *texts)
{
	int told[2], hosts;

	if (!names_wanted(conf))
		return;
	pair(told);
	arg_fd(dns, "--names-fd", told[0]);
	arg_fd(policy, "--names-fd", told[1]);
	if ((hosts = names_hosts_fd(texts)) != -1)
		arg_fd(policy, "--hosts-fd", hosts);
	if (conf->synthetic) {
		arg(dns, "--synthetic");
		arg(policy, "--synthetic");
	}
}

/* As no-color.org has it. */
static bool
colors_wanted(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return (no == NULL || *no == '\0') && isatty(STDERR_FILENO) == 1 && term != NULL &&
	    strcmp(term, "dumb") != 0;
}

static void
arg_encdns(struct start *s, const struct conf *conf)
{
	if (conf->encdns == ENCDNS_BLOCK)
		arg(s, "--block-encrypted-dns");
	else if (conf->encdns == ENCDNS_ALLOW)
		arg(s, "--allow-encrypted-dns");
}

static void
arg_host_ports(struct start *s, const struct conf *conf)
{
	char text[16];

	for (size_t i = 0; i < conf->host_ports.n; i++) {
		snprintf(text, sizeof(text), "%u-%u", conf->host_ports.at[i].lo,
		    conf->host_ports.at[i].hi);
		arg(s, "--host-port");
		arg(s, text);
	}
}

/* Where those who see something write it, and who knows the tree's processes. */
static void
wire_events(struct start *dns, struct start *policy, struct helpers *h, const struct conf *conf)
{
	int who[2];

	arg_fd_copy(policy, "--log-fd", conf->log_fd);
	arg_fd_copy(dns, "--log-fd", conf->log_fd);
	if (conf->verbose > 0 && colors_wanted()) {
		arg(policy, "--color");
		arg(dns, "--color");
	}
	h->watcher_fd = -1;
	if (!helpers_watch(conf))
		return;
	pair(who);
	arg_fd(policy, "--who-fd", who[0]);
	h->watcher_fd = who[1];
}

/* The upstream proxy: cf-upstream is behind the dialler, and all others are told that there is one. */
static void
wire_upstream(struct start *start, const struct conf *conf)
{
	struct start *dns = &start[HELPER_DNS], *policy = &start[HELPER_POLICY],
	    *dialler = &start[HELPER_DIALLER], *upstream = &start[HELPER_UPSTREAM];
	const struct proxyopts *p = &conf->proxy;
	char text[ADDR_STRLEN];
	int fd[2];

	if (!p->given)
		return;
	pair(fd);
	upstream->in = upstream->out = fd[1];
	arg_fd(upstream, "--proxies-fd", p->fd);
	arg_fd(dialler, "--upstream-fd", fd[0]);
	arg(dialler, "--upstream-name");
	arg(dialler, p->name);
	arg_number(dialler, "--connect-timeout", p->connect_timeout * 1000);
	for (size_t i = 0; i < p->n_at; i++) {
		arg(dialler, "--upstream-at");
		arg(dialler, addr_str(&p->at[i], text));
	}
	if (p->dns_around)
		arg(dialler, "--dns-direct");
	arg(policy, "--upstream");
	arg(policy, "--upstream-name");
	arg(policy, p->name);
	if (p->udp) {
		arg(dialler, "--upstream-udp");
		arg(policy, "--upstream-udp");
	}
	if (p->udp_direct)
		arg(policy, "--udp-direct");
	if (p->icmp_direct)
		arg(policy, "--icmp-direct");
	if (p->names != NULL) {
		arg(policy, "--proxy-names");
		arg(policy, p->names);
	}
	for (size_t i = 0; i < p->n_direct; i++) {
		arg(policy, "--no-proxy");
		arg(policy, p->direct[i]);
	}
	arg(dns, "--proxied");
	if (p->dns_unasked)
		arg(dns, "--unasked");
	if (p->dns_closed)
		arg(dns, "--closed");
	if (!p->dns_around)
		arg(dns, "--tcp");
}

/* It does not say more when asked to. */
static bool
is_doctor(int kind)
{
	return kind == HELPER_SUMMARY || kind == HELPER_MONITOR;
}

static void
wire_monitor(struct start *monitor, struct start *dns, struct start *policy, const struct conf *conf)
{
	const char *term = getenv("TERM");
	int log[2];

	if (!monitor->wanted)
		return;
	if (pipe2(log, O_CLOEXEC) != 0)
		fatal("cannot make a pipe");
	arg_fd(policy, "--log-fd", log[1]);
	arg_fd_copy(dns, "--log-fd", log[1]);
	arg(monitor, "monitor");
	arg(monitor, "--leave");
	arg_fd(monitor, "--tty-fd", conf->monitor_fd);
	if (term != NULL && *term != '\0') {
		arg(monitor, "--term");
		arg(monitor, term);
	}
	if (getenv("NO_COLOR") != NULL)
		arg(monitor, "--no-color");
	monitor->in = log[0];
	monitor->out = STDERR_FILENO;
}

/* cf-dns gets sockets of a dialler, or answers of another cf-dns. */
static void
wire_behind_dns(struct start *start, const struct conf *conf)
{
	struct start *dns = &start[HELPER_DNS], *dialler = &start[HELPER_DIALLER],
	    *names = &start[HELPER_NAMES];
	int fd[2];

	pair(fd);
	arg_fd(dns, conf->pipes.dns != NULL ? "--far-fd" : "--dial-fd", fd[0]);
	if (names->wanted)
		names->in = names->out = fd[1];
	else
		arg_fd(dialler, "--dns-fd", fd[1]);
}

/* client_fd: the policy stage's channel, which is another's where there is a --proxy-helper. */
static void
wire_dialler(struct start *dialler, struct helpers *h, const struct conf *conf,
    const struct texts *texts, int client_fd)
{
	int told[2], nobody[2];

	h->told_fd[CONTROL_DIALLER] = -1;
	if (!dialler->wanted)
		return;
	if (conf->pipes.proxy != NULL) {	/* then it is there for cf-dns alone */
		pair(nobody);
		close(nobody[1]);
		client_fd = nobody[0];
	}
	dialler->in = dialler->out = client_fd;
	pair(told);
	h->told_fd[CONTROL_DIALLER] = told[0];
	arg_fd(dialler, "--control-fd", told[1]);
	arg_fd_copy(dialler, "--rules-fd", conf->rules_fd);
	arg_encdns(dialler, conf);
	arg_host_ports(dialler, conf);
	args_resolvers(dialler, texts);
	if (conf->ndns > 0)
		arg(dialler, "--resolvers-only");
}

/* cf-netstack sends every packet there, too; the proxy's stages say what is known of flows. */
static void
wire_capture(struct start *start, const struct conf *conf)
{
	struct start *stack = &start[HELPER_NETSTACK], *policy = &start[HELPER_POLICY],
	    *dialler = &start[HELPER_DIALLER], *capture = &start[HELPER_CAPTURE],
	    *recorder = &start[HELPER_RECORDER];
	const char *args[CAPTURE_ARGS_MAX];
	bool wire = capture_is_wire(conf);
	int packets[2], info[2];
	size_t n;

	if (!capture->wanted && !recorder->wanted)
		return;
	pair(packets);			/* of the host's interface nobody sends any */
	if (wire)
		close(packets[0]);
	else
		arg_fd(stack, "--capture-fd", packets[0]);
	if (recorder->wanted) {
		recorder->in = recorder->out = packets[1];
		return;
	}
	pair(info);
	if (capture_needs(conf) > 0)
		arg_number(stack, "--capture-snaplen", capture_needs(conf));
	if (conf->capture.drop)
		arg(stack, "--capture-drop");
	capture->in = capture->out = packets[1];
	n = capture_args(conf, args);
	for (size_t i = 0; i < n; i++)
		arg(capture, args[i]);
	for (size_t i = 0; i < conf->capture.n_files; i++)
		arg_fd(capture, wire || i < conf->capture.n_child ? "--write-fd" : "--egress-fd",
		    conf->capture.file[i].fd);
	arg_fd(wire ? dialler : policy, "--info-fd", info[0]);
	arg_fd(capture, wire ? "--tuples-fd" : "--info-fd", info[1]);
	if (conf->capture.keys)
		arg_fd(capture, "--keys-fd", conf->capture.keys_fd);
}

/* Make all channels and arguments. */
static void
wire(struct start *start, struct helpers *h, const struct conf *conf, const struct texts *texts)
{
	struct start *stack = &start[HELPER_NETSTACK], *dns = &start[HELPER_DNS],
	    *policy = &start[HELPER_POLICY], *summary = &start[HELPER_SUMMARY];
	int control[2], proxy[2], names[2], dial[2], log[2], facts[2], to_dns[2], to_policy[2];

	for (int k = 0; k < HELPER_KINDS; k++) {
		struct start *s = &start[k];

		*s = (struct start){ .kind = (enum helper_kind)k, .program_fd = program_fd[k],
		    .wanted = kind_wanted((enum helper_kind)k, conf) && k != HELPER_WATCHER,
		    .jailed = kinds[k].jailed,
		    .command = kind_command((enum helper_kind)k, conf), .in = -1, .out = -1 };
		s->wanted &= kinds[k].program != NULL || s->command != NULL;
		if (!s->wanted || s->command != NULL)
			continue;
		if (k == HELPER_CAPTURE && capture_is_wire(conf)) {
			s->jailed = false;
			s->keep = 1ull << CAP_NET_RAW;
		}
		arg(s, kinds[k].program);
		for (int v = 0; v < conf->verbose && v < 2 && !is_doctor(k); v++)
			arg(s, "-v");
	}
	pair(control);
	pair(proxy);
	pair(names);
	pair(dial);
	pair(to_dns);
	pair(to_policy);
	h->told_fd[CONTROL_DNS] = to_dns[0];
	h->told_fd[CONTROL_POLICY] = to_policy[0];
	h->control_fd = control[0];
	stack->in = stack->out = control[1];
	arg_fd(stack, "--proxy-fd", proxy[0]);
	arg_fd(stack, "--dns-fd", names[0]);
	if (conf->flow_updates > 0)
		arg_number(stack, "--counts", conf->flow_updates);

	policy->in = policy->out = proxy[1];
	arg(policy, "--policy");
	arg_fd(policy, "--dial-fd", dial[0]);
	arg_fd(policy, "--control-fd", to_policy[1]);
	if (reload_wanted(conf))
		arg(policy, "--keep-flows");
	arg_fd_copy(policy, "--rules-fd", conf->rules_fd);
	arg_fd_copy(policy, "--violations-fd", conf->violations_fd);
	arg_fd_copy(policy, "--quotas-fd", conf->quotas_fd);
	arg_encdns(policy, conf);
	if (conf->quic != NULL) {
		arg(policy, "--quic");
		arg(policy, conf->quic);
	}
	arg_host_ports(policy, conf);

	dns->in = dns->out = names[1];
	arg_fd_copy(dns, "--rules-fd", conf->rules_fd);
	arg_fd_copy(dns, "--violations-fd", conf->violations_fd);
	arg_encdns(dns, conf);
	if (conf->deny_answer != NULL) {
		arg(dns, "--deny-answer");
		arg(dns, conf->deny_answer);
	}
	arg_fd(dns, "--control-fd", to_dns[1]);
	if (conf->pipes.dns == NULL)
		args_resolvers(dns, texts);
	if (conf->ndns > 0)
		arg(dns, "--pinned");
	wire_behind_dns(start, conf);
	if (conf->dns_cache > 0)
		arg_number(dns, "--dns-cache", conf->dns_cache);
	if (conf->pipes.proxy == NULL && !host_has_ipv6())
		arg(dns, "--no-aaaa");

	wire_names(dns, policy, conf, texts);
	wire_events(dns, policy, h, conf);
	wire_monitor(&start[HELPER_MONITOR], dns, policy, conf);

	if (start[HELPER_EGRESS].wanted)
		start[HELPER_EGRESS].in = start[HELPER_EGRESS].out = dial[1];
	wire_dialler(&start[HELPER_DIALLER], h, conf, texts, dial[1]);

	wire_upstream(start, conf);
	wire_capture(start, conf);
	h->facts_fd = -1;
	if (summary->wanted) {
		if (pipe2(log, O_CLOEXEC) != 0)
			fatal("cannot make a pipe");
		pair(facts);
		arg_fd(policy, "--log-fd", log[1]);
		arg_fd_copy(dns, "--log-fd", log[1]);
		arg(summary, "summary");
		if (conf->summary_json) {
			arg(summary, "--format");
			arg(summary, "json");
		}
		summary->in = log[0];
		summary->out = STDERR_FILENO;
		arg_fd(summary, "--facts-fd", facts[1]);
		if (conf->learn_fd != -1) {
			arg_fd(summary, "--learn-fd", conf->learn_fd);
			arg_number(summary, "--learn-threshold", conf->learn_threshold);
		}
		if (!conf->summary)
			arg(summary, "--no-summary");
		h->facts_fd = facts[0];
	}
}

/* ---- processes ---- */

static _Noreturn void
start_failed(const struct start *s, const char *what)
{
	fatal("cannot %s %s", what, kinds[s->kind].name);
}

/* Deal the descriptors under the numbers that the arguments promise. */
static void
descriptors_deal(const struct start *s)
{
	int in = fcntl(s->in, F_DUPFD_CLOEXEC, ABOVE_ALL), out = fcntl(s->out, F_DUPFD_CLOEXEC, ABOVE_ALL);
	int extra[EXTRA_FDS_MAX], program = fcntl(s->program_fd, F_DUPFD_CLOEXEC, ABOVE_ALL);

	for (unsigned i = 0; i < s->nextra; i++)
		extra[i] = fcntl(s->extra[i], F_DUPFD_CLOEXEC, ABOVE_ALL);
	if (dup2(in, STDIN_FILENO) == -1 || dup2(out, STDOUT_FILENO) == -1 || program == -1)
		start_failed(s, "give its channel to");
	for (unsigned i = 0; i < s->nextra; i++)
		if (dup2(extra[i], FIRST_EXTRA_FD + (int)i) == -1)
			start_failed(s, "give its descriptors to");
	((struct start *)s)->program_fd = program;
}

/* In the new process: become the helper. */
static _Noreturn void
become(const struct start *s)
{
	static char *no_environment[] = { NULL };
	sigset_t none;

	if (s->kind != HELPER_MONITOR)	/* in the background it could not use our own terminal */
		setpgid(0, 0);		/* a Ctrl-C is for the command */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	descriptors_deal(s);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || identity_bound_caps(s->keep) != 0 ||
	    identity_drop_caps(s->keep) != 0)
		start_failed(s, "take the powers from");
	syscall(SYS_execveat, s->program_fd, "", s->argv, no_environment, AT_EMPTY_PATH);
	start_failed(s, "execute");
}

/* fork(2), but the new process is a child of our parent. */
static pid_t
fork_sibling(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
}

/*
 * The jail's first process: make the empty namespace, start the others, say their pids (or the
 * errno, which is shorter), become cf-netstack.
 */
static _Noreturn void
jail_main(const struct start *start, const struct identity *id, int report_fd)
{
	pid_t pids[HELPER_KINDS] = { 0 };

	if (identity_become_helper(id) != 0)
		fatal("cannot become the user that the helpers run as");
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) != 0) {
		(void)!write(report_fd, &errno, sizeof(errno));
		_exit(STATUS_FAILED);
	}
	for (int k = 0; k < HELPER_KINDS; k++) {
		if (k == HELPER_NETSTACK || !start[k].jailed || !start[k].wanted)
			continue;
		if ((pids[k] = fork_sibling()) == -1)
			start_failed(&start[k], "start a process for");
		if (pids[k] == 0)
			become(&start[k]);
	}
	pids[HELPER_NETSTACK] = getpid();
	if (write(report_fd, pids, sizeof(pids)) != (ssize_t)sizeof(pids))
		_exit(STATUS_FAILED);
	become(&start[HELPER_NETSTACK]);
}

static int
jail_start(struct helpers *h, const struct start *start, const struct identity *id)
{
	pid_t pids[HELPER_KINDS], first;
	int report[2];
	ssize_t n;

	if (pipe2(report, O_CLOEXEC) != 0)
		fatal("cannot make a pipe");
	if ((first = fork()) == -1)
		fatal("cannot start a process");
	if (first == 0)
		jail_main(start, id, report[1]);
	close(report[1]);
	h->helper[HELPER_NETSTACK].pid = first;
	do {
		n = read(report[0], pids, sizeof(pids));
	} while (n == -1 && errno == EINTR);
	close(report[0]);
	if (n == (ssize_t)sizeof(errno)) {
		memcpy(&errno, pids, sizeof(errno));
		return -1;
	}
	if (n != (ssize_t)sizeof(pids))
		return 0;		/* it said why and is dead: the watch will find it */
	for (int k = 0; k < HELPER_KINDS; k++)
		if (start[k].jailed)
			h->helper[k].pid = pids[k];
	return 0;
}

/* As messages say it; a command of the user's as he wrote it. */
static const char *
name_of(const struct start *s)
{
	static char text[HELPER_KINDS][160];
	char shown[128];

	if (s->command == NULL)
		return kinds[s->kind].name;
	snprintf(text[s->kind], sizeof(text[s->kind]), "the helper `%s'",
	    log_escape(shown, sizeof(shown), s->command));
	return text[s->kind];
}

static void
outside_start(struct helpers *h, const struct start *s, const struct identity *id)
{
	pid_t pid = fork();

	if (pid == -1)
		fatal("cannot start a process");
	if (pid == 0) {
		if (s->command != NULL)
			pipes_become(s->command, s->in);
		if (s->keep != 0)
			prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
		if (identity_become_helper(id) != 0)
			fatal("cannot become the user that the helpers run as");
		become(s);
	}
	h->helper[s->kind].pid = pid;
}

int
helpers_start(struct helpers *h, const struct conf *conf, const struct identity *id,
    const struct texts *texts)
{
	struct start start[HELPER_KINDS];
	int rc, saved;

	wire(start, h, conf, texts);
	for (int k = 0; k < HELPER_KINDS; k++) {
		h->helper[k] = (struct helper){ .name = name_of(&start[k]) };
		if (start[k].wanted && !start[k].jailed)
			outside_start(h, &start[k], id);
	}
	rc = jail_start(h, start, id);
	saved = errno;
	for (int k = 0; k < HELPER_KINDS; k++) {
		struct start *s = &start[k];

		log_debug("started %s, pid %d", kinds[k].name, (int)h->helper[k].pid);
		for (unsigned i = 0; i < s->argc; i++)
			free(s->argv[i]);
		if (!s->wanted)
			continue;
		for (unsigned i = 0; i < s->nextra; i++)
			close(s->extra[i]);
		if (s->in > STDERR_FILENO)
			close(s->in);
		if (s->command == NULL)
			close(s->program_fd);
	}
	errno = saved;
	return rc;
}

void
helpers_each(const struct conf *conf, const struct texts *texts,
    void (*say)(void *arg, const char *name, bool jailed, char *const *argv), void *arg)
{
	struct start start[HELPER_KINDS];
	struct helpers h;

	wire(start, &h, conf, texts);
	for (int k = 0; k < HELPER_KINDS; k++)
		if (start[k].wanted)
			say(arg, kinds[k].name, kinds[k].jailed, start[k].argv);
}

struct helper *
helpers_find(struct helpers *h, pid_t pid)
{
	for (int k = 0; k < HELPER_KINDS; k++)
		if (h->helper[k].pid == pid && !h->helper[k].ended)
			return &h->helper[k];
	return NULL;
}

/* One of the user's with all that it has started. */
static void
helper_kill(const struct helper *h)
{
	kill(h->pid, SIGKILL);
	if (getpgid(h->pid) == h->pid)
		kill(-h->pid, SIGKILL);
}

void
helpers_kill(struct helpers *h)
{
	for (int k = 0; k < HELPER_KINDS; k++)
		if (h->helper[k].pid > 0 && !h->helper[k].ended)
			helper_kill(&h->helper[k]);
}

bool
helper_ended_badly(const struct helper *h)
{
	return h->ended && (h->code != CLD_EXITED || h->status != 0);
}

bool
helpers_reap(struct helpers *hs)
{
	struct helper *h;
	siginfo_t info;
	bool any = false;

	for (int k = 0; k < HELPER_KINDS; k++) {
		h = &hs->helper[k];
		info.si_pid = 0;
		if (h->pid <= 0 || h->ended || waitid(P_PID, (id_t)h->pid, &info,
		    WEXITED | WSTOPPED | WNOHANG) != 0 || info.si_pid == 0)
			continue;
		h->code = info.si_code;
		h->status = info.si_status;
		if (info.si_code == CLD_STOPPED || info.si_code == CLD_TRAPPED)
			helper_kill(h);
		else
			h->ended = true;
		any = true;
	}
	return any;
}
