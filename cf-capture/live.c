/*
 * live.c - cf-capture on its own: an interface of an existing namespace, by libpcap.
 *
 * Two processes.  The capturer opens its files as the caller, goes into the namespace,
 * opens the interface, gives all rights away, and seals itself: from then on it reads the packets
 * that the kernel has put into its ring, and writes blocks.  The watcher stays outside, passes
 * signals on, and tells the capturer to end when the namespace was named by a process and the last
 * process in it has gone.
 *
 * Packets are what the kernel shows at that interface: with offloads these may be 64 KiB long,
 * and on the way out they have no checksum yet.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "log.h"
#include "netns.h"
#include "wire.h"

#define RING_BYTES	(16 << 20)	/* of packets that the kernel keeps for us */
#define SNAPLEN_ALL	262144
#define QUIET_BLOCKS	3		/* so many times nothing came: that was all */
#define TURNS_MAX	10		/* on an interface that is never quiet */
#define WAKE_MS		20		/* the kernel hands over what it has at least so often */
#define TICK_MS		100
#define SAY_MS		1000		/* -v: how often the counts are said */
#define LINKTYPE_RAW	101

static const struct sandbox_row live_rows[] = {
	ALLOW(ppoll,	"wait for packets, signals and time"),
	ALLOW(poll,	"libpcap: wait for packets"),
	ALLOW(recvfrom,	"libpcap: what is wrong with the interface"),
	ALLOW(read,	"a signal"),
	ALLOW_ARG2(getsockopt, 1, SOL_PACKET, 2, PACKET_STATISTICS, "how many the kernel dropped"),
	ALLOW_ARG2(getsockopt, 1, SOL_SOCKET, 2, SO_ERROR, "libpcap: why the interface has gone"),
	ALLOW_ARG(ioctl, 1, SIOCGIFFLAGS, "libpcap: is the interface still there"),
	{ 0 }
};
const struct sandbox_row *const live_sandbox[] = {
	sandbox_base, live_rows, out_rows, capture_rows, NULL
};
const struct sandbox_role live_role = {
	.name = "cf-capture (live)", .does = "writes the packets of an interface (--netns)",
	.tables = live_sandbox, .leaves = SANDBOX_NO_NET,
};

const struct sandbox_row *const wire_sandbox[] = {
	sandbox_base, live_rows, sandbox_chan_plain, out_rows, capture_rows, NULL
};
const struct sandbox_role wire_role = {
	.name = "cf-capture (wire)", .does = "writes the run's packets on the host's interface",
	.tables = wire_sandbox, .leaves = SANDBOX_NO_NET,
};

struct live {
	struct capture	 capture;
	const struct capture_conf *conf;
	pcap_t		*pcap;
	char		*name;			/* of the interface */
	int		 signal_fd;
	uint64_t	 began, said;		/* ms of the monotonic clock */
	uint64_t	 said_packets;
	bool		 stop;
	int		 status;
};

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- the interface ---- */

/* The first that is up and leads somewhere; else the first that is up; NULL: there is none. */
static char *
choose_interface(void)
{
	char why[PCAP_ERRBUF_SIZE], *chosen = NULL;
	const char *any = NULL;
	pcap_if_t *all = NULL;

	if (pcap_findalldevs(&all, why) != 0)
		fatalx("cannot list the interfaces: %s", why);
	for (pcap_if_t *i = all; i != NULL && chosen == NULL; i = i->next) {
		if ((i->flags & PCAP_IF_UP) == 0 || strcmp(i->name, "any") == 0)
			continue;
		if ((i->flags & PCAP_IF_LOOPBACK) == 0)
			chosen = strdup(i->name);
		else if (any == NULL)
			any = i->name;
	}
	if (chosen == NULL && any != NULL)
		chosen = strdup(any);
	pcap_freealldevs(all);
	return chosen;
}

static char *
interface_name(const struct capture_conf *conf)
{
	char *name = conf->interface != NULL ? strdup(conf->interface) : choose_interface();

	if (name == NULL)
		fatalx("there is no interface that is up in %s (see -D)",
		    conf->netns != NULL ? conf->netns : "this namespace");
	return name;
}

static void
list_interfaces(void)
{
	char why[PCAP_ERRBUF_SIZE], name[256];
	pcap_if_t *all;

	if (pcap_findalldevs(&all, why) != 0)
		fatalx("cannot list the interfaces: %s", why);
	for (pcap_if_t *i = all; i != NULL; i = i->next)
		if (if_nametoindex(i->name) != 0 || strcmp(i->name, "any") == 0)
			printf("%s%s%s\n", log_escape(name, sizeof(name), i->name),
			    (i->flags & PCAP_IF_UP) != 0 ? " [up]" : "",
			    (i->flags & PCAP_IF_LOOPBACK) != 0 ? " [loopback]" : "");
	pcap_freealldevs(all);
}

static _Noreturn void
no_capture(const char *name, pcap_t *p, int rc)
{
	const char *why = pcap_geterr(p);

	fatalx("cannot capture on %s: %s%s", name, why[0] != '\0' ? why : pcap_statustostr(rc),
	    rc == PCAP_ERROR_PERM_DENIED ? " (it takes CAP_NET_RAW in that namespace: be root, or name "
	    "one that you made)" : "");
}

static pcap_t *
interface_open(const struct capture_want *want, const char *name, bool at_once)
{
	char why[PCAP_ERRBUF_SIZE];
	struct bpf_program program;
	pcap_t *p = pcap_create(name, why);
	int rc;

	if (p == NULL)
		fatalx("cannot capture on %s: %s", name, why);
	pcap_set_snaplen(p, want->snaplen > 0 ? (int)want->snaplen : SNAPLEN_ALL);
	pcap_set_timeout(p, WAKE_MS);
	pcap_set_buffer_size(p, RING_BYTES);
	pcap_set_immediate_mode(p, at_once);
	pcap_set_tstamp_precision(p, PCAP_TSTAMP_PRECISION_NANO);
	if ((rc = pcap_activate(p)) < 0)
		no_capture(name, p, rc);
	if (pcap_setnonblock(p, 1, why) != 0)	/* the loop waits for more than packets */
		fatalx("cannot capture on %s: %s", name, why);
	if (want->filter == NULL)
		return p;
	/* In the kernel too, so that the ring holds only what is wanted. */
	if (pcap_compile(p, &program, want->filter, 1, PCAP_NETMASK_UNKNOWN) != 0 ||
	    pcap_setfilter(p, &program) != 0)
		fatalx("cannot use the filter \"%s\": %s (see pcap-filter(7))", want->filter,
		    pcap_geterr(p));
	pcap_freecode(&program);
	return p;
}

static void
interface_describe(struct live *l, const char *name)
{
	struct capture_interface i = { 0 };
	int dlt = pcap_datalink(l->pcap);

	i.linktype = dlt == DLT_RAW ? LINKTYPE_RAW : (uint32_t)dlt;
	i.snaplen = (uint32_t)pcap_snapshot(l->pcap);
	log_escape(i.name, sizeof(i.name), name);
	if (l->conf->netns != NULL)
		snprintf(i.description, sizeof(i.description), "netns %.200s", l->conf->netns);
	else
		snprintf(i.description, sizeof(i.description),
		    "childflow view=wire-egress backend=%.40s kind=wire interface=%.80s",
		    l->conf->backend != NULL ? l->conf->backend : "none", i.name);
	capture_interface(&l->capture, &i);
}

/* ---- packets ---- */

static bool
is_wire(const struct live *l)
{
	return l->conf->tuples_fd != -1;
}

static void
say(struct live *l)
{
	struct pcap_stat st = { 0 };

	pcap_stats(l->pcap, &st);
	log_warnx("%llu packets, %llu bytes; the kernel dropped %u",
	    (unsigned long long)l->capture.packets, (unsigned long long)l->capture.bytes, st.ps_drop);
	l->said = now_ms();
	l->said_packets = l->capture.packets;
}

static bool
is_enough(const struct live *l)
{
	const struct capture_conf *conf = l->conf;

	return (conf->count > 0 && l->capture.packets >= (uint64_t)conf->count) ||
	    (conf->size > 0 && l->capture.bytes >= conf->size);
}

static void
on_packet(u_char *arg, const struct pcap_pkthdr *h, const u_char *data)
{
	struct live *l = (struct live *)(void *)arg;

	const struct captured p = { .data = data, .len = h->caplen, .orig_len = h->len,
	    .time = (uint64_t)h->ts.tv_sec * 1000000000u + (uint64_t)h->ts.tv_usec };

	if (l->stop)
		return;
	if (is_wire(l)) {
		wire_packet(&p);
		return;
	}
	capture_packet(&l->capture, &p);
	if (is_enough(l)) {
		l->stop = true;
		pcap_breakloop(l->pcap);
	}
}

/* ---- the loop ---- */

static void
on_signal(struct live *l)
{
	struct signalfd_siginfo info;

	if (read(l->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1)
		say(l);
	else
		l->stop = true;
}

static void
on_time(struct live *l)
{
	uint64_t now = now_ms();

	capture_tick(&l->capture);
	if (l->conf->duration > 0 && now - l->began >= (uint64_t)l->conf->duration * 1000)
		l->stop = true;
	if (log_verbose() > 0 && now - l->said >= SAY_MS && l->capture.packets != l->said_packets)
		say(l);
}

/* What a block of the ring has; how many packets. */
static int
take(struct live *l)
{
	int n = pcap_dispatch(l->pcap, -1, on_packet, (u_char *)l);

	if (n == PCAP_ERROR) {
		log_warnx("the capture ends: %s", pcap_geterr(l->pcap));
		l->status = 1;
		l->stop = true;
	}
	if (is_wire(l))
		wire_turn(false);
	if (!out_flush(&l->capture.out)) {
		log_warn("cannot write %s, the capture ends here", files_name(l->conf));
		l->status = STATUS_LOST;
		l->stop = true;
	}
	return n;
}

static void
loop(struct live *l)
{
	struct pollfd p[3] = {
		{ .fd = pcap_get_selectable_fd(l->pcap), .events = POLLIN },
		{ .fd = l->signal_fd, .events = POLLIN },
		{ .fd = is_wire(l) ? wire_fd() : -1, .events = POLLIN },
	};
	const struct timespec tick = { .tv_nsec = TICK_MS * 1000000L };

	while (!l->stop) {
		ppoll(p, 3, &tick, NULL);
		if (p[1].revents != 0)
			on_signal(l);
		if (p[2].revents != 0)
			l->stop |= !wire_read();
		take(l);
		on_time(l);
	}
}

/*
 * What came before the end may still be in blocks of the ring, and in one that is not full: the kernel
 * hands that over late where it is busy.
 */
static void
last_packets(struct live *l)
{
	const struct timespec block = { .tv_nsec = 2 * WAKE_MS * 1000000L };

	if (l->status != 0 || is_enough(l))
		return;
	l->stop = false;
	for (int quiet = 0, turns = 0; quiet < QUIET_BLOCKS && turns < TURNS_MAX && !l->stop; turns++) {
		ppoll(NULL, 0, &block, NULL);
		quiet = take(l) > 0 ? 0 : quiet + 1;
	}
	if (is_wire(l))
		wire_turn(true);
}

/* ---- the capturer ---- */

static void
signals_take(struct live *l, sigset_t *mask)
{
	sigemptyset(mask);
	sigaddset(mask, SIGINT);
	sigaddset(mask, SIGTERM);
	sigaddset(mask, SIGHUP);
	sigaddset(mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, mask, NULL);
	if ((l->signal_fd = signalfd(-1, mask, SFD_CLOEXEC | SFD_NONBLOCK)) == -1)
		fatal("cannot start");
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

static void
statistics(struct live *l)
{
	struct pcap_stat st = { 0 };
	struct capture_interface *i = &l->capture.interface[0];

	if (pcap_stats(l->pcap, &st) != 0)
		return;
	i->received += st.ps_drop;
	i->dropped = st.ps_drop;
	if (st.ps_drop > 0)
		log_warnx("the kernel dropped %u of %llu packets: the capture could not keep up",
		    st.ps_drop, (unsigned long long)i->received);
}

/* What stands before the IP header. */
static size_t
link_head(int dlt)
{
	if (dlt == DLT_EN10MB)
		return 14;
	if (dlt == DLT_RAW)
		return 0;
	fatalx("the interface to the internet is of a kind that cannot be matched with flows (-C egress "
	    "can)");
}

static void
source_open(struct live *l, const struct capture_conf *conf, int ns_fd)
{
	char *name;

	if (ns_fd != -1) {
		netns_enter(&(struct netns){ .fd = ns_fd }, conf->netns);
		close(ns_fd);
	}
	name = interface_name(conf);
	l->pcap = interface_open(&conf->want, name, is_wire(l));
	l->name = name;
}

/* ns: NULL where we are in it already. */
static int
capturer(const struct capture_conf *conf, const struct netns *ns)
{
	static struct live l;
	int fds[FILES_MAX], keep[FILES_MAX + 3], rfd, wfd, ns_fd = -1;
	size_t n = files_open(conf, fds), kept = 0;
	const char *why;
	sigset_t mask;

	if (ns != NULL)			/* not where files go */
		ns_fd = fcntl(ns->fd, F_DUPFD_CLOEXEC, OUT_FD + FILES_MAX);
	l.conf = conf;
	for (size_t i = 0; i < n; i++)
		keep[kept++] = fds[i];
	if (ns_fd != -1)
		keep[kept++] = ns_fd;
	if (conf->tuples_fd != -1)
		keep[kept++] = conf->tuples_fd;
	keep[kept] = -1;
	sandbox_prepare(&rfd, &wfd, keep);
	close(rfd);
	if (wfd != rfd)
		close(wfd);
	signals_take(&l, &mask);
	source_open(&l, conf, ns_fd);
	if ((why = capture_init(&l.capture, &conf->want, fds, n, pcap_datalink(l.pcap))) != NULL)
		fatalx("cannot start: %s", why);
	interface_describe(&l, l.name);
	if (is_wire(&l))
		wire_open(conf->tuples_fd, link_head(pcap_datalink(l.pcap)), &l.capture);
	netns_drop_rights();
	l.began = l.said = now_ms();
	sandbox_enter(is_wire(&l) ? &wire_role : &live_role);
	log_info("capturing");
	if (is_wire(&l))
		wire_hello();
	loop(&l);
	last_packets(&l);
	statistics(&l);
	if (!capture_done(&l.capture) && l.status == 0)
		l.status = STATUS_LOST;
	return l.status;
}

/* ---- the watcher ---- */

static pid_t	capturer_pid;

static void
pass_on(int sig)
{
	kill(capturer_pid, sig);
}

static void
signals_pass(void)
{
	struct sigaction sa = { .sa_handler = pass_on };
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1 };

	for (size_t i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
		sigaction(sigs[i], &sa, NULL);
}

/* The namespace is looked at again when the process that stood for it ends. */
static void
watch(const struct netns *ns)
{
	pid_t of = ns->pid;
	struct pollfd p[2] = { { .fd = netns_pidfd(capturer_pid), .events = POLLIN } };

	while (p[0].fd != -1) {
		p[1] = (struct pollfd){ .fd = of != 0 ? netns_pidfd(of) : -1, .events = POLLIN };
		if (ppoll(p, p[1].fd != -1 ? 2 : 1, NULL, NULL) == -1 && errno != EINTR)
			break;
		if (p[1].fd != -1)
			close(p[1].fd);
		if (p[0].revents != 0)
			break;
		if (of != 0 && p[1].revents != 0 && (of = netns_process(ns, capturer_pid)) == 0)
			kill(capturer_pid, SIGTERM);
	}
}

static int
wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			fatal("cannot wait for the capture");
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	log_warnx("the capture was ended by signal %d", WTERMSIG(status));
	return 1;
}

int
live_run(const struct capture_conf *conf)
{
	struct netns ns;

	if (conf->netns == NULL)
		return capturer(conf, NULL);
	netns_find(&ns, conf->netns);
	if (conf->list) {
		netns_enter(&ns, conf->netns);
		list_interfaces();
		return 0;
	}
	if ((capturer_pid = fork()) == -1)
		fatal("cannot start");
	if (capturer_pid == 0)
		exit(capturer(conf, &ns));
	signals_pass();
	watch(&ns);
	return wait_for(capturer_pid);
}
