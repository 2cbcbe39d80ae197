/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "renegotiate.h"

struct renegotiation {
	struct negotiation negotiation;
	uint32_t exp_stat_sn, ttt;
	uint64_t lun;
	unsigned exchanges;
	bool send_ready, awaiting;
	uint8_t header[PDU_HEADER_LENGTH];
	struct buffer request;
	struct text_collector in;
};

/* RFC 7143, 11.10: a request that goes on with an exchange repeats its Target Transfer Tag. */
static void send_text(struct renegotiation *renegotiation)
{
	const struct pdu pdu = {
		.opcode = PDU_OPCODE_TEXT_REQUEST,
		.immediate = true,
		.data_length = (uint32_t)renegotiation->request.length,
		.text_request = {
			.final = true,
			.lun = renegotiation->lun,
			.ttt = renegotiation->ttt,
			.exp_stat_sn = renegotiation->exp_stat_sn,
		},
	};

	pdu_encode(&pdu, renegotiation->header);
	renegotiation->send_ready = true;
	renegotiation->exchanges++;
}

static int declare(struct renegotiation *renegotiation)
{
	struct negotiation *negotiation = &renegotiation->negotiation;
	char value[16];

	(void)snprintf(value, sizeof(value), "%u", negotiation->offer.max_recv_data_segment_length);
	return negotiation_declare(negotiation, ISCSI_KEY_MAX_RECV_DATA_SEGMENT_LENGTH, value,
				   &renegotiation->request);
}

int renegotiation_new(const struct renegotiation_config *config, struct renegotiation **ret)
{
	_cleanup_(renegotiation_freep) struct renegotiation *renegotiation =
		calloc(1, sizeof(*renegotiation));
	struct iscsi_offer offer;
	int r;

	if (!renegotiation)
		return -ENOMEM;
	iscsi_offer_init(&offer);
	offer.max_recv_data_segment_length = config->parameters.max_recv_data_segment_length;
	negotiation_init(&renegotiation->negotiation, NEGOTIATION_INITIATOR, false, &offer);
	renegotiation->negotiation.parameters = config->parameters;
	renegotiation->negotiation.leniencies.strict = config->strict;
	renegotiation->exp_stat_sn = config->exp_stat_sn;
	renegotiation->ttt = PDU_TAG_RESERVED;
	renegotiation->request.limit = RENEGOTIATION_DATA_MAX;
	renegotiation->in.text.limit = LOGIN_TEXT_MAX;
	r = declare(renegotiation);
	if (r < 0)
		return r;
	send_text(renegotiation);
	*ret = TAKE_PTR(renegotiation);
	return 0;
}

struct renegotiation *renegotiation_free(struct renegotiation *renegotiation)
{
	if (!renegotiation)
		return NULL;
	buffer_done(&renegotiation->request);
	buffer_done(&renegotiation->in.text);
	free(renegotiation);
	return NULL;
}

bool renegotiation_next(struct renegotiation *renegotiation, struct renegotiation_request *ret)
{
	if (!renegotiation->send_ready)
		return false;
	renegotiation->send_ready = false;
	renegotiation->awaiting = true;
	*ret = (struct renegotiation_request){
		.header = renegotiation->header,
		.data = renegotiation->request.data,
		.length = renegotiation->request.length,
	};
	return true;
}

/* RFC 7143, 11.11, and limits of our own: why the exchange cannot go on like this, or NULL. */
static const char *response_fault(const struct renegotiation *renegotiation, const struct pdu *pdu,
				  size_t length)
{
	bool final = pdu->text_response.final;

	if (pdu->data_length != length)
		return "the data segment does not have the length the header gives";
	if (!renegotiation->awaiting)
		return "no request was sent that it could answer";
	if (final && pdu->text_response.more)
		return "the F bit and the C bit are both set";
	if (!final && pdu->text_response.ttt == PDU_TAG_RESERVED)
		return "more text is announced without a Target Transfer Tag";
	if (!final && renegotiation->exchanges >= RENEGOTIATION_EXCHANGES_MAX)
		return "the negotiation does not end";
	return NULL;
}

/* RFC 7143, 6.1 */
static int terminate_text(struct renegotiation *renegotiation, const char **ret_reason)
{
	struct buffer *text = &renegotiation->in.text;
	struct leniencies *leniencies = &renegotiation->negotiation.leniencies;

	if (text->length == 0 || text->data[text->length - 1] == '\0')
		return 0;
	if (!leniency_allows(leniencies, LENIENCY_TEXT_UNTERMINATED)) {
		*ret_reason = leniency_row(LENIENCY_TEXT_UNTERMINATED)->deviation;
		return -EPROTO;
	}
	return buffer_append(text, "", 1);
}

/* All of it, or nothing: the caller's scratch copy. Answers become the next request. */
static int receive_text(struct renegotiation *renegotiation, struct negotiation *scratch,
			const char **ret_reason)
{
	struct text_iterator iterator;
	struct negotiation_fault fault;
	struct text_pair pair;
	unsigned n = 0;
	int r;

	buffer_clear(&renegotiation->request);
	text_iterator_init(&iterator, renegotiation->in.text.data, renegotiation->in.text.length);
	while ((r = text_iterator_next(&iterator, &pair, ret_reason)) > 0) {
		if (++n > LOGIN_KEYS_MAX) {
			*ret_reason = "too many keys";
			return -EPROTO;
		}
		r = negotiation_receive(scratch, KEY_IN_FULL_FEATURE, &pair,
					&renegotiation->request, &fault);
		if (r == -EPROTO)
			*ret_reason = fault.reason;
		if (r < 0)
			return r;
	}
	return r;
}

/* A complete text, of one or more responses. */
static int receive_answer(struct renegotiation *renegotiation, bool final,
			  struct renegotiation_outcome *ret_outcome, const char **ret_reason)
{
	struct negotiation scratch;
	int r = terminate_text(renegotiation, ret_reason);

	if (r < 0)
		return r;
	scratch = renegotiation->negotiation;
	scratch.owes_answer = scratch.owes_not_understood = false;
	r = receive_text(renegotiation, &scratch, ret_reason);
	if (r < 0)
		return r;
	if (final && scratch.owes_answer) {
		*ret_reason = "the last response asks for an answer";
		return -EPROTO;
	}
	if (final && scratch.owes_not_understood &&
	    !leniency_allows(&scratch.leniencies, LENIENCY_UNKNOWN_KEY_LAST)) {
		*ret_reason = leniency_row(LENIENCY_UNKNOWN_KEY_LAST)->deviation;
		return -EPROTO;
	}
	renegotiation->negotiation = scratch;
	if (!final) {
		send_text(renegotiation);
		return 0;
	}
	*ret_outcome = (struct renegotiation_outcome){
		.parameters = scratch.parameters,
		.leniencies = scratch.leniencies,
	};
	memcpy(ret_outcome->target_alias, scratch.target_alias, sizeof(scratch.target_alias));
	return 1;
}

int renegotiation_receive(struct renegotiation *renegotiation,
			  const uint8_t header[PDU_HEADER_LENGTH], const void *data, size_t length,
			  struct renegotiation_outcome *ret_outcome, const char **ret_reason)
{
	struct pdu pdu;
	int r;

	*ret_reason = NULL;
	if (pdu_decode(header, &pdu) < 0 || pdu.opcode != PDU_OPCODE_TEXT_RESPONSE)
		*ret_reason = "it is no Text Response";
	else
		*ret_reason = response_fault(renegotiation, &pdu, length);
	if (*ret_reason)
		return -EPROTO;
	renegotiation->awaiting = false;
	renegotiation->exp_stat_sn = pdu.text_response.numbers.stat_sn + 1;
	renegotiation->ttt = pdu.text_response.ttt;
	renegotiation->lun = pdu.text_response.lun;
	r = text_collect(&renegotiation->in, data, length, pdu.text_response.more);
	if (r == 0) {
		buffer_clear(&renegotiation->request);
		send_text(renegotiation);
	}
	if (r > 0)
		r = receive_answer(renegotiation, pdu.text_response.final, ret_outcome, ret_reason);
	if (r == -E2BIG) {
		*ret_reason = "too much text";
		return -EPROTO;
	}
	return r;
}
