/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SCSI devices of sessions: scans hosts in parallel off the loop, waits until the kernel has bound
 * its drivers (uevent "bind"), and says what is there; and what the kernel hears from logical units
 * (uevent "change").
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "cleanup.h"
#include "scanner.h"
#include "sysfs.h"

struct devices;
struct poller;

/*
 * A logical unit reported a condition, which the kernel gives a name such as
 * "CAPACITY_DATA_HAS_CHANGED".
 */
typedef void (*devices_attention_t)(void *userdata, uint32_t sid, uint64_t lun, const char *name);

/* @sysfs and @scanner are borrowed. Errors: -ENOMEM, -EMFILE. */
int devices_new(struct poller *poller, const struct sysfs *sysfs, struct scanner *scanner,
		devices_attention_t attention, void *userdata, struct devices **ret);
/* done() of all scans is called with -ECANCELED. Not from inside a done(). */
struct devices *devices_free(struct devices *devices);
DEFINE_CLEANUP(struct devices *, devices_free);

struct devices_result {
	/* 0; -ETIMEDOUT: a disk did not appear in time; -ECANCELED; other: the scan failed */
	int error;
	/* Borrowed for the time of the call; there with -ETIMEDOUT, too, unless the scan hangs. */
	const struct sysfs_lun *luns;
	size_t n_luns;
};

typedef void (*devices_done_t)(void *userdata, const struct devices_result *result);

struct devices_scan;

/*
 * Scans session @sid for all LUNs, or for one unless @lun is NULL, and waits until every disk has
 * its block device. done() is called exactly once from the loop unless the scan is cancelled; the
 * scan is gone then. @timeout_usec counts from when the scanner begins, however many scans are in
 * line; after it done() comes in any case, with -ETIMEDOUT, though the scanner may be at it until
 * the kernel gives up. Errors: those of scanner_submit().
 */
int devices_scan(struct devices *devices, uint32_t sid, uint32_t host, const uint64_t *lun,
		 uint64_t timeout_usec, devices_done_t done, void *userdata,
		 struct devices_scan **ret);
/*
 * Sets devices running that SCSI error handling left offline, and lists those; with @stable as
 * sysfs_lun_revive(). done() as above.
 */
int devices_revive(struct devices *devices, uint32_t sid, uint32_t host, bool stable,
		   devices_done_t done, void *userdata, struct devices_scan **ret);
/*
 * A scan that also removes the devices of logical units which are gone at the target, unless they
 * are in use (.gone of those tells), and reads the sizes of the others again.
 */
int devices_renew(struct devices *devices, uint32_t sid, uint32_t host, const uint64_t *lun,
		  uint64_t timeout_usec, devices_done_t done, void *userdata,
		  struct devices_scan **ret);
/*
 * Forgets about it: done() is not called. A scan that has begun cannot be interrupted and ends by
 * itself. Not from done() of the same scan, which is gone then.
 */
struct devices_scan *devices_scan_cancel(struct devices_scan *scan);

/*
 * Reads the present devices of a session in a worker thread, without scanning; @in_use also looks
 * for mounts, swap and holders. done() as above.
 */
int devices_list(struct devices *devices, uint32_t sid, uint32_t host, bool in_use,
		 devices_done_t done, void *userdata, struct devices_scan **ret);
