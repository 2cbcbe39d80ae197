/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <openssl/evp.h>

#include "chap.h"
#include "cleanup.h"
#include "secret.h"
#include "table.h"

DEFINE_CLEANUP(EVP_MD *, EVP_MD_free);
DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free);

static const char *const chap_algorithm_names[] = {
	[CHAP_ALGORITHM_MD5] = "md5",
	[CHAP_ALGORITHM_SHA1] = "sha1",
	[CHAP_ALGORITHM_SHA256] = "sha256",
	[CHAP_ALGORITHM_SHA3_256] = "sha3_256",
};

DEFINE_TABLE(chap_algorithm, enum chap_algorithm);

/* Numbers: IANA, "PPP Authentication Algorithms". */
static const struct {
	unsigned number;
	size_t length;
	const char *digest; /* the crypto library's name */
} rows[] = {
	[CHAP_ALGORITHM_MD5] = { .number = 5, .length = 16, .digest = "MD5" },
	[CHAP_ALGORITHM_SHA1] = { .number = 6, .length = 20, .digest = "SHA1" },
	[CHAP_ALGORITHM_SHA256] = { .number = 7, .length = 32, .digest = "SHA2-256" },
	[CHAP_ALGORITHM_SHA3_256] = { .number = 8, .length = 32, .digest = "SHA3-256" },
};

unsigned chap_algorithm_number(enum chap_algorithm algorithm)
{
	return rows[algorithm].number;
}

int chap_algorithm_from_number(unsigned number)
{
	for (size_t i = 0; i < ELEMENTSOF(rows); i++)
		if (rows[i].number == number)
			return (int)i;
	return -EINVAL;
}

size_t chap_response_length(enum chap_algorithm algorithm)
{
	return rows[algorithm].length;
}

bool chap_algorithm_available(enum chap_algorithm algorithm)
{
	_cleanup_(EVP_MD_freep) EVP_MD *digest = EVP_MD_fetch(NULL, rows[algorithm].digest, NULL);

	return digest != NULL;
}

void chap_algorithms_missing(const enum chap_algorithm *algorithms, size_t n,
			     char ret[CHAP_MISSING_MAX])
{
	size_t length = 0;

	*ret = '\0';
	for (size_t i = 0; i < n; i++)
		if (!chap_algorithm_available(algorithms[i]))
			length += (size_t)snprintf(ret + length, CHAP_MISSING_MAX - length, "%s%s",
						   length ? ", "
							  : "the crypto library does not provide ",
						   chap_algorithm_to_string(algorithms[i]));
}

/* RFC 1994, 4.1: identifier, secret and challenge, in this order. */
int chap_respond(enum chap_algorithm algorithm, uint8_t identifier, const struct secret *secret,
		 const void *challenge, size_t challenge_length, uint8_t ret[CHAP_RESPONSE_MAX])
{
	_cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *context = NULL;
	_cleanup_(EVP_MD_freep) EVP_MD *digest = NULL;
	uint8_t response[EVP_MAX_MD_SIZE];
	bool done;

	digest = EVP_MD_fetch(NULL, rows[algorithm].digest, NULL);
	if (!digest)
		return -EOPNOTSUPP;
	context = EVP_MD_CTX_new();
	if (!context)
		return -ENOMEM;
	/* The context, which saw the secret, is wiped when it is freed. */
	done = EVP_DigestInit_ex2(context, digest, NULL) &&
	       EVP_DigestUpdate(context, &identifier, 1) &&
	       EVP_DigestUpdate(context, secret_bytes(secret), secret_length(secret)) &&
	       EVP_DigestUpdate(context, challenge, challenge_length) &&
	       EVP_DigestFinal_ex(context, response, NULL);
	if (done)
		memcpy(ret, response, rows[algorithm].length);
	memory_erase(response, sizeof(response));
	return done ? 0 : -ENOMEM;
}

int chap_verify(enum chap_algorithm algorithm, uint8_t identifier, const struct secret *secret,
		const void *challenge, size_t challenge_length, const void *response,
		size_t response_length)
{
	uint8_t expected[CHAP_RESPONSE_MAX];
	bool equal;
	int r;

	r = chap_respond(algorithm, identifier, secret, challenge, challenge_length, expected);
	if (r < 0)
		return r;
	equal = response_length == rows[algorithm].length &&
		memory_equal_secret(expected, response, response_length);
	memory_erase(expected, sizeof(expected));
	return equal ? 0 : -EACCES;
}
