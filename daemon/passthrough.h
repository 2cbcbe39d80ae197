/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SCSI commands that a client wants sent. A command may hang as long as its session has no
 * connection: the scanner waits for it, and after a deadline nobody waits for the scanner.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "scanner.h"
#include "scsi.h"
#include "sysfs.h"

struct passthrough_result {
	/*
	 * 0: the device answered, see status; -ETIMEDOUT; -ENODEV: no such device, any more; -EIO:
	 * no answer of the device, or the scanner ended; other: the kernel refused
	 */
	int error;
	unsigned status; /* enum scsi_status */
	const uint8_t *data;
	size_t length;
	const uint8_t *sense;
	size_t sense_length;
};

typedef void (*passthrough_done_t)(void *userdata, const struct passthrough_result *result);

struct passthrough_command;

/*
 * Sends one command that reads. done() is called exactly once from the loop, unless it is
 * cancelled; the command is gone then. Errors: -ENOMEM, those of scanner_submit().
 */
int passthrough_send(sd_event *event, struct scanner *scanner, const struct sysfs_lun *lun,
		     const struct scsi_cdb *cdb, unsigned timeout_seconds, passthrough_done_t done,
		     void *userdata, struct passthrough_command **ret);
/* Forgets about it: done() is not called. */
struct passthrough_command *passthrough_cancel(struct passthrough_command *command);
