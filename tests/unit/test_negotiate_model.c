// layers: ois-iscsi ois-events ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Negotiation against a second, naive one that was written from RFC 7143 (6.2 and chapter 13) and
 * RFC 7145 (chapter 6) alone and shares nothing with the key table: over random offers and answers,
 * good and bad, both must give the same answers, the same results, and find fault with the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "negotiate.h"

#define ROUNDS 4000

/* Random numbers that are the same in each run. */

static uint64_t seed;

static uint32_t chance(uint32_t n)
{
	seed = seed * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)((seed >> 33) % n);
}

/* The model. A side is what it would like, by key, as the text that would stand on the wire. */

enum rule {
	AND,      /* Yes if both say so */
	OR,       /* Yes if one says so */
	SMALLER,  /* the smaller number */
	GREATER,  /* the greater number */
	FIRST,    /* the first of the list offered that the other side has */
	DECLARED, /* no answer */
};

static const struct wish {
	const char *key;
	enum rule rule;
	uint32_t lowest, highest, otherwise; /* without an agreement; of booleans 1 is Yes */
	bool leading;                        /* only on the first connection of a session */
	bool normal;                         /* irrelevant to discovery sessions */
} model[] = {
	{ "HeaderDigest", FIRST, 0, 1, 0, false, false },
	{ "DataDigest", FIRST, 0, 1, 0, false, false },
	{ "MaxConnections", SMALLER, 1, 65535, 1, true, true },
	{ "InitialR2T", OR, 0, 1, 1, true, true },
	{ "ImmediateData", AND, 0, 1, 1, true, true },
	{ "MaxRecvDataSegmentLength", DECLARED, 512, 16777215, 8192, false, false },
	{ "MaxBurstLength", SMALLER, 512, 16777215, 262144, true, true },
	{ "FirstBurstLength", SMALLER, 512, 16777215, 65536, true, true },
	{ "DefaultTime2Wait", GREATER, 0, 3600, 2, true, false },
	{ "DefaultTime2Retain", SMALLER, 0, 3600, 20, true, false },
	{ "MaxOutstandingR2T", SMALLER, 1, 65535, 1, true, true },
	{ "DataPDUInOrder", OR, 0, 1, 1, true, true },
	{ "DataSequenceInOrder", OR, 0, 1, 1, true, true },
	{ "ErrorRecoveryLevel", SMALLER, 0, 2, 0, true, false },
	{ "RDMAExtensions", AND, 0, 1, 0, true, true },
	{ "InitiatorRecvDataSegmentLength", SMALLER, 512, 16777215, 8192, false, false },
	{ "TargetRecvDataSegmentLength", SMALLER, 512, 16777215, 8192, false, false },
};

#define KEYS ELEMENTSOF(model)

/* What one side wants of each key; of a digest: 0 None, 1 CRC32C, 2 CRC32C,None, 3 None,CRC32C. */
struct wants {
	uint32_t value[KEYS];
};

static size_t model_find(const char *key)
{
	for (size_t i = 0; i < KEYS; i++)
		if (strcmp(model[i].key, key) == 0)
			return i;
	fail_msg("%s", key);
	return 0;
}

static bool is_boolean(size_t i)
{
	return model[i].rule == AND || model[i].rule == OR;
}

static void random_wants(struct wants *ret)
{
	for (size_t i = 0; i < KEYS; i++) {
		uint32_t range = model[i].highest - model[i].lowest + 1;

		ret->value[i] = model[i].lowest + chance(range);
		/* The ends of the range, and small numbers, as often as all others. */
		if (chance(4) == 0)
			ret->value[i] = chance(2) ? model[i].lowest : model[i].highest;
		else if (chance(3) == 0)
			ret->value[i] = model[i].lowest + chance(range < 3000 ? range : 3000);
		if (model[i].rule == FIRST)
			ret->value[i] = chance(4);
	}
}

static void model_text(size_t i, uint32_t value, char ret[32])
{
	static const char *const digests[] = { "None", "CRC32C", "CRC32C,None", "None,CRC32C" };

	if (model[i].rule == FIRST)
		(void)snprintf(ret, 32, "%s", digests[value]);
	else if (is_boolean(i))
		(void)snprintf(ret, 32, "%s", value ? "Yes" : "No");
	else
		(void)snprintf(ret, 32, "%u", value);
}

static bool unsolicited(const struct wants *wants)
{
	return !wants->value[model_find("InitialR2T")] || wants->value[model_find("ImmediateData")];
}

/* Chapter 13 (6 of RFC 7145), "Irrelevant when", as far as a side's own wishes decide it. */
static bool model_irrelevant(const struct wants *wants, size_t i, bool discovery)
{
	if (strcmp(model[i].key, "FirstBurstLength") == 0 && !unsolicited(wants))
		return true;
	if (strstr(model[i].key, "torRecvData") || strstr(model[i].key, "TargetRecvData"))
		return !wants->value[model_find("RDMAExtensions")];
	return model[i].normal && discovery;
}

/* Who has no RDMA does not speak of it. */
static bool model_offers(const struct wants *wants, size_t i, bool discovery, bool leading)
{
	if (strcmp(model[i].key, "RDMAExtensions") == 0 && !wants->value[i])
		return false;
	return !model_irrelevant(wants, i, discovery) && (leading || !model[i].leading);
}

static bool model_digest(const char *text, size_t length, uint32_t *ret)
{
	*ret = length == 6;
	return (length == 6 && memcmp(text, "CRC32C", 6) == 0) ||
	       (length == 4 && memcmp(text, "None", 4) == 0);
}

/* The text of a number or boolean; false: none, or out of range. */
static bool model_value(size_t i, const char *text, uint32_t *ret)
{
	char *end;
	unsigned long long number;

	if (is_boolean(i)) {
		*ret = strcmp(text, "Yes") == 0;
		return *ret || strcmp(text, "No") == 0;
	}
	if (!*text || strspn(text, "0123456789") != strlen(text) || (text[0] == '0' && text[1]))
		return false;
	number = strtoull(text, &end, 10);
	*ret = (uint32_t)number;
	return number >= model[i].lowest && number <= model[i].highest;
}

static uint32_t model_combine(size_t i, uint32_t a, uint32_t b)
{
	switch (model[i].rule) {
	case AND:
		return a && b;
	case OR:
		return a || b;
	case SMALLER:
		return a < b ? a : b;
	case GREATER:
		return a > b ? a : b;
	case FIRST:
	case DECLARED:
		break;
	}
	return b;
}

static bool wants_digest(uint32_t wanted, uint32_t digest)
{
	return wanted >= 2 || wanted == digest;
}

/* What the one who is offered @text answers, and what then holds. */
static const char *model_answer(const struct wants *wants, size_t i, const char *text,
				bool discovery, uint32_t *result)
{
	static char answer[32];
	uint32_t value = 0;
	bool good = false;

	if (model_irrelevant(wants, i, discovery))
		return "Irrelevant";
	if (model[i].rule != FIRST) {
		good = model_value(i, text, &value);
		value = model_combine(i, wants->value[i], value);
	}
	for (const char *at = text; model[i].rule == FIRST && at && !good;) {
		size_t length = strcspn(at, ",");

		good = model_digest(at, length, &value) && wants_digest(wants->value[i], value);
		at = at[length] ? at + length + 1 : NULL;
	}
	if (!good)
		return "Reject";
	*result = value;
	model_text(i, value, answer);
	return answer;
}

/* Whether an answer to our offer is right, and what then holds. */
static bool model_accepts(const struct wants *wants, size_t i, const char *text, uint32_t *result)
{
	uint32_t value;

	if (strcmp(text, "Reject") == 0 || strcmp(text, "Irrelevant") == 0) {
		*result = model[i].rule == FIRST
				  ? 0
				  : model_combine(i, wants->value[i], model[i].otherwise);
		return true;
	}
	if (model[i].rule == FIRST) {
		if (!model_digest(text, strlen(text), &value) ||
		    !wants_digest(wants->value[i], value))
			return false;
	} else if (!model_value(i, text, &value) ||
		   model_combine(i, wants->value[i], value) != value) {
		return false;
	}
	*result = value;
	return true;
}

/*
 * Whether Irrelevant was right for a key that was offered, when no other key was answered and their
 * defaults hold: RDMA there is none, and data only comes unsolicited as immediate data.
 */
static bool model_left_irrelevant(const struct wants *wants, size_t i)
{
	size_t immediate = model_find("ImmediateData");

	if (strcmp(model[i].key, "FirstBurstLength") == 0)
		return !model_combine(immediate, wants->value[immediate],
				      model[immediate].otherwise);
	return strstr(model[i].key, "torRecvData") || strstr(model[i].key, "TargetRecvData");
}

/* From the model to the code under test */

static void digest_list(uint32_t wanted, struct iscsi_digest_list *ret)
{
	ret->n = wanted >= 2 ? 2 : 1;
	ret->digest[0] = wanted == 1 || wanted == 2 ? ISCSI_DIGEST_CRC32C : ISCSI_DIGEST_NONE;
	ret->digest[1] = wanted == 2 ? ISCSI_DIGEST_NONE : ISCSI_DIGEST_CRC32C;
}

static void make_offer(const struct wants *wants, struct iscsi_offer *ret)
{
#define WANT(name) wants->value[model_find(name)]
	iscsi_offer_init(ret);
	digest_list(WANT("HeaderDigest"), &ret->header_digest);
	digest_list(WANT("DataDigest"), &ret->data_digest);
	ret->max_connections = WANT("MaxConnections");
	ret->initial_r2t = WANT("InitialR2T");
	ret->immediate_data = WANT("ImmediateData");
	ret->max_recv_data_segment_length = WANT("MaxRecvDataSegmentLength");
	ret->max_burst_length = WANT("MaxBurstLength");
	ret->first_burst_length = WANT("FirstBurstLength");
	ret->default_time2wait = WANT("DefaultTime2Wait");
	ret->default_time2retain = WANT("DefaultTime2Retain");
	ret->max_outstanding_r2t = WANT("MaxOutstandingR2T");
	ret->data_pdu_in_order = WANT("DataPDUInOrder");
	ret->data_sequence_in_order = WANT("DataSequenceInOrder");
	ret->error_recovery_level = WANT("ErrorRecoveryLevel");
	ret->rdma_extensions = WANT("RDMAExtensions");
	ret->initiator_recv_data_segment_length = WANT("InitiatorRecvDataSegmentLength");
	ret->target_recv_data_segment_length = WANT("TargetRecvDataSegmentLength");
#undef WANT
}

static uint32_t result_of(const struct negotiation *negotiation, size_t i)
{
	enum iscsi_key key;

	assert_int_equal(key_from_name(model[i].key, strlen(model[i].key), &key), 0);
	return key_result_get(key_row(key), &negotiation->parameters);
}

static struct negotiation_fault fault;

static int feed(struct negotiation *to, const char *key, const char *value, struct buffer *answers)
{
	struct text_pair pair = { key, strlen(key), value, strlen(value) };

	fault = (struct negotiation_fault){ 0 };
	return negotiation_receive(to, KEY_IN_OPERATIONAL, &pair, answers, &fault);
}

/* The value of a key in text, or NULL. */
static const char *value_in(const struct buffer *text, const char *key)
{
	size_t length = strlen(key);

	for (size_t at = 0; at < text->length; at += strlen((char *)text->data + at) + 1)
		if (strncmp((char *)text->data + at, key, length) == 0 &&
		    text->data[at + length] == '=')
			return (char *)text->data + at + length + 1;
	return NULL;
}

static struct negotiation negotiation;
static struct wants wants;

static void begin(enum negotiation_role role, bool discovery)
{
	struct iscsi_offer offer;

	random_wants(&wants);
	make_offer(&wants, &offer);
	negotiation_init(&negotiation, role, discovery, &offer);
	negotiation.leniencies.strict = true;
}

/* Values of all kinds: what a peer may say, and what it may not. */
static void random_value(size_t i, char ret[32])
{
	static const char *const odd[] = {
		"",       "yes",         "Reject",       "Irrelevant", "None",
		"CRC32C", "CRC32C,None", "None,",        "0",          "1",
		"2",      "511",         "512",          "3600",       "3601",
		"65535",  "65536",       "16777215",     "16777216",   "4294967296",
		"-1",     "007",         "CRC64,CRC32C", "Y-x,None",   ",None",
		"Yes",    "No",
	};
	struct wants theirs;

	if (chance(3) == 0) {
		(void)snprintf(ret, 32, "%s", odd[chance(ELEMENTSOF(odd))]);
		return;
	}
	random_wants(&theirs);
	/* Around our own value, where it matters. */
	if (chance(3) == 0 && model[i].rule != FIRST)
		theirs.value[i] = wants.value[i] + chance(3) - 1;
	if (is_boolean(i))
		theirs.value[i] = chance(2);
	model_text(i, theirs.value[i], ret);
}

static void test_offers(void **state)
{
	seed = 1;
	for (unsigned round = 0; round < ROUNDS; round++) {
		_cleanup_(buffer_done) struct buffer out = { 0 };
		bool discovery = chance(2), leading = chance(4);

		begin(NEGOTIATION_INITIATOR, discovery);
		negotiation.leading = leading;
		assert_int_equal(negotiation_offer(&negotiation, &out), 0);
		for (size_t i = 0; i < KEYS; i++) {
			const char *value = value_in(&out, model[i].key);
			char expected[32];

			assert_int_equal(value != NULL,
					 model_offers(&wants, i, discovery, leading));
			model_text(i, wants.value[i], expected);
			if (value)
				assert_string_equal(value, expected);
		}
	}
}

/* As the one who answers, in both roles: the target of another's offer, and the initiator of one
 * that the target makes. */
static void test_answers(void **state)
{
	seed = 2;
	for (unsigned round = 0; round < ROUNDS * 4; round++) {
		_cleanup_(buffer_done) struct buffer answers = { 0 };
		bool discovery = chance(2);
		size_t i = chance(KEYS);
		const char *answer, *given;
		char value[32];
		uint32_t before, result;

		begin(chance(2) ? NEGOTIATION_TARGET : NEGOTIATION_INITIATOR, discovery);
		random_value(i, value);
		before = result = result_of(&negotiation, i);
		if (model[i].rule == DECLARED) {
			bool good = model_value(i, value, &result);

			assert_int_equal(feed(&negotiation, model[i].key, value, &answers),
					 good ? 0 : -EPROTO);
			assert_int_equal(answers.length, 0);
			if (good)
				assert_int_equal(result_of(&negotiation, i), result);
			continue;
		}
		if (strcmp(value, "Reject") == 0 || strcmp(value, "Irrelevant") == 0) {
			/* RFC 7143, 6.2: never offered. */
			assert_int_equal(feed(&negotiation, model[i].key, value, &answers),
					 -EPROTO);
			assert_int_equal(result_of(&negotiation, i), before);
			continue;
		}
		answer = model_answer(&wants, i, value, discovery, &result);
		assert_int_equal(feed(&negotiation, model[i].key, value, &answers), 0);
		given = value_in(&answers, model[i].key);
		if (!given || strcmp(given, answer) != 0)
			fail_msg("%s=%s is answered %s, not %s", model[i].key, value,
				 given ?: "nothing", answer);
		assert_int_equal(result_of(&negotiation, i), result);
	}
}

/* As the one who offered: answers of all kinds to all that was offered. */
static void test_results(void **state)
{
	seed = 3;
	for (unsigned round = 0; round < ROUNDS * 4; round++) {
		_cleanup_(buffer_done) struct buffer out = { 0 }, answers = { 0 };
		bool discovery = chance(2);
		size_t i = chance(KEYS);
		uint32_t result = 0;
		char value[32];
		bool good;

		begin(NEGOTIATION_INITIATOR, discovery);
		assert_int_equal(negotiation_offer(&negotiation, &out), 0);
		if (!value_in(&out, model[i].key) || model[i].rule == DECLARED)
			continue;
		random_value(i, value);
		good = model_accepts(&wants, i, value, &result);
		if ((feed(&negotiation, model[i].key, value, &answers) == 0) != good)
			fail_msg("the answer %s to %s=%s is %s", value, model[i].key,
				 value_in(&out, model[i].key), good ? "refused" : "accepted");
		assert_int_equal(answers.length, 0);
		if (good)
			assert_int_equal(result_of(&negotiation, i), result);
		else
			assert_non_null(fault.reason);
		/* What is left unanswered is another matter. */
		negotiation.leniencies.strict = false;
		assert_int_equal(negotiation_finish(&negotiation, &fault), 0);
		assert_int_equal(!!(negotiation.leniencies.used & 1U << LENIENCY_KEY_RELEVANT),
				 strcmp(value, "Irrelevant") == 0 &&
					 !model_left_irrelevant(&wants, i));
	}
}

/* Careful keys, where the other side does not keep to the rule: tolerated, never less careful. */
static void test_careful(void **state)
{
	static const char *const careful[] = { "InitialR2T", "ImmediateData", "FirstBurstLength",
					       "DefaultTime2Wait", "DefaultTime2Retain" };

	seed = 4;
	for (unsigned round = 0; round < ROUNDS; round++) {
		_cleanup_(buffer_done) struct buffer out = { 0 }, answers = { 0 };
		size_t i = model_find(careful[chance(ELEMENTSOF(careful))]);
		uint32_t value, result;
		char text[32];

		begin(NEGOTIATION_INITIATOR, false);
		negotiation.leniencies.strict = false;
		assert_int_equal(negotiation_offer(&negotiation, &out), 0);
		random_value(i, text);
		if (!value_in(&out, model[i].key) || !model_value(i, text, &value))
			continue;
		assert_int_equal(feed(&negotiation, model[i].key, text, &answers), 0);
		assert_int_equal(negotiation.leniencies.used != 0,
				 !model_accepts(&wants, i, text, &result));
		assert_int_equal(result_of(&negotiation, i),
				 model_combine(i, wants.value[i], value));
	}
}

/* Both sides are the code under test; both come to what the model says, whoever may offer first. */
static void test_both_sides(void **state)
{
	seed = 5;
	for (unsigned round = 0; round < ROUNDS; round++) {
		_cleanup_(buffer_done) struct buffer offers = { 0 }, reply = { 0 }, none = { 0 };
		struct negotiation initiator;
		struct wants ours;
		bool discovery = chance(4) == 0;

		begin(NEGOTIATION_INITIATOR, discovery);
		initiator = negotiation;
		ours = wants;
		begin(NEGOTIATION_TARGET, discovery);
		assert_int_equal(negotiation_offer(&initiator, &offers), 0);
		for (size_t at = 0; at < offers.length;
		     at += strlen((char *)offers.data + at) + 1) {
			char pair[80];

			(void)snprintf(pair, sizeof(pair), "%s", (char *)offers.data + at);
			*strchr(pair, '=') = '\0';
			assert_int_equal(feed(&negotiation, pair, pair + strlen(pair) + 1, &reply),
					 0);
		}
		for (size_t at = 0; at < reply.length; at += strlen((char *)reply.data + at) + 1) {
			char pair[80];

			(void)snprintf(pair, sizeof(pair), "%s", (char *)reply.data + at);
			*strchr(pair, '=') = '\0';
			assert_int_equal(feed(&initiator, pair, pair + strlen(pair) + 1, &none), 0);
		}
		assert_int_equal(none.length, 0);
		assert_int_equal(negotiation_finish(&initiator, &fault), 0);
		for (size_t i = 0; i < KEYS; i++) {
			uint32_t expected = 0;
			char text[32];

			if (model[i].rule == DECLARED || !value_in(&offers, model[i].key))
				continue;
			model_text(i, ours.value[i], text);
			/* RFC 7145, 6.1: with RDMA there are no digests, whatever was said. */
			if (model[i].rule == FIRST && initiator.parameters.rdma_extensions) {
				assert_int_equal(result_of(&initiator, i), 0);
				continue;
			}
			/* Rejected, or of no use to the one: each goes by its default. */
			if (strcspn(model_answer(&wants, i, text, discovery, &expected), "RI") == 0)
				continue;
			assert_int_equal(result_of(&initiator, i), expected);
			assert_int_equal(result_of(&negotiation, i), expected);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offers),     cmocka_unit_test(test_answers),
		cmocka_unit_test(test_results),    cmocka_unit_test(test_careful),
		cmocka_unit_test(test_both_sides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
