/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One SendTargets discovery: connect, log in to a discovery session, ask, hand out targets while
 * they arrive, log out. RFC 7143, 4.3 and appendix C. It goes over a socket of the daemon's own,
 * unless an adapter has a network of its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "event.h"

struct manager;
struct records;
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
	bool rest;         /* further portals of the one before */
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
	/* Parts of the answer made no sense: there may be more targets than were told. */
	void (*incomplete)(void *userdata);
	/* Last call; @failure is NULL on success. The discovery is gone afterwards. */
	void (*done)(void *userdata, const struct discovery_failure *failure);
};

struct discovery_config {
	/* Strings are copied. */
	const char *address;
	uint16_t port;
	const char *target_name;    /* NULL: all targets */
	const char *source_address; /* NULL: as configured for discoveries */
	const char *interface;      /* NULL: the same */
	unsigned timeout_seconds;   /* for each answer; 0: the default of loginTimeoutSeconds */
};

/*
 * Callbacks come from the loop, never from inside. @callbacks is borrowed. Errors: -ENOMEM;
 * -ESHUTDOWN; -EINVAL (the source address is not numeric); -ENOENT (no such interface);
 * -EOPNOTSUPP (the adapter of this interface logs in by itself); -EADDRNOTAVAIL (it has a network
 * of its own, in which a source address of this host means nothing).
 */
int discovery_start(struct manager *manager, const struct discovery_config *config,
		    const struct discovery_callbacks *callbacks, void *userdata,
		    struct discovery **ret);
/* Whether discoveries go over an interface: not where an adapter logs in by itself. */
bool discovery_goes_over(const struct records *records, const char *interface);
/* The interface it goes over; NULL: none was named. */
const char *discovery_interface(const struct discovery *discovery);
/*
 * From inside target(): no more targets for now. The portal is not read from, and not timed, until
 * the discovery is resumed.
 */
void discovery_pause(struct discovery *discovery);
/* Not from inside a callback. */
void discovery_resume(struct discovery *discovery);
/* Ends it at once, no callback any more; also from inside a callback. */
struct discovery *discovery_cancel(struct discovery *discovery);
DEFINE_CLEANUP(struct discovery *, discovery_cancel);

/* What the kernel tells of a session that a discovery has there; false: it is no such session. */
bool discovery_kernel_pdu(struct manager *manager, uint32_t sid, const uint8_t header[48],
			  const void *data, size_t length);
bool discovery_kernel_failed(struct manager *manager, uint32_t sid);
bool discovery_kernel_destroyed(struct manager *manager, uint32_t sid);
/* Some of that was lost. */
void discovery_look(struct manager *manager);
/* The daemon ends: a later run finds what is left of them in the kernel. */
void discovery_forget_endpoints(struct manager *manager);
