/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel connects while nobody waits for it, and has to be asked whether it has. It executes
 * each question under a lock that all of the machine shares, so they become rarer and rarer.
 * Adapters connect to one address at a time: many have room for few connections. A request cannot
 * be called back, so an endpoint outlives whoever wants it no more.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "endpoint.h"
#include "manager.h"
#include "manager_private.h"
#include "parse.h"
#include "path.h"
#include "portal.h"
#include "portal_addresses.h"
#include "turn.h"

/*
 * The pause before the next question is so much of the time the connection has taken so far: an
 * answer is late by little more than that, and many questions do not follow each other closely.
 */
#define POLL_SHARE      4
#define POLL_LEAST_USEC UINT64_C(1000)
#define POLL_MOST_USEC  UINT64_C(256000)
/* Before others go on with their logins: a connection that is there must not wait for them. */
#define POLL_PRIORITY (SD_EVENT_PRIORITY_NORMAL - 10)

/* When memory was short. */
#define PART_AGAIN_USEC UINT64_C(1000000)

struct endpoint {
	struct endpoint *next;            /* manager->endpoints: could not be ended yet */
	struct endpoint_connect *connect; /* waits for it; NULL: nobody does (any more) */
	struct manager *manager;
	const struct transport *transport;
	uint64_t handle; /* 0: the kernel has not made it (yet) */
	bool pending;    /* a request is under way */
	bool bound, wanted;
	sd_event_source *again;
};

struct endpoint_connect {
	struct endpoint_connect *next, **previous; /* manager->connects */
	struct manager *manager;
	const struct endpoint_callbacks *callbacks;
	void *userdata;
	struct transport *transport;
	uint32_t host;
	char interface[INTERFACE_NAME_MAX + 1]; /* empty: none */
	uint16_t port;
	uint64_t connect_usec, deadline_usec;

	struct portal_addresses *lookup; /* until they are known */
	union ip_address *addresses;
	size_t n_addresses, n_begun;

	/* Of the address being tried */
	struct endpoint *endpoint;
	struct path *path; /* that the adapter asked for, until it has the answer */
	uint64_t begun_usec;
	sd_event_source *poll, *timeout;
};

/* The port */

int endpoint_choose_host(const struct manager *manager, const struct transport *transport,
			 const char *wanted, uint32_t *ret)
{
	*ret = KERNEL_HOST_ANY;
	if (!(transport->quirks & TRANSPORT_ADAPTERS) ||
	    (!wanted && !(transport->quirks & TRANSPORT_HOST_NEEDED)))
		return 0;
	return sysfs_host_find(&manager->sysfs, transport->proc_name, wanted, ret);
}

const char *endpoint_host_fault(int error)
{
	return error == -ENOTUNIQ ? "there are several ports of the adapter, and the setting "
				    "adapter names none of them"
				  : "there is no such port of an adapter";
}

/* An endpoint */

static int endpoint_new(struct endpoint_connect *connect, struct endpoint **ret)
{
	struct endpoint *endpoint = malloc(sizeof(*endpoint));

	if (!endpoint)
		return -ENOMEM;
	*endpoint = (struct endpoint){
		.connect = connect,
		.manager = connect->manager,
		.transport = connect->transport,
		.wanted = true,
	};
	*ret = endpoint;
	return 0;
}

uint64_t endpoint_get_handle(const struct endpoint *endpoint)
{
	return endpoint->handle;
}

void endpoint_set_bound(struct endpoint *endpoint)
{
	endpoint->bound = true;
}

bool endpoint_is_bound(const struct endpoint *endpoint)
{
	return endpoint && endpoint->bound;
}

static struct kernel_batch *new_batch(const struct endpoint *endpoint)
{
	return kernel_batch_new(endpoint->manager->kernel, endpoint->transport->handle,
				KERNEL_SESSION_NEW);
}

static int request(struct endpoint *endpoint, struct kernel_batch *batch, kernel_done_t done)
{
	int r = kernel_batch_submit(batch, done, endpoint);

	endpoint->pending = r >= 0;
	return r;
}

static void part(struct endpoint *endpoint);

static int part_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct endpoint *endpoint = userdata, **p = &endpoint->manager->endpoints;

	endpoint->again = sd_event_source_disable_unref(endpoint->again);
	while (*p != endpoint)
		p = &(*p)->next;
	*p = endpoint->next;
	part(endpoint);
	return 0;
}

static void parted(void *userdata, const struct kernel_result *result)
{
	free(userdata);
}

/*
 * One that is bound ends with its connection, if there is no memory to have it ended before that;
 * its number must not be used later.
 */
static void part(struct endpoint *endpoint)
{
	struct manager *manager = endpoint->manager;
	struct kernel_batch *batch;

	if (endpoint->handle == 0 || manager->state == MANAGER_STOPPING) {
		free(endpoint);
		return;
	}
	batch = new_batch(endpoint);
	kernel_batch_disconnect_endpoint(batch, endpoint->handle);
	if (request(endpoint, batch, parted) >= 0)
		return;
	if (endpoint->bound ||
	    sd_event_add_time_relative(manager->event, &endpoint->again, CLOCK_MONOTONIC,
				       PART_AGAIN_USEC, 0, part_again, endpoint) < 0) {
		free(endpoint);
		return;
	}
	endpoint->next = manager->endpoints;
	manager->endpoints = endpoint;
}

struct endpoint *endpoint_free(struct endpoint *endpoint)
{
	if (!endpoint)
		return NULL;
	endpoint->connect = NULL;
	endpoint->wanted = false;
	if (!endpoint->pending)
		part(endpoint);
	return NULL;
}

struct endpoint *endpoint_forget(struct endpoint *endpoint)
{
	free(endpoint);
	return NULL;
}

void endpoint_forget_all(struct manager *manager)
{
	while (manager->endpoints) {
		struct endpoint *endpoint = manager->endpoints;

		manager->endpoints = endpoint->next;
		endpoint->again = sd_event_source_disable_unref(endpoint->again);
		free(endpoint);
	}
}

/* A request has been executed; NULL: nobody waits for that, or the daemon ends. */
static struct endpoint_connect *returned(struct endpoint *endpoint,
					 const struct kernel_result *result)
{
	endpoint->pending = false;
	if (!endpoint->wanted) {
		part(endpoint);
		return NULL;
	}
	return result->error == -ECANCELED ? NULL : endpoint->connect;
}

/* Ends the attempt under way, and what the kernel has of it. */
static void end_attempt(struct endpoint_connect *c)
{
	c->poll = sd_event_source_disable_unref(c->poll);
	c->timeout = sd_event_source_disable_unref(c->timeout);
	/* Before the endpoint, whose end would wait for the answer. */
	c->path = path_cancel(c->path);
	c->endpoint = endpoint_free(c->endpoint);
}

/* Failures */

/* What a refusal to connect means; of rows that fit the first. */
static const struct {
	int error;      /* 0: whatever */
	unsigned quirk; /* of the transport; 0: any */
	enum event_number event;
	const char *text; /* NULL: the system's */
} refusals[] = {
	{ -EFAULT, 0, EVENT_ADDRESS_MAPPING, NULL },
	{ -ENOSPC, 0, EVENT_CONNECTION_RESOURCES, "the adapter has no room for a connection" },
	{ -EBUSY, 0, EVENT_CONNECTION_RESOURCES, "the adapter has no room for a connection" },
	{ -ENOMEM, 0, EVENT_CONNECTION_RESOURCES, NULL },
	{ -EAGAIN, 0, EVENT_CONNECTION_RESOURCES, NULL },
	{ -ESRCH, TRANSPORT_PATH_REQUESTS, EVENT_PORTAL_SETUP_FAILED,
	  "nobody answers the adapter's requests for a path" },
	{ -ENODEV, TRANSPORT_PATH_REQUESTS, EVENT_PORTAL_SETUP_FAILED,
	  "nobody is there who would answer the adapter's requests for a path" },
	{ -ENODEV, 0, EVENT_PORTAL_SETUP_FAILED, "the adapter is not there" },
	{ -ENXIO, 0, EVENT_PORTAL_SETUP_FAILED, "the adapter is not there" },
	{ -ENETDOWN, 0, EVENT_PORTAL_SETUP_FAILED, NULL },
	/* The module may have been loaded anew, too. */
	{ -EINVAL, 0, EVENT_PORTAL_SETUP_FAILED, "no adapter of this transport leads there" },
	{ 0, 0, EVENT_CONNECT_FAILED, NULL },
};

static void raise_event(struct endpoint_connect *c, struct event *event)
{
	if (event)
		c->callbacks->raise(c->userdata, event);
}

static void try_next(struct endpoint_connect *c);

/* Of the address being tried. Event 1 carries the address and the port, whatever the reason. */
static void attempt_failed(struct endpoint_connect *c, int error, enum event_number number,
			   const char *text)
{
	bool last = c->n_begun == c->n_addresses;
	struct event *event = event_new(number);
	char host[64];

	if (!text)
		text = strerror(-error);
	end_attempt(c);
	event_set_status(event, (uint64_t)-error, text);
	if (number == EVENT_CONNECT_FAILED) {
		ip_address_format(&c->addresses[c->n_begun - 1], host);
		event_set_string(event, FIELD_DUMP_ADDRESS, host);
		event_set_number(event, FIELD_DUMP_PORT, c->port);
	}
	event_set_outcome(event, last ? EVENT_OUTCOME_FAILED : EVENT_OUTCOME_CONTINUED);
	raise_event(c, event);
	if (last)
		c->callbacks->failed(c->userdata, error, number, text);
	else
		try_next(c);
}

static void refused(struct endpoint_connect *c, int error)
{
	size_t i = 0;

	/* The last row fits everything. */
	while ((refusals[i].error != 0 && refusals[i].error != error) ||
	       (refusals[i].quirk != 0 && !(c->transport->quirks & refusals[i].quirk)))
		i++;
	if (error == -EINVAL)
		c->transport->loaded = false;
	attempt_failed(c, error, refusals[i].event, refusals[i].text);
}

/* Connecting */

static int timed_out(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct endpoint_connect *c = userdata;
	bool blind = c->transport->quirks & TRANSPORT_POLL_BLIND;

	attempt_failed(c, -ETIMEDOUT, EVENT_CONNECT_FAILED,
		       blind ? "no connection in time; this adapter does not tell why" : NULL);
	return 0;
}

static void ask(struct endpoint_connect *c);

static int ask_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct endpoint_connect *c = userdata;

	c->poll = sd_event_source_disable_unref(c->poll);
	ask(c);
	return 0;
}

static int ask_later(struct endpoint_connect *c)
{
	uint64_t pause = (turn_usec(CLOCK_MONOTONIC) - c->begun_usec) / POLL_SHARE;
	int r;

	if (pause < POLL_LEAST_USEC)
		pause = POLL_LEAST_USEC;
	if (pause > POLL_MOST_USEC)
		pause = POLL_MOST_USEC;
	r = sd_event_add_time_relative(c->manager->event, &c->poll, CLOCK_MONOTONIC, pause,
				       pause / POLL_SHARE, ask_again, c);
	return r < 0 ? r : sd_event_source_set_priority(c->poll, POLL_PRIORITY);
}

/* An errno of a poll says little: drivers have one for all that can happen. */
static const char *poll_text(const struct endpoint_connect *c)
{
	return c->transport->quirks & TRANSPORT_RDMA
		       ? "the RDMA connection was refused, or there is no way to the portal"
		       : "the adapter could not connect";
}

static void asked(void *userdata, const struct kernel_result *result)
{
	struct endpoint_connect *c = returned(userdata, result);
	struct endpoint *endpoint;
	char address[64];
	int r;

	if (!c)
		return;
	if (result->error < 0) {
		attempt_failed(c, result->error, EVENT_CONNECT_FAILED, poll_text(c));
		return;
	}
	if (!result->connected) {
		r = ask_later(c);
		if (r < 0)
			attempt_failed(c, r, EVENT_WORKITEM_RESOURCES, NULL);
		return;
	}
	endpoint = TAKE_PTR(c->endpoint);
	endpoint->connect = NULL;
	end_attempt(c);
	ip_address_format(&c->addresses[c->n_begun - 1], address);
	c->callbacks->connected(c->userdata, endpoint, address);
}

static void ask(struct endpoint_connect *c)
{
	struct kernel_batch *batch = new_batch(c->endpoint);
	int r;

	kernel_batch_poll_endpoint(batch, c->endpoint->handle);
	r = request(c->endpoint, batch, asked);
	if (r < 0)
		attempt_failed(c, r, EVENT_CONNECTION_RESOURCES, NULL);
}

static void begun(void *userdata, const struct kernel_result *result)
{
	struct endpoint *endpoint = userdata;
	struct endpoint_connect *c;

	endpoint->handle = result->endpoint;
	c = returned(endpoint, result);
	if (!c)
		return;
	if (result->error < 0) {
		refused(c, result->error);
		return;
	}
	c->begun_usec = turn_usec(CLOCK_MONOTONIC);
	ask(c);
}

static int begin_endpoint(struct endpoint_connect *c, const union ip_address *address)
{
	struct kernel_batch *batch;
	int r;

	r = endpoint_new(c, &c->endpoint);
	if (r < 0)
		return r;
	batch = new_batch(c->endpoint);
	kernel_batch_connect_endpoint(batch, c->host, &address->any, ip_address_length(address));
	r = request(c->endpoint, batch, begun);
	if (r < 0)
		return r;
	return sd_event_add_time(
		c->manager->event, &c->timeout, CLOCK_MONOTONIC,
		deadline_of_step(c->manager->event, c->connect_usec, c->deadline_usec), 0,
		timed_out, c);
}

static void try_next(struct endpoint_connect *c)
{
	int r = begin_endpoint(c, &c->addresses[c->n_begun++]);

	if (r < 0)
		attempt_failed(c, r, EVENT_CONNECTION_RESOURCES, NULL);
}

/* Paths */

static bool is_target(const union ip_address *address, const struct iscsi_kernel_path *request)
{
	if (address->any.sa_family == AF_INET6)
		return request->address_length == 16 &&
		       memcmp(&address->ipv6.sin6_addr, request->target, 16) == 0;
	return request->address_length == 4 &&
	       memcmp(&address->ipv4.sin_addr, request->target, 4) == 0;
}

/* The handle is of the connect's own transport: others may have had it, and are gone. */
struct endpoint_connect *endpoint_find_asking(const struct manager *manager,
					      uint64_t transport_handle, uint32_t host,
					      const struct iscsi_kernel_path *request)
{
	struct endpoint_connect *c = manager->connects;

	while (c && (c->transport->handle != transport_handle || !c->endpoint || c->path ||
		     (c->host != host && c->host != KERNEL_HOST_ANY) ||
		     !is_target(&c->addresses[c->n_begun - 1], request)))
		c = c->next;
	return c;
}

const struct transport *endpoint_get_transport(const struct endpoint_connect *c)
{
	return c->transport;
}

const char *endpoint_get_interface(const struct endpoint_connect *c)
{
	return c->interface[0] ? c->interface : NULL;
}

void endpoint_set_path(struct endpoint_connect *c, struct path *path)
{
	c->path = path;
}

void endpoint_path_done(struct endpoint_connect *c, int error, const char *text)
{
	c->path = NULL;
	if (error < 0)
		attempt_failed(c, error, EVENT_PATH_UNRESOLVED, text);
}

/* Addresses */

static void fail_unattempted(struct endpoint_connect *c,
			     const struct portal_addresses_failure *failure)
{
	event_set_outcome(failure->event, EVENT_OUTCOME_FAILED);
	raise_event(c, failure->event);
	c->callbacks->failed(c->userdata, failure->error, failure->number,
			     failure->number == EVENT_PORTAL_TYPE_MISMATCH
				     ? "the adapter knows no IPv6"
				     : portal_failure_text(failure->error, failure->number));
}

static void addresses_known(void *userdata, union ip_address *addresses, size_t n,
			    const struct portal_addresses_failure *failure)
{
	struct endpoint_connect *c = userdata;

	c->addresses = addresses;
	c->n_addresses = n;
	if (!failure || failure->resolved)
		c->callbacks->resolved(c->userdata);
	if (failure)
		fail_unattempted(c, failure);
	else
		try_next(c);
}

static int begin(struct endpoint_connect *c, const struct endpoint_config *config)
{
	const struct portal_addresses_config addresses = {
		.address = config->address,
		.port = config->port,
		.family = c->transport->quirks & TRANSPORT_IPV4_ONLY ? AF_INET : AF_UNSPEC,
		.timeout_seconds = config->resolve_timeout_seconds,
		.deadline_usec = config->deadline_usec,
	};

	return portal_addresses_new(c->manager->poller, c->manager->resolver, &addresses,
				    addresses_known, c, &c->lookup);
}

int endpoint_connect_new(struct manager *manager, const struct endpoint_config *config,
			 const struct endpoint_callbacks *callbacks, void *userdata,
			 struct endpoint_connect **ret)
{
	_cleanup_(endpoint_connect_freep) struct endpoint_connect *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->manager = manager;
	c->callbacks = callbacks;
	c->userdata = userdata;
	c->transport = config->transport;
	c->host = config->host;
	c->port = config->port;
	c->connect_usec = (uint64_t)config->connect_timeout_seconds * 1000000;
	c->deadline_usec = config->deadline_usec;
	(void)snprintf(c->interface, sizeof(c->interface), "%s", config->interface ?: "");
	r = begin(c, config);
	if (r < 0)
		return r;
	c->next = manager->connects;
	c->previous = &manager->connects;
	if (c->next)
		c->next->previous = &c->next;
	manager->connects = c;
	*ret = TAKE_PTR(c);
	return 0;
}

struct endpoint_connect *endpoint_connect_free(struct endpoint_connect *c)
{
	if (!c)
		return NULL;
	c->lookup = portal_addresses_free(c->lookup);
	end_attempt(c);
	if (c->previous)
		*c->previous = c->next;
	if (c->next)
		c->next->previous = c->previous;
	free(c->addresses);
	free(c);
	return NULL;
}
