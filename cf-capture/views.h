/*
 * views.h - one stream of frames, seen from the tree and from the host.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_VIEWS_H
#define CF_VIEWS_H

#include "capture.h"
#include "known.h"

struct held;

struct views {
	struct capture	 child, egress;		/* those that are written */
	bool		 has_child, has_egress;
	const char	*backend;		/* for descriptions of interfaces; NULL: there are none */
	const char	*egress_name;		/* the host's interface; NULL: as the tree's */
	struct addr	 egress4, egress6;	/* of packets that are of no open flow */
	struct known_table *known;		/* NULL: nobody tells of flows */
	bool		 has_keys;		/* secrets of TLS may come; keys.h */
	TAILQ_HEAD(held_list, held) held;		/* oldest first */
	size_t		 n_held, held_bytes;
};

void	views_init(struct views *);
/* That view which is there; both have the same interfaces. */
const struct capture	*views_any(const struct views *);
void	views_dropped(struct views *, uint32_t interface, uint32_t n);
/* One more interface; false: there are too many. */
bool	views_interface(struct views *, const struct capture_interface *);
/*
 * A packet.  It is held for a moment where what is known of its flow has not come yet, and so are
 * all behind it.
 */
void	views_packet(struct views *, const struct captured *);
/* Something came, or a moment has passed: write what need not wait any longer. */
void	views_turn(struct views *);
/* Nothing more comes: write all. */
void	views_flush(struct views *);
/* An address and its name. */
void	views_name(struct views *, const struct addr *, const char *name, size_t len);
void	views_secrets(struct views *, const char *lines, size_t len);

#endif
