/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Time of a step that is part of something which has a limit as a whole. All in microseconds, on
 * CLOCK_MONOTONIC.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#define DEADLINE_NONE UINT64_MAX

/* When a step that begins now must have ended: after @timeout, and by @deadline. */
static inline uint64_t deadline_of_step(sd_event *event, uint64_t timeout, uint64_t deadline)
{
	uint64_t now = 0;

	(void)sd_event_now(event, CLOCK_MONOTONIC, &now);
	return deadline < now + timeout ? deadline : now + timeout;
}
