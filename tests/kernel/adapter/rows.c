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
	ALL = CXGB | BNX | BE,
};

#define OFFLOAD_CAPS                                                                               \
	(CAP_RECOVERY_L0 | CAP_MULTI_R2T | CAP_HDRDGST | CAP_DATADGST | CAP_TEXT_NEGO |            \
	 CAP_DATA_PATH_OFFLOAD)
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
		.flags = ROW_NEEDS_HOST,
		.link_error = -EBUSY,
		.lost = ISCSI_ERR_CONN_FAILED,
		.limits = be_limits,
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
	int type, param;
	unsigned int rows;
} visible[] = {
	{ ISCSI_HOST_PARAM, ISCSI_HOST_PARAM_NETDEV_NAME, CXGB | BNX },
	{ ISCSI_HOST_PARAM, ISCSI_HOST_PARAM_HWADDRESS, ALL },
	{ ISCSI_HOST_PARAM, ISCSI_HOST_PARAM_IPADDRESS, CXGB | BNX },
	{ ISCSI_HOST_PARAM, ISCSI_HOST_PARAM_INITIATOR_NAME, CXGB | BE },
	{ ISCSI_HOST_PARAM, ISCSI_HOST_PARAM_PORT_STATE, BE },
	{ ISCSI_HOST_PARAM, ISCSI_HOST_PARAM_PORT_SPEED, BE },

	{ ISCSI_PARAM, ISCSI_PARAM_MAX_RECV_DLENGTH, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_MAX_XMIT_DLENGTH, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_HDRDGST_EN, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_DATADGST_EN, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_CONN_ADDRESS, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_CONN_PORT, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_EXP_STATSN, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_PERSISTENT_ADDRESS, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_PERSISTENT_PORT, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_PING_TMO, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_RECV_TMO, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_INITIAL_R2T_EN, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_MAX_R2T, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_IMM_DATA_EN, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_FIRST_BURST, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_MAX_BURST, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_PDU_INORDER_EN, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_DATASEQ_INORDER_EN, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_ERL, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_TARGET_NAME, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_TPGT, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_USERNAME, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_PASSWORD, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_USERNAME_IN, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_PASSWORD_IN, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_FAST_ABORT, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_ABORT_TMO, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_LU_RESET_TMO, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_TGT_RESET_TMO, CXGB | BNX },
	{ ISCSI_PARAM, ISCSI_PARAM_IFACE_NAME, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_INITIATOR_NAME, ALL },
	{ ISCSI_PARAM, ISCSI_PARAM_BOOT_ROOT, BNX },
	{ ISCSI_PARAM, ISCSI_PARAM_BOOT_NIC, BNX },
	{ ISCSI_PARAM, ISCSI_PARAM_BOOT_TARGET, BNX },
};

umode_t ta_is_visible(int param_type, int param)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(visible); i++)
		if (visible[i].type == param_type && visible[i].param == param)
			return visible[i].rows & adapter.row->bit ? 0444 : 0;
	return 0;
}
