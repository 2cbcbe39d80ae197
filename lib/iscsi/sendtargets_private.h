/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What sendtargets.c (the exchange of PDUs) and sendtargets_answer.c (from text to targets) share.
 */
#pragma once

#include "buffer.h"
#include "leniency.h"
#include "sendtargets.h"

#define SENDTARGETS_EVENTS_MAX 4

enum sendtargets_phase {
	SENDTARGETS_PHASE_TEXT, /* a Text Request is under way, or its answer is being handed out */
	SENDTARGETS_PHASE_LOGOUT, /* a Logout Request is under way */
	SENDTARGETS_PHASE_ENDED,
};

struct sendtargets {
	struct sendtargets_config config;
	enum sendtargets_phase phase;

	uint8_t header[PDU_HEADER_LENGTH];
	struct buffer request; /* data segment */
	bool send_ready, timed;
	uint8_t pong[PDU_HEADER_LENGTH]; /* answer to a ping of the target */
	bool pong_ready;

	uint32_t exp_stat_sn;
	unsigned exchanges, empty;
	struct leniencies leniencies;
	uint64_t lun; /* of the last response, for the next request */
	uint32_t ttt;

	/* Text received and not yet handed out. */
	struct buffer text;
	size_t parsed;
	bool draining, last;
	bool cut; /* the last pair of the answer had no end */

	struct sendtargets_target target;
	bool named;       /* a name came, good or bad */
	bool has_target;  /* .target has a name */
	bool handed_out;  /* .target went out, and what comes is the next one or its rest */
	bool had_portals; /* some portal of .target went out already */
	bool bad_portals; /* some portal of .target was malformed */
	size_t n_targets, n_portals, n_skipped;
	bool found; /* a name or portal, since the time for an answer began */

	struct event *events[SENDTARGETS_EVENTS_MAX];
	size_t n_events;
	struct sendtargets_step final;
};

/* sendtargets.c */
/* Queues an event; NULL is ignored. */
void sendtargets_raise(struct sendtargets *sendtargets, struct event *event);

/* sendtargets_answer.c */
/*
 * Takes pairs out of the text. True: .target is to be handed out now. False: there is an event to
 * report, or no complete pair is left.
 */
bool sendtargets_parse(struct sendtargets *sendtargets);
/* True: .target was not handed out yet, and should be at the end of the answer. */
bool sendtargets_target_pending(const struct sendtargets *sendtargets);
