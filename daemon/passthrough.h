/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SCSI commands that a client wants sent, through the generic interface of the block layer,
 * /dev/bsg. A command may hang as long as its session has no connection: it has a worker thread,
 * and a deadline after which nobody waits for the thread any more.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "cleanup.h"
#include "scsi.h"
#include "sysfs.h"

/* What a device answered, beside the data. */
struct passthrough_answer {
	unsigned status;             /* enum scsi_status */
	size_t length, sense_length; /* of data and sense */
	uint8_t sense[SCSI_SENSE_MAX];
};

/*
 * Sends one command that reads, and waits for the answer. @data has room for what the command asks
 * for. Blocks, longer than @timeout_seconds while the session has no connection: worker threads
 * only. Errors: -ETIMEDOUT; -ENODEV (no such device, any more); -EIO (no answer of the device);
 * other: the kernel refused.
 */
int passthrough_run(const struct sysfs *sysfs, const struct sysfs_lun *lun,
		    const struct scsi_cdb *cdb, unsigned timeout_seconds, uint8_t *data,
		    struct passthrough_answer *ret);

struct passthrough;

/* @sysfs is borrowed. Errors: those of work_new(). */
int passthrough_new(sd_event *event, const struct sysfs *sysfs, struct passthrough **ret);
/* done() of all commands is called with -ECANCELED. Waits for those that hang. */
struct passthrough *passthrough_free(struct passthrough *passthrough);
DEFINE_CLEANUP(struct passthrough *, passthrough_free);

struct passthrough_result {
	/*
	 * 0: the device answered, see status; -ETIMEDOUT; -ENODEV: no such device, any more; -EIO:
	 * no answer of the device; other: the kernel refused
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
 * cancelled; the command is gone then. Errors: -ENOMEM, -EAGAIN.
 */
int passthrough_send(struct passthrough *passthrough, const struct sysfs_lun *lun,
		     const struct scsi_cdb *cdb, unsigned timeout_seconds, passthrough_done_t done,
		     void *userdata, struct passthrough_command **ret);
/* Forgets about it: done() is not called. */
struct passthrough_command *passthrough_cancel(struct passthrough_command *command);
