/*
 * idmap.c - the id maps of the tree's user namespace: every id is itself.
 *
 * The identity map is the least surprise: `id`, `ls -l` and the tools that look at their
 * own uid see what they would see outside.  An ordinary user may map only himself and,
 * with newuidmap(1) and newgidmap(1), his subordinate ids; root maps all that exist.
 * With --map-root an ordinary user is uid 0 inside: a name for the same user, as no
 * capability comes with it (no_new_privs).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "spawn.h"

#define RANGES_MAX	64
#define MAP_TEXT_MAX	4096

struct range {
	unsigned long	first, count;
};

/* One write(2): the kernel takes a map whole or not at all. */
static int
file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), saved;
	ssize_t n;

	if (fd == -1)
		return -1;
	n = write(fd, text, strlen(text));
	saved = errno;
	close(fd);
	errno = saved;
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

int
idmap_self(uid_t uid, gid_t gid, bool as_root)
{
	char text[64];

	/* Without CAP_SETGID outside, the kernel wants setgroups(2) gone first. */
	if (file_write("/proc/self/setgroups", "deny") != 0 && errno != ENOENT)
		return -1;
	snprintf(text, sizeof(text), "%u %u 1\n", as_root ? 0 : (unsigned)uid, (unsigned)uid);
	if (file_write("/proc/self/uid_map", text) != 0)
		return -1;
	snprintf(text, sizeof(text), "%u %u 1\n", as_root ? 0 : (unsigned)gid, (unsigned)gid);
	return file_write("/proc/self/gid_map", text);
}

/* The ids that exist in our own user namespace. */
static size_t
ranges_here(const char *map_file, struct range *out)
{
	FILE *f = fopen(map_file, "re");
	unsigned long outside;
	size_t n = 0;

	if (f == NULL)
		return 0;
	while (n < RANGES_MAX &&
	    fscanf(f, "%lu %lu %lu", &out[n].first, &outside, &out[n].count) == 3)
		n++;
	fclose(f);
	return n;
}

/* Our ranges in /etc/subuid or /etc/subgid: NAME:FIRST:COUNT or UID:FIRST:COUNT. */
static size_t
ranges_subordinate(const char *file, const char *name, unsigned long id, struct range *out)
{
	FILE *f = fopen(file, "re");
	char line[256], *colon, *end;
	struct range r;
	size_t n = 0;

	if (f == NULL)
		return 0;
	while (n < RANGES_MAX && fgets(line, sizeof(line), f) != NULL) {
		if ((colon = strchr(line, ':')) == NULL)
			continue;
		*colon = '\0';
		if (strcmp(line, name) != 0 && (strtoul(line, &end, 10) != id || *end != '\0' ||
		    end == line))
			continue;
		if (sscanf(colon + 1, "%lu:%lu", &r.first, &r.count) == 2 && r.count > 0)
			out[n++] = r;
	}
	fclose(f);
	return n;
}

static const char *
write_all(pid_t pid, const char *which, const char *own_map)
{
	struct range range[RANGES_MAX];
	size_t n = ranges_here(own_map, range), len = 0;
	char path[64], text[MAP_TEXT_MAX];

	text[0] = '\0';
	for (size_t i = 0; i < n && len + 64 < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%lu %lu %lu\n",
		    range[i].first, range[i].first, range[i].count);
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, which);
	return file_write(path, text) == 0 ? NULL : strerror(errno);
}

/* newuidmap PID id id 1 first first count ... */
static const char *
run_helper(pid_t pid, const char *program, unsigned long own, const struct range *range, size_t n)
{
	char *argv[3 * (RANGES_MAX + 1) + 3], word[3 * (RANGES_MAX + 1) + 2][24];
	struct range self = { own, 1 };
	int status, w = 0, a = 0;
	pid_t helper;

	argv[a++] = (char *)program;
	snprintf(word[w], sizeof(word[0]), "%d", (int)pid);
	argv[a++] = word[w++];
	for (size_t i = 0; i <= n; i++) {
		const struct range *r = i == 0 ? &self : &range[i - 1];
		unsigned long value[3] = { r->first, r->first, r->count };

		for (int k = 0; k < 3; k++) {
			snprintf(word[w], sizeof(word[0]), "%lu", value[k]);
			argv[a++] = word[w++];
		}
	}
	argv[a] = NULL;
	if ((helper = fork()) == -1)
		return strerror(errno);
	if (helper == 0) {
		execvp(program, argv);
		_exit(127);
	}
	while (waitpid(helper, &status, 0) == -1 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return NULL;
	return WIFEXITED(status) && WEXITSTATUS(status) == 127 ?
	    "newuidmap or newgidmap is missing (install the package uidmap)" :
	    "newuidmap or newgidmap refused (its message is above)";
}

const char *
idmap_write(pid_t pid, bool privileged)
{
	struct range range[RANGES_MAX];
	const struct passwd *pw;
	const char *why, *name;
	size_t n;

	if (privileged) {
		why = write_all(pid, "uid_map", "/proc/self/uid_map");
		return why != NULL ? why : write_all(pid, "gid_map", "/proc/self/gid_map");
	}
	pw = getpwuid(getuid());
	name = pw != NULL ? pw->pw_name : "";
	n = ranges_subordinate("/etc/subuid", name, getuid(), range);
	if (n == 0)
		return "you have no line in /etc/subuid (root can add one: usermod --add-subuids)";
	if ((why = run_helper(pid, "newuidmap", getuid(), range, n)) != NULL)
		return why;
	n = ranges_subordinate("/etc/subgid", name, getuid(), range);
	if (n == 0)
		return "you have no line in /etc/subgid (root can add one: usermod --add-subgids)";
	return run_helper(pid, "newgidmap", getgid(), range, n);
}
