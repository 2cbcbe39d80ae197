/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A person's word: that a session is to be gone is kept with its node before the logout begins, so
 * that neither a restart nor a reboot brings it back, until a person logs in again.
 */
#include "session_private.h"
#include "trace.h"

/* The records may lie on a disk that hangs, even on that of the session: a logout does not wait for
 * them for ever. */
#define STORE_TIMEOUT_USEC (5 * SECOND_USEC)

static void leave(struct session *session)
{
	session_word_end(session);
	session->private->leaving = true;
	session_leave(session);
}

static int overdue(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct session *session = userdata;

	trace("%s: the records are not written in time", session->target_name);
	leave(session);
	return 0;
}

/* Where it failed, an event has told. */
static void stored(void *userdata, int error)
{
	struct session *session = userdata;
	struct session_private *p = session->private;

	p->storing = false;
	manager_tend(session);
	if (p->word)
		leave(session);
}

void session_word_end(struct session *session)
{
	session->private->word = sd_event_source_disable_unref(session->private->word);
}

void session_word_leave(struct session *session)
{
	struct records *records = session->manager->records;
	struct session_private *p = session->private;
	struct node *node = session_node(session);

	/* Of one of another program's, beside one of ours, the node is not meant. */
	if (!node || node->logged_out_usec > 0 || p->for_now || manager_has_beside(session)) {
		leave(session);
		return;
	}
	records_set_logged_out(records, node, true, p->forced);
	if (sd_event_add_time_relative(session->manager->event, &p->word, CLOCK_MONOTONIC,
				       STORE_TIMEOUT_USEC, 0, overdue, session) < 0 ||
	    records_commit(records, stored, session) < 0) {
		leave(session);
		return;
	}
	p->storing = true;
}

void session_word_join(struct session *session)
{
	struct records *records = session->manager->records;
	struct session_private *p = session->private;
	struct node *node = session_node(session);

	if (!p->for_now)
		return;
	p->for_now = false;
	if (!p->leaving || !node || node->logged_out_usec > 0)
		return;
	records_set_logged_out(records, node, true, p->forced);
	(void)records_commit(records, NULL, NULL);
}

/* A logout that an earlier run of the daemon had begun */

static void finished(void *userdata, struct session *session, enum session_phase phase,
		     const struct session_failure *failure)
{
	struct event *event;

	if (!failure)
		return;
	event = event_new(EVENT_LOGOUT_NOT_FINISHED);
	event_set_status(event, (uint64_t)-failure->error, failure->message);
	event_set_outcome(event, EVENT_OUTCOME_FAILED);
	session_raise(session, event);
	manager_take_login(session->manager, session_node(session));
}

void session_word_resume(struct session *session)
{
	const struct session_watch watch = { .changed = finished, .userdata = session };
	const struct node *node = session->managed ? session_node(session) : NULL;
	struct event *event;

	if (!node || node->logged_out_usec == 0)
		return;
	event = event_new(EVENT_LOGOUT_RESUMED);
	event_set_outcome(event, EVENT_OUTCOME_CONTINUED);
	session_raise(session, event);
	(void)session_logout(session, node->logged_out_forced ? SESSION_LOGOUT_FORCE : 0, &watch);
}
