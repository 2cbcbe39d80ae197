/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon itself: org.ois.manager.
 */
#include "client.h"
#include "interfaces.h"

DEFINE_OBJECT(status);
DEFINE_TEXT(status, version, "version");
DEFINE_TEXT(status, state, "state");
DEFINE_NUMBER(status, process_id, "processId");
DEFINE_NUMBER(status, started_usec, "startedTimestampUSec");
DEFINE_TEXT(status, initiator_name, "initiator.name");
DEFINE_NUMBER(status, nodes, "nodes");
DEFINE_NUMBER(status, sessions, "sessions");
DEFINE_NUMBER(status, recovering, "recovering");

DEFINE_OBJECT(setting);
DEFINE_TEXT(setting, name, "name");
DEFINE_TEXT(setting, kind, "kind");
DEFINE_TEXT(setting, default, "defaultValue");
DEFINE_NUMBER(setting, minimum, "minimum");
DEFINE_NUMBER(setting, maximum, "maximum");
DEFINE_TEXT(setting, applies, "applies");
DEFINE_BOOLEAN(setting, for_node, "node");
DEFINE_BOOLEAN(setting, for_discovery, "discovery");
DEFINE_BOOLEAN(setting, for_interface, "interface");
DEFINE_TEXT(setting, description, "description");

const char *ois_setting_get_value(const struct ois_setting *setting, size_t index)
{
	json_object *value = object_find_element(object_json(setting), "values", index);

	return value ? json_object_get_string(value) : NULL;
}

int ois_get_status_call(struct ois_client *client, struct ois_call **ret)
{
	return call_new_json(client, METHOD_MANAGER_GET_STATUS, json_object_new_object(),
			     OIS_CALL_READ, ret);
}

int ois_get_status(struct ois_client *client, struct ois_status **ret, struct ois_error **ret_error)
{
	_cleanup_(ois_call_unrefp) struct ois_call *call = NULL;
	struct ois_status *status;
	int r;

	r = ois_get_status_call(client, &call);
	if (r < 0)
		return call_unmade(r, ret_error);
	r = ois_call_run(call, NULL, NULL, ret_error);
	if (r < 0)
		return r;
	status = ois_reply_get_status(&call->reply);
	if (!status)
		return call_misunderstood(call, ret_error);
	*ret = ois_status_ref(status);
	return 0;
}

int ois_reload_call(struct ois_client *client, struct ois_call **ret)
{
	return call_new_json(client, METHOD_MANAGER_RELOAD, json_object_new_object(), 0, ret);
}

int ois_list_settings_call(struct ois_client *client, struct ois_call **ret)
{
	return call_new_json(client, METHOD_MANAGER_LIST_SETTINGS, json_object_new_object(),
			     OIS_CALL_MORE | OIS_CALL_READ, ret);
}

static void *get_setting(const struct ois_reply *reply)
{
	return ois_reply_get_setting(reply);
}

int ois_list_settings(struct ois_client *client, struct ois_setting ***ret,
		      struct ois_error **ret_error)
{
	struct ois_call *call;
	int r;

	r = ois_list_settings_call(client, &call);
	if (r < 0)
		return call_unmade(r, ret_error);
	return call_collect(call, get_setting, (void ***)ret, ret_error);
}

struct ois_setting **ois_settings_free(struct ois_setting **settings)
{
	return (struct ois_setting **)objects_free((void **)settings);
}
