// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ports: SCSI hosts that come and go, and the attributes by which the test plays the adapter's
 * surroundings.
 */
#include <linux/etherdevice.h>
#include <linux/inet.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/version.h>
#include <net/net_namespace.h>
#include <scsi/scsi_device.h>
#include <scsi/scsi_host.h>
#include "adapter.h"

static unsigned int ports = 1;
module_param(ports, uint, 0444);
MODULE_PARM_DESC(ports, "ports of the adapter, each one a SCSI host");

#define to_port(device) container_of(device, struct port, dev)

struct port *ta_port(struct Scsi_Host *host)
{
	return *(struct port **)iscsi_host_priv(host);
}

/* Pages that are being sent must not change if a digest was made of them. */
static bool is_stable(struct scsi_device *sdev)
{
	struct iscsi_cls_session *cls_session = starget_to_session(scsi_target(sdev));
	struct iscsi_session *session = cls_session->dd_data;

	return session->leadconn && session->leadconn->datadgst_en;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
static int configure(struct scsi_device *sdev, struct queue_limits *limits)
{
	if (is_stable(sdev))
		limits->features |= BLK_FEAT_STABLE_WRITES;
	return 0;
}
#else
static int configure(struct scsi_device *sdev)
{
	if (is_stable(sdev))
		blk_queue_flag_set(QUEUE_FLAG_STABLE_WRITES, sdev->request_queue);
	return 0;
}
#endif

struct scsi_host_template ta_host_template = {
	.module = THIS_MODULE,
	.queuecommand = iscsi_queuecommand,
	.change_queue_depth = scsi_change_queue_depth,
	.eh_timed_out = iscsi_eh_cmd_timed_out,
	.eh_abort_handler = iscsi_eh_abort,
	.eh_device_reset_handler = iscsi_eh_device_reset,
	.eh_target_reset_handler = iscsi_eh_recover_target,
	.target_alloc = iscsi_target_alloc,
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
	.device_configure = configure,
#else
	.slave_configure = configure,
#endif
	.can_queue = 1024,
	.cmd_per_lun = ISCSI_DEF_CMD_PER_LUN,
	.sg_tablesize = SG_ALL,
	.max_sectors = 0xffff,
	.dma_boundary = PAGE_SIZE - 1,
	.this_id = -1,
	.track_queue_depth = 1,
	.cmd_size = sizeof(struct iscsi_cmd),
};

/* What it has been told, or what its first connection came to have. */
static int show_address(struct port *port, char *buffer)
{
	struct sockaddr_storage address = {};
	struct endpoint *endpoint;

	mutex_lock(&port->lock);
	endpoint = list_first_entry_or_null(&port->endpoints, struct endpoint, list);
	if (port->address[0].ss_family)
		address = port->address[0];
	else if (port->address[1].ss_family)
		address = port->address[1];
	else if (endpoint && endpoint->socket)
		kernel_getsockname(endpoint->socket, (struct sockaddr *)&address);
	mutex_unlock(&port->lock);
	return address.ss_family ? sysfs_emit(buffer, "%pISc\n", &address) : 0;
}

int ta_get_host_param(struct Scsi_Host *host, enum iscsi_host_param param, char *buffer)
{
	struct port *port = ta_port(host);

	switch (param) {
	case ISCSI_HOST_PARAM_HWADDRESS:
		return sysfs_emit(buffer, "%pM\n", port->hwaddress);
	case ISCSI_HOST_PARAM_NETDEV_NAME:
		return sysfs_emit(buffer, "%s\n", port->netdev);
	case ISCSI_HOST_PARAM_IPADDRESS:
		return show_address(port, buffer);
	case ISCSI_HOST_PARAM_PORT_STATE:
		return sysfs_emit(buffer, "%s\n", iscsi_get_port_state_name(host));
	case ISCSI_HOST_PARAM_PORT_SPEED:
		return sysfs_emit(buffer, "%s\n", iscsi_get_port_speed_name(host));
	default:
		return iscsi_host_get_param(host, param, buffer);
	}
}

/* Of its family; an empty text takes both away. */
static int set_address(struct port *port, const char *text)
{
	struct sockaddr_storage address = {};
	char line[INET6_ADDRSTRLEN];
	int rc = 0;

	strscpy(line, text, sizeof(line));
	strim(line);
	if (line[0])
		rc = inet_pton_with_scope(&init_net, AF_UNSPEC, line, NULL, &address);
	if (rc)
		return rc;
	mutex_lock(&port->lock);
	if (!line[0])
		memset(port->address, 0, sizeof(port->address));
	else
		port->address[address.ss_family == AF_INET6] = address;
	mutex_unlock(&port->lock);
	return 0;
}

int ta_set_host_param(struct Scsi_Host *host, enum iscsi_host_param param, char *buffer, int length)
{
	switch (param) {
	case ISCSI_HOST_PARAM_IPADDRESS:
		return set_address(ta_port(host), buffer);
	case ISCSI_HOST_PARAM_HWADDRESS:
	case ISCSI_HOST_PARAM_NETDEV_NAME:
		return 0;
	default:
		return iscsi_host_set_param(host, param, buffer, length);
	}
}

static void show_link(struct port *port)
{
	struct iscsi_cls_host *cls_host = port->host->shost_data;

	cls_host->port_state = port->link ? ISCSI_PORT_STATE_UP : ISCSI_PORT_STATE_DOWN;
	cls_host->port_speed = port->link ? port->speed : ISCSI_PORT_SPEED_UNKNOWN;
}

static int plug(struct port *port)
{
	char name[] = "iqn.2026-11.org.example:adapter0";
	struct Scsi_Host *host;
	int rc;

	host = iscsi_host_alloc(&ta_host_template, sizeof(port), true);
	if (!host)
		return -ENOMEM;
	*(struct port **)iscsi_host_priv(host) = port;
	host->transportt = adapter.template;
	host->max_id = 4096;
	host->max_lun = 65536;
	host->max_channel = 0;
	host->max_cmd_len = 16;
	rc = iscsi_host_add(host, &port->dev);
	if (rc) {
		iscsi_host_free(host);
		return rc;
	}
	if (!(adapter.row->flags & ROW_SETS_HOST))
		iscsi_host_set_param(host, ISCSI_HOST_PARAM_INITIATOR_NAME, name, sizeof(name));
	mutex_lock(&port->lock);
	port->host = host;
	show_link(port);
	mutex_unlock(&port->lock);
	ta_add_ifaces(port, host);
	return 0;
}

/* Waits until user space has taken away the sessions. */
static void unplug(struct port *port)
{
	struct Scsi_Host *host;

	mutex_lock(&port->lock);
	host = port->host;
	port->host = NULL;
	mutex_unlock(&port->lock);
	if (!host)
		return;
	ta_remove_own_sessions(port);
	ta_remove_nodes(port, host);
	ta_remove_ifaces(port);
	if (adapter.row->flags & ROW_IF_DOWN)
		iscsi_offload_mesg(host, &adapter.transport, ISCSI_KEVENT_IF_DOWN, NULL, 0);
	iscsi_host_remove(host, false);
	iscsi_host_free(host);
}

/* In a kernel thread: that wait must not end because the writer of an attribute got a signal. */
static void unplug_work(struct work_struct *work)
{
	unplug(container_of(work, struct port, unplug));
}

/* ---- attributes: the surroundings ---- */

#define PORT_ATTR(name) static DEVICE_ATTR_RW(name)

static ssize_t host_show(struct device *dev, struct device_attribute *attr, char *buffer)
{
	struct port *port = to_port(dev);
	ssize_t length;

	mutex_lock(&port->lock);
	length = port->host ? sysfs_emit(buffer, "%u\n", port->host->host_no) : 0;
	mutex_unlock(&port->lock);
	return length;
}
static DEVICE_ATTR_RO(host);

static ssize_t plugged_show(struct device *dev, struct device_attribute *attr, char *buffer)
{
	return sysfs_emit(buffer, "%d\n", READ_ONCE(to_port(dev)->host) != NULL);
}

static ssize_t plugged_store(struct device *dev, struct device_attribute *attr, const char *text,
			     size_t length)
{
	struct port *port = to_port(dev);
	bool wanted;
	int rc = kstrtobool(text, &wanted);

	if (rc)
		return rc;
	if (!wanted) {
		queue_work(system_unbound_wq, &port->unplug);
		flush_work(&port->unplug);
	} else if (work_busy(&port->unplug) || READ_ONCE(port->host)) {
		return -EBUSY;
	} else {
		rc = plug(port);
	}
	return rc ?: length;
}
PORT_ATTR(plugged);

static ssize_t netns_show(struct device *dev, struct device_attribute *attr, char *buffer)
{
	struct port *port = to_port(dev);
	ssize_t length;

	mutex_lock(&port->lock);
	length = sysfs_emit(buffer, "%u\n", port->net->ns.inum);
	mutex_unlock(&port->lock);
	return length;
}

/* "pid N", or "fd N" of the writer. */
static ssize_t netns_store(struct device *dev, struct device_attribute *attr, const char *text,
			   size_t length)
{
	struct port *port = to_port(dev);
	struct net *net, *old;
	char kind[4];
	int number;

	if (sscanf(text, "%3s %d", kind, &number) != 2)
		return -EINVAL;
	if (!strcmp(kind, "pid"))
		net = get_net_ns_by_pid(number);
	else if (!strcmp(kind, "fd"))
		net = get_net_ns_by_fd(number);
	else
		return -EINVAL;
	if (IS_ERR(net))
		return PTR_ERR(net);
	mutex_lock(&port->lock);
	old = port->net;
	port->net = net;
	mutex_unlock(&port->lock);
	put_net(old);
	return length;
}
PORT_ATTR(netns);

static ssize_t netdev_show(struct device *dev, struct device_attribute *attr, char *buffer)
{
	return sysfs_emit(buffer, "%s\n", to_port(dev)->netdev);
}

static ssize_t netdev_store(struct device *dev, struct device_attribute *attr, const char *text,
			    size_t length)
{
	struct port *port = to_port(dev);

	strscpy(port->netdev, text, sizeof(port->netdev));
	strim(port->netdev);
	return length;
}
PORT_ATTR(netdev);

static ssize_t hwaddress_show(struct device *dev, struct device_attribute *attr, char *buffer)
{
	return sysfs_emit(buffer, "%pM\n", to_port(dev)->hwaddress);
}

static ssize_t hwaddress_store(struct device *dev, struct device_attribute *attr, const char *text,
			       size_t length)
{
	return mac_pton(text, to_port(dev)->hwaddress) ? length : -EINVAL;
}
PORT_ATTR(hwaddress);

static ssize_t ipaddress_show(struct device *dev, struct device_attribute *attr, char *buffer)
{
	return show_address(to_port(dev), buffer);
}

static ssize_t ipaddress_store(struct device *dev, struct device_attribute *attr, const char *text,
			       size_t length)
{
	return set_address(to_port(dev), text) ?: length;
}
PORT_ATTR(ipaddress);

static ssize_t link_show(struct device *dev, struct device_attribute *attr, char *buffer)
{
	return sysfs_emit(buffer, "%d\n", to_port(dev)->link);
}

static ssize_t link_store(struct device *dev, struct device_attribute *attr, const char *text,
			  size_t length)
{
	struct port *port = to_port(dev);
	bool link;
	int rc = kstrtobool(text, &link);

	if (rc)
		return rc;
	mutex_lock(&port->lock);
	port->link = link;
	if (port->host)
		show_link(port);
	if (port->host && adapter.row->flags & ROW_FIRMWARE)
		iscsi_post_host_event(port->host->host_no, &adapter.transport,
				      link ? ISCSI_EVENT_LINKUP : ISCSI_EVENT_LINKDOWN, 0, NULL);
	mutex_unlock(&port->lock);
	return length;
}
PORT_ATTR(link);

static ssize_t path_show(struct device *dev, struct device_attribute *attr, char *buffer)
{
	return ta_show_path(to_port(dev), buffer);
}
static DEVICE_ATTR_RO(path);

/* ---- attributes: faults ---- */

static ssize_t fault_show(struct device *dev, struct device_attribute *attr, char *buffer)
{
	return ta_show_faults(to_port(dev), buffer);
}

static ssize_t fault_store(struct device *dev, struct device_attribute *attr, const char *text,
			   size_t length)
{
	return ta_order_fault(to_port(dev), text) ?: length;
}
PORT_ATTR(fault);

static ssize_t raise_store(struct device *dev, struct device_attribute *attr, const char *text,
			   size_t length)
{
	return ta_raise(to_port(dev), text) ?: length;
}
static DEVICE_ATTR_WO(raise);

static ssize_t firmware_store(struct device *dev, struct device_attribute *attr, const char *text,
			      size_t length)
{
	return ta_order_own_session(to_port(dev), text) ?: length;
}
static DEVICE_ATTR_WO(firmware);

static struct attribute *port_attrs[] = {
	&dev_attr_host.attr,   &dev_attr_plugged.attr,   &dev_attr_netns.attr,
	&dev_attr_netdev.attr, &dev_attr_hwaddress.attr, &dev_attr_ipaddress.attr,
	&dev_attr_link.attr,   &dev_attr_path.attr,      &dev_attr_fault.attr,
	&dev_attr_raise.attr,  &dev_attr_firmware.attr,  NULL,
};
ATTRIBUTE_GROUPS(port);

static void release_port(struct device *dev)
{
	struct port *port = to_port(dev);

	put_net(port->net);
	kfree(port);
}

static struct port *new_port(unsigned int number)
{
	static const u8 first_address[] = { 0x02, 0x15, 0xc5, 0x1a, 0x00, 0x00 };
	struct port *port = kzalloc(sizeof(*port), GFP_KERNEL);

	if (!port)
		return ERR_PTR(-ENOMEM);
	port->number = number;
	mutex_init(&port->lock);
	spin_lock_init(&port->order_lock);
	INIT_LIST_HEAD(&port->endpoints);
	INIT_WORK(&port->unplug, unplug_work);
	ta_init_ifaces(port);
	port->net = get_net(current->nsproxy->net_ns);
	port->link = true;
	port->speed = ISCSI_PORT_SPEED_10GBPS;
	ether_addr_copy(port->hwaddress, first_address);
	port->hwaddress[5] = number;
	device_initialize(&port->dev);
	port->dev.parent = adapter.root;
	port->dev.groups = port_groups;
	port->dev.release = release_port;
	return port;
}

static int add_port(unsigned int number)
{
	struct port *port = new_port(number);
	int rc;

	if (IS_ERR(port))
		return PTR_ERR(port);
	rc = dev_set_name(&port->dev, "port%u", number) ?: device_add(&port->dev);
	if (rc) {
		put_device(&port->dev);
		return rc;
	}
	adapter.ports[number] = port;
	return plug(port);
}

int ta_add_ports(void)
{
	unsigned int i;
	int rc = 0;

	adapter.ports = kcalloc(ports + 1, sizeof(*adapter.ports), GFP_KERNEL);
	if (!adapter.ports)
		return -ENOMEM;
	for (i = 0; i < ports && !rc; i++)
		rc = add_port(i);
	if (rc)
		ta_remove_ports();
	return rc;
}

static void remove_endpoint(struct endpoint *endpoint)
{
	struct iscsi_endpoint *ep = endpoint->ep;

	ta_close(endpoint);
	iscsi_destroy_endpoint(ep);
}

/* At the end: there are no sessions any more, but there may be endpoints that never came to have
 * one. */
void ta_remove_ports(void)
{
	struct endpoint *endpoint;
	struct port **port;

	for (port = adapter.ports; *port; port++) {
		unplug(*port);
		while ((endpoint = list_first_entry_or_null(&(*port)->endpoints, struct endpoint,
							    list)))
			remove_endpoint(endpoint);
		device_unregister(&(*port)->dev);
	}
	kfree(adapter.ports);
}
