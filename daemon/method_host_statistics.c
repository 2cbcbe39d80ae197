/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.ois.host: what an adapter counts, and what can be set of a host.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "address.h"
#include "interfaces.h"
#include "json.h"
#include "method_host.h"
#include "parse.h"

/* Statistics */

/* Custom counters that are asked for; no driver has any yet. */
#define CUSTOM_MAX 64

static const struct {
	const char *path;
} counters[] = {
#define HOST_COUNTER(layer, name, metric, text) { #layer "." #name },
#include "ois/host_counter.def"
#undef HOST_COUNTER
};

_Static_assert(ELEMENTSOF(counters) == KERNEL_HOST_COUNTERS, "a row for each counter");

static json_object *counted(uint64_t value)
{
	return json_object_new_int64(value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

static int set_custom(json_object *object, const uint8_t *data, size_t n)
{
	_cleanup_json_ json_object *custom = json_object_new_object();

	if (n == 0)
		return 0;
	for (size_t i = 0; custom && i < n; i++) {
		struct iscsi_kernel_custom_counter counter;
		char name[sizeof(counter.name) + 1];

		memcpy(&counter, data + i * sizeof(counter), sizeof(counter));
		memcpy(name, counter.name, sizeof(counter.name));
		name[sizeof(counter.name)] = '\0';
		if (json_set(custom, name, counted(counter.value)) < 0)
			return -ENOMEM;
	}
	return json_set(object, "custom", TAKE_PTR(custom));
}

static json_object *statistics_to_json(const struct sysfs_host *host,
				       const struct iscsi_kernel_host_statistics *statistics,
				       const uint8_t *custom)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_int(object, "hostNumber", host->host);
	r |= json_set_string(object, "transport", host->transport);
	if (host->hardware_address[0])
		r |= json_set_string(object, "hardwareAddress", host->hardware_address);
	for (size_t i = 0; i < ELEMENTSOF(counters); i++)
		r |= json_set_path(object, counters[i].path, counted(statistics->counters[i]));
	r |= set_custom(object, custom, statistics->n_custom);
	return r < 0 ? NULL : TAKE_PTR(object);
}

static void counted_by_adapter(struct host_call *host_call,
			       const struct kernel_host_request *request)
{
	struct iscsi_kernel_host_statistics statistics;
	size_t rest;

	if (request->answer.length < sizeof(statistics)) {
		host_call_refused(host_call, -EPROTO, NULL);
		return;
	}
	memcpy(&statistics, request->answer.data, sizeof(statistics));
	rest = (request->answer.length - sizeof(statistics)) /
	       sizeof(struct iscsi_kernel_custom_counter);
	if (statistics.n_custom > rest)
		statistics.n_custom = (uint32_t)rest;
	call_reply(host_call->call,
		   json_wrap("statistics",
			     statistics_to_json(&host_call->host, &statistics,
						request->answer.data + sizeof(statistics))));
}

static int ask_counters(struct host_call *host_call)
{
	struct kernel_host_request *request;

	request = host_call_request(host_call, KERNEL_REQUEST_GET_HOST_STATISTICS);
	if (!request)
		return -ENOMEM;
	request->answer_max = sizeof(struct iscsi_kernel_host_statistics) +
			      CUSTOM_MAX * sizeof(struct iscsi_kernel_custom_counter);
	return host_call_send(host_call, "count by itself", request, counted_by_adapter);
}

int method_host_get_statistics(struct call *call)
{
	struct host_call *host_call;
	int r;

	r = host_call_new(call, sizeof(*host_call), &host_call);
	if (r <= 0)
		return r;
	host_call->run = ask_counters;
	return host_call_start(host_call);
}

/* Parameters */

static const char *check_hardware_address(const char *text)
{
	for (size_t i = 0; i < 17; i++)
		if (i % 3 == 2 ? text[i] != ':' : !isxdigit((unsigned char)text[i]))
			return "is no hardware address: six bytes in hex, with colons between";
	return text[17] ? "is no hardware address: it is too long" : NULL;
}

static const char *check_initiator_name(const char *text)
{
	const char *why = NULL;

	(void)iscsi_name_check(text, &why);
	return why;
}

static const char *check_net_device(const char *text)
{
	return net_device_is_valid(text) ? NULL : "is no name of a network device";
}

static const char *check_address(const char *text)
{
	struct in_addr address;

	return inet_pton(AF_INET, text, &address) == 1 ? NULL : "is no IPv4 address";
}

static const struct {
	const char *name;
	enum iscsi_kernel_host_param param;
	const char *(*check)(const char *text); /* what is wrong, or NULL */
	const char *operation;
} parameters[] = {
	{ "hardwareAddress", KERNEL_HOST_PARAM_HARDWARE_ADDRESS, check_hardware_address,
	  "set the hardware address" },
	{ "initiatorName", KERNEL_HOST_PARAM_INITIATOR_NAME, check_initiator_name,
	  "set the initiator name" },
	{ "netDevice", KERNEL_HOST_PARAM_NET_DEVICE, check_net_device, "set the network device" },
	{ "address", KERNEL_HOST_PARAM_ADDRESS, check_address, "set the address" },
};

struct change {
	struct host_call base;
	size_t next;                                             /* row of the table */
	char values[ELEMENTSOF(parameters)][ISCSI_NAME_MAX + 1]; /* empty: stays */
};

static int set_next(struct host_call *host_call);

static void parameter_set(struct host_call *host_call, const struct kernel_host_request *request)
{
	int r = set_next(host_call);

	if (r < 0)
		call_fail(host_call->call, r, NULL);
}

static int set_next(struct host_call *host_call)
{
	struct change *change = (struct change *)host_call;
	struct kernel_host_request *request;
	size_t i;

	while (change->next < ELEMENTSOF(parameters) && !change->values[change->next][0])
		change->next++;
	if (change->next == ELEMENTSOF(parameters)) {
		call_reply(host_call->call, json_object_new_object());
		return 0;
	}
	i = change->next++;
	request = host_call_request(host_call, KERNEL_REQUEST_SET_HOST_PARAM);
	if (!request)
		return -ENOMEM;
	request->event.request.set_host_param.param = parameters[i].param;
	request->event.request.set_host_param.length = (uint32_t)strlen(change->values[i]) + 1;
	kernel_host_add_text(request, change->values[i]);
	return host_call_send(host_call, parameters[i].operation, request, parameter_set);
}

/* 0: the call was answered. */
static int read_changes(struct change *change, struct call *call)
{
	for (size_t i = 0; i < ELEMENTSOF(parameters); i++) {
		const char *value = NULL, *wrong;

		if (json_get_string(call_parameters(call), parameters[i].name, &value) <= 0)
			continue;
		wrong = strlen(value) < sizeof(change->values[i]) ? parameters[i].check(value)
								  : "is too long";
		if (wrong) {
			host_refuse_setting(call, parameters[i].name, wrong);
			return 0;
		}
		(void)strcpy(change->values[i], value);
	}
	return 1;
}

int method_host_set_parameters(struct call *call)
{
	struct change *change;
	int r;

	r = host_call_new(call, sizeof(*change), &change);
	if (r <= 0)
		return r;
	r = read_changes(change, call);
	if (r <= 0) {
		free(change);
		return r;
	}
	change->base.run = set_next;
	return host_call_start(change);
}
