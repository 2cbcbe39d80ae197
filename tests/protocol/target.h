/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A target that does what a script says, right or wrong: it listens on a loopback port and sends
 * and expects single PDUs, built on the project's own codec. Every number it is not given is the
 * correct one. CONTRIBUTING.md describes the words.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "cleanup.h"

struct target;

int target_new(struct target **ret);
struct target *target_free(struct target *target);
DEFINE_CLEANUP(struct target *, target_free);

uint16_t target_port(const struct target *target);
/* Nobody listens any more; connections are refused. */
void target_deafen(struct target *target);
/* Nobody takes connections any more; who tries waits. */
void target_block(struct target *target);

/* Each returns 0, or a negative errno after a line on standard error that says what was wrong. */

/* Takes a connection. It is the one that all below is about, until target_select(). */
int target_accept(struct target *target, int timeout_ms);
/* Connections are counted from 1 in the order they were accepted. */
int target_select(struct target *target, unsigned number);
/* Waits until the initiator closes the connection. */
int target_expect_close(struct target *target, int timeout_ms);
/* FIN, or RST. */
int target_close(struct target *target, int reset);

/* Receives one PDU and compares it: an opcode, then flags, header fields, keys. */
int target_expect(struct target *target, char **words, size_t n, int timeout_ms);
/* Sends one PDU: an opcode, then flags, header fields, keys. */
int target_send(struct target *target, char **words, size_t n);

/*
 * What was received or sent last, as text: "port", "request" and "response" (headers in hex),
 * "data" (what came with the response, in hex), "length" of that, "isid" of the request. Errors:
 * -ENOENT.
 */
int target_variable(const struct target *target, const char *name, struct buffer *out);
