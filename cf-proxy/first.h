/*
 * first.h - the first flight of a flow: what the tree says before it gets a socket.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_PROXY_FIRST_H
#define CF_PROXY_FIRST_H

#include "broker.h"

struct firsts;

/* The ones of this process.  Before the seal.  Ends the process where it cannot. */
struct firsts	*firsts_new(struct broker *, enum quic_choice);
/* How many sockets are kept here. */
size_t		 firsts_held(const struct firsts *);

/*
 * An OPEN that the rules allow: is it QUIC, which --quic refuses where a rule is about names?
 * Then *why is filled.
 */
bool		 first_is_refused(struct broker *, const struct msg_open *,
		    const struct record_names *, struct rules_words *why);
/*
 * The flow is connected.  true: it owes its first flight, and fd (-1: payload goes in frames) is
 * kept; cf-netstack has been told.  false: it owes nothing.
 */
bool		 first_begin(struct broker *, struct asked *, const struct msg_opened *, int fd);
/* The same of one that was dialled again by its name. */
void		 first_redialled(struct broker *, struct asked *, int fd);
/* There it cannot be reached: err, or why the rules refuse the addresses that the name has. */
void		 first_unreachable(struct broker *, struct asked *, uint32_t err,
		    const struct rules_words *why);

/* New rules forbid it; or they do not, and what it owes is as they say (if it owes anything). */
void		 first_cut(struct broker *, struct asked *);
void		 first_judge_again(struct broker *, struct asked *);
/* It was ended while it owed its first flight: only its CLOSE is waited for. */
bool		 first_has_ended(const struct asked *);

/* FIRST from cf-netstack. */
void		 first_hear(struct broker *, const struct frame *);
/*
 * A frame of payload on a flow that owes its first flight, from the dialler or from cf-netstack:
 * may it pass?
 */
bool		 first_passes(struct broker *, struct asked *, const struct frame *, bool from_client);
/* The flow is over, or owes nothing any more. */
void		 first_free(struct broker *, struct asked *);

extern const struct sandbox_row first_rows[];

#endif
