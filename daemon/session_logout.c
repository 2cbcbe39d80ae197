/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ways out of a session: logout as RFC 7143 11.14 wants it, each step with a timer, and the
 * removal of whatever the kernel holds, which always works and ends every failed step.
 */
#include <stdio.h>
#include <string.h>

#include "endpoint.h"
#include "session_private.h"
#include "trace.h"
#include "turn.h"

/* The kernel removes a session within milliseconds; this only keeps a lost event from blocking us
 * for ever. */
#define REMOVAL_TIMEOUT_USEC (60 * SECOND_USEC)

static uint64_t logout_timeout(const struct session *session)
{
	int64_t seconds = 15;

	if (session->settings)
		seconds = settings_number(session->settings, SETTING_LOGOUT_TIMEOUT_SECONDS);
	return (uint64_t)seconds * SECOND_USEC;
}

/* Removal */

/* What came first counts, but for commands that are stuck. */
static void note_ending(struct session *session, enum session_ending ending)
{
	if (session->ending == SESSION_ENDING_NONE || ending == SESSION_ENDING_FORCED)
		session->ending = ending;
}

static void report_closed(struct session *session)
{
	static const char *const reasons[_SESSION_ENDING_MAX] = {
		[SESSION_ENDING_REFUSED] = "the target refused the logout",
		[SESSION_ENDING_UNANSWERED] = "the target did not answer the logout",
		[SESSION_ENDING_UNCONNECTED] =
			"the target could not be told, there was no connection",
		[SESSION_ENDING_FORCED] = "by force, since commands did not end",
		[SESSION_ENDING_UNSEEN] =
			"the adapter logged out, and does not tell whether the target agreed",
	};
	struct event *event = event_new(EVENT_SESSION_CLOSED);

	if (session->private->leaving)
		note_ending(session, SESSION_ENDING_UNCONNECTED);
	event_set_string(event, FIELD_REASON, reasons[session->ending]);
	session_raise(session, event);
}

static void removed(struct session *session)
{
	struct session_private *p = session->private;

	session_arm_timer(session, 0, NULL);
	if (p->created_event) {
		report_closed(session);
		p->created_event = false;
	}
	manager_unindex_session(session);
	session->in_kernel = false;
	session->logged_in_usec = 0;
	p->removing = false;
	p->vanished = false;
	p->started = false;
	free(session->luns);
	session->luns = NULL;
	session->n_luns = 0;
	session_apply(session, SESSION_EVENT_CLOSED);
	if (session->connection == CONNECTION_STATE_CLEANUP_WAIT)
		session_post(session, CONNECTION_EVENT_CLEANED_UP);
	else if (p->leaving)
		session_close(session, NULL);
	else
		/* A first login that failed after the kernel had been given its connection. */
		session_recover(session);
}

static bool kernel_has(const struct session *session)
{
	enum sysfs_connection_state connection;
	enum sysfs_session_state state;

	return sysfs_session_read_state(&session->manager->sysfs, session->sid, &state,
					&connection) != -ENOENT;
}

/* The event was lost, or the kernel refused: what is still there is not said to be gone. */
static int removal_timed_out(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct session *session = userdata;

	if (session->private->pending > 0)
		(void)session_arm_timer(session, REMOVAL_TIMEOUT_USEC, removal_timed_out);
	else if (kernel_has(session))
		session_remove(session);
	else
		removed(session);
	return 0;
}

/*
 * The driver qla4xxx logs out when the connection is removed, and leaves its object; later kernels
 * keep the session's for that, too. There is no session at the target any more.
 */
static bool keeps_objects(const struct session *session, const struct kernel_result *result)
{
	return session_logs_in_itself(session) && result->error == -EBUSY &&
	       result->operation == KERNEL_DESTROY_SESSION;
}

static void removal_returned(void *userdata, const struct kernel_result *result)
{
	struct session *session = userdata;
	struct session_private *p = session->private;

	if (!session_returned(session))
		return;
	p->fd = close_fd(p->fd);
	if (p->removing && (p->vanished || (result->error < 0 && !kernel_has(session)) ||
			    keeps_objects(session, result)))
		removed(session);
}

void session_remove(struct session *session)
{
	struct session_private *p = session->private;
	uint64_t again = REMOVAL_TIMEOUT_USEC;
	struct kernel_batch *batch;

	session_cancel(session);
	/* With the session the devices go whose use is being looked at; what is left of the wish is
	 * to leave. */
	p->leaving |= session_to_leave(session);
	p->check = devices_scan_cancel(p->check);
	session_word_end(session);
	p->removing = true;
	if (!session->in_kernel) {
		removed(session);
		return;
	}
	if (p->leaving)
		session_set_phase(session, SESSION_LOGGING_OUT, NULL);
	batch = session_batch(session);
	if (batch) {
		kernel_batch_stop(batch, KERNEL_STOP_TERMINATE);
		kernel_batch_destroy_connection(batch);
		kernel_batch_destroy_session(batch);
	}
	if (session_submit(session, batch, removal_returned) < 0)
		again = SECOND_USEC;
	(void)session_arm_timer(session, again, removal_timed_out);
}

void session_kernel_destroyed(struct session *session)
{
	struct session_private *p = session->private;

	p->vanished = true;
	if (p->removing) {
		/* Before the answer to our request, or after it. */
		if (p->pending == 0)
			removed(session);
		return;
	}
	/* Sessions of others come and go. */
	session_raise(session,
		      event_new(session->managed ? EVENT_SESSION_VANISHED : EVENT_SESSION_CLOSED));
	p->created_event = false;
	p->leaving = true;
	session_fail(session, -ENODEV, EVENT_SESSION_VANISHED, "somebody else removed the session");
	/* Its endpoint has gone with it, and the number may be another one's. */
	if (endpoint_is_bound(p->endpoint))
		p->endpoint = endpoint_forget(p->endpoint);
	manager_unindex_session(session);
	session->in_kernel = false;
	session_apply(session, SESSION_EVENT_CLOSED);
	if (session->connection == CONNECTION_STATE_FREE)
		session_action_close(session);
	else
		session_post(session, CONNECTION_EVENT_SESSION_CLOSED);
}

/* Logout */

static int logout_timed_out(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct session *session = userdata;

	session_unanswered(session, PDU_OPCODE_LOGOUT_REQUEST, EVENT_LOGOUT_TIMEOUT,
			   EVENT_OUTCOME_CONTINUED);
	session_fail(session, -ETIMEDOUT, EVENT_LOGOUT_TIMEOUT,
		     "the target did not answer the logout");
	note_ending(session, SESSION_ENDING_UNANSWERED);
	session_post(session, CONNECTION_EVENT_LOGOUT_FAILED);
	return 0;
}

static void logout_sent(void *userdata, const struct kernel_result *result)
{
	struct session *session = userdata;

	if (session_returned(session) && result->error < 0 &&
	    session->connection == CONNECTION_STATE_IN_LOGOUT)
		session_post(session, CONNECTION_EVENT_LOGOUT_FAILED);
}

/* RFC 7143, 11.14 */
static int submit_logout(struct session *session, enum pdu_logout_reason reason, kernel_done_t done,
			 sd_event_time_handler_t timed_out)
{
	struct pdu logout = {
		.opcode = PDU_OPCODE_LOGOUT_REQUEST,
		.immediate = true,
		.logout_request = { .reason = (uint8_t)reason },
	};
	struct kernel_batch *batch = session_batch(session);
	uint8_t header[PDU_HEADER_LENGTH];
	int r;

	pdu_encode(&logout, header);
	if (batch)
		kernel_batch_send_pdu(batch, header, NULL, 0);
	r = session_submit(session, batch, done);
	return r < 0 ? r : session_arm_timer(session, logout_timeout(session), timed_out);
}

static void send_logout(struct session *session)
{
	session_set_phase(session, SESSION_LOGGING_OUT, NULL);
	/* The adapter does it when the connection is removed. */
	if (session_logs_in_itself(session)) {
		session_arm_timer(session, 0, NULL);
		note_ending(session, SESSION_ENDING_UNSEEN);
		session_post(session, CONNECTION_EVENT_LOGOUT_SUCCEEDED);
		return;
	}
	if (submit_logout(session, PDU_LOGOUT_CLOSE_SESSION, logout_sent, logout_timed_out) < 0)
		session_post(session, CONNECTION_EVENT_LOGOUT_FAILED);
}

/* The target wants the connection closed */

/* Closed in order, or not in time: from here on it is a connection that was lost. */
static void end_connection(struct session *session)
{
	session_fail(session, -ECONNRESET, EVENT_ASYNC_LOGOUT, "the target asked for a logout");
	if (session->state == SESSION_STATE_LOGGED_IN)
		session->lost_usec = turn_usec(CLOCK_REALTIME);
	session_post(session, CONNECTION_EVENT_TRANSPORT_LOST);
}

static int announced_timed_out(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct session *session = userdata;

	session_unanswered(session, PDU_OPCODE_LOGOUT_REQUEST, EVENT_ASYNC_LOGOUT_TIMEOUT,
			   EVENT_OUTCOME_RETRYING);
	end_connection(session);
	return 0;
}

static void announced_sent(void *userdata, const struct kernel_result *result)
{
	struct session *session = userdata;

	if (session_batch_returned(session) && result->error < 0 &&
	    session->connection == CONNECTION_STATE_LOGOUT_REQUESTED)
		end_connection(session);
}

/* T11. RFC 7143, 11.9.1: a Logout must be issued; the session stays, and gets another connection.
 */
void session_action_announce(struct session *session)
{
	if (submit_logout(session, PDU_LOGOUT_CLOSE_CONNECTION, announced_sent,
			  announced_timed_out) < 0)
		end_connection(session);
}

/* Logout of the session */

void session_logout_pdu(struct session *session, const struct pdu *pdu)
{
	bool agreed;

	/* RFC 7143, 11.15.3: when the connection was not closed, the time to the next try. */
	if (pdu->logout_response.response >= PDU_LOGOUT_RECOVERY_NOT_SUPPORTED) {
		session->private->time2wait = pdu->logout_response.time2wait;
		session->private->time2wait_told = true;
	}
	if (session->connection == CONNECTION_STATE_LOGOUT_REQUESTED)
		end_connection(session);
	if (session->connection != CONNECTION_STATE_IN_LOGOUT ||
	    session->phase != SESSION_LOGGING_OUT)
		return;
	session_arm_timer(session, 0, NULL);
	agreed = pdu->logout_response.response == PDU_LOGOUT_SUCCESS;
	note_ending(session, agreed ? SESSION_ENDING_CLEAN : SESSION_ENDING_REFUSED);
	session_post(session,
		     agreed ? CONNECTION_EVENT_LOGOUT_SUCCEEDED : CONNECTION_EVENT_LOGOUT_FAILED);
}

/* A command is stuck in the target: the removal of the connection will fail it and free the
 * devices. */
static int unbind_timed_out(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct session *session = userdata;

	trace("%s: devices are not removed in time", session->target_name);
	note_ending(session, SESSION_ENDING_FORCED);
	send_logout(session);
	return 0;
}

void session_kernel_unbound(struct session *session)
{
	if (session->connection == CONNECTION_STATE_IN_LOGOUT &&
	    session->phase == SESSION_REMOVING_DEVICES)
		send_logout(session);
}

static void unbind_returned(void *userdata, const struct kernel_result *result)
{
	struct session *session = userdata;

	if (!session_returned(session) || session->phase != SESSION_REMOVING_DEVICES)
		return;
	if (result->error < 0)
		session_post(session, CONNECTION_EVENT_LOGOUT_FAILED);
	/* Of a session found it may have been done before. The kernel says it once. */
	else if (session->found &&
		 sysfs_session_read_target_state(&session->manager->sysfs, session->sid) ==
			 SYSFS_TARGET_UNBOUND)
		session_kernel_unbound(session);
}

/* T9, T10: devices first, so that their caches are written on a connection that still works. */
void session_action_logout(struct session *session)
{
	struct kernel_batch *batch = session_batch(session);
	int r;

	session_set_phase(session, SESSION_REMOVING_DEVICES, NULL);
	if (batch)
		kernel_batch_unbind_session(batch);
	r = session_submit(session, batch, unbind_returned);
	if (r >= 0)
		r = session_arm_timer(session, logout_timeout(session), unbind_timed_out);
	if (r < 0)
		session_post(session, CONNECTION_EVENT_LOGOUT_FAILED);
}

/* T13 and whatever ends without anything to clean up */
void session_action_close(struct session *session)
{
	if (session->in_kernel)
		session_remove(session);
	else
		session_close(session, session->private->vanished ? &session->failure : NULL);
}

static void stopped(void *userdata, const struct kernel_result *result)
{
	struct session *session = userdata;

	if (session_returned(session))
		session_post(session, CONNECTION_EVENT_CLEANED_UP);
}

/*
 * A connection was lost, or did not come up. What never worked or is not wanted any more leaves the
 * kernel; a session that worked stays there, blocked, and keeps its devices.
 */
void session_action_stop(struct session *session)
{
	struct session_private *p = session->private;

	p->bound = false;
	session_apply(session, SESSION_EVENT_FAILED);
	if (p->leaving || !p->created_event) {
		session_remove(session);
		return;
	}
	session_cancel(session);
	if (session_stop_connection(session, stopped) < 0)
		session_post(session, CONNECTION_EVENT_CLEANED_UP);
}

bool session_to_leave(const struct session *session)
{
	return session->private->check || session->private->word;
}

void session_leave(struct session *session)
{
	struct session_private *p = session->private;

	if (p->pending > 0 || p->removing)
		return;
	session_cancel(session);
	if (session->connection == CONNECTION_STATE_FREE)
		session_action_close(session);
	else
		session_post(session, session->in_kernel ? CONNECTION_EVENT_LOGOUT
							 : CONNECTION_EVENT_SESSION_CLOSED);
}

/* "sda is mounted on /data; sdb is swap"; false: none is in use. */
static bool name_uses(const struct devices_result *result, char *ret, size_t size)
{
	size_t length = 0;

	for (size_t i = 0; i < result->n_luns; i++) {
		const char *use = result->luns[i].use;
		const char *between = length > 0 ? "; " : "";

		if (!*use)
			continue;
		if (length + strlen(between) + strlen(use) + sizeof("; ...") > size) {
			(void)snprintf(ret + length, size - length, "; ...");
			break;
		}
		length += (size_t)snprintf(ret + length, size - length, "%s%s", between, use);
	}
	return length > 0;
}

static void use_checked(void *userdata, const struct devices_result *result)
{
	struct session *session = userdata;
	struct session_private *p = session->private;
	struct session_failure failure = { .status_class = -1, .status_detail = -1 };

	p->check = NULL;
	if (name_uses(result, failure.message, sizeof(failure.message))) {
		failure.error = -EBUSY;
	} else if (result->error < 0 && result->error != -ENOENT) {
		failure.error = result->error;
		(void)snprintf(failure.message, sizeof(failure.message),
			       "cannot see whether devices are in use: %s",
			       strerror(-result->error));
	}
	if (failure.error < 0) {
		session_refuse_logout(session, &failure);
		return;
	}
	session_word_leave(session);
}

int session_logout(struct session *session, unsigned how, const struct session_watch *watch)
{
	bool force = how & SESSION_LOGOUT_FORCE;
	struct session_private *p = session->private;
	int r;

	if (!session->transport || session_is_of_firmware(session))
		return -EOPNOTSUPP;
	r = session_watch(session, watch, true);
	if (r < 0)
		return r;
	if (p->leaving || p->word || (p->check && !force)) {
		if (!(how & SESSION_LOGOUT_FOR_NOW))
			session_word_join(session);
		return -EALREADY;
	}
	p->for_now = how & SESSION_LOGOUT_FOR_NOW;
	p->forced = force;
	if (session->in_kernel && !force)
		return devices_list(session->manager->devices, session->sid, session->host, true,
				    use_checked, session, &p->check);
	p->check = devices_scan_cancel(p->check);
	session_word_leave(session);
	return 0;
}
