// SPDX-License-Identifier: GPL-2.0-only
/*
 * The drivers that this one can play, and what each of them shows in sysfs.
 */
#include <linux/kernel.h>
#include <linux/stat.h>
#include <linux/string.h>
#include <scsi/iscsi_if.h>
#include "adapter.h"

enum {
	CXGB = BIT(0),
	BNX = BIT(1), /* bnx2i, qedi */
	BE = BIT(2),
	QLA = BIT(3),
	LIB = CXGB | BNX | BE, /* those that leave the login to user space */
	ALL = LIB | QLA,
};

#define OFFLOAD_CAPS                                                                               \
	(CAP_RECOVERY_L0 | CAP_MULTI_R2T | CAP_HDRDGST | CAP_DATADGST | CAP_TEXT_NEGO |            \
	 CAP_DATA_PATH_OFFLOAD)
#define QLA_CAPS                                                                                   \
	(CAP_TEXT_NEGO | CAP_MULTI_R2T | CAP_HDRDGST | CAP_DATADGST | CAP_DATA_PATH_OFFLOAD |      \
	 CAP_LOGIN_OFFLOAD)
#define CXGB_CAPS                                                                                  \
	(CAP_RECOVERY_L0 | CAP_MULTI_R2T | CAP_HDRDGST | CAP_DATADGST | CAP_TEXT_NEGO |            \
	 CAP_DIGEST_OFFLOAD | CAP_PADDING_OFFLOAD)

static const struct limit cxgb_limits[] = {
	{ ISCSI_PARAM_MAX_RECV_DLENGTH, 15872, true },
	{ ISCSI_PARAM_MAX_XMIT_DLENGTH, 15872, false },
	{ 0 },
};
static const struct limit be_limits[] = {
	{ ISCSI_PARAM_MAX_RECV_DLENGTH, 65536, false },
	{ ISCSI_PARAM_MAX_XMIT_DLENGTH, 65536, false },
	{ ISCSI_PARAM_FIRST_BURST, 8192, false },
	{ ISCSI_PARAM_MAX_BURST, 262144, false },
	{ 0 },
};

static const struct row rows[] = {
	{
		.name = "cxgb4i",
		.bit = CXGB,
		.caps = CXGB_CAPS,
		.flags = ROW_SETS_HOST,
		.lost = ISCSI_ERR_TCP_CONN_CLOSE,
		.limits = cxgb_limits,
	},
	{
		.name = "cxgb3i",
		.bit = CXGB,
		.caps = CXGB_CAPS,
		.flags = ROW_SETS_HOST,
		.lost = ISCSI_ERR_TCP_CONN_CLOSE,
		.limits = cxgb_limits,
	},
	{
		.name = "bnx2i",
		.bit = BNX,
		.caps = OFFLOAD_CAPS,
		.flags = ROW_POLL_WAITS | ROW_POLL_FAILS | ROW_PATH | ROW_SLOW_CANCEL | ROW_IF_DOWN,
		.link_error = -EPERM,
		.lost = ISCSI_ERR_CONN_FAILED,
	},
	{
		.name = "qedi",
		.bit = BNX,
		.caps = OFFLOAD_CAPS,
		.flags = ROW_NEEDS_HOST | ROW_POLL_WAITS | ROW_POLL_FAILS | ROW_PATH |
			 ROW_PATH_STRICT,
		.link_error = -ENXIO,
		.lost = ISCSI_ERR_CONN_FAILED,
	},
	{
		.name = "be2iscsi",
		.bit = BE,
		.caps = OFFLOAD_CAPS,
		.flags = ROW_NEEDS_HOST | ROW_IFACES | ROW_ONE_IFACE | ROW_VLAN_HIDES,
		.link_error = -EBUSY,
		.lost = ISCSI_ERR_CONN_FAILED,
		.limits = be_limits,
	},
	{
		.name = "qla4xxx",
		.bit = QLA,
		.caps = QLA_CAPS,
		.flags = ROW_NEEDS_HOST | ROW_IFACES | ROW_RESTARTS | ROW_FIRMWARE,
		.lost = ISCSI_ERR_CONN_FAILED,
	},
};

const struct row *ta_find_row(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

/* An attribute that no line names is shown by nobody. */
static const struct {
	int type, param, last; /* last: of a range */
	unsigned int rows;
} visible[] = {
	{ ISCSI_HOST_PARAM, ISCSI_HOST_PARAM_NETDEV_NAME, 0, CXGB | BNX },
	{ ISCSI_HOST_PARAM, ISCSI_HOST_PARAM_HWADDRESS, 0, ALL },
	{ ISCSI_HOST_PARAM, ISCSI_HOST_PARAM_IPADDRESS, 0, CXGB | BNX | QLA },
	{ ISCSI_HOST_PARAM, ISCSI_HOST_PARAM_INITIATOR_NAME, 0, CXGB | BE | QLA },
	{ ISCSI_HOST_PARAM, ISCSI_HOST_PARAM_PORT_STATE, 0, BE | QLA },
	{ ISCSI_HOST_PARAM, ISCSI_HOST_PARAM_PORT_SPEED, 0, BE | QLA },

	{ ISCSI_PARAM, ISCSI_PARAM_MAX_RECV_DLENGTH, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_MAX_XMIT_DLENGTH, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_HDRDGST_EN, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_DATADGST_EN, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_CONN_ADDRESS, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_CONN_PORT, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_EXP_STATSN, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_PERSISTENT_ADDRESS, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_PERSISTENT_PORT, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_PING_TMO, 0, LIB },
	{ ISCSI_PARAM, ISCSI_PARAM_RECV_TMO, 0, LIB },
	{ ISCSI_PARAM, ISCSI_PARAM_INITIAL_R2T_EN, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_MAX_R2T, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_IMM_DATA_EN, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_FIRST_BURST, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_MAX_BURST, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_PDU_INORDER_EN, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_DATASEQ_INORDER_EN, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_ERL, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_TARGET_NAME, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_TPGT, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_USERNAME, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_PASSWORD, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_USERNAME_IN, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_PASSWORD_IN, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_FAST_ABORT, 0, LIB },
	{ ISCSI_PARAM, ISCSI_PARAM_ABORT_TMO, 0, LIB },
	{ ISCSI_PARAM, ISCSI_PARAM_LU_RESET_TMO, 0, LIB },
	{ ISCSI_PARAM, ISCSI_PARAM_TGT_RESET_TMO, 0, CXGB | BNX },
	{ ISCSI_PARAM, ISCSI_PARAM_IFACE_NAME, 0, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_INITIATOR_NAME, 0, LIB },
	{ ISCSI_PARAM, ISCSI_PARAM_BOOT_ROOT, 0, BNX },
	{ ISCSI_PARAM, ISCSI_PARAM_BOOT_NIC, 0, BNX },
	{ ISCSI_PARAM, ISCSI_PARAM_BOOT_TARGET, 0, BNX },
	{ ISCSI_PARAM, ISCSI_PARAM_ISID, 0, QLA },
	{ ISCSI_PARAM, ISCSI_PARAM_TARGET_ALIAS, ISCSI_PARAM_CHAP_OUT_IDX, QLA },
	{ ISCSI_PARAM, ISCSI_PARAM_AUTO_SND_TGT_DISABLE, ISCSI_PARAM_LOCAL_IPADDR, QLA },

	{ ISCSI_NET_PARAM, ISCSI_NET_PARAM_IPV4_ADDR, ISCSI_NET_PARAM_REDIRECT_EN, QLA },
	{ ISCSI_IFACE_PARAM, ISCSI_IFACE_PARAM_DEF_TASKMGMT_TMO, ISCSI_IFACE_PARAM_INITIATOR_NAME,
	  QLA },
	{ ISCSI_FLASHNODE_PARAM, ISCSI_FLASHNODE_IS_FW_ASSIGNED_IPV6, ISCSI_FLASHNODE_IS_BOOT_TGT,
	  QLA },
	{ ISCSI_NET_PARAM, ISCSI_NET_PARAM_IPV4_ADDR, ISCSI_NET_PARAM_IPV4_BOOTPROTO, BE },
	{ ISCSI_NET_PARAM, ISCSI_NET_PARAM_IPV6_ADDR, 0, BE },
	{ ISCSI_NET_PARAM, ISCSI_NET_PARAM_IFACE_ENABLE, 0, BE },
	{ ISCSI_NET_PARAM, ISCSI_NET_PARAM_VLAN_ID, ISCSI_NET_PARAM_VLAN_ENABLED, BE },
};

umode_t ta_is_visible(int param_type, int param)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(visible); i++)
		if (visible[i].type == param_type && param >= visible[i].param &&
		    param <= max(visible[i].param, visible[i].last) &&
		    visible[i].rows & adapter.row->bit)
			return 0444;
	return 0;
}
