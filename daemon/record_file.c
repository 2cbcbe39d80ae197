/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of the records. What this version does not understand is kept: unreadable lines as they
 * are, files of a later format by never writing them.
 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "json.h"
#include "record_private.h"
#include "turn.h"

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

/* Reading one file. */
struct reader {
	struct records *records;
	enum record_file file;
	unsigned line;
	size_t n_bad;
};

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
		node->interface = TAKE_PTR(found->interface);
	}
	node->last_seen_usec = found->last_seen_usec;
	node->md5_only_usec = found->md5_only_usec;
	node->redirect_address = TAKE_PTR(found->redirect_address);
	node->redirect_port = found->redirect_port;
	node->redirect_usec = found->redirect_usec;
	if (found->created_usec < node->created_usec)
		node->created_usec = found->created_usec;
	if (found->changed_usec > node->changed_usec)
		node->changed_usec = found->changed_usec;
	((struct record *)node)->unknown[RECORD_FILE_DISCOVERED] =
		TAKE_PTR(record->unknown[RECORD_FILE_DISCOVERED]);
}

/* nodes.jsonl is read first. */
static int add_record(struct reader *reader, struct record **record, struct record_fault *fault)
{
	struct node *node = records_find(reader->records, &(*record)->node.key);
	bool found = (*record)->node.last_seen_usec > 0;
	int r;

	/* What a login has learned of a node that nobody made or found any more. */
	if (!node && reader->file == RECORD_FILE_DISCOVERED && !found)
		return 0;
	if (!node) {
		r = records_insert(reader->records, *record);
		if (r >= 0)
			*record = NULL;
		return r;
	}
	if (reader->file == RECORD_FILE_NODES ||
	    record_has_line((struct record *)node, RECORD_FILE_DISCOVERED))
		fault->reason = "an earlier line is about the same node";
	else
		merge_facts(node, *record);
	return 0;
}

/* -EBADMSG: something else. */
static int parse_object(const char *text, size_t length, json_object **ret)
{
	json_object *object;
	int r = json_parse(text, length, &object);

	if (r < 0)
		return r;
	if (!json_object_is_type(object, json_type_object)) {
		json_object_put(object);
		return -EBADMSG;
	}
	*ret = object;
	return 0;
}

static int read_line(struct reader *reader, const char *text, size_t length)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct record_fault fault = { 0 };
	json_object *line;
	int r;

	if (length > LINE_MAX_BYTES)
		return keep_line(reader, text, length, "the line is too long");
	r = parse_object(text, length, &line);
	if (r == -EBADMSG)
		return keep_line(reader, text, length, "the line is no JSON object");
	if (r < 0)
		return r;
	if (reader->file == RECORD_FILE_NODES && portal_line_is(line))
		r = portal_line_read(reader->records, line, &fault);
	else if (reader->file == RECORD_FILE_NODES && interface_line_is(line))
		r = interface_line_read(reader->records, line, &fault);
	else
		r = record_line_read(reader->file, line, &record, &fault);
	json_object_put(line);
	if (record)
		r = add_record(reader, &record, &fault);
	if (r >= 0 && fault.reason)
		r = keep_line(reader, text, length, fault.reason);
	return r;
}

/* False: the lines that follow mean something we do not know. */
static bool read_header(struct reader *reader, const char *text, size_t length)
{
	_cleanup_json_ json_object *header = NULL;
	struct record_fault fault = { 0 };
	const char *format = NULL;
	int64_t version = 0;

	if (length <= LINE_MAX_BYTES && parse_object(text, length, &header) >= 0) {
		format = record_line_text(header, "format", &fault);
		version = record_line_number(header, "version", INT64_MAX - 1, 0, &fault);
	}
	if (!format || strcmp(format, files[reader->file].format) != 0 || version < 1)
		refuse_file(reader, 1,
			    "the first line does not tell format and version; the file is left as "
			    "it is");
	else if (version > FORMAT_VERSION)
		refuse_file(reader, 1,
			    "the format is of a later version; the file is left as it is");
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

int record_file_load(struct records *records, enum record_file file)
{
	struct reader reader = { .records = records, .file = file };
	_cleanup_(buffer_erase) struct buffer content = { 0 };
	_cleanup_close_ int directory = -EBADF;
	int r;

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

static int format_header(const struct records *records, enum record_file file,
			 struct buffer *content)
{
	uint8_t *room;
	int r;

	/* About what is needed, so that the buffer need not grow often. */
	r = buffer_reserve(content, 256 + (file == RECORD_FILE_DISCOVERED ? records->n * 300 : 0),
			   &room);
	return r < 0 ? r
		     : buffer_printf(content, "{\"format\":\"%s\",\"version\":%d}\n",
				     files[file].format, FORMAT_VERSION);
}

static void cursor_set(struct record_cursor *cursor, const struct node_key *key)
{
	(void)snprintf(cursor->target_name, sizeof(cursor->target_name), "%s", key->target_name);
	(void)snprintf(cursor->address, sizeof(cursor->address), "%s", key->address);
	cursor->port = key->port;
}

/* 1: the turn should end. */
static int format_nodes(const struct records *records, enum record_file file,
			struct record_cursor *cursor, struct buffer *content)
{
	const struct node_key after = { cursor->target_name, cursor->address, cursor->port };
	size_t first = records_after(records, &after);
	const struct node *node;
	int r;

	for (size_t n = 0; (node = records_at(records, first + n)); n++) {
		if (turn_ends(n)) {
			cursor_set(cursor, &records_at(records, first + n - 1)->key);
			return 1;
		}
		if (!record_has_line((const struct record *)node, file))
			continue;
		r = record_line_write((const struct record *)node, file, content);
		if (r < 0)
			return r;
	}
	return 0;
}

int record_file_format(const struct records *records, enum record_file file,
		       struct record_cursor *cursor, struct buffer *content)
{
	int r = cursor->begun ? 0 : format_header(records, file, content);

	cursor->begun = true;
	if (r >= 0)
		r = format_nodes(records, file, cursor, content);
	if (r != 0)
		return r;
	if (file == RECORD_FILE_NODES)
		r = portal_lines_write(records, content);
	if (r >= 0 && file == RECORD_FILE_NODES)
		r = interface_lines_write(records, content);
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
