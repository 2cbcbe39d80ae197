/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON text to json-c objects and back. json-c's own parser takes NaN, single quotes, control
 * characters, numbers beyond 64 bits and repeated members, cuts names at a NUL, and leaves copies
 * of strings behind; its writer passes invalid UTF-8 on, at which other implementations drop the
 * connection. So both ends are ours and follow RFC 8259 to the letter; only the object model is
 * json-c's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json.h>

#include "buffer.h"
#include "cleanup.h"

#define JSON_DEPTH_MAX 32

static inline void json_object_putp(json_object **object)
{
	json_object_put(*object);
}
#define _cleanup_json_ _cleanup_(json_object_putp)

/*
 * Parses exactly one value; white space around it is fine. An integer beyond int64_t becomes a
 * double, which json_to_int() refuses. JSON null is a NULL object. Errors: -EBADMSG (not JSON, a
 * repeated member, NUL or invalid UTF-8 in a string, nested deeper than JSON_DEPTH_MAX), -ENOMEM.
 */
int json_parse(const char *text, size_t length, json_object **ret);
/*
 * Appends @object on one line without white space. Invalid UTF-8 and NUL in strings become U+FFFD.
 * Errors: those of buffer_append(); then part of the text was appended.
 */
int json_write(struct buffer *buffer, json_object *object);
/* Zeroes all strings in @object, which is then good for nothing but json_object_put(). */
void json_erase(json_object *object);
static inline void json_object_erase_putp(json_object **object)
{
	json_erase(*object);
	json_object_put(*object);
}

/* A string that is valid UTF-8 without NUL: what is not becomes U+FFFD. NULL: no memory. */
json_object *json_string(const void *text, size_t length);

/*
 * An int as Varlink understands it: a number without fraction, or one as a decimal string. Errors:
 * -EINVAL (another type), -ERANGE (not an int64_t).
 */
int json_to_int(json_object *value, int64_t *ret);

/*
 * Getters: 1 and the value, 0 if the member is absent or null (*@ret is untouched), -EINVAL if it
 * is of another type. What is returned is borrowed from @object. @object may be NULL, which has no
 * members.
 */
int json_get_string(json_object *object, const char *name, const char **ret);
int json_get_bool(json_object *object, const char *name, bool *ret);
/* Also -ERANGE: below @minimum or above @maximum. */
int json_get_int(json_object *object, const char *name, int64_t minimum, int64_t maximum,
		 int64_t *ret);
int json_get_object(json_object *object, const char *name, json_object **ret);
int json_get_array(json_object *object, const char *name, json_object **ret);
/* Follows a dotted name: "keys.maxBurstLength". NULL: absent, null, or something between is no
 * object. */
json_object *json_get_path(json_object *object, const char *path);

/*
 * Setters: 0 or -ENOMEM, so that the results of many can be or-ed together. They replace a former
 * value. json_set() and json_set_path() take @value over, also on failure; NULL stands for "no
 * memory".
 */
int json_set(json_object *object, const char *name, json_object *value);
/* A NULL @text sets nothing. The text is made valid as by json_string(). */
int json_set_string(json_object *object, const char *name, const char *text);
int json_set_int(json_object *object, const char *name, int64_t value);
int json_set_bool(json_object *object, const char *name, bool value);
/* Sets a dotted name, making objects on the way. Also -EINVAL: something between is no object. */
int json_set_path(json_object *object, const char *path, json_object *value);
/* Appends to an array, taking @value over. */
int json_append(json_object *array, json_object *value);
