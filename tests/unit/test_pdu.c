// layers: ois-iscsi ois-events ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * BHS codec: captured headers, round trips both ways for every opcode, no field on top of another.
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

#include "cleanup.h"
#include "parse.h"
#include "pdu.h"

static const enum pdu_opcode opcodes[] = {
	PDU_OPCODE_NOP_OUT,
	PDU_OPCODE_SCSI_COMMAND,
	PDU_OPCODE_TASK_MANAGEMENT_REQUEST,
	PDU_OPCODE_LOGIN_REQUEST,
	PDU_OPCODE_TEXT_REQUEST,
	PDU_OPCODE_DATA_OUT,
	PDU_OPCODE_LOGOUT_REQUEST,
	PDU_OPCODE_SNACK_REQUEST,
	PDU_OPCODE_NOP_IN,
	PDU_OPCODE_SCSI_RESPONSE,
	PDU_OPCODE_TASK_MANAGEMENT_RESPONSE,
	PDU_OPCODE_LOGIN_RESPONSE,
	PDU_OPCODE_TEXT_RESPONSE,
	PDU_OPCODE_DATA_IN,
	PDU_OPCODE_LOGOUT_RESPONSE,
	PDU_OPCODE_R2T,
	PDU_OPCODE_ASYNC_MESSAGE,
	PDU_OPCODE_REJECT,
};

static void from_hex(const char *text, uint8_t header[PDU_HEADER_LENGTH])
{
	size_t length;

	assert_int_equal(hex_decode(text, strlen(text), header, PDU_HEADER_LENGTH, &length), 0);
	assert_int_equal(length, PDU_HEADER_LENGTH);
}

/* Written down by hand from the figures of RFC 7143. */
static void test_login_request(void **state)
{
	uint8_t header[PDU_HEADER_LENGTH], encoded[PDU_HEADER_LENGTH];
	struct pdu pdu;

	from_hex("43870000"
		 "00000123"
		 "80123456"
		 "789a0005"
		 "a1b2c3d4"
		 "00070000"
		 "00000010"
		 "00000020"
		 "00000000"
		 "00000000"
		 "00000000"
		 "00000000",
		 header);
	assert_int_equal(pdu_decode(header, &pdu), 0);
	assert_int_equal(pdu.opcode, PDU_OPCODE_LOGIN_REQUEST);
	assert_true(pdu.immediate);
	assert_int_equal(pdu.data_length, 0x123);
	assert_int_equal(pdu.itt, 0xa1b2c3d4);
	assert_true(pdu.login_request.transit);
	assert_false(pdu.login_request.more);
	assert_int_equal(pdu.login_request.csg, PDU_STAGE_OPERATIONAL);
	assert_int_equal(pdu.login_request.nsg, PDU_STAGE_FULL_FEATURE);
	assert_memory_equal(pdu.login_request.isid, "\x80\x12\x34\x56\x78\x9a", 6);
	assert_int_equal(pdu.login_request.tsih, 5);
	assert_int_equal(pdu.login_request.cid, 7);
	assert_int_equal(pdu.login_request.cmd_sn, 0x10);
	assert_int_equal(pdu.login_request.exp_stat_sn, 0x20);
	pdu_encode(&pdu, encoded);
	assert_memory_equal(encoded, header, sizeof(header));
}

static void test_login_response(void **state)
{
	uint8_t header[PDU_HEADER_LENGTH], encoded[PDU_HEADER_LENGTH];
	struct pdu pdu;

	from_hex("23400102"
		 "00000000"
		 "80123456"
		 "789a0102"
		 "00000001"
		 "00000000"
		 "00000003"
		 "00000004"
		 "00000005"
		 "02010000"
		 "00000000"
		 "00000000",
		 header);
	assert_int_equal(pdu_decode(header, &pdu), 0);
	assert_int_equal(pdu.opcode, PDU_OPCODE_LOGIN_RESPONSE);
	assert_false(pdu.login_response.transit);
	assert_true(pdu.login_response.more);
	assert_int_equal(pdu.login_response.version_max, 1);
	assert_int_equal(pdu.login_response.version_active, 2);
	assert_int_equal(pdu.login_response.tsih, 0x102);
	assert_int_equal(pdu.login_response.numbers.stat_sn, 3);
	assert_int_equal(pdu.login_response.numbers.exp_cmd_sn, 4);
	assert_int_equal(pdu.login_response.numbers.max_cmd_sn, 5);
	assert_int_equal(pdu.login_response.status_class, 2);
	assert_int_equal(pdu.login_response.status_detail, 1);
	pdu_encode(&pdu, encoded);
	assert_memory_equal(encoded, header, sizeof(header));
}

static void test_known_bytes(void **state)
{
	static const struct {
		struct pdu pdu;
		const char *hex;
	} rows[] = {
		{ { .opcode = PDU_OPCODE_TEXT_REQUEST,
		    .immediate = true,
		    .data_length = 16,
		    .itt = 2,
		    .text_request = { .final = true,
				      .ttt = PDU_TAG_RESERVED,
				      .cmd_sn = 1,
				      .exp_stat_sn = 9 } },
		  "44800000000000100000000000000000"
		  "00000002ffffffff0000000100000009"
		  "00000000000000000000000000000000" },
		{ { .opcode = PDU_OPCODE_LOGOUT_REQUEST,
		    .immediate = true,
		    .itt = 3,
		    .logout_request = { .reason = PDU_LOGOUT_CLOSE_CONNECTION,
					.cid = 0x102,
					.cmd_sn = 4,
					.exp_stat_sn = 5 } },
		  "46810000000000000000000000000000"
		  "00000003010200000000000400000005"
		  "00000000000000000000000000000000" },
		{ { .opcode = PDU_OPCODE_LOGOUT_RESPONSE,
		    .itt = 3,
		    .logout_response = { .response = 1,
					 .numbers = { 1, 2, 3 },
					 .time2wait = 0x203,
					 .time2retain = 0x405 } },
		  "26800100000000000000000000000000"
		  "00000003000000000000000100000002"
		  "00000003000000000203040500000000" },
		{ { .opcode = PDU_OPCODE_NOP_OUT,
		    .immediate = true,
		    .itt = PDU_TAG_RESERVED,
		    .nop_out = { .lun = 0x0001000000000000,
				 .ttt = 6,
				 .cmd_sn = 7,
				 .exp_stat_sn = 8 } },
		  "40800000000000000001000000000000"
		  "ffffffff000000060000000700000008"
		  "00000000000000000000000000000000" },
		{ { .opcode = PDU_OPCODE_ASYNC_MESSAGE,
		    .itt = PDU_TAG_RESERVED,
		    .async = { .numbers = { 1, 2, 3 },
			       .event = PDU_ASYNC_LOGOUT_REQUEST,
			       .vendor_code = 9,
			       .parameter = { 1, 2, 3 } } },
		  "32800000000000000000000000000000"
		  "ffffffff000000000000000100000002"
		  "00000003010900010002000300000000" },
		{ { .opcode = PDU_OPCODE_SCSI_COMMAND,
		    .ahs_length = 8,
		    .itt = 1,
		    .scsi_command = { .final = true,
				      .read = true,
				      .task_attributes = 1,
				      .lun = 5,
				      .expected_data_length = 512,
				      .cmd_sn = 6,
				      .exp_stat_sn = 7,
				      .cdb = { 0x28 } } },
		  "01c10000020000000000000000000005"
		  "00000001000002000000000600000007"
		  "28000000000000000000000000000000" },
		{ { .opcode = PDU_OPCODE_DATA_IN,
		    .data_length = 0xffffff,
		    .itt = 1,
		    .data_in = { .final = true,
				 .has_status = true,
				 .underflow = true,
				 .status = 2,
				 .ttt = 3,
				 .numbers = { 4, 5, 6 },
				 .data_sn = 7,
				 .buffer_offset = 8,
				 .residual_count = 9 } },
		  "2583000200ffffff0000000000000000"
		  "00000001000000030000000400000005"
		  "00000006000000070000000800000009" },
		{ { .opcode = PDU_OPCODE_REJECT,
		    .itt = PDU_TAG_RESERVED,
		    .reject = { .reason = 4, .numbers = { 1, 2, 3 }, .data_sn = 5 } },
		  "3f800400000000000000000000000000"
		  "ffffffff000000000000000100000002"
		  "00000003000000050000000000000000" },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		uint8_t expected[PDU_HEADER_LENGTH], encoded[PDU_HEADER_LENGTH];

		from_hex(rows[i].hex, expected);
		pdu_encode(&rows[i].pdu, encoded);
		assert_memory_equal(encoded, expected, sizeof(expected));
	}
}

/*
 * What is not reserved survives: decode, encode, decode gives the same struct, and encoding is then
 * stable.
 */
static void test_round_trip(void **state)
{
	unsigned seed = 1;

	for (size_t i = 0; i < ELEMENTSOF(opcodes); i++) {
		for (unsigned round = 0; round < 500; round++) {
			uint8_t header[PDU_HEADER_LENGTH], first[PDU_HEADER_LENGTH];
			uint8_t second[PDU_HEADER_LENGTH];
			struct pdu a, b;

			for (size_t k = 0; k < sizeof(header); k++)
				header[k] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
			header[0] = (uint8_t)((header[0] & 0xc0) | opcodes[i]);
			memset(&a, 0, sizeof(a));
			memset(&b, 0, sizeof(b));
			assert_int_equal(pdu_decode(header, &a), 0);
			pdu_encode(&a, first);
			assert_int_equal(pdu_decode(first, &b), 0);
			pdu_encode(&b, second);
			assert_memory_equal(first, second, sizeof(first));
			assert_int_equal(pdu_header_opcode(first), opcodes[i]);
			assert_int_equal(pdu_header_data_length(first),
					 pdu_header_data_length(header));
			assert_int_equal(pdu_header_ahs_length(first), header[4] * 4);
			assert_int_equal(a.itt, b.itt);
			/*
			 * Nothing is invented: what was set by encoding was set before, but for the
			 * F bit.
			 */
			for (size_t k = 2; k < sizeof(header); k++)
				assert_int_equal(first[k] & ~header[k], 0);
		}
	}
}

/*
 * Every single bit of a header either changes the struct or is reserved, and then is written as a
 * constant.
 */
static void test_bits(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(opcodes); i++) {
		uint8_t zero[PDU_HEADER_LENGTH] = { 0 }, base[PDU_HEADER_LENGTH];
		struct pdu pdu;

		zero[0] = (uint8_t)opcodes[i];
		assert_int_equal(pdu_decode(zero, &pdu), 0);
		pdu_encode(&pdu, base);
		for (size_t bit = 8; bit < 8 * PDU_HEADER_LENGTH; bit++) {
			uint8_t header[PDU_HEADER_LENGTH], encoded[PDU_HEADER_LENGTH];

			memcpy(header, zero, sizeof(header));
			header[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
			assert_int_equal(pdu_decode(header, &pdu), 0);
			pdu_encode(&pdu, encoded);
			for (size_t k = 0; k < sizeof(header); k++) {
				uint8_t changed = encoded[k] ^ base[k];

				assert_int_equal(changed & ~header[k], 0);
			}
		}
	}
}

static void test_unknown(void **state)
{
	for (unsigned opcode = 0; opcode < 256; opcode++) {
		uint8_t header[PDU_HEADER_LENGTH] = { (uint8_t)opcode };
		struct pdu pdu = { .itt = 4711 };
		bool known = false;

		for (size_t i = 0; i < ELEMENTSOF(opcodes); i++)
			known = known || opcodes[i] == (opcode & 0x3f);
		assert_int_equal(pdu_decode(header, &pdu), known ? 0 : -EOPNOTSUPP);
		if (!known)
			assert_int_equal(pdu.itt, 4711);
		assert_int_equal(pdu_opcode_to_string(opcode & 0x3f) != NULL, known);
	}
	assert_null(pdu_opcode_to_string(_PDU_OPCODE_MAX));
	assert_string_equal(pdu_opcode_to_string(PDU_OPCODE_LOGIN_RESPONSE), "Login Response");
}

static void test_immediate(void **state)
{
	struct pdu pdu = { .opcode = PDU_OPCODE_LOGIN_RESPONSE, .immediate = true };
	uint8_t header[PDU_HEADER_LENGTH];

	/* A target has no immediate PDUs; the bit is reserved there. */
	pdu_encode(&pdu, header);
	assert_int_equal(header[0], 0x23);
	header[0] |= 0x40;
	assert_int_equal(pdu_decode(header, &pdu), 0);
	assert_false(pdu.immediate);
}

static void test_padding(void **state)
{
	static const size_t padding[] = { 0, 3, 2, 1, 0, 3 };

	for (size_t i = 0; i < ELEMENTSOF(padding); i++)
		assert_int_equal(pdu_padding(i), padding[i]);
	assert_int_equal(pdu_padding(PDU_DATA_SEGMENT_MAX), 1);
}

static void test_reject_reasons(void **state)
{
	for (unsigned reason = 0; reason < 256; reason++)
		assert_int_equal(pdu_reject_reason_to_string(reason) != NULL,
				 reason >= 2 && reason <= 0x0c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_login_request),  cmocka_unit_test(test_login_response),
		cmocka_unit_test(test_known_bytes),    cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_bits),           cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_immediate),      cmocka_unit_test(test_padding),
		cmocka_unit_test(test_reject_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
