/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "scsi.h"
#include "scsi_private.h"

#define SERVICE_ACTION_IN_16 0x9e
#define READ_CAPACITY_16     0x10
#define READ_CAPACITY_10     0x25
#define LONG_LENGTH          32
#define SHORT_LENGTH         8

void scsi_read_capacity_16(struct scsi_cdb *ret)
{
	*ret = (struct scsi_cdb){
		.bytes = { SERVICE_ACTION_IN_16, READ_CAPACITY_16, [13] = LONG_LENGTH },
		.length = 16,
		.data_length = LONG_LENGTH,
	};
}

void scsi_read_capacity_10(struct scsi_cdb *ret)
{
	*ret = (struct scsi_cdb){
		.bytes = { READ_CAPACITY_10 },
		.length = 10,
		.data_length = SHORT_LENGTH,
	};
}

int scsi_capacity_16_decode(const void *data, size_t length, struct scsi_capacity *ret)
{
	const uint8_t *bytes = data;

	if (length < 16)
		return -EPROTO;
	*ret = (struct scsi_capacity){
		.blocks = get_be64(bytes) + 1,
		.block_length = get_be32(bytes + 8),
		.detailed = true,
		.protection_type = bytes[12] & 1 ? (bytes[12] >> 1 & 7) + 1u : 0,
		.physical_block_exponent = bytes[13] & 0x0f,
		.provisioning_managed = bytes[14] & 0x80,
		.zeroes_when_unmapped = bytes[14] & 0x40,
		.lowest_aligned_block = get_be16(bytes + 14) & 0x3fff,
	};
	return 0;
}

int scsi_capacity_10_decode(const void *data, size_t length, struct scsi_capacity *ret)
{
	const uint8_t *bytes = data;

	if (length < SHORT_LENGTH)
		return -EPROTO;
	if (get_be32(bytes) == UINT32_MAX)
		return -ERANGE;
	*ret = (struct scsi_capacity){
		.blocks = (uint64_t)get_be32(bytes) + 1,
		.block_length = get_be32(bytes + 4),
	};
	return 0;
}
