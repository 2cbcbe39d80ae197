/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#ifdef __aarch64__
#include <sys/auxv.h>
#endif

#include "cleanup.h"
#include "digest.h"

/* An algorithm in /proc/crypto: "name : crc32c" and further lines, up to an empty one. */
struct algorithm {
	bool is_crc32c;
	char driver[DIGEST_DRIVER_MAX];
	int priority;
};

static void read_line(const char *line, struct algorithm *algorithm)
{
	const char *colon = strchr(line, ':');
	char value[DIGEST_DRIVER_MAX] = "";

	if (!colon)
		return;
	(void)sscanf(colon + 1, " %63s", value);
	if (strncmp(line, "name ", 5) == 0)
		algorithm->is_crc32c = strcmp(value, "crc32c") == 0;
	else if (strncmp(line, "driver ", 7) == 0)
		strcpy(algorithm->driver, value);
	else if (strncmp(line, "priority ", 9) == 0)
		algorithm->priority = atoi(value);
}

/* The kernel takes the one with the highest priority. */
static void choose(const struct algorithm *algorithm, struct algorithm *best)
{
	if (algorithm->is_crc32c && algorithm->driver[0] &&
	    (!best->is_crc32c || algorithm->priority > best->priority))
		*best = *algorithm;
}

bool digest_accelerated_by(FILE *crypto, bool cpu, char ret_driver[DIGEST_DRIVER_MAX])
{
	struct algorithm algorithm = { 0 }, best = { 0 };
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, crypto) >= 0) {
		read_line(line, &algorithm);
		if (line[0] != '\n')
			continue;
		choose(&algorithm, &best);
		algorithm = (struct algorithm){ 0 };
	}
	choose(&algorithm, &best);
	strcpy(ret_driver, best.driver);
	/* Since 6.16 there is one form, which uses what the CPU has. */
	if (strcmp(best.driver, "crc32c-lib") == 0)
		return cpu;
	return best.is_crc32c && strcmp(best.driver, "crc32c-generic") != 0;
}

static bool cpu_has_crc32c(void)
{
#if defined(__x86_64__)
	return __builtin_cpu_supports("sse4.2");
#elif defined(__aarch64__)
	return getauxval(AT_HWCAP) & HWCAP_CRC32;
#else
	return false;
#endif
}

bool digest_accelerated(char ret_driver[DIGEST_DRIVER_MAX])
{
	_cleanup_(fclosep) FILE *crypto = fopen("/proc/crypto", "re");

	return crypto && digest_accelerated_by(crypto, cpu_has_crc32c(), ret_driver);
}
