/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * login-clock N: says "ready", waits until the kernel has N sessions in the state LOGGED_IN, and
 * prints when that was, in microseconds since the epoch. So a login ends where it ends for the
 * kernel, whoever logs in, and not where a program says so. Nothing tells of that state, so sysfs
 * is read once in a millisecond; a session that has been seen is not read again.
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SESSIONS "/sys/class/iscsi_session"
#define SIDS     65536
#define PATIENCE 120000000 /* microseconds */

/* Of each number: 0: not seen, -1: has logged in, else its file, open. */
static int states[SIDS];

static uint64_t now_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static bool is_logged_in(unsigned sid)
{
	char path[64], state[16];
	ssize_t n;

	if (states[sid] == 0) {
		(void)snprintf(path, sizeof(path), SESSIONS "/session%u/state", sid);
		states[sid] = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (states[sid] < 0)
		err(1, "state of session %u", sid);
	n = pread(states[sid], state, sizeof(state), 0);
	if (n < 9 || memcmp(state, "LOGGED_IN", 9) != 0)
		return false;
	(void)close(states[sid]);
	states[sid] = -1;
	return true;
}

/* How many have logged in since the last time. */
static unsigned count(DIR *sessions)
{
	struct dirent *entry;
	unsigned sid, n = 0;

	rewinddir(sessions);
	while ((entry = readdir(sessions)))
		if (sscanf(entry->d_name, "session%u", &sid) == 1 && sid < SIDS && states[sid] >= 0)
			n += is_logged_in(sid);
	return n;
}

int main(int argc, char **argv)
{
	unsigned wanted = argc == 3 ? (unsigned)atoi(argv[1]) : 0, n = 0;
	long step = argc == 3 ? atol(argv[2]) : 0;
	const struct timespec pause = { .tv_nsec = step * 1000 };
	DIR *sessions = opendir(SESSIONS);
	uint64_t began = now_usec();

	if (wanted == 0 || step <= 0 || step >= 1000000) {
		fputs("Usage: login-clock N MICROSECONDS\n", stderr);
		return 2;
	}
	if (!sessions)
		err(1, SESSIONS);
	puts("ready");
	(void)fflush(stdout);
	for (;;) {
		n += count(sessions);
		if (n >= wanted)
			break;
		if (now_usec() - began > PATIENCE)
			errx(1, "%u of %u sessions have logged in", n, wanted);
		(void)nanosleep(&pause, NULL);
	}
	printf("%lu\n", now_usec());
	return 0;
}
