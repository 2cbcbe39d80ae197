/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the daemon and its scanner tell each other. Both are the same program, so a message is a
 * struct as it lies in memory, and each is sent as a whole (SOCK_SEQPACKET).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bsg.h"
#include "scsi.h"
#include "sysfs.h"

/* argv[0] of the scanner, and how its process is called. */
#define SCANNER_NAME "oisd-scanner"

/* Its descriptors: one for messages, and one that tells each side of the end of the other. */
#define SCANNER_MESSAGES 0
#define SCANNER_LIFE     3

enum scanner_order {
	SCANNER_SCAN,    /* finds logical units that are new */
	SCANNER_RENEW,   /* the same, after a second look at those that are there */
	SCANNER_REVIVE,  /* sets devices running that are offline */
	SCANNER_COMMAND, /* sends one SCSI command */
};

struct scanner_request {
	uint32_t slot; /* what the answer belongs to; filled in by scanner_submit() */
	enum scanner_order order;
	uint32_t sid, host; /* of the session */
	uint64_t lun;
	/* Of scans */
	bool all_luns;
	bool load_disk_driver;
	/* Of a revival: as sysfs_lun_revive() */
	bool stable;
	/* Of a command, for the device host:channel:target:lun */
	uint32_t channel, target;
	unsigned timeout_seconds;
	struct scsi_cdb cdb;
};

/*
 * There may be several, if the payload does not fit in one. It is what a command read, or devices
 * (an array of struct sysfs_lun): those of the session after a scan, those that a renewal found
 * gone at the target and in use, those that were revived.
 */
struct scanner_answer {
	uint32_t slot;
	bool last;
	int error;
	struct bsg_answer command;
};

#define SCANNER_PAYLOAD_MAX SCSI_DATA_MAX
