// layers: ois-varlink ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes as a client sends them: framing, JSON, header, check against the interface of the method.
 * What is accepted can be written, and is then read as the same. The first byte says where the
 * bytes are cut in two.
 */
#include <string.h>

#include "fuzz.h"
#include "json.h"
#include "message.h"
#include "registry.h"

static const struct varlink_registry *get_registry(void)
{
	static struct varlink_registry *registry;

	if (!registry)
		FUZZ_CHECK(varlink_registry_new(&registry) == 0);
	return registry;
}

static void check_write(json_object *message)
{
	_cleanup_(buffer_done) struct buffer one = {}, two = {};
	_cleanup_json_ json_object *again = NULL;

	FUZZ_CHECK(json_write(&one, message) == 0);
	FUZZ_CHECK(json_parse((const char *)one.data, one.length, &again) == 0);
	FUZZ_CHECK(json_write(&two, again) == 0);
	FUZZ_CHECK(one.length == two.length && memcmp(one.data, two.data, one.length) == 0);
}

static void check_call(json_object *message)
{
	const struct idl_member *method;
	struct idl_mismatch mismatch = {};
	struct varlink_reply reply;
	struct varlink_call call;

	(void)varlink_reply_parse(message, true, &reply);
	if (varlink_call_parse(message, &call) < 0)
		return;
	method = varlink_registry_member(get_registry(), IDL_METHOD, call.method);
	if (method && idl_check(&method->type, call.parameters, IDL_CALL, &mismatch) < 0)
		FUZZ_CHECK(mismatch.field && mismatch.reason);
}

static void take_messages(struct varlink_stream *stream)
{
	json_object *message;

	while (varlink_stream_next(stream, &message) > 0) {
		check_write(message);
		check_call(message);
		json_erase(message);
		json_object_put(message);
	}
}

static void feed(struct varlink_stream *stream, const uint8_t *data, size_t length)
{
	uint8_t *at;
	size_t size;

	while (length > 0 && varlink_stream_reserve(stream, &at, &size) == 0) {
		FUZZ_CHECK(size > 0);
		size = size < length ? size : length;
		memcpy(at, data, size);
		varlink_stream_received(stream, size);
		take_messages(stream);
		data += size;
		length -= size;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct varlink_stream stream;
	size_t cut;

	if (size == 0)
		return 0;
	cut = data[0] < size ? data[0] : size - 1;
	varlink_stream_init(&stream, VARLINK_CALL_MAX);
	feed(&stream, data + 1, cut > 0 ? cut - 1 : 0);
	feed(&stream, data + 1 + (cut > 0 ? cut - 1 : 0), size - 1 - (cut > 0 ? cut - 1 : 0));
	varlink_stream_done(&stream);
	return 0;
}
