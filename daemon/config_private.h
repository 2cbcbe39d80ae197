/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What config.c (the configuration) and config_name.c (the name of the initiator) share.
 */
#pragma once

#include "config.h"

/* RFC 7143, 6.1: bytes of a text value. */
#define ALIAS_MAX 255

/* config.c */
/* Fills in @fault, and returns @error. @line 0: the file as a whole. */
int _printf_(5, 6) config_fail(struct config_fault *fault, const char *file, unsigned line,
			       int error, const char *format, ...);
/* The same for the system's word; @doing without a final stop: "cannot be read". */
int config_fail_errno(struct config_fault *fault, const char *file, int error, const char *doing);
/* Adds the setting as it stands in the file; not known to be clean. */
int config_fail_setting(struct config_fault *fault, const char *setting, int error);
/* Errors: -ENOMEM. */
int config_replace(char **text, const char *value);
/* Cuts white space off both ends, in place. */
char *config_trim(char *text);

typedef int (*config_line_t)(void *userdata, unsigned number, char *line);

/*
 * Calls @each for every line but empty ones and comments, trimmed. Errors: -ENOENT (no such file),
 * and those of reading and of @each, with @fault filled in.
 */
int config_read_lines(const char *path, struct config_fault *fault, config_line_t each,
		      void *userdata);

/* config_name.c */
/* Completes @config as config_load() says, with the same errors. */
int config_find_name(struct config *config, const char *initiator_path, const char *directory,
		     struct config_fault *fault);
