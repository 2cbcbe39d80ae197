/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kernel transports, one row of transport.def each. What differs between them is data; code differs
 * only between kinds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "settings.h"

struct iscsi_offer;
struct manager;

enum transport_kind {
	TRANSPORT_SOCKET,   /* the daemon's own TCP socket is handed to the kernel */
	TRANSPORT_ENDPOINT, /* the kernel or the adapter makes the connection */
	TRANSPORT_ADAPTER,  /* the adapter logs in by itself */
	TRANSPORT_UNKNOWN,  /* of the kernel, without a row: its sessions are left alone */
};

const char *transport_kind_to_string(enum transport_kind kind);

/* What is particular about a transport; bits. */
enum transport_quirk {
	TRANSPORT_RDMA = 1 << 0,          /* the connection is one of RFC 7145 */
	TRANSPORT_ADAPTERS = 1 << 1,      /* its hosts are ports of adapters, not sessions */
	TRANSPORT_HOST_NEEDED = 1 << 2,   /* which port connects is ours to say */
	TRANSPORT_IPV4_ONLY = 1 << 3,     /* no portal with an IPv6 address */
	TRANSPORT_PATH_REQUESTS = 1 << 4, /* somebody has to answer them before it connects */
	TRANSPORT_POLL_BLIND = 1 << 5,    /* that an endpoint failed is never told */
	TRANSPORT_INITIAL_R2T = 1 << 6,   /* InitialR2T=Yes, whatever the node says */
	TRANSPORT_HOST_ADDRESS = 1 << 7,  /* its address is a parameter of the host */
};

/* Capability bits of the kernel's class device that matter to us. */
enum transport_capability {
	TRANSPORT_CAPABILITY_MULTI_R2T = 0x8,
	TRANSPORT_CAPABILITY_HEADER_DIGEST = 0x10,
	TRANSPORT_CAPABILITY_DATA_DIGEST = 0x20,
	TRANSPORT_CAPABILITY_TEXT = 0x80, /* PDUs of discovery sessions */
};

/* 0: no limit but that of the key. */
struct transport_limits {
	uint32_t max_recv_data_segment_length;
	uint32_t max_xmit_data_segment_length; /* of what we send, whatever the target takes */
	uint32_t max_burst_length;
	uint32_t first_burst_length;
};

/* Settings of the adapter's own network, as bits. */
#define NETWORK(setting) (UINT64_C(1) << SETTING_NETWORK_##setting)

struct transport {
	const char *name;      /* of the class device */
	const char *module;    /* to load */
	const char *proc_name; /* what its SCSI hosts are called */
	enum transport_kind kind;
	unsigned quirks; /* enum transport_quirk */
	struct transport_limits limits;
	uint64_t network4, network6; /* what can be set of it, with each version of IP */

	/* Read when the module is there. */
	bool loaded;
	uint64_t handle;
	uint32_t capabilities; /* enum transport_capability, and others */
};

typedef void (*transport_ready_t)(void *userdata, int error);

/* The rows, in the order of the setting "transport", ended by a NULL name. One array per process.
 */
struct transport *transport_table(void);
struct transport *transport_find(const char *name);
/* By what the SCSI hosts are called. */
struct transport *transport_find_host(const char *proc_name);

/*
 * Makes a transport usable: loads its module if need be, off the loop, and reads its handle. Calls
 * done() from the loop, or returns 1 if it is ready at once (done() is then not called). On failure
 * event TRANSPORT_UNAVAILABLE was raised. Errors: -ENOMEM.
 */
int transport_prepare(struct manager *manager, struct transport *transport, transport_ready_t done,
		      void *userdata);
/* Reads the handle if the module is there; blocks on nothing but sysfs. */
void transport_refresh(struct manager *manager, struct transport *transport);

/* Its adapters have a network that this host is not in. */
bool transport_has_network(const struct transport *transport);
/* Digests it can compute; true of one that is not loaded, but for those that never can. */
bool transport_has_digests(const struct transport *transport, enum transport_capability which);
/* Lowers an offer to what the transport can do; it must be loaded, unless it is of a socket. */
void transport_limit_offer(const struct transport *transport, struct iscsi_offer *offer);
/* The most that may be sent in a PDU to a target that takes so much. */
uint32_t transport_limit_transmit(const struct transport *transport, uint32_t length);
