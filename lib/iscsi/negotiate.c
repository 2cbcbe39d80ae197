/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "negotiate.h"
#include "parse.h"

/* RFC 7143, 6.2: values that are no value of any key. */
#define IRRELEVANT     "Irrelevant"
#define NOT_UNDERSTOOD "NotUnderstood"
#define REJECT         "Reject"
#define INQUIRY        "?"

void negotiation_init(struct negotiation *negotiation, enum negotiation_role role, bool discovery,
		      const struct iscsi_offer *offer)
{
	*negotiation = (struct negotiation){
		.role = role,
		.discovery = discovery,
		.offer = *offer,
		.leading = true,
		.portal_group_tag = -1,
	};
	iscsi_parameters_init(&negotiation->parameters);
	negotiation->parameters.max_recv_data_segment_length = offer->max_recv_data_segment_length;
}

/* enum key_sender */
static unsigned own_side(const struct negotiation *negotiation)
{
	return negotiation->role == NEGOTIATION_INITIATOR ? KEY_FROM_INITIATOR : KEY_FROM_TARGET;
}

static bool key_irrelevant(const struct negotiation *negotiation, const struct key_row *row)
{
	if ((row->unless & KEY_UNLESS_DISCOVERY) && negotiation->discovery)
		return true;
	if ((row->unless & KEY_UNLESS_NO_RDMA) && !negotiation->offer.rdma_extensions)
		return true;
	/* The offer decides alone: a Yes to InitialR2T and a No to ImmediateData always prevail. */
	return (row->unless & KEY_UNLESS_NO_UNSOLICITED) && negotiation->offer.initial_r2t &&
	       !negotiation->offer.immediate_data;
}

/* RFC 7143, 13: "LO", a key of the first connection alone. */
static bool belongs_elsewhere(const struct negotiation *negotiation, const struct key_row *row)
{
	return (row->use & KEY_LEADING_ONLY) && !negotiation->leading;
}

/* The list a digest is offered from, or NULL for a key that is no such list. */
static const struct iscsi_digest_list *offered_list(const struct negotiation *negotiation,
						    const struct key_row *row)
{
	if (row->type != KEY_LIST || row->offer == KEY_NOWHERE)
		return NULL;
	return (const void *)((const uint8_t *)&negotiation->offer + row->offer);
}

/*
 * RFC 7143, 6.2.2: a No where both must say Yes, and a Yes where one is enough, is the result by
 * itself; the answer may be left out.
 */
static bool answer_optional(const struct key_row *row, uint32_t offered)
{
	return (row->function == KEY_AND && !offered) || (row->function == KEY_OR && offered);
}

/* Keys of other types are declared, never offered. */
static int write_value(const struct key_row *row, uint32_t value, struct buffer *out)
{
	if (row->type == KEY_BOOLEAN)
		return text_write(out, row->name, value ? "Yes" : "No");
	if (row->type == KEY_LIST)
		return text_write(out, row->name, row->values[value]);
	return text_write_number(out, row->name, value);
}

static int write_list(const struct key_row *row, const struct iscsi_digest_list *list,
		      struct buffer *out)
{
	char value[ISCSI_VALUE_MAX + 1] = "";

	for (size_t i = 0; i < list->n; i++) {
		if (i > 0)
			strcat(value, ",");
		strcat(value, row->values[list->digest[i]]);
	}
	return text_write(out, row->name, value);
}

int negotiation_offer(struct negotiation *negotiation, struct buffer *out)
{
	for (enum iscsi_key key = 0; key < _ISCSI_KEY_MAX; key++) {
		const struct key_row *row = key_row(key);
		const struct iscsi_digest_list *list = offered_list(negotiation, row);
		int r;

		if (row->offer == KEY_NOWHERE || negotiation->received[key] ||
		    belongs_elsewhere(negotiation, row) || (list && list->n == 0) ||
		    (row->iser && !negotiation->offer.rdma_extensions) ||
		    key_irrelevant(negotiation, row))
			continue;
		r = list ? write_list(row, list, out)
			 : write_value(row, key_offer_get(row, &negotiation->offer), out);
		if (r < 0)
			return r;
		negotiation->offered[key] = true;
	}
	return 0;
}

int negotiation_declare(struct negotiation *negotiation, enum iscsi_key key, const char *value,
			struct buffer *out)
{
	int r = text_write(out, key_row(key)->name, value);

	if (r >= 0)
		negotiation->offered[key] = true;
	return r;
}

static int value_index(const struct key_row *row, const char *text, size_t length)
{
	for (size_t i = 0; i < row->n_values; i++)
		if (strlen(row->values[i]) == length && memcmp(row->values[i], text, length) == 0)
			return (int)i;
	return -EINVAL;
}

/* The value of a boolean, of a number in range, or of the single element of a list. */
static int parse_value(const struct key_row *row, const struct text_pair *pair, uint32_t *ret)
{
	uint64_t number;
	bool boolean;
	int r;

	switch (row->type) {
	case KEY_BOOLEAN:
		r = text_parse_boolean(pair->value, pair->value_length, &boolean);
		if (r >= 0)
			*ret = boolean;
		return r;
	case KEY_NUMBER:
		r = text_parse_number(pair->value, pair->value_length, &number);
		if (r < 0)
			return r;
		if ((number < row->range.minimum || number > row->range.maximum) &&
		    !(number == 0 && row->zero_allowed))
			return -ERANGE;
		*ret = (uint32_t)number;
		return 0;
	case KEY_LIST:
		r = value_index(row, pair->value, pair->value_length);
		if (r >= 0)
			*ret = (uint32_t)r;
		return r;
	case KEY_RANGE:
	case KEY_BINARY:
	case KEY_TEXT:
		break;
	}
	return -EINVAL;
}

/* What comes of our value @a and the peer's @b. */
static uint32_t combine(const struct key_row *row, uint32_t a, uint32_t b)
{
	switch (row->function) {
	case KEY_AND:
		return a && b;
	case KEY_OR:
		return a || b;
	case KEY_MINIMUM:
		return a < b ? a : b;
	case KEY_MAXIMUM:
		return a > b ? a : b;
	case KEY_FIRST_COMMON: /* chosen already */
	case KEY_DECLARATIVE:
		break;
	}
	return b;
}

static bool list_has(const struct iscsi_digest_list *list, uint32_t value)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->digest[i] == value)
			return true;
	/* Who offers nothing can do without. */
	return list->n == 0 && value == ISCSI_DIGEST_NONE;
}

static bool is_no_value(const struct text_pair *pair)
{
	return text_value_is(pair, IRRELEVANT) || text_value_is(pair, NOT_UNDERSTOOD) ||
	       text_value_is(pair, REJECT);
}

/*
 * What holds for an offered key that the peer has no value for: the default, as far as the offer
 * allows it.
 */
static void settle_without_answer(struct negotiation *negotiation, const struct key_row *row)
{
	uint32_t value = combine(row, key_offer_get(row, &negotiation->offer), row->def);

	key_result_set(row, &negotiation->parameters, value);
}

static int fault(struct negotiation_fault *ret, enum iscsi_key key, const char *reason)
{
	*ret = (struct negotiation_fault){ reason, key_row(key)->rfc, key };
	return -EPROTO;
}

/* Goes on with a known deviation, or finds fault with it. */
static int tolerate(struct negotiation *negotiation, enum leniency which, enum iscsi_key key,
		    struct negotiation_fault *ret_fault)
{
	const struct leniency_row *row = leniency_row(which);

	if (leniency_allows(&negotiation->leniencies, which))
		return 0;
	*ret_fault = (struct negotiation_fault){ row->deviation, row->rfc, key };
	return -EPROTO;
}

/* RFC 7143, 6.2: the keys of that standard must be known; those of later ones need not be. */
static int receive_not_understood(struct negotiation *negotiation, enum iscsi_key key,
				  struct negotiation_fault *ret_fault)
{
	if (key_row(key)->iser)
		return 0;
	return tolerate(negotiation, LENIENCY_KEY_NOT_UNDERSTOOD, key, ret_fault);
}

/*
 * RFC 7143, 6.2.1 and 6.2.2: an answer is one of the values offered, or what the result function
 * gives.
 */
static int receive_answer(struct negotiation *negotiation, enum iscsi_key key,
			  const struct text_pair *pair, struct negotiation_fault *ret_fault)
{
	const struct key_row *row = key_row(key);
	const struct iscsi_digest_list *list = offered_list(negotiation, row);
	uint32_t value, admissible;
	int r = 0;

	if (is_no_value(pair)) {
		/* RFC 7143, 6.2: Reject is an answer like others, and leaves the key as it is. */
		if (text_value_is(pair, NOT_UNDERSTOOD))
			r = receive_not_understood(negotiation, key, ret_fault);
		negotiation->irrelevant[key] = text_value_is(pair, IRRELEVANT);
		settle_without_answer(negotiation, row);
		return r;
	}
	if (parse_value(row, pair, &value) < 0)
		return fault(ret_fault, key, "the answer is not a value of this key");
	if (list && !list_has(list, value))
		return fault(ret_fault, key, "the answer was not among the values offered");
	admissible = combine(row, key_offer_get(row, &negotiation->offer), value);
	if (admissible != value && !row->forgiving)
		return fault(ret_fault, key, "the answer is not admissible for what was offered");
	if (admissible != value)
		r = tolerate(negotiation, LENIENCY_ANSWER_NOT_ADMISSIBLE, key, ret_fault);
	key_result_set(row, &negotiation->parameters, admissible);
	return r;
}

static int receive_text_declaration(struct negotiation *negotiation, enum iscsi_key key,
				    const struct text_pair *pair,
				    struct negotiation_fault *ret_fault)
{
	if (!text_is_clean(pair->value, pair->value_length))
		return fault(ret_fault, key, "the value is not clean UTF-8 text");
	if (key == ISCSI_KEY_TARGET_ALIAS)
		(void)text_escape(pair->value, pair->value_length, negotiation->target_alias,
				  sizeof(negotiation->target_alias));
	return 0;
}

static int receive_declaration(struct negotiation *negotiation, enum iscsi_key key,
			       const struct text_pair *pair, struct negotiation_fault *ret_fault)
{
	const struct key_row *row = key_row(key);
	uint32_t value;

	/* An answer to a declaration of ours changes nothing. */
	if (is_no_value(pair))
		return receive_not_understood(negotiation, key, ret_fault);
	if (row->type == KEY_TEXT)
		return receive_text_declaration(negotiation, key, pair, ret_fault);
	if (parse_value(row, pair, &value) < 0)
		return fault(ret_fault, key, "the value declared is not a value of this key");
	if (key == ISCSI_KEY_TARGET_PORTAL_GROUP_TAG)
		negotiation->portal_group_tag = (int)value;
	else
		key_result_set(row, &negotiation->parameters, value);
	return 0;
}

/* RFC 7143, 6.2.1: the first in the peer's list that we support. */
static int choose(const struct negotiation *negotiation, const struct key_row *row,
		  const struct text_pair *pair, uint32_t *ret)
{
	const struct iscsi_digest_list *list = offered_list(negotiation, row);
	struct text_pair rest = *pair;
	const char *element;
	size_t length;

	while (text_list_next(&rest, &element, &length)) {
		int index = value_index(row, element, length);

		if (index >= 0 && (!list || list_has(list, (uint32_t)index))) {
			*ret = (uint32_t)index;
			return 0;
		}
	}
	return -ENOENT;
}

/* RFC 7143, 6.2: the peer offered, we answer with the result. */
static int receive_offer(struct negotiation *negotiation, const struct key_row *row,
			 const struct text_pair *pair, struct buffer *answers)
{
	uint32_t value;
	int r;

	if (key_irrelevant(negotiation, row))
		return text_write(answers, row->name, IRRELEVANT);
	r = row->obsolete           ? -EINVAL
	    : row->type == KEY_LIST ? choose(negotiation, row, pair, &value)
				    : parse_value(row, pair, &value);
	if (r < 0) {
		negotiation->owes_answer = true;
		return text_write(answers, row->name, REJECT);
	}
	if (!answer_optional(row, value))
		negotiation->owes_answer = true;
	value = combine(row, key_offer_get(row, &negotiation->offer), value);
	r = write_value(row, value, answers);
	if (r < 0)
		return r;
	key_result_set(row, &negotiation->parameters, value);
	return 0;
}

/* The drafts of RFC 3720 knew "?" as a question for the value in effect; it is cheap to answer. */
static int answer_inquiry(struct negotiation *negotiation, const struct key_row *row,
			  struct buffer *answers)
{
	uint32_t value = key_result_get(row, &negotiation->parameters);

	negotiation->owes_answer = true;
	/* What stands under a declared key is the peer's own word. */
	if (row->function == KEY_DECLARATIVE)
		value = key_offer_get(row, &negotiation->offer);
	if (row->obsolete)
		return text_write(answers, row->name, REJECT);
	if (row->type == KEY_TEXT || !(row->sender & own_side(negotiation)))
		return text_write(answers, row->name, NOT_UNDERSTOOD);
	return write_value(row, value, answers);
}

/* RFC 7143, 6.2: a key we do not know is answered, unless it is such an answer itself. */
static int receive_unknown(struct negotiation *negotiation, const struct text_pair *pair,
			   struct buffer *answers, struct negotiation_fault *ret_fault)
{
	char name[ISCSI_KEY_NAME_MAX + 1];
	const char *reason = NULL;

	if (is_no_value(pair))
		reason = "an answer to a key that was not offered";
	else if (pair->value_length > ISCSI_LONG_VALUE_MAX)
		reason = "the value is longer than allowed";
	if (reason) {
		*ret_fault = (struct negotiation_fault){ reason, "RFC 7143, 6.2", _ISCSI_KEY_MAX };
		return -EPROTO;
	}
	memcpy(name, pair->key, pair->key_length);
	name[pair->key_length] = '\0';
	negotiation->owes_not_understood = true;
	return text_write(answers, name, NOT_UNDERSTOOD);
}

/* RFC 7143, 6.2 and 6.3, and the use and senders that chapter 13 gives for each key. */
static const char *key_fault(const struct negotiation *negotiation, enum iscsi_key key,
			     unsigned stage, const struct text_pair *pair)
{
	unsigned peer = own_side(negotiation) ^ (KEY_FROM_INITIATOR | KEY_FROM_TARGET);
	const struct key_row *row = key_row(key);
	bool declined = negotiation->offered[key] && is_no_value(pair);

	if (pair->value_length > key_value_max(key))
		return "the value is longer than allowed";
	if (!(row->use & stage))
		return "the key has no place in this stage";
	if (belongs_elsewhere(negotiation, row))
		return "the key belongs to the first connection of the session";
	if (!declined && !(row->sender & peer))
		return "the key is not the peer's to send";
	if (!declined && is_no_value(pair))
		return "an answer to a key that was not offered";
	return NULL;
}

/* Whether a declaration or an answer says what the same key said before. */
static bool same_again(const struct negotiation *negotiation, enum iscsi_key key,
		       const struct text_pair *pair)
{
	const struct key_row *row = key_row(key);
	char alias[sizeof(negotiation->target_alias)];
	uint32_t value;

	if (key == ISCSI_KEY_TARGET_ALIAS) {
		(void)text_escape(pair->value, pair->value_length, alias, sizeof(alias));
		return strcmp(alias, negotiation->target_alias) == 0;
	}
	if (parse_value(row, pair, &value) < 0)
		return false;
	if (key == ISCSI_KEY_TARGET_PORTAL_GROUP_TAG)
		return value == (uint32_t)negotiation->portal_group_tag;
	return (negotiation->offered[key] || row->function == KEY_DECLARATIVE) &&
	       value == key_result_get(row, &negotiation->parameters);
}

static int receive_again(struct negotiation *negotiation, enum iscsi_key key,
			 const struct text_pair *pair, struct negotiation_fault *ret_fault)
{
	if (!same_again(negotiation, key, pair))
		return fault(ret_fault, key, "the key was sent before");
	return tolerate(negotiation, LENIENCY_KEY_REPEATED, key, ret_fault);
}

int negotiation_receive(struct negotiation *negotiation, unsigned stage,
			const struct text_pair *pair, struct buffer *answers,
			struct negotiation_fault *ret_fault)
{
	const struct key_row *row;
	const char *reason;
	enum iscsi_key key;

	if (key_from_name(pair->key, pair->key_length, &key) < 0)
		return receive_unknown(negotiation, pair, answers, ret_fault);
	row = key_row(key);
	if (text_value_is(pair, INQUIRY) && (row->use & stage))
		return answer_inquiry(negotiation, row, answers);
	reason = key_fault(negotiation, key, stage, pair);
	if (reason)
		return fault(ret_fault, key, reason);
	if (negotiation->received[key] && !row->repeats)
		return receive_again(negotiation, key, pair, ret_fault);
	negotiation->received[key] = true;
	if (row->function == KEY_DECLARATIVE)
		return receive_declaration(negotiation, key, pair, ret_fault);
	if (!negotiation->offered[key])
		return receive_offer(negotiation, row, pair, answers);
	return receive_answer(negotiation, key, pair, ret_fault);
}

/* What the outcome of other keys makes irrelevant needs no answer, or Irrelevant. */
static bool irrelevant_by_outcome(const struct negotiation *negotiation, const struct key_row *row)
{
	const struct iscsi_parameters *parameters = &negotiation->parameters;

	if ((row->unless & KEY_UNLESS_NO_RDMA) && !parameters->rdma_extensions)
		return true;
	return (row->unless & KEY_UNLESS_NO_UNSOLICITED) && parameters->initial_r2t &&
	       !parameters->immediate_data;
}

/* RFC 7145, 6.1 and 6.2: with RDMAExtensions=Yes other keys give the limits, and no digests are. */
static void apply_rdma(struct iscsi_parameters *parameters)
{
	parameters->header_digest = false;
	parameters->data_digest = false;
	parameters->max_recv_data_segment_length = parameters->initiator_recv_data_segment_length;
	parameters->max_xmit_data_segment_length = parameters->target_recv_data_segment_length;
}

/* Whether the peer has left a key unanswered that it had to answer. */
static bool answer_missing(const struct negotiation *negotiation, enum iscsi_key key)
{
	const struct key_row *row = key_row(key);

	return negotiation->offered[key] &&
	       !answer_optional(row, key_offer_get(row, &negotiation->offer)) &&
	       !irrelevant_by_outcome(negotiation, row);
}

int negotiation_finish(struct negotiation *negotiation, struct negotiation_fault *ret_fault)
{
	for (enum iscsi_key key = 0; key < _ISCSI_KEY_MAX; key++) {
		const struct key_row *row = key_row(key);
		int r = 0;

		if (negotiation->irrelevant[key] && !irrelevant_by_outcome(negotiation, row))
			r = tolerate(negotiation, LENIENCY_KEY_RELEVANT, key, ret_fault);
		if (r < 0)
			return r;
		if (negotiation->received[key] || row->function == KEY_DECLARATIVE)
			continue;
		if (answer_missing(negotiation, key))
			r = tolerate(negotiation, LENIENCY_KEY_UNANSWERED, key, ret_fault);
		if (r < 0)
			return r;
		/* Even without having offered it we may do less than the default. */
		if (negotiation->offered[key] ||
		    (row->forgiving && !key_irrelevant(negotiation, row)))
			settle_without_answer(negotiation, row);
	}
	/* Who was told nothing keeps to the default. */
	if (!negotiation->offered[ISCSI_KEY_MAX_RECV_DATA_SEGMENT_LENGTH])
		negotiation->parameters.max_recv_data_segment_length =
			key_row(ISCSI_KEY_MAX_RECV_DATA_SEGMENT_LENGTH)->def;
	if (negotiation->parameters.rdma_extensions)
		apply_rdma(&negotiation->parameters);
	return 0;
}
