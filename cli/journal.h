/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading numbered events from the journal.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-journal.h>

/* Opens the journal of this machine. */
int journal_open(sd_journal **ret);

/* Only these events; with none, every event there is. */
int journal_match(sd_journal *journal, const unsigned *numbers, size_t n_numbers);
/* To before the first entry since @usec; a negative one is the start. */
int journal_seek_since(sd_journal *journal, int64_t usec);

/* Of the present entry. The caller frees *@ret. Errors: -ENOENT. */
int journal_get(sd_journal *journal, const char *field, char **ret);
/*
 * Calls @function for every field whose name starts with @prefix; the strings are gone after the
 * call.
 */
int journal_foreach(sd_journal *journal, const char *prefix,
		    int (*function)(const char *name, const char *value, void *userdata),
		    void *userdata);
