/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables: aligned columns without frames. On a terminal that is too narrow the widest column is
 * shortened.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "output.h"

#define GAP 1
/* No column is made narrower than this. */
#define SHORTEST 8

struct cell {
	char *text;
	enum style style;
};

struct table {
	size_t n_columns, n_cells, allocated;
	const char *const *headers;
	struct cell *cells;
};

struct table *table_new(const char *const *headers)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->headers = headers;
	while (headers[table->n_columns])
		table->n_columns++;
	return table;
}

struct table *table_free(struct table *table)
{
	if (!table)
		return NULL;
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
	return NULL;
}

int table_add_style(struct table *table, enum style style, const char *text)
{
	struct cell *grown, *cell;
	size_t allocate;

	if (table->n_cells == table->allocated) {
		allocate = table->allocated ? table->allocated * 2 : 64;
		grown = reallocarray(table->cells, allocate, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		table->cells = grown;
		table->allocated = allocate;
	}
	cell = &table->cells[table->n_cells];
	cell->text = escape_text(text && *text ? text : "-");
	cell->style = style;
	if (!cell->text)
		return -ENOMEM;
	table->n_cells++;
	return 0;
}

int table_add(struct table *table, const char *text)
{
	return table_add_style(table, STYLE_PLAIN, text);
}

int table_add_number(struct table *table, bool known, int64_t number)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%" PRId64, number);
	return table_add(table, known ? text : NULL);
}

size_t table_rows(const struct table *table)
{
	return table->n_columns > 0 ? table->n_cells / table->n_columns : 0;
}

static const char *header_text(const char *header)
{
	return header + (*header == '>');
}

static void measure(const struct output *output, const struct table *table, size_t *ret_widths)
{
	for (size_t i = 0; i < table->n_columns; i++)
		ret_widths[i] = output->legend ? text_width(header_text(table->headers[i])) : 0;
	for (size_t i = 0; i < table->n_cells; i++) {
		size_t width = text_width(table->cells[i].text);

		if (width > ret_widths[i % table->n_columns])
			ret_widths[i % table->n_columns] = width;
	}
}

/* Takes from the widest column until the line fits. */
static void shorten(const struct output *output, const struct table *table, size_t *widths)
{
	size_t total, widest;

	if (!output->terminal || output->full || output->width == 0)
		return;
	for (;;) {
		total = GAP * (table->n_columns - 1);
		widest = 0;
		for (size_t i = 0; i < table->n_columns; i++) {
			total += widths[i];
			if (widths[i] > widths[widest])
				widest = i;
		}
		if (total <= output->width || widths[widest] <= SHORTEST)
			return;
		widths[widest]--;
	}
}

static void print_padding(size_t n)
{
	while (n-- > 0)
		(void)putchar(' ');
}

/* Bytes of @text that take at most @width columns. Escaped text holds whole characters only. */
static size_t cut(const char *text, size_t width)
{
	_cleanup_free_ char *copy = strdup(text);
	size_t length = strlen(text);

	while (copy && length > 0 && text_width(copy) > width) {
		do
			copy[--length] = '\0';
		while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80);
	}
	return length;
}

static void print_cell(const struct output *output, const struct table *table, size_t column,
		       const char *text, enum style style, size_t width)
{
	bool right = table->headers[column][0] == '>', last = column + 1 == table->n_columns;
	size_t own = text_width(text), length = strlen(text);
	const char *mark = "";

	if (own > width) {
		mark = "...";
		length = cut(text, width - strlen(mark));
		own = width;
	}
	if (right)
		print_padding(width - own);
	(void)printf("%s%.*s%s%s", style_begin(output, style), (int)length, text, mark,
		     style_end(output, style));
	if (!last) {
		if (!right)
			print_padding(width - own);
		print_padding(GAP);
	}
}

void table_print(const struct output *output, const struct table *table, const char *footer)
{
	size_t widths[16] = {};

	if (table->n_columns == 0 || table->n_columns > ELEMENTSOF(widths))
		return;
	measure(output, table, widths);
	shorten(output, table, widths);
	if (output->legend) {
		for (size_t i = 0; i < table->n_columns; i++)
			print_cell(output, table, i, header_text(table->headers[i]), STYLE_HEADER,
				   widths[i]);
		(void)putchar('\n');
	}
	for (size_t i = 0; i < table->n_cells; i++) {
		size_t column = i % table->n_columns;

		print_cell(output, table, column, table->cells[i].text, table->cells[i].style,
			   widths[column]);
		if (column + 1 == table->n_columns)
			(void)putchar('\n');
	}
	if (output->legend && footer)
		(void)printf("\n%s\n", footer);
}
