// layers: ois ois-varlink ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libois against a daemon of canned replies: calls that wait and calls that do not, streams,
 * errors, timeouts, lost connections, nonsense; and the symbol map against the header.
 */
#include <dlfcn.h>
#include <poll.h>
#include <sys/wait.h>

#include "fake_daemon.h"
#include "interfaces.h"
#include "ois/events.h"
#include "ois/ois.h"

#define OK(...)         "{\"parameters\":" __VA_ARGS__ "}"
#define MORE(...)       "{\"continues\":true,\"parameters\":" __VA_ARGS__ "}"
#define FAIL(name, ...) "{\"error\":\"" name "\",\"parameters\":" __VA_ARGS__ "}"

#define STATUS                                                                                     \
	"{\"status\":{\"version\":\"1.2\",\"state\":\"running\",\"processId\":42,"                 \
	"\"startedTimestampUSec\":5,"                                                              \
	"\"initiator\":{\"name\":\"iqn.2026-01.org.example:host\",\"origin\":\"file\"},"           \
	"\"transports\":"                                                                          \
	"[{\"name\":\"tcp\",\"loaded\":true,\"kind\":\"socket\",\"sessions\":2}],\"nodes\":3,"     \
	"\"sessions\":2,"                                                                          \
	"\"recovering\":1}}"

static struct ois_client *new_client(const struct fake_daemon *fake)
{
	struct ois_client *client = NULL;

	assert_int_equal(ois_client_new(fake->path, &client), 0);
	return client;
}

/* --- Calls that wait --- */

static void test_status(void **state)
{
	static const struct scene scenes[] = {
		{ .method = METHOD_MANAGER_GET_STATUS,
		  .parameters = "{}",
		  .replies = { OK(STATUS) } },
		{ .method = METHOD_MANAGER_GET_STATUS,
		  .replies = { OK(STATUS) },
		  .in_bytes = true },
		{},
	};
	struct ois_status *status = NULL, *second = NULL;
	struct ois_error *error = NULL;
	struct ois_client *client;
	struct fake_daemon fake;
	int64_t number = -1;

	fake_start(&fake, scenes);
	client = new_client(&fake);
	assert_int_equal(ois_get_status(client, &status, &error), 0);
	assert_int_equal(ois_get_status(client, &second, NULL), 0);
	assert_null(error);
	assert_null(ois_client_free(client));
	fake_stop(&fake);

	/* Objects outlive the client. */
	assert_string_equal(ois_status_get_version(status), "1.2");
	assert_string_equal(ois_status_get_state(status), "running");
	assert_string_equal(ois_status_get_initiator_name(status), "iqn.2026-01.org.example:host");
	assert_int_equal(ois_status_get_process_id(status, &number), 0);
	assert_int_equal(number, 42);
	assert_int_equal(ois_status_get_recovering(status, &number), 0);
	assert_int_equal(number, 1);
	assert_string_equal(ois_status_get_text(status, "transports.0.name"), "tcp");
	assert_string_equal(ois_status_get_text(status, "processId"), "42");
	assert_int_equal(ois_status_get_boolean(status, "transports.0.loaded"), 1);
	assert_null(ois_status_get_text(status, "transports.1.name"));
	assert_null(ois_status_get_text(status, "initiator.alias"));
	assert_null(ois_status_get_text(status, "version.x"));
	assert_null(ois_status_get_text(status, ""));
	number = -7;
	assert_int_equal(ois_status_get_number(status, "version", &number), -ENODATA);
	assert_int_equal(ois_status_get_number(status, "nothing", &number), -ENODATA);
	assert_int_equal(number, -7);
	assert_int_equal(ois_status_get_boolean(status, "version"), -ENODATA);
	assert_string_equal(ois_status_get_json(status), ois_status_get_json(second));
	assert_ptr_equal(ois_status_ref(status), status);
	assert_null(ois_status_unref(status));
	assert_null(ois_status_unref(status));
	assert_null(ois_status_unref(second));
	assert_null(ois_status_unref(NULL));
}

static void test_status_missing(void **state)
{
	static const struct scene scenes[] = {
		{ .method = METHOD_MANAGER_GET_STATUS, .replies = { "{}" } },
		{},
	};
	struct ois_status *status = NULL;
	struct ois_error *error = NULL;
	struct ois_client *client;
	struct fake_daemon fake;

	fake_start(&fake, scenes);
	client = new_client(&fake);
	assert_int_equal(ois_get_status(client, &status, &error), -EPROTO);
	assert_null(status);
	assert_int_equal(ois_error_get_errno(error), -EPROTO);
	assert_null(ois_error_get_name(error));
	ois_error_unref(error);
	ois_client_free(client);
	fake_stop(&fake);
}

#define SESSION(number, target)                                                                    \
	"{\"session\":{\"session\":" #number                                                       \
	",\"state\":\"logged_in\",\"phase\":\"logged_in\",\"targetName\":\"" target                \
	"\",\"address\":\"fd00::1\",\"port\":3260,\"managed\":true,\"recovering\":false,"          \
	"\"transport\":\"tcp\","                                                                   \
	"\"parameters\":{\"maxBurstLength\":262144},\"connections\":[{\"connection\":0,\"state\":" \
	"\"logged_in\","                                                                           \
	"\"address\":\"fd00::2\",\"port\":3261,\"parameters\":{}}],\"logicalUnits\":[{\"lun\":"    \
	"\"0\",\"address\":"                                                                       \
	"\"5:0:0:0\",\"deviceType\":0,\"blockDevice\":\"sda\",\"sizeBytes\":1048576}]}}"

static void check_session(const struct ois_session *session, int64_t expected)
{
	struct ois_connection *connection = ois_session_get_connection(session, 0);
	struct ois_logical_unit *unit = ois_session_get_logical_unit(session, 0);
	int64_t number = -1;

	assert_int_equal(ois_session_get_session(session, &number), 0);
	assert_int_equal(number, expected);
	assert_string_equal(ois_session_get_target_name(session), "iqn.2026-01.org.example:a");
	assert_string_equal(ois_session_get_address(session), "fd00::1");
	assert_int_equal(ois_session_is_managed(session), 1);
	assert_int_equal(ois_session_is_recovering(session), 0);
	assert_null(ois_session_get_failure(session));
	assert_string_equal(ois_session_get_text(session, "parameters.maxBurstLength"), "262144");
	assert_non_null(connection);
	assert_int_equal(ois_connection_get_port(connection, &number), 0);
	assert_int_equal(number, 3261);
	assert_null(ois_session_get_connection(session, 1));
	assert_string_equal(ois_logical_unit_get_block_device(unit), "sda");
	assert_int_equal(ois_logical_unit_get_size_bytes(unit, &number), 0);
	assert_int_equal(number, 1048576);
	assert_null(ois_logical_unit_get_wwid(unit));
}

static void test_list(void **state)
{
	static const struct scene scenes[] = {
		{ .method = METHOD_SESSION_LIST,
		  .parameters = "{\"selector\":{\"targetName\":\"iqn.*\",\"address\":\"::1\","
				"\"port\":860},"
				"\"logicalUnits\":true}",
		  .replies = { MORE(SESSION(1, "iqn.2026-01.org.example:a")),
			       MORE(SESSION(2, "iqn.2026-01.org.example:a")),
			       OK(SESSION(3, "iqn.2026-01.org.example:a")) } },
		{ .method = METHOD_SESSION_LIST,
		  .parameters = "{\"selector\":{}}",
		  .replies = { OK("{}") } },
		{ .method = METHOD_NODE_LIST,
		  .parameters = "{\"selector\":{\"startup\":\"automatic\"}}",
		  .replies = { "{}" } },
		{},
	};
	struct ois_selector *selector = NULL, *nodes_selector = NULL;
	struct ois_session **sessions = NULL;
	struct ois_node **nodes = NULL;
	struct ois_client *client;
	struct fake_daemon fake;

	fake_start(&fake, scenes);
	client = new_client(&fake);
	assert_int_equal(ois_selector_new(&selector), 0);
	assert_int_equal(ois_selector_set_target_name(selector, "iqn.*"), 0);
	assert_int_equal(ois_selector_set_portal(selector, "[::1]:860"), 0);
	assert_true(ois_selector_set_portal(selector, "[::1") < 0);
	assert_int_equal(
		ois_list_sessions(client, selector, OIS_LIST_LOGICAL_UNITS, &sessions, NULL), 3);
	for (int i = 0; i < 3; i++)
		check_session(sessions[i], i + 1);
	assert_null(sessions[3]);
	assert_null(ois_sessions_free(sessions));
	assert_null(ois_selector_free(selector));

	assert_int_equal(ois_list_sessions(client, NULL, 0, &sessions, NULL), 0);
	assert_null(sessions[0]);
	ois_sessions_free(sessions);
	assert_int_equal(ois_selector_new(&nodes_selector), 0);
	assert_int_equal(ois_selector_set_startup(nodes_selector, "automatic"), 0);
	assert_int_equal(ois_list_nodes(client, nodes_selector, 0, &nodes, NULL), 0);
	assert_null(nodes[0]);
	ois_nodes_free(nodes);
	ois_selector_free(nodes_selector);
	assert_int_equal(ois_list_nodes(client, NULL, OIS_LIST_LOGICAL_UNITS, &nodes, NULL),
			 -EINVAL);
	ois_client_free(client);
	fake_stop(&fake);
}

/* --- Errors --- */

static const struct {
	const char *reply;
	int error;
	const char *name, *message;
	unsigned event;
} error_rows[] = {
	{ FAIL("org.ois.session.LoginFailed",
	       "{\"failure\":{\"message\":\"no answer\",\"event\":43}}"),
	  -EREMOTEIO, "org.ois.session.LoginFailed", "no answer", 43 },
	{ FAIL("org.ois.discovery.Unreachable", "{\"message\":\"refused\",\"event\":1}"),
	  -EREMOTEIO, "org.ois.discovery.Unreachable", "refused", 1 },
	{ FAIL("org.ois.discovery.TimedOut", "{\"message\":\"slow\"}"), -ETIMEDOUT,
	  "org.ois.discovery.TimedOut", "slow", 0 },
	{ FAIL("org.varlink.service.PermissionDenied", "{}"), -EACCES,
	  "org.varlink.service.PermissionDenied", "permission denied", 0 },
	{ FAIL("org.varlink.service.InvalidParameter", "{\"parameter\":\"port\"}"), -EINVAL,
	  "org.varlink.service.InvalidParameter", "the daemon does not accept this value of 'port'",
	  0 },
	{ FAIL("org.ois.node.NoSuchNode", "{\"selector\":{}}"), -ESRCH, "org.ois.node.NoSuchNode",
	  "no such node", 0 },
	{ FAIL("org.ois.node.InvalidSetting",
	       "{\"setting\":\"keys.maxBurstLength\",\"message\":\"must be 1 to 2\"}"),
	  -EINVAL, "org.ois.node.InvalidSetting", "keys.maxBurstLength: must be 1 to 2", 0 },
	{ FAIL("org.ois.node.SecretTooShort", "{\"role\":\"target\",\"minimumBytes\":12}"), -EINVAL,
	  "org.ois.node.SecretTooShort", "the secret is too short, it must have at least 12 bytes",
	  0 },
	{ FAIL("org.ois.discovery.NoSuchPortal", "{\"address\":\"h\",\"port\":1}"), -ESRCH,
	  "org.ois.discovery.NoSuchPortal", "nothing is kept for this portal", 0 },
	{ FAIL("org.ois.discovery.InvalidSetting",
	       "{\"setting\":\"loginTimeoutSeconds\",\"message\":\"must be 1 to 300\"}"),
	  -EINVAL, "org.ois.discovery.InvalidSetting", "loginTimeoutSeconds: must be 1 to 300", 0 },
	{ FAIL("org.ois.discovery.SecretTooShort", "{\"role\":\"target\",\"minimumBytes\":12}"),
	  -EINVAL, "org.ois.discovery.SecretTooShort",
	  "the secret is too short, it must have at least 12 bytes", 0 },
	{ FAIL("org.ois.manager.ConfigurationInvalid",
	       "{\"file\":\"/etc/ois/ois.conf\",\"line\":7,\"message\":\"bad\"}"),
	  -EINVAL, "org.ois.manager.ConfigurationInvalid", "/etc/ois/ois.conf:7: bad", 0 },
	{ FAIL("org.example.other.Strange", "{\"event\":-3}"), -EREMOTEIO,
	  "org.example.other.Strange", "org.example.other.Strange", 0 },
	{ "{\"error\":\"org.ois.session.NoSuchSession\"}", -ESRCH, "org.ois.session.NoSuchSession",
	  "no such session", 0 },
};

static void test_errors(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(error_rows); i++) {
		const struct scene scenes[] = {
			{ .method = METHOD_MANAGER_RELOAD, .replies = { error_rows[i].reply } },
			{},
		};
		struct ois_error *error = NULL;
		struct ois_client *client;
		struct ois_call *call = NULL;
		struct fake_daemon fake;

		fake_start(&fake, scenes);
		client = new_client(&fake);
		assert_int_equal(ois_reload_call(client, &call), 0);
		assert_int_equal(ois_call_run(call, NULL, NULL, &error), error_rows[i].error);
		assert_non_null(error);
		assert_int_equal(ois_error_get_errno(error), error_rows[i].error);
		assert_string_equal(ois_error_get_name(error), error_rows[i].name);
		assert_string_equal(ois_error_get_message(error), error_rows[i].message);
		assert_int_equal(ois_error_get_event(error), error_rows[i].event);
		assert_int_equal(ois_error_get_json(error)[0], '{');
		assert_null(ois_error_get_text(error, "no.such.0.field"));
		if (error_rows[i].error == -EREMOTEIO && error_rows[i].event == 1)
			assert_string_equal(ois_error_get_text(error, "message"), "refused");
		ois_error_unref(error);
		ois_call_unref(call);
		ois_client_free(client);
		fake_stop(&fake);
	}
}

static void test_no_daemon(void **state)
{
	struct fake_daemon fake = {};
	struct ois_status *status = NULL;
	struct ois_error *error = NULL;
	struct ois_client *client;
	char path[200];

	fake_listen(&fake);
	client = new_client(&fake);
	assert_int_equal(shutdown(fake.listener, SHUT_RDWR), 0);
	(void)close(fake.listener);
	assert_int_equal(ois_get_status(client, &status, &error), -ECONNREFUSED);
	assert_null(ois_error_get_name(error));
	assert_non_null(strstr(ois_error_get_message(error), fake.path));
	error = ois_error_unref(error);
	assert_int_equal(unlink(fake.path), 0);
	assert_int_equal(ois_get_status(client, &status, &error), -ENOENT);
	ois_error_unref(error);
	assert_int_equal(ois_get_status(client, &status, NULL), -ENOENT);
	ois_client_free(client);
	assert_int_equal(rmdir(fake.directory), 0);

	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(ois_client_new(path, &client), -ENAMETOOLONG);
}

/* --- Lost connections --- */

static void test_read_call_is_repeated(void **state)
{
	static const struct scene scenes[] = {
		{ .method = METHOD_MANAGER_GET_STATUS, .raw = "{\"parameters\":", .hang_up = true },
		{ .method = METHOD_MANAGER_GET_STATUS, .replies = { OK(STATUS) } },
		{ .method = METHOD_MANAGER_GET_STATUS, .hang_up = true },
		{ .method = METHOD_MANAGER_GET_STATUS, .hang_up = true },
		{},
	};
	struct ois_status *status = NULL;
	struct ois_error *error = NULL;
	struct ois_client *client;
	struct fake_daemon fake;

	fake_start(&fake, scenes);
	client = new_client(&fake);
	assert_int_equal(ois_get_status(client, &status, NULL), 0);
	ois_status_unref(status);
	assert_int_equal(ois_get_status(client, &status, &error), -ECONNRESET);
	ois_error_unref(error);
	ois_client_free(client);
	fake_stop(&fake);
}

static void test_list_is_not_repeated_after_a_reply(void **state)
{
	static const struct scene scenes[] = {
		{ .method = METHOD_SESSION_LIST,
		  .replies = { MORE(SESSION(1, "iqn.2026-01.org.example:a")) },
		  .hang_up = true },
		{},
	};
	struct ois_session **sessions = NULL;
	struct ois_client *client;
	struct fake_daemon fake;

	fake_start(&fake, scenes);
	client = new_client(&fake);
	assert_int_equal(ois_list_sessions(client, NULL, 0, &sessions, NULL), -ECONNRESET);
	assert_null(sessions);
	ois_client_free(client);
	fake_stop(&fake);
}

static void test_changing_call_is_not_repeated(void **state)
{
	static const struct scene scenes[] = {
		{ .method = METHOD_MANAGER_RELOAD, .hang_up = true },
		{ .method = METHOD_MANAGER_GET_STATUS, .replies = { OK(STATUS) }, .hang_up = true },
		/* The connection that was kept is gone, and nothing was sent on it: this is its
		   first time. */
		{ .method = METHOD_MANAGER_RELOAD, .replies = { "{}" } },
		{},
	};
	struct ois_status *status = NULL;
	struct ois_client *client;
	struct ois_call *call = NULL;
	struct fake_daemon fake;

	fake_start(&fake, scenes);
	client = new_client(&fake);
	assert_int_equal(ois_reload_call(client, &call), 0);
	assert_int_equal(ois_call_run(call, NULL, NULL, NULL), -ECONNRESET);
	assert_int_equal(ois_call_run(call, NULL, NULL, NULL), -EBUSY);
	ois_call_unref(call);
	assert_int_equal(ois_get_status(client, &status, NULL), 0);
	ois_status_unref(status);
	/* The daemon closes the connection that was kept. */
	assert_int_equal(ois_client_wait(client, 10000000), 1);
	assert_int_equal(ois_reload_call(client, &call), 0);
	assert_int_equal(ois_call_run(call, NULL, NULL, NULL), 0);
	ois_call_unref(call);
	ois_client_free(client);
	fake_stop(&fake);
}

static void test_timeout(void **state)
{
	static const struct scene scenes[] = {
		{ .method = METHOD_MANAGER_GET_STATUS, .wait = true },
		{ .method = METHOD_MANAGER_GET_STATUS, .replies = { OK(STATUS) } },
		{},
	};
	struct ois_status *status = NULL;
	struct ois_error *error = NULL;
	struct ois_client *client;
	struct fake_daemon fake;

	fake_start(&fake, scenes);
	client = new_client(&fake);
	ois_client_set_timeout(client, 20000);
	assert_int_equal(ois_get_status(client, &status, &error), -ETIMEDOUT);
	assert_null(ois_error_get_name(error));
	ois_error_unref(error);
	ois_client_set_timeout(client, OIS_TIMEOUT_NONE);
	assert_int_equal(ois_get_status(client, &status, NULL), 0);
	ois_status_unref(status);
	ois_client_free(client);
	fake_stop(&fake);
}

/* --- Nonsense --- */

static const struct {
	const char *raw;
	bool nul;
} nonsense[] = {
	{ "", true },
	{ "[]", true },
	{ "null", true },
	{ "{", true },
	{ "{\"parameters\":{}} x", true },
	{ "{'parameters':{}}", true },
	{ "{\"parameters\":[]}", true },
	{ "{\"parameters\":3}", true },
	{ "{\"parameters\":{\"a\":NaN}}", true },
	{ "{\"parameters\":{\"a\":\"\xff\"}}", true },
	{ "{\"parameters\":{\"a\":1,\"a\":2}}", true },
	{ "{\"continues\":true}", true },
	{ "{\"continues\":1}", true },
	{ "{\"error\":1}", true },
	{ "{\"error\":\"a.B\",\"continues\":true}", true },
	{ "{\"surprise\":1}", true },
};

static void test_nonsense(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(nonsense); i++) {
		const struct scene scenes[] = {
			{ .method = METHOD_MANAGER_RELOAD,
			  .replies = { nonsense[i].raw },
			  .wait = true },
			{ .method = METHOD_MANAGER_RELOAD, .replies = { "{}" } },
			{},
		};
		struct ois_error *error = NULL;
		struct ois_client *client;
		struct ois_call *call = NULL;
		struct fake_daemon fake;

		fake_start(&fake, scenes);
		client = new_client(&fake);
		assert_int_equal(ois_reload_call(client, &call), 0);
		assert_int_equal(ois_call_run(call, NULL, NULL, &error), -EPROTO);
		assert_null(ois_error_get_name(error));
		ois_error_unref(error);
		ois_call_unref(call);
		/* The client is none the worse for it. */
		assert_int_equal(ois_reload_call(client, &call), 0);
		assert_int_equal(ois_call_run(call, NULL, NULL, NULL), 0);
		ois_call_unref(call);
		ois_client_free(client);
		fake_stop(&fake);
	}
}

static void test_unasked_reply(void **state)
{
	static const struct scene scenes[] = {
		{ .method = METHOD_MANAGER_RELOAD,
		  .replies = { "{}", "{\"parameters\":{\"late\":1}}" },
		  .wait = true },
		{ .method = METHOD_MANAGER_GET_STATUS, .replies = { OK(STATUS) } },
		{},
	};
	struct ois_status *status = NULL;
	struct ois_client *client;
	struct ois_call *call = NULL;
	struct fake_daemon fake;

	fake_start(&fake, scenes);
	client = new_client(&fake);
	assert_int_equal(ois_reload_call(client, &call), 0);
	assert_int_equal(ois_call_run(call, NULL, NULL, NULL), 0);
	ois_call_unref(call);
	/* Never taken for the answer to the next call. */
	assert_int_equal(ois_get_status(client, &status, NULL), 0);
	assert_string_equal(ois_status_get_version(status), "1.2");
	ois_status_unref(status);
	ois_client_free(client);
	fake_stop(&fake);
}

static void test_oversized(void **state)
{
	static char block[1 << 20];
	struct scene scenes[] = {
		{ .method = METHOD_MANAGER_RELOAD, .raw = block, .raw_repeated = 18, .wait = true },
		{},
	};
	struct ois_client *client;
	struct ois_call *call = NULL;
	struct fake_daemon fake;

	memset(block, ' ', sizeof(block) - 1);
	fake_start(&fake, scenes);
	client = new_client(&fake);
	assert_int_equal(ois_reload_call(client, &call), 0);
	assert_int_equal(ois_call_run(call, NULL, NULL, NULL), -EMSGSIZE);
	ois_call_unref(call);
	ois_client_free(client);
	fake_stop(&fake);
}

/* --- Calls that do not wait --- */

static int count_replies(struct ois_call *call, const struct ois_reply *reply, void *userdata)
{
	int *count = userdata;

	*count += ois_reply_get_error(reply) ? 100 : 1;
	assert_ptr_equal(ois_call_get_reply(call), reply);
	return 0;
}

/* As an event loop does it. */
static void turn(struct ois_client *client)
{
	struct pollfd pollfd = { .fd = ois_client_get_fd(client),
				 .events = (short)ois_client_get_events(client) };

	(void)poll(&pollfd, 1, ois_client_get_timeout(client) == OIS_TIMEOUT_NONE ? 1000 : 0);
	assert_true(ois_client_process(client) >= 0);
}

static void start_status(struct ois_client *client, ois_handler_t handler, void *userdata)
{
	struct ois_call *call = NULL;

	assert_int_equal(ois_get_status_call(client, &call), 0);
	assert_int_equal(ois_call_start(call, handler, userdata), 0);
	assert_int_equal(ois_call_start(call, handler, userdata), -EBUSY);
	assert_int_equal(ois_call_set_timeout(call, 1), -EBUSY);
	assert_null(ois_call_unref(call)); /* the client has its own */
}

static void accept_and_answer(int listener, const char *reply)
{
	char text[512];
	int fd = accept(listener, NULL, NULL);

	assert_true(fd >= 0);
	assert_true(recv(fd, text, sizeof(text), 0) > 0);
	assert_int_equal(send(fd, reply, strlen(reply) + 1, MSG_NOSIGNAL),
			 (ssize_t)strlen(reply) + 1);
	(void)close(fd);
}

static void test_many_at_once(void **state)
{
	struct fake_daemon fake = {};
	struct ois_client *client;
	int count = 0;

	fake_listen(&fake);
	client = new_client(&fake);
	assert_true(ois_client_get_timeout(client) == OIS_TIMEOUT_NONE);
	assert_int_equal(ois_client_process(client), 0);
	for (int i = 0; i < OIS_CALLS_MAX + 4; i++)
		start_status(client, count_replies, &count);
	assert_true(ois_client_get_timeout(client) == 0);
	assert_int_equal(ois_client_process(client), 1);
	assert_int_equal(count, 0);
	/* The last four wait for a connection. */
	for (int i = 0; i < OIS_CALLS_MAX; i++)
		accept_and_answer(fake.listener, OK(STATUS));
	while (count < OIS_CALLS_MAX)
		turn(client);
	while (ois_client_get_timeout(client) == 0)
		turn(client);
	for (int i = 0; i < 4; i++)
		accept_and_answer(fake.listener, OK(STATUS));
	while (count < OIS_CALLS_MAX + 4)
		turn(client);
	assert_int_equal(count, OIS_CALLS_MAX + 4);
	/*
	 * The connection that was kept, and closed by the daemon, is noticed; then there is nothing
	 * to do.
	 */
	while (ois_client_wait(client, 0) > 0)
		turn(client);
	assert_true(ois_client_get_timeout(client) == OIS_TIMEOUT_NONE);
	ois_client_free(client);
	fake_unlisten(&fake);
}

struct handler_probe {
	int replies, result;
	struct ois_client *client;
};

static int probe_handler(struct ois_call *call, const struct ois_reply *reply, void *userdata)
{
	struct handler_probe *probe = userdata;
	struct ois_status *status = NULL;

	probe->replies++;
	assert_ptr_equal(ois_call_get_client(call), probe->client);
	/* No waiting in a handler. */
	assert_int_equal(ois_client_process(probe->client), -EBUSY);
	assert_int_equal(ois_get_status(probe->client, &status, NULL), -EBUSY);
	if (probe->result == -ECHILD)
		start_status(probe->client, NULL, NULL);
	if (probe->result == 1)
		ois_call_cancel(call);
	return probe->result;
}

static void test_handler(void **state)
{
	static const struct scene scenes[] = {
		{ .method = METHOD_EVENT_SUBSCRIBE,
		  .parameters = "{\"numbers\":[1,20],\"targetName\":\"iqn.*\",\"history\":5}",
		  .replies = { MORE("{\"ready\":true}"), MORE("{}") },
		  .wait = true },
		{ .method = METHOD_MANAGER_GET_STATUS,
		  .hang_up = true }, /* started by the handler */
		{ .method = METHOD_EVENT_SUBSCRIBE,
		  .parameters = "{}",
		  .replies = { MORE("{}"), MORE("{}") },
		  .wait = true },
		{},
	};
	static const unsigned numbers[] = { 1, 20 };
	struct handler_probe probe = { .result = -ECHILD };
	struct ois_error *error = NULL;
	struct ois_client *client;
	struct ois_call *call = NULL;
	struct fake_daemon fake;

	fake_start(&fake, scenes);
	probe.client = client = new_client(&fake);
	ois_client_set_timeout(client, 1); /* not for streams */
	assert_int_equal(ois_subscribe_call(client, numbers, 2, "iqn.*", 5, &call), 0);
	/* A handler's own value ends the call, and is no error of the daemon. */
	assert_int_equal(ois_call_run(call, probe_handler, &probe, &error), -ECHILD);
	assert_null(error);
	assert_int_equal(probe.replies, 1);
	ois_call_unref(call);
	ois_client_free(client);

	probe = (struct handler_probe){ .result = 1 };
	probe.client = client = new_client(&fake);
	assert_int_equal(ois_subscribe_call(client, NULL, 0, NULL, 0, &call), 0);
	assert_int_equal(ois_call_run(call, probe_handler, &probe, &error), -ECANCELED);
	assert_null(error);
	assert_int_equal(probe.replies, 1);
	ois_call_unref(call);
	ois_client_free(client);
	fake_stop(&fake);
}

struct heard {
	int ready, events, missed;
};

static int hear_events(struct ois_call *call, const struct ois_reply *reply, void *userdata)
{
	struct heard *heard = userdata;
	const struct ois_event *event = ois_reply_get_event(reply);
	int64_t number;

	heard->ready += ois_reply_get_boolean(reply, "ready") == 1;
	if (ois_reply_get_number(reply, "missed", &number) == 0)
		heard->missed += (int)number;
	if (!event)
		return 0;
	heard->events++;
	assert_int_equal(ois_event_get_event(event, &number), 0);
	assert_int_equal(number, OIS_EVENT_CONNECTION_LOST);
	assert_string_equal(ois_event_get_field(event, "OIS_TARGET"), "iqn.x");
	assert_null(ois_event_get_field(event, "OIS_NOTHING"));
	assert_string_equal(ois_event_get_message(event), "lost");
	return 0;
}

static void test_events(void **state)
{
	static const struct scene scenes[] = {
		{ .method = METHOD_EVENT_SUBSCRIBE,
		  .replies = { MORE("{\"ready\":true}"),
			       MORE("{\"event\":{\"number\":20,\"message\":\"lost\",\"fields\":{"
				    "\"OIS_TARGET\":\"iqn.x\"}}}"),
			       MORE("{\"missed\":3}") },
		  .hang_up = true },
		{},
	};
	struct heard heard = {};
	struct ois_client *client;
	struct ois_call *call = NULL;
	struct fake_daemon fake;

	fake_start(&fake, scenes);
	client = new_client(&fake);
	assert_int_equal(ois_subscribe_call(client, NULL, 0, NULL, 0, &call), 0);
	/* A subscription that has begun is not begun again behind the caller's back. */
	assert_int_equal(ois_call_run(call, hear_events, &heard, NULL), -ECONNRESET);
	assert_int_equal(heard.ready, 1);
	assert_int_equal(heard.events, 1);
	assert_int_equal(heard.missed, 3);
	ois_call_unref(call);
	ois_client_free(client);
	fake_stop(&fake);
}

static int hear_phases(struct ois_call *call, const struct ois_reply *reply, void *userdata)
{
	const struct ois_session *session = ois_reply_get_session(reply);
	char *phases = userdata;

	if (session)
		(void)strcat(phases, ois_session_get_phase(session));
	if (ois_reply_get_boolean(reply, "ready") == 1)
		(void)strcat(phases, " ready ");
	return 0;
}

static void test_subscribe_sessions(void **state)
{
	static const struct scene scenes[] = {
		{ .method = METHOD_SESSION_SUBSCRIBE,
		  .parameters = "{\"selector\":{\"session\":3}}",
		  .replies = { MORE("{\"session\":{\"phase\":\"logged_in\"}}"),
			       MORE("{\"ready\":true}"),
			       MORE("{\"session\":{\"phase\":\"retrying\"}}") },
		  .hang_up = true },
		{},
	};
	struct ois_selector *selector = NULL;
	struct ois_client *client;
	struct ois_call *call = NULL;
	struct fake_daemon fake;
	char phases[64] = "";

	fake_start(&fake, scenes);
	client = new_client(&fake);
	assert_int_equal(ois_selector_new(&selector), 0);
	assert_int_equal(ois_selector_set_session(selector, 3), 0);
	assert_int_equal(ois_subscribe_sessions_call(client, selector, &call), 0);
	assert_int_equal(ois_call_run(call, hear_phases, phases, NULL), -ECONNRESET);
	assert_string_equal(phases, "logged_in ready retrying");
	ois_call_unref(call);
	ois_selector_free(selector);
	ois_client_free(client);
	fake_stop(&fake);
}

static void test_call_outlives_client(void **state)
{
	struct fake_daemon fake = {};
	struct ois_client *client;
	struct ois_call *unstarted = NULL, *started = NULL;
	int count = 0;

	fake_listen(&fake);
	client = new_client(&fake);
	assert_int_equal(ois_reload_call(client, &unstarted), 0);
	assert_int_equal(ois_reload_call(client, &started), 0);
	assert_int_equal(ois_call_start(started, count_replies, &count), 0);
	assert_int_equal(ois_client_process(client), 1);
	ois_client_free(client);
	assert_int_equal(count, 0);
	assert_null(ois_call_get_reply(started));
	assert_int_equal(ois_call_start(unstarted, NULL, NULL), -ECANCELED);
	ois_call_cancel(started);
	ois_call_unref(started);
	ois_call_unref(unstarted);
	fake_unlisten(&fake);
}

/* --- Any method --- */

static void test_any_call(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.example.any.Method",
		  .parameters = "{\"a\":[1,2],\"b\":\"c\",\"t\":\"\\\"quoted\\\"\"}",
		  .replies = { OK("{\"x\":{\"y\":[true]}}") } },
		{},
	};
	struct ois_client *client;
	struct ois_call *call = NULL;
	struct fake_daemon fake;

	fake_start(&fake, scenes);
	client = new_client(&fake);
	assert_int_equal(ois_call_new(client, "a.B", "[]", 0, &call), -EBADMSG);
	assert_int_equal(ois_call_new(client, "a.B", "{", 0, &call), -EBADMSG);
	assert_int_equal(ois_call_new(client, "a.B", NULL, 1 << 9, &call), -EINVAL);
	assert_null(call);
	assert_int_equal(ois_call_new(client, "org.example.any.Method", "{\"a\":1,\"z\":1}",
				      OIS_CALL_READ, &call),
			 0);
	assert_int_equal(ois_call_set_parameter(call, "a", "[1,2]"), 0);
	assert_int_equal(ois_call_set_parameter(call, "b", "\"c\""), 0);
	assert_int_equal(ois_call_set_parameter(call, "z", "null"), 0);
	assert_int_equal(ois_call_set_text(call, "t", "replaced"), 0);
	assert_int_equal(ois_call_set_text(call, "t", "\"quoted\""), 0);
	assert_int_equal(ois_call_set_text(call, "z", "gone"), 0);
	assert_int_equal(ois_call_set_text(call, "z", NULL), 0);
	assert_int_equal(ois_call_set_text(call, "y", NULL), 0);
	assert_int_equal(ois_call_set_parameter(call, "b", "c"), -EBADMSG);
	assert_int_equal(ois_call_run(call, NULL, NULL, NULL), 0);
	assert_string_equal(ois_reply_get_json(ois_call_get_reply(call)), "{\"x\":{\"y\":[true]}}");
	assert_int_equal(ois_reply_get_boolean(ois_call_get_reply(call), "x.y.0"), 1);
	assert_int_equal(ois_reply_is_last(ois_call_get_reply(call)), 1);
	assert_int_equal(ois_call_set_parameter(call, "a", "1"), -EBUSY);
	assert_int_equal(ois_call_set_text(call, "a", "1"), -EBUSY);
	ois_call_unref(call);
	ois_client_free(client);
	fake_stop(&fake);
}

/* --- Settings and secrets --- */

static const struct {
	const char *assignment;
	int error; /* 0: sent as @json */
	const char *json;
} settings_rows[] = {
	{ "startup=automatic", 0, "{\"startup\":\"automatic\"}" },
	{ "scan=no", 0, "{\"scan\":false}" },
	{ "replacementTimeoutSeconds=-1", 0, "{\"replacementTimeoutSeconds\":-1}" },
	{ "keys.headerDigest=crc32c,none", 0,
	  "{\"keys\":{\"headerDigest\":[\"crc32c\",\"none\"]}}" },
	{ "keys.headerDigest=", 0, "{\"keys\":{\"headerDigest\":[]}}" },
	{ "keys.initialR2T=yes", 0, "{\"keys\":{\"initialR2T\":true}}" },
	{ "authentication.userName=a=b", 0, "{\"authentication\":{\"userName\":\"a=b\"}}" },
	{ "authentication.algorithms=sha3_256", 0,
	  "{\"authentication\":{\"algorithms\":[\"sha3_256\"]}}" },
	{ "tcp.sourceAddress=", 0, "{\"tcp\":{\"sourceAddress\":\"\"}}" },
	{ "startup", -EINVAL, NULL },
	{ "startup=never", -EINVAL, NULL },
	{ "scan=maybe", -EINVAL, NULL },
	{ "commandsMax=many", -EINVAL, NULL },
	{ "commandsMax=", -EINVAL, NULL },
	{ "commandsMax=99999999999999999999", -EINVAL, NULL },
	{ "keys.headerDigest=crc32c,", -EINVAL, NULL },
	{ "keys.headerDigest=md5", -EINVAL, NULL },
	{ "authentication.secretSet=yes", -EINVAL, NULL },
	{ "keys=x", -ENOENT, NULL },
	{ "keys.none=x", -ENOENT, NULL },
	{ "keys.headerDigest.none=x", -ENOENT, NULL },
	{ "=x", -ENOENT, NULL },
	{ "Startup=manual", -ENOENT, NULL },
};

static void check_setting_sent(const char *const *settings, const char *json)
{
	char parameters[512];
	const struct scene scenes[] = {
		{ .method = METHOD_NODE_UPDATE,
		  .parameters = parameters,
		  .replies = { OK("{\"updated\":1}") } },
		{},
	};
	struct ois_selector *selector = NULL;
	struct ois_client *client;
	struct ois_call *call = NULL;
	struct fake_daemon fake;
	int64_t updated = 0;

	(void)snprintf(parameters, sizeof(parameters),
		       "{\"selector\":{},\"settings\":%s,\"reset\":[\"tcp\"]}", json);
	fake_start(&fake, scenes);
	client = new_client(&fake);
	assert_int_equal(ois_selector_new(&selector), 0);
	assert_int_equal(ois_node_update_call(client, selector, settings,
					      (const char *const[]){ "tcp", NULL }, &call, NULL),
			 0);
	assert_int_equal(ois_call_run(call, NULL, NULL, NULL), 0);
	assert_int_equal(ois_reply_get_number(ois_call_get_reply(call), "updated", &updated), 0);
	assert_int_equal(updated, 1);
	ois_call_unref(call);
	ois_selector_free(selector);
	ois_client_free(client);
	fake_stop(&fake);
}

static void test_settings(void **state)
{
	struct ois_selector *selector = NULL;
	struct ois_client *client = NULL;

	assert_int_equal(ois_client_new(NULL, &client), 0);
	assert_int_equal(ois_selector_new(&selector), 0);
	for (size_t i = 0; i < ELEMENTSOF(settings_rows); i++) {
		const char *const settings[] = { settings_rows[i].assignment, NULL };
		struct ois_error *error = NULL;
		struct ois_call *call = NULL;

		if (settings_rows[i].json) {
			check_setting_sent(settings, settings_rows[i].json);
			continue;
		}
		assert_int_equal(
			ois_node_update_call(client, selector, settings, NULL, &call, &error),
			settings_rows[i].error);
		assert_null(call);
		assert_int_equal(ois_error_get_errno(error), settings_rows[i].error);
		ois_error_unref(error);
		assert_int_equal(
			ois_node_update_call(client, selector, settings, NULL, &call, NULL),
			settings_rows[i].error);
	}
	ois_selector_free(selector);
	ois_client_free(client);
}

static void test_everything_must_be_said(void **state)
{
	struct ois_client *client = NULL;
	struct ois_call *call = NULL;

	assert_int_equal(ois_client_new(NULL, &client), 0);
	assert_int_equal(ois_login_call(client, NULL, 0, &call), -EINVAL);
	assert_int_equal(ois_logout_call(client, NULL, 0, &call), -EINVAL);
	assert_int_equal(ois_node_delete_call(client, NULL, 0, &call), -EINVAL);
	assert_int_equal(ois_node_update_call(client, NULL, NULL, NULL, &call, NULL), -EINVAL);
	assert_int_equal(ois_node_set_secret_call(client, NULL, OIS_SECRET_TARGET, "x", 1, &call),
			 -EINVAL);
	assert_null(call);
	ois_client_free(client);
}

static void test_secret(void **state)
{
	static const struct scene scenes[] = {
		{ .method = METHOD_NODE_SET_SECRET,
		  .parameters = "{\"selector\":{\"targetName\":\"iqn.x\"},\"role\":\"target\","
				"\"secretBase64\":\"AP9zZWNyZXQgYnl0ZXM=\"}",
		  .replies = { OK("{\"updated\":1}") } },
		{ .method = METHOD_NODE_SET_SECRET,
		  .parameters = "{\"selector\":{\"targetName\":\"iqn.x\"},\"role\":\"initiator\"}",
		  .replies = { OK("{\"updated\":1}") } },
		{},
	};
	static const char secret[] = "\0\xffsecret bytes";
	struct ois_selector *selector = NULL;
	struct ois_client *client;
	struct ois_call *call = NULL;
	struct fake_daemon fake;

	fake_start(&fake, scenes);
	client = new_client(&fake);
	assert_int_equal(ois_selector_new(&selector), 0);
	assert_int_equal(ois_selector_set_target_name(selector, "iqn.x"), 0);
	assert_int_equal(ois_node_set_secret_call(client, selector, OIS_SECRET_TARGET, secret,
						  sizeof(secret) - 1, &call),
			 0);
	assert_int_equal(ois_call_run(call, NULL, NULL, NULL), 0);
	ois_call_unref(call);
	assert_int_equal(
		ois_node_set_secret_call(client, selector, OIS_SECRET_INITIATOR, NULL, 0, &call),
		0);
	assert_int_equal(ois_call_run(call, NULL, NULL, NULL), 0);
	ois_call_unref(call);
	ois_selector_free(selector);
	ois_client_free(client);
	fake_stop(&fake);
}

static void test_secret_formats(void **state)
{
	static const struct {
		enum ois_secret_format format;
		const char *text;
		int result;
		const char *bytes;
		size_t length;
	} rows[] = {
		{ OIS_SECRET_TEXT, "0x00 \n", 0, "0x00 \n", 6 },
		{ OIS_SECRET_TEXT, "", 0, "", 0 },
		{ OIS_SECRET_TEXT, "longer than sixteen", -ENOBUFS, NULL, 0 },
		{ OIS_SECRET_HEX, "00fF0a", 0, "\0\xff\n", 3 },
		{ OIS_SECRET_HEX, "0x00ff", 0, "\0\xff", 2 },
		{ OIS_SECRET_HEX, "0X00ff", 0, "\0\xff", 2 },
		{ OIS_SECRET_HEX, " 00 ff\r\n\t0a ", 0, "\0\xff\n", 3 },
		{ OIS_SECRET_HEX, "0f0", -EINVAL, NULL, 0 },
		{ OIS_SECRET_HEX, "0x0f0", -EINVAL, NULL, 0 },
		{ OIS_SECRET_HEX, "0x", -EINVAL, NULL, 0 },
		{ OIS_SECRET_HEX, " \n", -EINVAL, NULL, 0 },
		{ OIS_SECRET_HEX, "", -EINVAL, NULL, 0 },
		{ OIS_SECRET_HEX, "0g", -EINVAL, NULL, 0 },
		{ OIS_SECRET_HEX, "0x0x00", -EINVAL, NULL, 0 },
		{ OIS_SECRET_HEX, "000102030405060708090a0b0c0d0e0f10", -ENOBUFS, NULL, 0 },
		{ OIS_SECRET_BASE64, "AP8K", 0, "\0\xff\n", 3 },
		{ OIS_SECRET_BASE64, "AP\n8=\n", 0, "\0\xff", 2 },
		{ OIS_SECRET_BASE64, "0bAP8K", 0, "\0\xff\n", 3 },
		{ OIS_SECRET_BASE64, "0BAP8=", 0, "\0\xff", 2 },
		/* Digits, no prefix. */
		{ OIS_SECRET_BASE64, "0bAP", 0, "\xd1\xb0\x0f", 3 },
		{ OIS_SECRET_BASE64, "AP8", -EINVAL, NULL, 0 },
		{ OIS_SECRET_BASE64, "0bAP8", -EINVAL, NULL, 0 },
		{ OIS_SECRET_BASE64, "0b", -EINVAL, NULL, 0 },
		{ OIS_SECRET_BASE64, "AP-_", -EINVAL, NULL, 0 },
		{ OIS_SECRET_BASE64, "", -EINVAL, NULL, 0 },
		{ OIS_SECRET_BASE64 + 1, "00", -EINVAL, NULL, 0 },
	};
	char bytes[16];
	size_t length;

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		length = 99;
		if (ois_secret_decode(rows[i].format, rows[i].text, strlen(rows[i].text), bytes,
				      sizeof(bytes), &length) != rows[i].result)
			fail_msg("'%s'", rows[i].text);
		assert_int_equal(length, rows[i].result < 0 ? 99 : rows[i].length);
		if (rows[i].result >= 0 && memcmp(bytes, rows[i].bytes, length) != 0)
			fail_msg("'%s'", rows[i].text);
	}
	/* A NUL is no white space, and ends nothing. */
	assert_int_equal(ois_secret_decode(OIS_SECRET_HEX,
					   "00\0"
					   "ff",
					   5, bytes, 16, &length),
			 -EINVAL);
	assert_int_equal(ois_secret_decode(OIS_SECRET_TEXT,
					   "00\0"
					   "ff",
					   5, bytes, 16, &length),
			 0);
	assert_memory_equal(bytes,
			    "00\0"
			    "ff",
			    5);
	assert_int_equal(ois_secret_decode(OIS_SECRET_TEXT, NULL, 1, bytes, 16, &length), -EINVAL);
	assert_int_equal(ois_secret_decode(OIS_SECRET_TEXT, NULL, 0, bytes, 16, &length), 0);
}

#define NODE                                                                                       \
	"{\"record\":{\"key\":{\"targetName\":\"iqn.x\",\"address\":\"host\",\"port\":3260,"       \
	"\"portalGroupTag\":1},"                                                                   \
	"\"settings\":{\"scan\":false,\"keys\":{\"headerDigest\":[\"crc32c\",\"none\"]}},"         \
	"\"effective\":{\"startup\":"                                                              \
	"\"manual\",\"scan\":false},\"origin\":{\"kind\":\"static\"},\"sessions\":[4,5]}}"

static int join(const char *name, const char *value, void *userdata)
{
	char *text = userdata;

	(void)sprintf(text + strlen(text), "%s=%s;", name, value);
	return 0;
}

static void test_node(void **state)
{
	static const struct scene scenes[] = {
		{ .method = METHOD_NODE_CREATE,
		  .parameters = "{\"key\":{\"targetName\":\"iqn.x\",\"address\":\"host\",\"port\":"
				"3260},\"settings\":"
				"{\"scan\":false}}",
		  .replies = { OK(NODE) } },
		{},
	};
	struct ois_client *client;
	struct ois_error *error = NULL;
	struct ois_call *call = NULL;
	struct fake_daemon fake;
	struct ois_node *node;
	char *value = NULL, text[256] = "";
	int64_t number;

	fake_start(&fake, scenes);
	client = new_client(&fake);
	assert_int_equal(ois_node_create_call(client, "iqn.x", "host:99999", NULL, &call, &error),
			 -ERANGE);
	ois_error_unref(error);
	assert_int_equal(ois_node_create_call(client, "iqn.x", "host",
					      (const char *const[]){ "scan=off", NULL }, &call,
					      &error),
			 0);
	assert_int_equal(ois_call_run(call, NULL, NULL, NULL), 0);
	node = ois_node_ref(ois_reply_get_node(ois_call_get_reply(call)));
	ois_call_unref(call);
	ois_client_free(client);
	fake_stop(&fake);

	assert_string_equal(ois_node_get_target_name(node), "iqn.x");
	assert_string_equal(ois_node_get_origin(node), "static");
	assert_int_equal(ois_node_get_session(node, 1, &number), 0);
	assert_int_equal(number, 5);
	assert_int_equal(ois_node_get_session(node, 2, &number), -ENODATA);
	assert_int_equal(ois_node_get_setting(node, "keys.headerDigest", 0, &value), 0);
	assert_string_equal(value, "crc32c,none");
	free(value);
	assert_int_equal(ois_node_get_setting(node, "startup", OIS_LIST_EFFECTIVE, &value), 0);
	assert_string_equal(value, "manual");
	free(value);
	assert_int_equal(ois_node_get_setting(node, "startup", 0, &value), -ENODATA);
	assert_int_equal(ois_node_get_setting(node, "keys", 0, &value), -ENODATA);
	assert_int_equal(ois_node_foreach_setting(node, 0, join, text), 0);
	assert_string_equal(text, "scan=no;keys.headerDigest=crc32c,none;");
	ois_node_unref(node);
}

static void test_portal_record(void **state)
{
#define PORTAL                                                                                     \
	"{\"portal\":{\"address\":\"::1\",\"port\":3260,\"settings\":{\"authentication\":{"        \
	"\"algorithms\":[\"sha256\",\"md5\"]}},\"effective\":{\"connectTimeoutSeconds\":10},"      \
	"\"createdTimestampUSec\":5,\"changedTimestampUSec\":6}}"
	static const struct scene scenes[] = {
		{ .method = METHOD_DISCOVERY_SET_PORTAL,
		  .parameters = "{\"address\":\"::1\",\"port\":3260,\"settings\":{"
				"\"authentication\":{\"algorithms\":[\"sha256\",\"md5\"]}},"
				"\"reset\":[\"tcp\"]}",
		  .replies = { OK(PORTAL) } },
		{ .method = METHOD_DISCOVERY_SET_PORTAL_SECRET,
		  .parameters = "{\"address\":\"::1\",\"port\":1,\"role\":\"initiator\","
				"\"secretBase64\":\"AP8=\"}",
		  .replies = { OK(PORTAL) } },
		{ .method = METHOD_DISCOVERY_LIST_PORTALS,
		  .parameters = "{\"effective\":true}",
		  .replies = { MORE(PORTAL), OK(PORTAL) } },
		{ .method = METHOD_DISCOVERY_REMOVE_PORTAL,
		  .parameters = "{\"address\":\"::1\",\"port\":3260}",
		  .replies = { OK("{}") } },
		{},
	};
	static const char *const settings[] = { "authentication.algorithms=sha256,md5", NULL };
	static const char *const reset[] = { "tcp", NULL };
	static const char *const scan[] = { "scan=yes", NULL };
	struct ois_portal_record **records = NULL;
	struct ois_error *error = NULL;
	struct ois_call *call = NULL;
	struct ois_client *client;
	struct fake_daemon fake;
	char *value = NULL;
	int64_t number;

	fake_start(&fake, scenes);
	client = new_client(&fake);
	assert_int_equal(
		ois_portal_record_set_call(client, "::1:x]", settings, NULL, &call, &error),
		-EINVAL);
	assert_string_equal(ois_error_get_message(error),
			    "'::1:x]' is no portal: ADDRESS[:PORT] is expected");
	ois_error_unref(error);
	/* A setting, but none of discoveries. */
	assert_int_equal(ois_portal_record_set_call(client, "::1", scan, NULL, &call, &error),
			 -ENOENT);
	assert_string_equal(ois_error_get_message(error), "discoveries have no setting 'scan'");
	ois_error_unref(error);
	assert_int_equal(ois_portal_record_set_call(client, NULL, settings, NULL, &call, NULL),
			 -EINVAL);
	assert_int_equal(ois_portal_record_set_secret_call(client, "h", 2, "x", 1, &call), -EINVAL);
	assert_int_equal(ois_portal_record_remove_call(client, "", &call), -EINVAL);
	assert_int_equal(ois_list_portal_records_call(client, NULL, OIS_FORCE << 1, &call),
			 -EINVAL);

	assert_int_equal(ois_portal_record_set_call(client, "::1", settings, reset, &call, NULL),
			 0);
	assert_int_equal(ois_call_run(call, NULL, NULL, NULL), 0);
	assert_non_null(ois_reply_get_portal_record(ois_call_get_reply(call)));
	ois_call_unref(call);
	assert_int_equal(ois_portal_record_set_secret_call(client, "[::1]:1", OIS_SECRET_INITIATOR,
							   "\0\xff", 2, &call),
			 0);
	assert_int_equal(ois_call_run(call, NULL, NULL, NULL), 0);
	ois_call_unref(call);
	assert_int_equal(ois_list_portal_records(client, NULL, OIS_LIST_EFFECTIVE, &records, NULL),
			 2);
	assert_string_equal(ois_portal_record_get_address(records[0]), "::1");
	assert_int_equal(ois_portal_record_get_port(records[0], &number), 0);
	assert_int_equal(number, 3260);
	assert_int_equal(ois_portal_record_get_created_usec(records[0], &number), 0);
	assert_int_equal(number, 5);
	assert_int_equal(
		ois_portal_record_get_setting(records[0], "authentication.algorithms", 0, &value),
		0);
	assert_string_equal(value, "sha256,md5");
	free(value);
	assert_int_equal(
		ois_portal_record_get_setting(records[0], "connectTimeoutSeconds", 0, &value),
		-ENODATA);
	assert_int_equal(ois_portal_record_get_setting(records[0], "connectTimeoutSeconds",
						       OIS_LIST_EFFECTIVE, &value),
			 0);
	assert_string_equal(value, "10");
	free(value);
	ois_portal_records_free(records);
	assert_int_equal(ois_portal_record_remove_call(client, "::1", &call), 0);
	assert_int_equal(ois_call_run(call, NULL, NULL, NULL), 0);
	ois_call_unref(call);
	ois_client_free(client);
	fake_stop(&fake);
#undef PORTAL
}

static void test_interface(void **state)
{
#define INTERFACE                                                                                  \
	"{\"interface\":{\"name\":\"rear\",\"settings\":{\"tcp\":{\"netDevice\":\"eth5\"}},"       \
	"\"effective\":{\"transport\":\"tcp\"},\"builtIn\":false,\"users\":2,"                     \
	"\"createdTimestampUSec\":5,\"changedTimestampUSec\":6}}"
	static const struct scene scenes[] = {
		{ .method = METHOD_INTERFACE_ADD,
		  .parameters =
			  "{\"name\":\"rear\",\"settings\":{\"tcp\":{\"netDevice\":\"eth5\"}}}",
		  .replies = { OK(INTERFACE) } },
		{ .method = METHOD_INTERFACE_SET,
		  .parameters = "{\"name\":\"rear\",\"settings\":{},\"reset\":[\"tcp\"]}",
		  .replies = { OK(INTERFACE) } },
		{ .method = METHOD_INTERFACE_LIST,
		  .parameters = "{\"name\":\"rear\",\"effective\":true}",
		  .replies = { OK(INTERFACE) } },
		{ .method = METHOD_INTERFACE_APPLY,
		  .parameters = "{}",
		  .replies = { OK("{\"applied\":2,\"unchanged\":1}") } },
		{ .method = METHOD_INTERFACE_REMOVE,
		  .parameters = "{\"name\":\"rear\"}",
		  .replies = { OK("{}") } },
		{},
	};
	static const char *const settings[] = { "tcp.netDevice=eth5", NULL };
	static const char *const reset[] = { "tcp", NULL };
	static const char *const scan[] = { "scan=yes", NULL };
	struct ois_interface **interfaces = NULL;
	struct ois_error *error = NULL;
	struct ois_call *call = NULL;
	struct ois_client *client;
	struct fake_daemon fake;
	char *value = NULL;
	int64_t number;

	fake_start(&fake, scenes);
	client = new_client(&fake);
	assert_int_equal(ois_interface_add_call(client, "rear", scan, &call, &error), -ENOENT);
	assert_string_equal(ois_error_get_message(error), "interfaces have no setting 'scan'");
	ois_error_unref(error);
	assert_int_equal(ois_interface_set_call(client, NULL, settings, NULL, &call, NULL),
			 -EINVAL);
	assert_int_equal(ois_interface_remove_call(client, NULL, &call), -EINVAL);
	assert_int_equal(ois_list_interfaces_call(client, NULL, OIS_FORCE << 1, &call), -EINVAL);

	assert_int_equal(ois_interface_add_call(client, "rear", settings, &call, NULL), 0);
	assert_int_equal(ois_call_run(call, NULL, NULL, NULL), 0);
	assert_non_null(ois_reply_get_interface(ois_call_get_reply(call)));
	ois_call_unref(call);
	assert_int_equal(ois_interface_set_call(client, "rear", NULL, reset, &call, NULL), 0);
	assert_int_equal(ois_call_run(call, NULL, NULL, NULL), 0);
	ois_call_unref(call);
	assert_int_equal(ois_list_interfaces(client, "rear", OIS_LIST_EFFECTIVE, &interfaces, NULL),
			 1);
	assert_string_equal(ois_interface_get_name(interfaces[0]), "rear");
	assert_int_equal(ois_interface_is_built_in(interfaces[0]), 0);
	assert_true(ois_interface_get_host(interfaces[0], &number) < 0);
	assert_int_equal(ois_interface_get_users(interfaces[0], &number), 0);
	assert_int_equal(number, 2);
	assert_int_equal(ois_interface_get_created_usec(interfaces[0], &number), 0);
	assert_int_equal(number, 5);
	assert_int_equal(ois_interface_get_setting(interfaces[0], "tcp.netDevice", 0, &value), 0);
	assert_string_equal(value, "eth5");
	free(value);
	ois_interfaces_free(interfaces);
	assert_int_equal(ois_interface_apply_call(client, NULL, &call), 0);
	assert_int_equal(ois_call_run(call, NULL, NULL, NULL), 0);
	assert_int_equal(ois_reply_get_number(ois_call_get_reply(call), "applied", &number), 0);
	assert_int_equal(number, 2);
	ois_call_unref(call);
	assert_int_equal(ois_interface_remove_call(client, "rear", &call), 0);
	assert_int_equal(ois_call_run(call, NULL, NULL, NULL), 0);
	ois_call_unref(call);
	ois_client_free(client);
	fake_stop(&fake);
#undef INTERFACE
}

/* --- Progress --- */

static int hear_login(struct ois_call *call, const struct ois_reply *reply, void *userdata)
{
	const struct ois_progress *progress = ois_reply_get_progress(reply);
	int *seen = userdata;
	int64_t number;

	if (!progress)
		return 0;
	(*seen)++;
	assert_string_equal(ois_progress_get_target_name(progress), "iqn.x");
	assert_string_equal(ois_progress_get_address(progress), "10.0.0.1");
	assert_int_equal(ois_progress_get_port(progress, &number), 0);
	if (strcmp(ois_progress_get_phase(progress), "closed") == 0)
		assert_string_equal(ois_failure_get_message(ois_progress_get_failure(progress)),
				    "why");
	else
		assert_string_equal(ois_logical_unit_get_block_device(
					    ois_progress_get_logical_unit(progress, 0)),
				    "sdb");
	return 0;
}

#define NODE_KEY "{\"targetName\":\"iqn.x\",\"address\":\"10.0.0.1\",\"port\":3260}"

static void test_login(void **state)
{
	static const struct scene scenes[] = {
		{ .method = METHOD_SESSION_LOGIN,
		  .parameters = "{\"selector\":{},\"noWait\":true}",
		  .replies = { MORE("{\"progress\":{\"node\":" NODE_KEY
				    ",\"phase\":\"logged_in\",\"attempt\":1,\"session\":7,"
				    "\"logicalUnits\":[{\"lun\":\"0\",\"blockDevice\":\"sdb\"}]}}"),
			       MORE("{\"progress\":{\"node\":" NODE_KEY
				    ",\"phase\":\"closed\",\"attempt\":3,\"failure\":"
				    "{\"message\":\"why\"}}}"),
			       OK("{\"summary\":{\"loggedIn\":1,\"present\":0,\"failed\":1}}") } },
		{ .method = METHOD_SESSION_LOGOUT,
		  .parameters = "{\"selector\":{\"session\":7},\"force\":true}",
		  .replies = { OK("{\"summary\":{\"loggedOut\":1,\"failed\":0}}") } },
		{},
	};
	struct ois_selector *selector = NULL;
	struct ois_client *client;
	struct ois_call *call = NULL;
	struct fake_daemon fake;
	int64_t number = 0;
	int seen = 0;

	fake_start(&fake, scenes);
	client = new_client(&fake);
	assert_int_equal(ois_selector_new(&selector), 0);
	assert_int_equal(ois_login_call(client, selector, OIS_LOGIN_NO_WAIT, &call), 0);
	assert_int_equal(ois_call_run(call, hear_login, &seen, NULL), 0);
	assert_int_equal(seen, 2);
	assert_int_equal(ois_summary_get_number(ois_reply_get_summary(ois_call_get_reply(call)),
						"failed", &number),
			 0);
	assert_int_equal(number, 1);
	ois_call_unref(call);
	assert_int_equal(ois_selector_set_session(selector, 7), 0);
	assert_int_equal(ois_logout_call(client, selector, OIS_FORCE, &call), 0);
	/* Later changes of the selector are not the call's. */
	assert_int_equal(ois_selector_set_session(selector, 8), 0);
	assert_int_equal(ois_call_run(call, NULL, NULL, NULL), 0);
	ois_call_unref(call);
	ois_selector_free(selector);
	ois_client_free(client);
	fake_stop(&fake);
}

static void test_event_types(void **state)
{
	const struct ois_event_type *type = ois_event_type_get(OIS_EVENT_CONNECT_FAILED);
	unsigned last = 0;

	assert_non_null(type);
	assert_int_equal(ois_event_type_get_number(type), 1);
	assert_string_equal(ois_event_type_get_symbol(type), "CONNECT_FAILED");
	assert_string_equal(ois_event_type_get_severity(type), "error");
	assert_int_equal(strlen(ois_event_type_get_message_id(type)), 32);
	assert_ptr_equal(ois_event_type_from_symbol("CONNECT_FAILED"), type);
	assert_null(ois_event_type_from_symbol("NO_SUCH"));
	assert_null(ois_event_type_get(0));
	assert_null(ois_event_type_get(9999));
	for (size_t i = 0; (type = ois_event_type_at(i)); i++) {
		assert_true(ois_event_type_get_number(type) > last);
		last = ois_event_type_get_number(type);
		assert_true(*ois_event_type_get_subject(type) && *ois_event_type_get_cause(type) &&
			    *ois_event_type_get_advice(type));
		for (size_t j = 0; ois_event_type_get_dump_field(type, j); j++)
			assert_int_equal(strncmp(ois_event_type_get_dump_field(type, j), "OIS_", 4),
					 0);
	}
	assert_true(last >= 1000);
}

/* --- Header and symbol map --- */

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = calloc(1, 1 << 20);

	assert_non_null(file);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
	(void)fclose(file);
	return text;
}

static void strip_comments(char *text)
{
	for (char *start = text; (start = strstr(start, "/*"));) {
		char *end = strstr(start, "*/");

		assert_non_null(end);
		memset(start, ' ', (size_t)(end + 2 - start));
	}
}

/* Every name is in the map and in the library; counts them. */
static size_t check_symbol(const char *map, const char *name, size_t length)
{
	char line[160], symbol[128];

	(void)snprintf(symbol, sizeof(symbol), "%.*s", (int)length, name);
	(void)snprintf(line, sizeof(line), "\n\t%s;\n", symbol);
	if (!strstr(map, line))
		fail_msg("%s is not in libois.map", symbol);
	if (!dlsym(RTLD_DEFAULT, symbol))
		fail_msg("%s is not in the library", symbol);
	return 1;
}

static size_t check_object(const char *map, const char *noun, size_t length)
{
	static const char *const suffixes[] = { "ref",      "unref",      "get_json",
						"get_text", "get_number", "get_boolean" };
	char name[128];

	for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
		(void)snprintf(name, sizeof(name), "ois_%.*s_%s", (int)length, noun, suffixes[i]);
		(void)check_symbol(map, name, strlen(name));
	}
	return ELEMENTSOF(suffixes);
}

static void test_symbols(void **state)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz_";
	char *header = read_text(PROJECT_SOURCE "/include/ois/ois.h");
	char *map = read_text(PROJECT_SOURCE "/lib/client/libois.map");
	size_t declared = 0, mapped = 0, length;
	char *macro;

	strip_comments(header);
	for (const char *at = header; (at = strstr(at, "\nOIS_OBJECT(")); at++)
		declared += check_object(map, at + 12, strspn(at + 12, letters));
	/* The macro's own body declares nothing. */
	macro = strstr(header, "#define OIS_OBJECT");
	assert_non_null(macro);
	for (; *macro != '\n' || macro[-1] == '\\'; macro++)
		if (*macro != '\n' && *macro != '\\')
			*macro = ' ';
	for (const char *at = header; (at = strstr(at, "ois_")); at += length) {
		length = strspn(at, letters);
		if (at[length] == '(')
			declared += check_symbol(map, at, length);
	}
	for (const char *at = map; (at = strstr(at, "\n\tois_")); at++)
		mapped++;
	assert_true(declared > 100);
	assert_int_equal(declared, mapped);
	free(header);
	free(map);
}

static void test_example(void **state)
{
	static const struct scene scenes[] = {
		{ .method = METHOD_MANAGER_GET_STATUS, .replies = { OK(STATUS) } },
		{ .method = METHOD_SESSION_LIST,
		  .replies = { OK(SESSION(3, "iqn.2026-01.org.example:a")) } },
		{ .method = METHOD_SESSION_LOGIN,
		  .parameters = "{\"selector\":{\"targetName\":\"iqn.x\"}}",
		  .replies = { MORE("{\"progress\":{\"node\":" NODE_KEY
				    ",\"phase\":\"connecting\",\"attempt\":1}}"),
			       FAIL("org.ois.session.LoginFailed",
				    "{\"failure\":{\"message\":\"no answer\",\"event\":43}}") } },
		{},
	};
	struct fake_daemon fake;
	char command[512], output[1024] = "";
	FILE *pipe;
	int status;

	fake_start(&fake, scenes);
	(void)snprintf(command, sizeof(command), "%s/lib/client/ois-example %s iqn.x",
		       PROJECT_BINARY, fake.path);
	pipe = popen(command, "re");
	assert_non_null(pipe);
	assert_true(fread(output, 1, sizeof(output) - 1, pipe) > 0);
	status = pclose(pipe);
	fake_stop(&fake);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_string_equal(output, "oisd 1.2 has 2 sessions\n"
				    "session 3: iqn.2026-01.org.example:a at fd00::1, sda\n"
				    "iqn.x: connecting\n"
				    "Failed to log in to iqn.x: no answer (event 43)\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_status_missing),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_no_daemon),
		cmocka_unit_test(test_read_call_is_repeated),
		cmocka_unit_test(test_list_is_not_repeated_after_a_reply),
		cmocka_unit_test(test_changing_call_is_not_repeated),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_unasked_reply),
		cmocka_unit_test(test_oversized),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_handler),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_subscribe_sessions),
		cmocka_unit_test(test_call_outlives_client),
		cmocka_unit_test(test_any_call),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_everything_must_be_said),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_secret_formats),
		cmocka_unit_test(test_node),
		cmocka_unit_test(test_portal_record),
		cmocka_unit_test(test_interface),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_event_types),
		cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
