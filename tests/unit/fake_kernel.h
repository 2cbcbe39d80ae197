/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A kernel and a target made of tables, in the place of kernel.c, devices.c and module.c: it
 * executes batches, answers PDUs, and tells its events one at a time from the loop. It can be told
 * to hold anything back, to lose it, or to refuse it.
 */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buffer.h"
#include "devices.h"
#include "fake_sysfs.h"
#include "kernel.h"
#include "kernel_host.h"
#include "kernel_log.h"
#include "module.h"
#include "pdu.h"
#include "poller.h"
#include "text.h"
#include "tracepoint.h"

#define FAKE_SESSIONS    64
#define FAKE_OPERATIONS  48
#define FAKE_CONNECTIONS 64
#define FAKE_PORTALS     4
#define FAKE_PORT        4242 /* of our socket */
#define FAKE_PARAMETERS  64
#define FAKE_ENDPOINTS   64
#define FAKE_NOBODY      1000 /* a portal where nobody listens */

struct fake_operation {
	enum kernel_operation operation;
	uint64_t argument;
	enum iscsi_kernel_param param;
	bool barrier;
	uint8_t header[PDU_HEADER_LENGTH];
	uint8_t data[KERNEL_PDU_DATA_MAX];
	size_t length;
};

struct kernel_batch {
	struct kernel_batch *next;
	struct kernel *kernel;
	uint32_t sid;
	size_t n;
	struct fake_operation *operations[FAKE_OPERATIONS];
	kernel_done_t done;
	void *userdata;
	struct kernel_result result;
};

struct fake_event {
	struct fake_event *next;
	enum iscsi_kernel_event_type type;
	uint32_t sid;
	unsigned error;
	uint8_t header[PDU_HEADER_LENGTH];
	struct buffer data;
};

struct kernel {
	const struct kernel_callbacks *callbacks;
	void *userdata;
	sd_event_source *turn;
	struct kernel_batch *queued, *executed;
	struct fake_event *events;
};

struct kernel_log {
	kernel_log_said_t said;
	void *userdata;
};

struct tracepoints {
	const struct tracepoint_callbacks *callbacks;
	void *userdata;
};

struct devices_scan {
	struct devices_scan *next;
	struct devices *devices;
	devices_done_t done;
	void *userdata;
	bool list, revival;
};

struct devices {
	sd_event_source *turn;
	struct devices_scan *scans;
};

struct fake_connection {
	int fd;
	sd_event_source *source;
	struct buffer in;
};

/* What happens, and what does not. */
static struct world {
	sd_event *event;
	struct kernel *kernel;
	struct devices *devices;
	struct kernel_log *log;
	struct tracepoints *tracepoints;
	bool traces; /* there are trace events */
	struct {
		bool exists, connection, bound, started;
		int fd;
		uint64_t endpoint; /* instead of fd; 0: none */
	} sessions[FAKE_SESSIONS];
	uint32_t n_sids;
	/* By handle; the lowest free one is the next. */
	struct {
		bool exists;
		bool gone; /* somebody else removed the session that was bound to it */
		unsigned portal;
		unsigned asked, polls;
	} endpoints[FAKE_ENDPOINTS];
	uint32_t host;       /* that connected last, or KERNEL_HOST_ANY */
	bool never_connects; /* a poll says that it is under way */
	int poll_error;

	int held_operation; /* batches with this one wait; -1: none */
	bool held_done;     /* not to be executed, but for their done() */
	int refused_operation, refusal;
	int submit_error; /* of whatever is submitted */
	bool lost_nop, lost_unbound, lost_logout, lost_destroyed;
	/* Logins of an adapter: the end is not told, or is this error of the connection, or FREE */
	bool lost_login, login_fails;
	unsigned login_error;
	bool held_scan, held_list, in_use, offline, stable;
	int list_error, scan_error;
	const struct sysfs_lun *units; /* what a scan finds; NULL: one disk */
	size_t n_units;
	unsigned renews;                     /* scans that also look for what is gone */
	int64_t renewed_unit;                /* of the last; -1: all */
	int renew_error;                     /* of all; 0: none */
	int64_t parameters[FAKE_PARAMETERS]; /* set last, of any session */

	/* The target */
	int listener;
	uint16_t port;
	sd_event_source *accept;
	struct fake_connection connections[FAKE_CONNECTIONS];
	uint32_t stat_sn;
	int silent_stage; /* no answer to a login request of this stage; -1: always one */
	unsigned status_class, status_detail;
	bool redirects; /* once, to itself */
	/* Its portals, 127.0.0.1 and so on */
	struct {
		unsigned moved_to; /* another portal; 0: it has not moved */
		bool for_good, closes;
		unsigned status; /* refuses with it; 0: does not */
		unsigned asked;
	} portals[1 + FAKE_PORTALS];
	/* CHAP: how more than one algorithm, or MD5 alone, is refused; how often each was offered
	 */
	enum fake_refusal {
		FAKE_TAKES,
		FAKE_REFUSES,
		FAKE_CLOSES,
	} with_list,
		with_md5;
	unsigned lists, md5s;
	bool closes;                       /* instead of an answer */
	struct fake_operation *unanswered; /* sent through the kernel */
	uint32_t unanswered_sid;
	unsigned logins, pings, logouts[3];
	struct {
		const char *answer; /* NULL: none */
		size_t length;
		unsigned empty; /* so many empty ones come first */
		unsigned asked; /* Text Requests */
	} text;

	pthread_mutex_t mutex;
	pthread_cond_t module_wakeup;
	bool held_module, in_module;
	int module_error;
} world = { .mutex = PTHREAD_MUTEX_INITIALIZER, .module_wakeup = PTHREAD_COND_INITIALIZER };

/* The transport makes the connections itself. */
static bool fake_endpoints;
/* And it is an adapter that logs in by itself; nobody else sends a PDU. */
static bool fake_adapter;

/* Something can be done now. */
static void fake_kick(void)
{
	if (world.kernel)
		(void)sd_event_source_set_enabled(world.kernel->turn, SD_EVENT_ONESHOT);
	if (world.devices)
		(void)sd_event_source_set_enabled(world.devices->turn, SD_EVENT_ONESHOT);
}

/* Counts nothing. */
int kernel_query_statistics(struct kernel *kernel, struct kernel_statistics *items, size_t n,
			    kernel_statistics_ready_t ready, void *userdata)
{
	return -ENOTCONN;
}

void kernel_statistics_done(struct kernel_statistics *statistics)
{
}

/* Has no hosts to ask anything of. */
int kernel_host_submit(struct kernel_host_request *request,
		       void (*done)(void *userdata, struct kernel_host_request *request),
		       void *userdata)
{
	(void)kernel_host_request_free(request);
	return -ENOTCONN;
}

/* Events */

static struct fake_event *fake_tell(enum iscsi_kernel_event_type type, uint32_t sid)
{
	struct fake_event *told = calloc(1, sizeof(*told)), **end = &world.kernel->events;

	assert_non_null(told);
	told->type = type;
	told->sid = sid;
	while (*end)
		end = &(*end)->next;
	*end = told;
	fake_kick();
	return told;
}

static void fake_event_free(struct fake_event *told)
{
	buffer_done(&told->data);
	free(told);
}

static void fake_deliver(struct kernel *kernel, const struct fake_event *told)
{
	const struct kernel_callbacks *callbacks = kernel->callbacks;

	switch (told->type) {
	case KERNEL_EVENT_RECEIVED_PDU:
		callbacks->pdu_received(kernel->userdata, told->sid, 0, told->header,
					told->data.data, told->data.length);
		break;
	case KERNEL_EVENT_CONNECTION_ERROR:
		callbacks->connection_failed(kernel->userdata, told->sid, 0, told->error);
		break;
	case KERNEL_EVENT_LOGIN_STATE:
		callbacks->login_ended(kernel->userdata, told->sid, told->error);
		break;
	case KERNEL_EVENT_UNBOUND_SESSION:
		callbacks->session_unbound(kernel->userdata, told->sid);
		break;
	case KERNEL_EVENT_DESTROYED_SESSION:
		callbacks->session_destroyed(kernel->userdata, told->sid);
		break;
	default:
		fail();
	}
}

static _unused_ void fake_connection_error(uint32_t sid, unsigned error)
{
	fake_tell(KERNEL_EVENT_CONNECTION_ERROR, sid)->error = error;
}

/* In sysfs. */
static void fake_forget_connection(uint32_t sid)
{
	char path[80];

	(void)snprintf(path, sizeof(path), "class/iscsi_connection/connection%u:0", sid);
	if (access(fake_path(path), F_OK) == 0)
		fake_delete(path);
}

/* The kernel ends what a connection is bound to when it is stopped. */
static void fake_unbind(uint32_t sid)
{
	if (world.sessions[sid].endpoint > 0)
		world.endpoints[world.sessions[sid].endpoint].exists = false;
	else if (world.sessions[sid].bound && !fake_endpoints)
		(void)close(world.sessions[sid].fd);
	world.sessions[sid].endpoint = 0;
}

static void fake_destroy(uint32_t sid, bool tell)
{
	char path[64];

	world.endpoints[world.sessions[sid].endpoint].gone = true;
	fake_unbind(sid);
	memset(&world.sessions[sid], 0, sizeof(world.sessions[sid]));
	fake_forget_connection(sid);
	(void)snprintf(path, sizeof(path), "class/iscsi_session/session%u", sid);
	fake_delete(path);
	if (tell)
		(void)fake_tell(KERNEL_EVENT_DESTROYED_SESSION, sid);
}

/* The target's side of a login */

static void fake_offered(const struct text_pair *pair, struct buffer *text)
{
	static const char *const declared[] = { "InitiatorName", "InitiatorAlias", "TargetName",
						"SessionType", "MaxRecvDataSegmentLength" };
	char key[64], value[256], *comma;

	(void)snprintf(key, sizeof(key), "%.*s", (int)pair->key_length, pair->key);
	(void)snprintf(value, sizeof(value), "%.*s", (int)pair->value_length, pair->value);
	for (size_t i = 0; i < ELEMENTSOF(declared); i++)
		if (strcmp(key, declared[i]) == 0)
			return;
	comma = strchr(value, ',');
	if (comma)
		*comma = '\0';
	assert_int_equal(text_write(text, key, value), 0);
}

/* Asks for MD5; whatever the response, it is right. */
static void fake_challenge(const struct text_pair *offer, struct pdu *response, struct buffer *text)
{
	bool list = memchr(offer->value, ',', offer->value_length);
	enum fake_refusal refusal = list ? world.with_list : world.with_md5;

	world.lists += list;
	world.md5s += text_value_is(offer, "5");
	world.closes = refusal == FAKE_CLOSES;
	if (refusal == FAKE_REFUSES) {
		response->login_response.status_class = 2;
		response->login_response.status_detail = 1;
		return;
	}
	assert_int_equal(text_write(text, "CHAP_A", "5"), 0);
	assert_int_equal(text_write(text, "CHAP_I", "1"), 0);
	assert_int_equal(text_write(text, "CHAP_C", "0x0123456789abcdef"), 0);
}

/* Takes the first of everything offered. */
static void fake_answer_keys(const void *data, size_t length, struct pdu *response,
			     struct buffer *text)
{
	struct text_iterator iterator;
	struct text_pair pair;
	bool first = false;

	text_iterator_init(&iterator, data, length);
	while (text_iterator_next(&iterator, &pair, NULL) > 0) {
		bool key = pair.key_length == 6 && memcmp(pair.key, "CHAP_", 5) == 0;

		if (pair.key_length == 13 && memcmp(pair.key, "InitiatorName", 13) == 0)
			first = true;
		if (key && pair.key[5] == 'A')
			fake_challenge(&pair, response, text);
		else if (!key)
			fake_offered(&pair, text);
	}
	if (first)
		assert_int_equal(text_write(text, "TargetPortalGroupTag", "1"), 0);
}

/* Redirects, or refuses, as this portal does; false: neither. */
static bool fake_send_away(unsigned number, struct pdu *response, struct buffer *text)
{
	unsigned status = world.portals[number].status;
	char portal[64] = "";

	world.portals[number].asked++;
	if (world.redirects)
		(void)snprintf(portal, sizeof(portal), "127.0.0.%u:%u,1", number, world.port);
	else if (world.portals[number].moved_to)
		(void)snprintf(portal, sizeof(portal), "127.0.0.%u:%u",
			       world.portals[number].moved_to, world.port);
	world.redirects = false;
	if (portal[0]) {
		status = world.portals[number].for_good ? 0x0102 : 0x0101;
		assert_int_equal(text_write(text, "TargetAddress", portal), 0);
	}
	if (status) {
		response->login_response.status_class = (uint8_t)(status >> 8);
		response->login_response.status_detail = (uint8_t)status;
	}
	return status != 0;
}

/* The number of the portal @fd is a connection to. */
static unsigned fake_portal(int fd, bool of_initiator)
{
	struct sockaddr_in address = { 0 };
	socklen_t length = sizeof(address);
	unsigned number;

	if (of_initiator)
		(void)getpeername(fd, (struct sockaddr *)&address, &length);
	else
		(void)getsockname(fd, (struct sockaddr *)&address, &length);
	number = ntohl(address.sin_addr.s_addr) & 0xff;
	return number <= FAKE_PORTALS ? number : 0;
}

static void fake_answer_login(const struct pdu *request, const void *data, size_t length,
			      unsigned portal, uint8_t ret[48], struct buffer *text)
{
	struct pdu response = {
		.opcode = PDU_OPCODE_LOGIN_RESPONSE,
		.itt = request->itt,
		.login_response = {
			.transit = request->login_request.transit,
			.csg = request->login_request.csg,
			.nsg = request->login_request.nsg,
			.numbers = { world.stat_sn++, request->login_request.cmd_sn,
				     request->login_request.cmd_sn + 8 },
			.status_class = (uint8_t)world.status_class,
			.status_detail = (uint8_t)world.status_detail,
		},
	};

	memcpy(response.login_response.isid, request->login_request.isid, 6);
	if (!fake_send_away(portal, &response, text) && world.status_class == 0)
		fake_answer_keys(data, length, &response, text);
	if (response.login_response.status_class)
		response.login_response.transit = false;
	if (response.login_response.transit && response.login_response.nsg == 3) {
		response.login_response.tsih = 7;
		world.logins++;
	}
	response.data_length = (uint32_t)text->length;
	pdu_encode(&response, ret);
}

static bool fake_silent(const struct pdu *request)
{
	return world.silent_stage >= 0 && request->login_request.csg == world.silent_stage;
}

/* On its own side of a socket */

static void fake_hang_up(struct fake_connection *connection)
{
	connection->source = sd_event_source_disable_unref(connection->source);
	connection->fd = close_fd(connection->fd);
	buffer_done(&connection->in);
}

static void fake_converse(struct fake_connection *connection)
{
	static const uint8_t padding[4];
	uint8_t header[PDU_HEADER_LENGTH];
	struct buffer text = { 0 };
	struct pdu request;
	size_t data;

	if (connection->in.length < PDU_HEADER_LENGTH)
		return;
	data = pdu_header_data_length(connection->in.data);
	if (connection->in.length < PDU_HEADER_LENGTH + data + pdu_padding(data))
		return;
	assert_int_equal(pdu_decode(connection->in.data, &request), 0);
	assert_int_equal(request.opcode, PDU_OPCODE_LOGIN_REQUEST);
	if (fake_silent(&request))
		return;
	fake_answer_login(&request, connection->in.data + PDU_HEADER_LENGTH, data,
			  fake_portal(connection->fd, false), header, &text);
	buffer_consume(&connection->in, PDU_HEADER_LENGTH + data + pdu_padding(data));
	if (world.closes) {
		world.closes = false;
		buffer_done(&text);
		fake_hang_up(connection);
		return;
	}
	(void)send(connection->fd, header, sizeof(header), MSG_NOSIGNAL);
	(void)send(connection->fd, text.data, text.length, MSG_NOSIGNAL);
	(void)send(connection->fd, padding, pdu_padding(text.length), MSG_NOSIGNAL);
	buffer_done(&text);
}

static int fake_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct fake_connection *connection = userdata;
	uint8_t bytes[4096];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		fake_hang_up(connection);
		return 0;
	}
	if (n > 0)
		assert_int_equal(buffer_append(&connection->in, bytes, (size_t)n), 0);
	fake_converse(connection);
	return 0;
}

static int fake_accept(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct fake_connection *connection = world.connections;

	while (connection < world.connections + FAKE_CONNECTIONS && connection->fd >= 0)
		connection++;
	assert_true(connection < world.connections + FAKE_CONNECTIONS);
	connection->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(connection->fd >= 0);
	if (world.portals[fake_portal(connection->fd, false)].closes) {
		connection->fd = close_fd(connection->fd);
		return 0;
	}
	return sd_event_add_io(world.event, &connection->source, connection->fd, EPOLLIN,
			       fake_readable, connection);
}

static _unused_ size_t fake_n_connections(void)
{
	size_t n = 0;

	for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
		n += world.connections[i].fd >= 0;
	return n;
}

/* Executing */

static void fake_pdu(uint32_t sid, const struct pdu *pdu)
{
	struct fake_event *told = fake_tell(KERNEL_EVENT_RECEIVED_PDU, sid);

	pdu_encode(pdu, told->header);
}

static int fake_login_pdu(uint32_t sid, const struct fake_operation *operation,
			  const struct pdu *request)
{
	struct fake_event *told;

	if (fake_silent(request)) {
		free(world.unanswered);
		world.unanswered = malloc(sizeof(*operation));
		assert_non_null(world.unanswered);
		*world.unanswered = *operation;
		world.unanswered_sid = sid;
		return 0;
	}
	told = fake_tell(KERNEL_EVENT_RECEIVED_PDU, sid);
	fake_answer_login(request, operation->data, operation->length,
			  fake_endpoints ? world.endpoints[world.sessions[sid].endpoint].portal
					 : fake_portal(world.sessions[sid].fd, true),
			  told->header, &told->data);
	return 0;
}

/* In Full Feature Phase */
static _unused_ void fake_answer_text(uint32_t sid)
{
	bool final = world.text.empty == 0;
	struct fake_event *told = fake_tell(KERNEL_EVENT_RECEIVED_PDU, sid);
	const struct pdu response = {
		.opcode = PDU_OPCODE_TEXT_RESPONSE,
		.data_length = final ? (uint32_t)world.text.length : 0,
		.text_response = {
			.final = final,
			.ttt = final ? PDU_TAG_RESERVED : 5,
			.numbers = { world.stat_sn++, 1, 9 },
		},
	};

	pdu_encode(&response, told->header);
	if (final)
		assert_int_equal(buffer_append(&told->data, world.text.answer, world.text.length),
				 0);
	else
		world.text.empty--;
}

static int fake_send(uint32_t sid, const struct fake_operation *operation)
{
	const struct pdu logged_out = { .opcode = PDU_OPCODE_LOGOUT_RESPONSE };
	const struct pdu pong = { .opcode = PDU_OPCODE_NOP_IN,
				  .nop_in = { .ttt = PDU_TAG_RESERVED } };
	struct pdu pdu;

	assert_false(fake_adapter);
	assert_int_equal(pdu_decode(operation->header, &pdu), 0);
	if (!world.sessions[sid].bound)
		return -ENOTCONN;
	if (pdu.opcode == PDU_OPCODE_LOGIN_REQUEST)
		return fake_login_pdu(sid, operation, &pdu);
	if (!world.sessions[sid].started)
		return -EPERM;
	if (pdu.opcode == PDU_OPCODE_LOGOUT_REQUEST) {
		world.logouts[pdu.logout_request.reason]++;
		if (!world.lost_logout)
			fake_pdu(sid, &logged_out);
	} else if (pdu.opcode == PDU_OPCODE_TEXT_REQUEST) {
		world.text.asked++;
		if (world.text.answer)
			fake_answer_text(sid);
	} else {
		assert_int_equal(pdu.opcode, PDU_OPCODE_NOP_OUT);
		world.pings++;
		if (!world.lost_nop)
			fake_pdu(sid, &pong);
	}
	return 0;
}

/* In sysfs. */
static void fake_connection_state(uint32_t sid, const char *state)
{
	char path[80];

	(void)snprintf(path, sizeof(path), "class/iscsi_connection/connection%u:0/state", sid);
	fake_put(path, state);
}

static bool fake_is_endpoint(enum kernel_operation operation)
{
	return operation == KERNEL_CONNECT_ENDPOINT || operation == KERNEL_POLL_ENDPOINT ||
	       operation == KERNEL_DISCONNECT_ENDPOINT;
}

static int fake_connect_endpoint(struct kernel_batch *batch, const struct fake_operation *operation)
{
	struct sockaddr_in address;
	uint64_t handle = 1;

	memcpy(&address, operation->data, sizeof(address));
	while (handle < FAKE_ENDPOINTS && world.endpoints[handle].exists)
		handle++;
	assert_true(handle < FAKE_ENDPOINTS);
	memset(&world.endpoints[handle], 0, sizeof(world.endpoints[handle]));
	world.endpoints[handle].exists = true;
	world.endpoints[handle].portal = ntohl(address.sin_addr.s_addr) & 0xff;
	/* Nobody listens anywhere else. */
	if (world.endpoints[handle].portal > FAKE_PORTALS || ntohs(address.sin_port) != world.port)
		world.endpoints[handle].portal = FAKE_NOBODY;
	world.host = (uint32_t)operation->argument;
	batch->result.endpoint = handle;
	return 0;
}

/* It is connected with the second question. */
static int fake_poll_endpoint(struct kernel_batch *batch, uint64_t handle)
{
	if (!world.endpoints[handle].exists)
		return -EINVAL;
	world.endpoints[handle].asked++;
	if (world.poll_error < 0 || world.endpoints[handle].portal == FAKE_NOBODY)
		return world.poll_error < 0 ? world.poll_error : -1;
	batch->result.connected = !world.never_connects && world.endpoints[handle].polls++ > 0;
	return 0;
}

static int fake_execute_endpoint(struct kernel_batch *batch, const struct fake_operation *operation)
{
	assert_int_equal(batch->sid, KERNEL_SESSION_NEW);
	if (operation->operation == KERNEL_CONNECT_ENDPOINT)
		return fake_connect_endpoint(batch, operation);
	assert_true(operation->argument > 0 && operation->argument < FAKE_ENDPOINTS);
	if (operation->operation == KERNEL_POLL_ENDPOINT)
		return fake_poll_endpoint(batch, operation->argument);
	/* Once, and only of what is still there: the number may be another one's. */
	assert_true(world.endpoints[operation->argument].exists ||
		    world.endpoints[operation->argument].gone);
	world.endpoints[operation->argument].exists = false;
	for (uint32_t sid = 0; sid < FAKE_SESSIONS; sid++)
		if (world.sessions[sid].endpoint == operation->argument)
			world.sessions[sid].endpoint = 0;
	return 0;
}

static _unused_ unsigned fake_n_endpoints(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < FAKE_ENDPOINTS; i++)
		n += world.endpoints[i].exists;
	return n;
}

/* @endpoint 0: a session that is bound to none. */
static int fake_create(struct kernel_batch *batch, uint64_t endpoint)
{
	char path[80];

	assert_int_equal(endpoint > 0, fake_endpoints);
	if (endpoint >= FAKE_ENDPOINTS || (endpoint > 0 && !world.endpoints[endpoint].exists))
		return -EINVAL;
	batch->sid = ++world.n_sids;
	assert_true(batch->sid < FAKE_SESSIONS);
	world.sessions[batch->sid].exists = true;
	(void)snprintf(path, sizeof(path), "class/iscsi_session/session%u/state", batch->sid);
	fake_put(path, "LOGGED_IN");
	batch->result.created = true;
	batch->result.sid = batch->sid;
	batch->result.host = batch->sid;
	return 0;
}

static void fake_stop(uint32_t sid)
{
	fake_unbind(sid);
	world.sessions[sid].bound = world.sessions[sid].started = false;
	fake_connection_state(sid, "failed");
}

static int fake_take_fd(uint32_t sid, int fd)
{
	world.sessions[sid].fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return world.sessions[sid].fd < 0 ? -errno : 0;
}

/* Of one that is connected, and bound to nothing else. */
static int fake_take_endpoint(uint32_t sid, uint64_t endpoint)
{
	assert_true(endpoint > 0 && endpoint < FAKE_ENDPOINTS);
	if (!world.endpoints[endpoint].exists)
		return -EINVAL;
	assert_true(world.endpoints[endpoint].polls > 0);
	for (uint32_t i = 0; i < FAKE_SESSIONS; i++)
		assert_int_not_equal(world.sessions[i].endpoint, endpoint);
	world.sessions[sid].endpoint = endpoint;
	return 0;
}

static int fake_bind(uint32_t sid, uint64_t handle)
{
	int r;

	/* Over a bound one the kernel would lose the socket it has. */
	assert_false(world.sessions[sid].bound);
	if (!world.sessions[sid].connection)
		return -EINVAL;
	r = fake_endpoints ? fake_take_endpoint(sid, handle) : fake_take_fd(sid, (int)handle);
	if (r < 0)
		return r;
	world.sessions[sid].bound = true;
	fake_connection_state(sid, "bound");
	return 0;
}

/* One that is logged in says so again. */
static void fake_log_in(uint32_t sid)
{
	bool again = world.sessions[sid].started;

	world.logins += !again;
	if (world.lost_login)
		return;
	if (world.login_error && !again)
		fake_connection_error(sid, world.login_error);
	else
		fake_tell(KERNEL_EVENT_LOGIN_STATE, sid)->error =
			world.login_fails && !again ? KERNEL_LOGIN_STATE_FREE
						    : KERNEL_LOGIN_STATE_LOGGED_IN;
}

static int fake_execute(struct kernel_batch *batch, const struct fake_operation *operation)
{
	char path[80];

	if (operation->operation == KERNEL_CREATE_SESSION)
		return fake_create(batch, operation->argument);
	if (fake_is_endpoint(operation->operation))
		return fake_execute_endpoint(batch, operation);
	if (!world.sessions[batch->sid].exists)
		return -EINVAL;
	switch (operation->operation) {
	case KERNEL_CREATE_CONNECTION:
		world.sessions[batch->sid].connection = true;
		return 0;
	case KERNEL_BIND_CONNECTION:
		return fake_bind(batch->sid, operation->argument);
	case KERNEL_SET_PARAMETER:
		world.parameters[operation->param] = (int64_t)operation->argument;
		return world.sessions[batch->sid].bound ? 0 : -ENOTCONN;
	case KERNEL_START_CONNECTION:
		/* The kernel would log in a session without a connection. */
		assert_true(world.sessions[batch->sid].bound);
		if (fake_adapter)
			fake_log_in(batch->sid);
		world.sessions[batch->sid].started = true;
		fake_connection_state(batch->sid, "up");
		return 0;
	case KERNEL_STOP_CONNECTION:
		fake_stop(batch->sid);
		return world.sessions[batch->sid].connection ? 0 : -EINVAL;
	case KERNEL_SEND_PDU:
		return fake_send(batch->sid, operation);
	case KERNEL_UNBIND_SESSION:
		(void)snprintf(path, sizeof(path), "class/iscsi_session/session%u/target_state",
			       batch->sid);
		fake_put(path, "UNBOUND");
		if (!world.lost_unbound)
			(void)fake_tell(KERNEL_EVENT_UNBOUND_SESSION, batch->sid);
		return 0;
	case KERNEL_DESTROY_CONNECTION:
		world.sessions[batch->sid].connection = false;
		fake_forget_connection(batch->sid);
		return 0;
	case KERNEL_DESTROY_SESSION:
		if (world.sessions[batch->sid].connection)
			return -EBUSY;
		fake_destroy(batch->sid, !world.lost_destroyed);
		return 0;
	default:
		return -ENOSYS;
	}
}

static bool fake_is_cleanup(enum kernel_operation operation)
{
	return operation == KERNEL_STOP_CONNECTION || operation == KERNEL_UNBIND_SESSION ||
	       operation == KERNEL_DESTROY_CONNECTION || operation == KERNEL_DESTROY_SESSION ||
	       operation == KERNEL_DISCONNECT_ENDPOINT;
}

static void fake_run(struct kernel_batch *batch)
{
	bool blocked = false;

	for (size_t i = 0; i < batch->n; i++) {
		const struct fake_operation *operation = batch->operations[i];
		int r = 0;

		if (i > 0 && batch->sid == KERNEL_SESSION_NEW)
			return;
		if (!blocked || fake_is_cleanup(operation->operation))
			r = (int)operation->operation == world.refused_operation
				    ? world.refusal
				    : fake_execute(batch, operation);
		if (r < 0 && batch->result.error == 0) {
			batch->result.error = r;
			batch->result.operation = operation->operation;
		}
		blocked = blocked || (operation->barrier && batch->result.error < 0);
	}
}

static bool fake_has(const struct kernel_batch *batch, int operation)
{
	for (size_t i = 0; batch && i < batch->n; i++)
		if ((int)batch->operations[i]->operation == operation)
			return true;
	return false;
}

/* The batch at the front is held back because of this operation. */
static _unused_ bool fake_holds(int operation)
{
	if (!world.kernel)
		return false;
	return fake_has(world.held_done ? world.kernel->executed : world.kernel->queued, operation);
}

static bool fake_may_execute(void)
{
	return world.kernel->queued &&
	       (world.held_done || !fake_has(world.kernel->queued, world.held_operation));
}

static bool fake_may_finish(void)
{
	return world.kernel->executed &&
	       (!world.held_done || !fake_has(world.kernel->executed, world.held_operation));
}

static void fake_append(struct kernel_batch **end, struct kernel_batch *batch)
{
	while (*end)
		end = &(*end)->next;
	batch->next = NULL;
	*end = batch;
}

static void fake_finish(struct kernel_batch *batch)
{
	if (batch->done)
		batch->done(batch->userdata, &batch->result);
	(void)kernel_batch_free(batch);
}

/* One thing at a time. */
static int fake_kernel_turn(sd_event_source *source, void *userdata)
{
	struct kernel *kernel = userdata;

	if (kernel->events) {
		struct fake_event *told = kernel->events;

		kernel->events = told->next;
		fake_deliver(kernel, told);
		fake_event_free(told);
	} else if (fake_may_finish()) {
		struct kernel_batch *batch = kernel->executed;

		kernel->executed = batch->next;
		fake_finish(batch);
	} else if (fake_may_execute() && !kernel->executed) {
		struct kernel_batch *batch = kernel->queued;

		kernel->queued = batch->next;
		fake_append(&kernel->executed, batch);
		fake_run(batch);
	} else {
		return 0;
	}
	fake_kick();
	return 0;
}

/* kernel.h */

const char *kernel_operation_to_string(enum kernel_operation operation)
{
	return "do something";
}

uint32_t kernel_port(const struct kernel *kernel)
{
	return FAKE_PORT;
}

uint64_t kernel_n_ignored(const struct kernel *kernel)
{
	return 0;
}

int kernel_new(struct poller *poller, const struct kernel_callbacks *callbacks, void *userdata,
	       struct kernel **ret)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));

	assert_non_null(kernel);
	kernel->callbacks = callbacks;
	kernel->userdata = userdata;
	assert_true(sd_event_add_defer(poller_event(poller), &kernel->turn, fake_kernel_turn,
				       kernel) >= 0);
	assert_true(sd_event_source_set_enabled(kernel->turn, SD_EVENT_OFF) >= 0);
	*ret = world.kernel = kernel;
	return 0;
}

static void fake_cancel(struct kernel_batch **list)
{
	while (*list) {
		struct kernel_batch *batch = *list;

		*list = batch->next;
		if (batch->result.error == 0 && !batch->result.created)
			batch->result.error = -ECANCELED;
		fake_finish(batch);
	}
}

struct kernel *kernel_free(struct kernel *kernel)
{
	if (!kernel)
		return NULL;
	fake_cancel(&kernel->executed);
	fake_cancel(&kernel->queued);
	while (kernel->events) {
		struct fake_event *told = kernel->events;

		kernel->events = told->next;
		fake_event_free(told);
	}
	kernel->turn = sd_event_source_disable_unref(kernel->turn);
	world.kernel = NULL;
	free(kernel);
	return NULL;
}

struct kernel_batch *kernel_batch_new(struct kernel *kernel, uint64_t transport_handle,
				      uint32_t sid)
{
	struct kernel_batch *batch = calloc(1, sizeof(*batch));

	assert_non_null(batch);
	batch->kernel = kernel;
	batch->sid = sid;
	batch->result.sid = sid;
	return batch;
}

struct kernel_batch *kernel_batch_free(struct kernel_batch *batch)
{
	if (!batch)
		return NULL;
	for (size_t i = 0; i < batch->n; i++)
		free(batch->operations[i]);
	free(batch);
	return NULL;
}

static struct fake_operation *fake_add(struct kernel_batch *batch, enum kernel_operation which)
{
	struct fake_operation *operation = calloc(1, sizeof(*operation));

	assert_non_null(operation);
	assert_true(batch->n < FAKE_OPERATIONS);
	operation->operation = which;
	batch->operations[batch->n++] = operation;
	return operation;
}

void kernel_batch_barrier(struct kernel_batch *batch)
{
	if (batch->n > 0)
		batch->operations[batch->n - 1]->barrier = true;
}

void kernel_batch_create_session(struct kernel_batch *batch, uint32_t initial_cmdsn,
				 uint16_t commands_max, uint16_t queue_depth)
{
	assert_int_equal(batch->sid, KERNEL_SESSION_NEW);
	fake_add(batch, KERNEL_CREATE_SESSION)->barrier = true;
}

void kernel_batch_create_bound_session(struct kernel_batch *batch, uint64_t endpoint,
				       uint32_t initial_cmdsn, uint16_t commands_max,
				       uint16_t queue_depth)
{
	kernel_batch_create_session(batch, initial_cmdsn, commands_max, queue_depth);
	batch->operations[0]->argument = endpoint;
}

void kernel_batch_connect_endpoint(struct kernel_batch *batch, uint32_t host,
				   const struct sockaddr *address, size_t length)
{
	struct fake_operation *operation = fake_add(batch, KERNEL_CONNECT_ENDPOINT);

	operation->argument = host;
	memcpy(operation->data, address, length);
}

void kernel_batch_poll_endpoint(struct kernel_batch *batch, uint64_t endpoint)
{
	fake_add(batch, KERNEL_POLL_ENDPOINT)->argument = endpoint;
}

void kernel_batch_disconnect_endpoint(struct kernel_batch *batch, uint64_t endpoint)
{
	fake_add(batch, KERNEL_DISCONNECT_ENDPOINT)->argument = endpoint;
}

void kernel_batch_update_path(struct kernel_batch *batch, uint32_t host,
			      const struct iscsi_kernel_path *path)
{
	fake_add(batch, KERNEL_UPDATE_PATH)->argument = host;
}

void kernel_batch_set_interface(struct kernel_batch *batch, uint32_t host, const void *attributes,
				size_t length)
{
	fake_add(batch, KERNEL_SET_INTERFACE)->argument = host;
}

void kernel_batch_set_host(struct kernel_batch *batch, uint32_t host, uint32_t param,
			   const char *value)
{
	fake_add(batch, KERNEL_SET_HOST)->argument = host;
}

void kernel_batch_create_connection(struct kernel_batch *batch)
{
	(void)fake_add(batch, KERNEL_CREATE_CONNECTION);
}

void kernel_batch_bind(struct kernel_batch *batch, uint64_t handle)
{
	fake_add(batch, KERNEL_BIND_CONNECTION)->argument = handle;
}

void kernel_batch_set_number(struct kernel_batch *batch, enum iscsi_kernel_param param,
			     int64_t value)
{
	struct fake_operation *operation = fake_add(batch, KERNEL_SET_PARAMETER);

	assert_true(param < FAKE_PARAMETERS);
	operation->param = param;
	operation->argument = (uint64_t)value;
}

void kernel_batch_set_string(struct kernel_batch *batch, enum iscsi_kernel_param param,
			     const char *value)
{
	assert_non_null(value);
	(void)fake_add(batch, KERNEL_SET_PARAMETER);
}

void kernel_batch_set_secret(struct kernel_batch *batch, enum iscsi_kernel_param param,
			     const struct secret *secret)
{
	kernel_batch_set_string(batch, param, "");
}

void kernel_batch_start(struct kernel_batch *batch)
{
	(void)fake_add(batch, KERNEL_START_CONNECTION);
}

void kernel_batch_stop(struct kernel_batch *batch, enum iscsi_kernel_stop how)
{
	fake_add(batch, KERNEL_STOP_CONNECTION)->argument = how;
}

void kernel_batch_send_pdu(struct kernel_batch *batch, const uint8_t header[48], const void *data,
			   size_t length)
{
	struct fake_operation *operation = fake_add(batch, KERNEL_SEND_PDU);

	memcpy(operation->header, header, PDU_HEADER_LENGTH);
	if (length > 0)
		memcpy(operation->data, data, length);
	operation->length = length;
}

void kernel_batch_unbind_session(struct kernel_batch *batch)
{
	(void)fake_add(batch, KERNEL_UNBIND_SESSION);
}

void kernel_batch_destroy_connection(struct kernel_batch *batch)
{
	(void)fake_add(batch, KERNEL_DESTROY_CONNECTION);
}

void kernel_batch_destroy_session(struct kernel_batch *batch)
{
	(void)fake_add(batch, KERNEL_DESTROY_SESSION);
}

int kernel_batch_submit(struct kernel_batch *batch, kernel_done_t done, void *userdata)
{
	assert_ptr_equal(batch->kernel, world.kernel);
	if (world.submit_error < 0) {
		(void)kernel_batch_free(batch);
		return world.submit_error;
	}
	batch->done = done;
	batch->userdata = userdata;
	fake_append(&world.kernel->queued, batch);
	fake_kick();
	return 0;
}

/* devices.h */

static int fake_devices_turn(sd_event_source *source, void *userdata)
{
	struct devices *devices = userdata;
	static const struct sysfs_lun disk = { .lun = 1, .bound = true, .block = "sda" };
	static const struct sysfs_lun missing = { .host = 9, .lun = 1 };
	static const struct sysfs_lun used = {
		.lun = 1, .bound = true, .block = "sda", .use = "sda is swap"
	};

	for (struct devices_scan **p = &devices->scans; *p; p = &(*p)->next) {
		struct devices_scan *scan = *p;
		struct devices_result result = { 0, world.in_use ? &used : &disk, 1 };

		if (scan->list ? world.held_list : world.held_scan)
			continue;
		if (!scan->list && world.units)
			result = (struct devices_result){ 0, world.units, world.n_units };
		if (scan->list && world.list_error < 0)
			result = (struct devices_result){ .error = world.list_error };
		if (!scan->list && world.scan_error < 0)
			result = (struct devices_result){ world.scan_error, &missing, 1 };
		if (scan->revival)
			result = (struct devices_result){ 0, &disk, world.offline ? 1 : 0 };
		*p = scan->next;
		scan->done(scan->userdata, &result);
		free(scan);
		fake_kick();
		return 0;
	}
	return 0;
}

/* Nothing is asked of it but by the devices, which are played here. */
int scanner_new(struct poller *poller, const struct sysfs *sysfs, const char *program,
		unsigned scans_max, struct work *loader, struct eventlog *log, struct scanner **ret)
{
	*ret = NULL;
	return 0;
}

struct scanner *scanner_free(struct scanner *scanner)
{
	return NULL;
}

int scanner_start(struct scanner *scanner)
{
	return 0;
}

int scanner_submit(struct scanner *scanner, const struct scanner_request *request,
		   scanner_told_t told, void *userdata, struct scanner_job **ret)
{
	return -EAGAIN;
}

struct scanner_job *scanner_cancel(struct scanner_job *job)
{
	return NULL;
}

int devices_new(struct poller *poller, const struct sysfs *sysfs, struct scanner *scanner,
		devices_attention_t attention, void *userdata, struct devices **ret)
{
	struct devices *devices = calloc(1, sizeof(*devices));

	assert_non_null(devices);
	assert_true(sd_event_add_defer(poller_event(poller), &devices->turn, fake_devices_turn,
				       devices) >= 0);
	assert_true(sd_event_source_set_enabled(devices->turn, SD_EVENT_OFF) >= 0);
	*ret = world.devices = devices;
	return 0;
}

struct devices *devices_free(struct devices *devices)
{
	if (!devices)
		return NULL;
	/* The sessions are gone, and have taken theirs along. */
	assert_null(devices->scans);
	devices->turn = sd_event_source_disable_unref(devices->turn);
	world.devices = NULL;
	free(devices);
	return NULL;
}

static int fake_scan(struct devices *devices, bool list, devices_done_t done, void *userdata,
		     struct devices_scan **ret)
{
	struct devices_scan *scan = calloc(1, sizeof(*scan));

	assert_non_null(scan);
	*scan = (struct devices_scan){
		.next = devices->scans,
		.devices = devices,
		.done = done,
		.userdata = userdata,
		.list = list,
	};
	devices->scans = scan;
	fake_kick();
	*ret = scan;
	return 0;
}

int devices_scan(struct devices *devices, uint32_t sid, uint32_t host, const uint64_t *lun,
		 uint64_t timeout_usec, devices_done_t done, void *userdata,
		 struct devices_scan **ret)
{
	return fake_scan(devices, false, done, userdata, ret);
}

int devices_renew(struct devices *devices, uint32_t sid, uint32_t host, const uint64_t *lun,
		  uint64_t timeout_usec, devices_done_t done, void *userdata,
		  struct devices_scan **ret)
{
	world.renews++;
	world.renewed_unit = lun ? (int64_t)*lun : -1;
	if (world.renew_error < 0)
		return world.renew_error;
	return fake_scan(devices, false, done, userdata, ret);
}

int devices_list(struct devices *devices, uint32_t sid, uint32_t host, bool in_use,
		 devices_done_t done, void *userdata, struct devices_scan **ret)
{
	return fake_scan(devices, true, done, userdata, ret);
}

int devices_revive(struct devices *devices, uint32_t sid, uint32_t host, bool stable,
		   devices_done_t done, void *userdata, struct devices_scan **ret)
{
	int r = fake_scan(devices, true, done, userdata, ret);

	if (r >= 0)
		(*ret)->revival = true;
	world.stable |= stable;
	return r;
}

struct devices_scan *devices_scan_cancel(struct devices_scan *scan)
{
	if (!scan)
		return NULL;
	for (struct devices_scan **p = &scan->devices->scans; *p; p = &(*p)->next)
		if (*p == scan) {
			*p = scan->next;
			free(scan);
			return NULL;
		}
	fail_msg("a scan was cancelled that had ended");
	return NULL;
}

/* kernel_log.h and tracepoint.h; the test says what they tell */

int kernel_log_new(sd_event *event, const char *path, kernel_log_said_t said, void *userdata,
		   struct kernel_log **ret)
{
	struct kernel_log *log = calloc(1, sizeof(*log));

	assert_non_null(log);
	*log = (struct kernel_log){ said, userdata };
	*ret = world.log = log;
	return 0;
}

struct kernel_log *kernel_log_free(struct kernel_log *log)
{
	world.log = NULL;
	free(log);
	return NULL;
}

void kernel_log_look(struct kernel_log *log, unsigned error)
{
}

int tracepoints_new(sd_event *event, const char *sysfs, struct work *work,
		    const struct tracepoint_callbacks *callbacks, void *userdata,
		    struct tracepoints **ret)
{
	struct tracepoints *tracepoints = calloc(1, sizeof(*tracepoints));

	assert_non_null(tracepoints);
	*tracepoints = (struct tracepoints){ callbacks, userdata };
	*ret = world.tracepoints = tracepoints;
	return 0;
}

struct tracepoints *tracepoints_free(struct tracepoints *tracepoints)
{
	world.tracepoints = NULL;
	free(tracepoints);
	return NULL;
}

bool tracepoints_active(const struct tracepoints *tracepoints)
{
	return tracepoints && world.traces;
}

void tracepoints_look(struct tracepoints *tracepoints)
{
}

static void fake_load(const char *transport)
{
	char path[80];

	(void)snprintf(path, sizeof(path), "class/iscsi_transport/%s/handle", transport);
	fake_put(path, "4711");
	(void)snprintf(path, sizeof(path), "class/iscsi_transport/%s/caps", transport);
	fake_put(path, strcmp(transport, "tcp") == 0 ? "0x39" : "0x89");
}

/* module.h; in a worker thread */

int module_load(const char *name)
{
	int r;

	pthread_mutex_lock(&world.mutex);
	world.in_module = true;
	while (world.held_module)
		pthread_cond_wait(&world.module_wakeup, &world.mutex);
	world.in_module = false;
	r = world.module_error;
	if (r == 0)
		fake_load(strcmp(name, "ib_iser") == 0 ? "iser" : "tcp");
	pthread_mutex_unlock(&world.mutex);
	return r;
}

/* The whole */

static _unused_ void fake_world_begin(sd_event *event)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);

	memset(world.portals, 0, sizeof(world.portals));
	memset(world.sessions, 0, sizeof(world.sessions));
	memset(world.endpoints, 0, sizeof(world.endpoints));
	world.event = event;
	world.n_sids = 0;
	world.stat_sn = 1000;
	world.held_operation = world.refused_operation = world.silent_stage = -1;
	for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
		world.connections[i].fd = -EBADF;
	world.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(world.listener >= 0);
	assert_int_equal(bind(world.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(world.listener, 64), 0);
	assert_int_equal(getsockname(world.listener, (struct sockaddr *)&address, &length), 0);
	world.port = ntohs(address.sin_port);
	assert_true(sd_event_add_io(event, &world.accept, world.listener, EPOLLIN, fake_accept,
				    NULL) >= 0);
}

/* Everything that was held back happens now. */
static _unused_ void fake_release(void)
{
	_cleanup_free_ struct fake_operation *unanswered = TAKE_PTR(world.unanswered);

	pthread_mutex_lock(&world.mutex);
	world.held_module = false;
	pthread_cond_broadcast(&world.module_wakeup);
	pthread_mutex_unlock(&world.mutex);
	world.held_operation = world.refused_operation = world.silent_stage = -1;
	world.held_done = world.held_scan = world.held_list = false;
	world.never_connects = false;
	world.poll_error = 0;
	world.lost_login = world.login_fails = false;
	world.login_error = 0;
	world.lost_nop = world.lost_unbound = world.lost_logout = world.lost_destroyed = false;
	world.status_class = world.status_detail = 0;
	world.list_error = world.scan_error = world.submit_error = 0;
	if (unanswered && world.kernel)
		(void)fake_send(world.unanswered_sid, unanswered);
	for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
		if (world.connections[i].fd >= 0)
			fake_converse(&world.connections[i]);
	fake_kick();
}

static _unused_ void fake_world_end(void)
{
	for (uint32_t sid = 0; sid < FAKE_SESSIONS; sid++)
		if (world.sessions[sid].exists)
			fake_destroy(sid, false);
	for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
		if (world.connections[i].fd >= 0)
			fake_hang_up(&world.connections[i]);
	world.accept = sd_event_source_disable_unref(world.accept);
	world.listener = close_fd(world.listener);
	memset(world.logouts, 0, sizeof(world.logouts));
	world.logins = world.pings = 0;
	world.offline = world.stable = false;
	world.in_use = world.redirects = world.closes = world.traces = false;
	memset(&world.text, 0, sizeof(world.text));
	world.units = NULL;
	world.renews = 0;
	world.with_list = world.with_md5 = FAKE_TAKES;
	world.lists = world.md5s = 0;
	free(TAKE_PTR(world.unanswered));
}
