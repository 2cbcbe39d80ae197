/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A login makes a session in the kernel in steps, a logout removes it in steps, and in between the
 * daemon may be killed. A login has a result once the kernel has started the connection; what was
 * not as far is undone, and made anew if the node is to be logged in. A logout is decided once
 * devices are being removed; what was as far is finished.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interface.h"
#include "leftover.h"
#include "manager.h"
#include "session_private.h"

struct leftover {
	struct leftover *next;
	struct manager *manager;
	struct sysfs_session found;
	bool returned; /* the kernel has done what it was asked for */
	bool gone;     /* and said so */
};

/* Who made it still runs, or may do so. */
static bool maker_lives(const struct manager *manager, uint32_t creator)
{
	_cleanup_free_ char *line = NULL;
	char path[64];
	size_t size = 0;
	bool lives = false;
	FILE *file;

	/* A number that was another one's before: ours are known. */
	if (creator == kernel_port(manager->kernel))
		return false;
	(void)snprintf(path, sizeof(path), "%s/net/netlink", manager->sysfs.proc);
	file = fopen(path, "re");
	if (!file)
		return true;
	while (!lives && getline(&line, &size, file) >= 0) {
		unsigned family;
		uint32_t port;

		lives = sscanf(line, "%*s %u %" SCNu32, &family, &port) == 2 &&
			family == KERNEL_NETLINK_FAMILY && port == creator;
	}
	(void)fclose(file);
	return lives;
}

/*
 * Of a session that is of use to its maker only: it is being made right now, or its maker died.
 * What the firmware of an adapter makes has no maker (-1), and is never ours.
 */
static bool is_orphan(const struct manager *manager, const struct sysfs_session *found)
{
	return found->creator != -1 && found->creator >= INT32_MIN &&
	       !maker_lives(manager, (uint32_t)found->creator);
}

/* Without a setting that forbids it, a session that works has been scanned. */
static bool to_be_scanned(const struct manager *manager, const struct node *node)
{
	_cleanup_(settings_freep) struct settings *effective = NULL;

	return !node || interface_effective_of(manager, node, &effective) < 0 ||
	       settings_number(effective, SETTING_SCAN);
}

static bool is_leftover(const struct manager *manager, const struct sysfs_session *found,
			const struct node *node)
{
	if (strcmp(found->interface, SESSION_LABEL_DISCOVERY) == 0)
		return is_orphan(manager, found);
	if (found->connection_state == SYSFS_CONNECTION_UP)
		return false;
	/* A session gets its name with the connection and its parameters. */
	if (strcmp(found->interface, SESSION_LABEL) != 0)
		return !found->target_name[0] && is_orphan(manager, found);
	if (!found->has_connection || found->connection_state == SYSFS_CONNECTION_DOWN)
		return true;
	switch (found->target_state) {
	case SYSFS_TARGET_UNBOUND:
	case SYSFS_TARGET_UNBINDING:
		return true;
	case SYSFS_TARGET_ALLOCATED:
		return to_be_scanned(manager, node);
	case SYSFS_TARGET_SCANNED:
	case SYSFS_TARGET_UNKNOWN:
		break;
	}
	return false;
}

static struct leftover **find_leftover(struct manager *manager, uint32_t sid)
{
	struct leftover **p = &manager->leftovers;

	while (*p && (*p)->found.sid != sid)
		p = &(*p)->next;
	return p;
}

static void report(const struct leftover *leftover, int error)
{
	const struct sysfs_session *found = &leftover->found;
	struct event *event = event_new(EVENT_LEFTOVER_REMOVED);

	event_set_number(event, FIELD_SESSION, found->sid);
	if (found->target_name[0])
		event_set_string(event, FIELD_TARGET, found->target_name);
	if (error < 0) {
		event_set_outcome(event, EVENT_OUTCOME_FAILED);
		event_set_errno(event, error);
	}
	eventlog_raise(leftover->manager->log, event);
}

static void forget(struct leftover *leftover)
{
	struct leftover **p = find_leftover(leftover->manager, leftover->found.sid);

	*p = leftover->next;
	free(leftover);
}

static bool is_there(const struct leftover *leftover)
{
	enum sysfs_connection_state connection;
	enum sysfs_session_state state;

	return sysfs_session_read_state(&leftover->manager->sysfs, leftover->found.sid, &state,
					&connection) >= 0;
}

static void removed(void *userdata, const struct kernel_result *result)
{
	struct leftover *leftover = userdata;
	int error = result->error;

	leftover->returned = true;
	if (leftover->manager->state == MANAGER_STOPPING)
		return;
	/* It may have gone by itself, which refuses what was asked for. */
	if (error < 0 && !is_there(leftover))
		error = 0;
	if (!leftover->gone && error >= 0 && is_there(leftover))
		return;
	report(leftover, error);
	forget(leftover);
}

static int remove_leftover(struct leftover *leftover, const struct transport *transport)
{
	struct manager *manager = leftover->manager;
	const struct sysfs_session *found = &leftover->found;
	struct kernel_batch *batch =
		kernel_batch_new(manager->kernel, transport->handle, found->sid);

	if (found->has_connection) {
		kernel_batch_stop(batch, KERNEL_STOP_TERMINATE);
		kernel_batch_destroy_connection(batch);
	}
	kernel_batch_destroy_session(batch);
	return kernel_batch_submit(batch, removed, leftover);
}

bool leftover_take(struct manager *manager, const struct sysfs_session *found,
		   const struct node *node)
{
	const struct transport *transport = transport_find(found->transport);
	struct leftover *leftover;
	int r;

	if (*find_leftover(manager, found->sid))
		return true;
	if (!manager->kernel || !transport || !is_leftover(manager, found, node))
		return false;
	leftover = calloc(1, sizeof(*leftover));
	if (!leftover)
		return false;
	leftover->manager = manager;
	leftover->found = *found;
	leftover->next = manager->leftovers;
	manager->leftovers = leftover;
	r = remove_leftover(leftover, transport);
	if (r < 0) {
		report(leftover, r);
		forget(leftover);
	}
	return true;
}

bool leftover_gone(struct manager *manager, uint32_t sid)
{
	struct leftover *leftover = *find_leftover(manager, sid);

	if (!leftover)
		return false;
	leftover->gone = true;
	if (leftover->returned) {
		report(leftover, 0);
		forget(leftover);
	}
	return true;
}

void leftover_look(struct manager *manager)
{
	struct leftover *next;

	for (struct leftover *leftover = manager->leftovers; leftover; leftover = next) {
		next = leftover->next;
		if (!is_there(leftover))
			(void)leftover_gone(manager, leftover->found.sid);
	}
}

void leftover_free_all(struct manager *manager)
{
	while (manager->leftovers)
		forget(manager->leftovers);
}
