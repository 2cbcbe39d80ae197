/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Records of which there are few, in their order. A key is a row of which only what compare() looks
 * at is set. Rows belong to the caller.
 */
#pragma once

#include <stddef.h>

struct record_array {
	int (*compare)(const void *a, const void *b); /* as for qsort(3), of two rows */
	void **rows;
	size_t n;
};

/* NULL at the end. */
void *record_array_at(const struct record_array *array, size_t index);
/* NULL: none has the key. */
void *record_array_find(const struct record_array *array, const void *key);
/* Takes a row whose key is new. Errors: -ENOMEM. */
int record_array_insert(struct record_array *array, void *row);
/* Takes out a row that is in it. */
void record_array_remove(struct record_array *array, const void *row);
/* Frees the array, but no row. */
void record_array_done(struct record_array *array);
