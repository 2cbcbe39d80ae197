// layers: ois-iscsi ois-events ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SendTargets against a target played here: good and bad records, any split, a hundred thousand
 * targets, and each way the exchange can end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "bounds.h"
#include "sendtargets.h"
#include "text.h"

#define TTT 0x55

static struct sendtargets *machine;
static struct sendtargets_config config;
static struct sendtargets_step last;
static struct pdu request;
static char request_text[512];
static size_t request_length, n_sent, n_timed, n_events;
static uint32_t stat_sn;
static enum event_number events[64];
/* All that was handed out, one line a target. */
static struct buffer found;

static void remember(const struct sendtargets_target *target)
{
	assert_int_equal(buffer_printf(&found, "%s", target->name), 0);
	if (target->alias[0])
		assert_int_equal(buffer_printf(&found, "(%s)", target->alias), 0);
	for (size_t i = 0; i < target->n_portals; i++)
		assert_int_equal(buffer_printf(&found, " %s:%u,%d", target->portals[i].address,
					       target->portals[i].port,
					       target->portals[i].portal_group_tag),
				 0);
	assert_int_equal(buffer_append_string(&found, "\n"), 0);
}

static void run(void)
{
	for (;;) {
		sendtargets_next(machine, &last);
		switch (last.type) {
		case SENDTARGETS_STEP_SEND:
			assert_int_equal(pdu_decode(last.send.header, &request), 0);
			assert_true(request.immediate);
			assert_int_equal(request.data_length, last.send.data_length);
			assert_true(last.send.data_length < sizeof(request_text));
			request_length = last.send.data_length;
			if (request_length > 0)
				memcpy(request_text, last.send.data, request_length);
			n_sent++;
			n_timed += last.send.timed;
			continue;
		case SENDTARGETS_STEP_EVENT:
			assert_true(n_events < sizeof(events) / sizeof(events[0]));
			events[n_events++] = event_type(last.event)->number;
			event_free(last.event);
			continue;
		case SENDTARGETS_STEP_TARGET:
			remember(last.target);
			continue;
		case SENDTARGETS_STEP_WAIT:
		case SENDTARGETS_STEP_DONE:
		case SENDTARGETS_STEP_FAILED:
			return;
		}
	}
}

static void begin(void)
{
	machine = sendtargets_free(machine);
	buffer_clear(&found);
	n_sent = n_timed = n_events = 0;
	stat_sn = config.exp_stat_sn;
	assert_int_equal(sendtargets_new(&config, &machine), 0);
	run();
}

static void receive(const struct pdu *pdu, const void *data)
{
	uint8_t header[PDU_HEADER_LENGTH];

	pdu_encode(pdu, header);
	sendtargets_receive(machine, header, data, pdu->data_length);
	run();
}

static struct pdu text_response(size_t length, bool final, bool more)
{
	return (struct pdu){
		.opcode = PDU_OPCODE_TEXT_RESPONSE,
		.itt = config.itt,
		.data_length = (uint32_t)length,
		.text_response = {
			.final = final,
			.more = more,
			.lun = 77,
			.ttt = final ? PDU_TAG_RESERVED : TTT,
			.numbers = { stat_sn++, 1, 1 },
		},
	};
}

static void reply_bytes(const void *text, size_t length, bool final, bool more)
{
	struct pdu pdu = text_response(length, final, more);

	receive(&pdu, text);
}

/* Pairs separated by "|"; the last response. */
static void reply(const char *text)
{
	char pairs[8192];
	size_t length = strlen(text) + 1;

	assert_true(length <= sizeof(pairs));
	memcpy(pairs, text, length);
	for (size_t i = 0; i < length; i++)
		if (pairs[i] == '|')
			pairs[i] = '\0';
	reply_bytes(pairs, length == 1 ? 0 : length, true, false);
}

static const char *all_found(void)
{
	assert_int_equal(buffer_append(&found, "", 1), 0);
	return (const char *)found.data;
}

static bool raised(enum event_number number)
{
	for (size_t i = 0; i < n_events; i++)
		if (events[i] == number)
			return true;
	return false;
}

static void assert_failed(enum event_number number, int error)
{
	assert_int_equal(last.type, SENDTARGETS_STEP_FAILED);
	assert_int_equal(last.failed.event, number);
	assert_int_equal(last.failed.error, error);
	assert_true(raised(number));
	sendtargets_timed_out(machine);
	sendtargets_disconnected(machine);
	run();
	assert_int_equal(last.failed.event, number);
}

static int setup(void **state)
{
	config = (struct sendtargets_config){
		.address = "192.0.2.99",
		.port = 3299,
		.cid = 3,
		.itt = 0xfffffffe,
		.cmd_sn = 10,
		.exp_stat_sn = 0xffffffff,
		.max_recv_data_segment_length = 65536,
	};
	return 0;
}

static int teardown(void **state)
{
	machine = sendtargets_free(machine);
	buffer_done(&found);
	return 0;
}

static void test_request(void **state)
{
	begin();
	assert_int_equal(request.opcode, PDU_OPCODE_TEXT_REQUEST);
	assert_true(request.text_request.final);
	assert_false(request.text_request.more);
	assert_int_equal(request.text_request.ttt, PDU_TAG_RESERVED);
	assert_int_equal(request.text_request.cmd_sn, 10);
	assert_int_equal(request.text_request.exp_stat_sn, 0xffffffff);
	assert_memory_equal(request_text, "SendTargets=All", 16);
	assert_int_equal(request_length, 16);
	config.target_name = "iqn.2001-04.com.example:a";
	begin();
	assert_string_equal(request_text, "SendTargets=iqn.2001-04.com.example:a");
}

#define NAME "iqn.2001-04.com.example:"
#define A    "TargetName=" NAME "a"
#define B    "TargetName=" NAME "b"
/* Where a target is that tells no address. */
#define HERE " 192.0.2.99:3299,-1\n"

static const struct record_row {
	const char *text, *found;
	size_t targets, skipped;
} record_rows[] = {
	{ "", "", 0, 0 },
	{ A, NAME "a" HERE, 1, 0 },
	{ A "|TargetAddress=192.0.2.1:3260,1", NAME "a 192.0.2.1:3260,1\n", 1, 0 },
	{ A "|TargetAlias=x|TargetAddress=192.0.2.1,1|TargetAddress=[2001:db8::1]:3261,2|" B
	    "|TargetAddress=disk.example.com",
	  NAME "a(x) 192.0.2.1:3260,1 2001:db8::1:3261,2\n" NAME "b disk.example.com:3260,-1\n", 2,
	  0 },
	{ A "|X-com.example.y=1|TargetAddress=192.0.2.1", NAME "a 192.0.2.1:3260,-1\n", 1, 0 },
	/* a bad name goes with all that belongs to it */
	{ "TargetName=bad|TargetAddress=192.0.2.1|TargetAlias=x|" B, NAME "b" HERE, 1, 1 },
	{ "TargetName=" NAME "\x07|TargetName=eui.02004567a425678d", "eui.02004567a425678d" HERE, 1,
	  1 },
	{ "TargetName=|TargetName=naa.52004567ba64678d", "naa.52004567ba64678d" HERE, 1, 1 },
	{ "TargetName=eui.02004567a425678|TargetName=naa.5|TargetName=iqn.2001-13.com.example|"
	  "TargetName=iqn.2001-04.com.example:\xff|TargetName=iqn.2001-04.com.example:a b",
	  "", 0, 5 },
	/* a bad address goes alone */
	{ A "|TargetAddress=1:99999|TargetAddress=192.0.2.1", NAME "a 192.0.2.1:3260,-1\n", 1, 1 },
	{ A "|TargetAddress=1:0|TargetAddress=1:65536|TargetAddress=1:1,65536|"
	    "TargetAddress=192.0.2.1:65535,65535",
	  NAME "a 192.0.2.1:65535,65535\n", 1, 3 },
	{ A "|TargetAddress=|" B, NAME "b" HERE, 2, 1 },
	{ A "|TargetAddress=[1:2:3]:3260,1|TargetAddress=[::1|TargetAddress=a b|" B, NAME "b" HERE,
	  2, 3 },
	/* what is no pair goes alone */
	{ "TargetName|" A, NAME "a" HERE, 1, 1 },
	{ "targetname=x|" A, NAME "a" HERE, 1, 1 },
	/* an address of nobody */
	{ "TargetAddress=192.0.2.1|TargetAddress=192.0.2.2|" A, NAME "a" HERE, 1, 2 },
	/* a name that comes twice in a row goes on, elsewhere it comes again */
	{ A "|TargetAddress=192.0.2.1|" A "|TargetAddress=192.0.2.2",
	  NAME "a 192.0.2.1:3260,-1 192.0.2.2:3260,-1\n", 1, 0 },
	{ A "|" A "|" B "|" A, NAME "a" HERE NAME "b" HERE NAME "a" HERE, 3, 0 },
	/* a portal that comes twice */
	{ A
	  "|TargetAddress=192.0.2.1|TargetAddress=192.0.2.1:3260,7|TargetAddress=192.0.2.1:3260,8|"
	  "TargetAddress=192.0.2.1:3261",
	  NAME "a 192.0.2.1:3260,7 192.0.2.1:3261,-1\n", 1, 0 },
	{ A "|TargetAddress=[2001:DB8::0:1]:3260,1|TargetAddress=2001:db8::1,1",
	  NAME "a 2001:db8::1:3260,1\n", 1, 0 },
	/* wildcards stand for the address that was asked, port and tag are told */
	{ A "|TargetAddress=0.0.0.0:3260,1|TargetAddress=[::]:3260,1|TargetAddress=[::]:3261,2",
	  NAME "a 192.0.2.99:3260,1 192.0.2.99:3261,2\n", 1, 0 },
	{ A "|TargetAddress=192.0.2.99:3299,4|TargetAddress=0.0.0.0:3299,1",
	  NAME "a 192.0.2.99:3299,4\n", 1, 0 },
	/* nobody knows on which link */
	{ A "|TargetAddress=[fe80::1]:3260,1|TargetAddress=[fe80::1%eth7]:3260,1|"
	    "TargetAddress=192.0.2.1",
	  NAME "a 192.0.2.1:3260,-1\n", 1, 2 },
};

static void test_records(void **state)
{
	for (size_t i = 0; i < sizeof(record_rows) / sizeof(record_rows[0]); i++) {
		const struct record_row *row = &record_rows[i];

		begin();
		reply(row->text);
		assert_int_equal(last.type, SENDTARGETS_STEP_DONE);
		assert_string_equal(all_found(), row->found);
		assert_int_equal(last.done.targets, row->targets);
		assert_int_equal(last.done.skipped, row->skipped);
		assert_int_equal(n_events, row->skipped);
		assert_int_equal(raised(EVENT_DISCOVERY_ENTRY_INVALID), row->skipped > 0);
	}
}

/* A pair that no other limit meets; the records around it are good. */
static void test_long_value(void **state)
{
	static char text[ISCSI_LONG_VALUE_MAX + 256];

	for (size_t length = ISCSI_LONG_VALUE_MAX; length <= ISCSI_LONG_VALUE_MAX + 1; length++) {
		size_t n = (size_t)snprintf(text, sizeof(text), "%s|X-com.example.key=", A);

		memset(text + n, 'a', length);
		n += length;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "|%s", B) + 1;
		for (size_t i = 0; i < n; i++)
			if (text[i] == '|')
				text[i] = '\0';
		begin();
		reply_bytes(text, n, true, false);
		assert_int_equal(last.type, SENDTARGETS_STEP_DONE);
		assert_int_equal(last.done.targets, 2);
		assert_int_equal(last.done.skipped, length > ISCSI_LONG_VALUE_MAX);
		assert_int_equal(raised(EVENT_DISCOVERY_ENTRY_INVALID),
				 length > ISCSI_LONG_VALUE_MAX);
	}
}

/* What is known of the link: link-local addresses are on it, whatever the target calls it. */
static void test_scope(void **state)
{
	config.address = "fe80::9%eth0";
	config.scope = "eth0";
	begin();
	reply(A "|TargetAddress=[fe80::1]:3260,1|TargetAddress=[FE80::2%enp0s9]:3260,1|"
		"TargetAddress=[fe80::1%x]:3260,1|TargetAddress=0.0.0.0:3260,1|"
		"TargetAddress=[2001:db8::1]:3260,1|" B);
	assert_string_equal(all_found(),
			    NAME "a fe80::1%eth0:3260,1 fe80::2%eth0:3260,1 fe80::9%eth0:3260,1 "
				 "2001:db8::1:3260,1\n" NAME "b fe80::9%eth0:3299,-1\n");
	assert_int_equal(n_events, 0);
}

/* One target was asked for: what else comes is not wanted. */
static void test_by_name(void **state)
{
	config.target_name = NAME "b";
	begin();
	reply(A "|TargetAddress=192.0.2.1|" B "|TargetAddress=192.0.2.2|TargetName=" NAME "bb");
	assert_string_equal(all_found(), NAME "b 192.0.2.2:3260,-1\n");
	assert_int_equal(last.done.targets, 1);
	assert_int_equal(last.done.skipped, 2);
	begin();
	reply("");
	assert_int_equal(last.type, SENDTARGETS_STEP_DONE);
	assert_int_equal(last.done.targets, 0);
}

/* An answer that ends within a pair: who knows what is missing. */
static void test_cut(void **state)
{
	static const struct {
		const char *text;
		const char *found;
	} rows[] = {
		{ A, "" },
		{ A "|TargetAddress=192.0.2.1:3260,1|" B, NAME "a 192.0.2.1:3260,1\n" },
		{ A "|TargetAddress=192.0.2.1:3260,1|TargetAddress=192.0.2.2:32",
		  NAME "a 192.0.2.1:3260,1\n" },
		{ A "|Tar", NAME "a" HERE },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char pairs[256];
		size_t length = strlen(rows[i].text);

		for (size_t k = 0; k < length; k++)
			pairs[k] = rows[i].text[k] == '|' ? '\0' : rows[i].text[k];
		begin();
		reply_bytes(pairs, length, true, false);
		assert_int_equal(last.type, SENDTARGETS_STEP_DONE);
		assert_string_equal(all_found(), rows[i].found);
		assert_int_equal(last.done.skipped, 1);
		assert_int_equal(n_events, 1);
		assert_true(raised(EVENT_DISCOVERY_ENTRY_INVALID));
	}
}

/* A pair that goes on in the next PDU, though the C bit is not set. */
static void test_continued_without_c(void **state)
{
	static const char text[] = A "|TargetAddress=192.0.2.1:3260,1";

	for (size_t i = 1; i < sizeof(text); i++) {
		char pairs[sizeof(text)];

		for (size_t k = 0; k < sizeof(text); k++)
			pairs[k] = text[k] == '|' ? '\0' : text[k];
		begin();
		reply_bytes(pairs, i, false, false);
		reply_bytes(pairs + i, sizeof(text) - i, true, false);
		assert_string_equal(all_found(), NAME "a 192.0.2.1:3260,1\n");
		if (pairs[i - 1] == '\0') {
			assert_int_equal(n_events, 0);
			continue;
		}
		assert_int_equal(n_events, 1);
		assert_true(raised(EVENT_DEVIATION_TOLERATED));
		config.strict = true;
		begin();
		reply_bytes(pairs, i, false, false);
		assert_int_equal(last.type, SENDTARGETS_STEP_FAILED);
		assert_int_equal(last.failed.event, EVENT_PDU_INVALID);
		config.strict = false;
	}
}

/* A tag that is not reserved in the last response harms nobody, and is reported. */
static void test_last_tag(void **state)
{
	struct pdu pdu;

	begin();
	pdu = text_response(sizeof(A), true, false);
	pdu.text_response.ttt = TTT;
	receive(&pdu, A);
	assert_int_equal(last.type, SENDTARGETS_STEP_DONE);
	assert_string_equal(all_found(), NAME "a" HERE);
	assert_int_equal(n_events, 2);
	assert_true(raised(EVENT_PDU_INVALID));
	assert_true(raised(EVENT_DEVIATION_TOLERATED));
	config.strict = true;
	begin();
	receive(&pdu, A);
	assert_int_equal(last.type, SENDTARGETS_STEP_FAILED);
	assert_int_equal(last.failed.event, EVENT_PDU_INVALID);
	assert_int_equal(n_events, 1);
}

static void test_long_name(void **state)
{
	char text[ISCSI_NAME_MAX + 64] = "TargetName=iqn.2001-04.com.example:";

	memset(text + strlen(text), 'a', sizeof(text) - strlen(text) - 1);
	text[11 + ISCSI_NAME_MAX] = '\0';
	begin();
	reply(text);
	assert_int_equal(last.done.targets, 1);
	text[11 + ISCSI_NAME_MAX] = 'a';
	text[11 + ISCSI_NAME_MAX + 1] = '\0';
	begin();
	reply(text);
	assert_int_equal(last.done.targets, 0);
	assert_int_equal(last.done.skipped, 1);
}

static void test_long_address(void **state)
{
	char text[4096] = A "|TargetAddress=192.0.2.1:3260,1|TargetAddress=";

	memset(text + strlen(text), 'a', sizeof(text) - strlen(text) - 1);
	begin();
	reply(text);
	assert_string_equal(all_found(), NAME "a 192.0.2.1:3260,1\n");
	assert_int_equal(last.done.skipped, 1);
	assert_int_equal(n_events, 1);
}

static const char listing[] =
	"TargetName=iqn.2001-04.com.example:a\0TargetAddress=192.0.2.1:3260,1\0"
	"TargetAddress=192.0.2.2:3260,1\0TargetName=iqn.2001-04.com.example:b\0TargetAlias=b\0"
	"TargetName=bad name\0TargetAddress=x\0TargetName=iqn.2001-04.com.example:c\0"
	"TargetAddress=[::1]:1,65535";

static void test_any_split(void **state)
{
	_cleanup_(buffer_done) struct buffer whole = { 0 };

	begin();
	reply_bytes(listing, sizeof(listing), true, false);
	assert_int_equal(buffer_append_string(&whole, all_found()), 0);
	assert_int_equal(buffer_append(&whole, "", 1), 0);
	for (size_t a = 0; a <= sizeof(listing); a += 1) {
		for (size_t b = a; b <= sizeof(listing); b += 11) {
			begin();
			reply_bytes(listing, a, false, true);
			assert_int_equal(last.type, SENDTARGETS_STEP_WAIT);
			assert_int_equal(request.opcode, PDU_OPCODE_TEXT_REQUEST);
			assert_int_equal(request.text_request.ttt, TTT);
			assert_int_equal(request.text_request.lun, 77);
			assert_int_equal(request.text_request.exp_stat_sn, 0);
			assert_true(request.text_request.final);
			assert_int_equal(request.itt, config.itt);
			assert_int_equal(request_length, 0);
			reply_bytes(listing + a, b - a, false, true);
			reply_bytes(listing + b, sizeof(listing) - b, true, false);
			assert_int_equal(last.type, SENDTARGETS_STEP_DONE);
			assert_string_equal(all_found(), (char *)whole.data);
			assert_int_equal(last.done.targets, 3);
			assert_int_equal(last.done.skipped, 1);
		}
	}
}

/* More portals than fit one target: it comes in parts, and none is lost or told twice. */
static void test_many_portals(void **state)
{
	for (unsigned n = SENDTARGETS_PORTALS_MAX - 1; n <= 2 * SENDTARGETS_PORTALS_MAX + 1; n++) {
		_cleanup_(buffer_done) struct buffer text = { 0 };
		unsigned lines = 0, portals = 0;

		assert_int_equal(text_write(&text, "TargetName", "iqn.2001-04.com.example:a"), 0);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(buffer_printf(&text, "TargetAddress=192.0.2.%u,1%c", i, 0),
					 0);
		assert_int_equal(text_write(&text, "TargetName", "iqn.2001-04.com.example:b"), 0);
		begin();
		reply_bytes(text.data, text.length, true, false);
		assert_int_equal(last.type, SENDTARGETS_STEP_DONE);
		assert_int_equal(last.done.targets, 2);
		for (const char *p = all_found(); *p; p++) {
			lines += *p == '\n';
			portals += *p == ' ';
		}
		assert_int_equal(portals, n + 1); /* b is where it was asked for */
		assert_int_equal(lines,
				 (n + SENDTARGETS_PORTALS_MAX - 1) / SENDTARGETS_PORTALS_MAX + 1);
	}
}

static void test_many_targets(void **state)
{
	enum { TARGETS = 100000 };
	struct buffer text = { 0 };
	size_t n = 0, next = 0;

	begin();
	while (last.type == SENDTARGETS_STEP_WAIT) {
		size_t length;
		bool final;

		while (text.length < 8192 && next < TARGETS) {
			assert_int_equal(
				buffer_printf(&text,
					      "TargetName=iqn.2001-04.com.example:disk%zu%c"
					      "TargetAddress=192.0.2.1:3260,1%c",
					      next, 0, 0),
				0);
			next++;
		}
		length = text.length > 8192 ? 8192 : text.length;
		final = next == TARGETS && length == text.length;
		reply_bytes(text.data, length, final, !final);
		buffer_consume(&text, length);
		/* What was handed out is forgotten by the machine, and here. */
		for (size_t i = 0; i < found.length; i++)
			n += found.data[i] == '\n';
		buffer_clear(&found);
	}
	assert_int_equal(last.type, SENDTARGETS_STEP_DONE);
	assert_int_equal(last.done.targets, TARGETS);
	assert_int_equal(n, TARGETS);
	buffer_done(&text);
}

static void test_many_faults(void **state)
{
	_cleanup_(buffer_done) struct buffer text = { 0 };

	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(text_write(&text, "TargetName", "bad"), 0);
	begin();
	reply_bytes(text.data, text.length, true, false);
	assert_int_equal(last.type, SENDTARGETS_STEP_DONE);
	assert_int_equal(last.done.skipped, 1000);
	assert_int_equal(n_events, SENDTARGETS_FAULTS_MAX);
}

static void test_logout(void **state)
{
	struct pdu pdu = { .opcode = PDU_OPCODE_LOGOUT_RESPONSE };

	config.logout = true;
	begin();
	reply("TargetName=iqn.2001-04.com.example:a");
	assert_int_equal(last.type, SENDTARGETS_STEP_WAIT);
	assert_string_equal(all_found(), NAME "a" HERE);
	assert_int_equal(request.opcode, PDU_OPCODE_LOGOUT_REQUEST);
	assert_int_equal(request.logout_request.reason, PDU_LOGOUT_CLOSE_SESSION);
	assert_int_equal(request.logout_request.cid, 3);
	assert_int_equal(request.logout_request.exp_stat_sn, 0);
	/* Not the reserved tag, which would be the next number. */
	assert_int_equal(request.itt, 0);
	receive(&pdu, NULL);
	assert_int_equal(last.type, SENDTARGETS_STEP_DONE);
	assert_int_equal(n_events, 0);
	/* Another tag is said, and changes nothing. */
	begin();
	reply("TargetName=iqn.2001-04.com.example:a");
	pdu.itt = 5;
	receive(&pdu, NULL);
	assert_int_equal(last.type, SENDTARGETS_STEP_DONE);
	assert_int_equal(n_events, 1);
	assert_int_equal(events[0], EVENT_TASK_TAG_UNMATCHED);
	pdu.itt = 0;
	/* No answer to the logout: the targets are known all the same. */
	begin();
	reply("TargetName=iqn.2001-04.com.example:a");
	sendtargets_timed_out(machine);
	run();
	assert_int_equal(last.type, SENDTARGETS_STEP_DONE);
	assert_int_equal(last.done.targets, 1);
	assert_true(raised(EVENT_REQUEST_TIMEOUT));
	assert_true(raised(EVENT_LOGOUT_TIMEOUT));
	begin();
	reply("TargetName=iqn.2001-04.com.example:a");
	sendtargets_disconnected(machine);
	run();
	assert_int_equal(last.type, SENDTARGETS_STEP_DONE);
	assert_int_equal(n_events, 0);
}

static void test_ping(void **state)
{
	struct pdu ping = { .opcode = PDU_OPCODE_NOP_IN, .itt = PDU_TAG_RESERVED };

	begin();
	ping.nop_in.ttt = 9;
	ping.nop_in.lun = 5;
	receive(&ping, NULL);
	assert_int_equal(n_sent, 2);
	assert_int_equal(request.opcode, PDU_OPCODE_NOP_OUT);
	assert_int_equal(request.nop_out.ttt, 9);
	assert_int_equal(request.nop_out.lun, 5);
	assert_int_equal(request.itt, PDU_TAG_RESERVED);
	ping.nop_in.ttt = PDU_TAG_RESERVED;
	receive(&ping, NULL);
	assert_int_equal(n_sent, 2);
	reply("TargetName=iqn.2001-04.com.example:a");
	assert_int_equal(last.type, SENDTARGETS_STEP_DONE);
}

static void test_async(void **state)
{
	struct pdu async = { .opcode = PDU_OPCODE_ASYNC_MESSAGE, .itt = PDU_TAG_RESERVED };

	begin();
	async.async.event = PDU_ASYNC_LOGOUT_REQUEST;
	async.async.numbers.stat_sn = stat_sn++;
	receive(&async, NULL);
	assert_int_equal(last.type, SENDTARGETS_STEP_WAIT);
	reply("");
	assert_int_equal(last.type, SENDTARGETS_STEP_DONE);
}

static void test_silence(void **state)
{
	begin();
	sendtargets_timed_out(machine);
	run();
	assert_true(raised(EVENT_REQUEST_TIMEOUT));
	assert_failed(EVENT_SENDTARGETS_TIMEOUT, -ETIMEDOUT);
	begin();
	sendtargets_disconnected(machine);
	run();
	assert_failed(EVENT_CONNECTION_LOST, -ECONNRESET);
}

static void test_reject(void **state)
{
	struct pdu pdu = { .opcode = PDU_OPCODE_REJECT, .itt = PDU_TAG_RESERVED };
	uint8_t rejected[PDU_HEADER_LENGTH];

	begin();
	pdu_encode(&request, rejected);
	pdu.data_length = sizeof(rejected);
	pdu.reject.reason = 5;
	receive(&pdu, rejected);
	assert_failed(EVENT_PDU_REJECTED, -EOPNOTSUPP);
	/* A logout that is rejected changes nothing. */
	config.logout = true;
	begin();
	reply("TargetName=iqn.2001-04.com.example:a");
	receive(&pdu, rejected);
	assert_int_equal(last.type, SENDTARGETS_STEP_DONE);
	assert_int_equal(last.done.targets, 1);
	assert_true(raised(EVENT_PDU_REJECTED));
}

static void test_faults(void **state)
{
	uint8_t unknown[PDU_HEADER_LENGTH] = { 0x3e }, header[PDU_HEADER_LENGTH];
	static uint8_t big[65540];
	struct pdu pdu;

	begin();
	sendtargets_receive(machine, unknown, NULL, 0);
	run();
	assert_failed(EVENT_OPCODE_UNKNOWN, -EPROTO);

	begin();
	pdu = text_response(0, true, true);
	receive(&pdu, NULL);
	assert_failed(EVENT_PDU_INVALID, -EPROTO);

	begin();
	pdu = text_response(0, false, false);
	pdu.text_response.ttt = PDU_TAG_RESERVED;
	receive(&pdu, NULL);
	assert_failed(EVENT_PDU_INVALID, -EPROTO);

	begin();
	pdu = text_response(0, true, false);
	pdu.itt++;
	receive(&pdu, NULL);
	assert_failed(EVENT_TASK_TAG_UNMATCHED, -EPROTO);

	begin();
	stat_sn++;
	reply("");
	assert_failed(EVENT_STATSN_INVALID, -EPROTO);

	begin();
	reply_bytes(big, sizeof(big), true, false);
	assert_failed(EVENT_DATA_SEGMENT_TOO_LONG, -EPROTO);

	begin();
	pdu = text_response(4, true, false);
	pdu_encode(&pdu, header);
	sendtargets_receive(machine, header, big, 8);
	run();
	assert_failed(EVENT_PDU_INVALID, -EPROTO);

	begin();
	pdu = text_response(0, true, false);
	pdu.ahs_length = 4;
	receive(&pdu, NULL);
	assert_failed(EVENT_PDU_INVALID, -EPROTO);

	begin();
	pdu = (struct pdu){ .opcode = PDU_OPCODE_LOGIN_RESPONSE };
	receive(&pdu, NULL);
	assert_failed(EVENT_PDU_INVALID, -EPROTO);

	begin();
	pdu = (struct pdu){ .opcode = PDU_OPCODE_LOGOUT_RESPONSE };
	receive(&pdu, NULL);
	assert_failed(EVENT_PDU_INVALID, -EPROTO);
}

/* The time for an answer begins anew when it has named something, however it is cut. */
static void test_time(void **state)
{
	static const struct {
		const char *text;
		size_t length;
		bool timed;
	} responses[] = {
		{ "", 1, false },
		{ NULL, 0, false },
		{ "X-odd=1", 8, false },
		{ "TargetAddress=1", 16, false },
		{ "TargetName=" NAME, 11 + sizeof(NAME) - 1, false },
		{ "a", 2, true },
		{ "TargetAlias=x", 14, false },
		{ "TargetAddress=host:1,1", 23, true },
		{ "TargetAddress=host:1,1", 23, false },
		{ "TargetAddress=host:2,1", 23, true },
		{ A, sizeof(A), false },
		{ B, sizeof(B), true },
		{ "", 1, false },
		{ "TargetName=?", 13, true },
		{ "", 1, false },
	};
	struct pdu pdu = {
		.opcode = PDU_OPCODE_NOP_IN,
		.itt = PDU_TAG_RESERVED,
		.nop_in = { .ttt = 9 },
	};
	size_t timed = 1;

	begin();
	assert_int_equal(n_timed, timed);
	for (size_t i = 0; i < ELEMENTSOF(responses); i++) {
		size_t length = responses[i].length;
		bool more = length > 0 && responses[i].text[length - 1] != '\0';

		reply_bytes(responses[i].text, length, false, more);
		timed += responses[i].timed;
		assert_int_equal(n_timed, timed);
		assert_int_equal(n_sent, i + 2);
	}
	/* A ping does not lengthen it, and the logout has its own. */
	receive(&pdu, NULL);
	assert_int_equal(n_timed, timed);
	config.logout = true;
	begin();
	reply_bytes("", 1, true, false);
	assert_int_equal(n_timed, 2);
}

static void test_limits(void **state)
{
	static char piece[8192];
	unsigned n;

	/* An answer that goes on with nothing. */
	begin();
	for (n = 0; n < 1000 && last.type == SENDTARGETS_STEP_WAIT; n++)
		reply_bytes(NULL, 0, false, false);
	assert_int_equal(n, SENDTARGETS_EMPTY_MAX + 1);
	assert_failed(EVENT_PDU_INVALID, -EPROTO);
	/* An answer that goes on for ever. */
	begin();
	for (n = 0; n <= SENDTARGETS_EXCHANGES_MAX && last.type == SENDTARGETS_STEP_WAIT; n++)
		reply_bytes("", 1, false, false);
	assert_int_equal(n, SENDTARGETS_EXCHANGES_MAX);
	assert_failed(EVENT_PDU_INVALID, -EPROTO);
	/* A pair without an end. */
	memset(piece, 'A', sizeof(piece));
	begin();
	for (n = 0; n < 1000 && last.type == SENDTARGETS_STEP_WAIT; n++)
		reply_bytes(piece, sizeof(piece), false, true);
	assert_in_range(n, 2, 5);
	assert_failed(EVENT_PDU_INVALID, -EPROTO);
}

/* An answer with more portals than there can be. */
static void test_too_many(void **state)
{
	enum { NAMES = 200 };
	_cleanup_(buffer_done) struct buffer text = { 0 };
	unsigned n;

	for (unsigned i = 0; i < NAMES; i++)
		assert_int_equal(text_write(&text, "TargetName", i % 2 ? NAME "a" : NAME "b"), 0);
	begin();
	for (n = 0; n < 1000000 && last.type == SENDTARGETS_STEP_WAIT; n++) {
		reply_bytes(text.data, text.length, false, false);
		buffer_clear(&found);
	}
	assert_in_range(n, SENDTARGETS_ANSWER_PORTALS_MAX / NAMES,
			SENDTARGETS_ANSWER_PORTALS_MAX / NAMES + 2);
	assert_failed(EVENT_PDU_INVALID, -EPROTO);
}

/* A response to a request that was not sent yet is none. */
static void test_unasked(void **state)
{
	uint8_t header[PDU_HEADER_LENGTH];
	struct pdu pdu;

	begin();
	pdu = text_response(0, true, false);
	pdu_encode(&pdu, header);
	machine = sendtargets_free(machine);
	assert_int_equal(sendtargets_new(&config, &machine), 0);
	sendtargets_receive(machine, header, NULL, 0);
	run();
	assert_failed(EVENT_PDU_INVALID, -EPROTO);
	assert_null(sendtargets_free(NULL));
	/* Another answer before the one before it was taken. */
	begin();
	pdu = text_response(0, true, false);
	pdu_encode(&pdu, header);
	sendtargets_receive(machine, header, NULL, 0);
	sendtargets_receive(machine, header, NULL, 0);
	run();
	assert_failed(EVENT_PDU_INVALID, -EPROTO);
	/* Another answer when all is said; its event is nobody's any more. */
	config.logout = true;
	begin();
	reply("");
	assert_int_equal(request.opcode, PDU_OPCODE_LOGOUT_REQUEST);
	pdu = text_response(0, true, false);
	pdu_encode(&pdu, header);
	sendtargets_receive(machine, header, NULL, 0);
	machine = sendtargets_free(machine);
	begin();
	reply("");
	sendtargets_receive(machine, header, NULL, 0);
	run();
	assert_failed(EVENT_TASK_TAG_UNMATCHED, -EPROTO);
}

static void test_any_bytes(void **state)
{
	static const char alphabet[] =
		"TargetName=iqn.2001-04.com.example:TargetAddress=[1]:,\0\0\0";
	unsigned seed = 1;

	for (unsigned round = 0; round < 3000; round++) {
		char data[300];
		size_t length;

		begin();
		for (unsigned n = 0; n < 4 && last.type == SENDTARGETS_STEP_WAIT && n_events < 40;
		     n++) {
			length = (seed = seed * 1664525 + 1013904223) >> 24;
			for (size_t i = 0; i < length; i++)
				data[i] = alphabet[((seed = seed * 1664525 + 1013904223) >> 8) %
						   sizeof(alphabet)];
			reply_bytes(data, length, seed >> 30 == 0, seed >> 30 == 1);
		}
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_request),      TEST(test_records),
		TEST(test_long_name),    TEST(test_long_address),
		TEST(test_long_value),   TEST(test_scope),
		TEST(test_by_name),      TEST(test_cut),
		TEST(test_last_tag),     TEST(test_continued_without_c),
		TEST(test_any_split),    TEST(test_many_portals),
		TEST(test_many_targets), TEST(test_many_faults),
		TEST(test_logout),       TEST(test_ping),
		TEST(test_async),        TEST(test_silence),
		TEST(test_reject),       TEST(test_faults),
		TEST(test_time),         TEST(test_limits),
		TEST(test_unasked),      TEST(test_too_many),
		TEST(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
