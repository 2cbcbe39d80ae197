/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A growing byte buffer with a cap: whatever a peer makes us collect ends at @limit with -E2BIG.
 */
#pragma once

#include <stdint.h>
#include <stddef.h>

#include "cleanup.h"

struct buffer {
	uint8_t *data;
	size_t length;
	size_t allocated;
	size_t limit; /* 0: none */
};

/* Errors of all that add: -E2BIG above the limit, -ENOMEM; the content is then unchanged. */
int buffer_append(struct buffer *buffer, const void *data, size_t length);
int buffer_append_string(struct buffer *buffer, const char *string);
int buffer_printf(struct buffer *buffer, const char *format, ...) _printf_(2, 3);
/* Makes room for @length more bytes and returns where they go; buffer_commit() then counts them. */
int buffer_reserve(struct buffer *buffer, size_t length, uint8_t **ret);
void buffer_commit(struct buffer *buffer, size_t length);
/* Removes @length bytes at the front. */
void buffer_consume(struct buffer *buffer, size_t length);
void buffer_clear(struct buffer *buffer);
/* Frees the memory; the buffer may be used again. */
void buffer_done(struct buffer *buffer);
/* buffer_done() after zeroing all that was ever stored. */
void buffer_erase(struct buffer *buffer);
