/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Secrets as people and files write them.
 */
#include <string.h>

#include "client.h"
#include "parse.h"
#include "secret.h"

/* Without the white space; returns the length. */
static size_t squeeze(const char *text, size_t length, char *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < length; i++)
		if (!text[i] || !strchr(" \t\r\n", text[i]))
			ret[n++] = text[i];
	return n;
}

/* @c: the second character of the prefix, RFC 7143, 6.1. */
static bool has_prefix(const char *digits, size_t length, char c)
{
	return length >= 2 && digits[0] == '0' && (digits[1] | 0x20) == c;
}

static int decode_hex(const char *digits, size_t length, void *ret, size_t size, size_t *ret_length)
{
	size_t skip = has_prefix(digits, length, 'x') ? 2 : 0;

	if (length % 2)
		return -EINVAL;
	return hex_decode(digits + skip, length - skip, ret, size, ret_length);
}

/* "0b" could be digits, too; but with a prefix the length is no multiple of four. */
static int decode_base64(const char *digits, size_t length, void *ret, size_t size,
			 size_t *ret_length)
{
	size_t skip = length % 4 == 2 && has_prefix(digits, length, 'b') ? 2 : 0;

	return base64_decode(digits + skip, length - skip, ret, size, ret_length);
}

static int decode_text(const char *text, size_t length, void *ret, size_t size, size_t *ret_length)
{
	if (length > size)
		return -ENOBUFS;
	if (length > 0)
		memcpy(ret, text, length);
	*ret_length = length;
	return 0;
}

int ois_secret_decode(enum ois_secret_format format, const char *text, size_t length, void *ret,
		      size_t size, size_t *ret_length)
{
	_cleanup_free_ char *digits = NULL;
	size_t n;
	int r;

	if ((!text && length > 0) || !ret || !ret_length)
		return -EINVAL;
	if (format == OIS_SECRET_TEXT)
		return decode_text(text, length, ret, size, ret_length);
	digits = malloc(length + 1);
	if (!digits)
		return -ENOMEM;
	n = squeeze(text, length, digits);
	r = format == OIS_SECRET_HEX      ? decode_hex(digits, n, ret, size, ret_length)
	    : format == OIS_SECRET_BASE64 ? decode_base64(digits, n, ret, size, ret_length)
					  : -EINVAL;
	memory_erase(digits, length);
	return r;
}
