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

#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>

struct sandbox_arg {
	uint8_t		index;		/* which argument */
	uint64_t	mask;		/* compare (argument & mask) ... */
	uint64_t	value;		/* ... with this */
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
#define ALLOW_ARG(call, i, v, why)						\
	{ .name = #call, .nr = SYS_##call, .nargs = 1,				\
	  .arg = { { (i), SANDBOX_INT, (uint32_t)(v) } }, .reason = (why) }
#define ALLOW_ARG2(call, i, v, j, u, why)					\
	{ .name = #call, .nr = SYS_##call, .nargs = 2,				\
	  .arg = { { (i), SANDBOX_INT, (uint32_t)(v) },				\
		   { (j), SANDBOX_INT, (uint32_t)(u) } }, .reason = (why) }
/* Allowed when pointer argument i is NULL, or has none of the bits of mask. */
#define ALLOW_NULL(call, i, why)						\
	{ .name = #call, .nr = SYS_##call, .nargs = 1,				\
	  .arg = { { (i), SANDBOX_EQ, 0 } }, .reason = (why) }
#define ALLOW_WITHOUT(call, i, bits, why)					\
	{ .name = #call, .nr = SYS_##call, .nargs = 1,				\
	  .arg = { { (i), (uint64_t)(bits), 0 } }, .reason = (why) }

/* Rows that every program needs: memory, clock, log lines, leaving. */
extern const struct sandbox_row	sandbox_base[];
/* What a libuv loop does: epoll, its wake-up descriptor, timers. */
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
 * Before the seal: no new privileges, not dumpable, no core, killed when the parent
 * dies, as many descriptors as the hard limit has; 0 and 1 are the channel, which moves
 * to high numbers (*rfd, *wfd; /dev/null stays behind).  keep: -1-ended list of further
 * descriptors to keep; what else is open above 2 is closed.  Ends the process on failure.
 */
void	sandbox_prepare(int *rfd, int *wfd, const int *keep);

/* From here on only the rows.  Ends the process when the kernel will not have it. */
void	sandbox_seal(const struct sandbox_row *const *tables);

#endif
