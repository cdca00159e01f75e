/*
 * test_digest.c - challenges as proxies write them, and what is answered.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "../main.h"
#include "digest.h"

static const struct {
	const char	*text;
	enum digest_algorithm algorithm;
	const char	*realm, *nonce;
	bool		 basic, qop, stale, sess;
} challenges[] = {
	{ "Basic realm=\"x\"", DIGEST_NONE, "", "", .basic = true },
	{ " Digest realm=\"a realm\", nonce=\"N\", qop=\"auth\"", DIGEST_MD5, "a realm", "N",
	  .qop = true },
	{ "digest NONCE = \"N\" , Realm=x,algorithm=md5", DIGEST_MD5, "x", "N", .sess = false },
	{ "Digest realm=\"a\\\"b\", nonce=\"N\"", DIGEST_MD5, "a\\\"b", "N", .sess = false },
	{ "Digest realm=\"x\", nonce=\"N\", qop=\"auth-int,auth\", stale=TRUE", DIGEST_MD5, "x", "N",
	  .qop = true, .stale = true },
	{ "Digest nonce=\"N\", algorithm=\"SHA-256-sess\"", DIGEST_SHA256, "", "N", .sess = true },
	{ "Basic realm=\"x\", Digest realm=\"y\", nonce=\"N\"", DIGEST_MD5, "y", "N", .basic = true },
	{ "Digest realm=\"x\", nonce=\"M\", algorithm=MD5, Digest realm=\"y\", nonce=\"N\", "
	  "algorithm=SHA-256", DIGEST_SHA256, "y", "N", .sess = false },
	{ "Digest nonce=\"N\", algorithm=SHA-256, Digest nonce=\"M\"", DIGEST_SHA256, "", "N", .sess = false },
	/* Not to be answered. */
	{ "Digest realm=\"x\"", DIGEST_NONE, "", "", .sess = false },
	{ "Digest nonce=\"N\", algorithm=SHA-512-256", DIGEST_NONE, "", "", .sess = false },
	{ "Digest nonce=\"N\", qop=\"auth-int\"", DIGEST_NONE, "", "", .sess = false },
	{ "Digest nonce=\"N", DIGEST_NONE, "", "", .sess = false },
	{ "Digest nonce=\"N\rX: y\"", DIGEST_NONE, "", "", .sess = false },
	{ "Digestive nonce=\"N\"", DIGEST_NONE, "", "", .sess = false },
	{ "Negotiate, NTLM", DIGEST_NONE, "", "", .sess = false },
	{ "Negotiate abcd==, Basic realm=\"x\"", DIGEST_NONE, "", "", .basic = true },
	{ "", DIGEST_NONE, "", "", .sess = false }, { ",,, =\"", DIGEST_NONE, "", "", .sess = false }, { "\"", DIGEST_NONE, "", "", .sess = false },
};

START_TEST(the_best_challenge_is_found)
{
	struct digest d = { 0 };
	bool basic = false;

	digest_challenges(challenges[_i].text, &d, &basic);
	ck_assert_int_eq(d.algorithm, challenges[_i].algorithm);
	ck_assert_str_eq(d.realm, challenges[_i].realm);
	ck_assert_str_eq(d.nonce, challenges[_i].nonce);
	ck_assert_int_eq(basic, challenges[_i].basic);
	ck_assert_int_eq(d.qop, challenges[_i].qop);
	ck_assert_int_eq(d.stale, challenges[_i].stale);
	ck_assert_int_eq(d.sess, challenges[_i].sess);
}
END_TEST

START_TEST(what_does_not_fit_is_no_challenge)
{
	char text[DIGEST_TEXT_MAX + 64];

	for (int n = DIGEST_TEXT_MAX - 3; n < DIGEST_TEXT_MAX + 3; n++) {
		struct digest d = { 0 };
		bool basic = false;

		snprintf(text, sizeof(text), "Digest nonce=\"%0*d\"", n, 1);
		digest_challenges(text, &d, &basic);
		ck_assert_int_eq(d.algorithm != DIGEST_NONE, n < DIGEST_TEXT_MAX);
	}
}
END_TEST

/* By another program: md5sum(1) and sha256sum(1) make the same. */
static const struct {
	enum digest_algorithm algorithm;
	bool		 sess, qop;
	const char	*response;
} answers[] = {
	{ DIGEST_MD5, false, true, "f75d64b8426254daa73aee8f88e5dbbd" },
	{ DIGEST_SHA256, false, true,
	  "9c1fcc12109537ae6ae6bbfe9f227fa328c79453ccbc18dc4de0df575665a3ad" },
	{ DIGEST_MD5, true, true, "de59ca7b61505da35a639c825b892ff5" },
	{ DIGEST_MD5, false, false, "e95f81e7c18f16c646f93ef0a7c40640" },
	{ DIGEST_SHA256, true, true,
	  "9308ead3dc616f1a09dc4eaf7ca4ecf025521cc934b18ba7c32df4d068bc48c8" },
};

START_TEST(the_answer_is_right)
{
	static const char begins[] = "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", "
	    "nonce=\"N0nce\", uri=\"a.example:443\", algorithm=";
	struct digest d = { .algorithm = answers[_i].algorithm, .sess = answers[_i].sess,
	    .qop = answers[_i].qop, .realm = "http-auth@example.org", .nonce = "N0nce",
	    .has_opaque = true, .opaque = "0paque" };
	char out[DIGEST_ANSWER_MAX], want[128];
	size_t len = digest_answer(&d, "Mufasa", "Circle of Life", "a.example:443", "c0ffee", 1, out);

	ck_assert_uint_eq(len, strlen(out));
	snprintf(want, sizeof(want), "response=\"%s\"", answers[_i].response);
	ck_assert_msg(strstr(out, want) != NULL, "%s", out);
	ck_assert_int_eq(strncmp(out, begins, sizeof(begins) - 1), 0);
	ck_assert_ptr_nonnull(strstr(out, ", opaque=\"0paque\""));
	ck_assert_int_eq(strstr(out, ", qop=auth, nc=00000001, cnonce=\"c0ffee\"") != NULL,
	    answers[_i].qop);
}
END_TEST

/* RFC 1321 A.5, FIPS 180-4's examples; around the ends of blocks by other programs. */
START_TEST(hashes_are_those_of_the_standards)
{
	static const struct { size_t n; const char *text, *md5, *sha; } known[] = {
		{ 0, "", "d41d8cd98f00b204e9800998ecf8427e",
		  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ 0, "abc", "900150983cd24fb0d6963f7d28e17f72",
		  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ 55, NULL, "ef1772b6dff9a122358552954ad0df65",
		  "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318" },
		{ 56, NULL, "3b0c8ac703f828b04c6c197006d17218",
		  "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a" },
		{ 63, NULL, "b06521f39153d618550606be297466d5",
		  "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34" },
		{ 64, NULL, "014842d480b571495a4a0363793f7367",
		  "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb" },
		{ 65, NULL, "c743a45e0d2e6a95cb859adae0248435",
		  "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0" },
		{ 127, NULL, "020406e1d05cdc2aa287641f7ae2cc39",
		  "c57e9278af78fa3cab38667bef4ce29d783787a2f731d4e12200270f0c32320a" },
	};
	char out[HASH_HEX], text[128];
	const char *p = text;

	for (size_t i = 0; i < COUNT(known); i++) {
		memset(text, 'a', sizeof(text));
		text[known[i].n] = '\0';
		p = known[i].n > 0 ? text : known[i].text;
		hash_hex(DIGEST_MD5, &p, 1, out);
		ck_assert_str_eq(out, known[i].md5);
		hash_hex(DIGEST_SHA256, &p, 1, out);
		ck_assert_str_eq(out, known[i].sha);
	}
}
END_TEST

START_TEST(a_name_with_quotes_is_still_one)
{
	struct digest d = { .algorithm = DIGEST_MD5 };
	char out[DIGEST_ANSWER_MAX], user[DIGEST_TEXT_MAX + 1];

	digest_answer(&d, "a\"b\\c", "p", "u:1", "c", 1, out);
	ck_assert_ptr_nonnull(strstr(out, "username=\"a\\\"b\\\\c\","));
	memset(user, '"', sizeof(user) - 1);
	user[sizeof(user) - 1] = '\0';
	ck_assert_uint_eq(digest_answer(&d, user, "p", "u:1", "c", 1, out), 0);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("digest");

	tcase_add_loop_test(tc, the_best_challenge_is_found, 0, (int)COUNT(challenges));
	tcase_add_test(tc, what_does_not_fit_is_no_challenge);
	tcase_add_loop_test(tc, the_answer_is_right, 0, (int)COUNT(answers));
	tcase_add_test(tc, hashes_are_those_of_the_standards);
	tcase_add_test(tc, a_name_with_quotes_is_still_one);
	return unit_run("digest", tc);
}
