/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "scsi.h"
#include "table.h"

static const struct {
	unsigned status;
	const char *name;
} statuses[] = {
	{ SCSI_STATUS_GOOD, "GOOD" },
	{ SCSI_STATUS_CHECK_CONDITION, "CHECK CONDITION" },
	{ SCSI_STATUS_BUSY, "BUSY" },
	{ SCSI_STATUS_RESERVATION_CONFLICT, "RESERVATION CONFLICT" },
	{ SCSI_STATUS_TASK_SET_FULL, "TASK SET FULL" },
	{ SCSI_STATUS_TASK_ABORTED, "TASK ABORTED" },
};

const char *scsi_status_to_string(unsigned status)
{
	for (size_t i = 0; i < ELEMENTSOF(statuses); i++)
		if (statuses[i].status == status)
			return statuses[i].name;
	return NULL;
}

static const char *const keys[] = {
	"NO SENSE",       "RECOVERED ERROR", "NOT READY",      "MEDIUM ERROR",
	"HARDWARE ERROR", "ILLEGAL REQUEST", "UNIT ATTENTION", "DATA PROTECT",
	"BLANK CHECK",    "VENDOR SPECIFIC", "COPY ABORTED",   "ABORTED COMMAND",
	"RESERVED",       "VOLUME OVERFLOW", "MISCOMPARE",     "COMPLETED",
};

const char *scsi_sense_key_to_string(unsigned key)
{
	return table_name(keys, ELEMENTSOF(keys), key);
}

/* Those that logical units over a network send. */
static const struct {
	uint8_t asc, ascq;
	const char *text;
} texts[] = {
	{ 0x00, 0x00, "No additional sense information" },
	{ 0x04, 0x00, "Logical unit not ready" },
	{ 0x04, 0x01, "Logical unit is becoming ready" },
	{ 0x04, 0x02, "Logical unit not ready, initializing command required" },
	{ 0x04, 0x03, "Logical unit not ready, manual intervention required" },
	{ 0x04, 0x04, "Logical unit not ready, format in progress" },
	{ 0x04, 0x0a, "Logical unit not accessible, asymmetric access state transition" },
	{ 0x04, 0x0b, "Logical unit not accessible, target port in standby state" },
	{ 0x04, 0x0c, "Logical unit not accessible, target port in unavailable state" },
	{ 0x08, 0x00, "Logical unit communication failure" },
	{ 0x0c, 0x00, "Write error" },
	{ 0x10, 0x01, "Logical block guard check failed" },
	{ 0x11, 0x00, "Unrecovered read error" },
	{ 0x1a, 0x00, "Parameter list length error" },
	{ 0x1d, 0x00, "Miscompare during verify operation" },
	{ 0x20, 0x00, "Invalid command operation code" },
	{ 0x21, 0x00, "Logical block address out of range" },
	{ 0x24, 0x00, "Invalid field in CDB" },
	{ 0x25, 0x00, "Logical unit not supported" },
	{ 0x26, 0x00, "Invalid field in parameter list" },
	{ 0x27, 0x00, "Write protected" },
	{ 0x27, 0x07, "Space allocation failed, write protect" },
	{ 0x28, 0x00, "Not ready to ready change, medium may have changed" },
	{ 0x29, 0x00, "Power on, reset, or bus device reset occurred" },
	{ 0x29, 0x07, "I_T nexus loss occurred" },
	{ 0x2a, 0x01, "Mode parameters changed" },
	{ 0x2a, 0x03, "Reservations preempted" },
	{ 0x2a, 0x04, "Reservations released" },
	{ 0x2a, 0x05, "Registrations preempted" },
	{ 0x2a, 0x06, "Asymmetric access state changed" },
	{ 0x2a, 0x09, "Capacity data has changed" },
	{ 0x2f, 0x00, "Commands cleared by another initiator" },
	{ 0x38, 0x07, "Thin provisioning soft threshold reached" },
	{ 0x3a, 0x00, "Medium not present" },
	{ 0x3f, 0x03, "Inquiry data has changed" },
	{ 0x3f, 0x0e, "Reported LUNs data has changed" },
	{ 0x44, 0x00, "Internal target failure" },
	{ 0x49, 0x00, "Invalid message error" },
	{ 0x4b, 0x00, "Data phase error" },
	{ 0x55, 0x03, "Insufficient resources" },
};

const char *scsi_sense_text(unsigned asc, unsigned ascq)
{
	for (size_t i = 0; i < ELEMENTSOF(texts); i++)
		if (texts[i].asc == asc && texts[i].ascq == ascq)
			return texts[i].text;
	return NULL;
}

/* SPC-4, 4.5: fixed and descriptor format. */
int scsi_sense_decode(const void *data, size_t length, struct scsi_sense *ret)
{
	const uint8_t *bytes = data;
	unsigned code = length > 0 ? bytes[0] & 0x7f : 0;

	if ((code == 0x70 || code == 0x71) && length >= 3) {
		*ret = (struct scsi_sense){
			.key = bytes[2] & 0x0f,
			.asc = length > 12 ? bytes[12] : 0,
			.ascq = length > 13 ? bytes[13] : 0,
			.deferred = code == 0x71,
		};
		return 0;
	}
	if ((code == 0x72 || code == 0x73) && length >= 4) {
		*ret = (struct scsi_sense){
			.key = bytes[1] & 0x0f,
			.asc = bytes[2],
			.ascq = bytes[3],
			.deferred = code == 0x73,
		};
		return 0;
	}
	return -EPROTO;
}
