/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The entry of a fuzz target, and a check that holds whether assertions are compiled in or not.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)
