/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The Text exchange in which a target that asked for it negotiates parameters of a connection in
 * Full Feature Phase, RFC 7143 6.3, as a machine like that of login.h. This side declares again
 * what it can receive; what the target says takes effect as a whole or, RFC 7143 7.12, not at all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "negotiate.h"
#include "pdu.h"

struct renegotiation_config {
	struct iscsi_parameters parameters; /* in effect */
	uint32_t exp_stat_sn;               /* StatSN received last + 1 */
	bool strict;                        /* no deviation of leniency.def is tolerated */
};

struct renegotiation_request {
	/* DataSegmentLength is set; the task tag and CmdSN are the sender's to choose. */
	const uint8_t *header;
	const void *data;
	size_t length;
};

struct renegotiation_outcome {
	struct iscsi_parameters parameters;     /* in effect from now on */
	char target_alias[ISCSI_VALUE_MAX + 1]; /* escaped; empty: not told */
	struct leniencies leniencies;
};

struct renegotiation;

/* Errors: -ENOMEM. */
int renegotiation_new(const struct renegotiation_config *config, struct renegotiation **ret);
struct renegotiation *renegotiation_free(struct renegotiation *renegotiation);
DEFINE_CLEANUP(struct renegotiation *, renegotiation_free);

/* True: *@ret is to be sent; borrowed until the next call. False: an answer is awaited. */
bool renegotiation_next(struct renegotiation *renegotiation, struct renegotiation_request *ret);

/*
 * Feed: a Text Response (data segment without padding). 1: it was the last one, and *@ret_outcome
 * holds; 0: it goes on. Errors, after which nothing has changed and nothing is sent any more:
 * -EPROTO, and *@ret_reason is a constant clause; -ENOMEM.
 */
int renegotiation_receive(struct renegotiation *renegotiation,
			  const uint8_t header[PDU_HEADER_LENGTH], const void *data, size_t length,
			  struct renegotiation_outcome *ret_outcome, const char **ret_reason);
