/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cleanup by attribute: an object declared with _cleanup_(x_freep) is freed when it leaves scope,
 * and TAKE_PTR() or TAKE_FD() hands it over. Descriptors are -EBADF when unset.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))
#define _printf_(at, first) __attribute__((format(printf, at, first)))
#define _unused_            __attribute__((unused))

#define ELEMENTSOF(array) (sizeof(array) / sizeof((array)[0]))

#define TAKE_PTR(pointer)                                                                          \
	({                                                                                         \
		__typeof__(pointer) *_take_pointer = &(pointer);                                   \
		__typeof__(pointer) _taken = *_take_pointer;                                       \
		*_take_pointer = NULL;                                                             \
		_taken;                                                                            \
	})

#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int *_take_fd = &(fd);                                                             \
		int _taken = *_take_fd;                                                            \
		*_take_fd = -EBADF;                                                                \
		_taken;                                                                            \
	})

/* Defines x_freep() for use with _cleanup_() from x_free(), which accepts NULL. */
#define DEFINE_CLEANUP(type, free_function)                                                        \
	static inline _unused_ void free_function##p(type *pointer)                                \
	{                                                                                          \
		if (*pointer)                                                                      \
			free_function(*pointer);                                                   \
	}                                                                                          \
	struct _cleanup_needs_semicolon_

static inline void freep(void *pointer)
{
	free(*(void **)pointer);
}

static inline int close_fd(int fd)
{
	if (fd >= 0) {
		int saved = errno;

		(void)close(fd);
		errno = saved;
	}
	return -EBADF;
}

static inline void close_fdp(int *fd)
{
	(void)close_fd(*fd);
}

DEFINE_CLEANUP(FILE *, fclose);
DEFINE_CLEANUP(DIR *, closedir);

#define _cleanup_free_  _cleanup_(freep)
#define _cleanup_close_ _cleanup_(close_fdp)
