/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.ois.discovery: runs a discovery for a client, tells targets while they are found, and records
 * them. The summary comes when the records are on disk.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "address.h"
#include "discovery.h"
#include "interfaces.h"
#include "json.h"
#include "method_change.h"
#include "method_common.h"
#include "parse.h"
#include "table.h"
#include "turn.h"

enum record_mode {
	RECORD_NONE,
	RECORD_ADD,
	RECORD_UPDATE,
	RECORD_REPLACE,
};

/* Of so many nodes that one discovery creates or removes, each is an event. */
#define NODE_EVENTS_MAX 100

struct discover {
	struct call *call; /* NULL: it has ended */
	struct manager *manager;
	struct discovery *discovery;
	enum record_mode mode;
	bool incomplete; /* what is missing may have been told */
	bool inside;     /* a callback of the discovery */
	unsigned node_events;
	char address[PORTAL_ADDRESS_MAX];
	uint16_t port;
	char target_name[ISCSI_NAME_MAX + 1]; /* empty: all were asked for */
	uint64_t started_usec;                /* CLOCK_MONOTONIC */
	uint64_t oldest_seen_usec;            /* of the nodes found now; CLOCK_REALTIME */
	int64_t targets, portals, created, updated, deleted;
};

/* What was found until the discovery broke off stays recorded. */
static void keep_records(const struct discover *discover)
{
	if (discover->mode != RECORD_NONE && discover->targets > 0)
		(void)records_commit(discover->manager->records, NULL, NULL);
}

/*
 * The call has ended: the client is gone, or has its last answer. Who uses us frees us: a callback
 * of the discovery, the last one of them above all, or the writer of records.
 */
static void discover_gone(void *userdata)
{
	struct discover *discover = userdata;

	discover->call = NULL;
	if (!discover->discovery)
		return;
	discover->discovery = discovery_cancel(discover->discovery);
	keep_records(discover);
	if (!discover->inside)
		free(discover);
}

/* False: the call has ended. */
static bool discover_say(struct discover *discover, json_object *answer)
{
	discover->inside = true;
	(void)call_stream(discover->call, answer);
	discover->inside = false;
	return discover->call != NULL;
}

static bool say_phase(struct discover *discover, enum discovery_phase phase)
{
	const char *name = discovery_phase_to_string(phase);

	return discover_say(discover, json_wrap("phase", json_object_new_string(name)));
}

static void discover_phase(void *userdata, enum discovery_phase phase)
{
	struct discover *discover = userdata;

	if (!say_phase(discover, phase))
		free(discover);
}

/* Recording */

static void raise_node_event(struct discover *discover, const struct node *node,
			     enum event_number number)
{
	if (discover->node_events++ < NODE_EVENTS_MAX)
		eventlog_raise(discover->manager->log, node_event(discover->call, node, number));
}

/* True if the portal has a record now. */
static bool record_portal(struct discover *discover, const struct discovery_target *target,
			  const struct discovery_portal *portal)
{
	struct records *records = discover->manager->records;
	struct node_key key = { target->name, portal->address, portal->port };
	enum records_found found;
	struct node *node;

	if (discover->mode == RECORD_NONE ||
	    (discover->mode == RECORD_ADD && records_find(records, &key)))
		return records_find(records, &key);
	if (records_found(records, &key, portal->portal_group_tag, target->alias, discover->address,
			  discover->port, true, &found) < 0)
		return false;
	node = records_find(records, &key);
	if (records_set_interface(records, node, discovery_interface(discover->discovery)) < 0)
		return false;
	if (node->last_seen_usec < discover->oldest_seen_usec)
		discover->oldest_seen_usec = node->last_seen_usec;
	if (found == RECORDS_FOUND_CREATED) {
		discover->created++;
		raise_node_event(discover, node, EVENT_NODE_CREATED);
	} else if (found == RECORDS_FOUND_UPDATED) {
		discover->updated++;
	}
	return true;
}

/* A node that this portal told of before and does not any more, that nobody uses and nobody
 * configured. */
static bool is_stale(const struct discover *discover, const struct node *node)
{
	bool asked = !discover->target_name[0] ||
		     strcmp(node->key.target_name, discover->target_name) == 0;

	return asked && node->origin == NODE_ORIGIN_SEND_TARGETS &&
	       node->last_seen_usec < discover->oldest_seen_usec && node->origin_address &&
	       strcmp(node->origin_address, discover->address) == 0 &&
	       node->origin_port == discover->port && !node->secret && !node->target_secret &&
	       settings_is_empty(node->settings) &&
	       !manager_find_session_of(discover->manager, &node->key);
}

static void remove_stale(struct discover *discover)
{
	struct records *records = discover->manager->records;
	struct node *node;
	size_t i = records_count(records);

	/* From the end, so that what is left to look at stays in its place. */
	while (i-- > 0) {
		node = records_at(records, i);
		if (!is_stale(discover, node))
			continue;
		raise_node_event(discover, node, EVENT_NODE_REMOVED);
		records_remove(records, node);
		discover->deleted++;
	}
}

/* Targets */

static json_object *portal_to_json(const struct discovery_portal *portal)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_string(object, "address", portal->address);
	r |= json_set_int(object, "port", portal->port);
	if (portal->portal_group_tag >= 0)
		r |= json_set_int(object, "portalGroupTag", portal->portal_group_tag);
	return r < 0 ? NULL : TAKE_PTR(object);
}

static json_object *portals_to_json(const struct discovery_target *target)
{
	_cleanup_json_ json_object *array = json_object_new_array();

	for (size_t i = 0; array && i < target->n_portals; i++)
		if (json_append(array, portal_to_json(&target->portals[i])) < 0)
			return NULL;
	return TAKE_PTR(array);
}

static json_object *target_to_json(const struct discovery_target *target, int64_t recorded)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_string(object, "name", target->name);
	r |= json_set_string(object, "alias", target->alias);
	r |= json_set(object, "portals", portals_to_json(target));
	r |= json_set_int(object, "recorded", recorded);
	return r < 0 ? NULL : json_wrap("target", TAKE_PTR(object));
}

static void discover_target(void *userdata, const struct discovery_target *target)
{
	struct discover *discover = userdata;
	int64_t recorded = 0;

	for (size_t i = 0; i < target->n_portals; i++)
		recorded += record_portal(discover, target, &target->portals[i]);
	discover->targets += !target->rest;
	discover->portals += (int64_t)target->n_portals;
	if (!discover_say(discover, target_to_json(target, recorded))) {
		free(discover);
	} else if (call_full(discover->call)) {
		discovery_pause(discover->discovery);
		call_wake(discover->call);
	}
}

/* The client has read what there was. */
static void discover_more(struct call *call, void *userdata)
{
	struct discover *discover = userdata;

	if (discover->discovery)
		discovery_resume(discover->discovery);
}

/* The end */

static json_object *summary_to_json(const struct discover *discover)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_int(object, "targets", discover->targets);
	r |= json_set_int(object, "portals", discover->portals);
	r |= json_set_int(object, "recordsCreated", discover->created);
	r |= json_set_int(object, "recordsUpdated", discover->updated);
	r |= json_set_int(object, "recordsDeleted", discover->deleted);
	r |= json_set_int(object, "durationUSec",
			  (int64_t)(turn_usec(CLOCK_MONOTONIC) - discover->started_usec));
	return r < 0 ? NULL : json_wrap("summary", TAKE_PTR(object));
}

static void discover_stored(void *userdata, int error)
{
	_cleanup_free_ struct discover *discover = userdata;

	if (!discover->call)
		return;
	if (error < 0)
		call_store_failed(discover->call, ERROR_DISCOVERY_STORE_FAILED, error);
	else
		call_reply(discover->call, summary_to_json(discover));
}

static json_object *failure_details(const struct discover *discover,
				    const struct discovery_failure *failure)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_string(object, "address", discover->address);
	r |= json_set_int(object, "port", discover->port);
	r |= json_set_string(object, "phase", discovery_phase_to_string(failure->phase));
	if (failure->status_class >= 0) {
		r |= json_set_int(object, "statusClass", failure->status_class);
		r |= json_set_int(object, "statusDetail", failure->status_detail);
	}
	if (failure->event)
		r |= json_set_int(object, "event", failure->event);
	r |= json_set_string(object, "message", failure->message);
	return r < 0 ? NULL : TAKE_PTR(object);
}

/* The error where the errno alone does not tell it; NULL. */
static const char *failure_name(const struct discovery_failure *failure)
{
	if (failure->event == EVENT_RESOLVE_FAILED)
		return ERROR_DISCOVERY_RESOLVE_FAILED;
	/* No way from this host, whatever the system calls it. */
	if (failure->event == EVENT_PORTAL_SETUP_FAILED ||
	    failure->event == EVENT_TRANSPORT_UNAVAILABLE ||
	    (failure->event == EVENT_CONNECT_FAILED && failure->error != -ETIMEDOUT))
		return ERROR_DISCOVERY_UNREACHABLE;
	/* Credentials that cannot even be tried. */
	if (failure->event == EVENT_INITIATOR_SECRET_TOO_SHORT ||
	    failure->event == EVENT_TARGET_SECRET_TOO_SHORT ||
	    failure->event == EVENT_CHAP_UNAVAILABLE || failure->event == EVENT_CHAP_NAME_MISSING)
		return ERROR_DISCOVERY_AUTHENTICATION_FAILED;
	/* It was the portal's word, whatever it is called here. */
	if (failure->status_class >= 0 && failure->error != -EACCES)
		return ERROR_DISCOVERY_PROTOCOL_FAILED;
	return NULL;
}

static void discover_failed(struct discover *discover, const struct discovery_failure *failure)
{
	json_object *details = failure_details(discover, failure);
	const char *name = failure_name(failure);

	keep_records(discover);
	if (name)
		call_fail_as(discover->call, name, failure->error, details);
	else
		call_fail(discover->call, failure->error, details);
}

/* True: the writer of records goes on, and frees us. */
static bool discover_store(struct discover *discover)
{
	int r;

	if (!say_phase(discover, DISCOVERY_RECORDING))
		return false;
	if (discover->mode == RECORD_REPLACE && !discover->incomplete)
		remove_stale(discover);
	r = records_commit(discover->manager->records, discover_stored, discover);
	if (r < 0)
		call_fail(discover->call, r, NULL);
	return r >= 0;
}

static void discover_incomplete(void *userdata)
{
	struct discover *discover = userdata;

	discover->incomplete = true;
}

static void discover_done(void *userdata, const struct discovery_failure *failure)
{
	struct discover *discover = userdata;

	discover->discovery = NULL;
	if (!failure && discover->mode != RECORD_NONE && discover_store(discover))
		return;
	if (discover->call && failure)
		discover_failed(discover, failure);
	else if (discover->call)
		call_reply(discover->call, summary_to_json(discover));
	else
		keep_records(discover);
	free(discover);
}

static const struct discovery_callbacks discover_callbacks = {
	.phase = discover_phase,
	.target = discover_target,
	.incomplete = discover_incomplete,
	.done = discover_done,
};

/* The beginning */

static enum record_mode record_mode_from_string(const char *name)
{
	static const char *const names[] = {
		[RECORD_NONE] = "none",
		[RECORD_ADD] = "add",
		[RECORD_UPDATE] = "update",
		[RECORD_REPLACE] = "replace",
	};
	int mode = table_value(names, ELEMENTSOF(names), name);

	return mode < 0 ? RECORD_NONE : (enum record_mode)mode;
}

/* The name of a parameter that cannot be, or NULL. */
static const char *read_addresses(json_object *parameters, struct discover *discover,
				  struct discovery_config *config)
{
	const char *text = NULL;
	int64_t port = ISCSI_PORT;

	(void)json_get_string(parameters, "address", &text);
	if (address_normalize(text, discover->address, sizeof(discover->address)) < 0)
		return "address";
	if (json_get_int(parameters, "port", 1, UINT16_MAX, &port) < 0)
		return "port";
	(void)json_get_string(parameters, "sourceAddress", &config->source_address);
	if (config->source_address && !address_is_numeric(config->source_address))
		return "sourceAddress";
	(void)json_get_string(parameters, "interface", &config->interface);
	config->address = discover->address;
	config->port = discover->port = (uint16_t)port;
	return NULL;
}

static const char *read_parameters(json_object *parameters, struct discover *discover,
				   struct discovery_config *config)
{
	const char *mode = NULL;
	int64_t timeout = 0;

	(void)json_get_string(parameters, "targetName", &config->target_name);
	if (config->target_name && iscsi_target_name_check(config->target_name, NULL) < 0)
		return "targetName";
	(void)snprintf(discover->target_name, sizeof(discover->target_name), "%s",
		       config->target_name ?: "");
	(void)json_get_string(parameters, "recordMode", &mode);
	if (json_get_int(parameters, "timeoutSeconds", 1, 300, &timeout) < 0)
		return "timeoutSeconds";
	config->timeout_seconds = (unsigned)timeout;
	discover->mode = record_mode_from_string(mode);
	return read_addresses(parameters, discover, config);
}

/* Nobody asked for this interface now: it is what was configured for the portal, or for all. */
static int refuse_interface(struct call *call, const struct discovery_config *config, int error)
{
	const struct manager *manager = call_manager(call);
	const struct portal *portal =
		records_find_portal(manager->records, config->address, config->port);
	const struct settings *settings = manager->config->discovery_defaults;
	struct settings_fault fault = { 0 };

	if (portal && settings_is_set(portal->settings, SETTING_INTERFACE))
		settings = portal->settings;
	(void)settings_conflict(
		settings, SETTING_INTERFACE,
		error == -ENOENT ? "is no interface of this host; 'ois-ctl ifaces' lists them"
				 : "is of an adapter that logs in by itself",
		&fault);
	return call_refuse_setting(call, ERROR_DISCOVERY_INVALID_SETTING, error, &fault);
}

/* 0 if the call was answered for it. */
static int refuse_start(struct call *call, const struct discovery_config *config, int error)
{
	struct settings_fault fault = {
		.name = "sourceAddress",
		.message = "must not be given: this interface is of an adapter that connects from "
			   "its own address, which is the interface's network.address",
	};

	if ((error == -ENOENT || error == -EOPNOTSUPP) && !config->interface)
		return refuse_interface(call, config, error);
	if (error == -ENOENT || error == -EOPNOTSUPP) {
		call_invalid_parameter(call, "interface");
		return 0;
	}
	if (error != -EADDRNOTAVAIL)
		return error;
	(void)snprintf(fault.value, sizeof(fault.value), "%s", config->source_address);
	return call_refuse_setting(call, ERROR_DISCOVERY_INVALID_SETTING, error, &fault);
}

int method_discovery_discover(struct call *call)
{
	_cleanup_free_ struct discover *discover = calloc(1, sizeof(*discover));
	struct discovery_config config = { 0 };
	const char *wrong;
	int r;

	if (!discover)
		return -ENOMEM;
	wrong = read_parameters(call_parameters(call), discover, &config);
	if (wrong) {
		call_invalid_parameter(call, wrong);
		return 0;
	}
	discover->call = call;
	discover->manager = call_manager(call);
	discover->started_usec = turn_usec(CLOCK_MONOTONIC);
	discover->oldest_seen_usec = UINT64_MAX;
	r = discovery_start(discover->manager, &config, &discover_callbacks, discover,
			    &discover->discovery);
	if (r < 0)
		return refuse_start(call, &config, r);
	call_keep(call, TAKE_PTR(discover), discover_gone);
	call_produce(call, discover_more);
	return 0;
}
