/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's socket under attack: what is no Varlink costs the connection and nothing else, what
 * is Varlink but wrong gets its error, and no client can make the daemon hold much, wait, or lock
 * another one out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "json.h"
#include "oisd.h"

#define INFO        "org.varlink.service.GetInfo"
#define DESCRIBE    "org.varlink.service.GetInterfaceDescription"
#define INFO_CALL   "{\"method\":\"" INFO "\"}"
#define MESSAGE_MAX (256 * 1024)
/* Every system has it, and nobody here is in it. */
#define ACCESS_GROUP "daemon"

static struct oisd oisd;

static int start(void **state)
{
	oisd_prepare(&oisd, "[Daemon]\nAccessGroup=" ACCESS_GROUP "\n");
	oisd_start(&oisd, -1);
	return 0;
}

static int stop(void **state)
{
	int status = oisd_stop(&oisd, SIGTERM);

	/* The sanitizers speak through it, too. */
	if (status != 0) {
		char *log = oisd_read_file(&oisd, "log");

		(void)fprintf(stderr, "%s", log);
		free(log);
	}
	oisd_done(&oisd);
	return status;
}

static void assert_alive(void)
{
	struct client client;
	json_object *reply;

	client_open(&client, &oisd);
	reply = client_call(&client, INFO, NULL);
	assert_string_equal(text_at(reply, "parameters.product"), "oisd");
	json_object_put(reply);
	client_close(&client);
}

static void assert_closed(struct client *client)
{
	const char *text = client_receive_text(client);

	if (text)
		fail_msg("the connection is still there, and says %s", text);
	client_close(client);
}

/* The service */

static void test_info(void **state)
{
	static const char *const fields[] = { "vendor", "product", "version", "url" };
	json_object *reply, *names = NULL;
	const char *previous = "";
	struct client client;

	client_open(&client, &oisd);
	reply = client_call(&client, INFO, NULL);
	for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
		json_object *parameters = json_get_path(reply, "parameters");

		assert_true(text_at(parameters, fields[i])[0]);
	}
	assert_int_equal(json_get_array(json_get_path(reply, "parameters"), "interfaces", &names),
			 1);
	assert_int_equal(json_object_array_length(names), 9);
	for (size_t i = 0; i < json_object_array_length(names); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(names, i));

		assert_true(strcmp(previous, name) < 0);
		previous = name;
	}
	json_object_put(reply);
	client_close(&client);
}

static void test_descriptions(void **state)
{
	static const char *const names[] = {
		"org.ois.discovery", "org.ois.event", "org.ois.host",    "org.ois.interface",
		"org.ois.manager",   "org.ois.node",  "org.ois.session", "org.varlink.service",
	};
	struct client client;

	client_open(&client, &oisd);
	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		char path[256], parameters[128], text[65536] = "";
		json_object *reply;
		FILE *file;

		(void)snprintf(path, sizeof(path), "%s/include/ois/%s.varlink", PROJECT_SOURCE,
			       names[i]);
		(void)snprintf(parameters, sizeof(parameters), "{\"interface\":\"%s\"}", names[i]);
		file = fopen(path, "re");
		assert_non_null(file);
		assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
		(void)fclose(file);
		reply = client_call(&client, DESCRIBE, parameters);
		assert_string_equal(text_at(reply, "parameters.description"), text);
		json_object_put(reply);
	}
	client_close(&client);
}

/* What is no Varlink */

static void test_garbage(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} rows[] = {
#define ROW(text) { text, sizeof(text) }
		ROW(""),
		ROW(" "),
		ROW("hello"),
		ROW("[]"),
		ROW("\"text\""),
		ROW("null"),
		ROW("{}"),
		ROW("{\"method\":null}"),
		ROW("{\"method\":5}"),
		ROW("{\"method\":\"" INFO "\""),
		ROW("{\"method\":\"" INFO "\"}}"),
		ROW("{\"method\":\"" INFO "\"} x"),
		ROW("{\"method\":\"" INFO "\",}"),
		ROW("{'method':'" INFO "'}"),
		ROW("{\"method\":\"" INFO "\",\"method\":\"" INFO "\"}"),
		ROW("{\"method\":\"" INFO "\",\"unknown\":1}"),
		ROW("{\"method\":\"" INFO "\",\"parameters\":[]}"),
		ROW("{\"method\":\"" INFO "\",\"parameters\":\"\"}"),
		ROW("{\"method\":\"" INFO "\",\"more\":1}"),
		ROW("{\"method\":\"" INFO "\",\"more\":true,\"oneway\":true}"),
		ROW("{\"method\":\"" INFO "\",\"more\":true,\"upgrade\":true}"),
		ROW("{\"method\":\"" INFO "\",\"parameters\":{\"a\":NaN}}"),
		ROW("{\"method\":\"" INFO "\",\"parameters\":{\"a\":\"\\u0000\"}}"),
		ROW("{\"method\":\"" INFO "\",\"parameters\":{\"a\":\"\xff\"}}"),
		ROW("{\"method\":\"" INFO "\",\"parameters\":{\"a\":\"\n\"}}"),
		ROW("{\"method\":\"" INFO "\",\"parameters\":{\"a\":01}}"),
		ROW("/* */{\"method\":\"" INFO "\"}"),
		ROW("\xef\xbb\xbf{\"method\":\"" INFO "\"}"),
#undef ROW
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		struct client client;

		client_open(&client, &oisd);
		client_send(&client, rows[i].bytes, rows[i].length);
		assert_closed(&client);
	}
	assert_alive();
}

static void test_deep_nesting(void **state)
{
	static char text[MESSAGE_MAX];
	struct client client;

	memset(text, '[', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	client_open(&client, &oisd);
	client_send(&client, text, sizeof(text));
	assert_closed(&client);
	assert_alive();
}

/* A valid call, filled up with white space. */
static void send_padded(struct client *client, size_t length)
{
	char *text = malloc(length + 1);

	assert_non_null(text);
	memset(text, ' ', length);
	memcpy(text, INFO_CALL, strlen(INFO_CALL));
	text[length] = '\0';
	client_send(client, text, length + 1);
	free(text);
}

static void test_size(void **state)
{
	struct client client;
	json_object *reply;

	client_open(&client, &oisd);
	send_padded(&client, MESSAGE_MAX);
	reply = client_receive(&client);
	assert_non_null(reply);
	assert_string_equal(text_at(reply, "error"), "");
	json_object_put(reply);
	send_padded(&client, MESSAGE_MAX + 1);
	assert_closed(&client);
	assert_alive();
}

/* What is fine before the fault is still answered. */
static void test_answers_before_fault(void **state)
{
	static const char text[] = INFO_CALL "\0" INFO_CALL "\0"
					     "garbage";
	struct client client;

	client_open(&client, &oisd);
	client_send(&client, text, sizeof(text));
	assert_non_null(client_receive_text(&client));
	assert_non_null(client_receive_text(&client));
	assert_closed(&client);
}

static void test_truncated(void **state)
{
	struct client client;

	client_open(&client, &oisd);
	client_send(&client, INFO_CALL, 10);
	assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
	assert_closed(&client);
	client_open(&client, &oisd);
	client_send(&client, INFO_CALL, 10);
	client_close(&client);
	assert_alive();
}

/* Calls that are refused */

static const struct {
	const char *call, *error, *path, *value;
} refused_calls[] = {
#define SERVICE            "org.varlink.service."
#define METHOD(name, rest) "{\"method\":\"" name "\"" rest "}"
	{ METHOD("none", ""), SERVICE "MethodNotFound", "method", "none" },
	{ METHOD("", ""), SERVICE "MethodNotFound", "method", "" },
	{ METHOD(".", ""), SERVICE "MethodNotFound", "method", "." },
	{ METHOD("org.ois.none.List", ""), SERVICE "MethodNotFound", "method",
	  "org.ois.none.List" },
	{ METHOD("org.ois.node.NodeInUse", ""), SERVICE "MethodNotFound", "method",
	  "org.ois.node.NodeInUse" },
	{ METHOD(INFO, ",\"upgrade\":true"), SERVICE "MethodNotImplemented", "method", INFO },
	{ METHOD(INFO, ",\"parameters\":{\"x\":1}"), SERVICE "InvalidParameter", "parameter", "x" },
	{ METHOD(DESCRIBE, ""), SERVICE "InvalidParameter", "parameter", "interface" },
	{ METHOD(DESCRIBE, ",\"parameters\":{\"interface\":null}"), SERVICE "InvalidParameter",
	  "parameter", "interface" },
	{ METHOD(DESCRIBE, ",\"parameters\":{\"interface\":1}"), SERVICE "InvalidParameter",
	  "parameter", "interface" },
	{ METHOD(DESCRIBE, ",\"parameters\":{\"interface\":\"a.b\"}"), SERVICE "InterfaceNotFound",
	  "interface", "a.b" },
	{ METHOD("org.ois.node.List", ""), SERVICE "ExpectedMore", NULL, NULL },
	{ METHOD("org.ois.node.Delete", ""), SERVICE "InvalidParameter", "parameter", "selector" },
	{ METHOD("org.ois.node.Delete", ",\"parameters\":{\"selector\":{\"port\":\"x\"}}"),
	  SERVICE "InvalidParameter", "parameter", "selector" },
	{ METHOD("org.ois.node.Delete", ",\"parameters\":{\"selector\":{\"port\":65536}}"),
	  SERVICE "InvalidParameter", "parameter", "selector" },
	{ METHOD("org.ois.node.Delete", ",\"parameters\":{\"selector\":{\"startup\":\"x\"}}"),
	  SERVICE "InvalidParameter", "parameter", "selector" },
	{ METHOD("org.ois.session.Rescan", ",\"parameters\":{\"session\":-1}"),
	  SERVICE "InvalidParameter", "parameter", "session" },
	{ METHOD("org.ois.session.Rescan", ",\"parameters\":{\"session\":99999999999999999999}"),
	  SERVICE "InvalidParameter", "parameter", "session" },
	{ METHOD("org.ois.session.Rescan", ",\"parameters\":{\"session\":1,\"lun\":\"0xg\"}"),
	  SERVICE "InvalidParameter", "parameter", "lun" },
	{ METHOD("org.ois.session.Rescan", ",\"parameters\":{\"session\":1.5}"),
	  SERVICE "InvalidParameter", "parameter", "session" },
	/* Legal, if unusual: an int as a decimal string, an extension of the header, null.
	 */
	{ METHOD("org.ois.session.Rescan", ",\"parameters\":{\"session\":\"7\",\"lun\":null}"),
	  "org.ois.session.NoSuchSession", NULL, NULL },
	{ METHOD(INFO, ",\"org.example.extension\":[],\"parameters\":null,\"oneway\":null"), "",
	  NULL, NULL },
#undef METHOD
};

static void test_refused_calls(void **state)
{
	struct client client;

	/* All on one connection: it stays usable. */
	client_open(&client, &oisd);
	for (size_t i = 0; i < ELEMENTSOF(refused_calls); i++) {
		char path[64];
		json_object *reply;

		client_send(&client, refused_calls[i].call, strlen(refused_calls[i].call) + 1);
		reply = client_receive(&client);
		if (!reply)
			fail_msg("closed after %s", refused_calls[i].call);
		assert_string_equal(text_at(reply, "error"), refused_calls[i].error);
		(void)snprintf(path, sizeof(path), "parameters.%s", refused_calls[i].path ?: "");
		if (refused_calls[i].path)
			assert_string_equal(text_at(reply, path), refused_calls[i].value);
		/* Always there, for systemd prints nothing at all otherwise. */
		assert_non_null(json_get_path(reply, "parameters"));
		json_object_put(reply);
	}
	client_close(&client);
}

/* Streams of bytes and calls */

static void test_byte_by_byte(void **state)
{
	static const char call[] = INFO_CALL;
	struct client client;

	client_open(&client, &oisd);
	for (size_t i = 0; i < sizeof(call); i++)
		client_send(&client, &call[i], 1);
	assert_non_null(client_receive_text(&client));
	client_close(&client);
}

static void test_pipelining(void **state)
{
	struct client client;
	char text[128];

	client_open(&client, &oisd);
	for (int i = 0; i < 1000; i++) {
		int n = snprintf(text, sizeof(text), "{\"method\":\"a.M%d\"}", i);

		client_send(&client, text, (size_t)n + 1);
	}
	for (int i = 0; i < 1000; i++) {
		json_object *reply = client_receive(&client);

		assert_non_null(reply);
		(void)snprintf(text, sizeof(text), "a.M%d", i);
		assert_string_equal(text_at(reply, "parameters.method"), text);
		json_object_put(reply);
	}
	client_close(&client);
}

static void test_oneway(void **state)
{
	struct client client;
	json_object *reply;

	client_open(&client, &oisd);
	client_send_call(&client, INFO, NULL, "oneway");
	client_send_call(&client, "a.Unknown", NULL, "oneway");
	client_send_call(&client, "org.ois.node.List", NULL, "oneway");
	reply = client_call(&client, DESCRIBE, "{\"interface\":\"last\"}");
	assert_string_equal(text_at(reply, "parameters.interface"), "last");
	json_object_put(reply);
	client_close(&client);
}

static void test_half_close(void **state)
{
	struct client client;

	client_open(&client, &oisd);
	client_send_call(&client, INFO, NULL, NULL);
	client_send_call(&client, "org.ois.event.ListTypes", NULL, "more");
	assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
	assert_non_null(client_receive_text(&client));
	for (const char *text = client_receive_text(&client); text;
	     text = client_receive_text(&client))
		if (!strstr(text, "\"continues\":true"))
			break;
	assert_closed(&client);
}

/* A call sent by somebody who leaves at once is still carried out. */
static void test_oneway_and_gone(void **state)
{
	struct client client, subscriber;
	json_object *reply;

	client_open(&subscriber, &oisd);
	client_send_call(&subscriber, "org.ois.event.Subscribe", "{\"numbers\":[1004]}", "more");
	assert_non_null(client_receive_text(&subscriber));
	client_open(&client, &oisd);
	client_send_call(&client, "org.ois.node.Create",
			 "{\"key\":{\"targetName\":\"iqn.2026-11.example:gone\",\"address\":\"::"
			 "1\",\"port\":1}}",
			 "oneway");
	client_close(&client);
	reply = client_receive(&subscriber);
	assert_string_equal(text_at(reply, "parameters.event.targetName"),
			    "iqn.2026-11.example:gone");
	json_object_put(reply);
	client_close(&subscriber);
}

static void test_descriptors(void **state)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec vector = { .iov_base = (void *)(uintptr_t)INFO_CALL,
				.iov_len = sizeof(INFO_CALL) };
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int ends[2], end;
	struct client client;
	char byte;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	*header = (struct cmsghdr){
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(int)),
	};
	memcpy(CMSG_DATA(header), &ends[1], sizeof(int));
	client_open(&client, &oisd);
	assert_int_equal(sendmsg(client.fd, &message, 0), sizeof(INFO_CALL));
	(void)close(ends[1]);
	assert_non_null(client_receive_text(&client));
	/* The daemon does not hold the writing end: this is the end of the pipe. */
	end = (int)read(ends[0], &byte, 1);
	assert_int_equal(end, 0);
	(void)close(ends[0]);
	client_close(&client);
}

/* Limits */

/* Calls with twenty megabytes of answers, in one piece: one by one, the daemon would stop to take
 * them. */
static void test_slow_reader(void **state)
{
	static const char call[] = "{\"method\":\"org.ois.event.ListTypes\",\"more\":true}";
	char calls[200 * sizeof(call)];
	long before, after;
	struct client client;

	assert_alive();
	before = oisd_resident(&oisd);
	client_open(&client, &oisd);
	for (size_t i = 0; i < sizeof(calls); i += sizeof(call))
		memcpy(calls + i, call, sizeof(call));
	client_send(&client, calls, sizeof(calls));
	/* Others are served as before. */
	for (int i = 0; i < 100; i++)
		assert_alive();
	after = oisd_resident(&oisd);
	if (after - before > 8192)
		fail_msg("grew from %ld to %ld KiB", before, after);
	/* And all of it comes when it is read. */
	for (int ended = 0; ended < 200;) {
		const char *text = client_receive_text(&client);

		assert_non_null(text);
		ended += !strstr(text, "\"continues\":true");
	}
	client_close(&client);
	assert_alive();
}

static bool is_answered(struct client *client)
{
	client_send_call(client, INFO, NULL, NULL);
	return client_receive_text(client);
}

/* Opens @n connections and returns how many of them are served. */
static size_t open_many(struct client *clients, size_t n)
{
	size_t served = 0;

	for (size_t i = 0; i < n; i++)
		client_open(&clients[i], &oisd);
	for (size_t i = 0; i < n; i++)
		served += is_answered(&clients[i]);
	return served;
}

static void close_many(struct client *clients, size_t n)
{
	for (size_t i = 0; i < n; i++)
		client_close(&clients[i]);
}

static void test_connection_limit(void **state)
{
	static struct client clients[600];

	assert_int_equal(open_many(clients, ELEMENTSOF(clients)), geteuid() == 0 ? 512 : 32);
	close_many(clients, ELEMENTSOF(clients));
	assert_alive();
}

static void test_connection_limit_of_users(void **state)
{
	static struct client clients[20 * 40];
	size_t served = 0, n = 0;

	if (geteuid() != 0)
		skip();
	for (uid_t uid = 60001; uid <= 60020; uid++) {
		size_t of_user;

		assert_int_equal(seteuid(uid), 0);
		of_user = open_many(clients + n, 40);
		assert_int_equal(seteuid(0), 0);
		assert_true(of_user <= 32);
		served += of_user;
		n += 40;
	}
	/* Together they cannot take what is kept for root. */
	assert_int_equal(served, 512 - 16);
	assert_alive();
	close_many(clients, n);
}

/* Who may what */

static void as_user(uid_t uid, gid_t gid, gid_t supplementary)
{
	assert_int_equal(setgroups(1, &supplementary), 0);
	assert_int_equal(setegid(gid), 0);
	assert_int_equal(seteuid(uid), 0);
}

static void as_root(void)
{
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(0), 0);
	assert_int_equal(setgroups(0, NULL), 0);
}

static void assert_access(bool may_read)
{
	static const char denied[] = "org.varlink.service.PermissionDenied";
	struct client client;
	json_object *reply;

	client_open(&client, &oisd);
	as_root();
	reply = client_call(&client, INFO, NULL);
	assert_string_equal(text_at(reply, "error"), "");
	json_object_put(reply);
	reply = client_call(&client, "org.ois.manager.GetStatus", NULL);
	assert_string_equal(text_at(reply, "error"), may_read ? "" : denied);
	json_object_put(reply);
	reply = client_call(&client, "org.ois.manager.Reload", NULL);
	assert_string_equal(text_at(reply, "error"), denied);
	json_object_put(reply);
	/* What is wrong is said before who is wrong. */
	reply = client_call(&client, "org.ois.manager.Reload", "{\"x\":1}");
	assert_string_equal(text_at(reply, "error"), "org.varlink.service.InvalidParameter");
	json_object_put(reply);
	client_close(&client);
}

static void test_access(void **state)
{
	const struct group *group = getgrnam(ACCESS_GROUP);

	if (geteuid() != 0 || !group)
		skip();
	as_user(60001, 60001, 60001);
	assert_access(false);
	as_user(60001, group->gr_gid, 60001);
	assert_access(true);
	as_user(60001, 60001, group->gr_gid);
	assert_access(true);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_info),
		cmocka_unit_test(test_descriptions),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_deep_nesting),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_answers_before_fault),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_refused_calls),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_pipelining),
		cmocka_unit_test(test_oneway),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_oneway_and_gone),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_connection_limit),
		cmocka_unit_test(test_connection_limit_of_users),
		cmocka_unit_test(test_access),
	};
	struct rlimit limit;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: %s OISD\n", argv[0]);
		return 2;
	}
	oisd_program = argv[1];
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	return cmocka_run_group_tests(tests, start, stop);
}
