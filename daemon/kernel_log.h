/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel's log, /dev/kmsg, says of iSCSI connections and their disks: details of errors,
 * and faults that it tells in no other way. Only lines of the kernel itself count; their text is
 * input from outside all the same, and goes nowhere but into fields of events.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "cleanup.h"

#define KERNEL_LOG_TEXT_MAX 160

enum kernel_log_kind {
	/* Why the connection is about to be given up: a connection error with @code follows. */
	KERNEL_LOG_CAUSE,
	/* Something for itself; the connection stays. */
	KERNEL_LOG_FAULT,
	/* A command of a disk timed out once too often. */
	KERNEL_LOG_DISK,
};

struct kernel_log_line {
	enum kernel_log_kind kind;
	uint32_t sid;                   /* of a connection */
	uint32_t host;                  /* of a disk */
	unsigned event;                 /* what it means; 0 for a disk */
	unsigned code;                  /* of KERNEL_LOG_CAUSE, enum iscsi_kernel_error */
	int status;                     /* reason of a Reject; -1: not told */
	char text[KERNEL_LOG_TEXT_MAX]; /* the kernel's words, cut if need be */
};

/* One record as /dev/kmsg gives it. Errors: -ENOENT (it is not about what we look for). */
int kernel_log_parse(const char *record, size_t length, struct kernel_log_line *ret);

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

/* Takes what has been written by now. NULL: nothing. */
void kernel_log_look(struct kernel_log *log);
