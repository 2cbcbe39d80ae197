/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
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
	sd_event_source *watchdog;
	uint64_t watchdog_usec;
	char status[160];
};

/* Reloads under way: several callers may want one. */
static unsigned reloads;

/* A state it could not be told yet; later ones take its place. */
static char untold[80];

/*
 * The service manager may hang on the disk we are to bring back, and sd_notify() waits for it when
 * enough messages lie in its socket: few messages, and none is waited for.
 */
static int tell(const char *text)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length = path ? strlen(path) : 0;
	_cleanup_close_ int fd = -EBADF;

	if (length == 0)
		return 0;
	if ((path[0] != '/' && path[0] != '@') || length >= sizeof(address.sun_path))
		return -EINVAL;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		return -errno;
	return 0;
}

static void tell_state(const char *text)
{
	(void)snprintf(untold, sizeof(untold), "%s", text);
	if (tell(untold) != -EAGAIN)
		untold[0] = '\0';
}

static int arm_timer(struct notify *notify)
{
	int r = sd_event_source_set_time_relative(notify->timer, INTERVAL_USEC);

	return r < 0 ? r : sd_event_source_set_enabled(notify->timer, SD_EVENT_ONESHOT);
}

static int send_status(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct notify *notify = userdata;
	const struct manager *manager = notify->manager;
	size_t recovering = 0, logged_in = 0;
	char status[sizeof(notify->status)], text[sizeof(status) + 8];

	for (const struct session *s = manager->sessions; s; s = s->next) {
		recovering += s->recovering;
		logged_in += s->state == SESSION_STATE_LOGGED_IN;
	}
	(void)sd_event_source_set_enabled(notify->post, SD_EVENT_ON);
	(void)snprintf(status, sizeof(status),
		       "%zu sessions logged in, %zu recovering, %zu logins under way", logged_in,
		       recovering, manager->n_logins_queued + manager->n_logins_in_flight);
	if (untold[0]) {
		char again[sizeof(untold)];

		(void)strcpy(again, untold);
		tell_state(again);
	}
	if (!untold[0] && strcmp(status, notify->status) == 0)
		return 0;
	(void)snprintf(text, sizeof(text), "STATUS=%s", status);
	if (untold[0] || tell(text) == -EAGAIN)
		return arm_timer(notify);
	(void)strcpy(notify->status, status);
	return 0;
}

static int something_happened(sd_event_source *source, void *userdata)
{
	int r = arm_timer(userdata);

	return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

/* sd_event_set_watchdog() would do it with sd_notify(). */
static int send_alive(sd_event_source *source, uint64_t usec, void *userdata)
{
	const struct notify *notify = userdata;
	int r;

	(void)tell("WATCHDOG=1");
	r = sd_event_source_set_time_relative(source, notify->watchdog_usec / 2);
	return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int start_watchdog(struct notify *notify)
{
	int r = sd_watchdog_enabled(0, &notify->watchdog_usec);

	if (r <= 0)
		return r;
	return sd_event_add_time_relative(notify->manager->event, &notify->watchdog,
					  CLOCK_MONOTONIC, 0, notify->watchdog_usec / 4, send_alive,
					  notify);
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
	if (r >= 0)
		r = start_watchdog(notify);
	if (r < 0)
		return r;
	tell_state("READY=1");
	*ret = TAKE_PTR(notify);
	return 0;
}

struct notify *notify_free(struct notify *notify)
{
	if (!notify)
		return NULL;
	notify->post = sd_event_source_disable_unref(notify->post);
	notify->timer = sd_event_source_disable_unref(notify->timer);
	notify->watchdog = sd_event_source_disable_unref(notify->watchdog);
	free(notify);
	return NULL;
}

void notify_reloading(void)
{
	struct timespec now;
	char text[sizeof(untold)];

	if (reloads++ > 0)
		return;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		       (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	tell_state(text);
}

void notify_reloaded(void)
{
	if (--reloads == 0)
		tell_state("READY=1");
}

void notify_stopping(void)
{
	tell_state("STOPPING=1");
}
