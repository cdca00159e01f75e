/*
 * synth.h - the names that have an address of their own (--dns-mode synthetic).
 *
 * A name gets a number the first time that it turns out to have an address, and keeps it to the
 * end of the run: what the tree remembers of it, in whatever cache, is never another's.
 * So the numbers can be used up, and then no more names are answered.
 *
 * Bounded by SYNTHETIC_MAX names and SYNTH_BYTES of them (about 20 MiB in all, 32 bytes a name
 * where names are short).  The real addresses are in a table of fixed size, by number and
 * family: one that is needed and no longer there is asked for again.
 *
 * Pure but for the key of its hash.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_DNS_SYNTH_H
#define CF_DNS_SYNTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "synthetic.h"

#define SYNTH_BYTES	(16u << 20)
#define SYNTH_REALS	4096		/* names times families whose addresses are kept */
#define SYNTH_ADDRS	8		/* of each */

struct synth;

struct synth	*synth_new(void);		/* NULL: out of memory or of random numbers */
void		 synth_free(struct synth *);	/* NULL is fine */

/* The number of a name; 0: it has none. */
uint32_t	 synth_find(const struct synth *, const char *name);
/* The same, and it gets one.  0: they are used up.  *fresh: it had none before. */
uint32_t	 synth_number(struct synth *, const char *name, bool *fresh);
/* The name of a number, or NULL. */
const char	*synth_name(const struct synth *, uint32_t number);

/*
 * The real addresses of a name in one family are these until then (ms).  Others than of that
 * family are left out, and so are those after SYNTH_ADDRS.
 */
void		 synth_keep(struct synth *, uint32_t number, uint8_t family,
		    const struct addr *addrs, size_t n, uint64_t until_ms);
/* They are; 0: not known, or no longer.  out has room for SYNTH_ADDRS. */
size_t		 synth_real(const struct synth *, uint32_t number, uint8_t family, uint64_t now_ms,
		    struct addr *out);

/* The address that a reverse name (in the form of name.h) is of, whichever.  False: it is none. */
bool		 synth_reverse_addr(const char *name, struct addr *);
/* The number that a reverse name (in the form of name.h) asks for.  False: it is of no range. */
bool		 synth_reverse(const char *name, uint32_t *number);

#endif
