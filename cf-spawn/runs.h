/*
 * runs.h - live runs, as others see them: their names, who may speak to them, and what is said.
 *
 * A run listens at an abstract unix socket of the network namespace that its cf-spawn is in:
 * "childflow/UID/NAME", or the pid of cf-spawn for a run without a name.  It is gone with the
 * process, and not to be reached from inside the tree, which is in another namespace.
 *
 *	cf-spawn --list	-- LIST -->  run	cf-spawn --join	-- JOIN, descriptors -->  run
 *			<-- INFO --				-- SIGNAL ... -->
 *								<-- ENDED, or REFUSED --
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_RUNS_H
#define CF_RUNS_H

#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

/* ---- runopts.c: the options ---- */

#define RUN_NAME_MAX	64

struct runopts {
	const char	*name;		/* of this run; NULL: it has none */
	const char	*join;		/* name or pid of the run to join; NULL: none */
	bool		 list, json, plan;
	int		 ready_fd, exit_fd;	/* -1: none */
	const char	*attach;	/* pid or path of a namespace; NULL: none */
};

#define RUNOPTS_ROWS									\
	{ 0, "name",		 "NAME",	runopts_name,				\
	  "call this run NAME, for --list and --join" },				\
	{ 0, "list",		 NULL,		runopts_list,				\
	  "list your live runs, their helpers and counters, and stop", CLI_NOW },	\
	{ 0, "list-format",	 "text|json",	runopts_format,				\
	  "the form of --list (text)", CLI_NOW },					\
	{ 0, "join",		 "NAME|PID",	runopts_join,				\
	  "run COMMAND in the network and under the policy of that run", CLI_NOW },	\
	{ 0, "attach",		 "PID|PATH",	runopts_attach,				\
	  "be the network of a namespace that somebody else made", CLI_NO_KEY },	\
	{ 0, "print-plan",	 NULL,		runopts_plan,				\
	  "print the helpers and their descriptors as JSON, and stop", CLI_NOW },	\
	{ 0, "ready-fd",	 "N",		runopts_ready_fd,			\
	  "write a byte to descriptor N when the network is up", CLI_NO_KEY },		\
	{ 0, "exit-fd",		 "N",		runopts_exit_fd,			\
	  "end the run when descriptor N comes to its end", CLI_NO_KEY }

bool	runopts_name(void *, const char *, char *);
bool	runopts_list(void *, const char *, char *);
bool	runopts_format(void *, const char *, char *);
bool	runopts_join(void *, const char *, char *);
bool	runopts_plan(void *, const char *, char *);
bool	runopts_attach(void *, const char *, char *);
bool	runopts_ready_fd(void *, const char *, char *);
bool	runopts_exit_fd(void *, const char *, char *);
/* What stands beside each other that cannot; ends the process. */
struct conf;
struct settings;
void	runopts_check(const struct conf *, const struct settings *);

/* ---- runmsg.c: what is said; pure ---- */

enum run_type {
	RUN_LIST = 1,		/* to the run */
	RUN_INFO,		/* from it: JSON */
	RUN_JOIN,		/* to it: words (a sealed memfd), and the standard descriptors */
	RUN_REFUSED,		/* from it: why; value: the status to end with */
	RUN_SIGNAL,		/* to it: value is the signal; negative: for the whole group */
	RUN_ENDED,		/* from it: value is the status */
	RUN_TYPES
};

#define RUN_MAGIC	0x63667231u	/* "cfr1": both ends are of this version */
#define RUN_TEXT_MAX	(60 * 1024)
#define RUN_FDS		4		/* of JOIN: the words, and 0, 1, 2 */

struct run_msg {
	uint32_t	 magic, type;
	int32_t		 value;
	char		 text[RUN_TEXT_MAX + 1];	/* ends in a zero */
};
#define RUN_HEAD	offsetof(struct run_msg, text)

/* len bytes have come into *m: is it a message of that size? */
bool	runmsg_valid(struct run_msg *, size_t len);

/* What a joiner wants to be executed, and as what. */
struct run_words {
	uint32_t	 mask;		/* umask */
	bool		 terminal;	/* its standard input is to be its controlling one */
	char		*directory;	/* "": not known */
	char		**argv, **envp;
	char		*bytes;		/* that all of these are of */
};

#define RUN_WORDS_MAX	(4u << 20)

/* NULL: out of memory, or more than RUN_WORDS_MAX. */
char	*runwords_put(const struct run_words *, size_t *len);
/* bytes is taken over.  False: that is not what it should be, or out of memory. */
bool	runwords_get(char *bytes, size_t len, struct run_words *out);
void	runwords_free(struct run_words *);

/* ---- runsock.c: the sockets ---- */

#define RUN_PREFIX	"childflow/"

/* The address of the run of this name. */
socklen_t	runsock_address(struct sockaddr_un *, uid_t, const char *name);
/* Of the caller's run; -1 and errno. */
int		runsock_listen(const char *name);
/* To one of the caller's runs, within ms; -1 and errno (EACCES: it is another user's). */
int		runsock_connect(const char *name, int ms);
/* Is who connected this user, in this user namespace? */
bool		runsock_peer_is_ours(int fd);
bool		runmsg_send(int fd, enum run_type, int value, const char *text, const int *fds,
		    size_t nfds);
/*
 * One message: true.  Its descriptors are the receiver's, the rest of fds is -1.  False: there is
 * none, or the other end has gone or does not speak as it should.
 */
bool		runmsg_receive(int fd, struct run_msg *, int fds[RUN_FDS]);

/* ---- joined.c: the run's end ---- */

#define RUN_PEERS	32		/* that are spoken to at a time */
enum { PLACE_USER, PLACE_MNT, PLACE_NET, PLACE_IPC, PLACE_PID, PLACE_ROOT, PLACES };

/* Who has connected; pid is 0 until it has asked for a command. */
struct run_peer {
	int		 fd;		/* -1: it has gone (or, with pid 0: a free place) */
	pid_t		 pid;		/* of the command */
	int		 report_fd;	/* of the process that becomes it; -1: it has */
	uint64_t	 since;
};

struct joins {
	int		 listen_fd;	/* -1: nobody can join */
	int		 place[PLACES];	/* where the tree is; -1: not known, or as outside */
	bool		 placed;
	uint64_t	 serial;
	struct run_peer	 peer[RUN_PEERS];
};
#define JOINS_POLL	(1 + 2 * RUN_PEERS)

struct run;
/* Ends the process where the name is not free. */
void	joins_open(struct run *);
/* The tree's namespaces, as the child has sent them; taken over. */
void	joins_placed(struct run *, const int fd[PLACES]);
/* Fills what is to be polled; then joins_read(). */
void	joins_poll(const struct run *, struct pollfd at[JOINS_POLL]);
void	joins_read(struct run *, const struct pollfd at[JOINS_POLL]);
/* A child of ours has ended: was it a joined command? */
void	joins_ended(struct run *, const siginfo_t *);
/* The run is over: end them, and wait for that a moment. */
void	joins_end(struct run *);
void	joins_signal(const struct run *, int sig);

/* ---- info.c: what a run says of itself ---- */

/* The counters, shared with cf-proxy. */
void	totals_make(struct conf *);
struct helpers;
/* [{name, pid[, state]}] */
json_t	*helpers_json(const struct helpers *, bool states);
/* JSON; NULL: out of memory. */
char	*info_text(const struct run *);

/* ---- plan.c ---- */

/* Prints it; the status to exit with. */
struct texts;
int	plan_print(const struct conf *, const struct texts *);

/* ---- attach.c ---- */

/* Ends the process where other options have no sense with it. */
void	attach_check(struct conf *, const struct settings *);
/* With the caller's rights: the namespace.  Ends the process where it cannot be. */
void	attach_open(const struct conf *);
/* In place of the command: fd is as child.c has it. */
_Noreturn void	attach_main(int fd);
/* The network is up: what those who made the namespace have to know. */
void	attach_said(const struct conf *);

/* ---- join.c, list.c: the caller's end; the status to exit with ---- */

int	join(const struct conf *);
int	list(const struct conf *);

/* ---- terminal.c: a terminal of its own for a joined command ---- */

/* fd: 0, 1, 2 as the command gets them.  Nothing is done where standard input is no terminal. */
void	terminal_open(int fd[3]);
/* Its standard input is this one's? */
bool	terminal_is_open(void);
/* The window has changed, or we have come to the foreground or left it. */
void	terminal_update(void);
/* For poll(2): the terminal outside, and the one inside. */
void	terminal_poll(struct pollfd at[2]);
void	terminal_relay(const struct pollfd at[2]);
/* What still comes from inside; then as it was before. */
void	terminal_close(void);
/* As it was before, for as long as we are stopped. */
void	terminal_leave(void);

#endif
