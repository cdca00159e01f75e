/*
 * resolv.c - the host's resolv.conf, and the one that the tree sees.
 *
 * The tree's own says one thing of its own, that names are asked at the inside gateway,
 * and keeps the host's search, domain and options lines, so short names go on working.
 * The host's nameservers go to cf-dns, unless -d names others, and again whenever the file
 * has changed (follow.c); the tree's own file stays as it was made.
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

#include "inside.h"
#include "log.h"
#include "spawn.h"

#define FILE_MAX	(1 << 20)

/* A whole text file, zero-terminated, at most FILE_MAX long; NULL and errno. */
static char *
file_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), saved;
	struct stat st;
	char *text = NULL;
	size_t len = 0;
	ssize_t n = 0;

	if (fd == -1)
		return NULL;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		errno = EINVAL;
	} else if (st.st_size > FILE_MAX) {
		errno = EFBIG;
	} else if ((text = malloc(FILE_MAX + 1)) != NULL) {
		while (len < FILE_MAX && (n = read(fd, text + len, FILE_MAX - len)) > 0)
			len += (size_t)n;
		text[len] = '\0';
		if (n == -1 || strlen(text) != len) {
			errno = n == -1 ? errno : EILSEQ;	/* a zero byte is no text */
			free(text);
			text = NULL;
		}
	}
	saved = errno;
	close(fd);
	errno = saved;
	return text;
}

/* Is the first word of line one of those that the tree's file keeps? */
static bool
line_kept(const char *line)
{
	static const char *const kept[] = { "search", "domain", "options" };

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		size_t len = strlen(kept[i]);

		if (strncmp(line, kept[i], len) == 0 && (line[len] == ' ' || line[len] == '\t'))
			return true;
	}
	return false;
}

static void
nameserver_take(const char *line, struct resolvers *r)
{
	char word[ADDR_STRLEN];

	/* resolv.conf(5) has no ports; an address with a zone (fe80::1%eth0) is skipped. */
	if (r->n < RESOLVERS_MAX && sscanf(line, "nameserver %63s", word) == 1 &&
	    addr_parse(word, INSIDE_DNS_PORT, &r->at[r->n]))
		r->n++;
}

bool
resolv_parse(const char *text, struct texts *t)
{
	const char *line, *end;
	char *out, *p;

	out = malloc(strlen(text) + sizeof("nameserver " INSIDE_GATEWAY4 "\n") + 1);
	if (out == NULL)
		return false;
	p = stpcpy(out, "nameserver " INSIDE_GATEWAY4 "\n");
	for (line = text; *line != '\0'; line = *end == '\0' ? end : end + 1) {
		end = strchrnul(line, '\n');
		nameserver_take(line, &t->resolvers);
		if (line_kept(line)) {
			memcpy(p, line, (size_t)(end - line));
			p += end - line;
			*p++ = '\n';
		}
	}
	*p = '\0';
	t->resolv = out;
	return true;
}

const char *
resolvers_again(struct resolvers *out)
{
	char *text = file_read(RESOLV_CONF);
	struct texts t = { 0 };
	bool ok;

	if (text == NULL)
		return strerror(errno);
	ok = resolv_parse(text, &t);
	free(text);
	free(t.resolv);
	*out = t.resolvers;
	return !ok ? "out of memory" : t.resolvers.n == 0 ? "it names no server" : NULL;
}

/* Put what --hosts-file and then what --add-host says over the host's file. */
static void
hosts_read(struct texts *t, const struct conf *conf)
{
	char *file = NULL, *host, *merged, why[256];

	if (conf->hosts_file == NULL && conf->added_hosts == NULL) {
		/* The C library takes one that cannot be read for empty, and so do we. */
		t->host_hosts = names_wanted(conf) ? file_read(HOSTS_FILE) : NULL;
		return;
	}
	if (conf->hosts_file != NULL && (file = file_read(conf->hosts_file)) == NULL)
		fatal("cannot read --hosts-file %s", conf->hosts_file);
	if ((host = file_read(HOSTS_FILE)) == NULL)
		fatal("cannot read %s, which --hosts-file and --add-host are put over (create an "
		    "empty one)", HOSTS_FILE);
	merged = hosts_merge(file != NULL ? file : "", host, why, sizeof(why));
	if (merged == NULL)
		fatalx("--hosts-file %s: %s", conf->hosts_file, why);
	t->hosts = hosts_merge(conf->added_hosts != NULL ? conf->added_hosts : "", merged, why,
	    sizeof(why));
	if (t->hosts == NULL)
		fatalx("--add-host: %s", why);
	free(file);
	free(host);
	free(merged);
}

void
texts_read(struct texts *t, const struct conf *conf)
{
	char *text = file_read(RESOLV_CONF);

	*t = (struct texts){ 0 };
	if (text == NULL && errno != ENOENT)
		fatal("cannot read %s (names would not resolve; mend the file)", RESOLV_CONF);
	if (text != NULL && !resolv_parse(text, t))
		fatal("cannot read %s", RESOLV_CONF);
	if (text == NULL)
		log_warnx("warning: there is no %s to put ours over: most programs will not "
		    "resolve names (create an empty one)", RESOLV_CONF);
	free(text);
	if (conf->ndns > 0) {
		memcpy(t->resolvers.at, conf->dns, sizeof(t->resolvers.at));
		t->resolvers.n = conf->ndns;
	}
	hosts_read(t, conf);
}
