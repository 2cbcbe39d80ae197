/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "discovery.h"
#include "leftover.h"
#include "manager.h"
#include "resync.h"
#include "session_private.h"
#include "turn.h"

/*
 * A PDU that cannot be told to anybody fails its connection, and a moment passes until that can be
 * seen.
 */
#define AGAIN_USEC (1 * SECOND_USEC)

void resync_session(struct session *session)
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

/* Two rounds; each takes as many turns of the loop as it has to. */
struct resync {
	struct manager *manager;
	bool last; /* round */
	uint32_t *sids;
	size_t n_sids, n_seen;
	sd_event_source *turn, *timer;
};

struct resync *resync_free(struct resync *resync)
{
	if (!resync)
		return NULL;
	sd_event_source_disable_unref(resync->turn);
	sd_event_source_disable_unref(resync->timer);
	free(resync->sids);
	free(resync);
	return NULL;
}

static void end_round(struct resync *resync);

static int look(sd_event_source *source, void *userdata)
{
	struct resync *resync = userdata;
	struct manager *manager = resync->manager;

	for (size_t n = 0; resync->n_seen < resync->n_sids && !turn_ends(n); n++) {
		struct session *session =
			manager_find_session(manager, resync->sids[resync->n_seen++]);

		if (session && session->in_kernel)
			resync_session(session);
	}
	if (resync->n_seen < resync->n_sids &&
	    turn_defer(manager->event, &resync->turn, SD_EVENT_PRIORITY_NORMAL, look, resync) >= 0)
		return 0;
	leftover_look(manager);
	discovery_look(manager);
	(void)session_find_all(manager);
	end_round(resync);
	return 0;
}

static void begin_round(struct resync *resync, bool last)
{
	size_t n = 0;

	resync->last = last;
	resync->turn = sd_event_source_disable_unref(resync->turn);
	resync->timer = sd_event_source_disable_unref(resync->timer);
	free(TAKE_PTR(resync->sids));
	resync->n_sids = resync->n_seen = 0;
	for (const struct session *s = resync->manager->sessions; s; s = s->next)
		n += s->in_kernel;
	resync->sids = malloc((n + 1) * sizeof(*resync->sids));
	for (const struct session *s = resync->manager->sessions; s && resync->sids; s = s->next)
		if (s->in_kernel)
			resync->sids[resync->n_sids++] = s->sid;
	(void)look(NULL, resync);
}

static int look_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	begin_round(userdata, true);
	return 0;
}

static void end_round(struct resync *resync)
{
	struct manager *manager = resync->manager;

	if (resync->last)
		manager->resync = resync_free(resync);
	else
		(void)sd_event_add_time_relative(manager->event, &resync->timer, CLOCK_MONOTONIC,
						 AGAIN_USEC, 0, look_again, resync);
}

void resync(struct manager *manager)
{
	eventlog_raise(manager->log, event_new(EVENT_KERNEL_OVERRUN));
	if (!manager->resync)
		manager->resync = calloc(1, sizeof(*manager->resync));
	if (!manager->resync)
		return;
	manager->resync->manager = manager;
	begin_round(manager->resync, false);
}
