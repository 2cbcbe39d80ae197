/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's side of the scanner, a process of its own for all that sends SCSI commands and waits
 * for them. Such a wait cannot be interrupted; while a session has no connection it lasts until the
 * session is back or given up, and a process with a thread that waits so does not end, whoever
 * kills it. The daemon has to be able to end at any moment: the next one is who brings the session
 * back.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "eventlog.h"
#include "scanner_message.h"
#include "work.h"

struct poller;
struct scanner;

/*
 * @program is run as the scanner; @loader is where that is waited for, and is to be freed before
 * the scanner. @scans_max: scans at the same time, all else that is asked for waits in line. All
 * are borrowed. SIGCHLD must be blocked. Errors: -ENOMEM.
 */
int scanner_new(struct poller *poller, const struct sysfs *sysfs, const char *program,
		unsigned scans_max, struct work *loader, struct eventlog *log,
		struct scanner **ret);
/*
 * Every job must have been told or cancelled. What hangs in the kernel is not waited for: its
 * process ends by itself with it.
 */
struct scanner *scanner_free(struct scanner *scanner);
DEFINE_CLEANUP(struct scanner *, scanner_free);

/*
 * Starts the process unless it runs. One that ends is started again, but only once it is needed if
 * it ended right after its start. Errors: -ENOMEM, -EMFILE, -EAGAIN, which are event 1040, too.
 */
int scanner_start(struct scanner *scanner);

/*
 * Called from the loop; see struct scanner_answer. With -EIO the process ended meanwhile, with
 * other errors it could not be started: those are event 1040, too.
 */
typedef void (*scanner_told_t)(void *userdata, const struct scanner_answer *answer,
			       const void *payload, size_t length);

struct scanner_job;

/* Never waits; told() is not called from here. The job is gone after its last answer. Errors: those
 * of scanner_start(). */
int scanner_submit(struct scanner *scanner, const struct scanner_request *request,
		   scanner_told_t told, void *userdata, struct scanner_job **ret);
/* When its turn came, by CLOCK_MONOTONIC; 0: it waits in line. */
uint64_t scanner_job_began(const struct scanner_job *job);
/* Forgets about it: told() is not called. What has begun ends by itself. */
struct scanner_job *scanner_cancel(struct scanner_job *job);
