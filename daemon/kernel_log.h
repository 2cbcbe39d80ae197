/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's log, /dev/kmsg: details of connection errors, and faults that the kernel tells in no
 * other way.
 */
#pragma once

#include <systemd/sd-event.h>

#include "cleanup.h"
#include "kernel_log_line.h"

struct kernel_log;

/* The line is borrowed for the call. */
typedef void (*kernel_log_said_t)(void *userdata, const struct kernel_log_line *line);

/*
 * From the present end of the log on. What is written is read from the loop, some records at a
 * time and so many times a second at most: a log that is flooded costs little, and lines are then
 * missed. Errors: -ENOENT, -EPERM, -ENOMEM.
 */
int kernel_log_new(sd_event *event, const char *path, kernel_log_said_t said, void *userdata,
		   struct kernel_log **ret);
struct kernel_log *kernel_log_free(struct kernel_log *log);
DEFINE_CLEANUP(struct kernel_log *, kernel_log_free);

/*
 * A connection error has come: takes what has been written by now, all of it if a line may tell the
 * cause of such an @error, else as much as there is time for. NULL: nothing.
 */
void kernel_log_look(struct kernel_log *log, unsigned error);
