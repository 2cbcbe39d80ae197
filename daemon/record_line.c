/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A line of the records: one JSON object about one node. Members this version does not know are
 * kept with the node and written back.
 */
#include <string.h>

#include "address.h"
#include "record_private.h"

/* As in OriginKind of org.ois.node. */
static const char *const origins[] = {
	[NODE_ORIGIN_STATIC] = "static",
	[NODE_ORIGIN_SEND_TARGETS] = "send_targets",
};

/* What only nodes.jsonl holds. */
static int take_configuration(struct record *record, json_object *line, struct record_fault *fault)
{
	const char *origin = record_line_text(line, "origin", fault), *how;
	struct node *node = &record->node;
	int r;

	node->origin = NODE_ORIGIN_STATIC;
	if (origin && strcmp(origin, origins[NODE_ORIGIN_SEND_TARGETS]) == 0)
		node->origin = NODE_ORIGIN_SEND_TARGETS;
	node->logged_out_usec = record_line_time(line, "loggedOutTimestampUSec", fault);
	how = record_line_text(line, "loggedOutHow", fault);
	node->logged_out_forced = node->logged_out_usec > 0 && how && strcmp(how, "forced") == 0;
	r = record_line_secret(line, "secretBase64", &node->secret, fault);
	if (r >= 0)
		r = record_line_secret(line, "targetSecretBase64", &node->target_secret, fault);
	if (r >= 0)
		r = record_line_settings(line, node->settings, &record->unknown_settings, fault);
	return r;
}

/* Without any of these a node has no line in discovered.jsonl. */
static bool has_facts(const struct node *node)
{
	return node->last_seen_usec > 0 || node->md5_only_usec > 0 || node->redirect_address;
}

static int take_redirect(struct node *node, json_object *line, struct record_fault *fault)
{
	const struct node_key portal = {
		.target_name = node->key.target_name,
		.address = record_line_text(line, "redirectAddress", fault),
		.port = (uint16_t)record_line_number(line, "redirectPort", UINT16_MAX, 0, fault),
	};

	if (!portal.address)
		return 0;
	if (node_key_fault(&portal)) {
		fault->reason = "redirectAddress and redirectPort are no portal";
		return 0;
	}
	node->redirect_port = portal.port;
	node->redirect_usec = record_line_time(line, "redirectTimestampUSec", fault);
	return record_line_copy(line, "redirectAddress", &node->redirect_address, fault);
}

/* What only discovered.jsonl holds. A node that no discovery found has a line for other facts. */
static int take_facts(struct record *record, json_object *line, struct record_fault *fault)
{
	struct node *node = &record->node;
	int r;

	node->origin = NODE_ORIGIN_SEND_TARGETS;
	node->origin_port =
		(uint16_t)record_line_number(line, "discoveryPort", UINT16_MAX, 0, fault);
	node->last_seen_usec = record_line_time(line, "lastSeenTimestampUSec", fault);
	node->md5_only_usec = record_line_time(line, "md5OnlyTimestampUSec", fault);
	r = take_redirect(node, line, fault);
	if (!has_facts(node))
		fault->reason = "lastSeenTimestampUSec is missing";
	if (r >= 0)
		r = record_line_copy(line, "targetAlias", &node->target_alias, fault);
	if (r >= 0)
		r = record_line_copy(line, "discoveryAddress", &node->origin_address, fault);
	if (r >= 0)
		r = record_line_copy(line, "discoveryInterface", &node->interface, fault);
	if (node->interface && !interface_name_is_valid(node->interface))
		fault->reason = "discoveryInterface is no name of an interface";
	return r;
}

/* Makes a record of a line. *@fault is set if it cannot be used. Errors: -ENOMEM. */
static int take_line(enum record_file file, json_object *line, struct record **ret,
		     struct record_fault *fault)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct node_key key = {
		.target_name = record_line_text(line, "targetName", fault),
		.address = record_line_text(line, "address", fault),
		.port = (uint16_t)record_line_number(line, "port", UINT16_MAX, 0, fault),
	};
	int r;

	if (!fault->reason && (!key.target_name || !key.address))
		fault->reason = "targetName or address is missing";
	if (!fault->reason)
		fault->reason = node_key_fault(&key);
	if (fault->reason)
		return 0;
	r = record_new(&key, &record);
	if (r < 0)
		return r;
	record->node.portal_group_tag =
		(int)record_line_number(line, "portalGroupTag", UINT16_MAX, -1, fault);
	record->node.created_usec = record_line_time(line, "createdTimestampUSec", fault);
	record->node.changed_usec = record_line_time(line, "changedTimestampUSec", fault);
	r = file == RECORD_FILE_NODES ? take_configuration(record, line, fault)
				      : take_facts(record, line, fault);
	if (r < 0 || fault->reason)
		return r;
	*ret = TAKE_PTR(record);
	return 0;
}

int record_line_read(enum record_file file, json_object *line, struct record **ret,
		     struct record_fault *fault)
{
	static const char *const known[] = {
		"targetName",
		"address",
		"port",
		"portalGroupTag",
		"targetAlias",
		"origin",
		"discoveryAddress",
		"discoveryPort",
		"discoveryInterface",
		"createdTimestampUSec",
		"changedTimestampUSec",
		"lastSeenTimestampUSec",
		"loggedOutTimestampUSec",
		"loggedOutHow",
		"md5OnlyTimestampUSec",
		"redirectAddress",
		"redirectPort",
		"redirectTimestampUSec",
		"settings",
		NULL,
	};
	_cleanup_(record_freep) struct record *record = NULL;
	int r;

	r = take_line(file, line, &record, fault);
	record_line_wipe(line);
	if (!record)
		return r;
	record_line_unknown(line, known, &record->unknown[file]);
	*ret = TAKE_PTR(record);
	return 0;
}

bool record_has_line(const struct record *record, enum record_file file)
{
	const struct node *node = &record->node;

	if (file == RECORD_FILE_DISCOVERED)
		return has_facts(node);
	return node->origin == NODE_ORIGIN_STATIC || !settings_is_empty(node->settings) ||
	       node->secret || node->target_secret || node->logged_out_usec > 0 ||
	       record->unknown_settings || record->unknown[file];
}

static int append_redirect(struct buffer *content, const struct node *node)
{
	int r;

	r = record_append_text(content, ",\"redirectAddress\":", node->redirect_address);
	if (r >= 0)
		r = record_append_number(content, ",\"redirectPort\":", node->redirect_port);
	if (r >= 0)
		r = record_append_number(
			content, ",\"redirectTimestampUSec\":", (int64_t)node->redirect_usec);
	return r;
}

int record_line_write(const struct record *record, enum record_file file, struct buffer *content)
{
	bool facts = file == RECORD_FILE_DISCOVERED;
	const struct node *node = &record->node;
	int r;

	r = record_append_text(content, "{\"targetName\":", node->key.target_name);
	if (r >= 0)
		r = record_append_text(content, ",\"address\":", node->key.address);
	if (r >= 0)
		r = record_append_number(content, ",\"port\":", node->key.port);
	if (r >= 0)
		r = record_append_number(content, ",\"portalGroupTag\":", node->portal_group_tag);
	if (r >= 0)
		r = record_append_number(content,
					 ",\"createdTimestampUSec\":", (int64_t)node->created_usec);
	if (r >= 0)
		r = record_append_number(content,
					 ",\"changedTimestampUSec\":", (int64_t)node->changed_usec);
	if (r >= 0 && facts && node->last_seen_usec > 0)
		r = record_append_number(
			content, ",\"lastSeenTimestampUSec\":", (int64_t)node->last_seen_usec);
	if (r >= 0 && facts && node->md5_only_usec > 0)
		r = record_append_number(
			content, ",\"md5OnlyTimestampUSec\":", (int64_t)node->md5_only_usec);
	if (r >= 0 && facts && node->redirect_address)
		r = append_redirect(content, node);
	if (r >= 0 && facts)
		r = record_append_text(content, ",\"targetAlias\":", node->target_alias);
	if (r >= 0 && facts)
		r = record_append_text(content, ",\"discoveryAddress\":", node->origin_address);
	if (r >= 0 && facts && node->origin_address)
		r = record_append_number(content, ",\"discoveryPort\":", node->origin_port);
	if (r >= 0 && facts)
		r = record_append_text(content, ",\"discoveryInterface\":", node->interface);
	if (r >= 0 && !facts)
		r = record_append_text(content, ",\"origin\":", origins[node->origin]);
	if (r >= 0 && !facts && node->logged_out_usec > 0)
		r = record_append_number(
			content, ",\"loggedOutTimestampUSec\":", (int64_t)node->logged_out_usec);
	if (r >= 0 && !facts && node->logged_out_forced)
		r = record_append_text(content, ",\"loggedOutHow\":", "forced");
	if (r >= 0 && !facts)
		r = record_append_settings(content, node->settings, record->unknown_settings);
	if (r >= 0 && !facts)
		r = record_append_secret(content, ",\"secretBase64\":", node->secret);
	if (r >= 0 && !facts)
		r = record_append_secret(content, ",\"targetSecretBase64\":", node->target_secret);
	return r < 0 ? r : record_append_rest(content, record->unknown[file]);
}
