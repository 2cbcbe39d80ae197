/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SCSI hosts and adapters: org.ois.host.
 */
#include <string.h>

#include "client.h"
#include "interfaces.h"
#include "settings_text.h"

DEFINE_OBJECT(host);
DEFINE_NUMBER(host, host_number, "hostNumber");
DEFINE_TEXT(host, transport, "transport");
DEFINE_BOOLEAN(host, adapter, "adapter");
DEFINE_TEXT(host, hardware_address, "hardwareAddress");
DEFINE_TEXT(host, address, "address");
DEFINE_TEXT(host, net_device, "netDevice");
DEFINE_TEXT(host, initiator_name, "initiatorName");
DEFINE_TEXT(host, port_state, "portState");

static json_object *json_wrap_int(const char *name, int64_t value)
{
	_cleanup_json_ json_object *object = json_object_new_object();

	return object && json_set_int(object, name, value) >= 0 ? TAKE_PTR(object) : NULL;
}

/* Calls a method about @host (NULL: none) with @parameters, which it takes over. */
static int host_call(struct ois_client *client, const char *method, const char *host,
		     json_object *parameters, unsigned flags, struct ois_call **ret)
{
	_cleanup_json_ json_object *owned = parameters;

	if (!owned || json_set_string(owned, "host", host) < 0)
		return -ENOMEM;
	return call_new_json(client, method, TAKE_PTR(owned), flags, ret);
}

int ois_list_hosts_call(struct ois_client *client, const char *host, struct ois_call **ret)
{
	return host_call(client, METHOD_HOST_LIST, host, json_object_new_object(),
			 OIS_CALL_MORE | OIS_CALL_READ, ret);
}

static void *get_host(const struct ois_reply *reply)
{
	return ois_reply_get_host(reply);
}

int ois_list_hosts(struct ois_client *client, const char *host, struct ois_host ***ret,
		   struct ois_error **ret_error)
{
	struct ois_call *call;
	int r;

	r = ois_list_hosts_call(client, host, &call);
	if (r < 0)
		return call_unmade(r, ret_error);
	return call_collect(call, get_host, (void ***)ret, ret_error);
}

struct ois_host **ois_hosts_free(struct ois_host **hosts)
{
	return (struct ois_host **)objects_free((void **)hosts);
}

/* What adapters do and keep */

int ois_host_ping_call(struct ois_client *client, const char *host, const char *address,
		       unsigned count, unsigned size_bytes, unsigned interval_msec,
		       struct ois_call **ret)
{
	_cleanup_json_ json_object *parameters = json_object_new_object();
	int r;

	if (!host || !address)
		return -EINVAL;
	if (!parameters)
		return -ENOMEM;
	r = json_set_string(parameters, "address", address);
	if (count > 0)
		r |= json_set_int(parameters, "count", count);
	if (size_bytes > 0)
		r |= json_set_int(parameters, "sizeBytes", size_bytes);
	if (interval_msec > 0)
		r |= json_set_int(parameters, "intervalMilliseconds", interval_msec);
	if (r < 0)
		return -ENOMEM;
	return host_call(client, METHOD_HOST_PING, host, TAKE_PTR(parameters), OIS_CALL_MORE, ret);
}

DEFINE_OBJECT(chap_entry);
DEFINE_NUMBER(chap_entry, index, "index");
DEFINE_TEXT(chap_entry, role, "role");
DEFINE_TEXT(chap_entry, user_name, "userName");
DEFINE_BOOLEAN(chap_entry, secret_set, "secretSet");

int ois_list_chap_entries_call(struct ois_client *client, const char *host, struct ois_call **ret)
{
	if (!host)
		return -EINVAL;
	return host_call(client, METHOD_HOST_LIST_CHAP_ENTRIES, host, json_object_new_object(),
			 OIS_CALL_MORE | OIS_CALL_READ, ret);
}

static void *get_chap_entry(const struct ois_reply *reply)
{
	return ois_reply_get_chap_entry(reply);
}

int ois_list_chap_entries(struct ois_client *client, const char *host, struct ois_chap_entry ***ret,
			  struct ois_error **ret_error)
{
	struct ois_call *call;
	int r;

	r = ois_list_chap_entries_call(client, host, &call);
	if (r < 0)
		return call_unmade(r, ret_error);
	return call_collect(call, get_chap_entry, (void ***)ret, ret_error);
}

struct ois_chap_entry **ois_chap_entries_free(struct ois_chap_entry **entries)
{
	return (struct ois_chap_entry **)objects_free((void **)entries);
}

int ois_host_set_chap_entry_call(struct ois_client *client, const char *host, int index,
				 enum ois_secret_role role, const char *user_name,
				 const void *secret, size_t length, struct ois_call **ret)
{
	_cleanup_json_ json_object *parameters = json_object_new_object();
	int r;

	if (!host || !user_name || length == 0)
		return -EINVAL;
	if (!parameters)
		return -ENOMEM;
	r = json_set_string(parameters, "host", host) |
	    json_set_string(parameters, "userName", user_name);
	if (index >= 0)
		r |= json_set_int(parameters, "index", index);
	if (r < 0)
		return -ENOMEM;
	return call_new_secret(client, METHOD_HOST_SET_CHAP_ENTRY, TAKE_PTR(parameters), role,
			       secret, length, ret);
}

int ois_host_remove_chap_entry_call(struct ois_client *client, const char *host, int index,
				    struct ois_call **ret)
{
	if (!host || index < 0)
		return -EINVAL;
	return host_call(client, METHOD_HOST_REMOVE_CHAP_ENTRY, host, json_wrap_int("index", index),
			 0, ret);
}

int ois_host_get_statistics_call(struct ois_client *client, const char *host, struct ois_call **ret)
{
	if (!host)
		return -EINVAL;
	return host_call(client, METHOD_HOST_GET_STATISTICS, host, json_object_new_object(),
			 OIS_CALL_READ, ret);
}

/* Sets members as "NAME=VALUE" says. Errors: -EINVAL with @ret_error, -ENOMEM. */
static int add_values(json_object *object, const char *const *parameters,
		      struct ois_error **ret_error)
{
	_cleanup_free_ char *name = NULL;

	for (; parameters && *parameters; parameters++) {
		const char *equal = strchr(*parameters, '=');

		if (!equal || equal == *parameters)
			return call_refused(-EINVAL, ret_error, "'%s' is no NAME=VALUE",
					    *parameters);
		free(name);
		name = strndup(*parameters, (size_t)(equal - *parameters));
		if (!name || json_set_string(object, name, equal + 1) < 0)
			return -ENOMEM;
	}
	return 0;
}

int ois_host_set_parameters_call(struct ois_client *client, const char *host,
				 const char *const *parameters, struct ois_call **ret,
				 struct ois_error **ret_error)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	(void)call_unmade(0, ret_error);
	if (!host || !parameters)
		return -EINVAL;
	if (!object)
		return -ENOMEM;
	r = add_values(object, parameters, ret_error);
	if (r < 0)
		return r;
	return host_call(client, METHOD_HOST_SET_PARAMETERS, host, TAKE_PTR(object), 0, ret);
}

/* Flash nodes */

DEFINE_OBJECT(flash_node);
DEFINE_NUMBER(flash_node, index, "index");
DEFINE_TEXT(flash_node, target_name, "parameters.targetName");
DEFINE_TEXT(flash_node, address, "parameters.address");

int ois_flash_node_foreach_parameter(const struct ois_flash_node *node,
				     int (*function)(const char *name, const char *value,
						     void *userdata),
				     void *userdata)
{
	return settings_foreach(object_find_type(object_json(node), "parameters", json_type_object),
				NULL, function, userdata);
}

int ois_list_flash_nodes_call(struct ois_client *client, const char *host, int index,
			      struct ois_call **ret)
{
	if (!host)
		return -EINVAL;
	return host_call(client, METHOD_HOST_LIST_FLASH_NODES, host,
			 index < 0 ? json_object_new_object() : json_wrap_int("index", index),
			 OIS_CALL_MORE | OIS_CALL_READ, ret);
}

static void *get_flash_node(const struct ois_reply *reply)
{
	return ois_reply_get_flash_node(reply);
}

int ois_list_flash_nodes(struct ois_client *client, const char *host, int index,
			 struct ois_flash_node ***ret, struct ois_error **ret_error)
{
	struct ois_call *call;
	int r;

	r = ois_list_flash_nodes_call(client, host, index, &call);
	if (r < 0)
		return call_unmade(r, ret_error);
	return call_collect(call, get_flash_node, (void ***)ret, ret_error);
}

struct ois_flash_node **ois_flash_nodes_free(struct ois_flash_node **nodes)
{
	return (struct ois_flash_node **)objects_free((void **)nodes);
}

static int values_to_json(const char *const *parameters, json_object **ret,
			  struct ois_error **ret_error)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return -ENOMEM;
	r = add_values(object, parameters, ret_error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(object);
	return 0;
}

int ois_host_create_flash_node_call(struct ois_client *client, const char *host, const char *family,
				    const char *const *parameters, struct ois_call **ret,
				    struct ois_error **ret_error)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	json_object *values = NULL;
	int r;

	(void)call_unmade(0, ret_error);
	if (!host || !family)
		return -EINVAL;
	if (!object)
		return -ENOMEM;
	r = values_to_json(parameters, &values, ret_error);
	if (r < 0)
		return r;
	if (json_set(object, "parameters", values) < 0 ||
	    json_set_string(object, "family", family) < 0)
		return -ENOMEM;
	return host_call(client, METHOD_HOST_CREATE_FLASH_NODE, host, TAKE_PTR(object), 0, ret);
}

int ois_host_set_flash_node_call(struct ois_client *client, const char *host, int index,
				 const char *const *parameters, struct ois_call **ret,
				 struct ois_error **ret_error)
{
	_cleanup_json_ json_object *object = NULL;
	json_object *values = NULL;
	int r;

	(void)call_unmade(0, ret_error);
	if (!host || index < 0)
		return -EINVAL;
	r = values_to_json(parameters, &values, ret_error);
	if (r < 0)
		return r;
	object = json_wrap_int("index", index);
	if (!object) {
		json_object_put(values);
		return -ENOMEM;
	}
	if (json_set(object, "parameters", values) < 0)
		return -ENOMEM;
	return host_call(client, METHOD_HOST_SET_FLASH_NODE, host, TAKE_PTR(object), 0, ret);
}

static int flash_call(struct ois_client *client, const char *method, const char *host, int index,
		      struct ois_call **ret)
{
	if (!host || index < 0)
		return -EINVAL;
	return host_call(client, method, host, json_wrap_int("index", index), 0, ret);
}

int ois_host_remove_flash_node_call(struct ois_client *client, const char *host, int index,
				    struct ois_call **ret)
{
	return flash_call(client, METHOD_HOST_REMOVE_FLASH_NODE, host, index, ret);
}

int ois_host_login_flash_node_call(struct ois_client *client, const char *host, int index,
				   struct ois_call **ret)
{
	int r = flash_call(client, METHOD_HOST_LOGIN_FLASH_NODE, host, index, ret);

	/* A discovery takes as long as it takes. */
	if (r >= 0)
		call_set_patient(*ret);
	return r;
}

int ois_host_logout_flash_node_call(struct ois_client *client, const char *host, int index,
				    struct ois_call **ret)
{
	return flash_call(client, METHOD_HOST_LOGOUT_FLASH_NODE, host, index, ret);
}
