/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every bound on what a peer can make us hold, compute or repeat, in one place.
 */
#pragma once

/* RFC 7143, 6.1: a key name has at most 63 bytes, a value that is not said to be longer 255. */
#define ISCSI_KEY_NAME_MAX 63
#define ISCSI_VALUE_MAX    255
/* RFC 7143, 6.1: a binary value encodes at most 1024 bytes; twice as many digits and the prefix. */
#define ISCSI_BINARY_MAX       1024
#define ISCSI_BINARY_VALUE_MAX (2 + 2 * ISCSI_BINARY_MAX)
/* Where chapter 13 gives no limit to a value, and for keys that are unknown here. */
#define ISCSI_LONG_VALUE_MAX 16384

/*
 * RFC 7143, 13.12: in the Login Phase a data segment has at most the default length, whatever is
 * declared.
 */
#define LOGIN_DATA_SEGMENT_MAX 8192
/*
 * Text of one logical answer, collected over PDUs with the C bit. RFC 7143, 6.2 asks for 64 KiB at
 * least.
 */
#define LOGIN_TEXT_MAX (64 * 1024)
/* Keys in one logical answer; the RFCs define fewer than 50. */
#define LOGIN_KEYS_MAX 128
/* Login Requests we send before we give up. The longest sensible dialogue takes less than 10. */
#define LOGIN_EXCHANGES_MAX 32

/* Text Requests of one negotiation in Full Feature Phase, and what the kernel sends in one. */
#define RENEGOTIATION_EXCHANGES_MAX 16
#define RENEGOTIATION_DATA_MAX      8192
/* Asynchronous Messages of one connection that become events in an hour. */
#define ASYNC_EVENTS_MAX 64

/* What a peer has not read yet of what was sent to it: a few PDUs of the greatest length. */
#define CHANNEL_UNSENT_MAX (64 * 1024)

/* Redirections in a row that are followed; the next one counts as a circle. */
#define LOGIN_REDIRECTS_MAX 4

/* Portals handed out with one target; a target with more is handed out several times. */
#define SENDTARGETS_PORTALS_MAX 32
/*
 * A pair that is still without its end when it is this long is not waited for; beside it one PDU is
 * kept.
 */
#define SENDTARGETS_PAIR_MAX (ISCSI_KEY_NAME_MAX + ISCSI_LONG_VALUE_MAX + 2)
/* Text Responses of one SendTargets, how many of these in a row may bring nothing, and portals. */
#define SENDTARGETS_EXCHANGES_MAX      1000000
#define SENDTARGETS_EMPTY_MAX          16
#define SENDTARGETS_ANSWER_PORTALS_MAX 500000
/* Bad records that are reported one by one; the rest is only counted. */
#define SENDTARGETS_FAULTS_MAX 16
