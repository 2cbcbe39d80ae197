/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces as clients see them: listed, made, changed, refused, removed, and what nodes and
 * discoveries make of them.
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

#define LIST   "org.ois.interface.List"
#define ADD    "org.ois.interface.Add"
#define SET    "org.ois.interface.Set"
#define REMOVE "org.ois.interface.Remove"

#define INVALID_PARAMETER "org.varlink.service.InvalidParameter"
#define INVALID_SETTING   "org.ois.interface.InvalidSetting"
#define NONE              "org.ois.interface.NoSuchInterface"
#define EXISTS            "org.ois.interface.InterfaceExists"
#define IN_USE            "org.ois.interface.InterfaceInUse"
#define BUILT_IN          "org.ois.interface.InterfaceBuiltIn"

#define PORT "qedi.00:0e:1e:c4:e1:6d"

static struct oisd oisd;
static struct client client;

static int start(void **state)
{
	oisd_prepare(&oisd, "");
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

/* Their names, in one text; *@ret_first, if wanted, is the first, which the caller puts. */
static void expect_list(const char *parameters, const char *names, json_object **ret_first)
{
	json_object *replies = client_stream(&client, LIST, parameters);
	char text[512] = "";

	for (size_t i = 0; i < json_object_array_length(replies); i++) {
		json_object *one = json_get_path(json_object_array_get_idx(replies, i),
						 "parameters.interface");

		if (one)
			(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				       *text ? " " : "", text_at(one, "name"));
	}
	assert_string_equal(text, names);
	if (ret_first)
		*ret_first = json_object_get(json_get_path(json_object_array_get_idx(replies, 0),
							   "parameters.interface"));
	json_object_put(replies);
}

static void test_built_in(void **state)
{
	json_object *one;

	expect_list(NULL, "default iser", NULL);
	expect_list("{\"name\":\"nosuch\"}", "", NULL);
	expect_list("{\"name\":\"" PORT "\",\"effective\":true}", PORT, &one);
	assert_string_equal(text_at(one, "effective.transport"), "qedi");
	assert_string_equal(text_at(one, "effective.adapter"), "00:0e:1e:c4:e1:6d");
	assert_null(json_get_path(one, "host"));
	json_object_put(one);
	expect(ADD, "{\"name\":\"default\"}", EXISTS);
	expect(SET, "{\"name\":\"iser\",\"settings\":{}}", BUILT_IN);
	expect(REMOVE, "{\"name\":\"tcp.eth1\"}", BUILT_IN);
	expect(ADD, "{\"name\":\"\"}", INVALID_PARAMETER);
	expect(ADD, "{\"name\":\"a b\"}", INVALID_PARAMETER);
}

static void test_change(void **state)
{
	json_object *one;

	expect(SET, "{\"name\":\"rear\",\"settings\":{}}", NONE);
	expect(REMOVE, "{\"name\":\"rear\"}", NONE);
	expect_text(ADD, "{\"name\":\"rear\",\"settings\":{\"tcp\":{\"netDevice\":\"eth5\"}}}", "",
		    "parameters.interface.settings.tcp.netDevice", "eth5");
	expect(ADD, "{\"name\":\"rear\"}", EXISTS);
	expect_text(SET, "{\"name\":\"rear\",\"settings\":{\"transport\":\"iser\"}}",
		    INVALID_SETTING, "parameters.setting", "tcp.netDevice");
	expect_text(SET, "{\"name\":\"rear\",\"settings\":{\"network\":{\"mtu\":1}}}",
		    INVALID_SETTING, "parameters.setting", "network.mtu");
	expect_text(SET,
		    "{\"name\":\"rear\",\"settings\":{\"transport\":\"iser\"},\"reset\":[\"tcp\"]}",
		    "", "parameters.interface.settings.transport", "iser");
	/* A port has a record when something is set. */
	expect_text(SET, "{\"name\":\"" PORT "\",\"settings\":{\"network\":{\"vlanPriority\":1}}}",
		    INVALID_SETTING, "parameters.setting", "network.vlanPriority");
	expect(SET,
	       "{\"name\":\"" PORT "\",\"settings\":{\"network\":{\"address\":\"192.0.2.9\"}}}",
	       "");
	expect_list("{\"effective\":true}", "default iser " PORT " rear", NULL);
	expect_list("{\"name\":\"" PORT "\",\"effective\":true}", PORT, &one);
	assert_string_equal(text_at(one, "effective.network.address"), "192.0.2.9");
	assert_string_equal(text_at(one, "effective.transport"), "qedi");
	assert_null(json_get_path(one, "settings.transport"));
	json_object_put(one);
}

#define NODE                                                                                       \
	"{\"targetName\":\"iqn.2026-11.org.example:a\",\"address\":\"192.0.2.1\",\"port\":3260}"

static void test_binding(void **state)
{
	json_object *replies, *record;

	expect_text("org.ois.node.Create",
		    "{\"key\":" NODE ",\"settings\":{\"interface\":\"nosuch\"}}",
		    "org.ois.node.InvalidSetting", "parameters.setting", "interface");
	expect("org.ois.node.Create",
	       "{\"key\":" NODE ",\"settings\":{\"interface\":\"" PORT "\"}}", "");
	replies = client_stream(&client, "org.ois.node.List", "{\"effective\":true}");
	record = json_get_path(json_object_array_get_idx(replies, 0), "parameters.record");
	assert_string_equal(text_at(record, "effective.transport"), "qedi");
	assert_string_equal(text_at(record, "effective.adapter"), "00:0e:1e:c4:e1:6d");
	assert_null(json_get_path(record, "settings.transport"));
	json_object_put(replies);
	expect("org.ois.node.Update", "{\"selector\":{},\"settings\":{\"interface\":\"rear\"}}",
	       "");
	/* What the interface says must go with what the node says. */
	expect_text("org.ois.node.Update",
		    "{\"selector\":{},\"settings\":{\"adapter\":\"00:0e:1e:c4:e1:6d\"}}",
		    "org.ois.node.InvalidSetting", "parameters.setting", "adapter");
	expect(REMOVE, "{\"name\":\"rear\"}", IN_USE);
	/* Its name is enough for this one. */
	expect("org.ois.node.Update", "{\"selector\":{},\"settings\":{\"interface\":\"" PORT "\"}}",
	       "");
	expect(REMOVE, "{\"name\":\"" PORT "\"}", "");
	expect_list("{\"name\":\"" PORT "\"}", PORT, NULL);
	/* Firmware discovers for itself. */
	expect_text("org.ois.discovery.SetPortal",
		    "{\"address\":\"192.0.2.1\",\"settings\":{\"interface\":"
		    "\"qla4xxx.00:c0:dd:00:00:01\"}}",
		    "org.ois.discovery.InvalidSetting", "parameters.setting", "interface");
	expect("org.ois.discovery.SetPortal",
	       "{\"address\":\"192.0.2.1\",\"settings\":{\"interface\":\"tcp.eth1\"}}", "");
}

#define DISCOVER "org.ois.discovery.Discover"

/* Port 1: nobody listens there. @more: further parameters. */
static json_object *discover_from_here(const char *more)
{
	char parameters[256];
	json_object *reply;

	(void)snprintf(parameters, sizeof(parameters),
		       "{\"method\":\"send_targets\",\"address\":\"127.0.0.1\",\"port\":1,"
		       "\"sourceAddress\":\"127.0.0.1\"%s}",
		       more);
	client_send_call(&client, DISCOVER, parameters, "more");
	do {
		reply = client_receive(&client);
		assert_non_null(reply);
	} while (json_get_path(reply, "continues") && json_object_put(reply));
	return reply;
}

static void expect_no_source(const char *more)
{
	json_object *reply = discover_from_here(more);

	assert_string_equal(text_at(reply, "error"), "org.ois.discovery.InvalidSetting");
	assert_string_equal(text_at(reply, "parameters.setting"), "sourceAddress");
	assert_string_equal(text_at(reply, "parameters.value"), "127.0.0.1");
	assert_non_null(strstr(text_at(reply, "parameters.message"), "network.address"));
	json_object_put(reply);
}

/* An adapter with a network of its own has no address of this host. */
static void test_source(void **state)
{
	static const char *const own[] = { "cxgb3i", "bnx2i", "qedi", "be2iscsi" };
	char more[64];
	json_object *reply;

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		(void)snprintf(more, sizeof(more), ",\"interface\":\"%s.00:00:00:00:00:01\"",
			       own[i]);
		expect_no_source(more);
	}
	expect("org.ois.discovery.SetPortal",
	       "{\"address\":\"127.0.0.1\",\"port\":1,\"settings\":{\"interface\":\"" PORT "\"}}",
	       "");
	expect_no_source("");
	expect("org.ois.discovery.RemovePortal", "{\"address\":\"127.0.0.1\",\"port\":1}", "");
	reply = discover_from_here(",\"interface\":\"cxgb4i.00:00:00:00:00:01\"");
	assert_string_equal(text_at(reply, "error"), "org.ois.discovery.Unreachable");
	json_object_put(reply);
}

static void test_kept(void **state)
{
	client_close(&client);
	assert_int_equal(oisd_stop(&oisd, SIGTERM), 0);
	oisd_start(&oisd, -1);
	client_open(&client, &oisd);
	expect_list("{\"name\":\"rear\"}", "rear", NULL);
	expect(REMOVE, "{\"name\":\"rear\"}", "");
	expect_list(NULL, "default iser", NULL);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_built_in), cmocka_unit_test(test_change),
		cmocka_unit_test(test_binding),  cmocka_unit_test(test_source),
		cmocka_unit_test(test_kept),
	};

	if (argc != 2) {
		(void)fprintf(stderr, "usage: %s OISD\n", argv[0]);
		return 2;
	}
	oisd_program = argv[1];
	return cmocka_run_group_tests(tests, start, stop);
}
