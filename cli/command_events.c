/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * events: numbered events from the journal, from the daemon itself, and the list of their numbers.
 */
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "journal.h"

static inline void journal_closep(sd_journal **journal)
{
	sd_journal_close(*journal);
}

/* --- Showing --- */

static enum style severity_style(const char *severity)
{
	if (strcmp(severity, "error") == 0)
		return STYLE_BAD;
	if (strcmp(severity, "warning") == 0)
		return STYLE_WARNING;
	return STYLE_PLAIN;
}

static void print_event(const struct output *output, uint64_t usec, int64_t number,
			const char *symbol, const char *severity, const char *message)
{
	_cleanup_free_ char *text = escape_text(message), *name = escape_text(symbol);
	char when[32];

	format_moment((int64_t)usec, when, sizeof(when));
	(void)printf("%s%s%s %4" PRId64 " %-26s %s%s%s\n", style_begin(output, STYLE_GREY), when,
		     style_end(output, STYLE_GREY), number, name ?: "",
		     style_begin(output, severity_style(severity)), text ?: "",
		     style_end(output, severity_style(severity)));
}

/* --- From the journal --- */

struct json_text {
	char *text;
	size_t size, n;
	FILE *stream;
};

static int add_field(const char *name, const char *value, void *userdata)
{
	struct json_text *json = userdata;
	_cleanup_free_ char *quoted_name = json_quote(name), *quoted = json_quote(value);

	if (!quoted_name || !quoted)
		return -ENOMEM;
	(void)fprintf(json->stream, "%s%s:%s", json->n++ > 0 ? "," : "", quoted_name, quoted);
	return 0;
}

/* The members of org.ois.event Event that the journal has. */
static int print_entry_json(const struct output *output, sd_journal *journal, uint64_t usec,
			    const struct ois_event_type *type, const char *message)
{
	struct json_text json = {};
	_cleanup_free_ char *quoted = json_quote(message);
	int r;

	json.stream = open_memstream(&json.text, &json.size);
	if (!json.stream)
		return -ENOMEM;
	(void)fprintf(json.stream,
		      "{\"number\":%u,\"symbol\":\"%s\",\"severity\":\"%s\",\"messageId\":\"%s\","
		      "\"realtimeTimestampUSec\":%" PRIu64 ",\"message\":%s,\"fields\":{",
		      ois_event_type_get_number(type), ois_event_type_get_symbol(type),
		      ois_event_type_get_severity(type), ois_event_type_get_message_id(type), usec,
		      quoted ?: "\"\"");
	r = journal_foreach(journal, "OIS_", add_field, &json);
	(void)fputs("}}", json.stream);
	if (fclose(json.stream) != 0)
		r = -ENOMEM;
	if (r >= 0)
		json_print(output, json.text);
	free(json.text);
	return r;
}

/* True if the present entry is about a target the user asked for. */
static bool wanted(const struct cli *cli, sd_journal *journal)
{
	_cleanup_free_ char *target = NULL;

	if (!cli->target)
		return true;
	return journal_get(journal, "OIS_TARGET", &target) >= 0 &&
	       fnmatch(cli->target, target, 0) == 0;
}

static int print_entry(const struct cli *cli, sd_journal *journal)
{
	_cleanup_free_ char *number = NULL, *message = NULL, *sent = NULL;
	const struct ois_event_type *type;
	uint64_t usec = 0;

	(void)sd_journal_get_realtime_usec(journal, &usec);
	/* Entries that waited for the journal carry the time of the event itself. */
	if (journal_get(journal, "OIS_REALTIME_USEC", &sent) >= 0)
		usec = strtoull(sent, NULL, 10);
	(void)journal_get(journal, "MESSAGE", &message);
	if (journal_get(journal, "OIS_EVENT", &number) < 0)
		return 0;
	type = ois_event_type_get((unsigned)strtoul(number, NULL, 10));
	if (!type)
		return 0;
	if (cli->output.json != JSON_OFF)
		return print_entry_json(&cli->output, journal, usec, type, message ?: "");
	print_event(&cli->output, usec, ois_event_type_get_number(type),
		    ois_event_type_get_symbol(type), ois_event_type_get_severity(type),
		    message ?: "");
	return 0;
}

/* Steps back over as many entries as are to be shown. */
static int seek_back(const struct cli *cli, sd_journal *journal)
{
	int64_t left = cli->lines;
	int r;

	r = sd_journal_seek_tail(journal);
	while (r >= 0 && left >= 0) {
		uint64_t usec = 0;

		r = sd_journal_previous(journal);
		if (r == 0) /* all of them */
			return journal_seek_since(journal, cli->since_usec);
		if (r > 0 && cli->since_usec >= 0 &&
		    sd_journal_get_realtime_usec(journal, &usec) >= 0 &&
		    usec < (uint64_t)cli->since_usec)
			break;
		/* One more than asked for: the next step forward is the first one shown. */
		if (r > 0 && wanted(cli, journal))
			left--;
	}
	return r;
}

static int read_journal(struct cli *cli, sd_journal *journal, size_t *ret_shown)
{
	bool follow = option_given(cli, OPTION_FOLLOW);
	size_t shown = 0;
	int r;

	r = cli->lines >= 0 ? seek_back(cli, journal)
			    : journal_seek_since(journal, cli->since_usec);
	while (r >= 0) {
		r = sd_journal_next(journal);
		if (r > 0 && wanted(cli, journal)) {
			r = print_entry(cli, journal);
			shown++;
		} else if (r == 0 && !follow) {
			break;
		} else if (r == 0) {
			(void)fflush(stdout);
			r = sd_journal_wait(journal, UINT64_MAX);
		}
	}
	*ret_shown = shown;
	return r;
}

static enum status events_from_journal(struct cli *cli)
{
	_cleanup_(journal_closep) sd_journal *journal = NULL;
	size_t shown = 0;
	int r;

	if (option_given(cli, OPTION_FOLLOW) && cli->lines < 0 && cli->since_usec < 0)
		cli->lines = 10;
	r = journal_open(&journal);
	if (r < 0) {
		message_error("Failed to open the journal: %s; --live asks the daemon",
			      strerror(-r));
		return r == -EACCES ? STATUS_DENIED : STATUS_FAILED;
	}
	r = journal_match(journal, cli->numbers, cli->n_numbers);
	if (r >= 0) {
		if (!option_given(cli, OPTION_FOLLOW))
			pager_open(&cli->output);
		r = read_journal(cli, journal, &shown);
	}
	if (r < 0)
		return report(cli, r, NULL, "read the journal");
	if (shown == 0)
		message_notice(
			&cli->output, "No such events in the journal%s.",
			geteuid() == 0
				? ""
				: ", as far as you may read it: see the group systemd-journal");
	return STATUS_DONE;
}

/* --- From the daemon --- */

static int hear_event(struct ois_call *call, const struct ois_reply *reply, void *userdata)
{
	const struct cli *cli = userdata;
	const struct ois_event *event = ois_reply_get_event(reply);
	int64_t usec = 0, number = 0, missed;

	if (ois_reply_get_number(reply, "missed", &missed) >= 0 && missed > 0)
		message_notice(&cli->output, "%" PRId64 " events were lost on the way.", missed);
	if (!event)
		return 0;
	if (cli->output.json != JSON_OFF) {
		json_print(&cli->output, ois_event_get_json(event));
		return 0;
	}
	(void)ois_event_get_realtime_usec(event, &usec);
	(void)ois_event_get_event(event, &number);
	print_event(&cli->output, (uint64_t)usec, number, ois_event_get_symbol(event) ?: "",
		    ois_event_get_severity(event) ?: "", ois_event_get_message(event) ?: "");
	(void)fflush(stdout);
	return 0;
}

static enum status events_live(struct cli *cli)
{
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	unsigned history = cli->lines >= 0 ? (unsigned)cli->lines : 10;
	int r;

	r = ois_subscribe_call(cli->client, cli->numbers, cli->n_numbers, cli->target, history,
			       &call);
	if (r >= 0)
		r = ois_call_run(call, hear_event, cli, &error);
	return r < 0 ? report(cli, r, error, "follow the events") : STATUS_DONE;
}

/* --- The list of numbers --- */

static const char *const list_headers[] = { ">NUMBER", "SYMBOL",  "SEVERITY",
					    "PROVED",  "MESSAGE", NULL };

/* What the tests of this version have raised each event against: in words, and as JSON. */
static const struct proof {
	unsigned number;
	char text[32], json[40];
} proofs[] = {
#define PROOF(...) { __VA_ARGS__ },
#include "event-proofs.def"
#undef PROOF
};

static const struct proof *find_proof(const struct ois_event_type *type)
{
	size_t i = 0;

	/* The table was printed from the same rows. */
	while (proofs[i].number != ois_event_type_get_number(type))
		i++;
	return &proofs[i];
}

static bool listed(const struct cli *cli, const struct ois_event_type *type)
{
	for (size_t i = 0; i < cli->n_numbers; i++)
		if (cli->numbers[i] == ois_event_type_get_number(type))
			return true;
	return cli->n_numbers == 0;
}

/* The subject without its optional parts; "@OIS_TARGET@" is shown as "TARGET". The caller frees. */
static char *plain_subject(const struct ois_event_type *type)
{
	char *text = strdup(ois_event_type_get_subject(type)), *end = text;
	bool optional = false, field = false;

	for (const char *c = text; c && *c; c++) {
		if (*c == '[' || *c == ']') {
			optional = *c == '[';
		} else if (*c == '@') {
			field = !field;
			if (field && strncmp(c + 1, "OIS_", 4) == 0)
				c += 4;
		} else if (!optional) {
			*end++ = *c;
		}
	}
	if (end)
		*end = '\0';
	return text;
}

static int print_type_json(struct json_array *array, const struct ois_event_type *type)
{
	_cleanup_free_ char *subject = json_quote(ois_event_type_get_subject(type));
	_cleanup_free_ char *cause = json_quote(ois_event_type_get_cause(type));
	_cleanup_free_ char *advice = json_quote(ois_event_type_get_advice(type)), *text = NULL;
	const char *field;
	size_t size;
	FILE *stream;

	stream = open_memstream(&text, &size);
	if (!stream || !subject || !cause || !advice)
		return -ENOMEM;
	(void)fprintf(stream,
		      "{\"number\":%u,\"symbol\":\"%s\",\"severity\":\"%s\",\"messageId\":\"%s\","
		      "\"subject\":%s,"
		      "\"cause\":%s,\"advice\":%s,\"dumpFields\":[",
		      ois_event_type_get_number(type), ois_event_type_get_symbol(type),
		      ois_event_type_get_severity(type), ois_event_type_get_message_id(type),
		      subject, cause, advice);
	for (size_t i = 0; (field = ois_event_type_get_dump_field(type, i)); i++)
		(void)fprintf(stream, "%s\"%s\"", i > 0 ? "," : "", field);
	(void)fprintf(stream, "],\"provedBy\":%s}", find_proof(type)->json);
	if (fclose(stream) != 0)
		return -ENOMEM;
	json_array_add(array, text);
	return 0;
}

static enum status list_json(struct cli *cli)
{
	const struct ois_event_type *type;
	struct json_array array;
	int r = 0;

	json_array_begin(&array, &cli->output);
	for (size_t i = 0; r >= 0 && (type = ois_event_type_at(i)); i++)
		if (listed(cli, type))
			r = print_type_json(&array, type);
	json_array_end(&array);
	return r < 0 ? report(cli, r, NULL, "list the events") : STATUS_DONE;
}

static enum status list_types(struct cli *cli)
{
	_cleanup_(table_freep) struct table *table = table_new(list_headers);
	const struct ois_event_type *type;
	char footer[128];

	for (size_t i = 0; table && (type = ois_event_type_at(i)); i++) {
		const char *severity = ois_event_type_get_severity(type);
		_cleanup_free_ char *subject = plain_subject(type);

		if (!listed(cli, type))
			continue;
		(void)table_add_number(table, true, ois_event_type_get_number(type));
		(void)table_add(table, ois_event_type_get_symbol(type));
		(void)table_add_style(table, severity_style(severity), severity);
		(void)table_add(table, find_proof(type)->text);
		(void)table_add(table, subject);
	}
	if (!table)
		return report(cli, -ENOMEM, NULL, "list the events");
	(void)snprintf(footer, sizeof(footer),
		       "%zu events listed. Causes and advice: ois-events(7).", table_rows(table));
	pager_open(&cli->output);
	table_print(&cli->output, table, footer);
	return STATUS_DONE;
}

enum status verb_events(struct cli *cli, char **arguments)
{
	if (option_given(cli, OPTION_LIST))
		return cli->output.json != JSON_OFF ? list_json(cli) : list_types(cli);
	if (option_given(cli, OPTION_LIVE) && cli->since_usec >= 0)
		return usage_error(
			"Option --since has no use with --live; --lines=N starts with past events");
	return option_given(cli, OPTION_LIVE) ? events_live(cli) : events_from_journal(cli);
}
