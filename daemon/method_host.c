/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.ois.host: hosts, and what they are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "interfaces.h"
#include "json.h"
#include "method_host.h"
#include "table.h"

/* Calls about one host */

static void host_call_free(struct host_call *host_call)
{
	if (host_call->done)
		host_call->done(host_call);
	free(host_call);
}

static void host_call_gone(void *userdata)
{
	struct host_call *host_call = userdata;

	host_call->call = NULL;
	if (!host_call->busy)
		host_call_free(host_call);
}

bool host_call_returned(struct host_call *host_call)
{
	host_call->busy = false;
	if (host_call->call)
		return true;
	host_call_free(host_call);
	return false;
}

int host_call_new(struct call *call, size_t size, void *ret)
{
	struct host_call *host_call;
	const char *which = "";

	(void)json_get_string(call_parameters(call), "host", &which);
	if (strlen(which) >= sizeof(host_call->which)) {
		call_invalid_parameter(call, "host");
		return 0;
	}
	host_call = calloc(1, size);
	if (!host_call)
		return -ENOMEM;
	host_call->call = call;
	host_call->manager = call_manager(call);
	(void)strcpy(host_call->which, which);
	*(void **)ret = host_call;
	return 1;
}

static int find_host(void *argument)
{
	struct host_call *host_call = argument;
	const struct sysfs *sysfs = &host_call->manager->sysfs;
	uint32_t number;
	int r = 0;

	if (host_call->which[0]) {
		r = sysfs_host_resolve(sysfs, host_call->which, &number);
		if (r >= 0)
			r = sysfs_host_read(sysfs, number, &host_call->host);
	}
	if (r >= 0 && host_call->read)
		r = host_call->read(host_call);
	return r;
}

static void host_failed(struct host_call *host_call, int error)
{
	struct call *call = host_call->call;

	if (error == -ENODEV)
		call_error(call, ERROR_HOST_NO_SUCH_HOST,
			   json_wrap("host", json_object_new_string(host_call->which)));
	else if (error == -ENOTUNIQ)
		call_error(call, ERROR_HOST_HOST_AMBIGUOUS,
			   json_wrap("host", json_object_new_string(host_call->which)));
	else
		call_fail(call, error, NULL);
}

static void host_found(void *argument, int result)
{
	struct host_call *host_call = argument;

	if (!host_call_returned(host_call))
		return;
	if (result >= 0) {
		host_call->transport = transport_find(host_call->host.transport);
		if (host_call->transport)
			transport_refresh(host_call->manager, host_call->transport);
		result = host_call->run(host_call);
	}
	if (result < 0)
		host_failed(host_call, result);
}

int host_call_start(void *userdata)
{
	struct host_call *host_call = userdata;
	int r;

	r = work_submit(host_call->manager->host_work, find_host, host_found, host_call);
	if (r < 0) {
		host_call_free(host_call);
		return r;
	}
	host_call->busy = true;
	call_keep(host_call->call, host_call, host_call_gone);
	return 0;
}

/* Requests to the kernel */

struct kernel_host_request *host_call_request(const struct host_call *host_call,
					      enum iscsi_kernel_request request)
{
	const struct transport *transport = host_call->transport;

	return kernel_host_request_new(host_call->manager->kernel,
				       transport && transport->loaded ? transport->handle : 0,
				       host_call->host.host, request);
}

void host_call_refused(struct host_call *host_call, int error, const char *message)
{
	_cleanup_json_ json_object *details = json_object_new_object();
	const char *name = ERROR_HOST_REQUEST_FAILED;
	char text[160];
	int r;

	if (error == -ENODEV || error == -ENOTUNIQ) {
		host_failed(host_call, error);
		return;
	}
	(void)snprintf(text, sizeof(text), "%s: %s", host_call->operation,
		       message ?: strerror(-error));
	if (error == -ENOSYS || error == -EOPNOTSUPP) {
		name = ERROR_HOST_NOT_SUPPORTED;
		(void)snprintf(text, sizeof(text), "%s cannot %s", host_call->host.transport,
			       host_call->operation);
	}
	r = details ? json_set_int(details, "hostNumber", host_call->host.host) : -ENOMEM;
	if (r >= 0)
		r = json_set_string(details, "operation", host_call->operation);
	if (r >= 0)
		r = json_set_string(details, "transport", host_call->host.transport);
	if (r >= 0)
		r = json_set_string(details, "message", text);
	call_fail_as(host_call->call, name, error, r < 0 ? NULL : TAKE_PTR(details));
}

static void request_done(void *userdata, struct kernel_host_request *request)
{
	struct host_call *host_call = userdata;
	int error = request->error;

	if (!host_call_returned(host_call))
		return;
	if (error >= 0) {
		host_call->answered(host_call, request);
		return;
	}
	/* Of this one request the kernel says so if there is no such thing. */
	if (error == -EINVAL && request->request == KERNEL_REQUEST_GET_CHAP)
		error = -EOPNOTSUPP;
	if (!host_call->refused || !host_call->refused(host_call, error))
		host_call_refused(host_call, error, NULL);
}

int host_call_send(struct host_call *host_call, const char *operation,
		   struct kernel_host_request *request,
		   void (*answered)(struct host_call *host_call,
				    const struct kernel_host_request *request))
{
	_cleanup_(kernel_host_request_freep) struct kernel_host_request *owned = request;
	int r;

	host_call->operation = operation;
	/* Nobody to ask: no row of ours, or the module was unloaded just now. */
	if (!host_call->transport || !host_call->transport->loaded || !host_call->manager->kernel) {
		host_call_refused(host_call, -EOPNOTSUPP, NULL);
		return 0;
	}
	host_call->request = request ? request->request : 0;
	r = kernel_host_submit(TAKE_PTR(owned), request_done, host_call);
	if (r < 0)
		return r;
	host_call->answered = answered;
	host_call->busy = true;
	return 0;
}

void host_refuse_setting(struct call *call, const char *setting, const char *message)
{
	_cleanup_json_ json_object *details = json_object_new_object();

	if (!details || json_set_string(details, "setting", setting) < 0 ||
	    json_set_string(details, "message", message) < 0)
		call_error(call, ERROR_HOST_INVALID_SETTING, NULL);
	else
		call_error(call, ERROR_HOST_INVALID_SETTING, TAKE_PTR(details));
}

/* List */

/* Capability bits of the kernel's transport class, in their order. */
static const char *const capability_names[] = {
	"error_recovery_level_0", "error_recovery_level_1", "error_recovery_level_2",
	"multiple_r2t",           "header_digest",          "data_digest",
	"multiple_connections",   "text_negotiation",       "markers",
	"firmware_database",      "sendtargets_offload",    "data_path_offload",
	"digest_offload",         "padding_offload",        "login_offload",
};

static json_object *capabilities_to_json(const struct transport *transport)
{
	_cleanup_json_ json_object *array = json_object_new_array();

	for (size_t i = 0; array && transport && i < ELEMENTSOF(capability_names); i++)
		if (transport->loaded && transport->capabilities & UINT32_C(1) << i &&
		    json_append(array, json_object_new_string(capability_names[i])) < 0)
			return NULL;
	return TAKE_PTR(array);
}

static json_object *sessions_to_json(const struct manager *manager, uint32_t host)
{
	_cleanup_json_ json_object *array = json_object_new_array();

	for (const struct session *s = manager->sessions; array && s; s = s->next)
		if (s->in_kernel && s->host == host &&
		    json_append(array, json_object_new_int64(s->sid)) < 0)
			return NULL;
	return TAKE_PTR(array);
}

static int set_shown(json_object *object, const char *name, const char *text)
{
	return text[0] ? json_set_string(object, name, text) : 0;
}

static int set_port(json_object *object, const struct sysfs_host *host)
{
	/* As the kernel prints them. */
	static const struct {
		const char *text;
		int megabits;
	} speeds[] = {
		{ "10 Mbps", 10 },    { "100 Mbps", 100 },  { "1 Gbps", 1000 },
		{ "10 Gbps", 10000 }, { "25 Gbps", 25000 }, { "40 Gbps", 40000 },
	};
	int r = 0;

	if (strcasecmp(host->port_state, "LINK UP") == 0)
		r = json_set_string(object, "portState", "up");
	else if (strcasecmp(host->port_state, "LINK DOWN") == 0)
		r = json_set_string(object, "portState", "down");
	for (size_t i = 0; i < ELEMENTSOF(speeds); i++)
		if (strcasecmp(host->port_speed, speeds[i].text) == 0)
			r |= json_set_int(object, "portSpeedMegabits", speeds[i].megabits);
	return r;
}

static json_object *host_to_json(struct manager *manager, const struct sysfs_host *host)
{
	struct transport *transport = transport_find(host->transport);
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	if (transport)
		transport_refresh(manager, transport);
	r = json_set_int(object, "hostNumber", host->host);
	r |= json_set_string(object, "transport", host->transport);
	r |= set_shown(object, "procName", host->proc_name);
	r |= json_set_bool(object, "adapter", transport && transport->quirks & TRANSPORT_ADAPTERS);
	r |= set_shown(object, "netDevice", host->net_device);
	r |= set_shown(object, "hardwareAddress", host->hardware_address);
	r |= set_shown(object, "address", host->address);
	r |= set_shown(object, "initiatorName", host->initiator_name);
	r |= set_port(object, host);
	if (host->can_queue >= 0)
		r |= json_set_int(object, "commandsMax", host->can_queue);
	r |= json_set(object, "sessions", sessions_to_json(manager, host->host));
	r |= json_set(object, "capabilities", capabilities_to_json(transport));
	return r < 0 ? NULL : TAKE_PTR(object);
}

struct list {
	struct host_call base;
	struct sysfs_host *hosts; /* all, unless one was asked for */
	size_t at, n;
};

static int read_hosts(struct host_call *host_call)
{
	struct list *list = (struct list *)host_call;
	const struct sysfs *sysfs = &host_call->manager->sysfs;
	_cleanup_free_ uint32_t *numbers = NULL;
	size_t n;
	int r;

	if (host_call->which[0])
		return 0;
	r = sysfs_host_list(sysfs, &numbers, &n);
	if (r < 0)
		return r;
	list->hosts = calloc(n + 1, sizeof(*list->hosts));
	if (!list->hosts)
		return -ENOMEM;
	/* One that has gone meanwhile is not listed. */
	for (size_t i = 0; i < n; i++)
		if (sysfs_host_read(sysfs, numbers[i], &list->hosts[list->n]) >= 0)
			list->n++;
	return 0;
}

static void produce_hosts(struct call *call, void *userdata)
{
	struct list *list = userdata;

	while (!call_full(call)) {
		if (list->at == list->n) {
			call_list_end(call);
			return;
		}
		if (!call_list(call, json_wrap("host", host_to_json(list->base.manager,
								    &list->hosts[list->at++]))))
			return;
	}
}

static int answer_list(struct host_call *host_call)
{
	struct list *list = (struct list *)host_call;
	json_object *host;

	if (!list->hosts) {
		host = json_wrap("host", host_to_json(host_call->manager, &host_call->host));
		if (call_list(host_call->call, host))
			call_list_end(host_call->call);
		return 0;
	}
	call_produce(host_call->call, produce_hosts);
	return 0;
}

static void list_done(struct host_call *host_call)
{
	free(((struct list *)host_call)->hosts);
}

int method_host_list(struct call *call)
{
	struct list *list;
	int r;

	r = host_call_new(call, sizeof(*list), &list);
	if (r <= 0)
		return r;
	list->base.read = read_hosts;
	list->base.run = answer_list;
	list->base.done = list_done;
	return host_call_start(list);
}
