/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kernel transports, one row each. What differs between them is data; code differs only between
 * kinds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct iscsi_offer;
struct manager;

enum transport_kind {
	TRANSPORT_SOCKET,   /* the daemon's own TCP socket is handed to the kernel */
	TRANSPORT_ENDPOINT, /* the kernel or the adapter makes the connection */
	TRANSPORT_ADAPTER,  /* the adapter logs in by itself */
};

const char *transport_kind_to_string(enum transport_kind kind);

struct transport {
	const char *name;   /* of the class device */
	const char *module; /* to load; NULL: unknown */
	enum transport_kind kind;

	/* Read when the module is there. */
	bool loaded;
	uint64_t handle;
	uint32_t capabilities;
};

typedef void (*transport_ready_t)(void *userdata, int error);

/* The rows, ended by a NULL name. One array per process. */
struct transport *transport_table(void);
struct transport *transport_find(const char *name);

/*
 * Makes a transport usable: loads its module if need be, off the loop, and reads its handle. Calls
 * done() from the loop, or returns 1 if it is ready at once (done() is then not called). On failure
 * event TRANSPORT_UNAVAILABLE was raised. Errors: -ENOMEM.
 */
int transport_prepare(struct manager *manager, struct transport *transport, transport_ready_t done,
		      void *userdata);
/* Reads the handle if the module is there; blocks on nothing but sysfs. */
void transport_refresh(struct manager *manager, struct transport *transport);
