// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A service manager that listens, and one that hangs: it is told everything in the end, and never
 * waited for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "manager.h"
#include "notify.h"

static struct trial {
	sd_event *event;
	struct manager manager;
	struct notify *notify;
	int fd;
	char path[64];
} t;

static int set_up(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	/* Whoever waits, waits for ever. */
	alarm(60);
	memset(&t, 0, sizeof(t));
	(void)snprintf(t.path, sizeof(t.path), "@ois-test-notify-%d", (int)getpid());
	memcpy(address.sun_path + 1, t.path + 1, strlen(t.path) - 1);
	t.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(t.fd >= 0);
	assert_int_equal(bind(t.fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(t.path))),
			 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", t.path, 1), 0);
	assert_true(sd_event_new(&t.event) >= 0);
	t.manager.event = t.event;
	return 0;
}

static int tear_down(void **state)
{
	t.notify = notify_free(t.notify);
	(void)close(t.fd);
	t.event = sd_event_unref(t.event);
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	alarm(0);
	return 0;
}

/* The next message; empty: there is none. */
static const char *heard(void)
{
	static char text[256];
	ssize_t n = recv(t.fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* Turns the loop until this is heard. */
static void await(const char *text)
{
	while (!strstr(heard(), text))
		assert_true(sd_event_run(t.event, 10000) >= 0);
}

/* Until the socket takes no more. */
static void fill(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path + 1, t.path + 1, strlen(t.path) - 1);
	while (sendto(fd, "X=1", 3, 0, (struct sockaddr *)&address,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(t.path))) >= 0)
		;
	assert_int_equal(errno, EAGAIN);
	(void)close(fd);
}

static int something(sd_event_source *source, void *userdata)
{
	return 0;
}

static void tells_what_happens(void **state)
{
	assert_int_equal(notify_new(&t.manager, &t.notify), 0);
	assert_string_equal(heard(), "READY=1");
	await("STATUS=0 sessions logged in, 0 recovering, 0 logins under way");
	t.manager.n_logins_queued = 3;
	assert_true(sd_event_add_defer(t.event, NULL, something, NULL) >= 0);
	await("STATUS=0 sessions logged in, 0 recovering, 3 logins under way");
	notify_reloading();
	assert_non_null(strstr(heard(), "RELOADING=1\nMONOTONIC_USEC="));
	notify_reloading();
	assert_string_equal(heard(), "");
	notify_reloaded();
	assert_string_equal(heard(), "");
	notify_reloaded();
	assert_string_equal(heard(), "READY=1");
	notify_stopping();
	assert_string_equal(heard(), "STOPPING=1");
}

static void waits_for_nobody(void **state)
{
	fill();
	assert_int_equal(notify_new(&t.manager, &t.notify), 0);
	notify_reloading();
	notify_reloaded();
	for (unsigned i = 0; i < 10; i++)
		assert_true(sd_event_run(t.event, 10000) >= 0);
	while (strcmp(heard(), "X=1") == 0)
		;
	await("READY=1");
	await("STATUS=0 sessions logged in");
}

static void shows_that_it_lives(void **state)
{
	assert_int_equal(setenv("WATCHDOG_USEC", "40000", 1), 0);
	assert_int_equal(notify_new(&t.manager, &t.notify), 0);
	await("WATCHDOG=1");
	await("WATCHDOG=1");
	fill();
	for (unsigned i = 0; i < 10; i++)
		assert_true(sd_event_run(t.event, 10000) >= 0);
	await("WATCHDOG=1");
}

static void needs_no_service_manager(void **state)
{
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	assert_int_equal(notify_new(&t.manager, &t.notify), 0);
	notify_stopping();
	assert_string_equal(heard(), "");
	assert_int_equal(setenv("NOTIFY_SOCKET", "nonsense", 1), 0);
	notify_stopping();
	assert_string_equal(heard(), "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(tells_what_happens),
		TEST(waits_for_nobody),
		TEST(shows_that_it_lives),
		TEST(needs_no_service_manager),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
