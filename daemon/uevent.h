/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's "bind" events of devices of iSCSI sessions: a driver has taken one; and the "change"
 * events with which it passes on what SCSI devices report. All other events (thirty for one login)
 * are dropped by a filter in the kernel and do not wake anybody.
 */
#pragma once

#include "cleanup.h"

struct poller;
struct uevent;

struct uevent_callbacks {
	/* @path: of the device, below /sys, "/devices/..." */
	void (*bound)(void *userdata, const char *path);
	/* @name: of the condition a SCSI device reports, "CAPACITY_DATA_HAS_CHANGED" */
	void (*attention)(void *userdata, const char *path, const char *name);
	/* Events were lost. */
	void (*overrun)(void *userdata);
};

/* Listens until it is freed, which no callback may do. @callbacks is borrowed. Errors: -ENOMEM,
 * -EMFILE. */
int uevent_new(struct poller *poller, const struct uevent_callbacks *callbacks, void *userdata,
	       struct uevent **ret);
struct uevent *uevent_free(struct uevent *uevent);
DEFINE_CLEANUP(struct uevent *, uevent_free);
