/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When records go to disk. A commit formats the content of the changed files in the loop, in as
 * many turns as it takes, and writes it in a thread. What changes meanwhile is for the next one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "poller.h"
#include "record_private.h"

struct record_waiter {
	records_done_t done;
	void *userdata;
	struct record_waiter *next;
};

/* A write under way: everything the thread needs. */
struct record_write {
	struct records *records; /* of the loop */
	struct record_waiter *waiters;
	enum record_file file; /* that is formatted; _RECORD_FILE_MAX: all are */
	struct record_cursor cursor;
	struct poller_call more;
	char *directory;
	struct {
		bool wanted;
		int error;
		struct buffer content;
	} files[_RECORD_FILE_MAX];
};

static void waiters_free(struct record_waiter *waiter)
{
	while (waiter) {
		struct record_waiter *next = waiter->next;

		free(waiter);
		waiter = next;
	}
}

static struct record_write *record_write_free(struct record_write *write)
{
	if (!write)
		return NULL;
	poller_call_off(&write->more);
	for (int i = 0; i < _RECORD_FILE_MAX; i++)
		buffer_erase(&write->files[i].content);
	waiters_free(write->waiters);
	free(write->directory);
	free(write);
	return NULL;
}
DEFINE_CLEANUP(struct record_write *, record_write_free);

/* What has to be written. A file that is never overwritten fails its first commit, and is left. */
static int record_write_new(struct records *records, struct record_write **ret)
{
	_cleanup_(record_write_freep) struct record_write *write = NULL;

	write = calloc(1, sizeof(*write));
	if (!write)
		return -ENOMEM;
	write->records = records;
	write->directory = strdup(records->directory);
	if (!write->directory)
		return -ENOMEM;
	for (int i = 0; i < _RECORD_FILE_MAX; i++) {
		if (!records->files[i].dirty)
			continue;
		if (records->files[i].read_only) {
			write->files[i].error = -EROFS;
			continue;
		}
		write->files[i].wanted = true;
	}
	*ret = TAKE_PTR(write);
	return 0;
}

/* 0: all is formatted; 1: the turn should end. Errors: -ENOMEM. */
static int write_format(struct record_write *write)
{
	for (; write->file < _RECORD_FILE_MAX; write->file++) {
		int r = 0;

		if (write->files[write->file].wanted)
			r = record_file_format(write->records, write->file, &write->cursor,
					       &write->files[write->file].content);
		if (r != 0)
			return r;
		write->cursor = (struct record_cursor){ 0 };
	}
	return 0;
}

/* In the thread. */
static int write_run(void *argument)
{
	struct record_write *write = argument;

	for (int i = 0; i < _RECORD_FILE_MAX; i++)
		if (write->files[i].wanted)
			write->files[i].error =
				record_file_write(write->directory, i, &write->files[i].content);
	return 0;
}

static void report_failure(struct records *records, enum record_file file, int error)
{
	struct event *event = event_new(EVENT_STORE_FAILED);
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", records->directory, record_file_name(file));
	event_set_string(event, FIELD_FILE, path);
	event_set_errno(event, error);
	eventlog_raise(records->log, event);
}

/* Tells everybody in the list, and frees it. A callback may commit again. */
static void tell(struct record_waiter *waiter, int error)
{
	while (waiter) {
		struct record_waiter *next = waiter->next;

		if (waiter->done)
			waiter->done(waiter->userdata, error);
		free(waiter);
		waiter = next;
	}
}

static int start_write(struct records *records);

/* Takes over the list of those who wait; a commit from a callback then starts a new one. */
static struct record_waiter *take_waiting(struct records *records)
{
	records->waiting_end = &records->waiting;
	return TAKE_PTR(records->waiting);
}

/* Marks what failed to be written again; the first error. */
static int write_result(struct records *records, const struct record_write *write)
{
	int error = 0;

	for (int i = 0; i < _RECORD_FILE_MAX; i++) {
		if (write->files[i].error >= 0)
			continue;
		if (error == 0)
			error = write->files[i].error;
		if (write->files[i].wanted)
			records->files[i].dirty = true;
		report_failure(records, i, write->files[i].error);
	}
	return error;
}

static void write_done(void *argument, int result)
{
	_cleanup_(record_write_freep) struct record_write *write = argument;
	struct records *records = write->records;
	int error, r;

	records->write = NULL;
	if (result == -ECANCELED) {
		/* It had not begun when the records were freed: write_now() does it. */
		for (int i = 0; i < _RECORD_FILE_MAX; i++)
			records->files[i].dirty |= write->files[i].wanted;
		records->unfinished = true;
		return;
	}
	error = write_result(records, write);
	if (records->freeing)
		return;
	tell(TAKE_PTR(write->waiters), error);
	if (!records->waiting || records->write)
		return;
	r = start_write(records);
	if (r < 0)
		tell(take_waiting(records), r);
}

static void write_more(void *userdata);

/* Goes on now, and perhaps in another turn. Errors: -ENOMEM; those of work_submit(). */
static int write_go_on(struct record_write *write)
{
	struct records *records = write->records;
	int r = write_format(write);

	if (r > 0)
		poller_call_later(records->poller, &write->more, write_more, write);
	return r != 0 ? r : work_submit(records->work, write_run, write_done, write);
}

static void write_more(void *userdata)
{
	struct record_write *write = userdata;
	int r = write_go_on(write);

	if (r >= 0)
		return;
	for (int i = 0; i < _RECORD_FILE_MAX; i++)
		if (write->files[i].wanted)
			write->files[i].error = r;
	write_done(write, 0);
}

/* Everybody who waits is served by this write. */
static int start_write(struct records *records)
{
	_cleanup_(record_write_freep) struct record_write *write = NULL;
	int r;

	r = record_write_new(records, &write);
	if (r >= 0)
		r = write_go_on(write);
	if (r < 0)
		return r;
	for (int i = 0; i < _RECORD_FILE_MAX; i++)
		records->files[i].dirty = false;
	write->waiters = take_waiting(records);
	records->write = TAKE_PTR(write);
	return 0;
}

int records_commit(struct records *records, records_done_t done, void *userdata)
{
	struct record_waiter **end = records->waiting_end, *waiter;
	int r;

	waiter = malloc(sizeof(*waiter));
	if (!waiter)
		return -ENOMEM;
	*waiter = (struct record_waiter){ .done = done, .userdata = userdata };
	*end = waiter;
	records->waiting_end = &waiter->next;
	if (records->write)
		return 0;
	r = start_write(records);
	if (r < 0) {
		*end = NULL;
		records->waiting_end = end;
		free(waiter);
	}
	return r;
}

static void write_now(struct records *records)
{
	_cleanup_(record_write_freep) struct record_write *write = NULL;
	int r;

	r = record_write_new(records, &write);
	if (r < 0)
		return;
	do
		r = write_format(write);
	while (r > 0);
	if (r < 0)
		return;
	(void)write_run(write);
	(void)write_result(records, write);
}

void records_finish(struct records *records)
{
	records->freeing = true;
	(void)work_free(records->work);
	/* It is being formatted. */
	if (records->write)
		write_done(records->write, -ECANCELED);
	if (records->waiting || records->unfinished)
		write_now(records);
	waiters_free(take_waiting(records));
}
