/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counters of sessions: as a table, once or again and again with what happened meanwhile, as JSON,
 * or as OpenMetrics text for a collector.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli.h"

#define DEFAULT_INTERVAL_SECONDS 2

static inline void statistics_freep(struct ois_statistics ***statistics)
{
	ois_statistics_array_free(*statistics);
}

/* A counter of the session, or of all its logical units together. -ENODATA: there is none. */
static int get_counter(const struct ois_statistics *statistics, const char *name, bool of_units,
		       int64_t *ret)
{
	const struct ois_logical_unit *unit;
	int64_t sum = 0, value;
	bool known = false;

	if (!of_units)
		return ois_statistics_get_number(statistics, name, ret);
	for (size_t i = 0; (unit = ois_statistics_get_logical_unit(statistics, i)); i++) {
		if (ois_logical_unit_get_number(unit, name, &value) < 0)
			continue;
		sum += value;
		known = true;
	}
	if (!known)
		return -ENODATA;
	*ret = sum;
	return 0;
}

/* --- Table --- */

static const struct column {
	const char *field;
	bool bytes;
	bool rate; /* told per second in a watch */
	bool of_units;
} columns[] = {
	{ "receivedBytes", true, true, false }, { "transmittedBytes", true, true, false },
	{ "scsiCommand", false, true, false },  { "taskManagementRequest", false, false, false },
	{ "errors", false, false, true },       { "timeouts", false, false, true },
	{ "reconnects", false, false, false },
};

static const char *const headers[] = { ">SESSION",    "TARGET",     ">READ",   ">WRITTEN",
				       ">COMMANDS",   ">TASK MGMT", ">ERRORS", ">TIMEOUTS",
				       ">RECONNECTS", NULL };
static const char *const rate_headers[] = { ">SESSION",    "TARGET",     ">READ/S", ">WRITTEN/S",
					    ">COMMANDS/S", ">TASK MGMT", ">ERRORS", ">TIMEOUTS",
					    ">RECONNECTS", NULL };

/* The same session a while ago; NULL: it was not there. */
static const struct ois_statistics *find_before(struct ois_statistics **before,
						const struct ois_statistics *now)
{
	int64_t number = -1, other;

	(void)ois_statistics_get_session(now, &number);
	for (; before && *before; before++)
		if (ois_statistics_get_session(*before, &other) >= 0 && other == number)
			return *before;
	return NULL;
}

/* Per second; adapters may start anew after a re-login. */
static int64_t rate(const struct column *column, int64_t value, const struct ois_statistics *before,
		    double seconds)
{
	int64_t then;

	if (!before || get_counter(before, column->field, column->of_units, &then) < 0 ||
	    value <= then)
		return 0;
	return (int64_t)((double)(value - then) / seconds + 0.5);
}

static void add_row(struct table *table, const struct ois_statistics *now,
		    const struct ois_statistics *before, double seconds)
{
	int64_t value = 0;
	bool known = ois_statistics_get_session(now, &value) >= 0;

	(void)table_add_number(table, known, value);
	(void)table_add(table, ois_statistics_get_target_name(now));
	for (size_t i = 0; i < ELEMENTSOF(columns); i++) {
		const struct column *column = &columns[i];
		char text[64];

		if (get_counter(now, column->field, column->of_units, &value) < 0) {
			(void)table_add(table, NULL);
			continue;
		}
		if (column->rate && seconds > 0)
			value = rate(column, value, before, seconds);
		if (column->bytes)
			format_size(value, text, sizeof(text));
		else
			(void)snprintf(text, sizeof(text), "%" PRId64, value);
		(void)table_add(table, text);
	}
}

static void print_table(const struct output *output, struct ois_statistics **now,
			struct ois_statistics **before, double seconds)
{
	_cleanup_(table_freep) struct table *table =
		table_new(seconds > 0 ? rate_headers : headers);

	if (!table)
		return;
	for (; *now; now++)
		add_row(table, *now, find_before(before, *now), seconds);
	if (table_rows(table) == 0)
		message_notice(output, "No sessions.");
	else
		table_print(output, table, NULL);
}

/* --- JSON --- */

static void print_json(const struct output *output, struct ois_statistics **statistics)
{
	struct json_array array;

	json_array_begin(&array, output);
	for (; *statistics; statistics++)
		json_array_add(&array, ois_statistics_get_json(*statistics));
	json_array_end(&array);
}

/* --- OpenMetrics --- */

struct metric {
	const char *field;
	const char *name; /* without "_total" */
	const char *help;
};

static const struct metric session_metrics[] = {
	{ "receivedBytes", "ois_session_received_bytes", "PDUs received, headers included" },
	{ "transmittedBytes", "ois_session_transmitted_bytes", "PDUs sent, headers included" },
	{ "scsiCommand", "ois_session_scsi_commands", "SCSI Command PDUs sent" },
	{ "scsiResponse", "ois_session_scsi_responses", "SCSI Response PDUs received" },
	{ "dataOut", "ois_session_data_out", "SCSI Data-Out PDUs sent" },
	{ "dataIn", "ois_session_data_in", "SCSI Data-In PDUs received" },
	{ "r2t", "ois_session_r2t", "Ready To Transfer PDUs received" },
	{ "taskManagementRequest", "ois_session_task_management_requests",
	  "Task Management Function Requests sent" },
	{ "taskManagementResponse", "ois_session_task_management_responses",
	  "Task Management Function Responses received" },
	{ "noopOut", "ois_session_noop_out", "NOP-Out PDUs sent" },
	{ "noopIn", "ois_session_noop_in", "NOP-In PDUs received" },
	{ "loginRequest", "ois_session_login_requests", "Login Requests sent" },
	{ "textRequest", "ois_session_text_requests", "Text Requests sent" },
	{ "textResponse", "ois_session_text_responses", "Text Responses received" },
	{ "logoutRequest", "ois_session_logout_requests", "Logout Requests sent" },
	{ "logoutResponse", "ois_session_logout_responses", "Logout Responses received" },
	{ "snackRequest", "ois_session_snack_requests", "SNACK Requests sent" },
	{ "asyncMessage", "ois_session_async_messages", "Asynchronous Messages received" },
	{ "reject", "ois_session_rejects", "Reject PDUs received" },
	{ "digestErrors", "ois_session_digest_errors", "PDUs with a wrong digest" },
	{ "timeoutErrors", "ois_session_timeout_errors", "Requests that timed out" },
	{ "reconnects", "ois_session_reconnects",
	  "Times the session was logged in again after a loss" },
};

static const struct metric unit_metrics[] = {
	{ "requests", "ois_logical_unit_requests", "Commands given to the device" },
	{ "completed", "ois_logical_unit_completed", "Commands the device has completed" },
	{ "errors", "ois_logical_unit_errors", "Commands that failed" },
	{ "timeouts", "ois_logical_unit_timeouts", "Times a command timed out" },
};

/* In a label: \\, \" and \n. */
static void print_label(const char *name, const char *value, bool first)
{
	(void)printf("%s%s=\"", first ? "{" : ",", name);
	for (; value && *value; value++) {
		if (*value == '\n')
			(void)fputs("\\n", stdout);
		else
			(void)printf(*value == '\\' || *value == '"' ? "\\%c" : "%c", *value);
	}
	(void)putchar('"');
}

static void print_labels(const struct ois_statistics *statistics,
			 const struct ois_logical_unit *unit)
{
	int64_t port = 0;
	_cleanup_free_ char *portal = NULL;

	(void)ois_statistics_get_port(statistics, &port);
	portal = format_portal(ois_statistics_get_address(statistics), (int)port);
	print_label("session", ois_statistics_get_text(statistics, "session"), true);
	print_label("target", ois_statistics_get_target_name(statistics), false);
	print_label("portal", portal, false);
	print_label("transport", ois_statistics_get_text(statistics, "transport"), false);
	if (unit) {
		print_label("lun", ois_logical_unit_get_lun(unit), false);
		print_label("device", ois_logical_unit_get_block_device(unit), false);
	}
	(void)putchar('}');
}

static void print_sample(const struct metric *metric, const struct ois_statistics *statistics,
			 const struct ois_logical_unit *unit, int64_t value)
{
	(void)printf("%s_total", metric->name);
	print_labels(statistics, unit);
	(void)printf(" %" PRId64 "\n", value);
}

static void print_session_sample(const struct metric *metric,
				 const struct ois_statistics *statistics)
{
	int64_t value;

	if (ois_statistics_get_number(statistics, metric->field, &value) >= 0)
		print_sample(metric, statistics, NULL, value);
}

static void print_unit_samples(const struct metric *metric, const struct ois_statistics *statistics)
{
	const struct ois_logical_unit *unit;
	int64_t value;

	for (size_t i = 0; (unit = ois_statistics_get_logical_unit(statistics, i)); i++)
		if (ois_logical_unit_get_number(unit, metric->field, &value) >= 0)
			print_sample(metric, statistics, unit, value);
}

static void print_metrics(const struct metric *metrics, size_t n,
			  struct ois_statistics **statistics,
			  void (*print)(const struct metric *, const struct ois_statistics *))
{
	for (size_t i = 0; i < n; i++) {
		(void)printf("# TYPE %s counter\n", metrics[i].name);
		if (strstr(metrics[i].name, "_bytes"))
			(void)printf("# UNIT %s bytes\n", metrics[i].name);
		(void)printf("# HELP %s %s\n", metrics[i].name, metrics[i].help);
		for (struct ois_statistics **one = statistics; *one; one++)
			print(&metrics[i], *one);
	}
}

static void print_states(struct ois_statistics **statistics)
{
	(void)puts("# TYPE ois_session_logged_in gauge\n"
		   "# HELP ois_session_logged_in Whether the session is logged in");
	for (; *statistics; statistics++) {
		const char *state = ois_statistics_get_text(*statistics, "state") ?: "";

		(void)fputs("ois_session_logged_in", stdout);
		print_labels(*statistics, NULL);
		(void)printf(" %d\n", strcmp(state, "logged_in") == 0);
	}
}

static void print_openmetrics(struct ois_statistics **statistics)
{
	print_states(statistics);
	print_metrics(session_metrics, ELEMENTSOF(session_metrics), statistics,
		      print_session_sample);
	print_metrics(unit_metrics, ELEMENTSOF(unit_metrics), statistics, print_unit_samples);
	(void)puts("# EOF");
}

/* --- The verb --- */

static enum status fetch(struct cli *cli, const char *which, struct ois_statistics ***ret)
{
	_cleanup_(selector_freep) struct ois_selector *selector = NULL;
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	enum status status;
	int r;

	status = select_sessions(cli, which, &selector);
	if (status != STATUS_DONE)
		return status;
	r = ois_list_statistics(cli->client, selector, ret, &error);
	if (r < 0)
		return report(cli, r, error, "get the statistics");
	if (which && !(*ret)[0]) {
		message_error("No session matches '%s'", which);
		return STATUS_NOTHING;
	}
	return STATUS_DONE;
}

static double now_seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Until the time of the @n-th look, counted from the first: late ones do not add up. */
static void await_look(double first, int64_t n, int64_t interval)
{
	double left = first + (double)(n * interval) - now_seconds();
	struct timespec wait;

	if (left <= 0)
		return;
	wait.tv_sec = (time_t)left;
	wait.tv_nsec = (long)((left - (double)wait.tv_sec) * 1e9);
	(void)nanosleep(&wait, NULL);
}

static void print_look(const struct output *output, struct ois_statistics **now,
		       struct ois_statistics **before, double seconds, bool first)
{
	if (output->json != JSON_OFF) {
		print_json(output, now);
		return;
	}
	if (output->terminal)
		(void)fputs("\033[H\033[J", stdout);
	else if (!first)
		(void)putchar('\n');
	print_table(output, now, before, seconds);
	(void)fflush(stdout);
}

static enum status watch(struct cli *cli, const char *which)
{
	_cleanup_(statistics_freep) struct ois_statistics **before = NULL;
	double first = now_seconds(), last = first;

	for (int64_t n = 0; cli->count < 0 || n < cli->count; n++) {
		struct ois_statistics **now = NULL;
		enum status status;
		double time;

		await_look(first, n, cli->interval);
		status = fetch(cli, which, &now);
		if (status != STATUS_DONE) {
			ois_statistics_array_free(now);
			return status;
		}
		time = now_seconds();
		/* The first look shows the totals. */
		print_look(&cli->output, now, before, before ? time - last : 0, n == 0);
		ois_statistics_array_free(before);
		before = now;
		last = time;
	}
	return STATUS_DONE;
}

enum status verb_stats(struct cli *cli, char **arguments)
{
	_cleanup_(statistics_freep) struct ois_statistics **statistics = NULL;
	enum status status;

	if (option_given(cli, OPTION_OPENMETRICS) &&
	    (option_given(cli, OPTION_WATCH) || cli->output.json != JSON_OFF))
		return usage_error("--openmetrics goes with neither --watch nor --json");
	if (!option_given(cli, OPTION_WATCH) &&
	    (option_given(cli, OPTION_INTERVAL) || option_given(cli, OPTION_COUNT)))
		return usage_error("--interval and --count need --watch");
	if (option_given(cli, OPTION_WATCH)) {
		if (!option_given(cli, OPTION_INTERVAL))
			cli->interval = DEFAULT_INTERVAL_SECONDS;
		return watch(cli, arguments[0]);
	}
	status = fetch(cli, arguments[0], &statistics);
	if (status != STATUS_DONE)
		return status;
	if (option_given(cli, OPTION_OPENMETRICS))
		print_openmetrics(statistics);
	else if (cli->output.json != JSON_OFF)
		print_json(&cli->output, statistics);
	else
		print_table(&cli->output, statistics, NULL, 0);
	return STATUS_DONE;
}
