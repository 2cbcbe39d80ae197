// layers: ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Conversions of text from outside: rows of good and bad inputs, and round trips.
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
#include "parse.h"

static void test_u64(void **state)
{
	static const struct {
		const char *text;
		uint64_t minimum, maximum;
		int result;
		uint64_t value;
	} rows[] = {
		{ "0", 0, 10, 0, 0 },
		{ "10", 0, 10, 0, 10 },
		{ "007", 0, 10, 0, 7 },
		{ "11", 0, 10, -ERANGE, 0 },
		{ "4", 5, 10, -ERANGE, 0 },
		{ "18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX },
		{ "18446744073709551616", 0, UINT64_MAX, -ERANGE, 0 },
		{ "99999999999999999999999", 0, UINT64_MAX, -ERANGE, 0 },
		{ "", 0, 10, -EINVAL, 0 },
		{ NULL, 0, 10, -EINVAL, 0 },
		{ " 1", 0, 10, -EINVAL, 0 },
		{ "1 ", 0, 10, -EINVAL, 0 },
		{ "+1", 0, 10, -EINVAL, 0 },
		{ "-1", 0, 10, -EINVAL, 0 },
		{ "0x1", 0, 10, -EINVAL, 0 },
		{ "1.0", 0, 10, -EINVAL, 0 },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		uint64_t value = 4711;
		int r = parse_u64(rows[i].text, rows[i].minimum, rows[i].maximum, &value);

		assert_int_equal(r, rows[i].result);
		assert_int_equal(value, r < 0 ? 4711 : rows[i].value);
	}
}

static void test_i64(void **state)
{
	static const struct {
		const char *text;
		int64_t minimum, maximum;
		int result;
		int64_t value;
	} rows[] = {
		{ "-1", -1, 10, 0, -1 },
		{ "5", -1, 10, 0, 5 },
		{ "-2", -1, 10, -ERANGE, 0 },
		{ "-9223372036854775808", INT64_MIN, 0, 0, INT64_MIN },
		{ "-9223372036854775809", INT64_MIN, 0, -ERANGE, 0 },
		{ "9223372036854775807", 0, INT64_MAX, 0, INT64_MAX },
		{ "9223372036854775808", 0, INT64_MAX, -ERANGE, 0 },
		{ "-", -1, 10, -EINVAL, 0 },
		{ "--1", -1, 10, -EINVAL, 0 },
		{ NULL, -1, 10, -EINVAL, 0 },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		int64_t value = 4711;
		int r = parse_i64(rows[i].text, rows[i].minimum, rows[i].maximum, &value);

		assert_int_equal(r, rows[i].result);
		assert_true(value == (r < 0 ? 4711 : rows[i].value));
	}
}

static void test_boolean(void **state)
{
	static const struct {
		const char *text;
		int result;
		bool value;
	} rows[] = {
		{ "yes", 0, true },     { "No", 0, false },         { "TRUE", 0, true },
		{ "false", 0, false },  { "on", 0, true },          { "off", 0, false },
		{ "1", 0, true },       { "0", 0, false },          { "2", -EINVAL, false },
		{ "", -EINVAL, false }, { "yes ", -EINVAL, false }, { NULL, -EINVAL, false },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		bool value = !rows[i].value;

		assert_int_equal(parse_boolean(rows[i].text, &value), rows[i].result);
		assert_int_equal(value, rows[i].result < 0 ? !rows[i].value : rows[i].value);
	}
}

static void test_hex(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		int result;
		const char *bytes;
		size_t length;
	} rows[] = {
		{ "00ff", 2, 0, "\x00\xff", 2 }, { "AbC", 2, 0, "\x0a\xbc", 2 },
		{ "5", 1, 0, "\x05", 1 },        { "0102", 1, -ENOBUFS, "", 0 },
		{ "", 1, -EINVAL, "", 0 },       { "0g", 1, -EINVAL, "", 0 },
		{ "0x1", 2, -EINVAL, "", 0 },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		uint8_t bytes[4] = { 0 };
		size_t length = 99;
		int r = hex_decode(rows[i].text, strlen(rows[i].text), bytes, rows[i].size,
				   &length);

		assert_int_equal(r, rows[i].result);
		if (r < 0) {
			assert_int_equal(length, 99);
			continue;
		}
		assert_int_equal(length, rows[i].length);
		assert_memory_equal(bytes, rows[i].bytes, length);
	}
}

static void test_base64(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		int result;
		const char *bytes;
	} rows[] = {
		/* RFC 4648, 10 */
		{ "Zg==", 8, 0, "f" },
		{ "Zm8=", 8, 0, "fo" },
		{ "Zm9v", 8, 0, "foo" },
		{ "Zm9vYg==", 8, 0, "foob" },
		{ "Zm9vYmFy", 6, 0, "foobar" },
		{ "Zm9vYmFy", 5, -ENOBUFS, "" },
		{ "", 8, -EINVAL, "" },
		{ "Zg", 8, -EINVAL, "" },
		{ "Zg=", 8, -EINVAL, "" },
		{ "Z===", 8, -EINVAL, "" },
		{ "====", 8, -EINVAL, "" },
		{ "Zm9v\n", 8, -EINVAL, "" },
		{ "Zm-v", 8, -EINVAL, "" },
		{ "Zh==", 8, -EINVAL, "" }, /* bits behind the end */
		{ "Zg==Zg==", 8, -EINVAL, "" },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		char bytes[9] = "";
		size_t length = 99;
		int r = base64_decode(rows[i].text, strlen(rows[i].text), bytes, rows[i].size,
				      &length);

		assert_int_equal(r, rows[i].result);
		assert_int_equal(length, r < 0 ? 99 : strlen(rows[i].bytes));
		if (r >= 0)
			assert_string_equal(bytes, rows[i].bytes);
	}
}

static void test_binary_round_trip(void **state)
{
	uint8_t bytes[67], back[67];
	char text[2 * sizeof(bytes) + 1];
	size_t length;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 151 + 7);
	for (size_t n = 1; n <= sizeof(bytes); n++) {
		hex_encode(bytes, n, text);
		assert_int_equal(strlen(text), 2 * n);
		assert_int_equal(hex_decode(text, strlen(text), back, sizeof(back), &length), 0);
		assert_int_equal(length, n);
		assert_memory_equal(back, bytes, n);
		base64_encode(bytes, n, text);
		assert_int_equal(strlen(text) + 1, BASE64_SIZE(n));
		assert_int_equal(base64_decode(text, strlen(text), back, sizeof(back), &length), 0);
		assert_int_equal(length, n);
		assert_memory_equal(back, bytes, n);
	}
}

static void test_name(void **state)
{
	static const char *const good[] = {
		"iqn.2001-04.com.example",
		"iqn.2001-04.com.example:storage.tape1.sys1.xyz",
		"iqn.2001-04.com.example:\xc3\xa4",
		"eui.02004567a425678d",
		"eui.02004567A425678D",
		"naa.52004567ba64678d",
		"naa.62004567ba64678d0123456789abcdef",
	};
	static const char *const bad[] = {
		"",
		"iqn.",
		"iqn.2001-04",
		"iqn.2001-04.",
		"iqn.2001-13.com.example",
		"iqn.2001-00.com.example",
		"iqn.01-04.com.example",
		"iqn.2001-04.com.example:a b",
		"iqn.2001-04.com.example:a*",
		"iqn.2001-04.com.example:\x80",
		"iqn.2001-04.com.example:\n",
		"eui.02004567a425678",
		"eui.02004567a425678g",
		"naa.52004567ba64678",
		"foo.2001-04.com.example",
		"IQN.2001-04.com.example",
	};
	/* What only the name of a target may be. */
	static const char *const lenient[] = {
		"iqn.2001-04.Com.example",
		"iqn.2001-04.com.example:a_b",
		"iqn.2000-01.com.example:NAS.Target-1.a1b2c3",
	};
	char longest[ISCSI_NAME_MAX + 2];
	const char *why = NULL;

	for (size_t i = 0; i < ELEMENTSOF(good); i++) {
		assert_int_equal(iscsi_name_check(good[i], NULL), 0);
		assert_int_equal(iscsi_target_name_check(good[i], NULL), 0);
	}
	for (size_t i = 0; i < ELEMENTSOF(lenient); i++) {
		assert_int_equal(iscsi_name_check(lenient[i], NULL), -EINVAL);
		assert_int_equal(iscsi_target_name_check(lenient[i], NULL), 0);
	}
	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		why = NULL;
		assert_int_equal(iscsi_name_check(bad[i], &why), -EINVAL);
		assert_non_null(why);
		assert_int_equal(iscsi_target_name_check(bad[i], NULL), -EINVAL);
	}
	assert_int_equal(iscsi_name_check(NULL, &why), -EINVAL);
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "iqn.2001-04.com:", 16);
	longest[ISCSI_NAME_MAX + 1] = '\0';
	assert_int_equal(iscsi_name_check(longest, &why), -EINVAL);
	longest[ISCSI_NAME_MAX] = '\0';
	assert_int_equal(iscsi_name_check(longest, &why), 0);
}

static void test_portal(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *address;
		uint16_t port;
		int tag;
	} rows[] = {
		{ "192.0.2.1", 0, "192.0.2.1", 3260, -1 },
		{ "192.0.2.1:860", 0, "192.0.2.1", 860, -1 },
		{ "192.0.2.1:860,1", 0, "192.0.2.1", 860, 1 },
		{ "192.0.2.1,65535", 0, "192.0.2.1", 3260, 65535 },
		{ "storage.example.com:3260,2", 0, "storage.example.com", 3260, 2 },
		{ "[2001:db8::1]:3261,7", 0, "2001:db8::1", 3261, 7 },
		{ "[2001:db8::1]", 0, "2001:db8::1", 3260, -1 },
		{ "2001:db8::1", 0, "2001:db8::1", 3260, -1 },
		{ "2001:db8::1,4", 0, "2001:db8::1", 3260, 4 },
		{ "[fe80::1%eth0]:3260", 0, "fe80::1%eth0", 3260, -1 },
		{ "fe80::1%eth0,1", 0, "fe80::1%eth0", 3260, 1 },
		{ "[2001:DB8:0::1]:3261", 0, "2001:db8::1", 3261, -1 },
		{ "[2001:db8::1%eth0]", -EINVAL, NULL, 0, 0 },
		{ "[1:2:3]:3260", -EINVAL, NULL, 0, 0 },
		{ "1:2:3", -EINVAL, NULL, 0, 0 },
		{ "", -EINVAL, NULL, 0, 0 },
		{ ":3260", -EINVAL, NULL, 0, 0 },
		{ "[2001:db8::1", -EINVAL, NULL, 0, 0 },
		{ "[]:1", -EINVAL, NULL, 0, 0 },
		{ "[2001:db8::1]x", -EINVAL, NULL, 0, 0 },
		{ "a:", -EINVAL, NULL, 0, 0 },
		{ "a:0", -ERANGE, NULL, 0, 0 },
		{ "a:65536", -ERANGE, NULL, 0, 0 },
		{ "a:1000000000", -EINVAL, NULL, 0, 0 },
		{ "a:1,", -EINVAL, NULL, 0, 0 },
		{ "a:1,65536", -ERANGE, NULL, 0, 0 },
		{ "a b:1", -EINVAL, NULL, 0, 0 },
		{ "a/b:1", -EINVAL, NULL, 0, 0 },
		{ NULL, -EINVAL, NULL, 0, 0 },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		char address[PORTAL_ADDRESS_MAX] = "untouched";
		uint16_t port = 1;
		int tag = 2;
		int r = portal_parse(rows[i].text, ISCSI_PORT, address, sizeof(address), &port,
				     &tag);

		assert_int_equal(r, rows[i].result);
		assert_string_equal(address, r < 0 ? "untouched" : rows[i].address);
		assert_int_equal(port, r < 0 ? 1 : rows[i].port);
		assert_int_equal(tag, r < 0 ? 2 : rows[i].tag);
	}
}

static void test_portal_without_tag(void **state)
{
	char address[8] = "", text[PORTAL_TEXT_MAX];
	uint16_t port;

	assert_int_equal(portal_parse("a:1,1", 1, address, sizeof(address), &port, NULL), -EINVAL);
	assert_int_equal(portal_parse("12345678", 1, address, sizeof(address), &port, NULL),
			 -EINVAL);
	assert_int_equal(portal_parse("1234567", 9, address, sizeof(address), &port, NULL), 0);
	portal_format(address, port, text);
	assert_string_equal(text, "1234567:9");
	portal_format("::1", 3260, text);
	assert_string_equal(text, "[::1]:3260");
}

static void test_escape(void **state)
{
	static const struct {
		const char *text;
		size_t length, size;
		const char *escaped;
		bool clean;
	} rows[] = {
		{ "plain", 5, 64, "plain", true },
		{ "a\nb", 3, 64, "a\\x0ab", false },
		{ "a\0b", 3, 64, "a\\x00b", false },
		{ "\\", 1, 64, "\\x5c", true },
		{ "\xc3\xa4", 2, 64, "\xc3\xa4", true },
		{ "\xc3", 1, 64, "\\xc3", false },
		{ "\xed\xa0\x80", 3, 64, "\\xed\\xa0\\x80", false }, /* surrogate */
		{ "\xc0\x80", 2, 64, "\\xc0\\x80", false },          /* overlong */
		{ "\xc2\x9b", 2, 64, "\\xc2\\x9b", false },          /* C1 control */
		{ "\xf4\x90\x80\x80", 4, 64, "\\xf4\\x90\\x80\\x80", false },
		{ "abc", 3, 3, "ab", true },
		{ "a\xc3\xa4", 3, 3, "a", true },
		{ "a\n", 2, 5, "a", false },
		{ "a", 1, 1, "", true },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		char out[64];

		assert_int_equal(text_escape(rows[i].text, rows[i].length, out, rows[i].size),
				 strlen(rows[i].escaped));
		assert_string_equal(out, rows[i].escaped);
		assert_int_equal(text_is_clean(rows[i].text, rows[i].length), rows[i].clean);
	}
}

/* Whatever the bytes, what comes out is clean and fits. */
static void test_escape_any(void **state)
{
	unsigned seed = 1;

	for (unsigned round = 0; round < 2000; round++) {
		size_t length = round % 40, size = 1 + round % 50;
		uint8_t in[40];
		char out[50];

		for (size_t i = 0; i < length; i++)
			in[i] = (uint8_t)(seed = seed * 1103515245 + 12345) >> (round % 3);
		assert_true(text_escape(in, length, out, size) < size);
		assert_true(text_is_clean(out, strlen(out)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u64),
		cmocka_unit_test(test_i64),
		cmocka_unit_test(test_boolean),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_binary_round_trip),
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_portal),
		cmocka_unit_test(test_portal_without_tag),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_escape_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
