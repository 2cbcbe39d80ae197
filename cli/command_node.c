/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nodes: list, show, add, set, remove.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static inline void nodes_freep(struct ois_node ***nodes)
{
	ois_nodes_free(*nodes);
}

static enum status get_nodes(struct cli *cli, const char *target, struct ois_node ***ret)
{
	_cleanup_(selector_freep) struct ois_selector *selector = NULL;
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	enum status status;
	int r;

	status = select_nodes(cli, target, &selector);
	if (status != STATUS_DONE)
		return status;
	r = ois_list_nodes(cli->client, selector, OIS_LIST_EFFECTIVE, ret, &error);
	if (r == -ESRCH)
		return STATUS_NOTHING;
	return r < 0 ? report(cli, r, error, "list the nodes") : STATUS_DONE;
}

static char *node_portal(const struct ois_node *node)
{
	int64_t port = 0;

	(void)ois_node_get_port(node, &port);
	return format_portal(ois_node_get_address(node), (int)port);
}

/* "3 4", NULL without sessions. The caller frees. */
static char *node_sessions(const struct ois_node *node)
{
	char *text = NULL, *longer;
	int64_t session;

	for (size_t i = 0; ois_node_get_session(node, i, &session) >= 0; i++) {
		if (asprintf(&longer, "%s%s%" PRId64, text ?: "", text ? " " : "", session) < 0)
			break;
		free(text);
		text = longer;
	}
	return text;
}

/* --- nodes --- */

static const char *const nodes_headers[] = { "TARGET",  "PORTAL", "STARTUP",
					     "SESSION", "ORIGIN", NULL };

/* "automatic", or that a person's logout is in the way of it. */
static void add_startup(struct table *table, const struct ois_node *node, const char *startup)
{
	int64_t usec;

	if (startup && strcmp(startup, "automatic") == 0 &&
	    ois_node_get_number(node, "loggedOutTimestampUSec", &usec) >= 0)
		(void)table_add_style(table, STYLE_WARNING, "automatic, logged out");
	else
		(void)table_add(table, startup);
}

static void print_nodes(const struct output *output, struct ois_node **nodes)
{
	_cleanup_(table_freep) struct table *table = table_new(nodes_headers);
	char footer[64];

	for (struct ois_node **n = nodes; table && *n; n++) {
		_cleanup_free_ char *portal = node_portal(*n), *sessions = node_sessions(*n),
				    *startup = NULL;

		(void)ois_node_get_setting(*n, "startup", OIS_LIST_EFFECTIVE, &startup);
		(void)table_add(table, ois_node_get_target_name(*n));
		(void)table_add(table, portal);
		add_startup(table, *n, startup);
		(void)table_add_style(table, sessions ? STYLE_GOOD : STYLE_GREY, sessions);
		(void)table_add_style(table, STYLE_GREY, ois_node_get_origin(*n));
	}
	if (!table)
		return;
	if (table_rows(table) == 0) {
		message_notice(output, "No nodes. 'ois-ctl discover ADDRESS' finds targets.");
		return;
	}
	(void)snprintf(footer, sizeof(footer), "%zu %s listed.", table_rows(table),
		       plural(table_rows(table), "node", "nodes"));
	pager_open(output);
	table_print(output, table, footer);
}

static void print_nodes_json(const struct output *output, struct ois_node **nodes)
{
	struct json_array array;

	json_array_begin(&array, output);
	for (struct ois_node **n = nodes; *n; n++)
		json_array_add(&array, ois_node_get_json(*n));
	json_array_end(&array);
}

enum status verb_nodes(struct cli *cli, char **arguments)
{
	_cleanup_(nodes_freep) struct ois_node **nodes = NULL;
	enum status status;

	status = get_nodes(cli, NULL, &nodes);
	if (status != STATUS_DONE)
		return status;
	if (cli->output.json != JSON_OFF)
		print_nodes_json(&cli->output, nodes);
	else
		print_nodes(&cli->output, nodes);
	return STATUS_DONE;
}

/* --- node show --- */

static int get_setting(const void *node, const char *name, unsigned flags, char **ret)
{
	return ois_node_get_setting(node, name, flags, ret);
}

static int foreach_setting(const void *node, unsigned flags, setting_function_t function,
			   void *userdata)
{
	return ois_node_foreach_setting(node, flags, function, userdata);
}

static void show_time(const struct output *output, const char *label, const struct ois_node *node,
		      const char *name)
{
	int64_t usec;

	if (ois_node_get_number(node, name, &usec) >= 0)
		detail_time(output, label, usec);
}

static void show_redirect(const struct output *output, const struct ois_node *node)
{
	_cleanup_free_ char *portal = NULL;
	int64_t port = 0, usec = 0;
	char since[64];

	if (ois_node_get_number(node, "redirect.port", &port) < 0)
		return;
	(void)ois_node_get_number(node, "redirect.timestampUSec", &usec);
	format_time(usec, since, sizeof(since));
	portal = format_portal(ois_node_get_text(node, "redirect.address"), (int)port);
	detailf(output, "Moved to", "%s since %s", portal ?: "-", since);
}

static void show_node(const struct output *output, const struct ois_node *node)
{
	const struct settings_of settings = { node, "node", get_setting, foreach_setting };
	_cleanup_free_ char *portal = node_portal(node), *sessions = node_sessions(node);
	const char *asked = ois_node_get_text(node, "origin.address");
	int64_t tag;

	detail(output, "Target", ois_node_get_target_name(node));
	detail(output, "Alias", ois_node_get_target_alias(node));
	if (ois_node_get_portal_group_tag(node, &tag) >= 0)
		detailf(output, "Portal", "%s, group %" PRId64, portal ?: "-", tag);
	else
		detail(output, "Portal", portal);
	show_redirect(output, node);
	detailf(output, "Origin", "%s%s%s", ois_node_get_origin(node) ?: "-", asked ? " at " : "",
		asked ?: "");
	show_time(output, "Created", node, "createdTimestampUSec");
	show_time(output, "Changed", node, "changedTimestampUSec");
	show_time(output, "Last seen", node, "lastSeenTimestampUSec");
	show_time(output, "Logged out", node, "loggedOutTimestampUSec");
	show_time(output, "MD5 only", node, "md5OnlyTimestampUSec");
	detail_style(output, STYLE_GOOD, "Sessions", sessions);
	show_settings(output, &settings);
}

enum status verb_node_show(struct cli *cli, char **arguments)
{
	enum status status = STATUS_DONE;
	struct json_array array;
	bool json = cli->output.json != JSON_OFF, some = false;

	if (json)
		json_array_begin(&array, &cli->output);
	for (char **target = arguments; *target; target++) {
		_cleanup_(nodes_freep) struct ois_node **nodes = NULL;
		enum status one = get_nodes(cli, *target, &nodes);

		if (one == STATUS_NOTHING || (one == STATUS_DONE && !nodes[0])) {
			message_error(
				"Failed to show %s: no such node; 'ois-ctl nodes' lists the nodes",
				*target);
			one = STATUS_NOTHING;
		}
		combine_status(&status, one, target == arguments);
		for (struct ois_node **n = nodes; n && *n; n++) {
			if (json) {
				json_array_add(&array, ois_node_get_json(*n));
				continue;
			}
			pager_open(&cli->output);
			if (some)
				(void)putchar('\n');
			show_node(&cli->output, *n);
			some = true;
		}
	}
	if (json)
		json_array_end(&array);
	return status;
}

/* --- Secrets --- */

static int make_secret_call(struct cli *cli, const void *selector, enum ois_secret_role role,
			    const struct secret_buffer *secret, struct ois_call **ret)
{
	return ois_node_set_secret_call(cli->client, selector, role, secret->bytes, secret->length,
					ret);
}

/* --- node add --- */

/*
 * @ret_portal, which the caller frees, tells the port too where the arguments left it to the
 * default.
 */
static enum status create_node(struct cli *cli, char **arguments, char **ret_portal)
{
	const struct ois_node *node;
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	int r;

	r = ois_node_create_call(cli->client, arguments[0], arguments[1],
				 (const char *const *)(arguments + 2), &call, &error);
	if (r < 0)
		return refuse_settings(cli, r, error, "add", arguments[0]);
	r = ois_call_run(call, NULL, NULL, &error);
	if (r < 0)
		return report(cli, r, error, "add the node %s at %s", arguments[0], arguments[1]);
	node = ois_reply_get_node(ois_call_get_reply(call));
	if (!node)
		return report(cli, -EPROTO, NULL, "add the node %s at %s", arguments[0],
			      arguments[1]);
	*ret_portal = node_portal(node);
	if (cli->output.json != JSON_OFF)
		json_print(&cli->output, ois_node_get_json(node));
	result_line(&cli->output, STYLE_PLAIN, "%s at %s: added", arguments[0],
		    *ret_portal ?: arguments[1]);
	return STATUS_DONE;
}

enum status verb_node_add(struct cli *cli, char **arguments)
{
	_cleanup_(selector_freep) struct ois_selector *selector = NULL;
	struct secret_buffer secrets[2] = {};
	_cleanup_free_ char *portal = NULL;
	enum status status;

	status = read_secrets(cli, secrets);
	if (status == STATUS_DONE)
		status = create_node(cli, arguments, &portal);
	if (status == STATUS_DONE && secrets_given(cli)) {
		cli->portal = portal;
		status = select_nodes(cli, arguments[0], &selector);
		if (status == STATUS_DONE)
			status = store_secrets(cli, make_secret_call, selector, arguments[0],
					       secrets);
	}
	secret_buffer_done(&secrets[0]);
	secret_buffer_done(&secrets[1]);
	return status;
}

/* --- node set --- */

static enum status update_nodes(struct cli *cli, const struct ois_selector *selector,
				const char *target, const char *const *settings)
{
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	int64_t updated = 0;
	int r;

	r = ois_node_update_call(cli->client, selector, settings, cli->reset, &call, &error);
	if (r < 0)
		return refuse_settings(cli, r, error, "change", target);
	r = ois_call_run(call, NULL, NULL, &error);
	if (r < 0)
		return report(cli, r, error, "change %s", target);
	(void)ois_reply_get_number(ois_call_get_reply(call), "updated", &updated);
	if (cli->output.json != JSON_OFF)
		json_print(&cli->output, ois_reply_get_json(ois_call_get_reply(call)));
	result_line(&cli->output, STYLE_PLAIN, "%" PRId64 " %s changed", updated,
		    plural((size_t)updated, "node", "nodes"));
	return STATUS_DONE;
}

/* What "node set" was asked to do makes sense. */
static enum status check_set(const struct cli *cli, const char *target, char **settings)
{
	if (!target)
		return usage_error("Name a target, or say --all for every node");
	if (!*settings && !cli->reset && !secrets_given(cli))
		return usage_error("Nothing to change: give NAME=VALUE, --reset=NAME or a secret; "
				   "'ois-ctl settings' lists the names");
	return STATUS_DONE;
}

enum status verb_node_set(struct cli *cli, char **arguments)
{
	_cleanup_(selector_freep) struct ois_selector *selector = NULL;
	bool all = option_given(cli, OPTION_ALL);
	const char *target = all ? "all nodes" : arguments[0];
	char **settings = all || !target ? arguments : arguments + 1;
	struct secret_buffer secrets[2] = {};
	enum status status;

	status = check_set(cli, target, settings);
	if (status == STATUS_DONE)
		status = select_nodes(cli, all ? NULL : target, &selector);
	if (status == STATUS_DONE)
		status = read_secrets(cli, secrets);
	if (status == STATUS_DONE && (*settings || cli->reset))
		status = update_nodes(cli, selector, target, (const char *const *)settings);
	if (status == STATUS_DONE && secrets_given(cli))
		status = store_secrets(cli, make_secret_call, selector, target, secrets);
	secret_buffer_done(&secrets[0]);
	secret_buffer_done(&secrets[1]);
	return status;
}

/* --- node remove --- */

static enum status remove_nodes(struct cli *cli, const char *target)
{
	_cleanup_(selector_freep) struct ois_selector *selector = NULL;
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	enum status status;
	int64_t deleted = 0;
	int r;

	status = select_nodes(cli, target, &selector);
	if (status != STATUS_DONE)
		return status;
	r = ois_node_delete_call(cli->client, selector,
				 option_given(cli, OPTION_FORCE) ? OIS_FORCE : 0, &call);
	if (r >= 0)
		r = ois_call_run(call, NULL, NULL, &error);
	if (r < 0 && (r != -ESRCH || target)) /* that there is nothing is no failure of "all" */
		return report(cli, r, error, "remove %s", target ?: "all nodes");
	if (r < 0) {
		message_notice(&cli->output, "No nodes.");
		return STATUS_DONE;
	}
	(void)ois_reply_get_number(ois_call_get_reply(call), "deleted", &deleted);
	if (cli->output.json != JSON_OFF)
		json_print(&cli->output, ois_reply_get_json(ois_call_get_reply(call)));
	result_line(&cli->output, STYLE_PLAIN, "%s: %" PRId64 " %s removed", target ?: "All",
		    deleted, plural((size_t)deleted, "node", "nodes"));
	return STATUS_DONE;
}

enum status verb_node_remove(struct cli *cli, char **arguments)
{
	enum status status = STATUS_DONE;

	if (option_given(cli, OPTION_ALL) && *arguments)
		return usage_error("Either targets or --all");
	if (option_given(cli, OPTION_ALL))
		return remove_nodes(cli, NULL);
	if (!*arguments)
		return usage_error("Name the targets to remove, or say --all for every node");
	for (char **target = arguments; *target; target++)
		combine_status(&status, remove_nodes(cli, *target), target == arguments);
	return status;
}
