/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON output. What arrives is valid JSON on one line, written by libois; pretty mode only lays it
 * out anew.
 */
#include <stdio.h>
#include <string.h>

#include "output.h"

#define INDENT 8

static void new_line(unsigned depth)
{
	(void)printf("\n%*s", (int)(depth * INDENT), "");
}

/* Prints a string, which starts at the quote at @json; returns its end. */
static const char *print_string(const char *json)
{
	const char *end = json + 1;

	while (*end && *end != '"')
		end += *end == '\\' && end[1] ? 2 : 1;
	end += *end == '"';
	(void)fwrite(json, 1, (size_t)(end - json), stdout);
	return end;
}

static void print_pretty(const char *json, unsigned depth)
{
	while (*json) {
		char c = *json;

		if (c == '"') {
			json = print_string(json);
			continue;
		}
		json++;
		if ((c == '{' && *json == '}') || (c == '[' && *json == ']')) {
			(void)printf("%c%c", c, *json++);
		} else if (c == '{' || c == '[') {
			(void)putchar(c);
			new_line(++depth);
		} else if (c == '}' || c == ']') {
			new_line(depth > 0 ? --depth : 0);
			(void)putchar(c);
		} else if (c == ',') {
			(void)putchar(c);
			new_line(depth);
		} else {
			(void)fputs(c == ':' ? ": " : (char[]){ c, '\0' }, stdout);
		}
	}
}

static void print_value(const struct output *output, const char *json, unsigned depth)
{
	_cleanup_free_ char *escaped = output->terminal ? escape_json(json) : NULL;

	if (output->json == JSON_PRETTY)
		print_pretty(escaped ?: json, depth);
	else
		(void)fputs(escaped ?: json, stdout);
}

void json_print(const struct output *output, const char *json)
{
	print_value(output, json, 0);
	(void)putchar('\n');
	(void)fflush(stdout);
}

void json_array_begin(struct json_array *array, const struct output *output)
{
	*array = (struct json_array){ .output = output };
	(void)putchar('[');
}

void json_array_add(struct json_array *array, const char *json)
{
	if (array->n++ > 0)
		(void)putchar(',');
	if (array->output->json == JSON_PRETTY)
		new_line(1);
	print_value(array->output, json, 1);
}

void json_array_end(struct json_array *array)
{
	if (array->output->json == JSON_PRETTY && array->n > 0)
		new_line(0);
	(void)puts("]");
	(void)fflush(stdout);
}

char *json_quote(const char *text)
{
	char *quoted = malloc(strlen(text) * 6 + 3), *end = quoted;

	if (!quoted)
		return NULL;
	*end++ = '"';
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			*end++ = '\\';
		if (c < 0x20 || c == 0x7f)
			end += sprintf(end, "\\u%04x", c);
		else
			*end++ = (char)c;
	}
	*end++ = '"';
	*end = '\0';
	return quoted;
}
