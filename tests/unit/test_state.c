// layers: ois-iscsi ois-events ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The transition tables: a walk over every pair, every number of the RFC, every state reachable.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "state.h"

static const enum connection_state connection_states[] = {
	CONNECTION_STATE_FREE,         CONNECTION_STATE_XPT_WAIT,
	CONNECTION_STATE_IN_LOGIN,     CONNECTION_STATE_LOGGED_IN,
	CONNECTION_STATE_IN_LOGOUT,    CONNECTION_STATE_LOGOUT_REQUESTED,
	CONNECTION_STATE_CLEANUP_WAIT,
};

static const enum session_state session_states[] = {
	SESSION_STATE_FREE,
	SESSION_STATE_LOGGED_IN,
	SESSION_STATE_FAILED,
};

/*
 * RFC 7143, 8.1.3: the matrix of the initiator's standard connection state diagram; rows are the
 * state before, columns the state after.
 */
static const struct {
	enum connection_state from, to;
	const char *number;
} matrix[] = {
	{ CONNECTION_STATE_FREE, CONNECTION_STATE_XPT_WAIT, "T1" },
	{ CONNECTION_STATE_XPT_WAIT, CONNECTION_STATE_FREE, "T2" },
	{ CONNECTION_STATE_XPT_WAIT, CONNECTION_STATE_IN_LOGIN, "T4" },
	{ CONNECTION_STATE_IN_LOGIN, CONNECTION_STATE_LOGGED_IN, "T5" },
	{ CONNECTION_STATE_IN_LOGIN, CONNECTION_STATE_FREE, "T7" },
	{ CONNECTION_STATE_LOGGED_IN, CONNECTION_STATE_FREE, "T8" },
	{ CONNECTION_STATE_LOGGED_IN, CONNECTION_STATE_IN_LOGOUT, "T9" },
	{ CONNECTION_STATE_LOGOUT_REQUESTED, CONNECTION_STATE_IN_LOGOUT, "T10" },
	{ CONNECTION_STATE_LOGGED_IN, CONNECTION_STATE_LOGOUT_REQUESTED, "T11" },
	{ CONNECTION_STATE_LOGOUT_REQUESTED, CONNECTION_STATE_LOGOUT_REQUESTED, "T12" },
	{ CONNECTION_STATE_IN_LOGOUT, CONNECTION_STATE_FREE, "T13" },
	{ CONNECTION_STATE_IN_LOGOUT, CONNECTION_STATE_IN_LOGOUT, "T14" },
	{ CONNECTION_STATE_LOGGED_IN, CONNECTION_STATE_CLEANUP_WAIT, "T15" },
	{ CONNECTION_STATE_LOGOUT_REQUESTED, CONNECTION_STATE_CLEANUP_WAIT, "T16" },
	{ CONNECTION_STATE_IN_LOGOUT, CONNECTION_STATE_CLEANUP_WAIT, "T17" },
	{ CONNECTION_STATE_LOGOUT_REQUESTED, CONNECTION_STATE_FREE, "T18" },
	/* 8.2, as far as a session with one connection has it */
	{ CONNECTION_STATE_CLEANUP_WAIT, CONNECTION_STATE_FREE, "M1" },
	{ CONNECTION_STATE_CLEANUP_WAIT, CONNECTION_STATE_FREE, "M4" },
};

static bool in_matrix(const struct connection_transition *row)
{
	for (size_t i = 0; i < ELEMENTSOF(matrix); i++)
		if (strcmp(matrix[i].number, row->rfc) == 0 && matrix[i].from == row->states &&
		    matrix[i].to == row->result)
			return true;
	return false;
}

static void test_connection_rows(void **state)
{
	const struct connection_transition *row;

	for (size_t i = 0; (row = connection_transition_at(i)); i++) {
		assert_true(in_matrix(row));
		assert_non_null(connection_event_to_string(row->event));
		assert_non_null(connection_action_to_string(row->action));
	}
	for (size_t i = 0; i < ELEMENTSOF(matrix); i++) {
		bool found = false;

		for (size_t k = 0; (row = connection_transition_at(k)); k++)
			found = found || strcmp(row->rfc, matrix[i].number) == 0;
		assert_true(found);
	}
}

/* Each pair is a transition, meant to be ignored, or impossible; never two of these. */
static void test_connection_pairs(void **state)
{
	unsigned reached = CONNECTION_STATE_FREE, before = 0;
	unsigned actions = 0;

	for (size_t i = 0; i < ELEMENTSOF(connection_states); i++) {
		for (enum connection_event event = 0; event < _CONNECTION_EVENT_MAX; event++) {
			const struct connection_transition *row =
				connection_transition(connection_states[i], event);
			size_t rows = 0;

			for (size_t k = 0; connection_transition_at(k); k++)
				rows += connection_transition_at(k)->event == event &&
					(connection_transition_at(k)->states &
					 connection_states[i]);
			assert_int_equal(rows, row ? 1 : 0);
			if (row) {
				assert_false(connection_event_ignored(connection_states[i], event));
				assert_non_null(connection_state_to_string(row->result));
				actions |= 1U << row->action;
			}
		}
	}
	assert_int_equal(actions, (1U << _CONNECTION_ACTION_MAX) - 1);
	while (before != reached) {
		before = reached;
		for (size_t k = 0; connection_transition_at(k); k++)
			if (connection_transition_at(k)->states & reached)
				reached |= connection_transition_at(k)->result;
	}
	for (size_t i = 0; i < ELEMENTSOF(connection_states); i++)
		assert_true(reached & connection_states[i]);
}

/* In every state a lost transport and the wish to end are either acted on or harmless. */
static void test_connection_always_ends(void **state)
{
	static const enum connection_event events[] = {
		CONNECTION_EVENT_TRANSPORT_LOST,
		CONNECTION_EVENT_LOGOUT,
		CONNECTION_EVENT_SESSION_CLOSED,
	};

	for (size_t i = 0; i < ELEMENTSOF(connection_states); i++)
		for (size_t k = 0; k < ELEMENTSOF(events); k++)
			assert_true(connection_transition(connection_states[i], events[k]) ||
				    connection_event_ignored(connection_states[i], events[k]));
}

static void test_session(void **state)
{
	static const struct {
		enum session_state from, to;
		const char *number;
	} diagram[] = {
		{ SESSION_STATE_FREE, SESSION_STATE_LOGGED_IN, "N1" },
		{ SESSION_STATE_LOGGED_IN, SESSION_STATE_FREE, "N3" },
		{ SESSION_STATE_FAILED, SESSION_STATE_LOGGED_IN, "N4" },
		{ SESSION_STATE_LOGGED_IN, SESSION_STATE_FAILED, "N5" },
		{ SESSION_STATE_FAILED, SESSION_STATE_FREE, "N6" },
	};
	unsigned numbers = 0, actions = 0;

	for (size_t i = 0; session_transition_at(i); i++) {
		const struct session_transition *row = session_transition_at(i);

		for (size_t k = 0; k < ELEMENTSOF(diagram); k++)
			if (row->states == diagram[k].from && row->result == diagram[k].to &&
			    strcmp(row->rfc, diagram[k].number) == 0)
				numbers |= 1U << k;
		actions |= 1U << row->action;
		assert_ptr_equal(session_transition((enum session_state)row->states, row->event),
				 row);
	}
	assert_int_equal(numbers, (1U << ELEMENTSOF(diagram)) - 1);
	assert_int_equal(actions, (1U << _SESSION_ACTION_MAX) - 1);
	for (size_t i = 0; i < ELEMENTSOF(session_states); i++) {
		for (enum session_event event = 0; event < _SESSION_EVENT_MAX; event++) {
			bool known = session_transition(session_states[i], event);

			if (known)
				assert_false(session_event_ignored(session_states[i], event));
		}
	}
}

static void test_names(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(connection_states); i++)
		assert_non_null(connection_state_to_string(connection_states[i]));
	for (size_t i = 0; i < ELEMENTSOF(session_states); i++)
		assert_non_null(session_state_to_string(session_states[i]));
	for (enum session_event event = 0; event < _SESSION_EVENT_MAX; event++)
		assert_non_null(session_event_to_string(event));
	for (enum session_action action = 0; action < _SESSION_ACTION_MAX; action++)
		assert_non_null(session_action_to_string(action));
	assert_null(connection_state_to_string((enum connection_state)0));
	assert_null(session_state_to_string((enum session_state)0));
	assert_null(connection_event_to_string(_CONNECTION_EVENT_MAX));
	assert_null(connection_action_to_string(_CONNECTION_ACTION_MAX));
	assert_string_equal(connection_state_to_string(CONNECTION_STATE_LOGGED_IN), "LOGGED_IN");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connection_rows),
		cmocka_unit_test(test_connection_pairs),
		cmocka_unit_test(test_connection_always_ends),
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
