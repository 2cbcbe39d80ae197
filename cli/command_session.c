/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sessions: list, show, rescan.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static inline void sessions_freep(struct ois_session ***sessions)
{
	ois_sessions_free(*sessions);
}

static enum status get_sessions(struct cli *cli, const char *which, struct ois_session ***ret)
{
	_cleanup_(selector_freep) struct ois_selector *selector = NULL;
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	enum status status;
	int r;

	status = select_sessions(cli, which, &selector);
	if (status != STATUS_DONE)
		return status;
	r = ois_list_sessions(cli->client, selector, OIS_LIST_LOGICAL_UNITS, ret, &error);
	if (r == -ESRCH) /* a number that is no session's */
		return STATUS_NOTHING;
	return r < 0 ? report(cli, r, error, "list the sessions") : STATUS_DONE;
}

static char *session_portal(const struct ois_session *session)
{
	int64_t port = 0;

	(void)ois_session_get_port(session, &port);
	return format_portal(ois_session_get_address(session), (int)port);
}

/* "sda sdb"; NULL: none. The caller frees. */
static char *session_devices(const struct ois_session *session)
{
	struct ois_logical_unit *unit;
	char *text = NULL, *longer;
	const char *device;

	for (size_t i = 0; (unit = ois_session_get_logical_unit(session, i)); i++) {
		device = ois_logical_unit_get_block_device(unit);
		if (!device)
			continue;
		if (asprintf(&longer, "%s%s%s", text ?: "", text ? " " : "", device) < 0)
			break;
		free(text);
		text = longer;
	}
	return text;
}

/* "logged in", "recovering", "connecting": what is being done, or what came of it. */
static enum style describe_state(const struct ois_session *session, char *ret, size_t size)
{
	const char *state = ois_session_get_state(session) ?: "",
		   *phase = ois_session_get_phase(session) ?: state;
	bool recovering = ois_session_is_recovering(session) > 0;

	/* The kernel is being told; then it waits for the next attempt. */
	if (strcmp(phase, "logged_in") == 0 && strcmp(state, "failed") == 0)
		phase = "connection lost";
	(void)snprintf(ret, size, "%s%s", recovering ? "recovering: " : "", phase);
	spaces_for_underscores(ret);
	if (recovering)
		return STYLE_WARNING;
	if (strcmp(state, "failed") == 0)
		return STYLE_BAD;
	return strcmp(phase, "logged_in") == 0 ? STYLE_GOOD : STYLE_WARNING;
}

/* Why a session is not as it should be, and when the next attempt is: "in 12 s: reason". */
static void describe_trouble(const struct ois_session *session, char *ret, size_t size)
{
	const struct ois_failure *failure = ois_session_get_failure(session);
	const char *message = failure ? ois_failure_get_message(failure) : NULL;
	char when[64] = "";
	int64_t usec;

	if (ois_session_get_number(session, "nextAttemptTimestampUSec", &usec) >= 0)
		format_until(usec, when, sizeof(when));
	(void)snprintf(ret, size, "%s%s%s%s", *when ? " " : "", when, message ? ": " : "",
		       message ?: "");
}

/* The same in one line. */
static enum style describe(const struct ois_session *session, char *ret, size_t size)
{
	char state[64], trouble[320] = "";
	enum style style = describe_state(session, state, sizeof(state));

	if (style != STYLE_GOOD)
		describe_trouble(session, trouble, sizeof(trouble));
	(void)snprintf(ret, size, "%s%s", state, trouble);
	return style;
}

/* --- sessions --- */

static const char *const sessions_headers[] = { ">SESSION", "TARGET",  "PORTAL", "STATE",
						"SINCE",    "DEVICES", NULL };

/* Sessions are printed or reduced to a row as they arrive: a thousand of them take little memory.
 */
struct listing {
	const struct output *output;
	struct table *table; /* NULL: JSON */
	struct json_array array;
	bool begun;
};

static void list_as_row(struct table *table, const struct ois_session *session)
{
	_cleanup_free_ char *portal = session_portal(session), *devices = session_devices(session);
	enum style style;
	int64_t number = 0, usec;
	bool known = ois_session_get_session(session, &number) >= 0;
	char line[400], age[32] = "";

	style = describe(session, line, sizeof(line));
	if (ois_session_get_number(session, "sinceTimestampUSec", &usec) >= 0)
		format_age(usec, age, sizeof(age));
	(void)table_add_number(table, known, number);
	(void)table_add(table, ois_session_get_target_name(session));
	(void)table_add(table, portal);
	(void)table_add_style(table, style, line);
	(void)table_add(table, age);
	(void)table_add(table, devices);
}

static void list_as_json(struct listing *listing, const struct ois_session *session)
{
	if (!listing->begun)
		json_array_begin(&listing->array, listing->output);
	listing->begun = true;
	if (session)
		json_array_add(&listing->array, ois_session_get_json(session));
}

static int hear_session(struct ois_call *call, const struct ois_reply *reply, void *userdata)
{
	struct listing *listing = userdata;
	struct ois_session *session = ois_reply_get_session(reply);

	if (session && listing->table)
		list_as_row(listing->table, session);
	else if (session)
		list_as_json(listing, session);
	return 0;
}

static void print_sessions(const struct output *output, struct table *table)
{
	char footer[64];

	if (table_rows(table) == 0) {
		message_notice(output, "No sessions.");
		return;
	}
	(void)snprintf(footer, sizeof(footer), "%zu %s listed.", table_rows(table),
		       plural(table_rows(table), "session", "sessions"));
	pager_open(output);
	table_print(output, table, footer);
}

static int list_sessions(struct cli *cli, const struct ois_selector *selector,
			 struct listing *listing, struct ois_error **ret_error)
{
	struct ois_call *call;
	int r;

	r = ois_list_sessions_call(cli->client, selector, OIS_LIST_LOGICAL_UNITS, &call);
	if (r < 0)
		return r;
	r = ois_call_run(call, hear_session, listing, ret_error);
	ois_call_unref(call);
	return r;
}

/* --- sessions --follow --- */

/* Columns are as wide as the widest word so far. */
struct following {
	const struct output *output;
	int target_width, portal_width;
};

static int widen(int *width, const char *text)
{
	int columns = (int)text_width(text);

	if (columns > *width)
		*width = columns;
	return *width - columns;
}

static void follow_as_line(struct following *following, const struct ois_session *session)
{
	_cleanup_free_ char *portal = session_portal(session);
	_cleanup_free_ char *target = escape_text(ois_session_get_target_name(session) ?: "-");
	_cleanup_free_ char *text = NULL;
	const struct output *output = following->output;
	char when[32], number[24] = "-", line[400];
	int target_space, portal_space;
	int64_t usec = 0, sid;
	enum style style;

	style = describe(session, line, sizeof(line));
	text = escape_text(line);
	if (ois_session_get_session(session, &sid) >= 0)
		(void)snprintf(number, sizeof(number), "%" PRId64, sid);
	(void)ois_session_get_number(session, "sinceTimestampUSec", &usec);
	format_moment(usec, when, sizeof(when));
	target_space = widen(&following->target_width, target ?: "");
	portal_space = widen(&following->portal_width, portal ?: "");
	(void)printf("%s%s%s %4s %s%*s %s%*s %s%s%s\n", style_begin(output, STYLE_GREY), when,
		     style_end(output, STYLE_GREY), number, target ?: "", target_space, "",
		     portal ?: "", portal_space, "", style_begin(output, style), text ?: "",
		     style_end(output, style));
	(void)fflush(stdout);
}

static int hear_change(struct ois_call *call, const struct ois_reply *reply, void *userdata)
{
	const struct ois_session *session = ois_reply_get_session(reply);
	struct following *following = userdata;
	int64_t missed;

	if (ois_reply_get_number(reply, "missed", &missed) >= 0 && missed > 0)
		message_notice(following->output,
			       "%" PRId64 " changes were lost on the way; these are all sessions.",
			       missed);
	if (session && following->output->json != JSON_OFF)
		json_print(following->output, ois_session_get_json(session));
	else if (session)
		follow_as_line(following, session);
	return 0;
}

static enum status follow_sessions(struct cli *cli, const struct ois_selector *selector)
{
	struct following following = { .output = &cli->output };
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	int r;

	r = ois_subscribe_sessions_call(cli->client, selector, &call);
	if (r >= 0)
		r = ois_call_run(call, hear_change, &following, &error);
	return r < 0 ? report(cli, r, error, "follow the sessions") : STATUS_DONE;
}

enum status verb_sessions(struct cli *cli, char **arguments)
{
	_cleanup_(selector_freep) struct ois_selector *selector = NULL;
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(table_freep) struct table *table = NULL;
	struct listing listing = { .output = &cli->output };
	enum status status;
	int r;

	status = select_sessions(cli, NULL, &selector);
	if (status != STATUS_DONE)
		return status;
	if (option_given(cli, OPTION_FOLLOW))
		return follow_sessions(cli, selector);
	if (cli->output.json == JSON_OFF)
		listing.table = table = table_new(sessions_headers);
	r = list_sessions(cli, selector, &listing, &error);
	if (r < 0)
		return report(cli, r, error, "list the sessions");
	if (table) {
		print_sessions(&cli->output, table);
	} else {
		list_as_json(&listing, NULL);
		json_array_end(&listing.array);
	}
	return STATUS_DONE;
}

/* --- session show --- */

static void show_redirect(const struct output *output, const struct ois_session *session)
{
	_cleanup_free_ char *portal = NULL;
	int64_t port;

	if (ois_session_get_number(session, "redirect.port", &port) < 0)
		return;
	portal = format_portal(ois_session_get_text(session, "redirect.address"), (int)port);
	detailf(output, "Redirected", "to %s, for %s", portal ?: "-",
		ois_session_get_boolean(session, "redirect.permanent") > 0 ? "good" : "the moment");
}

static void show_identity(const struct output *output, const struct ois_session *session)
{
	_cleanup_free_ char *portal = session_portal(session);
	const char *alias = ois_session_get_target_alias(session),
		   *name = ois_session_get_target_name(session);
	int64_t number;

	if (ois_session_get_session(session, &number) >= 0)
		detailf(output, "Session", "%" PRId64, number);
	detail(output, "Target", name);
	detail(output, "Alias", alias);
	if (ois_session_get_portal_group_tag(session, &number) >= 0)
		detailf(output, "Portal", "%s, group %" PRId64, portal ?: "-", number);
	else
		detail(output, "Portal", portal);
	show_redirect(output, session);
	detail(output, "Initiator", ois_session_get_text(session, "initiatorName"));
	if (ois_session_get_host_number(session, &number) >= 0)
		detailf(output, "Transport", "%s, SCSI host %" PRId64,
			ois_session_get_transport(session) ?: "-", number);
	else
		detail(output, "Transport", ois_session_get_transport(session));
	detail(output, "ISID", ois_session_get_text(session, "isid"));
	detail(output, "TSIH", ois_session_get_text(session, "tsih"));
}

static void show_failure(const struct output *output, const struct ois_session *session)
{
	const struct ois_failure *failure = ois_session_get_failure(session);
	char text[64], until[64];
	int64_t usec;

	if (failure)
		detail_style(output, STYLE_BAD, "Last failure", ois_failure_get_message(failure));
	detail(output, "Attempt", ois_session_get_text(session, "attempt"));
	if (ois_session_get_number(session, "nextAttemptTimestampUSec", &usec) >= 0) {
		format_time(usec, text, sizeof(text));
		format_until(usec, until, sizeof(until));
		detailf(output, "Next attempt", "%s; %s", text, until);
	}
}

static void show_state(const struct output *output, const struct ois_session *session)
{
	char state[64], since[64], age[32], line[256];
	enum style style = describe_state(session, state, sizeof(state));
	int64_t usec, reconnects;

	(void)snprintf(line, sizeof(line), "%s", state);
	if (ois_session_get_number(session, "sinceTimestampUSec", &usec) >= 0 ||
	    (style == STYLE_GOOD && ois_session_get_logged_in_usec(session, &usec) >= 0)) {
		format_time(usec, since, sizeof(since));
		format_age(usec, age, sizeof(age));
		(void)snprintf(line, sizeof(line), "%s since %s; %s", state, since, age);
	}
	detail_style(output, style, "State", line);
	if (ois_session_is_managed(session) == 0)
		detail_style(output, STYLE_WARNING, "Managed",
			     "no, another program made it; 'ois-ctl session adopt' takes it over");
	if (ois_session_get_number(session, "reconnects", &reconnects) >= 0 && reconnects > 0)
		detailf(output, "Reconnects", "%" PRId64, reconnects);
	if (style != STYLE_GOOD)
		show_failure(output, session);
}

static void show_authentication(const struct output *output, const struct ois_session *session)
{
	const char *algorithm = ois_session_get_text(session, "chapAlgorithm");

	if (algorithm)
		detailf(output, "CHAP", "%s, %s", algorithm,
			ois_session_get_boolean(session, "mutualAuthentication") > 0
				? "both sides proved themselves"
				: "this host proved itself");
}

static void show_connections(const struct output *output, const struct ois_session *session)
{
	struct ois_connection *connection;

	for (size_t i = 0; (connection = ois_session_get_connection(session, i)); i++) {
		_cleanup_free_ char *to = NULL, *from = NULL;
		const char *local = ois_connection_get_text(connection, "localAddress");
		int64_t port = 0, local_port = 0;
		char state[64];

		(void)ois_connection_get_port(connection, &port);
		(void)ois_connection_get_number(connection, "localPort", &local_port);
		to = format_portal(ois_connection_get_address(connection), (int)port);
		from = format_portal(local, (int)local_port);
		(void)snprintf(state, sizeof(state), "%s",
			       ois_connection_get_state(connection) ?: "-");
		spaces_for_underscores(state);
		detailf(output, "Connection", "%s: %s to %s, %s",
			ois_connection_get_text(connection, "connection") ?: "0", from ?: "-",
			to ?: "-", state);
	}
}

/* What a list of fields is called, and the fields: Varlink names, in the order shown. */
static void show_fields(const struct output *output, const char *label,
			const struct ois_session *session, const char *prefix,
			const char *const *fields)
{
	const char *value;
	char name[128];
	bool first = true;

	for (; *fields; fields++) {
		(void)snprintf(name, sizeof(name), "%s%s", prefix, *fields);
		value = ois_session_get_text(session, name);
		if (!value)
			continue;
		if (ois_session_get_boolean(session, name) >= 0)
			value = ois_session_get_boolean(session, name) > 0 ? "yes" : "no";
		detailf(output, first ? label : "", "%s=%s", *fields, value);
		first = false;
	}
}

static void show_parameters(const struct output *output, const struct ois_session *session)
{
	bool negotiated = ois_session_get_text(session, "connections.0.parameters.headerDigest");

	static const char *const parameters[] = { "initialR2T",          "immediateData",
						  "maxBurstLength",      "firstBurstLength",
						  "defaultTime2Wait",    "defaultTime2Retain",
						  "maxOutstandingR2T",   "dataPDUInOrder",
						  "dataSequenceInOrder", "errorRecoveryLevel",
						  "maxConnections",      NULL };
	static const char *const connection[] = { "headerDigest", "dataDigest",
						  "maxRecvDataSegmentLength",
						  "maxXmitDataSegmentLength", NULL };
	static const char *const timers[] = { "replacementTimeoutSeconds",
					      "abortTimeoutSeconds",
					      "logicalUnitResetTimeoutSeconds",
					      "targetResetTimeoutSeconds",
					      "commandsMax",
					      NULL };

	show_fields(output, "Negotiated", session, "connections.0.parameters.", connection);
	show_fields(output, negotiated ? "" : "Negotiated", session, "parameters.", parameters);
	show_fields(output, "Limits", session, "", timers);
}

static const char *const units_headers[] = { ">LUN",         "DEVICE", ">SIZE", "VENDOR", "MODEL",
					     "SCSI ADDRESS", "STATE",  "WWID",  NULL };

static int add_unit(struct table *table, const struct ois_logical_unit *unit)
{
	const char *state = ois_logical_unit_get_text(unit, "state");
	int64_t bytes;
	char size[32];

	if (ois_logical_unit_get_size_bytes(unit, &bytes) >= 0)
		format_size(bytes, size, sizeof(size));
	else
		size[0] = '\0';
	(void)table_add(table, ois_logical_unit_get_lun(unit));
	(void)table_add(table, ois_logical_unit_get_block_device(unit));
	(void)table_add(table, size);
	(void)table_add(table, ois_logical_unit_get_vendor(unit));
	(void)table_add(table, ois_logical_unit_get_model(unit));
	(void)table_add(table, ois_logical_unit_get_address(unit));
	(void)table_add_style(
		table, state && strcmp(state, "running") == 0 ? STYLE_GOOD : STYLE_WARNING, state);
	return table_add(table, ois_logical_unit_get_wwid(unit));
}

static void show_units(const struct output *output, const struct ois_session *session)
{
	_cleanup_(table_freep) struct table *table = table_new(units_headers);
	struct ois_logical_unit *unit;

	for (size_t i = 0; table && (unit = ois_session_get_logical_unit(session, i)); i++)
		(void)add_unit(table, unit);
	if (!table || table_rows(table) == 0)
		return;
	(void)putchar('\n');
	table_print(output, table, NULL);
}

static void show_session(const struct output *output, const struct ois_session *session)
{
	show_identity(output, session);
	show_state(output, session);
	show_connections(output, session);
	show_authentication(output, session);
	show_parameters(output, session);
	show_units(output, session);
}

static enum status no_session(const char *attempt, const char *which)
{
	message_error("Failed to %s %s: no such session; 'ois-ctl sessions' lists the sessions",
		      attempt, which);
	return STATUS_NOTHING;
}

enum status verb_session_show(struct cli *cli, char **arguments)
{
	bool json = cli->output.json != JSON_OFF, some = false;
	enum status status = STATUS_DONE;
	struct json_array array;

	if (json)
		json_array_begin(&array, &cli->output);
	for (char **which = arguments; *which; which++) {
		_cleanup_(sessions_freep) struct ois_session **sessions = NULL;
		enum status one = get_sessions(cli, *which, &sessions);

		if (one == STATUS_NOTHING || (one == STATUS_DONE && !sessions[0]))
			one = no_session("show", *which);
		combine_status(&status, one, which == arguments);
		for (struct ois_session **s = sessions; s && *s; s++) {
			if (json) {
				json_array_add(&array, ois_session_get_json(*s));
				continue;
			}
			pager_open(&cli->output);
			if (some)
				(void)putchar('\n');
			show_session(&cli->output, *s);
			some = true;
		}
	}
	if (json)
		json_array_end(&array);
	return status;
}

/* --- session adopt --- */

static enum status adopt(struct cli *cli, int64_t session)
{
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	int r;

	r = ois_adopt_call(cli->client, session, &call);
	if (r >= 0)
		r = ois_call_run(call, NULL, NULL, &error);
	if (r < 0)
		return report(cli, r, error, "adopt session %" PRId64, session);
	if (cli->output.json != JSON_OFF)
		json_print(&cli->output, ois_reply_get_json(ois_call_get_reply(call)));
	else
		result_line(&cli->output, STYLE_PLAIN, "Session %" PRId64 ": managed", session);
	return STATUS_DONE;
}

enum status verb_session_adopt(struct cli *cli, char **arguments)
{
	enum status status = STATUS_DONE;

	for (char **which = arguments; *which; which++) {
		enum status one;

		if (strspn(*which, "0123456789") != strlen(*which) || strlen(*which) > 10)
			return usage_error("'%s' is no number of a session", *which);
		one = adopt(cli, strtoll(*which, NULL, 10));
		combine_status(&status, one, which == arguments);
	}
	return status;
}

/* --- rescan --- */

static const struct change {
	const char *array, *words;
	bool size; /* is told */
} changes[] = {
	{ "added", "added", false },
	{ "removed", "removed", false },
	{ "resized", "resized", true },
	{ "kept", "gone at the target, but in use", false },
};

static size_t print_units(const struct output *output, const struct ois_reply *reply,
			  const struct change *change, int64_t session)
{
	const struct ois_logical_unit *unit;
	char size[64];
	int64_t bytes;
	size_t i;

	for (i = 0; (unit = ois_reply_get_logical_unit(reply, change->array, i)); i++) {
		const char *device = ois_logical_unit_get_block_device(unit);
		bool told = change->size && ois_logical_unit_get_size_bytes(unit, &bytes) >= 0;

		if (told)
			format_size(bytes, size, sizeof(size));
		result_line(output, STYLE_PLAIN, "Session %" PRId64 ": LUN %s %s%s%s%s%s%s",
			    session, ois_logical_unit_get_lun(unit) ?: "?", change->words,
			    told ? " to " : "", told ? size : "", device ? " (" : "", device ?: "",
			    device ? ")" : "");
	}
	return i;
}

static enum status rescan(struct cli *cli, int64_t session)
{
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	const struct ois_reply *reply;
	size_t n = 0;
	int r;

	progress_line(&cli->output, "Looking for logical units of session %" PRId64, session);
	r = ois_rescan_call(cli->client, session, cli->lun, &call);
	if (r >= 0)
		r = ois_call_run(call, NULL, NULL, &error);
	progress_clear(&cli->output);
	if (r < 0)
		return report(cli, r, error, "rescan session %" PRId64, session);
	reply = ois_call_get_reply(call);
	if (cli->output.json != JSON_OFF) {
		json_print(&cli->output, ois_reply_get_json(reply));
		return STATUS_DONE;
	}
	for (size_t i = 0; i < ELEMENTSOF(changes); i++)
		n += print_units(&cli->output, reply, &changes[i], session);
	if (n == 0)
		result_line(&cli->output, STYLE_PLAIN, "Session %" PRId64 ": no change", session);
	return STATUS_DONE;
}

static enum status rescan_selected(struct cli *cli, const char *which)
{
	_cleanup_(sessions_freep) struct ois_session **sessions = NULL;
	enum status status = get_sessions(cli, which, &sessions);
	bool first = true;
	int64_t number;

	if (status != STATUS_DONE)
		return status == STATUS_NOTHING ? no_session("rescan", which) : status;
	for (struct ois_session **s = sessions; *s; s++) {
		if (ois_session_get_session(*s, &number) < 0)
			continue; /* its login will look for them */
		combine_status(&status, rescan(cli, number), first);
		first = false;
	}
	return first ? no_session("rescan", which) : status;
}

enum status verb_rescan(struct cli *cli, char **arguments)
{
	enum status status = STATUS_DONE;

	for (char **which = arguments; *which; which++)
		combine_status(&status, rescan_selected(cli, *which), which == arguments);
	return status;
}
