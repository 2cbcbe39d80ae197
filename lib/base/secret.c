/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdint.h>
#include <string.h>

#include "secret.h"

struct secret {
	size_t length;
	uint8_t bytes[];
};

int secret_new(const void *bytes, size_t length, struct secret **ret)
{
	struct secret *secret;

	secret = malloc(sizeof(*secret) + length);
	if (!secret)
		return -ENOMEM;
	secret->length = length;
	if (length > 0)
		memcpy(secret->bytes, bytes, length);
	*ret = secret;
	return 0;
}

int secret_copy(const struct secret *secret, struct secret **place)
{
	struct secret *copy = NULL;
	int r = secret ? secret_new(secret->bytes, secret->length, &copy) : 0;

	if (r < 0)
		return r;
	(void)secret_free(*place);
	*place = copy;
	return 0;
}

struct secret *secret_free(struct secret *secret)
{
	if (secret) {
		memory_erase(secret, sizeof(*secret) + secret->length);
		free(secret);
	}
	return NULL;
}

const void *secret_bytes(const struct secret *secret)
{
	return secret ? secret->bytes : NULL;
}

size_t secret_length(const struct secret *secret)
{
	return secret ? secret->length : 0;
}

bool memory_equal_secret(const void *a, const void *b, size_t length)
{
	const volatile uint8_t *left = a, *right = b;
	uint8_t difference = 0;

	for (size_t i = 0; i < length; i++)
		difference |= left[i] ^ right[i];
	return difference == 0;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
	return secret_length(a) == secret_length(b) &&
	       memory_equal_secret(secret_bytes(a), secret_bytes(b), secret_length(a));
}

void memory_erase(void *memory, size_t length)
{
	if (memory)
		explicit_bzero(memory, length);
}

char *string_erase_free(char *string)
{
	if (string) {
		memory_erase(string, strlen(string));
		free(string);
	}
	return NULL;
}
