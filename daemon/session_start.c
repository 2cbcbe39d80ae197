/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a finished Login Phase to a session that works: hands the connection and its parameters to
 * the kernel, proves that it answers.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "digest.h"
#include "refusal.h"
#include "session_private.h"
#include "turn.h"

void session_refused(struct session *session, const struct kernel_result *result)
{
	char text[REFUSAL_TEXT_MAX];
	struct event *event = refusal_event(result, text);

	event_set_outcome(event, EVENT_OUTCOME_FAILED);
	session_raise(session, event);
	session_fail(session, result->error, refusal_number(result), text);
}

/* A batch came back. Returns false if the session is to go on with something else instead. */
bool session_batch_returned(struct session *session)
{
	if (!session_returned(session))
		return false;
	if (session->private->leaving) {
		session->private->fd = close_fd(session->private->fd);
		session_leave(session);
		return false;
	}
	return true;
}

/* Hand-over */

void session_add_identity(struct session *session, struct kernel_batch *batch)
{
	kernel_batch_set_string(batch, KERNEL_PARAM_TARGET_NAME, session->target_name);
	kernel_batch_set_string(batch, KERNEL_PARAM_PERSISTENT_ADDRESS, session->address);
	kernel_batch_set_number(batch, KERNEL_PARAM_PERSISTENT_PORT, session->port);
	kernel_batch_set_string(batch, KERNEL_PARAM_INTERFACE_NAME, SESSION_LABEL);
	if (!session_logs_in_itself(session))
		kernel_batch_set_string(batch, KERNEL_PARAM_INITIATOR_NAME,
					session_initiator_name(session));
}

void session_add_limits(struct session *session, struct kernel_batch *batch)
{
	kernel_batch_set_number(batch, KERNEL_PARAM_SESSION_RECOVERY_TIMEOUT,
				session_setting(session, SETTING_REPLACEMENT_TIMEOUT_SECONDS));
	/* Its driver has an error handling of its own, and nobody else sends PDUs. */
	if (session_logs_in_itself(session))
		return;
	kernel_batch_set_number(batch, KERNEL_PARAM_FAST_ABORT,
				session_setting(session, SETTING_FAST_ABORT));
	kernel_batch_set_number(batch, KERNEL_PARAM_ABORT_TIMEOUT,
				session_setting(session, SETTING_ABORT_TIMEOUT_SECONDS));
	kernel_batch_set_number(
		batch, KERNEL_PARAM_LU_RESET_TIMEOUT,
		session_setting(session, SETTING_LOGICAL_UNIT_RESET_TIMEOUT_SECONDS));
	kernel_batch_set_number(batch, KERNEL_PARAM_TARGET_RESET_TIMEOUT,
				session_setting(session, SETTING_TARGET_RESET_TIMEOUT_SECONDS));
	kernel_batch_set_number(batch, KERNEL_PARAM_NOOP_TIMEOUT,
				session_setting(session, SETTING_NOOP_TIMEOUT_SECONDS));
	kernel_batch_set_number(batch, KERNEL_PARAM_NOOP_INTERVAL,
				session_setting(session, SETTING_NOOP_INTERVAL_SECONDS));
}

/*
 * The kernel keeps room for R2Ts by powers of two, and refuses other numbers. More room than agreed
 * on harms nobody, less would make a target break the agreement.
 */
static unsigned r2t_room(uint32_t agreed)
{
	unsigned room = 1;

	while (room < agreed)
		room *= 2;
	return room;
}

void session_add_negotiated(struct kernel_batch *batch, const struct transport *transport,
			    const struct login_result *result)
{
	const struct iscsi_parameters *n = &result->parameters;

	kernel_batch_set_number(batch, KERNEL_PARAM_MAX_RECV_DLENGTH,
				n->max_recv_data_segment_length);
	kernel_batch_set_number(
		batch, KERNEL_PARAM_MAX_XMIT_DLENGTH,
		transport_limit_transmit(transport, n->max_xmit_data_segment_length));
	kernel_batch_set_number(batch, KERNEL_PARAM_HEADER_DIGEST, n->header_digest);
	kernel_batch_set_number(batch, KERNEL_PARAM_DATA_DIGEST, n->data_digest);
	kernel_batch_set_number(batch, KERNEL_PARAM_INITIAL_R2T, n->initial_r2t);
	kernel_batch_set_number(batch, KERNEL_PARAM_MAX_R2T, r2t_room(n->max_outstanding_r2t));
	kernel_batch_set_number(batch, KERNEL_PARAM_IMMEDIATE_DATA, n->immediate_data);
	kernel_batch_set_number(batch, KERNEL_PARAM_FIRST_BURST_LENGTH, n->first_burst_length);
	kernel_batch_set_number(batch, KERNEL_PARAM_MAX_BURST_LENGTH, n->max_burst_length);
	kernel_batch_set_number(batch, KERNEL_PARAM_DATA_PDU_IN_ORDER, n->data_pdu_in_order);
	kernel_batch_set_number(batch, KERNEL_PARAM_DATA_SEQUENCE_IN_ORDER,
				n->data_sequence_in_order);
	kernel_batch_set_number(batch, KERNEL_PARAM_ERROR_RECOVERY_LEVEL, n->error_recovery_level);
	kernel_batch_set_number(batch, KERNEL_PARAM_EXP_STATSN, (uint32_t)(result->stat_sn + 1));
	if (result->portal_group_tag >= 0)
		kernel_batch_set_number(batch, KERNEL_PARAM_TARGET_PORTAL_GROUP_TAG,
					result->portal_group_tag);
}

static void start_failed(struct session *session)
{
	session_post(session, CONNECTION_EVENT_START_FAILED);
}

static int proof_timed_out(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct session *session = userdata;

	session_unanswered(session, PDU_OPCODE_NOP_OUT, EVENT_NOP_TIMEOUT, EVENT_OUTCOME_FAILED);
	session_fail(session, -ETIMEDOUT, EVENT_NOP_TIMEOUT,
		     "the target does not answer on the new connection");
	start_failed(session);
	return 0;
}

/*
 * A ping that must come back: it makes the kernel look at what already lies in the socket, a close
 * included, which it would otherwise not notice. An adapter that logs in by itself is told to start
 * what it has: of a session that works it says just that.
 */
void session_add_ping(const struct session *session, struct kernel_batch *batch)
{
	struct pdu nop = {
		.opcode = PDU_OPCODE_NOP_OUT,
		.immediate = true,
		.itt = 0, /* the kernel puts its own */
		.nop_out = { .ttt = PDU_TAG_RESERVED },
	};
	uint8_t header[PDU_HEADER_LENGTH];

	if (session_logs_in_itself(session)) {
		kernel_batch_start(batch);
		return;
	}
	pdu_encode(&nop, header);
	kernel_batch_send_pdu(batch, header, NULL, 0);
}

static void await_answer(struct session *session)
{
	uint64_t timeout =
		(uint64_t)session_setting(session, SETTING_LOGIN_TIMEOUT_SECONDS) * SECOND_USEC;
	int r;

	/* The target may be quicker than the way back from the worker. */
	if (session->private->answered || session_logs_in_itself(session) ||
	    manager_take_answer(session)) {
		session_proven(session);
		return;
	}
	r = session_arm_timer(session, timeout, proof_timed_out);
	if (r < 0) {
		session_lack(session, r, EVENT_WORKITEM_RESOURCES);
		start_failed(session);
	}
}

void session_take_number(struct session *session, const struct kernel_result *result)
{
	if (result->created) {
		session->in_kernel = true;
		session->sid = result->sid;
		session->host = result->host;
		manager_index_session(session);
	}
	/* The module may have been loaded anew, and its handle be another one. */
	if (result->error < 0 && result->operation == KERNEL_CREATE_SESSION)
		session->transport->loaded = false;
}

static void handed_over(void *userdata, const struct kernel_result *result)
{
	struct session *session = userdata;
	struct session_private *p = session->private;

	session_take_number(session, result);
	p->started = result->error >= 0;
	if (!session_batch_returned(session))
		return;
	p->fd = close_fd(p->fd);
	/* Lost meanwhile, or proven: of a session found started, the answer may have come first. */
	if (session->connection != CONNECTION_STATE_LOGGED_IN ||
	    session->state == SESSION_STATE_LOGGED_IN)
		return;
	if (result->error < 0) {
		session_refused(session, result);
		start_failed(session);
		return;
	}
	await_answer(session);
}

void session_finish_start(struct session *session)
{
	struct kernel_batch *batch = session_batch(session);
	int r;

	if (batch)
		session_add_ping(session, batch);
	session->private->started = true;
	r = session_submit(session, batch, handed_over);
	if (r < 0) {
		session_lack(session, r, EVENT_CONNECTION_RESOURCES);
		start_failed(session);
	}
}

/* A FIN that came before BIND would never be noticed by the kernel. */
static bool peer_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void hand_over(struct session *session)
{
	struct session_private *p = session->private;
	struct kernel_batch *batch;
	int r;

	if (!session->in_kernel && peer_closed(p->fd)) {
		struct event *event = event_new(EVENT_DROPPED_BEFORE_FULL_FEATURE);

		event_set_outcome(event, EVENT_OUTCOME_FAILED);
		session_raise(session, event);
		session_fail(session, -ECONNRESET, EVENT_DROPPED_BEFORE_FULL_FEATURE,
			     "the target closed the connection right after the login");
		start_failed(session);
		return;
	}
	batch = session_batch(session);
	if (batch && !session->in_kernel) {
		kernel_batch_create_session(
			batch, SESSION_INITIAL_CMDSN,
			(uint16_t)session_setting(session, SETTING_COMMANDS_MAX),
			(uint16_t)session_setting(session, SETTING_QUEUE_DEPTH));
		kernel_batch_create_connection(batch);
		session_add_binding(session, batch);
		/* It would be started without a socket, too. */
		kernel_batch_barrier(batch);
	}
	if (batch) {
		session_add_identity(session, batch);
		session_add_limits(session, batch);
		session_add_negotiated(batch, session->transport, &session->result);
		/* There may be commands waiting, which must not go out with wrong parameters; a new
		 * session has none. */
		if (session->in_kernel)
			kernel_batch_barrier(batch);
		kernel_batch_start(batch);
		if (session->in_kernel)
			kernel_batch_barrier(batch);
		session_add_ping(session, batch);
	}
	session->private->answered = false;
	r = session_submit(session, batch, handed_over);
	if (r < 0) {
		session_lack(session, r,
			     session->in_kernel ? EVENT_CONNECTION_RESOURCES
						: EVENT_SESSION_RESOURCES);
		start_failed(session);
	}
}

static void transport_ready(void *userdata, int error)
{
	struct session *session = userdata;

	if (!session_batch_returned(session))
		return;
	if (error < 0 || !session->manager->kernel) {
		session_fail(session, error < 0 ? error : -EPROTONOSUPPORT,
			     EVENT_TRANSPORT_UNAVAILABLE,
			     "the kernel's iSCSI transport is not available");
		start_failed(session);
		return;
	}
	hand_over(session);
}

/* T5 */
void session_action_start(struct session *session)
{
	int r;

	/* Its adapter has started it, and hands nothing over. */
	if (session_logs_in_itself(session)) {
		session_proven(session);
		return;
	}
	r = transport_prepare(session->manager, session->transport, transport_ready, session);

	session->private->started = false;
	if (r < 0) {
		session_lack(session, r, EVENT_REQUEST_RESOURCES);
		start_failed(session);
		return;
	}
	session->private->pending++;
	if (r > 0)
		transport_ready(session, 0);
}

/* The end */

static void tell_digests(struct session *session)
{
	const struct iscsi_parameters *parameters = &session->result.parameters;
	char driver[DIGEST_DRIVER_MAX];
	struct event *event;

	if ((!parameters->header_digest && !parameters->data_digest) || !digest_accelerated(driver))
		return;
	event = event_new(EVENT_DIGEST_ACCELERATED);
	event_set_string(event, FIELD_DRIVER, driver);
	session_raise(session, event);
}

void session_established(struct session *session)
{
	struct session_private *p = session->private;
	struct event *event;

	session->logged_in_usec = turn_usec(CLOCK_REALTIME);
	if (!p->created_event) {
		tell_digests(session);
		event = event_new(EVENT_SESSION_ESTABLISHED);
		p->created_event = true;
	} else {
		event = event_new(EVENT_RECONNECTED);
		session->reconnects++;
	}
	session_raise(session, event);
	if (session->recovering)
		session_outage_over(session);
	session_agreed(session);
	session->recovering = p->sent_away = p->time2wait_told = false;
	p->at_remembered = p->went_to_known = false;
	session->attempt = 0;
	session->failure = (struct session_failure){ .status_class = -1, .status_detail = -1 };
	session_set_phase(session, SESSION_LOGGED_IN, NULL);
	session_attend(session);
}

void session_proven(struct session *session)
{
	bool again = session->private->created_event;

	session_arm_timer(session, 0, NULL);
	manager_release(session);
	session_apply(session, SESSION_EVENT_LOGGED_IN);
	if (again || !session_setting(session, SETTING_SCAN)) {
		session_established(session);
		return;
	}
	session_set_phase(session, SESSION_SCANNING, NULL);
	session_first_scan(session);
}
