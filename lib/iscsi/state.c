/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cleanup.h"
#include "state.h"
#include "table.h"

#define S1 CONNECTION_STATE_FREE
#define S2 CONNECTION_STATE_XPT_WAIT
#define S4 CONNECTION_STATE_IN_LOGIN
#define S5 CONNECTION_STATE_LOGGED_IN
#define S6 CONNECTION_STATE_IN_LOGOUT
#define S7 CONNECTION_STATE_LOGOUT_REQUESTED
#define S8 CONNECTION_STATE_CLEANUP_WAIT

#define ROW(from, on, does, to, number)                                                            \
	{                                                                                          \
		.states = (from), .event = CONNECTION_EVENT_##on,                                  \
		.action = CONNECTION_ACTION_##does, .result = (to), .rfc = (number)                \
	}

/* RFC 7143, 8.1.3. The rows of one number are its causes. */
static const struct connection_transition connection_rows[] = {
	ROW(S1, CONNECT, CONNECT, S2, "T1"),

	ROW(S2, CONNECT_FAILED, FAIL, S1, "T2"),
	ROW(S2, TRANSPORT_LOST, FAIL, S1, "T2"),
	ROW(S2, LOGOUT, CLOSE, S1, "T2"),
	ROW(S2, SESSION_CLOSED, CLOSE, S1, "T2"),

	ROW(S2, CONNECTED, LOGIN, S4, "T4"),

	ROW(S4, LOGIN_SUCCEEDED, START, S5, "T5"),

	ROW(S4, LOGIN_FAILED, FAIL, S1, "T7"),
	ROW(S4, REDIRECTED, REDIRECT, S1, "T7"),
	ROW(S4, OFFER_REFUSED, RECONNECT, S1, "T7"),
	ROW(S4, TRANSPORT_LOST, FAIL, S1, "T7"),
	ROW(S4, LOGOUT, CLOSE, S1, "T7"),
	ROW(S4, SESSION_CLOSED, CLOSE, S1, "T7"),

	ROW(S5, SESSION_CLOSED, CLOSE, S1, "T8"),
	ROW(S5, LOGOUT, LOGOUT, S6, "T9"),
	ROW(S7, LOGOUT, LOGOUT, S6, "T10"),
	ROW(S5, ASYNC_LOGOUT, ANNOUNCE, S7, "T11"),
	ROW(S7, ASYNC_LOGOUT, NONE, S7, "T12"),

	ROW(S6, LOGOUT_SUCCEEDED, CLOSE, S1, "T13"),
	ROW(S6, SESSION_CLOSED, CLOSE, S1, "T13"),

	ROW(S6, ASYNC_LOGOUT, NONE, S6, "T14"),

	ROW(S5, TRANSPORT_LOST, STOP, S8, "T15"),
	ROW(S5, START_FAILED, STOP, S8, "T15"),
	ROW(S7, START_FAILED, STOP, S8, "T16"),
	ROW(S6, START_FAILED, STOP, S8, "T17"),
	ROW(S7, TRANSPORT_LOST, STOP, S8, "T16"),
	ROW(S6, TRANSPORT_LOST, STOP, S8, "T17"),
	ROW(S6, LOGOUT_FAILED, STOP, S8, "T17"),

	ROW(S7, SESSION_CLOSED, CLOSE, S1, "T18"),

	/* 8.2: the login that reinstates the session is the implicit logout. */
	ROW(S8, CLEANED_UP, RECOVER, S1, "M4"),
	ROW(S8, SESSION_CLOSED, CLOSE, S1, "M1"),
};

/*
 * Pairs that happen and mean nothing: reports that were under way when the state changed, and
 * requests for what is already so.
 */
static const struct {
	unsigned states;
	enum connection_event event;
} connection_ignored[] = {
	{ S1 | S8, CONNECTION_EVENT_CONNECT_FAILED },
	{ S1 | S8, CONNECTION_EVENT_CONNECTED },
	{ S1 | S8, CONNECTION_EVENT_LOGIN_SUCCEEDED },
	{ S1 | S8, CONNECTION_EVENT_LOGIN_FAILED },
	{ S1 | S8, CONNECTION_EVENT_REDIRECTED },
	{ S1 | S8, CONNECTION_EVENT_OFFER_REFUSED },
	{ S1 | S8, CONNECTION_EVENT_START_FAILED },
	{ S1 | S8, CONNECTION_EVENT_TRANSPORT_LOST },
	{ S1 | S8, CONNECTION_EVENT_ASYNC_LOGOUT },
	{ S1 | S6 | S8, CONNECTION_EVENT_LOGOUT },
	{ S1 | S8, CONNECTION_EVENT_LOGOUT_SUCCEEDED },
	{ S1 | S8, CONNECTION_EVENT_LOGOUT_FAILED },
	{ S1, CONNECTION_EVENT_SESSION_CLOSED },
	{ S1, CONNECTION_EVENT_CLEANED_UP },
};

#define Q1 SESSION_STATE_FREE
#define Q3 SESSION_STATE_LOGGED_IN
#define Q4 SESSION_STATE_FAILED

/* RFC 7143, 8.3.1 */
/* clang-format off */
static const struct session_transition session_rows[] = {
	{ Q1, SESSION_EVENT_LOGGED_IN, SESSION_ACTION_ESTABLISH, Q3, "N1" },
	{ Q3, SESSION_EVENT_CLOSED, SESSION_ACTION_CLOSE, Q1, "N3" },
	{ Q4, SESSION_EVENT_LOGGED_IN, SESSION_ACTION_RESUME, Q3, "N4" },
	{ Q3, SESSION_EVENT_FAILED, SESSION_ACTION_RECOVER, Q4, "N5" },
	{ Q4, SESSION_EVENT_TIMED_OUT, SESSION_ACTION_DISCARD, Q1, "N6" },
	{ Q4, SESSION_EVENT_REINSTATED, SESSION_ACTION_DISCARD, Q1, "N6" },
	{ Q4, SESSION_EVENT_CLOSED, SESSION_ACTION_DISCARD, Q1, "N6" },
};

static const struct {
	unsigned states;
	enum session_event event;
} session_ignored[] = {
	{ Q1, SESSION_EVENT_CLOSED },
	{ Q1 | Q4, SESSION_EVENT_FAILED },
	{ Q1 | Q3, SESSION_EVENT_TIMED_OUT },
	{ Q1, SESSION_EVENT_REINSTATED },
	{ Q3, SESSION_EVENT_LOGGED_IN },
};

/* clang-format on */

const struct connection_transition *connection_transition(enum connection_state state,
							  enum connection_event event)
{
	for (size_t i = 0; i < ELEMENTSOF(connection_rows); i++)
		if ((connection_rows[i].states & state) && connection_rows[i].event == event)
			return &connection_rows[i];
	return NULL;
}

const struct connection_transition *connection_transition_at(size_t index)
{
	return index < ELEMENTSOF(connection_rows) ? &connection_rows[index] : NULL;
}

bool connection_event_ignored(enum connection_state state, enum connection_event event)
{
	for (size_t i = 0; i < ELEMENTSOF(connection_ignored); i++)
		if ((connection_ignored[i].states & state) && connection_ignored[i].event == event)
			return true;
	return false;
}

const struct session_transition *session_transition(enum session_state state,
						    enum session_event event)
{
	for (size_t i = 0; i < ELEMENTSOF(session_rows); i++)
		if ((session_rows[i].states & state) && session_rows[i].event == event)
			return &session_rows[i];
	return NULL;
}

const struct session_transition *session_transition_at(size_t index)
{
	return index < ELEMENTSOF(session_rows) ? &session_rows[index] : NULL;
}

bool session_event_ignored(enum session_state state, enum session_event event)
{
	for (size_t i = 0; i < ELEMENTSOF(session_ignored); i++)
		if ((session_ignored[i].states & state) && session_ignored[i].event == event)
			return true;
	return false;
}

const char *connection_state_to_string(enum connection_state state)
{
	switch (state) {
	case S1:
		return "FREE";
	case S2:
		return "XPT_WAIT";
	case S4:
		return "IN_LOGIN";
	case S5:
		return "LOGGED_IN";
	case S6:
		return "IN_LOGOUT";
	case S7:
		return "LOGOUT_REQUESTED";
	case S8:
		return "CLEANUP_WAIT";
	}
	return NULL;
}

const char *session_state_to_string(enum session_state state)
{
	switch (state) {
	case Q1:
		return "FREE";
	case Q3:
		return "LOGGED_IN";
	case Q4:
		return "FAILED";
	}
	return NULL;
}

const char *connection_event_to_string(enum connection_event event)
{
	static const char *const names[_CONNECTION_EVENT_MAX] = {
		[CONNECTION_EVENT_CONNECT] = "CONNECT",
		[CONNECTION_EVENT_CONNECT_FAILED] = "CONNECT_FAILED",
		[CONNECTION_EVENT_CONNECTED] = "CONNECTED",
		[CONNECTION_EVENT_LOGIN_SUCCEEDED] = "LOGIN_SUCCEEDED",
		[CONNECTION_EVENT_LOGIN_FAILED] = "LOGIN_FAILED",
		[CONNECTION_EVENT_REDIRECTED] = "REDIRECTED",
		[CONNECTION_EVENT_OFFER_REFUSED] = "OFFER_REFUSED",
		[CONNECTION_EVENT_START_FAILED] = "START_FAILED",
		[CONNECTION_EVENT_TRANSPORT_LOST] = "TRANSPORT_LOST",
		[CONNECTION_EVENT_ASYNC_LOGOUT] = "ASYNC_LOGOUT",
		[CONNECTION_EVENT_LOGOUT] = "LOGOUT",
		[CONNECTION_EVENT_LOGOUT_SUCCEEDED] = "LOGOUT_SUCCEEDED",
		[CONNECTION_EVENT_LOGOUT_FAILED] = "LOGOUT_FAILED",
		[CONNECTION_EVENT_SESSION_CLOSED] = "SESSION_CLOSED",
		[CONNECTION_EVENT_CLEANED_UP] = "CLEANED_UP",
	};

	return table_name(names, ELEMENTSOF(names), event);
}

const char *connection_action_to_string(enum connection_action action)
{
	static const char *const names[_CONNECTION_ACTION_MAX] = {
		[CONNECTION_ACTION_NONE] = "NONE",
		[CONNECTION_ACTION_CONNECT] = "CONNECT",
		[CONNECTION_ACTION_LOGIN] = "LOGIN",
		[CONNECTION_ACTION_START] = "START",
		[CONNECTION_ACTION_LOGOUT] = "LOGOUT",
		[CONNECTION_ACTION_CLOSE] = "CLOSE",
		[CONNECTION_ACTION_FAIL] = "FAIL",
		[CONNECTION_ACTION_REDIRECT] = "REDIRECT",
		[CONNECTION_ACTION_RECONNECT] = "RECONNECT",
		[CONNECTION_ACTION_ANNOUNCE] = "ANNOUNCE",
		[CONNECTION_ACTION_STOP] = "STOP",
		[CONNECTION_ACTION_RECOVER] = "RECOVER",
	};

	return table_name(names, ELEMENTSOF(names), action);
}

const char *session_event_to_string(enum session_event event)
{
	static const char *const names[_SESSION_EVENT_MAX] = {
		[SESSION_EVENT_LOGGED_IN] = "LOGGED_IN",   [SESSION_EVENT_CLOSED] = "CLOSED",
		[SESSION_EVENT_FAILED] = "FAILED",         [SESSION_EVENT_TIMED_OUT] = "TIMED_OUT",
		[SESSION_EVENT_REINSTATED] = "REINSTATED",
	};

	return table_name(names, ELEMENTSOF(names), event);
}

const char *session_action_to_string(enum session_action action)
{
	static const char *const names[_SESSION_ACTION_MAX] = {
		[SESSION_ACTION_ESTABLISH] = "ESTABLISH", [SESSION_ACTION_RESUME] = "RESUME",
		[SESSION_ACTION_RECOVER] = "RECOVER",     [SESSION_ACTION_CLOSE] = "CLOSE",
		[SESSION_ACTION_DISCARD] = "DISCARD",
	};

	return table_name(names, ELEMENTSOF(names), action);
}
