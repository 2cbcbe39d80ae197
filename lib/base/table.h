/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of enum values: a table indexed by the value, one pair of lookup functions per table.
 */
#pragma once

#include <stddef.h>
#include <string.h>

#include "cleanup.h"

static inline const char *table_name(const char *const *names, size_t n_names, size_t value)
{
	return value < n_names ? names[value] : NULL;
}

/* Index of @name in @names, or -EINVAL. */
static inline int table_value(const char *const *names, size_t n_names, const char *name)
{
	for (size_t i = 0; name && i < n_names; i++)
		if (names[i] && strcmp(names[i], name) == 0)
			return (int)i;
	return -EINVAL;
}

/*
 * Defines PREFIX_to_string() (NULL for a value without a name) and PREFIX_from_string() (-EINVAL
 * for an unknown name) over the array PREFIX_names.
 */
#define DEFINE_TABLE(prefix, type)                                                                 \
	const char *prefix##_to_string(type value)                                                 \
	{                                                                                          \
		return table_name(prefix##_names, ELEMENTSOF(prefix##_names), (size_t)value);      \
	}                                                                                          \
	int prefix##_from_string(const char *name)                                                 \
	{                                                                                          \
		return table_value(prefix##_names, ELEMENTSOF(prefix##_names), name);              \
	}                                                                                          \
	struct _table_needs_semicolon_
