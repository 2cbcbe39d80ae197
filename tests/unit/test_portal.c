// layers: oisd-core
// wraps: work_pending
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From addresses to a connection, on the loopback interface, where every address of 127/8 can be
 * somebody else: one that listens, one that refuses, and one that never answers. Names are looked
 * up in a table of this file.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "poller.h"
#include "portal.h"

#define LISTENS  "127.0.0.1"
#define REFUSES  "127.0.0.2"
#define REFUSES2 "127.0.0.3"
#define SILENT   "127.0.0.4"
#define SILENT2  "127.0.0.5"

#define TIMES(seconds)                                                                             \
	.resolve_timeout_seconds = (seconds), .connect_timeout_seconds = (seconds),                \
	.deadline_usec = DEADLINE_NONE

static sd_event *event;
static struct poller *poller;
static struct work *resolver;
static struct portal_connect *connect_now;
static int listener, silent[2], waiting[2];
static uint16_t port;

/* What happened. */
static struct event *events[16];
static size_t n_events;
static bool resolved, ended;
static struct portal_connected connected;
static int failure;
static enum event_number reported;

/* The name service */

static const char *const *name_addresses;

static void put_address(struct addrinfo **end, const char *text)
{
	struct addrinfo *address = calloc(1, sizeof(*address) + sizeof(struct sockaddr_in6));
	struct sockaddr_in6 *ipv6;
	struct sockaddr_in *ipv4;

	assert_non_null(address);
	address->ai_addr = (void *)(address + 1);
	ipv4 = (void *)address->ai_addr;
	ipv6 = (void *)address->ai_addr;
	address->ai_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	address->ai_addr->sa_family = (sa_family_t)address->ai_family;
	if (address->ai_family == AF_INET) {
		address->ai_addrlen = sizeof(*ipv4);
		assert_int_equal(inet_pton(AF_INET, text, &ipv4->sin_addr), 1);
	} else {
		address->ai_addrlen = sizeof(*ipv6);
		assert_int_equal(inet_pton(AF_INET6, text, &ipv6->sin6_addr), 1);
	}
	*end = address;
}

/* The name service that is asked for silent.example answers when this has been written to. */
static int mute[2];

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	struct addrinfo **end = ret;

	*ret = NULL;
	if (strcmp(node, "silent.example") == 0 && read(mute[0], &(char){ 0 }, 1) < 0)
		return EAI_SYSTEM;
	if (strcmp(node, "some.example") != 0)
		return EAI_NONAME;
	for (const char *const *text = name_addresses; *text; text++) {
		put_address(end, *text);
		end = &(*end)->ai_next;
	}
	return 0;
}

/* It hangs, and has done so for long. */
static bool thousands_wait;

unsigned __real_work_pending(const struct work *work);
unsigned __wrap_work_pending(const struct work *work);
unsigned __wrap_work_pending(const struct work *work)
{
	return thousands_wait ? 16384 : __real_work_pending(work);
}

void freeaddrinfo(struct addrinfo *address)
{
	while (address) {
		struct addrinfo *next = address->ai_next;

		free(address);
		address = next;
	}
}

/* A kernel without IPv6. */
static bool no_ipv6;

int socket(int domain, int type, int protocol)
{
	if (no_ipv6 && domain == AF_INET6) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return (int)syscall(SYS_socket, domain, type, protocol);
}

/* The peers */

static bool bind_to(int fd, const char *text)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t length = sizeof(address);

	assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return false;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	port = ntohs(address.sin_port);
	return true;
}

static int stream_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

/* A queue with room for one connection, which is taken: the next request is not even refused. */
static void fall_silent(int fd, int *ret_waiting)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);

	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	*ret_waiting = stream_socket();
	assert_int_equal(connect(*ret_waiting, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void open_peers(void)
{
	bool free_port = false;

	/* One port that nobody has, on three addresses. */
	while (!free_port) {
		port = 0;
		listener = stream_socket();
		silent[0] = stream_socket();
		silent[1] = stream_socket();
		assert_true(bind_to(listener, LISTENS));
		free_port = bind_to(silent[0], SILENT) && bind_to(silent[1], SILENT2);
		if (free_port)
			continue;
		(void)close(listener);
		(void)close(silent[0]);
		(void)close(silent[1]);
	}
	assert_int_equal(listen(listener, 16), 0);
	for (int i = 0; i < 2; i++)
		fall_silent(silent[i], &waiting[i]);
}

/* The one who connects */

static void hear_event(void *userdata, struct event *raised)
{
	assert_false(ended);
	assert_true(n_events < ELEMENTSOF(events));
	events[n_events++] = raised;
}

static void hear_resolved(void *userdata)
{
	assert_false(resolved);
	resolved = true;
}

static void hear_connected(void *userdata, const struct portal_connected *now)
{
	assert_true(resolved);
	assert_false(ended);
	ended = true;
	connected = *now;
	connect_now = portal_connect_free(connect_now);
}

static void hear_failed(void *userdata, int error, enum event_number number)
{
	assert_false(ended);
	ended = true;
	failure = error;
	reported = number;
	connect_now = portal_connect_free(connect_now);
}

static const struct portal_callbacks callbacks = {
	.raise = hear_event,
	.resolved = hear_resolved,
	.connected = hear_connected,
	.failed = hear_failed,
};

/* As if nothing had happened. */
static void forget(void)
{
	while (n_events > 0)
		event_free(events[--n_events]);
	connected.fd = close_fd(connected.fd);
	resolved = ended = false;
	failure = 0;
}

static int set_up(void **state)
{
	/* A test that hangs is a test that failed. */
	alarm(60);
	no_ipv6 = thousands_wait = false;
	connected.fd = -EBADF;
	forget();
	open_peers();
	assert_int_equal(pipe2(mute, O_CLOEXEC), 0);
	assert_int_equal(sd_event_new(&event), 0);
	assert_int_equal(poller_new(event, &poller), 0);
	return work_new(poller, "test-resolver", 2, &resolver);
}

static int tear_down(void **state)
{
	connect_now = portal_connect_free(connect_now);
	/* A lookup that still waits ends now. */
	(void)close(mute[1]);
	resolver = work_free(resolver);
	(void)close(mute[0]);
	poller = poller_free(poller);
	event = sd_event_unref(event);
	forget();
	(void)close(listener);
	for (int i = 0; i < 2; i++) {
		(void)close(silent[i]);
		(void)close(waiting[i]);
	}
	alarm(0);
	return 0;
}

static void start(const struct portal_config *config)
{
	assert_int_equal(
		portal_connect_new(poller, resolver, config, &callbacks, NULL, &connect_now), 0);
	assert_false(ended);
}

static void run(const struct portal_config *config)
{
	start(config);
	while (!ended)
		assert_true(sd_event_run(event, UINT64_MAX) >= 0);
}

/* Connects to the name, which has these addresses; nothing ends by a timeout. */
#define run_name(...)                                                                              \
	do {                                                                                       \
		static const char *const of_name[] = { __VA_ARGS__, NULL };                        \
                                                                                                   \
		name_addresses = of_name;                                                          \
		run(&(struct portal_config){                                                       \
			.address = "some.example", .port = port, TIMES(300) });                    \
	} while (0)

static void expect_event(size_t index, enum event_number number, const char *address,
			 const char *outcome)
{
	char digits[8];

	assert_true(index < n_events);
	assert_int_equal(event_type(events[index])->number, number);
	assert_string_equal(event_get(events[index], FIELD_OUTCOME), outcome);
	if (!address)
		return;
	(void)snprintf(digits, sizeof(digits), "%u", port);
	assert_string_equal(event_get(events[index], FIELD_DUMP_ADDRESS), address);
	assert_string_equal(event_get(events[index], FIELD_DUMP_PORT), digits);
}

static void expect_failure(int error, enum event_number number)
{
	assert_int_equal(failure, error);
	assert_int_equal(reported, number);
	assert_int_equal(connected.fd, -EBADF);
}

static void expect_connected(const char *address)
{
	assert_int_equal(failure, 0);
	assert_true(connected.fd >= 0);
	assert_string_equal(connected.address, address);
}

static unsigned count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(directory);
	while (readdir(directory))
		n++;
	(void)closedir(directory);
	return n;
}

static bool have_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

/* Numeric */

static void test_connected(void **state)
{
	struct sockaddr_in local = { 0 };
	socklen_t length = sizeof(local);

	run(&(struct portal_config){
		.address = LISTENS, .port = port, .source_address = "127.0.0.9", TIMES(300) });
	expect_connected(LISTENS);
	assert_int_equal(n_events, 0);
	assert_string_equal(connected.local_address, "127.0.0.9");
	assert_int_equal(getsockname(connected.fd, (struct sockaddr *)&local, &length), 0);
	assert_int_equal(connected.local_port, ntohs(local.sin_port));
}

static void test_refused(void **state)
{
	run(&(struct portal_config){ .address = REFUSES, .port = port, TIMES(300) });
	expect_failure(-ECONNREFUSED, EVENT_CONNECT_FAILED);
	assert_int_equal(n_events, 1);
	expect_event(0, EVENT_CONNECT_FAILED, REFUSES, "failed");
}

static void test_silent(void **state)
{
	run(&(struct portal_config){ .address = SILENT, .port = port, TIMES(1) });
	expect_failure(-ETIMEDOUT, EVENT_CONNECT_FAILED);
	assert_int_equal(n_events, 1);
	expect_event(0, EVENT_CONNECT_FAILED, SILENT, "failed");
}

/* Names */

static void test_next_address(void **state)
{
	run_name(REFUSES, REFUSES2, LISTENS);
	expect_connected(LISTENS);
	assert_int_equal(n_events, 2);
	expect_event(0, EVENT_CONNECT_FAILED, REFUSES, "continued");
	expect_event(1, EVENT_CONNECT_FAILED, REFUSES2, "continued");
}

/* Without IPv6 there is no way to such an address, whatever else there is. */
static void test_no_ipv6(void **state)
{
	no_ipv6 = true;
	run_name("::1", LISTENS);
	expect_connected(LISTENS);
	assert_int_equal(n_events, 1);
	expect_event(0, EVENT_CONNECT_FAILED, "::1", "continued");
	forget();
	run(&(struct portal_config){ .address = "::1", .port = port, TIMES(300) });
	expect_failure(-EAFNOSUPPORT, EVENT_CONNECT_FAILED);
	assert_int_equal(n_events, 1);
	expect_event(0, EVENT_CONNECT_FAILED, "::1", "failed");
	assert_string_equal(event_get(events[0], FIELD_STATUS_TEXT),
			    "this host does not have the portal's version of IP");
}

/* An address that answers is the only one that is asked. */
static void test_first_address(void **state)
{
	run_name(LISTENS, REFUSES);
	expect_connected(LISTENS);
	assert_int_equal(n_events, 0);
}

/* The last cause is told, and only the last failure is the end. */
static void test_all_refuse(void **state)
{
	run_name(REFUSES, REFUSES2);
	expect_failure(-ECONNREFUSED, EVENT_CONNECT_FAILED);
	assert_int_equal(n_events, 2);
	expect_event(0, EVENT_CONNECT_FAILED, REFUSES, "continued");
	expect_event(1, EVENT_CONNECT_FAILED, REFUSES2, "failed");
}

/* Addresses that do not answer hold nobody up, are not reported, and are left at once. */
static void test_race(void **state)
{
	unsigned before;

	/* The resolver has its threads and descriptors. */
	run_name(REFUSES);
	forget();
	before = count_descriptors();
	run_name(SILENT, REFUSES, SILENT2, LISTENS);
	expect_connected(LISTENS);
	assert_int_equal(n_events, 1);
	expect_event(0, EVENT_CONNECT_FAILED, REFUSES, "continued");
	assert_int_equal(count_descriptors(), before + 1);
}

/* An address that fails later is not the end while another one may still answer. */
static void test_late_failures(void **state)
{
	static const char *const list[] = { SILENT, SILENT2, REFUSES, NULL };

	name_addresses = list;
	run(&(struct portal_config){ .address = "some.example", .port = port, TIMES(1) });
	/* Which of them is the last one depends on the load of this host. */
	assert_int_equal(reported, EVENT_CONNECT_FAILED);
	assert_int_equal(n_events, 3);
	expect_event(0, EVENT_CONNECT_FAILED, NULL, "continued");
	expect_event(1, EVENT_CONNECT_FAILED, NULL, "continued");
	expect_event(2, EVENT_CONNECT_FAILED, NULL, "failed");
}

static void test_families_by_turns(void **state)
{
	if (!have_ipv6())
		skip();
	run_name("::1", "::1", "::1", REFUSES, REFUSES2);
	expect_failure(-ECONNREFUSED, EVENT_CONNECT_FAILED);
	assert_int_equal(n_events, 5);
	expect_event(0, EVENT_CONNECT_FAILED, "::1", "continued");
	expect_event(1, EVENT_CONNECT_FAILED, REFUSES, "continued");
	expect_event(2, EVENT_CONNECT_FAILED, "::1", "continued");
	expect_event(3, EVENT_CONNECT_FAILED, REFUSES2, "continued");
	expect_event(4, EVENT_CONNECT_FAILED, "::1", "failed");
}

static void test_first_family(void **state)
{
	if (!have_ipv6())
		skip();
	run_name(REFUSES, REFUSES2, "::1", LISTENS);
	expect_connected(LISTENS);
	assert_int_equal(n_events, 3);
	expect_event(0, EVENT_CONNECT_FAILED, REFUSES, "continued");
	expect_event(1, EVENT_CONNECT_FAILED, "::1", "continued");
	expect_event(2, EVENT_CONNECT_FAILED, REFUSES2, "continued");
}

static void test_too_many_addresses(void **state)
{
	static const char *list[101];

	for (size_t i = 0; i < 100; i++)
		list[i] = i < 40 ? REFUSES : LISTENS;
	name_addresses = list;
	/* More events than are kept here: the failures themselves do not matter. */
	start(&(struct portal_config){ .address = "some.example", .port = port, TIMES(300) });
	while (!ended) {
		assert_true(sd_event_run(event, UINT64_MAX) >= 0);
		while (n_events > 0)
			event_free(events[--n_events]);
	}
	expect_failure(-ECONNREFUSED, EVENT_CONNECT_FAILED);
}

static void test_unknown_name(void **state)
{
	run(&(struct portal_config){ .address = "other.example", .port = port, TIMES(300) });
	expect_failure(-EADDRNOTAVAIL, EVENT_RESOLVE_FAILED);
	assert_false(resolved);
	assert_int_equal(n_events, 1);
	expect_event(0, EVENT_RESOLVE_FAILED, NULL, "failed");
}

/* No thread is missing then. */
static void test_too_many_names(void **state)
{
	thousands_wait = true;
	run(&(struct portal_config){ .address = "some.example", .port = port, TIMES(300) });
	expect_failure(-ENOBUFS, EVENT_WORKITEM_RESOURCES);
	assert_false(resolved);
	assert_int_equal(n_events, 1);
	expect_event(0, EVENT_WORKITEM_RESOURCES, NULL, "failed");
	assert_string_equal(event_get(events[0], FIELD_STATUS_TEXT),
			    "thousands of names wait for the name service");
}

/* Time */

/* Each step has its own time, and all of them have no more than there is. */
static void test_times(void **state)
{
	struct portal_config config = {
		.address = "silent.example",
		.port = port,
		.resolve_timeout_seconds = 1,
		.connect_timeout_seconds = 300,
		.deadline_usec = DEADLINE_NONE,
	};
	uint64_t now;

	run(&config);
	expect_failure(-ETIMEDOUT, EVENT_RESOLVE_FAILED);
	assert_false(resolved);
	expect_event(0, EVENT_RESOLVE_FAILED, NULL, "failed");

	forget();
	assert_int_equal(sd_event_now(event, CLOCK_MONOTONIC, &now), 0);
	config.resolve_timeout_seconds = 300;
	config.deadline_usec = now + 100000;
	run(&config);
	expect_failure(-ETIMEDOUT, EVENT_RESOLVE_FAILED);

	forget();
	config.address = SILENT;
	config.deadline_usec = now + 200000;
	run(&config);
	expect_failure(-ETIMEDOUT, EVENT_CONNECT_FAILED);
	expect_event(0, EVENT_CONNECT_FAILED, SILENT, "failed");

	/* Later than the end. */
	forget();
	config.deadline_usec = now;
	run(&config);
	expect_failure(-ETIMEDOUT, EVENT_CONNECT_FAILED);
}

/* The side of this host */

static void test_source_family(void **state)
{
	static const char *const list[] = { "::1", LISTENS, NULL };

	/* Of a name, the addresses that fit. */
	name_addresses = list;
	run(&(struct portal_config){ .address = "some.example",
				     .port = port,
				     .source_address = "127.0.0.1",
				     TIMES(300) });
	expect_connected(LISTENS);
	assert_int_equal(n_events, 0);
}

static void test_family_mismatch(void **state)
{
	run(&(struct portal_config){
		.address = "::1", .port = port, .source_address = "127.0.0.1", TIMES(300) });
	expect_failure(-EAFNOSUPPORT, EVENT_PORTAL_TYPE_MISMATCH);
	assert_int_equal(n_events, 1);
	expect_event(0, EVENT_PORTAL_TYPE_MISMATCH, NULL, "failed");
	assert_string_equal(event_get(events[0], FIELD_DUMP_IP_TYPE), "IPv4");
}

static void test_setup_failed(void **state)
{
	static const struct {
		struct portal_config config;
		int error;
	} rows[] = {
		{ { .address = LISTENS, .source_address = "192.0.2.77" }, -EADDRNOTAVAIL },
		{ { .address = LISTENS, .net_device = "nosuch0" }, -ENODEV },
		{ { .address = "fe80::1%nosuch0" }, -ENODEV },
		{ { .address = LISTENS, .source_address = "fe80::1%nosuch0" }, -ENODEV },
		{ { .address = "fe80::1" }, -EINVAL },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		struct portal_config config = rows[i].config;

		config.port = port;
		config.resolve_timeout_seconds = config.connect_timeout_seconds = 300;
		config.deadline_usec = DEADLINE_NONE;
		forget();
		run(&config);
		expect_failure(rows[i].error, EVENT_PORTAL_SETUP_FAILED);
		assert_int_equal(n_events, 1);
		expect_event(0, EVENT_PORTAL_SETUP_FAILED, NULL, "failed");
		assert_string_equal(event_get(events[0], FIELD_STATUS_TEXT),
				    portal_failure_text(failure, reported));
	}
	assert_int_equal(portal_connect_new(poller, resolver,
					    &(struct portal_config){ .address = LISTENS,
								     .source_address = "host" },
					    &callbacks, NULL, &connect_now),
			 -EINVAL);
}

/* A link-local address of this host; false: there is none. */
static bool find_link_local(struct sockaddr_in6 *ret, char name[IF_NAMESIZE])
{
	struct ifaddrs *list, *i;

	assert_int_equal(getifaddrs(&list), 0);
	for (i = list; i; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET6 || !(i->ifa_flags & IFF_UP))
			continue;
		memcpy(ret, i->ifa_addr, sizeof(*ret));
		if (IN6_IS_ADDR_LINKLOCAL(&ret->sin6_addr))
			break;
	}
	if (i)
		(void)snprintf(name, IF_NAMESIZE, "%s", i->ifa_name);
	freeifaddrs(list);
	return i != NULL;
}

static void test_link_local(void **state)
{
	char digits[INET6_ADDRSTRLEN], name[IF_NAMESIZE], address[80];
	struct sockaddr_in6 own = { 0 };
	socklen_t length = sizeof(own);
	int fd;

	if (!have_ipv6() || !find_link_local(&own, name))
		skip();
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &length), 0);
	assert_non_null(inet_ntop(AF_INET6, &own.sin6_addr, digits, sizeof(digits)));
	(void)snprintf(address, sizeof(address), "%s%%%s", digits, name);
	run(&(struct portal_config){
		.address = address, .port = ntohs(own.sin6_port), TIMES(300) });
	expect_connected(address);
	assert_string_equal(connected.local_address, address);
	assert_int_equal(n_events, 0);
	/* The interface can come from elsewhere. */
	for (int i = 0; i < 2; i++) {
		forget();
		run(&(struct portal_config){ .address = digits,
					     .port = ntohs(own.sin6_port),
					     .source_address = i == 0 ? address : NULL,
					     .net_device = i == 1 ? name : NULL,
					     TIMES(300) });
		assert_true(connected.fd >= 0);
		assert_int_equal(n_events, 0);
	}
	(void)close(fd);
}

/* The end before the end */

static void test_cancel(void **state)
{
	static const char *const list[] = { SILENT, SILENT2, LISTENS, NULL };
	unsigned before;

	run_name(REFUSES);
	forget();
	before = count_descriptors();
	name_addresses = list;
	/* At any time: before the lookup, while it runs, between the attempts. */
	for (int turns = 0; turns < 6; turns++) {
		forget();
		start(&(struct portal_config){
			.address = "some.example", .port = port, TIMES(300) });
		for (int i = 0; i < turns && !ended; i++)
			assert_true(sd_event_run(event, 10000) >= 0);
		connect_now = portal_connect_free(connect_now);
		connected.fd = close_fd(connected.fd);
		while (work_pending(resolver) > 0)
			assert_true(sd_event_run(event, UINT64_MAX) >= 0);
		assert_int_equal(count_descriptors(), before);
	}
	assert_int_equal(n_events, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_connected),       TEST(test_refused),
		TEST(test_silent),          TEST(test_first_address),
		TEST(test_next_address),    TEST(test_no_ipv6),
		TEST(test_all_refuse),      TEST(test_race),
		TEST(test_late_failures),   TEST(test_families_by_turns),
		TEST(test_first_family),    TEST(test_too_many_addresses),
		TEST(test_unknown_name),    TEST(test_too_many_names),
		TEST(test_times),           TEST(test_source_family),
		TEST(test_family_mismatch), TEST(test_setup_failed),
		TEST(test_link_local),      TEST(test_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
