/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <string.h>

#include "buffer.h"
#include "secret.h"

int buffer_reserve(struct buffer *buffer, size_t length, uint8_t **ret)
{
	size_t needed, allocate;
	uint8_t *data;

	if (length > SIZE_MAX / 2 - buffer->length)
		return -E2BIG;
	needed = buffer->length + length;
	if (buffer->limit > 0 && needed > buffer->limit)
		return -E2BIG;
	if (needed > buffer->allocated) {
		allocate = buffer->allocated ? buffer->allocated * 2 : 256;
		if (allocate < needed)
			allocate = needed;
		/* Not realloc(): it could leave a copy of a secret behind. */
		data = malloc(allocate);
		if (!data)
			return -ENOMEM;
		if (buffer->length > 0)
			memcpy(data, buffer->data, buffer->length);
		memory_erase(buffer->data, buffer->allocated);
		free(buffer->data);
		buffer->data = data;
		buffer->allocated = allocate;
	}
	*ret = buffer->data + buffer->length;
	return 0;
}

void buffer_commit(struct buffer *buffer, size_t length)
{
	buffer->length += length;
}

int buffer_append(struct buffer *buffer, const void *data, size_t length)
{
	uint8_t *end;
	int r;

	if (length == 0)
		return 0;
	r = buffer_reserve(buffer, length, &end);
	if (r < 0)
		return r;
	memcpy(end, data, length);
	buffer_commit(buffer, length);
	return 0;
}

int buffer_append_string(struct buffer *buffer, const char *string)
{
	return buffer_append(buffer, string, strlen(string));
}

int buffer_printf(struct buffer *buffer, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (n < 0) {
		text = NULL;
		return -ENOMEM;
	}
	return buffer_append(buffer, text, (size_t)n);
}

void buffer_consume(struct buffer *buffer, size_t length)
{
	if (length >= buffer->length) {
		buffer->length = 0;
		return;
	}
	memmove(buffer->data, buffer->data + length, buffer->length - length);
	buffer->length -= length;
}

void buffer_clear(struct buffer *buffer)
{
	buffer->length = 0;
}

void buffer_done(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){ .limit = buffer->limit };
}

void buffer_erase(struct buffer *buffer)
{
	memory_erase(buffer->data, buffer->allocated);
	buffer_done(buffer);
}
