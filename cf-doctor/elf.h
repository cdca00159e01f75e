/*
 * elf.h - which shared libraries a program wants.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_ELF_H
#define CF_ELF_H

#include <stddef.h>
#include <stdint.h>

#define ELF_NEEDED_MAX	64

struct elf_needed {
	size_t		 n;
	const char	*name[ELF_NEEDED_MAX];	/* borrowed from the file's bytes */
};

/* The DT_NEEDED of a file of this machine's kind.  NULL, or what is wrong with it. */
const char	*elf_needed(const void *file, size_t len, struct elf_needed *out);

#endif
