/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trace events of the kernel that tell what no other interface does: SCSI commands that time out,
 * and what SCSI error handling then does on a session. They are recorded into an instance of our
 * own, so that nobody else's tracing is touched, and wake us only when there is one. Where there
 * are none (the kernel has no tracing, or a lockdown forbids it) we do without.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "cleanup.h"
#include "work.h"

/* What a command descriptor block has at most, SPC-6. */
#define TRACEPOINT_CDB_MAX 260
/* The kernel cuts its texts here. */
#define TRACEPOINT_TEXT_MAX 256

struct tracepoint_timeout {
	uint32_t host, channel, target, lun;
	uint8_t cdb[TRACEPOINT_CDB_MAX];
	size_t cdb_length;
};

struct tracepoint_callbacks {
	/* A command of any SCSI device timed out. */
	void (*timed_out)(void *userdata, const struct tracepoint_timeout *timeout);
	/* "iscsi_eh_device_reset LU Reset [sc 0000000012345678 lun 1]" */
	void (*error_handling)(void *userdata, uint32_t sid, const char *text);
};

struct tracepoints;

/*
 * @sysfs is where sysfs is mounted; borrowed, as @callbacks is. The instance is made by a thread of
 * @work, and whether that succeeds is not told: without it there are no events. @work must be freed
 * before the tracepoints. Errors: those of work_submit().
 */
int tracepoints_new(sd_event *event, const char *sysfs, struct work *work,
		    const struct tracepoint_callbacks *callbacks, void *userdata,
		    struct tracepoints **ret);
/* Removes the instance. */
struct tracepoints *tracepoints_free(struct tracepoints *tracepoints);
DEFINE_CLEANUP(struct tracepoints *, tracepoints_free);

/* Are there any? NULL: no. */
bool tracepoints_active(const struct tracepoints *tracepoints);
/* Takes what has been recorded by now. */
void tracepoints_look(struct tracepoints *tracepoints);
