/*
 * capture.c - the options of a capture, and its files.
 *
 * The files are opened here, with the rights of who called us, and truncated; cf-capture inherits
 * descriptors and opens nothing.  What must stay true: no process of the tree can write to them.
 * They are close-on-exec, the mount namespace has them read-only (mounts.c), and where the
 * capture is our standard output the command gets standard error in its place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "amount.h"
#include "cli.h"
#include "log.h"
#include "msg.h"
#include "spawn.h"
#include "stem.h"

#define KEEP_DEFAULT	10
#define HEADS_LEAST	160	/* bytes: of an ICMP error, what tells of which flow it is */
#define ROTATE_LEAST	4096	/* bytes; cf-capture's own limit */

/* ---- options ---- */

static bool
set_text(const char **to, const char *arg, char *why)
{
	*to = arg;
	if (*arg == '\0')
		snprintf(why, CLI_WHY_LEN, "the value is empty");
	return *arg != '\0';
}

bool
capture_set_file(void *conf, const char *arg, char *why)
{
	return set_text(&((struct conf *)conf)->capture_file, arg, why);
}

static const char *const points[] = { [POINT_CHILD] = "child", [POINT_EGRESS] = "egress",
    [POINT_WIRE] = "wire-egress", [POINT_BOTH] = "both" };

bool
capture_set_point(void *conf, const char *arg, char *why)
{
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		if (strcmp(arg, points[i]) == 0) {
			((struct conf *)conf)->capture.point = (enum capture_point)i;
			return true;
		}
	snprintf(why, CLI_WHY_LEN, "write child, egress, wire-egress or both");
	return false;
}

const char *
capture_point_name(const struct capture *c)
{
	return points[c->point];
}

bool
capture_set_filter(void *conf, const char *arg, char *why)
{
	return set_text(&((struct conf *)conf)->capture.filter, arg, why);
}

bool
capture_set_snaplen(void *conf, const char *arg, char *why)
{
	long n;

	((struct conf *)conf)->capture.snaplen = arg;
	return cli_number(arg, 0, MSG_PACKET_MAX, &n, why);
}

bool
capture_set_segment(void *conf, const char *arg, char *why)
{
	return cli_true(arg, &((struct conf *)conf)->capture.segment, why);
}

bool
capture_set_keys(void *conf, const char *arg, char *why)
{
	return cli_true(arg, &((struct conf *)conf)->capture.keys, why);
}

bool
capture_set_rotate(void *conf, const char *arg, char *why)
{
	uint64_t n;

	((struct conf *)conf)->capture.rotate = arg;
	if ((amount_seconds(arg, &n) && n > 0 && n < UINT64_MAX / 1000000000u) ||
	    (amount_bytes(arg, &n) && n >= ROTATE_LEAST))
		return true;
	snprintf(why, CLI_WHY_LEN, "neither a size (4KiB or more: 100MB) nor a time (60s, 5m)");
	return false;
}

bool
capture_set_keep(void *conf, const char *arg, char *why)
{
	return cli_number(arg, 2, CAPTURE_FILES_MAX, &((struct conf *)conf)->capture.keep, why);
}

bool
capture_set_overflow(void *conf, const char *arg, char *why)
{
	bool drop = strcmp(arg, "drop") == 0;

	if (!drop && strcmp(arg, "block") != 0) {
		snprintf(why, CLI_WHY_LEN, "write block or drop");
		return false;
	}
	((struct conf *)conf)->capture.drop = drop;
	return true;
}

void
capture_check(struct conf *conf)
{
	struct capture *c = &conf->capture;

	c->on_stdout = conf->capture_file != NULL && strcmp(conf->capture_file, "-") == 0;
	if (conf->capture_file == NULL) {
		if (c->filter != NULL || c->snaplen != NULL || c->segment || c->rotate != NULL ||
		    c->keep > 0 || c->drop || c->keys ||
		    c->point != POINT_CHILD)
			fatalx("options about a capture need one: give -c FILE too");
		return;
	}
	if (c->keep > 0 && c->rotate == NULL)
		fatalx("--capture-keep needs --capture-rotate");
	if (c->on_stdout && c->point == POINT_BOTH)
		fatalx("-C both writes two files: standard output cannot have both");
	if (c->on_stdout && c->rotate != NULL)
		fatalx("--capture-rotate needs files: standard output cannot be rotated");
	if (c->on_stdout && conf->status_fd == STDOUT_FILENO)
		fatalx("--status-fd 1 and -c - cannot both have standard output: give --status-fd "
		    "another descriptor");
	if (c->point == POINT_WIRE && (c->keys || c->segment || c->drop))
		fatalx("--capture-keys, --capture-segment and --capture-overflow are not for -C wire-egress "
		    "(-C egress has them)");
	if (c->rotate != NULL && c->keep == 0)
		c->keep = KEEP_DEFAULT;
}

/* ---- files ---- */

static void
add(struct capture *c, char *path, int fd)
{
	c->file[c->n_files++] = (struct capture_file){ path, fd };
}

/* Where it is a file, the name that the tree would reach it by. */
static char *
covered_path(const char *path, int fd)
{
	char real[PATH_MAX];
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && realpath(path, real) != NULL ?
	    strdup(real) : NULL;
}

static void
file_open(struct capture *c, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC, 0600);

	if (fd == -1)
		fatal("cannot write --capture %s", path);
	add(c, covered_path(path, fd), fd);
}

/* The capture has our standard output; what the command writes there comes by standard error. */
static void
stdout_take(struct capture *c)
{
	int fd;

	if (isatty(STDOUT_FILENO) == 1)
		fatalx("-c - would write packets to the terminal (try: -c - ... | tshark -r -)");
	if ((fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) == -1 ||
	    dup2(STDERR_FILENO, STDOUT_FILENO) == -1)
		fatal("cannot write the capture to standard output");
	log_warnx("standard output has the capture; the command's own goes to standard error");
	add(c, NULL, fd);
}

/* ---- the host's side ---- */

static void
interface_find(struct capture *c, const struct sockaddr_storage *local)
{
	struct ifaddrs *all, *i;
	struct sockaddr_storage at;
	struct addr want, have;

	if (!addr_from_sockaddr(local, &want) || getifaddrs(&all) != 0)
		return;
	for (i = all; i != NULL; i = i->ifa_next) {
		if (i->ifa_addr == NULL || (i->ifa_addr->sa_family != AF_INET &&
		    i->ifa_addr->sa_family != AF_INET6))
			continue;
		memcpy(&at, i->ifa_addr, i->ifa_addr->sa_family == AF_INET ?
		    sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		want.port = 0;
		if (addr_from_sockaddr(&at, &have) && addr_equal(&have, &want)) {
			snprintf(c->egress_name, sizeof(c->egress_name), "%s", i->ifa_name);
			break;
		}
	}
	freeifaddrs(all);
}

/*
 * The address from which, and the interface by which, packets to the internet leave.  Asked of the
 * routing table; nothing is sent.
 */
static void
egress_find(struct capture *c)
{
	static const char *const somewhere[2] = { "1.1.1.1", "2606:4700:4700::1111" };
	struct sockaddr_storage ss;
	struct addr to, from;
	socklen_t len;
	int fd;

	for (int i = 1; i >= 0; i--) {
		if (!addr_parse(somewhere[i], 53, &to))
			continue;
		len = addr_to_sockaddr(&to, &ss);
		if ((fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
			continue;
		if (connect(fd, (struct sockaddr *)&ss, len) == 0 && (len = sizeof(ss)) > 0 &&
		    getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
		    addr_from_sockaddr(&ss, &from)) {
			addr_ip_str(&from, c->egress_addr[i]);
			interface_find(c, &ss);
		}
		close(fd);
	}
}

/* What looks into packets needs them whole; flows are told by their first bytes. */
long
capture_needs(const struct conf *conf)
{
	const struct capture *c = &conf->capture;
	long n = c->snaplen != NULL ? strtol(c->snaplen, NULL, 10) : 0;

	if (n == 0 || c->filter != NULL || c->segment || c->keys)
		return 0;
	return n > HEADS_LEAST ? n : HEADS_LEAST;
}

bool
capture_is_wire(const struct conf *conf)
{
	return conf->capture_file != NULL && conf->capture.point == POINT_WIRE;
}

/* What cf-capture will do; it could say less well why it cannot. */
static void
wire_try(const struct capture *c)
{
	int fd;

	if (c->egress_name[0] == '\0')
		fatalx("-C wire-egress: no interface leads to the internet (-C egress needs none)");
	if ((fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) == -1)
		fatal("-C wire-egress takes CAP_NET_RAW on the host (be root; -C egress shows the same "
		    "flows without it)");
	close(fd);
}

bool
capture_view_path(const struct conf *conf, const char *view, char *out, size_t len)
{
	if (conf->capture.point == POINT_BOTH)
		return stem_insert(conf->capture_file, view, out, len);
	return (size_t)snprintf(out, len, "%s", conf->capture_file) < len;
}

/* One file, or those that take turns. */
static void
view_open(struct conf *conf, const char *view)
{
	struct capture *c = &conf->capture;
	char stem[PATH_MAX], path[PATH_MAX];
	bool fits = capture_view_path(conf, view, stem, sizeof(stem));

	if (fits && c->keep == 0)
		file_open(c, stem);
	for (long i = 0; fits && i < c->keep; i++)
		if ((fits = stem_number(stem, (size_t)i, (size_t)c->keep, path, sizeof(path))))
			file_open(c, path);
	errno = ENAMETOOLONG;
	if (!fits)
		fatal("cannot write --capture %s", conf->capture_file);
}

/* ---- secrets ---- */

/*
 * Programs write their secrets to the file that SSLKEYLOGFILE names, and cf-capture reads them: a FIFO
 * in a directory that is gone after the run.  It is held open for both, so that no writer waits
 * for a reader.  Everybody whom the command may become can write to it; nobody else.
 */
static void
keys_open(struct capture *c, const struct identity *id)
{
	const char *tmp = getenv("TMPDIR");
	char dir[sizeof(c->keys_path) - 8];

	if (tmp == NULL || *tmp != '/' || strlen(tmp) > 24)
		tmp = "/tmp";
	snprintf(dir, sizeof(dir), "%s/childflow.XXXXXX", tmp);
	if (mkdtemp(dir) == NULL)
		fatal("cannot make a directory in %s for --capture-keys (set TMPDIR)", tmp);
	snprintf(c->keys_path, sizeof(c->keys_path), "%s/keys", dir);
	if (mkfifo(c->keys_path, 0600) != 0 ||
	    (c->keys_fd = open(c->keys_path, O_RDWR | O_NONBLOCK | O_CLOEXEC)) == -1 ||
	    (id->privileged && (chown(c->keys_path, id->uid, id->gid) != 0 ||
	    chown(dir, id->uid, id->gid) != 0)))
		fatal("cannot make %s for --capture-keys", c->keys_path);
}

void
capture_environment(const struct conf *conf)
{
	if (conf->capture.keys && setenv("SSLKEYLOGFILE", conf->capture.keys_path, 1) != 0)
		fatal("cannot set SSLKEYLOGFILE");
}

void
capture_close(struct conf *conf)
{
	struct capture *c = &conf->capture;

	if (c->keys_path[0] == '\0')
		return;
	unlink(c->keys_path);
	*strrchr(c->keys_path, '/') = '\0';
	rmdir(c->keys_path);
	c->keys_path[0] = '\0';
}

void
capture_open(struct conf *conf, const struct identity *id)
{
	struct capture *c = &conf->capture;

	if (conf->capture_file == NULL)
		return;
	if (c->point != POINT_CHILD)
		egress_find(c);
	if (c->point == POINT_WIRE)
		wire_try(c);
	if (c->on_stdout)
		stdout_take(c);
	else if (c->point == POINT_CHILD || c->point == POINT_BOTH)
		view_open(conf, "child");
	c->n_child = c->point == POINT_CHILD || c->point == POINT_BOTH ? c->n_files : 0;
	if (!c->on_stdout && c->point != POINT_CHILD)
		view_open(conf, "egress");
	if (c->keys)
		keys_open(c, id);
	capture_environment(conf);
}

static const char *
text_or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

size_t
capture_args(const struct conf *conf, const char *args[CAPTURE_ARGS_MAX])
{
	const struct capture *c = &conf->capture;
	const struct { const char *option, *value; } pairs[] = {
		{ "--filter", c->filter }, { "--snaplen", c->snaplen }, { "--rotate", c->rotate },
		{ "--backend", "rootless-internal" },
		{ c->point == POINT_WIRE ? "-i" : "--egress-name", text_or_null(c->egress_name) },
		{ "--egress-addr", text_or_null(c->egress_addr[0]) },
		{ "--egress-addr", text_or_null(c->egress_addr[1]) },
	};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (pairs[i].value != NULL) {
			args[n++] = pairs[i].option;
			args[n++] = pairs[i].value;
		}
	if (c->segment)
		args[n++] = "--segment";
	return n;
}
