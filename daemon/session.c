/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "authentication.h"
#include "changes.h"
#include "crypto.h"
#include "endpoint.h"
#include "interface.h"
#include "session_private.h"
#include "table.h"
#include "trace.h"
#include "turn.h"

/* sd-event lets timers that have more go off together, which is what jitter is there against. */
#define TIMER_ACCURACY_USEC 1000

static const char *const session_phase_names[] = {
	[SESSION_QUEUED] = "queued",
	[SESSION_RESOLVING] = "resolving",
	[SESSION_CONNECTING] = "connecting",
	[SESSION_SECURITY_NEGOTIATION] = "security_negotiation",
	[SESSION_OPERATIONAL_NEGOTIATION] = "operational_negotiation",
	[SESSION_SCANNING] = "scanning",
	[SESSION_LOGGED_IN] = "logged_in",
	[SESSION_RETRYING] = "retrying",
	[SESSION_REMOVING_DEVICES] = "removing_devices",
	[SESSION_LOGGING_OUT] = "logging_out",
	[SESSION_CLOSED] = "closed",
};

const char *session_phase_to_string(enum session_phase phase)
{
	return table_name(session_phase_names, ELEMENTSOF(session_phase_names), phase);
}

static const char *const session_ending_names[] = {
	[SESSION_ENDING_CLEAN] = "clean",           [SESSION_ENDING_REFUSED] = "refused",
	[SESSION_ENDING_UNANSWERED] = "unanswered", [SESSION_ENDING_UNCONNECTED] = "unconnected",
	[SESSION_ENDING_FORCED] = "forced",         [SESSION_ENDING_UNSEEN] = "unseen",
};

const char *session_ending_to_string(enum session_ending ending)
{
	return table_name(session_ending_names, ELEMENTSOF(session_ending_names), ending);
}

/* Its status, and those who follow it */

struct session_status session_get_status(const struct session *session)
{
	bool numbered = session->in_kernel || session->phase == SESSION_CLOSED;
	/* Others do not tell when they try again. */
	bool waits = session->phase == SESSION_RETRYING && session->next_attempt_usec > 0;

	return (struct session_status){
		.target_name = session->target_name,
		.address = session->address,
		.port = session->port,
		.sid = numbered ? session->sid : KERNEL_SESSION_NEW,
		.managed = session->managed,
		.phase = session->phase,
		.state = session->state,
		.connection = session->connection,
		.ending = session->ending,
		.recovering = session->recovering,
		.attempt = session->phase != SESSION_LOGGED_IN ? session->attempt : 0,
		.reconnects = session->reconnects,
		.since_usec = session->since_usec,
		.lost_usec = session->recovering ? session->lost_usec : 0,
		.next_attempt_usec = waits ? session_next_attempt(session) : 0,
		.failure = session->failure,
	};
}

void session_changed(struct session *session)
{
	if (session->manager->changes)
		changes_note(session->manager->changes, session);
}

/* The machine */

static void action_none(struct session *session)
{
}

static void (*const actions[])(struct session *session) = {
	[CONNECTION_ACTION_NONE] = action_none,
	[CONNECTION_ACTION_CONNECT] = session_action_connect,
	[CONNECTION_ACTION_LOGIN] = session_action_login,
	[CONNECTION_ACTION_START] = session_action_start,
	[CONNECTION_ACTION_LOGOUT] = session_action_logout,
	[CONNECTION_ACTION_CLOSE] = session_action_close,
	[CONNECTION_ACTION_FAIL] = session_action_fail,
	[CONNECTION_ACTION_REDIRECT] = session_action_reconnect,
	[CONNECTION_ACTION_RECONNECT] = session_action_reconnect,
	[CONNECTION_ACTION_ANNOUNCE] = session_action_announce,
	[CONNECTION_ACTION_STOP] = session_action_stop,
	[CONNECTION_ACTION_RECOVER] = session_recover,
};

_Static_assert(ELEMENTSOF(actions) == _CONNECTION_ACTION_MAX, "an action without a function");

static void handle_event(struct session *session, enum connection_event event)
{
	const struct connection_transition *row = connection_transition(session->connection, event);

	if (!row) {
		if (!connection_event_ignored(session->connection, event))
			session->private->unexpected++;
		trace("%s: %s in state %s ignored", session->target_name,
		      connection_event_to_string(event),
		      connection_state_to_string(session->connection));
		return;
	}
	trace("%s: %s: %s -> %s (%s)", session->target_name, connection_event_to_string(event),
	      connection_state_to_string(session->connection),
	      connection_state_to_string(row->result), row->rfc);
	session->connection = row->result;
	session_changed(session);
	actions[row->action](session);
}

void session_post(struct session *session, enum connection_event event)
{
	struct session_private *p = session->private;

	if (p->n_posted == SESSION_POSTED_MAX) {
		p->unexpected++;
		return;
	}
	p->posted[p->n_posted++] = event;
	if (p->running)
		return;
	p->running = true;
	while (p->n_posted > 0) {
		event = p->posted[0];
		memmove(p->posted, p->posted + 1, --p->n_posted * sizeof(p->posted[0]));
		handle_event(session, event);
	}
	p->running = false;
}

void session_apply(struct session *session, enum session_event event)
{
	const struct session_transition *row = session_transition(session->state, event);

	if (!row) {
		if (!session_event_ignored(session->state, event))
			session->private->unexpected++;
		return;
	}
	trace("%s: session %s -> %s (%s)", session->target_name,
	      session_state_to_string(session->state), session_state_to_string(row->result),
	      row->rfc);
	session->state = row->result;
	session->since_usec = turn_usec(CLOCK_REALTIME);
	session_changed(session);
}

/* Events */

/* Whoever sees something fail does not know what follows. */
static void tell_outcome(const struct session *session, struct event *event)
{
	const char *outcome = event_get(event, FIELD_OUTCOME);

	if (!outcome || strcmp(outcome, event_outcome_to_string(EVENT_OUTCOME_FAILED)) != 0)
		return;
	if (session->private->goes_on || session_falls_back(session))
		event_set_outcome(event, EVENT_OUTCOME_CONTINUED);
	else if (session_retries(session))
		event_set_outcome(event, EVENT_OUTCOME_RETRYING);
}

void session_raise(struct session *session, struct event *event)
{
	char portal[PORTAL_TEXT_MAX];

	if (!event)
		return;
	tell_outcome(session, event);
	portal_format(session_address(session), session_port(session), portal);
	event_set_string(event, FIELD_TARGET, session->target_name);
	if (!event_get(event, FIELD_PORTAL))
		event_set_string(event, FIELD_PORTAL, portal);
	if (session->transport)
		event_set_string(event, FIELD_TRANSPORT, session->transport->name);
	if (session->settings)
		event_set_string(event, FIELD_IFACE,
				 settings_text(session->settings, SETTING_INTERFACE));
	if (session->in_kernel) {
		event_set_number(event, FIELD_SESSION, session->sid);
		event_set_number(event, FIELD_CONNECTION, 0);
		event_set_number(event, FIELD_HOST, session->host);
	} else if (session->private->adapter != KERNEL_HOST_ANY) {
		event_set_number(event, FIELD_HOST, session->private->adapter);
	}
	if (session->attempt > 1)
		event_set_number(event, FIELD_ATTEMPT, session->attempt);
	if (event_type(event)->severity == EVENT_SEVERITY_ERROR)
		event_summary(event, session->private->last_error,
			      sizeof(session->private->last_error));
	if (session_outage_told(session, event)) {
		(void)event_free(event);
		return;
	}
	eventlog_raise(session->manager->log, event);
}

void session_unanswered(struct session *session, enum pdu_opcode opcode, enum event_number then,
			enum event_outcome outcome)
{
	struct event *event = event_new(EVENT_REQUEST_TIMEOUT);

	event_set_number(event, FIELD_DUMP_FUNCTION, opcode);
	event_set_string(event, FIELD_DUMP_FUNCTION_NAME, pdu_opcode_to_string(opcode));
	event_set_outcome(event, outcome);
	session_raise(session, event);
	event = event_new(then);
	event_set_outcome(event, outcome);
	session_raise(session, event);
}

void session_fail(struct session *session, int error, unsigned event, const char *message)
{
	struct session_failure *failure = &session->failure;

	*failure = (struct session_failure){
		.error = error,
		.event = event,
		.status_class = -1,
		.status_detail = -1,
	};
	(void)snprintf(failure->message, sizeof(failure->message), "%s",
		       message                           ? message
		       : session->private->last_error[0] ? session->private->last_error
							 : strerror(-error));
}

void session_lack(struct session *session, int error, enum event_number number)
{
	struct event *event;

	/* There is no thread for the work. */
	if (error == -EAGAIN && number == EVENT_REQUEST_RESOURCES)
		number = EVENT_WORKITEM_RESOURCES;
	event = event_new(number);

	event_set_errno(event, error);
	event_set_outcome(event, EVENT_OUTCOME_FAILED);
	session_raise(session, event);
	session_fail(session, error, number, NULL);
}

/* Watches */

static bool watch_ends(const struct session_watcher *watcher, enum session_phase phase)
{
	return phase == SESSION_CLOSED || (phase == SESSION_LOGGED_IN && !watcher->logout);
}

static void tell(struct session *session, struct session_watcher *watcher,
		 const struct session_failure *failure)
{
	enum session_phase phase = session->phase;

	static const struct session_failure logged_out = {
		.error = -ECANCELED,
		.status_class = -1,
		.status_detail = -1,
		.message = "logged out meanwhile",
	};

	watcher->told = true;
	if (watcher->logout)
		failure = NULL;
	else if (phase == SESSION_CLOSED && !failure)
		failure = &logged_out;
	if (watch_ends(watcher, phase))
		watcher->gone = true;
	watcher->watch.changed(watcher->watch.userdata, session, phase, failure);
}

static void sweep_watchers(struct session *session)
{
	struct session_watcher **p = &session->private->watchers;

	while (*p) {
		struct session_watcher *watcher = *p;

		if (!watcher->gone) {
			p = &watcher->next;
			continue;
		}
		*p = watcher->next;
		free(watcher);
	}
}

void session_set_phase(struct session *session, enum session_phase phase,
		       const struct session_failure *failure)
{
	if (session->phase == phase && !failure)
		return;
	trace("%s: %s%s%s", session->target_name, session_phase_to_string(phase),
	      failure ? ": " : "", failure ? failure->message : "");
	if (session->phase != phase) {
		/* Each phase is told, however short. */
		if (session->phase_noted)
			changes_settle(session->manager->changes);
		session->since_usec = turn_usec(CLOCK_REALTIME);
	}
	session->phase = phase;
	session_changed(session);
	session->phase_noted = session->noted;
	/* A watcher may add or drop watches in its callback; rows are freed by session_tell() only.
	 */
	for (struct session_watcher *w = session->private->watchers; w; w = w->next)
		if (!w->gone)
			tell(session, w, failure);
	/* Most phases pass without anything for the manager to do, and its turn of the loop is not
	 * free. */
	if (phase == SESSION_LOGGED_IN || phase == SESSION_RETRYING || phase == SESSION_CLOSED)
		manager_tend(session);
}

void session_tell(struct session *session)
{
	const struct session_failure *failure =
		session->phase == SESSION_RETRYING && session->failure.error ? &session->failure
									     : NULL;

	for (struct session_watcher *w = session->private->watchers; w; w = w->next)
		if (!w->gone && !w->told)
			tell(session, w, failure);
	sweep_watchers(session);
}

void session_refuse_logout(struct session *session, const struct session_failure *failure)
{
	for (struct session_watcher *w = session->private->watchers; w; w = w->next)
		if (!w->gone && w->logout) {
			w->gone = true;
			w->watch.changed(w->watch.userdata, session, session->phase, failure);
		}
	manager_tend(session);
}

int session_watch(struct session *session, const struct session_watch *watch, bool logout)
{
	struct session_watcher *watcher, **p = &session->private->watchers;

	if (!watch)
		return 0;
	watcher = calloc(1, sizeof(*watcher));
	if (!watcher)
		return -ENOMEM;
	watcher->watch = *watch;
	watcher->logout = logout;
	while (*p)
		p = &(*p)->next;
	*p = watcher;
	manager_tend(session);
	return 0;
}

void session_unwatch(struct session *session, const void *userdata)
{
	for (struct session_watcher *w = session->private->watchers; w; w = w->next)
		if (w->watch.userdata == userdata)
			w->gone = true;
	if (session->private->scan_userdata == userdata)
		session->private->scan_done = NULL;
	manager_tend(session);
}

/* Helpers of all parts */

int64_t session_setting(const struct session *session, enum setting which)
{
	return settings_number(session->settings, which);
}

void session_shift_clock(struct session *session, int64_t usec)
{
	uint64_t *const times[] = {
		&session->created_usec,
		&session->logged_in_usec,
		&session->lost_usec,
		&session->since_usec,
	};

	for (size_t i = 0; i < ELEMENTSOF(times); i++)
		if (*times[i] > 0)
			*times[i] += (uint64_t)usec;
}

int session_arm_timer(struct session *session, uint64_t usec, sd_event_time_handler_t handler)
{
	struct session_private *p = session->private;

	p->timer = sd_event_source_disable_unref(p->timer);
	if (!handler)
		return 0;
	return sd_event_add_time_relative(session->manager->event, &p->timer, CLOCK_MONOTONIC, usec,
					  TIMER_ACCURACY_USEC, handler, session);
}

void session_disconnect(struct session *session)
{
	struct session_private *p = session->private;

	p->timer = sd_event_source_disable_unref(p->timer);
	p->due = p->connected = false;
	p->connect = portal_connect_free(p->connect);
	p->endpoint_connect = endpoint_connect_free(p->endpoint_connect);
	p->driver = login_driver_free(p->driver);
	p->channel = channel_free(p->channel);
	p->adapter_login = ADAPTER_LOGIN_NONE;
	session_async_reset(session);
	if (p->pending == 0)
		p->fd = close_fd(p->fd);
	/* Before the connection is stopped: else the kernel would keep the number. */
	if (!session_connected(session))
		p->endpoint = endpoint_free(p->endpoint);
}

void session_cancel(struct session *session)
{
	struct session_private *p = session->private;

	session_disconnect(session);
	p->scan = devices_scan_cancel(p->scan);
	p->revival = devices_scan_cancel(p->revival);
	session_ping_end(session);
	session_rescan_failed(session, -ECANCELED);
	manager_release(session);
}

struct kernel_batch *session_batch(struct session *session)
{
	return kernel_batch_new(session->manager->kernel, session->transport->handle,
				session->in_kernel ? session->sid : KERNEL_SESSION_NEW);
}

int session_submit(struct session *session, struct kernel_batch *batch, kernel_done_t done)
{
	int r;

	if (!batch)
		return -ENOMEM;
	r = kernel_batch_submit(batch, done, session);
	if (r >= 0)
		session->private->pending++;
	return r;
}

int session_stop_connection(struct session *session, kernel_done_t done)
{
	struct kernel_batch *batch = session_batch(session);

	if (batch)
		kernel_batch_stop(batch, KERNEL_STOP_RECOVER);
	return session_submit(session, batch, done);
}

bool session_returned(struct session *session)
{
	session->private->pending--;
	manager_tend(session);
	/* The daemon ends; what is in the kernel is taken over by the next one. */
	return session->manager->state != MANAGER_STOPPING;
}

void session_close(struct session *session, const struct session_failure *failure)
{
	session_cancel(session);
	session->private->check = devices_scan_cancel(session->private->check);
	session_word_end(session);
	session_set_phase(session, SESSION_CLOSED, failure);
	manager_tend(session);
}

/* Making and freeing */

/*
 * The ISID is derived from what identifies the session, so that a restarted daemon reinstates its
 * sessions instead of adding new ones. RFC 7143, 10.12.5: format "random", 24 bits and a qualifier
 * of 16.
 */
static int derive_isid(const struct manager *manager, const char *initiator_name,
		       const struct node_key *key, uint8_t ret[6])
{
	_cleanup_free_ char *text = NULL;
	uint8_t hash[CRYPTO_HASH_LENGTH];
	int n, r;

	n = asprintf(&text, "%s\n%s\n%s\n%u", initiator_name, key->target_name, key->address,
		     key->port);
	if (n < 0) {
		text = NULL;
		return -ENOMEM;
	}
	r = crypto_hash(manager->crypto, text, (size_t)n, hash);
	if (r < 0)
		return r;
	ret[0] = 0x80;
	memcpy(ret + 1, hash, 5);
	return 0;
}

const char *session_initiator_name(const struct session *session)
{
	const char *own =
		session->settings ? settings_text(session->settings, SETTING_INITIATOR_NAME) : NULL;

	return own ?: session->manager->config->initiator_name;
}

struct node *session_node(const struct session *session)
{
	const struct node_key key = {
		.target_name = session->target_name,
		.address = session->address,
		.port = session->port,
	};

	return records_find(session->manager->records, &key);
}

int session_take_node(struct session *session, const struct node *node)
{
	struct session_private *p = session->private;
	struct settings *effective;
	int r;

	r = interface_effective_of(session->manager, node, &effective);
	if (r < 0)
		return r;
	(void)settings_free(session->settings);
	session->settings = effective;
	r = derive_isid(session->manager, session_initiator_name(session), &node->key,
			session->isid);
	if (r < 0)
		return r;
	session->portal_group_tag = node->portal_group_tag;
	if (!session->in_kernel)
		session->transport =
			&session->manager->transports[session_setting(session, SETTING_TRANSPORT)];
	/* An adapter that logs in by itself has one of its own. */
	session->isid_known &= !session_logs_in_itself(session);
	p->remembered = (struct login_redirect){ .port = node->redirect_port, .permanent = true };
	if (node->redirect_address)
		(void)snprintf(p->remembered.address, sizeof(p->remembered.address), "%s",
			       node->redirect_address);
	p->md5_known = node->md5_only_usec > 0 && authentication_may_fall_back(effective);
	r = secret_copy(node->secret, &p->secret);
	if (r >= 0)
		r = secret_copy(node->target_secret, &p->target_secret);
	return r;
}

static int session_new_named(struct manager *manager, const struct node_key *key,
			     struct session **ret)
{
	_cleanup_(session_freep) struct session *session = NULL;
	int r;

	session = calloc(1, sizeof(*session));
	if (!session)
		return -ENOMEM;
	session->private = calloc(1, sizeof(*session->private));
	if (!session->private)
		return -ENOMEM;
	session->private->fd = -EBADF;
	session->private->adapter = KERNEL_HOST_ANY;
	session->manager = manager;
	session->sid = KERNEL_SESSION_NEW;
	session->state = SESSION_STATE_FREE;
	session->connection = CONNECTION_STATE_FREE;
	session->portal_group_tag = -1;
	session->target_name = strdup(key->target_name);
	session->address = strdup(key->address);
	session->port = key->port;
	if (!session->target_name || !session->address)
		return -ENOMEM;
	r = derive_isid(manager, manager->config->initiator_name, key, session->isid);
	if (r < 0)
		return r;
	session->created_usec = session->since_usec = turn_usec(CLOCK_REALTIME);
	*ret = TAKE_PTR(session);
	return 0;
}

int session_new(struct manager *manager, const struct node *node, struct session **ret)
{
	_cleanup_(session_freep) struct session *session = NULL;
	int r;

	r = session_new_named(manager, &node->key, &session);
	if (r < 0)
		return r;
	session->isid_known = true;
	r = session_take_node(session, node);
	if (r < 0)
		return r;
	session->managed = true;
	*ret = TAKE_PTR(session);
	return 0;
}

/* A session that was there before us. With @node it is ours to look after. */
int session_new_found(struct manager *manager, const struct sysfs_session *found,
		      const struct node *node, struct session **ret)
{
	_cleanup_(session_freep) struct session *session = NULL;
	struct node_key key = {
		.target_name = found->target_name,
		.address =
			found->persistent_address[0] ? found->persistent_address : found->address,
		.port = (uint16_t)(found->persistent_port >= 0 ? found->persistent_port
							       : found->port),
	};
	int r;

	r = session_new_named(manager, node ? &node->key : &key, &session);
	if (r < 0)
		return r;
	session->found = malloc(sizeof(*found));
	if (!session->found)
		return -ENOMEM;
	*session->found = *found;
	session->portal_group_tag = (int)found->portal_group_tag;
	if (node) {
		r = session_take_node(session, node);
		if (r < 0)
			return r;
		session->managed = true;
		/* The kernel does not tell that of another program. */
		session->isid_known = strcmp(found->interface, SESSION_LABEL) == 0;
	}
	session_find_portal(session);
	session->transport = transport_find(found->transport);
	session->isid_known &= !session_logs_in_itself(session);
	if (!session->transport)
		session->managed = false;
	/* Somebody else may have loaded it meanwhile. */
	else if (!session->transport->loaded)
		transport_refresh(manager, session->transport);
	session->in_kernel = true;
	session->sid = found->sid;
	session->host = found->host;
	*ret = TAKE_PTR(session);
	return 0;
}

struct session *session_free(struct session *session)
{
	struct session_private *p;

	if (!session)
		return NULL;
	p = session->private;
	if (p) {
		p->timer = sd_event_source_disable_unref(p->timer);
		p->attention.timer = sd_event_source_disable_unref(p->attention.timer);
		session_async_reset(session);
		p->connect = portal_connect_free(p->connect);
		p->endpoint_connect = endpoint_connect_free(p->endpoint_connect);
		p->endpoint = endpoint_forget(p->endpoint);
		p->driver = login_driver_free(p->driver);
		p->channel = channel_free(p->channel);
		p->scan = devices_scan_cancel(p->scan);
		p->revival = devices_scan_cancel(p->revival);
		session_ping_end(session);
		p->check = devices_scan_cancel(p->check);
		session_word_end(session);
		p->fd = close_fd(p->fd);
		while (p->watchers) {
			struct session_watcher *next = p->watchers->next;

			free(p->watchers);
			p->watchers = next;
		}
		p->datapath = session_datapath_free(p->datapath);
		p->secret = secret_free(p->secret);
		p->target_secret = secret_free(p->target_secret);
		free(p);
	}
	session->settings = settings_free(session->settings);
	free(session->target_name);
	free(session->address);
	free(session->found);
	free(session->luns);
	free(session);
	return NULL;
}
