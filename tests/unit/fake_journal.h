/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal's socket played by a test: a datagram socket in a directory of its own, and entries
 * taken from it one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cleanup.h"

struct fake_journal {
	char directory[64];
	char path[80];
	int fd;
	char entry[256 * 1024]; /* the last one received */
	size_t length;
};

static inline void fake_journal_bind(struct fake_journal *journal)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)unlink(journal->path);
	strcpy(address.sun_path, journal->path);
	journal->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(journal->fd >= 0);
	assert_int_equal(bind(journal->fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

/* What stays is an inode nobody listens on. */
static inline void fake_journal_close(struct fake_journal *journal)
{
	journal->fd = close_fd(journal->fd);
}

static inline void fake_journal_init(struct fake_journal *journal)
{
	strcpy(journal->directory, "/tmp/ois-test-journal-XXXXXX");
	assert_non_null(mkdtemp(journal->directory));
	(void)snprintf(journal->path, sizeof(journal->path), "%s/socket", journal->directory);
	journal->fd = -EBADF;
}

static inline void fake_journal_done(struct fake_journal *journal)
{
	fake_journal_close(journal);
	(void)unlink(journal->path);
	assert_int_equal(rmdir(journal->directory), 0);
}

/* Takes the next entry; false if there is none. */
static inline bool fake_journal_receive(struct fake_journal *journal)
{
	ssize_t n = recv(journal->fd, journal->entry, sizeof(journal->entry) - 1, 0);

	if (n < 0) {
		assert_int_equal(errno, EAGAIN);
		return false;
	}
	journal->entry[n] = '\0';
	journal->length = (size_t)n;
	assert_int_equal(strlen(journal->entry), n);
	return true;
}

/*
 * The value of a field in the last entry, or NULL. Checks the form of all fields on the way. The
 * value is overwritten by the next call but three.
 */
static inline const char *fake_journal_field(struct fake_journal *journal, const char *name)
{
	static char values[4][8192];
	static unsigned turn;
	const char *found = NULL;

	for (const char *line = journal->entry; *line;) {
		const char *end = strchr(line, '\n');
		const char *equals = strchr(line, '=');
		size_t length;

		assert_non_null(end);
		assert_non_null(equals);
		assert_true(equals < end && equals > line && equals - line <= 64);
		assert_true(line[0] >= 'A' && line[0] <= 'Z');
		length = (size_t)(end - equals - 1);
		assert_true((size_t)(end - line) < 4096);
		if (strlen(name) == (size_t)(equals - line) &&
		    memcmp(line, name, strlen(name)) == 0) {
			assert_null(found);
			turn = (turn + 1) % 4;
			memcpy(values[turn], equals + 1, length);
			values[turn][length] = '\0';
			found = values[turn];
		}
		line = end + 1;
	}
	return found;
}

static inline uint64_t fake_journal_number(struct fake_journal *journal, const char *name)
{
	const char *value = fake_journal_field(journal, name);

	return value ? strtoull(value, NULL, 10) : 0;
}
