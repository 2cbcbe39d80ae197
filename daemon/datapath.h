/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sight into what the kernel does with commands: its trace events, its log and its counters,
 * brought to the sessions they are about. Nothing of it is needed; where the kernel does not give
 * one, less is told.
 */
#pragma once

#include <stdbool.h>

#include "cleanup.h"

struct datapath;
struct manager;

/* The kernel's iSCSI is there. What cannot be had is done without. Errors: -ENOMEM. */
int datapath_new(struct manager *manager, struct datapath **ret);
/* After manager->loader was freed. */
struct datapath *datapath_free(struct datapath *datapath);
DEFINE_CLEANUP(struct datapath *, datapath_free);

/*
 * Before a connection error is handled: what the kernel writes and records of its cause comes
 * before it, and is there by now. NULL: nothing is.
 */
void datapath_look(struct datapath *datapath, unsigned error);
/* Do trace events tell of commands that time out? */
bool datapath_traces(const struct datapath *datapath);
