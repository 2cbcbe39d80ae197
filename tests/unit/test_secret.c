// layers: ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Secrets: content, comparison, erasure.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "secret.h"

static void test_secret(void **state)
{
	_cleanup_(secret_freep) struct secret *secret = NULL;
	_cleanup_(secret_freep) struct secret *same = NULL;
	_cleanup_(secret_freep) struct secret *other = NULL;
	_cleanup_(secret_freep) struct secret *longer = NULL;
	_cleanup_(secret_freep) struct secret *empty = NULL;

	assert_int_equal(secret_new("a\0b", 3, &secret), 0);
	assert_int_equal(secret_new("a\0b", 3, &same), 0);
	assert_int_equal(secret_new("a\0c", 3, &other), 0);
	assert_int_equal(secret_new("a\0bc", 4, &longer), 0);
	assert_int_equal(secret_new(NULL, 0, &empty), 0);
	assert_int_equal(secret_length(secret), 3);
	assert_memory_equal(secret_bytes(secret), "a\0b", 3);
	assert_true(secret_equal(secret, same));
	assert_false(secret_equal(secret, other));
	assert_false(secret_equal(secret, longer));
	assert_false(secret_equal(secret, NULL));
	assert_true(secret_equal(NULL, NULL));
	assert_true(secret_equal(NULL, empty));
	assert_int_equal(secret_length(NULL), 0);
	assert_null(secret_bytes(NULL));
	assert_null(secret_free(NULL));
}

static void test_memory(void **state)
{
	uint8_t a[33] = { 0 }, b[33] = { 0 };

	assert_true(memory_equal_secret(a, b, sizeof(a)));
	for (size_t i = 0; i < sizeof(a); i++) {
		for (unsigned bit = 1; bit < 256; bit <<= 1) {
			b[i] ^= (uint8_t)bit;
			assert_false(memory_equal_secret(a, b, sizeof(a)));
			b[i] = 0;
		}
	}
	memset(a, 1, sizeof(a));
	memory_erase(a, sizeof(a));
	assert_memory_equal(a, b, sizeof(a));
	memory_erase(NULL, 5);
	assert_null(string_erase_free(NULL));
	assert_null(string_erase_free(strdup("x")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
