/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SCSI hosts of adapters: what the kernel tells of them.
 */
#pragma once

#include <stdint.h>

struct manager;

/* Somebody waits for the end of a ping; in a list of the manager. */
struct host_ping {
	struct host_ping *next;
	uint32_t host, cookie;
	void (*ended)(struct host_ping *ping, uint32_t status);
};

/* An event of the kernel about a host; @code is one of enum iscsi_kernel_host_code, or another. */
void host_told(struct manager *manager, uint32_t host, uint32_t code);

/* Gives the ping a cookie, and waits for it from now on. */
void host_ping_await(struct manager *manager, struct host_ping *ping, uint32_t host);
/* Waits no longer; may be called at any time. */
void host_ping_forget(struct manager *manager, struct host_ping *ping);
/* A ping has ended; it may be one of another program. */
void host_ping_done(struct manager *manager, uint32_t host, uint32_t cookie, uint32_t status);
