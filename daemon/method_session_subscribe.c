/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.ois.session: the status of sessions as a stream. A subscriber is a position in the memory of
 * changes and, until it knows all sessions, a listing. Changes go before the listing, so that what
 * is told of a session is never older than what was told before.
 */
#include <errno.h>

#include "changes.h"
#include "interfaces.h"
#include "json.h"
#include "method_session.h"
#include "service_private.h"

struct subscription {
	struct call *call;
	struct service *service;
	struct changes_subscription *changes;
	struct selector selector;
	struct session_listing *listing; /* NULL: it knows all sessions */
	uint64_t told;                   /* sequence number */
	int64_t missed;
};

static void subscription_free(void *userdata)
{
	struct subscription *subscription = userdata;

	subscription->listing = session_listing_free(subscription->listing);
	subscription->changes = changes_unsubscribe(subscription->changes,
						    &subscription->service->manager->changes);
	subscription->service->n_subscribers--;
	free(subscription);
}

static void subscription_woken(void *userdata)
{
	const struct subscription *subscription = userdata;

	call_wake(subscription->call);
}

static bool selected(const struct selector *selector, const struct session_status *status)
{
	if (selector->session >= 0 && selector->session != status->sid)
		return false;
	return selector_matches(selector, status->target_name, status->address, status->port);
}

/* Takes @answer over. False: the call has ended. */
static bool tell(struct subscription *subscription, json_object *answer)
{
	if (answer && subscription->missed > 0 &&
	    json_set_int(answer, "missed", subscription->missed) < 0) {
		json_object_put(answer);
		answer = NULL;
	}
	subscription->missed = 0;
	return call_stream(subscription->call, answer);
}

static bool tell_status(struct subscription *subscription, const struct session_status *status)
{
	return tell(subscription, json_wrap("session", session_status_to_json(status)));
}

/* Some changes are not in memory any more. */
static bool begin_anew(struct subscription *subscription, uint64_t last)
{
	int r;

	subscription->missed += (int64_t)(last - subscription->told);
	subscription->told = last;
	subscription->listing = session_listing_free(subscription->listing);
	r = session_listing_new(subscription->service, &subscription->selector,
				&subscription->listing);
	if (r < 0)
		call_fail(subscription->call, r, NULL);
	return r >= 0;
}

static bool tell_change(struct subscription *subscription, const struct change *change)
{
	subscription->told++;
	return !selected(&subscription->selector, &change->status) ||
	       tell_status(subscription, &change->status);
}

static bool tell_listed(struct subscription *subscription)
{
	const struct session *session = session_listing_next(subscription->listing);
	struct session_status status;

	if (session) {
		status = session_get_status(session);
		return tell_status(subscription, &status);
	}
	subscription->listing = session_listing_free(subscription->listing);
	return tell(subscription, json_wrap("ready", json_object_new_boolean(true)));
}

static void subscription_produce(struct call *call, void *userdata)
{
	const struct changes *changes = call_manager(call)->changes;
	struct subscription *subscription = userdata;
	bool goes_on = true;

	while (goes_on && !call_full(call)) {
		uint64_t last = changes_last(changes);
		const struct change *change = changes_get(changes, subscription->told + 1);

		if (subscription->told < last && change)
			goes_on = tell_change(subscription, change);
		else if (subscription->told < last)
			goes_on = begin_anew(subscription, last);
		else if (subscription->listing)
			goes_on = tell_listed(subscription);
		else
			return;
	}
}

/* Takes over *@listing unless it fails. */
static int subscribe(struct call *call, const struct selector *selector,
		     struct session_listing *listing)
{
	struct subscription *subscription = calloc(1, sizeof(*subscription));
	struct manager *manager = call_manager(call);
	int r;

	if (!subscription)
		return -ENOMEM;
	*subscription = (struct subscription){
		.call = call,
		.service = call_service(call),
		.selector = *selector,
	};
	r = changes_subscribe(manager->event, &manager->changes, subscription_woken, subscription,
			      &subscription->changes);
	if (r < 0) {
		free(subscription);
		return r;
	}
	subscription->listing = listing;
	subscription->told = changes_last(manager->changes);
	subscription->service->n_subscribers++;
	call_keep(call, subscription, subscription_free);
	call_produce(call, subscription_produce);
	return 0;
}

int method_session_subscribe(struct call *call)
{
	struct session_listing *listing;
	struct selector selector;
	int r;

	if (service_subscribers(call_service(call)) >= SERVICE_SUBSCRIBERS_MAX) {
		call_error(call, ERROR_SESSION_SUBSCRIPTION_LIMIT,
			   json_wrap("maximum", json_object_new_int(SERVICE_SUBSCRIBERS_MAX)));
		return 0;
	}
	r = call_list_sessions(call, &selector, &listing);
	if (r <= 0)
		return r;
	r = subscribe(call, &selector, listing);
	if (r < 0)
		(void)session_listing_free(listing);
	return r;
}
