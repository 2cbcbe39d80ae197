/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts of uevent.c that work on bytes and on any datagram socket, so that tests can play the
 * kernel.
 */
#pragma once

#include <stddef.h>

#include "uevent.h"

/* From now on only messages that matter arrive at the socket. Errors: those of setsockopt(). */
int uevent_filter(int fd);
/* Calls back for a message; @message has room for another byte. */
void uevent_dispatch(const struct uevent_callbacks *callbacks, void *userdata, char *message,
		     size_t length);
