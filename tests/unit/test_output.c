// layers: ois-cli-events
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the command line prints: escaping, widths, tables, JSON, sizes, times; and the values of its
 * options.
 */
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "cli.h"

/* stdout, while it goes to memory. */
static FILE *real_stdout;
static char *captured;
static size_t captured_size;

static void capture_begin(void)
{
	real_stdout = stdout;
	stdout = open_memstream(&captured, &captured_size);
	assert_non_null(stdout);
}

static void capture_end(const char *expected)
{
	char *text = captured;

	(void)fclose(stdout);
	stdout = real_stdout;
	text = captured;
	captured = NULL;
	assert_string_equal(text, expected);
	free(text);
}

static const struct {
	const char *text, *escaped;
	size_t width;
} escapes[] = {
	{ "", "", 0 },
	{ "iqn.2026-01.org.example:a", "iqn.2026-01.org.example:a", 25 },
	{ "tab\tnew\nline", "tab\\x09new\\x0aline", 18 },
	{ "\033[31mred\033[0m", "\\x1b[31mred\\x1b[0m", 18 },
	{ "\033]0;title\007", "\\x1b]0;title\\x07", 16 },
	{ "del\177", "del\\x7f", 7 },
	{ "back\\slash", "back\\slash", 10 },
	{ "h\xc3\xb6", "h\xc3\xb6", 2 },
	{ "\xe6\xbc\xa2", "\xe6\xbc\xa2", 2 },
	{ "c1\xc2\x9b", "c1\\u{009B}", 10 },
	{ "\xe2\x80\xae"
	  "evil",
	  "\\u{202E}evil", 12 },
	{ "zero\xe2\x80\x8bwidth", "zero\\u{200B}width", 17 },
	{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 2 },
	{ "bad\xff\xfe", "bad\\xff\\xfe", 11 },
	{ "cut\xe6\xbc", "cut\\xe6\\xbc", 11 },
	{ "over\xc0\xafong", "over\\xc0\\xafong", 15 },
};

static void test_escape(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(escapes); i++) {
		char *escaped = escape_text(escapes[i].text);

		assert_non_null(escaped);
		assert_string_equal(escaped, escapes[i].escaped);
		assert_int_equal(text_width(escaped), escapes[i].width);
		free(escaped);
	}
}

static void test_escape_json(void **state)
{
	static const struct {
		const char *json, *escaped;
	} rows[] = {
		{ "{\"a\":\"b\\n\"}", "{\"a\":\"b\\n\"}" },
		{ "\"\177\"", "\"\\u007f\"" },
		{ "\"\xc2\x9b\xe2\x80\xae\xc3\xb6\"", "\"\\u009b\\u202e\xc3\xb6\"" },
		{ "\"\xf3\xa0\x80\x81\"", "\"\\udb40\\udc01\"" },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		char *escaped = escape_json(rows[i].json);

		assert_string_equal(escaped, rows[i].escaped);
		free(escaped);
	}
}

static const char *const headers[] = { ">NO", "NAME", "STATE", NULL };

static struct table *make_table(void)
{
	struct table *table = table_new(headers);

	assert_non_null(table);
	assert_int_equal(table_add_number(table, true, 7), 0);
	assert_int_equal(table_add(table, "a-name-that-is-long"), 0);
	assert_int_equal(table_add_style(table, STYLE_GOOD, "up"), 0);
	assert_int_equal(table_add_number(table, false, 7), 0);
	assert_int_equal(table_add(table, NULL), 0);
	assert_int_equal(table_add(table, ""), 0);
	assert_int_equal(table_rows(table), 2);
	return table;
}

static void test_table(void **state)
{
	struct output output = { .legend = true };
	struct table *table = make_table();

	capture_begin();
	table_print(&output, table, "2 things.");
	capture_end("NO NAME                STATE\n"
		    " 7 a-name-that-is-long up\n"
		    " - -                   -\n"
		    "\n2 things.\n");
	output.legend = false;
	capture_begin();
	table_print(&output, table, "2 things.");
	capture_end("7 a-name-that-is-long up\n- -                   -\n");
	/* Narrow, but nobody looks: nothing is cut. */
	output.width = 20;
	capture_begin();
	table_print(&output, table, NULL);
	capture_end("7 a-name-that-is-long up\n- -                   -\n");
	output.terminal = true;
	capture_begin();
	table_print(&output, table, NULL);
	capture_end("7 a-name-that-... up\n- -               -\n");
	output.full = true;
	capture_begin();
	table_print(&output, table, NULL);
	capture_end("7 a-name-that-is-long up\n- -                   -\n");
	output.colour = true;
	output.legend = true;
	capture_begin();
	table_print(&output, table, NULL);
	capture_end("\033[1mNO\033[0m \033[1mNAME\033[0m                \033[1mSTATE\033[0m\n"
		    " 7 a-name-that-is-long \033[32mup\033[0m\n"
		    " - -                   -\n");
	assert_null(table_free(table));
	assert_null(table_free(NULL));
}

static void test_table_cuts_whole_characters(void **state)
{
	struct output output = { .terminal = true, .width = 10 };
	struct table *table = table_new(headers);

	(void)table_add(table, "1");
	(void)table_add(
		table,
		"\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6");
	(void)table_add(table, "x");
	capture_begin();
	table_print(&output, table, NULL);
	capture_end("1 \xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6... x\n");
	table_free(table);
}

static void test_json(void **state)
{
	static const char text[] =
		"{\"a\":[1,{\"b\":\"x,y:{}\\\"\"}],\"c\":{},\"d\":[],\"e\":true}";
	struct output output = { .json = JSON_PRETTY };
	struct json_array array;

	capture_begin();
	json_print(&output, text);
	capture_end("{\n"
		    "        \"a\": [\n"
		    "                1,\n"
		    "                {\n"
		    "                        \"b\": \"x,y:{}\\\"\"\n"
		    "                }\n"
		    "        ],\n"
		    "        \"c\": {},\n"
		    "        \"d\": [],\n"
		    "        \"e\": true\n"
		    "}\n");
	capture_begin();
	json_array_begin(&array, &output);
	json_array_add(&array, "{\"a\":1}");
	json_array_add(&array, "2");
	json_array_end(&array);
	capture_end("[\n        {\n                \"a\": 1\n        },\n        2\n]\n");
	capture_begin();
	json_array_begin(&array, &output);
	json_array_end(&array);
	capture_end("[]\n");
	output.json = JSON_SHORT;
	capture_begin();
	json_array_begin(&array, &output);
	json_array_add(&array, text);
	json_array_add(&array, "2");
	json_array_end(&array);
	capture_end("[{\"a\":[1,{\"b\":\"x,y:{}\\\"\"}],\"c\":{},\"d\":[],\"e\":true},2]\n");
}

static void test_quote(void **state)
{
	char *quoted = json_quote("a\"b\\c\n\033\177\xc3\xb6");

	assert_string_equal(quoted, "\"a\\\"b\\\\c\\u000a\\u001b\\u007f\xc3\xb6\"");
	free(quoted);
}

static void test_formats(void **state)
{
	char text[64];
	char *portal;

	format_size(0, text, sizeof(text));
	assert_string_equal(text, "0 B");
	format_size(1023, text, sizeof(text));
	assert_string_equal(text, "1023 B");
	format_size(10LL << 30, text, sizeof(text));
	assert_string_equal(text, "10 GiB");
	format_size(1610612736, text, sizeof(text));
	assert_string_equal(text, "1.5 GiB");
	format_size(INT64_MAX, text, sizeof(text));
	assert_string_equal(text, "8 EiB");
	format_time(0, text, sizeof(text));
	assert_string_equal(text, "Thu 1970-01-01 00:00:00 UTC");
	format_age(INT64_MAX, text, sizeof(text));
	assert_string_equal(text, "0s");
	portal = format_portal("10.0.0.1", 3260);
	assert_string_equal(portal, "10.0.0.1:3260");
	free(portal);
	portal = format_portal("fd00::1", 3260);
	assert_string_equal(portal, "[fd00::1]:3260");
	free(portal);
	portal = format_portal(NULL, 0);
	assert_string_equal(portal, "-");
	free(portal);
}

/* 2026-11-23 18:30:00 UTC */
#define NOW INT64_C(1795458600)

static void test_since(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds; /* -1: refused */
	} rows[] = {
		{ "today", NOW - 66600 },
		{ "yesterday", NOW - 66600 - 86400 },
		{ "18:00", NOW - 1800 },
		{ "18:00:30", NOW - 1770 },
		{ "2026-11-23", NOW - 66600 },
		{ "2026-11-22 18:30", NOW - 86400 },
		{ "2026-11-22 18:30:05", NOW - 86395 },
		{ "2026-11-22T18:30:05", NOW - 86395 },
		{ "-2h", NOW - 7200 },
		{ "90s", NOW - 90 },
		{ "30 min ago", NOW - 1800 },
		{ "1w", NOW - 604800 },
		{ "", -1 },
		{ "-", -1 },
		{ "2", -1 },
		{ "2x", -1 },
		{ "2h later", -1 },
		{ "--2h", -1 },
		{ "18:00x", -1 },
		{ "2026-13-01", -1 },
		{ "99999999999999999999h", -1 },
		{ "tomorrow", -1 },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		int64_t usec = -5;
		int r = parse_since(rows[i].text, NOW * 1000000, &usec);

		if (rows[i].seconds < 0) {
			assert_int_equal(r, -EINVAL);
			continue;
		}
		assert_int_equal(r, 0);
		assert_int_equal(usec / 1000000, rows[i].seconds);
	}
}

static void test_verbs(void **state)
{
	for (size_t i = 0; i < n_verbs; i++) {
		assert_non_null(verbs[i].run);
		assert_true(verbs[i].maximum == -1 || verbs[i].maximum >= verbs[i].minimum);
		assert_int_equal(verbs[i].options & GENERAL_OPTIONS, 0);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(verbs[i].name, verbs[j].name);
	}
	for (size_t i = 0; i < _OPTION_MAX; i++) {
		bool used = GENERAL_OPTIONS & BIT(i);

		assert_non_null(option_rows[i].help);
		assert_true(*option_rows[i].name || option_rows[i].letter);
		for (size_t j = 0; j < n_verbs; j++)
			used = used || (verbs[j].options & BIT(i));
		assert_true(used);
	}
}

static void test_combine_status(void **state)
{
	enum status status = STATUS_DONE;

	combine_status(&status, STATUS_NOTHING, true);
	assert_int_equal(status, STATUS_NOTHING);
	combine_status(&status, STATUS_NOTHING, false);
	assert_int_equal(status, STATUS_NOTHING);
	combine_status(&status, STATUS_DONE, false);
	assert_int_equal(status, STATUS_PARTLY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape),  cmocka_unit_test(test_escape_json),
		cmocka_unit_test(test_table),   cmocka_unit_test(test_table_cuts_whole_characters),
		cmocka_unit_test(test_json),    cmocka_unit_test(test_quote),
		cmocka_unit_test(test_formats), cmocka_unit_test(test_since),
		cmocka_unit_test(test_verbs),   cmocka_unit_test(test_combine_status),
	};

	(void)setenv("TZ", "UTC", 1);
	tzset();
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
