/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The instance is a directory below tracefs. There is one buffer for each processor, and what they
 * hold is put into the order of time before it is told. If a daemon died, its instance is there
 * yet, and is used again; what it holds is dropped, because the sessions it is about may be others.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "trace.h"
#include "tracepoint.h"
#include "tracepoint_format.h"

#define INSTANCE "ois"
/* Of each processor; some hundred records. */
#define BUFFER_KIB "16"
/* Formats are some KiB long. */
#define FILE_MAX 65536
/* Put in order and told at once; and in one turn of the loop, pages of one processor. */
#define RECORDS_MAX   128
#define PAGES_PER_CPU 16

enum source {
	TIMEOUT,
	ERROR_HANDLING,
	_SOURCE_MAX,
};

static const char *const source_names[] = {
	[TIMEOUT] = "scsi/scsi_dispatch_cmd_timeout",
	[ERROR_HANDLING] = "iscsi/iscsi_dbg_eh",
};

enum member {
	HOST,
	CHANNEL,
	TARGET,
	LUN,
	CDB,
	OBJECT,
	TEXT,
	_MEMBER_MAX,
};

static const struct {
	enum source source;
	const char *name;
} members[] = {
	[HOST] = { TIMEOUT, "host_no" },    [CHANNEL] = { TIMEOUT, "channel" },
	[TARGET] = { TIMEOUT, "id" },       [LUN] = { TIMEOUT, "lun" },
	[CDB] = { TIMEOUT, "cmnd" },        [OBJECT] = { ERROR_HANDLING, "dname" },
	[TEXT] = { ERROR_HANDLING, "msg" },
};

struct processor {
	int fd;
	sd_event_source *source;
};

struct told {
	uint64_t time;
	enum source source;
	union {
		struct tracepoint_timeout timeout;
		struct {
			uint32_t sid;
			char text[TRACEPOINT_TEXT_MAX];
		} handling;
	};
};

struct tracepoints {
	sd_event *event;
	const struct tracepoint_callbacks *callbacks;
	void *userdata;
	bool active;

	/* The thread's until it is done. */
	const char *sysfs;
	char path[PATH_MAX]; /* of the instance; empty: there is none */
	struct tracepoint_page_layout layout;
	struct tracepoint_field type, fields[_MEMBER_MAX];
	uint16_t ids[_SOURCE_MAX];
	struct processor *processors;
	size_t n_processors;
	uint8_t *page;

	struct told told[RECORDS_MAX];
	size_t n_told;
};

/* Making the instance, in a thread */

static int write_to(const struct tracepoints *t, const char *name, const char *text, int flags)
{
	_cleanup_close_ int fd = -EBADF;
	char path[PATH_MAX + 64];

	(void)snprintf(path, sizeof(path), "%s/%s", t->path, name);
	fd = open(path, O_WRONLY | O_CLOEXEC | flags);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* The caller frees *@ret. */
static int read_from(const struct tracepoints *t, const char *name, char **ret)
{
	_cleanup_close_ int fd = -EBADF;
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX + 64];
	size_t length = 0;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", t->path, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	text = malloc(FILE_MAX);
	if (!text)
		return -ENOMEM;
	do {
		n = read(fd, text + length, FILE_MAX - 1 - length);
		if (n < 0)
			return -errno;
		length += (size_t)n;
	} while (n > 0 && length < FILE_MAX - 1);
	text[length] = '\0';
	*ret = TAKE_PTR(text);
	return 0;
}

static int make_directory(struct tracepoints *t)
{
	static const char *const mounts[] = { "kernel/tracing", "kernel/debug/tracing" };

	for (size_t i = 0; i < ELEMENTSOF(mounts); i++) {
		int n = snprintf(t->path, sizeof(t->path), "%s/%s/instances/%s", t->sysfs,
				 mounts[i], INSTANCE);

		if (n > 0 && (size_t)n < sizeof(t->path) &&
		    (mkdir(t->path, 0700) == 0 || errno == EEXIST))
			return 0;
	}
	t->path[0] = '\0';
	return -ENOENT;
}

/* What another daemon left is dropped, and its settings are made again. */
static int set_up(struct tracepoints *t)
{
	int r;

	(void)write_to(t, "set_event", "", O_TRUNC);
	(void)write_to(t, "trace", "", O_TRUNC);
	/* One clock for all processors. */
	(void)write_to(t, "trace_clock", "mono", 0);
	r = write_to(t, "buffer_size_kb", BUFFER_KIB, 0);
	/* The first record wakes us, not a buffer that is half full. */
	return r < 0 ? r : write_to(t, "buffer_percent", "0", 0);
}

static int learn_source(struct tracepoints *t, enum source source)
{
	_cleanup_free_ char *format = NULL;
	char name[128];
	int r;

	(void)snprintf(name, sizeof(name), "events/%s/format", source_names[source]);
	r = read_from(t, name, &format);
	if (r >= 0)
		r = tracepoint_format_id(format, &t->ids[source]);
	if (r >= 0)
		r = tracepoint_format_field(format, "common_type", &t->type);
	for (size_t i = 0; r >= 0 && i < ELEMENTSOF(members); i++)
		if (members[i].source == source)
			r = tracepoint_format_field(format, members[i].name, &t->fields[i]);
	if (r < 0)
		return r;
	(void)snprintf(name, sizeof(name), "events/%s/enable", source_names[source]);
	return write_to(t, name, "1", 0);
}

static int learn_pages(struct tracepoints *t)
{
	_cleanup_free_ char *text = NULL;
	int r;

	/* Shared by all instances. */
	r = read_from(t, "../../events/header_page", &text);
	if (r >= 0)
		r = tracepoint_page_layout(text, &t->layout);
	if (r < 0)
		return r;
	t->page = malloc(tracepoint_page_size(&t->layout));
	return t->page ? 0 : -ENOMEM;
}

static int open_processor(struct tracepoints *t, const char *name)
{
	struct processor *more;
	char path[PATH_MAX + 320];
	int fd;

	more = reallocarray(t->processors, t->n_processors + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	t->processors = more;
	(void)snprintf(path, sizeof(path), "%s/per_cpu/%s/trace_pipe_raw", t->path, name);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	t->processors[t->n_processors++] = (struct processor){ .fd = fd };
	return 0;
}

/* Also those that are not plugged in have a directory. */
static int open_processors(struct tracepoints *t)
{
	_cleanup_(closedirp) DIR *directory = NULL;
	char path[PATH_MAX + 16];
	struct dirent *entry;
	int r = 0;

	(void)snprintf(path, sizeof(path), "%s/per_cpu", t->path);
	directory = opendir(path);
	if (!directory)
		return -errno;
	while (r >= 0 && (entry = readdir(directory)))
		if (strncmp(entry->d_name, "cpu", 3) == 0)
			r = open_processor(t, entry->d_name);
	return r;
}

static void close_processors(struct tracepoints *t)
{
	for (size_t i = 0; i < t->n_processors; i++) {
		sd_event_source_disable_unref(t->processors[i].source);
		(void)close_fd(t->processors[i].fd);
	}
	free(t->processors);
	t->processors = NULL;
	t->n_processors = 0;
}

static void remove_instance(struct tracepoints *t)
{
	close_processors(t);
	if (t->path[0] && rmdir(t->path) < 0)
		trace("%s stays: %s", t->path, strerror(errno));
	t->path[0] = '\0';
}

static int make_instance(void *argument)
{
	struct tracepoints *t = argument;
	int r;

	r = make_directory(t);
	if (r >= 0)
		r = set_up(t);
	if (r >= 0)
		r = learn_pages(t);
	for (enum source source = 0; r >= 0 && source < _SOURCE_MAX; source++)
		r = learn_source(t, source);
	if (r >= 0)
		r = open_processors(t);
	if (r < 0)
		remove_instance(t);
	return r;
}

/* Reading */

static int read_timeout(const struct tracepoints *t, const struct tracepoint_record *record,
			struct tracepoint_timeout *ret)
{
	const enum member numbers[] = { HOST, CHANNEL, TARGET, LUN };
	uint32_t *const values[] = { &ret->host, &ret->channel, &ret->target, &ret->lun };
	const uint8_t *cdb;
	uint64_t number;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ELEMENTSOF(numbers); i++) {
		r = tracepoint_number(record, &t->fields[numbers[i]], &number);
		if (r >= 0)
			*values[i] = (uint32_t)number;
	}
	if (r >= 0)
		r = tracepoint_bytes(record, &t->fields[CDB], &cdb, &ret->cdb_length);
	if (r < 0)
		return r;
	if (ret->cdb_length > sizeof(ret->cdb))
		ret->cdb_length = sizeof(ret->cdb);
	memcpy(ret->cdb, cdb, ret->cdb_length);
	return 0;
}

static int read_handling(const struct tracepoints *t, const struct tracepoint_record *record,
			 struct told *ret)
{
	char object[64];
	int r, n = 0;

	r = tracepoint_text(record, &t->fields[OBJECT], object, sizeof(object));
	if (r < 0)
		return r;
	if (sscanf(object, "session%9" SCNu32 "%n", &ret->handling.sid, &n) != 1 || object[n])
		return -EBADMSG;
	r = tracepoint_text(record, &t->fields[TEXT], ret->handling.text,
			    sizeof(ret->handling.text));
	if (r >= 0)
		ret->handling.text[strcspn(ret->handling.text, "\n")] = '\0';
	return r;
}

/* False: it is none of ours. */
static bool read_record(const struct tracepoints *t, const struct tracepoint_record *record,
			struct told *ret)
{
	uint64_t type;

	ret->time = record->time;
	if (tracepoint_number(record, &t->type, &type) < 0)
		return false;
	if (type == t->ids[TIMEOUT]) {
		ret->source = TIMEOUT;
		return read_timeout(t, record, &ret->timeout) >= 0;
	}
	ret->source = ERROR_HANDLING;
	return type == t->ids[ERROR_HANDLING] && read_handling(t, record, ret) >= 0;
}

static int compare_times(const void *a, const void *b)
{
	const struct told *x = a, *y = b;

	return x->time < y->time ? -1 : x->time > y->time;
}

static void tell(struct tracepoints *t)
{
	if (t->n_told > 1)
		qsort(t->told, t->n_told, sizeof(*t->told), compare_times);
	for (size_t i = 0; i < t->n_told; i++) {
		const struct told *told = &t->told[i];

		if (told->source == TIMEOUT)
			t->callbacks->timed_out(t->userdata, &told->timeout);
		else
			t->callbacks->error_handling(t->userdata, told->handling.sid,
						     told->handling.text);
	}
	t->n_told = 0;
}

/* A page of one processor. */
static int read_page(struct tracepoints *t, int fd)
{
	struct tracepoint_iterator iterator;
	struct tracepoint_record record;
	ssize_t length;

	length = read(fd, t->page, tracepoint_page_size(&t->layout));
	if (length <= 0)
		return length < 0 ? -errno : -EAGAIN;
	if (tracepoint_page_open(&t->layout, t->page, (size_t)length, &iterator) < 0)
		return 0;
	if (iterator.lost)
		trace("trace events were lost");
	while (tracepoint_page_next(&iterator, &record)) {
		if (t->n_told == RECORDS_MAX)
			tell(t);
		if (read_record(t, &record, &t->told[t->n_told]))
			t->n_told++;
	}
	return 0;
}

static void read_processor(struct tracepoints *t, const struct processor *processor)
{
	int r = 0;

	for (unsigned pages = 0; r >= 0 && pages < PAGES_PER_CPU; pages++)
		r = read_page(t, processor->fd);
	if (r >= 0 || r == -EAGAIN || r == -EINTR)
		return;
	/* It would wake us for ever. */
	trace("trace events cannot be read: %s", strerror(-r));
	(void)sd_event_source_set_enabled(processor->source, SD_EVENT_OFF);
}

void tracepoints_look(struct tracepoints *t)
{
	if (!tracepoints_active(t))
		return;
	for (size_t i = 0; i < t->n_processors; i++)
		read_processor(t, &t->processors[i]);
	tell(t);
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	tracepoints_look(userdata);
	return 0;
}

/* Making and freeing */

static void instance_made(void *argument, int result)
{
	struct tracepoints *t = argument;
	int r = result;

	for (size_t i = 0; r >= 0 && i < t->n_processors; i++)
		r = sd_event_add_io(t->event, &t->processors[i].source, t->processors[i].fd,
				    EPOLLIN, on_readable, t);
	t->active = r >= 0;
	if (r >= 0)
		return;
	trace("no trace events: %s", strerror(-r));
	remove_instance(t);
}

int tracepoints_new(sd_event *event, const char *sysfs, struct work *work,
		    const struct tracepoint_callbacks *callbacks, void *userdata,
		    struct tracepoints **ret)
{
	_cleanup_free_ struct tracepoints *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->event = event;
	t->sysfs = sysfs;
	t->callbacks = callbacks;
	t->userdata = userdata;
	r = work_submit(work, make_instance, instance_made, t);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(t);
	return 0;
}

struct tracepoints *tracepoints_free(struct tracepoints *t)
{
	if (!t)
		return NULL;
	remove_instance(t);
	free(t->page);
	free(t);
	return NULL;
}

bool tracepoints_active(const struct tracepoints *t)
{
	return t && t->active;
}
