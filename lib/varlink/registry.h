/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The interfaces of include/ois/, parsed once: for introspection and for checking calls and
 * replies.
 */
#pragma once

#include <stddef.h>

#include "cleanup.h"
#include "idl.h"

/* A row of the generated table: the text of one .varlink file, verbatim. */
struct varlink_description {
	const char *name; /* of the interface */
	const char *text;
};

/* Sorted by name. */
extern const struct varlink_description varlink_descriptions[];
extern const size_t varlink_n_descriptions;

struct varlink_interface {
	const char *name;
	const char *description; /* as in the .varlink file */
	struct idl *idl;
};

struct varlink_registry;

/* Errors: -ENOMEM. */
int varlink_registry_new(struct varlink_registry **ret);
struct varlink_registry *varlink_registry_free(struct varlink_registry *registry);
DEFINE_CLEANUP(struct varlink_registry *, varlink_registry_free);

/* NULL: there is no such interface. */
const struct varlink_interface *varlink_registry_find(const struct varlink_registry *registry,
						      const char *name);
/* All, sorted by name; NULL after the last. */
const struct varlink_interface *varlink_registry_at(const struct varlink_registry *registry,
						    size_t index);
/* The method, error or type of a qualified name such as "org.ois.node.List", split at the last dot,
 * or NULL. */
const struct idl_member *varlink_registry_member(const struct varlink_registry *registry,
						 enum idl_member_kind kind, const char *name);
