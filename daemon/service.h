/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The Varlink service: one socket, many clients, each with one call at a time. It reads calls,
 * checks them, their caller and the answers, and leaves the rest to the methods (method_*.c, which
 * see calls only as call.h).
 */
#pragma once

#include <stddef.h>

#include "cleanup.h"
#include "manager.h"

struct service;
struct session;

/* Messages to us, which are small; memory is locked. */
#define SERVICE_MESSAGE_MAX (256 * 1024)
/* Of answers that are produced one by one, so many bytes are kept for a slow reader. */
#define SERVICE_OUTPUT_FULL     (64 * 1024)
#define SERVICE_CONNECTIONS_MAX 512
/* Of these, only root may take the last ones, so that nobody can lock the administrator out. */
#define SERVICE_CONNECTIONS_RESERVED 16
/* For each user but root. */
#define SERVICE_CONNECTIONS_PER_USER 32
/* Time for the rest of a message that has begun. */
#define SERVICE_MESSAGE_TIMEOUT_USEC (30 * UINT64_C(1000000))
#define SERVICE_SUBSCRIBERS_MAX      128

/*
 * Serves the socket the service manager passed under the name "varlink", else one made at
 * manager->paths.socket.
 * @manager is borrowed. Calls that come before manager->state is MANAGER_RUNNING are answered
 * NotReady. Errors: -ENOMEM; -EADDRINUSE (somebody listens there), -EACCES, -ENAMETOOLONG, ...
 */
int service_new(struct manager *manager, struct service **ret);
/* Closes all connections; calls that are not answered yet are told that the daemon stops. */
struct service *service_free(struct service *service);
DEFINE_CLEANUP(struct service *, service_free);

/* There is a new configuration: looks again who belongs to the access group. */
void service_reload(struct service *service);

/* To be called when a session is freed: a listing under way may still have it before it. */
void service_session_gone(struct service *service, const struct session *session);

/* DaemonState of org.ois.manager. */
const char *service_state(const struct service *service);
size_t service_subscribers(const struct service *service);
