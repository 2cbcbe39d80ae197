/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the service manager is told: readiness, reloads, the end, that we live, and a line of
 * status. It is never waited for. Without one (no $NOTIFY_SOCKET) all this does nothing.
 */
#pragma once

#include "cleanup.h"

struct manager;
struct notify;

/* Says READY=1, and from now on what the daemon does, on change and at most once a second. */
int notify_new(struct manager *manager, struct notify **ret);
struct notify *notify_free(struct notify *notify);
DEFINE_CLEANUP(struct notify *, notify_free);

/* manager_reload() of one caller begins, and has ended in whatever way. */
void notify_reloading(void);
void notify_reloaded(void);
void notify_stopping(void);
