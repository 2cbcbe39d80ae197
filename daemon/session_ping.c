/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A ping of our own, beside those the kernel sends while nothing else comes from a target: where
 * only an answer shows that a session lives, as one that a person has taken over, or when the host
 * has slept.
 *
 * The kernel fails the connection of an answer that nobody takes. So a daemon that starts, which
 * may have to end at any moment, pings nothing it has found: it looks.
 */
#include <sys/random.h>

#include "resync.h"
#include "session_private.h"

/* Where the node has none for the kernel's pings. */
#define PING_TIMEOUT_USEC (15 * SECOND_USEC)
/* Many sessions are not asked at once: so much time for each of them. */
#define PING_SPREAD_USEC 5000
/* So long after a loss the kernel may still call the connection up. */
#define LOOK_AGAIN_USEC (1 * SECOND_USEC)

static uint64_t ping_timeout(const struct session *session)
{
	int64_t seconds = session_setting(session, SETTING_NOOP_TIMEOUT_SECONDS);

	return seconds > 0 ? (uint64_t)seconds * SECOND_USEC : PING_TIMEOUT_USEC;
}

static bool may_ping(const struct session *session)
{
	return session->managed && session->in_kernel && session->manager->kernel &&
	       session->connection == CONNECTION_STATE_LOGGED_IN &&
	       session->state == SESSION_STATE_LOGGED_IN;
}

void session_ping_end(struct session *session)
{
	struct session_private *p = session->private;

	p->ping = sd_event_source_disable_unref(p->ping);
	p->pinged = false;
}

static int unanswered(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct session *session = userdata;

	session_ping_end(session);
	if (!may_ping(session))
		return 0;
	session_kernel_failed(session, KERNEL_ERROR_NOOP_TIMEOUT);
	return 0;
}

/* What cannot be sent: the connection was lost, and nobody has heard of it. What an adapter that
 * logs in by itself does not refuse it has answered. */
static void sent(void *userdata, const struct kernel_result *result)
{
	struct session *session = userdata;

	if (!session_batch_returned(session) || !session->private->pinged ||
	    (result->error >= 0 && !session_logs_in_itself(session)))
		return;
	session_ping_end(session);
	if (result->error < 0 && may_ping(session))
		session_kernel_failed(session, KERNEL_ERROR_CONNECTION);
}

static int arm(struct session *session, uint64_t usec, sd_event_time_handler_t handler)
{
	struct session_private *p = session->private;

	p->ping = sd_event_source_disable_unref(p->ping);
	return sd_event_add_time_relative(session->manager->event, &p->ping, CLOCK_MONOTONIC, usec,
					  0, handler, session);
}

static int due(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct session *session = userdata;
	struct kernel_batch *batch;

	session_ping_end(session);
	if (!may_ping(session))
		return 0;
	batch = session_batch(session);
	if (batch)
		session_add_ping(session, batch);
	if (session_submit(session, batch, sent) < 0)
		return 0;
	session->private->pinged = arm(session, ping_timeout(session), unanswered) >= 0;
	return 0;
}

void session_ping(struct session *session)
{
	uint64_t spread = session->manager->n_sessions * PING_SPREAD_USEC;
	uint32_t random = 0;

	if (session->private->pinged || !may_ping(session))
		return;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = 0;
	(void)arm(session, spread * (random % 1024) / 1024, due);
}

static int look(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct session *session = userdata;

	session_ping_end(session);
	if (may_ping(session))
		resync_session(session);
	return 0;
}

void session_look_again(struct session *session)
{
	/* Nothing is sent for this, and its adapter answers by itself. */
	if (session_logs_in_itself(session))
		session_ping(session);
	else if (may_ping(session))
		(void)arm(session, LOOK_AGAIN_USEC, look);
}
