/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is kept for discoveries at a portal, as clients see it: settings, secrets, how long they
 * stay, and that nobody is told a secret. The scripts show what a discovery makes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "oisd.h"

#define LIST    "org.ois.discovery.ListPortals"
#define SET     "org.ois.discovery.SetPortal"
#define SECRETS "org.ois.discovery.SetPortalSecret"
#define REMOVE  "org.ois.discovery.RemovePortal"

#define INVALID_PARAMETER "org.varlink.service.InvalidParameter"
#define INVALID_SETTING   "org.ois.discovery.InvalidSetting"
#define NO_SUCH_PORTAL    "org.ois.discovery.NoSuchPortal"
#define TOO_SHORT         "org.ois.discovery.SecretTooShort"

#define SECRET "a secret that nobody else has"

static struct oisd oisd;
static struct client client;

static int start(void **state)
{
	oisd_prepare(&oisd, "[Discovery]\nconnectTimeoutSeconds=3\nloginTimeoutSeconds=20\n"
			    "[Node]\nloginTimeoutSeconds=21\n");
	oisd_start(&oisd, -1);
	client_open(&client, &oisd);
	return 0;
}

static int stop(void **state)
{
	int status;

	client_close(&client);
	status = oisd_stop(&oisd, SIGTERM);
	oisd_done(&oisd);
	return status;
}

/* The reply to a call that must end with this error ("": none); the caller puts it. */
static json_object *call(const char *method, const char *parameters, const char *error)
{
	json_object *reply = client_call(&client, method, parameters);

	if (strcmp(text_at(reply, "error"), error) != 0)
		fail_msg("%s %s: %s", method, parameters, json_object_to_json_string(reply));
	return reply;
}

static void expect(const char *method, const char *parameters, const char *error)
{
	json_object_put(call(method, parameters, error));
}

static void expect_text(const char *method, const char *parameters, const char *error,
			const char *path, const char *value)
{
	json_object *reply = call(method, parameters, error);

	assert_string_equal(text_at(reply, path), value);
	json_object_put(reply);
}

/* How many there are; *@ret_first, if wanted, is the first, which the caller puts. */
static size_t list(const char *parameters, json_object **ret_first)
{
	json_object *replies = client_stream(&client, LIST, parameters);
	json_object *first =
		json_get_path(json_object_array_get_idx(replies, 0), "parameters.portal");
	size_t n = first ? json_object_array_length(replies) : 0;

	if (ret_first)
		*ret_first = json_object_get(first);
	json_object_put(replies);
	return n;
}

static void test_set(void **state)
{
	json_object *portal;

	assert_int_equal(list(NULL, NULL), 0);
	expect_text(
		SET,
		"{\"address\":\"2001:DB8::0001\",\"settings\":{\"loginTimeoutSeconds\":7,\"tcp\":{"
		"\"netDevice\":\"eth1\"}}}",
		"", "parameters.portal.address", "2001:db8::1");
	/* Other settings stay. */
	expect(SET,
	       "{\"address\":\"2001:db8:0::1\",\"port\":3260,\"settings\":{\"authentication\":{"
	       "\"method\":\"chap\",\"userName\":\"alice\"}}}",
	       "");
	assert_int_equal(list("{\"effective\":true}", &portal), 1);
	assert_string_equal(text_at(portal, "address"), "2001:db8::1");
	assert_int_equal(number_at(portal, "port"), 3260);
	assert_int_equal(number_at(portal, "settings.loginTimeoutSeconds"), 7);
	assert_string_equal(text_at(portal, "settings.tcp.netDevice"), "eth1");
	assert_string_equal(text_at(portal, "settings.authentication.userName"), "alice");
	assert_null(json_get_path(portal, "settings.connectTimeoutSeconds"));
	/* Its own, then [Discovery], then the default; never [Node]. */
	assert_int_equal(number_at(portal, "effective.loginTimeoutSeconds"), 7);
	assert_int_equal(number_at(portal, "effective.connectTimeoutSeconds"), 3);
	assert_int_equal(number_at(portal, "effective.tcp.windowSize"), 0);
	assert_null(json_get_path(portal, "effective.startup"));
	json_object_put(portal);

	expect(SET, "{\"address\":\"2001:db8::1\",\"reset\":[\"loginTimeoutSeconds\",\"tcp\"]}",
	       "");
	assert_int_equal(list("{\"effective\":true}", &portal), 1);
	assert_null(json_get_path(portal, "settings.tcp"));
	assert_int_equal(number_at(portal, "effective.loginTimeoutSeconds"), 20);
	json_object_put(portal);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *method, *parameters, *error;
	} rows[] = {
		{ SET, "{\"address\":\"\",\"settings\":{\"loginTimeoutSeconds\":7}}",
		  INVALID_PARAMETER },
		{ SET, "{\"address\":\"[::1]\",\"settings\":{\"loginTimeoutSeconds\":7}}",
		  INVALID_PARAMETER },
		{ SET, "{\"address\":\"a\",\"port\":0,\"settings\":{\"loginTimeoutSeconds\":7}}",
		  INVALID_PARAMETER },
		{ SET,
		  "{\"address\":\"a\",\"port\":65536,\"settings\":{\"loginTimeoutSeconds\":7}}",
		  INVALID_PARAMETER },
		/* Not of this interface. */
		{ SET, "{\"address\":\"a\",\"settings\":{\"startup\":\"manual\"}}",
		  INVALID_PARAMETER },
		{ SET, "{\"address\":\"a\",\"settings\":{\"loginTimeoutSeconds\":0}}",
		  INVALID_SETTING },
		{ SET,
		  "{\"address\":\"a\",\"settings\":{\"authentication\":{\"method\":\"chap\"}}}",
		  INVALID_SETTING },
		{ SET,
		  "{\"address\":\"a\",\"settings\":{\"loginTimeoutSeconds\":7},\"reset\":["
		  "\"startup\"]}",
		  INVALID_SETTING },
		/* Nothing to keep, and nothing there. */
		{ SET, "{\"address\":\"a\"}", NO_SUCH_PORTAL },
		{ SET, "{\"address\":\"a\",\"settings\":{}}", NO_SUCH_PORTAL },
		{ SET, "{\"address\":\"a\",\"reset\":[\"tcp\"]}", NO_SUCH_PORTAL },
		{ SECRETS, "{\"address\":\"a\",\"role\":\"initiator\"}", NO_SUCH_PORTAL },
		{ SECRETS, "{\"address\":\"a b\",\"role\":\"initiator\",\"secret\":\"" SECRET "\"}",
		  INVALID_PARAMETER },
		{ SECRETS, "{\"address\":\"a\",\"role\":\"target\",\"secret\":\"elevenbytes\"}",
		  TOO_SHORT },
		{ SECRETS, "{\"address\":\"a\",\"role\":\"target\",\"secretBase64\":\"=\"}",
		  INVALID_PARAMETER },
		{ REMOVE, "{\"address\":\"a\"}", NO_SUCH_PORTAL },
		{ REMOVE, "{\"address\":\"/\"}", INVALID_PARAMETER },
		{ LIST, "{\"address\":\"a/b\"}", "org.varlink.service.ExpectedMore" },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		expect(rows[i].method, rows[i].parameters, rows[i].error);
		assert_int_equal(list(NULL, NULL), 0);
	}
}

static void test_select(void **state)
{
	static const struct {
		const char *parameters;
		size_t n;
	} rows[] = {
		{ NULL, 4 },
		{ "{\"address\":\"::1\"}", 2 },
		{ "{\"address\":\"0:0::1\",\"port\":3261}", 1 },
		{ "{\"port\":3260}", 3 },
		{ "{\"port\":1}", 0 },
		{ "{\"address\":\"c\"}", 0 },
	};
	json_object *first;

	expect(SET, "{\"address\":\"::1\",\"port\":3261,\"settings\":{\"loginTimeoutSeconds\":7}}",
	       "");
	expect(SET, "{\"address\":\"::1\",\"settings\":{\"loginTimeoutSeconds\":7}}", "");
	expect(SET, "{\"address\":\"b\",\"settings\":{\"loginTimeoutSeconds\":7}}", "");
	expect(SECRETS, "{\"address\":\"a\",\"role\":\"initiator\",\"secret\":\"" SECRET "\"}", "");
	for (size_t i = 0; i < ELEMENTSOF(rows); i++)
		assert_int_equal(list(rows[i].parameters, NULL), rows[i].n);
	assert_int_equal(list(NULL, &first), 4);
	assert_string_equal(text_at(first, "address"), "::1");
	assert_int_equal(number_at(first, "port"), 3260);
	json_object_put(first);
	expect(REMOVE, "{\"address\":\"0::1\"}", "");
	expect(REMOVE, "{\"address\":\"::1\"}", NO_SUCH_PORTAL);
	assert_int_equal(list(NULL, NULL), 3);
}

static void test_secrets(void **state)
{
	json_object *reply;
	char *log;

	reply = call(SECRETS,
		     "{\"address\":\"a\",\"role\":\"initiator\",\"secret\":\"" SECRET "\"}", "");
	assert_true(json_object_get_boolean(
		json_get_path(reply, "parameters.portal.settings.authentication.secretSet")));
	assert_null(strstr(json_object_to_json_string(reply), SECRET));
	json_object_put(reply);
	assert_int_equal(oisd_count_in_memory(&oisd, SECRET), 1);
	/* RFC 7143, 9.2.1: not the same in both directions, of portals and of nodes. */
	expect(SECRETS, "{\"address\":\"a\",\"role\":\"target\",\"secret\":\"" SECRET "\"}",
	       INVALID_SETTING);
	expect(SECRETS, "{\"address\":\"b\",\"role\":\"initiator\",\"secret\":\"" SECRET "\"}", "");
	expect("org.ois.node.Create",
	       "{\"key\":{\"targetName\":\"iqn.2026-11.example:a\",\"address\":\"a\",\"port\":1}}",
	       "");
	expect_text("org.ois.node.SetSecret",
		    "{\"selector\":{},\"role\":\"target\",\"secret\":\"" SECRET "\"}",
		    "org.ois.node.InvalidSetting", "parameters.message",
		    "must differ from the secrets of the other direction, and a:3260 has it");
	expect("org.ois.node.SetSecret",
	       "{\"selector\":{},\"role\":\"initiator\",\"secret\":\"only of this node\"}", "");
	expect_text(SECRETS,
		    "{\"address\":\"a\",\"role\":\"target\",\"secret\":\"only of this node\"}",
		    INVALID_SETTING, "parameters.setting", "authentication.targetSecret");

	expect(SECRETS,
	       "{\"address\":\"a\",\"role\":\"target\",\"secretBase64\":\"AAAAAAAAAAAAAAAA\"}", "");
	reply = client_stream(&client, LIST, "{\"effective\":true}");
	assert_null(strstr(json_object_to_json_string(reply), SECRET));
	assert_non_null(strstr(json_object_to_json_string(reply), "targetSecretSet"));
	json_object_put(reply);
	reply = client_stream(&client, "org.ois.event.ListRecent", NULL);
	assert_null(strstr(json_object_to_json_string(reply), SECRET));
	json_object_put(reply);
	log = oisd_read_file(&oisd, "log");
	assert_null(strstr(log, SECRET));
	free(log);

	expect(SECRETS, "{\"address\":\"a\",\"role\":\"initiator\"}", "");
	expect(REMOVE, "{\"address\":\"b\"}", "");
	assert_int_equal(oisd_count_in_memory(&oisd, SECRET), 0);
}

/* Success means that it is there after a crash, or gone. */
static void test_durable(void **state)
{
	json_object *portal;

	expect(SET, "{\"address\":\"a\",\"settings\":{\"loginTimeoutSeconds\":7}}", "");
	expect(SECRETS, "{\"address\":\"a\",\"role\":\"initiator\",\"secret\":\"" SECRET "\"}", "");
	expect(SET, "{\"address\":\"b\",\"settings\":{\"loginTimeoutSeconds\":7}}", "");
	expect(REMOVE, "{\"address\":\"b\"}", "");
	assert_int_equal(oisd_stop(&oisd, SIGKILL), -1);
	client_close(&client);
	oisd_start(&oisd, -1);
	client_open(&client, &oisd);
	assert_int_equal(list(NULL, &portal), 1);
	assert_int_equal(number_at(portal, "settings.loginTimeoutSeconds"), 7);
	assert_true(json_object_get_boolean(
		json_get_path(portal, "settings.authentication.secretSet")));
	json_object_put(portal);
}

/* Each change is an event that tells who, where and what. */
static void test_events(void **state)
{
	json_object *replies, *event;

	expect(SET, "{\"address\":\"::1\",\"settings\":{\"loginTimeoutSeconds\":7}}", "");
	expect(REMOVE, "{\"address\":\"::1\"}", "");
	replies = client_stream(&client, "org.ois.event.ListRecent", "{\"numbers\":[1024,1025]}");
	assert_int_equal(json_object_array_length(replies), 2);
	event = json_get_path(json_object_array_get_idx(replies, 0), "parameters.event");
	assert_string_equal(text_at(event, "symbol"), "PORTAL_CHANGED");
	assert_string_equal(text_at(event, "message"),
			    "Settings for discoveries at [::1]:3260 changed: loginTimeoutSeconds");
	event = json_get_path(json_object_array_get_idx(replies, 1), "parameters.event");
	assert_string_equal(text_at(event, "symbol"), "PORTAL_REMOVED");
	json_object_put(replies);
}

/* More than a reader is sent at once. */
static void test_many(void **state)
{
	for (int i = 0; i < 300; i++) {
		char parameters[128];

		(void)snprintf(
			parameters, sizeof(parameters),
			"{\"address\":\"10.0.%d.%d\",\"settings\":{\"loginTimeoutSeconds\":7}}",
			i / 256, i % 256);
		expect(SET, parameters, "");
	}
	assert_int_equal(list("{\"effective\":true}", NULL), 300);
}

int main(int argc, char **argv)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)
	static const struct CMUnitTest tests[] = {
		TEST(test_set),     TEST(test_refusals), TEST(test_select), TEST(test_secrets),
		TEST(test_durable), TEST(test_events),   TEST(test_many),
	};
#undef TEST

	if (argc != 2) {
		(void)fprintf(stderr, "usage: %s OISD\n", argv[0]);
		return 2;
	}
	oisd_program = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
