/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a portal's address stands for, as a person or a target gave it: one IP address if it is
 * numeric, those of a name else. The same for all that connects, over a socket or otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "event.h"
#include "poller.h"
#include "resolve.h"
#include "work.h"

struct portal_addresses;

struct portal_addresses_config {
	const char *address; /* copied */
	uint16_t port;
	int family; /* AF_UNSPEC: any; addresses of another one are left out */
	int error;  /* 0, or a negative errno of the initiator's side, which nothing helps */
	unsigned timeout_seconds; /* of a lookup */
	uint64_t deadline_usec;   /* CLOCK_MONOTONIC, or DEADLINE_NONE */
};

struct portal_addresses_failure {
	int error;     /* negative errno */
	bool resolved; /* the addresses are known, and of no use */
	/* EVENT_RESOLVE_FAILED, EVENT_WORKITEM_RESOURCES (there is no thread for the lookup,
	 * -EAGAIN, or too many wait for theirs, -ENOBUFS), or of addresses that are known
	 * EVENT_PORTAL_SETUP_FAILED or EVENT_PORTAL_TYPE_MISMATCH. */
	enum event_number number;
	struct event *event; /* the receiver's, without an outcome; NULL: memory was short */
};

/*
 * Called once, from the loop and never from inside; may free the object. @addresses is an array
 * with malloc(), now the receiver's, in the order in which they should be tried. @failure is NULL,
 * or there are none.
 */
typedef void (*portal_addresses_done_t)(void *userdata, union ip_address *addresses, size_t n,
					const struct portal_addresses_failure *failure);

/* Errors: -ENOMEM; those of resolve_new(). */
int portal_addresses_new(struct poller *poller, struct work *resolver,
			 const struct portal_addresses_config *config, portal_addresses_done_t done,
			 void *userdata, struct portal_addresses **ret);
/* Nobody hears of them any more. */
struct portal_addresses *portal_addresses_free(struct portal_addresses *addresses);
DEFINE_CLEANUP(struct portal_addresses *, portal_addresses_free);
