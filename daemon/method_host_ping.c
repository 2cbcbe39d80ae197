/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.ois.host: pings that an adapter sends. One is under way at a time; that it has ended is told
 * by an event, which may come before the reply to the request.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "host.h"
#include "interfaces.h"
#include "json.h"
#include "manager_private.h"
#include "method_host.h"
#include "table.h"
#include "turn.h"

#define COUNT_MAX        10000
#define SIZE_DEFAULT     56
#define SIZE_MAX_BYTES   65507
#define INTERVAL_DEFAULT 1000
#define INTERVAL_MAX     60000
#define TIMEOUT_DEFAULT  10
#define TIMEOUT_MAX      300
#define INTERFACE_MAX    255
#define MILLISECOND_USEC UINT64_C(1000)
#define SECOND_USEC      UINT64_C(1000000)

struct ping {
	struct host_call base;
	struct host_ping wait;
	sd_event_source *timer; /* of the present one, or until the next one */
	struct sockaddr_storage address;
	int64_t count, size, interval_msec, timeout_seconds, interface;

	int64_t sent, received;
	uint64_t sent_usec, ended_usec; /* of the present one; ended 0: it is under way */
	uint32_t status;
	uint64_t minimum_usec, maximum_usec, sum_usec;
};

static const char *const status_texts[] = {
	[KERNEL_PING_FIRMWARE_DISABLED] = "the firmware of the adapter is disabled",
	[KERNEL_PING_INVALID_ADDRESS] = "the adapter takes this for no valid address",
	[KERNEL_PING_INVALID_LINK_LOCAL] = "the link-local address of the adapter is not valid",
	[KERNEL_PING_TIMEOUT] = "no answer in time",
	[KERNEL_PING_BAD_DESTINATION] = "the adapter has no way to this destination",
	[KERNEL_PING_OVERSIZE] = "that is too large for the adapter",
	[KERNEL_PING_ICMP_ERROR] = "an ICMP error came back",
	[KERNEL_PING_TOO_MANY] = "the adapter has too many requests under way",
	[KERNEL_PING_NO_ARP] = "nobody answered the ARP request",
};

static int send_next(struct ping *ping);

static void fail(struct ping *ping, int error)
{
	call_fail(ping->base.call, error, NULL);
}

static json_object *reply_to_json(const struct ping *ping, bool answered)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	const char *text = "the adapter did not tell what became of it";
	int r;

	if (!object)
		return NULL;
	r = json_set_int(object, "sequence", ping->sent);
	if (ping->ended_usec > 0) {
		r |= json_set_int(object, "status", ping->status);
		text = table_name(status_texts, ELEMENTSOF(status_texts), ping->status)
			       ?: "it failed for a reason that is not known";
	}
	if (answered)
		r |= json_set_int(object, "roundTripUSec",
				  (int64_t)(ping->ended_usec - ping->sent_usec));
	else
		r |= json_set_string(object, "failure", text);
	return r < 0 ? NULL : TAKE_PTR(object);
}

static json_object *summary_to_json(const struct ping *ping)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_int(object, "sent", ping->sent);
	r |= json_set_int(object, "received", ping->received);
	if (ping->received > 0) {
		r |= json_set_int(object, "minimumUSec", (int64_t)ping->minimum_usec);
		r |= json_set_int(object, "averageUSec", (int64_t)ping->sum_usec / ping->received);
		r |= json_set_int(object, "maximumUSec", (int64_t)ping->maximum_usec);
	}
	return r < 0 ? NULL : TAKE_PTR(object);
}

static void count_answer(struct ping *ping)
{
	uint64_t usec;

	/* The event can be there before the reply to the request. */
	if (ping->ended_usec < ping->sent_usec)
		ping->ended_usec = ping->sent_usec;
	usec = ping->ended_usec - ping->sent_usec;
	if (ping->received == 0 || usec < ping->minimum_usec)
		ping->minimum_usec = usec;
	if (usec > ping->maximum_usec)
		ping->maximum_usec = usec;
	ping->sum_usec += usec;
	ping->received++;
}

static int arm(struct ping *ping, uint64_t usec, sd_event_time_handler_t handler)
{
	ping->timer = sd_event_source_disable_unref(ping->timer);
	return sd_event_add_time_relative(ping->base.manager->event, &ping->timer, CLOCK_MONOTONIC,
					  usec, MILLISECOND_USEC, handler, ping);
}

static int next_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct ping *ping = userdata;
	int r = send_next(ping);

	if (r < 0)
		fail(ping, r);
	return 0;
}

/* Tells what became of the present one, and goes on. */
static void conclude(struct ping *ping)
{
	bool answered = ping->ended_usec > 0 && ping->status == KERNEL_PING_SUCCESS;
	int r;

	ping->timer = sd_event_source_disable_unref(ping->timer);
	host_ping_forget(ping->base.manager, &ping->wait);
	if (answered)
		count_answer(ping);
	if (!call_stream(ping->base.call, json_wrap("reply", reply_to_json(ping, answered))))
		return;
	if (ping->sent == ping->count) {
		call_reply(ping->base.call, json_wrap("summary", summary_to_json(ping)));
		return;
	}
	r = arm(ping, (uint64_t)ping->interval_msec * MILLISECOND_USEC, next_due);
	if (r < 0)
		fail(ping, r);
}

static void ended(struct host_ping *wait, uint32_t status)
{
	struct ping *ping = (struct ping *)((char *)wait - offsetof(struct ping, wait));

	ping->status = status;
	ping->ended_usec = turn_usec(CLOCK_MONOTONIC);
	if (!ping->base.busy)
		conclude(ping);
}

static int timed_out(sd_event_source *source, uint64_t usec, void *userdata)
{
	conclude(userdata);
	return 0;
}

static void sent(struct host_call *host_call, const struct kernel_host_request *request)
{
	struct ping *ping = (struct ping *)host_call;
	int r;

	ping->sent_usec = request->sent_usec;
	if (ping->ended_usec > 0) {
		conclude(ping);
		return;
	}
	r = arm(ping, (uint64_t)ping->timeout_seconds * SECOND_USEC, timed_out);
	if (r < 0)
		fail(ping, r);
}

static int send_next(struct ping *ping)
{
	struct kernel_host_request *request;

	request = host_call_request(&ping->base, KERNEL_REQUEST_PING);
	if (!request)
		return -ENOMEM;
	host_ping_await(ping->base.manager, &ping->wait, ping->base.host.host);
	ping->ended_usec = 0;
	ping->sent++;
	request->event.request.ping.interface = (uint32_t)ping->interface;
	request->event.request.ping.family =
		ping->address.ss_family == AF_INET6 ? KERNEL_FAMILY_IPV6 : KERNEL_FAMILY_IPV4;
	request->event.request.ping.size = (uint32_t)ping->size;
	request->event.request.ping.cookie = ping->wait.cookie;
	kernel_host_add(request, &ping->address, sizeof(struct sockaddr_in6));
	return host_call_send(&ping->base, "send a ping", request, sent);
}

static int begin(struct host_call *host_call)
{
	return send_next((struct ping *)host_call);
}

static void ping_done(struct host_call *host_call)
{
	struct ping *ping = (struct ping *)host_call;

	host_ping_forget(ping->base.manager, &ping->wait);
	ping->timer = sd_event_source_disable_unref(ping->timer);
}

static bool parse_address(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)ret;

	if (inet_pton(AF_INET, text, &ipv4->sin_addr) == 1)
		ret->ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &ipv6->sin6_addr) == 1)
		ret->ss_family = AF_INET6;
	return ret->ss_family != AF_UNSPEC;
}

/* The name of the parameter that makes no sense, or NULL. */
static const char *read_parameters(struct ping *ping, json_object *parameters)
{
	const struct {
		const char *name;
		int64_t minimum, maximum, otherwise;
		int64_t *place;
	} rows[] = {
		{ "count", 1, COUNT_MAX, 1, &ping->count },
		{ "sizeBytes", 1, SIZE_MAX_BYTES, SIZE_DEFAULT, &ping->size },
		{ "intervalMilliseconds", 0, INTERVAL_MAX, INTERVAL_DEFAULT, &ping->interval_msec },
		{ "timeoutSeconds", 1, TIMEOUT_MAX, TIMEOUT_DEFAULT, &ping->timeout_seconds },
		{ "interfaceNumber", 0, INTERFACE_MAX, 0, &ping->interface },
	};
	const char *address = "";

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		*rows[i].place = rows[i].otherwise;
		if (json_get_int(parameters, rows[i].name, rows[i].minimum, rows[i].maximum,
				 rows[i].place) < 0)
			return rows[i].name;
	}
	(void)json_get_string(parameters, "address", &address);
	return parse_address(address, &ping->address) ? NULL : "address";
}

int method_host_ping(struct call *call)
{
	struct ping *ping;
	const char *wrong;
	int r;

	r = host_call_new(call, sizeof(*ping), &ping);
	if (r <= 0)
		return r;
	wrong = read_parameters(ping, call_parameters(call));
	if (wrong) {
		free(ping);
		call_invalid_parameter(call, wrong);
		return 0;
	}
	ping->wait.ended = ended;
	ping->base.run = begin;
	ping->base.done = ping_done;
	return host_call_start(ping);
}
