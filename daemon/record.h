/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Node records: which targets this host may log in to; and what a person keeps for discoveries at a
 * portal, and for interfaces. All of them are in memory, and nobody else touches them on disk. What
 * a discovery found (facts: portals, tags, aliases, when and where) and what a person set
 * (settings, secrets, static nodes) live in two files, so that a discovery can never reset a
 * setting.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "cleanup.h"
#include "eventlog.h"
#include "settings.h"

struct secret;

/* Identity of a node: target name, address (numeric or host name, no brackets) and port. */
struct node_key {
	const char *target_name;
	const char *address;
	uint16_t port;
};

enum node_origin {
	NODE_ORIGIN_STATIC,
	NODE_ORIGIN_SEND_TARGETS,
};

struct node {
	struct node_key key;  /* strings owned */
	int portal_group_tag; /* -1: unknown */
	char *target_alias;   /* may be NULL */
	enum node_origin origin;
	char *origin_address; /* of the discovery, NULL for static nodes */
	uint16_t origin_port;
	char *interface; /* over which the discovery was made; NULL: none was named */
	uint64_t created_usec, changed_usec; /* CLOCK_REALTIME */
	uint64_t last_seen_usec;             /* by a discovery; 0: never */
	uint64_t md5_only_usec; /* since when it is known to cope with MD5 alone; 0: it is not */

	/* Where the target has moved to for good, as it said at a login; NULL: nowhere */
	char *redirect_address;
	uint16_t redirect_port;
	uint64_t redirect_usec;

	/* When a person logged out, and has not logged in since; 0: has */
	uint64_t logged_out_usec;
	bool logged_out_forced; /* with devices in use */

	/* Its session went with a port of an adapter, and comes back with it; not stored */
	bool awaits_adapter;

	struct settings *settings; /* what a person configured; never NULL */
	struct secret *secret, *target_secret;
};

/* Settings and secrets of discoveries at a portal; a person made it. */
struct portal {
	char *address; /* as address_normalize() writes it */
	uint16_t port;
	uint64_t created_usec, changed_usec; /* CLOCK_REALTIME */

	struct settings *settings; /* of SETTINGS_DISCOVERY; never NULL */
	struct secret *secret, *target_secret;
};

/* What a person set for an interface; interface.h has what its name says. */
struct interface {
	char *name;
	uint64_t created_usec, changed_usec; /* CLOCK_REALTIME */

	struct settings *settings; /* of SETTINGS_INTERFACE; never NULL */
};

struct poller;
struct records;

/*
 * Loads both files from @directory (made if missing, 0700). A line that cannot be read is reported
 * (event RECORD_INVALID) and kept as it is; a file that cannot be read at all, or is of a later
 * format, is never written (the first records_commit() after a change to it fails with -EROFS) so
 * that nothing is lost. A node whose facts are gone but which has settings is static. @log is
 * borrowed. Errors: -ENOMEM; of work_new().
 */
int records_new(struct poller *poller, const char *directory, struct eventlog *log,
		struct records **ret);
/* Ends writes that were committed; nobody is called any more. */
struct records *records_free(struct records *records);
DEFINE_CLEANUP(struct records *, records_free);

size_t records_count(const struct records *records);
/* In the order of target name, address, port; NULL at the end. Any change invalidates the order. */
struct node *records_at(const struct records *records, size_t index);
struct node *records_find(const struct records *records, const struct node_key *key);

/* -EEXIST; -EINVAL (no valid key); -ENOMEM. The new node has no settings. */
int records_create(struct records *records, const struct node_key *key, int portal_group_tag,
		   struct node **ret);
/* Forgets facts and settings. */
void records_remove(struct records *records, struct node *node);
/*
 * Tells that @node's settings or secrets (@facts false) or its facts (@facts true) were changed.
 * After the former it is no longer known whether the target copes with MD5 alone only.
 */
void records_changed(struct records *records, struct node *node, bool facts);
/* A login has shown that the target copes with CHAP by MD5 alone only, or that this is no longer
 * so. */
void records_set_md5_only(struct records *records, struct node *node, bool md5_only);

/*
 * What a person wants of the node, apart from its settings: to be logged out until the next login,
 * with @forced whatever uses its devices.
 */
void records_set_logged_out(struct records *records, struct node *node, bool logged_out,
			    bool forced);

/* A login was redirected for good, or (@address NULL) is not any more. Errors: -ENOMEM. */
int records_set_redirect(struct records *records, struct node *node, const char *address,
			 uint16_t port);

enum records_found {
	RECORDS_FOUND_CREATED,
	RECORDS_FOUND_UPDATED,
	RECORDS_FOUND_UNCHANGED,
};

/*
 * A discovery found this portal: creates the node or updates its facts, never its settings. What
 * was known of CHAP by MD5 alone is forgotten. @portal_group_tag -1 and @target_alias NULL tell
 * nothing. A static node stays one. Errors: -ENOENT (not there, and not @create); -EINVAL (no valid
 * key); -ENOMEM.
 */
int records_found(struct records *records, const struct node_key *key, int portal_group_tag,
		  const char *target_alias, const char *origin_address, uint16_t origin_port,
		  bool create, enum records_found *ret);

/* In the order of address and port; NULL at the end. */
struct portal *records_portal_at(const struct records *records, size_t index);
/* The address may be in any form. */
struct portal *records_find_portal(const struct records *records, const char *address,
				   uint16_t port);
/* -EEXIST; -EINVAL (no address or port); -ENOMEM. Nothing is set in the new portal. */
int records_create_portal(struct records *records, const char *address, uint16_t port,
			  struct portal **ret);
void records_remove_portal(struct records *records, struct portal *portal);
void records_portal_changed(struct records *records, struct portal *portal);

/* The discovery was made over this interface; NULL: over none that was named. Errors: -ENOMEM. */
int records_set_interface(struct records *records, struct node *node, const char *name);

/* In the order of names; NULL at the end. */
struct interface *records_interface_at(const struct records *records, size_t index);
struct interface *records_find_interface(const struct records *records, const char *name);
/* -EEXIST; -EINVAL (no name of an interface); -ENOMEM. Nothing is set in the new one. */
int records_create_interface(struct records *records, const char *name, struct interface **ret);
void records_remove_interface(struct records *records, struct interface *interface);
void records_interface_changed(struct records *records, struct interface *interface);

typedef void (*records_done_t)(void *userdata, int error);

/*
 * Makes everything changed so far durable (written beside, fsync, rename, fsync of the directory),
 * in a worker thread. Commits that come while one is written share the next. done() is called from
 * the loop with 0, -EROFS, -ENOSPC, ...; on failure the change stays in memory, event STORE_FAILED
 * was raised, and the next commit tries again; @done NULL: that is enough. Errors: -ENOMEM; of
 * work_submit().
 */
int records_commit(struct records *records, records_done_t done, void *userdata);
