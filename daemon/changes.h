/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The last changes of sessions, kept while somebody follows them. A follower is a position in this
 * memory: what it does not read in time is overwritten, and it asks for the present state again.
 *
 * A change is noted when it happens, and taken down when what led to it has run to its end or goes
 * on to another phase: so phase, states, cause and next attempt are of one moment.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "cleanup.h"
#include "session.h"

struct changes;
struct changes_subscription;

#define CHANGES_KEPT 1024

struct change {
	uint64_t sequence; /* from 1, without gaps but for changes there was no memory for */
	struct session_status status;
};

struct changes *changes_free(struct changes *changes);
DEFINE_CLEANUP(struct changes *, changes_free);

/*
 * Changes are kept in *@changes, which is made for the first subscription. @woken is called after
 * each of them. Errors: -ENOMEM, those of sd_event_add_defer().
 */
int changes_subscribe(sd_event *event, struct changes **changes, void (*woken)(void *userdata),
		      void *userdata, struct changes_subscription **ret);
/* With the last one *@changes is freed. */
struct changes_subscription *changes_unsubscribe(struct changes_subscription *subscription,
						 struct changes **changes);

/* Something of the session's status changes. */
void changes_note(struct changes *changes, struct session *session);
/* Takes down what was noted; NULL: nobody follows. */
void changes_settle(struct changes *changes);

/* NULL: it is not in memory. Borrowed until the next change. */
const struct change *changes_get(const struct changes *changes, uint64_t sequence);
/* Number of the last change; 0: none yet. */
uint64_t changes_last(const struct changes *changes);
