/*
 * mounts.c - what the tree sees in place of a few of the host's files.
 *
 * resolv.conf names the inside resolver; hosts is the user's, where he gave one; and the
 * sockets of name services that would answer behind our back (nscd, systemd-resolved,
 * avahi) are covered by empty directories, so they stay covered when the service makes
 * its socket anew; so are those that sockets.c has found.  /etc/resolv.conf may be a
 * symlink into /run: what it leads to is covered.
 *
 * The stand-ins are files of a tmpfs that is mounted over some directory for a moment,
 * bound to their places, and let go; no file is made on the host.  Mounts of the host
 * still arrive (slave), ours never leave.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spawn.h"

/* Directories of services that resolve names for whoever can open their socket. */
static const char *const name_services[] = {
	"/run/nscd", "/var/run/nscd", "/run/systemd/resolve", "/run/avahi-daemon",
	"/var/run/avahi-daemon"
};
#define NSERVICES	(sizeof(name_services) / sizeof(name_services[0]))

static bool
below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

static int
file_make(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444), saved;
	size_t len = strlen(text);
	bool ok;

	if (fd == -1)
		return -1;
	ok = write(fd, text, len) == (ssize_t)len;
	saved = errno;
	close(fd);
	errno = saved;
	return ok ? 0 : -1;
}

/* Put src over target, read-only. */
static int
cover(const char *src, const char *target)
{
	const unsigned long flags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (mount(src, target, NULL, MS_BIND, NULL) != 0)
		return -1;
	return mount(NULL, target, NULL, flags, NULL);
}

const char *
mounts_service(size_t i)
{
	return i < NSERVICES ? name_services[i] : NULL;
}

bool
mounts_names(const char *path)
{
	for (size_t i = 0; i < NSERVICES; i++)
		if (below(path, name_services[i]) || strcmp(path, name_services[i]) == 0)
			return true;
	return false;
}

static bool
any_below(const struct covers *c, const char *dir)
{
	for (size_t i = 0; i < c->n; i++)
		if (below(c->path[i], dir))
			return true;
	return false;
}

/* A directory that can carry the tmpfs for a moment: none of ours may lie below it. */
static const char *
stage_find(const char *resolv, const struct covers *c)
{
	static const char *const candidates[] = { "/tmp", "/mnt", "/srv", "/opt", "/home", "/media",
	    "/var/tmp", "/boot", "/usr" };
	struct stat st;

	for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++)
		if (!below(resolv, candidates[i]) && !any_below(c, candidates[i]) &&
		    lstat(candidates[i], &st) == 0 && S_ISDIR(st.st_mode))
			return candidates[i];
	errno = ENOENT;
	return NULL;
}

/*
 * Cover the directory of one name service, if the host has it.  Where resolv.conf leads
 * into it, the cover holds our text under that name.
 */
static int
service_cover(const char *stage, size_t number, const char *service, const char *resolv,
    const char *text)
{
	char dir[PATH_MAX], target[PATH_MAX], file[PATH_MAX + NAME_MAX];

	if (realpath(service, target) == NULL || strcmp(target, service) != 0)
		return 0;		/* not there, or another name of one in the list */
	snprintf(dir, sizeof(dir), "%s/service%zu", stage, number);
	if (mkdir(dir, 0555) != 0)
		return -1;
	if (below(resolv, service) && strchr(resolv + strlen(service) + 1, '/') == NULL) {
		snprintf(file, sizeof(file), "%s/%s", dir, resolv + strlen(service) + 1);
		if (file_make(file, text) != 0)
			return -1;
	}
	return cover(dir, target);
}

/* An empty file or directory over each; what is gone by now, or out of reach, needs none. */
static int
sockets_cover(const char *stage, const struct covers *c)
{
	char dir[PATH_MAX], file[PATH_MAX];
	struct stat st;

	snprintf(dir, sizeof(dir), "%s/empty", stage);
	snprintf(file, sizeof(file), "%s/nothing", stage);
	if (c->n > 0 && (mkdir(dir, 0555) != 0 || file_make(file, "") != 0))
		return -1;
	for (size_t i = 0; i < c->n; i++)
		if ((lstat(c->path[i], &st) != 0 ||
		    cover(S_ISDIR(st.st_mode) ? dir : file, c->path[i]) != 0) &&
		    errno != ENOENT && errno != EACCES)
			return -1;
	return 0;
}

static int
stage_fill(const char *stage, const char *resolv, const struct texts *t, const struct covers *c,
    const char **what)
{
	char file[PATH_MAX];
	bool covered = false;

	*what = "write the stand-in for " RESOLV_CONF;
	snprintf(file, sizeof(file), "%s/resolv.conf", stage);
	if (t->resolv != NULL && file_make(file, t->resolv) != 0)
		return -1;
	for (size_t i = 0; i < NSERVICES; i++) {
		*what = "cover the sockets of a name service";
		if (service_cover(stage, i, name_services[i], resolv,
		    t->resolv != NULL ? t->resolv : "") != 0)
			return -1;
		covered |= below(resolv, name_services[i]);
	}
	*what = "cover sockets that lend out what is outside";
	if (sockets_cover(stage, c) != 0)
		return -1;
	*what = "put our resolv.conf over the host's";
	if (t->resolv != NULL && !covered && cover(file, resolv) != 0)
		return -1;
	if (t->hosts == NULL)
		return 0;
	*what = "put the merged hosts file over " HOSTS_FILE;
	snprintf(file, sizeof(file), "%s/hosts", stage);
	return file_make(file, t->hosts) == 0 ? cover(file, HOSTS_FILE) : -1;
}

/* What the tree must not change, though its user may: it is read-only for it. */
static int
record_cover(const char *path, int fd)
{
	struct stat seen, ours;

	if (path == NULL || fstat(fd, &ours) != 0 || !S_ISREG(ours.st_mode) ||
	    stat(path, &seen) != 0 || seen.st_dev != ours.st_dev || seen.st_ino != ours.st_ino)
		return 0;		/* it has no name that leads there */
	return cover(path, path);
}

static int
records_cover(const struct conf *conf, const char **what)
{
	const struct capture *c = &conf->capture;
	int rc = 0;

	*what = "make the capture read-only for the tree";
	for (size_t i = 0; rc == 0 && i < c->n_files; i++)
		rc = record_cover(c->file[i].path, c->file[i].fd);
	if (rc != 0)
		return rc;
	*what = "make the flow log read-only for the tree";
	if (record_cover(conf->log_path, conf->log_fd) != 0)
		return -1;
	*what = "make the profile that is learned read-only for the tree";
	return record_cover(conf->learn_file, conf->learn_fd);
}

int
mounts_make(const struct texts *t, const struct conf *conf, const char **what)
{
	char resolv[PATH_MAX] = "";
	const char *stage;
	int rc, saved;

	*what = "make the mount namespace private";
	if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) != 0)
		return -1;
	*what = "find what " RESOLV_CONF " leads to";
	if (t->resolv != NULL && realpath(RESOLV_CONF, resolv) == NULL)
		return -1;
	*what = "find a directory for the stand-ins";
	if ((stage = stage_find(resolv, &conf->covers)) == NULL)
		return -1;
	*what = "mount a tmpfs for the stand-ins";
	if (mount("childflow", stage, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755") != 0)
		return -1;
	rc = stage_fill(stage, resolv, t, &conf->covers, what);
	saved = errno;
	umount2(stage, MNT_DETACH);
	errno = saved;
	if (rc == 0)
		rc = records_cover(conf, what);
	return rc;
}
