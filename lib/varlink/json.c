/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Safe writing and checked access; the parser is json_parse.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "json.h"
#include "json_private.h"
#include "parse.h"
#include "secret.h"

/* Integers up to here are exact in a double. */
#define DOUBLE_INT_MAX 9007199254740992.0
/* Greatest part of a dotted name, and NUL. */
#define PATH_NAME_SIZE 64

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

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
	size_t start = 0, i, n;
	int r;

	r = buffer_append(buffer, "\"", 1);
	for (i = json_plain_length(text, length); r >= 0 && i < length;
	     i += json_plain_length(text + i, length - i)) {
		n = utf8_length(text + i, length - i);
		if (n > 0 && !needs_escape((unsigned char)text[i])) {
			i += n;
			continue;
		}
		r = buffer_append(buffer, text + start, i - start);
		if (r < 0)
			break;
		r = n > 0 ? write_escape(buffer, (unsigned char)text[i])
			  : buffer_append_string(buffer, replacement);
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
	json_object_object_foreach (object, name, value) {
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
		return isfinite(json_object_get_double(object))
			       ? buffer_append_string(buffer, json_object_to_json_string(object))
			       : buffer_append_string(buffer, "null");
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

		json_object_object_foreachC (object, member)
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
	size_t start = 0, i;

	for (i = json_plain_length(in, length); i < length;
	     i += json_plain_length(in + i, length - i)) {
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
		return length > INT_MAX ? NULL
					: json_object_new_string_len(in ? in : "", (int)length);
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
		/* A number above INT64_MAX can only have been put there by a caller; see
		 * json_parse(). */
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
