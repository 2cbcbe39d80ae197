/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The answer to SendTargets, RFC 7143 Appendix C: from key=value pairs to targets and their
 * portals.
 */
#include <string.h>

#include "address.h"
#include "keys.h"
#include "sendtargets_private.h"
#include "text.h"

static void skip_entry(struct sendtargets *sendtargets, const char *text, size_t length,
		       const char *reason)
{
	struct event *event;

	if (sendtargets->n_skipped++ >= SENDTARGETS_FAULTS_MAX)
		return;
	event = event_new(EVENT_DISCOVERY_ENTRY_INVALID);
	event_set_outcome(event, EVENT_OUTCOME_CONTINUED);
	event_set_text(event, FIELD_DUMP_KEY_VALUE, text, length);
	event_set_string(event, FIELD_REASON, reason);
	if (sendtargets->has_target)
		event_set_string(event, FIELD_TARGET, sendtargets->target.name);
	sendtargets_raise(sendtargets, event);
}

static void skip_pair(struct sendtargets *sendtargets, const struct text_pair *pair,
		      const char *reason)
{
	skip_entry(sendtargets, pair->key, pair->key_length + 1 + pair->value_length, reason);
}

static bool pair_is(const struct text_pair *pair, enum iscsi_key key)
{
	const char *name = key_row(key)->name;

	return pair->key_length == strlen(name) && memcmp(pair->key, name, pair->key_length) == 0;
}

/* One whose portals were all malformed is not worth it. */
bool sendtargets_target_pending(const struct sendtargets *sendtargets)
{
	const struct sendtargets_target *target = &sendtargets->target;

	if (!sendtargets->has_target || sendtargets->handed_out)
		return false;
	return target->n_portals > 0 || (!sendtargets->had_portals && !sendtargets->bad_portals);
}

/* What keeps the value from being the name of a target that is looked for, or NULL. */
static const char *take_name(struct sendtargets *sendtargets, const struct text_pair *pair)
{
	const char *wanted = sendtargets->config.target_name, *reason = NULL;
	char *name = sendtargets->target.name;

	if (pair->value_length > ISCSI_NAME_MAX)
		return "a name has at most 223 bytes";
	memcpy(name, pair->value, pair->value_length);
	name[pair->value_length] = '\0';
	if (iscsi_name_check(name, &reason) < 0 &&
	    (iscsi_target_name_check(name, NULL) < 0 ||
	     !leniency_allows(&sendtargets->leniencies, LENIENCY_NAME_CHARACTERS)))
		return reason;
	return wanted && strcmp(wanted, name) != 0 ? "another target was asked for" : NULL;
}

static void begin_target(struct sendtargets *sendtargets, const struct text_pair *pair)
{
	struct sendtargets_target *target = &sendtargets->target;
	const char *reason;

	sendtargets->named = true;
	sendtargets->has_target = false;
	reason = take_name(sendtargets, pair);
	target->alias[0] = '\0';
	target->n_portals = 0;
	sendtargets->handed_out = sendtargets->had_portals = sendtargets->bad_portals = false;
	if (reason) {
		skip_pair(sendtargets, pair, reason);
		return;
	}
	sendtargets->has_target = sendtargets->found = true;
	sendtargets->n_targets++;
}

/* RFC 7143, 13.8: domainname[:port][,portal-group-tag]. What is wrong with it, or NULL. */
static const char *parse_portal(const struct sendtargets *sendtargets, const struct text_pair *pair,
				struct sendtargets_portal *ret)
{
	char text[PORTAL_TEXT_MAX + 8];

	if (pair->value_length >= sizeof(text))
		return "the address is too long";
	memcpy(text, pair->value, pair->value_length);
	text[pair->value_length] = '\0';
	if (portal_parse(text, ISCSI_PORT, ret->address, sizeof(ret->address), &ret->port,
			 &ret->portal_group_tag) < 0)
		return "the address is not of the form address:port,tag";
	return address_localize(ret->address, sizeof(ret->address), sendtargets->config.address,
				sendtargets->config.scope);
}

static void add_portal(struct sendtargets *sendtargets, const struct text_pair *pair)
{
	struct sendtargets_target *target = &sendtargets->target;
	struct sendtargets_portal *portal = &target->portals[target->n_portals];
	const char *reason = parse_portal(sendtargets, pair, portal);

	if (reason) {
		sendtargets->bad_portals = true;
		skip_pair(sendtargets, pair, reason);
		return;
	}
	for (size_t i = 0; i < target->n_portals; i++) {
		struct sendtargets_portal *same = &target->portals[i];

		if (same->port != portal->port || strcmp(same->address, portal->address) != 0)
			continue;
		if (same->portal_group_tag < 0)
			same->portal_group_tag = portal->portal_group_tag;
		return;
	}
	target->n_portals++;
	sendtargets->found = true;
}

/* The name that came last once more: more of the same target. */
static bool same_target(const struct sendtargets *sendtargets, const struct text_pair *pair)
{
	return sendtargets->has_target && text_value_is(pair, sendtargets->target.name);
}

/* False: the target so far must be handed out before this pair can be taken. */
static bool take_pair(struct sendtargets *sendtargets, const struct text_pair *pair)
{
	struct sendtargets_target *target = &sendtargets->target;

	if (pair_is(pair, ISCSI_KEY_TARGET_NAME)) {
		if (same_target(sendtargets, pair))
			return true;
		if (sendtargets_target_pending(sendtargets))
			return false;
		begin_target(sendtargets, pair);
	} else if (!sendtargets->has_target) {
		/* What belongs to a name that was skipped goes with it. */
		if (!sendtargets->named && pair_is(pair, ISCSI_KEY_TARGET_ADDRESS))
			skip_pair(sendtargets, pair, "an address comes before any name");
	} else if (pair_is(pair, ISCSI_KEY_TARGET_ADDRESS)) {
		if (sendtargets->handed_out) {
			target->n_portals = 0;
			sendtargets->handed_out = false;
			sendtargets->had_portals = true;
		} else if (target->n_portals == SENDTARGETS_PORTALS_MAX) {
			return false;
		}
		add_portal(sendtargets, pair);
	} else if (pair_is(pair, ISCSI_KEY_TARGET_ALIAS)) {
		(void)text_escape(pair->value, pair->value_length, target->alias,
				  sizeof(target->alias));
	}
	return true;
}

bool sendtargets_parse(struct sendtargets *sendtargets)
{
	const char *reason = NULL;
	struct text_iterator iterator;
	struct text_pair pair;

	while (sendtargets->parsed < sendtargets->text.length && sendtargets->n_events == 0) {
		const char *at = (const char *)sendtargets->text.data + sendtargets->parsed;
		const char *end = memchr(at, '\0', sendtargets->text.length - sendtargets->parsed);
		size_t length;
		int r;

		if (!end)
			break;
		length = (size_t)(end - at) + 1;
		text_iterator_init(&iterator, at, length);
		r = text_iterator_next(&iterator, &pair, &reason);
		if (r > 0 && pair.value_length > ISCSI_LONG_VALUE_MAX) {
			reason = "a value is too long";
			r = -EPROTO;
		}
		if (sendtargets->cut && sendtargets->parsed + length == sendtargets->text.length)
			skip_entry(sendtargets, at, length - 1, "the answer ends within this pair");
		else if (r < 0)
			skip_entry(sendtargets, at, length - 1, reason);
		else if (r > 0 && !take_pair(sendtargets, &pair))
			return true;
		sendtargets->parsed += length;
	}
	return false;
}
