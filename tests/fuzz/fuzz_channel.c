// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A target's bytes on a socket: however they are cut, the same PDUs arrive, none has a data segment
 * above the limit, and not a byte behind the last of them is read. The first byte is how many PDUs
 * are wanted, the second the size of the pieces.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "buffer.h"
#include "channel.h"
#include "fuzz.h"
#include "bounds.h"
#include "pdu.h"
#include "poller.h"

#define PIECES_MAX 500

struct run {
	struct channel *channel;
	struct buffer pdus;
	size_t wanted;
	int error;
	bool failed, too_long;
	size_t left; /* unread behind the last PDU */
};

static void received(void *userdata, const uint8_t header[48], const void *data, size_t length)
{
	struct run *run = userdata;

	FUZZ_CHECK(run->wanted > 0 && !run->too_long);
	FUZZ_CHECK(length == pdu_header_data_length(header));
	FUZZ_CHECK(buffer_append(&run->pdus, header, PDU_HEADER_LENGTH) == 0);
	run->wanted--;
	run->too_long = length > LOGIN_DATA_SEGMENT_MAX;
	if (run->too_long)
		FUZZ_CHECK(!data);
	else
		FUZZ_CHECK(buffer_append(&run->pdus, data, length) == 0);
}

static void failed(void *userdata, int error, bool sending)
{
	struct run *run = userdata;

	FUZZ_CHECK(!run->failed && !sending && (error == -EMSGSIZE) == run->too_long);
	run->failed = true;
	run->error = error;
}

static const struct channel_callbacks callbacks = { received, failed };

static bool more(const struct run *run)
{
	return run->wanted > 0 && !run->failed;
}

/* Until there is nothing to read any more. */
static void drain(sd_event *event, const struct run *run)
{
	while (more(run) && sd_event_run(event, 0) > 0)
		;
}

/* Takes @wanted PDUs at most, and then gives the socket away, as a login does. */
static void converse(struct run *run, const uint8_t *data, size_t size, size_t piece)
{
	struct poller *poller = NULL;
	sd_event *event = NULL;
	int fds[2], fd, left = 0;

	FUZZ_CHECK(sd_event_new(&event) >= 0);
	FUZZ_CHECK(poller_new(event, &poller) >= 0);
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	FUZZ_CHECK(channel_new_socket(poller, fds[0], &callbacks, run, &run->channel) == 0);
	while (size > 0 && more(run)) {
		size_t now = size < piece ? size : piece;

		FUZZ_CHECK(send(fds[1], data, now, MSG_NOSIGNAL) == (ssize_t)now);
		data += now;
		size -= now;
		drain(event, run);
	}
	if (!run->failed) {
		fd = channel_take_fd(run->channel);
		FUZZ_CHECK(ioctl(fd, FIONREAD, &left) == 0);
		(void)close(fd);
	}
	run->left = (size_t)left + size;
	(void)channel_free(run->channel);
	(void)poller_free(poller);
	(void)close(fds[1]);
	sd_event_unref(event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run one = {}, two = {};
	size_t piece;

	if (size < 2 || size > 32768)
		return 0;
	one.wanted = two.wanted = data[0];
	converse(&one, data + 2, size - 2, size);
	/* Not so many that the channel is given a rest. */
	piece = size / PIECES_MAX + 1;
	converse(&two, data + 2, size - 2, data[1] > piece ? data[1] : piece);
	FUZZ_CHECK(one.failed == two.failed && one.error == two.error);
	FUZZ_CHECK(one.wanted == two.wanted && one.pdus.length == two.pdus.length);
	FUZZ_CHECK(one.failed || one.left == two.left);
	FUZZ_CHECK(one.pdus.length == 0 ||
		   memcmp(one.pdus.data, two.pdus.data, one.pdus.length) == 0);
	buffer_done(&one.pdus);
	buffer_done(&two.pdus);
	return 0;
}
