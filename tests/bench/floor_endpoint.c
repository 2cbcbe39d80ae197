/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * floor: logins over connections that an adapter makes. Whether it has made one has to be asked; an
 * adapter that answers at once is asked four times in a millisecond. Two round trips, one for the
 * connection and one for the login, and the kernel's scan are what any initiator needs.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include "floor.h"

#define POLL_PAUSE 250000 /* nanoseconds */

static void connect_endpoint(struct run *r, struct session *s, uint32_t host)
{
	struct batch b = { .length = 0 };
	struct message *m =
		request(&b, EP_CONNECT_THROUGH_HOST, 0, &r->portal.address, r->portal.length);

	m->word[4] = host;
	m->word[5] = 1; /* do not wait */
	s->endpoint = call(r->netlink, &b).dword[5];
}

static bool is_connected(struct run *r, struct session *s)
{
	struct batch b = { .length = 0 };
	struct message *m = request(&b, EP_POLL, 0, NULL, 0);
	int rc;

	m->dword[2] = s->endpoint;
	m->word[6] = 1;
	rc = (int)call(r->netlink, &b).word[10];
	if (rc < 0)
		errx(1, "%s: no connection: %s", s->target, strerror(-rc));
	s->connected = rc > 0;
	return s->connected;
}

static void add_login(struct batch *b, const struct session *s)
{
	char pdu[BHS + 2048];
	size_t length = padded(s->in->length);
	struct message *m;

	finish_pdu(s->in);
	memcpy(pdu, s->in->bhs, BHS);
	memcpy(pdu + BHS, s->in->data, length);
	m = request(b, SEND_PDU, s->sid, pdu, BHS + length);
	m->word[6] = BHS;
	m->word[7] = (uint32_t)length;
}

/* The session, on the connection, and the Login Request through it. */
static void begin_login(struct run *r, struct session *s)
{
	struct batch b = { .length = 0 };
	struct message *m = request(&b, CREATE_BOUND_SESSION, 0, NULL, 0), reply;

	m->dword[2] = s->endpoint;
	m->word[6] = FIRST_CMDSN;
	reply = call(r->netlink, &b);
	take_session(r, s, &reply);
	s->in = malloc(sizeof(*s->in));
	if (!s->in)
		err(1, "login");
	login_request(s->in, s->target, r->receive_max);
	/* Of several sessions of one process each is another one. */
	s->in->bhs[13] = (uint8_t)s->sid;
	request(&b, CREATE_CONN, s->sid, NULL, 0);
	call(r->netlink, &b);
	m = request(&b, BIND_CONN, s->sid, NULL, 0);
	m->dword[3] = s->endpoint;
	m->word[8] = 1;
	set_target(&b, s, &r->portal);
	add_login(&b, s);
	call(r->netlink, &b);
}

static void finish_login(struct run *r, struct session *s, const char *pdu, size_t length)
{
	struct batch b = { .length = 0 };

	if (length < BHS || length >= BHS + DATA_MAX)
		errx(1, "PDU of %zu bytes", length);
	memcpy(s->in->bhs, pdu, BHS);
	s->in->length = length - BHS;
	memcpy(s->in->data, pdu + BHS, s->in->length);
	s->in->data[s->in->length] = 0;
	s->statsn = get32(s->in->bhs + 24);
	check_login(s->in, s->target);
	set_parameters(&b, r, s);
	request(&b, START_CONN, s->sid, NULL, 0);
	call(r->netlink, &b);
	free(s->in);
	s->in = NULL;
	scan_later(s);
}

/* Only Login Responses are of interest. */
static void take_event(struct run *r)
{
	static _Alignas(8) char buffer[sizeof(struct message) + BHS + DATA_MAX];
	const struct message *m = (const struct message *)(void *)buffer;
	ssize_t n = recv(r->listener, buffer, sizeof(buffer), MSG_DONTWAIT);
	struct session *s;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < (ssize_t)sizeof(*m))
		err(1, "cannot hear the kernel");
	s = m->header.nlmsg_type == 0 && m->word[10] < SIDS ? r->by_sid[m->word[10]] : NULL;
	if (s && s->in && m->word[0] == KERNEL_RECEIVED_PDU)
		finish_login(r, s, buffer + sizeof(*m), (size_t)n - sizeof(*m));
}

/* Returns how many still connect. */
static size_t ask(struct run *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (r->sessions[i].connected)
			continue;
		if (is_connected(r, &r->sessions[i]))
			begin_login(r, &r->sessions[i]);
		else
			n++;
	}
	return n;
}

void login_through(struct run *r, uint32_t host)
{
	const struct timespec pause = { .tv_nsec = POLL_PAUSE };
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = r };
	size_t connecting = r->n;

	login_setup(r);
	epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->listener, &e);
	for (size_t i = 0; i < r->n; i++)
		connect_endpoint(r, &r->sessions[i], host);
	while (!all_disks(r)) {
		struct epoll_event events[16];
		int n;

		if (connecting > 0)
			connecting = ask(r);
		n = epoll_pwait2(r->epoll, events, 16, connecting > 0 ? &pause : NULL, NULL);
		for (int i = 0; i < n; i++)
			if (!take_common(r, events[i].data.ptr))
				take_event(r);
	}
}
