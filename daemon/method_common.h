/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the methods share: selectors, and the JSON forms of things that stand in several interfaces.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json.h>

#include "call.h"
#include "manager.h"
#include "methods.h"
#include "parse.h"

/* A Selector of org.ois.node or org.ois.session. Strings are borrowed. */
struct selector {
	const char *target_name;          /* shell pattern; NULL: any */
	char address[PORTAL_ADDRESS_MAX]; /* empty: any */
	int64_t port;                     /* -1: any */
	int64_t session;                  /* -1: any */
	int startup;                      /* enum setting_startup; -1: any */
};

/* NULL selects everything. Errors: -EINVAL (what no address, port or session can be). */
int selector_read(json_object *object, struct selector *ret);
bool selector_matches(const struct selector *selector, const char *target_name, const char *address,
		      uint16_t port);
/* Also looks at the startup in effect. */
bool selector_matches_node(const struct selector *selector, const struct manager *manager,
			   const struct node *node);
bool selector_matches_session(const struct selector *selector, const struct session *session);
/* The nodes selected, in their order; the caller frees *@ret. Any change of the records ends its
 * use. */
int selector_nodes(const struct selector *selector, const struct manager *manager,
		   struct node ***ret, size_t *ret_n);

/* JSON objects; NULL: no memory. */

/* An object with one member, which is taken over and may be NULL as the result of another function.
 */
json_object *json_wrap(const char *name, json_object *value);

/* A Key of org.ois.node, or NodeKey of org.ois.session. */
json_object *key_to_json(const char *target_name, const char *address, uint16_t port,
			 int portal_group_tag);
/* Settings of org.ois.node or org.ois.discovery, and whether there are secrets. */
json_object *configured_to_json(const struct settings *settings, const struct secret *secret,
				const struct secret *target_secret);
/* Kernel numbers of the sessions made from a node. */
json_object *node_sessions_to_json(struct manager *manager, const struct node *node);
/* Sets the field "state", a SessionState of org.ois.session. */
int session_state_to_json(json_object *object, const struct session *session);
/* "" if it is not known. */
const char *session_transport_name(const struct session *session);
/* A Failure of org.ois.session. */
json_object *failure_to_json(const struct session_failure *failure);
/* The fields that tell which logical unit it is: lun, address, blockDevice. */
int lun_identity_to_json(json_object *object, const struct sysfs_lun *lun);
/* An array of LogicalUnit. */
json_object *luns_to_json(const struct sysfs_lun *luns, size_t n);
/*
 * The nodes that parameter "selector" names. 1: there are some, the caller frees *@ret; 0: the call
 * was answered, with error @no_such_node if no node matches. Errors: -ENOMEM.
 */
int call_select_nodes(struct call *call, const char *no_such_node, struct node ***ret,
		      size_t *ret_n);

/* A StoreFailed error of the interface of the method, @name. */
void call_store_failed(struct call *call, const char *name, int error);

/* An event about @node, caused by @call; the caller adds to it and raises it. */
struct event *node_event(const struct call *call, const struct node *node,
			 enum event_number number);
