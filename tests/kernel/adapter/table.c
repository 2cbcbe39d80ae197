// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an adapter with firmware keeps and counts: secrets for CHAP, and statistics of the port.
 */
#include <net/netlink.h>
#include <scsi/scsi_host.h>
#include "adapter.h"

int ta_get_chap(struct Scsi_Host *host, u16 index, u32 *n, char *buffer)
{
	struct iscsi_chap_rec *record = (struct iscsi_chap_rec *)buffer;
	struct port *port = ta_port(host);
	unsigned int i, found = 0;

	mutex_lock(&port->lock);
	for (i = index; i < TA_CHAP_ENTRIES && found < *n; i++) {
		if (!port->chap[i].used)
			continue;
		record[found] = port->chap[i].record;
		record[found++].chap_tbl_idx = i;
	}
	mutex_unlock(&port->lock);
	*n = found;
	return 0;
}

int ta_delete_chap(struct Scsi_Host *host, u16 index)
{
	struct port *port = ta_port(host);
	int rc = -EINVAL;

	mutex_lock(&port->lock);
	if (index < TA_CHAP_ENTRIES && port->chap[index].used)
		rc = ta_uses_chap(port, index) ? -EBUSY : 0;
	if (!rc)
		memset(&port->chap[index], 0, sizeof(port->chap[index]));
	mutex_unlock(&port->lock);
	return rc;
}

static void take(struct iscsi_chap_rec *record, const struct iscsi_param_info *info)
{
	switch (info->param) {
	case ISCSI_CHAP_PARAM_INDEX:
		if (info->len >= sizeof(u16))
			memcpy(&record->chap_tbl_idx, info->value, sizeof(u16));
		break;
	case ISCSI_CHAP_PARAM_CHAP_TYPE:
		record->chap_type = info->value[0];
		break;
	case ISCSI_CHAP_PARAM_USERNAME:
		memcpy(record->username, info->value,
		       min_t(u32, info->len, sizeof(record->username) - 1));
		break;
	case ISCSI_CHAP_PARAM_PASSWORD:
		memcpy(record->password, info->value,
		       min_t(u32, info->len, sizeof(record->password) - 1));
		break;
	case ISCSI_CHAP_PARAM_PASSWORD_LEN:
		record->password_length = info->value[0];
		break;
	}
}

/* An index beyond the table means any that is free. With the lock of the port. */
static int store(struct port *port, const struct iscsi_chap_rec *record)
{
	unsigned int i = record->chap_tbl_idx;

	if (i >= TA_CHAP_ENTRIES)
		for (i = 0; i < TA_CHAP_ENTRIES && port->chap[i].used; i++)
			;
	if (i == TA_CHAP_ENTRIES)
		return -EBUSY;
	if (port->chap[i].used && port->chap[i].record.chap_type != record->chap_type)
		return -EINVAL;
	if (port->chap[i].used && ta_uses_chap(port, i))
		return -EBUSY;
	port->chap[i].record = *record;
	port->chap[i].used = true;
	return 0;
}

int ta_set_chap(struct Scsi_Host *host, void *data, int length)
{
	struct port *port = ta_port(host);
	struct iscsi_chap_rec *record;
	const struct iscsi_param_info *info;
	struct nlattr *attribute;
	int rest, rc = 0;

	record = kzalloc(sizeof(*record), GFP_KERNEL);
	if (!record)
		return -ENOMEM;
	record->chap_tbl_idx = U16_MAX;
	nla_for_each_attr (attribute, data, length, rest) {
		info = nla_data(attribute);
		if (nla_len(attribute) < sizeof(*info) + 1 ||
		    info->len > nla_len(attribute) - sizeof(*info))
			rc = -EINVAL;
		else
			take(record, info);
	}
	mutex_lock(&port->lock);
	rc = rc ?: store(port, record);
	mutex_unlock(&port->lock);
	kfree_sensitive(record);
	return rc;
}

/* Every counter is 1000 and its place, so that a reader can be seen to take the right one. */
int ta_get_host_stats(struct Scsi_Host *host, char *buffer, int length)
{
	struct iscsi_offload_host_stats *stats = (struct iscsi_offload_host_stats *)buffer;
	u64 *counter = (u64 *)buffer;
	unsigned int i;

	if (length < sizeof(*stats))
		return -EINVAL;
	for (i = 0; i < offsetof(struct iscsi_offload_host_stats, custom_length) / sizeof(u64); i++)
		counter[i] = 1000 + i;
	stats->custom_length = 0;
	return 0;
}
