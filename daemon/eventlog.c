/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The last entries are in a ring, where the sequence number says the place. The rate of the journal
 * is limited by one bucket per event and object, in a table of fixed size: a set of four places per
 * hash value, of which the one that matters least is taken over when a fifth object comes.
 */
#include <assert.h>
#include <string.h>

#include "eventlog.h"

#define BUCKET_SETS     1024
#define BUCKETS_PER_SET 4

/*
 * A token bucket kept as the time at which it will be full again: each entry puts that time off by
 * one interval, and it may lie as many intervals ahead as the bucket holds tokens.
 */
struct bucket {
	uint64_t key; /* 0: unused */
	uint64_t full_at_usec;
	uint64_t repeated; /* entries left out since the last one */
};

struct slot {
	struct eventlog_entry entry;
	struct event *event;
	char *message;
};

struct eventlog_subscription {
	struct eventlog *log;
	struct eventlog_subscription *next;
	eventlog_callback_t callback; /* NULL: ended during a delivery */
	void *userdata;
};

struct eventlog {
	sd_event *event;
	struct journal *journal;
	uint64_t sequence;
	uint64_t delivering; /* sequence number, 0: none */
	struct eventlog_subscription *subscriptions;
	size_t n_slots;
	struct slot *slots;
	struct bucket buckets[BUCKET_SETS][BUCKETS_PER_SET];
};

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t length)
{
	const uint8_t *bytes = data;

	/* FNV-1a. A collision only makes two objects share a bucket. */
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* Same event, same target, same portal. */
static uint64_t bucket_key(const struct event *event)
{
	static const enum event_field object[] = { FIELD_TARGET, FIELD_PORTAL };
	unsigned number = event_type(event)->number;
	uint64_t hash = hash_bytes(UINT64_C(0xcbf29ce484222325), &number, sizeof(number));

	for (size_t i = 0; i < ELEMENTSOF(object); i++) {
		const char *value = event_get(event, object[i]);

		if (value)
			hash = hash_bytes(hash, value, strlen(value));
		hash = hash_bytes(hash, "", 1);
	}
	return hash ? hash : 1;
}

/* True if @a is the better one to take over: it owes no report, then the one used longer ago. */
static bool matters_less(const struct bucket *a, const struct bucket *b)
{
	if ((a->repeated > 0) != (b->repeated > 0))
		return a->repeated == 0;
	return a->full_at_usec < b->full_at_usec;
}

static struct bucket *find_bucket(struct eventlog *log, uint64_t key)
{
	struct bucket *set = log->buckets[key % BUCKET_SETS];
	struct bucket *victim = &set[0];

	for (size_t i = 0; i < BUCKETS_PER_SET; i++) {
		if (set[i].key == key)
			return &set[i];
		if (matters_less(&set[i], victim))
			victim = &set[i];
	}
	journal_count_dropped(log->journal, victim->repeated);
	*victim = (struct bucket){ .key = key };
	return victim;
}

/* Takes a token; false if there is none, and the event is then counted as repeated. */
static bool take_token(struct bucket *bucket, uint64_t now_usec)
{
	uint64_t from = bucket->full_at_usec > now_usec ? bucket->full_at_usec : now_usec;

	if (from + EVENTLOG_INTERVAL_USEC - now_usec > EVENTLOG_BURST * EVENTLOG_INTERVAL_USEC) {
		bucket->repeated++;
		return false;
	}
	bucket->full_at_usec = from + EVENTLOG_INTERVAL_USEC;
	return true;
}

static void write_journal(struct eventlog *log, const struct eventlog_entry *entry)
{
	struct bucket *bucket = find_bucket(log, bucket_key(entry->event));

	if (!take_token(bucket, entry->monotonic_usec))
		return;
	journal_write(log->journal, entry->event, entry->message, entry->realtime_usec,
		      entry->monotonic_usec, bucket->repeated);
	bucket->repeated = 0;
}

static void slot_done(struct slot *slot)
{
	(void)event_free(slot->event);
	free(slot->message);
	*slot = (struct slot){ 0 };
}

static struct slot *slot_at(const struct eventlog *log, uint64_t sequence)
{
	return &log->slots[sequence % log->n_slots];
}

/* Keeps an entry in memory; its place is freed of the oldest one. */
static void keep(struct eventlog *log, struct slot *slot)
{
	struct slot *place = slot_at(log, slot->entry.sequence);

	/* A callback raised more events than memory holds: what is being delivered must stay. */
	if (log->delivering > 0 && slot->entry.sequence - log->delivering >= log->n_slots) {
		slot_done(slot);
		return;
	}
	slot_done(place);
	*place = *slot;
}

static void sweep(struct eventlog *log)
{
	struct eventlog_subscription **at = &log->subscriptions;

	while (*at) {
		struct eventlog_subscription *subscription = *at;

		if (subscription->callback) {
			at = &subscription->next;
			continue;
		}
		*at = subscription->next;
		free(subscription);
	}
}

/* Tells subscribers of event @first and of those raised while they are told. */
static void deliver(struct eventlog *log, uint64_t first)
{
	for (log->delivering = first; log->delivering <= log->sequence; log->delivering++) {
		const struct eventlog_entry *entry = &slot_at(log, log->delivering)->entry;

		if (entry->sequence != log->delivering)
			continue;
		for (struct eventlog_subscription *s = log->subscriptions; s; s = s->next)
			if (s->callback)
				s->callback(entry, s->userdata);
	}
	log->delivering = 0;
	sweep(log);
}

int eventlog_new(sd_event *event, struct journal *journal, size_t history, struct eventlog **ret)
{
	_cleanup_(eventlog_freep) struct eventlog *log = NULL;

	log = calloc(1, sizeof(*log));
	if (!log)
		return -ENOMEM;
	log->n_slots = history > 0 ? history : 1;
	log->slots = calloc(log->n_slots, sizeof(*log->slots));
	if (!log->slots)
		return -ENOMEM;
	log->event = sd_event_ref(event);
	log->journal = journal;
	*ret = TAKE_PTR(log);
	return 0;
}

struct eventlog *eventlog_free(struct eventlog *log)
{
	if (!log)
		return NULL;
	for (struct eventlog_subscription *s = log->subscriptions; s; s = s->next)
		s->callback = NULL;
	sweep(log);
	for (size_t i = 0; log->slots && i < log->n_slots; i++)
		slot_done(&log->slots[i]);
	free(log->slots);
	sd_event_unref(log->event);
	free(log);
	return NULL;
}

void eventlog_raise_at(struct eventlog *log, struct event *event, uint64_t realtime_usec,
		       uint64_t monotonic_usec)
{
	_cleanup_(event_freep) struct event *owned = event;
	struct slot slot = { 0 };

	if (event_message(event, &slot.message) < 0) {
		journal_count_dropped(log->journal, 1);
		return;
	}
	slot.event = TAKE_PTR(owned);
	slot.entry = (struct eventlog_entry){
		.sequence = ++log->sequence,
		.realtime_usec = realtime_usec,
		.monotonic_usec = monotonic_usec,
		.event = slot.event,
		.message = slot.message,
	};
	write_journal(log, &slot.entry);
	keep(log, &slot);
	if (log->delivering == 0)
		deliver(log, log->sequence);
}

void eventlog_raise(struct eventlog *log, struct event *event)
{
	uint64_t realtime_usec = 0, monotonic_usec = 0;

	(void)sd_event_now(log->event, CLOCK_REALTIME, &realtime_usec);
	(void)sd_event_now(log->event, CLOCK_MONOTONIC, &monotonic_usec);
	eventlog_raise_at(log, event, realtime_usec, monotonic_usec);
}

int eventlog_subscribe(struct eventlog *log, eventlog_callback_t callback, void *userdata,
		       struct eventlog_subscription **ret)
{
	struct eventlog_subscription *subscription;

	assert(callback);
	subscription = malloc(sizeof(*subscription));
	if (!subscription)
		return -ENOMEM;
	*subscription = (struct eventlog_subscription){
		.log = log,
		.next = log->subscriptions,
		.callback = callback,
		.userdata = userdata,
	};
	log->subscriptions = subscription;
	*ret = subscription;
	return 0;
}

struct eventlog_subscription *eventlog_unsubscribe(struct eventlog_subscription *subscription)
{
	if (!subscription)
		return NULL;
	subscription->callback = NULL;
	if (subscription->log->delivering == 0)
		sweep(subscription->log);
	return NULL;
}

const struct eventlog_entry *eventlog_after(const struct eventlog *log, uint64_t sequence)
{
	uint64_t oldest = log->sequence > log->n_slots ? log->sequence - log->n_slots + 1 : 1;

	if (sequence >= log->sequence)
		return NULL;
	for (uint64_t i = sequence < oldest ? oldest : sequence + 1; i <= log->sequence; i++)
		if (slot_at(log, i)->entry.sequence == i)
			return &slot_at(log, i)->entry;
	return NULL;
}

uint64_t eventlog_last(const struct eventlog *log)
{
	return log->sequence;
}
