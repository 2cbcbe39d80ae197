// layers: ois-iscsi ois-events ois-base
// wraps: malloc calloc realloc reallocarray strdup
// wraps: EVP_MD_CTX_new EVP_DigestInit_ex2 EVP_DigestUpdate EVP_DigestFinal_ex
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Logins and discoveries with each allocation failing in turn, alone or with all that follow: they
 * say the same and come to the same result, or end for want of memory, and nothing is lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "login.h"
#include "secret.h"
#include "sendtargets.h"
#include "text.h"

#define RESPONSES_MAX 4
#define TSIH          7

/* The allocation to fail, counted from 1; 0: none. With .lasting all later ones fail, too. */
static struct {
	unsigned n, failing;
	bool lasting;
} allocations;

static bool fails(void)
{
	allocations.n++;
	return allocations.failing > 0 &&
	       (allocations.n == allocations.failing ||
		(allocations.lasting && allocations.n > allocations.failing));
}

#define WRAP(type, name, parameters, arguments)                                                    \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;                                                             \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		return fails() ? 0 : __real_##name arguments;                                      \
	}

WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, (void *memory, size_t size), (memory, size))
WRAP(void *, reallocarray, (void *memory, size_t n, size_t size), (memory, n, size))
WRAP(char *, strdup, (const char *text), (text))
/* Those of OpenSSL that need memory of its own. */
WRAP(EVP_MD_CTX *, EVP_MD_CTX_new, (void), ())
WRAP(int, EVP_DigestInit_ex2,
     (EVP_MD_CTX * context, const EVP_MD *digest, const OSSL_PARAM *parameters),
     (context, digest, parameters))
WRAP(int, EVP_DigestUpdate, (EVP_MD_CTX * context, const void *data, size_t length),
     (context, data, length))
WRAP(int, EVP_DigestFinal_ex, (EVP_MD_CTX * context, unsigned char *ret, unsigned *ret_length),
     (context, ret, ret_length))

struct dialogue {
	struct login_config config;
	struct {
		const char *text; /* pairs, each with a bar behind it */
		bool transit;
		uint8_t status_class, status_detail;
	} responses[RESPONSES_MAX];
};

/* What was sent when all allocations succeed, and in the present run. */
static struct transcript {
	uint8_t bytes[8192];
	size_t length;
} expected, sent;

static struct secret *own_secret, *target_secret;
static char proof[128];

/* What the target proves itself with is the same in every run, as the challenge is. */
static int prepare(void **state)
{
	uint8_t challenge[CHAP_CHALLENGE_LENGTH] = { 0 }, response[CHAP_RESPONSE_MAX];
	char hex[2 * CHAP_RESPONSE_MAX + 1];

	assert_int_equal(secret_new("own-secret-1234", 15, &own_secret), 0);
	assert_int_equal(secret_new("other-secret-12", 15, &target_secret), 0);
	assert_int_equal(chap_respond(CHAP_ALGORITHM_SHA256, 0, target_secret, challenge,
				      sizeof(challenge), response),
			 0);
	hex_encode(response, chap_response_length(CHAP_ALGORITHM_SHA256), hex);
	(void)snprintf(proof, sizeof(proof), "CHAP_N=storage|CHAP_R=0x%s|", hex);
	return 0;
}

static int clean_up(void **state)
{
	own_secret = secret_free(own_secret);
	target_secret = secret_free(target_secret);
	return 0;
}

static struct login_config configuration(bool chap, bool mutual)
{
	struct login_config config = {
		.initiator_name = "iqn.2026-11.com.example:host",
		.target_name = "iqn.2026-11.com.example:disk",
		.portal_address = "192.0.2.1",
		.portal_group_tag = -1,
		.itt = 1,
	};

	iscsi_offer_init(&config.offer);
	if (!chap)
		return config;
	config.authentication = LOGIN_AUTHENTICATION_CHAP;
	config.chap_algorithms[config.n_chap_algorithms++] = CHAP_ALGORITHM_SHA256;
	config.user_name = "alice";
	config.secret = own_secret;
	if (mutual)
		config.target_secret = target_secret;
	return config;
}

static size_t split(const char *text, char ret[512])
{
	size_t length = strlen(text);

	assert_true(length < 512);
	for (size_t i = 0; i < length; i++)
		ret[i] = text[i] == '|' ? '\0' : text[i];
	return length;
}

static void respond(struct login *login, const struct dialogue *dialogue, size_t index,
		    const uint8_t request_header[PDU_HEADER_LENGTH])
{
	bool transit = dialogue->responses[index].transit, last;
	uint8_t header[PDU_HEADER_LENGTH];
	struct pdu request, response;
	char text[512];
	size_t length = split(dialogue->responses[index].text, text);

	assert_int_equal(pdu_decode(request_header, &request), 0);
	last = transit && request.login_request.nsg == PDU_STAGE_FULL_FEATURE;
	response = (struct pdu){
		.opcode = PDU_OPCODE_LOGIN_RESPONSE,
		.itt = request.itt,
		.data_length = (uint32_t)length,
		.login_response = {
			.transit = transit,
			.status_class = dialogue->responses[index].status_class,
			.status_detail = dialogue->responses[index].status_detail,
			.csg = request.login_request.csg,
			.nsg = transit ? request.login_request.nsg : 0,
			.tsih = last ? TSIH : 0,
			.numbers = { (uint32_t)index + 1, 0, 16 },
		},
	};
	memcpy(response.login_response.isid, request.login_request.isid, 6);
	pdu_encode(&response, header);
	login_receive(login, header, text, length);
}

static void note(const struct login_step *step)
{
	size_t length = step->send.data_length;

	assert_true(sent.length + PDU_HEADER_LENGTH + length <= sizeof(sent.bytes));
	memcpy(sent.bytes + sent.length, step->send.header, PDU_HEADER_LENGTH);
	sent.length += PDU_HEADER_LENGTH;
	if (length > 0)
		memcpy(sent.bytes + sent.length, step->send.data, length);
	sent.length += length;
}

/* To the end, which is *@ret_last. */
static void converse(struct login *login, const struct dialogue *dialogue,
		     struct login_step *ret_last)
{
	uint8_t header[PDU_HEADER_LENGTH];
	struct login_step step;
	size_t n = 0;

	for (;;) {
		login_next(login, &step);
		switch (step.type) {
		case LOGIN_STEP_SEND:
			memcpy(header, step.send.header, sizeof(header));
			note(&step);
			break;
		case LOGIN_STEP_EVENT:
			event_free(step.event);
			break;
		case LOGIN_STEP_WAIT:
			assert_true(n < RESPONSES_MAX && dialogue->responses[n].text);
			respond(login, dialogue, n++, header);
			break;
		case LOGIN_STEP_DONE:
		case LOGIN_STEP_FAILED:
		case LOGIN_STEP_REDIRECT:
			*ret_last = step;
			return;
		}
	}
}

static void check_end(const struct dialogue *dialogue, const struct login_step *last)
{
	bool chap = dialogue->config.authentication == LOGIN_AUTHENTICATION_CHAP;

	if (last->type == LOGIN_STEP_REDIRECT) {
		assert_string_equal(last->redirect.address, "192.0.2.9");
		return;
	}
	if (last->type == LOGIN_STEP_DONE) {
		if (allocations.failing == 0)
			expected = sent;
		assert_int_equal(sent.length, expected.length);
		assert_memory_equal(sent.bytes, expected.bytes, sent.length);
		assert_int_equal(last->result->tsih, TSIH);
		assert_int_equal(last->result->authenticated, chap);
		assert_int_equal(last->result->mutual, !!dialogue->config.target_secret);
		assert_int_equal(last->result->parameters.max_burst_length, 65536);
		return;
	}
	assert_int_equal(last->type, LOGIN_STEP_FAILED);
	assert_int_equal(last->failed.error, -ENOMEM);
	assert_true(last->failed.retry);
}

static void run(const struct dialogue *dialogue)
{
	struct login *login = NULL;
	struct login_step last;
	int r;

	allocations.n = 0;
	sent.length = 0;
	r = login_new(&dialogue->config, &login);
	assert_true(r == 0 || (r == -ENOMEM && !login));
	if (r == 0) {
		converse(login, dialogue, &last);
		check_end(dialogue, &last);
	}
	login = login_free(login);
}

static void run_with_each_failure(const struct dialogue *dialogue)
{
	for (int lasting = 0; lasting < 2; lasting++) {
		allocations.lasting = lasting;
		allocations.failing = 0;
		run(dialogue);
		do {
			allocations.failing++;
			run(dialogue);
		} while (allocations.n >= allocations.failing);
		assert_true(allocations.failing > 3);
	}
	allocations.failing = 0;
}

#define OPERATIONAL                                                                                \
	"TargetPortalGroupTag=1|TargetAlias=a\\b|HeaderDigest=None|DataDigest=None|"               \
	"InitialR2T=Yes|ImmediateData=Yes|MaxBurstLength=65536|FirstBurstLength=65536|"            \
	"DefaultTime2Wait=2|DefaultTime2Retain=0|MaxOutstandingR2T=1|MaxConnections=1|"            \
	"DataPDUInOrder=Yes|DataSequenceInOrder=Yes|ErrorRecoveryLevel=0|"

static void test_login(void **state)
{
	struct dialogue dialogue = {
		.config = configuration(false, false),
		.responses = { { OPERATIONAL, true } },
	};

	run_with_each_failure(&dialogue);
	/* Keys we have to answer, over a second exchange. */
	dialogue.responses[0].text = "X-com.example.a=1|OFMarker=No|" OPERATIONAL;
	dialogue.responses[0].transit = false;
	dialogue.responses[1].text = "";
	dialogue.responses[1].transit = true;
	run_with_each_failure(&dialogue);
	/* Deviations, whose event names each. */
	dialogue.responses[1].text = "TargetAlias=a\\b|MaxBurstLength=65536";
	run_with_each_failure(&dialogue);
}

static void test_redirect(void **state)
{
	const struct dialogue dialogue = {
		.config = configuration(false, false),
		.responses = { { "TargetAddress=192.0.2.9:3260|", false, PDU_LOGIN_REDIRECTION,
				 1 } },
	};

	run_with_each_failure(&dialogue);
}

static void test_chap(void **state)
{
	struct dialogue dialogue = {
		.responses = {
			{ "TargetPortalGroupTag=1|AuthMethod=CHAP|", false },
			{ "CHAP_A=7|CHAP_I=1|CHAP_C=0x5a5a5a5a|", false },
			{ "", true },
			{ &OPERATIONAL[strlen("TargetPortalGroupTag=1|")], true },
		},
	};

	dialogue.config = configuration(true, false);
	run_with_each_failure(&dialogue);
	dialogue.config = configuration(true, true);
	dialogue.responses[2].text = proof;
	run_with_each_failure(&dialogue);
}

static void answer_targets(struct sendtargets *machine)
{
	static const char answer[] = "TargetName=iqn.2026-11.com.example:a|TargetAddress=192.0.2.1|"
				     "TargetName=iqn.2026-11.com.example:b|TargetAddress=[::]:1|"
				     "TargetName=nobody|TargetAddress=192.0.2.2|";
	uint8_t header[PDU_HEADER_LENGTH];
	char text[512];
	size_t length = split(answer, text);

	pdu_encode(
		&(struct pdu){
			.opcode = PDU_OPCODE_TEXT_RESPONSE,
			.itt = 1,
			.data_length = (uint32_t)length,
			.text_response = { .final = true,
					   .ttt = PDU_TAG_RESERVED,
					   .numbers = { 1, 0, 16 } },
		},
		header);
	sendtargets_receive(machine, header, text, length);
}

static void take_targets(struct sendtargets *machine)
{
	struct sendtargets_step step;

	for (;;) {
		sendtargets_next(machine, &step);
		switch (step.type) {
		case SENDTARGETS_STEP_SEND:
		case SENDTARGETS_STEP_TARGET:
			break;
		case SENDTARGETS_STEP_EVENT:
			event_free(step.event);
			break;
		case SENDTARGETS_STEP_WAIT:
			answer_targets(machine);
			break;
		case SENDTARGETS_STEP_DONE:
			assert_int_equal(step.done.targets, 2);
			assert_int_equal(step.done.skipped, 1);
			return;
		case SENDTARGETS_STEP_FAILED:
			assert_int_equal(step.failed.error, -ENOMEM);
			return;
		}
	}
}

static void test_sendtargets(void **state)
{
	const struct sendtargets_config config = {
		.address = "192.0.2.1", .port = 3260, .itt = 1, .exp_stat_sn = 1
	};

	for (int lasting = 0; lasting < 2; lasting++) {
		allocations.lasting = lasting;
		allocations.failing = 0;
		do {
			struct sendtargets *machine = NULL;
			int r;

			allocations.failing++;
			allocations.n = 0;
			r = sendtargets_new(&config, &machine);
			assert_true(r == 0 || (r == -ENOMEM && !machine));
			if (r == 0)
				take_targets(machine);
			machine = sendtargets_free(machine);
		} while (allocations.n >= allocations.failing);
	}
	allocations.failing = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_redirect),
		cmocka_unit_test(test_chap),
		cmocka_unit_test(test_sendtargets),
	};

	return cmocka_run_group_tests(tests, prepare, clean_up);
}
