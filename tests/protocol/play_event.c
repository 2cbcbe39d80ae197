/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon writes to the journal, and whether it is what the script says. */
#include <inttypes.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "parse.h"
#include "pdu.h"
#include "play.h"

/* Bytes of a data segment that an event keeps. */
#define DUMP_MAX 1024

/* The value of a field in an entry, or NULL; it ends with the line. */
static const char *find_field(const char *entry, const char *name, size_t length)
{
	for (const char *at = entry; *at; at += strcspn(at, "\n") + 1)
		if (strncmp(at, name, length) == 0 && at[length] == '=')
			return at + length + 1;
	return NULL;
}

/* NAME=VALUE; NAME=START*; !NAME: there is no such field. */
static bool field_matches(const char *entry, const char *word)
{
	const char *equals = strchr(word, '='), *value;
	size_t length, expected;

	if (word[0] == '!')
		return !find_field(entry, word + 1, strlen(word + 1));
	if (!equals)
		fail("not FIELD=VALUE: %s", word);
	value = find_field(entry, word, (size_t)(equals - word));
	if (!value)
		return false;
	length = strcspn(value, "\n");
	expected = strlen(equals + 1);
	if (expected > 0 && equals[expected] == '*')
		return strncmp(value, equals + 1, expected - 1) == 0;
	return length == expected && strncmp(value, equals + 1, length) == 0;
}

static void expect_field(const char *entry, const char *word)
{
	if (field_matches(entry, word))
		return;
	fputs(entry, stderr);
	fail("the event lacks %s", word);
}

static void expect_number(const char *entry, const char *name, uint64_t value)
{
	char word[64];

	(void)snprintf(word, sizeof(word), "%s=%" PRIu64, name, value);
	expect_field(entry, word);
}

/* One of the target's variables as the value of a field, or its first digits. */
static void expect_variable(const struct play *play, const char *entry, const char *field,
			    const char *variable, size_t digits_max)
{
	_cleanup_(buffer_done) struct buffer word = { 0 };
	size_t start;

	check(buffer_printf(&word, "%s=", field), field);
	start = word.length;
	check(target_variable(play->target, variable, &word), variable);
	if (word.length > start + digits_max)
		word.length = start + digits_max;
	check(buffer_append(&word, "", 1), field);
	expect_field(entry, (char *)word.data);
}

/* The fields of a Login Response by another decoder than the one that made the event. */
static void expect_decoded(const struct play *play, const char *entry)
{
	_cleanup_(buffer_done) struct buffer digits = { 0 };
	char word[64], isid[2 * 6 + 1];
	uint8_t header[PDU_HEADER_LENGTH];
	struct pdu pdu;
	size_t n;

	check(target_variable(play->target, "response", &digits), "response");
	check(hex_decode((char *)digits.data, digits.length, header, sizeof(header), &n), "hex");
	if (pdu_decode(header, &pdu) < 0 || pdu.opcode != PDU_OPCODE_LOGIN_RESPONSE)
		return;
	expect_number(entry, "OIS_PDU_OPCODE", pdu.opcode);
	expect_number(entry, "OIS_PDU_TRANSIT", pdu.login_response.transit);
	expect_number(entry, "OIS_PDU_CONTINUE", pdu.login_response.more);
	expect_number(entry, "OIS_PDU_CSG", pdu.login_response.csg);
	expect_number(entry, "OIS_PDU_NSG", pdu.login_response.nsg);
	expect_number(entry, "OIS_PDU_VERSION_MAX", pdu.login_response.version_max);
	expect_number(entry, "OIS_PDU_VERSION_ACTIVE", pdu.login_response.version_active);
	expect_number(entry, "OIS_PDU_TOTAL_AHS_LENGTH", pdu.ahs_length / 4);
	expect_number(entry, "OIS_PDU_DATA_SEGMENT_LENGTH", pdu.data_length);
	expect_number(entry, "OIS_PDU_TSIH", pdu.login_response.tsih);
	expect_number(entry, "OIS_PDU_ITT", pdu.itt);
	expect_number(entry, "OIS_PDU_STATSN", pdu.login_response.numbers.stat_sn);
	expect_number(entry, "OIS_PDU_EXP_CMDSN", pdu.login_response.numbers.exp_cmd_sn);
	expect_number(entry, "OIS_PDU_MAX_CMDSN", pdu.login_response.numbers.max_cmd_sn);
	expect_number(entry, "OIS_PDU_STATUS_CLASS", pdu.login_response.status_class);
	expect_number(entry, "OIS_PDU_STATUS_DETAIL", pdu.login_response.status_detail);
	hex_encode(pdu.login_response.isid, 6, isid);
	(void)snprintf(word, sizeof(word), "OIS_PDU_ISID=%s", isid);
	expect_field(entry, word);
}

/* "response": all dump data of the PDU the target sent last; "request": of the one it received. */
static void expect_word(const struct play *play, const char *entry, const char *word)
{
	if (strcmp(word, "request") == 0) {
		expect_variable(play, entry, "OIS_DUMP_PDU", "request", 2 * DUMP_MAX);
	} else if (strcmp(word, "response") == 0) {
		expect_variable(play, entry, "OIS_DUMP_PDU", "response", 2 * DUMP_MAX);
		expect_variable(play, entry, "OIS_DUMP_DATA", "data", 2 * DUMP_MAX);
		expect_variable(play, entry, "OIS_DUMP_DATA_LENGTH", "length", 2 * DUMP_MAX);
		expect_decoded(play, entry);
	} else {
		expect_field(entry, word);
	}
}

/* Takes what has come, or waits for one entry. */
static bool receive_event(struct play *play, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = play->journal, .events = POLLIN };
	static char entry[256 * 1024];
	ssize_t n;

	if (play->journal < 0 || poll(&poll_fd, 1, timeout_ms) <= 0)
		return false;
	n = recv(play->journal, entry, sizeof(entry) - 1, 0);
	if (n <= 0 || play->n_events == EVENTS_MAX)
		fail("too many events, or none");
	entry[n] = '\0';
	play->events[play->n_events].entry = strdup(entry);
	if (!play->events[play->n_events++].entry)
		fail("no memory");
	return true;
}

/* The first event of this number that no line has expected yet. */
static struct journal_entry *find_event(struct play *play, const char *number)
{
	char word[32];

	(void)snprintf(word, sizeof(word), "OIS_EVENT=%s", number);
	for (size_t i = 0; i < play->n_events; i++)
		if (!play->events[i].expected && field_matches(play->events[i].entry, word))
			return &play->events[i];
	return NULL;
}

void play_event(struct play *play, const struct line *line)
{
	struct journal_entry *event;

	while (!(event = find_event(play, line->words[1]))) {
		if (receive_event(play, PATIENCE_MS))
			continue;
		for (size_t k = 0; k < play->n_events; k++)
			fprintf(stderr, "--- received:\n%s", play->events[k].entry);
		fail("event %s did not come", line->words[1]);
	}
	event->expected = true;
	for (size_t i = 2; i < line->n; i++)
		expect_word(play, event->entry, line->words[i]);
}

int append_last(const struct play *play, const char *field, struct buffer *out)
{
	for (size_t i = play->n_events; i-- > 0;) {
		const char *value = find_field(play->events[i].entry, field, strlen(field));

		if (value)
			return buffer_append(out, value, strcspn(value, "\n"));
	}
	return -ENOENT;
}

void play_absent(struct play *play, const struct line *line)
{
	const struct journal_entry *event;

	while (receive_event(play, 0))
		;
	event = find_event(play, line->words[1]);
	if (!event)
		return;
	fputs(event->entry, stderr);
	fail("event %s came", line->words[1]);
}

void check_all_expected(struct play *play)
{
	while (receive_event(play, 0))
		;
	for (size_t i = 0; i < play->n_events; i++) {
		if (play->events[i].expected || !field_matches(play->events[i].entry, "PRIORITY=3"))
			continue;
		fputs(play->events[i].entry, stderr);
		fail("no line expects this event");
	}
}
