// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers as the driver that the parameter "name" tells, with as many ports as "ports" tells.
 */
#include <linux/module.h>
#include <scsi/scsi_host.h>
#include "adapter.h"

static char *name = "cxgb4i";
module_param(name, charp, 0444);
MODULE_PARM_DESC(name, "transport to play: cxgb4i, cxgb3i, bnx2i, qedi, be2iscsi, qla4xxx");

struct adapter adapter;

/* What not all drivers offer. */
static void complete_transport(struct iscsi_transport *transport, unsigned int flags)
{
	transport->name = name;
	transport->caps = adapter.row->caps;
	if (flags & ROW_SETS_HOST)
		transport->set_host_param = ta_set_host_param;
	if (flags & ROW_PATH)
		transport->set_path = ta_set_path;
	if (flags & ROW_IFACES) {
		transport->set_iface_param = ta_set_iface_param;
		transport->get_iface_param = ta_get_iface_param;
	}
	if (flags & ROW_FIRMWARE)
		ta_complete_firmware(transport);
}

static int register_adapter(void)
{
	int rc;

	adapter.transport = ta_transport;
	complete_transport(&adapter.transport, adapter.row->flags);
	ta_host_template.name = name;
	ta_host_template.proc_name = name;
	adapter.template = iscsi_register_transport(&adapter.transport);
	if (!adapter.template)
		return -EEXIST;
	rc = ta_add_ports();
	if (rc)
		iscsi_unregister_transport(&adapter.transport);
	return rc;
}

static int __init ta_init(void)
{
	int rc;

	adapter.row = ta_find_row(name);
	if (!adapter.row) {
		pr_err("testadapter: no transport %s\n", name);
		return -EINVAL;
	}
	mutex_init(&adapter.endpoint_lock);
	adapter.work = alloc_workqueue("testadapter", WQ_UNBOUND, 0);
	if (!adapter.work)
		return -ENOMEM;
	adapter.root = root_device_register("testadapter");
	if (IS_ERR(adapter.root)) {
		destroy_workqueue(adapter.work);
		return PTR_ERR(adapter.root);
	}
	rc = register_adapter();
	if (rc) {
		root_device_unregister(adapter.root);
		destroy_workqueue(adapter.work);
	}
	return rc;
}

static void __exit ta_exit(void)
{
	/* Pings that are on their way have the port. */
	flush_workqueue(adapter.work);
	ta_remove_ports();
	iscsi_unregister_transport(&adapter.transport);
	root_device_unregister(adapter.root);
	destroy_workqueue(adapter.work);
}

module_init(ta_init);
module_exit(ta_exit);
MODULE_DESCRIPTION("iSCSI adapter without hardware, for tests");
MODULE_LICENSE("GPL");
