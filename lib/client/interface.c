/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces: org.ois.interface.
 */
#include "client.h"
#include "interfaces.h"
#include "settings_text.h"

DEFINE_OBJECT(interface);
DEFINE_TEXT(interface, name, "name");
DEFINE_NUMBER(interface, host, "host");
DEFINE_NUMBER(interface, users, "users");
DEFINE_BOOLEAN(interface, built_in, "builtIn");
DEFINE_NUMBER(interface, created_usec, "createdTimestampUSec");
DEFINE_NUMBER(interface, changed_usec, "changedTimestampUSec");

int ois_interface_get_setting(const struct ois_interface *interface, const char *name,
			      unsigned flags, char **ret)
{
	return settings_get(object_json(interface), name, flags, ret);
}

int ois_interface_foreach_setting(const struct ois_interface *interface, unsigned flags,
				  int (*function)(const char *name, const char *value,
						  void *userdata),
				  void *userdata)
{
	return settings_foreach(settings_find(object_json(interface), flags), NULL, function,
				userdata);
}

/* Parameters that name an interface, or none if @name is NULL. */
static json_object *name_interface(const char *name)
{
	_cleanup_json_ json_object *parameters = json_object_new_object();

	if (!parameters || (name && json_set_string(parameters, "name", name) < 0))
		return NULL;
	return TAKE_PTR(parameters);
}

int ois_list_interfaces_call(struct ois_client *client, const char *name, unsigned flags,
			     struct ois_call **ret)
{
	_cleanup_json_ json_object *parameters = NULL;

	if (flags & ~(unsigned)OIS_LIST_EFFECTIVE)
		return -EINVAL;
	parameters = name_interface(name);
	if (!parameters ||
	    ((flags & OIS_LIST_EFFECTIVE) && json_set_bool(parameters, "effective", true) < 0))
		return -ENOMEM;
	return call_new_json(client, METHOD_INTERFACE_LIST, TAKE_PTR(parameters),
			     OIS_CALL_MORE | OIS_CALL_READ, ret);
}

static void *get_interface(const struct ois_reply *reply)
{
	return ois_reply_get_interface(reply);
}

int ois_list_interfaces(struct ois_client *client, const char *name, unsigned flags,
			struct ois_interface ***ret, struct ois_error **ret_error)
{
	struct ois_call *call;
	int r;

	r = ois_list_interfaces_call(client, name, flags, &call);
	if (r < 0)
		return call_unmade(r, ret_error);
	return call_collect(call, get_interface, (void ***)ret, ret_error);
}

struct ois_interface **ois_interfaces_free(struct ois_interface **interfaces)
{
	return (struct ois_interface **)objects_free((void **)interfaces);
}

static int make_change(struct ois_client *client, const char *method, const char *name,
		       const char *const *settings, const char *const *reset, struct ois_call **ret,
		       struct ois_error **ret_error)
{
	_cleanup_json_ json_object *parameters = NULL, *object = NULL;
	int r;

	(void)call_unmade(0, ret_error);
	if (!name)
		return -EINVAL;
	parameters = name_interface(name);
	if (!parameters)
		return -ENOMEM;
	r = settings_from_text(INTERFACE_INTERFACE, settings, &object, ret_error);
	if (r < 0)
		return r;
	r = json_set(parameters, "settings", TAKE_PTR(object)) |
	    settings_add_reset(parameters, reset);
	if (r < 0)
		return -ENOMEM;
	return call_new_json(client, method, TAKE_PTR(parameters), 0, ret);
}

int ois_interface_add_call(struct ois_client *client, const char *name, const char *const *settings,
			   struct ois_call **ret, struct ois_error **ret_error)
{
	return make_change(client, METHOD_INTERFACE_ADD, name, settings, NULL, ret, ret_error);
}

int ois_interface_set_call(struct ois_client *client, const char *name, const char *const *settings,
			   const char *const *reset, struct ois_call **ret,
			   struct ois_error **ret_error)
{
	return make_change(client, METHOD_INTERFACE_SET, name, settings, reset, ret, ret_error);
}

int ois_interface_apply_call(struct ois_client *client, const char *name, struct ois_call **ret)
{
	json_object *parameters = name_interface(name);
	int r;

	if (!parameters)
		return -ENOMEM;
	r = call_new_json(client, METHOD_INTERFACE_APPLY, parameters, 0, ret);
	if (r >= 0)
		call_set_patient(*ret);
	return r;
}

int ois_interface_remove_call(struct ois_client *client, const char *name, struct ois_call **ret)
{
	json_object *parameters;

	if (!name)
		return -EINVAL;
	parameters = name_interface(name);
	if (!parameters)
		return -ENOMEM;
	return call_new_json(client, METHOD_INTERFACE_REMOVE, parameters, 0, ret);
}
