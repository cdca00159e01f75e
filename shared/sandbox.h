/*
 * sandbox.h - what a helper may still ask of the kernel, as a table with reasons.
 *
 * Each .c file owns the rows for the calls it makes; main.c lists whose rows it adds
 * up.  What no row allows kills the process (SIGSYS); a DEBUG build names the call on
 * stderr first.  `-n` of every helper prints the sum, so the page can be held against it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_SANDBOX_H
#define CF_SANDBOX_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>

struct sandbox_arg {
	uint8_t		index;		/* which argument */
	uint64_t	mask;		/* compare (argument & mask) ... */
	uint64_t	value;		/* ... with this */
	const char	*text;		/* what that is called; NULL: say the numbers */
};

#define SANDBOX_ARGS	3
struct sandbox_row {
	const char	*name;		/* of the system call; NULL ends a table */
	int		 nr;
	unsigned	 nargs;
	struct sandbox_arg arg[SANDBOX_ARGS];
	const char	*reason;
};

#define SANDBOX_EQ		UINT64_MAX
#define SANDBOX_INT		UINT32_MAX	/* int arguments: the upper half is not theirs */
#define ALLOW(call, why)	{ .name = #call, .nr = SYS_##call, .reason = (why) }
/* Allowed when argument i has exactly the int value v; _ARG2: two such. */
#define SANDBOX_IS(i, v, text)	{ (i), SANDBOX_INT, (uint32_t)(v), (text) }
#define ALLOW_ARG(call, i, v, why)						\
	{ .name = #call, .nr = SYS_##call, .nargs = 1,				\
	  .arg = { SANDBOX_IS(i, v, #v) }, .reason = (why) }
#define ALLOW_ARG2(call, i, v, j, u, why)					\
	{ .name = #call, .nr = SYS_##call, .nargs = 2,				\
	  .arg = { SANDBOX_IS(i, v, #v), SANDBOX_IS(j, u, #u) }, .reason = (why) }
/* Socket options: these and no others. */
#define ALLOW_SET(level, option, why)	ALLOW_ARG2_AS(setsockopt, level, option, #level, #option, why)
#define ALLOW_GET(level, option, why)	ALLOW_ARG2_AS(getsockopt, level, option, #level, #option, why)
#define ALLOW_ARG2_AS(call, v, u, v_text, u_text, why)				\
	{ .name = #call, .nr = SYS_##call, .nargs = 2,				\
	  .arg = { SANDBOX_IS(1, v, v_text), SANDBOX_IS(2, u, u_text) }, .reason = (why) }
/* Allowed when pointer argument i is NULL, or has none of the bits of mask. */
#define ALLOW_NULL(call, i, why)						\
	{ .name = #call, .nr = SYS_##call, .nargs = 1,				\
	  .arg = { { (i), SANDBOX_EQ, 0, "NULL" } }, .reason = (why) }
#define ALLOW_WITHOUT(call, i, bits, why)					\
	{ .name = #call, .nr = SYS_##call, .nargs = 1,				\
	  .arg = { { (i), (uint64_t)(bits), 0, "without " #bits } }, .reason = (why) }

/* Rows that every program needs: memory, clock, log lines, leaving. */
extern const struct sandbox_row	sandbox_base[];
/* What a libuv loop does: epoll, timers. */
extern const struct sandbox_row	sandbox_loop[];
/* What chan.c does: frames in and out, descriptors with them. */
extern const struct sandbox_row	sandbox_chan[];
/*
 * The same for a program that holds sockets of the host and passes no descriptor on:
 * without sendmsg, by which a connected UDP socket can send to any address.
 */
extern const struct sandbox_row	sandbox_chan_plain[];

/* Print the sum of a NULL-ended list of tables on stdout: call, condition, reason. */
void	sandbox_print(const struct sandbox_row *const *tables);

/*
 * One program in one of its roles, and all that it is held to.  sandbox_enter() enforces what
 * stands here, and --audit prints it.
 */
struct sandbox_role {
	const char	*name;		/* "cf-proxy (policy)" */
	const char	*does;		/* in a few words */
	const struct sandbox_row *const *tables;
	unsigned	 leaves;	/* CLONE_NEW...: for new namespaces, in which nothing is */
	bool		 keeps_root;	/* of the file system, where others have an empty one */
	const char	*stays;		/* why, where it does not leave all there is to leave */
};
#define SANDBOX_APART	(CLONE_NEWUSER | CLONE_NEWIPC | CLONE_NEWUTS)
#define SANDBOX_NO_NET	(SANDBOX_APART | CLONE_NEWNET)

/* Limits of every role: resources of which it gets none. */
struct sandbox_limit {
	int		 resource;
	const char	*name;
	const char	*reason;
};
extern const struct sandbox_limit	sandbox_limits[];	/* a NULL name ends it */

/*
 * Before the seal: no new privileges, not dumpable, no core, killed when the parent
 * dies, as many descriptors as the hard limit has; 0 and 1 are the channel, which moves
 * to high numbers (*rfd, *wfd; /dev/null stays behind).  keep: -1-ended list of further
 * descriptors to keep; what else is open above 2 is closed.  Ends the process on failure.
 */
void	sandbox_prepare(int *rfd, int *wfd, const int *keep);

/* From here on only the rows.  Ends the process when the kernel will not have it. */
void	sandbox_seal(const struct sandbox_row *const *tables);

/*
 * Leave the namespaces and the file system, give up every capability, set the limits, seal.
 * Where the host gives no user namespace the seal has to do, with which nothing of those can be
 * reached; -v says so.
 */
void	sandbox_enter(const struct sandbox_role *);

/* ---- sandbox_audit.c ---- */

/*
 * First in main(): with --audit as the only argument, print the roles as one JSON object and
 * exit.  more: prints further members, each with a comma before it; NULL: there are none.
 */
void	sandbox_audit_asked(int argc, char *const *argv, const char *program,
	    const struct sandbox_role *const *roles, void (*more)(void));
/* The object's pieces, for such members. */
void	sandbox_audit_text(const char *key, const char *text);	/* "key":"text"; NULL: null */
void	sandbox_audit_namespaces(unsigned leaves);		/* "namespaces":["user", ...] */

#endif
