/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ports of adapters: SCSI hosts that are there without a session.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "sysfs_private.h"
#include "transport.h"

/* There is a host for each session of tcp and iser, too: no more is read of these than what they
 * are. */
static bool read_port(const struct sysfs *sysfs, const char *name, struct sysfs_host *ret)
{
	_cleanup_close_ int scsi_fd = -EBADF, iscsi_fd = -EBADF;
	const struct transport *transport;
	uint64_t number;

	if (strncmp(name, "host", 4) != 0 || parse_u64(name + 4, 0, UINT32_MAX, &number) < 0)
		return false;
	scsi_fd = sysfs_open(sysfs, O_PATH | O_DIRECTORY, "class/scsi_host/%s", name);
	if (scsi_fd < 0 ||
	    sysfs_read_string(scsi_fd, "proc_name", ret->proc_name, sizeof(ret->proc_name)) < 0)
		return false;
	transport = transport_find_host(ret->proc_name);
	if (!transport || !(transport->quirks & TRANSPORT_ADAPTERS))
		return false;
	iscsi_fd = sysfs_open(sysfs, O_PATH | O_DIRECTORY, "class/iscsi_host/%s", name);
	if (iscsi_fd < 0)
		return false;
	ret->number = (uint32_t)number;
	(void)sysfs_read_string(iscsi_fd, "hwaddress", ret->hardware_address,
				sizeof(ret->hardware_address));
	(void)sysfs_read_string(iscsi_fd, "netdev", ret->net_device, sizeof(ret->net_device));
	return true;
}

int sysfs_host_list(const struct sysfs *sysfs, struct sysfs_host **ret, size_t *ret_n)
{
	_cleanup_close_ int fd = sysfs_open(sysfs, O_RDONLY | O_DIRECTORY, "class/iscsi_host");
	_cleanup_free_ struct sysfs_host *hosts = NULL;
	struct sysfs_host host;
	struct directory directory;
	const char *name;
	size_t n = 0;

	directory_init(fd, &directory);
	while (fd >= 0 && (name = directory_next(&directory))) {
		struct sysfs_host *larger;

		if (!read_port(sysfs, name, &host))
			continue;
		larger = reallocarray(hosts, n + 1, sizeof(*hosts));
		if (!larger)
			return -ENOMEM;
		hosts = larger;
		hosts[n++] = host;
	}
	*ret = TAKE_PTR(hosts);
	*ret_n = n;
	return 0;
}

int sysfs_host_find(const struct sysfs *sysfs, const char *proc_name, const char *hardware_address,
		    uint32_t *ret)
{
	_cleanup_free_ struct sysfs_host *hosts = NULL;
	unsigned n_found = 0;
	size_t n;
	int r;

	r = sysfs_host_list(sysfs, &hosts, &n);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		if (strcmp(hosts[i].proc_name, proc_name) != 0 ||
		    (hardware_address &&
		     strcasecmp(hosts[i].hardware_address, hardware_address) != 0))
			continue;
		hosts[0] = hosts[i];
		n_found++;
	}
	if (r < 0)
		return r;
	if (n_found != 1)
		return n_found == 0 ? -ENODEV : -ENOTUNIQ;
	*ret = hosts[0].number;
	return 0;
}
