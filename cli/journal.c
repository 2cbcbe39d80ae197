/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <ois/ois.h>

#include "journal.h"
#include "output.h"

/* The functions used, with the types of the header. */
#define FUNCTIONS(F)                                                                               \
	F(open)                                                                                    \
	F(close)                                                                                   \
	F(add_match)                                                                               \
	F(seek_head)                                                                               \
	F(seek_tail)                                                                               \
	F(seek_realtime_usec)                                                                      \
	F(next)                                                                                    \
	F(previous)                                                                                \
	F(wait)                                                                                    \
	F(get_data)                                                                                \
	F(get_realtime_usec)                                                                       \
	F(restart_data)                                                                            \
	F(enumerate_available_data)                                                                \
	F(set_data_threshold)

struct library {
	void *handle;
#define MEMBER(name) __typeof__ (&sd_journal_##name)(name);
	FUNCTIONS(MEMBER)
#undef MEMBER
};

struct journal {
	struct library library;
	sd_journal *journal;
};

static int load(struct library *library)
{
	library->handle = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);
	if (!library->handle)
		return -EOPNOTSUPP;
#define LOOK_UP(name)                                                                              \
	library->name = (__typeof__(library->name))dlsym(library->handle, "sd_journal_" #name);    \
	if (!library->name)                                                                        \
		return -EOPNOTSUPP;
	FUNCTIONS(LOOK_UP)
#undef LOOK_UP
	return 0;
}

struct journal *journal_close(struct journal *journal)
{
	if (!journal)
		return NULL;
	if (journal->journal)
		journal->library.close(journal->journal);
	if (journal->library.handle)
		(void)dlclose(journal->library.handle);
	free(journal);
	return NULL;
}

int journal_open(struct journal **ret, const char **ret_why)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	int r;

	if (!journal)
		return -ENOMEM;
	r = load(&journal->library);
	if (r < 0)
		*ret_why = "libsystemd is not installed";
	if (r >= 0)
		r = journal->library.open(&journal->journal, SD_JOURNAL_LOCAL_ONLY);
	if (r >= 0) /* whole fields, however long */
		r = journal->library.set_data_threshold(journal->journal, 0);
	if (r < 0) {
		journal_close(journal);
		return r;
	}
	*ret = journal;
	return 0;
}

static int match_type(struct journal *journal, const struct ois_event_type *type)
{
	char match[64];
	int n;

	n = snprintf(match, sizeof(match), "MESSAGE_ID=%s", ois_event_type_get_message_id(type));
	/* Matches on the same field are alternatives. */
	return journal->library.add_match(journal->journal, match, (size_t)n);
}

int journal_match(struct journal *journal, const unsigned *numbers, size_t n_numbers)
{
	const struct ois_event_type *type;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n_numbers; i++)
		r = match_type(journal, ois_event_type_get(numbers[i]));
	for (size_t i = 0; r >= 0 && n_numbers == 0 && (type = ois_event_type_at(i)); i++)
		r = match_type(journal, type);
	return r;
}

int journal_seek_since(struct journal *journal, int64_t usec)
{
	return usec < 0 ? journal->library.seek_head(journal->journal)
			: journal->library.seek_realtime_usec(journal->journal, (uint64_t)usec);
}

int journal_seek_tail(struct journal *journal)
{
	return journal->library.seek_tail(journal->journal);
}

int journal_next(struct journal *journal)
{
	return journal->library.next(journal->journal);
}

int journal_previous(struct journal *journal)
{
	return journal->library.previous(journal->journal);
}

int journal_wait(struct journal *journal)
{
	return journal->library.wait(journal->journal, UINT64_MAX);
}

int journal_get(struct journal *journal, const char *field, char **ret)
{
	size_t length, skip = strlen(field) + 1;
	const void *data;
	char *value;
	int r;

	r = journal->library.get_data(journal->journal, field, &data, &length);
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

int journal_get_usec(struct journal *journal, uint64_t *ret)
{
	return journal->library.get_realtime_usec(journal->journal, ret);
}

int journal_foreach(struct journal *journal, const char *prefix,
		    int (*function)(const char *name, const char *value, void *userdata),
		    void *userdata)
{
	const void *data;
	size_t length;
	int r;

	journal->library.restart_data(journal->journal);
	while ((r = journal->library.enumerate_available_data(journal->journal, &data, &length)) >
	       0) {
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
