/*
 * idn.h - names in any script, as a person writes them in a rule.
 *
 * UTS #46, non-transitional, label by label: labels in plain ASCII stay as they are, so
 * that underscores and such as "r3---sn" pass; others become xn-- labels.  The ideographic
 * and fullwidth dots part labels too.  Only what reads rule texts links this
 * (libidn2); names that come from the network are in ASCII already, see name.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_IDN_H
#define CF_IDN_H

#include "name.h"

/* Is this valid UTF-8 (RFC 3629 4), without a zero byte?  Else *at says where it is not. */
bool	idn_utf8_ok(const char *text, size_t len, size_t *at);

/* UTF-8 to the normal form of name.h.  False: *err says why, and where. */
bool	idn_name(const char *text, size_t len, char out[NAME_STRLEN], struct name_error *err);

#endif
