/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "interface.h"
#include "address.h"
#include "json.h"
#include "method_common.h"
#include "parse.h"

/* Selectors */

int selector_read(json_object *object, struct selector *ret)
{
	struct selector selector = { .port = -1, .session = -1, .startup = -1 };
	const char *startup = NULL, *address = NULL;

	if (json_get_string(object, "targetName", &selector.target_name) < 0 ||
	    json_get_string(object, "address", &address) < 0 ||
	    json_get_int(object, "port", 1, UINT16_MAX, &selector.port) < 0 ||
	    json_get_int(object, "session", 0, UINT32_MAX, &selector.session) < 0 ||
	    json_get_string(object, "startup", &startup) < 0)
		return -EINVAL;
	if (address && address_normalize(address, selector.address, sizeof(selector.address)) < 0)
		return -EINVAL;
	if (startup)
		selector.startup =
			strcmp(startup, "automatic") == 0 ? STARTUP_AUTOMATIC : STARTUP_MANUAL;
	*ret = selector;
	return 0;
}

bool selector_matches(const struct selector *selector, const char *target_name, const char *address,
		      uint16_t port)
{
	return (selector->port < 0 || selector->port == port) &&
	       (!selector->address[0] || strcmp(selector->address, address) == 0) &&
	       (!selector->target_name || fnmatch(selector->target_name, target_name, 0) == 0);
}

bool selector_matches_session(const struct selector *selector, const struct session *session)
{
	if (selector->session >= 0 && (!session->in_kernel || session->sid != selector->session))
		return false;
	return selector_matches(selector, session->target_name, session->address, session->port);
}

bool selector_matches_node(const struct selector *selector, const struct manager *manager,
			   const struct node *node)
{
	_cleanup_(settings_freep) struct settings *effective = NULL;

	if (!selector_matches(selector, node->key.target_name, node->key.address, node->key.port))
		return false;
	if (selector->startup < 0)
		return true;
	return interface_effective_of(manager, node, &effective) >= 0 &&
	       settings_number(effective, SETTING_STARTUP) == selector->startup;
}

int selector_nodes(const struct selector *selector, const struct manager *manager,
		   struct node ***ret, size_t *ret_n)
{
	_cleanup_free_ struct node **nodes = NULL;
	struct node *node;
	size_t n = 0;

	nodes = calloc(records_count(manager->records) + 1, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	for (size_t i = 0; (node = records_at(manager->records, i)); i++)
		if (selector_matches_node(selector, manager, node))
			nodes[n++] = node;
	*ret = TAKE_PTR(nodes);
	*ret_n = n;
	return 0;
}

/* JSON */

json_object *json_wrap(const char *name, json_object *value)
{
	_cleanup_json_ json_object *object = value ? json_object_new_object() : NULL;

	if (!object) {
		json_object_put(value);
		return NULL;
	}
	return json_set(object, name, value) < 0 ? NULL : TAKE_PTR(object);
}

json_object *key_to_json(const char *target_name, const char *address, uint16_t port,
			 int portal_group_tag)
{
	_cleanup_json_ json_object *key = json_object_new_object();
	int r;

	if (!key)
		return NULL;
	r = json_set_string(key, "targetName", target_name);
	r |= json_set_string(key, "address", address);
	r |= json_set_int(key, "port", port);
	if (portal_group_tag >= 0)
		r |= json_set_int(key, "portalGroupTag", portal_group_tag);
	return r < 0 ? NULL : TAKE_PTR(key);
}

json_object *configured_to_json(const struct settings *settings, const struct secret *secret,
				const struct secret *target_secret)
{
	_cleanup_json_ json_object *object = settings_to_json(settings);
	int r = 0;

	if (!object)
		return NULL;
	if (secret)
		r |= json_set_path(object, "authentication.secretSet",
				   json_object_new_boolean(true));
	if (target_secret)
		r |= json_set_path(object, "authentication.targetSecretSet",
				   json_object_new_boolean(true));
	return r < 0 ? NULL : TAKE_PTR(object);
}

json_object *node_sessions_to_json(struct manager *manager, const struct node *node)
{
	const struct session *session = manager_find_session_of(manager, &node->key);
	_cleanup_json_ json_object *sessions = json_object_new_array();

	if (!sessions)
		return NULL;
	if (session && session->in_kernel &&
	    json_append(sessions, json_object_new_int64(session->sid)) < 0)
		return NULL;
	return TAKE_PTR(sessions);
}

json_object *failure_to_json(const struct session_failure *failure)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	const struct event_type *type = event_type_get(failure->event);
	int r;

	if (!object)
		return NULL;
	r = json_set_string(object, "message",
			    failure->message[0] ? failure->message : strerror(-failure->error));
	if (type) {
		r |= json_set_int(object, "event", failure->event);
		r |= json_set_string(object, "symbol", type->symbol);
	}
	if (failure->status_class >= 0) {
		r |= json_set_int(object, "statusClass", failure->status_class);
		r |= json_set_int(object, "statusDetail", failure->status_detail);
	}
	if (failure->error < 0)
		r |= json_set_string(object, "errnoName", strerrorname_np(-failure->error));
	return r < 0 ? NULL : TAKE_PTR(object);
}

static int set_if_known(json_object *object, const char *name, const char *text)
{
	return text[0] ? json_set_string(object, name, text) : 0;
}

int lun_identity_to_json(json_object *object, const struct sysfs_lun *lun)
{
	char number[LUN_TEXT_MAX], address[SYSFS_LUN_NAME_MAX];
	int r;

	lun_format(lun->lun, number, sizeof(number));
	sysfs_lun_address(lun, address);
	r = json_set_string(object, "lun", number);
	r |= json_set_string(object, "address", address);
	r |= set_if_known(object, "blockDevice", lun->block);
	return r;
}

static json_object *lun_to_json(const struct sysfs_lun *lun)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = lun_identity_to_json(object, lun);
	r |= json_set_int(object, "deviceType", lun->type);
	r |= set_if_known(object, "state", lun->state);
	r |= set_if_known(object, "genericDevice", lun->generic);
	r |= set_if_known(object, "vendor", lun->vendor);
	r |= set_if_known(object, "model", lun->model);
	r |= set_if_known(object, "wwid", lun->wwid);
	if (lun->size_bytes >= 0)
		r |= json_set_int(object, "sizeBytes", lun->size_bytes);
	if (lun->queue_depth >= 0)
		r |= json_set_int(object, "queueDepth", lun->queue_depth);
	return r < 0 ? NULL : TAKE_PTR(object);
}

json_object *luns_to_json(const struct sysfs_lun *luns, size_t n)
{
	_cleanup_json_ json_object *array = json_object_new_array();

	for (size_t i = 0; array && i < n; i++)
		if (json_append(array, lun_to_json(&luns[i])) < 0)
			return NULL;
	return TAKE_PTR(array);
}

const char *session_transport_name(const struct session *session)
{
	if (session->transport)
		return session->transport->name;
	return session->found ? session->found->transport : "";
}

/* What a call is about */

int call_select_nodes(struct call *call, const char *no_such_node, struct node ***ret,
		      size_t *ret_n)
{
	json_object *object = NULL;
	struct selector selector;
	int r;

	(void)json_get_object(call_parameters(call), "selector", &object);
	if (selector_read(object, &selector) < 0) {
		call_invalid_parameter(call, "selector");
		return 0;
	}
	r = selector_nodes(&selector, call_manager(call), ret, ret_n);
	if (r < 0)
		return r;
	if (*ret_n > 0)
		return 1;
	call_error(call, no_such_node, json_wrap("selector", json_object_get(object)));
	return 0;
}

/* Errors and events */

void call_store_failed(struct call *call, const char *name, int error)
{
	call_fail_as(call, name, error,
		     json_wrap("event", json_object_new_int(EVENT_STORE_FAILED)));
}

struct event *node_event(const struct call *call, const struct node *node, enum event_number number)
{
	struct event *event = event_new(number);
	char portal[PORTAL_TEXT_MAX];

	portal_format(node->key.address, node->key.port, portal);
	event_set_string(event, FIELD_TARGET, node->key.target_name);
	event_set_string(event, FIELD_PORTAL, portal);
	event_set_number(event, FIELD_UID, call_uid(call));
	return event;
}
