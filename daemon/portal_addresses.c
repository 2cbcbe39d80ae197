/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deadline.h"
#include "parse.h"
#include "portal.h"
#include "portal_addresses.h"

struct portal_addresses {
	portal_addresses_done_t done;
	void *userdata;
	char address[PORTAL_ADDRESS_MAX];
	int family;
	int error; /* negative errno, which is told instead of the addresses */

	struct resolve *resolve;
	struct poller_call start; /* nothing is looked up */
	union ip_address *found;
	size_t n_found;
};

/* Those of the family. */
static int take(struct portal_addresses *a, const union ip_address *addresses, size_t n)
{
	a->found = calloc(n, sizeof(*a->found));
	if (!a->found)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (a->family == AF_UNSPEC || addresses[i].any.sa_family == a->family)
			a->found[a->n_found++] = addresses[i];
	return 0;
}

static void fail(struct portal_addresses *a, int error, enum event_number number,
		 struct event *event)
{
	const struct portal_addresses_failure failure = {
		.error = error,
		.resolved = number != EVENT_RESOLVE_FAILED && number != EVENT_WORKITEM_RESOURCES,
		.number = number,
		.event = event,
	};

	a->done(a->userdata, NULL, 0, &failure);
}

static void fail_error(struct portal_addresses *a, enum event_number number)
{
	struct event *event = event_new(number);

	event_set_status(event, (uint64_t)-a->error, portal_failure_text(a->error, number));
	fail(a, a->error, number, event);
}

/* For want of a thread, which the system does not allow or thousands wait for. */
static bool is_not_begun(int error)
{
	return error == -EAGAIN || error == -ENOBUFS;
}

static void tell(struct portal_addresses *a)
{
	struct event *event;
	size_t n = a->n_found;

	if (is_not_begun(a->error)) {
		fail_error(a, EVENT_WORKITEM_RESOURCES);
	} else if (a->error < 0) {
		fail_error(a, EVENT_PORTAL_SETUP_FAILED);
	} else if (n == 0) {
		event = event_new(EVENT_PORTAL_TYPE_MISMATCH);
		event_set_string(event, FIELD_DUMP_IP_TYPE, a->family == AF_INET ? "IPv4" : "IPv6");
		fail(a, -EAFNOSUPPORT, EVENT_PORTAL_TYPE_MISMATCH, event);
	} else {
		a->done(a->userdata, TAKE_PTR(a->found), n, NULL);
	}
}

static void resolved(void *userdata, const union ip_address *addresses, size_t n, int error,
		     const char *text)
{
	struct portal_addresses *a = userdata;
	struct event *event;

	a->resolve = resolve_free(a->resolve);
	if (error >= 0) {
		error = take(a, addresses, n);
		text = strerror(-error);
	}
	if (error >= 0) {
		tell(a);
		return;
	}
	event = event_new(EVENT_RESOLVE_FAILED);
	event_set_string(event, FIELD_ADDRESS, a->address);
	event_set_status(event, (uint64_t)-error, text);
	fail(a, error, EVENT_RESOLVE_FAILED, event);
}

static void start_at_hand(void *userdata)
{
	tell(userdata);
}

/* Numeric addresses need nobody's help; names go to a worker. */
static int begin(struct portal_addresses *a, struct poller *poller, struct work *resolver,
		 const struct portal_addresses_config *config)
{
	sd_event *event = poller_event(poller);
	uint64_t timeout_usec = (uint64_t)config->timeout_seconds * 1000000;
	union ip_address address;
	int r;

	r = ip_address_parse(a->address, config->port, &address);
	if (r == -EINVAL) {
		r = resolve_new(event, resolver, a->address, config->port,
				deadline_of_step(event, timeout_usec, config->deadline_usec),
				resolved, a, &a->resolve);
		if (!is_not_begun(r))
			return r;
	}
	/* The link of its scope is not there, or the lookup cannot begin. */
	if (r < 0)
		a->error = r;
	else
		r = take(a, &address, 1);
	if (r == -ENOMEM)
		return r;
	/* Many at once are all on their way before the first of them is done. */
	poller_call_later(poller, &a->start, start_at_hand, a);
	return 0;
}

int portal_addresses_new(struct poller *poller, struct work *resolver,
			 const struct portal_addresses_config *config, portal_addresses_done_t done,
			 void *userdata, struct portal_addresses **ret)
{
	_cleanup_(portal_addresses_freep) struct portal_addresses *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->done = done;
	a->userdata = userdata;
	a->family = config->family;
	a->error = config->error;
	(void)snprintf(a->address, sizeof(a->address), "%s", config->address);
	r = begin(a, poller, resolver, config);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(a);
	return 0;
}

struct portal_addresses *portal_addresses_free(struct portal_addresses *a)
{
	if (!a)
		return NULL;
	a->resolve = resolve_free(a->resolve);
	poller_call_off(&a->start);
	free(a->found);
	free(a);
	return NULL;
}
