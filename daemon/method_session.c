/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.ois.session: listing of sessions, and rescan. Everything told here is in memory. Login and
 * logout stand in method_login.c.
 */
#include <errno.h>
#include <ctype.h>
#include <string.h>

#include "interfaces.h"
#include "json.h"
#include "method_session.h"
#include "parse.h"
#include "service_private.h"

/* A session as JSON */

/* The tables have the names of the RFC in capitals. */
static int set_lower(json_object *object, const char *name, const char *state)
{
	char text[32];
	size_t i = 0;

	for (; state && state[i] && i < sizeof(text) - 1; i++)
		text[i] = (char)tolower((unsigned char)state[i]);
	text[i] = '\0';
	return json_set_string(object, name, text);
}

int session_state_to_json(json_object *object, const struct session *session)
{
	return set_lower(object, "state", session_state_to_string(session->state));
}

static int set_known(json_object *object, const char *name, int64_t value)
{
	return value >= 0 ? json_set_int(object, name, value) : 0;
}

static int set_known_bool(json_object *object, const char *name, int64_t value)
{
	return value >= 0 ? json_set_bool(object, name, value > 0) : 0;
}

static int set_digest(json_object *object, const char *name, int64_t crc32c)
{
	return crc32c >= 0 ? json_set_string(object, name, crc32c ? "crc32c" : "none") : 0;
}

/* What was negotiated, from our own login or from sysfs; -1: not known. */
struct parameters {
	int64_t max_connections, initial_r2t, immediate_data, max_burst_length, first_burst_length,
		default_time2wait, default_time2retain, max_outstanding_r2t, data_pdu_in_order,
		data_sequence_in_order, error_recovery_level;
	int64_t header_digest, data_digest, max_recv_data_segment_length,
		max_xmit_data_segment_length;
};

static struct parameters negotiated_parameters(const struct iscsi_parameters *p)
{
	return (struct parameters){
		.max_connections = p->max_connections,
		.initial_r2t = p->initial_r2t,
		.immediate_data = p->immediate_data,
		.max_burst_length = p->max_burst_length,
		.first_burst_length = p->first_burst_length,
		.default_time2wait = p->default_time2wait,
		.default_time2retain = p->default_time2retain,
		.max_outstanding_r2t = p->max_outstanding_r2t,
		.data_pdu_in_order = p->data_pdu_in_order,
		.data_sequence_in_order = p->data_sequence_in_order,
		.error_recovery_level = p->error_recovery_level,
		.header_digest = p->header_digest,
		.data_digest = p->data_digest,
		.max_recv_data_segment_length = p->max_recv_data_segment_length,
		.max_xmit_data_segment_length = p->max_xmit_data_segment_length,
	};
}

static struct parameters found_parameters(const struct sysfs_session *found)
{
	return (struct parameters){
		.max_connections = -1,
		.initial_r2t = found ? found->initial_r2t : -1,
		.immediate_data = found ? found->immediate_data : -1,
		.max_burst_length = found ? found->max_burst_length : -1,
		.first_burst_length = found ? found->first_burst_length : -1,
		.default_time2wait = -1,
		.default_time2retain = -1,
		.max_outstanding_r2t = found ? found->max_outstanding_r2t : -1,
		.data_pdu_in_order = found ? found->data_pdu_in_order : -1,
		.data_sequence_in_order = found ? found->data_sequence_in_order : -1,
		.error_recovery_level = found ? found->error_recovery_level : -1,
		.header_digest = found ? found->header_digest : -1,
		.data_digest = found ? found->data_digest : -1,
		.max_recv_data_segment_length = found ? found->max_recv_data_segment_length : -1,
		.max_xmit_data_segment_length = found ? found->max_xmit_data_segment_length : -1,
	};
}

static struct parameters session_parameters(const struct session *session)
{
	return session->result_known ? negotiated_parameters(&session->result.parameters)
				     : found_parameters(session->found);
}

static json_object *session_parameters_to_json(const struct parameters *p)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = set_known(object, "maxConnections", p->max_connections);
	r |= set_known_bool(object, "initialR2T", p->initial_r2t);
	r |= set_known_bool(object, "immediateData", p->immediate_data);
	r |= set_known(object, "maxBurstLength", p->max_burst_length);
	r |= set_known(object, "firstBurstLength", p->first_burst_length);
	r |= set_known(object, "defaultTime2Wait", p->default_time2wait);
	r |= set_known(object, "defaultTime2Retain", p->default_time2retain);
	r |= set_known(object, "maxOutstandingR2T", p->max_outstanding_r2t);
	r |= set_known_bool(object, "dataPDUInOrder", p->data_pdu_in_order);
	r |= set_known_bool(object, "dataSequenceInOrder", p->data_sequence_in_order);
	r |= set_known(object, "errorRecoveryLevel", p->error_recovery_level);
	return r < 0 ? NULL : TAKE_PTR(object);
}

static json_object *connection_parameters_to_json(const struct parameters *p)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = set_digest(object, "headerDigest", p->header_digest);
	r |= set_digest(object, "dataDigest", p->data_digest);
	r |= set_known(object, "maxRecvDataSegmentLength", p->max_recv_data_segment_length);
	r |= set_known(object, "maxXmitDataSegmentLength", p->max_xmit_data_segment_length);
	return r < 0 ? NULL : TAKE_PTR(object);
}

/* A setting in effect, or what sysfs says of a session that is not ours; -1: not known, or without
 * limit. */
static int64_t setting_or(const struct session *session, enum setting setting, int64_t found)
{
	/* Of these settings it takes no others. */
	bool taken = !session_logs_in_itself(session) ||
		     setting == SETTING_REPLACEMENT_TIMEOUT_SECONDS ||
		     setting == SETTING_COMMANDS_MAX;

	if (session->settings && taken)
		return settings_number(session->settings, setting);
	return session->found ? found : -1;
}

#define SETTING_OR_FOUND(session, setting, member)                                                 \
	setting_or(session, setting, (session)->found ? (session)->found->member : -1)

static json_object *connection_to_json(const struct session *session, const struct parameters *p)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	/* A session has one connection, which the kernel numbers 0. */
	r = json_set_int(object, "connection", 0);
	r |= set_lower(object, "state", connection_state_to_string(session->connection));
	r |= json_set_string(object, "address", session_address(session));
	r |= json_set_int(object, "port", session_port(session));
	if (session->local_address[0]) {
		r |= json_set_string(object, "localAddress", session->local_address);
		r |= json_set_int(object, "localPort", session->local_port);
	}
	r |= set_known(object, "noopIntervalSeconds",
		       SETTING_OR_FOUND(session, SETTING_NOOP_INTERVAL_SECONDS, noop_interval));
	r |= set_known(object, "noopTimeoutSeconds",
		       SETTING_OR_FOUND(session, SETTING_NOOP_TIMEOUT_SECONDS, noop_timeout));
	r |= json_set(object, "parameters", connection_parameters_to_json(p));
	return r < 0 ? NULL : TAKE_PTR(object);
}

static json_object *connections_to_json(const struct session *session, const struct parameters *p)
{
	_cleanup_json_ json_object *array = json_object_new_array();

	if (!array || json_append(array, connection_to_json(session, p)) < 0)
		return NULL;
	return TAKE_PTR(array);
}

static const char *initiator_name(const struct session *session)
{
	if (session->found && session->found->initiator_name[0])
		return session->found->initiator_name;
	return session->managed ? session_initiator_name(session) : NULL;
}

static int set_identity(json_object *object, const struct session *session)
{
	char isid[13], alias[256];
	int r = 0;

	if (session->in_kernel)
		r |= json_set_int(object, "hostNumber", session->host);
	r |= set_known(object, "portalGroupTag", session->portal_group_tag);
	if (session->isid_known) {
		hex_encode(session->isid, sizeof(session->isid), isid);
		r |= json_set_string(object, "isid", isid);
	}
	if (session->result_known) {
		r |= json_set_int(object, "tsih", session->result.tsih);
		if (session->result.target_alias[0])
			r |= json_set_string(object, "targetAlias", session->result.target_alias);
	} else if (session->found) {
		(void)text_escape(session->found->target_alias,
				  strlen(session->found->target_alias), alias, sizeof(alias));
		r |= set_known(object, "tsih", session->found->tsih);
		if (alias[0])
			r |= json_set_string(object, "targetAlias", alias);
	}
	r |= json_set_string(object, "initiatorName", initiator_name(session));
	r |= json_set_string(object, "transport", session_transport_name(session));
	return r;
}

static json_object *redirect_to_json(const struct login_redirect *redirect)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_string(object, "address", redirect->address);
	r |= json_set_int(object, "port", redirect->port);
	r |= json_set_bool(object, "permanent", redirect->permanent);
	return r < 0 ? NULL : TAKE_PTR(object);
}

/* The fields that Session and Status share. */
static int set_status(json_object *object, const struct session_status *status)
{
	int r;

	if (status->sid != KERNEL_SESSION_NEW)
		r = json_set_int(object, "session", status->sid);
	else
		r = 0;
	r |= json_set_string(object, "targetName", status->target_name);
	r |= json_set_string(object, "address", status->address);
	r |= json_set_int(object, "port", status->port);
	r |= json_set_bool(object, "managed", status->managed);
	r |= set_lower(object, "state", session_state_to_string(status->state));
	r |= json_set_string(object, "phase", session_phase_to_string(status->phase));
	r |= json_set_int(object, "sinceTimestampUSec", (int64_t)status->since_usec);
	r |= json_set_bool(object, "recovering", status->recovering);
	r |= json_set_int(object, "reconnects", status->reconnects);
	if (status->lost_usec > 0)
		r |= json_set_int(object, "lostTimestampUSec", (int64_t)status->lost_usec);
	if (status->attempt > 0)
		r |= json_set_int(object, "attempt", status->attempt);
	if (status->next_attempt_usec > 0)
		r |= json_set_int(object, "nextAttemptTimestampUSec",
				  (int64_t)status->next_attempt_usec);
	if (status->failure.error || status->failure.event)
		r |= json_set(object, "failure", failure_to_json(&status->failure));
	return r;
}

json_object *session_status_to_json(const struct session_status *status)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = set_status(object, status);
	r |= set_lower(object, "connectionState", connection_state_to_string(status->connection));
	r |= json_set_string(object, "ending", session_ending_to_string(status->ending));
	return r < 0 ? NULL : TAKE_PTR(object);
}

static int set_life(json_object *object, const struct session *session)
{
	const struct session_status status = session_get_status(session);
	int r;

	r = set_status(object, &status);
	if (session->created_usec > 0)
		r |= json_set_int(object, "createdTimestampUSec", (int64_t)session->created_usec);
	if (session->logged_in_usec > 0)
		r |= json_set_int(object, "loggedInTimestampUSec",
				  (int64_t)session->logged_in_usec);
	if (session->redirect.address[0])
		r |= json_set(object, "redirect", redirect_to_json(&session->redirect));
	return r;
}

static int set_parameters(json_object *object, const struct session *session)
{
	const struct parameters parameters = session_parameters(session);
	int r = 0;

	if (session->result_known && session->result.authenticated) {
		r |= json_set_string(object, "chapAlgorithm",
				     chap_algorithm_to_string(session->result.chap_algorithm));
		r |= json_set_bool(object, "mutualAuthentication", session->result.mutual);
	}
	r |= json_set(object, "parameters", session_parameters_to_json(&parameters));
	r |= json_set(object, "connections", connections_to_json(session, &parameters));
	/* Here -1 is a value: never. */
	if (session->settings || session->found)
		r |= json_set_int(object, "replacementTimeoutSeconds",
				  SETTING_OR_FOUND(session, SETTING_REPLACEMENT_TIMEOUT_SECONDS,
						   recovery_timeout));
	r |= set_known(object, "abortTimeoutSeconds",
		       SETTING_OR_FOUND(session, SETTING_ABORT_TIMEOUT_SECONDS, abort_timeout));
	r |= set_known(object, "logicalUnitResetTimeoutSeconds",
		       SETTING_OR_FOUND(session, SETTING_LOGICAL_UNIT_RESET_TIMEOUT_SECONDS,
					lu_reset_timeout));
	r |= set_known(object, "targetResetTimeoutSeconds",
		       SETTING_OR_FOUND(session, SETTING_TARGET_RESET_TIMEOUT_SECONDS,
					target_reset_timeout));
	r |= set_known(object, "commandsMax",
		       SETTING_OR_FOUND(session, SETTING_COMMANDS_MAX, can_queue));
	return r;
}

static json_object *session_to_json(const struct session *session, bool logical_units)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = set_life(object, session);
	r |= set_identity(object, session);
	r |= set_parameters(object, session);
	if (logical_units)
		r |= json_set(object, "logicalUnits", luns_to_json(session->luns, session->n_luns));
	return r < 0 ? NULL : TAKE_PTR(object);
}

/* Listings */

struct session_listing {
	struct session_listing *next, **previous; /* service->listings */
	size_t position, n;
	struct session *sessions[]; /* NULL: gone since the listing began */
};

struct session_listing *session_listing_free(struct session_listing *listing)
{
	if (!listing)
		return NULL;
	*listing->previous = listing->next;
	if (listing->next)
		listing->next->previous = listing->previous;
	free(listing);
	return NULL;
}

void service_session_gone(struct service *service, const struct session *session)
{
	for (struct session_listing *l = service->listings; l; l = l->next)
		for (size_t i = l->position; i < l->n; i++)
			if (l->sessions[i] == session)
				l->sessions[i] = NULL;
}

/* By their number in the kernel; those without one follow, by target name. */
static int compare_sessions(const void *a, const void *b)
{
	const struct session *left = *(struct session *const *)a,
			     *right = *(struct session *const *)b;

	if (left->in_kernel != right->in_kernel)
		return left->in_kernel ? -1 : 1;
	if (left->in_kernel && left->sid != right->sid)
		return left->sid < right->sid ? -1 : 1;
	return strcmp(left->target_name, right->target_name);
}

int session_listing_new(struct service *service, const struct selector *selector,
			struct session_listing **ret)
{
	const struct manager *manager = service->manager;
	struct session_listing *listing;

	listing = malloc(sizeof(*listing) + manager->n_sessions * sizeof(listing->sessions[0]));
	if (!listing)
		return -ENOMEM;
	*listing = (struct session_listing){
		.next = service->listings,
		.previous = &service->listings,
	};
	for (struct session *s = manager->sessions; s && listing->n < manager->n_sessions;
	     s = s->next)
		if (s->phase != SESSION_CLOSED && selector_matches_session(selector, s))
			listing->sessions[listing->n++] = s;
	qsort(listing->sessions, listing->n, sizeof(listing->sessions[0]), compare_sessions);
	if (listing->next)
		listing->next->previous = &listing->next;
	service->listings = listing;
	*ret = listing;
	return 0;
}

struct session *session_listing_next(struct session_listing *listing)
{
	while (listing->position < listing->n) {
		struct session *session = listing->sessions[listing->position++];

		if (session && session->phase != SESSION_CLOSED)
			return session;
	}
	return NULL;
}

int call_list_sessions(struct call *call, struct selector *ret,
		       struct session_listing **ret_listing)
{
	struct session_listing *listing;
	json_object *object = NULL;
	struct selector selector;
	int r;

	(void)json_get_object(call_parameters(call), "selector", &object);
	if (selector_read(object, &selector) < 0) {
		call_invalid_parameter(call, "selector");
		return 0;
	}
	r = session_listing_new(call_service(call), &selector, &listing);
	if (r < 0)
		return r;
	if (listing->n == 0 && selector.session >= 0) {
		(void)session_listing_free(listing);
		call_error(call, ERROR_SESSION_NO_SUCH_SESSION,
			   json_wrap("selector", json_object_get(object)));
		return 0;
	}
	*ret = selector;
	*ret_listing = listing;
	return 1;
}

/* List */

struct list {
	struct session_listing *listing;
	bool logical_units;
};

static void list_free(void *userdata)
{
	struct list *list = userdata;

	list->listing = session_listing_free(list->listing);
	free(list);
}

static void list_produce(struct call *call, void *userdata)
{
	struct list *list = userdata;

	while (!call_full(call)) {
		const struct session *session = session_listing_next(list->listing);

		if (!session) {
			call_list_end(call);
			return;
		}
		if (!call_list(call,
			       json_wrap("session", session_to_json(session, list->logical_units))))
			return;
	}
}

int method_session_list(struct call *call)
{
	struct session_listing *listing;
	struct selector selector;
	struct list *list;
	int r;

	r = call_list_sessions(call, &selector, &listing);
	if (r <= 0)
		return r;
	list = calloc(1, sizeof(*list));
	if (!list) {
		(void)session_listing_free(listing);
		return -ENOMEM;
	}
	list->listing = listing;
	(void)json_get_bool(call_parameters(call), "logicalUnits", &list->logical_units);
	call_keep(call, list, list_free);
	call_produce(call, list_produce);
	return 0;
}

/* Rescan */

struct rescan {
	struct call *call;
	struct session *session;
	uint32_t sid;
};

static void rescan_gone(void *userdata)
{
	struct rescan *rescan = userdata;

	if (rescan->session)
		session_unwatch(rescan->session, rescan);
	free(rescan);
}

/* The event that told of it; 0: none. */
static unsigned rescan_event(int error)
{
	switch (error) {
	case -ETIMEDOUT:
		return EVENT_DEVICE_TIMEOUT;
	case -EBUSY:
	case -ECANCELED:
	case -ENOMEM:
	case -ENOTCONN:
		return 0;
	default:
		return EVENT_SCAN_FAILED;
	}
}

/* What any of the errors may need. */
static json_object *rescan_details(uint32_t sid, int error)
{
	const struct session_failure failure = {
		.error = error,
		.event = rescan_event(error),
		.status_class = -1,
		.status_detail = -1,
	};
	_cleanup_json_ json_object *object = json_wrap("failure", failure_to_json(&failure));
	int r;

	if (!object)
		return NULL;
	r = json_set_int(object, "session", sid);
	if (failure.event)
		r |= json_set_int(object, "event", failure.event);
	if (error == -ETIMEDOUT)
		r |= json_set_string(object, "message", "a disk did not appear in time");
	return r < 0 ? NULL : TAKE_PTR(object);
}

static void rescan_failed(struct call *call, uint32_t sid, int error)
{
	json_object *details = rescan_details(sid, error);

	/* A scan is given up when its session loses the connection. */
	if (error == -ECANCELED)
		call_fail(call, -ENOTCONN, details);
	else if (error == -ENOTCONN || error == -ETIMEDOUT || error == -ENOMEM)
		call_fail(call, error, details);
	else
		call_fail_as(call, ERROR_SESSION_RESCAN_FAILED, error, details);
}

static json_object *rescan_to_json(const struct session_changes *changes)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	const struct {
		const char *name;
		const struct session_units *units;
	} arrays[] = {
		{ "added", &changes->added },
		{ "removed", &changes->removed },
		{ "resized", &changes->resized },
		{ "kept", &changes->kept },
	};

	for (size_t i = 0; object && i < ELEMENTSOF(arrays); i++)
		if (json_set(object, arrays[i].name,
			     luns_to_json(arrays[i].units->luns, arrays[i].units->n)) < 0)
			return NULL;
	return TAKE_PTR(object);
}

static void rescan_done(void *userdata, struct session *session,
			const struct session_changes *changes)
{
	struct rescan *rescan = userdata;

	rescan->session = NULL;
	if (changes->error < 0)
		rescan_failed(rescan->call, rescan->sid, changes->error);
	else
		call_reply(rescan->call, rescan_to_json(changes));
}

static void no_such_session(struct call *call, uint32_t sid)
{
	json_object *selector = json_wrap("session", json_object_new_int64(sid));

	call_error(call, ERROR_SESSION_NO_SUCH_SESSION, json_wrap("selector", selector));
}

int method_session_rescan(struct call *call)
{
	json_object *parameters = call_parameters(call);
	struct session *session = NULL;
	const char *text = NULL;
	struct rescan *rescan;
	int64_t sid = -1;
	uint64_t lun;
	int r;

	if (json_get_int(parameters, "session", 0, UINT32_MAX, &sid) < 0) {
		call_invalid_parameter(call, "session");
		return 0;
	}
	if (json_get_string(parameters, "lun", &text) > 0 && lun_parse(text, &lun) < 0) {
		call_invalid_parameter(call, "lun");
		return 0;
	}
	session = manager_find_session(call_manager(call), (uint32_t)sid);
	if (!session) {
		no_such_session(call, (uint32_t)sid);
		return 0;
	}
	rescan = calloc(1, sizeof(*rescan));
	if (!rescan)
		return -ENOMEM;
	*rescan = (struct rescan){ .call = call, .session = session, .sid = (uint32_t)sid };
	r = session_rescan(session, text ? &lun : NULL, rescan_done, rescan);
	if (r < 0) {
		free(rescan);
		rescan_failed(call, (uint32_t)sid, r);
		return 0;
	}
	call_keep(call, rescan, rescan_gone);
	return 0;
}

/* Adopt */

struct adoption {
	struct call *call;
	struct session *session;
	uint32_t sid;
};

static void adoption_gone(void *userdata)
{
	struct adoption *adoption = userdata;

	if (adoption->session)
		session_take_over_forget(adoption->session, adoption);
	free(adoption);
}

static void not_adoptable(struct call *call, uint32_t sid, const char *message)
{
	_cleanup_json_ json_object *object = json_wrap("session", json_object_new_int64(sid));

	if (!object || json_set_string(object, "message", message) < 0)
		call_reply(call, NULL);
	else
		call_error(call, ERROR_SESSION_NOT_ADOPTABLE, TAKE_PTR(object));
}

static void adoption_done(void *userdata, int error)
{
	struct adoption *adoption = userdata;

	adoption->session = NULL;
	if (error < 0)
		not_adoptable(adoption->call, adoption->sid, strerror(-error));
	else
		call_reply(adoption->call, json_object_new_object());
}

static int adopt(struct call *call, struct session *session)
{
	struct adoption *adoption = calloc(1, sizeof(*adoption));
	int r;

	if (!adoption)
		return -ENOMEM;
	*adoption = (struct adoption){ .call = call, .session = session, .sid = session->sid };
	r = session_take_over(session, adoption_done, adoption);
	if (r == 0) {
		call_keep(call, adoption, adoption_gone);
		return 0;
	}
	adoption_done(adoption, r < 0 ? r : 0);
	free(adoption);
	return 0;
}

int method_session_adopt(struct call *call)
{
	struct session *session;
	const char *fault;
	int64_t sid = -1;

	if (json_get_int(call_parameters(call), "session", 0, UINT32_MAX, &sid) < 0) {
		call_invalid_parameter(call, "session");
		return 0;
	}
	session = manager_find_session(call_manager(call), (uint32_t)sid);
	if (!session) {
		no_such_session(call, (uint32_t)sid);
		return 0;
	}
	if (session->managed) {
		call_reply(call, json_object_new_object());
		return 0;
	}
	fault = session_take_over_fault(session);
	if (!fault)
		return adopt(call, session);
	not_adoptable(call, (uint32_t)sid, fault);
	return 0;
}
