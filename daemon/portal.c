/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Of the addresses of a name each gets a short time alone before the next one joins in, and the
 * first that is connected wins (Happy Eyeballs, RFC 8305).
 */
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "poller.h"
#include "portal.h"
#include "portal_addresses.h"

/* RFC 8305, section 5: Connection Attempt Delay. */
#define ATTEMPT_DELAY_USEC          UINT64_C(250000)
#define ATTEMPT_DELAY_ACCURACY_USEC UINT64_C(10000)

static const char scope_missing[] = "a link-local address needs its network interface";

/* One address, and the socket on its way there. */
struct attempt {
	struct portal_connect *connect;
	union ip_address address;
	int fd;
	struct poller_entry *entry;
	sd_event_source *timer;
};

struct portal_connect {
	struct poller *poller;
	sd_event *event;
	const struct portal_callbacks *callbacks;
	void *userdata;

	char net_device[IFNAMSIZ];
	uint16_t port;
	int window_size, type_of_service;
	uint64_t connect_usec, deadline_usec;
	union ip_address source; /* AF_UNSPEC: any */

	struct portal_addresses *addresses; /* until they are known */
	struct attempt *attempts;           /* in the order in which they are made */
	size_t n_attempts, n_begun, n_ended;
	int error; /* of the last one that failed */
	enum event_number reported;

	sd_event_source *timer; /* until the next attempt */
};

static void raise_event(struct portal_connect *c, struct event *event)
{
	if (event)
		c->callbacks->raise(c->userdata, event);
}

/* Where the system's text does not tell what to look at. */
static const struct {
	enum event_number event;
	int error; /* 0: whatever */
	const char *text;
} failures[] = {
	{ EVENT_RESOLVE_FAILED, 0, "the name cannot be looked up" },
	{ EVENT_CONNECT_FAILED, -EAFNOSUPPORT,
	  "this host does not have the portal's version of IP" },
	{ EVENT_PORTAL_SETUP_FAILED, -EINVAL, scope_missing },
	{ EVENT_PORTAL_SETUP_FAILED, -ENODEV, "this host has no such network device" },
	{ EVENT_PORTAL_SETUP_FAILED, -EADDRNOTAVAIL, "this host does not have the source address" },
	{ EVENT_PORTAL_TYPE_MISMATCH, 0, "the source address is of the other version of IP" },
	{ EVENT_WORKITEM_RESOURCES, -EAGAIN, "the system allows this service no further thread" },
	{ EVENT_WORKITEM_RESOURCES, -ENOBUFS, "thousands of names wait for the name service" },
};

const char *portal_failure_text(int error, enum event_number event)
{
	for (size_t i = 0; i < ELEMENTSOF(failures); i++)
		if (failures[i].event == event &&
		    (failures[i].error == error || failures[i].error == 0))
			return failures[i].text;
	return strerror(-error);
}

static struct event *error_event(enum event_number number, int error)
{
	struct event *event = event_new(number);

	event_set_status(event, (uint64_t)-error, portal_failure_text(error, number));
	return event;
}

/* Attempts */

static void end_attempt(struct attempt *attempt)
{
	attempt->timer = sd_event_source_disable_unref(attempt->timer);
	attempt->entry = poller_remove(attempt->entry);
	attempt->fd = close_fd(attempt->fd);
}

static void end_attempts(struct portal_connect *c)
{
	c->timer = sd_event_source_disable_unref(c->timer);
	for (size_t i = 0; i < c->n_attempts; i++)
		end_attempt(&c->attempts[i]);
}

/* Ends the attempt, reported by @event, which tells whether others go on. */
static void attempt_failed(struct attempt *attempt, int error, struct event *event,
			   enum event_number number)
{
	struct portal_connect *c = attempt->connect;

	end_attempt(attempt);
	c->n_ended++;
	c->error = error;
	c->reported = number;
	event_set_outcome(event, c->n_ended < c->n_attempts ? EVENT_OUTCOME_CONTINUED
							    : EVENT_OUTCOME_FAILED);
	raise_event(c, event);
}

/* Event 1 carries the address and the port, whatever the reason. */
static void connect_failed(struct attempt *attempt, int error)
{
	struct event *event = error_event(EVENT_CONNECT_FAILED, error);
	char host[64];

	ip_address_format(&attempt->address, host);
	event_set_string(event, FIELD_DUMP_ADDRESS, host);
	event_set_number(event, FIELD_DUMP_PORT, attempt->connect->port);
	attempt_failed(attempt, error, event, EVENT_CONNECT_FAILED);
}

static void connect_succeeded(struct attempt *attempt)
{
	struct portal_connect *c = attempt->connect;
	struct portal_connected connected = { 0 };
	union ip_address local = { 0 };
	socklen_t length = sizeof(local);

	ip_address_format(&attempt->address, connected.address);
	if (getsockname(attempt->fd, &local.any, &length) == 0) {
		ip_address_format(&local, connected.local_address);
		connected.local_port = ntohs(local.any.sa_family == AF_INET ? local.ipv4.sin_port
									    : local.ipv6.sin6_port);
	}
	attempt->entry = poller_remove(attempt->entry);
	connected.fd = TAKE_FD(attempt->fd);
	end_attempts(c);
	c->callbacks->connected(c->userdata, &connected);
}

static void go_on(struct portal_connect *c);

static void connect_ready(void *userdata, uint32_t revents)
{
	struct attempt *attempt = userdata;
	struct portal_connect *c = attempt->connect;
	socklen_t length = sizeof(int);
	int error = 0;

	/* Without one of these there is no error to ask for. */
	if (revents & (EPOLLERR | EPOLLHUP) &&
	    getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		error = errno;
	if (error) {
		connect_failed(attempt, -error);
		go_on(c);
	} else {
		connect_succeeded(attempt);
	}
}

static int connect_timed_out(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct attempt *attempt = userdata;
	struct portal_connect *c = attempt->connect;

	connect_failed(attempt, -ETIMEDOUT);
	go_on(c);
	return 0;
}

/* The initiator's portal: what the settings ask for and the system must grant. Returns an errno,
 * event 5. */
static int prepare_source(const struct portal_connect *c, int fd)
{
	if (c->net_device[0] && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, c->net_device,
					   (socklen_t)strlen(c->net_device)) < 0)
		return -errno;
	if (c->source.any.sa_family != AF_UNSPEC &&
	    bind(fd, &c->source.any, ip_address_length(&c->source)) < 0)
		return -errno;
	return 0;
}

static void prepare_options(struct attempt *attempt)
{
	struct portal_connect *c = attempt->connect;
	int on = 1, tos = c->type_of_service, fd = attempt->fd;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0) {
		struct event *event = error_event(EVENT_NODELAY_FAILED, -errno);

		event_set_outcome(event, EVENT_OUTCOME_CONTINUED);
		raise_event(c, event);
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (c->window_size > 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &c->window_size, sizeof(int));
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &c->window_size, sizeof(int));
	}
	if (tos > 0 && attempt->address.any.sa_family == AF_INET)
		(void)setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
	else if (tos > 0)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
}

/* 1: connected, and reported; 0: under way; negative: failed, and reported. */
static int start_attempt(struct attempt *attempt)
{
	struct portal_connect *c = attempt->connect;
	const union ip_address *address = &attempt->address;
	int r;

	attempt->fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			     IPPROTO_TCP);
	if (attempt->fd < 0) {
		r = -errno;
		if (r == -EAFNOSUPPORT)
			connect_failed(attempt, r);
		else
			attempt_failed(attempt, r, error_event(EVENT_REQUEST_RESOURCES, r),
				       EVENT_REQUEST_RESOURCES);
		return r;
	}
	r = prepare_source(c, attempt->fd);
	if (r < 0) {
		attempt_failed(attempt, r, error_event(EVENT_PORTAL_SETUP_FAILED, r),
			       EVENT_PORTAL_SETUP_FAILED);
		return r;
	}
	prepare_options(attempt);
	if (connect(attempt->fd, &address->any, ip_address_length(address)) == 0) {
		connect_succeeded(attempt);
		return 1;
	}
	r = -errno;
	if (r == -EINPROGRESS)
		r = poller_add(c->poller, attempt->fd, EPOLLOUT, connect_ready, attempt,
			       &attempt->entry);
	if (r >= 0)
		r = sd_event_add_time(c->event, &attempt->timer, CLOCK_MONOTONIC,
				      deadline_of_step(c->event, c->connect_usec, c->deadline_usec),
				      0, connect_timed_out, attempt);
	if (r < 0)
		connect_failed(attempt, r);
	return r < 0 ? r : 0;
}

static int next_attempt_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	go_on(userdata);
	return 0;
}

/* Makes the next attempt, and one after the other while they fail at once. Ends when all have. */
static void go_on(struct portal_connect *c)
{
	int r = -EAGAIN;

	c->timer = sd_event_source_disable_unref(c->timer);
	while (r < 0 && c->n_begun < c->n_attempts)
		r = start_attempt(&c->attempts[c->n_begun++]);
	if (r > 0)
		return;
	if (c->n_ended == c->n_attempts) {
		c->callbacks->failed(c->userdata, c->error, c->reported);
		return;
	}
	if (c->n_begun == c->n_attempts)
		return;
	r = sd_event_add_time_relative(c->event, &c->timer, CLOCK_MONOTONIC, ATTEMPT_DELAY_USEC,
				       ATTEMPT_DELAY_ACCURACY_USEC, next_attempt_due, c);
	/* Without a timer the next one waits for the end of this one. */
	if (r < 0)
		raise_event(c, error_event(EVENT_WORKITEM_RESOURCES, r));
}

static void fail_unattempted(struct portal_connect *c, int error, enum event_number number,
			     struct event *event)
{
	event_set_outcome(event, EVENT_OUTCOME_FAILED);
	raise_event(c, event);
	c->callbacks->failed(c->userdata, error, number);
}

/* On which link is a link-local address? */
static bool scope_is_missing(const struct portal_connect *c)
{
	const union ip_address *address = &c->attempts[0].address;

	return c->n_attempts == 1 && ip_address_is_link_local(address) &&
	       address->ipv6.sin6_scope_id == 0 && c->source.ipv6.sin6_scope_id == 0 &&
	       !c->net_device[0];
}

static void begin_attempts(struct portal_connect *c)
{
	struct event *event;

	if (!scope_is_missing(c)) {
		go_on(c);
		return;
	}
	event = event_new(EVENT_PORTAL_SETUP_FAILED);
	event_set_status(event, EINVAL, scope_missing);
	fail_unattempted(c, -EINVAL, EVENT_PORTAL_SETUP_FAILED, event);
}

/* Addresses to try */

static int add_attempts(struct portal_connect *c, const union ip_address *addresses, size_t n)
{
	c->attempts = calloc(n, sizeof(*c->attempts));
	if (!c->attempts)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		c->attempts[i] = (struct attempt){
			.connect = c,
			.address = addresses[i],
			.fd = -EBADF,
		};
	c->n_attempts = n;
	return 0;
}

static void addresses_known(void *userdata, union ip_address *found, size_t n,
			    const struct portal_addresses_failure *failure)
{
	_cleanup_free_ union ip_address *addresses = found;
	struct portal_connect *c = userdata;

	if (!failure || failure->resolved)
		c->callbacks->resolved(c->userdata);
	if (failure)
		fail_unattempted(c, failure->error, failure->number, failure->event);
	else if (add_attempts(c, addresses, n) < 0)
		fail_unattempted(c, -ENOMEM, EVENT_PORTAL_SETUP_FAILED,
				 error_event(EVENT_PORTAL_SETUP_FAILED, -ENOMEM));
	else
		begin_attempts(c);
}

static int begin(struct portal_connect *c, struct work *resolver,
		 const struct portal_config *config)
{
	struct portal_addresses_config addresses = {
		.address = config->address,
		.port = config->port,
		.timeout_seconds = config->resolve_timeout_seconds,
		.deadline_usec = config->deadline_usec,
	};

	if (config->source_address) {
		addresses.error = ip_address_parse(config->source_address, 0, &c->source);
		if (addresses.error == -EINVAL)
			return -EINVAL;
	}
	/* The family the source is bound to must be the portal's. */
	addresses.family = c->source.any.sa_family;
	return portal_addresses_new(c->poller, resolver, &addresses, addresses_known, c,
				    &c->addresses);
}

int portal_connect_new(struct poller *poller, struct work *resolver,
		       const struct portal_config *config, const struct portal_callbacks *callbacks,
		       void *userdata, struct portal_connect **ret)
{
	_cleanup_(portal_connect_freep) struct portal_connect *c = NULL;
	int r;

	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->poller = poller;
	c->event = poller_event(poller);
	c->callbacks = callbacks;
	c->userdata = userdata;
	c->port = config->port;
	c->window_size = config->window_size;
	c->type_of_service = config->type_of_service;
	c->connect_usec = (uint64_t)config->connect_timeout_seconds * 1000000;
	c->deadline_usec = config->deadline_usec;
	if (config->net_device)
		(void)snprintf(c->net_device, sizeof(c->net_device), "%s", config->net_device);
	r = begin(c, resolver, config);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

struct portal_connect *portal_connect_free(struct portal_connect *c)
{
	if (!c)
		return NULL;
	c->addresses = portal_addresses_free(c->addresses);
	end_attempts(c);
	free(c->attempts);
	free(c);
	return NULL;
}
