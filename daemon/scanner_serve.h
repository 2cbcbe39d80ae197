/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The scanner itself: what runs in its process.
 */
#pragma once

#include "sysfs.h"

/*
 * Takes requests, does each in a thread, and ends the process when the daemon is gone. Errors:
 * -ENOTSOCK, -EBADF (not started by the daemon); -EAGAIN (the system allows no thread).
 */
int scanner_serve(const struct sysfs *sysfs);
