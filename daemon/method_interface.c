/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.ois.interface: listing and changing interfaces. Changes are answered when they are on disk.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "interface.h"
#include "interface_apply.h"
#include "interfaces.h"
#include "json.h"
#include "method_change.h"

static int set_resolved(json_object *object, const struct interface *record, const char *name)
{
	_cleanup_(settings_freep) struct settings *settings = NULL;
	struct settings_fault fault;
	int r;

	/* What is wrong by now shows where it is used. */
	r = interface_resolve(name, record ? record->settings : NULL, &settings, &fault);
	if (r == -EINVAL)
		return 0;
	return r < 0 ? r : json_set(object, "effective", settings_to_json(settings));
}

static int set_settings(json_object *object, const struct interface *record)
{
	return json_set(object, "settings",
			record ? settings_to_json(record->settings) : json_object_new_object());
}

static const struct interface_port *find_port(const struct interface_port *ports, size_t n,
					      const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(ports[i].name, name) == 0)
			return &ports[i];
	return NULL;
}

static json_object *interface_to_json(const struct manager *manager, const char *name,
				      const struct interface_port *port, bool effective)
{
	const struct interface *record = records_find_interface(manager->records, name);
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_string(object, "name", name);
	r |= set_settings(object, record);
	if (effective)
		r |= set_resolved(object, record, name);
	r |= json_set_bool(object, "builtIn", !record);
	if (port)
		r |= json_set_int(object, "host", port->host);
	r |= json_set_int(object, "users", (int64_t)interface_count_users(manager->records, name));
	if (record) {
		r |= json_set_int(object, "createdTimestampUSec", (int64_t)record->created_usec);
		r |= json_set_int(object, "changedTimestampUSec", (int64_t)record->changed_usec);
	}
	return r < 0 ? NULL : json_wrap("interface", TAKE_PTR(object));
}

/* The same for one that was changed. */
static json_object *changed_to_json(const struct manager *manager, const char *name)
{
	_cleanup_free_ struct interface_port *ports = NULL;
	size_t n;

	if (interface_list_ports(manager, &ports, &n) < 0)
		return NULL;
	return interface_to_json(manager, name, find_port(ports, n, name), false);
}

/* List */

struct listing {
	struct manager *manager;
	bool effective;
	struct interface_port *ports;
	size_t n_ports;
	char last[INTERFACE_NAME_MAX + 17]; /* the one listed last */
};

static void listing_free(void *userdata)
{
	struct listing *listing = userdata;

	free(listing->ports);
	free(listing);
}

static void nearer(const struct listing *listing, const char *name, const char **next)
{
	if (strcmp(name, listing->last) > 0 && (!*next || strcmp(name, *next) < 0))
		*next = name;
}

/* The first name behind the last one listed; NULL: none. */
static const char *next_name(const struct listing *listing)
{
	const struct records *records = listing->manager->records;
	const struct interface *record;
	const char *next = NULL;

	nearer(listing, "default", &next);
	nearer(listing, "iser", &next);
	for (size_t i = 0; i < listing->n_ports; i++)
		nearer(listing, listing->ports[i].name, &next);
	for (size_t i = 0; (record = records_interface_at(records, i)); i++)
		nearer(listing, record->name, &next);
	return next;
}

static bool list_one(struct call *call, const struct listing *listing, const char *name)
{
	const struct interface_port *port = find_port(listing->ports, listing->n_ports, name);

	return call_list(call, interface_to_json(listing->manager, name, port, listing->effective));
}

static void list_produce(struct call *call, void *userdata)
{
	struct listing *listing = userdata;
	const char *name;

	while (!call_full(call)) {
		name = next_name(listing);
		if (!name) {
			call_list_end(call);
			return;
		}
		(void)snprintf(listing->last, sizeof(listing->last), "%s", name);
		if (!list_one(call, listing, listing->last))
			return;
	}
}

int method_interface_list(struct call *call)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	const char *name = NULL;
	int r;

	if (!listing)
		return -ENOMEM;
	call_keep(call, listing, listing_free);
	listing->manager = call_manager(call);
	(void)json_get_string(call_parameters(call), "name", &name);
	(void)json_get_bool(call_parameters(call), "effective", &listing->effective);
	r = interface_list_ports(listing->manager, &listing->ports, &listing->n_ports);
	if (r < 0)
		return r;
	if (!name)
		call_produce(call, list_produce);
	else if (!interface_exists(listing->manager->records, name) ||
		 list_one(call, listing, name))
		call_list_end(call);
	return 0;
}

/* Changes */

static struct event *interface_event(const struct call *call, const char *name,
				     enum event_number number)
{
	struct event *event = event_new(number);

	event_set_string(event, FIELD_IFACE, name);
	event_set_number(event, FIELD_UID, call_uid(call));
	return event;
}

static const char *name_of(struct call *call)
{
	const char *name = "";

	(void)json_get_string(call_parameters(call), "name", &name);
	return name;
}

static int refuse(struct call *call, const char *error, const char *name)
{
	call_error(call, error, json_wrap("name", json_object_new_string(name)));
	return 0;
}

/* The only ones of which nothing can be set. */
static bool is_fixed(const char *name)
{
	return interface_is_built_in(name) && !strchr(name, '.');
}

/* @own with what the parameters change, as it may be. */
static int change_settings(struct call *call, const char *name, const struct settings *own,
			   struct settings **ret, struct settings_fault *ret_fault)
{
	_cleanup_(settings_freep) struct settings *nothing = NULL, *settings = NULL,
						  *resolved = NULL;
	int r;

	r = settings_new(SETTINGS_INTERFACE, &nothing);
	if (r >= 0)
		r = changed_settings(own ?: nothing, call_parameters(call), &settings, ret_fault);
	if (r >= 0)
		r = interface_resolve(name, settings, &resolved, ret_fault);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(settings);
	return 0;
}

/* Sets it, and makes the record if there is none. */
static int change(struct call *call, const char *name, struct interface *record)
{
	_cleanup_(settings_freep) struct settings *settings = NULL;
	struct manager *manager = call_manager(call);
	struct settings_fault fault = { 0 };
	struct event *event;
	char names[512];
	int r;

	r = change_settings(call, name, record ? record->settings : NULL, &settings, &fault);
	if (r < 0)
		return call_refuse_setting(call, ERROR_INTERFACE_INVALID_SETTING, r, &fault);
	if (!record)
		r = records_create_interface(manager->records, name, &record);
	if (r < 0)
		return r;
	(void)settings_free(record->settings);
	record->settings = TAKE_PTR(settings);
	records_interface_changed(manager->records, record);
	changed_names(call_parameters(call), names, sizeof(names));
	event = interface_event(call, name, EVENT_INTERFACE_CHANGED);
	if (*names)
		event_set_string(event, FIELD_SETTING, names);
	eventlog_raise(manager->log, event);
	return call_store(call, changed_to_json(manager, name), ERROR_INTERFACE_STORE_FAILED);
}

int method_interface_add(struct call *call)
{
	const char *name = name_of(call);

	if (!interface_name_is_valid(name)) {
		call_invalid_parameter(call, "name");
		return 0;
	}
	if (is_fixed(name) || records_find_interface(call_manager(call)->records, name))
		return refuse(call, ERROR_INTERFACE_INTERFACE_EXISTS, name);
	return change(call, name, NULL);
}

int method_interface_set(struct call *call)
{
	const struct records *records = call_manager(call)->records;
	const char *name = name_of(call);

	if (!interface_exists(records, name))
		return refuse(call, ERROR_INTERFACE_NO_SUCH_INTERFACE, name);
	if (is_fixed(name))
		return refuse(call, ERROR_INTERFACE_INTERFACE_BUILT_IN, name);
	return change(call, name, records_find_interface(records, name));
}

static int refuse_used(struct call *call, const char *name, size_t n)
{
	json_object *object = json_wrap("name", json_object_new_string(name));

	if (!object || json_set_int(object, "users", (int64_t)n) < 0) {
		json_object_put(object);
		return -ENOMEM;
	}
	call_error(call, ERROR_INTERFACE_INTERFACE_IN_USE, object);
	return 0;
}

int method_interface_remove(struct call *call)
{
	struct manager *manager = call_manager(call);
	const char *name = name_of(call);
	struct interface *record = records_find_interface(manager->records, name);
	size_t n = interface_count_users(manager->records, name);

	if (!record)
		return refuse(call,
			      interface_is_built_in(name) ? ERROR_INTERFACE_INTERFACE_BUILT_IN
							  : ERROR_INTERFACE_NO_SUCH_INTERFACE,
			      name);
	if (n > 0 && !interface_is_built_in(name))
		return refuse_used(call, name, n);
	eventlog_raise(manager->log, interface_event(call, name, EVENT_INTERFACE_REMOVED));
	records_remove_interface(manager->records, record);
	return call_store(call, json_object_new_object(), ERROR_INTERFACE_STORE_FAILED);
}

/* Apply */

struct applying {
	struct call *call; /* NULL: the client is gone */
	size_t pending;
	int64_t applied, unchanged;
	json_object *failure; /* the first one */
};

/* One of them, for its name. */
struct applying_one {
	struct applying *applying;
	char *name;
};

static void applying_gone(void *userdata)
{
	struct applying *applying = userdata;

	applying->call = NULL;
}

static json_object *failure_of(const char *name, int error, unsigned event, const char *message)
{
	_cleanup_json_ json_object *object = json_wrap("name", json_object_new_string(name));
	int r;

	if (!object)
		return NULL;
	r = json_set_string(object, "errnoName", strerrorname_np(-error) ?: "EIO");
	if (event > 0)
		r |= json_set_int(object, "event", event);
	r |= json_set_string(object, "message", message);
	return r < 0 ? NULL : TAKE_PTR(object);
}

static json_object *applied_to_json(const struct applying *applying)
{
	_cleanup_json_ json_object *object = json_object_new_object();

	if (!object || json_set_int(object, "applied", applying->applied) < 0 ||
	    json_set_int(object, "unchanged", applying->unchanged) < 0)
		return NULL;
	return TAKE_PTR(object);
}

/* All have been told. */
static void applying_finish(struct applying *applying)
{
	if (applying->call && applying->failure)
		call_error(applying->call, ERROR_INTERFACE_APPLY_FAILED,
			   TAKE_PTR(applying->failure));
	else if (applying->call)
		call_reply(applying->call, applied_to_json(applying));
	json_object_put(applying->failure);
	free(applying);
}

static void one_applied(void *userdata, int error, unsigned event, const char *message)
{
	struct applying_one *one = userdata;
	struct applying *applying = one->applying;

	if (error < 0 && !applying->failure)
		applying->failure = failure_of(one->name, error, event, message ?: "");
	applying->applied += error >= 0;
	free(one->name);
	free(one);
	if (--applying->pending == 0)
		applying_finish(applying);
}

/* What interface_apply() returns. */
static int apply_one(struct applying *applying, const char *name)
{
	struct manager *manager = call_manager(applying->call);
	struct applying_one *one = malloc(sizeof(*one));
	int r = -ENOMEM;

	if (one) {
		*one = (struct applying_one){ applying, strdup(name) };
		r = one->name ? interface_apply(manager, name, one_applied, one) : -ENOMEM;
	}
	if (r != 0 && one) {
		free(one->name);
		free(one);
	}
	applying->unchanged += r > 0;
	applying->pending += r == 0;
	return r;
}

static int apply_all(struct applying *applying)
{
	const struct records *records = call_manager(applying->call)->records;
	const struct interface *record;
	int r = 0;

	for (size_t i = 0; r != -ENOMEM && (record = records_interface_at(records, i)); i++)
		r = apply_one(applying, record->name);
	return r == -ENOMEM ? r : 0;
}

static int refuse_apply(struct call *call, const char *name, int error)
{
	switch (error) {
	case -ENOENT:
		return refuse(call, ERROR_INTERFACE_NO_SUCH_INTERFACE, name);
	case -EOPNOTSUPP:
		return refuse(call, ERROR_INTERFACE_NOTHING_TO_APPLY, name);
	case -ENODEV:
		return refuse(call, ERROR_INTERFACE_NO_SUCH_PORT, name);
	default:
		return error;
	}
}

int method_interface_apply(struct call *call)
{
	struct applying *applying = calloc(1, sizeof(*applying));
	const char *name = NULL;
	int r;

	if (!applying)
		return -ENOMEM;
	applying->call = call;
	(void)json_get_string(call_parameters(call), "name", &name);
	r = name ? apply_one(applying, name) : apply_all(applying);
	if (r < 0 && applying->pending == 0) {
		free(applying);
		return refuse_apply(call, name ?: "", r);
	}
	if (applying->pending == 0) {
		applying_finish(applying);
		return 0;
	}
	call_keep(call, applying, applying_gone);
	return 0;
}
