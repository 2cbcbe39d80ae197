/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many descriptors, and what is put off, behind one event source. The loop handles one source in a
 * turn, with half a dozen system calls for each; here one turn handles all that is ready and then
 * what that has put off, up to a bound and for a few milliseconds. Whatever happens with each login
 * belongs here.
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
/* All entries have been removed, and all calls taken back. */
struct poller *poller_free(struct poller *poller);
DEFINE_CLEANUP(struct poller *, poller_free);
sd_event *poller_event(const struct poller *poller);

/*
 * Watches @fd for @events (EPOLLIN, EPOLLOUT; EPOLLET), level-triggered without EPOLLET; the
 * descriptor stays the caller's, and is removed before it is closed or given away. Errors: -ENOMEM;
 * those of epoll_ctl().
 */
int poller_add(struct poller *poller, int fd, uint32_t events, poller_ready_t ready, void *userdata,
	       struct poller_entry **ret);
/* 0: nothing is told of it, not even errors. */
int poller_set_events(struct poller_entry *entry, uint32_t events);
struct poller_entry *poller_remove(struct poller_entry *entry);

/* A call that can be put off: part of the object it is for, and all zero at first. */
struct poller_call {
	struct poller *poller; /* NULL: not put off */
	void (*function)(void *userdata);
	void *userdata;
	struct poller_call *next, **previous;
};

/*
 * Calls once, at the end of this turn, or in one to come if it is such a call that asks for it or
 * there is no time. What is put off already stays where it is.
 */
void poller_call_later(struct poller *poller, struct poller_call *call,
		       void (*function)(void *userdata), void *userdata);
/* Takes it back, if it is put off. */
void poller_call_off(struct poller_call *call);
