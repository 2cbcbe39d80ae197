/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One SendTargets discovery: connect, log in to a discovery session, ask, hand out targets while
 * they arrive, log out. RFC 7143, 4.3 and appendix C.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "event.h"

struct manager;
struct discovery;

enum discovery_phase {
	DISCOVERY_RESOLVING,
	DISCOVERY_CONNECTING,
	DISCOVERY_AUTHENTICATING,
	DISCOVERY_QUERYING,
	DISCOVERY_RECORDING,
	_DISCOVERY_PHASE_MAX,
};

/* As in org.ois.discovery Phase. */
const char *discovery_phase_to_string(enum discovery_phase phase);

struct discovery_portal {
	const char *address; /* as the target gave it, no brackets */
	uint16_t port;
	int portal_group_tag; /* -1: not told */
};

struct discovery_target {
	const char *name;
	const char *alias; /* NULL: none */
	const struct discovery_portal *portals;
	size_t n_portals;
};

struct discovery_failure {
	int error;                       /* negative errno */
	unsigned event;                  /* number of the event that reported it; 0: none */
	int status_class, status_detail; /* -1: none */
	enum discovery_phase phase;
	char message[256];
};

struct discovery_callbacks {
	void (*phase)(void *userdata, enum discovery_phase phase);
	/* Everything is borrowed for the time of the call. */
	void (*target)(void *userdata, const struct discovery_target *target);
	/* Last call; @failure is NULL on success. The discovery is gone afterwards. */
	void (*done)(void *userdata, const struct discovery_failure *failure);
};

struct discovery_config {
	const char *address; /* copied */
	uint16_t port;
	const char *source_address; /* NULL: any */
	unsigned timeout_seconds;   /* for each answer; 0: what is configured */
};

/* Callbacks come from the loop, never from inside. @callbacks is borrowed. Errors: -ENOMEM,
 * -ESHUTDOWN. */
int discovery_start(struct manager *manager, const struct discovery_config *config,
		    const struct discovery_callbacks *callbacks, void *userdata,
		    struct discovery **ret);
/* Ends it at once, no callback any more. */
struct discovery *discovery_cancel(struct discovery *discovery);
DEFINE_CLEANUP(struct discovery *, discovery_cancel);
