/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When a login is tried again and when it is given up, after a loss as well; and sessions found at
 * the start.
 */
#include <string.h>
#include <sys/random.h>

#include "session_private.h"
#include "turn.h"

/* Wait before the second attempt; doubled for each further one up to the most. */
#define BACKOFF_FIRST_USEC (1 * SECOND_USEC)
#define BACKOFF_MOST_USEC  (30 * SECOND_USEC)
/* Where the target refuses for good, a person has to do something first. */
#define BACKOFF_REFUSED_USEC (300 * SECOND_USEC)

/* Attempts */

/* What was set for the node meanwhile is in force: a secret may have been changed, on both sides.
 */
static int refresh_node(struct session *session)
{
	const struct node *node = session_node(session);

	return node ? session_take_node(session, node) : 0;
}

/* A login from its beginning; an attempt has one, or two at different portals. */
static void log_in(struct session *session)
{
	struct session_private *p = session->private;

	session_choose_portal(session);
	p->deadline_usec = turn_usec(CLOCK_MONOTONIC) +
			   (uint64_t)session_setting(session, SETTING_LOGIN_TOTAL_TIMEOUT_SECONDS) *
				   SECOND_USEC;
	p->hopeless = false;
	p->md5_alone = p->md5_known;
	p->offer_changed = false;
	p->last_error[0] = '\0';
	session_post(session, CONNECTION_EVENT_CONNECT);
}

void session_begin(struct session *session)
{
	int r;

	if (session->private->connected) {
		session->private->connected = false;
		session_post(session, CONNECTION_EVENT_CONNECTED);
		return;
	}
	r = refresh_node(session);
	session->attempt++;
	session->next_attempt_usec = 0;
	if (r < 0) {
		session_lack(session, r, EVENT_REQUEST_RESOURCES);
		session_attempt_failed(session);
		return;
	}
	log_in(session);
}

static void stopped(void *userdata, const struct kernel_result *result)
{
	(void)session_batch_returned(userdata);
}

/* T2, T7 */
void session_action_fail(struct session *session)
{
	struct session_private *p = session->private;
	bool bound = p->bound;

	if (p->at_remembered && !p->leaving) {
		session_disconnect(session);
		log_in(session);
		return;
	}
	session_cancel(session);
	p->bound = false;
	if (p->leaving)
		session_leave(session);
	else if (session->in_kernel && !p->created_event)
		session_remove(session);
	else
		session_attempt_failed(session);
	/* Else the kernel keeps the connection, and the target its end of it, until the next
	 * attempt. */
	if (bound && session->phase == SESSION_RETRYING)
		(void)session_stop_connection(session, stopped);
}

static int retry_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct session *session = userdata;

	session_arm_timer(session, 0, NULL);
	/* Something of the attempt before may not have ended yet, and cannot be called back. */
	session->private->due = true;
	session_resume(session);
	return 0;
}

void session_resume(struct session *session)
{
	struct session_private *p = session->private;

	if (p->unread) {
		p->unread = false;
		session_read_details(session);
	}
	if (!p->due || p->pending > 0)
		return;
	p->due = false;
	manager_admit(session);
}

void session_retry_now(struct session *session)
{
	if (session->phase == SESSION_RETRYING && session->private->timer)
		(void)retry_due(NULL, 0, session);
}

void session_hurry(struct session *session)
{
	/* The wait before the first attempt of a recovery is the target's, Time2Wait. */
	if (session->attempt > 0)
		session_retry_now(session);
}

/* Sessions that failed together must not come back together: up to a quarter more. */
static uint64_t with_jitter(uint64_t usec)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = 0;
	return usec + usec / 4 * (random % 1024) / 1024;
}

uint64_t session_next_attempt(const struct session *session)
{
	return turn_usec(CLOCK_REALTIME) + session->next_attempt_usec - turn_usec(CLOCK_MONOTONIC);
}

static void retry_later(struct session *session, uint64_t usec)
{
	session->next_attempt_usec = turn_usec(CLOCK_MONOTONIC) + usec;
	if (session_arm_timer(session, usec, retry_due) < 0)
		manager_admit(session);
}

static void report_giving_up(struct session *session)
{
	struct event *event;

	if (session->failure.event == EVENT_LOGIN_REQUEST_FAILED)
		return;
	event = event_new(EVENT_LOGIN_REQUEST_FAILED);
	event_set_status(event, (uint64_t)-session->failure.error, session->failure.message);
	event_set_outcome(event, EVENT_OUTCOME_FAILED);
	session_raise(session, event);
}

static void report_recovery_failed(struct session *session)
{
	struct event *event = event_new(session->private->sent_away ? EVENT_ASYNC_RELOGIN_FAILED
								    : EVENT_RECOVERY_FAILED);

	event_set_status(event, (uint64_t)-session->failure.error, session->failure.message);
	event_set_outcome(event, EVENT_OUTCOME_RETRYING);
	event_set_number(event, FIELD_NEXT_ATTEMPT_USEC, session_next_attempt(session));
	session_raise(session, event);
}

bool session_retries(const struct session *session)
{
	const struct session_private *p = session->private;

	if (p->leaving)
		return false;
	/* A session that was logged in is never given up. */
	if (session->recovering)
		return true;
	return !p->hopeless && (p->retry_max < 0 || session->attempt <= (unsigned)p->retry_max);
}

void session_attempt_failed(struct session *session)
{
	bool refused = session->recovering && session->private->hopeless;
	uint64_t most = refused ? BACKOFF_REFUSED_USEC : BACKOFF_MOST_USEC;
	uint64_t wait = BACKOFF_FIRST_USEC;

	manager_release(session);
	for (unsigned i = 1; i < session->attempt && wait < most; i++)
		wait *= 2;
	if (wait > most)
		wait = most;

	if (session_retries(session)) {
		/* First the timer, so that watchers see when. */
		retry_later(session, with_jitter(wait));
		if (session->recovering)
			report_recovery_failed(session);
		session_set_phase(session, SESSION_RETRYING, &session->failure);
		return;
	}
	report_giving_up(session);
	session_close(session, &session->failure);
}

/* RFC 7143, 13.15: not before Time2Wait; what the target said last (11.9.1, 11.15.3) comes first.
 */
static uint64_t time2wait(const struct session *session)
{
	if (session->private->time2wait_told)
		return session->private->time2wait;
	if (session->result_known)
		return session->result.parameters.default_time2wait;
	return (uint64_t)session_setting(session, SETTING_KEYS_DEFAULT_TIME2WAIT);
}

/* CLEANUP_WAIT is over. */
void session_recover(struct session *session)
{
	struct session_private *p = session->private;

	if (p->leaving) {
		session_leave(session);
		return;
	}
	if (!p->created_event) {
		session_attempt_failed(session);
		return;
	}
	if (!session->recovering) {
		session->recovering = true;
		session->attempt = 0;
		session_outage_begin(session);
	}
	if (session->attempt > 0) {
		session_attempt_failed(session);
		return;
	}
	retry_later(session, with_jitter(time2wait(session) * SECOND_USEC));
	session_set_phase(session, SESSION_RETRYING, &session->failure);
}

/* Sessions found at the start */

/* Devices that are on their way out do not come back: what is left of the logout is done. */
static void finish_logout(struct session *session)
{
	session->state = SESSION_STATE_LOGGED_IN;
	session->phase = SESSION_LOGGED_IN;
	session->private->leaving = true;
	session_leave(session);
}

/* A login that was about to scan. */
static void finish_login(struct session *session)
{
	struct session_private *p = session->private;

	p->created_event = false;
	p->retry_max = (int)session_setting(session, SETTING_LOGIN_RETRY_MAX);
	session->attempt = 1;
	session->phase = SESSION_OPERATIONAL_NEGOTIATION;
	session->state = SESSION_STATE_FREE;
	session_finish_start(session);
}

void session_not_recovered(struct session *session, int error, const char *why)
{
	struct event *event = event_new(EVENT_RECOVERY_NOT_STARTED);

	event_set_status(event, (uint64_t)-error, why);
	session_raise(session, event);
}

static void adopt_running(struct session *session)
{
	session->state = SESSION_STATE_LOGGED_IN;
	session_set_phase(session, SESSION_LOGGED_IN, NULL);
	session->private->unread = true;
	manager_tend(session);
	/* Nobody may have heard that it was lost. */
	session_look_again(session);
}

/*
 * A session that runs is left alone; a login or logout that was interrupted goes on. One of ours
 * that lost its connection, or whose re-login was interrupted, is repaired. The state of a session
 * follows that of its connection a moment later, which is why only the connection is asked.
 */
void session_adopt(struct session *session)
{
	const struct sysfs_session *found = session->found;
	bool ours = session->managed && session->manager->kernel;
	bool told = session->state == SESSION_STATE_FAILED;

	session->private->created_event = true;
	session->connection = CONNECTION_STATE_LOGGED_IN;
	if (found->connection_state == SYSFS_CONNECTION_UP) {
		if (ours && (found->target_state == SYSFS_TARGET_UNBOUND ||
			     found->target_state == SYSFS_TARGET_UNBINDING))
			finish_logout(session);
		else if (ours && found->target_state == SYSFS_TARGET_ALLOCATED &&
			 session_setting(session, SETTING_SCAN))
			finish_login(session);
		else
			adopt_running(session);
		return;
	}
	session_set_phase(session, SESSION_RETRYING, NULL);
	if (!ours) {
		session->state = SESSION_STATE_FAILED;
		session->connection = CONNECTION_STATE_FREE;
		if (session->managed)
			session_not_recovered(session, -EPROTONOSUPPORT,
					      "the kernel's interface cannot be used");
		else if (!told)
			session_not_recovered(session, -EOPNOTSUPP,
					      "it is not managed by this daemon");
		return;
	}
	session->state = SESSION_STATE_LOGGED_IN;
	session_kernel_failed(session, KERNEL_ERROR_NONE);
}
