/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The crypto library: whether it may be used as it is, or only through its FIPS provider, and what
 * it then lacks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct crypto;
struct eventlog;

#define CRYPTO_HASH_LENGTH 32

/*
 * Prepares the library for the whole process, and reports which algorithms of CHAP it does not
 * provide. With @fips_required everything but the FIPS provider is shut off; if that does not
 * start, which is event 37, no cryptography works. Reads files, so only for the start of the
 * daemon. @log is used here only. Errors: -ENOMEM.
 */
int crypto_new(bool fips_required, struct eventlog *log, struct crypto **ret);
struct crypto *crypto_free(struct crypto *crypto);
DEFINE_CLEANUP(struct crypto *, crypto_free);

/* True if the FIPS provider is required and did not start. */
bool crypto_lacks_fips(const struct crypto *crypto);

/* SHA-256 for identifiers that protect nothing: works in any case. Errors: -EIO. */
int crypto_hash(const struct crypto *crypto, const void *data, size_t length,
		uint8_t ret[CRYPTO_HASH_LENGTH]);
