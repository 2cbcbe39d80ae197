/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Replies: what a handler may ask of them.
 */
#include "client.h"

int ois_reply_is_last(const struct ois_reply *reply)
{
	return reply->last;
}

struct ois_error *ois_reply_get_error(const struct ois_reply *reply)
{
	return reply->error;
}

const char *ois_reply_get_json(const struct ois_reply *reply)
{
	return object_print(reply->parameters);
}

const char *ois_reply_get_text(const struct ois_reply *reply, const char *name)
{
	return object_text(reply->parameters, name);
}

int ois_reply_get_number(const struct ois_reply *reply, const char *name, int64_t *ret)
{
	return object_number(reply->parameters, name, ret);
}

int ois_reply_get_boolean(const struct ois_reply *reply, const char *name)
{
	return object_boolean(reply->parameters, name);
}

/* The field of the interface that holds the object. */
#define DEFINE_REPLY(noun, name)                                                                   \
	struct ois_##noun *ois_reply_get_##noun(const struct ois_reply *reply)                     \
	{                                                                                          \
		return (struct ois_##noun *)object_find_type(reply->parameters, name,              \
							     json_type_object);                    \
	}                                                                                          \
	struct _object_needs_semicolon_

DEFINE_REPLY(status, "status");
DEFINE_REPLY(setting, "setting");
DEFINE_REPLY(node, "record");
DEFINE_REPLY(portal_record, "portal");
DEFINE_REPLY(interface, "interface");
DEFINE_REPLY(target, "target");
DEFINE_REPLY(session, "session");
DEFINE_REPLY(progress, "progress");
DEFINE_REPLY(statistics, "statistics");
DEFINE_REPLY(summary, "summary");
DEFINE_REPLY(event, "event");
DEFINE_REPLY(host, "host");
DEFINE_REPLY(chap_entry, "entry");
DEFINE_REPLY(flash_node, "flashNode");

struct ois_logical_unit *ois_reply_get_logical_unit(const struct ois_reply *reply,
						    const char *array, size_t index)
{
	return (struct ois_logical_unit *)object_find_element(reply->parameters, array, index);
}
