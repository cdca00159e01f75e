/*
 * test_rulesfd.c - a generation in a descriptor: sealed, or not taken.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../main.h"
#include "rulebook.h"
#include "rulesfd.h"

static void *
generation(size_t *len)
{
	static const uint8_t seed[SIPHASH_KEY_LEN] = { 1 };
	struct rulebook *book = rulebook_new(RULES_OFFLINE);
	const char *why;
	void *buf;

	ck_assert_ptr_nonnull(book);
	buf = rulebook_compile(book, seed, len, &why);
	ck_assert_ptr_nonnull(buf);
	rulebook_free(book);
	return buf;
}

START_TEST(generation_goes_over_and_cannot_be_changed)
{
	struct rules rules;
	size_t len;
	void *buf = generation(&len);
	int fd = rulesfd_make(buf, len);

	free(buf);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, "x", 1), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(ftruncate(fd, 0), -1);
	ck_assert_ptr_eq(mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_ptr_null(rulesfd_load(fd, &rules));
	close(fd);
	ck_assert_uint_eq(rules_flags(&rules), RULES_OFFLINE);
}
END_TEST

/* Each seal is wanted; the last row is a whole one with a byte that is wrong. */
static const struct { int seals; const char *why; bool damaged; } unfit[] = {
	{ F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, "sealed", false },
	{ F_SEAL_SEAL | F_SEAL_GROW | F_SEAL_WRITE, "sealed", false },
	{ F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_WRITE, "sealed", false },
	{ F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW, "sealed", false },
	{ F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, "damaged", true },
};

START_TEST(unfit_descriptor_is_refused)
{
	struct rules rules;
	size_t len;
	char *buf = generation(&len);
	int fd = memfd_create("test", MFD_ALLOW_SEALING);
	const char *why;

	buf[len - 1] = (char)(buf[len - 1] ^ (unfit[_i].damaged ? 1 : 0));
	ck_assert_int_eq(write(fd, buf, len), (ssize_t)len);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, unfit[_i].seals), 0);
	why = rulesfd_load(fd, &rules);
	ck_assert_ptr_nonnull(why);
	ck_assert_msg(strstr(why, unfit[_i].why) != NULL, "%s", why);
	close(fd);
	free(buf);
}
END_TEST

START_TEST(what_is_no_memfd_or_empty_is_refused)
{
	int null = open("/dev/null", O_RDONLY), empty = rulesfd_make("", 0);
	struct rules rules;

	ck_assert_ptr_nonnull(rulesfd_load(null, &rules));
	ck_assert_ptr_nonnull(rulesfd_load(empty, &rules));
	ck_assert_ptr_nonnull(rulesfd_load(-1, &rules));
	close(null);
	close(empty);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("rulesfd");

	tcase_add_test(tc, generation_goes_over_and_cannot_be_changed);
	tcase_add_loop_test(tc, unfit_descriptor_is_refused, 0, (int)COUNT(unfit));
	tcase_add_test(tc, what_is_no_memfd_or_empty_is_refused);
	return unit_run("rulesfd", tc);
}
