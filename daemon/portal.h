/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a portal's address to a connected TCP socket: resolves a name off the loop, prepares the
 * initiator's portal (source address, net device, socket options), tries the addresses of a name,
 * several at a time. Every address that fails is reported by an event of its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "cleanup.h"
#include "deadline.h"
#include "event.h"
#include "parse.h"
#include "work.h"

struct poller;
struct portal_connect;

struct portal_config {
	const char *address; /* numeric or a name; copied, as all strings here */
	uint16_t port;
	const char *source_address; /* NULL: any */
	const char *net_device;     /* NULL: any */
	int window_size;            /* 0: the system's */
	int type_of_service;        /* 0: the system's */
	unsigned resolve_timeout_seconds;
	unsigned connect_timeout_seconds; /* for each address */
	uint64_t deadline_usec;           /* for all of it, CLOCK_MONOTONIC; or DEADLINE_NONE */
};

struct portal_connected {
	int fd; /* non-blocking; now the receiver's */
	char address[64];
	char local_address[64];
	uint16_t local_port;
};

struct portal_callbacks {
	/* An event to complete with its context and to report; the receiver owns it. */
	void (*raise)(void *userdata, struct event *event);
	/* The name is known, connecting begins. */
	void (*resolved)(void *userdata);
	/* Last call, one of the two; the object may be freed in it. */
	void (*connected)(void *userdata, const struct portal_connected *connected);
	/* @event reported the (last) failure; @error is a negative errno. */
	void (*failed)(void *userdata, int error, enum event_number event);
};

/*
 * Callbacks come from the loop, never from inside. @callbacks is borrowed. Errors: -ENOMEM; -EINVAL
 * (the source address is not numeric).
 */
int portal_connect_new(struct poller *poller, struct work *resolver,
		       const struct portal_config *config, const struct portal_callbacks *callbacks,
		       void *userdata, struct portal_connect **ret);
/* Of what failed() was told. */
const char *portal_failure_text(int error, enum event_number event);
/* Cancels what is under way. */
struct portal_connect *portal_connect_free(struct portal_connect *connect);
DEFINE_CLEANUP(struct portal_connect *, portal_connect_free);
