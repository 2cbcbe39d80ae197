/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crowd: a portal with very many targets, for logins in flight by the thousand. Discovery names all
 * of them. A login is answered as far as an ordinary target answers it, and refused in the last
 * response, as there is no storage behind it. First requests can be held back until so many have
 * come, so that all are in flight at the same time.
 *
 *   crowd [--targets=N] [--secret=SECRET] [--status=0x0301]
 *
 * Prints "port P". Reads lines: "hold N" holds back the first requests of logins; when N wait, it
 * prints "held N", and the line "go" lets them go on. "count" prints "open N", the connections.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "limits.h"
#include "responder.h"
#include "secret.h"
#include "text.h"

/* The queue of one listener is too short for all who come at once. */
#define LISTENERS       16
#define DESCRIPTORS_MAX 65536
#define EVENTS_MAX      256
#define TEXT_MAX        32768 /* in a Text Response, if it may be so long */

struct connection {
	int fd;
	bool held, released;
	struct responder responder;
	uint8_t in[PDU_HEADER_LENGTH + LOGIN_DATA_SEGMENT_MAX + 4];
	size_t received;
	size_t next_target; /* of the answer to SendTargets */
};

static struct {
	struct responder_config config;
	size_t n_targets;
	int epoll;
	struct connection *connections[DESCRIPTORS_MAX];
	size_t n_open, n_held, hold;
	struct buffer text;
} crowd = { .n_targets = 1, .config.name = "storage" };

static void say(const char *what, size_t n)
{
	(void)printf("%s %zu\n", what, n);
	(void)fflush(stdout);
}

static void add(int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	if (epoll_ctl(crowd.epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		err(1, "epoll");
}

static void drop(struct connection *connection)
{
	crowd.connections[connection->fd] = NULL;
	crowd.n_held -= connection->held;
	crowd.n_open--;
	(void)close(connection->fd);
	free(connection);
}

static int reply(struct connection *connection, const uint8_t *header, const void *data,
		 size_t length)
{
	static const uint8_t padding[4];
	struct iovec parts[] = {
		{ (void *)(uintptr_t)header, PDU_HEADER_LENGTH },
		{ (void *)(uintptr_t)data, length },
		{ (void *)(uintptr_t)padding, pdu_padding(length) },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = ELEMENTSOF(parts) };
	size_t total = PDU_HEADER_LENGTH + length + pdu_padding(length);

	return sendmsg(connection->fd, &message, MSG_NOSIGNAL) == (ssize_t)total ? 0 : -EPIPE;
}

/* As many targets as the initiator takes in one PDU. */
static int write_targets(struct connection *connection)
{
	size_t limit = connection->responder.parameters.max_xmit_data_segment_length;
	char name[64];
	int r = 0;

	limit = limit < TEXT_MAX ? limit : TEXT_MAX;
	buffer_clear(&crowd.text);
	while (r >= 0 && connection->next_target < crowd.n_targets &&
	       crowd.text.length + 2 * sizeof(name) < limit) {
		(void)snprintf(name, sizeof(name), "iqn.2026-11.org.example:crowd.%zu",
			       connection->next_target++);
		r = text_write(&crowd.text, "TargetName", name);
	}
	return r;
}

static int answer_text(struct connection *connection, const struct pdu *request)
{
	uint8_t header[PDU_HEADER_LENGTH];
	bool last;
	int r;

	if (request->text_request.ttt == PDU_TAG_RESERVED)
		connection->next_target = 0;
	r = write_targets(connection);
	if (r < 0)
		return r;
	last = connection->next_target == crowd.n_targets;
	pdu_encode(
		&(struct pdu){
			.opcode = PDU_OPCODE_TEXT_RESPONSE,
			.itt = request->itt,
			.data_length = (uint32_t)crowd.text.length,
			.text_response = {
				.final = last,
				.ttt = last ? PDU_TAG_RESERVED : 1,
				.numbers = { connection->responder.stat_sn++,
					     request->text_request.cmd_sn,
					     request->text_request.cmd_sn + 16 },
			},
		},
		header);
	return reply(connection, header, crowd.text.data, crowd.text.length);
}

static int answer_logout(struct connection *connection, const struct pdu *request)
{
	uint8_t header[PDU_HEADER_LENGTH];

	pdu_encode(
		&(struct pdu){
			.opcode = PDU_OPCODE_LOGOUT_RESPONSE,
			.itt = request->itt,
			.logout_response.numbers = { connection->responder.stat_sn++,
						     request->logout_request.cmd_sn,
						     request->logout_request.cmd_sn + 16 },
		},
		header);
	(void)reply(connection, header, NULL, 0);
	return -ECONNRESET;
}

static int answer_login(struct connection *connection, size_t length)
{
	uint8_t header[PDU_HEADER_LENGTH];
	int r;

	r = responder_answer(&connection->responder, connection->in,
			     connection->in + PDU_HEADER_LENGTH, length, header, &crowd.text);
	return r < 0 ? r : reply(connection, header, crowd.text.data, crowd.text.length);
}

/* The PDU in .in, which is then taken out. */
static int answer(struct connection *connection)
{
	struct pdu request;

	if (pdu_decode(connection->in, &request) < 0)
		return -EPROTO;
	connection->received = 0;
	switch ((int)request.opcode) {
	case PDU_OPCODE_LOGIN_REQUEST:
		return answer_login(connection, request.data_length);
	case PDU_OPCODE_TEXT_REQUEST:
		return answer_text(connection, &request);
	case PDU_OPCODE_LOGOUT_REQUEST:
		return answer_logout(connection, &request);
	}
	return -EPROTO;
}

static void hold(struct connection *connection)
{
	connection->held = true;
	if (++crowd.n_held == crowd.hold)
		say("held", crowd.n_held);
}

/* 1: a request is complete; 0: more must come. An initiator has one under way at a time. */
static int receive(struct connection *connection)
{
	for (;;) {
		size_t length = PDU_HEADER_LENGTH;
		ssize_t n;

		if (connection->received >= PDU_HEADER_LENGTH) {
			length = pdu_header_data_length(connection->in);
			length += PDU_HEADER_LENGTH + pdu_padding(length);
			if (length > sizeof(connection->in))
				return -EMSGSIZE;
			if (connection->received == length)
				return 1;
		}
		n = recv(connection->fd, connection->in + connection->received,
			 length - connection->received, MSG_DONTWAIT);
		if (n <= 0)
			return n < 0 && errno == EAGAIN ? 0 : -ECONNRESET;
		connection->received += (size_t)n;
	}
}

static void serve(struct connection *connection)
{
	/* One that is held has no more to say: it gave up. */
	int r = connection->held ? -ECONNRESET : receive(connection);

	if (r > 0 && crowd.hold > 0 && !connection->released) {
		hold(connection);
		return;
	}
	if (r > 0)
		r = answer(connection);
	if (r < 0)
		drop(connection);
}

static void let_go(void)
{
	crowd.hold = crowd.n_held = 0;
	for (size_t i = 0; i < DESCRIPTORS_MAX; i++) {
		struct connection *connection = crowd.connections[i];

		if (!connection || !connection->held)
			continue;
		connection->held = false;
		connection->released = true;
		if (answer(connection) < 0)
			drop(connection);
	}
}

static void accept_all(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct connection *connection = calloc(1, sizeof(*connection));
		int on = 1;

		if (!connection || fd >= DESCRIPTORS_MAX)
			errx(1, "too many connections");
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		connection->fd = fd;
		responder_init(&connection->responder, &crowd.config);
		crowd.connections[fd] = connection;
		crowd.n_open++;
		add(fd, EPOLLIN);
	}
	if (errno != EAGAIN && errno != ECONNABORTED)
		err(1, "accept");
}

static void obey(void)
{
	char line[64];
	ssize_t n = read(STDIN_FILENO, line, sizeof(line) - 1);

	if (n <= 0)
		exit(0);
	line[n] = '\0';
	if (sscanf(line, "hold %zu", &crowd.hold) == 1)
		return;
	if (strcmp(line, "go\n") == 0)
		let_go();
	else if (strcmp(line, "count\n") == 0)
		say("open", crowd.n_open);
	else
		errx(2, "what is %s", line);
}

static int listen_at(uint16_t *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(*port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
	socklen_t length = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, SOMAXCONN) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		err(1, "cannot listen");
	*port = ntohs(address.sin_port);
	return fd;
}

static void parse_options(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "targets", required_argument, NULL, 't' },
		{ "secret", required_argument, NULL, 's' },
		{ "status", required_argument, NULL, 'r' },
		{ 0 },
	};
	struct secret *secret = NULL;
	int letter;

	while ((letter = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (letter == 't')
			crowd.n_targets = strtoul(optarg, NULL, 0);
		else if (letter == 's' && secret_new(optarg, strlen(optarg), &secret) >= 0)
			crowd.config.secret = secret;
		else if (letter == 'r')
			crowd.config.status = (unsigned)strtoul(optarg, NULL, 0);
		else
			exit(2);
	}
	crowd.config.algorithm = CHAP_ALGORITHM_SHA256;
}

int main(int argc, char *argv[])
{
	int listeners[LISTENERS];
	struct rlimit limit;
	uint16_t port = 0;

	parse_options(argc, argv);
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	crowd.epoll = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < LISTENERS; i++) {
		listeners[i] = listen_at(&port);
		add(listeners[i], EPOLLIN);
	}
	add(STDIN_FILENO, EPOLLIN);
	say("port", port);
	for (;;) {
		struct epoll_event events[EVENTS_MAX];
		int n = epoll_wait(crowd.epoll, events, EVENTS_MAX, -1);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd == STDIN_FILENO)
				obey();
			else if (fd >= listeners[0] && fd <= listeners[LISTENERS - 1])
				accept_all(fd);
			else if (crowd.connections[fd])
				serve(crowd.connections[fd]);
		}
	}
}
