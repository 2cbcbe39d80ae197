/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What discovery.c (the way to the portal, and the login), discovery_endpoint.c (the way through an
 * adapter) and discovery_exchange.c (the questions and the answers) share.
 */
#pragma once

#include <systemd/sd-event.h>

#include "channel.h"
#include "discovery.h"
#include "login_driver.h"
#include "manager.h"
#include "portal.h"
#include "sendtargets.h"
#include "transport.h"

#define SECOND_USEC UINT64_C(1000000)
/* CmdSN and tags of a discovery session; any number will do. */
#define DISCOVERY_CMDSN     1
#define DISCOVERY_LOGIN_ITT 1
#define DISCOVERY_TEXT_ITT  2

struct discovery {
	struct discovery *next, **previous; /* manager->discoveries */
	struct manager *manager;
	const struct discovery_callbacks *callbacks;
	void *userdata;

	char *asked_address;
	uint16_t asked_port;
	/* After a redirection another one. */
	char *address;
	uint16_t port;
	unsigned redirects;
	char *target_name;           /* NULL: all */
	char *source_address;        /* NULL: any */
	char *net_device;            /* NULL: any */
	struct transport *transport; /* NULL: the daemon's own socket */
	char *adapter;               /* hardware address of its port; NULL: not told */
	/* What is kept for the portal asked, with defaults, as it was at the start. */
	struct settings *settings;
	struct secret *secret, *target_secret;
	bool md5_alone; /* is offered, because the portal could not cope with a list */
	uint64_t started_usec;
	unsigned timeout_seconds; /* for each answer */
	unsigned resolve_timeout_seconds, connect_timeout_seconds;
	uint64_t deadline_usec; /* CLOCK_MONOTONIC: for the login */
	enum discovery_phase phase;
	char last_error[200]; /* what the last event of severity error said */
	size_t targets;

	struct portal_connect *connect;
	struct discovery_endpoint *endpoint; /* NULL: the daemon's own socket */
	struct channel *channel;
	struct login_driver *driver;
	struct sendtargets *exchange;
	sd_event_source *timer;
	bool paused;
	bool lost; /* the connection, which was not told to the exchange yet */

	/* What the end was, while the kernel still removes the session. */
	bool over, failed;
	struct discovery_failure failure;

	bool inside;    /* a callback runs: */
	bool cancelled; /* the discovery is freed from the loop, by: */
	sd_event_source *release;
};

/* discovery.c */
/* Completes an event with its context and reports it; NULL is ignored. */
void discovery_raise(struct discovery *discovery, struct event *event);
/* False: it was cancelled. */
bool discovery_enter_phase(struct discovery *discovery, enum discovery_phase phase);
/* The end; frees the discovery. @failure NULL: success. */
void discovery_finish(struct discovery *discovery, const struct discovery_failure *failure);
/* The same with what is known of a failure; @message NULL: what the last event said. */
void discovery_fail(struct discovery *discovery, int error, unsigned event, const char *message);
/* The same of what this host is short of; event 31. */
void discovery_lack(struct discovery *discovery, int error);
/* The same: there is no connection, which may be to another portal than the one that was asked. */
void discovery_connect_failed(struct discovery *discovery, int error, enum event_number event,
			      const char *text);
/* Of link-local addresses in what the target says: that of our way to it. */
const char *discovery_scope(const struct discovery *discovery);

const char *discovery_initiator_name(const struct discovery *discovery);
/* The way is there: the login begins. */
void discovery_login_through_kernel(struct discovery *discovery, const struct transport *transport,
				    uint32_t sid);
/* The kernel lost the connection. */
void discovery_lost(struct discovery *discovery);
/* The kernel has removed the session. */
void discovery_endpoint_gone(struct discovery *discovery);

/* discovery_endpoint.c */
struct discovery_endpoint;
/* Ends with discovery_login_through_kernel() or discovery_fail(), from the loop. Errors: -ENOMEM.
 */
int discovery_connect_endpoint(struct discovery *discovery);
/* After the login; ends with discovery_start_exchange() or discovery_fail(). */
void discovery_start_endpoint(struct discovery *discovery, const struct login_result *result);
/* Ends with discovery_endpoint_gone(), perhaps from inside. */
void discovery_end_endpoint(struct discovery_endpoint *endpoint);
/* Ends it, and nobody waits for that. */
void discovery_part_endpoint(struct discovery *discovery);
/* Fields that tell where it is. */
void discovery_describe_endpoint(const struct discovery_endpoint *endpoint, struct event *event);

/* discovery_exchange.c */
void discovery_start_exchange(struct discovery *discovery, const struct login_result *result);
/* Does what the machine wants until it waits or has ended, or nobody wants more for now. */
void discovery_run_exchange(struct discovery *discovery);
