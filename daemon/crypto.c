/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include "chap.h"
#include "crypto.h"
#include "eventlog.h"

DEFINE_CLEANUP(EVP_MD *, EVP_MD_free);

#define REASON_MAX 512

struct crypto {
	OSSL_LIB_CTX *apart; /* where the demand for FIPS does not hold */
	OSSL_PROVIDER *fips;
	bool lacks_fips;
};

/* What the library said first, which is the cause. */
static void explain(char ret[REASON_MAX])
{
	const char *data = "", *reason;
	int flags = 0;
	unsigned long error = ERR_peek_error_data(&data, &flags);

	reason = error ? ERR_reason_error_string(error) : NULL;
	(void)snprintf(ret, REASON_MAX, "%s%s%s", reason ? reason : "its self-test failed",
		       data && *data ? ": " : "", data && (flags & ERR_TXT_STRING) ? data : "");
	ERR_clear_error();
}

/* The property alone keeps all other providers out, so that nothing works without this one. */
static int require_fips(struct crypto *crypto, char ret_reason[REASON_MAX])
{
	ERR_clear_error();
	if (EVP_default_properties_enable_fips(NULL, 1) == 1)
		crypto->fips = OSSL_PROVIDER_load(NULL, "fips");
	if (crypto->fips && OSSL_PROVIDER_self_test(crypto->fips) == 1)
		return 0;
	explain(ret_reason);
	return -ENOPKG;
}

static void report_fips(struct eventlog *log, const char *reason)
{
	struct event *event = event_new(EVENT_FIPS_UNAVAILABLE);

	event_set_status(event, ENOPKG, reason);
	event_set_outcome(event, EVENT_OUTCOME_FAILED);
	eventlog_raise(log, event);
}

/* What is not there is never offered; a target that has nothing else cannot be logged in to. */
static void report_missing(struct eventlog *log)
{
	enum chap_algorithm algorithms[_CHAP_ALGORITHM_MAX];
	char missing[CHAP_MISSING_MAX];
	struct event *event;

	for (size_t i = 0; i < ELEMENTSOF(algorithms); i++)
		algorithms[i] = (enum chap_algorithm)i;
	chap_algorithms_missing(algorithms, ELEMENTSOF(algorithms), missing);
	if (!*missing)
		return;
	event = event_new(EVENT_CHAP_ALGORITHMS_MISSING);
	event_set_string(event, FIELD_REASON, missing);
	eventlog_raise(log, event);
}

int crypto_new(bool fips_required, struct eventlog *log, struct crypto **ret)
{
	_cleanup_(crypto_freep) struct crypto *crypto = calloc(1, sizeof(*crypto));
	char reason[REASON_MAX];

	if (!crypto)
		return -ENOMEM;
	crypto->apart = OSSL_LIB_CTX_new();
	if (!crypto->apart)
		return -ENOMEM;
	crypto->lacks_fips = fips_required && require_fips(crypto, reason) < 0;
	if (crypto->lacks_fips)
		report_fips(log, reason);
	else
		report_missing(log);
	*ret = TAKE_PTR(crypto);
	return 0;
}

struct crypto *crypto_free(struct crypto *crypto)
{
	if (!crypto)
		return NULL;
	if (crypto->fips)
		(void)OSSL_PROVIDER_unload(crypto->fips);
	OSSL_LIB_CTX_free(crypto->apart);
	free(crypto);
	return NULL;
}

bool crypto_lacks_fips(const struct crypto *crypto)
{
	return crypto->lacks_fips;
}

int crypto_hash(const struct crypto *crypto, const void *data, size_t length,
		uint8_t ret[CRYPTO_HASH_LENGTH])
{
	_cleanup_(EVP_MD_freep) EVP_MD *digest = EVP_MD_fetch(crypto->apart, "SHA2-256", NULL);
	unsigned n;

	if (!digest || EVP_Digest(data, length, ret, &n, digest, NULL) != 1)
		return -EIO;
	return 0;
}
