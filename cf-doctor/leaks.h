/*
 * leaks.h - cf-doctor leaks: does anything get out of a sandbox past it?
 *
 * A probe runs twice: outside, to see what can be tried on this host at all, and inside a run of
 * cf-spawn (or of another program) with the options that are asked about.  Both try the same ways.
 * This program, outside, listens where a way leads to the host: what arrives there has got
 * out, whatever the probe believes.  The flow log of the run says what went through the sandbox, and
 * the options are compiled a second time, here, to say what should have been refused.
 *
 *	leaks.c		the life: options, both runs, the status to exit with
 *	leakhost.c	what is listened on and lent out, so that there is something to reach
 *	leakworld.c	what the probe is told of that, and the addresses that are tried (pure)
 *	leakprobe.c	the probe: every way in a process of its own
 *	leakways.c	ways by sockets, calls, descriptors, names
 *	leakprocs.c	ways by other processes
 *	leakaddr.c	ways by addresses
 *	leakjudge.c	what came of each way (pure but for memory)
 *	leaktell.c	in words
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_LEAKS_H
#define CF_LEAKS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "addr.h"
#include "polopts.h"
#include "rules.h"

#define LEAK_DETAIL	256
#define LEAK_OWN_MAX	8	/* addresses of the host */
#define LEAK_PATHS_MAX	32	/* sockets of services */
#define LEAK_PATH_LEN	108	/* of sun_path */
#define LEAK_TARGETS	96
#define LEAK_NONCE	16

/* ---- leakworld.c ---- */

/* What the probe is told; all of it stands on its command line. */
struct leak_world {
	char		nonce[LEAK_NONCE + 1];
	pid_t		pid;		/* of cf-doctor, outside */
	uint64_t	started;	/* its start, in ticks since boot: a number may be used again */
	uint64_t	netns;		/* the host's, as a number */
	uint16_t	port;		/* TCP and UDP, on every address of the host */
	char		dir[LEAK_PATH_LEN - 16];	/* has the sockets "early" and "late" */
	int		fd;		/* a socket that is lent out: connected to that port */
	struct addr	own[LEAK_OWN_MAX];
	size_t		n_own;
	char		path[LEAK_PATHS_MAX][LEAK_PATH_LEN];
	size_t		n_paths;
};

/* As words "key=value" of a command line; out has room for LEAK_WORDS_MAX. */
#define LEAK_WORDS_MAX	(8 + LEAK_OWN_MAX + LEAK_PATHS_MAX)
size_t	leak_words(const struct leak_world *, char *out[LEAK_WORDS_MAX]);
bool	leak_word(struct leak_world *, const char *word);

enum leak_proto { LEAK_TCP, LEAK_UDP, LEAK_PING };

struct leak_target {
	const char	*kind;		/* "loopback of the host" */
	enum leak_proto	 proto;
	struct addr	 addr;
	bool		 ours;		/* what arrives is heard by cf-doctor, outside */
	bool		 never;		/* no option but --host-port opens it */
};
/* The same ones for the same world, inside and outside; returns how many. */
size_t	leak_targets(const struct leak_world *, struct leak_target out[LEAK_TARGETS]);
/* "tcp 192.0.2.1:80"; buf of LEAK_DETAIL. */
const char *leak_target_str(const struct leak_target *, char *buf);
/* What is sent to a target that is ours; returns its length.  n: which one. */
#define LEAK_TOKEN_MAX	64
size_t	leak_token(const struct leak_world *, size_t n, char buf[LEAK_TOKEN_MAX]);
/* The number in it; -1: it is none of this nonce. */
int	leak_token_read(const char *nonce, const char *buf, size_t len);
#define LEAK_TOKEN_FD	900	/* by the descriptor that was lent out */

/* ---- the probe ---- */

enum leak_result {
	LEAK_MISSING,		/* the probe did not come to it */
	LEAK_NONE,		/* there is nothing of the kind to try it on */
	LEAK_REFUSED,
	LEAK_WORKED
};

struct leak_way {
	const char	*name, *what;
	enum leak_result (*try)(const struct leak_world *, char detail[LEAK_DETAIL]);
	bool		 own_net;	/* harmless in a network of one's own */
	const char	*closes;	/* what to do where it is open */
};
extern const struct leak_way	leak_ways[];	/* leakways.c; ends with a NULL name */

/* leakprocs.c */
enum leak_result leak_ptrace(const struct leak_world *, char *);
enum leak_result leak_vm_read(const struct leak_world *, char *);
enum leak_result leak_mem(const struct leak_world *, char *);
enum leak_result leak_fds(const struct leak_world *, char *);
enum leak_result leak_environ(const struct leak_world *, char *);
enum leak_result leak_getfd(const struct leak_world *, char *);
enum leak_result leak_setns(const struct leak_world *, char *);
enum leak_result leak_proc_net(const struct leak_world *, char *);

/* leakaddr.c: the interface for link-local addresses and groups, the first that leads somewhere; or 0. */
unsigned	leak_interface(void);
/* Try all at once; result[i] is of target[i]. */
void	leak_addresses(const struct leak_world *, const struct leak_target *, size_t n,
	    enum leak_result *result, char (*detail)[LEAK_DETAIL]);

/* `cf-doctor leak-probe`, and its name in a line of its report. */
#define LEAK_PROBE	"leak-probe"
int	leakprobe_main(int argc, char **argv);

/* ---- leakjudge.c ---- */

#define LEAK_ROWS	(LEAK_TARGETS + 48)

enum leak_outcome { LEAK_CLOSED, LEAK_OPEN, LEAK_UNTESTED };
extern const char *const	leak_outcomes[];	/* "closed", "open", "not testable" */

/* What one run of the probe came to. */
struct leak_report {
	enum leak_result result[LEAK_ROWS];	/* targets first, ways from LEAK_TARGETS on */
	char		 detail[LEAK_ROWS][LEAK_DETAIL];
	bool		 arrived[LEAK_TARGETS];	/* outside, by its token */
	bool		 fd_arrived;
	bool		 same_netns, finished;
};
/* A line of the probe; false: it is none. */
bool	leak_report_line(struct leak_report *, const char *line);

/* What the flow log has of a target. */
struct leak_log {
	bool	noted[LEAK_TARGETS], refused[LEAK_TARGETS];
};
void	leak_log_read(struct leak_log *, const struct leak_target *, size_t n, char *text, size_t len);

struct leak_policy {
	struct policy_made made;
	struct rules	 rules;
	void		*flat;
};
bool	leak_policy_allows(const struct leak_policy *, const struct leak_target *);

struct leak_row {
	const char	*way, *hint;	/* hint: or NULL */
	enum leak_outcome outcome;
	bool		 accepted;
	char		 tried[LEAK_DETAIL], why[2 * LEAK_DETAIL];
};
struct leak_case {
	const struct leak_world *world;
	const struct leak_report *outside, *inside;
	const struct leak_log *log;		/* NULL: there is none */
	const struct leak_policy *policy;	/* NULL: the run has none that is known */
};
size_t	leak_judge(const struct leak_case *, struct leak_row out[LEAK_ROWS]);

/* ---- leakhost.c ---- */

struct leak_host;

/* NULL: it cannot be made, and why is said. */
struct leak_host	*leak_host_new(struct leak_world *);
void	leak_host_free(struct leak_host *);
/* Descriptors to wait for, into out of 8; returns how many. */
size_t	leak_host_fds(const struct leak_host *, int out[8]);
/* Something came: note it for the run of this nonce. */
void	leak_host_turn(struct leak_host *, const char *nonce, struct leak_report *);
/* The socket that is not there when a run begins, and is made when the probe runs. */
void	leak_host_late(struct leak_host *, bool there);
/* A terminal for a run, the slave's side; -1: there is none. */
int	leak_host_terminal(const struct leak_host *);

/* ---- leaktell.c ---- */

int	leak_tell(const struct leak_row *, size_t n, const char *command, bool json);

/* argv[0] is "leaks". */
int	leaks_main(int argc, char **argv);

#endif
