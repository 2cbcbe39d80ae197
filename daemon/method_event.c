/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.ois.event: the numbered events. A subscriber is a position in the memory of the event log:
 * what it does not read in time is overwritten there, counted, and told with the next event.
 */
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "eventlog.h"
#include "interfaces.h"
#include "json.h"
#include "method_common.h"
#include "parse.h"
#include "service_private.h"
#include "table.h"

/* Which events a caller wants. Strings are borrowed from the call. */
struct filter {
	json_object *numbers; /* array; NULL: all */
	int severity;         /* the greatest that passes */
	int64_t session;      /* -1: any */
	const char *target_name;
};

static const char *const severity_names[] = {
	[EVENT_SEVERITY_ERROR] = "error",
	[EVENT_SEVERITY_WARNING] = "warning",
	[EVENT_SEVERITY_NOTICE] = "notice",
	[EVENT_SEVERITY_INFORMATION] = "information",
};

/* 1: usable; 0: the call was answered. */
static int filter_read(struct call *call, struct filter *ret)
{
	json_object *parameters = call_parameters(call), *errors;
	struct filter filter = { .severity = EVENT_SEVERITY_INFORMATION, .session = -1 };
	const char *severity = NULL;
	size_t n;

	(void)json_get_string(parameters, "severity", &severity);
	if (severity)
		filter.severity = table_value(severity_names, ELEMENTSOF(severity_names), severity);
	(void)json_get_string(parameters, "targetName", &filter.target_name);
	(void)json_get_array(parameters, "numbers", &filter.numbers);
	if (json_get_int(parameters, "session", 0, UINT32_MAX, &filter.session) < 0) {
		call_invalid_parameter(call, "session");
		return 0;
	}
	n = filter.numbers ? json_object_array_length(filter.numbers) : 0;
	for (size_t i = 0; i < n; i++) {
		int64_t number = -1;

		(void)json_to_int(json_object_array_get_idx(filter.numbers, i), &number);
		if (number >= 0 && number <= UINT16_MAX && event_type_get((unsigned)number))
			continue;
		errors = json_wrap("number", json_object_new_int64(number));
		call_error(call, ERROR_EVENT_NO_SUCH_EVENT, errors);
		return 0;
	}
	*ret = filter;
	return 1;
}

static bool filter_has_number(const struct filter *filter, int64_t number)
{
	size_t n = json_object_array_length(filter->numbers);

	for (size_t i = 0; i < n; i++) {
		int64_t wanted = -1;

		(void)json_to_int(json_object_array_get_idx(filter->numbers, i), &wanted);
		if (wanted == number)
			return true;
	}
	return false;
}

static bool filter_passes(const struct filter *filter, const struct event *event)
{
	const struct event_type *type = event_type(event);
	const char *session = event_get(event, FIELD_SESSION),
		   *target = event_get(event, FIELD_TARGET);
	uint64_t sid;

	if ((int)type->severity > filter->severity)
		return false;
	if (filter->numbers && !filter_has_number(filter, type->number))
		return false;
	if (filter->session >= 0 && (!session || parse_u64(session, 0, UINT32_MAX, &sid) < 0 ||
				     (int64_t)sid != filter->session))
		return false;
	return !filter->target_name || (target && fnmatch(filter->target_name, target, 0) == 0);
}

/* Events as JSON */

static json_object *fields_to_json(const struct event *event)
{
	_cleanup_json_ json_object *object = json_object_new_object();

	for (int i = 0; object && i < _FIELD_MAX; i++)
		if (json_set_string(object, event_field_name(i), event_get(event, i)) < 0)
			return NULL;
	return TAKE_PTR(object);
}

static int set_field_number(json_object *object, const char *name, const char *value)
{
	uint64_t number;

	if (!value || parse_u64(value, 0, INT64_MAX, &number) < 0)
		return 0;
	return json_set_int(object, name, (int64_t)number);
}

static json_object *entry_to_json(const struct eventlog_entry *entry)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	const struct event *event = entry->event;
	const struct event_type *type = event_type(event);
	int r;

	if (!object)
		return NULL;
	r = json_set_int(object, "sequence", (int64_t)entry->sequence);
	r |= json_set_int(object, "number", type->number);
	r |= json_set_string(object, "symbol", type->symbol);
	r |= json_set_string(object, "severity", severity_names[type->severity]);
	r |= json_set_string(object, "messageId", type->message_id);
	r |= json_set_int(object, "realtimeTimestampUSec", (int64_t)entry->realtime_usec);
	r |= json_set_int(object, "monotonicTimestampUSec", (int64_t)entry->monotonic_usec);
	r |= json_set_string(object, "message", entry->message ?: type->symbol);
	r |= set_field_number(object, "session", event_get(event, FIELD_SESSION));
	r |= set_field_number(object, "connection", event_get(event, FIELD_CONNECTION));
	r |= json_set_string(object, "targetName", event_get(event, FIELD_TARGET));
	r |= json_set_string(object, "portal", event_get(event, FIELD_PORTAL));
	r |= json_set_string(object, "transport", event_get(event, FIELD_TRANSPORT));
	r |= set_field_number(object, "hostNumber", event_get(event, FIELD_HOST));
	r |= json_set_string(object, "outcome", event_get(event, FIELD_OUTCOME));
	r |= json_set(object, "fields", fields_to_json(event));
	return r < 0 ? NULL : TAKE_PTR(object);
}

/* The sequence number before the @wanted newest events that pass. */
static uint64_t start_of_history(const struct eventlog *log, const struct filter *filter,
				 int64_t wanted)
{
	const struct eventlog_entry *entry;
	uint64_t sequence = 0;
	int64_t passing = 0;

	for (entry = eventlog_after(log, 0); entry; entry = eventlog_after(log, entry->sequence))
		passing += filter_passes(filter, entry->event);
	for (entry = eventlog_after(log, 0); entry && passing > wanted;
	     entry = eventlog_after(log, sequence)) {
		passing -= filter_passes(filter, entry->event);
		sequence = entry->sequence;
	}
	return sequence;
}

/* Subscribe */

struct subscription {
	struct call *call;
	struct service *service;
	struct eventlog_subscription *events;
	struct filter filter;
	uint64_t told; /* sequence number */
	int64_t missed;
};

static void subscription_free(void *userdata)
{
	struct subscription *subscription = userdata;

	subscription->events = eventlog_unsubscribe(subscription->events);
	subscription->service->n_subscribers--;
	free(subscription);
}

static void subscription_event(const struct eventlog_entry *entry, void *userdata)
{
	const struct subscription *subscription = userdata;

	call_wake(subscription->call);
}

/* False: the call has ended. */
static bool subscription_tell(struct subscription *subscription, const struct eventlog_entry *entry)
{
	json_object *answer = json_wrap("event", entry_to_json(entry));

	if (answer && subscription->missed > 0) {
		if (json_set_int(answer, "missed", subscription->missed) < 0) {
			json_object_put(answer);
			answer = NULL;
		}
		subscription->missed = 0;
	}
	return call_stream(subscription->call, answer);
}

static void subscription_produce(struct call *call, void *userdata)
{
	struct subscription *subscription = userdata;
	const struct eventlog *log = call_manager(call)->log;
	const struct eventlog_entry *entry;

	while (!call_full(call)) {
		entry = eventlog_after(log, subscription->told);
		if (!entry)
			return;
		subscription->missed += (int64_t)(entry->sequence - subscription->told - 1);
		subscription->told = entry->sequence;
		if (filter_passes(&subscription->filter, entry->event) &&
		    !subscription_tell(subscription, entry))
			return;
	}
}

/* Where the events begin. 1: *@ret is set; 0: the call was answered. */
static int read_start(struct call *call, const struct filter *filter, uint64_t *ret)
{
	json_object *parameters = call_parameters(call);
	const struct eventlog *log = call_manager(call)->log;
	int64_t history = 0, after = -1;
	uint64_t start = eventlog_last(log);

	if (json_get_int(parameters, "history", 0, INT64_MAX, &history) < 0) {
		call_invalid_parameter(call, "history");
		return 0;
	}
	if (json_get_int(parameters, "after", 0, INT64_MAX, &after) < 0) {
		call_invalid_parameter(call, "after");
		return 0;
	}
	if (history > 0)
		start = start_of_history(log, filter, history);
	/* A number of an earlier run of the daemon may be greater than all of this one. */
	if (after >= 0 && (uint64_t)after <= eventlog_last(log))
		start = (uint64_t)after;
	*ret = start;
	return 1;
}

static int subscribe(struct call *call, const struct filter *filter, uint64_t start)
{
	struct subscription *subscription = calloc(1, sizeof(*subscription));
	int r;

	if (!subscription)
		return -ENOMEM;
	*subscription = (struct subscription){
		.call = call,
		.service = call_service(call),
		.filter = *filter,
		.told = start,
	};
	r = eventlog_subscribe(call_manager(call)->log, subscription_event, subscription,
			       &subscription->events);
	if (r < 0) {
		free(subscription);
		return r;
	}
	subscription->service->n_subscribers++;
	call_keep(call, subscription, subscription_free);
	if (call_stream(call, json_wrap("ready", json_object_new_boolean(true))))
		call_produce(call, subscription_produce);
	return 0;
}

int method_event_subscribe(struct call *call)
{
	struct filter filter;
	uint64_t start;

	if (service_subscribers(call_service(call)) >= SERVICE_SUBSCRIBERS_MAX) {
		call_error(call, ERROR_EVENT_SUBSCRIPTION_LIMIT,
			   json_wrap("maximum", json_object_new_int(SERVICE_SUBSCRIBERS_MAX)));
		return 0;
	}
	if (filter_read(call, &filter) == 0 || read_start(call, &filter, &start) == 0)
		return 0;
	return subscribe(call, &filter, start);
}

/* ListRecent */

struct recent {
	struct filter filter;
	uint64_t told, last; /* those that were there when it was called */
};

static void recent_produce(struct call *call, void *userdata)
{
	struct recent *recent = userdata;
	const struct eventlog *log = call_manager(call)->log;

	while (!call_full(call)) {
		const struct eventlog_entry *entry = eventlog_after(log, recent->told);

		if (!entry || entry->sequence > recent->last) {
			call_list_end(call);
			return;
		}
		recent->told = entry->sequence;
		if (filter_passes(&recent->filter, entry->event) &&
		    !call_list(call, json_wrap("event", entry_to_json(entry))))
			return;
	}
}

int method_event_list_recent(struct call *call)
{
	const struct eventlog *log = call_manager(call)->log;
	struct recent *recent;
	struct filter filter;
	int64_t limit = INT64_MAX;

	if (json_get_int(call_parameters(call), "limit", 0, INT64_MAX, &limit) < 0) {
		call_invalid_parameter(call, "limit");
		return 0;
	}
	if (filter_read(call, &filter) == 0)
		return 0;
	recent = calloc(1, sizeof(*recent));
	if (!recent)
		return -ENOMEM;
	recent->filter = filter;
	recent->told = start_of_history(log, &filter, limit);
	recent->last = eventlog_last(log);
	call_keep(call, recent, free);
	call_produce(call, recent_produce);
	return 0;
}

/* ListTypes */

static json_object *dump_fields_to_json(const struct event_type *type)
{
	_cleanup_json_ json_object *array = json_object_new_array();

	for (size_t i = 0; array && i < type->n_dump; i++)
		if (json_append(array, json_object_new_string(event_field_name(type->dump[i]))) < 0)
			return NULL;
	return TAKE_PTR(array);
}

static json_object *type_to_json(const struct event_type *type)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_int(object, "number", type->number);
	r |= json_set_string(object, "symbol", type->symbol);
	r |= json_set_string(object, "severity", severity_names[type->severity]);
	r |= json_set_string(object, "messageId", type->message_id);
	r |= json_set_string(object, "subject", type->subject);
	r |= json_set_string(object, "cause", type->cause);
	r |= json_set_string(object, "advice", type->advice);
	r |= json_set(object, "dumpFields", dump_fields_to_json(type));
	return r < 0 ? NULL : json_wrap("type", TAKE_PTR(object));
}

int method_event_list_types(struct call *call)
{
	const struct event_type *type;

	for (size_t i = 0; (type = event_type_at(i)); i++)
		if (!call_list(call, type_to_json(type)))
			return 0;
	call_list_end(call);
	return 0;
}
