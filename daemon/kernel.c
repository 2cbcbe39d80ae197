/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NETLINK_ISCSI. Two sockets: requests go out and replies come back on one that only the worker
 * thread touches; events arrive on the other, a member of the multicast group. The kernel numbers
 * nothing and acknowledges nothing, so libnl makes the sockets and plain system calls move the
 * datagrams.
 */
#include <string.h>
#include <sys/socket.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "kernel_private.h"
#include "poller.h"
#include "secret.h"
#include "table.h"
#include "work.h"

/*
 * An event that finds the buffer full is lost and takes its connection along if it was a PDU: there
 * is room for some thousands, at about 1 KiB each. Replies come at once and are few.
 */
#define EVENT_BUFFER_SIZE   (4 * 1024 * 1024)
#define REQUEST_BUFFER_SIZE (1024 * 1024)
/* Taken with one system call, in one turn of the loop. */
#define EVENTS_AT_ONCE     8
#define REPLY_TIMEOUT_MSEC 2000

struct kernel {
	const struct kernel_callbacks *callbacks;
	void *userdata;
	struct nl_sock *request_socket;
	struct nl_sock *event_socket;
	struct kernel_channel channel; /* of the worker */
	struct work *work;
	struct poller *poller;
	struct poller_entry *entry;
	struct poller_call again;
	uint64_t n_ignored;
	bool overrun;
	uint8_t events[EVENTS_AT_ONCE][NLMSG_ALIGN(KERNEL_EVENT_MAX)];
};

/* Events */

static bool dispatch_pdu(const struct kernel_callbacks *callbacks, void *userdata,
			 const struct iscsi_kernel_event *event, const uint8_t *payload,
			 size_t length)
{
	size_t data_length;

	if (length < KERNEL_BHS_SIZE)
		return false;
	/* DataSegmentLength counts; the message may be padded. */
	data_length = (size_t)payload[5] << 16 | (size_t)payload[6] << 8 | payload[7];
	if (data_length > length - KERNEL_BHS_SIZE)
		return false;
	if (callbacks->pdu_received)
		callbacks->pdu_received(userdata, event->result.received_pdu.sid,
					event->result.received_pdu.cid, payload,
					payload + KERNEL_BHS_SIZE, data_length);
	return true;
}

static bool dispatch_path(const struct kernel_callbacks *callbacks, void *userdata,
			  const struct iscsi_kernel_event *event, const uint8_t *payload,
			  size_t length)
{
	struct iscsi_kernel_path path;

	if (length < sizeof(path))
		return false;
	memcpy(&path, payload, sizeof(path));
	if (path.address_length != 4 && path.address_length != 16)
		return false;
	if (callbacks->path_requested)
		callbacks->path_requested(userdata, event->transport_handle,
					  event->result.path.host, &path);
	return true;
}

/* Only the result fields of an event are defined, the rest of it is whatever was in memory. */
static bool dispatch_event(const struct kernel_callbacks *callbacks, void *userdata,
			   const struct iscsi_kernel_event *event, const uint8_t *payload,
			   size_t length)
{
	switch (event->type) {
	case KERNEL_EVENT_RECEIVED_PDU:
		return dispatch_pdu(callbacks, userdata, event, payload, length);
	case KERNEL_EVENT_CONNECTION_ERROR:
		if (callbacks->connection_failed)
			callbacks->connection_failed(userdata, event->result.connection_error.sid,
						     event->result.connection_error.cid,
						     event->result.connection_error.error);
		return true;
	case KERNEL_EVENT_LOGIN_STATE:
		if (callbacks->login_ended)
			callbacks->login_ended(userdata, event->result.login_state.sid,
					       event->result.login_state.state);
		return true;
	case KERNEL_EVENT_CREATED_SESSION:
		if (callbacks->session_created)
			callbacks->session_created(userdata, event->result.session.sid,
						   event->result.session.host);
		return true;
	case KERNEL_EVENT_UNBOUND_SESSION:
		if (callbacks->session_unbound)
			callbacks->session_unbound(userdata, event->result.session.sid);
		return true;
	case KERNEL_EVENT_DESTROYED_SESSION:
		if (callbacks->session_destroyed)
			callbacks->session_destroyed(userdata, event->result.destroyed.sid);
		return true;
	case KERNEL_EVENT_HOST_EVENT:
		if (callbacks->host_told)
			callbacks->host_told(userdata, event->result.host_event.host,
					     event->result.host_event.code);
		return true;
	case KERNEL_EVENT_PING_COMPLETE:
		if (callbacks->ping_done)
			callbacks->ping_done(userdata, event->result.ping.host,
					     event->result.ping.cookie, event->result.ping.status);
		return true;
	case KERNEL_EVENT_PATH_REQUEST:
		return dispatch_path(callbacks, userdata, event, payload, length);
	case KERNEL_EVENT_INTERFACE_DOWN:
		if (callbacks->interface_down)
			callbacks->interface_down(userdata, event->transport_handle,
						  event->result.path.host);
		return true;
	default:
		/* Other events of adapters, and answers that some other program asked for. */
		return true;
	}
}

unsigned kernel_dispatch_events(const struct kernel_callbacks *callbacks, void *userdata,
				const void *data, size_t length)
{
	const uint8_t *bytes = data;
	unsigned n_ignored = 0;

	while (length > 0) {
		struct iscsi_kernel_event event;
		struct nlmsghdr header;
		size_t step;

		if (length < sizeof(header))
			return n_ignored + 1;
		memcpy(&header, bytes, sizeof(header));
		if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > length)
			return n_ignored + 1;
		if (header.nlmsg_len >= KERNEL_MESSAGE_SIZE && header.nlmsg_type == 0) {
			memcpy(&event, bytes + NLMSG_HDRLEN, sizeof(event));
			if (!dispatch_event(callbacks, userdata, &event,
					    bytes + KERNEL_MESSAGE_SIZE,
					    header.nlmsg_len - KERNEL_MESSAGE_SIZE))
				n_ignored++;
		} else {
			n_ignored++;
		}
		step = NLMSG_ALIGN((size_t)header.nlmsg_len);
		if (step >= length)
			break;
		bytes += step;
		length -= step;
	}
	return n_ignored;
}

/*
 * Answers to requests for CHAP secrets are multicast, too. What is no event, or does not fit and so
 * is none, may be one.
 */
static void erase_answer(uint8_t *datagram, size_t size, bool whole)
{
	struct iscsi_kernel_event event;

	memcpy(&event, datagram + NLMSG_HDRLEN, sizeof(event));
	if (!whole || event.type == KERNEL_REQUEST_GET_CHAP)
		memory_erase(datagram, size);
}

/* Takes what is there, but at most EVENTS_AT_ONCE datagrams. Returns their number or a negative
 * errno. */
static int receive_events(struct kernel *kernel)
{
	struct mmsghdr messages[EVENTS_AT_ONCE];
	struct iovec vectors[EVENTS_AT_ONCE];
	struct sockaddr_nl senders[EVENTS_AT_ONCE];
	int n;

	memset(messages, 0, sizeof(messages));
	for (unsigned i = 0; i < EVENTS_AT_ONCE; i++) {
		vectors[i].iov_base = kernel->events[i];
		vectors[i].iov_len = sizeof(kernel->events[i]);
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_name = &senders[i];
		messages[i].msg_hdr.msg_namelen = sizeof(senders[i]);
	}
	n = recvmmsg(nl_socket_get_fd(kernel->event_socket), messages, EVENTS_AT_ONCE, MSG_DONTWAIT,
		     NULL);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		const struct msghdr *message = &messages[i].msg_hdr;

		if (message->msg_namelen != sizeof(struct sockaddr_nl) || senders[i].nl_pid != 0 ||
		    message->msg_flags & MSG_TRUNC) {
			kernel->n_ignored++;
			erase_answer(kernel->events[i], sizeof(kernel->events[i]), false);
			continue;
		}
		kernel->n_ignored += kernel_dispatch_events(kernel->callbacks, kernel->userdata,
							    kernel->events[i], messages[i].msg_len);
		erase_answer(kernel->events[i], sizeof(kernel->events[i]), true);
	}
	return n;
}

/*
 * After an overrun the kernel delivers nothing until the socket is empty, so what is left is read
 * first and the loss is reported after it: a look at sysfs then shows everything up to the next
 * event.
 */
static void take_events(void *userdata)
{
	struct kernel *kernel = userdata;
	int r;

	/* A session knows its number before the kernel tells something about it. */
	if (!work_deliver(kernel->work)) {
		poller_call_later(kernel->poller, &kernel->again, take_events, kernel);
		return;
	}
	r = receive_events(kernel);
	if (r == -EAGAIN) {
		bool overrun = kernel->overrun;

		kernel->overrun = false;
		if (overrun && kernel->callbacks->overrun)
			kernel->callbacks->overrun(kernel->userdata);
		return;
	}
	kernel->overrun = kernel->overrun || (r < 0 && r != -EINTR);
	/* The socket may be empty by now, and would not wake us to find that out. */
	if (kernel->overrun)
		poller_call_later(kernel->poller, &kernel->again, take_events, kernel);
}

static void on_events(void *userdata, uint32_t revents)
{
	take_events(userdata);
}

struct kernel_channel *kernel_get_channel(struct kernel *kernel)
{
	return &kernel->channel;
}

struct work *kernel_get_work(struct kernel *kernel)
{
	return kernel->work;
}

uint32_t kernel_port(const struct kernel *kernel)
{
	return nl_socket_get_local_port(kernel->request_socket);
}

uint64_t kernel_n_ignored(const struct kernel *kernel)
{
	return kernel->n_ignored;
}

/* Batches */

static int run_batch(void *argument)
{
	struct kernel_batch *batch = argument;

	kernel_batch_execute(batch, &batch->kernel->channel);
	return 0;
}

static void batch_done(void *argument, int result)
{
	struct kernel_batch *batch = argument;

	if (result < 0)
		batch->result = (struct kernel_result){
			.error = result,
			.operation = batch->n_messages > 0 ? batch->messages[0].operation : 0,
			.sid = batch->sid,
		};
	if (batch->done)
		batch->done(batch->userdata, &batch->result);
	kernel_batch_free(batch);
}

int kernel_batch_submit(struct kernel_batch *batch, kernel_done_t done, void *userdata)
{
	_cleanup_(kernel_batch_freep) struct kernel_batch *owned = batch;
	int r;

	if (!batch)
		return -ENOMEM;
	if (batch->error < 0)
		return batch->error;
	if (!batch->kernel)
		return -ENOTCONN;
	batch->done = done;
	batch->userdata = userdata;
	r = work_submit(batch->kernel->work, run_batch, batch_done, batch);
	if (r < 0)
		return r;
	(void)TAKE_PTR(owned);
	return 0;
}

/* Sockets */

static int nl_to_errno(int error)
{
	switch (-error) {
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_AF_NOSUPPORT:
	case NLE_PROTO_MISMATCH:
	case NLE_OPNOTSUPP:
		return -EPROTONOSUPPORT;
	case NLE_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

int kernel_open_socket(int buffer_size, int group, struct nl_sock **ret)
{
	_cleanup_(nl_socket_freep) struct nl_sock *socket = nl_socket_alloc();
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int r, fd;

	if (!socket)
		return -ENOMEM;
	r = nl_connect(socket, KERNEL_NETLINK_FAMILY);
	if (r < 0)
		return nl_to_errno(r);
	fd = nl_socket_get_fd(socket);
	/* Connected to port 0, nobody but the kernel can send to it. */
	if (connect(fd, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_size, sizeof(buffer_size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_size, sizeof(buffer_size));
	if (group > 0) {
		r = nl_socket_add_membership(socket, group);
		if (r < 0)
			return nl_to_errno(r);
	}
	*ret = TAKE_PTR(socket);
	return 0;
}

/*
 * The kernel listens in the initial network namespace only; elsewhere sending is refused. A bare
 * header is too short to be a request and is dropped without a reply.
 */
static int probe_kernel(int fd)
{
	struct nlmsghdr header = { .nlmsg_len = sizeof(header) };

	return send(fd, &header, sizeof(header), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int kernel_new(struct poller *poller, const struct kernel_callbacks *callbacks, void *userdata,
	       struct kernel **ret)
{
	_cleanup_(kernel_freep) struct kernel *kernel = NULL;
	int size = KERNEL_DATAGRAM_MAX;
	int r;

	kernel = calloc(1, sizeof(*kernel));
	if (!kernel)
		return -ENOMEM;
	kernel->callbacks = callbacks;
	kernel->userdata = userdata;
	kernel->poller = poller;

	r = kernel_open_socket(REQUEST_BUFFER_SIZE, 0, &kernel->request_socket);
	if (r < 0)
		return r;
	kernel->channel.fd = nl_socket_get_fd(kernel->request_socket);
	kernel->channel.timeout_msec = REPLY_TIMEOUT_MSEC;
	(void)setsockopt(kernel->channel.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	r = probe_kernel(kernel->channel.fd);
	if (r < 0)
		return r;

	r = kernel_open_socket(EVENT_BUFFER_SIZE, KERNEL_NETLINK_GROUP, &kernel->event_socket);
	if (r < 0)
		return r;
	r = nl_socket_add_membership(kernel->event_socket, KERNEL_NETLINK_GROUP_PATHS);
	if (r < 0)
		return nl_to_errno(r);
	/* One thread: the kernel takes one request at a time anyway, and order matters. */
	r = work_new(poller, "ois-kernel", 1, &kernel->work);
	if (r < 0)
		return r;
	r = poller_add(poller, nl_socket_get_fd(kernel->event_socket), EPOLLIN, on_events, kernel,
		       &kernel->entry);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(kernel);
	return 0;
}

struct kernel *kernel_free(struct kernel *kernel)
{
	if (!kernel)
		return NULL;
	work_free(kernel->work);
	poller_call_off(&kernel->again);
	kernel->entry = poller_remove(kernel->entry);
	nl_socket_free(kernel->event_socket);
	nl_socket_free(kernel->request_socket);
	free(kernel);
	return NULL;
}
