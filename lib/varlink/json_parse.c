/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A parser that takes what RFC 8259 defines and nothing else; see json.h for why json-c's is not
 * used. What it decodes may be a secret, so every buffer of its own is erased.
 */
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <string.h>

#include "json.h"
#include "json_private.h"
#include "parse.h"
#include "secret.h"

struct reader {
	const char *at, *end;
	unsigned depth;
};

static int read_value(struct reader *reader, json_object **ret);

static void skip_space(struct reader *reader)
{
	while (reader->at < reader->end && *reader->at <= ' ' && memchr(" \t\n\r", *reader->at, 4))
		reader->at++;
}

/* Takes @c, after white space, if it is next. */
static bool take(struct reader *reader, char c)
{
	skip_space(reader);
	if (reader->at == reader->end || *reader->at != c)
		return false;
	reader->at++;
	return true;
}

static bool take_word(struct reader *reader, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
		return false;
	reader->at += length;
	return true;
}

/* The four digits of \uXXXX. */
static int read_hex4(const char *at, const char *end, uint32_t *ret)
{
	uint8_t bytes[2];
	size_t n;

	if (end - at < 4 || hex_decode(at, 4, bytes, sizeof(bytes), &n) < 0)
		return -EBADMSG;
	*ret = (uint32_t)bytes[0] << 8 | bytes[1];
	return 0;
}

/* @at stands behind "\u". Returns the digits used, the character is in *@ret_point. */
static int read_unicode(const char *at, const char *end, uint32_t *ret_point)
{
	uint32_t high, low;

	if (read_hex4(at, end, &high) < 0 || high == 0 || (high >= 0xdc00 && high <= 0xdfff))
		return -EBADMSG;
	if (high < 0xd800 || high > 0xdbff) {
		*ret_point = high;
		return 4;
	}
	if (end - at < 10 || at[4] != '\\' || at[5] != 'u' || read_hex4(at + 6, end, &low) < 0 ||
	    low < 0xdc00 || low > 0xdfff)
		return -EBADMSG;
	*ret_point = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	return 10;
}

static size_t write_utf8(uint32_t point, char *ret)
{
	if (point < 0x80) {
		ret[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		ret[0] = (char)(0xc0 | point >> 6);
		ret[1] = (char)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		ret[0] = (char)(0xe0 | point >> 12);
		ret[1] = (char)(0x80 | (point >> 6 & 0x3f));
		ret[2] = (char)(0x80 | (point & 0x3f));
		return 3;
	}
	ret[0] = (char)(0xf0 | point >> 18);
	ret[1] = (char)(0x80 | (point >> 12 & 0x3f));
	ret[2] = (char)(0x80 | (point >> 6 & 0x3f));
	ret[3] = (char)(0x80 | (point & 0x3f));
	return 4;
}

/* Decodes what follows a backslash at @at; at most as many bytes come out as go in. Returns bytes
 * used. */
static int read_escape(const char *at, const char *end, char *ret, size_t *ret_length)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *name;
	uint32_t point;
	int r;

	if (at == end)
		return -EBADMSG;
	if (*at == 'u') {
		r = read_unicode(at + 1, end, &point);
		if (r < 0)
			return r;
		*ret_length = write_utf8(point, ret);
		return r + 1;
	}
	name = memchr(names, *at, sizeof(names) - 1);
	if (!name)
		return -EBADMSG;
	*ret = values[name - names];
	*ret_length = 1;
	return 1;
}

/* Finds the closing quote; checks everything but escapes. */
static int find_quote(const char *at, const char *end, const char **ret, bool *ret_escapes)
{
	bool escapes = false;

	for (at += json_plain_length(at, (size_t)(end - at)); at < end && *at != '"';
	     at += json_plain_length(at, (size_t)(end - at))) {
		size_t n = utf8_length(at, (size_t)(end - at));

		if (n == 0 || (unsigned char)*at < 0x20)
			return -EBADMSG;
		if (*at == '\\') {
			escapes = true;
			if (++at == end || (unsigned char)*at >= 0x80 || (unsigned char)*at < 0x20)
				return -EBADMSG;
			n = 1;
		}
		at += n;
	}
	if (at >= end)
		return -EBADMSG;
	*ret = at;
	*ret_escapes = escapes;
	return 0;
}

/* Calls for @reader behind the opening quote. The text has no NUL inside; the caller erases and
 * frees it. */
static int read_text(struct reader *reader, char **ret, size_t *ret_length)
{
	_cleanup_(string_erase_freep) char *text = NULL;
	size_t length = 0, n;
	const char *end;
	bool escapes;
	int r;

	r = find_quote(reader->at, reader->end, &end, &escapes);
	if (r < 0)
		return r;
	text = calloc(1, (size_t)(end - reader->at) + 1);
	if (!text)
		return -ENOMEM;
	for (const char *at = reader->at; at < end;) {
		const char *escape = escapes ? memchr(at, '\\', (size_t)(end - at)) : NULL;

		n = (size_t)((escape ? escape : end) - at);
		memcpy(text + length, at, n);
		length += n;
		at += n;
		if (!escape)
			break;
		r = read_escape(at + 1, end, text + length, &n);
		if (r < 0)
			return r;
		length += n;
		at += 1 + r;
	}
	reader->at = end + 1;
	*ret = TAKE_PTR(text);
	*ret_length = length;
	return 0;
}

static int read_string(struct reader *reader, json_object **ret)
{
	_cleanup_(string_erase_freep) char *text = NULL;
	json_object *object;
	size_t length;
	int r;

	r = read_text(reader, &text, &length);
	if (r < 0)
		return r;
	if (length > INT_MAX)
		return -EBADMSG;
	object = json_object_new_string_len(text, (int)length);
	if (!object)
		return -ENOMEM;
	*ret = object;
	return 0;
}

static const char *skip_digits(const char *at, const char *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

/* RFC 8259, section 6. Returns the end of the number at @at, or NULL. */
static const char *scan_number(const char *at, const char *end, bool *ret_integer)
{
	const char *start;

	if (at < end && *at == '-')
		at++;
	start = at;
	at = skip_digits(at, end);
	if (at == start || (*start == '0' && at - start > 1))
		return NULL;
	*ret_integer = true;
	if (at < end && *at == '.') {
		*ret_integer = false;
		start = ++at;
		at = skip_digits(at, end);
		if (at == start)
			return NULL;
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		*ret_integer = false;
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		start = at;
		at = skip_digits(at, end);
		if (at == start)
			return NULL;
	}
	return at;
}

/* strtod(), but a program's locale does not change what a dot is. */
static int text_to_double(const char *text, double *ret)
{
	locale_t locale = newlocale(LC_ALL_MASK, "C", NULL);
	double value;

	if (!locale)
		return -ENOMEM;
	value = strtod_l(text, NULL, locale);
	freelocale(locale);
	if (!isfinite(value))
		return -EBADMSG;
	*ret = value;
	return 0;
}

static int read_number(struct reader *reader, json_object **ret)
{
	char text[352]; /* DBL_MAX written out has 309 digits */
	json_object *object;
	const char *end;
	double value;
	int64_t i;
	bool integer;
	int r;

	end = scan_number(reader->at, reader->end, &integer);
	if (!end || (size_t)(end - reader->at) >= sizeof(text))
		return -EBADMSG;
	memcpy(text, reader->at, (size_t)(end - reader->at));
	text[end - reader->at] = '\0';
	if (integer && parse_i64(text, INT64_MIN, INT64_MAX, &i) == 0) {
		object = json_object_new_int64(i);
	} else {
		r = text_to_double(text, &value);
		if (r < 0)
			return r;
		object = json_object_new_double(value);
	}
	if (!object)
		return -ENOMEM;
	reader->at = end;
	*ret = object;
	return 0;
}

static int read_member(struct reader *reader, json_object *object)
{
	_cleanup_(string_erase_freep) char *name = NULL;
	json_object *value = NULL;
	size_t length;
	int r;

	if (!take(reader, '"'))
		return -EBADMSG;
	r = read_text(reader, &name, &length);
	if (r < 0)
		return r;
	if (!take(reader, ':') || json_object_object_get_ex(object, name, NULL))
		return -EBADMSG;
	r = read_value(reader, &value);
	if (r < 0)
		return r;
	if (json_object_object_add_ex(object, name, value, JSON_C_OBJECT_ADD_KEY_IS_NEW) < 0) {
		json_object_put(value);
		return -ENOMEM;
	}
	return 0;
}

static int read_element(struct reader *reader, json_object *array)
{
	json_object *value = NULL;
	int r;

	r = read_value(reader, &value);
	if (r < 0)
		return r;
	if (json_object_array_add(array, value) < 0) {
		json_object_put(value);
		return -ENOMEM;
	}
	return 0;
}

/* Members of an object or elements of an array, behind the opening bracket. */
static int read_list(struct reader *reader, json_object *list, char closing,
		     int (*read_one)(struct reader *reader, json_object *list))
{
	int r;

	if (reader->depth >= JSON_DEPTH_MAX)
		return -EBADMSG;
	if (take(reader, closing))
		return 0;
	reader->depth++;
	do {
		r = read_one(reader, list);
		if (r < 0)
			return r;
	} while (take(reader, ','));
	reader->depth--;
	return take(reader, closing) ? 0 : -EBADMSG;
}

static int read_container(struct reader *reader, json_object **ret)
{
	_cleanup_(json_object_erase_putp) json_object *list = NULL;
	bool array = *reader->at++ == '[';
	int r;

	list = array ? json_object_new_array() : json_object_new_object();
	if (!list)
		return -ENOMEM;
	r = read_list(reader, list, array ? ']' : '}', array ? read_element : read_member);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(list);
	return 0;
}

static int read_boolean(struct reader *reader, bool value, json_object **ret)
{
	if (!take_word(reader, value ? "true" : "false"))
		return -EBADMSG;
	*ret = json_object_new_boolean(value);
	return *ret ? 0 : -ENOMEM;
}

static int read_value(struct reader *reader, json_object **ret)
{
	skip_space(reader);
	if (reader->at == reader->end)
		return -EBADMSG;
	switch (*reader->at) {
	case '{':
	case '[':
		return read_container(reader, ret);
	case '"':
		reader->at++;
		return read_string(reader, ret);
	case 't':
	case 'f':
		return read_boolean(reader, *reader->at == 't', ret);
	case 'n':
		*ret = NULL;
		return take_word(reader, "null") ? 0 : -EBADMSG;
	default:
		return read_number(reader, ret);
	}
}

int json_parse(const char *text, size_t length, json_object **ret)
{
	struct reader reader = { .at = text, .end = text + length };
	_cleanup_(json_object_erase_putp) json_object *object = NULL;
	int r;

	r = read_value(&reader, &object);
	if (r < 0)
		return r;
	skip_space(&reader);
	if (reader.at != reader.end)
		return -EBADMSG;
	*ret = TAKE_PTR(object);
	return 0;
}
