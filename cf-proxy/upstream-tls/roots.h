/*
 * roots.h - the certificates that the system trusts, each made when it is asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_UPSTREAM_ROOTS_H
#define CF_UPSTREAM_ROOTS_H

#include <openssl/x509.h>

/* Before the seal.  Ends the process where there is no list, or nothing in it. */
void	roots_open(X509_STORE *);

#endif
