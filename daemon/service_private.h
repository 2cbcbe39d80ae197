/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the parts of the service share: service.c (listener, limits, who may what),
 * service_connection.c (bytes in and out), call.c (checks, dispatch and answers). A service owns
 * its connections, a connection its call.
 */
#pragma once

#include <systemd/sd-event.h>

#include "call.h"
#include "message.h"
#include "registry.h"
#include "service.h"

/* After what can lead to or from a disk, before what only looks nice. */
#define SERVICE_PRIORITY         SD_EVENT_PRIORITY_NORMAL
#define SERVICE_PRIORITY_ANSWERS (SD_EVENT_PRIORITY_NORMAL + 10)

struct call;
struct session_listing;

struct connection {
	struct connection *next, **previous;
	struct service *service;
	int fd;
	uid_t uid;   /* when it connected */
	bool member; /* of the access group */

	struct varlink_stream stream;
	struct call *call; /* the one that is not answered yet */
	sd_event_source *io, *turn, *timer;
	uint32_t events;
	bool busy;        /* there is more to do in the next turn of the loop */
	bool input_ended; /* nothing more is read */
	bool refused;     /* what was read is not looked at */
	bool gone;        /* nobody reads our answers */
	bool waiting;     /* the timer runs: a message has begun */
};

struct service {
	struct manager *manager;
	int fd;
	bool made; /* the socket is ours, not the service manager's */
	sd_event_source *accept, *pause;
	struct varlink_registry *registry;

	struct connection *connections;
	size_t n_connections;
	uint64_t refused; /* connections above a limit */
	size_t n_subscribers;
	struct session_listing *listings; /* method_session.c */
};

/* service_connection.c */
int connection_new(struct service *service, int fd, uid_t uid, struct connection **ret);
/* Ends its call. */
struct connection *connection_free(struct connection *connection);
DEFINE_CLEANUP(struct connection *, connection_free);
/* Looks after the connection in the next turn of the loop. */
void connection_wake(struct connection *connection);

/* call.c */
/*
 * Runs the method that @message calls, and takes it over; connection->call is then set if it is not
 * answered yet. Errors: -EPROTO, -ENOMEM; close the connection.
 */
int call_dispatch(struct connection *connection, json_object *message);
/* Lets a call make answers it was woken for. False: nothing to do now. */
bool call_run(struct call *call);
/* Ends the call without an answer. */
struct call *call_free(struct call *call);

/* service.c */
bool connection_may_read(const struct connection *connection);
bool connection_may_change(const struct connection *connection);
