// layers: ois-events ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events as values: what fields take and keep, what MESSAGE looks like, how a Login Response is
 * decoded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "event.h"
#include "parse.h"

static struct event *make(enum event_number number)
{
	struct event *event = event_new(number);

	assert_non_null(event);
	assert_ptr_equal(event_type(event), event_type_get(number));
	return event;
}

static void assert_field(const struct event *event, enum event_field field, const char *expected)
{
	const char *value = event_get(event, field);

	if (!expected) {
		assert_null(value);
		return;
	}
	assert_non_null(value);
	assert_string_equal(value, expected);
}

static void test_lookup(void **state)
{
	const struct event_type *type, *previous = NULL;

	for (size_t i = 0; (type = event_type_at(i)); i++) {
		assert_ptr_equal(event_type_get(type->number), type);
		assert_ptr_equal(event_type_from_symbol(type->symbol), type);
		if (previous)
			assert_true(type->number > previous->number);
		previous = type;
	}
	assert_null(event_type_get(0));
	assert_null(event_type_get(73));
	assert_null(event_type_get(999));
	assert_null(event_type_get(UINT32_MAX));
	assert_null(event_type_from_symbol(""));
	assert_null(event_type_from_symbol("connect_failed"));
	assert_null(event_type_at(SIZE_MAX));
}

static void test_names(void **state)
{
	assert_string_equal(event_severity_to_string(EVENT_SEVERITY_ERROR), "error");
	assert_string_equal(event_severity_to_string(EVENT_SEVERITY_WARNING), "warning");
	assert_string_equal(event_severity_to_string(EVENT_SEVERITY_NOTICE), "notice");
	assert_string_equal(event_severity_to_string(EVENT_SEVERITY_INFORMATION), "information");
	assert_null(event_severity_to_string((enum event_severity)0));
	assert_string_equal(event_outcome_to_string(EVENT_OUTCOME_FAILED), "failed");
	assert_string_equal(event_outcome_to_string(EVENT_OUTCOME_CONTINUED), "continued");
	assert_string_equal(event_outcome_to_string(EVENT_OUTCOME_RETRYING), "retrying");
	assert_null(event_outcome_to_string(_EVENT_OUTCOME_MAX));
	assert_string_equal(event_field_name(FIELD_TARGET), "OIS_TARGET");
	assert_string_equal(event_field_name(FIELD_DUMP_EXP_CMDSN), "OIS_DUMP_EXP_CMDSN");
	assert_null(event_field_name(_FIELD_MAX));
}

static void test_values(void **state)
{
	_cleanup_(event_freep) struct event *event = make(EVENT_CONNECT_FAILED);

	assert_field(event, FIELD_TARGET, NULL);
	event_set_string(event, FIELD_TARGET, "iqn.2003-01.org.example:a");
	event_set_number(event, FIELD_SESSION, 0);
	event_set_number(event, FIELD_DUMP_PORT, UINT64_MAX);
	assert_field(event, FIELD_TARGET, "iqn.2003-01.org.example:a");
	assert_field(event, FIELD_SESSION, "0");
	assert_field(event, FIELD_DUMP_PORT, "18446744073709551615");

	event_set_string(event, FIELD_TARGET, "");
	assert_field(event, FIELD_TARGET, "");
	event_set_string(event, FIELD_TARGET, NULL);
	assert_field(event, FIELD_TARGET, NULL);
	assert_field(event, FIELD_SESSION, "0");
	assert_field(event, FIELD_DUMP_PORT, "18446744073709551615");

	event_set_errno(event, -ECONNREFUSED);
	assert_field(event, FIELD_STATUS, "111");
	assert_field(event, FIELD_STATUS_TEXT, "Connection refused");
	event_set_errno(event, -123456);
	assert_field(event, FIELD_STATUS, "123456");
	assert_field(event, FIELD_STATUS_TEXT, "Unknown error");
	event_set_status(event, 7, NULL);
	assert_field(event, FIELD_STATUS, "7");
	assert_field(event, FIELD_STATUS_TEXT, NULL);
	event_set_outcome(event, EVENT_OUTCOME_RETRYING);
	assert_field(event, FIELD_OUTCOME, "retrying");
}

static void test_escaping(void **state)
{
	static const struct {
		const char *text;
		const char *as_string;
		const char *as_text;
	} rows[] = {
		{ "plain", "plain", "plain" },
		{ "a=b, c", "a=b, c", "a=b, c" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "one\ntwo", "one\\x0atwo", "one\\x0atwo" },
		{ "\x1b[31m", "\\x1b[31m", "\\x1b[31m" },
		{ "\xff", "\\xff", "\\xff" },
		{ "\\x0a", "\\x0a", "\\x5cx0a" },
	};
	_cleanup_(event_freep) struct event *event = make(EVENT_REDIRECT_INVALID);

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		event_set_string(event, FIELD_DUMP_RETURNED, rows[i].text);
		assert_field(event, FIELD_DUMP_RETURNED, rows[i].as_string);
		event_set_text(event, FIELD_DUMP_RETURNED, rows[i].text, strlen(rows[i].text));
		assert_field(event, FIELD_DUMP_RETURNED, rows[i].as_text);
	}
	event_set_text(event, FIELD_DUMP_RETURNED, "a\0b", 3);
	assert_field(event, FIELD_DUMP_RETURNED, "a\\x00b");
}

/* "NAME=value" has fewer than 4096 bytes and ends at a character. */
static void test_long_values(void **state)
{
	static const char *const units[] = { "x", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x92\xbe",
					     "\n" };
	_cleanup_(event_freep) struct event *event = make(EVENT_REDIRECT_INVALID);
	size_t room = 4095 - strlen("OIS_DUMP_RETURNED=");
	char text[9000];

	for (size_t i = 0; i < ELEMENTSOF(units); i++) {
		size_t unit = strlen(units[i]), length = 0;

		while (length + unit < sizeof(text)) {
			memcpy(text + length, units[i], unit);
			length += unit;
		}
		text[length] = '\0';
		for (int with_length = 0; with_length < 2; with_length++) {
			const char *value;

			if (with_length)
				event_set_text(event, FIELD_DUMP_RETURNED, text, length);
			else
				event_set_string(event, FIELD_DUMP_RETURNED, text);
			value = event_get(event, FIELD_DUMP_RETURNED);
			assert_non_null(value);
			assert_true(strlen(value) <= room && strlen(value) > room - 6);
			assert_true(text_is_clean(value, strlen(value)));
		}
	}
}

static void test_hex(void **state)
{
	_cleanup_(event_freep) struct event *event = make(EVENT_LOGIN_FAILED);
	uint8_t data[1025];
	const char *value;

	memset(data, 0xa5, sizeof(data));
	event_set_hex(event, FIELD_DUMP_DATA, data, 3);
	assert_field(event, FIELD_DUMP_DATA, "a5a5a5");
	event_set_hex(event, FIELD_DUMP_DATA, NULL, 0);
	assert_field(event, FIELD_DUMP_DATA, "");
	for (size_t length = 1023; length <= 1025; length++) {
		event_set_hex(event, FIELD_DUMP_DATA, data, length);
		value = event_get(event, FIELD_DUMP_DATA);
		assert_non_null(value);
		assert_int_equal(strlen(value), 2 * (length < 1024 ? length : 1024));
	}
}

/* However much is set, one event stays within EVENT_SIZE_MAX, and a field can always be replaced.
 */
static void test_size(void **state)
{
	_cleanup_(event_freep) struct event *event = make(EVENT_CONNECT_FAILED);
	size_t total = 0, absent = 0;
	char text[4001];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (enum event_field field = 0; field < _FIELD_MAX; field++)
		if (event_type_allows(event_type(event), field))
			event_set_string(event, field, text);
	for (enum event_field field = 0; field < _FIELD_MAX; field++) {
		const char *value = event_get(event, field);

		if (value)
			total += strlen(value);
		else if (event_type_allows(event_type(event), field))
			absent++;
	}
	assert_true(total <= EVENT_SIZE_MAX);
	assert_true(total > EVENT_SIZE_MAX - sizeof(text));
	assert_true(absent > 0);
	event_set_string(event, FIELD_TARGET, text);
	assert_field(event, FIELD_TARGET, text);
}

static void test_allowed(void **state)
{
	static const struct {
		enum event_number number;
		enum event_field field;
		bool allowed;
	} rows[] = {
		{ EVENT_CMDSN_WINDOW_INVALID, FIELD_DUMP_EXP_CMDSN, true },
		{ EVENT_CMDSN_WINDOW_INVALID, FIELD_DUMP_MAX_CMDSN, true },
		{ EVENT_CMDSN_WINDOW_INVALID, FIELD_DUMP_PDU, false },
		{ EVENT_CMDSN_WINDOW_INVALID, FIELD_PDU_STATSN, false },
		{ EVENT_CMDSN_WINDOW_INVALID, FIELD_TARGET, true },
		{ EVENT_LOGIN_FAILED, FIELD_DUMP_PDU, true },
		{ EVENT_LOGIN_FAILED, FIELD_PDU_STATSN, true },
		{ EVENT_SESSION_RESOURCES, FIELD_STATUS, true },
		{ EVENT_SESSION_RESOURCES, FIELD_DUMP_ADDRESS, false },
		{ EVENT_TARGET_SECRET_TOO_SHORT, FIELD_DUMP_SECRET_LENGTH, false },
		{ EVENT_INITIATOR_SECRET_TOO_SHORT, FIELD_DUMP_SECRET_LENGTH, true },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++)
		assert_int_equal(event_type_allows(event_type_get(rows[i].number), rows[i].field),
				 rows[i].allowed);
}

/* Status class 2, detail 1, answered in the security stage; every field has its own value. */
static const uint8_t login_response[48] = {
	0x23, 0xc6, 0x01, 0x02, 0x03, 0x00, 0x01, 0x0c, /* flags: T, C, CSG 1, NSG 2 */
	0x80, 0x11, 0x22, 0x33, 0x44, 0x55, 0xfe, 0x01, /* ISID, TSIH */
	0xff, 0xff, 0xff, 0xfe, 0x00, 0x00, 0x00, 0x00, /* ITT */
	0x80, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x05, /* StatSN, ExpCmdSN */
	0x00, 0x00, 0x00, 0x24, 0x02, 0x01, 0x00, 0x00, /* MaxCmdSN, status */
};

static void test_login_response(void **state)
{
	static const struct {
		enum event_field field;
		const char *value;
	} rows[] = {
		{ FIELD_PDU_OPCODE, "35" },
		{ FIELD_PDU_TRANSIT, "1" },
		{ FIELD_PDU_CONTINUE, "1" },
		{ FIELD_PDU_CSG, "1" },
		{ FIELD_PDU_NSG, "2" },
		{ FIELD_PDU_VERSION_MAX, "1" },
		{ FIELD_PDU_VERSION_ACTIVE, "2" },
		{ FIELD_PDU_TOTAL_AHS_LENGTH, "3" },
		{ FIELD_PDU_DATA_SEGMENT_LENGTH, "268" },
		{ FIELD_PDU_ISID, "801122334455" },
		{ FIELD_PDU_TSIH, "65025" },
		{ FIELD_PDU_ITT, "4294967294" },
		{ FIELD_PDU_STATSN, "2147483649" },
		{ FIELD_PDU_EXP_CMDSN, "5" },
		{ FIELD_PDU_MAX_CMDSN, "36" },
		{ FIELD_PDU_STATUS_CLASS, "2" },
		{ FIELD_PDU_STATUS_DETAIL, "1" },
		{ FIELD_DUMP_DATA, "613d62" },
		{ FIELD_DUMP_DATA_LENGTH, "3" },
	};
	_cleanup_(event_freep) struct event *event = make(EVENT_LOGIN_FAILED);
	char hex[97];

	event_set_pdu(event, login_response, "a=b", 3);
	hex_encode(login_response, sizeof(login_response), hex);
	assert_field(event, FIELD_DUMP_PDU, hex);
	for (size_t i = 0; i < ELEMENTSOF(rows); i++)
		assert_field(event, rows[i].field, rows[i].value);
}

static void test_other_pdu(void **state)
{
	_cleanup_(event_freep) struct event *login = make(EVENT_LOGIN_RESPONSE_INVALID);
	_cleanup_(event_freep) struct event *invalid = make(EVENT_PDU_INVALID);
	uint8_t header[48] = { 0x3f };
	uint8_t data[5000] = { 0 };

	event_set_pdu(login, header, data, sizeof(data));
	assert_field(login, FIELD_PDU_OPCODE, NULL);
	assert_field(login, FIELD_DUMP_DATA_LENGTH, "5000");
	assert_int_equal(strlen(event_get(login, FIELD_DUMP_DATA)), 2048);

	/* The row promises the header alone. */
	event_set_pdu(invalid, header, data, sizeof(data));
	assert_non_null(event_get(invalid, FIELD_DUMP_PDU));
	assert_field(invalid, FIELD_DUMP_DATA, NULL);
	assert_field(invalid, FIELD_DUMP_DATA_LENGTH, NULL);
}

static void assert_message(const struct event *event, const char *expected)
{
	_cleanup_free_ char *message = NULL;

	assert_int_equal(event_message(event, &message), 0);
	assert_string_equal(message, expected);
}

static void test_message(void **state)
{
	_cleanup_(event_freep) struct event *event = make(EVENT_CONNECT_FAILED);
	_cleanup_(event_freep) struct event *window = make(EVENT_CMDSN_WINDOW_INVALID);
	_cleanup_(event_freep) struct event *configuration = make(EVENT_CONFIGURATION_INVALID);

	assert_message(event, "Cannot connect to portal");
	event_set_errno(event, -ECONNREFUSED);
	assert_message(event, "Cannot connect to portal: Connection refused");
	event_set_string(event, FIELD_PORTAL, "[2001:db8::1]:3260");
	event_set_string(event, FIELD_TARGET, "iqn.2003-01.org.example:@a@");
	assert_message(event, "Cannot connect to portal [2001:db8::1]:3260 of target "
			      "iqn.2003-01.org.example:@a@: Connection refused");

	/* A part with two fields needs both. */
	event_set_number(window, FIELD_DUMP_EXP_CMDSN, 5);
	assert_message(window, "Command window of target is not open");
	event_set_number(window, FIELD_DUMP_MAX_CMDSN, 5);
	assert_message(window, "Command window of target is not open: ExpCmdSN 5, MaxCmdSN 5");

	event_set_string(configuration, FIELD_FILE, "/etc/ois/ois.conf");
	event_set_number(configuration, FIELD_LINE, 12);
	event_set_string(configuration, FIELD_REASON, "unknown setting");
	assert_message(configuration,
		       "Configuration is invalid: /etc/ois/ois.conf:12: unknown setting");
}

/* What a client is told tells whose fault it was. */
static void test_summary(void **state)
{
	_cleanup_(event_freep) struct event *connect = make(EVENT_CONNECT_FAILED);
	_cleanup_(event_freep) struct event *response = make(EVENT_LOGIN_RESPONSE_INVALID);
	_cleanup_(event_freep) struct event *rejected = make(EVENT_PDU_REJECTED);
	char text[80];

	event_set_string(connect, FIELD_TARGET, "iqn.2003-01.org.example:a");
	event_summary(connect, text, sizeof(text));
	assert_string_equal(text, "Cannot connect to portal of target iqn.2003-01.org.example:a");
	event_set_errno(connect, -ECONNREFUSED);
	event_summary(connect, text, sizeof(text));
	assert_string_equal(text, "Connection refused");

	event_set_string(response, FIELD_TARGET, "iqn.2003-01.org.example:a");
	event_set_string(response, FIELD_REASON, "the opcode is unknown");
	event_summary(response, text, sizeof(text));
	assert_string_equal(text,
			    "Login Response of target breaks the protocol: the opcode is unknown");
	event_summary(response, text, 6);
	assert_string_equal(text, "Login");

	event_set_string(rejected, FIELD_TARGET, "iqn.2003-01.org.example:a");
	event_set_status(rejected, 4, "protocol error");
	event_summary(rejected, text, sizeof(text));
	assert_string_equal(text, "Target rejected a PDU: protocol error");
}

/* MESSAGE of every row is one clean line below the border of 4096 bytes, whatever its fields hold.
 */
static void test_message_bounds(void **state)
{
	const struct event_type *type;
	char text[4001] = "";

	for (size_t i = 0; i + 4 < sizeof(text); i += 3)
		memcpy(text + i, "\xe2\x82\xac", 4);
	for (size_t i = 0; (type = event_type_at(i)); i++) {
		_cleanup_(event_freep) struct event *event = make(type->number);
		_cleanup_free_ char *message = NULL;

		assert_int_equal(event_message(event, &message), 0);
		assert_null(strpbrk(message, "@[]"));
		assert_true(strlen(message) > 10 && strlen(message) < 100);
		free(TAKE_PTR(message));

		for (enum event_field field = 0; field < _FIELD_MAX; field++) {
			char name[80];

			(void)snprintf(name, sizeof(name), "@%s@", event_field_name(field));
			if (strstr(type->subject, name))
				event_set_string(event, field, text);
		}
		assert_int_equal(event_message(event, &message), 0);
		assert_true(strlen(message) < 4096 - strlen("MESSAGE="));
		assert_true(text_is_clean(message, strlen(message)));
		assert_null(strstr(message, "OIS_"));
	}
}

static void test_no_memory(void **state)
{
	uint8_t header[48] = { 0 };
	char *message = NULL;

	assert_null(event_type(NULL));
	assert_null(event_get(NULL, FIELD_TARGET));
	event_set_string(NULL, FIELD_TARGET, "x");
	event_set_text(NULL, FIELD_TARGET, "x", 1);
	event_set_number(NULL, FIELD_TARGET, 1);
	event_set_hex(NULL, FIELD_DUMP_PDU, "x", 1);
	event_set_status(NULL, 1, "x");
	event_set_errno(NULL, -EIO);
	event_set_outcome(NULL, EVENT_OUTCOME_FAILED);
	event_set_pdu(NULL, header, NULL, 0);
	assert_int_equal(event_message(NULL, &message), -ENOMEM);
	assert_null(message);
	assert_null(event_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup),         cmocka_unit_test(test_names),
		cmocka_unit_test(test_values),         cmocka_unit_test(test_escaping),
		cmocka_unit_test(test_long_values),    cmocka_unit_test(test_hex),
		cmocka_unit_test(test_size),           cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_login_response), cmocka_unit_test(test_other_pdu),
		cmocka_unit_test(test_message),        cmocka_unit_test(test_summary),
		cmocka_unit_test(test_message_bounds), cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
