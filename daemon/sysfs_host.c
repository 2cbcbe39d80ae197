/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * iSCSI hosts in sysfs.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "parse.h"
#include "sysfs.h"
#include "sysfs_private.h"
#include "transport.h"

/* There is a host for each session of tcp and iser, too: no more is read of these than what they
 * are. */
static bool read_port(const struct sysfs *sysfs, uint32_t host, struct sysfs_port *ret)
{
	_cleanup_close_ int scsi_fd = sysfs_open_host(sysfs, "scsi_host", host), iscsi_fd = -EBADF;
	const struct transport *transport;

	if (scsi_fd < 0 ||
	    sysfs_read_string(scsi_fd, "proc_name", ret->proc_name, sizeof(ret->proc_name)) < 0)
		return false;
	transport = transport_find_host(ret->proc_name);
	if (!transport || !(transport->quirks & TRANSPORT_ADAPTERS))
		return false;
	iscsi_fd = sysfs_open_host(sysfs, "iscsi_host", host);
	if (iscsi_fd < 0)
		return false;
	ret->number = host;
	(void)sysfs_read_string(iscsi_fd, "hwaddress", ret->hardware_address,
				sizeof(ret->hardware_address));
	(void)sysfs_read_string(iscsi_fd, "netdev", ret->net_device, sizeof(ret->net_device));
	return true;
}

int sysfs_port_list(const struct sysfs *sysfs, struct sysfs_port **ret, size_t *ret_n)
{
	_cleanup_free_ uint32_t *hosts = NULL;
	struct sysfs_port *ports;
	size_t n_hosts, n = 0;
	int r = sysfs_host_list(sysfs, &hosts, &n_hosts);

	if (r < 0)
		return r;
	ports = calloc(n_hosts + 1, sizeof(*ports));
	if (!ports)
		return -ENOMEM;
	for (size_t i = 0; i < n_hosts; i++)
		n += read_port(sysfs, hosts[i], &ports[n]);
	*ret = ports;
	*ret_n = n;
	return 0;
}

static bool host_is(const struct sysfs *sysfs, uint32_t host, const char *proc_name,
		    const char *hardware_address)
{
	_cleanup_close_ int scsi_fd = sysfs_open_host(sysfs, "scsi_host", host),
			    iscsi_fd = sysfs_open_host(sysfs, "iscsi_host", host);
	char text[64];

	if (scsi_fd < 0 || iscsi_fd < 0)
		return false;
	if (proc_name && (sysfs_read_string(scsi_fd, "proc_name", text, sizeof(text)) < 0 ||
			  strcmp(text, proc_name) != 0))
		return false;
	return !hardware_address ||
	       (sysfs_read_string(iscsi_fd, "hwaddress", text, sizeof(text)) >= 0 &&
		strcasecmp(text, hardware_address) == 0);
}

int sysfs_host_find(const struct sysfs *sysfs, const char *proc_name, const char *hardware_address,
		    uint32_t *ret)
{
	_cleanup_free_ uint32_t *hosts = NULL;
	uint32_t found = 0;
	size_t n, n_found = 0;
	int r;

	r = sysfs_host_list(sysfs, &hosts, &n);
	if (r < 0)
		return r == -ENOMEM ? r : -ENODEV;
	for (size_t i = 0; i < n; i++)
		if (host_is(sysfs, hosts[i], proc_name, hardware_address)) {
			found = hosts[i];
			n_found++;
		}
	if (n_found != 1)
		return n_found == 0 ? -ENODEV : -ENOTUNIQ;
	*ret = found;
	return 0;
}

int sysfs_host_list(const struct sysfs *sysfs, uint32_t **ret, size_t *ret_n)
{
	return sysfs_list_objects(sysfs, "iscsi_host", "host", ret, ret_n);
}

int sysfs_host_resolve(const struct sysfs *sysfs, const char *which, uint32_t *ret)
{
	uint64_t number;

	if (parse_u64(which, 0, UINT32_MAX, &number) < 0)
		return *which ? sysfs_host_find(sysfs, NULL, which, ret) : -ENODEV;
	if (!host_is(sysfs, (uint32_t)number, NULL, NULL))
		return -ENODEV;
	*ret = (uint32_t)number;
	return 0;
}

static void read_text(int fd, const char *name, char *ret, size_t size)
{
	/* The SCSI layer prints a string that is not there in its own way. */
	if (sysfs_read_string(fd, name, ret, size) >= 0 && strcmp(ret, "<NULL>") == 0)
		ret[0] = '\0';
}

int sysfs_host_read(const struct sysfs *sysfs, uint32_t host, struct sysfs_host *ret)
{
	_cleanup_close_ int scsi_fd = sysfs_open_host(sysfs, "scsi_host", host),
			    iscsi_fd = sysfs_open_host(sysfs, "iscsi_host", host);
	struct sysfs_host found = { .host = host };
	char name[24];

	if (scsi_fd < 0 || iscsi_fd < 0)
		return -ENODEV;
	read_text(scsi_fd, "proc_name", found.proc_name, sizeof(found.proc_name));
	found.can_queue = sysfs_read_number(scsi_fd, "can_queue");
	read_text(iscsi_fd, "netdev", found.net_device, sizeof(found.net_device));
	read_text(iscsi_fd, "hwaddress", found.hardware_address, sizeof(found.hardware_address));
	read_text(iscsi_fd, "ipaddress", found.address, sizeof(found.address));
	read_text(iscsi_fd, "initiatorname", found.initiator_name, sizeof(found.initiator_name));
	read_text(iscsi_fd, "port_state", found.port_state, sizeof(found.port_state));
	read_text(iscsi_fd, "port_speed", found.port_speed, sizeof(found.port_speed));
	/* qedi names the host where the name of a network device belongs. */
	(void)snprintf(name, sizeof(name), "host%" PRIu32, host);
	if (strcmp(found.net_device, name) == 0)
		found.net_device[0] = '\0';
	sysfs_shorten_address(found.address, sizeof(found.address));
	memcpy(found.transport, found.proc_name, sizeof(found.transport));
	sysfs_name_transport(found.transport, sizeof(found.transport));
	*ret = found;
	return 0;
}
