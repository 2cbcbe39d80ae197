/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel has to say of a session: PDUs it hands up, connections that failed.
 */
#include <errno.h>

#include "connection_error.h"
#include "session_private.h"
#include "trace.h"
#include "turn.h"

bool session_connected(const struct session *session)
{
	return session->connection &
	       (CONNECTION_STATE_LOGGED_IN | CONNECTION_STATE_LOGOUT_REQUESTED |
		CONNECTION_STATE_IN_LOGOUT);
}

void session_kernel_pdu(struct session *session, const uint8_t header[48], const void *data,
			size_t length)
{
	struct session_private *p = session->private;
	struct pdu pdu;

	if (p->channel) {
		channel_deliver(p->channel, header, data, length);
		return;
	}
	if (pdu_decode(header, &pdu) < 0)
		return;
	if (pdu.opcode == PDU_OPCODE_NOP_IN) {
		if (p->pinged)
			session_ping_end(session);
		if (session->connection != CONNECTION_STATE_LOGGED_IN ||
		    session->state == SESSION_STATE_LOGGED_IN)
			return;
		p->answered = true;
		if (p->started)
			session_proven(session);
	} else if (pdu.opcode == PDU_OPCODE_LOGOUT_RESPONSE) {
		session_logout_pdu(session, &pdu);
	} else if (pdu.opcode == PDU_OPCODE_ASYNC_MESSAGE) {
		session_async_pdu(session, header, &pdu, data, length);
	} else if (pdu.opcode == PDU_OPCODE_TEXT_RESPONSE) {
		session_text_pdu(session, header, &pdu, data, length);
	}
}

static const char *error_text(unsigned error)
{
	const struct connection_error *row = connection_error_get(error);

	return row ? row->text : "connection error";
}

static enum event_outcome outcome_of_error(const struct session *session)
{
	return session->state == SESSION_STATE_LOGGED_IN && !session->private->leaving
		       ? EVENT_OUTCOME_RETRYING
		       : EVENT_OUTCOME_FAILED;
}

static void report_lost(struct session *session, unsigned error)
{
	static const char unheard[] = "nobody heard why";
	bool worked = session->state == SESSION_STATE_LOGGED_IN;
	enum event_number number =
		worked ? EVENT_CONNECTION_LOST : EVENT_DROPPED_BEFORE_FULL_FEATURE;
	struct event *event;

	session_explain_error(session, error, outcome_of_error(session));
	event = event_new(number);
	if (error == KERNEL_ERROR_NONE)
		event_set_string(event, FIELD_REASON, unheard);
	else
		event_set_status(event, error, error_text(error));
	event_set_outcome(event, outcome_of_error(session));
	session_raise(session, event);
	session_fail(session, -ECONNRESET, number,
		     error == KERNEL_ERROR_NONE ? unheard : error_text(error));
	if (worked)
		session->lost_usec = turn_usec(CLOCK_REALTIME);
}

void session_kernel_failed(struct session *session, unsigned error)
{
	const struct connection_error *row = connection_error_get(error);
	struct session_private *p = session->private;
	bool unwanted = p->leaving;

	if (!session->managed && !p->leaving) {
		session_look(session->manager, session->sid);
		return;
	}
	trace("%s: kernel reports %u (%s)", session->target_name, error, error_text(error));
	p->adapter_gone |= !unwanted && row && row->action == CONNECTION_ERROR_REMOVE;
	p->leaving |= p->adapter_gone;
	if (p->channel) {
		/* A re-login: the target closed, or the kernel gave the connection up. */
		if (!unwanted)
			session_explain_error(session, error, outcome_of_error(session));
		login_driver_channel_failed(p->driver, -ECONNRESET, false);
		return;
	}
	if (!session_connected(session)) {
		/* The adapter goes away, with whatever is under way on it. */
		if (p->leaving && !unwanted)
			session_leave(session);
		/* So fails a re-login of an adapter that does it by itself. */
		else
			session_adapter_told(session, false);
		return;
	}
	if (unwanted)
		session_not_recovered(session, -ECANCELED, "it is being logged out");
	else
		report_lost(session, error);
	session_post(session, CONNECTION_EVENT_TRANSPORT_LOST);
}

void session_kernel_login_ended(struct session *session, unsigned state)
{
	if (session->managed && session_logs_in_itself(session))
		session_adapter_told(session, state == KERNEL_LOGIN_STATE_LOGGED_IN);
}
