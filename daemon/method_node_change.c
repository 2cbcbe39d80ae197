/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of node records. They are answered when they are on disk, so that success means that they
 * stay.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "interfaces.h"
#include "json.h"
#include "method_change.h"
#include "method_node.h"
#include "method_secret.h"
#include "parse.h"

static int refuse_setting(struct call *call, int error, const struct settings_fault *fault)
{
	return call_refuse_setting(call, ERROR_NODE_INVALID_SETTING, error, fault);
}

static int change_store(struct call *call, json_object *answer)
{
	return call_store(call, answer, ERROR_NODE_STORE_FAILED);
}

/* Create */

/* @address is room for the address in its normal form. */
static int key_fault(json_object *key, char address[PORTAL_ADDRESS_MAX], struct node_key *ret,
		     int64_t *ret_tag, struct settings_fault *ret_fault)
{
	static const char bad_address[] =
		"must be an address or host name, without port and brackets";
	static const char bad_port[] = "must be 1 to 65535", bad_tag[] = "must be 0 to 65535";
	const char *why = NULL, *field = NULL, *target_name, *text;
	int64_t port = 0, tag = -1;

	(void)json_get_string(key, "targetName", &target_name);
	(void)json_get_string(key, "address", &text);
	if (iscsi_target_name_check(target_name, &why) < 0)
		field = "targetName";
	else if (address_normalize(text, address, PORTAL_ADDRESS_MAX) < 0)
		field = "address", why = bad_address;
	else if (json_get_int(key, "port", 1, UINT16_MAX, &port) < 0)
		field = "port", why = bad_port;
	else if (json_get_int(key, "portalGroupTag", 0, UINT16_MAX, &tag) < 0)
		field = "portalGroupTag", why = bad_tag;
	if (field) {
		*ret_fault = (struct settings_fault){ 0 };
		(void)snprintf(ret_fault->name, sizeof(ret_fault->name), "key.%s", field);
		(void)snprintf(ret_fault->message, sizeof(ret_fault->message), "%s", why);
		return -EINVAL;
	}
	*ret = (struct node_key){ .target_name = target_name,
				  .address = address,
				  .port = (uint16_t)port };
	*ret_tag = tag;
	return 0;
}

static int create_node(struct call *call, const struct node_key *key, int tag,
		       struct settings **settings)
{
	struct manager *manager = call_manager(call);
	struct node *node;
	int r;

	r = records_create(manager->records, key, tag, &node);
	if (r == -EEXIST) {
		call_error(call, ERROR_NODE_NODE_EXISTS,
			   json_wrap("key",
				     key_to_json(key->target_name, key->address, key->port, tag)));
		return 0;
	}
	if (r < 0)
		return r;
	(void)settings_free(node->settings);
	node->settings = TAKE_PTR(*settings);
	records_changed(manager->records, node, false);
	eventlog_raise(manager->log, node_event(call, node, EVENT_NODE_CREATED));
	return change_store(call, record_to_json(manager, node, false));
}

int method_node_create(struct call *call)
{
	_cleanup_(settings_freep) struct settings *settings = NULL;
	json_object *parameters = call_parameters(call), *key_object = NULL, *object = NULL;
	struct settings_fault fault = { 0 };
	char address[PORTAL_ADDRESS_MAX];
	struct node_key key;
	int64_t tag;
	int r;

	(void)json_get_object(parameters, "key", &key_object);
	(void)json_get_object(parameters, "settings", &object);
	r = key_fault(key_object, address, &key, &tag, &fault);
	if (r >= 0)
		r = settings_new(SETTINGS_NODE, &settings);
	if (r >= 0 && object)
		r = settings_set_json(settings, object, &fault);
	if (r >= 0)
		r = settings_check_own(call_manager(call), settings, NULL, &fault);
	if (r < 0)
		return refuse_setting(call, r, &fault);
	return create_node(call, &key, (int)tag, &settings);
}

/* Update */

/* Who says when a node is to be logged in says that it may be. */
static bool sets_startup(json_object *parameters)
{
	json_object *settings = NULL;
	const char *startup;

	return json_get_object(parameters, "settings", &settings) > 0 &&
	       json_get_string(settings, "startup", &startup) > 0;
}

/* Takes the new settings over; nodes that stay as they were are left alone. */
static void apply_settings(struct call *call, struct node **nodes, struct settings **settings,
			   size_t n)
{
	struct manager *manager = call_manager(call);
	bool startup = sets_startup(call_parameters(call));
	char names[512];

	changed_names(call_parameters(call), names, sizeof(names));
	for (size_t i = 0; i < n; i++) {
		struct event *event;

		if (startup)
			manager_take_login(manager, nodes[i]);
		if (settings_equal(nodes[i]->settings, settings[i]))
			continue;
		(void)settings_free(nodes[i]->settings);
		nodes[i]->settings = TAKE_PTR(settings[i]);
		records_changed(manager->records, nodes[i], false);
		event = node_event(call, nodes[i], EVENT_NODE_CHANGED);
		event_set_string(event, FIELD_SETTING, names);
		eventlog_raise(manager->log, event);
	}
}

/* Takes "redirect" off the names to reset: it is no setting, but goes back to nothing like one. */
static bool take_reset(json_object *parameters)
{
	json_object *names = NULL;
	bool found = false;

	(void)json_get_array(parameters, "reset", &names);
	for (size_t i = names ? json_object_array_length(names) : 0; i-- > 0;)
		if (strcmp(json_object_get_string(json_object_array_get_idx(names, i)),
			   "redirect") == 0)
			found |= json_object_array_del_idx(names, i, 1) == 0;
	return found;
}

static void forget_redirects(struct call *call, struct node **nodes, size_t n)
{
	struct manager *manager = call_manager(call);

	for (size_t i = 0; i < n; i++) {
		char portal[PORTAL_TEXT_MAX];
		struct event *event;

		if (!nodes[i]->redirect_address)
			continue;
		event = node_event(call, nodes[i], EVENT_REDIRECT_FORGOTTEN);
		portal_format(nodes[i]->redirect_address, nodes[i]->redirect_port, portal);
		event_set_string(event, FIELD_REDIRECT, portal);
		eventlog_raise(manager->log, event);
		(void)records_set_redirect(manager->records, nodes[i], NULL, 0);
	}
}

int method_node_update(struct call *call)
{
	_cleanup_free_ struct node **nodes = NULL;
	_cleanup_free_ struct settings **settings = NULL;
	struct settings_fault fault = { 0 };
	bool forget = take_reset(call_parameters(call));
	size_t n = 0;
	int r;

	r = call_select_nodes(call, ERROR_NODE_NO_SUCH_NODE, &nodes, &n);
	if (r <= 0)
		return r;
	settings = calloc(n, sizeof(*settings));
	if (!settings)
		return -ENOMEM;
	for (size_t i = 0; i < n && r >= 0; i++) {
		r = changed_settings(nodes[i]->settings, call_parameters(call), &settings[i],
				     &fault);
		if (r >= 0)
			r = settings_check_own(call_manager(call), settings[i], nodes[i]->interface,
					       &fault);
	}
	if (r >= 0)
		apply_settings(call, nodes, settings, n);
	if (r >= 0 && forget)
		forget_redirects(call, nodes, n);
	for (size_t i = 0; i < n; i++)
		(void)settings_free(settings[i]);
	if (r < 0)
		return refuse_setting(call, r, &fault);
	return change_store(call, json_wrap("updated", json_object_new_int64((int64_t)n)));
}

/* Delete */

static json_object *in_use_to_json(struct manager *manager, const struct node *node)
{
	_cleanup_json_ json_object *object = json_wrap("key", node_key_to_json(node));

	if (!object || json_set(object, "sessions", node_sessions_to_json(manager, node)) < 0)
		return NULL;
	return TAKE_PTR(object);
}

int method_node_delete(struct call *call)
{
	struct manager *manager = call_manager(call);
	_cleanup_free_ struct node **nodes = NULL;
	bool force = false;
	size_t n = 0;
	int r;

	(void)json_get_bool(call_parameters(call), "force", &force);
	r = call_select_nodes(call, ERROR_NODE_NO_SUCH_NODE, &nodes, &n);
	if (r <= 0)
		return r;
	for (size_t i = 0; i < n && !force; i++) {
		if (!manager_find_session_of(manager, &nodes[i]->key))
			continue;
		call_error(call, ERROR_NODE_NODE_IN_USE, in_use_to_json(manager, nodes[i]));
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		eventlog_raise(manager->log, node_event(call, nodes[i], EVENT_NODE_REMOVED));
		records_remove(manager->records, nodes[i]);
	}
	return change_store(call, json_wrap("deleted", json_object_new_int64((int64_t)n)));
}

/* SetSecret */

static void raise_too_short(struct call *call, struct node *const *nodes, size_t n,
			    const struct secret_change *change)
{
	for (size_t i = 0; i < n; i++)
		secret_too_short_raise(call, change,
				       node_event(call, nodes[i], secret_too_short_event(change)));
}

static int apply_secret(struct call *call, struct node **nodes, size_t n,
			const struct secret_change *change)
{
	struct manager *manager = call_manager(call);

	for (size_t i = 0; i < n; i++) {
		struct event *event;
		int r;

		r = secret_change_apply(change, &nodes[i]->secret, &nodes[i]->target_secret);
		if (r < 0)
			return r;
		records_changed(manager->records, nodes[i], false);
		event = node_event(call, nodes[i], EVENT_NODE_CHANGED);
		event_set_string(event, FIELD_SETTING, secret_change_setting(change));
		eventlog_raise(manager->log, event);
	}
	return 0;
}

int method_node_set_secret(struct call *call)
{
	_cleanup_(secret_change_done) struct secret_change change = { 0 };
	_cleanup_free_ struct node **nodes = NULL;
	struct settings_fault fault;
	size_t n = 0;
	int r;

	r = call_select_nodes(call, ERROR_NODE_NO_SUCH_NODE, &nodes, &n);
	if (r <= 0)
		return r;
	r = secret_change_read(call, &change, &fault);
	if (r == -EMSGSIZE) {
		raise_too_short(call, nodes, n, &change);
		call_error(call, ERROR_NODE_SECRET_TOO_SHORT, secret_too_short_to_json(&change));
		return 0;
	}
	if (r == -EINVAL)
		return refuse_setting(call, r, &fault);
	if (r <= 0)
		return r;
	r = apply_secret(call, nodes, n, &change);
	if (r < 0)
		return r;
	return change_store(call, json_wrap("updated", json_object_new_int64((int64_t)n)));
}
