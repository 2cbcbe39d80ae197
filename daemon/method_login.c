/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Login and Logout of org.ois.session: many sessions in one call, begun a few in each turn of the
 * loop. Every change of phase of a single one is told; of many, failures and, ten times a second,
 * the present phases of those that have changed, so that what has to be made and read, and what
 * waits for a client that reads slowly, is bounded. When the client goes away, logins and logouts
 * go on, those not begun yet, too.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "interfaces.h"
#include "json.h"
#include "method_common.h"
#include "turn.h"

/* More of them would keep the rest of the daemon waiting. */
#define BEGUN_PER_TURN 8
#define TELL_USEC      (100 * UINT64_C(1000))

struct item {
	struct batch *batch;
	struct item *next_changed;
	struct session *session; /* followed by us; NULL: ended */
	char *target_name, *address;
	uint16_t port;
	int portal_group_tag;
	int64_t sid; /* -1: none yet */

	enum session_phase phase, failed_phase;
	unsigned attempt;
	enum session_ending ending;
	bool present; /* logged in before the call */
	bool queued;  /* among the batch's .changed */
	bool untold;  /* the client does not know the phase */
	bool failed;
	struct session_failure *failure; /* of the present phase; NULL: none. Few have one. */
};

struct batch {
	struct call *call; /* NULL: the client is gone */
	struct manager *manager;
	bool logout, force, shutdown, no_wait;
	int retry_max;
	sd_event_source *turn, *tell;
	struct item *changed, **changed_end;
	size_t total, n, begun, pending;
	int64_t done, present, kept, failed;
	struct item items[];
};

static struct batch *batch_free(struct batch *batch)
{
	if (!batch)
		return NULL;
	batch->turn = sd_event_source_disable_unref(batch->turn);
	batch->tell = sd_event_source_disable_unref(batch->tell);
	for (size_t i = 0; i < batch->n; i++) {
		struct item *item = &batch->items[i];

		if (item->session)
			session_unwatch(item->session, item);
		free(item->target_name);
		free(item->address);
		free(item->failure);
	}
	free(batch);
	return NULL;
}

DEFINE_CLEANUP(struct batch *, batch_free);

/* True while not all items were begun: nothing is told yet. */
static bool batch_begins(const struct batch *batch)
{
	return batch->begun < batch->total;
}

/* The call is over, or its client gone. */
static void batch_gone(void *userdata)
{
	struct batch *batch = userdata;

	batch->call = NULL;
	if (!batch_begins(batch) || batch->manager->state == MANAGER_STOPPING)
		(void)batch_free(batch);
}

static int batch_new(struct call *call, bool logout, size_t n, struct batch **ret)
{
	struct batch *batch = calloc(1, sizeof(*batch) + n * sizeof(batch->items[0]));

	if (!batch)
		return -ENOMEM;
	batch->call = call;
	batch->manager = call_manager(call);
	batch->logout = logout;
	batch->total = n;
	batch->retry_max = -1;
	batch->changed_end = &batch->changed;
	*ret = batch;
	return 0;
}

static int batch_add(struct batch *batch, const char *target_name, const char *address,
		     uint16_t port, int portal_group_tag)
{
	struct item *item = &batch->items[batch->n++];

	*item = (struct item){
		.batch = batch,
		.target_name = strdup(target_name),
		.address = strdup(address),
		.port = port,
		.portal_group_tag = portal_group_tag,
		.sid = -1,
		.attempt = 1,
	};
	return item->target_name && item->address ? 0 : -ENOMEM;
}

/* Answers */

/* What an item failed for, which has. */
static const struct session_failure *item_failure(const struct item *item)
{
	static const struct session_failure no_memory = {
		.error = -ENOMEM,
		.status_class = -1,
		.status_detail = -1,
	};

	return item->failure ? item->failure : &no_memory;
}

static json_object *item_key_to_json(const struct item *item)
{
	return key_to_json(item->target_name, item->address, item->port, item->portal_group_tag);
}

static json_object *item_luns_to_json(const struct item *item)
{
	const struct session *session =
		manager_find_session(item->batch->manager, (uint32_t)item->sid);

	return luns_to_json(session ? session->luns : NULL, session ? session->n_luns : 0);
}

static json_object *login_progress_to_json(const struct item *item)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set(object, "node", item_key_to_json(item));
	r |= json_set_string(object, "phase", session_phase_to_string(item->phase));
	r |= json_set_int(object, "attempt", item->attempt);
	if (item->present)
		r |= json_set_bool(object, "present", true);
	if (item->sid >= 0)
		r |= json_set_int(object, "session", item->sid);
	if (item->phase == SESSION_LOGGED_IN && item->sid >= 0)
		r |= json_set(object, "logicalUnits", item_luns_to_json(item));
	if (item->failure)
		r |= json_set(object, "failure", failure_to_json(item->failure));
	return r < 0 ? NULL : json_wrap("progress", TAKE_PTR(object));
}

static json_object *logout_progress_to_json(const struct item *item)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_string(object, "targetName", item->target_name);
	r |= json_set_string(object, "address", item->address);
	r |= json_set_int(object, "port", item->port);
	if (item->sid >= 0)
		r |= json_set_int(object, "session", item->sid);
	r |= json_set_string(object, "phase", session_phase_to_string(item->phase));
	if (item->phase == SESSION_CLOSED)
		r |= json_set_string(object, "ending", session_ending_to_string(item->ending));
	if (item->failure)
		r |= json_set(object, "failure", failure_to_json(item->failure));
	return r < 0 ? NULL : json_wrap("progress", TAKE_PTR(object));
}

/* False: the call has ended, and the batch is gone. */
static bool item_tell(const struct item *item)
{
	return call_stream(item->batch->call, item->batch->logout ? logout_progress_to_json(item)
								  : login_progress_to_json(item));
}

static json_object *summary_to_json(const struct batch *batch)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_int(object, batch->logout ? "loggedOut" : "loggedIn", batch->done);
	if (!batch->logout)
		r |= json_set_int(object, "present", batch->present);
	if (batch->shutdown)
		r |= json_set_int(object, "kept", batch->kept);
	r |= json_set_int(object, "failed", batch->failed);
	return r < 0 ? NULL : json_wrap("summary", TAKE_PTR(object));
}

static void login_failed(struct call *call, const struct item *item)
{
	const struct session_failure *failure = item_failure(item);
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object) {
		call_reply(call, NULL);
		return;
	}
	r = json_set(object, "node", item_key_to_json(item));
	r |= json_set_string(object, "phase", session_phase_to_string(item->failed_phase));
	r |= json_set_int(object, "attempts", item->attempt);
	r |= json_set(object, "failure", failure_to_json(failure));
	call_error(call, ERROR_SESSION_LOGIN_FAILED, r < 0 ? NULL : TAKE_PTR(object));
}

static void logout_failed(struct call *call, const struct item *item)
{
	const struct session_failure *failure = item_failure(item);
	_cleanup_json_ json_object *object = json_object_new_object();
	int error = failure->error, r;

	if (!object) {
		call_reply(call, NULL);
		return;
	}
	r = json_set_string(object, "targetName", item->target_name);
	r |= json_set_string(object, "message", failure->message);
	r |= json_set(object, "failure", failure_to_json(failure));
	if (item->sid >= 0)
		r |= json_set_int(object, "session", item->sid);
	if (r < 0)
		call_reply(call, NULL);
	else if (item->sid >= 0 && (error == -EBUSY || error == -EOPNOTSUPP))
		call_fail(call, error, TAKE_PTR(object));
	else
		call_fail_as(call, ERROR_SESSION_LOGOUT_FAILED, error, TAKE_PTR(object));
}

/* Ends the call if everything has ended and was told. */
static void batch_finish(struct batch *batch)
{
	if (batch->pending > 0 || batch->changed)
		return;
	if (batch->total != 1 || !batch->items[0].failed)
		call_reply(batch->call, summary_to_json(batch));
	else if (batch->logout)
		logout_failed(batch->call, &batch->items[0]);
	else
		login_failed(batch->call, &batch->items[0]);
}

static void item_queue(struct item *item)
{
	struct batch *batch = item->batch;

	item->untold = true;
	if (item->queued)
		return;
	item->queued = true;
	item->next_changed = NULL;
	*batch->changed_end = item;
	batch->changed_end = &item->next_changed;
}

/* In the order in which they changed first. */
static void batch_produce(struct call *call, void *userdata)
{
	struct batch *batch = userdata;

	while (batch->changed && !call_full(call)) {
		struct item *item = batch->changed;
		bool untold = item->untold;

		batch->changed = item->next_changed;
		if (!batch->changed)
			batch->changed_end = &batch->changed;
		item->queued = item->untold = false;
		if (untold && !item_tell(item))
			return;
	}
	batch_finish(batch);
}

static int on_tell(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct batch *batch = userdata;

	batch->tell = sd_event_source_disable_unref(batch->tell);
	if (batch->call)
		call_wake(batch->call);
	return 0;
}

static void tell_soon(struct batch *batch)
{
	if (!batch->tell &&
	    sd_event_add_time_relative(batch->manager->event, &batch->tell, CLOCK_MONOTONIC,
				       TELL_USEC, 1, on_tell, batch) < 0)
		call_wake(batch->call);
}

/* Tells a change as soon as the client is to know, and reads along. */
static void item_changed(struct item *item)
{
	struct batch *batch = item->batch;
	bool single = batch->total == 1, now = single || item->failure;

	if (!batch->call)
		return;
	/* The failure of the only one is the last answer. */
	if (single && item->failed) {
		item->untold = false;
	} else if (now && !batch_begins(batch) && !call_full(batch->call)) {
		item->untold = false;
		if (!item_tell(item))
			return;
	} else {
		item_queue(item);
	}
	if (batch_begins(batch))
		return;
	if (now || batch->pending == 0)
		call_wake(batch->call);
	else
		tell_soon(batch);
}

/* An item has ended, well or with its failure. */
static void item_end(struct item *item, bool failed)
{
	item->session = NULL;
	item->failed = failed;
	item->batch->pending--;
	if (failed)
		item->batch->failed++;
	else
		item->batch->done++;
}

static void item_set_failure(struct item *item, const struct session_failure *failure)
{
	free(item->failure);
	item->failure = failure ? malloc(sizeof(*failure)) : NULL;
	if (item->failure)
		*item->failure = *failure;
}

static void item_refuse(struct item *item, int error, const char *message)
{
	struct session_failure failure = {
		.error = error,
		.status_class = -1,
		.status_detail = -1,
	};

	(void)snprintf(failure.message, sizeof(failure.message), "%s",
		       message ? message : strerror(-error));
	item_set_failure(item, &failure);
	item_end(item, true);
	item_changed(item);
}

static void item_take_phase(struct item *item, const struct session *session,
			    enum session_phase phase, const struct session_failure *failure)
{
	if (phase != SESSION_CLOSED && phase != SESSION_RETRYING)
		item->failed_phase = phase;
	item->phase = phase;
	item->ending = session->ending;
	if (session->attempt > 0)
		item->attempt = session->attempt;
	if (session->in_kernel)
		item->sid = session->sid;
	item_set_failure(item, failure);
}

/* Login */

static void login_changed(void *userdata, struct session *session, enum session_phase phase,
			  const struct session_failure *failure)
{
	struct item *item = userdata;

	item_take_phase(item, session, phase, failure);
	if (phase == SESSION_LOGGED_IN || phase == SESSION_CLOSED)
		item_end(item, phase == SESSION_CLOSED);
	item_changed(item);
}

/* The session is there already. */
static void login_present(struct item *item, const struct session *session)
{
	item_take_phase(item, session, SESSION_LOGGED_IN, NULL);
	item->present = true;
	item_end(item, false);
	item->batch->done--;
	item->batch->present++;
	item_changed(item);
}

static const char *refusal_text(int error)
{
	switch (error) {
	case -EBUSY:
		return "the session is being logged out";
	case -EEXIST:
		return "another program has a session with the node, which is not connected";
	case -ENOENT:
		return "the node was removed";
	}
	return NULL;
}

static void login_item(struct item *item)
{
	const struct node_key key = { item->target_name, item->address, item->port };
	const struct session_watch watch = { .changed = login_changed, .userdata = item };
	struct batch *batch = item->batch;
	struct session *session = manager_find_session_of(batch->manager, &key);
	struct node *node = records_find(batch->manager->records, &key);
	bool wait = batch->call && !batch->no_wait;
	int r = -ENOENT;

	batch->pending++;
	if (session && session->phase == SESSION_LOGGED_IN && !session_to_leave(session)) {
		manager_take_login(batch->manager, node);
		login_present(item, session);
		return;
	}
	if (node)
		r = manager_login(batch->manager, node, batch->retry_max, wait ? &watch : NULL,
				  &session);
	if (r < 0) {
		item_refuse(item, r, refusal_text(r));
		return;
	}
	manager_take_login(batch->manager, node);
	if (wait)
		item->session = session;
	else
		batch->pending--;
}

static void logout_item(struct item *item);

static int batch_turn(sd_event_source *source, void *userdata);

/* Errors: -ENOMEM, the first time only. */
static int batch_defer(struct batch *batch)
{
	return turn_defer(batch->manager->event, &batch->turn, SD_EVENT_PRIORITY_NORMAL, batch_turn,
			  batch);
}

/* Begins some items; the rest has its turn when the loop comes back. */
static int batch_turn(sd_event_source *source, void *userdata)
{
	struct batch *batch = userdata;

	for (size_t n = 0; n < BEGUN_PER_TURN && batch_begins(batch) && !turn_ends(n); n++) {
		struct item *item = &batch->items[batch->begun];

		if (batch->logout)
			logout_item(item);
		else
			login_item(item);
		batch->begun++;
	}
	if (batch_begins(batch))
		(void)batch_defer(batch);
	else if (batch->call)
		call_produce(batch->call, batch_produce);
	else
		(void)batch_free(batch);
	return 0;
}

/* Begins the first items; the batch is the call's from now on, on success only. */
static int batch_start(struct batch *batch)
{
	int r = batch_defer(batch);

	if (r < 0)
		return r;
	(void)sd_event_source_set_enabled(batch->turn, SD_EVENT_OFF);
	call_keep(batch->call, batch, batch_gone);
	return batch_turn(batch->turn, batch);
}

int method_session_login(struct call *call)
{
	json_object *parameters = call_parameters(call);
	_cleanup_(batch_freep) struct batch *batch = NULL;
	_cleanup_free_ struct node **nodes = NULL;
	int64_t retry_max = -1;
	size_t n = 0;
	int r;

	if (json_get_int(parameters, "retryMax", 0, INT32_MAX, &retry_max) < 0) {
		call_invalid_parameter(call, "retryMax");
		return 0;
	}
	r = call_select_nodes(call, ERROR_SESSION_NO_SUCH_NODE, &nodes, &n);
	if (r <= 0)
		return r;
	r = batch_new(call, false, n, &batch);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = batch_add(batch, nodes[i]->key.target_name, nodes[i]->key.address,
			      nodes[i]->key.port, nodes[i]->portal_group_tag);
	if (r < 0)
		return r;
	(void)json_get_bool(parameters, "noWait", &batch->no_wait);
	batch->retry_max = (int)retry_max;
	r = batch_start(batch);
	if (r >= 0)
		(void)TAKE_PTR(batch);
	return r;
}

/* Logout */

/* At shutdown what is in use stays, and that is as it should be. */
static void item_keep(struct item *item)
{
	item_end(item, false);
	item->batch->done--;
	item->batch->kept++;
}

static void logout_changed(void *userdata, struct session *session, enum session_phase phase,
			   const struct session_failure *failure)
{
	struct item *item = userdata;

	item_take_phase(item, session, phase, failure);
	if (phase == SESSION_CLOSED)
		item_end(item, false);
	else if (failure && failure->error == -EBUSY && item->batch->shutdown)
		item_keep(item);
	else if (failure)
		item_end(item, true);
	item_changed(item);
}

/* The session that was selected, unless it has gone since. */
static struct session *find_session(const struct item *item)
{
	const struct node_key key = { item->target_name, item->address, item->port };
	struct manager *manager = item->batch->manager;

	return item->sid >= 0 ? manager_find_session(manager, (uint32_t)item->sid)
			      : manager_find_session_of(manager, &key);
}

static void logout_item(struct item *item)
{
	const struct session_watch watch = { .changed = logout_changed, .userdata = item };
	struct session *session = find_session(item);
	struct batch *batch = item->batch;
	int r;

	batch->pending++;
	if (!session) {
		item->phase = SESSION_CLOSED;
		item_end(item, false);
		item_changed(item);
		return;
	}
	item->phase = session->phase;
	item->session = batch->call ? session : NULL;
	r = session_logout(session,
			   (batch->force ? SESSION_LOGOUT_FORCE : 0) |
				   (batch->shutdown ? SESSION_LOGOUT_FOR_NOW : 0),
			   batch->call ? &watch : NULL);
	if (r >= 0 || r == -EALREADY || !item->session)
		return;
	session_unwatch(session, item);
	item_refuse(item, r, r == -EOPNOTSUPP ? "the session is not managed by this daemon" : NULL);
}

/* All sessions that the selector means. */
static int logout_batch(struct call *call, const struct selector *selector, struct batch **ret)
{
	bool shutdown = false;
	_cleanup_(batch_freep) struct batch *batch = NULL;
	struct manager *manager = call_manager(call);
	int r;

	(void)json_get_bool(call_parameters(call), "shutdown", &shutdown);
	r = batch_new(call, true, manager->n_sessions, &batch);
	for (const struct session *s = manager->sessions; s && r >= 0; s = s->next) {
		if (s->phase == SESSION_CLOSED || !selector_matches_session(selector, s))
			continue;
		/* Those of other programs are their business. */
		if (shutdown && !s->managed)
			continue;
		r = batch_add(batch, s->target_name, s->address, s->port, s->portal_group_tag);
		if (s->in_kernel)
			batch->items[batch->n - 1].sid = s->sid;
	}
	if (r < 0)
		return r;
	batch->total = batch->n;
	batch->shutdown = shutdown;
	*ret = TAKE_PTR(batch);
	return 0;
}

int method_session_logout(struct call *call)
{
	_cleanup_(batch_freep) struct batch *batch = NULL;
	json_object *object = NULL;
	struct selector selector;
	int r;

	(void)json_get_object(call_parameters(call), "selector", &object);
	if (selector_read(object, &selector) < 0) {
		call_invalid_parameter(call, "selector");
		return 0;
	}
	r = logout_batch(call, &selector, &batch);
	if (r < 0)
		return r;
	if (batch->total == 0) {
		call_error(call, ERROR_SESSION_NO_SUCH_SESSION,
			   json_wrap("selector", json_object_get(object)));
		return 0;
	}
	(void)json_get_bool(call_parameters(call), "force", &batch->force);
	r = batch_start(batch);
	if (r >= 0)
		(void)TAKE_PTR(batch);
	return r;
}
