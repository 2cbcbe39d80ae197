/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "changes.h"

/* Before all else that waits in the loop, which would change the session again. */
#define PRIORITY_SETTLE (SD_EVENT_PRIORITY_NORMAL - 50)

struct changes_subscription {
	struct changes_subscription *next;
	void (*woken)(void *userdata);
	void *userdata;
};

struct slot {
	struct change change;
	char *target_name, *address; /* the status borrows them */
};

struct changes {
	sd_event_source *settle;
	struct session *noted, **noted_end; /* through session->noted_next */
	uint64_t sequence;
	struct changes_subscription *subscriptions;
	struct slot slots[CHANGES_KEPT];
};

static void slot_done(struct slot *slot)
{
	free(slot->target_name);
	free(slot->address);
	*slot = (struct slot){ 0 };
}

static int settle(sd_event_source *source, void *userdata)
{
	changes_settle(userdata);
	return 0;
}

static int changes_new(sd_event *event, struct changes **ret)
{
	_cleanup_(changes_freep) struct changes *changes = calloc(1, sizeof(*changes));
	int r;

	if (!changes)
		return -ENOMEM;
	changes->noted_end = &changes->noted;
	r = sd_event_add_defer(event, &changes->settle, settle, changes);
	if (r >= 0)
		r = sd_event_source_set_priority(changes->settle, PRIORITY_SETTLE);
	if (r >= 0)
		r = sd_event_source_set_enabled(changes->settle, SD_EVENT_OFF);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(changes);
	return 0;
}

/* Takes the first session noted off the list. */
static struct session *next_noted(struct changes *changes)
{
	struct session *session = changes->noted;

	if (!session)
		return NULL;
	changes->noted = session->noted_next;
	if (!changes->noted)
		changes->noted_end = &changes->noted;
	session->noted = session->phase_noted = false;
	return session;
}

struct changes *changes_free(struct changes *changes)
{
	if (!changes)
		return NULL;
	while (next_noted(changes))
		;
	changes->settle = sd_event_source_disable_unref(changes->settle);
	for (size_t i = 0; i < CHANGES_KEPT; i++)
		slot_done(&changes->slots[i]);
	free(changes);
	return NULL;
}

int changes_subscribe(sd_event *event, struct changes **changes, void (*woken)(void *userdata),
		      void *userdata, struct changes_subscription **ret)
{
	struct changes_subscription *subscription = malloc(sizeof(*subscription));
	int r = 0;

	if (!subscription)
		return -ENOMEM;
	if (!*changes)
		r = changes_new(event, changes);
	if (r < 0) {
		free(subscription);
		return r;
	}
	*subscription = (struct changes_subscription){
		.next = (*changes)->subscriptions,
		.woken = woken,
		.userdata = userdata,
	};
	(*changes)->subscriptions = subscription;
	*ret = subscription;
	return 0;
}

struct changes_subscription *changes_unsubscribe(struct changes_subscription *subscription,
						 struct changes **changes)
{
	struct changes_subscription **at = &(*changes)->subscriptions;

	while (*at != subscription)
		at = &(*at)->next;
	*at = subscription->next;
	free(subscription);
	if (!(*changes)->subscriptions)
		*changes = changes_free(*changes);
	return NULL;
}

void changes_note(struct changes *changes, struct session *session)
{
	if (session->noted)
		return;
	session->noted = true;
	session->noted_next = NULL;
	*changes->noted_end = session;
	changes->noted_end = &session->noted_next;
	(void)sd_event_source_set_enabled(changes->settle, SD_EVENT_ONESHOT);
}

/* Without memory the place stays empty, which followers see. */
static void take_down(struct changes *changes, const struct session *session)
{
	struct slot *slot = &changes->slots[++changes->sequence % CHANGES_KEPT];

	slot_done(slot);
	slot->target_name = strdup(session->target_name);
	slot->address = strdup(session->address);
	if (!slot->target_name || !slot->address)
		return;
	slot->change.sequence = changes->sequence;
	slot->change.status = session_get_status(session);
	slot->change.status.target_name = slot->target_name;
	slot->change.status.address = slot->address;
}

void changes_settle(struct changes *changes)
{
	const struct session *session;

	if (!changes || !changes->noted)
		return;
	while ((session = next_noted(changes)))
		take_down(changes, session);
	for (struct changes_subscription *s = changes->subscriptions; s; s = s->next)
		s->woken(s->userdata);
}

const struct change *changes_get(const struct changes *changes, uint64_t sequence)
{
	const struct change *change = &changes->slots[sequence % CHANGES_KEPT].change;

	return change->sequence == sequence ? change : NULL;
}

uint64_t changes_last(const struct changes *changes)
{
	return changes->sequence;
}
