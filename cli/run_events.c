/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * "events" in ois-ctl: ois-ctl-events, which is the same program with libsystemd to read the
 * journal and with the verb itself, takes over. No other verb has to load that, and what it needs
 * in turn.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* Where it is installed, seen from the folder of this program. */
static int program_path(char *ret, size_t size)
{
	char own[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash;

	if (length < 0)
		return -errno;
	own[length] = '\0';
	slash = strrchr(own, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	if ((size_t)snprintf(ret, size, "%s/" OIS_EVENTS_PROGRAM, own) >= size)
		return -ENAMETOOLONG;
	return 0;
}

enum status verb_events(struct cli *cli, char **arguments)
{
	char path[PATH_MAX] = OIS_EVENTS_PROGRAM;
	int r;

	r = program_path(path, sizeof(path));
	if (r >= 0) {
		(void)execv(path, cli->argv);
		r = -errno;
	}
	return report(cli, r, NULL, "run '%s', which shows events", path);
}
