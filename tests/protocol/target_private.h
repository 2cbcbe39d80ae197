/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the two directions of the scripted target share. */
#pragma once

#include <stdbool.h>

#include "pdu.h"
#include "target.h"

struct connection {
	int fd;
	uint32_t stat_sn;
	uint8_t received[PDU_HEADER_LENGTH], sent[PDU_HEADER_LENGTH];
	struct pdu request;
	struct buffer request_data, sent_data;
	uint64_t chap_algorithm; /* of the last CHAP_A sent */
	/* Agreed on in the login that is under way, and in force since its end. */
	bool header_digest_agreed, data_digest_agreed, header_digest, data_digest;
};

struct target {
	int listener;
	uint16_t port;
	struct connection **connections, *current;
	size_t n_connections;
};

struct opcode_word {
	const char *word;
	enum pdu_opcode request, response;
};

/* The value of a key, or NULL; good until the next call. */
const struct text_pair *find_key(const struct buffer *text, const char *key, size_t length);

/* NULL: none. */
const struct opcode_word *opcode_word(const char *word);

/* Names of header fields are small letters, with which no key is written throughout. */
bool is_field(const char *word);

/* CRC32C as it is sent, RFC 7143 13.1. */
void digest_put(const void *data, size_t length, uint32_t add, uint8_t ret[4]);

/* Writes a line on standard error and returns @error. */
int complain(int error, const char *what, const char *detail);
int no_connection(void);

/*
 * Values may hold {HEX*N}, the digits N times, and {chap:SECRET}, the response to the
 * challenge in @asked.
 */
int expand(struct buffer *out, const struct connection *connection, const struct buffer *asked,
	   const char *value);
