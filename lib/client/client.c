/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The client: connections, the queue of calls, and the loop that serves both. Everything that may
 * wait is left to the descriptor of the epoll instance and to ois_client_get_timeout().
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "client.h"
#include "message.h"

/* connect(2) to a full queue fails with EAGAIN, and nothing tells when there is room. */
#define CONNECT_RETRY_USEC 10000
#define IDLE_CONNECTIONS   1

struct connection {
	struct connection *next;
	struct ois_client *client;
	struct ois_call *call; /* NULL: idle */
	int fd;
	struct varlink_stream stream;
	bool sent;   /* some of the call has left */
	bool reused; /* has carried a call before */
	bool dead;   /* freed when nobody looks at it any more */
	bool want_write;
};

static uint64_t now_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t client_now(struct ois_client *client)
{
	if (!client->processing)
		return now_usec();
	if (client->now_usec == 0)
		client->now_usec = now_usec();
	return client->now_usec;
}

/* --- Connections --- */

static void connection_kill(struct connection *connection)
{
	connection->dead = true;
	connection->fd = close_fd(connection->fd);
	if (connection->call)
		connection->call->connection = NULL;
	connection->call = NULL;
}

static struct connection *connection_free(struct connection *connection)
{
	(void)close_fd(connection->fd);
	varlink_stream_done(&connection->stream);
	free(connection);
	return NULL;
}

static void reap_connections(struct ois_client *client)
{
	struct connection **link = &client->connections, *connection;

	while ((connection = *link)) {
		if (!connection->dead) {
			link = &connection->next;
			continue;
		}
		*link = connection->next;
		connection_free(connection);
		client->n_connections--;
	}
}

static int open_socket(const char *path, int *ret)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -EBADF;

	/* The length was checked by ois_client_new(). */
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

static int connection_new(struct ois_client *client, struct connection **ret)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct connection *connection;
	int r;

	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return -ENOMEM;
	connection->client = client;
	varlink_stream_init(&connection->stream, VARLINK_OUTPUT_MAX);
	connection->fd = -EBADF;
	event.data.ptr = connection;
	r = open_socket(client->path, &connection->fd);
	if (r >= 0 && epoll_ctl(client->epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
		r = -errno;
	if (r < 0) {
		connection_free(connection);
		return r;
	}
	connection->next = client->connections;
	client->connections = connection;
	client->n_connections++;
	*ret = connection;
	return 0;
}

static void connection_want_write(struct connection *connection, bool wanted)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };

	if (connection->want_write == wanted)
		return;
	if (wanted)
		event.events |= EPOLLOUT;
	if (epoll_ctl(connection->client->epoll, EPOLL_CTL_MOD, connection->fd, &event) == 0)
		connection->want_write = wanted;
}

/* The connection is lost: its call is made once more if that can do no harm. */
static void connection_fail(struct connection *connection, int error)
{
	_cleanup_(ois_call_unrefp) struct ois_call *call =
		connection->call ? ois_call_ref(connection->call) : NULL;
	/* Not a byte of it can have arrived: even a call that changes something may be repeated. */
	bool unsent = connection->reused && !connection->sent;

	connection_kill(connection);
	if (!call)
		return;
	if (!call->replied && !call->repeated && (unsent || (call->flags & OIS_CALL_READ)) &&
	    error == -ECONNRESET) {
		call->repeated = true;
		call->state = CALL_QUEUED;
		return;
	}
	call_fail(call, error);
}

/* Returns 0 or a negative errno that ends the connection. */
static int connection_write(struct connection *connection)
{
	const uint8_t *data;
	size_t length;
	ssize_t n;

	while ((length = varlink_stream_pending(&connection->stream, &data)) > 0) {
		n = send(connection->fd, data, length, MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0)
			return errno == EPIPE ? -ECONNRESET : -errno;
		connection->sent = true;
		varlink_stream_sent(&connection->stream, (size_t)n);
	}
	connection_want_write(connection, length > 0);
	return 0;
}

static void connection_idle(struct connection *connection)
{
	unsigned idle = 0;

	connection->call = NULL;
	connection->reused = true;
	connection->sent = false;
	for (struct connection *c = connection->client->connections; c; c = c->next)
		if (!c->call && !c->dead)
			idle++;
	if (idle > IDLE_CONNECTIONS || connection->want_write)
		connection_kill(connection);
}

/* Returns 0 or a negative errno that ends the connection. */
static int connection_message(struct connection *connection, json_object *message)
{
	_cleanup_(ois_error_unrefp) struct ois_error *error = NULL;
	_cleanup_(ois_call_unrefp) struct ois_call *call = NULL;
	struct varlink_reply reply;
	int r;

	if (!connection->call)
		return -EPROTO; /* an answer nobody asked for */
	call = ois_call_ref(connection->call);
	r = varlink_reply_parse(message, call->flags & OIS_CALL_MORE, &reply);
	if (r >= 0 && reply.error)
		r = error_new_varlink(reply.error, reply.parameters, &error);
	if (r < 0)
		return r;
	if (!reply.continues) {
		call->connection = NULL;
		connection_idle(connection);
	}
	call_deliver(call, json_object_get(reply.parameters), TAKE_PTR(error), !reply.continues);
	return 0;
}

/* Serves all complete messages; their handlers may kill the connection. */
static int connection_messages(struct connection *connection)
{
	int r;

	while (!connection->dead) {
		_cleanup_json_ json_object *message = NULL;

		r = varlink_stream_next(&connection->stream, &message);
		if (r > 0)
			r = connection_message(connection, message);
		else if (r == 0)
			break;
		if (r < 0)
			return r;
	}
	if (!connection->dead && !connection->call && varlink_stream_partial(&connection->stream))
		return -EPROTO;
	return 0;
}

/* Returns 0 or a negative errno that ends the connection. */
static int connection_read(struct connection *connection)
{
	uint8_t *at;
	size_t size;
	ssize_t n;
	int r;

	r = varlink_stream_reserve(&connection->stream, &at, &size);
	if (r < 0)
		return r;
	n = recv(connection->fd, at, size, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	varlink_stream_received(&connection->stream, (size_t)n);
	return connection_messages(connection);
}

static void connection_serve(struct connection *connection, uint32_t events)
{
	int r = 0;

	if (connection->dead)
		return;
	if (events & EPOLLOUT)
		r = connection_write(connection);
	/* A daemon that refuses us may answer before it has read all: read on until the end. */
	if ((r >= 0 || r == -ECONNRESET) && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		r = connection_read(connection);
	if (r < 0)
		connection_fail(connection, r);
}

/* --- Queue --- */

static struct connection *find_idle(struct ois_client *client)
{
	for (struct connection *c = client->connections; c; c = c->next)
		if (!c->call && !c->dead)
			return c;
	return NULL;
}

static struct ois_call *find_queued(struct ois_client *client)
{
	for (struct ois_call *call = client->calls; call; call = call->next)
		if (call->state == CALL_QUEUED)
			return call;
	return NULL;
}

/* True if a queued call could be sent now. */
static bool can_dispatch(const struct ois_client *client)
{
	if (client->n_connections < OIS_CALLS_MAX)
		return true;
	for (const struct connection *c = client->connections; c; c = c->next)
		if (!c->call)
			return true;
	return false;
}

/* Sends one queued call. Returns 1 if something was done. */
static int dispatch(struct ois_client *client, struct ois_call *call)
{
	struct connection *connection = find_idle(client);
	int r;

	if (!connection) {
		r = connection_new(client, &connection);
		if (r == -EAGAIN) {
			client->retry_usec = client_now(client) + CONNECT_RETRY_USEC;
			return 0;
		}
		if (r < 0) {
			call_fail(call, r);
			return 1;
		}
	}
	connection->call = call;
	call->connection = connection;
	call->state = CALL_ACTIVE;
	r = call_write(call, &connection->stream);
	if (r >= 0)
		r = connection_write(connection);
	/* The reason of a refusal may already lie in the socket, to be read first. */
	if (r < 0 && (r != -ECONNRESET || connection->reused))
		connection_fail(connection, r);
	return 1;
}

static int dispatch_queue(struct ois_client *client)
{
	struct ois_call *call;
	int done = 0;

	if (client->retry_usec > 0 && client->retry_usec > client_now(client))
		return 0;
	client->retry_usec = 0;
	while ((call = find_queued(client)) && can_dispatch(client)) {
		_cleanup_(ois_call_unrefp) struct ois_call *held = ois_call_ref(call);

		if (dispatch(client, held) == 0)
			break;
		reap_connections(client);
		done = 1;
	}
	return done;
}

static int expire_calls(struct ois_client *client)
{
	struct ois_call *call;
	int done = 0;

	/* A handler may change the list, so it is searched anew after each. */
	do {
		for (call = client->calls; call; call = call->next)
			if (call->deadline_usec != OIS_TIMEOUT_NONE &&
			    call->deadline_usec <= client_now(client))
				break;
		if (call) {
			_cleanup_(ois_call_unrefp) struct ois_call *held = ois_call_ref(call);

			call_fail(held, -ETIMEDOUT);
			done = 1;
		}
	} while (call);
	return done;
}

static int serve_connections(struct ois_client *client)
{
	struct epoll_event events[OIS_CALLS_MAX + IDLE_CONNECTIONS];
	int n;

	n = epoll_wait(client->epoll, events, (int)ELEMENTSOF(events), 0);
	for (int i = 0; i < n; i++)
		connection_serve(events[i].data.ptr, events[i].events);
	return n > 0;
}

void client_enqueue(struct ois_call *call)
{
	struct ois_call **link = &call->client->calls;

	while (*link)
		link = &(*link)->next;
	*link = ois_call_ref(call);
	call->next = NULL;
	call->state = CALL_QUEUED;
}

void client_forget(struct ois_call *call, int result)
{
	struct ois_call **link = &call->client->calls;

	while (*link && *link != call)
		link = &(*link)->next;
	assert(*link);
	*link = call->next;
	call->next = NULL;
	call->state = CALL_DONE;
	call->result = result;
	if (call->connection)
		connection_kill(call->connection);
	ois_call_unref(call);
}

/* --- Client --- */

int ois_client_new(const char *path, struct ois_client **ret)
{
	_cleanup_(ois_client_freep) struct ois_client *client = NULL;

	path = path ?: OIS_SOCKET_PATH;
	if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return -ENAMETOOLONG;
	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	client->references = 1;
	client->timeout_usec = OIS_TIMEOUT_DEFAULT;
	client->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (client->epoll < 0)
		return -errno;
	client->path = strdup(path);
	if (!client->path)
		return -ENOMEM;
	*ret = TAKE_PTR(client);
	return 0;
}

struct ois_client *client_ref(struct ois_client *client)
{
	client->references++;
	return client;
}

struct ois_client *client_unref(struct ois_client *client)
{
	if (--client->references > 0)
		return NULL;
	(void)close_fd(client->epoll);
	free(client->path);
	free(client);
	return NULL;
}

struct ois_client *ois_client_free(struct ois_client *client)
{
	if (!client)
		return NULL;
	client->closed = true;
	while (client->calls)
		client_forget(client->calls, -ECANCELED);
	for (struct connection *c = client->connections; c; c = c->next)
		connection_kill(c);
	reap_connections(client);
	return client_unref(client);
}

void ois_client_set_timeout(struct ois_client *client, uint64_t usec)
{
	client->timeout_usec = usec;
}

int ois_client_get_fd(const struct ois_client *client)
{
	return client->epoll;
}

int ois_client_get_events(const struct ois_client *client)
{
	return POLLIN;
}

uint64_t ois_client_get_timeout(const struct ois_client *client)
{
	uint64_t next = OIS_TIMEOUT_NONE;
	bool queued = false;

	for (const struct ois_call *call = client->calls; call; call = call->next) {
		queued = queued || call->state == CALL_QUEUED;
		if (call->deadline_usec < next)
			next = call->deadline_usec;
	}
	if (queued && can_dispatch(client) && client->retry_usec < next)
		next = client->retry_usec;
	return next;
}

int ois_client_process(struct ois_client *client)
{
	int done;

	if (client->processing)
		return -EBUSY;
	client->processing = true;
	client->now_usec = 0;
	/* What came first: it tells whether a connection can be used again. */
	done = serve_connections(client);
	reap_connections(client);
	done |= dispatch_queue(client);
	done |= expire_calls(client);
	reap_connections(client);
	client->processing = false;
	return done;
}

int ois_client_wait(struct ois_client *client, uint64_t timeout_usec)
{
	uint64_t until = ois_client_get_timeout(client), wait = until, now;
	struct pollfd pollfd = { .fd = client->epoll, .events = POLLIN };
	struct timespec time;
	bool due;
	int n;

	if (until != OIS_TIMEOUT_NONE) {
		now = now_usec();
		wait = until <= now ? 0 : until - now;
	}
	due = wait <= timeout_usec;
	if (timeout_usec < wait)
		wait = timeout_usec;
	time.tv_sec = (time_t)(wait / 1000000);
	time.tv_nsec = (long)(wait % 1000000) * 1000;
	n = ppoll(&pollfd, 1, wait == OIS_TIMEOUT_NONE ? NULL : &time, NULL);
	if (n < 0)
		return -errno;
	return n > 0 || due;
}
