/*
 * svcb.h - the data of SVCB and HTTPS records (RFC 9460 2.2), with parameters taken out.
 *
 * Pure.  The bytes come from a resolver and may be anything.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_DNS_SVCB_H
#define CF_DNS_SVCB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 9460 14.3.2; ech is of RFC 9848. */
enum svcb_key {
	SVCB_MANDATORY = 0, SVCB_IPV4HINT = 4, SVCB_ECH = 5, SVCB_IPV6HINT = 6
};
#define SVCB_GONE	SIZE_MAX

/* The parameter's value may be shortened in place: its new length, or SVCB_GONE. */
typedef size_t	svcb_fn(void *arg, uint16_t key, uint8_t *value, size_t len);

/*
 * Show each parameter but "mandatory", and shorten data to what is left; keys that are gone are
 * mandatory no more.  Returns the new length, or SVCB_GONE where this is no such data.
 */
size_t	svcb_edit(uint8_t *data, size_t len, svcb_fn *fn, void *arg);

#endif
