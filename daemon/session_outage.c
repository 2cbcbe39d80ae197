/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a session does around an outage beside logging in again: tells each cause once and not with
 * each attempt, sees to it that its disks work again, and says what was agreed on differently.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "session_private.h"
#include "turn.h"

/* A target may stay away for days: what was told is told again after an hour, and not before. */
#define REMINDER_USEC (3600 * SECOND_USEC)

/* Each cause once */

void session_outage_begin(struct session *session)
{
	struct session_private *p = session->private;

	p->n_told = 0;
	p->told_usec = turn_usec(CLOCK_MONOTONIC);
}

bool session_outage_told(struct session *session, const struct event *event)
{
	const char *status = event_get(event, FIELD_STATUS) ?: "";
	unsigned number = event_type(event)->number;
	struct session_private *p = session->private;

	if (!session->recovering || event_type(event)->severity != EVENT_SEVERITY_ERROR)
		return false;
	if (turn_usec(CLOCK_MONOTONIC) - p->told_usec > REMINDER_USEC)
		session_outage_begin(session);
	for (size_t i = 0; i < p->n_told; i++)
		if (p->told[i].number == number && strcmp(p->told[i].status, status) == 0)
			return true;
	if (p->n_told == SESSION_TOLD_MAX)
		p->n_told = 0;
	p->told[p->n_told].number = number;
	(void)snprintf(p->told[p->n_told].status, sizeof(p->told[0].status), "%s", status);
	p->n_told++;
	return false;
}

/* Agreed on differently */

static void append_change(char *text, size_t size, const char *key, int64_t before, int64_t now)
{
	size_t length = strlen(text);

	if (before != now)
		(void)snprintf(text + length, size - length, "%s%s %" PRId64 " instead of %" PRId64,
			       length > 0 ? ", " : "", key, now, before);
}

static void tell_changes(struct session *session, const struct iscsi_parameters *before,
			 const struct iscsi_parameters *now)
{
	struct event *event;
	char text[512] = "";

#define CHANGE(key, member)                                                                        \
	append_change(text, sizeof(text), key, (int64_t)before->member, (int64_t)now->member)
	CHANGE("HeaderDigest", header_digest);
	CHANGE("DataDigest", data_digest);
	CHANGE("MaxRecvDataSegmentLength", max_recv_data_segment_length);
	CHANGE("MaxXmitDataSegmentLength", max_xmit_data_segment_length);
	CHANGE("InitialR2T", initial_r2t);
	CHANGE("ImmediateData", immediate_data);
	CHANGE("MaxBurstLength", max_burst_length);
	CHANGE("FirstBurstLength", first_burst_length);
	CHANGE("MaxOutstandingR2T", max_outstanding_r2t);
	CHANGE("ErrorRecoveryLevel", error_recovery_level);
#undef CHANGE
	if (!*text)
		return;
	event = event_new(EVENT_NEGOTIATION_CHANGED);
	event_set_string(event, FIELD_REASON, text);
	session_raise(session, event);
}

/* Disks */

static void revived(void *userdata, const struct devices_result *result)
{
	struct session *session = userdata;
	struct event *event;

	session->private->revival = NULL;
	for (size_t i = 0; i < result->n_luns; i++) {
		const struct sysfs_lun *lun = &result->luns[i];
		char name[64];

		(void)snprintf(name, sizeof(name), "%u:%u:%u:%" PRIu64, lun->host, lun->channel,
			       lun->target, lun->lun);
		event = event_new(EVENT_DEVICE_REVIVED);
		event_set_string(event, FIELD_DEVICE, *lun->block ? lun->block : name);
		session_raise(session, event);
	}
}

void session_outage_over(struct session *session)
{
	struct session_private *p = session->private;
	const struct iscsi_parameters *now = &session->result.parameters;
	/* Without a digest pages may change while they are sent; a disk chooses when it is made. */
	bool stable = now->data_digest && !(p->agreed_known && p->agreed.data_digest);

	if (p->agreed_known)
		tell_changes(session, &p->agreed, now);
	if (!p->revival)
		(void)devices_revive(session->manager->devices, session->sid, session->host, stable,
				     revived, session, &p->revival);
}

void session_agreed(struct session *session)
{
	/* By the adapter, which knows better. */
	if (!session->result_known)
		return;
	session->private->agreed = session->result.parameters;
	session->private->agreed_known = true;
	session->isid_known = true;
}
