/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "parse.h"
#include "resolve.h"

/*
 * A name service that hangs, with the disk it lies on for one, keeps each lookup, and sessions ask
 * again and again for as long as it does.
 */
#define PENDING_MAX 16384

/* What the worker has; it may outlive who asked. */
struct lookup {
	_Atomic bool abandoned;
	struct resolve *resolve; /* NULL: nobody asks any more */
	char host[PORTAL_ADDRESS_MAX];
	struct addrinfo *addresses;
	int gai_error;
};

struct resolve {
	struct lookup *lookup; /* NULL: it has ended */
	uint16_t port;
	resolve_done_t done;
	void *userdata;
	sd_event_source *timer;
};

/* Addresses */

socklen_t ip_address_length(const union ip_address *address)
{
	return address->any.sa_family == AF_INET ? sizeof(address->ipv4) : sizeof(address->ipv6);
}

void ip_address_format(const union ip_address *address, char ret[64])
{
	*ret = '\0';
	(void)getnameinfo(&address->any, ip_address_length(address), ret, 64, NULL, 0,
			  NI_NUMERICHOST);
}

bool ip_address_is_link_local(const union ip_address *address)
{
	return address->any.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LINKLOCAL(&address->ipv6.sin6_addr);
}

static int parse_scope(const char *scope, uint32_t *ret)
{
	uint64_t number;

	if (parse_u64(scope, 1, UINT32_MAX, &number) >= 0) {
		*ret = (uint32_t)number;
		return 0;
	}
	*ret = if_nametoindex(scope);
	return *ret > 0 ? 0 : -ENODEV;
}

int ip_address_parse(const char *text, uint16_t port, union ip_address *ret)
{
	const char *scope = address_scope(text);
	union ip_address address = { 0 };
	char digits[INET6_ADDRSTRLEN];
	int r = 0;

	if (inet_pton(AF_INET, text, &address.ipv4.sin_addr) == 1) {
		address.ipv4.sin_family = AF_INET;
		address.ipv4.sin_port = htons(port);
		*ret = address;
		return 0;
	}
	(void)snprintf(digits, sizeof(digits), "%.*s", (int)strcspn(text, "%"), text);
	if (inet_pton(AF_INET6, digits, &address.ipv6.sin6_addr) != 1)
		return -EINVAL;
	address.ipv6.sin6_family = AF_INET6;
	address.ipv6.sin6_port = htons(port);
	if (scope)
		r = parse_scope(scope, &address.ipv6.sin6_scope_id);
	if (r >= 0)
		*ret = address;
	return r;
}

/* Order */

static union ip_address take_address(const struct addrinfo *found, uint16_t port)
{
	union ip_address address = { 0 };

	memcpy(&address, found->ai_addr, found->ai_addrlen);
	if (found->ai_family == AF_INET)
		address.ipv4.sin_port = htons(port);
	else
		address.ipv6.sin6_port = htons(port);
	return address;
}

/* The first of this family from here on. */
static const struct addrinfo *find_family(const struct addrinfo *address, int family)
{
	while (address && address->ai_family != family)
		address = address->ai_next;
	return address;
}

/* The families by turns, that of the best address first. */
static size_t order_addresses(const struct addrinfo *list, uint16_t port,
			      union ip_address ret[RESOLVE_ADDRESSES_MAX])
{
	int first = list->ai_family, second = first == AF_INET ? AF_INET6 : AF_INET;
	const struct addrinfo *turn = find_family(list, first), *other = find_family(list, second);
	size_t n = 0;

	while ((turn || other) && n < RESOLVE_ADDRESSES_MAX) {
		const struct addrinfo *now = turn;

		turn = other;
		other = now;
		if (!now)
			continue;
		ret[n++] = take_address(now, port);
		other = find_family(now->ai_next, now->ai_family);
	}
	return n;
}

/* Lookup */

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

static struct lookup *lookup_free(struct lookup *lookup)
{
	if (lookup) {
		if (lookup->addresses)
			freeaddrinfo(lookup->addresses);
		free(lookup);
	}
	return NULL;
}

/* In the worker. */
static int lookup_run(void *argument)
{
	static const struct addrinfo hints = { .ai_flags = AI_ADDRCONFIG,
					       .ai_socktype = SOCK_STREAM };
	struct lookup *lookup = argument;

	/* Nobody waits for it any more; of a name service that hangs many may have been left. */
	if (atomic_load(&lookup->abandoned))
		return -ECANCELED;
	lookup->gai_error = getaddrinfo(lookup->host, NULL, &hints, &lookup->addresses);
	return 0;
}

static void lookup_done(void *argument, int result)
{
	struct lookup *lookup = argument;
	struct resolve *resolve = lookup->resolve;
	union ip_address addresses[RESOLVE_ADDRESSES_MAX];
	const char *text = NULL;
	size_t n = 0;

	if (resolve) {
		resolve->lookup = NULL;
		resolve->timer = sd_event_source_disable_unref(resolve->timer);
		if (result < 0) {
			text = strerror(-result);
		} else if (lookup->gai_error) {
			result = gai_errno(lookup->gai_error);
			text = gai_strerror(lookup->gai_error);
		} else {
			n = order_addresses(lookup->addresses, resolve->port, addresses);
		}
		resolve->done(resolve->userdata, addresses, n, result, text);
	}
	(void)lookup_free(lookup);
}

static int lookup_timed_out(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct resolve *resolve = userdata;

	resolve->done(resolve->userdata, NULL, 0, -ETIMEDOUT, "the name service does not answer");
	return 0;
}

int resolve_new(sd_event *event, struct work *resolver, const char *host, uint16_t port,
		uint64_t deadline_usec, resolve_done_t done, void *userdata, struct resolve **ret)
{
	_cleanup_(resolve_freep) struct resolve *resolve = NULL;
	struct lookup *lookup;
	int r;

	if (work_pending(resolver) >= PENDING_MAX)
		return -ENOBUFS;
	resolve = calloc(1, sizeof(*resolve));
	if (!resolve)
		return -ENOMEM;
	resolve->port = port;
	resolve->done = done;
	resolve->userdata = userdata;
	r = sd_event_add_time(event, &resolve->timer, CLOCK_MONOTONIC, deadline_usec, 0,
			      lookup_timed_out, resolve);
	if (r < 0)
		return r;
	lookup = calloc(1, sizeof(*lookup));
	if (!lookup)
		return -ENOMEM;
	lookup->resolve = resolve;
	(void)snprintf(lookup->host, sizeof(lookup->host), "%s", host);
	r = work_submit(resolver, lookup_run, lookup_done, lookup);
	if (r < 0) {
		(void)lookup_free(lookup);
		return r;
	}
	resolve->lookup = lookup;
	*ret = TAKE_PTR(resolve);
	return 0;
}

struct resolve *resolve_free(struct resolve *resolve)
{
	if (!resolve)
		return NULL;
	if (resolve->lookup) {
		atomic_store(&resolve->lookup->abandoned, true);
		resolve->lookup->resolve = NULL;
	}
	resolve->timer = sd_event_source_disable_unref(resolve->timer);
	free(resolve);
	return NULL;
}
