/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A session with one target through one connection, from the wish to log in until nothing of it is
 * left in the kernel: login, recovery, logout. RFC 7143 chapter 8 gives the states; the phases say
 * what is being done.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "devices.h"
#include "event.h"
#include "login.h"
#include "record.h"
#include "state.h"
#include "sysfs.h"

struct login_queue;
struct manager;
struct session;
struct transport;

/* What is being done, in the order of a login and a logout. */
enum session_phase {
	SESSION_QUEUED,
	SESSION_RESOLVING,
	SESSION_CONNECTING,
	SESSION_SECURITY_NEGOTIATION,
	SESSION_OPERATIONAL_NEGOTIATION,
	SESSION_SCANNING,
	SESSION_LOGGED_IN,
	SESSION_RETRYING, /* waits for the next attempt */
	SESSION_REMOVING_DEVICES,
	SESSION_LOGGING_OUT,
	SESSION_CLOSED, /* final: login failed or logout done */
	_SESSION_PHASE_MAX,
};

/* As in org.ois.session Phase. */
const char *session_phase_to_string(enum session_phase phase);

enum {
	SESSION_LOGOUT_FORCE = 1 << 0,
	SESSION_LOGOUT_FOR_NOW = 1 << 1,
};

/* How a logout went; it ends in any case. */
enum session_ending {
	SESSION_ENDING_NONE,        /* it has not, or was never logged in */
	SESSION_ENDING_CLEAN,       /* the target agreed */
	SESSION_ENDING_REFUSED,     /* the target did not agree */
	SESSION_ENDING_UNANSWERED,  /* the target did not answer in time */
	SESSION_ENDING_UNCONNECTED, /* there was no connection to tell the target over */
	SESSION_ENDING_FORCED,      /* commands were stuck, and were failed */
	SESSION_ENDING_UNSEEN,      /* the adapter logged out, and does not tell how that went */
	_SESSION_ENDING_MAX,
};

/* As in org.ois.session Ending; NULL: none. */
const char *session_ending_to_string(enum session_ending ending);

/* Why a login or logout failed. */
struct session_failure {
	int error;                       /* negative errno */
	unsigned event;                  /* number of the event that reported it; 0: none */
	int status_class, status_detail; /* of the Login Response; -1: none */
	char message[256];               /* one sentence, cut if need be */
};

/* Where a session is at one moment, and why. Strings are borrowed from it. */
struct session_status {
	const char *target_name, *address;
	uint16_t port;
	uint32_t sid; /* KERNEL_SESSION_NEW: none; in SESSION_CLOSED the one it had */
	bool managed;
	enum session_phase phase;
	enum session_state state;
	enum connection_state connection;
	enum session_ending ending;
	bool recovering;
	unsigned attempt, reconnects;
	/* CLOCK_REALTIME; 0: does not apply */
	uint64_t since_usec, lost_usec, next_attempt_usec;
	struct session_failure failure;
};

/*
 * Somebody who follows a login or logout. Called at every change of phase, also with the phase that
 * holds when the watch is added (from the loop, not from inside). To a login @failure tells why it
 * waits in SESSION_RETRYING or has ended in SESSION_CLOSED; to a logout, in whatever phase, that it
 * does not take place. After SESSION_CLOSED, SESSION_LOGGED_IN of a login, and the failure of a
 * logout the watch is forgotten.
 */
struct session_watch {
	void (*changed)(void *userdata, struct session *session, enum session_phase phase,
			const struct session_failure *failure);
	void *userdata;
};

struct session {
	struct session *next, **previous; /* manager->sessions */
	struct login_queue *queue;        /* waits there for its turn to log in; NULL: does not */
	struct session *queue_next, **queue_previous;
	struct session *tend_next, *sid_next, *key_next;
	bool tended;
	struct session *noted_next; /* manager->changes */
	bool noted, phase_noted;    /* for a new phase */
	struct manager *manager;
	struct transport *transport;

	enum session_phase phase;
	enum session_state state;         /* RFC 7143, 8.2: Q1..Q4, lib/iscsi/state.h */
	enum connection_state connection; /* RFC 7143, 8.1: S1..S8 */
	bool managed; /* made by us, or found with the node that would have made it */

	/* Identity; from the node's record at the time of the login, or from sysfs. */
	char *target_name, *address;
	uint16_t port;
	int portal_group_tag;
	uint8_t isid[6];
	bool isid_known;
	struct settings
		*settings; /* effective at the time of the login; NULL for foreign sessions */

	/* In the kernel; sid is valid while in_kernel, then it is the one that was. */
	bool in_kernel;
	uint32_t sid, host;
	struct login_result
		result; /* of the last login; result_known is false for sessions found */
	bool result_known;
	struct login_redirect redirect; /* where the connection is instead; without address: not */
	char local_address[64];
	uint16_t local_port;
	/* What sysfs said of a session that we did not make, or of whose login an adapter keeps
	 * the rest to itself; else NULL. */
	struct sysfs_session *found;

	struct sysfs_lun *luns; /* after the last scan */
	size_t n_luns;

	uint64_t created_usec, logged_in_usec; /* CLOCK_REALTIME; 0: not yet */
	unsigned attempt;                      /* of the present login or recovery, from 1 */
	unsigned reconnects;
	uint64_t since_usec;        /* of phase and state */
	uint64_t next_attempt_usec; /* CLOCK_MONOTONIC, in SESSION_RETRYING */
	bool recovering;            /* was logged in and lost its connection */
	uint64_t lost_usec;
	enum session_ending ending;
	struct session_failure failure; /* of the last attempt; event 0 and error 0: none */

	struct session_private *private;
};

/* Its adapter does, and no PDU of it is seen. False of one whose transport is not known. */
bool session_logs_in_itself(const struct session *session);

/* In SESSION_RETRYING: when it goes on, CLOCK_REALTIME as it is now. */
uint64_t session_next_attempt(const struct session *session);

struct session_status session_get_status(const struct session *session);

/* Under which it logs in. */
const char *session_initiator_name(const struct session *session);
/* Where the connection is, or goes to. */
const char *session_address(const struct session *session);
uint16_t session_port(const struct session *session);

/*
 * Ends the session in any phase: cancels a login, or logs out. SESSION_LOGOUT_FORCE skips the check
 * for devices in use; with SESSION_LOGOUT_FOR_NOW nothing is kept with the node. The watch ends
 * with SESSION_CLOSED, or with a failure (-EBUSY: a device is in use; the message names it). It may
 * be told from inside. Errors: -ENOMEM, -EALREADY (a logout is under way; the watch was added to
 * it), -EOPNOTSUPP (its transport is not known, or an adapter keeps it); those of devices_list():
 * the watch was added then, too.
 */
int session_logout(struct session *session, unsigned how, const struct session_watch *watch);

/* A logout is wished, and has not begun: whether it may is being looked at. */
bool session_to_leave(const struct session *session);

/* What a rescan found. Those kept are gone at the target, but in use here. */
struct session_changes {
	int error; /* then nothing else */
	struct session_units {
		struct sysfs_lun *luns;
		size_t n;
	} added, removed, resized, kept;
};

typedef void (*session_scan_t)(void *userdata, struct session *session,
			       const struct session_changes *changes);
/*
 * Looks for new logical units, removes those that are gone and not in use, and reads their sizes.
 * @lun: only this one; NULL: all. done() may be NULL. While the daemon itself rescans, done() waits
 * for another scan after that. Errors: -ENOTCONN (not logged in), -EBUSY (a scan is under way, and
 * somebody waits for it), -ENOMEM.
 */
int session_rescan(struct session *session, const uint64_t *lun, session_scan_t done,
		   void *userdata);

/*
 * Where no trace events tell of commands that time out: reports those that did since the last time.
 * Some system calls for each disk, none of which waits.
 */
void session_count_timeouts(struct session *session);

/* Why a session of another program cannot be taken over; NULL: it can. */
const char *session_take_over_fault(const struct session *session);
typedef void (*session_taken_t)(void *userdata, int error);
/*
 * Looks after a session of another program from now on, with its node, which is made if there is
 * none. Returns 1 if that is done; else done() is called from the loop. Errors: -EALREADY (it is
 * being taken over), -ENODEV, -ENOMEM.
 */
int session_take_over(struct session *session, session_taken_t done, void *userdata);
/* Nobody waits for done() any more. */
void session_take_over_forget(struct session *session, const void *userdata);

/* Forgets all watches (and scans asked for) with this userdata; their client is gone. */
void session_unwatch(struct session *session, const void *userdata);
