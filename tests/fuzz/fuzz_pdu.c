// layers: ois-iscsi ois-events ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Headers: what is decoded is encoded as it was but for reserved bits, means the same when decoded
 * again, and can be shown in an event with any data segment behind it.
 */
#include "dialogue.h"

#define OPCODE_MASK 0x3f

/* No bit of @two that @one has not, apart from the first of the flags, which some opcodes always
 * set. */
static void check_reserved(const uint8_t *one, const uint8_t *two)
{
	for (size_t i = 0; i < PDU_HEADER_LENGTH; i++)
		FUZZ_CHECK((two[i] & ~one[i] & (i == 1 ? 0x7f : 0xff)) == 0);
}

static void check_event_with(const uint8_t *header, const uint8_t *data, size_t length)
{
	struct event *event = event_new(EVENT_LOGIN_RESPONSE_INVALID);

	event_set_pdu(event, header, data, length);
	FUZZ_CHECK(event_get(event, FIELD_DUMP_PDU));
	FUZZ_CHECK(strlen(event_get(event, FIELD_DUMP_PDU)) == 2UL * PDU_HEADER_LENGTH);
	check_event(event, NULL, 0);
	event_free(event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t once[PDU_HEADER_LENGTH], twice[PDU_HEADER_LENGTH];
	struct pdu pdu, again;

	if (size < PDU_HEADER_LENGTH)
		return 0;
	check_event_with(data, data + PDU_HEADER_LENGTH, size - PDU_HEADER_LENGTH);
	FUZZ_CHECK(pdu_header_data_length(data) <= PDU_DATA_SEGMENT_MAX);
	FUZZ_CHECK(pdu_header_ahs_length(data) <= PDU_AHS_LENGTH_MAX);
	if (pdu_decode(data, &pdu) < 0) {
		FUZZ_CHECK(!pdu_opcode_to_string(data[0] & OPCODE_MASK));
		return 0;
	}
	FUZZ_CHECK(pdu.opcode == pdu_header_opcode(data) && pdu_opcode_to_string(pdu.opcode));
	FUZZ_CHECK(pdu.data_length == pdu_header_data_length(data));
	pdu_encode(&pdu, once);
	check_reserved(data, once);
	FUZZ_CHECK(pdu_decode(once, &again) == 0);
	pdu_encode(&again, twice);
	FUZZ_CHECK(memcmp(once, twice, sizeof(once)) == 0);
	return 0;
}
