/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <sys/random.h>

#include "event.h"
#include "host.h"
#include "manager.h"
#include "session_private.h"
#include "trace.h"

/* A link that came up or went down; which port it is takes reading. */
struct link_change {
	struct manager *manager;
	struct sysfs_host host;
	bool up;
};

static bool is_on(const struct session *session, uint32_t host)
{
	return session->in_kernel ? session->host == host : session->private->adapter == host;
}

/* Whoever waits to reach a target through the port tries at once. */
static void hurry(struct manager *manager, uint32_t host)
{
	for (struct session *s = manager->sessions; s; s = s->next)
		if (is_on(s, host))
			session_hurry(s);
}

static size_t count_sessions(const struct manager *manager, uint32_t host)
{
	size_t n = 0;

	for (const struct session *s = manager->sessions; s; s = s->next)
		n += is_on(s, host);
	return n;
}

static void report_link(const struct link_change *change)
{
	struct event *event = event_new(change->up ? EVENT_HOST_LINK_UP : EVENT_HOST_LINK_DOWN);
	const struct sysfs_host *host = &change->host;

	event_set_number(event, FIELD_HOST, host->host);
	if (host->transport[0])
		event_set_string(event, FIELD_TRANSPORT, host->transport);
	if (host->hardware_address[0])
		event_set_string(event, FIELD_HARDWARE_ADDRESS, host->hardware_address);
	if (host->net_device[0])
		event_set_string(event, FIELD_NET_DEVICE, host->net_device);
	event_set_number(event, FIELD_COUNT, count_sessions(change->manager, host->host));
	eventlog_raise(change->manager->log, event);
}

static int read_port(void *argument)
{
	struct link_change *change = argument;

	return sysfs_host_read(&change->manager->sysfs, change->host.host, &change->host);
}

static void port_read(void *argument, int result)
{
	_cleanup_free_ struct link_change *change = argument;

	if (change->manager->state == MANAGER_STOPPING)
		return;
	report_link(change);
	if (change->up)
		hurry(change->manager, change->host.host);
}

void host_told(struct manager *manager, uint32_t host, uint32_t code)
{
	struct link_change *change;

	if (code != KERNEL_HOST_LINK_UP && code != KERNEL_HOST_LINK_DOWN) {
		trace("host %u: event %u", host, code);
		return;
	}
	change = calloc(1, sizeof(*change));
	if (!change)
		return;
	change->manager = manager;
	change->host.host = host;
	change->up = code == KERNEL_HOST_LINK_UP;
	if (work_submit(manager->host_work, read_port, port_read, change) < 0)
		port_read(change, 0);
}

/* Pings */

void host_ping_await(struct manager *manager, struct host_ping *ping, uint32_t host)
{
	/* Others use the numbers of their processes. */
	if (manager->ping_cookie == 0)
		if (getrandom(&manager->ping_cookie, sizeof(manager->ping_cookie), GRND_NONBLOCK) <
		    0)
			manager->ping_cookie = 0;
	host_ping_forget(manager, ping);
	ping->host = host;
	ping->cookie = ++manager->ping_cookie;
	ping->next = manager->pings;
	manager->pings = ping;
}

void host_ping_forget(struct manager *manager, struct host_ping *ping)
{
	for (struct host_ping **at = &manager->pings; *at; at = &(*at)->next)
		if (*at == ping) {
			*at = ping->next;
			return;
		}
}

void host_ping_done(struct manager *manager, uint32_t host, uint32_t cookie, uint32_t status)
{
	for (struct host_ping *ping = manager->pings; ping; ping = ping->next)
		if (ping->host == host && ping->cookie == cookie) {
			host_ping_forget(manager, ping);
			ping->ended(ping, status);
			return;
		}
}
