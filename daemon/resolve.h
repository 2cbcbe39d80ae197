/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * IP addresses: from text, and from names, which are looked up off the loop.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "cleanup.h"
#include "work.h"

/* Of the addresses of a name, so many are used. */
#define RESOLVE_ADDRESSES_MAX 32

union ip_address {
	struct sockaddr any; /* AF_INET, AF_INET6; AF_UNSPEC: none */
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

/* Errors: -EINVAL (no numeric address), -ENODEV (there is no interface as its scope says). */
int ip_address_parse(const char *text, uint16_t port, union ip_address *ret);
socklen_t ip_address_length(const union ip_address *address);
/* Without the port. */
void ip_address_format(const union ip_address *address, char ret[64]);
bool ip_address_is_link_local(const union ip_address *address);

struct resolve;

/*
 * @addresses are borrowed, in the order in which they should be tried: that of RFC 6724, but the
 * families by turns (RFC 8305, section 4). @error is 0, or a negative errno for @text.
 */
typedef void (*resolve_done_t)(void *userdata, const union ip_address *addresses, size_t n,
			       int error, const char *text);

/*
 * Looks a name up. done() is called from the loop, by @deadline_usec of CLOCK_MONOTONIC at the
 * latest, and may free the object. Errors: -ENOMEM; -ENOBUFS (thousands wait); those of
 * work_submit().
 */
int resolve_new(sd_event *event, struct work *resolver, const char *host, uint16_t port,
		uint64_t deadline_usec, resolve_done_t done, void *userdata, struct resolve **ret);
/* The lookup goes on, and nobody hears of it. */
struct resolve *resolve_free(struct resolve *resolve);
DEFINE_CLEANUP(struct resolve *, resolve_free);
