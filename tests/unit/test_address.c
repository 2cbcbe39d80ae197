// layers: ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "address.h"
#include "cleanup.h"

#define SIZE 64

static void test_normalize(void **state)
{
	static const struct {
		const char *text, *address;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "host", "host" },
		{ "Disk.Example", "Disk.Example" },
		{ "::1", "::1" },
		{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
		{ "FE80:0::1%Eth0.7", "fe80::1%Eth0.7" },
		{ "fe80::1%3", "fe80::1%3" },
		{ "fe80::1", "fe80::1" },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
		{ "", NULL },
		{ "a b", NULL },
		{ "a\nb", NULL },
		{ "a/b", NULL },
		{ "\xff", NULL },
		{ "[::1]", NULL },
		{ "[::1]:3260", NULL },
		{ "192.0.2.1:3260", NULL },
		{ "host:1", NULL },
		{ "host,1", NULL },
		{ "1:2:3", NULL },
		{ "::1::", NULL },
		{ "12345::", NULL },
		/* a scope that is none, or of an address that has none */
		{ "fe80::1%", NULL },
		{ "fe80::1%a%b", NULL },
		{ "fe80::1%sixteen-letters-", NULL },
		{ "2001:db8::1%eth0", NULL },
		{ "0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0", NULL },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		char address[SIZE] = "untouched";
		int r = address_normalize(rows[i].text, address, sizeof(address));

		if (r != (rows[i].address ? 0 : -EINVAL) ||
		    strcmp(address, rows[i].address ?: "untouched") != 0)
			fail_msg("%s: %d, %s", rows[i].text, r, address);
	}
}

/* In place, and only if it fits. */
static void test_room(void **state)
{
	char address[] = "2001:DB8::1", longer[SIZE] = "fe80::2:3:4:5:6:7%eth0", small[8];

	assert_int_equal(address_normalize(address, address, sizeof(address)), 0);
	assert_string_equal(address, "2001:db8::1");
	/* A single group of zeros is written out, so that the scope moves. */
	assert_int_equal(address_normalize(longer, longer, sizeof(longer)), 0);
	assert_string_equal(longer, "fe80:0:2:3:4:5:6:7%eth0");
	assert_int_equal(address_normalize("12345678", small, sizeof(small)), -EINVAL);
	assert_int_equal(address_normalize("1234567", small, sizeof(small)), 0);
	assert_int_equal(address_normalize("fe80::1%", small, sizeof(small)), -EINVAL);
}

static void test_kinds(void **state)
{
	static const struct {
		const char *address;
		bool wildcard, link_local;
		const char *scope;
	} rows[] = {
		{ "0.0.0.0", true, false, NULL },        { "::", true, false, NULL },
		{ "0:0::0", true, false, NULL },         { "::ffff:0.0.0.0", true, false, NULL },
		{ "::1", false, false, NULL },           { "0.0.0.1", false, false, NULL },
		{ "127.0.0.1", false, false, NULL },     { "0", false, false, NULL },
		{ "any", false, false, NULL },           { "fe80::1", false, true, NULL },
		{ "fe80::1%eth0", false, true, "eth0" }, { "febf::1", false, true, NULL },
		{ "fec0::1", false, false, NULL },       { "169.254.1.1", false, false, NULL },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		const char *scope = address_scope(rows[i].address);

		assert_int_equal(address_is_wildcard(rows[i].address), rows[i].wildcard);
		assert_int_equal(address_is_link_local(rows[i].address), rows[i].link_local);
		assert_int_equal(!scope, !rows[i].scope);
		if (scope)
			assert_string_equal(scope, rows[i].scope);
	}
}

static void test_set_scope(void **state)
{
	char address[16] = "fe80::1";

	assert_int_equal(address_set_scope(address, sizeof(address), "eth0"), 0);
	assert_string_equal(address, "fe80::1%eth0");
	assert_int_equal(address_set_scope(address, sizeof(address), "lo"), 0);
	assert_string_equal(address, "fe80::1%lo");
	assert_int_equal(address_set_scope(address, sizeof(address), "12345678"), -EINVAL);
	assert_string_equal(address, "fe80::1%lo");
	assert_int_equal(address_set_scope(address, sizeof(address), "1234567"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normalize),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_set_scope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
