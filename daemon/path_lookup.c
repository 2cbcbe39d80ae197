/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rtnetlink, by plain system calls: four short requests and one notification do not pay for a
 * library. Each request is answered before the next one is made.
 */
#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "path_lookup.h"
#include "turn.h"

#define ANSWER_SIZE 32768
/* Of addresses whose subnet the source is in. */
#define CANDIDATES_MAX 16

#define NEIGHBOUR_USABLE                                                                           \
	(NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

struct candidate {
	int link;
	unsigned prefix;
};

struct link {
	int index, lower;
	char name[IFNAMSIZ];
	unsigned flags, type;
	uint16_t vlan;
	uint32_t mtu;
};

struct neighbour {
	unsigned state;
	bool known; /* has a hardware address */
	uint8_t hardware_address[6];
};

struct lookup {
	const struct path_query *query;
	struct path_answer *answer;
	int fd;
	uint32_t sequence;
	size_t length; /* of an address */
	struct candidate candidates[CANDIDATES_MAX];
	size_t n_candidates;
	bool source_taken, target_here; /* it is an address of this host */
	struct link link;
	unsigned prefix;
	int hop_family;
	struct path_address hop;
	struct neighbour neighbour;
	bool blackhole;
};

struct request {
	struct nlmsghdr header;
	char body[128] __attribute__((aligned(NLMSG_ALIGNTO)));
};

static int _printf_(3, 4) fault(struct lookup *lookup, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(lookup->answer->fault, sizeof(lookup->answer->fault), format, arguments);
	va_end(arguments);
	return error;
}

static const char *text_of(int family, const struct path_address *address,
			   char buffer[INET6_ADDRSTRLEN])
{
	return inet_ntop(family, address->bytes, buffer, INET6_ADDRSTRLEN) ?: "?";
}

static size_t length_of(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

static bool in_subnet(const struct path_address *a, const uint8_t *b, unsigned prefix)
{
	unsigned whole = prefix / 8, rest = prefix % 8;

	return memcmp(a->bytes, b, whole) == 0 &&
	       (rest == 0 || (a->bytes[whole] ^ b[whole]) >> (8 - rest) == 0);
}

/* Requests */

static void begin_request(struct lookup *lookup, struct request *request, uint16_t type,
			  uint16_t flags, const void *body, size_t length)
{
	*request = (struct request){
		.header = {
			.nlmsg_len = (uint32_t)NLMSG_LENGTH(length),
			.nlmsg_type = type,
			.nlmsg_flags = NLM_F_REQUEST | flags,
			.nlmsg_seq = ++lookup->sequence,
		},
	};
	memcpy(request->body, body, length);
}

static void add_attribute(struct request *request, uint16_t type, const void *value, size_t length)
{
	size_t at = NLMSG_ALIGN(request->header.nlmsg_len) - NLMSG_HDRLEN;
	struct rtattr attribute = { .rta_len = (uint16_t)RTA_LENGTH(length), .rta_type = type };

	memcpy(request->body + at, &attribute, sizeof(attribute));
	memcpy(request->body + at + RTA_LENGTH(0), value, length);
	request->header.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + at + RTA_LENGTH(length));
}

static void take_neighbour(struct lookup *lookup, const struct nlmsghdr *header);
typedef void (*take_t)(struct lookup *lookup, const struct nlmsghdr *header);

/* 1: the answer is complete; 0: more follows. Errors: what the kernel says. */
static int take_message(struct lookup *lookup, const struct nlmsghdr *header, take_t take)
{
	const struct nlmsgerr *error;

	/* A notification; one may come before the answer that is waited for. */
	if (header->nlmsg_seq != lookup->sequence || lookup->sequence == 0) {
		take_neighbour(lookup, header);
		return 0;
	}
	if (header->nlmsg_type == NLMSG_DONE)
		return 1;
	if (header->nlmsg_type == NLMSG_ERROR) {
		error = NLMSG_DATA(header);
		return error->error < 0 ? error->error : 1;
	}
	if (take)
		take(lookup, header);
	return header->nlmsg_flags & NLM_F_MULTI ? 0 : 1;
}

/* Takes the next datagram. *@ret_done: whether the answer is complete. */
static int receive(struct lookup *lookup, take_t take, bool *ret_done)
{
	char buffer[ANSWER_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct sockaddr_nl sender = { 0 };
	socklen_t size = sizeof(sender);
	ssize_t n;
	int r = 0;

	n = recvfrom(lookup->fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&sender, &size);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (sender.nl_pid != 0)
		return 0;
	for (const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)buffer;
	     r == 0 && NLMSG_OK(header, (size_t)n); header = NLMSG_NEXT(header, n))
		r = take_message(lookup, header, take);
	*ret_done = r > 0;
	return r < 0 ? r : 0;
}

/* The kernel answers a request while it is sent, or, a dump, while its answer is read. */
static int ask(struct lookup *lookup, const struct request *request, take_t take)
{
	bool done = false;
	int r = 0;

	if (send(lookup->fd, request, request->header.nlmsg_len, 0) < 0)
		return -errno;
	while (!done && r >= 0)
		r = receive(lookup, take, &done);
	return r;
}

static void parse_attributes(const struct rtattr *attribute, size_t length,
			     const struct rtattr **ret, size_t n)
{
	memset(ret, 0, n * sizeof(*ret));
	for (; RTA_OK(attribute, length); attribute = RTA_NEXT(attribute, length))
		if ((attribute->rta_type & NLA_TYPE_MASK) < n)
			ret[attribute->rta_type & NLA_TYPE_MASK] = attribute;
}

static uint32_t number_of(const struct rtattr *attribute)
{
	uint32_t number = 0;

	if (attribute && RTA_PAYLOAD(attribute) == sizeof(number))
		memcpy(&number, RTA_DATA(attribute), sizeof(number));
	return number;
}

/* Addresses of this host */

static void take_address(struct lookup *lookup, const struct nlmsghdr *header)
{
	const struct ifaddrmsg *message = NLMSG_DATA(header);
	const struct rtattr *attributes[IFA_MAX + 1], *address;
	const struct path_query *query = lookup->query;

	if (header->nlmsg_type != RTM_NEWADDR || message->ifa_family != query->family)
		return;
	parse_attributes(IFA_RTA(message), IFA_PAYLOAD(header), attributes, IFA_MAX + 1);
	address = attributes[IFA_LOCAL] ?: attributes[IFA_ADDRESS];
	if (!address || RTA_PAYLOAD(address) != lookup->length)
		return;
	lookup->source_taken |= memcmp(RTA_DATA(address), query->source.bytes, lookup->length) == 0;
	lookup->target_here |= memcmp(RTA_DATA(address), query->target.bytes, lookup->length) == 0;
	if (message->ifa_prefixlen == 0 || message->ifa_prefixlen > lookup->length * 8 ||
	    lookup->n_candidates == CANDIDATES_MAX ||
	    !in_subnet(&query->source, RTA_DATA(address), message->ifa_prefixlen))
		return;
	lookup->candidates[lookup->n_candidates++] =
		(struct candidate){ (int)message->ifa_index, message->ifa_prefixlen };
}

static int find_candidates(struct lookup *lookup)
{
	const struct ifaddrmsg message = { .ifa_family = (uint8_t)lookup->query->family };
	struct request request;

	begin_request(lookup, &request, RTM_GETADDR, NLM_F_DUMP, &message, sizeof(message));
	return ask(lookup, &request, take_address);
}

/* Network devices */

static void take_vlan(struct link *link, const struct rtattr *info)
{
	const struct rtattr *infos[IFLA_INFO_MAX + 1], *data[IFLA_VLAN_MAX + 1];

	parse_attributes(RTA_DATA(info), RTA_PAYLOAD(info), infos, IFLA_INFO_MAX + 1);
	if (!infos[IFLA_INFO_KIND] || !infos[IFLA_INFO_DATA] ||
	    strncmp(RTA_DATA(infos[IFLA_INFO_KIND]), "vlan", RTA_PAYLOAD(infos[IFLA_INFO_KIND])) !=
		    0)
		return;
	parse_attributes(RTA_DATA(infos[IFLA_INFO_DATA]), RTA_PAYLOAD(infos[IFLA_INFO_DATA]), data,
			 IFLA_VLAN_MAX + 1);
	if (data[IFLA_VLAN_ID] && RTA_PAYLOAD(data[IFLA_VLAN_ID]) == sizeof(link->vlan))
		memcpy(&link->vlan, RTA_DATA(data[IFLA_VLAN_ID]), sizeof(link->vlan));
}

static void take_link(struct lookup *lookup, const struct nlmsghdr *header)
{
	const struct ifinfomsg *message = NLMSG_DATA(header);
	const struct rtattr *attributes[IFLA_MAX + 1];
	struct link *link = &lookup->link;

	if (header->nlmsg_type != RTM_NEWLINK)
		return;
	parse_attributes(IFLA_RTA(message), IFLA_PAYLOAD(header), attributes, IFLA_MAX + 1);
	*link = (struct link){
		.index = message->ifi_index,
		.flags = message->ifi_flags,
		.type = message->ifi_type,
		.lower = (int)number_of(attributes[IFLA_LINK]),
		.mtu = number_of(attributes[IFLA_MTU]),
	};
	if (attributes[IFLA_IFNAME])
		(void)snprintf(link->name, sizeof(link->name), "%.*s",
			       (int)RTA_PAYLOAD(attributes[IFLA_IFNAME]),
			       (const char *)RTA_DATA(attributes[IFLA_IFNAME]));
	if (attributes[IFLA_LINKINFO])
		take_vlan(link, attributes[IFLA_LINKINFO]);
}

static int read_link(struct lookup *lookup, int index)
{
	const struct ifinfomsg message = { .ifi_index = index };
	struct request request;

	lookup->link = (struct link){ 0 };
	begin_request(lookup, &request, RTM_GETLINK, 0, &message, sizeof(message));
	return ask(lookup, &request, take_link);
}

/* The port's own network device, or a VLAN on it. */
static bool is_of_port(const struct link *link, int port)
{
	return port == 0 || link->index == port || (link->vlan > 0 && link->lower == port);
}

/* The device with the narrowest subnet that the source is in. */
static int choose_link(struct lookup *lookup)
{
	int port = (int)if_nametoindex(lookup->query->net_device);
	struct link best = { 0 };
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < lookup->n_candidates; i++) {
		const struct candidate *candidate = &lookup->candidates[i];
		int r;

		if (candidate->prefix <= lookup->prefix && best.index > 0)
			continue;
		r = read_link(lookup, candidate->link);
		if (r < 0 && r != -ENODEV)
			return r;
		if (lookup->link.index == 0 || lookup->link.type != ARPHRD_ETHER ||
		    !is_of_port(&lookup->link, port))
			continue;
		best = lookup->link;
		lookup->prefix = candidate->prefix;
	}
	lookup->link = best;
	(void)text_of(lookup->query->family, &lookup->query->source, text);
	if (best.index == 0)
		return fault(lookup, -EADDRNOTAVAIL, "no subnet of %s has the adapter's address %s",
			     port > 0 ? lookup->query->net_device : "this host", text);
	if (!(best.flags & IFF_UP) || !(best.flags & IFF_RUNNING))
		return fault(lookup, -ENETDOWN, "network device %s is down", best.name);
	return 0;
}

/* The next hop */

static void take_route(struct lookup *lookup, const struct nlmsghdr *header)
{
	const struct rtmsg *message = NLMSG_DATA(header);
	const struct rtattr *attributes[RTA_MAX + 1];
	const struct rtattr *gateway;
	struct rtvia via;

	if (header->nlmsg_type != RTM_NEWROUTE)
		return;
	parse_attributes(RTM_RTA(message), RTM_PAYLOAD(header), attributes, RTA_MAX + 1);
	lookup->blackhole = message->rtm_type != RTN_UNICAST;
	gateway = attributes[RTA_GATEWAY];
	if (gateway && RTA_PAYLOAD(gateway) == lookup->length)
		memcpy(lookup->hop.bytes, RTA_DATA(gateway), lookup->length);
	/* A router of the other family: RFC 5549. */
	if (attributes[RTA_VIA] && RTA_PAYLOAD(attributes[RTA_VIA]) == sizeof(via) + 16) {
		memcpy(&via, RTA_DATA(attributes[RTA_VIA]), sizeof(via));
		lookup->hop_family = via.rtvia_family;
		memcpy(lookup->hop.bytes,
		       (const uint8_t *)RTA_DATA(attributes[RTA_VIA]) + sizeof(via), 16);
	}
}

/* @flags: RTM_F_FIB_MATCH asks for the entry of the table, else how a packet would go. */
static int request_route(struct lookup *lookup, unsigned flags, take_t take)
{
	const struct rtmsg message = {
		.rtm_family = (uint8_t)lookup->query->family,
		.rtm_dst_len = (uint8_t)(lookup->length * 8),
		.rtm_flags = flags,
	};
	struct request request;

	begin_request(lookup, &request, RTM_GETROUTE, 0, &message, sizeof(message));
	add_attribute(&request, RTA_DST, lookup->query->target.bytes, lookup->length);
	add_attribute(&request, RTA_OIF, &lookup->link.index, sizeof(lookup->link.index));
	return ask(lookup, &request, take);
}

/* Over a given device the kernel sends IPv4 also where it has no route, as if all were its
 * neighbours. */
static int ask_route(struct lookup *lookup)
{
	int r = request_route(lookup, RTM_F_FIB_MATCH, NULL);

	return r < 0 ? r : request_route(lookup, 0, take_route);
}

static int choose_hop(struct lookup *lookup)
{
	const struct path_query *query = lookup->query;
	char text[INET6_ADDRSTRLEN];
	int r;

	lookup->hop_family = query->family;
	lookup->hop = query->target;
	if (in_subnet(&query->target, query->source.bytes, lookup->prefix))
		return 0;
	if (query->has_gateway) {
		lookup->hop = query->gateway;
		return 0;
	}
	r = ask_route(lookup);
	if (r < 0 || lookup->blackhole)
		return fault(lookup, -EHOSTUNREACH, "no route to %s over %s",
			     text_of(query->family, &query->target, text), lookup->link.name);
	return 0;
}

/* Neighbours */

static void take_neighbour(struct lookup *lookup, const struct nlmsghdr *header)
{
	const struct ndmsg *message = NLMSG_DATA(header);
	size_t length = length_of(lookup->hop_family);
	const struct rtattr *attributes[NDA_MAX + 1], *address;
	struct neighbour *neighbour = &lookup->neighbour;

	if (header->nlmsg_type != RTM_NEWNEIGH || message->ndm_ifindex != lookup->link.index ||
	    message->ndm_family != lookup->hop_family)
		return;
	parse_attributes((const struct rtattr *)(const void *)((const char *)message +
							       NLMSG_ALIGN(sizeof(*message))),
			 NLMSG_PAYLOAD(header, sizeof(*message)), attributes, NDA_MAX + 1);
	if (!attributes[NDA_DST] || RTA_PAYLOAD(attributes[NDA_DST]) != length ||
	    memcmp(RTA_DATA(attributes[NDA_DST]), lookup->hop.bytes, length) != 0)
		return;
	address = attributes[NDA_LLADDR];
	neighbour->state = message->ndm_state;
	neighbour->known = address && RTA_PAYLOAD(address) == sizeof(neighbour->hardware_address) &&
			   neighbour->state & NEIGHBOUR_USABLE;
	if (neighbour->known)
		memcpy(neighbour->hardware_address, RTA_DATA(address),
		       sizeof(neighbour->hardware_address));
}

static int request_neighbour(struct lookup *lookup, uint16_t type, uint16_t flags, uint8_t how)
{
	const struct ndmsg message = {
		.ndm_family = (uint8_t)lookup->hop_family,
		.ndm_ifindex = lookup->link.index,
		.ndm_flags = how,
	};
	struct request request;

	begin_request(lookup, &request, type, flags, &message, sizeof(message));
	add_attribute(&request, NDA_DST, lookup->hop.bytes, length_of(lookup->hop_family));
	return ask(lookup, &request, take_neighbour);
}

/* Has the kernel ask for it, as if there were a packet for it. */
static int solicit(struct lookup *lookup)
{
	return request_neighbour(lookup, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_ACK, NTF_USE);
}

static int listen_to_neighbours(struct lookup *lookup)
{
	int group = RTNLGRP_NEIGH;

	return setsockopt(lookup->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) <
			       0
		       ? -errno
		       : 0;
}

/* Notifications carry no number. */
static int hear_neighbours(struct lookup *lookup)
{
	bool done;
	int r;

	lookup->sequence = 0;
	r = receive(lookup, NULL, &done);
	/* Some were lost, ours may be among them. */
	if (r == -ENOBUFS)
		r = 0;
	return r;
}

/* There is no turn of the loop here. */
static int await_neighbour(struct lookup *lookup)
{
	const struct path_query *query = lookup->query;
	struct pollfd fds[] = { { .fd = lookup->fd, .events = POLLIN },
				{ .fd = query->stop_fd, .events = POLLIN } };
	uint64_t now;
	int r = 0;

	while (r >= 0 && !lookup->neighbour.known && lookup->neighbour.state != NUD_FAILED) {
		now = turn_usec(CLOCK_MONOTONIC);
		if (now >= query->deadline_usec)
			return 0;
		r = poll(fds, 2, (int)((query->deadline_usec - now) / 1000) + 1);
		if (r < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents)
			return fault(lookup, -ECANCELED, "the daemon ends");
		r = r > 0 && fds[0].revents ? hear_neighbours(lookup) : 0;
	}
	return r;
}

static int find_neighbour(struct lookup *lookup)
{
	char text[INET6_ADDRSTRLEN];
	int r;

	r = listen_to_neighbours(lookup);
	if (r >= 0)
		r = request_neighbour(lookup, RTM_GETNEIGH, 0, 0);
	/* One that may be old is as good as to the kernel itself, which asks it at the same time.
	 */
	if (r == -ENOENT ||
	    (r >= 0 && !(lookup->neighbour.state & (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE)))) {
		bool known = lookup->neighbour.known;

		if (!known)
			lookup->neighbour = (struct neighbour){ 0 };
		r = solicit(lookup);
		if (r >= 0 && !known)
			r = await_neighbour(lookup);
	}
	if (r < 0)
		return r;
	if (!lookup->neighbour.known)
		return fault(lookup, -EHOSTUNREACH, "%s does not answer on %s",
			     text_of(lookup->hop_family, &lookup->hop, text), lookup->link.name);
	return 0;
}

/* All of it */

static int look_up(struct lookup *lookup)
{
	char text[INET6_ADDRSTRLEN];
	int r;

	r = find_candidates(lookup);
	if (r < 0)
		return r;
	if (lookup->source_taken)
		return fault(lookup, -EADDRNOTAVAIL,
			     "%s is an address of this host; the adapter needs one of its own",
			     text_of(lookup->query->family, &lookup->query->source, text));
	if (lookup->target_here)
		return fault(lookup, -EHOSTUNREACH,
			     "the target is this host, and not on the network");
	r = choose_link(lookup);
	if (r >= 0)
		r = choose_hop(lookup);
	if (r >= 0)
		r = find_neighbour(lookup);
	if (r < 0)
		return r;
	memcpy(lookup->answer->hardware_address, lookup->neighbour.hardware_address,
	       sizeof(lookup->answer->hardware_address));
	lookup->answer->vlan = lookup->link.vlan;
	lookup->answer->mtu = lookup->link.mtu;
	return 0;
}

int path_look_up(const struct path_query *query, struct path_answer *ret)
{
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct lookup lookup = {
		.query = query, .answer = ret, .fd = fd, .length = length_of(query->family)
	};
	int r;

	*ret = (struct path_answer){ 0 };
	r = fd < 0 ? -errno : look_up(&lookup);
	if (r < 0 && !ret->fault[0])
		(void)fault(&lookup, r, "the network of this host cannot be read: %s",
			    strerror(-r));
	return r;
}
