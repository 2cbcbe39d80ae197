// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The event log: numbers and history, who is told and in which order, and the rate at which the
 * journal gets events, with a clock the test moves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "eventlog.h"
#include "fake_journal.h"

#define SECOND  UINT64_C(1000000)
#define HISTORY 8

struct fixture {
	struct fake_journal fake;
	sd_event *event;
	struct journal *journal;
	struct eventlog *log;
	uint64_t now_usec; /* monotonic */
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fake_journal_init(&fixture->fake);
	fake_journal_bind(&fixture->fake);
	assert_int_equal(sd_event_new(&fixture->event), 0);
	assert_int_equal(journal_new(fixture->event, fixture->fake.path, &fixture->journal), 0);
	assert_int_equal(eventlog_new(fixture->event, fixture->journal, HISTORY, &fixture->log), 0);
	fixture->now_usec = 5 * SECOND;
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	(void)eventlog_free(fixture->log);
	(void)journal_free(fixture->journal);
	sd_event_unref(fixture->event);
	fake_journal_done(&fixture->fake);
	free(fixture);
	return 0;
}

static void raise_event(struct fixture *fixture, enum event_number number, const char *target,
			const char *portal)
{
	struct event *event = event_new(number);

	event_set_string(event, FIELD_TARGET, target);
	event_set_string(event, FIELD_PORTAL, portal);
	eventlog_raise_at(fixture->log, event, 1000 * SECOND + fixture->now_usec,
			  fixture->now_usec);
}

/* Entries the journal got since the last call; the last of them stays in fixture->fake. */
static unsigned journal_got(struct fixture *fixture)
{
	unsigned n = 0;

	while (fake_journal_receive(&fixture->fake))
		n++;
	return n;
}

static void test_entries(void **state)
{
	struct fixture *fixture = *state;
	const struct eventlog_entry *entry;

	assert_int_equal(eventlog_last(fixture->log), 0);
	assert_null(eventlog_after(fixture->log, 0));
	raise_event(fixture, EVENT_LOGIN_TIMEOUT, "iqn.2003-01.org.example:a", NULL);
	entry = eventlog_after(fixture->log, 0);
	assert_non_null(entry);
	assert_int_equal(entry->sequence, 1);
	assert_int_equal(entry->realtime_usec, 1005 * SECOND);
	assert_int_equal(entry->monotonic_usec, 5 * SECOND);
	assert_string_equal(entry->message,
			    "Target iqn.2003-01.org.example:a did not answer the login in time");
	assert_int_equal(event_type(entry->event)->number, EVENT_LOGIN_TIMEOUT);
	assert_int_equal(journal_got(fixture), 1);
	assert_string_equal(fake_journal_field(&fixture->fake, "MESSAGE"), entry->message);
	assert_null(eventlog_after(fixture->log, 1));
	assert_null(eventlog_after(fixture->log, 2));
	assert_null(eventlog_after(fixture->log, UINT64_MAX));
}

/* The loop's clock is used when no time is given. */
static void test_clock(void **state)
{
	struct fixture *fixture = *state;
	const struct eventlog_entry *entry;
	uint64_t realtime_usec = 0, monotonic_usec = 0;

	(void)sd_event_now(fixture->event, CLOCK_REALTIME, &realtime_usec);
	(void)sd_event_now(fixture->event, CLOCK_MONOTONIC, &monotonic_usec);
	eventlog_raise(fixture->log, event_new(EVENT_DAEMON_STARTED));
	entry = eventlog_after(fixture->log, 0);
	assert_in_range(entry->realtime_usec, realtime_usec, realtime_usec + 600 * SECOND);
	assert_in_range(entry->monotonic_usec, monotonic_usec, monotonic_usec + 600 * SECOND);
}

static void test_history(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		uint64_t after, first;
	} rows[] = {
		{ 0, 13 }, { 11, 13 }, { 12, 13 }, { 13, 14 }, { 19, 20 },
	};
	uint64_t expected = 13;

	for (unsigned i = 0; i < 20; i++)
		raise_event(fixture, EVENT_RECONNECTED, NULL, NULL);
	assert_int_equal(eventlog_last(fixture->log), 20);
	for (const struct eventlog_entry *entry = eventlog_after(fixture->log, 0); entry;
	     entry = eventlog_after(fixture->log, entry->sequence))
		assert_int_equal(entry->sequence, expected++);
	assert_int_equal(expected, 21);
	for (size_t i = 0; i < ELEMENTSOF(rows); i++)
		assert_int_equal(eventlog_after(fixture->log, rows[i].after)->sequence,
				 rows[i].first);
	assert_null(eventlog_after(fixture->log, 20));
}

static void test_no_history(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(eventlog_freep) struct eventlog *log = NULL;

	assert_int_equal(eventlog_new(fixture->event, fixture->journal, 0, &log), 0);
	eventlog_raise(log, event_new(EVENT_DAEMON_STARTED));
	eventlog_raise(log, event_new(EVENT_DAEMON_STOPPED));
	assert_int_equal(eventlog_after(log, 0)->sequence, 2);
}

/* A subscriber that remembers what it was told. */
struct listener {
	struct fixture *fixture;
	struct eventlog_subscription *subscription;
	struct listener *other;
	uint64_t told[64];
	size_t n_told;
	unsigned raise;    /* events to raise when first told */
	bool leave;        /* unsubscribe when told */
	bool remove_other; /* unsubscribe the other when told */
};

static void on_event(const struct eventlog_entry *entry, void *userdata)
{
	struct listener *listener = userdata;

	assert_true(listener->n_told < ELEMENTSOF(listener->told));
	listener->told[listener->n_told++] = entry->sequence;
	for (; listener->raise > 0; listener->raise--) {
		uint64_t sequence = entry->sequence;

		raise_event(listener->fixture, EVENT_RECONNECTED, NULL, NULL);
		assert_int_equal(entry->sequence, sequence);
		assert_non_null(entry->message);
	}
	if (listener->leave)
		listener->subscription = eventlog_unsubscribe(listener->subscription);
	if (listener->remove_other)
		listener->other->subscription = eventlog_unsubscribe(listener->other->subscription);
}

static void listen_to(struct fixture *fixture, struct listener *listener)
{
	listener->fixture = fixture;
	assert_int_equal(
		eventlog_subscribe(fixture->log, on_event, listener, &listener->subscription), 0);
}

static void test_subscribers(void **state)
{
	struct fixture *fixture = *state;
	struct listener a = { 0 }, b = { .leave = true };

	raise_event(fixture, EVENT_RECONNECTED, NULL, NULL);
	listen_to(fixture, &a);
	listen_to(fixture, &b);
	for (unsigned i = 0; i < 30; i++)
		raise_event(fixture, EVENT_RECONNECTED, NULL, NULL);
	/* All of them, though the journal got fewer. */
	assert_int_equal(a.n_told, 30);
	for (size_t i = 0; i < a.n_told; i++)
		assert_int_equal(a.told[i], i + 2);
	assert_int_equal(journal_got(fixture), EVENTLOG_BURST);
	assert_int_equal(b.n_told, 1);
	assert_null(b.subscription);
	a.subscription = eventlog_unsubscribe(a.subscription);
	raise_event(fixture, EVENT_RECONNECTED, NULL, NULL);
	assert_int_equal(a.n_told, 30);
	assert_null(eventlog_unsubscribe(NULL));
}

/* Whoever raises an event while told of one: all subscribers see both, in order. */
static void test_raise_when_told(void **state)
{
	struct fixture *fixture = *state;
	struct listener a = { .raise = 2 }, b = { .raise = 1 };

	listen_to(fixture, &a);
	listen_to(fixture, &b);
	raise_event(fixture, EVENT_RECONNECTED, NULL, NULL);
	assert_int_equal(a.n_told, 4);
	assert_int_equal(b.n_told, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(a.told[i], i + 1);
		assert_int_equal(b.told[i], i + 1);
	}
}

/* More than memory holds: the entry being told stays valid, what did not fit is a gap. */
static void test_raise_too_many(void **state)
{
	struct fixture *fixture = *state;
	struct listener a = { .raise = 3 * HISTORY };

	listen_to(fixture, &a);
	raise_event(fixture, EVENT_RECONNECTED, NULL, NULL);
	assert_int_equal(eventlog_last(fixture->log), 1 + 3 * HISTORY);
	assert_int_equal(a.n_told, HISTORY);
	for (size_t i = 0; i < a.n_told; i++)
		assert_int_equal(a.told[i], i + 1);
	raise_event(fixture, EVENT_RECONNECTED, NULL, NULL);
	assert_int_equal(a.told[a.n_told - 1], 2 + 3 * HISTORY);
	assert_int_equal(eventlog_after(fixture->log, 20)->sequence, 2 + 3 * HISTORY);
}

static void test_remove_when_told(void **state)
{
	struct fixture *fixture = *state;
	struct listener a = { 0 }, b = { .remove_other = true };

	/* The later subscriber is told first. */
	listen_to(fixture, &a);
	listen_to(fixture, &b);
	b.other = &a;
	raise_event(fixture, EVENT_RECONNECTED, NULL, NULL);
	raise_event(fixture, EVENT_RECONNECTED, NULL, NULL);
	assert_int_equal(a.n_told, 0);
	assert_int_equal(b.n_told, 2);
}

static void test_rate(void **state)
{
	struct fixture *fixture = *state;

	for (unsigned i = 0; i < EVENTLOG_BURST + 5; i++)
		raise_event(fixture, EVENT_LOGIN_TIMEOUT, "a", "p");
	assert_int_equal(journal_got(fixture), EVENTLOG_BURST);
	assert_null(fake_journal_field(&fixture->fake, "OIS_REPEATED"));

	/* Another portal, target or event has a bucket of its own. */
	raise_event(fixture, EVENT_LOGIN_TIMEOUT, "a", "q");
	raise_event(fixture, EVENT_LOGIN_TIMEOUT, "b", "p");
	raise_event(fixture, EVENT_LOGIN_TIMEOUT, "ap", NULL);
	raise_event(fixture, EVENT_LOGIN_TIMEOUT, NULL, "ap");
	raise_event(fixture, EVENT_LOGOUT_TIMEOUT, "a", "p");
	assert_int_equal(journal_got(fixture), 5);
	assert_null(fake_journal_field(&fixture->fake, "OIS_REPEATED"));

	fixture->now_usec += EVENTLOG_INTERVAL_USEC - 1;
	raise_event(fixture, EVENT_LOGIN_TIMEOUT, "a", "p");
	assert_int_equal(journal_got(fixture), 0);
	fixture->now_usec += 1;
	raise_event(fixture, EVENT_LOGIN_TIMEOUT, "a", "p");
	raise_event(fixture, EVENT_LOGIN_TIMEOUT, "a", "p");
	assert_int_equal(journal_got(fixture), 1);
	assert_int_equal(fake_journal_number(&fixture->fake, "OIS_REPEATED"), 6);

	/* After a long silence the bucket is full again, and not fuller than that. */
	fixture->now_usec += 1000 * EVENTLOG_INTERVAL_USEC;
	raise_event(fixture, EVENT_LOGIN_TIMEOUT, "a", "p");
	assert_int_equal(journal_got(fixture), 1);
	assert_int_equal(fake_journal_number(&fixture->fake, "OIS_REPEATED"), 1);
	for (unsigned i = 1; i < 2 * EVENTLOG_BURST; i++)
		raise_event(fixture, EVENT_LOGIN_TIMEOUT, "a", "p");
	assert_int_equal(journal_got(fixture), EVENTLOG_BURST - 1);
}

/* More objects than the table holds: each still reports, and what the table forgets is counted. */
static void test_many_objects(void **state)
{
	struct fixture *fixture = *state;
	uint64_t got = 0, told = 0, raised = 0;
	char target[32];

	for (unsigned i = 0; i < 6000; i++) {
		(void)snprintf(target, sizeof(target), "iqn.2003-01.org.example:%u", i);
		for (unsigned j = 0; j < EVENTLOG_BURST + 2; j++, raised++)
			raise_event(fixture, EVENT_LOGIN_TIMEOUT, target, NULL);
		while (fake_journal_receive(&fixture->fake)) {
			got++;
			told += fake_journal_number(&fixture->fake, "OIS_DROPPED");
			told += fake_journal_number(&fixture->fake, "OIS_REPEATED");
		}
	}
	assert_int_equal(got, 6000 * EVENTLOG_BURST);
	assert_true(told + journal_dropped(fixture->journal) <= raised - got);
	/* At most the table's 4096 places still owe two each. */
	assert_true(told + journal_dropped(fixture->journal) >= raised - got - 2 * 4096);
}

/* An event that could not be made for lack of memory is not forgotten. */
static void test_no_memory(void **state)
{
	struct fixture *fixture = *state;

	eventlog_raise(fixture->log, NULL);
	assert_int_equal(eventlog_last(fixture->log), 0);
	assert_int_equal(journal_got(fixture), 0);
	raise_event(fixture, EVENT_LOGIN_TIMEOUT, "a", NULL);
	assert_int_equal(journal_got(fixture), 1);
	assert_int_equal(fake_journal_number(&fixture->fake, "OIS_DROPPED"), 1);
	assert_null(eventlog_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_history, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_history, setup, teardown),
		cmocka_unit_test_setup_teardown(test_subscribers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_raise_when_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_raise_too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove_when_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_objects, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
