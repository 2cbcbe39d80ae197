/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Varlink messages on a byte stream, for the server and the client: a message is one JSON object
 * and a NUL. No sockets here: whoever has one reads into the stream what arrives and writes from it
 * what is queued.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json.h>

#include "buffer.h"
#include "cleanup.h"

/* Calls are small, and the daemon's memory is locked. */
#define VARLINK_CALL_MAX  (256 * 1024)
#define VARLINK_REPLY_MAX (1024 * 1024)
/* What others accept at most. */
#define VARLINK_OUTPUT_MAX (16 * 1024 * 1024)

/* Both directions of a connection. What was taken out of the input or sent is wiped from memory. */
struct varlink_stream {
	struct buffer input;  /* received */
	size_t input_start;   /* bytes of it taken */
	size_t input_scanned; /* up to here there is no NUL behind input_start */
	struct buffer output; /* to be sent */
	size_t output_start;  /* bytes of it sent */
	size_t read_size;     /* of the next piece, when the last one had no room left */
	size_t offered;       /* room of the last piece */
	bool filled;          /* it had none left */
};

/* @input_max: largest message to accept, VARLINK_CALL_MAX in a server. Allocates nothing. */
void varlink_stream_init(struct varlink_stream *stream, size_t input_max);
void varlink_stream_done(struct varlink_stream *stream);

/*
 * Where to read into: at least 1 byte. Messages that are there should be taken first. Errors:
 * -EMSGSIZE (the message that is arriving is too large, close the connection), -ENOMEM.
 */
int varlink_stream_reserve(struct varlink_stream *stream, uint8_t **ret, size_t *ret_size);
/* Tells that @length bytes were put there. */
void varlink_stream_received(struct varlink_stream *stream, size_t length);
/* True while the beginning of a message is there; at the end of a connection that is a fault. */
bool varlink_stream_partial(const struct varlink_stream *stream);
/*
 * Takes the next message out: 1, or 0 if none is complete. Errors: -EPROTO (not strict JSON, or no
 * object), -ENOMEM; the connection cannot be used any more. Scans no byte twice.
 */
int varlink_stream_next(struct varlink_stream *stream, json_object **ret);

/*
 * Queues a message; sends its NUL. Errors: -EMSGSIZE (above VARLINK_REPLY_MAX), -ENOBUFS (above
 * VARLINK_OUTPUT_MAX with what is queued), -ENOMEM; nothing was queued then.
 */
int varlink_stream_queue(struct varlink_stream *stream, json_object *message);
/* What is to be sent; NULL and 0 if there is nothing. */
size_t varlink_stream_pending(const struct varlink_stream *stream, const uint8_t **ret);
/* Tells that @length bytes of it were sent. */
void varlink_stream_sent(struct varlink_stream *stream, size_t length);

/* A call; the strings and @parameters (never NULL) are borrowed from the message. */
struct varlink_call {
	const char *method;
	json_object *parameters;
	bool oneway, more, upgrade;
};

/*
 * Checks the header of a call. Members with a dot in their name are extensions, and ignored. Absent
 * or null parameters are made an object in @message. Errors: -EPROTO (close the connection),
 * -ENOMEM.
 */
int varlink_call_parse(json_object *message, struct varlink_call *ret);

/* A reply; borrowed like a call. */
struct varlink_reply {
	const char *error; /* NULL: success */
	json_object *parameters;
	bool continues;
};

/* The same for a reply to a call with (@more) or without more, which alone may continue. */
int varlink_reply_parse(json_object *message, bool more, struct varlink_reply *ret);

enum varlink_call_flags {
	VARLINK_CALL_MORE = 1 << 0,
	VARLINK_CALL_ONEWAY = 1 << 1,
};

/*
 * Messages to queue. They take @parameters over, also on failure, and always write parameters: NULL
 * is {}. NULL: no memory.
 */
json_object *varlink_call_new(const char *method, json_object *parameters, unsigned flags);
json_object *varlink_reply_new(json_object *parameters, bool continues);
json_object *varlink_error_new(const char *error, json_object *parameters);
