// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptors and calls behind one source: who has its turn, in which order, and what is taken
 * back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "poller.h"
#include "turn.h"

#define MANY 40 /* more than have their turn at once */

static sd_event *event;
static struct poller *poller;

struct thing {
	int fd;
	struct poller_entry *entry;
	struct poller_call call;
	struct thing *other; /* removed, or taken back, in its turn */
	bool again;          /* asks for itself again */
	bool slow;           /* takes as long as a turn may last, at the most */
	unsigned n;
};

static struct thing things[MANY];
static char order[4 * MANY];

/* Only the default loop has turns that end by the clock. */
static int set_up(void **state)
{
	memset(things, 0, sizeof(things));
	order[0] = '\0';
	assert_true((*state ? sd_event_default(&event) : sd_event_new(&event)) >= 0);
	assert_int_equal(poller_new(event, &poller), 0);
	assert_ptr_equal(poller_event(poller), event);
	for (int i = 0; i < MANY; i++) {
		things[i].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		assert_true(things[i].fd >= 0);
	}
	alarm(60);
	return 0;
}

static int tear_down(void **state)
{
	for (int i = 0; i < MANY; i++) {
		things[i].entry = poller_remove(things[i].entry);
		poller_call_off(&things[i].call);
		things[i].fd = close_fd(things[i].fd);
	}
	poller = poller_free(poller);
	event = sd_event_unref(event);
	alarm(0);
	return 0;
}

static void note(const struct thing *thing, char what)
{
	size_t length = strlen(order);

	assert_true(length + 1 < sizeof(order));
	order[length] = thing - things < 10 ? (char)(what + (thing - things)) : '.';
	order[length + 1] = '\0';
}

static void take_time(const struct thing *thing)
{
	while (thing->slow && !turn_is_over())
		;
}

static void on_call(void *userdata)
{
	struct thing *thing = userdata;

	take_time(thing);
	thing->n++;
	note(thing, 'a');
	if (thing->other)
		poller_call_off(&thing->other->call);
	if (thing->again)
		poller_call_later(poller, &thing->call, on_call, thing);
}

static void on_ready(void *userdata, uint32_t revents)
{
	struct thing *thing = userdata;
	eventfd_t value;

	take_time(thing);
	assert_int_equal(revents, EPOLLIN);
	assert_int_equal(eventfd_read(thing->fd, &value), 0);
	thing->n++;
	note(thing, 'A');
	if (thing->other)
		thing->other->entry = poller_remove(thing->other->entry);
	poller_call_later(poller, &thing->call, on_call, thing);
}

static void watch(struct thing *thing)
{
	assert_int_equal(poller_add(poller, thing->fd, EPOLLIN, on_ready, thing, &thing->entry), 0);
}

static void ring(const struct thing *thing)
{
	assert_int_equal(eventfd_write(thing->fd, 1), 0);
}

static void call(struct thing *thing)
{
	poller_call_later(poller, &thing->call, on_call, thing);
}

/* The number of turns that it takes until there is nothing to do. */
static unsigned run(void)
{
	unsigned n = 0;

	while (sd_event_run(event, 0) > 0)
		assert_true(++n < 100);
	return n;
}

/* What is ready, and what that puts off, is one turn. */
static void one_turn(void **state)
{
	for (int i = 0; i < 3; i++) {
		watch(&things[i]);
		ring(&things[i]);
	}
	assert_int_equal(sd_event_run(event, 0), 1);
	assert_string_equal(order, "ABCabc");
	assert_int_equal(run(), 0);
}

static void removed_in_a_turn(void **state)
{
	for (int i = 0; i < 3; i++) {
		watch(&things[i]);
		ring(&things[i]);
	}
	things[0].other = &things[1];
	(void)run();
	assert_string_equal(order, "ACac");
}

static void silent(void **state)
{
	watch(&things[0]);
	ring(&things[0]);
	assert_int_equal(poller_set_events(things[0].entry, 0), 0);
	assert_int_equal(run(), 0);
	assert_int_equal(poller_set_events(things[0].entry, EPOLLIN), 0);
	(void)run();
	assert_string_equal(order, "Aa");
}

/* All have their turn, and no turn is long. */
static void many(void **state)
{
	for (int i = 0; i < MANY; i++) {
		watch(&things[i]);
		ring(&things[i]);
	}
	assert_in_range(run(), 5, 10);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(things[i].n, 2);
}

static void calls(void **state)
{
	call(&things[0]);
	call(&things[1]);
	call(&things[2]);
	call(&things[0]);
	assert_int_equal(run(), 1);
	assert_string_equal(order, "abc");
	for (int i = 0; i < MANY; i++)
		call(&things[i]);
	assert_in_range(run(), 5, 5);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(things[i].n, i < 3 ? 2 : 1);
}

static void taken_back(void **state)
{
	call(&things[0]);
	call(&things[1]);
	call(&things[2]);
	poller_call_off(&things[1].call);
	poller_call_off(&things[1].call);
	things[0].other = &things[2];
	(void)run();
	assert_string_equal(order, "a");
	/* The list is whole. */
	call(&things[3]);
	(void)run();
	assert_string_equal(order, "ad");
}

/* One that asks for itself again lets all others have their turn. */
static void again(void **state)
{
	things[0].again = true;
	call(&things[0]);
	call(&things[1]);
	assert_int_equal(sd_event_run(event, 0), 1);
	assert_string_equal(order, "ab");
	watch(&things[2]);
	ring(&things[2]);
	assert_int_equal(sd_event_run(event, 0), 1);
	assert_string_equal(order, "abCac");
	things[0].again = false;
	(void)run();
	assert_string_equal(order, "abCaca");
}

static const char *one_turn_order(void)
{
	order[0] = '\0';
	return sd_event_run(event, 0) > 0 ? order : "none";
}

/* What a long turn leaves comes in the next ones, calls by turns with what is ready. */
static void long_turns(void **state)
{
	for (int i = 0; i < 6; i++) {
		things[i].slow = true;
		watch(&things[i]);
		ring(&things[i]);
	}
	assert_string_equal(one_turn_order(), "ABCD");
	ring(&things[6]);
	assert_string_equal(one_turn_order(), "a");
	assert_string_equal(one_turn_order(), "EF");
	assert_string_equal(one_turn_order(), "b");
	order[0] = '\0';
	assert_int_equal(run(), 4);
	assert_string_equal(order, "cdef");
	watch(&things[6]);
	assert_string_equal(one_turn_order(), "Gg");
}

/* Removed, and silenced, after it was told that it is ready and before it had its turn. */
static void removed_after_a_turn(void **state)
{
	for (int i = 0; i < 8; i++) {
		things[i].slow = true;
		watch(&things[i]);
		ring(&things[i]);
	}
	assert_string_equal(one_turn_order(), "ABCD");
	things[4].entry = poller_remove(things[4].entry);
	assert_int_equal(poller_set_events(things[6].entry, 0), 0);
	order[0] = '\0';
	(void)run();
	assert_string_equal(order, "aFHbcdfh");
}

static sd_event_source *deferred[2];

static int on_deferred(sd_event_source *source, void *userdata)
{
	sd_event_source **own = userdata;

	note(&things[own - deferred], 'x');
	return turn_defer(event, own, SD_EVENT_PRIORITY_NORMAL, on_deferred, own);
}

/* Who asks for another turn in each gets it when the others have had theirs. */
static void deferred_again(void **state)
{
	for (int i = 0; i < 2; i++)
		assert_int_equal(turn_defer(event, &deferred[i], SD_EVENT_PRIORITY_NORMAL,
					    on_deferred, &deferred[i]),
				 0);
	assert_string_equal(one_turn_order(), "x");
	ring(&things[0]);
	watch(&things[0]);
	for (int i = 0; i < 4; i++)
		assert_int_equal(sd_event_run(event, 0), 1);
	assert_string_equal(order, "xyxAay");
	/* Waiting already. */
	assert_int_equal(turn_defer(event, &deferred[0], SD_EVENT_PRIORITY_NORMAL, on_deferred,
				    &deferred[0]),
			 0);
	assert_int_equal(sd_event_run(event, 0), 1);
	assert_string_equal(order, "xyxAayx");
	for (int i = 0; i < 2; i++)
		deferred[i] = sd_event_source_disable_unref(deferred[i]);
}

int main(void)
{
#define LONG(function)                                                                             \
	cmocka_unit_test_prestate_setup_teardown(function, set_up, tear_down, (void *)"default")
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_turn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removed_in_a_turn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(silent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(calls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(taken_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(deferred_again, set_up, tear_down),
		LONG(long_turns),
		LONG(removed_after_a_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
