/*
 * proxyopts.c - the options about upstream proxies.
 *
 * A login belongs to the --proxy that stands before it; one that stands before all, and that of the
 * environment, to the first.  So no proxy of a chain is sent the password of another.
 *
 * What must stay true: a password is nowhere but here and then in the memfd that cf-upstream
 * reads: not in argv and not in the environment, neither ours nor the tree's (sources.c).
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

#include "cli.h"
#include "log.h"
#include "name.h"
#include "spawn.h"

#define TIMEOUT_MAX	3600

static struct proxyopts *
opts(void *conf)
{
	return &((struct conf *)conf)->proxy;
}

/* Whose login it is. */
static size_t
which(const struct proxyopts *p)
{
	return p->hops.n > 0 ? p->hops.n - 1 : 0;
}

bool
proxyopts_proxy(void *conf, const char *arg, char *why)
{
	struct proxyopts *p = opts(conf);
	const char *reason;

	if (p->hops.n == HOPS_MAX) {
		snprintf(why, CLI_WHY_LEN, "a chain has at most %d proxies", HOPS_MAX);
		return false;
	}
	if ((reason = hop_parse(arg, &p->hops.hop[p->hops.n])) != NULL) {
		snprintf(why, CLI_WHY_LEN, "%s", reason);
		return false;
	}
	p->hops.n++;
	p->given = true;
	return true;
}

static bool
secret_fits(const char *text, char *why)
{
	size_t len = strlen(text);

	if (len == 0 || len > HOP_SECRET_MAX)
		snprintf(why, CLI_WHY_LEN, "it has between 1 and %d bytes", HOP_SECRET_MAX);
	else if (text[strcspn(text, "\r\n")] != '\0')
		snprintf(why, CLI_WHY_LEN, "it has more than one line");
	else
		return true;
	return false;
}

bool
proxyopts_user(void *conf, const char *arg, char *why)
{
	struct proxyopts *p = opts(conf);

	if (!secret_fits(arg, why))
		return false;
	if (strchr(arg, ':') != NULL) {		/* RFC 7617 2 */
		snprintf(why, CLI_WHY_LEN, "there is a colon in it (the password is for "
		    "--proxy-password-file)");
		return false;
	}
	p->user[which(p)] = arg;
	return true;
}

/* The copy is ours; what was given is wiped. */
static bool
password_take(struct proxyopts *p, char *text, char *why)
{
	char *copy;

	if (!secret_fits(text, why))
		return false;
	if ((copy = strdup(text)) == NULL) {
		snprintf(why, CLI_WHY_LEN, "out of memory");
		return false;
	}
	explicit_bzero(text, strlen(text));
	free(p->pass[which(p)]);
	p->pass[which(p)] = copy;
	return true;
}

bool
proxyopts_password(void *conf, const char *arg, char *why)
{
	/* A copy that nobody needs any more (sources.c has taken it out of argv). */
	return password_take(opts(conf), (char *)arg, why);
}

bool
proxyopts_password_file(void *conf, const char *arg, char *why)
{
	char text[HOP_SECRET_MAX + 3];
	struct stat st;
	int fd = open(arg, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd != -1 && fstat(fd, &st) == 0 ? read(fd, text, sizeof(text) - 1) : -1;
	bool ok;

	if (n == -1) {
		snprintf(why, CLI_WHY_LEN, "cannot read it: %s", strerror(errno));
		if (fd != -1)
			close(fd);
		return false;
	}
	close(fd);
	if (S_ISREG(st.st_mode) && (st.st_mode & 077) != 0)
		log_warnx("warning: others can read --proxy-password-file %s (chmod 600 %s)", arg, arg);
	text[n] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	ok = password_take(opts(conf), text, why);
	explicit_bzero(text, sizeof(text));
	return ok;
}

bool
proxyopts_ca(void *conf, const char *arg, char *why)
{
	(void)why;
	opts(conf)->ca_file = arg;
	return true;
}

#define SWITCH(name, field)							\
bool										\
proxyopts_##name(void *conf, const char *arg, char *why)			\
{										\
	(void)arg, (void)why;							\
	opts(conf)->field = true;						\
	return true;								\
}
SWITCH(insecure, hops.insecure)
SWITCH(dns_direct, dns_direct)
SWITCH(udp_direct, udp_direct)
SWITCH(icmp_direct, icmp_direct)
#undef SWITCH

bool
proxyopts_only(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	opts(conf)->only = true;
	((struct conf *)conf)->rules.switches |= RULES_PROXY_ONLY;
	return true;
}

bool
proxyopts_names(void *conf, const char *arg, char *why)
{
	bool never = strcmp(arg, "never") == 0;

	if (!never && strcmp(arg, "auto") != 0 && strcmp(arg, "always") != 0) {
		snprintf(why, CLI_WHY_LEN, "it is one of auto, always and never");
		return false;
	}
	opts(conf)->names = arg;
	opts(conf)->names_never = never;
	return true;
}

/* "192.0.2.0/24", "2001:db8::1": what no name can be. */
static bool
is_network(const char *item, size_t len)
{
	return memchr(item, ':', len) != NULL || strspn(item, "0123456789./") >= len;
}

bool
proxyopts_direct(void *conf, const char *arg, char *why)
{
	struct proxyopts *p = opts(conf);
	size_t len;

	if (p->n_direct == PROXY_LISTS_MAX) {
		snprintf(why, CLI_WHY_LEN, "at most %d lists (put more into one)", PROXY_LISTS_MAX);
		return false;
	}
	p->direct[p->n_direct++] = arg;
	for (const char *item = arg; *item != '\0'; item += len + (item[len] != '\0')) {
		struct addr net;
		char text[ADDR_STRLEN], name[NAME_STRLEN];
		struct name_error err;
		const char *bare;

		len = strcspn(item, ", \t");
		if (len == 0)
			continue;
		snprintf(text, sizeof(text), "%.*s", (int)strcspn(item, ", \t/"), item);
		bare = item + (item[0] == '*' && len > 2 ? 2 : item[0] == '.');
		if (is_network(item, len) ? !addr_parse(text, 0, &net) || net.port != 0 :
		    !name_from_ascii(bare, len - (size_t)(bare - item), name, &err)) {
			snprintf(why, CLI_WHY_LEN, "%.*s is no network and no name (write "
			    "192.0.2.0/24,corp.example)", (int)(len < 60 ? len : 60), item);
			return false;
		}
		p->direct_names = p->direct_names || !is_network(item, len);
	}
	return true;
}

bool
proxyopts_timeout(void *conf, const char *arg, char *why)
{
	return cli_number(arg, 1, TIMEOUT_MAX, &opts(conf)->timeout, why);
}

bool
proxyopts_connect_timeout(void *conf, const char *arg, char *why)
{
	return cli_number(arg, 1, TIMEOUT_MAX, &opts(conf)->connect_timeout, why);
}

/* ---- together ---- */

static void
login_set(struct proxyopts *p, size_t i)
{
	struct hop *h = &p->hops.hop[i];
	char name[HOP_STRLEN];

	if (p->user[i] == NULL && p->pass[i] == NULL)
		return;
	if (p->user[i] == NULL || p->pass[i] == NULL)
		fatalx("%s: there is a %s and no %s (see -U and --proxy-password-file)",
		    hop_str(h, name), p->user[i] != NULL ? "user" : "password",
		    p->user[i] != NULL ? "password" : "user");
	h->has_auth = true;
	snprintf(h->user, sizeof(h->user), "%s", p->user[i]);
	snprintf(h->pass, sizeof(h->pass), "%s", p->pass[i]);
	explicit_bzero(p->pass[i], strlen(p->pass[i]));
	free(p->pass[i]);
	p->pass[i] = NULL;
}

/* What is only for runs with a proxy, by one of its options; NULL: nothing. */
static const char *
needs_proxy(const struct proxyopts *p)
{
	return p->only ? "--proxy-only" : p->user[0] != NULL ? "--proxy-user" :
	    p->pass[0] != NULL ? "a password" : p->ca_file != NULL ? "--proxy-ca" :
	    p->hops.insecure ? "--proxy-insecure" : p->names != NULL ? "--proxy-names" :
	    p->n_direct > 0 ? "--no-proxy" : p->dns_direct ? "--dns-direct" :
	    p->udp_direct ? "--udp-direct" : p->icmp_direct ? "--icmp-direct" :
	    p->timeout > 0 ? "--proxy-timeout" :
	    p->connect_timeout > 0 ? "--connect-timeout" : NULL;
}

static const char *
goes_around(const struct proxyopts *p)
{
	return p->n_direct > 0 ? "--no-proxy" : p->dns_direct ? "--dns-direct" :
	    p->udp_direct ? "--udp-direct" : p->icmp_direct ? "--icmp-direct" : NULL;
}

/* How names are found: by the proxy, unless something says otherwise. */
static void
dns_decide(struct conf *conf)
{
	struct proxyopts *p = &conf->proxy;
	bool asks = conf->ndns > 0 || p->dns_direct;

	if (!conf->dns_mode_said)
		conf->synthetic = !asks;
	if (!conf->synthetic && !asks)
		fatalx("--dns-mode real with --proxy: nobody can be asked for names (add -d SERVER, to "
		    "ask it by the proxy, or --dns-direct)");
	if (p->names_never && !asks)
		fatalx("--proxy-names never: nobody can be asked for names (add -d SERVER, to ask it by "
		    "the proxy, or --dns-direct)");
	p->dns_unasked = conf->synthetic && !p->dns_direct && !p->names_never;
	p->dns_closed = !asks;
	/* Names of --no-proxy are looked up where the host does; no others are asked for then. */
	p->dns_around = p->dns_direct || (p->dns_closed && p->direct_names);
}

void
proxyopts_finish(struct conf *conf)
{
	struct proxyopts *p = &conf->proxy;

	p->fd = -1;
	for (size_t i = 0; i < p->hops.n; i++)
		login_set(p, i);
	if (!p->given) {
		if (needs_proxy(p) != NULL && !(p->dns_direct && conf->pipes.proxy != NULL))
			fatalx("%s is given, and no --proxy (add -p http://HOST:PORT)", needs_proxy(p));
		return;
	}
	if (p->only && goes_around(p) != NULL)
		fatalx("--proxy-only and %s exclude each other: leave one out", goes_around(p));
	p->tls = hops_tls(&p->hops);
	p->udp = hops_udp(&p->hops);
	if ((p->ca_file != NULL || p->hops.insecure) && !p->tls)
		fatalx("--proxy-ca and --proxy-insecure are for an https:// proxy: there is none");
	if (p->ca_file != NULL && p->hops.insecure)
		fatalx("--proxy-ca and --proxy-insecure exclude each other: leave one out");
	hop_str(&p->hops.hop[0], p->name);
	p->hops.timeout_ms = (uint32_t)(p->timeout > 0 ? p->timeout : 30) * 1000;
	p->connect_timeout = p->connect_timeout > 0 ? p->connect_timeout : 10;
	dns_decide(conf);
}
