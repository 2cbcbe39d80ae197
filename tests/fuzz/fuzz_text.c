// layers: ois-iscsi ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * key=value text: pairs can be written and read again, values that are numbers or binary too, and
 * it makes no difference how the text is spread over PDUs. The first byte is the size of the
 * pieces.
 */
#include <string.h>

#include "fuzz.h"
#include "text.h"

static void check_number(const struct text_pair *pair)
{
	_cleanup_(buffer_done) struct buffer text = {};
	struct text_iterator iterator;
	uint64_t number, again;
	struct text_pair copy;

	if (text_parse_number(pair->value, pair->value_length, &number) < 0)
		return;
	FUZZ_CHECK(text_write_number(&text, "Number", number) == 0);
	text_iterator_init(&iterator, text.data, text.length);
	FUZZ_CHECK(text_iterator_next(&iterator, &copy, NULL) == 1);
	FUZZ_CHECK(text_parse_number(copy.value, copy.value_length, &again) == 0);
	FUZZ_CHECK(number == again);
}

static void check_binary(const struct text_pair *pair)
{
	uint8_t bytes[ISCSI_BINARY_MAX], again[ISCSI_BINARY_MAX];
	_cleanup_(buffer_done) struct buffer text = {};
	struct text_iterator iterator;
	size_t length, again_length;
	struct text_pair copy;

	if (text_parse_binary(pair->value, pair->value_length, bytes, sizeof(bytes), &length) < 0)
		return;
	FUZZ_CHECK(length <= sizeof(bytes));
	FUZZ_CHECK(text_write_binary(&text, "Binary", bytes, length) == 0);
	text_iterator_init(&iterator, text.data, text.length);
	FUZZ_CHECK(text_iterator_next(&iterator, &copy, NULL) == 1);
	if (length == 0)
		return;
	FUZZ_CHECK(text_parse_binary(copy.value, copy.value_length, again, sizeof(again),
				     &again_length) == 0);
	FUZZ_CHECK(length == again_length && memcmp(bytes, again, length) == 0);
}

/* The elements with commas between are the value. */
static void check_list(const struct text_pair *pair)
{
	struct text_pair rest = *pair;
	size_t length = 0, element_length;
	const char *element;

	while (text_list_next(&rest, &element, &element_length)) {
		FUZZ_CHECK(element == pair->value + length);
		FUZZ_CHECK(!memchr(element, ',', element_length));
		length += element_length + 1;
	}
	FUZZ_CHECK(length == pair->value_length + 1);
}

static void check_pair(const struct text_pair *pair, struct buffer *out)
{
	_cleanup_free_ char *key = strndup(pair->key, pair->key_length);
	_cleanup_free_ char *value = strndup(pair->value, pair->value_length);
	bool boolean;

	FUZZ_CHECK(key && value);
	FUZZ_CHECK(pair->key_length > 0 && pair->key_length <= ISCSI_KEY_NAME_MAX);
	FUZZ_CHECK(strlen(value) == pair->value_length && text_value_is(pair, value));
	FUZZ_CHECK(text_write(out, key, value) == 0);
	if (text_parse_boolean(pair->value, pair->value_length, &boolean) == 0)
		FUZZ_CHECK(strcmp(value, boolean ? "Yes" : "No") == 0);
	check_number(pair);
	check_binary(pair);
	check_list(pair);
}

/* Writes all pairs down; false if the text is malformed. */
static bool read_text(const void *text, size_t length, struct buffer *out)
{
	struct text_iterator iterator;
	const char *fault = NULL;
	struct text_pair pair;
	int r;

	text_iterator_init(&iterator, text, length);
	while ((r = text_iterator_next(&iterator, &pair, &fault)) > 0)
		check_pair(&pair, out);
	FUZZ_CHECK(r == 0 || (r == -EPROTO && fault));
	return r == 0;
}

static void collect(const uint8_t *data, size_t size, size_t piece, struct text_collector *ret)
{
	int r;

	do {
		size_t now = size < piece ? size : piece;

		r = text_collect(ret, data, now, size > now);
		FUZZ_CHECK(r == (size <= now));
		data += now;
		size -= now;
	} while (r == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(buffer_done) struct buffer one = {}, two = {};
	struct text_collector collector = {};

	if (size == 0)
		return 0;
	collect(data + 1, size - 1, data[0] ? data[0] : 1, &collector);
	FUZZ_CHECK(collector.text.length == size - 1);
	FUZZ_CHECK(size == 1 || memcmp(collector.text.data, data + 1, size - 1) == 0);
	if (read_text(collector.text.data, collector.text.length, &one)) {
		FUZZ_CHECK(read_text(one.data, one.length, &two));
		FUZZ_CHECK(one.length == two.length);
		FUZZ_CHECK(one.length == 0 || memcmp(one.data, two.data, one.length) == 0);
	}
	buffer_done(&collector.text);
	return 0;
}
