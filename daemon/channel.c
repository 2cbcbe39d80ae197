/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "buffer.h"
#include "channel.h"
#include "kernel.h"
#include "bounds.h"
#include "pdu.h"
#include "poller.h"

#define TASK_TAG_OFFSET    16
#define EXP_STAT_SN_OFFSET 28
/*
 * A peer that never stops sending, pings or one byte at a time, must leave time for what comes last
 * in the loop: logins are admitted there, and clients answered. No honest one comes near to this.
 */
#define RATE_INTERVAL_USEC UINT64_C(100000)
#define RATE_BURST         1000

/* What a target says by itself, pings and messages, while its channel is held. */
#define KEPT_MAX 16

struct kept_pdu {
	struct kept_pdu *next;
	size_t length;
	uint8_t header[PDU_HEADER_LENGTH];
	uint8_t data[];
};

struct channel {
	const struct channel_callbacks *callbacks;
	void *userdata;
	bool *freed; /* set while a callback runs */
	bool failed;
	bool held;
	struct poller *poller;

	/* Socket carrier */
	struct poller_entry *entry;
	int fd;
	uint64_t burst_usec; /* when it began */
	unsigned n_burst;
	sd_event_source *pause; /* of a peer that sends too fast */
	size_t limit;
	struct buffer out;
	uint8_t *in; /* header, AHS, data segment with padding */
	size_t in_length, in_needed, in_allocated;

	/* Kernel carrier */
	struct kernel *kernel;
	uint64_t transport_handle;
	uint32_t sid;
	uint8_t task_tag[4]; /* of the last request sent, as its sender wrote it */
	struct channel_request *requests;
	struct kept_pdu *kept, **kept_end;
	size_t n_kept;
	struct poller_call deliver;

	/* A failure that is found while the owner is at work is reported from the loop */
	struct poller_call deferred;
	int deferred_error;
	bool deferred_sending;
};

/* A SEND_PDU on its way; outlives its channel. */
struct channel_request {
	struct channel *channel;
	struct channel_request *next;
};

static bool is_reserved(const uint8_t tag[4])
{
	static const uint8_t reserved[4] = { 0xff, 0xff, 0xff, 0xff };

	return memcmp(tag, reserved, sizeof(reserved)) == 0;
}

static void leave_poller(struct channel *channel)
{
	channel->pause = sd_event_source_disable_unref(channel->pause);
	channel->entry = poller_remove(channel->entry);
}

/* Returns true if the channel still exists after the callback. */
static bool channel_fail(struct channel *channel, int error, bool sending)
{
	bool freed = false;

	if (channel->failed)
		return true;
	channel->failed = true;
	leave_poller(channel);
	channel->freed = &freed;
	channel->callbacks->failed(channel->userdata, error, sending);
	if (freed)
		return false;
	channel->freed = NULL;
	return true;
}

static bool channel_pass_up(struct channel *channel, const uint8_t *header, const void *data,
			    size_t length)
{
	bool freed = false;

	channel->freed = &freed;
	channel->callbacks->received(channel->userdata, header, data, length);
	if (freed)
		return false;
	channel->freed = NULL;
	return true;
}

static void deferred_failure(void *userdata)
{
	struct channel *channel = userdata;

	(void)channel_fail(channel, channel->deferred_error, channel->deferred_sending);
}

static void channel_defer_failure(struct channel *channel, int error, bool sending)
{
	if (channel->failed || channel->deferred.poller)
		return;
	channel->deferred_error = error;
	channel->deferred_sending = sending;
	poller_call_later(channel->poller, &channel->deferred, deferred_failure, channel);
}

/* What has to be in channel->in before the PDU is complete; grows as the header becomes known. */
static int channel_need(struct channel *channel)
{
	size_t needed = PDU_HEADER_LENGTH;
	uint8_t *bigger;

	if (channel->in_length >= PDU_HEADER_LENGTH) {
		size_t data = pdu_header_data_length(channel->in);

		if (data > channel->limit)
			return -EMSGSIZE;
		needed += pdu_header_ahs_length(channel->in) + data + pdu_padding(data);
	}
	if (needed > channel->in_allocated) {
		bigger = realloc(channel->in, needed);
		if (!bigger)
			return -ENOMEM;
		channel->in = bigger;
		channel->in_allocated = needed;
	}
	channel->in_needed = needed;
	return 0;
}

/*
 * Reads to the end of the PDU and not a byte further: what follows the last Login Response belongs
 * to the kernel. Returns 1 if a PDU is complete, 0 if more must arrive, negative errno; -ENODATA:
 * closed.
 */
static int channel_read(struct channel *channel)
{
	for (;;) {
		ssize_t n;
		int r;

		r = channel_need(channel);
		if (r < 0)
			return r;
		if (channel->in_length == channel->in_needed)
			return 1;
		n = recv(channel->fd, channel->in + channel->in_length,
			 channel->in_needed - channel->in_length, MSG_DONTWAIT);
		if (n == 0)
			return -ENODATA;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		channel->in_length += (size_t)n;
	}
}

static int channel_listen(struct channel *channel)
{
	uint32_t events = EPOLLIN;

	if (channel->out.length > 0)
		events |= EPOLLOUT;
	if (channel->held || channel->pause)
		events = 0;
	return poller_set_events(channel->entry, events);
}

static int end_pause(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct channel *channel = userdata;

	channel->pause = sd_event_source_disable_unref(channel->pause);
	(void)channel_listen(channel);
	return 0;
}

/* Counts what comes in, and pauses when it is too much for the present interval. */
static void limit_rate(struct channel *channel)
{
	sd_event *event = poller_event(channel->poller);
	uint64_t now;

	if (sd_event_now(event, CLOCK_MONOTONIC, &now) < 0)
		return;
	if (now - channel->burst_usec >= RATE_INTERVAL_USEC) {
		channel->burst_usec = now;
		channel->n_burst = 0;
	}
	if (++channel->n_burst < RATE_BURST)
		return;
	if (sd_event_add_time(event, &channel->pause, CLOCK_MONOTONIC,
			      channel->burst_usec + RATE_INTERVAL_USEC, 0, end_pause, channel) >= 0)
		(void)channel_listen(channel);
}

static int channel_flush(struct channel *channel)
{
	while (channel->out.length > 0) {
		ssize_t n = send(channel->fd, channel->out.data, channel->out.length,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return -errno;
		buffer_consume(&channel->out, (size_t)n);
	}
	/* A login may have carried a CHAP response: leave nothing of it behind. */
	if (channel->out.length == 0)
		buffer_erase(&channel->out);
	return channel_listen(channel);
}

static void socket_ready(void *userdata, uint32_t revents)
{
	struct channel *channel = userdata;
	int r;

	if (revents & EPOLLOUT) {
		r = channel_flush(channel);
		if (r < 0) {
			(void)channel_fail(channel, r, true);
			return;
		}
	}
	if (!(revents & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	limit_rate(channel);
	r = channel_read(channel);
	/* The header says what is wrong; the receiver judges it, and goes on no more. */
	if (r == -EMSGSIZE &&
	    !channel_pass_up(channel, channel->in, NULL, pdu_header_data_length(channel->in)))
		return;
	if (r < 0) {
		(void)channel_fail(channel, r == -ENODATA ? 0 : r, false);
	} else if (r > 0) {
		size_t data = pdu_header_data_length(channel->in);
		size_t start = PDU_HEADER_LENGTH + pdu_header_ahs_length(channel->in);

		channel->in_length = 0;
		(void)channel_pass_up(channel, channel->in, channel->in + start, data);
	}
}

static int channel_new(const struct channel_callbacks *callbacks, void *userdata,
		       struct channel **ret)
{
	struct channel *channel;

	channel = calloc(1, sizeof(*channel));
	if (!channel)
		return -ENOMEM;
	channel->callbacks = callbacks;
	channel->userdata = userdata;
	channel->fd = -EBADF;
	*ret = channel;
	return 0;
}

int channel_new_socket(struct poller *poller, int fd, const struct channel_callbacks *callbacks,
		       void *userdata, struct channel **ret)
{
	_cleanup_(channel_freep) struct channel *channel = NULL;
	int r;

	r = channel_new(callbacks, userdata, &channel);
	if (r < 0)
		return r;
	channel->limit = LOGIN_DATA_SEGMENT_MAX;
	channel->out.limit = CHANNEL_UNSENT_MAX;
	channel->poller = poller;
	r = poller_add(poller, fd, EPOLLIN, socket_ready, channel, &channel->entry);
	if (r < 0)
		return r;
	channel->fd = fd;
	*ret = TAKE_PTR(channel);
	return 0;
}

int channel_new_kernel(struct poller *poller, struct kernel *kernel, uint64_t transport_handle,
		       uint32_t sid, const struct channel_callbacks *callbacks, void *userdata,
		       struct channel **ret)
{
	struct channel *channel;
	int r;

	r = channel_new(callbacks, userdata, &channel);
	if (r < 0)
		return r;
	channel->kernel = kernel;
	channel->transport_handle = transport_handle;
	channel->poller = poller;
	channel->sid = sid;
	channel->kept_end = &channel->kept;
	*ret = channel;
	return 0;
}

static struct kept_pdu *take_kept(struct channel *channel)
{
	struct kept_pdu *pdu = channel->kept;

	if (!pdu)
		return NULL;
	channel->kept = pdu->next;
	if (!channel->kept)
		channel->kept_end = &channel->kept;
	channel->n_kept--;
	return pdu;
}

struct channel *channel_free(struct channel *channel)
{
	struct kept_pdu *pdu;

	if (!channel)
		return NULL;
	if (channel->freed)
		*channel->freed = true;
	for (struct channel_request *r = channel->requests; r; r = r->next)
		r->channel = NULL;
	poller_call_off(&channel->deferred);
	poller_call_off(&channel->deliver);
	while ((pdu = take_kept(channel)))
		free(pdu);
	leave_poller(channel);
	channel->fd = close_fd(channel->fd);
	buffer_erase(&channel->out);
	free(channel->in);
	free(channel);
	return NULL;
}

void channel_set_limit(struct channel *channel, size_t data_segment_length)
{
	channel->limit = data_segment_length;
}

/* The kernel gives every task a tag of its own, and has matched the answer to it: the sender gets
 * his back. What the target says by itself has none. */
static bool pass_up_delivered(struct channel *channel, const uint8_t *header, const void *data,
			      size_t length)
{
	uint8_t answer[PDU_HEADER_LENGTH];

	memcpy(answer, header, sizeof(answer));
	if (!is_reserved(answer + TASK_TAG_OFFSET))
		memcpy(answer + TASK_TAG_OFFSET, channel->task_tag, sizeof(channel->task_tag));
	return channel_pass_up(channel, answer, data, length);
}

/* One at a time: the owner may hold the channel again, or free it. */
static void deliver_kept(void *userdata)
{
	struct channel *channel = userdata;
	_cleanup_free_ struct kept_pdu *pdu = NULL;

	if (channel->failed || channel->held)
		return;
	pdu = take_kept(channel);
	if (channel->kept)
		poller_call_later(channel->poller, &channel->deliver, deliver_kept, channel);
	if (pdu)
		(void)pass_up_delivered(channel, pdu->header, pdu->data, pdu->length);
}

void channel_hold(struct channel *channel, bool on)
{
	if (channel->failed)
		return;
	channel->held = on;
	if (channel->entry)
		(void)channel_listen(channel);
	else if (!on && channel->kept)
		poller_call_later(channel->poller, &channel->deliver, deliver_kept, channel);
}

static void request_done(void *userdata, const struct kernel_result *result)
{
	struct channel_request *request = userdata;
	struct channel *channel = request->channel;

	if (channel) {
		for (struct channel_request **p = &channel->requests; *p; p = &(*p)->next)
			if (*p == request) {
				*p = request->next;
				break;
			}
		/* -ECANCELED: the daemon ends, and leaves the session as it is. */
		if (result->error < 0 && result->error != -ECANCELED)
			(void)channel_fail(channel, result->error, true);
	}
	free(request);
}

/*
 * The kernel puts its own ExpStatSN into all but Login and Text Requests, and does not count the
 * answers to those.
 */
static void add_stat_sn(struct kernel_batch *batch, const uint8_t *header)
{
	enum pdu_opcode opcode = pdu_header_opcode(header);
	uint32_t exp_stat_sn;

	if (opcode == PDU_OPCODE_LOGIN_REQUEST || opcode == PDU_OPCODE_TEXT_REQUEST)
		return;
	memcpy(&exp_stat_sn, header + EXP_STAT_SN_OFFSET, sizeof(exp_stat_sn));
	kernel_batch_set_number(batch, KERNEL_PARAM_EXP_STATSN, ntohl(exp_stat_sn));
}

static int channel_send_kernel(struct channel *channel, const uint8_t *header, const void *data,
			       size_t length)
{
	_cleanup_(kernel_batch_freep) struct kernel_batch *batch = NULL;
	struct channel_request *request;
	int r;

	batch = kernel_batch_new(channel->kernel, channel->transport_handle, channel->sid);
	request = malloc(sizeof(*request));
	if (!batch || !request) {
		free(request);
		return -ENOMEM;
	}
	if (!is_reserved(header + TASK_TAG_OFFSET))
		memcpy(channel->task_tag, header + TASK_TAG_OFFSET, sizeof(channel->task_tag));
	add_stat_sn(batch, header);
	kernel_batch_send_pdu(batch, header, data, length);
	*request = (struct channel_request){ .channel = channel, .next = channel->requests };
	r = kernel_batch_submit(TAKE_PTR(batch), request_done, request);
	if (r < 0) {
		free(request);
		return r;
	}
	channel->requests = request;
	return 0;
}

int channel_send(struct channel *channel, const uint8_t header[48], const void *data, size_t length)
{
	static const uint8_t padding[4];
	int r;

	if (channel->failed)
		return 0;
	if (channel->kernel)
		return channel_send_kernel(channel, header, data, length);

	r = buffer_append(&channel->out, header, PDU_HEADER_LENGTH);
	if (r >= 0)
		r = buffer_append(&channel->out, data, length);
	if (r >= 0)
		r = buffer_append(&channel->out, padding, pdu_padding(length));
	/* The peer makes us answer, and reads none of it. */
	if (r == -E2BIG)
		return -ENOBUFS;
	if (r < 0)
		return r;
	r = channel_flush(channel);
	if (r < 0)
		channel_defer_failure(channel, r, true);
	return 0;
}

struct event *channel_send_event(int error)
{
	struct event *event =
		event_new(error == -ENOMEM ? EVENT_SEND_RESOURCES : EVENT_SEND_FAILED);

	event_set_errno(event, error);
	event_set_outcome(event, EVENT_OUTCOME_FAILED);
	return event;
}

static void keep(struct channel *channel, const uint8_t *header, const void *data, size_t length)
{
	struct kept_pdu *pdu = channel->n_kept < KEPT_MAX ? malloc(sizeof(*pdu) + length) : NULL;

	if (!pdu) {
		channel_defer_failure(channel, channel->n_kept < KEPT_MAX ? -ENOMEM : -ENOBUFS,
				      false);
		return;
	}
	pdu->next = NULL;
	pdu->length = length;
	memcpy(pdu->header, header, sizeof(pdu->header));
	if (length > 0)
		memcpy(pdu->data, data, length);
	*channel->kept_end = pdu;
	channel->kept_end = &pdu->next;
	channel->n_kept++;
}

void channel_deliver(struct channel *channel, const uint8_t header[48], const void *data,
		     size_t length)
{
	if (channel->failed)
		return;
	if (channel->held || channel->kept)
		keep(channel, header, data, length);
	else
		(void)pass_up_delivered(channel, header, data, length);
}

int channel_take_fd(struct channel *channel)
{
	leave_poller(channel);
	channel->failed = true;
	return TAKE_FD(channel->fd);
}
