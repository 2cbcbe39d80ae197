/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "idl.h"
#include "interfaces.h"
#include "parse.h"
#include "registry.h"
#include "settings_text.h"

/* The struct or enum behind a named type. */
static const struct idl_type *resolve(const struct idl_type *type)
{
	return type->kind == IDL_NAMED ? type->target : type;
}

static const struct idl_type *find_field(const struct idl_type *type, const char *name,
					 size_t length)
{
	type = resolve(type);
	if (type->kind != IDL_STRUCT)
		return NULL;
	for (size_t i = 0; i < type->n_fields; i++)
		if (strlen(type->fields[i].name) == length &&
		    memcmp(type->fields[i].name, name, length) == 0)
			return &type->fields[i].type;
	return NULL;
}

/* Type of the setting with this dotted name; NULL: there is none. */
static const struct idl_type *find_setting(const struct idl_type *type, const char *name)
{
	size_t length;

	for (; type && name; name = name[length] ? name + length + 1 : NULL) {
		length = strcspn(name, ".");
		type = find_field(type, name, length);
	}
	return type && resolve(type)->kind != IDL_STRUCT ? type : NULL;
}

static bool is_value(const struct idl_type *type, const char *text)
{
	for (size_t i = 0; i < type->n_fields; i++)
		if (strcmp(type->fields[i].name, text) == 0)
			return true;
	return false;
}

/* NULL in *@ret: not a value of this type. */
static int scalar_from_text(const struct idl_type *type, const char *text, json_object **ret)
{
	json_object *value = NULL;
	bool boolean;
	int64_t number;

	type = resolve(type);
	switch (type->kind) {
	case IDL_BOOL:
		if (parse_boolean(text, &boolean) < 0)
			return -EINVAL;
		value = json_object_new_boolean(boolean);
		break;
	case IDL_INT:
		if (parse_i64(text, INT64_MIN, INT64_MAX, &number) < 0)
			return -EINVAL;
		value = json_object_new_int64(number);
		break;
	case IDL_ENUM:
		if (!is_value(type, text))
			return -EINVAL;
		value = json_string(text, strlen(text));
		break;
	case IDL_STRING:
		value = json_string(text, strlen(text));
		break;
	case IDL_FLOAT:
	case IDL_OBJECT:
	case IDL_NAMED:
	case IDL_STRUCT:
		return -EINVAL; /* no setting is of this kind */
	}
	if (!value)
		return -ENOMEM;
	*ret = value;
	return 0;
}

static int list_from_text(const struct idl_type *type, const char *text, json_object **ret)
{
	_cleanup_json_ json_object *array = json_object_new_array();
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *word;
	int r = 0;

	if (!array || !copy)
		return -ENOMEM;
	while (r >= 0 && *text && (word = strsep(&rest, ","))) {
		json_object *value = NULL;

		r = scalar_from_text(type, word, &value);
		if (r >= 0)
			r = json_append(array, value);
	}
	if (r < 0)
		return r;
	*ret = TAKE_PTR(array);
	return 0;
}

static int value_from_text(const struct idl_type *type, const char *text, json_object **ret)
{
	return type->container == IDL_ARRAY ? list_from_text(type, text, ret)
					    : scalar_from_text(type, text, ret);
}

/* "none, crc32c" */
static int list_values(const struct idl_type *type, struct buffer *buffer)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < type->n_fields; i++)
		r = buffer_printf(buffer, "%s%s", i > 0 ? ", " : "", type->fields[i].name);
	return r < 0 ? r : buffer_append(buffer, "", 1);
}

static int refuse_value(const struct idl_type *type, const char *name, struct ois_error **ret_error)
{
	_cleanup_(buffer_done) struct buffer values = {};
	const char *list = type->container == IDL_ARRAY ? "a list of " : "";

	if (resolve(type)->kind == IDL_BOOL)
		return call_refused(-EINVAL, ret_error, "%s: must be yes or no", name);
	if (resolve(type)->kind == IDL_INT)
		return call_refused(-EINVAL, ret_error, "%s: must be a whole number", name);
	if (list_values(resolve(type), &values) < 0)
		return -ENOMEM;
	return call_refused(-EINVAL, ret_error, "%s: must be %s%s%s", name,
			    list[0] ? list : "one of ", (const char *)values.data,
			    list[0] ? ", joined with commas" : "");
}

/* Told by the daemon, and ignored by it where they are sent. */
static bool is_output_only(const char *name)
{
	return strcmp(name, "authentication.secretSet") == 0 ||
	       strcmp(name, "authentication.targetSecretSet") == 0;
}

static int refuse_name(const char *interface_name, const char *name, struct ois_error **ret_error)
{
	if (strcmp(interface_name, INTERFACE_DISCOVERY) == 0)
		return call_refused(-ENOENT, ret_error, "discoveries have no setting '%s'", name);
	if (strcmp(interface_name, INTERFACE_INTERFACE) == 0)
		return call_refused(-ENOENT, ret_error, "interfaces have no setting '%s'", name);
	return call_refused(-ENOENT, ret_error, "there is no setting '%s'", name);
}

static int set_from_text(const char *interface_name, const struct idl_type *type,
			 const char *assignment, json_object *object, struct ois_error **ret_error)
{
	const char *equals = strchr(assignment, '=');
	_cleanup_free_ char *name = NULL;
	const struct idl_type *setting;
	json_object *value = NULL;
	int r;

	if (!equals)
		return call_refused(-EINVAL, ret_error, "'%s' is no NAME=VALUE", assignment);
	name = strndup(assignment, (size_t)(equals - assignment));
	if (!name)
		return -ENOMEM;
	if (is_output_only(name))
		return call_refused(-EINVAL, ret_error,
				    "%s: cannot be set, it tells whether a secret is stored", name);
	setting = find_setting(type, name);
	if (!setting)
		return refuse_name(interface_name, name, ret_error);
	r = value_from_text(setting, equals + 1, &value);
	if (r == -EINVAL)
		return refuse_value(setting, name, ret_error);
	if (r < 0)
		return r;
	return json_set_path(object, name, value);
}

static int parse_interface(const char *name, struct idl **ret)
{
	const struct varlink_description *description = varlink_descriptions;

	while (strcmp(description->name, name) != 0)
		description++;
	return idl_parse(description->text, strlen(description->text), ret, NULL);
}

int settings_from_text(const char *interface_name, const char *const *settings, json_object **ret,
		       struct ois_error **ret_error)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	_cleanup_(idl_freep) struct idl *interface = NULL;
	const struct idl_member *member;
	int r;

	if (!object)
		return -ENOMEM;
	if (settings && *settings) {
		r = parse_interface(interface_name, &interface);
		if (r < 0)
			return r;
		member = idl_find(interface, IDL_TYPE, "Settings");
		for (; *settings; settings++) {
			r = set_from_text(interface_name, &member->type, *settings, object,
					  ret_error);
			if (r < 0)
				return r;
		}
	}
	*ret = TAKE_PTR(object);
	return 0;
}

int settings_add_reset(json_object *parameters, const char *const *reset)
{
	_cleanup_json_ json_object *array = NULL;
	int r = 0;

	if (!reset || !*reset)
		return 0;
	array = json_object_new_array();
	if (!array)
		return -ENOMEM;
	for (; *reset; reset++)
		r |= json_append(array, json_string(*reset, strlen(*reset)));
	return r < 0 ? -ENOMEM : json_set(parameters, "reset", TAKE_PTR(array));
}

json_object *settings_find(json_object *record, unsigned flags)
{
	json_object *settings = NULL;

	if (flags & OIS_LIST_EFFECTIVE)
		settings = object_find_type(record, "effective", json_type_object);
	return settings ?: object_find_type(record, "settings", json_type_object);
}

static const char *scalar_text(json_object *value)
{
	if (json_object_is_type(value, json_type_boolean))
		return json_object_get_boolean(value) ? "yes" : "no";
	return json_object_get_string(value) ?: "";
}

int setting_to_text(json_object *value, char **ret)
{
	_cleanup_(buffer_done) struct buffer text = {};
	int r = 0;

	if (!json_object_is_type(value, json_type_array)) {
		*ret = strdup(scalar_text(value));
		return *ret ? 0 : -ENOMEM;
	}
	for (size_t i = 0; r >= 0 && i < json_object_array_length(value); i++)
		r = buffer_printf(&text, "%s%s", i > 0 ? "," : "",
				  scalar_text(json_object_array_get_idx(value, i)));
	if (r >= 0)
		r = buffer_append(&text, "", 1);
	if (r < 0)
		return r;
	*ret = (char *)TAKE_PTR(text.data);
	return 0;
}

int settings_get(json_object *record, const char *name, unsigned flags, char **ret)
{
	json_object *value = object_find(settings_find(record, flags), name);

	if (!value || json_object_is_type(value, json_type_object))
		return -ENODATA;
	return setting_to_text(value, ret);
}

static int foreach_one(const char *prefix, const char *name, json_object *value,
		       int (*function)(const char *name, const char *value, void *userdata),
		       void *userdata)
{
	_cleanup_free_ char *full = NULL, *text = NULL;
	int r;

	if (asprintf(&full, "%s%s%s", prefix ?: "", prefix ? "." : "", name) < 0) {
		full = NULL;
		return -ENOMEM;
	}
	if (json_object_is_type(value, json_type_object))
		return settings_foreach(value, full, function, userdata);
	r = setting_to_text(value, &text);
	return r < 0 ? r : function(full, text, userdata);
}

/* As deep as the daemon nests settings: JSON_DEPTH_MAX bounds it. */
int settings_foreach(json_object *settings, const char *prefix,
		     int (*function)(const char *name, const char *value, void *userdata),
		     void *userdata)
{
	int r = 0;

	if (!settings)
		return 0;
	json_object_object_foreach (settings, name, value) {
		if (value)
			r = foreach_one(prefix, name, value, function, userdata);
		if (r != 0)
			return r;
	}
	return 0;
}
