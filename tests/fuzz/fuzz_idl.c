// layers: ois-varlink ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interface definitions: what is accepted can be printed, read again, and is then printed the same.
 */
#include <string.h>

#include "fuzz.h"
#include "idl.h"

static void print(const struct idl *idl, struct buffer *ret)
{
	FUZZ_CHECK(idl_print(idl, ret) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(idl_freep) struct idl *idl = NULL, *again = NULL;
	_cleanup_(buffer_done) struct buffer one = {}, two = {};

	if (idl_parse((const char *)data, size, &idl, NULL) < 0)
		return 0;
	print(idl, &one);
	if (one.length > IDL_TEXT_MAX)
		return 0;
	FUZZ_CHECK(idl_parse((const char *)one.data, one.length, &again, NULL) == 0);
	print(again, &two);
	FUZZ_CHECK(one.length == two.length && memcmp(one.data, two.data, one.length) == 0);
	return 0;
}
