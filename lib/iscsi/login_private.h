/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shared by login.c, which knows Login PDUs and stages, login_security.c, which knows AuthMethod
 * and CHAP, and login_status.c, which knows what a target refuses with.
 */
#pragma once

#include "buffer.h"
#include "leniency.h"
#include "login.h"
#include "negotiate.h"
#include "text.h"

enum login_phase {
	/* What the target is to answer next, in this order. */
	LOGIN_PHASE_AUTH_METHOD,
	LOGIN_PHASE_CHAP_ALGORITHM,
	LOGIN_PHASE_CHAP_RESPONSE,
	LOGIN_PHASE_SECURITY_END,
	LOGIN_PHASE_OPERATIONAL,
};

#define LOGIN_EVENTS_MAX 8

struct login {
	struct login_config config;
	enum login_phase phase;
	struct negotiation negotiation;

	/* The logical request being sent, in PDUs of LOGIN_DATA_SEGMENT_MAX. */
	struct buffer out;
	size_t out_sent;
	bool out_transit;
	uint8_t header[PDU_HEADER_LENGTH];
	size_t chunk_at, chunk_length;
	bool send_ready;
	/*
	 * What the request under way said; no request is under way while it is being answered here.
	 * /
	 */
	bool awaiting, sent_more, sent_transit;
	unsigned exchanges;

	struct text_collector in;
	/* Of the response before, if there was one. */
	bool stat_sn_known;
	uint32_t stat_sn;
	uint8_t version_max;
	bool window_reported;
	/* The PDU being judged, for events; valid inside login_receive(). */
	const uint8_t *received_header;
	const void *received_data;
	size_t received_length;

	/* CHAP: our own response, so that a reflection of it is noticed. */
	enum chap_algorithm algorithm;
	uint8_t chap_response[CHAP_RESPONSE_MAX];

	struct event *events[LOGIN_EVENTS_MAX];
	size_t n_events;
	bool ended;
	struct login_step final;
	struct login_result result;
};

/* Keys of the authentication exchange in one logical answer; .key NULL: absent. */
struct security_keys {
	struct text_pair pair[ISCSI_KEY_CHAP_R + 1];
};

/* An event that is part of this login. */
struct event *login_event(enum event_number number, enum event_outcome outcome);
void login_raise(struct login *login, struct event *event);
/* Ends the login after raising @event, and returns @error. */
int login_fail(struct login *login, int error, bool retry, enum event_number number,
	       struct event *event);
/* Ends the login without an event. */
void login_end(struct login *login, const struct login_step *final);
/* The PDU just received breaks a rule: event 11. */
int login_fault(struct login *login, const char *reason);
/* It does so in a known way, which may be tolerated. */
int login_tolerate(struct login *login, enum leniency which);

/* login_status.c: ends the login on a response that has a status other than success. */
int login_refused(struct login *login, const struct pdu *pdu);

/*
 * login_security.c. Functions that judge the target end the login through login_fail() when they
 * answer with an error.
 */
int security_start(struct login *login);
/* Notes a key of RFC 7143, chapter 12. */
int security_key(struct login *login, enum iscsi_key key, const struct text_pair *pair,
		 struct security_keys *keys);
/* Judges a whole answer and writes the next request to .out. */
int security_receive(struct login *login, const struct security_keys *keys);
/* True if @final is how a target fails that cannot cope with the algorithms it was offered. */
bool security_algorithms_refused(const struct login *login, const struct login_step *final);
/* Keeps only algorithms there are; ends the login if none is left. */
int security_algorithms(struct login *login);
