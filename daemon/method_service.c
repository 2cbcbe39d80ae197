/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.varlink.service: what this service is.
 */
#include <errno.h>

#include "interfaces.h"
#include "json.h"
#include "method_common.h"
#include "service_private.h"

#define SERVICE_VENDOR  "OIS"
#define SERVICE_PRODUCT "oisd"
#define SERVICE_URL     "man:oisd(8)"

static json_object *interface_names(const struct varlink_registry *registry)
{
	_cleanup_json_ json_object *names = json_object_new_array();
	const struct varlink_interface *interface;

	for (size_t i = 0; names && (interface = varlink_registry_at(registry, i)); i++)
		if (json_append(names, json_object_new_string(interface->name)) < 0)
			return NULL;
	return TAKE_PTR(names);
}

int method_service_get_info(struct call *call)
{
	_cleanup_json_ json_object *info = json_object_new_object();
	int r;

	if (!info)
		return -ENOMEM;
	r = json_set_string(info, "vendor", SERVICE_VENDOR);
	r |= json_set_string(info, "product", SERVICE_PRODUCT);
	r |= json_set_string(info, "version", OIS_VERSION);
	r |= json_set_string(info, "url", SERVICE_URL);
	r |= json_set(info, "interfaces", interface_names(call_service(call)->registry));
	if (r < 0)
		return -ENOMEM;
	call_reply(call, TAKE_PTR(info));
	return 0;
}

int method_service_get_interface_description(struct call *call)
{
	_cleanup_json_ json_object *answer = json_object_new_object();
	const struct varlink_interface *interface;
	const char *name;

	if (!answer)
		return -ENOMEM;
	(void)json_get_string(call_parameters(call), "interface", &name);
	interface = varlink_registry_find(call_service(call)->registry, name);
	if (json_set_string(answer, interface ? "description" : "interface",
			    interface ? interface->description : name) < 0)
		return -ENOMEM;
	if (interface)
		call_reply(call, TAKE_PTR(answer));
	else
		call_error(call, ERROR_SERVICE_INTERFACE_NOT_FOUND, TAKE_PTR(answer));
	return 0;
}
