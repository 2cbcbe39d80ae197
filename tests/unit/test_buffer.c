// layers: ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The growing buffer: growth, cap, consumption, and content that is unchanged by a refusal.
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

#include "buffer.h"

static void test_append(void **state)
{
	_cleanup_(buffer_done) struct buffer buffer = { 0 };
	char expected[1000 * 3 + 1] = "";

	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(buffer_printf(&buffer, "%03u", i), 0);
		(void)snprintf(expected + 3 * i, 4, "%03u", i);
	}
	assert_int_equal(buffer.length, strlen(expected));
	assert_memory_equal(buffer.data, expected, buffer.length);
	assert_int_equal(buffer_append(&buffer, NULL, 0), 0);
	assert_int_equal(buffer_append_string(&buffer, "x"), 0);
	assert_int_equal(buffer.data[buffer.length - 1], 'x');
}

static void test_limit(void **state)
{
	_cleanup_(buffer_done) struct buffer buffer = { .limit = 8 };
	uint8_t *at;

	assert_int_equal(buffer_append_string(&buffer, "12345"), 0);
	assert_int_equal(buffer_append_string(&buffer, "6789"), -E2BIG);
	assert_int_equal(buffer.length, 5);
	assert_memory_equal(buffer.data, "12345", 5);
	assert_int_equal(buffer_printf(&buffer, "%s", "6789"), -E2BIG);
	assert_int_equal(buffer_append_string(&buffer, "678"), 0);
	assert_int_equal(buffer_append_string(&buffer, "9"), -E2BIG);
	assert_int_equal(buffer_reserve(&buffer, SIZE_MAX, &at), -E2BIG);
	buffer_clear(&buffer);
	assert_int_equal(buffer_append_string(&buffer, "12345678"), 0);
	buffer_done(&buffer);
	assert_null(buffer.data);
	assert_int_equal(buffer.limit, 8);
	assert_int_equal(buffer_append_string(&buffer, "123456789"), -E2BIG);
}

static void test_reserve_and_consume(void **state)
{
	_cleanup_(buffer_erase) struct buffer buffer = { 0 };
	uint8_t *at;

	assert_int_equal(buffer_reserve(&buffer, 4, &at), 0);
	memcpy(at, "abcd", 4);
	assert_int_equal(buffer.length, 0);
	buffer_commit(&buffer, 4);
	assert_int_equal(buffer.length, 4);
	buffer_consume(&buffer, 1);
	assert_int_equal(buffer.length, 3);
	assert_memory_equal(buffer.data, "bcd", 3);
	buffer_consume(&buffer, 0);
	assert_int_equal(buffer.length, 3);
	buffer_consume(&buffer, 100);
	assert_int_equal(buffer.length, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_reserve_and_consume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
