/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nodes that are logged in without anybody asking: when the daemon starts, and when a port of the
 * adapter comes back with which their session went.
 */
#pragma once

struct automatic;
struct manager;
struct session;

/* Errors: -ENOMEM. */
int automatic_new(struct manager *manager, struct automatic **ret);
struct automatic *automatic_free(struct automatic *automatic);

/* The daemon starts. */
void automatic_login(struct automatic *automatic);
/* A session has ended because its adapter is gone. */
void automatic_adapter_gone(struct automatic *automatic, const struct session *session);
