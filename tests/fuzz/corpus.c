/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a fuzz target on every file of the directories given: what a fuzzer once found stays tested.
 * A directory that is missing or empty is a failure, so that a test cannot pass by testing nothing.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "fuzz.h"

#define INPUT_MAX (1024 * 1024)

static bool run_file(const char *path)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	_cleanup_free_ uint8_t *data = malloc(INPUT_MAX), *exact = NULL;
	size_t size;

	if (!file || !data)
		return false;
	size = fread(data, 1, INPUT_MAX, file);
	/* Exactly as long as told, for the sanitizer. */
	exact = malloc(size ?: 1);
	if (ferror(file) || !exact)
		return false;
	memcpy(exact, data, size);
	(void)LLVMFuzzerTestOneInput(exact, size);
	return true;
}

static int run_directory(const char *path)
{
	_cleanup_(closedirp) DIR *directory = opendir(path);
	struct dirent *entry;
	char file[4096];
	int n = 0;

	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		(void)puts(file);
		(void)fflush(stdout);
		if (!run_file(file)) {
			(void)fprintf(stderr, "%s cannot be read\n", file);
			return -1;
		}
		n++;
	}
	return n;
}

int main(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++) {
		int n = run_directory(argv[i]);

		if (n <= 0) {
			(void)fprintf(stderr, "%s: nothing was tested\n", argv[i]);
			return EXIT_FAILURE;
		}
		(void)printf("%s: %d inputs\n", argv[i], n);
	}
	return EXIT_SUCCESS;
}
