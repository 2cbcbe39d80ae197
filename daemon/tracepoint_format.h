/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's trace buffers, as they are read from trace_pipe_raw: pages of records. Where a field
 * of a record or of a page stands is different from kernel to kernel, and told by text files
 * (events/SYSTEM/EVENT/format, events/header_page). Nothing here does I/O, and nothing in a page is
 * taken for true: what does not fit ends the page.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tracepoint_field {
	uint32_t offset, size;
	bool dynamic; /* the field says where in the record its data is */
};

/* What "ID:" says. Errors: -ENOENT, -ERANGE. */
int tracepoint_format_id(const char *format, uint16_t *ret);
/* Errors: -ENOENT (there is no such field), -EINVAL (it makes no sense). */
int tracepoint_format_field(const char *format, const char *name, struct tracepoint_field *ret);

struct tracepoint_page_layout {
	struct tracepoint_field timestamp, commit, data;
};

/* Of a page and of more than this nothing is read. */
#define TRACEPOINT_PAGE_MAX (1024 * 1024)

/* From the text of events/header_page. Errors: those above; -ERANGE (a page too large). */
int tracepoint_page_layout(const char *header_page, struct tracepoint_page_layout *ret);
size_t tracepoint_page_size(const struct tracepoint_page_layout *layout);

struct tracepoint_record {
	uint64_t time; /* of the trace clock */
	const uint8_t *data;
	size_t length;
};

struct tracepoint_iterator {
	const uint8_t *at, *end;
	uint64_t time;
	bool lost; /* records before this page were overwritten */
};

/* @page is borrowed while the iterator is used. Errors: -EBADMSG. */
int tracepoint_page_open(const struct tracepoint_page_layout *layout, const void *page,
			 size_t length, struct tracepoint_iterator *ret);
/* False at the end. */
bool tracepoint_page_next(struct tracepoint_iterator *iterator, struct tracepoint_record *ret);

/* An unsigned number of 1, 2, 4 or 8 bytes. Errors: -EBADMSG (outside the record). */
int tracepoint_number(const struct tracepoint_record *record, const struct tracepoint_field *field,
		      uint64_t *ret);
/* The bytes of a field, in the record. Errors: -EBADMSG. */
int tracepoint_bytes(const struct tracepoint_record *record, const struct tracepoint_field *field,
		     const uint8_t **ret, size_t *ret_length);
/* The same of text, which ends at its NUL and is cut to fit. */
int tracepoint_text(const struct tracepoint_record *record, const struct tracepoint_field *field,
		    char *ret, size_t size);
