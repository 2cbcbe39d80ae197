/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One numbered event: a row of include/ois/events.def and the fields it carries. Whoever notices
 * the cause makes it and adds what it knows; the daemon adds the context and reports it. Nothing
 * here does I/O.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

/* Journal priorities. */
enum event_severity {
	EVENT_SEVERITY_ERROR = 3,
	EVENT_SEVERITY_WARNING = 4,
	EVENT_SEVERITY_NOTICE = 5,
	EVENT_SEVERITY_INFORMATION = 6,
};

/* EVENT_CONNECT_FAILED = 1 and so on, from events.def. */
enum event_number {
#define EVENT(number, severity, symbol, ...) EVENT_##symbol = number,
#include "ois/events.def"
#undef EVENT
};

/* FIELD_TARGET is "OIS_TARGET" and so on, from fields.def. */
enum event_field {
#define FIELD(symbol, name, label) FIELD_##symbol,
#include "fields.def"
#undef FIELD
	_FIELD_MAX,
};

struct event_type {
	enum event_number number;
	enum event_severity severity;
	const char *symbol;           /* "CONNECT_FAILED" */
	const char *subject;          /* MESSAGE template, fields between @ signs */
	const char *cause;            /* what happened and what it means; one paragraph */
	const char *advice;           /* what to do; one paragraph */
	const enum event_field *dump; /* dump fields the row promises */
	size_t n_dump;
	char message_id[33]; /* 32 lower-case hex digits, the last four the number in decimal */
};

/* NULL for an unknown number. */
const struct event_type *event_type_get(unsigned number);
const struct event_type *event_type_from_symbol(const char *symbol);
/* All types in the order of their numbers, NULL after the last. */
const struct event_type *event_type_at(size_t index);

const char *event_severity_to_string(enum event_severity severity);
/* "OIS_TARGET" */
const char *event_field_name(enum event_field field);
/*
 * Whether events of a type may carry a field: context always, dump fields if the row promises them,
 * decoded PDU fields if it promises the PDU.
 */
bool event_type_allows(const struct event_type *type, enum event_field field);

/* All values of one event together never have more bytes; what would exceed it is left out. */
#define EVENT_SIZE_MAX 32768

/* What became of the thing the event is about, OIS_OUTCOME. */
enum event_outcome {
	EVENT_OUTCOME_FAILED,
	EVENT_OUTCOME_CONTINUED,
	EVENT_OUTCOME_RETRYING,
	_EVENT_OUTCOME_MAX,
};

const char *event_outcome_to_string(enum event_outcome outcome);

struct event;

/* NULL when memory is short; every function below accepts a NULL event. */
struct event *event_new(enum event_number number);
struct event *event_free(struct event *event);
DEFINE_CLEANUP(struct event *, event_free);

const struct event_type *event_type(const struct event *event);
/* Value of a field, or NULL. Borrowed. */
const char *event_get(const struct event *event, enum event_field field);

/*
 * Set a field, replacing a former value; a field that cannot be set for lack of memory is absent. A
 * dump field the row does not promise is a bug (assertion in debug builds). Text is escaped, so
 * values are always clean UTF-8 of one line, and cut to stay below 4096 bytes. event_set_string()
 * leaves text alone that is clean already; event_set_text() is for text of the peer and escapes
 * backslashes too, so that nothing can look escaped that was sent that way. A NULL value removes
 * the field.
 */
void event_set_string(struct event *event, enum event_field field, const char *value);
void event_set_text(struct event *event, enum event_field field, const void *text, size_t length);
void event_set_number(struct event *event, enum event_field field, uint64_t value);
/* Lower-case hex of at most 1024 bytes; NULL: of none. */
void event_set_hex(struct event *event, enum event_field field, const void *data, size_t length);
/* OIS_STATUS (the number) and OIS_STATUS_TEXT. */
void event_set_status(struct event *event, uint64_t status, const char *text);
/* OIS_STATUS and OIS_STATUS_TEXT of a negative errno. */
void event_set_errno(struct event *event, int error);
void event_set_outcome(struct event *event, enum event_outcome outcome);
/*
 * The PDU as hex (FIELD_DUMP_PDU: header; FIELD_DUMP_DATA and FIELD_DUMP_DATA_LENGTH: data segment,
 * NULL if it was not received) and, for a Login Response, its decoded fields (OIS_PDU_...).
 */
void event_set_pdu(struct event *event, const uint8_t header[48], const void *data, size_t length);

/*
 * MESSAGE: the subject with fields filled in, one line. A part of the subject in square brackets is
 * left out when a field in it is absent: "Connect to @OIS_PORTAL@ failed[: @OIS_STATUS_TEXT@]". The
 * caller frees *@ret. Errors: -ENOMEM.
 */
int event_message(const struct event *event, char **ret);
/*
 * For somebody who knows target and portal: what happened and the reason or status, or a status
 * that says all; else MESSAGE.
 */
void event_summary(const struct event *event, char *ret, size_t size);
