/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What adapters do and keep: host set, host stats, host ping, host chap.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* Runs a call whose answer says no more than that it was done. */
static int run_call(int r, struct ois_call *call, struct ois_error **ret_error)
{
	return r < 0 ? r : ois_call_run(call, NULL, NULL, ret_error);
}

/* --- host set --- */

enum status verb_host_set(struct cli *cli, char **arguments)
{
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	int r;

	r = ois_host_set_parameters_call(cli->client, arguments[0],
					 (const char *const *)arguments + 1, &call, &error);
	if (r == -EINVAL && error)
		return usage_error("%s", ois_error_get_message(error));
	r = run_call(r, call, &error);
	if (r < 0)
		return report(cli, r, error, "set host %s", arguments[0]);
	result_line(&cli->output, STYLE_PLAIN, "Host %s changed", arguments[0]);
	return STATUS_DONE;
}

/* --- host stats --- */

static const struct counter {
	const char *layer, *path, *metric, *text;
} counters[] = {
#define HOST_COUNTER(layer, name, metric, text) { #layer, #layer "." #name, metric, text },
#include <ois/host_counter.def>
#undef HOST_COUNTER
};

static void print_counters(const struct output *output, const struct ois_statistics *statistics)
{
	static const char *const headers[] = { "LAYER", "COUNTER", ">VALUE", "MEANING", NULL };
	_cleanup_(table_freep) struct table *table = table_new(headers);

	for (size_t i = 0; table && i < ELEMENTSOF(counters); i++) {
		const struct counter *row = &counters[i];

		(void)table_add(table, row->layer);
		(void)table_add(table, strchr(row->path, '.') + 1);
		(void)table_add(table, ois_statistics_get_text(statistics, row->path));
		(void)table_add(table, row->text);
	}
	if (table)
		table_print(output, table, NULL);
}

static void print_label(const char *name, const char *value)
{
	_cleanup_free_ char *quoted = json_quote(value ?: "");

	(void)printf("%s=%s", name, quoted ?: "\"\"");
}

static void print_metrics(const struct ois_statistics *statistics)
{
	for (size_t i = 0; i < ELEMENTSOF(counters); i++) {
		const struct counter *row = &counters[i];
		const char *value = ois_statistics_get_text(statistics, row->path);

		if (!value)
			continue;
		(void)printf("# TYPE ois_port_%s_%s counter\n# HELP ois_port_%s_%s %s.\n",
			     row->layer, row->metric, row->layer, row->metric, row->text);
		(void)printf("ois_port_%s_%s_total{host=\"%s\",", row->layer, row->metric,
			     ois_statistics_get_text(statistics, "hostNumber") ?: "");
		print_label("transport", ois_statistics_get_text(statistics, "transport"));
		(void)printf(",");
		print_label("address", ois_statistics_get_text(statistics, "hardwareAddress"));
		(void)printf("} %s\n", value);
	}
	(void)puts("# EOF");
}

enum status verb_host_stats(struct cli *cli, char **arguments)
{
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	const struct ois_statistics *statistics;
	int r;

	r = ois_host_get_statistics_call(cli->client, arguments[0], &call);
	r = run_call(r, call, &error);
	if (r < 0)
		return report(cli, r, error, "read the counters of host %s", arguments[0]);
	statistics = ois_reply_get_statistics(ois_call_get_reply(call));
	if (!statistics)
		return report(cli, -EPROTO, NULL, "read the counters of host %s", arguments[0]);
	pager_open(&cli->output);
	if (option_given(cli, OPTION_OPENMETRICS))
		print_metrics(statistics);
	else if (cli->output.json != JSON_OFF)
		json_print(&cli->output, ois_statistics_get_json(statistics));
	else
		print_counters(&cli->output, statistics);
	return STATUS_DONE;
}

/* --- host ping --- */

struct ping {
	struct cli *cli;
	const char *address;
	int64_t sent, received;
};

static void format_milliseconds(int64_t usec, char *ret, size_t size)
{
	(void)snprintf(ret, size, "%" PRId64 ".%02" PRId64, usec / 1000, usec % 1000 / 10);
}

static void show_reply(const struct ping *ping, const struct ois_reply *reply, int64_t sequence)
{
	const struct output *output = &ping->cli->output;
	char time[32];
	int64_t usec;

	if (ois_reply_get_number(reply, "reply.roundTripUSec", &usec) >= 0) {
		format_milliseconds(usec, time, sizeof(time));
		result_line(output, STYLE_PLAIN, "%s: %" PRId64 ": answered in %s ms",
			    ping->address, sequence, time);
	} else {
		result_line(output, STYLE_BAD, "%s: %" PRId64 ": %s", ping->address, sequence,
			    ois_reply_get_text(reply, "reply.failure") ?: "no answer");
	}
}

static void show_summary(const struct ping *ping, const struct ois_reply *reply)
{
	static const char *const fields[] = { "summary.minimumUSec", "summary.averageUSec",
					      "summary.maximumUSec" };
	char times[ELEMENTSOF(fields)][32];
	int64_t usec;

	for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
		times[i][0] = '\0';
		if (ois_reply_get_number(reply, fields[i], &usec) >= 0)
			format_milliseconds(usec, times[i], sizeof(times[i]));
	}
	if (*times[0])
		result_line(&ping->cli->output, STYLE_PLAIN,
			    "%" PRId64 " sent, %" PRId64
			    " answered, least/average/most %s/%s/%s ms",
			    ping->sent, ping->received, times[0], times[1], times[2]);
	else
		result_line(&ping->cli->output, STYLE_PLAIN, "%" PRId64 " sent, none answered",
			    ping->sent);
}

static int hear_ping(struct ois_call *call, const struct ois_reply *reply, void *userdata)
{
	struct ping *ping = userdata;
	int64_t sequence;

	if (ois_reply_get_error(reply))
		return 0;
	if (ping->cli->output.json != JSON_OFF) {
		json_print(&ping->cli->output, ois_reply_get_json(reply));
		(void)ois_reply_get_number(reply, "summary.received", &ping->received);
		(void)ois_reply_get_number(reply, "summary.sent", &ping->sent);
		return 0;
	}
	if (ois_reply_get_number(reply, "reply.sequence", &sequence) >= 0)
		show_reply(ping, reply, sequence);
	if (ois_reply_get_number(reply, "summary.sent", &ping->sent) >= 0) {
		(void)ois_reply_get_number(reply, "summary.received", &ping->received);
		show_summary(ping, reply);
	}
	return 0;
}

enum status verb_host_ping(struct cli *cli, char **arguments)
{
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	struct ping ping = { .cli = cli, .address = arguments[1] };
	int r;

	r = ois_host_ping_call(cli->client, arguments[0], arguments[1],
			       cli->count < 0 ? 0 : (unsigned)cli->count, (unsigned)cli->size,
			       (unsigned)cli->interval * 1000, &call);
	if (r >= 0)
		r = ois_call_run(call, hear_ping, &ping, &error);
	if (r < 0)
		return report(cli, r, error, "ping %s from host %s", arguments[1], arguments[0]);
	if (ping.received == 0)
		return STATUS_TIMEOUT;
	return ping.received == ping.sent ? STATUS_DONE : STATUS_PARTLY;
}

/* --- host chap --- */

static inline void entries_freep(struct ois_chap_entry ***entries)
{
	ois_chap_entries_free(*entries);
}

static void print_entries(const struct output *output, struct ois_chap_entry **entries)
{
	static const char *const headers[] = { ">INDEX", "PROVES", "USER NAME", "SECRET", NULL };
	_cleanup_(table_freep) struct table *table = table_new(headers);

	if (!table)
		return;
	for (; *entries; entries++) {
		const char *role = ois_chap_entry_get_role(*entries);
		int64_t index = 0;
		bool known = ois_chap_entry_get_index(*entries, &index) >= 0;

		(void)table_add_number(table, known, index);
		(void)table_add(table, role && strcmp(role, "initiator") == 0 ? "this host" : role);
		(void)table_add(table, ois_chap_entry_get_user_name(*entries));
		(void)table_add(table, ois_chap_entry_is_secret_set(*entries) > 0 ? "set" : NULL);
	}
	if (table_rows(table) == 0)
		message_notice(output, "No CHAP secrets.");
	else
		table_print(output, table, NULL);
}

enum status verb_host_chap_list(struct cli *cli, char **arguments)
{
	_cleanup_(entries_freep) struct ois_chap_entry **entries = NULL;
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	struct json_array array;
	int r;

	r = ois_list_chap_entries(cli->client, arguments[0], &entries, &error);
	if (r < 0)
		return report(cli, r, error, "list the CHAP secrets of host %s", arguments[0]);
	if (cli->output.json == JSON_OFF) {
		print_entries(&cli->output, entries);
		return STATUS_DONE;
	}
	json_array_begin(&array, &cli->output);
	for (struct ois_chap_entry **entry = entries; *entry; entry++)
		json_array_add(&array, ois_chap_entry_get_json(*entry));
	json_array_end(&array);
	return STATUS_DONE;
}

/* An entry has one secret. */
static int make_entry_call(struct cli *cli, const void *where, enum ois_secret_role role,
			   const struct secret_buffer *secret, struct ois_call **ret)
{
	char *const *arguments = where;

	return ois_host_set_chap_entry_call(cli->client, arguments[0], (int)cli->index, role,
					    arguments[1], secret->bytes, secret->length, ret);
}

enum status verb_host_chap_set(struct cli *cli, char **arguments)
{
	struct secret_buffer secrets[2] = {};
	enum status status;

	if ((cli->secrets[0].source == SECRET_NONE) == (cli->secrets[1].source == SECRET_NONE))
		return usage_error("One secret is needed: with --secret or --secret-file that of "
				   "this host, with --target-secret or --target-secret-file that "
				   "of targets");
	status = read_secrets(cli, secrets);
	if (status == STATUS_DONE)
		status = store_secrets(cli, make_entry_call, arguments, arguments[1], secrets);
	secret_buffer_done(&secrets[0]);
	secret_buffer_done(&secrets[1]);
	return status;
}

static enum status remove_entry(struct cli *cli, const char *host, const char *text)
{
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	int64_t index;
	int r;

	if (parse_count(text, 0, &index) < 0)
		return usage_error("'%s' is no INDEX", text);
	r = ois_host_remove_chap_entry_call(cli->client, host, (int)index, &call);
	r = run_call(r, call, &error);
	if (r < 0)
		return report(cli, r, error, "remove CHAP secret %s of host %s", text, host);
	result_line(&cli->output, STYLE_PLAIN, "CHAP secret %s of host %s removed", text, host);
	return STATUS_DONE;
}

enum status verb_host_chap_remove(struct cli *cli, char **arguments)
{
	enum status status = STATUS_DONE;

	for (char **index = arguments + 1; *index; index++)
		combine_status(&status, remove_entry(cli, arguments[0], *index),
			       index == arguments + 1);
	return status;
}
