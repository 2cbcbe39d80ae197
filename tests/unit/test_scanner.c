// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The scanner as a process: what it has of us, what happens when it ends, hangs or cannot be
 * started, and when we end. A scan file that is a FIFO nobody reads hangs like a target that does
 * not answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <semaphore.h>
#include <stdbool.h>

#include "fake_scanner.h"
#include "fake_sysfs.h"

#define SCANS_MAX       2
#define check_raised(n) assert_int_equal(last_event(), n)

static sd_event *event;
static struct fake_scanner fixture;
static struct scanner *scanner;

struct told {
	unsigned n, n_units;
	int error;
	uint64_t last_lun;
};

static void set_up_with(const char *program)
{
	alarm(60);
	fake_begin();
	/* So that no module of this machine is loaded. */
	fake_directory("module/sd_mod");
	assert_int_equal(sd_event_new(&event), 0);
	fake_scanner_begin(&fixture, event, &fake, program, SCANS_MAX);
	scanner = fixture.scanner;
}

static int set_up(void **state)
{
	set_up_with(FAKE_SCANNER_PROGRAM);
	return 0;
}

static int tear_down(void **state)
{
	fake_scanner_end(&fixture);
	event = sd_event_unref(event);
	fake_end();
	alarm(0);
	return 0;
}

static void on_told(void *userdata, const struct scanner_answer *answer, const void *payload,
		    size_t length)
{
	struct told *told = userdata;
	const struct sysfs_lun *units = payload;
	size_t n = length / sizeof(*units);

	assert_int_equal(length % sizeof(*units), 0);
	for (size_t i = 0; i < n; i++)
		told->last_lun = units[i].lun;
	told->n_units += (unsigned)n;
	if (!answer->last)
		return;
	told->n++;
	told->error = answer->error;
}

static void run_until(const struct told *told, unsigned n)
{
	while (told->n < n)
		assert_true(sd_event_run(event, UINT64_MAX) >= 0);
}

static unsigned last_event(void)
{
	uint64_t last = eventlog_last(fixture.log);
	const struct eventlog_entry *entry = last ? eventlog_after(fixture.log, last - 1) : NULL;

	return entry ? event_type(entry->event)->number : 0;
}

static const char *last_field(enum event_field field)
{
	return event_get(eventlog_after(fixture.log, eventlog_last(fixture.log) - 1)->event, field);
}

static void make_session(unsigned sid, bool hangs)
{
	char path[64];

	fake_session(sid, sid);
	fake_session_put(sid, sid, "target_id", "0");
	(void)snprintf(path, sizeof(path), "class/scsi_host/host%u/scan", sid);
	if (hangs)
		assert_int_equal(mkfifo(fake_path(path), 0600), 0);
	else
		fake_put(path, "");
}

static struct scanner_job *ask(enum scanner_order order, unsigned sid, struct told *told)
{
	const struct scanner_request request = {
		.order = order,
		.sid = sid,
		.host = sid,
		.all_luns = true,
	};
	struct scanner_job *job = NULL;

	assert_int_equal(scanner_submit(scanner, &request, on_told, told, &job), 0);
	assert_non_null(job);
	return job;
}

static void await_begin(const struct scanner_job *job)
{
	while (scanner_job_began(job) == 0)
		assert_true(sd_event_run(event, UINT64_MAX) >= 0);
}

/* Our only child; it belongs to the thread that made it. */
static pid_t find_process(void)
{
	_cleanup_(closedirp) DIR *tasks = opendir("/proc/self/task");
	const struct dirent *entry;
	char path[64];
	int pid = 0;

	assert_non_null(tasks);
	while (pid == 0 && (entry = readdir(tasks))) {
		FILE *file;

		(void)snprintf(path, sizeof(path), "/proc/self/task/%.16s/children", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		/* The last one: one before may have ended. */
		while (fscanf(file, "%d", &pid) == 1)
			;
		(void)fclose(file);
	}
	assert_true(pid > 0);
	return pid;
}

static void read_process(pid_t pid, const char *name, char *ret, size_t size)
{
	_cleanup_(fclosep) FILE *file = NULL;
	char path[64];
	size_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	file = fopen(path, "re");
	assert_non_null(file);
	n = fread(ret, 1, size - 1, file);
	ret[n] = '\0';
}

static void has_nothing_of_us(void **state)
{
	_cleanup_(closedirp) DIR *descriptors = NULL;
	int leak = open("/dev/null", O_RDONLY); /* and not close-on-exec */
	const struct dirent *entry;
	struct told told = { 0 };
	char text[4096], *mask;
	pid_t pid;

	make_session(1, false);
	ask(SCANNER_SCAN, 1, &told);
	run_until(&told, 1);
	assert_int_equal(told.error, 0);
	pid = find_process();
	read_process(pid, "comm", text, sizeof(text));
	assert_string_equal(text, "oisd-scanner\n");
	/* Signals are the daemon's business. */
	read_process(pid, "status", text, sizeof(text));
	mask = strstr(text, "SigBlk:");
	assert_non_null(mask);
	assert_int_equal(strtoull(mask + 7, NULL, 16) & (1ULL << (SIGTERM - 1)),
			 1ULL << (SIGTERM - 1));
	(void)snprintf(text, sizeof(text), "/proc/%d/fd", (int)pid);
	descriptors = opendir(text);
	assert_non_null(descriptors);
	while ((entry = readdir(descriptors)))
		assert_true(entry->d_name[0] == '.' || atoi(entry->d_name) <= SCANNER_LIFE);
	(void)close(leak);
}

/* What it was at fails, what waits is done by the next one. */
static void ended(void **state)
{
	struct told hanging = { 0 }, other = { 0 }, waiting = { 0 };

	make_session(1, true);
	make_session(2, true);
	make_session(3, false);
	await_begin(ask(SCANNER_SCAN, 1, &hanging));
	await_begin(ask(SCANNER_SCAN, 2, &other));
	ask(SCANNER_SCAN, 3, &waiting);
	assert_int_equal(kill(find_process(), SIGKILL), 0);
	run_until(&hanging, 1);
	assert_int_equal(hanging.error, -EIO);
	assert_int_equal(other.n, 1);
	assert_int_equal(other.error, -EIO);
	check_raised(EVENT_SCANNER_LOST);
	assert_string_equal(last_field(FIELD_REASON), "it ended");
	assert_string_equal(last_field(FIELD_COUNT), "2");
	run_until(&waiting, 1);
	assert_int_equal(waiting.error, 0);
}

static void ended_at_rest(void **state)
{
	struct told told = { 0 };

	make_session(1, false);
	for (unsigned i = 1; i <= 3; i++) {
		ask(SCANNER_SCAN, 1, &told);
		run_until(&told, i);
		assert_int_equal(told.error, 0);
		assert_int_equal(kill(find_process(), SIGKILL), 0);
		while (eventlog_last(fixture.log) < i)
			assert_true(sd_event_run(event, UINT64_MAX) >= 0);
		assert_string_equal(last_field(FIELD_COUNT), "0");
	}
}

static void cannot_be_started(void **state)
{
	struct told told = { 0 };

	ask(SCANNER_SCAN, 1, &told);
	ask(SCANNER_COMMAND, 1, &told);
	run_until(&told, 2);
	assert_int_equal(told.error, -ENOENT);
	check_raised(EVENT_SCANNER_LOST);
	assert_string_equal(last_field(FIELD_REASON), "it cannot be started");
	assert_string_equal(last_field(FIELD_STATUS_TEXT), "No such file or directory");
	assert_int_equal(eventlog_last(fixture.log), 1);
}

static int set_up_without(void **state)
{
	set_up_with("/nonexistent");
	return 0;
}

static void not_a_scanner(void **state)
{
	struct told told = { 0 };

	ask(SCANNER_SCAN, 1, &told);
	run_until(&told, 1);
	assert_int_equal(told.error, -EIO);
	check_raised(EVENT_SCANNER_LOST);
}

static int set_up_other(void **state)
{
	set_up_with("/bin/true");
	return 0;
}

static void scans_hang(void **state)
{
	struct told hanging = { 0 }, never = { 0 }, told = { 0 };
	struct scanner_job *job;

	make_session(1, true);
	make_session(2, true);
	make_session(3, false);
	await_begin(ask(SCANNER_SCAN, 1, &hanging));
	job = ask(SCANNER_RENEW, 2, &never);
	await_begin(job);
	assert_null(scanner_cancel(job));
	assert_null(scanner_cancel(ask(SCANNER_SCAN, 3, &never)));
	job = ask(SCANNER_SCAN, 3, &told);
	/* They leave room for commands, but not for other scans. */
	ask(SCANNER_COMMAND, 3, &told);
	run_until(&told, 1);
	assert_int_equal(told.error, -ENODEV);
	assert_int_equal(scanner_job_began(job), 0);
	assert_int_equal(hanging.n, 0);
	/* What was cancelled gives its place up when it ends. */
	fake_delete("class/scsi_host/host2/scan");
	(void)close(open(fake_path("class/scsi_host/host1/scan"), O_RDWR | O_CLOEXEC));
	run_until(&told, 2);
	assert_int_equal(told.error, 0);
	assert_int_equal(never.n, 0);
}

static void we_end(void **state)
{
	struct told hanging = { 0 };

	make_session(1, true);
	await_begin(ask(SCANNER_SCAN, 1, &hanging));
	fixture.status = -1;
	fake_scanner_end(&fixture);
	assert_int_equal(fixture.status, 0);
	assert_int_equal(hanging.n, 0);
	fake_scanner_begin(&fixture, event, &fake, FAKE_SCANNER_PROGRAM, SCANS_MAX);
}

static int post(void *argument)
{
	return sem_post(argument);
}

static void ignore(void *argument, int result)
{
}

/* The loop is over when the process that it has begun to start is there. */
static void we_end_at_the_start(void **state)
{
	uint64_t last = eventlog_last(fixture.log);
	struct told told = { 0 };
	sem_t begun;

	ask(SCANNER_SCAN, 1, &told);
	/* Pieces of work come one after the other. */
	assert_int_equal(sem_init(&begun, 0, 0), 0);
	assert_int_equal(work_submit(fixture.loader, post, ignore, &begun), 0);
	assert_int_equal(sem_wait(&begun), 0);
	assert_int_equal(sd_event_exit(event, 0), 0);
	assert_int_equal(sd_event_loop(event), 0);
	fixture.loader = work_free(fixture.loader);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.error, -ECANCELED);
	assert_int_equal(eventlog_last(fixture.log), last);
	fixture.status = -1;
	fake_scanner_end(&fixture);
	assert_int_equal(fixture.status, 0);
}

static void many_units(void **state)
{
	struct told told = { 0 };
	char name[32];

	make_session(1, false);
	for (unsigned lun = 0; lun < 60; lun++) {
		const char *directory;
		char path[300];

		(void)snprintf(name, sizeof(name), "1:0:0:%u", lun);
		directory = fake_lun(1, 1, name, "0");
		(void)snprintf(path, sizeof(path), "%s/state", directory);
		fake_put(path, "offline");
	}
	ask(SCANNER_REVIVE, 1, &told);
	run_until(&told, 1);
	assert_int_equal(told.error, 0);
	assert_int_equal(told.n_units, 60);
	ask(SCANNER_SCAN, 1, &told);
	run_until(&told, 2);
	assert_int_equal(told.n_units, 120);
	ask(SCANNER_REVIVE, 7, &told);
	run_until(&told, 3);
	assert_int_equal(told.error, -ENOENT);
}

/* More than the socket holds. */
static void many_at_once(void **state)
{
	static struct told told;

	memset(&told, 0, sizeof(told));
	make_session(1, false);
	for (unsigned i = 0; i < 3000; i++)
		ask(SCANNER_SCAN, 1, &told);
	run_until(&told, 3000);
	assert_int_equal(told.error, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(has_nothing_of_us, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ended_at_rest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cannot_be_started, set_up_without, tear_down),
		cmocka_unit_test_setup_teardown(not_a_scanner, set_up_other, tear_down),
		cmocka_unit_test_setup_teardown(scans_hang, set_up, tear_down),
		cmocka_unit_test_setup_teardown(we_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(we_end_at_the_start, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_units, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_at_once, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
