/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What follows from each reason for which the kernel gives a connection up: a table. Whatever it
 * is, the connection is stopped in the kernel first.
 */
#pragma once

#include "kernel_abi.h"

enum connection_error_action {
	CONNECTION_ERROR_RECOVER, /* the session is logged in again */
	CONNECTION_ERROR_REMOVE,  /* what carries the session goes away: it leaves the kernel */
};

struct connection_error {
	unsigned code;    /* enum iscsi_kernel_error */
	const char *text; /* "header digest error" */
	unsigned event;   /* what it means, reported besides the loss of the connection; 0: no more
			     than that */
	enum connection_error_action action;
};

/* NULL: a code that is not listed, from which a session recovers. */
const struct connection_error *connection_error_get(unsigned code);
