/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bystander: every ten milliseconds computes for half a millisecond, and does so until SIGTERM.
 * Then it prints the longest time from when it should have begun to when it was done, in
 * microseconds: so long is a program kept from running where it is, which is the least that can be
 * expected of a turn of a loop there.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define WORK_USEC 500
#define REST_USEC 10000

static volatile sig_atomic_t stopped;
static volatile uint64_t sum;

static void stop(int number)
{
	stopped = 1;
}

static uint64_t now_usec(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Returns the time it took, from @begin_usec on. */
static uint64_t work(unsigned long rounds, uint64_t begin_usec)
{
	for (unsigned long i = 0; i < rounds; i++)
		sum = sum + i * i;
	return now_usec(CLOCK_MONOTONIC) - begin_usec;
}

static void sleep_until(uint64_t usec)
{
	struct timespec time = { (time_t)(usec / 1000000), (long)(usec % 1000000 * 1000) };

	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

int main(void)
{
	unsigned long rounds = 10000;
	uint64_t longest = 0;

	(void)signal(SIGTERM, stop);
	while (work(rounds, now_usec(CLOCK_MONOTONIC)) < WORK_USEC)
		rounds += rounds / 4;
	while (!stopped) {
		uint64_t begin = now_usec(CLOCK_MONOTONIC) + REST_USEC, usec;

		sleep_until(begin);
		usec = work(rounds, begin);
		if (usec > longest && !stopped)
			longest = usec;
	}
	printf("%llu\n", (unsigned long long)longest);
	return 0;
}
