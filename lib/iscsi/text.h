/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * key=value text, RFC 7143 6.1: an iterator over a data segment that hands out views, the values'
 * syntax, a writer, and the collection of text that is spread over several PDUs with the C bit.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "bounds.h"

struct text_pair {
	const char *key; /* views, not NUL-terminated */
	size_t key_length;
	const char *value;
	size_t value_length;
};

struct text_iterator {
	const char *at, *end;
};

void text_iterator_init(struct text_iterator *iterator, const void *text, size_t length);
/*
 * 1: *@ret is the next pair; 0: no more; -EPROTO: malformed (no delimiter, no "=", not a key name),
 * and *@ret_fault, if not NULL, is a constant sentence. How long a value may be depends on its key.
 */
int text_iterator_next(struct text_iterator *iterator, struct text_pair *ret,
		       const char **ret_fault);

/* True if the value is exactly this. Values are case sensitive. */
bool text_value_is(const struct text_pair *pair, const char *value);
/* Takes the next element of a comma-separated list off the front of *@list; false: no more. */
bool text_list_next(struct text_pair *list, const char **ret_element, size_t *ret_length);

/* Errors of the value parsers: -EINVAL (not of this form), -ERANGE (does not fit). */
int text_parse_number(const char *value, size_t length,
		      uint64_t *ret);                                /* decimal, or hex with 0x */
int text_parse_boolean(const char *value, size_t length, bool *ret); /* Yes or No */
/* "0x" hex or "0b" base64, in any case. -ENOBUFS: more than @size bytes. */
int text_parse_binary(const char *value, size_t length, void *ret, size_t size, size_t *ret_length);

/* Errors of the writers: -E2BIG (limit of the buffer), -ENOMEM. */
int text_write(struct buffer *out, const char *key, const char *value);
int text_write_number(struct buffer *out, const char *key, uint64_t value);
/* As "0x" hex. */
int text_write_binary(struct buffer *out, const char *key, const void *data, size_t length);

/* Text that comes in pieces; .text.limit bounds it. */
struct text_collector {
	struct buffer text;
	bool more; /* the piece before had the C bit */
};

/*
 * Adds the data segment of one PDU; @more is its C bit. 1: .text is complete, until the next call;
 * 0: more must come. Errors: -E2BIG, -ENOMEM.
 */
int text_collect(struct text_collector *collector, const void *data, size_t length, bool more);
