/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Serial Number Arithmetic of 32 bits, RFC 1982, for CmdSN, StatSN and their like (RFC
 * 7143, 4.2.2.1).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Numbers exactly half the circle apart are neither less nor greater, as the RFC leaves it
 * undefined.
 */
static inline bool serial_less(uint32_t a, uint32_t b)
{
	return a != b && b - a < 0x80000000U;
}

static inline bool serial_greater(uint32_t a, uint32_t b)
{
	return serial_less(b, a);
}
