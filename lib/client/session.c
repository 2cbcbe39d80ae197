/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sessions, login and logout: org.ois.session.
 */
#include "client.h"
#include "interfaces.h"

DEFINE_OBJECT(session);
DEFINE_NUMBER(session, session, "session");
DEFINE_TEXT(session, state, "state");
DEFINE_TEXT(session, phase, "phase");
DEFINE_TEXT(session, target_name, "targetName");
DEFINE_TEXT(session, target_alias, "targetAlias");
DEFINE_TEXT(session, address, "address");
DEFINE_NUMBER(session, port, "port");
DEFINE_NUMBER(session, portal_group_tag, "portalGroupTag");
DEFINE_TEXT(session, transport, "transport");
DEFINE_NUMBER(session, host_number, "hostNumber");
DEFINE_BOOLEAN(session, managed, "managed");
DEFINE_BOOLEAN(session, recovering, "recovering");
DEFINE_NUMBER(session, logged_in_usec, "loggedInTimestampUSec");
DEFINE_PART(session, failure, "failure");
DEFINE_ELEMENT(session, connection, "connections");
DEFINE_ELEMENT(session, logical_unit, "logicalUnits");

DEFINE_OBJECT(connection);
DEFINE_TEXT(connection, address, "address");
DEFINE_NUMBER(connection, port, "port");
DEFINE_TEXT(connection, state, "state");

DEFINE_OBJECT(logical_unit);
DEFINE_TEXT(logical_unit, lun, "lun");
DEFINE_TEXT(logical_unit, address, "address");
DEFINE_TEXT(logical_unit, block_device, "blockDevice");
DEFINE_TEXT(logical_unit, vendor, "vendor");
DEFINE_TEXT(logical_unit, model, "model");
DEFINE_TEXT(logical_unit, wwid, "wwid");
DEFINE_NUMBER(logical_unit, size_bytes, "sizeBytes");

DEFINE_OBJECT(progress);
DEFINE_TEXT(progress, phase, "phase");
DEFINE_NUMBER(progress, attempt, "attempt");
DEFINE_BOOLEAN(progress, present, "present");
DEFINE_NUMBER(progress, session, "session");
DEFINE_PART(progress, failure, "failure");
DEFINE_ELEMENT(progress, logical_unit, "logicalUnits");

DEFINE_OBJECT(failure);
DEFINE_TEXT(failure, message, "message");
DEFINE_NUMBER(failure, event, "event");

/* A login names its node, a logout its session. */
const char *ois_progress_get_target_name(const struct ois_progress *progress)
{
	return object_text(object_json(progress), "node.targetName")
		       ?: object_text(object_json(progress), "targetName");
}

const char *ois_progress_get_address(const struct ois_progress *progress)
{
	return object_text(object_json(progress), "node.address")
		       ?: object_text(object_json(progress), "address");
}

int ois_progress_get_port(const struct ois_progress *progress, int64_t *ret)
{
	if (object_number(object_json(progress), "node.port", ret) >= 0)
		return 0;
	return object_number(object_json(progress), "port", ret);
}

int ois_list_sessions_call(struct ois_client *client, const struct ois_selector *selector,
			   unsigned flags, struct ois_call **ret)
{
	_cleanup_json_ json_object *parameters = json_object_new_object();
	int r;

	if (flags & ~(unsigned)OIS_LIST_LOGICAL_UNITS)
		return -EINVAL;
	if (!parameters)
		return -ENOMEM;
	r = json_set(parameters, "selector", selector_to_json(selector));
	if (flags & OIS_LIST_LOGICAL_UNITS)
		r |= json_set_bool(parameters, "logicalUnits", true);
	if (r < 0)
		return -ENOMEM;
	return call_new_json(client, METHOD_SESSION_LIST, TAKE_PTR(parameters),
			     OIS_CALL_MORE | OIS_CALL_READ, ret);
}

int ois_subscribe_sessions_call(struct ois_client *client, const struct ois_selector *selector,
				struct ois_call **ret)
{
	_cleanup_json_ json_object *parameters = json_object_new_object();
	int r;

	if (!parameters || json_set(parameters, "selector", selector_to_json(selector)) < 0)
		return -ENOMEM;
	r = call_new_json(client, METHOD_SESSION_SUBSCRIBE, TAKE_PTR(parameters),
			  OIS_CALL_MORE | OIS_CALL_READ, ret);
	if (r < 0)
		return r;
	call_set_patient(*ret);
	return 0;
}

static void *get_session(const struct ois_reply *reply)
{
	return ois_reply_get_session(reply);
}

int ois_list_sessions(struct ois_client *client, const struct ois_selector *selector,
		      unsigned flags, struct ois_session ***ret, struct ois_error **ret_error)
{
	struct ois_call *call;
	int r;

	r = ois_list_sessions_call(client, selector, flags, &call);
	if (r < 0)
		return call_unmade(r, ret_error);
	return call_collect(call, get_session, (void ***)ret, ret_error);
}

struct ois_session **ois_sessions_free(struct ois_session **sessions)
{
	return (struct ois_session **)objects_free((void **)sessions);
}

/*
 * A change of everything selected, which takes as long as it takes. @option is sent as true, if not
 * NULL.
 */
static int change_call(struct ois_client *client, const char *method,
		       const struct ois_selector *selector, const char *option,
		       struct ois_call **ret)
{
	_cleanup_json_ json_object *parameters = NULL;
	int r;

	if (!selector)
		return -EINVAL;
	parameters = json_object_new_object();
	if (!parameters)
		return -ENOMEM;
	r = json_set(parameters, "selector", selector_to_json(selector));
	if (option)
		r |= json_set_bool(parameters, option, true);
	if (r < 0)
		return -ENOMEM;
	r = call_new_json(client, method, TAKE_PTR(parameters), OIS_CALL_MORE, ret);
	if (r < 0)
		return r;
	call_set_patient(*ret);
	return 0;
}

int ois_login_call(struct ois_client *client, const struct ois_selector *selector, unsigned flags,
		   struct ois_call **ret)
{
	if (flags & ~(unsigned)OIS_LOGIN_NO_WAIT)
		return -EINVAL;
	return change_call(client, METHOD_SESSION_LOGIN, selector,
			   flags & OIS_LOGIN_NO_WAIT ? "noWait" : NULL, ret);
}

int ois_logout_call(struct ois_client *client, const struct ois_selector *selector, unsigned flags,
		    struct ois_call **ret)
{
	const char *option = NULL;

	if (flags != 0 && flags != OIS_FORCE && flags != OIS_LOGOUT_SHUTDOWN)
		return -EINVAL;
	if (flags)
		option = flags == OIS_FORCE ? "force" : "shutdown";
	return change_call(client, METHOD_SESSION_LOGOUT, selector, option, ret);
}

int ois_rescan_call(struct ois_client *client, int64_t session, const char *lun,
		    struct ois_call **ret)
{
	_cleanup_json_ json_object *parameters = json_object_new_object();
	int r;

	if (!parameters)
		return -ENOMEM;
	r = json_set_int(parameters, "session", session) | json_set_string(parameters, "lun", lun);
	if (r < 0)
		return -ENOMEM;
	r = call_new_json(client, METHOD_SESSION_RESCAN, TAKE_PTR(parameters), 0, ret);
	if (r < 0)
		return r;
	call_set_patient(*ret);
	return 0;
}

int ois_adopt_call(struct ois_client *client, int64_t session, struct ois_call **ret)
{
	_cleanup_json_ json_object *parameters = json_object_new_object();

	if (!parameters || json_set_int(parameters, "session", session) < 0)
		return -ENOMEM;
	return call_new_json(client, METHOD_SESSION_ADOPT, TAKE_PTR(parameters), 0, ret);
}
