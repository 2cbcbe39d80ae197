/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <systemd/sd-daemon.h>

#include "manager.h"
#include "notify.h"

#define INTERVAL_USEC (1000 * UINT64_C(1000))

struct notify {
	struct manager *manager;
	/*
	 * Runs when anything happened, and starts the timer. It rests until the timer has run, so
	 * that it costs nothing while much happens, and the timer does not count as something that
	 * happened.
	 */
	sd_event_source *post;
	sd_event_source *timer;
	char status[160];
};

/* Reloads under way: several callers may want one. */
static unsigned reloads;

/* The service manager may hang on the disk we are to bring back: few messages, and none is waited
 * for. */
static int send_status(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct notify *notify = userdata;
	const struct manager *manager = notify->manager;
	size_t recovering = 0, logged_in = 0;
	char status[sizeof(notify->status)];

	for (const struct session *s = manager->sessions; s; s = s->next) {
		recovering += s->recovering;
		logged_in += s->state == SESSION_STATE_LOGGED_IN;
	}
	(void)sd_event_source_set_enabled(notify->post, SD_EVENT_ON);
	(void)snprintf(status, sizeof(status),
		       "%zu sessions logged in, %zu recovering, %zu logins under way", logged_in,
		       recovering, manager->n_logins_queued + manager->n_logins_in_flight);
	if (strcmp(status, notify->status) == 0)
		return 0;
	(void)strcpy(notify->status, status);
	(void)sd_notifyf(0, "STATUS=%s", status);
	return 0;
}

static int something_happened(sd_event_source *source, void *userdata)
{
	struct notify *notify = userdata;
	int r;

	r = sd_event_source_set_time_relative(notify->timer, INTERVAL_USEC);
	if (r >= 0)
		r = sd_event_source_set_enabled(notify->timer, SD_EVENT_ONESHOT);
	return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

int notify_new(struct manager *manager, struct notify **ret)
{
	_cleanup_(notify_freep) struct notify *notify = calloc(1, sizeof(*notify));
	int r;

	if (!notify)
		return -ENOMEM;
	notify->manager = manager;
	r = sd_event_add_time_relative(manager->event, &notify->timer, CLOCK_MONOTONIC, 0, 0,
				       send_status, notify);
	if (r >= 0)
		r = sd_event_add_post(manager->event, &notify->post, something_happened, notify);
	if (r < 0)
		return r;
	(void)sd_notify(0, "READY=1");
	*ret = TAKE_PTR(notify);
	return 0;
}

struct notify *notify_free(struct notify *notify)
{
	if (!notify)
		return NULL;
	notify->post = sd_event_source_disable_unref(notify->post);
	notify->timer = sd_event_source_disable_unref(notify->timer);
	free(notify);
	return NULL;
}

void notify_reloading(void)
{
	struct timespec now;

	if (reloads++ > 0)
		return;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
			 (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void notify_reloaded(void)
{
	if (--reloads == 0)
		(void)sd_notify(0, "READY=1");
}

void notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}
