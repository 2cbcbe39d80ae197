/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SCSI commands through the generic interface of the block layer, /dev/bsg.
 */
#pragma once

#include <stdint.h>

#include "scsi.h"
#include "sysfs.h"

/* What a device answered, beside the data. */
struct bsg_answer {
	unsigned status;             /* enum scsi_status */
	size_t length, sense_length; /* of data and sense */
	uint8_t sense[SCSI_SENSE_MAX];
};

/*
 * Sends one command that reads, and waits for the answer. @data has room for what the command asks
 * for. Blocks, longer than @timeout_seconds while the session has no connection, and no signal ends
 * that: the scanner only. Errors: -ETIMEDOUT; -ENODEV (no such device, any more); -EIO (no answer
 * of the device); other: the kernel refused.
 */
int bsg_run(const struct sysfs *sysfs, const struct sysfs_lun *lun, const struct scsi_cdb *cdb,
	    unsigned timeout_seconds, uint8_t *data, struct bsg_answer *ret);
