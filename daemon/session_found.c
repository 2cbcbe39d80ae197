/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sessions we did not make, or an earlier run of the daemon has made. Those of other programs are
 * listed when they are made, followed while they fail, and taken over when a person wants it. The
 * kernel tells when one is made, before it is anything, and when it loses its connection; that it
 * works (again) has to be looked for.
 */
#include <stdlib.h>
#include <string.h>

#include "leftover.h"
#include "session_private.h"
#include "turn.h"

/* The first look, and the longest pause: doubled after each look. */
#define LOOK_FIRST_USEC (SECOND_USEC / 4)
#define LOOK_DOUBLED    7
/* All that sysfs says of a session is some hundred system calls. */
#define LOOKS_PER_TURN 4

/* Finding */

static const struct node *node_of(struct manager *manager, const struct sysfs_session *found)
{
	struct node_key key = {
		.target_name = found->target_name,
		.address = found->persistent_address,
		.port = (uint16_t)found->persistent_port,
	};

	if (strcmp(found->interface, SESSION_LABEL) != 0 &&
	    strcmp(found->interface, SESSION_LABEL_ADOPTED) != 0)
		return NULL;
	return records_find(manager->records, &key);
}

/* One that a worker has just made: its session is about to be told. */
static bool is_being_made(const struct manager *manager, const struct sysfs_session *found)
{
	return manager->state != MANAGER_STARTING && manager->kernel &&
	       (uint32_t)found->creator == kernel_port(manager->kernel);
}

void session_report_found(struct session *session)
{
	struct event *event;

	if (session->private->found_told)
		return;
	session->private->found_told = true;
	event = event_new(EVENT_SESSION_FOUND);
	event_set_outcome(event, EVENT_OUTCOME_CONTINUED);
	if (!session->managed)
		event_set_string(event, FIELD_REASON,
				 "it is not managed: no node of this daemon made it");
	session_raise(session, event);
}

/* What runs is left alone: little is read of it now, and the rest when there is time. */
static void find(struct manager *manager, uint32_t sid)
{
	const struct node *node;
	struct sysfs_session found;
	struct session *session;
	bool up;

	if (sysfs_session_identify(&manager->sysfs, sid, &found) < 0 ||
	    is_being_made(manager, &found))
		return;
	node = node_of(manager, &found);
	if (leftover_take(manager, &found, node))
		return;
	/* Another program is making it. */
	if (!found.target_name[0]) {
		session_look(manager, sid);
		return;
	}
	up = found.connection_state == SYSFS_CONNECTION_UP;
	if (!node || !up)
		sysfs_session_complete(&manager->sysfs, &found);
	if (session_new_found(manager, &found, node, &session) < 0)
		return;
	manager_add_session(manager, session);
	manager_index_session(session);
	if (!up)
		session_report_found(session);
	if (!up && !session->managed)
		session_look(manager, sid);
	session_adopt(session);
	session_word_resume(session);
}

int session_find_all(struct manager *manager)
{
	_cleanup_free_ uint32_t *sids = NULL;
	size_t n = 0;
	int r;

	r = sysfs_session_list(&manager->sysfs, &sids, &n);
	if (r < 0)
		return r;
	for (struct transport *t = manager->transports; t->name; t++)
		transport_refresh(manager, t);
	for (size_t i = 0; i < n; i++)
		if (!manager_find_session(manager, sids[i]))
			find(manager, sids[i]);
	return 0;
}

/* Following */

struct stranger {
	struct stranger *next;
	uint32_t sid;
	unsigned looks;
	uint64_t due_usec; /* CLOCK_MONOTONIC */
};

void session_look_end(struct manager *manager)
{
	while (manager->strangers) {
		struct stranger *next = manager->strangers->next;

		free(manager->strangers);
		manager->strangers = next;
	}
	manager->look = sd_event_source_disable_unref(manager->look);
}

static bool is_up(const struct sysfs_session *found)
{
	return found->state == SYSFS_SESSION_LOGGED_IN &&
	       found->connection_state == SYSFS_CONNECTION_UP;
}

static bool is_ours(struct manager *manager, uint32_t sid)
{
	const struct session *session = manager_find_session(manager, sid);

	return session && session->managed;
}

/* True if there is no more to see. */
static bool look_at(struct manager *manager, uint32_t sid)
{
	struct session *session = manager_find_session(manager, sid);
	struct sysfs_session found;

	/* A logout sees by itself what becomes of it. */
	if (is_ours(manager, sid) || (session && session->private->leaving))
		return true;
	if (sysfs_session_identify(&manager->sysfs, sid, &found) < 0 ||
	    is_being_made(manager, &found))
		return true;
	if (session) {
		sysfs_session_complete(&manager->sysfs, &found);
		*session->found = found;
		session_adopt(session);
		return is_up(&found);
	}
	if (!found.target_name[0] || !is_up(&found))
		return false;
	find(manager, sid);
	return true;
}

static int look(sd_event_source *source, uint64_t usec, void *userdata);

/* One timer for all, since each of our own logins is told of, too. */
static void look_later(struct manager *manager, uint64_t earliest)
{
	uint64_t due = UINT64_MAX;

	for (const struct stranger *s = manager->strangers; s; s = s->next)
		if (s->due_usec < due)
			due = s->due_usec;
	if (due < earliest)
		due = earliest;
	if (!manager->strangers)
		manager->look = sd_event_source_disable_unref(manager->look);
	else if (!manager->look)
		(void)sd_event_add_time(manager->event, &manager->look, CLOCK_MONOTONIC, due, 0,
					look, manager);
	else if (sd_event_source_set_time(manager->look, due) >= 0)
		(void)sd_event_source_set_enabled(manager->look, SD_EVENT_ONESHOT);
}

static int look(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct manager *manager = userdata;
	uint64_t now = turn_usec(CLOCK_MONOTONIC);
	unsigned n = 0;

	for (struct stranger **p = &manager->strangers; *p && n < LOOKS_PER_TURN;) {
		struct stranger *stranger = *p;

		if (stranger->due_usec > now) {
			p = &stranger->next;
			continue;
		}
		/* One of ours that is up costs nothing. */
		n += !is_ours(manager, stranger->sid);
		if (look_at(manager, stranger->sid)) {
			*p = stranger->next;
			free(stranger);
			continue;
		}
		stranger->looks += stranger->looks < LOOK_DOUBLED;
		stranger->due_usec = now + (LOOK_FIRST_USEC << stranger->looks);
		p = &stranger->next;
	}
	look_later(manager, n < LOOKS_PER_TURN ? now + LOOK_FIRST_USEC : now);
	return 0;
}

static bool looks_by(const struct manager *manager, uint64_t due)
{
	uint64_t next;

	return manager->look && sd_event_source_get_time(manager->look, &next) >= 0 && next <= due;
}

void session_look(struct manager *manager, uint32_t sid)
{
	struct stranger *stranger = manager->strangers;

	while (stranger && stranger->sid != sid)
		stranger = stranger->next;
	if (stranger)
		return;
	stranger = calloc(1, sizeof(*stranger));
	if (!stranger)
		return;
	*stranger = (struct stranger){
		.next = manager->strangers,
		.sid = sid,
		.due_usec = turn_usec(CLOCK_MONOTONIC) + LOOK_FIRST_USEC,
	};
	manager->strangers = stranger;
	if (!looks_by(manager, stranger->due_usec))
		look_later(manager, 0);
}

/* Taking over */

const char *session_take_over_fault(const struct session *session)
{
	const char *ours = session_initiator_name(session);
	const char *name = session->found ? session->found->initiator_name : "";

	if (!session->transport)
		return "its transport is not known to this daemon";
	if (session_is_of_firmware(session) || !session->found)
		return "the firmware of an adapter made the session, and keeps it";
	/* An adapter that logs in by itself has a name of its own. */
	if (!session_logs_in_itself(session) && *name && strcmp(name, ours) != 0)
		return "its initiator name is not that of this host";
	if (session->private->leaving || session_to_leave(session))
		return "it is being logged out";
	/* Both would log in under one ISID, and each login would end the other session. */
	if (manager_has_beside(session))
		return "its node has a session of this daemon";
	return NULL;
}

static int make_node(struct session *session, struct node **ret)
{
	const struct node_key key = {
		.target_name = session->target_name,
		.address = session->address,
		.port = session->port,
	};
	int r;

	r = records_create(session->manager->records, &key, session->portal_group_tag, ret);
	if (r >= 0)
		session_raise(session, event_new(EVENT_NODE_CREATED));
	return r;
}

static int take(struct session *session)
{
	struct records *records = session->manager->records;
	struct node *node = session_node(session);
	int r = node ? 0 : make_node(session, &node);
	struct event *event;

	if (r >= 0)
		r = session_take_node(session, node);
	if (r < 0)
		return r;
	session->managed = true;
	session_changed(session);
	records_set_logged_out(records, node, false, false);
	(void)records_commit(records, NULL, NULL);
	event = event_new(EVENT_SESSION_ADOPTED);
	event_set_outcome(event, EVENT_OUTCOME_CONTINUED);
	session_raise(session, event);
	return 0;
}

static void labelled(void *userdata, const struct kernel_result *result)
{
	struct session *session = userdata;
	struct session_private *p = session->private;
	session_taken_t done = p->taken;
	int r = result->error;

	p->taken = NULL;
	if (!session_batch_returned(session))
		r = -ECANCELED;
	if (r >= 0)
		r = take(session);
	/* It was lost, is back, and has not been looked at since. */
	if (r >= 0 && session->phase == SESSION_RETRYING)
		session_adopt(session);
	if (r >= 0)
		session_ping(session);
	if (done)
		done(p->taken_userdata, r);
}

/* What has no connection cannot be labelled, but it gets the label with the next one. */
int session_take_over(struct session *session, session_taken_t done, void *userdata)
{
	struct session_private *p = session->private;
	struct kernel_batch *batch;
	int r;

	if (p->taken)
		return -EALREADY;
	if (sysfs_session_read(&session->manager->sysfs, session->sid, session->found) < 0)
		return -ENODEV;
	if (!is_up(session->found)) {
		r = take(session);
		if (r < 0)
			return r;
		session_adopt(session);
		return 1;
	}
	batch = session_batch(session);
	if (batch)
		kernel_batch_set_string(batch, KERNEL_PARAM_INTERFACE_NAME, SESSION_LABEL_ADOPTED);
	r = session_submit(session, batch, labelled);
	if (r < 0)
		return r;
	p->taken = done;
	p->taken_userdata = userdata;
	return 0;
}

void session_take_over_forget(struct session *session, const void *userdata)
{
	if (session->private->taken_userdata == userdata)
		session->private->taken = NULL;
}
