/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "turn.h"

#define TURN_USEC   3000
#define CHECK_EVERY 4

static uint64_t clock_usec(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) < 0)
		return 0;
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t turn_usec(clockid_t clock)
{
	uint64_t usec;

	return sd_event_now(SD_EVENT_DEFAULT, clock, &usec) >= 0 ? usec : clock_usec(clock);
}

uint64_t turn_lasted_usec(void)
{
	uint64_t began;

	return sd_event_now(SD_EVENT_DEFAULT, CLOCK_MONOTONIC, &began) >= 0
		       ? clock_usec(CLOCK_MONOTONIC) - began
		       : 0;
}

bool turn_is_over(void)
{
	return turn_lasted_usec() > TURN_USEC;
}

bool turn_ends(size_t n_done)
{
	return n_done > 0 && n_done % CHECK_EVERY == 0 && turn_is_over();
}

/*
 * sd-event takes them in the order in which they came to wait, and a deferred source that is
 * enabled once more is one that has waited ever since it was made: it would keep all others from
 * having their turn. So there is a new one each time.
 */
int turn_defer(sd_event *event, sd_event_source **source, int64_t priority,
	       sd_event_handler_t handler, void *userdata)
{
	sd_event_source *latest = NULL;
	int enabled, r;

	if (*source && sd_event_source_get_enabled(*source, &enabled) >= 0 &&
	    enabled != SD_EVENT_OFF)
		return 0;
	r = sd_event_add_defer(event, &latest, handler, userdata);
	if (r >= 0)
		r = sd_event_source_set_priority(latest, priority);
	if (r >= 0) {
		sd_event_source_disable_unref(*source);
		*source = latest;
		return 0;
	}
	sd_event_source_disable_unref(latest);
	return *source ? sd_event_source_set_enabled(*source, SD_EVENT_ONESHOT) : r;
}
