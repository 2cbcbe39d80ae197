/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a message to the method it calls, and from the method's answers to messages. Calls and
 * answers are checked against the interface definitions: a call that does not fit is refused before
 * anything else is done with it, and an answer that does not fit is our bug.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "interfaces.h"
#include "json.h"
#include "method.h"
#include "service_private.h"
#include "trace.h"
#include "turn.h"

struct call {
	struct connection *connection;
	json_object *message;
	struct varlink_call header;
	const struct varlink_method *method;
	const struct idl_member *description;
	json_object *held; /* the last item of a list so far */

	void *userdata;
	void (*gone)(void *userdata);
	void (*produce)(struct call *call, void *userdata);
	bool woken;
	size_t n_asked; /* whether to go on with answers, in this turn */
	bool stopped;   /* by the last answer to that */
};

/* What a negative errno means to the callers of an interface; NULL stands for all. */
static const struct {
	const char *interface;
	int error;
	const char *name;
} error_names[] = {
	{ INTERFACE_DISCOVERY, -ECONNREFUSED, ERROR_DISCOVERY_UNREACHABLE },
	{ INTERFACE_DISCOVERY, -EHOSTUNREACH, ERROR_DISCOVERY_UNREACHABLE },
	{ INTERFACE_DISCOVERY, -ENETUNREACH, ERROR_DISCOVERY_UNREACHABLE },
	{ INTERFACE_DISCOVERY, -EHOSTDOWN, ERROR_DISCOVERY_UNREACHABLE },
	{ INTERFACE_DISCOVERY, -ENETDOWN, ERROR_DISCOVERY_UNREACHABLE },
	{ INTERFACE_DISCOVERY, -EADDRNOTAVAIL, ERROR_DISCOVERY_UNREACHABLE },
	{ INTERFACE_DISCOVERY, -EAFNOSUPPORT, ERROR_DISCOVERY_UNREACHABLE },
	{ INTERFACE_DISCOVERY, -EINVAL, ERROR_DISCOVERY_UNREACHABLE },
	{ INTERFACE_DISCOVERY, -ENODEV, ERROR_DISCOVERY_UNREACHABLE },
	{ INTERFACE_DISCOVERY, -EACCES, ERROR_DISCOVERY_AUTHENTICATION_FAILED },
	{ INTERFACE_DISCOVERY, -ETIMEDOUT, ERROR_DISCOVERY_TIMED_OUT },
	{ INTERFACE_DISCOVERY, -EPROTO, ERROR_DISCOVERY_PROTOCOL_FAILED },
	{ INTERFACE_DISCOVERY, -ECONNRESET, ERROR_DISCOVERY_PROTOCOL_FAILED },
	{ INTERFACE_DISCOVERY, -EPIPE, ERROR_DISCOVERY_PROTOCOL_FAILED },
	{ INTERFACE_DISCOVERY, -ELOOP, ERROR_DISCOVERY_PROTOCOL_FAILED },
	{ INTERFACE_DISCOVERY, -EOPNOTSUPP, ERROR_DISCOVERY_PROTOCOL_FAILED },
	{ INTERFACE_SESSION, -EBUSY, ERROR_SESSION_SESSION_IN_USE },
	{ INTERFACE_SESSION, -EOPNOTSUPP, ERROR_SESSION_NOT_MANAGED },
	{ INTERFACE_SESSION, -ENOTCONN, ERROR_SESSION_NOT_LOGGED_IN },
	{ INTERFACE_SESSION, -ETIMEDOUT, ERROR_SESSION_TIMED_OUT },
	{ NULL, -ESHUTDOWN, ERROR_MANAGER_NOT_READY },
};

struct manager *call_manager(const struct call *call)
{
	return call->connection->service->manager;
}

struct service *call_service(const struct call *call)
{
	return call->connection->service;
}

json_object *call_parameters(const struct call *call)
{
	return call->header.parameters;
}

uid_t call_uid(const struct call *call)
{
	return call->connection->uid;
}

/* Answers */

static const struct varlink_registry *call_registry(const struct call *call)
{
	return call->connection->service->registry;
}

static int call_queue(struct call *call, json_object *message)
{
	_cleanup_json_ json_object *owned = message;
	struct connection *connection = call->connection;
	int r;

	if (call->header.oneway || connection->gone)
		return 0;
	r = owned ? varlink_stream_queue(&connection->stream, owned) : -ENOMEM;
	connection_wake(connection);
	return r;
}

/* The call is over: the client's next one may come. */
static void call_end(struct call *call)
{
	struct connection *connection = call->connection;

	connection->call = call_free(call);
	connection_wake(connection);
}

/* What cannot even be answered with an error ends the connection; there is no other sign of it. */
static void call_abandon(struct call *call)
{
	struct connection *connection = call->connection;

	trace("%s: no answer possible", call->header.method);
	connection->input_ended = true;
	call_end(call);
}

/* Sends an error and ends the call. @parameters fit the error. */
static void call_send_error(struct call *call, const char *error, json_object *parameters)
{
	if (call_queue(call, varlink_error_new(error, parameters)) < 0)
		call_abandon(call);
	else
		call_end(call);
}

static const char *errno_name(int error)
{
	return strerrorname_np(-error) ?: "EIO";
}

static void call_system_failure(struct call *call, int error, const char *message)
{
	_cleanup_json_ json_object *parameters = json_object_new_object();

	if (!parameters || json_set_string(parameters, "errnoName", errno_name(error)) < 0 ||
	    json_set_string(parameters, "message", message ?: strerror(-error)) < 0)
		call_abandon(call);
	else
		call_send_error(call, ERROR_MANAGER_SYSTEM_FAILURE, TAKE_PTR(parameters));
}

/* An answer of ours that does not fit its definition: the client is told that we failed. */
static void call_misfit(struct call *call, const struct idl_mismatch *mismatch)
{
	trace("%s: answer does not fit: %s: %s", call->header.method, mismatch->field,
	      mismatch->reason);
	assert(!"an answer does not fit the interface");
	call_system_failure(call, -EPROTO, "The answer does not fit the interface");
}

void call_error(struct call *call, const char *error, json_object *parameters)
{
	const struct idl_member *member =
		varlink_registry_member(call_registry(call), IDL_ERROR, error);
	struct idl_mismatch mismatch = { .field = error, .reason = "no such error" };

	if (!parameters) {
		call_system_failure(call, -ENOMEM, NULL);
		return;
	}
	if (!member || idl_check(&member->type, parameters, IDL_REPLY, &mismatch) < 0) {
		/* What the mismatch tells is borrowed from the parameters. */
		call_misfit(call, &mismatch);
		json_object_put(parameters);
		return;
	}
	call_send_error(call, error, parameters);
}

/* Takes @parameters over; false: the call was ended with an error. */
static bool call_answer(struct call *call, json_object *parameters, bool continues)
{
	struct idl_mismatch mismatch;
	int r;

	if (!parameters) {
		call_system_failure(call, -ENOMEM, NULL);
		return false;
	}
	if (idl_check(&call->description->output, parameters, IDL_REPLY, &mismatch) < 0) {
		call_misfit(call, &mismatch);
		json_object_put(parameters);
		return false;
	}
	r = call_queue(call, varlink_reply_new(parameters, continues));
	if (r < 0)
		call_system_failure(call, r, NULL);
	return r >= 0;
}

void call_reply(struct call *call, json_object *parameters)
{
	if (call_answer(call, parameters, false))
		call_end(call);
}

bool call_stream(struct call *call, json_object *parameters)
{
	return call_answer(call, parameters, true);
}

bool call_list(struct call *call, json_object *parameters)
{
	json_object *before = call->held;

	if (!parameters) {
		call_system_failure(call, -ENOMEM, NULL);
		return false;
	}
	call->held = parameters;
	return !before || call_answer(call, before, true);
}

void call_list_end(struct call *call)
{
	json_object *last = TAKE_PTR(call->held);

	call_reply(call, last ?: json_object_new_object());
}

static const char *error_name(const struct call *call, int error)
{
	for (size_t i = 0; i < ELEMENTSOF(error_names); i++) {
		const char *interface = error_names[i].interface;
		size_t length = interface ? strlen(interface) : 0;

		if (error_names[i].error == error &&
		    (!interface || (strncmp(call->method->name, interface, length) == 0 &&
				    call->method->name[length] == '.')))
			return error_names[i].name;
	}
	return ERROR_MANAGER_SYSTEM_FAILURE;
}

/* A value for @field of an error: from @details, else what can be said of @error anyhow. NULL:
 * none. */
static json_object *error_field(const struct call *call, const char *field, int error,
				json_object *details)
{
	json_object *value = json_get_path(details, field);

	if (value)
		return json_object_get(value);
	if (strcmp(field, "errnoName") == 0)
		return json_object_new_string(errno_name(error));
	if (strcmp(field, "message") == 0)
		return json_object_new_string(strerror(-error));
	if (strcmp(field, "state") == 0)
		return json_object_new_string(service_state(call_service(call)));
	return NULL;
}

void call_fail_as(struct call *call, const char *name, int error, json_object *details)
{
	_cleanup_json_ json_object *owned = details;
	_cleanup_json_ json_object *parameters = json_object_new_object();
	const struct idl_member *member =
		varlink_registry_member(call_registry(call), IDL_ERROR, name);

	for (size_t i = 0; member && parameters && i < member->type.n_fields; i++) {
		const char *field = member->type.fields[i].name;
		json_object *value = error_field(call, field, error, owned);

		if (value)
			(void)json_set(parameters, field, value);
	}
	call_error(call, name, TAKE_PTR(parameters));
}

void call_fail(struct call *call, int error, json_object *details)
{
	call_fail_as(call, error_name(call, error), error, details);
}

/* One string parameter, as most errors of org.varlink.service have. */
static json_object *one_string(const char *name, const char *value)
{
	_cleanup_json_ json_object *parameters = json_object_new_object();

	if (!parameters || json_set_string(parameters, name, value) < 0)
		return NULL;
	return TAKE_PTR(parameters);
}

void call_invalid_parameter(struct call *call, const char *parameter)
{
	call_error(call, ERROR_SERVICE_INVALID_PARAMETER, one_string("parameter", parameter));
}

/* Kept calls */

void call_keep(struct call *call, void *userdata, void (*gone)(void *userdata))
{
	call->userdata = userdata;
	call->gone = gone;
}

void call_produce(struct call *call, void (*produce)(struct call *call, void *userdata))
{
	call->produce = produce;
	call_wake(call);
}

void call_wake(struct call *call)
{
	call->woken = true;
	connection_wake(call->connection);
}

static bool has_room(const struct call *call)
{
	const uint8_t *output;

	return call->connection->gone ||
	       varlink_stream_pending(&call->connection->stream, &output) < SERVICE_OUTPUT_FULL;
}

bool call_full(struct call *call)
{
	call->stopped = !has_room(call) || turn_ends(call->n_asked++);
	return call->stopped;
}

bool call_run(struct call *call)
{
	struct connection *connection = call->connection;

	if (!call->produce || !call->woken || !has_room(call))
		return false;
	call->woken = false;
	call->n_asked = 0;
	call->stopped = false;
	call->produce(call, call->userdata);
	/* It stopped because there was no room or no time: it has more to say. */
	if (connection->call && connection->call->stopped)
		connection->call->woken = true;
	return true;
}

/* Dispatch */

struct call *call_free(struct call *call)
{
	if (!call)
		return NULL;
	if (call->connection->call == call)
		call->connection->call = NULL;
	if (call->gone)
		call->gone(call->userdata);
	json_object_put(call->held);
	/* Whether there are secrets in it or not: the name of the method may have been misspelt. */
	json_erase(call->message);
	json_object_put(call->message);
	free(call);
	return NULL;
}

static bool call_permitted(const struct call *call)
{
	switch (call->method->access) {
	case VARLINK_ACCESS_ANY:
		return true;
	case VARLINK_ACCESS_READ:
		return connection_may_read(call->connection);
	case VARLINK_ACCESS_CHANGE:
		return connection_may_change(call->connection);
	}
	return false;
}

/* Everything that can be wrong with a call before its method is run; true: it was answered. */
static bool call_refused(struct call *call)
{
	struct idl_mismatch mismatch;

	if (!call->method || !call->description) {
		call_error(call, ERROR_SERVICE_METHOD_NOT_FOUND,
			   one_string("method", call->header.method));
		return true;
	}
	if (call->header.upgrade) {
		call_error(call, ERROR_SERVICE_METHOD_NOT_IMPLEMENTED,
			   one_string("method", call->header.method));
		return true;
	}
	if (call->method->more_required && !call->header.more) {
		call_error(call, ERROR_SERVICE_EXPECTED_MORE, json_object_new_object());
		return true;
	}
	if (idl_check(&call->description->type, call->header.parameters, IDL_CALL, &mismatch) < 0) {
		call_invalid_parameter(call, mismatch.field);
		return true;
	}
	if (!call_permitted(call)) {
		call_error(call, ERROR_SERVICE_PERMISSION_DENIED, json_object_new_object());
		return true;
	}
	if (call->method->access != VARLINK_ACCESS_ANY &&
	    call_manager(call)->state != MANAGER_RUNNING) {
		call_fail(call, -ESHUTDOWN, NULL);
		return true;
	}
	return false;
}

static int call_new(struct connection *connection, json_object *message, struct call **ret)
{
	struct call *call = calloc(1, sizeof(*call));
	int r;

	if (!call) {
		json_erase(message);
		json_object_put(message);
		return -ENOMEM;
	}
	call->connection = connection;
	call->message = message;
	r = varlink_call_parse(message, &call->header);
	if (r < 0) {
		(void)call_free(call);
		return r;
	}
	call->method = varlink_method_find(call->header.method);
	call->description = varlink_registry_member(connection->service->registry, IDL_METHOD,
						    call->header.method);
	*ret = call;
	return 0;
}

int call_dispatch(struct connection *connection, json_object *message)
{
	struct call *call;
	int r;

	r = call_new(connection, message, &call);
	if (r < 0)
		return r;
	connection->call = call;
	if (call_refused(call))
		return 0;
	trace("%s called by user %u", call->method->name, connection->uid);
	r = call->method->handler(call);
	/* Answered; a method makes no other call, so the pointer tells. */
	if (connection->call != call)
		return 0;
	if (r < 0) {
		call_fail(call, r, NULL);
	} else if (!call->gone) {
		assert(!"a method neither answered nor kept its call");
		call_fail(call, -EPROTO, NULL);
	}
	return 0;
}
