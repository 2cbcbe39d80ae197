/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "datapath.h"
#include "kernel_log.h"
#include "manager.h"
#include "session_private.h"
#include "trace.h"
#include "tracepoint.h"

#define KERNEL_LOG "/dev/kmsg"

struct datapath {
	struct manager *manager;
	struct kernel_log *log;
	struct tracepoints *tracepoints;
};

static bool has_target(const struct session *session, uint32_t channel, uint32_t target)
{
	for (size_t i = 0; i < session->n_luns; i++)
		if (session->luns[i].channel == channel && session->luns[i].target == target)
			return true;
	return false;
}

/* The managed session with this target. Those of an adapter's port share a host. */
static struct session *find_by_target(const struct manager *manager, uint32_t host,
				      uint32_t channel, uint32_t target)
{
	struct session *found = NULL;
	size_t n = 0;

	for (struct session *s = manager->sessions; s; s = s->next) {
		if (!s->in_kernel || s->host != host)
			continue;
		if (n++ == 0 || has_target(s, channel, target))
			found = s;
	}
	if (n > 1 && !has_target(found, channel, target))
		return NULL;
	return found && found->managed ? found : NULL;
}

static void timed_out(void *userdata, const struct tracepoint_timeout *timeout)
{
	struct datapath *datapath = userdata;
	struct session *session =
		find_by_target(datapath->manager, timeout->host, timeout->channel, timeout->target);

	if (session)
		session_command_timed_out(session, timeout);
}

static void error_handling(void *userdata, uint32_t sid, const char *text)
{
	struct datapath *datapath = userdata;
	struct session *session = manager_find_session(datapath->manager, sid);

	if (session && session->managed)
		session_error_handling(session, text);
}

static const struct tracepoint_callbacks tracepoint_callbacks = { timed_out, error_handling };

static void said(void *userdata, const struct kernel_log_line *line)
{
	struct datapath *datapath = userdata;
	struct session *session =
		line->kind == KERNEL_LOG_DISK
			? find_by_target(datapath->manager, line->host, line->channel, line->target)
			: manager_find_session(datapath->manager, line->sid);

	if (!session || !session->managed)
		return;
	if (line->kind == KERNEL_LOG_DISK)
		session_count_timeouts(session);
	else
		session_log_line(session, line);
}

int datapath_new(struct manager *manager, struct datapath **ret)
{
	struct datapath *datapath = calloc(1, sizeof(*datapath));
	int r;

	if (!datapath)
		return -ENOMEM;
	datapath->manager = manager;
	r = kernel_log_new(manager->event, KERNEL_LOG, said, datapath, &datapath->log);
	if (r < 0)
		trace("the kernel's log cannot be read: %s", strerror(-r));
	r = tracepoints_new(manager->event, manager->sysfs.root, manager->loader,
			    &tracepoint_callbacks, datapath, &datapath->tracepoints);
	if (r < 0)
		trace("no trace events: %s", strerror(-r));
	*ret = datapath;
	return 0;
}

struct datapath *datapath_free(struct datapath *datapath)
{
	if (!datapath)
		return NULL;
	(void)kernel_log_free(datapath->log);
	(void)tracepoints_free(datapath->tracepoints);
	free(datapath);
	return NULL;
}

void datapath_look(struct datapath *datapath, unsigned error)
{
	if (!datapath)
		return;
	kernel_log_look(datapath->log, error);
	if (error == KERNEL_ERROR_SCSI_RESET)
		tracepoints_look(datapath->tracepoints);
}

bool datapath_traces(const struct datapath *datapath)
{
	return datapath && tracepoints_active(datapath->tracepoints);
}
