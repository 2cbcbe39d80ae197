/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Connections that the kernel or an adapter makes. The counterpart of the socket of a first login:
 * there the kernel gets a connection that is logged in, here it has the connection, and a session
 * for it, before the first Login Request, which goes through it. What the kernel has of an attempt
 * that failed leaves it again, unless the session has worked before.
 */
#include <stdio.h>
#include <string.h>

#include "endpoint.h"
#include "session_private.h"

/* The port that connects */

/* A session of an adapter stays with its port. Errors: -ENODEV, -ENOTUNIQ. */
static int choose_host(const struct session *session, uint32_t *ret)
{
	const struct transport *transport = session->transport;

	if (session->in_kernel && transport->quirks & TRANSPORT_ADAPTERS) {
		*ret = session->host;
		return 0;
	}
	return endpoint_choose_host(session->manager, transport,
				    settings_text(session->settings, SETTING_ADAPTER), ret);
}

/* What the node insists on and the transport cannot do; NULL: nothing. */
static const char *digest_fault(const struct session *session)
{
	if (session_setting(session, SETTING_HEADER_DIGEST_REQUIRED) &&
	    !transport_has_digests(session->transport, TRANSPORT_CAPABILITY_HEADER_DIGEST))
		return "headerDigestRequired is set, and the transport has no digests";
	if (session_setting(session, SETTING_DATA_DIGEST_REQUIRED) &&
	    !transport_has_digests(session->transport, TRANSPORT_CAPABILITY_DATA_DIGEST))
		return "dataDigestRequired is set, and the transport has no digests";
	return NULL;
}

static bool is_set_up(struct session *session)
{
	const char *fault = digest_fault(session);
	int r;

	if (session_logs_in_itself(session))
		fault = session_adapter_fault(session);
	if (fault) {
		session->private->hopeless = true;
		session_setup_failed(session, -EOPNOTSUPP, fault);
		return false;
	}
	r = choose_host(session, &session->private->adapter);
	if (r < 0) {
		session_setup_failed(session, r, endpoint_host_fault(r));
		return false;
	}
	return true;
}

/* Connecting */

static void endpoint_connected(void *userdata, struct endpoint *endpoint, const char *address)
{
	struct session *session = userdata;
	struct session_private *p = session->private;

	p->endpoint_connect = endpoint_connect_free(p->endpoint_connect);
	p->endpoint = endpoint;
	session_connected_to(session, address);
}

static void endpoint_failed(void *userdata, int error, enum event_number event, const char *text)
{
	struct session *session = userdata;

	session->private->endpoint_connect =
		endpoint_connect_free(session->private->endpoint_connect);
	session_connect_failed(session, error, event, text);
}

static const struct endpoint_callbacks endpoint_callbacks = {
	.raise = session_connect_raise,
	.resolved = session_connect_resolved,
	.connected = endpoint_connected,
	.failed = endpoint_failed,
};

static void begin_endpoint(struct session *session)
{
	struct session_private *p = session->private;
	struct endpoint_config config = {
		.transport = session->transport,
		.host = p->adapter,
		.interface = settings_text(session->settings, SETTING_INTERFACE),
		.address = p->at_known ? p->known_address : session_address(session),
		.port = session_port(session),
		.resolve_timeout_seconds =
			(unsigned)session_setting(session, SETTING_RESOLVE_TIMEOUT_SECONDS),
		.connect_timeout_seconds =
			(unsigned)session_setting(session, SETTING_CONNECT_TIMEOUT_SECONDS),
		.deadline_usec = p->deadline_usec,
	};
	int r;

	r = endpoint_connect_new(session->manager, &config, &endpoint_callbacks, session,
				 &p->endpoint_connect);
	if (r < 0) {
		session_lack(session, r, EVENT_REQUEST_RESOURCES);
		session_post(session, CONNECTION_EVENT_CONNECT_FAILED);
	}
}

static void transport_ready(void *userdata, int error)
{
	struct session *session = userdata;

	if (!session_batch_returned(session) || session->connection != CONNECTION_STATE_XPT_WAIT)
		return;
	if (error < 0 || !session->manager->kernel) {
		session_fail(session, error < 0 ? error : -EPROTONOSUPPORT,
			     EVENT_TRANSPORT_UNAVAILABLE,
			     "the kernel's iSCSI transport is not available");
		session_post(session, CONNECTION_EVENT_CONNECT_FAILED);
		return;
	}
	if (is_set_up(session))
		begin_endpoint(session);
}

void session_connect_endpoint(struct session *session)
{
	int r = transport_prepare(session->manager, session->transport, transport_ready, session);

	if (r < 0) {
		session_lack(session, r, EVENT_REQUEST_RESOURCES);
		session_post(session, CONNECTION_EVENT_CONNECT_FAILED);
		return;
	}
	session->private->pending++;
	if (r > 0)
		transport_ready(session, 0);
}

/* Binding */

void session_add_binding(struct session *session, struct kernel_batch *batch)
{
	const struct session_private *p = session->private;

	kernel_batch_bind(batch, p->endpoint ? endpoint_get_handle(p->endpoint) : (uint64_t)p->fd);
}

struct kernel_batch *session_new_bound(struct session *session)
{
	struct kernel_batch *batch = session_batch(session);

	if (!batch)
		return NULL;
	kernel_batch_create_bound_session(batch, endpoint_get_handle(session->private->endpoint),
					  SESSION_INITIAL_CMDSN,
					  (uint16_t)session_setting(session, SETTING_COMMANDS_MAX),
					  (uint16_t)session_setting(session, SETTING_QUEUE_DEPTH));
	kernel_batch_create_connection(batch);
	kernel_batch_barrier(batch);
	session_add_binding(session, batch);
	kernel_batch_barrier(batch);
	/* Who finds it knows what it is of, and that it has not worked yet. */
	session_add_identity(session, batch);
	return batch;
}
