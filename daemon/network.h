/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tells when the host's network changed: a new address or route may bring a target within reach.
 * Listens on NETLINK_ROUTE only while somebody waits for that, so that an idle daemon is not woken.
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "cleanup.h"

struct network;

/* changed() is called from the loop, once for a burst of changes. Errors: -ENOMEM. */
int network_new(sd_event *event, void (*changed)(void *userdata), void *userdata,
		struct network **ret);
struct network *network_free(struct network *network);
DEFINE_CLEANUP(struct network *, network_free);

/* Starts or ends listening. */
int network_listen(struct network *network, bool on);
