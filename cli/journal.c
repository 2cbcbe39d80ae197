/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <ois/ois.h>

#include "journal.h"
#include "output.h"

int journal_open(sd_journal **ret)
{
	sd_journal *journal;
	int r;

	r = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY);
	if (r < 0)
		return r;
	/* Whole fields, however long. */
	r = sd_journal_set_data_threshold(journal, 0);
	if (r < 0) {
		sd_journal_close(journal);
		return r;
	}
	*ret = journal;
	return 0;
}

static int match_type(sd_journal *journal, const struct ois_event_type *type)
{
	char match[64];
	int n;

	n = snprintf(match, sizeof(match), "MESSAGE_ID=%s", ois_event_type_get_message_id(type));
	/* Matches on the same field are alternatives. */
	return sd_journal_add_match(journal, match, (size_t)n);
}

int journal_match(sd_journal *journal, const unsigned *numbers, size_t n_numbers)
{
	const struct ois_event_type *type;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n_numbers; i++)
		r = match_type(journal, ois_event_type_get(numbers[i]));
	for (size_t i = 0; r >= 0 && n_numbers == 0 && (type = ois_event_type_at(i)); i++)
		r = match_type(journal, type);
	return r;
}

int journal_seek_since(sd_journal *journal, int64_t usec)
{
	return usec < 0 ? sd_journal_seek_head(journal)
			: sd_journal_seek_realtime_usec(journal, (uint64_t)usec);
}

int journal_get(sd_journal *journal, const char *field, char **ret)
{
	size_t length, skip = strlen(field) + 1;
	const void *data;
	char *value;
	int r;

	r = sd_journal_get_data(journal, field, &data, &length);
	if (r < 0)
		return r;
	if (length < skip)
		return -ENOENT;
	value = strndup((const char *)data + skip, length - skip);
	if (!value)
		return -ENOMEM;
	*ret = value;
	return 0;
}

int journal_foreach(sd_journal *journal, const char *prefix,
		    int (*function)(const char *name, const char *value, void *userdata),
		    void *userdata)
{
	const void *data;
	size_t length;
	int r;

	sd_journal_restart_data(journal);
	while ((r = sd_journal_enumerate_available_data(journal, &data, &length)) > 0) {
		_cleanup_free_ char *field = strndup(data, length);
		char *equals = field ? strchr(field, '=') : NULL;

		if (!field)
			return -ENOMEM;
		if (!equals || strncmp(field, prefix, strlen(prefix)) != 0)
			continue;
		*equals = '\0';
		r = function(field, equals + 1, userdata);
		if (r != 0)
			return r;
	}
	return r;
}
