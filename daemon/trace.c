/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One line a trace: monotonic time, source line, text. Written with one write(), so that lines of
 * worker threads do not mix.
 */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "trace.h"

#define TRACE_LINE_MAX 1024

bool trace_enabled;

void trace_write(const char *file, int line, const char *format, ...)
{
	int saved = errno, length, n;
	char text[TRACE_LINE_MAX];
	struct timespec now;
	va_list arguments;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	length = snprintf(text, sizeof(text), "%lld.%06ld %s:%d: ", (long long)now.tv_sec,
			  now.tv_nsec / 1000, file, line);
	va_start(arguments, format);
	n = vsnprintf(text + length, sizeof(text) - (size_t)length - 1, format, arguments);
	va_end(arguments);
	if (n > 0)
		length += n;
	if ((size_t)length > sizeof(text) - 2)
		length = (int)sizeof(text) - 2;
	text[length++] = '\n';
	if (write(STDERR_FILENO, text, (size_t)length) < 0) {
		/* Nobody listens; there is nobody to tell either. */
	}
	errno = saved;
}
