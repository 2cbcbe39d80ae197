// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's control interface without a kernel: events with every malformed length, and batches
 * against a stand-in that answers on a socket pair what a row tells it to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection_error.h"
#include "event.h"
#include "kernel_private.h"
#include "secret.h"

#define BHS 48

/* Events */

static struct {
	unsigned n_pdus, n_failed, n_created, n_unbound, n_destroyed, n_told, n_paths, n_down,
		n_logins;
	uint32_t sid, cid, host;
	unsigned error;
	uint8_t header[BHS];
	uint8_t data[KERNEL_PDU_DATA_MAX];
	size_t length;
	uint64_t transport_handle;
	struct iscsi_kernel_path path;
} seen;

static void on_pdu(void *userdata, uint32_t sid, uint32_t cid, const uint8_t header[48],
		   const void *data, size_t length)
{
	assert_ptr_equal(userdata, &seen);
	assert_true(length <= sizeof(seen.data));
	seen.n_pdus++;
	seen.sid = sid;
	seen.cid = cid;
	seen.length = length;
	memcpy(seen.header, header, BHS);
	memcpy(seen.data, data, length);
}

static void on_failed(void *userdata, uint32_t sid, uint32_t cid, unsigned error)
{
	seen.n_failed++;
	seen.sid = sid;
	seen.cid = cid;
	seen.error = error;
}

static void on_login(void *userdata, uint32_t sid, unsigned state)
{
	seen.n_logins++;
	seen.sid = sid;
	seen.error = state;
}

static void on_created(void *userdata, uint32_t sid, uint32_t host)
{
	seen.n_created++;
	seen.sid = sid;
	seen.host = host;
}

static void on_unbound(void *userdata, uint32_t sid)
{
	seen.n_unbound++;
	seen.sid = sid;
}

static void on_destroyed(void *userdata, uint32_t sid)
{
	seen.n_destroyed++;
	seen.sid = sid;
}

static void on_host(void *userdata, uint32_t host, uint32_t code)
{
	seen.n_told++;
	seen.host = host;
	seen.error = code;
}

static void on_ping(void *userdata, uint32_t host, uint32_t cookie, uint32_t status)
{
	seen.n_told++;
	seen.host = host;
	seen.cid = cookie;
	seen.error = status;
}

static void on_path(void *userdata, uint64_t transport_handle, uint32_t host,
		    const struct iscsi_kernel_path *path)
{
	seen.n_paths++;
	seen.transport_handle = transport_handle;
	seen.host = host;
	seen.path = *path;
}

static void on_down(void *userdata, uint64_t transport_handle, uint32_t host)
{
	seen.n_down++;
	seen.transport_handle = transport_handle;
	seen.host = host;
}

static const struct kernel_callbacks callbacks = {
	.pdu_received = on_pdu,
	.connection_failed = on_failed,
	.login_ended = on_login,
	.session_created = on_created,
	.session_unbound = on_unbound,
	.session_destroyed = on_destroyed,
	.host_told = on_host,
	.ping_done = on_ping,
	.path_requested = on_path,
	.interface_down = on_down,
};

/* In memory of exactly its size, so that a sanitizer sees the first byte read beyond it. */
static unsigned dispatch(const void *bytes, size_t length)
{
	uint8_t *exact = malloc(length > 0 ? length : 1);
	unsigned n_ignored;

	assert_non_null(exact);
	memcpy(exact, bytes, length);
	memset(&seen, 0, sizeof(seen));
	n_ignored = kernel_dispatch_events(&callbacks, &seen, exact, length);
	free(exact);
	return n_ignored;
}

static unsigned n_seen(void)
{
	return seen.n_pdus + seen.n_failed + seen.n_created + seen.n_unbound + seen.n_destroyed +
	       seen.n_told + seen.n_paths + seen.n_down + seen.n_logins;
}

/* Offsets are written as numbers here: they are the kernel's, not those of our structure. */
static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static void make_event(uint8_t message[72], uint32_t type, uint32_t r0, uint32_t r1, uint32_t r2)
{
	/* Events contain garbage where nothing is defined. */
	memset(message, 0xa5, 72);
	memset(message, 0, 16);
	put32(message, 72);
	put32(message + 16, type);
	put32(message + 16 + 40, r0);
	put32(message + 16 + 44, r1);
	put32(message + 16 + 48, r2);
}

static void paths(void **state)
{
	static const uint32_t wrong[] = { 0, 5, 17, UINT32_MAX };
	uint8_t message[136];

	make_event(message, 107, 3, 0, 0);
	memset(message + 72, 0, 64);
	put32(message, 136);
	put32(message + 16 + 8, 0x1234);
	put32(message + 16 + 12, 0);
	put32(message + 72, 77);
	put32(message + 72 + 20, 4);
	memcpy(message + 72 + 40, "\xc0\x00\x02\x01", 4);
	message[72 + 58] = 0xdc;
	message[72 + 59] = 5;
	assert_int_equal(dispatch(message, 136), 0);
	assert_int_equal(seen.n_paths, 1);
	assert_int_equal(n_seen(), 1);
	assert_int_equal(seen.host, 3);
	assert_int_equal(seen.transport_handle, 0x1234);
	assert_int_equal(seen.path.handle, 77);
	assert_memory_equal(seen.path.target, "\xc0\x00\x02\x01", 4);
	assert_int_equal(seen.path.mtu, 1500);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		put32(message + 72 + 20, wrong[i]);
		assert_int_equal(dispatch(message, 136), 1);
		assert_int_equal(n_seen(), 0);
	}
	put32(message, 132);
	assert_int_equal(dispatch(message, 132), 1);
	assert_int_equal(n_seen(), 0);

	make_event(message, 108, 4, 0, 0);
	assert_int_equal(dispatch(message, 72), 0);
	assert_int_equal(seen.n_down, 1);
	assert_int_equal(seen.host, 4);
}

/* A PDU with @length bytes of data, padded as the kernel does. Returns the length of the message.
 */
static size_t make_pdu(uint8_t *message, size_t length)
{
	size_t total = 72 + BHS + length;

	make_event(message, 101, 7, 0, 0);
	memset(message + 72, 0, BHS);
	message[72] = 0x23;
	message[72 + 5] = (uint8_t)(length >> 16);
	message[72 + 6] = (uint8_t)(length >> 8);
	message[72 + 7] = (uint8_t)length;
	for (size_t i = 0; i < length; i++)
		message[72 + BHS + i] = (uint8_t)(i * 31 + 1);
	for (; total % 4 != 0; total++)
		message[total] = 0xee;
	put32(message, (uint32_t)total);
	return total;
}

static void events(void **state)
{
	uint8_t message[72];

	make_event(message, 102, 5, 0, 1022);
	assert_int_equal(dispatch(message, 72), 0);
	assert_int_equal(seen.n_failed, 1);
	assert_int_equal(n_seen(), 1);
	assert_int_equal(seen.sid, 5);
	assert_int_equal(seen.cid, 0);
	assert_int_equal(seen.error, 1022);

	make_event(message, 106, 6, 3, 0);
	assert_int_equal(dispatch(message, 72), 0);
	assert_int_equal(seen.n_created, 1);
	assert_int_equal(seen.sid, 6);
	assert_int_equal(seen.host, 3);

	make_event(message, 105, 8, 3, 0);
	assert_int_equal(dispatch(message, 72), 0);
	assert_int_equal(seen.n_unbound, 1);
	assert_int_equal(seen.sid, 8);

	/* Host first: the other way round than in all others. */
	make_event(message, 104, 3, 9, 0);
	assert_int_equal(dispatch(message, 72), 0);
	assert_int_equal(seen.n_destroyed, 1);
	assert_int_equal(seen.sid, 9);

	make_event(message, 109, 7, 0, 3);
	assert_int_equal(dispatch(message, 72), 0);
	assert_int_equal(seen.n_logins, 1);
	assert_int_equal(seen.sid, 7);
	assert_int_equal(seen.error, 3);
	make_event(message, 110, 3, 0, 2);
	assert_int_equal(dispatch(message, 72), 0);
	assert_int_equal(seen.n_told, 1);
	assert_int_equal(seen.host, 3);
	assert_int_equal(seen.error, KERNEL_HOST_LINK_DOWN);

	make_event(message, 111, 3, 9, 4711);
	assert_int_equal(dispatch(message, 72), 0);
	assert_int_equal(seen.n_told, 1);
	assert_int_equal(seen.host, 3);
	assert_int_equal(seen.cid, 4711);
	assert_int_equal(seen.error, KERNEL_PING_NO_ARP);
}

static void pdus(void **state)
{
	static const size_t lengths[] = { 0, 1, 3, 4, 5, 512, 8191, KERNEL_PDU_DATA_MAX };
	static uint8_t message[KERNEL_EVENT_MAX];

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t total = make_pdu(message, lengths[i]);

		assert_int_equal(dispatch(message, total), 0);
		assert_int_equal(seen.n_pdus, 1);
		assert_int_equal(seen.sid, 7);
		assert_int_equal(seen.length, lengths[i]);
		assert_memory_equal(seen.header, message + 72, BHS);
		assert_memory_equal(seen.data, message + 72 + BHS, lengths[i]);
	}
}

/* Whatever is cut off at whichever byte: nothing is called, one message is counted, nothing is read
 * beyond. */
static void truncated_pdu(void **state)
{
	uint8_t message[72 + BHS + 64];
	size_t total = make_pdu(message, 61);

	assert_int_equal(total, sizeof(message));
	assert_int_equal(dispatch(message, 0), 0);
	assert_int_equal(n_seen(), 0);
	for (size_t length = 1; length < total; length++) {
		/* The datagram is shorter than the message says. */
		make_pdu(message, 61);
		assert_int_equal(dispatch(message, length), 1);
		assert_int_equal(n_seen(), 0);
		/* The message itself is short. The last three bytes are padding, which nobody
		 * needs. */
		put32(message, (uint32_t)length);
		if (length < total - 3) {
			assert_int_equal(dispatch(message, length), 1);
			assert_int_equal(n_seen(), 0);
		}
	}
}

static void lengths_that_lie(void **state)
{
	static const uint32_t bad[] = { 0,  1,  15,         16,         17,         71,
					73, 76, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff };
	uint8_t message[72], pdu[72 + BHS + 4];
	size_t total;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		make_event(message, 102, 5, 0, 1022);
		put32(message, bad[i]);
		assert_true(dispatch(message, sizeof(message)) > 0);
		assert_int_equal(n_seen(), 0);
	}
	/* A data segment longer than what came. */
	for (uint32_t length = 5; length < 0x1000000; length = length * 3 + 1) {
		total = make_pdu(pdu, 4);
		pdu[72 + 5] = (uint8_t)(length >> 16);
		pdu[72 + 6] = (uint8_t)(length >> 8);
		pdu[72 + 7] = (uint8_t)length;
		assert_int_equal(dispatch(pdu, total), 1);
		assert_int_equal(n_seen(), 0);
	}
}

static void other_events(void **state)
{
	uint8_t message[72];

	/* Of adapters, answers to other programs, and numbers of kernels to come. */
	static const uint32_t types[] = { 0, 20, 33, 42, 103, 112, UINT32_MAX };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		make_event(message, types[i], 1, 2, 3);
		assert_int_equal(dispatch(message, 72), 0);
		assert_int_equal(n_seen(), 0);
	}
	/* A reply does not belong on this socket. */
	make_event(message, 102, 1, 2, 3);
	message[4] = 18;
	assert_int_equal(dispatch(message, 72), 1);
	assert_int_equal(n_seen(), 0);
}

static void several_in_a_datagram(void **state)
{
	uint8_t datagram[3 * 72 + BHS + 8];
	size_t length;

	make_event(datagram, 106, 1, 2, 0);
	length = 72 + make_pdu(datagram + 72, 6);
	make_event(datagram + length, 102, 1, 0, 1020);
	assert_int_equal(dispatch(datagram, length + 72), 0);
	assert_int_equal(seen.n_created, 1);
	assert_int_equal(seen.n_pdus, 1);
	assert_int_equal(seen.n_failed, 1);
	/* One that makes no sense does not hide the next. */
	datagram[4] = 1;
	assert_int_equal(dispatch(datagram, length + 72), 1);
	assert_int_equal(n_seen(), 2);
}

static void no_callbacks(void **state)
{
	static const struct kernel_callbacks none = { 0 };
	uint8_t message[72 + BHS + 4];

	for (uint32_t type = 100; type < 112; type++) {
		make_pdu(message, 4);
		put32(message + 16, type);
		/* No path is that short. */
		assert_int_equal(kernel_dispatch_events(&none, NULL, message, sizeof(message)),
				 type == 107);
	}
}

/* The answer to GET_STATS, as the kernel lays it out: offsets are its own. */
static size_t make_statistics(uint8_t *message, uint32_t sid, uint32_t n_custom)
{
	uint64_t value;

	make_event(message, 20, 0, 0, 0);
	value = 0x1122334455667788;
	memcpy(message + 16 + 8, &value, sizeof(value));
	put32(message + 16 + 16, sid);
	put32(message + 16 + 20, 0);
	memset(message + 72, 0, 96);
	value = 5000000000;
	memcpy(message + 72, &value, sizeof(value));
	value = 7;
	memcpy(message + 72 + 8, &value, sizeof(value));
	for (uint32_t i = 0; i < 19; i++)
		put32(message + 72 + 16 + 4 * i, 100 + i);
	put32(message + 72 + 92, n_custom);
	for (uint32_t i = 0; i < n_custom; i++) {
		memset(message + 72 + 96 + 72 * i, 'x', 64);
		value = 40 + i;
		memcpy(message + 72 + 96 + 72 * i + 64, &value, sizeof(value));
	}
	return 72 + 96 + 72 * n_custom;
}

static void statistics(void **state)
{
	struct kernel_statistics item = { .sid = 9, .transport_handle = 0x1122334455667788 };
	uint8_t message[72 + 96 + 3 * 72];
	size_t length = make_statistics(message, 9, 3);

	assert_int_equal(kernel_statistics_parse(&item, message, length), 1);
	assert_int_equal(item.transmitted_bytes, 5000000000);
	assert_int_equal(item.received_bytes, 7);
	assert_int_equal(item.counters[KERNEL_COUNTER_NOOP_OUT], 100);
	assert_int_equal(item.counters[KERNEL_COUNTER_DATA_IN], 112);
	assert_int_equal(item.counters[KERNEL_COUNTER_TIMEOUT_ERROR], 118);
	assert_int_equal(item.n_custom, 3);
	assert_int_equal(strlen(item.custom[2].name), 63);
	assert_int_equal(item.custom[2].value, 42);

	/* Too short for what it claims, of another session, of another transport, a reply. */
	for (size_t shorter = 0; shorter < length; shorter++)
		assert_int_equal(kernel_statistics_parse(&item, message, shorter), 0);
	put32(message + 72 + 92, UINT32_MAX);
	assert_int_equal(kernel_statistics_parse(&item, message, length), 0);
	length = make_statistics(message, 8, 0);
	assert_int_equal(kernel_statistics_parse(&item, message, length), 0);
	length = make_statistics(message, 9, 0);
	item.transport_handle = 1;
	assert_int_equal(kernel_statistics_parse(&item, message, length), 0);
	item.transport_handle = 0x1122334455667788;
	message[4] = 20;
	assert_int_equal(kernel_statistics_parse(&item, message, length), 0);
	message[4] = 0;
	assert_int_equal(kernel_statistics_parse(&item, message, length), 1);
	kernel_statistics_done(&item);
}

/* Random datagrams must only be survived; the sanitizer judges. */
static void random_datagrams(void **state)
{
	uint8_t datagram[400];
	uint32_t random = 12345;

	for (unsigned i = 0; i < 20000; i++) {
		size_t length;

		for (size_t j = 0; j < sizeof(datagram); j++) {
			random = random * 1664525 + 1013904223;
			datagram[j] = (uint8_t)(random >> 24);
		}
		length = random % sizeof(datagram);
		put32(datagram, random >> 8 & 0x1ff);
		datagram[4] = datagram[5] = 0;
		put32(datagram + 16, 100 + (random >> 20) % 12);
		(void)dispatch(datagram, length);
	}
}

static void names(void **state)
{
	for (unsigned code = 1001; code <= 1022; code++) {
		const struct connection_error *row = connection_error_get(code);

		assert_non_null(row);
		assert_int_equal(row->code, code);
		assert_non_null(row->text);
		assert_true(row->event == 0 || event_type_get(row->event));
		assert_int_equal(row->action == CONNECTION_ERROR_REMOVE,
				 code == KERNEL_ERROR_INVALID_HOST);
	}
	assert_string_equal(connection_error_get(KERNEL_ERROR_HEADER_DIGEST)->text,
			    "header digest error");
	assert_null(connection_error_get(0));
	assert_null(connection_error_get(1000));
	assert_null(connection_error_get(1023));
	assert_null(connection_error_get(UINT32_MAX));
	for (unsigned i = 0; i < _KERNEL_OPERATION_MAX; i++)
		assert_non_null(kernel_operation_to_string(i));
	assert_null(kernel_operation_to_string(_KERNEL_OPERATION_MAX));
}

/* Batches */

#define HANDLE   0xffffffffa0123456ULL
#define NO_REPLY INT32_MIN

/* What the stand-in answers to the nth message it gets; unnamed ones succeed. */
struct answer {
	unsigned at;
	int32_t interface_error; /* or NO_REPLY */
	int32_t retcode;
};

static struct stand_in {
	int fd;
	pthread_t thread;
	const struct answer *answers;
	size_t n_answers;
	/* What came: messages in order, and the number of datagrams. */
	struct {
		uint16_t type;
		uint32_t sid;
		size_t length;
		uint8_t bytes[256];
	} messages[200];
	unsigned n_messages, n_datagrams;
} stand_in;

static struct kernel_channel channel;

static void answer(const uint8_t *message, unsigned at)
{
	uint8_t reply[72];

	memcpy(reply, message, sizeof(reply));
	put32(reply, 72);
	memset(reply + 16 + 40, 0, 16);
	if (message[4] == 11 || message[4] == 28) {
		put32(reply + 16 + 40, 77);
		put32(reply + 16 + 44, 5);
	}
	for (size_t i = 0; i < stand_in.n_answers; i++) {
		const struct answer *row = &stand_in.answers[i];

		if (row->at != at)
			continue;
		if (row->interface_error == NO_REPLY)
			return;
		if (row->interface_error != 0) {
			put32(reply + 16, 103);
			put32(reply + 16 + 4, (uint32_t)row->interface_error);
		}
		put32(reply + 16 + 40, (uint32_t)row->retcode);
	}
	assert_int_equal(send(stand_in.fd, reply, sizeof(reply), 0), sizeof(reply));
}

static void *stand_in_main(void *argument)
{
	static uint8_t datagram[256 * 1024];
	ssize_t length;

	while ((length = recv(stand_in.fd, datagram, sizeof(datagram), 0)) > 0) {
		stand_in.n_datagrams++;
		for (size_t at = 0; at < (size_t)length;) {
			size_t size = get32(datagram + at);
			unsigned n = stand_in.n_messages++;

			assert_true(size >= 72 && size <= (size_t)length - at);
			assert_true(n < 200);
			memcpy(&stand_in.messages[n].type, datagram + at + 4, 2);
			stand_in.messages[n].sid = get32(datagram + at + 32);
			stand_in.messages[n].length = size;
			memcpy(stand_in.messages[n].bytes, datagram + at, size < 256 ? size : 256);
			answer(datagram + at, n);
			at += (size + 3) & ~(size_t)3;
		}
	}
	return NULL;
}

static void start_stand_in(const struct answer *answers, size_t n)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	memset(&stand_in, 0, sizeof(stand_in));
	stand_in.fd = pair[1];
	stand_in.answers = answers;
	stand_in.n_answers = n;
	channel = (struct kernel_channel){ .fd = pair[0], .timeout_msec = 20000 };
	assert_int_equal(pthread_create(&stand_in.thread, NULL, stand_in_main, NULL), 0);
}

static void stop_stand_in(void)
{
	close(channel.fd);
	pthread_join(stand_in.thread, NULL);
	close(stand_in.fd);
}

static void expect_types(const uint16_t *types, size_t n)
{
	assert_int_equal(stand_in.n_messages, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(stand_in.messages[i].type, types[i]);
}

#define EXPECT_TYPES(...)                                                                          \
	do {                                                                                       \
		static const uint16_t types[] = { __VA_ARGS__ };                                   \
		expect_types(types, sizeof(types) / sizeof(types[0]));                             \
	} while (0)

static struct kernel_batch *login_batch(void)
{
	struct kernel_batch *batch = kernel_batch_new(NULL, HANDLE, KERNEL_SESSION_NEW);

	assert_non_null(batch);
	kernel_batch_create_session(batch, 1234, 128, 32);
	kernel_batch_create_connection(batch);
	kernel_batch_bind(batch, 42);
	kernel_batch_barrier(batch);
	kernel_batch_set_number(batch, KERNEL_PARAM_MAX_RECV_DLENGTH, 262144);
	kernel_batch_set_string(batch, KERNEL_PARAM_TARGET_NAME, "iqn.2003-01.org.example:x");
	kernel_batch_barrier(batch);
	kernel_batch_start(batch);
	return batch;
}

static void login(void **state)
{
	_cleanup_(kernel_batch_freep) struct kernel_batch *batch = login_batch();
	const uint8_t *bytes;

	start_stand_in(NULL, 0);
	kernel_batch_execute(batch, &channel);
	stop_stand_in();
	assert_int_equal(batch->result.error, 0);
	assert_true(batch->result.created);
	assert_int_equal(batch->result.sid, 77);
	assert_int_equal(batch->result.host, 5);
	EXPECT_TYPES(11, 13, 15, 16, 16, 17);
	/* One datagram up to each barrier. */
	assert_int_equal(stand_in.n_datagrams, 4);
	for (unsigned i = 1; i < stand_in.n_messages; i++)
		assert_int_equal(stand_in.messages[i].sid, 77);
	for (unsigned i = 0; i < stand_in.n_messages; i++) {
		uint64_t handle;

		memcpy(&handle, stand_in.messages[i].bytes + 16 + 8, sizeof(handle));
		assert_true(handle == HANDLE);
		assert_int_equal(get32(stand_in.messages[i].bytes + 16), stand_in.messages[i].type);
	}
	bytes = stand_in.messages[0].bytes + 16;
	assert_int_equal(get32(bytes + 16), 1234);
	assert_int_equal(get32(bytes + 20), 32 << 16 | 128);
	bytes = stand_in.messages[2].bytes + 16;
	assert_int_equal(get32(bytes + 20), 0);
	assert_int_equal(get32(bytes + 24), 42);
	assert_int_equal(get32(bytes + 32), 1);
	bytes = stand_in.messages[3].bytes + 16;
	assert_int_equal(get32(bytes + 24), 0);
	assert_int_equal(get32(bytes + 28), 7);
	assert_string_equal((const char *)bytes + 56, "262144");
	assert_int_equal(stand_in.messages[3].length, 72 + 7);
	bytes = stand_in.messages[4].bytes + 16;
	assert_int_equal(get32(bytes + 24), 15);
	assert_int_equal(get32(bytes + 28), 26);
	assert_string_equal((const char *)bytes + 56, "iqn.2003-01.org.example:x");
}

static void failures(void **state)
{
	/* Which message of login_batch() fails, how, and how many are sent then. */
	static const struct {
		struct answer answer;
		int error;
		enum kernel_operation operation;
		unsigned n_messages;
		bool created;
	} rows[] = {
		{ { 0, -ENOMEM, 0 }, -ENOMEM, KERNEL_CREATE_SESSION, 1, false },
		{ { 0, -EPERM, 0 }, -EPERM, KERNEL_CREATE_SESSION, 1, false },
		{ { 1, -ENOMEM, 0 }, -ENOMEM, KERNEL_CREATE_CONNECTION, 3, true },
		/* Both ways to fail. */
		{ { 2, -EINVAL, 0 }, -EINVAL, KERNEL_BIND_CONNECTION, 3, true },
		{ { 2, 0, -EEXIST }, -EEXIST, KERNEL_BIND_CONNECTION, 3, true },
		{ { 3, -ENOTCONN, 0 }, -ENOTCONN, KERNEL_SET_PARAMETER, 5, true },
		{ { 5, 0, -EINVAL }, -EINVAL, KERNEL_START_CONNECTION, 6, true },
		/* A retcode counts only where it means something. */
		{ { 1, 0, -EINVAL }, 0, 0, 6, true },
		{ { 4, 0, -EINVAL }, 0, 0, 6, true },
		/* Errors that are no errno. */
		{ { 2, 0, 1 }, -EIO, KERNEL_BIND_CONNECTION, 3, true },
		{ { 2, 5000, 0 }, -EIO, KERNEL_BIND_CONNECTION, 3, true },
		{ { 2, -5000, 0 }, -EIO, KERNEL_BIND_CONNECTION, 3, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(kernel_batch_freep) struct kernel_batch *batch = login_batch();

		start_stand_in(&rows[i].answer, 1);
		kernel_batch_execute(batch, &channel);
		stop_stand_in();
		assert_int_equal(batch->result.error, rows[i].error);
		assert_int_equal(batch->result.operation, rows[i].operation);
		assert_int_equal(batch->result.created, rows[i].created);
		assert_int_equal(stand_in.n_messages, rows[i].n_messages);
		if (rows[i].created)
			assert_int_equal(batch->result.sid, 77);
	}
}

/* A text like any other, and nothing where there is none. */
static void secrets(void **state)
{
	_cleanup_(kernel_batch_freep) struct kernel_batch *batch = kernel_batch_new(NULL, 1, 9);
	_cleanup_(secret_freep) struct secret *secret = NULL;

	assert_int_equal(secret_new("sesame", 6, &secret), 0);
	kernel_batch_set_secret(batch, KERNEL_PARAM_PASSWORD, secret);
	kernel_batch_set_secret(batch, KERNEL_PARAM_PASSWORD_IN, NULL);
	start_stand_in(NULL, 0);
	kernel_batch_execute(batch, &channel);
	stop_stand_in();
	EXPECT_TYPES(16, 16);
	assert_int_equal(get32(stand_in.messages[0].bytes + 40), 24);
	assert_int_equal(get32(stand_in.messages[0].bytes + 44), 7);
	assert_string_equal((const char *)stand_in.messages[0].bytes + 72, "sesame");
	assert_int_equal(get32(stand_in.messages[1].bytes + 40), 25);
	assert_int_equal(get32(stand_in.messages[1].bytes + 44), 1);
	assert_string_equal((const char *)stand_in.messages[1].bytes + 72, "");
}

static void cleanup_goes_on(void **state)
{
	static const struct answer bad = { .at = 1, .interface_error = -EINVAL };
	_cleanup_(kernel_batch_freep) struct kernel_batch *batch = kernel_batch_new(NULL, 1, 9);
	const uint8_t *stop;

	kernel_batch_set_number(batch, KERNEL_PARAM_ABORT_TIMEOUT, 15);
	kernel_batch_stop(batch, KERNEL_STOP_TERMINATE);
	kernel_batch_barrier(batch);
	kernel_batch_bind(batch, 3);
	kernel_batch_unbind_session(batch);
	kernel_batch_destroy_connection(batch);
	kernel_batch_start(batch);
	kernel_batch_barrier(batch);
	kernel_batch_start(batch);
	kernel_batch_barrier(batch);
	kernel_batch_destroy_session(batch);
	start_stand_in(&bad, 1);
	kernel_batch_execute(batch, &channel);
	stop_stand_in();
	assert_int_equal(batch->result.error, -EINVAL);
	assert_int_equal(batch->result.operation, KERNEL_STOP_CONNECTION);
	assert_int_equal(batch->result.sid, 9);
	assert_false(batch->result.created);
	EXPECT_TYPES(16, 18, 27, 14, 43);
	stop = stand_in.messages[1].bytes + 16;
	assert_int_equal(get32(stop + 16), 9);
	assert_int_equal(get32(stop + 32), 1);
}

/* A session that was not created leaves nothing to clean up: "all ones" is never sent as a session.
 */
static void nothing_to_clean_up(void **state)
{
	static const struct answer bad = { .at = 0, .interface_error = -ENOMEM };
	_cleanup_(kernel_batch_freep) struct kernel_batch *batch =
		kernel_batch_new(NULL, 1, KERNEL_SESSION_NEW);

	kernel_batch_create_session(batch, 1, 0, 0);
	kernel_batch_destroy_connection(batch);
	kernel_batch_destroy_session(batch);
	start_stand_in(&bad, 1);
	kernel_batch_execute(batch, &channel);
	stop_stand_in();
	assert_int_equal(batch->result.error, -ENOMEM);
	EXPECT_TYPES(11);
}

/* One endpoint message, and what comes of the answer to it; in @bytes the event. */
static struct kernel_result run_endpoint(struct kernel_batch *batch, int32_t interface_error,
					 int32_t retcode, uint8_t bytes[72])
{
	const struct answer answer = { 0, interface_error, retcode };
	struct kernel_result result;

	assert_non_null(batch);
	start_stand_in(&answer, 1);
	kernel_batch_execute(batch, &channel);
	stop_stand_in();
	result = batch->result;
	(void)kernel_batch_free(batch);
	assert_int_equal(stand_in.n_messages, 1);
	memcpy(bytes, stand_in.messages[0].bytes + 16, 72);
	return result;
}

#define EXPECT_ENDPOINT(number) assert_int_equal(stand_in.messages[0].type, number)
#define NEW_BATCH               kernel_batch_new(NULL, HANDLE, KERNEL_SESSION_NEW)

static void endpoints(void **state)
{
	static const uint8_t address[28] = { 10, 0, 12, 188, 9, 8, 7 };
	static const struct {
		int32_t interface_error, retcode;
		int error;
		bool connected;
	} polls[] = {
		{ 0, 1, 0, true },         { 0, 0, 0, false },
		{ 0, -1, -1, false },      { 0, -EPIPE, -EPIPE, false },
		{ 0, -5000, -EIO, false }, { -EINVAL, 1, -EINVAL, false },
	};
	struct kernel_result result;
	struct kernel_batch *batch;
	uint8_t bytes[72];

	/* Any host, or a certain one, whose number may be 0. */
	for (unsigned host = 0; host < 3; host++) {
		bool any = host == 2;

		batch = NEW_BATCH;
		kernel_batch_connect_endpoint(batch, any ? KERNEL_HOST_ANY : host,
					      (const struct sockaddr *)(const void *)address,
					      any ? 28 : 16);
		result = run_endpoint(batch, 0, 17, bytes);
		assert_int_equal(result.error, 0);
		assert_int_equal(result.endpoint, 17);
		assert_false(result.created);
		EXPECT_ENDPOINT(any ? 22 : 29);
		assert_int_equal(get32(bytes + 16), any ? 1 : host);
		assert_int_equal(get32(bytes + 20), any ? 0 : 1);
		assert_memory_equal(bytes + 56, address, 16);
		assert_int_equal(stand_in.messages[0].length, 72 + (any ? 28 : 16));
	}
	batch = NEW_BATCH;
	kernel_batch_connect_endpoint(batch, 3, (const struct sockaddr *)(const void *)address, 16);
	result = run_endpoint(batch, -ENOSPC, 17, bytes);
	assert_int_equal(result.error, -ENOSPC);
	assert_int_equal(result.operation, KERNEL_CONNECT_ENDPOINT);
	assert_int_equal(result.endpoint, 0);

	for (size_t i = 0; i < sizeof(polls) / sizeof(polls[0]); i++) {
		batch = NEW_BATCH;
		kernel_batch_poll_endpoint(batch, 0x123456789aULL);
		result = run_endpoint(batch, polls[i].interface_error, polls[i].retcode, bytes);
		assert_int_equal(result.error, polls[i].error);
		assert_int_equal(result.connected, polls[i].connected);
		EXPECT_ENDPOINT(23);
		assert_int_equal(get32(bytes + 16), 0x3456789a);
		assert_int_equal(get32(bytes + 20), 0x12);
		assert_int_equal(get32(bytes + 24), 1);
	}

	batch = NEW_BATCH;
	kernel_batch_disconnect_endpoint(batch, 17);
	result = run_endpoint(batch, 0, 0, bytes);
	assert_int_equal(result.error, 0);
	EXPECT_ENDPOINT(24);
	assert_int_equal(get32(bytes + 16), 17);
}

static void hosts(void **state)
{
	static const struct iscsi_kernel_path path = { .handle = 9, .hardware_address = { 2, 1 } };
	struct kernel_result result;
	struct kernel_batch *batch;
	uint8_t bytes[72];

	batch = NEW_BATCH;
	kernel_batch_update_path(batch, 5, &path);
	result = run_endpoint(batch, -EIO, 0, bytes);
	assert_int_equal(result.error, -EIO);
	assert_int_equal(result.operation, KERNEL_UPDATE_PATH);
	EXPECT_ENDPOINT(30);
	assert_int_equal(stand_in.messages[0].length, 72 + 64);
	assert_int_equal(get32(bytes + 16), 5);
	assert_memory_equal(bytes + 56, &path, 16);

	batch = NEW_BATCH;
	kernel_batch_set_interface(batch, 5, "attributes", 10);
	result = run_endpoint(batch, 0, 0, bytes);
	assert_int_equal(result.error, 0);
	EXPECT_ENDPOINT(31);
	assert_int_equal(get32(bytes + 16), 5);
	assert_memory_equal(bytes + 56, "attributes", 10);

	batch = NEW_BATCH;
	kernel_batch_set_host(batch, 5, KERNEL_HOST_PARAM_ADDRESS, "192.0.2.9");
	result = run_endpoint(batch, 0, 0, bytes);
	assert_int_equal(result.error, 0);
	EXPECT_ENDPOINT(26);
	assert_int_equal(get32(bytes + 16), 5);
	assert_int_equal(get32(bytes + 20), 3);
	assert_int_equal(get32(bytes + 24), 10);
	assert_string_equal((const char *)bytes + 56, "192.0.2.9");
}

/* A session that belongs to an endpoint; what follows names the session, not the endpoint. */
static void bound_session(void **state)
{
	_cleanup_(kernel_batch_freep) struct kernel_batch *batch = NEW_BATCH;
	const uint8_t *bytes;

	kernel_batch_create_bound_session(batch, 17, 1234, 128, 32);
	kernel_batch_create_connection(batch);
	kernel_batch_bind(batch, 17);
	start_stand_in(NULL, 0);
	kernel_batch_execute(batch, &channel);
	stop_stand_in();
	assert_int_equal(batch->result.error, 0);
	assert_true(batch->result.created);
	assert_int_equal(batch->result.sid, 77);
	assert_int_equal(batch->result.host, 5);
	EXPECT_TYPES(28, 13, 15);
	assert_int_equal(stand_in.n_datagrams, 2);
	bytes = stand_in.messages[0].bytes + 16;
	assert_int_equal(get32(bytes + 16), 17);
	assert_int_equal(get32(bytes + 20), 0);
	assert_int_equal(get32(bytes + 24), 1234);
	assert_int_equal(get32(bytes + 28), 32 << 16 | 128);
	assert_int_equal(stand_in.messages[1].sid, 77);
	bytes = stand_in.messages[2].bytes + 16;
	assert_int_equal(get32(bytes + 16), 77);
	assert_int_equal(get32(bytes + 24), 17);
	assert_int_equal(get32(bytes + 32), 1);
}

static void lost_reply(void **state)
{
	/* The second reply is lost; the third shows it, without waiting. */
	static const struct answer middle = { .at = 1, .interface_error = NO_REPLY };
	static const struct answer last = { .at = 2, .interface_error = NO_REPLY };

	for (unsigned i = 0; i < 2; i++) {
		_cleanup_(kernel_batch_freep) struct kernel_batch *batch =
			kernel_batch_new(NULL, 1, 3);
		_cleanup_(kernel_batch_freep) struct kernel_batch *next =
			kernel_batch_new(NULL, 1, 3);
		uint8_t stale[72] = { 72, 0, 0, 0, 13 };

		kernel_batch_create_connection(batch);
		kernel_batch_bind(batch, 4);
		kernel_batch_start(batch);
		start_stand_in(i == 0 ? &middle : &last, 1);
		if (i == 1)
			channel.timeout_msec = 50;
		kernel_batch_execute(batch, &channel);
		assert_int_equal(batch->result.error, -ETIMEDOUT);
		assert_int_equal(batch->result.operation,
				 i == 0 ? KERNEL_BIND_CONNECTION : KERNEL_START_CONNECTION);
		assert_int_equal(channel.stale, i == 1);

		/* The next batch is not confused by one that comes late. */
		channel.timeout_msec = 20000;
		if (i == 1) {
			put32(stale + 16, 103);
			put32(stale + 20, (uint32_t)-EINVAL);
			assert_int_equal(send(stand_in.fd, stale, sizeof(stale), 0), sizeof(stale));
		}
		kernel_batch_create_connection(next);
		kernel_batch_execute(next, &channel);
		assert_int_equal(next->result.error, 0);
		assert_false(channel.stale);
		stop_stand_in();
	}
}

static void send_fails(void **state)
{
	_cleanup_(kernel_batch_freep) struct kernel_batch *batch = kernel_batch_new(NULL, 1, 3);

	kernel_batch_start(batch);
	start_stand_in(NULL, 0);
	shutdown(channel.fd, SHUT_WR);
	kernel_batch_execute(batch, &channel);
	stop_stand_in();
	assert_int_equal(batch->result.error, -EPIPE);
	assert_int_equal(batch->result.operation, KERNEL_START_CONNECTION);
}

/* Many messages are cut into several datagrams, which keep the order. */
static void packing(void **state)
{
	_cleanup_(kernel_batch_freep) struct kernel_batch *batch = kernel_batch_new(NULL, 1, 3);
	static const uint8_t header[BHS] = { 0x43 };
	static uint8_t data[KERNEL_PDU_DATA_MAX];

	for (unsigned i = 0; i < 150; i++)
		kernel_batch_set_number(batch, KERNEL_PARAM_MAX_BURST_LENGTH, i);
	for (unsigned i = 0; i < 6; i++)
		kernel_batch_send_pdu(batch, header, data, sizeof(data));
	start_stand_in(NULL, 0);
	kernel_batch_execute(batch, &channel);
	stop_stand_in();
	assert_int_equal(batch->result.error, 0);
	assert_int_equal(stand_in.n_messages, 156);
	assert_true(stand_in.n_datagrams >= 4 && stand_in.n_datagrams <= 6);
	for (unsigned i = 0; i < 150; i++) {
		char text[8];

		(void)snprintf(text, sizeof(text), "%u", i);
		assert_string_equal((const char *)stand_in.messages[i].bytes + 72, text);
	}
	for (unsigned i = 150; i < 156; i++)
		assert_int_equal(stand_in.messages[i].length, 72 + BHS + sizeof(data));
}

static void send_pdu(void **state)
{
	_cleanup_(kernel_batch_freep) struct kernel_batch *batch = kernel_batch_new(NULL, 1, 3);
	uint8_t header[BHS];
	const uint8_t *bytes;

	for (unsigned i = 0; i < BHS; i++)
		header[i] = (uint8_t)(200 + i);
	kernel_batch_send_pdu(batch, header, "InitiatorName=x", 15);
	kernel_batch_send_pdu(batch, header, NULL, 0);
	start_stand_in(NULL, 0);
	kernel_batch_execute(batch, &channel);
	stop_stand_in();
	assert_int_equal(batch->result.error, 0);
	EXPECT_TYPES(19, 19);
	assert_int_equal(stand_in.messages[0].length, 72 + BHS + 15);
	bytes = stand_in.messages[0].bytes + 16;
	assert_int_equal(get32(bytes + 24), BHS);
	assert_int_equal(get32(bytes + 28), 15);
	assert_memory_equal(bytes + 56, header, BHS);
	assert_memory_equal(bytes + 56 + BHS, "InitiatorName=x", 15);
	assert_int_equal(stand_in.messages[1].length, 72 + BHS);
	assert_int_equal(get32(stand_in.messages[1].bytes + 16 + 28), 0);
}

static void never_done(void *userdata, const struct kernel_result *result)
{
	fail();
}

static void refused_by_submit(void **state)
{
	static uint8_t data[KERNEL_PDU_DATA_MAX + 1];
	static const uint8_t header[BHS];
	static char value[KERNEL_VALUE_MAX + 1];
	struct kernel_batch *batch;

	memset(value, 'x', sizeof(value) - 1);
	batch = kernel_batch_new(NULL, 1, 3);
	kernel_batch_set_string(batch, KERNEL_PARAM_TARGET_ALIAS, value);
	kernel_batch_start(batch);
	assert_int_equal(kernel_batch_submit(batch, never_done, NULL), -EMSGSIZE);

	batch = kernel_batch_new(NULL, 1, 3);
	kernel_batch_send_pdu(batch, header, data, sizeof(data));
	assert_int_equal(kernel_batch_submit(batch, never_done, NULL), -EMSGSIZE);

	batch = kernel_batch_new(NULL, 1, 3);
	kernel_batch_start(batch);
	assert_int_equal(kernel_batch_submit(batch, never_done, NULL), -ENOTCONN);

	/* As after a shortage of memory. */
	kernel_batch_barrier(NULL);
	kernel_batch_create_session(NULL, 1, 2, 3);
	kernel_batch_create_connection(NULL);
	kernel_batch_bind(NULL, 1);
	kernel_batch_set_number(NULL, KERNEL_PARAM_ABORT_TIMEOUT, 1);
	kernel_batch_set_string(NULL, KERNEL_PARAM_TARGET_ALIAS, "x");
	kernel_batch_start(NULL);
	kernel_batch_stop(NULL, KERNEL_STOP_RECOVER);
	kernel_batch_send_pdu(NULL, header, data, 4);
	kernel_batch_unbind_session(NULL);
	kernel_batch_destroy_connection(NULL);
	kernel_batch_destroy_session(NULL);
	assert_int_equal(kernel_batch_submit(NULL, never_done, NULL), -ENOMEM);
	assert_null(kernel_batch_free(NULL));
	assert_null(kernel_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events),
		cmocka_unit_test(paths),
		cmocka_unit_test(pdus),
		cmocka_unit_test(truncated_pdu),
		cmocka_unit_test(lengths_that_lie),
		cmocka_unit_test(other_events),
		cmocka_unit_test(several_in_a_datagram),
		cmocka_unit_test(no_callbacks),
		cmocka_unit_test(statistics),
		cmocka_unit_test(random_datagrams),
		cmocka_unit_test(names),
		cmocka_unit_test(login),
		cmocka_unit_test(failures),
		cmocka_unit_test(secrets),
		cmocka_unit_test(cleanup_goes_on),
		cmocka_unit_test(nothing_to_clean_up),
		cmocka_unit_test(endpoints),
		cmocka_unit_test(hosts),
		cmocka_unit_test(bound_session),
		cmocka_unit_test(lost_reply),
		cmocka_unit_test(send_fails),
		cmocka_unit_test(packing),
		cmocka_unit_test(send_pdu),
		cmocka_unit_test(refused_by_submit),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
