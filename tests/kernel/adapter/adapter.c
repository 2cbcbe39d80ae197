// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers as the driver that the parameter "name" tells, with as many ports as "ports" tells.
 */
#include <linux/module.h>
#include <scsi/scsi_host.h>
#include "adapter.h"

static char *name = "cxgb4i";
module_param(name, charp, 0444);
MODULE_PARM_DESC(name, "transport to play: cxgb4i, cxgb3i, bnx2i, qedi, be2iscsi");

struct adapter adapter;

static int __init ta_init(void)
{
	int rc;

	adapter.row = ta_find_row(name);
	if (!adapter.row) {
		pr_err("testadapter: no transport %s\n", name);
		return -EINVAL;
	}
	adapter.root = root_device_register("testadapter");
	if (IS_ERR(adapter.root))
		return PTR_ERR(adapter.root);
	adapter.transport = ta_transport;
	adapter.transport.name = name;
	adapter.transport.caps = adapter.row->caps;
	if (!(adapter.row->flags & ROW_SETS_HOST))
		adapter.transport.set_host_param = NULL;
	if (!(adapter.row->flags & ROW_PATH))
		adapter.transport.set_path = NULL;
	ta_host_template.name = name;
	ta_host_template.proc_name = name;
	adapter.template = iscsi_register_transport(&adapter.transport);
	if (!adapter.template) {
		root_device_unregister(adapter.root);
		return -EEXIST;
	}
	rc = ta_add_ports();
	if (rc) {
		iscsi_unregister_transport(&adapter.transport);
		root_device_unregister(adapter.root);
	}
	return rc;
}

static void __exit ta_exit(void)
{
	ta_remove_ports();
	iscsi_unregister_transport(&adapter.transport);
	root_device_unregister(adapter.root);
}

module_init(ta_init);
module_exit(ta_exit);
MODULE_DESCRIPTION("iSCSI adapter without hardware, for tests");
MODULE_LICENSE("GPL");
