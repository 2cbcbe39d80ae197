/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Text for people: escaping, width, sizes and times.
 */
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wchar.h>
#include <wctype.h>

#include "output.h"

static bool locale_awaited;

void text_await_locale(void)
{
	locale_awaited = true;
}

/*
 * Takes the first character of @text; returns its bytes, or 0 if they are no character of the
 * locale. A character that is invisible, or changes the direction of others, is none to show.
 */
static size_t next_character(const char *text, mbstate_t *state, wchar_t *ret, bool *ret_shown)
{
	size_t n;

	/* Most names are ASCII, and reading a locale takes longer than asking the daemon. */
	if ((unsigned char)*text < 0x80) {
		*ret = (wchar_t)*text;
		*ret_shown = *text >= ' ' && *text != 0x7f;
		return 1;
	}
	if (locale_awaited)
		(void)setlocale(LC_CTYPE, "");
	locale_awaited = false;
	n = mbrtowc(ret, text, strlen(text), state);
	if (n == (size_t)-1 || n == (size_t)-2) {
		memset(state, 0, sizeof(*state));
		return 0;
	}
	*ret_shown = iswprint((wint_t)*ret) && wcwidth(*ret) > 0 && *ret != L'\u061c' &&
		     !(*ret >= L'\u200b' && *ret <= L'\u200f') &&
		     !(*ret >= L'\u2028' && *ret <= L'\u202e') &&
		     !(*ret >= L'\u2060' && *ret <= L'\u206f') && *ret != L'\ufeff';
	return n;
}

/*
 * What an escape has more than what it stands for, at worst: "\xNN" for a byte, "\u{0080}" for two.
 * DEL in JSON is 6.
 */
#define ESCAPE_GROWTH 6

char *escape_text(const char *text)
{
	char *escaped = malloc(strlen(text) * ESCAPE_GROWTH + sizeof("\\u{10FFFF}"));
	char *end = escaped;
	mbstate_t state = {};
	bool shown;
	wchar_t c;
	size_t n;

	if (!escaped)
		return NULL;
	while (*text) {
		n = next_character(text, &state, &c, &shown);
		if (n > 0 && shown) {
			end = mempcpy(end, text, n);
		} else if (n > 1) {
			end += sprintf(end, "\\u{%04X}", (unsigned)c);
		} else {
			end += sprintf(end, "\\x%02x", (unsigned char)*text);
			n = 1;
		}
		text += n;
	}
	*end = '\0';
	return escaped;
}

char *escape_json(const char *json)
{
	char *escaped = malloc(strlen(json) * ESCAPE_GROWTH + sizeof("\\uD800\\uDC00")),
	     *end = escaped;
	mbstate_t state = {};
	bool shown;
	wchar_t c;
	size_t n;

	if (!escaped)
		return NULL;
	for (; *json; json += n > 0 ? n : 1) {
		n = next_character(json, &state, &c, &shown);
		if (n > 0 && shown)
			end = mempcpy(end, json, n);
		else if (n > 0 && c >= 0x10000)
			end += sprintf(end, "\\u%04x\\u%04x",
				       0xd800 + (((unsigned)c - 0x10000) >> 10),
				       0xdc00 + ((unsigned)c & 0x3ff));
		else if (n > 0)
			end += sprintf(end, "\\u%04x", (unsigned)c);
		else
			*end++ = '?'; /* no character in this locale */
	}
	*end = '\0';
	return escaped;
}

size_t text_width(const char *text)
{
	mbstate_t state = {};
	size_t width = 0, n;
	bool shown;
	wchar_t c;

	while (*text) {
		n = next_character(text, &state, &c, &shown);
		width += n > 0 && shown ? (size_t)wcwidth(c) : 1;
		text += n > 0 ? n : 1;
	}
	return width;
}

void spaces_for_underscores(char *text)
{
	while ((text = strchr(text, '_')))
		*text = ' ';
}

void format_size(int64_t bytes, char *ret, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < ELEMENTSOF(units)) {
		value /= 1024;
		unit++;
	}
	/* No decimals for whole numbers: most disks have one. */
	(void)snprintf(ret, size, value == (double)(int64_t)value ? "%.0f %s" : "%.1f %s", value,
		       units[unit]);
}

void format_time(int64_t realtime_usec, char *ret, size_t size)
{
	time_t seconds = (time_t)(realtime_usec / 1000000);
	struct tm local;

	if (!localtime_r(&seconds, &local) ||
	    strftime(ret, size, "%a %Y-%m-%d %H:%M:%S %Z", &local) == 0)
		(void)snprintf(ret, size, "%" PRId64, realtime_usec);
}

void format_moment(int64_t realtime_usec, char *ret, size_t size)
{
	time_t seconds = (time_t)(realtime_usec / 1000000);
	struct tm local;

	if (!localtime_r(&seconds, &local) || strftime(ret, size, "%Y-%m-%d %H:%M:%S", &local) == 0)
		*ret = '\0';
}

static int64_t seconds_since(int64_t realtime_usec)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec - realtime_usec / 1000000;
}

static void format_seconds(int64_t seconds, char *ret, size_t size)
{
	if (seconds < 0)
		seconds = 0;
	if (seconds < 60)
		(void)snprintf(ret, size, "%ds", (int)seconds);
	else if (seconds < 3600)
		(void)snprintf(ret, size, "%dmin %ds", (int)(seconds / 60), (int)(seconds % 60));
	else if (seconds < 86400)
		(void)snprintf(ret, size, "%dh %dmin", (int)(seconds / 3600),
			       (int)(seconds % 3600 / 60));
	else
		(void)snprintf(ret, size, "%" PRId64 " days", seconds / 86400);
}

void format_age(int64_t realtime_usec, char *ret, size_t size)
{
	format_seconds(seconds_since(realtime_usec), ret, size);
}

void format_until(int64_t realtime_usec, char *ret, size_t size)
{
	int64_t seconds = -seconds_since(realtime_usec);
	char text[32];

	format_seconds(seconds, text, sizeof(text));
	(void)snprintf(ret, size, "%s%s", seconds > 0 ? "in " : "", seconds > 0 ? text : "now");
}

char *format_portal(const char *address, int port)
{
	char *text;
	int n;

	if (!address)
		return strdup("-");
	n = asprintf(&text, strchr(address, ':') ? "[%s]:%d" : "%s:%d", address, port);
	return n < 0 ? NULL : text;
}
