/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sends requests about hosts, in the thread that talks to the kernel. An answer that is more than a
 * reply is multicast, and comes on a socket that was opened for it: kernel_statistics.c says why.
 */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <netlink/socket.h>

#include "kernel_host.h"
#include "kernel_private.h"
#include "secret.h"
#include "turn.h"
#include "work.h"

/* Room for what others cause between opening the socket and the answer. */
#define ANSWER_BUFFER_SIZE (1024 * 1024)

static int send_request(struct kernel_host_request *request, int fd)
{
	size_t length = KERNEL_MESSAGE_SIZE + request->payload.length;
	struct nlmsghdr header = { .nlmsg_len = (uint32_t)length, .nlmsg_type = request->request };
	struct iovec parts[] = {
		{ &header, sizeof(header) },
		{ &request->event, sizeof(request->event) },
		{ request->payload.data, request->payload.length },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = ELEMENTSOF(parts) };

	request->sent_usec = turn_usec(CLOCK_MONOTONIC);
	while (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* 1: the reply to this request. */
static int take_reply(struct kernel_host_request *request, const uint8_t *data, size_t length)
{
	struct nlmsghdr header;
	int32_t error;

	if (length < KERNEL_MESSAGE_SIZE)
		return 0;
	memcpy(&header, data, sizeof(header));
	if (header.nlmsg_type != request->request)
		return 0;
	memcpy(&request->reply, data + NLMSG_HDRLEN, sizeof(request->reply));
	if (request->reply.type != KERNEL_EVENT_INTERFACE_ERROR)
		return 1;
	error = (int32_t)request->reply.iferror;
	return error < 0 && error >= -4095 ? error : -EIO;
}

/* When send() has returned the kernel has done it all. */
static int await_reply(struct kernel_host_request *request, struct kernel_channel *channel)
{
	for (;;) {
		struct pollfd pollfd = { .fd = channel->fd, .events = POLLIN };
		uint8_t reply[KERNEL_MESSAGE_SIZE];
		ssize_t n = recv(channel->fd, reply, sizeof(reply), MSG_DONTWAIT);
		int r;

		if (n < 0 && (errno == EINTR || errno == ENOBUFS))
			continue;
		if (n < 0 && errno == EAGAIN && poll(&pollfd, 1, channel->timeout_msec) > 0)
			continue;
		if (n < 0) {
			channel->stale = true;
			return -ETIMEDOUT;
		}
		r = take_reply(request, reply, (size_t)n);
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

/* True if it is the answer to this request, or to an equal one of another program. */
static bool is_answer(const struct kernel_host_request *request, const uint8_t *data,
		      struct iscsi_kernel_event *ret)
{
	struct nlmsghdr header;

	memcpy(&header, data, sizeof(header));
	memcpy(ret, data + NLMSG_HDRLEN, sizeof(*ret));
	if (header.nlmsg_type != 0 || ret->type != request->request ||
	    ret->transport_handle != request->event.transport_handle ||
	    ret->request.host.host != request->event.request.host.host)
		return false;
	return request->request != KERNEL_REQUEST_GET_CHAP ||
	       ret->request.get_chap.index == request->event.request.get_chap.index;
}

/* The answer lies in the socket when send() returns. 0: it does not. */
static int take_answer(struct kernel_host_request *request, int fd, uint8_t *datagram, size_t size)
{
	for (;;) {
		ssize_t n = recv(fd, datagram, size, MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EINTR || errno == ENOBUFS))
			continue;
		if (n < 0)
			return 0;
		if ((size_t)n < KERNEL_MESSAGE_SIZE || (size_t)n > size ||
		    !is_answer(request, datagram, &request->reply))
			continue;
		n -= KERNEL_MESSAGE_SIZE;
		return buffer_append(&request->answer, datagram + KERNEL_MESSAGE_SIZE, (size_t)n) <
				       0
			       ? -ENOMEM
			       : 1;
	}
}

static int await_answer(struct kernel_host_request *request, struct kernel_channel *channel, int fd)
{
	size_t size = NLMSG_ALIGN(KERNEL_MESSAGE_SIZE + request->answer_max);
	uint8_t *datagram = malloc(size);
	int r;

	if (!datagram)
		return -ENOMEM;
	r = take_answer(request, fd, datagram, size);
	memory_erase(datagram, size);
	free(datagram);
	if (r != 0)
		return r < 0 ? r : 0;
	/* A refusal comes back on the socket of the request. */
	r = await_reply(request, channel);
	return r < 0 ? r : -EPROTO;
}

void kernel_host_execute(struct kernel_host_request *request, struct kernel_channel *channel,
			 int answers)
{
	kernel_drop_stale_replies(channel);
	request->error = send_request(request, channel->fd);
	if (request->error < 0)
		return;
	request->error = request->answer_max > 0 ? await_answer(request, channel, answers)
						 : await_reply(request, channel);
}

static int run_request(void *argument)
{
	_cleanup_(nl_socket_freep) struct nl_sock *answers = NULL;
	struct kernel_host_request *request = argument;
	struct kernel_channel *channel = kernel_get_channel(request->kernel);
	int r;

	if (request->answer_max > 0) {
		r = kernel_open_socket(ANSWER_BUFFER_SIZE, KERNEL_NETLINK_GROUP, &answers);
		if (r < 0)
			return r;
	}
	kernel_host_execute(request, channel, answers ? nl_socket_get_fd(answers) : -1);
	return request->error;
}

static void request_done(void *argument, int result)
{
	struct kernel_host_request *request = argument;

	request->error = result;
	request->done(request->userdata, request);
	(void)kernel_host_request_free(request);
}

int kernel_host_submit(struct kernel_host_request *request,
		       void (*done)(void *userdata, struct kernel_host_request *request),
		       void *userdata)
{
	_cleanup_(kernel_host_request_freep) struct kernel_host_request *owned = request;
	int r;

	if (!request)
		return -ENOMEM;
	if (request->fault < 0)
		return request->fault;
	if (!request->kernel)
		return -ENOTCONN;
	request->done = done;
	request->userdata = userdata;
	r = work_submit(kernel_get_work(request->kernel), run_request, request_done, request);
	if (r < 0)
		return r;
	(void)TAKE_PTR(owned);
	return 0;
}
