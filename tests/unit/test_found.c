// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a daemon that starts makes of what it finds in the kernel, in the world of fake_kernel.h:
 * each state in which another one can have been killed, of its sessions and of those of others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>

#include "fake_kernel.h"
#include "leftover.h"
#include "session_private.h"
#include "turn.h"

#define TARGET "iqn.2026-11.org.example:disk"
#define SID    7

enum outcome {
	LEFT_ALONE,   /* adopted, and nothing is asked of the kernel */
	LISTED,       /* another program's */
	PASSED_OVER,  /* another program is making it */
	UNDONE,       /* or finished, where it was being removed */
	REPAIRED,     /* a new connection for the same session */
	LOGIN_ENDED,  /* goes on to a session that is established */
	LOGOUT_ENDED, /* goes on to the end of the session */
};

static const struct row {
	const char *what;
	const char *label;      /* NULL: "ois" */
	bool nameless, unknown; /* no node has it */
	const char *connection; /* NULL: there is none */
	const char *target;
	const char *state;
	unsigned creator; /* 0: of a program that is gone */
	bool unscanned;   /* the node's setting */
	enum outcome outcome;
} rows[] = {
	{ .what = "runs", .connection = "up", .target = "SCANNED", .outcome = LEFT_ALONE },
	{ .what = "runs, old kernel", .connection = "up", .outcome = LEFT_ALONE },
	{ .what = "has just been started again",
	  .connection = "up",
	  .target = "SCANNED",
	  .state = "FAILED",
	  .outcome = LEFT_ALONE },
	{ .what = "is not to be scanned",
	  .connection = "up",
	  .target = "ALLOCATED",
	  .unscanned = true,
	  .outcome = LEFT_ALONE },
	{ .what = "runs, of another program",
	  .label = "default",
	  .connection = "up",
	  .target = "SCANNED",
	  .outcome = LISTED },
	{ .what = "failed, of another program",
	  .label = "default",
	  .connection = "failed",
	  .target = "SCANNED",
	  .state = "FAILED",
	  .outcome = LISTED },
	{ .what = "is being made by another program",
	  .nameless = true,
	  .target = "ALLOCATED",
	  .state = "FREE",
	  .creator = 77,
	  .outcome = PASSED_OVER },
	{ .what = "is being logged in to by another program",
	  .label = "default",
	  .connection = "bound",
	  .target = "ALLOCATED",
	  .state = "FREE",
	  .creator = 77,
	  .outcome = LISTED },
	{ .what = "has no connection", .nameless = true, .state = "FREE", .outcome = UNDONE },
	{ .what = "was made with our number by another one",
	  .nameless = true,
	  .connection = "down",
	  .state = "FREE",
	  .creator = FAKE_PORT,
	  .outcome = UNDONE },
	{ .what = "is bound without a name",
	  .nameless = true,
	  .connection = "bound",
	  .target = "ALLOCATED",
	  .state = "FREE",
	  .outcome = UNDONE },
	{ .what = "has its parameters",
	  .connection = "bound",
	  .target = "ALLOCATED",
	  .state = "FREE",
	  .outcome = UNDONE },
	{ .what = "has its parameters, without a node",
	  .unknown = true,
	  .connection = "bound",
	  .target = "ALLOCATED",
	  .state = "FREE",
	  .outcome = UNDONE },
	{ .what = "failed before it was scanned",
	  .connection = "failed",
	  .target = "ALLOCATED",
	  .state = "FAILED",
	  .outcome = UNDONE },
	{ .what = "failed, not to be scanned",
	  .connection = "failed",
	  .target = "ALLOCATED",
	  .state = "FAILED",
	  .unscanned = true,
	  .outcome = REPAIRED },
	{ .what = "was started",
	  .connection = "up",
	  .target = "ALLOCATED",
	  .state = "FREE",
	  .outcome = LOGIN_ENDED },
	{ .what = "was about to be scanned",
	  .connection = "up",
	  .target = "ALLOCATED",
	  .outcome = LOGIN_ENDED },
	{ .what = "lost its connection",
	  .connection = "failed",
	  .target = "SCANNED",
	  .state = "FAILED",
	  .outcome = REPAIRED },
	{ .what = "was given up by the kernel",
	  .connection = "failed",
	  .target = "SCANNED",
	  .state = "FREE",
	  .outcome = REPAIRED },
	{ .what = "was being logged in to again",
	  .connection = "bound",
	  .target = "SCANNED",
	  .state = "FAILED",
	  .outcome = REPAIRED },
	{ .what = "removes its devices",
	  .connection = "up",
	  .target = "UNBINDING",
	  .outcome = LOGOUT_ENDED },
	{ .what = "has no devices any more",
	  .connection = "up",
	  .target = "UNBOUND",
	  .outcome = LOGOUT_ENDED },
	{ .what = "was logged out",
	  .connection = "failed",
	  .target = "UNBOUND",
	  .state = "FAILED",
	  .outcome = UNDONE },
	{ .what = "was stopped", .connection = "down", .target = "UNBOUND", .outcome = UNDONE },
	{ .what = "lost its connection to the end", .target = "UNBOUND", .outcome = UNDONE },
};

static struct trial {
	char directory[96], initiator_name[96], none[96];
	struct manager_paths paths;
	sd_event *event;
	struct manager *manager;
	unsigned events[2048];
} t;

#define check(row, condition)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("%s: %s", (row)->what, #condition);                               \
	} while (0)

static void on_event(const struct eventlog_entry *entry, void *userdata)
{
	t.events[event_type(entry->event)->number]++;
}

static int set_up(void **state)
{
	FILE *file;

	alarm(120);
	fake_begin();
	fake_put("class/iscsi_transport/tcp/handle", "4711");
	fake_put("class/iscsi_transport/tcp/caps", "0x39");
	(void)snprintf(t.directory, sizeof(t.directory), "%s/records", fake_root);
	(void)snprintf(t.none, sizeof(t.none), "%s/none", fake_root);
	(void)snprintf(t.initiator_name, sizeof(t.initiator_name), "%s/name", fake_root);
	file = fopen(t.initiator_name, "w");
	assert_non_null(file);
	(void)fputs("InitiatorName=iqn.2026-11.org.example:us\n", file);
	(void)fclose(file);
	t.paths = (struct manager_paths){
		.configuration = t.none,
		.initiator_name = t.initiator_name,
		.records = t.directory,
		.socket = t.none,
		.journal = t.none,
		.sysfs = fake_root,
	};
	return 0;
}

static int tear_down(void **state)
{
	fake_end();
	alarm(0);
	return 0;
}

static void add_node(const struct row *row)
{
	struct node_key key = {
		.target_name = (char *)TARGET,
		.address = (char *)"127.0.0.1",
		.port = world.port,
	};
	struct node *node;

	check(row, records_create(t.manager->records, &key, -1, &node) == 0);
	check(row,
	      settings_set_text(node->settings, "scan", row->unscanned ? "no" : "yes", NULL) == 0);
	check(row, settings_set_text(node->settings, "keys.defaultTime2Wait", "0", NULL) == 0);
}

static void put_connection(const char *name, const char *content)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "class/iscsi_connection/connection%u:0/%s", SID, name);
	fake_put(path, content);
}

static void put_session(const struct row *row)
{
	char port[16], creator[16];

	(void)snprintf(port, sizeof(port), "%u", world.port);
	(void)snprintf(creator, sizeof(creator), "%u", row->creator ? row->creator : 4711);
	fake_session(SID, SID);
	fake_session_put(SID, SID, "targetname", row->nameless ? "(null)" : TARGET);
	fake_session_put(SID, SID, "ifacename", row->nameless ? "(null)" : row->label ?: "ois");
	fake_session_put(SID, SID, "state", row->state ?: "LOGGED_IN");
	fake_session_put(SID, SID, "creator", creator);
	if (row->target)
		fake_session_put(SID, SID, "target_state", row->target);
	fake_put("class/scsi_host/host7/proc_name", "iscsi_tcp");
	world.sessions[SID].exists = true;
	world.n_sids = SID;
	if (!row->connection)
		return;
	put_connection("state", row->connection);
	put_connection("persistent_address", row->nameless ? "(null)" : "127.0.0.1");
	put_connection("persistent_port", port);
	world.sessions[SID].connection = true;
	world.sessions[SID].started = strcmp(row->connection, "up") == 0;
	world.sessions[SID].bound =
		world.sessions[SID].started || strcmp(row->connection, "bound") == 0;
	if (world.sessions[SID].bound)
		world.sessions[SID].fd = fcntl(world.listener, F_DUPFD_CLOEXEC, 0);
}

static void begin(const struct row *row)
{
	static struct eventlog_subscription *subscription;

	memset(t.events, 0, sizeof(t.events));
	assert_true(sd_event_new(&t.event) >= 0);
	fake_world_begin(t.event);
	assert_int_equal(manager_new(t.event, &t.paths, &t.manager), 0);
	assert_int_equal(eventlog_subscribe(t.manager->log, on_event, NULL, &subscription), 0);
	assert_int_equal(manager_open_kernel(t.manager), 0);
	t.manager->sysfs.proc = fake_proc;
	if (!row->unknown)
		add_node(row);
	put_session(row);
	fake_put("proc/net/netlink", "sk               Eth Pid        Groups   Rmem     Wmem     "
				     "Dump  Locks    Drops    Inode\n"
				     "0000000000000000 8   77         00000000 0        0        0 "
				     "    2        0        1\n"
				     "0000000000000000 0   4711       00000000 0        0        0 "
				     "    2        0        2");
}

static void end(void)
{
	fake_release();
	t.manager->state = MANAGER_STOPPING;
	t.manager = manager_free(t.manager);
	fake_world_end();
	t.event = sd_event_unref(t.event);
}

/* Until nothing is under way any more. */
static void settle(const struct row *row)
{
	uint64_t until = turn_usec(CLOCK_MONOTONIC) + 10 * SECOND_USEC;

	for (;;) {
		int r = sd_event_run(t.event, 50000);
		const struct session *session = t.manager->sessions;

		assert_true(r >= 0);
		check(row, !session || session->private->unexpected == 0);
		check(row, turn_usec(CLOCK_MONOTONIC) < until);
		if (r == 0 && !t.manager->leftovers &&
		    (!session || !session->managed || session->phase == SESSION_LOGGED_IN))
			return;
	}
}

static void judge(const struct row *row)
{
	const struct session *session = t.manager->sessions;
	bool there = row->outcome == LEFT_ALONE || row->outcome == LISTED ||
		     row->outcome == REPAIRED || row->outcome == LOGIN_ENDED;
	unsigned logouts = world.logouts[PDU_LOGOUT_CLOSE_SESSION];

	check(row, (session != NULL) == there);
	check(row, world.sessions[SID].exists == (there || row->outcome == PASSED_OVER));
	check(row, !session || session->managed == (row->outcome != LISTED));
	check(row, world.n_sids == SID);
	check(row, world.logins == (row->outcome == REPAIRED));
	check(row, t.events[EVENT_LEFTOVER_REMOVED] == (row->outcome == UNDONE));
	check(row, t.events[EVENT_CONNECTION_LOST] == (row->outcome == REPAIRED));
	check(row, t.events[EVENT_RECONNECTED] == (row->outcome == REPAIRED));
	check(row, t.events[EVENT_SESSION_ESTABLISHED] == (row->outcome == LOGIN_ENDED));
	check(row, t.events[EVENT_SESSION_CLOSED] == (row->outcome == LOGOUT_ENDED));
	check(row, logouts == (row->outcome == LOGOUT_ENDED));
}

static void finds_everything(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		begin(&rows[i]);
		check(&rows[i], session_find_all(t.manager) == 0);
		settle(&rows[i]);
		judge(&rows[i]);
		end();
		tear_down(NULL);
		set_up(NULL);
	}
}

/*
 * Nobody heard that it was lost, and the kernel calls it up for a moment more. It is not asked: the
 * daemon may end before the answer comes, which would lose it.
 */
static void looks_again_at_what_runs(void **state)
{
	static const struct row row = {
		.what = "runs, for a moment",
		.connection = "up",
		.target = "SCANNED",
		.outcome = REPAIRED,
	};

	for (int lost = 0; lost <= 1; lost++) {
		begin(&row);
		check(&row, session_find_all(t.manager) == 0);
		settle(&row);
		check(&row, t.manager->sessions && t.manager->sessions->private->ping);
		if (lost)
			put_connection("state", "failed");
		while (t.manager->sessions->private->ping)
			assert_true(sd_event_run(t.event, UINT64_MAX) >= 0);
		check(&row, world.pings == 0);
		check(&row, t.events[EVENT_CONNECTION_LOST] == (unsigned)lost);
		end();
		tear_down(NULL);
		set_up(NULL);
	}
}

/* What the kernel refuses is said, and does not hold the daemon up. */
static void tells_what_is_not_removed(void **state)
{
	static const struct row row = { .what = "refused", .connection = "down" };

	begin(&row);
	world.refused_operation = KERNEL_DESTROY_SESSION;
	world.refusal = -EBUSY;
	check(&row, session_find_all(t.manager) == 0);
	settle(&row);
	check(&row, t.events[EVENT_LEFTOVER_REMOVED] == 1 && world.sessions[SID].exists);

	/* Told again while it is being removed, it is removed once. */
	world.refused_operation = -1;
	check(&row, session_find_all(t.manager) == 0);
	check(&row, session_find_all(t.manager) == 0);
	settle(&row);
	check(&row, t.events[EVENT_LEFTOVER_REMOVED] == 2 && !world.sessions[SID].exists);
	end();
}

/* The kernel said that it is gone, and nobody heard it. */
static void looks_for_what_it_did_not_hear(void **state)
{
	static const struct row row = { .what = "unheard", .connection = "down" };

	begin(&row);
	world.lost_destroyed = true;
	world.held_operation = KERNEL_DESTROY_SESSION;
	world.held_done = true;
	check(&row, session_find_all(t.manager) == 0);
	while (world.sessions[SID].exists)
		assert_true(sd_event_run(t.event, 50000) >= 0);
	world.kernel->callbacks->overrun(world.kernel->userdata);
	check(&row, t.events[EVENT_LEFTOVER_REMOVED] == 0);
	fake_release();
	settle(&row);
	check(&row, t.events[EVENT_LEFTOVER_REMOVED] == 1);
	end();
}

static void tells_what_it_cannot_ask_for(void **state)
{
	static const struct row row = { .what = "not asked for", .connection = "down" };

	begin(&row);
	world.submit_error = -ENOMEM;
	check(&row, session_find_all(t.manager) == 0);
	check(&row, t.events[EVENT_LEFTOVER_REMOVED] == 1 && !t.manager->leftovers);
	end();
}

/* A session that a worker has just made is about to be told. */
static void knows_its_own(void **state)
{
	static const struct row row = {
		.what = "own",
		.nameless = true,
		.state = "FREE",
		.creator = FAKE_PORT,
	};

	begin(&row);
	t.manager->state = MANAGER_RUNNING;
	check(&row, session_find_all(t.manager) == 0);
	settle(&row);
	check(&row, world.sessions[SID].exists && !t.manager->sessions);
	end();
}

static void changed(void *userdata, struct session *session, enum session_phase phase,
		    const struct session_failure *failure)
{
	*(enum session_phase *)userdata = phase;
}

/* A look at what others do with it must not undo what a person has begun. */
static void is_lost_and_logged_out(void **state)
{
	static const struct row row = {
		.what = "lost and logged out",
		.label = "default",
		.connection = "up",
		.target = "SCANNED",
	};
	enum session_phase phase = SESSION_LOGGED_IN;
	const struct session_watch watch = { changed, &phase };
	struct session *session;

	begin(&row);
	check(&row, session_find_all(t.manager) == 0);
	session = t.manager->sessions;
	check(&row, session && !session->managed);
	world.lost_logout = true;
	fake_connection_error(SID, KERNEL_ERROR_CLOSED);
	while (!t.manager->look)
		assert_true(sd_event_run(t.event, UINT64_MAX) >= 0);
	check(&row, session_logout(session, SESSION_LOGOUT_FORCE, &watch) == 0);
	while (t.manager->look || phase != SESSION_LOGGING_OUT)
		assert_true(sd_event_run(t.event, UINT64_MAX) >= 0);
	/* The target does not answer. */
	(void)sd_event_source_set_time_relative(session->private->timer, 0);
	while (t.manager->sessions)
		assert_true(sd_event_run(t.event, UINT64_MAX) >= 0);
	check(&row, phase == SESSION_CLOSED && !world.sessions[SID].exists);
	end();
}

static uint64_t usec_to_look(void)
{
	uint64_t due;

	assert_true(sd_event_source_get_time(t.manager->look, &due) >= 0);
	return due - turn_usec(CLOCK_MONOTONIC);
}

/* One that has been looked at for long is looked at more seldom; another one does not wait for it.
 */
static void looks_soon_at_a_new_one(void **state)
{
	static const struct row row = {
		.what = "is being made by another program",
		.nameless = true,
		.target = "ALLOCATED",
		.state = "FREE",
		.creator = 77,
	};

	begin(&row);
	session_look(t.manager, SID);
	while (usec_to_look() <= SECOND_USEC / 2)
		assert_true(sd_event_run(t.event, UINT64_MAX) >= 0);
	session_look(t.manager, SID + 1);
	check(&row, usec_to_look() <= SECOND_USEC / 4);
	end();
}

static void look_until(const struct row *row, enum session_phase phase)
{
	while (!t.manager->sessions || t.manager->sessions->phase != phase) {
		check(row, t.manager->look);
		assert_true(sd_event_run(t.event, UINT64_MAX) >= 0);
	}
}

/* What another program was at when the daemon began to look: nobody tells how that ends. */
static void follows_what_others_do(void **state)
{
	static const struct row row = {
		.what = "lost its connection before",
		.label = "default",
		.connection = "failed",
		.target = "SCANNED",
		.state = "FAILED",
	}, made = {
		.what = "was being made before",
		.nameless = true,
		.target = "ALLOCATED",
		.state = "FREE",
		.creator = 77,
	};

	begin(&row);
	check(&row, session_find_all(t.manager) == 0);
	check(&row, session_get_status(t.manager->sessions).phase == SESSION_RETRYING);
	check(&row, session_get_status(t.manager->sessions).next_attempt_usec == 0);
	put_connection("state", "up");
	fake_session_put(SID, SID, "state", "LOGGED_IN");
	look_until(&row, SESSION_LOGGED_IN);
	settle(&row);
	check(&row, !t.manager->look && t.events[EVENT_RECOVERY_NOT_STARTED] == 1);
	end();
	tear_down(NULL);
	set_up(NULL);

	begin(&made);
	check(&made, session_find_all(t.manager) == 0);
	check(&made, !t.manager->sessions);
	fake_session_put(SID, SID, "targetname", TARGET);
	fake_session_put(SID, SID, "ifacename", "default");
	fake_session_put(SID, SID, "state", "LOGGED_IN");
	put_connection("state", "up");
	look_until(&made, SESSION_LOGGED_IN);
	settle(&made);
	check(&made, !t.manager->look && !t.manager->sessions->managed);
	end();
}

static void taken(void *userdata, int error)
{
	*(int *)userdata = error;
}

/* It is back, and nobody has seen it yet. */
static void is_taken_over_when_back(void **state)
{
	static const struct row row = {
		.what = "taken over when it is back",
		.label = "default",
		.connection = "failed",
		.target = "SCANNED",
		.state = "FAILED",
	};
	struct session *session;
	int result = 1;

	begin(&row);
	check(&row, session_find_all(t.manager) == 0);
	session = t.manager->sessions;
	put_connection("state", "up");
	fake_session_put(SID, SID, "state", "LOGGED_IN");
	world.sessions[SID].bound = world.sessions[SID].started = true;
	world.sessions[SID].fd = fcntl(world.listener, F_DUPFD_CLOEXEC, 0);
	check(&row, session_take_over(session, taken, &result) == 0);
	while (result > 0)
		assert_true(sd_event_run(t.event, UINT64_MAX) >= 0);
	check(&row, result == 0 && session->managed && session->phase == SESSION_LOGGED_IN);
	fake_connection_error(SID, KERNEL_ERROR_CLOSED);
	while (t.events[EVENT_RECONNECTED] == 0)
		assert_true(sd_event_run(t.event, UINT64_MAX) >= 0);
	end();
}

/* Another program logs in where we do. */
static void stays_with_the_other_program(void **state)
{
	static const struct row row = {
		.what = "beside one of ours",
		.label = "default",
		.connection = "up",
		.target = "SCANNED",
	};
	struct session *ours, *others;
	struct node *node;

	begin(&row);
	node = records_at(t.manager->records, 0);
	check(&row, manager_login(t.manager, node, 0, NULL, &ours) == 0);
	check(&row, session_find_all(t.manager) == 0);
	others = manager_find_session(t.manager, SID);
	check(&row, others && others != ours && !others->managed);
	check(&row, session_take_over_fault(others));
	check(&row, manager_find_session_of(t.manager, &node->key) == ours);
	/* Ours would be logged out, too, after a restart. */
	check(&row, session_logout(others, SESSION_LOGOUT_FORCE, NULL) == 0);
	while (t.manager->n_sessions > 1)
		assert_true(sd_event_run(t.event, UINT64_MAX) >= 0);
	check(&row, t.manager->sessions == ours && node->logged_out_usec == 0);
	check(&row, session_logout(ours, SESSION_LOGOUT_FORCE, NULL) == 0);
	check(&row, node->logged_out_usec > 0);
	while (t.manager->sessions)
		assert_true(sd_event_run(t.event, UINT64_MAX) >= 0);
	end();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(finds_everything),
		TEST(looks_again_at_what_runs),
		TEST(tells_what_is_not_removed),
		TEST(looks_for_what_it_did_not_hear),
		TEST(tells_what_it_cannot_ask_for),
		TEST(knows_its_own),
		TEST(is_lost_and_logged_out),
		TEST(looks_soon_at_a_new_one),
		TEST(follows_what_others_do),
		TEST(is_taken_over_when_back),
		TEST(stays_with_the_other_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
