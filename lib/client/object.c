/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "object.h"
#include "parse.h"

static json_object *find_member(json_object *object, const char *name, size_t length)
{
	char key[128];
	uint64_t index;
	json_object *value;

	if (length >= sizeof(key))
		return NULL;
	memcpy(key, name, length);
	key[length] = '\0';
	if (json_object_is_type(object, json_type_array)) {
		if (parse_u64(key, 0, json_object_array_length(object), &index) < 0)
			return NULL;
		return json_object_array_get_idx(object, index);
	}
	if (!json_object_object_get_ex(object, key, &value))
		return NULL;
	return value;
}

json_object *object_find(json_object *object, const char *name)
{
	size_t length;

	for (; object && name; name = name[length] ? name + length + 1 : NULL) {
		length = strcspn(name, ".");
		object = find_member(object, name, length);
	}
	return object;
}

json_object *object_find_type(json_object *object, const char *name, json_type type)
{
	json_object *value = object_find(object, name);

	return json_object_is_type(value, type) ? value : NULL;
}

json_object *object_find_element(json_object *object, const char *name, size_t index)
{
	json_object *array = object_find_type(object, name, json_type_array);

	return array ? json_object_array_get_idx(array, index) : NULL;
}

const char *object_text(json_object *object, const char *name)
{
	json_object *value = object_find(object, name);

	if (!value)
		return NULL;
	if (json_object_is_type(value, json_type_string))
		return json_object_get_string(value);
	return object_print(value);
}

int object_number(json_object *object, const char *name, int64_t *ret)
{
	json_object *value = object_find(object, name);

	return value && json_to_int(value, ret) >= 0 ? 0 : -ENODATA;
}

int object_boolean(json_object *object, const char *name)
{
	json_object *value = object_find_type(object, name, json_type_boolean);

	return value ? (int)json_object_get_boolean(value) : -ENODATA;
}

const char *object_print(json_object *object)
{
	if (!object)
		return "{}";
	return json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
							      JSON_C_TO_STRING_NOSLASHESCAPE);
}
