// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a channel on a socket keeps for a peer that does not read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "bounds.h"
#include "channel.h"
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
