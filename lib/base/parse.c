/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "address.h"
#include "cleanup.h"
#include "parse.h"

int parse_u64(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *ret)
{
	uint64_t value = 0;

	if (!text || !*text)
		return -EINVAL;
	for (const char *p = text; *p; p++) {
		unsigned digit = (unsigned)(*p - '0');

		if (digit > 9)
			return -EINVAL;
		if (value > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		value = value * 10 + digit;
	}
	if (value < minimum || value > maximum)
		return -ERANGE;
	*ret = value;
	return 0;
}

int parse_i64(const char *text, int64_t minimum, int64_t maximum, int64_t *ret)
{
	bool negative = text && *text == '-';
	uint64_t magnitude;
	int64_t value;
	int r;

	if (!text)
		return -EINVAL;
	r = parse_u64(text + negative, 0, negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX,
		      &magnitude);
	if (r < 0)
		return r;
	if (!negative)
		value = (int64_t)magnitude;
	else
		value = magnitude == (uint64_t)INT64_MAX + 1 ? INT64_MIN : -(int64_t)magnitude;
	if (value < minimum || value > maximum)
		return -ERANGE;
	*ret = value;
	return 0;
}

int parse_boolean(const char *text, bool *ret)
{
	static const char *const yes[] = { "yes", "true", "on", "1" };
	static const char *const no[] = { "no", "false", "off", "0" };

	if (!text)
		return -EINVAL;
	for (size_t i = 0; i < ELEMENTSOF(yes); i++) {
		if (strcasecmp(text, yes[i]) == 0) {
			*ret = true;
			return 0;
		}
		if (strcasecmp(text, no[i]) == 0) {
			*ret = false;
			return 0;
		}
	}
	return -EINVAL;
}

void hex_encode(const void *data, size_t length, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;

	for (size_t i = 0; i < length; i++) {
		*ret++ = digits[bytes[i] >> 4];
		*ret++ = digits[bytes[i] & 15];
	}
	*ret = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -EINVAL;
}

int hex_decode(const char *text, size_t text_length, void *ret, size_t size, size_t *ret_length)
{
	size_t length = (text_length + 1) / 2, in = 0;
	uint8_t *out = ret;

	if (text_length == 0)
		return -EINVAL;
	for (size_t i = 0; i < text_length; i++)
		if (hex_digit(text[i]) < 0)
			return -EINVAL;
	if (length > size)
		return -ENOBUFS;
	for (size_t i = 0; i < length; i++) {
		int high = (i == 0 && text_length % 2) ? 0 : hex_digit(text[in++]);
		int low = hex_digit(text[in++]);

		out[i] = (uint8_t)(high << 4 | low);
	}
	*ret_length = length;
	return 0;
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	if (c == '/')
		return 63;
	return -EINVAL;
}

int base64_decode(const char *text, size_t text_length, void *ret, size_t size, size_t *ret_length)
{
	size_t padding = 0, length;
	uint8_t *out = ret;

	if (text_length == 0 || text_length % 4)
		return -EINVAL;
	while (padding < 2 && text[text_length - 1 - padding] == '=')
		padding++;
	for (size_t i = 0; i < text_length - padding; i++)
		if (base64_digit(text[i]) < 0)
			return -EINVAL;
	length = text_length / 4 * 3 - padding;
	if (length > size)
		return -ENOBUFS;
	for (size_t i = 0, o = 0; i < text_length; i += 4) {
		uint32_t group = 0;

		for (size_t k = 0; k < 4; k++) {
			int digit = i + k < text_length - padding ? base64_digit(text[i + k]) : 0;

			group = group << 6 | (uint32_t)digit;
		}
		for (size_t k = 0; k < 3 && o < length; k++)
			out[o++] = (uint8_t)(group >> (16 - 8 * k));
		/* The bits that padding cuts off must be zero, or two texts would mean one value.
		 */
		if (i + 4 == text_length && padding > 0 &&
		    (group & ((1U << (8 * padding)) - 1)) != 0)
			return -EINVAL;
	}
	*ret_length = length;
	return 0;
}

void base64_encode(const void *data, size_t length, char *ret)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *bytes = data;

	for (size_t i = 0; i < length; i += 3) {
		size_t left = length - i;
		uint32_t group = (uint32_t)bytes[i] << 16;

		if (left > 1)
			group |= (uint32_t)bytes[i + 1] << 8;
		if (left > 2)
			group |= bytes[i + 2];
		*ret++ = digits[group >> 18];
		*ret++ = digits[group >> 12 & 63];
		*ret++ = left > 1 ? digits[group >> 6 & 63] : '=';
		*ret++ = left > 2 ? digits[group & 63] : '=';
	}
	*ret = '\0';
}

static bool name_digits_valid(const char *digits, size_t n1, size_t n2)
{
	size_t length = strlen(digits);

	if (length != n1 && length != n2)
		return false;
	for (const char *p = digits; *p; p++)
		if (!isxdigit((unsigned char)*p))
			return false;
	return true;
}

/* iqn.YYYY-MM.reversed.domain[:anything], RFC 7143, 4.2.7.4. */
static const char *iqn_fault(const char *name)
{
	const char *p = name + 4;
	unsigned month;

	for (size_t i = 0; i < 7; i++)
		if (i == 4 ? p[i] != '-' : !isdigit((unsigned char)p[i]))
			return "after \"iqn.\" a date of the form YYYY-MM is needed";
	month = (unsigned)(p[5] - '0') * 10 + (unsigned)(p[6] - '0');
	if (month < 1 || month > 12)
		return "the month must be 01 to 12";
	if (p[7] != '.' || p[8] == '\0' || p[8] == ':')
		return "after the date a dot and a reversed domain name are needed";
	return NULL;
}

/*
 * RFC 7143, 4.2.7.2: of ASCII only lower-case letters, digits, dash, dot and colon; digits of eui.
 * and naa. may be upper-case.
 */
static bool name_character_allowed(const char *name, char c)
{
	return islower((unsigned char)c) || isdigit((unsigned char)c) || strchr("-.:", c) ||
	       ((strncmp(name, "eui.", 4) == 0 || strncmp(name, "naa.", 4) == 0) &&
		isxdigit((unsigned char)c));
}

static const char *name_fault(const char *name, bool lenient)
{
	size_t length = strlen(name);

	if (length > ISCSI_NAME_MAX)
		return "a name has at most 223 bytes";
	if (!text_is_clean(name, length))
		return "the name holds control characters or invalid UTF-8";
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < 0x80 && !name_character_allowed(name, *p) &&
		    !(lenient && (isupper((unsigned char)*p) || *p == '_')))
			return "only lower-case letters, digits, dash, dot and colon are allowed";
	if (strncmp(name, "iqn.", 4) == 0)
		return iqn_fault(name);
	if (strncmp(name, "eui.", 4) == 0)
		return name_digits_valid(name + 4, 16, 16) ? NULL : "eui. needs 16 hex digits";
	if (strncmp(name, "naa.", 4) == 0)
		return name_digits_valid(name + 4, 16, 32) ? NULL
							   : "naa. needs 16 or 32 hex digits";
	return "a name starts with iqn., eui. or naa.";
}

static int name_check(const char *name, bool lenient, const char **ret_why)
{
	const char *fault = name ? name_fault(name, lenient) : "the name is missing";

	if (!fault)
		return 0;
	if (ret_why)
		*ret_why = fault;
	return -EINVAL;
}

int iscsi_name_check(const char *name, const char **ret_why)
{
	return name_check(name, false, ret_why);
}

int iscsi_target_name_check(const char *name, const char **ret_why)
{
	return name_check(name, true, ret_why);
}

static int portal_parse_tail(const char *tail, uint16_t default_port, uint16_t *ret_port,
			     int *ret_tag)
{
	uint64_t port = default_port, tag = 0;
	const char *comma = strchr(tail, ',');
	char digits[8];
	size_t n;
	int r;

	if (comma && !ret_tag)
		return -EINVAL;
	if (*tail == ':') {
		n = comma ? (size_t)(comma - tail - 1) : strlen(tail + 1);
		if (n >= sizeof(digits))
			return -EINVAL;
		memcpy(digits, tail + 1, n);
		digits[n] = '\0';
		r = parse_u64(digits, 1, UINT16_MAX, &port);
		if (r < 0)
			return r;
	} else if (*tail != '\0' && *tail != ',') {
		return -EINVAL;
	}
	if (comma) {
		r = parse_u64(comma + 1, 0, UINT16_MAX, &tag);
		if (r < 0)
			return r;
	}
	*ret_port = (uint16_t)port;
	if (ret_tag)
		*ret_tag = comma ? (int)tag : -1;
	return 0;
}

int portal_parse(const char *text, uint16_t default_port, char *ret_address, size_t address_size,
		 uint16_t *ret_port, int *ret_tag)
{
	const char *start, *end, *tail, *first_colon;
	char address[PORTAL_ADDRESS_MAX];
	size_t length;
	int r;

	if (!text)
		return -EINVAL;
	first_colon = strchr(text, ':');
	if (*text == '[') {
		start = text + 1;
		end = strchr(start, ']');
		if (!end)
			return -EINVAL;
		tail = end + 1;
	} else {
		start = text;
		if (first_colon && strchr(first_colon + 1, ':'))
			end = text + strcspn(text, ",");
		else
			end = text + strcspn(text, ":,");
		tail = end;
	}
	length = (size_t)(end - start);
	if (length >= sizeof(address))
		return -EINVAL;
	memcpy(address, start, length);
	address[length] = '\0';
	r = address_normalize(address, address, sizeof(address));
	if (r < 0 || strlen(address) >= address_size)
		return -EINVAL;
	r = portal_parse_tail(tail, default_port, ret_port, ret_tag);
	if (r < 0)
		return r;
	memcpy(ret_address, address, strlen(address) + 1);
	return 0;
}

void portal_format(const char *address, uint16_t port, char *ret)
{
	(void)snprintf(ret, PORTAL_TEXT_MAX, strchr(address, ':') ? "[%s]:%u" : "%s:%u", address,
		       port);
}

size_t utf8_length(const void *text, size_t left)
{
	static const uint32_t minimum[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t *in = text;
	uint32_t point;
	size_t length;

	if (left == 0)
		return 0;
	if (in[0] < 0x80)
		return 1;
	length = in[0] >= 0xf0 ? 4 : in[0] >= 0xe0 ? 3 : 2;
	if (in[0] < 0xc2 || in[0] > 0xf4 || length > left)
		return 0;
	point = in[0] & (0x7fU >> length);
	for (size_t i = 1; i < length; i++) {
		if ((in[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (in[i] & 0x3f);
	}
	if (point < minimum[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	return length;
}

/* Like utf8_length(); control characters and NUL are not valid here. */
static size_t character_length(const uint8_t *text, size_t left)
{
	size_t length = utf8_length(text, left);

	if (length == 1 && (text[0] < 0x20 || text[0] == 0x7f))
		return 0;
	if (length == 2 && text[0] == 0xc2 && text[1] < 0xa0)
		return 0;
	return length;
}

size_t text_escape(const void *text, size_t length, char *ret, size_t size)
{
	const uint8_t *in = text;
	size_t out = 0;

	for (size_t i = 0; i < length;) {
		size_t n = in[i] == '\\' ? 0 : character_length(in + i, length - i);

		if (out + (n ? n : 4) >= size)
			break;
		if (n) {
			memcpy(ret + out, in + i, n);
			out += n;
			i += n;
		} else {
			(void)snprintf(ret + out, 5, "\\x%02x", in[i++]);
			out += 4;
		}
	}
	ret[out] = '\0';
	return out;
}

bool text_is_clean(const void *text, size_t length)
{
	const uint8_t *in = text;

	for (size_t i = 0; i < length;) {
		size_t n = character_length(in + i, length - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}
