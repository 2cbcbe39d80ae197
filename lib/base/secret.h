/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes that must never reach a log, a listing or a core dump: zeroed when freed, compared in
 * constant time, never formatted. Whoever reports about a secret reports its length.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cleanup.h"

struct secret;

/* Copies @length bytes. Errors: -ENOMEM. */
int secret_new(const void *bytes, size_t length, struct secret **ret);
/* Puts a copy of @secret (NULL: none) in place of *@place. Errors: -ENOMEM; *@place then stays. */
int secret_copy(const struct secret *secret, struct secret **place);
struct secret *secret_free(struct secret *secret);
DEFINE_CLEANUP(struct secret *, secret_free);

/* NULL has length 0. The bytes are borrowed and not NUL-terminated. */
const void *secret_bytes(const struct secret *secret);
size_t secret_length(const struct secret *secret);

/* Time depends on the lengths only; NULL equals NULL. */
bool secret_equal(const struct secret *a, const struct secret *b);

/* Constant-time comparison of two areas of the same length. */
bool memory_equal_secret(const void *a, const void *b, size_t length);

/* Zeroes memory in a way the compiler may not leave out; NULL is accepted. */
void memory_erase(void *memory, size_t length);
/* memory_erase() of a string up to its NUL, then free(). */
char *string_erase_free(char *string);
static inline void string_erase_freep(char **string)
{
	(void)string_erase_free(*string);
}
