/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Traces for those who work on the daemon: to standard error, only with --debug. What people have
 * to know is an event (eventlog.h). Never give it a secret, and escape what comes from a peer
 * (text_escape()).
 */
#pragma once

#include <stdbool.h>

#include "cleanup.h"

extern bool trace_enabled;

/* Use trace(). Never blocks for long: standard error is a pipe of the journal, or a terminal. */
void trace_write(const char *file, int line, const char *format, ...) _printf_(3, 4);

#define trace(...)                                                                                 \
	do {                                                                                       \
		if (trace_enabled)                                                                 \
			trace_write(__FILE_NAME__, __LINE__, __VA_ARGS__);                         \
	} while (0)
