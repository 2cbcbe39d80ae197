/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Strict conversions of text from outside. All parsers: 0 or -EINVAL (malformed), -ERANGE
 * (well-formed, out of range); results are untouched on failure; nothing before or after the value
 * is accepted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#define ISCSI_PORT 3260
/* RFC 7143, 4.2.7.1: a name has at most 223 bytes. */
#define ISCSI_NAME_MAX 223

/* Decimal only, no sign. */
int parse_u64(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *ret);
/* Decimal with an optional minus. */
int parse_i64(const char *text, int64_t minimum, int64_t maximum, int64_t *ret);
/* yes/no, true/false, on/off, 1/0, any case. */
int parse_boolean(const char *text, bool *ret);

/* Writes 2 * @length lower-case digits and a NUL to @ret. */
void hex_encode(const void *data, size_t length, char *ret);
/* @text has @text_length digits, no prefix; an odd number means a leading zero. -ENOBUFS: does not
 * fit. */
int hex_decode(const char *text, size_t text_length, void *ret, size_t size, size_t *ret_length);
/* RFC 4648 section 4; padding is required. -ENOBUFS: does not fit. */
int base64_decode(const char *text, size_t text_length, void *ret, size_t size, size_t *ret_length);
/* Bytes that base64_encode() writes, NUL included. */
#define BASE64_SIZE(length) (((length) + 2) / 3 * 4 + 1)
void base64_encode(const void *data, size_t length, char *ret);

/*
 * Checks an iSCSI name, RFC 7143 4.2.7: iqn., eui. (16 hex digits) or naa. (16 or 32), lower case,
 * allowed characters, length. *@ret_why, if not NULL, is set to a constant sentence on failure.
 */
int iscsi_name_check(const char *name, const char **ret_why);
/*
 * The same for the name of a target, which is what it is: upper-case letters and underscores, with
 * which storage arrays are sold and which people type, are let pass, and mean themselves.
 */
int iscsi_target_name_check(const char *name, const char **ret_why);

/*
 * Splits "ADDRESS[:PORT][,TAG]" with "[...]" around an IPv6 address; the address goes to
 * @ret_address without brackets, as address_normalize() writes it. A bare IPv6 address without
 * brackets is taken whole. @ret_tag may be NULL if a tag is not acceptable; without one it is -1.
 */
int portal_parse(const char *text, uint16_t default_port, char *ret_address, size_t address_size,
		 uint16_t *ret_port, int *ret_tag);
/* "1.2.3.4:3260" or "[fe80::1]:3260"; @ret must hold PORTAL_TEXT_MAX bytes. */
#define PORTAL_ADDRESS_MAX 256
#define PORTAL_TEXT_MAX    (PORTAL_ADDRESS_MAX + 10)
void portal_format(const char *address, uint16_t port, char *ret);

/* Length of the UTF-8 character at @text, of which @left bytes can be read; 0 if there is no valid
 * one. */
size_t utf8_length(const void *text, size_t left);
/*
 * Copies @length bytes of text from outside into @ret (@size bytes, NUL included): control
 * characters, backslash and invalid UTF-8 become \xNN; what does not fit is cut at a character.
 * Returns bytes written.
 */
size_t text_escape(const void *text, size_t length, char *ret, size_t size);
/* True if all @length bytes are UTF-8 without control characters and NUL. */
bool text_is_clean(const void *text, size_t length);
