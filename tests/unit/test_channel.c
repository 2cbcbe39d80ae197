// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a channel on a socket keeps for a peer that does not read; and one through the kernel, whose
 * requests end here: whose answer is whose, and what is kept while it is held.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "bounds.h"
#include "channel.h"
#include "kernel.h"
#include "pdu.h"
#include "poller.h"

static void received(void *userdata, const uint8_t header[48], const void *data, size_t length)
{
	fail();
}

static void failed(void *userdata, int error, bool sending)
{
	fail();
}

static const struct channel_callbacks callbacks = { .received = received, .failed = failed };

/* Nothing runs the loop here, so that all the peer does is not to read. */
static void test_unread(void **state)
{
	static const uint8_t header[PDU_HEADER_LENGTH], data[LOGIN_DATA_SEGMENT_MAX];
	int sockets[2], small = 1, r = 0;
	struct channel *channel;
	struct poller *poller;
	sd_event *event;
	size_t n = 0;

	assert_int_equal(sd_event_new(&event), 0);
	assert_int_equal(poller_new(event, &poller), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	assert_int_equal(
		setsockopt(sockets[0], SOL_SOCKET, SO_SNDBUF, &small, (socklen_t)sizeof(small)), 0);
	assert_int_equal(channel_new_socket(poller, sockets[0], &callbacks, NULL, &channel), 0);
	while (r >= 0 && n++ < 1000)
		r = channel_send(channel, header, data, sizeof(data));
	assert_int_equal(r, -ENOBUFS);
	/* Some go on their way at once; the others are as many as the bound allows. */
	assert_in_range(n, CHANNEL_UNSENT_MAX / (sizeof(header) + sizeof(data)), 100);
	(void)channel_free(channel);
	(void)poller_free(poller);
	(void)close(sockets[1]);
	(void)sd_event_unref(event);
}

/* Through the kernel */

static struct request {
	kernel_done_t done;
	void *userdata;
} requests[8];
static size_t n_requests;

struct kernel_batch *kernel_batch_new(struct kernel *kernel, uint64_t transport_handle,
				      uint32_t sid)
{
	return (struct kernel_batch *)kernel;
}

struct kernel_batch *kernel_batch_free(struct kernel_batch *batch)
{
	return NULL;
}

void kernel_batch_send_pdu(struct kernel_batch *batch, const uint8_t header[48], const void *data,
			   size_t length)
{
}

void kernel_batch_set_number(struct kernel_batch *batch, enum iscsi_kernel_param param,
			     int64_t value)
{
}

int kernel_batch_submit(struct kernel_batch *batch, kernel_done_t done, void *userdata)
{
	requests[n_requests++] = (struct request){ done, userdata };
	return 0;
}

static struct channel *kernel_channel;
static sd_event *event;
static struct poller *poller;
static char told[64];
static bool hold_again, free_it;

/* What came: the last digit of its tag, and its data. */
static void note(void *userdata, const uint8_t header[48], const void *data, size_t length)
{
	size_t n = strlen(told);

	assert_true(n + 1 + length < sizeof(told));
	told[n] = header[19] == 0xff ? '-' : (char)('0' + header[19]);
	memcpy(told + n + 1, data, length);
	told[n + 1 + length] = '\0';
	if (hold_again)
		channel_hold(kernel_channel, true);
	if (free_it)
		kernel_channel = channel_free(kernel_channel);
}

static void note_failure(void *userdata, int error, bool sending)
{
	assert_int_equal(error, -ENOBUFS);
	assert_false(sending);
	(void)strcat(told, "!");
}

static const struct channel_callbacks kernel_callbacks = { note, note_failure };

static int set_up(void **state)
{
	told[0] = '\0';
	hold_again = free_it = false;
	n_requests = 0;
	assert_int_equal(sd_event_new(&event), 0);
	assert_int_equal(poller_new(event, &poller), 0);
	return channel_new_kernel(poller, (struct kernel *)&event, 1, 1, &kernel_callbacks, NULL,
				  &kernel_channel);
}

static int tear_down(void **state)
{
	const struct kernel_result result = { .error = 0 };

	kernel_channel = channel_free(kernel_channel);
	for (size_t i = 0; i < n_requests; i++)
		requests[i].done(requests[i].userdata, &result);
	poller = poller_free(poller);
	event = sd_event_unref(event);
	return 0;
}

#define OWN_TAG 0xffffffff /* what a target says by itself */

static void set_tag(uint8_t header[PDU_HEADER_LENGTH], uint32_t tag)
{
	memset(header, 0, PDU_HEADER_LENGTH);
	memset(header + 16, tag == OWN_TAG ? 0xff : 0, 4);
	header[19] = (uint8_t)tag;
}

static void send_tagged(uint32_t tag)
{
	uint8_t header[PDU_HEADER_LENGTH];

	set_tag(header, tag);
	assert_int_equal(channel_send(kernel_channel, header, NULL, 0), 0);
}

static void deliver(uint32_t tag, const char *data)
{
	uint8_t header[PDU_HEADER_LENGTH];

	set_tag(header, tag);
	channel_deliver(kernel_channel, header, data, strlen(data));
}

static void run(void)
{
	while (sd_event_run(event, 0) > 0)
		;
}

static void test_tags(void **state)
{
	send_tagged(1);
	deliver(7, "a");
	deliver(OWN_TAG, "ping");
	send_tagged(OWN_TAG);
	deliver(8, "b");
	send_tagged(2);
	deliver(9, "c");
	assert_string_equal(told, "1a-ping1b2c");
}

/* All comes, in its order, and from the loop. */
static void test_held(void **state)
{
	send_tagged(1);
	channel_hold(kernel_channel, true);
	deliver(OWN_TAG, "a");
	deliver(OWN_TAG, "b");
	run();
	assert_string_equal(told, "");
	channel_hold(kernel_channel, false);
	deliver(7, "c");
	assert_string_equal(told, "");
	hold_again = true;
	run();
	assert_string_equal(told, "-a");
	deliver(OWN_TAG, "d");
	hold_again = false;
	channel_hold(kernel_channel, false);
	run();
	assert_string_equal(told, "-a-b1c-d");
	deliver(OWN_TAG, "e");
	assert_string_equal(told, "-a-b1c-d-e");
}

static void test_held_too_long(void **state)
{
	channel_hold(kernel_channel, true);
	for (int i = 0; i < 20; i++)
		deliver(OWN_TAG, "");
	assert_string_equal(told, "");
	run();
	assert_string_equal(told, "!");
	channel_hold(kernel_channel, false);
	deliver(OWN_TAG, "");
	run();
	assert_string_equal(told, "!");
}

static void test_freed_with_what_it_kept(void **state)
{
	channel_hold(kernel_channel, true);
	deliver(OWN_TAG, "a");
	deliver(OWN_TAG, "b");
	free_it = true;
	channel_hold(kernel_channel, false);
	run();
	assert_string_equal(told, "-a");
	assert_null(kernel_channel);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unread),
		TEST(test_tags),
		TEST(test_held),
		TEST(test_held_too_long),
		TEST(test_freed_with_what_it_kept),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
