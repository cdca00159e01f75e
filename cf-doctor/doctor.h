/*
 * doctor.h - can this host do it: the checks, one row each, and how they are told.
 *
 * A check tries the thing itself wherever that can be done without a trace: namespaces,
 * mounts, a TUN device and a filter are made in a child that ends a moment later.
 * Nothing on the host changes, and nothing can hang: the child has a time limit.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_DOCTOR_H
#define CF_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "addr.h"

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

/* ---- checks.c ---- */

struct finding {
	bool	ok;
	char	detail[256];
	char	hint[256];	/* what to do; empty where nothing is wrong */
};

struct check {
	const char	*name;		/* what a person types */
	const char	*key;		/* in JSON; childflow's where it has the same check */
	const char	*label;
	const char	*ability;	/* what a run gets from it */
	const char	*why;
	bool		 fatal;		/* without it there is no run; or only a lesser one */
	void		 (*run)(struct finding *);
};
extern const struct check	checks[];	/* ends with a NULL name */

/* ---- report.c ---- */

enum report_form { REPORT_TEXT, REPORT_JSON };
/* Run the checks whose picked[] is set and print on stdout.  0 ready, 1 blocked. */
int	report_run(const bool *picked, enum report_form);

#endif
