/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Failures of calls. The one table that turns Varlink errors into errno, and into a sentence where
 * the error does not bring its own.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "client.h"
#include "interfaces.h"

struct ois_error {
	unsigned references;
	int error; /* negative errno */
	char *name, *message;
	json_object *parameters;
};

/* What failed is said by the caller; this says why. */
struct error_row {
	const char *name;
	int error;
	const char *message; /* NULL: the error's own, or its name */
};

static const struct error_row error_rows[] = {
	{ ERROR_SERVICE_INTERFACE_NOT_FOUND, -ENXIO, "the daemon does not know this interface" },
	{ ERROR_SERVICE_METHOD_NOT_FOUND, -ENXIO,
	  "the daemon does not know this method; it may be older" },
	{ ERROR_SERVICE_METHOD_NOT_IMPLEMENTED, -ENOTTY, "the daemon cannot do this" },
	{ ERROR_SERVICE_INVALID_PARAMETER, -EINVAL, "the daemon does not accept this value" },
	{ ERROR_SERVICE_PERMISSION_DENIED, -EACCES, "permission denied" },
	{ ERROR_SERVICE_EXPECTED_MORE, -EINVAL, "the call must accept several replies" },
	{ ERROR_MANAGER_CONFIGURATION_INVALID, -EINVAL, NULL },
	{ ERROR_MANAGER_NOT_READY, -EAGAIN, "the daemon is starting or stopping" },
	{ ERROR_NODE_NO_SUCH_NODE, -ESRCH, "no such node" },
	{ ERROR_NODE_NODE_EXISTS, -EEXIST, "the node exists" },
	{ ERROR_NODE_NODE_IN_USE, -EBUSY, "the node has a session" },
	{ ERROR_NODE_INVALID_SETTING, -EINVAL, NULL },
	{ ERROR_NODE_SECRET_TOO_SHORT, -EINVAL, "the secret is too short" },
	{ ERROR_DISCOVERY_TIMED_OUT, -ETIMEDOUT, NULL },
	{ ERROR_DISCOVERY_NO_SUCH_PORTAL, -ESRCH, "nothing is kept for this portal" },
	{ ERROR_DISCOVERY_INVALID_SETTING, -EINVAL, NULL },
	{ ERROR_DISCOVERY_SECRET_TOO_SHORT, -EINVAL, "the secret is too short" },
	{ ERROR_INTERFACE_NO_SUCH_INTERFACE, -ESRCH, "there is no such interface" },
	{ ERROR_INTERFACE_INTERFACE_EXISTS, -EEXIST, "the interface exists" },
	{ ERROR_INTERFACE_INTERFACE_IN_USE, -EBUSY, "nodes or portals name the interface" },
	{ ERROR_INTERFACE_INTERFACE_BUILT_IN, -EOPNOTSUPP,
	  "the interface is built in, and is what its name says" },
	{ ERROR_INTERFACE_INVALID_SETTING, -EINVAL, NULL },
	{ ERROR_INTERFACE_NOTHING_TO_APPLY, -EOPNOTSUPP,
	  "there is nothing that the adapter could be told" },
	{ ERROR_INTERFACE_NO_SUCH_PORT, -ENODEV, "the adapter's port is not there" },
	{ ERROR_INTERFACE_APPLY_FAILED, -EIO, NULL },
	{ ERROR_SESSION_TIMED_OUT, -ETIMEDOUT, NULL },
	{ ERROR_SESSION_NO_SUCH_SESSION, -ESRCH, "no such session" },
	{ ERROR_SESSION_NO_SUCH_NODE, -ESRCH, "no such node" },
	{ ERROR_SESSION_SESSION_IN_USE, -EBUSY, "a device of the session is in use" },
	{ ERROR_SESSION_NOT_MANAGED, -EOPNOTSUPP, "the daemon does not manage this session" },
	{ ERROR_SESSION_NOT_ADOPTABLE, -EOPNOTSUPP, NULL },
	{ ERROR_SESSION_SUBSCRIPTION_LIMIT, -EBUSY, "too many subscriptions" },
	{ ERROR_SESSION_NOT_LOGGED_IN, -ENOTCONN, "the session has no connection now" },
	{ ERROR_SCSI_NO_SUCH_SESSION, -ESRCH, "no such session" },
	{ ERROR_SCSI_NO_SUCH_LOGICAL_UNIT, -ENODEV,
	  "the session has no such logical unit; 'ois-ctl rescan' looks for new ones" },
	{ ERROR_SCSI_COMMAND_FAILED, -EREMOTEIO, NULL },
	{ ERROR_SCSI_TRANSPORT_FAILED, -EIO, NULL },
	{ ERROR_SCSI_INVALID_ANSWER, -EPROTO,
	  "the logical unit sent something else than was asked" },
	{ ERROR_SCSI_TIMED_OUT, -ETIMEDOUT, NULL },
	{ ERROR_HOST_NO_SUCH_HOST, -ESRCH, "no such host" },
	{ ERROR_HOST_HOST_AMBIGUOUS, -ENOTUNIQ,
	  "several hosts have this hardware address; name one by its number" },
	{ ERROR_HOST_NOT_SUPPORTED, -EOPNOTSUPP, NULL },
	{ ERROR_HOST_NO_SUCH_ENTRY, -ESRCH, "no such entry" },
	{ ERROR_HOST_ENTRY_IN_USE, -EBUSY, "a session or a flash node uses it" },
	{ ERROR_HOST_SECRET_TOO_SHORT, -EINVAL, "the secret is too short" },
	{ ERROR_HOST_INVALID_SETTING, -EINVAL, NULL },
	{ ERROR_EVENT_NO_SUCH_EVENT, -ESRCH, "no event has this number" },
	{ ERROR_EVENT_SUBSCRIPTION_LIMIT, -EBUSY, "too many subscriptions" },
};

struct ois_error *ois_error_ref(struct ois_error *error)
{
	error->references++;
	return error;
}

struct ois_error *ois_error_unref(struct ois_error *error)
{
	if (!error || --error->references > 0)
		return NULL;
	free(error->name);
	free(error->message);
	json_object_put(error->parameters);
	free(error);
	return NULL;
}

int ois_error_get_errno(const struct ois_error *error)
{
	return error->error;
}

const char *ois_error_get_name(const struct ois_error *error)
{
	return error->name;
}

const char *ois_error_get_message(const struct ois_error *error)
{
	return error->message;
}

unsigned ois_error_get_event(const struct ois_error *error)
{
	int64_t event;

	if (object_number(error->parameters, "failure.event", &event) < 0 &&
	    object_number(error->parameters, "event", &event) < 0)
		return 0;
	return event > 0 && event <= UINT16_MAX ? (unsigned)event : 0;
}

const char *ois_error_get_json(const struct ois_error *error)
{
	return object_print(error->parameters);
}

const char *ois_error_get_text(const struct ois_error *error, const char *name)
{
	return object_text(error->parameters, name);
}

static const struct error_row *find_row(const char *name)
{
	static const struct error_row other = { NULL, -EREMOTEIO, NULL };

	for (size_t i = 0; i < ELEMENTSOF(error_rows); i++)
		if (strcmp(error_rows[i].name, name) == 0)
			return &error_rows[i];
	return &other;
}

/* Sentences that need more than the row's text; 0: none of them, 1: *@ret was made. */
static int special_message(const char *name, json_object *parameters, char **ret)
{
	const char *text = NULL, *at = NULL;
	int64_t number;
	int n = 0;

	if (strcmp(name, ERROR_MANAGER_CONFIGURATION_INVALID) == 0) {
		text = object_text(parameters, "file");
		at = object_text(parameters, "line");
		n = asprintf(ret, "%s%s%s: %s", text ?: "the configuration", at ? ":" : "",
			     at ?: "", object_text(parameters, "message") ?: "invalid");
	} else if (strcmp(name, ERROR_NODE_INVALID_SETTING) == 0 ||
		   strcmp(name, ERROR_DISCOVERY_INVALID_SETTING) == 0 ||
		   strcmp(name, ERROR_HOST_INVALID_SETTING) == 0) {
		n = asprintf(ret, "%s: %s", object_text(parameters, "setting") ?: "a setting",
			     object_text(parameters, "message") ?: "invalid");
	} else if (strcmp(name, ERROR_SERVICE_INVALID_PARAMETER) == 0 &&
		   (text = object_text(parameters, "parameter"))) {
		n = asprintf(ret, "the daemon does not accept this value of '%s'", text);
	} else if ((strcmp(name, ERROR_NODE_SECRET_TOO_SHORT) == 0 ||
		    strcmp(name, ERROR_DISCOVERY_SECRET_TOO_SHORT) == 0 ||
		    strcmp(name, ERROR_HOST_SECRET_TOO_SHORT) == 0) &&
		   object_number(parameters, "minimumBytes", &number) >= 0) {
		n = asprintf(ret, "the secret is too short, it must have at least %lld bytes",
			     (long long)number);
	}
	return n < 0 ? -ENOMEM : n > 0;
}

static int make_message(const struct error_row *row, const char *name, json_object *parameters,
			char **ret)
{
	const char *text;
	int r;

	r = special_message(name, parameters, ret);
	if (r != 0)
		return r;
	text = object_text(parameters, "failure.message") ?: object_text(parameters, "message");
	text = text ?: row->message ?: name;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

int error_new_varlink(const char *name, json_object *parameters, struct ois_error **ret)
{
	_cleanup_(ois_error_unrefp) struct ois_error *error = NULL;
	const struct error_row *row = find_row(name);
	int r;

	error = calloc(1, sizeof(*error));
	if (!error)
		return -ENOMEM;
	error->references = 1;
	error->error = row->error;
	error->parameters = json_object_get(parameters);
	error->name = strdup(name);
	if (!error->name)
		return -ENOMEM;
	r = make_message(row, name, parameters, &error->message);
	if (r < 0) {
		error->message = NULL;
		return r;
	}
	*ret = TAKE_PTR(error);
	return 0;
}

int error_new_message(int error, struct ois_error **ret, const char *format, va_list arguments)
{
	struct ois_error *object;

	object = calloc(1, sizeof(*object));
	if (!object)
		return -ENOMEM;
	object->references = 1;
	object->error = error;
	if (vasprintf(&object->message, format, arguments) < 0) {
		free(object);
		return -ENOMEM;
	}
	*ret = object;
	return 0;
}

static int _printf_(3, 4) new_message(int error, struct ois_error **ret, const char *format, ...)
{
	va_list arguments;
	int r;

	va_start(arguments, format);
	r = error_new_message(error, ret, format, arguments);
	va_end(arguments);
	return r;
}

int error_new_errno(int error, const char *socket, const char *method, struct ois_error **ret)
{
	switch (error) {
	case -ENOENT:
	case -ECONNREFUSED:
		return new_message(error, ret, "no daemon answers at %s", socket);
	case -EACCES:
	case -EPERM:
		return new_message(-EACCES, ret, "permission denied to open %s", socket);
	case -ECONNRESET:
		return new_message(error, ret, "the daemon went away during %s", method);
	case -ETIMEDOUT:
		return new_message(error, ret, "the daemon does not answer %s", method);
	case -EPROTO:
		return new_message(error, ret, "the answer to %s is not understood", method);
	case -EMSGSIZE:
		return new_message(error, ret, "a message of %s is too long", method);
	default:
		return new_message(error, ret, "%s", strerror(-error));
	}
}
