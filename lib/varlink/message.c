/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Framing and headers of Varlink messages, from bytes to checked calls and replies and back. Peers
 * that know more or less of the protocol than we do are met as mildly as its rules allow; systemd
 * is stricter.
 */
#include <errno.h>
#include <string.h>

#include "json.h"
#include "message.h"
#include "secret.h"

/* Least to make room for. */
#define READ_SIZE     4096
#define READ_SIZE_MAX (16 * 1024)
/* Buffers above this are given back when they are empty. */
#define KEEP_SIZE (64 * 1024)

void varlink_stream_init(struct varlink_stream *stream, size_t input_max)
{
	*stream = (struct varlink_stream){
		.input.limit = input_max + 1, /* the NUL */
		.output.limit = VARLINK_OUTPUT_MAX,
	};
}

void varlink_stream_done(struct varlink_stream *stream)
{
	buffer_erase(&stream->input);
	buffer_erase(&stream->output);
	stream->input_start = stream->input_scanned = stream->output_start = 0;
}

/* Moves what is behind the first @start bytes, which are erased already, to the front. */
static void compact(struct buffer *buffer, size_t *start)
{
	size_t length = *start;

	if (length == 0)
		return;
	*start = 0;
	buffer_consume(buffer, length);
	memory_erase(buffer->data + buffer->length, length);
}

/* Erases @length bytes at @start. Large buffers are not moved for every small message. */
static void consume(struct buffer *buffer, size_t *start, size_t length)
{
	/* Without any, there may be no buffer. */
	if (length > 0)
		memory_erase(buffer->data + *start, length);
	*start += length;
	if (*start < buffer->length)
		return;
	*start = 0;
	buffer_clear(buffer);
	if (buffer->allocated > KEEP_SIZE)
		buffer_done(buffer);
}

int varlink_stream_reserve(struct varlink_stream *stream, uint8_t **ret, size_t *ret_size)
{
	struct buffer *input = &stream->input;
	size_t left, size;
	uint8_t *at;
	int r;

	stream->input_scanned -= stream->input_start;
	compact(input, &stream->input_start);
	left = input->limit - input->length;
	if (left == 0)
		return -EMSGSIZE;
	/* Grows only when it was not enough: most messages fit into the first piece, and who sends
	 * a lot is not to be read in many pieces. */
	if (stream->read_size < READ_SIZE)
		stream->read_size = READ_SIZE;
	size = stream->filled ? stream->read_size : 1;
	if (input->allocated == input->length && size < READ_SIZE)
		size = READ_SIZE;
	r = buffer_reserve(input, size < left ? size : left, &at);
	if (r < 0)
		return r;
	/* All that is allocated, but not above the limit. */
	size = input->allocated - input->length;
	*ret = at;
	*ret_size = stream->offered = size < left ? size : left;
	return 0;
}

void varlink_stream_received(struct varlink_stream *stream, size_t length)
{
	stream->filled = length > 0 && length == stream->offered;
	if (stream->filled && stream->read_size < READ_SIZE_MAX)
		stream->read_size *= 2;
	buffer_commit(&stream->input, length);
}

bool varlink_stream_partial(const struct varlink_stream *stream)
{
	return stream->input.length > stream->input_start;
}

int varlink_stream_next(struct varlink_stream *stream, json_object **ret)
{
	_cleanup_(json_object_erase_putp) json_object *message = NULL;
	struct buffer *input = &stream->input;
	const uint8_t *start, *nul = NULL;
	size_t length;
	int r;

	if (stream->input_scanned < input->length)
		nul = memchr(input->data + stream->input_scanned, '\0',
			     input->length - stream->input_scanned);
	if (!nul) {
		stream->input_scanned = input->length;
		return 0;
	}
	start = input->data + stream->input_start;
	length = (size_t)(nul - start);
	r = json_parse((const char *)start, length, &message);
	consume(input, &stream->input_start, length + 1);
	stream->input_scanned = stream->input_start;
	if (r == -ENOMEM)
		return r;
	if (r < 0 || !json_object_is_type(message, json_type_object))
		return -EPROTO;
	*ret = TAKE_PTR(message);
	return 1;
}

int varlink_stream_queue(struct varlink_stream *stream, json_object *message)
{
	struct buffer *output = &stream->output;
	size_t limit = output->limit, before;
	bool room;
	int r;

	if (stream->output_start >= output->length - stream->output_start)
		compact(output, &stream->output_start);
	before = output->length;
	room = limit - before >= VARLINK_REPLY_MAX;
	output->limit = room ? before + VARLINK_REPLY_MAX : limit;
	r = json_write(output, message);
	if (r >= 0)
		r = buffer_append(output, "", 1);
	output->limit = limit;
	if (r >= 0)
		return 0;
	if (output->length > before)
		memory_erase(output->data + before, output->length - before);
	output->length = before;
	return r != -E2BIG ? r : room ? -EMSGSIZE : -ENOBUFS;
}

size_t varlink_stream_pending(const struct varlink_stream *stream, const uint8_t **ret)
{
	size_t length = stream->output.length - stream->output_start;

	*ret = length > 0 ? stream->output.data + stream->output_start : NULL;
	return length;
}

void varlink_stream_sent(struct varlink_stream *stream, size_t length)
{
	consume(&stream->output, &stream->output_start, length);
}

/* Makes sure there are parameters, and returns them. */
static int take_parameters(json_object *message, json_object **ret)
{
	json_object *parameters;
	int r;

	r = json_get_object(message, "parameters", ret);
	if (r < 0)
		return -EPROTO;
	if (r > 0)
		return 0;
	parameters = json_object_new_object();
	r = json_set(message, "parameters", parameters);
	if (r < 0)
		return r;
	*ret = parameters;
	return 0;
}

/* True if all members are among @names or extensions. */
static bool members_known(json_object *message, const char *const *names)
{
	json_object_object_foreach (message, name, value) {
		size_t i = 0;

		(void)value;
		while (names[i] && strcmp(names[i], name) != 0)
			i++;
		if (!names[i] && !strchr(name, '.'))
			return false;
	}
	return true;
}

int varlink_call_parse(json_object *message, struct varlink_call *ret)
{
	static const char *const names[] = { "method", "parameters", "oneway",
					     "more",   "upgrade",    NULL };
	struct varlink_call call = {};
	int r;

	if (!json_object_is_type(message, json_type_object) || !members_known(message, names) ||
	    json_get_string(message, "method", &call.method) <= 0 ||
	    json_get_bool(message, "oneway", &call.oneway) < 0 ||
	    json_get_bool(message, "more", &call.more) < 0 ||
	    json_get_bool(message, "upgrade", &call.upgrade) < 0 ||
	    call.oneway + call.more + call.upgrade > 1)
		return -EPROTO;
	r = take_parameters(message, &call.parameters);
	if (r < 0)
		return r;
	*ret = call;
	return 0;
}

int varlink_reply_parse(json_object *message, bool more, struct varlink_reply *ret)
{
	static const char *const names[] = { "parameters", "continues", "error", NULL };
	struct varlink_reply reply = {};
	int r;

	if (!json_object_is_type(message, json_type_object) || !members_known(message, names) ||
	    json_get_string(message, "error", &reply.error) < 0 ||
	    json_get_bool(message, "continues", &reply.continues) < 0 ||
	    (reply.continues && (reply.error || !more)))
		return -EPROTO;
	r = take_parameters(message, &reply.parameters);
	if (r < 0)
		return r;
	*ret = reply;
	return 0;
}

/* A message with @parameters, and one string member before them unless @name is NULL. */
static int message_new(const char *name, const char *value, json_object *parameters,
		       json_object **ret)
{
	_cleanup_json_ json_object *message = json_object_new_object();
	int r = message ? 0 : -ENOMEM;

	if (r >= 0 && name)
		r = json_set_string(message, name, value);
	if (r < 0) {
		json_object_put(parameters);
		return r;
	}
	r = json_set(message, "parameters", parameters ?: json_object_new_object());
	if (r < 0)
		return r;
	*ret = TAKE_PTR(message);
	return 0;
}

json_object *varlink_call_new(const char *method, json_object *parameters, unsigned flags)
{
	_cleanup_json_ json_object *message = NULL;

	if (message_new("method", method, parameters, &message) < 0)
		return NULL;
	if ((flags & VARLINK_CALL_MORE) && json_set_bool(message, "more", true) < 0)
		return NULL;
	if ((flags & VARLINK_CALL_ONEWAY) && json_set_bool(message, "oneway", true) < 0)
		return NULL;
	return TAKE_PTR(message);
}

json_object *varlink_reply_new(json_object *parameters, bool continues)
{
	_cleanup_json_ json_object *message = NULL;

	if (message_new(NULL, NULL, parameters, &message) < 0)
		return NULL;
	if (continues && json_set_bool(message, "continues", true) < 0)
		return NULL;
	return TAKE_PTR(message);
}

json_object *varlink_error_new(const char *error, json_object *parameters)
{
	_cleanup_json_ json_object *message = NULL;

	if (message_new("error", error, parameters, &message) < 0)
		return NULL;
	return TAKE_PTR(message);
}
