/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What sessions and discoveries need of their owner, beyond manager.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct manager;
struct session;

/*
 * Opens the kernel's control interface if it is not open. Errors: those of kernel_new(); -ECANCELED
 * (the daemon ends).
 */
int manager_open_kernel(struct manager *manager);
/* Queues a login or re-login; session_begin() follows when there is room. */
void manager_admit(struct session *session);
/* It is no longer in flight, or not even queued any more. */
void manager_release(struct session *session);
/* Looks after the session from the loop: tells new watchers, frees it when it is closed. */
void manager_tend(struct session *session);
/* Hands over a session, which is freed when it has ended. */
void manager_add_session(struct manager *manager, struct session *session);
/* The kernel knows the session by its number from now on, or no longer. */
void manager_index_session(struct session *session);
void manager_unindex_session(struct session *session);
/* True, once, if a ping of this session was answered before the session had its number. */
bool manager_take_answer(struct session *session);
