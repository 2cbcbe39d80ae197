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

/*
 * RFC 7143, chapters 12 and 13, and RFC 7145, chapter 6, written down apart from the table and in
 * their words: when a key is used (S: in the security stage alone; IO: at login; LO: at the login
 * of the first connection; LO+: that, in any stage; IO+: at login, in any stage; ALL, FFPO), who
 * sends it, its scope, and what makes it irrelevant (D: discovery, U: no unsolicited data, R: no
 * RDMA).
 */
static const struct {
	const char *name;
	enum key_type type;
	enum key_function function;
	const char *use, *senders, *scope, *irrelevant;
	uint32_t def, minimum, maximum;
} expected[] = {
	{ "AuthMethod", KEY_LIST, KEY_FIRST_COMMON, "S", "IT", "CO", "", 0, 0, 0 },
	{ "CHAP_A", KEY_TEXT, KEY_DECLARATIVE, "S", "IT", "CO", "", 0, 0, 0 },
	{ "CHAP_I", KEY_NUMBER, KEY_DECLARATIVE, "S", "IT", "CO", "", 0, 0, 255 },
	{ "CHAP_C", KEY_BINARY, KEY_DECLARATIVE, "S", "IT", "CO", "", 0, 0, 0 },
	{ "CHAP_N", KEY_TEXT, KEY_DECLARATIVE, "S", "IT", "CO", "", 0, 0, 0 },
	{ "CHAP_R", KEY_BINARY, KEY_DECLARATIVE, "S", "IT", "CO", "", 0, 0, 0 },
	{ "KRB_AP_REQ", KEY_BINARY, KEY_DECLARATIVE, "S", "IT", "CO", "", 0, 0, 0 },
	{ "KRB_AP_REP", KEY_BINARY, KEY_DECLARATIVE, "S", "IT", "CO", "", 0, 0, 0 },
	{ "SRP_U", KEY_TEXT, KEY_DECLARATIVE, "S", "IT", "CO", "", 0, 0, 0 },
	{ "SRP_GROUP", KEY_TEXT, KEY_DECLARATIVE, "S", "IT", "CO", "", 0, 0, 0 },
	{ "SRP_A", KEY_BINARY, KEY_DECLARATIVE, "S", "IT", "CO", "", 0, 0, 0 },
	{ "SRP_B", KEY_BINARY, KEY_DECLARATIVE, "S", "IT", "CO", "", 0, 0, 0 },
	{ "SRP_M", KEY_BINARY, KEY_DECLARATIVE, "S", "IT", "CO", "", 0, 0, 0 },
	{ "SRP_HM", KEY_BINARY, KEY_DECLARATIVE, "S", "IT", "CO", "", 0, 0, 0 },
	{ "SRP_s", KEY_BINARY, KEY_DECLARATIVE, "S", "IT", "CO", "", 0, 0, 0 },
	{ "TargetAuth", KEY_BOOLEAN, KEY_DECLARATIVE, "S", "IT", "CO", "", 0, 0, 0 },
	{ "HeaderDigest", KEY_LIST, KEY_FIRST_COMMON, "IO", "IT", "CO", "", ISCSI_DIGEST_NONE, 0,
	  0 },
	{ "DataDigest", KEY_LIST, KEY_FIRST_COMMON, "IO", "IT", "CO", "", ISCSI_DIGEST_NONE, 0, 0 },
	{ "MaxConnections", KEY_NUMBER, KEY_MINIMUM, "LO", "IT", "SW", "D", 1, 1, 65535 },
	{ "SendTargets", KEY_TEXT, KEY_DECLARATIVE, "FFPO", "I", "SW", "", 0, 0, 0 },
	{ "TargetName", KEY_TEXT, KEY_DECLARATIVE, "IO+", "I", "SW", "", 0, 0, 0 },
	{ "InitiatorName", KEY_TEXT, KEY_DECLARATIVE, "IO+", "I", "SW", "", 0, 0, 0 },
	{ "TargetAlias", KEY_TEXT, KEY_DECLARATIVE, "ALL", "T", "SW", "", 0, 0, 0 },
	{ "InitiatorAlias", KEY_TEXT, KEY_DECLARATIVE, "ALL", "I", "SW", "", 0, 0, 0 },
	{ "TargetAddress", KEY_TEXT, KEY_DECLARATIVE, "ALL", "T", "SW", "", 0, 0, 0 },
	{ "TargetPortalGroupTag", KEY_NUMBER, KEY_DECLARATIVE, "IO+", "T", "SW", "", 0, 0, 65535 },
	{ "InitialR2T", KEY_BOOLEAN, KEY_OR, "LO", "IT", "SW", "D", 1, 0, 0 },
	{ "ImmediateData", KEY_BOOLEAN, KEY_AND, "LO", "IT", "SW", "D", 1, 0, 0 },
	{ "MaxRecvDataSegmentLength", KEY_NUMBER, KEY_DECLARATIVE, "IO FFPO", "IT", "CO", "", 8192,
	  512, 16777215 },
	{ "MaxBurstLength", KEY_NUMBER, KEY_MINIMUM, "LO", "IT", "SW", "D", 262144, 512, 16777215 },
	{ "FirstBurstLength", KEY_NUMBER, KEY_MINIMUM, "LO", "IT", "SW", "DU", 65536, 512,
	  16777215 },
	{ "DefaultTime2Wait", KEY_NUMBER, KEY_MAXIMUM, "LO", "IT", "SW", "", 2, 0, 3600 },
	{ "DefaultTime2Retain", KEY_NUMBER, KEY_MINIMUM, "LO", "IT", "SW", "", 20, 0, 3600 },
	{ "MaxOutstandingR2T", KEY_NUMBER, KEY_MINIMUM, "LO", "IT", "SW", "D", 1, 1, 65535 },
	{ "DataPDUInOrder", KEY_BOOLEAN, KEY_OR, "LO", "IT", "SW", "D", 1, 0, 0 },
	{ "DataSequenceInOrder", KEY_BOOLEAN, KEY_OR, "LO", "IT", "SW", "D", 1, 0, 0 },
	{ "ErrorRecoveryLevel", KEY_NUMBER, KEY_MINIMUM, "LO", "IT", "SW", "", 0, 0, 2 },
	{ "SessionType", KEY_TEXT, KEY_DECLARATIVE, "LO+", "I", "SW", "", 0, 0, 0 },
	{ "TaskReporting", KEY_LIST, KEY_FIRST_COMMON, "LO", "IT", "SW", "D", 0, 0, 0 },
	{ "iSCSIProtocolLevel", KEY_NUMBER, KEY_MINIMUM, "LO", "IT", "SW", "D", 1, 0, 31 },
	{ "X#NodeArchitecture", KEY_TEXT, KEY_DECLARATIVE, "LO", "IT", "SW", "", 0, 0, 0 },
	{ "IFMarker", KEY_BOOLEAN, KEY_AND, "IO", "IT", "CO", "", 0, 0, 0 },
	{ "OFMarker", KEY_BOOLEAN, KEY_AND, "IO", "IT", "CO", "", 0, 0, 0 },
	{ "IFMarkInt", KEY_RANGE, KEY_MINIMUM, "IO", "IT", "CO", "", 0, 0, 0 },
	{ "OFMarkInt", KEY_RANGE, KEY_MINIMUM, "IO", "IT", "CO", "", 0, 0, 0 },
	{ "RDMAExtensions", KEY_BOOLEAN, KEY_AND, "LO", "IT", "SW", "D", 0, 0, 0 },
	{ "TargetRecvDataSegmentLength", KEY_NUMBER, KEY_MINIMUM, "IO", "IT", "CO", "R", 8192, 512,
	  16777215 },
	{ "InitiatorRecvDataSegmentLength", KEY_NUMBER, KEY_MINIMUM, "IO", "IT", "CO", "R", 8192,
	  512, 16777215 },
	{ "MaxOutstandingUnexpectedPDUs", KEY_NUMBER, KEY_DECLARATIVE, "LO", "IT", "SW", "D", 0, 2,
	  UINT32_MAX },
	{ "MaxAHSLength", KEY_NUMBER, KEY_DECLARATIVE, "LO", "IT", "SW", "D", 256, 2, UINT32_MAX },
	{ "TaggedBufferForSolicitedDataOnly", KEY_BOOLEAN, KEY_DECLARATIVE, "LO", "I", "SW", "", 0,
	  0, 0 },
	{ "iSERHelloRequired", KEY_BOOLEAN, KEY_DECLARATIVE, "LO", "I", "SW", "", 0, 0, 0 },
};

static unsigned use_of(const char *words)
{
	static const struct {
		const char *word;
		unsigned use;
	} rows[] = {
		{ "S", KEY_IN_SECURITY },
		{ "IO", KEY_IN_OPERATIONAL },
		{ "IO+", KEY_IN_SECURITY | KEY_IN_OPERATIONAL },
		{ "LO", KEY_IN_OPERATIONAL | KEY_LEADING_ONLY },
		{ "LO+", KEY_IN_SECURITY | KEY_IN_OPERATIONAL | KEY_LEADING_ONLY },
		{ "FFPO", KEY_IN_FULL_FEATURE },
		{ "IO FFPO", KEY_IN_OPERATIONAL | KEY_IN_FULL_FEATURE },
		{ "ALL", KEY_IN_SECURITY | KEY_IN_OPERATIONAL | KEY_IN_FULL_FEATURE },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++)
		if (strcmp(words, rows[i].word) == 0)
			return rows[i].use;
	fail_msg("%s", words);
	return 0;
}

static unsigned bits_of(const char *letters, const char *all)
{
	unsigned bits = 0;

	for (const char *letter = letters; *letter; letter++)
		bits |= 1U << (strchr(all, *letter) - all);
	return bits;
}

static void test_rows(void **state)
{
	assert_int_equal(ELEMENTSOF(expected), _ISCSI_KEY_MAX);
	for (size_t i = 0; i < ELEMENTSOF(expected); i++) {
		const struct key_row *row;
		enum iscsi_key key;

		assert_int_equal(key_from_name(expected[i].name, strlen(expected[i].name), &key),
				 0);
		row = key_row(key);
		assert_string_equal(row->name, expected[i].name);
		assert_int_equal(row->type, expected[i].type);
		assert_int_equal(row->function, expected[i].function);
		assert_int_equal(row->use, use_of(expected[i].use));
		assert_int_equal(row->sender, bits_of(expected[i].senders, "IT"));
		assert_int_equal(row->scope, strcmp(expected[i].scope, "SW") == 0 ? KEY_SESSION_WIDE
										  : KEY_CONNECTION);
		assert_int_equal(row->unless, bits_of(expected[i].irrelevant, "DUR"));
		assert_int_equal(row->def, expected[i].def);
		assert_int_equal(row->range.minimum, expected[i].minimum);
		assert_int_equal(row->range.maximum, expected[i].maximum);
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
