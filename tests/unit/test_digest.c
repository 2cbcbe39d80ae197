// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "cleanup.h"
#include "digest.h"

#define GENERIC                                                                                    \
	"name         : crc32c\ndriver       : crc32c-generic\nmodule       : kernel\n"            \
	"priority     : 100\nrefcnt       : 2\n\n"
#define INTEL                                                                                      \
	"name         : crc32c\ndriver       : crc32c-intel\nmodule       : crc32c_intel\n"        \
	"priority     : 200\n\n"
#define OTHER "name         : sha256\ndriver       : sha256-avx2\npriority     : 900\n\n"
#define LIB   "name         : crc32c\ndriver       : crc32c-lib\npriority     : 100\n"

static void test_forms(void **state)
{
	static const struct {
		const char *crypto;
		bool cpu, accelerated;
		const char *driver;
	} rows[] = {
		{ GENERIC INTEL OTHER, false, true, "crc32c-intel" },
		{ INTEL OTHER GENERIC, true, true, "crc32c-intel" },
		{ GENERIC OTHER, true, false, "crc32c-generic" },
		{ OTHER LIB, true, true, "crc32c-lib" },
		{ LIB, false, false, "crc32c-lib" },
		{ OTHER, true, false, "" },
		{ "name         : crc32c\n\n", true, false, "" },
		{ "driver       : crc32c-intel\npriority     : 200\n\n", true, false, "" },
		{ "nonsense\n:\n\n", true, false, "" },
		{ "\n", true, false, "" },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		char text[1024], driver[DIGEST_DRIVER_MAX];
		_cleanup_(fclosep) FILE *crypto = NULL;

		(void)snprintf(text, sizeof(text), "%s", rows[i].crypto);
		crypto = fmemopen(text, strlen(text), "r");
		assert_non_null(crypto);
		assert_int_equal(digest_accelerated_by(crypto, rows[i].cpu, driver),
				 rows[i].accelerated);
		assert_string_equal(driver, rows[i].driver);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_forms) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
