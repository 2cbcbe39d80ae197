/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Portals, and what is kept for discoveries there: list, show, set, remove.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static inline void records_freep(struct ois_portal_record ***records)
{
	ois_portal_records_free(*records);
}

static char *record_portal(const struct ois_portal_record *record)
{
	int64_t port = 0;

	(void)ois_portal_record_get_port(record, &port);
	return format_portal(ois_portal_record_get_address(record), (int)port);
}

static enum status refuse_portal(const char *portal)
{
	return usage_error("'%s' is no portal: ADDRESS[:PORT] is expected", portal);
}

/* @portal NULL: all. */
static enum status get_records(struct cli *cli, const char *portal, struct ois_portal_record ***ret)
{
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	int r;

	r = ois_list_portal_records(cli->client, portal, OIS_LIST_EFFECTIVE, ret, &error);
	if (portal && !error && (r == -EINVAL || r == -ERANGE))
		return refuse_portal(portal);
	return r < 0 ? report(cli, r, error, "list the portals") : STATUS_DONE;
}

/* --- portals --- */

static const char *const portals_headers[] = { "PORTAL", "METHOD",        "USER NAME",
					       "SECRET", "TARGET SECRET", NULL };

static void add_setting(struct table *table, const struct ois_portal_record *record,
			const char *name)
{
	_cleanup_free_ char *value = NULL;

	(void)ois_portal_record_get_setting(record, name, OIS_LIST_EFFECTIVE, &value);
	(void)table_add(table, value);
}

static void print_records(const struct output *output, struct ois_portal_record **records)
{
	_cleanup_(table_freep) struct table *table = table_new(portals_headers);
	char footer[64];

	for (struct ois_portal_record **r = records; table && *r; r++) {
		_cleanup_free_ char *portal = record_portal(*r);

		(void)table_add(table, portal);
		add_setting(table, *r, "authentication.method");
		add_setting(table, *r, "authentication.userName");
		add_setting(table, *r, "authentication.secretSet");
		add_setting(table, *r, "authentication.targetSecretSet");
	}
	if (!table)
		return;
	if (table_rows(table) == 0) {
		message_notice(output,
			       "No portals. 'ois-ctl portal set ADDRESS' keeps settings for "
			       "discoveries there.");
		return;
	}
	(void)snprintf(footer, sizeof(footer), "%zu %s listed.", table_rows(table),
		       plural(table_rows(table), "portal", "portals"));
	pager_open(output);
	table_print(output, table, footer);
}

enum status verb_portals(struct cli *cli, char **arguments)
{
	_cleanup_(records_freep) struct ois_portal_record **records = NULL;
	struct json_array array;
	enum status status;

	status = get_records(cli, NULL, &records);
	if (status != STATUS_DONE)
		return status;
	if (cli->output.json == JSON_OFF) {
		print_records(&cli->output, records);
		return STATUS_DONE;
	}
	json_array_begin(&array, &cli->output);
	for (struct ois_portal_record **r = records; *r; r++)
		json_array_add(&array, ois_portal_record_get_json(*r));
	json_array_end(&array);
	return STATUS_DONE;
}

/* --- portal show --- */

static int get_setting(const void *record, const char *name, unsigned flags, char **ret)
{
	return ois_portal_record_get_setting(record, name, flags, ret);
}

static int foreach_setting(const void *record, unsigned flags, setting_function_t function,
			   void *userdata)
{
	return ois_portal_record_foreach_setting(record, flags, function, userdata);
}

static void show_record(const struct output *output, const struct ois_portal_record *record)
{
	const struct settings_of settings = { record, "portal", get_setting, foreach_setting };
	_cleanup_free_ char *portal = record_portal(record);
	int64_t usec;

	detail(output, "Portal", portal);
	if (ois_portal_record_get_created_usec(record, &usec) >= 0)
		detail_time(output, "Created", usec);
	if (ois_portal_record_get_changed_usec(record, &usec) >= 0)
		detail_time(output, "Changed", usec);
	show_settings(output, &settings);
}

enum status verb_portal_show(struct cli *cli, char **arguments)
{
	enum status status = STATUS_DONE;
	struct json_array array;
	bool json = cli->output.json != JSON_OFF, some = false;

	if (json)
		json_array_begin(&array, &cli->output);
	for (char **portal = arguments; *portal; portal++) {
		_cleanup_(records_freep) struct ois_portal_record **records = NULL;
		enum status one = get_records(cli, *portal, &records);

		if (one == STATUS_DONE && !records[0]) {
			message_error("Failed to show %s: nothing is kept for this portal; "
				      "'ois-ctl portals' lists the portals",
				      *portal);
			one = STATUS_NOTHING;
		}
		combine_status(&status, one, portal == arguments);
		for (struct ois_portal_record **r = records; r && *r; r++) {
			if (json) {
				json_array_add(&array, ois_portal_record_get_json(*r));
				continue;
			}
			pager_open(&cli->output);
			if (some)
				(void)putchar('\n');
			show_record(&cli->output, *r);
			some = true;
		}
	}
	if (json)
		json_array_end(&array);
	return status;
}

/* --- portal set --- */

static int make_secret_call(struct cli *cli, const void *portal, enum ois_secret_role role,
			    const struct secret_buffer *secret, struct ois_call **ret)
{
	return ois_portal_record_set_secret_call(cli->client, portal, role, secret->bytes,
						 secret->length, ret);
}

static enum status set_settings(struct cli *cli, const char *portal, const char *const *settings)
{
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	const struct ois_portal_record *record;
	int r;

	r = ois_portal_record_set_call(cli->client, portal, settings, cli->reset, &call, &error);
	if (r < 0)
		return refuse_settings(cli, r, error, "change", portal);
	r = ois_call_run(call, NULL, NULL, &error);
	if (r < 0)
		return report(cli, r, error, "change %s", portal);
	record = ois_reply_get_portal_record(ois_call_get_reply(call));
	if (cli->output.json != JSON_OFF && record)
		json_print(&cli->output, ois_portal_record_get_json(record));
	result_line(&cli->output, STYLE_PLAIN, "%s: changed", portal);
	return STATUS_DONE;
}

/* A portal is recognized before a secret is asked for. */
static enum status check_portal(struct cli *cli, const char *portal)
{
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	int r = ois_list_portal_records_call(cli->client, portal, 0, &call);

	if (r == -EINVAL || r == -ERANGE)
		return refuse_portal(portal);
	return r < 0 ? report(cli, r, NULL, "change %s", portal) : STATUS_DONE;
}

enum status verb_portal_set(struct cli *cli, char **arguments)
{
	const char *portal = arguments[0];
	const char *const *settings = (const char *const *)(arguments + 1);
	struct secret_buffer secrets[2] = {};
	enum status status;

	if (!*settings && !cli->reset && !secrets_given(cli))
		return usage_error("Nothing to change: give NAME=VALUE, --reset=NAME or a secret; "
				   "'ois-ctl settings' lists the names");
	status = check_portal(cli, portal);
	if (status == STATUS_DONE)
		status = read_secrets(cli, secrets);
	if (status == STATUS_DONE && (*settings || cli->reset))
		status = set_settings(cli, portal, settings);
	if (status == STATUS_DONE && secrets_given(cli))
		status = store_secrets(cli, make_secret_call, portal, portal, secrets);
	secret_buffer_done(&secrets[0]);
	secret_buffer_done(&secrets[1]);
	return status;
}

/* --- portal remove --- */

static enum status remove_record(struct cli *cli, const char *portal)
{
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	int r;

	r = ois_portal_record_remove_call(cli->client, portal, &call);
	if (r == -EINVAL || r == -ERANGE)
		return refuse_portal(portal);
	if (r >= 0)
		r = ois_call_run(call, NULL, NULL, &error);
	if (r < 0)
		return report(cli, r, error, "remove %s", portal);
	result_line(&cli->output, STYLE_PLAIN, "%s: removed", portal);
	return STATUS_DONE;
}

enum status verb_portal_remove(struct cli *cli, char **arguments)
{
	enum status status = STATUS_DONE;

	for (char **portal = arguments; *portal; portal++)
		combine_status(&status, remove_record(cli, *portal), portal == arguments);
	return status;
}
