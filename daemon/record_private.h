/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files about records share: record.c (nodes in memory), record_commit.c (when they are
 * written), record_file.c (files), record_line.c (lines about nodes), record_portal.c (portals in
 * memory and their lines), record_interface.c (the same of interfaces), record_member.c (members of
 * lines).
 *
 * Each file is JSON Lines. The first line tells format and version, each other line is an object
 * about one node, portal or interface:
 * - nodes.jsonl: what a person set: settings, secrets, that a node is static, and when it was
 *   logged out; settings and secrets for discoveries at a portal, in lines with the member
 *   "discovery"; and settings of interfaces, in lines with the member "interface"
 * - discovered.jsonl: facts: what a discovery found, when, and through which portal
 * A node stands in one of them or in both.
 */
#pragma once

#include <json-c/json.h>

#include "buffer.h"
#include "parse.h"
#include "record.h"
#include "record_array.h"
#include "secret.h"
#include "work.h"

enum record_file {
	RECORD_FILE_NODES,
	RECORD_FILE_DISCOVERED,
	_RECORD_FILE_MAX,
};

struct record {
	struct node node; /* first, so that a node is its record */
	/* Members a later version of the program wrote, for each file; NULL: none. They are written
	 * back. */
	json_object *unknown[_RECORD_FILE_MAX];
	json_object *unknown_settings;
};

struct portal_record {
	struct portal portal; /* first, so that a portal is its record */
	json_object *unknown, *unknown_settings;
};

struct interface_record {
	struct interface interface; /* first, so that an interface is its record */
	json_object *unknown, *unknown_settings;
};

/* A line that could not be understood, kept as it is. It may hold a secret. */
struct record_line {
	struct secret *text;
	struct record_line *next;
};

struct record_file_state {
	bool dirty;
	bool read_only; /* it could not be understood as a whole, so it is never overwritten */
	struct record_line *kept, **kept_end;
};

/* Nodes in their order: entries [first, first + n) of an array. */
struct record_order {
	struct record **records;
	size_t first, n, allocated;
	bool valid;
};

struct record_write;
struct record_waiter;

struct records {
	char *directory;
	struct eventlog *log;
	struct poller *poller;
	struct work *work;
	struct record_file_state files[_RECORD_FILE_MAX];

	void *tree; /* of struct record, tsearch(3) */
	size_t n;
	struct record_order *order;
	struct record_array portals, interfaces;

	struct record_write *write; /* under way */
	struct record_waiter *waiting, **waiting_end;
	bool freeing;
	bool unfinished; /* a write was cancelled by the freeing */
};

/* record.c */
/* What keeps a key from being stored, or NULL. */
const char *node_key_fault(const struct node_key *key);
int record_new(const struct node_key *key, struct record **ret);
struct record *record_free(struct record *record);
DEFINE_CLEANUP(struct record *, record_free);
/* Takes over a record whose key is new, on success only. Errors: -ENOMEM. */
int records_insert(struct records *records, struct record *record);
/* Index of the first node after @key, which need not be there itself. */
size_t records_after(const struct records *records, const struct node_key *key);

/* record_commit.c */
/* What somebody still waits for is written now; nobody is called any more. */
void records_finish(struct records *records);

/* record_member.c */

/* Why a line cannot be used. */
struct record_fault {
	const char *reason; /* NULL: it can */
	char text[288];     /* what the reason may point to */
};

/* Member of an object. Absent: NULL. Not a string, or not clean: the same, and @fault. */
const char *record_line_text(json_object *object, const char *name, struct record_fault *fault);
/* Absent: @absent. No number, negative, or above @maximum: the same, and @fault. */
int64_t record_line_number(json_object *object, const char *name, int64_t maximum, int64_t absent,
			   struct record_fault *fault);
uint64_t record_line_time(json_object *object, const char *name, struct record_fault *fault);
/* Absent: *@ret stays. Errors: -ENOMEM. */
int record_line_copy(json_object *line, const char *name, char **ret, struct record_fault *fault);
int record_line_secret(json_object *object, const char *name, struct secret **ret,
		       struct record_fault *fault);
/* Member "settings"; what is none of @settings goes to *@ret_unknown. Errors: -ENOMEM. */
int record_line_settings(json_object *line, struct settings *settings, json_object **ret_unknown,
			 struct record_fault *fault);
/* Secrets are deleted from the line and from memory. */
void record_line_wipe(json_object *line);
/* What is left of a line when everything @known (NULL at the end) was taken from it. */
void record_line_unknown(json_object *line, const char *const *known, json_object **ret);

/*
 * Append a member; @name is all that stands before the value, as in ",\"port\":". What is absent
 * (NULL, a negative number, nothing set) is left out. Errors: -ENOMEM.
 */
int record_append_text(struct buffer *content, const char *name, const char *text);
int record_append_number(struct buffer *content, const char *name, int64_t number);
int record_append_secret(struct buffer *content, const char *name, const struct secret *secret);
int record_append_settings(struct buffer *content, const struct settings *settings,
			   json_object *unknown);
/* The members of @unknown, and the end of the line. */
int record_append_rest(struct buffer *content, json_object *unknown);

/* record_line.c */

/* Makes a record of a line, which it takes apart; with @fault set there is none. Errors: -ENOMEM.
 */
int record_line_read(enum record_file file, json_object *line, struct record **ret,
		     struct record_fault *fault);
/* True if the file has something to tell about the node. */
bool record_has_line(const struct record *record, enum record_file file);
int record_line_write(const struct record *record, enum record_file file, struct buffer *content);

/* record_portal.c */
struct portal_record *portal_record_free(struct portal_record *record);
DEFINE_CLEANUP(struct portal_record *, portal_record_free);
/* Of struct portal. */
int portal_compare(const void *a, const void *b);
void records_free_portals(struct records *records);
/* True if a line of nodes.jsonl is about a portal. */
bool portal_line_is(json_object *line);
/* Adds the portal of a line, which is taken apart, unless @fault is set. Errors: -ENOMEM. */
int portal_line_read(struct records *records, json_object *line, struct record_fault *fault);
int portal_lines_write(const struct records *records, struct buffer *content);

/* record_interface.c */
struct interface_record *interface_record_free(struct interface_record *record);
DEFINE_CLEANUP(struct interface_record *, interface_record_free);
/* Of struct interface. */
int interface_compare(const void *a, const void *b);
void records_free_interfaces(struct records *records);
/* True if a line of nodes.jsonl is about an interface. */
bool interface_line_is(json_object *line);
/* Adds the interface of a line, which is taken apart, unless @fault is set. Errors: -ENOMEM. */
int interface_line_read(struct records *records, json_object *line, struct record_fault *fault);
int interface_lines_write(const struct records *records, struct buffer *content);

/* record_file.c */
const char *record_file_name(enum record_file file);
/* Reads a file into memory; what is wrong with it is reported. Errors: -ENOMEM. */
int record_file_load(struct records *records, enum record_file file);

/* How far a file was formatted; all zero in the beginning. Nodes may come and go meanwhile. */
struct record_cursor {
	bool begun;
	/* The last node */
	char target_name[ISCSI_NAME_MAX + 1], address[PORTAL_ADDRESS_MAX];
	uint16_t port;
};

/*
 * Appends to @content until all of the file is there (0), or the turn of the loop should end (1):
 * then the next call goes on. Errors: -ENOMEM.
 */
int record_file_format(const struct records *records, enum record_file file,
		       struct record_cursor *cursor, struct buffer *content);
/* Makes @content durable. Runs in a worker thread; touches nothing but its arguments and the disk.
 */
int record_file_write(const char *directory, enum record_file file, const struct buffer *content);
