/*
 * quotatext.h - one quota as a person writes it, taken apart.
 *
 *	quota	= target "=" limit { "," limit }
 *	target	= as of a rule (ruletext.h)
 *	limit	= number unit [ "/up" | "/down" ]	bytes of payload; without a way both together
 *		| number "conn"				flows that opened
 *		| number "dest"				different addresses
 *	unit	= "B" | "KB" | "MB" | "GB" | "TB" | "KiB" | "MiB" | "GiB" | "TiB"
 *
 * Case does not count.  Each kind of limit is there once; none is 0, which would be a rule
 * that refuses.  Numbers are whole.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_QUOTATEXT_H
#define CF_QUOTATEXT_H

#include "ruletext.h"

enum quota_kind { QUOTA_UP, QUOTA_DOWN, QUOTA_BYTES, QUOTA_CONN, QUOTA_DEST, QUOTA_KINDS };

#define QUOTA_BYTES_MOST	((uint64_t)1 << 60)	/* so that no sum of two can wrap */
#define QUOTA_COUNT_MOST	1000000000u
#define QUOTA_DEST_MOST		65536u		/* each is remembered */

#define QUOTA_UNITS		9
struct quota_unit {
	const char	*word;
	uint64_t	 size;
};
extern const struct quota_unit	quota_units[QUOTA_UNITS];	/* quotas.c */

struct quotatext {
	struct ruletext	 target;
	size_t		 target_len;		/* bytes of the text before the "=" */
	uint64_t	 limit[QUOTA_KINDS];	/* 0: none */
};

/* False: *err is filled.  The text need not be terminated, and may be any bytes. */
bool		 quotatext_parse(const char *text, size_t len, struct quotatext *out,
		    struct ruletext_error *err);

#endif
