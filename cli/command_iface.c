/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces, over which this host reaches targets: list, show, add, set, remove.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static inline void interfaces_freep(struct ois_interface ***interfaces)
{
	ois_interfaces_free(*interfaces);
}

/* @name NULL: all. */
static enum status get_interfaces(struct cli *cli, const char *name, struct ois_interface ***ret)
{
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	int r;

	r = ois_list_interfaces(cli->client, name, OIS_LIST_EFFECTIVE, ret, &error);
	return r < 0 ? report(cli, r, error, "list the interfaces") : STATUS_DONE;
}

/* --- ifaces --- */

static const char *const ifaces_headers[] = { "INTERFACE", "TRANSPORT", ">HOST",  "PORT OR DEVICE",
					      "ADDRESS",   "INITIATOR", ">USERS", NULL };

/* The first of these settings that it has; "" ends the row. */
static void add_setting(struct table *table, const struct ois_interface *interface,
			const char *const *names)
{
	_cleanup_free_ char *value = NULL;

	for (; *names && !value; names++)
		(void)ois_interface_get_setting(interface, *names, OIS_LIST_EFFECTIVE, &value);
	(void)table_add(table, value);
}

#define ADD_SETTING(table, interface, ...)                                                         \
	add_setting(table, interface, (const char *const[]){ __VA_ARGS__, NULL })

static void print_interfaces(const struct output *output, struct ois_interface **interfaces)
{
	_cleanup_(table_freep) struct table *table = table_new(ifaces_headers);
	char footer[64];

	for (struct ois_interface **i = interfaces; table && *i; i++) {
		int64_t host = 0, users = 0;
		bool there = ois_interface_get_host(*i, &host) >= 0;

		(void)table_add(table, ois_interface_get_name(*i));
		ADD_SETTING(table, *i, "transport");
		(void)table_add_number(table, there, host);
		ADD_SETTING(table, *i, "adapter", "tcp.netDevice");
		ADD_SETTING(table, *i, "network.address", "tcp.sourceAddress");
		ADD_SETTING(table, *i, "initiatorName");
		(void)ois_interface_get_users(*i, &users);
		(void)table_add_number(table, true, users);
	}
	if (!table)
		return;
	(void)snprintf(footer, sizeof(footer), "%zu %s listed.", table_rows(table),
		       plural(table_rows(table), "interface", "interfaces"));
	pager_open(output);
	table_print(output, table, footer);
}

enum status verb_ifaces(struct cli *cli, char **arguments)
{
	_cleanup_(interfaces_freep) struct ois_interface **interfaces = NULL;
	struct json_array array;
	enum status status;

	status = get_interfaces(cli, NULL, &interfaces);
	if (status != STATUS_DONE)
		return status;
	if (cli->output.json == JSON_OFF) {
		print_interfaces(&cli->output, interfaces);
		return STATUS_DONE;
	}
	json_array_begin(&array, &cli->output);
	for (struct ois_interface **i = interfaces; *i; i++)
		json_array_add(&array, ois_interface_get_json(*i));
	json_array_end(&array);
	return STATUS_DONE;
}

/* --- iface show --- */

static int get_setting(const void *interface, const char *name, unsigned flags, char **ret)
{
	return ois_interface_get_setting(interface, name, flags, ret);
}

static int foreach_setting(const void *interface, unsigned flags, setting_function_t function,
			   void *userdata)
{
	return ois_interface_foreach_setting(interface, flags, function, userdata);
}

static void show_interface(const struct output *output, const struct ois_interface *interface)
{
	const struct settings_of settings = { interface, "interface", get_setting,
					      foreach_setting };
	char text[64];
	int64_t number;

	detail(output, "Interface", ois_interface_get_name(interface));
	if (ois_interface_get_host(interface, &number) >= 0) {
		(void)snprintf(text, sizeof(text), "%" PRId64, number);
		detail(output, "SCSI host", text);
	}
	if (ois_interface_get_users(interface, &number) >= 0 && number > 0) {
		(void)snprintf(text, sizeof(text), "%" PRId64 " nodes and portals", number);
		detail(output, "Used by", text);
	}
	if (ois_interface_get_created_usec(interface, &number) >= 0)
		detail_time(output, "Created", number);
	if (ois_interface_get_changed_usec(interface, &number) >= 0)
		detail_time(output, "Changed", number);
	show_settings(output, &settings);
}

enum status verb_iface_show(struct cli *cli, char **arguments)
{
	enum status status = STATUS_DONE;
	struct json_array array;
	bool json = cli->output.json != JSON_OFF, some = false;

	if (json)
		json_array_begin(&array, &cli->output);
	for (char **name = arguments; *name; name++) {
		_cleanup_(interfaces_freep) struct ois_interface **interfaces = NULL;
		enum status one = get_interfaces(cli, *name, &interfaces);

		if (one == STATUS_DONE && !interfaces[0]) {
			message_error("Failed to show %s: there is no such interface; "
				      "'ois-ctl ifaces' lists the interfaces",
				      *name);
			one = STATUS_NOTHING;
		}
		combine_status(&status, one, name == arguments);
		for (struct ois_interface **i = interfaces; i && *i; i++) {
			if (json) {
				json_array_add(&array, ois_interface_get_json(*i));
				continue;
			}
			pager_open(&cli->output);
			if (some)
				(void)putchar('\n');
			show_interface(&cli->output, *i);
			some = true;
		}
	}
	if (json)
		json_array_end(&array);
	return status;
}

/* --- iface add, iface set --- */

static enum status run_change(struct cli *cli, struct ois_call *call, int r,
			      struct ois_error *refused, const char *attempt, const char *name,
			      const char *done)
{
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	const struct ois_interface *interface;

	if (r < 0)
		return refuse_settings(cli, r, refused, attempt, name);
	r = ois_call_run(call, NULL, NULL, &error);
	if (r < 0)
		return report(cli, r, error, "%s %s", attempt, name);
	interface = ois_reply_get_interface(ois_call_get_reply(call));
	if (cli->output.json != JSON_OFF && interface)
		json_print(&cli->output, ois_interface_get_json(interface));
	result_line(&cli->output, STYLE_PLAIN, "%s: %s", name, done);
	return STATUS_DONE;
}

enum status verb_iface_add(struct cli *cli, char **arguments)
{
	const char *const *settings = (const char *const *)(arguments + 1);
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	int r;

	r = ois_interface_add_call(cli->client, arguments[0], settings, &call, &error);
	return run_change(cli, call, r, error, "add", arguments[0], "added");
}

enum status verb_iface_set(struct cli *cli, char **arguments)
{
	const char *const *settings = (const char *const *)(arguments + 1);
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	int r;

	if (!*settings && !cli->reset)
		return usage_error("Nothing to change: give NAME=VALUE or --reset=NAME; "
				   "'ois-ctl settings' lists the names");
	r = ois_interface_set_call(cli->client, arguments[0], settings, cli->reset, &call, &error);
	return run_change(cli, call, r, error, "change", arguments[0], "changed");
}

/* --- iface apply --- */

static enum status apply_interfaces(struct cli *cli, const char *name)
{
	const char *what = name ?: "the interfaces";
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	int64_t applied = 0, unchanged = 0;
	int r;

	r = ois_interface_apply_call(cli->client, name, &call);
	if (r >= 0)
		r = ois_call_run(call, NULL, NULL, &error);
	if (r < 0)
		return report(cli, r, error, "apply %s", what);
	(void)ois_reply_get_number(ois_call_get_reply(call), "applied", &applied);
	(void)ois_reply_get_number(ois_call_get_reply(call), "unchanged", &unchanged);
	if (name)
		result_line(&cli->output, STYLE_PLAIN, "%s: %s", name,
			    applied > 0 ? "applied" : "in force already");
	else
		result_line(&cli->output, STYLE_PLAIN,
			    "%" PRId64 " applied, %" PRId64 " in force already", applied,
			    unchanged);
	return STATUS_DONE;
}

enum status verb_iface_apply(struct cli *cli, char **arguments)
{
	enum status status = STATUS_DONE;

	if (!*arguments)
		return apply_interfaces(cli, NULL);
	for (char **name = arguments; *name; name++)
		combine_status(&status, apply_interfaces(cli, *name), name == arguments);
	return status;
}

/* --- iface remove --- */

static enum status remove_interface(struct cli *cli, const char *name)
{
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	int r;

	r = ois_interface_remove_call(cli->client, name, &call);
	if (r >= 0)
		r = ois_call_run(call, NULL, NULL, &error);
	if (r < 0)
		return report(cli, r, error, "remove %s", name);
	result_line(&cli->output, STYLE_PLAIN, "%s: removed", name);
	return STATUS_DONE;
}

enum status verb_iface_remove(struct cli *cli, char **arguments)
{
	enum status status = STATUS_DONE;

	for (char **name = arguments; *name; name++)
		combine_status(&status, remove_interface(cli, *name), name == arguments);
	return status;
}
