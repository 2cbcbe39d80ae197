/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal's native protocol: one datagram per entry, NAME=value and a newline per field. Values
 * of events have no newlines, so the second form of the protocol (with a length) is never needed.
 *
 * sendto() names the address each time, so a journal that was restarted, or comes late, is found.
 * An unconnected datagram socket always polls writable, so a timer with growing delay tries again;
 * there is none while nothing is queued.
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "buffer.h"
#include "journal.h"

#define QUEUE_ENTRIES_MAX   1024
#define QUEUE_BYTES_MAX     (1024 * 1024)
#define SEND_BUFFER         (8 * 1024 * 1024)
#define RETRY_FIRST_USEC    (10 * UINT64_C(1000))
#define RETRY_ACCURACY_USEC UINT64_C(1000)
#define RETRY_LAST_USEC     (30 * UINT64_C(1000000))
/* OIS_REALTIME_USEC, OIS_MONOTONIC_USEC and OIS_DROPPED with values of 64 bits. */
#define SUFFIX_MAX 160

/*
 * No entry needs the protocol's way for large ones (a sealed memfd): the values of an event are
 * bounded, names have at most 64 bytes, MESSAGE is shorter than a field may be, and the sum stays
 * below the send buffer every socket starts with, 208 KiB, even where a larger one is refused.
 */
#define ENTRY_MAX (48 * 1024)
static_assert(EVENT_SIZE_MAX + _FIELD_MAX * (64 + 2) + 4096 + 1024 + SUFFIX_MAX <= ENTRY_MAX,
	      "entries grew");
static_assert(ENTRY_MAX < 208 * 1024, "entries no longer fit into a datagram");

/* Severities are priorities of syslog. */
#define SEVERITIES 8
static_assert(EVENT_SEVERITY_INFORMATION < SEVERITIES, "a severity has no queue");

struct entry {
	struct entry *next;
	uint64_t number; /* in the order of time */
	uint64_t realtime_usec, monotonic_usec;
	size_t length;
	uint8_t data[];
};

struct journal {
	int fd;
	struct sockaddr_un address;
	struct buffer scratch;
	/* By severity, so that the least important is found at once, with a thousand queued, too.
	 */
	struct queue {
		struct entry *oldest, **end;
	} queues[SEVERITIES];
	uint64_t n_entries; /* ever queued */
	unsigned n_queued;
	size_t bytes_queued;
	uint64_t dropped; /* not told yet */
	sd_event_source *retry;
	uint64_t retry_usec, tried_usec;
};

static bool is_temporary(int error)
{
	return error == -EAGAIN || error == -ENOBUFS || error == -ENOMEM || error == -ENOENT ||
	       error == -ECONNREFUSED || error == -EINTR;
}

/* Sends one entry; @late: with the times it should have had. What was dropped before is told along
 * with it. */
static int send_entry(struct journal *journal, const void *data, size_t length,
		      const struct entry *late)
{
	char suffix[SUFFIX_MAX];
	struct iovec parts[2];
	struct msghdr message = {
		.msg_name = &journal->address,
		.msg_namelen = sizeof(journal->address),
		.msg_iov = parts,
		.msg_iovlen = ELEMENTSOF(parts),
	};
	int n = 0;

	if (late)
		n = snprintf(suffix, sizeof(suffix),
			     "OIS_REALTIME_USEC=%" PRIu64 "\nOIS_MONOTONIC_USEC=%" PRIu64 "\n",
			     late->realtime_usec, late->monotonic_usec);
	if (journal->dropped > 0)
		n += snprintf(suffix + n, sizeof(suffix) - (size_t)n, "OIS_DROPPED=%" PRIu64 "\n",
			      journal->dropped);
	parts[0] = (struct iovec){ .iov_base = (void *)(uintptr_t)data, .iov_len = length };
	parts[1] = (struct iovec){ .iov_base = suffix, .iov_len = (size_t)n };
	if (sendmsg(journal->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return -errno;
	journal->dropped = 0;
	return 0;
}

/* Of a queue that is not empty. */
static void drop_oldest(struct journal *journal, struct queue *queue)
{
	struct entry *entry = queue->oldest;

	queue->oldest = entry->next;
	if (!entry->next)
		queue->end = &queue->oldest;
	journal->n_queued--;
	journal->bytes_queued -= entry->length;
	free(entry);
}

/* The queue with the oldest entry of all; NULL: all are empty. */
static struct queue *next_queue(struct journal *journal)
{
	struct queue *found = NULL;

	for (struct queue *q = journal->queues; q < journal->queues + SEVERITIES; q++)
		if (q->oldest && (!found || q->oldest->number < found->oldest->number))
			found = q;
	return found;
}

/* Makes room for an entry; false if all that is queued is more important. */
static bool make_room(struct journal *journal, enum event_severity severity, size_t length)
{
	struct queue *queue = journal->queues + SEVERITIES - 1;

	while (journal->n_queued > 0 && (journal->n_queued >= QUEUE_ENTRIES_MAX ||
					 journal->bytes_queued + length > QUEUE_BYTES_MAX)) {
		while (!queue->oldest)
			queue--;
		if (queue < journal->queues + severity)
			return false;
		drop_oldest(journal, queue);
		journal->dropped++;
	}
	return true;
}

static void queue_entry(struct journal *journal, enum event_severity severity,
			uint64_t realtime_usec, uint64_t monotonic_usec)
{
	struct queue *queue = &journal->queues[severity];
	size_t length = journal->scratch.length;
	struct entry *entry = NULL;

	if (make_room(journal, severity, length))
		entry = malloc(sizeof(*entry) + length);
	if (!entry) {
		journal->dropped++;
		return;
	}
	*entry = (struct entry){
		.number = journal->n_entries++,
		.realtime_usec = realtime_usec,
		.monotonic_usec = monotonic_usec,
		.length = length,
	};
	memcpy(entry->data, journal->scratch.data, length);
	*queue->end = entry;
	queue->end = &entry->next;
	journal->n_queued++;
	journal->bytes_queued += length;
}

/* Sends what is queued as far as the journal takes it. */
static void flush(struct journal *journal)
{
	struct queue *queue;

	while ((queue = next_queue(journal))) {
		const struct entry *entry = queue->oldest;
		int r = send_entry(journal, entry->data, entry->length, entry);

		if (is_temporary(r))
			return;
		if (r < 0)
			journal->dropped++;
		drop_oldest(journal, queue);
		journal->retry_usec = RETRY_FIRST_USEC;
	}
}

/* A timer that runs already keeps its time, so that a burst of events does not put it off for ever.
 */
static void schedule(struct journal *journal)
{
	int enabled = SD_EVENT_OFF;

	if (journal->n_queued == 0) {
		(void)sd_event_source_set_enabled(journal->retry, SD_EVENT_OFF);
		return;
	}
	(void)sd_event_source_get_enabled(journal->retry, &enabled);
	if (enabled != SD_EVENT_OFF)
		return;
	(void)sd_event_source_set_time_relative(journal->retry, journal->retry_usec);
	(void)sd_event_source_set_enabled(journal->retry, SD_EVENT_ONESHOT);
	if (journal->retry_usec < RETRY_LAST_USEC / 2)
		journal->retry_usec *= 2;
	else
		journal->retry_usec = RETRY_LAST_USEC;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct journal *journal = userdata;

	flush(journal);
	schedule(journal);
	return 0;
}

int journal_new(sd_event *event, const char *path, struct journal **ret)
{
	_cleanup_(journal_freep) struct journal *journal = NULL;
	int size = SEND_BUFFER;
	int r;

	journal = calloc(1, sizeof(*journal));
	if (!journal)
		return -ENOMEM;
	journal->fd = -EBADF;
	for (struct queue *q = journal->queues; q < journal->queues + SEVERITIES; q++)
		q->end = &q->oldest;
	journal->scratch.limit = ENTRY_MAX;
	journal->retry_usec = RETRY_FIRST_USEC;
	if (strlen(path) >= sizeof(journal->address.sun_path))
		return -ENAMETOOLONG;
	journal->address.sun_family = AF_UNIX;
	(void)strcpy(journal->address.sun_path, path);

	journal->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (journal->fd < 0)
		return -errno;
	if (setsockopt(journal->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(journal->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));

	r = sd_event_add_time(event, &journal->retry, CLOCK_MONOTONIC, 0, RETRY_ACCURACY_USEC,
			      on_retry, journal);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(journal->retry, SD_EVENT_OFF);
	if (r < 0)
		return r;
	(void)sd_event_source_set_description(journal->retry, "journal-retry");
	*ret = TAKE_PTR(journal);
	return 0;
}

struct journal *journal_free(struct journal *journal)
{
	if (!journal)
		return NULL;
	flush(journal);
	for (struct queue *q = journal->queues; q < journal->queues + SEVERITIES; q++)
		while (q->oldest)
			drop_oldest(journal, q);
	sd_event_source_disable_unref(journal->retry);
	buffer_done(&journal->scratch);
	close_fd(journal->fd);
	free(journal);
	return NULL;
}

static int serialize(struct buffer *buffer, const struct event *event, const char *message,
		     uint64_t repeated)
{
	const struct event_type *type = event_type(event);
	int r;

	buffer_clear(buffer);
	r = buffer_printf(buffer,
			  "MESSAGE=%s\nMESSAGE_ID=%s\nPRIORITY=%u\nSYSLOG_IDENTIFIER=oisd\n"
			  "DOCUMENTATION=man:ois-events(7)\nOIS_EVENT=%u\nOIS_SYMBOL=%s\n",
			  message, type->message_id, type->severity, type->number, type->symbol);
	if (repeated > 0 && r >= 0)
		r = buffer_printf(buffer, "OIS_REPEATED=%" PRIu64 "\n", repeated);
	for (enum event_field field = 0; field < _FIELD_MAX && r >= 0; field++) {
		const char *value = event_get(event, field);

		if (value)
			r = buffer_printf(buffer, "%s=%s\n", event_field_name(field), value);
	}
	return r;
}

/* A burst of events does not try for each of them. */
static bool may_try(struct journal *journal)
{
	uint64_t now = 0;

	(void)sd_event_now(sd_event_source_get_event(journal->retry), CLOCK_MONOTONIC, &now);
	if (now - journal->tried_usec < RETRY_FIRST_USEC)
		return false;
	journal->tried_usec = now;
	return true;
}

void journal_write(struct journal *journal, const struct event *event, const char *message,
		   uint64_t realtime_usec, uint64_t monotonic_usec, uint64_t repeated)
{
	enum event_severity severity = event_type(event)->severity;
	int r;

	r = serialize(&journal->scratch, event, message, repeated);
	if (r < 0) {
		journal->dropped++;
		return;
	}
	/* In order: what waits goes first. */
	if (journal->n_queued > 0 && may_try(journal))
		flush(journal);
	r = journal->n_queued > 0
		    ? -EAGAIN
		    : send_entry(journal, journal->scratch.data, journal->scratch.length, NULL);
	if (is_temporary(r))
		queue_entry(journal, severity, realtime_usec, monotonic_usec);
	else if (r < 0)
		journal->dropped++;
	schedule(journal);
}

void journal_count_dropped(struct journal *journal, uint64_t dropped)
{
	journal->dropped += dropped;
}

unsigned journal_queued(const struct journal *journal)
{
	return journal->n_queued;
}

uint64_t journal_dropped(const struct journal *journal)
{
	return journal->dropped;
}
