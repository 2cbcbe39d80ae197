/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Addresses of portals as text: host names, IPv4, IPv6 without brackets; a link-local IPv6 address
 * may end in "%" and the network interface it is meant on, its scope (RFC 4007, 11).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes @text in the one form in which addresses are kept and compared: IPv6 as in RFC 5952, all
 * else as it is. @ret may be @text. Errors: -EINVAL (no address, or too long for @size).
 */
int address_normalize(const char *text, char *ret, size_t size);

/* These take any text; what is no numeric address is none of it. */
bool address_is_numeric(const char *address);
bool address_is_wildcard(const char *address);   /* 0.0.0.0, :: */
bool address_is_link_local(const char *address); /* of IPv6, with or without scope */
/* The scope, or NULL. */
const char *address_scope(const char *address);
/* Whether @name can be the name of a network interface, or a scope. */
bool net_device_is_valid(const char *name);

/* Whether @name can be that of an interface record. */
#define INTERFACE_NAME_MAX 63
bool interface_name_is_valid(const char *name);
/* Puts @scope in place of the one of a link-local address. Errors: -EINVAL (too long for @size). */
int address_set_scope(char *address, size_t size, const char *scope);
/*
 * Makes of an address that a target says of itself one that this host can use. A target that
 * listens on all its addresses may name the wildcard; what is known of these is the one we @asked
 * (NULL: unknown).
 * A link-local address is one on our link, which @scope names (NULL: unknown); a scope it came with
 * is the name of an interface of the target, which means nothing here. What keeps it from being
 * used, or NULL.
 */
const char *address_localize(char *address, size_t size, const char *asked, const char *scope);
