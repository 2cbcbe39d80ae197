// layers: ois-iscsi ois-events ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The Login Phase against any target: it ends after a bounded number of requests, what is final
 * stays final, nobody is let in who did not prove what was asked, what was agreed is in range, and
 * nothing secret is reported. The first three bytes are the configuration, the rest is what the
 * target says, see dialogue.h.
 */
#include "buffer.h"
#include "dialogue.h"
#include "bounds.h"
#include "login.h"
#include "secret.h"
#include "text.h"

#define INITIATOR     "iqn.2026-11.org.example:host"
#define TARGET        "iqn.2026-11.org.example:disk"
#define OWN_SECRET    "own-secret-of-the-initiator"
#define TARGET_SECRET "other-secret-of-the-target"
#define TSIH          7

/*
 * What a login may hold: itself, text received and answered of twice the limit, as buffers grow by
 * doubling, events.
 */
#define MEMORY_MAX (2 * 2 * LOGIN_TEXT_MAX + 8 * EVENT_SIZE_MAX + 16384)
/* Between two PDUs: events, a request, and what comes last. */
#define STEPS_MAX 16

enum option {
	/* First byte */
	OPTION_CHAP = 1 << 0,
	OPTION_MUTUAL = 1 << 1,
	OPTION_TARGET_NAMED = 1 << 2,
	OPTION_DISCOVERY = 1 << 3,
	OPTION_ADD_CONNECTION = 1 << 4,
	OPTION_TAG_KNOWN = 1 << 5,
	OPTION_STRICT = 1 << 6,
	OPTION_RDMA = 1 << 7,
	/* Second byte: the offer */
	OPTION_HEADER_DIGEST = 1 << 8,
	OPTION_DATA_DIGEST = 1 << 9,
	OPTION_NO_DIGEST_TOO = 1 << 10,
	OPTION_DIGEST_REQUIRED = 1 << 11,
	OPTION_INITIAL_R2T = 1 << 12,
	OPTION_NO_IMMEDIATE_DATA = 1 << 13,
	OPTION_SMALL = 1 << 14,
	OPTION_RECOVERY = 1 << 15,
	/* Third byte, above the order of algorithms */
	OPTION_PROOF_REQUIRED = 1 << 20, /* there may be no secret for it */
	OPTION_RECONNECT = 1 << 21,
	OPTION_SCOPE = 1 << 22,
	OPTION_REDIRECTED = 1 << 23,
};

struct run {
	struct login_config config;
	struct login *login;
	unsigned options;
	struct pdu request; /* the last one */
	bool asked;         /* and it waits for an answer */
	unsigned n_requests;
	uint32_t stat_sn;
	bool responded;      /* our own proof was sent */
	bool proved;         /* the target said what only the holder of its secret can say */
	bool foreign;        /* it answered to somebody else's request */
	bool reported[4096]; /* events, by number */
	size_t memory;
	struct login_step final;
	bool ended;
};

static struct secret *own_secret, *target_secret;
static const char *const secrets[] = { OWN_SECRET, TARGET_SECRET };

/* What the crypto library keeps after its first use is not the login's. */
static void set_up(void)
{
	uint8_t response[CHAP_RESPONSE_MAX];

	if (own_secret)
		return;
	FUZZ_CHECK(secret_new(OWN_SECRET, strlen(OWN_SECRET), &own_secret) == 0);
	FUZZ_CHECK(secret_new(TARGET_SECRET, strlen(TARGET_SECRET), &target_secret) == 0);
	for (int i = 0; i < _CHAP_ALGORITHM_MAX; i++)
		FUZZ_CHECK(chap_respond(i, 0, own_secret, "", 0, response) == 0);
}

static void configure_chap(struct run *run)
{
	struct login_config *config = &run->config;
	unsigned order = run->options >> 16 & 15;

	config->authentication = LOGIN_AUTHENTICATION_CHAP;
	config->n_chap_algorithms = order / _CHAP_ALGORITHM_MAX % _CHAP_ALGORITHM_MAX + 1;
	for (size_t i = 0; i < config->n_chap_algorithms; i++)
		config->chap_algorithms[i] = (order + i) % _CHAP_ALGORITHM_MAX;
	config->user_name = "alice";
	config->secret = own_secret;
	config->mutual = run->options & OPTION_PROOF_REQUIRED;
	for (size_t i = 0; i < sizeof(config->chap_random); i++)
		config->chap_random[i] = (uint8_t)(i + 1);
	if (!(run->options & OPTION_MUTUAL))
		return;
	config->target_secret = target_secret;
	if (run->options & OPTION_TARGET_NAMED)
		config->target_user_name = "storage";
}

static void configure_digest(const struct run *run, unsigned option, struct iscsi_digest_list *list,
			     bool *required)
{
	if (!(run->options & option))
		return;
	*required = run->options & OPTION_DIGEST_REQUIRED;
	list->n = 0;
	list->digest[list->n++] = ISCSI_DIGEST_CRC32C;
	if (run->options & OPTION_NO_DIGEST_TOO)
		list->digest[list->n++] = ISCSI_DIGEST_NONE;
}

static void configure_offer(struct run *run)
{
	struct login_config *config = &run->config;
	struct iscsi_offer *offer = &config->offer;

	iscsi_offer_init(offer);
	configure_digest(run, OPTION_HEADER_DIGEST, &offer->header_digest,
			 &config->header_digest_required);
	configure_digest(run, OPTION_DATA_DIGEST, &offer->data_digest,
			 &config->data_digest_required);
	offer->initial_r2t = run->options & OPTION_INITIAL_R2T;
	offer->immediate_data = !(run->options & OPTION_NO_IMMEDIATE_DATA);
	offer->rdma_extensions = run->options & OPTION_RDMA;
	if (run->options & OPTION_SMALL)
		offer->max_recv_data_segment_length = offer->max_burst_length =
			offer->first_burst_length = 512;
	if (run->options & OPTION_RECOVERY) {
		offer->error_recovery_level = 2;
		offer->max_connections = 16;
		offer->max_outstanding_r2t = 8;
	}
}

static void configure(struct run *run, unsigned options)
{
	struct login_config *config = &run->config;

	*run = (struct run){ .options = options, .stat_sn = 100 };
	config->initiator_name = INITIATOR;
	config->target_name = options & OPTION_DISCOVERY ? NULL : TARGET;
	config->initiator_alias = options & OPTION_TARGET_NAMED ? "host" : NULL;
	memcpy(config->isid, "\x80\x12\x34\x56\x78\x9a", 6);
	config->tsih = options & OPTION_ADD_CONNECTION ? TSIH : 0;
	config->portal_group_tag = options & OPTION_TAG_KNOWN ? 1 : -1;
	config->strict = options & OPTION_STRICT;
	config->reconnect = options & OPTION_RECONNECT;
	config->portal_address = "192.0.2.1";
	config->portal_scope = options & OPTION_SCOPE ? "eth0" : NULL;
	config->redirects = options & OPTION_REDIRECTED ? LOGIN_REDIRECTS_MAX : 0;
	config->itt = 0x11223344;
	config->cmdsn = 5;
	configure_offer(run);
	if (options & OPTION_CHAP)
		configure_chap(run);
}

static void take_event(struct run *run, struct event *event)
{
	check_event(event, secrets, ELEMENTSOF(secrets));
	FUZZ_CHECK(event_type(event)->number < ELEMENTSOF(run->reported));
	run->reported[event_type(event)->number] = true;
	event_free(event);
}

static bool text_has(const void *text, size_t length, const char *secret)
{
	return memmem(text, length, secret, strlen(secret));
}

static void take_request(struct run *run, const struct login_step *step)
{
	const struct login_config *config = &run->config;

	FUZZ_CHECK(!run->asked && ++run->n_requests <= LOGIN_EXCHANGES_MAX);
	FUZZ_CHECK(pdu_decode(step->send.header, &run->request) == 0);
	FUZZ_CHECK(run->request.opcode == PDU_OPCODE_LOGIN_REQUEST && run->request.immediate);
	FUZZ_CHECK(run->request.itt == config->itt);
	FUZZ_CHECK(run->request.login_request.tsih == config->tsih);
	FUZZ_CHECK(run->request.data_length == step->send.data_length);
	FUZZ_CHECK(step->send.data_length <= LOGIN_DATA_SEGMENT_MAX);
	run->asked = true;
	if (step->send.data_length == 0)
		return;
	for (size_t i = 0; i < ELEMENTSOF(secrets); i++)
		FUZZ_CHECK(!text_has(step->send.data, step->send.data_length, secrets[i]));
	if (memmem(step->send.data, step->send.data_length, "\0CHAP_R=0x", 10))
		run->responded = true;
}

static void check_range(const struct iscsi_parameters *parameters, enum iscsi_key key)
{
	const struct key_row *row = key_row(key);
	uint32_t value;

	if (row->result == KEY_NOWHERE || row->type != KEY_NUMBER)
		return;
	value = key_result_get(row, parameters);
	FUZZ_CHECK(value == row->def || (value == 0 && row->zero_allowed) ||
		   (value >= row->range.minimum && value <= row->range.maximum));
}

/* RFC 7143, 13: nothing was agreed that was not offered. */
static void check_parameters(const struct run *run, const struct iscsi_parameters *parameters)
{
	const struct iscsi_offer *offer = &run->config.offer;

	for (int key = 0; key < _ISCSI_KEY_MAX; key++)
		check_range(parameters, (enum iscsi_key)key);
	FUZZ_CHECK(parameters->header_digest || !(run->options & OPTION_HEADER_DIGEST) ||
		   (run->options & OPTION_NO_DIGEST_TOO && !run->config.header_digest_required));
	FUZZ_CHECK(parameters->data_digest || !(run->options & OPTION_DATA_DIGEST) ||
		   (run->options & OPTION_NO_DIGEST_TOO && !run->config.data_digest_required));
	FUZZ_CHECK(!parameters->header_digest || run->options & OPTION_HEADER_DIGEST);
	FUZZ_CHECK(!parameters->data_digest || run->options & OPTION_DATA_DIGEST);
	/* RFC 7145, 6.2; nothing was declared where the operational stage was skipped. */
	if (parameters->rdma_extensions)
		FUZZ_CHECK(parameters->max_recv_data_segment_length ==
			   parameters->initiator_recv_data_segment_length);
	else if (!run->reported[EVENT_DEVIATION_TOLERATED] ||
		 parameters->max_recv_data_segment_length != 8192)
		FUZZ_CHECK(parameters->max_recv_data_segment_length ==
			   offer->max_recv_data_segment_length);
	/* A further connection leaves these to its session, and most do not matter to discoveries.
	 */
	if (run->config.tsih != 0 || !run->config.target_name)
		return;
	FUZZ_CHECK(parameters->initial_r2t || !offer->initial_r2t);
	FUZZ_CHECK(!parameters->immediate_data || offer->immediate_data);
	FUZZ_CHECK(!parameters->rdma_extensions || offer->rdma_extensions);
	FUZZ_CHECK(parameters->max_connections <= offer->max_connections);
	FUZZ_CHECK(parameters->max_outstanding_r2t <= offer->max_outstanding_r2t);
	FUZZ_CHECK(parameters->error_recovery_level <= offer->error_recovery_level);
	FUZZ_CHECK(parameters->max_burst_length <= offer->max_burst_length ||
		   (run->reported[EVENT_DEVIATION_TOLERATED] &&
		    parameters->max_burst_length == 262144));
	FUZZ_CHECK(parameters->default_time2wait >= offer->default_time2wait);
	FUZZ_CHECK(parameters->default_time2retain <= offer->default_time2retain);
	/* RFC 7143, 13.14: irrelevant without unsolicited data. */
	if (parameters->immediate_data || !parameters->initial_r2t)
		FUZZ_CHECK(parameters->first_burst_length <= parameters->max_burst_length &&
			   parameters->first_burst_length <= offer->first_burst_length);
}

static void check_done(const struct run *run, const struct login_result *result)
{
	const struct login_config *config = &run->config;
	bool chap = config->authentication == LOGIN_AUTHENTICATION_CHAP;

	FUZZ_CHECK(login_stage(run->login) == LOGIN_STAGE_FULL_FEATURE);
	FUZZ_CHECK(!run->foreign && result->tsih != 0);
	FUZZ_CHECK(config->tsih == 0 || result->tsih == config->tsih);
	FUZZ_CHECK(result->stat_sn == run->stat_sn - 1);
	FUZZ_CHECK(result->authenticated == chap && run->responded == chap);
	FUZZ_CHECK(result->mutual == !!config->target_secret);
	FUZZ_CHECK(!result->mutual || run->proved);
	FUZZ_CHECK(!chap || !config->mutual || result->mutual);
	FUZZ_CHECK(result->portal_group_tag <= UINT16_MAX);
	FUZZ_CHECK(run->reported[EVENT_DEVIATION_TOLERATED] || config->portal_group_tag < 0 ||
		   result->portal_group_tag < 0 ||
		   config->portal_group_tag == result->portal_group_tag);
	FUZZ_CHECK(!config->strict || !run->reported[EVENT_DEVIATION_TOLERATED]);
	FUZZ_CHECK(text_is_clean(result->target_alias, strlen(result->target_alias)));
	check_parameters(run, &result->parameters);
}

/* A portal that can be written down and means the same when it is read. */
static void check_redirect(const struct login_redirect *redirect)
{
	char text[PORTAL_TEXT_MAX], address[PORTAL_ADDRESS_MAX];
	uint16_t port;

	FUZZ_CHECK(redirect->port > 0);
	portal_format(redirect->address, redirect->port, text);
	FUZZ_CHECK(portal_parse(text, ISCSI_PORT, address, sizeof(address), &port, NULL) == 0);
	FUZZ_CHECK(strcmp(address, redirect->address) == 0 && port == redirect->port);
}

static void check_same_end(const struct login_step *a, const struct login_step *b)
{
	FUZZ_CHECK(a->type == b->type);
	if (a->type == LOGIN_STEP_DONE)
		FUZZ_CHECK(a->result == b->result);
	if (a->type == LOGIN_STEP_FAILED)
		FUZZ_CHECK(a->failed.error == b->failed.error &&
			   a->failed.event == b->failed.event &&
			   a->failed.retry == b->failed.retry);
}

static void take_end(struct run *run, const struct login_step *step)
{
	if (run->ended) {
		check_same_end(&run->final, step);
		return;
	}
	run->ended = true;
	run->final = *step;
	if (step->type == LOGIN_STEP_DONE)
		check_done(run, step->result);
	else if (step->type == LOGIN_STEP_REDIRECT)
		check_redirect(&step->redirect);
	else
		FUZZ_CHECK(step->failed.error < 0 && run->reported[step->failed.event]);
}

/* Does what the machine wants until it waits or has ended. */
static void take_steps(struct run *run)
{
	for (unsigned i = 0; i < STEPS_MAX; i++) {
		struct login_step step;

		login_next(run->login, &step);
		FUZZ_CHECK(!run->ended ||
			   (step.type != LOGIN_STEP_WAIT && step.type != LOGIN_STEP_SEND &&
			    step.type != LOGIN_STEP_EVENT));
		switch (step.type) {
		case LOGIN_STEP_SEND:
			take_request(run, &step);
			continue;
		case LOGIN_STEP_EVENT:
			take_event(run, step.event);
			continue;
		case LOGIN_STEP_WAIT:
			FUZZ_CHECK(run->asked);
			return;
		case LOGIN_STEP_REDIRECT:
		case LOGIN_STEP_DONE:
		case LOGIN_STEP_FAILED:
			take_end(run, &step);
			return;
		}
	}
	FUZZ_CHECK(false);
}

static void honest_response(const struct run *run, unsigned flags, struct pdu *ret)
{
	bool transit = flags & DIALOGUE_FINAL, asked = run->request.login_request.transit;
	unsigned csg = run->request.login_request.csg;
	unsigned nsg = asked                       ? run->request.login_request.nsg
		       : csg == PDU_STAGE_SECURITY ? PDU_STAGE_OPERATIONAL
						   : PDU_STAGE_FULL_FEATURE;
	bool final = transit && nsg == PDU_STAGE_FULL_FEATURE;

	*ret = (struct pdu){
		.opcode = PDU_OPCODE_LOGIN_RESPONSE,
		.itt = run->request.itt,
		.login_response = {
			.transit = transit,
			.more = flags & DIALOGUE_MORE,
			.csg = (uint8_t)csg,
			.nsg = (uint8_t)(transit ? nsg : 0),
			.tsih = run->config.tsih ? run->config.tsih : final ? TSIH : 0,
			.numbers = { run->stat_sn, run->config.cmdsn, run->config.cmdsn + 16 },
		},
	};
	memcpy(ret->login_response.isid, run->config.isid, sizeof(run->config.isid));
}

/* The response the target owes is in the text, in one of the ways to write it, the last NUL or not.
 */
static bool text_proves(const struct run *run, const struct dialogue_message *message)
{
	const struct login_config *config = &run->config;
	uint8_t response[CHAP_RESPONSE_MAX], said[CHAP_RESPONSE_MAX];
	_cleanup_(buffer_done) struct buffer text = { 0 };
	struct text_iterator iterator;
	struct text_pair pair;
	size_t length;

	FUZZ_CHECK(buffer_append(&text, message->text, message->length) == 0);
	FUZZ_CHECK(buffer_append(&text, "", 1) == 0);
	text_iterator_init(&iterator, text.data, text.length);
	while (text_iterator_next(&iterator, &pair, NULL) > 0) {
		if (pair.key_length != 6 || memcmp(pair.key, "CHAP_R", 6) != 0 ||
		    text_parse_binary(pair.value, pair.value_length, said, sizeof(said), &length) <
			    0)
			continue;
		for (size_t i = 0; i < config->n_chap_algorithms; i++) {
			enum chap_algorithm algorithm = config->chap_algorithms[i];

			FUZZ_CHECK(chap_respond(algorithm, config->chap_random[0], target_secret,
						config->chap_random + 1, CHAP_CHALLENGE_LENGTH,
						response) == 0);
			if (length == chap_response_length(algorithm) &&
			    memcmp(response, said, length) == 0)
				return true;
		}
	}
	return false;
}

/* Notes what the target has said and done, whatever the machine makes of it. */
static void witness(struct run *run, const uint8_t *header, const struct dialogue_message *message)
{
	struct pdu pdu;

	if (run->ended || pdu_decode(header, &pdu) < 0)
		return;
	run->stat_sn = pdu.login_response.numbers.stat_sn + 1;
	if (pdu.opcode != PDU_OPCODE_LOGIN_RESPONSE || pdu.itt != run->config.itt ||
	    memcmp(pdu.login_response.isid, run->config.isid, sizeof(run->config.isid)) != 0 ||
	    !run->asked)
		run->foreign = true;
	/* Text may be spread over PDUs, and then proves nothing here: such inputs are not judged.
	 */
	if (run->responded && (message->flags & DIALOGUE_MORE || text_proves(run, message)))
		run->proved = true;
}

static bool feed_other(struct login *login, enum dialogue_kind kind)
{
	switch (kind) {
	case DIALOGUE_TIMEOUT:
		login_timed_out(login);
		return true;
	case DIALOGUE_DISCONNECT:
		login_disconnected(login);
		return true;
	case DIALOGUE_OVERDUE:
		login_overdue(login);
		return true;
	case DIALOGUE_SHORT:
	case DIALOGUE_RAW:
		break;
	}
	return false;
}

static void take_message(struct run *run, const struct dialogue_message *message)
{
	uint8_t header[PDU_HEADER_LENGTH];
	const uint8_t *data;
	struct pdu pdu;
	size_t length;

	if (message->flags & DIALOGUE_OTHER && feed_other(run->login, message->kind))
		return;
	honest_response(run, message->flags, &pdu);
	length = dialogue_pdu(message, &pdu, header, &data);
	witness(run, header, message);
	run->asked = false;
	/* As a channel does, of which too long a data segment is never read. */
	if (pdu_header_data_length(header) > LOGIN_DATA_SEGMENT_MAX) {
		data = NULL;
		length = pdu_header_data_length(header);
	}
	login_receive(run->login, header, data, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run run;
	struct dialogue dialogue = { data + 3, data + size };
	struct dialogue_message message;

	if (size < 3)
		return 0;
	for (size_t i = 0; i < ELEMENTSOF(secrets); i++)
		if (text_has(data, size, secrets[i]))
			return 0;
	set_up();
	configure(&run, data[0] | (unsigned)data[1] << 8 | (unsigned)data[2] << 16);
	run.memory = allocated_bytes();
	FUZZ_CHECK(login_new(&run.config, &run.login) == 0);
	take_steps(&run);
	while (dialogue_next(&dialogue, &message)) {
		take_message(&run, &message);
		free(message.text);
		take_steps(&run);
		FUZZ_CHECK(allocated_bytes() <= run.memory + MEMORY_MAX);
	}
	login_free(run.login);
	return 0;
}
