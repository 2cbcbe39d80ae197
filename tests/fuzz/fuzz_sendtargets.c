// layers: ois-iscsi ois-events ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The answer to SendTargets. The first byte says how it is asked for, and what the rest is: what
 * the target says, see dialogue.h; or text alone, that is sent in pieces of two sizes, the next two
 * bytes, and must mean the same both times.
 */
#include "buffer.h"
#include "dialogue.h"
#include "bounds.h"
#include "sendtargets.h"

#define TARGET "iqn.2026-11.org.example:disk"
/* The machine with one target, a PDU and a pair, as buffers grow by doubling, and events. */
#define MEMORY_MAX (2 * (SENDTARGETS_PAIR_MAX + 65536) + 4 * EVENT_SIZE_MAX + 32768)

enum option {
	OPTION_TEXT_ALONE = 1 << 0,
	OPTION_BY_NAME = 1 << 1,
	OPTION_LOGOUT = 1 << 2,
	OPTION_SCOPE = 1 << 3,
	OPTION_SMALL = 1 << 4,
	OPTION_STRICT = 1 << 5,
};

struct run {
	struct sendtargets *machine;
	struct pdu request;
	uint32_t stat_sn, limit;
	bool asked, ended, strict;
	bool foreign; /* a response was no answer to our request, or not the next */
	struct sendtargets_step final;
	bool reported[4096]; /* events, by number */
	char last[ISCSI_NAME_MAX + 1];
	size_t n_targets, n_requests;
	struct buffer found; /* targets and portals, written down */
};

static void start(struct run *run, unsigned options)
{
	struct sendtargets_config config = {
		.target_name = options & OPTION_BY_NAME ? TARGET : NULL,
		.address = "192.0.2.1",
		.port = 3260,
		.scope = options & OPTION_SCOPE ? "eth0" : NULL,
		.itt = PDU_TAG_RESERVED - 1,
		.exp_stat_sn = UINT32_MAX,
		.max_recv_data_segment_length = options & OPTION_SMALL ? 512 : 65536,
		.logout = options & OPTION_LOGOUT,
		.strict = options & OPTION_STRICT,
	};

	buffer_done(&run->found);
	*run = (struct run){ .strict = config.strict,
			     .stat_sn = config.exp_stat_sn,
			     .limit = config.max_recv_data_segment_length };
	FUZZ_CHECK(sendtargets_new(&config, &run->machine) == 0);
}

static void take_request(struct run *run, const struct sendtargets_step *step)
{
	struct pdu pdu;

	FUZZ_CHECK(pdu_decode(step->send.header, &pdu) == 0 && pdu.immediate);
	FUZZ_CHECK(pdu.data_length == step->send.data_length);
	if (pdu.opcode == PDU_OPCODE_NOP_OUT)
		return;
	FUZZ_CHECK(pdu.opcode == PDU_OPCODE_TEXT_REQUEST ||
		   pdu.opcode == PDU_OPCODE_LOGOUT_REQUEST);
	FUZZ_CHECK(pdu.itt != PDU_TAG_RESERVED && !run->asked);
	/* RFC 7143, 11.10: only the first one says anything. */
	FUZZ_CHECK((run->n_requests++ == 0) == (pdu.data_length > 0));
	run->request = pdu;
	run->asked = true;
}

static void take_portal(struct run *run, const struct sendtargets_portal *portal)
{
	char text[PORTAL_TEXT_MAX], address[PORTAL_ADDRESS_MAX];
	uint16_t port;

	FUZZ_CHECK(portal->portal_group_tag >= -1 && portal->portal_group_tag <= UINT16_MAX);
	portal_format(portal->address, portal->port, text);
	FUZZ_CHECK(portal_parse(text, ISCSI_PORT, address, sizeof(address), &port, NULL) == 0);
	FUZZ_CHECK(strcmp(address, portal->address) == 0 && port == portal->port);
	FUZZ_CHECK(buffer_printf(&run->found, "%s,%d\n", text, portal->portal_group_tag) == 0);
}

static void take_target(struct run *run, const struct sendtargets_target *target)
{
	FUZZ_CHECK(iscsi_target_name_check(target->name, NULL) == 0);
	FUZZ_CHECK(text_is_clean(target->alias, strlen(target->alias)));
	FUZZ_CHECK(target->n_portals > 0 && target->n_portals <= SENDTARGETS_PORTALS_MAX);
	if (strcmp(target->name, run->last) != 0)
		run->n_targets++;
	memcpy(run->last, target->name, sizeof(run->last));
	FUZZ_CHECK(buffer_printf(&run->found, "%s %s\n", target->name, target->alias) == 0);
	for (size_t i = 0; i < target->n_portals; i++)
		take_portal(run, &target->portals[i]);
}

static void take_event(struct run *run, struct event *event)
{
	check_event(event, NULL, 0);
	FUZZ_CHECK(event_type(event)->number < ELEMENTSOF(run->reported));
	run->reported[event_type(event)->number] = true;
	event_free(event);
}

static void take_end(struct run *run, const struct sendtargets_step *step)
{
	FUZZ_CHECK(!run->strict || !run->reported[EVENT_DEVIATION_TOLERATED]);
	if (run->ended) {
		FUZZ_CHECK(run->final.type == step->type);
		return;
	}
	run->ended = true;
	run->final = *step;
	if (step->type == SENDTARGETS_STEP_FAILED)
		FUZZ_CHECK(step->failed.error < 0 && run->reported[step->failed.event]);
	else
		FUZZ_CHECK(!run->foreign && step->done.targets >= run->n_targets);
}

/* @text_length bounds what can come of it: no target or fault has fewer bytes. */
static void take_steps(struct run *run, size_t text_length)
{
	for (size_t i = 0; i < text_length + 16; i++) {
		struct sendtargets_step step;

		sendtargets_next(run->machine, &step);
		FUZZ_CHECK(!run->ended || step.type == run->final.type);
		switch (step.type) {
		case SENDTARGETS_STEP_SEND:
			take_request(run, &step);
			continue;
		case SENDTARGETS_STEP_EVENT:
			take_event(run, step.event);
			continue;
		case SENDTARGETS_STEP_TARGET:
			take_target(run, step.target);
			continue;
		case SENDTARGETS_STEP_WAIT:
			FUZZ_CHECK(run->asked);
			return;
		case SENDTARGETS_STEP_DONE:
		case SENDTARGETS_STEP_FAILED:
			take_end(run, &step);
			return;
		}
	}
	FUZZ_CHECK(false);
}

static void honest_response(const struct run *run, unsigned flags, struct pdu *ret)
{
	bool final = flags & DIALOGUE_FINAL;

	*ret = (struct pdu){ .itt = run->request.itt };
	if (run->request.opcode == PDU_OPCODE_LOGOUT_REQUEST) {
		ret->opcode = PDU_OPCODE_LOGOUT_RESPONSE;
		ret->logout_response.numbers = (struct pdu_numbers){ run->stat_sn, 1, 16 };
		return;
	}
	ret->opcode = PDU_OPCODE_TEXT_RESPONSE;
	ret->text_response.final = final;
	ret->text_response.more = flags & DIALOGUE_MORE;
	ret->text_response.ttt = final ? PDU_TAG_RESERVED : 1;
	ret->text_response.numbers = (struct pdu_numbers){ run->stat_sn, 1, 16 };
}

static void take_pdu(struct run *run, const uint8_t *header, const void *data, size_t length)
{
	struct pdu pdu;

	if (!run->ended && pdu_decode(header, &pdu) == 0) {
		if (pdu.opcode == PDU_OPCODE_TEXT_RESPONSE &&
		    (pdu.itt != run->request.itt ||
		     pdu.text_response.numbers.stat_sn != run->stat_sn))
			run->foreign = true;
		if (pdu.opcode == PDU_OPCODE_TEXT_RESPONSE ||
		    pdu.opcode == PDU_OPCODE_LOGOUT_RESPONSE)
			run->asked = false;
		if (pdu.opcode == PDU_OPCODE_TEXT_RESPONSE ||
		    pdu.opcode == PDU_OPCODE_ASYNC_MESSAGE)
			run->stat_sn++;
	}
	sendtargets_receive(run->machine, header, data, length);
	take_steps(run, length);
}

static void take_message(struct run *run, const struct dialogue_message *message)
{
	uint8_t header[PDU_HEADER_LENGTH];
	const uint8_t *data;
	struct pdu pdu;
	size_t length;

	if (message->flags & DIALOGUE_OTHER && message->kind == DIALOGUE_TIMEOUT) {
		sendtargets_timed_out(run->machine);
	} else if (message->flags & DIALOGUE_OTHER && message->kind == DIALOGUE_DISCONNECT) {
		sendtargets_disconnected(run->machine);
	} else {
		honest_response(run, message->flags, &pdu);
		length = dialogue_pdu(message, &pdu, header, &data);
		/* As a channel does, of which too long a data segment is never read. */
		if (pdu_header_data_length(header) > run->limit) {
			data = NULL;
			length = pdu_header_data_length(header);
		}
		take_pdu(run, header, data, length);
		return;
	}
	take_steps(run, 0);
}

static void converse(struct run *run, unsigned options, const uint8_t *data, size_t size)
{
	struct dialogue dialogue = { data, data + size };
	size_t memory = allocated_bytes();
	struct dialogue_message message;

	start(run, options);
	take_steps(run, 0);
	while (dialogue_next(&dialogue, &message)) {
		take_message(run, &message);
		free(message.text);
		FUZZ_CHECK(allocated_bytes() <= memory + MEMORY_MAX + 2 * run->found.allocated);
	}
	(void)sendtargets_free(run->machine);
}

/* The whole text in PDUs of @piece bytes. */
static void recite(struct run *run, unsigned options, const uint8_t *text, size_t length,
		   size_t piece)
{
	uint8_t header[PDU_HEADER_LENGTH];
	struct pdu pdu;
	bool more;

	start(run, options & ~(unsigned)OPTION_SMALL);
	take_steps(run, 0);
	do {
		size_t now = length < piece ? length : piece;

		more = length > now;
		honest_response(run, more ? DIALOGUE_MORE : DIALOGUE_FINAL, &pdu);
		pdu.data_length = (uint32_t)now;
		pdu_encode(&pdu, header);
		take_pdu(run, header, text, now);
		text += now;
		length -= now;
	} while (more && !run->ended);
	(void)sendtargets_free(run->machine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run one, two;
	size_t pieces[2];

	if (size < 3)
		return 0;
	if (!(data[0] & OPTION_TEXT_ALONE)) {
		converse(&one, data[0], data + 1, size - 1);
	} else {
		for (int i = 0; i < 2; i++)
			pieces[i] = data[1 + i] ? data[1 + i] : 65536;
		recite(&one, data[0], data + 3, size - 3, pieces[0]);
		recite(&two, data[0], data + 3, size - 3, pieces[1]);
		FUZZ_CHECK(one.found.length == two.found.length &&
			   one.final.type == two.final.type);
		FUZZ_CHECK(one.found.length == 0 ||
			   memcmp(one.found.data, two.found.data, one.found.length) == 0);
	}
	buffer_done(&one.found);
	buffer_done(&two.found);
	return 0;
}
