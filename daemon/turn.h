/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The time of a turn of the loop. Turns are short: what happens in one happens at one time, and
 * nobody but the loop has to look at the clock. Threads without a loop get the clock itself.
 */
#pragma once

#include <stdint.h>
#include <time.h>

/* CLOCK_REALTIME or CLOCK_MONOTONIC, in microseconds. Where there is no loop, the clock's own. */
uint64_t turn_usec(clockid_t clock);
