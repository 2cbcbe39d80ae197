/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Discoveries whose portal is reached through an adapter only: the kernel has to have a session for
 * the connection, which carries the PDUs and never has a device. It outlives its discovery until
 * the kernel has removed it, and its label tells a later run of the daemon that nobody needs it.
 */
#include <string.h>

#include "discovery_private.h"
#include "endpoint.h"
#include "kernel_abi.h"
#include "refusal.h"
#include "session_private.h"

/* When memory was short. */
#define REMOVE_AGAIN_USEC (1 * SECOND_USEC)
/* Nobody uses the session for commands. */
#define COMMANDS_MAX 32
#define QUEUE_DEPTH  1

struct discovery_endpoint {
	struct discovery_endpoint *next; /* manager->discovery_endpoints */
	struct manager *manager;
	struct discovery *discovery; /* NULL: it has another way, or nobody waits for it */
	struct transport *transport;
	uint32_t host; /* or KERNEL_HOST_ANY */
	sd_event_source *start;
	struct endpoint_connect *connect;
	struct endpoint *endpoint;
	uint32_t sid;
	bool in_kernel;
	bool pending; /* a request is under way */
	bool lost;    /* meanwhile */
	bool ending, removed;
	struct login_result result;
};

/* The end */

static void forget(struct discovery_endpoint *e)
{
	struct discovery_endpoint **p = &e->manager->discovery_endpoints;

	while (*p != e)
		p = &(*p)->next;
	*p = e->next;
	e->start = sd_event_source_disable_unref(e->start);
	e->connect = endpoint_connect_free(e->connect);
	e->endpoint = endpoint_forget(e->endpoint);
	free(e);
}

static void gone(struct discovery_endpoint *e)
{
	struct discovery *discovery = e->discovery;

	forget(e);
	if (discovery)
		discovery_endpoint_gone(discovery);
}

static bool is_there(const struct discovery_endpoint *e)
{
	enum sysfs_connection_state connection;
	enum sysfs_session_state state;

	return sysfs_session_read_state(&e->manager->sysfs, e->sid, &state, &connection) >= 0;
}

static void remove_session(struct discovery_endpoint *e);

static int remove_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct discovery_endpoint *e = userdata;

	e->start = sd_event_source_disable_unref(e->start);
	remove_session(e);
	return 0;
}

static void removed(void *userdata, const struct kernel_result *result)
{
	struct discovery_endpoint *e = userdata;

	e->pending = false;
	e->removed = true;
	if (e->manager->state == MANAGER_STOPPING)
		return;
	/* It ends a moment later; what is refused will not end at all. */
	if (!e->in_kernel || result->error < 0 || !is_there(e))
		gone(e);
}

static void remove_session(struct discovery_endpoint *e)
{
	struct manager *manager = e->manager;
	struct kernel_batch *batch;

	if (manager->state == MANAGER_STOPPING)
		return;
	/* Before the connection is stopped. */
	if (e->in_kernel || !endpoint_is_bound(e->endpoint))
		e->endpoint = endpoint_free(e->endpoint);
	if (!e->in_kernel) {
		gone(e);
		return;
	}
	batch = kernel_batch_new(manager->kernel, e->transport->handle, e->sid);
	kernel_batch_stop(batch, KERNEL_STOP_TERMINATE);
	kernel_batch_destroy_connection(batch);
	kernel_batch_destroy_session(batch);
	e->pending = kernel_batch_submit(batch, removed, e) >= 0;
	if (!e->pending && sd_event_add_time_relative(manager->event, &e->start, CLOCK_MONOTONIC,
						      REMOVE_AGAIN_USEC, 0, remove_again, e) < 0)
		gone(e);
}

void discovery_end_endpoint(struct discovery_endpoint *e)
{
	e->start = sd_event_source_disable_unref(e->start);
	e->connect = endpoint_connect_free(e->connect);
	e->ending = true;
	if (!e->pending)
		remove_session(e);
}

void discovery_part_endpoint(struct discovery *discovery)
{
	struct discovery_endpoint *e = discovery->endpoint;

	if (!e)
		return;
	discovery->endpoint = NULL;
	e->discovery = NULL;
	if (!e->ending)
		discovery_end_endpoint(e);
}

/* A request is done; NULL: nobody waits for what it was for. */
static struct discovery *returned(struct discovery_endpoint *e)
{
	e->pending = false;
	if (!e->ending)
		return e->manager->state == MANAGER_STOPPING ? NULL : e->discovery;
	remove_session(e);
	return NULL;
}

/* Failures */

static void fail_with(struct discovery *discovery, struct event *event, int error,
		      enum event_number number, const char *text)
{
	event_set_outcome(event, EVENT_OUTCOME_FAILED);
	discovery_raise(discovery, event);
	discovery_fail(discovery, error, number, text);
}

static void setup_failed(struct discovery *discovery, int error, const char *text)
{
	struct event *event = event_new(EVENT_PORTAL_SETUP_FAILED);

	event_set_status(event, (uint64_t)-error, text);
	fail_with(discovery, event, error, EVENT_PORTAL_SETUP_FAILED, text);
}

static void lack(struct discovery *discovery, int error)
{
	struct event *event = event_new(EVENT_CONNECTION_RESOURCES);

	event_set_errno(event, error);
	fail_with(discovery, event, error, EVENT_CONNECTION_RESOURCES, strerror(-error));
}

/* The kernel refused something, or lost the connection meanwhile. */
static bool is_refused(struct discovery_endpoint *e, const struct kernel_result *result)
{
	struct discovery *discovery = e->discovery;
	char text[REFUSAL_TEXT_MAX];
	struct event *event;

	if (result->error < 0) {
		if (result->operation == KERNEL_CREATE_SESSION)
			e->transport->loaded = false;
		event = refusal_event(result, text);
		fail_with(discovery, event, result->error, refusal_number(result), text);
		return true;
	}
	if (e->lost)
		fail_with(discovery, event_new(EVENT_DROPPED_BEFORE_FULL_FEATURE), -ECONNRESET,
			  EVENT_DROPPED_BEFORE_FULL_FEATURE, NULL);
	return e->lost;
}

/* The session */

static void bound(void *userdata, const struct kernel_result *result)
{
	struct discovery_endpoint *e = userdata;
	struct discovery *discovery;

	e->in_kernel = result->created;
	e->sid = result->sid;
	if (e->in_kernel)
		e->host = result->host;
	if (e->endpoint && result->error >= 0)
		endpoint_set_bound(e->endpoint);
	discovery = returned(e);
	if (discovery && !is_refused(e, result))
		discovery_login_through_kernel(discovery, e->transport, e->sid);
}

static void make_session(struct discovery_endpoint *e)
{
	struct kernel_batch *batch =
		kernel_batch_new(e->manager->kernel, e->transport->handle, KERNEL_SESSION_NEW);
	int r;

	kernel_batch_create_bound_session(batch, endpoint_get_handle(e->endpoint), DISCOVERY_CMDSN,
					  COMMANDS_MAX, QUEUE_DEPTH);
	kernel_batch_create_connection(batch);
	kernel_batch_barrier(batch);
	kernel_batch_bind(batch, endpoint_get_handle(e->endpoint));
	kernel_batch_barrier(batch);
	/* First of all, so that whoever finds it knows what it is. */
	kernel_batch_set_string(batch, KERNEL_PARAM_INTERFACE_NAME, SESSION_LABEL_DISCOVERY);
	kernel_batch_set_number(batch, KERNEL_PARAM_DISCOVERY_SESSION, 1);
	kernel_batch_set_string(batch, KERNEL_PARAM_PERSISTENT_ADDRESS, e->discovery->address);
	kernel_batch_set_number(batch, KERNEL_PARAM_PERSISTENT_PORT, e->discovery->port);
	kernel_batch_set_string(batch, KERNEL_PARAM_INITIATOR_NAME,
				discovery_initiator_name(e->discovery));
	r = kernel_batch_submit(batch, bound, e);
	e->pending = r >= 0;
	if (r < 0)
		lack(e->discovery, r);
}

static void started(void *userdata, const struct kernel_result *result)
{
	struct discovery_endpoint *e = userdata;
	struct discovery *discovery = returned(e);

	if (discovery && !is_refused(e, result))
		discovery_start_exchange(discovery, &e->result);
}

/* Adapters carry no Text Request before that. */
void discovery_start_endpoint(struct discovery *discovery, const struct login_result *result)
{
	struct discovery_endpoint *e = discovery->endpoint;
	struct kernel_batch *batch =
		kernel_batch_new(e->manager->kernel, e->transport->handle, e->sid);
	int r;

	e->result = *result;
	/* What the target says by itself until then is heard by the exchange. */
	channel_hold(discovery->channel, true);
	session_add_negotiated(batch, e->transport, result);
	kernel_batch_barrier(batch);
	kernel_batch_start(batch);
	r = kernel_batch_submit(batch, started, e);
	e->pending = r >= 0;
	if (r < 0)
		lack(discovery, r);
}

/* Connecting */

static void endpoint_raise(void *userdata, struct event *event)
{
	struct discovery_endpoint *e = userdata;

	discovery_raise(e->discovery, event);
}

static void endpoint_resolved(void *userdata)
{
	struct discovery_endpoint *e = userdata;

	(void)discovery_enter_phase(e->discovery, DISCOVERY_CONNECTING);
}

static void endpoint_connected(void *userdata, struct endpoint *endpoint, const char *address)
{
	struct discovery_endpoint *e = userdata;

	e->connect = endpoint_connect_free(e->connect);
	e->endpoint = endpoint;
	make_session(e);
}

static void endpoint_failed(void *userdata, int error, enum event_number event, const char *text)
{
	struct discovery_endpoint *e = userdata;

	discovery_connect_failed(e->discovery, error, event, text);
}

static const struct endpoint_callbacks endpoint_callbacks = {
	.raise = endpoint_raise,
	.resolved = endpoint_resolved,
	.connected = endpoint_connected,
	.failed = endpoint_failed,
};

static void begin_connect(struct discovery_endpoint *e)
{
	const struct discovery *discovery = e->discovery;
	struct endpoint_config config = {
		.transport = e->transport,
		.address = discovery->address,
		.port = discovery->port,
		.resolve_timeout_seconds = discovery->resolve_timeout_seconds,
		.connect_timeout_seconds = discovery->connect_timeout_seconds,
		.deadline_usec = discovery->deadline_usec,
	};
	int r;

	r = endpoint_choose_host(e->manager, e->transport, discovery->adapter, &e->host);
	if (r < 0) {
		setup_failed(e->discovery, r, endpoint_host_fault(r));
		return;
	}
	config.host = e->host;
	r = endpoint_connect_new(e->manager, &config, &endpoint_callbacks, e, &e->connect);
	if (r < 0)
		lack(e->discovery, r);
}

static void transport_ready(void *userdata, int error)
{
	struct discovery_endpoint *e = userdata;
	struct discovery *discovery = returned(e);

	if (!discovery)
		return;
	if (error < 0 || !e->manager->kernel)
		discovery_fail(discovery, error < 0 ? error : -EPROTONOSUPPORT,
			       EVENT_TRANSPORT_UNAVAILABLE,
			       "the kernel's iSCSI transport is not available");
	else if (!(e->transport->capabilities & TRANSPORT_CAPABILITY_TEXT))
		setup_failed(discovery, -EOPNOTSUPP,
			     "the driver of the adapter carries no discovery sessions");
	else
		begin_connect(e);
}

static int begin(sd_event_source *source, void *userdata)
{
	struct discovery_endpoint *e = userdata;
	int r;

	e->start = sd_event_source_disable_unref(e->start);
	r = transport_prepare(e->manager, e->transport, transport_ready, e);
	e->pending = r == 0;
	if (r < 0)
		lack(e->discovery, r);
	else if (r > 0)
		transport_ready(e, 0);
	return 0;
}

int discovery_connect_endpoint(struct discovery *discovery)
{
	struct manager *manager = discovery->manager;
	struct discovery_endpoint *e = malloc(sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	*e = (struct discovery_endpoint){
		.next = manager->discovery_endpoints,
		.manager = manager,
		.transport = discovery->transport,
		.host = KERNEL_HOST_ANY,
	};
	manager->discovery_endpoints = e;
	r = sd_event_add_defer(manager->event, &e->start, begin, e);
	if (r < 0) {
		forget(e);
		return r;
	}
	e->discovery = discovery;
	discovery->endpoint = e;
	return 0;
}

void discovery_describe_endpoint(const struct discovery_endpoint *e, struct event *event)
{
	if (e->in_kernel)
		event_set_number(event, FIELD_SESSION, e->sid);
	if (e->host != KERNEL_HOST_ANY)
		event_set_number(event, FIELD_HOST, e->host);
}

/* What the kernel tells */

static struct discovery_endpoint *find(const struct manager *manager, uint32_t sid)
{
	struct discovery_endpoint *e = manager->discovery_endpoints;

	while (e && !(e->in_kernel && e->sid == sid))
		e = e->next;
	return e;
}

bool discovery_kernel_pdu(struct manager *manager, uint32_t sid, const uint8_t header[48],
			  const void *data, size_t length)
{
	const struct discovery_endpoint *e = find(manager, sid);

	if (e && e->discovery && e->discovery->channel)
		channel_deliver(e->discovery->channel, header, data, length);
	return e;
}

static void lose(struct discovery_endpoint *e)
{
	e->lost = true;
	if (!e->ending && !e->pending && e->discovery)
		discovery_lost(e->discovery);
}

bool discovery_kernel_failed(struct manager *manager, uint32_t sid)
{
	struct discovery_endpoint *e = find(manager, sid);

	if (e)
		lose(e);
	return e;
}

bool discovery_kernel_destroyed(struct manager *manager, uint32_t sid)
{
	struct discovery_endpoint *e = find(manager, sid);

	if (!e)
		return false;
	e->in_kernel = false;
	if (e->removed)
		gone(e);
	else
		lose(e);
	return true;
}

void discovery_look(struct manager *manager)
{
	struct discovery_endpoint *next;

	for (struct discovery_endpoint *e = manager->discovery_endpoints; e; e = next) {
		enum sysfs_connection_state connection;
		enum sysfs_session_state state;
		int r;

		next = e->next;
		if (!e->in_kernel)
			continue;
		r = sysfs_session_read_state(&manager->sysfs, e->sid, &state, &connection);
		if (r == -ENOENT)
			(void)discovery_kernel_destroyed(manager, e->sid);
		else if (r >= 0 && connection == SYSFS_CONNECTION_FAILED)
			lose(e);
	}
}

void discovery_forget_endpoints(struct manager *manager)
{
	while (manager->discovery_endpoints)
		forget(manager->discovery_endpoints);
}
