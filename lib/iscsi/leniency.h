/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The known, harmless deviations of targets from RFC 7143, by the rows of leniency.def: code that
 * meets one asks leniency_allows(), and goes on or finds fault with it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event.h"

enum leniency {
#define LENIENCY(symbol, ...) LENIENCY_##symbol,
#include "leniency.def"
#undef LENIENCY
	_LENIENCY_MAX,
};

struct leniency_row {
	const char *name;      /* "tsih-early" */
	const char *rfc;       /* "RFC 7143, 11.13.3" */
	const char *deviation; /* what the target does; a clause */
	const char *targets;   /* who is known to do so; a sentence */
	const char *reaction;  /* what is done about it; a sentence */
};

const struct leniency_row *leniency_row(enum leniency which);

/* Of one login or other exchange; plain data. */
struct leniencies {
	bool strict;
	uint32_t used; /* bits, by enum leniency */
};

/* True, and noted, unless all of them are forbidden. */
bool leniency_allows(struct leniencies *leniencies, enum leniency which);
/* The event that names all that were made use of; NULL if there was none, or no memory. */
struct event *leniency_event(const struct leniencies *leniencies);
