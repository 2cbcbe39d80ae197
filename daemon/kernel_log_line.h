/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a line of the kernel's log says of an iSCSI connection or its disk. Only lines of the kernel
 * itself count; their text is input from outside all the same, and goes nowhere but into fields of
 * events.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
	uint32_t host, channel, target; /* of a disk */
	unsigned event;                 /* what it means; 0 for a disk */
	unsigned code;                  /* of KERNEL_LOG_CAUSE, enum iscsi_kernel_error */
	int status;                     /* reason of a Reject; -1: not told */
	char text[KERNEL_LOG_TEXT_MAX]; /* the kernel's words, escaped */
};

/* One record as /dev/kmsg gives it. Errors: -ENOENT (it is not about what we look for). */
int kernel_log_parse(const char *record, size_t length, struct kernel_log_line *ret);
/* True if there are lines that tell the cause of connection errors of this code. */
bool kernel_log_tells_cause(unsigned code);
