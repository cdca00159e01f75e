/*
 * broker.h - the policy stage's insides: broker.c (who may say what), asked.c (the flows, from
 * their OPEN to the end), alias.c (addresses that stand for a name).
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
#include "proxy.h"

#define LATE_MAX	64

struct alias;
struct way;

/* A flow that cf-netstack has asked for. */
struct asked {
	TAILQ_ENTRY(asked) all;
	uint64_t	 id;
	uint64_t	 since;		/* ms, when it was asked for */
	bool		 opened;
	struct msg_open	 open;		/* dst: the address that is tried */
	struct alias	*alias;		/* NULL: the tree named the address itself */
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
	struct judge	*judge;
	struct way	*way;		/* NULL: all flows go directly */
	struct names	*names;		/* NULL: nobody wants to know them */
	struct namechan	*namechan;	/* NULL: there are only those of the hosts file, if any */
	bool		 synthetic;
	struct chan	*client, *dialler;
	struct chan_uv	*client_uv, *dialler_uv;
	bool		 client_paused, dialler_paused;
	bool		 passes_fds;
	bool		 ending;
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

/* Before an OPEN goes to the dialler: the CLOSEs that waited for it. */
void		 broker_late_send(struct broker *);

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

/* ---- asked.c ---- */

/* A flow of the table, if there is room for one more; else it has been refused. */
struct asked	*asked_admit(struct broker *, uint64_t id, const struct msg_open *);
void		 asked_free(struct broker *, struct asked *);
/* The dialler is asked for it.  name: for the upstream proxy, or NULL. */
void		 asked_dial(struct broker *, const struct asked *, const char *name);
/* The flow is over for the tree: write down how it ended, and forget it. */
void		 asked_end(struct broker *, struct asked *, const struct msg_close *);
void		 asked_end_all(struct broker *);	/* and what was only counted is told */

/* Refused, recorded and answered; `names` are those of the address.  No table is touched. */
void		 asked_deny(struct broker *, uint64_t id, const struct msg_open *,
		    const struct record_names *, const struct rules_words *why);
/* The same for one that has no address where it could be tried. */
void		 asked_nowhere(struct broker *, uint64_t id, const struct msg_open *,
		    const struct record_names *, const char *why);

struct record_names asked_names(const struct asked *);
/* Of an address that no flow goes to yet, by all that cf-dns has said. */
struct record_names asked_names_at(struct broker *, const struct addr *);

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
const char	*alias_name(const struct alias *);
bool		 alias_was_tried(const struct alias *);	/* the dialler was asked, if only once */
void		 alias_free(struct alias *);		/* NULL is fine */

#endif
