/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SCSI hosts of adapters: what the kernel tells of them.
 */
#pragma once

#include <stdint.h>

struct manager;

/* An event of the kernel about a host; @code is one of enum iscsi_kernel_host_code, or another. */
void host_told(struct manager *manager, uint32_t host, uint32_t code);
