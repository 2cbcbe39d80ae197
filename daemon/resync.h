/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel told something that we did not hear, because we did not listen for too long. sysfs
 * knows no events, but what they would have led to.
 */
#pragma once

struct manager;
struct resync;
struct session;

/* Events were lost: looks what became of every session, and once more a moment later. */
void resync(struct manager *manager);
/* Looks what became of one session, now. */
void resync_session(struct session *session);
struct resync *resync_free(struct resync *resync);
