/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Strict reading, safe writing and checked access; see json.h for why json-c's own are not used.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <string.h>

#include "json.h"
#include "parse.h"
#include "secret.h"

/* Integers up to here are exact in a double. */
#define DOUBLE_INT_MAX 9007199254740992.0
/* Greatest part of a dotted name, and NUL. */
#define PATH_NAME_SIZE 64

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

struct reader {
	const char *at, *end;
	unsigned depth;
};

static int read_value(struct reader *reader, json_object **ret);

static void skip_space(struct reader *reader)
{
	while (reader->at < reader->end && memchr(" \t\n\r", *reader->at, 4))
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

/* Decodes what follows a backslash at @at; at most as many bytes come out as go in. Returns bytes used. */
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

	while (at < end && *at != '"') {
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

/* Calls for @reader behind the opening quote. The text has no NUL inside; the caller erases and frees it. */
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
	if (json_object_object_add(object, name, value) < 0) {
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

static bool needs_escape(unsigned char c)
{
	return c < 0x20 || c == '"' || c == '\\';
}

static int write_escape(struct buffer *buffer, unsigned char c)
{
	static const char values[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
	const char *value;
	char text[7];

	if (c == '\0')
		return buffer_append_string(buffer, replacement);
	value = memchr(values, c, sizeof(values) - 1);
	if (value)
		(void)snprintf(text, sizeof(text), "\\%c", names[value - values]);
	else
		(void)snprintf(text, sizeof(text), "\\u%04x", c);
	return buffer_append_string(buffer, text);
}

static int write_string(struct buffer *buffer, const char *text, size_t length)
{
	size_t start = 0, i = 0, n;
	int r;

	r = buffer_append(buffer, "\"", 1);
	while (r >= 0 && i < length) {
		n = utf8_length(text + i, length - i);
		if (n > 0 && !needs_escape((unsigned char)text[i])) {
			i += n;
			continue;
		}
		r = buffer_append(buffer, text + start, i - start);
		if (r < 0)
			break;
		r = n > 0 ? write_escape(buffer, (unsigned char)text[i]) :
			    buffer_append_string(buffer, replacement);
		start = ++i;
	}
	if (r >= 0)
		r = buffer_append(buffer, text + start, i - start);
	return r < 0 ? r : buffer_append(buffer, "\"", 1);
}

static int write_object(struct buffer *buffer, json_object *object)
{
	bool first = true;
	int r;

	r = buffer_append(buffer, "{", 1);
	if (r < 0)
		return r;
	json_object_object_foreach(object, name, value) {
		r = first ? 0 : buffer_append(buffer, ",", 1);
		if (r >= 0)
			r = write_string(buffer, name, strlen(name));
		if (r >= 0)
			r = buffer_append(buffer, ":", 1);
		if (r >= 0)
			r = json_write(buffer, value);
		if (r < 0)
			return r;
		first = false;
	}
	return buffer_append(buffer, "}", 1);
}

static int write_array(struct buffer *buffer, json_object *array)
{
	int r;

	r = buffer_append(buffer, "[", 1);
	for (size_t i = 0; r >= 0 && i < json_object_array_length(array); i++) {
		r = i == 0 ? 0 : buffer_append(buffer, ",", 1);
		if (r >= 0)
			r = json_write(buffer, json_object_array_get_idx(array, i));
	}
	return r < 0 ? r : buffer_append(buffer, "]", 1);
}

int json_write(struct buffer *buffer, json_object *object)
{
	char number[24];

	switch (json_object_get_type(object)) {
	case json_type_null:
		return buffer_append_string(buffer, "null");
	case json_type_boolean:
		return buffer_append_string(buffer,
					    json_object_get_boolean(object) ? "true" : "false");
	case json_type_int:
		(void)snprintf(number, sizeof(number), "%" PRIi64, json_object_get_int64(object));
		return buffer_append_string(buffer, number);
	case json_type_double: /* json-c writes a dot in every locale */
		return isfinite(json_object_get_double(object)) ?
			       buffer_append_string(buffer, json_object_to_json_string(object)) :
			       buffer_append_string(buffer, "null");
	case json_type_string:
		return write_string(buffer, json_object_get_string(object),
				    (size_t)json_object_get_string_len(object));
	case json_type_object:
		return write_object(buffer, object);
	case json_type_array:
		return write_array(buffer, object);
	}
	return -EINVAL;
}

void json_erase(json_object *object)
{
	switch (json_object_get_type(object)) {
	case json_type_string:
		/* The object is about to be freed; nobody else sees the change. */
		memory_erase((void *)(uintptr_t)json_object_get_string(object),
			     (size_t)json_object_get_string_len(object));
		return;
	case json_type_array:
		for (size_t i = 0; i < json_object_array_length(object); i++)
			json_erase(json_object_array_get_idx(object, i));
		return;
	case json_type_object: {
		struct json_object_iter member;

		json_object_object_foreachC(object, member)
			json_erase(member.val);
		return;
	}
	case json_type_null:
	case json_type_boolean:
	case json_type_int:
	case json_type_double:
		return;
	}
}

json_object *json_string(const void *text, size_t length)
{
	_cleanup_(buffer_done) struct buffer clean = { .limit = INT_MAX };
	const char *in = text;
	size_t start = 0, i = 0;

	while (i < length) {
		size_t n = in[i] == '\0' ? 0 : utf8_length(in + i, length - i);

		if (n > 0) {
			i += n;
			continue;
		}
		if (buffer_append(&clean, in + start, i - start) < 0 ||
		    buffer_append_string(&clean, replacement) < 0)
			return NULL;
		start = ++i;
	}
	if (start == 0)
		return length > INT_MAX ? NULL :
					  json_object_new_string_len(in ? in : "", (int)length);
	if (buffer_append(&clean, in + start, length - start) < 0)
		return NULL;
	return json_object_new_string_len((const char *)clean.data, (int)clean.length);
}

int json_to_int(json_object *value, int64_t *ret)
{
	const char *text;
	double number;

	switch (json_object_get_type(value)) {
	case json_type_int:
		/* A number above INT64_MAX can only have been put there by a caller; see json_parse(). */
		if (json_object_get_int64(value) == INT64_MAX &&
		    json_object_get_uint64(value) != INT64_MAX)
			return -ERANGE;
		*ret = json_object_get_int64(value);
		return 0;
	case json_type_double:
		number = json_object_get_double(value);
		if (fabs(number) > DOUBLE_INT_MAX)
			return -ERANGE;
		if (number != trunc(number))
			return -EINVAL;
		*ret = (int64_t)number;
		return 0;
	case json_type_string:
		text = json_object_get_string(value);
		if (strlen(text) != (size_t)json_object_get_string_len(value))
			return -EINVAL;
		return parse_i64(text, INT64_MIN, INT64_MAX, ret);
	case json_type_null:
	case json_type_boolean:
	case json_type_object:
	case json_type_array:
		return -EINVAL;
	}
	return -EINVAL;
}

/* 1 and the value if the member is there, not null and of @type. */
static int get_member(json_object *object, const char *name, json_type type, json_object **ret)
{
	json_object *value;

	if (!json_object_is_type(object, json_type_object))
		return object ? -EINVAL : 0;
	if (!json_object_object_get_ex(object, name, &value) || !value)
		return 0;
	if (!json_object_is_type(value, type))
		return -EINVAL;
	*ret = value;
	return 1;
}

int json_get_string(json_object *object, const char *name, const char **ret)
{
	json_object *value;
	int r;

	r = get_member(object, name, json_type_string, &value);
	if (r <= 0)
		return r;
	/* Only an object made by a caller, not a parsed one, can hold a NUL. */
	if (strlen(json_object_get_string(value)) != (size_t)json_object_get_string_len(value))
		return -EINVAL;
	*ret = json_object_get_string(value);
	return 1;
}

int json_get_bool(json_object *object, const char *name, bool *ret)
{
	json_object *value;
	int r;

	r = get_member(object, name, json_type_boolean, &value);
	if (r <= 0)
		return r;
	*ret = json_object_get_boolean(value);
	return 1;
}

int json_get_int(json_object *object, const char *name, int64_t minimum, int64_t maximum,
		 int64_t *ret)
{
	json_object *value;
	int64_t number;
	int r;

	if (!json_object_is_type(object, json_type_object))
		return object ? -EINVAL : 0;
	if (!json_object_object_get_ex(object, name, &value) || !value)
		return 0;
	r = json_to_int(value, &number);
	if (r < 0)
		return r;
	if (number < minimum || number > maximum)
		return -ERANGE;
	*ret = number;
	return 1;
}

int json_get_object(json_object *object, const char *name, json_object **ret)
{
	return get_member(object, name, json_type_object, ret);
}

int json_get_array(json_object *object, const char *name, json_object **ret)
{
	return get_member(object, name, json_type_array, ret);
}

/* Copies the part of @path up to a dot. Returns what follows the dot, NULL after the last part. */
static const char *next_name(const char *path, char ret[PATH_NAME_SIZE])
{
	size_t length = strcspn(path, ".");

	/* No interface has a longer name: what is cut here matches nothing. */
	(void)snprintf(ret, PATH_NAME_SIZE, "%.*s", (int)length, path);
	return path[length] == '.' ? path + length + 1 : NULL;
}

json_object *json_get_path(json_object *object, const char *path)
{
	char name[PATH_NAME_SIZE];

	while (path && object) {
		path = next_name(path, name);
		if (!json_object_is_type(object, json_type_object) ||
		    !json_object_object_get_ex(object, name, &object))
			return NULL;
	}
	return object;
}

int json_set(json_object *object, const char *name, json_object *value)
{
	if (!value)
		return -ENOMEM;
	if (json_object_object_add(object, name, value) < 0) {
		json_object_put(value);
		return -ENOMEM;
	}
	return 0;
}

int json_set_string(json_object *object, const char *name, const char *text)
{
	return text ? json_set(object, name, json_string(text, strlen(text))) : 0;
}

int json_set_int(json_object *object, const char *name, int64_t value)
{
	return json_set(object, name, json_object_new_int64(value));
}

int json_set_bool(json_object *object, const char *name, bool value)
{
	return json_set(object, name, json_object_new_boolean(value));
}

/* The object member @name, made if it is absent. */
static int get_or_make(json_object *object, const char *name, json_object **ret)
{
	json_object *child;
	int r;

	r = json_get_object(object, name, ret);
	if (r != 0)
		return r;
	child = json_object_new_object();
	r = json_set(object, name, child);
	if (r < 0)
		return r;
	*ret = child;
	return 0;
}

int json_set_path(json_object *object, const char *path, json_object *value)
{
	_cleanup_json_ json_object *owned = value;
	char name[PATH_NAME_SIZE];
	int r;

	if (!value)
		return -ENOMEM;
	for (path = next_name(path, name); path; path = next_name(path, name)) {
		r = get_or_make(object, name, &object);
		if (r < 0)
			return r;
	}
	return json_set(object, name, TAKE_PTR(owned));
}

int json_append(json_object *array, json_object *value)
{
	if (!value)
		return -ENOMEM;
	if (json_object_array_add(array, value) < 0) {
		json_object_put(value);
		return -ENOMEM;
	}
	return 0;
}
