/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers path requests of adapters that have no neighbour table (bnx2i, qedi), for connects of
 * ours: those of others have somebody else who answers them. The adapter's address is that of an
 * interface; the way from there is that of this host, in whose subnet it must be.
 */
#pragma once

#include <stdint.h>

#include "cleanup.h"

struct endpoint_connect;
struct iscsi_kernel_path;
struct manager;
struct path;
struct paths;
struct settings;

/* Errors: -ENOMEM, -EMFILE. */
int paths_new(struct manager *manager, struct paths **ret);
/* What is being looked up ends at once. */
struct paths *paths_free(struct paths *paths);
DEFINE_CLEANUP(struct paths *, paths_free);

/* The kernel asks; from a callback of kernel.h. */
void paths_requested(struct paths *paths, uint64_t transport_handle, uint32_t host,
		     const struct iscsi_kernel_path *request);
/* The network of this port goes: what is asked of it has no answer any more. */
void paths_down(struct paths *paths, uint64_t transport_handle, uint32_t host);

/* The connect does not go on: the adapter is told so, if it still waits. */
struct path *path_cancel(struct path *path);
