// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests about hosts without a kernel: what is sent, byte by byte, and what is made of replies,
 * refusals and multicast answers. Offsets are written as numbers: they are the kernel's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel_host.h"
#include "kernel_private.h"

#define HANDLE UINT64_C(0x1122334455667788)

static int requests[2], answers[2]; /* ours, the kernel's */
static struct kernel_channel channel;

static int set_up(void **state)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, requests), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, answers), 0);
	channel = (struct kernel_channel){ .fd = requests[0], .timeout_msec = 1 };
	return 0;
}

static int tear_down(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		(void)close(requests[i]);
		(void)close(answers[i]);
	}
	return 0;
}

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

static uint16_t get16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static struct kernel_host_request *make(enum iscsi_kernel_request request)
{
	struct kernel_host_request *made = kernel_host_request_new(NULL, HANDLE, 5, request);

	assert_non_null(made);
	return made;
}

/* Puts a reply where the kernel does before send() returns. */
static void reply(uint16_t type, uint32_t event, int32_t error, uint32_t r0)
{
	uint8_t message[72] = { 72 };

	memcpy(message + 4, &type, sizeof(type));
	put32(message + 16, event);
	put32(message + 20, (uint32_t)error);
	put32(message + 16 + 40, r0);
	assert_int_equal(send(requests[1], message, sizeof(message), 0), sizeof(message));
}

static size_t take(uint8_t *message, size_t size)
{
	ssize_t n = recv(requests[1], message, size, MSG_DONTWAIT);

	assert_true(n >= 72);
	assert_int_equal(get32(message), n);
	assert_int_equal(get32(message + 16), get16(message + 4));
	assert_int_equal(get32(message + 16 + 16), 5);
	return (size_t)n;
}

static void host_parameter(void **state)
{
	struct kernel_host_request *request = make(KERNEL_REQUEST_SET_HOST_PARAM);
	uint8_t message[128];

	request->event.request.set_host_param.param = KERNEL_HOST_PARAM_ADDRESS;
	request->event.request.set_host_param.length = 10;
	kernel_host_add_text(request, "192.0.2.7");
	reply(26, 26, 0, 0);
	kernel_host_execute(request, &channel, -1);
	assert_int_equal(request->error, 0);
	assert_int_equal(take(message, sizeof(message)), 72 + 10);
	assert_int_equal(get16(message + 4), 26);
	assert_int_equal(get32(message + 16 + 20), 3);
	assert_int_equal(get32(message + 16 + 24), 10);
	assert_memory_equal(message + 72, "192.0.2.7", 10);
	(void)kernel_host_request_free(request);
}

/* Refusals, errnos that make no sense, replies that are not there, and replies to others. */
static void replies(void **state)
{
	static const struct {
		uint32_t event;
		int32_t error;
		int expected;
	} rows[] = {
		{ 34, -16, 0 }, /* only an error reply has an error */
		{ 103, -16, -16 }, { 103, -38, -38 },    { 103, 0, -EIO },
		{ 103, 5, -EIO },  { 103, -4096, -EIO },
	};
	struct kernel_host_request *request;

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		request = make(KERNEL_REQUEST_DELETE_CHAP);
		reply(18, 103, -5, 0);
		reply(34, rows[i].event, rows[i].error, 0);
		kernel_host_execute(request, &channel, -1);
		assert_int_equal(request->error, rows[i].expected);
		assert_false(channel.stale);
		(void)kernel_host_request_free(request);
	}
	request = make(KERNEL_REQUEST_DELETE_CHAP);
	kernel_host_execute(request, &channel, -1);
	assert_int_equal(request->error, -ETIMEDOUT);
	assert_true(channel.stale);
	/* What comes too late is not taken for the reply to the next one. */
	reply(34, 103, -16, 0);
	channel.stale = true;
	kernel_host_execute(request, &channel, -1);
	assert_int_equal(request->error, -ETIMEDOUT);
	(void)kernel_host_request_free(request);
}

static void ping(void **state)
{
	struct kernel_host_request *request = make(KERNEL_REQUEST_PING);
	uint8_t message[128];

	request->event.request.ping.interface = 1;
	request->event.request.ping.family = KERNEL_FAMILY_IPV6;
	request->event.request.ping.size = 56;
	request->event.request.ping.cookie = 4711;
	kernel_host_add(request, "0123456789abcdef", 16);
	reply(32, 32, 0, 0);
	kernel_host_execute(request, &channel, -1);
	assert_int_equal(request->error, 0);
	assert_true(request->sent_usec > 0);
	assert_int_equal(take(message, sizeof(message)), 72 + 16);
	assert_int_equal(get32(message + 16 + 20), 1);
	assert_int_equal(get32(message + 16 + 24), 2);
	assert_int_equal(get32(message + 16 + 28), 56);
	assert_int_equal(get32(message + 16 + 32), 4711);
	(void)kernel_host_request_free(request);
}

static void attributes(void **state)
{
	/* u16 length, u16 type, then packed: u32 length, u16 parameter, value; padded to 4. */
	static const uint8_t expected[] = {
		12, 0, 0, 0, 2, 0, 0, 0, 0, 0, 7,   0,                     /* index 7 */
		11, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1,   0,                     /* incoming */
		15, 0, 2, 0, 5, 0, 0, 0, 2, 0, 'a', 'l', 'i', 'c', 'e', 0, /* user name */
		14, 0, 9, 0, 4, 0, 0, 0, 9, 0, 4,   3,   2,   1,   0,   0, /* a wide number */
	};
	struct kernel_host_request *request = make(KERNEL_REQUEST_SET_CHAP);

	kernel_host_add_number(request, KERNEL_CHAP_PARAM_INDEX, 7, 2);
	kernel_host_add_number(request, KERNEL_CHAP_PARAM_TYPE, KERNEL_CHAP_INCOMING, 1);
	kernel_host_add_attribute(request, KERNEL_CHAP_PARAM_USER_NAME, "alice", 5);
	kernel_host_add_number(request, 9, 0x01020304, 4);
	assert_int_equal(request->fault, 0);
	assert_int_equal(request->payload.length, sizeof(expected));
	assert_memory_equal(request->payload.data, expected, sizeof(expected));
	/* More than a page is nothing a kernel takes. */
	for (size_t i = 0; i < 200; i++)
		kernel_host_add_attribute(request, 1, "0123456789abcdef0123456789", 26);
	assert_int_equal(request->fault, -EMSGSIZE);
	assert_int_equal(kernel_host_submit(request, NULL, NULL), -EMSGSIZE);
	assert_int_equal(kernel_host_submit(make(KERNEL_REQUEST_PING), NULL, NULL), -ENOTCONN);
	assert_int_equal(kernel_host_submit(NULL, NULL, NULL), -ENOMEM);
	kernel_host_add_number(NULL, 1, 1, 1);
}

/* An answer with @n entries of which the first has @index, each two further on. */
static size_t make_chap(uint8_t *message, uint16_t asked, uint16_t index, uint32_t n)
{
	memset(message, 0, 72 + (size_t)n * 524);
	put32(message, (uint32_t)(72 + n * 524));
	put32(message + 16, 33);
	memcpy(message + 16 + 8, &(uint64_t){ HANDLE }, 8);
	put32(message + 16 + 16, 5);
	put32(message + 16 + 20, n);
	memcpy(message + 16 + 24, &asked, 2);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *entry = message + 72 + (size_t)i * 524;
		uint16_t at = (uint16_t)(index + 2 * i);

		memcpy(entry, &at, 2);
		put32(entry + 4, i % 2);
		memcpy(entry + 8, "alice", 5);
		memcpy(entry + 264, "secret-of-alice", 15);
		entry[520] = 15;
	}
	return 72 + (size_t)n * 524;
}

static struct kernel_host_request *ask_chap(uint16_t index)
{
	struct kernel_host_request *request = make(KERNEL_REQUEST_GET_CHAP);

	request->event.request.get_chap.index = index;
	request->event.request.get_chap.n_entries = KERNEL_CHAP_PAGE;
	request->answer_max = KERNEL_CHAP_PAGE * sizeof(struct iscsi_kernel_chap);
	return request;
}

static void tell(const uint8_t *message, size_t length)
{
	assert_int_equal(send(answers[1], message, length, 0), length);
}

static void chap(void **state)
{
	static uint8_t message[72 + 524 * (KERNEL_CHAP_PAGE + 1)];
	struct kernel_chap_entry entries[KERNEL_CHAP_PAGE];
	struct kernel_host_request *request = ask_chap(3);

	/* What others hear and ask passes by: an event, another page, another host. */
	make_chap(message, 3, 3, 1);
	put32(message + 16, 102);
	tell(message, 72);
	tell(message, make_chap(message, 4, 4, 1));
	make_chap(message, 3, 3, 1);
	put32(message + 16 + 16, 6);
	tell(message, 72 + 524);
	tell(message, make_chap(message, 3, 3, KERNEL_CHAP_PAGE + 1));
	tell(message, 20);
	tell(message, make_chap(message, 3, 3, 2));
	kernel_host_execute(request, &channel, answers[0]);
	assert_int_equal(request->error, 0);
	assert_int_equal(take(message, sizeof(message)), 72);
	assert_int_equal(get32(message + 16 + 20), KERNEL_CHAP_PAGE);
	assert_int_equal(get16(message + 16 + 24), 3);
	assert_int_equal(kernel_host_get_chap(request, entries), 2);
	assert_int_equal(entries[0].index, 3);
	assert_int_equal(entries[0].type, KERNEL_CHAP_OUTGOING);
	assert_string_equal(entries[0].user_name, "alice");
	assert_int_equal(entries[0].secret_length, 15);
	assert_int_equal(entries[1].index, 5);
	assert_int_equal(entries[1].type, KERNEL_CHAP_INCOMING);
	(void)kernel_host_request_free(request);
}

/* Entries that are not there, out of order, or of no direction; names without an end. */
static void chap_that_lies(void **state)
{
	static uint8_t message[72 + 524 * KERNEL_CHAP_PAGE];
	struct kernel_chap_entry entries[KERNEL_CHAP_PAGE];
	struct kernel_host_request *request = ask_chap(3);

	make_chap(message, 3, 3, 2);
	put32(message + 16 + 20, 1000);
	memset(message + 72 + 8, 'a', 256);
	tell(message, 72 + 2 * 524 - 1);
	kernel_host_execute(request, &channel, answers[0]);
	assert_int_equal(kernel_host_get_chap(request, entries), 1);
	assert_int_equal(strlen(entries[0].user_name), 256);
	request = kernel_host_request_free(request);

	/* As it looks when the driver failed and nobody noticed. */
	request = ask_chap(3);
	make_chap(message, 3, 3, 2);
	memset(message + 72, 0, 2 * 524);
	tell(message, 72 + 2 * 524);
	kernel_host_execute(request, &channel, answers[0]);
	assert_int_equal(kernel_host_get_chap(request, entries), -EPROTO);
	request = kernel_host_request_free(request);

	request = ask_chap(3);
	make_chap(message, 3, 3, 1);
	put32(message + 72 + 4, 2);
	tell(message, 72 + 524);
	kernel_host_execute(request, &channel, answers[0]);
	assert_int_equal(kernel_host_get_chap(request, entries), -EPROTO);
	request = kernel_host_request_free(request);

	/* Refused. */
	request = ask_chap(3);
	reply(33, 103, -22, 0);
	kernel_host_execute(request, &channel, answers[0]);
	assert_int_equal(request->error, -EINVAL);
	assert_int_equal(kernel_host_get_chap(request, entries), 0);
	(void)kernel_host_request_free(request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(host_parameter, set_up, tear_down),
		cmocka_unit_test_setup_teardown(replies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ping, set_up, tear_down),
		cmocka_unit_test_setup_teardown(attributes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(chap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(chap_that_lies, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
