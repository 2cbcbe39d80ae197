// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records of the kernel's log: what is taken, what it means, and what is not taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "event.h"
#include "kernel_abi.h"
#include "kernel_log_line.h"

static void takes_what_is_told(void **state)
{
	static const struct {
		const char *record;
		enum kernel_log_kind kind;
		unsigned number, event, code; /* the number: of the session, or of the host */
		int status;
		const char *text;
		uint32_t channel, target;
	} rows[] = {
		{ "3,1,1,-; connection1:0: invalid R2T with zero data len\n", KERNEL_LOG_CAUSE, 1,
		  EVENT_R2T_INVALID, KERNEL_ERROR_DATA_LENGTH, -1,
		  "invalid R2T with zero data len" },
		{ "3,1,1,-; connection1:0: invalid R2t with datalen 4\n", KERNEL_LOG_CAUSE, 1,
		  EVENT_R2T_INVALID, KERNEL_ERROR_DATA_LENGTH, -1, "invalid R2t with datalen 4" },
		{ "3,1,1,-; connection7:0: Could not allocate R2T. Target has sent more\n",
		  KERNEL_LOG_CAUSE, 7, EVENT_R2T_INVALID, KERNEL_ERROR_PROTOCOL, -1,
		  "Could not allocate R2T. Target has sent more" },
		{ "3,99,4711,c; connection12345:0: iscsi_tcp: datalen 9 > 8\n SUBSYSTEM=x\n",
		  KERNEL_LOG_CAUSE, 12345, EVENT_DATA_SEGMENT_TOO_LONG, KERNEL_ERROR_DATA_LENGTH,
		  -1, "iscsi_tcp: datalen 9 > 8" },
		{ "3,1,1,-; connection1:0: received itt 77 expected session age (0)",
		  KERNEL_LOG_CAUSE, 1, EVENT_TASK_TAG_UNMATCHED, KERNEL_ERROR_BAD_ITT, -1,
		  "received itt 77 expected session age (0)" },
		{ "3,1,1,-; connection1:0: received invalid itt index 9 (max cmds 8.\n",
		  KERNEL_LOG_CAUSE, 1, EVENT_TASK_TAG_UNMATCHED, KERNEL_ERROR_BAD_ITT, -1,
		  "received invalid itt index 9 (max cmds 8." },
		{ "3,1,1,-; connection1:0: ping timeout of 5 secs expired, recv\n",
		  KERNEL_LOG_CAUSE, 1, EVENT_NOP_TIMEOUT, KERNEL_ERROR_NOOP_TIMEOUT, -1,
		  "ping timeout of 5 secs expired, recv" },
		{ "3,1,1,-; connection1:0: pdu (op 0x1 itt 0x2) rejected. Reason code 0xc\n",
		  KERNEL_LOG_FAULT, 1, EVENT_PDU_REJECTED, 0, 0xc,
		  "pdu (op 0x1 itt 0x2) rejected. Reason code 0xc" },
		{ "3,1,1,-; connection1:0: pdu (op 0x5 itt 0x2) rejected due to DataDigest "
		  "error.\n",
		  KERNEL_LOG_FAULT, 1, EVENT_PDU_REJECTED, 0, 2,
		  "pdu (op 0x5 itt 0x2) rejected due to DataDigest error." },
		{ "3,1,1,-; connection1:0: pdu (op 0x0 itt 0x2) rejected. Too many immediate "
		  "commands.\n",
		  KERNEL_LOG_FAULT, 1, EVENT_PDU_REJECTED, 0, 6,
		  "pdu (op 0x0 itt 0x2) rejected. Too many immediate commands." },
		{ "3,1,1,-; connection1:0: Got CHECK_CONDITION but invalid data buffer size of 1\n",
		  KERNEL_LOG_FAULT, 1, EVENT_DATA_IN_SCSI_RESPONSE, 0, -1,
		  "Got CHECK_CONDITION but invalid data buffer size of 1" },
		{ "3,1,1,-; connection1:0: received itt \\x1b\x01\\\n", KERNEL_LOG_CAUSE, 1,
		  EVENT_TASK_TAG_UNMATCHED, KERNEL_ERROR_BAD_ITT, -1,
		  "received itt \\x5cx1b\\x01\\x5c" },
		{ "3,1,1,-;sd 5:0:0:1: [sda] tag#3 timing out command, waited 180s\n",
		  KERNEL_LOG_DISK, 5, 0, 0, -1, "" },
		{ "3,1,1,-;sd 5:2:3:1: [sda] tag#3 timing out command, waited 180s\n",
		  KERNEL_LOG_DISK, 5, 0, 0, -1, "", 2, 3 },
		{ "6,1,1,-;sd 12:0:0:1: Device offlined - not ready after error recovery\n",
		  KERNEL_LOG_DISK, 12, 0, 0, -1, "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kernel_log_line line;

		assert_int_equal(kernel_log_parse(rows[i].record, strlen(rows[i].record), &line),
				 0);
		assert_int_equal(line.kind, rows[i].kind);
		assert_int_equal(rows[i].kind == KERNEL_LOG_DISK ? line.host : line.sid,
				 rows[i].number);
		assert_int_equal(line.event, rows[i].event);
		assert_int_equal(line.code, rows[i].code);
		assert_int_equal(line.status, rows[i].status);
		assert_string_equal(line.text, rows[i].text);
		assert_int_equal(line.channel, rows[i].channel);
		assert_int_equal(line.target, rows[i].target);
	}
}

static void leaves_the_rest(void **state)
{
	static const char *const records[] = {
		"",
		"3",
		"3,1,1,- connection1:0: received itt 1\n",
		/* Written by a program. */
		"11,1,1,-; connection1:0: received itt 1 expected session age (0)\n",
		"12,1,1,-;sd 5:0:0:1: [sda] tag#3 timing out command, waited 180s\n",
		"8,1,1,-; connection1:0: received itt 1\n",
		/* Not about a connection, or not of one. */
		"3,1,1,-; session1: received itt 1\n",
		"3,1,1,-;connection1:0: received itt 1\n",
		"3,1,1,-; connection1: received itt 1\n",
		"3,1,1,-; connectionx:0: received itt 1\n",
		"3,1,1,-;x connection1:0: received itt 1\n",
		"3,1,1,-;x\n connection1:0: received itt 1\n",
		/* What says nothing new. */
		"6,1,1,-; connection1:0: detected conn error (1020)\n",
		"3,1,1,-; connection1:0: says received itt 1\n",
		"6,1,1,-; connection1:0: pdu (op 0x1 itt 0x2) accepted\n",
		"5,1,1,-;sd 5:0:0:1: [sda] Attached SCSI disk\n",
		"5,1,1,-;sr 5:0:0:1: timing out command\n",
	};

	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		struct kernel_log_line line = { .sid = 4711 };

		assert_int_equal(kernel_log_parse(records[i], strlen(records[i]), &line), -ENOENT);
		assert_int_equal(line.sid, 4711);
	}
}

static void bounds_the_text(void **state)
{
	char record[4096] = "3,1,1,-; connection1:0: received itt ";
	size_t length = strlen(record);
	struct kernel_log_line line;

	memset(record + length, 'x', sizeof(record) - length);
	assert_int_equal(kernel_log_parse(record, sizeof(record), &line), 0);
	assert_int_equal(strlen(line.text), KERNEL_LOG_TEXT_MAX - 1);
	memset(record + length, 0x80, sizeof(record) - length);
	assert_int_equal(kernel_log_parse(record, sizeof(record), &line), 0);
	assert_true(strlen(line.text) < KERNEL_LOG_TEXT_MAX);
}

static void knows_whose_cause_is_told(void **state)
{
	assert_true(kernel_log_tells_cause(KERNEL_ERROR_PROTOCOL));
	assert_true(kernel_log_tells_cause(KERNEL_ERROR_NOOP_TIMEOUT));
	assert_false(kernel_log_tells_cause(KERNEL_ERROR_CLOSED));
	assert_false(kernel_log_tells_cause(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_is_told),
		cmocka_unit_test(leaves_the_rest),
		cmocka_unit_test(bounds_the_text),
		cmocka_unit_test(knows_whose_cause_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
