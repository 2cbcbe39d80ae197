/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rival: another program at the kernel's iSCSI interface, which does there what no other program
 * should while the daemon runs.
 *
 * "connection COMMAND..." runs the daemon, and makes the connection of its first session a moment
 * before the daemon does. The moment is exact: a seccomp filter stops each sendmsg() of the daemon
 * until we have looked at what it sends.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel_abi.h"

struct message {
	struct nlmsghdr header;
	struct iscsi_kernel_event event;
};

static const char usage[] =
	"Usage: rival connection COMMAND [ARGUMENT]...   be the first to make a connection\n"
	"       rival remove SESSION                     remove a session\n"
	"       rival count SESSION TIMES                ask for its counters, which all hear\n"
	"       rival half HOW-FAR                       make a session: 1 no connection, 2 not "
	"bound\n"
	"       rival await-removal SESSION              until the kernel has removed it\n";

/* Requests */

static int open_socket(unsigned groups)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, KERNEL_NETLINK_FAMILY);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "no socket to the kernel");
	return fd;
}

static uint64_t read_handle(void)
{
	FILE *file = fopen("/sys/class/iscsi_transport/tcp/handle", "re");
	unsigned long long handle;

	if (!file || fscanf(file, "%llu", &handle) != 1)
		errx(1, "the transport has no handle");
	(void)fclose(file);
	return handle;
}

static void send_request(int fd, enum iscsi_kernel_request type, struct iscsi_kernel_event *event)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	struct message message = {
		.header = { .nlmsg_len = sizeof(message), .nlmsg_type = (uint16_t)type },
	};

	event->type = type;
	message.event = *event;
	if (sendto(fd, &message, sizeof(message), 0, (struct sockaddr *)&address,
		   sizeof(address)) != (ssize_t)sizeof(message))
		err(1, "request %d", (int)type);
}

/* All that came until the kernel answered; fails if it refused. */
static void await_reply(int fd, enum iscsi_kernel_request type)
{
	static uint8_t data[64 * 1024];
	const struct message *message = (const void *)data;

	do {
		if (recv(fd, data, sizeof(data), 0) < (ssize_t)sizeof(*message))
			err(1, "no answer to request %d", (int)type);
	} while (message->event.type != type &&
		 message->event.type != KERNEL_EVENT_INTERFACE_ERROR);
	if (message->event.type == KERNEL_EVENT_INTERFACE_ERROR)
		errx(1, "request %d: %s", (int)type, strerror(-(int)message->event.iferror));
}

static void request(int fd, enum iscsi_kernel_request type, struct iscsi_kernel_event event)
{
	send_request(fd, type, &event);
	await_reply(fd, type);
}

static void remove_session(uint32_t sid)
{
	struct iscsi_kernel_event event = { .transport_handle = read_handle() }, stop;
	int fd = open_socket(0);

	event.request.object.sid = sid;
	stop = event;
	stop.request.stop.flag = KERNEL_STOP_TERMINATE;
	request(fd, KERNEL_REQUEST_STOP_CONNECTION, stop);
	request(fd, KERNEL_REQUEST_DESTROY_CONNECTION, event);
	request(fd, KERNEL_REQUEST_DESTROY_SESSION, event);
	(void)close(fd);
}

/* The kernel tells the answer to everybody in the group, so we have to be there. */
static void count(uint32_t sid, unsigned long times)
{
	struct iscsi_kernel_event event = { .transport_handle = read_handle() };
	int fd = open_socket(KERNEL_NETLINK_GROUP);

	event.request.object.sid = sid;
	while (times-- > 0)
		request(fd, KERNEL_REQUEST_GET_STATISTICS, event);
	(void)close(fd);
}

/* What a program leaves that is killed while it makes a session. */
static void leave_half(unsigned how_far, bool stay)
{
	struct iscsi_kernel_event event = { .transport_handle = read_handle() };
	static uint8_t data[4096];
	const struct message *message = (const void *)data;
	int fd = open_socket(0);

	event.request.create_session.initial_cmdsn = 1;
	event.request.create_session.commands_max = 32;
	event.request.create_session.queue_depth = 32;
	send_request(fd, KERNEL_REQUEST_CREATE_SESSION, &event);
	if (recv(fd, data, sizeof(data), 0) < (ssize_t)sizeof(*message) ||
	    message->event.type != KERNEL_REQUEST_CREATE_SESSION)
		errx(1, "no session");
	memset(&event.request, 0, sizeof(event.request));
	event.request.object.sid = message->event.result.session.sid;
	if (how_far > 1)
		request(fd, KERNEL_REQUEST_CREATE_CONNECTION, event);
	printf("%u\n", event.request.object.sid);
	(void)fflush(stdout);
	if (stay)
		(void)pause();
	(void)close(fd);
}

static bool session_exists(uint32_t sid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/sys/class/iscsi_session/session%u", sid);
	return access(path, F_OK) == 0;
}

static void await_removal(uint32_t sid)
{
	static uint8_t data[64 * 1024];
	const struct message *message = (const void *)data;
	int fd = open_socket(KERNEL_NETLINK_GROUP);

	while (session_exists(sid)) {
		if (recv(fd, data, sizeof(data), 0) < 0)
			err(1, "no events");
		if (message->header.nlmsg_type == 0 &&
		    message->event.type == KERNEL_EVENT_DESTROYED_SESSION &&
		    message->event.result.destroyed.sid == sid)
			break;
	}
	(void)close(fd);
}

/* Watching the daemon */

static int install_filter(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(filter) / sizeof(filter[0]), .filter = filter };
	int fd;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		err(1, "no_new_privs");
	fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			  &program);
	if (fd < 0)
		err(1, "seccomp");
	return fd;
}

static bool peek(pid_t pid, const void *from, void *ret, size_t length)
{
	char path[32];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = pread(fd, ret, length, (off_t)(uintptr_t)from);
	(void)close(fd);
	return n == (ssize_t)length;
}

/* What a sendmsg() that is about to be made begins with. */
static bool peek_message(const struct seccomp_notif *call, struct message *ret)
{
	pid_t pid = (pid_t)call->pid;
	struct msghdr header = { 0 };
	struct iovec first = { 0 };

	return peek(pid, (const void *)(uintptr_t)call->data.args[1], &header, sizeof(header)) &&
	       header.msg_iovlen > 0 && peek(pid, header.msg_iov, &first, sizeof(first)) &&
	       first.iov_len == sizeof(*ret) && peek(pid, first.iov_base, ret, sizeof(*ret));
}

/* Until the daemon, @daemon, has ended. */
static void watch(int listener, int daemon)
{
	bool done = false;

	for (;;) {
		struct pollfd fds[] = { { .fd = listener, .events = POLLIN },
					{ .fd = daemon, .events = POLLIN } };
		struct seccomp_notif_resp response = {
			.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE,
		};
		struct seccomp_notif call = { 0 };
		struct message message;

		if (poll(fds, 2, -1) < 0 || fds[1].revents)
			return;
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
			continue;
		if (!done && peek_message(&call, &message) &&
		    message.header.nlmsg_type == KERNEL_REQUEST_CREATE_CONNECTION) {
			request(open_socket(0), KERNEL_REQUEST_CREATE_CONNECTION, message.event);
			done = true;
		}
		response.id = call.id;
		(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
	}
}

/*
 * We become the command; a grandchild watches, so that the command does not find a child it did not
 * make. It is under the filter, too, and makes no sendmsg() itself.
 */
static void run(char **command)
{
	int daemon = (int)syscall(SYS_pidfd_open, getpid(), 0), listener = install_filter();
	pid_t pid = daemon < 0 ? -1 : fork();

	if (pid < 0)
		err(1, "cannot watch");
	if (pid == 0) {
		if (fork() == 0)
			watch(listener, daemon);
		_exit(0);
	}
	(void)waitpid(pid, NULL, 0);
	(void)close(listener);
	(void)close(daemon);
	(void)execvp(command[0], command);
	err(127, "cannot run %s", command[0]);
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "connection") == 0)
		run(argv + 2);
	else if (argc == 3 && strcmp(argv[1], "remove") == 0)
		remove_session((uint32_t)strtoul(argv[2], NULL, 10));
	else if (argc == 4 && strcmp(argv[1], "count") == 0)
		count((uint32_t)strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
	else if (argc >= 3 && strcmp(argv[1], "half") == 0)
		leave_half((unsigned)strtoul(argv[2], NULL, 10), argc > 3);
	else if (argc == 3 && strcmp(argv[1], "await-removal") == 0)
		await_removal((uint32_t)strtoul(argv[2], NULL, 10));
	else {
		fputs(usage, stderr);
		return 2;
	}
	return 0;
}
