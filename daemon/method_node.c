/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.ois.node: node records as JSON, and their listing. Changes stand in method_node_change.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "interface.h"
#include "json.h"
#include "method_node.h"
#include "parse.h"

/* Records as JSON */

static json_object *origin_to_json(const struct node *node)
{
	static const char *const names[] = {
		[NODE_ORIGIN_STATIC] = "static",
		[NODE_ORIGIN_SEND_TARGETS] = "send_targets",
	};
	_cleanup_json_ json_object *origin = json_object_new_object();
	int r;

	if (!origin)
		return NULL;
	r = json_set_string(origin, "kind", names[node->origin]);
	if (node->origin_address) {
		r |= json_set_string(origin, "address", node->origin_address);
		r |= json_set_int(origin, "port", node->origin_port);
		r |= json_set_string(origin, "interface", node->interface);
	}
	return r < 0 ? NULL : TAKE_PTR(origin);
}

json_object *node_key_to_json(const struct node *node)
{
	return key_to_json(node->key.target_name, node->key.address, node->key.port,
			   node->portal_group_tag);
}

static json_object *redirect_to_json(const struct node *node)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_string(object, "address", node->redirect_address);
	r |= json_set_int(object, "port", node->redirect_port);
	r |= json_set_int(object, "timestampUSec", (int64_t)node->redirect_usec);
	return r < 0 ? NULL : TAKE_PTR(object);
}

static json_object *effective_to_json(const struct manager *manager, const struct node *node)
{
	_cleanup_(settings_freep) struct settings *effective = NULL;

	if (interface_effective_of(manager, node, &effective) < 0)
		return NULL;
	return configured_to_json(effective, node->secret, node->target_secret);
}

json_object *record_to_json(struct manager *manager, const struct node *node, bool effective)
{
	_cleanup_json_ json_object *record = json_object_new_object();
	int r;

	if (!record)
		return NULL;
	r = json_set(record, "key", node_key_to_json(node));
	r |= json_set_string(record, "targetAlias", node->target_alias);
	r |= json_set(record, "settings",
		      configured_to_json(node->settings, node->secret, node->target_secret));
	if (effective)
		r |= json_set(record, "effective", effective_to_json(manager, node));
	r |= json_set(record, "origin", origin_to_json(node));
	r |= json_set_int(record, "createdTimestampUSec", (int64_t)node->created_usec);
	r |= json_set_int(record, "changedTimestampUSec", (int64_t)node->changed_usec);
	if (node->last_seen_usec > 0)
		r |= json_set_int(record, "lastSeenTimestampUSec", (int64_t)node->last_seen_usec);
	if (node->logged_out_usec > 0)
		r |= json_set_int(record, "loggedOutTimestampUSec", (int64_t)node->logged_out_usec);
	if (node->md5_only_usec > 0)
		r |= json_set_int(record, "md5OnlyTimestampUSec", (int64_t)node->md5_only_usec);
	if (node->redirect_address)
		r |= json_set(record, "redirect", redirect_to_json(node));
	r |= json_set(record, "sessions", node_sessions_to_json(manager, node));
	return r < 0 ? NULL : json_wrap("record", TAKE_PTR(record));
}

/* List */

struct listing {
	struct selector selector;
	bool effective;
	/* The node listed last; others may come and go between two turns. */
	char target_name[ISCSI_NAME_MAX + 1], address[PORTAL_ADDRESS_MAX];
	uint16_t port;
};

/* The order of records_at(). */
static int compare_keys(const struct node *node, const struct listing *listing)
{
	int c = strcmp(node->key.target_name, listing->target_name);

	if (c == 0)
		c = strcmp(node->key.address, listing->address);
	return c ? c : (int)node->key.port - (int)listing->port;
}

/* Where the listing goes on: the first node behind the last one listed. */
static size_t listing_position(const struct records *records, const struct listing *listing)
{
	size_t low = 0, high = records_count(records);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_keys(records_at(records, middle), listing) > 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void listing_remember(struct listing *listing, const struct node *node)
{
	(void)snprintf(listing->target_name, sizeof(listing->target_name), "%s",
		       node->key.target_name);
	(void)snprintf(listing->address, sizeof(listing->address), "%s", node->key.address);
	listing->port = node->key.port;
}

static void list_produce(struct call *call, void *userdata)
{
	struct listing *listing = userdata;
	struct manager *manager = call_manager(call);
	size_t i = listing_position(manager->records, listing);
	struct node *node;

	while (!call_full(call)) {
		node = records_at(manager->records, i++);
		if (!node) {
			call_list_end(call);
			return;
		}
		listing_remember(listing, node);
		if (selector_matches_node(&listing->selector, manager, node) &&
		    !call_list(call, record_to_json(manager, node, listing->effective)))
			return;
	}
}

int method_node_list(struct call *call)
{
	struct listing *listing;
	json_object *selector = NULL;

	listing = calloc(1, sizeof(*listing));
	if (!listing)
		return -ENOMEM;
	(void)json_get_object(call_parameters(call), "selector", &selector);
	(void)json_get_bool(call_parameters(call), "effective", &listing->effective);
	call_keep(call, listing, free);
	if (selector_read(selector, &listing->selector) < 0)
		call_invalid_parameter(call, "selector");
	else
		call_produce(call, list_produce);
	return 0;
}
