/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel tells by an uevent, "add@PATH/iscsi_host/hostN", that a port is there. It tells all
 * else that is added the same way, so it is listened to only while a port is waited for.
 */
#include <linux/filter.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "automatic.h"
#include "crypto.h"
#include "interface.h"
#include "session_private.h"

#define KERNEL_GROUP 1
/* What is at the beginning of a message matters. */
#define EVENT_SIZE 512
/* The port gets its addresses after its name. */
#define SETTLE_USEC UINT64_C(100000)

struct automatic {
	struct manager *manager;
	int fd; /* negative: no port is waited for */
	sd_event_source *io, *timer;
};

/* Nodes that log in by themselves keep trying: the network or the target may come later. */
static void login(struct manager *manager, const struct node *node)
{
	struct session *session;

	if (manager_login(manager, node, 0, NULL, &session) < 0)
		return;
	session->private->retry_max = -1;
	session->private->persistent = true;
}

/* What applies to a node that is to be logged in without anybody asking; else NULL. */
static struct settings *wanted(const struct manager *manager, const struct node *node)
{
	_cleanup_(settings_freep) struct settings *effective = NULL;

	if (node->logged_out_usec > 0 || interface_effective_of(manager, node, &effective) < 0 ||
	    settings_number(effective, SETTING_STARTUP) != STARTUP_AUTOMATIC)
		return NULL;
	return TAKE_PTR(effective);
}

void automatic_login(struct automatic *automatic)
{
	struct manager *manager = automatic->manager;
	struct node *node;

	/* Not even those without CHAP: event 37 says so. */
	if (crypto_lacks_fips(manager->crypto))
		return;
	for (size_t i = 0; (node = records_at(manager->records, i)); i++) {
		_cleanup_(settings_freep) struct settings *effective = wanted(manager, node);

		if (effective)
			login(manager, node);
	}
}

/* Ports */

static bool has_port(const struct manager *manager, const struct settings *settings)
{
	const struct transport *transport =
		&manager->transports[settings_number(settings, SETTING_TRANSPORT)];
	uint32_t host;

	return sysfs_host_find(&manager->sysfs, transport->proc_name,
			       settings_text(settings, SETTING_ADAPTER), &host) != -ENODEV;
}

/* Logs in what can be again. True: a port is still waited for. */
static bool look(struct manager *manager)
{
	bool waiting = false;
	struct node *node;

	for (size_t i = 0; (node = records_at(manager->records, i)); i++) {
		_cleanup_(settings_freep) struct settings *effective = NULL;

		if (!node->awaits_adapter)
			continue;
		effective = wanted(manager, node);
		node->awaits_adapter = effective && !has_port(manager, effective);
		waiting |= node->awaits_adapter;
		if (effective && !node->awaits_adapter)
			login(manager, node);
	}
	return waiting;
}

static void deafen(struct automatic *automatic)
{
	automatic->io = sd_event_source_disable_unref(automatic->io);
	automatic->fd = close_fd(automatic->fd);
}

static int settled(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct automatic *automatic = userdata;

	if (!look(automatic->manager))
		deafen(automatic);
	return 0;
}

static void look_soon(struct automatic *automatic)
{
	(void)sd_event_source_set_time_relative(automatic->timer, SETTLE_USEC);
	(void)sd_event_source_set_enabled(automatic->timer, SD_EVENT_ONESHOT);
}

static int readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct automatic *automatic = userdata;
	char message[EVENT_SIZE + 1];
	ssize_t n;

	for (;;) {
		n = recv(fd, message, EVENT_SIZE, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		/* What was lost may have been it. */
		if (n < 0 && errno == ENOBUFS)
			look_soon(automatic);
		else if (n < 0)
			return 0;
		message[n > 0 ? n : 0] = '\0';
		if (strstr(message, "/iscsi_host/"))
			look_soon(automatic);
	}
}

static int filter(int fd)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'a' << 24 | 'd' << 16 | 'd' << 8 | '@', 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = { .len = ELEMENTSOF(code), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static int listen_ports(struct automatic *automatic)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP };
	int r;

	if (automatic->fd >= 0)
		return 0;
	automatic->fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	if (automatic->fd < 0)
		return -errno;
	if (filter(automatic->fd) < 0 ||
	    bind(automatic->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		r = -errno;
	else
		r = sd_event_add_io(automatic->manager->event, &automatic->io, automatic->fd,
				    EPOLLIN, readable, automatic);
	if (r < 0)
		deafen(automatic);
	return r;
}

void automatic_adapter_gone(struct automatic *automatic, const struct session *session)
{
	struct manager *manager = automatic->manager;
	_cleanup_(settings_freep) struct settings *effective = NULL;
	struct node *node = session_node(session);

	if (manager->state == MANAGER_STOPPING || !node)
		return;
	effective = wanted(manager, node);
	if (!effective)
		return;
	node->awaits_adapter = true;
	(void)listen_ports(automatic);
	/* It may be back by now. */
	look_soon(automatic);
}

int automatic_new(struct manager *manager, struct automatic **ret)
{
	struct automatic *automatic = malloc(sizeof(*automatic));
	int r;

	if (!automatic)
		return -ENOMEM;
	*automatic = (struct automatic){ .manager = manager, .fd = -EBADF };
	r = sd_event_add_time(manager->event, &automatic->timer, CLOCK_MONOTONIC, UINT64_MAX, 0,
			      settled, automatic);
	if (r < 0) {
		free(automatic);
		return r;
	}
	*ret = automatic;
	return 0;
}

struct automatic *automatic_free(struct automatic *automatic)
{
	if (!automatic)
		return NULL;
	deafen(automatic);
	automatic->timer = sd_event_source_disable_unref(automatic->timer);
	free(automatic);
	return NULL;
}
