/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The key table: one row for each text key of RFC 7143 (chapters 12 and 13) and RFC 7145 (chapter
 * 6), in the columns the RFCs print under each key. Offers, checks, defaults and results are all
 * made from the rows.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum iscsi_key {
	/* RFC 7143, chapter 12 */
	ISCSI_KEY_AUTH_METHOD,
	ISCSI_KEY_CHAP_A,
	ISCSI_KEY_CHAP_I,
	ISCSI_KEY_CHAP_C,
	ISCSI_KEY_CHAP_N,
	ISCSI_KEY_CHAP_R,
	ISCSI_KEY_KRB_AP_REQ,
	ISCSI_KEY_KRB_AP_REP,
	ISCSI_KEY_SRP_U,
	ISCSI_KEY_SRP_GROUP,
	ISCSI_KEY_SRP_A,
	ISCSI_KEY_SRP_B,
	ISCSI_KEY_SRP_M,
	ISCSI_KEY_SRP_HM,
	ISCSI_KEY_SRP_S,
	ISCSI_KEY_TARGET_AUTH,
	/* RFC 7143, chapter 13 */
	ISCSI_KEY_HEADER_DIGEST,
	ISCSI_KEY_DATA_DIGEST,
	ISCSI_KEY_MAX_CONNECTIONS,
	ISCSI_KEY_SEND_TARGETS,
	ISCSI_KEY_TARGET_NAME,
	ISCSI_KEY_INITIATOR_NAME,
	ISCSI_KEY_TARGET_ALIAS,
	ISCSI_KEY_INITIATOR_ALIAS,
	ISCSI_KEY_TARGET_ADDRESS,
	ISCSI_KEY_TARGET_PORTAL_GROUP_TAG,
	ISCSI_KEY_INITIAL_R2T,
	ISCSI_KEY_IMMEDIATE_DATA,
	ISCSI_KEY_MAX_RECV_DATA_SEGMENT_LENGTH,
	ISCSI_KEY_MAX_BURST_LENGTH,
	ISCSI_KEY_FIRST_BURST_LENGTH,
	ISCSI_KEY_DEFAULT_TIME2WAIT,
	ISCSI_KEY_DEFAULT_TIME2RETAIN,
	ISCSI_KEY_MAX_OUTSTANDING_R2T,
	ISCSI_KEY_DATA_PDU_IN_ORDER,
	ISCSI_KEY_DATA_SEQUENCE_IN_ORDER,
	ISCSI_KEY_ERROR_RECOVERY_LEVEL,
	ISCSI_KEY_SESSION_TYPE,
	ISCSI_KEY_TASK_REPORTING,
	ISCSI_KEY_ISCSI_PROTOCOL_LEVEL,
	ISCSI_KEY_X_NODE_ARCHITECTURE,
	/* RFC 7143, 13.25: obsolete */
	ISCSI_KEY_IF_MARKER,
	ISCSI_KEY_OF_MARKER,
	ISCSI_KEY_IF_MARK_INT,
	ISCSI_KEY_OF_MARK_INT,
	/* RFC 7145, chapter 6 */
	ISCSI_KEY_RDMA_EXTENSIONS,
	ISCSI_KEY_TARGET_RECV_DATA_SEGMENT_LENGTH,
	ISCSI_KEY_INITIATOR_RECV_DATA_SEGMENT_LENGTH,
	ISCSI_KEY_MAX_OUTSTANDING_UNEXPECTED_PDUS,
	ISCSI_KEY_MAX_AHS_LENGTH,
	ISCSI_KEY_TAGGED_BUFFER_FOR_SOLICITED_DATA_ONLY,
	ISCSI_KEY_ISER_HELLO_REQUIRED,
	_ISCSI_KEY_MAX,
};

enum iscsi_digest {
	ISCSI_DIGEST_NONE,
	ISCSI_DIGEST_CRC32C,
	_ISCSI_DIGEST_MAX,
};

/* "None", "CRC32C" */
const char *iscsi_digest_to_string(enum iscsi_digest digest);
int iscsi_digest_from_string(const char *name);

/* In order of preference; n 0: the key is not sent. */
struct iscsi_digest_list {
	enum iscsi_digest digest[_ISCSI_DIGEST_MAX];
	size_t n;
};

/*
 * What this side asks for (negotiated keys) or declares. iscsi_offer_init() gives values that suit
 * Linux; a caller lowers them to what its transport can do.
 */
struct iscsi_offer {
	struct iscsi_digest_list header_digest;
	struct iscsi_digest_list data_digest;
	uint32_t max_connections;
	bool initial_r2t;
	bool immediate_data;
	uint32_t max_recv_data_segment_length;
	uint32_t max_burst_length;
	uint32_t first_burst_length;
	uint32_t default_time2wait;
	uint32_t default_time2retain;
	uint32_t max_outstanding_r2t;
	bool data_pdu_in_order;
	bool data_sequence_in_order;
	uint32_t error_recovery_level;
	/* iSER: the following are sent only if rdma_extensions is set. */
	bool rdma_extensions;
	uint32_t initiator_recv_data_segment_length;
	uint32_t target_recv_data_segment_length;
};

void iscsi_offer_init(struct iscsi_offer *ret);

/* The outcome of a negotiation. iscsi_parameters_init() gives the defaults of the RFCs. */
struct iscsi_parameters {
	bool header_digest; /* CRC32C */
	bool data_digest;
	uint32_t max_connections;
	bool initial_r2t;
	bool immediate_data;
	uint32_t max_recv_data_segment_length; /* ours: what the peer may send */
	uint32_t max_xmit_data_segment_length; /* the peer's: what we may send */
	uint32_t max_burst_length;
	uint32_t first_burst_length;
	uint32_t default_time2wait;
	uint32_t default_time2retain;
	uint32_t max_outstanding_r2t;
	bool data_pdu_in_order;
	bool data_sequence_in_order;
	uint32_t error_recovery_level;
	uint32_t iscsi_protocol_level;
	bool rdma_extensions;
	uint32_t initiator_recv_data_segment_length;
	uint32_t target_recv_data_segment_length;
	uint32_t max_outstanding_unexpected_pdus; /* the peer's; 0: any number */
	uint32_t max_ahs_length;                  /* the peer's */
};

void iscsi_parameters_init(struct iscsi_parameters *ret);

enum key_type {
	KEY_LIST,    /* the responder chooses one of the values offered */
	KEY_BOOLEAN, /* Yes or No */
	KEY_NUMBER,  /* decimal or hex constant within .range */
	KEY_RANGE,   /* two numbers with ~ between */
	KEY_BINARY,  /* hex or base64 constant */
	KEY_TEXT,
};

/* How offer and answer become the result. */
enum key_function {
	KEY_DECLARATIVE,  /* no answer; each side's own */
	KEY_FIRST_COMMON, /* first in the offered list that the responder supports */
	KEY_AND,
	KEY_OR,
	KEY_MINIMUM,
	KEY_MAXIMUM,
};

enum key_scope {
	KEY_CONNECTION,   /* CO */
	KEY_SESSION_WIDE, /* SW */
};

/* When a key may be sent; bits. */
enum key_use {
	KEY_IN_SECURITY = 1 << 0,
	KEY_IN_OPERATIONAL = 1 << 1,
	KEY_IN_FULL_FEATURE = 1 << 2,
	KEY_LEADING_ONLY = 1 << 3, /* LO */
};

/* Who may send it as an offer or declaration; bits. */
enum key_sender {
	KEY_FROM_INITIATOR = 1 << 0,
	KEY_FROM_TARGET = 1 << 1,
};

/* What makes a key irrelevant; bits. */
enum key_irrelevance {
	KEY_UNLESS_DISCOVERY = 1 << 0, /* irrelevant when SessionType=Discovery */
	KEY_UNLESS_NO_UNSOLICITED = 1
				    << 1, /* irrelevant when InitialR2T=Yes and ImmediateData=No */
	KEY_UNLESS_NO_RDMA = 1 << 2,      /* irrelevant when RDMAExtensions=No */
};

struct key_row {
	const char *name;
	enum key_type type;
	enum key_function function;
	enum key_scope scope;
	unsigned use;    /* enum key_use */
	unsigned sender; /* enum key_sender */
	unsigned unless; /* enum key_irrelevance */
	uint32_t def;
	struct {
		uint32_t minimum, maximum;
	} range;
	bool zero_allowed;         /* beside .range */
	bool iser;                 /* offered only on iSER */
	bool obsolete;             /* whatever is offered is answered Reject */
	bool repeats;              /* may be sent more than once */
	bool forgiving;            /* LENIENCY_ANSWER_NOT_ADMISSIBLE does no harm */
	const char *const *values; /* of a list: those known here; a number stands for its index */
	size_t n_values;
	size_t value_max; /* bytes a value may have; 0: ISCSI_VALUE_MAX */
	const char *rfc;  /* "RFC 7143, 13.10" */
	/* Where offer and result are kept. A declaration's result is the peer's. */
	size_t offer, result;
};

/* No offer: .def is ours, and is not sent unasked. No result: nobody needs it. */
#define KEY_NOWHERE SIZE_MAX

const struct key_row *key_row(enum iscsi_key key);
/* Bytes a value of this key may have. */
size_t key_value_max(enum iscsi_key key);
/* Key names are case sensitive. -ENOENT: unknown. */
int key_from_name(const char *name, size_t length, enum iscsi_key *ret);

/*
 * Offer and result of a boolean or number, or the result of a list, by row. A boolean is 0 or 1,
 * and the offer of a list is its default.
 */
uint32_t key_offer_get(const struct key_row *row, const struct iscsi_offer *offer);
uint32_t key_result_get(const struct key_row *row, const struct iscsi_parameters *parameters);
void key_result_set(const struct key_row *row, struct iscsi_parameters *parameters, uint32_t value);
