/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading numbered events from the journal. libsystemd is loaded only here: no other verb waits for
 * it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal;

/* Opens the journal of this machine. *@ret_why, a constant sentence, may be set on failure. */
int journal_open(struct journal **ret, const char **ret_why);
struct journal *journal_close(struct journal *journal);

/* Only these events; with none, every event there is. */
int journal_match(struct journal *journal, const unsigned *numbers, size_t n_numbers);
/* To before the first entry since @usec; a negative one is the start. */
int journal_seek_since(struct journal *journal, int64_t usec);
int journal_seek_tail(struct journal *journal);
/* One entry on or back: 1, 0 at the end. */
int journal_next(struct journal *journal);
int journal_previous(struct journal *journal);
/* Waits for new entries. */
int journal_wait(struct journal *journal);

/* Of the present entry. The caller frees *@ret. Errors: -ENOENT. */
int journal_get(struct journal *journal, const char *field, char **ret);
int journal_get_usec(struct journal *journal, uint64_t *ret);
/*
 * Calls @function for every field whose name starts with @prefix; the strings are gone after the
 * call.
 */
int journal_foreach(struct journal *journal, const char *prefix,
		    int (*function)(const char *name, const char *value, void *userdata),
		    void *userdata);
