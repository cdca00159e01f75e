/*
 * aliases.c - other paths by which the same file is reached.
 *
 * A file system that is mounted twice, or of which a directory is bound elsewhere, shows
 * each of its files twice, and a cover over one path leaves the other.  The kernel's list
 * of mounts says which part of which file system each shows:
 *
 *	path = point of its mount + rest	inside the file system: root of its mount + rest
 *	alias = point of another + what is left of that behind the other's root
 *
 * An alias counts where it is there, and the same file.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"
#include "spawn.h"

struct shown {
	unsigned	 major, minor;
	char		*root, *point;
};

static struct shown	*shown;
static size_t		 nshown;

/* "\040" for a blank, as mountinfo has it. */
static char *
unescape(const char *text)
{
	char *out = strdup(text), *to = out;
	unsigned c;

	if (out == NULL)
		fatal("cannot read the list of mounts");
	for (; *text != '\0'; text++)
		if (text[0] == '\\' && sscanf(text + 1, "%3o", &c) == 1) {
			*to++ = (char)c;
			text += 3;
		} else {
			*to++ = *text;
		}
	*to = '\0';
	return out;
}

static void
list_read(void)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, root[PATH_MAX], point[PATH_MAX];
	size_t size = 0;
	struct shown s;

	while (f != NULL && getline(&line, &size, f) > 0) {
		if (sscanf(line, "%*d %*d %u:%u %4095s %4095s", &s.major, &s.minor, root, point) != 4)
			continue;
		shown = reallocarray(shown, nshown + 1, sizeof(*shown));
		if (shown == NULL)
			fatal("cannot read the list of mounts");
		s.root = unescape(root);
		s.point = unescape(point);
		shown[nshown++] = s;
	}
	free(line);
	if (f != NULL)
		fclose(f);
}

/* What follows dir in path, with its '/' or empty; NULL: path is not below it. */
static const char *
behind(const char *path, const char *dir)
{
	size_t len = strcmp(dir, "/") == 0 ? 0 : strlen(dir);

	return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0') ?
	    path + len : NULL;
}

/* The mount that path is on: the one nearest to it, and of those the last. */
static const struct shown *
mount_of(const char *path)
{
	const struct shown *best = NULL;

	for (size_t i = 0; i < nshown; i++)
		if (behind(path, shown[i].point) != NULL &&
		    (best == NULL || strlen(shown[i].point) >= strlen(best->point)))
			best = &shown[i];
	return best;
}

static bool
same_file(const char *a, const char *b)
{
	struct stat x, y;

	return lstat(a, &x) == 0 && lstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	    x.st_ino == y.st_ino;
}

void
aliases_find(const char *path, void (*found)(void *arg, const char *alias), void *arg)
{
	char inside[2 * PATH_MAX], alias[3 * PATH_MAX];
	const struct shown *m;
	const char *rest;

	if (nshown == 0)
		list_read();
	if ((m = mount_of(path)) == NULL)
		return;
	snprintf(inside, sizeof(inside), "%s%s", strcmp(m->root, "/") == 0 ? "" : m->root,
	    behind(path, m->point));
	for (size_t i = 0; i < nshown; i++) {
		if (shown[i].major != m->major || shown[i].minor != m->minor ||
		    (rest = behind(inside, shown[i].root)) == NULL)
			continue;
		snprintf(alias, sizeof(alias), "%s%s",
		    strcmp(shown[i].point, "/") == 0 ? "" : shown[i].point, rest);
		if (strcmp(alias, path) != 0 && same_file(alias, path))
			found(arg, alias);
	}
}
