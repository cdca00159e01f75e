/*
 * wire.c - a link between two network namespaces that delays, loses, reorders and narrows.
 *
 *	wire [options] NETNS NETNS	(a pid, a path, or a name in /run/netns)
 *
 *	-d USEC			one-way delay (0)
 *	-l PERCENT		packets lost at random, each way (0)
 *	-o PERCENT[:USEC]	packets that come USEC (1000) later than their turn (0)
 *	-r MBIT			rate, in Mbit/s (none)
 *	-q KBYTE		what may wait for its turn at that rate (256)
 *	-s SEED			of the random numbers (1)
 *	-m MTU			(1500)
 *	-n NAME			of the interface at either end (wire0)
 *
 * Makes a TUN device in each namespace, down and without addresses, prints "ready", and
 * carries IP packets between them until SIGTERM or SIGINT.  Then it prints what became of
 * them, a line for each way.  For example:
 *
 *	wire -d 25000 -l 0.1 a b &	# 50 ms there and back, once "ready" is said
 *	ip -n a addr add 10.0.0.1 peer 10.0.0.2 dev wire0; ip -n a link set wire0 up
 *	ip -n b addr add 10.0.0.2 peer 10.0.0.1 dev wire0; ip -n b link set wire0 up
 *
 * For kernels without netem.  What must stay true: no packet comes before its time; those
 * of a lane come in the order they went; what happens to the nth packet of a way depends
 * on nothing but the seed and n.  IPv6 has packets of its own (neighbours, MLD): switch it
 * off on the interface before it is up where n matters.
 *
 *	TUN --> lost? --> turn (rate, drop-tail) --> lane "in time" --+--> earliest first --> TUN
 *	                                       `--> lane "late" -----'
 *
 * Each lane adds one constant delay, so it is a queue whose head is due first: no heap.
 * A packet comes when its time has come and this process has run; on a busy machine that
 * can be some tens of microseconds later.  What is held is at most HELD_MAX each way.
 *
 * Packets may be up to 64 KiB (the TUN offers TCP and UDP segmentation) as long as nothing
 * depends on single packets; with -l, -o or -r each is one that fits the MTU.
 *
 * Not done: jitter, duplication, corruption.
 *
 * SPDX-License-Identifier: MIT
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4	0x20		/* Linux 6.2 */
#define TUN_F_USO6	0x40
#endif

#define HELD_MAX	(64 << 20)	/* bytes under way each way: 300 ms at 1.7 Gbit/s */
#define PACKET_MAX	(sizeof(struct virtio_net_hdr) + 65535)
#define BATCH		64		/* packets read before any is written again */
#define QUEUE_PACKETS	10000		/* so that the TUN's own queue loses nothing */
#define DELAY_MAX_US	10000000
#define NSEC		1000000000LL

struct packet {
	struct packet	*next;
	int64_t		 due;		/* when it leaves, CLOCK_MONOTONIC */
	size_t		 len;
	uint8_t		 data[];	/* a virtio_net_hdr, then the IP packet */
};

/* Packets with the same delay: the head is due first. */
struct lane {
	struct packet	 *head, **tail;
};

struct way {
	const char	*name;
	int		 from_fd, to_fd;
	uint64_t	 random;	/* state of the generator */
	int64_t		 free_at;	/* when the last packet taken has been clocked out */
	size_t		 held;
	struct lane	 in_time, late;
	unsigned long	 n_in, n_out, n_lost, n_late, n_full, n_refused;
};

static struct {
	int64_t		 delay, late_by;	/* nanoseconds */
	double		 loss, reorder;		/* probabilities */
	double		 rate;			/* bytes a nanosecond; 0: no limit */
	double		 queue;			/* bytes */
	unsigned long	 seed;
	int		 mtu;
	const char	*name;
} set = { .late_by = 1000000, .queue = 256e3, .seed = 1, .mtu = 1500, .name = "wire0" };

static volatile sig_atomic_t	stopped;

static int64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NSEC + t.tv_nsec;
}

/* splitmix64; true with probability p. */
static bool
chance(uint64_t *state, double p)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	z ^= z >> 31;
	return (double)(z >> 11) * 0x1p-53 < p;
}

/* ---- packets ---- */

static void
lane_init(struct lane *l)
{
	l->head = NULL;
	l->tail = &l->head;
}

static void
lane_push(struct lane *l, struct packet *p)
{
	p->next = NULL;
	*l->tail = p;
	l->tail = &p->next;
}

static struct packet *
lane_pop(struct lane *l)
{
	struct packet *p = l->head;

	l->head = p->next;
	if (!l->head)
		l->tail = &l->head;
	return p;
}

/* The lane whose head is due first; NULL when nothing is under way. */
static struct lane *
way_next(struct way *w)
{
	const struct packet *a = w->in_time.head, *b = w->late.head;

	if (!a || !b)
		return a ? &w->in_time : b ? &w->late : NULL;
	return b->due < a->due ? &w->late : &w->in_time;
}

/* When a packet of this length has been clocked out; -1 when the queue for that is full. */
static int64_t
way_turn(struct way *w, size_t len, int64_t t)
{
	if (set.rate == 0)
		return t;
	if (w->free_at < t)
		w->free_at = t;
	if ((double)(w->free_at - t) * set.rate + (double)len > set.queue)
		return -1;
	w->free_at += (int64_t)((double)len / set.rate);
	return w->free_at;
}

/* Decides what becomes of a packet; false when it is lost. */
static bool
way_take(struct way *w, struct packet *p, int64_t t)
{
	bool lost = chance(&w->random, set.loss);	/* both drawn for each packet: see above */
	bool late = chance(&w->random, set.reorder);
	int64_t turn;

	w->n_in++;
	if (lost) {
		w->n_lost++;
		return false;
	}
	turn = way_turn(w, p->len - sizeof(struct virtio_net_hdr), t);
	if (turn < 0 || w->held + p->len > HELD_MAX) {
		w->n_full++;
		return false;
	}
	p->due = turn + set.delay + (late ? set.late_by : 0);
	w->n_late += late;
	w->held += p->len;
	lane_push(late ? &w->late : &w->in_time, p);
	return true;
}

static struct packet *
packet_new(void)
{
	struct packet *p = malloc(sizeof *p + PACKET_MAX);

	if (!p)
		err(1, "malloc");
	return p;
}

/* The packet alone: it may wait long, and there may be many. */
static struct packet *
packet_trim(struct packet *p)
{
	struct packet *q = realloc(p, sizeof *p + p->len);

	if (!q)
		return p;
	return q;
}

static void
way_read(struct way *w)
{
	for (int i = 0; i < BATCH; i++) {
		struct packet *p = packet_new();
		ssize_t n = read(w->from_fd, p->data, PACKET_MAX);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			err(1, "%s: read", w->name);
		if (n <= (ssize_t)sizeof(struct virtio_net_hdr)) {
			free(p);
			return;
		}
		p->len = (size_t)n;
		p = packet_trim(p);
		if (!way_take(w, p, now()))
			free(p);
	}
}

/* Writes what is due; returns when the next is, or -1. */
static int64_t
way_write(struct way *w)
{
	struct lane *l;

	while ((l = way_next(w))) {
		struct packet *p = l->head;

		if (p->due > now())
			return p->due;
		lane_pop(l);
		if (write(w->to_fd, p->data, p->len) == (ssize_t)p->len)
			w->n_out++;
		else
			w->n_refused++;		/* an interface that is down, no memory */
		w->held -= p->len;
		free(p);
	}
	return -1;
}

static void
way_init(struct way *w, const char *name, int from_fd, int to_fd, uint64_t seed)
{
	*w = (struct way){ .name = name, .from_fd = from_fd, .to_fd = to_fd, .random = seed };
	lane_init(&w->in_time);
	lane_init(&w->late);
}

static void
way_report(const struct way *w)
{
	printf("%s: %lu in, %lu out, %lu lost, %lu late, %lu dropped by a full queue, "
	    "%lu refused\n", w->name, w->n_in, w->n_out, w->n_lost, w->n_late, w->n_full,
	    w->n_refused);
}

/* ---- the ends ---- */

static int
netns_open(const char *which)
{
	char path[PATH_MAX];
	int fd;

	if (strchr(which, '/'))
		snprintf(path, sizeof path, "%s", which);
	else if (which[strspn(which, "0123456789")] == '\0')
		snprintf(path, sizeof path, "/proc/%s/ns/net", which);
	else
		snprintf(path, sizeof path, "/run/netns/%s", which);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		err(1, "%s", path);
	return fd;
}

/* Large packets only where nothing is counted in packets: see above. */
static void
tun_offload(int fd, bool large)
{
	unsigned int tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

	if (!large) {
		if (ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM))
			err(1, "TUNSETOFFLOAD");
	} else if (ioctl(fd, TUNSETOFFLOAD, tcp | TUN_F_USO4 | TUN_F_USO6) &&
	    ioctl(fd, TUNSETOFFLOAD, tcp))
		err(1, "TUNSETOFFLOAD");
}

static int
tun_open(int netns_fd, bool large)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	int fd, s;

	/* A TUN belongs to the namespace that its descriptor was opened in. */
	if (setns(netns_fd, CLONE_NEWNET))
		err(1, "setns");
	if ((fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)) < 0)
		err(1, "/dev/net/tun");
	snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", set.name);
	if (ioctl(fd, TUNSETIFF, &ifr))
		err(1, "make interface %s", set.name);
	tun_offload(fd, large);
	if ((s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
		err(1, "socket");
	ifr.ifr_qlen = QUEUE_PACKETS;
	if (ioctl(s, SIOCSIFTXQLEN, &ifr))
		err(1, "%s: queue length", set.name);
	ifr.ifr_mtu = set.mtu;
	if (ioctl(s, SIOCSIFMTU, &ifr))
		err(1, "%s: mtu %d", set.name, set.mtu);
	close(s);
	close(netns_fd);
	return fd;
}

/* ---- the whole ---- */

static void
on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

/* Signals are taken only while it waits, so none is missed. */
static void
carry(struct way *ways, const sigset_t *waiting)
{
	struct pollfd p[2] = { { .fd = ways[0].from_fd, .events = POLLIN },
	    { .fd = ways[1].from_fd, .events = POLLIN } };

	while (!stopped) {
		int64_t a = way_write(&ways[0]), b = way_write(&ways[1]);
		int64_t due = a < 0 || (b >= 0 && b < a) ? b : a, wait = due - now();
		struct timespec t;

		if (wait < 0)
			wait = 0;
		t = (struct timespec){ wait / NSEC, wait % NSEC };
		if (ppoll(p, 2, due < 0 ? NULL : &t, waiting) < 0) {
			if (errno != EINTR)
				err(1, "ppoll");
			continue;
		}
		for (int i = 0; i < 2; i++)
			if (p[i].revents)
				way_read(&ways[i]);
	}
}

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: wire [-d USEC] [-l PERCENT] [-o PERCENT[:USEC]] [-r MBIT] [-q KBYTE]"
	    " [-s SEED] [-m MTU] [-n NAME] NETNS NETNS\n");
	exit(2);
}

static double
number(const char *text, double max, char **end)
{
	char *rest;
	double n = strtod(text, &rest);

	if (rest == text || !(n >= 0 && n <= max) || (end ? *rest && *rest != ':' : *rest != '\0'))
		usage();
	if (end)
		*end = rest;
	return n;
}

static void
options(int argc, char **argv)
{
	char *rest;
	int ch;

	while ((ch = getopt(argc, argv, "d:l:m:n:o:q:r:s:")) != -1) {
		switch (ch) {
		case 'd':
			set.delay = (int64_t)(number(optarg, DELAY_MAX_US, NULL) * 1000);
			break;
		case 'l':
			set.loss = number(optarg, 100, NULL) / 100;
			break;
		case 'm':
			set.mtu = (int)number(optarg, 65535, NULL);
			break;
		case 'n':
			set.name = optarg;
			break;
		case 'o':
			set.reorder = number(optarg, 100, &rest) / 100;
			if (*rest)
				set.late_by = (int64_t)(number(rest + 1, DELAY_MAX_US, NULL) * 1000);
			break;
		case 'q':
			set.queue = number(optarg, HELD_MAX / 1e3, NULL) * 1e3;
			break;
		case 'r':
			set.rate = number(optarg, 1e6, NULL) / 8e3;
			break;
		case 's':
			set.seed = (unsigned long)number(optarg, 0x1p32, NULL);
			break;
		default:
			usage();
		}
	}
	if (argc - optind != 2)
		usage();
}

int
main(int argc, char **argv)
{
	static struct way ways[2];
	struct sigaction stop = { .sa_handler = on_signal };
	int netns[2], fd[2];
	sigset_t held, waiting;
	bool large;

	options(argc, argv);
	netns[0] = netns_open(argv[optind]);
	netns[1] = netns_open(argv[optind + 1]);
	large = set.loss == 0 && set.reorder == 0 && set.rate == 0;
	for (int i = 0; i < 2; i++)
		fd[i] = tun_open(netns[i], large);
	way_init(&ways[0], "there", fd[0], fd[1], set.seed);
	way_init(&ways[1], "back", fd[1], fd[0], ~(uint64_t)set.seed);

	sigemptyset(&held);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGINT);
	sigprocmask(SIG_BLOCK, &held, &waiting);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	/* The kernel may else let a wait last 50 us longer, to save power. */
	prctl(PR_SET_TIMERSLACK, 1);

	if (puts("ready") == EOF || fflush(stdout))
		err(1, "stdout");
	carry(ways, &waiting);
	way_report(&ways[0]);
	way_report(&ways[1]);
	return 0;
}
