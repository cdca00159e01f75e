/*
 * follow.c - tells when the host's resolv.conf may have changed: a VPN came up, a lease ran out.
 *
 * The file is written in place, replaced by a rename, or it is a symlink that points elsewhere from
 * now on, and any file on the way may be exchanged.  So what is watched is each directory on the
 * way, for the name that leads on, and the file itself at the end (it may be a mount, whose
 * directory is another's).  After each event the way is walked again before the file is read, so
 * nothing that happens in between is missed.
 *
 * A directory that is not there cannot be watched: a link into it is followed again when
 * something before it changes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "spawn.h"

#define IN_DIRECTORY	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR)

/* Watch one name of a directory; false: the table is full. */
static bool
watch_name(struct follow *f, const char *path, const char *slash)
{
	struct watched *w = &f->at[f->n];
	char dir[PATH_MAX];

	if (f->n == FOLLOW_MAX)
		return false;
	snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	snprintf(w->name, sizeof(w->name), "%s", slash + 1);
	snprintf(w->path, sizeof(w->path), "%s", path);
	w->wd = inotify_add_watch(f->fd, dir, IN_DIRECTORY);
	f->n += w->wd != -1;
	return true;
}

/* path becomes what the link there leads to; false: it is none. */
static bool
link_follow(char path[PATH_MAX], const char *slash)
{
	char target[PATH_MAX], next[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	int len;

	if (n <= 0)
		return false;
	target[n] = '\0';
	len = target[0] == '/' ? snprintf(next, sizeof(next), "%s", target) :
	    snprintf(next, sizeof(next), "%.*s/%s", (int)(slash - path), path, target);
	if (len >= PATH_MAX)
		return false;
	memcpy(path, next, (size_t)len + 1);
	return true;
}

/* Watches that the way does not lead past any more are let go. */
static void
forget(struct follow *f, const struct follow *old)
{
	for (size_t i = 0; i < old->n; i++) {
		bool kept = false;

		for (size_t k = 0; k < f->n; k++)
			kept = kept || f->at[k].wd == old->at[i].wd;
		if (!kept)
			(void)inotify_rm_watch(f->fd, old->at[i].wd);
	}
}

static void
walk(struct follow *f)
{
	static struct follow old;
	char path[PATH_MAX] = RESOLV_CONF;
	const char *slash;

	old = *f;
	f->n = 0;
	do {
		slash = strrchr(path, '/');
	} while (watch_name(f, path, slash) && link_follow(path, slash));
	if (f->n < FOLLOW_MAX) {
		f->at[f->n].name[0] = '\0';
		f->at[f->n].wd = inotify_add_watch(f->fd, path, IN_CLOSE_WRITE);
		f->n += f->at[f->n].wd != -1;
	}
	forget(f, &old);
}

void
follow_start(struct follow *f)
{
	f->n = 0;
	if ((f->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) == -1) {
		log_warn("warning: changes of %s during the run will not be seen", RESOLV_CONF);
		return;
	}
	walk(f);
}

/* A file that has just been made is read when it has been written. */
static bool
is_news(const struct follow *f, const struct inotify_event *e)
{
	struct stat st;

	if (e->mask & IN_Q_OVERFLOW)
		return true;
	for (size_t i = 0; i < f->n; i++) {
		const struct watched *w = &f->at[i];

		if (w->wd != e->wd || (e->mask & IN_IGNORED) ||
		    strcmp(w->name, e->len > 0 ? e->name : "") != 0)
			continue;
		if ((e->mask & IN_CREATE) == 0 ||
		    (lstat(w->path, &st) == 0 && !S_ISREG(st.st_mode)))
			return true;
	}
	return false;
}

bool
follow_read(struct follow *f)
{
	_Alignas(struct inotify_event) char buf[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
	bool news = false;
	ssize_t n;

	while ((n = read(f->fd, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0; at < n; ) {
			const struct inotify_event *e = (const void *)(buf + at);

			news = news || is_news(f, e);
			at += (ssize_t)(sizeof(*e) + e->len);
		}
	if (news)
		walk(f);
	return news;
}
