/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The initiator's connection and session states, RFC 7143 chapter 8, as tables: states, event,
 * action, resulting state, number of the transition in the RFC. The result never depends on the
 * action. The daemon maps actions to functions; a pair without a row changes nothing and is counted
 * there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * RFC 7143, 8.1.1; a bit each, so that a row can name a set. S3, XPT_UP, is a state of targets
 * only.
 */
enum connection_state {
	CONNECTION_STATE_FREE = 1 << 0,             /* S1 */
	CONNECTION_STATE_XPT_WAIT = 1 << 1,         /* S2 */
	CONNECTION_STATE_IN_LOGIN = 1 << 3,         /* S4 */
	CONNECTION_STATE_LOGGED_IN = 1 << 4,        /* S5 */
	CONNECTION_STATE_IN_LOGOUT = 1 << 5,        /* S6 */
	CONNECTION_STATE_LOGOUT_REQUESTED = 1 << 6, /* S7 */
	CONNECTION_STATE_CLEANUP_WAIT = 1 << 7,     /* S8 */
};

enum connection_event {
	CONNECTION_EVENT_CONNECT,         /* the session wants this connection */
	CONNECTION_EVENT_CONNECT_FAILED,  /* refused, unreachable, timed out */
	CONNECTION_EVENT_CONNECTED,       /* transport connection established */
	CONNECTION_EVENT_LOGIN_SUCCEEDED, /* Login Phase done */
	CONNECTION_EVENT_LOGIN_FAILED,    /* refused, protocol fault, timed out */
	CONNECTION_EVENT_REDIRECTED,      /* Login Response of status class 1 */
	CONNECTION_EVENT_OFFER_REFUSED,   /* the target cannot cope with what it was offered */
	CONNECTION_EVENT_START_FAILED,    /* the kernel did not take the logged-in connection */
	CONNECTION_EVENT_TRANSPORT_LOST,  /* disconnect, reset, ping unanswered */
	CONNECTION_EVENT_ASYNC_LOGOUT,    /* Async Message: the target requests a logout */
	CONNECTION_EVENT_LOGOUT, /* the session wants to log out, or to give up connecting */
	CONNECTION_EVENT_LOGOUT_SUCCEEDED, /* Logout Response 0 */
	CONNECTION_EVENT_LOGOUT_FAILED,    /* other Logout Response, or none in time */
	CONNECTION_EVENT_SESSION_CLOSED,   /* closed as a whole, not by this connection */
	CONNECTION_EVENT_CLEANED_UP,       /* everything a lost connection held is released */
	_CONNECTION_EVENT_MAX,
};

enum connection_action {
	CONNECTION_ACTION_NONE,
	CONNECTION_ACTION_CONNECT, /* open the transport connection */
	CONNECTION_ACTION_LOGIN,   /* start the Login Phase */
	CONNECTION_ACTION_START,   /* hand over to the kernel; Full Feature Phase */
	CONNECTION_ACTION_LOGOUT,  /* send a Logout Request */
	CONNECTION_ACTION_CLOSE,   /* release the transport; all is well */
	CONNECTION_ACTION_FAIL, /* release the transport; the session decides about another try */
	CONNECTION_ACTION_REDIRECT,  /* release the transport; connect to the address given */
	CONNECTION_ACTION_RECONNECT, /* release the transport; connect again to offer less */
	CONNECTION_ACTION_ANNOUNCE,  /* tell the session that the target wants a logout */
	CONNECTION_ACTION_STOP,      /* stop I/O and release the transport, then post CLEANED_UP */
	CONNECTION_ACTION_RECOVER,   /* tell the session that it may connect again */
	_CONNECTION_ACTION_MAX,
};

struct connection_transition {
	unsigned states; /* a set of enum connection_state */
	enum connection_event event;
	enum connection_action action;
	enum connection_state result;
	const char *rfc; /* "T15" */
};

/* NULL: there is no such transition. */
const struct connection_transition *connection_transition(enum connection_state state,
							  enum connection_event event);
/* True for a pair without a row that is known to happen and means nothing. */
bool connection_event_ignored(enum connection_state state, enum connection_event event);
/* All rows, NULL after the last. */
const struct connection_transition *connection_transition_at(size_t index);

/* "LOGGED_IN"; NULL for no single state. */
const char *connection_state_to_string(enum connection_state state);
const char *connection_event_to_string(enum connection_event event);
const char *connection_action_to_string(enum connection_action action);

/* RFC 7143, 8.3.1. Q2, ACTIVE, is a state of targets only. */
enum session_state {
	SESSION_STATE_FREE = 1 << 0,      /* Q1 */
	SESSION_STATE_LOGGED_IN = 1 << 2, /* Q3 */
	SESSION_STATE_FAILED = 1 << 3,    /* Q4 */
};

enum session_event {
	SESSION_EVENT_LOGGED_IN,  /* a connection reached LOGGED_IN */
	SESSION_EVENT_CLOSED,     /* gracefully closed */
	SESSION_EVENT_FAILED,     /* all connections are in CLEANUP_WAIT */
	SESSION_EVENT_TIMED_OUT,  /* session state timeout, or nobody wants it back */
	SESSION_EVENT_REINSTATED, /* another login took the place of this instance */
	_SESSION_EVENT_MAX,
};

enum session_action {
	SESSION_ACTION_ESTABLISH, /* announce the session, scan */
	SESSION_ACTION_RESUME,    /* I/O goes on where it stopped */
	SESSION_ACTION_RECOVER,   /* log in again */
	SESSION_ACTION_CLOSE,     /* release everything, all is well */
	SESSION_ACTION_DISCARD,   /* release everything, it is lost */
	_SESSION_ACTION_MAX,
};

struct session_transition {
	unsigned states; /* a set of enum session_state */
	enum session_event event;
	enum session_action action;
	enum session_state result;
	const char *rfc; /* "N5" */
};

const struct session_transition *session_transition(enum session_state state,
						    enum session_event event);
bool session_event_ignored(enum session_state state, enum session_event event);
const struct session_transition *session_transition_at(size_t index);

const char *session_state_to_string(enum session_state state);
const char *session_event_to_string(enum session_event event);
const char *session_action_to_string(enum session_action action);
