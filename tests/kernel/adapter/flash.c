// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flash nodes: targets that the firmware keeps, and logs in to.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/slab.h>
#include <net/netlink.h>
#include <scsi/scsi_host.h>
#include "adapter.h"

enum format {
	NUMBER = 1,
	TEXT,
	ADDRESS, /* 16 bytes, of which IPv4 has the first 4 */
	ISID,
	SECRET, /* of the CHAP table: shown only */
	PARENT,
};

/* Where a parameter lies: in the session's part or in the connection's. */
struct place {
	u8 format, size;
	bool conn;
	u16 offset;
};

#define SESS(format, field)                                                                        \
	{                                                                                          \
		format, sizeof_field(struct iscsi_bus_flash_session, field), false,                \
			offsetof(struct iscsi_bus_flash_session, field)                            \
	}
#define CONN(format, field)                                                                        \
	{                                                                                          \
		format, sizeof_field(struct iscsi_bus_flash_conn, field), true,                    \
			offsetof(struct iscsi_bus_flash_conn, field)                               \
	}

static const struct place places[ISCSI_FLASHNODE_MAX] = {
	[ISCSI_FLASHNODE_IS_FW_ASSIGNED_IPV6] = CONN(NUMBER, is_fw_assigned_ipv6),
	[ISCSI_FLASHNODE_PORTAL_TYPE] = SESS(TEXT, portal_type),
	[ISCSI_FLASHNODE_AUTO_SND_TGT_DISABLE] = SESS(NUMBER, auto_snd_tgt_disable),
	[ISCSI_FLASHNODE_DISCOVERY_SESS] = SESS(NUMBER, discovery_sess),
	[ISCSI_FLASHNODE_ENTRY_EN] = SESS(NUMBER, entry_state),
	[ISCSI_FLASHNODE_HDR_DGST_EN] = CONN(NUMBER, hdrdgst_en),
	[ISCSI_FLASHNODE_DATA_DGST_EN] = CONN(NUMBER, datadgst_en),
	[ISCSI_FLASHNODE_IMM_DATA_EN] = SESS(NUMBER, imm_data_en),
	[ISCSI_FLASHNODE_INITIAL_R2T_EN] = SESS(NUMBER, initial_r2t_en),
	[ISCSI_FLASHNODE_DATASEQ_INORDER] = SESS(NUMBER, dataseq_inorder_en),
	[ISCSI_FLASHNODE_PDU_INORDER] = SESS(NUMBER, pdu_inorder_en),
	[ISCSI_FLASHNODE_CHAP_AUTH_EN] = SESS(NUMBER, chap_auth_en),
	[ISCSI_FLASHNODE_SNACK_REQ_EN] = CONN(NUMBER, snack_req_en),
	[ISCSI_FLASHNODE_DISCOVERY_LOGOUT_EN] = SESS(NUMBER, discovery_logout_en),
	[ISCSI_FLASHNODE_BIDI_CHAP_EN] = SESS(NUMBER, bidi_chap_en),
	[ISCSI_FLASHNODE_DISCOVERY_AUTH_OPTIONAL] = SESS(NUMBER, discovery_auth_optional),
	[ISCSI_FLASHNODE_ERL] = SESS(NUMBER, erl),
	[ISCSI_FLASHNODE_TCP_TIMESTAMP_STAT] = CONN(NUMBER, tcp_timestamp_stat),
	[ISCSI_FLASHNODE_TCP_NAGLE_DISABLE] = CONN(NUMBER, tcp_nagle_disable),
	[ISCSI_FLASHNODE_TCP_WSF_DISABLE] = CONN(NUMBER, tcp_wsf_disable),
	[ISCSI_FLASHNODE_TCP_TIMER_SCALE] = CONN(NUMBER, tcp_timer_scale),
	[ISCSI_FLASHNODE_TCP_TIMESTAMP_EN] = CONN(NUMBER, tcp_timestamp_en),
	[ISCSI_FLASHNODE_IP_FRAG_DISABLE] = CONN(NUMBER, fragment_disable),
	[ISCSI_FLASHNODE_MAX_RECV_DLENGTH] = CONN(NUMBER, max_recv_dlength),
	[ISCSI_FLASHNODE_MAX_XMIT_DLENGTH] = CONN(NUMBER, max_xmit_dlength),
	[ISCSI_FLASHNODE_FIRST_BURST] = SESS(NUMBER, first_burst),
	[ISCSI_FLASHNODE_DEF_TIME2WAIT] = SESS(NUMBER, time2wait),
	[ISCSI_FLASHNODE_DEF_TIME2RETAIN] = SESS(NUMBER, time2retain),
	[ISCSI_FLASHNODE_MAX_R2T] = SESS(NUMBER, max_r2t),
	[ISCSI_FLASHNODE_KEEPALIVE_TMO] = CONN(NUMBER, keepalive_timeout),
	[ISCSI_FLASHNODE_ISID] = SESS(ISID, isid),
	[ISCSI_FLASHNODE_TSID] = SESS(NUMBER, tsid),
	[ISCSI_FLASHNODE_PORT] = CONN(NUMBER, port),
	[ISCSI_FLASHNODE_MAX_BURST] = SESS(NUMBER, max_burst),
	[ISCSI_FLASHNODE_DEF_TASKMGMT_TMO] = SESS(NUMBER, default_taskmgmt_timeout),
	[ISCSI_FLASHNODE_IPADDR] = CONN(ADDRESS, ipaddress),
	[ISCSI_FLASHNODE_ALIAS] = SESS(TEXT, targetalias),
	[ISCSI_FLASHNODE_REDIRECT_IPADDR] = CONN(ADDRESS, redirect_ipaddr),
	[ISCSI_FLASHNODE_MAX_SEGMENT_SIZE] = CONN(NUMBER, max_segment_size),
	[ISCSI_FLASHNODE_LOCAL_PORT] = CONN(NUMBER, local_port),
	[ISCSI_FLASHNODE_IPV4_TOS] = CONN(NUMBER, ipv4_tos),
	[ISCSI_FLASHNODE_IPV6_TC] = CONN(NUMBER, ipv6_traffic_class),
	[ISCSI_FLASHNODE_IPV6_FLOW_LABEL] = CONN(NUMBER, ipv6_flow_label),
	[ISCSI_FLASHNODE_NAME] = SESS(TEXT, targetname),
	[ISCSI_FLASHNODE_TPGT] = SESS(NUMBER, tpgt),
	[ISCSI_FLASHNODE_LINK_LOCAL_IPV6] = CONN(ADDRESS, link_local_ipv6_addr),
	[ISCSI_FLASHNODE_DISCOVERY_PARENT_IDX] = SESS(NUMBER, discovery_parent_idx),
	[ISCSI_FLASHNODE_DISCOVERY_PARENT_TYPE] = SESS(PARENT, discovery_parent_type),
	[ISCSI_FLASHNODE_TCP_XMIT_WSF] = CONN(NUMBER, tcp_xmit_wsf),
	[ISCSI_FLASHNODE_TCP_RECV_WSF] = CONN(NUMBER, tcp_recv_wsf),
	[ISCSI_FLASHNODE_CHAP_OUT_IDX] = SESS(NUMBER, chap_out_idx),
	[ISCSI_FLASHNODE_USERNAME] = SESS(SECRET, username),
	[ISCSI_FLASHNODE_PASSWORD] = SESS(SECRET, password),
	[ISCSI_FLASHNODE_STATSN] = CONN(NUMBER, statsn),
	[ISCSI_FLASHNODE_EXP_STATSN] = CONN(NUMBER, exp_statsn),
	[ISCSI_FLASHNODE_IS_BOOT_TGT] = SESS(NUMBER, is_boot_target),
};

static void *field(struct iscsi_bus_flash_session *node, struct iscsi_bus_flash_conn *conn,
		   const struct place *place)
{
	return (place->conn ? (char *)conn : (char *)node) + place->offset;
}

static bool is_v6(struct iscsi_bus_flash_session *node)
{
	return node->portal_type && !strcmp(node->portal_type, "ipv6");
}

/* ---- showing ---- */

static int show_secret(struct iscsi_bus_flash_session *node, int param, char *buffer)
{
	struct port *port = ta_port(iscsi_flash_session_to_shost(node));
	const struct iscsi_chap_rec *record;
	unsigned int i = node->chap_out_idx;

	if (!node->chap_auth_en || i >= TA_CHAP_ENTRIES || !port->chap[i].used)
		return sysfs_emit(buffer, "\n");
	record = &port->chap[i].record;
	if (param == ISCSI_FLASHNODE_USERNAME)
		return sysfs_emit(buffer, "%s\n", record->username);
	return sysfs_emit(buffer, "%s\n", record->password);
}

static int show(struct iscsi_bus_flash_session *node, struct iscsi_bus_flash_conn *conn, int param,
		char *buffer)
{
	const struct place *place = &places[param];
	void *at = field(node, conn, place);
	u32 number = 0;

	switch (place->format) {
	case NUMBER:
		memcpy(&number, at, place->size);
		return sysfs_emit(buffer, "%u\n", number);
	case TEXT:
		return sysfs_emit(buffer, "%s\n", *(char **)at ?: "");
	case ADDRESS:
		if (!*(u8 **)at)
			return sysfs_emit(buffer, "\n");
		return is_v6(node) ? sysfs_emit(buffer, "%pI6\n", *(u8 **)at)
				   : sysfs_emit(buffer, "%pI4\n", *(u8 **)at);
	case ISID:
		return sysfs_emit(buffer, "%pm\n", at);
	case SECRET:
		return show_secret(node, param, buffer);
	case PARENT:
		return sysfs_emit(buffer, "Unknown\n");
	default:
		return -ENOSYS;
	}
}

static int get_param(struct iscsi_bus_flash_session *node, int param, char *buffer)
{
	struct device *dev = iscsi_find_flashnode_conn(node);
	int length;

	if (!dev)
		return -EIO;
	length = param < ISCSI_FLASHNODE_MAX
			 ? show(node, iscsi_dev_to_flash_conn(dev), param, buffer)
			 : -ENOSYS;
	put_device(dev);
	return length;
}

/* ---- setting ---- */

static int take_text(char **at, const struct iscsi_flashnode_param_info *info)
{
	char *text = kstrndup(info->value, info->len, GFP_KERNEL);
	int rc;

	if (!text)
		return -ENOMEM;
	rc = iscsi_switch_str_param(at, text);
	kfree(text);
	return rc;
}

static int take_address(char **at, const struct iscsi_flashnode_param_info *info)
{
	if (info->len < 16)
		return -EINVAL;
	if (!*at)
		*at = kzalloc(16, GFP_KERNEL);
	if (!*at)
		return -ENOMEM;
	memcpy(*at, info->value, 16);
	return 0;
}

static int take(struct iscsi_bus_flash_session *node, struct iscsi_bus_flash_conn *conn,
		const struct iscsi_flashnode_param_info *info)
{
	const struct place *place = &places[info->param];
	void *at = field(node, conn, place);
	u32 number = 0;

	switch (place->format) {
	case TEXT:
		return take_text(at, info);
	case ADDRESS:
		return take_address(at, info);
	case ISID:
		if (info->len < ISID_SIZE)
			return -EINVAL;
		memcpy(at, info->value, ISID_SIZE);
		return 0;
	case NUMBER:
		break;
	default:
		return -ENOSYS;
	}
	if (info->param == ISCSI_FLASHNODE_IS_BOOT_TGT)
		return -ENOSYS;
	memcpy(&number, info->value, min_t(u32, info->len, sizeof(number)));
	memcpy(at, &number, place->size);
	if (info->param == ISCSI_FLASHNODE_CHAP_OUT_IDX && number < TA_CHAP_ENTRIES)
		node->chap_auth_en = 1;
	return 0;
}

static int set_param(struct iscsi_bus_flash_session *node, struct iscsi_bus_flash_conn *conn,
		     void *data, int length)
{
	const struct iscsi_flashnode_param_info *info;
	struct nlattr *attribute;
	int rest, rc = 0;

	nla_for_each_attr (attribute, data, length, rest) {
		info = nla_data(attribute);
		if (nla_len(attribute) < sizeof(*info) ||
		    info->len > nla_len(attribute) - sizeof(*info))
			return -EINVAL;
		if (info->param >= ISCSI_FLASHNODE_MAX)
			return -ENOSYS;
		rc = rc ?: take(node, conn, info);
	}
	return rc;
}

/* ---- nodes ---- */

static int set_initial(struct iscsi_bus_flash_session *node, struct iscsi_bus_flash_conn *conn,
		       bool v6)
{
	node->entry_state = 1;
	node->imm_data_en = node->initial_r2t_en = 1;
	node->pdu_inorder_en = node->dataseq_inorder_en = 1;
	node->first_burst = 8192;
	node->max_burst = 65536;
	node->max_r2t = 1;
	node->time2wait = 2;
	node->time2retain = 20;
	node->default_taskmgmt_timeout = 10;
	node->chap_out_idx = node->discovery_parent_idx = U16_MAX;
	conn->port = 3260;
	conn->max_recv_dlength = conn->max_xmit_dlength = 8192;
	return iscsi_switch_str_param(&node->portal_type, v6 ? "ipv6" : "ipv4");
}

static int new_node(struct Scsi_Host *host, const char *text, int length)
{
	bool v6 = length >= 4 && !strncasecmp(text, "ipv6", 4);
	struct port *port = ta_port(host);
	struct iscsi_bus_flash_session *node;
	struct iscsi_bus_flash_conn *conn;
	unsigned int i;

	if (length < 4 || (!v6 && strncasecmp(text, "ipv4", 4)))
		return -EINVAL;
	for (i = 0; i < TA_FLASH_NODES && port->nodes[i]; i++)
		;
	if (i == TA_FLASH_NODES)
		return -ENOSPC;
	node = iscsi_create_flashnode_sess(host, i, &adapter.transport, 0);
	if (!node)
		return -ENOMEM;
	conn = iscsi_create_flashnode_conn(host, node, &adapter.transport, 0);
	if (!conn || set_initial(node, conn, v6)) {
		iscsi_destroy_flashnode_sess(node);
		return -ENOMEM;
	}
	port->nodes[i] = node;
	return i;
}

static int delete_node(struct iscsi_bus_flash_session *node)
{
	struct port *port = ta_port(iscsi_flash_session_to_shost(node));

	if (node->is_boot_target)
		return -EPERM;
	port->nodes[node->target_id] = NULL;
	iscsi_destroy_flashnode_sess(node);
	return 0;
}

static int log_in(struct iscsi_bus_flash_session *node, struct iscsi_bus_flash_conn *conn)
{
	struct sockaddr_storage address = {};
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;

	if (node->discovery_sess)
		return -EOPNOTSUPP;
	if (!node->targetname || !conn->ipaddress)
		return -EIO;
	address.ss_family = is_v6(node) ? AF_INET6 : AF_INET;
	v4->sin_port = htons(conn->port);
	if (is_v6(node))
		memcpy(&v6->sin6_addr, conn->ipaddress, 16);
	else
		memcpy(&v4->sin_addr, conn->ipaddress, 4);
	return ta_add_own_session(ta_port(iscsi_flash_session_to_shost(node)), node->target_id,
				  node->targetname, &address);
}

static int log_out(struct iscsi_bus_flash_session *node, struct iscsi_bus_flash_conn *conn)
{
	if (node->is_boot_target)
		return -EPERM;
	return ta_remove_own_session(ta_port(iscsi_flash_session_to_shost(node)), node->target_id);
}

bool ta_uses_chap(struct port *port, unsigned int index)
{
	unsigned int i;

	for (i = 0; i < TA_FLASH_NODES; i++)
		if (port->nodes[i] && port->nodes[i]->chap_auth_en &&
		    port->nodes[i]->chap_out_idx == index)
			return true;
	return false;
}

void ta_remove_nodes(struct port *port, struct Scsi_Host *host)
{
	if (!(adapter.row->flags & ROW_FIRMWARE))
		return;
	iscsi_destroy_all_flashnode(host);
	memset(port->nodes, 0, sizeof(port->nodes));
}

void ta_complete_flash(struct iscsi_transport *transport)
{
	transport->get_flashnode_param = get_param;
	transport->set_flashnode_param = set_param;
	transport->new_flashnode = new_node;
	transport->del_flashnode = delete_node;
	transport->login_flashnode = log_in;
	transport->logout_flashnode = log_out;
}
