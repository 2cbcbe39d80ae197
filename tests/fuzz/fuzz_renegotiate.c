// layers: ois-iscsi ois-events ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A negotiation in Full Feature Phase. The first byte says whether deviations are tolerated, the
 * rest is what the target says, see dialogue.h. It ends, and only what may change has changed.
 */
#include "bounds.h"
#include "dialogue.h"
#include "renegotiate.h"

/* Takes the request that is to be sent, if there is one. */
static bool take_request(struct renegotiation *machine, unsigned *n)
{
	struct renegotiation_request request;
	struct pdu pdu;

	if (!renegotiation_next(machine, &request))
		return false;
	FUZZ_CHECK(++*n <= RENEGOTIATION_EXCHANGES_MAX);
	FUZZ_CHECK(pdu_decode(request.header, &pdu) == 0 && pdu.opcode == PDU_OPCODE_TEXT_REQUEST);
	FUZZ_CHECK(pdu.immediate && pdu.text_request.final && !pdu.text_request.more);
	FUZZ_CHECK(pdu.data_length == request.length && request.length <= RENEGOTIATION_DATA_MAX);
	FUZZ_CHECK((pdu.text_request.ttt == PDU_TAG_RESERVED) == (*n == 1));
	return true;
}

static void check_outcome(const struct renegotiation_config *config,
			  struct renegotiation_outcome *outcome)
{
	uint32_t length = outcome->parameters.max_xmit_data_segment_length;

	FUZZ_CHECK(length >= 512 && length <= PDU_DATA_SEGMENT_MAX);
	FUZZ_CHECK(text_is_clean(outcome->target_alias, strlen(outcome->target_alias)));
	FUZZ_CHECK(!config->strict || outcome->leniencies.used == 0);
	outcome->parameters.max_xmit_data_segment_length =
		config->parameters.max_xmit_data_segment_length;
	FUZZ_CHECK(memcmp(&outcome->parameters, &config->parameters, sizeof(config->parameters)) ==
		   0);
}

static int answer(struct renegotiation *machine, const struct dialogue_message *message,
		  struct renegotiation_outcome *ret_outcome, const char **ret_reason)
{
	bool final = message->flags & DIALOGUE_FINAL;
	struct pdu pdu = {
		.opcode = PDU_OPCODE_TEXT_RESPONSE,
		.text_response = {
			.final = final,
			.more = message->flags & DIALOGUE_MORE,
			.ttt = final ? PDU_TAG_RESERVED : 1,
		},
	};
	uint8_t header[PDU_HEADER_LENGTH];
	const uint8_t *data;
	size_t length = dialogue_pdu(message, &pdu, header, &data);

	return renegotiation_receive(machine, header, data, length, ret_outcome, ret_reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(renegotiation_freep) struct renegotiation *machine = NULL;
	struct renegotiation_config config = { .strict = size > 0 && (data[0] & 1) };
	struct dialogue dialogue = { data + (size > 0), data + size };
	struct renegotiation_outcome outcome;
	struct dialogue_message message;
	unsigned n_requests = 0;
	const char *reason;
	int r = 0;

	memset(&config.parameters, 0, sizeof(config.parameters));
	iscsi_parameters_init(&config.parameters);
	FUZZ_CHECK(renegotiation_new(&config, &machine) == 0);
	FUZZ_CHECK(take_request(machine, &n_requests));
	while (r == 0 && dialogue_next(&dialogue, &message)) {
		r = answer(machine, &message, &outcome, &reason);
		free(message.text);
		FUZZ_CHECK((r == -EPROTO) == (reason != NULL));
		FUZZ_CHECK(take_request(machine, &n_requests) == (r == 0));
	}
	if (r > 0)
		check_outcome(&config, &outcome);
	return 0;
}
