/*
 * test_sha256.c - sums that others have published, and every length around a block's end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"

#include <string.h>

#include "sha256.h"

/* FIPS 180-4's examples (NIST "SHA256.pdf"), and the empty text. */
static const struct { const char *text, *sum; } known[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

START_TEST(known_text_has_its_sum)
{
	char sum[SHA256_HEX];

	sha256_hex(known[_i].text, strlen(known[_i].text), sum);
	ck_assert_str_eq(sum, known[_i].sum);
}
END_TEST

START_TEST(a_million_letters_have_their_sum)
{
	static char text[1000000];
	char sum[SHA256_HEX];

	memset(text, 'a', sizeof(text));
	sha256_hex(text, sizeof(text), sum);
	ck_assert_str_eq(sum, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

/* The sums of 0 to 130 letters, summed again: what sha256sum(1) says of them, one a line. */
START_TEST(every_length_is_padded_right)
{
	static char lines[131 * SHA256_HEX];
	char text[131], sum[SHA256_HEX];

	memset(text, 'x', sizeof(text));
	for (size_t n = 0; n <= 130; n++) {
		sha256_hex(text, n, lines + n * (SHA256_HEX));
		lines[(n + 1) * SHA256_HEX - 1] = '\n';
	}
	sha256_hex(lines, sizeof(lines), sum);
	ck_assert_str_eq(sum, "7880f77b654302a7082dd571fd4d0f44d583e661fa622b42404576e380865e8e");
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("sha256");

	tcase_add_loop_test(tc, known_text_has_its_sum, 0, COUNT(known));
	tcase_add_test(tc, a_million_letters_have_their_sum);
	tcase_add_test(tc, every_length_is_padded_right);
	return unit_run("sha256", tc);
}
