/*
 * synthetic.h - addresses that stand for a name (inside.h has the ranges).
 *
 * Name number n, from 1 on, has the n-th address of the IPv4 range and the n-th of the
 * IPv6 range, so what knows one knows the other.  cf-dns deals them out, cf-proxy reads them.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_SYNTHETIC_H
#define CF_SYNTHETIC_H

#include "addr.h"

#define SYNTHETIC_MAX	131070	/* of 198.18.0.0/15; its first and last address stay free */

/* The address of a number from 1 to SYNTHETIC_MAX, without a port. */
struct addr	 synthetic_addr(uint8_t family, uint32_t number);
/* Is it of one of the ranges? */
bool		 synthetic_is(const struct addr *);
/* Its number; 0: it is of no range, or can be nobody's. */
uint32_t	 synthetic_number(const struct addr *);

#endif
