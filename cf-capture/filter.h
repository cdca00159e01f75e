/*
 * filter.h - which packets are wanted, in libpcap's words (pcap-filter(7)).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_FILTER_H
#define CF_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILTER_WHY_LEN	320

struct filter;

/*
 * Before the seal: host names in an expression are looked up.  dlt: what the packets begin with
 * (DLT_).  NULL: *why is filled.
 */
struct filter	*filter_new(const char *expression, int dlt, char why[FILTER_WHY_LEN]);
void		 filter_free(struct filter *);	/* NULL is fine */
/* Is it wanted?  len: of what there is of it. */
bool		 filter_match(const struct filter *, const uint8_t *packet, size_t len, uint32_t orig_len);

#endif
