/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stand-in for OpenSSL's FIPS provider, which not every system has: it provides SHA-256 as
 * approved, and nothing else.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <stdlib.h>
#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/sha.h>

static void *sha256_new(void *provider)
{
	return calloc(1, sizeof(SHA256_CTX));
}

static void sha256_free(void *context)
{
	free(context);
}

static int sha256_begin(void *context, const OSSL_PARAM *parameters)
{
	return SHA256_Init(context);
}

static int sha256_update(void *context, const unsigned char *data, size_t length)
{
	return SHA256_Update(context, data, length);
}

static int sha256_final(void *context, unsigned char *ret, size_t *ret_length, size_t size)
{
	if (size < SHA256_DIGEST_LENGTH)
		return 0;
	*ret_length = SHA256_DIGEST_LENGTH;
	return SHA256_Final(ret, context);
}

static int sha256_get_params(OSSL_PARAM *parameters)
{
	OSSL_PARAM *block = OSSL_PARAM_locate(parameters, OSSL_DIGEST_PARAM_BLOCK_SIZE);
	OSSL_PARAM *size = OSSL_PARAM_locate(parameters, OSSL_DIGEST_PARAM_SIZE);

	return (!block || OSSL_PARAM_set_size_t(block, SHA256_CBLOCK)) &&
	       (!size || OSSL_PARAM_set_size_t(size, SHA256_DIGEST_LENGTH));
}

static const OSSL_DISPATCH sha256[] = {
	{ OSSL_FUNC_DIGEST_NEWCTX, (void (*)(void))sha256_new },
	{ OSSL_FUNC_DIGEST_FREECTX, (void (*)(void))sha256_free },
	{ OSSL_FUNC_DIGEST_INIT, (void (*)(void))sha256_begin },
	{ OSSL_FUNC_DIGEST_UPDATE, (void (*)(void))sha256_update },
	{ OSSL_FUNC_DIGEST_FINAL, (void (*)(void))sha256_final },
	{ OSSL_FUNC_DIGEST_GET_PARAMS, (void (*)(void))sha256_get_params },
	{ 0, NULL },
};

static const OSSL_ALGORITHM digests[] = {
	{ "SHA2-256:SHA-256:SHA256", "provider=fips,fips=yes", sha256, NULL },
	{ NULL, NULL, NULL, NULL },
};

static const OSSL_ALGORITHM *query(void *provider, int operation, int *ret_no_cache)
{
	*ret_no_cache = 0;
	return operation == OSSL_OP_DIGEST ? digests : NULL;
}

static const OSSL_DISPATCH functions[] = {
	{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query },
	{ 0, NULL },
};

OSSL_provider_init_fn OSSL_provider_init;

int __attribute__((visibility("default")))
OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core,
		   const OSSL_DISPATCH **ret_functions, void **ret_provider)
{
	*ret_functions = functions;
	*ret_provider = (void *)handle;
	return 1;
}
