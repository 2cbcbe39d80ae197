/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Targets that an adapter keeps: host flashnode.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static inline void nodes_freep(struct ois_flash_node ***nodes)
{
	ois_flash_nodes_free(*nodes);
}

static enum status read_index(const char *text, int *ret)
{
	int64_t index;

	if (parse_count(text, 0, &index) < 0)
		return usage_error("'%s' is no INDEX", text);
	*ret = (int)index;
	return STATUS_DONE;
}

static void print_json(const struct output *output, struct ois_flash_node **nodes)
{
	struct json_array array;

	json_array_begin(&array, output);
	for (; *nodes; nodes++)
		json_array_add(&array, ois_flash_node_get_json(*nodes));
	json_array_end(&array);
}

/* --- List --- */

static void add_node(struct table *table, const struct ois_flash_node *node)
{
	int64_t index = 0, port = 0;
	bool known = ois_flash_node_get_index(node, &index) >= 0;
	_cleanup_free_ char *portal = NULL;

	(void)ois_flash_node_get_number(node, "parameters.port", &port);
	portal = format_portal(ois_flash_node_get_address(node), (int)port);
	(void)table_add_number(table, known, index);
	(void)table_add(table, ois_flash_node_get_target_name(node));
	(void)table_add(table, portal);
	(void)table_add(table, ois_flash_node_get_text(node, "parameters.chap"));
	(void)table_add(table, ois_flash_node_get_text(node, "parameters.bootTarget"));
}

static void print_nodes(const struct output *output, struct ois_flash_node **nodes)
{
	static const char *const headers[] = { ">INDEX", "TARGET", "PORTAL", "CHAP", "BOOT", NULL };
	_cleanup_(table_freep) struct table *table = table_new(headers);

	if (!table)
		return;
	for (; *nodes; nodes++)
		add_node(table, *nodes);
	if (table_rows(table) == 0)
		message_notice(output, "No flash nodes.");
	else
		table_print(output, table, NULL);
}

enum status verb_flash_list(struct cli *cli, char **arguments)
{
	_cleanup_(nodes_freep) struct ois_flash_node **nodes = NULL;
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	int r;

	r = ois_list_flash_nodes(cli->client, arguments[0], -1, &nodes, &error);
	if (r < 0)
		return report(cli, r, error, "list the flash nodes of host %s", arguments[0]);
	pager_open(&cli->output);
	if (cli->output.json != JSON_OFF)
		print_json(&cli->output, nodes);
	else
		print_nodes(&cli->output, nodes);
	return STATUS_DONE;
}

/* --- Show --- */

static int add_parameter(const char *name, const char *value, void *userdata)
{
	struct table *table = userdata;

	(void)table_add(table, name);
	return table_add(table, value);
}

static void show_node(const struct output *output, const struct ois_flash_node *node)
{
	static const char *const headers[] = { "PARAMETER", "VALUE", NULL };
	_cleanup_(table_freep) struct table *table = table_new(headers);

	if (!table)
		return;
	(void)ois_flash_node_foreach_parameter(node, add_parameter, table);
	table_print(output, table, NULL);
}

enum status verb_flash_show(struct cli *cli, char **arguments)
{
	_cleanup_(nodes_freep) struct ois_flash_node **nodes = NULL;
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	enum status status;
	int index = 0, r;

	status = read_index(arguments[1], &index);
	if (status != STATUS_DONE)
		return status;
	r = ois_list_flash_nodes(cli->client, arguments[0], index, &nodes, &error);
	if (r < 0)
		return report(cli, r, error, "show flash node %s of host %s", arguments[1],
			      arguments[0]);
	if (cli->output.json != JSON_OFF)
		print_json(&cli->output, nodes);
	else if (*nodes)
		show_node(&cli->output, *nodes);
	return STATUS_DONE;
}

/* --- Change --- */

enum status verb_flash_add(struct cli *cli, char **arguments)
{
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	int64_t index = -1;
	int r;

	if (strcmp(arguments[1], "ipv4") != 0 && strcmp(arguments[1], "ipv6") != 0)
		return usage_error("'%s' is neither ipv4 nor ipv6", arguments[1]);
	r = ois_host_create_flash_node_call(cli->client, arguments[0], arguments[1],
					    (const char *const *)arguments + 2, &call, &error);
	if (r == -EINVAL && error)
		return usage_error("%s", ois_error_get_message(error));
	if (r >= 0)
		r = ois_call_run(call, NULL, NULL, &error);
	if (r < 0)
		return report(cli, r, error, "make a flash node of host %s", arguments[0]);
	(void)ois_reply_get_number(ois_call_get_reply(call), "index", &index);
	if (cli->output.json != JSON_OFF)
		json_print(&cli->output, ois_reply_get_json(ois_call_get_reply(call)));
	result_line(&cli->output, STYLE_PLAIN, "Flash node %" PRId64 " of host %s made", index,
		    arguments[0]);
	return STATUS_DONE;
}

enum status verb_flash_set(struct cli *cli, char **arguments)
{
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	enum status status;
	int index = 0, r;

	status = read_index(arguments[1], &index);
	if (status != STATUS_DONE)
		return status;
	r = ois_host_set_flash_node_call(cli->client, arguments[0], index,
					 (const char *const *)arguments + 2, &call, &error);
	if (r == -EINVAL && error)
		return usage_error("%s", ois_error_get_message(error));
	if (r >= 0)
		r = ois_call_run(call, NULL, NULL, &error);
	if (r < 0)
		return report(cli, r, error, "change flash node %s of host %s", arguments[1],
			      arguments[0]);
	result_line(&cli->output, STYLE_PLAIN, "Flash node %s of host %s changed", arguments[1],
		    arguments[0]);
	return STATUS_DONE;
}

struct order {
	int (*make)(struct ois_client *client, const char *host, int index, struct ois_call **ret);
	const char *attempt, *done;
};

static enum status give(struct cli *cli, char **arguments, const struct order *order)
{
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	enum status status;
	int index = 0, r;

	status = read_index(arguments[1], &index);
	if (status != STATUS_DONE)
		return status;
	r = order->make(cli->client, arguments[0], index, &call);
	if (r >= 0)
		r = ois_call_run(call, NULL, NULL, &error);
	if (r < 0)
		return report(cli, r, error, "%s flash node %s of host %s", order->attempt,
			      arguments[1], arguments[0]);
	result_line(&cli->output, STYLE_PLAIN, "Flash node %s of host %s: %s", arguments[1],
		    arguments[0], order->done);
	return STATUS_DONE;
}

enum status verb_flash_remove(struct cli *cli, char **arguments)
{
	static const struct order order = { ois_host_remove_flash_node_call, "remove", "removed" };

	return give(cli, arguments, &order);
}

enum status verb_flash_login(struct cli *cli, char **arguments)
{
	static const struct order order = { ois_host_login_flash_node_call, "log in to",
					    "login begun" };

	return give(cli, arguments, &order);
}

enum status verb_flash_logout(struct cli *cli, char **arguments)
{
	static const struct order order = { ois_host_logout_flash_node_call, "log out of",
					    "logged out" };

	return give(cli, arguments, &order);
}
