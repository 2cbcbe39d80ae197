/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many sockets behind one event source. The loop handles one source in a turn, with some system
 * calls for each; here one turn handles all that are ready, up to a bound.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "cleanup.h"

struct poller;
struct poller_entry;

/* @revents as of epoll_wait(). The entry, and others, may be removed in it. */
typedef void (*poller_ready_t)(void *userdata, uint32_t revents);

/* Errors: -ENOMEM; those of epoll_create1(). */
int poller_new(sd_event *event, struct poller **ret);
/* All entries have been removed. */
struct poller *poller_free(struct poller *poller);
DEFINE_CLEANUP(struct poller *, poller_free);
sd_event *poller_event(const struct poller *poller);

/*
 * Watches @fd for @events (EPOLLIN, EPOLLOUT), level-triggered; the descriptor stays the caller's,
 * and is removed before it is closed or given away. Errors: -ENOMEM; those of epoll_ctl().
 */
int poller_add(struct poller *poller, int fd, uint32_t events, poller_ready_t ready, void *userdata,
	       struct poller_entry **ret);
/* 0: nothing is told of it, not even errors. */
int poller_set_events(struct poller_entry *entry, uint32_t events);
struct poller_entry *poller_remove(struct poller_entry *entry);
