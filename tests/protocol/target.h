/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A target that does what a script says, right or wrong: it listens on a loopback port and sends
 * and expects single PDUs, built on the project's own codec. Every number it does not give itself
 * is the correct one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct target;

int target_new(struct target **ret);
struct target *target_free(struct target *target);
DEFINE_CLEANUP(struct target *, target_free);

uint16_t target_port(const struct target *target);
/* Nobody listens any more; connections are refused. */
void target_deafen(struct target *target);

/* Each returns 0, or a negative errno after a line on standard error that says what was wrong. */
int target_accept(struct target *target, int timeout_ms);
/* Waits until the initiator closes the connection. */
int target_expect_close(struct target *target, int timeout_ms);
/* FIN, or RST. */
int target_close(struct target *target, int reset);
/*
 * Receives one PDU and compares it. @words: the opcode (login, text, logout, nop), then T, C, F for
 * flags, field=VALUE for header fields, Key=VALUE for text (VALUE * matches anything), !Key for a
 * key that must be absent.
 */
int target_expect(struct target *target, char **words, size_t n, int timeout_ms);
/*
 * Sends one PDU: the opcode of a response, flags, header fields (csg nsg status isid tsih itt
 * statsn expcmdsn maxcmdsn version ttt reason opcode), keys. In a value {HH*N} is the byte HH (hex
 * digits) repeated N times, as digits; numbers with + or - are relative to the right one. data=HEX
 * replaces the text.
 */
int target_send(struct target *target, char **words, size_t n);
