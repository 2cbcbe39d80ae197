/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks JSON objects against a definition. The depth is bounded by that of the object: an absent
 * or null field ends the descent, so types that contain themselves are no matter.
 */
#include <errno.h>
#include <string.h>

#include "idl.h"
#include "json.h"

static const char *check_value(const struct idl_type *type, json_object *value, enum idl_side side);

static const struct idl_field *find_field(const struct idl_type *type, const char *name)
{
	for (size_t i = 0; i < type->n_fields; i++)
		if (strcmp(type->fields[i].name, name) == 0)
			return &type->fields[i];
	return NULL;
}

static const char *find_unknown(const struct idl_type *type, json_object *object)
{
	json_object_object_foreach (object, name, value) {
		(void)value;
		if (!find_field(type, name))
			return name;
	}
	return NULL;
}

/* Sets *@ret_field, and returns the reason, at the first fault; NULL: there is none. */
static const char *check_struct(const struct idl_type *type, json_object *object,
				enum idl_side side, const char **ret_field)
{
	const char *reason, *unknown;
	size_t known = 0;

	for (size_t i = 0; i < type->n_fields; i++) {
		json_object *value = NULL;

		known += json_object_object_get_ex(object, type->fields[i].name, &value);
		reason = check_value(&type->fields[i].type, value, side);
		if (reason) {
			*ret_field = type->fields[i].name;
			return reason;
		}
	}
	if (side == IDL_PEER || known == (size_t)json_object_object_length(object))
		return NULL;
	unknown = find_unknown(type, object);
	if (!unknown)
		return NULL;
	*ret_field = unknown;
	return "not known";
}

static const char *check_int(json_object *value, enum idl_side side)
{
	int64_t number;
	int r;

	if (side == IDL_REPLY && !json_object_is_type(value, json_type_int))
		return "not an integer";
	r = json_to_int(value, &number);
	if (r == -ERANGE)
		return "beyond 64 bits";
	return r < 0 ? "not an integer" : NULL;
}

static const char *check_enum(const struct idl_type *type, json_object *value, enum idl_side side)
{
	if (!json_object_is_type(value, json_type_string))
		return "not a string";
	if (side == IDL_PEER || find_field(type, json_object_get_string(value)))
		return NULL;
	return "not one of the values";
}

static const char *check_string(json_object *value)
{
	if (!json_object_is_type(value, json_type_string))
		return "not a string";
	if (strlen(json_object_get_string(value)) != (size_t)json_object_get_string_len(value))
		return "holds a NUL";
	return NULL;
}

/* One element, neither nullable nor in a container. */
static const char *check_element(const struct idl_type *type, json_object *value,
				 enum idl_side side)
{
	const char *field;

	switch (type->kind) {
	case IDL_BOOL:
		return json_object_is_type(value, json_type_boolean) ? NULL : "not a boolean";
	case IDL_INT:
		return check_int(value, side);
	case IDL_FLOAT:
		return json_object_is_type(value, json_type_double) ||
				       json_object_is_type(value, json_type_int)
			       ? NULL
			       : "not a number";
	case IDL_STRING:
		return check_string(value);
	case IDL_OBJECT:
		return json_object_is_type(value, json_type_object) ? NULL : "not an object";
	case IDL_NAMED:
		return check_element(type->target, value, side);
	case IDL_STRUCT:
		if (!json_object_is_type(value, json_type_object))
			return "not an object";
		return check_struct(type, value, side, &field);
	case IDL_ENUM:
		return check_enum(type, value, side);
	}
	return "of unknown type";
}

static const char *check_array(const struct idl_type *type, json_object *value, enum idl_side side)
{
	const char *reason = NULL;

	if (!json_object_is_type(value, json_type_array))
		return "not an array";
	for (size_t i = 0; !reason && i < json_object_array_length(value); i++)
		reason = check_element(type, json_object_array_get_idx(value, i), side);
	return reason;
}

static const char *check_map(const struct idl_type *type, json_object *value, enum idl_side side)
{
	struct json_object_iter member;
	const char *reason;

	if (!json_object_is_type(value, json_type_object))
		return "not an object";
	json_object_object_foreachC (value, member) {
		reason = check_element(type, member.val, side);
		if (reason)
			return reason;
	}
	return NULL;
}

static const char *check_value(const struct idl_type *type, json_object *value, enum idl_side side)
{
	if (!value)
		return type->nullable ? NULL : "missing";
	switch (type->container) {
	case IDL_PLAIN:
		return check_element(type, value, side);
	case IDL_ARRAY:
		return check_array(type, value, side);
	case IDL_MAP:
		return check_map(type, value, side);
	}
	return "of unknown type";
}

int idl_check(const struct idl_type *type, json_object *object, enum idl_side side,
	      struct idl_mismatch *ret_mismatch)
{
	_cleanup_json_ json_object *empty = NULL;
	struct idl_mismatch mismatch = {};

	if (!object) {
		empty = json_object_new_object();
		object = empty;
	}
	if (!object)
		return -ENOMEM;
	mismatch.reason = check_struct(type, object, side, &mismatch.field);
	if (!mismatch.reason)
		return 0;
	if (ret_mismatch)
		*ret_mismatch = mismatch;
	return -EINVAL;
}
