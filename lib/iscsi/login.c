/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The Login Phase: PDU fields, stages, collection of text, and the outcome. Authentication is in
 * login_security.c, the meaning of operational keys in negotiate.c.
 */
#include <string.h>

#include "login_private.h"
#include "secret.h"
#include "serial.h"

/* RFC 7143, 11.12.4: the only version there is. */
#define ISCSI_VERSION 0

struct event *login_event(enum event_number number, enum event_outcome outcome)
{
	struct event *event = event_new(number);

	event_set_outcome(event, outcome);
	return event;
}

void login_raise(struct login *login, struct event *event)
{
	if (event && login->n_events < LOGIN_EVENTS_MAX)
		login->events[login->n_events++] = event;
	else
		event_free(event);
}

void login_end(struct login *login, const struct login_step *final)
{
	login->ended = true;
	login->final = *final;
}

int login_fail(struct login *login, int error, bool retry, enum event_number number,
	       struct event *event)
{
	struct login_step final = { .type = LOGIN_STEP_FAILED };

	final.failed.error = error;
	final.failed.status_class = -1;
	final.failed.status_detail = -1;
	final.failed.event = number;
	final.failed.retry = retry;
	login_raise(login, event);
	login_end(login, &final);
	return error;
}

int login_fault(struct login *login, const char *reason)
{
	struct event *event = login_event(EVENT_LOGIN_RESPONSE_INVALID, EVENT_OUTCOME_FAILED);

	event_set_pdu(event, login->received_header, login->received_data, login->received_length);
	event_set_string(event, FIELD_REASON, reason);
	return login_fail(login, -EPROTO, false, EVENT_LOGIN_RESPONSE_INVALID, event);
}

int login_tolerate(struct login *login, enum leniency which)
{
	const struct leniency_row *row = leniency_row(which);
	char reason[160];

	if (leniency_allows(&login->negotiation.leniencies, which))
		return 0;
	(void)snprintf(reason, sizeof(reason), "%s (%s)", row->deviation, row->rfc);
	return login_fault(login, reason);
}

static int login_fail_plain(struct login *login, int error, bool retry, enum event_number number)
{
	return login_fail(login, error, retry, number, login_event(number, EVENT_OUTCOME_FAILED));
}

static bool login_in_security(const struct login *login)
{
	return login->phase != LOGIN_PHASE_OPERATIONAL;
}

static unsigned login_csg(const struct login *login)
{
	return login_in_security(login) ? PDU_STAGE_SECURITY : PDU_STAGE_OPERATIONAL;
}

static unsigned login_nsg(const struct login *login)
{
	return login_in_security(login) ? PDU_STAGE_OPERATIONAL : PDU_STAGE_FULL_FEATURE;
}

/* Sending */

/*
 * Makes the next PDU of the request in .out; the C bit is set in all but the last, and only the
 * last asks for the transition. RFC 7143, 11.12
 */
static void send_chunk(struct login *login)
{
	const struct login_config *config = &login->config;
	size_t left = login->out.length - login->out_sent;
	bool more = left > LOGIN_DATA_SEGMENT_MAX;
	struct pdu pdu = {
		.opcode = PDU_OPCODE_LOGIN_REQUEST,
		.immediate = true,
		.itt = config->itt,
		.login_request = {
			.transit = !more && login->out_transit,
			.more = more,
			.csg = (uint8_t)login_csg(login),
			.version_max = ISCSI_VERSION,
			.version_min = ISCSI_VERSION,
			.tsih = config->tsih,
			.cid = config->cid,
			.cmd_sn = config->cmdsn,
			.exp_stat_sn = login->stat_sn_known ? login->stat_sn + 1 : 0,
		},
	};

	memcpy(pdu.login_request.isid, config->isid, sizeof(config->isid));
	if (pdu.login_request.transit)
		pdu.login_request.nsg = (uint8_t)login_nsg(login);
	login->chunk_at = login->out_sent;
	login->chunk_length = more ? LOGIN_DATA_SEGMENT_MAX : left;
	login->out_sent += login->chunk_length;
	pdu.data_length = (uint32_t)login->chunk_length;
	pdu_encode(&pdu, login->header);
	login->sent_more = more;
	login->sent_transit = pdu.login_request.transit;
	login->send_ready = true;
	login->exchanges++;
}

static void send_request(struct login *login, bool transit)
{
	login->out_sent = 0;
	login->out_transit = transit;
	send_chunk(login);
}

/*
 * The target has more to say: an empty request, which repeats the wish for the transition. RFC
 * 7143, 6.2
 */
static void send_empty(struct login *login)
{
	buffer_clear(&login->out);
	send_request(login, login->out_transit);
}

/* RFC 7143, 6.3.1: what the first request of a connection must say. */
static int write_identity(struct login *login)
{
	const struct login_config *config = &login->config;
	struct negotiation *negotiation = &login->negotiation;
	int r;

	r = negotiation_declare(negotiation, ISCSI_KEY_INITIATOR_NAME, config->initiator_name,
				&login->out);
	if (r >= 0 && config->initiator_alias)
		r = negotiation_declare(negotiation, ISCSI_KEY_INITIATOR_ALIAS,
					config->initiator_alias, &login->out);
	if (r >= 0)
		r = negotiation_declare(negotiation, ISCSI_KEY_SESSION_TYPE,
					config->target_name ? "Normal" : "Discovery", &login->out);
	if (r >= 0 && config->target_name)
		r = negotiation_declare(negotiation, ISCSI_KEY_TARGET_NAME, config->target_name,
					&login->out);
	return r;
}

static int start_operational(struct login *login)
{
	login->phase = LOGIN_PHASE_OPERATIONAL;
	return negotiation_offer(&login->negotiation, &login->out);
}

/* Judging a Login Response */

static bool response_is_final(const struct pdu *pdu)
{
	return pdu->login_response.transit && pdu->login_response.nsg == PDU_STAGE_FULL_FEATURE;
}

/* No ISID of ours is zero. */
static bool isid_left_out(const struct pdu *pdu)
{
	static const uint8_t none[sizeof(pdu->login_response.isid)];

	return pdu->login_response.status_class == PDU_LOGIN_REDIRECTION &&
	       memcmp(pdu->login_response.isid, none, sizeof(none)) == 0;
}

/* RFC 7143, 11.13: which session and which protocol a response is about after which a login goes
 * on. */
static const char *identity_fault(const struct login *login, const struct pdu *pdu)
{
	const struct login_config *config = &login->config;

	if (pdu->login_response.version_active != ISCSI_VERSION)
		return "the active version is not one that was offered";
	/* RFC 7143, 11.13.1 */
	if (login->stat_sn_known && pdu->login_response.version_max != login->version_max)
		return "the highest version is not the one of the first response";
	if (memcmp(pdu->login_response.isid, config->isid, sizeof(config->isid)) != 0 &&
	    !isid_left_out(pdu))
		return "the ISID is not the one of the request";
	return NULL;
}

/* RFC 7143, 11.13 and 6.3: fields that must be right in every response of success. */
static const char *response_fault(const struct login *login, const struct pdu *pdu)
{
	const struct login_config *config = &login->config;

	if (config->tsih != 0 && pdu->login_response.tsih != config->tsih)
		return "the TSIH is not the one of the request";
	if (response_is_final(pdu) && pdu->login_response.tsih == 0)
		return "the TSIH of a new session is zero";
	if (pdu->login_response.csg != login_csg(login))
		return "the current stage is not the one of the request";
	if (pdu->login_response.transit && pdu->login_response.more)
		return "the T bit and the C bit are both set";
	return NULL;
}

/* RFC 7143, 6.3 and 11.13.2: a target may refuse a transition, and may not make one by itself. */
static const char *transit_fault(const struct login *login, const struct pdu *pdu)
{
	if (pdu->login_response.transit && !login->sent_transit)
		return "the target makes a stage transition that was not asked for";
	if (pdu->login_response.transit && pdu->login_response.nsg != login_nsg(login) &&
	    !response_is_final(pdu))
		return "the next stage is not the one of the request";
	if (login->sent_more && (pdu->login_response.more || pdu->data_length > 0))
		return "the target answers before it has the whole request";
	return NULL;
}

/* Known deviations in a header that is right otherwise. */
static int tolerate_header(struct login *login, const struct pdu *pdu)
{
	int r = 0;

	if (login->config.tsih == 0 && !response_is_final(pdu) && pdu->login_response.tsih != 0)
		r = login_tolerate(login, LENIENCY_TSIH_EARLY);
	if (r >= 0 && response_is_final(pdu) && login_in_security(login))
		r = login_tolerate(login, LENIENCY_STAGE_SKIPPED);
	return r;
}

/* RFC 7143, 11.13.4: each response carries the next StatSN. */
static int check_stat_sn(struct login *login, const struct pdu *pdu)
{
	uint32_t stat_sn = pdu->login_response.numbers.stat_sn, expected = login->stat_sn + 1;
	bool right = !login->stat_sn_known || stat_sn == expected;
	bool fatal = !right &&
		     !(response_is_final(pdu) &&
		       leniency_allows(&login->negotiation.leniencies, LENIENCY_STATSN_RESTARTED));
	struct event *event;

	login->stat_sn = stat_sn;
	login->stat_sn_known = true;
	if (right)
		return 0;
	event = login_event(EVENT_STATSN_INVALID,
			    fatal ? EVENT_OUTCOME_FAILED : EVENT_OUTCOME_CONTINUED);
	event_set_number(event, FIELD_DUMP_EXPECTED_STATSN, expected);
	event_set_number(event, FIELD_DUMP_RECEIVED_STATSN, stat_sn);
	if (fatal)
		return login_fail(login, -EPROTO, false, EVENT_STATSN_INVALID, event);
	login_raise(login, event);
	return 0;
}

/*
 * RFC 7143, 4.2.2.1: a window of one command and a closed one are legal, and reported once; a
 * MaxCmdSN below that is not.
 */
static int check_window(struct login *login, const struct pdu_numbers *numbers)
{
	bool legal = numbers->max_cmd_sn == numbers->exp_cmd_sn ||
		     numbers->max_cmd_sn == numbers->exp_cmd_sn - 1;
	struct event *event;

	login->result.exp_cmd_sn = numbers->exp_cmd_sn;
	login->result.max_cmd_sn = numbers->max_cmd_sn;
	if (serial_greater(numbers->max_cmd_sn, numbers->exp_cmd_sn) ||
	    (legal && login->window_reported))
		return 0;
	event = login_event(EVENT_CMDSN_WINDOW_INVALID,
			    legal ? EVENT_OUTCOME_CONTINUED : EVENT_OUTCOME_FAILED);
	event_set_number(event, FIELD_DUMP_EXP_CMDSN, numbers->exp_cmd_sn);
	event_set_number(event, FIELD_DUMP_MAX_CMDSN, numbers->max_cmd_sn);
	if (!legal)
		return login_fail(login, -EPROTO, false, EVENT_CMDSN_WINDOW_INVALID, event);
	login->window_reported = true;
	login_raise(login, event);
	return 0;
}

/* RFC 7143, 11.17: a Reject PDU in place of a response. Its data segment is the header rejected. */
static int receive_reject(struct login *login, const struct pdu *pdu)
{
	const char *text = pdu_reject_reason_to_string(pdu->reject.reason);
	struct event *event = login_event(EVENT_PDU_REJECTED, EVENT_OUTCOME_FAILED);

	if (login->received_length >= PDU_HEADER_LENGTH)
		event_set_pdu(event, login->received_data, NULL, 0);
	event_set_status(event, pdu->reject.reason, text ? text : "unknown reason");
	return login_fail(login, -EPROTO, false, EVENT_PDU_REJECTED, event);
}

/* Text of a response */

static bool offers_none(const struct iscsi_digest_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->digest[i] == ISCSI_DIGEST_NONE)
			return true;
	return list->n == 0;
}

/* The events that the table has for the answers to four keys; 0: none for this one. */
static int key_event(const struct login *login, const struct negotiation_fault *fault,
		     const struct text_pair *pair)
{
	const struct iscsi_offer *offer = &login->config.offer;

	switch ((int)fault->key) {
	case ISCSI_KEY_HEADER_DIGEST:
		if (login->config.header_digest_required || !offers_none(&offer->header_digest))
			return EVENT_HEADER_DIGEST_REQUIRED;
		break;
	case ISCSI_KEY_DATA_DIGEST:
		if (login->config.data_digest_required || !offers_none(&offer->data_digest))
			return EVENT_DATA_DIGEST_REQUIRED;
		break;
	case ISCSI_KEY_DATA_PDU_IN_ORDER:
		if (text_value_is(pair, "No"))
			return EVENT_DATA_PDU_IN_ORDER_REFUSED;
		break;
	case ISCSI_KEY_DATA_SEQUENCE_IN_ORDER:
		if (text_value_is(pair, "No"))
			return EVENT_DATA_SEQUENCE_IN_ORDER_REFUSED;
		break;
	}
	return 0;
}

static int negotiation_failed(struct login *login, const struct negotiation_fault *fault,
			      const struct text_pair *pair)
{
	int number = key_event(login, fault, pair);
	char reason[ISCSI_KEY_NAME_MAX + 160];

	if (number > 0)
		return login_fail_plain(login, -EPROTO, false, (enum event_number)number);
	(void)snprintf(reason, sizeof(reason), "%.*s: %s (%s)", (int)pair->key_length, pair->key,
		       fault->reason, fault->rfc);
	return login_fault(login, reason);
}

/* A key that was offered is not settled at the end. */
static int unsettled(struct login *login, const struct negotiation_fault *fault)
{
	const char *name = key_row(fault->key)->name;
	const struct text_pair pair = { .key = name, .key_length = strlen(name), .value = "" };

	return negotiation_failed(login, fault, &pair);
}

static int receive_pair(struct login *login, const struct text_pair *pair,
			struct negotiation *scratch, struct buffer *answers,
			struct security_keys *keys)
{
	unsigned stage = login_in_security(login) ? KEY_IN_SECURITY : KEY_IN_OPERATIONAL;
	struct negotiation_fault fault;
	enum iscsi_key key;
	int r;

	if (key_from_name(pair->key, pair->key_length, &key) >= 0) {
		if (key <= ISCSI_KEY_CHAP_R)
			return security_key(login, key, pair, keys);
		if (key <= ISCSI_KEY_TARGET_AUTH)
			return login_fault(login, "a key of a method that was not offered");
	}
	r = negotiation_receive(scratch, stage, pair, answers, &fault);
	return r == -EPROTO ? negotiation_failed(login, &fault, pair) : r;
}

/* RFC 7143, 6.1 */
static int terminate_text(struct login *login)
{
	struct buffer *text = &login->in.text;
	int r;

	if (text->length == 0 || text->data[text->length - 1] == '\0')
		return 0;
	r = login_tolerate(login, LENIENCY_TEXT_UNTERMINATED);
	return r < 0 ? r : buffer_append(text, "", 1);
}

/*
 * A whole answer is checked into a scratch copy, which takes effect when all of it was good. RFC
 * 7143, 6.2
 */
static int receive_text(struct login *login, struct security_keys *keys)
{
	_cleanup_(buffer_done) struct buffer answers = { .limit = LOGIN_TEXT_MAX };
	struct negotiation scratch;
	struct text_iterator iterator;
	struct text_pair pair;
	const char *fault;
	unsigned n = 0;
	int r;

	r = terminate_text(login);
	if (r < 0)
		return r;
	scratch = login->negotiation;
	scratch.owes_answer = scratch.owes_not_understood = false;
	text_iterator_init(&iterator, login->in.text.data, login->in.text.length);
	while ((r = text_iterator_next(&iterator, &pair, &fault)) > 0) {
		if (++n > LOGIN_KEYS_MAX)
			return login_fault(login, "too many keys");
		r = receive_pair(login, &pair, &scratch, &answers, keys);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return login_fault(login, fault);
	login->negotiation = scratch;
	buffer_clear(&login->out);
	return buffer_append(&login->out, answers.data, answers.length);
}

/* The end */

/* RFC 7143, 13.13 and 13.14. Sending less unsolicited data than agreed harms nobody. */
static int check_burst(struct login *login)
{
	struct iscsi_parameters *parameters = &login->result.parameters;
	bool excess = parameters->first_burst_length > parameters->max_burst_length;
	bool unsolicited = parameters->immediate_data || !parameters->initial_r2t;
	struct event *event;
	bool fatal;

	if (!login->config.target_name || !unsolicited ||
	    parameters->max_burst_length > parameters->first_burst_length)
		return 0;
	fatal = excess &&
		!leniency_allows(&login->negotiation.leniencies, LENIENCY_FIRST_BURST_EXCESS);
	event = login_event(EVENT_BURST_LENGTH_INVALID,
			    fatal ? EVENT_OUTCOME_FAILED : EVENT_OUTCOME_CONTINUED);
	event_set_number(event, FIELD_DUMP_FIRST_BURST_LENGTH, parameters->first_burst_length);
	event_set_number(event, FIELD_DUMP_MAX_BURST_LENGTH, parameters->max_burst_length);
	if (fatal)
		return login_fail(login, -EPROTO, false, EVENT_BURST_LENGTH_INVALID, event);
	if (excess)
		parameters->first_burst_length = parameters->max_burst_length;
	login_raise(login, event);
	return 0;
}

/* RFC 7143, 13.9 */
static int check_portal_group(struct login *login)
{
	int expected = login->config.portal_group_tag;
	int told = login->negotiation.portal_group_tag;

	if (told < 0)
		return login->config.target_name
			       ? login_tolerate(login, LENIENCY_PORTAL_GROUP_MISSING)
			       : 0;
	return expected >= 0 && expected != told
		       ? login_tolerate(login, LENIENCY_PORTAL_GROUP_CHANGED)
		       : 0;
}

static int check_outcome(struct login *login)
{
	const struct login_config *config = &login->config;
	const struct negotiation *negotiation = &login->negotiation;
	int r = 0;

	if (negotiation->owes_answer)
		return login_fault(login, "the last response offers keys that cannot be answered");
	if (negotiation->owes_not_understood)
		r = login_tolerate(login, LENIENCY_UNKNOWN_KEY_LAST);
	if (r < 0)
		return r;
	if (!negotiation->parameters.header_digest &&
	    (config->header_digest_required || !offers_none(&config->offer.header_digest)))
		return login_fail_plain(login, -EPROTO, false, EVENT_HEADER_DIGEST_REQUIRED);
	if (!negotiation->parameters.data_digest &&
	    (config->data_digest_required || !offers_none(&config->offer.data_digest)))
		return login_fail_plain(login, -EPROTO, false, EVENT_DATA_DIGEST_REQUIRED);
	/* RFC 7145, 6.3. What an RDMA connection would be without it nobody knows. */
	if (config->offer.rdma_extensions && config->target_name &&
	    !negotiation->parameters.rdma_extensions)
		return login_fault(login, "the target does not agree to RDMAExtensions=Yes");
	return check_portal_group(login);
}

static int login_finish(struct login *login, const struct pdu *pdu)
{
	struct login_step final = { .type = LOGIN_STEP_DONE, .result = &login->result };
	struct negotiation_fault fault;
	int r;

	r = negotiation_finish(&login->negotiation, &fault);
	if (r < 0)
		return unsettled(login, &fault);
	r = check_outcome(login);
	if (r < 0)
		return r;
	login->result.parameters = login->negotiation.parameters;
	r = check_burst(login);
	if (r < 0)
		return r;
	login->result.tsih = pdu->login_response.tsih;
	login->result.stat_sn = login->stat_sn;
	login->result.portal_group_tag = login->negotiation.portal_group_tag;
	memcpy(login->result.target_alias, login->negotiation.target_alias,
	       sizeof(login->result.target_alias));
	login_raise(login, leniency_event(&login->negotiation.leniencies));
	login_end(login, &final);
	return 0;
}

/* Acts on a complete and good answer. */
static int receive_answer(struct login *login, const struct pdu *pdu)
{
	bool transit = pdu->login_response.transit;
	struct security_keys keys = { 0 };
	int r;

	r = receive_text(login, &keys);
	if (r < 0)
		return r;
	r = security_receive(login, &keys);
	if (r < 0)
		return r;
	if (response_is_final(pdu))
		return login_finish(login, pdu);
	if (transit) {
		r = start_operational(login);
		if (r < 0)
			return r;
	}
	/* Until its identity is proved there is nothing to go on to. */
	send_request(login, login->phase >= LOGIN_PHASE_CHAP_RESPONSE);
	return 0;
}

/*
 * A redirection is judged as success is. What refuses the login is a refusal, whoever it is about:
 * LIO and tgt leave the ISID zero then, and a version that is refused is another one.
 */
static int receive_status(struct login *login, const struct pdu *pdu)
{
	const char *fault;
	int r = 0;

	if (pdu->login_response.status_class != PDU_LOGIN_REDIRECTION)
		return login_refused(login, pdu);
	fault = identity_fault(login, pdu);
	if (fault)
		return login_fault(login, fault);
	if (isid_left_out(pdu))
		r = login_tolerate(login, LENIENCY_REDIRECT_ISID);
	return r < 0 ? r : login_refused(login, pdu);
}

static int receive_response(struct login *login, const struct pdu *pdu)
{
	const char *fault;
	int r;

	if (pdu->itt != login->config.itt)
		return login_fault(login, "the initiator task tag is not the one of the request");
	if (pdu->login_response.status_class != PDU_LOGIN_SUCCESS)
		return receive_status(login, pdu);
	fault = identity_fault(login, pdu);
	if (!fault)
		fault = response_fault(login, pdu);
	if (!fault)
		fault = transit_fault(login, pdu);
	if (fault)
		return login_fault(login, fault);
	login->version_max = pdu->login_response.version_max;
	r = tolerate_header(login, pdu);
	if (r >= 0)
		r = check_stat_sn(login, pdu);
	if (r >= 0)
		r = check_window(login, &pdu->login_response.numbers);
	if (r < 0)
		return r;
	if (login->exchanges >= LOGIN_EXCHANGES_MAX)
		return login_fault(login, "too many exchanges");
	if (login->sent_more) {
		send_chunk(login);
		return 0;
	}
	r = text_collect(&login->in, login->received_data, login->received_length,
			 pdu->login_response.more);
	if (r == 0)
		send_empty(login);
	if (r > 0)
		r = receive_answer(login, pdu);
	return r == -E2BIG ? login_fault(login, "too much text") : r;
}

static int receive_pdu(struct login *login)
{
	struct pdu pdu;

	if (pdu_decode(login->received_header, &pdu) < 0)
		return login_fault(login, "the opcode is unknown");
	if (pdu.data_length != login->received_length)
		return login_fault(login,
				   "the data segment does not have the length the header gives");
	/* RFC 7143, 13.12: the default holds until the Full Feature Phase. */
	if (pdu.data_length > LOGIN_DATA_SEGMENT_MAX)
		return login_fail_plain(login, -EPROTO, false, EVENT_DATA_SEGMENT_TOO_LONG);
	if (pdu.opcode == PDU_OPCODE_REJECT)
		return receive_reject(login, &pdu);
	if (pdu.opcode != PDU_OPCODE_LOGIN_RESPONSE)
		return login_fault(login, "it is no Login Response");
	/* RFC 7143, 11.2.1.5 */
	if (pdu.ahs_length > 0)
		return login_fault(login, "it has an additional header segment");
	if (!login->awaiting)
		return login_fault(login, "no request was sent that it could answer");
	login->awaiting = false;
	return receive_response(login, &pdu);
}

/* The machine */

static bool config_valid(const struct login_config *config)
{
	if (!config->initiator_name)
		return false;
	return config->authentication == LOGIN_AUTHENTICATION_NONE ||
	       (config->n_chap_algorithms > 0 && config->n_chap_algorithms <= _CHAP_ALGORITHM_MAX);
}

/* Settings that came together later may not go together. */
static int check_name(struct login *login)
{
	if (login->config.user_name)
		return 0;
	return login_fail_plain(login, -EINVAL, false, EVENT_CHAP_NAME_MISSING);
}

/*
 * RFC 7143, 9.2.1: secrets of less than 96 bits need IPsec, which nobody can vouch for here. One
 * that nobody has stored yet has none.
 */
static int check_secrets(struct login *login)
{
	const struct login_config *config = &login->config;
	bool mutual = config->mutual || config->target_secret;
	struct event *event;

	if (secret_length(config->secret) < CHAP_SECRET_MINIMUM) {
		event = login_event(EVENT_INITIATOR_SECRET_TOO_SHORT, EVENT_OUTCOME_FAILED);
		event_set_number(event, FIELD_DUMP_SECRET_LENGTH, secret_length(config->secret));
		if (!config->secret)
			event_set_string(event, FIELD_REASON, "no secret is stored");
		return login_fail(login, -EINVAL, false, EVENT_INITIATOR_SECRET_TOO_SHORT, event);
	}
	if (mutual && secret_length(config->target_secret) < CHAP_SECRET_MINIMUM) {
		event = login_event(EVENT_TARGET_SECRET_TOO_SHORT, EVENT_OUTCOME_FAILED);
		if (!config->target_secret)
			event_set_string(event, FIELD_REASON, "no secret of the target is stored");
		return login_fail(login, -EINVAL, false, EVENT_TARGET_SECRET_TOO_SHORT, event);
	}
	return security_algorithms(login);
}

/* RFC 7143, 6.3: without authentication the security stage is left out; one exchange is enough. */
static int login_start(struct login *login)
{
	bool authenticate = login->config.authentication == LOGIN_AUTHENTICATION_CHAP;
	int r;

	if (authenticate && (check_name(login) < 0 || check_secrets(login) < 0))
		return 0;
	r = write_identity(login);
	if (r < 0)
		return r;
	r = authenticate ? security_start(login) : start_operational(login);
	if (r >= 0)
		send_request(login, !authenticate);
	return r;
}

int login_new(const struct login_config *config, struct login **ret)
{
	_cleanup_(login_freep) struct login *login = NULL;
	int r;

	if (!config_valid(config))
		return -EINVAL;
	login = calloc(1, sizeof(*login));
	if (!login)
		return -ENOMEM;
	login->config = *config;
	login->out.limit = LOGIN_TEXT_MAX;
	login->in.text.limit = LOGIN_TEXT_MAX;
	login->result.portal_group_tag = -1;
	negotiation_init(&login->negotiation, NEGOTIATION_INITIATOR, !config->target_name,
			 &config->offer);
	login->negotiation.leading = config->tsih == 0;
	login->negotiation.leniencies.strict = config->strict;
	r = login_start(login);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(login);
	return 0;
}

struct login *login_free(struct login *login)
{
	if (!login)
		return NULL;
	for (size_t i = 0; i < login->n_events; i++)
		event_free(login->events[i]);
	buffer_done(&login->out);
	buffer_done(&login->in.text);
	memory_erase(login->chap_response, sizeof(login->chap_response));
	free(login);
	return NULL;
}

bool login_final(const struct login *login, struct login_step *ret)
{
	if (!login->ended)
		return false;
	*ret = login->final;
	if (ret->type == LOGIN_STEP_FAILED)
		ret->failed.algorithms_refused = security_algorithms_refused(login, ret);
	return true;
}

void login_next(struct login *login, struct login_step *ret)
{
	*ret = (struct login_step){ .type = LOGIN_STEP_WAIT };
	if (login->n_events > 0) {
		ret->type = LOGIN_STEP_EVENT;
		ret->event = login->events[0];
		login->n_events--;
		memmove(login->events, login->events + 1,
			login->n_events * sizeof(login->events[0]));
	} else if (login_final(login, ret)) {
		return;
	} else if (login->send_ready) {
		ret->type = LOGIN_STEP_SEND;
		ret->send.header = login->header;
		ret->send.data = login->chunk_length > 0 ? login->out.data + login->chunk_at : NULL;
		ret->send.data_length = login->chunk_length;
		login->send_ready = false;
		login->awaiting = true;
	}
}

void login_receive(struct login *login, const uint8_t header[PDU_HEADER_LENGTH], const void *data,
		   size_t length)
{
	int r;

	if (login->ended)
		return;
	login->received_header = header;
	login->received_data = data;
	login->received_length = length;
	r = receive_pdu(login);
	/* What ended the login has said so already; everything else is a lack of memory. */
	if (r < 0 && !login->ended)
		(void)login_fail_plain(login, r, true, EVENT_REQUEST_RESOURCES);
	login->received_header = NULL;
	login->received_data = NULL;
	login->received_length = 0;
}

static enum event_number timeout_event(const struct login *login)
{
	return login->config.tsih || login->config.reconnect ? EVENT_ADD_CONNECTION_TIMEOUT
							     : EVENT_LOGIN_TIMEOUT;
}

void login_timed_out(struct login *login)
{
	struct event *event;

	if (login->ended)
		return;
	event = login_event(EVENT_REQUEST_TIMEOUT, EVENT_OUTCOME_FAILED);
	event_set_number(event, FIELD_DUMP_FUNCTION, PDU_OPCODE_LOGIN_REQUEST);
	event_set_string(event, FIELD_DUMP_FUNCTION_NAME,
			 pdu_opcode_to_string(PDU_OPCODE_LOGIN_REQUEST));
	login_raise(login, event);
	(void)login_fail_plain(login, -ETIMEDOUT, true, timeout_event(login));
}

/* The target answers, each time soon enough, but comes to no end; or it was reached too late. */
void login_overdue(struct login *login)
{
	struct event *event;

	if (login->ended)
		return;
	event = login_event(timeout_event(login), EVENT_OUTCOME_FAILED);
	event_set_string(event, FIELD_REASON,
			 "the login as a whole took longer than loginTotalTimeoutSeconds allows");
	(void)login_fail(login, -ETIMEDOUT, true, timeout_event(login), event);
}

void login_disconnected(struct login *login)
{
	if (!login->ended)
		(void)login_fail_plain(login, -ECONNRESET, true, EVENT_DROPPED_BEFORE_FULL_FEATURE);
}

void login_abort(struct login *login, int error, enum event_number reported)
{
	if (!login->ended)
		(void)login_fail(login, error, true, reported, NULL);
}

enum login_stage login_stage(const struct login *login)
{
	if (login->ended && login->final.type == LOGIN_STEP_DONE)
		return LOGIN_STAGE_FULL_FEATURE;
	return login_in_security(login) ? LOGIN_STAGE_SECURITY : LOGIN_STAGE_OPERATIONAL;
}
