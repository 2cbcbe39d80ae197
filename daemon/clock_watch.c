/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "clock_watch.h"

#define SECOND_USEC INT64_C(1000000)
/* A time that does not come, in seconds: the year 2200. */
#define NEVER 7258118400

struct clock_watch {
	clock_changed_t changed;
	void *userdata;
	int fd;
	sd_event_source *source;
	/* When looked at last: how far the clock is ahead of the time since the boot, and that of
	 * the time awake. */
	int64_t set_usec, slept_usec;
};

static int64_t now(clockid_t clock)
{
	struct timespec time;

	if (clock_gettime(clock, &time) < 0)
		return 0;
	return (int64_t)time.tv_sec * SECOND_USEC + time.tv_nsec / 1000;
}

/* Returns the changes since the last look. */
static void look(struct clock_watch *watch, int64_t *ret_set, int64_t *ret_slept)
{
	int64_t since_boot = now(CLOCK_BOOTTIME);
	int64_t set = now(CLOCK_REALTIME) - since_boot, slept = since_boot - now(CLOCK_MONOTONIC);

	*ret_set = set - watch->set_usec;
	*ret_slept = slept - watch->slept_usec;
	watch->set_usec = set;
	watch->slept_usec = slept;
}

/* The kernel cancels such a timer when the clock is set, which it also is after a sleep. */
static int arm(struct clock_watch *watch)
{
	const struct itimerspec never = { .it_value.tv_sec = NEVER };

	return timerfd_settime(watch->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never,
			       NULL) < 0
		       ? -errno
		       : 0;
}

static int cancelled(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct clock_watch *watch = userdata;
	int64_t set, slept;
	uint64_t n;

	(void)!read(fd, &n, sizeof(n));
	(void)arm(watch);
	look(watch, &set, &slept);
	if (llabs(set) >= SECOND_USEC || slept >= SECOND_USEC)
		watch->changed(watch->userdata, set, slept > 0 ? (uint64_t)slept : 0);
	return 0;
}

int clock_watch_new(sd_event *event, clock_changed_t changed, void *userdata,
		    struct clock_watch **ret)
{
	_cleanup_(clock_watch_freep) struct clock_watch *watch = calloc(1, sizeof(*watch));
	int64_t set, slept;
	int r;

	if (!watch)
		return -ENOMEM;
	watch->changed = changed;
	watch->userdata = userdata;
	watch->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (watch->fd < 0)
		return -errno;
	r = sd_event_add_io(event, &watch->source, watch->fd, EPOLLIN, cancelled, watch);
	if (r >= 0)
		r = arm(watch);
	if (r < 0)
		return r;
	look(watch, &set, &slept);
	*ret = TAKE_PTR(watch);
	return 0;
}

struct clock_watch *clock_watch_free(struct clock_watch *watch)
{
	if (!watch)
		return NULL;
	watch->source = sd_event_source_disable_unref(watch->source);
	(void)close_fd(watch->fd);
	free(watch);
	return NULL;
}
