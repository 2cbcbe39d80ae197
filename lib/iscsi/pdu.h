/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The Basic Header Segment of every PDU, RFC 7143 chapter 11, between its 48 bytes on the wire and
 * a tagged struct in host byte order. Reserved fields are written as zero and ignored when read.
 * Data segments and digests are not handled here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#define PDU_HEADER_LENGTH    48
#define PDU_DATA_SEGMENT_MAX 0xffffffU
#define PDU_TAG_RESERVED     0xffffffffU
#define PDU_CDB_LENGTH       16
/* TotalAHSLength counts four-byte words in one byte. */
#define PDU_AHS_LENGTH_MAX 1020

/* RFC 7143, 11.2.1.2 */
enum pdu_opcode {
	PDU_OPCODE_NOP_OUT = 0x00,
	PDU_OPCODE_SCSI_COMMAND = 0x01,
	PDU_OPCODE_TASK_MANAGEMENT_REQUEST = 0x02,
	PDU_OPCODE_LOGIN_REQUEST = 0x03,
	PDU_OPCODE_TEXT_REQUEST = 0x04,
	PDU_OPCODE_DATA_OUT = 0x05,
	PDU_OPCODE_LOGOUT_REQUEST = 0x06,
	PDU_OPCODE_SNACK_REQUEST = 0x10,
	PDU_OPCODE_NOP_IN = 0x20,
	PDU_OPCODE_SCSI_RESPONSE = 0x21,
	PDU_OPCODE_TASK_MANAGEMENT_RESPONSE = 0x22,
	PDU_OPCODE_LOGIN_RESPONSE = 0x23,
	PDU_OPCODE_TEXT_RESPONSE = 0x24,
	PDU_OPCODE_DATA_IN = 0x25,
	PDU_OPCODE_LOGOUT_RESPONSE = 0x26,
	PDU_OPCODE_R2T = 0x31,
	PDU_OPCODE_ASYNC_MESSAGE = 0x32,
	PDU_OPCODE_REJECT = 0x3f,
	_PDU_OPCODE_MAX = 0x40, /* six bits */
};

/* RFC 7143, 11.12.3: CSG and NSG. */
enum pdu_stage {
	PDU_STAGE_SECURITY = 0,
	PDU_STAGE_OPERATIONAL = 1,
	PDU_STAGE_FULL_FEATURE = 3,
};

/* RFC 7143, 11.13.5 */
enum pdu_login_status_class {
	PDU_LOGIN_SUCCESS = 0,
	PDU_LOGIN_REDIRECTION = 1,
	PDU_LOGIN_INITIATOR_ERROR = 2,
	PDU_LOGIN_TARGET_ERROR = 3,
};

/* RFC 7143, 11.14.1 */
enum pdu_logout_reason {
	PDU_LOGOUT_CLOSE_SESSION = 0,
	PDU_LOGOUT_CLOSE_CONNECTION = 1,
	PDU_LOGOUT_RECOVERY = 2,
};

/* RFC 7143, 11.15.1 */
enum pdu_logout_response {
	PDU_LOGOUT_SUCCESS = 0,
	PDU_LOGOUT_CID_NOT_FOUND = 1,
	PDU_LOGOUT_RECOVERY_NOT_SUPPORTED = 2,
	PDU_LOGOUT_CLEANUP_FAILED = 3,
};

/* RFC 7143, 11.9.1 */
enum pdu_async_event {
	PDU_ASYNC_SCSI = 0,
	PDU_ASYNC_LOGOUT_REQUEST = 1,
	PDU_ASYNC_CONNECTION_DROP = 2,
	PDU_ASYNC_SESSION_DROP = 3,
	PDU_ASYNC_NEGOTIATION_REQUEST = 4,
	PDU_ASYNC_TASK_TERMINATION = 5,
	PDU_ASYNC_VENDOR_FIRST = 248,
	PDU_ASYNC_VENDOR = 255,
};

/* Named as in the RFC: the number a response carries of each of its three counters. */
struct pdu_numbers {
	uint32_t stat_sn, exp_cmd_sn, max_cmd_sn;
};

struct pdu {
	enum pdu_opcode opcode;
	bool immediate;
	uint16_t ahs_length;  /* bytes, a multiple of 4 */
	uint32_t data_length; /* DataSegmentLength, without padding */
	uint32_t itt;
	union {
		struct { /* 11.3 */
			bool final, read, write;
			uint8_t task_attributes;
			uint64_t lun;
			uint32_t expected_data_length, cmd_sn, exp_stat_sn;
			uint8_t cdb[PDU_CDB_LENGTH];
		} scsi_command;
		struct { /* 11.4 */
			bool bidi_overflow, bidi_underflow, overflow, underflow;
			uint8_t response, status;
			uint32_t snack_tag;
			struct pdu_numbers numbers;
			uint32_t exp_data_sn, bidi_residual_count, residual_count;
		} scsi_response;
		struct { /* 11.5 */
			uint8_t function;
			uint64_t lun;
			uint32_t referenced_task_tag, cmd_sn, exp_stat_sn, ref_cmd_sn, exp_data_sn;
		} task_management_request;
		struct { /* 11.6 */
			uint8_t response;
			struct pdu_numbers numbers;
		} task_management_response;
		struct { /* 11.7 */
			bool final;
			uint64_t lun;
			uint32_t ttt, exp_stat_sn, data_sn, buffer_offset;
		} data_out;
		struct { /* 11.7 */
			bool final, acknowledge, overflow, underflow, has_status;
			uint8_t status;
			uint64_t lun;
			uint32_t ttt;
			struct pdu_numbers numbers;
			uint32_t data_sn, buffer_offset, residual_count;
		} data_in;
		struct { /* 11.8 */
			uint64_t lun;
			uint32_t ttt;
			struct pdu_numbers numbers;
			uint32_t r2t_sn, buffer_offset, desired_length;
		} r2t;
		struct { /* 11.9 */
			uint64_t lun;
			struct pdu_numbers numbers;
			uint8_t event, vendor_code;
			uint16_t parameter[3];
		} async;
		struct { /* 11.10 */
			bool final, more;
			uint64_t lun;
			uint32_t ttt, cmd_sn, exp_stat_sn;
		} text_request;
		struct { /* 11.11 */
			bool final, more;
			uint64_t lun;
			uint32_t ttt;
			struct pdu_numbers numbers;
		} text_response;
		struct { /* 11.12 */
			bool transit, more;
			uint8_t csg, nsg, version_max, version_min;
			uint8_t isid[6];
			uint16_t tsih, cid;
			uint32_t cmd_sn, exp_stat_sn;
		} login_request;
		struct { /* 11.13 */
			bool transit, more;
			uint8_t csg, nsg, version_max, version_active;
			uint8_t isid[6];
			uint16_t tsih;
			struct pdu_numbers numbers;
			uint8_t status_class, status_detail;
		} login_response;
		struct { /* 11.14 */
			uint8_t reason;
			uint16_t cid;
			uint32_t cmd_sn, exp_stat_sn;
		} logout_request;
		struct { /* 11.15 */
			uint8_t response;
			struct pdu_numbers numbers;
			uint16_t time2wait, time2retain;
		} logout_response;
		struct { /* 11.16 */
			uint8_t type;
			uint64_t lun;
			uint32_t ttt, exp_stat_sn, beg_run, run_length;
		} snack;
		struct { /* 11.17; ITT is reserved, the data segment holds the rejected header */
			uint8_t reason;
			struct pdu_numbers numbers;
			uint32_t data_sn;
		} reject;
		struct { /* 11.18 */
			uint64_t lun;
			uint32_t ttt, cmd_sn, exp_stat_sn;
		} nop_out;
		struct { /* 11.19 */
			uint64_t lun;
			uint32_t ttt;
			struct pdu_numbers numbers;
		} nop_in;
	};
};

/* Errors: -EOPNOTSUPP (opcode unknown); *@ret is then untouched. */
int pdu_decode(const uint8_t header[PDU_HEADER_LENGTH], struct pdu *ret);
/* Every struct can be encoded; bits that do not fit a field are cut off. */
void pdu_encode(const struct pdu *pdu, uint8_t ret[PDU_HEADER_LENGTH]);

/* What a reader of a stream needs before it knows more; any opcode. */
enum pdu_opcode pdu_header_opcode(const uint8_t header[PDU_HEADER_LENGTH]);
size_t pdu_header_ahs_length(const uint8_t header[PDU_HEADER_LENGTH]);
size_t pdu_header_data_length(const uint8_t header[PDU_HEADER_LENGTH]);

/* Zero bytes that follow a segment of this length, RFC 7143 11.1. */
static inline size_t pdu_padding(size_t length)
{
	return -length & 3;
}

/* "Login Response"; NULL for an unknown opcode. */
const char *pdu_opcode_to_string(enum pdu_opcode opcode);
/* The sentence for a reason of a Reject PDU, RFC 7143 11.17.1. NULL: unknown. */
const char *pdu_reject_reason_to_string(unsigned reason);
