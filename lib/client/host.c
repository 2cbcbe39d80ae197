/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SCSI hosts and adapters: org.ois.host.
 */
#include "client.h"
#include "interfaces.h"

DEFINE_OBJECT(host);
DEFINE_NUMBER(host, host_number, "hostNumber");
DEFINE_TEXT(host, transport, "transport");
DEFINE_BOOLEAN(host, adapter, "adapter");
DEFINE_TEXT(host, hardware_address, "hardwareAddress");
DEFINE_TEXT(host, address, "address");
DEFINE_TEXT(host, net_device, "netDevice");
DEFINE_TEXT(host, initiator_name, "initiatorName");
DEFINE_TEXT(host, port_state, "portState");

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
