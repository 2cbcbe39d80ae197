// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trace buffers: the formats of Linux 6.1 and 6.12, a page that 6.12 recorded while a command timed
 * out, and pages with one fault.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "tracepoint_format.h"

/* Read as a whole; ended by a NUL. */
static size_t read_data(const char *name, char *ret, size_t size)
{
	_cleanup_(fclosep) FILE *file = NULL;
	char path[512];
	size_t n;

	(void)snprintf(path, sizeof(path), TEST_DATA "/tracepoint/%s", name);
	file = fopen(path, "re");
	assert_non_null(file);
	n = fread(ret, 1, size - 1, file);
	ret[n] = '\0';
	return n;
}

static void learns_formats(void **state)
{
	static const struct {
		const char *file, *name;
		int result;
		struct tracepoint_field field;
	} rows[] = {
		{ "timeout-6.1.format", "common_type", 0, { 0, 2, false } },
		{ "timeout-6.1.format", "host_no", 0, { 8, 4, false } },
		{ "timeout-6.1.format", "cmnd", 0, { 56, 4, true } },
		{ "timeout-6.1.format", "sense_key", -ENOENT, { 0 } },
		{ "timeout-6.12.format", "cmnd", 0, { 56, 4, true } },
		{ "timeout-6.12.format", "sense_key", 0, { 60, 1, false } },
		{ "timeout-6.12.format", "asc", 0, { 61, 1, false } },
		{ "timeout-6.12.format", "ascq", 0, { 62, 1, false } },
		{ "timeout-6.12.format", "id", 0, { 16, 4, false } },
		{ "timeout-6.12.format", "cmn", -ENOENT, { 0 } },
		{ "eh.format", "dname", 0, { 8, 4, true } },
		{ "eh.format", "msg", 0, { 12, 4, true } },
	};
	char text[16384];
	uint16_t id;

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		struct tracepoint_field field = { 0 };

		(void)read_data(rows[i].file, text, sizeof(text));
		assert_int_equal(tracepoint_format_field(text, rows[i].name, &field),
				 rows[i].result);
		assert_int_equal(field.offset, rows[i].field.offset);
		assert_int_equal(field.size, rows[i].field.size);
		assert_int_equal(field.dynamic, rows[i].field.dynamic);
	}
	(void)read_data("timeout-6.1.format", text, sizeof(text));
	assert_int_equal(tracepoint_format_id(text, &id), 0);
	assert_int_equal(id, 391);
	(void)read_data("timeout-6.12.format", text, sizeof(text));
	assert_int_equal(tracepoint_format_id(text, &id), 0);
	assert_int_equal(id, 477);
}

static void refuses_formats(void **state)
{
	static const struct {
		const char *text;
		int id, field;
	} rows[] = {
		{ "", -ENOENT, -ENOENT },
		{ "name: x\nID: 0\n", -ERANGE, -ENOENT },
		{ "name: x\nID: 65536\n", -ERANGE, -ENOENT },
		{ "name: x\nID: many\n", -ENOENT, -ENOENT },
		{ "\nID: 7\n\tfield:int x", 0, -ENOENT },
		{ "\nID: 7\n\tfield:int x;", 0, -EINVAL },
		{ "\nID: 7\n\tfield:int x;\toffset:a;\tsize:4;", 0, -EINVAL },
		{ "\nID: 7\n\tfield:int x;\toffset:1;\tsize:;", 0, -EINVAL },
		{ "\nID: 7\n\tfield:__data_loc char[] x;\toffset:8;\tsize:2;", 0, -EINVAL },
		{ "\nID: 7\n\tfield:char x[4];\toffset:8;\tsize:4;\tsigned:1;\n", 0, 0 },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		struct tracepoint_field field;
		uint16_t id;

		assert_int_equal(tracepoint_format_id(rows[i].text, &id), rows[i].id);
		assert_int_equal(tracepoint_format_field(rows[i].text, "x", &field), rows[i].field);
	}
}

static void learns_pages(void **state)
{
	static const char *const bad[] = {
		"",
		"\tfield: u64 timestamp;\toffset:0;\tsize:8;\n",
		"\tfield: u64 timestamp;\toffset:0;\tsize:8;\n\tfield: local_t "
		"commit;\toffset:8;\tsize:8;\n",
		"\tfield: u64 timestamp;\toffset:0;\tsize:8;\n\tfield: local_t "
		"commit;\toffset:8;\tsize:8;\n"
		"\tfield: char data;\toffset:16;\tsize:99999999;\n",
	};
	struct tracepoint_page_layout layout;
	char text[1024];

	(void)read_data("header_page", text, sizeof(text));
	assert_int_equal(tracepoint_page_layout(text, &layout), 0);
	assert_int_equal(tracepoint_page_size(&layout), 4096);
	assert_int_equal(layout.commit.offset, 8);
	assert_int_equal(layout.data.offset, 16);
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		assert_true(tracepoint_page_layout(bad[i], &layout) < 0);
}

/* Recorded by Linux 6.12 on x86-64, where a target does not answer. */
static void reads_a_page(void **state)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	static const char *const texts[] = {
		"iscsi_eh_cmd_timed_out scsi cmd 0000000060869aed timedout\n",
		"iscsi_eh_cmd_timed_out return shutdown or nh\n",
		"iscsi_eh_abort aborting sc 0000000060869aed\n",
		"iscsi_eh_abort aborting [sc 0000000060869aed itt 0x43]\n",
		"iscsi_exec_task_mgmt_fn tmf set timeout\n",
		"iscsi_tmf_timedout tmf timedout\n",
	};
	static const uint8_t read_10[] = { 0x28, 0, 0, 0, 0, 0, 0, 0, 8, 0 };
	char timeout[16384], handling[1024], header[1024], page[4096 + 1], text[256];
	struct tracepoint_page_layout layout;
	struct tracepoint_iterator iterator;
	struct tracepoint_record record;
	struct tracepoint_field field;
	const uint8_t *bytes;
	uint64_t number, time = 0;
	size_t length, n;

	(void)read_data("timeout-6.12.format", timeout, sizeof(timeout));
	(void)read_data("eh.format", handling, sizeof(handling));
	(void)read_data("header_page", header, sizeof(header));
	n = read_data("page-6.12", page, sizeof(page));
	assert_int_equal(tracepoint_page_layout(header, &layout), 0);
	assert_int_equal(tracepoint_page_open(&layout, page, n, &iterator), 0);
	assert_false(iterator.lost);

	assert_true(tracepoint_page_next(&iterator, &record));
	assert_int_equal(tracepoint_format_field(timeout, "common_type", &field), 0);
	assert_int_equal(tracepoint_number(&record, &field, &number), 0);
	assert_int_equal(number, 477);
	assert_int_equal(tracepoint_format_field(timeout, "lun", &field), 0);
	assert_int_equal(tracepoint_number(&record, &field, &number), 0);
	assert_int_equal(number, 1);
	assert_int_equal(tracepoint_format_field(timeout, "cmnd", &field), 0);
	assert_int_equal(tracepoint_bytes(&record, &field, &bytes, &length), 0);
	assert_int_equal(length, sizeof(read_10));
	assert_memory_equal(bytes, read_10, sizeof(read_10));

	assert_int_equal(tracepoint_format_field(handling, "msg", &field), 0);
	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		assert_true(tracepoint_page_next(&iterator, &record));
		assert_true(record.time >= time);
		time = record.time;
		assert_int_equal(tracepoint_text(&record, &field, text, sizeof(text)), 0);
		assert_string_equal(text, texts[i]);
		assert_int_equal(tracepoint_text(&record, &field, text, 5), 0);
		assert_string_equal(text, "iscs");
	}
	for (n = 0; tracepoint_page_next(&iterator, &record); n++)
		;
	assert_int_equal(n, 6);
	assert_false(tracepoint_page_next(&iterator, &record));
#endif
}

/* Pages made by hand */

static const struct tracepoint_page_layout usual = { { 0, 8, false },
						     { 8, 8, false },
						     { 16, 4080, false } };

struct page {
	uint8_t bytes[4096];
	size_t length;
};

static void put(struct page *page, const void *data, size_t length)
{
	memcpy(page->bytes + page->length, data, length);
	page->length += length;
}

static void put_entry(struct page *page, unsigned type, uint32_t time)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	uint32_t entry = (uint32_t)type << 27 | time;
#else
	uint32_t entry = time << 5 | type;
#endif
	put(page, &entry, sizeof(entry));
}

static void put_word(struct page *page, uint32_t word)
{
	put(page, &word, sizeof(word));
}

static void begin_page(struct page *page, uint64_t time, uint64_t commit)
{
	page->length = 0;
	put(page, &time, sizeof(time));
	put(page, &commit, sizeof(commit));
}

static void keeps_the_time(void **state)
{
	struct tracepoint_iterator iterator;
	struct tracepoint_record record;
	struct page page;

	begin_page(&page, 1000, UINT64_C(1) << 31 | UINT64_C(1) << 30 | 60);
	put_entry(&page, 1, 5);
	put(&page, "aaaa", 4);
	put_entry(&page, 30, 3);
	put_word(&page, 2);
	put_entry(&page, 29, 9); /* taken back */
	put_word(&page, 8);
	put(&page, "xxxx", 4);
	put_entry(&page, 0, 7);
	put_word(&page, 8);
	put(&page, "bbbb", 4);
	put_entry(&page, 31, 11);
	put_word(&page, 4);
	put_entry(&page, 1, 1);
	put(&page, "cccc", 4);
	assert_int_equal(page.length, 16 + 56);
	put_entry(&page, 29, 0);
	assert_int_equal(tracepoint_page_open(&usual, page.bytes, page.length, &iterator), 0);
	assert_true(iterator.lost);

	assert_true(tracepoint_page_next(&iterator, &record));
	assert_true(record.time == 1005 && record.length == 4);
	assert_memory_equal(record.data, "aaaa", 4);
	assert_true(tracepoint_page_next(&iterator, &record));
	assert_true(record.time == 1005 + (UINT64_C(2) << 27) + 3 + 7 && record.length == 4);
	assert_memory_equal(record.data, "bbbb", 4);
	assert_true(tracepoint_page_next(&iterator, &record));
	assert_true(record.time == (UINT64_C(4) << 27 | 11) + 1);
	assert_memory_equal(record.data, "cccc", 4);
	assert_false(tracepoint_page_next(&iterator, &record));
	assert_false(tracepoint_page_next(&iterator, &record));
}

static void ends_where_nothing_fits(void **state)
{
	static const struct {
		unsigned type;
		uint32_t word; /* 0: none */
		size_t bytes;
	} rows[] = {
		{ 0, 0, 0 },  { 0, 3, 8 },  { 0, 4092, 8 },        { 0, UINT32_MAX, 8 },
		{ 28, 0, 8 }, { 29, 1, 4 }, { 29, UINT32_MAX, 4 }, { 30, 0, 0 },
	};
	struct tracepoint_iterator iterator;
	struct tracepoint_record record;
	struct page page;

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		size_t length = 4 + (rows[i].word ? 4 : 0) + rows[i].bytes;

		begin_page(&page, 0, length);
		put_entry(&page, rows[i].type, 1);
		if (rows[i].word)
			put_word(&page, rows[i].word);
		put(&page, "12345678", rows[i].bytes);
		assert_int_equal(tracepoint_page_open(&usual, page.bytes, page.length, &iterator),
				 0);
		assert_false(tracepoint_page_next(&iterator, &record));
	}
	begin_page(&page, 0, 5);
	put_word(&page, 0);
	assert_int_equal(tracepoint_page_open(&usual, page.bytes, page.length, &iterator),
			 -EBADMSG);
	assert_int_equal(tracepoint_page_open(&usual, page.bytes, 15, &iterator), -EBADMSG);
	assert_int_equal(tracepoint_page_open(&usual, page.bytes, 0, &iterator), -EBADMSG);
}

static void refuses_fields(void **state)
{
	/* At 0 the place of four bytes at 4, at 4 of eight there, at 8 of four at 12. */
	static const uint32_t words[] = { 4 << 16 | 4, 8 << 16 | 8, 4 << 16 | 12 };
	const struct tracepoint_record record = { 0, (const uint8_t *)words, sizeof(words) };
	static const struct {
		struct tracepoint_field field;
		int number, bytes;
	} rows[] = {
		{ { 0, 4, false }, 0, 0 },
		{ { 8, 4, false }, 0, 0 },
		{ { 9, 4, false }, -EBADMSG, -EBADMSG },
		{ { 12, 0, false }, -EBADMSG, 0 },
		{ { 13, 0, false }, -EBADMSG, -EBADMSG },
		{ { UINT32_MAX, 4, false }, -EBADMSG, -EBADMSG },
		{ { 0, UINT32_MAX, false }, -EBADMSG, -EBADMSG },
		{ { 0, 3, false }, -EBADMSG, 0 },
		{ { 0, 4, true }, 0, 0 },
		{ { 4, 4, true }, 0, -EBADMSG },
		{ { 8, 4, true }, 0, -EBADMSG },
		{ { 12, 4, true }, -EBADMSG, -EBADMSG },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		const uint8_t *bytes;
		uint64_t number;
		size_t length;
		char text[8];

		assert_int_equal(tracepoint_number(&record, &rows[i].field, &number),
				 rows[i].number);
		assert_int_equal(tracepoint_bytes(&record, &rows[i].field, &bytes, &length),
				 rows[i].bytes);
		assert_int_equal(tracepoint_text(&record, &rows[i].field, text, sizeof(text)),
				 rows[i].bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(learns_formats), cmocka_unit_test(refuses_formats),
		cmocka_unit_test(learns_pages),   cmocka_unit_test(reads_a_page),
		cmocka_unit_test(keeps_the_time), cmocka_unit_test(ends_where_nothing_fits),
		cmocka_unit_test(refuses_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
