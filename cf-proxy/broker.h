/*
 * broker.h - the policy stage's insides: broker.c (who may say what), asked.c (the flows, from
 * their OPEN to the end), alias.c (addresses that stand for a name), first.c (what a flow says
 * first), payload.c (what passes in frames), reload.c (new rules).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_PROXY_BROKER_H
#define CF_PROXY_BROKER_H

#include <sys/queue.h>
#include <uv.h>

#include "chan_uv.h"
#include "idmap.h"
#include "namechan.h"
#include "quota.h"
#include "proxy.h"
#include "who.h"

#define LATE_MAX	64

struct alias;
struct first;
struct firsts;
struct way;

/* A flow that cf-netstack has asked for. */
struct asked {
	TAILQ_ENTRY(asked) all;
	uint64_t	 id;
	uint64_t	 since;		/* ms, when it was asked for */
	bool		 opened;
	bool		 relayed;	/* its payload comes in frames */
	bool		 cut;		/* a quota has ended it, and the dialler knows */
	bool		 counted;	/* in the run's totals, and with these bytes: */
	uint64_t	 told_up, told_down;
	const char	*over;		/* why we have ended it, its CLOSE is awaited; or NULL */
	int		 kept_fd;	/* of its socket, see reload.c; -1: none */
	struct msg_open	 open;		/* dst: the address that is tried */
	struct addr	 dst;		/* that the tree has asked for */
	struct alias	*alias;		/* NULL: the tree named the address itself */
	struct first	*first;		/* NULL: it owes no first flight */
	struct quota_hold *quota;	/* NULL: none covers it */
	struct addr	 local;		/* once it is open: of the host's side */
	struct who	*who;		/* NULL: not known */
	char		*rule, *server_name;	/* for the record; NULL: not known */
	size_t		 n_names;
	struct name_at	*names[];	/* held */
};
TAILQ_HEAD(asked_list, asked);

struct late_close {
	uint64_t	 flow;
	uint8_t		 body[MSG_CLOSE_LEN];
};

struct broker {
	uv_loop_t	 loop;
	uv_timer_t	 drain;
	uv_prepare_t	 sleep;
	struct judge	*judge;
	struct quotas	*quotas;	/* NULL: there are none */
	struct settling	*settling;	/* flows that only the dialler has yet (payload.c) */
	struct way	*way;		/* NULL: all flows go directly */
	struct names	*names;		/* NULL: nobody wants to know them */
	struct reload	*reload;	/* NULL: no new rules will come */
	struct namechan	*namechan;	/* NULL: there are only those of the hosts file, if any */
	struct firsts	*firsts;
	struct whochan	*whochan;	/* NULL: nobody asks whose a flow is */
	struct {
		uint64_t	 flow;
		const struct who *who;	/* NULL: not known */
	} opening;			/* the OPEN that is being judged */
	bool		 synthetic;
	struct chan	*client, *dialler;
	struct chan_uv	*client_uv, *dialler_uv;
	bool		 client_paused, dialler_paused;
	bool		 passes_fds;
	bool		 keeps;		/* a descriptor of each open flow */
	size_t		 n_kept;
	bool		 ending, left;	/* left: nothing more is for the dialler */
	int		 status;

	struct idmap	 by_id;
	struct asked_list flows;	/* oldest first */
	uint64_t	 last_id;
	size_t		 n_opening;	/* flows that the dialler has not answered for */
	size_t		 fds_max;	/* descriptors to come or to go on */
	/*
	 * The dialler has nothing to do for the CLOSE of a flow whose descriptor it has given
	 * away, so it is not woken for it: such CLOSEs wait for the next OPEN.
	 */
	struct late_close late[LATE_MAX];
	size_t		 n_late;
};

/* ---- broker.c ---- */

/*
 * The flow is allowed to go to fl->open.dst: record the attempt and ask the dialler.  False:
 * *why says which quota is used up.
 */
bool		 broker_dial(struct broker *, struct asked *, struct rules_words *why);
/* cf-netstack has gone, and nothing is waited for any more. */
void		 broker_finish(struct broker *);

/* ---- way.c: directly, or by the upstream proxy ---- */

/* NULL: there is no proxy.  Ends the process where the options are wrong. */
struct way	*way_new(const struct proxy_conf *);
/*
 * Which way this flow is to go: OPEN_DIRECT of its flags.  False: there is none, *why says so.
 * names: those of its address, or the one that the address stands for.
 */
bool		 way_choose(const struct way *, struct msg_open *, const struct record_names *,
		    struct rules_words *why);
/* Does the proxy get to know the name of a made-up address? */
bool		 way_tells(const struct way *, const struct msg_open *);
/* The name by which the proxy is asked for an address, or NULL. */
const char	*way_name(const struct way *, const struct msg_open *, const struct record_names *,
		    bool pinned);

/* ---- totals.c ---- */

/* -1: nobody wants to know. */
void		 totals_open(int fd);
/* It is open. */
void		 totals_flow(struct asked *);
/* What it has carried by now. */
void		 totals_bytes(struct asked *, uint64_t up, uint64_t down);
void		 totals_end(const struct asked *);

/* ---- asked.c ---- */

/* A flow of the table, if there is room for one more; else it has been refused. */
struct asked	*asked_admit(struct broker *, uint64_t id, const struct msg_open *);
void		 asked_free(struct broker *, struct asked *);
/* The flow is over for the tree: write down how it ended, and forget it. */
void		 asked_end(struct broker *, struct asked *, const struct msg_close *);
void		 asked_end_all(struct broker *);	/* and what was only counted is told */

/*
 * May it leave, and which way (OPEN_DIRECT of its flags)?  What passes only by --permissive is
 * recorded.  Where not: *why.
 */
bool		 asked_may_leave(struct broker *, struct msg_open *,
		    const struct record_names *, struct rules_words *why);
/* Would the rules let it pass under these names? */
bool		 asked_judge(const struct broker *, const struct asked *, const char *const *names,
		    size_t n, struct rules_words *why);
/* Is its made-up address for the upstream proxy to find?  Then only its name can be judged. */
bool		 asked_is_told(const struct broker *, const struct msg_open *);
/* What the upstream proxy is told in place of its address; NULL: the address. */
const char	*asked_name_for_proxy(struct broker *, const struct asked *);
/* Refused, recorded and answered; `names` are those of the address.  No table is touched. */
void		 asked_deny(struct broker *, uint64_t id, const struct msg_open *,
		    const struct record_names *, const struct rules_words *why);
/* The same for one that has no address where it could be tried. */
void		 asked_nowhere(struct broker *, uint64_t id, const struct msg_open *,
		    const struct record_names *, const char *why);

/* For the record: which rule has let it through. */
void		 asked_rule(struct broker *, struct asked *);
/* And the name that its first flight told. */
void		 record_server_name(struct asked *, const char *name);
struct record_names asked_names(const struct asked *);
/* Of an address that no flow goes to yet, by all that cf-dns has said. */
struct record_names asked_names_at(struct broker *, const struct addr *);

/* ---- reload.c ---- */

/* The channel to cf-spawn, where the options name one. */
struct reload;
struct reload	*reload_open(struct broker *, const struct proxy_conf *);
void		 reload_hello(struct reload *);
/* It is open, and fd (-1: none) goes on to cf-netstack. */
void		 reload_keep(struct broker *, struct asked *, int fd);
void		 reload_let_go(struct broker *, struct asked *);
/*
 * End an open flow here and now: its socket is shut down, cf-netstack is told to reset it.  It stays
 * in the table until its CLOSE comes with the totals.  reason: for flow_end, static.
 */
void		 reload_end(struct broker *, struct asked *, const char *reason);

extern const struct sandbox_row	reload_rows[];

/* ---- payload.c ---- */

bool		 payload_open(struct broker *);	/* false: it cannot start */
/* A DATA, WINDOW, EOF or RESET from either side. */
void		 payload_frame(struct chan *, const struct frame *, int fd);
/* Count payload and pass it on as DATA; false: not all of it fitted, and the flow was cut. */
bool		 payload_pass(struct broker *, struct asked *, bool up, const uint8_t *data, size_t len);
/* Has the dialler flows that were cut, and are not at their end? */
bool		 payload_settles(const struct broker *);
/* The run is over: the dialler may end what it only had yet to deliver. */
void		 payload_end(struct broker *);

/* ---- alias.c ---- */

/* An OPEN to a made-up address.  It is refused here, or cf-dns is asked. */
void		 alias_open(struct broker *, uint64_t id, const struct msg_open *);
/* What cf-dns says; arg is the broker (namechan.h). */
void		 alias_resolved(void *arg, uint64_t question, const struct addr *, size_t n);
/*
 * Ask the dialler for the next address that the rules allow; false: none is left, with *why
 * filled where the rules refused the last of them.
 */
bool		 alias_next(struct broker *, struct asked *, struct rules_words *why);
/* An open flow is to go where this name is: cf-dns is asked.  False: it cannot be. */
bool		 alias_redial(struct broker *, struct asked *, const char *name);
const char	*alias_name(const struct alias *);
bool		 alias_is_told(const struct alias *);	/* the upstream proxy finds it */
bool		 alias_was_tried(const struct alias *);	/* the dialler was asked, if only once */
void		 alias_free(struct alias *);		/* NULL is fine */

#endif
