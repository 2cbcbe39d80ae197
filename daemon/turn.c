/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <systemd/sd-event.h>

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

bool turn_is_over(void)
{
	uint64_t began;

	return sd_event_now(SD_EVENT_DEFAULT, CLOCK_MONOTONIC, &began) >= 0 &&
	       clock_usec(CLOCK_MONOTONIC) > began + TURN_USEC;
}

bool turn_ends(size_t n_done)
{
	return n_done > 0 && n_done % CHECK_EVERY == 0 && turn_is_over();
}
