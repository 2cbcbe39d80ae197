// layers: ois-iscsi ois-events ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The Login Phase against a target played here with the same codec: whole dialogues, any split of
 * the text, one fault at a time, and each event the machine raises.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/evp.h>

#include "fake_target.h"

/* Whole dialogues */

static void test_plain(void **state)
{
	begin();
	assert_int_equal(request.login_request.csg, PDU_STAGE_OPERATIONAL);
	assert_int_equal(request.login_request.nsg, PDU_STAGE_FULL_FEATURE);
	assert_true(request.login_request.transit);
	assert_int_equal(request.login_request.cid, 9);
	assert_int_equal(request.login_request.cmd_sn, 0xffffffff);
	assert_int_equal(request.itt, 0x11223344);
	assert_int_equal(login_stage(login), LOGIN_STAGE_OPERATIONAL);
	target_serve();
	assert_int_equal(last.type, LOGIN_STEP_DONE);
	assert_int_equal(login_stage(login), LOGIN_STAGE_FULL_FEATURE);
	assert_int_equal(n_events, 0);
}

static void test_result(void **state)
{
	begin();
	reply("TargetPortalGroupTag=3|TargetAlias=dis\tk|MaxRecvDataSegmentLength=32768|"
	      "HeaderDigest=None|InitialR2T=Yes|MaxBurstLength=524288|DefaultTime2Wait=5",
	      true, NULL);
	assert_int_equal(last.type, LOGIN_STEP_FAILED); /* a tab is no clean text */
	begin();
	target.stat_sn = 41;
	reply("TargetPortalGroupTag=3|TargetAlias=disk|MaxRecvDataSegmentLength=32768|"
	      "HeaderDigest=None|InitialR2T=Yes|MaxBurstLength=524288|DefaultTime2Wait=5",
	      true, NULL);
	assert_int_equal(last.type, LOGIN_STEP_DONE);
	assert_int_equal(last.result->tsih, TSIH);
	assert_int_equal(last.result->stat_sn, 41);
	assert_int_equal(last.result->exp_cmd_sn, 0xffffffff);
	assert_int_equal(last.result->max_cmd_sn, 7);
	assert_int_equal(last.result->portal_group_tag, 3);
	assert_string_equal(last.result->target_alias, "disk");
	assert_false(last.result->authenticated);
	assert_int_equal(last.result->parameters.max_xmit_data_segment_length, 32768);
	assert_int_equal(last.result->parameters.max_recv_data_segment_length, 262144);
	assert_int_equal(last.result->parameters.max_burst_length, 524288);
	assert_int_equal(last.result->parameters.first_burst_length, 262144);
	assert_true(last.result->parameters.initial_r2t);
	assert_int_equal(last.result->parameters.default_time2wait, 5);
	assert_int_equal(n_events, 0);
}

static void test_discovery(void **state)
{
	char value[64];

	config.target_name = NULL;
	begin();
	assert_true(request_has(&request_text, "SessionType", value, sizeof(value)));
	assert_string_equal(value, "Discovery");
	assert_false(request_has(&request_text, "TargetName", value, sizeof(value)));
	assert_false(request_has(&request_text, "MaxBurstLength", value, sizeof(value)));
	reply("MaxRecvDataSegmentLength=32768", true, NULL);
	assert_int_equal(last.type, LOGIN_STEP_DONE);
	assert_int_equal(n_events, 0);
}

static void test_identity(void **state)
{
	char value[256];

	begin();
	assert_true(request_has(&request_text, "InitiatorName", value, sizeof(value)));
	assert_string_equal(value, INITIATOR);
	assert_true(request_has(&request_text, "InitiatorAlias", value, sizeof(value)));
	assert_string_equal(value, "host");
	assert_true(request_has(&request_text, "TargetName", value, sizeof(value)));
	assert_string_equal(value, TARGET);
	assert_true(request_has(&request_text, "SessionType", value, sizeof(value)));
	assert_string_equal(value, "Normal");
	assert_false(request_has(&request_text, "AuthMethod", value, sizeof(value)));
}

static void test_chap(void **state)
{
	for (enum chap_algorithm a = 0; a < _CHAP_ALGORITHM_MAX; a++) {
		for (unsigned variant = 0; variant < 4; variant++) {
			bool mutual = variant & 1;

			teardown(state);
			setup(state);
			chap_config(mutual);
			config.offer.first_burst_length = 65536;
			target.algorithm = a;
			target.base64 = variant & 2;
			begin();
			assert_int_equal(request.login_request.csg, PDU_STAGE_SECURITY);
			assert_false(request.login_request.transit);
			assert_int_equal(login_stage(login), LOGIN_STAGE_SECURITY);
			target_serve();
			assert_int_equal(last.type, LOGIN_STEP_DONE);
			assert_true(target.proved);
			assert_true(last.result->authenticated);
			assert_int_equal(last.result->mutual, mutual);
			assert_int_equal(last.result->chap_algorithm, a);
			assert_int_equal(last.result->portal_group_tag, 1);
			assert_string_equal(last.result->target_alias, "the disk");
			assert_int_equal(n_events, 0);
		}
	}
}

/* However the target cuts its answers into PDUs, the outcome is the same. */
static void test_any_split(void **state)
{
	/* The exchange limit bounds how small the pieces can be. */
	for (size_t chunk = 40; chunk < 400; chunk += 3) {
		teardown(state);
		setup(state);
		chap_config(true);
		config.offer.first_burst_length = 65536;
		target.chunk = chunk;
		begin();
		target_serve();
		assert_int_equal(last.type, LOGIN_STEP_DONE);
		assert_true(last.result->mutual);
		assert_int_equal(last.result->parameters.max_xmit_data_segment_length, 65536);
		assert_int_equal(n_events, 0);
	}
}

/* A long request goes out in pieces, with the C bit in all but the last. */
static void test_long_request(void **state)
{
	_cleanup_(buffer_done) struct buffer keys = { 0 };
	unsigned pieces = 0;
	char value[64];

	begin();
	for (unsigned i = 0; i < LOGIN_KEYS_MAX; i++)
		assert_int_equal(
			buffer_printf(&keys,
				      "X-com.example.this-is-a-rather-long-name-of-a-key.%03u=1%c",
				      i, 0),
			0);
	reply_bytes(keys.data, keys.length, false, NULL);
	assert_int_equal(last.type, LOGIN_STEP_WAIT);
	while (request.login_request.more) {
		assert_false(request.login_request.transit);
		assert_int_equal(request.data_length, LOGIN_DATA_SEGMENT_MAX);
		assert_int_equal(
			text_collect(&target.in, request_text.data, request_text.length, true), 0);
		pieces++;
		reply("", false, NULL);
		assert_int_equal(last.type, LOGIN_STEP_WAIT);
	}
	assert_int_equal(pieces, 1);
	assert_true(request.login_request.transit);
	assert_int_equal(text_collect(&target.in, request_text.data, request_text.length, false),
			 1);
	assert_true(request_has(&target.in.text,
				"X-com.example.this-is-a-rather-long-name-of-a-key.127", value,
				sizeof(value)));
	assert_string_equal(value, "NotUnderstood");
	reply("", true, NULL);
	assert_int_equal(last.type, LOGIN_STEP_DONE);
}

/* A target that needs several turns, and asks questions of its own. */
static void test_questions(void **state)
{
	char value[64];

	begin();
	reply("TaskReporting=ResponseFence,RFC3720|X-com.example.q=1", false, NULL);
	assert_true(request_has(&request_text, "TaskReporting", value, sizeof(value)));
	assert_string_equal(value, "RFC3720");
	assert_true(request_has(&request_text, "X-com.example.q", value, sizeof(value)));
	assert_string_equal(value, "NotUnderstood");
	assert_true(request.login_request.transit);
	reply("FirstBurstLength=65536", false, NULL);
	assert_int_equal(request_text.length, 0);
	/* Unknown and irrelevant keys in the last response need no answer. */
	reply("X-com.example.late=1|TargetRecvDataSegmentLength=8192", true, NULL);
	assert_int_equal(last.type, LOGIN_STEP_DONE);
	assert_int_equal(last.result->parameters.first_burst_length, 65536);
}

/* StatSN and ExpStatSN go on in step, across the wrap. */
static void test_sequence(void **state)
{
	target.stat_sn = 0xffffffff;
	begin();
	assert_int_equal(request.login_request.exp_stat_sn, 0);
	reply("", false, NULL);
	assert_int_equal(request.login_request.exp_stat_sn, 0);
	reply("", false, NULL);
	assert_int_equal(request.login_request.exp_stat_sn, 1);
	reply("", true, NULL);
	assert_int_equal(last.result->stat_sn, 1);
}

static void test_reinstatement_of_connection(void **state)
{
	char value[64];

	config.tsih = TSIH;
	begin();
	assert_int_equal(request.login_request.tsih, TSIH);
	assert_false(request_has(&request_text, "MaxBurstLength", value, sizeof(value)));
	assert_true(request_has(&request_text, "HeaderDigest", value, sizeof(value)));
	reply("HeaderDigest=None|DataDigest=None", true, NULL);
	assert_int_equal(last.type, LOGIN_STEP_DONE);
	assert_int_equal(last.result->tsih, TSIH);
}

static void test_digests(void **state)
{
	config.offer.header_digest =
		(struct iscsi_digest_list){ { ISCSI_DIGEST_CRC32C, ISCSI_DIGEST_NONE }, 2 };
	config.header_digest_required = true;
	begin();
	reply("HeaderDigest=CRC32C|DataDigest=None", true, NULL);
	assert_int_equal(last.type, LOGIN_STEP_DONE);
	assert_true(last.result->parameters.header_digest);
	assert_false(last.result->parameters.data_digest);
}

/* RFC 7145, chapter 6: its keys are for RDMA connections, which cannot do without. */
static void test_rdma(void **state)
{
	static const char *const names[] = { "RDMAExtensions", "InitiatorRecvDataSegmentLength",
					     "TargetRecvDataSegmentLength" };
	static const char *const declined[] = { "RDMAExtensions=No", "RDMAExtensions=NotUnderstood",
						"" };
	char value[64];

	for (unsigned rdma = 0; rdma < 2; rdma++) {
		config.offer.rdma_extensions = rdma > 0;
		begin();
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			assert_int_equal(request_has(&request_text, names[i], value, sizeof(value)),
					 rdma > 0);
	}
	config.offer.initiator_recv_data_segment_length = 512;
	begin();
	reply("RDMAExtensions=Yes|InitiatorRecvDataSegmentLength=512|"
	      "TargetRecvDataSegmentLength=4096|MaxOutstandingUnexpectedPDUs=16",
	      true, NULL);
	assert_int_equal(last.type, LOGIN_STEP_DONE);
	assert_true(last.result->parameters.rdma_extensions);
	assert_int_equal(last.result->parameters.max_recv_data_segment_length, 512);
	assert_int_equal(last.result->parameters.max_xmit_data_segment_length, 4096);
	assert_int_equal(last.result->parameters.max_outstanding_unexpected_pdus, 16);
	for (size_t i = 0; i < sizeof(declined) / sizeof(declined[0]); i++) {
		begin();
		reply_only(declined[i], true, NULL);
		assert_failed(EVENT_LOGIN_RESPONSE_INVALID, -EPROTO);
	}
}

/* One fault at a time */

static void wrong_itt(struct pdu *response)
{
	response->itt++;
}

static void wrong_isid(struct pdu *response)
{
	response->login_response.isid[5] ^= 1;
}

static void wrong_version(struct pdu *response)
{
	response->login_response.version_active = 1;
}

static void wrong_tsih(struct pdu *response)
{
	response->login_response.tsih = 0;
}

static void early_tsih(struct pdu *response)
{
	response->login_response.tsih = 5;
}

static void wrong_csg(struct pdu *response)
{
	response->login_response.csg ^= 1;
}

static void wrong_nsg(struct pdu *response)
{
	response->login_response.nsg = 2;
}

static void transit_and_more(struct pdu *response)
{
	response->login_response.more = true;
}

static void wrong_length(struct pdu *response)
{
	response->data_length++;
}

static void wrong_opcode(struct pdu *response)
{
	response->opcode = PDU_OPCODE_TEXT_RESPONSE;
}

static void test_header_faults(void **state)
{
	static const struct {
		mutate_t mutate;
		bool transit;
	} rows[] = {
		{ wrong_itt, true },        { wrong_isid, true },   { wrong_version, true },
		{ wrong_tsih, true },       { wrong_csg, true },    { wrong_nsg, true },
		{ transit_and_more, true }, { wrong_length, true }, { wrong_opcode, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin();
		reply("MaxBurstLength=262144", rows[i].transit, rows[i].mutate);
		assert_failed(EVENT_LOGIN_RESPONSE_INVALID, -EPROTO);
		assert_non_null(event_get(raised(EVENT_LOGIN_RESPONSE_INVALID), FIELD_REASON));
		assert_int_equal(
			strlen(event_get(raised(EVENT_LOGIN_RESPONSE_INVALID), FIELD_DUMP_PDU)),
			96);
	}
	/* The same without the fault. */
	begin();
	reply("FirstBurstLength=65536", true, NULL);
	assert_int_equal(last.type, LOGIN_STEP_DONE);
}

static void test_wrong_tsih_of_session(void **state)
{
	config.tsih = TSIH;
	begin();
	reply("", true, early_tsih);
	assert_failed(EVENT_LOGIN_RESPONSE_INVALID, -EPROTO);
}

static void test_unknown_opcode(void **state)
{
	uint8_t header[PDU_HEADER_LENGTH] = { 0x3e };

	begin();
	login_receive(login, header, NULL, 0);
	run();
	assert_failed(EVENT_LOGIN_RESPONSE_INVALID, -EPROTO);
}

/* A web server, of which the header alone is received: as a PDU it were too long. */
static void test_another_protocol(void **state)
{
	static const char answer[] = "HTTP/1.1 400 Bad Request\r\nServer: nginx/1.22.1\r\n";
	const uint8_t *header = (const uint8_t *)answer;

	begin();
	login_receive(login, header, NULL, pdu_header_data_length(header));
	run();
	assert_failed(EVENT_LOGIN_RESPONSE_INVALID, -EPROTO);
}

static void test_unasked(void **state)
{
	struct pdu response;

	config.offer.first_burst_length = 65536;
	begin();
	response = response_to_request();
	/*
	 * Two responses to one request: the second must not be taken for the answer to the next
	 * one.
	 */
	login = login_free(login);
	assert_int_equal(login_new(&config, &login), 0);
	receive(&response, NULL, 0);
	assert_failed(EVENT_LOGIN_RESPONSE_INVALID, -EPROTO);
}

static void test_text_faults(void **state)
{
	static const char *const rows[] = {
		"MaxBurstLength",
		"=5",
		"maxburst=5",
		"MaxBurstLength=5",
		"MaxBurstLength=16777215",
		"MaxBurstLength=262144|MaxBurstLength=131072",
		"TargetAlias=a|TargetAlias=b",
		"InitiatorName=iqn.2026-11.com.example:me",
		"SRP_U=x",
		"ImmediateData=maybe",
		"HeaderDigest=CRC64",
		"HeaderDigest=CRC32C",
		"TaskReporting=RFC3720", /* wants an answer, too late */
		"TargetPortalGroupTag=x",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin();
		reply(rows[i], true, NULL);
		assert_failed(EVENT_LOGIN_RESPONSE_INVALID, -EPROTO);
	}
}

static void test_portal_group(void **state)
{
	config.portal_group_tag = 7;
	begin();
	reply("TargetPortalGroupTag=7", true, NULL);
	assert_int_equal(last.type, LOGIN_STEP_DONE);
	assert_int_equal(last.result->portal_group_tag, 7);
	assert_int_equal(n_events, 0);
}

static void more(struct pdu *response)
{
	response->login_response.more = true;
}

static void test_limits(void **state)
{
	_cleanup_(buffer_done) struct buffer keys = { 0 };
	uint8_t big[LOGIN_DATA_SEGMENT_MAX + 4];
	unsigned n;

	/* A target that never lets us go on. */
	begin();
	for (n = 0; n < 1000 && last.type == LOGIN_STEP_WAIT; n++)
		reply("", false, NULL);
	assert_int_equal(n, LOGIN_EXCHANGES_MAX);
	assert_failed(EVENT_LOGIN_RESPONSE_INVALID, -EPROTO);
	/* Text without an end. */
	memset(big, 'A', sizeof(big));
	begin();
	for (n = 0; n < 1000 && last.type == LOGIN_STEP_WAIT; n++)
		reply_bytes(big, LOGIN_DATA_SEGMENT_MAX, false, more);
	assert_int_equal(n, LOGIN_TEXT_MAX / LOGIN_DATA_SEGMENT_MAX + 1);
	assert_failed(EVENT_LOGIN_RESPONSE_INVALID, -EPROTO);
	/* Too many keys. */
	for (unsigned i = 0; i <= LOGIN_KEYS_MAX; i++)
		assert_int_equal(buffer_printf(&keys, "K%u=1%c", i, 0), 0);
	begin();
	reply_bytes(keys.data, keys.length, false, NULL);
	assert_failed(EVENT_LOGIN_RESPONSE_INVALID, -EPROTO);
	/* Too long a data segment. */
	begin();
	reply_bytes(big, sizeof(big), false, more);
	assert_failed(EVENT_DATA_SEGMENT_TOO_LONG, -EPROTO);
}

static void test_answer_before_end(void **state)
{
	_cleanup_(buffer_done) struct buffer keys = { 0 };

	for (unsigned i = 0; i < LOGIN_KEYS_MAX; i++)
		assert_int_equal(
			buffer_printf(&keys,
				      "X-com.example.this-is-a-rather-long-name-of-a-key.%03u=1%c",
				      i, 0),
			0);
	begin();
	reply_bytes(keys.data, keys.length, false, NULL);
	assert_true(request.login_request.more);
	reply("MaxBurstLength=512", false, NULL);
	assert_failed(EVENT_LOGIN_RESPONSE_INVALID, -EPROTO);
	begin();
	reply_bytes(keys.data, keys.length, false, NULL);
	reply("", false, more);
	assert_failed(EVENT_LOGIN_RESPONSE_INVALID, -EPROTO);
}

static void skip_stat_sn(struct pdu *response)
{
	response->login_response.numbers.stat_sn++;
}

static void test_stat_sn(void **state)
{
	begin();
	target.stat_sn = 7;
	reply("", false, NULL);
	reply("", false, skip_stat_sn);
	assert_failed(EVENT_STATSN_INVALID, -EPROTO);
	assert_string_equal(event_get(raised(EVENT_STATSN_INVALID), FIELD_DUMP_EXPECTED_STATSN),
			    "8");
	assert_string_equal(event_get(raised(EVENT_STATSN_INVALID), FIELD_DUMP_RECEIVED_STATSN),
			    "9");
}

static int32_t window;

static void set_window(struct pdu *response)
{
	response->login_response.numbers.max_cmd_sn =
		response->login_response.numbers.exp_cmd_sn + (uint32_t)window;
}

static void test_window(void **state)
{
	static const struct {
		int32_t window;
		bool event, done;
	} rows[] = {
		{ 1, false, true },         { 0x7fffffff, false, true }, { 0, true, true },
		{ -1, true, true },         { -2, true, false },         { -1000, true, false },
		{ INT32_MIN, true, false },
	};

	config.offer.first_burst_length = 65536;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		window = rows[i].window;
		begin();
		/* Twice; what is legal is reported once. */
		reply("", false, set_window);
		if (rows[i].done) {
			reply("", true, set_window);
			assert_int_equal(last.type, LOGIN_STEP_DONE);
			assert_int_equal(n_events, rows[i].event);
		} else {
			assert_failed(EVENT_CMDSN_WINDOW_INVALID, -EPROTO);
			continue;
		}
		if (rows[i].event) {
			assert_string_equal(event_get(events[0], FIELD_OUTCOME), "continued");
			assert_string_equal(event_get(events[0], FIELD_DUMP_EXP_CMDSN),
					    "4294967295");
			assert_non_null(event_get(events[0], FIELD_DUMP_MAX_CMDSN));
			assert_int_equal(event_type(events[0])->number, EVENT_CMDSN_WINDOW_INVALID);
		}
	}
}

static void test_burst(void **state)
{
	static const struct {
		const char *text;
		bool strict, event, done;
		uint32_t first;
	} rows[] = {
		{ "MaxBurstLength=65536|FirstBurstLength=32768", false, false, true, 32768 },
		{ "MaxBurstLength=65536|FirstBurstLength=65536", false, true, true, 65536 },
		{ "MaxBurstLength=65536|FirstBurstLength=65536", true, true, true, 65536 },
		{ "MaxBurstLength=32768|FirstBurstLength=65536", false, true, true, 32768 },
		{ "MaxBurstLength=32768|FirstBurstLength=65536", true, true, false, 0 },
		{ "MaxBurstLength=32768|FirstBurstLength=65536|InitialR2T=Yes|ImmediateData=No",
		  true, false, true, 65536 },
		{ "MaxBurstLength=32768|FirstBurstLength=65536|InitialR2T=No|ImmediateData=No",
		  true, true, false, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		config.strict = rows[i].strict;
		begin();
		reply(rows[i].text, true, NULL);
		if (!rows[i].done) {
			assert_failed(EVENT_BURST_LENGTH_INVALID, -EPROTO);
			continue;
		}
		assert_int_equal(last.type, LOGIN_STEP_DONE);
		assert_int_equal(last.result->parameters.first_burst_length, rows[i].first);
		/* One that was lowered is a deviation, too. */
		assert_int_equal(n_events,
				 rows[i].event + (rows[i].first == 32768 && rows[i].event));
		if (rows[i].event) {
			assert_int_equal(event_type(events[0])->number, EVENT_BURST_LENGTH_INVALID);
			assert_string_equal(event_get(events[0], FIELD_OUTCOME), "continued");
			assert_string_equal(event_get(events[0], FIELD_DUMP_FIRST_BURST_LENGTH),
					    "65536");
		}
	}
}

static void test_order_refused(void **state)
{
	begin();
	reply("DataPDUInOrder=No", true, NULL);
	assert_failed(EVENT_DATA_PDU_IN_ORDER_REFUSED, -EPROTO);
	begin();
	reply("DataSequenceInOrder=No", true, NULL);
	assert_failed(EVENT_DATA_SEQUENCE_IN_ORDER_REFUSED, -EPROTO);
}

static void test_digest_refused(void **state)
{
	static const struct {
		bool header, only, required;
		const char *text;
	} rows[] = {
		{ true, true, false, "HeaderDigest=None" },
		{ true, true, true, "HeaderDigest=Reject" },
		{ true, true, false, "HeaderDigest=Reject" },
		{ true, false, true, "HeaderDigest=None" },
		{ true, false, true, "" },
		{ true, true, false, "HeaderDigest=CRC64" },
		{ false, true, false, "DataDigest=None" },
		{ false, true, false, "DataDigest=Irrelevant" },
		{ false, false, true, "DataDigest=None" },
		{ false, true, true, "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct iscsi_digest_list list = { { ISCSI_DIGEST_CRC32C, ISCSI_DIGEST_NONE },
						  rows[i].only ? 1 : 2 };

		iscsi_offer_init(&config.offer);
		if (rows[i].header)
			config.offer.header_digest = list;
		else
			config.offer.data_digest = list;
		config.header_digest_required = rows[i].header && rows[i].required;
		config.data_digest_required = !rows[i].header && rows[i].required;
		begin();
		reply_only(rows[i].text, true, NULL);
		assert_failed(rows[i].header ? EVENT_HEADER_DIGEST_REQUIRED
					     : EVENT_DATA_DIGEST_REQUIRED,
			      -EPROTO);
	}
}

/* Status, redirection, silence */

static unsigned status;

static void set_status(struct pdu *response)
{
	response->login_response.transit = false;
	response->login_response.status_class = (uint8_t)(status >> 8);
	response->login_response.status_detail = (uint8_t)status;
	/* None of these is valid with a status. */
	response->login_response.numbers.stat_sn = 4711;
	response->login_response.numbers.max_cmd_sn = 0;
}

/* All statuses of RFC 7143 11.13.5, and some it does not know. */
static const struct {
	unsigned status;
	enum login_outcome outcome;
	int error;
} statuses[] = {
	{ 0x0000, LOGIN_OUTCOME_SUCCEED, 0 },
	{ 0x0001, LOGIN_OUTCOME_SUCCEED, 0 },
	{ 0x0100, LOGIN_OUTCOME_REDIRECT, -EREMCHG },
	{ 0x0101, LOGIN_OUTCOME_REDIRECT, -EREMCHG },
	{ 0x0102, LOGIN_OUTCOME_MOVE, -EREMCHG },
	{ 0x0103, LOGIN_OUTCOME_REDIRECT, -EREMCHG },
	{ 0x0200, LOGIN_OUTCOME_FAIL, -EINVAL },
	{ 0x0201, LOGIN_OUTCOME_FAIL, -EACCES },
	{ 0x0202, LOGIN_OUTCOME_FAIL, -EACCES },
	{ 0x0203, LOGIN_OUTCOME_PATIENCE, -ENOENT },
	{ 0x0204, LOGIN_OUTCOME_PATIENCE, -ENOENT },
	{ 0x0205, LOGIN_OUTCOME_FAIL, -EPROTONOSUPPORT },
	{ 0x0206, LOGIN_OUTCOME_FAIL, -EUSERS },
	{ 0x0207, LOGIN_OUTCOME_FAIL, -EINVAL },
	{ 0x0208, LOGIN_OUTCOME_FAIL, -EUSERS },
	{ 0x0209, LOGIN_OUTCOME_FAIL, -EOPNOTSUPP },
	{ 0x020a, LOGIN_OUTCOME_FAIL, -ESTALE },
	{ 0x020b, LOGIN_OUTCOME_FAIL, -EINVAL },
	{ 0x020c, LOGIN_OUTCOME_FAIL, -EINVAL },
	{ 0x02ff, LOGIN_OUTCOME_FAIL, -EINVAL },
	{ 0x0300, LOGIN_OUTCOME_RETRY, -EIO },
	{ 0x0301, LOGIN_OUTCOME_RETRY, -EBUSY },
	{ 0x0302, LOGIN_OUTCOME_RETRY, -EBUSY },
	{ 0x0303, LOGIN_OUTCOME_RETRY, -EIO },
	{ 0x03ff, LOGIN_OUTCOME_RETRY, -EIO },
	{ 0x0400, LOGIN_OUTCOME_FAIL, -EPROTO },
	{ 0xff02, LOGIN_OUTCOME_FAIL, -EPROTO },
};

static void test_status(void **state)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		enum login_outcome outcome = statuses[i].outcome;
		const char *text;

		status = statuses[i].status;
		if (status >> 8 < 2)
			continue;
		chap_config(false);
		begin();
		reply("", false, set_status);
		assert_int_equal(last.type, LOGIN_STEP_FAILED);
		assert_int_equal(last.failed.status_class, status >> 8);
		assert_int_equal(last.failed.status_detail, status & 0xff);
		assert_int_equal(last.failed.retry, outcome == LOGIN_OUTCOME_RETRY);
		assert_int_equal(last.failed.patience, outcome == LOGIN_OUTCOME_PATIENCE);
		assert_failed(EVENT_LOGIN_FAILED, statuses[i].error);
		assert_int_equal(n_events, 1);
		text = event_get(events[0], FIELD_STATUS_TEXT);
		assert_string_equal(text, login_status_text(status >> 8, status & 0xff));
		assert_int_equal(strtoul(event_get(events[0], FIELD_STATUS), NULL, 10), status);
		assert_non_null(event_get(events[0], FIELD_DUMP_PDU));
		assert_non_null(event_get(events[0], FIELD_PDU_STATUS_CLASS));
	}
}

/* Every row is what some status leads to, and says what it means and what to do. */
static void test_status_rows(void **state)
{
	const struct login_status *row;
	bool reached[64] = { false };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		row = login_status_find(statuses[i].status >> 8, statuses[i].status & 0xff);
		assert_int_equal(row->outcome, statuses[i].outcome);
		assert_int_equal(row->error, statuses[i].error);
		for (size_t k = 0; login_status_at(k); k++)
			reached[k] |= row == login_status_at(k);
	}
	for (; (row = login_status_at(n)); n++) {
		assert_true(reached[n]);
		assert_true(row->meaning[0] && row->advice[0]);
		assert_non_null(strstr(row->text, row->meaning));
		assert_non_null(strstr(row->text, row->advice));
		/* It is shown whole in every failure. */
		assert_true(strlen(row->text) < 256);
		/* Another row would hide it. */
		assert_ptr_equal(login_status_find(row->status_class, row->status_detail), row);
	}
	assert_true(n > 20);
}

static void test_chap_required(void **state)
{
	begin();
	status = 0x0201;
	reply("", false, set_status);
	assert_non_null(raised(EVENT_LOGIN_FAILED));
	assert_failed(EVENT_CHAP_REQUIRED, -EACCES);
	/* It asks in the operational stage. */
	begin();
	reply("AuthMethod=CHAP", false, NULL);
	assert_failed(EVENT_CHAP_REQUIRED, -EACCES);
	/* With CHAP configured the same status is a failed authentication. */
	chap_config(false);
	begin();
	reply("", false, set_status);
	assert_failed(EVENT_LOGIN_FAILED, -EACCES);
	assert_null(raised(EVENT_CHAP_REQUIRED));
}

static void test_wrong_secret(void **state)
{
	struct secret *wrong;

	chap_config(false);
	assert_int_equal(secret_new("another-secret-16", 17, &wrong), 0);
	config.secret = wrong;
	begin();
	target_serve();
	assert_false(target.proved);
	assert_failed(EVENT_LOGIN_FAILED, -EACCES);
	secret_free(wrong);
}

/* What tells of a target that cannot cope with a list of algorithms, and what does not. */
static void test_algorithms_refused(void **state)
{
#define SHA3 "CHAP_A=8|CHAP_I=1|CHAP_C=0x0123456789abcdef"
#define MD5  "CHAP_A=5|CHAP_I=1|CHAP_C=0x0123456789abcdef"
	static const struct {
		const char *first, *second; /* answers before the last one */
		const char *text;           /* the last one; NULL: a status, or 0 for a close */
		unsigned status;
		bool refused;
	} rows[] = {
		{ "AuthMethod=CHAP", NULL, NULL, 0x0201, true },
		{ "AuthMethod=CHAP", NULL, NULL, 0x0200, true },
		{ "AuthMethod=CHAP", NULL, NULL, 0x0207, true },
		{ "AuthMethod=CHAP", NULL, NULL, 0x020b, true },
		{ "AuthMethod=CHAP", NULL, NULL, 0x0300, true },
		{ "AuthMethod=CHAP", NULL, NULL, 0, true },
		{ "AuthMethod=CHAP", NULL, "CHAP_A=Reject", 0, true },
		{ "AuthMethod=CHAP", NULL, "CHAP_A=8,7,6,5|CHAP_I=1|CHAP_C=0x01", 0, true },
		{ "AuthMethod=CHAP", SHA3, NULL, 0x0200, true },
		{ "AuthMethod=CHAP", SHA3, NULL, 0, true },
		/* The reason is another one, or the list was understood. */
		{ "AuthMethod=CHAP", NULL, NULL, 0x0202, false },
		{ "AuthMethod=CHAP", NULL, NULL, 0x0203, false },
		{ "AuthMethod=CHAP", NULL, NULL, 0x0301, false },
		{ "AuthMethod=CHAP", NULL, NULL, 0x0302, false },
		{ "AuthMethod=CHAP", NULL, "CHAP_A=5|CHAP_C=0x01", 0, false },
		{ "AuthMethod=CHAP", SHA3, NULL, 0x0201, false },
		{ "AuthMethod=CHAP", SHA3, NULL, 0x0300, false },
		{ "AuthMethod=CHAP", SHA3, "CHAP_R=0x01", 0, false },
		{ "AuthMethod=CHAP", MD5, NULL, 0x0200, false },
		{ "AuthMethod=CHAP", MD5, NULL, 0x0201, false },
		{ "AuthMethod=CHAP", MD5, NULL, 0, false },
		{ NULL, NULL, NULL, 0x0201, false },
		{ NULL, NULL, NULL, 0, false },
	};
#undef SHA3
#undef MD5
	const struct pdu reject = { .opcode = PDU_OPCODE_REJECT, .itt = PDU_TAG_RESERVED };

	chap_config(false);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin();
		if (rows[i].first)
			reply(rows[i].first, false, NULL);
		if (rows[i].second)
			reply(rows[i].second, false, NULL);
		assert_int_equal(last.type, LOGIN_STEP_WAIT);
		status = rows[i].status;
		if (rows[i].text)
			reply(rows[i].text, false, NULL);
		else if (status)
			reply("", false, set_status);
		else
			login_disconnected(login);
		run();
		assert_int_equal(last.type, LOGIN_STEP_FAILED);
		if (last.failed.algorithms_refused != rows[i].refused)
			fail_msg("row %zu", i);
	}
	/* A Reject is one, too. */
	begin();
	reply("AuthMethod=CHAP", false, NULL);
	receive(&reject, NULL, 0);
	assert_true(last.failed.algorithms_refused);
	/* No answer at all is no refusal, nor is anything without CHAP. */
	begin();
	reply("AuthMethod=CHAP", false, NULL);
	login_timed_out(login);
	run();
	assert_false(last.failed.algorithms_refused);
	config.authentication = LOGIN_AUTHENTICATION_NONE;
	begin();
	login_disconnected(login);
	run();
	assert_false(last.failed.algorithms_refused);
}

static void test_redirect(void **state)
{
	static const struct {
		unsigned status;
		const char *text;
		const char *address;
		uint16_t port;
		bool permanent;
	} rows[] = {
		{ 0x0101, "TargetAddress=192.0.2.7:3261", "192.0.2.7", 3261, false },
		{ 0x0102, "TargetAddress=[2001:db8::7]", "2001:db8::7", 3260, true },
		{ 0x0102, "TargetAddress=[2001:DB8:0::7]:1", "2001:db8::7", 1, true },
		{ 0x0101, "TargetAlias=x|TargetAddress=disk.example.com", "disk.example.com", 3260,
		  false },
		/* A detail that is not known is a redirection all the same. */
		{ 0x0100, "TargetAddress=192.0.2.7", "192.0.2.7", 3260, false },
		{ 0x01ff, "TargetAddress=192.0.2.7", "192.0.2.7", 3260, false },
		/* The first one counts. */
		{ 0x0101, "TargetAddress=192.0.2.7|TargetAddress=192.0.2.8", "192.0.2.7", 3260,
		  false },
		/* What it says of all its addresses, and of our link. */
		{ 0x0101, "TargetAddress=0.0.0.0:3261", "192.0.2.1", 3261, false },
		{ 0x0101, "TargetAddress=[::]", "192.0.2.1", 3260, false },
		{ 0x0101, "TargetAddress=[fe80::7]:3261", "fe80::7%eth1", 3261, false },
		{ 0x0101, "TargetAddress=[fe80::7%em0]", "fe80::7%eth1", 3260, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		config.portal_address = "192.0.2.1";
		config.portal_scope = "eth1";
		config.redirects = LOGIN_REDIRECTS_MAX - 1;
		begin();
		status = rows[i].status;
		reply_only(rows[i].text, false, set_status);
		assert_int_equal(last.type, LOGIN_STEP_REDIRECT);
		assert_string_equal(last.redirect.address, rows[i].address);
		assert_int_equal(last.redirect.port, rows[i].port);
		assert_int_equal(last.redirect.permanent, rows[i].permanent);
		assert_int_equal(n_events, 1);
		assert_non_null(event_get(raised(EVENT_LOGIN_REDIRECTED), FIELD_REDIRECT));
		assert_int_equal(strtoul(event_get(events[0], FIELD_STATUS), NULL, 10), status);
		assert_string_equal(event_get(events[0], FIELD_STATUS_TEXT),
				    login_status_text(1, status & 0xff));
	}
}

static void test_redirect_unusable(void **state)
{
	static const struct {
		const char *text, *dumped, *reason;
	} rows[] = {
		{ "", "", "names no portal" },
		{ "TargetAlias=x", "TargetAlias=x", "names no portal" },
		{ "targetaddress=192.0.2.7", "targetaddress=192.0.2.7", "names no portal" },
		{ "TargetAddress=", "TargetAddress=", "no address" },
		{ "TargetAddress=host:99999", "TargetAddress=host:99999", "no address" },
		{ "TargetAddress=host:0", "TargetAddress=host:0", "no address" },
		{ "TargetAddress=ho st", "TargetAddress=ho st", "no address" },
		{ "TargetAddress=[2001:db8::7", "TargetAddress=[2001:db8::7", "no address" },
		{ "TargetAddress=192.0.2.7:3260,", "TargetAddress=192.0.2.7:3260,", "no address" },
		{ "TargetAddress=[fe80::7]", "TargetAddress=[fe80::7]", "interface" },
		{ "TargetAddress=0.0.0.0", "TargetAddress=0.0.0.0", "stands for any" },
		{ "=|TargetAddress=192.0.2.7", "=", "names no portal" },
	};
	char longest[400] = "TargetAddress=";

	memset(longest + strlen(longest), 'a', 300);
	for (size_t i = 0; i <= sizeof(rows) / sizeof(rows[0]); i++) {
		bool last_row = i == sizeof(rows) / sizeof(rows[0]);
		const char *dumped, *reason;

		begin();
		status = 0x0102;
		reply_only(last_row ? longest : rows[i].text, false, set_status);
		assert_failed(EVENT_REDIRECT_INVALID, -EPROTO);
		assert_int_equal(n_events, 1);
		dumped = event_get(events[0], FIELD_DUMP_RETURNED);
		reason = event_get(events[0], FIELD_REASON);
		assert_int_equal(strncmp(dumped, last_row ? longest : rows[i].dumped,
					 strlen(last_row ? longest : rows[i].dumped)),
				 0);
		assert_non_null(strstr(reason, last_row ? "no address" : rows[i].reason));
	}
}

static void more_with_status(struct pdu *response)
{
	set_status(response);
	more(response);
}

/* Half an address is not followed, nor a whole one that may be half. */
static void test_redirect_continued(void **state)
{
	static const char half[] = "TargetAddress=192.0.2.7:32",
			  whole[] = "TargetAddress=192.0.2.7";

	begin();
	status = 0x0101;
	reply_bytes(half, strlen(half), false, more_with_status);
	assert_string_equal(event_get(events[0], FIELD_DUMP_RETURNED), half);
	assert_non_null(strstr(event_get(events[0], FIELD_REASON), "goes on in another response"));
	assert_failed(EVENT_REDIRECT_INVALID, -EPROTO);
	begin();
	status = 0x0102;
	reply_bytes(whole, sizeof(whole), false, more_with_status);
	assert_failed(EVENT_REDIRECT_INVALID, -EPROTO);
	assert_int_equal(n_events, 1);
}

/* Who is sent on and on does not come to an end; but portals may agree a moment later. */
static void test_redirect_often(void **state)
{
	config.redirects = LOGIN_REDIRECTS_MAX;
	begin();
	status = 0x0101;
	reply_only("TargetAddress=192.0.2.7", false, set_status);
	assert_true(last.failed.retry);
	assert_null(raised(EVENT_LOGIN_REDIRECTED));
	assert_non_null(strstr(event_get(events[0], FIELD_DUMP_RETURNED), "192.0.2.7"));
	assert_failed(EVENT_REDIRECT_INVALID, -ELOOP);
}

static void test_silence(void **state)
{
	begin();
	login_timed_out(login);
	run();
	assert_true(last.failed.retry);
	assert_non_null(raised(EVENT_REQUEST_TIMEOUT));
	assert_string_equal(event_get(raised(EVENT_REQUEST_TIMEOUT), FIELD_DUMP_FUNCTION), "3");
	assert_failed(EVENT_LOGIN_TIMEOUT, -ETIMEDOUT);
	/* Each request was answered, but not all of them in the time for the whole. */
	begin();
	login_overdue(login);
	run();
	assert_true(last.failed.retry);
	assert_null(raised(EVENT_REQUEST_TIMEOUT));
	assert_non_null(event_get(raised(EVENT_LOGIN_TIMEOUT), FIELD_REASON));
	assert_failed(EVENT_LOGIN_TIMEOUT, -ETIMEDOUT);
	begin();
	login_disconnected(login);
	run();
	assert_true(last.failed.retry);
	assert_failed(EVENT_DROPPED_BEFORE_FULL_FEATURE, -ECONNRESET);
	config.reconnect = true;
	begin();
	login_timed_out(login);
	run();
	assert_failed(EVENT_ADD_CONNECTION_TIMEOUT, -ETIMEDOUT);
	config.reconnect = false;
	config.tsih = TSIH;
	begin();
	login_timed_out(login);
	run();
	assert_failed(EVENT_ADD_CONNECTION_TIMEOUT, -ETIMEDOUT);
}

static void test_reject(void **state)
{
	struct pdu response = { .opcode = PDU_OPCODE_REJECT, .itt = PDU_TAG_RESERVED };
	uint8_t rejected[PDU_HEADER_LENGTH];

	begin();
	pdu_encode(&request, rejected);
	response.data_length = sizeof(rejected);
	response.reject.reason = 4;
	receive(&response, rejected, sizeof(rejected));
	assert_failed(EVENT_PDU_REJECTED, -EPROTO);
	assert_string_equal(event_get(events[0], FIELD_STATUS), "4");
	assert_int_equal(strncmp(event_get(events[0], FIELD_DUMP_PDU), "4387", 4), 0);
	/* Without the header it is about, for a reason of its own. */
	begin();
	response.data_length = 4;
	response.reject.reason = 0xee;
	receive(&response, rejected, 4);
	assert_failed(EVENT_PDU_REJECTED, -EPROTO);
	assert_string_equal(event_get(events[0], FIELD_STATUS_TEXT), "unknown reason");
	assert_null(event_get(events[0], FIELD_DUMP_PDU));
}

/* Authentication, one fault at a time */

struct chap_fault {
	bool mutual;
	const char *method, *challenge, *response; /* answers of the target; NULL: not reached */
	enum event_number event;
	int error;
};

#define CHALLENGE "CHAP_A=5|CHAP_I=1|CHAP_C=0x0102030405060708"

static const struct chap_fault chap_faults[] = {
	{ false, "", NULL, NULL, EVENT_AUTHMETHOD_MISSING, -EPROTO },
	{ false, "TargetAlias=x", NULL, NULL, EVENT_AUTHMETHOD_MISSING, -EPROTO },
	{ false, "AuthMethod=None", NULL, NULL, EVENT_CHAP_NOT_OFFERED, -EACCES },
	{ false, "AuthMethod=Reject", NULL, NULL, EVENT_CHAP_NOT_OFFERED, -EACCES },
	{ false, "AuthMethod=KRB5", NULL, NULL, EVENT_AUTHMETHOD_UNKNOWN, -EPROTO },
	{ false, "AuthMethod=chap", NULL, NULL, EVENT_AUTHMETHOD_UNKNOWN, -EPROTO },
	{ false, "AuthMethod=CHAP,None", NULL, NULL, EVENT_AUTHMETHOD_UNKNOWN, -EPROTO },
	{ false, "AuthMethod=CHAP|AuthMethod=CHAP", NULL, NULL, EVENT_CHAP_KEY_INVALID, -EPROTO },
	{ false, "AuthMethod=CHAP|CHAP_A=5", NULL, NULL, EVENT_CHAP_KEY_INVALID, -EPROTO },
	{ false, "AuthMethod=CHAP|MaxBurstLength=512", NULL, NULL, EVENT_LOGIN_RESPONSE_INVALID,
	  -EPROTO },
	{ false, "AuthMethod=CHAP|SRP_U=x", NULL, NULL, EVENT_LOGIN_RESPONSE_INVALID, -EPROTO },
	{ false, "AuthMethod=CHAP", "CHAP_A=9|CHAP_I=1|CHAP_C=0x01", NULL,
	  EVENT_CHAP_ALGORITHM_UNKNOWN, -EPROTO },
	{ false, "AuthMethod=CHAP", "CHAP_A=|CHAP_I=1|CHAP_C=0x01", NULL,
	  EVENT_CHAP_ALGORITHM_UNKNOWN, -EPROTO },
	{ false, "AuthMethod=CHAP", "CHAP_A=5,7|CHAP_I=1|CHAP_C=0x01", NULL,
	  EVENT_CHAP_ALGORITHM_UNKNOWN, -EPROTO },
	{ false, "AuthMethod=CHAP", "CHAP_A=Reject", NULL, EVENT_CHAP_ALGORITHM_UNKNOWN, -EPROTO },
	{ false, "AuthMethod=CHAP", "CHAP_A=261|CHAP_I=1|CHAP_C=0x01", NULL,
	  EVENT_CHAP_ALGORITHM_UNKNOWN, -EPROTO }, /* 5 in the last byte */
	{ false, "AuthMethod=CHAP", "CHAP_I=1|CHAP_C=0x01", NULL, EVENT_CHAP_KEY_INVALID, -EPROTO },
	{ false, "AuthMethod=CHAP", "CHAP_A=5|CHAP_C=0x01", NULL, EVENT_CHAP_KEY_INVALID, -EPROTO },
	{ false, "AuthMethod=CHAP", "CHAP_A=5|CHAP_I=1", NULL, EVENT_CHAP_KEY_INVALID, -EPROTO },
	{ false, "AuthMethod=CHAP", "CHAP_A=5|CHAP_I=256|CHAP_C=0x01", NULL, EVENT_CHAP_KEY_INVALID,
	  -EPROTO },
	{ false, "AuthMethod=CHAP", "CHAP_A=5|CHAP_I=x|CHAP_C=0x01", NULL, EVENT_CHAP_KEY_INVALID,
	  -EPROTO },
	{ false, "AuthMethod=CHAP", CHALLENGE "|CHAP_I=2", NULL, EVENT_CHAP_KEY_INVALID, -EPROTO },
	{ false, "AuthMethod=CHAP", CHALLENGE "|CHAP_N=x", NULL, EVENT_CHAP_KEY_INVALID, -EPROTO },
	{ false, "AuthMethod=CHAP", CHALLENGE "|AuthMethod=CHAP", NULL, EVENT_CHAP_KEY_INVALID,
	  -EPROTO },
	{ false, "AuthMethod=CHAP", "CHAP_A=5|CHAP_I=1|CHAP_C=", NULL, EVENT_CHAP_CHALLENGE_INVALID,
	  -EPROTO },
	{ false, "AuthMethod=CHAP", "CHAP_A=5|CHAP_I=1|CHAP_C=0x", NULL,
	  EVENT_CHAP_CHALLENGE_INVALID, -EPROTO },
	{ false, "AuthMethod=CHAP", "CHAP_A=5|CHAP_I=1|CHAP_C=12345", NULL,
	  EVENT_CHAP_CHALLENGE_INVALID, -EPROTO },
	{ false, "AuthMethod=CHAP", "CHAP_A=5|CHAP_I=1|CHAP_C=0xgg", NULL,
	  EVENT_CHAP_CHALLENGE_INVALID, -EPROTO },
	{ false, "AuthMethod=CHAP", "CHAP_A=5|CHAP_I=1|CHAP_C=0b_", NULL,
	  EVENT_CHAP_CHALLENGE_INVALID, -EPROTO },
	{ false, "AuthMethod=CHAP", CHALLENGE, "CHAP_N=x|CHAP_R=0x01", EVENT_CHAP_KEY_INVALID,
	  -EPROTO },
	{ false, "AuthMethod=CHAP", CHALLENGE, CHALLENGE, EVENT_CHAP_KEY_INVALID, -EPROTO },
	{ true, "AuthMethod=CHAP", CHALLENGE, "", EVENT_CHAP_KEY_INVALID, -EPROTO },
	{ true, "AuthMethod=CHAP", CHALLENGE, "CHAP_N=the-disk", EVENT_CHAP_KEY_INVALID, -EPROTO },
	{ true, "AuthMethod=CHAP", CHALLENGE, "CHAP_R=0x00112233445566778899aabbccddeeff",
	  EVENT_CHAP_KEY_INVALID, -EPROTO },
	{ true, "AuthMethod=CHAP", CHALLENGE,
	  "CHAP_N=the-disk|CHAP_R=00112233445566778899aabbccddeeff", EVENT_CHAP_KEY_INVALID,
	  -EPROTO },
	{ true, "AuthMethod=CHAP", CHALLENGE,
	  "CHAP_N=the-disk|CHAP_R=0x00112233445566778899aabbccddeeff", EVENT_CHAP_RESPONSE_MISMATCH,
	  -EACCES },
	{ true, "AuthMethod=CHAP", CHALLENGE, "CHAP_N=the-disk|CHAP_R=0x00",
	  EVENT_CHAP_RESPONSE_MISMATCH, -EACCES },
	{ true, "AuthMethod=CHAP", CHALLENGE,
	  "CHAP_N=the-disk|CHAP_R="
	  "0x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00",
	  EVENT_CHAP_RESPONSE_MISMATCH, -EACCES },
	{ true, "AuthMethod=CHAP", CHALLENGE,
	  "CHAP_N=a-disk|CHAP_R=0x00112233445566778899aabbccddeeff", EVENT_CHAP_RESPONSE_MISMATCH,
	  -EACCES },
	{ true, "AuthMethod=CHAP", CHALLENGE, "CHAP_N=the-disk|CHAP_R=0x00|CHAP_I=1",
	  EVENT_CHAP_KEY_INVALID, -EPROTO },
};

static void test_chap_faults(void **state)
{
	for (size_t i = 0; i < sizeof(chap_faults) / sizeof(chap_faults[0]); i++) {
		const struct chap_fault *row = &chap_faults[i];

		teardown(state);
		setup(state);
		chap_config(row->mutual);
		begin();
		reply(row->method, false, NULL);
		if (row->challenge) {
			assert_int_equal(last.type, LOGIN_STEP_WAIT);
			reply(row->challenge, false, NULL);
		}
		if (row->response) {
			assert_int_equal(last.type, LOGIN_STEP_WAIT);
			assert_true(request.login_request.transit);
			reply(row->response, true, NULL);
		}
		assert_failed(row->event, row->error);
		assert_int_equal(n_events, 1);
	}
}

/* A fault leaves what the table promises to dump. */
static void test_chap_dumps(void **state)
{
	chap_config(false);
	begin();
	reply("AuthMethod=KRB5", false, NULL);
	assert_string_equal(event_get(events[0], FIELD_DUMP_RETURNED), "KRB5");
	begin();
	reply("AuthMethod=CHAP", false, NULL);
	reply("CHAP_A=9|CHAP_I=1|CHAP_C=0x01", false, NULL);
	assert_string_equal(event_get(events[0], FIELD_DUMP_RETURNED), "9");
	begin();
	reply("AuthMethod=CHAP", false, NULL);
	reply("CHAP_A=5|CHAP_I=1|CHAP_C=0xgg", false, NULL);
	assert_string_equal(event_get(events[0], FIELD_DUMP_CHALLENGE), "0xgg");
	begin();
	reply("AuthMethod=CHAP", false, NULL);
	reply("CHAP_A=5|CHAP_I=256|CHAP_C=0x01", false, NULL);
	assert_string_equal(event_get(events[0], FIELD_DUMP_KEY_VALUE), "CHAP_I=256");
}

static void on_to_operational(struct pdu *response)
{
	response->login_response.nsg = PDU_STAGE_OPERATIONAL;
}

static void test_transition_without_proof(void **state)
{
	static const bool at[] = { false, true };

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		chap_config(false);
		begin();
		if (at[i])
			reply("AuthMethod=CHAP", false, NULL);
		reply(at[i] ? CHALLENGE : "AuthMethod=CHAP", true, on_to_operational);
		assert_failed(EVENT_LOGIN_RESPONSE_INVALID, -EPROTO);
		assert_string_equal(event_get(events[0], FIELD_REASON),
				    "the target makes a stage transition that was not asked for");
	}
}

static void test_long_user_name(void **state)
{
	char text[ISCSI_VALUE_MAX + 32] = "CHAP_N=";
	size_t at = strlen(text);

	chap_config(true);
	begin();
	reply("AuthMethod=CHAP", false, NULL);
	reply(CHALLENGE, false, NULL);
	memset(text + at, 'n', ISCSI_VALUE_MAX + 1);
	reply(text, true, NULL);
	assert_failed(EVENT_CHAP_KEY_INVALID, -EPROTO);
}

static void test_challenge_length(void **state)
{
	char text[2 * CHAP_CHALLENGE_MAX + 64];

	for (size_t length = CHAP_CHALLENGE_MAX; length <= CHAP_CHALLENGE_MAX + 1; length++) {
		int n = snprintf(text, sizeof(text), "CHAP_A=7|CHAP_I=1|CHAP_C=0x");

		memset(text + n, '5', 2 * length);
		text[(size_t)n + 2 * length] = '\0';
		chap_config(false);
		begin();
		reply("AuthMethod=CHAP", false, NULL);
		reply(text, false, NULL);
		if (length > CHAP_CHALLENGE_MAX)
			assert_failed(EVENT_CHAP_CHALLENGE_TOO_LONG, -EPROTO);
		else
			assert_int_equal(last.type, LOGIN_STEP_WAIT);
	}
}

/* Far too long, in several PDUs: still the same event, as long as the text is not too long. */
static void test_challenge_far_too_long(void **state)
{
	static const size_t lengths[] = { 12000, ISCSI_LONG_VALUE_MAX + 10, 20000,
					  LOGIN_TEXT_MAX - 18 };
	static char text[LOGIN_TEXT_MAX];

	for (size_t i = 0; i < ELEMENTSOF(lengths); i++) {
		size_t length = lengths[i], at = 0;
		int n = snprintf(text, sizeof(text), "CHAP_C=0x");

		memset(text + n, '5', length - (size_t)n - 1);
		text[length - 1] = '\0';
		chap_config(false);
		begin();
		reply("AuthMethod=CHAP", false, NULL);
		reply_bytes("CHAP_A=7\0CHAP_I=1", 18, false, more);
		for (; length - at > 8000; at += 8000)
			reply_bytes(text + at, 8000, false, more);
		reply_bytes(text + at, length - at, false, NULL);
		assert_failed(EVENT_CHAP_CHALLENGE_TOO_LONG, -EPROTO);
	}
}

static void test_reflection(void **state)
{
	char text[4 * CHAP_CHALLENGE_LENGTH + 64], value[2 * CHAP_RESPONSE_MAX + 3];
	int n;

	/* Our challenge comes back as theirs. */
	chap_config(true);
	begin();
	reply("AuthMethod=CHAP", false, NULL);
	n = snprintf(text, sizeof(text), "CHAP_A=7|CHAP_I=1|CHAP_C=0x");
	hex_encode(config.chap_random + 1, CHAP_CHALLENGE_LENGTH, text + n);
	reply(text, false, NULL);
	assert_failed(EVENT_CHAP_CHALLENGE_INVALID, -EPROTO);
	/* One that differs in a bit is another one. */
	begin();
	reply("AuthMethod=CHAP", false, NULL);
	text[n] = text[n] == '0' ? '1' : '0';
	reply(text, false, NULL);
	assert_int_equal(last.type, LOGIN_STEP_WAIT);
	/* Our response comes back as theirs. */
	begin();
	reply("AuthMethod=CHAP", false, NULL);
	reply(CHALLENGE, false, NULL);
	assert_true(request_has(&request_text, "CHAP_R", value, sizeof(value)));
	(void)snprintf(text, sizeof(text), "CHAP_N=the-disk|CHAP_R=%s", value);
	reply(text, true, NULL);
	assert_failed(EVENT_CHAP_RESPONSE_MISMATCH, -EACCES);
	assert_string_equal(event_get(events[0], FIELD_DUMP_RESPONSE), value);
	assert_string_equal(event_get(events[0], FIELD_REASON),
			    "the response is a copy of this initiator's");
}

/* RFC 7143, 9.2.1: with one secret in both directions a target could prove itself with ours. */
static void test_one_secret(void **state)
{
	chap_config(true);
	for (enum chap_algorithm a = 0; a < _CHAP_ALGORITHM_MAX; a++) {
		uint8_t response[CHAP_RESPONSE_MAX];
		char text[128] = "CHAP_N=the-disk|CHAP_R=0x", challenge[64];

		config.target_secret = a % 2 ? initiator_secret : target_secret;
		(void)snprintf(challenge, sizeof(challenge), "CHAP_A=%u|CHAP_I=1|CHAP_C=0X00Ff",
			       chap_algorithm_number(a));
		begin();
		reply("AuthMethod=CHAP", false, NULL);
		reply(challenge, false, NULL);
		assert_int_equal(chap_respond(a, config.chap_random[0], initiator_secret,
					      config.chap_random + 1, CHAP_CHALLENGE_LENGTH,
					      response),
				 0);
		hex_encode(response, chap_response_length(a), text + strlen(text));
		reply(text, true, NULL);
		assert_failed(EVENT_CHAP_RESPONSE_MISMATCH, -EACCES);
		assert_string_equal(event_get(events[0], FIELD_REASON),
				    "the target proves itself with the secret of this initiator");
	}
}

/* A node for which mutual CHAP is required, and has no secret of the target. */
static void test_mutual_required(void **state)
{
	chap_config(false);
	config.mutual = true;
	begin();
	assert_failed(EVENT_TARGET_SECRET_TOO_SHORT, -EINVAL);
	assert_string_equal(event_get(events[0], FIELD_REASON),
			    "no secret of the target is stored");
	chap_config(true);
	begin();
	target_serve();
	assert_int_equal(last.type, LOGIN_STEP_DONE);
	assert_true(last.result->mutual);
}

/* The target wants another turn before it leaves the security stage. */
static void test_slow_transition(void **state)
{
	chap_config(false);
	begin();
	reply("AuthMethod=CHAP", false, NULL);
	reply(CHALLENGE, false, NULL);
	reply("", false, NULL);
	assert_int_equal(request.login_request.csg, PDU_STAGE_SECURITY);
	assert_true(request.login_request.transit);
	assert_int_equal(request_text.length, 0);
	reply("CHAP_N=x", true, NULL);
	assert_failed(EVENT_CHAP_KEY_INVALID, -EPROTO);
	begin();
	reply("AuthMethod=CHAP", false, NULL);
	reply(CHALLENGE, false, NULL);
	reply("", false, NULL);
	reply("", true, NULL);
	assert_int_equal(request.login_request.csg, PDU_STAGE_OPERATIONAL);
	reply("CHAP_A=5", false, NULL);
	assert_failed(EVENT_CHAP_KEY_INVALID, -EPROTO);
}

static void test_any_target_name(void **state)
{
	chap_config(true);
	config.target_user_name = NULL;
	config.offer.first_burst_length = 65536;
	begin();
	target_serve();
	assert_int_equal(last.type, LOGIN_STEP_DONE);
	assert_true(last.result->mutual);
}

static void test_short_secrets(void **state)
{
	struct secret *secret;

	assert_int_equal(secret_new("12345678901", 11, &secret), 0);
	chap_config(true);
	config.secret = secret;
	begin();
	assert_failed(EVENT_INITIATOR_SECRET_TOO_SHORT, -EINVAL);
	assert_string_equal(event_get(events[0], FIELD_DUMP_SECRET_LENGTH), "11");
	config.secret = NULL;
	begin();
	assert_failed(EVENT_INITIATOR_SECRET_TOO_SHORT, -EINVAL);
	assert_string_equal(event_get(events[0], FIELD_DUMP_SECRET_LENGTH), "0");
	chap_config(true);
	config.target_secret = secret;
	begin();
	assert_failed(EVENT_TARGET_SECRET_TOO_SHORT, -EINVAL);
	secret_free(secret);
	assert_int_equal(secret_new("123456789012", 12, &secret), 0);
	config.target_secret = secret;
	begin();
	assert_int_equal(last.type, LOGIN_STEP_WAIT);
	secret_free(secret);
}

/* As in FIPS mode without a FIPS provider: nothing can be had. */
static void test_no_algorithm(void **state)
{
	chap_config(false);
	assert_int_equal(EVP_default_properties_enable_fips(NULL, 1), 1);
	begin();
	assert_int_equal(EVP_default_properties_enable_fips(NULL, 0), 1);
	assert_failed(EVENT_CHAP_UNAVAILABLE, -EOPNOTSUPP);
	begin();
	assert_int_equal(last.type, LOGIN_STEP_WAIT);
}

static void test_user_name_missing(void **state)
{
	chap_config(false);
	config.user_name = NULL;
	begin();
	assert_failed(EVENT_CHAP_NAME_MISSING, -EINVAL);
}

static void test_impossible_configurations(void **state)
{
	struct login *none = NULL;

	config.initiator_name = NULL;
	assert_int_equal(login_new(&config, &none), -EINVAL);
	teardown(state);
	setup(state);
	chap_config(false);
	config.n_chap_algorithms = 0;
	assert_int_equal(login_new(&config, &none), -EINVAL);
	config.n_chap_algorithms = _CHAP_ALGORITHM_MAX + 1;
	assert_int_equal(login_new(&config, &none), -EINVAL);
	assert_null(none);
	assert_null(login_free(NULL));
}

/* Freed in any state: events and requests that were never taken are not leaked. */
static void test_free_anywhere(void **state)
{
	chap_config(true);
	assert_int_equal(login_new(&config, &login), 0);
	login = login_free(login);
	assert_int_equal(login_new(&config, &login), 0);
	login_timed_out(login);
	login = login_free(login);
}

/* Whatever bytes come, the machine ends or waits. */
static void test_any_bytes(void **state)
{
	static const char alphabet[] = "ACHP_=,0x1MaxBurstLength\0\0\0\0Yes";
	unsigned seed = 1;

	for (unsigned round = 0; round < 3000; round++) {
		uint8_t header[PDU_HEADER_LENGTH], data[256];
		struct pdu response;
		size_t length;

		teardown(state);
		setup(state);
		if (round % 2)
			chap_config(round % 4 == 1);
		begin();
		for (unsigned n = 0; n < 4 && last.type == LOGIN_STEP_WAIT; n++) {
			response = response_to_request();
			length = (seed = seed * 1664525 + 1013904223) >> 24;
			for (size_t i = 0; i < length; i++)
				data[i] = (uint8_t)
					alphabet[((seed = seed * 1664525 + 1013904223) >> 8) %
						 sizeof(alphabet)];
			response.data_length = (uint32_t)length;
			response.login_response.transit = seed & 1;
			response.login_response.nsg = request.login_request.nsg;
			response.login_response.more = seed & 2;
			pdu_encode(&response, header);
			if (round % 3 == 0)
				header[(seed >> 8) % PDU_HEADER_LENGTH] ^=
					(uint8_t)(1U << ((seed >> 16) & 7));
			login_receive(login, header, data, length);
			run();
		}
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_plain),
		TEST(test_result),
		TEST(test_discovery),
		TEST(test_identity),
		TEST(test_chap),
		TEST(test_any_split),
		TEST(test_long_request),
		TEST(test_questions),
		TEST(test_sequence),
		TEST(test_reinstatement_of_connection),
		TEST(test_digests),
		TEST(test_header_faults),
		TEST(test_wrong_tsih_of_session),
		TEST(test_unknown_opcode),
		TEST(test_another_protocol),
		TEST(test_unasked),
		TEST(test_text_faults),
		TEST(test_portal_group),
		TEST(test_rdma),
		TEST(test_limits),
		TEST(test_answer_before_end),
		TEST(test_stat_sn),
		TEST(test_window),
		TEST(test_burst),
		TEST(test_order_refused),
		TEST(test_digest_refused),
		TEST(test_status),
		TEST(test_status_rows),
		TEST(test_chap_required),
		TEST(test_wrong_secret),
		TEST(test_algorithms_refused),
		TEST(test_redirect),
		TEST(test_redirect_unusable),
		TEST(test_redirect_continued),
		TEST(test_redirect_often),
		TEST(test_silence),
		TEST(test_reject),
		TEST(test_chap_faults),
		TEST(test_chap_dumps),
		TEST(test_transition_without_proof),
		TEST(test_long_user_name),
		TEST(test_challenge_length),
		TEST(test_challenge_far_too_long),
		TEST(test_reflection),
		TEST(test_one_secret),
		TEST(test_mutual_required),
		TEST(test_slow_transition),
		TEST(test_any_target_name),
		TEST(test_short_secrets),
		TEST(test_no_algorithm),
		TEST(test_user_name_missing),
		TEST(test_impossible_configurations),
		TEST(test_free_anywhere),
		TEST(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
