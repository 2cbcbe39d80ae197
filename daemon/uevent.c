/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NETLINK_KOBJECT_UEVENT, the group the kernel sends to. A message is "ACTION@PATH" and a NUL, then
 * variables with a NUL each, which begin with
 *
 *	ACTION=change DEVPATH=<the path again> SUBSYSTEM=scsi SDEV_UA=<what a SCSI device reports>
 */
#include <assert.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "poller.h"
#include "uevent_private.h"

#define KERNEL_GROUP   1
#define RECEIVE_BUFFER (1024 * 1024)
#define EVENTS_AT_ONCE 8
/* Of a message its beginning matters; the rest is cut off. */
#define EVENT_SIZE 1024

static const char bind_action[] = "bind@", change_action[] = "change@", attention[] = "SDEV_UA=";

struct uevent {
	const struct uevent_callbacks *callbacks;
	void *userdata;
	int fd;
	struct poller *poller;
	struct poller_entry *entry;
	struct poller_call again; /* after an overrun */
	bool overrun;
};

/* The value of a variable of a message that ends with a NUL, or NULL. */
static const char *find_variable(const char *message, size_t length, const char *name)
{
	const char *end = message + length;

	for (const char *at = message; at < end; at += strlen(at) + 1)
		if (strncmp(at, name, strlen(name)) == 0)
			return at + strlen(name);
	return NULL;
}

void uevent_dispatch(const struct uevent_callbacks *callbacks, void *userdata, char *message,
		     size_t length)
{
	const char *name;

	message[length] = '\0';
	if (strncmp(message, bind_action, strlen(bind_action)) == 0) {
		callbacks->bound(userdata, message + strlen(bind_action));
	} else if (strncmp(message, change_action, strlen(change_action)) == 0) {
		name = find_variable(message, length, attention);
		if (name)
			callbacks->attention(userdata, message + strlen(change_action), name);
	}
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
			uevent_dispatch(uevent->callbacks, uevent->userdata, buffers[i],
					messages[i].msg_len);
	return n;
}

/* The loss is reported when the socket is empty, because until then the kernel adds nothing to it.
 */
static void take_events(void *userdata)
{
	struct uevent *uevent = userdata;
	int r = receive(uevent);

	if (r == -EAGAIN) {
		bool overrun = uevent->overrun;

		uevent->overrun = false;
		if (overrun)
			uevent->callbacks->overrun(uevent->userdata);
		return;
	}
	uevent->overrun = uevent->overrun || (r < 0 && r != -EINTR);
	/* The socket may be empty by now, and would not wake us to find that out. */
	if (uevent->overrun)
		poller_call_later(uevent->poller, &uevent->again, take_events, uevent);
}

static void on_readable(void *userdata, uint32_t revents)
{
	take_events(userdata);
}

/* The filter */

/* A device path that ends beyond is none of a SCSI device of ours. */
#define PATH_END_MAX 199
/* From the end of the path: 7 bytes of "change@" and the length of it. */
#define ATTENTION_AT(end) (2 * (end) + 32)
#define FILTER_MAX        320

struct filter {
	struct sock_filter code[FILTER_MAX];
	unsigned short length;
};

#define LOAD_WORD(at)         BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define LOAD_WORD_X(at)       BPF_STMT(BPF_LD | BPF_W | BPF_IND, at)
#define LOAD_BYTE(at)         BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at)
#define LOAD_BYTE_X(at)       BPF_STMT(BPF_LD | BPF_B | BPF_IND, at)
#define SKIP_IF(value, n)     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, n, 0)
#define SKIP_UNLESS(value, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, n)
#define SKIP(n)               BPF_STMT(BPF_JMP | BPF_JA, n)
#define RETURN(what)          BPF_STMT(BPF_RET | BPF_K, what)
#define TAKE                  UINT32_MAX
#define DROP                  0
#define WORD(a, b, c, d)      ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

static void add(struct filter *filter, const struct sock_filter *code, size_t n)
{
	assert(filter->length + n <= FILTER_MAX);
	memcpy(filter->code + filter->length, code, n * sizeof(*code));
	filter->length = (unsigned short)(filter->length + n);
}

#define ADD(filter, ...)                                                                           \
	add(filter, (const struct sock_filter[]){ __VA_ARGS__ },                                   \
	    ELEMENTSOF(((const struct sock_filter[]){ __VA_ARGS__ })))

/* Finds the four bytes in which the path ends, and leaves their place in X. */
static void add_search(struct filter *filter)
{
	unsigned short jumps[PATH_END_MAX / 4];
	unsigned n = 0;

	for (unsigned at = strlen(change_action); at + 4 <= PATH_END_MAX; at += 4) {
		/* Of letters that are ASCII, a subtraction sets the first bit only of a zero. */
		ADD(filter, LOAD_WORD(at), BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 0x01010101),
		    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x80808080, 0, 2),
		    BPF_STMT(BPF_LDX | BPF_IMM, at), SKIP(0));
		jumps[n++] = (unsigned short)(filter->length - 1);
	}
	ADD(filter, RETURN(DROP));
	for (unsigned i = 0; i < n; i++)
		filter->code[jumps[i]].k = (uint32_t)(filter->length - jumps[i] - 1);
}

/* Turns the place of the four bytes into that of the variable after SUBSYSTEM=scsi. */
static void add_place(struct filter *filter)
{
	enum { EACH = 7 };

	for (unsigned i = 0; i < 4; i++)
		ADD(filter, LOAD_BYTE_X(i), SKIP_UNLESS(0, EACH - 2),
		    BPF_STMT(BPF_MISC | BPF_TXA, 0), BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 1),
		    BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, ATTENTION_AT(i)),
		    BPF_STMT(BPF_MISC | BPF_TAX, 0), SKIP((3 - i) * EACH + 1));
	ADD(filter, RETURN(DROP));
}

/*
 * Takes drivers bound to devices, and changes whose first variable after SUBSYSTEM=scsi is SDEV_UA.
 * Its place is where the path ends, which programs of this kind cannot look for in a loop. "Power
 * on or reset occurred" is what each device reports after each login, and is dropped; so is a
 * message that ends before what is looked for.
 */
int uevent_filter(int fd)
{
	struct filter filter = { .length = 0 };
	struct sock_fprog program;

	ADD(&filter, LOAD_WORD(0), SKIP_UNLESS(WORD('b', 'i', 'n', 'd'), 4), LOAD_BYTE(4),
	    SKIP_UNLESS('@', 1), RETURN(TAKE), RETURN(DROP));
	ADD(&filter, SKIP_IF(WORD('c', 'h', 'a', 'n'), 1), RETURN(DROP), LOAD_WORD(3),
	    SKIP_IF(WORD('n', 'g', 'e', '@'), 1), RETURN(DROP));
	add_search(&filter);
	add_place(&filter);
	ADD(&filter, LOAD_WORD_X(0), SKIP_UNLESS(WORD('S', 'D', 'E', 'V'), 4), LOAD_WORD_X(4),
	    SKIP_UNLESS(WORD('_', 'U', 'A', '='), 2), LOAD_WORD_X(8),
	    SKIP_UNLESS(WORD('P', 'O', 'W', 'E'), 1), RETURN(DROP), RETURN(TAKE));
	program = (struct sock_fprog){ .len = filter.length, .filter = filter.code };
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
											   : 0;
}

int uevent_new(struct poller *poller, const struct uevent_callbacks *callbacks, void *userdata,
	       struct uevent **ret)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP };
	_cleanup_(uevent_freep) struct uevent *uevent = calloc(1, sizeof(*uevent));
	int size = RECEIVE_BUFFER, r;

	if (!uevent)
		return -ENOMEM;
	uevent->poller = poller;
	uevent->callbacks = callbacks;
	uevent->userdata = userdata;
	uevent->fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	if (uevent->fd < 0)
		return -errno;
	if (setsockopt(uevent->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(uevent->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	r = uevent_filter(uevent->fd);
	if (r < 0)
		return r;
	if (bind(uevent->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	r = poller_add(poller, uevent->fd, EPOLLIN, on_readable, uevent, &uevent->entry);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(uevent);
	return 0;
}

struct uevent *uevent_free(struct uevent *uevent)
{
	if (!uevent)
		return NULL;
	poller_call_off(&uevent->again);
	uevent->entry = poller_remove(uevent->entry);
	close_fd(uevent->fd);
	free(uevent);
	return NULL;
}
