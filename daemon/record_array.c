/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "record_array.h"

/* Index of the first row that is not before @key. */
static size_t position(const struct record_array *array, const void *key)
{
	size_t low = 0, high = array->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (array->compare(array->rows[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void *record_array_at(const struct record_array *array, size_t index)
{
	return index < array->n ? array->rows[index] : NULL;
}

void *record_array_find(const struct record_array *array, const void *key)
{
	void *found = record_array_at(array, position(array, key));

	return found && array->compare(found, key) == 0 ? found : NULL;
}

int record_array_insert(struct record_array *array, void *row)
{
	size_t at = position(array, row);
	void **rows = reallocarray(array->rows, array->n + 1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	memmove(rows + at + 1, rows + at, (array->n - at) * sizeof(*rows));
	rows[at] = row;
	array->rows = rows;
	array->n++;
	return 0;
}

void record_array_remove(struct record_array *array, const void *row)
{
	size_t at = position(array, row);

	array->n--;
	memmove(array->rows + at, array->rows + at + 1, (array->n - at) * sizeof(*array->rows));
}

void record_array_done(struct record_array *array)
{
	free(array->rows);
	array->rows = NULL;
	array->n = 0;
}
