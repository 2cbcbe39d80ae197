/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a daemon that was killed left of sessions it was making or removing: objects of the kernel
 * that nobody will ever use. They are no sessions to us but something to be removed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "record.h"
#include "sysfs.h"

struct manager;
struct leftover;

/*
 * If a session found in the kernel is such a thing, has the kernel remove it and returns true; what
 * is asked of the kernel afterwards is done after it. @node: what it was made from, or NULL. Event
 * 1180 tells when it is gone.
 */
bool leftover_take(struct manager *manager, const struct sysfs_session *found,
		   const struct node *node);
/* The kernel says that session @sid is gone. Returns false if it was none of these. */
bool leftover_gone(struct manager *manager, uint32_t sid);
/* Events were lost: those that are gone have gone. */
void leftover_look(struct manager *manager);
void leftover_free_all(struct manager *manager);
