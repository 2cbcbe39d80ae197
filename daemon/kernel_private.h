/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts of kernel.c that work on bytes and on any datagram socket, so that tests can play the
 * kernel.
 */
#pragma once

#include <linux/netlink.h>
#include <netlink/socket.h>

#include "buffer.h"
#include "kernel.h"

#define KERNEL_MESSAGE_SIZE (NLMSG_HDRLEN + sizeof(struct iscsi_kernel_event))
/* The largest event: a PDU with all the data it may have. */
#define KERNEL_EVENT_MAX (KERNEL_MESSAGE_SIZE + KERNEL_BHS_SIZE + KERNEL_PDU_DATA_MAX)
/* Requests are packed up to here; a single one is at most a third of it. */
#define KERNEL_DATAGRAM_MAX (32 * 1024)

/*
 * Calls back for each event in a datagram. Returns the number of messages that were ignored because
 * they were malformed. Events that do not concern us are not malformed.
 */
unsigned kernel_dispatch_events(const struct kernel_callbacks *callbacks, void *userdata,
				const void *data, size_t length);

/* What the worker thread owns. */
struct kernel_channel {
	int fd;
	int timeout_msec; /* how long a reply may take once send() has returned */
	bool stale;       /* a reply was missed, and may still come */
};

struct kernel_message {
	enum kernel_operation operation;
	uint16_t request; /* enum iscsi_kernel_request */
	size_t offset, length;
	bool barrier; /* ends its datagram */
};

struct kernel_batch {
	struct kernel *kernel;
	uint64_t transport_handle;
	uint32_t sid;
	int error; /* of adding */
	struct buffer data;
	struct kernel_message *messages;
	size_t n_messages, n_allocated;
	struct kernel_result result;
	kernel_done_t done;
	void *userdata;
};

/* Forgets the replies that came too late. */
void kernel_drop_stale_replies(struct kernel_channel *channel);

/* Sends everything and fills batch->result. Blocks. */
void kernel_batch_execute(struct kernel_batch *batch, struct kernel_channel *channel);

/*
 * Fills @item from a datagram of the multicast group. 1: it was the answer for this session; 0: it
 * was something else. Errors: -ENOMEM.
 */
int kernel_statistics_parse(struct kernel_statistics *item, const void *data, size_t length);

struct kernel_host_request;
/* Sends a request about a host; one whose answer is multicast needs a socket that hears it. Blocks.
 */
void kernel_host_execute(struct kernel_host_request *request, struct kernel_channel *channel,
			 int answers);

/* kernel.c, for requests that are no batch. */

DEFINE_CLEANUP(struct nl_sock *, nl_socket_free);
struct work;
/* @group: KERNEL_NETLINK_GROUP, or 0 to hear nothing. Errors: those of kernel_new(). */
int kernel_open_socket(int buffer_size, int group, struct nl_sock **ret);
struct kernel_channel *kernel_get_channel(struct kernel *kernel);
struct work *kernel_get_work(struct kernel *kernel);
