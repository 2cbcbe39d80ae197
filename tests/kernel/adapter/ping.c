// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ping: an ICMP echo from the port, in the network it is connected to.
 */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <net/checksum.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <scsi/scsi_host.h>
#include "adapter.h"

/* What qla4xxx makes of it. */
enum {
	PING_SUCCESS = 0,
	PING_TIMEOUT = 4,
	PING_BAD_DESTINATION = 5,
	PING_OVERSIZE = 6,
};

#define PAYLOAD_MAX 1400
#define PATIENCE    (2 * HZ)
#define ECHO_ID     0x0a1d

struct ping {
	struct work_struct work;
	struct net *net;
	struct port *port;
	u32 host, cookie, size;
	struct sockaddr_storage target;
};

/* The same header serves both families; the kernel adds the checksum of ICMPv6. */
static int send_echo(struct socket *socket, struct ping *ping, u8 *packet)
{
	struct icmphdr *header = (struct icmphdr *)packet;
	struct kvec memory = { packet, sizeof(*header) + ping->size };
	struct msghdr msg = { .msg_name = &ping->target,
			      .msg_namelen = ping->target.ss_family == AF_INET6
						     ? sizeof(struct sockaddr_in6)
						     : sizeof(struct sockaddr_in) };

	memset(packet, 0, memory.iov_len);
	header->type = ping->target.ss_family == AF_INET6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO;
	header->un.echo.id = htons(ECHO_ID);
	header->un.echo.sequence = htons((u16)ping->cookie);
	header->checksum = ip_compute_csum(packet, memory.iov_len);
	return kernel_sendmsg(socket, &msg, &memory, 1, memory.iov_len);
}

static bool is_reply(struct ping *ping, const u8 *packet, int length)
{
	const struct icmphdr *header;
	u8 type = ICMPV6_ECHO_REPLY;
	int offset = 0;

	if (ping->target.ss_family == AF_INET) {
		if (length < (int)sizeof(struct iphdr))
			return false;
		offset = ((const struct iphdr *)packet)->ihl * 4;
		type = ICMP_ECHOREPLY;
	}
	header = (const struct icmphdr *)(packet + offset);
	return length >= offset + (int)sizeof(*header) && header->type == type &&
	       header->un.echo.id == htons(ECHO_ID) &&
	       header->un.echo.sequence == htons((u16)ping->cookie);
}

static u32 await_reply(struct socket *socket, struct ping *ping, u8 *packet)
{
	unsigned long end = jiffies + PATIENCE;
	struct kvec memory;
	int length;

	while (time_before(jiffies, end)) {
		struct msghdr msg = {};

		memory.iov_base = packet;
		memory.iov_len = PAYLOAD_MAX + 128;
		socket->sk->sk_rcvtimeo = max_t(long, end - jiffies, 1);
		length = kernel_recvmsg(socket, &msg, &memory, 1, memory.iov_len, 0);
		if (length < 0)
			break;
		if (is_reply(ping, packet, length))
			return PING_SUCCESS;
	}
	return PING_TIMEOUT;
}

static u32 try(struct ping *ping)
{
	u8 *packet = kmalloc(PAYLOAD_MAX + 128, GFP_KERNEL);
	struct socket *socket;
	u32 status = PING_BAD_DESTINATION;

	if (!packet)
		return PING_BAD_DESTINATION;
	if (!sock_create_kern(ping->net, ping->target.ss_family, SOCK_RAW,
			      ping->target.ss_family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
			      &socket)) {
		if (send_echo(socket, ping, packet) > 0)
			status = await_reply(socket, ping, packet);
		sock_release(socket);
	}
	kfree(packet);
	return status;
}

static void ping_work(struct work_struct *work)
{
	struct ping *ping = container_of(work, struct ping, work);
	u32 status;

	if (!ta_fault(ping->port, FAULT_PING_STATUS, &status))
		status = ping->size > PAYLOAD_MAX ? PING_OVERSIZE : try(ping);
	iscsi_ping_comp_event(ping->host, &adapter.transport, status, ping->cookie, 0, NULL);
	put_net(ping->net);
	kfree(ping);
}

int ta_send_ping(struct Scsi_Host *host, u32 iface_num, u32 iface_type, u32 size, u32 cookie,
		 struct sockaddr *target)
{
	struct ping *ping;

	if (target->sa_family != (iface_type == ISCSI_IFACE_TYPE_IPV6 ? AF_INET6 : AF_INET))
		return -ENOSYS;
	ping = kzalloc(sizeof(*ping), GFP_KERNEL);
	if (!ping)
		return -ENOMEM;
	INIT_WORK(&ping->work, ping_work);
	ping->port = ta_port(host);
	ping->host = host->host_no;
	ping->cookie = cookie;
	ping->size = size;
	memcpy(&ping->target, target,
	       target->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					     : sizeof(struct sockaddr_in));
	mutex_lock(&ping->port->lock);
	ping->net = get_net(ping->port->net);
	mutex_unlock(&ping->port->lock);
	queue_work(adapter.work, &ping->work);
	return 0;
}
