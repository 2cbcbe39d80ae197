/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "cleanup.h"
#include "keys.h"
#include "bounds.h"
#include "table.h"

static const char *const iscsi_digest_names[] = {
	[ISCSI_DIGEST_NONE] = "None",
	[ISCSI_DIGEST_CRC32C] = "CRC32C",
};

DEFINE_TABLE(iscsi_digest, enum iscsi_digest);

/*
 * RFC 7143, 13.23. This initiator's error handling is that of the kernel, which knows the first
 * one.
 */
static const char *const task_reporting[] = { "RFC3720" };

#define NUMBER_MAX UINT32_MAX
#define DATA_SEGMENT_RANGE                                                                         \
	{                                                                                          \
		512, 0xffffff                                                                      \
	}

#define OFFER(member)  .offer = offsetof(struct iscsi_offer, member)
#define RESULT(member) .result = offsetof(struct iscsi_parameters, member)
#define NOWHERE        .offer = KEY_NOWHERE, .result = KEY_NOWHERE

#define ANY_STAGE (KEY_IN_SECURITY | KEY_IN_OPERATIONAL)
#define EITHER    (KEY_FROM_INITIATOR | KEY_FROM_TARGET)

/* Keys of the authentication exchange have an order of their own, kept by login.c. */
#define AUTHENTICATION                                                                             \
	.function = KEY_DECLARATIVE, .scope = KEY_CONNECTION, .use = KEY_IN_SECURITY,              \
	.sender = EITHER, NOWHERE

static const struct key_row rows[_ISCSI_KEY_MAX] = {
	[ISCSI_KEY_AUTH_METHOD] = {
		.name = "AuthMethod",
		.type = KEY_LIST,
		.function = KEY_FIRST_COMMON,
		.scope = KEY_CONNECTION,
		.use = KEY_IN_SECURITY,
		.sender = EITHER,
		.rfc = "RFC 7143, 12.1",
		NOWHERE,
	},
	[ISCSI_KEY_CHAP_A] = {
		.name = "CHAP_A",
		.type = KEY_TEXT,
		.rfc = "RFC 7143, 12.1.3",
		AUTHENTICATION,
	},
	[ISCSI_KEY_CHAP_I] = {
		.name = "CHAP_I",
		.type = KEY_NUMBER,
		.range = { 0, 255 },
		.rfc = "RFC 7143, 12.1.3",
		AUTHENTICATION,
	},
	[ISCSI_KEY_CHAP_C] = {
		.name = "CHAP_C",
		.type = KEY_BINARY,
		.value_max = LOGIN_TEXT_MAX, /* event 33 is about the length */
		.rfc = "RFC 7143, 12.1.3",
		AUTHENTICATION,
	},
	[ISCSI_KEY_CHAP_N] = {
		.name = "CHAP_N",
		.type = KEY_TEXT,
		.rfc = "RFC 7143, 12.1.3",
		AUTHENTICATION,
	},
	[ISCSI_KEY_CHAP_R] = {
		.name = "CHAP_R",
		.type = KEY_BINARY,
		.value_max = ISCSI_BINARY_VALUE_MAX,
		.rfc = "RFC 7143, 12.1.3",
		AUTHENTICATION,
	},
	[ISCSI_KEY_KRB_AP_REQ] = {
		.name = "KRB_AP_REQ",
		.type = KEY_BINARY,
		.value_max = ISCSI_LONG_VALUE_MAX,
		.rfc = "RFC 7143, 12.1.1",
		AUTHENTICATION,
	},
	[ISCSI_KEY_KRB_AP_REP] = {
		.name = "KRB_AP_REP",
		.type = KEY_BINARY,
		.value_max = ISCSI_LONG_VALUE_MAX,
		.rfc = "RFC 7143, 12.1.1",
		AUTHENTICATION,
	},
	[ISCSI_KEY_SRP_U] = {
		.name = "SRP_U",
		.type = KEY_TEXT,
		.rfc = "RFC 7143, 12.1.2",
		AUTHENTICATION,
	},
	[ISCSI_KEY_SRP_GROUP] = {
		.name = "SRP_GROUP",
		.type = KEY_TEXT,
		.rfc = "RFC 7143, 12.1.2",
		AUTHENTICATION,
	},
	[ISCSI_KEY_SRP_A] = {
		.name = "SRP_A",
		.type = KEY_BINARY,
		.value_max = ISCSI_BINARY_VALUE_MAX,
		.rfc = "RFC 7143, 12.1.2",
		AUTHENTICATION,
	},
	[ISCSI_KEY_SRP_B] = {
		.name = "SRP_B",
		.type = KEY_BINARY,
		.value_max = ISCSI_BINARY_VALUE_MAX,
		.rfc = "RFC 7143, 12.1.2",
		AUTHENTICATION,
	},
	[ISCSI_KEY_SRP_M] = {
		.name = "SRP_M",
		.type = KEY_BINARY,
		.value_max = ISCSI_BINARY_VALUE_MAX,
		.rfc = "RFC 7143, 12.1.2",
		AUTHENTICATION,
	},
	[ISCSI_KEY_SRP_HM] = {
		.name = "SRP_HM",
		.type = KEY_BINARY,
		.value_max = ISCSI_BINARY_VALUE_MAX,
		.rfc = "RFC 7143, 12.1.2",
		AUTHENTICATION,
	},
	[ISCSI_KEY_SRP_S] = {
		.name = "SRP_s",
		.type = KEY_BINARY,
		.value_max = ISCSI_BINARY_VALUE_MAX,
		.rfc = "RFC 7143, 12.1.2",
		AUTHENTICATION,
	},
	[ISCSI_KEY_TARGET_AUTH] = {
		.name = "TargetAuth",
		.type = KEY_BOOLEAN,
		.rfc = "RFC 7143, 12.1.2",
		AUTHENTICATION,
	},

	[ISCSI_KEY_HEADER_DIGEST] = {
		.name = "HeaderDigest",
		.type = KEY_LIST,
		.function = KEY_FIRST_COMMON,
		.scope = KEY_CONNECTION,
		.use = KEY_IN_OPERATIONAL,
		.sender = EITHER,
		.def = ISCSI_DIGEST_NONE,
		.values = iscsi_digest_names,
		.n_values = ELEMENTSOF(iscsi_digest_names),
		.rfc = "RFC 7143, 13.1",
		OFFER(header_digest),
		RESULT(header_digest),
	},
	[ISCSI_KEY_DATA_DIGEST] = {
		.name = "DataDigest",
		.type = KEY_LIST,
		.function = KEY_FIRST_COMMON,
		.scope = KEY_CONNECTION,
		.use = KEY_IN_OPERATIONAL,
		.sender = EITHER,
		.def = ISCSI_DIGEST_NONE,
		.values = iscsi_digest_names,
		.n_values = ELEMENTSOF(iscsi_digest_names),
		.rfc = "RFC 7143, 13.1",
		OFFER(data_digest),
		RESULT(data_digest),
	},
	[ISCSI_KEY_MAX_CONNECTIONS] = {
		.name = "MaxConnections",
		.type = KEY_NUMBER,
		.function = KEY_MINIMUM,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_OPERATIONAL | KEY_LEADING_ONLY,
		.sender = EITHER,
		.unless = KEY_UNLESS_DISCOVERY,
		.def = 1,
		.range = { 1, 65535 },
		.rfc = "RFC 7143, 13.2",
		OFFER(max_connections),
		RESULT(max_connections),
	},
	[ISCSI_KEY_SEND_TARGETS] = {
		.name = "SendTargets",
		.type = KEY_TEXT,
		.function = KEY_DECLARATIVE,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_FULL_FEATURE,
		.sender = KEY_FROM_INITIATOR,
		.rfc = "RFC 7143, 13.3",
		NOWHERE,
	},
	[ISCSI_KEY_TARGET_NAME] = {
		.name = "TargetName",
		.type = KEY_TEXT,
		.function = KEY_DECLARATIVE,
		.scope = KEY_SESSION_WIDE,
		.use = ANY_STAGE,
		.sender = KEY_FROM_INITIATOR,
		.rfc = "RFC 7143, 13.4",
		NOWHERE,
	},
	[ISCSI_KEY_INITIATOR_NAME] = {
		.name = "InitiatorName",
		.type = KEY_TEXT,
		.function = KEY_DECLARATIVE,
		.scope = KEY_SESSION_WIDE,
		.use = ANY_STAGE,
		.sender = KEY_FROM_INITIATOR,
		.rfc = "RFC 7143, 13.5",
		NOWHERE,
	},
	[ISCSI_KEY_TARGET_ALIAS] = {
		.name = "TargetAlias",
		.type = KEY_TEXT,
		.function = KEY_DECLARATIVE,
		.scope = KEY_SESSION_WIDE,
		.use = ANY_STAGE | KEY_IN_FULL_FEATURE,
		.sender = KEY_FROM_TARGET,
		.rfc = "RFC 7143, 13.6",
		NOWHERE,
	},
	[ISCSI_KEY_INITIATOR_ALIAS] = {
		.name = "InitiatorAlias",
		.type = KEY_TEXT,
		.function = KEY_DECLARATIVE,
		.scope = KEY_SESSION_WIDE,
		.use = ANY_STAGE | KEY_IN_FULL_FEATURE,
		.sender = KEY_FROM_INITIATOR,
		.rfc = "RFC 7143, 13.7",
		NOWHERE,
	},
	[ISCSI_KEY_TARGET_ADDRESS] = {
		.name = "TargetAddress",
		.type = KEY_TEXT,
		.function = KEY_DECLARATIVE,
		.scope = KEY_SESSION_WIDE,
		.use = ANY_STAGE | KEY_IN_FULL_FEATURE,
		.sender = KEY_FROM_TARGET,
		.value_max = ISCSI_LONG_VALUE_MAX,
		.repeats = true,
		.rfc = "RFC 7143, 13.8",
		NOWHERE,
	},
	[ISCSI_KEY_TARGET_PORTAL_GROUP_TAG] = {
		.name = "TargetPortalGroupTag",
		.type = KEY_NUMBER,
		.function = KEY_DECLARATIVE,
		.scope = KEY_SESSION_WIDE,
		.use = ANY_STAGE,
		.sender = KEY_FROM_TARGET,
		.range = { 0, 65535 },
		.rfc = "RFC 7143, 13.9",
		NOWHERE,
	},
	[ISCSI_KEY_INITIAL_R2T] = {
		.name = "InitialR2T",
		.type = KEY_BOOLEAN,
		.function = KEY_OR,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_OPERATIONAL | KEY_LEADING_ONLY,
		.sender = EITHER,
		.unless = KEY_UNLESS_DISCOVERY,
		.def = true,
		.forgiving = true,
		.rfc = "RFC 7143, 13.10",
		OFFER(initial_r2t),
		RESULT(initial_r2t),
	},
	[ISCSI_KEY_IMMEDIATE_DATA] = {
		.name = "ImmediateData",
		.type = KEY_BOOLEAN,
		.function = KEY_AND,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_OPERATIONAL | KEY_LEADING_ONLY,
		.sender = EITHER,
		.unless = KEY_UNLESS_DISCOVERY,
		.def = true,
		.forgiving = true,
		.rfc = "RFC 7143, 13.11",
		OFFER(immediate_data),
		RESULT(immediate_data),
	},
	[ISCSI_KEY_MAX_RECV_DATA_SEGMENT_LENGTH] = {
		.name = "MaxRecvDataSegmentLength",
		.type = KEY_NUMBER,
		.function = KEY_DECLARATIVE,
		.scope = KEY_CONNECTION,
		.use = KEY_IN_OPERATIONAL | KEY_IN_FULL_FEATURE,
		.sender = EITHER,
		.def = 8192,
		.range = DATA_SEGMENT_RANGE,
		.rfc = "RFC 7143, 13.12",
		OFFER(max_recv_data_segment_length),
		RESULT(max_xmit_data_segment_length),
	},
	[ISCSI_KEY_MAX_BURST_LENGTH] = {
		.name = "MaxBurstLength",
		.type = KEY_NUMBER,
		.function = KEY_MINIMUM,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_OPERATIONAL | KEY_LEADING_ONLY,
		.sender = EITHER,
		.unless = KEY_UNLESS_DISCOVERY,
		.def = 262144,
		.range = DATA_SEGMENT_RANGE,
		.rfc = "RFC 7143, 13.13",
		OFFER(max_burst_length),
		RESULT(max_burst_length),
	},
	[ISCSI_KEY_FIRST_BURST_LENGTH] = {
		.name = "FirstBurstLength",
		.type = KEY_NUMBER,
		.function = KEY_MINIMUM,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_OPERATIONAL | KEY_LEADING_ONLY,
		.sender = EITHER,
		.unless = KEY_UNLESS_DISCOVERY | KEY_UNLESS_NO_UNSOLICITED,
		.def = 65536,
		.range = DATA_SEGMENT_RANGE,
		.forgiving = true,
		.rfc = "RFC 7143, 13.14",
		OFFER(first_burst_length),
		RESULT(first_burst_length),
	},
	[ISCSI_KEY_DEFAULT_TIME2WAIT] = {
		.name = "DefaultTime2Wait",
		.type = KEY_NUMBER,
		.function = KEY_MAXIMUM,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_OPERATIONAL | KEY_LEADING_ONLY,
		.sender = EITHER,
		.def = 2,
		.range = { 0, 3600 },
		.forgiving = true,
		.rfc = "RFC 7143, 13.15",
		OFFER(default_time2wait),
		RESULT(default_time2wait),
	},
	[ISCSI_KEY_DEFAULT_TIME2RETAIN] = {
		.name = "DefaultTime2Retain",
		.type = KEY_NUMBER,
		.function = KEY_MINIMUM,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_OPERATIONAL | KEY_LEADING_ONLY,
		.sender = EITHER,
		.def = 20,
		.range = { 0, 3600 },
		.forgiving = true,
		.rfc = "RFC 7143, 13.16",
		OFFER(default_time2retain),
		RESULT(default_time2retain),
	},
	[ISCSI_KEY_MAX_OUTSTANDING_R2T] = {
		.name = "MaxOutstandingR2T",
		.type = KEY_NUMBER,
		.function = KEY_MINIMUM,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_OPERATIONAL | KEY_LEADING_ONLY,
		.sender = EITHER,
		.unless = KEY_UNLESS_DISCOVERY,
		.def = 1,
		.range = { 1, 65535 },
		.rfc = "RFC 7143, 13.17",
		OFFER(max_outstanding_r2t),
		RESULT(max_outstanding_r2t),
	},
	[ISCSI_KEY_DATA_PDU_IN_ORDER] = {
		.name = "DataPDUInOrder",
		.type = KEY_BOOLEAN,
		.function = KEY_OR,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_OPERATIONAL | KEY_LEADING_ONLY,
		.sender = EITHER,
		.unless = KEY_UNLESS_DISCOVERY,
		.def = true,
		.rfc = "RFC 7143, 13.18",
		OFFER(data_pdu_in_order),
		RESULT(data_pdu_in_order),
	},
	[ISCSI_KEY_DATA_SEQUENCE_IN_ORDER] = {
		.name = "DataSequenceInOrder",
		.type = KEY_BOOLEAN,
		.function = KEY_OR,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_OPERATIONAL | KEY_LEADING_ONLY,
		.sender = EITHER,
		.unless = KEY_UNLESS_DISCOVERY,
		.def = true,
		.rfc = "RFC 7143, 13.19",
		OFFER(data_sequence_in_order),
		RESULT(data_sequence_in_order),
	},
	[ISCSI_KEY_ERROR_RECOVERY_LEVEL] = {
		.name = "ErrorRecoveryLevel",
		.type = KEY_NUMBER,
		.function = KEY_MINIMUM,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_OPERATIONAL | KEY_LEADING_ONLY,
		.sender = EITHER,
		.def = 0,
		.range = { 0, 2 },
		.rfc = "RFC 7143, 13.20",
		OFFER(error_recovery_level),
		RESULT(error_recovery_level),
	},
	[ISCSI_KEY_SESSION_TYPE] = {
		.name = "SessionType",
		.type = KEY_TEXT,
		.function = KEY_DECLARATIVE,
		.scope = KEY_SESSION_WIDE,
		.use = ANY_STAGE | KEY_LEADING_ONLY,
		.sender = KEY_FROM_INITIATOR,
		.rfc = "RFC 7143, 13.21",
		NOWHERE,
	},
	[ISCSI_KEY_TASK_REPORTING] = {
		.name = "TaskReporting",
		.type = KEY_LIST,
		.function = KEY_FIRST_COMMON,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_OPERATIONAL | KEY_LEADING_ONLY,
		.sender = EITHER,
		.unless = KEY_UNLESS_DISCOVERY,
		.values = task_reporting,
		.n_values = ELEMENTSOF(task_reporting),
		.rfc = "RFC 7143, 13.23",
		NOWHERE,
	},
	[ISCSI_KEY_ISCSI_PROTOCOL_LEVEL] = {
		.name = "iSCSIProtocolLevel",
		.type = KEY_NUMBER,
		.function = KEY_MINIMUM,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_OPERATIONAL | KEY_LEADING_ONLY,
		.sender = EITHER,
		.unless = KEY_UNLESS_DISCOVERY,
		.def = 1,
		.range = { 0, 31 },
		.rfc = "RFC 7143, 13.24",
		.offer = KEY_NOWHERE,
		RESULT(iscsi_protocol_level),
	},
	[ISCSI_KEY_X_NODE_ARCHITECTURE] = {
		.name = "X#NodeArchitecture",
		.type = KEY_TEXT,
		.function = KEY_DECLARATIVE,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_OPERATIONAL | KEY_LEADING_ONLY,
		.sender = EITHER,
		.rfc = "RFC 7143, 13.26",
		NOWHERE,
	},

	/*
	 * Never offered. RFC 7143, 13.25 lets us answer the first two with No or Reject and prefers
	 * Reject, on which older versions of LIO, which offer them, fail the login.
	 */
	[ISCSI_KEY_IF_MARKER] = {
		.name = "IFMarker",
		.type = KEY_BOOLEAN,
		.function = KEY_AND,
		.scope = KEY_CONNECTION,
		.use = KEY_IN_OPERATIONAL,
		.sender = EITHER,
		.rfc = "RFC 7143, 13.25",
		NOWHERE,
	},
	[ISCSI_KEY_OF_MARKER] = {
		.name = "OFMarker",
		.type = KEY_BOOLEAN,
		.function = KEY_AND,
		.scope = KEY_CONNECTION,
		.use = KEY_IN_OPERATIONAL,
		.sender = EITHER,
		.rfc = "RFC 7143, 13.25",
		NOWHERE,
	},
	[ISCSI_KEY_IF_MARK_INT] = {
		.name = "IFMarkInt",
		.type = KEY_RANGE,
		.function = KEY_MINIMUM,
		.scope = KEY_CONNECTION,
		.use = KEY_IN_OPERATIONAL,
		.sender = EITHER,
		.obsolete = true,
		.rfc = "RFC 7143, 13.25",
		NOWHERE,
	},
	[ISCSI_KEY_OF_MARK_INT] = {
		.name = "OFMarkInt",
		.type = KEY_RANGE,
		.function = KEY_MINIMUM,
		.scope = KEY_CONNECTION,
		.use = KEY_IN_OPERATIONAL,
		.sender = EITHER,
		.obsolete = true,
		.rfc = "RFC 7143, 13.25",
		NOWHERE,
	},

	[ISCSI_KEY_RDMA_EXTENSIONS] = {
		.name = "RDMAExtensions",
		.type = KEY_BOOLEAN,
		.function = KEY_AND,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_OPERATIONAL | KEY_LEADING_ONLY,
		.sender = EITHER,
		.unless = KEY_UNLESS_DISCOVERY,
		.def = false,
		.iser = true,
		.rfc = "RFC 7145, 6.3",
		OFFER(rdma_extensions),
		RESULT(rdma_extensions),
	},
	[ISCSI_KEY_TARGET_RECV_DATA_SEGMENT_LENGTH] = {
		.name = "TargetRecvDataSegmentLength",
		.type = KEY_NUMBER,
		.function = KEY_MINIMUM,
		.scope = KEY_CONNECTION,
		.use = KEY_IN_OPERATIONAL,
		.sender = EITHER,
		.unless = KEY_UNLESS_NO_RDMA,
		.def = 8192,
		.range = DATA_SEGMENT_RANGE,
		.iser = true,
		.rfc = "RFC 7145, 6.4",
		OFFER(target_recv_data_segment_length),
		RESULT(target_recv_data_segment_length),
	},
	[ISCSI_KEY_INITIATOR_RECV_DATA_SEGMENT_LENGTH] = {
		.name = "InitiatorRecvDataSegmentLength",
		.type = KEY_NUMBER,
		.function = KEY_MINIMUM,
		.scope = KEY_CONNECTION,
		.use = KEY_IN_OPERATIONAL,
		.sender = EITHER,
		.unless = KEY_UNLESS_NO_RDMA,
		.def = 8192,
		.range = DATA_SEGMENT_RANGE,
		.iser = true,
		.rfc = "RFC 7145, 6.5",
		OFFER(initiator_recv_data_segment_length),
		RESULT(initiator_recv_data_segment_length),
	},
	[ISCSI_KEY_MAX_OUTSTANDING_UNEXPECTED_PDUS] = {
		.name = "MaxOutstandingUnexpectedPDUs",
		.type = KEY_NUMBER,
		.function = KEY_DECLARATIVE,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_OPERATIONAL | KEY_LEADING_ONLY,
		.sender = EITHER,
		.unless = KEY_UNLESS_DISCOVERY,
		.def = 0,
		.range = { 2, NUMBER_MAX },
		.zero_allowed = true,
		.iser = true,
		.rfc = "RFC 7145, 6.7",
		.offer = KEY_NOWHERE,
		RESULT(max_outstanding_unexpected_pdus),
	},
	[ISCSI_KEY_MAX_AHS_LENGTH] = {
		.name = "MaxAHSLength",
		.type = KEY_NUMBER,
		.function = KEY_DECLARATIVE,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_OPERATIONAL | KEY_LEADING_ONLY,
		.sender = EITHER,
		.unless = KEY_UNLESS_DISCOVERY,
		.def = 256,
		.range = { 2, NUMBER_MAX },
		.zero_allowed = true,
		.iser = true,
		.rfc = "RFC 7145, 6.8",
		.offer = KEY_NOWHERE,
		RESULT(max_ahs_length),
	},
	[ISCSI_KEY_TAGGED_BUFFER_FOR_SOLICITED_DATA_ONLY] = {
		.name = "TaggedBufferForSolicitedDataOnly",
		.type = KEY_BOOLEAN,
		.function = KEY_DECLARATIVE,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_OPERATIONAL | KEY_LEADING_ONLY,
		.sender = KEY_FROM_INITIATOR,
		.def = false,
		.iser = true,
		.rfc = "RFC 7145, 6.9",
		NOWHERE,
	},
	[ISCSI_KEY_ISER_HELLO_REQUIRED] = {
		.name = "iSERHelloRequired",
		.type = KEY_BOOLEAN,
		.function = KEY_DECLARATIVE,
		.scope = KEY_SESSION_WIDE,
		.use = KEY_IN_OPERATIONAL | KEY_LEADING_ONLY,
		.sender = KEY_FROM_INITIATOR,
		.def = false,
		.iser = true,
		.rfc = "RFC 7145, 6.10",
		NOWHERE,
	},
};

const struct key_row *key_row(enum iscsi_key key)
{
	return &rows[key];
}

size_t key_value_max(enum iscsi_key key)
{
	return rows[key].value_max ? rows[key].value_max : ISCSI_VALUE_MAX;
}

int key_from_name(const char *name, size_t length, enum iscsi_key *ret)
{
	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		if (strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0) {
			*ret = (enum iscsi_key)i;
			return 0;
		}
	}
	return -ENOENT;
}

void iscsi_offer_init(struct iscsi_offer *ret)
{
	*ret = (struct iscsi_offer){
		.header_digest = { .digest = { ISCSI_DIGEST_NONE }, .n = 1 },
		.data_digest = { .digest = { ISCSI_DIGEST_NONE }, .n = 1 },
		.max_connections = 1,
		.initial_r2t = false,
		.immediate_data = true,
		.max_recv_data_segment_length = 262144,
		.max_burst_length = 16776192, /* the largest multiple of 1024 in range */
		.first_burst_length = 262144,
		.default_time2wait = 2,
		.default_time2retain = 0, /* the kernel keeps no tasks for reassignment */
		.max_outstanding_r2t = 1,
		.data_pdu_in_order = true,
		.data_sequence_in_order = true,
		.error_recovery_level = 0,
		.initiator_recv_data_segment_length = 262144,
		.target_recv_data_segment_length = 8192,
	};
}

void iscsi_parameters_init(struct iscsi_parameters *ret)
{
	struct iscsi_parameters parameters = {
		.max_recv_data_segment_length = rows[ISCSI_KEY_MAX_RECV_DATA_SEGMENT_LENGTH].def,
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++)
		if (rows[i].result != KEY_NOWHERE)
			key_result_set(&rows[i], &parameters, rows[i].def);
	*ret = parameters;
}

uint32_t key_offer_get(const struct key_row *row, const struct iscsi_offer *offer)
{
	const void *members = offer;

	if (row->offer == KEY_NOWHERE || row->type == KEY_LIST)
		return row->def;
	if (row->type == KEY_BOOLEAN)
		return *(const bool *)(members + row->offer);
	return *(const uint32_t *)(members + row->offer);
}

uint32_t key_result_get(const struct key_row *row, const struct iscsi_parameters *parameters)
{
	const void *members = parameters;

	if (row->result == KEY_NOWHERE)
		return row->def;
	if (row->type == KEY_NUMBER)
		return *(const uint32_t *)(members + row->result);
	return *(const bool *)(members + row->result);
}

void key_result_set(const struct key_row *row, struct iscsi_parameters *parameters, uint32_t value)
{
	void *members = parameters;

	if (row->result == KEY_NOWHERE)
		return;
	if (row->type == KEY_NUMBER)
		*(uint32_t *)(members + row->result) = value;
	else
		*(bool *)(members + row->result) = value != 0;
}
