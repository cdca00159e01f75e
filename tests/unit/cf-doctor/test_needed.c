/*
 * test_needed.c - what a program links is found, and no file leads out of itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../main.h"
#include "needed.h"

static uint8_t	*self;
static size_t	 self_len;

/* This test, which links libc and Check's libraries. */
static void
self_read(void)
{
	FILE *f = fopen("/proc/self/exe", "r");

	self = malloc(64 << 20);
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(self);
	self_len = fread(self, 1, 64 << 20, f);
	fclose(f);
}

START_TEST(libraries_are_found)
{
	struct needed n;
	bool libc = false;

	self_read();
	ck_assert_ptr_null(needed_find(self, self_len, &n));
	for (size_t i = 0; i < n.n; i++)
		libc |= strcmp(n.name[i], "libc.so.6") == 0;
	ck_assert(libc);
}
END_TEST

START_TEST(what_is_cut_is_refused_or_read_within)
{
	struct needed n;
	uint8_t *cut;

	self_read();
	for (size_t len = 0; len < self_len; len += len < 4096 ? 7 : self_len / 199) {
		cut = malloc(len + 1);
		memcpy(cut, self, len);
		(void)needed_find(cut, len, &n);
		for (size_t i = 0; i < n.n; i++)
			ck_assert_ptr_nonnull(memchr(n.name[i], 0,
			    len - (size_t)(n.name[i] - (char *)cut)));
		free(cut);
	}
}
END_TEST

static ElfW(Phdr) *
dynamic_segment(ElfW(Ehdr) *h)
{
	ElfW(Phdr) *p = (ElfW(Phdr) *)(self + h->e_phoff);

	while (p->p_type != PT_DYNAMIC)
		p++;
	return p;
}

START_TEST(what_lies_is_refused)
{
	struct needed n;
	ElfW(Ehdr) *h;
	ElfW(Dyn) *d;

	self_read();
	h = (ElfW(Ehdr) *)self;
	d = (ElfW(Dyn) *)(self + dynamic_segment(h)->p_offset);
	switch (_i) {
	case 0: self[0] = 'M'; break;
	case 1: h->e_ident[EI_CLASS] ^= 3; break;
	case 2: h->e_phoff = (ElfW(Off))-8; break;
	case 3: h->e_phentsize = 1; break;
	case 4: h->e_phoff = self_len - 8; break;
	case 5: for (; d->d_tag != DT_STRTAB; d++) ; d->d_un.d_val = (ElfW(Addr))-1; break;
	case 6: for (; d->d_tag != DT_NEEDED; d++) ; d->d_un.d_val = (ElfW(Addr))-1; break;
	case 7: for (; d->d_tag != DT_NEEDED; d++) ; d->d_un.d_val = self_len; break;
	}
	ck_assert_ptr_nonnull(needed_find(self, self_len, &n));
}
END_TEST

START_TEST(a_static_program_links_nothing)
{
	struct needed n;

	self_read();
	dynamic_segment((ElfW(Ehdr) *)self)->p_type = PT_NULL;
	ck_assert_ptr_null(needed_find(self, self_len, &n));
	ck_assert_int_eq((int)n.n, 0);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("needed");

	tcase_add_test(tc, libraries_are_found);
	tcase_add_test(tc, what_is_cut_is_refused_or_read_within);
	tcase_add_loop_test(tc, what_lies_is_refused, 0, 8);
	tcase_add_test(tc, a_static_program_links_nothing);
	return unit_run("needed", tc);
}
