/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a path request to its answer, which the adapter gets in any case: one that waits for it in
 * vain makes the end of its endpoint take many seconds, in which the kernel does nothing else.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "endpoint.h"
#include "interface.h"
#include "manager.h"
#include "manager_private.h"
#include "path.h"
#include "path_lookup.h"
#include "trace.h"
#include "turn.h"

#define LOOKUP_THREADS 4
/* The kernel asks a neighbour three times, a second each. */
#define LOOKUP_USEC UINT64_C(4000000)

struct paths {
	struct manager *manager;
	struct work *work;
	int stop_fd; /* readable: no lookup is to go on */
	struct path *asked;
};

struct path {
	struct path *next, **previous; /* paths->asked */
	struct paths *paths;
	struct endpoint_connect *connect; /* NULL: it does not go on */
	uint64_t transport_handle;
	uint32_t host;
	struct iscsi_kernel_path request;
	uint16_t vlan, vlan_priority; /* of the interface; 0: that of the network device */
	uint16_t mtu;                 /* the same */
	bool answered;
	struct path_query query;
	struct path_answer answer;
};

int paths_new(struct manager *manager, struct paths **ret)
{
	_cleanup_(paths_freep) struct paths *paths = calloc(1, sizeof(*paths));
	int r;

	if (!paths)
		return -ENOMEM;
	paths->manager = manager;
	paths->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (paths->stop_fd < 0)
		return -errno;
	r = work_new(manager->poller, "ois-path", LOOKUP_THREADS, &paths->work);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(paths);
	return 0;
}

struct paths *paths_free(struct paths *paths)
{
	const uint64_t stop = 1;

	if (!paths)
		return NULL;
	if (paths->stop_fd >= 0)
		(void)!write(paths->stop_fd, &stop, sizeof(stop));
	paths->work = work_free(paths->work);
	paths->stop_fd = close_fd(paths->stop_fd);
	free(paths);
	return NULL;
}

static void drop(struct path *path)
{
	*path->previous = path->next;
	if (path->next)
		path->next->previous = path->previous;
	free(path);
}

/* Answers */

/* A refusal shows when the endpoint is asked; bnx2i never refuses. */
static void send_answer(struct path *path, const struct iscsi_kernel_path *answer)
{
	struct kernel_batch *batch;
	int r;

	if (path->answered)
		return;
	path->answered = true;
	batch = kernel_batch_new(path->paths->manager->kernel, path->transport_handle,
				 KERNEL_SESSION_NEW);
	kernel_batch_update_path(batch, path->host, answer);
	r = kernel_batch_submit(batch, NULL, NULL);
	if (r < 0)
		trace("a path request stays without an answer: %s", strerror(-r));
}

/* No hardware address: there is no way. */
static void send_refusal(struct path *path)
{
	struct iscsi_kernel_path answer = path->request;

	memset(answer.hardware_address, 0, sizeof(answer.hardware_address));
	send_answer(path, &answer);
}

static void send_way(struct path *path)
{
	struct iscsi_kernel_path answer = path->request;
	uint32_t mtu = path->mtu ?: path->answer.mtu;
	uint16_t vlan = path->vlan ?: path->answer.vlan;

	memcpy(answer.hardware_address, path->answer.hardware_address,
	       sizeof(answer.hardware_address));
	memcpy(answer.source, path->query.source.bytes, sizeof(answer.source));
	answer.vlan = vlan ? (uint16_t)(vlan | path->vlan_priority << 12) : 0;
	answer.mtu = (uint16_t)(mtu > SETTING_NETWORK_MTU_MAX ? SETTING_NETWORK_MTU_MAX : mtu);
	send_answer(path, &answer);
}

struct path *path_cancel(struct path *path)
{
	if (path) {
		path->connect = NULL;
		send_refusal(path);
	}
	return NULL;
}

/* First the adapter is told, then the endpoint is given up: it waits for the former. */
static void fail(struct path *path, int error)
{
	struct endpoint_connect *connect = TAKE_PTR(path->connect);

	send_refusal(path);
	if (connect)
		endpoint_path_done(connect, error, path->answer.fault);
}

/* Looking up */

static int look_up(void *argument)
{
	struct path *path = argument;

	return path_look_up(&path->query, &path->answer);
}

static void looked_up(void *argument, int result)
{
	struct path *path = argument;

	if (path->connect && result >= 0) {
		send_way(path);
		endpoint_path_done(TAKE_PTR(path->connect), 0, NULL);
	} else if (path->connect && result == -ECANCELED) {
		endpoint_path_done(TAKE_PTR(path->connect), 0, NULL);
	} else if (path->connect) {
		fail(path, result);
	}
	drop(path);
}

/* The adapter's own address */

static int parse_address(int family, const char *text, struct path_address *ret)
{
	return inet_pton(family, text, ret->bytes) == 1 ? 0 : -EINVAL;
}

static int64_t number_or_zero(const struct settings *settings, enum setting setting)
{
	return settings_is_set(settings, setting) ? settings_number(settings, setting) : 0;
}

/* Whether the interface is this port's, and has an address of the family that is asked for. */
static bool take_interface(struct path *path, const struct settings *interface,
			   const struct transport *transport, const char *hardware_address)
{
	const char *address = settings_text(interface, SETTING_NETWORK_ADDRESS);
	const char *gateway = settings_text(interface, SETTING_NETWORK_GATEWAY);
	const char *adapter = settings_text(interface, SETTING_ADAPTER);

	if (!address || !adapter || strcasecmp(adapter, hardware_address) != 0 ||
	    &transport_table()[settings_number(interface, SETTING_TRANSPORT)] != transport ||
	    parse_address(path->query.family, address, &path->query.source) < 0)
		return false;
	path->query.has_gateway =
		gateway && parse_address(path->query.family, gateway, &path->query.gateway) >= 0;
	path->vlan = (uint16_t)number_or_zero(interface, SETTING_NETWORK_VLAN);
	path->vlan_priority = (uint16_t)number_or_zero(interface, SETTING_NETWORK_VLAN_PRIORITY);
	path->mtu = (uint16_t)number_or_zero(interface, SETTING_NETWORK_MTU);
	return true;
}

static bool try_interface(struct path *path, const char *name, const struct transport *transport,
			  const char *hardware_address)
{
	_cleanup_(settings_freep) struct settings *interface = NULL;

	return interface_get(path->paths->manager->records, name, &interface) >= 0 &&
	       take_interface(path, interface, transport, hardware_address);
}

/* The one that is named, else any of the port. */
static bool find_interface(struct path *path, const char *named, const struct transport *transport,
			   const char *hardware_address)
{
	const struct records *records = path->paths->manager->records;
	const struct interface *record;

	if (named && try_interface(path, named, transport, hardware_address))
		return true;
	for (size_t i = 0; (record = records_interface_at(records, i)); i++)
		if (try_interface(path, record->name, transport, hardware_address))
			return true;
	return false;
}

static int find_host(const struct manager *manager, uint32_t number, struct sysfs_port *ret)
{
	_cleanup_free_ struct sysfs_port *hosts = NULL;
	size_t n;
	int r;

	r = sysfs_port_list(&manager->sysfs, &hosts, &n);
	for (size_t i = 0; r >= 0 && i < n; i++)
		if (hosts[i].number == number) {
			*ret = hosts[i];
			return 0;
		}
	return r < 0 ? r : -ENODEV;
}

/* Everything the lookup needs; on failure the answer's fault tells what is missing. */
static int prepare(struct path *path, const struct transport *transport)
{
	struct manager *manager = path->paths->manager;
	struct sysfs_port host = { 0 };
	int r;

	path->query.family = path->request.address_length == 16 ? AF_INET6 : AF_INET;
	memcpy(path->query.target.bytes, path->request.target, sizeof(path->request.target));
	path->query.stop_fd = path->paths->stop_fd;
	path->query.deadline_usec = turn_usec(CLOCK_MONOTONIC) + LOOKUP_USEC;
	r = find_host(manager, path->host, &host);
	if (r < 0) {
		(void)snprintf(path->answer.fault, sizeof(path->answer.fault),
			       "the adapter's port cannot be read");
		return r;
	}
	(void)snprintf(path->query.net_device, sizeof(path->query.net_device), "%s",
		       host.net_device);
	if (find_interface(path, endpoint_get_interface(path->connect), transport,
			   host.hardware_address))
		return 0;
	(void)snprintf(path->answer.fault, sizeof(path->answer.fault),
		       "no interface of the adapter's port %s has a network.address with %s",
		       host.hardware_address, path->query.family == AF_INET6 ? "IPv6" : "IPv4");
	return -EADDRNOTAVAIL;
}

void paths_requested(struct paths *paths, uint64_t transport_handle, uint32_t host,
		     const struct iscsi_kernel_path *request)
{
	struct endpoint_connect *connect;
	struct path *path;
	int r;

	connect = endpoint_find_asking(paths->manager, transport_handle, host, request);
	path = connect ? calloc(1, sizeof(*path)) : NULL;
	if (!path)
		return;
	*path = (struct path){
		.next = paths->asked,
		.previous = &paths->asked,
		.paths = paths,
		.connect = connect,
		.transport_handle = transport_handle,
		.host = host,
		.request = *request,
	};
	if (path->next)
		path->next->previous = &path->next;
	paths->asked = path;
	endpoint_set_path(connect, path);
	r = prepare(path, endpoint_get_transport(connect));
	if (r >= 0)
		r = work_submit(paths->work, look_up, looked_up, path);
	if (r < 0) {
		fail(path, r);
		drop(path);
	}
}

void paths_down(struct paths *paths, uint64_t transport_handle, uint32_t host)
{
	for (struct path *path = paths->asked; path; path = path->next) {
		if (path->transport_handle != transport_handle || path->host != host ||
		    !path->connect)
			continue;
		(void)snprintf(path->answer.fault, sizeof(path->answer.fault),
			       "the adapter's network goes down");
		fail(path, -ENETDOWN);
	}
}
