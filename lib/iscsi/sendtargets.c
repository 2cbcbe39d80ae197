/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "keys.h"
#include "sendtargets_private.h"
#include "text.h"

static struct event *new_event(enum event_number number, enum event_outcome outcome)
{
	struct event *event = event_new(number);

	event_set_outcome(event, outcome);
	return event;
}

void sendtargets_raise(struct sendtargets *sendtargets, struct event *event)
{
	if (event && sendtargets->n_events < SENDTARGETS_EVENTS_MAX)
		sendtargets->events[sendtargets->n_events++] = event;
	else
		event_free(event);
}

static void end_done(struct sendtargets *sendtargets)
{
	sendtargets_raise(sendtargets, leniency_event(&sendtargets->leniencies));
	sendtargets->phase = SENDTARGETS_PHASE_ENDED;
	sendtargets->final = (struct sendtargets_step){ .type = SENDTARGETS_STEP_DONE };
	sendtargets->final.done.targets = sendtargets->n_targets;
	sendtargets->final.done.skipped = sendtargets->n_skipped;
}

static void end_failed(struct sendtargets *sendtargets, int error, enum event_number number,
		       struct event *event)
{
	sendtargets_raise(sendtargets, event);
	sendtargets->phase = SENDTARGETS_PHASE_ENDED;
	sendtargets->draining = false;
	sendtargets->final = (struct sendtargets_step){ .type = SENDTARGETS_STEP_FAILED };
	sendtargets->final.failed.error = error;
	sendtargets->final.failed.event = number;
}

static void end_no_memory(struct sendtargets *sendtargets)
{
	end_failed(sendtargets, -ENOMEM, EVENT_REQUEST_RESOURCES,
		   new_event(EVENT_REQUEST_RESOURCES, EVENT_OUTCOME_FAILED));
}

/* Events 23, 24 and 27, which dump the header. */
static struct event *header_event(enum event_number number, enum event_outcome outcome,
				  const uint8_t *header, const char *reason)
{
	struct event *event = new_event(number, outcome);

	event_set_pdu(event, header, NULL, 0);
	event_set_string(event, FIELD_REASON, reason);
	return event;
}

static void fault(struct sendtargets *sendtargets, enum event_number number, const uint8_t *header,
		  const char *reason)
{
	end_failed(sendtargets, -EPROTO, number,
		   header_event(number, EVENT_OUTCOME_FAILED, header, reason));
}

/*
 * RFC 7143, 11.10: a continuation repeats the Target Transfer Tag and is otherwise empty. An answer
 * has its time to name a target or portal, in however many responses.
 */
static void send_text(struct sendtargets *sendtargets)
{
	struct pdu pdu = {
		.opcode = PDU_OPCODE_TEXT_REQUEST,
		.immediate = true,
		.itt = sendtargets->config.itt,
		.data_length = (uint32_t)sendtargets->request.length,
		.text_request = {
			.final = true,
			.lun = sendtargets->lun,
			.ttt = sendtargets->ttt,
			.cmd_sn = sendtargets->config.cmd_sn,
			.exp_stat_sn = sendtargets->exp_stat_sn,
		},
	};

	pdu_encode(&pdu, sendtargets->header);
	sendtargets->send_ready = true;
	sendtargets->timed = sendtargets->found || sendtargets->exchanges == 0;
	sendtargets->found = false;
	sendtargets->exchanges++;
}

/* Not the reserved one, which the next may be. */
static uint32_t logout_tag(const struct sendtargets *sendtargets)
{
	uint32_t next = sendtargets->config.itt + 1;

	return next == PDU_TAG_RESERVED ? 0 : next;
}

/* RFC 7143, 11.14 */
static void send_logout(struct sendtargets *sendtargets)
{
	struct pdu pdu = {
		.opcode = PDU_OPCODE_LOGOUT_REQUEST,
		.immediate = true,
		.itt = logout_tag(sendtargets),
		.logout_request = {
			.reason = PDU_LOGOUT_CLOSE_SESSION,
			.cid = sendtargets->config.cid,
			.cmd_sn = sendtargets->config.cmd_sn,
			.exp_stat_sn = sendtargets->exp_stat_sn,
		},
	};

	buffer_clear(&sendtargets->request);
	pdu_encode(&pdu, sendtargets->header);
	sendtargets->send_ready = sendtargets->timed = true;
	sendtargets->phase = SENDTARGETS_PHASE_LOGOUT;
}

/* RFC 7143, 11.18 and 11.19: a NOP-In with a Target Transfer Tag wants an answer. */
static void receive_nop(struct sendtargets *sendtargets, const struct pdu *nop)
{
	struct pdu pdu = {
		.opcode = PDU_OPCODE_NOP_OUT,
		.immediate = true,
		.itt = PDU_TAG_RESERVED,
		.nop_out = {
			.lun = nop->nop_in.lun,
			.ttt = nop->nop_in.ttt,
			.cmd_sn = sendtargets->config.cmd_sn,
			.exp_stat_sn = sendtargets->exp_stat_sn,
		},
	};

	if (nop->nop_in.ttt == PDU_TAG_RESERVED)
		return;
	pdu_encode(&pdu, sendtargets->pong);
	sendtargets->pong_ready = true;
}

/* All complete pairs of the response are parsed: what comes next? True: the last target. */
static bool drained(struct sendtargets *sendtargets)
{
	buffer_consume(&sendtargets->text, sendtargets->parsed);
	sendtargets->parsed = 0;
	if (!sendtargets->last) {
		sendtargets->draining = false;
		send_text(sendtargets);
		return false;
	}
	if (sendtargets_target_pending(sendtargets))
		return true;
	sendtargets->draining = false;
	if (sendtargets->config.logout)
		send_logout(sendtargets);
	else
		end_done(sendtargets);
	return false;
}

/* Judging what arrives */

/* RFC 7143, 11.11, and limits of our own: why the answer cannot go on like this, or NULL. */
static const char *text_fault(struct sendtargets *sendtargets, const struct pdu *pdu)
{
	bool final = pdu->text_response.final;

	sendtargets->empty = pdu->data_length > 0 ? 0 : sendtargets->empty + 1;
	if (final && pdu->text_response.more)
		return "the F bit and the C bit are both set";
	if (!final && pdu->text_response.ttt == PDU_TAG_RESERVED)
		return "more text is announced without a Target Transfer Tag";
	if (!final && sendtargets->exchanges >= SENDTARGETS_EXCHANGES_MAX)
		return "the answer does not end";
	if (sendtargets->n_portals >= SENDTARGETS_ANSWER_PORTALS_MAX)
		return "the answer names too many portals";
	if (!final && sendtargets->empty > SENDTARGETS_EMPTY_MAX)
		return "the answer goes on without saying anything";
	return sendtargets->text.length >= SENDTARGETS_PAIR_MAX ? "a pair does not end" : NULL;
}

/* Goes on with a known deviation, or ends the exchange. */
static bool tolerate(struct sendtargets *sendtargets, enum leniency which, const uint8_t *header)
{
	if (leniency_allows(&sendtargets->leniencies, which))
		return true;
	fault(sendtargets, EVENT_PDU_INVALID, header, leniency_row(which)->deviation);
	return false;
}

/* RFC 7143, 11.11.4: the tag is reserved in the last response. */
static bool check_final_tag(struct sendtargets *sendtargets, const struct pdu *pdu,
			    const uint8_t *header)
{
	if (!pdu->text_response.final || pdu->text_response.ttt == PDU_TAG_RESERVED)
		return true;
	if (!tolerate(sendtargets, LENIENCY_FINAL_TAG, header))
		return false;
	sendtargets_raise(sendtargets,
			  header_event(EVENT_PDU_INVALID, EVENT_OUTCOME_CONTINUED, header,
				       "the last response has a Target Transfer Tag"));
	return true;
}

/* RFC 7143, 6.1 and 11.11.2: only the C bit lets a pair go on in the next response. */
static bool check_continuation(struct sendtargets *sendtargets, const struct pdu *pdu,
			       const uint8_t *header)
{
	const struct buffer *text = &sendtargets->text;
	bool within = text->length > 0 && text->data[text->length - 1] != '\0';

	/* In the last response it is cut off. */
	sendtargets->cut = within && pdu->text_response.final;
	return !within || sendtargets->cut || pdu->text_response.more ||
	       tolerate(sendtargets, LENIENCY_TEXT_NOT_CONTINUED, header);
}

static void receive_text(struct sendtargets *sendtargets, const struct pdu *pdu,
			 const uint8_t *header, const void *data)
{
	const char *reason = text_fault(sendtargets, pdu);
	int r;

	if (reason) {
		fault(sendtargets, EVENT_PDU_INVALID, header, reason);
		return;
	}
	if (!check_final_tag(sendtargets, pdu, header))
		return;
	r = buffer_append(&sendtargets->text, data, pdu->data_length);
	if (r >= 0 && !check_continuation(sendtargets, pdu, header))
		return;
	if (r >= 0 && sendtargets->cut)
		r = buffer_append(&sendtargets->text, "", 1);
	if (r < 0) {
		end_no_memory(sendtargets);
		return;
	}
	buffer_clear(&sendtargets->request);
	sendtargets->lun = pdu->text_response.lun;
	sendtargets->ttt = pdu->text_response.ttt;
	sendtargets->last = pdu->text_response.final;
	sendtargets->draining = true;
}

/* RFC 7143, 11.11.5 */
static bool stat_sn_next(struct sendtargets *sendtargets, uint32_t stat_sn)
{
	struct event *event;

	if (stat_sn == sendtargets->exp_stat_sn) {
		sendtargets->exp_stat_sn++;
		return true;
	}
	event = new_event(EVENT_STATSN_INVALID, EVENT_OUTCOME_FAILED);
	event_set_number(event, FIELD_DUMP_EXPECTED_STATSN, sendtargets->exp_stat_sn);
	event_set_number(event, FIELD_DUMP_RECEIVED_STATSN, stat_sn);
	end_failed(sendtargets, -EPROTO, EVENT_STATSN_INVALID, event);
	return false;
}

static void receive_reject(struct sendtargets *sendtargets, const struct pdu *pdu, const void *data,
			   size_t length)
{
	const char *text = pdu_reject_reason_to_string(pdu->reject.reason);
	struct event *event = new_event(EVENT_PDU_REJECTED, EVENT_OUTCOME_FAILED);

	if (length >= PDU_HEADER_LENGTH)
		event_set_pdu(event, data, NULL, 0);
	event_set_status(event, pdu->reject.reason, text ? text : "unknown reason");
	if (sendtargets->phase == SENDTARGETS_PHASE_TEXT) {
		end_failed(sendtargets, -EOPNOTSUPP, EVENT_PDU_REJECTED, event);
	} else {
		sendtargets_raise(sendtargets, event);
		end_done(sendtargets);
	}
}

/* Whatever it says, all targets are known, and the connection is closed next. */
static void receive_logout(struct sendtargets *sendtargets, const struct pdu *pdu,
			   const uint8_t *header)
{
	if (pdu->itt != logout_tag(sendtargets))
		sendtargets_raise(sendtargets,
				  header_event(EVENT_TASK_TAG_UNMATCHED, EVENT_OUTCOME_CONTINUED,
					       header, "no request has this tag"));
	end_done(sendtargets);
}

static void receive_pdu(struct sendtargets *sendtargets, const struct pdu *pdu,
			const uint8_t *header, const void *data)
{
	switch ((int)pdu->opcode) {
	case PDU_OPCODE_NOP_IN:
		receive_nop(sendtargets, pdu);
		return;
	case PDU_OPCODE_ASYNC_MESSAGE:
		/* A wish to be left is met in a moment anyway. */
		(void)stat_sn_next(sendtargets, pdu->async.numbers.stat_sn);
		return;
	case PDU_OPCODE_REJECT:
		receive_reject(sendtargets, pdu, data, pdu->data_length);
		return;
	case PDU_OPCODE_TEXT_RESPONSE:
		if (sendtargets->phase != SENDTARGETS_PHASE_TEXT ||
		    pdu->itt != sendtargets->config.itt)
			fault(sendtargets, EVENT_TASK_TAG_UNMATCHED, header,
			      "no request has this tag");
		else if (stat_sn_next(sendtargets, pdu->text_response.numbers.stat_sn))
			receive_text(sendtargets, pdu, header, data);
		return;
	case PDU_OPCODE_LOGOUT_RESPONSE:
		if (sendtargets->phase == SENDTARGETS_PHASE_LOGOUT) {
			receive_logout(sendtargets, pdu, header);
			return;
		}
		break;
	}
	fault(sendtargets, EVENT_PDU_INVALID, header, "a PDU of this type has no place here");
}

void sendtargets_receive(struct sendtargets *sendtargets, const uint8_t header[PDU_HEADER_LENGTH],
			 const void *data, size_t length)
{
	struct pdu pdu;

	if (sendtargets->phase == SENDTARGETS_PHASE_ENDED)
		return;
	if (pdu_decode(header, &pdu) < 0)
		fault(sendtargets, EVENT_OPCODE_UNKNOWN, header, "the opcode is unknown");
	else if (pdu.data_length != length)
		fault(sendtargets, EVENT_PDU_INVALID, header,
		      "the data segment does not have the length the header gives");
	else if (pdu.ahs_length > 0)
		fault(sendtargets, EVENT_PDU_INVALID, header,
		      "it has an additional header segment");
	else if (length > sendtargets->config.max_recv_data_segment_length)
		end_failed(sendtargets, -EPROTO, EVENT_DATA_SEGMENT_TOO_LONG,
			   new_event(EVENT_DATA_SEGMENT_TOO_LONG, EVENT_OUTCOME_FAILED));
	else if (sendtargets->draining || sendtargets->send_ready)
		fault(sendtargets, EVENT_PDU_INVALID, header,
		      "no request was sent that it could answer");
	else
		receive_pdu(sendtargets, &pdu, header, data);
}

void sendtargets_timed_out(struct sendtargets *sendtargets)
{
	enum pdu_opcode opcode = sendtargets->phase == SENDTARGETS_PHASE_TEXT
					 ? PDU_OPCODE_TEXT_REQUEST
					 : PDU_OPCODE_LOGOUT_REQUEST;
	struct event *event;

	if (sendtargets->phase == SENDTARGETS_PHASE_ENDED)
		return;
	event = new_event(EVENT_REQUEST_TIMEOUT, EVENT_OUTCOME_FAILED);
	event_set_number(event, FIELD_DUMP_FUNCTION, opcode);
	event_set_string(event, FIELD_DUMP_FUNCTION_NAME, pdu_opcode_to_string(opcode));
	sendtargets_raise(sendtargets, event);
	if (sendtargets->phase == SENDTARGETS_PHASE_TEXT) {
		end_failed(sendtargets, -ETIMEDOUT, EVENT_SENDTARGETS_TIMEOUT,
			   new_event(EVENT_SENDTARGETS_TIMEOUT, EVENT_OUTCOME_FAILED));
	} else {
		sendtargets_raise(sendtargets,
				  new_event(EVENT_LOGOUT_TIMEOUT, EVENT_OUTCOME_CONTINUED));
		end_done(sendtargets);
	}
}

void sendtargets_disconnected(struct sendtargets *sendtargets)
{
	/* All targets are known once we log out; who hangs up then does what was asked. */
	if (sendtargets->phase == SENDTARGETS_PHASE_LOGOUT)
		end_done(sendtargets);
	else if (sendtargets->phase == SENDTARGETS_PHASE_TEXT)
		end_failed(sendtargets, -ECONNRESET, EVENT_CONNECTION_LOST,
			   new_event(EVENT_CONNECTION_LOST, EVENT_OUTCOME_FAILED));
}

static void step_target(struct sendtargets *sendtargets, struct sendtargets_step *ret)
{
	struct sendtargets_target *target = &sendtargets->target;

	/* RFC 7143, appendix C: without an address it is reached where it was asked for. */
	if (target->n_portals == 0) {
		struct sendtargets_portal *portal = &target->portals[target->n_portals++];

		portal->port = sendtargets->config.port;
		portal->portal_group_tag = -1;
		(void)snprintf(portal->address, sizeof(portal->address), "%s",
			       sendtargets->config.address);
	}
	target->rest = sendtargets->had_portals;
	sendtargets->n_portals += target->n_portals;
	/* Who takes it may let the peer wait, so the time begins anew. */
	sendtargets->handed_out = sendtargets->found = true;
	ret->type = SENDTARGETS_STEP_TARGET;
	ret->target = &sendtargets->target;
}

static bool step_event(struct sendtargets *sendtargets, struct sendtargets_step *ret)
{
	if (sendtargets->n_events == 0)
		return false;
	ret->type = SENDTARGETS_STEP_EVENT;
	ret->event = sendtargets->events[0];
	sendtargets->n_events--;
	memmove(sendtargets->events, sendtargets->events + 1,
		sendtargets->n_events * sizeof(sendtargets->events[0]));
	return true;
}

static bool step_send(struct sendtargets *sendtargets, struct sendtargets_step *ret)
{
	if (!sendtargets->pong_ready && !sendtargets->send_ready)
		return false;
	ret->type = SENDTARGETS_STEP_SEND;
	if (sendtargets->pong_ready) {
		ret->send.header = sendtargets->pong;
		sendtargets->pong_ready = false;
		return true;
	}
	ret->send.header = sendtargets->header;
	ret->send.timed = sendtargets->timed;
	ret->send.data = sendtargets->request.length > 0 ? sendtargets->request.data : NULL;
	ret->send.data_length = sendtargets->request.length;
	sendtargets->send_ready = false;
	return true;
}

void sendtargets_next(struct sendtargets *sendtargets, struct sendtargets_step *ret)
{
	*ret = (struct sendtargets_step){ .type = SENDTARGETS_STEP_WAIT };
	while (!step_event(sendtargets, ret)) {
		if (sendtargets->draining) {
			bool ready = sendtargets_parse(sendtargets);

			if (!ready && sendtargets->n_events == 0)
				ready = drained(sendtargets);
			if (ready) {
				step_target(sendtargets, ret);
				return;
			}
			continue;
		}
		if (sendtargets->phase == SENDTARGETS_PHASE_ENDED)
			*ret = sendtargets->final;
		else
			(void)step_send(sendtargets, ret);
		return;
	}
}

int sendtargets_new(const struct sendtargets_config *config, struct sendtargets **ret)
{
	_cleanup_(sendtargets_freep) struct sendtargets *sendtargets = NULL;
	int r;

	sendtargets = calloc(1, sizeof(*sendtargets));
	if (!sendtargets)
		return -ENOMEM;
	sendtargets->config = *config;
	if (config->max_recv_data_segment_length == 0)
		sendtargets->config.max_recv_data_segment_length =
			key_row(ISCSI_KEY_MAX_RECV_DATA_SEGMENT_LENGTH)->def;
	sendtargets->leniencies.strict = config->strict;
	sendtargets->exp_stat_sn = config->exp_stat_sn;
	sendtargets->ttt = PDU_TAG_RESERVED;
	r = text_write(&sendtargets->request, key_row(ISCSI_KEY_SEND_TARGETS)->name,
		       config->target_name ? config->target_name : "All");
	if (r < 0)
		return r;
	send_text(sendtargets);
	*ret = TAKE_PTR(sendtargets);
	return 0;
}

struct sendtargets *sendtargets_free(struct sendtargets *sendtargets)
{
	if (!sendtargets)
		return NULL;
	for (size_t i = 0; i < sendtargets->n_events; i++)
		event_free(sendtargets->events[i]);
	buffer_done(&sendtargets->request);
	buffer_done(&sendtargets->text);
	free(sendtargets);
	return NULL;
}
