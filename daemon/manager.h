/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The owner of everything: configuration, records, transports, sessions, discoveries, service. It
 * admits logins (so many at the same time), hands kernel events to their sessions, and takes over
 * sessions found at the start.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "config.h"
#include "devices.h"
#include "eventlog.h"
#include "journal.h"
#include "kernel.h"
#include "poller.h"
#include "record.h"
#include "session.h"
#include "sysfs.h"
#include "transport.h"
#include "work.h"

struct automatic;
struct crypto;
struct host_ping;
struct datapath;
struct service;
struct network;
struct clock_watch;
struct changes;
struct stranger;
struct scanner;

#define MANAGER_BUCKETS 1024
/* More than a worker can be ahead of the loop by. */
#define MANAGER_ANSWERS 64

/* Where things are; the defaults are the system's. Borrowed strings. */
struct manager_paths {
	const char *configuration;  /* /etc/ois/ois.conf */
	const char *initiator_name; /* /etc/iscsi/initiatorname.iscsi */
	const char *records;        /* /etc/ois */
	const char *socket;         /* /run/ois/org.ois */
	const char *journal;        /* /run/systemd/journal/socket */
	const char *sysfs;          /* /sys */
	const char *program;        /* run as the scanner: /proc/self/exe */
};

enum manager_state {
	MANAGER_STARTING,
	MANAGER_RUNNING,
	MANAGER_STOPPING,
};

struct login_queue {
	struct session *first, **end; /* through session->queue_next */
	size_t n;
};

struct manager {
	sd_event *event;
	struct manager_paths paths;
	enum manager_state state;
	uint64_t started_usec;      /* CLOCK_REALTIME */
	uint64_t longest_turn_usec; /* of the loop */

	struct config *config;
	struct crypto *crypto;
	struct journal *journal;
	struct eventlog *log;
	struct records *records;
	struct sysfs sysfs;
	struct kernel
		*kernel; /* NULL: this kernel has no iSCSI transport class, or we may not use it */
	struct datapath *datapath; /* NULL: nothing is to be seen of it */
	struct devices *devices;
	struct scanner *scanner;
	struct work *resolver;        /* names; several threads */
	struct work *loader;          /* kernel modules; one thread */
	struct work *host_work;       /* what hosts say of themselves; one thread */
	struct transport *transports; /* the array of transport.c, ended by a NULL name */
	struct poller *poller;        /* all that happens with each login */
	struct network *network;
	struct automatic *automatic;
	struct clock_watch *clock;
	struct stranger *strangers; /* sessions of others that are being looked at */
	sd_event_source *look;      /* when the next one is due */
	struct service *service;
	struct changes *changes; /* of sessions; NULL: nobody follows them */

	struct session *sessions; /* list through session->next */
	/* Sessions whose ping was answered before their number was known; a ring. */
	uint32_t answered[MANAGER_ANSWERS];
	size_t n_answered;
	struct session *by_sid[MANAGER_BUCKETS], *by_key[MANAGER_BUCKETS];
	size_t n_sessions;
	size_t n_logins_queued, n_logins_in_flight; /* recoveries included */
	struct login_queue recoveries, logins;      /* the former go first */
	size_t n_recoveries_in_flight;
	struct session *tended;            /* through session->tend_next */
	struct poller_call tend;           /* tells watchers, frees what has ended */
	struct leftover *leftovers;        /* of sessions, being removed */
	struct endpoint *endpoints;        /* to be ended, through endpoint->next */
	struct endpoint_connect *connects; /* under way */
	struct paths *path_requests;
	struct resync *resync; /* after events of the kernel were lost; NULL: at rest */
	struct discovery *discoveries;
	struct host_ping *pings;                        /* through host_ping->next */
	uint32_t ping_cookie;                           /* of the last one */
	struct discovery_endpoint *discovery_endpoints; /* what they have in the kernel */
	struct config *retired; /* before the last reload; logins under way still use its strings */
};

/*
 * Reads the configuration and the records, opens the kernel's interface. @paths is borrowed. A
 * configuration that cannot be used is reported as event 1011 and on standard error: -EINVAL.
 */
int manager_new(sd_event *event, const struct manager_paths *paths, struct manager **ret);
/* Sessions in the kernel are left alone. */
struct manager *manager_free(struct manager *manager);
DEFINE_CLEANUP(struct manager *, manager_free);

/* Takes over sessions in the kernel, serves the socket, logs in to automatic nodes. */
int manager_start(struct manager *manager);

typedef void (*manager_reload_t)(void *userdata, int error, const struct config_fault *fault);
/* Reads the configuration again, off the loop; on failure the old one stays in effect. */
int manager_reload(struct manager *manager, manager_reload_t done, void *userdata);

/*
 * The session of a node, made if there is none, with a login under way or done; @watch is told (it
 * may be NULL). @retry_max: -1 as the node's settings say. Errors: -ENOMEM, -ESHUTDOWN, -EBUSY (it
 * is being logged out), -EEXIST (another program's session with the node lost its connection).
 */
int manager_login(struct manager *manager, const struct node *node, int retry_max,
		  const struct session_watch *watch, struct session **ret);

/* A person wants the node (may be NULL) logged in: it no longer counts as logged out. */
void manager_take_login(struct manager *manager, struct node *node);

struct session *manager_find_session(struct manager *manager, uint32_t sid);
/* The session made from a node, or NULL. */
struct session *manager_find_session_of(struct manager *manager, const struct node_key *key);
/* Beside this one there is a session of ours with the same node. */
bool manager_has_beside(const struct session *session);
