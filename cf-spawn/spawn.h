/*
 * spawn.h - what cf-spawn's own files share.
 *
 * struct conf is what the user asked for; it is filled by options.c and constant from
 * then on.  Everything else lives in struct run (run.h) or in the file that needs it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_SPAWN_H
#define CF_SPAWN_H

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "addr.h"
#include "capture.h"
#include "encdns.h"
#include "hostports.h"
#include "pipes.h"
#include "proxyopts.h"
#include "ruleopts.h"
#include "runs.h"
#include "seal.h"

/* Exit statuses that are ours; 128+N is "the command died of signal N". */
#define STATUS_LEAK		1	/* the command's was 0, and --fail-on-leak was given */
#define STATUS_FAILED		125
#define STATUS_NOT_EXECUTABLE	126
#define STATUS_NOT_FOUND	127

#define HELPER_LOST		3	/* of a helper: it is well, but its record is not complete */

#define RESOLVERS_MAX		16
#define DNS_CACHE_MAX		65536	/* cf-dns's own limit */

struct chan;

/* --tcp-path: who ends the tree's TCP. */
enum tcp_path { TCP_PATH_AUTO, TCP_PATH_KERNEL, TCP_PATH_TUN };

struct conf {
	struct ruleopts	 rules;		/* first: ruleopts.h */
	bool		 fail_on_leak;
	int		 rules_fd;	/* the compiled rules, by policy.c; -1: there are none */
	const char	*quic;			/* NULL: as cf-proxy has it */
	enum encdns_choice encdns;
	struct hostports host_ports;	/* --host-port */
	const char	*deny_answer;	/* as cf-dns has it; NULL: its own default */
	int		 violations_fd;	/* counts what was refused */
	int		 quotas_fd;	/* counters of quotas.c; -1: there are none */
	char		**command;	/* argv of the command */
	struct addr	 dns[RESOLVERS_MAX];	/* -d */
	size_t		 ndns;
	long		 dns_cache;	/* answers; 0: none are kept */
	const char	*hosts_file;
	char		*added_hosts;	/* of --add-host, as lines of a hosts file; or NULL */
	const char	*capture_file;
	struct capture	 capture;
	const char	*user;
	bool		 run_as_root;
	bool		 map_subids;
	bool		 map_root;
	bool		 cap_net_raw;
	bool		 wait_tree;
	bool		 summary, summary_json;
	const char	*learn_file;	/* the profile that is learned; NULL: none */
	int		 learn_fd;	/* opened by learn.c */
	long		 learn_threshold;
	const char	*report_file, *report_format;	/* NULL: none; text */
	const char	*flow_log;	/* as it was named; NULL: none */
	int		 log_fd;	/* opened by flowlog.c; -1: none */
	const char	*log_path;	/* set: it is this file */
	enum tcp_path	 tcp_path;
	bool		 synthetic;	/* --dns-mode */
	bool		 dns_mode_said;
	bool		 doctor, doctor_json;
	struct proxyopts proxy;
	struct pipes	 pipes;
	struct runopts	 runs;
	int		 totals_fd;	/* counters of totals.h, by info.c; -1: there are none */
	long		 flow_updates;	/* seconds; 0: none */
	const char	*monitor;	/* a terminal, "-": this one; NULL: none */
	int		 monitor_fd;	/* opened by monitor.c */
	bool		 check_only, dry_run;
	bool		 dump_profile, dump_secrets;
	int		 status_fd;	/* -1: none */
	struct seal	 seal;
	struct covers	 covers;	/* by sockets.c */
	int		 verbose;
};

/* options.c */
struct cli;
struct settings;
extern const struct cli_option	options_table[];
extern const struct cli		options_cli;
extern const struct cli_group	options_groups[];
/* Empty ones, of that table; false: out of memory. */
bool	options_settings(struct settings *);
/* cmdline.c.  Ends the process with 125 on anything that is not understood. */
void	options_parse(struct conf *, int argc, char **argv);

/* paths.c: the only place where the helpers are looked for. */
extern const char	paths_libexec[];

/* ---- identity.c: as whom the command and the helpers run ---- */

struct identity {
	bool		 privileged;	/* we are root here and must step down */
	uid_t		 uid;		/* of the command */
	gid_t		 gid;
	const char	*name;		/* set: switch to it, with its groups */
	const char	*home, *shell;
	uid_t		 helper_uid;	/* of the helpers, where privileged */
	gid_t		 helper_gid;
	bool		 helper_switch;
};

void	identity_find(struct identity *, const struct conf *);
/* In the command's process: become it; -1 and errno. */
int	identity_become(const struct identity *);
/* In a helper's process, before exec; -1 and errno. */
int	identity_become_helper(const struct identity *);
/*
 * Before the change of user: nothing but keep (bits) in the bounding set.  After it: nothing
 * but keep in any other set, and keep survives exec.  -1 and errno.
 */
int	identity_bound_caps(unsigned long long keep);
int	identity_drop_caps(unsigned long long keep);

/* ---- idmap.c: the user namespace's maps ---- */

/*
 * In the process itself: map the ids that it had outside (inside it has none yet) to
 * themselves, or to root's; -1 and errno.
 */
int	idmap_self(uid_t uid, gid_t gid, bool as_root);
/*
 * From outside, for pid: every id that exists here to itself (privileged), or ours and our
 * subordinate ids with newuidmap(1) and newgidmap(1).  NULL, or why not.
 */
const char	*idmap_write(pid_t pid, bool privileged);

/* ---- resolv.c, hosts.c: the texts that stand in for the host's files ---- */

#define RESOLV_CONF	"/etc/resolv.conf"
#define HOSTS_FILE	"/etc/hosts"

struct resolvers {
	struct addr	 at[RESOLVERS_MAX];
	size_t		 n;
};

struct texts {
	char		*resolv;	/* the tree's resolv.conf; NULL: the host has none */
	char		*hosts;		/* the tree's hosts file; NULL: the host's stays */
	char		*host_hosts;	/* that of the host, where it stays and is of interest */
	struct resolvers resolvers;	/* of the host, or -d */
};

/* Reads both; ends the process where a file that was named cannot be used. */
void	texts_read(struct texts *, const struct conf *);
/* The host's resolvers as its file names them by now; NULL, or why it is of no use. */
const char *resolvers_again(struct resolvers *);
/* Pure parts.  resolv_parse returns false when memory is out. */
bool	resolv_parse(const char *text, struct texts *);
char	*hosts_merge(const char *extra, const char *host, char *why, size_t whylen);
/*
 * "NAME:ADDR" as one more line of a hosts file, put behind those in *lines (NULL: none yet).
 * False and a reason in why where it is not that.
 */
bool	hosts_add(char **lines, const char *arg, char *why, size_t whylen);

/* ---- policy.c: the rules of the run ---- */

/*
 * Reads the files of rules and compiles all: rules_fd and violations_fd.  Ends the process
 * where a rule is wrong.
 */
void	policy_make(struct conf *);
/* What is in force, one by one: "offline", "deny-cidr=10.0.0.0/8". */
void	policy_controls(const struct conf *, void (*say)(void *arg, const char *control),
	    void *arg);
/* How much was refused so far; 0 where nobody counts. */
unsigned long long	policy_violations(const struct conf *);

/* ---- reload.c: files of rules are read again ---- */

/* Are there any? */
bool	reload_wanted(const struct conf *);

/* ---- quotas.c: what was used of each ---- */

/* A generation of the rules is in force: its quotas, and their rows. */
void	quotas_know(const void *generation, size_t len);
/* The counters, for cf-proxy; -1: no generation has had a quota. */
int	quotas_fd_make(void);
/* [{target, limit, max, used, flows}]. */
json_t	*quotas_json(int fd);

/* ---- monitor.c: the table of flows on a terminal ---- */

void	monitor_open(struct conf *);

/* ---- names.c: what cf-proxy knows of names ---- */

/* Has it to know of any? */
bool	names_wanted(const struct conf *);
/* The tree's hosts file for it; -1: there is none. */
int	names_hosts_fd(const struct texts *);
/* ---- follow.c: when the host's resolv.conf may have changed ---- */

#define FOLLOW_MAX	10		/* links on the way, and the file */

struct follow {
	int		 fd;		/* -1: nothing is followed */
	size_t		 n;
	struct watched {
		int	 wd;
		char	 name[256];	/* in its directory; "": the file itself */
		char	 path[4096];
	} at[FOLLOW_MAX];
};

/* Warns where it cannot be done. */
void	follow_start(struct follow *);
/* Read what there is; true: the file is to be read again. */
bool	follow_read(struct follow *);

/* ---- control.c: what the helpers are told while the run goes on ---- */

enum { CONTROL_DIALLER, CONTROL_POLICY, CONTROL_DNS, CONTROL_CHANNELS };
enum change { CHANGE_RESOLVERS, CHANGE_RULES, CHANGES };

/* A generation of the rules that comes after the first. */
struct generation {
	int		 fd;		/* sealed memfd; -1: there is none */
	unsigned	 generation;	/* 1 was the first */
	size_t		 rules;		/* how many the user gave */
};

struct control {
	struct chan	*chan[CONTROL_CHANNELS];	/* NULL: it has ended */
	bool		 absent[CONTROL_CHANNELS];	/* there never was one */
	bool		 busy;		/* one is on its way: */
	enum change	 change;
	int		 step;		/* who has been told last, in the order of that change */
	struct resolvers resolvers, next_resolvers;
	bool		 new_resolvers;	/* next_resolvers are to be told */
	struct generation rules, next_rules;
	const char	*who, *why;	/* one sent garbage; NULL: none has */
	void		(*on_rules)(void *arg, const struct generation *);
	void		*arg;
};

/* on_rules: a generation is in force everywhere. */
void	control_open(struct control *, const int fd[CONTROL_CHANNELS],
	    void (*on_rules)(void *arg, const struct generation *), void *arg);
void	control_resolvers(struct control *, const struct resolvers *);
/* The descriptor is taken over. */
void	control_rules(struct control *, const struct generation *);
void	control_flush(struct control *);
/* To be polled for reading; -1: nothing more comes.  Then control_read. */
int	control_fd(const struct control *, int which);
void	control_read(struct control *, int which);

/* mounts.c: in the child's own mount namespace.  -1, errno and *what. */
int	mounts_make(const struct texts *, const struct conf *, const char **what);
/* Is it covered always, as who listens there answers names? */
bool	mounts_names(const char *path);
/* The directories that are; NULL behind the last. */
const char *mounts_service(size_t i);

/* treefilter.c: the filter that the command and all its children live under; -1, errno. */
int	treefilter_load(void);

/* ---- tcppath.c: which way TCP goes ---- */

struct tcp_choice {
	unsigned	 families;	/* that go by the kernel */
	const char	*name;		/* "kernel", "tun" or "mixed"; NULL: not known yet */
	char		 why[160];	/* not (only) by the kernel; may be empty */
};

struct chan;
bool	tcp_path_wanted(const struct conf *);
/* Pass a listener on to cf-netstack; fd is closed. */
void	tcp_path_listener(struct tcp_choice *, struct chan *control, unsigned family, int fd);
/* No more listeners come; why: what failed, or empty. */
void	tcp_path_decided(struct tcp_choice *, const struct conf *, const char *why);

/* ---- child.c: the process that becomes the command ---- */

enum child_stage {		/* what the child tells us, in this order */
	CHILD_NEEDS_MAP = 1,	/* only where idmap_write is wanted */
	CHILD_LISTEN,		/* for each family of the kernel path: with its listener */
	CHILD_DIAG,		/* where it is wanted: the tree's sock_diag socket */
	CHILD_MOVED,		/* --seal pid: the command is another process; pid, init_pid */
	CHILD_PLACES,		/* with its root directory and namespaces; places: which */
	CHILD_TUN,		/* with the TUN's descriptor; what: why own TCP, or empty */
	CHILD_FAILED,		/* set-up failed: what, errno */
	CHILD_NO_EXEC		/* the command cannot be executed: errno */
};

struct child_report {
	int		stage;
	int		err;
	unsigned	offloads;	/* with CHILD_TUN */
	unsigned	family;		/* with CHILD_LISTEN: 4 or 6; with CHILD_DIAG: the TUN's index */
	pid_t		pid, init_pid;	/* with CHILD_MOVED */
	unsigned	places;		/* with CHILD_PLACES: bit PLACE_USER etc. */
	char		what[160];
};

struct child {
	pid_t		pid;
	int		fd;	/* reports come in; a byte out lets it go on; EOF: it has exec'ed */
};

/* mask: the signal mask that the command gets, as our caller had it. */
void	child_start(struct child *, const struct conf *, const struct identity *,
	    const struct texts *, const sigset_t *mask);
#define CHILD_FDS_MAX	PLACES	/* that one report carries */

/* For the files that do a part of its work: tell cf-spawn that a step failed, and end. */
_Noreturn void	child_failed(int fd, const char *what);
void	child_report_send(int fd, const struct child_report *, const int *fds, size_t n);
/* The working directory, inside. */
void	child_directory(int fd, const struct conf *, const char *path);
void	child_powers_drop(int fd, const struct conf *, const struct identity *);
/* The last steps: give all up, wait for the word, and execute conf's command. */
_Noreturn void	child_execute(int fd, const struct conf *, const struct identity *,
	    const sigset_t *mask);
/* 126 or 127, by what kept it from being executed. */
int	child_exec_status(int err);
/* fork(2), but the new process is our parent's child. */
pid_t	child_beside(void);
/*
 * The next report.  1: *r is filled, fds are those that came with it, then -1.  0: the child
 * has closed its end: it runs the command, or it is dead.
 */
int	child_report_read(const struct child *, struct child_report *r, int *fds, size_t max);
void	child_go_on(const struct child *);

/* ---- doctor.c: --doctor, and what else cf-doctor does in our place ---- */

_Noreturn void	doctor_become(const char *const *argv);	/* argv[0]: one of paths_libexec */
_Noreturn void	doctor_exec(const struct conf *);

/* ---- report.c: --report ---- */

bool	report_wanted(const struct conf *);
/* In place of a run: become cf-doctor. */
_Noreturn void	report_exec(const struct conf *);

/* ---- learn.c: --learn ---- */

/* Ends the process where other options take it its sense. */
void	learn_check(const struct conf *);
/* Opens the profile with the caller's rights. */
void	learn_open(struct conf *);

/* ---- helpers.c: start, wire and watch ---- */

enum helper_kind { HELPER_NETSTACK, HELPER_DNS, HELPER_POLICY, HELPER_DIALLER, HELPER_CAPTURE,
    HELPER_UPSTREAM, HELPER_WATCHER, HELPER_MONITOR, HELPER_SUMMARY,
    HELPER_EGRESS, HELPER_NAMES, HELPER_RECORDER,	/* the user's own: pipes.h */
    HELPER_KINDS };

struct helper {
	const char	*name;		/* as messages say it */
	pid_t		 pid;		/* 0: not running */
	bool		 ended;
	int		 code, status;	/* as waitid has it: si_code and si_status */
};

struct helpers {
	struct helper	 helper[HELPER_KINDS];
	int		 control_fd;	/* cf-netstack's channel */
	int		 told_fd[CONTROL_CHANNELS];	/* channels of control.c */
	int		 watcher_fd;	/* its channel, until it starts; -1: none is wanted */
	int		 facts_fd;	/* what cf-doctor summary cannot know; -1: no summary */
};

/*
 * Starts all that this run needs.  -1 and errno where their namespaces cannot be made; ends
 * the process where a program cannot be started.
 */
int	helpers_start(struct helpers *, const struct conf *, const struct identity *,
	    const struct texts *);
/* Is the tree watched, for events to tell its processes? */
bool	helpers_watch(const struct conf *);
/* Before anything is started: is each helper's program there?  Ends the process if not. */
void	helpers_find_programs(const struct conf *);
/* For --dry-run: each one that would be started, and how. */
void	helpers_each(const struct conf *, const struct texts *,
	    void (*say)(void *arg, const char *name, bool jailed, char *const *argv), void *arg);
/* The helper with this pid, or NULL. */
struct helper	*helpers_find(struct helpers *, pid_t);
/* Take the ends that there are; true when one has ended or stopped. */
bool	helpers_reap(struct helpers *);
/* It has ended, and not as it should. */
bool	helper_ended_badly(const struct helper *);
/* Kill it, if it still runs. */
void	helper_kill(const struct helper *);
/* Kill those that still run. */
void	helpers_kill(struct helpers *);

/* ---- dryrun.c: --dry-run ---- */

/* Prints what would be done; the status to exit with. */
int	dryrun(const struct conf *, const struct identity *, const struct texts *);

/* ---- run.c: from the first process to the status ---- */

/* Does all of it; returns the status to exit with. */
int	run(struct conf *);

/* ---- status.c: --status-fd, and the facts for the summary ---- */

struct run;
void	status_ready(const struct run *);
void	status_started(int fd, pid_t pid, const struct tcp_choice *);
/* A generation is in force; why: it is not, and the one of this number stays. */
void	status_policy(int fd, unsigned generation, size_t rules, const char *why);
void	status_exit(const struct conf *, int code, const char *reason, const char *detail);
void	status_facts(int fd, const struct conf *, const struct tcp_choice *, int code,
	    const char *reason, long duration_ms);

#endif
