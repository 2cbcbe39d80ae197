/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is kept for discoveries at a portal: org.ois.discovery.
 */
#include "client.h"
#include "interfaces.h"
#include "parse.h"
#include "settings_text.h"

DEFINE_OBJECT(portal_record);
DEFINE_TEXT(portal_record, address, "address");
DEFINE_NUMBER(portal_record, port, "port");
DEFINE_NUMBER(portal_record, created_usec, "createdTimestampUSec");
DEFINE_NUMBER(portal_record, changed_usec, "changedTimestampUSec");

int ois_portal_record_get_setting(const struct ois_portal_record *record, const char *name,
				  unsigned flags, char **ret)
{
	return settings_get(object_json(record), name, flags, ret);
}

int ois_portal_record_foreach_setting(const struct ois_portal_record *record, unsigned flags,
				      int (*function)(const char *name, const char *value,
						      void *userdata),
				      void *userdata)
{
	return settings_foreach(settings_find(object_json(record), flags), NULL, function,
				userdata);
}

/* Parameters that name a portal. Errors: -EINVAL, -ERANGE, -ENOMEM. */
static int name_portal(const char *portal, json_object **ret)
{
	_cleanup_json_ json_object *parameters = json_object_new_object();
	char address[PORTAL_ADDRESS_MAX];
	uint16_t port;
	int r;

	if (!parameters)
		return -ENOMEM;
	r = portal ? portal_parse(portal, ISCSI_PORT, address, sizeof(address), &port, NULL)
		   : -EINVAL;
	if (r < 0)
		return r;
	r = json_set_string(parameters, "address", address) |
	    json_set_int(parameters, "port", port);
	if (r < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(parameters);
	return 0;
}

int ois_list_portal_records_call(struct ois_client *client, const char *portal, unsigned flags,
				 struct ois_call **ret)
{
	_cleanup_json_ json_object *parameters = NULL;
	int r = 0;

	if (flags & ~(unsigned)OIS_LIST_EFFECTIVE)
		return -EINVAL;
	if (portal)
		r = name_portal(portal, &parameters);
	else if (!(parameters = json_object_new_object()))
		r = -ENOMEM;
	if (r >= 0 && (flags & OIS_LIST_EFFECTIVE))
		r = json_set_bool(parameters, "effective", true);
	if (r < 0)
		return r;
	return call_new_json(client, METHOD_DISCOVERY_LIST_PORTALS, TAKE_PTR(parameters),
			     OIS_CALL_MORE | OIS_CALL_READ, ret);
}

static void *get_portal_record(const struct ois_reply *reply)
{
	return ois_reply_get_portal_record(reply);
}

int ois_list_portal_records(struct ois_client *client, const char *portal, unsigned flags,
			    struct ois_portal_record ***ret, struct ois_error **ret_error)
{
	struct ois_call *call;
	int r;

	r = ois_list_portal_records_call(client, portal, flags, &call);
	if (r < 0)
		return call_unmade(r, ret_error);
	return call_collect(call, get_portal_record, (void ***)ret, ret_error);
}

struct ois_portal_record **ois_portal_records_free(struct ois_portal_record **records)
{
	return (struct ois_portal_record **)objects_free((void **)records);
}

int ois_portal_record_set_call(struct ois_client *client, const char *portal,
			       const char *const *settings, const char *const *reset,
			       struct ois_call **ret, struct ois_error **ret_error)
{
	_cleanup_json_ json_object *parameters = NULL, *object = NULL;
	int r;

	(void)call_unmade(0, ret_error);
	r = name_portal(portal, &parameters);
	if (portal && (r == -EINVAL || r == -ERANGE))
		return call_refused(r, ret_error, "'%s' is no portal: ADDRESS[:PORT] is expected",
				    portal);
	if (r >= 0)
		r = settings_from_text(INTERFACE_DISCOVERY, settings, &object, ret_error);
	if (r < 0)
		return r;
	r = json_set(parameters, "settings", TAKE_PTR(object)) |
	    settings_add_reset(parameters, reset);
	if (r < 0)
		return -ENOMEM;
	return call_new_json(client, METHOD_DISCOVERY_SET_PORTAL, TAKE_PTR(parameters), 0, ret);
}

int ois_portal_record_set_secret_call(struct ois_client *client, const char *portal,
				      enum ois_secret_role role, const void *secret, size_t length,
				      struct ois_call **ret)
{
	_cleanup_json_ json_object *parameters = NULL;
	int r;

	r = name_portal(portal, &parameters);
	if (r < 0)
		return r;
	return call_new_secret(client, METHOD_DISCOVERY_SET_PORTAL_SECRET, TAKE_PTR(parameters),
			       role, secret, length, ret);
}

int ois_portal_record_remove_call(struct ois_client *client, const char *portal,
				  struct ois_call **ret)
{
	json_object *parameters;
	int r;

	r = name_portal(portal, &parameters);
	if (r < 0)
		return r;
	return call_new_json(client, METHOD_DISCOVERY_REMOVE_PORTAL, parameters, 0, ret);
}
