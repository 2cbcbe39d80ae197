/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "automatic.h"
#include "changes.h"
#include "clock_watch.h"
#include "crypto.h"
#include "datapath.h"
#include "discovery.h"
#include "endpoint.h"
#include "interface.h"
#include "host.h"
#include "interface_apply.h"
#include "leftover.h"
#include "manager.h"
#include "manager_private.h"
#include "network.h"
#include "path.h"
#include "poller.h"
#include "resync.h"
#include "service.h"
#include "session_private.h"
#include "trace.h"
#include "turn.h"

#define RESOLVER_THREADS 8
/* In one turn, or thousands of logins at once would keep the rest of the daemon waiting. */
#define TENDED_PER_TURN 8

/* One in so many logins at once is kept for those that are no recoveries. */
#define LOGINS_SHARE 8

/* Descriptors beside those of logins: clients, the kernel's interface, and so on. */
#define DESCRIPTORS_OTHER 256

/* Finding sessions */

static size_t sid_bucket(uint32_t sid)
{
	return sid % MANAGER_BUCKETS;
}

/* FNV-1a */
static size_t key_bucket(const char *target_name, const char *address, uint16_t port)
{
	uint32_t hash = 2166136261U ^ port;

	for (const char *p = target_name; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619U;
	for (const char *p = address; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619U;
	return hash % MANAGER_BUCKETS;
}

struct session *manager_find_session(struct manager *manager, uint32_t sid)
{
	struct session *session = manager->by_sid[sid_bucket(sid)];

	while (session && session->sid != sid)
		session = session->sid_next;
	return session;
}

static bool is_of(const struct session *session, const struct node_key *key)
{
	return session->port == key->port && session->phase != SESSION_CLOSED &&
	       strcmp(session->target_name, key->target_name) == 0 &&
	       strcmp(session->address, key->address) == 0;
}

struct session *manager_find_session_of(struct manager *manager, const struct node_key *key)
{
	struct session *session =
		manager->by_key[key_bucket(key->target_name, key->address, key->port)];
	struct session *found = NULL;

	/* Ours, if another program has one, too. */
	for (; session && !(found && found->managed); session = session->key_next)
		if (is_of(session, key) && (!found || session->managed))
			found = session;
	return found;
}

bool manager_has_beside(const struct session *session)
{
	const struct node_key key = { session->target_name, session->address, session->port };
	const struct session *other = manager_find_session_of(session->manager, &key);

	return other && other != session && other->managed;
}

void manager_index_session(struct session *session)
{
	struct session **bucket = &session->manager->by_sid[sid_bucket(session->sid)];

	session->sid_next = *bucket;
	*bucket = session;
}

void manager_unindex_session(struct session *session)
{
	struct session **p = &session->manager->by_sid[sid_bucket(session->sid)];

	while (*p && *p != session)
		p = &(*p)->sid_next;
	if (*p)
		*p = session->sid_next;
}

void manager_add_session(struct manager *manager, struct session *session)
{
	struct session **bucket =
		&manager->by_key[key_bucket(session->target_name, session->address, session->port)];

	session->key_next = *bucket;
	*bucket = session;
	session->next = manager->sessions;
	session->previous = &manager->sessions;
	if (session->next)
		session->next->previous = &session->next;
	manager->sessions = session;
	manager->n_sessions++;
	session_changed(session);
	session->phase_noted = session->noted;
}

static void drop_session(struct manager *manager, struct session *session)
{
	struct session **p =
		&manager->by_key[key_bucket(session->target_name, session->address, session->port)];

	while (*p && *p != session)
		p = &(*p)->key_next;
	if (*p)
		*p = session->key_next;
	*session->previous = session->next;
	if (session->next)
		session->next->previous = session->previous;
	manager->n_sessions--;
	changes_settle(manager->changes);
	manager_unindex_session(session);
	if (manager->service)
		service_session_gone(manager->service, session);
	if (session->private->adapter_gone)
		automatic_adapter_gone(manager->automatic, session);
	(void)session_free(session);
}

/* Looking after sessions */

/* Nobody waits for the login of a person any more when it has failed; these go on. */
static bool awaits_network(const struct session *session)
{
	return session->private->persistent || session->recovering;
}

static void tend(void *userdata);

static void tend_later(struct manager *manager)
{
	poller_call_later(manager->poller, &manager->tend, tend, manager);
}

/*
 * Who waits longest. Sessions that lost their connection go first, since somebody waits for their
 * disks; but where they do not come back, they must not keep all others out for ever.
 */
static struct session *next_admitted(struct manager *manager)
{
	unsigned most = manager->config->logins_max;
	unsigned kept = most > 1 ? 1 + (most - 1) / LOGINS_SHARE : 0;

	if (manager->n_logins_in_flight >= most)
		return NULL;
	if (manager->recoveries.n > 0 &&
	    (manager->logins.n == 0 || manager->n_recoveries_in_flight < most - kept))
		return manager->recoveries.first;
	return manager->logins.first;
}

static void enter_queue(struct session *session)
{
	struct manager *manager = session->manager;
	struct login_queue *queue = session->recovering ? &manager->recoveries : &manager->logins;

	session->queue = queue;
	session->queue_next = NULL;
	session->queue_previous = queue->end;
	*queue->end = session;
	queue->end = &session->queue_next;
	queue->n++;
	manager->n_logins_queued++;
}

static void leave_queue(struct session *session)
{
	struct login_queue *queue = session->queue;

	*session->queue_previous = session->queue_next;
	if (session->queue_next)
		session->queue_next->queue_previous = session->queue_previous;
	else
		queue->end = session->queue_previous;
	session->queue = NULL;
	queue->n--;
	session->manager->n_logins_queued--;
}

/* Those that wait now; one that fails at once and is queued again has its turn when the loop comes
 * back. */
static void admit_logins(struct manager *manager)
{
	size_t n_queued = manager->n_logins_queued;
	struct session *session;

	if (n_queued > TENDED_PER_TURN)
		n_queued = TENDED_PER_TURN;
	for (size_t n = 0; n < n_queued && !turn_ends(n) && (session = next_admitted(manager));
	     n++) {
		leave_queue(session);
		session->private->admitted = true;
		session->private->admitted_recovery = session->recovering;
		manager->n_logins_in_flight++;
		manager->n_recoveries_in_flight += session->recovering;
		session_begin(session);
	}
}

/* Put off, so that one turn does what many have left. */
static void tend(void *userdata)
{
	struct manager *manager = userdata;

	admit_logins(manager);
	for (size_t n = 0; manager->tended && n < TENDED_PER_TURN && !turn_ends(n); n++) {
		struct session *session = manager->tended;

		manager->tended = session->tend_next;
		session->tended = false;
		session_resume(session);
		session_tell(session);
		if (session->phase == SESSION_RETRYING && awaits_network(session))
			(void)network_listen(manager->network, true);
		if (session->phase == SESSION_CLOSED && session->private->pending == 0 &&
		    !session->private->storing && !session->tended)
			drop_session(manager, session);
	}
	if (manager->tended || next_admitted(manager))
		tend_later(manager);
}

void manager_tend(struct session *session)
{
	struct manager *manager = session->manager;

	if (session->tended)
		return;
	session->tended = true;
	session->tend_next = manager->tended;
	manager->tended = session;
	tend_later(manager);
}

/* Admission: from the loop, never from inside, so that a login that fails at once calls nobody back
 * too early. */

void manager_admit(struct session *session)
{
	struct manager *manager = session->manager;

	if (session->queue || session->private->admitted)
		return;
	enter_queue(session);
	session_set_phase(session, SESSION_QUEUED, NULL);
	tend_later(manager);
}

void manager_release(struct session *session)
{
	struct manager *manager = session->manager;

	if (session->queue)
		leave_queue(session);
	if (!session->private->admitted)
		return;
	session->private->admitted = false;
	manager->n_logins_in_flight--;
	manager->n_recoveries_in_flight -= session->private->admitted_recovery;
	if (manager->n_logins_queued > 0)
		tend_later(manager);
}

int manager_login(struct manager *manager, const struct node *node, int retry_max,
		  const struct session_watch *watch, struct session **ret)
{
	struct session *session;
	int r;

	if (manager->state == MANAGER_STOPPING)
		return -ESHUTDOWN;
	session = manager_find_session_of(manager, &node->key);
	if (session && (session->private->leaving || session_to_leave(session)))
		return -EBUSY;
	/* Another program's: it will tell nobody when it is back. */
	if (session && !session->managed && session->phase != SESSION_LOGGED_IN)
		return -EEXIST;
	if (session) {
		*ret = session;
		session_hurry(session);
		return session_watch(session, watch, false);
	}
	r = session_new(manager, node, &session);
	if (r < 0)
		return r;
	r = session_watch(session, watch, false);
	if (r < 0) {
		(void)session_free(session);
		return r;
	}
	session->private->retry_max =
		retry_max >= 0 ? retry_max
			       : (int)settings_number(session->settings, SETTING_LOGIN_RETRY_MAX);
	manager_add_session(manager, session);
	manager_admit(session);
	*ret = session;
	return 0;
}

void manager_take_login(struct manager *manager, struct node *node)
{
	if (!node || node->logged_out_usec == 0)
		return;
	records_set_logged_out(manager->records, node, false, false);
	(void)records_commit(manager->records, NULL, NULL);
}

static void network_changed(void *userdata)
{
	struct manager *manager = userdata;
	bool waiting = false;

	for (struct session *s = manager->sessions; s; s = s->next) {
		if (!awaits_network(s))
			continue;
		waiting |= s->phase == SESSION_RETRYING;
		session_hurry(s);
	}
	if (!waiting)
		(void)network_listen(manager->network, false);
}

/* What is heard of a target may be from before the host slept. */
static void clock_changed(void *userdata, int64_t set_usec, uint64_t slept_usec)
{
	struct event *event = event_new(EVENT_CLOCK_CHANGED);
	struct manager *manager = userdata;
	char reason[128];

	(void)snprintf(reason, sizeof(reason), "set by %+.3f s, slept for %.3f s",
		       (double)set_usec / SECOND_USEC, (double)slept_usec / SECOND_USEC);
	event_set_string(event, FIELD_REASON, reason);
	eventlog_raise(manager->log, event);
	manager->started_usec += (uint64_t)set_usec;
	for (struct session *s = manager->sessions; s; s = s->next) {
		session_shift_clock(s, set_usec);
		session_hurry(s);
		session_ping(s);
	}
}

/* The kernel */

static void pdu_received(void *userdata, uint32_t sid, uint32_t cid, const uint8_t header[48],
			 const void *data, size_t length)
{
	struct manager *manager = userdata;
	struct session *session = manager_find_session(manager, sid);

	if (session)
		session_kernel_pdu(session, header, data, length);
	else if (discovery_kernel_pdu(manager, sid, header, data, length))
		return;
	else if (pdu_header_opcode(header) == PDU_OPCODE_NOP_IN)
		manager->answered[manager->n_answered++ % MANAGER_ANSWERS] = sid;
}

bool manager_take_answer(struct session *session)
{
	struct manager *manager = session->manager;

	for (size_t i = 0; i < MANAGER_ANSWERS && i < manager->n_answered; i++)
		if (manager->answered[i] == session->sid) {
			manager->answered[i] = KERNEL_SESSION_NEW;
			return true;
		}
	return false;
}

static void session_created(void *userdata, uint32_t sid, uint32_t host)
{
	session_look(userdata, sid);
}

static void connection_failed(void *userdata, uint32_t sid, uint32_t cid, unsigned error)
{
	struct manager *manager = userdata;
	struct session *session;

	datapath_look(manager->datapath, error);
	session = manager_find_session(manager, sid);
	if (session)
		session_kernel_failed(session, error);
	else
		(void)discovery_kernel_failed(manager, sid);
}

static void login_ended(void *userdata, uint32_t sid, unsigned state)
{
	struct session *session = manager_find_session(userdata, sid);

	if (session)
		session_kernel_login_ended(session, state);
}

static void session_unbound(void *userdata, uint32_t sid)
{
	struct session *session = manager_find_session(userdata, sid);

	if (session)
		session_kernel_unbound(session);
}

static void session_destroyed(void *userdata, uint32_t sid)
{
	struct session *session = manager_find_session(userdata, sid);

	if (session)
		session_kernel_destroyed(session);
	else if (!discovery_kernel_destroyed(userdata, sid))
		(void)leftover_gone(userdata, sid);
}

static void kernel_host_told(void *userdata, uint32_t host, uint32_t code)
{
	host_told(userdata, host, code);
}

static void ping_done(void *userdata, uint32_t host, uint32_t cookie, uint32_t status)
{
	host_ping_done(userdata, host, cookie, status);
}

static void path_requested(void *userdata, uint64_t transport_handle, uint32_t host,
			   const struct iscsi_kernel_path *path)
{
	struct manager *manager = userdata;

	paths_requested(manager->path_requests, transport_handle, host, path);
}

static void interface_down(void *userdata, uint64_t transport_handle, uint32_t host)
{
	struct manager *manager = userdata;

	paths_down(manager->path_requests, transport_handle, host);
}

static void overrun(void *userdata)
{
	resync(userdata);
}

/* A logical unit has something to report. */
static void attention(void *userdata, uint32_t sid, uint64_t lun, const char *name)
{
	struct session *session = manager_find_session(userdata, sid);

	if (session)
		session_attend_named(session, lun, name);
}

static const struct kernel_callbacks kernel_callbacks = {
	.pdu_received = pdu_received,
	.session_created = session_created,
	.connection_failed = connection_failed,
	.login_ended = login_ended,
	.session_unbound = session_unbound,
	.session_destroyed = session_destroyed,
	.host_told = kernel_host_told,
	.ping_done = ping_done,
	.path_requested = path_requested,
	.interface_down = interface_down,
	.overrun = overrun,
};

int manager_open_kernel(struct manager *manager)
{
	int r;

	if (manager->kernel)
		return 0;
	if (manager->state == MANAGER_STOPPING)
		return -ECANCELED;
	r = kernel_new(manager->poller, &kernel_callbacks, manager, &manager->kernel);
	if (r < 0)
		trace("the kernel's iSCSI interface is not available: %s", strerror(-r));
	if (r < 0)
		return r;
	(void)datapath_new(manager, &manager->datapath);
	/* While sessions are being recovered it would be too late for this. */
	(void)scanner_start(manager->scanner);
	return 0;
}

/* Configuration */

static void report_loaded(struct manager *manager, const struct config *config)
{
	struct event *event = event_new(EVENT_CONFIGURATION_LOADED);

	event_set_string(event, FIELD_FILE, manager->paths.configuration);
	eventlog_raise(manager->log, event);
	if (!config->generated_file)
		return;
	event = event_new(EVENT_INITIATOR_NAME_GENERATED);
	event_set_string(event, FIELD_INITIATOR, config->initiator_name);
	event_set_string(event, FIELD_FILE, config->generated_file);
	eventlog_raise(manager->log, event);
}

static void report_configuration(struct manager *manager, int error, const struct config *config,
				 const struct config_fault *fault)
{
	struct event *event;

	if (error >= 0) {
		report_loaded(manager, config);
		return;
	}
	event = event_new(EVENT_CONFIGURATION_INVALID);
	event_set_string(event, FIELD_FILE, fault->file);
	if (fault->line)
		event_set_number(event, FIELD_LINE, fault->line);
	if (fault->setting[0])
		event_set_string(event, FIELD_SETTING, fault->setting);
	event_set_errno(event, error);
	event_set_string(event, FIELD_REASON, fault->message);
	eventlog_raise(manager->log, event);
}

struct reload {
	struct manager *manager;
	struct config *config;
	struct config_fault fault;
	manager_reload_t done;
	void *userdata;
};

static int reload_run(void *argument)
{
	struct reload *reload = argument;
	const struct manager_paths *paths = &reload->manager->paths;

	return config_load(paths->configuration, paths->initiator_name, paths->records,
			   &reload->config, &reload->fault);
}

static void drop_retired(struct manager *manager)
{
	while (manager->retired) {
		struct config *next = manager->retired->next;

		(void)config_free(manager->retired);
		manager->retired = next;
	}
}

/*
 * Has the kernel make room for the sockets of all logins at once: while there are threads it waits
 * for all processors whenever it does, some ten milliseconds each time.
 */
static void reserve_descriptors(const struct manager *manager)
{
	int highest = (int)(manager->config->logins_max + DESCRIPTORS_OTHER);

	(void)close_fd(fcntl(sd_event_get_fd(manager->event), F_DUPFD_CLOEXEC, highest));
}

static void take_configuration(struct manager *manager, struct config *config)
{
	/* Logins and discoveries under way borrow strings of the old one. */
	manager->config->next = manager->retired;
	manager->retired = manager->config;
	manager->config = config;
	reserve_descriptors(manager);
	if (manager->n_logins_in_flight == 0 && !manager->discoveries)
		drop_retired(manager);
	service_reload(manager->service);
	tend_later(manager);
}

static void reload_done(void *argument, int result)
{
	_cleanup_free_ struct reload *reload = argument;
	struct manager *manager = reload->manager;

	if (manager->state == MANAGER_STOPPING) {
		reload->config = config_free(reload->config);
		result = -ECANCELED;
	}
	if (result != -ECANCELED)
		report_configuration(manager, result, reload->config, &reload->fault);
	if (result >= 0)
		take_configuration(manager, reload->config);
	reload->done(reload->userdata, result, &reload->fault);
}

int manager_reload(struct manager *manager, manager_reload_t done, void *userdata)
{
	struct reload *reload;
	int r;

	reload = calloc(1, sizeof(*reload));
	if (!reload)
		return -ENOMEM;
	reload->manager = manager;
	reload->done = done;
	reload->userdata = userdata;
	r = work_submit(manager->loader, reload_run, reload_done, reload);
	if (r < 0)
		free(reload);
	return r;
}

/* How many events are kept is configured, too: the log comes second, and tells of the
 * configuration. */
static int load_configuration(struct manager *manager)
{
	const struct manager_paths *paths = &manager->paths;
	struct config_fault fault = { 0 };
	int error, r;

	error = config_load(paths->configuration, paths->initiator_name, paths->records,
			    &manager->config, &fault);
	if (error == -ENOMEM)
		return error;
	r = eventlog_new(manager->event, manager->journal,
			 manager->config ? manager->config->event_history : 1, &manager->log);
	if (r < 0)
		return r;
	report_configuration(manager, error, manager->config, &fault);
	if (error >= 0)
		reserve_descriptors(manager);
	if (error < 0 && fault.line)
		fprintf(stderr, "%s:%u: %s%s%s\n", fault.file, fault.line, fault.setting,
			*fault.setting ? ": " : "", fault.message);
	else if (error < 0)
		fprintf(stderr, "%s: %s\n", fault.file, fault.message);
	return error;
}

/* Making, starting, freeing */

int manager_new(sd_event *event, const struct manager_paths *paths, struct manager **ret)
{
	_cleanup_(manager_freep) struct manager *manager = NULL;
	int r;

	manager = calloc(1, sizeof(*manager));
	if (!manager)
		return -ENOMEM;
	manager->event = sd_event_ref(event);
	manager->paths = *paths;
	manager->started_usec = turn_usec(CLOCK_REALTIME);
	manager->recoveries.end = &manager->recoveries.first;
	manager->logins.end = &manager->logins.first;
	manager->sysfs = (struct sysfs){ .root = paths->sysfs, .proc = "/proc" };
	manager->transports = transport_table();
	r = poller_new(event, &manager->poller);
	if (r >= 0)
		r = journal_new(event, paths->journal, &manager->journal);
	if (r >= 0)
		r = load_configuration(manager);
	if (r >= 0)
		r = crypto_new(manager->config->fips_required, manager->log, &manager->crypto);
	if (r >= 0)
		r = records_new(manager->poller, paths->records, manager->log, &manager->records);
	if (r >= 0)
		r = work_new(manager->poller, "ois-resolve", RESOLVER_THREADS, &manager->resolver);
	if (r >= 0)
		r = work_new(manager->poller, "ois-load", 1, &manager->loader);
	if (r >= 0)
		r = work_new(manager->poller, "ois-host", 1, &manager->host_work);
	if (r >= 0)
		r = scanner_new(manager->poller, &manager->sysfs, paths->program,
				manager->config->scans_max, manager->loader, manager->log,
				&manager->scanner);
	if (r >= 0)
		r = devices_new(manager->poller, &manager->sysfs, manager->scanner, attention,
				manager, &manager->devices);
	if (r >= 0)
		r = network_new(event, network_changed, manager, &manager->network);
	if (r >= 0)
		r = paths_new(manager, &manager->path_requests);
	if (r >= 0)
		r = automatic_new(manager, &manager->automatic);
	if (r >= 0)
		r = clock_watch_new(event, clock_changed, manager, &manager->clock);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(manager);
	return 0;
}

int manager_start(struct manager *manager)
{
	int r;

	/* First the events, then what is there: nothing falls between. */
	(void)manager_open_kernel(manager);
	r = session_find_all(manager);
	if (r < 0)
		return r;
	r = service_new(manager, &manager->service);
	if (r < 0)
		return r;
	manager->state = MANAGER_RUNNING;
	interface_apply_all(manager);
	automatic_login(manager->automatic);
	return 0;
}

struct manager *manager_free(struct manager *manager)
{
	if (!manager)
		return NULL;
	manager->state = MANAGER_STOPPING;
	manager->service = service_free(manager->service);
	while (manager->discoveries)
		(void)discovery_cancel(manager->discoveries);
	/* Completions still go to their sessions. */
	manager->loader = work_free(manager->loader);
	manager->host_work = work_free(manager->host_work);
	manager->path_requests = paths_free(manager->path_requests);
	manager->kernel = kernel_free(manager->kernel);
	manager->datapath = datapath_free(manager->datapath);
	session_look_end(manager);
	while (manager->sessions)
		drop_session(manager, manager->sessions);
	leftover_free_all(manager);
	discovery_forget_endpoints(manager);
	endpoint_forget_all(manager);
	manager->resync = resync_free(manager->resync);
	manager->devices = devices_free(manager->devices);
	manager->scanner = scanner_free(manager->scanner);
	manager->resolver = work_free(manager->resolver);
	manager->network = network_free(manager->network);
	manager->automatic = automatic_free(manager->automatic);
	manager->clock = clock_watch_free(manager->clock);
	manager->records = records_free(manager->records);
	manager->crypto = crypto_free(manager->crypto);
	manager->log = eventlog_free(manager->log);
	manager->journal = journal_free(manager->journal);
	manager->config = config_free(manager->config);
	drop_retired(manager);
	poller_call_off(&manager->tend);
	manager->poller = poller_free(manager->poller);
	manager->event = sd_event_unref(manager->event);
	free(manager);
	return NULL;
}
