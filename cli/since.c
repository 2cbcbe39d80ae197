/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Points in time as people write them.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "cli.h"

static const struct {
	const char *name;
	int64_t seconds;
} units[] = {
	{ "s", 1 },    { "sec", 1 },   { "m", 60 },     { "min", 60 },
	{ "h", 3600 }, { "d", 86400 }, { "w", 604800 },
};

/* "-2h", "2h" and "2h ago". */
static int parse_age(const char *text, int64_t *ret_seconds)
{
	const char *unit;
	char *end;
	long number;
	size_t length;

	text += *text == '-';
	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	number = strtol(text, &end, 10);
	if (errno != 0 || number > 100000)
		return -EINVAL;
	unit = end + strspn(end, " ");
	length = strcspn(unit, " ");
	if (unit[length] && strcmp(unit + length, " ago") != 0)
		return -EINVAL;
	for (size_t i = 0; i < ELEMENTSOF(units); i++) {
		if (strlen(units[i].name) == length && strncmp(units[i].name, unit, length) == 0) {
			*ret_seconds = number * units[i].seconds;
			return 0;
		}
	}
	return -EINVAL;
}

/* A date, a time of today, or both. */
static int parse_calendar(const char *text, struct tm today, time_t *ret)
{
	static const char *const formats[] = { "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S",
					       "%Y-%m-%d %H:%M",    "%Y-%m-%d",
					       "%H:%M:%S",          "%H:%M" };

	for (size_t i = 0; i < ELEMENTSOF(formats); i++) {
		struct tm tm = today;
		const char *end;

		tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
		end = strptime(text, formats[i], &tm);
		if (!end || *end)
			continue;
		tm.tm_isdst = -1;
		*ret = mktime(&tm);
		return *ret < 0 ? -EINVAL : 0;
	}
	return -EINVAL;
}

int parse_since(const char *text, int64_t now_usec, int64_t *ret_usec)
{
	time_t now = (time_t)(now_usec / 1000000), then;
	struct tm today;
	int64_t seconds;

	if (!localtime_r(&now, &today))
		return -EINVAL;
	if (parse_age(text, &seconds) >= 0) {
		*ret_usec = now_usec - seconds * 1000000;
		return *ret_usec < 0 ? -EINVAL : 0;
	}
	if (strcmp(text, "today") == 0 || strcmp(text, "yesterday") == 0) {
		today.tm_mday -= strcmp(text, "yesterday") == 0;
		today.tm_hour = today.tm_min = today.tm_sec = 0;
		today.tm_isdst = -1;
		then = mktime(&today);
	} else if (parse_calendar(text, today, &then) < 0) {
		return -EINVAL;
	}
	*ret_usec = (int64_t)then * 1000000;
	return 0;
}
