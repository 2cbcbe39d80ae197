// layers: ois-iscsi ois-events ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * key=value text: rows, faults, writer and iterator back to back, collection over any split.
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
#include "text.h"

#define TEXT(literal) literal, sizeof(literal) - 1

static void test_iterate(void **state)
{
	static const struct {
		const char *text;
		size_t length;
		int pairs; /* or -EPROTO after .before pairs */
		int before;
	} rows[] = {
		{ TEXT(""), 0, 0 },
		{ TEXT("A=b\0"), 1, 0 },
		{ TEXT("A=b\0C=d\0"), 2, 0 },
		{ TEXT("A=\0"), 1, 0 },
		{ TEXT("A=b=c\0"), 1, 0 },
		{ TEXT("\0\0A=b\0\0\0C=d\0\0"), 2, 0 },
		{ TEXT("X-com.example.key=1\0"), 1, 0 },
		{ TEXT("X#NodeArchitecture=x\0"), 1, 0 },
		{ TEXT("iSCSIProtocolLevel=1\0"), 1, 0 },
		{ TEXT("iSERHelloRequired=No\0"), 1, 0 },
		{ TEXT("A=b"), -EPROTO, 0 },
		{ TEXT("A=b\0C=d"), -EPROTO, 1 },
		{ TEXT("A\0"), -EPROTO, 0 },
		{ TEXT("=b\0"), -EPROTO, 0 },
		{ TEXT("a=b\0"), -EPROTO, 0 },
		{ TEXT("A b=c\0"), -EPROTO, 0 },
		{ TEXT("A#b=c\0"), -EPROTO, 0 },
		{ TEXT("A\n=c\0"), -EPROTO, 0 },
		{ TEXT("A\xc3\xa4=c\0"), -EPROTO, 0 },
		{ TEXT("1A=c\0"), -EPROTO, 0 },
		{ TEXT("i=c\0"), -EPROTO, 0 },
		{ TEXT("AZaz09.-+@_=c\0"), 1, 0 },
		/* One beside each range. */
		{ TEXT("A/=c\0"), -EPROTO, 0 },
		{ TEXT("A:=c\0"), -EPROTO, 0 },
		{ TEXT("A[=c\0"), -EPROTO, 0 },
		{ TEXT("A`=c\0"), -EPROTO, 0 },
		{ TEXT("A{=c\0"), -EPROTO, 0 },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		struct text_iterator iterator;
		const char *fault = NULL;
		struct text_pair pair;
		int n = 0, r;

		text_iterator_init(&iterator, rows[i].text, rows[i].length);
		while ((r = text_iterator_next(&iterator, &pair, &fault)) > 0)
			n++;
		assert_int_equal(r, rows[i].pairs < 0 ? rows[i].pairs : 0);
		assert_int_equal(n, rows[i].pairs < 0 ? rows[i].before : rows[i].pairs);
		assert_int_equal(fault != NULL, r < 0);
	}
}

/* A key has a limit of its own here, a value by its key and elsewhere. */
static void test_lengths(void **state)
{
	char text[ISCSI_KEY_NAME_MAX + LOGIN_TEXT_MAX + 8];
	size_t value = LOGIN_TEXT_MAX;
	struct text_iterator iterator;
	struct text_pair pair;

	for (size_t key = ISCSI_KEY_NAME_MAX; key <= ISCSI_KEY_NAME_MAX + 1; key++) {
		bool good = key == ISCSI_KEY_NAME_MAX;

		memset(text, 'A', key + 1 + value);
		text[key] = '=';
		text[key + 1 + value] = '\0';
		text_iterator_init(&iterator, text, key + 1 + value + 1);
		assert_int_equal(text_iterator_next(&iterator, &pair, NULL), good ? 1 : -EPROTO);
		if (good) {
			assert_int_equal(pair.key_length, key);
			assert_int_equal(pair.value_length, value);
		}
	}
	text_iterator_init(&iterator, NULL, 0);
	assert_int_equal(text_iterator_next(&iterator, &pair, NULL), 0);
}

static void test_number(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t value;
	} rows[] = {
		{ "0", 0, 0 },
		{ "8192", 0, 8192 },
		{ "0x2000", 0, 0x2000 },
		{ "0X2aB", 0, 0x2ab },
		{ "0xffffffffffffffff", 0, UINT64_MAX },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "0x10000000000000000", -ERANGE, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "000000000000000000000000000001", -EINVAL, 0 },
		{ "01", -EINVAL, 0 }, /* RFC 7143, 6.1: no leading zeros */
		{ "00", -EINVAL, 0 },
		{ "0x0001", 0, 1 },
		{ "0x", -EINVAL, 0 },
		{ "0xfg", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "1k", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
	};
	uint64_t value;

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		value = 4711;
		assert_int_equal(text_parse_number(rows[i].text, strlen(rows[i].text), &value),
				 rows[i].result);
		assert_true(value == (rows[i].result < 0 ? 4711 : rows[i].value));
	}
	/* A view: what stands behind it does not count, and a NUL inside is no end. */
	assert_int_equal(text_parse_number("123", 2, &value), 0);
	assert_int_equal(value, 12);
	assert_int_equal(text_parse_number("1\0002", 3, &value), -EINVAL);
}

static void test_boolean(void **state)
{
	static const char *const bad[] = { "yes", "no", "", "Yess", "N", "1", "true" };
	bool value = false;

	assert_int_equal(text_parse_boolean("Yes", 3, &value), 0);
	assert_true(value);
	assert_int_equal(text_parse_boolean("No", 2, &value), 0);
	assert_false(value);
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		assert_int_equal(text_parse_boolean(bad[i], strlen(bad[i]), &value), -EINVAL);
}

static void test_binary(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *bytes;
		size_t length;
	} rows[] = {
		{ "0x00ff", 0, "\x00\xff", 2 },
		{ "0XAb", 0, "\xab", 1 },
		{ "0x123", 0, "\x01\x23", 2 },
		{ "0bZm9v", 0, "foo", 3 },
		{ "0BZg==", 0, "f", 1 },
		{ "0x0102030405", -ENOBUFS, "", 0 },
		{ "0bZm9vYmFy", -ENOBUFS, "", 0 },
		{ "00ff", -EINVAL, "", 0 },
		{ "255", -EINVAL, "", 0 },
		{ "0x", -EINVAL, "", 0 },
		{ "0b", -EINVAL, "", 0 },
		{ "0xzz", -EINVAL, "", 0 },
		{ "0b*", -EINVAL, "", 0 },
		{ "1x00", -EINVAL, "", 0 },
		{ "", -EINVAL, "", 0 },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		uint8_t bytes[4];
		size_t length = 99;
		int r = text_parse_binary(rows[i].text, strlen(rows[i].text), bytes, sizeof(bytes),
					  &length);

		assert_int_equal(r, rows[i].result);
		assert_int_equal(length, r < 0 ? 99 : rows[i].length);
		if (r >= 0)
			assert_memory_equal(bytes, rows[i].bytes, length);
	}
}

static void test_list(void **state)
{
	static const struct {
		const char *list;
		const char *elements[4];
		size_t n;
	} rows[] = {
		{ "None", { "None" }, 1 },
		{ "CRC32C,None", { "CRC32C", "None" }, 2 },
		{ "", { "" }, 1 },
		{ "a,,b,", { "a", "", "b", "" }, 4 },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		struct text_pair pair = { .value = rows[i].list,
					  .value_length = strlen(rows[i].list) };
		const char *element;
		size_t length, n = 0;

		while (text_list_next(&pair, &element, &length)) {
			assert_true(n < rows[i].n);
			assert_int_equal(length, strlen(rows[i].elements[n]));
			assert_memory_equal(element, rows[i].elements[n], length);
			n++;
		}
		assert_int_equal(n, rows[i].n);
	}
}

static void fill(struct buffer *out)
{
	assert_int_equal(text_write(out, "InitiatorName", "iqn.2001-04.com.example"), 0);
	assert_int_equal(text_write(out, "InitiatorAlias", ""), 0);
	assert_int_equal(text_write_number(out, "MaxBurstLength", 262144), 0);
	assert_int_equal(text_write_binary(out, "CHAP_C", "\x01\xff", 2), 0);
}

static void check(const struct buffer *in)
{
	static const char *const expected[] = {
		"InitiatorName",  "iqn.2001-04.com.example",
		"InitiatorAlias", "",
		"MaxBurstLength", "262144",
		"CHAP_C",         "0x01ff",
	};
	struct text_iterator iterator;
	struct text_pair pair;

	text_iterator_init(&iterator, in->data, in->length);
	for (size_t i = 0; i < ELEMENTSOF(expected); i += 2) {
		assert_int_equal(text_iterator_next(&iterator, &pair, NULL), 1);
		assert_int_equal(pair.key_length, strlen(expected[i]));
		assert_memory_equal(pair.key, expected[i], pair.key_length);
		assert_true(text_value_is(&pair, expected[i + 1]));
	}
	assert_int_equal(text_iterator_next(&iterator, &pair, NULL), 0);
}

/* However the text is cut into PDUs, what is collected is the same. */
static void test_collect_any_split(void **state)
{
	_cleanup_(buffer_done) struct buffer out = { 0 };
	struct text_collector collector = { .text = { .limit = 1024 } };

	fill(&out);
	check(&out);
	for (size_t a = 0; a <= out.length; a++) {
		for (size_t b = a; b <= out.length; b += 7) {
			assert_int_equal(text_collect(&collector, out.data, a, true), 0);
			assert_int_equal(text_collect(&collector, out.data + a, b - a, true), 0);
			assert_int_equal(
				text_collect(&collector, out.data + b, out.length - b, false), 1);
			check(&collector.text);
		}
	}
	buffer_done(&collector.text);
}

static void test_collect_limit(void **state)
{
	struct text_collector collector = { .text = { .limit = 10 } };

	assert_int_equal(text_collect(&collector, "12345678", 8, true), 0);
	assert_int_equal(text_collect(&collector, "901", 3, true), -E2BIG);
	assert_int_equal(text_collect(&collector, "90", 2, false), 1);
	assert_int_equal(collector.text.length, 10);
	/* A new text begins. */
	assert_int_equal(text_collect(&collector, NULL, 0, false), 1);
	assert_int_equal(collector.text.length, 0);
	buffer_done(&collector.text);
}

static void test_write_limits(void **state)
{
	_cleanup_(buffer_done) struct buffer out = { .limit = 6 };
	uint8_t bytes[ISCSI_BINARY_MAX + 1] = { 0 };

	assert_int_equal(text_write(&out, "A", "bcd"), 0);
	assert_int_equal(out.length, 6);
	assert_memory_equal(out.data, "A=bcd", 6);
	assert_int_equal(text_write(&out, "A", ""), -E2BIG);
	assert_int_equal(out.length, 6);
	assert_int_equal(text_write_binary(&out, "A", bytes, sizeof(bytes)), -E2BIG);
	out.limit = 0;
	assert_int_equal(text_write_binary(&out, "A", bytes, ISCSI_BINARY_MAX), 0);
	assert_int_equal(out.length, 6 + 2 + ISCSI_BINARY_VALUE_MAX + 1);
}

/* Round trips of what chance makes */

static uint32_t seed;

static size_t chance(size_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (size_t)((uint64_t)(seed >> 8) * n >> 24);
}

#define RANDOM_PAIRS     12
#define RANDOM_VALUE_MAX 300

struct random_pair {
	char key[ISCSI_KEY_NAME_MAX + 1];
	char value[RANDOM_VALUE_MAX + 1];
};

static void random_pair(struct random_pair *ret)
{
	static const char characters[] = "ABYZabyz0189.-+@_";
	size_t key = chance(ISCSI_KEY_NAME_MAX), value = chance(RANDOM_VALUE_MAX + 1);

	memset(ret, 0, sizeof(*ret));
	ret->key[0] = (char)('A' + chance(26));
	for (size_t i = 1; i <= key; i++)
		ret->key[i] = characters[chance(sizeof(characters) - 1)];
	/* UTF-8 or not is for each key to say. */
	for (size_t i = 0; i < value; i++)
		ret->value[i] = (char)(1 + chance(255));
}

/* Pairs, written, cut into PDUs anywhere, collected and read, are the pairs. */
static void test_random_pairs(void **state)
{
	struct text_collector collector = { .text = { .limit = 8192 } };

	seed = 1;
	for (unsigned round = 0; round < 500; round++) {
		_cleanup_(buffer_done) struct buffer out = { 0 };
		struct random_pair pairs[RANDOM_PAIRS];
		size_t n = chance(RANDOM_PAIRS + 1), at = 0, length;
		struct text_iterator iterator;
		struct text_pair pair;

		for (size_t i = 0; i < n; i++) {
			random_pair(&pairs[i]);
			assert_int_equal(text_write(&out, pairs[i].key, pairs[i].value), 0);
		}
		for (unsigned cuts = (unsigned)chance(6); cuts > 0; cuts--) {
			length = chance(out.length - at + 1);
			assert_int_equal(text_collect(&collector, out.data + at, length, true), 0);
			at += length;
		}
		assert_int_equal(text_collect(&collector, out.data + at, out.length - at, false),
				 1);
		text_iterator_init(&iterator, collector.text.data, collector.text.length);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(text_iterator_next(&iterator, &pair, NULL), 1);
			assert_int_equal(pair.key_length, strlen(pairs[i].key));
			assert_memory_equal(pair.key, pairs[i].key, pair.key_length);
			assert_true(text_value_is(&pair, pairs[i].value));
		}
		assert_int_equal(text_iterator_next(&iterator, &pair, NULL), 0);
	}
	buffer_done(&collector.text);
}

static void test_random_numbers(void **state)
{
	seed = 2;
	for (unsigned round = 0; round < 2000; round++) {
		unsigned long long number = ((uint64_t)chance(1 << 24) << 40 |
					     (uint64_t)chance(1 << 24) << 16 | chance(1 << 16)) >>
					    chance(64);
		char texts[3][32];
		uint64_t value;

		(void)snprintf(texts[0], sizeof(texts[0]), "%llu", number);
		(void)snprintf(texts[1], sizeof(texts[1]), "0x%llx", number);
		(void)snprintf(texts[2], sizeof(texts[2]), "0X%llX", number);
		for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
			assert_int_equal(text_parse_number(texts[i], strlen(texts[i]), &value), 0);
			assert_true(value == number);
		}
	}
}

static void test_random_binary(void **state)
{
	seed = 3;
	for (unsigned round = 0; round < 1000; round++) {
		_cleanup_(buffer_done) struct buffer out = { 0 };
		uint8_t bytes[ISCSI_BINARY_MAX], decoded[ISCSI_BINARY_MAX];
		char base64[ISCSI_BINARY_VALUE_MAX + 1] = "0b";
		size_t length = 1 + chance(round % 2 ? 40 : sizeof(bytes));
		struct text_iterator iterator;
		struct text_pair pair;
		size_t n;

		for (size_t i = 0; i < length; i++)
			bytes[i] = (uint8_t)chance(256);
		assert_int_equal(text_write_binary(&out, "CHAP_C", bytes, length), 0);
		text_iterator_init(&iterator, out.data, out.length);
		assert_int_equal(text_iterator_next(&iterator, &pair, NULL), 1);
		assert_int_equal(text_parse_binary(pair.value, pair.value_length, decoded,
						   sizeof(decoded), &n),
				 0);
		assert_int_equal(n, length);
		assert_memory_equal(decoded, bytes, n);
		base64_encode(bytes, length, base64 + 2);
		assert_int_equal(text_parse_binary(base64, strlen(base64), decoded, length, &n), 0);
		assert_int_equal(n, length);
		assert_memory_equal(decoded, bytes, n);
		assert_int_equal(text_parse_binary(base64, strlen(base64), decoded, length - 1, &n),
				 -ENOBUFS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_iterate),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_boolean),
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_collect_any_split),
		cmocka_unit_test(test_collect_limit),
		cmocka_unit_test(test_write_limits),
		cmocka_unit_test(test_random_pairs),
		cmocka_unit_test(test_random_numbers),
		cmocka_unit_test(test_random_binary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
