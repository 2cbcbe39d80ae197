/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One client of the service: reads messages, hands out one call at a time, writes answers. While a
 * call is not answered, or answers are not read, nothing is read: the client is slowed down, and
 * not our memory filled.
 *
 * A connection frees itself in its own event handlers only, never below a caller who still uses it.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "json.h"
#include "service_private.h"
#include "trace.h"
#include "turn.h"

/* Steps (a call, a part of an answer) in a row, and how often they are sent, before others get
 * their turn. */
#define STEPS_PER_SEND 32
#define SENDS_PER_TURN 4

static size_t output_length(const struct connection *connection)
{
	const uint8_t *output;

	return varlink_stream_pending(&connection->stream, &output);
}

/* Nobody listens any more: what was going to be said is dropped. */
static void connection_gone(struct connection *connection)
{
	connection->gone = true;
	connection->call = call_free(connection->call);
	varlink_stream_sent(&connection->stream, output_length(connection));
}

/* Ends the input; what was not taken yet never will be. */
static void connection_refuse(struct connection *connection, int error)
{
	trace("connection of user %u: %s, closing", connection->uid, strerror(-error));
	connection->input_ended = true;
	connection->refused = true;
}

static void send_output(struct connection *connection)
{
	const uint8_t *output;
	size_t length;
	ssize_t n;

	while ((length = varlink_stream_pending(&connection->stream, &output)) > 0) {
		n = send(connection->fd, output, length, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0) {
			varlink_stream_sent(&connection->stream, (size_t)n);
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != ENOBUFS)
			connection_gone(connection);
		return;
	}
}

/* False: there is nothing more to receive now. */
static bool receive_input(struct connection *connection)
{
	uint8_t *at;
	size_t size;
	ssize_t n;
	int r;

	if (connection->input_ended)
		return false;
	r = varlink_stream_reserve(&connection->stream, &at, &size);
	if (r < 0) {
		connection_refuse(connection, r);
		return false;
	}
	/* recv() takes no ancillary data: descriptors a client attaches are closed by the kernel.
	 */
	n = recv(connection->fd, at, size, MSG_DONTWAIT);
	if (n > 0) {
		varlink_stream_received(&connection->stream, (size_t)n);
		return true;
	}
	if (n == 0) {
		/* Perhaps only half closed: the client may still wait for answers. */
		connection->input_ended = true;
	} else if (errno != EAGAIN && errno != EINTR) {
		connection_refuse(connection, -errno);
		connection_gone(connection);
	}
	return false;
}

/* Takes the next call, or lets the present one go on. False: nothing to do now. */
static bool connection_step(struct connection *connection)
{
	json_object *message;
	int r;

	if (connection->call)
		return call_run(connection->call);
	if (connection->refused || output_length(connection) >= SERVICE_OUTPUT_FULL)
		return false;
	r = varlink_stream_next(&connection->stream, &message);
	if (r == 0)
		return false;
	connection->waiting = false;
	if (r > 0)
		r = call_dispatch(connection, message);
	if (r < 0)
		connection_refuse(connection, r);
	if (connection->gone)
		connection->call = call_free(connection->call);
	return true;
}

static void update_timer(struct connection *connection)
{
	bool wait = !connection->call && !connection->input_ended &&
		    varlink_stream_partial(&connection->stream);

	if (wait && !connection->waiting)
		(void)sd_event_source_set_time_relative(connection->timer,
							SERVICE_MESSAGE_TIMEOUT_USEC);
	if (wait != connection->waiting || !wait)
		(void)sd_event_source_set_enabled(connection->timer,
						  wait ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
	connection->waiting = wait;
}

static void update_events(struct connection *connection)
{
	size_t output = output_length(connection);
	uint32_t events = output > 0 ? EPOLLOUT : 0;

	if (!connection->call && !connection->busy && !connection->input_ended &&
	    output < SERVICE_OUTPUT_FULL)
		events |= EPOLLIN;
	if (events != connection->events &&
	    sd_event_source_set_io_events(connection->io, events) >= 0)
		connection->events = events;
	/* Nobody is at the other end: epoll would tell so for ever. */
	if (connection->gone)
		(void)sd_event_source_set_enabled(connection->io, SD_EVENT_OFF);
}

/* Does what can be done now. The connection may be gone afterwards. */
static void connection_run(struct connection *connection)
{
	unsigned steps = 0;
	size_t n_done = 0;
	bool over = false;

	/* Sending comes first: what it makes room for is then used, or there is none and EPOLLOUT
	 * will tell. */
	for (unsigned i = 0; i < SENDS_PER_TURN && !over; i++) {
		send_output(connection);
		steps = 0;
		while (steps < STEPS_PER_SEND && !over && connection_step(connection)) {
			steps++;
			over = turn_ends(++n_done);
		}
		if (steps == 0)
			break;
	}
	if (over)
		send_output(connection);
	connection->busy = steps > 0;
	if (!connection->busy && connection->input_ended && !connection->call &&
	    output_length(connection) == 0) {
		(void)connection_free(connection);
		return;
	}
	if (connection->busy)
		connection_wake(connection);
	else
		(void)sd_event_source_set_enabled(connection->turn, SD_EVENT_OFF);
	update_timer(connection);
	update_events(connection);
}

static int io_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct connection *connection = userdata;

	if (revents & (EPOLLHUP | EPOLLERR)) {
		connection_gone(connection);
		/* What it said before it went is still heard. */
		while (receive_input(connection))
			;
		connection->input_ended = true;
	} else if (revents & EPOLLIN) {
		(void)receive_input(connection);
	}
	connection_run(connection);
	return 0;
}

static int next_turn(sd_event_source *source, void *userdata)
{
	connection_run(userdata);
	return 0;
}

/* When nothing else is to be done: then many answers leave in one write. Errors: -ENOMEM, the first
 * time only. */
static int defer_turn(struct connection *connection)
{
	return turn_defer(connection->service->manager->event, &connection->turn,
			  SERVICE_PRIORITY_ANSWERS, next_turn, connection);
}

static int message_timed_out(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct connection *connection = userdata;

	connection_refuse(connection, -ETIMEDOUT);
	connection_run(connection);
	return 0;
}

void connection_wake(struct connection *connection)
{
	(void)defer_turn(connection);
}

static int add_sources(struct connection *connection)
{
	sd_event *event = connection->service->manager->event;
	int r;

	r = sd_event_add_io(event, &connection->io, connection->fd, EPOLLIN, io_ready, connection);
	if (r >= 0)
		r = defer_turn(connection);
	if (r >= 0)
		r = sd_event_source_set_enabled(connection->turn, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &connection->timer, CLOCK_MONOTONIC,
					       SERVICE_MESSAGE_TIMEOUT_USEC, 0, message_timed_out,
					       connection);
	if (r >= 0)
		r = sd_event_source_set_enabled(connection->timer, SD_EVENT_OFF);
	return r;
}

int connection_new(struct service *service, int fd, uid_t uid, struct connection **ret)
{
	struct connection *connection;
	int r;

	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return -ENOMEM;
	connection->service = service;
	connection->fd = fd;
	connection->uid = uid;
	connection->events = EPOLLIN;
	varlink_stream_init(&connection->stream, SERVICE_MESSAGE_MAX);
	connection->next = service->connections;
	connection->previous = &service->connections;
	if (connection->next)
		connection->next->previous = &connection->next;
	service->connections = connection;
	service->n_connections++;
	r = add_sources(connection);
	if (r < 0) {
		/* The descriptor stays the caller's. */
		connection->fd = -EBADF;
		(void)connection_free(connection);
		return r;
	}
	*ret = connection;
	return 0;
}

struct connection *connection_free(struct connection *connection)
{
	if (!connection)
		return NULL;
	connection->call = call_free(connection->call);
	connection->io = sd_event_source_disable_unref(connection->io);
	connection->turn = sd_event_source_disable_unref(connection->turn);
	connection->timer = sd_event_source_disable_unref(connection->timer);
	if (connection->fd >= 0 && !connection->gone)
		send_output(connection);
	varlink_stream_done(&connection->stream);
	connection->fd = close_fd(connection->fd);
	*connection->previous = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	connection->service->n_connections--;
	free(connection);
	return NULL;
}
