// layers: oisd-core ois-events-header
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The event table against its contract, and what is printed from it: the journal catalogue (also as
 * journalctl reads it), the manual page, the public header.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-id128.h>

#include "buffer.h"
#include "event.h"
#include "ois/events.h"
#include "settings.h"

#define CATALOGUE PROJECT_BINARY "/catalog/ois.catalog"
#define MANUAL    PROJECT_BINARY "/man/ois-events.7"
#define N_TABLE   72

/* Number, severity, symbol and dump data as agreed once and for all. */
static const struct {
	unsigned number;
	char severity;
	const char *symbol;
	const char *dump;
} table[N_TABLE] = {
	{ 1, 'E', "CONNECT_FAILED", "DUMP_ADDRESS DUMP_PORT" },
	{ 2, 'E', "SESSION_RESOURCES", "" },
	{ 3, 'E', "CMDSN_WINDOW_INVALID", "DUMP_EXP_CMDSN DUMP_MAX_CMDSN" },
	{ 4, 'E', "BURST_LENGTH_INVALID", "DUMP_FIRST_BURST_LENGTH DUMP_MAX_BURST_LENGTH" },
	{ 5, 'E', "PORTAL_SETUP_FAILED", "STATUS" },
	{ 6, 'E', "CONNECTION_RESOURCES", "" },
	{ 7, 'E', "SEND_FAILED", "STATUS" },
	{ 8, 'E', "REQUEST_TIMEOUT", "DUMP_FUNCTION DUMP_FUNCTION_NAME" },
	{ 9, 'E', "SCSI_TIMEOUT", "DUMP_CDB" },
	{ 10, 'E', "LOGIN_FAILED", "DUMP_PDU DUMP_DATA DUMP_DATA_LENGTH" },
	{ 11, 'E', "LOGIN_RESPONSE_INVALID", "DUMP_PDU DUMP_DATA DUMP_DATA_LENGTH" },
	{ 12, 'E', "REDIRECT_INVALID", "DUMP_RETURNED" },
	{ 13, 'E', "AUTHMETHOD_UNKNOWN", "DUMP_RETURNED" },
	{ 14, 'E', "CHAP_ALGORITHM_UNKNOWN", "DUMP_RETURNED" },
	{ 15, 'E', "CHAP_CHALLENGE_INVALID", "DUMP_CHALLENGE" },
	{ 16, 'E', "CHAP_KEY_INVALID", "DUMP_KEY_VALUE" },
	{ 17, 'E', "CHAP_RESPONSE_MISMATCH", "DUMP_RESPONSE" },
	{ 18, 'E', "HEADER_DIGEST_REQUIRED", "" },
	{ 19, 'E', "DATA_DIGEST_REQUIRED", "" },
	{ 20, 'E', "CONNECTION_LOST", "TARGET" },
	{ 21, 'E', "DATA_SEGMENT_TOO_LONG", "" },
	{ 22, 'E', "HEADER_DIGEST_ERROR", "DUMP_PDU DUMP_DIGEST" },
	{ 23, 'E', "PDU_INVALID", "DUMP_PDU" },
	{ 24, 'E', "OPCODE_UNKNOWN", "DUMP_PDU" },
	{ 25, 'E', "DATA_DIGEST_ERROR", "DUMP_CALCULATED DUMP_RECEIVED" },
	{ 26, 'E', "EXCESS_DATA", "" },
	{ 27, 'E', "TASK_TAG_UNMATCHED", "DUMP_PDU" },
	{ 28, 'E', "R2T_INVALID", "DUMP_PDU" },
	{ 29, 'E', "PDU_REJECTED", "DUMP_PDU" },
	{ 30, 'E', "WORKITEM_RESOURCES", "" },
	{ 31, 'E', "REQUEST_RESOURCES", "" },
	{ 32, 'I', "ASYNC_LOGOUT", "TARGET" },
	{ 33, 'E', "CHAP_CHALLENGE_TOO_LONG", "" },
	{ 34, 'I', "RECONNECTED", "TARGET" },
	{ 35, 'E', "TARGET_SECRET_TOO_SHORT", "" },
	{ 36, 'E', "INITIATOR_SECRET_TOO_SHORT", "DUMP_SECRET_LENGTH" },
	{ 37, 'E', "FIPS_UNAVAILABLE", "" },
	{ 38, 'E', "CHAP_NOT_OFFERED", "" },
	{ 39, 'E', "TARGET_RESET", "TARGET" },
	{ 40, 'E', "CHAP_REQUIRED", "" },
	{ 41, 'E', "AUTHMETHOD_MISSING", "" },
	{ 42, 'E', "STATSN_INVALID", "DUMP_EXPECTED_STATSN DUMP_RECEIVED_STATSN" },
	{ 43, 'E', "LOGIN_TIMEOUT", "" },
	{ 44, 'E', "LOGOUT_TIMEOUT", "" },
	{ 45, 'E', "ADD_CONNECTION_TIMEOUT", "" },
	{ 46, 'E', "SENDTARGETS_TIMEOUT", "" },
	{ 47, 'E', "PASSTHROUGH_TIMEOUT", "" },
	{ 48, 'E', "NOP_TIMEOUT", "" },
	{ 49, 'E', "TASK_MANAGEMENT_TIMEOUT", "" },
	{ 50, 'E', "TEXT_TIMEOUT", "" },
	{ 51, 'E', "ASYNC_LOGOUT_TIMEOUT", "" },
	{ 52, 'E', "IPSEC_CONFIG_TIMEOUT", "" },
	{ 53, 'E', "IPSEC_RELEASE_TIMEOUT", "" },
	{ 54, 'E', "CRYPTO_TIMEOUT", "" },
	{ 55, 'E', "SEND_RESOURCES", "" },
	{ 56, 'E', "ADDRESS_MAPPING", "" },
	{ 57, 'E', "IO_RESOURCES", "" },
	{ 58, 'E', "TAG_RESOURCES", "" },
	{ 59, 'E', "DROPPED_BEFORE_FULL_FEATURE", "" },
	{ 60, 'E', "DATA_IN_SCSI_RESPONSE", "" },
	{ 61, 'E', "DATA_PDU_IN_ORDER_REFUSED", "" },
	{ 62, 'E', "DATA_SEQUENCE_IN_ORDER_REFUSED", "" },
	{ 63, 'E', "RESET_FAILED", "" },
	{ 64, 'I', "BOOT_IBFT", "" },
	{ 65, 'E', "BOOT_NIC_FAILED", "" },
	{ 66, 'E', "NODELAY_FAILED", "" },
	{ 67, 'I', "DIGEST_ACCELERATED", "" },
	{ 68, 'E', "ASYNC_RELOGIN_FAILED", "STATUS" },
	{ 69, 'E', "RECOVERY_FAILED", "STATUS" },
	{ 70, 'E', "LOGIN_REQUEST_FAILED", "STATUS" },
	{ 71, 'I', "RECOVERY_NOT_STARTED", "STATUS" },
	{ 72, 'E', "PORTAL_TYPE_MISMATCH", "DUMP_IP_TYPE" },
};

static void test_table(void **state)
{
	const struct event_type *type;

	for (size_t i = 0; i < N_TABLE; i++) {
		char dump[256] = "";

		type = event_type_at(i);
		assert_int_equal(table[i].number, i + 1);
		assert_int_equal(type->number, table[i].number);
		assert_string_equal(type->symbol, table[i].symbol);
		assert_int_equal(type->severity, table[i].severity == 'E'
							 ? EVENT_SEVERITY_ERROR
							 : EVENT_SEVERITY_INFORMATION);
		for (size_t j = 0; j < type->n_dump; j++) {
			/* Without OIS_, as the table writes it. */
			strcat(dump, j > 0 ? " " : "");
			strcat(dump, event_field_name(type->dump[j]) + 4);
		}
		assert_string_equal(dump, table[i].dump);
	}
	for (size_t i = N_TABLE; (type = event_type_at(i)); i++)
		assert_in_range(type->number, 1000, 9999);
}

static void test_message_ids(void **state)
{
	static const char base[] = "08d9494dbfb34ec49b18eadcb275";
	const struct event_type *type;

	for (size_t i = 0; (type = event_type_at(i)); i++) {
		char expected[40];

		(void)snprintf(expected, sizeof(expected), "%s%04u", base, type->number);
		assert_string_equal(type->message_id, expected);
	}
}

static void test_field_names(void **state)
{
	for (enum event_field i = 0; i < _FIELD_MAX; i++) {
		const char *name = event_field_name(i);

		assert_true(strncmp(name, "OIS_", 4) == 0 && strlen(name) <= 64);
		assert_int_equal(strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"),
				 strlen(name));
		for (enum event_field j = 0; j < i; j++)
			assert_string_not_equal(name, event_field_name(j));
	}
	/* These belong to every entry and to the writer; no event may set them. */
	for (enum event_field i = 0; i < _FIELD_MAX; i++) {
		static const char *const taken[] = { "OIS_EVENT",         "OIS_SYMBOL",
						     "OIS_REPEATED",      "OIS_DROPPED",
						     "OIS_REALTIME_USEC", "OIS_MONOTONIC_USEC" };

		for (size_t j = 0; j < ELEMENTSOF(taken); j++)
			assert_string_not_equal(event_field_name(i), taken[j]);
	}
}

/* Checks the fields between @ signs in @text; with @type, events of it must be able to carry them.
 */
static void check_fields(const struct event_type *type, const char *text)
{
	for (const char *at = strchr(text, '@'); at;) {
		const char *end = strchr(at + 1, '@');
		bool known = false;

		assert_non_null(end);
		for (enum event_field field = 0; field < _FIELD_MAX && !known; field++)
			known = strlen(event_field_name(field)) == (size_t)(end - at - 1) &&
				memcmp(event_field_name(field), at + 1, (size_t)(end - at - 1)) ==
					0 &&
				event_type_allows(type, field);
		if (!known)
			fail_msg("%s: field in \"%s\"", type->symbol, text);
		at = strchr(end + 1, '@');
	}
}

/* Fields only inside brackets, brackets in pairs. */
static void check_subject(const struct event_type *type)
{
	bool inside = false;

	for (const char *at = type->subject; *at; at++) {
		if (*at == '[' || *at == ']') {
			assert_int_equal(inside, *at == ']');
			inside = *at == '[';
		}
		if (*at == '@' && !inside)
			fail_msg("%s: field outside of brackets", type->symbol);
	}
	assert_false(inside);
	check_fields(type, type->subject);
}

static void check_sentences(const struct event_type *type, const char *text)
{
	size_t length = strlen(text);

	assert_true(length > 10);
	if (text[length - 1] != '.' || !isupper((unsigned char)text[0]) || strstr(text, "  "))
		fail_msg("%s: no sentence: \"%s\"", type->symbol, text);
	check_fields(type, text);
}

static void test_texts(void **state)
{
	const struct event_type *type;

	for (size_t i = 0; (type = event_type_at(i)); i++) {
		check_subject(type);
		assert_true(type->subject[strlen(type->subject) - 1] != '.');
		check_sentences(type, type->cause);
		check_sentences(type, type->advice);
	}
}

/* loginTimeoutSeconds, keys.headerDigest: words that look like settings are settings. */
static bool looks_like_setting(const char *word)
{
	static const char *const groups[] = { "authentication.", "keys.", "tcp." };
	size_t lower = strspn(word, "abcdefghijklmnopqrstuvwxyz");

	for (size_t i = 0; i < ELEMENTSOF(groups); i++)
		if (strncmp(word, groups[i], strlen(groups[i])) == 0)
			return true;
	return lower >= 3 && isupper((unsigned char)word[lower]);
}

static void check_settings(const struct event_type *type, const char *text, unsigned *count)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._";

	while (*text) {
		size_t length = strspn(text, letters);
		char word[80];

		if (length == 0) {
			text++;
			continue;
		}
		assert_true(length < sizeof(word));
		memcpy(word, text, length);
		word[length] = '\0';
		if (word[length - 1] == '.')
			word[length - 1] = '\0';
		if (looks_like_setting(word)) {
			(*count)++;
			if (setting_from_name(word) < 0)
				fail_msg("%s: no setting %s", type->symbol, word);
		}
		text += length;
	}
}

static void test_settings(void **state)
{
	const struct event_type *type;
	unsigned count = 0;

	for (size_t i = 0; (type = event_type_at(i)); i++) {
		check_settings(type, type->cause, &count);
		check_settings(type, type->advice, &count);
	}
	assert_true(count > 10);
}

static char *read_all(FILE *file)
{
	struct buffer buffer = { 0 };
	char chunk[4096];
	size_t n;

	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		assert_int_equal(buffer_append(&buffer, chunk, n), 0);
	assert_int_equal(buffer_append(&buffer, "", 1), 0);
	return (char *)buffer.data;
}

static char *read_file(const char *path)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");

	assert_non_null(file);
	return read_all(file);
}

/* One line of the catalogue inside the entry of @type. */
static void check_line(const struct event_type *type, const char *line)
{
	/* Columns, not bytes: the text is ASCII. */
	for (const char *at = line; *at; at++)
		assert_true(*at >= ' ' && *at <= '~');
	if (strlen(line) > 76)
		fail_msg("%s: long line \"%s\"", type->symbol, line);
	assert_true(line[0] != '#');
	check_fields(type, line);
}

static void test_catalogue(void **state)
{
	_cleanup_free_ char *text = read_file(CATALOGUE);
	const struct event_type *type = NULL;
	const char *previous = "";
	size_t n = 0, subjects = 0, dumps = 0;
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		if (strncmp(line, "-- ", 3) == 0) {
			/* journalctl takes the entry for text of the former one otherwise. */
			assert_string_equal(previous, "");
			type = event_type_at(n++);
			assert_non_null(type);
			assert_string_equal(line + 3, type->message_id);
		} else if (type) {
			check_line(type, line);
			dumps += strncmp(line, "    ", 4) == 0 && strstr(line, "OIS_");
			if (strncmp(line, "Subject: ", 9) == 0) {
				subjects++;
				assert_null(strpbrk(line, "@[]"));
			}
		}
		previous = line;
	}
	assert_null(event_type_at(n));
	assert_int_equal(subjects, n);
	for (size_t i = 0; (type = event_type_at(i)); i++)
		dumps -= type->n_dump;
	assert_int_equal(dumps, 0);
}

/* Runs a command with its output in memory; NULL if it fails. */
static char *run(const char *format, const char *directory, const char *argument)
{
	char command[512];
	FILE *pipe;
	char *output;
	int status;

	(void)snprintf(command, sizeof(command), "journalctl --root=%s %s %s 2>&1", directory,
		       format, argument);
	pipe = popen(command, "re");
	assert_non_null(pipe);
	output = read_all(pipe);
	status = pclose(pipe);
	if (status == 0)
		return output;
	print_error("%s: %s", command, output);
	free(output);
	return NULL;
}

static void copy_file(const char *from, const char *directory, const char *to)
{
	_cleanup_free_ char *text = read_file(from);
	_cleanup_(fclosep) FILE *file = NULL;
	char path[300];

	(void)snprintf(path, sizeof(path), "%s/%s", directory, to);
	for (char *at = path + strlen(directory) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
		*at = '/';
	}
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
}

static void remove_tree(const char *directory)
{
	char command[300];

	(void)snprintf(command, sizeof(command), "rm -rf %s", directory);
	assert_int_equal(system(command), 0);
}

/* The real tool reads the catalogue and has every entry with its own text. */
static void test_journalctl(void **state)
{
	char directory[] = "/tmp/ois-test-catalog-XXXXXX";
	const struct event_type *type;
	_cleanup_free_ char *updated = NULL, *list = NULL, *dump = NULL;

	if (system("journalctl --version >/dev/null 2>&1") != 0) {
		print_message("SKIPPED: no journalctl here; the catalogue was not tried with it\n");
		skip();
	}
	assert_non_null(mkdtemp(directory));
	copy_file(CATALOGUE, directory, "usr/lib/systemd/catalog/ois.catalog");
	updated = run("--update-catalog", directory, "");
	list = run("--list-catalog", directory, "");
	dump = run("--dump-catalog", directory, "");
	remove_tree(directory);
	assert_non_null(updated);
	assert_non_null(list);
	assert_non_null(dump);
	for (size_t i = 0; (type = event_type_at(i)); i++) {
		char expected[100];

		if (!strstr(list, type->message_id))
			fail_msg("%s is not listed", type->symbol);
		(void)snprintf(expected, sizeof(expected), "\nEvent %u, %s, %s.\n", type->number,
			       type->symbol, event_severity_to_string(type->severity));
		if (!strstr(dump, expected))
			fail_msg("%s has lost its text", type->symbol);
	}
}

static void test_manual(void **state)
{
	_cleanup_free_ char *text = read_file(MANUAL);
	const struct event_type *type;
	const char *at = text;

	assert_null(strchr(text, '@'));
	for (size_t i = 0; (type = event_type_at(i)); i++) {
		char expected[200];

		(void)snprintf(expected, sizeof(expected), "\n.TP\n\\fB%u\\fR  \\fB%s\\fR  (%s)\n",
			       type->number, type->symbol,
			       event_severity_to_string(type->severity));
		/* All of them, in order. */
		at = strstr(at, expected);
		if (!at)
			fail_msg("%s is missing", type->symbol);
	}
	for (enum event_field field = 0; field < _FIELD_MAX; field++) {
		char expected[100];

		(void)snprintf(expected, sizeof(expected), "\n\\fI%s\\fR\n",
			       event_field_name(field));
		if (!strstr(text, expected))
			fail_msg("%s is missing", event_field_name(field));
	}
	/* The example shows a message id of ours. */
	assert_non_null(strstr(text, OIS_MESSAGE_ID_LOGIN_FAILED));
}

static void test_header(void **state)
{
	static const struct {
		unsigned number, defined;
		const char *id;
		sd_id128_t id128;
	} rows[] = {
#define EVENT(number, severity, symbol, ...)                                                       \
	{ EVENT_##symbol, OIS_EVENT_##symbol, OIS_MESSAGE_ID_##symbol, OIS_MESSAGE_ID128_##symbol },
#include "ois/events.def"
#undef EVENT
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		char text[SD_ID128_STRING_MAX];

		assert_int_equal(rows[i].number, rows[i].defined);
		assert_string_equal(rows[i].id, event_type_get(rows[i].number)->message_id);
		assert_string_equal(sd_id128_to_string(rows[i].id128, text), rows[i].id);
	}
	assert_string_equal(OIS_FIELD_DUMP_EXP_CMDSN, event_field_name(FIELD_DUMP_EXP_CMDSN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),       cmocka_unit_test(test_message_ids),
		cmocka_unit_test(test_field_names), cmocka_unit_test(test_texts),
		cmocka_unit_test(test_settings),    cmocka_unit_test(test_catalogue),
		cmocka_unit_test(test_journalctl),  cmocka_unit_test(test_manual),
		cmocka_unit_test(test_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
