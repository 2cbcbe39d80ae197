/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding targets: org.ois.discovery.
 */
#include "client.h"
#include "interfaces.h"
#include "parse.h"

DEFINE_OBJECT(target);
DEFINE_TEXT(target, name, "name");
DEFINE_TEXT(target, alias, "alias");
DEFINE_NUMBER(target, recorded, "recorded");
DEFINE_ELEMENT(target, portal, "portals");

DEFINE_OBJECT(portal);
DEFINE_TEXT(portal, address, "address");
DEFINE_NUMBER(portal, port, "port");
DEFINE_NUMBER(portal, portal_group_tag, "portalGroupTag");

DEFINE_OBJECT(summary);

int ois_discover_call(struct ois_client *client, const char *portal, const char *record,
		      struct ois_call **ret)
{
	_cleanup_json_ json_object *parameters = json_object_new_object();
	char address[PORTAL_ADDRESS_MAX];
	uint16_t port;
	int r;

	r = portal ? portal_parse(portal, ISCSI_PORT, address, sizeof(address), &port, NULL)
		   : -EINVAL;
	if (r < 0)
		return r;
	if (!parameters)
		return -ENOMEM;
	r = json_set_string(parameters, "method", "send_targets") |
	    json_set_string(parameters, "address", address) |
	    json_set_int(parameters, "port", port) |
	    json_set_string(parameters, "recordMode", record);
	if (r < 0)
		return -ENOMEM;
	r = call_new_json(client, METHOD_DISCOVERY_DISCOVER, TAKE_PTR(parameters), OIS_CALL_MORE,
			  ret);
	if (r < 0)
		return r;
	call_set_patient(*ret);
	return 0;
}
