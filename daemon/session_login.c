/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Login and recovery of a session: connect, Login Phase, hand-over to the kernel, proof that it works, scan. A
 * first login runs on our own socket, which the kernel then takes; a later one goes through the kernel, because
 * only the kernel knows the session's CmdSN.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "session_private.h"
#include "trace.h"

#define SECOND_USEC UINT64_C(1000000)
/* Wait before the second attempt; doubled for each further one up to the most. */
#define BACKOFF_FIRST_USEC (1 * SECOND_USEC)
#define BACKOFF_MOST_USEC  (30 * SECOND_USEC)
/* How long the kernel may take to make disks of what the scan found. */
#define DEVICES_TIMEOUT_USEC (30 * SECOND_USEC)

static int64_t setting(const struct session *session, enum setting which)
{
	return settings_number(session->settings, which);
}

static uint64_t setting_usec(const struct session *session, enum setting which)
{
	return (uint64_t)setting(session, which) * SECOND_USEC;
}

/* Connect */

static void connect_raise(void *userdata, struct event *event)
{
	session_raise(userdata, event);
}

static void connect_resolved(void *userdata)
{
	session_set_phase(userdata, SESSION_CONNECTING, NULL);
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
	session_post(session, CONNECTION_EVENT_CONNECTED);
}

static void connect_failed(void *userdata, int error, enum event_number event)
{
	struct session *session = userdata;
	char message[PORTAL_TEXT_MAX + 128], portal[PORTAL_TEXT_MAX];

	session->private->connect = portal_connect_free(session->private->connect);
	portal_format(session->current_address ? session->current_address : session->address,
		      session->current_address ? session->current_port : session->port, portal);
	(void)snprintf(message, sizeof(message), "cannot connect to %s: %s", portal, strerror(-error));
	session_fail(session, error, event, message);
	session_post(session, CONNECTION_EVENT_CONNECT_FAILED);
}

static const struct portal_callbacks connect_callbacks = {
	.raise = connect_raise,
	.resolved = connect_resolved,
	.connected = connect_connected,
	.failed = connect_failed,
};

/* T1 */
void session_action_connect(struct session *session)
{
	struct session_private *p = session->private;
	struct portal_config config = {
		.address = p->redirected ? p->redirect.address : session->address,
		.port = p->redirected ? p->redirect.port : session->port,
		.source_address = settings_text(session->settings, SETTING_TCP_SOURCE_ADDRESS),
		.net_device = settings_text(session->settings, SETTING_TCP_NET_DEVICE),
		.window_size = (int)setting(session, SETTING_TCP_WINDOW_SIZE),
		.type_of_service = (int)setting(session, SETTING_TCP_TYPE_OF_SERVICE),
		.timeout_seconds = (unsigned)setting(session, SETTING_CONNECT_TIMEOUT_SECONDS),
	};
	int r;

	session_set_phase(session, SESSION_RESOLVING, NULL);
	r = portal_connect_new(session->manager->event, session->manager->resolver, &config,
			       &connect_callbacks, session, &p->connect);
	if (r < 0) {
		struct event *event = event_new(EVENT_REQUEST_RESOURCES);

		event_set_errno(event, r);
		session_raise(session, event);
		session_fail(session, r, EVENT_REQUEST_RESOURCES, NULL);
		session_post(session, CONNECTION_EVENT_CONNECT_FAILED);
	}
}

/* Login Phase */

static void driver_raise(void *userdata, struct event *event)
{
	session_raise(userdata, event);
}

static void driver_stage(void *userdata, enum login_stage stage)
{
	if (stage == LOGIN_STAGE_SECURITY)
		session_set_phase(userdata, SESSION_SECURITY_NEGOTIATION, NULL);
	else if (stage == LOGIN_STAGE_OPERATIONAL)
		session_set_phase(userdata, SESSION_OPERATIONAL_NEGOTIATION, NULL);
}

static void login_refused(struct session *session, const struct login_step *step)
{
	const char *text = NULL;
	bool retry = step->failed.retry;

	if (step->failed.status_class >= 0)
		text = login_status_text((unsigned)step->failed.status_class,
					 (unsigned)step->failed.status_detail);
	if (!text) {
		const struct event_type *type = event_type_get(step->failed.event);

		text = type ? type->cause : NULL;
	}
	session_fail(session, step->failed.error, step->failed.event, text);
	session->failure.status_class = step->failed.status_class;
	session->failure.status_detail = step->failed.status_detail;
	/* What will not change by itself is not tried again, but a lost session is never given up. */
	if (!retry && !session->recovering)
		session->private->retry_max = 0;
}

static void login_redirected(struct session *session, const struct login_redirect *redirect)
{
	struct session_private *p = session->private;
	char portal[PORTAL_TEXT_MAX];
	struct event *event;

	portal_format(redirect->address, redirect->port, portal);
	if (++p->redirects > SESSION_REDIRECTS_MAX) {
		event = event_new(EVENT_REDIRECT_INVALID);
		event_set_string(event, FIELD_DUMP_RETURNED, portal);
		event_set_string(event, FIELD_STATUS_TEXT, "redirected too many times");
		session_raise(session, event);
		session_fail(session, -ELOOP, EVENT_REDIRECT_INVALID, "redirected too many times");
		session_post(session, CONNECTION_EVENT_LOGIN_FAILED);
		return;
	}
	event = event_new(EVENT_LOGIN_REDIRECTED);
	event_set_string(event, FIELD_REDIRECT, portal);
	session_raise(session, event);
	p->redirect = *redirect;
	p->redirected = true;
	session_post(session, CONNECTION_EVENT_REDIRECTED);
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

	if (final.type == LOGIN_STEP_DONE) {
		session_post(session, CONNECTION_EVENT_LOGIN_SUCCEEDED);
	} else if (final.type == LOGIN_STEP_REDIRECT) {
		login_redirected(session, &final.redirect);
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

static void channel_received(void *userdata, const uint8_t header[48], const void *data, size_t length)
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
		ret->digest[ret->n++] = values[i] == SETTING_DIGEST_CRC32C ? ISCSI_DIGEST_CRC32C :
									    ISCSI_DIGEST_NONE;
	}
}

/* What the node's settings ask for, no more than the transport can do. */
static void fill_offer(const struct session *session, struct login_config *config)
{
	struct iscsi_offer *offer = &config->offer;

	iscsi_offer_init(offer);
	config->header_digest_required = setting(session, SETTING_HEADER_DIGEST_REQUIRED);
	config->data_digest_required = setting(session, SETTING_DATA_DIGEST_REQUIRED);
	offer_digests(session, SETTING_KEYS_HEADER_DIGEST, config->header_digest_required,
		      &offer->header_digest);
	offer_digests(session, SETTING_KEYS_DATA_DIGEST, config->data_digest_required,
		      &offer->data_digest);
	offer->max_connections = 1;
	offer->error_recovery_level = 0;
	offer->data_pdu_in_order = true;
	offer->data_sequence_in_order = true;
	offer->initial_r2t = setting(session, SETTING_KEYS_INITIAL_R2T);
	offer->immediate_data = setting(session, SETTING_KEYS_IMMEDIATE_DATA);
	offer->max_recv_data_segment_length =
		(uint32_t)setting(session, SETTING_KEYS_MAX_RECV_DATA_SEGMENT_LENGTH);
	offer->max_burst_length = (uint32_t)setting(session, SETTING_KEYS_MAX_BURST_LENGTH);
	offer->first_burst_length = (uint32_t)setting(session, SETTING_KEYS_FIRST_BURST_LENGTH);
	offer->default_time2wait = (uint32_t)setting(session, SETTING_KEYS_DEFAULT_TIME2WAIT);
	offer->default_time2retain = (uint32_t)setting(session, SETTING_KEYS_DEFAULT_TIME2RETAIN);
	offer->max_outstanding_r2t = (uint32_t)setting(session, SETTING_KEYS_MAX_OUTSTANDING_R2T);
}

static void fill_authentication(const struct session *session, struct login_config *config)
{
	static const enum chap_algorithm algorithms[] = {
		[SETTING_CHAP_MD5] = CHAP_ALGORITHM_MD5,
		[SETTING_CHAP_SHA1] = CHAP_ALGORITHM_SHA1,
		[SETTING_CHAP_SHA256] = CHAP_ALGORITHM_SHA256,
		[SETTING_CHAP_SHA3_256] = CHAP_ALGORITHM_SHA3_256,
	};
	const struct session_private *p = session->private;
	int values[8];
	size_t n;

	if (setting(session, SETTING_AUTHENTICATION_METHOD) != AUTHENTICATION_CHAP)
		return;
	config->authentication = LOGIN_AUTHENTICATION_CHAP;
	n = settings_list(session->settings, SETTING_AUTHENTICATION_ALGORITHMS, values);
	for (size_t i = 0; i < n && i < ELEMENTSOF(config->chap_algorithms); i++)
		config->chap_algorithms[config->n_chap_algorithms++] = algorithms[values[i]];
	config->user_name = p->user_name;
	config->secret = p->secret;
	config->target_user_name = p->target_user_name;
	config->target_secret = p->target_secret;
}

static int driver_new(struct session *session)
{
	struct session_private *p = session->private;
	const struct config *ours = session->manager->config;
	struct login_config config = {
		.initiator_name = ours->initiator_name,
		.initiator_alias = ours->initiator_alias,
		.target_name = session->target_name,
		.cmdsn = SESSION_INITIAL_CMDSN,
		.itt = 1,
		.portal_group_tag = p->redirected ? -1 : session->portal_group_tag,
	};

	memcpy(config.isid, session->isid, sizeof(config.isid));
	fill_offer(session, &config);
	fill_authentication(session, &config);
	if (getrandom(config.chap_random, sizeof(config.chap_random), GRND_NONBLOCK) !=
	    (ssize_t)sizeof(config.chap_random))
		return -EAGAIN;
	return login_driver_new(session->manager->event, p->channel, &config,
				(unsigned)setting(session, SETTING_LOGIN_TIMEOUT_SECONDS),
				&driver_callbacks, session, &p->driver);
}

/* The login cannot even be begun for want of something on this side. */
static void login_impossible(struct session *session, int error)
{
	struct event *event = event_new(EVENT_REQUEST_RESOURCES);

	event_set_errno(event, error);
	session_raise(session, event);
	session_fail(session, error, EVENT_REQUEST_RESOURCES, NULL);
	session_post(session, CONNECTION_EVENT_LOGIN_FAILED);
}

static void begin_login(struct session *session, int channel_error)
{
	int r = channel_error;

	if (r >= 0)
		r = driver_new(session);
	if (r < 0)
		login_impossible(session, r);
	else
		login_driver_start(session->private->driver);
}

/* The kernel refuses something; which event that is depends on what was asked. */
static enum event_number refusal_event(const struct kernel_result *result)
{
	if (result->error == -EFAULT)
		return EVENT_ADDRESS_MAPPING;
	switch (result->operation) {
	case KERNEL_CREATE_SESSION:
		return EVENT_SESSION_RESOURCES;
	case KERNEL_CREATE_CONNECTION:
	case KERNEL_BIND_CONNECTION:
		return EVENT_CONNECTION_RESOURCES;
	case KERNEL_SEND_PDU:
		return EVENT_SEND_FAILED;
	case KERNEL_DESTROY_SESSION:
	case KERNEL_DESTROY_CONNECTION:
	case KERNEL_SET_PARAMETER:
	case KERNEL_START_CONNECTION:
	case KERNEL_STOP_CONNECTION:
	case KERNEL_UNBIND_SESSION:
	case _KERNEL_OPERATION_MAX:
		break;
	}
	return EVENT_LOGIN_REQUEST_FAILED;
}

static void refused_by_kernel(struct session *session, const struct kernel_result *result)
{
	enum event_number number = refusal_event(result);
	struct event *event = event_new(number);
	char message[256];

	(void)snprintf(message, sizeof(message), "the kernel refused to %s: %s",
		       kernel_operation_to_string(result->operation), strerror(-result->error));
	event_set_status(event, (uint64_t)-result->error, message);
	event_set_outcome(event, EVENT_OUTCOME_FAILED);
	session_raise(session, event);
	session_fail(session, result->error, number, message);
}

/* A batch came back. Returns false if the session is to go on with something else instead. */
static bool batch_returned(struct session *session)
{
	if (!session_returned(session))
		return false;
	if (session->private->leaving) {
		session->private->fd = close_fd(session->private->fd);
		session_leave(session);
		return false;
	}
	return true;
}

static void bound_again(void *userdata, const struct kernel_result *result)
{
	struct session *session = userdata;
	struct session_private *p = session->private;

	if (!batch_returned(session))
		return;
	p->fd = close_fd(p->fd);
	/* The connection was lost meanwhile, and that is being taken care of. */
	if (session->connection != CONNECTION_STATE_IN_LOGIN)
		return;
	if (result->error < 0) {
		refused_by_kernel(session, result);
		session_post(session, CONNECTION_EVENT_LOGIN_FAILED);
		return;
	}
	begin_login(session, channel_new_kernel(session->manager->event, session->manager->kernel,
						session->transport->handle, session->sid,
						&channel_callbacks, session, &p->channel));
}

static void bind_again(struct session *session)
{
	struct kernel_batch *batch = session_batch(session);
	int r;

	if (batch) {
		kernel_batch_stop(batch, KERNEL_STOP_RECOVER);
		kernel_batch_barrier(batch);
		kernel_batch_bind(batch, (uint64_t)session->private->fd);
	}
	r = session_submit(session, batch, bound_again);
	if (r < 0)
		login_impossible(session, r);
}

/* T4 */
void session_action_login(struct session *session)
{
	struct session_private *p = session->private;
	int r;

	if (session->in_kernel) {
		bind_again(session);
		return;
	}
	r = channel_new_socket(session->manager->event, p->fd, &channel_callbacks, session, &p->channel);
	if (r >= 0)
		(void)TAKE_FD(p->fd);
	begin_login(session, r);
}

/* Hand-over */

static void add_labels(struct session *session, struct kernel_batch *batch)
{
	const struct config *ours = session->manager->config;

	kernel_batch_set_string(batch, KERNEL_PARAM_TARGET_NAME, session->target_name);
	kernel_batch_set_string(batch, KERNEL_PARAM_PERSISTENT_ADDRESS, session->address);
	kernel_batch_set_number(batch, KERNEL_PARAM_PERSISTENT_PORT, session->port);
	kernel_batch_set_string(batch, KERNEL_PARAM_INTERFACE_NAME, SESSION_LABEL);
	kernel_batch_set_string(batch, KERNEL_PARAM_INITIATOR_NAME, ours->initiator_name);
	kernel_batch_set_number(batch, KERNEL_PARAM_SESSION_RECOVERY_TIMEOUT,
				setting(session, SETTING_REPLACEMENT_TIMEOUT_SECONDS));
	kernel_batch_set_number(batch, KERNEL_PARAM_FAST_ABORT, setting(session, SETTING_FAST_ABORT));
	kernel_batch_set_number(batch, KERNEL_PARAM_ABORT_TIMEOUT,
				setting(session, SETTING_ABORT_TIMEOUT_SECONDS));
	kernel_batch_set_number(batch, KERNEL_PARAM_LU_RESET_TIMEOUT,
				setting(session, SETTING_LOGICAL_UNIT_RESET_TIMEOUT_SECONDS));
	kernel_batch_set_number(batch, KERNEL_PARAM_TARGET_RESET_TIMEOUT,
				setting(session, SETTING_TARGET_RESET_TIMEOUT_SECONDS));
	kernel_batch_set_number(batch, KERNEL_PARAM_NOOP_TIMEOUT,
				setting(session, SETTING_NOOP_TIMEOUT_SECONDS));
	kernel_batch_set_number(batch, KERNEL_PARAM_NOOP_INTERVAL,
				setting(session, SETTING_NOOP_INTERVAL_SECONDS));
}

static void add_negotiated(struct session *session, struct kernel_batch *batch)
{
	const struct login_result *result = &session->result;
	const struct iscsi_parameters *n = &result->parameters;

	kernel_batch_set_number(batch, KERNEL_PARAM_MAX_RECV_DLENGTH, n->max_recv_data_segment_length);
	kernel_batch_set_number(batch, KERNEL_PARAM_MAX_XMIT_DLENGTH, n->max_xmit_data_segment_length);
	kernel_batch_set_number(batch, KERNEL_PARAM_HEADER_DIGEST, n->header_digest);
	kernel_batch_set_number(batch, KERNEL_PARAM_DATA_DIGEST, n->data_digest);
	kernel_batch_set_number(batch, KERNEL_PARAM_INITIAL_R2T, n->initial_r2t);
	kernel_batch_set_number(batch, KERNEL_PARAM_MAX_R2T, n->max_outstanding_r2t);
	kernel_batch_set_number(batch, KERNEL_PARAM_IMMEDIATE_DATA, n->immediate_data);
	kernel_batch_set_number(batch, KERNEL_PARAM_FIRST_BURST_LENGTH, n->first_burst_length);
	kernel_batch_set_number(batch, KERNEL_PARAM_MAX_BURST_LENGTH, n->max_burst_length);
	kernel_batch_set_number(batch, KERNEL_PARAM_DATA_PDU_IN_ORDER, n->data_pdu_in_order);
	kernel_batch_set_number(batch, KERNEL_PARAM_DATA_SEQUENCE_IN_ORDER, n->data_sequence_in_order);
	kernel_batch_set_number(batch, KERNEL_PARAM_ERROR_RECOVERY_LEVEL, n->error_recovery_level);
	kernel_batch_set_number(batch, KERNEL_PARAM_EXP_STATSN, (uint32_t)(result->stat_sn + 1));
	if (result->portal_group_tag >= 0)
		kernel_batch_set_number(batch, KERNEL_PARAM_TARGET_PORTAL_GROUP_TAG,
					result->portal_group_tag);
}

static void start_failed(struct session *session)
{
	session_post(session, CONNECTION_EVENT_START_FAILED);
}

static int proof_timed_out(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct session *session = userdata;
	struct event *event = event_new(EVENT_NOP_TIMEOUT);

	event_set_outcome(event, EVENT_OUTCOME_FAILED);
	session_raise(session, event);
	session_fail(session, -ETIMEDOUT, EVENT_NOP_TIMEOUT,
		     "the target does not answer on the new connection");
	start_failed(session);
	return 0;
}

static void proof_sent(void *userdata, const struct kernel_result *result)
{
	struct session *session = userdata;

	if (!batch_returned(session))
		return;
	if (result->error < 0 && session->connection == CONNECTION_STATE_LOGGED_IN &&
	    session->state != SESSION_STATE_LOGGED_IN) {
		refused_by_kernel(session, result);
		start_failed(session);
	}
}

/*
 * A ping that must come back: it makes the kernel look at what already lies in the socket, a close included,
 * which it would otherwise not notice.
 */
static void prove(struct session *session)
{
	struct pdu nop = {
		.opcode = PDU_OPCODE_NOP_OUT,
		.immediate = true,
		.itt = 0, /* the kernel puts its own */
		.nop_out = { .ttt = PDU_TAG_RESERVED },
	};
	struct kernel_batch *batch = session_batch(session);
	uint8_t header[PDU_HEADER_LENGTH];
	int r;

	pdu_encode(&nop, header);
	if (batch)
		kernel_batch_send_pdu(batch, header, NULL, 0);
	r = session_submit(session, batch, proof_sent);
	if (r >= 0)
		r = session_arm_timer(session, setting_usec(session, SETTING_LOGIN_TIMEOUT_SECONDS),
				      proof_timed_out);
	if (r < 0) {
		session_fail(session, r, 0, NULL);
		start_failed(session);
	}
}

static void handed_over(void *userdata, const struct kernel_result *result)
{
	struct session *session = userdata;
	struct session_private *p = session->private;

	if (result->created) {
		session->in_kernel = true;
		session->sid = result->sid;
		session->host = result->host;
		manager_index_session(session);
	}
	p->started = result->error >= 0;
	if (!batch_returned(session))
		return;
	p->fd = close_fd(p->fd);
	if (session->connection != CONNECTION_STATE_LOGGED_IN)
		return;
	if (result->error < 0) {
		refused_by_kernel(session, result);
		start_failed(session);
		return;
	}
	prove(session);
}

/* A FIN that came before BIND would never be noticed by the kernel. */
static bool peer_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void hand_over(struct session *session)
{
	struct session_private *p = session->private;
	struct kernel_batch *batch;
	int r;

	if (!session->in_kernel && peer_closed(p->fd)) {
		struct event *event = event_new(EVENT_DROPPED_BEFORE_FULL_FEATURE);

		event_set_outcome(event, EVENT_OUTCOME_FAILED);
		session_raise(session, event);
		session_fail(session, -ECONNRESET, EVENT_DROPPED_BEFORE_FULL_FEATURE,
			     "the target closed the connection right after the login");
		start_failed(session);
		return;
	}
	batch = session_batch(session);
	if (batch && !session->in_kernel) {
		kernel_batch_create_session(batch, SESSION_INITIAL_CMDSN,
					    (uint16_t)setting(session, SETTING_COMMANDS_MAX),
					    (uint16_t)setting(session, SETTING_QUEUE_DEPTH));
		kernel_batch_create_connection(batch);
		kernel_batch_bind(batch, (uint64_t)p->fd);
		kernel_batch_barrier(batch);
		add_labels(session, batch);
	}
	if (batch) {
		add_negotiated(session, batch);
		kernel_batch_barrier(batch);
		kernel_batch_start(batch);
	}
	r = session_submit(session, batch, handed_over);
	if (r < 0) {
		session_fail(session, r, 0, NULL);
		start_failed(session);
	}
}

static void transport_ready(void *userdata, int error)
{
	struct session *session = userdata;

	if (!batch_returned(session))
		return;
	if (error < 0 || !session->manager->kernel) {
		session_fail(session, error < 0 ? error : -EPROTONOSUPPORT, EVENT_TRANSPORT_UNAVAILABLE,
			     "the kernel's iSCSI transport is not available");
		start_failed(session);
		return;
	}
	hand_over(session);
}

/* T5 */
void session_action_start(struct session *session)
{
	int r = transport_prepare(session->manager, session->transport, transport_ready, session);

	session->private->started = false;
	if (r < 0) {
		session_fail(session, r, 0, NULL);
		start_failed(session);
		return;
	}
	session->private->pending++;
	if (r > 0)
		transport_ready(session, 0);
}

/* Scan */

static void established(struct session *session)
{
	struct session_private *p = session->private;
	struct event *event;

	session->logged_in_usec = manager_now();
	if (!p->created_event) {
		event = event_new(EVENT_SESSION_ESTABLISHED);
		p->created_event = true;
	} else {
		event = event_new(EVENT_RECONNECTED);
		session->reconnects++;
	}
	session_raise(session, event);
	session->recovering = false;
	session->attempt = 0;
	session->failure = (struct session_failure){ .status_class = -1, .status_detail = -1 };
	session_set_phase(session, SESSION_LOGGED_IN, NULL);
}

static void scan_event(struct session *session, int error)
{
	struct event *event = event_new(error == -ETIMEDOUT ? EVENT_DEVICE_TIMEOUT : EVENT_SCAN_FAILED);

	event_set_errno(event, error);
	session_raise(session, event);
}

static bool same_lun(const struct sysfs_lun *a, const struct sysfs_lun *b)
{
	return a->lun == b->lun && a->channel == b->channel && a->target == b->target;
}

/* Those of @from that are not in @in; the caller frees *@ret. */
static size_t lun_difference(const struct sysfs_lun *from, size_t n_from, const struct sysfs_lun *in,
			     size_t n_in, struct sysfs_lun **ret)
{
	struct sysfs_lun *difference = calloc(n_from ? n_from : 1, sizeof(*difference));
	size_t n = 0;

	for (size_t i = 0; difference && i < n_from; i++) {
		size_t k = 0;

		while (k < n_in && !same_lun(&from[i], &in[k]))
			k++;
		if (k == n_in)
			difference[n++] = from[i];
	}
	*ret = difference;
	return n;
}

static void take_luns(struct session *session, const struct devices_result *result)
{
	struct session_private *p = session->private;
	_cleanup_free_ struct sysfs_lun *copy = NULL, *added = NULL, *removed = NULL;
	session_scan_t done = p->scan_done;
	size_t n_added, n_removed;

	copy = calloc(result->n_luns ? result->n_luns : 1, sizeof(*copy));
	if (!copy)
		return;
	if (result->n_luns > 0)
		memcpy(copy, result->luns, result->n_luns * sizeof(*copy));
	p->scan_done = NULL;
	if (done) {
		n_added = lun_difference(copy, result->n_luns, session->luns, session->n_luns, &added);
		n_removed = lun_difference(session->luns, session->n_luns, copy, result->n_luns,
					   &removed);
		done(p->scan_userdata, session, result->error, added, n_added, removed, n_removed);
	}
	free(session->luns);
	session->luns = TAKE_PTR(copy);
	session->n_luns = result->n_luns;
}

static void scanned(void *userdata, const struct devices_result *result)
{
	struct session *session = userdata;
	bool login = session->phase == SESSION_SCANNING;

	session->private->scan = NULL;
	if (result->error < 0)
		scan_event(session, result->error);
	take_luns(session, result);
	if (login)
		established(session);
}

static int start_scan(struct session *session, const uint64_t *lun)
{
	return devices_scan(session->manager->devices, session->sid, session->host, lun,
			    DEVICES_TIMEOUT_USEC, scanned, session, &session->private->scan);
}

int session_rescan(struct session *session, const uint64_t *lun, session_scan_t done, void *userdata)
{
	struct session_private *p = session->private;
	int r;

	if (session->phase != SESSION_LOGGED_IN || session->state != SESSION_STATE_LOGGED_IN)
		return -ENOTCONN;
	if (p->scan)
		return -EBUSY;
	r = start_scan(session, lun);
	if (r < 0)
		return r;
	p->scan_done = done;
	p->scan_userdata = userdata;
	return 0;
}

/* The ping came back: the session works. */
static void proven(struct session *session)
{
	bool again = session->private->created_event;
	int r;

	session_arm_timer(session, 0, NULL);
	manager_release(session);
	session_apply(session, SESSION_EVENT_LOGGED_IN);
	if (again || !setting(session, SETTING_SCAN)) {
		established(session);
		return;
	}
	session_set_phase(session, SESSION_SCANNING, NULL);
	r = start_scan(session, NULL);
	if (r < 0) {
		scan_event(session, r);
		established(session);
	}
}

/* What the kernel has to say */

static void async_message(struct session *session, const struct pdu *pdu)
{
	struct event *event;

	if (pdu->async.event != PDU_ASYNC_LOGOUT_REQUEST)
		return;
	event = event_new(EVENT_ASYNC_LOGOUT);
	event_set_outcome(event, EVENT_OUTCOME_CONTINUED);
	session_raise(session, event);
	session_post(session, CONNECTION_EVENT_ASYNC_LOGOUT);
}

void session_kernel_pdu(struct session *session, const uint8_t header[48], const void *data,
			size_t length)
{
	struct session_private *p = session->private;
	struct pdu pdu;

	if (p->channel) {
		channel_deliver(p->channel, header, data, length);
		return;
	}
	if (pdu_decode(header, &pdu) < 0)
		return;
	if (pdu.opcode == PDU_OPCODE_NOP_IN) {
		if (p->started && session->connection == CONNECTION_STATE_LOGGED_IN &&
		    session->state != SESSION_STATE_LOGGED_IN)
			proven(session);
	} else if (pdu.opcode == PDU_OPCODE_LOGOUT_RESPONSE) {
		session_logout_pdu(session, &pdu);
	} else if (pdu.opcode == PDU_OPCODE_ASYNC_MESSAGE) {
		async_message(session, &pdu);
	}
}

static const char *error_text(unsigned error)
{
	const char *text = iscsi_kernel_error_to_string(error);

	return text ? text : "connection error";
}

void session_kernel_failed(struct session *session, unsigned error)
{
	struct session_private *p = session->private;
	struct event *event;

	if (!session->managed && !p->leaving)
		return;
	trace("%s: kernel reports %u (%s)", session->target_name, error, error_text(error));
	if (p->channel) {
		/* A re-login: the target closed, or the kernel gave the connection up. */
		login_driver_channel_failed(p->driver, -ECONNRESET, false);
		return;
	}
	if (session->state == SESSION_STATE_LOGGED_IN && !p->leaving &&
	    session->connection & (CONNECTION_STATE_LOGGED_IN | CONNECTION_STATE_LOGOUT_REQUESTED)) {
		event = event_new(EVENT_CONNECTION_LOST);
		event_set_status(event, error, error_text(error));
		event_set_outcome(event, EVENT_OUTCOME_RETRYING);
		session_raise(session, event);
		session_fail(session, -ECONNRESET, EVENT_CONNECTION_LOST, error_text(error));
		session->lost_usec = manager_now();
	} else if (session->state != SESSION_STATE_LOGGED_IN) {
		event = event_new(EVENT_DROPPED_BEFORE_FULL_FEATURE);
		event_set_status(event, error, error_text(error));
		event_set_outcome(event, EVENT_OUTCOME_FAILED);
		if (session->connection == CONNECTION_STATE_LOGGED_IN)
			session_raise(session, event);
		else
			(void)event_free(event);
		session_fail(session, -ECONNRESET, EVENT_DROPPED_BEFORE_FULL_FEATURE,
			     error_text(error));
	}
	session_post(session, CONNECTION_EVENT_TRANSPORT_LOST);
}

/* Attempts */

void session_begin(struct session *session)
{
	session->attempt++;
	session->private->redirects = 0;
	session->private->redirected = false;
	session->next_attempt_usec = 0;
	free(session->current_address);
	session->current_address = NULL;
	session_post(session, CONNECTION_EVENT_CONNECT);
}

/* T7 with a redirection: the same attempt goes on elsewhere. */
void session_action_redirect(struct session *session)
{
	struct session_private *p = session->private;

	free(session->current_address);
	session->current_address = strdup(p->redirect.address);
	session->current_port = p->redirect.port;
	session_post(session, CONNECTION_EVENT_CONNECT);
}

/* T2, T7 */
void session_action_fail(struct session *session)
{
	struct session_private *p = session->private;

	session_cancel(session);
	if (p->leaving)
		session_leave(session);
	else
		session_attempt_failed(session);
}

static int retry_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct session *session = userdata;

	/* Something of the attempt before cannot be called back and has not ended yet. */
	if (session->private->pending > 0)
		return session_arm_timer(session, SECOND_USEC / 10, retry_due);
	session_arm_timer(session, 0, NULL);
	manager_admit(session);
	return 0;
}

void session_hurry(struct session *session)
{
	if (session->phase == SESSION_RETRYING && session->private->timer &&
	    session->private->persistent)
		(void)retry_due(NULL, 0, session);
}

/* Sessions that failed together must not come back together: up to a quarter more. */
static uint64_t with_jitter(uint64_t usec)
{
	uint32_t random = 0;

	(void)getrandom(&random, sizeof(random), GRND_NONBLOCK);
	return usec + usec / 4 * (random % 1024) / 1024;
}

static void retry_later(struct session *session, uint64_t usec)
{
	session->next_attempt_usec = manager_now() + usec;
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
	struct event *event = event_new(EVENT_RECOVERY_FAILED);

	event_set_status(event, (uint64_t)-session->failure.error, session->failure.message);
	event_set_outcome(event, EVENT_OUTCOME_RETRYING);
	session_raise(session, event);
}

void session_attempt_failed(struct session *session)
{
	struct session_private *p = session->private;
	uint64_t wait = BACKOFF_FIRST_USEC;

	manager_release(session);
	for (unsigned i = 1; i < session->attempt && wait < BACKOFF_MOST_USEC; i++)
		wait *= 2;
	if (wait > BACKOFF_MOST_USEC)
		wait = BACKOFF_MOST_USEC;

	if (session->recovering)
		report_recovery_failed(session);
	if (session->recovering || p->retry_max < 0 || session->attempt <= (unsigned)p->retry_max) {
		/* First the timer, so that watchers see when. */
		retry_later(session, with_jitter(wait));
		session_set_phase(session, SESSION_RETRYING, &session->failure);
		return;
	}
	report_giving_up(session);
	if (session->in_kernel)
		session_remove(session, SESSION_REMOVAL_CLOSE);
	else
		session_close(session, &session->failure);
}

/* CLEANUP_WAIT is over: RFC 7143, 13.15: not before Time2Wait. */
void session_recover(struct session *session)
{
	struct session_private *p = session->private;
	uint64_t wait;

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
	}
	if (session->attempt > 0) {
		session_attempt_failed(session);
		return;
	}
	wait = session->result_known ? session->result.parameters.default_time2wait :
				       (uint64_t)setting(session, SETTING_KEYS_DEFAULT_TIME2WAIT);
	retry_later(session, with_jitter(wait * SECOND_USEC));
	session_set_phase(session, SESSION_RETRYING, &session->failure);
}

/* Sessions found at the start */

static void found_devices(void *userdata, const struct devices_result *result)
{
	struct session *session = userdata;

	session->private->scan = NULL;
	take_luns(session, result);
}

/*
 * A session that runs is left alone. One of ours that lost its connection, or whose re-login was interrupted, is
 * repaired; one that was only half made leaves the kernel.
 */
void session_adopt(struct session *session)
{
	const struct sysfs_session *found = session->found;

	session->private->created_event = true;
	if (found->state == SYSFS_SESSION_LOGGED_IN &&
	    found->connection_state == SYSFS_CONNECTION_UP) {
		session->connection = CONNECTION_STATE_LOGGED_IN;
		session->state = SESSION_STATE_LOGGED_IN;
		session->phase = SESSION_LOGGED_IN;
		(void)devices_list(session->manager->devices, session->sid, session->host, false,
				   found_devices, session, &session->private->scan);
		return;
	}
	session->phase = SESSION_RETRYING;
	session->state = SESSION_STATE_FAILED;
	session->connection = CONNECTION_STATE_FREE;
	if (!session->managed || !session->manager->kernel)
		return;
	if (found->connection_state == SYSFS_CONNECTION_DOWN || !found->has_connection) {
		session_remove(session, SESSION_REMOVAL_CLOSE);
		return;
	}
	session->connection = CONNECTION_STATE_LOGGED_IN;
	session->state = SESSION_STATE_LOGGED_IN;
	session_kernel_failed(session, KERNEL_ERROR_CONNECTION);
}
