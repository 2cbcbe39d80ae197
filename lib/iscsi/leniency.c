/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "buffer.h"
#include "cleanup.h"
#include "leniency.h"

static const struct leniency_row rows[] = {
#define LENIENCY(symbol, ...) [LENIENCY_##symbol] = { __VA_ARGS__ },
#include "leniency.def"
#undef LENIENCY
};

_Static_assert(_LENIENCY_MAX <= 32, "struct leniencies has a bit for each");

const struct leniency_row *leniency_row(enum leniency which)
{
	return &rows[which];
}

bool leniency_allows(struct leniencies *leniencies, enum leniency which)
{
	if (leniencies->strict)
		return false;
	leniencies->used |= UINT32_C(1) << which;
	return true;
}

struct event *leniency_event(const struct leniencies *leniencies)
{
	_cleanup_(buffer_done) struct buffer names = { 0 };
	struct event *event;

	if (leniencies->used == 0)
		return NULL;
	for (enum leniency which = 0; which < _LENIENCY_MAX; which++)
		if ((leniencies->used & UINT32_C(1) << which) &&
		    buffer_printf(&names, "%s%s", names.length > 0 ? " " : "", rows[which].name) <
			    0)
			return NULL;
	event = event_new(EVENT_DEVIATION_TOLERATED);
	event_set_outcome(event, EVENT_OUTCOME_CONTINUED);
	event_set_text(event, FIELD_LENIENCY, names.data, names.length);
	return event;
}
