// layers: ois-iscsi ois-events ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Good logins are recorded, and played again with one fault at a time: each bit of each header, and
 * each key in all the ways a key can be wrong. Each fault is refused with the event it deserves, or
 * is a row of leniency.def, or is none by the standard. And a login that is cut into other PDUs
 * ends as the one that was not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake_target.h"

/* A recorded login */

#define RESPONSES_MAX 8

static struct response {
	uint8_t header[PDU_HEADER_LENGTH];
	char text[4096];
	size_t length;
} good[RESPONSES_MAX];
static size_t n_good;

static void record(const uint8_t header[PDU_HEADER_LENGTH], const void *text, size_t length)
{
	struct response *response = &good[n_good++];

	assert_true(n_good <= RESPONSES_MAX);
	assert_true(length <= sizeof(response->text));
	memcpy(response->header, header, PDU_HEADER_LENGTH);
	if (length > 0)
		memcpy(response->text, text, length);
	response->length = length;
}

enum variant {
	PLAIN,
	PARTIAL, /* the target makes an offer, and a second exchange */
	DISCOVERY,
	CHAP,
	MUTUAL,
	FURTHER_CONNECTION,
	DIGESTS,
	_VARIANT_MAX,
};

static const char *const variants[] = {
	[PLAIN] = "plain",     [PARTIAL] = "partial", [DISCOVERY] = "discovery",
	[CHAP] = "chap",       [MUTUAL] = "mutual",   [FURTHER_CONNECTION] = "further connection",
	[DIGESTS] = "digests",
};

/* Leaves a good login of this kind in .good. */
static void prepare(void **state, enum variant variant)
{
	teardown(state);
	setup(state);
	config.offer.first_burst_length = 65536;
	switch (variant) {
	case PLAIN:
	case _VARIANT_MAX:
		break;
	case PARTIAL:
		target.refuse_transit = 1;
		target.extra = "OFMarker=No";
		break;
	case DISCOVERY:
		config.target_name = NULL;
		break;
	case CHAP:
	case MUTUAL:
		chap_config(variant == MUTUAL);
		break;
	case FURTHER_CONNECTION:
		config.tsih = TSIH;
		break;
	case DIGESTS:
		config.offer.header_digest =
			(struct iscsi_digest_list){ { ISCSI_DIGEST_CRC32C, ISCSI_DIGEST_NONE }, 2 };
		break;
	}
	negotiation_init(&target.negotiation, NEGOTIATION_TARGET, variant == DISCOVERY,
			 &config.offer);
	target.negotiation.offered[ISCSI_KEY_OF_MARKER] = target.extra != NULL;
	n_good = 0;
	on_response = record;
	begin();
	target_serve();
	on_response = NULL;
	assert_int_equal(last.type, LOGIN_STEP_DONE);
	assert_int_equal(n_events, 0);
}

static void play(const struct response *response)
{
	if (last.type != LOGIN_STEP_WAIT)
		return;
	login_receive(login, response->header, response->text, response->length);
	run();
}

/* The login once more, one response replaced. */
static void play_with(size_t at, const struct response *fault)
{
	begin();
	for (size_t i = 0; i < n_good; i++)
		play(i == at ? fault : &good[i]);
}

/* What is to become of a fault */

enum fate {
	HARMLESS,  /* the standard allows it, or the field is reserved */
	REFUSED,   /* with this event */
	TOLERATED, /* a leniency; strictly this event */
	NOT_DONE,  /* it means something else, and the login is not over with it */
};

struct expectation {
	enum fate fate;
	enum event_number event;
	enum leniency leniency;
};

static const struct expectation harmless = { .fate = HARMLESS };
static const struct expectation not_done = { .fate = NOT_DONE };

static struct expectation refused(enum event_number event)
{
	return (struct expectation){ .fate = REFUSED, .event = event };
}

static struct expectation tolerated(enum leniency leniency)
{
	return (struct expectation){
		.fate = TOLERATED,
		.leniency = leniency,
		.event = leniency == LENIENCY_STATSN_RESTARTED ? EVENT_STATSN_INVALID
							       : EVENT_LOGIN_RESPONSE_INVALID,
	};
}

static bool met(const struct expectation *expected, bool strict)
{
	const struct event *event = raised(EVENT_DEVIATION_TOLERATED);
	bool refusal = expected->fate == REFUSED || (expected->fate == TOLERATED && strict);

	if (expected->fate == NOT_DONE)
		return last.type != LOGIN_STEP_DONE;
	if (refusal)
		return last.type == LOGIN_STEP_FAILED && last.failed.event == expected->event &&
		       raised(expected->event) && !event;
	if (last.type != LOGIN_STEP_DONE)
		return false;
	if (expected->fate == HARMLESS)
		return !event;
	return event && strcmp(event_get(event, FIELD_LENIENCY),
			       leniency_row(expected->leniency)->name) == 0;
}

static void check(size_t at, const struct response *fault, const struct expectation *expected,
		  enum variant variant, const char *what)
{
	for (unsigned strict = 0; strict < 2; strict++) {
		config.strict = strict;
		play_with(at, fault);
		if (!met(expected, strict))
			fail_msg("%s, response %zu, %s%s: ends with step %d, event %u",
				 variants[variant], at + 1, what, strict ? ", strict" : "",
				 last.type, last.type == LOGIN_STEP_FAILED ? last.failed.event : 0);
	}
	config.strict = false;
}

/* Each bit of each header */

static bool is_final(const struct response *response)
{
	return (response->header[1] & 0x83) == 0x83;
}

static uint32_t number_at(const struct response *response, size_t at)
{
	const uint8_t *bytes = response->header + at;

	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

/* RFC 7143, 11.13: byte 1, by bit. */
static struct expectation expect_flags(const struct response *response, uint8_t bit,
				       enum variant variant)
{
	bool transit = response->header[1] & 0x80;

	switch (bit) {
	case 0x80: /* T */
		return transit ? not_done : refused(EVENT_LOGIN_RESPONSE_INVALID);
	case 0x40: /* C */
		if (transit)
			return refused(EVENT_LOGIN_RESPONSE_INVALID);
		/* The answers of two exchanges are as good as one text; the steps of CHAP not. */
		return variant == PARTIAL ? harmless : not_done;
	case 0x08: /* CSG */
	case 0x04:
		return refused(EVENT_LOGIN_RESPONSE_INVALID);
	case 0x02: /* NSG, reserved without T */
	case 0x01:
		return transit ? refused(EVENT_LOGIN_RESPONSE_INVALID) : harmless;
	}
	return harmless;
}

static struct expectation expect_stat_sn(size_t at)
{
	/* The first may be any, and is followed by its next. */
	if (at == 0)
		return n_good == 1   ? harmless
		       : n_good == 2 ? tolerated(LENIENCY_STATSN_RESTARTED)
				     : refused(EVENT_STATSN_INVALID);
	return is_final(&good[at]) ? tolerated(LENIENCY_STATSN_RESTARTED)
				   : refused(EVENT_STATSN_INVALID);
}

/* RFC 7143, 4.2.2.1: MaxCmdSN may be as low as ExpCmdSN - 1. */
static struct expectation expect_window(const struct response *fault)
{
	int64_t window = (int32_t)(number_at(fault, 32) - number_at(fault, 28));

	return window < -1 ? refused(EVENT_CMDSN_WINDOW_INVALID) : harmless;
}

static struct expectation expect_tsih(size_t at, const struct response *fault)
{
	if (config.tsih != 0)
		return refused(EVENT_LOGIN_RESPONSE_INVALID);
	if (!is_final(fault))
		return tolerated(LENIENCY_TSIH_EARLY);
	/* Its number is the target's to choose. */
	return harmless;
}

static struct expectation expect_header(size_t at, const struct response *fault, size_t byte,
					uint8_t bit, enum variant variant)
{
	switch (byte) {
	case 0: /* opcode below two reserved bits */
		return bit & 0xc0 ? harmless : refused(EVENT_LOGIN_RESPONSE_INVALID);
	case 1:
		return expect_flags(&good[at], bit, variant);
	case 2: /* Version-max: any, but the same in all */
		return n_good == 1 ? harmless : refused(EVENT_LOGIN_RESPONSE_INVALID);
	case 3:         /* Version-active */
	case 4:         /* TotalAHSLength */
	case 5 ... 7:   /* DataSegmentLength */
	case 8 ... 13:  /* ISID */
	case 16 ... 19: /* task tag */
		return refused(EVENT_LOGIN_RESPONSE_INVALID);
	case 14 ... 15:
		return expect_tsih(at, fault);
	case 24 ... 27:
		return expect_stat_sn(at);
	case 28 ... 35:
		return expect_window(fault);
	case 36: /* status class; 1 is a redirection without an address */
		return refused(bit == 1 ? EVENT_REDIRECT_INVALID : EVENT_LOGIN_FAILED);
	}
	/* The detail of a success, and what is reserved. */
	return harmless;
}

static void test_header_bits(void **state)
{
	for (enum variant variant = 0; variant < _VARIANT_MAX; variant++) {
		prepare(state, variant);
		for (size_t at = 0; at < n_good; at++) {
			for (size_t bit = 0; bit < 8 * (size_t)PDU_HEADER_LENGTH; bit++) {
				uint8_t mask = (uint8_t)(0x80 >> bit % 8);
				struct response fault = good[at];
				struct expectation expected;
				char what[32];

				fault.header[bit / 8] ^= mask;
				expected = expect_header(at, &fault, bit / 8, mask, variant);
				(void)snprintf(what, sizeof(what), "byte %zu bit %02x", bit / 8,
					       mask);
				check(at, &fault, &expected, variant, what);
			}
		}
	}
}

/* A target may know higher versions. */
static void test_version_max(void **state)
{
	for (enum variant variant = 0; variant < _VARIANT_MAX; variant++) {
		prepare(state, variant);
		for (size_t at = 0; at < n_good; at++)
			good[at].header[2] = 2;
		check(0, &good[0], &harmless, variant, "Version-max 2");
	}
}

/* Each key */

enum damage {
	REMOVED,
	REPEATED,
	MALFORMED,
	NOT_UNDERSTOOD,
	REJECTED,
	IRRELEVANT,
	TOO_LONG,
	NO_KEY_NAME,
	NO_EQUALS,
	UNTERMINATED,
	_DAMAGE_MAX,
};

static const char *const damages[] = {
	[REMOVED] = "removed",          [REPEATED] = "repeated",
	[MALFORMED] = "malformed",      [NOT_UNDERSTOOD] = "not understood",
	[REJECTED] = "rejected",        [IRRELEVANT] = "irrelevant",
	[TOO_LONG] = "too long",        [NO_KEY_NAME] = "no key name",
	[NO_EQUALS] = "no equals sign", [UNTERMINATED] = "unterminated",
};

/* Keys by what becomes of their faults: one row for each, and one for all that are negotiated. */
static const struct {
	const char *key;
	enum event_number removed, malformed, declined, too_long;
} security_keys[] = {
	{ "AuthMethod", EVENT_AUTHMETHOD_MISSING, EVENT_AUTHMETHOD_UNKNOWN, EVENT_CHAP_NOT_OFFERED,
	  EVENT_CHAP_KEY_INVALID },
	{ "CHAP_A", EVENT_CHAP_KEY_INVALID, EVENT_CHAP_ALGORITHM_UNKNOWN,
	  EVENT_CHAP_ALGORITHM_UNKNOWN, EVENT_CHAP_KEY_INVALID },
	{ "CHAP_I", EVENT_CHAP_KEY_INVALID, EVENT_CHAP_KEY_INVALID, EVENT_CHAP_KEY_INVALID,
	  EVENT_CHAP_KEY_INVALID },
	{ "CHAP_C", EVENT_CHAP_KEY_INVALID, EVENT_CHAP_CHALLENGE_INVALID,
	  EVENT_CHAP_CHALLENGE_INVALID, EVENT_CHAP_CHALLENGE_INVALID },
	{ "CHAP_N", EVENT_CHAP_KEY_INVALID, EVENT_CHAP_RESPONSE_MISMATCH,
	  EVENT_CHAP_RESPONSE_MISMATCH, EVENT_CHAP_KEY_INVALID },
	{ "CHAP_R", EVENT_CHAP_KEY_INVALID, EVENT_CHAP_KEY_INVALID, EVENT_CHAP_KEY_INVALID,
	  EVENT_CHAP_KEY_INVALID },
};

static struct expectation expect_security(size_t row, enum damage damage)
{
	switch (damage) {
	case REMOVED:
		return refused(security_keys[row].removed);
	case REPEATED:
		return refused(EVENT_CHAP_KEY_INVALID);
	case MALFORMED:
		return refused(security_keys[row].malformed);
	case NOT_UNDERSTOOD:
	case REJECTED:
	case IRRELEVANT:
		return refused(security_keys[row].declined);
	case TOO_LONG:
		return refused(security_keys[row].too_long);
	case NO_KEY_NAME:
	case NO_EQUALS:
	case UNTERMINATED:
	case _DAMAGE_MAX:
		break;
	}
	return harmless;
}

/* What only a target says of itself. */
static struct expectation expect_declared(const char *key, enum damage damage)
{
	bool alias = strcmp(key, "TargetAlias") == 0;

	switch (damage) {
	case REMOVED:
		return alias ? harmless : tolerated(LENIENCY_PORTAL_GROUP_MISSING);
	case REPEATED:
		return tolerated(LENIENCY_KEY_REPEATED);
	case MALFORMED:
		return alias ? harmless : refused(EVENT_LOGIN_RESPONSE_INVALID);
	default:
		return refused(EVENT_LOGIN_RESPONSE_INVALID);
	}
}

/* RFC 7143, 6.2.2: our Yes decides these two. */
static bool optional(const char *key)
{
	return strcmp(key, "DataPDUInOrder") == 0 || strcmp(key, "DataSequenceInOrder") == 0;
}

static struct expectation expect_operational(const char *key, enum damage damage)
{
	bool declared = strcmp(key, "MaxRecvDataSegmentLength") == 0;

	switch (damage) {
	case REMOVED:
		return declared || optional(key) ? harmless : tolerated(LENIENCY_KEY_UNANSWERED);
	case REPEATED:
		return tolerated(LENIENCY_KEY_REPEATED);
	case NOT_UNDERSTOOD:
		return tolerated(LENIENCY_KEY_NOT_UNDERSTOOD);
	case REJECTED:
		return declared ? tolerated(LENIENCY_KEY_NOT_UNDERSTOOD) : harmless;
	case IRRELEVANT:
		/* Nothing that these logins agree on makes a key irrelevant. */
		return tolerated(declared ? LENIENCY_KEY_NOT_UNDERSTOOD : LENIENCY_KEY_RELEVANT);
	default:
		return refused(EVENT_LOGIN_RESPONSE_INVALID);
	}
}

/* What the target offers by itself. */
static struct expectation expect_offer(enum damage damage)
{
	/* An offer that is no value is answered with Reject. */
	return damage == REMOVED || damage == MALFORMED ? harmless
							: refused(EVENT_LOGIN_RESPONSE_INVALID);
}

static struct expectation expect_key(const char *key, enum damage damage)
{
	if (damage == NO_KEY_NAME || damage == NO_EQUALS)
		return refused(EVENT_LOGIN_RESPONSE_INVALID);
	if (damage == UNTERMINATED)
		return tolerated(LENIENCY_TEXT_UNTERMINATED);
	for (size_t i = 0; i < ELEMENTSOF(security_keys); i++)
		if (strcmp(key, security_keys[i].key) == 0)
			return expect_security(i, damage);
	if (strcmp(key, "TargetAlias") == 0 || strcmp(key, "TargetPortalGroupTag") == 0)
		return expect_declared(key, damage);
	if (strcmp(key, "OFMarker") == 0)
		return expect_offer(damage);
	return expect_operational(key, damage);
}

static void append(struct response *response, const char *text, size_t length)
{
	assert_true(response->length + length <= sizeof(response->text));
	memcpy(response->text + response->length, text, length);
	response->length += length;
}

/* One pair of a text, damaged. */
static void append_damaged(struct response *response, const char *pair, enum damage damage)
{
	static const char *const values[] = { [MALFORMED] = "~~~",
					      [NOT_UNDERSTOOD] = "NotUnderstood",
					      [REJECTED] = "Reject",
					      [IRRELEVANT] = "Irrelevant" };
	size_t key = strcspn(pair, "=");
	char text[4096];

	(void)snprintf(text, sizeof(text), "%s", pair);
	switch (damage) {
	case REMOVED:
		return;
	case REPEATED:
		append(response, pair, strlen(pair) + 1);
		break;
	case MALFORMED:
	case NOT_UNDERSTOOD:
	case REJECTED:
	case IRRELEVANT:
		strcpy(text + key + 1, values[damage]);
		break;
	case TOO_LONG:
		memset(text + key + 1, 'a', 600);
		text[key + 601] = '\0';
		if (strncmp(pair, "CHAP_R", key) == 0) {
			/* Its limit is that of a kilobyte in hex. */
			memset(text + key + 1, 'a', ISCSI_BINARY_VALUE_MAX + 1);
			text[key + ISCSI_BINARY_VALUE_MAX + 2] = '\0';
		}
		break;
	case NO_KEY_NAME:
		text[0] = '~';
		break;
	case NO_EQUALS:
		text[key] = '\0';
		break;
	case UNTERMINATED:
		append(response, text, strlen(text));
		return;
	case _DAMAGE_MAX:
		break;
	}
	append(response, text, strlen(text) + 1);
}

static void set_length(struct response *response)
{
	response->header[5] = 0;
	response->header[6] = (uint8_t)(response->length >> 8);
	response->header[7] = (uint8_t)response->length;
}

/* @good without its pairs, for damaged ones. */
static struct response empty_response(const struct response *from)
{
	struct response response = { 0 };

	memcpy(response.header, from->header, sizeof(response.header));
	return response;
}

static void check_key(size_t at, size_t pair, enum variant variant)
{
	const char *damaged = good[at].text + pair;
	bool is_last = pair + strlen(damaged) + 1 == good[at].length;

	for (enum damage damage = 0; damage < _DAMAGE_MAX; damage++) {
		struct response fault = empty_response(&good[at]);
		struct expectation expected;
		char key[64], what[128];

		if (damage == UNTERMINATED && !is_last)
			continue;
		for (size_t i = 0; i < good[at].length; i += strlen(good[at].text + i) + 1)
			if (i == pair)
				append_damaged(&fault, good[at].text + i, damage);
			else
				append(&fault, good[at].text + i, strlen(good[at].text + i) + 1);
		set_length(&fault);
		(void)snprintf(key, sizeof(key), "%.*s", (int)strcspn(damaged, "="), damaged);
		expected = expect_key(key, damage);
		(void)snprintf(what, sizeof(what), "%s %s", key, damages[damage]);
		check(at, &fault, &expected, variant, what);
	}
}

static void test_keys(void **state)
{
	for (enum variant variant = 0; variant < _VARIANT_MAX; variant++) {
		prepare(state, variant);
		for (size_t at = 0; at < n_good; at++)
			for (size_t i = 0; i < good[at].length; i += strlen(good[at].text + i) + 1)
				check_key(at, i, variant);
	}
}

/* Pairs that were not there. */
static void test_additions(void **state)
{
	static const struct {
		const char *pair;
		/* in the operational stage without and with CHAP configured, and in the security
		 * stage */
		struct expectation operational, with_chap, security;
	} rows[] = {
#define INVALID                                                                                    \
	{                                                                                          \
		.fate = REFUSED, .event = EVENT_LOGIN_RESPONSE_INVALID                             \
	}
#define OUT_OF_PLACE                                                                               \
	{                                                                                          \
		.fate = REFUSED, .event = EVENT_CHAP_KEY_INVALID                                   \
	}
#define LAST                                                                                       \
	{                                                                                          \
		.fate = TOLERATED, .event = EVENT_LOGIN_RESPONSE_INVALID,                          \
		.leniency = LENIENCY_UNKNOWN_KEY_LAST                                              \
	}
#define NONE                                                                                       \
	{                                                                                          \
		.fate = HARMLESS                                                                   \
	}
		/* Private keys, and those of standards to come; in the end nobody can answer them.
		 */
		{ "X-com.example.key=1", LAST, LAST, NONE },
		{ "X#NodeArchitecture=x", NONE, NONE, INVALID },
		{ "Y-com.example.key=1", LAST, LAST, NONE },
		{ "Z-com.example.key=1", LAST, LAST, NONE },
		{ "KeyOfTheFuture=", LAST, LAST, NONE },
		{ "X-com.example.key=NotUnderstood", INVALID, INVALID, INVALID },
		{ "X-com.example.key=Reject", INVALID, INVALID, INVALID },
		/* Keys of the initiator, of another phase, of another method, of nobody. */
		{ "InitiatorName=iqn.2026-11.com.example:x", INVALID, INVALID, INVALID },
		{ "SessionType=Normal", INVALID, INVALID, INVALID },
		{ "TargetName=" TARGET, INVALID, INVALID, INVALID },
		{ "SendTargets=All", INVALID, INVALID, INVALID },
		{ "SRP_U=x", INVALID, INVALID, INVALID },
		{ "KRB_AP_REQ=0x00", INVALID, INVALID, INVALID },
		{ "TargetAuth=Yes", INVALID, INVALID, INVALID },
		{ "CHAP_N=x",
		  { .fate = REFUSED, .event = EVENT_CHAP_REQUIRED },
		  OUT_OF_PLACE,
		  OUT_OF_PLACE },
		/* Of a target, and without an answer. */
		{ "TargetAddress=192.0.2.1:3260,1", NONE, NONE, NONE },
		/* Whatever needs one cannot be had in the last response. */
		{ "TaskReporting=RFC3720", INVALID, INVALID, INVALID },
		{ "iSCSIProtocolLevel=1", INVALID, INVALID, INVALID },
		{ "MaxBurstLength=?", INVALID, INVALID, INVALID },
		{ "IFMarker=No", NONE, NONE, INVALID },
		{ "OFMarker=Yes", INVALID, INVALID, INVALID },
		{ "RDMAExtensions=No", NONE, NONE, INVALID },
#undef INVALID
#undef OUT_OF_PLACE
#undef LAST
#undef NONE
	};
	static const enum variant played[] = { PLAIN, MUTUAL };

	for (size_t v = 0; v < ELEMENTSOF(played); v++) {
		prepare(state, played[v]);
		for (size_t at = 0; at < n_good; at++) {
			bool security = (good[at].header[1] & 0x0c) == 0;

			/* In between, the offer is answered, and that is another login. */
			if (security && at > 0)
				continue;
			for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
				struct response fault = good[at];
				const struct expectation *expected = security ? &rows[i].security
								     : played[v] == MUTUAL
									     ? &rows[i].with_chap
									     : &rows[i].operational;

				append(&fault, rows[i].pair, strlen(rows[i].pair) + 1);
				set_length(&fault);
				check(at, &fault, expected, played[v], rows[i].pair);
			}
		}
	}
}

/* Any cut into PDUs */

static uint32_t seed;

static size_t chance(size_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (size_t)((uint64_t)(seed >> 8) * n >> 24);
}

/* One response in up to three pieces with the C bit in all but the last; StatSN goes on by itself.
 */
static void play_in_pieces(const struct response *response, uint32_t *stat_sn)
{
	size_t n = 1 + chance(3), at = 0;

	for (size_t i = 0; i < n && last.type == LOGIN_STEP_WAIT; i++) {
		size_t length =
			i + 1 == n ? response->length - at : chance(response->length - at + 1);
		struct response piece = empty_response(response);

		append(&piece, response->text + at, length);
		set_length(&piece);
		if (i + 1 < n) {
			piece.header[1] = (piece.header[1] & 0x0c) | 0x40;
			/* The TSIH of a new session comes at the end. */
			if (config.tsih == 0)
				piece.header[14] = piece.header[15] = 0;
		}
		for (unsigned k = 0; k < 4; k++)
			piece.header[24 + k] = (uint8_t)(*stat_sn >> (24 - 8 * k));
		(*stat_sn)++;
		if (i > 0)
			assert_int_equal(request.data_length, 0);
		play(&piece);
		at += length;
	}
}

static void test_any_pieces(void **state)
{
	seed = 7;
	for (enum variant variant = 0; variant < _VARIANT_MAX; variant++) {
		struct login_result whole;

		prepare(state, variant);
		whole = *last.result;
		for (unsigned round = 0; round < 200; round++) {
			uint32_t stat_sn = (uint32_t)chance(1000000);

			config.strict = round & 1;
			begin();
			for (size_t i = 0; i < n_good; i++)
				play_in_pieces(&good[i], &stat_sn);
			assert_int_equal(last.type, LOGIN_STEP_DONE);
			assert_int_equal(n_events, 0);
			assert_int_equal(last.result->stat_sn, stat_sn - 1);
			whole.stat_sn = last.result->stat_sn;
			assert_memory_equal(last.result, &whole, sizeof(whole));
		}
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_header_bits), TEST(test_version_max), TEST(test_keys),
		TEST(test_additions),   TEST(test_any_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
