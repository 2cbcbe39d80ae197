/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests to the kernel: composing the messages of a batch, and sending them. The kernel executes
 * what is in a datagram message by message, goes on after one that fails, and queues a reply to
 * each; it has done all of it when sendmsg() returns. A datagram costs two system calls, however
 * much is in it.
 */
#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel_private.h"
#include "secret.h"
#include "table.h"

/* The kernel works a datagram off under a lock that all of the machine shares. */
#define DATAGRAM_MESSAGES_MAX 64

static const char *const operation_names[] = {
	[KERNEL_CREATE_SESSION] = "create session",
	[KERNEL_DESTROY_SESSION] = "destroy session",
	[KERNEL_CREATE_CONNECTION] = "create connection",
	[KERNEL_DESTROY_CONNECTION] = "destroy connection",
	[KERNEL_BIND_CONNECTION] = "bind connection",
	[KERNEL_SET_PARAMETER] = "set parameter",
	[KERNEL_START_CONNECTION] = "start connection",
	[KERNEL_STOP_CONNECTION] = "stop connection",
	[KERNEL_SEND_PDU] = "send PDU",
	[KERNEL_UNBIND_SESSION] = "unbind session",
	[KERNEL_CONNECT_ENDPOINT] = "connect",
	[KERNEL_POLL_ENDPOINT] = "poll endpoint",
	[KERNEL_DISCONNECT_ENDPOINT] = "disconnect endpoint",
	[KERNEL_UPDATE_PATH] = "update path",
	[KERNEL_SET_INTERFACE] = "set interface",
	[KERNEL_SET_HOST] = "set host parameter",
};

/* Those that have another one beside it name it themselves. */
static const uint16_t operation_requests[] = {
	[KERNEL_CREATE_SESSION] = KERNEL_REQUEST_CREATE_SESSION,
	[KERNEL_DESTROY_SESSION] = KERNEL_REQUEST_DESTROY_SESSION_ASYNC,
	[KERNEL_CREATE_CONNECTION] = KERNEL_REQUEST_CREATE_CONNECTION,
	[KERNEL_DESTROY_CONNECTION] = KERNEL_REQUEST_DESTROY_CONNECTION,
	[KERNEL_BIND_CONNECTION] = KERNEL_REQUEST_BIND_CONNECTION,
	[KERNEL_SET_PARAMETER] = KERNEL_REQUEST_SET_PARAM,
	[KERNEL_START_CONNECTION] = KERNEL_REQUEST_START_CONNECTION,
	[KERNEL_STOP_CONNECTION] = KERNEL_REQUEST_STOP_CONNECTION,
	[KERNEL_SEND_PDU] = KERNEL_REQUEST_SEND_PDU,
	[KERNEL_UNBIND_SESSION] = KERNEL_REQUEST_UNBIND_SESSION,
	[KERNEL_CONNECT_ENDPOINT] = KERNEL_REQUEST_CONNECT_ENDPOINT,
	[KERNEL_POLL_ENDPOINT] = KERNEL_REQUEST_POLL_ENDPOINT,
	[KERNEL_DISCONNECT_ENDPOINT] = KERNEL_REQUEST_DISCONNECT_ENDPOINT,
	[KERNEL_UPDATE_PATH] = KERNEL_REQUEST_UPDATE_PATH,
	[KERNEL_SET_INTERFACE] = KERNEL_REQUEST_SET_INTERFACE,
	[KERNEL_SET_HOST] = KERNEL_REQUEST_SET_HOST_PARAM,
};

_Static_assert(ELEMENTSOF(operation_names) == _KERNEL_OPERATION_MAX, "a name for each operation");
_Static_assert(ELEMENTSOF(operation_requests) == _KERNEL_OPERATION_MAX, "a request for each");

const char *kernel_operation_to_string(enum kernel_operation operation)
{
	return table_name(operation_names, ELEMENTSOF(operation_names), (size_t)operation);
}

/* Batches: composing */

struct kernel_batch *kernel_batch_new(struct kernel *kernel, uint64_t transport_handle,
				      uint32_t sid)
{
	struct kernel_batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return NULL;
	batch->kernel = kernel;
	batch->transport_handle = transport_handle;
	batch->sid = sid;
	return batch;
}

struct kernel_batch *kernel_batch_free(struct kernel_batch *batch)
{
	if (!batch)
		return NULL;
	/* There may be secrets in it. */
	buffer_erase(&batch->data);
	free(batch->messages);
	free(batch);
	return NULL;
}

static int reserve_message(struct kernel_batch *batch)
{
	struct kernel_message *messages;
	size_t n = batch->n_allocated > 0 ? batch->n_allocated * 2 : 16;

	if (batch->n_messages < batch->n_allocated)
		return 0;
	messages = reallocarray(batch->messages, n, sizeof(*messages));
	if (!messages)
		return -ENOMEM;
	batch->messages = messages;
	batch->n_allocated = n;
	return 0;
}

/* Appends a message with up to two pieces of payload. The first error of a batch sticks. */
static void add(struct kernel_batch *batch, enum kernel_operation operation,
		struct iscsi_kernel_event *event, const void *first, size_t first_length,
		const void *second, size_t second_length)
{
	size_t length = KERNEL_MESSAGE_SIZE + first_length + second_length;
	struct nlmsghdr header = {
		.nlmsg_len = (uint32_t)length,
		.nlmsg_type = (uint16_t)(event->type ?: operation_requests[operation]),
	};
	uint8_t *space;

	if (batch->error < 0)
		return;
	event->type = header.nlmsg_type;
	event->transport_handle = batch->transport_handle;
	batch->error = reserve_message(batch);
	if (batch->error < 0)
		return;
	batch->error = buffer_reserve(&batch->data, NLMSG_ALIGN(length), &space);
	if (batch->error < 0)
		return;
	memset(space, 0, NLMSG_ALIGN(length));
	memcpy(space, &header, sizeof(header));
	memcpy(space + NLMSG_HDRLEN, event, sizeof(*event));
	if (first_length > 0)
		memcpy(space + KERNEL_MESSAGE_SIZE, first, first_length);
	if (second_length > 0)
		memcpy(space + KERNEL_MESSAGE_SIZE + first_length, second, second_length);
	batch->messages[batch->n_messages++] = (struct kernel_message){
		.operation = operation,
		.request = header.nlmsg_type,
		.offset = batch->data.length,
		.length = NLMSG_ALIGN(length),
	};
	buffer_commit(&batch->data, NLMSG_ALIGN(length));
}

/* A message whose only arguments are the session and, where it matters, connection 0. */
static void add_plain(struct kernel_batch *batch, enum kernel_operation operation)
{
	struct iscsi_kernel_event event = { 0 };

	if (!batch)
		return;
	event.request.object.sid = batch->sid;
	add(batch, operation, &event, NULL, 0, NULL, 0);
}

void kernel_batch_barrier(struct kernel_batch *batch)
{
	if (batch && batch->n_messages > 0)
		batch->messages[batch->n_messages - 1].barrier = true;
}

void kernel_batch_create_session(struct kernel_batch *batch, uint32_t initial_cmdsn,
				 uint16_t commands_max, uint16_t queue_depth)
{
	struct iscsi_kernel_event event = { 0 };

	if (!batch)
		return;
	assert(batch->sid == KERNEL_SESSION_NEW);
	assert(batch->n_messages == 0);
	event.request.create_session.initial_cmdsn = initial_cmdsn;
	event.request.create_session.commands_max = commands_max;
	event.request.create_session.queue_depth = queue_depth;
	add(batch, KERNEL_CREATE_SESSION, &event, NULL, 0, NULL, 0);
	kernel_batch_barrier(batch);
}

void kernel_batch_create_bound_session(struct kernel_batch *batch, uint64_t endpoint,
				       uint32_t initial_cmdsn, uint16_t commands_max,
				       uint16_t queue_depth)
{
	struct iscsi_kernel_event event = { .type = KERNEL_REQUEST_CREATE_BOUND_SESSION };

	if (!batch)
		return;
	assert(batch->sid == KERNEL_SESSION_NEW);
	assert(batch->n_messages == 0);
	event.request.create_bound_session.endpoint = endpoint;
	event.request.create_bound_session.initial_cmdsn = initial_cmdsn;
	event.request.create_bound_session.commands_max = commands_max;
	event.request.create_bound_session.queue_depth = queue_depth;
	add(batch, KERNEL_CREATE_SESSION, &event, NULL, 0, NULL, 0);
	kernel_batch_barrier(batch);
}

void kernel_batch_create_connection(struct kernel_batch *batch)
{
	add_plain(batch, KERNEL_CREATE_CONNECTION);
}

void kernel_batch_bind(struct kernel_batch *batch, uint64_t handle)
{
	struct iscsi_kernel_event event = { 0 };

	if (!batch)
		return;
	event.request.bind.sid = batch->sid;
	event.request.bind.handle = handle;
	event.request.bind.is_leading = 1;
	add(batch, KERNEL_BIND_CONNECTION, &event, NULL, 0, NULL, 0);
}

/* A text and the NUL that the kernel wants behind it. */
static void set_text(struct kernel_batch *batch, enum iscsi_kernel_param param, const void *text,
		     size_t length)
{
	struct iscsi_kernel_event event = { 0 };

	if (!batch)
		return;
	if (length + 1 > KERNEL_VALUE_MAX && batch->error == 0)
		batch->error = -EMSGSIZE;
	event.request.set_param.sid = batch->sid;
	event.request.set_param.param = param;
	event.request.set_param.length = (uint32_t)length + 1;
	add(batch, KERNEL_SET_PARAMETER, &event, text, length, "", 1);
}

void kernel_batch_set_string(struct kernel_batch *batch, enum iscsi_kernel_param param,
			     const char *value)
{
	set_text(batch, param, value, strlen(value));
}

void kernel_batch_set_secret(struct kernel_batch *batch, enum iscsi_kernel_param param,
			     const struct secret *secret)
{
	set_text(batch, param, secret_bytes(secret), secret_length(secret));
}

void kernel_batch_set_number(struct kernel_batch *batch, enum iscsi_kernel_param param,
			     int64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIi64, value);
	kernel_batch_set_string(batch, param, text);
}

void kernel_batch_start(struct kernel_batch *batch)
{
	add_plain(batch, KERNEL_START_CONNECTION);
}

void kernel_batch_stop(struct kernel_batch *batch, enum iscsi_kernel_stop how)
{
	struct iscsi_kernel_event event = { 0 };

	if (!batch)
		return;
	event.request.stop.sid = batch->sid;
	event.request.stop.flag = how;
	add(batch, KERNEL_STOP_CONNECTION, &event, NULL, 0, NULL, 0);
}

void kernel_batch_send_pdu(struct kernel_batch *batch, const uint8_t header[48], const void *data,
			   size_t length)
{
	struct iscsi_kernel_event event = { 0 };

	if (!batch)
		return;
	if (length > KERNEL_PDU_DATA_MAX && batch->error == 0)
		batch->error = -EMSGSIZE;
	event.request.send_pdu.sid = batch->sid;
	event.request.send_pdu.header_size = KERNEL_BHS_SIZE;
	event.request.send_pdu.data_size = (uint32_t)length;
	add(batch, KERNEL_SEND_PDU, &event, header, KERNEL_BHS_SIZE, data, length);
}

void kernel_batch_unbind_session(struct kernel_batch *batch)
{
	add_plain(batch, KERNEL_UNBIND_SESSION);
}

void kernel_batch_destroy_connection(struct kernel_batch *batch)
{
	add_plain(batch, KERNEL_DESTROY_CONNECTION);
}

void kernel_batch_destroy_session(struct kernel_batch *batch)
{
	add_plain(batch, KERNEL_DESTROY_SESSION);
}

void kernel_batch_connect_endpoint(struct kernel_batch *batch, uint32_t host,
				   const struct sockaddr *address, size_t length)
{
	struct iscsi_kernel_event event = { 0 };

	if (!batch)
		return;
	if (host == KERNEL_HOST_ANY) {
		event.request.connect_endpoint.non_blocking = 1;
	} else {
		event.type = KERNEL_REQUEST_CONNECT_ENDPOINT_THROUGH_HOST;
		event.request.connect_endpoint_through_host.host = host;
		event.request.connect_endpoint_through_host.non_blocking = 1;
	}
	add(batch, KERNEL_CONNECT_ENDPOINT, &event, address, length, NULL, 0);
}

void kernel_batch_poll_endpoint(struct kernel_batch *batch, uint64_t endpoint)
{
	struct iscsi_kernel_event event = { 0 };

	if (!batch)
		return;
	event.request.poll_endpoint.endpoint = endpoint;
	/* Some sleep so long, with a lock that all of the machine shares. */
	event.request.poll_endpoint.timeout_msec = 1;
	add(batch, KERNEL_POLL_ENDPOINT, &event, NULL, 0, NULL, 0);
}

void kernel_batch_disconnect_endpoint(struct kernel_batch *batch, uint64_t endpoint)
{
	struct iscsi_kernel_event event = { 0 };

	if (!batch)
		return;
	event.request.disconnect_endpoint.endpoint = endpoint;
	add(batch, KERNEL_DISCONNECT_ENDPOINT, &event, NULL, 0, NULL, 0);
}

void kernel_batch_update_path(struct kernel_batch *batch, uint32_t host,
			      const struct iscsi_kernel_path *path)
{
	struct iscsi_kernel_event event = { 0 };

	if (!batch)
		return;
	event.request.host.host = host;
	add(batch, KERNEL_UPDATE_PATH, &event, path, sizeof(*path), NULL, 0);
}

void kernel_batch_set_interface(struct kernel_batch *batch, uint32_t host, const void *attributes,
				size_t length)
{
	struct iscsi_kernel_event event = { 0 };

	if (!batch)
		return;
	event.request.host.host = host;
	add(batch, KERNEL_SET_INTERFACE, &event, attributes, length, NULL, 0);
}

void kernel_batch_set_host(struct kernel_batch *batch, uint32_t host, uint32_t param,
			   const char *value)
{
	struct iscsi_kernel_event event = { 0 };
	size_t size = strlen(value) + 1;

	if (!batch)
		return;
	event.request.set_host_param.host = host;
	event.request.set_host_param.param = param;
	event.request.set_host_param.length = (uint32_t)size;
	add(batch, KERNEL_SET_HOST, &event, value, size, NULL, 0);
}

/* Batches: executing, in the worker thread */

struct datagram {
	size_t messages[DATAGRAM_MESSAGES_MAX]; /* indices */
	size_t n;
	size_t n_answered;
};

static bool is_cleanup(enum kernel_operation operation)
{
	return operation == KERNEL_STOP_CONNECTION || operation == KERNEL_UNBIND_SESSION ||
	       operation == KERNEL_DESTROY_CONNECTION || operation == KERNEL_DESTROY_SESSION ||
	       operation == KERNEL_DISCONNECT_ENDPOINT;
}

static void fail(struct kernel_batch *batch, size_t index, int error)
{
	if (batch->result.error < 0)
		return;
	batch->result.error = error;
	batch->result.operation = batch->messages[index].operation;
}

/*
 * Collects the messages from @first on that go out together; after a failure only those that clean
 * up. Returns the index of the message after them.
 */
static size_t collect_datagram(const struct kernel_batch *batch, size_t first, struct datagram *ret)
{
	size_t size = 0, i;

	*ret = (struct datagram){ 0 };
	for (i = first; i < batch->n_messages; i++) {
		const struct kernel_message *message = &batch->messages[i];

		if (ret->n == DATAGRAM_MESSAGES_MAX ||
		    (ret->n > 0 && size + message->length > KERNEL_DATAGRAM_MAX))
			break;
		if (batch->result.error == 0 || is_cleanup(message->operation)) {
			ret->messages[ret->n++] = i;
			size += message->length;
		}
		if (message->barrier)
			return i + 1;
	}
	return i;
}

static int send_datagram(const struct kernel_batch *batch, int fd, const struct datagram *datagram)
{
	struct iovec vectors[DATAGRAM_MESSAGES_MAX];
	struct msghdr message = { .msg_iov = vectors, .msg_iovlen = datagram->n };

	for (size_t i = 0; i < datagram->n; i++) {
		const struct kernel_message *part = &batch->messages[datagram->messages[i]];

		vectors[i].iov_base = batch->data.data + part->offset;
		vectors[i].iov_len = part->length;
	}
	while (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* The session is known now: every later message names it in the same place. */
static void session_created(struct kernel_batch *batch, const struct iscsi_kernel_event *reply)
{
	size_t at = NLMSG_HDRLEN + offsetof(struct iscsi_kernel_event, request.object.sid);

	batch->sid = reply->result.session.sid;
	batch->result.created = true;
	batch->result.sid = reply->result.session.sid;
	batch->result.host = reply->result.session.host;
	for (size_t i = 1; i < batch->n_messages; i++)
		memcpy(batch->data.data + batch->messages[i].offset + at, &batch->sid,
		       sizeof(batch->sid));
}

static int sane_errno(int32_t error)
{
	return error < 0 && error >= -4095 ? error : -EIO;
}

static int judge_reply(struct kernel_batch *batch, size_t index,
		       const struct iscsi_kernel_event *reply)
{
	if (reply->type == KERNEL_EVENT_INTERFACE_ERROR)
		return sane_errno((int32_t)reply->iferror);
	switch (batch->messages[index].operation) {
	case KERNEL_BIND_CONNECTION:
	case KERNEL_START_CONNECTION:
	case KERNEL_SEND_PDU:
		return reply->result.retcode == 0 ? 0 : sane_errno(reply->result.retcode);
	case KERNEL_CREATE_SESSION:
		session_created(batch, reply);
		return 0;
	case KERNEL_CONNECT_ENDPOINT:
		batch->result.endpoint = reply->result.endpoint;
		return 0;
	case KERNEL_POLL_ENDPOINT:
		batch->result.connected = reply->result.retcode > 0;
		return reply->result.retcode >= 0 ? 0 : sane_errno(reply->result.retcode);
	case KERNEL_UPDATE_PATH:
	case KERNEL_SET_INTERFACE:
	case KERNEL_SET_HOST:
	case KERNEL_DISCONNECT_ENDPOINT:
	case KERNEL_DESTROY_SESSION:
	case KERNEL_CREATE_CONNECTION:
	case KERNEL_DESTROY_CONNECTION:
	case KERNEL_SET_PARAMETER:
	case KERNEL_STOP_CONNECTION:
	case KERNEL_UNBIND_SESSION:
	case _KERNEL_OPERATION_MAX:
		break;
	}
	return 0;
}

/*
 * Replies carry no number, only the type of their request, and come in order. If the next one
 * expected has another type, those in between were lost.
 */
static void take_reply(struct kernel_batch *batch, struct datagram *datagram, const void *data,
		       size_t length)
{
	struct iscsi_kernel_event reply;
	struct nlmsghdr header;
	size_t i;
	int r;

	if (length < KERNEL_MESSAGE_SIZE)
		return;
	memcpy(&header, data, sizeof(header));
	memcpy(&reply, (const uint8_t *)data + NLMSG_HDRLEN, sizeof(reply));
	if (header.nlmsg_len < KERNEL_MESSAGE_SIZE || header.nlmsg_len > length)
		return;
	for (i = datagram->n_answered; i < datagram->n; i++)
		if (batch->messages[datagram->messages[i]].request == header.nlmsg_type)
			break;
	if (i == datagram->n)
		return;
	if (i > datagram->n_answered)
		fail(batch, datagram->messages[datagram->n_answered], -ETIMEDOUT);
	datagram->n_answered = i + 1;
	r = judge_reply(batch, datagram->messages[i], &reply);
	if (r < 0)
		fail(batch, datagram->messages[i], r);
}

static int receive_replies(struct kernel_batch *batch, int fd, struct datagram *datagram)
{
	uint8_t replies[DATAGRAM_MESSAGES_MAX][KERNEL_MESSAGE_SIZE];
	struct mmsghdr messages[DATAGRAM_MESSAGES_MAX];
	struct iovec vectors[DATAGRAM_MESSAGES_MAX];
	size_t n_expected = datagram->n - datagram->n_answered;
	int n;

	memset(messages, 0, n_expected * sizeof(messages[0]));
	for (size_t i = 0; i < n_expected; i++) {
		vectors[i] = (struct iovec){ replies[i], sizeof(replies[i]) };
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(fd, messages, (unsigned)n_expected, MSG_DONTWAIT, NULL);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++)
		take_reply(batch, datagram, replies[i], messages[i].msg_len);
	return n;
}

/* When send() has returned the kernel has done it all; a reply that is not there by then is as good
 * as lost. */
static void await_replies(struct kernel_batch *batch, struct kernel_channel *channel,
			  struct datagram *datagram)
{
	while (datagram->n_answered < datagram->n) {
		struct pollfd pollfd = { .fd = channel->fd, .events = POLLIN };
		int r = receive_replies(batch, channel->fd, datagram);

		if (r > 0 || r == -EINTR || r == -ENOBUFS)
			continue;
		if (r == -EAGAIN && poll(&pollfd, 1, channel->timeout_msec) > 0)
			continue;
		channel->stale = true;
		fail(batch, datagram->messages[datagram->n_answered], -ETIMEDOUT);
		return;
	}
}

void kernel_drop_stale_replies(struct kernel_channel *channel)
{
	uint8_t reply[KERNEL_MESSAGE_SIZE];

	if (!channel->stale)
		return;
	while (recv(channel->fd, reply, sizeof(reply), MSG_DONTWAIT) >= 0 || errno == EINTR ||
	       errno == ENOBUFS)
		;
	channel->stale = false;
}

void kernel_batch_execute(struct kernel_batch *batch, struct kernel_channel *channel)
{
	struct datagram datagram;

	batch->result = (struct kernel_result){ .sid = batch->sid };
	kernel_drop_stale_replies(channel);
	for (size_t next = 0; next < batch->n_messages;) {
		int r;

		/* Nothing can be cleaned up of a session that does not exist. */
		if (batch->sid == KERNEL_SESSION_NEW && next > 0)
			return;
		next = collect_datagram(batch, next, &datagram);
		if (datagram.n == 0)
			continue;
		r = send_datagram(batch, channel->fd, &datagram);
		if (r < 0)
			fail(batch, datagram.messages[0], r);
		else
			await_replies(batch, channel, &datagram);
	}
}
