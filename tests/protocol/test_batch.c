/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Logins and logouts of so many nodes in one call that they are begun over several turns of the
 * loop, and what may happen between these.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "json.h"
#include "oisd.h"

#define LOGIN  "org.ois.session.Login"
#define LOGOUT "org.ois.session.Logout"
/* The daemon begins 64 in a turn. */
#define NODES 200

static struct oisd oisd;
static struct client client;
static int portal, port;

/* Connections to the portal are refused, or with @listening accepted by the kernel and never
 * answered. */
static void open_portal(bool listening)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);

	portal = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(portal >= 0);
	assert_int_equal(bind(portal, (const struct sockaddr *)&address, size), 0);
	if (listening)
		assert_int_equal(listen(portal, NODES), 0);
	assert_int_equal(getsockname(portal, (struct sockaddr *)&address, &size), 0);
	port = ntohs(address.sin_port);
}

static void write_nodes(void)
{
	char path[128];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/records", oisd.directory);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/records/nodes.jsonl", oisd.directory);
	file = fopen(path, "we");
	assert_non_null(file);
	(void)fputs("{\"format\":\"ois-nodes\",\"version\":1}\n", file);
	for (int i = 0; i < NODES; i++)
		(void)fprintf(
			file,
			"{\"targetName\":\"iqn.2026-11.example:%d\",\"address\":\"127.0.0.1\","
			"\"port\":%d,\"origin\":\"static\"}\n",
			i, port);
	assert_int_equal(fclose(file), 0);
}

static void begin(bool listening)
{
	open_portal(listening);
	oisd_prepare(&oisd, NULL);
	write_nodes();
	oisd_start(&oisd, -1);
	client_open(&client, &oisd);
}

static int end(void **state)
{
	int status;

	client_close(&client);
	status = oisd_stop(&oisd, SIGTERM);
	oisd_done(&oisd);
	(void)close(portal);
	return status;
}

/* Until SIGCONT. */
static void pause_daemon(void)
{
	int status;

	assert_int_equal(kill(oisd.pid, SIGSTOP), 0);
	assert_int_equal(waitpid(oisd.pid, &status, WUNTRACED), oisd.pid);
	assert_true(WIFSTOPPED(status));
}

static int64_t count(json_object *replies, const char *path, const char *text)
{
	int64_t n = 0;

	for (size_t i = 0; i < json_object_array_length(replies); i++)
		n += strcmp(text_at(json_object_array_get_idx(replies, i), path), text) == 0;
	return n;
}

static int64_t summary(json_object *replies, const char *name)
{
	size_t n = json_object_array_length(replies);
	char path[64];

	(void)snprintf(path, sizeof(path), "parameters.summary.%s", name);
	return number_at(json_object_array_get_idx(replies, n - 1), path);
}

static void test_login(void **state)
{
	json_object *replies;

	begin(false);
	replies = client_stream(&client, LOGIN, "{\"selector\":{},\"retryMax\":0}");
	assert_int_equal(count(replies, "parameters.progress.phase", "closed"), NODES);
	assert_int_equal(count(replies, "parameters.progress.failure.symbol", "CONNECT_FAILED"),
			 NODES);
	assert_int_equal(summary(replies, "failed"), NODES);
	json_object_put(replies);
}

/* Until a login is so far; true if one was heard of that connects. */
static bool hear_negotiation(void)
{
	bool connecting = false, negotiating = false;

	while (!negotiating) {
		json_object *reply = client_receive(&client);
		const char *phase = text_at(reply, "parameters.progress.phase");

		assert_null(json_get_path(reply, "parameters.progress.failure"));
		connecting = connecting || strcmp(phase, "connecting") == 0;
		negotiating = strcmp(phase, "operational_negotiation") == 0;
		json_object_put(reply);
	}
	return connecting;
}

/* Nothing has ended, and all the same the client hears how far a login has come. */
static void test_phases(void **state)
{
	begin(true);
	client_send_call(&client, LOGIN, "{\"selector\":{}}", "more");
	(void)hear_negotiation();
}

static void test_single(void **state)
{
	begin(true);
	client_send_call(&client, LOGIN,
			 "{\"selector\":{\"targetName\":\"iqn.2026-11.example:0\"}}", "more");
	assert_true(hear_negotiation());
}

/* The client has gone before the daemon looks at its call; all the same all logins take place. */
static void test_client_leaves(void **state)
{
	struct client leaving, subscriber;
	int given_up = 0;

	begin(false);
	client_open(&subscriber, &oisd);
	client_send_call(&subscriber, "org.ois.event.Subscribe", "{\"numbers\":[70]}", "more");
	json_object_put(client_receive(&subscriber));
	client_open(&leaving, &oisd);
	pause_daemon();
	client_send_call(&leaving, LOGIN, "{\"selector\":{},\"retryMax\":0}", "more");
	client_close(&leaving);
	assert_int_equal(kill(oisd.pid, SIGCONT), 0);
	while (given_up < NODES) {
		json_object *reply = client_receive(&subscriber);

		assert_int_equal(number_at(reply, "parameters.event.number"), 70);
		given_up++;
		json_object_put(reply);
	}
	client_close(&subscriber);
}

/*
 * Another client removes a node whose login was to begin: before the rest of the logins begins if
 * the login is heard first, else before there is a login. The order is the kernel's.
 */
static void test_node_removed(void **state)
{
	struct client other;
	json_object *replies;
	int64_t removed;

	begin(false);
	client_open(&other, &oisd);
	json_object_put(client_call(&other, "org.ois.manager.GetStatus", NULL));
	pause_daemon();
	client_send_call(&client, LOGIN, "{\"selector\":{},\"retryMax\":0}", "more");
	client_send_call(&other, "org.ois.node.Delete",
			 "{\"selector\":{\"targetName\":\"iqn.2026-11.example:199\"}}", NULL);
	assert_int_equal(kill(oisd.pid, SIGCONT), 0);
	replies = json_object_new_array();
	for (;;) {
		json_object *reply = client_receive(&client);

		assert_int_equal(json_object_array_add(replies, reply), 0);
		if (!json_get_path(reply, "continues"))
			break;
	}
	removed = count(replies, "parameters.progress.failure.message", "the node was removed");
	assert_in_range(removed, 0, 1);
	assert_int_equal(summary(replies, "failed"), NODES - 1 + removed);
	json_object_put(replies);
	json_object_put(client_receive(&other));
	client_close(&other);
}

/* Those that are connecting and those that wait for their turn. */
static void test_logout(void **state)
{
	json_object *replies;

	begin(true);
	replies = client_stream(&client, LOGIN, "{\"selector\":{},\"noWait\":true}");
	assert_int_equal(summary(replies, "failed"), 0);
	json_object_put(replies);
	replies = client_stream(&client, LOGOUT, "{\"selector\":{}}");
	assert_int_equal(summary(replies, "loggedOut"), NODES);
	json_object_put(replies);
	replies = client_stream(&client, LOGOUT, "{\"selector\":{}}");
	assert_int_equal(count(replies, "error", "org.ois.session.NoSuchSession"), 1);
	json_object_put(replies);
}

/* The daemon ends in between: nothing is left of the call, which the sanitizer would tell. */
static void test_daemon_stops(void **state)
{
	begin(false);
	pause_daemon();
	client_send_call(&client, LOGIN, "{\"selector\":{},\"retryMax\":0}", "more");
	assert_int_equal(kill(oisd.pid, SIGTERM), 0);
	assert_int_equal(kill(oisd.pid, SIGCONT), 0);
}

int main(int argc, char *argv[])
{
#define TEST(function) cmocka_unit_test_teardown(function, end)
	static const struct CMUnitTest tests[] = {
		TEST(test_login),         TEST(test_phases),       TEST(test_single),
		TEST(test_client_leaves), TEST(test_node_removed), TEST(test_logout),
		TEST(test_daemon_stops),
	};
#undef TEST

	if (argc != 2) {
		(void)fprintf(stderr, "Usage: %s OISD\n", argv[0]);
		return 2;
	}
	oisd_program = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
