/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces: over what this host reaches targets. What is known of one is what its name says
 * ("default", "iser", "tcp.DEVICE", "TRANSPORT.HARDWARE-ADDRESS") and what a person set, which must
 * not contradict it. To a node, a portal or a discovery that names it, it is a layer of settings
 * between its own and those of the configuration.
 */
#pragma once

#include "record.h"
#include "settings.h"

struct manager;
struct transport;

/* A port of an adapter that is there. */
struct interface_port {
	char name[80]; /* of its interface */
	uint32_t host;
};

/* In the order of names; the caller frees *@ret. Errors: -ENOMEM. */
int interface_list_ports(const struct manager *manager, struct interface_port **ret, size_t *ret_n);

/* Whether there is an interface of this name, made or not. */
bool interface_exists(const struct records *records, const char *name);
/* Whether its name alone says what it is. */
bool interface_is_built_in(const char *name);

/* What it stands for, with a transport in any case. Errors: -ENOENT, -ENOMEM. */
int interface_get(const struct records *records, const char *name, struct settings **ret);
/* Its transport; NULL: there is no such interface, or no memory. */
struct transport *interface_transport(const struct records *records, const char *name);
/*
 * The same as interface_get() if @own were set for it, checked: against its name, among themselves,
 * and against what its transport takes. @own may be NULL. Errors: -EINVAL with @ret_fault filled
 * in; -ENOMEM.
 */
int interface_resolve(const char *name, const struct settings *own, struct settings **ret,
		      struct settings_fault *ret_fault);

/*
 * Settings in effect where @own, else @discovered (may be NULL), else @defaults may name an
 * interface. One that does not exist has no settings, but is named by the result. Errors: -ENOMEM.
 */
int interface_effective(const struct records *records, const struct settings *defaults,
			const struct settings *own, const char *discovered, struct settings **ret);
/* Of a node. */
int interface_effective_of(const struct manager *manager, const struct node *node,
			   struct settings **ret);

/* Nodes and portals that name it. */
size_t interface_count_users(const struct records *records, const char *name);
