/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

int file_read(int directory, const char *name, size_t limit, bool follow, struct buffer *content)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat status;
	uint8_t *end;
	ssize_t n;
	int r;

	/* Neither a terminal nor a pipe may hold us up. */
	fd = openat(directory, name,
		    O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (follow ? 0 : O_NOFOLLOW));
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	if (status.st_size > (off_t)limit)
		return -EFBIG;
	for (size_t chunk = (size_t)status.st_size + 4096;; chunk = 4096) {
		r = buffer_reserve(content, chunk, &end);
		if (r < 0)
			return r;
		n = read(fd, end, chunk);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return 0;
		if (n > 0)
			buffer_commit(content, (size_t)n);
		if (content->length > limit)
			return -EFBIG;
	}
}

void file_restrict(int directory, const char *name, mode_t forbidden)
{
	struct stat status;

	if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(status.st_mode) || (status.st_mode & forbidden) == 0)
		return;
	/* A read-only file system stays as it is. */
	if (fchmodat(directory, name, status.st_mode & 07777 & ~forbidden, 0) < 0)
		return;
}

static int write_all(int fd, const uint8_t *data, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, data, length);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			length -= (size_t)n;
		}
	}
	return 0;
}

/* Opens the directory; one that is missing is made, and its name made durable. */
static int open_directory(const char *path)
{
	_cleanup_close_ int fd = -EBADF, parent = -EBADF;
	bool made = mkdir(path, 0700) == 0;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (made) {
		parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (parent < 0 || fsync(parent) < 0)
			return -errno;
	}
	return TAKE_FD(fd);
}

static int write_temporary(int directory, const char *name, mode_t mode,
			   const struct buffer *content)
{
	_cleanup_close_ int fd = -EBADF;
	int r;

	/* Somebody may have put a link there. */
	(void)unlinkat(directory, name, 0);
	fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	r = write_all(fd, content->data, content->length);
	if (r < 0)
		return r;
	return fsync(fd) < 0 ? -errno : 0;
}

int file_replace(const char *directory, const char *name, mode_t mode, const struct buffer *content)
{
	_cleanup_close_ int fd = -EBADF;
	char temporary[NAME_MAX + 1];
	int r;

	if (snprintf(temporary, sizeof(temporary), "%s%s", name, FILE_TEMPORARY_SUFFIX) >=
	    (int)sizeof(temporary))
		return -ENAMETOOLONG;
	fd = open_directory(directory);
	if (fd < 0)
		return fd;
	r = write_temporary(fd, temporary, mode, content);
	if (r >= 0 && renameat(fd, temporary, fd, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(fd, temporary, 0);
		return r;
	}
	return fsync(fd) < 0 ? -errno : 0;
}
