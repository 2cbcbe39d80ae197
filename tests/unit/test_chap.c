// layers: ois-iscsi ois-events ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CHAP: known answers made with openssl(1) and with Python's hashlib, both halves, and
 * availability.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chap.h"
#include "cleanup.h"
#include "parse.h"
#include "secret.h"

/* Identifier 0x2a, secret "hushhushhush!", challenge 00 to 0f. */
static const struct {
	enum chap_algorithm algorithm;
	unsigned number;
	const char *name;
	const char *response;
} known[] = {
	{ CHAP_ALGORITHM_MD5, 5, "md5", "50817037c6396820f154390f9e14438f" },
	{ CHAP_ALGORITHM_SHA1, 6, "sha1", "a298db8214e26073415650174bec9c73e7421c15" },
	{ CHAP_ALGORITHM_SHA256, 7, "sha256",
	  "c6e617a2fb674074bf50605451e5f5975c62184506b84dd934de47ba0fa0128f" },
	{ CHAP_ALGORITHM_SHA3_256, 8, "sha3_256",
	  "50ed6eb3a96d12f27bd99a5c8046518ac96730cfa7571ad2037109ce00ae24b8" },
};

static void test_known_answers(void **state)
{
	_cleanup_(secret_freep) struct secret *secret = NULL;
	uint8_t challenge[16], response[CHAP_RESPONSE_MAX];
	char text[2 * CHAP_RESPONSE_MAX + 1], missing[CHAP_MISSING_MAX];

	for (size_t i = 0; i < sizeof(challenge); i++)
		challenge[i] = (uint8_t)i;
	assert_int_equal(secret_new("hushhushhush!", 13, &secret), 0);
	assert_int_equal(ELEMENTSOF(known), _CHAP_ALGORITHM_MAX);
	for (size_t i = 0; i < ELEMENTSOF(known); i++) {
		enum chap_algorithm algorithm = known[i].algorithm;

		assert_true(chap_algorithm_available(algorithm));
		assert_int_equal(chap_algorithm_number(algorithm), known[i].number);
		assert_int_equal(chap_algorithm_from_number(known[i].number), algorithm);
		assert_string_equal(chap_algorithm_to_string(algorithm), known[i].name);
		assert_int_equal(chap_algorithm_from_string(known[i].name), algorithm);
		assert_int_equal(chap_respond(algorithm, 0x2a, secret, challenge, sizeof(challenge),
					      response),
				 0);
		hex_encode(response, chap_response_length(algorithm), text);
		assert_string_equal(text, known[i].response);
	}
	assert_int_equal(chap_algorithm_from_number(4), -EINVAL);
	assert_int_equal(chap_algorithm_from_number(9), -EINVAL);
	assert_int_equal(chap_algorithm_from_string("MD5"), -EINVAL);
	assert_null(chap_algorithm_to_string(_CHAP_ALGORITHM_MAX));
	chap_algorithms_missing(NULL, 0, missing);
	assert_string_equal(missing, "");
	for (size_t i = 0; i < ELEMENTSOF(known); i++) {
		(void)strcpy(missing, "?");
		chap_algorithms_missing(&known[i].algorithm, 1, missing);
		assert_string_equal(missing, "");
	}
}

/* A secret of any bytes, as long as they may be: 00, "binary", 00, "secret", 00 to f0. Identifier
 * 0. */
static void test_binary_secret(void **state)
{
	static const char *const responses[_CHAP_ALGORITHM_MAX] = {
		[CHAP_ALGORITHM_MD5] = "5062f63b895364fccbde65a77a163f6c",
		[CHAP_ALGORITHM_SHA1] = "dc1bb4ddbf12674124138493e9da592edb856888",
		[CHAP_ALGORITHM_SHA256] =
			"deb64c330de4a9f5132873f3492a02452710850ccd31c3be6fe1f5b5b768f72c",
		[CHAP_ALGORITHM_SHA3_256] =
			"154f73c9189e53f78c3a5c66111b89200ebaccff53d58e36edf287a1f478a3a1",
	};
	uint8_t bytes[CHAP_SECRET_MAXIMUM] = "\0binary\0secret", challenge[16];
	_cleanup_(secret_freep) struct secret *secret = NULL;
	uint8_t response[CHAP_RESPONSE_MAX];
	char text[2 * CHAP_RESPONSE_MAX + 1];

	for (size_t i = 0; i < sizeof(challenge); i++)
		challenge[i] = (uint8_t)i;
	for (size_t i = 14; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i - 14);
	assert_int_equal(secret_new(bytes, sizeof(bytes), &secret), 0);
	for (enum chap_algorithm a = 0; a < _CHAP_ALGORITHM_MAX; a++) {
		assert_int_equal(chap_respond(a, 0, secret, challenge, sizeof(challenge), response),
				 0);
		hex_encode(response, chap_response_length(a), text);
		assert_string_equal(text, responses[a]);
	}
}

/* Everything that goes into the response matters, and so does each of its bits. */
static void test_verify(void **state)
{
	_cleanup_(secret_freep) struct secret *secret = NULL;
	_cleanup_(secret_freep) struct secret *wrong = NULL;
	uint8_t challenge[CHAP_CHALLENGE_MAX] = { 1, 2, 3 }, response[CHAP_RESPONSE_MAX];

	assert_int_equal(secret_new("0123456789ab", 12, &secret), 0);
	assert_int_equal(secret_new("0123456789ac", 12, &wrong), 0);
	for (enum chap_algorithm a = 0; a < _CHAP_ALGORITHM_MAX; a++) {
		size_t n = chap_response_length(a);

		assert_int_equal(chap_respond(a, 7, secret, challenge, sizeof(challenge), response),
				 0);
		assert_int_equal(
			chap_verify(a, 7, secret, challenge, sizeof(challenge), response, n), 0);
		assert_int_equal(
			chap_verify(a, 8, secret, challenge, sizeof(challenge), response, n),
			-EACCES);
		assert_int_equal(
			chap_verify(a, 7, wrong, challenge, sizeof(challenge), response, n),
			-EACCES);
		assert_int_equal(
			chap_verify(a, 7, secret, challenge, sizeof(challenge) - 1, response, n),
			-EACCES);
		assert_int_equal(
			chap_verify(a, 7, secret, challenge, sizeof(challenge), response, n - 1),
			-EACCES);
		assert_int_equal(
			chap_verify(a, 7, secret, challenge, sizeof(challenge), response, 0),
			-EACCES);
		for (size_t i = 0; i < n; i++) {
			response[i] ^= 0x10;
			assert_int_equal(chap_verify(a, 7, secret, challenge, sizeof(challenge),
						     response, n),
					 -EACCES);
			response[i] ^= 0x10;
		}
	}
}

/* Without a provider that has the function there is no response. */
static void test_unavailable(void **state)
{
	_cleanup_(secret_freep) struct secret *secret = NULL;
	uint8_t challenge[16] = { 0 }, response[CHAP_RESPONSE_MAX];

	assert_int_equal(secret_new("hushhushhush!", 13, &secret), 0);
	assert_int_equal(EVP_set_default_properties(NULL, "provider=none"), 1);
	for (enum chap_algorithm a = 0; a < _CHAP_ALGORITHM_MAX; a++) {
		assert_false(chap_algorithm_available(a));
		assert_int_equal(chap_respond(a, 0, secret, challenge, sizeof(challenge), response),
				 -EOPNOTSUPP);
		assert_int_equal(chap_verify(a, 0, secret, challenge, sizeof(challenge), response,
					     chap_response_length(a)),
				 -EOPNOTSUPP);
	}
	assert_int_equal(EVP_set_default_properties(NULL, ""), 1);
	assert_true(chap_algorithm_available(CHAP_ALGORITHM_SHA256));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_binary_secret),
		cmocka_unit_test(test_verify),
		cmocka_unit_test(test_unavailable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
