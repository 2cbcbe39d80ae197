/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From the wish to log in to the end of the Login Phase: connects, runs the login machine. A first
 * login runs on our own socket, which the kernel then takes; a later one goes through the kernel,
 * because only the kernel knows the session's CmdSN, and so does any of a transport that makes its
 * connections itself.
 */
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "authentication.h"
#include "endpoint.h"
#include "interface.h"
#include "session_private.h"

/* Connect */

/* A portal that is silent for so long keeps no other login waiting any longer. */
#define CONNECT_PATIENCE_USEC (1 * SECOND_USEC)

static int connect_is_slow(sd_event_source *source, uint64_t usec, void *userdata)
{
	manager_release(userdata);
	return 0;
}

void session_connect_raise(void *userdata, struct event *event)
{
	struct session *session = userdata;
	struct session_private *p = session->private;

	p->goes_on = p->at_known;
	session_raise(session, event);
	p->goes_on = false;
}

void session_connect_resolved(void *userdata)
{
	session_set_phase(userdata, SESSION_CONNECTING, NULL);
}

void session_connected_to(struct session *session, const char *address)
{
	session_arm_timer(session, 0, NULL);
	if (!address_is_numeric(session_address(session)))
		session_know_address(session, session_address(session), address);
	if (session->private->admitted) {
		session_post(session, CONNECTION_EVENT_CONNECTED);
		return;
	}
	/* It was silent for so long that others had its turn. All may wake up at once. */
	session->private->connected = true;
	manager_admit(session);
}

static void begin_connect(struct session *session);

void session_connect_failed(struct session *session, int error, enum event_number event,
			    const char *text)
{
	struct session_private *p = session->private;
	char message[PORTAL_TEXT_MAX + 128], portal[PORTAL_TEXT_MAX];

	session_arm_timer(session, 0, NULL);
	if (p->at_known) {
		p->at_known = p->went_to_known = false;
		begin_connect(session);
		return;
	}
	portal_format(session_address(session), session_port(session), portal);
	(void)snprintf(message, sizeof(message), "cannot connect to %s: %s", portal, text);
	session_fail(session, error, event, message);
	session_post(session, CONNECTION_EVENT_CONNECT_FAILED);
}

static void connect_connected(void *userdata, const struct portal_connected *connected)
{
	struct session *session = userdata;
	struct session_private *p = session->private;

	p->connect = portal_connect_free(p->connect);
	p->fd = connected->fd;
	(void)snprintf(session->local_address, sizeof(session->local_address), "%s",
		       connected->local_address);
	session->local_port = connected->local_port;
	session_connected_to(session, connected->address);
}

static void connect_failed(void *userdata, int error, enum event_number event)
{
	struct session *session = userdata;

	session->private->connect = portal_connect_free(session->private->connect);
	session_connect_failed(session, error, event, portal_failure_text(error, event));
}

static const struct portal_callbacks connect_callbacks = {
	.raise = session_connect_raise,
	.resolved = session_connect_resolved,
	.connected = connect_connected,
	.failed = connect_failed,
};

static void connect_socket(struct session *session)
{
	struct session_private *p = session->private;
	struct portal_config config = {
		.address = p->at_known ? p->known_address : session_address(session),
		.port = session_port(session),
		.source_address = settings_text(session->settings, SETTING_TCP_SOURCE_ADDRESS),
		.net_device = settings_text(session->settings, SETTING_TCP_NET_DEVICE),
		.window_size = (int)session_setting(session, SETTING_TCP_WINDOW_SIZE),
		.type_of_service = (int)session_setting(session, SETTING_TCP_TYPE_OF_SERVICE),
		.resolve_timeout_seconds =
			(unsigned)session_setting(session, SETTING_RESOLVE_TIMEOUT_SECONDS),
		.connect_timeout_seconds =
			(unsigned)session_setting(session, SETTING_CONNECT_TIMEOUT_SECONDS),
		.deadline_usec = p->deadline_usec,
	};
	int r;

	r = portal_connect_new(session->manager->poller, session->manager->resolver, &config,
			       &connect_callbacks, session, &p->connect);
	if (r < 0) {
		session_lack(session, r, EVENT_REQUEST_RESOURCES);
		session_post(session, CONNECTION_EVENT_CONNECT_FAILED);
	}
}

/* It may be put right meanwhile. */
void session_setup_failed(struct session *session, int error, const char *text)
{
	struct event *event = event_new(EVENT_PORTAL_SETUP_FAILED);
	struct session_private *p = session->private;

	event_set_status(event, (uint64_t)-error, text);
	event_set_outcome(event, EVENT_OUTCOME_FAILED);
	session_raise(session, event);
	/* The same for all addresses. */
	p->at_known = p->went_to_known = false;
	session_connect_failed(session, error, EVENT_PORTAL_SETUP_FAILED, text);
}

/* Its line in the records may be damaged. */
static bool has_interface(const struct session *session)
{
	const char *name = settings_text(session->settings, SETTING_INTERFACE);

	return !name || interface_exists(session->manager->records, name);
}

static void begin_connect(struct session *session)
{
	session_set_phase(session, SESSION_RESOLVING, NULL);
	(void)session_arm_timer(session, CONNECT_PATIENCE_USEC, connect_is_slow);
	if (!has_interface(session))
		session_setup_failed(session, -ENOENT,
				     "the interface that the node names does not exist");
	else if (session->transport->kind == TRANSPORT_SOCKET)
		connect_socket(session);
	else
		session_connect_endpoint(session);
}

void session_know_address(struct session *session, const char *name, const char *address)
{
	struct session_private *p = session->private;

	(void)snprintf(p->known_name, sizeof(p->known_name), "%s", name);
	(void)snprintf(p->known_address, sizeof(p->known_address), "%s", address);
}

/*
 * T1. The way to the name service may be the one that was lost. But where the login failed last
 * time somebody else may be by now, and the name is asked for again. At the portal remembered,
 * which has its turn between, nothing is learnt of that.
 */
void session_action_connect(struct session *session)
{
	struct session_private *p = session->private;
	bool knows = session->in_kernel && p->known_address[0] &&
		     strcmp(p->known_name, session_address(session)) == 0;

	p->at_known = knows && !p->went_to_known;
	if (knows)
		p->went_to_known = p->at_known;
	begin_connect(session);
}

/* Login Phase */

static void driver_stage(void *userdata, enum login_stage stage)
{
	if (stage == LOGIN_STAGE_SECURITY)
		session_set_phase(userdata, SESSION_SECURITY_NEGOTIATION, NULL);
	else if (stage == LOGIN_STAGE_OPERATIONAL)
		session_set_phase(userdata, SESSION_OPERATIONAL_NEGOTIATION, NULL);
}

/* What will not change by itself is not tried again. */
static bool is_hopeless(const struct session *session, const struct login_step *final)
{
	return !final->failed.retry && !(final->failed.patience && session->private->persistent);
}

static void login_refused(struct session *session, const struct login_step *step)
{
	session->private->hopeless = is_hopeless(session, step);
	session_fail(session, step->failed.error, step->failed.event, NULL);
	session->failure.status_class = step->failed.status_class;
	session->failure.status_detail = step->failed.status_detail;
}

/* What the target can cope with is known from now on. */
static void remember_md5(struct session *session, bool alone)
{
	struct records *records = session->manager->records;
	struct node *node = session_node(session);

	session->private->md5_known = alone;
	if (!node)
		return;
	records_set_md5_only(records, node, alone);
	/* What is not kept the target is asked again after a restart. */
	(void)records_commit(records, NULL, NULL);
}

/*
 * A target that cannot cope with a list of algorithms is offered MD5 alone at once, in the same
 * attempt. One that was known to be such and refuses MD5 alone has changed: it gets the whole list.
 */
static bool another_offer_helps(const struct session *session, const struct login_step *final)
{
	const struct session_private *p = session->private;
	bool closed = final->failed.event == EVENT_DROPPED_BEFORE_FULL_FEATURE;

	return final->failed.algorithms_refused && !p->offer_changed && !(p->md5_alone && closed) &&
	       authentication_may_fall_back(session->settings);
}

static void change_offer(struct session *session, const struct login_step *final)
{
	struct session_private *p = session->private;

	if (p->md5_alone)
		remember_md5(session, false);
	p->md5_alone = !p->md5_alone;
	p->offer_changed = true;
	/* To where this one was made. */
	p->went_to_known = false;
	p->offer_refused = final->failed.event != EVENT_DROPPED_BEFORE_FULL_FEATURE;
}

static void driver_raise(void *userdata, struct event *event)
{
	struct session *session = userdata;
	struct session_private *p = session->private;
	struct login_step final;

	if (login_driver_final(p->driver, &final) && final.type == LOGIN_STEP_FAILED) {
		p->goes_on = another_offer_helps(session, &final);
		p->hopeless = !p->goes_on && is_hopeless(session, &final);
	}
	session_raise(session, event);
	p->goes_on = false;
}

static void driver_finished(void *userdata, const struct login_step *step)
{
	struct session *session = userdata;
	struct session_private *p = session->private;
	struct login_step final = *step;

	if (final.type == LOGIN_STEP_DONE) {
		session->result = *final.result;
		session->result_known = true;
	}
	p->driver = login_driver_free(p->driver);
	/* The socket goes to the kernel as it is; all other channels end here. */
	if (final.type == LOGIN_STEP_DONE && !session->in_kernel)
		p->fd = channel_take_fd(p->channel);
	p->channel = channel_free(p->channel);

	if (final.type == LOGIN_STEP_DONE && p->md5_alone && p->offer_refused)
		remember_md5(session, true);
	if (final.type == LOGIN_STEP_DONE) {
		session_settled(session);
		session_post(session, CONNECTION_EVENT_LOGIN_SUCCEEDED);
	} else if (final.type == LOGIN_STEP_REDIRECT) {
		session_redirected(session, &final.redirect);
	} else if (another_offer_helps(session, &final)) {
		change_offer(session, &final);
		session_post(session, CONNECTION_EVENT_OFFER_REFUSED);
	} else {
		login_refused(session, &final);
		session_post(session, CONNECTION_EVENT_LOGIN_FAILED);
	}
}

static const struct login_driver_callbacks driver_callbacks = {
	.raise = driver_raise,
	.stage = driver_stage,
	.finished = driver_finished,
};

static void channel_received(void *userdata, const uint8_t header[48], const void *data,
			     size_t length)
{
	struct session *session = userdata;

	login_driver_received(session->private->driver, header, data, length);
}

static void channel_failed(void *userdata, int error, bool sending)
{
	struct session *session = userdata;

	login_driver_channel_failed(session->private->driver, error, sending);
}

static const struct channel_callbacks channel_callbacks = {
	.received = channel_received,
	.failed = channel_failed,
};

static void offer_digests(const struct session *session, enum setting which, bool required,
			  struct iscsi_digest_list *ret)
{
	int values[8];
	size_t n = settings_list(session->settings, which, values);

	ret->n = 0;
	for (size_t i = 0; i < n && ret->n < ELEMENTSOF(ret->digest); i++) {
		if (required && values[i] == SETTING_DIGEST_NONE)
			continue;
		ret->digest[ret->n++] = values[i] == SETTING_DIGEST_CRC32C ? ISCSI_DIGEST_CRC32C
									   : ISCSI_DIGEST_NONE;
	}
}

void session_fill_offer(const struct session *session, struct login_config *config)
{
	struct iscsi_offer *offer = &config->offer;

	iscsi_offer_init(offer);
	config->strict = session_setting(session, SETTING_STRICT);
	config->header_digest_required = session_setting(session, SETTING_HEADER_DIGEST_REQUIRED);
	config->data_digest_required = session_setting(session, SETTING_DATA_DIGEST_REQUIRED);
	offer_digests(session, SETTING_KEYS_HEADER_DIGEST, config->header_digest_required,
		      &offer->header_digest);
	offer_digests(session, SETTING_KEYS_DATA_DIGEST, config->data_digest_required,
		      &offer->data_digest);
	offer->max_connections = 1;
	offer->error_recovery_level = 0;
	offer->data_pdu_in_order = true;
	offer->data_sequence_in_order = true;
	offer->initial_r2t = session_setting(session, SETTING_KEYS_INITIAL_R2T);
	offer->immediate_data = session_setting(session, SETTING_KEYS_IMMEDIATE_DATA);
	offer->max_recv_data_segment_length =
		(uint32_t)session_setting(session, SETTING_KEYS_MAX_RECV_DATA_SEGMENT_LENGTH);
	offer->max_burst_length = (uint32_t)session_setting(session, SETTING_KEYS_MAX_BURST_LENGTH);
	offer->first_burst_length =
		(uint32_t)session_setting(session, SETTING_KEYS_FIRST_BURST_LENGTH);
	offer->default_time2wait =
		(uint32_t)session_setting(session, SETTING_KEYS_DEFAULT_TIME2WAIT);
	offer->default_time2retain =
		(uint32_t)session_setting(session, SETTING_KEYS_DEFAULT_TIME2RETAIN);
	offer->max_outstanding_r2t =
		(uint32_t)session_setting(session, SETTING_KEYS_MAX_OUTSTANDING_R2T);
	transport_limit_offer(session->transport, offer);
}

/* An algorithm that is easier to break is never offered alone in silence. */
static void report_md5(struct session *session)
{
	const struct session_private *p = session->private;

	session_raise(session, authentication_fallback_event(p->offer_changed, p->offer_refused));
}

/* Of link-local addresses in what the target says: that of our way to it. */
static const char *link_scope(const struct session *session)
{
	const char *scope = address_scope(session_address(session))
				    ?: settings_text(session->settings, SETTING_TCP_NET_DEVICE);
	const char *source = settings_text(session->settings, SETTING_TCP_SOURCE_ADDRESS);

	return scope || !source ? scope : address_scope(source);
}

static int driver_new(struct session *session)
{
	struct session_private *p = session->private;
	const struct config *ours = session->manager->config;
	struct login_config config = {
		.initiator_name = session_initiator_name(session),
		.initiator_alias = ours->initiator_alias,
		.target_name = session->target_name,
		.cmdsn = SESSION_INITIAL_CMDSN,
		.itt = 1,
		.reconnect = p->created_event,
		.portal_group_tag = session->redirect.address[0] ? -1 : session->portal_group_tag,
		.portal_address = session_address(session),
		.portal_scope = link_scope(session),
		.redirects = p->redirects,
	};
	const struct login_driver_times times = {
		.request_seconds =
			(unsigned)session_setting(session, SETTING_LOGIN_TIMEOUT_SECONDS),
		.deadline_usec = p->deadline_usec,
	};
	int r;

	memcpy(config.isid, session->isid, sizeof(config.isid));
	session_fill_offer(session, &config);
	r = authentication_configure(session->settings, p->secret, p->target_secret, p->md5_alone,
				     &config);
	if (r < 0)
		return r;
	if (p->md5_alone)
		report_md5(session);
	return login_driver_new(session->manager->event, p->channel, &config, &times,
				&driver_callbacks, session, &p->driver);
}

static void begin_login(struct session *session, int channel_error)
{
	int r = channel_error;

	if (r >= 0)
		r = driver_new(session);
	if (r < 0) {
		session_lack(session, r, EVENT_REQUEST_RESOURCES);
		session_post(session, CONNECTION_EVENT_LOGIN_FAILED);
	} else {
		login_driver_start(session->private->driver);
	}
}

static void bound(void *userdata, const struct kernel_result *result)
{
	struct session *session = userdata;
	struct session_private *p = session->private;

	session_take_number(session, result);
	if (p->endpoint && result->error >= 0)
		endpoint_set_bound(p->endpoint);
	if (!session_batch_returned(session))
		return;
	p->fd = close_fd(p->fd);
	/* The connection was lost meanwhile, and that is being taken care of. */
	if (session->connection != CONNECTION_STATE_IN_LOGIN)
		return;
	if (result->error < 0) {
		session_refused(session, result);
		session_post(session, CONNECTION_EVENT_LOGIN_FAILED);
		return;
	}
	if (session_logs_in_itself(session)) {
		session_adapter_login(session);
		return;
	}
	p->bound = session->transport->kind == TRANSPORT_SOCKET;
	begin_login(session, channel_new_kernel(session->manager->poller, session->manager->kernel,
						session->transport->handle, session->sid,
						&channel_callbacks, session, &p->channel));
}

static struct kernel_batch *bind_again(struct session *session)
{
	struct kernel_batch *batch = session_batch(session);

	if (!batch)
		return NULL;
	kernel_batch_stop(batch, KERNEL_STOP_RECOVER);
	kernel_batch_barrier(batch);
	session_add_binding(session, batch);
	return batch;
}

static void login_through_kernel(struct session *session)
{
	int r;

	r = session_submit(session,
			   session->in_kernel ? bind_again(session) : session_new_bound(session),
			   bound);
	if (r < 0) {
		session_lack(session, r, EVENT_CONNECTION_RESOURCES);
		session_post(session, CONNECTION_EVENT_LOGIN_FAILED);
	}
}

/* T4 */
void session_action_login(struct session *session)
{
	struct session_private *p = session->private;
	int r;

	if (session->in_kernel || p->endpoint) {
		login_through_kernel(session);
		return;
	}
	r = channel_new_socket(session->manager->poller, p->fd, &channel_callbacks, session,
			       &p->channel);
	if (r >= 0)
		(void)TAKE_FD(p->fd);
	begin_login(session, r);
}

/* T7 with a redirection, or with a changed offer: the same attempt goes on. */
void session_action_reconnect(struct session *session)
{
	session->private->endpoint = endpoint_free(session->private->endpoint);
	session_post(session, CONNECTION_EVENT_CONNECT);
}
