/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "discovery.h"
#include "leftover.h"
#include "manager.h"
#include "resync.h"
#include "session_private.h"

/*
 * A PDU that cannot be told to anybody fails its connection, and a moment passes until that can be
 * seen.
 */
#define AGAIN_USEC (1 * SECOND_USEC)

static void look_at(struct session *session)
{
	const struct sysfs *sysfs = &session->manager->sysfs;
	enum sysfs_connection_state connection;
	enum sysfs_session_state state;
	int r;

	r = sysfs_session_read_state(sysfs, session->sid, &state, &connection);
	if (r == -ENOENT)
		session_kernel_destroyed(session);
	else if (r >= 0 && connection == SYSFS_CONNECTION_FAILED)
		session_kernel_failed(session, KERNEL_ERROR_NONE);
	else if (session->phase == SESSION_REMOVING_DEVICES &&
		 sysfs_session_read_target_state(sysfs, session->sid) == SYSFS_TARGET_UNBOUND)
		session_kernel_unbound(session);
}

static void look(struct manager *manager)
{
	struct session *next;

	for (struct session *session = manager->sessions; session; session = next) {
		next = session->next;
		if (session->in_kernel)
			look_at(session);
	}
	leftover_look(manager);
	discovery_look(manager);
	(void)session_find_all(manager);
}

static int look_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	look(userdata);
	return 0;
}

void resync(struct manager *manager)
{
	eventlog_raise(manager->log, event_new(EVENT_KERNEL_OVERRUN));
	look(manager);
	manager->resync = sd_event_source_disable_unref(manager->resync);
	(void)sd_event_add_time_relative(manager->event, &manager->resync, CLOCK_MONOTONIC,
					 AGAIN_USEC, 0, look_again, manager);
}
