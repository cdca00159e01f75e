/*
 * notls.c - the tls.h of a cf-upstream without TLS: there is none.
 *
 * SPDX-License-Identifier: MIT
 */
#include "log.h"
#include "tls.h"

const struct sandbox_row tls_rows[] = { { 0 } };
const char tls_program[] = "cf-upstream";

void
tls_open(const struct hops *l)
{
	if (hops_tls(l))
		fatalx("this program has no TLS (cf-spawn starts cf-upstream-tls for https:// "
		    "proxies)");
}

struct tls *
tls_new(const struct hop *h)
{
	(void)h;
	return NULL;
}

void
tls_free(struct tls *t)
{
	(void)t;
}

bool
tls_feed(struct tls *t, const void *p, size_t len)
{
	(void)t, (void)p, (void)len;
	return false;
}

size_t
tls_out(struct tls *t, void *p, size_t len)
{
	(void)t, (void)p, (void)len;
	return 0;
}

int
tls_handshake(struct tls *t, char why[TLS_WHY_LEN])
{
	(void)t, (void)why;
	return -1;
}

long
tls_read(struct tls *t, void *p, size_t len)
{
	(void)t, (void)p, (void)len;
	return -2;
}

bool
tls_write(struct tls *t, const void *p, size_t len)
{
	(void)t, (void)p, (void)len;
	return false;
}

void
tls_end(struct tls *t)
{
	(void)t;
}
