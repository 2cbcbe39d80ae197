/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.ois.discovery: what is kept for discoveries at a portal. Changes are answered when they are
 * on disk, so that success means that they stay.
 */
#include <errno.h>
#include <string.h>

#include "address.h"
#include "interface.h"
#include "interfaces.h"
#include "json.h"
#include "method_change.h"
#include "method_secret.h"
#include "parse.h"

static json_object *effective_to_json(const struct manager *manager, const struct portal *portal)
{
	_cleanup_(settings_freep) struct settings *effective = NULL;

	if (interface_effective(manager->records, manager->config->discovery_defaults,
				portal->settings, NULL, &effective) < 0)
		return NULL;
	return configured_to_json(effective, portal->secret, portal->target_secret);
}

static json_object *record_to_json(const struct manager *manager, const struct portal *portal,
				   bool effective)
{
	_cleanup_json_ json_object *record = json_object_new_object();
	int r;

	if (!record)
		return NULL;
	r = json_set_string(record, "address", portal->address);
	r |= json_set_int(record, "port", portal->port);
	r |= json_set(record, "settings",
		      configured_to_json(portal->settings, portal->secret, portal->target_secret));
	if (effective)
		r |= json_set(record, "effective", effective_to_json(manager, portal));
	r |= json_set_int(record, "createdTimestampUSec", (int64_t)portal->created_usec);
	r |= json_set_int(record, "changedTimestampUSec", (int64_t)portal->changed_usec);
	return r < 0 ? NULL : json_wrap("portal", TAKE_PTR(record));
}

/* An event about a portal, which need not have a record. */
static struct event *portal_event(const struct call *call, const char *address, uint16_t port,
				  enum event_number number)
{
	struct event *event = event_new(number);
	char text[PORTAL_TEXT_MAX];

	portal_format(address, port, text);
	event_set_string(event, FIELD_PORTAL, text);
	event_set_string(event, FIELD_DISCOVERY, "send_targets");
	event_set_number(event, FIELD_UID, call_uid(call));
	return event;
}

/* What the parameters address and port name. */
struct portal_key {
	char address[PORTAL_ADDRESS_MAX]; /* normal */
	uint16_t port;
};

/* False: the call was answered. */
static bool read_key(struct call *call, struct portal_key *ret)
{
	json_object *parameters = call_parameters(call);
	const char *address = NULL;
	int64_t port = ISCSI_PORT;

	(void)json_get_string(parameters, "address", &address);
	if (address_normalize(address, ret->address, sizeof(ret->address)) < 0) {
		call_invalid_parameter(call, "address");
		return false;
	}
	if (json_get_int(parameters, "port", 1, UINT16_MAX, &port) < 0) {
		call_invalid_parameter(call, "port");
		return false;
	}
	ret->port = (uint16_t)port;
	return true;
}

static struct portal *find(const struct call *call, const struct portal_key *key)
{
	return records_find_portal(call_manager(call)->records, key->address, key->port);
}

/* The record, made if it is missing. Errors: -ENOMEM. */
static int find_or_create(const struct call *call, const struct portal_key *key,
			  struct portal **ret)
{
	*ret = find(call, key);
	return *ret ? 0
		    : records_create_portal(call_manager(call)->records, key->address, key->port,
					    ret);
}

static int no_such_portal(struct call *call, const struct portal_key *key)
{
	_cleanup_json_ json_object *object = json_object_new_object();

	if (!object || json_set_string(object, "address", key->address) < 0 ||
	    json_set_int(object, "port", key->port) < 0)
		return -ENOMEM;
	call_error(call, ERROR_DISCOVERY_NO_SUCH_PORTAL, TAKE_PTR(object));
	return 0;
}

/* Tells of the change, and answers with the record when it is durable. */
static int changed(struct call *call, struct portal *portal, const char *names)
{
	struct manager *manager = call_manager(call);
	struct event *event =
		portal_event(call, portal->address, portal->port, EVENT_PORTAL_CHANGED);

	event_set_string(event, FIELD_SETTING, names);
	records_portal_changed(manager->records, portal);
	eventlog_raise(manager->log, event);
	return call_store(call, record_to_json(manager, portal, false),
			  ERROR_DISCOVERY_STORE_FAILED);
}

/* ListPortals */

struct listing {
	char *only;   /* normal; NULL: any */
	int64_t port; /* -1: any */
	bool effective;
	/* The one listed last; others may come and go between two turns. */
	struct portal_key last;
};

static void listing_free(void *userdata)
{
	struct listing *listing = userdata;

	free(listing->only);
	free(listing);
}

static bool is_behind(const struct portal *portal, const struct portal_key *last)
{
	int order = strcmp(portal->address, last->address);

	return order > 0 || (order == 0 && portal->port > last->port);
}

static void list_produce(struct call *call, void *userdata)
{
	struct listing *listing = userdata;
	const struct manager *manager = call_manager(call);
	const struct portal *portal;

	for (size_t i = 0; (portal = records_portal_at(manager->records, i)); i++) {
		if (!is_behind(portal, &listing->last) ||
		    (listing->only && strcmp(listing->only, portal->address) != 0) ||
		    (listing->port >= 0 && listing->port != portal->port))
			continue;
		if (call_full(call))
			return;
		(void)strcpy(listing->last.address, portal->address);
		listing->last.port = portal->port;
		if (!call_list(call, record_to_json(manager, portal, listing->effective)))
			return;
	}
	call_list_end(call);
}

int method_discovery_list_portals(struct call *call)
{
	json_object *parameters = call_parameters(call);
	struct listing *listing = calloc(1, sizeof(*listing));
	const char *address = NULL;
	char normal[PORTAL_ADDRESS_MAX];

	if (!listing)
		return -ENOMEM;
	listing->port = -1;
	call_keep(call, listing, listing_free);
	(void)json_get_string(parameters, "address", &address);
	(void)json_get_bool(parameters, "effective", &listing->effective);
	if (address && address_normalize(address, normal, sizeof(normal)) < 0) {
		call_invalid_parameter(call, "address");
	} else if (json_get_int(parameters, "port", 1, UINT16_MAX, &listing->port) < 0) {
		call_invalid_parameter(call, "port");
	} else {
		listing->only = address ? strdup(normal) : NULL;
		if (address && !listing->only)
			return -ENOMEM;
		call_produce(call, list_produce);
	}
	return 0;
}

/* SetPortal */

static bool has_settings(json_object *parameters)
{
	json_object *object = NULL;

	return json_get_object(parameters, "settings", &object) > 0 &&
	       json_object_object_length(object) > 0;
}

int method_discovery_set_portal(struct call *call)
{
	_cleanup_(settings_freep) struct settings *nothing = NULL, *settings = NULL;
	json_object *parameters = call_parameters(call);
	struct settings_fault fault = { 0 };
	struct portal_key key;
	struct portal *portal;
	char names[512];
	int r;

	if (!read_key(call, &key))
		return 0;
	portal = find(call, &key);
	if (!portal && !has_settings(parameters))
		return no_such_portal(call, &key);
	r = settings_new(SETTINGS_DISCOVERY, &nothing);
	if (r >= 0)
		r = changed_settings(portal ? portal->settings : nothing, parameters, &settings,
				     &fault);
	if (r >= 0)
		r = settings_check_own(call_manager(call), settings, NULL, &fault);
	if (r < 0)
		return call_refuse_setting(call, ERROR_DISCOVERY_INVALID_SETTING, r, &fault);
	r = find_or_create(call, &key, &portal);
	if (r < 0)
		return r;
	(void)settings_free(portal->settings);
	portal->settings = TAKE_PTR(settings);
	changed_names(parameters, names, sizeof(names));
	return changed(call, portal, names);
}

/* SetPortalSecret */

int method_discovery_set_portal_secret(struct call *call)
{
	_cleanup_(secret_change_done) struct secret_change change = { 0 };
	struct settings_fault fault;
	struct portal_key key;
	struct portal *portal;
	int r;

	if (!read_key(call, &key))
		return 0;
	r = secret_change_read(call, &change, &fault);
	if (r == -EMSGSIZE) {
		secret_too_short_raise(
			call, &change,
			portal_event(call, key.address, key.port, secret_too_short_event(&change)));
		call_error(call, ERROR_DISCOVERY_SECRET_TOO_SHORT,
			   secret_too_short_to_json(&change));
		return 0;
	}
	if (r == -EINVAL)
		return call_refuse_setting(call, ERROR_DISCOVERY_INVALID_SETTING, r, &fault);
	if (r <= 0)
		return r;
	if (!change.secret && !find(call, &key))
		return no_such_portal(call, &key);
	r = find_or_create(call, &key, &portal);
	if (r >= 0)
		r = secret_change_apply(&change, &portal->secret, &portal->target_secret);
	return r < 0 ? r : changed(call, portal, secret_change_setting(&change));
}

/* RemovePortal */

int method_discovery_remove_portal(struct call *call)
{
	struct manager *manager = call_manager(call);
	struct portal_key key;
	struct portal *portal;

	if (!read_key(call, &key))
		return 0;
	portal = find(call, &key);
	if (!portal)
		return no_such_portal(call, &key);
	eventlog_raise(manager->log,
		       portal_event(call, portal->address, portal->port, EVENT_PORTAL_REMOVED));
	records_remove_portal(manager->records, portal);
	return call_store(call, json_object_new_object(), ERROR_DISCOVERY_STORE_FAILED);
}
