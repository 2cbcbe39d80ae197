/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The security stage of a login, RFC 7143 6.3.2 and 12.1: AuthMethod, then CHAP in one or both
 * directions. Other methods are never offered.
 */
#include <string.h>

#include "login_private.h"
#include "secret.h"

int security_algorithms(struct login *login)
{
	struct login_config *config = &login->config;
	char missing[CHAP_MISSING_MAX];
	struct event *event;
	size_t n = 0;

	chap_algorithms_missing(config->chap_algorithms, config->n_chap_algorithms, missing);
	for (size_t i = 0; i < config->n_chap_algorithms; i++)
		if (chap_algorithm_available(config->chap_algorithms[i]))
			config->chap_algorithms[n++] = config->chap_algorithms[i];
	config->n_chap_algorithms = n;
	if (n > 0)
		return 0;
	event = login_event(EVENT_CHAP_UNAVAILABLE, EVENT_OUTCOME_FAILED);
	event_set_string(event, FIELD_REASON, missing);
	return login_fail(login, -EOPNOTSUPP, false, EVENT_CHAP_UNAVAILABLE, event);
}

/* With CHAP configured nothing else is offered, so a target cannot talk us out of it. */
int security_start(struct login *login)
{
	login->phase = LOGIN_PHASE_AUTH_METHOD;
	return text_write(&login->out, "AuthMethod", "CHAP");
}

static int offer_algorithms(struct login *login)
{
	char list[8 * _CHAP_ALGORITHM_MAX];
	size_t length = 0;

	for (size_t i = 0; i < login->config.n_chap_algorithms; i++)
		length +=
			(size_t)snprintf(list + length, sizeof(list) - length, "%s%u", i ? "," : "",
					 chap_algorithm_number(login->config.chap_algorithms[i]));
	login->phase = LOGIN_PHASE_CHAP_ALGORITHM;
	return text_write(&login->out, "CHAP_A", list);
}

/* Event 16, with the pair if there is one to blame. */
static int key_fault(struct login *login, const struct text_pair *pair, const char *reason)
{
	struct event *event = login_event(EVENT_CHAP_KEY_INVALID, EVENT_OUTCOME_FAILED);

	if (pair && pair->key)
		event_set_text(event, FIELD_DUMP_KEY_VALUE, pair->key,
			       pair->key_length + 1 + pair->value_length);
	event_set_string(event, FIELD_REASON, reason);
	return login_fail(login, -EPROTO, false, EVENT_CHAP_KEY_INVALID, event);
}

/* An event whose only dump is the value the target returned, as text. */
static int value_fault(struct login *login, int error, enum event_number number,
		       enum event_field field, const struct text_pair *pair, const char *reason)
{
	struct event *event = login_event(number, EVENT_OUTCOME_FAILED);

	event_set_text(event, field, pair->value, pair->value_length);
	if (reason)
		event_set_string(event, FIELD_REASON, reason);
	return login_fail(login, error, false, number, event);
}

static int plain_fault(struct login *login, int error, enum event_number number)
{
	return login_fail(login, error, false, number, login_event(number, EVENT_OUTCOME_FAILED));
}

/* RFC 7143, 12.1: which keys may stand in the answer to each of our requests. */
static bool key_expected(enum login_phase phase, enum iscsi_key key)
{
	switch (phase) {
	case LOGIN_PHASE_AUTH_METHOD:
		return key == ISCSI_KEY_AUTH_METHOD;
	case LOGIN_PHASE_CHAP_ALGORITHM:
		return key == ISCSI_KEY_CHAP_A || key == ISCSI_KEY_CHAP_I ||
		       key == ISCSI_KEY_CHAP_C;
	case LOGIN_PHASE_CHAP_RESPONSE:
		return key == ISCSI_KEY_CHAP_N || key == ISCSI_KEY_CHAP_R;
	case LOGIN_PHASE_SECURITY_END:
	case LOGIN_PHASE_OPERATIONAL:
		break;
	}
	return false;
}

int security_key(struct login *login, enum iscsi_key key, const struct text_pair *pair,
		 struct security_keys *keys)
{
	/* A target that speaks of authentication to somebody who has not offered any wants it. */
	if (login->config.authentication == LOGIN_AUTHENTICATION_NONE)
		return text_value_is(pair, "None")
			       ? login_fault(login, "an answer to a key that was not offered")
			       : plain_fault(login, -EACCES, EVENT_CHAP_REQUIRED);
	if (!key_expected(login->phase, key))
		return key_fault(login, pair, "the key does not belong into this step");
	if (login->phase == LOGIN_PHASE_CHAP_RESPONSE && !login->config.target_secret)
		return key_fault(login, pair, "the target proves its identity without being asked");
	if (keys->pair[key].key)
		return key_fault(login, pair, "the key was sent twice");
	if (pair->value_length > key_value_max(key))
		return key_fault(login, pair, "the value is longer than allowed");
	keys->pair[key] = *pair;
	return 0;
}

/* RFC 7143, 12.1 */
static int receive_auth_method(struct login *login, const struct security_keys *keys)
{
	const struct text_pair *pair = &keys->pair[ISCSI_KEY_AUTH_METHOD];

	if (!pair->key)
		return plain_fault(login, -EPROTO, EVENT_AUTHMETHOD_MISSING);
	if (text_value_is(pair, "CHAP"))
		return offer_algorithms(login);
	if (text_value_is(pair, "None") || text_value_is(pair, "Reject") ||
	    text_value_is(pair, "Irrelevant") || text_value_is(pair, "NotUnderstood"))
		return plain_fault(login, -EACCES, EVENT_CHAP_NOT_OFFERED);
	return value_fault(login, -EPROTO, EVENT_AUTHMETHOD_UNKNOWN, FIELD_DUMP_RETURNED, pair,
			   NULL);
}

static int choose_algorithm(struct login *login, const struct text_pair *pair)
{
	uint64_t number;
	int algorithm;

	if (text_parse_number(pair->value, pair->value_length, &number) >= 0 && number <= 255) {
		algorithm = chap_algorithm_from_number((unsigned)number);
		for (size_t i = 0; i < login->config.n_chap_algorithms; i++) {
			if (algorithm == (int)login->config.chap_algorithms[i]) {
				login->algorithm = login->config.chap_algorithms[i];
				return 0;
			}
		}
	}
	return value_fault(login, -EPROTO, EVENT_CHAP_ALGORITHM_UNKNOWN, FIELD_DUMP_RETURNED, pair,
			   NULL);
}

/* RFC 7143, 12.1.3: at most 1024 bytes, and not the challenge of the other direction. */
static int decode_challenge(struct login *login, const struct text_pair *pair,
			    uint8_t ret[CHAP_CHALLENGE_MAX], size_t *ret_length)
{
	const uint8_t *own = login->config.chap_random + 1;
	const char *reason = "no valid hexadecimal or base64 number";
	int r;

	r = text_parse_binary(pair->value, pair->value_length, ret, CHAP_CHALLENGE_MAX, ret_length);
	if (r == -ENOBUFS)
		return plain_fault(login, -EPROTO, EVENT_CHAP_CHALLENGE_TOO_LONG);
	if (r >= 0 && login->config.target_secret && *ret_length == CHAP_CHALLENGE_LENGTH &&
	    memcmp(ret, own, CHAP_CHALLENGE_LENGTH) == 0) {
		reason = "the challenge is the one this initiator made";
		r = -EINVAL;
	}
	if (r < 0)
		return value_fault(login, -EPROTO, EVENT_CHAP_CHALLENGE_INVALID,
				   FIELD_DUMP_CHALLENGE, pair, reason);
	return 0;
}

static int write_response(struct login *login, uint8_t identifier, const uint8_t *challenge,
			  size_t challenge_length)
{
	const struct login_config *config = &login->config;
	int r;

	r = chap_respond(login->algorithm, identifier, config->secret, challenge, challenge_length,
			 login->chap_response);
	if (r >= 0)
		r = text_write(&login->out, "CHAP_N", config->user_name);
	if (r >= 0)
		r = text_write_binary(&login->out, "CHAP_R", login->chap_response,
				      chap_response_length(login->algorithm));
	if (r >= 0 && config->target_secret)
		r = text_write_number(&login->out, "CHAP_I", config->chap_random[0]);
	if (r >= 0 && config->target_secret)
		r = text_write_binary(&login->out, "CHAP_C", config->chap_random + 1,
				      CHAP_CHALLENGE_LENGTH);
	return r;
}

/* RFC 7143, 12.1.3: the target's choice and its challenge; we answer, and challenge it in turn. */
static int receive_challenge(struct login *login, const struct security_keys *keys)
{
	const struct text_pair *identifier = &keys->pair[ISCSI_KEY_CHAP_I];
	uint8_t challenge[CHAP_CHALLENGE_MAX];
	size_t challenge_length = 0;
	uint64_t number;
	int r;

	if (!keys->pair[ISCSI_KEY_CHAP_A].key)
		return key_fault(login, NULL, "CHAP_A is missing");
	r = choose_algorithm(login, &keys->pair[ISCSI_KEY_CHAP_A]);
	if (r < 0)
		return r;
	if (!identifier->key)
		return key_fault(login, NULL, "CHAP_I is missing");
	if (text_parse_number(identifier->value, identifier->value_length, &number) < 0 ||
	    number > 255)
		return key_fault(login, identifier, "CHAP_I is no number from 0 to 255");
	if (!keys->pair[ISCSI_KEY_CHAP_C].key)
		return key_fault(login, NULL, "CHAP_C is missing");
	r = decode_challenge(login, &keys->pair[ISCSI_KEY_CHAP_C], challenge, &challenge_length);
	if (r < 0)
		return r;
	login->phase = LOGIN_PHASE_CHAP_RESPONSE;
	return write_response(login, (uint8_t)number, challenge, challenge_length);
}

/*
 * RFC 7143, 9.2.1 and 12.1.3. -EACCES: the response proves nothing, and *@ret_reason says why.
 * Other errors of chap_verify().
 */
static int judge_response(const struct login *login, const uint8_t *response, size_t length,
			  const char **ret_reason)
{
	const struct login_config *config = &login->config;
	const uint8_t *own = config->chap_random + 1;
	int r;

	if (length == chap_response_length(login->algorithm) &&
	    memory_equal_secret(response, login->chap_response, length)) {
		*ret_reason = "the response is a copy of this initiator's";
		return -EACCES;
	}
	/* What this side would have answered itself: both directions have one secret. */
	r = chap_verify(login->algorithm, config->chap_random[0], config->secret, own,
			CHAP_CHALLENGE_LENGTH, response, length);
	if (r >= 0) {
		*ret_reason = "the target proves itself with the secret of this initiator";
		return -EACCES;
	}
	*ret_reason = "the response is not the one for the secret configured";
	return chap_verify(login->algorithm, config->chap_random[0], config->target_secret, own,
			   CHAP_CHALLENGE_LENGTH, response, length);
}

/* RFC 7143, 12.1.3: the target proves that it knows its secret. */
static int verify_target(struct login *login, const struct security_keys *keys)
{
	const struct text_pair *name = &keys->pair[ISCSI_KEY_CHAP_N];
	const struct text_pair *pair = &keys->pair[ISCSI_KEY_CHAP_R];
	const char *expected = login->config.target_user_name;
	const char *reason = "the response is too long";
	uint8_t response[CHAP_RESPONSE_MAX];
	size_t length = 0;
	int r;

	if (!name->key || !pair->key)
		return key_fault(login, name->key ? name : pair,
				 name->key ? "CHAP_R is missing" : "CHAP_N is missing");
	if (expected && !text_value_is(name, expected))
		return value_fault(login, -EACCES, EVENT_CHAP_RESPONSE_MISMATCH,
				   FIELD_DUMP_RESPONSE, pair,
				   "the target answers under another name");
	r = text_parse_binary(pair->value, pair->value_length, response, sizeof(response), &length);
	if (r < 0 && r != -ENOBUFS)
		return key_fault(login, pair, "CHAP_R is no valid hexadecimal or base64 number");
	if (r >= 0)
		r = judge_response(login, response, length, &reason);
	if (r == -EACCES || r == -ENOBUFS)
		return value_fault(login, -EACCES, EVENT_CHAP_RESPONSE_MISMATCH,
				   FIELD_DUMP_RESPONSE, pair, reason);
	if (r >= 0)
		login->result.mutual = true;
	return r;
}

int security_receive(struct login *login, const struct security_keys *keys)
{
	int r;

	switch (login->phase) {
	case LOGIN_PHASE_AUTH_METHOD:
		return receive_auth_method(login, keys);
	case LOGIN_PHASE_CHAP_ALGORITHM:
		return receive_challenge(login, keys);
	case LOGIN_PHASE_CHAP_RESPONSE:
		r = login->config.target_secret ? verify_target(login, keys) : 0;
		if (r < 0)
			return r;
		login->result.authenticated = true;
		login->result.chap_algorithm = login->algorithm;
		login->phase = LOGIN_PHASE_SECURITY_END;
		return 0;
	case LOGIN_PHASE_SECURITY_END:
	case LOGIN_PHASE_OPERATIONAL:
		break;
	}
	return 0;
}

/*
 * A status that finds fault with what was sent; others name a cause that has nothing to do with it.
 */
static bool refuses_request(int status_class, int status_detail)
{
	static const struct {
		int status_class, status_detail;
	} rows[] = {
		{ 2, 0x00 }, /* initiator error */
		{ 2, 0x01 }, /* authentication failure */
		{ 2, 0x07 }, /* missing parameter */
		{ 2, 0x0b }, /* invalid during login */
		{ 3, 0x00 }, /* target error */
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++)
		if (rows[i].status_class == status_class && rows[i].status_detail == status_detail)
			return true;
	return false;
}

/*
 * LIO before Linux 3.15, and the storage systems made of it, compare CHAP_A with "5" as a whole and
 * refuse a list. tgt and the Enterprise Target take algorithm 7 for SHA1, and answer the response
 * that is too long for it with "initiator error": an authentication failure, at that place, is
 * about the secret. Others close the connection, or choose what was not offered.
 */
bool security_algorithms_refused(const struct login *login, const struct login_step *final)
{
	int class = final->failed.status_class, detail = final->failed.status_detail;
	enum event_number event = final->failed.event;

	if (login->config.authentication != LOGIN_AUTHENTICATION_CHAP)
		return false;
	if (login->phase == LOGIN_PHASE_CHAP_ALGORITHM)
		return event == EVENT_DROPPED_BEFORE_FULL_FEATURE ||
		       event == EVENT_CHAP_ALGORITHM_UNKNOWN || event == EVENT_PDU_REJECTED ||
		       (event == EVENT_LOGIN_FAILED && refuses_request(class, detail));
	if (login->phase == LOGIN_PHASE_CHAP_RESPONSE && login->algorithm != CHAP_ALGORITHM_MD5)
		return event == EVENT_DROPPED_BEFORE_FULL_FEATURE ||
		       (event == EVENT_LOGIN_FAILED && class == 2 && detail == 0);
	return false;
}
