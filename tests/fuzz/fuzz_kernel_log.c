// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A record of the kernel's log: only the kernel's own are taken, each means an event there is, and
 * what is passed on of its text is clean.
 */
#include <string.h>

#include "event.h"
#include "fuzz.h"
#include "kernel_log_line.h"
#include "parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kernel_log_line line = { .status = 4711 };

	if (kernel_log_parse((const char *)data, size, &line) < 0) {
		FUZZ_CHECK(line.status == 4711);
		return 0;
	}
	FUZZ_CHECK(size > 2 && data[0] >= '0' && data[0] <= '7' && data[1] == ',');
	FUZZ_CHECK(line.status >= -1 && line.status <= 0xff);
	FUZZ_CHECK(memchr(line.text, '\0', sizeof(line.text)));
	FUZZ_CHECK(text_is_clean(line.text, strlen(line.text)));
	FUZZ_CHECK((line.kind == KERNEL_LOG_CAUSE) == (line.code > 0));
	FUZZ_CHECK((line.kind == KERNEL_LOG_DISK) == !line.event);
	FUZZ_CHECK(!line.event || event_type_get(line.event));
	return 0;
}
