/*
 * proxyopts.h - the options about upstream proxies, and what comes of them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_PROXYOPTS_H
#define CF_PROXYOPTS_H

#include "hops.h"

#define PROXY_ADDRS_MAX		16
#define PROXY_LISTS_MAX		8

struct conf;
struct identity;

struct proxyopts {
	struct hops	 hops;		/* wiped once they are in fd */
	bool		 given;		/* there is at least one */
	bool		 tls;
	bool		 udp;		/* UDP passes */
	char		 name[HOP_STRLEN];	/* of the first, for messages */
	struct addr	 at[PROXY_ADDRS_MAX];	/* of the first */
	size_t		 n_at;
	int		 fd;		/* the list, for cf-upstream; -1: none */

	const char	*user[HOPS_MAX];	/* of each */
	char		*pass[HOPS_MAX];
	const char	*ca_file;
	bool		 only, udp_direct, icmp_direct, dns_direct;
	const char	*names;		/* --proxy-names; NULL: auto */
	bool		 names_never;
	const char	*direct[PROXY_LISTS_MAX];	/* --no-proxy */
	size_t		 n_direct;
	bool		 direct_names;	/* some of them are names */
	long		 timeout, connect_timeout;	/* s; 0: the default */
	bool		 dns_closed;	/* cf-dns asks nobody for the tree */
	bool		 dns_around;	/* cf-dns's queries do not go by the proxy */
	bool		 dns_unasked;	/* names have an address without being asked for */
};

#define PROXYOPTS_ROWS									\
	{ 'p', "proxy",		 "URL",		proxyopts_proxy,			\
	  "by http://, https://, socks5:// (again: a chain)", CLI_LIST },		\
	{ 'U', "proxy-user",	 "NAME",	proxyopts_user,				\
	  "log in to the --proxy before it", CLI_LIST | CLI_ADD },						\
	{ 'P', "proxy-password", "PASSWORD",	proxyopts_password,			\
	  "the same; better: --proxy-password-file, CF_PROXY_PASSWORD",			\
	  CLI_LIST | CLI_ADD | CLI_SECRET },		\
	{ 0,   "proxy-password-file", "FILE",	proxyopts_password_file,		\
	  "its first line is the password", CLI_LIST | CLI_ADD },						\
	{ 0,   "proxy-ca",	 "FILE",	proxyopts_ca,				\
	  "trust these certificates of an https:// proxy, and no others" },		\
	{ 0,   "proxy-insecure", NULL,		proxyopts_insecure,			\
	  "do not ask who signed its certificate (the name still counts)", 0, CLI_TO_OFF },		\
	{ 0,   "proxy-names",	 "auto|always|never",proxyopts_names,			\
	  "tell the proxy names, not addresses (auto)" },		\
	{ 0,   "proxy-only",	 NULL,		proxyopts_only,				\
	  "nothing leaves but by the proxy, whatever else is allowed", 0, CLI_TO_ON },		\
	{ 0,   "no-proxy",	 "LIST",	proxyopts_direct,			\
	  "networks and names that are reached directly", CLI_LIST },				\
	{ 0,   "dns-direct",	 NULL,		proxyopts_dns_direct,			\
	  "with --proxy: names are asked for directly", 0, CLI_TO_OFF },				\
	{ 0,   "udp-direct",	 NULL,		proxyopts_udp_direct,			\
	  "with --proxy: UDP goes directly", 0, CLI_TO_OFF },						\
	{ 0,   "icmp-direct",	 NULL,		proxyopts_icmp_direct,			\
	  "with --proxy: ICMP goes directly", 0, CLI_TO_OFF },						\
	{ 0,   "proxy-timeout",	 "SECONDS",	proxyopts_timeout,			\
	  "how long proxies may take to make a tunnel (30)" },				\
	{ 0,   "connect-timeout", "SECONDS",	proxyopts_connect_timeout,		\
	  "how long a connect to the proxy may take (10)" }

bool	proxyopts_proxy(void *, const char *, char *);
bool	proxyopts_user(void *, const char *, char *);
bool	proxyopts_password(void *, const char *, char *);
bool	proxyopts_password_file(void *, const char *, char *);
bool	proxyopts_ca(void *, const char *, char *);
bool	proxyopts_insecure(void *, const char *, char *);
bool	proxyopts_names(void *, const char *, char *);
bool	proxyopts_only(void *, const char *, char *);
bool	proxyopts_direct(void *, const char *, char *);
bool	proxyopts_dns_direct(void *, const char *, char *);
bool	proxyopts_udp_direct(void *, const char *, char *);
bool	proxyopts_icmp_direct(void *, const char *, char *);
bool	proxyopts_timeout(void *, const char *, char *);
bool	proxyopts_connect_timeout(void *, const char *, char *);

/* All options have been read: do they go together?  Ends the process where they do not. */
void	proxyopts_finish(struct conf *);
/*
 * Read the file of certificates, find the first proxy's addresses, and put the list into fd; from
 * then on no secret is left in this process.  Ends the process where that fails.
 */
void	proxy_make(struct conf *, const struct identity *);
/* The same without the addresses, and without a list (-n). */
void	proxy_check(struct conf *);

#endif
