/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Terminal, styles, details, messages and the pager.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "output.h"

static bool progress_shown;
static pid_t pager_process;

static bool want_colour(void)
{
	const char *own = getenv("OIS_COLORS"), *none = getenv("NO_COLOR"), *term = getenv("TERM");

	if (own)
		return strcmp(own, "0") != 0 && strcmp(own, "no") != 0 && strcmp(own, "false") != 0;
	if (none && *none)
		return false;
	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
}

void output_init(struct output *output)
{
	static char buffer[32 * 1024];
	struct winsize size = {};

	*output = (struct output){
		.legend = true,
		.pager = true,
		.terminal = isatty(STDOUT_FILENO),
		.error_terminal = isatty(STDERR_FILENO),
		.colour = want_colour(),
	};
	if (output->terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		output->width = size.ws_col;
	/* Long lists in few pieces; what has to be seen at once is flushed. */
	if (!output->terminal)
		(void)setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
}

/* --- Styles and details --- */

const char *style_begin(const struct output *output, enum style style)
{
	static const char *const codes[] = {
		[STYLE_PLAIN] = "",         [STYLE_GOOD] = "\033[32m", [STYLE_WARNING] = "\033[33m",
		[STYLE_BAD] = "\033[1;31m", [STYLE_GREY] = "\033[90m", [STYLE_HEADER] = "\033[1m",
	};

	return output->colour ? codes[style] : "";
}

const char *style_end(const struct output *output, enum style style)
{
	return output->colour && style != STYLE_PLAIN ? "\033[0m" : "";
}

/* Labels end in the same column; the longest is "Configuration". */
#define LABEL_WIDTH 14

void detail_style(const struct output *output, enum style style, const char *label,
		  const char *value)
{
	_cleanup_free_ char *escaped = NULL;

	if (!value)
		return;
	escaped = escape_text(value);
	if (escaped)
		(void)printf("%*s%s %s%s%s\n", LABEL_WIDTH, label, *label ? ":" : " ",
			     style_begin(output, style), escaped, style_end(output, style));
}

void detail(const struct output *output, const char *label, const char *value)
{
	detail_style(output, STYLE_PLAIN, label, value);
}

void detail_time(const struct output *output, const char *label, int64_t realtime_usec)
{
	char text[64];

	format_time(realtime_usec, text, sizeof(text));
	detail(output, label, text);
}

void detailf(const struct output *output, const char *label, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	detail(output, label, text);
}

/* --- Messages --- */

static void clear_line(void)
{
	if (progress_shown)
		(void)fputs("\r\033[K", stderr);
	progress_shown = false;
}

static void print_message(const char *format, va_list arguments) _printf_(1, 0);
static void print_message(const char *format, va_list arguments)
{
	_cleanup_free_ char *text = NULL, *escaped = NULL;

	if (vasprintf(&text, format, arguments) < 0)
		return;
	escaped = escape_text(text);
	clear_line();
	/* In the order in which things happened, also where both streams go to one place. */
	(void)fflush(stdout);
	if (escaped)
		(void)fprintf(stderr, "%s\n", escaped);
}

void message_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_message(format, arguments);
	va_end(arguments);
}

void message_notice(const struct output *output, const char *format, ...)
{
	va_list arguments;

	if (output->quiet)
		return;
	va_start(arguments, format);
	print_message(format, arguments);
	va_end(arguments);
}

void result_line(const struct output *output, enum style style, const char *format, ...)
{
	_cleanup_free_ char *text = NULL, *escaped = NULL;
	va_list arguments;

	if (output->quiet || output->json != JSON_OFF)
		return;
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	escaped = text ? escape_text(text) : NULL;
	clear_line();
	if (escaped)
		(void)printf("%s%s%s\n", style_begin(output, style), escaped,
			     style_end(output, style));
	(void)fflush(stdout);
}

void progress_line(const struct output *output, const char *format, ...)
{
	_cleanup_free_ char *text = NULL, *escaped = NULL;
	va_list arguments;

	if (!output->error_terminal || output->quiet || output->json != JSON_OFF)
		return;
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	escaped = text ? escape_text(text) : NULL;
	if (!escaped)
		return;
	clear_line();
	/* A line that wraps could not be taken back. */
	if (output->width > 0 && strlen(escaped) >= output->width)
		escaped[output->width - 1] = '\0';
	(void)fflush(stdout);
	(void)fputs(escaped, stderr);
	(void)fflush(stderr);
	progress_shown = true;
}

void progress_clear(const struct output *output)
{
	(void)output;
	clear_line();
}

/* --- Pager --- */

static bool elevated(void)
{
	return getenv("SUDO_UID") || getenv("PKEXEC_UID") || geteuid() != getuid();
}

static _Noreturn void run_pager(const char *pager)
{
	/* Quit if it fits, show colours, keep the screen. */
	(void)setenv("LESS", "FRSXMK", 0);
	if (elevated())
		(void)setenv("LESSSECURE", "1", 1);
	if (pager)
		(void)execl("/bin/sh", "sh", "-c", pager, (char *)NULL);
	(void)execlp("less", "less", (char *)NULL);
	(void)execlp("cat", "cat", (char *)NULL);
	_exit(EXIT_FAILURE);
}

void pager_open(const struct output *output)
{
	const char *pager = getenv("OIS_PAGER") ?: getenv("PAGER");
	int ends[2];

	if (!output->pager || !output->terminal || output->json != JSON_OFF || pager_process > 0)
		return;
	if (pager && (!*pager || strcmp(pager, "cat") == 0))
		return;
	/* Another pager could be made to run commands with the rights of sudo. */
	if (elevated())
		pager = NULL;
	if (pipe(ends) < 0)
		return;
	(void)fflush(stdout);
	pager_process = fork();
	if (pager_process == 0) {
		(void)dup2(ends[0], STDIN_FILENO);
		(void)close(ends[0]);
		(void)close(ends[1]);
		run_pager(pager);
	}
	if (pager_process > 0)
		(void)dup2(ends[1], STDOUT_FILENO);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

void pager_close(void)
{
	(void)fflush(stdout);
	if (pager_process <= 0)
		return;
	(void)fclose(stdout);
	while (waitpid(pager_process, NULL, 0) < 0 && errno == EINTR)
		;
	pager_process = 0;
}
