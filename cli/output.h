/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the command line prints: tables, details, JSON, messages. Data goes to stdout, the rest to
 * stderr. Text from outside is escaped before it reaches a terminal or a file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define _cleanup_(function) __attribute__((cleanup(function)))
#define _printf_(at, first) __attribute__((format(printf, at, first)))
#define ELEMENTSOF(array)   (sizeof(array) / sizeof((array)[0]))

static inline void freep(void *pointer)
{
	free(*(void **)pointer);
}
#define _cleanup_free_ _cleanup_(freep)

enum json_mode {
	JSON_OFF,
	JSON_SHORT,
	JSON_PRETTY,
};

enum style {
	STYLE_PLAIN,
	STYLE_GOOD,
	STYLE_WARNING,
	STYLE_BAD,
	STYLE_GREY,
	STYLE_HEADER,
	_STYLE_MAX,
};

struct output {
	enum json_mode json;
	bool legend, pager, full, quiet;
	bool colour;         /* on stdout */
	bool terminal;       /* stdout is one */
	bool error_terminal; /* stderr is one */
	unsigned width;      /* columns of stdout */
};

/* Looks at the terminal and the environment; options come after this. */
void output_init(struct output *output);

/* --- Text --- */

/* The locale of the user is taken over when the first character outside of ASCII is to be shown. */
void text_await_locale(void);

/*
 * A copy in which everything that could steer a terminal or hide is written as \xNN or \u{NNNN}:
 * control characters, invalid UTF-8, invisible and direction-changing characters. NULL: no memory.
 */
char *escape_text(const char *text);
/* The same for the text of a JSON value, in JSON's own escapes: it stays the same value. */
char *escape_json(const char *json);
/* Columns it takes on a terminal. */
size_t text_width(const char *text);
/* Starts and ends a style on stdout; empty without colour. */
const char *style_begin(const struct output *output, enum style style);
const char *style_end(const struct output *output, enum style style);

/* Words of the interfaces as people read them: "logged_in" is "logged in". */
void spaces_for_underscores(char *text);
/* "10.5 GiB" */
void format_size(int64_t bytes, char *ret, size_t size);
/* "Mon 2026-11-23 23:45:01 UTC", local time. */
void format_time(int64_t realtime_usec, char *ret, size_t size);
/* The same for a line of a stream: "2026-11-23 23:45:01"; "" if there is no such time. */
void format_moment(int64_t realtime_usec, char *ret, size_t size);
/* "3min 20s" since then. */
void format_age(int64_t realtime_usec, char *ret, size_t size);
/* "in 3min 20s", "now" */
void format_until(int64_t realtime_usec, char *ret, size_t size);
/* "10.0.0.1:3260", "[fe80::1]:3260"; "-" without @address. The caller frees; NULL: no memory. */
char *format_portal(const char *address, int port);

/* --- Tables --- */

struct table;

/*
 * @headers ends with NULL; a header that starts with ">" belongs to a column aligned to the right.
 * NULL: no memory.
 */
struct table *table_new(const char *const *headers);
struct table *table_free(struct table *table);
static inline void table_freep(struct table **table)
{
	table_free(*table);
}
/* Adds the cells of a row one after the other; NULL and "" are shown as "-". Errors: -ENOMEM. */
int table_add(struct table *table, const char *text);
int table_add_style(struct table *table, enum style style, const char *text);
int table_add_number(struct table *table, bool known, int64_t number);
size_t table_rows(const struct table *table);
/* Prints header and rows; @footer, printed below a legend, may be NULL. */
void table_print(const struct output *output, const struct table *table, const char *footer);

/* --- Details: one "Label: value" a line --- */

/* Prints nothing if @value is NULL. An empty label continues the line above. */
void detail(const struct output *output, const char *label, const char *value);
void detail_time(const struct output *output, const char *label, int64_t realtime_usec);
void detail_style(const struct output *output, enum style style, const char *label,
		  const char *value);
void detailf(const struct output *output, const char *label, const char *format, ...)
	_printf_(3, 4);

/* --- JSON --- */

/* Prints the text of one JSON value in the mode asked for, with a line end; flushed at once. */
void json_print(const struct output *output, const char *json);
/* The same as elements of one array. */
struct json_array {
	const struct output *output;
	size_t n;
};
void json_array_begin(struct json_array *array, const struct output *output);
void json_array_add(struct json_array *array, const char *json);
void json_array_end(struct json_array *array);
/* @text as a JSON string, quotes included. NULL: no memory. */
char *json_quote(const char *text);

/* --- Messages --- */

/* One line on stdout, text escaped, for what was done; nothing with --quiet or JSON. */
void result_line(const struct output *output, enum style style, const char *format, ...)
	_printf_(3, 4);
/* One line on stderr; the text is escaped. */
void message_error(const char *format, ...) _printf_(1, 2);
/* The same, unless --quiet. */
void message_notice(const struct output *output, const char *format, ...) _printf_(2, 3);
/* Replaces the changing line below everything else, on a terminal only; NULL removes it. */
void progress_line(const struct output *output, const char *format, ...) _printf_(2, 3);
void progress_clear(const struct output *output);

/* --- Pager --- */

/* Sends stdout through the pager, if there is a terminal and the output is not JSON. */
void pager_open(const struct output *output);
/* Ends the output and waits for the pager. */
void pager_close(void);
