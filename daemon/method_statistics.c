/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.ois.session: counters. The kernel is asked for some sessions at a time, in its own thread,
 * while the answers before are on their way.
 */
#include <errno.h>
#include <string.h>

#include "host_statistics.h"
#include "interfaces.h"
#include "json.h"
#include "method_common.h"
#include "transport.h"

/* Sessions asked for at once: for so long the kernel executes nothing else of ours. */
#define CHUNK 32

/*
 * Names in the interface. The library of the kernel that all transports but adapters share counts
 * some and leaves the others at zero: only what is counted is told.
 */
static const struct {
	const char *name;
	bool library;
} counters[] = {
	[KERNEL_COUNTER_NOOP_OUT] = { "noopOut", false },
	[KERNEL_COUNTER_SCSI_COMMAND] = { "scsiCommand", true },
	[KERNEL_COUNTER_TASK_MANAGEMENT_REQUEST] = { "taskManagementRequest", true },
	[KERNEL_COUNTER_LOGIN_REQUEST] = { "loginRequest", false },
	[KERNEL_COUNTER_TEXT_REQUEST] = { "textRequest", false },
	[KERNEL_COUNTER_DATA_OUT] = { "dataOut", true },
	[KERNEL_COUNTER_LOGOUT_REQUEST] = { "logoutRequest", false },
	[KERNEL_COUNTER_SNACK_REQUEST] = { "snackRequest", false },
	[KERNEL_COUNTER_NOOP_IN] = { "noopIn", false },
	[KERNEL_COUNTER_SCSI_RESPONSE] = { "scsiResponse", true },
	[KERNEL_COUNTER_TASK_MANAGEMENT_RESPONSE] = { "taskManagementResponse", true },
	[KERNEL_COUNTER_TEXT_RESPONSE] = { "textResponse", false },
	[KERNEL_COUNTER_DATA_IN] = { "dataIn", true },
	[KERNEL_COUNTER_LOGOUT_RESPONSE] = { "logoutResponse", false },
	[KERNEL_COUNTER_R2T] = { "r2t", true },
	[KERNEL_COUNTER_ASYNC_MESSAGE] = { "asyncMessage", false },
	[KERNEL_COUNTER_REJECT] = { "reject", false },
	[KERNEL_COUNTER_DIGEST_ERROR] = { "digestErrors", false },
	[KERNEL_COUNTER_TIMEOUT_ERROR] = { "timeoutErrors", false },
};

_Static_assert(ELEMENTSOF(counters) == _KERNEL_COUNTER_MAX, "a name for each counter");

struct statistics {
	struct call *call; /* NULL: the client is gone, the query still under way */
	bool asking;
	bool by_host; /* what is told are sums, after the last session */
	struct host_sums hosts;
	size_t host; /* told so far */
	struct kernel_statistics items[CHUNK];
	size_t item, n_items; /* the chunk: told so far, and all */
	size_t position, n;   /* sessions asked for so far, and all */
	uint32_t sids[];
};

/* As JSON */

static int set_counted(json_object *object, const char *name, uint64_t value)
{
	return json_set_int(object, name, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

static json_object *custom_to_json(const struct kernel_statistics *statistics)
{
	_cleanup_json_ json_object *object = json_object_new_object();

	for (size_t i = 0; object && i < statistics->n_custom; i++)
		if (set_counted(object, statistics->custom[i].name, statistics->custom[i].value) <
		    0)
			return NULL;
	return TAKE_PTR(object);
}

int counters_to_json(json_object *object, const struct counters *known)
{
	int r;

	if (!known->known)
		return 0;
	r = set_counted(object, "transmittedBytes", known->transmitted_bytes);
	r |= set_counted(object, "receivedBytes", known->received_bytes);
	for (size_t i = 0; i < ELEMENTSOF(counters); i++)
		if (known->all || counters[i].library)
			r |= set_counted(object, counters[i].name, known->counters[i]);
	return r;
}

static int set_kernel_counters(json_object *object, const struct session *session,
			       const struct kernel_statistics *statistics)
{
	struct counters known = { 0 };
	int r;

	counters_add(&known, session, statistics);
	r = counters_to_json(object, &known);
	if (known.known && statistics->n_custom > 0)
		r |= json_set(object, "custom", custom_to_json(statistics));
	return r;
}

static int set_known(json_object *object, const char *name, int64_t value)
{
	return value >= 0 ? json_set_int(object, name, value) : 0;
}

static json_object *unit_to_json(const struct session *session, const struct sysfs_lun *lun)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	struct sysfs_lun_counters found;
	int r;

	if (!object)
		return NULL;
	sysfs_lun_read_counters(&session->manager->sysfs, lun, &found);
	r = lun_identity_to_json(object, lun);
	r |= set_known(object, "requests", found.requests);
	r |= set_known(object, "completed", found.completed);
	r |= set_known(object, "errors", found.errors);
	r |= set_known(object, "timeouts", found.timeouts);
	return r < 0 ? NULL : TAKE_PTR(object);
}

static json_object *units_to_json(const struct session *session)
{
	_cleanup_json_ json_object *array = json_object_new_array();

	for (size_t i = 0; array && i < session->n_luns; i++)
		if (json_append(array, unit_to_json(session, &session->luns[i])) < 0)
			return NULL;
	return TAKE_PTR(array);
}

static json_object *statistics_to_json(const struct session *session,
				       const struct kernel_statistics *statistics)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_int(object, "session", session->sid);
	r |= json_set_int(object, "hostNumber", session->host);
	r |= json_set_string(object, "targetName", session->target_name);
	r |= json_set_string(object, "address", session->address);
	r |= json_set_int(object, "port", session->port);
	r |= json_set_string(object, "transport", session_transport_name(session));
	r |= session_state_to_json(object, session);
	r |= set_kernel_counters(object, session, statistics);
	r |= json_set_int(object, "reconnects", session->reconnects);
	r |= json_set(object, "logicalUnits", units_to_json(session));
	return r < 0 ? NULL : TAKE_PTR(object);
}

/* The call */

static void statistics_free(struct statistics *statistics)
{
	for (size_t i = 0; i < statistics->n_items; i++)
		kernel_statistics_done(&statistics->items[i]);
	host_sums_done(&statistics->hosts);
	free(statistics);
}

static void statistics_gone(void *userdata)
{
	struct statistics *statistics = userdata;

	statistics->call = NULL;
	if (!statistics->asking)
		statistics_free(statistics);
}

static void chunk_ready(void *userdata, int error)
{
	struct statistics *statistics = userdata;

	statistics->asking = false;
	if (!statistics->call) {
		statistics_free(statistics);
		return;
	}
	for (size_t i = 0; error < 0 && i < statistics->n_items; i++)
		statistics->items[i].error = error;
	call_wake(statistics->call);
}

static void ask_chunk(struct statistics *statistics)
{
	struct manager *manager = call_manager(statistics->call);
	int r;

	statistics->item = statistics->n_items = 0;
	while (statistics->position < statistics->n && statistics->n_items < CHUNK) {
		uint32_t sid = statistics->sids[statistics->position++];
		const struct session *session = manager_find_session(manager, sid);

		if (session)
			statistics->items[statistics->n_items++] = (struct kernel_statistics){
				.sid = sid,
				.transport_handle =
					session->transport ? session->transport->handle : 0,
			};
	}
	if (statistics->n_items == 0)
		return;
	r = kernel_query_statistics(manager->kernel, statistics->items, statistics->n_items,
				    chunk_ready, statistics);
	statistics->asking = r >= 0;
	for (size_t i = 0; r < 0 && i < statistics->n_items; i++)
		statistics->items[i].error = r;
}

/* False: the call has ended. */
static bool tell_next(struct call *call, struct statistics *statistics)
{
	struct kernel_statistics *item = &statistics->items[statistics->item++];
	struct session *session = manager_find_session(call_manager(call), item->sid);

	if (!session)
		return true;
	session_count_timeouts(session);
	if (!statistics->by_host)
		return call_list(call, json_wrap("statistics", statistics_to_json(session, item)));
	if (host_sums_add(&statistics->hosts, session, item) >= 0)
		return true;
	return call_list(call, NULL);
}

static void tell_hosts(struct call *call, struct statistics *statistics)
{
	const struct sysfs *sysfs = &call_manager(call)->sysfs;

	while (statistics->host < statistics->hosts.n && !call_full(call)) {
		const struct host_sum *sum = &statistics->hosts.rows[statistics->host++];

		if (!call_list(call, json_wrap("statistics", host_sum_to_json(sysfs, sum))))
			return;
	}
	if (statistics->host == statistics->hosts.n)
		call_list_end(call);
}

static void forget_chunk(struct statistics *statistics)
{
	for (size_t i = 0; i < statistics->n_items; i++)
		kernel_statistics_done(&statistics->items[i]);
}

static void statistics_produce(struct call *call, void *userdata)
{
	struct statistics *statistics = userdata;

	while (!statistics->asking && !call_full(call)) {
		if (statistics->item < statistics->n_items) {
			if (!tell_next(call, statistics))
				return;
			continue;
		}
		forget_chunk(statistics);
		if (statistics->position == statistics->n) {
			statistics->n_items = statistics->item = 0;
			tell_hosts(call, statistics);
			return;
		}
		ask_chunk(statistics);
	}
}

static int compare_sids(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

static struct statistics *statistics_new(struct call *call, const struct selector *selector)
{
	const struct manager *manager = call_manager(call);
	struct statistics *statistics =
		calloc(1, sizeof(*statistics) + manager->n_sessions * sizeof(statistics->sids[0]));

	if (!statistics)
		return NULL;
	statistics->call = call;
	for (struct session *s = manager->sessions; s && statistics->n < manager->n_sessions;
	     s = s->next)
		if (s->in_kernel && s->phase != SESSION_CLOSED &&
		    selector_matches_session(selector, s))
			statistics->sids[statistics->n++] = s->sid;
	qsort(statistics->sids, statistics->n, sizeof(statistics->sids[0]), compare_sids);
	return statistics;
}

static void begin(struct call *call, struct statistics *statistics)
{
	call_keep(call, statistics, statistics_gone);
	call_produce(call, statistics_produce);
}

int method_session_get_statistics(struct call *call)
{
	struct statistics *statistics;
	struct selector selector;
	json_object *object = NULL;

	(void)json_get_object(call_parameters(call), "selector", &object);
	if (selector_read(object, &selector) < 0) {
		call_invalid_parameter(call, "selector");
		return 0;
	}
	statistics = statistics_new(call, &selector);
	if (!statistics)
		return -ENOMEM;
	if (statistics->n == 0 && selector.session >= 0) {
		statistics_free(statistics);
		call_error(call, ERROR_SESSION_NO_SUCH_SESSION,
			   json_wrap("selector", json_object_get(object)));
		return 0;
	}
	begin(call, statistics);
	return 0;
}

int method_session_get_host_statistics(struct call *call)
{
	struct statistics *statistics;
	struct selector all;

	(void)selector_read(NULL, &all);
	statistics = statistics_new(call, &all);
	if (!statistics)
		return -ENOMEM;
	statistics->by_host = true;
	begin(call, statistics);
	return 0;
}
