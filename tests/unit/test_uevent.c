// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which of the kernel's messages wake the daemon, and what is read from them: the filter on a
 * socket whose other end is played here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "uevent_private.h"

#define DEVICE "/devices/platform/host3/session1/target3:0:0/3:0:0:7"

static int sockets[2];
static char seen[512];

static void on_bound(void *userdata, const char *path)
{
	(void)snprintf(seen, sizeof(seen), "bound %s", path);
}

static void on_attention(void *userdata, const char *path, const char *name)
{
	(void)snprintf(seen, sizeof(seen), "%s %s", name, path);
}

static void on_overrun(void *userdata)
{
	fail();
}

/* @more: variables after SUBSYSTEM, with a NUL each. */
static size_t write_message(char *message, size_t size, const char *action, const char *path,
			    const char *subsystem, const char *more, size_t length)
{
	size_t n = (size_t)snprintf(message, size, "%s@%s%cACTION=%s%cDEVPATH=%s%cSUBSYSTEM=%s",
				    action, path, 0, action, 0, path, 0, subsystem) +
		   1;

	assert_true(n + length < size);
	memcpy(message + n, more, length);
	return n + length;
}

/* What a message is seen as; empty: it does not arrive. */
static const char *send_bytes(const char *message, size_t length)
{
	static const struct uevent_callbacks callbacks = { on_bound, on_attention, on_overrun };
	char received[2048];
	ssize_t n;

	seen[0] = '\0';
	assert_int_equal(send(sockets[0], message, length, 0), length);
	n = recv(sockets[1], received, sizeof(received) - 1, MSG_DONTWAIT);
	if (n < 0)
		return "";
	uevent_dispatch(&callbacks, NULL, received, (size_t)n);
	return seen[0] ? seen : "nothing";
}

static const char *send_event(const char *action, const char *path, const char *subsystem,
			      const char *more, size_t length)
{
	char message[2048];

	return send_bytes(message, write_message(message, sizeof(message), action, path, subsystem,
						 more, length));
}

#define SEND(action, path, subsystem, more) send_event(action, path, subsystem, more, sizeof(more))

#define LATER "DEVTYPE=scsi_device\0MODALIAS=scsi:t-0x00\0SEQNUM=1234"

static void test_takes(void **state)
{
	assert_string_equal(SEND("bind", DEVICE, "scsi", LATER), "bound " DEVICE);
	assert_string_equal(
		SEND("change", DEVICE, "scsi", "SDEV_UA=REPORTED_LUNS_DATA_HAS_CHANGED\0" LATER),
		"REPORTED_LUNS_DATA_HAS_CHANGED " DEVICE);
	assert_string_equal(SEND("change", DEVICE, "scsi", "SDEV_UA=MODE_PARAMETERS_CHANGED"),
			    "MODE_PARAMETERS_CHANGED " DEVICE);
}

static void test_drops(void **state)
{
	static const char *const actions[] = { "add",   "remove", "unbind", "offline", "changes",
					       "chang", "bin",    "binds",  "chan" };

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		assert_string_equal(SEND(actions[i], DEVICE, "scsi",
					 "SDEV_UA=CAPACITY_DATA_HAS_CHANGED\0" LATER),
				    "");
	assert_string_equal(SEND("change", DEVICE, "scsi", LATER), "");
	assert_string_equal(SEND("change", DEVICE, "scsi", "SDEV_MEDIA_CHANGE=1\0" LATER), "");
	assert_string_equal(
		SEND("change", DEVICE, "scsi", "SDEV_UA=POWER_ON_RESET_OCCURRED\0" LATER), "");
	assert_string_equal(
		SEND("change", DEVICE "/block/sda", "block", "RESIZE=1\0DEVNAME=sda\0DEVTYPE=disk"),
		"");
	assert_string_equal(send_bytes("change@", 7), "");
	assert_string_equal(send_bytes("change@/x", 10), "");
	assert_string_equal(send_bytes("", 0), "");
	assert_string_equal(send_bytes("bind", 4), "");
}

/* However long the path is, as far as one may be. */
static void test_paths(void **state)
{
	char path[256], want[512];

	for (size_t length = 2; length < 250; length++) {
		memset(path, 'x', length);
		path[0] = '/';
		path[length] = '\0';
		(void)snprintf(want, sizeof(want), "CAPACITY_DATA_HAS_CHANGED %s", path);
		assert_string_equal(
			SEND("change", path, "scsi", "SDEV_UA=CAPACITY_DATA_HAS_CHANGED\0" LATER),
			length <= 191 ? want : "");
	}
}

static int set_up(void **state)
{
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sockets) < 0)
		return -1;
	return uevent_filter(sockets[1]);
}

static int tear_down(void **state)
{
	close_fd(sockets[0]);
	close_fd(sockets[1]);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = { TEST(test_takes), TEST(test_drops), TEST(test_paths) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
