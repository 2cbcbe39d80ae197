// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The instance of trace events, in a tracefs made of files: it is found in either place, set up,
 * and what two processors recorded is told in the order of time. Pipes are the kernel's buffers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>

#include "fake_sysfs.h"
#include "poller.h"
#include "tracepoint.h"

#define PROCESSORS 2

static struct {
	sd_event *event;
	struct poller *poller;
	struct work *work;
	struct tracepoints *tracepoints;
	const char *instance; /* below the root */
	int pipes[PROCESSORS];
	char told[8][64];
	size_t n_told;
} t;

static void timed_out(void *userdata, const struct tracepoint_timeout *timeout)
{
	assert_true(t.n_told < 8);
	(void)snprintf(t.told[t.n_told++], sizeof(t.told[0]), "%u:%u:%u:%u %02x %zu", timeout->host,
		       timeout->channel, timeout->target, timeout->lun, timeout->cdb[0],
		       timeout->cdb_length);
}

static void error_handling(void *userdata, uint32_t sid, const char *text)
{
	assert_true(t.n_told < 8);
	(void)snprintf(t.told[t.n_told++], sizeof(t.told[0]), "%u %s", sid, text);
}

static const struct tracepoint_callbacks callbacks = { timed_out, error_handling };

static const char *path_of(const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", t.instance, name);
	return fake_path(path);
}

static void put_file(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void copy_data(const char *data, const char *name)
{
	char path[256], text[16384] = "";
	FILE *file;

	(void)snprintf(path, sizeof(path), TEST_DATA "/tracepoint/%s", data);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	assert_int_equal(fclose(file), 0);
	put_file(name, text);
}

static void check_file(const char *name, const char *expected)
{
	FILE *file = fopen(path_of(name), "re");
	char text[64] = "";

	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0 || !ferror(file));
	assert_int_equal(fclose(file), 0);
	assert_string_equal(text, expected);
}

/* As another daemon left it. */
static void make_instance(const char *instance)
{
	static const char *const empty[] = {
		"trace_clock",
		"buffer_size_kb",
		"buffer_percent",
		"events/scsi/scsi_dispatch_cmd_timeout/enable",
		"events/iscsi/iscsi_dbg_eh/enable",
	};
	char name[64];

	t.instance = instance;
	for (size_t i = 0; i < ELEMENTSOF(empty); i++)
		put_file(empty[i], "");
	put_file("set_event", "something else\n");
	put_file("trace", "what it recorded\n");
	copy_data("header_page", "../../events/header_page");
	copy_data("timeout-6.1.format", "events/scsi/scsi_dispatch_cmd_timeout/format");
	copy_data("eh.format", "events/iscsi/iscsi_dbg_eh/format");
	for (unsigned i = 0; i < PROCESSORS; i++) {
		(void)snprintf(name, sizeof(name), "per_cpu/cpu%u/trace_pipe_raw", i);
		assert_int_equal(mkfifo(path_of(name), 0600), 0);
		t.pipes[i] = open(path_of(name), O_RDWR | O_CLOEXEC);
		assert_true(t.pipes[i] >= 0);
	}
}

/* Until the thread has done its work, which a second one does not begin before. */

static int run_nothing(void *argument)
{
	return 0;
}

static void nothing_done(void *argument, int result)
{
	*(bool *)argument = true;
}

static void begin(void)
{
	bool done = false;

	assert_int_equal(
		tracepoints_new(t.event, fake_root, t.work, &callbacks, NULL, &t.tracepoints), 0);
	assert_false(tracepoints_active(t.tracepoints));
	assert_int_equal(work_submit(t.work, run_nothing, nothing_done, &done), 0);
	while (!done)
		assert_true(sd_event_run(t.event, 10000000) > 0);
}

static int set_up(void **state)
{
	memset(&t, 0, sizeof(t));
	for (unsigned i = 0; i < PROCESSORS; i++)
		t.pipes[i] = -EBADF;
	fake_begin();
	assert_true(sd_event_new(&t.event) >= 0);
	assert_int_equal(poller_new(t.event, &t.poller), 0);
	return work_new(t.poller, "test", 1, &t.work);
}

static int tear_down(void **state)
{
	t.work = work_free(t.work);
	t.tracepoints = tracepoints_free(t.tracepoints);
	for (unsigned i = 0; i < PROCESSORS; i++)
		t.pipes[i] = close_fd(t.pipes[i]);
	t.poller = poller_free(t.poller);
	t.event = sd_event_unref(t.event);
	fake_end();
	return 0;
}

/* Pages, as the formats say */

struct page {
	uint8_t bytes[4096];
	size_t length;
};

static void put(struct page *page, const void *data, size_t length)
{
	memcpy(page->bytes + page->length, data, length);
	page->length += length;
}

static void put_word(struct page *page, uint32_t word)
{
	put(page, &word, sizeof(word));
}

static void begin_record(struct page *page, uint16_t type, uint32_t length)
{
	uint16_t common[4] = { type };

	put_word(page, 0);
	put_word(page, length + 4);
	put(page, common, sizeof(common));
}

static void put_handling(struct page *page, uint16_t type, const char *object, const char *text)
{
	uint32_t n = (uint32_t)strlen(object) + 1, m = (uint32_t)strlen(text) + 1;

	begin_record(page, type, (16 + n + m + 3) & ~3U);
	put_word(page, n << 16 | 16);
	put_word(page, m << 16 | (16 + n));
	put(page, object, n);
	put(page, text, m);
	while (page->length % 4)
		put(page, "", 1);
}

static void put_timeout(struct page *page, uint32_t host, uint32_t cdb_length)
{
	uint32_t fields[12] = { host, 1, 2, 3 };

	begin_record(page, 391, 60 + 12);
	put(page, fields, sizeof(fields));
	put_word(page, cdb_length << 16 | 60);
	put(page, "\x2a-----------", 12);
}

static void record(unsigned processor, uint64_t time, struct page *page)
{
	uint64_t head[2] = { time, page->length };
	uint8_t whole[4096];

	memcpy(whole, head, sizeof(head));
	memcpy(whole + sizeof(head), page->bytes, page->length);
	assert_int_equal(write(t.pipes[processor], whole, sizeof(head) + page->length),
			 sizeof(head) + page->length);
}

static void run_out(void)
{
	while (sd_event_run(t.event, 0) > 0)
		;
}

/* Tests */

static void sets_up(void **state)
{
	make_instance("kernel/tracing/instances/ois");
	begin();
	assert_true(tracepoints_active(t.tracepoints));
	check_file("set_event", "");
	check_file("trace", "");
	check_file("trace_clock", "mono");
	check_file("buffer_size_kb", "16");
	check_file("buffer_percent", "0");
	check_file("events/iscsi/iscsi_dbg_eh/enable", "1");
	check_file("events/scsi/scsi_dispatch_cmd_timeout/enable", "1");
}

static void looks_at_debugfs(void **state)
{
	make_instance("kernel/debug/tracing/instances/ois");
	begin();
	assert_true(tracepoints_active(t.tracepoints));
}

static void does_without(void **state)
{
	begin();
	assert_false(tracepoints_active(t.tracepoints));
	tracepoints_look(t.tracepoints);
}

/* What is made and cannot be used is not left behind. */
static void leaves_nothing(void **state)
{
	t.instance = "kernel/tracing/instances";
	(void)path_of("ois/x");
	assert_int_equal(rmdir(path_of("ois")), 0);
	begin();
	assert_false(tracepoints_active(t.tracepoints));
	assert_int_equal(access(path_of("ois"), F_OK), -1);
}

static void tells_in_order(void **state)
{
	struct page first = { .length = 0 }, second = { .length = 0 };

	make_instance("kernel/tracing/instances/ois");
	begin();
	put_handling(&second, 485, "session7", "f second\n");
	put_timeout(&second, 5, 10);
	put_handling(&first, 485, "session7", "f first");
	put_handling(&first, 486, "session7", "f of another event");
	put_handling(&first, 485, "connection7:0", "f of another object");
	put_handling(&first, 485, "session7x", "f of another object");
	put_timeout(&first, 4, 13);
	record(0, 2000, &second);
	record(1, 1000, &first);
	run_out();
	assert_int_equal(t.n_told, 3);
	assert_string_equal(t.told[0], "7 f first");
	assert_string_equal(t.told[1], "7 f second");
	assert_string_equal(t.told[2], "5:1:2:3 2a 10");
	/* Asked for, and not waited for. */
	record(1, 3000, &second);
	tracepoints_look(t.tracepoints);
	assert_int_equal(t.n_told, 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(sets_up),        TEST(looks_at_debugfs), TEST(does_without),
		TEST(leaves_nothing), TEST(tells_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
