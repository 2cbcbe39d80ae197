// layers: ois-iscsi ois-events ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The key table against what the RFCs print under each key, and the offers and parameters made from
 * it.
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
#include "keys.h"

/* RFC 7143, chapter 13, and RFC 7145, chapter 6, written down apart from the table. */
static const struct {
	const char *name;
	enum key_type type;
	enum key_function function;
	uint32_t def, minimum, maximum;
	bool leading_only, discovery_irrelevant;
} expected[] = {
	{ "HeaderDigest", KEY_LIST, KEY_FIRST_COMMON, ISCSI_DIGEST_NONE, 0, 0, false, false },
	{ "DataDigest", KEY_LIST, KEY_FIRST_COMMON, ISCSI_DIGEST_NONE, 0, 0, false, false },
	{ "MaxConnections", KEY_NUMBER, KEY_MINIMUM, 1, 1, 65535, true, true },
	{ "InitialR2T", KEY_BOOLEAN, KEY_OR, 1, 0, 0, true, true },
	{ "ImmediateData", KEY_BOOLEAN, KEY_AND, 1, 0, 0, true, true },
	{ "MaxRecvDataSegmentLength", KEY_NUMBER, KEY_DECLARATIVE, 8192, 512, 16777215, false,
	  false },
	{ "MaxBurstLength", KEY_NUMBER, KEY_MINIMUM, 262144, 512, 16777215, true, true },
	{ "FirstBurstLength", KEY_NUMBER, KEY_MINIMUM, 65536, 512, 16777215, true, true },
	{ "DefaultTime2Wait", KEY_NUMBER, KEY_MAXIMUM, 2, 0, 3600, true, false },
	{ "DefaultTime2Retain", KEY_NUMBER, KEY_MINIMUM, 20, 0, 3600, true, false },
	{ "MaxOutstandingR2T", KEY_NUMBER, KEY_MINIMUM, 1, 1, 65535, true, true },
	{ "DataPDUInOrder", KEY_BOOLEAN, KEY_OR, 1, 0, 0, true, true },
	{ "DataSequenceInOrder", KEY_BOOLEAN, KEY_OR, 1, 0, 0, true, true },
	{ "ErrorRecoveryLevel", KEY_NUMBER, KEY_MINIMUM, 0, 0, 2, true, false },
	{ "TaskReporting", KEY_LIST, KEY_FIRST_COMMON, 0, 0, 0, true, true },
	{ "iSCSIProtocolLevel", KEY_NUMBER, KEY_MINIMUM, 1, 0, 31, true, true },
	{ "TargetPortalGroupTag", KEY_NUMBER, KEY_DECLARATIVE, 0, 0, 65535, false, false },
	{ "RDMAExtensions", KEY_BOOLEAN, KEY_AND, 0, 0, 0, true, true },
	{ "TargetRecvDataSegmentLength", KEY_NUMBER, KEY_MINIMUM, 8192, 512, 16777215, false,
	  false },
	{ "InitiatorRecvDataSegmentLength", KEY_NUMBER, KEY_MINIMUM, 8192, 512, 16777215, false,
	  false },
	{ "MaxOutstandingUnexpectedPDUs", KEY_NUMBER, KEY_DECLARATIVE, 0, 2, UINT32_MAX, true,
	  true },
	{ "MaxAHSLength", KEY_NUMBER, KEY_DECLARATIVE, 256, 2, UINT32_MAX, true, true },
};

static void test_rows(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(expected); i++) {
		const struct key_row *row;
		enum iscsi_key key;

		assert_int_equal(key_from_name(expected[i].name, strlen(expected[i].name), &key),
				 0);
		row = key_row(key);
		assert_string_equal(row->name, expected[i].name);
		assert_int_equal(row->type, expected[i].type);
		assert_int_equal(row->function, expected[i].function);
		assert_int_equal(row->def, expected[i].def);
		assert_int_equal(row->range.minimum, expected[i].minimum);
		assert_int_equal(row->range.maximum, expected[i].maximum);
		assert_int_equal((row->use & KEY_LEADING_ONLY) != 0, expected[i].leading_only);
		assert_int_equal((row->unless & KEY_UNLESS_DISCOVERY) != 0,
				 expected[i].discovery_irrelevant);
	}
}

static void test_every_row(void **state)
{
	for (enum iscsi_key key = 0; key < _ISCSI_KEY_MAX; key++) {
		const struct key_row *row = key_row(key);
		enum iscsi_key found;

		assert_non_null(row->name);
		assert_true(strlen(row->name) <= 63);
		assert_non_null(row->rfc);
		assert_true(row->use &
			    (KEY_IN_SECURITY | KEY_IN_OPERATIONAL | KEY_IN_FULL_FEATURE));
		assert_true(row->sender);
		assert_int_equal(key_from_name(row->name, strlen(row->name), &found), 0);
		assert_int_equal(found, key);
		assert_true(row->range.minimum <= row->range.maximum);
		if (row->offer != KEY_NOWHERE)
			assert_true(row->offer < sizeof(struct iscsi_offer));
		if (row->result != KEY_NOWHERE)
			assert_true(row->result < sizeof(struct iscsi_parameters));
		if (row->type == KEY_LIST && row->result != KEY_NOWHERE)
			assert_int_equal(row->n_values, _ISCSI_DIGEST_MAX);
	}
}

static void test_names(void **state)
{
	static const char *const unknown[] = { "", "headerdigest", "HeaderDiges", "HeaderDigestX",
					       "X-a" };
	enum iscsi_key key = ISCSI_KEY_CHAP_A;

	for (size_t i = 0; i < ELEMENTSOF(unknown); i++)
		assert_int_equal(key_from_name(unknown[i], strlen(unknown[i]), &key), -ENOENT);
	assert_int_equal(key, ISCSI_KEY_CHAP_A);
	assert_string_equal(iscsi_digest_to_string(ISCSI_DIGEST_CRC32C), "CRC32C");
	assert_int_equal(iscsi_digest_from_string("None"), ISCSI_DIGEST_NONE);
	assert_int_equal(iscsi_digest_from_string("crc32c"), -EINVAL);
}

static void test_defaults(void **state)
{
	struct iscsi_parameters p;
	struct iscsi_offer offer;

	iscsi_parameters_init(&p);
	assert_false(p.header_digest);
	assert_false(p.data_digest);
	assert_int_equal(p.max_connections, 1);
	assert_true(p.initial_r2t);
	assert_true(p.immediate_data);
	assert_int_equal(p.max_recv_data_segment_length, 8192);
	assert_int_equal(p.max_xmit_data_segment_length, 8192);
	assert_int_equal(p.max_burst_length, 262144);
	assert_int_equal(p.first_burst_length, 65536);
	assert_int_equal(p.default_time2wait, 2);
	assert_int_equal(p.default_time2retain, 20);
	assert_int_equal(p.max_outstanding_r2t, 1);
	assert_true(p.data_pdu_in_order);
	assert_true(p.data_sequence_in_order);
	assert_int_equal(p.error_recovery_level, 0);
	assert_int_equal(p.iscsi_protocol_level, 1);
	assert_false(p.rdma_extensions);
	assert_int_equal(p.max_ahs_length, 256);

	/* What is offered unasked lies within the ranges. */
	iscsi_offer_init(&offer);
	for (enum iscsi_key key = 0; key < _ISCSI_KEY_MAX; key++) {
		const struct key_row *row = key_row(key);

		if (row->offer == KEY_NOWHERE || row->type != KEY_NUMBER)
			continue;
		assert_in_range(key_offer_get(row, &offer), row->range.minimum, row->range.maximum);
	}
}

static void test_members(void **state)
{
	struct iscsi_parameters p;

	/* Each result has a place of its own. */
	for (enum iscsi_key key = 0; key < _ISCSI_KEY_MAX; key++) {
		const struct key_row *row = key_row(key);

		if (row->result == KEY_NOWHERE)
			continue;
		iscsi_parameters_init(&p);
		key_result_set(row, &p, row->type == KEY_NUMBER ? 77 : 1);
		assert_int_equal(key_result_get(row, &p), row->type == KEY_NUMBER ? 77 : 1);
		key_result_set(row, &p, 0);
		assert_int_equal(key_result_get(row, &p), 0);
		for (enum iscsi_key other = 0; other < _ISCSI_KEY_MAX; other++)
			if (other != key && key_row(other)->result != KEY_NOWHERE)
				assert_int_equal(key_result_get(key_row(other), &p),
						 key_row(other)->def);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),    cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_names),   cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
