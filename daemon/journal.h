/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes events to the journal by its native protocol and never waits for it: the journal may hang
 * on the very disk we are about to bring back. What it does not take now is queued in memory,
 * within bounds, and sent when it takes entries again; what does not fit is counted and the next
 * entry says so.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "cleanup.h"
#include "event.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct journal;

/* The socket at @path need not exist yet. Errors: -ENOMEM, -EMFILE, -ENAMETOOLONG. */
int journal_new(sd_event *event, const char *path, struct journal **ret);
/* Tries once more to send what is queued. */
struct journal *journal_free(struct journal *journal);
DEFINE_CLEANUP(struct journal *, journal_free);

/*
 * Reports @event with @message as its MESSAGE. @repeated entries like it were left out before
 * (OIS_REPEATED). The times go into the entry if it is sent late. What cannot be kept is counted as
 * dropped.
 */
void journal_write(struct journal *journal, const struct event *event, const char *message,
		   uint64_t realtime_usec, uint64_t monotonic_usec, uint64_t repeated);

/* Counts entries that were lost before they came here. */
void journal_count_dropped(struct journal *journal, uint64_t dropped);

/* Entries waiting for the journal, and entries lost that no entry has told of yet. */
unsigned journal_queued(const struct journal *journal);
uint64_t journal_dropped(const struct journal *journal);
