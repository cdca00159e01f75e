/*
 * trust.c - which local profiles the user has read and made his own word.
 *
 * ~/.config/childflow/trusted has a line for each, as sha256sum(1) writes them: the sum of
 * the bytes and the whole path.  Another file, another place or one changed byte is not
 * trusted.  A list that somebody else could have written is no list.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "profile.h"

#define LIST		"trusted"

bool
trust_config_dir(char out[PROFILE_PATH_MAX])
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	/* XDG Base Directory Specification: a path that is not absolute is ignored. */
	if (xdg != NULL && xdg[0] == '/')
		return snprintf(out, PROFILE_PATH_MAX, "%s/childflow", xdg) < PROFILE_PATH_MAX;
	return home != NULL && home[0] == '/' &&
	    snprintf(out, PROFILE_PATH_MAX, "%s/.config/childflow", home) < PROFILE_PATH_MAX;
}

static bool
list_path(char out[PROFILE_PATH_MAX])
{
	char dir[PROFILE_PATH_MAX];

	return trust_config_dir(dir) &&
	    snprintf(out, PROFILE_PATH_MAX, "%s/" LIST, dir) < PROFILE_PATH_MAX;
}

/* NULL: there is none, or it is not to be believed. */
static FILE *
list_open(void)
{
	char path[PROFILE_PATH_MAX];
	struct stat st;
	FILE *f;

	if (!list_path(path) || (f = fopen(path, "re")) == NULL)
		return NULL;
	if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_uid == geteuid() || st.st_uid == 0) && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return f;
	log_warnx("%s is not used: it is not a file of yours that only you can write (chmod 600)",
	    path);
	fclose(f);
	return NULL;
}

/* "SUM  PATH"; false: it cannot stand in a line. */
static bool
entry(const char *path, const void *bytes, size_t len, char *out, size_t outlen)
{
	char sum[SHA256_HEX];

	sha256_hex(bytes, len, sum);
	return strpbrk(path, "\n\r") == NULL &&
	    (size_t)snprintf(out, outlen, "%s  %s", sum, path) < outlen;
}

bool
trust_has(const char *path, const void *bytes, size_t len)
{
	char want[PROFILE_PATH_MAX + SHA256_HEX + 2], *line = NULL;
	bool found = false;
	size_t room = 0;
	FILE *f;

	if (!entry(path, bytes, len, want, sizeof(want)) || (f = list_open()) == NULL)
		return false;
	while (!found && getline(&line, &room, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		found = strcmp(line, want) == 0;
	}
	free(line);
	fclose(f);
	return found;
}

/* The lines of the list but those for this path, into the new one. */
static void
copy_others(FILE *to, const char *path)
{
	FILE *from = list_open();
	size_t room = 0, n;
	char *line = NULL;

	while (from != NULL && getline(&line, &room, from) > 0) {
		n = strcspn(line, "\n");
		line[n] = '\0';
		if (n < SHA256_HEX + 1 || strcmp(line + SHA256_HEX + 1, path) != 0)
			fprintf(to, "%s\n", line);
	}
	free(line);
	if (from != NULL)
		fclose(from);
}

/* Make dir, and what it lies in; it may be there. */
static bool
make_dirs(char *dir)
{
	for (char *p = strchr(dir + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(dir, 0700);
		*p = '/';
	}
	return mkdir(dir, 0700) == 0 || errno == EEXIST;
}

/* A new list beside the old one, then in its place: a reader sees one or the other. */
static bool
write_list(const char *list, const char *path, const char *line)
{
	char fresh[PROFILE_PATH_MAX + 16];
	bool ok;
	FILE *f;
	int fd;

	snprintf(fresh, sizeof(fresh), "%s.XXXXXX", list);
	if ((fd = mkostemp(fresh, O_CLOEXEC)) == -1)	/* mode 0600 */
		return false;
	if ((f = fdopen(fd, "w")) == NULL) {
		close(fd);
		unlink(fresh);
		return false;
	}
	copy_others(f, path);
	fprintf(f, "%s\n", line);
	ok = fflush(f) == 0 && fsync(fd) == 0;
	ok = fclose(f) == 0 && ok && rename(fresh, list) == 0;
	if (!ok)
		unlink(fresh);
	return ok;
}

bool
trust_add(const char *given, char *why)
{
	char cwd[PROFILE_PATH_MAX], path[PROFILE_PATH_MAX], dir[PROFILE_PATH_MAX],
	    list[PROFILE_PATH_MAX], line[PROFILE_PATH_MAX + SHA256_HEX + 2], *bytes;
	size_t len;
	bool ok;

	if (getcwd(cwd, sizeof(cwd)) == NULL || !profile_path(cwd, given, path) ||
	    !trust_config_dir(dir) || !list_path(list)) {
		snprintf(why, PROFILE_WHY, "there is no place for the list: set HOME or "
		    "XDG_CONFIG_HOME");
		return false;
	}
	if ((bytes = profile_read(path, &len, why)) == NULL)
		return false;
	ok = entry(path, bytes, len, line, sizeof(line));
	free(bytes);
	if (!ok) {
		snprintf(why, PROFILE_WHY, "the path of %s cannot stand in the list", given);
		return false;
	}
	if (!make_dirs(dir) || !write_list(list, path, line)) {
		snprintf(why, PROFILE_WHY, "cannot write %.900s: %s", list, strerror(errno));
		return false;
	}
	printf("%s\n", line);
	return fflush(stdout) == 0;
}
