/*
 * doctor.h - can this host do it: the checks, one row each, and how they are told.
 *
 * A check tries the thing itself wherever that can be done without a trace: namespaces,
 * mounts, a TUN device and a filter are made in a child that ends a moment later.  Files are read
 * to explain a refusal, and where nothing can be tried.
 * Nothing on the host changes, and nothing can hang: the child has a time limit.
 *
 *	spaces.c	namespaces, mounts, the TUN device
 *	host.c		what the host's files say: limits, policies, containers, leftovers
 *	able.c		what the kernel takes: filters, sockets, calls
 *	routes.c	what is reached: the world, resolvers, a proxy
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_DOCTOR_H
#define CF_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "addr.h"
#include "hops.h"

/* ---- probe.c: try something in a child ---- */

extern int	probe_limit;	/* ms: 5000, where less than one is normal */

/* What the child found; it fills this and returns.  Zeroes before. */
struct probe {
	int		step;	/* the caller's number for how far it came */
	int		err;	/* errno of the step that failed, 0 where none did */
	unsigned	value;	/* the caller's own */
	char		why[160];	/* where a number says too little */
};
enum probe_end { PROBE_DONE, PROBE_KILLED, PROBE_LATE, PROBE_NOT_STARTED };
/* PROBE_KILLED: out->err is the signal. */
enum probe_end	probe_run(void (*fn)(struct probe *), struct probe *out);

/* ---- parse.c: files that a check reads (pure) ---- */

#define RESOLVERS_MAX	16
/* The nameserver lines of a resolv.conf(5); returns how many are in out. */
size_t	resolv_parse(const char *text, size_t len, struct addr out[RESOLVERS_MAX]);
/* How many ids subuid(5) gives to a user, named or numbered. */
unsigned long	subid_parse(const char *text, size_t len, const char *user, uid_t uid);
/* The value of a key of /proc/PID/status, up to its line's end, in buf; false: there is none. */
bool	status_parse(const char *text, size_t len, const char *key, char *buf, size_t size);

/* ---- finding.c: a result in words, and the files that explain it ---- */

#define DOCTOR_FILE_MAX	(64 * 1024)
#define RESOLV_CONF	"/etc/resolv.conf"
#define HINT_CONTAINER	"in a container: allow unshare(2) and mount(2) in its seccomp and LSM " \
	"policy (docker, podman: --security-opt seccomp=unconfined --security-opt apparmor=unconfined)"

#define HINT_APPARMOR	"AppArmor restricts user namespaces: install the profile of the package, " \
	"or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"

struct finding {
	bool	ok;
	bool	lesser;		/* not ok, but only a part is missing: never fatal */
	char	detail[384];
	char	hint[384];	/* what to do; empty where nothing is wrong */
};

/* What files are read below, by those that only read: "", but for tests. */
extern const char	*doctor_root;
/* -p; n is 0 where none was given. */
extern struct hops	doctor_proxies;

void	good(struct finding *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void	bad(struct finding *, const char *hint, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));
/* The whole of a small file below doctor_root; its length, or -1 and errno. */
ssize_t	doctor_read(const char *path, char buf[DOCTOR_FILE_MAX]);
bool	doctor_exists(const char *path);
/* A number in /proc/sys; -1 where the file is not there. */
long	doctor_number(const char *path);
/* Run it; true when all of it succeeded.  Otherwise the finding says at which step it ended. */
bool	tried(struct finding *, void (*fn)(struct probe *), const char *const *step_failed,
	    const char *(*hint)(const struct probe *), struct probe *);

/* ---- checks.c ---- */

struct check {
	const char	*name;		/* what a person types */
	const char	*key;		/* in JSON; childflow's where it has the same check */
	const char	*label;
	const char	*ability;	/* what a run gets from it */
	const char	*why;
	bool		 fatal;		/* without it there is no run; or only a lesser one */
	void		 (*run)(struct finding *);
};
/* Childflow's first, in its order; ends with a NULL name. */
extern const struct check	checks[];

void	check_userns(struct finding *);		/* spaces.c */
void	check_namespaces(struct finding *);
void	check_pid(struct finding *);
void	check_mounts(struct finding *);
void	check_tun(struct finding *);
void	check_offloads(struct finding *);
void	check_tcp(struct finding *);
void	check_commands(struct finding *);	/* host.c */
void	check_quota(struct finding *);
void	check_settings(struct finding *);
void	check_apparmor(struct finding *);
void	check_selinux(struct finding *);
void	check_container(struct finding *);
void	check_uidmap(struct finding *);
void	check_subids(struct finding *);
void	check_leftovers(struct finding *);
void	check_seccomp(struct finding *);	/* able.c */
void	check_calls(struct finding *);
void	check_kernel(struct finding *);
void	check_ping(struct finding *);
void	check_packets(struct finding *);
void	check_ipv4(struct finding *);		/* routes.c */
void	check_ipv6(struct finding *);
void	check_resolvers(struct finding *);
void	check_dns(struct finding *);
void	check_proxy(struct finding *);

extern const char	paths_libexec[];	/* paths.c */
/* AppArmor takes rights from what an ordinary user has in a user namespace (host.c). */
bool	host_apparmor_restricts(void);
/* Namespaces and a TUN device can be made (spaces.c). */
bool	spaces_made(void);
/* "docker", or NULL where this is no container that is known. */
const char	*host_container(void);

/* ---- report.c ---- */

enum report_form { REPORT_TEXT, REPORT_JSON };
/* Run the checks whose picked[] is set and print on stdout.  0 ready, 1 blocked. */
int	report_run(const bool *picked, enum report_form);

#endif
