/*
 * wire.c - which helpers a run has, how they hang together, and with what arguments each starts.
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
 * input and output and all others under the numbers that its options name.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chan.h"
#include "color.h"
#include "hostroute.h"
#include "log.h"
#include "start.h"

/* ---- which ---- */

bool
helpers_watch(const struct conf *conf)
{
	return conf->runs.attach == NULL && (conf->flow_log != NULL || conf->monitor != NULL || conf->learn_file != NULL ||
	    conf->capture_file != NULL || conf->verbose > 0);
}

const char *
kind_command(enum helper_kind kind, const struct conf *conf)
{
	return kind == HELPER_EGRESS ? conf->pipes.proxy :
	    kind == HELPER_NAMES ? pipes_behind_dns(conf) :
	    kind == HELPER_RECORDER ? conf->pipes.capture : NULL;
}

bool
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
	if ((copy = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_EXTRA_FD)) == -1)
		fatal("cannot start %s", kinds[s->kind].name);
	arg_fd(s, option, copy);
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
	chan_pair(told);
	arg_fd(dns, "--names-fd", told[0]);
	arg_fd(policy, "--names-fd", told[1]);
	if ((hosts = names_hosts_fd(texts)) != -1)
		arg_fd(policy, "--hosts-fd", hosts);
	if (conf->synthetic) {
		arg(dns, "--synthetic");
		arg(policy, "--synthetic");
	}
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
	if (conf->verbose > 0 && color_wanted(STDERR_FILENO)) {
		arg(policy, "--color");
		arg(dns, "--color");
	}
	h->watcher_fd = -1;
	if (!helpers_watch(conf))
		return;
	chan_pair(who);
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
	chan_pair(fd);
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
	arg_fd(policy, "--reader-fd", log[1]);
	arg_fd_copy(dns, "--reader-fd", log[1]);
	arg(monitor, "monitor");
	arg(monitor, "--leave");
	arg_fd(monitor, "--tty-fd", conf->monitor_fd);
	if (term != NULL && *term != '\0') {
		arg(monitor, "--term");
		arg(monitor, term);
	}
	if (color_refused())
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

	chan_pair(fd);
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
		chan_pair(nobody);
		close(nobody[1]);
		client_fd = nobody[0];
	}
	dialler->in = dialler->out = client_fd;
	chan_pair(told);
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
	chan_pair(packets);			/* of the host's interface nobody sends any */
	if (wire)
		close(packets[0]);
	else
		arg_fd(stack, "--capture-fd", packets[0]);
	if (recorder->wanted) {
		recorder->in = recorder->out = packets[1];
		return;
	}
	chan_pair(info);
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

/* ---- all ---- */

static void
starts_init(struct start *start, const struct conf *conf)
{
	for (int k = 0; k < HELPER_KINDS; k++) {
		struct start *s = &start[k];

		*s = (struct start){ .kind = (enum helper_kind)k, .program_fd = -1,
		    .wanted = kind_wanted((enum helper_kind)k, conf) && k != HELPER_WATCHER,
		    .jailed = kinds[k].jailed,
		    .command = kind_command((enum helper_kind)k, conf), .in = -1, .out = -1 };
		s->wanted = s->wanted && (kinds[k].program != NULL || s->command != NULL);
		if (!s->wanted || s->command != NULL || kinds[k].program == NULL)
			continue;
		if (k == HELPER_CAPTURE && capture_is_wire(conf)) {
			s->jailed = false;
			s->keep = 1ull << CAP_NET_RAW;
		}
		arg(s, kinds[k].program);
		for (int v = 0; v < conf->verbose && v < 2 && !is_doctor(k); v++)
			arg(s, "-v");
	}
}

/* Returns the other end of its channel to cf-dns; *proxy: to the policy stage. */
static int
wire_stack(struct start *stack, struct helpers *h, const struct conf *conf, int *proxy)
{
	int control[2], to_proxy[2], names[2];

	chan_pair(control);
	chan_pair(to_proxy);
	chan_pair(names);
	h->control_fd = control[0];
	stack->in = stack->out = control[1];
	arg_fd(stack, "--proxy-fd", to_proxy[0]);
	arg_fd(stack, "--dns-fd", names[0]);
	if (conf->flow_updates > 0)
		arg_number(stack, "--counts", conf->flow_updates);
	*proxy = to_proxy[1];
	return names[1];
}

/* Returns the other end of its channel to what connects. */
static int
wire_policy(struct start *policy, struct helpers *h, const struct conf *conf, int client_fd)
{
	int dial[2], told[2];

	chan_pair(dial);
	chan_pair(told);
	h->told_fd[CONTROL_POLICY] = told[0];
	policy->in = policy->out = client_fd;
	arg(policy, "--policy");
	arg_fd(policy, "--dial-fd", dial[0]);
	arg_fd(policy, "--control-fd", told[1]);
	if (reload_wanted(conf))
		arg(policy, "--keep-flows");
	arg_fd_copy(policy, "--rules-fd", conf->rules_fd);
	arg_fd_copy(policy, "--violations-fd", conf->violations_fd);
	arg_fd_copy(policy, "--quotas-fd", conf->quotas_fd);
	arg_fd_copy(policy, "--totals-fd", conf->totals_fd);
	arg_encdns(policy, conf);
	if (conf->quic != NULL) {
		arg(policy, "--quic");
		arg(policy, conf->quic);
	}
	arg_host_ports(policy, conf);
	return dial[1];
}

static void
wire_dns(struct start *dns, struct helpers *h, const struct conf *conf, const struct texts *texts,
    int client_fd)
{
	int told[2];

	chan_pair(told);
	h->told_fd[CONTROL_DNS] = told[0];
	dns->in = dns->out = client_fd;
	arg_fd_copy(dns, "--rules-fd", conf->rules_fd);
	arg_fd_copy(dns, "--violations-fd", conf->violations_fd);
	arg_encdns(dns, conf);
	if (conf->deny_answer != NULL) {
		arg(dns, "--deny-answer");
		arg(dns, conf->deny_answer);
	}
	arg_fd(dns, "--control-fd", told[1]);
	if (conf->pipes.dns == NULL)
		args_resolvers(dns, texts);
	if (conf->ndns > 0)
		arg(dns, "--pinned");
	if (conf->dns_cache > 0)
		arg_number(dns, "--dns-cache", conf->dns_cache);
	if (conf->pipes.proxy == NULL && !hostroute_ipv6())
		arg(dns, "--no-aaaa");
}

static void
wire_summary(struct start *start, struct helpers *h, const struct conf *conf)
{
	struct start *summary = &start[HELPER_SUMMARY];
	int log[2], facts[2];

	h->facts_fd = -1;
	if (!summary->wanted)
		return;
	if (pipe2(log, O_CLOEXEC) != 0)
		fatal("cannot make a pipe");
	chan_pair(facts);
	arg_fd(&start[HELPER_POLICY], "--reader-fd", log[1]);
	arg_fd_copy(&start[HELPER_DNS], "--reader-fd", log[1]);
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

void
wire(struct start start[HELPER_KINDS], struct helpers *h, const struct conf *conf,
    const struct texts *texts)
{
	struct start *dns = &start[HELPER_DNS], *policy = &start[HELPER_POLICY],
	    *egress = &start[HELPER_EGRESS];
	int names, proxy, dial;

	starts_init(start, conf);
	names = wire_stack(&start[HELPER_NETSTACK], h, conf, &proxy);
	dial = wire_policy(policy, h, conf, proxy);
	wire_dns(dns, h, conf, texts, names);
	wire_behind_dns(start, conf);
	wire_names(dns, policy, conf, texts);
	wire_events(dns, policy, h, conf);
	wire_monitor(&start[HELPER_MONITOR], dns, policy, conf);
	if (egress->wanted)
		egress->in = egress->out = dial;
	wire_dialler(&start[HELPER_DIALLER], h, conf, texts, dial);
	wire_upstream(start, conf);
	wire_capture(start, conf);
	wire_summary(start, h, conf);
}
