/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What becomes of what a discovery finds: the record modes, against a target that answers what the
 * test wants.
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
#include "target.h"

#define WORDS_MAX 16

static struct oisd oisd;
static struct client client;
static struct target *target;
/* Of the discovery begun last. */
static char isid[16];

static int start(void **state)
{
	oisd_prepare(&oisd, NULL);
	oisd_start(&oisd, -1);
	client_open(&client, &oisd);
	return target_new(&target);
}

static int stop(void **state)
{
	int status;

	client_close(&client);
	status = oisd_stop(&oisd, SIGTERM);
	oisd_done(&oisd);
	target = target_free(target);
	return status;
}

static size_t split(const char *text, char *copy, size_t size, char *words[WORDS_MAX])
{
	size_t n = 0;

	(void)snprintf(copy, size, "%s", text);
	for (char *rest = copy, *word; (word = strsep(&rest, " ")) && n < WORDS_MAX;)
		words[n++] = word;
	return n;
}

static void target_hears(const char *text)
{
	char copy[512], *words[WORDS_MAX];
	size_t n = split(text, copy, sizeof(copy), words);

	assert_int_equal(target_expect(target, words, n, PATIENCE_MS), 0);
}

static void target_says(const char *text)
{
	char copy[512], *words[WORDS_MAX];
	size_t n = split(text, copy, sizeof(copy), words);

	assert_int_equal(target_send(target, words, n), 0);
}

static void remember_isid(void)
{
	_cleanup_(buffer_done) struct buffer text = { 0 };

	assert_int_equal(target_variable(target, "isid", &text), 0);
	(void)snprintf(isid, sizeof(isid), "%.*s", (int)text.length, (char *)text.data);
	assert_int_equal(strlen(isid), 12);
}

/* Starts a discovery, up to the question for a target, or for all (NULL). */
static void begin_named(struct client *from, const char *mode, const char *name)
{
	char parameters[256], question[128];

	(void)snprintf(parameters, sizeof(parameters),
		       "{\"method\":\"send_targets\",\"address\":\"127.0.0.1\",\"port\":%u,"
		       "\"recordMode\":\"%s\"%s%s%s}",
		       target_port(target), mode, name ? ",\"targetName\":\"" : "", name ?: "",
		       name ? "\"" : "");
	(void)snprintf(question, sizeof(question), "text F SendTargets=%s", name ?: "All");
	client_send_call(from, "org.ois.discovery.Discover", parameters, "more");
	assert_int_equal(target_accept(target, PATIENCE_MS), 0);
	target_hears("login T csg=1 nsg=3 SessionType=Discovery");
	remember_isid();
	target_says("login T csg=1 nsg=3 tsih=1");
	target_hears(question);
}

static void begin(struct client *from, const char *mode)
{
	begin_named(from, mode, NULL);
}

static void expect_summary(json_object *reply, int created, int updated, int deleted)
{
	assert_null(json_get_path(reply, "continues"));
	if (number_at(reply, "parameters.summary.recordsCreated") != created ||
	    number_at(reply, "parameters.summary.recordsUpdated") != updated ||
	    number_at(reply, "parameters.summary.recordsDeleted") != deleted)
		fail_msg("expected %d, %d, %d: %s", created, updated, deleted,
			 json_object_to_json_string(reply));
}

/* The target answers @targets, and the discovery ends. */
static void finish(struct client *of, const char *targets, int created, int updated, int deleted)
{
	char answer[512];
	json_object *reply;

	(void)snprintf(answer, sizeof(answer), "text F%s%s", targets[0] ? " " : "", targets);
	target_says(answer);
	target_hears("logout");
	target_says("logout");
	assert_int_equal(target_expect_close(target, PATIENCE_MS), 0);
	for (;;) {
		reply = client_receive(of);
		assert_non_null(reply);
		assert_string_equal(text_at(reply, "error"), "");
		if (json_get_path(reply, "parameters.summary"))
			break;
		json_object_put(reply);
	}
	expect_summary(reply, created, updated, deleted);
	json_object_put(reply);
}

/* A whole discovery in which the target says @targets. */
static void discover(const char *mode, const char *targets, int created, int updated, int deleted)
{
	begin(&client, mode);
	finish(&client, targets, created, updated, deleted);
}

static size_t count_nodes(const char *name)
{
	char parameters[128];
	json_object *replies;
	size_t n;

	(void)snprintf(parameters, sizeof(parameters), "{\"selector\":{\"targetName\":\"*:%s\"}}",
		       name);
	replies = client_stream(&client, "org.ois.node.List", parameters);
	n = json_object_array_length(replies);
	if (!json_get_path(json_object_array_get_idx(replies, 0), "parameters.record"))
		n = 0;
	json_object_put(replies);
	return n;
}

/* One value of the first node. */
static int64_t node_number(const char *path)
{
	json_object *replies = client_stream(&client, "org.ois.node.List", NULL);
	int64_t number = number_at(json_object_array_get_idx(replies, 0), path);

	json_object_put(replies);
	return number;
}

static void call(const char *method, const char *parameters)
{
	json_object *reply = client_call(&client, method, parameters);

	assert_string_equal(text_at(reply, "error"), "");
	json_object_put(reply);
}

#define A "TargetName=iqn.2026-11.example:a TargetAddress=192.0.2.1:3260,1"
#define B "TargetName=iqn.2026-11.example:b TargetAddress=192.0.2.1:3260,1"
#define C "TargetName=iqn.2026-11.example:c TargetAddress=192.0.2.1:3260,1"

static void test_replies(void **state)
{
	static const char *const expected[] = { "phase",  "phase",  "phase",
						"target", "target", "summary" };
	size_t i = 0;

	begin(&client, "none");
	target_says("text F " A " TargetAddress=[2001:db8::1]:3261,2 " B);
	target_hears("logout");
	target_says("logout");
	while (i < ELEMENTSOF(expected)) {
		json_object *reply = client_receive(&client);
		char path[32];

		/* How many phases are told is not promised. */
		if (strcmp(expected[i], "phase") == 0 && json_get_path(reply, "parameters.target"))
			while (strcmp(expected[i], "phase") == 0)
				i++;
		(void)snprintf(path, sizeof(path), "parameters.%s", expected[i++]);
		assert_non_null(json_get_path(reply, path));
		if (strcmp(text_at(reply, "parameters.target.name"), "iqn.2026-11.example:a") ==
		    0) {
			json_object *portals = json_get_path(reply, "parameters.target.portals");
			json_object *second = json_object_array_get_idx(portals, 1);

			assert_int_equal(json_object_array_length(portals), 2);
			assert_string_equal(text_at(second, "address"), "2001:db8::1");
			assert_int_equal(number_at(second, "port"), 3261);
			assert_int_equal(number_at(second, "portalGroupTag"), 2);
			assert_int_equal(number_at(reply, "parameters.target.recorded"), 0);
		}
		if (json_get_path(reply, "parameters.summary")) {
			assert_int_equal(number_at(reply, "parameters.summary.targets"), 2);
			assert_int_equal(number_at(reply, "parameters.summary.portals"), 3);
		}
		json_object_put(reply);
	}
	assert_int_equal(count_nodes("*"), 0);
}

static void test_add(void **state)
{
	discover("add", A " " B, 2, 0, 0);
	assert_int_equal(count_nodes("*"), 2);
	discover("add", A " " C, 1, 0, 0);
	/* What is there already stays as it is. */
	discover("add", "TargetName=iqn.2026-11.example:a TargetAddress=192.0.2.1:3260,7", 0, 0, 0);
	assert_int_equal(node_number("parameters.record.key.portalGroupTag"), 1);
	assert_int_equal(count_nodes("*"), 3);
}

static void test_update(void **state)
{
	discover("add", A " " B, 2, 0, 0);
	call("org.ois.node.Update",
	     "{\"selector\":{\"targetName\":\"*:a\"},\"settings\":{\"loginTimeoutSeconds\":7}}");
	discover("update", "TargetName=iqn.2026-11.example:a TargetAddress=192.0.2.1:3260,7 " C, 1,
		 1, 0);
	assert_int_equal(node_number("parameters.record.key.portalGroupTag"), 7);
	/* No discovery changes a setting. */
	assert_int_equal(node_number("parameters.record.settings.loginTimeoutSeconds"), 7);
	assert_int_equal(count_nodes("*"), 3);
}

static void test_replace(void **state)
{
	discover("replace", A " " B " " C, 3, 0, 0);
	call("org.ois.node.Create", "{\"key\":{\"targetName\":\"iqn.2026-11.example:static\","
				    "\"address\":\"192.0.2.1\",\"port\":3260}}");
	call("org.ois.node.Update",
	     "{\"selector\":{\"targetName\":\"*:b\"},\"settings\":{\"scan\":false}}");
	/* a is told, b has settings, nobody told of c, and static was never found. */
	discover("replace", A, 0, 0, 1);
	assert_int_equal(count_nodes("a"), 1);
	assert_int_equal(count_nodes("b"), 1);
	assert_int_equal(count_nodes("c"), 0);
	assert_int_equal(count_nodes("static"), 1);
	/* An empty answer is an answer. */
	discover("replace", "", 0, 0, 1);
	assert_int_equal(count_nodes("*"), 2);
}

/* What made no sense may have been one of them. */
static void test_replace_incomplete(void **state)
{
	discover("add", A " " B, 2, 0, 0);
	discover("replace", A " TargetName=iqn.2026-13.example:b TargetAddress=192.0.2.1:3260,1", 0,
		 0, 0);
	assert_int_equal(count_nodes("*"), 2);
}

/* Of targets that were not asked for nothing was learned. */
static void test_replace_by_name(void **state)
{
	discover("add", A " " B, 2, 0, 0);
	begin_named(&client, "replace", "iqn.2026-11.example:a");
	finish(&client, A, 0, 0, 0);
	assert_int_equal(count_nodes("*"), 2);
	begin_named(&client, "replace", "iqn.2026-11.example:a");
	finish(&client, "", 0, 0, 1);
	assert_int_equal(count_nodes("b"), 1);
}

/* Nodes that another portal told of are none of this one's business. */
static void test_replace_other_portal(void **state)
{
	struct target *first = target;

	discover("add", A, 1, 0, 0);
	assert_int_equal(target_new(&target), 0);
	discover("replace", B, 1, 0, 0);
	assert_int_equal(count_nodes("*"), 2);
	(void)target_free(first);
}

/* The summary says that all is on disk. */
static void test_durable(void **state)
{
	discover("add", A " " B, 2, 0, 0);
	assert_int_equal(oisd_stop(&oisd, SIGKILL), -1);
	client_close(&client);
	oisd_start(&oisd, -1);
	client_open(&client, &oisd);
	assert_int_equal(count_nodes("*"), 2);
	assert_int_equal(node_number("parameters.record.key.portalGroupTag"), 1);
	/* It knows where they came from, too. */
	discover("replace", A, 0, 0, 1);
}

/* The client leaves while the login is not answered: the target is left at once. */
static void test_client_leaves_login(void **state)
{
	struct client leaving;
	char parameters[128];

	client_open(&leaving, &oisd);
	(void)snprintf(parameters, sizeof(parameters),
		       "{\"method\":\"send_targets\",\"address\":\"127.0.0.1\",\"port\":%u,"
		       "\"timeoutSeconds\":300}",
		       target_port(target));
	client_send_call(&leaving, "org.ois.discovery.Discover", parameters, "more");
	assert_int_equal(target_accept(target, PATIENCE_MS), 0);
	target_hears("login T csg=1 nsg=3 SessionType=Discovery");
	client_close(&leaving);
	assert_int_equal(target_expect_close(target, PATIENCE_MS), 0);
}

/* The client leaves in the middle, where b may have more portals: the target is left, and what was
 * found until then is kept. */
static void test_client_leaves(void **state)
{
	struct client leaving;
	json_object *reply;
	bool found = false;

	client_open(&leaving, &oisd);
	begin(&leaving, "add");
	target_says("text ttt=7 " A " " B);
	target_hears("text F");
	while (!found) {
		reply = client_receive(&leaving);
		assert_non_null(reply);
		found = json_get_path(reply, "parameters.target");
		json_object_put(reply);
	}
	client_close(&leaving);
	assert_int_equal(target_expect_close(target, PATIENCE_MS), 0);
	assert_int_equal(oisd_stop(&oisd, SIGTERM), 0);
	client_close(&client);
	oisd_start(&oisd, -1);
	client_open(&client, &oisd);
	assert_int_equal(count_nodes("a"), 1);
}

/* Two at the same time are two sessions: neither ends the other. */
static void test_concurrent(void **state)
{
	struct client other;
	char first[sizeof(isid)];

	client_open(&other, &oisd);
	begin(&client, "add");
	memcpy(first, isid, sizeof(first));
	begin(&other, "add");
	/* Format "random", RFC 7143, 11.12.5. */
	assert_memory_equal(isid, "80", 2);
	assert_memory_equal(first, "80", 2);
	assert_string_not_equal(isid, first);
	assert_int_equal(target_select(target, 1), 0);
	finish(&client, A " " B, 2, 0, 0);
	assert_int_equal(target_select(target, 2), 0);
	finish(&other, A " " C, 1, 0, 0);
	client_close(&other);
	assert_int_equal(count_nodes("*"), 3);
}

int main(int argc, char **argv)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)
	static const struct CMUnitTest tests[] = {
		TEST(test_replies),
		TEST(test_add),
		TEST(test_update),
		TEST(test_replace),
		TEST(test_durable),
		TEST(test_replace_other_portal),
		TEST(test_replace_incomplete),
		TEST(test_replace_by_name),
		TEST(test_client_leaves),
		TEST(test_client_leaves_login),
		TEST(test_concurrent),
	};
#undef TEST

	if (argc != 2) {
		(void)fprintf(stderr, "usage: %s OISD\n", argv[0]);
		return 2;
	}
	oisd_program = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
