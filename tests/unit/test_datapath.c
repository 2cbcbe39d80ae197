// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is made of what the kernel shows of the data path: connection errors with and without a line
 * of the log, error handling, commands that time out. The kernel is fake_kernel.h.
 */
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "connection_error.h"
#include "fake_kernel.h"
#include "session_private.h"
#include "turn.h"

static struct {
	char none[96], name[96];
	struct manager_paths paths;
	sd_event *event;
	struct manager *manager;
	struct node node;
	unsigned events[2048];
	/* Of the last event of each number. */
	char reasons[128][KERNEL_LOG_TEXT_MAX], outcomes[128][16], cdbs[128][64];
	uint64_t statuses[128], counts[128];
} t;

static void keep_text(char *ret, size_t size, const struct event *event, enum event_field field)
{
	(void)snprintf(ret, size, "%s", event_get(event, field) ?: "");
}

static uint64_t number_of(const struct event *event, enum event_field field)
{
	return event_get(event, field) ? strtoull(event_get(event, field), NULL, 10) : 0;
}

static void on_event(const struct eventlog_entry *entry, void *userdata)
{
	unsigned number = event_type(entry->event)->number;

	assert_true(number < ELEMENTSOF(t.events));
	t.events[number]++;
	if (number >= ELEMENTSOF(t.reasons))
		return;
	keep_text(t.reasons[number], sizeof(t.reasons[0]), entry->event, FIELD_REASON);
	keep_text(t.outcomes[number], sizeof(t.outcomes[0]), entry->event, FIELD_OUTCOME);
	keep_text(t.cdbs[number], sizeof(t.cdbs[0]), entry->event, FIELD_DUMP_CDB);
	t.statuses[number] = number_of(entry->event, FIELD_STATUS);
	t.counts[number] = number_of(entry->event, FIELD_COUNT);
}

static struct session *session_now(void)
{
	return t.manager->sessions;
}

static void turn(void)
{
	assert_true(sd_event_run(t.event, 3000) >= 0);
	for (struct session *s = session_now(); s; s = s->next)
		if (s->private->timer)
			(void)sd_event_source_set_time_relative(s->private->timer, 0);
}

/* Turns the loop until events of a number have come. */
static void await(enum event_number number, unsigned count)
{
	uint64_t until = turn_usec(CLOCK_MONOTONIC) + 20 * SECOND_USEC;

	while (t.events[number] < count) {
		turn();
		assert_true(turn_usec(CLOCK_MONOTONIC) < until);
	}
}

static int set_up(void **state)
{
	static struct eventlog_subscription *subscription;
	struct session *session;
	FILE *file;

	alarm(120);
	memset(&t, 0, sizeof(t));
	fake_begin();
	fake_put("class/iscsi_transport/tcp/handle", "4711");
	fake_put("class/iscsi_transport/tcp/caps", "0x39");
	(void)snprintf(t.none, sizeof(t.none), "%s/none", fake_root);
	(void)snprintf(t.name, sizeof(t.name), "%s/name", fake_root);
	file = fopen(t.name, "w");
	assert_non_null(file);
	(void)fputs("InitiatorName=iqn.2026-11.org.example:us\n", file);
	(void)fclose(file);
	t.paths = (struct manager_paths){ t.none, t.name, fake_root, t.none, t.none, fake_root };
	t.node = (struct node){
		.key = { .target_name = (char *)"iqn.2026-11.org.example:disk",
			 .address = (char *)"127.0.0.1" },
		.portal_group_tag = -1,
	};
	assert_int_equal(settings_new(SETTINGS_NODE, &t.node.settings), 0);
	assert_true(sd_event_new(&t.event) >= 0);
	fake_world_begin(t.event);
	t.node.key.port = world.port;
	assert_int_equal(manager_new(t.event, &t.paths, &t.manager), 0);
	assert_int_equal(eventlog_subscribe(t.manager->log, on_event, NULL, &subscription), 0);
	transport_find("tcp")->loaded = false;
	assert_int_equal(manager_open_kernel(t.manager), 0);
	t.manager->state = MANAGER_RUNNING;
	assert_int_equal(manager_login(t.manager, &t.node, 2, NULL, &session), 0);
	await(EVENT_SESSION_ESTABLISHED, 1);
	return 0;
}

static int tear_down(void **state)
{
	fake_release();
	t.manager = manager_free(t.manager);
	fake_world_end();
	t.event = sd_event_unref(t.event);
	t.node.settings = settings_free(t.node.settings);
	fake_end();
	alarm(0);
	return 0;
}

/* Connection errors */

static void fail_connection(unsigned code)
{
	unsigned lost = t.events[EVENT_CONNECTION_LOST];

	fake_connection_error(session_now()->sid, code);
	await(EVENT_CONNECTION_LOST, lost + 1);
}

static void come_back(void)
{
	await(EVENT_RECONNECTED, session_now()->reconnects + 1);
}

/* What a kernel may say next, whatever it is. The fake one refuses a bind before a stop. */
static void recovers(void **state)
{
	for (unsigned code = 999; code <= KERNEL_ERROR_NOOP_TIMEOUT + 1; code++) {
		const struct connection_error *row = connection_error_get(code);
		unsigned before = row ? t.events[row->event] : 0;

		if (code == KERNEL_ERROR_INVALID_HOST)
			continue;
		fail_connection(code);
		if (row && row->event)
			assert_int_equal(t.events[row->event], before + 1);
		assert_int_equal(t.statuses[EVENT_CONNECTION_LOST], code);
		assert_string_equal(t.outcomes[EVENT_CONNECTION_LOST], "retrying");
		come_back();
	}
}

static void leaves_with_the_host(void **state)
{
	fail_connection(KERNEL_ERROR_INVALID_HOST);
	assert_string_equal(t.outcomes[EVENT_CONNECTION_LOST], "failed");
	await(EVENT_SESSION_CLOSED, 1);
	while (session_now())
		turn();
	assert_int_equal(t.events[EVENT_RECONNECTED], 0);
	assert_int_equal(world.logins, 1);
}

static void say(const char *text)
{
	struct kernel_log_line line;
	char record[512];

	(void)snprintf(record, sizeof(record), "3,1,1,-; connection%u:0: %s\n", session_now()->sid,
		       text);
	assert_int_equal(kernel_log_parse(record, strlen(record), &line), 0);
	world.log->said(world.log->userdata, &line);
}

/* A line counts for the next error, and only if that is its own. */
static void explains_errors(void **state)
{
	say("invalid R2T with zero data len");
	assert_int_equal(t.events[EVENT_R2T_INVALID], 0);
	fail_connection(KERNEL_ERROR_DATA_LENGTH);
	assert_int_equal(t.events[EVENT_R2T_INVALID], 1);
	assert_int_equal(t.events[EVENT_PDU_INVALID], 0);
	assert_string_equal(t.reasons[EVENT_R2T_INVALID], "invalid R2T with zero data len");
	come_back();
	fail_connection(KERNEL_ERROR_DATA_LENGTH);
	assert_int_equal(t.events[EVENT_R2T_INVALID], 1);
	assert_int_equal(t.events[EVENT_PDU_INVALID], 1);
	assert_string_equal(t.reasons[EVENT_PDU_INVALID], "");
	come_back();
	say("iscsi_tcp: datalen 9 > 8");
	fail_connection(KERNEL_ERROR_CLOSED);
	come_back();
	fail_connection(KERNEL_ERROR_DATA_LENGTH);
	assert_int_equal(t.events[EVENT_DATA_SEGMENT_TOO_LONG], 0);
	assert_int_equal(t.events[EVENT_PDU_INVALID], 2);
	come_back();
}

static void tells_faults(void **state)
{
	say("pdu (op 0x1 itt 0x2) rejected. Reason code 0x4");
	assert_int_equal(t.events[EVENT_PDU_REJECTED], 1);
	assert_int_equal(t.statuses[EVENT_PDU_REJECTED], 4);
	say("Got CHECK_CONDITION but invalid data buffer size of 1");
	assert_int_equal(t.events[EVENT_DATA_IN_SCSI_RESPONSE], 1);
	assert_string_equal(t.outcomes[EVENT_DATA_IN_SCSI_RESPONSE], "continued");
	assert_int_equal(t.events[EVENT_CONNECTION_LOST], 0);
}

/* Error handling */

static void handle(const char *text)
{
	world.tracepoints->callbacks->error_handling(world.tracepoints->userdata,
						     session_now()->sid, text);
}

static void tells_what_is_not_answered(void **state)
{
	world.traces = true;
	handle("iscsi_eh_abort aborting sc 0000000060869aed");
	handle("iscsi_eh_abort aborting [sc 0000000060869aed itt 0x43]");
	handle("iscsi_exec_task_mgmt_fn tmf set timeout");
	handle("iscsi_tmf_timedout tmf timedout");
	assert_int_equal(t.events[EVENT_TASK_MANAGEMENT_TIMEOUT], 1);
	assert_int_equal(t.events[EVENT_REQUEST_TIMEOUT], 1);
	assert_string_equal(t.reasons[EVENT_TASK_MANAGEMENT_TIMEOUT], "abort of a command");
	fail_connection(KERNEL_ERROR_SCSI_RESET);
	assert_int_equal(t.events[EVENT_TASK_MANAGEMENT_TIMEOUT], 1);
	/* What follows is not sent any more. */
	handle("iscsi_eh_device_reset LU Reset [sc 0000000060869aed lun 1]");
	handle("iscsi_eh_device_reset dev reset result = FAILED");
	handle("iscsi_eh_target_reset tgt Reset [sc 0000000060869aed tgt iqn.x]");
	handle("iscsi_eh_target_reset tgt iqn.x reset result = FAILED");
	assert_int_equal(t.events[EVENT_TARGET_RESET] + t.events[EVENT_RESET_FAILED], 0);
	come_back();
	/* One that nothing explains. */
	fail_connection(KERNEL_ERROR_SCSI_RESET);
	assert_int_equal(t.events[EVENT_TASK_MANAGEMENT_TIMEOUT], 2);
	assert_int_equal(t.statuses[EVENT_TASK_MANAGEMENT_TIMEOUT], KERNEL_ERROR_SCSI_RESET);
	come_back();
}

static void tells_resets(void **state)
{
	handle("iscsi_eh_device_reset LU Reset [sc 0000000060869aed lun 18446744073709551615]");
	assert_int_equal(t.events[EVENT_TARGET_RESET], 0);
	handle("iscsi_exec_task_mgmt_fn tmf set timeout");
	assert_int_equal(t.events[EVENT_TARGET_RESET], 1);
	assert_string_equal(t.reasons[EVENT_TARGET_RESET],
			    "reset of logical unit 18446744073709551615");
	handle("iscsi_eh_device_reset dev reset result = SUCCESS");
	assert_int_equal(t.events[EVENT_RESET_FAILED], 0);
	handle("iscsi_eh_target_reset tgt Reset [sc 0000000060869aed tgt iqn.x = FAILED]");
	handle("iscsi_exec_task_mgmt_fn tmf set timeout");
	assert_string_equal(t.reasons[EVENT_TARGET_RESET], "reset of the target");
	handle("iscsi_eh_target_reset tgt iqn.x = FAILED reset result = FAILED");
	assert_int_equal(t.events[EVENT_RESET_FAILED], 1);
	assert_string_equal(t.reasons[EVENT_RESET_FAILED], "reset of the target");
	/* Words nobody knows. */
	handle("");
	handle("iscsi_eh_new_thing");
	handle("iscsi_eh_new_thing ");
	handle("iscsi_eh_new_thing has happened");
	fail_connection(KERNEL_ERROR_SCSI_RESET);
	assert_int_equal(t.events[EVENT_TASK_MANAGEMENT_TIMEOUT], 0);
	come_back();
}

/* Commands that time out */

static void time_out_of(uint32_t host, uint32_t target, uint8_t opcode)
{
	const struct tracepoint_timeout timeout = {
		.host = host, .target = target, .lun = 1, .cdb = { opcode }, .cdb_length = 6
	};

	world.tracepoints->callbacks->timed_out(world.tracepoints->userdata, &timeout);
}

static void time_out(uint32_t host, uint8_t opcode)
{
	time_out_of(host, 0, opcode);
}

static void tells_timeouts(void **state)
{
	uint32_t host = session_now()->host;

	world.traces = true;
	time_out(host + 1, 0x2a);
	assert_int_equal(t.events[EVENT_SCSI_TIMEOUT], 0);
	time_out(host, 0x28);
	assert_int_equal(t.events[EVENT_SCSI_TIMEOUT], 1);
	assert_int_equal(t.counts[EVENT_SCSI_TIMEOUT], 1);
	assert_string_equal(t.cdbs[EVENT_SCSI_TIMEOUT], "280000000000");
	/* For the moment, and when the session is freed meanwhile. */
	for (unsigned i = 0; i < 100; i++)
		time_out(host, 0x2a);
	assert_int_equal(t.events[EVENT_SCSI_TIMEOUT], 1);
	session_now()->managed = false;
	time_out(host, 0x28);
	session_now()->managed = true;
}

/* As on a port of an adapter. */
static void shares_its_host(void **state)
{
	struct sysfs_lun lun = { .target = 1 };
	struct session other = { .in_kernel = true, .luns = &lun };

	world.traces = true;
	other.host = session_now()->host;
	for (unsigned i = 0; i < 2; i++) {
		struct session **at = i == 0 ? &t.manager->sessions : &t.manager->sessions->next;

		other.next = *at;
		*at = &other;
		time_out_of(other.host, 1, 0x28);
		assert_int_equal(t.events[EVENT_SCSI_TIMEOUT], i);
		other.n_luns = 1;
		time_out_of(other.host, 1, 0x28);
		assert_int_equal(t.events[EVENT_SCSI_TIMEOUT], i);
		time_out_of(other.host, 0, 0x28);
		assert_int_equal(t.events[EVENT_SCSI_TIMEOUT], 1);
		*at = other.next;
	}
}

static void put_timeouts(const char *count)
{
	fake_put("class/scsi_device/0:0:0:1/device/iotmo_cnt", count);
}

static void counts_timeouts(void **state)
{
	/* The fake scan finds a disk of host 0. */
	assert_int_equal(session_now()->n_luns, 1);
	session_count_timeouts(session_now());
	put_timeouts("0x0");
	session_count_timeouts(session_now());
	assert_int_equal(t.events[EVENT_SCSI_TIMEOUT], 0);
	put_timeouts("0x2");
	fail_connection(KERNEL_ERROR_CLOSED);
	assert_int_equal(t.events[EVENT_SCSI_TIMEOUT], 0);
	come_back();
	fail_connection(KERNEL_ERROR_SCSI_RESET);
	assert_int_equal(t.events[EVENT_SCSI_TIMEOUT], 1);
	assert_int_equal(t.counts[EVENT_SCSI_TIMEOUT], 2);
	assert_string_equal(t.cdbs[EVENT_SCSI_TIMEOUT], "");
	come_back();
	session_count_timeouts(session_now());
	assert_int_equal(t.events[EVENT_SCSI_TIMEOUT], 1);
	/* Another disk. */
	put_timeouts("0x1");
	session_count_timeouts(session_now());
	assert_int_equal(t.events[EVENT_SCSI_TIMEOUT], 2);
	assert_int_equal(t.counts[EVENT_SCSI_TIMEOUT], 1);
	/* Trace events tell of them. */
	world.traces = true;
	put_timeouts("0x5");
	session_count_timeouts(session_now());
	assert_int_equal(t.events[EVENT_SCSI_TIMEOUT], 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(recovers),
		TEST(leaves_with_the_host),
		TEST(explains_errors),
		TEST(tells_faults),
		TEST(tells_what_is_not_answered),
		TEST(tells_resets),
		TEST(tells_timeouts),
		TEST(counts_timeouts),
		TEST(shares_its_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
