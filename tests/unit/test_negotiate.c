// layers: ois-iscsi ois-events ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Negotiation: offers, answers by row, what a peer offers, and two sides against each other.
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
#include "negotiate.h"

static struct negotiation negotiation;
static struct buffer answers;
static struct negotiation_fault fault;

static void begin(bool discovery, const struct iscsi_offer *offer)
{
	struct iscsi_offer init;
	struct buffer out = { 0 };

	if (!offer) {
		iscsi_offer_init(&init);
		offer = &init;
	}
	negotiation_init(&negotiation, NEGOTIATION_INITIATOR, discovery, offer);
	assert_int_equal(negotiation_offer(&negotiation, &out), 0);
	buffer_done(&out);
	buffer_clear(&answers);
}

/* One pair from the target in the operational stage. */
static int receive(const char *text)
{
	struct text_iterator iterator;
	struct text_pair pair;

	text_iterator_init(&iterator, text, strlen(text) + 1);
	assert_int_equal(text_iterator_next(&iterator, &pair, NULL), 1);
	fault = (struct negotiation_fault){ 0 };
	return negotiation_receive(&negotiation, KEY_IN_OPERATIONAL, &pair, &answers, &fault);
}

static bool has(const struct buffer *text, const char *pair)
{
	for (size_t i = 0; i < text->length; i += strlen((char *)text->data + i) + 1)
		if (strcmp((char *)text->data + i, pair) == 0)
			return true;
	return false;
}

static size_t pairs(const struct buffer *text)
{
	size_t n = 0;

	for (size_t i = 0; i < text->length; i += strlen((char *)text->data + i) + 1)
		n++;
	return n;
}

static void test_offer(void **state)
{
	_cleanup_(buffer_done) struct buffer out = { 0 };
	struct iscsi_offer offer;

	iscsi_offer_init(&offer);
	offer.header_digest =
		(struct iscsi_digest_list){ { ISCSI_DIGEST_CRC32C, ISCSI_DIGEST_NONE }, 2 };
	offer.data_digest.n = 0;
	negotiation_init(&negotiation, NEGOTIATION_INITIATOR, false, &offer);
	assert_int_equal(negotiation_offer(&negotiation, &out), 0);
	assert_true(has(&out, "HeaderDigest=CRC32C,None"));
	assert_true(has(&out, "InitialR2T=No"));
	assert_true(has(&out, "ImmediateData=Yes"));
	assert_true(has(&out, "MaxRecvDataSegmentLength=262144"));
	assert_true(has(&out, "FirstBurstLength=262144"));
	assert_int_equal(pairs(&out), 13); /* no DataDigest, nothing of iSER */
	/* A second connection negotiates only what is the connection's. */
	buffer_clear(&out);
	negotiation_init(&negotiation, NEGOTIATION_INITIATOR, false, &offer);
	negotiation.leading = false;
	assert_int_equal(negotiation_offer(&negotiation, &out), 0);
	assert_int_equal(pairs(&out), 2);
	/* Discovery. */
	buffer_clear(&out);
	negotiation_init(&negotiation, NEGOTIATION_INITIATOR, true, &offer);
	assert_int_equal(negotiation_offer(&negotiation, &out), 0);
	assert_false(has(&out, "ImmediateData=Yes"));
	assert_true(has(&out, "ErrorRecoveryLevel=0"));
	assert_int_equal(pairs(&out), 5);
	/* Nothing unsolicited: FirstBurstLength has no meaning. */
	buffer_clear(&out);
	offer.initial_r2t = true;
	offer.immediate_data = false;
	negotiation_init(&negotiation, NEGOTIATION_INITIATOR, false, &offer);
	assert_int_equal(negotiation_offer(&negotiation, &out), 0);
	assert_false(has(&out, "FirstBurstLength=262144"));
	/* iSER. */
	buffer_clear(&out);
	offer.rdma_extensions = true;
	negotiation_init(&negotiation, NEGOTIATION_INITIATOR, false, &offer);
	assert_int_equal(negotiation_offer(&negotiation, &out), 0);
	assert_true(has(&out, "RDMAExtensions=Yes"));
	assert_true(has(&out, "InitiatorRecvDataSegmentLength=262144"));
	assert_true(has(&out, "TargetRecvDataSegmentLength=8192"));
	/* What the target was quicker to offer is answered already. */
	buffer_clear(&out);
	negotiation_init(&negotiation, NEGOTIATION_INITIATOR, false, &offer);
	assert_int_equal(receive("MaxBurstLength=512"), 0);
	assert_true(has(&answers, "MaxBurstLength=512"));
	assert_int_equal(negotiation_offer(&negotiation, &out), 0);
	assert_false(has(&out, "MaxBurstLength=16776192"));
	assert_true(has(&out, "RDMAExtensions=Yes"));
	/* No room. */
	buffer_done(&out);
	out.limit = 20;
	negotiation_init(&negotiation, NEGOTIATION_INITIATOR, false, &offer);
	assert_int_equal(negotiation_offer(&negotiation, &out), -E2BIG);
}

static void test_answers(void **state)
{
	static const struct {
		const char *answer;
		int result;
		enum iscsi_key key;
		uint32_t value;
	} rows[] = {
		/* offered: No, OR */
		{ "InitialR2T=Yes", 0, ISCSI_KEY_INITIAL_R2T, 1 },
		{ "InitialR2T=No", 0, ISCSI_KEY_INITIAL_R2T, 0 },
		{ "InitialR2T=yes", -EPROTO, 0, 0 },
		{ "InitialR2T=Reject", 0, ISCSI_KEY_INITIAL_R2T, 1 },
		/* offered: Yes, AND */
		{ "ImmediateData=No", 0, ISCSI_KEY_IMMEDIATE_DATA, 0 },
		{ "ImmediateData=Yes", 0, ISCSI_KEY_IMMEDIATE_DATA, 1 },
		/* offered: Yes, OR */
		{ "DataPDUInOrder=Yes", 0, ISCSI_KEY_DATA_PDU_IN_ORDER, 1 },
		{ "DataPDUInOrder=No", -EPROTO, 0, 0 },
		{ "DataSequenceInOrder=No", -EPROTO, 0, 0 },
		/* offered: 16776192, minimum */
		{ "MaxBurstLength=262144", 0, ISCSI_KEY_MAX_BURST_LENGTH, 262144 },
		{ "MaxBurstLength=0x40000", 0, ISCSI_KEY_MAX_BURST_LENGTH, 262144 },
		{ "MaxBurstLength=16776192", 0, ISCSI_KEY_MAX_BURST_LENGTH, 16776192 },
		{ "MaxBurstLength=16776193", -EPROTO, 0, 0 },
		{ "MaxBurstLength=511", -EPROTO, 0, 0 },
		{ "MaxBurstLength=16777216", -EPROTO, 0, 0 },
		{ "MaxBurstLength=", -EPROTO, 0, 0 },
		{ "MaxBurstLength=12 ", -EPROTO, 0, 0 },
		{ "MaxBurstLength=NotUnderstood", 0, ISCSI_KEY_MAX_BURST_LENGTH, 262144 },
		{ "MaxBurstLength=Irrelevant", 0, ISCSI_KEY_MAX_BURST_LENGTH, 262144 },
		/* offered: 2, maximum */
		{ "DefaultTime2Wait=2", 0, ISCSI_KEY_DEFAULT_TIME2WAIT, 2 },
		{ "DefaultTime2Wait=60", 0, ISCSI_KEY_DEFAULT_TIME2WAIT, 60 },
		{ "DefaultTime2Wait=1", 0, ISCSI_KEY_DEFAULT_TIME2WAIT, 2 }, /* tolerated */
		{ "DefaultTime2Wait=3601", -EPROTO, 0, 0 },
		/* offered: None */
		{ "HeaderDigest=None", 0, ISCSI_KEY_HEADER_DIGEST, 0 },
		{ "HeaderDigest=CRC32C", -EPROTO, 0, 0 },
		{ "HeaderDigest=Reject", 0, ISCSI_KEY_HEADER_DIGEST, 0 },
		{ "HeaderDigest=crc32c", -EPROTO, 0, 0 },
		/* declared */
		{ "MaxRecvDataSegmentLength=65536", 0, ISCSI_KEY_MAX_RECV_DATA_SEGMENT_LENGTH,
		  65536 },
		{ "MaxRecvDataSegmentLength=0", -EPROTO, 0, 0 },
		{ "MaxRecvDataSegmentLength=NotUnderstood", 0,
		  ISCSI_KEY_MAX_RECV_DATA_SEGMENT_LENGTH, 8192 },
		/* not the target's to send, or not here */
		{ "InitiatorName=iqn.2001-04.com.example", -EPROTO, 0, 0 },
		{ "SessionType=Normal", -EPROTO, 0, 0 },
		{ "SendTargets=All", -EPROTO, 0, 0 },
		{ "AuthMethod=None", -EPROTO, 0, 0 },
		{ "TargetAlias=\n", -EPROTO, 0, 0 },
		{ "TargetPortalGroupTag=65536", -EPROTO, 0, 0 },
		/* answers to what nobody asked */
		{ "TaskReporting=NotUnderstood", -EPROTO, 0, 0 },
		{ "X-com.example.x=NotUnderstood", -EPROTO, 0, 0 },
		{ "X-com.example.x=Reject", -EPROTO, 0, 0 },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		begin(false, NULL);
		assert_int_equal(receive(rows[i].answer), rows[i].result);
		if (rows[i].result < 0)
			assert_non_null(fault.reason);
		else
			assert_int_equal(
				key_result_get(key_row(rows[i].key), &negotiation.parameters),
				rows[i].value);
		assert_int_equal(answers.length, 0);
		assert_false(negotiation.owes_answer);
	}
}

static void test_target_offers(void **state)
{
	static const struct {
		bool discovery;
		const char *offer, *answer;
		bool owes;
	} rows[] = {
		{ false, "TaskReporting=FastAbort,RFC3720", "TaskReporting=RFC3720", true },
		{ false, "TaskReporting=FastAbort", "TaskReporting=Reject", true },
		{ true, "TaskReporting=RFC3720", "TaskReporting=Irrelevant", false },
		{ false, "iSCSIProtocolLevel=2", "iSCSIProtocolLevel=1", true },
		{ false, "iSCSIProtocolLevel=0", "iSCSIProtocolLevel=0", true },
		{ false, "iSCSIProtocolLevel=32", "iSCSIProtocolLevel=Reject", true },
		{ true, "MaxBurstLength=512", "MaxBurstLength=Irrelevant", false },
		{ false, "OFMarker=No", "OFMarker=No", false },
		{ false, "IFMarker=Yes", "IFMarker=No", true },
		{ false, "IFMarker=maybe", "IFMarker=Reject", true },
		{ false, "IFMarkInt=2048~8192", "IFMarkInt=Reject", true },
		{ false, "RDMAExtensions=Yes", "RDMAExtensions=No", true },
		{ false, "TargetRecvDataSegmentLength=8192",
		  "TargetRecvDataSegmentLength=Irrelevant", false },
		{ false, "X-com.example.x=5", "X-com.example.x=NotUnderstood", false },
		{ false, "Whatever=5", "Whatever=NotUnderstood", false },
		{ false, "MaxRecvDataSegmentLength=?", "MaxRecvDataSegmentLength=262144", true },
		{ false, "MaxBurstLength=?", "MaxBurstLength=262144", true },
		{ false, "TargetAlias=?", "TargetAlias=NotUnderstood", true },
		{ false, "TargetPortalGroupTag=?", "TargetPortalGroupTag=NotUnderstood", true },
		{ false, "TaskReporting=?", "TaskReporting=RFC3720", true },
		{ false, "HeaderDigest=?", "HeaderDigest=None", true },
		{ false, "OFMarkInt=?", "OFMarkInt=Reject", true },
		{ false, "X#NodeArchitecture=x86", NULL, false },
		{ false, "MaxOutstandingUnexpectedPDUs=0", NULL, false },
		{ false, "TargetAddress=192.0.2.1", NULL, false },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		begin(rows[i].discovery, NULL);
		assert_int_equal(receive(rows[i].offer), 0);
		assert_int_equal(pairs(&answers), rows[i].answer ? 1 : 0);
		if (rows[i].answer)
			assert_true(has(&answers, rows[i].answer));
		assert_int_equal(negotiation.owes_answer, rows[i].owes);
	}
}

/* As long as the longest value of a known key, and not longer. */
static void test_unknown_length(void **state)
{
	char text[ISCSI_LONG_VALUE_MAX + 8] = "X-y=";

	memset(text + 4, 'a', ISCSI_LONG_VALUE_MAX);
	begin(false, NULL);
	assert_int_equal(receive(text), 0);
	assert_true(has(&answers, "X-y=NotUnderstood"));
	text[4 + ISCSI_LONG_VALUE_MAX] = 'a';
	assert_int_equal(receive(text), -EPROTO);
	assert_string_equal(fault.reason, "the value is longer than allowed");
}

static void test_repetition(void **state)
{
	begin(false, NULL);
	negotiation.leniencies.strict = true;
	assert_int_equal(receive("MaxBurstLength=512"), 0);
	assert_int_equal(receive("MaxBurstLength=512"), -EPROTO);
	assert_int_equal(fault.key, ISCSI_KEY_MAX_BURST_LENGTH);
	assert_int_equal(receive("TargetAlias=a"), 0);
	assert_int_equal(receive("TargetAlias=a"), -EPROTO);
	assert_int_equal(receive("TargetAddress=a"), 0);
	assert_int_equal(receive("TargetAddress=b"), 0);
	assert_int_equal(receive("TaskReporting=RFC3720"), 0);
	assert_int_equal(receive("TaskReporting=RFC3720"), -EPROTO);
	/* What is tolerated: the same again; never another value, nor a second offer. */
	begin(false, NULL);
	assert_int_equal(receive("MaxBurstLength=512"), 0);
	assert_int_equal(receive("MaxBurstLength=0x200"), 0);
	assert_int_equal(receive("MaxBurstLength=513"), -EPROTO);
	assert_int_equal(receive("MaxBurstLength=x"), -EPROTO);
	assert_int_equal(receive("TargetAlias=a"), 0);
	assert_int_equal(receive("TargetAlias=a"), 0);
	assert_int_equal(receive("TargetAlias=b"), -EPROTO);
	assert_int_equal(receive("TargetPortalGroupTag=5"), 0);
	assert_int_equal(receive("TargetPortalGroupTag=5"), 0);
	assert_int_equal(receive("TargetPortalGroupTag=6"), -EPROTO);
	assert_int_equal(receive("MaxRecvDataSegmentLength=512"), 0);
	assert_int_equal(receive("MaxRecvDataSegmentLength=512"), 0);
	assert_int_equal(receive("MaxRecvDataSegmentLength=1024"), -EPROTO);
	assert_int_equal(receive("iSCSIProtocolLevel=1"), 0);
	assert_int_equal(receive("iSCSIProtocolLevel=1"), -EPROTO);
	assert_int_equal(receive("OFMarker=No"), 0);
	assert_int_equal(receive("OFMarker=No"), -EPROTO);
	assert_int_equal(receive("MaxOutstandingUnexpectedPDUs=4"), 0);
	assert_int_equal(receive("MaxOutstandingUnexpectedPDUs=4"), 0);
	assert_int_equal(receive("MaxOutstandingUnexpectedPDUs=5"), -EPROTO);
	assert_int_equal(negotiation.leniencies.used, 1U << LENIENCY_KEY_REPEATED);
}

static void test_declared(void **state)
{
	char text[sizeof("TargetAlias=") + ISCSI_VALUE_MAX + 1] = "TargetAlias=";

	begin(false, NULL);
	assert_int_equal(receive("TargetPortalGroupTag=7"), 0);
	assert_int_equal(negotiation.portal_group_tag, 7);
	memset(text + 12, 'x', ISCSI_VALUE_MAX + 1);
	text[12 + ISCSI_VALUE_MAX + 1] = '\0';
	assert_int_equal(receive(text), -EPROTO);
	text[12 + ISCSI_VALUE_MAX] = '\0';
	begin(false, NULL);
	assert_int_equal(receive(text), 0);
	assert_int_equal(strlen(negotiation.target_alias), ISCSI_VALUE_MAX);
}

static void test_digest_list(void **state)
{
	struct iscsi_offer offer;

	iscsi_offer_init(&offer);
	offer.header_digest =
		(struct iscsi_digest_list){ { ISCSI_DIGEST_CRC32C, ISCSI_DIGEST_NONE }, 2 };
	begin(false, &offer);
	assert_int_equal(receive("HeaderDigest=CRC32C"), 0);
	assert_true(negotiation.parameters.header_digest);
	begin(false, &offer);
	assert_int_equal(receive("HeaderDigest=None"), 0);
	assert_false(negotiation.parameters.header_digest);
	begin(false, &offer);
	assert_int_equal(receive("HeaderDigest=CRC32C,None"), -EPROTO);
	offer.header_digest = (struct iscsi_digest_list){ { ISCSI_DIGEST_CRC32C }, 1 };
	begin(false, &offer);
	assert_int_equal(receive("HeaderDigest=None"), -EPROTO);
}

/* A target's own list, answered from ours. */
static void test_digest_list_of_target(void **state)
{
	static const struct {
		struct iscsi_digest_list ours;
		const char *theirs, *answer;
	} rows[] = {
		{ { .n = 0 }, "HeaderDigest=CRC32C,None", "HeaderDigest=None" },
		{ { .n = 0 }, "HeaderDigest=CRC32C", "HeaderDigest=Reject" },
		{ { { ISCSI_DIGEST_NONE }, 1 },
		  "HeaderDigest=X-a,CRC32C,None",
		  "HeaderDigest=None" },
		{ { { ISCSI_DIGEST_CRC32C, ISCSI_DIGEST_NONE }, 2 },
		  "HeaderDigest=None,CRC32C",
		  "HeaderDigest=None" },
		{ { { ISCSI_DIGEST_NONE, ISCSI_DIGEST_CRC32C }, 2 },
		  "HeaderDigest=CRC32C,None",
		  "HeaderDigest=CRC32C" },
		{ { { ISCSI_DIGEST_CRC32C }, 1 }, "HeaderDigest=None", "HeaderDigest=Reject" },
		{ { { ISCSI_DIGEST_CRC32C }, 1 }, "HeaderDigest=", "HeaderDigest=Reject" },
	};
	struct iscsi_offer offer;

	iscsi_offer_init(&offer);
	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		offer.header_digest = rows[i].ours;
		buffer_clear(&answers);
		negotiation_init(&negotiation, NEGOTIATION_INITIATOR, false, &offer);
		assert_int_equal(receive(rows[i].theirs), 0);
		assert_int_equal(pairs(&answers), 1);
		assert_true(has(&answers, rows[i].answer));
		assert_true(negotiation.owes_answer);
		assert_int_equal(negotiation.parameters.header_digest,
				 strcmp(rows[i].answer, "HeaderDigest=CRC32C") == 0);
	}
}

/* RFC 7145, 6 */
static void test_iser(void **state)
{
	struct iscsi_offer offer;

	iscsi_offer_init(&offer);
	offer.rdma_extensions = true;
	offer.header_digest = (struct iscsi_digest_list){ { ISCSI_DIGEST_CRC32C }, 1 };
	offer.max_recv_data_segment_length = 1024;
	begin(false, &offer);
	negotiation.leniencies.strict = true;
	assert_int_equal(receive("RDMAExtensions=Yes"), 0);
	assert_int_equal(receive("InitiatorRecvDataSegmentLength=4096"), 0);
	assert_int_equal(receive("TargetRecvDataSegmentLength=2048"), 0);
	assert_int_equal(receive("MaxRecvDataSegmentLength=512"), 0);
	assert_int_equal(receive("MaxOutstandingUnexpectedPDUs=0"), 0);
	assert_int_equal(receive("MaxAHSLength=1"), -EPROTO);
	assert_int_equal(receive("HeaderDigest=CRC32C"), 0);
	negotiation.leniencies.strict = false;
	assert_int_equal(negotiation_finish(&negotiation, &fault), 0);
	assert_true(negotiation.parameters.rdma_extensions);
	assert_int_equal(negotiation.parameters.max_recv_data_segment_length, 4096);
	assert_int_equal(negotiation.parameters.max_xmit_data_segment_length, 2048);
	assert_false(negotiation.parameters.header_digest);
	/* Without the extensions, what goes with them needs no answer; and they may be unknown. */
	static const char *const declined[] = { "RDMAExtensions=No",
						"RDMAExtensions=NotUnderstood" };
	for (size_t i = 0; i < ELEMENTSOF(declined); i++) {
		begin(false, &offer);
		negotiation.leniencies.strict = true;
		for (enum iscsi_key key = 0; key < ISCSI_KEY_RDMA_EXTENSIONS; key++)
			negotiation.offered[key] = false;
		assert_int_equal(receive(declined[i]), 0);
		assert_int_equal(negotiation_finish(&negotiation, &fault), 0);
		assert_false(negotiation.parameters.rdma_extensions);
	}
	/* With them, it does. */
	begin(false, &offer);
	negotiation.leniencies.strict = true;
	for (enum iscsi_key key = 0; key < ISCSI_KEY_RDMA_EXTENSIONS; key++)
		negotiation.offered[key] = false;
	assert_int_equal(receive("RDMAExtensions=Yes"), 0);
	assert_int_equal(receive("InitiatorRecvDataSegmentLength=4096"), 0);
	assert_int_equal(negotiation_finish(&negotiation, &fault), -EPROTO);
	assert_int_equal(fault.key, ISCSI_KEY_TARGET_RECV_DATA_SEGMENT_LENGTH);
}

/* RFC 7143, 13: a key of the first connection has no place on a further one. */
static void test_further_connection(void **state)
{
	begin(false, NULL);
	negotiation.leading = false;
	assert_int_equal(receive("MaxBurstLength=512"), -EPROTO);
	assert_int_equal(receive("TaskReporting=RFC3720"), -EPROTO);
	assert_int_equal(receive("X#NodeArchitecture=x"), -EPROTO);
	assert_int_equal(receive("TargetPortalGroupTag=1"), 0);
	assert_int_equal(receive("TargetAlias=a"), 0);
	assert_int_equal(receive("MaxRecvDataSegmentLength=512"), 0);
	assert_int_equal(receive("HeaderDigest=None"), 0);
}

/* Whoever authenticates takes the keys of that himself; here they have no value. */
static void test_authentication_keys(void **state)
{
	static const char *const texts[] = { "KRB_AP_REP=0x00", "SRP_s=0x00" };
	struct text_iterator iterator;
	struct text_pair pair;

	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		begin(false, NULL);
		text_iterator_init(&iterator, texts[i], strlen(texts[i]) + 1);
		assert_int_equal(text_iterator_next(&iterator, &pair, NULL), 1);
		assert_int_equal(
			negotiation_receive(&negotiation, KEY_IN_SECURITY, &pair, &answers, &fault),
			-EPROTO);
	}
}

/* Keys nobody answered take the default, as far as the offer allows it. */
static void test_finish(void **state)
{
	struct iscsi_offer offer;

	iscsi_offer_init(&offer);
	offer.immediate_data = false;
	offer.max_burst_length = 1024;
	begin(false, &offer);
	assert_int_equal(negotiation_finish(&negotiation, &fault), 0);
	assert_true(negotiation.parameters.initial_r2t);
	assert_false(negotiation.parameters.immediate_data);
	assert_int_equal(negotiation.parameters.max_burst_length, 1024);
	assert_int_equal(negotiation.parameters.default_time2retain, 0);
	assert_int_equal(negotiation.parameters.max_recv_data_segment_length, 262144);
	assert_int_equal(negotiation.parameters.max_xmit_data_segment_length, 8192);
	assert_false(negotiation.parameters.header_digest);
	begin(false, NULL);
	assert_int_equal(receive("MaxBurstLength=512"), 0);
	assert_int_equal(negotiation_finish(&negotiation, &fault), 0);
	assert_int_equal(negotiation.parameters.max_burst_length, 512);
}

static void feed(struct negotiation *to, const struct buffer *text, struct buffer *out)
{
	struct text_iterator iterator;
	struct text_pair pair;
	int r;

	text_iterator_init(&iterator, text->data, text->length);
	while ((r = text_iterator_next(&iterator, &pair, NULL)) > 0)
		assert_int_equal(negotiation_receive(to, KEY_IN_OPERATIONAL, &pair, out, &fault),
				 0);
	assert_int_equal(r, 0);
}

static unsigned seed = 1;

static uint32_t chance(uint32_t minimum, uint32_t maximum)
{
	seed = seed * 1664525 + 1013904223;
	return minimum + (uint32_t)((uint64_t)(seed >> 8) * (maximum - minimum + 1) >> 24);
}

static void random_offer(struct iscsi_offer *offer)
{
	iscsi_offer_init(offer);
	offer->header_digest.n = chance(1, 2);
	for (size_t i = 0; i < offer->header_digest.n; i++)
		offer->header_digest.digest[i] =
			i == 0 ? chance(0, 1) : !offer->header_digest.digest[0];
	if (offer->header_digest.n == 1)
		offer->header_digest.digest[0] = ISCSI_DIGEST_NONE;
	offer->initial_r2t = chance(0, 1);
	offer->immediate_data = chance(0, 1);
	offer->max_recv_data_segment_length = chance(512, 16777215);
	offer->max_burst_length = chance(512, 16777215);
	offer->first_burst_length = chance(512, 16777215);
	offer->default_time2wait = chance(0, 3600);
	offer->default_time2retain = chance(0, 3600);
	offer->max_outstanding_r2t = chance(1, 65535);
	offer->error_recovery_level = chance(0, 2);
	offer->data_pdu_in_order = chance(0, 1);
}

/* Two sides of our own, with any offers, end with the same parameters. */
static void test_two_sides(void **state)
{
	for (unsigned round = 0; round < 2000; round++) {
		struct negotiation initiator, target;
		struct buffer offers = { 0 }, reply = { 0 }, none = { 0 };
		struct iscsi_offer a, b;

		random_offer(&a);
		random_offer(&b);
		negotiation_init(&initiator, NEGOTIATION_INITIATOR, false, &a);
		negotiation_init(&target, NEGOTIATION_TARGET, false, &b);
		assert_int_equal(negotiation_offer(&initiator, &offers), 0);
		feed(&target, &offers, &reply);
		assert_int_equal(text_write_number(&reply, "MaxRecvDataSegmentLength",
						   b.max_recv_data_segment_length),
				 0);
		feed(&initiator, &reply, &none);
		assert_int_equal(negotiation_finish(&initiator, &fault), 0);
		assert_int_equal(none.length, 0);
		assert_int_equal(initiator.parameters.max_xmit_data_segment_length,
				 b.max_recv_data_segment_length);
		assert_int_equal(target.parameters.max_xmit_data_segment_length,
				 a.max_recv_data_segment_length);
		for (enum iscsi_key key = 0; key < _ISCSI_KEY_MAX; key++) {
			const struct key_row *row = key_row(key);

			/* What is irrelevant to one side has no value there. */
			if (row->result == KEY_NOWHERE || row->function == KEY_DECLARATIVE ||
			    row->unless & (KEY_UNLESS_NO_UNSOLICITED | KEY_UNLESS_NO_RDMA))
				continue;
			assert_int_equal(key_result_get(row, &initiator.parameters),
					 key_result_get(row, &target.parameters));
		}
		buffer_done(&offers);
		buffer_done(&reply);
		buffer_done(&none);
	}
}

static int teardown(void **state)
{
	buffer_done(&answers);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offer),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_target_offers),
		cmocka_unit_test(test_unknown_length),
		cmocka_unit_test(test_repetition),
		cmocka_unit_test(test_declared),
		cmocka_unit_test(test_digest_list),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_two_sides),
		cmocka_unit_test(test_digest_list_of_target),
		cmocka_unit_test(test_iser),
		cmocka_unit_test(test_further_connection),
		cmocka_unit_test(test_authentication_keys),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
