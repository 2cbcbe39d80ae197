/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A portal with a hundred thousand targets: all of them come, the daemon holds no more of them than
 * it has to, and a client that does not read holds up nothing but its own discovery. The target is
 * played by a process of its own, so that nobody here can wait for himself.
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
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include "json.h"
#include "oisd.h"
#include "target.h"

#define TARGETS       100000
#define TARGETS_A_PDU 100
/* What the daemon may grow by, in KiB, for a discovery of any length. */
#define GROWTH_MAX 8192
/* Exit status of a target that was left before the end. */
#define LEFT_EARLY 7

static struct oisd oisd;
static struct client client;
static struct target *target;
static pid_t player = -1;

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
	if (player > 0) {
		(void)kill(player, SIGKILL);
		(void)waitpid(player, NULL, 0);
		player = -1;
	}
	return status;
}

/* The target */

static int hear(const char *text)
{
	char copy[128], *words[8];
	size_t n = 0;

	(void)snprintf(copy, sizeof(copy), "%s", text);
	for (char *rest = copy, *word; (word = strsep(&rest, " "));)
		words[n++] = word;
	return target_expect(target, words, n, PATIENCE_MS);
}

/* One Text Response with the targets from @first on. */
static int tell(unsigned first, unsigned n, bool last)
{
	static char texts[2 + 2 * TARGETS_A_PDU][80];
	char *words[ELEMENTSOF(texts)];
	size_t count = 2;

	(void)snprintf(texts[0], sizeof(texts[0]), "text");
	(void)snprintf(texts[1], sizeof(texts[1]), last ? "F" : "ttt=7");
	for (unsigned i = first; i < first + n; i++) {
		(void)snprintf(texts[count++], sizeof(texts[0]),
			       "TargetName=iqn.2026-11.example:disk%06u", i);
		(void)snprintf(texts[count++], sizeof(texts[0]), "TargetAddress=192.0.2.%u:3260,1",
			       i % 200 + 1);
	}
	for (size_t i = 0; i < count; i++)
		words[i] = texts[i];
	return target_send(target, words, count);
}

static int play(unsigned targets)
{
	char login[] = "login", transit[] = "T", csg[] = "csg=1", nsg[] = "nsg=3",
	     tsih[] = "tsih=1";
	char *answer[] = { login, transit, csg, nsg, tsih };
	char logout[] = "logout", *farewell[] = { logout };

	if (target_accept(target, PATIENCE_MS) < 0 || hear("login T csg=1 nsg=3") < 0 ||
	    target_send(target, answer, ELEMENTSOF(answer)) < 0 ||
	    hear("text F SendTargets=All") < 0)
		return 1;
	for (unsigned i = 0; i < targets; i += TARGETS_A_PDU) {
		unsigned n = targets - i < TARGETS_A_PDU ? targets - i : TARGETS_A_PDU;

		if (tell(i, n, i + n == targets) < 0)
			return 1;
		if (i + n < targets && hear("text F ttt=7") < 0)
			return LEFT_EARLY;
	}
	if (hear("logout") < 0 || target_send(target, farewell, 1) < 0)
		return 1;
	return target_expect_close(target, PATIENCE_MS) < 0;
}

static void start_player(unsigned targets)
{
	(void)fflush(NULL);
	player = fork();
	assert_true(player >= 0);
	if (player == 0) {
		client_close(&client);
		_exit(play(targets));
	}
}

static void end_player(int expected)
{
	int status;

	assert_int_equal(waitpid(player, &status, 0), player);
	player = -1;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), expected);
}

/* The client */

static void ask(struct client *from, uint16_t port, const char *mode)
{
	char parameters[160];

	(void)snprintf(parameters, sizeof(parameters),
		       "{\"method\":\"send_targets\",\"address\":\"127.0.0.1\",\"port\":%u,"
		       "\"recordMode\":\"%s\",\"timeoutSeconds\":1}",
		       port, mode);
	client_send_call(from, "org.ois.discovery.Discover", parameters, "more");
}

/* Reads all targets, in their order, and returns the summary. */
static json_object *read_targets(unsigned targets)
{
	unsigned n = 0;

	for (;;) {
		json_object *reply = client_receive(&client);
		char name[64];

		assert_non_null(reply);
		assert_string_equal(text_at(reply, "error"), "");
		if (json_get_path(reply, "parameters.target")) {
			(void)snprintf(name, sizeof(name), "iqn.2026-11.example:disk%06u", n++);
			assert_string_equal(text_at(reply, "parameters.target.name"), name);
		}
		if (json_get_path(reply, "parameters.summary")) {
			assert_int_equal(n, targets);
			assert_int_equal(number_at(reply, "parameters.summary.targets"), targets);
			return reply;
		}
		json_object_put(reply);
	}
}

static void discover(const char *mode, unsigned targets, int created, int updated, int deleted)
{
	json_object *summary;

	start_player(targets);
	ask(&client, target_port(target), mode);
	summary = read_targets(targets);
	assert_int_equal(number_at(summary, "parameters.summary.recordsCreated"), created);
	assert_int_equal(number_at(summary, "parameters.summary.recordsUpdated"), updated);
	assert_int_equal(number_at(summary, "parameters.summary.recordsDeleted"), deleted);
	json_object_put(summary);
	end_player(0);
}

static void assert_growth(long before)
{
	long after = oisd_resident(&oisd);

	if (after - before > GROWTH_MAX)
		fail_msg("grew from %ld to %ld KiB", before, after);
}

/* A discovery that fails for want of an answer: a second has gone by. */
static void let_time_pass(void)
{
	struct target *silent = NULL;
	struct client other;
	json_object *reply;
	char error[64];

	assert_int_equal(target_new(&silent), 0);
	client_open(&other, &oisd);
	ask(&other, target_port(silent), "none");
	do {
		reply = client_receive(&other);
		assert_non_null(reply);
		(void)snprintf(error, sizeof(error), "%s", text_at(reply, "error"));
		json_object_put(reply);
	} while (!error[0]);
	assert_string_equal(error, "org.ois.discovery.TimedOut");
	client_close(&other);
	silent = target_free(silent);
}

/* While nobody reads, the target waits, however long, and the daemon grows by one buffer. */
static void test_unread(void **state)
{
	json_object *summary;
	long before;

	/* What the first discovery needs stays. */
	discover("none", 1, 0, 0, 0);
	before = oisd_resident(&oisd);
	start_player(TARGETS);
	ask(&client, target_port(target), "none");
	/* More than the time for an answer: the target is not to blame. */
	for (int i = 0; i < 3; i++)
		let_time_pass();
	assert_growth(before);
	summary = read_targets(TARGETS);
	json_object_put(summary);
	end_player(0);
	assert_growth(before);
}

static void test_leave_unread(void **state)
{
	json_object *reply;

	start_player(TARGETS);
	ask(&client, target_port(target), "none");
	let_time_pass();
	client_close(&client);
	end_player(LEFT_EARLY);
	client_open(&client, &oisd);
	reply = client_call(&client, "org.ois.manager.GetStatus", NULL);
	assert_string_equal(text_at(reply, "error"), "");
	json_object_put(reply);
}

/* A daemon that is to end does not wait for a client that does not read. */
static void test_stop_unread(void **state)
{
	start_player(TARGETS);
	ask(&client, target_port(target), "add");
	let_time_pass();
	assert_int_equal(oisd_stop(&oisd, SIGTERM), 0);
	end_player(LEFT_EARLY);
	oisd_start(&oisd, -1);
}

/* Events of what is found: the first hundred nodes, and the sum. */
static void expect_events(struct client *subscriber)
{
	unsigned created = 0;
	int64_t number;

	do {
		json_object *reply = client_receive(subscriber);

		assert_non_null(reply);
		assert_null(json_get_path(reply, "parameters.missed"));
		number = number_at(reply, "parameters.event.number");
		created += number == 1004;
		json_object_put(reply);
	} while (number != 1007);
	assert_int_equal(created, 100);
}

/* How often the file was replaced. */
static unsigned count_writes(int watch)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	unsigned writes = 0;
	ssize_t n;

	while ((n = read(watch, events, sizeof(events))) > 0)
		for (char *at = events; at < events + n;) {
			const struct inotify_event *event = (void *)at;

			writes += strcmp(event->name, "discovered.jsonl") == 0;
			at += sizeof(*event) + event->len;
		}
	return writes;
}

static void test_recorded(void **state)
{
	_cleanup_close_ int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct client subscriber;
	char path[128];
	long before;

	(void)snprintf(path, sizeof(path), "%s/records", oisd.directory);
	assert_true(inotify_add_watch(watch, path, IN_MOVED_TO) >= 0);
	client_open(&subscriber, &oisd);
	client_send_call(&subscriber, "org.ois.event.Subscribe", "{\"numbers\":[1004,1007]}",
			 "more");
	json_object_put(client_receive(&subscriber));
	discover("add", TARGETS, TARGETS, 0, 0);
	assert_int_equal(count_writes(watch), 1);
	expect_events(&subscriber);
	client_close(&subscriber);

	/* Once more, with nothing new. */
	before = oisd_resident(&oisd);
	discover("update", TARGETS, 0, 0, 0);
	assert_int_equal(count_writes(watch), 1);
	assert_growth(before);
	discover("replace", 10, 0, 0, TARGETS - 10);
	assert_int_equal(count_writes(watch), 1);
}

int main(int argc, char **argv)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)
	static const struct CMUnitTest tests[] = {
		TEST(test_unread),
		TEST(test_leave_unread),
		TEST(test_stop_unread),
		TEST(test_recorded),
	};
#undef TEST

	if (argc != 2) {
		(void)fprintf(stderr, "usage: %s OISD\n", argv[0]);
		return 2;
	}
	/* The sanitizer is not to hold what the daemon gave back. */
	(void)setenv("ASAN_OPTIONS", "quarantine_size_mb=1:thread_local_quarantine_size_kb=16", 1);
	oisd_program = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
