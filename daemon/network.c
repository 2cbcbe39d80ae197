/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "network.h"

/* An interface that comes up changes several things in a row. */
#define SETTLE_USEC UINT64_C(100000)

struct network {
	sd_event *event;
	void (*changed)(void *userdata);
	void *userdata;
	struct nl_sock *socket;
	sd_event_source *io, *timer;
};

static int settled(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct network *network = userdata;

	network->changed(network->userdata);
	return 0;
}

/* What changed does not matter: whoever waits tries again. */
static int network_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct network *network = userdata;
	char discard[64];
	ssize_t n;

	do
		n = recv(fd, discard, sizeof(discard), MSG_DONTWAIT);
	while (n >= 0 || errno == EINTR || errno == ENOBUFS);

	if (!network->timer)
		return sd_event_add_time_relative(network->event, &network->timer, CLOCK_MONOTONIC,
						  SETTLE_USEC, 0, settled, network);
	(void)sd_event_source_set_time_relative(network->timer, SETTLE_USEC);
	return sd_event_source_set_enabled(network->timer, SD_EVENT_ONESHOT);
}

int network_new(sd_event *event, void (*changed)(void *userdata), void *userdata,
		struct network **ret)
{
	struct network *network;

	network = calloc(1, sizeof(*network));
	if (!network)
		return -ENOMEM;
	network->event = event;
	network->changed = changed;
	network->userdata = userdata;
	*ret = network;
	return 0;
}

static void network_close(struct network *network)
{
	network->timer = sd_event_source_disable_unref(network->timer);
	network->io = sd_event_source_disable_unref(network->io);
	if (network->socket)
		nl_socket_free(network->socket);
	network->socket = NULL;
}

struct network *network_free(struct network *network)
{
	if (network) {
		network_close(network);
		free(network);
	}
	return NULL;
}

static int network_open(struct network *network)
{
	static const int groups[] = { RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
				      RTNLGRP_IPV6_ROUTE };

	network->socket = nl_socket_alloc();
	if (!network->socket)
		return -ENOMEM;
	if (nl_connect(network->socket, NETLINK_ROUTE) < 0)
		return -EIO;
	for (size_t i = 0; i < ELEMENTSOF(groups); i++)
		if (nl_socket_add_membership(network->socket, groups[i]) < 0)
			return -EIO;
	return sd_event_add_io(network->event, &network->io, nl_socket_get_fd(network->socket),
			       EPOLLIN, network_ready, network);
}

int network_listen(struct network *network, bool on)
{
	int r = 0;

	if (on == (network->socket != NULL))
		return 0;
	if (on)
		r = network_open(network);
	if (!on || r < 0)
		network_close(network);
	return r;
}
