// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The service inside a process of ours: who may call what, for every method there is; listings that
 * stay small while nobody reads them; sessions as JSON; and the time a message may take.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "json.h"
#include "method.h"
#include "method_common.h"
#include "service_private.h"
#include "turn.h"

static char directory[64], paths_text[6][128];
static sd_event *event;
static struct manager *manager;
static struct connection *connection; /* the daemon's end */
static struct buffer input;           /* ours */
static int client = -1;

/* Lets the daemon do what it can without waiting. */
static void turn(void)
{
	while (sd_event_run(event, 0) > 0)
		;
}

static void client_open(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(client >= 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", manager->paths.socket);
	assert_int_equal(connect(client, (const struct sockaddr *)&address, sizeof(address)), 0);
	turn();
	connection = manager->service->connections;
	assert_non_null(connection);
}

static void client_close(void)
{
	(void)close(client);
	client = -1;
	buffer_done(&input);
	turn();
}

static void client_send(const char *text, size_t length)
{
	assert_int_equal(send(client, text, length, MSG_NOSIGNAL), (ssize_t)length);
	turn();
}

/* Sends a message with its NUL. */
static void client_call(json_object *message)
{
	const char *text;

	assert_non_null(message);
	text = json_object_to_json_string_ext(message, JSON_C_TO_STRING_PLAIN);
	client_send(text, strlen(text) + 1);
	json_object_put(message);
}

/* The next message, or NULL if there is none now; without a turn of the daemon, or with some. */
static json_object *receive_message(bool turns)
{
	json_object *message = NULL;
	const uint8_t *nul;
	uint8_t *at;
	ssize_t n;

	while (!input.data || !(nul = memchr(input.data, 0, input.length))) {
		assert_int_equal(buffer_reserve(&input, 65536, &at), 0);
		n = recv(client, at, 65536, MSG_DONTWAIT);
		if (n <= 0)
			return NULL;
		buffer_commit(&input, (size_t)n);
		if (turns)
			turn();
	}
	assert_int_equal(json_parse((const char *)input.data, (size_t)(nul - input.data), &message),
			 0);
	buffer_consume(&input, (size_t)(nul - input.data) + 1);
	return message;
}

static json_object *client_receive(void)
{
	return receive_message(true);
}

static json_object *client_receive_now(void)
{
	return receive_message(false);
}

/* Some answers come from a thread. */
static json_object *client_await(void)
{
	json_object *message;

	while (!(message = client_receive()))
		assert_true(sd_event_run(event, UINT64_MAX) >= 0);
	return message;
}

static const char *text_at(json_object *object, const char *path)
{
	json_object *value = json_get_path(object, path);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

static int64_t number_at(json_object *object, const char *path)
{
	int64_t number = -1;

	(void)json_to_int(json_get_path(object, path), &number);
	return number;
}

static int start(void **state)
{
	static const char *const names[] = { "ois.conf", "initiatorname.iscsi",
					     "records",  "socket",
					     "journal",  "sysfs" };
	struct manager_paths paths;

	(void)snprintf(directory, sizeof(directory), "/tmp/ois-service-XXXXXX");
	assert_non_null(mkdtemp(directory));
	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		(void)snprintf(paths_text[i], sizeof(paths_text[i]), "%s/%s", directory, names[i]);
	paths = (struct manager_paths){ paths_text[0], paths_text[1], paths_text[2],
					paths_text[3], paths_text[4], paths_text[5] };
	/* Turns of no other loop end by the clock. */
	assert_true(sd_event_default(&event) >= 0);
	assert_int_equal(manager_new(event, &paths, &manager), 0);
	assert_int_equal(service_new(manager, &manager->service), 0);
	manager->state = MANAGER_RUNNING;
	client_open();
	return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	return remove(path);
}

static int stop(void **state)
{
	if (client >= 0)
		client_close();
	manager = manager_free(manager);
	event = sd_event_unref(event);
	return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Access */

/* Something that fits: what is required, and nothing else. */
static json_object *sample(const struct idl_type *type)
{
	json_object *object;

	if (type->container == IDL_ARRAY)
		return json_object_new_array();
	if (type->container == IDL_MAP)
		return json_object_new_object();
	switch (type->kind) {
	case IDL_BOOL:
		return json_object_new_boolean(false);
	case IDL_INT:
	case IDL_FLOAT:
		return json_object_new_int(1);
	case IDL_STRING:
		return json_object_new_string("x");
	case IDL_OBJECT:
		return json_object_new_object();
	case IDL_NAMED:
		return sample(type->target);
	case IDL_ENUM:
		return json_object_new_string(type->fields[0].name);
	case IDL_STRUCT:
		break;
	}
	object = json_object_new_object();
	for (size_t i = 0; i < type->n_fields; i++)
		if (!type->fields[i].type.nullable)
			assert_int_equal(json_set(object, type->fields[i].name,
						  sample(&type->fields[i].type)),
					 0);
	return object;
}

static void call_method(const struct varlink_method *method)
{
	const struct idl_member *member =
		varlink_registry_member(manager->service->registry, IDL_METHOD, method->name);

	assert_non_null(member);
	client_call(varlink_call_new(method->name, sample(&member->type),
				     method->more_required ? VARLINK_CALL_MORE : 0));
}

/* Calls @method as somebody, and compares its (first) answer. */
static void expect_error(const struct varlink_method *method, uid_t uid, bool member,
			 const char *error)
{
	json_object *reply;

	client_close();
	client_open();
	connection->uid = uid;
	connection->member = member;
	call_method(method);
	reply = client_await();
	if (error)
		assert_string_equal(text_at(reply, "error"), error);
	else
		assert_string_not_equal(text_at(reply, "error"),
					"org.varlink.service.PermissionDenied");
	json_object_put(reply);
}

static void test_access(void **state)
{
	static const char denied[] = "org.varlink.service.PermissionDenied";
	const struct varlink_method *method;
	size_t n[3] = { 0 };
	uid_t other = geteuid() + 1;

	for (method = varlink_methods; method->name; method++) {
		n[method->access]++;
		expect_error(method, other, false,
			     method->access == VARLINK_ACCESS_ANY ? NULL : denied);
		expect_error(method, other, true,
			     method->access == VARLINK_ACCESS_CHANGE ? denied : NULL);
	}
	/* The table is not empty by mistake. */
	assert_int_equal(n[VARLINK_ACCESS_ANY], 2);
	assert_true(n[VARLINK_ACCESS_READ] >= 7);
	assert_true(n[VARLINK_ACCESS_CHANGE] >= 9);
}

static void test_not_ready(void **state)
{
	const struct varlink_method *method;

	manager->state = MANAGER_STARTING;
	for (method = varlink_methods; method->name; method++)
		expect_error(method, 0, false,
			     method->access == VARLINK_ACCESS_ANY ? NULL
								  : "org.ois.manager.NotReady");
	manager->state = MANAGER_RUNNING;
}

/* Sessions */

#define N_SESSIONS 1000

static struct session *sessions;

/* As the daemon has them after logins, but without anything that happens. */
static void make_sessions(void)
{
	sessions = calloc(N_SESSIONS, sizeof(*sessions));
	assert_non_null(sessions);
	for (size_t i = 0; i < N_SESSIONS; i++) {
		struct session *s = &sessions[i];

		s->manager = manager;
		s->transport = transport_find("tcp");
		s->phase = SESSION_LOGGED_IN;
		s->state = SESSION_STATE_LOGGED_IN;
		s->connection = CONNECTION_STATE_LOGGED_IN;
		s->managed = true;
		s->target_name = (char *)(uintptr_t) "iqn.2026-11.example:target";
		s->address = (char *)(uintptr_t) "192.0.2.1";
		s->port = 3260;
		s->portal_group_tag = 1;
		s->in_kernel = true;
		s->sid = (uint32_t)(N_SESSIONS - i);
		s->result_known = true;
		iscsi_parameters_init(&s->result.parameters);
		assert_int_equal(settings_effective(NULL, NULL, NULL, &s->settings), 0);
		s->next = manager->sessions;
		manager->sessions = s;
		manager->n_sessions++;
	}
}

static void drop_sessions(void)
{
	for (size_t i = 0; i < N_SESSIONS; i++)
		(void)settings_free(sessions[i].settings);
	manager->sessions = NULL;
	manager->n_sessions = 0;
	free(sessions);
}

static size_t output_length(void)
{
	const uint8_t *output;

	return varlink_stream_pending(&connection->stream, &output);
}

static void test_listing(void **state)
{
	int64_t expected = 1;
	bool continues = true;

	make_sessions();
	client_call(varlink_call_new("org.ois.session.List", NULL, VARLINK_CALL_MORE));
	/* The socket is full, and no more than this is kept for it. */
	assert_true(output_length() > 0);
	assert_true(output_length() < SERVICE_OUTPUT_FULL + 4096);
	assert_non_null(manager->service->listings);
	/* One that was not told yet goes away. */
	assert_int_equal(sessions[10].sid, N_SESSIONS - 10);
	service_session_gone(manager->service, &sessions[10]);
	while (continues) {
		json_object *reply = client_receive();

		assert_non_null(reply);
		if (expected == N_SESSIONS - 10)
			expected++;
		assert_int_equal(number_at(reply, "parameters.session.session"), expected++);
		continues = json_object_get_boolean(json_get_path(reply, "continues"));
		json_object_put(reply);
	}
	assert_int_equal(expected, N_SESSIONS + 1);
	assert_null(manager->service->listings);
	/* The client leaves in the middle. */
	client_call(varlink_call_new("org.ois.session.List", NULL, VARLINK_CALL_MORE));
	assert_non_null(manager->service->listings);
	client_close();
	assert_null(manager->service->listings);
	assert_int_equal(manager->service->n_connections, 0);
	drop_sessions();
}

/* Turns that are over before they begin: a list makes some way in each, and not much. */
static void test_slow_turns(void **state)
{
	static const char text[] = "{\"method\":\"org.ois.session.List\",\"more\":true}";
	int64_t expected = 1;
	bool continues = true;
	unsigned turns = 0;
	int r;

	make_sessions();
	assert_int_equal(send(client, text, sizeof(text), 0), (ssize_t)sizeof(text));
	while (continues) {
		json_object *reply;

		r = sd_event_prepare(event);
		if (r == 0)
			r = sd_event_wait(event, 0);
		assert_true(r > 0);
		while (!turn_is_over())
			;
		assert_true(sd_event_dispatch(event) >= 0);
		turns++;
		for (unsigned n = 0; (reply = client_receive_now()); n++) {
			assert_in_range(n, 0, 15);
			assert_int_equal(number_at(reply, "parameters.session.session"),
					 expected++);
			continues = json_object_get_boolean(json_get_path(reply, "continues"));
			json_object_put(reply);
		}
	}
	assert_int_equal(expected, N_SESSIONS + 1);
	assert_in_range(turns, N_SESSIONS / 16, UINT32_MAX);
	drop_sessions();
}

static json_object *list_one(const struct session *session)
{
	json_object *reply, *object;
	struct session copy = *session;

	copy.manager = manager;
	copy.target_name = (char *)(uintptr_t) "iqn.2026-11.example:target";
	copy.address = (char *)(uintptr_t) "192.0.2.1";
	manager->sessions = &copy;
	manager->n_sessions = 1;
	client_call(varlink_call_new("org.ois.session.List",
				     json_wrap("logicalUnits", json_object_new_boolean(true)),
				     VARLINK_CALL_MORE));
	reply = client_receive();
	manager->sessions = NULL;
	manager->n_sessions = 0;
	assert_non_null(reply);
	assert_string_equal(text_at(reply, "error"), "");
	object = json_object_get(json_get_path(reply, "parameters.session"));
	json_object_put(reply);
	return object;
}

/* Every state, phase and kind of session fits the interface, or the service would have refused to
 * say it. */
static void test_session_states(void **state)
{
	static const enum connection_state connections[] = {
		CONNECTION_STATE_FREE,         CONNECTION_STATE_XPT_WAIT,
		CONNECTION_STATE_IN_LOGIN,     CONNECTION_STATE_LOGGED_IN,
		CONNECTION_STATE_IN_LOGOUT,    CONNECTION_STATE_LOGOUT_REQUESTED,
		CONNECTION_STATE_CLEANUP_WAIT,
	};
	static const enum session_state states[] = { SESSION_STATE_FREE, SESSION_STATE_LOGGED_IN,
						     SESSION_STATE_FAILED };

	for (size_t i = 0; i < ELEMENTSOF(connections); i++)
		for (size_t j = 0; j < ELEMENTSOF(states); j++)
			for (int phase = 0; phase < SESSION_CLOSED; phase++) {
				struct session session = {
					.phase = phase,
					.state = states[j],
					.connection = connections[i],
					.failure = { .error = -ECONNREFUSED, .event = 1 },
				};

				json_object_put(list_one(&session));
			}
	/* One that is closed is about to be freed. */
	assert_null(list_one(&(struct session){ .phase = SESSION_CLOSED }));
}

static void test_session_found(void **state)
{
	struct sysfs_session found = {
		.transport = "iser",
		.initiator_name = "iqn.2026-11.example:me",
		.header_digest = 1,
		.data_digest = 0,
		.initial_r2t = 1,
		.max_burst_length = 4711,
		.first_burst_length = -1,
		.recovery_timeout = -1,
		.can_queue = 113,
	};
	struct session session = {
		.phase = SESSION_LOGGED_IN,
		.state = SESSION_STATE_LOGGED_IN,
		.connection = CONNECTION_STATE_LOGGED_IN,
		.in_kernel = true,
		.sid = 7,
		.host = 3,
		.found = &found,
	};
	json_object *object = list_one(&session), *connections;

	assert_string_equal(text_at(object, "transport"), "iser");
	assert_string_equal(text_at(object, "initiatorName"), "iqn.2026-11.example:me");
	assert_string_equal(text_at(object, "state"), "logged_in");
	assert_int_equal(number_at(object, "session"), 7);
	assert_int_equal(number_at(object, "hostNumber"), 3);
	assert_int_equal(number_at(object, "parameters.maxBurstLength"), 4711);
	assert_null(json_get_path(object, "parameters.firstBurstLength"));
	assert_null(json_get_path(object, "parameters.maxConnections"));
	assert_int_equal(number_at(object, "replacementTimeoutSeconds"), -1);
	assert_int_equal(number_at(object, "commandsMax"), 113);
	assert_int_equal(json_get_array(object, "connections", &connections), 1);
	assert_string_equal(
		text_at(json_object_array_get_idx(connections, 0), "parameters.headerDigest"),
		"crc32c");
	assert_string_equal(
		text_at(json_object_array_get_idx(connections, 0), "parameters.dataDigest"),
		"none");
	json_object_put(object);
}

/* Text from targets and disks: what is not UTF-8 must not reach a client. */
static void test_foreign_text(void **state)
{
	struct sysfs_lun lun = {
		.vendor = "\xff\xfe", .model = "good", .lun = 1, .size_bytes = -1
	};
	struct session session = {
		.phase = SESSION_LOGGED_IN,
		.state = SESSION_STATE_LOGGED_IN,
		.connection = CONNECTION_STATE_LOGGED_IN,
		.luns = &lun,
		.n_luns = 1,
	};
	json_object *object = list_one(&session), *luns;

	assert_int_equal(json_get_array(object, "logicalUnits", &luns), 1);
	assert_string_equal(text_at(json_object_array_get_idx(luns, 0), "vendor"),
			    "\xef\xbf\xbd\xef\xbf\xbd");
	assert_string_equal(text_at(json_object_array_get_idx(luns, 0), "model"), "good");
	assert_null(json_get_path(json_object_array_get_idx(luns, 0), "sizeBytes"));
	json_object_put(object);
}

static void test_luns(void **state)
{
	static const struct {
		uint64_t lun;
		const char *text;
	} rows[] = {
		{ 0, "0" },
		{ 255, "255" },
		{ 65535, "65535" },
		{ 65536, "0x0000000000010000" },
		{ UINT64_MAX, "0xffffffffffffffff" },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		struct sysfs_lun lun = { .lun = rows[i].lun };
		json_object *array = luns_to_json(&lun, 1);

		assert_string_equal(text_at(json_object_array_get_idx(array, 0), "lun"),
				    rows[i].text);
		json_object_put(array);
	}
}

/* Parameters */

static void test_selectors(void **state)
{
	static const struct {
		const char *selector;
		bool readable, matches;
	} rows[] = {
		{ "{}", true, true },
		{ "{\"targetName\":\"iqn.*:disk?\"}", true, true },
		{ "{\"targetName\":\"iqn.*:disk\"}", true, false },
		{ "{\"address\":\"192.0.2.1\",\"port\":3260}", true, true },
		{ "{\"address\":\"192.0.2.1\",\"port\":3261}", true, false },
		{ "{\"address\":\"192.0.2.1:3260\"}", false, false },
		{ "{\"address\":\"\"}", false, false },
		{ "{\"port\":0}", false, false },
		{ "{\"port\":65536}", false, false },
		{ "{\"session\":-1}", false, false },
		{ "{\"session\":4294967296}", false, false },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		struct selector selector;
		json_object *object = NULL;
		int r;

		assert_int_equal(json_parse(rows[i].selector, strlen(rows[i].selector), &object),
				 0);
		r = selector_read(object, &selector);
		assert_int_equal(r, rows[i].readable ? 0 : -EINVAL);
		if (r >= 0)
			assert_int_equal(selector_matches(&selector, "iqn.2026-11.example:disk1",
							  "192.0.2.1", 3260),
					 rows[i].matches);
		json_object_put(object);
	}
}

/* However an address is written, it is the same one. */
static void test_selector_normalizes(void **state)
{
	json_object *object = json_wrap("address", json_object_new_string("FE80:0::1%eth0"));
	struct selector selector;

	assert_non_null(object);
	assert_int_equal(selector_read(object, &selector), 0);
	assert_true(selector_matches(&selector, "iqn.x", "fe80::1%eth0", 3260));
	assert_false(selector_matches(&selector, "iqn.x", "fe80::1%eth1", 3260));
	json_object_put(object);
}

/* Time */

static void test_message_timeout(void **state)
{
	char byte;

	client_send("{\"method\"", 9);
	assert_true(connection->waiting);
	/* More of it does not gain time. */
	assert_int_equal(sd_event_source_set_time(connection->timer, 0), 0);
	client_send(":", 1);
	assert_int_equal(manager->service->n_connections, 0);
	assert_int_equal(recv(client, &byte, 1, MSG_DONTWAIT), 0);
}

static void test_no_timeout(void **state)
{
	static const char whole[] = "{\"method\":\"a.B\"}";
	int enabled;

	/* Complete messages, and calls that are not answered yet, do not hurry. */
	client_send(whole, sizeof(whole));
	assert_false(connection->waiting);
	client_call(varlink_call_new("org.ois.event.Subscribe", NULL, VARLINK_CALL_MORE));
	client_send(whole, 5);
	assert_false(connection->waiting);
	assert_true(sd_event_source_get_enabled(connection->timer, &enabled) >= 0);
	assert_int_equal(enabled, SD_EVENT_OFF);
	assert_int_equal(manager->service->n_connections, 1);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)
	static const struct CMUnitTest tests[] = {
		TEST(test_access),
		TEST(test_not_ready),
		TEST(test_listing),
		TEST(test_slow_turns),
		TEST(test_session_states),
		TEST(test_session_found),
		TEST(test_foreign_text),
		cmocka_unit_test(test_luns),
		cmocka_unit_test(test_selectors),
		cmocka_unit_test(test_selector_normalizes),
		TEST(test_message_timeout),
		TEST(test_no_timeout),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
