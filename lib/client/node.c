/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nodes and their settings: org.ois.node.
 */
#include <string.h>

#include "client.h"
#include "interfaces.h"
#include "parse.h"
#include "settings_text.h"

DEFINE_OBJECT(node);
DEFINE_TEXT(node, target_name, "key.targetName");
DEFINE_TEXT(node, target_alias, "targetAlias");
DEFINE_TEXT(node, address, "key.address");
DEFINE_NUMBER(node, port, "key.port");
DEFINE_NUMBER(node, portal_group_tag, "key.portalGroupTag");
DEFINE_TEXT(node, origin, "origin.kind");
DEFINE_NUMBER(node, created_usec, "createdTimestampUSec");
DEFINE_NUMBER(node, changed_usec, "changedTimestampUSec");

int ois_node_get_session(const struct ois_node *node, size_t index, int64_t *ret)
{
	json_object *value = object_find_element(object_json(node), "sessions", index);

	return value && json_to_int(value, ret) >= 0 ? 0 : -ENODATA;
}

int ois_node_get_setting(const struct ois_node *node, const char *name, unsigned flags, char **ret)
{
	return settings_get(object_json(node), name, flags, ret);
}

int ois_node_foreach_setting(const struct ois_node *node, unsigned flags,
			     int (*function)(const char *name, const char *value, void *userdata),
			     void *userdata)
{
	return settings_foreach(settings_find(object_json(node), flags), NULL, function, userdata);
}

int ois_list_nodes_call(struct ois_client *client, const struct ois_selector *selector,
			unsigned flags, struct ois_call **ret)
{
	_cleanup_json_ json_object *parameters = json_object_new_object();
	int r;

	if (flags & ~(unsigned)OIS_LIST_EFFECTIVE)
		return -EINVAL;
	if (!parameters)
		return -ENOMEM;
	r = json_set(parameters, "selector", selector_to_json(selector));
	if (flags & OIS_LIST_EFFECTIVE)
		r |= json_set_bool(parameters, "effective", true);
	if (r < 0)
		return -ENOMEM;
	return call_new_json(client, METHOD_NODE_LIST, TAKE_PTR(parameters),
			     OIS_CALL_MORE | OIS_CALL_READ, ret);
}

static void *get_node(const struct ois_reply *reply)
{
	return ois_reply_get_node(reply);
}

int ois_list_nodes(struct ois_client *client, const struct ois_selector *selector, unsigned flags,
		   struct ois_node ***ret, struct ois_error **ret_error)
{
	struct ois_call *call;
	int r;

	r = ois_list_nodes_call(client, selector, flags, &call);
	if (r < 0)
		return call_unmade(r, ret_error);
	return call_collect(call, get_node, (void ***)ret, ret_error);
}

struct ois_node **ois_nodes_free(struct ois_node **nodes)
{
	return (struct ois_node **)objects_free((void **)nodes);
}

/* An org.ois.node Key. Errors: -EINVAL, -ENOMEM. */
static int key_to_json(const char *target_name, const char *portal, json_object **ret)
{
	_cleanup_json_ json_object *key = json_object_new_object();
	char address[PORTAL_ADDRESS_MAX];
	uint16_t port;
	int tag, r;

	if (!key)
		return -ENOMEM;
	r = portal_parse(portal, ISCSI_PORT, address, sizeof(address), &port, &tag);
	if (r < 0)
		return r;
	r = json_set_string(key, "targetName", target_name) |
	    json_set_string(key, "address", address) | json_set_int(key, "port", port);
	if (tag >= 0)
		r |= json_set_int(key, "portalGroupTag", tag);
	if (r < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(key);
	return 0;
}

int ois_node_create_call(struct ois_client *client, const char *target_name, const char *portal,
			 const char *const *settings, struct ois_call **ret,
			 struct ois_error **ret_error)
{
	_cleanup_json_ json_object *parameters = NULL, *key = NULL, *object = NULL;
	int r;

	(void)call_unmade(0, ret_error);
	if (!target_name || !portal)
		return -EINVAL;
	r = key_to_json(target_name, portal, &key);
	if (r == -EINVAL || r == -ERANGE)
		return call_refused(r, ret_error,
				    "'%s' is no portal: ADDRESS[:PORT][,GROUP] is expected",
				    portal);
	if (r >= 0)
		r = settings_from_text(INTERFACE_NODE, settings, &object, ret_error);
	if (r < 0)
		return r;
	parameters = json_object_new_object();
	if (!parameters)
		return -ENOMEM;
	r = json_set(parameters, "key", TAKE_PTR(key)) |
	    json_set(parameters, "settings", TAKE_PTR(object));
	if (r < 0)
		return -ENOMEM;
	return call_new_json(client, METHOD_NODE_CREATE, TAKE_PTR(parameters), 0, ret);
}

int ois_node_update_call(struct ois_client *client, const struct ois_selector *selector,
			 const char *const *settings, const char *const *reset,
			 struct ois_call **ret, struct ois_error **ret_error)
{
	_cleanup_json_ json_object *parameters = NULL, *object = NULL;
	int r;

	(void)call_unmade(0, ret_error);
	if (!selector)
		return -EINVAL;
	r = settings_from_text(INTERFACE_NODE, settings, &object, ret_error);
	if (r < 0)
		return r;
	parameters = json_object_new_object();
	if (!parameters)
		return -ENOMEM;
	r = json_set(parameters, "selector", selector_to_json(selector)) |
	    json_set(parameters, "settings", TAKE_PTR(object)) |
	    settings_add_reset(parameters, reset);
	if (r < 0)
		return -ENOMEM;
	return call_new_json(client, METHOD_NODE_UPDATE, TAKE_PTR(parameters), 0, ret);
}

int ois_node_delete_call(struct ois_client *client, const struct ois_selector *selector,
			 unsigned flags, struct ois_call **ret)
{
	_cleanup_json_ json_object *parameters = json_object_new_object();
	int r;

	if (!selector || (flags & ~(unsigned)OIS_FORCE))
		return -EINVAL;
	if (!parameters)
		return -ENOMEM;
	r = json_set(parameters, "selector", selector_to_json(selector));
	if (flags & OIS_FORCE)
		r |= json_set_bool(parameters, "force", true);
	if (r < 0)
		return -ENOMEM;
	return call_new_json(client, METHOD_NODE_DELETE, TAKE_PTR(parameters), 0, ret);
}

int ois_node_set_secret_call(struct ois_client *client, const struct ois_selector *selector,
			     enum ois_secret_role role, const void *secret, size_t length,
			     struct ois_call **ret)
{
	_cleanup_json_ json_object *parameters = json_object_new_object();

	if (!selector)
		return -EINVAL;
	if (!parameters || json_set(parameters, "selector", selector_to_json(selector)) < 0)
		return -ENOMEM;
	return call_new_secret(client, METHOD_NODE_SET_SECRET, TAKE_PTR(parameters), role, secret,
			       length, ret);
}
