/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "responder.h"
#include "text.h"

#define TSIH             1
#define CHALLENGE_LENGTH 16
#define WINDOW           32

/* What of a request is not left to the negotiation. */
struct request {
	bool auth_method, chap_a, chap_r, discovery;
	uint64_t identifier;
	uint8_t challenge[CHAP_CHALLENGE_MAX];
	size_t challenge_length;
};

void responder_init(struct responder *responder, const struct responder_config *config)
{
	*responder = (struct responder){ .config = config, .stat_sn = 1 };
}

static void read_pair(struct request *request, const struct text_pair *pair)
{
	enum iscsi_key key;

	if (key_from_name(pair->key, pair->key_length, &key) < 0)
		return;
	switch ((int)key) {
	case ISCSI_KEY_AUTH_METHOD:
		request->auth_method = true;
		break;
	case ISCSI_KEY_CHAP_A:
		request->chap_a = true;
		break;
	case ISCSI_KEY_CHAP_R:
		request->chap_r = true;
		break;
	case ISCSI_KEY_CHAP_I:
		(void)text_parse_number(pair->value, pair->value_length, &request->identifier);
		break;
	case ISCSI_KEY_CHAP_C:
		(void)text_parse_binary(pair->value, pair->value_length, request->challenge,
					sizeof(request->challenge), &request->challenge_length);
		break;
	case ISCSI_KEY_SESSION_TYPE:
		request->discovery = text_value_is(pair, "Discovery");
		break;
	}
}

static void read_request(const void *data, size_t length, struct request *ret)
{
	struct text_iterator iterator;
	struct text_pair pair;

	*ret = (struct request){ 0 };
	text_iterator_init(&iterator, data, length);
	while (text_iterator_next(&iterator, &pair, NULL) > 0)
		read_pair(ret, &pair);
}

static int prove(const struct responder_config *config, const struct request *request,
		 struct buffer *out)
{
	uint8_t response[CHAP_RESPONSE_MAX];
	int r;

	r = chap_respond(config->algorithm, (uint8_t)request->identifier, config->secret,
			 request->challenge, request->challenge_length, response);
	if (r >= 0)
		r = text_write(out, "CHAP_N", config->name);
	if (r >= 0)
		r = text_write_binary(out, "CHAP_R", response,
				      chap_response_length(config->algorithm));
	return r;
}

static int answer_security(const struct responder_config *config, const struct request *request,
			   struct buffer *out)
{
	uint8_t challenge[CHALLENGE_LENGTH] = { 0xc5 };
	int r;

	if (request->auth_method)
		return text_write(out, "AuthMethod", "CHAP");
	if (request->chap_r)
		return request->challenge_length > 0 ? prove(config, request, out) : 0;
	if (!request->chap_a)
		return 0;
	r = text_write_number(out, "CHAP_A", chap_algorithm_number(config->algorithm));
	if (r >= 0)
		r = text_write_number(out, "CHAP_I", 1);
	if (r >= 0)
		r = text_write_binary(out, "CHAP_C", challenge, sizeof(challenge));
	return r;
}

static int answer_operational(struct responder *responder, const void *data, size_t length,
			      struct buffer *out)
{
	struct negotiation_fault fault;
	struct text_iterator iterator;
	struct text_pair pair;
	int r = 0;

	text_iterator_init(&iterator, data, length);
	while (r >= 0 && text_iterator_next(&iterator, &pair, NULL) > 0)
		r = negotiation_receive(&responder->negotiation, KEY_IN_OPERATIONAL, &pair, out,
					&fault);
	return r;
}

static void begin(struct responder *responder, bool discovery)
{
	struct iscsi_offer offer;

	iscsi_offer_init(&offer);
	responder->begun = true;
	responder->discovery = discovery;
	negotiation_init(&responder->negotiation, NEGOTIATION_TARGET, discovery, &offer);
}

static void fill_response(struct responder *responder, const struct pdu *request, bool transit,
			  struct pdu *ret)
{
	bool last = transit && request->login_request.nsg == PDU_STAGE_FULL_FEATURE;
	unsigned status = last && !responder->discovery ? responder->config->status : 0;

	*ret = (struct pdu){
		.opcode = PDU_OPCODE_LOGIN_RESPONSE,
		.itt = request->itt,
		.login_response = {
			.transit = transit && status == 0,
			.csg = request->login_request.csg,
			.nsg = transit ? request->login_request.nsg : 0,
			.tsih = last ? TSIH : 0,
			.numbers = { responder->stat_sn++, request->login_request.cmd_sn,
				     request->login_request.cmd_sn + WINDOW },
			.status_class = (uint8_t)(status >> 8),
			.status_detail = (uint8_t)status,
		},
	};
	memcpy(ret->login_response.isid, request->login_request.isid, 6);
	responder->done = last;
	if (last)
		responder->parameters = responder->negotiation.parameters;
}

int responder_answer(struct responder *responder, const uint8_t header[PDU_HEADER_LENGTH],
		     const void *data, size_t length, uint8_t ret_header[PDU_HEADER_LENGTH],
		     struct buffer *ret_text)
{
	struct request said;
	struct pdu request, response;
	bool transit, first = !responder->begun;
	int r = 0;

	if (pdu_decode(header, &request) < 0 || request.opcode != PDU_OPCODE_LOGIN_REQUEST ||
	    request.login_request.more)
		return -EPROTO;
	read_request(data, length, &said);
	if (first)
		begin(responder, said.discovery);
	buffer_clear(ret_text);
	transit = request.login_request.transit;
	/* RFC 7143, 13.9: in the first response of a normal session. */
	if (first && !responder->discovery)
		r = text_write_number(ret_text, "TargetPortalGroupTag", 1);
	if (r >= 0 && request.login_request.csg == PDU_STAGE_SECURITY)
		r = answer_security(responder->config, &said, ret_text);
	else if (r >= 0)
		r = answer_operational(responder, data, length, ret_text);
	if (r < 0)
		return r;
	fill_response(responder, &request, transit, &response);
	if (response.login_response.status_class != 0)
		buffer_clear(ret_text);
	response.data_length = (uint32_t)ret_text->length;
	pdu_encode(&response, ret_header);
	return 0;
}
