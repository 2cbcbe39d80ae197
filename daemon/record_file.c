/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of the records: how lines are read and written. What this version does not understand
 * is kept: unknown members with their node, unreadable lines as they are, files of a later format
 * by never writing them.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "parse.h"
#include "record_private.h"

#define FORMAT_VERSION 1
/* Longest line that is read; the longest we write has about 6 KiB. */
#define LINE_MAX_BYTES (64 * 1024)
/* Room for a million nodes. */
#define FILE_MAX_BYTES (512 * 1024 * 1024)
/* So many unreadable lines of a file are reported one by one. */
#define REPORTS_MAX 16

static const struct {
	const char *name, *temporary, *format;
} files[] = {
	[RECORD_FILE_NODES] = { "nodes.jsonl", "nodes.jsonl" FILE_TEMPORARY_SUFFIX, "ois-nodes" },
	[RECORD_FILE_DISCOVERED] = { "discovered.jsonl", "discovered.jsonl" FILE_TEMPORARY_SUFFIX,
				     "ois-discovered" },
};

/* As in OriginKind of org.ois.node. */
static const char *const origins[] = {
	[NODE_ORIGIN_STATIC] = "static",
	[NODE_ORIGIN_SEND_TARGETS] = "send_targets",
};

/* Reading one file. */
struct reader {
	struct records *records;
	enum record_file file;
	struct json_tokener *tokener;
	unsigned line;
	size_t n_bad;
};

static void reader_done(struct reader *reader)
{
	if (!reader->tokener)
		return;
	/* Its buffer held secrets. */
	memory_erase(reader->tokener->pb->buf, (size_t)reader->tokener->pb->size);
	json_tokener_free(reader->tokener);
}

const char *record_file_name(enum record_file file)
{
	return files[file].name;
}

/* @line 0: the file as a whole. */
static void report(const struct reader *reader, unsigned line, const char *reason)
{
	struct event *event = event_new(EVENT_RECORD_INVALID);
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", reader->records->directory,
		       files[reader->file].name);
	event_set_string(event, FIELD_FILE, path);
	if (line > 0)
		event_set_number(event, FIELD_LINE, line);
	event_set_string(event, FIELD_REASON, reason);
	eventlog_raise(reader->records->log, event);
}

/* The file is left alone from now on. */
static void refuse_file(struct reader *reader, unsigned line, const char *reason)
{
	reader->records->files[reader->file].read_only = true;
	report(reader, line, reason);
}

static int keep_line(struct reader *reader, const char *text, size_t length, const char *reason)
{
	struct record_file_state *state = &reader->records->files[reader->file];
	struct record_line *line = calloc(1, sizeof(*line));

	if (!line || secret_new(text, length, &line->text) < 0) {
		free(line);
		return -ENOMEM;
	}
	*state->kept_end = line;
	state->kept_end = &line->next;
	if (reader->n_bad++ < REPORTS_MAX)
		report(reader, reader->line, reason);
	return 0;
}

/* Absent: NULL. Neither a string nor clean: *@fault is set. */
static const char *get_text(json_object *object, const char *name, const char **fault)
{
	json_object *value = NULL;
	const char *text;
	size_t length;

	if (!json_object_object_get_ex(object, name, &value) || !value)
		return NULL;
	text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
	length = text ? (size_t)json_object_get_string_len(value) : 0;
	if (!text || !text_is_clean(text, length)) {
		*fault = "a member that must be a text is none";
		return NULL;
	}
	return text;
}

/* Absent: @absent. */
static int64_t get_number(json_object *object, const char *name, int64_t maximum, int64_t absent,
			  const char **fault)
{
	json_object *value = NULL;
	int64_t number;

	if (!json_object_object_get_ex(object, name, &value) || !value)
		return absent;
	number = json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : -1;
	if (number < 0 || number > maximum) {
		*fault = "a member that must be a number is none, or out of range";
		return absent;
	}
	return number;
}

static uint64_t get_time(json_object *object, const char *name, const char **fault)
{
	return (uint64_t)get_number(object, name, INT64_MAX - 1, 0, fault);
}

static int get_secret(json_object *object, const char *name, struct secret **ret,
		      const char **fault)
{
	const char *text = get_text(object, name, fault);
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
		*fault = "a secret is no base64";
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

static int take_settings(struct record *record, json_object *line, const char **fault)
{
	json_object *settings = NULL, *unknown = NULL;
	struct settings_fault why;
	int r;

	if (!json_object_object_get_ex(line, "settings", &settings) || !settings)
		return 0;
	if (!json_object_is_type(settings, json_type_object)) {
		*fault = "settings is no object";
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
	if (r < 0 && r != -ENOMEM)
		*fault = "a setting has an invalid value";
	return r == -ENOMEM ? r : 0;
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

static int copy_text(json_object *line, const char *name, char **ret, const char **fault)
{
	const char *text = get_text(line, name, fault);

	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

/* What only nodes.jsonl holds. */
static int take_configuration(struct record *record, json_object *line, const char **fault)
{
	const char *origin = get_text(line, "origin", fault);
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
static int take_facts(struct record *record, json_object *line, const char **fault)
{
	struct node *node = &record->node;
	int r;

	node->origin = NODE_ORIGIN_SEND_TARGETS;
	node->origin_port = (uint16_t)get_number(line, "discoveryPort", UINT16_MAX, 0, fault);
	node->last_seen_usec = get_time(line, "lastSeenTimestampUSec", fault);
	if (node->last_seen_usec == 0)
		*fault = "lastSeenTimestampUSec is missing";
	r = copy_text(line, "targetAlias", &node->target_alias, fault);
	if (r >= 0)
		r = copy_text(line, "discoveryAddress", &node->origin_address, fault);
	return r;
}

/* Makes a record of a line. *@fault is set if it cannot be used. Errors: -ENOMEM. */
static int take_line(enum record_file file, json_object *line, struct record **ret,
		     const char **fault)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct node_key key = {
		.target_name = get_text(line, "targetName", fault),
		.address = get_text(line, "address", fault),
		.port = (uint16_t)get_number(line, "port", UINT16_MAX, 0, fault),
	};
	int r;

	if (!*fault && (!key.target_name || !key.address))
		*fault = "targetName or address is missing";
	if (!*fault)
		*fault = node_key_fault(&key);
	if (*fault)
		return 0;
	r = record_new(&key, &record);
	if (r < 0)
		return r;
	record->node.portal_group_tag =
		(int)get_number(line, "portalGroupTag", UINT16_MAX, -1, fault);
	record->node.created_usec = get_time(line, "createdTimestampUSec", fault);
	record->node.changed_usec = get_time(line, "changedTimestampUSec", fault);
	r = file == RECORD_FILE_NODES ? take_configuration(record, line, fault)
				      : take_facts(record, line, fault);
	if (r < 0 || *fault)
		return r;
	*ret = TAKE_PTR(record);
	return 0;
}

/* Facts about a node that has a line in nodes.jsonl. */
static void merge_facts(struct node *node, struct record *record)
{
	struct node *found = &record->node;

	if (found->portal_group_tag >= 0)
		node->portal_group_tag = found->portal_group_tag;
	node->target_alias = TAKE_PTR(found->target_alias);
	if (node->origin == NODE_ORIGIN_SEND_TARGETS) {
		node->origin_address = TAKE_PTR(found->origin_address);
		node->origin_port = found->origin_port;
	}
	node->last_seen_usec = found->last_seen_usec;
	if (found->created_usec < node->created_usec)
		node->created_usec = found->created_usec;
	if (found->changed_usec > node->changed_usec)
		node->changed_usec = found->changed_usec;
	((struct record *)node)->unknown[RECORD_FILE_DISCOVERED] =
		TAKE_PTR(record->unknown[RECORD_FILE_DISCOVERED]);
}

/* nodes.jsonl is read first. */
static int add_record(struct reader *reader, struct record **record, const char **fault)
{
	struct node *node = records_find(reader->records, &(*record)->node.key);
	int r;

	if (!node) {
		r = records_insert(reader->records, *record);
		if (r >= 0)
			*record = NULL;
		return r;
	}
	if (reader->file == RECORD_FILE_NODES || node->last_seen_usec > 0)
		*fault = "an earlier line is about the same node";
	else
		merge_facts(node, *record);
	return 0;
}

/* NULL: no JSON object, or something behind it. */
static json_object *parse_object(struct reader *reader, const char *text, size_t length)
{
	json_object *object;

	json_tokener_reset(reader->tokener);
	object = json_tokener_parse_ex(reader->tokener, text, (int)length);
	/* An object is complete at its brace; this also refuses what follows it. */
	if (object && json_object_is_type(object, json_type_object) &&
	    json_tokener_get_parse_end(reader->tokener) == length)
		return object;
	json_object_put(object);
	return NULL;
}

static int read_line(struct reader *reader, const char *text, size_t length)
{
	_cleanup_(record_freep) struct record *record = NULL;
	const char *fault = NULL;
	json_object *line;
	int r;

	if (length > LINE_MAX_BYTES)
		return keep_line(reader, text, length, "the line is too long");
	line = parse_object(reader, text, length);
	if (!line)
		return keep_line(reader, text, length, "the line is no JSON object");
	r = take_line(reader->file, line, &record, &fault);
	wipe_text(line, "secretBase64");
	wipe_text(line, "targetSecretBase64");
	if (record) {
		take_unknown(record, reader->file, line);
		r = add_record(reader, &record, &fault);
	}
	json_object_put(line);
	if (r >= 0 && fault)
		r = keep_line(reader, text, length, fault);
	return r;
}

/* False: the lines that follow mean something we do not know. */
static bool read_header(struct reader *reader, const char *text, size_t length)
{
	json_object *header = length <= LINE_MAX_BYTES ? parse_object(reader, text, length) : NULL;
	const char *format = NULL, *fault = NULL;
	int64_t version = 0;

	if (header) {
		format = get_text(header, "format", &fault);
		version = get_number(header, "version", INT64_MAX - 1, 0, &fault);
	}
	if (!format || strcmp(format, files[reader->file].format) != 0 || version < 1)
		refuse_file(reader, 1,
			    "the first line does not tell format and version; the file is left as "
			    "it is");
	else if (version > FORMAT_VERSION)
		refuse_file(reader, 1,
			    "the format is of a later version; the file is left as it is");
	json_object_put(header);
	return version <= FORMAT_VERSION;
}

static int read_lines(struct reader *reader, const char *text, size_t length)
{
	char reason[64];

	for (size_t at = 0; at < length;) {
		const char *end = memchr(text + at, '\n', length - at);
		size_t n = end ? (size_t)(end - text) - at : length - at;
		int r = 0;

		reader->line++;
		if (reader->line == 1 && !read_header(reader, text + at, n))
			return 0;
		if (reader->line > 1 && n > 0)
			r = read_line(reader, text + at, n);
		if (r < 0)
			return r;
		at += n + 1;
	}
	if (reader->n_bad > REPORTS_MAX) {
		(void)snprintf(reason, sizeof(reason), "%zu further lines cannot be read",
			       reader->n_bad - REPORTS_MAX);
		report(reader, 0, reason);
	}
	return 0;
}

static int reader_init(struct reader *reader)
{
	char *longest;

	reader->tokener = json_tokener_new();
	longest = malloc(LINE_MAX_BYTES);
	if (!reader->tokener || !longest) {
		free(longest);
		return -ENOMEM;
	}
	json_tokener_set_flags(reader->tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	/* Makes its buffer as large as it can get, so that it never moves and leaves a secret
	 * behind. */
	memset(longest, '"', 1);
	memset(longest + 1, ' ', LINE_MAX_BYTES - 1);
	(void)json_tokener_parse_ex(reader->tokener, longest, LINE_MAX_BYTES);
	free(longest);
	return 0;
}

int record_file_load(struct records *records, enum record_file file)
{
	_cleanup_(reader_done) struct reader reader = { .records = records, .file = file };
	_cleanup_(buffer_erase) struct buffer content = { 0 };
	_cleanup_close_ int directory = -EBADF;
	int r;

	r = reader_init(&reader);
	if (r < 0)
		return r;
	/* A directory that cannot be made is reported when something is to be written. */
	(void)mkdir(records->directory, 0700);
	directory = open(records->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = directory < 0 ? -errno : 0;
	if (r >= 0) {
		/* What a crash left of a write; the file itself is complete. */
		(void)unlinkat(directory, files[file].temporary, 0);
		/* Others may have looked already; from now on they cannot. */
		file_restrict(directory, files[file].name, 077);
		r = file_read(directory, files[file].name, FILE_MAX_BYTES, false, &content);
	}
	if (r == -ENOMEM)
		return r;
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		refuse_file(&reader, 0, strerror(-r));
		return 0;
	}
	return read_lines(&reader, (const char *)content.data, content.length);
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

static bool has_line(const struct record *record, enum record_file file)
{
	const struct node *node = &record->node;

	if (file == RECORD_FILE_DISCOVERED)
		return node->last_seen_usec > 0;
	return node->origin == NODE_ORIGIN_STATIC || !settings_is_empty(node->settings) ||
	       node->secret || node->target_secret || record->unknown_settings ||
	       record->unknown[file];
}

static int format_record(const struct record *record, enum record_file file, struct buffer *content)
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

int record_file_format(const struct records *records, enum record_file file, struct buffer *content)
{
	struct node *node;
	uint8_t *room;
	int r;

	/* About what is needed, so that the buffer need not grow often. */
	r = buffer_reserve(content, file == RECORD_FILE_DISCOVERED ? records->n * 300 : 256, &room);
	if (r < 0)
		return r;
	r = buffer_printf(content, "{\"format\":\"%s\",\"version\":%d}\n", files[file].format,
			  FORMAT_VERSION);
	for (size_t i = 0; r >= 0 && (node = records_at(records, i)); i++)
		if (has_line((struct record *)node, file))
			r = format_record((struct record *)node, file, content);
	for (const struct record_line *line = records->files[file].kept; r >= 0 && line;
	     line = line->next) {
		r = buffer_append(content, secret_bytes(line->text), secret_length(line->text));
		if (r >= 0)
			r = buffer_append(content, "\n", 1);
	}
	return r;
}

int record_file_write(const char *directory, enum record_file file, const struct buffer *content)
{
	return file_replace(directory, files[file].name, 0600, content);
}
