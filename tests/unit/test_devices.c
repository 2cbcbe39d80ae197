// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Scans and lists on a made-up sysfs: what is told, when, and that it is told once. That drivers
 * are waited for until the kernel says "bind" can only be shown by a kernel; see tests/kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>

#include "devices.h"
#include "fake_scanner.h"
#include "fake_sysfs.h"

#define SECOND UINT64_C(1000000)

static sd_event *event;
static struct fake_scanner scanner;
static struct devices *devices;

static struct told {
	unsigned n;
	int error;
	size_t n_luns;
	struct sysfs_lun luns[8];
} told;

static void on_attention(void *userdata, uint32_t sid, uint64_t lun, const char *name)
{
}

static int set_up(void **state)
{
	alarm(60);
	fake_begin();
	/* So that no module of this machine is loaded. */
	fake_directory("module/sd_mod");
	memset(&told, 0, sizeof(told));
	if (sd_event_new(&event) < 0)
		return -1;
	fake_scanner_begin(&scanner, event, &fake, FAKE_SCANNER_PROGRAM, 2);
	return devices_new(scanner.poller, &fake, scanner.scanner, on_attention, NULL, &devices);
}

static int tear_down(void **state)
{
	devices = devices_free(devices);
	fake_scanner_end(&scanner);
	event = sd_event_unref(event);
	fake_end();
	alarm(0);
	return 0;
}

static void on_done(void *userdata, const struct devices_result *result)
{
	struct told *t = userdata;

	t->n++;
	t->error = result->error;
	t->n_luns = result->n_luns;
	assert_true(result->n_luns <= ELEMENTSOF(t->luns));
	if (result->n_luns > 0)
		memcpy(t->luns, result->luns, result->n_luns * sizeof(t->luns[0]));
}

static void run_until(const struct told *t, unsigned n)
{
	while (t->n < n)
		assert_true(sd_event_run(event, UINT64_MAX) >= 0);
}

static void make_scan_file(unsigned host)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "class/scsi_host/host%u/scan", host);
	fake_put(path, "");
}

static void make_session(unsigned sid, unsigned host)
{
	fake_session(sid, host);
	fake_session_put(sid, host, "target_id", "0");
	make_scan_file(host);
}

static void scan(unsigned sid, unsigned host, uint64_t timeout_usec)
{
	struct devices_scan *s = NULL;

	assert_int_equal(devices_scan(devices, sid, host, NULL, timeout_usec, on_done, &told, &s),
			 0);
	assert_non_null(s);
	assert_int_equal(told.n, 0);
}

static void nothing_to_wait_for(void **state)
{
	make_session(1, 3);
	fake_block(fake_lun(1, 3, "3:0:0:0", "0"), "sda", "8:0");
	fake_lun(1, 3, "3:0:0:1", "31");
	scan(1, 3, 20 * SECOND);
	run_until(&told, 1);
	assert_int_equal(told.error, 0);
	assert_int_equal(told.n_luns, 2);
	assert_string_equal(told.luns[0].block, "sda");
	assert_int_equal(sd_event_run(event, 0), 0);
}

static void no_devices(void **state)
{
	make_session(1, 3);
	scan(1, 3, 20 * SECOND);
	run_until(&told, 1);
	assert_int_equal(told.error, 0);
	assert_int_equal(told.n_luns, 0);
}

static void driver_does_not_come(void **state)
{
	make_session(1, 3);
	fake_block(fake_lun(1, 3, "3:0:0:0", "0"), "sda", "8:0");
	fake_lun(1, 3, "3:0:0:1", "0");
	scan(1, 3, SECOND / 20);
	run_until(&told, 1);
	assert_int_equal(told.error, -ETIMEDOUT);
	assert_int_equal(told.n_luns, 2);
	assert_true(told.luns[0].bound);
	assert_false(told.luns[1].bound);
}

static void session_is_gone(void **state)
{
	scan(1, 3, 20 * SECOND);
	run_until(&told, 1);
	assert_int_equal(told.error, -ENOENT);
	assert_int_equal(told.n_luns, 0);
}

/* A scan file that is a FIFO nobody reads hangs like a target that does not answer. */
static void scan_hangs(void **state)
{
	struct told other = { 0 };
	struct devices_scan *s;

	make_session(1, 3);
	make_session(2, 4);
	fake_delete("class/scsi_host/host3/scan");
	assert_int_equal(mkfifo(fake_path("class/scsi_host/host3/scan"), 0600), 0);
	scan(1, 3, SECOND / 20);
	run_until(&told, 1);
	assert_int_equal(told.error, -ETIMEDOUT);
	assert_int_equal(told.n_luns, 0);
	/* Neither lists nor other scans wait for it. */
	assert_int_equal(devices_list(devices, 1, 3, false, on_done, &other, &s), 0);
	run_until(&other, 1);
	assert_int_equal(devices_scan(devices, 2, 4, NULL, 20 * SECOND, on_done, &other, &s), 0);
	run_until(&other, 2);
	assert_int_equal(other.error, 0);
	/* Nor does the end. */
	devices = devices_free(devices);
	assert_int_equal(told.n, 1);
}

static void cancelled(void **state)
{
	struct told never = { 0 };

	make_session(1, 3);
	for (unsigned i = 0; i < 20; i++) {
		struct devices_scan *s = NULL;

		assert_int_equal(devices_scan(devices, 1, 3, NULL, SECOND, on_done, &never, &s), 0);
		/* Some have not begun, some are under way, some have ended but not been told. */
		for (unsigned j = 0; j < i; j++)
			if (never.n == 0)
				(void)sd_event_run(event, 0);
		if (never.n == 0)
			s = devices_scan_cancel(s);
		else
			never.n = 0;
	}
	assert_null(devices_scan_cancel(NULL));
	scan(1, 3, 20 * SECOND);
	run_until(&told, 1);
	assert_int_equal(told.error, 0);
	assert_int_equal(never.n, 0);
}

static void cancelled_while_waiting(void **state)
{
	struct told never = { 0 };
	struct devices_scan *s = NULL;

	make_session(1, 3);
	make_session(2, 4);
	fake_lun(1, 3, "3:0:0:1", "0");
	assert_int_equal(devices_scan(devices, 1, 3, NULL, 50 * SECOND, on_done, &never, &s), 0);
	/* When the second one, with one thread after the other, has been told, the first one waits.
	 */
	scan(2, 4, 20 * SECOND);
	run_until(&told, 1);
	s = devices_scan_cancel(s);
	assert_null(s);
	while (sd_event_run(event, 0) > 0)
		;
	assert_int_equal(never.n, 0);
}

static void ended_by_free(void **state)
{
	struct told each[10] = { 0 };
	struct devices_scan *s;

	make_session(1, 3);
	fake_lun(1, 3, "3:0:0:1", "0");
	for (unsigned i = 0; i < ELEMENTSOF(each); i++)
		assert_int_equal(i % 2 == 0
					 ? devices_scan(devices, 1, 3, NULL, 50 * SECOND, on_done,
							&each[i], &s)
					 : devices_list(devices, 1, 3, true, on_done, &each[i], &s),
				 0);
	scan(1, 3, SECOND / 20);
	run_until(&told, 1);
	devices = devices_free(devices);
	for (unsigned i = 0; i < ELEMENTSOF(each); i++) {
		assert_int_equal(each[i].n, 1);
		if (i % 2 == 0)
			assert_int_equal(each[i].error, -ECANCELED);
	}
}

static void lists(void **state)
{
	struct devices_scan *s = NULL;
	const char *directory;
	char path[512];

	assert_int_equal(devices_list(devices, 1, 3, false, on_done, &told, &s), 0);
	run_until(&told, 1);
	assert_int_equal(told.error, -ENOENT);

	make_session(1, 3);
	/* A list waits for nothing. */
	fake_lun(1, 3, "3:0:0:1", "0");
	directory = fake_lun(1, 3, "3:0:0:0", "0");
	fake_block(directory, "sda", "8:0");
	(void)snprintf(path, sizeof(path), "%s/block/sda/holders/dm-0", directory);
	fake_directory(path);
	assert_int_equal(devices_list(devices, 1, 3, false, on_done, &told, &s), 0);
	run_until(&told, 2);
	assert_int_equal(told.error, 0);
	assert_int_equal(told.n_luns, 2);
	assert_string_equal(told.luns[0].use, "");
	assert_int_equal(devices_list(devices, 1, 3, true, on_done, &told, &s), 0);
	run_until(&told, 3);
	assert_int_equal(told.n_luns, 2);
	assert_string_equal(told.luns[0].use, "sda is used by dm-0");
	assert_string_equal(told.luns[1].use, "");
}

static void many_at_once(void **state)
{
	static struct told each[600];
	struct devices_scan *s;
	uint64_t lun = 7;

	memset(each, 0, sizeof(each));
	for (unsigned i = 0; i < ELEMENTSOF(each); i++) {
		make_session(i, i);
		assert_int_equal(devices_scan(devices, i, i, i % 3 == 0 ? &lun : NULL, 50 * SECOND,
					      on_done, &each[i], &s),
				 0);
	}
	for (unsigned i = 0; i < ELEMENTSOF(each); i++)
		run_until(&each[i], 1);
	for (unsigned i = 0; i < ELEMENTSOF(each); i++) {
		assert_int_equal(each[i].n, 1);
		assert_int_equal(each[i].error, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_to_wait_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_devices, set_up, tear_down),
		cmocka_unit_test_setup_teardown(driver_does_not_come, set_up, tear_down),
		cmocka_unit_test_setup_teardown(session_is_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(scan_hangs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cancelled, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cancelled_while_waiting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ended_by_free, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lists, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_at_once, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
