/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a portal's address to a connected endpoint of a transport that makes its connections itself:
 * resolves a name off the loop, has the kernel connect to its addresses one after the other, and
 * asks it until it has done so or failed. Every address that fails is reported by an event of its
 * own. The counterpart of portal.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"
#include "deadline.h"
#include "event.h"
#include "kernel.h"

struct endpoint;
struct endpoint_connect;
struct iscsi_kernel_path;
struct manager;
struct path;
struct transport;

/*
 * The port that connects: that with the hardware address @wanted (may be NULL), the only one where
 * the transport has to be told, else KERNEL_HOST_ANY. Errors: -ENODEV, -ENOTUNIQ, -ENOMEM.
 */
int endpoint_choose_host(const struct manager *manager, const struct transport *transport,
			 const char *wanted, uint32_t *ret);
/* What to say of such an error. */
const char *endpoint_host_fault(int error);

struct endpoint_config {
	struct transport *transport; /* loaded */
	uint32_t host;               /* the adapter's port that connects, or KERNEL_HOST_ANY */
	const char *interface;       /* of the node, or NULL; copied */
	const char *address;         /* numeric or a name; copied */
	uint16_t port;
	unsigned resolve_timeout_seconds;
	unsigned connect_timeout_seconds; /* for each address */
	uint64_t deadline_usec;           /* for all of it, CLOCK_MONOTONIC; or DEADLINE_NONE */
};

struct endpoint_callbacks {
	/* An event to complete with its context and to report; the receiver owns it. */
	void (*raise)(void *userdata, struct event *event);
	/* The name is known, connecting begins. */
	void (*resolved)(void *userdata);
	/* Last call, one of the two; the object may be freed in it. */
	/* The endpoint is now the receiver's. */
	void (*connected)(void *userdata, struct endpoint *endpoint, const char *address);
	/* @event reported the (last) failure; @error is a negative errno, for which @text stands.
	 */
	void (*failed)(void *userdata, int error, enum event_number event, const char *text);
};

/* Callbacks come from the loop, never from inside. @callbacks is borrowed. Errors: -ENOMEM. */
int endpoint_connect_new(struct manager *manager, const struct endpoint_config *config,
			 const struct endpoint_callbacks *callbacks, void *userdata,
			 struct endpoint_connect **ret);
/* What is under way ends by itself, and leaves no endpoint. */
struct endpoint_connect *endpoint_connect_free(struct endpoint_connect *connect);
DEFINE_CLEANUP(struct endpoint_connect *, endpoint_connect_free);

/* The one that waits for the way to this target; NULL: it is none of ours. */
struct endpoint_connect *endpoint_find_asking(const struct manager *manager,
					      uint64_t transport_handle, uint32_t host,
					      const struct iscsi_kernel_path *request);
const struct transport *endpoint_get_transport(const struct endpoint_connect *connect);
const char *endpoint_get_interface(const struct endpoint_connect *connect);
/* It is being answered; endpoint_path_done() follows, unless the attempt ends before. */
void endpoint_set_path(struct endpoint_connect *connect, struct path *path);
/* @error: there is no way, for which @text stands, and the attempt has failed. */
void endpoint_path_done(struct endpoint_connect *connect, int error, const char *text);

/* What a connection is bound to. */
uint64_t endpoint_get_handle(const struct endpoint *endpoint);
/* It is the connection's from now on: when that is stopped the kernel ends it, too. */
void endpoint_set_bound(struct endpoint *endpoint);
bool endpoint_is_bound(const struct endpoint *endpoint);
/*
 * Has the kernel end it, bound or not; what is asked of the kernel later is done after that. While
 * the daemon ends, it leaves it to the connection.
 */
struct endpoint *endpoint_free(struct endpoint *endpoint);
/* The kernel has ended it, and its number may be another one's. */
struct endpoint *endpoint_forget(struct endpoint *endpoint);
/* Those that could not be ended yet; the daemon ends. */
void endpoint_forget_all(struct manager *manager);
