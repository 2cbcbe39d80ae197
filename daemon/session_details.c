/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is to be known of a session that runs and was found, but of which nothing depends: it is
 * read off the loop when the daemon already serves, so that a start with many sessions takes no
 * time.
 */
#include <stdlib.h>

#include "session_private.h"

struct details {
	struct manager *manager;
	struct sysfs_session found;
};

static void found_devices(void *userdata, const struct devices_result *result)
{
	struct session *session = userdata;

	session->private->scan = NULL;
	session_take_luns(session, result);
	/* From here on. */
	session_count_timeouts(session);
	session_attend(session);
}

static int read_details(void *argument)
{
	struct details *details = argument;

	sysfs_session_complete(&details->manager->sysfs, &details->found);
	return 0;
}

/* Meanwhile the session may have gone, and its number is never used again. */
static void details_read(void *argument, int result)
{
	_cleanup_free_ struct details *details = argument;
	struct session *session = manager_find_session(details->manager, details->found.sid);

	if (details->manager->state == MANAGER_STOPPING || !session || !session->found)
		return;
	*session->found = details->found;
	session_adapter_seen(session);
	session_report_found(session);
	if (session->phase != SESSION_LOGGED_IN)
		return;
	session_find_portal(session);
	if (!session->private->scan)
		(void)devices_list(session->manager->devices, session->sid, session->host, false,
				   found_devices, session, &session->private->scan);
}

void session_read_details(struct session *session)
{
	struct details *details = malloc(sizeof(*details));

	if (!details)
		return;
	*details = (struct details){ session->manager, *session->found };
	if (work_submit(session->manager->loader, read_details, details_read, details) < 0)
		free(details);
}
