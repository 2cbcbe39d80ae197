/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "parse.h"
#include "secret.h"
#include "text.h"

void text_iterator_init(struct text_iterator *iterator, const void *text, size_t length)
{
	iterator->at = text;
	iterator->end = length > 0 ? (const char *)text + length : text;
}

/* RFC 7143, 6.1: a standard-label. */
static const char *key_name_fault(const char *name, size_t length)
{
	if (length == 0)
		return "a pair has no key";
	if (length > ISCSI_KEY_NAME_MAX)
		return "a key name has more than 63 bytes";
	/* The RFCs break their own rule with iSCSIProtocolLevel and iSERHelloRequired. */
	if ((*name < 'A' || *name > 'Z') && (length < 2 || memcmp(name, "iS", 2) != 0))
		return "a key name does not start with a capital letter";
	/* RFC 7143, 13.22: "X#" begins a registered extension. */
	for (size_t i = length > 2 && memcmp(name, "X#", 2) == 0 ? 2 : 0; i < length; i++) {
		char c = name[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) &&
		    !strchr(".-+@_", c))
			return "a key name holds a character that is not allowed";
	}
	return NULL;
}

static const char *pair_split(const char *line, size_t length, struct text_pair *ret)
{
	const char *equals = memchr(line, '=', length);
	const char *fault;

	if (!equals)
		return "a key has no \"=\" behind it";
	fault = key_name_fault(line, (size_t)(equals - line));
	if (fault)
		return fault;
	ret->key = line;
	ret->key_length = (size_t)(equals - line);
	ret->value = equals + 1;
	ret->value_length = length - ret->key_length - 1;
	return NULL;
}

/* RFC 7143, 6.1: each pair is followed by at least one NUL, the last one too. */
int text_iterator_next(struct text_iterator *iterator, struct text_pair *ret,
		       const char **ret_fault)
{
	struct text_pair pair;
	const char *end, *fault;

	while (iterator->at < iterator->end && *iterator->at == '\0')
		iterator->at++;
	if (iterator->at == iterator->end)
		return 0;
	end = memchr(iterator->at, '\0', (size_t)(iterator->end - iterator->at));
	fault = end ? pair_split(iterator->at, (size_t)(end - iterator->at), &pair)
		    : "the last pair is not followed by a NUL";
	if (fault) {
		if (ret_fault)
			*ret_fault = fault;
		return -EPROTO;
	}
	iterator->at = end + 1;
	*ret = pair;
	return 1;
}

bool text_value_is(const struct text_pair *pair, const char *value)
{
	return pair->value_length == strlen(value) &&
	       memcmp(pair->value, value, pair->value_length) == 0;
}

bool text_list_next(struct text_pair *list, const char **ret_element, size_t *ret_length)
{
	const char *comma;

	if (!list->value)
		return false;
	comma = memchr(list->value, ',', list->value_length);
	*ret_element = list->value;
	*ret_length = comma ? (size_t)(comma - list->value) : list->value_length;
	if (comma) {
		list->value_length -= *ret_length + 1;
		list->value = comma + 1;
	} else {
		list->value = NULL;
	}
	return true;
}

int text_parse_number(const char *value, size_t length, uint64_t *ret)
{
	char digits[24]; /* 2^64 has 20 digits */
	uint64_t number = 0;
	uint8_t bytes[8];
	size_t n_bytes;
	int r;

	if (length > 2 && value[0] == '0' && (value[1] == 'x' || value[1] == 'X')) {
		r = hex_decode(value + 2, length - 2, bytes, sizeof(bytes), &n_bytes);
		if (r < 0)
			return r == -ENOBUFS ? -ERANGE : r;
		for (size_t i = 0; i < n_bytes; i++)
			number = number << 8 | bytes[i];
		*ret = number;
		return 0;
	}
	/* RFC 7143, 6.1: no leading zeros; there are readers that take them for octal. */
	if (length >= sizeof(digits) || (length > 1 && value[0] == '0'))
		return -EINVAL;
	memcpy(digits, value, length);
	digits[length] = '\0';
	if (strlen(digits) != length)
		return -EINVAL;
	return parse_u64(digits, 0, UINT64_MAX, ret);
}

int text_parse_boolean(const char *value, size_t length, bool *ret)
{
	if (length == 3 && memcmp(value, "Yes", 3) == 0)
		*ret = true;
	else if (length == 2 && memcmp(value, "No", 2) == 0)
		*ret = false;
	else
		return -EINVAL;
	return 0;
}

int text_parse_binary(const char *value, size_t length, void *ret, size_t size, size_t *ret_length)
{
	if (length < 3 || value[0] != '0')
		return -EINVAL;
	if (value[1] == 'x' || value[1] == 'X')
		return hex_decode(value + 2, length - 2, ret, size, ret_length);
	if (value[1] == 'b' || value[1] == 'B')
		return base64_decode(value + 2, length - 2, ret, size, ret_length);
	return -EINVAL;
}

int text_write(struct buffer *out, const char *key, const char *value)
{
	size_t key_length = strlen(key), value_length = strlen(value);
	uint8_t *at;
	int r;

	r = buffer_reserve(out, key_length + value_length + 2, &at);
	if (r < 0)
		return r;
	memcpy(at, key, key_length);
	at[key_length] = '=';
	memcpy(at + key_length + 1, value, value_length + 1);
	buffer_commit(out, key_length + value_length + 2);
	return 0;
}

int text_write_number(struct buffer *out, const char *key, uint64_t value)
{
	char digits[24];

	(void)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
	return text_write(out, key, digits);
}

int text_write_binary(struct buffer *out, const char *key, const void *data, size_t length)
{
	char value[ISCSI_BINARY_VALUE_MAX + 1] = "0x";
	int r;

	if (length > ISCSI_BINARY_MAX)
		return -E2BIG;
	hex_encode(data, length, value + 2);
	r = text_write(out, key, value);
	memory_erase(value, 2 + 2 * length);
	return r;
}

int text_collect(struct text_collector *collector, const void *data, size_t length, bool more)
{
	int r;

	if (!collector->more)
		buffer_clear(&collector->text);
	r = buffer_append(&collector->text, data, length);
	if (r < 0)
		return r;
	collector->more = more;
	return !more;
}
