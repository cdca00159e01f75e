/*
 * keys.h - secrets of the tree's TLS, for the file to be read with.
 *
 * A reader uses secrets only for packets behind them (the block's meaning in pcapng 4.7), and a
 * program knows them only when it has the ServerHello.  So the packet with that waits until
 * the secrets of its connection have come, or for as long as packets wait at all.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_KEYS_H
#define CF_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A packet passes: is it a ClientHello? */
void	keys_see(const uint8_t *packet, size_t len);
/* Is it no ServerHello, or one whose secrets have come? */
bool	keys_are_there(const uint8_t *packet, size_t len);
/* Bytes of an SSLKEYLOGFILE; each() gets them in whole lines that are of the form. */
void	keys_take(const char *bytes, size_t len,
	    void (*each)(void *arg, const char *line, size_t len), void *arg);

#endif
