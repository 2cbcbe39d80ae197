/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SCSI devices of sessions: scans hosts in parallel off the loop, waits until the kernel has bound its drivers
 * (uevent "bind"), and says what is there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "cleanup.h"
#include "sysfs.h"

struct devices;

/* @scan_threads: hosts scanned at the same time. Errors: -ENOMEM, -EPERM, ... */
int devices_new(sd_event *event, const struct sysfs *sysfs, unsigned scan_threads, struct devices **ret);
struct devices *devices_free(struct devices *devices);
DEFINE_CLEANUP(struct devices *, devices_free);

struct devices_result {
	int error; /* 0; -ETIMEDOUT: a disk did not appear in time; -ECANCELED; other: the scan failed */
	const struct sysfs_lun *luns; /* borrowed for the time of the call; valid with -ETIMEDOUT, too */
	size_t n_luns;
};

typedef void (*devices_done_t)(void *userdata, const struct devices_result *result);

struct devices_scan;

/*
 * Scans the host of session @sid ("- - -", or one LUN unless @lun is NULL), then waits at most @timeout_usec
 * for block devices. done() is called exactly once from the loop unless the scan is cancelled; the scan is
 * gone afterwards. Errors: -ENOMEM.
 */
int devices_scan(struct devices *devices, uint32_t sid, uint32_t host, const uint64_t *lun,
		 uint64_t timeout_usec, devices_done_t done, void *userdata, struct devices_scan **ret);
/* Forgets about it: done() is not called. The scan itself cannot be interrupted and ends by itself. */
struct devices_scan *devices_scan_cancel(struct devices_scan *scan);

/*
 * Reads the present devices of a session in a worker thread, without scanning; @in_use also looks for
 * mounts, swap and holders. done() as above.
 */
int devices_list(struct devices *devices, uint32_t sid, uint32_t host, bool in_use, devices_done_t done,
		 void *userdata, struct devices_scan **ret);
