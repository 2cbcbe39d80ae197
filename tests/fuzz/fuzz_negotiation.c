// layers: ois-iscsi ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two sides that negotiate with each other agree on the same values whatever each wants, and these
 * are admissible for both. Before they do so a stranger may say something to the target, and that
 * must not matter when it was refused. The first bytes are what the sides want, the rest is the
 * stranger's text.
 */
#include <string.h>

#include "fuzz.h"
#include "negotiate.h"

struct wants {
	const uint8_t *at, *end;
};

static uint32_t want(struct wants *wants)
{
	return wants->at < wants->end ? *wants->at++ : 0;
}

/* Small and large values of the range are as likely. */
static uint32_t want_number(struct wants *wants, enum iscsi_key key)
{
	const struct key_row *row = key_row(key);
	uint64_t value = (uint64_t)row->range.minimum << (want(wants) % 32);

	value += want(wants);
	return value > row->range.maximum ? row->range.maximum : (uint32_t)value;
}

static void want_digests(struct wants *wants, struct iscsi_digest_list *ret)
{
	uint32_t which = want(wants) % 4;

	ret->n = which == 2 ? 0 : which == 3 ? 2 : 1;
	ret->digest[0] = which == 0 ? ISCSI_DIGEST_NONE : ISCSI_DIGEST_CRC32C;
	ret->digest[1] = ISCSI_DIGEST_NONE;
}

static void want_offer(struct wants *wants, struct iscsi_offer *ret)
{
	uint32_t booleans = want(wants);

	iscsi_offer_init(ret);
	ret->initial_r2t = booleans & 1;
	ret->immediate_data = booleans & 2;
	ret->data_pdu_in_order = booleans & 4;
	ret->data_sequence_in_order = booleans & 8;
	ret->rdma_extensions = booleans & 16;
	want_digests(wants, &ret->header_digest);
	want_digests(wants, &ret->data_digest);
	ret->max_connections = want_number(wants, ISCSI_KEY_MAX_CONNECTIONS);
	ret->max_recv_data_segment_length =
		want_number(wants, ISCSI_KEY_MAX_RECV_DATA_SEGMENT_LENGTH);
	ret->max_burst_length = want_number(wants, ISCSI_KEY_MAX_BURST_LENGTH);
	ret->first_burst_length = want_number(wants, ISCSI_KEY_FIRST_BURST_LENGTH);
	ret->default_time2wait = want_number(wants, ISCSI_KEY_DEFAULT_TIME2WAIT);
	ret->default_time2retain = want_number(wants, ISCSI_KEY_DEFAULT_TIME2RETAIN);
	ret->max_outstanding_r2t = want_number(wants, ISCSI_KEY_MAX_OUTSTANDING_R2T);
	ret->error_recovery_level = want_number(wants, ISCSI_KEY_ERROR_RECOVERY_LEVEL);
}

/* As its caller must: into a scratch copy, which counts when all of it was good. */
static int receive(struct negotiation *negotiation, unsigned stage, const void *text, size_t length,
		   struct buffer *answers)
{
	struct negotiation scratch = *negotiation;
	struct negotiation_fault fault = {};
	struct text_iterator iterator;
	struct text_pair pair;
	int r;

	text_iterator_init(&iterator, text, length);
	while ((r = text_iterator_next(&iterator, &pair, NULL)) > 0) {
		r = negotiation_receive(&scratch, stage, &pair, answers, &fault);
		FUZZ_CHECK(r <= 0);
		FUZZ_CHECK(r != -EPROTO || (fault.reason && fault.rfc));
		if (r < 0)
			return r;
	}
	if (r == 0)
		*negotiation = scratch;
	return r;
}

static void check_agreed(const struct key_row *row, const struct negotiation *initiator,
			 const struct negotiation *target)
{
	uint32_t value = key_result_get(row, &initiator->parameters);

	if (row->result == KEY_NOWHERE || row->function == KEY_DECLARATIVE)
		return;
	/* What does not matter need not be the same. */
	if ((row->unless & KEY_UNLESS_NO_UNSOLICITED) && initiator->parameters.initial_r2t &&
	    !initiator->parameters.immediate_data)
		return;
	FUZZ_CHECK(value == key_result_get(row, &target->parameters));
	if (row->type == KEY_NUMBER)
		FUZZ_CHECK(value == row->def || (value == 0 && row->zero_allowed) ||
			   (value >= row->range.minimum && value <= row->range.maximum));
}

static void negotiate(struct negotiation *initiator, struct negotiation *target)
{
	_cleanup_(buffer_done) struct buffer offers = {}, answers = {}, nothing = {};
	struct negotiation_fault fault;

	FUZZ_CHECK(negotiation_offer(initiator, &offers) == 0);
	FUZZ_CHECK(receive(target, KEY_IN_OPERATIONAL, offers.data, offers.length, &answers) == 0);
	FUZZ_CHECK(receive(initiator, KEY_IN_OPERATIONAL, answers.data, answers.length, &nothing) ==
		   0);
	FUZZ_CHECK(nothing.length == 0 && !initiator->owes_answer);
	FUZZ_CHECK(negotiation_finish(initiator, &fault) == 0);
	FUZZ_CHECK(negotiation_finish(target, &fault) == 0);
	for (int key = 0; key < _ISCSI_KEY_MAX; key++)
		check_agreed(key_row((enum iscsi_key)key), initiator, target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wants wants = { data, data + size };
	struct negotiation initiator, target;
	struct iscsi_offer ours, theirs;
	struct buffer answers = {};
	unsigned stage;
	bool discovery;

	discovery = want(&wants) & 1;
	want_offer(&wants, &ours);
	want_offer(&wants, &theirs);
	negotiation_init(&initiator, NEGOTIATION_INITIATOR, discovery, &ours);
	negotiation_init(&target, NEGOTIATION_TARGET, discovery, &theirs);
	stage = want(&wants) & 1 ? KEY_IN_SECURITY : KEY_IN_OPERATIONAL;
	if (receive(&target, stage, wants.at, (size_t)(wants.end - wants.at), &answers) < 0)
		negotiate(&initiator, &target);
	buffer_done(&answers);
	return 0;
}
