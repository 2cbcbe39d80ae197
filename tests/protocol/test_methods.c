/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the methods do on a machine whose kernel has no iSCSI: records, secrets, events, discoveries
 * and logins that fail or are left alone, and the daemon as a process of a service manager.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "json.h"
#include "oisd.h"

#define SECRET "a secret that nobody else has"

static struct oisd oisd;
static struct client client;

static int start(void **state)
{
	oisd_prepare(&oisd, NULL);
	oisd_start(&oisd, -1);
	client_open(&client, &oisd);
	return 0;
}

static int stop(void **state)
{
	int status = 0;

	client_close(&client);
	if (oisd.pid > 0)
		status = oisd_stop(&oisd, SIGTERM);
	if (status != 0) {
		char *log = oisd_read_file(&oisd, "log");

		(void)fprintf(stderr, "%s", log);
		free(log);
	}
	oisd_done(&oisd);
	return status;
}

/* Calls, and expects this error ("": none). */
static void expect(const char *method, const char *parameters, const char *error)
{
	json_object *reply = client_call(&client, method, parameters);

	if (strcmp(text_at(reply, "error"), error) != 0)
		fail_msg("%s %s: %s", method, parameters, json_object_to_json_string(reply));
	json_object_put(reply);
}

/* The same, and one value of the reply. */
static void expect_text(const char *method, const char *parameters, const char *error,
			const char *path, const char *value)
{
	json_object *reply = client_call(&client, method, parameters);

	assert_string_equal(text_at(reply, "error"), error);
	assert_string_equal(text_at(reply, path), value);
	json_object_put(reply);
}

static void expect_number(const char *method, const char *parameters, const char *path,
			  int64_t value)
{
	json_object *reply = client_call(&client, method, parameters);

	assert_string_equal(text_at(reply, "error"), "");
	assert_int_equal(number_at(reply, path), value);
	json_object_put(reply);
}

static json_object *reply_at(json_object *replies, size_t index)
{
	return json_object_array_get_idx(replies, index);
}

#define CREATE  "org.ois.node.Create"
#define UPDATE  "org.ois.node.Update"
#define DELETE  "org.ois.node.Delete"
#define LIST    "org.ois.node.List"
#define SECRETS "org.ois.node.SetSecret"
#define KEY(name, port)                                                                            \
	"\"key\":{\"targetName\":\"iqn.2026-11.example:" name                                      \
	"\",\"address\":\"127.0.0.1\",\"port\":" #port "}"

static size_t count_nodes(const char *parameters)
{
	json_object *replies = client_stream(&client, LIST, parameters);
	size_t n = json_object_array_length(replies);

	if (n == 1 && !json_get_path(reply_at(replies, 0), "parameters.record"))
		n = 0;
	json_object_put(replies);
	return n;
}

/* Nodes */

static void test_create(void **state)
{
	static const char invalid[] = "org.ois.node.InvalidSetting";
	static const struct {
		const char *parameters, *error, *setting;
	} rows[] = {
		{ "{" KEY("a", 3260) "}", "", "" },
		{ "{" KEY("a", 3260) "}", "org.ois.node.NodeExists", "" },
		{ "{" KEY("a*", 3260) "}", invalid, "key.targetName" },
		{ "{" KEY("a b", 3260) "}", invalid, "key.targetName" },
		{ "{" KEY("a", 0) "}", invalid, "key.port" },
		{ "{" KEY("a", 65536) "}", invalid, "key.port" },
		{ "{\"key\":{\"targetName\":\"iqn.2026-11.example:a\",\"address\":\"\",\"port\":1}"
		  "}",
		  invalid, "key.address" },
		{ "{\"key\":{\"targetName\":\"iqn.2026-11.example:a\",\"address\":\"[::1]\","
		  "\"port\":1}}",
		  invalid, "key.address" },
		{ "{\"key\":{\"targetName\":\"iqn.2026-11.example:a\",\"address\":\"h:1\",\"port\":"
		  "1}}",
		  invalid, "key.address" },
		{ "{\"key\":{\"targetName\":\"iqn.2026-11.example:a\",\"address\":\"h "
		  "1\",\"port\":1}}",
		  invalid, "key.address" },
		{ "{" KEY("b", 1) ",\"settings\":{\"loginTimeoutSeconds\":0}}", invalid,
		  "loginTimeoutSeconds" },
		{ "{" KEY("b", 1) ",\"settings\":{\"keys\":{\"maxBurstLength\":512}}}", invalid,
		  "keys.firstBurstLength" },
		{ "{" KEY("b", 1) ",\"settings\":{\"startup\":\"manual\"}}", "", "" },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++)
		expect_text(CREATE, rows[i].parameters, rows[i].error, "parameters.setting",
			    rows[i].setting);
	assert_int_equal(count_nodes(NULL), 2);
}

/* One portal has one address, however it is written. */
static void test_create_ipv6(void **state)
{
	static const struct {
		const char *address, *error;
	} rows[] = {
		{ "2001:DB8:0:0::1", "" },
		{ "2001:db8::1", "org.ois.node.NodeExists" },
		{ "FE80::1%eth0", "" },
		{ "fe80::1%eth0", "org.ois.node.NodeExists" },
		{ "fe80::1%eth1", "" },
		{ "fe80::1%", "org.ois.node.InvalidSetting" },
		{ "2001:db8::1%eth0", "org.ois.node.InvalidSetting" },
		{ "1:2:3", "org.ois.node.InvalidSetting" },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		char parameters[160];

		(void)snprintf(parameters, sizeof(parameters),
			       "{\"key\":{\"targetName\":\"iqn.2026-11.example:NAS_1\","
			       "\"address\":\"%s\",\"port\":3260}}",
			       rows[i].address);
		expect(CREATE, parameters, rows[i].error);
	}
	assert_int_equal(count_nodes("{\"selector\":{\"address\":\"fe80::1%eth0\"}}"), 1);
	assert_int_equal(count_nodes("{\"selector\":{\"address\":\"2001:db8::1\"}}"), 1);
	assert_int_equal(count_nodes(NULL), 3);
}

static void test_select(void **state)
{
	static const struct {
		const char *selector;
		size_t n;
	} rows[] = {
		{ "{}", 3 },
		{ "{\"targetName\":\"iqn.2026-11.example:a\"}", 2 },
		{ "{\"targetName\":\"*:b\"}", 1 },
		{ "{\"targetName\":\"*:[ab]\"}", 3 },
		{ "{\"targetName\":\"b\"}", 0 },
		{ "{\"port\":1}", 1 },
		{ "{\"address\":\"127.0.0.1\"}", 3 },
		{ "{\"address\":\"127.0.0.2\"}", 0 },
		{ "{\"startup\":\"automatic\"}", 1 },
		{ "{\"startup\":\"manual\",\"port\":1}", 1 },
	};

	expect(CREATE, "{" KEY("a", 1) "}", "");
	expect(CREATE, "{" KEY("a", 2) ",\"settings\":{\"startup\":\"automatic\"}}", "");
	expect(CREATE, "{" KEY("b", 3) "}", "");
	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		char parameters[128];

		(void)snprintf(parameters, sizeof(parameters), "{\"selector\":%s}",
			       rows[i].selector);
		assert_int_equal(count_nodes(parameters), rows[i].n);
	}
}

static void test_update(void **state)
{
	json_object *replies;

	expect(UPDATE, "{\"selector\":{}}", "org.ois.node.NoSuchNode");
	expect(CREATE, "{" KEY("a", 1) "}", "");
	expect(CREATE, "{" KEY("b", 1) ",\"settings\":{\"keys\":{\"firstBurstLength\":65536}}}",
	       "");
	/* Possible for one of them only: nothing is changed. */
	expect_text(UPDATE, "{\"selector\":{},\"settings\":{\"keys\":{\"maxBurstLength\":65536}}}",
		    "org.ois.node.InvalidSetting", "parameters.setting", "keys.firstBurstLength");
	expect_text(UPDATE, "{\"selector\":{},\"reset\":[\"nothing\"]}",
		    "org.ois.node.InvalidSetting", "parameters.setting", "nothing");
	expect_number(UPDATE,
		      "{\"selector\":{\"port\":1},\"settings\":{\"startup\":\"automatic\"}}",
		      "parameters.updated", 2);
	expect_number(UPDATE,
		      "{\"selector\":{\"targetName\":\"*:b\"},\"reset\":[\"startup\",\"keys\"]}",
		      "parameters.updated", 1);
	replies = client_stream(&client, LIST, "{\"effective\":true}");
	assert_string_equal(text_at(reply_at(replies, 0), "parameters.record.settings.startup"),
			    "automatic");
	assert_null(json_get_path(reply_at(replies, 0), "parameters.record.settings.keys"));
	assert_string_equal(text_at(reply_at(replies, 1), "parameters.record.settings.startup"),
			    "");
	assert_string_equal(text_at(reply_at(replies, 1), "parameters.record.effective.startup"),
			    "manual");
	assert_int_equal(number_at(reply_at(replies, 1),
				   "parameters.record.effective.keys.firstBurstLength"),
			 262144);
	json_object_put(replies);
}

static void test_secrets(void **state)
{
	static const char *const files[] = { "log" };
	json_object *replies;

	expect(CREATE, "{" KEY("a", 1) "}", "");
	expect_text(SECRETS, "{\"selector\":{},\"role\":\"initiator\",\"secret\":\"elevenbytes\"}",
		    "org.ois.node.SecretTooShort", "parameters.role", "initiator");
	expect(SECRETS,
	       "{\"selector\":{},\"role\":\"initiator\",\"secret\":\"" SECRET
	       "\",\"secretBase64\":\"\"}",
	       "org.varlink.service.InvalidParameter");
	expect(SECRETS, "{\"selector\":{},\"role\":\"initiator\",\"secretBase64\":\"=\"}",
	       "org.varlink.service.InvalidParameter");
	expect(SECRETS,
	       "{\"selector\":{\"port\":2},\"role\":\"initiator\",\"secret\":\"" SECRET "\"}",
	       "org.ois.node.NoSuchNode");
	expect_number(SECRETS, "{\"selector\":{},\"role\":\"initiator\",\"secret\":\"" SECRET "\"}",
		      "parameters.updated", 1);
	/* RFC 7143, 9.2.1: not the same in both directions. */
	expect(SECRETS, "{\"selector\":{},\"role\":\"target\",\"secret\":\"" SECRET "\"}",
	       "org.ois.node.InvalidSetting");
	expect_number(SECRETS,
		      "{\"selector\":{},\"role\":\"target\",\"secretBase64\":\"dHdlbHZlIGJ5dGVz\"}",
		      "parameters.updated", 1);
	replies = client_stream(&client, LIST, "{\"effective\":true}");
	assert_true(json_object_get_boolean(json_get_path(
		reply_at(replies, 0), "parameters.record.settings.authentication.secretSet")));
	assert_true(json_object_get_boolean(
		json_get_path(reply_at(replies, 0),
			      "parameters.record.settings.authentication.targetSecretSet")));
	assert_null(strstr(json_object_to_json_string(replies), SECRET));
	json_object_put(replies);
	replies = client_stream(&client, "org.ois.event.ListRecent", NULL);
	assert_null(strstr(json_object_to_json_string(replies), SECRET));
	json_object_put(replies);
	for (size_t i = 0; i < ELEMENTSOF(files); i++) {
		char *text = oisd_read_file(&oisd, files[i]);

		assert_non_null(strstr(text, "SetSecret"));
		assert_null(strstr(text, SECRET));
		free(text);
	}
	expect_number(SECRETS, "{\"selector\":{},\"role\":\"initiator\"}", "parameters.updated", 1);
	replies = client_stream(&client, LIST, NULL);
	assert_null(json_get_path(reply_at(replies, 0),
				  "parameters.record.settings.authentication.secretSet"));
	json_object_put(replies);
}

static void set_secret(const char *name, const char *role, const char *form, const char *secret,
		       const char *error)
{
	char parameters[1024];

	(void)snprintf(parameters, sizeof(parameters),
		       "{\"selector\":{\"targetName\":\"*:%s\"},\"role\":\"%s\",\"%s\":\"%s\"}",
		       name, role, form, secret);
	expect(SECRETS, parameters, error);
}

/* Bytes of any value, 12 to 255 of them. */
static void test_secret_bytes(void **state)
{
	char base64[345], text[257];

	expect(CREATE, "{" KEY("a", 1) "}", "");
	memset(text, 'x', 256);
	text[256] = '\0';
	set_secret("a", "initiator", "secret", text, "org.ois.node.InvalidSetting");
	set_secret("a", "initiator", "secret", text + 1, "");
	/* 86 groups of three bytes are 258; with padding 256. */
	memset(base64, 'A', 344);
	(void)strcpy(base64 + 342, "==");
	set_secret("a", "initiator", "secretBase64", base64, "org.ois.node.InvalidSetting");
	set_secret("a", "initiator", "secretBase64", base64 + 4, "");
	set_secret("a", "initiator", "secretBase64", base64 + 1,
		   "org.varlink.service.InvalidParameter");
	set_secret("a", "initiator", "secretBase64",
		   "AAAAAAAAAAAAAAA=", "org.ois.node.SecretTooShort");
	/* A NUL ends nothing: these differ behind it. They survive a crash. */
	set_secret("a", "initiator", "secretBase64", "AAAAAAAAAAAAAAAA", "");
	assert_int_equal(oisd_stop(&oisd, SIGKILL), -1);
	client_close(&client);
	oisd_start(&oisd, -1);
	client_open(&client, &oisd);
	set_secret("a", "target", "secretBase64", "AAAAAAAAAAAAAAAA",
		   "org.ois.node.InvalidSetting");
	set_secret("a", "target", "secretBase64", "AAAAAAAAAAAAAAAB", "");
}

/* RFC 7143, 9.2.1: what proves this host to one target proves no other one to it. */
static void test_secrets_of_both_directions(void **state)
{
	expect(CREATE, "{" KEY("a", 1) "}", "");
	expect(CREATE, "{" KEY("b", 1) "}", "");
	set_secret("a", "initiator", "secret", SECRET, "");
	set_secret("b", "initiator", "secret", SECRET, "");
	set_secret("a", "target", "secret", SECRET, "org.ois.node.InvalidSetting");
	expect(DELETE, "{\"selector\":{\"targetName\":\"*:a\"}}", "");
	expect(CREATE, "{" KEY("a", 1) "}", "");
	expect_text(
		SECRETS,
		"{\"selector\":{\"targetName\":\"*:a\"},\"role\":\"target\",\"secret\":\"" SECRET
		"\"}",
		"org.ois.node.InvalidSetting", "parameters.message",
		"must differ from the secrets of the other direction, and "
		"iqn.2026-11.example:b has it");
	expect(SECRETS, "{\"selector\":{\"targetName\":\"*:b\"},\"role\":\"initiator\"}", "");
	set_secret("a", "target", "secret", SECRET, "");
	set_secret("b", "initiator", "secret", SECRET, "org.ois.node.InvalidSetting");
}

/* A secret stands in memory once while it is in use, and never afterwards. */
static void test_secrets_in_memory(void **state)
{
	static const struct {
		const char *method, *parameters, *error;
		size_t count;
	} rows[] = {
#define SECRET_CALL(rest) "{\"selector\":{}," rest ",\"secret\":\"" SECRET "\"}"
		{ SECRETS, SECRET_CALL("\"role\":\"initiator\""), "", 1 },
		{ SECRETS, SECRET_CALL("\"role\":\"initiator\""), "", 1 },
		{ SECRETS, "{\"selector\":{},\"role\":\"initiator\"}", "", 0 },
		{ SECRETS, SECRET_CALL("\"role\":\"other\""),
		  "org.varlink.service.InvalidParameter", 0 },
		{ SECRETS, SECRET_CALL("\"role\":\"target\",\"x\":0"),
		  "org.varlink.service.InvalidParameter", 0 },
		{ "org.ois.node.SetSecrets", SECRET_CALL("\"role\":\"target\""),
		  "org.varlink.service.MethodNotFound", 0 },
#undef SECRET_CALL
	};

	expect(CREATE, "{" KEY("a", 1) "}", "");
	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		expect(rows[i].method, rows[i].parameters, rows[i].error);
		assert_int_equal(oisd_count_in_memory(&oisd, SECRET), rows[i].count);
	}
}

/* Success means that it is there after a crash. */
static void test_durable(void **state)
{
	expect(CREATE, "{" KEY("a", 1) ",\"settings\":{\"loginTimeoutSeconds\":7}}", "");
	expect_number(SECRETS, "{\"selector\":{},\"role\":\"initiator\",\"secret\":\"" SECRET "\"}",
		      "parameters.updated", 1);
	expect(CREATE, "{" KEY("b", 1) "}", "");
	expect_number(DELETE, "{\"selector\":{\"targetName\":\"*:b\"}}", "parameters.deleted", 1);
	assert_int_equal(oisd_stop(&oisd, SIGKILL), -1);
	client_close(&client);
	oisd_start(&oisd, -1);
	client_open(&client, &oisd);
	assert_int_equal(count_nodes(NULL), 1);
	assert_int_equal(count_nodes("{\"selector\":{\"targetName\":\"*:a\"}}"), 1);
	/* It still has its secret: the other one must differ. */
	expect(SECRETS, "{\"selector\":{},\"role\":\"target\",\"secret\":\"" SECRET "\"}",
	       "org.ois.node.InvalidSetting");
}

static void test_store_failed(void **state)
{
	char path[128], moved[128];
	json_object *reply;
	FILE *file;

	/* A file in place of the directory. */
	(void)snprintf(path, sizeof(path), "%s/records", oisd.directory);
	(void)snprintf(moved, sizeof(moved), "%s/moved", oisd.directory);
	assert_int_equal(rename(path, moved), 0);
	file = fopen(path, "we");
	assert_non_null(file);
	(void)fclose(file);
	reply = client_call(&client, CREATE, "{" KEY("a", 1) "}");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(moved, path), 0);
	assert_string_equal(text_at(reply, "error"), "org.ois.node.StoreFailed");
	assert_true(text_at(reply, "parameters.errnoName")[0]);
	assert_int_equal(number_at(reply, "parameters.event"), 1013);
	json_object_put(reply);
}

/* Events */

static void test_subscribe(void **state)
{
	struct client subscriber;
	json_object *reply;
	int64_t sequence;

	client_open(&subscriber, &oisd);
	client_send_call(&subscriber, "org.ois.event.Subscribe", "{\"targetName\":\"*:b\"}",
			 "more");
	reply = client_receive(&subscriber);
	assert_true(json_object_get_boolean(json_get_path(reply, "parameters.ready")));
	assert_null(json_get_path(reply, "parameters.event"));
	json_object_put(reply);
	expect_number("org.ois.manager.GetStatus", NULL, "parameters.status.subscribers", 1);
	expect(CREATE, "{" KEY("a", 1) "}", "");
	expect(CREATE, "{" KEY("b", 1) "}", "");
	expect(UPDATE, "{\"selector\":{},\"settings\":{\"scan\":false}}", "");
	reply = client_receive(&subscriber);
	assert_int_equal(number_at(reply, "parameters.event.number"), 1004);
	assert_string_equal(text_at(reply, "parameters.event.symbol"), "NODE_CREATED");
	assert_string_equal(text_at(reply, "parameters.event.fields.OIS_PORTAL"), "127.0.0.1:1");
	sequence = number_at(reply, "parameters.event.sequence");
	json_object_put(reply);
	reply = client_receive(&subscriber);
	assert_int_equal(number_at(reply, "parameters.event.number"), 1005);
	assert_string_equal(text_at(reply, "parameters.event.fields.OIS_SETTING"), "scan");
	assert_true(number_at(reply, "parameters.event.sequence") > sequence);
	json_object_put(reply);
	client_close(&subscriber);
	/* The daemon notices that it is gone. */
	for (int i = 0; i < 1000; i++) {
		reply = client_call(&client, "org.ois.manager.GetStatus", NULL);
		sequence = number_at(reply, "parameters.status.subscribers");
		json_object_put(reply);
		if (sequence == 0)
			return;
	}
	fail_msg("the subscriber is still there");
}

static void test_recent(void **state)
{
	json_object *replies;

	expect(CREATE, "{" KEY("a", 1) "}", "");
	expect(CREATE, "{" KEY("b", 1) "}", "");
	replies = client_stream(&client, "org.ois.event.ListRecent", "{\"numbers\":[1004]}");
	assert_int_equal(json_object_array_length(replies), 2);
	assert_string_equal(text_at(reply_at(replies, 0), "parameters.event.targetName"),
			    "iqn.2026-11.example:a");
	json_object_put(replies);
	replies = client_stream(&client, "org.ois.event.ListRecent",
				"{\"numbers\":[1004],\"limit\":1}");
	assert_int_equal(json_object_array_length(replies), 1);
	assert_string_equal(text_at(reply_at(replies, 0), "parameters.event.targetName"),
			    "iqn.2026-11.example:b");
	json_object_put(replies);
	replies = client_stream(&client, "org.ois.event.ListRecent", "{\"severity\":\"error\"}");
	assert_int_equal(json_object_array_length(replies), 1);
	assert_null(json_get_path(reply_at(replies, 0), "parameters.event"));
	json_object_put(replies);
	replies = client_stream(&client, "org.ois.event.ListRecent", "{\"numbers\":[999]}");
	assert_string_equal(text_at(reply_at(replies, 0), "error"), "org.ois.event.NoSuchEvent");
	json_object_put(replies);
	replies = client_stream(&client, "org.ois.event.ListTypes", NULL);
	assert_true(json_object_array_length(replies) > 72);
	assert_int_equal(number_at(reply_at(replies, 71), "parameters.type.number"), 72);
	json_object_put(replies);
}

/* Logins and discoveries */

#define LOGIN    "org.ois.session.Login"
#define DISCOVER "org.ois.discovery.Discover"

/* A port of 127.0.0.1; the caller keeps the socket. With @backlog, connections are accepted by the
 * kernel. */
static int reserve_port(bool backlog, int *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
	if (backlog)
		assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void create_node(const char *name, int port)
{
	char parameters[256];

	(void)snprintf(parameters, sizeof(parameters),
		       "{\"key\":{\"targetName\":\"iqn.2026-11.example:%s\",\"address\":\"127.0.0."
		       "1\",\"port\":%d}}",
		       name, port);
	expect(CREATE, parameters, "");
}

static void test_login_fails(void **state)
{
	json_object *replies, *last;
	size_t closed = 0, n;
	int port, fd = reserve_port(false, &port);

	replies = client_stream(&client, LOGIN, "{\"selector\":{}}");
	assert_string_equal(text_at(reply_at(replies, 0), "error"), "org.ois.session.NoSuchNode");
	json_object_put(replies);
	create_node("a", port);
	replies = client_stream(&client, LOGIN, "{\"selector\":{},\"retryMax\":0}");
	last = reply_at(replies, json_object_array_length(replies) - 1);
	assert_string_equal(text_at(last, "error"), "org.ois.session.LoginFailed");
	assert_string_equal(text_at(last, "parameters.phase"), "connecting");
	assert_int_equal(number_at(last, "parameters.failure.event"), 1);
	assert_string_equal(text_at(last, "parameters.failure.symbol"), "CONNECT_FAILED");
	assert_string_equal(text_at(last, "parameters.failure.errnoName"), "ECONNREFUSED");
	json_object_put(replies);
	/* Of many, each failure is told, and the summary counts. */
	create_node("b", port);
	replies = client_stream(&client, LOGIN, "{\"selector\":{},\"retryMax\":0}");
	n = json_object_array_length(replies);
	for (size_t i = 0; i < n; i++) {
		json_object *reply = reply_at(replies, i);

		if (strcmp(text_at(reply, "parameters.progress.phase"), "closed") == 0) {
			closed++;
			assert_int_equal(number_at(reply, "parameters.progress.failure.event"), 1);
		}
	}
	assert_int_equal(closed, 2);
	last = reply_at(replies, n - 1);
	assert_int_equal(number_at(last, "parameters.summary.failed"), 2);
	assert_int_equal(number_at(last, "parameters.summary.loggedIn"), 0);
	json_object_put(replies);
	(void)close(fd);
}

static json_object *only_session(void)
{
	json_object *replies =
		client_stream(&client, "org.ois.session.List", "{\"logicalUnits\":true}");
	json_object *session;

	assert_int_equal(json_object_array_length(replies), 1);
	session = json_object_get(json_get_path(reply_at(replies, 0), "parameters.session"));
	json_object_put(replies);
	return session;
}

/* The target accepts and says nothing: the login goes on when its client leaves, until somebody
 * ends it. */
static void test_login_goes_on(void **state)
{
	struct client leaving;
	json_object *session, *replies, *last;
	int port, target, fd = reserve_port(true, &port);

	create_node("a", port);
	client_open(&leaving, &oisd);
	client_send_call(&leaving, LOGIN, "{\"selector\":{}}", "more");
	target = accept(fd, NULL, NULL);
	assert_true(target >= 0);
	client_close(&leaving);
	session = only_session();
	assert_non_null(session);
	assert_string_equal(text_at(session, "targetName"), "iqn.2026-11.example:a");
	assert_string_equal(text_at(session, "state"), "free");
	assert_int_equal(number_at(session, "port"), port);
	json_object_put(session);
	expect(DELETE, "{\"selector\":{}}", "org.ois.node.NodeInUse");
	replies = client_stream(&client, LOGIN, "{\"selector\":{},\"noWait\":true}");
	last = reply_at(replies, json_object_array_length(replies) - 1);
	assert_int_equal(number_at(last, "parameters.summary.failed"), 0);
	json_object_put(replies);
	replies = client_stream(&client, "org.ois.session.Logout", "{\"selector\":{}}");
	last = reply_at(replies, json_object_array_length(replies) - 1);
	assert_int_equal(number_at(last, "parameters.summary.loggedOut"), 1);
	json_object_put(replies);
	session = only_session();
	assert_null(session);
	expect_number(DELETE, "{\"selector\":{}}", "parameters.deleted", 1);
	(void)close(target);
	(void)close(fd);
}

/* Sessions */

#define FOLLOW "org.ois.session.Subscribe"

static void follow(struct client *follower, const char *parameters)
{
	client_open(follower, &oisd);
	client_send_call(follower, FOLLOW, parameters, "more");
}

/* The status in the next reply; the caller puts the reply. */
static json_object *followed(struct client *follower, json_object **ret)
{
	json_object *reply = client_receive(follower), *status;

	assert_non_null(reply);
	status = json_get_path(reply, "parameters.session");
	if (!status)
		fail_msg("%s", json_object_to_json_string(reply));
	*ret = status;
	return reply;
}

static void expect_phase(struct client *follower, const char *phase)
{
	json_object *status, *reply = followed(follower, &status);

	assert_string_equal(text_at(status, "phase"), phase);
	assert_string_equal(text_at(status, "targetName"), "iqn.2026-11.example:a");
	assert_true(number_at(status, "sinceTimestampUSec") > 0);
	json_object_put(reply);
}

static void expect_ready(struct client *follower)
{
	json_object *reply = client_receive(follower);

	assert_true(json_object_get_boolean(json_get_path(reply, "parameters.ready")));
	json_object_put(reply);
}

static void log_in_once(const char *parameters)
{
	json_object_put(client_stream(&client, LOGIN, parameters));
}

/* Each phase of a login that fails, with its reason; and nothing of a session not selected. */
static void test_follow(void **state)
{
	int port, fd = reserve_port(false, &port);
	json_object *status, *reply;
	struct client all, one;

	follow(&all, "{}");
	expect_ready(&all);
	follow(&one, "{\"selector\":{\"targetName\":\"*:b\"}}");
	expect_ready(&one);
	expect_number("org.ois.manager.GetStatus", NULL, "parameters.status.subscribers", 2);
	create_node("a", port);
	log_in_once("{\"selector\":{},\"retryMax\":0}");
	expect_phase(&all, "queued");
	expect_phase(&all, "resolving");
	expect_phase(&all, "connecting");
	reply = followed(&all, &status);
	assert_string_equal(text_at(status, "phase"), "closed");
	assert_string_equal(text_at(status, "state"), "free");
	assert_string_equal(text_at(status, "connectionState"), "free");
	assert_int_equal(number_at(status, "failure.event"), 1);
	assert_int_equal(number_at(status, "attempt"), 1);
	json_object_put(reply);
	create_node("b", port);
	log_in_once("{\"selector\":{\"targetName\":\"*:b\"},\"retryMax\":0}");
	for (size_t i = 0; i < 4; i++) {
		reply = followed(&one, &status);
		assert_string_equal(text_at(status, "targetName"), "iqn.2026-11.example:b");
		json_object_put(reply);
	}
	client_close(&one);
	client_close(&all);
	(void)close(fd);
}

/* What is there comes first; a login that waits says until when. */
static void test_follow_present(void **state)
{
	int port, fd = reserve_port(false, &port);
	json_object *status, *reply;
	struct client follower;

	create_node("a", port);
	client_send_call(&client, LOGIN, "{\"selector\":{},\"retryMax\":5}", "more");
	do {
		reply = client_receive(&client);
		status = json_get_path(reply, "parameters.progress.failure");
		json_object_put(reply);
	} while (!status);
	follow(&follower, "{}");
	reply = followed(&follower, &status);
	assert_string_equal(text_at(status, "phase"), "retrying");
	assert_int_equal(number_at(status, "failure.event"), 1);
	assert_true(number_at(status, "nextAttemptTimestampUSec") >
		    number_at(status, "sinceTimestampUSec"));
	json_object_put(reply);
	expect_ready(&follower);
	client_close(&client);
	client_open(&client, &oisd);
	json_object_put(client_stream(&client, "org.ois.session.Logout", "{\"selector\":{}}"));
	/* Perhaps the next attempt was made meanwhile. */
	do {
		reply = followed(&follower, &status);
		port = strcmp(text_at(status, "phase"), "closed");
		json_object_put(reply);
	} while (port != 0);
	client_close(&follower);
	(void)close(fd);
}

/* Who does not read misses changes, is told how many, and begins anew. */
static void test_follow_missed(void **state)
{
	int port, waiting_port, fd = reserve_port(false, &port),
				waiting = reserve_port(true, &waiting_port);
	int64_t received = 0, missed = 0;
	struct client follower;
	json_object *reply;
	bool ready = false;

	create_node("b", waiting_port);
	log_in_once("{\"selector\":{},\"noWait\":true}");
	follow(&follower, "{}");
	do {
		reply = client_receive(&follower);
		ready = json_get_path(reply, "parameters.ready");
		json_object_put(reply);
	} while (!ready);
	create_node("a", port);
	for (int i = 0; i < 1500; i++)
		log_in_once("{\"selector\":{\"targetName\":\"*:a\"},\"retryMax\":0}");
	/* It may fall behind more than once. */
	for (ready = false; !ready || received + missed < INT64_C(1500) * 4; received++) {
		int64_t lost;

		reply = client_receive(&follower);
		assert_non_null(reply);
		lost = number_at(reply, "parameters.missed");
		if (lost > 0) {
			missed += lost;
			/* The only session there is now. */
			assert_string_equal(text_at(reply, "parameters.session.targetName"),
					    "iqn.2026-11.example:b");
		}
		ready = ready || json_get_path(reply, "parameters.ready");
		json_object_put(reply);
	}
	assert_true(missed > 0);
	client_close(&follower);
	(void)close(waiting);
	(void)close(fd);
}

static void test_follow_limit(void **state)
{
	struct client followers[129];
	json_object *reply;
	unsigned refused = 0;

	expect(FOLLOW, "{}", "org.varlink.service.ExpectedMore");
	reply = client_stream(&client, FOLLOW, "{\"selector\":{\"session\":4711}}");
	assert_string_equal(text_at(reply_at(reply, 0), "error"), "org.ois.session.NoSuchSession");
	json_object_put(reply);
	for (size_t i = 0; i < ELEMENTSOF(followers); i++)
		follow(&followers[i], "{}");
	/* Who it is whose call is heard last is the kernel's to say. */
	for (size_t i = 0; i < ELEMENTSOF(followers); i++) {
		reply = client_receive(&followers[i]);
		if (json_get_path(reply, "error")) {
			assert_string_equal(text_at(reply, "error"),
					    "org.ois.session.SubscriptionLimit");
			assert_int_equal(number_at(reply, "parameters.maximum"), 128);
			refused++;
		} else {
			assert_true(
				json_object_get_boolean(json_get_path(reply, "parameters.ready")));
		}
		json_object_put(reply);
	}
	assert_int_equal(refused, 1);
	for (size_t i = 0; i < ELEMENTSOF(followers); i++)
		client_close(&followers[i]);
}

static void expect_discovery(const char *parameters, const char *error)
{
	json_object *replies = client_stream(&client, DISCOVER, parameters);
	json_object *last = reply_at(replies, json_object_array_length(replies) - 1);

	assert_string_equal(text_at(last, "error"), error);
	json_object_put(replies);
}

/* A subscriber who does not read: what falls out of the memory is counted. */
static void test_missed(void **state)
{
	int64_t received = 0, missed = 0, first = 0, last = 0, end;
	int port, fd = reserve_port(false, &port);
	struct client subscriber;
	json_object *reply;
	char parameters[128];

	client_open(&subscriber, &oisd);
	client_send_call(&subscriber, "org.ois.event.Subscribe", "{}", "more");
	json_object_put(client_receive(&subscriber));
	(void)snprintf(parameters, sizeof(parameters),
		       "{\"method\":\"send_targets\",\"address\":\"127.0.0.1\",\"port\":%d}", port);
	/* Two events each; more than the memory, the daemon's buffer and the socket hold. */
	for (int i = 0; i < 1500; i++)
		expect_discovery(parameters, "org.ois.discovery.Unreachable");
	reply = client_stream(&client, "org.ois.event.ListRecent", "{\"limit\":1}");
	end = number_at(reply_at(reply, 0), "parameters.event.sequence");
	json_object_put(reply);
	while (last < end) {
		int64_t lost;

		reply = client_receive(&subscriber);
		assert_non_null(reply);
		lost = number_at(reply, "parameters.missed");
		missed += lost > 0 ? lost : 0;
		received++;
		if (first == 0)
			first = number_at(reply, "parameters.event.sequence");
		else
			assert_int_equal(number_at(reply, "parameters.event.sequence"),
					 last + 1 + (lost > 0 ? lost : 0));
		last = number_at(reply, "parameters.event.sequence");
		json_object_put(reply);
	}
	assert_int_equal(received + missed, end - first + 1);
	assert_true(missed > 0);
	client_close(&subscriber);
	(void)close(fd);
}

static void test_discovery_fails(void **state)
{
	char parameters[128];
	int port, fd = reserve_port(false, &port);

	(void)snprintf(parameters, sizeof(parameters),
		       "{\"method\":\"send_targets\",\"address\":\"127.0.0.1\",\"port\":%d}", port);
	expect_discovery(parameters, "org.ois.discovery.Unreachable");
	(void)close(fd);
	expect_discovery("{\"method\":\"send_targets\",\"address\":\"nowhere.invalid\"}",
			 "org.ois.discovery.ResolveFailed");
	expect_discovery("{\"method\":\"send_targets\",\"address\":\"[::1]\"}",
			 "org.varlink.service.InvalidParameter");
	expect_discovery("{\"method\":\"send_targets\",\"address\":\"::1\",\"timeoutSeconds\":0}",
			 "org.varlink.service.InvalidParameter");
	expect_discovery("{\"method\":\"isns\",\"address\":\"::1\"}",
			 "org.varlink.service.InvalidParameter");
}

/* A discovery ends with its client. */
static void test_discovery_cancelled(void **state)
{
	int port, target, fd = reserve_port(true, &port);
	struct client leaving;
	char parameters[128], bytes[1024];
	ssize_t n;

	(void)snprintf(parameters, sizeof(parameters),
		       "{\"method\":\"send_targets\",\"address\":\"127.0.0.1\",\"port\":%d}", port);
	client_open(&leaving, &oisd);
	client_send_call(&leaving, DISCOVER, parameters, "more");
	target = accept(fd, NULL, NULL);
	assert_true(target >= 0);
	client_close(&leaving);
	do {
		struct pollfd poll_fd = { .fd = target, .events = POLLIN };

		assert_int_equal(poll(&poll_fd, 1, PATIENCE_MS / 2), 1);
		n = recv(target, bytes, sizeof(bytes), 0);
	} while (n > 0);
	(void)close(target);
	(void)close(fd);
}

/* The daemon as a service */

static void test_notify(void **state)
{
	uint64_t usec;
	char text[256];

	assert_int_equal(kill(oisd.pid, SIGHUP), 0);
	oisd_expect_notify(&oisd, "RELOADING=1", text);
	assert_int_equal(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%" SCNu64, &usec), 1);
	oisd_expect_notify(&oisd, "READY=1", text);
	expect("org.ois.manager.Reload", NULL, "");
	oisd_expect_notify(&oisd, "RELOADING=1", text);
	oisd_expect_notify(&oisd, "READY=1", text);
	create_node("a", 1);
	assert_int_equal(oisd_stop(&oisd, SIGINT), 0);
	oisd_expect_notify(&oisd, "STOPPING=1", text);
}

static void write_configuration(const char *text)
{
	char path[128];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/ois.conf", oisd.directory);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void test_reload(void **state)
{
	json_object *reply, *replies;

	write_configuration("[Node]\nloginTimeoutSeconds=8\n");
	expect("org.ois.manager.Reload", NULL, "");
	create_node("a", 1);
	replies = client_stream(&client, LIST, "{\"effective\":true}");
	assert_int_equal(
		number_at(reply_at(replies, 0), "parameters.record.effective.loginTimeoutSeconds"),
		8);
	json_object_put(replies);
	write_configuration("[Node]\n\nloginTimeoutSeconds=0\n");
	reply = client_call(&client, "org.ois.manager.Reload", NULL);
	assert_string_equal(text_at(reply, "error"), "org.ois.manager.ConfigurationInvalid");
	assert_int_equal(number_at(reply, "parameters.line"), 3);
	assert_string_equal(text_at(reply, "parameters.setting"), "loginTimeoutSeconds");
	json_object_put(reply);
	/* The old one stays. */
	replies = client_stream(&client, LIST, "{\"effective\":true}");
	assert_int_equal(
		number_at(reply_at(replies, 0), "parameters.record.effective.loginTimeoutSeconds"),
		8);
	json_object_put(replies);
}

/* A client who waits is told when the daemon stops. */
static void test_stop_is_told(void **state)
{
	struct client subscriber;
	json_object *reply;

	client_open(&subscriber, &oisd);
	client_send_call(&subscriber, "org.ois.event.Subscribe", "{\"numbers\":[1003]}", "more");
	json_object_put(client_receive(&subscriber));
	assert_int_equal(oisd_stop(&oisd, SIGTERM), 0);
	for (;;) {
		reply = client_receive(&subscriber);
		assert_non_null(reply);
		if (text_at(reply, "error")[0])
			break;
		assert_int_equal(number_at(reply, "parameters.event.number"), 1003);
		json_object_put(reply);
	}
	assert_string_equal(text_at(reply, "error"), "org.ois.manager.NotReady");
	assert_string_equal(text_at(reply, "parameters.state"), "stopping");
	json_object_put(reply);
	assert_null(client_receive_text(&subscriber));
	client_close(&subscriber);
}

static void test_one_daemon_per_socket(void **state)
{
	assert_int_equal(oisd_run_another(&oisd), EXIT_FAILURE);
	expect("org.ois.manager.GetStatus", NULL, "");
	/* What a dead one left is replaced. */
	assert_int_equal(oisd_stop(&oisd, SIGKILL), -1);
	client_close(&client);
	oisd_start(&oisd, -1);
	client_open(&client, &oisd);
	expect("org.ois.manager.GetStatus", NULL, "");
}

static void test_passed_socket(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(oisd_stop(&oisd, SIGTERM), 0);
	(void)snprintf(oisd.socket, sizeof(oisd.socket), "%s/passed", oisd.directory);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", oisd.socket);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	client_close(&client);
	client_open(&client, &oisd);
	oisd_start(&oisd, fd);
	expect("org.ois.manager.GetStatus", NULL, "");
	/* It stays the service manager's: clients wait for the next daemon. */
	assert_int_equal(oisd_stop(&oisd, SIGTERM), 0);
	assert_int_equal(access(oisd.socket, F_OK), 0);
	client_close(&client);
	client_open(&client, &oisd);
	oisd_start(&oisd, fd);
	expect("org.ois.manager.GetStatus", NULL, "");
	(void)close(fd);
}

int main(int argc, char **argv)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)
	static const struct CMUnitTest tests[] = {
		TEST(test_create),
		TEST(test_create_ipv6),
		TEST(test_select),
		TEST(test_update),
		TEST(test_secrets),
		TEST(test_secret_bytes),
		TEST(test_secrets_of_both_directions),
		TEST(test_secrets_in_memory),
		TEST(test_durable),
		TEST(test_store_failed),
		TEST(test_subscribe),
		TEST(test_missed),
		TEST(test_recent),
		TEST(test_login_fails),
		TEST(test_login_goes_on),
		TEST(test_follow),
		TEST(test_follow_present),
		TEST(test_follow_missed),
		TEST(test_follow_limit),
		TEST(test_discovery_fails),
		TEST(test_discovery_cancelled),
		TEST(test_notify),
		TEST(test_reload),
		TEST(test_stop_is_told),
		TEST(test_one_daemon_per_socket),
		TEST(test_passed_socket),
	};
#undef TEST

	if (argc != 2) {
		(void)fprintf(stderr, "usage: %s OISD\n", argv[0]);
		return 2;
	}
	oisd_program = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
