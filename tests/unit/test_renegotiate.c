// layers: ois-iscsi ois-events ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Negotiation in Full Feature Phase against a target played here: what takes effect, in how many
 * pieces it may come, and each way it can go wrong, after which nothing has changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "renegotiate.h"

#define TTT     0x55
#define LUN     77
#define STAT_SN 500

static struct renegotiation *machine;
static struct renegotiation_outcome outcome;
static const char *reason;
static struct pdu request;
static char request_text[RENEGOTIATION_DATA_MAX];
static size_t request_length;
static uint32_t stat_sn;

static bool requested(void)
{
	struct renegotiation_request next;

	if (!renegotiation_next(machine, &next))
		return false;
	assert_int_equal(pdu_decode(next.header, &request), 0);
	assert_int_equal(request.opcode, PDU_OPCODE_TEXT_REQUEST);
	assert_true(request.immediate && request.text_request.final && !request.text_request.more);
	assert_int_equal(request.data_length, next.length);
	assert_true(next.length <= sizeof(request_text));
	if (next.length > 0)
		memcpy(request_text, next.data, next.length);
	request_length = next.length;
	assert_false(renegotiation_next(machine, &next));
	return true;
}

static void begin(bool strict)
{
	struct renegotiation_config config = { .exp_stat_sn = STAT_SN, .strict = strict };

	machine = renegotiation_free(machine);
	iscsi_parameters_init(&config.parameters);
	config.parameters.max_recv_data_segment_length = 262144;
	config.parameters.max_xmit_data_segment_length = 65536;
	config.parameters.first_burst_length = 4096;
	config.parameters.initial_r2t = false;
	memset(&outcome, 0xff, sizeof(outcome));
	stat_sn = STAT_SN;
	assert_int_equal(renegotiation_new(&config, &machine), 0);
	assert_true(requested());
	assert_int_equal(request.text_request.ttt, PDU_TAG_RESERVED);
	assert_int_equal(request.text_request.exp_stat_sn, STAT_SN);
	assert_int_equal(request_length, sizeof("MaxRecvDataSegmentLength=262144"));
	assert_string_equal(request_text, "MaxRecvDataSegmentLength=262144");
}

static int receive(struct pdu *pdu, const void *text, size_t length)
{
	uint8_t header[PDU_HEADER_LENGTH];

	pdu_encode(pdu, header);
	return renegotiation_receive(machine, header, text, length, &outcome, &reason);
}

static struct pdu response(size_t length, bool final, bool more)
{
	return (struct pdu){
		.opcode = PDU_OPCODE_TEXT_RESPONSE,
		.data_length = (uint32_t)length,
		.text_response = {
			.final = final,
			.more = more,
			.lun = LUN,
			.ttt = final ? PDU_TAG_RESERVED : TTT,
			.numbers = { stat_sn++, 1, 1 },
		},
	};
}

static int answer(const char *text, size_t length, bool final, bool more)
{
	struct pdu pdu = response(length, final, more);

	return receive(&pdu, text, length);
}

#define ANSWER(text, final) answer(text, sizeof(text), final, false)

/* What is sent next goes on with the exchange, and has this text. */
static void check_next(const char *text, size_t length)
{
	assert_true(requested());
	assert_int_equal(request.text_request.ttt, TTT);
	assert_int_equal(request.text_request.lun, LUN);
	assert_int_equal(request.text_request.exp_stat_sn, stat_sn);
	assert_int_equal(request_length, length);
	assert_memory_equal(request_text, text, length);
}

static void check_xmit(uint32_t length)
{
	assert_int_equal(outcome.parameters.max_xmit_data_segment_length, length);
	assert_int_equal(outcome.parameters.max_recv_data_segment_length, 262144);
	assert_int_equal(outcome.parameters.first_burst_length, 4096);
	assert_false(outcome.parameters.initial_r2t);
	assert_false(renegotiation_next(machine, &(struct renegotiation_request){ 0 }));
}

static void test_accepts(void **state)
{
	begin(true);
	assert_int_equal(answer(NULL, 0, true, false), 1);
	check_xmit(65536);

	begin(true);
	assert_int_equal(ANSWER("MaxRecvDataSegmentLength=8192", true), 1);
	check_xmit(8192);
	assert_string_equal(outcome.target_alias, "");

	begin(true);
	assert_int_equal(ANSWER("TargetAlias=\xc3\xa4", true), 1);
	check_xmit(65536);
	assert_string_equal(outcome.target_alias, "\xc3\xa4");

	/* The target may be of another opinion about what is declared than about its own. */
	begin(false);
	assert_int_equal(ANSWER("MaxRecvDataSegmentLength=Reject", true), 1);
	check_xmit(65536);
}

static void test_goes_on(void **state)
{
	static const char unknown[] = "X-org.example.colour=NotUnderstood",
			  inquiry[] = "MaxRecvDataSegmentLength=262144";

	begin(true);
	assert_int_equal(ANSWER("X-org.example.colour=blue", false), 0);
	check_next(unknown, sizeof(unknown));
	assert_int_equal(ANSWER("MaxRecvDataSegmentLength=512", false), 0);
	check_next("", 0);
	assert_int_equal(ANSWER("TargetAlias=disk", true), 1);
	check_xmit(512);
	assert_string_equal(outcome.target_alias, "disk");

	begin(true);
	assert_int_equal(ANSWER("MaxRecvDataSegmentLength=?", false), 0);
	check_next(inquiry, sizeof(inquiry));
	assert_int_equal(answer(NULL, 0, true, false), 1);
	check_xmit(65536);
}

/* RFC 7143, 6.1: a pair cut in two by the C bit. */
static void test_pieces(void **state)
{
	static const char text[] = "MaxRecvDataSegmentLength=1024";

	for (size_t cut = 0; cut <= sizeof(text); cut++) {
		begin(true);
		assert_int_equal(answer(text, cut, false, true), 0);
		check_next("", 0);
		assert_int_equal(answer(text + cut, sizeof(text) - cut, true, false), 1);
		check_xmit(1024);
	}
}

static void test_leniencies(void **state)
{
	static const char text[] = "MaxRecvDataSegmentLength=1024";

	begin(false);
	assert_int_equal(answer(text, sizeof(text) - 1, true, false), 1);
	check_xmit(1024);
	assert_int_not_equal(outcome.leniencies.used, 0);
	begin(true);
	assert_int_equal(answer(text, sizeof(text) - 1, true, false), -EPROTO);

	begin(false);
	assert_int_equal(ANSWER("MaxRecvDataSegmentLength=NotUnderstood", true), 1);
	check_xmit(65536);
	assert_int_not_equal(outcome.leniencies.used, 0);
	begin(true);
	assert_int_equal(ANSWER("MaxRecvDataSegmentLength=NotUnderstood", true), -EPROTO);

	begin(false);
	assert_int_equal(ANSWER("X-org.example.colour=blue", true), 1);
	assert_int_equal(outcome.leniencies.used, 1U << LENIENCY_UNKNOWN_KEY_LAST);
	begin(true);
	assert_int_equal(ANSWER("X-org.example.colour=blue", true), -EPROTO);
	assert_string_equal(reason, leniency_row(LENIENCY_UNKNOWN_KEY_LAST)->deviation);
}

static void test_faults(void **state)
{
#define TEXT(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text)                                                                 \
	}
	static const struct {
		const char *text;
		size_t length;
	} rows[] = {
		/* Keys of the Login Phase, and of the initiator */
		TEXT("MaxBurstLength=65536"),
		TEXT("HeaderDigest=None"),
		TEXT("InitialR2T=Yes"),
		TEXT("MaxConnections=4"),
		TEXT("AuthMethod=None"),
		TEXT("CHAP_A=5"),
		TEXT("TargetPortalGroupTag=1"),
		TEXT("SendTargets=All"),
		TEXT("InitiatorAlias=somebody"),
		/* Values */
		TEXT("MaxRecvDataSegmentLength=511"),
		TEXT("MaxRecvDataSegmentLength=16777216"),
		TEXT("MaxRecvDataSegmentLength=much"),
		TEXT("MaxRecvDataSegmentLength="),
		TEXT("MaxRecvDataSegmentLength=1024\0MaxRecvDataSegmentLength=2048"),
		TEXT("TargetAlias=\xff"),
		TEXT("TargetAlias=Reject"),
		TEXT("X-org.example.colour=Reject"),
		/* What is no pair */
		TEXT("MaxRecvDataSegmentLength"),
		TEXT("=8192"),
		/* Asked in the last response */
		TEXT("MaxRecvDataSegmentLength=?"),
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(false);
		if (answer(rows[i].text, rows[i].length, true, false) != -EPROTO || !reason)
			fail_msg("taken: %s", rows[i].text);
		assert_false(renegotiation_next(machine, &(struct renegotiation_request){ 0 }));
		assert_int_equal(answer(NULL, 0, true, false), -EPROTO);
	}
}

/* What is wrong in a later response undoes what an earlier one said. */
static void test_undone(void **state)
{
	begin(true);
	assert_int_equal(ANSWER("MaxRecvDataSegmentLength=512", false), 0);
	check_next("", 0);
	assert_int_equal(ANSWER("MaxBurstLength=65536", true), -EPROTO);
	assert_string_equal(reason, "the key has no place in this stage");
}

static void test_headers(void **state)
{
	struct pdu pdu;
	unsigned n = 0;

	begin(true);
	pdu = response(0, false, false);
	pdu.text_response.ttt = PDU_TAG_RESERVED;
	assert_int_equal(receive(&pdu, NULL, 0), -EPROTO);
	begin(true);
	assert_int_equal(answer(NULL, 0, true, true), -EPROTO);
	begin(true);
	pdu = response(5, true, false);
	assert_int_equal(receive(&pdu, "a=b", 4), -EPROTO);
	begin(true);
	pdu = response(0, true, false);
	pdu.opcode = PDU_OPCODE_LOGIN_RESPONSE;
	assert_int_equal(receive(&pdu, NULL, 0), -EPROTO);

	begin(true);
	while (answer(NULL, 0, false, false) == 0) {
		check_next("", 0);
		n++;
	}
	assert_int_equal(n, RENEGOTIATION_EXCHANGES_MAX - 1);
	assert_string_equal(reason, "the negotiation does not end");
}

/* Neither what is collected nor what is answered grows without bounds. */
static void test_bounds(void **state)
{
	static char text[16384];
	size_t length = 0;
	int r = 0;

	begin(true);
	memset(text, 'x', sizeof(text));
	while (r == 0) {
		r = answer(text, sizeof(text), false, true);
		if (r == 0)
			check_next("", 0);
	}
	assert_int_equal(r, -EPROTO);
	assert_string_equal(reason, "too much text");

	begin(true);
	for (unsigned i = 0; i <= LOGIN_KEYS_MAX; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "X-%u=1", i) + 1;
	assert_int_equal(answer(text, length, false, false), -EPROTO);
	assert_string_equal(reason, "too many keys");

	begin(true);
	length = 0;
	for (unsigned i = 0; i < LOGIN_KEYS_MAX; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "X-%061u=", i) + 1;
	assert_int_equal(answer(text, length, false, false), -EPROTO);
	assert_string_equal(reason, "too much text");
}

static int tear_down(void **state)
{
	machine = renegotiation_free(machine);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_accepts), TEST(test_goes_on), TEST(test_pieces),  TEST(test_leniencies),
		TEST(test_faults),  TEST(test_undone),  TEST(test_headers), TEST(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
