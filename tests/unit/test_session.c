// layers: oisd-core
// wraps: pthread_create
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sessions in a world of tables, fake_kernel.h: everything that can go wrong at every step of a
 * login, a recovery and a logout. Whatever happens, a session ends in one of two ways, nothing of
 * it is left anywhere, and who followed it is told once.
 */
#include <dirent.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>

#include "bounds.h"
#include "fake_kernel.h"
#include "service_private.h"
#include "session_private.h"
#include "turn.h"

#define TARGET "iqn.2026-11.org.example:disk"

struct follower {
	unsigned told, ended, failed;
	enum session_phase phase;
	bool wished; /* follows something */
};

static struct trial {
	const char *point, *deed;
	char directory[96], initiator_name[96], none[96];
	struct manager_paths paths;
	sd_event *event;
	struct manager *manager;
	struct service service; /* without clients */
	struct node node;
	struct follower login, logout;
	unsigned events[2048];
	const char *outcomes[2048]; /* of the last event of each number */
	char device[64], count[16]; /* of what did not appear */
} t;

#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("%s, %s: %s", t.point, t.deed, #condition);                       \
	} while (0)

/* gen_proofs.c looks for these. */
#define check_raised(number) check(t.events[number] > 0)

/* Threads, of which there may be no more. */

static bool no_threads;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  void *(*start)(void *), void *argument)
{
	return no_threads ? EAGAIN : __real_pthread_create(thread, attributes, start, argument);
}

/* The name service, which knows one host. */

#define NAME "disk.example"

static struct {
	unsigned number; /* of the portal; 0: it does not answer */
	_Atomic unsigned asked;
} names;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	struct sockaddr_in *address;
	struct addrinfo *found;

	assert_string_equal(node, NAME);
	names.asked++;
	if (names.number == 0)
		return EAI_AGAIN;
	found = calloc(1, sizeof(*found) + sizeof(*address));
	assert_non_null(found);
	address = (struct sockaddr_in *)(found + 1);
	address->sin_family = AF_INET;
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK + names.number - 1);
	found->ai_family = AF_INET;
	found->ai_addr = (struct sockaddr *)address;
	found->ai_addrlen = sizeof(*address);
	*ret = found;
	return 0;
}

void freeaddrinfo(struct addrinfo *found)
{
	free(found);
}

static void put_host(unsigned host, const char *proc_name, const char *address)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "class/scsi_host/host%u/proc_name", host);
	fake_put(path, proc_name);
	(void)snprintf(path, sizeof(path), "class/iscsi_host/host%u/hwaddress", host);
	fake_put(path, address);
}

/* Before and after */

static unsigned count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(directory);
	while (readdir(directory))
		n++;
	(void)closedir(directory);
	return n;
}

static void on_event(const struct eventlog_entry *entry, void *userdata)
{
	const char *outcome = event_get(entry->event, FIELD_OUTCOME);
	unsigned number = event_type(entry->event)->number;

	assert_true(number < ELEMENTSOF(t.events));
	t.events[number]++;
	if (number == EVENT_DEVICE_TIMEOUT) {
		(void)snprintf(t.device, sizeof(t.device), "%s",
			       event_get(entry->event, FIELD_DEVICE) ?: "");
		(void)snprintf(t.count, sizeof(t.count), "%s",
			       event_get(entry->event, FIELD_COUNT) ?: "");
	}
	t.outcomes[number] = NULL;
	for (int i = 0; i < _EVENT_OUTCOME_MAX && outcome; i++)
		if (strcmp(outcome, event_outcome_to_string(i)) == 0)
			t.outcomes[number] = event_outcome_to_string(i);
}

/* Of the last event of this number. */
static bool outcome_is(enum event_number number, enum event_outcome outcome)
{
	return t.outcomes[number] &&
	       strcmp(t.outcomes[number], event_outcome_to_string(outcome)) == 0;
}

static void begin(const char *point, const char *deed)
{
	static struct eventlog_subscription *subscription;

	t.point = point;
	t.deed = deed;
	memset(&t.login, 0, sizeof(t.login));
	memset(&t.logout, 0, sizeof(t.logout));
	memset(t.events, 0, sizeof(t.events));
	memset(t.outcomes, 0, sizeof(t.outcomes));
	t.node.redirect_address = NULL;
	assert_true(sd_event_new(&t.event) >= 0);
	fake_world_begin(t.event);
	t.node.key.port = world.port;
	assert_int_equal(manager_new(t.event, &t.paths, &t.manager), 0);
	assert_int_equal(eventlog_subscribe(t.manager->log, on_event, NULL, &subscription), 0);
	transport_find("tcp")->loaded = transport_find("iser")->loaded =
		transport_find("qla4xxx")->loaded = false;
	assert_int_equal(manager_open_kernel(t.manager), 0);
	t.manager->service = &t.service;
	t.manager->state = MANAGER_RUNNING;
}

static void end(void)
{
	fake_release();
	t.manager->service = NULL;
	t.manager = manager_free(t.manager);
	fake_world_end();
	t.event = sd_event_unref(t.event);
	/* The next world may get the same port, and then its node would be there already. */
	if (access(t.directory, F_OK) == 0)
		fake_delete("records");
}

static int set_up(void **state)
{
	FILE *file;

	alarm(300);
	fake_begin();
	fake_endpoints = fake_adapter = false;
	fake_load("tcp");
	fake_load("iser");
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
	t.node = (struct node){
		.key = { .target_name = (char *)TARGET, .address = (char *)"127.0.0.1" },
		.portal_group_tag = -1,
	};
	assert_int_equal(settings_new(SETTINGS_NODE, &t.node.settings), 0);
	return settings_set_text(t.node.settings, "loginTimeoutSeconds", "1", NULL);
}

/* The same over a transport that makes its connections itself. */
static int set_up_endpoints(void **state)
{
	int r = set_up(state);

	fake_endpoints = true;
	return r < 0 ? r : settings_set_text(t.node.settings, "transport", "iser", NULL);
}

/* Over an adapter that logs in by itself. */
static int set_up_adapter(void **state)
{
	int r = set_up_endpoints(state);

	fake_adapter = true;
	fake_load("qla4xxx");
	put_host(0, "qla4xxx", "00:00:5e:00:53:00");
	return r < 0 ? r : settings_set_text(t.node.settings, "transport", "qla4xxx", NULL);
}

static int tear_down(void **state)
{
	t.node.settings = settings_free(t.node.settings);
	fake_end();
	alarm(0);
	return 0;
}

/* Following */

static void followed(struct follower *follower, enum session_phase phase)
{
	/* Nobody is told anything after the end. */
	check(follower->ended == 0);
	follower->told++;
	follower->phase = phase;
}

static void login_changed(void *userdata, struct session *session, enum session_phase phase,
			  const struct session_failure *failure)
{
	followed(&t.login, phase);
	check(!failure || failure->message[0]);
	check((phase == SESSION_RETRYING || phase == SESSION_CLOSED) == (failure != NULL));
	t.login.failed += phase == SESSION_CLOSED;
	t.login.ended += phase == SESSION_CLOSED || phase == SESSION_LOGGED_IN;
}

static void logout_changed(void *userdata, struct session *session, enum session_phase phase,
			   const struct session_failure *failure)
{
	followed(&t.logout, phase);
	t.logout.failed += failure != NULL;
	t.logout.ended += phase == SESSION_CLOSED || failure;
}

static const struct session_watch login_watch = { login_changed, &t.login };
static const struct session_watch logout_watch = { logout_changed, &t.logout };

/* Running */

static struct session *session_now(void)
{
	return t.manager ? t.manager->sessions : NULL;
}

static void hurry_timer(sd_event_source *timer)
{
	if (!timer)
		return;
	(void)sd_event_source_set_time_accuracy(timer, 1);
	(void)sd_event_source_set_time_relative(timer, 0);
}

static void hurry(void)
{
	for (struct session *s = session_now(); s; s = s->next) {
		hurry_timer(s->private->timer);
		hurry_timer(s->private->text_timer);
		hurry_timer(s->private->attention.timer);
	}
}

static bool gone(const struct session *session)
{
	return !session;
}

static bool at_rest(const struct session *session)
{
	return !session ||
	       (session->phase == SESSION_LOGGED_IN && session->state == SESSION_STATE_LOGGED_IN &&
		session->connection == CONNECTION_STATE_LOGGED_IN &&
		session->private->pending == 0 && !session_to_leave(session));
}

/* Turns the loop until it is so. What waits for a timer is not waited for if @hasty. */
static bool run(bool (*reached)(const struct session *session), bool hasty)
{
	uint64_t until = turn_usec(CLOCK_MONOTONIC) + 20 * SECOND_USEC;

	while (!reached(session_now())) {
		int r = sd_event_run(t.event, hasty ? 3000 : 1000000);

		assert_true(r >= 0);
		for (struct session *s = session_now(); s; s = s->next)
			check(s->private->unexpected == 0);
		if (r == 0 && hasty)
			hurry();
		if (turn_usec(CLOCK_MONOTONIC) > until)
			return false;
	}
	return true;
}

/* The same until @n events of this kind were raised; timers are waited for, or not. */
static void run_until_raised(enum event_number number, unsigned n, bool hasty)
{
	while (t.events[number] < n) {
		assert_true(sd_event_run(t.event, hasty ? 3000 : UINT64_MAX) >= 0);
		if (hasty)
			hurry();
	}
}

static void log_in(void)
{
	struct session *session;

	assert_int_equal(manager_login(t.manager, &t.node, 2, &login_watch, &session), 0);
	t.login.wished = true;
	check(t.login.told == 0);
}

static void log_out(bool force)
{
	int r;

	if (!session_now() || session_now()->phase == SESSION_CLOSED || t.logout.wished)
		return;
	r = session_logout(session_now(), force, &logout_watch);
	check(r == 0 || r == -EALREADY);
	t.logout.wished = true;
}

static bool no_connections(const struct session *session)
{
	return fake_n_connections() == 0 && fake_n_endpoints() == 0;
}

/* Whatever has happened: the world goes on, the session comes to rest, and can be logged out. */
static void finish(void)
{
	fake_release();
	t.manager->config->logins_max = 64;
	if (session_now())
		manager_tend(session_now());
	check(run(at_rest, true));
	check(!t.login.wished || t.login.ended == 1);
	check(!t.logout.wished || t.logout.ended == 1);
	check(t.manager->n_logins_in_flight == 0 && t.manager->n_logins_queued == 0);
	if (session_now()) {
		world.in_use = false;
		memset(&t.logout, 0, sizeof(t.logout));
		log_out(false);
		check(run(gone, true));
		check(t.logout.ended == 1 && t.logout.failed == 0);
	}
	check(t.manager->n_sessions == 0 && t.manager->n_logins_in_flight == 0);
	check(run(no_connections, true));
	for (uint32_t sid = 0; sid < FAKE_SESSIONS; sid++)
		check(!world.sessions[sid].exists);
	check(t.events[EVENT_SESSION_CLOSED] + t.events[EVENT_SESSION_VANISHED] >=
	      t.events[EVENT_SESSION_ESTABLISHED]);
}

static bool is_lost(const struct session *session)
{
	return !session || session->phase != SESSION_LOGGED_IN;
}

/* The points at which something can happen */

#define PHASE(NAME)                                                                                \
	static bool is_##NAME(const struct session *session)                                       \
	{                                                                                          \
		return session && session->phase == SESSION_##NAME;                                \
	}

PHASE(QUEUED)
PHASE(RESOLVING)
PHASE(CONNECTING)
PHASE(OPERATIONAL_NEGOTIATION)
PHASE(SCANNING)
PHASE(RETRYING)
PHASE(REMOVING_DEVICES)
PHASE(LOGGING_OUT)

static bool is_held(const struct session *session)
{
	return fake_holds(world.held_operation);
}

/* Asked more than once. */
static bool is_polled(const struct session *session)
{
	for (size_t i = 0; i < FAKE_ENDPOINTS; i++)
		if (world.endpoints[i].exists && world.endpoints[i].asked > 2)
			return true;
	return false;
}

static bool is_loading(const struct session *session)
{
	bool loading;

	pthread_mutex_lock(&world.mutex);
	loading = world.in_module;
	pthread_mutex_unlock(&world.mutex);
	return loading;
}

static bool is_adapter_at_it(const struct session *session)
{
	return session && session->private->adapter_login == ADAPTER_LOGIN_BEGUN;
}

static bool is_unproven(const struct session *session)
{
	return session && session->connection == CONNECTION_STATE_LOGGED_IN &&
	       session->private->started && session->state != SESSION_STATE_LOGGED_IN &&
	       session->private->pending == 0;
}

/* The re-login after a loss has failed. */
static bool is_failed_again(const struct session *session)
{
	return session && session->phase == SESSION_RETRYING && session->attempt > 0;
}

static bool is_redirected(const struct session *session)
{
	return session && session->phase == SESSION_CONNECTING && session->private->redirects > 0;
}

static bool is_at_remembered(const struct session *session)
{
	return session && session->phase == SESSION_OPERATIONAL_NEGOTIATION &&
	       session->private->at_remembered;
}

static bool has_fallen_back(const struct session *session)
{
	return session && session->phase == SESSION_CONNECTING && !session->private->at_remembered;
}

static bool is_asked(const struct session *session)
{
	return session && session->connection == CONNECTION_STATE_LOGOUT_REQUESTED &&
	       session->private->pending == 0;
}

static bool is_checking(const struct session *session)
{
	return session && session->private->check;
}

static bool is_removed_silently(const struct session *session)
{
	return session && session->private->removing && session->private->pending == 0;
}

static bool is_negotiating(const struct session *session)
{
	return session && session->private->renegotiation && session->private->pending == 0;
}

/* Where a trial begins, before what is held back stops it. */
enum start {
	START_LOGIN,
	START_RECOVERY,
	START_LOGOUT,
	START_CHECK,
	START_REQUEST,
	START_NEGOTIATION,
};

/* The target's own port. */
#define LISTENING UINT16_MAX
/* So that 0 is none. */
#define AT(number) ((int)(number) + 1)

static const struct point {
	const char *name;
	enum start start;
	bool (*reached)(const struct session *session);
	int held, refused; /* operations, AT() */
	int silent_stage;  /* of the login, AT() */
	bool queued, module, nop, scan, unbound, logout, destroyed, list;
	bool endpoint;           /* only of transports that make their connections */
	bool adapter;            /* only of one that logs in by itself */
	bool login, login_fails; /* the end of a login is not told; it is a failure */
	unsigned login_error;
	bool unanswered; /* the endpoint is neither connected nor not */
	int poll_error;
	bool redirected;
	const char *text;    /* answers a Text Request */
	uint16_t remembered; /* port of a portal that is tried first; 1: of nobody */
} points[] = {
	{ .name = "queued", .reached = is_QUEUED, .queued = true },
	{ .name = "resolving", .reached = is_RESOLVING },
	{ .name = "connecting", .reached = is_CONNECTING },
	{ .name = "operational", .reached = is_OPERATIONAL_NEGOTIATION, .silent_stage = AT(1) },
	{ .name = "redirected", .reached = is_redirected, .redirected = true },
	{ .name = "at the portal remembered",
	  .reached = is_at_remembered,
	  .silent_stage = AT(1),
	  .remembered = LISTENING },
	{ .name = "fallen back", .reached = has_fallen_back, .remembered = 1 },
	{ .name = "module", .reached = is_loading, .module = true },
	{ .name = "hand-over", .reached = is_held, .held = AT(KERNEL_CREATE_SESSION) },
	{ .name = "proof", .reached = is_held, .held = AT(KERNEL_SEND_PDU) },
	{ .name = "unproven", .reached = is_unproven, .nop = true },
	{ .name = "scanning", .reached = is_SCANNING, .scan = true },
	{ .name = "logged in", .reached = at_rest },
	{ .name = "failed hand-over",
	  .reached = is_held,
	  .refused = AT(KERNEL_START_CONNECTION),
	  .held = AT(KERNEL_DESTROY_SESSION) },
	{ .name = "failed binding",
	  .reached = is_held,
	  .refused = AT(KERNEL_BIND_CONNECTION),
	  .held = AT(KERNEL_DESTROY_SESSION) },
	{ .name = "failed creation", .reached = is_RETRYING, .refused = AT(KERNEL_CREATE_SESSION) },
	{ .name = "beginning to connect",
	  .reached = is_held,
	  .held = AT(KERNEL_CONNECT_ENDPOINT),
	  .endpoint = true },
	{ .name = "asking for the connection",
	  .reached = is_held,
	  .held = AT(KERNEL_POLL_ENDPOINT),
	  .endpoint = true },
	{ .name = "connecting for ever",
	  .reached = is_polled,
	  .unanswered = true,
	  .endpoint = true },
	{ .name = "connection refused",
	  .reached = is_held,
	  .poll_error = -1,
	  .held = AT(KERNEL_DISCONNECT_ENDPOINT),
	  .endpoint = true },
	{ .name = "no room for a connection",
	  .reached = is_RETRYING,
	  .refused = AT(KERNEL_CONNECT_ENDPOINT),
	  .endpoint = true },
	{ .name = "binding", .reached = is_held, .held = AT(KERNEL_BIND_CONNECTION) },
	{ .name = "asking for a login",
	  .reached = is_held,
	  .held = AT(KERNEL_START_CONNECTION),
	  .adapter = true },
	{ .name = "adapter logging in",
	  .reached = is_adapter_at_it,
	  .login = true,
	  .adapter = true },
	{ .name = "failed login of the adapter",
	  .reached = is_held,
	  .held = AT(KERNEL_DESTROY_SESSION),
	  .login_fails = true,
	  .adapter = true },
	{ .name = "undoing a login",
	  .reached = is_held,
	  .refused = AT(KERNEL_SEND_PDU),
	  .held = AT(KERNEL_DESTROY_CONNECTION),
	  .endpoint = true },

	{ .name = "lost",
	  .start = START_RECOVERY,
	  .reached = is_held,
	  .held = AT(KERNEL_STOP_CONNECTION) },
	{ .name = "waiting", .start = START_RECOVERY, .reached = is_RETRYING },
	{ .name = "disconnecting",
	  .start = START_RECOVERY,
	  .reached = is_held,
	  .held = AT(KERNEL_DISCONNECT_ENDPOINT),
	  .endpoint = true },
	{ .name = "beginning to connect again",
	  .start = START_RECOVERY,
	  .reached = is_held,
	  .held = AT(KERNEL_CONNECT_ENDPOINT),
	  .endpoint = true },
	{ .name = "connecting again for ever",
	  .start = START_RECOVERY,
	  .reached = is_polled,
	  .unanswered = true,
	  .endpoint = true },
	{ .name = "connection refused again",
	  .start = START_RECOVERY,
	  .reached = is_RETRYING,
	  .poll_error = -1,
	  .endpoint = true },
	{ .name = "queued again", .start = START_RECOVERY, .reached = is_QUEUED, .queued = true },
	{ .name = "connecting again", .start = START_RECOVERY, .reached = is_CONNECTING },
	{ .name = "binding again",
	  .start = START_RECOVERY,
	  .reached = is_held,
	  .held = AT(KERNEL_BIND_CONNECTION) },
	{ .name = "sending login",
	  .start = START_RECOVERY,
	  .reached = is_held,
	  .held = AT(KERNEL_SEND_PDU) },
	{ .name = "operational again",
	  .start = START_RECOVERY,
	  .reached = is_OPERATIONAL_NEGOTIATION,
	  .silent_stage = AT(1) },
	{ .name = "redirected again",
	  .start = START_RECOVERY,
	  .reached = is_redirected,
	  .redirected = true },
	{ .name = "at the portal remembered again",
	  .start = START_RECOVERY,
	  .reached = is_at_remembered,
	  .silent_stage = AT(1),
	  .remembered = LISTENING },
	{ .name = "starting again",
	  .start = START_RECOVERY,
	  .reached = is_held,
	  .held = AT(KERNEL_START_CONNECTION) },
	{ .name = "adapter logging in again",
	  .start = START_RECOVERY,
	  .reached = is_adapter_at_it,
	  .login = true,
	  .adapter = true },
	{ .name = "failed re-login of the adapter",
	  .start = START_RECOVERY,
	  .reached = is_failed_again,
	  .login_error = KERNEL_ERROR_CONNECTION,
	  .adapter = true },
	{ .name = "unproven again", .start = START_RECOVERY, .reached = is_unproven, .nop = true },

	{ .name = "checking", .start = START_CHECK, .reached = is_checking, .list = true },
	{ .name = "unbinding",
	  .start = START_LOGOUT,
	  .reached = is_held,
	  .held = AT(KERNEL_UNBIND_SESSION) },
	{ .name = "removing devices",
	  .start = START_LOGOUT,
	  .reached = is_REMOVING_DEVICES,
	  .unbound = true },
	{ .name = "sending logout",
	  .start = START_LOGOUT,
	  .reached = is_held,
	  .held = AT(KERNEL_SEND_PDU) },
	{ .name = "logging out", .start = START_LOGOUT, .reached = is_LOGGING_OUT, .logout = true },
	{ .name = "removing",
	  .start = START_LOGOUT,
	  .reached = is_held,
	  .held = AT(KERNEL_DESTROY_SESSION) },
	{ .name = "removed silently",
	  .start = START_LOGOUT,
	  .reached = is_removed_silently,
	  .destroyed = true },

	{ .name = "asked to log out", .start = START_REQUEST, .reached = is_asked, .logout = true },
	{ .name = "sending logout asked for",
	  .start = START_REQUEST,
	  .reached = is_held,
	  .held = AT(KERNEL_SEND_PDU) },

	{ .name = "sending text",
	  .start = START_NEGOTIATION,
	  .reached = is_held,
	  .held = AT(KERNEL_SEND_PDU) },
	{ .name = "negotiating", .start = START_NEGOTIATION, .reached = is_negotiating },
	{ .name = "setting parameters",
	  .start = START_NEGOTIATION,
	  .reached = is_held,
	  .text = "MaxRecvDataSegmentLength=4096",
	  .held = AT(KERNEL_SET_PARAMETER) },
};

static void send_message(uint8_t code, uint16_t first, uint16_t second, const void *data,
			 size_t length)
{
	const struct pdu message = {
		.opcode = PDU_OPCODE_ASYNC_MESSAGE,
		.itt = PDU_TAG_RESERVED,
		.data_length = (uint32_t)length,
		.async = { .event = code, .parameter = { first, second, 9 } },
	};
	struct fake_event *told;

	/* Those that an adapter gets it keeps. */
	if (!session_now() || !session_now()->in_kernel || fake_adapter)
		return;
	told = fake_tell(KERNEL_EVENT_RECEIVED_PDU, session_now()->sid);
	pdu_encode(&message, told->header);
	if (length > 0)
		assert_int_equal(buffer_append(&told->data, data, length), 0);
}

static void ask_for_logout(void)
{
	send_message(PDU_ASYNC_LOGOUT_REQUEST, 0, 0, NULL, 0);
}

static void ask_for_negotiation(void)
{
	send_message(PDU_ASYNC_NEGOTIATION_REQUEST, 0, 0, NULL, 0);
}

/* REPORTED LUNS DATA HAS CHANGED, in descriptor format */
static const uint8_t luns_changed[] = { 0, 8, 0x72, 6, 0x3f, 0x0e, 0, 0, 0, 0 };
static const uint8_t capacity_changed[] = { 0, 8, 0x72, 6, 0x2a, 0x09, 0, 0, 0, 0 };

static void report_units(void)
{
	send_message(PDU_ASYNC_SCSI, 0, 0, luns_changed, sizeof(luns_changed));
}

static void lose(unsigned error)
{
	struct session *session = session_now();

	if (!session || !session->in_kernel || !world.sessions[session->sid].exists)
		return;
	fake_connection_error(session->sid, error);
}

static void hold(const struct point *point)
{
	world.held_operation = point->held - 1;
	world.refused_operation = point->refused - 1;
	world.refusal = -ENOMEM;
	world.silent_stage = point->silent_stage - 1;
	world.lost_nop = point->nop;
	world.lost_login = point->login;
	world.login_fails = point->login_fails;
	world.login_error = point->login_error;
	world.lost_unbound = point->unbound;
	world.lost_logout = point->logout;
	world.lost_destroyed = point->destroyed;
	world.held_scan = point->scan;
	world.held_list = point->list;
	world.held_module = point->module;
	world.redirects = point->redirected;
	world.never_connects = point->unanswered;
	world.poll_error = point->poll_error;
	world.text.answer = point->text;
	world.text.length = point->text ? strlen(point->text) + 1 : 0;
	if (point->module)
		fake_delete("class/iscsi_transport");
	if (point->queued)
		t.manager->config->logins_max = 0;
}

static void go_to(const struct point *point)
{
	t.node.redirect_address = point->remembered ? (char *)"127.0.0.2" : NULL;
	t.node.redirect_port = point->remembered == LISTENING ? world.port : point->remembered;
	if (point->start == START_LOGIN) {
		hold(point);
		log_in();
	} else {
		log_in();
		check(run(at_rest, true));
		hold(point);
	}
	if (point->start == START_RECOVERY)
		lose(KERNEL_ERROR_CLOSED);
	if (point->start == START_LOGOUT)
		log_out(true);
	if (point->start == START_CHECK)
		log_out(false);
	if (point->start == START_REQUEST)
		ask_for_logout();
	else if (point->start == START_NEGOTIATION)
		ask_for_negotiation();
	/* The timer of what is not answered would come, too. */
	check(run(point->reached,
		  point->reached != is_RETRYING && point->start != START_NEGOTIATION));
}

/* What can happen */

static void deed_nothing(void)
{
}

static void deed_log_out(void)
{
	log_out(false);
}

static void deed_force(void)
{
	log_out(true);
}

static void deed_refuse(void)
{
	world.in_use = true;
	log_out(false);
}

static void deed_look_in_vain(void)
{
	world.list_error = -EIO;
	log_out(false);
}

static void deed_lose(void)
{
	lose(KERNEL_ERROR_CLOSED);
}

static void deed_lose_twice(void)
{
	lose(KERNEL_ERROR_SCSI_RESET);
	lose(KERNEL_ERROR_SCSI_RESET);
}

static void deed_lose_and_force(void)
{
	lose(KERNEL_ERROR_CLOSED);
	log_out(true);
}

static void deed_lose_and_log_out(void)
{
	world.held_list = true;
	log_out(false);
	lose(KERNEL_ERROR_CLOSED);
}

static void deed_unplug(void)
{
	lose(KERNEL_ERROR_INVALID_HOST);
}

static void deed_starve(void)
{
	world.submit_error = -ENOMEM;
}

static void deed_starve_and_lose(void)
{
	world.submit_error = -ENOMEM;
	lose(KERNEL_ERROR_CLOSED);
}

static void deed_starve_and_force(void)
{
	world.submit_error = -ENOMEM;
	log_out(true);
}

static void deed_destroy(void)
{
	struct session *session = session_now();

	if (session && session->in_kernel && world.sessions[session->sid].exists)
		fake_destroy(session->sid, true);
}

static void deed_destroy_unheard(void)
{
	struct session *session = session_now();

	if (!session || !session->in_kernel || !world.sessions[session->sid].exists)
		return;
	fake_destroy(session->sid, false);
	world.kernel->callbacks->overrun(world.kernel->userdata);
}

static void deed_overrun(void)
{
	world.kernel->callbacks->overrun(world.kernel->userdata);
}

/* The kernel gave the connection up, and nobody heard it. */
static void deed_lose_unheard(void)
{
	struct session *session = session_now();

	if (session && session->in_kernel && world.sessions[session->sid].bound)
		fake_connection_state(session->sid, "failed");
	world.kernel->callbacks->overrun(world.kernel->userdata);
}

static void deed_hang_up(void)
{
	for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
		if (world.connections[i].fd >= 0)
			fake_hang_up(&world.connections[i]);
	lose(KERNEL_ERROR_CLOSED);
}

static void deed_ask(void)
{
	ask_for_logout();
}

static void deed_time_out(void);

static void deed_ask_to_negotiate(void)
{
	ask_for_negotiation();
	ask_for_negotiation();
}

static void deed_send_all_codes(void)
{
	for (unsigned code = 0; code <= UINT8_MAX; code++)
		if (code != PDU_ASYNC_LOGOUT_REQUEST)
			send_message((uint8_t)code, 0, 0, luns_changed, code % 11);
}

static void deed_change_units(void)
{
	report_units();
	deed_time_out();
}

static void deed_time_out(void)
{
	hurry();
	for (unsigned i = 0; i < 20; i++)
		assert_true(sd_event_run(t.event, 1000) >= 0);
}

static void deed_unwatch(void)
{
	if (session_now())
		session_unwatch(session_now(), &t.login);
	if (session_now())
		session_unwatch(session_now(), &t.logout);
	t.login.wished = t.logout.wished = false;
}

static unsigned n_reloads;

static void reloaded(void *userdata, int error, const struct config_fault *fault)
{
	check(error == 0 || error == -ECANCELED);
	n_reloads--;
}

/* Twice: the one of before is retired, and its strings may still be in use. */
static void deed_reload(void)
{
	n_reloads = 2;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(manager_reload(t.manager, reloaded, NULL), 0);
}

static void deed_network(void)
{
	for (struct session *s = session_now(); s; s = s->next) {
		s->private->persistent = true;
		session_hurry(s);
	}
}

static const struct deed {
	const char *name;
	void (*run)(void);
} deeds[] = {
	{ "nothing", deed_nothing },
	{ "logout", deed_log_out },
	{ "forced logout", deed_force },
	{ "logout of a used device", deed_refuse },
	{ "logout that cannot look", deed_look_in_vain },
	{ "connection lost", deed_lose },
	{ "connection lost twice", deed_lose_twice },
	{ "connection lost and forced logout", deed_lose_and_force },
	{ "connection lost while checking", deed_lose_and_log_out },
	{ "adapter removed", deed_unplug },
	{ "kernel takes no request", deed_starve },
	{ "kernel takes no request, connection lost", deed_starve_and_lose },
	{ "kernel takes no request, forced logout", deed_starve_and_force },
	{ "session removed by others", deed_destroy },
	{ "session removed unheard", deed_destroy_unheard },
	{ "overrun", deed_overrun },
	{ "connection lost unheard", deed_lose_unheard },
	{ "target hangs up", deed_hang_up },
	{ "target asks for a logout", deed_ask },
	{ "target asks for a negotiation", deed_ask_to_negotiate },
	{ "target sends every message", deed_send_all_codes },
	{ "logical units change", deed_change_units },
	{ "timer", deed_time_out },
	{ "client gone", deed_unwatch },
	{ "network changed", deed_network },
	{ "reload", deed_reload },
};

static void restore(const struct point *point)
{
	if (!point->module)
		return;
	fake_load("tcp");
	fake_load("iser");
	fake_load("qla4xxx");
}

static void try_deed(const struct point *point, const struct deed *deed, bool executed)
{
	unsigned before = count_descriptors();

	begin(point->name, deed->name);
	world.held_done = executed;
	go_to(point);
	deed->run();
	/* What was set in motion meets what is held back. */
	for (unsigned i = 0; i < 10; i++)
		assert_true(sd_event_run(t.event, 0) >= 0);
	finish();
	end();
	restore(point);
	check(count_descriptors() == before);
}

static bool needs_pdus(const struct point *point)
{
	return point->silent_stage || point->nop || point->logout || point->redirected ||
	       point->start == START_REQUEST || point->start == START_NEGOTIATION ||
	       point->held == AT(KERNEL_SEND_PDU) || point->refused == AT(KERNEL_SEND_PDU);
}

static bool applies(const struct point *point)
{
	if (fake_adapter)
		return !needs_pdus(point);
	return !point->adapter && (fake_endpoints || !point->endpoint);
}

static void everywhere(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(points); i++)
		for (size_t k = 0; k < ELEMENTSOF(deeds) && applies(&points[i]); k++) {
			try_deed(&points[i], &deeds[k], false);
			if (points[i].held)
				try_deed(&points[i], &deeds[k], true);
		}
}

/* The daemon ends: nobody is told anything, and what the kernel has stays as it is. */
static void end_everywhere(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(points); i++) {
		unsigned before = count_descriptors();

		for (unsigned executed = 0; executed < 2 && applies(&points[i]); executed++) {
			begin(points[i].name, "end");
			world.held_done = executed;
			go_to(&points[i]);
			deed_reload();
			t.manager->state = MANAGER_STOPPING;
			end();
			restore(&points[i]);
		}
		check(n_reloads == 0);
		check(count_descriptors() == before);
	}
}

/* What is told of what happens */

static void tells_of_a_session(void **state)
{
	begin("life", "events");
	log_in();
	check(run(at_rest, true));
	check(world.logins == 1 && t.login.ended == 1 && t.login.failed == 0);
	check(session_now()->n_luns == 1 && session_now()->result.tsih == 7);
	/* The kernel is told what was agreed on. */
	check(world.parameters[KERNEL_PARAM_HEADER_DIGEST] ==
	      session_now()->result.parameters.header_digest);
	check(world.parameters[KERNEL_PARAM_DATA_DIGEST] ==
	      session_now()->result.parameters.data_digest);
	lose(KERNEL_ERROR_NOOP_TIMEOUT);
	check(run(is_RETRYING, false));
	check(session_now()->failure.event == EVENT_CONNECTION_LOST &&
	      session_now()->lost_usec > 0);
	check(session_now()->recovering && session_now()->next_attempt_usec > 0);
	check(run(at_rest, true));
	check(session_now()->reconnects == 1 && !session_now()->recovering &&
	      !session_now()->failure.error);
	check(world.logins == 2);
	log_out(false);
	check(run(gone, true));
	check(world.logouts[PDU_LOGOUT_CLOSE_SESSION] == 1 && t.logout.ended == 1 &&
	      t.logout.failed == 0);
	check(t.events[EVENT_SESSION_ESTABLISHED] == 1 && t.events[EVENT_CONNECTION_LOST] == 1 &&
	      t.events[EVENT_RECONNECTED] == 1 && t.events[EVENT_SESSION_CLOSED] == 1);
	finish();
	end();
}

/* The kernel reports a loss twice as a rule; the second report is about a connection that is none
 * any more. */
static void hears_only_of_the_present_connection(void **state)
{
	begin("connecting again", "told of the loss again");
	log_in();
	check(run(at_rest, true));
	lose(KERNEL_ERROR_SCSI_RESET);
	check(run(is_CONNECTING, true));
	lose(KERNEL_ERROR_SCSI_RESET);
	check(run(at_rest, false));
	check(session_now()->reconnects == 1 && world.logins == 2);
	check(t.events[EVENT_CONNECTION_LOST] == 1 && t.events[EVENT_RECOVERY_FAILED] == 0);
	finish();
	end();
}

/* What it would have been told leads on at once, not when a timer has run out. */
static void hears_what_was_lost(void **state)
{
	struct session *session;

	begin("logged in", "connection lost unheard");
	log_in();
	check(run(at_rest, true));
	deed_lose_unheard();
	check(t.events[EVENT_KERNEL_OVERRUN] == 1 && t.events[EVENT_CONNECTION_LOST] == 1);
	check(run(at_rest, true));
	check(session_now()->reconnects == 1);

	t.deed = "seen a moment later";
	deed_overrun();
	check(t.events[EVENT_CONNECTION_LOST] == 1);
	fake_connection_state(session_now()->sid, "failed");
	check(run(is_RETRYING, false));
	check(t.events[EVENT_CONNECTION_LOST] == 2 && t.events[EVENT_NOP_TIMEOUT] == 0);
	check(run(at_rest, true));

	t.deed = "login through the kernel lost unheard";
	world.silent_stage = 1;
	lose(KERNEL_ERROR_CLOSED);
	check(run(is_OPERATIONAL_NEGOTIATION, true));
	deed_lose_unheard();
	check(run(is_RETRYING, false));
	check(t.events[EVENT_REQUEST_TIMEOUT] == 0 && t.events[EVENT_RECOVERY_FAILED] == 1);
	world.silent_stage = -1;
	check(run(at_rest, true));

	t.deed = "devices removed unheard";
	world.lost_unbound = world.lost_logout = true;
	log_out(true);
	check(run(is_REMOVING_DEVICES, false));
	session = session_now();
	while (session->private->pending > 0)
		assert_true(sd_event_run(t.event, 1000000) >= 0);
	check(session->phase == SESSION_REMOVING_DEVICES);
	deed_overrun();
	check(session->phase == SESSION_LOGGING_OUT);
	finish();
	end();
}

static void honours_a_request(void **state)
{
	begin("request", "answered");
	log_in();
	check(run(at_rest, true));
	ask_for_logout();
	check(run(is_RETRYING, false));
	check(world.logouts[PDU_LOGOUT_CLOSE_CONNECTION] == 1);
	check(t.events[EVENT_ASYNC_LOGOUT] == 1 && t.events[EVENT_CONNECTION_LOST] == 0);
	check(run(at_rest, true));
	check(world.logins == 2 && t.events[EVENT_RECONNECTED] == 1);

	t.deed = "not answered";
	world.lost_logout = true;
	ask_for_logout();
	check(run(is_asked, false));
	check(run(is_RETRYING, true));
	check(t.events[EVENT_ASYNC_LOGOUT_TIMEOUT] == 1);
	finish();
	end();
}

static bool is_renegotiated(const struct session *session)
{
	return session && !session->private->renegotiation && at_rest(session);
}

static void negotiates_again(void **state)
{
	static const char alias[] = "MaxRecvDataSegmentLength=4096\0TargetAlias=other";

	begin("negotiation", "answered at once");
	world.text.answer = "";
	log_in();
	check(run(at_rest, true));
	ask_for_negotiation();
	run_until_raised(EVENT_PARAMETERS_RENEGOTIATED, 1, false);
	check(run(is_renegotiated, false));
	check(t.events[EVENT_ASYNC_NEGOTIATION] == 1);
	check_raised(EVENT_PARAMETERS_RENEGOTIATED);
	check(world.text.asked == 1);
	/* The kernel does not count Text Responses. */
	check(world.parameters[KERNEL_PARAM_EXP_STATSN] == world.stat_sn);

	t.deed = "answered in pieces";
	world.text.answer = alias;
	world.text.length = sizeof(alias);
	world.text.empty = 3;
	ask_for_negotiation();
	run_until_raised(EVENT_PARAMETERS_RENEGOTIATED, 2, false);
	check(run(is_renegotiated, false));
	check(world.text.asked == 5);
	check(world.parameters[KERNEL_PARAM_MAX_XMIT_DLENGTH] == 4096);
	check(session_now()->result.parameters.max_xmit_data_segment_length == 4096);
	check(strcmp(session_now()->result.target_alias, "other") == 0);
	finish();
	end();
}

/* Whatever comes of it, the session goes on. */
static void survives_a_negotiation(void **state)
{
	static const char forbidden[] = "MaxBurstLength=512";

	begin("negotiation", "not answered in time");
	log_in();
	check(run(at_rest, true));
	ask_for_negotiation();
	run_until_raised(EVENT_TEXT_TIMEOUT, 1, true);
	check_raised(EVENT_TEXT_TIMEOUT);
	check(t.events[EVENT_REQUEST_TIMEOUT] == 1);
	check(outcome_is(EVENT_TEXT_TIMEOUT, EVENT_OUTCOME_CONTINUED));
	check(session_now()->phase == SESSION_LOGGED_IN && is_negotiating(session_now()));

	t.deed = "answered late, and wrongly";
	world.text.answer = forbidden;
	world.text.length = sizeof(forbidden);
	fake_answer_text(session_now()->sid);
	check(run(is_renegotiated, true));
	check(t.events[EVENT_PDU_INVALID] == 1 && world.logins == 1);
	check(outcome_is(EVENT_PDU_INVALID, EVENT_OUTCOME_CONTINUED));
	check(session_now()->result.parameters.max_burst_length != 512);

	t.deed = "not asked for";
	fake_answer_text(session_now()->sid);
	check(run(is_renegotiated, true));
	check(t.events[EVENT_PDU_INVALID] == 1 && world.logins == 1);

	t.deed = "not sent";
	world.refused_operation = KERNEL_SEND_PDU;
	world.refusal = -EPERM;
	ask_for_negotiation();
	run_until_raised(EVENT_SEND_FAILED, 1, false);
	check(run(is_renegotiated, false));
	check(t.events[EVENT_SEND_FAILED] == 1 && world.logins == 1);
	finish();
	end();
}

/* What the kernel does not take must not be what the target relies on. */
static void leaves_no_parameter_behind(void **state)
{
	static const char text[] = "MaxRecvDataSegmentLength=4096";

	begin("negotiation", "refused by the kernel");
	world.text.answer = text;
	world.text.length = sizeof(text);
	log_in();
	check(run(at_rest, true));
	world.refused_operation = KERNEL_SET_PARAMETER;
	world.refusal = -EINVAL;
	ask_for_negotiation();
	check(run(is_RETRYING, false));
	check(t.events[EVENT_CONNECTION_RESOURCES] == 1);
	world.refused_operation = -1;
	check(run(at_rest, true));
	check(world.logins == 2 && t.events[EVENT_RECONNECTED] == 1);
	finish();
	end();
}

static void takes_any_message(void **state)
{
	static const uint8_t long_sense[] = { 0, 9, 0x72, 6, 0x3f, 0x0e, 0, 0, 0, 0 };

	begin("message", "sense data");
	log_in();
	check(run(at_rest, true));
	send_message(PDU_ASYNC_SCSI, 0, 0, capacity_changed, sizeof(capacity_changed));
	for (size_t i = 0; i < sizeof(luns_changed); i++)
		send_message(PDU_ASYNC_SCSI, 0, 0, luns_changed, i);
	send_message(PDU_ASYNC_SCSI, 0, 0, long_sense, sizeof(long_sense));
	check(run(at_rest, true));
	run_until_raised(EVENT_ASYNC_INVALID, sizeof(luns_changed) + 1, false);
	check(t.events[EVENT_ASYNC_SCSI_EVENT] == 1);

	t.deed = "more than anybody wants to know";
	for (unsigned i = 0; i < 1000; i++)
		send_message(250, 0, 0, NULL, 0);
	while (world.kernel->events)
		assert_true(sd_event_run(t.event, UINT64_MAX) >= 0);
	check(t.events[EVENT_ASYNC_VENDOR] + t.events[EVENT_ASYNC_INVALID] +
		      t.events[EVENT_ASYNC_SCSI_EVENT] ==
	      ASYNC_EVENTS_MAX);
	check(session_now()->phase == SESSION_LOGGED_IN && world.logins == 1);

	t.deed = "an hour later";
	session_now()->private->async_told_usec -= 3601 * SECOND_USEC;
	send_message(250, 0, 0, NULL, 0);
	run_until_raised(EVENT_ASYNC_VENDOR, t.events[EVENT_ASYNC_VENDOR] + 1, false);
	finish();
	end();
}

/* Not before Time2Wait of the target is over, whatever was negotiated. */
static void waits_as_announced(void **state)
{
	uint64_t wait;

	begin("drop", "announced");
	log_in();
	check(run(at_rest, true));
	send_message(PDU_ASYNC_CONNECTION_DROP, 1, 700, NULL, 0);
	send_message(PDU_ASYNC_CONNECTION_DROP, 0, 600, NULL, 0);
	lose(KERNEL_ERROR_CLOSED);
	check(run(is_RETRYING, false));
	wait = session_next_attempt(session_now()) - turn_usec(CLOCK_REALTIME);
	check(wait > 590 * SECOND_USEC && wait < 760 * SECOND_USEC);
	check(t.events[EVENT_ASYNC_INVALID] == 1 && t.events[EVENT_ASYNC_CONNECTION_DROP] == 1);
	check(run(at_rest, true));

	t.deed = "forgotten";
	lose(KERNEL_ERROR_CLOSED);
	check(run(is_RETRYING, false));
	check(session_next_attempt(session_now()) - turn_usec(CLOCK_REALTIME) < 10 * SECOND_USEC);
	finish();
	end();
}

static void stop_listening(void)
{
	world.accept = sd_event_source_disable_unref(world.accept);
	world.listener = close_fd(world.listener);
}

static void retries_what_may_work_later(void **state)
{
	begin("retry", "nobody listens");
	stop_listening();
	log_in();
	check(run(is_RETRYING, false));
	check(outcome_is(EVENT_CONNECT_FAILED, EVENT_OUTCOME_RETRYING));
	check(run(gone, true));
	check(t.events[EVENT_CONNECT_FAILED] == 3 && t.events[EVENT_LOGIN_REQUEST_FAILED] == 1);
	check(outcome_is(EVENT_CONNECT_FAILED, EVENT_OUTCOME_FAILED));
	check(t.login.ended == 1 && t.login.failed == 1);
	finish();
	end();
}

/* A session that worked is never given up, whatever the target says. */
static void never_gives_up_a_session(void **state)
{
	static const struct {
		const char *name;
		void (*end)(void);
		enum event_number number;
	} rows[] = {
		{ "lost", deed_lose, EVENT_RECOVERY_FAILED },
		{ "asked to log out", ask_for_logout, EVENT_ASYNC_RELOGIN_FAILED },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		begin(rows[i].name, "refused, with what is not retried otherwise");
		log_in();
		check(run(at_rest, true));
		world.status_class = 2;
		world.status_detail = 2;
		rows[i].end();
		for (unsigned attempt = 0; attempt < 3; attempt++)
			check(run(is_RETRYING, false) && run(is_OPERATIONAL_NEGOTIATION, true) &&
			      run(is_RETRYING, false));
		check(outcome_is(EVENT_LOGIN_FAILED, EVENT_OUTCOME_RETRYING) &&
		      outcome_is(rows[i].number, EVENT_OUTCOME_RETRYING));
		check(t.events[EVENT_LOGIN_REQUEST_FAILED] == 0 &&
		      t.events[EVENT_RECOVERY_FAILED] + t.events[EVENT_ASYNC_RELOGIN_FAILED] == 1);
		check(t.events[rows[i].number] == 1 && session_now()->attempt == 3);
		check(session_now()->failure.status_class == 2);
		world.status_class = world.status_detail = 0;
		check(run(at_rest, true));
		/* What comes next has nothing to do with it. */
		world.status_class = 3;
		lose(KERNEL_ERROR_CLOSED);
		check(run(is_RETRYING, false) && run(is_OPERATIONAL_NEGOTIATION, true) &&
		      run(is_RETRYING, false));
		check(t.events[EVENT_RECOVERY_FAILED] == (rows[i].end == deed_lose ? 2 : 1));
		finish();
		end();
	}
}

static bool is_due(const struct session *session)
{
	return session && session->private->due;
}

/* What cannot be called back of an attempt holds up the next one, and nobody looks again and again
 * whether it has come back. */
static void waits_for_the_kernel(void **state)
{
	for (unsigned left = 0; left < 2; left++) {
		begin("starting again", "lost, and the kernel takes no request");
		log_in();
		check(run(at_rest, true));
		world.held_operation = KERNEL_START_CONNECTION;
		lose(KERNEL_ERROR_CLOSED);
		check(run(is_held, true));
		world.submit_error = -ENOMEM;
		lose(KERNEL_ERROR_CLOSED);
		check(run(is_RETRYING, false));
		check(session_now()->private->pending > 0);
		hurry();
		check(run(is_due, false));
		check(session_now()->phase == SESSION_RETRYING && !session_now()->private->timer);
		if (left)
			log_out(true);
		fake_release();
		check(run(left ? gone : at_rest, true));
		check(t.events[EVENT_RECONNECTED] == !left && world.logins == 3U - left);
		finish();
		end();
	}
}

static void gives_up_what_will_not(void **state)
{
	begin("give up", "authentication failure");
	world.status_class = 2;
	world.status_detail = 1;
	log_in();
	check(run(gone, true));
	check(t.login.failed == 1 && t.events[EVENT_LOGIN_REQUEST_FAILED] == 1);
	check(t.events[EVENT_LOGIN_FAILED] == 1 && t.events[EVENT_CHAP_REQUIRED] == 1);
	check(outcome_is(EVENT_LOGIN_FAILED, EVENT_OUTCOME_FAILED) &&
	      outcome_is(EVENT_CHAP_REQUIRED, EVENT_OUTCOME_FAILED));
	check(t.events[EVENT_SESSION_ESTABLISHED] == 0 && world.n_sids == 0);
	finish();
	end();
}

/*
 * Host and storage were switched on together: the target is not there yet, or, as COMSTAR says,
 * not any more.
 */
static void waits_for_a_target(void **state)
{
	for (unsigned detail = 3; detail <= 4; detail++) {
		begin("patience", "by hand");
		world.status_class = 2;
		world.status_detail = detail;
		log_in();
		check(run(gone, true));
		check(t.login.failed == 1 && t.events[EVENT_LOGIN_FAILED] == 1);
		finish();
		end();

		begin("patience", "automatic");
		world.status_class = 2;
		world.status_detail = detail;
		log_in();
		session_now()->private->persistent = true;
		session_now()->private->retry_max = -1;
		check(run(is_RETRYING, false));
		world.status_class = 0;
		check(run(at_rest, true));
		check(t.events[EVENT_LOGIN_FAILED] == 1 &&
		      t.events[EVENT_LOGIN_REQUEST_FAILED] == 0);
		check(outcome_is(EVENT_LOGIN_FAILED, EVENT_OUTCOME_RETRYING));
		finish();
		end();
	}
}

static bool redirected_for_ever(const struct session *session)
{
	world.redirects = true;
	return t.events[EVENT_REDIRECT_INVALID] > 0;
}

static void follows_redirections(void **state)
{
	begin("redirection", "once");
	world.redirects = true;
	log_in();
	check(run(at_rest, true));
	check(t.events[EVENT_LOGIN_REDIRECTED] == 1 && world.logins == 1);
	finish();
	end();

	begin("redirection", "in a circle");
	log_in();
	check(run(redirected_for_ever, true));
	check(t.events[EVENT_LOGIN_REDIRECTED] == LOGIN_REDIRECTS_MAX);
	world.redirects = false;
	finish();
	end();
}

/* A node of the records, with credentials. */
static struct node *node_with_chap(const char *algorithms)
{
	struct node *node;

	assert_int_equal(records_create(t.manager->records, &t.node.key, -1, &node), 0);
	assert_int_equal(settings_set_text(node->settings, "authentication.method", "chap", NULL),
			 0);
	assert_int_equal(settings_set_text(node->settings, "authentication.userName", "user", NULL),
			 0);
	if (algorithms)
		assert_int_equal(settings_set_text(node->settings, "authentication.algorithms",
						   algorithms, NULL),
				 0);
	assert_int_equal(secret_new("a secret that is long enough", 28, &node->secret), 0);
	return node;
}

/* Where logins go: portals are 127.0.0.1 and so on, the node's own is the first of them. */

static const char *const portals[1 + FAKE_PORTALS] = { "", "127.0.0.1", "127.0.0.2", "127.0.0.3",
						       "127.0.0.4" };

struct move {
	unsigned to;
	bool for_good;
	unsigned status; /* refuses all others */
	bool closes;
};

static const struct journey {
	const char *name;
	unsigned remembered; /* before */
	struct move moves[5];
	unsigned ends;      /* where the session is then; 0: there is none */
	unsigned remembers; /* from then on */
	unsigned asked[5];  /* how often each portal was asked to log in */
} journeys[] = {
	{ "nowhere else", 0, { { 0 } }, 1, 0, { 0, 1 } },
	{ "for the moment", 0, { [1] = { .to = 2 } }, 2, 0, { 0, 1, 1 } },
	{ "for good", 0, { [1] = { 2, true } }, 2, 2, { 0, 1, 1 } },
	{ "for good, in vain",
	  0,
	  { [1] = { 2, true }, [2] = { .status = 0x0202 } },
	  0,
	  0,
	  { 0, 1, 1 } },
	{ "for good, twice", 0, { [1] = { 2, true }, [2] = { 3, true } }, 3, 3, { 0, 1, 1, 1 } },
	{ "for good behind the moment",
	  0,
	  { [1] = { 2 }, [2] = { 3, true } },
	  3,
	  0,
	  { 0, 1, 1, 1 } },
	{ "the moment behind for good",
	  0,
	  { [1] = { 2, true }, [2] = { 3 } },
	  3,
	  0,
	  { 0, 1, 1, 1 } },
	{ "remembered", 2, { [1] = { .closes = true } }, 2, 2, { 0, 0, 1 } },
	{ "remembered, for the moment elsewhere", 2, { [2] = { 3 } }, 3, 2, { 0, 0, 1, 1 } },
	{ "remembered, for good elsewhere", 2, { [2] = { 3, true } }, 3, 3, { 0, 0, 1, 1 } },
	{ "remembered, moved back", 2, { [2] = { 1, true } }, 1, 0, { 0, 1, 1 } },
	{ "remembered, closed", 2, { [2] = { .closes = true } }, 1, 0, { 0, 1, 0 } },
	{ "remembered, refused", 2, { [2] = { .status = 0x0203 } }, 1, 0, { 0, 1, 1 } },
	{ "remembered, refused, for good elsewhere",
	  2,
	  { [1] = { 3, true }, [2] = { .status = 0x0301 } },
	  3,
	  3,
	  { 0, 1, 1, 1 } },
	{ "remembered, refused, for good there again",
	  2,
	  { [1] = { 2, true }, [2] = { .status = 0x0301 } },
	  0,
	  2,
	  { 0, 1, 2 } },
	{ "remembered, closed, for the moment elsewhere",
	  2,
	  { [1] = { 3 }, [2] = { .closes = true } },
	  3,
	  0,
	  { 0, 1, 0, 1 } },
	{ "remembered, refused, refused",
	  2,
	  { [1] = { .status = 0x0202 }, [2] = { .status = 0x0202 } },
	  0,
	  2,
	  { 0, 1, 1 } },
	{ "remembered, and from there in a circle",
	  2,
	  { [2] = { 3 }, [3] = { 2 } },
	  1,
	  0,
	  { 0, 1, 3, 2 } },
};

static struct node *node_with_redirect(unsigned portal)
{
	struct node *node;

	assert_int_equal(records_create(t.manager->records, &t.node.key, -1, &node), 0);
	if (*portals[portal])
		assert_int_equal(
			records_set_redirect(t.manager->records, node, portals[portal], world.port),
			0);
	return node;
}

static void prepare_portals(const struct journey *journey)
{
	for (unsigned i = 1; i <= FAKE_PORTALS; i++) {
		world.portals[i].moved_to = journey->moves[i].to;
		world.portals[i].for_good = journey->moves[i].for_good;
		world.portals[i].status = journey->moves[i].status;
		world.portals[i].closes = journey->moves[i].closes;
	}
}

static void check_remembered(const struct node *node, unsigned portal)
{
	check(!portal == !node->redirect_address && !portal == !node->redirect_usec);
	check(!portal || (strcmp(node->redirect_address, portals[portal]) == 0 &&
			  node->redirect_port == world.port));
}

static void remembers_where_targets_have_moved(void **state)
{
	static const enum event_number failures[] = {
		EVENT_CONNECT_FAILED,
		EVENT_LOGIN_FAILED,
		EVENT_REDIRECT_INVALID,
		EVENT_DROPPED_BEFORE_FULL_FEATURE,
	};

	for (size_t i = 0; i < ELEMENTSOF(journeys); i++) {
		const struct journey *journey = &journeys[i];
		unsigned told = journey->remembers != journey->remembered;
		struct session *session;
		struct node *node;

		begin("redirection", journey->name);
		node = node_with_redirect(journey->remembered);
		prepare_portals(journey);
		assert_int_equal(manager_login(t.manager, node, 0, &login_watch, &session), 0);
		t.login.wished = true;
		check(run(at_rest, false));
		check(t.login.failed == (journey->ends == 0));
		for (unsigned n = 1; n <= FAKE_PORTALS; n++)
			check(world.portals[n].asked == journey->asked[n]);
		check(!session_now() ||
		      strcmp(session_address(session_now()), portals[journey->ends]) == 0);
		check_remembered(node, journey->remembers);
		check(t.events[EVENT_REDIRECT_REMEMBERED] == (journey->remembers ? told : 0));
		check(t.events[EVENT_REDIRECT_FORGOTTEN] == (journey->remembers ? 0 : told));
		check(t.events[EVENT_LOGIN_REQUEST_FAILED] == (journey->ends == 0));
		/* Where it went wrong at first it did not end. */
		for (size_t n = 0; n < ELEMENTSOF(failures) && journey->ends > 0; n++)
			check(!t.outcomes[failures[n]] ||
			      outcome_is(failures[n], EVENT_OUTCOME_CONTINUED));
		finish();
		end();
	}
}

/* A re-login begins where the target has moved to, and is redirected like a first one. */
static void goes_on_elsewhere_in_a_recovery(void **state)
{
	struct session *session;
	struct node *node;

	begin("redirection", "in a recovery");
	node = node_with_redirect(0);
	assert_int_equal(manager_login(t.manager, node, 0, &login_watch, &session), 0);
	t.login.wished = true;
	check(run(at_rest, true));
	world.portals[1].moved_to = 2;
	world.portals[1].for_good = true;
	lose(KERNEL_ERROR_CLOSED);
	check(run(is_RETRYING, false) && run(at_rest, true));
	check(session_now()->reconnects == 1 && session_now()->redirect.permanent);
	check(strcmp(session_address(session_now()), portals[2]) == 0);
	check_remembered(node, 2);
	check(world.portals[1].asked == 2 && world.portals[2].asked == 1);

	t.deed = "in the next one";
	lose(KERNEL_ERROR_CLOSED);
	check(run(is_RETRYING, false) && run(at_rest, true));
	check(world.portals[1].asked == 2 && world.portals[2].asked == 2);

	t.deed = "and in the one after";
	lose(KERNEL_ERROR_CLOSED);
	check(run(is_RETRYING, false) && run(at_rest, true));
	check(world.portals[1].asked == 2 && world.portals[2].asked == 3);

	t.deed = "when nobody is there any more";
	world.portals[2].status = 0x0204;
	world.portals[1].moved_to = 0;
	lose(KERNEL_ERROR_CLOSED);
	check(run(is_RETRYING, false) && run(at_rest, true));
	check(t.events[EVENT_RECOVERY_FAILED] == 0 && session_now()->reconnects == 4);
	check(!session_now()->redirect.address[0]);
	check_remembered(node, 0);
	finish();
	end();
}

/* The name service is gone together with the disk; and is asked when the address has changed. */
static void comes_back_without_names(void **state)
{
	struct session *session;
	struct node node = t.node;
	unsigned failed;

	begin("names", "first");
	node.key.address = NAME;
	node.key.port = world.port;
	names.number = 1;
	names.asked = 0;
	assert_int_equal(manager_login(t.manager, &node, 0, &login_watch, &session), 0);
	t.login.wished = true;
	check(run(at_rest, true));
	check(names.asked == 1 && world.portals[1].asked == 1);

	t.deed = "no answer";
	names.number = 0;
	lose(KERNEL_ERROR_CLOSED);
	check(run(is_RETRYING, false) && run(at_rest, true));
	check(names.asked == 1 && world.portals[1].asked == 2);
	check(t.events[EVENT_RESOLVE_FAILED] == 0 && session_now()->reconnects == 1);

	t.deed = "no answer, and another address";
	session_know_address(session_now(), NAME, "255.255.255.255");
	lose(KERNEL_ERROR_CLOSED);
	while (t.events[EVENT_RECOVERY_FAILED] == 0)
		check(run(is_RETRYING, false) && run(is_RESOLVING, true) &&
		      run(is_RETRYING, false));
	check(t.events[EVENT_CONNECT_FAILED] == 1 && t.events[EVENT_RESOLVE_FAILED] == 1);
	check(outcome_is(EVENT_CONNECT_FAILED, EVENT_OUTCOME_CONTINUED) &&
	      outcome_is(EVENT_RESOLVE_FAILED, EVENT_OUTCOME_RETRYING));
	names.number = 1;
	check(run(at_rest, true));
	check(session_now()->reconnects == 2);

	t.deed = "another address";
	names.asked = 1;
	/* No connection can be made to that. */
	session_know_address(session_now(), NAME, "255.255.255.255");
	names.number = 2;
	lose(KERNEL_ERROR_CLOSED);
	check(run(is_RETRYING, false) && run(at_rest, true));
	check(names.asked == 2 && world.portals[2].asked == 1);
	check(strcmp(session_now()->private->known_address, portals[2]) == 0);
	check(t.events[EVENT_RECOVERY_FAILED] == 1 && session_now()->reconnects == 3);

	t.deed = "somebody else at the address";
	world.portals[2].status = 0x0203;
	names.number = 1;
	lose(KERNEL_ERROR_CLOSED);
	while (t.events[EVENT_RECOVERY_FAILED] == 1)
		check(run(is_RETRYING, false) && run(is_CONNECTING, true) &&
		      run(is_RETRYING, false));
	check(run(at_rest, true));
	check(names.asked == 3 && session_now()->reconnects == 4);
	check(strcmp(session_now()->private->known_address, portals[1]) == 0);

	t.deed = "refused, and no answer";
	world.portals[1].status = 0x0301;
	names.number = 0;
	lose(KERNEL_ERROR_CLOSED);
	while (t.events[EVENT_RESOLVE_FAILED] < 2)
		check(run(is_RETRYING, false) && run(is_RESOLVING, true) &&
		      run(is_RETRYING, false));
	world.portals[1].status = 0;
	check(run(at_rest, true));
	check(session_now()->reconnects == 5);

	t.deed = "somebody else there, and at the portal remembered";
	world.portals[1].status = world.portals[3].status = 0x0203;
	world.portals[2].status = 0;
	names.number = 2;
	session_now()->private->remembered =
		(struct login_redirect){ .port = world.port, .permanent = true };
	(void)strcpy(session_now()->private->remembered.address, portals[3]);
	failed = t.events[EVENT_RECOVERY_FAILED];
	lose(KERNEL_ERROR_CLOSED);
	while (t.events[EVENT_RECOVERY_FAILED] == failed)
		assert_true(sd_event_run(t.event, UINT64_MAX) >= 0);
	check(run(at_rest, true));
	check(t.events[EVENT_RECOVERY_FAILED] == failed + 1 && session_now()->reconnects == 6);
	check(strcmp(session_address(session_now()), NAME) == 0);

	t.deed = "somebody else there, who redirects";
	world.portals[1].status = 0;
	world.portals[2].moved_to = 3;
	names.number = 1;
	failed = t.events[EVENT_RECOVERY_FAILED];
	lose(KERNEL_ERROR_CLOSED);
	while (t.events[EVENT_RECOVERY_FAILED] == failed)
		assert_true(sd_event_run(t.event, UINT64_MAX) >= 0);
	check(run(at_rest, true));
	check(t.events[EVENT_RECOVERY_FAILED] == failed + 1 && session_now()->reconnects == 7);
	check(strcmp(session_now()->private->known_address, portals[1]) == 0);
	finish();
	end();
}

/* The daemon was restarted: the kernel knows where its sessions are. */
static void sees_where_a_session_is(void **state)
{
	static const struct {
		const char *address, *persistent, *shown;
		int64_t port;
		bool permanent;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1", "192.0.2.1", 3260, false },
		{ "192.0.2.2", "192.0.2.1", "192.0.2.2", 3260, false },
		{ "192.0.2.1", "192.0.2.1", "192.0.2.1", 3261, false },
		{ "127.0.0.2", "192.0.2.1", "127.0.0.2", 860, true },
		{ "2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1", "2001:db8::1", 3260,
		  false },
		/* What a name stood for, or another address of it? */
		{ "192.0.2.1", NAME, NAME, 3260, false },
		{ "", "192.0.2.1", "192.0.2.1", -1, false },
	};

	begin("restart", "redirected before");
	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		struct node node = t.node;
		struct sysfs_session found = { .port = rows[i].port, .persistent_port = 3260 };
		struct session *session;
		bool redirected;

		(void)snprintf(found.address, sizeof(found.address), "%s", rows[i].address);
		(void)snprintf(found.persistent_address, sizeof(found.persistent_address), "%s",
			       rows[i].persistent);
		(void)snprintf(found.transport, sizeof(found.transport), "tcp");
		node.key.address = rows[i].persistent;
		node.key.port = 3260;
		node.redirect_address = (char *)"127.0.0.2";
		node.redirect_port = 860;
		assert_int_equal(session_new_found(t.manager, &found, &node, &session), 0);
		redirected = session->redirect.address[0];
		check(strcmp(session_address(session), rows[i].shown) == 0);
		check(redirected ==
		      (strcmp(rows[i].shown, rows[i].persistent) != 0 || rows[i].port == 3261));
		check(session->redirect.permanent == rows[i].permanent);
		check(strcmp(rows[i].persistent, NAME) != 0 ||
		      strcmp(session->private->known_address, rows[i].address) == 0);
		(void)session_free(session);
	}
	finish();
	end();
}

/* A portal that takes logins, and after them nothing: the other one has its turn. */
static void leaves_a_portal_that_does_not_work(void **state)
{
	struct session *session;
	struct node *node;

	begin("redirection", "to a portal that does not work");
	node = node_with_redirect(2);
	world.refused_operation = KERNEL_START_CONNECTION;
	world.refusal = -EIO;
	assert_int_equal(manager_login(t.manager, node, 1, &login_watch, &session), 0);
	t.login.wished = true;
	check(run(is_RETRYING, false));
	check(world.portals[1].asked == 0 && world.portals[2].asked == 1);
	check_remembered(node, 2);
	world.refused_operation = -1;
	check(run(at_rest, true));
	check(world.portals[1].asked == 1 && world.portals[2].asked == 1);
	check_remembered(node, 0);
	finish();
	end();
}

static bool refused_once(const struct session *session)
{
	return t.events[EVENT_LOGIN_FAILED] == 1;
}

/* What is refused for good and goes on elsewhere, or otherwise, is not given up when that fails. */
static void gives_up_nothing_too_early(void **state)
{
	struct node node = t.node;
	struct session *session;

	begin("redirection", "refused for good, and nobody there");
	node.key.port = 1;
	node.redirect_address = (char *)portals[2];
	node.redirect_port = world.port;
	world.portals[2].status = 0x0202;
	assert_int_equal(manager_login(t.manager, &node, 1, &login_watch, &session), 0);
	t.login.wished = true;
	check(run(is_RETRYING, false));
	check(outcome_is(EVENT_LOGIN_FAILED, EVENT_OUTCOME_CONTINUED) &&
	      outcome_is(EVENT_CONNECT_FAILED, EVENT_OUTCOME_RETRYING));
	world.portals[2].status = 0;
	check(run(at_rest, true));
	check(world.portals[2].asked == 2);
	finish();
	end();

	begin("CHAP", "the list is refused, and nobody is there any more");
	world.with_list = FAKE_REFUSES;
	assert_int_equal(manager_login(t.manager, node_with_chap(NULL), 1, &login_watch, &session),
			 0);
	t.login.wished = true;
	check(run(refused_once, true));
	stop_listening();
	check(run(is_RETRYING, false));
	check(outcome_is(EVENT_LOGIN_FAILED, EVENT_OUTCOME_CONTINUED) &&
	      outcome_is(EVENT_CONNECT_FAILED, EVENT_OUTCOME_RETRYING));
	check(run(gone, true));
	check(t.events[EVENT_CONNECT_FAILED] == 2);
	finish();
	end();
}

/* Without any further attempt. */
static void log_in_to(const struct node *node)
{
	struct session *session;

	memset(&t.login, 0, sizeof(t.login));
	world.lists = world.md5s = 0;
	assert_int_equal(manager_login(t.manager, node, 0, &login_watch, &session), 0);
	t.login.wished = true;
	check(run(at_rest, false));
}

static void log_out_again(void)
{
	memset(&t.logout, 0, sizeof(t.logout));
	log_out(true);
	check(run(gone, true));
}

/* What refused a list is offered MD5 alone at once, and from the start the next time. */
static void falls_back_to_md5(void **state)
{
	struct node *node;

	begin("CHAP", "the list is refused");
	node = node_with_chap(NULL);
	world.with_list = FAKE_REFUSES;
	log_in_to(node);
	check(t.login.ended == 1 && t.login.failed == 0);
	check(world.lists == 1 && world.md5s == 1);
	check(session_now()->result.chap_algorithm == CHAP_ALGORITHM_MD5);
	check(t.events[EVENT_LOGIN_FAILED] == 1 && t.events[EVENT_CHAP_MD5_ALONE] == 1);
	check(t.events[EVENT_LOGIN_REQUEST_FAILED] == 0);
	check(node->md5_only_usec > 0);

	t.deed = "it is known in a recovery";
	lose(KERNEL_ERROR_CLOSED);
	check(run(is_RETRYING, false));
	check(run(at_rest, true));
	check(world.lists == 1 && world.md5s == 2 && t.events[EVENT_CHAP_MD5_ALONE] == 2);

	t.deed = "it is known in another login";
	log_out_again();
	log_in_to(node);
	check(world.lists == 0 && world.md5s == 1 && t.events[EVENT_LOGIN_FAILED] == 1);
	check(t.events[EVENT_CHAP_MD5_ALONE] == 3);

	t.deed = "MD5 alone is refused, too";
	log_out_again();
	world.with_list = FAKE_TAKES;
	world.with_md5 = FAKE_REFUSES;
	log_in_to(node);
	check(world.lists == 1 && world.md5s == 1 && node->md5_only_usec == 0);
	check(t.login.failed == 0);

	t.deed = "a change makes it forget";
	log_out_again();
	records_set_md5_only(t.manager->records, node, true);
	check(node->md5_only_usec > 0);
	records_changed(t.manager->records, node, false);
	check(node->md5_only_usec == 0);
	log_in_to(node);
	check(world.lists == 1 && world.md5s == 0);
	finish();
	end();
}

/* Sent through the kernel, where the connection is that of the session. */
static void falls_back_in_a_recovery(void **state)
{
	struct node *node;

	begin("CHAP", "the list is refused in a recovery");
	node = node_with_chap(NULL);
	log_in_to(node);
	check(world.lists == 1 && world.md5s == 0);
	world.with_list = FAKE_REFUSES;
	lose(KERNEL_ERROR_CLOSED);
	check(run(is_RETRYING, false));
	check(run(at_rest, true));
	check(world.lists == 2 && world.md5s == 1 && t.events[EVENT_RECOVERY_FAILED] == 0);
	check(node->md5_only_usec > 0 && session_now()->reconnects == 1);
	finish();
	end();
}

/* A connection that is closed may have other causes: tried, and not believed. */
static void falls_back_without_remembering(void **state)
{
	struct node *node;

	begin("CHAP", "the connection is closed on the list");
	node = node_with_chap(NULL);
	world.with_list = FAKE_CLOSES;
	log_in_to(node);
	check(t.login.failed == 0 && world.lists == 1 && world.md5s == 1);
	check(t.events[EVENT_DROPPED_BEFORE_FULL_FEATURE] == 1);
	check(t.events[EVENT_CHAP_MD5_ALONE] == 1 && node->md5_only_usec == 0);

	t.deed = "it is known, and the connection is closed on MD5";
	log_out_again();
	records_set_md5_only(t.manager->records, node, true);
	world.with_md5 = FAKE_CLOSES;
	log_in_to(node);
	check(t.login.failed == 1 && world.lists == 0 && world.md5s == 1);
	check(node->md5_only_usec > 0);
	finish();
	end();
}

static void falls_back_once(void **state)
{
	struct node *node;

	begin("CHAP", "everything is refused");
	node = node_with_chap(NULL);
	world.with_list = world.with_md5 = FAKE_REFUSES;
	log_in_to(node);
	check(t.login.failed == 1 && world.lists == 1 && world.md5s == 1);
	check(t.events[EVENT_LOGIN_FAILED] == 2 && t.events[EVENT_LOGIN_REQUEST_FAILED] == 1);
	check(node->md5_only_usec == 0);
	finish();
	end();

	begin("CHAP", "each attempt begins with the list");
	node = node_with_chap(NULL);
	world.with_list = FAKE_CLOSES;
	world.with_md5 = FAKE_CLOSES;
	log_in();
	check(run(gone, true));
	check(t.login.failed == 1 && world.lists == 3 && world.md5s == 3);
	finish();
	end();
}

/* Never where the settings do not list MD5, not where they list nothing else, and not if strict. */
static void falls_back_to_what_is_listed(void **state)
{
	static const struct {
		const char *algorithms, *strict;
		unsigned lists, md5s;
	} rows[] = {
		{ "sha3_256 sha256 sha1", "false", 1, 0 },
		{ "md5", "false", 0, 1 },
		{ "md5 sha1", "false", 1, 1 },
		{ "md5 sha1", "true", 1, 0 },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		struct node *node;

		begin("CHAP", rows[i].algorithms);
		node = node_with_chap(rows[i].algorithms);
		assert_int_equal(settings_set_text(node->settings, "strict", rows[i].strict, NULL),
				 0);
		world.with_list = world.with_md5 = FAKE_REFUSES;
		log_in_to(node);
		check(world.lists == rows[i].lists && world.md5s == rows[i].md5s);
		/* Not even if it is known. */
		records_set_md5_only(t.manager->records, node, true);
		log_in_to(node);
		check(world.lists == rows[i].lists && world.md5s == rows[i].md5s);
		finish();
		end();
	}
}

static void misses_the_module(void **state)
{
	begin("module", "missing");
	fake_delete("class/iscsi_transport");
	world.module_error = -ENOENT;
	log_in();
	check(run(gone, true));
	check(t.login.failed == 1 && t.events[EVENT_TRANSPORT_UNAVAILABLE] == 3);
	world.module_error = 0;
	finish();
	end();
	fake_load("tcp");
	fake_load("iser");
}

static void tells_what_the_kernel_refuses(void **state)
{
	static const struct {
		enum kernel_operation operation;
		int error;
		enum event_number number;
	} rows[] = {
		{ KERNEL_CREATE_SESSION, -ENOMEM, EVENT_SESSION_RESOURCES },
		{ KERNEL_CREATE_CONNECTION, -ENOMEM, EVENT_CONNECTION_RESOURCES },
		{ KERNEL_BIND_CONNECTION, -ENOMEM, EVENT_CONNECTION_RESOURCES },
		{ KERNEL_SET_PARAMETER, -EINVAL, EVENT_CONNECTION_RESOURCES },
		{ KERNEL_SET_PARAMETER, -ENOMEM, EVENT_IO_RESOURCES },
		{ KERNEL_SET_PARAMETER, -ENOTCONN, EVENT_DROPPED_BEFORE_FULL_FEATURE },
		{ KERNEL_START_CONNECTION, -EINVAL, EVENT_CONNECTION_RESOURCES },
		{ KERNEL_START_CONNECTION, -ENOMEM, EVENT_IO_RESOURCES },
		{ KERNEL_START_CONNECTION, -ENOBUFS, EVENT_IO_RESOURCES },
		{ KERNEL_START_CONNECTION, -EFAULT, EVENT_ADDRESS_MAPPING },
		{ KERNEL_SEND_PDU, -EPERM, EVENT_SEND_FAILED },
		{ KERNEL_SEND_PDU, -EAGAIN, EVENT_TAG_RESOURCES },
		{ KERNEL_SEND_PDU, -EBUSY, EVENT_TAG_RESOURCES },
		{ KERNEL_SEND_PDU, -ENOMEM, EVENT_SEND_RESOURCES },
		{ KERNEL_SEND_PDU, -ENOBUFS, EVENT_SEND_RESOURCES },
		{ KERNEL_SEND_PDU, -EFAULT, EVENT_ADDRESS_MAPPING },
	};
	unsigned raised[128] = { 0 };

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		begin("refused", kernel_operation_to_string(rows[i].operation));
		world.refused_operation = (int)rows[i].operation;
		world.refusal = rows[i].error;
		log_in();
		check(run(gone, true));
		check(t.login.failed == 1 && t.events[rows[i].number] == 3);
		raised[rows[i].number] += t.events[rows[i].number];
		check(t.events[EVENT_SESSION_ESTABLISHED] == 0);
		check(t.events[EVENT_LOGIN_REQUEST_FAILED] == 1);
		finish();
		end();
	}
	/* No kernel of today tells these apart: each refusal of a PDU is EPERM. */
	memcpy(t.events, raised, sizeof(raised));
	check_raised(EVENT_SEND_RESOURCES);
	check_raised(EVENT_ADDRESS_MAPPING);
	check_raised(EVENT_IO_RESOURCES);
	check_raised(EVENT_TAG_RESOURCES);
}

/* The same of what only these transports ask for; what the kernel was given goes away again. */
static void tells_why_it_does_not_connect(void **state)
{
	static const struct {
		enum kernel_operation operation;
		int error;
		enum event_number number;
	} rows[] = {
		{ KERNEL_CONNECT_ENDPOINT, -ENOSPC, EVENT_CONNECTION_RESOURCES },
		{ KERNEL_CONNECT_ENDPOINT, -EBUSY, EVENT_CONNECTION_RESOURCES },
		{ KERNEL_CONNECT_ENDPOINT, -ENOMEM, EVENT_CONNECTION_RESOURCES },
		{ KERNEL_CONNECT_ENDPOINT, -EAGAIN, EVENT_CONNECTION_RESOURCES },
		{ KERNEL_CONNECT_ENDPOINT, -ENODEV, EVENT_PORTAL_SETUP_FAILED },
		{ KERNEL_CONNECT_ENDPOINT, -ENXIO, EVENT_PORTAL_SETUP_FAILED },
		{ KERNEL_CONNECT_ENDPOINT, -EINVAL, EVENT_PORTAL_SETUP_FAILED },
		{ KERNEL_CONNECT_ENDPOINT, -EFAULT, EVENT_ADDRESS_MAPPING },
		{ KERNEL_CONNECT_ENDPOINT, -EHOSTUNREACH, EVENT_CONNECT_FAILED },
		/* No such requests for a path. */
		{ KERNEL_CONNECT_ENDPOINT, -ESRCH, EVENT_CONNECT_FAILED },
		{ KERNEL_POLL_ENDPOINT, -1, EVENT_CONNECT_FAILED },
		{ KERNEL_CREATE_SESSION, -ENOMEM, EVENT_SESSION_RESOURCES },
		{ KERNEL_CREATE_CONNECTION, -ENOMEM, EVENT_CONNECTION_RESOURCES },
		{ KERNEL_BIND_CONNECTION, -EINVAL, EVENT_CONNECTION_RESOURCES },
		{ KERNEL_SEND_PDU, -EPERM, EVENT_SEND_FAILED },
		{ KERNEL_START_CONNECTION, -EFAULT, EVENT_ADDRESS_MAPPING },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		begin("not connected", strerror(-rows[i].error));
		world.refused_operation = (int)rows[i].operation;
		world.refusal = rows[i].error;
		log_in();
		check(run(gone, true));
		check(t.login.failed == 1 && t.events[rows[i].number] == 3);
		check(t.events[EVENT_SESSION_ESTABLISHED] == 0);
		check(t.events[EVENT_LOGIN_REQUEST_FAILED] == 1);
		finish();
		end();
	}
}

/* An adapter that does not tell: its silence ends in time, and is not asked about all the time. */
static void waits_for_a_connection(void **state)
{
	assert_int_equal(settings_set_text(t.node.settings, "connectTimeoutSeconds", "1", NULL), 0);
	begin("connecting", "no end of it");
	world.never_connects = true;
	log_in();
	check(run(gone, true));
	check(t.login.failed == 1 && t.events[EVENT_CONNECT_FAILED] == 3);
	/* After a millisecond at first, later after a quarter of the time that it has taken. */
	check(world.endpoints[1].asked >= 8 && world.endpoints[1].asked <= 30);
	finish();
	end();
}

/* An adapter that logs in by itself */

static void lets_an_adapter_log_in(void **state)
{
	begin("adapter", "life");
	memset(world.parameters, 0xff, sizeof(world.parameters));
	log_in();
	check(run(at_rest, true));
	check(world.logins == 1 && t.events[EVENT_SESSION_ESTABLISHED] == 1);
	check(!session_now()->result_known && !session_now()->isid_known);
	check(world.parameters[KERNEL_PARAM_NOOP_INTERVAL] == -1 &&
	      world.parameters[KERNEL_PARAM_SESSION_RECOVERY_TIMEOUT] == 120);
	lose(KERNEL_ERROR_CONNECTION);
	check(run(is_RETRYING, false) && run(at_rest, true));
	check(world.logins == 2 && t.events[EVENT_RECONNECTED] == 1);
	/* A ping is one more start, and needs no answer. */
	session_ping(session_now());
	check(session_now()->private->ping);
	hurry_timer(session_now()->private->ping);
	while (session_now()->private->ping)
		assert_true(sd_event_run(t.event, 1000000) >= 0);
	check(run(at_rest, true) && t.events[EVENT_CONNECTION_LOST] == 1);

	t.deed = "does not answer for itself";
	world.refused_operation = KERNEL_START_CONNECTION;
	world.refusal = -EINVAL;
	session_ping(session_now());
	hurry_timer(session_now()->private->ping);
	run_until_raised(EVENT_CONNECTION_LOST, 2, true);
	fake_release();
	check(run(at_rest, true));

	t.deed = "keeps its objects";
	world.refused_operation = KERNEL_DESTROY_SESSION;
	world.refusal = -EBUSY;
	log_out(false);
	check(run(gone, true));
	check(t.logout.ended == 1 && t.logout.failed == 0);
	check(t.events[EVENT_SESSION_CLOSED] == 1);
	end();
}

static void hears_an_adapter_out(void **state)
{
	begin("adapter", "fails");
	world.login_fails = true;
	log_in();
	check(run(gone, true));
	check(world.logins == 3 && t.login.failed == 1);
	check_raised(EVENT_ADAPTER_LOGIN_FAILED);
	check(t.events[EVENT_ADAPTER_LOGIN_FAILED] == 3 && world.n_sids == 3);
	check(t.events[EVENT_LOGIN_REQUEST_FAILED] == 1);
	finish();
	end();

	begin("adapter", "does not tell");
	world.lost_login = true;
	log_in();
	check(run(gone, true));
	check(t.events[EVENT_LOGIN_TIMEOUT] == 3 && t.events[EVENT_REQUEST_TIMEOUT] == 0);
	finish();
	end();

	begin("adapter", "tells before the kernel answers");
	world.held_operation = KERNEL_START_CONNECTION;
	world.held_done = true;
	log_in();
	check(run(is_held, true));
	while (session_now()->private->adapter_login != ADAPTER_LOGIN_SUCCEEDED)
		assert_true(sd_event_run(t.event, 1000000) >= 0);
	fake_release();
	check(run(at_rest, false));
	check(world.logins == 1);
	/* It mends the connection by itself while the first attempt is waited for. */
	assert_int_equal(settings_set_text(t.node.settings, "keys.defaultTime2Wait", "3600", NULL),
			 0);
	lose(KERNEL_ERROR_CONNECTION);
	check(run(is_RETRYING, false));
	fake_tell(KERNEL_EVENT_LOGIN_STATE, session_now()->sid)->error =
		KERNEL_LOGIN_STATE_LOGGED_IN;
	check(run(at_rest, false));
	finish();
	end();

	begin("adapter", "has a session already");
	world.refused_operation = KERNEL_START_CONNECTION;
	world.refusal = -EEXIST;
	log_in();
	check(run(gone, true));
	check(world.n_sids == 1 && t.events[EVENT_LOGIN_REQUEST_FAILED] == 1);
	check(t.events[EVENT_CONNECTION_RESOURCES] == 0);
	finish();
	end();
}

/* What a node insists on, before anything is made. */
static void refuses_what_an_adapter_cannot_do(void **state)
{
	static const char long_secret[] =
		"0123456789 0123456789 0123456789 0123456789 0123456789 01234"
		"56789 0123456789 0123456789 0123456789 0";
	static const struct {
		const char *name, *value, *secret, *target_secret, *target_name;
		size_t length;
		bool taken;
	} rows[] = {
		{ "headerDigestRequired", "yes" },
		{ "dataDigestRequired", "yes" },
		{ "initiatorName", "iqn.2026-11.org.example:other" },
		{ "authentication.method", "chap" },
		{ "authentication.method", "chap", "a long secret", .taken = true },
		{ "authentication.method", "chap", "a zero\0in it", .length = 12 },
		{ "authentication.method", "chap", long_secret, .length = 100 },
		{ "authentication.method", "chap", long_secret, .length = 99, .taken = true },
		{ "authentication.method", "chap", "a long secret", "another secret" },
		{ "authentication.method", "mutual_chap", "a long secret", NULL, "them" },
		{ "authentication.method", "mutual_chap", "a long secret", "another secret", "them",
		  .taken = true },
		{ "authentication.algorithms", "sha256", "a long secret" },
		{ "authentication.algorithms", "sha256 md5", "a long secret", .taken = true },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		size_t length = rows[i].length;

		if (rows[i].secret) {
			length = length ?: strlen(rows[i].secret);
			assert_int_equal(secret_new(rows[i].secret, length, &t.node.secret), 0);
			assert_int_equal(settings_set_text(t.node.settings, "authentication.method",
							   "chap", NULL),
					 0);
			assert_int_equal(settings_set_text(t.node.settings,
							   "authentication.userName", "us", NULL),
					 0);
		}
		if (rows[i].target_secret)
			assert_int_equal(secret_new(rows[i].target_secret,
						    strlen(rows[i].target_secret),
						    &t.node.target_secret),
					 0);
		if (rows[i].target_name)
			assert_int_equal(settings_set_text(t.node.settings,
							   "authentication.targetUserName",
							   rows[i].target_name, NULL),
					 0);
		assert_int_equal(
			settings_set_text(t.node.settings, rows[i].name, rows[i].value, NULL), 0);
		begin(rows[i].name, rows[i].value);
		log_in();
		check(run(rows[i].taken ? at_rest : gone, true));
		check(t.events[EVENT_PORTAL_SETUP_FAILED] == !rows[i].taken);
		check(world.n_sids == rows[i].taken);
		finish();
		end();
		t.node.secret = secret_free(t.node.secret);
		t.node.target_secret = secret_free(t.node.target_secret);
		(void)settings_reset(t.node.settings, rows[i].name);
		(void)settings_reset(t.node.settings, "authentication.method");
		(void)settings_reset(t.node.settings, "authentication.userName");
		(void)settings_reset(t.node.settings, "authentication.targetUserName");
	}
}

/* Which port of an adapter connects, where the driver has to be told. */
static void chooses_a_port(void **state)
{
	static const struct {
		unsigned n_hosts;
		const char *wanted;
		int64_t chosen; /* -1: none */
	} rows[] = {
		{ 0, NULL, -1 },
		{ 1, NULL, 0 },
		{ 1, "00:00:5e:00:53:00", 0 },
		{ 1, "00:00:5e:00:53:01", -1 },
		{ 2, NULL, -1 },
		{ 2, "00:00:5E:00:53:01", 1 },
	};

	fake_load("be2iscsi");
	put_host(7, "iscsi_tcp", "00:00:5e:00:53:00");
	assert_int_equal(settings_set_text(t.node.settings, "transport", "be2iscsi", NULL), 0);
	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		if (rows[i].n_hosts > 0)
			put_host(0, "be2iscsi", "00:00:5e:00:53:00");
		if (rows[i].n_hosts > 1)
			put_host(1, "be2iscsi", "00:00:5e:00:53:01");
		(void)settings_reset(t.node.settings, "adapter");
		if (rows[i].wanted)
			assert_int_equal(
				settings_set_text(t.node.settings, "adapter", rows[i].wanted, NULL),
				0);
		begin("port", rows[i].wanted ?: "any");
		world.host = KERNEL_HOST_ANY;
		log_in();
		if (rows[i].chosen < 0) {
			check(run(gone, true));
			check(t.events[EVENT_PORTAL_SETUP_FAILED] == 3);
			check(world.host == KERNEL_HOST_ANY);
		} else {
			check(run(at_rest, true));
			check(world.host == (uint32_t)rows[i].chosen);
			/* What this adapter cannot do was not asked for. */
			check(session_now()->result.parameters.initial_r2t &&
			      session_now()->result.parameters.first_burst_length <= 8192 &&
			      session_now()->result.parameters.max_burst_length <= 262144);
			check(world.parameters[KERNEL_PARAM_MAX_RECV_DLENGTH] == 65536);
		}
		finish();
		end();
	}
}

/* The session goes with its adapter, and is not tried again. */
static void leaves_with_its_adapter(void **state)
{
	begin("logged in", "adapter removed");
	log_in();
	check(run(at_rest, true));
	lose(KERNEL_ERROR_INVALID_HOST);
	check(run(gone, true));
	check(t.events[EVENT_CONNECTION_LOST] == 1 &&
	      outcome_is(EVENT_CONNECTION_LOST, EVENT_OUTCOME_FAILED));
	check(t.events[EVENT_SESSION_CLOSED] == 1 && t.events[EVENT_RECOVERY_FAILED] == 0);
	check(world.logins == 1);
	finish();
	end();
}

/* A name is looked up in a thread, of which the host allows no more. */
static void lacks_a_thread(void **state)
{
	begin("thread", "not allowed");
	t.node.key.address = (char *)NAME;
	names.number = 1;
	no_threads = true;
	log_in();
	check(run(gone, true));
	no_threads = false;
	check(t.login.failed == 1 && t.events[EVENT_WORKITEM_RESOURCES] == 3);
	check_raised(EVENT_WORKITEM_RESOURCES);
	t.node.key.address = (char *)"127.0.0.1";
	finish();
	end();
}

/* The same for a session that is to come back, which is tried again. */
static void tells_what_the_kernel_refuses_again(void **state)
{
	static const struct {
		enum kernel_operation operation;
		enum event_number number;
	} rows[] = {
		{ KERNEL_BIND_CONNECTION, EVENT_CONNECTION_RESOURCES },
		{ KERNEL_SET_PARAMETER, EVENT_CONNECTION_RESOURCES },
		{ KERNEL_START_CONNECTION, EVENT_CONNECTION_RESOURCES },
		{ KERNEL_SEND_PDU, EVENT_SEND_FAILED },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		begin("refused again", kernel_operation_to_string(rows[i].operation));
		log_in();
		check(run(at_rest, true));
		world.refused_operation = (int)rows[i].operation;
		world.refusal = -EPERM;
		lose(KERNEL_ERROR_CLOSED);
		while (t.events[EVENT_RECOVERY_FAILED] == 0)
			check(run(is_RETRYING, false) && run(is_CONNECTING, true) &&
			      run(is_RETRYING, false));
		check(t.events[rows[i].number] == 1 &&
		      outcome_is(rows[i].number, EVENT_OUTCOME_RETRYING));
		check(session_now()->failure.event == rows[i].number);
		check(t.events[EVENT_DROPPED_BEFORE_FULL_FEATURE] == 0 &&
		      t.events[EVENT_LOGIN_REQUEST_FAILED] == 0);
		world.refused_operation = -1;
		check(run(at_rest, true));
		check(session_now()->reconnects == 1);
		finish();
		end();
	}
}

/* The session works all the same. */
static void tells_what_is_not_found(void **state)
{
	begin("scan", "a disk does not appear in time");
	world.scan_error = -ETIMEDOUT;
	log_in();
	check(run(at_rest, true));
	check_raised(EVENT_DEVICE_TIMEOUT);
	check(strcmp(t.device, "9:0:0:1") == 0 && strcmp(t.count, "1") == 0);
	check(t.login.ended == 1 && t.login.failed == 0);
	finish();
	end();
}

static void refuses_a_logout(void **state)
{
	begin("logout", "in use");
	log_in();
	check(run(at_rest, true));
	world.in_use = true;
	log_out(false);
	check(run(at_rest, true));
	check(t.logout.ended == 1 && t.logout.failed == 1 && session_now());
	check(world.logouts[PDU_LOGOUT_CLOSE_SESSION] == 0);
	finish();
	end();
}

/* Whether the file tells that a person logged out of the node. */
static bool is_told_logged_out(void)
{
	char path[128], text[1024];
	FILE *file;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/nodes.jsonl", t.directory);
	file = fopen(path, "r");
	if (!file)
		return false;
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	assert_int_equal(fclose(file), 0);
	return strstr(text, "loggedOutTimestampUSec");
}

static bool is_kept(const struct session *session)
{
	return !session->private->word && !session->private->storing;
}

/* It is in the file before the logout begins, and the session is not freed before it is. */
static void keeps_a_persons_word(void **state)
{
	struct session *session;
	struct node *node;

	begin("word", "kept");
	node = node_with_redirect(0);
	log_in();
	check(run(at_rest, true));
	log_out(true);
	check(session_now()->private->word && !session_now()->private->leaving);
	check(manager_login(t.manager, node, 0, NULL, &session) == -EBUSY);
	check(session_logout(session_now(), true, NULL) == -EALREADY);
	check(run(is_kept, false));
	check(session_now()->private->leaving && is_told_logged_out());
	check(node->logged_out_usec > 0);
	finish();
	end();

	begin("word", "connection lost before it is");
	node = node_with_redirect(0);
	log_in();
	check(run(at_rest, true));
	log_out(true);
	lose(KERNEL_ERROR_CLOSED);
	finish();
	check(t.events[EVENT_STORE_FAILED] == 0 && is_told_logged_out());
	check(node->logged_out_usec > 0);
	manager_take_login(t.manager, node);
	check(node->logged_out_usec == 0);
	end();

	begin("word", "after a logout for now");
	node = node_with_redirect(0);
	log_in();
	check(run(at_rest, true));
	check(session_logout(session_now(), SESSION_LOGOUT_FOR_NOW | SESSION_LOGOUT_FORCE, NULL) ==
	      0);
	check(session_now()->private->leaving && node->logged_out_usec == 0);
	check(session_logout(session_now(), SESSION_LOGOUT_FOR_NOW, NULL) == -EALREADY);
	check(node->logged_out_usec == 0);
	log_out(false);
	check(node->logged_out_usec > 0);
	finish();
	/* That does not wait for it. */
	while (!is_told_logged_out())
		assert_true(sd_event_run(t.event, UINT64_MAX) >= 0);
	end();

	begin("word", "while a logout for now looks whether it may");
	node = node_with_redirect(0);
	log_in();
	check(run(at_rest, true));
	check(session_logout(session_now(), SESSION_LOGOUT_FOR_NOW, NULL) == 0);
	log_out(false);
	check(session_now()->private->check && node->logged_out_usec == 0);
	finish();
	check(node->logged_out_usec > 0);
	end();

	begin("word", "never stored");
	(void)node_with_redirect(0);
	log_in();
	check(run(at_rest, true));
	log_out(true);
	/* The clock is faster than the disk. */
	check(sd_event_source_set_time_relative(session_now()->private->word, 0) >= 0);
	check(sd_event_source_set_priority(session_now()->private->word, -100) >= 0);
	finish();
	end();
}

/* Outages */

static bool is_tried_often(const struct session *session)
{
	return is_RETRYING(session) && session->recovering && session->attempt >= 4;
}

static bool is_revived(const struct session *session)
{
	return session && !session->private->revival;
}

static void tells_of_an_outage(void **state)
{
	struct iscsi_parameters *agreed;

	begin("outage", "refused for good");
	log_in();
	check(run(at_rest, true));
	agreed = &session_now()->private->agreed;
	check(session_now()->private->agreed_known);
	agreed->max_burst_length++;
	agreed->data_digest = false;
	world.portals[1].status = 0x0203;
	world.offline = true;
	lose(KERNEL_ERROR_CLOSED);
	check(run(is_tried_often, true));
	/* Once, however often it fails. */
	check(t.events[EVENT_CONNECTION_LOST] == 1 && t.events[EVENT_RECOVERY_FAILED] == 1);
	check(t.events[EVENT_LOGIN_FAILED] == 1);
	check(outcome_is(EVENT_RECOVERY_FAILED, EVENT_OUTCOME_RETRYING));
	check(session_next_attempt(session_now()) >= turn_usec(CLOCK_REALTIME) + 7 * SECOND_USEC);
	/* After an hour again. */
	session_now()->private->told_usec -= 3601 * SECOND_USEC;
	for (unsigned attempt = session_now()->attempt;
	     !is_tried_often(session_now()) || session_now()->attempt == attempt;)
		check(run(is_CONNECTING, true) && run(is_RETRYING, true));
	check(t.events[EVENT_RECOVERY_FAILED] == 2);
	world.portals[1].status = 0;
	check(run(at_rest, true));
	check(t.events[EVENT_RECONNECTED] == 1);
	check(t.events[EVENT_NEGOTIATION_CHANGED] == 1);
	check(!session_now()->private->agreed.data_digest && !world.stable);
	check(run(is_revived, true));
	check_raised(EVENT_DEVICE_REVIVED);
	finish();
	end();
}

static unsigned attempts_wanted;

static bool is_tried_so_often(const struct session *session)
{
	return is_RETRYING(session) && session->recovering && session->attempt >= attempts_wanted;
}

/* Twice as long each time, up to what depends on whether the target refuses for good. */
static void waits_longer_and_longer(void **state)
{
	static const struct {
		const char *name;
		unsigned status, most;
	} rows[] = {
		{ "removed", 0x0204, 300 },
		{ "out of resources", 0x0302, 30 },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		uint64_t least = SECOND_USEC, most = rows[i].most * SECOND_USEC, wait;

		begin("outage", rows[i].name);
		log_in();
		check(run(at_rest, true));
		world.portals[1].status = rows[i].status;
		lose(KERNEL_ERROR_CLOSED);
		for (attempts_wanted = 1; attempts_wanted <= 10; attempts_wanted++) {
			check(run(is_tried_so_often, true));
			check(session_now()->attempt == attempts_wanted);
			wait = session_now()->next_attempt_usec - turn_usec(CLOCK_MONOTONIC);
			/* It began a moment ago, and is up to a quarter longer. */
			check(wait > least - SECOND_USEC / 2 && wait <= least + least / 4);
			least = 2 * least < most ? 2 * least : most;
		}
		check(least == most);
		check(t.events[EVENT_LOGIN_REQUEST_FAILED] == 0);
		world.portals[1].status = 0;
		check(run(at_rest, true));
		check(t.events[EVENT_RECONNECTED] == 1);
		finish();
		end();
	}
}

/* Pings */

static bool is_pinged(const struct session *session)
{
	return session && session->private->pinged && session->private->pending == 0;
}

static bool is_answered(const struct session *session)
{
	return session && !session->private->ping && session->private->pending == 0;
}

static bool has_come_back(const struct session *session)
{
	return at_rest(session) && session && session->reconnects > 0;
}

static void pings(void **state)
{
	begin("ping", "answered");
	log_in();
	check(run(at_rest, true));
	session_ping(session_now());
	check(run(is_answered, false));
	check(session_now()->reconnects == 0 && t.events[EVENT_REQUEST_TIMEOUT] == 0);

	t.deed = "not answered";
	world.lost_nop = true;
	session_ping(session_now());
	check(run(is_pinged, false));
	session_ping(session_now());
	check(sd_event_source_set_time_relative(session_now()->private->ping, 0) >= 0);
	world.lost_nop = false;
	check(run(has_come_back, true));
	check(t.events[EVENT_REQUEST_TIMEOUT] == 1 && t.events[EVENT_NOP_TIMEOUT] == 1);
	check(t.events[EVENT_CONNECTION_LOST] == 1 && t.events[EVENT_RECONNECTED] == 1);

	t.deed = "refused";
	world.refused_operation = KERNEL_SEND_PDU;
	world.refusal = -ENOTCONN;
	session_ping(session_now());
	check(run(is_RETRYING, false));
	check(t.events[EVENT_CONNECTION_LOST] == 2 && t.events[EVENT_NOP_TIMEOUT] == 1);
	world.refused_operation = -1;
	check(run(at_rest, true));

	t.deed = "connection lost meanwhile";
	world.lost_nop = true;
	session_ping(session_now());
	check(run(is_pinged, false));
	world.lost_nop = false;
	lose(KERNEL_ERROR_CLOSED);
	finish();
	check(t.events[EVENT_NOP_TIMEOUT] == 1);
	end();
}

/* Why a recovery is not begun */

static void leaves_what_is_lost(void **state)
{
	begin("logout", "connection lost");
	log_in();
	check(run(at_rest, true));
	world.lost_unbound = true;
	log_out(true);
	check(run(is_REMOVING_DEVICES, false));
	lose(KERNEL_ERROR_CLOSED);
	check(run(gone, true));
	check_raised(EVENT_RECOVERY_NOT_STARTED);
	check(t.events[EVENT_CONNECTION_LOST] == 0 && t.logout.ended == 1);
	finish();
	end();
}

static bool are_two_in_flight(const struct session *session)
{
	return session->manager->n_logins_in_flight == 2;
}

/* Recoveries go first, and do not keep all others out. */
static void admits_recoveries_first(void **state)
{
	struct session *sessions[3], *session;
	char name[64];

	begin("admission", "recoveries");
	t.manager->config->logins_max = 2;
	for (unsigned i = 0; i < ELEMENTSOF(sessions); i++) {
		struct node node = t.node;

		(void)snprintf(name, sizeof(name), "%s%u", TARGET, i);
		node.key.target_name = name;
		assert_int_equal(manager_login(t.manager, &node, 0, NULL, &sessions[i]), 0);
		if (i > 0)
			manager_release(sessions[i]);
		sessions[i]->recovering = i > 0;
	}
	/* In the queue: one login; then two recoveries, of which one is admitted before it. */
	manager_admit(sessions[1]);
	manager_admit(sessions[2]);
	check(run(are_two_in_flight, false));
	check(sessions[1]->private->admitted && sessions[0]->private->admitted);
	check(!sessions[2]->private->admitted && t.manager->n_recoveries_in_flight == 1);
	for (session = session_now(); session; session = session->next) {
		session->recovering = false;
		(void)session_logout(session, true, NULL);
	}
	check(run(gone, true));
	check(t.manager->n_recoveries_in_flight == 0 && t.manager->recoveries.n == 0);
	finish();
	end();
}

/* Many at once */

#define MANY 60

static unsigned most_in_flight;
static bool portals_are_slow;

/* Those that connect give way to others, as after a second. */
static void be_patient(void)
{
	size_t n = 0;

	for (struct session *s = session_now(); s; s = s->next) {
		if (s->phase == SESSION_RESOLVING || s->phase == SESSION_CONNECTING)
			manager_release(s);
		n += s->private->driver != NULL;
	}
	if (n > most_in_flight)
		most_in_flight = (unsigned)n;
}

static bool all_at_rest(const struct session *session)
{
	size_t n = 0;

	if (portals_are_slow)
		be_patient();

	if (t.manager->n_logins_in_flight > most_in_flight)
		most_in_flight = (unsigned)t.manager->n_logins_in_flight;
	for (; session; session = session->next)
		n += session->phase == SESSION_LOGGED_IN;
	return n == MANY;
}

static void admit_many(const char *what)
{
	struct session *session;
	char name[64];

	most_in_flight = 0;
	begin("many", what);
	t.manager->config->logins_max = 5;
	for (unsigned i = 0; i < MANY; i++) {
		struct node node = t.node;

		(void)snprintf(name, sizeof(name), "%s%u", TARGET, i);
		node.key.target_name = name;
		assert_int_equal(manager_login(t.manager, &node, 0, NULL, &session), 0);
	}
	check(t.manager->n_logins_queued == MANY && t.manager->n_logins_in_flight == 0);
	check(run(all_at_rest, true));
	check(most_in_flight == 5);
	check(t.manager->n_logins_queued == 0 && t.manager->n_logins_in_flight == 0);
	for (session = session_now(); session; session = session->next)
		assert_int_equal(session_logout(session, true, NULL), 0);
	check(run(gone, true));
	finish();
	end();
}

static void admits_so_many(void **state)
{
	admit_many("logins");
	portals_are_slow = true;
	admit_many("logins at portals that wake up");
	portals_are_slow = false;
}

/* Rescans */

static struct {
	unsigned told;
	int error;
	size_t n_added, n_removed;
} rescan;

static void rescanned(void *userdata, struct session *session,
		      const struct session_changes *changes)
{
	rescan.told++;
	rescan.error = changes->error;
	rescan.n_added = changes->added.n;
	rescan.n_removed = changes->removed.n;
}

static bool is_rescanned(const struct session *session)
{
	return rescan.told > 0;
}

static void rescans(void **state)
{
	memset(&rescan, 0, sizeof(rescan));
	begin("rescan", "nothing new");
	log_in();
	check(run(at_rest, true));
	check(session_rescan(session_now(), NULL, rescanned, &rescan) == 0);
	check(session_rescan(session_now(), NULL, rescanned, &rescan) == -EBUSY);
	check(run(is_rescanned, true));
	check(rescan.error == 0 && rescan.n_added == 0 && rescan.n_removed == 0);

	t.deed = "connection lost";
	rescan.told = 0;
	world.held_scan = true;
	check(session_rescan(session_now(), NULL, rescanned, &rescan) == 0);
	lose(KERNEL_ERROR_CLOSED);
	check(run(is_rescanned, false));
	check(rescan.error == -ECANCELED);
	check(session_rescan(session_now(), NULL, rescanned, &rescan) == -ENOTCONN);
	fake_release();
	check(run(at_rest, true));

	t.deed = "client gone";
	rescan.told = 0;
	check(session_rescan(session_now(), NULL, rescanned, &rescan) == 0);
	session_unwatch(session_now(), &rescan);
	finish();
	check(rescan.told == 0);
	end();
}

#define UNIT(number, bytes, gone_)                                                                 \
	{                                                                                          \
		.host = 1, .lun = (number), .bound = true, .block = "sda", .size_bytes = (bytes),  \
		.gone = (gone_)                                                                    \
	}

static void rescans_what_changed(void **state)
{
	static const struct sysfs_lun before[] = { UNIT(1, 512, false), UNIT(2, 512, false) },
				      after[] = { UNIT(1, 1024, false), UNIT(3, 512, false) },
				      used[] = { UNIT(1, 1024, true), UNIT(3, 512, false) };
	struct session *session;

	begin("unit attention", "reported by many");
	world.units = before;
	world.n_units = ELEMENTSOF(before);
	log_in();
	check(run(at_rest, true));
	session = session_now();
	world.units = after;
	for (unsigned i = 0; i < 100; i++)
		session_attend_named(session, i, "REPORTED_LUNS_DATA_HAS_CHANGED");
	run_until_raised(EVENT_LOGICAL_UNIT_RESIZED, 1, true);
	check(t.events[EVENT_UNIT_ATTENTION] == 1 && world.renews == 1);
	check(world.renewed_unit == -1);
	check(t.events[EVENT_LOGICAL_UNIT_ADDED] == 1 && t.events[EVENT_LOGICAL_UNIT_REMOVED] == 1);
	check(t.events[EVENT_LOGICAL_UNIT_KEPT] == 0);

	t.deed = "size of one";
	for (unsigned i = 0; i < 3; i++)
		session_attend_named(session, 3, "CAPACITY_DATA_HAS_CHANGED");
	run_until_raised(EVENT_UNIT_ATTENTION, 2, true);
	check(run(at_rest, true));
	check(world.renews == 2 && world.renewed_unit == 3);

	t.deed = "size of several, from the target";
	send_message(PDU_ASYNC_SCSI, 0, 0, capacity_changed, sizeof(capacity_changed));
	session_attend_named(session, 3, "CAPACITY_DATA_HAS_CHANGED");
	run_until_raised(EVENT_UNIT_ATTENTION, 3, true);
	check(world.renews == 3 && world.renewed_unit == -1);

	t.deed = "what needs no scan, or is unknown";
	session_attend_named(session, 3, "MODE_PARAMETERS_CHANGED");
	session_attend_named(session, 3, "NOTHING_OF_ANY_KIND");
	run_until_raised(EVENT_UNIT_ATTENTION, 4, true);
	check(world.renews == 3);

	t.deed = "during a scan";
	world.units = used;
	world.held_scan = true;
	session_attend_named(session, 1, "REPORTED_LUNS_DATA_HAS_CHANGED");
	run_until_raised(EVENT_UNIT_ATTENTION, 5, true);
	session_attend_named(session, 1, "REPORTED_LUNS_DATA_HAS_CHANGED");
	run_until_raised(EVENT_UNIT_ATTENTION, 6, true);
	check(world.renews == 4);
	fake_release();
	run_until_raised(EVENT_LOGICAL_UNIT_KEPT, 2, true);
	check(world.renews == 5);

	t.deed = "during a scan, for somebody";
	memset(&rescan, 0, sizeof(rescan));
	world.held_scan = true;
	session_attend_named(session, 1, "REPORTED_LUNS_DATA_HAS_CHANGED");
	run_until_raised(EVENT_UNIT_ATTENTION, 7, true);
	check(session_rescan(session, NULL, rescanned, &rescan) == 0);
	check(session_rescan(session, NULL, rescanned, &rescan) == -EBUSY);
	check(world.renews == 6);
	world.units = after;
	fake_release();
	check(run(is_rescanned, false));
	check(world.renews == 7 && rescan.told == 1 && rescan.error == 0 && rescan.n_added == 0);

	t.deed = "during a scan, for somebody, without descriptors";
	memset(&rescan, 0, sizeof(rescan));
	world.held_scan = true;
	session_attend_named(session, 1, "REPORTED_LUNS_DATA_HAS_CHANGED");
	run_until_raised(EVENT_UNIT_ATTENTION, 8, true);
	check(session_rescan(session, NULL, rescanned, &rescan) == 0);
	world.renew_error = -EMFILE;
	fake_release();
	check(run(is_rescanned, false));
	check(rescan.told == 1 && rescan.error == -EMFILE);
	check_raised(EVENT_REQUEST_RESOURCES);
	world.renew_error = 0;
	world.units = used;

	t.deed = "without a connection";
	lose(KERNEL_ERROR_CLOSED);
	check(run(is_RETRYING, false));
	session_attend_named(session, 1, "REPORTED_LUNS_DATA_HAS_CHANGED");
	run_until_raised(EVENT_LOGICAL_UNIT_KEPT, 3, true);
	check(world.renews == 10 && t.events[EVENT_RECONNECTED] == 1);
	finish();
	end();
}

/* Memory */

size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated(void)
{
	return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes()
						       : mallinfo2().uordblks;
}

/* After these all that is kept of the past, which is bounded, is there. */
#define CYCLES_FIRST 400

/* Logins, losses and logouts, CYCLES of them, leave no memory behind, and no descriptor. */
static void leaves_nothing_behind(void **state)
{
	const char *text = getenv("CYCLES");
	unsigned n = CYCLES_FIRST + (text ? (unsigned)strtoul(text, NULL, 10) : 100);
	unsigned n_descriptors = 0;
	size_t n_bytes = 0;

	begin("many cycles", "each with a loss");
	for (unsigned i = 0; i < n; i++) {
		memset(&t.login, 0, sizeof(t.login));
		memset(&t.logout, 0, sizeof(t.logout));
		memset(world.sessions, 0, sizeof(world.sessions));
		world.n_sids = 0;
		log_in();
		check(run(at_rest, true));
		lose(KERNEL_ERROR_CLOSED);
		check(run(is_lost, true));
		check(run(at_rest, true));
		check(session_now() != NULL);
		log_out(false);
		check(run(gone, true));
		check(run(no_connections, true));
		check(t.logout.ended == 1 && t.logout.failed == 0);
		if (i == CYCLES_FIRST) {
			n_bytes = allocated();
			n_descriptors = count_descriptors();
		}
	}
	/* Numbers in what is kept get longer; an object is larger than that. */
	assert_in_range(allocated(), 0, n_bytes + 4096 + (n - CYCLES_FIRST) * 8);
	assert_in_range(count_descriptors(), 0, n_descriptors);
	assert_int_equal(t.events[EVENT_SESSION_ESTABLISHED], n);
	finish();
	end();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_ENDPOINTS(name)                                                                       \
	{                                                                                          \
#name " over endpoints", name, set_up_endpoints, tear_down, NULL                   \
	}
#define TEST_ADAPTER(name)                                                                         \
	{                                                                                          \
#name " over an adapter that logs in", name, set_up_adapter, tear_down, NULL       \
	}
	const struct CMUnitTest tests[] = {
		TEST(everywhere),
		TEST(end_everywhere),
		TEST_ENDPOINTS(everywhere),
		TEST_ENDPOINTS(end_everywhere),
		TEST_ADAPTER(everywhere),
		TEST_ADAPTER(end_everywhere),
		TEST_ADAPTER(lets_an_adapter_log_in),
		TEST_ADAPTER(hears_an_adapter_out),
		TEST_ADAPTER(refuses_what_an_adapter_cannot_do),
		TEST(tells_of_a_session),
		TEST_ENDPOINTS(tells_of_a_session),
		TEST(hears_only_of_the_present_connection),
		TEST(hears_what_was_lost),
		TEST(honours_a_request),
		TEST(negotiates_again),
		TEST(survives_a_negotiation),
		TEST(leaves_no_parameter_behind),
		TEST(takes_any_message),
		TEST(waits_as_announced),
		TEST(retries_what_may_work_later),
		TEST(never_gives_up_a_session),
		TEST(waits_for_the_kernel),
		TEST(gives_up_what_will_not),
		TEST(waits_for_a_target),
		TEST(follows_redirections),
		TEST(remembers_where_targets_have_moved),
		TEST(goes_on_elsewhere_in_a_recovery),
		TEST(comes_back_without_names),
		TEST(gives_up_nothing_too_early),
		TEST(sees_where_a_session_is),
		TEST(leaves_a_portal_that_does_not_work),
		TEST(falls_back_to_md5),
		TEST(falls_back_in_a_recovery),
		TEST(falls_back_without_remembering),
		TEST(falls_back_once),
		TEST(falls_back_to_what_is_listed),
		TEST(misses_the_module),
		TEST(tells_what_the_kernel_refuses),
		TEST_ENDPOINTS(tells_why_it_does_not_connect),
		TEST_ENDPOINTS(waits_for_a_connection),
		TEST_ENDPOINTS(chooses_a_port),
		TEST_ENDPOINTS(leaves_with_its_adapter),
		TEST_ENDPOINTS(follows_redirections),
		TEST_ENDPOINTS(misses_the_module),
		TEST_ENDPOINTS(never_gives_up_a_session),
		TEST_ENDPOINTS(comes_back_without_names),
		TEST(lacks_a_thread),
		TEST(tells_what_the_kernel_refuses_again),
		TEST(tells_what_is_not_found),
		TEST(refuses_a_logout),
		TEST(keeps_a_persons_word),
		TEST(tells_of_an_outage),
		TEST(waits_longer_and_longer),
		TEST(pings),
		TEST(leaves_what_is_lost),
		TEST(admits_recoveries_first),
		TEST(admits_so_many),
		TEST(rescans),
		TEST(rescans_what_changed),
		TEST(leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
