/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whole files, read within limits and replaced so that after a crash at any moment either the old
 * or the new one is there. Blocks on disk: start-up and worker threads only.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "buffer.h"

/*
 * Appends the content of a regular file to @content. Symbolic links are followed only if @follow.
 * Errors: of opening and reading; -EFBIG: more than @limit bytes; -EINVAL: no regular file;
 * -ENOMEM.
 */
int file_read(int directory, const char *name, size_t limit, bool follow, struct buffer *content);

/* Bits a file's permissions must not have are taken away; a file system that does not let us is no
 * error. */
void file_restrict(int directory, const char *name, mode_t forbidden);

/* Name of what file_replace() writes first, beside the file; a crash may leave it. */
#define FILE_TEMPORARY_SUFFIX ".new"

/* Replaces the file, durably: written beside, fsync, rename, fsync of the directory, which is made
 * if missing. */
int file_replace(const char *directory, const char *name, mode_t mode,
		 const struct buffer *content);
