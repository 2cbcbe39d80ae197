/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * floor: the yardstick of the benchmark. An initiator that does what target and kernel demand and
 * nothing else: no records, no authentication, no events, no recovery. It logs in on its own
 * sockets and hands them to the kernel (NETLINK_ISCSI); what it needs for that is time any
 * initiator needs. It shares no code with the product on purpose, and it gives up at the first
 * surprise.
 */
#include <err.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include "floor.h"

#define IN_FLIGHT 64 /* logins at the same time */

/* ---- discovery: blocking, one connection ---- */

static void parse_portal(const char *text, struct portal *p)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *ai;

	snprintf(p->port, sizeof(p->port), "3260");
	if (sscanf(text, "[%63[^]]]:%7s", p->host, p->port) < 1 &&
	    sscanf(text, "%63[^:]:%7s", p->host, p->port) < 1)
		errx(2, "not a portal: %s", text);
	if (getaddrinfo(p->host, p->port, &hints, &ai) != 0)
		errx(2, "not an address: %s", text);
	memcpy(&p->address, ai->ai_addr, ai->ai_addrlen);
	p->length = ai->ai_addrlen;
	freeaddrinfo(ai);
}

static int connect_portal(const struct portal *p, int flags)
{
	int fd = socket(p->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	int one = 1;

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
	    (connect(fd, (const struct sockaddr *)&p->address, p->length) < 0 &&
	     errno != EINPROGRESS))
		err(1, "cannot connect to %s", p->host);
	return fd;
}

static void send_pdu(int fd, struct pdu *p)
{
	struct iovec iov[] = { { p->bhs, BHS }, { p->data, 0 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	finish_pdu(p);
	iov[1].iov_len = padded(p->length);
	if (sendmsg(fd, &m, MSG_NOSIGNAL) != (ssize_t)(BHS + padded(p->length)))
		err(1, "cannot send to the target");
}

static void receive(int fd, void *buffer, size_t length)
{
	if (length && recv(fd, buffer, length, MSG_WAITALL) != (ssize_t)length)
		errx(1, "the target closed the connection");
}

static void receive_pdu(int fd, struct pdu *p)
{
	receive(fd, p->bhs, BHS);
	check_size(p);
	p->length = data_length(p->bhs);
	receive(fd, p->data, padded(p->length));
	p->data[p->length] = 0;
}

/* A key may be split between two responses: all text is collected, then read. */
static void discover(struct run *r)
{
	struct pdu *p = malloc(sizeof(*p));
	char *text = NULL;
	size_t length = 0;
	uint32_t cmdsn = FIRST_CMDSN;
	int fd = connect_portal(&r->portal, 0);

	if (!p)
		err(1, "discovery");
	login_request(p, NULL, "16384");
	send_pdu(fd, p);
	receive_pdu(fd, p);
	check_login(p, "the discovery session");
	text_request(p, "SendTargets=All", cmdsn++);
	for (;;) {
		send_pdu(fd, p);
		receive_pdu(fd, p);
		if (p->bhs[0] != 0x24)
			errx(1, "no text response, but opcode 0x%02x", p->bhs[0]);
		text = realloc(text, length + p->length + 1);
		if (!text)
			err(1, "discovery");
		memcpy(text + length, p->data, p->length + 1);
		length += p->length;
		if (p->bhs[1] & 0x80)
			break;
		text_request(p, NULL, cmdsn++);
	}
	logout_request(p->bhs, cmdsn, get32(p->bhs + 24) + 1);
	p->length = 0;
	send_pdu(fd, p);
	receive_pdu(fd, p);
	close(fd);
	for (const char *s = text; s < text + length; s += strlen(s) + 1) {
		if (strncmp(s, "TargetName=", 11) == 0)
			add_target(r, s + 11);
	}
	free(text);
	free(p);
}

/* ---- login ---- */

/* The socket is in full feature phase: three datagrams make it a session of the kernel. */
static void hand_over(struct run *r, struct session *s)
{
	struct batch b = { .length = 0 };
	struct message reply;

	request(&b, CREATE_SESSION, FIRST_CMDSN, NULL, 0);
	reply = call(r->netlink, &b);
	take_session(r, s, &reply);
	request(&b, CREATE_CONN, s->sid, NULL, 0);
	call(r->netlink, &b);
	{
		struct message *m = request(&b, BIND_CONN, s->sid, NULL, 0);

		m->dword[3] = (uint64_t)s->fd;
		m->word[8] = 1;
	}
	set_target(&b, s, &r->portal);
	set_parameters(&b, r, s);
	request(&b, START_CONN, s->sid, NULL, 0);
	call(r->netlink, &b);
	close(s->fd);
	free(s->in);
	s->in = NULL;
	scan_later(s);
}

static void login_start(struct run *r, struct session *s)
{
	struct epoll_event e = { .events = EPOLLOUT, .data.ptr = s };

	s->fd = connect_portal(&r->portal, SOCK_NONBLOCK);
	s->in = malloc(sizeof(*s->in));
	if (!s->in || epoll_ctl(r->epoll, EPOLL_CTL_ADD, s->fd, &e) < 0)
		err(1, "login");
}

static void login_send(struct run *r, struct session *s)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = s };

	login_request(s->in, s->target, r->receive_max);
	send_pdu(s->fd, s->in);
	s->received = 0;
	epoll_ctl(r->epoll, EPOLL_CTL_MOD, s->fd, &e);
}

/* Reads exactly one PDU: what follows belongs to the kernel. True when there is one. */
static bool login_receive(struct session *s)
{
	for (;;) {
		size_t end = BHS;
		ssize_t n;

		if (s->received >= BHS) {
			check_size(s->in);
			s->in->length = data_length(s->in->bhs);
			end += padded(s->in->length);
			if (s->received == end)
				return true;
		}
		/* Data lie right behind the header. */
		n = recv(s->fd, s->in->bhs + s->received, end - s->received, 0);
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n <= 0)
			errx(1, "%s closed the connection during login", s->target);
		s->received += (size_t)n;
	}
}

/* True when the session is the kernel's. */
static bool login_continue(struct run *r, struct session *s, uint32_t events)
{
	if (events & EPOLLOUT) {
		login_send(r, s);
		return false;
	}
	if (!login_receive(s))
		return false;
	s->in->data[s->in->length] = 0;
	s->statsn = get32(s->in->bhs + 24);
	check_login(s->in, s->target);
	epoll_ctl(r->epoll, EPOLL_CTL_DEL, s->fd, NULL);
	hand_over(r, s);
	return true;
}

static void login(struct run *r)
{
	size_t started = 0, in_flight = 0;

	login_setup(r);
	for (;;) {
		struct epoll_event events[IN_FLIGHT];
		int n;

		for (; started < r->n && in_flight < IN_FLIGHT; started++, in_flight++)
			login_start(r, &r->sessions[started]);
		n = epoll_wait(r->epoll, events, IN_FLIGHT, -1);
		for (int i = 0; i < n; i++) {
			if (!take_common(r, events[i].data.ptr))
				in_flight -=
					login_continue(r, events[i].data.ptr, events[i].events);
		}
		if (started == r->n && !in_flight && all_disks(r))
			return;
	}
}

/* ---- logout ---- */

/* Unbound: log out. Logged out: remove. Answers how many sessions have gone. */
static unsigned logout_message(struct run *r, const struct message *m)
{
	struct batch b = { .length = 0 };
	uint32_t sid = m->word[10];
	uint8_t bhs[BHS];

	if (m->header.nlmsg_type != 0) {
		check_reply(m);
		return m->header.nlmsg_type == DESTROY_SESSION;
	}
	if (sid >= SIDS || !r->by_sid[sid])
		return 0;
	if (m->word[0] == KERNEL_UNBOUND && !r->by_sid[sid]->unbound) {
		struct message *request_logout;

		r->by_sid[sid]->unbound = true;
		logout_request(bhs, 0, 0); /* the kernel writes the numbers */
		request_logout = request(&b, SEND_PDU, sid, bhs, BHS);
		request_logout->word[6] = BHS;
		submit(r->netlink, &b);
	} else if (m->word[0] == KERNEL_RECEIVED_PDU && !r->by_sid[sid]->gone) {
		r->by_sid[sid]->gone = true;
		request(&b, STOP_CONN, sid, NULL, 0)->word[8] = 1;
		request(&b, DESTROY_CONN, sid, NULL, 0);
		request(&b, DESTROY_SESSION, sid, NULL, 0);
		submit(r->netlink, &b);
	}
	return 0;
}

static void logout(struct run *r)
{
	struct batch b = { .length = 0 };
	size_t gone = 0;

	r->netlink = open_netlink(NETLINK_ISCSI, 1);
	for (size_t i = 0; i < r->n; i++) {
		request(&b, UNBIND_SESSION, r->sessions[i].sid, NULL, 0);
		if (b.length > sizeof(b.bytes) - 1024 || i + 1 == r->n)
			submit(r->netlink, &b);
	}
	while (gone < r->n) {
		_Alignas(8) char buffer[16384];

		if (recv(r->netlink, buffer, sizeof(buffer), 0) < (ssize_t)sizeof(struct message))
			err(1, "cannot hear the kernel");
		gone += logout_message(r, (struct message *)(void *)buffer);
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Some adapters refuse more. */
#define ADAPTER_RECEIVE_MAX "8192"

static int usage(void)
{
	fputs("Usage: floor discover ADDRESS[:PORT]\n"
	      "       floor login ADDRESS[:PORT]\n"
	      "       floor login-through TRANSPORT HOST ADDRESS[:PORT] TARGET...\n"
	      "       floor logout [TRANSPORT]\n",
	      stderr);
	return 2;
}

int main(int argc, char *argv[])
{
	static struct run r = { .receive_max = "262144" };
	const char *verb = argc > 1 ? argv[1] : "";
	double start = now();

	if (argc == 3 && strcmp(verb, "discover") == 0) {
		parse_portal(argv[2], &r.portal);
		discover(&r);
		for (size_t i = 0; i < r.n; i++)
			puts(r.sessions[i].target);
	} else if (argc == 3 && strcmp(verb, "login") == 0) {
		open_transport("tcp");
		parse_portal(argv[2], &r.portal);
		discover(&r);
		start = now();
		login(&r);
	} else if (argc > 5 && strcmp(verb, "login-through") == 0) {
		open_transport(argv[2]);
		parse_portal(argv[4], &r.portal);
		for (int i = 5; i < argc; i++)
			add_target(&r, argv[i]);
		r.receive_max = ADAPTER_RECEIVE_MAX;
		login_through(&r, (uint32_t)atoi(argv[3]));
	} else if ((argc == 2 || argc == 3) && strcmp(verb, "logout") == 0) {
		open_transport(argc == 3 ? argv[2] : "tcp");
		find_sessions(&r);
		logout(&r);
	} else {
		return usage();
	}
	printf("%s %zu in %.4f\n", verb, r.n, now() - start);
	return 0;
}
