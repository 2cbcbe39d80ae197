/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "kernel_log.h"
#include "turn.h"

/* The kernel gives a record whole or, if it does not fit, not at all. */
#define RECORD_SIZE 8192
/* In one turn of the loop, and turns in an interval. */
#define RECORDS_PER_TURN   128
#define TURNS_INTERVAL     (1 * UINT64_C(1000000))
#define TURNS_PER_INTERVAL 10
/* When an error has come and its cause is looked for. */
#define RECORDS_PER_LOOK 256

struct kernel_log {
	int fd;
	sd_event_source *source;
	kernel_log_said_t said;
	void *userdata;
	char record[RECORD_SIZE];
};

/* False: there is no more. */
static bool take_record(struct kernel_log *log)
{
	ssize_t n = read(log->fd, log->record, sizeof(log->record));
	struct kernel_log_line line;

	/* EPIPE: some were overwritten; EINVAL: one did not fit. The next one is there. */
	if (n == 0 || (n < 0 && errno != EPIPE && errno != EINVAL && errno != EINTR))
		return false;
	if (n > 0 && kernel_log_parse(log->record, (size_t)n, &line) >= 0)
		log->said(log->userdata, &line);
	return true;
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	for (size_t n = 0; n < RECORDS_PER_TURN && !turn_ends(n) && take_record(userdata); n++)
		;
	return 0;
}

void kernel_log_look(struct kernel_log *log, unsigned error)
{
	bool needed = kernel_log_tells_cause(error);

	for (size_t n = 0; log && n < RECORDS_PER_LOOK && (needed || !turn_ends(n)); n++)
		if (!take_record(log))
			return;
}

int kernel_log_new(sd_event *event, const char *path, kernel_log_said_t said, void *userdata,
		   struct kernel_log **ret)
{
	_cleanup_(kernel_log_freep) struct kernel_log *log = calloc(1, sizeof(*log));
	int r;

	if (!log)
		return -ENOMEM;
	log->said = said;
	log->userdata = userdata;
	log->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (log->fd < 0)
		return -errno;
	if (lseek(log->fd, 0, SEEK_END) < 0)
		return -errno;
	r = sd_event_add_io(event, &log->source, log->fd, EPOLLIN, on_readable, log);
	if (r >= 0)
		r = sd_event_source_set_ratelimit(log->source, TURNS_INTERVAL, TURNS_PER_INTERVAL);
	if (r < 0)
		return r;
	(void)sd_event_source_set_description(log->source, "kernel-log");
	*ret = TAKE_PTR(log);
	return 0;
}

struct kernel_log *kernel_log_free(struct kernel_log *log)
{
	if (!log)
		return NULL;
	log->source = sd_event_source_disable_unref(log->source);
	log->fd = close_fd(log->fd);
	free(log);
	return NULL;
}
