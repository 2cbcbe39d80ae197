// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Record files: whatever the first byte's file holds, nothing of it is lost by writing it, so that
 * what is written is read and written again the same.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "poller.h"
#include "record_private.h"

static char directory[] = "/dev/shm/ois-fuzz-XXXXXX";

static void remove_directory(void)
{
	char path[128];

	for (int i = 0; i < _RECORD_FILE_MAX; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", directory, record_file_name(i));
		(void)unlink(path);
	}
	(void)rmdir(directory);
}

/* What all runs share: making it takes longer than a run. */
static struct poller *poller;
static struct eventlog *event_log;

static void prepare(void)
{
	struct journal *journal = NULL;
	sd_event *event = NULL;

	if (poller)
		return;
	FUZZ_CHECK(mkdtemp(directory));
	FUZZ_CHECK(atexit(remove_directory) == 0);
	FUZZ_CHECK(sd_event_new(&event) >= 0);
	FUZZ_CHECK(poller_new(event, &poller) >= 0);
	FUZZ_CHECK(journal_new(event, "/nonexistent/socket", &journal) >= 0);
	FUZZ_CHECK(eventlog_new(event, journal, 1, &event_log) >= 0);
}

static void put_file(enum record_file file, const void *data, size_t size)
{
	_cleanup_close_ int fd = -EBADF;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", directory, record_file_name(file));
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FUZZ_CHECK(fd >= 0);
	FUZZ_CHECK(write(fd, data, size) == (ssize_t)size);
}

/* Reads the files and formats them; false if one of them is left alone. */
static bool read_and_format(struct buffer content[_RECORD_FILE_MAX])
{
	struct records *records = NULL;
	bool ok = true;

	FUZZ_CHECK(records_new(poller, directory, event_log, &records) >= 0);
	for (int i = 0; i < _RECORD_FILE_MAX; i++) {
		struct record_cursor cursor = { 0 };

		ok = ok && !records->files[i].read_only;
		FUZZ_CHECK(record_file_format(records, i, &cursor, &content[i]) == 0);
	}
	(void)records_free(records);
	return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer first[_RECORD_FILE_MAX] = {}, second[_RECORD_FILE_MAX] = {};

	if (size == 0)
		return 0;
	prepare();
	for (int i = 0; i < _RECORD_FILE_MAX; i++)
		put_file(i, data + 1, (data[0] & 1) == i ? size - 1 : 0);
	if (read_and_format(first)) {
		for (int i = 0; i < _RECORD_FILE_MAX; i++)
			put_file(i, first[i].data, first[i].length);
		FUZZ_CHECK(read_and_format(second));
		for (int i = 0; i < _RECORD_FILE_MAX; i++) {
			FUZZ_CHECK(first[i].length == second[i].length);
			FUZZ_CHECK(memcmp(first[i].data, second[i].data, first[i].length) == 0);
		}
	}
	for (int i = 0; i < _RECORD_FILE_MAX; i++) {
		buffer_erase(&first[i]);
		buffer_erase(&second[i]);
	}
	return 0;
}
