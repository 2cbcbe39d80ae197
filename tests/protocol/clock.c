/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A clock the test moves. Linked into oisd-virtual, these functions stand in front of those of libc
 * for the daemon and for libsystemd: time goes on as always, and the test can make it jump. A jump
 * is made while the loop has nothing to do, and in steps: each timer on the way gets its turn
 * before time goes on, as if it had been waited for.
 *
 * Before a jump, worker threads may end what they are at, and the loop hear of it: what was under
 * way when the test asked for the jump is not behind it. One that hangs is not waited for.
 *
 * OIS_TEST_CLOCK names a socket; a number read from it is how many nanoseconds to go forward, and
 * is written back when all that was to happen in them has happened.
 */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC  INT64_C(1000000000)
#define TIMERS_MAX    256
#define PATIENCE      40 /* times 25 ms, of the system's clock */
#define PATIENCE_MSEC 25

#define stand_in __attribute__((visibility("default")))

/* How far ours is ahead of the system's clock. */
static _Atomic int64_t ahead;

/* Timers that are armed, by the clock the daemon sees; a descriptor is its index. */
static struct {
	clockid_t clock;
	int64_t due; /* 0: not armed */
} timers[TIMERS_MAX];

static int64_t asked, left; /* of the jump under way */
static bool going;
static int patience; /* before it */

/* Worker threads that do something. */
static _Atomic int busy;

stand_in int pthread_create(pthread_t *ret, const pthread_attr_t *attributes, void *(*run)(void *),
			    void *argument)
{
	int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	int r;

	*(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
	busy++;
	r = real(ret, attributes, run, argument);
	if (r != 0)
		busy--;
	return r;
}

/* What a worker does without work. */
stand_in int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
	int (*real)(pthread_cond_t *, pthread_mutex_t *);
	int r;

	*(void **)&real = dlsym(RTLD_NEXT, "pthread_cond_wait");
	busy--;
	r = real(condition, mutex);
	busy++;
	return r;
}

static int64_t to_nsec(const struct timespec *time)
{
	return time->tv_sec * NSEC_PER_SEC + time->tv_nsec;
}

static struct timespec from_nsec(int64_t nsec)
{
	return (struct timespec){ nsec / NSEC_PER_SEC, nsec % NSEC_PER_SEC };
}

stand_in int clock_gettime(clockid_t clock, struct timespec *ret)
{
	if (syscall(SYS_clock_gettime, clock, ret) < 0)
		return -1;
	if (clock != CLOCK_PROCESS_CPUTIME_ID && clock != CLOCK_THREAD_CPUTIME_ID)
		*ret = from_nsec(to_nsec(ret) + ahead);
	return 0;
}

static int64_t now(clockid_t clock)
{
	struct timespec time;

	return clock_gettime(clock, &time) < 0 ? 0 : to_nsec(&time);
}

static int arm(int fd, int64_t due, struct itimerspec *ret_before)
{
	struct itimerspec timer = { 0 };

	/* The system would take zero for "not at all". */
	if (due > 0)
		timer.it_value = from_nsec(due - ahead > 0 ? due - ahead : 1);
	return (int)syscall(SYS_timerfd_settime, fd, TFD_TIMER_ABSTIME, &timer, ret_before);
}

stand_in int timerfd_create(clockid_t clock, int flags)
{
	int fd = (int)syscall(SYS_timerfd_create, clock, flags);

	if (fd >= TIMERS_MAX)
		abort();
	if (fd >= 0) {
		timers[fd].clock = clock;
		timers[fd].due = 0;
	}
	return fd;
}

/* What is relative stays so: it is for waits that are not the protocol's. */
stand_in int timerfd_settime(int fd, int flags, const struct itimerspec *timer,
			     struct itimerspec *ret_before)
{
	if (!(flags & TFD_TIMER_ABSTIME) || fd >= TIMERS_MAX)
		return (int)syscall(SYS_timerfd_settime, fd, flags, timer, ret_before);
	timers[fd].due = to_nsec(&timer->it_value);
	return arm(fd, timers[fd].due, ret_before);
}

/* One that has expired is not armed any more. */
static bool is_armed(int fd)
{
	struct itimerspec timer;

	if (timers[fd].due > 0 &&
	    (syscall(SYS_timerfd_gettime, fd, &timer) < 0 || to_nsec(&timer.it_value) == 0))
		timers[fd].due = 0;
	return timers[fd].due > 0;
}

/* Goes forward, no farther than to the next timer. */
static void step(void)
{
	int64_t distance = left;

	for (int fd = 0; fd < TIMERS_MAX; fd++) {
		int64_t until = is_armed(fd) ? timers[fd].due - now(timers[fd].clock) : left;

		if (until < distance)
			distance = until > 0 ? until : 0;
	}
	ahead += distance;
	left -= distance;
	for (int fd = 0; fd < TIMERS_MAX; fd++)
		if (timers[fd].due > 0)
			(void)arm(fd, timers[fd].due, NULL);
}

static int wait_really(int epoll, struct epoll_event *events, int n, int timeout)
{
	return (int)syscall(SYS_epoll_pwait, epoll, events, n, timeout, NULL, 8);
}

/* Takes our own event out of what was waited for. */
static int take_ours(struct epoll_event *events, int n, int control)
{
	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr != timers)
			continue;
		if (read(control, &asked, sizeof(asked)) != (ssize_t)sizeof(asked))
			_exit(125);
		left = asked;
		going = true;
		patience = PATIENCE;
		events[i] = events[n - 1];
		return n - 1;
	}
	return n;
}

static int control_socket(int epoll)
{
	static int control = -1;
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = timers };
	const char *text;

	if (control >= 0)
		return control;
	text = getenv("OIS_TEST_CLOCK");
	control = text ? atoi(text) : -1;
	if (control < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, control, &event) < 0)
		_exit(125);
	return control;
}

stand_in int epoll_wait(int epoll, struct epoll_event *events, int max, int timeout)
{
	int control = control_socket(epoll), n;

	for (;;) {
		bool waits = going && patience > 0 && busy > 0 && timeout != 0;

		n = wait_really(epoll, events, max, waits ? PATIENCE_MSEC : going ? 0 : timeout);
		/* With no time to wait the loop has something else to do. */
		if (n < 0 || (n == 0 && (!going || timeout == 0)))
			return n;
		if (n == 0 && waits) {
			patience--;
			continue;
		}
		if (n > 0) {
			n = take_ours(events, n, control);
			if (n > 0)
				return n;
		} else if (left > 0) {
			step();
		} else {
			/* Nothing is to be done, and it is the time that was wanted. */
			going = false;
			if (write(control, &asked, sizeof(asked)) != (ssize_t)sizeof(asked))
				_exit(125);
		}
	}
}

/* What newer versions of libsystemd take where they do not wait for ever. */
stand_in int epoll_pwait2(int epoll, struct epoll_event *events, int max,
			  const struct timespec *timeout, const sigset_t *signals)
{
	if (signals)
		abort();
	return epoll_wait(epoll, events, max, timeout ? (int)(to_nsec(timeout) / 1000000) : -1);
}
