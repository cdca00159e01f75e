/*
 * needed.c - see needed.h and elf(5).  Pure; the file may hold anything.
 *
 * By the program headers, which the loader goes by as well: sections may be stripped, or lie.
 * What must stay true: nothing is read but through part() and text(), which know the file's end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "needed.h"

#include <elf.h>
#include <link.h>
#include <string.h>

#define CLASS	(sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)

struct file {
	const uint8_t	*bytes;
	size_t		 len;
	ElfW(Ehdr)	 head;
};

/* Copy n bytes at an offset; 0 where they are not there. */
static int
part(const struct file *f, uint64_t at, void *out, size_t n)
{
	if (at > f->len || n > f->len - at)
		return 0;
	memcpy(out, f->bytes + at, n);
	return 1;
}

static const char *
text(const struct file *f, uint64_t at)
{
	if (at >= f->len || memchr(f->bytes + at, '\0', f->len - at) == NULL)
		return NULL;
	return (const char *)f->bytes + at;
}

/* The i-th program header. */
static int
segment(const struct file *f, unsigned i, ElfW(Phdr) *out)
{
	return f->head.e_phentsize == sizeof(*out) && f->head.e_phoff <= f->len &&
	    part(f, f->head.e_phoff + (uint64_t)i * sizeof(*out), out, sizeof(*out));
}

/* Where an address of the running program lies in the file; past its end where it does not. */
static uint64_t
offset_of(const struct file *f, uint64_t addr)
{
	ElfW(Phdr) p;

	for (unsigned i = 0; i < f->head.e_phnum; i++)
		if (segment(f, i, &p) && p.p_type == PT_LOAD && addr >= p.p_vaddr &&
		    addr - p.p_vaddr < p.p_filesz)
			return p.p_offset + (addr - p.p_vaddr);
	return UINT64_MAX;
}

/* The first entry with this tag, from the *from-th on; *from is then the one behind it. */
static int
dynamic(const struct file *f, const ElfW(Phdr) *p, int64_t tag, size_t *from, uint64_t *value)
{
	ElfW(Dyn) d;

	for (; *from < p->p_filesz / sizeof(d); (*from)++) {
		if (!part(f, p->p_offset + *from * sizeof(d), &d, sizeof(d)) || d.d_tag == DT_NULL)
			return 0;
		if (d.d_tag != tag)
			continue;
		(*from)++;
		*value = d.d_un.d_val;
		return 1;
	}
	return 0;
}

static const char *
read_needed(const struct file *f, const ElfW(Phdr) *p, struct needed *out)
{
	uint64_t strings, value, base;
	size_t at = 0;

	if (!dynamic(f, p, DT_STRTAB, &at, &value) || (base = offset_of(f, value)) >= f->len)
		return "it has no table of strings";
	for (at = 0; dynamic(f, p, DT_NEEDED, &at, &value); out->n++) {
		if (out->n == NEEDED_MAX)
			return "it wants too many libraries";
		strings = value < f->len ? base + value : UINT64_MAX;
		if ((out->name[out->n] = text(f, strings)) == NULL)
			return "a library's name lies outside of it";
	}
	return NULL;
}

const char *
needed_find(const void *bytes, size_t len, struct needed *out)
{
	struct file f = { .bytes = bytes, .len = len };
	ElfW(Phdr) p;

	out->n = 0;
	if (!part(&f, 0, &f.head, sizeof(f.head)) || memcmp(f.head.e_ident, ELFMAG, SELFMAG) != 0 ||
	    f.head.e_ident[EI_CLASS] != CLASS)
		return "it is no program of this machine";
	for (unsigned i = 0; i < f.head.e_phnum; i++) {
		if (!segment(&f, i, &p))
			return "its program headers lie outside of it";
		if (p.p_type == PT_DYNAMIC && p.p_offset <= f.len)
			return read_needed(&f, &p, out);
	}
	return NULL;			/* linked statically */
}
