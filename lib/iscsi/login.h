/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The initiator's Login Phase, RFC 7143 chapter 6, as a machine without I/O, clock or randomness:
 * it is created with what it wants and may accept, is fed what arrives, and says what to do next. A
 * normal and a discovery session use the same machine; so do a login on a socket and one through
 * the kernel's PDU channel.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chap.h"
#include "cleanup.h"
#include "event.h"
#include "keys.h"
#include "parse.h"
#include "pdu.h"

struct secret;

enum login_authentication {
	LOGIN_AUTHENTICATION_NONE,
	LOGIN_AUTHENTICATION_CHAP,
};

struct login_config {
	const char *initiator_name;
	const char *initiator_alias; /* NULL: none */
	const char *target_name;     /* NULL: discovery session */
	uint8_t isid[6];
	uint16_t tsih;  /* 0: new session, or reinstatement */
	bool reconnect; /* the connection is for a session that exists on this side */
	uint16_t cid;
	uint32_t cmdsn; /* CmdSN of all Login Requests, which are immediate */
	uint32_t itt;
	int portal_group_tag; /* the tag the portal was discovered with; -1: any */
	/* Where the connection goes to, for what the target may say of it; see address_localize().
	 */
	const char *portal_address;
	const char *portal_scope; /* NULL: none */
	unsigned redirects;       /* that led here */

	/* What to offer, already capped by what the transport can do. */
	struct iscsi_offer offer;
	bool header_digest_required;
	bool data_digest_required;
	bool strict; /* no deviation of leniency.def is tolerated */

	enum login_authentication authentication;
	/* A target that goes on without CHAP is refused: always so when CHAP is configured. */
	enum chap_algorithm chap_algorithms[_CHAP_ALGORITHM_MAX]; /* in order of preference */
	size_t n_chap_algorithms;
	const char *user_name;       /* NULL: there is none, which fails the login */
	const struct secret *secret; /* the same */
	/*
	 * The target must prove itself if target_secret is set; with @mutual there is no login
	 * without one. target_user_name may be NULL (any).
	 */
	bool mutual;
	const char *target_user_name;
	const struct secret *target_secret;

	/*
	 * Fresh random bytes for our identifier and challenge; used only with mutual
	 * authentication.
	 */
	uint8_t chap_random[1 + CHAP_CHALLENGE_LENGTH];
};

/* Outcome of a whole login. */
struct login_result {
	struct iscsi_parameters parameters; /* in effect from now on */
	uint16_t tsih;
	uint32_t stat_sn; /* of the last Login Response */
	uint32_t exp_cmd_sn, max_cmd_sn;
	int portal_group_tag;   /* -1: not told */
	char target_alias[256]; /* escaped; empty: none */
	bool authenticated;
	enum chap_algorithm chap_algorithm; /* if authenticated */
	bool mutual;
};

struct login_redirect {
	char address[PORTAL_ADDRESS_MAX];
	uint16_t port;
	bool permanent;
};

enum login_step_type {
	LOGIN_STEP_WAIT,     /* nothing to do until something arrives */
	LOGIN_STEP_SEND,     /* send .send; borrowed until the next call */
	LOGIN_STEP_EVENT,    /* report .event, which the caller now owns */
	LOGIN_STEP_REDIRECT, /* the target wants us elsewhere; final */
	LOGIN_STEP_DONE,     /* Full Feature Phase; final */
	LOGIN_STEP_FAILED,   /* final; an event went before */
};

struct login_step {
	enum login_step_type type;
	union {
		struct {
			const uint8_t
				*header;  /* PDU_HEADER_LENGTH bytes, DataSegmentLength is set */
			const void *data; /* without padding */
			size_t data_length;
		} send;
		struct event *event;
		struct login_redirect redirect;
		const struct login_result *result; /* borrowed, lives as long as the machine */
		struct {
			int error; /* -EPROTO, -ETIMEDOUT, -EACCES, ... */
			/* Of the Login Response, RFC 7143 11.13.5; -1 where there was none. */
			int status_class, status_detail;
			enum event_number event; /* the event that reported it */
			bool retry;              /* the same login may succeed later */
			bool patience;           /* nobody but an automatic login retries it */
			/*
			 * It ended when CHAP algorithms were negotiated, as with targets that do
			 * not understand a list of them: other ones may help.
			 */
			bool algorithms_refused;
		} failed;
	};
};

/* What stage the exchange is in, for progress displays. */
enum login_stage {
	LOGIN_STAGE_SECURITY,
	LOGIN_STAGE_OPERATIONAL,
	LOGIN_STAGE_FULL_FEATURE,
};

struct login;

/*
 * The strings and secrets of @config are borrowed and must outlive the machine; the rest is copied.
 * Raises events 35 and 36 through the first step when a secret is shorter than CHAP_SECRET_MINIMUM.
 * Errors: -ENOMEM, -EINVAL (a configuration no caller may produce).
 */
int login_new(const struct login_config *config, struct login **ret);
struct login *login_free(struct login *login);
DEFINE_CLEANUP(struct login *, login_free);

/* The next thing to do; call until it says WAIT or something final. */
void login_next(struct login *login, struct login_step *ret);

/*
 * Feed: a PDU came (raw header and data segment without padding; no @data if it is longer than
 * LOGIN_DATA_SEGMENT_MAX), no answer in time, no time left for the login as a whole, or connection
 * closed.
 */
void login_receive(struct login *login, const uint8_t header[PDU_HEADER_LENGTH], const void *data,
		   size_t length);
void login_timed_out(struct login *login);
void login_overdue(struct login *login);
void login_disconnected(struct login *login);
/* Something on this side keeps it from going on, which the event @reported has told. */
void login_abort(struct login *login, int error, enum event_number reported);

enum login_stage login_stage(const struct login *login);

/*
 * True if the login has ended, and how: known before login_next() hands it out, with the events
 * that tell why.
 */
bool login_final(const struct login *login, struct login_step *ret);

/* What comes of a Login Response by its status. */
enum login_outcome {
	LOGIN_OUTCOME_SUCCEED,
	LOGIN_OUTCOME_REDIRECT, /* goes on elsewhere */
	LOGIN_OUTCOME_MOVE,     /* goes on elsewhere, and begins there from now on */
	LOGIN_OUTCOME_FAIL,     /* not tried again: somebody has to change something first */
	LOGIN_OUTCOME_PATIENCE, /* the same, but whoever keeps trying anyhow may see it change */
	LOGIN_OUTCOME_RETRY,    /* tried again: it may pass */
	_LOGIN_OUTCOME_MAX,
};

/* Stands for every class or detail that has no row of its own. */
#define LOGIN_STATUS_OTHER 256

/* A row of login_status.def. */
struct login_status {
	unsigned status_class, status_detail;
	enum login_outcome outcome;
	int error; /* negative errno; 0: success */
	const char *meaning, *advice;
	const char *text; /* both, as one sentence without its full stop */
};

/* The row for a status of RFC 7143 11.13.5; there is one for any. */
const struct login_status *login_status_find(unsigned status_class, unsigned status_detail);
/* All rows, NULL after the last. */
const struct login_status *login_status_at(size_t index);
const char *login_status_text(unsigned status_class, unsigned status_detail);
