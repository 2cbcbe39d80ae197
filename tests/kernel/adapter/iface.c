// SPDX-License-Identifier: GPL-2.0-only
/*
 * Network interfaces of a port: what user space sets of them, and what sysfs shows. A value is kept
 * as it was set, in host byte order, except addresses.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <net/netlink.h>
#include <scsi/scsi_host.h>
#include "adapter.h"

enum format {
	NONE, /* not a parameter that anybody sets or sees */
	IPV4,
	IPV6,
	NUMBER,
	TEXT,
	SWITCH,         /* 1: disable, 2: enable */
	SWITCH_ADDRESS, /* 1: static, 2: dhcp */
	SWITCH_ND,      /* 1: static, 2: nd, 3: dhcp, which is shown as static */
	SWITCH_AUTO,    /* 1: auto, 2: static */
	STATE,          /* of an address, shown only */
	ROUTER,
	VLAN_PART, /* of the tag, shown only */
	NAME,      /* of the initiator, shown only */
};

struct kind {
	u8 format, width; /* 0: any */
	u32 initial;
};

static const struct kind net_kinds[TA_NET_PARAMS] = {
	[ISCSI_NET_PARAM_IPV4_ADDR] = { IPV4, 4 },
	[ISCSI_NET_PARAM_IPV4_SUBNET] = { IPV4, 4 },
	[ISCSI_NET_PARAM_IPV4_GW] = { IPV4, 4 },
	[ISCSI_NET_PARAM_IPV4_BOOTPROTO] = { SWITCH_ADDRESS, 1, ISCSI_BOOTPROTO_STATIC },
	[ISCSI_NET_PARAM_IPV6_LINKLOCAL] = { IPV6, 16 },
	[ISCSI_NET_PARAM_IPV6_ADDR] = { IPV6, 16 },
	[ISCSI_NET_PARAM_IPV6_ROUTER] = { IPV6, 16 },
	[ISCSI_NET_PARAM_IPV6_ADDR_AUTOCFG] = { SWITCH_ND, 1, ISCSI_IPV6_AUTOCFG_DISABLE },
	[ISCSI_NET_PARAM_IPV6_LINKLOCAL_AUTOCFG] = { SWITCH_AUTO, 1,
						     ISCSI_IPV6_LINKLOCAL_AUTOCFG_ENABLE },
	[ISCSI_NET_PARAM_IPV6_ROUTER_AUTOCFG] = { SWITCH_AUTO, 1,
						  ISCSI_IPV6_ROUTER_AUTOCFG_ENABLE },
	[ISCSI_NET_PARAM_IFACE_ENABLE] = { SWITCH, 1, ISCSI_IFACE_ENABLE },
	[ISCSI_NET_PARAM_VLAN_ID] = { VLAN_PART },
	[ISCSI_NET_PARAM_VLAN_PRIORITY] = { VLAN_PART },
	[ISCSI_NET_PARAM_VLAN_ENABLED] = { SWITCH, 1, ISCSI_VLAN_DISABLE },
	[ISCSI_NET_PARAM_VLAN_TAG] = { NUMBER, 2 },
	[ISCSI_NET_PARAM_MTU] = { NUMBER, 2, 1500 },
	[ISCSI_NET_PARAM_PORT] = { NUMBER, 2, 3260 },
	[ISCSI_NET_PARAM_IPADDR_STATE] = { STATE },
	[ISCSI_NET_PARAM_IPV6_LINKLOCAL_STATE] = { STATE },
	[ISCSI_NET_PARAM_IPV6_ROUTER_STATE] = { ROUTER },
	[ISCSI_NET_PARAM_DELAYED_ACK_EN] = { SWITCH, 1, ISCSI_NET_PARAM_ENABLE },
	[ISCSI_NET_PARAM_TCP_NAGLE_DISABLE] = { SWITCH, 1, ISCSI_NET_PARAM_ENABLE },
	[ISCSI_NET_PARAM_TCP_WSF_DISABLE] = { SWITCH, 1, ISCSI_NET_PARAM_ENABLE },
	[ISCSI_NET_PARAM_TCP_WSF] = { NUMBER, 1, 2 },
	[ISCSI_NET_PARAM_TCP_TIMER_SCALE] = { NUMBER, 1, 1 },
	[ISCSI_NET_PARAM_TCP_TIMESTAMP_EN] = { SWITCH, 1, ISCSI_NET_PARAM_ENABLE },
	[ISCSI_NET_PARAM_CACHE_ID] = { NUMBER, 2, 1 },
	[ISCSI_NET_PARAM_IPV4_DHCP_DNS_ADDR_EN] = { SWITCH, 1, ISCSI_NET_PARAM_DISABLE },
	[ISCSI_NET_PARAM_IPV4_DHCP_SLP_DA_EN] = { SWITCH, 1, ISCSI_NET_PARAM_DISABLE },
	[ISCSI_NET_PARAM_IPV4_TOS_EN] = { SWITCH, 1, ISCSI_NET_PARAM_DISABLE },
	[ISCSI_NET_PARAM_IPV4_TOS] = { NUMBER, 1 },
	[ISCSI_NET_PARAM_IPV4_GRAT_ARP_EN] = { SWITCH, 1, ISCSI_NET_PARAM_DISABLE },
	[ISCSI_NET_PARAM_IPV4_DHCP_ALT_CLIENT_ID_EN] = { SWITCH, 1, ISCSI_NET_PARAM_DISABLE },
	[ISCSI_NET_PARAM_IPV4_DHCP_ALT_CLIENT_ID] = { TEXT },
	[ISCSI_NET_PARAM_IPV4_DHCP_REQ_VENDOR_ID_EN] = { SWITCH, 1, ISCSI_NET_PARAM_DISABLE },
	[ISCSI_NET_PARAM_IPV4_DHCP_USE_VENDOR_ID_EN] = { SWITCH, 1, ISCSI_NET_PARAM_DISABLE },
	[ISCSI_NET_PARAM_IPV4_DHCP_VENDOR_ID] = { TEXT },
	[ISCSI_NET_PARAM_IPV4_DHCP_LEARN_IQN_EN] = { SWITCH, 1, ISCSI_NET_PARAM_DISABLE },
	[ISCSI_NET_PARAM_IPV4_FRAGMENT_DISABLE] = { SWITCH, 1, ISCSI_NET_PARAM_ENABLE },
	[ISCSI_NET_PARAM_IPV4_IN_FORWARD_EN] = { SWITCH, 1, ISCSI_NET_PARAM_DISABLE },
	[ISCSI_NET_PARAM_IPV4_TTL] = { NUMBER, 1, 64 },
	[ISCSI_NET_PARAM_IPV6_GRAT_NEIGHBOR_ADV_EN] = { SWITCH, 1, ISCSI_NET_PARAM_DISABLE },
	[ISCSI_NET_PARAM_IPV6_MLD_EN] = { SWITCH, 1, ISCSI_NET_PARAM_DISABLE },
	[ISCSI_NET_PARAM_IPV6_FLOW_LABEL] = { NUMBER, 2 },
	[ISCSI_NET_PARAM_IPV6_TRAFFIC_CLASS] = { NUMBER, 1 },
	[ISCSI_NET_PARAM_IPV6_HOP_LIMIT] = { NUMBER, 1, 64 },
	[ISCSI_NET_PARAM_IPV6_ND_REACHABLE_TMO] = { NUMBER, 4, 30000 },
	[ISCSI_NET_PARAM_IPV6_ND_REXMIT_TIME] = { NUMBER, 4, 1000 },
	[ISCSI_NET_PARAM_IPV6_ND_STALE_TMO] = { NUMBER, 4, 60000 },
	[ISCSI_NET_PARAM_IPV6_DUP_ADDR_DETECT_CNT] = { NUMBER, 1, 1 },
	[ISCSI_NET_PARAM_IPV6_RTR_ADV_LINK_MTU] = { NUMBER, 4, 1500 },
	[ISCSI_NET_PARAM_REDIRECT_EN] = { SWITCH, 1, ISCSI_NET_PARAM_ENABLE },
};

static const struct kind iscsi_kinds[TA_ISCSI_PARAMS] = {
	[ISCSI_IFACE_PARAM_DEF_TASKMGMT_TMO] = { NUMBER, 2, 10 },
	[ISCSI_IFACE_PARAM_HDRDGST_EN] = { SWITCH, 1, ISCSI_NET_PARAM_DISABLE },
	[ISCSI_IFACE_PARAM_DATADGST_EN] = { SWITCH, 1, ISCSI_NET_PARAM_DISABLE },
	[ISCSI_IFACE_PARAM_IMM_DATA_EN] = { SWITCH, 1, ISCSI_NET_PARAM_ENABLE },
	[ISCSI_IFACE_PARAM_INITIAL_R2T_EN] = { SWITCH, 1, ISCSI_NET_PARAM_ENABLE },
	[ISCSI_IFACE_PARAM_DATASEQ_INORDER_EN] = { SWITCH, 1, ISCSI_NET_PARAM_ENABLE },
	[ISCSI_IFACE_PARAM_PDU_INORDER_EN] = { SWITCH, 1, ISCSI_NET_PARAM_ENABLE },
	[ISCSI_IFACE_PARAM_ERL] = { NUMBER, 1 },
	[ISCSI_IFACE_PARAM_MAX_RECV_DLENGTH] = { NUMBER, 4, 8192 },
	[ISCSI_IFACE_PARAM_FIRST_BURST] = { NUMBER, 4, 8192 },
	[ISCSI_IFACE_PARAM_MAX_R2T] = { NUMBER, 2, 1 },
	[ISCSI_IFACE_PARAM_MAX_BURST] = { NUMBER, 4, 65536 },
	[ISCSI_IFACE_PARAM_CHAP_AUTH_EN] = { SWITCH, 1, ISCSI_NET_PARAM_DISABLE },
	[ISCSI_IFACE_PARAM_BIDI_CHAP_EN] = { SWITCH, 1, ISCSI_NET_PARAM_DISABLE },
	[ISCSI_IFACE_PARAM_DISCOVERY_AUTH_OPTIONAL] = { SWITCH, 1, ISCSI_NET_PARAM_DISABLE },
	[ISCSI_IFACE_PARAM_DISCOVERY_LOGOUT_EN] = { SWITCH, 1, ISCSI_NET_PARAM_DISABLE },
	[ISCSI_IFACE_PARAM_STRICT_LOGIN_COMP_EN] = { SWITCH, 1, ISCSI_NET_PARAM_DISABLE },
	[ISCSI_IFACE_PARAM_INITIATOR_NAME] = { NAME },
};

static const struct kind *find_kind(int type, unsigned int param)
{
	if (type == ISCSI_NET_PARAM && param < TA_NET_PARAMS)
		return &net_kinds[param];
	if (type == ISCSI_IFACE_PARAM && param < TA_ISCSI_PARAMS)
		return &iscsi_kinds[param];
	return NULL;
}

static u8 *value_of(struct iface *iface, int type, unsigned int param)
{
	return type == ISCSI_NET_PARAM ? iface->net[param] : iface->iscsi[param];
}

static struct iface *find_iface(struct port *port, unsigned int type, unsigned int number)
{
	unsigned int i;

	for (i = 0; i < TA_IFACES; i++)
		if (port->ifaces[i].type == type && port->ifaces[i].number == number)
			return &port->ifaces[i];
	return NULL;
}

/* Narrow ones are followed by zeros; all machines with user-mode Linux are little-endian. */
static u32 number_of(const u8 *value)
{
	u32 number;

	memcpy(&number, value, sizeof(number));
	return number;
}

/* ---- showing ---- */

static bool is_zero(const u8 *value)
{
	return !memchr_inv(value, 0, TA_VALUE_MAX);
}

static const char *address_state(struct iface *iface, unsigned int param)
{
	unsigned int address = ISCSI_NET_PARAM_IPV6_LINKLOCAL;

	if (param == ISCSI_NET_PARAM_IPADDR_STATE)
		address = iface->type == ISCSI_IFACE_TYPE_IPV4 ? ISCSI_NET_PARAM_IPV4_ADDR
							       : ISCSI_NET_PARAM_IPV6_ADDR;
	return iscsi_get_ipaddress_state_name(is_zero(iface->net[address])
						      ? ISCSI_IPDDRESS_STATE_UNCONFIGURED
						      : ISCSI_IPDDRESS_STATE_VALID);
}

static int show_vlan(struct iface *iface, unsigned int param, char *buffer)
{
	u32 tag = number_of(iface->net[ISCSI_NET_PARAM_VLAN_TAG]);

	if (iface->net[ISCSI_NET_PARAM_VLAN_ENABLED][0] != ISCSI_VLAN_ENABLE &&
	    adapter.row->flags & ROW_VLAN_HIDES)
		return -EINVAL;
	if (param == ISCSI_NET_PARAM_VLAN_PRIORITY)
		tag >>= 13;
	return sysfs_emit(buffer, "%u\n", tag & (param == ISCSI_NET_PARAM_VLAN_ID ? 4095 : 7));
}

static int show(struct Scsi_Host *host, struct iface *iface, int type, unsigned int param,
		char *buffer)
{
	static const char *const words[][4] = {
		[SWITCH] = { "disable", "disable", "enable", "disable" },
		[SWITCH_ADDRESS] = { "static", "static", "dhcp", "static" },
		[SWITCH_ND] = { "static", "static", "nd", "static" },
		[SWITCH_AUTO] = { "static", "auto", "static", "static" },
	};
	const u8 *value = value_of(iface, type, param);
	unsigned int format = find_kind(type, param)->format;

	switch (format) {
	case IPV4:
		return sysfs_emit(buffer, "%pI4\n", value);
	case IPV6:
		return sysfs_emit(buffer, "%pI6\n", value);
	case NUMBER:
		return sysfs_emit(buffer, "%u\n", number_of(value));
	case TEXT:
		return sysfs_emit(buffer, "%s\n", value);
	case STATE:
		return sysfs_emit(buffer, "%s\n", address_state(iface, param));
	case ROUTER:
		return sysfs_emit(
			buffer, "%s\n",
			iscsi_get_router_state_name(is_zero(iface->net[ISCSI_NET_PARAM_IPV6_ROUTER])
							    ? ISCSI_ROUTER_STATE_UNKNOWN
							    : ISCSI_ROUTER_STATE_MANUAL));
	case VLAN_PART:
		return show_vlan(iface, param, buffer);
	case NAME:
		return ta_get_host_param(host, ISCSI_HOST_PARAM_INITIATOR_NAME, buffer);
	default:
		return sysfs_emit(buffer, "%s\n", words[format][value[0] & 3]);
	}
}

int ta_get_iface_param(struct iscsi_iface *object, enum iscsi_param_type type, int param,
		       char *buffer)
{
	struct Scsi_Host *host = iscsi_iface_to_shost(object);
	const struct kind *kind = find_kind(type, param);
	struct port *port = ta_port(host);
	struct iface *iface = find_iface(port, object->iface_type, object->iface_num);
	int length;

	if (!iface || !kind || kind->format == NONE)
		return -ENOSYS;
	mutex_lock(&port->lock);
	length = show(host, iface, type, param, buffer);
	mutex_unlock(&port->lock);
	return length;
}

/* ---- setting ---- */

static void take(struct port *port, const struct iscsi_iface_param_info *info)
{
	struct iface *iface = find_iface(port, info->iface_type, info->iface_num);
	const struct kind *kind = find_kind(info->param_type, info->param);
	u8 *value;

	if (!iface || !kind || !info->len || info->len >= TA_VALUE_MAX + 1)
		return;
	if (kind->width ? kind->width > info->len : kind->format != TEXT)
		return;
	value = value_of(iface, info->param_type, info->param);
	memset(value, 0, TA_VALUE_MAX);
	memcpy(value, info->value,
	       kind->width ? kind->width : min_t(u32, info->len, TA_VALUE_MAX - 1));
}

/* An address of be2iscsi goes to the adapter with its mask, or not at all. */
static bool is_half(void *data, u32 length, const struct iscsi_iface_param_info *info)
{
	if (!(adapter.row->flags & ROW_ONE_IFACE) || info->iface_type != ISCSI_IFACE_TYPE_IPV4)
		return false;
	if (info->param == ISCSI_NET_PARAM_IPV4_ADDR)
		return !nla_find(data, length, ISCSI_NET_PARAM_IPV4_SUBNET);
	return info->param == ISCSI_NET_PARAM_IPV4_SUBNET &&
	       !nla_find(data, length, ISCSI_NET_PARAM_IPV4_ADDR);
}

static int take_all(struct port *port, void *data, u32 length)
{
	const struct iscsi_iface_param_info *info;
	struct nlattr *attribute;
	int rest;

	nla_for_each_attr (attribute, data, length, rest) {
		if (nla_len(attribute) < sizeof(*info))
			return -EINVAL;
		info = nla_data(attribute);
		if (info->len > nla_len(attribute) - sizeof(*info))
			return -EINVAL;
		if (adapter.row->flags & ROW_ONE_IFACE &&
		    (info->iface_num || is_half(data, length, info)))
			return -EINVAL;
		take(port, info);
	}
	return 0;
}

/* Connections begin from the addresses of interfaces that are enabled. */
static void use_addresses(struct port *port)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&port->address[1];
	struct sockaddr_in *v4 = (struct sockaddr_in *)&port->address[0];
	struct iface *iface;
	unsigned int i;

	memset(port->address, 0, sizeof(port->address));
	for (i = 0; i < TA_IFACES; i++) {
		iface = &port->ifaces[i];
		if (iface->net[ISCSI_NET_PARAM_IFACE_ENABLE][0] != ISCSI_IFACE_ENABLE)
			continue;
		if (iface->type == ISCSI_IFACE_TYPE_IPV4 &&
		    !is_zero(iface->net[ISCSI_NET_PARAM_IPV4_ADDR])) {
			v4->sin_family = AF_INET;
			memcpy(&v4->sin_addr, iface->net[ISCSI_NET_PARAM_IPV4_ADDR], 4);
		} else if (iface->type == ISCSI_IFACE_TYPE_IPV6 && !v6->sin6_family &&
			   !is_zero(iface->net[ISCSI_NET_PARAM_IPV6_ADDR])) {
			v6->sin6_family = AF_INET6;
			memcpy(&v6->sin6_addr, iface->net[ISCSI_NET_PARAM_IPV6_ADDR], 16);
		}
	}
}

/* An interface that is not enabled is no object in sysfs. */
static void show_ifaces(struct port *port, struct Scsi_Host *host)
{
	struct iface *iface;
	unsigned int i;
	bool enabled;

	for (i = 0; i < TA_IFACES; i++) {
		iface = &port->ifaces[i];
		enabled = iface->net[ISCSI_NET_PARAM_IFACE_ENABLE][0] == ISCSI_IFACE_ENABLE;
		if (iface->object && !enabled) {
			iscsi_destroy_iface(iface->object);
			iface->object = NULL;
		} else if (!iface->object && enabled) {
			iface->object = iscsi_create_iface(host, &adapter.transport, iface->type,
							   iface->number, 0);
		}
	}
}

int ta_set_iface_param(struct Scsi_Host *host, void *data, u32 length)
{
	struct port *port = ta_port(host);
	unsigned int value;
	int rc;

	if (ta_fault(port, FAULT_NETWORK_ERROR, &value))
		return -(int)value;
	mutex_lock(&port->lock);
	rc = take_all(port, data, length);
	use_addresses(port);
	mutex_unlock(&port->lock);
	show_ifaces(port, host);
	if (adapter.row->flags & ROW_RESTARTS)
		ta_raise(port, "cut");
	return rc;
}

/* ---- the life of them ---- */

static void set_initial(struct iface *iface)
{
	unsigned int i;

	for (i = 0; i < TA_NET_PARAMS; i++)
		memcpy(iface->net[i], &net_kinds[i].initial, sizeof(u32));
	for (i = 0; i < TA_ISCSI_PARAMS; i++)
		memcpy(iface->iscsi[i], &iscsi_kinds[i].initial, sizeof(u32));
}

/* What an adapter comes with: be2iscsi one interface for each family, and shows the first. */
void ta_init_ifaces(struct port *port)
{
	struct iface *iface = port->ifaces;
	unsigned int i;

	for (i = 0; i < TA_IFACES; i++, iface++) {
		iface->type = i ? ISCSI_IFACE_TYPE_IPV6 : ISCSI_IFACE_TYPE_IPV4;
		iface->number = i == 2;
		set_initial(iface);
		if (i && adapter.row->flags & ROW_ONE_IFACE)
			iface->net[ISCSI_NET_PARAM_IFACE_ENABLE][0] = ISCSI_IFACE_DISABLE;
	}
}

void ta_add_ifaces(struct port *port, struct Scsi_Host *host)
{
	if (adapter.transport.get_iface_param)
		show_ifaces(port, host);
}

void ta_remove_ifaces(struct port *port)
{
	unsigned int i;

	for (i = 0; i < TA_IFACES; i++) {
		if (port->ifaces[i].object)
			iscsi_destroy_iface(port->ifaces[i].object);
		port->ifaces[i].object = NULL;
	}
}
