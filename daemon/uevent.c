/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NETLINK_KOBJECT_UEVENT, the group the kernel sends to. A message is "ACTION@PATH" and a NUL, then
 * what we have no use for.
 */
#include <linux/filter.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "uevent.h"

#define KERNEL_GROUP     1
#define RECEIVE_BUFFER   (1024 * 1024)
#define EVENTS_AT_ONCE   8
#define EVENT_ROUNDS_MAX 8
/* Of a message only the path matters; the rest is cut off. */
#define EVENT_SIZE 1024

static const char action[] = "bind@";

struct uevent {
	const struct uevent_callbacks *callbacks;
	void *userdata;
	int fd;
	sd_event_source *source;
	bool overrun;
};

static void dispatch(struct uevent *uevent, char *message, size_t length)
{
	size_t prefix = strlen(action);

	message[length] = '\0';
	if (strncmp(message, action, prefix) == 0)
		uevent->callbacks->bound(uevent->userdata, message + prefix);
}

/* Returns the number of messages taken, or a negative errno. */
static int receive(struct uevent *uevent)
{
	char buffers[EVENTS_AT_ONCE][EVENT_SIZE + 1];
	struct sockaddr_nl senders[EVENTS_AT_ONCE];
	struct mmsghdr messages[EVENTS_AT_ONCE];
	struct iovec vectors[EVENTS_AT_ONCE];
	int n;

	memset(messages, 0, sizeof(messages));
	for (unsigned i = 0; i < EVENTS_AT_ONCE; i++) {
		vectors[i] = (struct iovec){ buffers[i], EVENT_SIZE };
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_name = &senders[i];
		messages[i].msg_hdr.msg_namelen = sizeof(senders[i]);
	}
	n = recvmmsg(uevent->fd, messages, EVENTS_AT_ONCE, MSG_DONTWAIT, NULL);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++)
		/* Other programs may send to the group, too. */
		if (messages[i].msg_hdr.msg_namelen == sizeof(senders[i]) && senders[i].nl_pid == 0)
			dispatch(uevent, buffers[i], messages[i].msg_len);
	return n;
}

/* The loss is reported when the socket is empty, because until then the kernel adds nothing to it.
 */
static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct uevent *uevent = userdata;

	for (unsigned round = 0; round < EVENT_ROUNDS_MAX; round++) {
		int r = receive(uevent);

		if (r == -EINTR)
			continue;
		if (r == -EAGAIN) {
			bool overrun = uevent->overrun;

			uevent->overrun = false;
			if (overrun)
				uevent->callbacks->overrun(uevent->userdata);
			return 0;
		}
		if (r < 0)
			uevent->overrun = true;
		else if (r < EVENTS_AT_ONCE && !uevent->overrun)
			return 0;
	}
	return 0;
}

static int attach_filter(int fd)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x62696e64 /* "bind" */, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, '@', 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	static const struct sock_fprog program = {
		.len = ELEMENTSOF(code),
		.filter = code,
	};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
											   : 0;
}

int uevent_new(sd_event *event, const struct uevent_callbacks *callbacks, void *userdata,
	       struct uevent **ret)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP };
	_cleanup_(uevent_freep) struct uevent *uevent = calloc(1, sizeof(*uevent));
	int size = RECEIVE_BUFFER, r;

	if (!uevent)
		return -ENOMEM;
	uevent->callbacks = callbacks;
	uevent->userdata = userdata;
	uevent->fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	if (uevent->fd < 0)
		return -errno;
	if (setsockopt(uevent->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(uevent->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	r = attach_filter(uevent->fd);
	if (r < 0)
		return r;
	if (bind(uevent->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	r = sd_event_add_io(event, &uevent->source, uevent->fd, EPOLLIN, on_readable, uevent);
	if (r < 0)
		return r;
	(void)sd_event_source_set_description(uevent->source, "uevents");
	*ret = TAKE_PTR(uevent);
	return 0;
}

struct uevent *uevent_free(struct uevent *uevent)
{
	if (!uevent)
		return NULL;
	sd_event_source_disable_unref(uevent->source);
	close_fd(uevent->fd);
	free(uevent);
	return NULL;
}
