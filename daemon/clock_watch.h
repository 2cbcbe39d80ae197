/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Notices that the clock was set, and that the host has slept: what was said of times is then
 * wrong, and what was heard of targets is old.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "cleanup.h"

struct clock_watch;

/* @set_usec: by how much the clock was set forward; @slept_usec: for how long the host slept. */
typedef void (*clock_changed_t)(void *userdata, int64_t set_usec, uint64_t slept_usec);

/* Less than a second of both is not told. Errors: -ENOMEM, -EMFILE. */
int clock_watch_new(sd_event *event, clock_changed_t changed, void *userdata,
		    struct clock_watch **ret);
struct clock_watch *clock_watch_free(struct clock_watch *watch);
DEFINE_CLEANUP(struct clock_watch *, clock_watch_free);
