// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adapters that have no neighbour table of their own ask user space for the way to a target, and
 * for their own address.
 */
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <scsi/scsi_host.h>
#include "adapter.h"

#define COOKIE   0x1000 /* not the handle of the endpoint, which is another thing */
#define MTU      1500
#define MTU_MAX  9000
#define ATTEMPTS 3 /* of bnx2i, when nobody listens */

static struct iscsi_path path_request(const struct endpoint *endpoint)
{
	struct iscsi_path request = { .handle = COOKIE + endpoint->ep->id, .pmtu = MTU };

	if (endpoint->target.ss_family == AF_INET6) {
		request.ip_addr_len = 16;
		request.dst.v6_addr = ((struct sockaddr_in6 *)&endpoint->target)->sin6_addr;
	} else {
		request.ip_addr_len = 4;
		request.dst.v4_addr = ((struct sockaddr_in *)&endpoint->target)->sin_addr;
	}
	return request;
}

int ta_ask_path(struct endpoint *endpoint, struct Scsi_Host *host)
{
	struct iscsi_path request = path_request(endpoint);
	unsigned int i;
	int rc = 0;

	endpoint->asked = true;
	for (i = 0; i < ATTEMPTS; i++) {
		rc = iscsi_offload_mesg(host, &adapter.transport, ISCSI_KEVENT_PATH_REQ,
					(char *)&request, sizeof(request));
		if (!rc || adapter.row->flags & ROW_PATH_STRICT)
			break;
		msleep(100);
	}
	return rc;
}

static struct endpoint *find_endpoint(struct port *port, u64 handle)
{
	struct endpoint *endpoint;

	list_for_each_entry (endpoint, &port->endpoints, list)
		if (COOKIE + endpoint->ep->id == handle && endpoint->asked)
			return endpoint;
	return NULL;
}

static void set_source(struct endpoint *endpoint, const struct iscsi_path *path)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&endpoint->source;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&endpoint->source;

	memset(&endpoint->source, 0, sizeof(endpoint->source));
	endpoint->source.ss_family = endpoint->target.ss_family;
	if (endpoint->target.ss_family == AF_INET6)
		v6->sin6_addr = path->src.v6_addr;
	else
		v4->sin_addr = path->src.v4_addr;
}

/* With the lock of the port. */
static int take_answer(struct port *port, struct endpoint *endpoint, const struct iscsi_path *path)
{
	bool strict = adapter.row->flags & ROW_PATH_STRICT;

	if (!endpoint)
		return strict ? -EINVAL : 0;
	port->path = *path;
	if (!is_valid_ether_addr(path->mac_addr)) {
		endpoint->error = -1;
		endpoint->asked = false;
		wake_up(&endpoint->wait);
		return strict ? -EIO : 0;
	}
	if (strict && path->pmtu > MTU_MAX)
		return -EINVAL;
	endpoint->asked = false;
	set_source(endpoint, path);
	ta_open_socket(endpoint);
	return 0;
}

int ta_set_path(struct Scsi_Host *host, struct iscsi_path *path)
{
	struct port *port = ta_port(host);
	unsigned int value;
	int rc;

	if (ta_fault(port, FAULT_PATH_IGNORED, &value))
		return 0;
	mutex_lock(&port->lock);
	rc = take_answer(port, find_endpoint(port, path->handle), path);
	mutex_unlock(&port->lock);
	return rc;
}

/* The last answer. */
ssize_t ta_show_path(struct port *port, char *buffer)
{
	struct iscsi_path path;

	mutex_lock(&port->lock);
	path = port->path;
	mutex_unlock(&port->lock);
	if (path.ip_addr_len == 16)
		return sysfs_emit(buffer, "%pM %pI6c %u %u\n", path.mac_addr, &path.src,
				  path.vlan_id, path.pmtu);
	return sysfs_emit(buffer, "%pM %pI4 %u %u\n", path.mac_addr, &path.src, path.vlan_id,
			  path.pmtu);
}
