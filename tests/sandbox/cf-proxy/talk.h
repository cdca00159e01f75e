/*
 * talk.h - start the built cf-proxy and talk to it over its channel.
 *
 * The same script runs over a socketpair, where flows are descriptors, and over two
 * pipes, where they are DATA frames, with a dialler alone and with both stages: flow_send()
 * and its like hide which.  The test is
 * also the destination: it listens on addresses of a network namespace of its own
 * (loopback itself is refused by policy).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TALK_H
#define TALK_H

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "chan.h"
#include "ruleopts.h"
#include "rulesfd.h"

#define HERE4		"203.0.113.1"		/* ours, inside the namespace */
#define HERE6		"2001:db8::1"
#define NOWHERE4	"198.51.100.7"		/* no route leads there */
#define FLOWS		4096
#define PATIENCE_MS	10000
#define ARGS_MAX	16

/* The client talks to a dialler, or to a policy stage with a dialler behind it. */
enum transport { OVER_SOCKET, OVER_PIPES, OVER_RELAY, CHAIN_SOCKET, CHAIN_PIPES, CHAIN_RELAY,
    TRANSPORTS };		/* RELAY: a socket, but each flow is asked for with OPEN_RELAY */
#define DIALLERS	3		/* the first so many are diallers alone */

struct helper {
	pid_t	 pid;
	int	 rfd, wfd;		/* our end of its channel */
	int	 err_fd;		/* its stderr */
	char	 err[4096];		/* what it said, once it has ended */
	const char *warns;		/* how that should begin; NULL: it should say nothing */
};

/* A flow as the client sees it. */
struct tflow {
	bool			 opened, refused;
	int			 fd;
	struct addr		 local;
	struct msg_refused	 no;
	uint8_t			*in;		/* DATA that came */
	size_t			 in_len, in_off, frames;
	uint32_t		 credit;	/* what we may send */
	bool			 eof;
	int			 reset;
};

struct talk {
	struct helper	 h;
	struct helper	 dialler;	/* behind the policy stage, where there is one */
	struct chan	*chan;
	struct tflow	 flow[FLOWS];
	size_t		 n_opened, n_refused;
	bool		 ended;
	bool		 auto_window;	/* grant again what was read */
	bool		 relay;		/* ask for frames, though descriptors could be passed */
};

/* ---- the world ---- */

static inline void
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd == -1 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	close(fd);
}

/* A network namespace of our own, with two addresses on its loopback device. */
static inline void
net_make(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	struct in6_ifreq ifr6 = { .ifr6_prefixlen = 128 };
	struct sockaddr_in sin = { .sin_family = AF_INET };
	uid_t uid = getuid();
	gid_t gid = getgid();
	char map[64];
	int s, s6;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
		fprintf(stderr, "cannot make a network namespace: %s\n", strerror(errno));
		exit(1);
	}
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	write_file("/proc/self/gid_map", map);

	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	s6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ioctl(s, SIOCSIFFLAGS, &ifr);
	inet_pton(AF_INET, HERE4, &sin.sin_addr);
	strcpy(ifr.ifr_name, "lo:1");
	memcpy(&ifr.ifr_addr, &sin, sizeof(sin));
	if (ioctl(s, SIOCSIFADDR, &ifr) != 0)
		exit(1);
	sin.sin_addr.s_addr = INADDR_BROADCAST;		/* netmask /32 */
	memcpy(&ifr.ifr_netmask, &sin, sizeof(sin));
	ioctl(s, SIOCSIFNETMASK, &ifr);
	inet_pton(AF_INET6, HERE6, &ifr6.ifr6_addr);
	ifr6.ifr6_ifindex = 1;
	if (ioctl(s6, SIOCSIFADDR, &ifr6) != 0)
		exit(1);
	write_file("/proc/sys/net/ipv4/ping_group_range", "0 0");
	close(s);
	close(s6);
}

static inline struct addr
address(const char *ip, uint16_t port)
{
	struct addr a;

	ck_assert(addr_parse(ip, port, &a));
	a.port = port;
	return a;
}

/* A bound socket; *at says where. */
static inline int
serve(const char *ip, int type, struct addr *at)
{
	struct sockaddr_storage ss;
	struct addr a = address(ip, 0);
	socklen_t len = addr_to_sockaddr(&a, &ss);
	int fd = socket(ss.ss_family, type | SOCK_CLOEXEC, 0);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, len), 0);
	ck_assert(type != SOCK_STREAM || listen(fd, 128) == 0);
	len = sizeof(ss);
	getsockname(fd, (struct sockaddr *)&ss, &len);
	addr_from_sockaddr(&ss, at);
	return fd;
}

static inline int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Rules as options have them (NULL-ended), as a descriptor that a helper inherits. */
static inline int
rules_made(const char *const *words)
{
	static const struct cli_option options[] = { RULEOPTS_ROWS, RULEOPTS_QUOTA_ROW,
	    { 0 } };
	static const struct cli cli = { .name = "test", .usage = "", .about = "", .options = options };
	char *argv[ARGS_MAX] = { (char *)"test" }, why[RULEOPTS_WHY];
	struct ruleopts rules = { 0 };
	int argc = 1, fd;
	size_t len;
	void *flat;

	for (; words[argc - 1] != NULL; argc++)
		argv[argc] = (char *)words[argc - 1];
	cli_parse(&cli, &rules, argc, argv, 2);
	flat = ruleopts_compile(&rules, &len, why);
	ck_assert_msg(flat != NULL, "%s", why);
	fd = rulesfd_make(flat, len);
	ck_assert_int_ne(fd, -1);
	fcntl(fd, F_SETFD, 0);
	free(flat);
	ruleopts_done(&rules);
	return fd;
}

/* ---- the program ---- */

/* Beside the build directory that this test was made in. */
static inline const char *
program(void)
{
	static char path[PATH_MAX];
	const char *bin = getenv("CF_BIN");
	ssize_t n;

	if (bin != NULL) {
		snprintf(path, sizeof(path), "%s/cf-proxy", bin);
		return path;
	}
	n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	path[n > 0 ? n : 0] = '\0';
	for (int i = 0; i < 4; i++)		/* tests/sandbox/cf-proxy/test_x */
		*strrchr(path, '/') = '\0';
	return strcat(path, "/bin/cf-proxy");
}

static inline bool
is_socket(enum transport over)
{
	return over != OVER_PIPES && over != CHAIN_PIPES;
}

static inline void
helper_exec(int in, int out, int err, char *const argv[])
{
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	execv(program(), argv);
	_exit(99);
}

/* args: NULL-ended, after the program's name. */
static inline void
helper_start(struct helper *h, enum transport over, const char *const *args)
{
	char *argv[ARGS_MAX + 2] = { (char *)"cf-proxy" };
	int up[2], down[2], err[2];

	for (size_t i = 0; args != NULL && args[i] != NULL && i < ARGS_MAX; i++)
		argv[i + 1] = (char *)args[i];
	ck_assert_int_eq(pipe2(err, O_CLOEXEC), 0);
	if (is_socket(over)) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, up), 0);
		down[0] = up[1];
		down[1] = up[0];
	} else {
		ck_assert_int_eq(pipe2(up, O_CLOEXEC), 0);
		ck_assert_int_eq(pipe2(down, O_CLOEXEC), 0);
	}
	/* It reads up[0] and writes down[1]; for a socket both are the same. */
	h->pid = fork();
	ck_assert_int_ne(h->pid, -1);
	if (h->pid == 0)
		helper_exec(up[0], down[1], err[1], argv);
	close(up[0]);
	if (!is_socket(over))
		close(down[1]);
	close(err[1]);
	h->wfd = up[1];
	h->rfd = down[0];
	h->err_fd = err[0];
}

/* Wait for its end and collect what it said; returns its wait status. */
static inline int
helper_wait(struct helper *h)
{
	size_t len = 0;
	ssize_t n;
	int status;

	while (len < sizeof(h->err) - 1 &&
	    (n = read(h->err_fd, h->err + len, sizeof(h->err) - 1 - len)) > 0)
		len += (size_t)n;
	h->err[len] = '\0';
	close(h->err_fd);
	ck_assert_int_eq(waitpid(h->pid, &status, 0), h->pid);
	return status;
}

/* ---- frames ---- */

static inline struct tflow *
talk_flow(struct chan *c, const struct frame *f)
{
	ck_assert_uint_lt(f->flow, FLOWS);
	return &((struct talk *)chan_arg(c))->flow[f->flow];
}

static inline void
talk_on_opened(struct chan *c, const struct frame *f, int fd)
{
	struct talk *t = chan_arg(c);
	struct tflow *fl = talk_flow(c, f);
	struct rd r = rd_over(f->body, f->len);
	struct msg_opened m;

	ck_assert(msg_opened_get(&r, &m));
	ck_assert(!fl->opened && !fl->refused);
	ck_assert_int_eq(fd != -1, (chan_caps(c) & MSG_CAP_FD) != 0 && !t->relay);
	fl->opened = true;
	fl->fd = fd;
	fl->local = m.local;
	fl->credit = MSG_WINDOW_INITIAL;
	t->n_opened++;
}

static inline void
talk_on_refused(struct chan *c, const struct frame *f, int fd)
{
	struct talk *t = chan_arg(c);
	struct tflow *fl = talk_flow(c, f);
	struct rd r = rd_over(f->body, f->len);

	(void)fd;
	ck_assert(!fl->opened && !fl->refused);
	ck_assert(msg_refused_get(&r, &fl->no));
	fl->refused = true;
	t->n_refused++;
}

static inline void
talk_window(struct talk *t, uint64_t id, uint32_t more)
{
	uint8_t body[4];
	struct wr w = wr_over(body, sizeof(body));

	wr_le32(&w, more);
	chan_send(t->chan, MSG_WINDOW, id, body, sizeof(body), NULL, 0, -1);
}

static inline void
talk_on_data(struct chan *c, const struct frame *f, int fd)
{
	struct talk *t = chan_arg(c);
	struct tflow *fl = talk_flow(c, f);

	(void)fd;
	ck_assert(fl->opened && !fl->eof);
	fl->in = realloc(fl->in, fl->in_len + f->len + 1);
	memcpy(fl->in + fl->in_len, f->body, f->len);
	fl->in_len += f->len;
	fl->frames++;
	if (t->auto_window && f->len > 0)
		talk_window(t, f->flow, f->len);
}

static inline void
talk_on_window(struct chan *c, const struct frame *f, int fd)
{
	struct rd r = rd_over(f->body, f->len);

	(void)fd;
	talk_flow(c, f)->credit += rd_le32(&r);
}

static inline void
talk_on_eof(struct chan *c, const struct frame *f, int fd)
{
	(void)fd;
	ck_assert(!talk_flow(c, f)->eof);
	talk_flow(c, f)->eof = true;
}

static inline void
talk_on_reset(struct chan *c, const struct frame *f, int fd)
{
	struct rd r = rd_over(f->body, f->len);

	(void)fd;
	talk_flow(c, f)->reset = (int)rd_le32(&r);
}

static const struct chan_handler talk_handlers[] = {
	{ MSG_OPENED, talk_on_opened }, { MSG_REFUSED, talk_on_refused },
	{ MSG_DATA, talk_on_data }, { MSG_WINDOW, talk_on_window },
	{ MSG_EOF, talk_on_eof }, { MSG_RESET, talk_on_reset }, { 0 }
};

/* Write what is queued, and read what comes within timeout ms. */
static inline void
talk_turn(struct talk *t, int timeout)
{
	struct pollfd p = { .fd = chan_rfd(t->chan), .events = POLLIN };
	int rc = 1;

	if (chan_flush(t->chan) == 1)
		timeout = timeout < 1 ? timeout : 1;
	if (!t->ended && poll(&p, 1, timeout) > 0)
		rc = chan_read(t->chan);
	if (rc <= 0)
		t->ended = true;
	ck_assert_msg(rc >= 0, "%s", chan_why(t->chan));
}

#define WAIT(t, condition) do {							\
	int64_t until = now_ms() + PATIENCE_MS;					\
	while (!(condition)) {							\
		ck_assert_msg(now_ms() < until && !(t)->ended, "no %s", #condition); \
		talk_turn((t), 20);						\
	}									\
} while (0)

/* Say HELLO as `me` on the two descriptors and wait for the answer. */
static inline void
talk_hello(struct talk *t, int rfd, int wfd, enum role me, enum role peer)
{
	t->chan = chan_new(rfd, wfd, me, peer, t);
	ck_assert_ptr_nonnull(t->chan);
	chan_handlers(t->chan, talk_handlers);
	chan_hello(t->chan, MSG_CAP_FD);
}

/* A policy stage in front of a dialler. */
static inline void
chain_start(struct talk *t, enum transport over)
{
	const char *args[] = { "--policy", "--dial-fd", NULL, NULL };
	char fd[16];

	helper_start(&t->dialler, OVER_SOCKET, NULL);
	fcntl(t->dialler.wfd, F_SETFD, 0);
	snprintf(fd, sizeof(fd), "%d", t->dialler.wfd);
	args[2] = fd;
	helper_start(&t->h, over, args);
	close(t->dialler.wfd);
}

static inline struct talk *
talk_new(enum transport over, const char *const *args)
{
	struct talk *t = calloc(1, sizeof(*t));
	bool chain = over >= DIALLERS;

	t->auto_window = true;
	t->relay = over == OVER_RELAY || over == CHAIN_RELAY;
	if (chain)
		chain_start(t, over);
	else
		helper_start(&t->h, over, args);
	talk_hello(t, t->h.rfd, t->h.wfd, chain ? R_STACK : R_PROXY, chain ? R_PROXY : R_DIAL);
	WAIT(t, chan_peer(t->chan) != 0);
	ck_assert_int_eq(chan_caps(t->chan), is_socket(over) ? MSG_CAP_FD : 0);
	return t;
}

/* The orderly end: it exits 0 and has said nothing but what it was to warn of. */
static inline void
helper_expect_end(struct helper *h)
{
	int status = helper_wait(h);

	if (h->warns == NULL)
		ck_assert_str_eq(h->err, "");
	else
		ck_assert_int_eq(strncmp(h->err, h->warns, strlen(h->warns)), 0);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}

static inline void
talk_end(struct talk *t)
{
	while (chan_flush(t->chan) == 1)
		talk_turn(t, 1);
	chan_shutdown(t->chan);
	helper_expect_end(&t->h);
	if (t->dialler.pid != 0)
		helper_expect_end(&t->dialler);
	chan_free(t->chan);
	free(t);
}

static inline void
open_ask(struct talk *t, uint64_t id, const struct msg_open *o)
{
	uint8_t body[MSG_OPEN_LEN];
	struct wr w = wr_over(body, sizeof(body));
	struct msg_open asked = *o;

	if (t->relay)
		asked.flags |= OPEN_RELAY;
	msg_open_put(&w, &asked);
	ck_assert(!w.bad && w.p == w.end);
	chan_send(t->chan, MSG_OPEN, id, body, sizeof(body), NULL, 0, -1);
}

static inline struct msg_open
open_to(uint8_t proto, const struct addr *dst)
{
	return (struct msg_open){ .proto = proto, .dst = *dst, .flags = OPEN_DF,
	    .src = { .family = dst->family, .port = 4000, .ip = { 192, 0, 0, 2 } } };
}

/* Ask, and wait for the answer. */
static inline struct tflow *
open_wait(struct talk *t, uint64_t id, uint8_t proto, const struct addr *dst)
{
	struct msg_open o = open_to(proto, dst);

	open_ask(t, id, &o);
	WAIT(t, t->flow[id].opened || t->flow[id].refused);
	return &t->flow[id];
}

static inline void
flow_close(struct talk *t, uint64_t id, enum close_reason reason)
{
	uint8_t body[MSG_CLOSE_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_close_put(&w, &(struct msg_close){ .reason = reason });
	chan_send(t->chan, MSG_CLOSE, id, body, sizeof(body), NULL, 0, -1);
	if (t->flow[id].opened && t->flow[id].fd != -1)
		close(t->flow[id].fd);
	t->flow[id].fd = -1;
}

/* ---- payload, whichever way it goes ---- */

static inline bool
by_fd(const struct talk *t)
{
	return (chan_caps(t->chan) & MSG_CAP_FD) != 0 && !t->relay;
}

/* Some of it, as much as can go now; how much that was. */
static inline size_t
flow_send_some(struct talk *t, uint64_t id, const uint8_t *p, size_t len)
{
	struct tflow *fl = &t->flow[id];
	ssize_t n;

	if (by_fd(t)) {
		n = send(fl->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		return n > 0 ? (size_t)n : 0;
	}
	if (len > fl->credit)
		len = fl->credit;
	if (len > MSG_TAIL_MAX)
		len = MSG_TAIL_MAX;
	fl->credit -= (uint32_t)len;
	chan_send(t->chan, MSG_DATA, id, NULL, 0, p, len, -1);
	return len;
}

static inline void
flow_send(struct talk *t, uint64_t id, const char *text)
{
	ck_assert_uint_eq(flow_send_some(t, id, (const uint8_t *)text, strlen(text)),
	    strlen(text));
	talk_turn(t, 0);
}

/* Move what has come for the flow to `in`, or note its end. */
static inline void
flow_poll(struct talk *t, uint64_t id)
{
	struct tflow *fl = &t->flow[id];
	static uint8_t buf[65536];
	ssize_t n;

	talk_turn(t, by_fd(t) ? 0 : 20);
	if (!by_fd(t) || fl->eof || fl->reset != 0)
		return;
	n = recv(fl->fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n > 0) {
		fl->in = realloc(fl->in, fl->in_len + (size_t)n);
		memcpy(fl->in + fl->in_len, buf, (size_t)n);
		fl->in_len += (size_t)n;
	} else if (n == 0) {
		fl->eof = true;
	} else if (errno != EAGAIN) {
		fl->reset = errno;
	}
}

#define FLOW_WAIT(t, id, condition) do {					\
	int64_t until = now_ms() + PATIENCE_MS;					\
	while (!(condition)) {							\
		ck_assert_msg(now_ms() < until, "no %s", #condition);		\
		flow_poll((t), (id));						\
	}									\
} while (0)

static inline void
flow_expect(struct talk *t, uint64_t id, const char *text)
{
	struct tflow *fl = &t->flow[id];

	FLOW_WAIT(t, id, fl->in_len - fl->in_off >= strlen(text));
	ck_assert_int_eq(memcmp(fl->in + fl->in_off, text, strlen(text)), 0);
	fl->in_off += strlen(text);
}

static inline void
flow_eof(struct talk *t, uint64_t id)
{
	if (by_fd(t))
		shutdown(t->flow[id].fd, SHUT_WR);
	else
		chan_send(t->chan, MSG_EOF, id, NULL, 0, NULL, 0, -1);
	talk_turn(t, 0);
}

static inline void
flow_reset(struct talk *t, uint64_t id)
{
	const struct linger at_once = { .l_onoff = 1 };
	uint8_t body[4] = { ECONNRESET };

	if (by_fd(t))
		setsockopt(t->flow[id].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	else
		chan_send(t->chan, MSG_RESET, id, body, sizeof(body), NULL, 0, -1);
	flow_close(t, id, CLOSE_RESET);
	talk_turn(t, 0);
}

/* A blocking peer says and hears. */
static inline void
peer_expect(int fd, const char *text)
{
	char buf[256] = "";

	ck_assert_int_eq(recv(fd, buf, strlen(text), MSG_WAITALL), (ssize_t)strlen(text));
	ck_assert_str_eq(buf, text);
}

static inline int
peer_accept(struct talk *t, int listener)
{
	int fd;

	talk_turn(t, 0);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ne(fd, -1);
	return fd;
}

#endif
