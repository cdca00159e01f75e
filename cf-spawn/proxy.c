/*
 * proxy.c - what the upstream proxies of a run need before it starts: addresses, certificates, and the
 * list of them on a memfd.
 *
 * The first proxy's name is looked up once, as the host looks up names, by a process of its own: what
 * the network answers is not parsed here, and is not waited for longer than --connect-timeout.
 * The names of the others go to the proxy before them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "spawn.h"

#define CA_MAX	(4 << 20)

/* What the process that looks up a name says; then it ends. */
struct looked_up {
	int		 error;		/* of getaddrinfo(3) */
	size_t		 n;
	struct addr	 at[PROXY_ADDRS_MAX];
};

static _Noreturn void
look_up(int fd, const char *name, const struct identity *id)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *list = NULL;
	struct looked_up out = { 0 };
	struct sockaddr_storage ss;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (identity_become_helper(id) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		_exit(1);
	out.error = getaddrinfo(name, NULL, &hints, &list);
	for (; out.error == 0 && list != NULL && out.n < PROXY_ADDRS_MAX; list = list->ai_next) {
		memset(&ss, 0, sizeof(ss));
		memcpy(&ss, list->ai_addr, list->ai_addrlen);
		out.n += addr_from_sockaddr(&ss, &out.at[out.n]);
	}
	_exit(write(fd, &out, sizeof(out)) == (ssize_t)sizeof(out) ? 0 : 1);
}

static void
name_find(struct proxyopts *p, const struct identity *id)
{
	const struct hop *h = &p->hops.hop[0];
	struct looked_up in = { 0 };
	struct pollfd pfd = { .events = POLLIN };
	int fd[2], status;
	bool came;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) != 0 || (pid = fork()) == -1)
		fatal("cannot look up the proxy's name");
	if (pid == 0)
		look_up(fd[1], h->name, id);
	close(fd[1]);
	pfd.fd = fd[0];
	came = poll(&pfd, 1, (int)p->connect_timeout * 1000) == 1 &&
	    read(fd[0], &in, sizeof(in)) == (ssize_t)sizeof(in);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(fd[0]);
	if (!came || in.error != 0 || in.n == 0)
		fatalx("upstream proxy %s: its name was not found: %s (it is looked up on the host)", p->name,
		    !came ? "no answer" : in.error != 0 ? gai_strerror(in.error) : "it has no address");
	for (size_t i = 0; i < in.n && i < PROXY_ADDRS_MAX; i++) {
		p->at[i] = in.at[i];
		p->at[i].port = h->addr.port;
	}
	p->n_at = in.n;
}

static uint8_t *
ca_read(const char *file, size_t *len)
{
	uint8_t *text = malloc(CA_MAX + 1);
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	if (text == NULL || fd == -1)
		fatal("cannot read --proxy-ca %s", file);
	for (*len = 0; *len <= CA_MAX && n > 0; *len += (size_t)n)
		if ((n = read(fd, text + *len, CA_MAX + 1 - *len)) == -1)
			fatal("cannot read --proxy-ca %s", file);
	close(fd);
	if (*len > CA_MAX)
		fatalx("--proxy-ca %s is larger than 4 MiB", file);
	if (memmem(text, *len, "-----BEGIN CERTIFICATE-----", 27) == NULL &&
	    memmem(text, *len, "-----BEGIN TRUSTED CERTIFICATE-----", 35) == NULL)
		fatalx("there is no certificate in --proxy-ca %s (PEM is wanted: -----BEGIN "
		    "CERTIFICATE-----)", file);
	return text;
}

void
proxy_check(struct conf *conf)
{
	struct proxyopts *p = &conf->proxy;

	if (p->given && p->ca_file != NULL)
		free(ca_read(p->ca_file, &p->hops.ca_len));
}

static void
list_make(struct proxyopts *p)
{
	size_t len = HOPS_MAX * 1024 + p->hops.ca_len;
	uint8_t *bytes = malloc(len);
	struct wr w;
	size_t n;

	if (bytes == NULL)
		fatal("cannot hand the list of proxies to cf-upstream");
	w = wr_over(bytes, len);
	hops_put(&w, &p->hops);
	n = (size_t)(w.p - bytes);
	p->fd = memfd_create("childflow-proxies", MFD_CLOEXEC);
	if (w.bad || p->fd == -1 || write(p->fd, bytes, n) != (ssize_t)n)
		fatal("cannot hand the list of proxies to cf-upstream");
	explicit_bzero(bytes, n);
	free(bytes);
}

void
proxy_make(struct conf *conf, const struct identity *id)
{
	struct proxyopts *p = &conf->proxy;
	uint8_t *ca = NULL;

	if (!p->given)
		return;
	if (p->ca_file != NULL)
		p->hops.ca = ca = ca_read(p->ca_file, &p->hops.ca_len);
	if (p->hops.hop[0].name[0] != '\0') {
		name_find(p, id);
	} else {
		p->at[0] = p->hops.hop[0].addr;
		p->n_at = 1;
	}
	list_make(p);
	free(ca);
	explicit_bzero(&p->hops, sizeof(p->hops));
}
