/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tracepoint_format.h"

/* Records begin with the number of their event. */
#define DYNAMIC_PREFIX "__data_loc "

/* In the first four bytes of an entry: five bits of type or length, 27 of time. */
#define ENTRY_PADDING     29
#define ENTRY_TIME_EXTEND 30
#define ENTRY_TIMESTAMP   31
#define ENTRY_TIME_BITS   27
/* Beside the number of bytes in a page: records were lost, and how many stands behind them. */
#define COMMIT_LOST   (UINT64_C(1) << 31)
#define COMMIT_STORED (UINT64_C(1) << 30)
/* A time stamp has no room for its highest bits, which are those of the page. */
#define TIMESTAMP_BITS 59

/* Formats */

int tracepoint_format_id(const char *format, uint16_t *ret)
{
	const char *line = strstr(format, "\nID:");
	unsigned id;

	if (!line || sscanf(line, "\nID: %9u", &id) != 1)
		return -ENOENT;
	if (id == 0 || id > UINT16_MAX)
		return -ERANGE;
	*ret = (uint16_t)id;
	return 0;
}

/* "unsigned char[] cmnd", "char name[16]": is it this one? */
static bool declares(const char *declaration, const char *end, const char *name)
{
	size_t length = strlen(name);
	const char *last = end;

	while (last > declaration && last[-1] != ' ')
		last--;
	return (size_t)(end - last) >= length && strncmp(last, name, length) == 0 &&
	       (last + length == end || last[length] == '[');
}

int tracepoint_format_field(const char *format, const char *name, struct tracepoint_field *ret)
{
	static const char word[] = "field:";

	for (const char *at = format; (at = strstr(at, word));) {
		struct tracepoint_field field = { 0 };
		const char *end;

		at += strlen(word);
		end = strchr(at, ';');
		if (!end)
			break;
		if (!declares(at, end, name))
			continue;
		if (sscanf(end, "; offset:%9u; size:%9u;", &field.offset, &field.size) != 2)
			return -EINVAL;
		field.dynamic = strncmp(at, DYNAMIC_PREFIX, strlen(DYNAMIC_PREFIX)) == 0;
		if (field.dynamic && field.size != sizeof(uint32_t))
			return -EINVAL;
		*ret = field;
		return 0;
	}
	return -ENOENT;
}

int tracepoint_page_layout(const char *header_page, struct tracepoint_page_layout *ret)
{
	struct tracepoint_page_layout layout;
	int r;

	r = tracepoint_format_field(header_page, "timestamp", &layout.timestamp);
	if (r >= 0)
		r = tracepoint_format_field(header_page, "commit", &layout.commit);
	if (r >= 0)
		r = tracepoint_format_field(header_page, "data", &layout.data);
	if (r < 0)
		return r;
	if (tracepoint_page_size(&layout) > TRACEPOINT_PAGE_MAX)
		return -ERANGE;
	*ret = layout;
	return 0;
}

size_t tracepoint_page_size(const struct tracepoint_page_layout *layout)
{
	return (size_t)layout->data.offset + layout->data.size;
}

/* Values */

static int read_number(const uint8_t *data, size_t length, const struct tracepoint_field *field,
		       uint64_t *ret)
{
	const uint8_t *at = data + field->offset;
	uint64_t u64;
	uint32_t u32;
	uint16_t u16;

	if (field->offset > length || field->size > length - field->offset)
		return -EBADMSG;
	switch (field->size) {
	case 1:
		*ret = *at;
		return 0;
	case 2:
		memcpy(&u16, at, sizeof(u16));
		*ret = u16;
		return 0;
	case 4:
		memcpy(&u32, at, sizeof(u32));
		*ret = u32;
		return 0;
	case 8:
		memcpy(&u64, at, sizeof(u64));
		*ret = u64;
		return 0;
	default:
		return -EBADMSG;
	}
}

int tracepoint_number(const struct tracepoint_record *record, const struct tracepoint_field *field,
		      uint64_t *ret)
{
	return read_number(record->data, record->length, field, ret);
}

int tracepoint_bytes(const struct tracepoint_record *record, const struct tracepoint_field *field,
		     const uint8_t **ret, size_t *ret_length)
{
	size_t offset = field->offset, length = field->size;
	uint64_t place;
	int r;

	if (field->dynamic) {
		r = tracepoint_number(record, field, &place);
		if (r < 0)
			return r;
		offset = place & 0xffff;
		length = (size_t)(place >> 16);
	}
	if (offset > record->length || length > record->length - offset)
		return -EBADMSG;
	*ret = record->data + offset;
	*ret_length = length;
	return 0;
}

int tracepoint_text(const struct tracepoint_record *record, const struct tracepoint_field *field,
		    char *ret, size_t size)
{
	const uint8_t *bytes;
	size_t length;
	int r;

	r = tracepoint_bytes(record, field, &bytes, &length);
	if (r < 0)
		return r;
	length = strnlen((const char *)bytes, length);
	if (length >= size)
		length = size - 1;
	memcpy(ret, bytes, length);
	ret[length] = '\0';
	return 0;
}

/* Pages */

int tracepoint_page_open(const struct tracepoint_page_layout *layout, const void *page,
			 size_t length, struct tracepoint_iterator *ret)
{
	struct tracepoint_iterator iterator = { 0 };
	uint64_t commit, used;

	if (read_number(page, length, &layout->timestamp, &iterator.time) < 0 ||
	    read_number(page, length, &layout->commit, &commit) < 0)
		return -EBADMSG;
	used = commit & ~(COMMIT_LOST | COMMIT_STORED);
	if (layout->data.offset > length || used > length - layout->data.offset)
		return -EBADMSG;
	iterator.lost = commit & COMMIT_LOST;
	iterator.at = (const uint8_t *)page + layout->data.offset;
	iterator.end = iterator.at + used;
	*ret = iterator;
	return 0;
}

/* Bit fields are laid out by the byte order of the machine. */
static void split_entry(uint32_t entry, unsigned *ret_type, uint32_t *ret_time)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	*ret_type = entry >> ENTRY_TIME_BITS;
	*ret_time = entry & ((UINT32_C(1) << ENTRY_TIME_BITS) - 1);
#else
	*ret_type = entry & 0x1f;
	*ret_time = entry >> 5;
#endif
}

static bool take(struct tracepoint_iterator *iterator, uint32_t *ret)
{
	if ((size_t)(iterator->end - iterator->at) < sizeof(*ret))
		return false;
	memcpy(ret, iterator->at, sizeof(*ret));
	iterator->at += sizeof(*ret);
	return true;
}

bool tracepoint_page_next(struct tracepoint_iterator *iterator, struct tracepoint_record *ret)
{
	uint32_t entry, time, word;
	unsigned type;

	while (take(iterator, &entry)) {
		size_t length;

		split_entry(entry, &type, &time);
		/* The rest of the page is empty. */
		if (type == ENTRY_PADDING && time == 0)
			break;
		length = (size_t)type * sizeof(word);
		if (type == 0 || type >= ENTRY_PADDING) {
			if (!take(iterator, &word))
				break;
			/* Lengths count the word they stand in; one that does not is too long. */
			length = (size_t)word - sizeof(word);
		}
		if (type == ENTRY_TIME_EXTEND) {
			iterator->time += ((uint64_t)word << ENTRY_TIME_BITS) + time;
			continue;
		}
		if (type == ENTRY_TIMESTAMP) {
			iterator->time = iterator->time >> TIMESTAMP_BITS << TIMESTAMP_BITS |
					 (uint64_t)word << ENTRY_TIME_BITS | time;
			continue;
		}
		if (length > (size_t)(iterator->end - iterator->at))
			break;
		iterator->at += length;
		/* A record that was taken back. */
		if (type == ENTRY_PADDING)
			continue;
		iterator->time += time;
		*ret = (struct tracepoint_record){
			.time = iterator->time,
			.data = iterator->at - length,
			.length = length,
		};
		return true;
	}
	iterator->at = iterator->end;
	return false;
}
