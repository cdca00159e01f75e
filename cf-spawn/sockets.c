/*
 * sockets.c - sockets of the file system by which others act for the tree.
 *
 * A unix socket with a path is reached through the file system, and no network namespace
 * stands between (an abstract one belongs to the namespace, so those of the host are not
 * there at all).  Who listens may start processes outside, fetch, or sign: docker, the
 * buses, a terminal's server, an agent.  Where something is refused to the tree, or with
 * --seal sockets, they are covered:
 *
 *	- the known ones, by the table below: directories where they have one of their own, so
 *	  that a socket that is made later is covered too;
 *	- what any variable of the environment names;
 *	- all that is bound now, by the kernel's list: whatever it is, the tree was not given it.
 *
 * (landlock.c adds to --seal sockets what a newer kernel can do better.)
 *
 * cf-spawn finds them while it still sees the host's list; mounts.c covers them in the tree's
 * own mount namespace.  --allow-socket leaves one out.
 *
 * Not covered: a socket outside the known directories that is made after the start, one
 * that was bound by a relative path, and one that the caller himself cannot look up.  Those
 * that answer names are always covered, by mounts.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "spawn.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define DEPTH_MAX	8

extern char **environ;

/* A pattern for glob(3); ~ is the user's home, and % his directory below /run/user. */
static const struct {
	const char	*pattern, *lends;
} known[] = {
	{ "/run/docker.sock",		"containers on any network, with any file" },
	{ "%/docker.sock",		"the same" },
	{ "~/.docker/run",		"the same" },
	{ "~/.docker/desktop",		"the same" },
	{ "/run/podman",		"the same" },
	{ "%/podman",			"the same" },
	{ "/run/containerd",		"the same" },
	{ "%/containerd*",		"the same" },
	{ "/run/k3s",			"the same" },
	{ "/run/crio",			"the same" },
	{ "/run/buildkit",		"image builds, which fetch" },
	{ "%/buildkit",			"the same" },
	{ "/run/libvirt",		"virtual machines" },
	{ "%/libvirt",			"the same" },
	{ "/var/lib/lxd/unix.socket",	"containers" },
	{ "/var/snap/lxd/common/lxd/unix.socket", "the same" },
	{ "/var/lib/incus/unix.socket",	"the same" },
	{ "/run/snapd*.socket",		"packages, fetched and installed" },
	{ "/run/dbus",			"the system's services, which start processes and connect" },
	{ "%/bus",			"the session's services: systemd --user runs commands" },
	{ "%/dbus-1",			"the same" },
	{ "%/at-spi",			"the same, and other programs' windows" },
	{ "/tmp/dbus-*",		"the same" },
	{ "/run/systemd/private",	"commands, as units of the system" },
	{ "/run/systemd/machine",	"containers" },
	{ "/run/systemd/io.systemd.*",	"services of the system" },
	{ "%/systemd",			"commands, as units of the user" },
	{ "/tmp/.X11-unix",		"other programs' windows and keys: a terminal obeys" },
	{ "/tmp/.ICE-unix",		"the session manager, which starts programs" },
	{ "%/wayland-*",		"the screen, the clipboard, the keyboard" },
	{ "/tmp/tmux-[0-9]*",	"a shell outside" },
	{ "/run/screen",		"the same" },
	{ "/tmp/screens",		"the same" },
	{ "~/.screen",			"the same" },
	{ "/tmp/ssh-*/agent.*",		"keys, and logins with them" },
	{ "%/openssh_agent",		"the same" },
	{ "%/ssh-agent*",		"the same" },
	{ "%/keyring",			"the same, and passwords" },
	{ "%/gcr",			"the same" },
	{ "%/gnupg",			"the same; its dirmngr fetches from key servers" },
	{ "~/.gnupg/S.*",		"the same" },
	{ "/run/pcscd",			"keys on cards" },
	{ "%/pulse",			"sound, also over the network" },
	{ "%/pipewire-*",		"the same" },
	{ "/run/cups",			"printers of the network" },
	{ "/nix/var/nix/daemon-socket",	"builds, which fetch" },
	{ "/var/guix/daemon-socket",	"the same" },
	{ "/run/tailscale",		"a network" },
	{ "/run/wpa_supplicant",	"a network" },
	{ "/run/mysqld",		"a server with files and connections of its own" },
	{ "/run/postgresql",		"the same" },
};

/* Bound on most hosts, and lending nothing: what ends in '/' is all below it. */
static const struct {
	const char	*path, *why;
} harmless[] = {
	{ "/run/systemd/journal/",	"takes lines of the log" },
	{ "/dev/log",			"the same" },
	{ "/run/systemd/userdb/",	"names of users, of this host" },
};

struct search {
	struct covers	*out;
	const struct seal *seal;
	char		 keep[SEAL_LIST_MAX + 1][PATH_MAX];	/* as the kernel spells them */
	size_t		 nkeep;
};

static bool
below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

/* Is it, or does it hold, what must stay as it is? */
static bool
keeps(const struct search *s, const char *path)
{
	for (size_t i = 0; i < s->nkeep; i++)
		if (strcmp(s->keep[i], path) == 0 || below(s->keep[i], path))
			return true;
	return false;
}

static bool
covered(const struct covers *c, const char *path)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->path[i], path) == 0 || below(path, c->path[i]))
			return true;
	return mounts_names(path);
}

static void
cover_add(struct covers *c, const char *path)
{
	char **more = realloc(c->path, (c->n + 1) * sizeof(*more));

	if (more == NULL || (more[c->n] = strdup(path)) == NULL)
		fatal("cannot cover sockets");
	c->path = more;
	c->n++;
	log_debug("%s is covered", path);
}

static void
cover_alias(void *covers, const char *path)
{
	if (!covered(covers, path))
		cover_add(covers, path);
}

/* Cover what is there under this name: a socket, or a directory of them. */
static void
look_at(struct search *s, const char *name, unsigned depth)
{
	char path[PATH_MAX], entry_path[PATH_MAX + NAME_MAX + 2];
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	if (realpath(name, path) == NULL || stat(path, &st) != 0 || covered(s->out, path))
		return;
	if (!keeps(s, path)) {
		if (S_ISSOCK(st.st_mode) || S_ISDIR(st.st_mode)) {
			cover_add(s->out, path);
			aliases_find(path, cover_alias, s->out);
		}
		return;
	}
	if (!S_ISDIR(st.st_mode) || depth == DEPTH_MAX || (dir = opendir(path)) == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(entry_path, sizeof(entry_path), "%s/%s", path, entry->d_name);
		if (entry->d_type == DT_SOCK || entry->d_type == DT_DIR)
			look_at(s, entry_path, depth + 1);
	}
	closedir(dir);
}

static void
look_at_socket(struct search *s, const char *name)
{
	struct stat st;

	if (stat(name, &st) == 0 && S_ISSOCK(st.st_mode))
		look_at(s, name, 0);
}

/* ---- where to look ---- */

static void
look_at_known(struct search *s, const struct identity *id)
{
	const char *home = id->home != NULL ? id->home : getenv("HOME");
	const char *run = id->home != NULL ? NULL : getenv("XDG_RUNTIME_DIR");
	char own[64], pattern[PATH_MAX];
	glob_t found;

	snprintf(own, sizeof(own), "/run/user/%u", (unsigned)id->uid);
	for (size_t i = 0; i < COUNT(known); i++) {
		const char *p = known[i].pattern, *base = "";

		if (*p == '~' || *p == '%')
			base = *p++ == '~' ? home : run != NULL && *run == '/' ? run : own;
		if (base == NULL || (size_t)snprintf(pattern, sizeof(pattern), "%s%s", base, p) >=
		    sizeof(pattern))
			continue;
		if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
			continue;
		for (size_t k = 0; k < found.gl_pathc; k++)
			look_at(s, found.gl_pathv[k], 0);
		globfree(&found);
	}
}

/* SSH_AUTH_SOCK=/path, DOCKER_HOST=unix:///path, DBUS_...=unix:path=/path,guid=..., TMUX=/path,1,0 */
static void
look_at_environment(struct search *s)
{
	char path[PATH_MAX];

	for (char **variable = environ; *variable != NULL; variable++) {
		const char *value = strchr(*variable, '='), *from;
		size_t len;

		if (value == NULL || (from = strchr(value, '/')) == NULL)
			continue;
		len = strcspn(from, ",;");
		if (len >= sizeof(path))
			continue;
		memcpy(path, from, len);
		path[len] = '\0';
		look_at_socket(s, path);
	}
}

const char *
sockets_harmless(size_t i)
{
	return i < COUNT(harmless) ? harmless[i].path : NULL;
}

static bool
is_harmless(const char *path)
{
	for (size_t i = 0; i < COUNT(harmless); i++) {
		size_t len = strlen(harmless[i].path);

		if (strcmp(path, harmless[i].path) == 0 ||
		    (harmless[i].path[len - 1] == '/' && strncmp(path, harmless[i].path, len) == 0))
			return true;
	}
	return false;
}

/* "Num RefCount Protocol Flags Type St Inode Path", of our network namespace. */
static void
look_at_bound(struct search *s)
{
	FILE *f = fopen("/proc/net/unix", "re");
	size_t size = 0;
	char *line = NULL;

	if (f == NULL) {
		if (errno != ENOENT)
			fatal("cannot read which sockets are bound (/proc/net/unix)");
		log_warnx("there is no /proc/net/unix, so only known sockets are covered (mount "
		    "/proc)");
		return;
	}
	while (getline(&line, &size, f) > 0) {
		char *path = strstr(line, " /");

		if (path == NULL)
			continue;
		line[strcspn(line, "\n")] = '\0';
		if (!is_harmless(path + 1))
			look_at_socket(s, path + 1);
	}
	free(line);
	fclose(f);
}

/* Ends the process where it cannot be left open, as nobody would know. */
static void
keep_allowed(struct search *s)
{
	for (size_t i = 0; i < s->seal->nallow; i++) {
		if (realpath(s->seal->allow_socket[i], s->keep[s->nkeep]) == NULL)
			fatal("cannot find --allow-socket %s", s->seal->allow_socket[i]);
		if (mounts_names(s->keep[s->nkeep]))
			fatalx("--allow-socket %s: who listens there answers names past the resolver: "
			    "it stays covered", s->seal->allow_socket[i]);
		s->nkeep++;
	}
}

/* Services that answer names are covered by mounts.c where they are at home. */
static void
names_by_other_paths(struct covers *c)
{
	const char *dir;

	for (size_t i = 0; (dir = mounts_service(i)) != NULL; i++)
		if (access(dir, F_OK) == 0)
			aliases_find(dir, cover_alias, c);
}

void
sockets_find(struct conf *conf, const struct identity *id)
{
	static struct search s;

	names_by_other_paths(&conf->covers);
	if (!seal_restricted(conf) && (conf->seal.parts & SEAL_SOCKETS) == 0)
		return;
	s.out = &conf->covers;
	s.seal = &conf->seal;
	keep_allowed(&s);
	if (realpath(RESOLV_CONF, s.keep[s.nkeep]) != NULL)
		s.nkeep++;		/* mounts.c has to find it */
	look_at_known(&s, id);
	look_at_environment(&s);
	look_at_bound(&s);
	log_info("%zu sockets and directories of sockets are covered (--allow-socket opens one, -vv "
	    "lists them)", conf->covers.n);
}
