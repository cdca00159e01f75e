/*
 * leaktry.h - calls by another table, and sockets of any family: what the probe and the tests try.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_LEAKTRY_H
#define CF_LEAKTRY_H

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

#define I386_SOCKETCALL		102
#define I386_SOCKET		359
#define I386_IO_URING_SETUP	425

/* The i386 table of numbers, as a program of 64 bits can use it too; -1 and errno. */
static inline int
call_i386(unsigned nr, unsigned a, unsigned b, unsigned c)
{
#if defined(__x86_64__)
	int rc;

	__asm__ volatile("int $0x80" : "=a"(rc) : "a"(nr), "b"(a), "c"(b), "d"(c)
	    : "memory", "r8", "r9", "r10", "r11");
	errno = rc < 0 ? -rc : 0;
	return rc < 0 ? -1 : rc;
#else
	(void)nr, (void)a, (void)b, (void)c;
	errno = ENOSYS;
	return -1;
#endif
}

/* A socket of this family, of whatever type it has; -1 and errno. */
static inline int
family_socket(int family)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW };
	int fd = -1, err = 0;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]) && fd == -1; i++) {
		fd = socket(family, types[i], 0);
		/* Not this type, or not without privilege: the family itself is there. */
		if (fd == -1 && (err == 0 || err == ESOCKTNOSUPPORT || err == EPROTONOSUPPORT))
			err = errno;
	}
	errno = err;
	return fd;
}

#endif
