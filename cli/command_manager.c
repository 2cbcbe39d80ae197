/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon itself: status, reload, settings.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* --- status --- */

static int64_t status_number(const struct ois_status *status, const char *name)
{
	int64_t number = 0;

	(void)ois_status_get_number(status, name, &number);
	return number;
}

static void show_daemon(const struct output *output, const struct ois_status *status)
{
	const char *state = ois_status_get_state(status) ?: "unknown";
	char started[64], age[32];
	int64_t usec = status_number(status, "startedTimestampUSec");

	format_time(usec, started, sizeof(started));
	format_age(usec, age, sizeof(age));
	detailf(output, "Daemon", "oisd %s, process %" PRId64,
		ois_status_get_version(status) ?: "?", status_number(status, "processId"));
	(void)printf(
		"%14s: %s%s%s since %s; %s\n", "State",
		style_begin(output, strcmp(state, "running") == 0 ? STYLE_GOOD : STYLE_WARNING),
		state, style_end(output, STYLE_GOOD), started, age);
}

static void show_sessions(const struct output *output, const struct ois_status *status)
{
	int64_t recovering = status_number(status, "recovering");
	int64_t flight = status_number(status, "loginsInFlight"),
		queued = status_number(status, "loginsQueued");

	detailf(output, "Nodes", "%" PRId64, status_number(status, "nodes"));
	if (recovering > 0)
		detailf(output, "Sessions", "%" PRId64 ", %" PRId64 " of them recovering",
			status_number(status, "sessions"), recovering);
	else
		detailf(output, "Sessions", "%" PRId64, status_number(status, "sessions"));
	if (flight > 0 || queued > 0)
		detailf(output, "Logins", "%" PRId64 " under way, %" PRId64 " waiting", flight,
			queued);
}

static const char *transport_text(const struct ois_status *status, size_t index, const char *field)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "transports.%zu.%s", index, field);
	return ois_status_get_text(status, name);
}

static bool is(const char *text, const char *value)
{
	return text && strcmp(text, value) == 0;
}

/* Of adapters only those that are there. */
static void show_transports(const struct output *output, const struct ois_status *status)
{
	const char *name, *module, *title = "Transports";

	for (size_t i = 0; (name = transport_text(status, i, "name")); i++) {
		bool loaded = is(transport_text(status, i, "loaded"), "true");
		const char *kind = transport_text(status, i, "kind");

		if (!loaded && !is(kind, "socket"))
			continue;
		module = is(kind, "unknown") ? kind : transport_text(status, i, "module");
		detailf(output, title, "%s (%s%s%s), sessions: %s", name, module ?: "",
			module ? " " : "", loaded ? "loaded" : "not loaded",
			transport_text(status, i, "sessions") ?: "0");
		title = "";
	}
}

static void show_files(const struct output *output, const struct ois_status *status)
{
	int64_t dropped = status_number(status, "journalDropped");
	const char *file;
	char name[64];

	for (size_t i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "configurationFiles.%zu", i);
		file = ois_status_get_text(status, name);
		if (!file)
			break;
		detail(output, i == 0 ? "Configuration" : "", file);
	}
	detail(output, "Records", ois_status_get_text(status, "recordsDirectory"));
	if (dropped > 0)
		detail_style(output, STYLE_WARNING, "Journal",
			     "entries were dropped because the journal did not take them");
}

static void show_status(const struct output *output, const struct ois_status *status)
{
	const char *alias = ois_status_get_text(status, "initiator.alias");

	show_daemon(output, status);
	detailf(output, "Initiator", "%s (%s)", ois_status_get_initiator_name(status) ?: "?",
		ois_status_get_text(status, "initiator.origin") ?: "?");
	detail(output, "Alias", alias);
	show_sessions(output, status);
	show_transports(output, status);
	show_files(output, status);
}

static inline void status_unrefp(struct ois_status **status)
{
	ois_status_unref(*status);
}

enum status verb_status(struct cli *cli, char **arguments)
{
	_cleanup_(status_unrefp) struct ois_status *status = NULL;
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	int r;

	r = ois_get_status(cli->client, &status, &error);
	if (r < 0)
		return report(cli, r, error, "get the status of the daemon");
	if (cli->output.json != JSON_OFF)
		json_print(&cli->output, ois_status_get_json(status));
	else
		show_status(&cli->output, status);
	return STATUS_DONE;
}

/* --- reload --- */

enum status verb_reload(struct cli *cli, char **arguments)
{
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	int r;

	r = ois_reload_call(cli->client, &call);
	if (r >= 0)
		r = ois_call_run(call, NULL, NULL, &error);
	if (r < 0)
		return report(cli, r, error, "reload the configuration");
	message_notice(&cli->output, "Configuration reloaded.");
	return STATUS_DONE;
}

/* --- settings --- */

static const char *const settings_headers[] = { "NAME", "DEFAULT",     "VALUES", "TAKES EFFECT",
						"OF",   "DESCRIPTION", NULL };

/* "yes, no", "0..3600", "none, crc32c", "text". */
static void describe_values(const struct ois_setting *setting, char *ret, size_t size)
{
	const char *kind = ois_setting_get_kind(setting) ?: "", *value;
	int64_t minimum, maximum;
	size_t used = 0;

	(void)snprintf(ret, size, "%s", kind);
	if (strcmp(kind, "boolean") == 0)
		(void)snprintf(ret, size, "yes, no");
	else if (strcmp(kind, "integer") == 0 && ois_setting_get_minimum(setting, &minimum) >= 0 &&
		 ois_setting_get_maximum(setting, &maximum) >= 0)
		(void)snprintf(ret, size, "%" PRId64 "..%" PRId64, minimum, maximum);
	for (size_t i = 0; used < size && (value = ois_setting_get_value(setting, i)); i++)
		used += (size_t)snprintf(ret + used, size - used, "%s%s", i > 0 ? ", " : "", value);
}

/* As it is written on the command line. */
static void describe_default(const struct ois_setting *setting, char *ret, size_t size)
{
	const char *kind = ois_setting_get_kind(setting) ?: "",
		   *value = ois_setting_get_default(setting) ?: "";

	if (strcmp(kind, "boolean") == 0 && *value)
		value = strcmp(value, "true") == 0 || strcmp(value, "yes") == 0 ? "yes" : "no";
	(void)snprintf(ret, size, "%s", value);
	for (char *c = ret; strcmp(kind, "list") == 0 && *c; c++)
		if (*c == ' ')
			*c = ',';
}

/* "nodes, portals" */
static void describe_owners(const struct ois_setting *setting, char *ret, size_t size)
{
	const struct {
		bool is;
		const char *name;
	} owners[] = {
		{ ois_setting_is_for_node(setting) > 0, "nodes" },
		{ ois_setting_is_for_discovery(setting) > 0, "portals" },
		{ ois_setting_is_for_interface(setting) > 0, "interfaces" },
	};
	size_t used = 0;

	*ret = '\0';
	for (size_t i = 0; i < ELEMENTSOF(owners); i++)
		if (owners[i].is)
			used += (size_t)snprintf(ret + used, size - used, "%s%s",
						 used > 0 ? ", " : "", owners[i].name);
}

static void list_settings(const struct output *output, struct ois_setting **settings)
{
	_cleanup_(table_freep) struct table *table = table_new(settings_headers);
	char values[256], initially[256], footer[64];

	for (struct ois_setting **s = settings; table && *s; s++) {
		const char *applies = ois_setting_get_applies(*s) ?: "";

		describe_values(*s, values, sizeof(values));
		(void)table_add(table, ois_setting_get_name(*s));
		describe_default(*s, initially, sizeof(initially));
		(void)table_add(table, initially);
		(void)table_add(table, values);
		(void)table_add(table, strcmp(applies, "next_login") == 0 ? "at login" : "at once");
		describe_owners(*s, values, sizeof(values));
		(void)table_add(table, values);
		(void)table_add(table, ois_setting_get_description(*s));
	}
	if (!table)
		return;
	(void)snprintf(footer, sizeof(footer), "%zu settings listed.", table_rows(table));
	pager_open(output);
	table_print(output, table, footer);
}

static inline void settings_freep(struct ois_setting ***settings)
{
	ois_settings_free(*settings);
}

enum status verb_settings(struct cli *cli, char **arguments)
{
	_cleanup_(settings_freep) struct ois_setting **settings = NULL;
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	struct json_array array;
	int r;

	r = ois_list_settings(cli->client, &settings, &error);
	if (r < 0)
		return report(cli, r, error, "list the settings");
	if (cli->output.json == JSON_OFF) {
		list_settings(&cli->output, settings);
		return STATUS_DONE;
	}
	json_array_begin(&array, &cli->output);
	for (struct ois_setting **s = settings; *s; s++)
		json_array_add(&array, ois_setting_get_json(*s));
	json_array_end(&array);
	return STATUS_DONE;
}
