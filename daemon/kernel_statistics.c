/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counters of connections. The kernel multicasts its answer, and if nobody can take it, tries for
 * ever with all iSCSI management of the machine locked: a listener whose buffer is full counts as
 * nobody. So a socket of its own is opened for each query, emptied before each request, and read by
 * the thread that asks.
 */
#include <string.h>
#include <sys/socket.h>
#include <netlink/socket.h>

#include "kernel_private.h"
#include "work.h"

/* Room for what others cause between emptying the socket and the answer. */
#define ANSWER_BUFFER_SIZE (1024 * 1024)
/* No transport of Linux has more than four. */
#define CUSTOM_MAX 64

struct query {
	struct kernel *kernel;
	struct kernel_statistics *items;
	size_t n;
	kernel_statistics_ready_t ready;
	void *userdata;
};

void kernel_statistics_done(struct kernel_statistics *statistics)
{
	free(statistics->custom);
	statistics->custom = NULL;
	statistics->n_custom = 0;
}

static int take_custom(struct kernel_statistics *item, const uint8_t *data, size_t n)
{
	struct iscsi_kernel_custom_counter *custom;

	if (n == 0)
		return 0;
	custom = calloc(n, sizeof(*custom));
	if (!custom)
		return -ENOMEM;
	memcpy(custom, data, n * sizeof(*custom));
	for (size_t i = 0; i < n; i++)
		custom[i].name[KERNEL_COUNTER_NAME_MAX - 1] = '\0';
	kernel_statistics_done(item);
	item->custom = custom;
	item->n_custom = n;
	return 0;
}

int kernel_statistics_parse(struct kernel_statistics *item, const void *data, size_t length)
{
	const uint8_t *payload = (const uint8_t *)data + KERNEL_MESSAGE_SIZE;
	struct iscsi_kernel_statistics statistics;
	struct iscsi_kernel_event event;
	struct nlmsghdr header;

	if (length < KERNEL_MESSAGE_SIZE + sizeof(statistics))
		return 0;
	memcpy(&header, data, sizeof(header));
	memcpy(&event, (const uint8_t *)data + NLMSG_HDRLEN, sizeof(event));
	/* Another program's answer for the same connection is as good as ours. */
	if (header.nlmsg_type != 0 || event.type != KERNEL_REQUEST_GET_STATISTICS ||
	    event.request.object.sid != item->sid || event.request.object.cid != 0 ||
	    event.transport_handle != item->transport_handle)
		return 0;
	memcpy(&statistics, payload, sizeof(statistics));
	if (statistics.n_custom > CUSTOM_MAX ||
	    length - KERNEL_MESSAGE_SIZE - sizeof(statistics) <
		    statistics.n_custom * sizeof(struct iscsi_kernel_custom_counter))
		return 0;
	item->transmitted_bytes = statistics.transmitted_bytes;
	item->received_bytes = statistics.received_bytes;
	memcpy(item->counters, statistics.counters, sizeof(item->counters));
	if (take_custom(item, payload + sizeof(statistics), statistics.n_custom) < 0)
		return -ENOMEM;
	return 1;
}

static void drain(int fd)
{
	uint8_t datagram[64];

	while (recv(fd, datagram, sizeof(datagram), MSG_DONTWAIT | MSG_TRUNC) >= 0 ||
	       errno == EINTR || errno == ENOBUFS)
		;
}

/* The answer lies in the socket when send() returns. 0: it does not. */
static int take_answer(struct kernel_statistics *item, int fd)
{
	uint8_t datagram[KERNEL_EVENT_MAX];

	for (;;) {
		ssize_t n = recv(fd, datagram, sizeof(datagram), MSG_DONTWAIT);
		int r;

		if (n < 0 && (errno == EINTR || errno == ENOBUFS))
			continue;
		if (n < 0)
			return 0;
		r = kernel_statistics_parse(item, datagram, (size_t)n);
		if (r != 0)
			return r;
	}
}

/* A refusal comes back on the socket of the request. */
static int take_refusal(struct kernel_channel *channel)
{
	uint8_t reply[KERNEL_MESSAGE_SIZE];

	for (;;) {
		ssize_t n = recv(channel->fd, reply, sizeof(reply), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < (ssize_t)sizeof(reply))
			break;
		/* There is one reason: no such connection, which the kernel calls EEXIST. */
		return -ENOTCONN;
	}
	channel->stale = true;
	return -ETIMEDOUT;
}

static int ask(struct kernel_statistics *item, struct kernel_channel *channel, int fd)
{
	struct {
		struct nlmsghdr header;
		struct iscsi_kernel_event event;
	} message = {
		.header = { .nlmsg_len = sizeof(message),
			    .nlmsg_type = KERNEL_REQUEST_GET_STATISTICS },
		.event = { .type = KERNEL_REQUEST_GET_STATISTICS,
			   .transport_handle = item->transport_handle,
			   .request.object.sid = item->sid },
	};
	int r;

	_Static_assert(sizeof(message) == KERNEL_MESSAGE_SIZE, "no gap between header and event");
	drain(fd);
	while (send(channel->fd, &message, sizeof(message), MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	r = take_answer(item, fd);
	if (r == 0)
		return take_refusal(channel);
	return r < 0 ? r : 0;
}

static int run_query(void *argument)
{
	_cleanup_(nl_socket_freep) struct nl_sock *answers = NULL;
	struct query *query = argument;
	struct kernel_channel *channel = kernel_get_channel(query->kernel);
	int r;

	r = kernel_open_socket(ANSWER_BUFFER_SIZE, KERNEL_NETLINK_GROUP, &answers);
	if (r < 0)
		return r;
	kernel_drop_stale_replies(channel);
	for (size_t i = 0; i < query->n; i++)
		query->items[i].error = ask(&query->items[i], channel, nl_socket_get_fd(answers));
	return 0;
}

static void query_done(void *argument, int result)
{
	struct query *query = argument;

	query->ready(query->userdata, result);
	free(query);
}

int kernel_query_statistics(struct kernel *kernel, struct kernel_statistics *items, size_t n,
			    kernel_statistics_ready_t ready, void *userdata)
{
	struct query *query;
	int r;

	if (!kernel)
		return -ENOTCONN;
	query = malloc(sizeof(*query));
	if (!query)
		return -ENOMEM;
	*query = (struct query){ kernel, items, n, ready, userdata };
	r = work_submit(kernel_get_work(kernel), run_query, query_done, query);
	if (r < 0)
		free(query);
	return r;
}
