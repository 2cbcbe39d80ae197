// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A format, a NUL, and a page of a trace buffer: all that is read lies in the page, one record
 * behind the other, and each field in its record. Without fields of a page in the format, pages are
 * those of Linux on 64 bits.
 */
#include <string.h>

#include "fuzz.h"
#include "tracepoint_format.h"

static const char *const names[] = { "common_type", "host_no", "lun", "cmnd", "dname", "msg" };

static const struct tracepoint_page_layout usual = { { 0, 8, false },
						     { 8, 8, false },
						     { 16, 4080, false } };

#define NAMES (sizeof(names) / sizeof(names[0]))

static void look_at_field(const struct tracepoint_field *field,
			  const struct tracepoint_record *record)
{
	const uint8_t *bytes;
	uint64_t number;
	char text[16];
	size_t length;

	if (tracepoint_number(record, field, &number) >= 0)
		FUZZ_CHECK(field->offset + field->size <= record->length);
	if (tracepoint_bytes(record, field, &bytes, &length) < 0)
		return;
	FUZZ_CHECK(bytes >= record->data && length <= record->length &&
		   bytes + length <= record->data + record->length);
	FUZZ_CHECK(tracepoint_text(record, field, text, sizeof(text)) == 0);
	FUZZ_CHECK(memchr(text, '\0', sizeof(text)));
}

static size_t find_fields(const char *format, struct tracepoint_field fields[NAMES])
{
	size_t n = 0;

	for (size_t i = 0; i < NAMES; i++)
		if (tracepoint_format_field(format, names[i], &fields[n]) >= 0)
			n++;
	return n;
}

static void look_at_page(const char *format, const uint8_t *page, size_t size)
{
	struct tracepoint_page_layout layout = usual;
	struct tracepoint_iterator iterator;
	struct tracepoint_field fields[NAMES];
	struct tracepoint_record record;
	const uint8_t *at = page;
	size_t n;

	if (tracepoint_page_layout(format, &layout) >= 0)
		FUZZ_CHECK(tracepoint_page_size(&layout) <= TRACEPOINT_PAGE_MAX);
	if (tracepoint_page_open(&layout, page, size, &iterator) < 0)
		return;
	n = find_fields(format, fields);
	while (tracepoint_page_next(&iterator, &record)) {
		FUZZ_CHECK(record.data >= at && record.length <= size);
		at = record.data + record.length;
		FUZZ_CHECK(at <= page + size);
		for (size_t i = 0; i < n; i++)
			look_at_field(&fields[i], &record);
	}
	FUZZ_CHECK(!tracepoint_page_next(&iterator, &record));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size > 0 ? memchr(data, '\0', size) : NULL;
	uint16_t id;

	if (!end)
		return 0;
	if (tracepoint_format_id((const char *)data, &id) >= 0)
		FUZZ_CHECK(id > 0);
	look_at_page((const char *)data, end + 1, size - (size_t)(end + 1 - data));
	return 0;
}
