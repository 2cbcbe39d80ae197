/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the methods share that store CHAP secrets: of nodes, and of portals for discoveries.
 */
#pragma once

#include "method_common.h"
#include "secret.h"

/* What the parameters role, secret and secretBase64 ask for. */
struct secret_change {
	bool target;           /* the secret that proves the target to this host */
	struct secret *secret; /* NULL: it is removed */
};

/*
 * 1: it may be done; 0: the call was answered. Errors: -EMSGSIZE (too short: see below), -EINVAL
 * with @ret_fault (too long, or in use in the other direction), -ENOMEM.
 */
int secret_change_read(struct call *call, struct secret_change *ret,
		       struct settings_fault *ret_fault);
void secret_change_done(struct secret_change *change);

/* Stores a copy in one of the two. Errors: -ENOMEM. */
int secret_change_apply(const struct secret_change *change, struct secret **secret,
			struct secret **target_secret);
/* "authentication.secret" */
const char *secret_change_setting(const struct secret_change *change);

/*
 * A secret that is too short: the number of the event, raising it when it tells what it is about,
 * and the error's parameters. A login raises the event, too, for a secret that came into the
 * records in another way.
 */
enum event_number secret_too_short_event(const struct secret_change *change);
void secret_too_short_raise(struct call *call, const struct secret_change *change,
			    struct event *event);
json_object *secret_too_short_to_json(const struct secret_change *change);
