/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loads kernel modules through libkmod, as modprobe does (aliases, options, blacklist). Reads from
 * disk: worker threads and start-up only.
 */
#pragma once

/*
 * 0 also if it is there already or built in. Errors: -ENOENT (no such module), -EACCES
 * (blacklisted), -EPERM, what init_module() says.
 */
int module_load(const char *name);
