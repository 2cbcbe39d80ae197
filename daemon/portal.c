/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "portal.h"

/* A name lookup in a worker; outlives the connect that asked when that is cancelled. */
struct lookup {
	struct portal_connect *connect;
	char host[PORTAL_ADDRESS_MAX];
	char service[8];
	struct addrinfo *addresses;
	int gai_error;
};

struct portal_connect {
	sd_event *event;
	const struct portal_callbacks *callbacks;
	void *userdata;

	char address[PORTAL_ADDRESS_MAX];
	char source_address[64];
	char net_device[IFNAMSIZ];
	uint16_t port;
	int window_size, type_of_service;
	uint64_t timeout_usec;

	struct lookup *lookup;
	struct addrinfo *addresses, *current;
	struct sockaddr_storage source;
	socklen_t source_length; /* 0: any */

	int fd;
	sd_event_source *io, *timer, *start;
};

static void connect_next(struct portal_connect *c, int error, enum event_number reported);

static void raise_event(struct portal_connect *c, struct event *event)
{
	if (event)
		c->callbacks->raise(c->userdata, event);
}

static struct event *error_event(enum event_number number, int error)
{
	struct event *event = event_new(number);

	event_set_errno(event, error);
	return event;
}

static void stop_attempt(struct portal_connect *c)
{
	c->timer = sd_event_source_disable_unref(c->timer);
	c->io = sd_event_source_disable_unref(c->io);
	c->fd = close_fd(c->fd);
}

/* Event 1 carries the address and the port, whatever the reason. */
static void connect_failed(struct portal_connect *c, int error)
{
	char host[64] = "";
	struct event *event;

	(void)getnameinfo(c->current->ai_addr, c->current->ai_addrlen, host, sizeof(host), NULL, 0,
			  NI_NUMERICHOST);
	event = error_event(EVENT_CONNECT_FAILED, error);
	event_set_string(event, FIELD_DUMP_ADDRESS, host);
	event_set_number(event, FIELD_DUMP_PORT, c->port);
	event_set_outcome(event,
			  c->current->ai_next ? EVENT_OUTCOME_CONTINUED : EVENT_OUTCOME_FAILED);
	raise_event(c, event);
	stop_attempt(c);
	connect_next(c, error, EVENT_CONNECT_FAILED);
}

static void connect_succeeded(struct portal_connect *c)
{
	struct portal_connected connected = { 0 };
	struct sockaddr_storage local;
	socklen_t length = sizeof(local);
	char service[8] = "0";

	(void)getnameinfo(c->current->ai_addr, c->current->ai_addrlen, connected.address,
			  sizeof(connected.address), NULL, 0, NI_NUMERICHOST);
	if (getsockname(c->fd, (struct sockaddr *)&local, &length) == 0)
		(void)getnameinfo((struct sockaddr *)&local, length, connected.local_address,
				  sizeof(connected.local_address), service, sizeof(service),
				  NI_NUMERICHOST | NI_NUMERICSERV);
	connected.local_port = (uint16_t)atoi(service);
	c->io = sd_event_source_disable_unref(c->io);
	c->timer = sd_event_source_disable_unref(c->timer);
	connected.fd = TAKE_FD(c->fd);
	c->callbacks->connected(c->userdata, &connected);
}

static int connect_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct portal_connect *c = userdata;
	socklen_t length = sizeof(int);
	int error = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		error = errno;
	if (error)
		connect_failed(c, -error);
	else
		connect_succeeded(c);
	return 0;
}

static int connect_timed_out(sd_event_source *source, uint64_t usec, void *userdata)
{
	connect_failed(userdata, -ETIMEDOUT);
	return 0;
}

static int arm_timer(struct portal_connect *c, sd_event_time_handler_t handler)
{
	c->timer = sd_event_source_disable_unref(c->timer);
	return sd_event_add_time_relative(c->event, &c->timer, CLOCK_MONOTONIC, c->timeout_usec, 0,
					  handler, c);
}

/* The initiator's portal: what the settings ask for and the system must grant. Returns an errno,
 * event 5. */
static int prepare_source(struct portal_connect *c)
{
	if (c->net_device[0] && setsockopt(c->fd, SOL_SOCKET, SO_BINDTODEVICE, c->net_device,
					   (socklen_t)strlen(c->net_device)) < 0)
		return -errno;
	if (c->source_length > 0 &&
	    bind(c->fd, (struct sockaddr *)&c->source, c->source_length) < 0)
		return -errno;
	return 0;
}

static void prepare_options(struct portal_connect *c)
{
	int on = 1, tos = c->type_of_service;

	if (setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0) {
		struct event *event = error_event(EVENT_NODELAY_FAILED, -errno);

		event_set_outcome(event, EVENT_OUTCOME_CONTINUED);
		raise_event(c, event);
	}
	(void)setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (c->window_size > 0) {
		(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &c->window_size, sizeof(int));
		(void)setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &c->window_size, sizeof(int));
	}
	if (tos > 0 && c->current->ai_family == AF_INET)
		(void)setsockopt(c->fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
	else if (tos > 0)
		(void)setsockopt(c->fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
}

/* The address family the source is bound to must be the portal's. */
static bool family_matches(struct portal_connect *c)
{
	struct event *event;

	if (c->source_length == 0 || c->source.ss_family == c->current->ai_family)
		return true;
	event = event_new(EVENT_PORTAL_TYPE_MISMATCH);
	event_set_string(event, FIELD_DUMP_IP_TYPE,
			 c->source.ss_family == AF_INET ? "IPv4" : "IPv6");
	event_set_outcome(event,
			  c->current->ai_next ? EVENT_OUTCOME_CONTINUED : EVENT_OUTCOME_FAILED);
	raise_event(c, event);
	return false;
}

static void start_attempt(struct portal_connect *c)
{
	int r;

	if (!family_matches(c)) {
		connect_next(c, -EAFNOSUPPORT, EVENT_PORTAL_TYPE_MISMATCH);
		return;
	}
	c->fd = socket(c->current->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       IPPROTO_TCP);
	if (c->fd < 0) {
		r = -errno;
		raise_event(c, error_event(EVENT_REQUEST_RESOURCES, r));
		connect_next(c, r, EVENT_REQUEST_RESOURCES);
		return;
	}
	r = prepare_source(c);
	if (r < 0) {
		raise_event(c, error_event(EVENT_PORTAL_SETUP_FAILED, r));
		stop_attempt(c);
		connect_next(c, r, EVENT_PORTAL_SETUP_FAILED);
		return;
	}
	prepare_options(c);
	if (connect(c->fd, c->current->ai_addr, c->current->ai_addrlen) == 0) {
		connect_succeeded(c);
		return;
	}
	r = -errno;
	if (r == -EINPROGRESS)
		r = sd_event_add_io(c->event, &c->io, c->fd, EPOLLOUT, connect_ready, c);
	if (r >= 0)
		r = arm_timer(c, connect_timed_out);
	if (r < 0)
		connect_failed(c, r);
}

/* Goes to the next address, or ends with the last failure. */
static void connect_next(struct portal_connect *c, int error, enum event_number reported)
{
	c->current = c->current->ai_next;
	if (c->current)
		start_attempt(c);
	else
		c->callbacks->failed(c->userdata, error, reported);
}

static int gai_errno(int error)
{
	switch (error) {
	case EAI_SYSTEM:
		return -EIO;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_AGAIN:
		return -EAGAIN;
	default:
		return -EADDRNOTAVAIL;
	}
}

/* The errors of a lookup have no number of their own among those of the system. */
const char *portal_failure_text(int error, enum event_number event)
{
	return event == EVENT_RESOLVE_FAILED ? "the name cannot be looked up" : strerror(-error);
}

static int resolve(struct lookup *lookup, int flags)
{
	struct addrinfo hints = { .ai_flags = flags | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };

	return getaddrinfo(lookup->host, lookup->service, &hints, &lookup->addresses);
}

static struct lookup *lookup_free(struct lookup *lookup)
{
	if (lookup) {
		if (lookup->addresses)
			freeaddrinfo(lookup->addresses);
		free(lookup);
	}
	return NULL;
}

static int lookup_run(void *argument)
{
	struct lookup *lookup = argument;

	lookup->gai_error = resolve(lookup, AI_ADDRCONFIG);
	return 0;
}

static void resolve_failed(struct portal_connect *c, int error, const char *text)
{
	struct event *event = event_new(EVENT_RESOLVE_FAILED);

	event_set_string(event, FIELD_ADDRESS, c->address);
	c->timer = sd_event_source_disable_unref(c->timer);
	event_set_status(event, (uint64_t)-error, text);
	event_set_outcome(event, EVENT_OUTCOME_FAILED);
	raise_event(c, event);
	c->callbacks->failed(c->userdata, error, EVENT_RESOLVE_FAILED);
}

static void lookup_done(void *argument, int result)
{
	struct lookup *lookup = argument;
	struct portal_connect *c = lookup->connect;

	if (c) {
		c->lookup = NULL;
		if (result < 0 || lookup->gai_error) {
			resolve_failed(c, result < 0 ? result : gai_errno(lookup->gai_error),
				       gai_strerror(lookup->gai_error));
		} else {
			c->timer = sd_event_source_disable_unref(c->timer);
			c->addresses = c->current = TAKE_PTR(lookup->addresses);
			c->callbacks->resolved(c->userdata);
			start_attempt(c);
		}
	}
	(void)lookup_free(lookup);
}

static int lookup_timed_out(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct portal_connect *c = userdata;

	if (c->lookup)
		c->lookup->connect = NULL;
	c->lookup = NULL;
	resolve_failed(c, -ETIMEDOUT, "the name service does not answer");
	return 0;
}

static int connect_start(sd_event_source *source, void *userdata)
{
	struct portal_connect *c = userdata;

	c->start = sd_event_source_disable_unref(c->start);
	c->callbacks->resolved(c->userdata);
	start_attempt(c);
	return 0;
}

/* Numeric addresses need nobody's help; names go to a worker. */
static int begin(struct portal_connect *c, struct work *resolver)
{
	struct lookup *lookup;
	int r;

	lookup = calloc(1, sizeof(*lookup));
	if (!lookup)
		return -ENOMEM;
	(void)snprintf(lookup->host, sizeof(lookup->host), "%s", c->address);
	(void)snprintf(lookup->service, sizeof(lookup->service), "%u", c->port);
	if (resolve(lookup, AI_NUMERICHOST) == 0) {
		c->addresses = c->current = TAKE_PTR(lookup->addresses);
		(void)lookup_free(lookup);
		return sd_event_add_defer(c->event, &c->start, connect_start, c);
	}
	lookup->connect = c;
	r = arm_timer(c, lookup_timed_out);
	if (r >= 0)
		r = work_submit(resolver, lookup_run, lookup_done, lookup);
	if (r < 0) {
		(void)lookup_free(lookup);
		return r;
	}
	c->lookup = lookup;
	return 0;
}

static int set_source(struct portal_connect *c, const char *source_address)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;

	if (getaddrinfo(source_address, NULL, &hints, &found) != 0)
		return -EINVAL;
	memcpy(&c->source, found->ai_addr, found->ai_addrlen);
	c->source_length = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

int portal_connect_new(sd_event *event, struct work *resolver, const struct portal_config *config,
		       const struct portal_callbacks *callbacks, void *userdata,
		       struct portal_connect **ret)
{
	_cleanup_(portal_connect_freep) struct portal_connect *c = NULL;
	int r;

	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->event = event;
	c->callbacks = callbacks;
	c->userdata = userdata;
	c->fd = -EBADF;
	c->port = config->port;
	c->window_size = config->window_size;
	c->type_of_service = config->type_of_service;
	c->timeout_usec = (uint64_t)config->timeout_seconds * 1000000;
	(void)snprintf(c->address, sizeof(c->address), "%s", config->address);
	if (config->net_device)
		(void)snprintf(c->net_device, sizeof(c->net_device), "%s", config->net_device);
	if (config->source_address) {
		r = set_source(c, config->source_address);
		if (r < 0)
			return r;
	}
	r = begin(c, resolver);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

struct portal_connect *portal_connect_free(struct portal_connect *c)
{
	if (!c)
		return NULL;
	if (c->lookup)
		c->lookup->connect = NULL;
	c->start = sd_event_source_disable_unref(c->start);
	stop_attempt(c);
	if (c->addresses)
		freeaddrinfo(c->addresses);
	free(c);
	return NULL;
}
