/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "scsi.h"
#include "scsi_private.h"

#define REPORT_LUNS 0xa0
#define HEADER      8
#define LUN_LENGTH  8

void scsi_report_luns(struct scsi_cdb *ret)
{
	*ret = (struct scsi_cdb){
		.bytes = { REPORT_LUNS, [8] = SCSI_DATA_MAX >> 8, [9] = SCSI_DATA_MAX & 0xff },
		.length = 12,
		.data_length = SCSI_DATA_MAX,
	};
}

int scsi_luns_decode(const void *data, size_t length, size_t *ret)
{
	size_t listed, there;

	if (length < HEADER)
		return -EPROTO;
	listed = get_be32(data) / LUN_LENGTH;
	there = (length - HEADER) / LUN_LENGTH;
	*ret = listed < there ? listed : there;
	return 0;
}

const uint8_t *scsi_luns_at(const void *data, size_t index)
{
	return (const uint8_t *)data + HEADER + index * LUN_LENGTH;
}

/* Level by level, the first one lowest. */
uint64_t scsi_lun_to_number(const uint8_t lun[8])
{
	uint64_t number = 0;

	for (unsigned level = 0; level < 4; level++)
		number |= (uint64_t)get_be16(lun + 2 * level) << (16 * level);
	return number;
}

const char *scsi_lun_method(const uint8_t lun[8])
{
	static const char *const methods[] = { "peripheral", "flat", "logical_unit", "extended" };

	return methods[lun[0] >> 6];
}
