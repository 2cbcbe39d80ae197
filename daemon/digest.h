/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who computes the digests of sessions: the kernel's CRC32C, which it has in several forms.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define DIGEST_DRIVER_MAX 64

/* True if CPU instructions do. @ret_driver: the kernel's name of the form, such as crc32c-intel. */
bool digest_accelerated(char ret_driver[DIGEST_DRIVER_MAX]);

/* The same by the text of /proc/crypto; @cpu: this CPU has instructions for it. */
bool digest_accelerated_by(FILE *crypto, bool cpu, char ret_driver[DIGEST_DRIVER_MAX]);
