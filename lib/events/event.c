/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events: the rows of events.def as data, and the values one event carries. A value is escaped and
 * cut when it is set, so that whoever reads it (journal, Varlink, terminal) need not look at it
 * again.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "event.h"
#include "parse.h"

/*
 * All MESSAGE_IDs are this random UUID (version 4) with the number of the event as the last four
 * digits, so that a person can type them. It is part of the interface and never changes.
 */
#define MESSAGE_ID_BASE                                                                            \
	'0', '8', 'd', '9', '4', '9', '4', 'd', 'b', 'f', 'b', '3', '4', 'e', 'c', '4', '9', 'b',  \
		'1', '8', 'e', 'a', 'd', 'c', 'b', '2', '7', '5'
#define DIGIT(number, unit) '0' + (number) / (unit) % 10

/* DUMP(A, B) in a row becomes FIELD_A, FIELD_B. */
#define DUMP(...)           __VA_OPT__(DUMP_1(__VA_ARGS__))
#define DUMP_1(symbol, ...) FIELD_##symbol, __VA_OPT__(DUMP_2(__VA_ARGS__))
#define DUMP_2(symbol, ...) FIELD_##symbol, __VA_OPT__(DUMP_3(__VA_ARGS__))
#define DUMP_3(symbol, ...) FIELD_##symbol, __VA_OPT__(DUMP_4(__VA_ARGS__))
#define DUMP_4(symbol)      FIELD_##symbol

#define EVENT(number, severity, symbol, subject, dump, cause, advice)                              \
	static const enum event_field promised_##symbol[] = { dump };
#include "ois/events.def"
#undef EVENT

static const struct event_type event_types[] = {
#define EVENT(number_, severity_, symbol_, subject_, dump_, cause_, advice_)                       \
	{                                                                                          \
		.number = (number_),                                                               \
		.severity = EVENT_SEVERITY_##severity_,                                            \
		.symbol = #symbol_,                                                                \
		.subject = (subject_),                                                             \
		.cause = (cause_),                                                                 \
		.advice = (advice_),                                                               \
		.dump = promised_##symbol_,                                                        \
		.n_dump = ELEMENTSOF(promised_##symbol_),                                          \
		.message_id = { MESSAGE_ID_BASE, DIGIT(number_, 1000), DIGIT(number_, 100),        \
				DIGIT(number_, 10), DIGIT(number_, 1) },                           \
	},
#include "ois/events.def"
#undef EVENT
};

static const char *const field_names[] = {
#define FIELD(symbol, name, label) [FIELD_##symbol] = (name),
#include "fields.def"
#undef FIELD
};

static const char *const outcome_names[_EVENT_OUTCOME_MAX] = {
	[EVENT_OUTCOME_FAILED] = "failed",
	[EVENT_OUTCOME_CONTINUED] = "continued",
	[EVENT_OUTCOME_RETRYING] = "retrying",
};

/* A journal field is "NAME=value"; from this size on JSON output of journalctl shows null. */
#define FIELD_SIZE_MAX 4096
/* The longest dump: what the standard lets a challenge have, and enough of any data segment. */
#define HEX_BYTES_MAX 1024
/* A value in MESSAGE; longer ones are cut there and whole in their field. */
#define MESSAGE_VALUE_MAX 256

struct value {
	enum event_field field;
	char *text;
};

struct event {
	const struct event_type *type;
	struct value *values; /* in the order they were set */
	size_t n_values;
	size_t size; /* of all texts */
};

static int compare_number(const void *key, const void *row)
{
	unsigned number = *(const unsigned *)key;
	unsigned other = ((const struct event_type *)row)->number;

	return number < other ? -1 : number > other;
}

const struct event_type *event_type_get(unsigned number)
{
	return bsearch(&number, event_types, ELEMENTSOF(event_types), sizeof(event_types[0]),
		       compare_number);
}

const struct event_type *event_type_from_symbol(const char *symbol)
{
	for (size_t i = 0; i < ELEMENTSOF(event_types); i++)
		if (strcmp(event_types[i].symbol, symbol) == 0)
			return &event_types[i];
	return NULL;
}

const struct event_type *event_type_at(size_t index)
{
	return index < ELEMENTSOF(event_types) ? &event_types[index] : NULL;
}

const char *event_severity_to_string(enum event_severity severity)
{
	switch (severity) {
	case EVENT_SEVERITY_ERROR:
		return "error";
	case EVENT_SEVERITY_WARNING:
		return "warning";
	case EVENT_SEVERITY_NOTICE:
		return "notice";
	case EVENT_SEVERITY_INFORMATION:
		return "information";
	}
	return NULL;
}

const char *event_field_name(enum event_field field)
{
	return (size_t)field < ELEMENTSOF(field_names) ? field_names[field] : NULL;
}

const char *event_outcome_to_string(enum event_outcome outcome)
{
	return (size_t)outcome < ELEMENTSOF(outcome_names) ? outcome_names[outcome] : NULL;
}

struct event *event_new(enum event_number number)
{
	const struct event_type *type = event_type_get(number);
	struct event *event;

	assert(type);
	event = calloc(1, sizeof(*event));
	if (event)
		event->type = type;
	return event;
}

struct event *event_free(struct event *event)
{
	if (!event)
		return NULL;
	for (size_t i = 0; i < event->n_values; i++)
		free(event->values[i].text);
	free(event->values);
	free(event);
	return NULL;
}

const struct event_type *event_type(const struct event *event)
{
	return event ? event->type : NULL;
}

static struct value *find(const struct event *event, enum event_field field)
{
	for (size_t i = 0; i < event->n_values; i++)
		if (event->values[i].field == field)
			return &event->values[i];
	return NULL;
}

const char *event_get(const struct event *event, enum event_field field)
{
	struct value *value = event ? find(event, field) : NULL;

	return value ? value->text : NULL;
}

static bool promises(const struct event_type *type, enum event_field field)
{
	for (size_t i = 0; i < type->n_dump; i++)
		if (type->dump[i] == field)
			return true;
	return false;
}

bool event_type_allows(const struct event_type *type, enum event_field field)
{
	const char *name = event_field_name(field);

	if (strncmp(name, "OIS_PDU_", 8) == 0)
		return promises(type, FIELD_DUMP_PDU);
	if (strncmp(name, "OIS_DUMP_", 9) == 0)
		return promises(type, field);
	return true;
}

static void discard(struct event *event, enum event_field field)
{
	struct value *value = find(event, field);

	if (!value)
		return;
	event->size -= strlen(value->text);
	free(value->text);
	*value = event->values[--event->n_values];
}

/* Takes over a clean text that is short enough for a field. */
static void store(struct event *event, enum event_field field, char *text)
{
	_cleanup_free_ char *owned = text;
	struct value *values;
	size_t length;

	assert(event_type_allows(event->type, field));
	discard(event, field);
	if (!text)
		return;
	length = strlen(text);
	if (length > EVENT_SIZE_MAX - event->size)
		return;
	values = reallocarray(event->values, event->n_values + 1, sizeof(*values));
	if (!values)
		return;
	event->values = values;
	values[event->n_values++] = (struct value){ .field = field, .text = TAKE_PTR(owned) };
	event->size += length;
}

/* Bytes a value of @field may take, NUL included. */
static size_t room(enum event_field field)
{
	return FIELD_SIZE_MAX - strlen(event_field_name(field)) - 1;
}

/* Length of the first part of a clean text that has at most @maximum bytes and ends at a character.
 */
static size_t cut(const char *text, size_t maximum)
{
	size_t length = strnlen(text, maximum + 1);

	if (length <= maximum)
		return length;
	length = maximum;
	while (length > 0 && ((uint8_t)text[length] & 0xc0) == 0x80)
		length--;
	return length;
}

void event_set_string(struct event *event, enum event_field field, const char *value)
{
	if (!event)
		return;
	if (!value)
		discard(event, field);
	else if (text_is_clean(value, strlen(value)))
		store(event, field, strndup(value, cut(value, room(field) - 1)));
	else
		event_set_text(event, field, value, strlen(value));
}

void event_set_text(struct event *event, enum event_field field, const void *text, size_t length)
{
	char escaped[FIELD_SIZE_MAX];

	if (!event)
		return;
	(void)text_escape(text, length, escaped, room(field));
	store(event, field, strdup(escaped));
}

void event_set_number(struct event *event, enum event_field field, uint64_t value)
{
	char text[24];

	if (!event)
		return;
	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	store(event, field, strdup(text));
}

void event_set_hex(struct event *event, enum event_field field, const void *data, size_t length)
{
	char text[2 * HEX_BYTES_MAX + 1] = "";

	if (!event)
		return;
	if (data)
		hex_encode(data, length < HEX_BYTES_MAX ? length : HEX_BYTES_MAX, text);
	store(event, field, strdup(text));
}

void event_set_status(struct event *event, uint64_t status, const char *text)
{
	event_set_number(event, FIELD_STATUS, status);
	event_set_string(event, FIELD_STATUS_TEXT, text);
}

void event_set_errno(struct event *event, int error)
{
	int number = error < 0 ? -error : error;
	const char *text = strerrordesc_np(number);

	event_set_status(event, (uint64_t)number, text ? text : "Unknown error");
}

void event_set_outcome(struct event *event, enum event_outcome outcome)
{
	event_set_string(event, FIELD_OUTCOME, event_outcome_to_string(outcome));
}

/* Login Response, RFC 7143 11.13: a number of @width bytes in network order, of which @bits count
 * from @shift. */
static const struct {
	enum event_field field;
	uint8_t offset, width, shift, bits;
} login_response_fields[] = {
	{ FIELD_PDU_OPCODE, 0, 1, 0, 6 },
	{ FIELD_PDU_TRANSIT, 1, 1, 7, 1 },
	{ FIELD_PDU_CONTINUE, 1, 1, 6, 1 },
	{ FIELD_PDU_CSG, 1, 1, 2, 2 },
	{ FIELD_PDU_NSG, 1, 1, 0, 2 },
	{ FIELD_PDU_VERSION_MAX, 2, 1, 0, 8 },
	{ FIELD_PDU_VERSION_ACTIVE, 3, 1, 0, 8 },
	{ FIELD_PDU_TOTAL_AHS_LENGTH, 4, 1, 0, 8 },
	{ FIELD_PDU_DATA_SEGMENT_LENGTH, 5, 3, 0, 24 },
	{ FIELD_PDU_TSIH, 14, 2, 0, 16 },
	{ FIELD_PDU_ITT, 16, 4, 0, 32 },
	{ FIELD_PDU_STATSN, 24, 4, 0, 32 },
	{ FIELD_PDU_EXP_CMDSN, 28, 4, 0, 32 },
	{ FIELD_PDU_MAX_CMDSN, 32, 4, 0, 32 },
	{ FIELD_PDU_STATUS_CLASS, 36, 1, 0, 8 },
	{ FIELD_PDU_STATUS_DETAIL, 37, 1, 0, 8 },
};

#define OPCODE_MASK           0x3f
#define OPCODE_LOGIN_RESPONSE 0x23

static void set_login_response(struct event *event, const uint8_t *header)
{
	for (size_t i = 0; i < ELEMENTSOF(login_response_fields); i++) {
		uint64_t value = 0;

		for (size_t j = 0; j < login_response_fields[i].width; j++)
			value = value << 8 | header[login_response_fields[i].offset + j];
		value = value >> login_response_fields[i].shift &
			((UINT64_C(1) << login_response_fields[i].bits) - 1);
		event_set_number(event, login_response_fields[i].field, value);
	}
	event_set_hex(event, FIELD_PDU_ISID, header + 8, 6);
}

void event_set_pdu(struct event *event, const uint8_t header[48], const void *data, size_t length)
{
	if (!event)
		return;
	event_set_hex(event, FIELD_DUMP_PDU, header, 48);
	if (event_type_allows(event->type, FIELD_DUMP_DATA)) {
		event_set_hex(event, FIELD_DUMP_DATA, data, length);
		event_set_number(event, FIELD_DUMP_DATA_LENGTH, length);
	}
	if ((header[0] & OPCODE_MASK) == OPCODE_LOGIN_RESPONSE)
		set_login_response(event, header);
}

/* Field whose name is the @length bytes at @name, or -ENOENT. */
static int field_from_name(const char *name, size_t length)
{
	for (size_t i = 0; i < ELEMENTSOF(field_names); i++)
		if (strlen(field_names[i]) == length && memcmp(field_names[i], name, length) == 0)
			return (int)i;
	return -ENOENT;
}

/* Appends @length bytes of a subject with its fields filled in. Errors: -ENODATA (a field is
 * absent), -ENOMEM. */
static int append_part(struct buffer *message, const struct event *event, const char *part,
		       size_t length)
{
	const char *end = part + length;
	int r = 0;

	while (part < end && r >= 0) {
		const char *at = memchr(part, '@', (size_t)(end - part));
		const char *closing = at ? memchr(at + 1, '@', (size_t)(end - at - 1)) : NULL;
		const char *value;
		int field;

		if (!closing)
			return buffer_append(message, part, (size_t)(end - part));
		field = field_from_name(at + 1, (size_t)(closing - at - 1));
		value = field < 0 ? NULL : event_get(event, (enum event_field)field);
		if (!value)
			return -ENODATA;
		r = buffer_append(message, part, (size_t)(at - part));
		if (r >= 0)
			r = buffer_append(message, value, cut(value, MESSAGE_VALUE_MAX));
		part = closing + 1;
	}
	return r;
}

/* A bracketed part: all of it, or nothing when a field is absent. */
static int append_optional(struct buffer *message, const struct event *event, const char *part,
			   size_t length)
{
	size_t before = message->length;
	int r = append_part(message, event, part, length);

	if (r != -ENODATA)
		return r;
	message->length = before;
	return 0;
}

int event_message(const struct event *event, char **ret)
{
	_cleanup_(buffer_done) struct buffer message = { 0 };
	const char *rest;
	int r = 0;

	if (!event)
		return -ENOMEM;
	for (rest = event->type->subject; *rest && r >= 0;) {
		size_t length = strcspn(rest, "[");

		r = buffer_append(&message, rest, length);
		rest += length;
		if (r < 0 || *rest == '\0')
			break;
		length = strcspn(++rest, "]");
		r = append_optional(&message, event, rest, length);
		rest += length;
		if (*rest == ']')
			rest++;
	}
	if (r < 0)
		return r;
	r = buffer_append(&message, "", 1);
	if (r < 0)
		return r;
	*ret = (char *)TAKE_PTR(message.data);
	return 0;
}

/* The subject as far as it holds for every event of the type. */
static int append_plain(struct buffer *message, const char *subject)
{
	int r = 0;

	while (*subject && r >= 0) {
		size_t length = strcspn(subject, "[");

		r = buffer_append(message, subject, length);
		subject += length;
		subject += strcspn(subject, "]");
		if (*subject == ']')
			subject++;
	}
	return r;
}

/* A reason alone would not tell whose fault it was. */
static int append_reason(struct buffer *message, const struct event *event, const char *reason)
{
	int r = append_plain(message, event->type->subject);

	if (r >= 0)
		r = buffer_append(message, ": ", 2);
	return r < 0 ? r : buffer_append(message, reason, strlen(reason) + 1);
}

/* A status that needs no word on what happened, since that is what did not come about. */
static bool says_all(const struct event_type *type)
{
	return type->number == EVENT_LOGIN_FAILED || type->number == EVENT_CONNECT_FAILED;
}

void event_summary(const struct event *event, char *ret, size_t size)
{
	_cleanup_(buffer_done) struct buffer message = { 0 };
	_cleanup_free_ char *whole = NULL;
	const char *reason = event_get(event, FIELD_REASON);
	const char *text = event_get(event, FIELD_STATUS_TEXT);

	if (!reason && !says_all(event->type))
		reason = text;
	if (reason)
		text = append_reason(&message, event, reason) < 0 ? reason : (char *)message.data;
	else if (!text && event_message(event, &whole) >= 0)
		text = whole;
	(void)snprintf(ret, size, "%s", text ?: "");
}
