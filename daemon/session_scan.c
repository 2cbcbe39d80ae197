/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Logical units of a session: the scan after its login, and rescans, which tell what has changed.
 */
#include <string.h>

#include "session_private.h"

/* How long the kernel may take to make disks of what the scan found. */
#define DEVICES_TIMEOUT_USEC (30 * SECOND_USEC)

/* The first of the disks that did not appear, and how many they are. */
static void set_missing(struct event *event, const struct devices_result *result)
{
	char device[SYSFS_LUN_NAME_MAX];
	uint64_t n = 0;

	for (size_t i = 0; i < result->n_luns; i++) {
		const struct sysfs_lun *lun = &result->luns[i];

		if (!sysfs_lun_is_disk(lun) || lun->bound || n++ > 0)
			continue;
		sysfs_lun_address(lun, device);
		event_set_string(event, FIELD_DEVICE, device);
	}
	if (n > 0)
		event_set_number(event, FIELD_COUNT, n);
}

static void scan_event(struct session *session, const struct devices_result *result)
{
	bool late = result->error == -ETIMEDOUT;
	struct event *event = event_new(late ? EVENT_DEVICE_TIMEOUT : EVENT_SCAN_FAILED);

	event_set_errno(event, result->error);
	if (late)
		set_missing(event, result);
	session_raise(session, event);
}

/* What has changed */

static bool same_lun(const struct sysfs_lun *a, const struct sysfs_lun *b)
{
	return a->lun == b->lun && a->channel == b->channel && a->target == b->target;
}

static const struct sysfs_lun *find_lun(const struct session_units *units,
					const struct sysfs_lun *lun)
{
	for (size_t i = 0; i < units->n; i++)
		if (same_lun(&units->luns[i], lun))
			return &units->luns[i];
	return NULL;
}

/* @other: the same unit before or after; NULL: there was, or is, none. */
typedef bool (*change_t)(const struct sysfs_lun *lun, const struct sysfs_lun *other);

static bool is_new(const struct sysfs_lun *lun, const struct sysfs_lun *other)
{
	return !other;
}

static bool has_other_size(const struct sysfs_lun *lun, const struct sysfs_lun *other)
{
	return other && lun->size_bytes >= 0 && other->size_bytes >= 0 &&
	       lun->size_bytes != other->size_bytes;
}

static bool is_gone(const struct sysfs_lun *lun, const struct sysfs_lun *other)
{
	return lun->gone;
}

/* Those of @units that @changed is true of. */
static int pick(const struct session_units *units, const struct session_units *others,
		change_t changed, struct session_units *ret)
{
	ret->luns = calloc(units->n ? units->n : 1, sizeof(*ret->luns));
	if (!ret->luns)
		return -ENOMEM;
	for (size_t i = 0; i < units->n; i++)
		if (changed(&units->luns[i], find_lun(others, &units->luns[i])))
			ret->luns[ret->n++] = units->luns[i];
	return 0;
}

static void changes_done(struct session_changes *changes)
{
	free(changes->added.luns);
	free(changes->removed.luns);
	free(changes->resized.luns);
	free(changes->kept.luns);
}

static int find_changes(const struct session_units *before, const struct session_units *now,
			struct session_changes *ret)
{
	int r = pick(now, before, is_new, &ret->added);

	if (r >= 0)
		r = pick(before, now, is_new, &ret->removed);
	if (r >= 0)
		r = pick(now, before, has_other_size, &ret->resized);
	if (r >= 0)
		r = pick(now, before, is_gone, &ret->kept);
	return r;
}

static void raise_change(struct session *session, enum event_number number,
			 const struct sysfs_lun *lun, const struct sysfs_lun *before)
{
	struct event *event = event_new(number);
	char text[SYSFS_LUN_NAME_MAX];

	lun_format(lun->lun, text, sizeof(text));
	event_set_string(event, FIELD_LUN, text);
	sysfs_lun_name(lun, text);
	event_set_string(event, FIELD_DEVICE, text);
	if (before) {
		event_set_number(event, FIELD_SIZE, (uint64_t)lun->size_bytes);
		event_set_number(event, FIELD_SIZE_BEFORE, (uint64_t)before->size_bytes);
	}
	session_raise(session, event);
}

static void raise_changes(struct session *session, const struct session_units *before,
			  const struct session_changes *changes)
{
	for (size_t i = 0; i < changes->added.n; i++)
		raise_change(session, EVENT_LOGICAL_UNIT_ADDED, &changes->added.luns[i], NULL);
	for (size_t i = 0; i < changes->removed.n; i++)
		raise_change(session, EVENT_LOGICAL_UNIT_REMOVED, &changes->removed.luns[i], NULL);
	for (size_t i = 0; i < changes->kept.n; i++)
		raise_change(session, EVENT_LOGICAL_UNIT_KEPT, &changes->kept.luns[i], NULL);
	for (size_t i = 0; i < changes->resized.n; i++)
		raise_change(session, EVENT_LOGICAL_UNIT_RESIZED, &changes->resized.luns[i],
			     find_lun(before, &changes->resized.luns[i]));
}

static void tell_rescan(struct session *session, const struct devices_result *result)
{
	_cleanup_(changes_done) struct session_changes changes = { .error = result->error };
	const struct session_units before = { session->luns, session->n_luns },
				   now = { (struct sysfs_lun *)result->luns, result->n_luns };
	struct session_private *p = session->private;
	session_scan_t done = p->scan_waits ? NULL : p->scan_done;

	if (done)
		p->scan_done = NULL;
	if (changes.error >= 0)
		changes.error = find_changes(&before, &now, &changes);
	if (changes.error >= 0)
		raise_changes(session, &before, &changes);
	if (done)
		done(p->scan_userdata, session, &changes);
}

void session_take_luns(struct session *session, const struct devices_result *result)
{
	struct sysfs_lun *copy;

	/* A scan that failed found nothing, not even that there is nothing. */
	if (result->error < 0 && result->n_luns == 0)
		return;
	copy = calloc(result->n_luns ? result->n_luns : 1, sizeof(*copy));
	if (!copy)
		return;
	if (result->n_luns > 0)
		memcpy(copy, result->luns, result->n_luns * sizeof(*copy));
	free(session->luns);
	session->luns = copy;
	session->n_luns = result->n_luns;
}

/* Scans */

static void scanned(void *userdata, const struct devices_result *result)
{
	struct session *session = userdata;

	session->private->scan = NULL;
	if (session->manager->state == MANAGER_STOPPING)
		return;
	if (result->error < 0)
		scan_event(session, result);
	session_take_luns(session, result);
	session_established(session);
}

void session_first_scan(struct session *session)
{
	int r = devices_scan(session->manager->devices, session->sid, session->host, NULL,
			     DEVICES_TIMEOUT_USEC, scanned, session, &session->private->scan);

	if (r < 0) {
		scan_event(session, &(struct devices_result){ .error = r });
		session_established(session);
	}
}

static void rescanned(void *userdata, const struct devices_result *result)
{
	struct session *session = userdata;

	session->private->scan = NULL;
	if (session->manager->state == MANAGER_STOPPING)
		return;
	if (result->error < 0)
		scan_event(session, result);
	tell_rescan(session, result);
	session_take_luns(session, result);
	session_attend(session);
}

void session_rescan_failed(struct session *session, int error)
{
	struct session_private *p = session->private;
	session_scan_t done = p->scan_done;

	p->scan_done = NULL;
	p->scan_waits = false;
	if (done)
		done(p->scan_userdata, session, &(struct session_changes){ .error = error });
}

int session_rescan(struct session *session, const uint64_t *lun, session_scan_t done,
		   void *userdata)
{
	struct session_private *p = session->private;
	int r;

	if (session->phase != SESSION_LOGGED_IN || session->state != SESSION_STATE_LOGGED_IN)
		return -ENOTCONN;
	if (p->scan && (p->scan_done || !done))
		return -EBUSY;
	if (p->scan) {
		session_rescan_later(session, lun);
		p->scan_waits = true;
		p->scan_done = done;
		p->scan_userdata = userdata;
		return 0;
	}
	r = devices_renew(session->manager->devices, session->sid, session->host, lun,
			  DEVICES_TIMEOUT_USEC, rescanned, session, &p->scan);
	if (r < 0)
		return r;
	/* One that was put off is whoever's it was. */
	if (!p->scan_waits) {
		p->scan_done = done;
		p->scan_userdata = userdata;
	}
	p->scan_waits = false;
	return 0;
}
