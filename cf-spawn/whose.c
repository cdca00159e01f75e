/*
 * whose.c - see whose.h.
 *
 * The names in /proc are the tree's to choose; numbers are the kernel's.  A process is known by an
 * open directory /proc/PID, which never comes to mean another one with the same number.
 *
 * Looked at first are the processes that were found last, under the numbers of descriptors that
 * they had sockets under: who opens a connection opens more.  Then the whole tree, from its first processes downwards, by
 * the lists of children that the kernel keeps.  Where several hold the socket (after fork), it is
 * the one that the others descend from: it is found first on the way down, and looked for on the
 * way up from one that was known.
 *
 * What must stay true: a search ends after SEARCH_MS of our CPU time, however large the tree is; then
 * it is not known whose it is.  (Time on the clock would run out on a busy machine.)
 *
 * SPDX-License-Identifier: MIT
 */
#include "whose.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CACHED		8
#define RECENT		24		/* numbers of descriptors that are looked at first */
#define TREE_MAX	8192		/* processes that one search looks at */
#define SEARCH_MS	80
#define SEARCHES	3		/* the kernel's lists may miss some while others end */
#define LINK_LEN	32		/* "socket:[4294967295]" */

struct proc {
	int		 dir, fds, comm;	/* /proc/PID, its fd and comm; -1: no process */
	pid_t		 pid;
	int		 fd;		/* under this number it had the last socket */
	int		 recent[RECENT], n_recent;	/* and under these the ones before */
	int		 up_fds;	/* of its parent, which is ids.parent[0]; -1: not open */
	struct whose	 is;		/* ids as they were when it was seen first, ids.pid 0: not read */
	unsigned long	 round;		/* in which the rest was read */
	bool		 oldest;	/* its last socket had the number that was used longest ago */
};

static struct {
	int		 proc_fd;	/* /proc */
	unsigned long	 round;
	pid_t		 root, apart[WHOSE_APART_MAX];
	size_t		 n_apart;
	struct proc	 cache[CACHED];	/* the last one first */
	pid_t		 queue[TREE_MAX];
} w;

/* ---- one process ---- */

static void
proc_close(struct proc *p)
{
	if (p->dir != -1)
		close(p->dir);
	if (p->fds != -1)
		close(p->fds);
	if (p->comm != -1)
		close(p->comm);
	if (p->up_fds != -1)
		close(p->up_fds);
	p->dir = p->fds = p->comm = p->up_fds = -1;
}

static int
proc_dir(pid_t pid)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", (int)pid);
	return openat(w.proc_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool
proc_open(struct proc *p, pid_t pid)
{
	*p = (struct proc){ .pid = pid, .fds = -1, .comm = -1, .fd = -1, .up_fds = -1 };
	p->dir = proc_dir(pid);
	if (p->dir != -1)
		p->fds = openat(p->dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->fds != -1 && (p->comm = openat(p->dir, "comm", O_RDONLY | O_CLOEXEC)) != -1)
		return true;
	proc_close(p);
	return false;
}

static bool
is_at(int fds, int fd, const char *link, size_t len)
{
	char number[16], text[LINK_LEN];

	snprintf(number, sizeof(number), "%d", fd);
	return readlinkat(fds, number, text, sizeof(text)) == (ssize_t)len &&
	    memcmp(text, link, len) == 0;
}

static bool
has_number(struct proc *p, int fd, const char *link, size_t len)
{
	if (!is_at(p->fds, fd, link, len))
		return false;
	p->fd = fd;
	return true;
}

/* A number is used again when its connection is closed, or the next one is. */
static void
recent_add(struct proc *p)
{
	int i;

	for (i = 0; i < p->n_recent && p->recent[i] != p->fd; i++)
		;
	if (i == p->n_recent && p->n_recent < RECENT)
		p->n_recent++;
	if (i == RECENT)
		i = RECENT - 1;
	memmove(&p->recent[1], &p->recent[0], (size_t)i * sizeof(p->recent[0]));
	p->recent[0] = p->fd;
}

static bool
has_near(struct proc *p, const char *link, size_t len)
{
	int last = p->n_recent - 1;

	if (last < 0)
		return false;
	/* One after the other, or many at a time: then the oldest ends first, most often. */
	if (!p->oldest && has_number(p, p->recent[0], link, len))
		return true;
	for (int i = last; i > 0; i--)
		if (has_number(p, p->recent[i], link, len)) {
			p->oldest = i == last;
			return true;
		}
	p->oldest = false;
	return has_number(p, p->recent[0], link, len) ||
	    has_number(p, p->recent[0] + 1, link, len);
}

/* The next directory entry that is a number; -1: no more. */
struct numbers {
	int		fd;
	union {
		struct dirent64	align;
		char		bytes[8192];
	} buf;
	ssize_t		at, len;
};

static long
number_next(struct numbers *it)
{
	const struct dirent64 *e;

	for (;;) {
		if (it->at >= it->len) {
			it->len = getdents64(it->fd, it->buf.bytes, sizeof(it->buf.bytes));
			it->at = 0;
			if (it->len <= 0)
				return -1;
		}
		e = (const struct dirent64 *)(const void *)(it->buf.bytes + it->at);
		it->at += e->d_reclen;
		if (e->d_name[0] >= '0' && e->d_name[0] <= '9')
			return strtol(e->d_name, NULL, 10);
	}
}

static bool
has_any(struct proc *p, const char *link, size_t len)
{
	struct numbers it = { .fd = p->fds };
	long fd;

	lseek(p->fds, 0, SEEK_SET);
	while ((fd = number_next(&it)) != -1)
		if (has_number(p, (int)fd, link, len))
			return true;
	return false;
}

static ssize_t
text_read(int dir, const char *name, char *out, size_t room)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd == -1)
		return -1;
	n = read(fd, out, room - 1);
	close(fd);
	if (n >= 0)
		out[n] = '\0';
	return n;
}

/* Its parent (proc(5), /proc/pid/stat); 0: it is gone. */
static pid_t
parent_of(int dir)
{
	char text[512], *close;
	int ppid;

	if (text_read(dir, "stat", text, sizeof(text)) <= 0 ||
	    (close = strrchr(text, ')')) == NULL || sscanf(close + 1, " %*c %d", &ppid) != 1)
		return 0;
	return ppid;
}

/* ---- the tree ---- */

static bool
is_not(pid_t pid)
{
	for (size_t i = 0; i < w.n_apart; i++)
		if (w.apart[i] == pid)
			return true;
	return false;
}

/* Children of one thread, behind the n that are queued already; returns how many there are. */
static size_t
children_of(int task, long tid, size_t n)
{
	char name[32], text[4096];
	int fd;
	ssize_t len, kept = 0;

	snprintf(name, sizeof(name), "%ld/children", tid);
	if ((fd = openat(task, name, O_RDONLY | O_CLOEXEC)) == -1)
		return n;
	while ((len = read(fd, text + kept, sizeof(text) - 1 - (size_t)kept)) > 0) {
		char *p = text, *end;

		len += kept;
		text[len] = '\0';
		/* A number counts when what ends it has come: "12" may go on as "123". */
		for (; (end = strchr(p, ' ')) != NULL; p = end + 1) {
			pid_t pid = (pid_t)strtol(p, NULL, 10);

			if (n < TREE_MAX && pid > 0 && !is_not(pid))
				w.queue[n++] = pid;
		}
		kept = text + len - p;
		memmove(text, p, (size_t)kept);
	}
	close(fd);
	return n;
}

static size_t
children_add(int dir, size_t n)
{
	struct numbers it = { .fd = openat(dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	long tid;

	if (it.fd == -1)
		return n;
	while ((tid = number_next(&it)) != -1)
		n = children_of(it.fd, tid, n);
	close(it.fd);
	return n;
}

static uint64_t
spent_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool
tree_search(struct proc *out, const char *link, size_t len, uint64_t until)
{
	size_t n;
	int dir;

	if ((dir = proc_dir(w.root)) == -1)
		return false;
	n = children_add(dir, 0);
	close(dir);
	for (size_t i = 0; i < n && spent_ms() < until; i++) {
		if (!proc_open(out, w.queue[i]))
			continue;
		if (has_any(out, link, len))
			return true;
		n = children_add(out->dir, n);
		proc_close(out);
	}
	return false;
}

static bool
tree_searched(struct proc *out, const char *link, size_t len)
{
	uint64_t until = spent_ms() + SEARCH_MS;

	for (int i = 0; i < SEARCHES; i++)
		if (tree_search(out, link, len, until))
			return true;
	return false;
}

/* ---- those found last ---- */

static void
cache_first(size_t at)
{
	struct proc p = w.cache[at];

	memmove(&w.cache[1], &w.cache[0], at * sizeof(p));
	w.cache[0] = p;
}

static void
cache_add(const struct proc *p)
{
	proc_close(&w.cache[CACHED - 1]);
	w.cache[CACHED - 1] = *p;
	cache_first(CACHED - 1);
}

/* One that was there before, or may be its parent's. */
static bool
cache_search(const char *link, size_t len)
{
	for (size_t i = 0; i < CACHED; i++)
		if (w.cache[i].dir != -1 && has_near(&w.cache[i], link, len)) {
			cache_first(i);
			return true;
		}
	return w.cache[0].dir != -1 && has_any(&w.cache[0], link, len);
}

/* ---- what is told of it ---- */

/* The line of processes from its parent up to the tree's first. */
static void
parents_read(struct proc *p, pid_t parent)
{
	int dir;

	p->is.ids = (struct msg_whose){ .pid = (uint32_t)p->pid };
	for (size_t i = 0; i < MSG_PARENTS_MAX && parent > 1 && parent != w.root; i++) {
		p->is.ids.parent[i] = (uint32_t)parent;
		if ((dir = proc_dir(parent)) == -1)
			return;
		if (i == 0)
			p->up_fds = openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		parent = parent_of(dir);
		close(dir);
	}
}

/* What it runs, which may be another program by now; false: it has ended. */
static bool
program_read(struct proc *p)
{
	ssize_t comm = pread(p->comm, p->is.comm, MSG_COMM_MAX, 0), exe;

	if (comm <= 0)
		return false;
	p->is.comm[p->is.comm[comm - 1] == '\n' ? comm - 1 : comm] = '\0';
	exe = readlinkat(p->dir, "exe", p->is.exe, MSG_EXE_MAX);
	p->is.exe[exe > 0 ? exe : 0] = '\0';
	p->round = w.round;
	return true;
}

/* Its parents are not read again, which costs most. */
static bool
describe(struct proc *p, struct whose *out)
{
	pid_t parent;

	if (p->round != w.round && !program_read(p))
		return false;
	if (p->is.ids.pid == 0) {
		if ((parent = parent_of(p->dir)) == 0)
			return false;
		parents_read(p, parent);
	}
	*out = p->is;
	return true;
}

/* Does the parent have it too, under the same number?  Then it had it first. */
static bool
parent_has(const struct proc *p, const char *link, size_t len)
{
	return p->up_fds != -1 && is_at(p->up_fds, p->fd, link, len);
}

/* ---- all of it ---- */

const char *
whose_init(pid_t root, const pid_t *apart, size_t n)
{
	char self[32], path[64];
	ssize_t len;

	w.root = root;
	w.round = 1;
	for (size_t i = 0; i < n && w.n_apart < WHOSE_APART_MAX; i++)
		if (apart[i] > 0)
			w.apart[w.n_apart++] = apart[i];
	for (size_t i = 0; i < CACHED; i++)
		w.cache[i] = (struct proc){ .dir = -1, .fds = -1, .comm = -1, .up_fds = -1 };
	if ((w.proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return "there is no /proc";
	len = readlinkat(w.proc_fd, "self", self, sizeof(self) - 1);
	if (len <= 0)
		return "/proc is not that of our processes";
	self[len] = '\0';
	if (strtol(self, NULL, 10) != getpid())
		return "/proc is of another pid namespace";
	snprintf(path, sizeof(path), "self/task/%d/children", (int)getpid());
	if (faccessat(w.proc_fd, path, R_OK, 0) != 0)
		return "the kernel keeps no lists of children (CONFIG_PROC_CHILDREN)";
	return NULL;
}

void
whose_round(void)
{
	w.round++;
}

bool
whose_find(unsigned long inode, struct whose *out)
{
	char link[LINK_LEN];
	size_t len = (size_t)snprintf(link, sizeof(link), "socket:[%lu]", inode);
	struct proc p;

	if (!cache_search(link, len)) {
		if (!tree_searched(&p, link, len))
			return false;
		cache_add(&p);
	}
	recent_add(&w.cache[0]);
	while (describe(&w.cache[0], out)) {
		if (!parent_has(&w.cache[0], link, len) ||
		    !proc_open(&p, (pid_t)out->ids.parent[0]))
			return true;
		p.fd = w.cache[0].fd;
		recent_add(&p);
		cache_add(&p);
	}
	return false;
}
