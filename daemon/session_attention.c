/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What logical units report of themselves: a unit attention that the kernel saw, or an Asynchronous
 * Message. Each logical unit of a target reports the same, so reports are collected for a while and
 * handled together.
 */
#include <string.h>

#include "scsi.h"
#include "session_private.h"

#define COLLECT_USEC SECOND_USEC

/* SPC-4, annex F; the names are those of the kernel's events. */
static const struct {
	const char *name;
	uint8_t asc, ascq;
} attentions[] = {
	[ATTENTION_LUNS] = { "REPORTED_LUNS_DATA_HAS_CHANGED", 0x3f, 0x0e },
	[ATTENTION_CAPACITY] = { "CAPACITY_DATA_HAS_CHANGED", 0x2a, 0x09 },
	[ATTENTION_INQUIRY] = { "INQUIRY_DATA_HAS_CHANGED", 0x3f, 0x03 },
	[ATTENTION_MODE] = { "MODE_PARAMETERS_CHANGED", 0x2a, 0x01 },
	[ATTENTION_ACCESS] = { "ASYMMETRIC_ACCESS_STATE_CHANGED", 0x2a, 0x06 },
	[ATTENTION_THRESHOLD] = { "THIN_PROVISIONING_SOFT_THRESHOLD_REACHED", 0x38, 0x07 },
};

_Static_assert(ELEMENTSOF(attentions) == _ATTENTION_MAX, "a condition without a row");

/* "sda", or where the device would be. */
static void set_device(const struct session *session, struct event *event, uint64_t lun)
{
	char text[SYSFS_LUN_NAME_MAX];

	lun_format(lun, text, sizeof(text));
	event_set_string(event, FIELD_LUN, text);
	for (size_t i = 0; i < session->n_luns; i++) {
		const struct sysfs_lun *unit = &session->luns[i];

		if (unit->lun != lun)
			continue;
		sysfs_lun_name(unit, text);
		event_set_string(event, FIELD_DEVICE, text);
		return;
	}
}

void session_set_sense(const struct session *session, struct event *event, uint64_t lun,
		       unsigned asc, unsigned ascq)
{
	const char *text = scsi_sense_text(asc, ascq);

	event_set_status(event, asc << 8 | ascq,
			 text ? text : "a condition that is not known here");
	set_device(session, event, lun);
}

static void raise_noted(struct session *session, enum attention which)
{
	struct event *event = event_new(EVENT_UNIT_ATTENTION);

	session_set_sense(session, event, session->private->attention.noted[which].lun,
			  attentions[which].asc, attentions[which].ascq);
	event_set_number(event, FIELD_COUNT, session->private->attention.noted[which].n);
	session_raise(session, event);
}

void session_rescan_later(struct session *session, const uint64_t *lun)
{
	struct session_attention *attention = &session->private->attention;

	attention->all_luns = !lun || attention->rescan_due;
	attention->lun = lun ? *lun : 0;
	attention->rescan_due = true;
}

/* One scan for all that is noted: of everything, unless one size is all that has changed. */
static void plan_rescan(struct session *session)
{
	struct session_attention *attention = &session->private->attention;
	bool luns = attention->noted[ATTENTION_LUNS].n > 0,
	     capacity = attention->noted[ATTENTION_CAPACITY].n > 0,
	     several = attention->noted[ATTENTION_CAPACITY].several;

	if ((luns || capacity) && session_setting(session, SETTING_RESCAN_ON_CHANGE) &&
	    session_setting(session, SETTING_SCAN))
		session_rescan_later(session, luns || several
						      ? NULL
						      : &attention->noted[ATTENTION_CAPACITY].lun);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct session *session = userdata;
	struct session_attention *attention = &session->private->attention;

	attention->timer = sd_event_source_disable_unref(attention->timer);
	if (session->phase == SESSION_CLOSED)
		return 0;
	for (unsigned i = 0; i < _ATTENTION_MAX; i++)
		if (attention->noted[i].n > 0)
			raise_noted(session, (enum attention)i);
	plan_rescan(session);
	memset(attention->noted, 0, sizeof(attention->noted));
	session_attend(session);
	return 0;
}

void session_attend(struct session *session)
{
	struct session_attention *attention = &session->private->attention;
	int r;

	if (!attention->rescan_due)
		return;
	attention->rescan_due = false;
	r = session_rescan(session, attention->all_luns ? NULL : &attention->lun, NULL, NULL);
	/* After the scan under way, or when there is a connection again. */
	if (r == -EBUSY || r == -ENOTCONN) {
		attention->rescan_due = true;
	} else if (r < 0) {
		session_lack(session, r, EVENT_REQUEST_RESOURCES);
		session_rescan_failed(session, r);
	}
}

static void note(struct session *session, enum attention which, uint64_t lun)
{
	struct session_attention *attention = &session->private->attention;

	if (attention->noted[which].n == 0)
		attention->noted[which].lun = lun;
	else if (attention->noted[which].lun != lun)
		attention->noted[which].several = true;
	attention->noted[which].n++;
	if (!attention->timer)
		(void)sd_event_add_time_relative(session->manager->event, &attention->timer,
						 CLOCK_MONOTONIC, COLLECT_USEC, 0, on_timer,
						 session);
}

void session_attend_sense(struct session *session, uint64_t lun, unsigned asc, unsigned ascq)
{
	for (unsigned i = 0; i < _ATTENTION_MAX; i++)
		if (attentions[i].asc == asc && attentions[i].ascq == ascq)
			note(session, (enum attention)i, lun);
}

void session_attend_named(struct session *session, uint64_t lun, const char *name)
{
	/* Other programs' sessions are theirs. */
	if (!session->managed)
		return;
	for (unsigned i = 0; i < _ATTENTION_MAX; i++)
		if (strcmp(attentions[i].name, name) == 0)
			note(session, (enum attention)i, lun);
}
