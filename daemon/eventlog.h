/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one place events go through: numbers and stamps them, hands them to the journal at a bounded
 * rate, keeps the last ones in memory and tells subscribers. Subscribers see every event, the
 * journal may see fewer.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "cleanup.h"
#include "event.h"
#include "journal.h"

struct eventlog;
struct eventlog_subscription;

struct eventlog_entry {
	uint64_t sequence; /* from 1 at each start of the daemon */
	uint64_t realtime_usec;
	uint64_t monotonic_usec;
	const struct event *event;
	const char *message; /* MESSAGE */
};

/* Of one event about one target and portal the journal gets this many at once, then one per
 * interval. */
#define EVENTLOG_BURST         10
#define EVENTLOG_INTERVAL_USEC (10 * UINT64_C(1000000))

/* @journal is borrowed. Keeps the last @history entries, at least one. Errors: -ENOMEM. */
int eventlog_new(sd_event *event, struct journal *journal, size_t history, struct eventlog **ret);
/* Ends all subscriptions. */
struct eventlog *eventlog_free(struct eventlog *log);
DEFINE_CLEANUP(struct eventlog *, eventlog_free);

/* Reports @event and consumes it. NULL (memory was short when it was made) counts as dropped. */
void eventlog_raise(struct eventlog *log, struct event *event);
/* The same at a given time. */
void eventlog_raise_at(struct eventlog *log, struct event *event, uint64_t realtime_usec,
		       uint64_t monotonic_usec);

/*
 * Called for each event raised from now on, in order; the entry is borrowed for the call. A
 * callback may raise events, which are delivered after it returns, and subscribe and unsubscribe at
 * will.
 */
typedef void (*eventlog_callback_t)(const struct eventlog_entry *entry, void *userdata);

/* Errors: -ENOMEM. */
int eventlog_subscribe(struct eventlog *log, eventlog_callback_t callback, void *userdata,
		       struct eventlog_subscription **ret);
struct eventlog_subscription *eventlog_unsubscribe(struct eventlog_subscription *subscription);
DEFINE_CLEANUP(struct eventlog_subscription *, eventlog_unsubscribe);

/* The oldest entry in memory whose number is greater than @sequence, or NULL. Borrowed until the
 * next event. */
const struct eventlog_entry *eventlog_after(const struct eventlog *log, uint64_t sequence);
/* Number of the last event; 0: none yet. */
uint64_t eventlog_last(const struct eventlog *log);
