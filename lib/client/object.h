/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The objects of ois.h. None of their structs is defined anywhere: a pointer to one is a pointer to
 * the JSON object the daemon sent, so that references, parts of objects and borrowed text cost
 * nothing. Only this file and its .c file convert.
 */
#pragma once

#include <stdbool.h>
#include <json-c/json.h>

#include "json.h"
#include "ois/ois.h"

/*
 * json-c does not know const; nothing below changes an object (it may fill its cache of printed
 * text).
 */
static inline json_object *object_json(const void *object)
{
	return (json_object *)object;
}

/* Field @name of @object, "a.b" and "a.0" for parts of parts; NULL if it is absent or null. */
json_object *object_find(json_object *object, const char *name);
/* The same if it is of @type, else NULL. */
json_object *object_find_type(json_object *object, const char *name, json_type type);
/* Element of the array @name, NULL after the last. */
json_object *object_find_element(json_object *object, const char *name, size_t index);

const char *object_text(json_object *object, const char *name);
int object_number(json_object *object, const char *name, int64_t *ret);
int object_boolean(json_object *object, const char *name);
/* Borrowed until the next call for the same object. NULL object: "{}". */
const char *object_print(json_object *object);

/* Definitions of what OIS_OBJECT(noun) declares. */
#define DEFINE_OBJECT(noun)                                                                        \
	struct ois_##noun *ois_##noun##_ref(struct ois_##noun *noun)                               \
	{                                                                                          \
		return (struct ois_##noun *)json_object_get(object_json(noun));                    \
	}                                                                                          \
	struct ois_##noun *ois_##noun##_unref(struct ois_##noun *noun)                             \
	{                                                                                          \
		json_object_put(object_json(noun));                                                \
		return NULL;                                                                       \
	}                                                                                          \
	const char *ois_##noun##_get_json(const struct ois_##noun *noun)                           \
	{                                                                                          \
		return object_print(object_json(noun));                                            \
	}                                                                                          \
	const char *ois_##noun##_get_text(const struct ois_##noun *noun, const char *name)         \
	{                                                                                          \
		return object_text(object_json(noun), name);                                       \
	}                                                                                          \
	int ois_##noun##_get_number(const struct ois_##noun *noun, const char *name, int64_t *ret) \
	{                                                                                          \
		return object_number(object_json(noun), name, ret);                                \
	}                                                                                          \
	int ois_##noun##_get_boolean(const struct ois_##noun *noun, const char *name)              \
	{                                                                                          \
		return object_boolean(object_json(noun), name);                                    \
	}                                                                                          \
	struct _object_needs_semicolon_

/* Definitions of functions that name one field. */
#define DEFINE_TEXT(noun, field, name)                                                             \
	const char *ois_##noun##_get_##field(const struct ois_##noun *noun)                        \
	{                                                                                          \
		return object_text(object_json(noun), name);                                       \
	}                                                                                          \
	struct _object_needs_semicolon_
#define DEFINE_NUMBER(noun, field, name)                                                           \
	int ois_##noun##_get_##field(const struct ois_##noun *noun, int64_t *ret)                  \
	{                                                                                          \
		return object_number(object_json(noun), name, ret);                                \
	}                                                                                          \
	struct _object_needs_semicolon_
#define DEFINE_BOOLEAN(noun, question, name)                                                       \
	int ois_##noun##_is_##question(const struct ois_##noun *noun)                              \
	{                                                                                          \
		return object_boolean(object_json(noun), name);                                    \
	}                                                                                          \
	struct _object_needs_semicolon_
#define DEFINE_PART(noun, part, name)                                                              \
	struct ois_##part *ois_##noun##_get_##part(const struct ois_##noun *noun)                  \
	{                                                                                          \
		return (struct ois_##part *)object_find_type(object_json(noun), name,              \
							     json_type_object);                    \
	}                                                                                          \
	struct _object_needs_semicolon_
#define DEFINE_ELEMENT(noun, part, name)                                                           \
	struct ois_##part *ois_##noun##_get_##part(const struct ois_##noun *noun, size_t index)    \
	{                                                                                          \
		return (struct ois_##part *)object_find_element(object_json(noun), name, index);   \
	}                                                                                          \
	struct _object_needs_semicolon_
