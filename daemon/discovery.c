/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "address.h"
#include "authentication.h"
#include "discovery_private.h"
#include "interface.h"
#include "manager_private.h"
#include "table.h"
#include "turn.h"

static const char *const discovery_phase_names[] = {
	[DISCOVERY_RESOLVING] = "resolving",           [DISCOVERY_CONNECTING] = "connecting",
	[DISCOVERY_AUTHENTICATING] = "authenticating", [DISCOVERY_QUERYING] = "querying",
	[DISCOVERY_RECORDING] = "recording",
};

const char *discovery_phase_to_string(enum discovery_phase phase)
{
	return table_name(discovery_phase_names, ELEMENTSOF(discovery_phase_names), phase);
}

static void discovery_raise_at(struct discovery *discovery, struct event *event,
			       const char *address, uint16_t port)
{
	char portal[PORTAL_TEXT_MAX];

	if (!event)
		return;
	portal_format(address, port, portal);
	event_set_string(event, FIELD_PORTAL, portal);
	event_set_string(event, FIELD_DISCOVERY, "send_targets");
	if (discovery->transport)
		event_set_string(event, FIELD_TRANSPORT, discovery->transport->name);
	event_set_string(event, FIELD_IFACE, discovery_interface(discovery));
	if (discovery->endpoint)
		discovery_describe_endpoint(discovery->endpoint, event);
	if (discovery->target_name && !event_get(event, FIELD_TARGET))
		event_set_string(event, FIELD_TARGET, discovery->target_name);
	if (event_type(event)->severity == EVENT_SEVERITY_ERROR)
		event_summary(event, discovery->last_error, sizeof(discovery->last_error));
	eventlog_raise(discovery->manager->log, event);
}

void discovery_raise(struct discovery *discovery, struct event *event)
{
	discovery_raise_at(discovery, event, discovery->address, discovery->port);
}

bool discovery_enter_phase(struct discovery *discovery, enum discovery_phase phase)
{
	discovery->phase = phase;
	if (discovery->callbacks->phase && !discovery->cancelled) {
		discovery->inside = true;
		discovery->callbacks->phase(discovery->userdata, phase);
		discovery->inside = false;
	}
	return !discovery->cancelled;
}

/* All that is under way on our side. */
static void stop(struct discovery *discovery)
{
	discovery->timer = sd_event_source_disable_unref(discovery->timer);
	discovery->connect = portal_connect_free(discovery->connect);
	discovery->driver = login_driver_free(discovery->driver);
	discovery->exchange = sendtargets_free(discovery->exchange);
	discovery->channel = channel_free(discovery->channel);
	discovery->paused = false;
}

static void tell_end(struct discovery *discovery, const struct discovery_failure *failure)
{
	const struct discovery_callbacks *callbacks = discovery->callbacks;
	void *userdata = discovery->userdata;

	(void)discovery_cancel(discovery);
	callbacks->done(userdata, failure);
}

void discovery_endpoint_gone(struct discovery *discovery)
{
	struct discovery_failure failure = discovery->failure;

	discovery->endpoint = NULL;
	tell_end(discovery, discovery->failed ? &failure : NULL);
}

/* An adapter may have room for one connection: whoever is told the end can have it. */
static void end_endpoint(struct discovery *discovery, const struct discovery_failure *failure)
{
	stop(discovery);
	discovery->over = true;
	discovery->failed = failure;
	if (failure)
		discovery->failure = *failure;
	discovery_end_endpoint(discovery->endpoint);
}

void discovery_finish(struct discovery *discovery, const struct discovery_failure *failure)
{
	struct event *event;

	/* Whoever cancelled it does not want to know. */
	if (discovery->cancelled || discovery->over)
		return;
	event = event_new(failure ? EVENT_DISCOVERY_FAILED : EVENT_DISCOVERY_COMPLETED);
	if (failure)
		event_set_status(event, (uint64_t)-failure->error, failure->message);
	else
		event_set_number(event, FIELD_COUNT, discovery->targets);
	event_set_number(event, FIELD_DURATION_USEC,
			 turn_usec(CLOCK_MONOTONIC) - discovery->started_usec);
	discovery_raise_at(discovery, event, discovery->asked_address, discovery->asked_port);
	if (discovery->endpoint)
		end_endpoint(discovery, failure);
	else
		tell_end(discovery, failure);
}

void discovery_fail(struct discovery *discovery, int error, unsigned event, const char *message)
{
	struct discovery_failure failure = {
		.error = error,
		.event = event,
		.status_class = -1,
		.status_detail = -1,
		.phase = discovery->phase,
	};

	(void)snprintf(failure.message, sizeof(failure.message), "%s",
		       message                             ? message
		       : event && discovery->last_error[0] ? discovery->last_error
							   : strerror(-error));
	discovery_finish(discovery, &failure);
}

void discovery_lack(struct discovery *discovery, int error)
{
	struct event *event = event_new(EVENT_REQUEST_RESOURCES);

	event_set_errno(event, error);
	event_set_outcome(event, EVENT_OUTCOME_FAILED);
	discovery_raise(discovery, event);
	discovery_fail(discovery, error, EVENT_REQUEST_RESOURCES, NULL);
}

/* Login */

static void driver_raise(void *userdata, struct event *event)
{
	discovery_raise(userdata, event);
}

static void driver_stage(void *userdata, enum login_stage stage)
{
}

static void login_refused(struct discovery *discovery, const struct login_step *step)
{
	struct discovery_failure failure = {
		.error = step->failed.error,
		.event = step->failed.event,
		.status_class = step->failed.status_class,
		.status_detail = step->failed.status_detail,
		.phase = discovery->phase,
	};

	(void)snprintf(failure.message, sizeof(failure.message), "%s",
		       discovery->last_error[0] ? discovery->last_error : strerror(-failure.error));
	discovery_finish(discovery, &failure);
}

static int connect_portal(struct discovery *discovery);

const char *discovery_interface(const struct discovery *discovery)
{
	return settings_text(discovery->settings, SETTING_INTERFACE);
}

const char *discovery_scope(const struct discovery *discovery)
{
	const char *scope = address_scope(discovery->address) ?: discovery->net_device;

	return scope || !discovery->source_address ? scope
						   : address_scope(discovery->source_address);
}

static int move_to(struct discovery *discovery, const struct login_redirect *redirect)
{
	char *copy = strdup(redirect->address);

	if (!copy)
		return -ENOMEM;
	free(discovery->address);
	discovery->address = copy;
	discovery->port = redirect->port;
	discovery->redirects++;
	return 0;
}

/* Goes on over another connection, to where the discovery is now. */
static void connect_again(struct discovery *discovery)
{
	int r = 0;

	discovery->channel = channel_free(discovery->channel);
	discovery_part_endpoint(discovery);
	if (discovery_enter_phase(discovery, DISCOVERY_RESOLVING))
		r = connect_portal(discovery);
	if (r < 0)
		discovery_lack(discovery, r);
}

/* RFC 7143, 11.13.5: also a discovery session can be sent elsewhere. */
static void login_redirected(struct discovery *discovery, const struct login_redirect *redirect)
{
	int r = move_to(discovery, redirect);

	if (r < 0)
		discovery_lack(discovery, r);
	else
		connect_again(discovery);
}

/* As in a normal login; but nothing is remembered, since a discovery is rare. */
static bool offer_md5(struct discovery *discovery, const struct login_step *step)
{
	bool closed = step->failed.event == EVENT_DROPPED_BEFORE_FULL_FEATURE;

	if (!step->failed.algorithms_refused || discovery->md5_alone ||
	    !authentication_may_fall_back(discovery->settings))
		return false;
	discovery->md5_alone = true;
	discovery_raise(discovery, authentication_fallback_event(true, !closed));
	return true;
}

static void driver_finished(void *userdata, const struct login_step *step)
{
	struct discovery *discovery = userdata;
	struct login_step final = *step;
	struct login_result result = { 0 };

	if (final.type == LOGIN_STEP_DONE)
		result = *final.result;
	discovery->driver = login_driver_free(discovery->driver);
	if (final.type == LOGIN_STEP_DONE && discovery->endpoint)
		discovery_start_endpoint(discovery, &result);
	else if (final.type == LOGIN_STEP_DONE)
		discovery_start_exchange(discovery, &result);
	else if (final.type == LOGIN_STEP_REDIRECT)
		login_redirected(discovery, &final.redirect);
	else if (offer_md5(discovery, &final))
		connect_again(discovery);
	else
		login_refused(discovery, &final);
}

static const struct login_driver_callbacks driver_callbacks = {
	.raise = driver_raise,
	.stage = driver_stage,
	.finished = driver_finished,
};

static void channel_received(void *userdata, const uint8_t header[48], const void *data,
			     size_t length)
{
	struct discovery *discovery = userdata;

	if (discovery->driver) {
		login_driver_received(discovery->driver, header, data, length);
		return;
	}
	sendtargets_receive(discovery->exchange, header, data, length);
	discovery_run_exchange(discovery);
}

static void channel_failed(void *userdata, int error, bool sending)
{
	struct discovery *discovery = userdata;

	if (discovery->driver) {
		login_driver_channel_failed(discovery->driver, error, sending);
		return;
	}
	if (sending)
		discovery_raise(discovery, channel_send_event(error));
	/* The kernel has not started the session yet: it is noticed then. */
	if (!discovery->exchange) {
		discovery->lost = true;
		return;
	}
	sendtargets_disconnected(discovery->exchange);
	discovery_run_exchange(discovery);
}

/* Like a socket, it is read to its end first. */
void discovery_lost(struct discovery *discovery)
{
	if (discovery->driver) {
		login_driver_channel_failed(discovery->driver, -ECONNRESET, false);
		return;
	}
	discovery->lost = true;
	if (discovery->exchange)
		discovery_run_exchange(discovery);
}

static const struct channel_callbacks channel_callbacks = {
	.received = channel_received,
	.failed = channel_failed,
};

const char *discovery_initiator_name(const struct discovery *discovery)
{
	return settings_text(discovery->settings, SETTING_INITIATOR_NAME)
		       ?: discovery->manager->config->initiator_name;
}

/* No more than the way there can carry. */
static void limit_offer(const struct transport *transport, struct iscsi_offer *offer)
{
	transport_limit_offer(transport, offer);
	if (offer->max_recv_data_segment_length > KERNEL_PDU_DATA_MAX)
		offer->max_recv_data_segment_length = KERNEL_PDU_DATA_MAX;
}

static int start_login(struct discovery *discovery)
{
	const struct config *ours = discovery->manager->config;
	struct login_config config = {
		.initiator_name = discovery_initiator_name(discovery),
		.initiator_alias = ours->initiator_alias,
		.cmdsn = DISCOVERY_CMDSN,
		.itt = DISCOVERY_LOGIN_ITT,
		.portal_group_tag = -1,
		.portal_address = discovery->address,
		.portal_scope = discovery_scope(discovery),
		.redirects = discovery->redirects,
		.strict = settings_number(discovery->settings, SETTING_STRICT),
	};
	const struct login_driver_times times = {
		.request_seconds = discovery->timeout_seconds,
		.deadline_usec = discovery->deadline_usec,
	};
	int r;

	iscsi_offer_init(&config.offer);
	if (discovery->transport)
		limit_offer(discovery->transport, &config.offer);
	/* RFC 7143, 10.12.5: format "random"; its own for each, so that discoveries do not end each
	 * other. */
	config.isid[0] = 0x80;
	if (getrandom(config.isid + 1, 5, GRND_NONBLOCK) != 5)
		return -EAGAIN;
	r = authentication_configure(discovery->settings, discovery->secret,
				     discovery->target_secret, discovery->md5_alone, &config);
	if (r < 0)
		return r;
	return login_driver_new(discovery->manager->event, discovery->channel, &config, &times,
				&driver_callbacks, discovery, &discovery->driver);
}

static void begin_login(struct discovery *discovery, int channel_error)
{
	int r = channel_error < 0 ? channel_error : start_login(discovery);

	if (r < 0)
		discovery_lack(discovery, r);
	else
		login_driver_start(discovery->driver);
}

void discovery_login_through_kernel(struct discovery *discovery, const struct transport *transport,
				    uint32_t sid)
{
	if (discovery_enter_phase(discovery, DISCOVERY_AUTHENTICATING))
		begin_login(discovery,
			    channel_new_kernel(discovery->manager->poller,
					       discovery->manager->kernel, transport->handle, sid,
					       &channel_callbacks, discovery, &discovery->channel));
}

/* Connect */

static void connect_raise(void *userdata, struct event *event)
{
	discovery_raise(userdata, event);
}

static void connect_resolved(void *userdata)
{
	(void)discovery_enter_phase(userdata, DISCOVERY_CONNECTING);
}

static void connect_connected(void *userdata, const struct portal_connected *connected)
{
	struct discovery *discovery = userdata;
	_cleanup_close_ int fd = connected->fd;
	int r;

	discovery->connect = portal_connect_free(discovery->connect);
	if (!discovery_enter_phase(discovery, DISCOVERY_AUTHENTICATING))
		return;
	r = channel_new_socket(discovery->manager->poller, fd, &channel_callbacks, discovery,
			       &discovery->channel);
	if (r >= 0)
		(void)TAKE_FD(fd);
	begin_login(discovery, r);
}

void discovery_connect_failed(struct discovery *discovery, int error, enum event_number event,
			      const char *text)
{
	char message[PORTAL_TEXT_MAX + 128], portal[PORTAL_TEXT_MAX];

	if (discovery->redirects > 0) {
		portal_format(discovery->address, discovery->port, portal);
		(void)snprintf(message, sizeof(message), "cannot connect to %s: %s", portal, text);
		text = message;
	}
	discovery_fail(discovery, error, event, text);
}

static void connect_failed(void *userdata, int error, enum event_number event)
{
	struct discovery *discovery = userdata;

	discovery->connect = portal_connect_free(discovery->connect);
	discovery_connect_failed(discovery, error, event, portal_failure_text(error, event));
}

static const struct portal_callbacks connect_callbacks = {
	.raise = connect_raise,
	.resolved = connect_resolved,
	.connected = connect_connected,
	.failed = connect_failed,
};

static int connect_portal(struct discovery *discovery)
{
	const struct settings *settings = discovery->settings;
	struct portal_config portal = {
		.address = discovery->address,
		.port = discovery->port,
		.source_address = discovery->source_address,
		.net_device = discovery->net_device,
		.window_size = (int)settings_number(settings, SETTING_TCP_WINDOW_SIZE),
		.type_of_service = (int)settings_number(settings, SETTING_TCP_TYPE_OF_SERVICE),
		.resolve_timeout_seconds = discovery->resolve_timeout_seconds,
		.connect_timeout_seconds = discovery->connect_timeout_seconds,
		.deadline_usec = discovery->deadline_usec,
	};

	if (discovery->transport)
		return discovery_connect_endpoint(discovery);
	return portal_connect_new(discovery->manager->poller, discovery->manager->resolver, &portal,
				  &connect_callbacks, discovery, &discovery->connect);
}

static int copy_text(const char *text, char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

bool discovery_goes_over(const struct records *records, const char *interface)
{
	const struct transport *transport = interface_transport(records, interface);

	return transport && transport->kind != TRANSPORT_ADAPTER;
}

/*
 * What has the network of this host is asked over a socket, which leaves nothing in the kernel,
 * whatever the nodes found go over.
 */
static int take_way(struct discovery *discovery, const struct settings *interface)
{
	struct transport *transport =
		&transport_table()[settings_number(interface, SETTING_TRANSPORT)];

	if (!transport_has_network(transport))
		return 0;
	discovery->transport = transport;
	return copy_text(settings_text(interface, SETTING_ADAPTER), &discovery->adapter);
}

/* @asked, if any, is over what was configured: a person asked for it. */
static int take_interface(struct discovery *discovery, const char *asked)
{
	const struct records *records = discovery->manager->records;
	_cleanup_(settings_freep) struct settings *interface = NULL;
	const char *name = asked ?: discovery_interface(discovery);
	int r;

	if (!name)
		return 0;
	r = interface_get(records, name, &interface);
	if (r < 0)
		return r;
	if (!discovery_goes_over(records, name))
		return -EOPNOTSUPP;
	r = take_way(discovery, interface);
	if (r < 0 || !asked)
		return r;
	r = settings_take_over(discovery->settings, interface);
	return r < 0 ? r : settings_set_text(discovery->settings, "interface", asked, NULL);
}

static int take_portal(struct discovery *discovery, const char *interface)
{
	const struct settings *defaults = discovery->manager->config->discovery_defaults;
	const struct portal *portal = records_find_portal(discovery->manager->records,
							  discovery->address, discovery->port);
	int r;

	r = interface_effective(discovery->manager->records, defaults,
				portal ? portal->settings : NULL, NULL, &discovery->settings);
	if (r >= 0)
		r = take_interface(discovery, interface);
	if (r >= 0 && portal)
		r = secret_copy(portal->secret, &discovery->secret);
	if (r >= 0 && portal)
		r = secret_copy(portal->target_secret, &discovery->target_secret);
	return r;
}

/* What was asked for comes first, then what is configured. */
static void configure_times(struct discovery *discovery, unsigned timeout)
{
	const struct settings *settings = discovery->settings;
	unsigned total = (unsigned)settings_number(settings, SETTING_LOGIN_TOTAL_TIMEOUT_SECONDS);

	discovery->timeout_seconds =
		timeout ?: (unsigned)settings_number(settings, SETTING_LOGIN_TIMEOUT_SECONDS);
	discovery->resolve_timeout_seconds =
		timeout ?: (unsigned)settings_number(settings, SETTING_RESOLVE_TIMEOUT_SECONDS);
	discovery->connect_timeout_seconds =
		timeout ?: (unsigned)settings_number(settings, SETTING_CONNECT_TIMEOUT_SECONDS);
	discovery->deadline_usec =
		discovery->started_usec + (total > timeout ? total : timeout) * SECOND_USEC;
}

static int configure(struct discovery *discovery, const struct discovery_config *config)
{
	const struct settings *settings = discovery->settings;

	configure_times(discovery, config->timeout_seconds);
	return copy_text(config->target_name, &discovery->target_name) |
	       copy_text(config->source_address
				 ?: settings_text(settings, SETTING_TCP_SOURCE_ADDRESS),
			 &discovery->source_address) |
	       copy_text(settings_text(settings, SETTING_TCP_NET_DEVICE), &discovery->net_device);
}

static int release_cancelled(sd_event_source *source, void *userdata)
{
	(void)discovery_cancel(userdata);
	return 0;
}

static int add_release(struct discovery *discovery)
{
	int r;

	r = sd_event_add_defer(discovery->manager->event, &discovery->release, release_cancelled,
			       discovery);
	return r < 0 ? r : sd_event_source_set_enabled(discovery->release, SD_EVENT_OFF);
}

int discovery_start(struct manager *manager, const struct discovery_config *config,
		    const struct discovery_callbacks *callbacks, void *userdata,
		    struct discovery **ret)
{
	_cleanup_(discovery_cancelp) struct discovery *discovery = NULL;
	int r;

	if (manager->state == MANAGER_STOPPING)
		return -ESHUTDOWN;
	discovery = calloc(1, sizeof(*discovery));
	if (!discovery)
		return -ENOMEM;
	discovery->manager = manager;
	discovery->callbacks = callbacks;
	discovery->userdata = userdata;
	discovery->started_usec = turn_usec(CLOCK_MONOTONIC);
	discovery->port = discovery->asked_port = config->port;
	discovery->address = strdup(config->address);
	discovery->asked_address = strdup(config->address);
	if (!discovery->address || !discovery->asked_address)
		return -ENOMEM;
	r = take_portal(discovery, config->interface);
	if (r >= 0 && config->source_address && discovery->transport)
		r = -EADDRNOTAVAIL;
	if (r >= 0)
		r = configure(discovery, config);
	if (r >= 0)
		r = add_release(discovery);
	if (r >= 0)
		r = connect_portal(discovery);
	if (r < 0)
		return r;
	discovery->next = manager->discoveries;
	discovery->previous = &manager->discoveries;
	if (discovery->next)
		discovery->next->previous = &discovery->next;
	manager->discoveries = discovery;
	*ret = TAKE_PTR(discovery);
	return 0;
}

struct discovery *discovery_cancel(struct discovery *discovery)
{
	if (!discovery)
		return NULL;
	if (discovery->inside) {
		discovery->cancelled = true;
		(void)sd_event_source_set_enabled(discovery->release, SD_EVENT_ONESHOT);
		return NULL;
	}
	if (discovery->previous) {
		*discovery->previous = discovery->next;
		if (discovery->next)
			discovery->next->previous = discovery->previous;
	}
	discovery->release = sd_event_source_disable_unref(discovery->release);
	stop(discovery);
	discovery_part_endpoint(discovery);
	(void)settings_free(discovery->settings);
	(void)secret_free(discovery->secret);
	(void)secret_free(discovery->target_secret);
	free(discovery->asked_address);
	free(discovery->address);
	free(discovery->target_name);
	free(discovery->source_address);
	free(discovery->net_device);
	free(discovery->adapter);
	free(discovery);
	return NULL;
}
