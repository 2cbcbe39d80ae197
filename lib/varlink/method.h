/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's table of methods, generated from the .varlink files: who may call, how, and who
 * answers. Part of ois-varlink-methods, which only a program that has all handlers can link.
 * methods.h has their prototypes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct call;

/* Who may call a method: the word its comment starts with. "secret" is VARLINK_ACCESS_CHANGE with
 * .secret. */
enum varlink_access {
	VARLINK_ACCESS_ANY,
	VARLINK_ACCESS_READ,
	VARLINK_ACCESS_CHANGE,
};

typedef int (*varlink_handler_t)(struct call *call);

struct varlink_method {
	const char *name; /* "org.ois.node.List" */
	enum varlink_access access;
	bool more_required;        /* [Requires 'more' flag] */
	bool more_supported;       /* that, or [Supports 'more' flag] */
	bool secret;               /* the parameters are to be erased after use, and never logged */
	varlink_handler_t handler; /* method_node_list() */
};

/* In the order of the files; a NULL name at the end. */
extern const struct varlink_method varlink_methods[];

/* NULL: there is no such method. */
const struct varlink_method *varlink_method_find(const char *name);
