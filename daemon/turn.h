/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The time of a turn of the loop. Turns are short: what happens in one happens at one time, and
 * nobody but who does many things in a turn has to look at the clock. Threads without a loop get
 * the clock itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>
#include <time.h>

/* CLOCK_REALTIME or CLOCK_MONOTONIC, in microseconds. Where there is no loop, the clock's own. */
uint64_t turn_usec(clockid_t clock);
/* How long this turn has lasted. Without a loop, 0. */
uint64_t turn_lasted_usec(void);
/* True when the turn has lasted so long that others should have theirs. Without a loop, never. */
bool turn_is_over(void);

/*
 * The same, for who has many things to do: asks before each, with the number of those done, and
 * goes on in another turn. Some can always be done, and the clock is looked at only every few.
 */
bool turn_ends(size_t n_done);

/*
 * Has @handler called in a turn to come, once, after all that is waiting by now at @priority;
 * nothing if it is waiting itself. *@source is the caller's, and NULL or one of an earlier call.
 * Errors: -ENOMEM, if there was none.
 */
int turn_defer(sd_event *event, sd_event_source **source, int64_t priority,
	       sd_event_handler_t handler, void *userdata);
