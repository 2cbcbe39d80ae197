/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A line of the records: one JSON object about one node. Members this version does not know are
 * kept with the node and written back. Lines are read with json-c; they are written as text, so
 * that a secret goes nowhere else.
 */
#include <inttypes.h>
#include <string.h>

#include "parse.h"
#include "record_private.h"

/* As in OriginKind of org.ois.node. */
static const char *const origins[] = {
	[NODE_ORIGIN_STATIC] = "static",
	[NODE_ORIGIN_SEND_TARGETS] = "send_targets",
};

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

static uint64_t get_time(json_object *object, const char *name, struct record_fault *fault)
{
	return (uint64_t)record_line_number(object, name, INT64_MAX - 1, 0, fault);
}

static int get_secret(json_object *object, const char *name, struct secret **ret,
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

/* Deletes the members that are settings (@known) or those that are none. */
static void prune_settings(json_object *object, const char *group, bool known)
{
	json_object_object_foreach (object, member, value) {
		char name[128];
		bool is_group = !*group && json_object_is_type(value, json_type_object);

		if (snprintf(name, sizeof(name) - 1, "%s%s", group, member) >=
		    (int)sizeof(name) - 1)
			*name = '\0';
		if (is_group && *name) {
			prune_settings(value, strcat(name, "."), known);
			if (json_object_object_length(value) == 0)
				json_object_object_del(object, member);
		} else if ((setting_from_name(name) >= 0) == known) {
			json_object_object_del(object, member);
		}
	}
}

static int take_settings(struct record *record, json_object *line, struct record_fault *fault)
{
	json_object *settings = NULL, *unknown = NULL;
	struct settings_fault why;
	int r;

	if (!json_object_object_get_ex(line, "settings", &settings) || !settings)
		return 0;
	if (!json_object_is_type(settings, json_type_object)) {
		fault->reason = "settings is no object";
		return 0;
	}
	if (json_object_deep_copy(settings, &unknown, NULL) < 0)
		return -ENOMEM;
	prune_settings(unknown, "", true);
	prune_settings(settings, "", false);
	if (json_object_object_length(unknown) > 0)
		record->unknown_settings = unknown;
	else
		json_object_put(unknown);
	r = settings_set_json(record->node.settings, settings, &why);
	if (r >= 0 || r == -ENOMEM)
		return r;
	(void)snprintf(fault->text, sizeof(fault->text), "%s %s", why.name, why.message);
	fault->reason = fault->text;
	return 0;
}

/* What is left of a line when everything known was taken from it. */
static void take_unknown(struct record *record, enum record_file file, json_object *line)
{
	static const char *const known[] = {
		"targetName",
		"address",
		"port",
		"portalGroupTag",
		"targetAlias",
		"origin",
		"discoveryAddress",
		"discoveryPort",
		"createdTimestampUSec",
		"changedTimestampUSec",
		"lastSeenTimestampUSec",
		"settings",
	};

	for (size_t i = 0; i < ELEMENTSOF(known); i++)
		json_object_object_del(line, known[i]);
	if (json_object_object_length(line) > 0)
		record->unknown[file] = json_object_get(line);
}

static int copy_text(json_object *line, const char *name, char **ret, struct record_fault *fault)
{
	const char *text = record_line_text(line, name, fault);

	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

/* What only nodes.jsonl holds. */
static int take_configuration(struct record *record, json_object *line, struct record_fault *fault)
{
	const char *origin = record_line_text(line, "origin", fault);
	struct node *node = &record->node;
	int r;

	node->origin = NODE_ORIGIN_STATIC;
	if (origin && strcmp(origin, origins[NODE_ORIGIN_SEND_TARGETS]) == 0)
		node->origin = NODE_ORIGIN_SEND_TARGETS;
	r = get_secret(line, "secretBase64", &node->secret, fault);
	if (r >= 0)
		r = get_secret(line, "targetSecretBase64", &node->target_secret, fault);
	if (r >= 0)
		r = take_settings(record, line, fault);
	return r;
}

/* What only discovered.jsonl holds. */
static int take_facts(struct record *record, json_object *line, struct record_fault *fault)
{
	struct node *node = &record->node;
	int r;

	node->origin = NODE_ORIGIN_SEND_TARGETS;
	node->origin_port =
		(uint16_t)record_line_number(line, "discoveryPort", UINT16_MAX, 0, fault);
	node->last_seen_usec = get_time(line, "lastSeenTimestampUSec", fault);
	if (node->last_seen_usec == 0)
		fault->reason = "lastSeenTimestampUSec is missing";
	r = copy_text(line, "targetAlias", &node->target_alias, fault);
	if (r >= 0)
		r = copy_text(line, "discoveryAddress", &node->origin_address, fault);
	return r;
}

/* Makes a record of a line. *@fault is set if it cannot be used. Errors: -ENOMEM. */
static int take_line(enum record_file file, json_object *line, struct record **ret,
		     struct record_fault *fault)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct node_key key = {
		.target_name = record_line_text(line, "targetName", fault),
		.address = record_line_text(line, "address", fault),
		.port = (uint16_t)record_line_number(line, "port", UINT16_MAX, 0, fault),
	};
	int r;

	if (!fault->reason && (!key.target_name || !key.address))
		fault->reason = "targetName or address is missing";
	if (!fault->reason)
		fault->reason = node_key_fault(&key);
	if (fault->reason)
		return 0;
	r = record_new(&key, &record);
	if (r < 0)
		return r;
	record->node.portal_group_tag =
		(int)record_line_number(line, "portalGroupTag", UINT16_MAX, -1, fault);
	record->node.created_usec = get_time(line, "createdTimestampUSec", fault);
	record->node.changed_usec = get_time(line, "changedTimestampUSec", fault);
	r = file == RECORD_FILE_NODES ? take_configuration(record, line, fault)
				      : take_facts(record, line, fault);
	if (r < 0 || fault->reason)
		return r;
	*ret = TAKE_PTR(record);
	return 0;
}

int record_line_read(enum record_file file, json_object *line, struct record **ret,
		     struct record_fault *fault)
{
	_cleanup_(record_freep) struct record *record = NULL;
	int r;

	r = take_line(file, line, &record, fault);
	wipe_text(line, "secretBase64");
	wipe_text(line, "targetSecretBase64");
	if (!record)
		return r;
	take_unknown(record, file, line);
	*ret = TAKE_PTR(record);
	return 0;
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

/* Absent texts are NULL. */
static int append_text_member(struct buffer *content, const char *name, const char *text)
{
	int r;

	if (!text)
		return 0;
	r = buffer_append_string(content, name);
	return r < 0 ? r : append_string(content, text);
}

/* Absent numbers are negative. */
static int append_number_member(struct buffer *content, const char *name, int64_t number)
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

static int append_secret(struct buffer *content, const char *name, const struct secret *secret)
{
	size_t length = secret_length(secret);
	uint8_t *end;
	int r;

	if (length == 0)
		return 0;
	r = buffer_append_string(content, name);
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

static int append_settings(struct buffer *content, const struct record *record)
{
	json_object *settings;
	const char *text;
	int r = 0;

	if (settings_is_empty(record->node.settings) && !record->unknown_settings)
		return 0;
	settings = settings_to_json(record->node.settings);
	if (settings && record->unknown_settings)
		r = merge_unknown(settings, record->unknown_settings);
	text = settings && r >= 0 ? json_object_to_json_string_ext(settings, PLAIN) : NULL;
	r = text ? buffer_append_string(content, ",\"settings\":") : -ENOMEM;
	if (r >= 0)
		r = buffer_append_string(content, text);
	json_object_put(settings);
	return r;
}

/* The members of @unknown, and the end of the line. */
static int append_rest(struct buffer *content, json_object *unknown)
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

bool record_has_line(const struct record *record, enum record_file file)
{
	const struct node *node = &record->node;

	if (file == RECORD_FILE_DISCOVERED)
		return node->last_seen_usec > 0;
	return node->origin == NODE_ORIGIN_STATIC || !settings_is_empty(node->settings) ||
	       node->secret || node->target_secret || record->unknown_settings ||
	       record->unknown[file];
}

int record_line_write(const struct record *record, enum record_file file, struct buffer *content)
{
	bool facts = file == RECORD_FILE_DISCOVERED;
	const struct node *node = &record->node;
	int r;

	r = append_text_member(content, "{\"targetName\":", node->key.target_name);
	if (r >= 0)
		r = append_text_member(content, ",\"address\":", node->key.address);
	if (r >= 0)
		r = append_number_member(content, ",\"port\":", node->key.port);
	if (r >= 0)
		r = append_number_member(content, ",\"portalGroupTag\":", node->portal_group_tag);
	if (r >= 0)
		r = append_number_member(content,
					 ",\"createdTimestampUSec\":", (int64_t)node->created_usec);
	if (r >= 0)
		r = append_number_member(content,
					 ",\"changedTimestampUSec\":", (int64_t)node->changed_usec);
	if (r >= 0 && facts)
		r = append_number_member(
			content, ",\"lastSeenTimestampUSec\":", (int64_t)node->last_seen_usec);
	if (r >= 0 && facts)
		r = append_text_member(content, ",\"targetAlias\":", node->target_alias);
	if (r >= 0 && facts)
		r = append_text_member(content, ",\"discoveryAddress\":", node->origin_address);
	if (r >= 0 && facts && node->origin_address)
		r = append_number_member(content, ",\"discoveryPort\":", node->origin_port);
	if (r >= 0 && !facts)
		r = append_text_member(content, ",\"origin\":", origins[node->origin]);
	if (r >= 0 && !facts)
		r = append_settings(content, record);
	if (r >= 0 && !facts)
		r = append_secret(content, ",\"secretBase64\":\"", node->secret);
	if (r >= 0 && !facts)
		r = append_secret(content, ",\"targetSecretBase64\":\"", node->target_secret);
	return r < 0 ? r : append_rest(content, record->unknown[file]);
}
