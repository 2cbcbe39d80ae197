/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counters of sessions and hosts: org.ois.session.
 */
#include "client.h"
#include "interfaces.h"

DEFINE_OBJECT(statistics);
DEFINE_NUMBER(statistics, session, "session");
DEFINE_TEXT(statistics, target_name, "targetName");
DEFINE_TEXT(statistics, address, "address");
DEFINE_NUMBER(statistics, port, "port");
DEFINE_NUMBER(statistics, transmitted_bytes, "transmittedBytes");
DEFINE_NUMBER(statistics, received_bytes, "receivedBytes");
DEFINE_ELEMENT(statistics, logical_unit, "logicalUnits");

int ois_list_statistics_call(struct ois_client *client, const struct ois_selector *selector,
			     struct ois_call **ret)
{
	_cleanup_json_ json_object *parameters = json_object_new_object();

	if (!parameters || json_set(parameters, "selector", selector_to_json(selector)) < 0)
		return -ENOMEM;
	return call_new_json(client, METHOD_SESSION_GET_STATISTICS, TAKE_PTR(parameters),
			     OIS_CALL_MORE | OIS_CALL_READ, ret);
}

static void *get_statistics(const struct ois_reply *reply)
{
	return ois_reply_get_statistics(reply);
}

int ois_list_statistics(struct ois_client *client, const struct ois_selector *selector,
			struct ois_statistics ***ret, struct ois_error **ret_error)
{
	struct ois_call *call;
	int r;

	r = ois_list_statistics_call(client, selector, &call);
	if (r < 0)
		return call_unmade(r, ret_error);
	return call_collect(call, get_statistics, (void ***)ret, ret_error);
}

int ois_list_host_statistics_call(struct ois_client *client, struct ois_call **ret)
{
	return call_new_json(client, METHOD_SESSION_GET_HOST_STATISTICS, json_object_new_object(),
			     OIS_CALL_MORE | OIS_CALL_READ, ret);
}

int ois_list_host_statistics(struct ois_client *client, struct ois_statistics ***ret,
			     struct ois_error **ret_error)
{
	struct ois_call *call;
	int r;

	r = ois_list_host_statistics_call(client, &call);
	if (r < 0)
		return call_unmade(r, ret_error);
	return call_collect(call, get_statistics, (void ***)ret, ret_error);
}

struct ois_statistics **ois_statistics_array_free(struct ois_statistics **statistics)
{
	return (struct ois_statistics **)objects_free((void **)statistics);
}
