/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The target's side of a login, without I/O: answers Login Requests as an ordinary target does, no
 * authentication or CHAP, one stage or both. For the benchmark only: it does not judge what it is
 * asked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "chap.h"
#include "negotiate.h"
#include "pdu.h"

struct responder_config {
	enum chap_algorithm algorithm;
	const char *name; /* CHAP_N, if it is asked to prove itself */
	const struct secret *secret;
	unsigned status; /* of the last response to a normal login: class and detail, 0: success */
};

struct responder {
	const struct responder_config *config;
	struct negotiation negotiation;
	struct iscsi_parameters parameters; /* once .done */
	bool begun, discovery, done;
	uint32_t stat_sn; /* of the next response */
};

/* @config is borrowed. */
void responder_init(struct responder *responder, const struct responder_config *config);
/*
 * Answers a request; @ret_text is cleared first. Errors: -EPROTO (nothing this target understands),
 * -ENOMEM.
 */
int responder_answer(struct responder *responder, const uint8_t header[PDU_HEADER_LENGTH],
		     const void *data, size_t length, uint8_t ret_header[PDU_HEADER_LENGTH],
		     struct buffer *ret_text);
