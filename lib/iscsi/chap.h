/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CHAP as RFC 7143, 12.1.3 uses it (RFC 1994): the algorithms, the response, and its check. Whoever
 * asks is the authenticator, whoever proves that it knows the secret the responder; with mutual
 * authentication both sides are both. Random bytes are the caller's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret;

enum chap_algorithm {
	CHAP_ALGORITHM_MD5,
	CHAP_ALGORITHM_SHA1,
	CHAP_ALGORITHM_SHA256,
	CHAP_ALGORITHM_SHA3_256,
	_CHAP_ALGORITHM_MAX,
};

/* Bytes of the challenges we send. */
#define CHAP_CHALLENGE_LENGTH 32
/* RFC 7143, 12.1.3: the longest challenge there is. */
#define CHAP_CHALLENGE_MAX 1024
/* RFC 7143, 9.2.1: a shorter secret (96 bits) needs IPsec. */
#define CHAP_SECRET_MINIMUM 12
/* As long as a text value that no key makes longer; targets take less. */
#define CHAP_SECRET_MAXIMUM 255
/* Of the algorithm with the longest. */
#define CHAP_RESPONSE_MAX 32

/* "md5", "sha1", "sha256", "sha3_256"; from_string() answers -EINVAL for any other text. */
const char *chap_algorithm_to_string(enum chap_algorithm algorithm);
int chap_algorithm_from_string(const char *name);
/* The number IANA gave it, as in CHAP_A; the reverse answers -EINVAL. */
unsigned chap_algorithm_number(enum chap_algorithm algorithm);
int chap_algorithm_from_number(unsigned number);

/* Bytes of a response. */
size_t chap_response_length(enum chap_algorithm algorithm);
/* False where the crypto library does not provide it, as MD5 under FIPS 140. */
bool chap_algorithm_available(enum chap_algorithm algorithm);

#define CHAP_MISSING_MAX 128
/* "the crypto library does not provide md5, sha1", of these; empty if all are there. */
void chap_algorithms_missing(const enum chap_algorithm *algorithms, size_t n,
			     char ret[CHAP_MISSING_MAX]);

/*
 * The responder: hash of identifier, secret and challenge; chap_response_length() bytes. Errors:
 * -EOPNOTSUPP (the crypto library does not provide the algorithm), -ENOMEM.
 */
int chap_respond(enum chap_algorithm algorithm, uint8_t identifier, const struct secret *secret,
		 const void *challenge, size_t challenge_length, uint8_t ret[CHAP_RESPONSE_MAX]);
/*
 * The authenticator: compares in constant time. Errors: -EACCES (not the right response), and those
 * of chap_respond().
 */
int chap_verify(enum chap_algorithm algorithm, uint8_t identifier, const struct secret *secret,
		const void *challenge, size_t challenge_length, const void *response,
		size_t response_length);
