/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counters of sessions or hosts: as a table, once or again and again with what happened meanwhile,
 * as JSON, or as OpenMetrics text for a collector.
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

/* A session has a number, and a host another one. */
static int get_key(const struct ois_statistics *statistics, int64_t *ret)
{
	if (ois_statistics_get_session(statistics, ret) >= 0)
		return 0;
	return ois_statistics_get_number(statistics, "hostNumber", ret);
}

/*
 * A counter of the session, or of all its logical units together, which a host has added up.
 * -ENODATA: there is none.
 */
static int get_counter(const struct ois_statistics *statistics, const char *name, bool of_units,
		       int64_t *ret)
{
	const struct ois_logical_unit *unit;
	int64_t sum = 0, value;
	bool known = false;

	if (!of_units || ois_statistics_get_number(statistics, name, ret) >= 0)
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

static const char *const host_headers[] = { ">HOST",     "DRIVER",      ">SESSIONS",  ">READ",
					    ">WRITTEN",  ">COMMANDS",   ">TASK MGMT", ">ERRORS",
					    ">TIMEOUTS", ">RECONNECTS", NULL };
static const char *const host_rate_headers[] = { ">HOST",       "DRIVER",     ">SESSIONS",
						 ">READ/S",     ">WRITTEN/S", ">COMMANDS/S",
						 ">TASK MGMT",  ">ERRORS",    ">TIMEOUTS",
						 ">RECONNECTS", NULL };

/* The same session or host a while ago; NULL: it was not there. */
static const struct ois_statistics *find_before(struct ois_statistics **before,
						const struct ois_statistics *now)
{
	int64_t number = -1, other;

	(void)get_key(now, &number);
	for (; before && *before; before++)
		if (get_key(*before, &other) >= 0 && other == number)
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
		    const struct ois_statistics *before, double seconds, bool hosts)
{
	int64_t value = 0;
	bool known = get_key(now, &value) >= 0;

	(void)table_add_number(table, known, value);
	if (hosts) {
		(void)table_add(table, ois_statistics_get_text(now, "procName")
					       ?: ois_statistics_get_text(now, "transport"));
		known = ois_statistics_get_number(now, "sessions", &value) >= 0;
		(void)table_add_number(table, known, value);
	} else {
		(void)table_add(table, ois_statistics_get_target_name(now));
	}
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
			struct ois_statistics **before, double seconds, bool hosts)
{
	_cleanup_(table_freep) struct table *table =
		hosts ? table_new(seconds > 0 ? host_rate_headers : host_headers)
		      : table_new(seconds > 0 ? rate_headers : headers);

	if (!table)
		return;
	for (; *now; now++)
		add_row(table, *now, find_before(before, *now), seconds, hosts);
	if (table_rows(table) == 0)
		message_notice(output, hosts ? "No hosts with sessions." : "No sessions.");
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
	const char *name; /* between the prefix and "_total" */
	const char *help;
};

static const struct metric session_metrics[] = {
	{ "receivedBytes", "received_bytes", "PDUs received, headers included" },
	{ "transmittedBytes", "transmitted_bytes", "PDUs sent, headers included" },
	{ "scsiCommand", "scsi_commands", "SCSI Command PDUs sent" },
	{ "scsiResponse", "scsi_responses", "SCSI Response PDUs received" },
	{ "dataOut", "data_out", "SCSI Data-Out PDUs sent" },
	{ "dataIn", "data_in", "SCSI Data-In PDUs received" },
	{ "r2t", "r2t", "Ready To Transfer PDUs received" },
	{ "taskManagementRequest", "task_management_requests",
	  "Task Management Function Requests sent" },
	{ "taskManagementResponse", "task_management_responses",
	  "Task Management Function Responses received" },
	{ "noopOut", "noop_out", "NOP-Out PDUs sent" },
	{ "noopIn", "noop_in", "NOP-In PDUs received" },
	{ "loginRequest", "login_requests", "Login Requests sent" },
	{ "textRequest", "text_requests", "Text Requests sent" },
	{ "textResponse", "text_responses", "Text Responses received" },
	{ "logoutRequest", "logout_requests", "Logout Requests sent" },
	{ "logoutResponse", "logout_responses", "Logout Responses received" },
	{ "snackRequest", "snack_requests", "SNACK Requests sent" },
	{ "asyncMessage", "async_messages", "Asynchronous Messages received" },
	{ "reject", "rejects", "Reject PDUs received" },
	{ "digestErrors", "digest_errors", "PDUs with a wrong digest" },
	{ "timeoutErrors", "timeout_errors", "Requests that timed out" },
	{ "reconnects", "reconnects", "Times the session was logged in again after a loss" },
};

static const struct metric unit_metrics[] = {
	{ "requests", "requests", "Commands given to the device" },
	{ "completed", "completed", "Commands the device has completed" },
	{ "errors", "errors", "Commands that failed" },
	{ "timeouts", "timeouts", "Times a command timed out" },
};

/* Of hosts, what is not counted up. */
static const struct metric host_gauges[] = {
	{ "sessions", "sessions", "Sessions of the host" },
	{ "loggedIn", "sessions_logged_in", "Sessions of the host that are logged in" },
	{ "logicalUnits", "logical_units", "Devices of the sessions" },
	{ "commandsNow", "commands_now", "Commands the host has now" },
	{ "commandsMax", "commands_max", "Commands the host takes at the same time" },
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

static void print_session_labels(const struct ois_statistics *statistics,
				 const struct ois_logical_unit *unit)
{
	int64_t port = 0;
	_cleanup_free_ char *portal = NULL;

	(void)ois_statistics_get_port(statistics, &port);
	portal = format_portal(ois_statistics_get_address(statistics), (int)port);
	print_label("session", ois_statistics_get_text(statistics, "session"), true);
	print_label("host", ois_statistics_get_text(statistics, "hostNumber"), false);
	print_label("target", ois_statistics_get_target_name(statistics), false);
	print_label("portal", portal, false);
	print_label("transport", ois_statistics_get_text(statistics, "transport"), false);
	if (unit) {
		print_label("lun", ois_logical_unit_get_lun(unit), false);
		print_label("device", ois_logical_unit_get_block_device(unit), false);
	}
	(void)putchar('}');
}

static void print_host_labels(const struct ois_statistics *statistics,
			      const struct ois_logical_unit *unit)
{
	print_label("host", ois_statistics_get_text(statistics, "hostNumber"), true);
	print_label("driver", ois_statistics_get_text(statistics, "procName"), false);
	print_label("transport", ois_statistics_get_text(statistics, "transport"), false);
	(void)putchar('}');
}

/* What the metrics of one kind have in common. */
struct family {
	const char *prefix;
	const char *type; /* "counter", "gauge" */
	bool of_units;
	void (*print_labels)(const struct ois_statistics *, const struct ois_logical_unit *);
};

static const struct family of_sessions = { "ois_session_", "counter", false, print_session_labels },
			   of_units = { "ois_logical_unit_", "counter", true,
					print_session_labels },
			   of_hosts = { "ois_host_", "counter", false, print_host_labels },
			   of_hosts_now = { "ois_host_", "gauge", false, print_host_labels };

static void print_sample(const struct family *family, const struct metric *metric,
			 const struct ois_statistics *statistics,
			 const struct ois_logical_unit *unit, int64_t value)
{
	(void)printf("%s%s%s", family->prefix, metric->name,
		     strcmp(family->type, "counter") == 0 ? "_total" : "");
	family->print_labels(statistics, unit);
	(void)printf(" %" PRId64 "\n", value);
}

static void print_samples(const struct family *family, const struct metric *metric,
			  const struct ois_statistics *statistics)
{
	const struct ois_logical_unit *unit;
	int64_t value;

	if (!family->of_units) {
		if (ois_statistics_get_number(statistics, metric->field, &value) >= 0)
			print_sample(family, metric, statistics, NULL, value);
		return;
	}
	for (size_t i = 0; (unit = ois_statistics_get_logical_unit(statistics, i)); i++)
		if (ois_logical_unit_get_number(unit, metric->field, &value) >= 0)
			print_sample(family, metric, statistics, unit, value);
}

static void print_metrics(const struct family *family, const struct metric *metrics, size_t n,
			  struct ois_statistics **statistics)
{
	for (size_t i = 0; i < n; i++) {
		const char *prefix = family->prefix, *name = metrics[i].name;

		(void)printf("# TYPE %s%s %s\n", prefix, name, family->type);
		if (strstr(name, "_bytes"))
			(void)printf("# UNIT %s%s bytes\n", prefix, name);
		(void)printf("# HELP %s%s %s\n", prefix, name, metrics[i].help);
		for (struct ois_statistics **one = statistics; *one; one++)
			print_samples(family, &metrics[i], *one);
	}
}

static void print_states(struct ois_statistics **statistics)
{
	(void)puts("# TYPE ois_session_logged_in gauge\n"
		   "# HELP ois_session_logged_in Whether the session is logged in");
	for (; *statistics; statistics++) {
		const char *state = ois_statistics_get_text(*statistics, "state") ?: "";

		(void)fputs("ois_session_logged_in", stdout);
		print_session_labels(*statistics, NULL);
		(void)printf(" %d\n", strcmp(state, "logged_in") == 0);
	}
}

static void print_openmetrics(struct ois_statistics **statistics, bool hosts)
{
	if (hosts) {
		print_metrics(&of_hosts_now, host_gauges, ELEMENTSOF(host_gauges), statistics);
		print_metrics(&of_hosts, session_metrics, ELEMENTSOF(session_metrics), statistics);
		print_metrics(&of_hosts, unit_metrics, ELEMENTSOF(unit_metrics), statistics);
	} else {
		print_states(statistics);
		print_metrics(&of_sessions, session_metrics, ELEMENTSOF(session_metrics),
			      statistics);
		print_metrics(&of_units, unit_metrics, ELEMENTSOF(unit_metrics), statistics);
	}
	(void)puts("# EOF");
}

/* --- The verb --- */

static enum status fetch(struct cli *cli, const char *which, struct ois_statistics ***ret)
{
	_cleanup_(selector_freep) struct ois_selector *selector = NULL;
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	enum status status;
	int r;

	if (option_given(cli, OPTION_HOSTS)) {
		r = ois_list_host_statistics(cli->client, ret, &error);
		return r < 0 ? report(cli, r, error, "get the statistics") : STATUS_DONE;
	}
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

static void print_look(const struct cli *cli, struct ois_statistics **now,
		       struct ois_statistics **before, double seconds, bool first)
{
	const struct output *output = &cli->output;

	if (output->json != JSON_OFF) {
		print_json(output, now);
		return;
	}
	if (output->terminal)
		(void)fputs("\033[H\033[J", stdout);
	else if (!first)
		(void)putchar('\n');
	print_table(output, now, before, seconds, option_given(cli, OPTION_HOSTS));
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
		print_look(cli, now, before, before ? time - last : 0, n == 0);
		ois_statistics_array_free(before);
		before = now;
		last = time;
	}
	return STATUS_DONE;
}

enum status verb_stats(struct cli *cli, char **arguments)
{
	_cleanup_(statistics_freep) struct ois_statistics **statistics = NULL;
	bool hosts = option_given(cli, OPTION_HOSTS);
	enum status status;

	if (hosts && arguments[0])
		return usage_error("--hosts shows all hosts, and goes with no session");
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
		print_openmetrics(statistics, hosts);
	else if (cli->output.json != JSON_OFF)
		print_json(&cli->output, statistics);
	else
		print_table(&cli->output, statistics, NULL, 0, hosts);
	return STATUS_DONE;
}
