/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SCSI hosts: hosts, host show.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static inline void hosts_freep(struct ois_host ***hosts)
{
	ois_hosts_free(*hosts);
}

static void format_speed(const struct ois_host *host, char *ret, size_t size)
{
	int64_t megabits;

	if (ois_host_get_number(host, "portSpeedMegabits", &megabits) < 0)
		ret[0] = '\0';
	else if (megabits >= 1000)
		(void)snprintf(ret, size, "%" PRId64 " Gbit/s", megabits / 1000);
	else
		(void)snprintf(ret, size, "%" PRId64 " Mbit/s", megabits);
}

static int64_t count_sessions(const struct ois_host *host)
{
	int64_t n = 0, session;
	char name[32];

	for (;; n++) {
		(void)snprintf(name, sizeof(name), "sessions.%" PRId64, n);
		if (ois_host_get_number(host, name, &session) < 0)
			return n;
	}
}

/* --- hosts --- */

static void add_host(struct table *table, const struct ois_host *host)
{
	const char *state = ois_host_get_port_state(host);
	bool down = state && strcmp(state, "down") == 0;
	char speed[32];
	int64_t number = 0;
	bool known = ois_host_get_host_number(host, &number) >= 0;

	format_speed(host, speed, sizeof(speed));
	(void)table_add_number(table, known, number);
	(void)table_add(table, ois_host_get_transport(host));
	(void)table_add_style(table, down ? STYLE_BAD : STYLE_PLAIN, state);
	(void)table_add(table, speed);
	(void)table_add(table, ois_host_get_hardware_address(host));
	(void)table_add(table, ois_host_get_address(host));
	(void)table_add(table, ois_host_get_net_device(host));
	(void)table_add_number(table, true, count_sessions(host));
}

static void print_hosts(const struct output *output, struct ois_host **hosts)
{
	static const char *const headers[] = { ">HOST",      "TRANSPORT",        "PORT",
					       "SPEED",      "HARDWARE ADDRESS", "ADDRESS",
					       "NET DEVICE", ">SESSIONS",        NULL };
	_cleanup_(table_freep) struct table *table = table_new(headers);
	char footer[64];
	size_t n;

	if (!table)
		return;
	for (; *hosts; hosts++)
		add_host(table, *hosts);
	n = table_rows(table);
	(void)snprintf(footer, sizeof(footer), "%zu %s listed.", n, plural(n, "host", "hosts"));
	if (n == 0)
		message_notice(output, "No hosts.");
	else
		table_print(output, table, footer);
}

static void print_json(const struct output *output, struct ois_host **hosts)
{
	struct json_array array;

	json_array_begin(&array, output);
	for (; *hosts; hosts++)
		json_array_add(&array, ois_host_get_json(*hosts));
	json_array_end(&array);
}

enum status verb_hosts(struct cli *cli, char **arguments)
{
	_cleanup_(hosts_freep) struct ois_host **hosts = NULL;
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	int r;

	r = ois_list_hosts(cli->client, NULL, &hosts, &error);
	if (r < 0)
		return report(cli, r, error, "list the hosts");
	pager_open(&cli->output);
	if (cli->output.json != JSON_OFF)
		print_json(&cli->output, hosts);
	else
		print_hosts(&cli->output, hosts);
	return STATUS_DONE;
}

/* --- host show --- */

/* Elements of an array, one after the other. */
static void show_words(const struct output *output, const char *label, const struct ois_host *host,
		       const char *array)
{
	const char *word;
	char name[64];

	for (size_t i = 0;; i++) {
		char shown[64];

		(void)snprintf(name, sizeof(name), "%s.%zu", array, i);
		word = ois_host_get_text(host, name);
		if (!word)
			return;
		(void)snprintf(shown, sizeof(shown), "%s", word);
		spaces_for_underscores(shown);
		detail(output, i == 0 ? label : "", shown);
	}
}

static void show_host(const struct output *output, const struct ois_host *host)
{
	char speed[32];

	format_speed(host, speed, sizeof(speed));
	detail(output, "Host", ois_host_get_text(host, "hostNumber"));
	detail(output, "Transport", ois_host_get_transport(host));
	detail(output, "Driver", ois_host_get_text(host, "procName"));
	detail(output, "Kind",
	       ois_host_is_adapter(host) > 0 ? "port of an adapter" : "of one session");
	detail(output, "Port", ois_host_get_port_state(host));
	detail(output, "Speed", *speed ? speed : NULL);
	detail(output, "Hardware", ois_host_get_hardware_address(host));
	detail(output, "Address", ois_host_get_address(host));
	detail(output, "Net device", ois_host_get_net_device(host));
	detail(output, "Initiator", ois_host_get_initiator_name(host));
	detail(output, "Commands", ois_host_get_text(host, "commandsMax"));
	show_words(output, "Sessions", host, "sessions");
	show_words(output, "Can do", host, "capabilities");
}

static enum status show_one(struct cli *cli, const char *which, struct json_array *array,
			    bool first)
{
	_cleanup_(hosts_freep) struct ois_host **hosts = NULL;
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	int r;

	r = ois_list_hosts(cli->client, which, &hosts, &error);
	if (r < 0)
		return report(cli, r, error, "show host %s", which);
	if (cli->output.json == JSON_OFF && !first)
		(void)puts("");
	for (struct ois_host **host = hosts; *host; host++) {
		if (cli->output.json != JSON_OFF)
			json_array_add(array, ois_host_get_json(*host));
		else
			show_host(&cli->output, *host);
	}
	return STATUS_DONE;
}

enum status verb_host_show(struct cli *cli, char **arguments)
{
	enum status status = STATUS_DONE;
	struct json_array array;

	if (cli->output.json != JSON_OFF)
		json_array_begin(&array, &cli->output);
	for (char **which = arguments; *which; which++)
		combine_status(&status, show_one(cli, *which, &array, which == arguments),
			       which == arguments);
	if (cli->output.json != JSON_OFF)
		json_array_end(&array);
	return status;
}
