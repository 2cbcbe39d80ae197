/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The second look at devices that the kernel has: does the target still have them, and have they
 * the same size? The kernel's own scan finds what is new, and nothing else. Blocks; the scanner
 * only.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sysfs.h"

/*
 * Removes the devices of a session that are gone at the target, unless they are in use, and makes
 * the kernel read the sizes of the others again. @lun: only this one; NULL: all. Those gone that
 * are in use are *@ret, which the caller frees. A device whose target does not answer is left
 * alone. Errors: -ENOENT (no such session), -ENOMEM, those of usage_new().
 */
int renew_units(const struct sysfs *sysfs, uint32_t sid, uint32_t host, const uint64_t *lun,
		struct sysfs_lun **ret, size_t *ret_n);
