/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way from an address in a subnet of this host to a target: the network device, the next hop's
 * hardware address, VLAN and MTU, by the tables of the kernel. For adapters that have an address
 * there, and no tables of their own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <net/if.h>

struct path_address {
	uint8_t bytes[16]; /* network order */
};

struct path_query {
	int family;                         /* AF_INET or AF_INET6 */
	struct path_address source, target; /* the adapter's, and where to */
	struct path_address gateway;        /* to what is outside the subnet, if: */
	bool has_gateway;                   /* else the routing table decides */
	char net_device[IFNAMSIZ];          /* of the port; not one of this host: any */
	uint64_t deadline_usec;             /* CLOCK_MONOTONIC */
	int stop_fd;                        /* readable: give up */
};

struct path_answer {
	uint8_t hardware_address[6];
	uint16_t vlan; /* 0: none */
	uint32_t mtu;
	char fault[160]; /* why there is no way */
};

/*
 * Waits for a neighbour to answer, until the deadline; else for nothing but the kernel's tables.
 * For a worker thread. Errors, with ret->fault filled in: -EHOSTUNREACH, -ENETDOWN,
 * -EADDRNOTAVAIL (the source), -ECANCELED; those of the system.
 */
int path_look_up(const struct path_query *query, struct path_answer *ret);
