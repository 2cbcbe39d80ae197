/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What List and Subscribe of org.ois.session share.
 */
#pragma once

#include "method_common.h"

/* A Status. NULL: no memory. */
json_object *session_status_to_json(const struct session_status *status);

/* The sessions selected, in order; those that end meanwhile are passed over. */
struct session_listing;
/* Errors: -ENOMEM. */
int session_listing_new(struct service *service, const struct selector *selector,
			struct session_listing **ret);
struct session_listing *session_listing_free(struct session_listing *listing);
/* NULL: that were all. */
struct session *session_listing_next(struct session_listing *listing);

/*
 * Parameter "selector" of a call that lists sessions from now on. 1: *@ret and *@ret_listing are
 * set; 0: the call was answered. Errors: -ENOMEM.
 */
int call_list_sessions(struct call *call, struct selector *ret,
		       struct session_listing **ret_listing);
