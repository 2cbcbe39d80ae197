/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <systemd/sd-event.h>

#include "turn.h"

uint64_t turn_usec(clockid_t clock)
{
	struct timespec now;
	uint64_t usec;

	if (sd_event_now(SD_EVENT_DEFAULT, clock, &usec) >= 0)
		return usec;
	if (clock_gettime(clock, &now) < 0)
		return 0;
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}
