/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbered events: org.ois.event, and the table of their types as this library was built with it.
 */
#include "client.h"
#include "event.h"
#include "interfaces.h"

DEFINE_OBJECT(event);
DEFINE_NUMBER(event, event, "number");
DEFINE_TEXT(event, symbol, "symbol");
DEFINE_TEXT(event, severity, "severity");
DEFINE_NUMBER(event, realtime_usec, "realtimeTimestampUSec");
DEFINE_TEXT(event, message, "message");
DEFINE_TEXT(event, target_name, "targetName");

const char *ois_event_get_field(const struct ois_event *event, const char *field)
{
	return object_text(object_find_type(object_json(event), "fields", json_type_object), field);
}

static int add_numbers(json_object *parameters, const unsigned *numbers, size_t n_numbers)
{
	_cleanup_json_ json_object *array = NULL;
	int r = 0;

	if (n_numbers == 0)
		return 0;
	array = json_object_new_array();
	for (size_t i = 0; array && i < n_numbers; i++)
		r |= json_append(array, json_object_new_int64(numbers[i]));
	return r < 0 ? r : json_set(parameters, "numbers", TAKE_PTR(array));
}

int ois_subscribe_call(struct ois_client *client, const unsigned *numbers, size_t n_numbers,
		       const char *target_name, unsigned history, struct ois_call **ret)
{
	_cleanup_json_ json_object *parameters = json_object_new_object();
	int r;

	if (!parameters)
		return -ENOMEM;
	r = add_numbers(parameters, numbers, n_numbers) |
	    json_set_string(parameters, "targetName", target_name);
	if (history > 0)
		r |= json_set_int(parameters, "history", history);
	if (r < 0)
		return -ENOMEM;
	r = call_new_json(client, METHOD_EVENT_SUBSCRIBE, TAKE_PTR(parameters),
			  OIS_CALL_MORE | OIS_CALL_READ, ret);
	if (r < 0)
		return r;
	call_set_patient(*ret);
	return 0;
}

/* Rows are those of lib/events; ois.h only gives them another name. */
static const struct event_type *row(const struct ois_event_type *type)
{
	return (const struct event_type *)type;
}

const struct ois_event_type *ois_event_type_get(unsigned number)
{
	return (const struct ois_event_type *)event_type_get(number);
}

const struct ois_event_type *ois_event_type_from_symbol(const char *symbol)
{
	return (const struct ois_event_type *)event_type_from_symbol(symbol);
}

const struct ois_event_type *ois_event_type_at(size_t index)
{
	return (const struct ois_event_type *)event_type_at(index);
}

unsigned ois_event_type_get_number(const struct ois_event_type *type)
{
	return (unsigned)row(type)->number;
}

const char *ois_event_type_get_symbol(const struct ois_event_type *type)
{
	return row(type)->symbol;
}

const char *ois_event_type_get_severity(const struct ois_event_type *type)
{
	return event_severity_to_string(row(type)->severity);
}

const char *ois_event_type_get_message_id(const struct ois_event_type *type)
{
	return row(type)->message_id;
}

const char *ois_event_type_get_subject(const struct ois_event_type *type)
{
	return row(type)->subject;
}

const char *ois_event_type_get_cause(const struct ois_event_type *type)
{
	return row(type)->cause;
}

const char *ois_event_type_get_advice(const struct ois_event_type *type)
{
	return row(type)->advice;
}

const char *ois_event_type_get_dump_field(const struct ois_event_type *type, size_t index)
{
	return index < row(type)->n_dump ? event_field_name(row(type)->dump[index]) : NULL;
}
