/*
 * upstream.c - the proxies behind a stand-alone one: passwords, addresses, and the list of them.
 *
 * The first proxy's name is looked up here, once, as the host looks up names, before anything is
 * sealed and with the rights that the process will have.  The names of the others go to the
 * proxy before them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "listen.h"
#include "log.h"

#define CA_MAX	(4 << 20)
#define AT_MAX	16

static uint8_t *
room(size_t len)
{
	uint8_t *p = malloc(len);

	if (p == NULL)
		fatal("cannot start");
	return p;
}

static uint8_t *
file_read(const char *option, const char *file, size_t most, size_t *len)
{
	uint8_t *text = room(most + 1);
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	if (fd == -1)
		fatal("cannot read %s %s", option, file);
	for (*len = 0; *len <= most && n > 0; *len += (size_t)n)
		if ((n = read(fd, text + *len, most + 1 - *len)) == -1)
			fatal("cannot read %s %s", option, file);
	close(fd);
	if (*len > most)
		fatalx("%s %s is longer than %zu bytes", option, file, most);
	return text;
}

/* The first line of the file. */
static void
login_set(struct hop *h, const char *user, const char *file)
{
	uint8_t *text;
	size_t len, n;

	if (user == NULL && file == NULL)
		return;
	if (user == NULL || file == NULL)
		fatalx("a proxy has a %s and no %s (see --proxy-user and --proxy-password-file)",
		    user != NULL ? "user" : "password", user != NULL ? "password" : "user");
	text = file_read("--proxy-password-file", file, HOP_SECRET_MAX + 2, &len);
	for (n = 0; n < len && text[n] != '\n' && text[n] != '\r'; n++)
		;
	if (n == 0 || n > HOP_SECRET_MAX || strlen(user) > HOP_SECRET_MAX || *user == '\0')
		fatalx("user and password of a proxy have 1 to %d bytes", HOP_SECRET_MAX);
	h->has_auth = true;
	snprintf(h->user, sizeof(h->user), "%s", user);
	snprintf(h->pass, sizeof(h->pass), "%.*s", (int)n, (const char *)text);
	explicit_bzero(text, len);
	free(text);
}

static size_t
addresses_find(const struct hop *h, struct addr at[AT_MAX])
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *list = NULL, *ai;
	char name[HOP_STRLEN];
	size_t n = 0;
	int rc;

	if (h->name[0] == '\0') {
		at[0] = h->addr;
		return 1;
	}
	if ((rc = getaddrinfo(h->name, NULL, &hints, &list)) != 0)
		fatalx("upstream proxy %s: its name was not found: %s", hop_str(h, name),
		    gai_strerror(rc));
	for (ai = list; ai != NULL && n < AT_MAX; ai = ai->ai_next) {
		struct sockaddr_storage ss = { 0 };

		memcpy(&ss, ai->ai_addr, ai->ai_addrlen);
		if (!addr_from_sockaddr(&ss, &at[n]))
			continue;
		at[n++].port = h->addr.port;
	}
	freeaddrinfo(list);
	if (n == 0)
		fatalx("upstream proxy %s: its name has no address", hop_str(h, name));
	return n;
}

int
upstream_make(struct options *o, struct addr at[AT_MAX], size_t *n)
{
	struct hops *hops = &o->hops;
	uint8_t *ca = NULL, *bytes;
	struct wr w;
	int fd;

	if (hops->n == 0)
		return -1;
	for (size_t i = 0; i < hops->n; i++)
		login_set(&hops->hop[i], o->user[i], o->pass_file[i]);
	if (o->ca_file != NULL)
		hops->ca = ca = file_read("--proxy-ca", o->ca_file, CA_MAX, &hops->ca_len);
	*n = addresses_find(&hops->hop[0], at);
	bytes = room(HOPS_BYTES_MAX);
	w = wr_over(bytes, HOPS_BYTES_MAX);
	hops_put(&w, hops);
	fd = memfd_create("childflow-proxies", 0);
	if (w.bad || fd == -1 || write(fd, bytes, (size_t)(w.p - bytes)) != w.p - bytes)
		fatal("cannot hand the list of proxies to cf-upstream");
	explicit_bzero(bytes, (size_t)(w.p - bytes));
	free(bytes);
	free(ca);
	for (size_t i = 0; i < hops->n; i++)
		explicit_bzero(hops->hop[i].pass, sizeof(hops->hop[i].pass));
	return fd;
}
