// layers: ois-iscsi ois-events ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Serial Number Arithmetic: rows across the wrap, and the rules of RFC 1982 for any pair.
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

#include "cleanup.h"
#include "serial.h"

static void test_rows(void **state)
{
	static const struct {
		uint32_t a, b;
		bool less;
	} rows[] = {
		{ 0, 1, true },
		{ 1, 0, false },
		{ 5, 5, false },
		{ UINT32_MAX, 0, true },
		{ UINT32_MAX, 5, true },
		{ 0, UINT32_MAX, false },
		{ 0, 0x7fffffff, true },
		{ 0x7fffffff, 0xfffffffe, true },
		/* half the circle: undefined, and here neither */
		{ 0, 0x80000000, false },
		{ 0x80000000, 0, false },
		{ 1, 0x80000001, false },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		assert_int_equal(serial_less(rows[i].a, rows[i].b), rows[i].less);
		assert_int_equal(serial_greater(rows[i].b, rows[i].a), rows[i].less);
	}
}

static void test_rules(void **state)
{
	uint32_t a = 1;

	for (unsigned i = 0; i < 10000; i++) {
		uint32_t distance;

		a = a * 1664525 + 1013904223;
		distance = (a >> 3) % 0x7fffffff + 1;
		assert_true(serial_less(a, a + distance));
		assert_false(serial_greater(a, a + distance));
		assert_true(serial_greater(a, a - distance));
		assert_false(serial_less(a, a));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
