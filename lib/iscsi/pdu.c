/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One table of fields per opcode, in the order of RFC 7143 chapter 11; decoding and encoding both
 * walk it, so they cannot disagree.
 */
#include <string.h>

#include "cleanup.h"
#include "pdu.h"

#define OPCODE_MASK   0x3f
#define IMMEDIATE     0x40
#define FINAL         0x80
#define OPCODE_TARGET 0x20 /* set in all opcodes of a target */

enum field_type {
	TYPE_NUMBER, /* big-endian, as wide as the member */
	TYPE_BITS,   /* part of a byte, in an uint8_t */
	TYPE_FLAG,   /* one bit, in a bool */
	TYPE_BYTES,
};

struct field {
	enum field_type type;
	uint8_t at;   /* in the header */
	uint8_t mask; /* TYPE_BITS, TYPE_FLAG */
	uint8_t size; /* of the member */
	uint16_t offset;
};

#define MEMBER(member)                                                                             \
	.offset = offsetof(struct pdu, member), .size = sizeof(((struct pdu *)0)->member)
#define NUMBER(position, member)                                                                   \
	{                                                                                          \
		.type = TYPE_NUMBER, .at = position, MEMBER(member)                                \
	}
#define BYTES(position, member)                                                                    \
	{                                                                                          \
		.type = TYPE_BYTES, .at = position, MEMBER(member)                                 \
	}
#define BITS(position, bits, member)                                                               \
	{                                                                                          \
		.type = TYPE_BITS, .at = position, .mask = bits, MEMBER(member)                    \
	}
#define FLAG(position, bit, member)                                                                \
	{                                                                                          \
		.type = TYPE_FLAG, .at = position, .mask = bit, MEMBER(member)                     \
	}
/* StatSN, ExpCmdSN and MaxCmdSN have the same place in everything a target sends. */
#define NUMBERS(member)                                                                            \
	NUMBER(24, member.numbers.stat_sn), NUMBER(28, member.numbers.exp_cmd_sn),                 \
		NUMBER(32, member.numbers.max_cmd_sn)

/* One field a line, in the order of the wire. */
/* clang-format off */
static const struct field scsi_command[] = {
	FLAG(1, FINAL, scsi_command.final),
	FLAG(1, 0x40, scsi_command.read),
	FLAG(1, 0x20, scsi_command.write),
	BITS(1, 0x07, scsi_command.task_attributes),
	NUMBER(8, scsi_command.lun),
	NUMBER(20, scsi_command.expected_data_length),
	NUMBER(24, scsi_command.cmd_sn),
	NUMBER(28, scsi_command.exp_stat_sn),
	BYTES(32, scsi_command.cdb),
};

static const struct field scsi_response[] = {
	FLAG(1, 0x10, scsi_response.bidi_overflow),
	FLAG(1, 0x08, scsi_response.bidi_underflow),
	FLAG(1, 0x04, scsi_response.overflow),
	FLAG(1, 0x02, scsi_response.underflow),
	NUMBER(2, scsi_response.response),
	NUMBER(3, scsi_response.status),
	NUMBER(20, scsi_response.snack_tag),
	NUMBERS(scsi_response),
	NUMBER(36, scsi_response.exp_data_sn),
	NUMBER(40, scsi_response.bidi_residual_count),
	NUMBER(44, scsi_response.residual_count),
};

static const struct field task_management_request[] = {
	BITS(1, 0x7f, task_management_request.function),
	NUMBER(8, task_management_request.lun),
	NUMBER(20, task_management_request.referenced_task_tag),
	NUMBER(24, task_management_request.cmd_sn),
	NUMBER(28, task_management_request.exp_stat_sn),
	NUMBER(32, task_management_request.ref_cmd_sn),
	NUMBER(36, task_management_request.exp_data_sn),
};

static const struct field task_management_response[] = {
	NUMBER(2, task_management_response.response),
	NUMBERS(task_management_response),
};

static const struct field data_out[] = {
	FLAG(1, FINAL, data_out.final),
	NUMBER(8, data_out.lun),
	NUMBER(20, data_out.ttt),
	NUMBER(28, data_out.exp_stat_sn),
	NUMBER(36, data_out.data_sn),
	NUMBER(40, data_out.buffer_offset),
};

static const struct field data_in[] = {
	FLAG(1, FINAL, data_in.final),
	FLAG(1, 0x40, data_in.acknowledge),
	FLAG(1, 0x04, data_in.overflow),
	FLAG(1, 0x02, data_in.underflow),
	FLAG(1, 0x01, data_in.has_status),
	NUMBER(3, data_in.status),
	NUMBER(8, data_in.lun),
	NUMBER(20, data_in.ttt),
	NUMBERS(data_in),
	NUMBER(36, data_in.data_sn),
	NUMBER(40, data_in.buffer_offset),
	NUMBER(44, data_in.residual_count),
};

static const struct field r2t[] = {
	NUMBER(8, r2t.lun),
	NUMBER(20, r2t.ttt),
	NUMBERS(r2t),
	NUMBER(36, r2t.r2t_sn),
	NUMBER(40, r2t.buffer_offset),
	NUMBER(44, r2t.desired_length),
};

static const struct field async_message[] = {
	NUMBER(8, async.lun),
	NUMBERS(async),
	NUMBER(36, async.event),
	NUMBER(37, async.vendor_code),
	NUMBER(38, async.parameter[0]),
	NUMBER(40, async.parameter[1]),
	NUMBER(42, async.parameter[2]),
};

static const struct field text_request[] = {
	FLAG(1, FINAL, text_request.final),
	FLAG(1, 0x40, text_request.more),
	NUMBER(8, text_request.lun),
	NUMBER(20, text_request.ttt),
	NUMBER(24, text_request.cmd_sn),
	NUMBER(28, text_request.exp_stat_sn),
};

static const struct field text_response[] = {
	FLAG(1, FINAL, text_response.final),
	FLAG(1, 0x40, text_response.more),
	NUMBER(8, text_response.lun),
	NUMBER(20, text_response.ttt),
	NUMBERS(text_response),
};

static const struct field login_request[] = {
	FLAG(1, 0x80, login_request.transit),
	FLAG(1, 0x40, login_request.more),
	BITS(1, 0x0c, login_request.csg),
	BITS(1, 0x03, login_request.nsg),
	NUMBER(2, login_request.version_max),
	NUMBER(3, login_request.version_min),
	BYTES(8, login_request.isid),
	NUMBER(14, login_request.tsih),
	NUMBER(20, login_request.cid),
	NUMBER(24, login_request.cmd_sn),
	NUMBER(28, login_request.exp_stat_sn),
};

static const struct field login_response[] = {
	FLAG(1, 0x80, login_response.transit),
	FLAG(1, 0x40, login_response.more),
	BITS(1, 0x0c, login_response.csg),
	BITS(1, 0x03, login_response.nsg),
	NUMBER(2, login_response.version_max),
	NUMBER(3, login_response.version_active),
	BYTES(8, login_response.isid),
	NUMBER(14, login_response.tsih),
	NUMBERS(login_response),
	NUMBER(36, login_response.status_class),
	NUMBER(37, login_response.status_detail),
};

static const struct field logout_request[] = {
	BITS(1, 0x7f, logout_request.reason),
	NUMBER(20, logout_request.cid),
	NUMBER(24, logout_request.cmd_sn),
	NUMBER(28, logout_request.exp_stat_sn),
};

static const struct field logout_response[] = {
	NUMBER(2, logout_response.response),
	NUMBERS(logout_response),
	NUMBER(40, logout_response.time2wait),
	NUMBER(42, logout_response.time2retain),
};

static const struct field snack_request[] = {
	BITS(1, 0x0f, snack.type),
	NUMBER(8, snack.lun),
	NUMBER(20, snack.ttt),
	NUMBER(28, snack.exp_stat_sn),
	NUMBER(40, snack.beg_run),
	NUMBER(44, snack.run_length),
};

static const struct field reject[] = {
	NUMBER(2, reject.reason),
	NUMBERS(reject),
	NUMBER(36, reject.data_sn),
};

static const struct field nop_out[] = {
	NUMBER(8, nop_out.lun),
	NUMBER(20, nop_out.ttt),
	NUMBER(24, nop_out.cmd_sn),
	NUMBER(28, nop_out.exp_stat_sn),
};

static const struct field nop_in[] = {
	NUMBER(8, nop_in.lun),
	NUMBER(20, nop_in.ttt),
	NUMBERS(nop_in),
};

/* clang-format on */

struct layout {
	const char *name;
	const struct field *fields;
	size_t n_fields;
	bool always_final; /* the first bit of byte 1 is a constant one */
};

#define FIELDS(array) .fields = array, .n_fields = ELEMENTSOF(array)

static const struct layout layouts[_PDU_OPCODE_MAX] = {
	[PDU_OPCODE_NOP_OUT] = { "NOP-Out", FIELDS(nop_out), .always_final = true },
	[PDU_OPCODE_SCSI_COMMAND] = { "SCSI Command", FIELDS(scsi_command) },
	[PDU_OPCODE_TASK_MANAGEMENT_REQUEST] = { "Task Management Function Request",
						 FIELDS(task_management_request),
						 .always_final = true },
	[PDU_OPCODE_LOGIN_REQUEST] = { "Login Request", FIELDS(login_request) },
	[PDU_OPCODE_TEXT_REQUEST] = { "Text Request", FIELDS(text_request) },
	[PDU_OPCODE_DATA_OUT] = { "SCSI Data-Out", FIELDS(data_out) },
	[PDU_OPCODE_LOGOUT_REQUEST] = { "Logout Request", FIELDS(logout_request),
					.always_final = true },
	[PDU_OPCODE_SNACK_REQUEST] = { "SNACK Request", FIELDS(snack_request),
				       .always_final = true },
	[PDU_OPCODE_NOP_IN] = { "NOP-In", FIELDS(nop_in), .always_final = true },
	[PDU_OPCODE_SCSI_RESPONSE] = { "SCSI Response", FIELDS(scsi_response),
				       .always_final = true },
	[PDU_OPCODE_TASK_MANAGEMENT_RESPONSE] = { "Task Management Function Response",
						  FIELDS(task_management_response),
						  .always_final = true },
	[PDU_OPCODE_LOGIN_RESPONSE] = { "Login Response", FIELDS(login_response) },
	[PDU_OPCODE_TEXT_RESPONSE] = { "Text Response", FIELDS(text_response) },
	[PDU_OPCODE_DATA_IN] = { "SCSI Data-In", FIELDS(data_in) },
	[PDU_OPCODE_LOGOUT_RESPONSE] = { "Logout Response", FIELDS(logout_response),
					 .always_final = true },
	[PDU_OPCODE_R2T] = { "Ready To Transfer", FIELDS(r2t), .always_final = true },
	[PDU_OPCODE_ASYNC_MESSAGE] = { "Asynchronous Message", FIELDS(async_message),
				       .always_final = true },
	[PDU_OPCODE_REJECT] = { "Reject", FIELDS(reject), .always_final = true },
};

static uint64_t get_number(const uint8_t *bytes, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | bytes[i];
	return value;
}

static void put_number(uint8_t *bytes, size_t size, uint64_t value)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

/* A member of an unsigned type of 1, 2, 4 or 8 bytes. */
static uint64_t load_member(const void *member, size_t size)
{
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (size) {
	case sizeof(u8):
		memcpy(&u8, member, sizeof(u8));
		return u8;
	case sizeof(u16):
		memcpy(&u16, member, sizeof(u16));
		return u16;
	case sizeof(u32):
		memcpy(&u32, member, sizeof(u32));
		return u32;
	default:
		memcpy(&u64, member, sizeof(u64));
		return u64;
	}
}

static void store_member(void *member, size_t size, uint64_t value)
{
	uint8_t u8 = (uint8_t)value;
	uint16_t u16 = (uint16_t)value;
	uint32_t u32 = (uint32_t)value;

	switch (size) {
	case sizeof(u8):
		memcpy(member, &u8, sizeof(u8));
		break;
	case sizeof(u16):
		memcpy(member, &u16, sizeof(u16));
		break;
	case sizeof(u32):
		memcpy(member, &u32, sizeof(u32));
		break;
	default:
		memcpy(member, &value, sizeof(value));
	}
}

static unsigned mask_shift(uint8_t mask)
{
	return (unsigned)__builtin_ctz(mask);
}

static void field_decode(const struct field *field, const uint8_t *header, struct pdu *pdu)
{
	void *member = (uint8_t *)pdu + field->offset;
	const uint8_t *bytes = header + field->at;

	switch (field->type) {
	case TYPE_NUMBER:
		store_member(member, field->size, get_number(bytes, field->size));
		break;
	case TYPE_BITS:
		*(uint8_t *)member = (uint8_t)((*bytes & field->mask) >> mask_shift(field->mask));
		break;
	case TYPE_FLAG:
		*(bool *)member = *bytes & field->mask;
		break;
	case TYPE_BYTES:
		memcpy(member, bytes, field->size);
		break;
	}
}

static void field_encode(const struct field *field, const struct pdu *pdu, uint8_t *header)
{
	const void *member = (const uint8_t *)pdu + field->offset;
	uint8_t *bytes = header + field->at;

	switch (field->type) {
	case TYPE_NUMBER:
		put_number(bytes, field->size, load_member(member, field->size));
		break;
	case TYPE_BITS:
		*bytes |= (uint8_t)(*(const uint8_t *)member << mask_shift(field->mask)) &
			  field->mask;
		break;
	case TYPE_FLAG:
		if (*(const bool *)member)
			*bytes |= field->mask;
		break;
	case TYPE_BYTES:
		memcpy(bytes, member, field->size);
		break;
	}
}

enum pdu_opcode pdu_header_opcode(const uint8_t header[PDU_HEADER_LENGTH])
{
	return header[0] & OPCODE_MASK;
}

size_t pdu_header_ahs_length(const uint8_t header[PDU_HEADER_LENGTH])
{
	return (size_t)header[4] * 4;
}

size_t pdu_header_data_length(const uint8_t header[PDU_HEADER_LENGTH])
{
	return get_number(header + 5, 3);
}

int pdu_decode(const uint8_t header[PDU_HEADER_LENGTH], struct pdu *ret)
{
	enum pdu_opcode opcode = pdu_header_opcode(header);
	const struct layout *layout = &layouts[opcode];
	struct pdu pdu = {
		.opcode = opcode,
		.immediate = !(opcode & OPCODE_TARGET) && (header[0] & IMMEDIATE),
		.ahs_length = (uint16_t)pdu_header_ahs_length(header),
		.data_length = (uint32_t)pdu_header_data_length(header),
		.itt = (uint32_t)get_number(header + 16, 4),
	};

	if (!layout->name)
		return -EOPNOTSUPP;
	for (size_t i = 0; i < layout->n_fields; i++)
		field_decode(&layout->fields[i], header, &pdu);
	*ret = pdu;
	return 0;
}

void pdu_encode(const struct pdu *pdu, uint8_t ret[PDU_HEADER_LENGTH])
{
	const struct layout *layout = &layouts[pdu->opcode & OPCODE_MASK];

	memset(ret, 0, PDU_HEADER_LENGTH);
	ret[0] = (uint8_t)(pdu->opcode & OPCODE_MASK);
	if (pdu->immediate && !(pdu->opcode & OPCODE_TARGET))
		ret[0] |= IMMEDIATE;
	if (layout->always_final)
		ret[1] = FINAL;
	ret[4] = (uint8_t)(pdu->ahs_length / 4);
	put_number(ret + 5, 3, pdu->data_length);
	put_number(ret + 16, 4, pdu->itt);
	for (size_t i = 0; i < layout->n_fields; i++)
		field_encode(&layout->fields[i], pdu, ret);
}

const char *pdu_opcode_to_string(enum pdu_opcode opcode)
{
	return (size_t)opcode < ELEMENTSOF(layouts) ? layouts[opcode].name : NULL;
}

const char *pdu_reject_reason_to_string(unsigned reason)
{
	/* RFC 7143, 11.17.1 */
	static const char *const sentences[] = {
		[0x02] = "data (payload) digest error",
		[0x03] = "SNACK rejected",
		[0x04] = "protocol error",
		[0x05] = "command not supported",
		[0x06] = "too many immediate commands",
		[0x07] = "task in progress",
		[0x08] = "invalid Data Acknowledgment",
		[0x09] = "invalid PDU field",
		[0x0a] = "out of resources",
		[0x0b] = "negotiation was reset",
		[0x0c] = "waiting for logout",
	};

	return reason < ELEMENTSOF(sentences) ? sentences[reason] : NULL;
}
