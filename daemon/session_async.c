/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asynchronous Messages, RFC 7143 11.9, by a table of their event codes; and the Text exchange that
 * one of them asks for.
 */
#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "renegotiate.h"
#include "scsi.h"
#include "session_private.h"
#include "trace.h"
#include "turn.h"

/* The only connection of a session. */
#define CID 0
/* What ASYNC_EVENTS_MAX is about. */
#define TOLD_USEC (3600 * SECOND_USEC)

/* A message as it came, whose data segment is not longer than @length. */
struct message {
	const struct pdu *pdu;
	const uint8_t *header, *data;
	size_t length;
};

static struct event *message_event(const struct message *message, enum event_number number)
{
	struct event *event = event_new(number);

	if (event && event_type_allows(event_type(event), FIELD_DUMP_PDU))
		event_set_pdu(event, message->header, message->data, message->length);
	return event;
}

/* A target may send as many as it likes, but not fill the journal. */
static void tell(struct session *session, struct event *event)
{
	struct session_private *p = session->private;
	uint64_t now = turn_usec(CLOCK_MONOTONIC);

	if (p->async_told == 0 || now - p->async_told_usec > TOLD_USEC) {
		p->async_told = 0;
		p->async_told_usec = now;
	}
	if (p->async_told < ASYNC_EVENTS_MAX) {
		p->async_told++;
		session_raise(session, event);
	} else {
		event_free(event);
	}
}

static void tell_invalid(struct session *session, const struct message *message, const char *reason)
{
	struct event *event = message_event(message, EVENT_ASYNC_INVALID);

	event_set_number(event, FIELD_STATUS, message->pdu->async.event);
	event_set_string(event, FIELD_REASON, reason);
	tell(session, event);
}

/* The codes */

/* RFC 7143, 11.9.4: two bytes of length, then the sense data. */
static void scsi_event(struct session *session, const struct message *message)
{
	struct scsi_sense sense;
	struct event *event;
	size_t length;
	uint64_t lun;

	length = message->length >= 2 ? (size_t)(message->data[0] << 8 | message->data[1]) : 0;
	if (length == 0 || length > message->length - 2 ||
	    scsi_sense_decode(message->data + 2, length, &sense) < 0) {
		tell_invalid(session, message, "the data segment holds no sense data");
		return;
	}
	lun = scsi_lun_to_number(message->header + 8);
	event = message_event(message, EVENT_ASYNC_SCSI_EVENT);
	session_set_sense(session, event, lun, sense.asc, sense.ascq);
	tell(session, event);
	session_attend_sense(session, lun, sense.asc, sense.ascq);
}

/*
 * RFC 7143, 11.9.1: to be honoured within Parameter3 seconds; the Logout Request leaves at once.
 * How long its answer may take has nothing to do with them.
 */
static void logout_request(struct session *session, const struct message *message)
{
	struct event *event = message_event(message, EVENT_ASYNC_LOGOUT);

	session->private->sent_away = true;
	event_set_number(event, FIELD_SECONDS, message->pdu->async.parameter[2]);
	event_set_outcome(event, EVENT_OUTCOME_CONTINUED);
	tell(session, event);
	session_post(session, CONNECTION_EVENT_ASYNC_LOGOUT);
}

/* RFC 7143, 11.9.1: Parameter2 is Time2Wait, Parameter3 is Time2Retain. What follows is the loss.
 */
static void announce_drop(struct session *session, const struct message *message,
			  enum event_number number)
{
	struct event *event = message_event(message, number);

	session->private->time2wait = message->pdu->async.parameter[1];
	session->private->time2wait_told = true;
	event_set_number(event, FIELD_TIME2WAIT, message->pdu->async.parameter[1]);
	event_set_number(event, FIELD_TIME2RETAIN, message->pdu->async.parameter[2]);
	tell(session, event);
}

static void connection_drop(struct session *session, const struct message *message)
{
	if (message->pdu->async.parameter[0] != CID)
		tell_invalid(session, message, "this session has no such connection");
	else
		announce_drop(session, message, EVENT_ASYNC_CONNECTION_DROP);
}

static void session_drop(struct session *session, const struct message *message)
{
	announce_drop(session, message, EVENT_ASYNC_SESSION_DROP);
}

static void negotiation_request(struct session *session, const struct message *message);

/* RFC 7143, 11.9.4.1: the data of vendors comes after the length of sense data, which is 0. */
static void vendor_event(struct session *session, const struct message *message)
{
	struct event *event = message_event(message, EVENT_ASYNC_VENDOR);

	event_set_number(event, FIELD_STATUS, message->pdu->async.vendor_code);
	tell(session, event);
}

/* RFC 7143, 13.23: only where FastAbort was agreed on, which is not offered. */
static void task_termination(struct session *session, const struct message *message)
{
	tell_invalid(session, message, "a fast abort was not agreed on");
}

static const struct {
	uint8_t first, last;
	void (*handle)(struct session *session, const struct message *message);
} codes[] = {
	{ PDU_ASYNC_SCSI, PDU_ASYNC_SCSI, scsi_event },
	{ PDU_ASYNC_LOGOUT_REQUEST, PDU_ASYNC_LOGOUT_REQUEST, logout_request },
	{ PDU_ASYNC_CONNECTION_DROP, PDU_ASYNC_CONNECTION_DROP, connection_drop },
	{ PDU_ASYNC_SESSION_DROP, PDU_ASYNC_SESSION_DROP, session_drop },
	{ PDU_ASYNC_NEGOTIATION_REQUEST, PDU_ASYNC_NEGOTIATION_REQUEST, negotiation_request },
	{ PDU_ASYNC_TASK_TERMINATION, PDU_ASYNC_TASK_TERMINATION, task_termination },
	{ PDU_ASYNC_VENDOR_FIRST, PDU_ASYNC_VENDOR, vendor_event },
};

void session_async_pdu(struct session *session, const uint8_t header[48], const struct pdu *pdu,
		       const void *data, size_t length)
{
	const struct message message = {
		.pdu = pdu,
		.header = header,
		.data = data,
		.length = length < pdu->data_length ? length : pdu->data_length,
	};

	trace("%s: asynchronous message %u", session->target_name, pdu->async.event);
	/* Those to other programs' sessions are theirs. */
	if (!session->managed || !session_connected(session))
		return;
	for (size_t i = 0; i < ELEMENTSOF(codes); i++)
		if (pdu->async.event >= codes[i].first && pdu->async.event <= codes[i].last) {
			codes[i].handle(session, &message);
			return;
		}
	tell_invalid(session, &message, "the event code is not defined");
}

/* Negotiation */

static void end_negotiation(struct session *session)
{
	struct session_private *p = session->private;

	p->text_timer = sd_event_source_disable_unref(p->text_timer);
	p->renegotiation = renegotiation_free(p->renegotiation);
}

void session_async_reset(struct session *session)
{
	end_negotiation(session);
	session->private->async_told = 0;
}

/* What is in effect. Of a session that was found the kernel tells what matters here. */
static struct iscsi_parameters parameters_now(const struct session *session)
{
	struct iscsi_parameters parameters;

	if (session->result_known)
		return session->result.parameters;
	iscsi_parameters_init(&parameters);
	if (session->found && session->found->max_recv_data_segment_length > 0)
		parameters.max_recv_data_segment_length =
			(uint32_t)session->found->max_recv_data_segment_length;
	if (session->found && session->found->max_xmit_data_segment_length > 0)
		parameters.max_xmit_data_segment_length =
			(uint32_t)session->found->max_xmit_data_segment_length;
	return parameters;
}

/* RFC 7143, 7.12: the parameters stay. The exchange is not over: the answer may still come. */
static int text_timed_out(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct session *session = userdata;
	struct session_private *p = session->private;

	p->text_timer = sd_event_source_disable_unref(p->text_timer);
	session_unanswered(session, PDU_OPCODE_TEXT_REQUEST, EVENT_TEXT_TIMEOUT,
			   EVENT_OUTCOME_CONTINUED);
	return 0;
}

static void negotiation_failed(struct session *session, enum event_number number, int error)
{
	struct event *event = event_new(number);

	event_set_errno(event, error);
	event_set_outcome(event, EVENT_OUTCOME_CONTINUED);
	session_raise(session, event);
	end_negotiation(session);
}

static void text_sent(void *userdata, const struct kernel_result *result)
{
	struct session *session = userdata;

	if (session_batch_returned(session) && result->error < 0 && session->private->renegotiation)
		negotiation_failed(session, EVENT_SEND_FAILED, result->error);
}

/* The batch may hold what must be done before. */
static void send_text(struct session *session, struct kernel_batch *batch)
{
	struct session_private *p = session->private;
	struct renegotiation_request request;
	int r;

	if (batch && renegotiation_next(p->renegotiation, &request))
		kernel_batch_send_pdu(batch, request.header, request.data, request.length);
	r = session_submit(session, batch, text_sent);
	p->text_timer = sd_event_source_disable_unref(p->text_timer);
	if (r >= 0)
		r = sd_event_add_time_relative(
			session->manager->event, &p->text_timer, CLOCK_MONOTONIC,
			(uint64_t)session_setting(session, SETTING_LOGIN_TIMEOUT_SECONDS) *
				SECOND_USEC,
			0, text_timed_out, session);
	if (r < 0)
		negotiation_failed(session, EVENT_REQUEST_RESOURCES, r);
}

/* RFC 7143, 11.9.1: a Text Request is due within Parameter3 seconds, unless one is pending. */
static void negotiation_request(struct session *session, const struct message *message)
{
	struct session_private *p = session->private;
	struct renegotiation_config config = {
		.parameters = parameters_now(session),
		.exp_stat_sn = message->pdu->async.numbers.stat_sn + 1,
		.strict = session_setting(session, SETTING_STRICT),
	};
	struct event *event = message_event(message, EVENT_ASYNC_NEGOTIATION);
	int r;

	event_set_number(event, FIELD_SECONDS, message->pdu->async.parameter[2]);
	tell(session, event);
	/* Who logs out has answered, too. */
	if (p->renegotiation || session->connection != CONNECTION_STATE_LOGGED_IN)
		return;
	r = renegotiation_new(&config, &p->renegotiation);
	if (r < 0)
		negotiation_failed(session, EVENT_REQUEST_RESOURCES, r);
	else
		send_text(session, session_batch(session));
}

/* The kernel leaves it to us to count Text Responses. */
static struct kernel_batch *batch_after(struct session *session, const struct pdu *response)
{
	struct kernel_batch *batch = session_batch(session);

	if (batch)
		kernel_batch_set_number(batch, KERNEL_PARAM_EXP_STATSN,
					(uint32_t)(response->text_response.numbers.stat_sn + 1));
	return batch;
}

/* What the kernel sends must be what the target takes: the next login makes both agree. */
static void parameters_set(void *userdata, const struct kernel_result *result)
{
	struct session *session = userdata;

	if (!session_batch_returned(session) || result->error >= 0 || !session_connected(session))
		return;
	session_refused(session, result);
	session->lost_usec = turn_usec(CLOCK_REALTIME);
	session_post(session, CONNECTION_EVENT_TRANSPORT_LOST);
}

static void tell_parameters(struct session *session, uint32_t before, uint32_t now)
{
	struct event *event = event_new(EVENT_PARAMETERS_RENEGOTIATED);
	char reason[96];

	(void)snprintf(reason, sizeof(reason),
		       "the target's MaxRecvDataSegmentLength is %u, no longer %u", now, before);
	if (now != before)
		event_set_string(event, FIELD_REASON, reason);
	event_set_outcome(event, EVENT_OUTCOME_CONTINUED);
	session_raise(session, event);
}

static void keep(struct session *session, const struct renegotiation_outcome *outcome)
{
	session->result.parameters = outcome->parameters;
	if (session->found)
		session->found->max_xmit_data_segment_length =
			outcome->parameters.max_xmit_data_segment_length;
	if (outcome->target_alias[0])
		(void)snprintf(session->result.target_alias, sizeof(session->result.target_alias),
			       "%s", outcome->target_alias);
}

static void negotiated(struct session *session, const struct pdu *response,
		       const struct renegotiation_outcome *outcome)
{
	uint32_t before = parameters_now(session).max_xmit_data_segment_length,
		 now = outcome->parameters.max_xmit_data_segment_length;
	struct kernel_batch *batch = batch_after(session, response);

	if (batch && now != before)
		kernel_batch_set_number(batch, KERNEL_PARAM_MAX_XMIT_DLENGTH, now);
	session_raise(session, leniency_event(&outcome->leniencies));
	keep(session, outcome);
	tell_parameters(session, before, now);
	end_negotiation(session);
	if (session_submit(session, batch, parameters_set) < 0) {
		session_lack(session, -ENOMEM, EVENT_REQUEST_RESOURCES);
		session->lost_usec = turn_usec(CLOCK_REALTIME);
		session_post(session, CONNECTION_EVENT_TRANSPORT_LOST);
	}
}

void session_text_pdu(struct session *session, const uint8_t header[48], const struct pdu *pdu,
		      const void *data, size_t length)
{
	struct session_private *p = session->private;
	struct renegotiation_outcome outcome;
	struct event *event;
	const char *reason;
	int r;

	if (!p->renegotiation || session->connection != CONNECTION_STATE_LOGGED_IN)
		return;
	r = renegotiation_receive(p->renegotiation, header, data, length, &outcome, &reason);
	if (r > 0) {
		negotiated(session, pdu, &outcome);
	} else if (r == 0) {
		send_text(session, batch_after(session, pdu));
	} else if (r == -EPROTO) {
		event = event_new(EVENT_PDU_INVALID);
		event_set_pdu(event, header, NULL, 0);
		event_set_string(event, FIELD_REASON, reason);
		event_set_outcome(event, EVENT_OUTCOME_CONTINUED);
		session_raise(session, event);
		end_negotiation(session);
	} else {
		negotiation_failed(session, EVENT_REQUEST_RESOURCES, r);
	}
}
