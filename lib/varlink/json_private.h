/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* Bytes at @text that stand for themselves in a JSON string, up to the first that may not: most of
 * what is ever read or written, looked at without decoding. */
static inline size_t json_plain_length(const char *text, size_t left)
{
	size_t n = 0;

	while (n < left && text[n] >= ' ' && text[n] <= '~' && text[n] != '"' && text[n] != '\\')
		n++;
	return n;
}
