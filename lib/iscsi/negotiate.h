/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Text negotiation by the rows of the key table, RFC 7143 6.2: one function offers, one checks and
 * applies what the peer sent and answers what it asked. For both roles. The order of keys, stages
 * and authentication belong to login.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "keys.h"
#include "leniency.h"
#include "text.h"

enum negotiation_role {
	NEGOTIATION_INITIATOR,
	NEGOTIATION_TARGET,
};

/* Plain data: a copy is a scratch copy. */
struct negotiation {
	enum negotiation_role role;
	bool discovery; /* SessionType=Discovery */
	bool leading;   /* the first connection of its session; cleared by the caller otherwise */
	struct iscsi_offer offer;
	struct iscsi_parameters parameters; /* as far as it is agreed */
	bool offered[_ISCSI_KEY_MAX];
	bool received[_ISCSI_KEY_MAX];
	bool irrelevant[_ISCSI_KEY_MAX]; /* so the peer says; other keys decide whether it is */
	bool owes_answer;                /* the peer offered something that must be answered */
	bool owes_not_understood;        /* and the same of a key that is unknown here */
	struct leniencies leniencies;

	/* Declared by a target. */
	int portal_group_tag;                   /* -1: not told */
	char target_alias[ISCSI_VALUE_MAX + 1]; /* escaped */
};

/* What was wrong with a peer's text. */
struct negotiation_fault {
	const char *reason; /* a constant sentence */
	const char *rfc;    /* "RFC 7143, 13.10" */
	enum iscsi_key key; /* _ISCSI_KEY_MAX: none of ours */
};

void negotiation_init(struct negotiation *negotiation, enum negotiation_role role, bool discovery,
		      const struct iscsi_offer *offer);

/*
 * Writes all keys of the offer that matter for this connection, and notes that they were offered.
 * Errors: -E2BIG, -ENOMEM.
 */
int negotiation_offer(struct negotiation *negotiation, struct buffer *out);

/* Writes a key that is declared outside the offer, as the names of both sides. Errors: as above. */
int negotiation_declare(struct negotiation *negotiation, enum iscsi_key key, const char *value,
			struct buffer *out);

/*
 * One pair from the peer in this stage (enum key_use, one bit); answers are added to @answers. The
 * caller works on a scratch copy, and drops it with the answers on failure. Errors: -EPROTO with
 * *@ret_fault, -E2BIG, -ENOMEM.
 */
int negotiation_receive(struct negotiation *negotiation, unsigned stage,
			const struct text_pair *pair, struct buffer *answers,
			struct negotiation_fault *ret_fault);

/*
 * No answer will come any more: settles the keys that were offered and not answered, judges those
 * that were answered with Irrelevant, and what follows from others. Errors: -EPROTO with
 * *@ret_fault.
 */
int negotiation_finish(struct negotiation *negotiation, struct negotiation_fault *ret_fault);
