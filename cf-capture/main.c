/*
 * main.c - cf-capture: packets in, a pcapng file out.
 *
 * Options only.  Where the packets come from decides whose life follows: frames of a
 * channel (run.c), or an interface of a namespace (live.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amount.h"
#include "capture.h"
#include "cli.h"
#include "log.h"

#define KEEP_DEFAULT	10
#define ROTATE_LEAST	4096	/* bytes: a file has room for its head and a packet or two */

struct options {
	struct capture_conf	conf;
	char			*filter;	/* operands, joined */
	bool			 frames, rotates;
	int			 verbose;
	bool			 print;
};

static const struct cli	cli;

CLI_SET(options, frames, cli_true)

static bool
set_text(const char **to, const char *arg, const char *what, char *why)
{
	*to = arg;
	if (*arg == '\0')
		snprintf(why, CLI_WHY_LEN, "%s is needed", what);
	return *arg != '\0';
}

static bool
set_write(void *conf, const char *arg, char *why)
{
	return set_text(&((struct options *)conf)->conf.path, arg, "a file name", why);
}

static bool
set_netns(void *conf, const char *arg, char *why)
{
	return set_text(&((struct options *)conf)->conf.netns, arg, "a process, file or name", why);
}

static bool
set_interface(void *conf, const char *arg, char *why)
{
	return set_text(&((struct options *)conf)->conf.interface, arg, "a name", why);
}

static bool
set_filter(void *conf, const char *arg, char *why)
{
	return set_text(&((struct options *)conf)->conf.want.filter, arg, "an expression", why);
}

static bool
set_write_fd(void *conf, const char *arg, char *why)
{
	struct capture_conf *c = &((struct options *)conf)->conf;

	if (c->n_fds == FILES_MAX) {
		snprintf(why, CLI_WHY_LEN, "there can be %d at most", FILES_MAX);
		return false;
	}
	return cli_fd(arg, &c->fds[c->n_fds++], why);
}

static bool
set_egress_fd(void *conf, const char *arg, char *why)
{
	struct capture_conf *c = &((struct options *)conf)->conf;

	if (c->n_egress == FILES_MAX) {
		snprintf(why, CLI_WHY_LEN, "there can be %d at most", FILES_MAX);
		return false;
	}
	return cli_fd(arg, &c->egress_fds[c->n_egress++], why);
}

static bool
set_info_fd(void *conf, const char *arg, char *why)
{
	return cli_fd(arg, &((struct options *)conf)->conf.info_fd, why);
}

static bool
set_keys_fd(void *conf, const char *arg, char *why)
{
	return cli_fd(arg, &((struct options *)conf)->conf.keys_fd, why);
}

static bool
set_tuples_fd(void *conf, const char *arg, char *why)
{
	return cli_fd(arg, &((struct options *)conf)->conf.tuples_fd, why);
}

static bool
set_backend(void *conf, const char *arg, char *why)
{
	return set_text(&((struct options *)conf)->conf.backend, arg, "a name", why);
}

static bool
set_egress_name(void *conf, const char *arg, char *why)
{
	return set_text(&((struct options *)conf)->conf.egress_name, arg, "a name", why);
}

static bool
set_egress_addr(void *conf, const char *arg, char *why)
{
	struct capture_conf *c = &((struct options *)conf)->conf;
	struct addr a;

	if (!addr_parse(arg, 0, &a)) {
		snprintf(why, CLI_WHY_LEN, "not an address");
		return false;
	}
	*(a.family == 4 ? &c->egress4 : &c->egress6) = a;
	return true;
}

static bool
set_snaplen(void *conf, const char *arg, char *why)
{
	long n = 0;

	if (!cli_number(arg, 0, MSG_PACKET_MAX, &n, why))
		return false;
	((struct options *)conf)->conf.want.snaplen = (uint32_t)n;
	return true;
}

static bool
set_segment(void *conf, const char *arg, char *why)
{
	return cli_true(arg, &((struct options *)conf)->conf.want.segment, why);
}

static bool
set_rotate(void *conf, const char *arg, char *why)
{
	struct options *o = conf;
	struct capture_want *w = &o->conf.want;
	uint64_t seconds;

	o->rotates = true;
	if (amount_seconds(arg, &seconds) && seconds > 0 && seconds < UINT64_MAX / 1000000000u) {
		w->rotate_ns = seconds * 1000000000u;
		return true;
	}
	if (amount_bytes(arg, &w->rotate_bytes) && w->rotate_bytes >= ROTATE_LEAST)
		return true;
	snprintf(why, CLI_WHY_LEN, "neither a size (4KiB or more: 100MB) nor a time (60s, 5m)");
	return false;
}

static bool
set_keep(void *conf, const char *arg, char *why)
{
	long n = 0;

	if (!cli_number(arg, 2, FILES_MAX, &n, why))
		return false;
	((struct options *)conf)->conf.keep = (size_t)n;
	return true;
}

static bool
set_count(void *conf, const char *arg, char *why)
{
	return cli_number(arg, 1, LONG_MAX, &((struct options *)conf)->conf.count, why);
}

static bool
set_duration(void *conf, const char *arg, char *why)
{
	uint64_t seconds;

	if (!amount_seconds(arg, &seconds) || seconds == 0 || seconds > LONG_MAX / 1000) {
		snprintf(why, CLI_WHY_LEN, "no time (60s, 5m)");
		return false;
	}
	((struct options *)conf)->conf.duration = (long)seconds;
	return true;
}

static bool
set_size(void *conf, const char *arg, char *why)
{
	if (amount_bytes(arg, &((struct options *)conf)->conf.size))
		return true;
	snprintf(why, CLI_WHY_LEN, "no size (64KiB, 100MB)");
	return false;
}

static bool
set_list(void *conf, const char *arg, char *why)
{
	return cli_true(arg, &((struct options *)conf)->conf.list, why);
}

CLI_SET_HELPER(options, cli)

static const struct cli_option options[] = {
	{ 0,   "netns",    "PID|PATH|NAME", set_netns, "capture in this network namespace, live" },
	{ 'i', "interface", "NAME", set_interface, "on this interface of it (the first that is up)" },
	{ 'D', "list-interfaces", NULL, set_list, "say which interfaces it has" },
	{ 0,   "frames",   NULL,   set_frames,   "take packets from the channel (without --netns)" },
	{ 'w', "write",    "FILE", set_write,    "write the capture to FILE (-: standard output)" },
	{ 0,   "write-fd", "N",    set_write_fd, "write it to descriptor N (repeated: in turns)" },
	{ 0,   "egress-fd", "N",   set_egress_fd, "write them to descriptor N as the host has them" },
	{ 0,   "egress-name", "NAME", set_egress_name, "which interface that is" },
	{ 0,   "egress-addr", "ADDR", set_egress_addr, "and its address, for packets of no flow" },
	{ 0,   "info-fd",  "N",    set_info_fd,  "a channel to cf-proxy, which tells of flows" },
	{ 0,   "tuples-fd", "N",   set_tuples_fd,
	  "live on -i of this namespace: what the dialler tells of there, and nothing else" },
	{ 0,   "keys-fd",  "N",    set_keys_fd,  "read secrets of TLS there, and put them into the file" },
	{ 0,   "backend",  "NAME", set_backend,  "describe interfaces in childflow's form" },
	{ 0,   "filter",   "EXPR", set_filter,   "only packets that match (pcap-filter(7))" },
	{ 's', "snaplen",  "N",    set_snaplen,  "keep N bytes of each packet (0: all)" },
	{ 0,   "segment",  NULL,   set_segment,  "cut packets that an offload has put together" },
	{ 0,   "rotate",   "SIZE|SECONDS", set_rotate, "begin another file after so much, or so long" },
	{ 0,   "keep",     "N",    set_keep,     "so many files, written in turns (10)" },
	{ 'c', "count",    "N",    set_count,    "live: end after N packets" },
	{ 0,   "duration", "SECONDS", set_duration, "live: end after this time" },
	{ 0,   "size",     "SIZE", set_size,     "live: end after so many bytes of packets" },
	{ 'h', "help",     NULL,   set_help,     "print this" },
	{ 'n', "check",    NULL,   set_print,    "print what the sandbox allows, and exit" },
	{ 'v', "verbose",  NULL,   set_verbose,  "say what happens; live: counts, each second" },
	{ 'V', "version",  NULL,   set_version,  "print the version" },
	{ 0,   NULL,       NULL,   NULL,         NULL }
};

static const struct cli_group groups[] = {
	{ NULL, "what is used most", "netns interface write filter snaplen rotate keep verbose" },
	{ "live", "the packets of a namespace", "netns interface list-interfaces count duration size" },
	{ "fds", "channels to the other programs of a run",
	  "frames write-fd egress-fd egress-name egress-addr info-fd tuples-fd keys-fd backend" },
	{ "file", "what is written, and all else", NULL },
	{ 0 }
};

static const struct cli cli = {
	"cf-capture", "[options] {-w FILE | --write-fd N}\n"
	"       cf-capture --netns PID|PATH|NAME [options] -w FILE [FILTER ...]\n"
	"       cf-capture --netns PID|PATH|NAME -D",
	"Write packets of a command tree, or of a network namespace, to a pcapng file.",
	options, .groups = groups
};

static _Noreturn void
usage(const char *what)
{
	log_fatal_status(2);
	fatalx("%s (try: cf-capture --help)", what);
}

/* The words of a filter, as tcpdump takes them. */
static void
operands(struct options *o, char **word)
{
	size_t len = 1;

	if (*word == NULL)
		return;
	if (o->conf.netns == NULL || o->conf.want.filter != NULL)
		usage("unexpected operand");
	for (char **w = word; *w != NULL; w++)
		len += strlen(*w) + 1;
	if ((o->filter = calloc(1, len)) == NULL)
		fatal("cannot start");
	for (; *word != NULL; word++) {
		strcat(o->filter, *word);
		if (word[1] != NULL)
			strcat(o->filter, " ");
	}
	o->conf.want.filter = o->filter;
}

static void
check(struct options *o)
{
	struct capture_conf *c = &o->conf;
	bool wire = c->tuples_fd != -1, live = c->netns != NULL || wire;

	if (wire && (c->netns != NULL || c->interface == NULL || c->path != NULL))
		usage("--tuples-fd needs -i and --write-fd, and no --netns");
	if (live && o->frames)
		usage("--netns and --frames exclude each other");
	if (!live && (c->interface != NULL || c->list || c->count > 0 || c->duration > 0 || c->size > 0))
		usage("-i, -D, --count, --duration and --size need --netns");
	if (c->list)
		return;
	if ((c->path == NULL) == (c->n_fds == 0 && c->n_egress == 0))
		usage("one of -w FILE and --write-fd N is needed");
	if (c->path != NULL && c->n_egress > 0)
		usage("--egress-fd goes with --write-fd");
	if (c->n_fds + c->n_egress > FILES_MAX)
		usage("there are too many descriptors to write to");
	if (live && (c->n_egress > 0 || c->info_fd != -1 || c->keys_fd != -1))
		usage("--egress-fd, --info-fd and --keys-fd are for frames");
	if (c->keep > 0 && !o->rotates)
		usage("--keep needs --rotate");
	if (o->rotates && c->path != NULL && strcmp(c->path, "-") == 0)
		usage("standard output cannot be rotated");
	if (o->rotates && (c->n_fds == 1 || c->n_egress == 1))
		usage("--rotate needs more than one --write-fd");
	if (o->rotates && c->keep == 0)
		c->keep = KEEP_DEFAULT;
	if (!live && c->path != NULL && strcmp(c->path, "-") == 0)
		usage("standard output is the channel: write to a file, or to a descriptor");
}

int
main(int argc, char *argv[])
{
	static const struct sandbox_role *const roles[] = { &capture_role, &live_role, &wire_role,
	    NULL };
	static struct options o = { .conf = { .info_fd = -1, .keys_fd = -1, .tuples_fd = -1 } };

	sandbox_audit_asked(argc, argv, "cf-capture", roles, NULL);
	log_init("cf-capture", 0);
	operands(&o, argv + cli_parse(&cli, &o, argc, argv, 2));
	log_init("cf-capture", o.verbose);
	if (o.print) {
		sandbox_print(o.conf.tuples_fd != -1 ? wire_sandbox :
		    o.conf.netns != NULL ? live_sandbox : capture_sandbox);
		return 0;
	}
	check(&o);
	return o.conf.netns != NULL || o.conf.tuples_fd != -1 ? live_run(&o.conf) : capture_run(&o.conf);
}
