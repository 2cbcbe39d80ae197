/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading of attributes and directories, shared by the files that read sysfs.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>

#include "cleanup.h"
#include "sysfs.h"

/* Opens what is at a path below the root, close-on-exec. Errors: what open() says. */
int sysfs_open(const struct sysfs *sysfs, int flags, const char *format, ...) _printf_(3, 4);
/*
 * Reads an attribute relative to @directory_fd, without the newline and blanks at its end; what
 * does not fit is cut, what the kernel shows as "(null)" is empty. On failure @ret is empty.
 */
int sysfs_read_string(int directory_fd, const char *name, char *ret, size_t size);
/* The same of an attribute that is open already. */
int sysfs_read_open(int fd, char *ret, size_t size);
/* Decimal; -1 where there is nothing or no number. */
int64_t sysfs_read_number(int directory_fd, const char *name);

/* "session12" gives 12. */
int sysfs_parse_object(const char *name, const char *prefix, uint32_t *ret);
/* Numbers of the objects of a class, ascending; the caller frees *@ret. Errors: -ENOMEM. */
int sysfs_list_objects(const struct sysfs *sysfs, const char *class, const char *prefix,
		       uint32_t **ret, size_t *ret_n);
int sysfs_open_host(const struct sysfs *sysfs, const char *class, uint32_t host);
/* The kernel prints IPv6 addresses as eight full groups. */
void sysfs_shorten_address(char *address, size_t size);
/* Replaces what SCSI hosts are called by what the class calls their transport. */
void sysfs_name_transport(char *name, size_t size);

/* Iterates over a directory without allocating; one system call for a small one. */
struct directory {
	int fd;
	bool ended; /* there is nothing after what is in the buffer */
	size_t at, length;
	char buffer[2048] __attribute__((aligned(8)));
};

/* Takes over a descriptor that is open for reading. */
void directory_init(int fd, struct directory *directory);
int directory_open(int parent_fd, const char *name, struct directory *directory);
/* Name of the next entry, valid until the next call, or NULL. Leaves out "." and "..". */
const char *directory_next(struct directory *directory);
static inline void directory_close(struct directory *directory)
{
	directory->fd = close_fd(directory->fd);
}

/* What could not be read is there, or may be. */
static inline bool sysfs_lacks(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM;
}

/* Says who uses @block, a disk in the directory that @path leads to from @parent_fd, or a partition
 * of it; 0: nobody. Errors: those of sysfs_lacks(). */
int usage_describe(const struct usage *usage, int parent_fd, const char *path, const char *block,
		   char *ret, size_t size);
