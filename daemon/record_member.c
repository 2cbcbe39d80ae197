/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Members of the objects in the lines of the records. They are read with json-c and written as
 * text, so that a secret goes nowhere else.
 */
#include <inttypes.h>
#include <string.h>

#include "parse.h"
#include "record_private.h"

const char *record_line_text(json_object *object, const char *name, struct record_fault *fault)
{
	json_object *value = NULL;
	const char *text;
	size_t length;

	if (!json_object_object_get_ex(object, name, &value) || !value)
		return NULL;
	text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
	length = text ? (size_t)json_object_get_string_len(value) : 0;
	if (!text || !text_is_clean(text, length)) {
		fault->reason = "a member that must be a text is none";
		return NULL;
	}
	return text;
}

int64_t record_line_number(json_object *object, const char *name, int64_t maximum, int64_t absent,
			   struct record_fault *fault)
{
	json_object *value = NULL;
	int64_t number;

	if (!json_object_object_get_ex(object, name, &value) || !value)
		return absent;
	number = json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : -1;
	if (number < 0 || number > maximum) {
		fault->reason = "a member that must be a number is none, or out of range";
		return absent;
	}
	return number;
}

uint64_t record_line_time(json_object *object, const char *name, struct record_fault *fault)
{
	return (uint64_t)record_line_number(object, name, INT64_MAX - 1, 0, fault);
}

int record_line_secret(json_object *object, const char *name, struct secret **ret,
		       struct record_fault *fault)
{
	const char *text = record_line_text(object, name, fault);
	size_t length, size;
	uint8_t *bytes;
	int r;

	if (!text)
		return 0;
	size = strlen(text);
	bytes = malloc(size + 1);
	if (!bytes)
		return -ENOMEM;
	if (base64_decode(text, size, bytes, size, &length) < 0) {
		fault->reason = "a secret is no base64";
		r = 0;
	} else {
		r = secret_new(bytes, length, ret);
	}
	memory_erase(bytes, size);
	free(bytes);
	return r;
}

/* json-c does not wipe what it frees. */
static void wipe_text(json_object *object, const char *name)
{
	json_object *value = NULL;

	if (json_object_object_get_ex(object, name, &value) &&
	    json_object_is_type(value, json_type_string))
		memory_erase((char *)json_object_get_string(value),
			     (size_t)json_object_get_string_len(value));
	json_object_object_del(object, name);
}

void record_line_wipe(json_object *line)
{
	wipe_text(line, "secretBase64");
	wipe_text(line, "targetSecretBase64");
}

static bool is_setting(const char *name, enum settings_scope scope)
{
	int setting = setting_from_name(name);

	return setting >= 0 && setting_applies(setting, scope);
}

/* Deletes the members that are settings (@known) or those that are none. */
static void prune_settings(json_object *object, const char *group, enum settings_scope scope,
			   bool known)
{
	json_object_object_foreach (object, member, value) {
		char name[128];
		bool is_group = !*group && json_object_is_type(value, json_type_object);

		if (snprintf(name, sizeof(name) - 1, "%s%s", group, member) >=
		    (int)sizeof(name) - 1)
			*name = '\0';
		if (is_group && *name) {
			prune_settings(value, strcat(name, "."), scope, known);
			if (json_object_object_length(value) == 0)
				json_object_object_del(object, member);
		} else if (is_setting(name, scope) == known) {
			json_object_object_del(object, member);
		}
	}
}

int record_line_settings(json_object *line, struct settings *settings, json_object **ret_unknown,
			 struct record_fault *fault)
{
	enum settings_scope scope = settings_get_scope(settings);
	json_object *object = NULL, *unknown = NULL;
	struct settings_fault why;
	int r;

	if (!json_object_object_get_ex(line, "settings", &object) || !object)
		return 0;
	if (!json_object_is_type(object, json_type_object)) {
		fault->reason = "settings is no object";
		return 0;
	}
	if (json_object_deep_copy(object, &unknown, NULL) < 0)
		return -ENOMEM;
	prune_settings(unknown, "", scope, true);
	prune_settings(object, "", scope, false);
	if (json_object_object_length(unknown) > 0)
		*ret_unknown = unknown;
	else
		json_object_put(unknown);
	r = settings_set_json(settings, object, &why);
	if (r >= 0 || r == -ENOMEM)
		return r;
	(void)snprintf(fault->text, sizeof(fault->text), "%s %s", why.name, why.message);
	fault->reason = fault->text;
	return 0;
}

void record_line_unknown(json_object *line, const char *const *known, json_object **ret)
{
	for (; *known; known++)
		json_object_object_del(line, *known);
	if (json_object_object_length(line) > 0)
		*ret = json_object_get(line);
}

int record_line_copy(json_object *line, const char *name, char **ret, struct record_fault *fault)
{
	const char *text = record_line_text(line, name, fault);

	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

/* JSON text of a clean string: only quotation mark and backslash need care. */
static int append_string(struct buffer *content, const char *text)
{
	int r = buffer_append(content, "\"", 1);

	while (r >= 0 && *text) {
		size_t plain = strcspn(text, "\"\\");

		r = buffer_append(content, text, plain);
		text += plain;
		if (r >= 0 && *text) {
			char escaped[] = { '\\', *text++ };

			r = buffer_append(content, escaped, sizeof(escaped));
		}
	}
	return r < 0 ? r : buffer_append(content, "\"", 1);
}

int record_append_text(struct buffer *content, const char *name, const char *text)
{
	int r;

	if (!text)
		return 0;
	r = buffer_append_string(content, name);
	return r < 0 ? r : append_string(content, text);
}

int record_append_number(struct buffer *content, const char *name, int64_t number)
{
	char text[24];
	int r;

	if (number < 0)
		return 0;
	r = buffer_append_string(content, name);
	if (r < 0)
		return r;
	(void)snprintf(text, sizeof(text), "%" PRId64, number);
	return buffer_append_string(content, text);
}

int record_append_secret(struct buffer *content, const char *name, const struct secret *secret)
{
	size_t length = secret_length(secret);
	uint8_t *end;
	int r;

	if (length == 0)
		return 0;
	r = buffer_append_string(content, name);
	if (r >= 0)
		r = buffer_append(content, "\"", 1);
	if (r >= 0)
		r = buffer_reserve(content, BASE64_SIZE(length), &end);
	if (r < 0)
		return r;
	base64_encode(secret_bytes(secret), length, (char *)end);
	buffer_commit(content, BASE64_SIZE(length) - 1);
	return buffer_append(content, "\"", 1);
}

/* Adds what is in @unknown, one level deep, where @object has nothing of that name. */
static int merge_unknown(json_object *object, json_object *unknown)
{
	json_object_object_foreach (unknown, member, value) {
		json_object *present = NULL;

		if (json_object_object_get_ex(object, member, &present) &&
		    json_object_is_type(present, json_type_object) &&
		    json_object_is_type(value, json_type_object)) {
			if (merge_unknown(present, value) < 0)
				return -ENOMEM;
		} else if (!present) {
			if (json_object_object_add(object, member, json_object_get(value)) < 0) {
				json_object_put(value);
				return -ENOMEM;
			}
		}
	}
	return 0;
}

#define PLAIN (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

int record_append_settings(struct buffer *content, const struct settings *settings,
			   json_object *unknown)
{
	json_object *object;
	const char *text;
	int r = 0;

	if (settings_is_empty(settings) && !unknown)
		return 0;
	object = settings_to_json(settings);
	if (object && unknown)
		r = merge_unknown(object, unknown);
	text = object && r >= 0 ? json_object_to_json_string_ext(object, PLAIN) : NULL;
	r = text ? buffer_append_string(content, ",\"settings\":") : -ENOMEM;
	if (r >= 0)
		r = buffer_append_string(content, text);
	json_object_put(object);
	return r;
}

int record_append_rest(struct buffer *content, json_object *unknown)
{
	const char *text;
	int r = 0;

	if (unknown) {
		text = json_object_to_json_string_ext(unknown, PLAIN);
		if (!text)
			return -ENOMEM;
		/* "{...}" without its braces; it has at least one member. */
		r = buffer_append(content, ",", 1);
		if (r >= 0)
			r = buffer_append(content, text + 1, strlen(text) - 2);
	}
	return r < 0 ? r : buffer_append(content, "}\n", 2);
}
