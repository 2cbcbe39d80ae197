/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Both ends of a login in one test: the machine, whose steps are taken by run(), and a target built
 * on the same codec. reply() plays one response after the other; target_serve() is a target of its
 * own.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "bounds.h"
#include "login.h"
#include "negotiate.h"
#include "secret.h"
#include "text.h"

#define INITIATOR "iqn.2026-11.com.example:host"
#define TARGET    "iqn.2026-11.com.example:disk"
#define TSIH      0x1234
#define EVENTS    16

/* The initiator under test */

static struct login *login;
static struct login_config config;
static struct login_step last;
static struct secret *initiator_secret, *target_secret;
static struct event *events[EVENTS];
static size_t n_events;

/* What it sent last, copied; and all text of this login so far, of both sides. */
static struct pdu request;
static struct buffer request_text;
static struct buffer asked, said;

/* The target */

static struct {
	struct negotiation negotiation;
	struct text_collector in;
	struct buffer out;
	size_t out_sent;
	size_t chunk; /* data segments it sends */
	uint32_t stat_sn;
	bool transit;
	/* what the initiator demanded of it */
	uint8_t challenge[64];
	size_t challenge_length;
	enum chap_algorithm algorithm;
	bool base64, proved, failed;
	const char *extra; /* said in the first operational answer */
	unsigned refuse_transit;
} target;

/* Overrides in a response, applied last. */
typedef void (*mutate_t)(struct pdu *response);

/* Sees each response of the target, if it is set. */
static void (*on_response)(const uint8_t header[PDU_HEADER_LENGTH], const void *text,
			   size_t length);

static void forget_events(void)
{
	for (size_t i = 0; i < n_events; i++)
		event_free(events[i]);
	n_events = 0;
}

/* Takes all steps until there is nothing to do; copies what was sent. */
static void run(void)
{
	for (;;) {
		login_next(login, &last);
		switch (last.type) {
		case LOGIN_STEP_SEND:
			assert_int_equal(pdu_decode(last.send.header, &request), 0);
			assert_int_equal(request.opcode, PDU_OPCODE_LOGIN_REQUEST);
			assert_int_equal(request.data_length, last.send.data_length);
			assert_true(request.immediate);
			buffer_clear(&request_text);
			assert_int_equal(
				buffer_append(&request_text, last.send.data, last.send.data_length),
				0);
			assert_int_equal(
				buffer_append(&asked, last.send.data, last.send.data_length), 0);
			continue;
		case LOGIN_STEP_EVENT:
			assert_true(n_events < EVENTS);
			assert_non_null(last.event);
			events[n_events++] = last.event;
			continue;
		case LOGIN_STEP_WAIT:
		case LOGIN_STEP_REDIRECT:
		case LOGIN_STEP_DONE:
		case LOGIN_STEP_FAILED:
			return;
		}
	}
}

static void receive(const struct pdu *response, const void *text, size_t length)
{
	uint8_t header[PDU_HEADER_LENGTH];

	pdu_encode(response, header);
	if (on_response)
		on_response(header, text, length);
	login_receive(login, header, text, length);
	run();
}

static struct pdu response_to_request(void)
{
	struct pdu response = {
		.opcode = PDU_OPCODE_LOGIN_RESPONSE,
		.itt = request.itt,
		.login_response = {
			.csg = request.login_request.csg,
			.tsih = request.login_request.tsih,
			.numbers = { target.stat_sn++, request.login_request.cmd_sn,
				     request.login_request.cmd_sn + 8 },
		},
	};

	memcpy(response.login_response.isid, request.login_request.isid, 6);
	return response;
}

/* Answers the last request with this text and, if it asked, with the transition. */
static void reply_bytes(const void *text, size_t length, bool transit, mutate_t mutate)
{
	struct pdu response = response_to_request();

	response.data_length = (uint32_t)length;
	if (transit) {
		response.login_response.transit = true;
		response.login_response.nsg = request.login_request.nsg;
		if (response.login_response.nsg == PDU_STAGE_FULL_FEATURE &&
		    !response.login_response.tsih)
			response.login_response.tsih = TSIH;
	}
	if (mutate)
		mutate(&response);
	receive(&response, text, length);
}

/* @text: pairs separated by "|". */
static void reply_only(const char *text, bool transit, mutate_t mutate)
{
	char pairs[20000];
	size_t length = strlen(text) + 1;

	assert_true(length < sizeof(pairs));
	memcpy(pairs, text, length);
	for (size_t i = 0; i < length; i++)
		if (pairs[i] == '|')
			pairs[i] = '\0';
	assert_int_equal(buffer_append(&said, pairs, length), 0);
	reply_bytes(pairs, length == 1 ? 0 : length, transit, mutate);
}

static bool request_has(const struct buffer *text, const char *key, char *value, size_t size)
{
	struct text_iterator iterator;
	struct text_pair pair;

	text_iterator_init(&iterator, text->data, text->length);
	while (text_iterator_next(&iterator, &pair, NULL) > 0) {
		if (pair.key_length != strlen(key) || memcmp(pair.key, key, pair.key_length) != 0)
			continue;
		assert_true(pair.value_length < size);
		memcpy(value, pair.value, pair.value_length);
		value[pair.value_length] = '\0';
		return true;
	}
	return false;
}

/* Whether this key stands in @text, where pairs are separated by "|". */
static bool mentions(const char *text, const char *key)
{
	size_t length = strlen(key);

	for (const char *at = text; at; at = strchr(at, '|')) {
		at += *at == '|';
		if (strncmp(at, key, length) == 0 && at[length] == '=')
			return true;
	}
	return false;
}

/* Adds what a target that has nothing against the offers would answer to those not answered yet. */
static void complete(char *text, size_t size)
{
	struct text_iterator iterator;
	char value[ISCSI_VALUE_MAX + 1];
	struct text_pair pair;

	text_iterator_init(&iterator, asked.data, asked.length);
	while (text_iterator_next(&iterator, &pair, NULL) > 0) {
		const char *name, *answer = "1";
		enum iscsi_key key;
		int length = 1;

		if (key_from_name(pair.key, pair.key_length, &key) < 0)
			continue;
		name = key_row(key)->name;
		if (key == ISCSI_KEY_TARGET_NAME) {
			name = "TargetPortalGroupTag";
		} else if (key_row(key)->function == KEY_DECLARATIVE ||
			   key_row(key)->offer == KEY_NOWHERE) {
			continue;
		} else {
			answer = pair.value;
			length = (int)pair.value_length;
			if (memchr(answer, ',', pair.value_length))
				length = (int)(strchr(answer, ',') - answer);
		}
		if (!mentions(text, name) && !request_has(&said, name, value, sizeof(value)))
			(void)snprintf(text + strlen(text), size - strlen(text), "%s%s=%.*s",
				       *text ? "|" : "", name, length, answer);
	}
}

/* The same with all answers that are due before the last response ends the login. */
static _unused_ void reply(const char *text, bool transit, mutate_t mutate)
{
	char whole[20000];

	assert_true(strlen(text) < sizeof(whole));
	strcpy(whole, text);
	if (transit && request.login_request.csg == PDU_STAGE_OPERATIONAL)
		complete(whole, sizeof(whole));
	reply_only(whole, transit, mutate);
}

/* The automatic target */

static void write_challenge(void)
{
	char text[3 + BASE64_SIZE(sizeof(target.challenge))] = "0B";

	if (!target.base64) {
		assert_int_equal(text_write_binary(&target.out, "CHAP_C", target.challenge,
						   target.challenge_length),
				 0);
		return;
	}
	base64_encode(target.challenge, target.challenge_length, text + 2);
	assert_int_equal(text_write(&target.out, "CHAP_C", text), 0);
}

static void answer_mutual(const struct buffer *text)
{
	uint8_t challenge[CHAP_CHALLENGE_MAX], response[CHAP_RESPONSE_MAX];
	char value[ISCSI_BINARY_VALUE_MAX + 1];
	uint64_t identifier;
	size_t length;

	if (!request_has(text, "CHAP_C", value, sizeof(value)))
		return;
	assert_int_equal(
		text_parse_binary(value, strlen(value), challenge, sizeof(challenge), &length), 0);
	assert_int_equal(length, CHAP_CHALLENGE_LENGTH);
	assert_true(request_has(text, "CHAP_I", value, sizeof(value)));
	assert_int_equal(text_parse_number(value, strlen(value), &identifier), 0);
	assert_int_equal(chap_respond(target.algorithm, (uint8_t)identifier, target_secret,
				      challenge, length, response),
			 0);
	assert_int_equal(text_write(&target.out, "CHAP_N", "the-disk"), 0);
	assert_int_equal(text_write_binary(&target.out, "CHAP_R", response,
					   chap_response_length(target.algorithm)),
			 0);
}

static void target_security(const struct buffer *text)
{
	char value[ISCSI_BINARY_VALUE_MAX + 1], number[8];
	uint8_t response[CHAP_RESPONSE_MAX];
	size_t length;

	if (request_has(text, "AuthMethod", value, sizeof(value))) {
		assert_string_equal(value, "CHAP");
		assert_int_equal(text_write(&target.out, "AuthMethod", "CHAP"), 0);
		assert_int_equal(text_write(&target.out, "TargetPortalGroupTag", "1"), 0);
		assert_int_equal(text_write(&target.out, "TargetAlias", "the disk"), 0);
	} else if (request_has(text, "CHAP_A", value, sizeof(value))) {
		(void)snprintf(number, sizeof(number), "%u",
			       chap_algorithm_number(target.algorithm));
		assert_non_null(strstr(value, number));
		assert_int_equal(text_write(&target.out, "CHAP_A", number), 0);
		assert_int_equal(text_write(&target.out, "CHAP_I", "0x2b"), 0);
		write_challenge();
	} else if (request_has(text, "CHAP_R", value, sizeof(value))) {
		assert_int_equal(text_parse_binary(value, strlen(value), response, sizeof(response),
						   &length),
				 0);
		target.proved =
			chap_verify(target.algorithm, 0x2b, initiator_secret, target.challenge,
				    target.challenge_length, response, length) == 0;
		assert_true(request_has(text, "CHAP_N", value, sizeof(value)));
		assert_string_equal(value, "the-host");
		target.failed = !target.proved;
		answer_mutual(text);
	}
	target.transit = request.login_request.transit;
}

static void target_operational(const struct buffer *text)
{
	struct negotiation_fault fault;
	struct text_iterator iterator;
	struct text_pair pair;

	text_iterator_init(&iterator, text->data, text->length);
	while (text_iterator_next(&iterator, &pair, NULL) > 0)
		assert_int_equal(negotiation_receive(&target.negotiation, KEY_IN_OPERATIONAL, &pair,
						     &target.out, &fault),
				 0);
	if (!target.negotiation.offered[ISCSI_KEY_MAX_RECV_DATA_SEGMENT_LENGTH]) {
		target.negotiation.offered[ISCSI_KEY_MAX_RECV_DATA_SEGMENT_LENGTH] = true;
		if (config.authentication == LOGIN_AUTHENTICATION_NONE && config.target_name)
			assert_int_equal(text_write(&target.out, "TargetPortalGroupTag", "1"), 0);
		assert_int_equal(text_write_number(&target.out, "MaxRecvDataSegmentLength", 65536),
				 0);
		if (target.extra)
			assert_int_equal(
				buffer_append(&target.out, target.extra, strlen(target.extra) + 1),
				0);
	}
	target.transit = request.login_request.transit && target.refuse_transit == 0;
	if (target.refuse_transit > 0)
		target.refuse_transit--;
}

/* Sends the next piece of its answer. */
static void target_send(void)
{
	size_t left = target.out.length - target.out_sent;
	size_t length = left > target.chunk ? target.chunk : left;
	struct pdu response = response_to_request();
	size_t at = target.out_sent;

	target.out_sent += length;
	response.data_length = (uint32_t)length;
	if (target.failed) {
		response.login_response.status_class = PDU_LOGIN_INITIATOR_ERROR;
		response.login_response.status_detail = 1;
	} else if (left > target.chunk) {
		response.login_response.more = true;
	} else if (target.transit) {
		response.login_response.transit = true;
		response.login_response.nsg = response.login_response.csg == PDU_STAGE_SECURITY
						      ? PDU_STAGE_OPERATIONAL
						      : PDU_STAGE_FULL_FEATURE;
		if (response.login_response.nsg == PDU_STAGE_FULL_FEATURE)
			response.login_response.tsih = TSIH;
	}
	receive(&response, target.out.data + at, length);
}

/* One request, one response, until the login ends. */
static _unused_ void target_serve(void)
{
	for (unsigned n = 0; n < 5000 && last.type == LOGIN_STEP_WAIT; n++) {
		if (target.out_sent < target.out.length) {
			assert_int_equal(request_text.length, 0);
			target_send();
			continue;
		}
		buffer_clear(&target.out);
		target.out_sent = 0;
		target.transit = false;
		if (text_collect(&target.in, request_text.data, request_text.length,
				 request.login_request.more) > 0) {
			if (request.login_request.csg == PDU_STAGE_SECURITY)
				target_security(&target.in.text);
			else
				target_operational(&target.in.text);
		}
		target_send();
	}
	assert_int_not_equal(last.type, LOGIN_STEP_WAIT);
}

/* Setup */

static _unused_ void chap_config(bool mutual)
{
	config.authentication = LOGIN_AUTHENTICATION_CHAP;
	config.chap_algorithms[0] = CHAP_ALGORITHM_SHA3_256;
	config.chap_algorithms[1] = CHAP_ALGORITHM_SHA256;
	config.chap_algorithms[2] = CHAP_ALGORITHM_SHA1;
	config.chap_algorithms[3] = CHAP_ALGORITHM_MD5;
	config.n_chap_algorithms = 4;
	config.user_name = "the-host";
	config.secret = initiator_secret;
	if (!mutual)
		return;
	config.target_secret = target_secret;
	config.target_user_name = "the-disk";
	for (size_t i = 0; i < sizeof(config.chap_random); i++)
		config.chap_random[i] = (uint8_t)(i * 7 + 3);
}

static void begin(void)
{
	login = login_free(login);
	forget_events();
	buffer_clear(&asked);
	buffer_clear(&said);
	assert_int_equal(login_new(&config, &login), 0);
	run();
}

static int setup(void **state)
{
	config = (struct login_config){
		.initiator_name = INITIATOR,
		.initiator_alias = "host",
		.target_name = TARGET,
		.isid = { 0x80, 1, 2, 3, 4, 5 },
		.cid = 9,
		.cmdsn = 0xffffffff,
		.itt = 0x11223344,
		.portal_group_tag = -1,
	};
	iscsi_offer_init(&config.offer);
	memset(&target, 0, sizeof(target));
	negotiation_init(&target.negotiation, NEGOTIATION_TARGET, false, &config.offer);
	target.chunk = LOGIN_DATA_SEGMENT_MAX;
	target.stat_sn = 0xfffffffe;
	target.algorithm = CHAP_ALGORITHM_MD5;
	target.challenge_length = 16;
	for (size_t i = 0; i < sizeof(target.challenge); i++)
		target.challenge[i] = (uint8_t)(200 - i);
	assert_int_equal(secret_new("initiator-secret", 16, &initiator_secret), 0);
	assert_int_equal(secret_new("target-secret-16", 16, &target_secret), 0);
	return 0;
}

static int teardown(void **state)
{
	login = login_free(login);
	forget_events();
	buffer_done(&request_text);
	buffer_done(&asked);
	buffer_done(&said);
	buffer_done(&target.in.text);
	buffer_done(&target.out);
	initiator_secret = secret_free(initiator_secret);
	target_secret = secret_free(target_secret);
	return 0;
}

static const struct event *raised(enum event_number number)
{
	for (size_t i = 0; i < n_events; i++)
		if (event_type(events[i])->number == number)
			return events[i];
	return NULL;
}

static _unused_ void assert_failed(enum event_number number, int error)
{
	assert_int_equal(last.type, LOGIN_STEP_FAILED);
	assert_int_equal(last.failed.event, number);
	assert_int_equal(last.failed.error, error);
	assert_non_null(raised(number));
	assert_string_equal(event_get(raised(number), FIELD_OUTCOME), "failed");
	assert_int_not_equal(login_stage(login), LOGIN_STAGE_FULL_FEATURE);
	/* What is over stays over. */
	login_timed_out(login);
	login_overdue(login);
	login_disconnected(login);
	login_next(login, &last);
	assert_int_equal(last.type, LOGIN_STEP_FAILED);
	assert_int_equal(last.failed.event, number);
}
