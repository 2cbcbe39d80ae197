// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal writer against a socket of our own: what entries look like, and what becomes of them
 * while the journal is absent, gone, or does not read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "fake_journal.h"
#include "journal.h"

#define QUEUE_MAX 1024
#define SECOND    UINT64_C(1000000)

struct fixture {
	struct fake_journal fake;
	sd_event *event;
	struct journal *journal;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fake_journal_init(&fixture->fake);
	assert_int_equal(sd_event_new(&fixture->event), 0);
	assert_int_equal(journal_new(fixture->event, fixture->fake.path, &fixture->journal), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	(void)journal_free(fixture->journal);
	sd_event_unref(fixture->event);
	fake_journal_done(&fixture->fake);
	free(fixture);
	return 0;
}

/* An event that names its place in the order as its session. */
static void write_one(struct fixture *fixture, enum event_number number, uint64_t session)
{
	_cleanup_(event_freep) struct event *event = event_new(number);
	_cleanup_free_ char *message = NULL;

	event_set_number(event, FIELD_SESSION, session);
	assert_int_equal(event_message(event, &message), 0);
	journal_write(fixture->journal, event, message, 1000 + session, 2000 + session, 0);
}

/* Runs the loop until the journal has an entry; the writer's timer decides when. */
static void wait_entry(struct fixture *fixture)
{
	while (!fake_journal_receive(&fixture->fake))
		assert_int_equal(sd_event_run(fixture->event, 60 * SECOND), 1);
}

static void test_entry(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(event_freep) struct event *event = event_new(EVENT_CONNECT_FAILED);

	fake_journal_bind(&fixture->fake);
	event_set_string(event, FIELD_TARGET, "iqn.2003-01.org.example:a");
	event_set_number(event, FIELD_DUMP_PORT, 3260);
	journal_write(fixture->journal, event, "a = b", 1, 2, 0);
	assert_true(fake_journal_receive(&fixture->fake));
	assert_string_equal(fixture->fake.entry, "MESSAGE=a = b\n"
						 "MESSAGE_ID=08d9494dbfb34ec49b18eadcb2750001\n"
						 "PRIORITY=3\n"
						 "SYSLOG_IDENTIFIER=oisd\n"
						 "DOCUMENTATION=man:ois-events(7)\n"
						 "OIS_EVENT=1\n"
						 "OIS_SYMBOL=CONNECT_FAILED\n"
						 "OIS_TARGET=iqn.2003-01.org.example:a\n"
						 "OIS_DUMP_PORT=3260\n");
	assert_false(fake_journal_receive(&fixture->fake));

	journal_write(fixture->journal, event, "again", 1, 2, 7);
	assert_true(fake_journal_receive(&fixture->fake));
	assert_string_equal(fake_journal_field(&fixture->fake, "OIS_REPEATED"), "7");
	assert_null(fake_journal_field(&fixture->fake, "OIS_REALTIME_USEC"));
	assert_null(fake_journal_field(&fixture->fake, "OIS_DROPPED"));
}

/* The largest entry of every row goes through in one datagram, also with a small send buffer. */
static void test_largest(void **state)
{
	struct fixture *fixture = *state;
	const struct event_type *type;
	char text[4200];

	fake_journal_bind(&fixture->fake);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; (type = event_type_at(i)); i++) {
		_cleanup_(event_freep) struct event *event = event_new(type->number);
		_cleanup_free_ char *message = NULL;

		for (enum event_field field = 0; field < _FIELD_MAX; field++)
			if (event_type_allows(type, field))
				event_set_string(event, field, text);
		assert_int_equal(event_message(event, &message), 0);
		journal_write(fixture->journal, event, message, UINT64_MAX, UINT64_MAX, UINT64_MAX);
		assert_true(fake_journal_receive(&fixture->fake));
		assert_true(fixture->fake.length > 16384 && fixture->fake.length < 48 * 1024);
		assert_int_equal(fake_journal_number(&fixture->fake, "OIS_EVENT"), type->number);
		assert_int_equal(fake_journal_number(&fixture->fake, "PRIORITY"), type->severity);
		assert_string_equal(fake_journal_field(&fixture->fake, "MESSAGE_ID"),
				    type->message_id);
	}
	assert_int_equal(journal_dropped(fixture->journal), 0);
}

/* No socket yet: entries wait, come in order, and say when they happened. */
static void test_absent(void **state)
{
	struct fixture *fixture = *state;

	for (uint64_t i = 0; i < 3; i++)
		write_one(fixture, EVENT_LOGIN_TIMEOUT, i);
	assert_int_equal(journal_queued(fixture->journal), 3);
	fake_journal_bind(&fixture->fake);
	for (uint64_t i = 0; i < 3; i++) {
		wait_entry(fixture);
		assert_int_equal(fake_journal_number(&fixture->fake, "OIS_SESSION"), i);
		assert_int_equal(fake_journal_number(&fixture->fake, "OIS_REALTIME_USEC"),
				 1000 + i);
		assert_int_equal(fake_journal_number(&fixture->fake, "OIS_MONOTONIC_USEC"),
				 2000 + i);
		assert_null(fake_journal_field(&fixture->fake, "OIS_DROPPED"));
	}
	assert_int_equal(journal_queued(fixture->journal), 0);
	assert_false(fake_journal_receive(&fixture->fake));
}

/* An inode nobody listens on, then a new journal: found without a new connection. */
static void test_restarted(void **state)
{
	struct fixture *fixture = *state;
	uint64_t n = 1;

	fake_journal_bind(&fixture->fake);
	write_one(fixture, EVENT_LOGIN_TIMEOUT, 0);
	assert_true(fake_journal_receive(&fixture->fake));
	fake_journal_close(&fixture->fake);
	write_one(fixture, EVENT_LOGIN_TIMEOUT, 1);
	assert_int_equal(journal_queued(fixture->journal), 1);

	/* An event soon pushes what waits, and goes after it. */
	fake_journal_bind(&fixture->fake);
	while (journal_queued(fixture->journal) > 0) {
		(void)poll(NULL, 0, 1); /* or they are a burst */
		write_one(fixture, EVENT_LOGIN_TIMEOUT, ++n);
	}
	for (uint64_t i = 1; i <= n; i++) {
		assert_true(fake_journal_receive(&fixture->fake));
		assert_int_equal(fake_journal_number(&fixture->fake, "OIS_SESSION"), i);
	}
	assert_null(fake_journal_field(&fixture->fake, "OIS_REALTIME_USEC"));
}

static int count_turn(sd_event_source *source, void *userdata)
{
	(*(unsigned *)userdata)++;
	return 0;
}

/* The journal is there and does not read: the loop goes on, memory is bounded, and the loss is
 * told. */
static void test_hanging(void **state)
{
	struct fixture *fixture = *state;
	sd_event_source *source = NULL;
	unsigned turns = 0;
	uint64_t expected;

	fake_journal_bind(&fixture->fake);
	for (uint64_t i = 0; i < 4 * QUEUE_MAX; i++)
		write_one(fixture, EVENT_RECONNECTED, i);
	assert_int_equal(journal_queued(fixture->journal), QUEUE_MAX);
	assert_true(journal_dropped(fixture->journal) > 0);

	assert_int_equal(sd_event_add_defer(fixture->event, &source, count_turn, &turns), 0);
	assert_int_equal(sd_event_source_set_enabled(source, SD_EVENT_ON), 0);
	while (turns < 100)
		assert_int_equal(sd_event_run(fixture->event, 0), 1);
	sd_event_source_disable_unref(source);

	/* What the socket held came before the loss; the first of the queue tells of it. */
	expected = journal_dropped(fixture->journal);
	for (uint64_t i = 0;; i++) {
		wait_entry(fixture);
		if (fake_journal_field(&fixture->fake, "OIS_DROPPED"))
			break;
		assert_int_equal(fake_journal_number(&fixture->fake, "OIS_SESSION"), i);
	}
	assert_int_equal(fake_journal_number(&fixture->fake, "OIS_DROPPED"), expected);
	assert_int_equal(journal_dropped(fixture->journal), 0);
	assert_int_equal(fake_journal_number(&fixture->fake, "OIS_SESSION"), 3 * QUEUE_MAX);
	for (uint64_t i = 1; i < QUEUE_MAX; i++) {
		wait_entry(fixture);
		assert_int_equal(fake_journal_number(&fixture->fake, "OIS_SESSION"),
				 3 * QUEUE_MAX + i);
		assert_null(fake_journal_field(&fixture->fake, "OIS_DROPPED"));
	}
	assert_int_equal(journal_queued(fixture->journal), 0);
}

/* When the queue is full, the oldest of the least important goes. */
static void test_importance(void **state)
{
	struct fixture *fixture = *state;

	write_one(fixture, EVENT_LOGIN_TIMEOUT, 0);  /* error */
	write_one(fixture, EVENT_RECONNECTED, 1);    /* information */
	write_one(fixture, EVENT_KERNEL_OVERRUN, 2); /* warning */
	for (uint64_t i = 3; i < QUEUE_MAX; i++)
		write_one(fixture, EVENT_LOGIN_TIMEOUT, i);
	assert_int_equal(journal_dropped(fixture->journal), 0);
	write_one(fixture, EVENT_LOGIN_TIMEOUT, QUEUE_MAX);     /* instead of 1 */
	write_one(fixture, EVENT_RECONNECTED, QUEUE_MAX + 1);   /* nothing is less important */
	write_one(fixture, EVENT_LOGIN_TIMEOUT, QUEUE_MAX + 2); /* instead of 2 */
	write_one(fixture, EVENT_LOGIN_TIMEOUT, QUEUE_MAX + 3); /* instead of 0 */
	write_one(fixture, EVENT_RECONNECTED, QUEUE_MAX + 4);   /* only errors are left */
	assert_int_equal(journal_queued(fixture->journal), QUEUE_MAX);
	assert_int_equal(journal_dropped(fixture->journal), 5);

	fake_journal_bind(&fixture->fake);
	for (uint64_t i = 0; i < QUEUE_MAX; i++) {
		uint64_t session = i + 3 + (i >= QUEUE_MAX - 2);

		wait_entry(fixture);
		assert_int_equal(fake_journal_number(&fixture->fake, "OIS_SESSION"), session);
		assert_int_equal(fake_journal_number(&fixture->fake, "OIS_DROPPED"),
				 i == 0 ? 5 : 0);
	}
}

/* Large entries fill the queue by their bytes. */
static void test_bytes(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(event_freep) struct event *event = event_new(EVENT_LOGIN_TIMEOUT);
	char text[4001];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	event_set_string(event, FIELD_TARGET, text);
	event_set_string(event, FIELD_PORTAL, text);
	for (unsigned i = 0; i < QUEUE_MAX; i++)
		journal_write(fixture->journal, event, text, 1, 2, 0);
	assert_in_range(journal_queued(fixture->journal), 80, 1024 * 1024 / 12000);
	assert_int_equal(journal_queued(fixture->journal) + journal_dropped(fixture->journal),
			 QUEUE_MAX);
}

static void test_counted(void **state)
{
	struct fixture *fixture = *state;

	fake_journal_bind(&fixture->fake);
	journal_count_dropped(fixture->journal, 5);
	journal_count_dropped(fixture->journal, 6);
	write_one(fixture, EVENT_LOGIN_TIMEOUT, 0);
	assert_true(fake_journal_receive(&fixture->fake));
	assert_int_equal(fake_journal_number(&fixture->fake, "OIS_DROPPED"), 11);
	write_one(fixture, EVENT_LOGIN_TIMEOUT, 0);
	assert_true(fake_journal_receive(&fixture->fake));
	assert_null(fake_journal_field(&fixture->fake, "OIS_DROPPED"));
}

/* Nothing queued, nothing to wake up for; something queued, and the timer comes. */
static void test_idle(void **state)
{
	struct fixture *fixture = *state;

	fake_journal_bind(&fixture->fake);
	write_one(fixture, EVENT_LOGIN_TIMEOUT, 0);
	assert_int_equal(sd_event_run(fixture->event, SECOND / 10), 0);
	fake_journal_close(&fixture->fake);
	write_one(fixture, EVENT_LOGIN_TIMEOUT, 1);
	assert_int_equal(sd_event_run(fixture->event, 60 * SECOND), 1);
	assert_int_equal(journal_queued(fixture->journal), 1);
	fake_journal_bind(&fixture->fake);
	wait_entry(fixture);
	assert_int_equal(sd_event_run(fixture->event, SECOND / 10), 0);
}

/* What waits at the end gets a last try. */
static void test_last_try(void **state)
{
	struct fixture *fixture = *state;

	write_one(fixture, EVENT_DAEMON_STOPPED, 0);
	fake_journal_bind(&fixture->fake);
	fixture->journal = journal_free(fixture->journal);
	assert_true(fake_journal_receive(&fixture->fake));
	assert_int_equal(fake_journal_number(&fixture->fake, "OIS_EVENT"), EVENT_DAEMON_STOPPED);
}

static void test_path(void **state)
{
	struct fixture *fixture = *state;
	struct journal *journal = NULL;
	char path[200];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(journal_new(fixture->event, path, &journal), -ENAMETOOLONG);
	assert_null(journal);
	assert_null(journal_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_entry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_largest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_absent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restarted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hanging, setup, teardown),
		cmocka_unit_test_setup_teardown(test_importance, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_try, setup, teardown),
		cmocka_unit_test_setup_teardown(test_path, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
