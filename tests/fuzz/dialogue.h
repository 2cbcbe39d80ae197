/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a target says, as an input of a fuzzer: messages, each of which ends with a byte 0xff (none
 * is valid in text) or with the input. Its first byte holds flags; then come, if the flags say so,
 * changes of the header and how often the text is repeated; the rest is text. What nobody changes
 * is as an honest target would have it, so that most inputs get past the first checks.
 */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "cleanup.h"
#include "event.h"
#include "fuzz.h"
#include "parse.h"
#include "pdu.h"

#define DIALOGUE_END 0xff

enum dialogue_flag {
	DIALOGUE_FINAL = 1 << 0, /* T or F bit */
	DIALOGUE_MORE = 1 << 1,  /* C bit */
	/* A byte with a number, then as many pairs of position and value. */
	DIALOGUE_CHANGES = 1 << 2,
	DIALOGUE_REPEAT = 1 << 3, /* a byte: how often the text is said */
	DIALOGUE_OTHER = 1 << 4,  /* no PDU, but .kind: see enum dialogue_kind */
	DIALOGUE_KIND_SHIFT = 5,
};

/* With DIALOGUE_OTHER. */
enum dialogue_kind {
	DIALOGUE_TIMEOUT,
	DIALOGUE_DISCONNECT,
	DIALOGUE_SHORT, /* a PDU of which the last byte of the data segment is missing */
	DIALOGUE_RAW,   /* a PDU whose header is the first 48 bytes of the text */
	DIALOGUE_OVERDUE,
};

struct dialogue {
	const uint8_t *at, *end;
};

struct dialogue_message {
	unsigned flags;
	enum dialogue_kind kind;
	size_t n_changes;
	const uint8_t *changes;
	uint8_t *text; /* exactly as long as told, for the sanitizer */
	size_t length;
};

static inline unsigned dialogue_byte(const uint8_t **at, const uint8_t *end)
{
	return *at < end ? *(*at)++ : 0;
}

static inline void dialogue_text(struct dialogue_message *message, const uint8_t *text,
				 size_t length, size_t times)
{
	message->length = length * times;
	message->text = malloc(message->length > 0 ? message->length : 1);
	FUZZ_CHECK(message->text);
	for (size_t i = 0; i < times && length > 0; i++)
		memcpy(message->text + i * length, text, length);
}

/* False: no more. The caller frees .text. */
static inline bool dialogue_next(struct dialogue *dialogue, struct dialogue_message *ret)
{
	const uint8_t *at = dialogue->at, *end;
	size_t times = 1;

	if (at >= dialogue->end)
		return false;
	end = memchr(at, DIALOGUE_END, (size_t)(dialogue->end - at));
	dialogue->at = end ? end + 1 : dialogue->end;
	end = end ? end : dialogue->end;
	*ret = (struct dialogue_message){ .flags = dialogue_byte(&at, end) };
	ret->kind = ret->flags >> DIALOGUE_KIND_SHIFT & 7;
	if (ret->flags & DIALOGUE_CHANGES) {
		ret->n_changes = dialogue_byte(&at, end) % 8;
		ret->changes = at;
		if ((size_t)(end - at) < 2 * ret->n_changes)
			ret->n_changes = (size_t)(end - at) / 2;
		at += 2 * ret->n_changes;
	}
	if (ret->flags & DIALOGUE_REPEAT)
		times = dialogue_byte(&at, end);
	dialogue_text(ret, at, (size_t)(end - at), times);
	return true;
}

/*
 * The PDU of a message, made from the honest @pdu. *@ret_data is where its data segment begins; the
 * length is told as it is passed on, which need not be what the header says.
 */
static inline size_t dialogue_pdu(const struct dialogue_message *message, struct pdu *pdu,
				  uint8_t header[PDU_HEADER_LENGTH], const uint8_t **ret_data)
{
	bool other = message->flags & DIALOGUE_OTHER;
	size_t length = message->length;

	*ret_data = message->text;
	if (other && message->kind == DIALOGUE_RAW && length >= PDU_HEADER_LENGTH) {
		memcpy(header, message->text, PDU_HEADER_LENGTH);
		*ret_data += PDU_HEADER_LENGTH;
		return length - PDU_HEADER_LENGTH;
	}
	pdu->data_length = (uint32_t)length & PDU_DATA_SEGMENT_MAX;
	pdu_encode(pdu, header);
	for (size_t i = 0; i < message->n_changes; i++)
		header[message->changes[2 * i] % PDU_HEADER_LENGTH] = message->changes[2 * i + 1];
	if (other && message->kind == DIALOGUE_SHORT && length > 0)
		length--;
	return length;
}

/* What a machine reports is one clean line, and shows nothing that is secret. */
static inline void check_event(struct event *event, const char *const *secrets, size_t n_secrets)
{
	_cleanup_free_ char *message = NULL;

	FUZZ_CHECK(event && event_message(event, &message) == 0);
	FUZZ_CHECK(text_is_clean(message, strlen(message)));
	for (int field = 0; field < _FIELD_MAX; field++) {
		const char *value = event_get(event, (enum event_field)field);

		if (!value)
			continue;
		FUZZ_CHECK(event_type_allows(event_type(event), (enum event_field)field));
		FUZZ_CHECK(text_is_clean(value, strlen(value)));
		for (size_t i = 0; i < n_secrets; i++)
			FUZZ_CHECK(!strstr(value, secrets[i]));
	}
}

/* Bytes allocated now; 0 where the sanitizer does not count them. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static inline size_t allocated_bytes(void)
{
	return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes()
						       : 0;
}
