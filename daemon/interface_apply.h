/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tells adapters what was set of their network. The adapter keeps it, so it is told no more than
 * what it does not have: some lose all connections of the port when they are told anything.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

struct manager;
struct settings;
struct sysfs;
struct transport;

/* @message: one sentence, NULL on success; @event: the number of the event that reported it. */
typedef void (*interface_applied_t)(void *userdata, int error, unsigned event, const char *message);

/* Whether anything is set of it that its adapter is to be told. */
bool interface_is_applicable(const struct settings *interface);

/*
 * Tells the adapter. Returns 1 if it has all of it, else done() is called from the loop, once.
 * Errors: -ENOENT (no such interface), -EOPNOTSUPP (there is nothing to tell), -ENODEV (the port is
 * not there), -ENOMEM.
 */
int interface_apply(struct manager *manager, const char *name, interface_applied_t done,
		    void *userdata);
/* All of them, but those of ports that have sessions, which might lose them. For the start. */
void interface_apply_all(struct manager *manager);

/* For tests: appends what the port does not have to @ret, in the kernel's form, and names of the
 * settings to @names. Errors: -ENOMEM. */
int interface_differences(const struct sysfs *sysfs, uint32_t host,
			  const struct settings *interface, struct buffer *ret, char *names,
			  size_t size);
