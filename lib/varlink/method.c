/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lookup in the generated table of methods.
 */
#include <string.h>

#include "method.h"

const struct varlink_method *varlink_method_find(const char *name)
{
	for (const struct varlink_method *method = varlink_methods; method->name; method++)
		if (strcmp(method->name, name) == 0)
			return method;
	return NULL;
}
