/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a code stands for several faults, the event is the widest of them, and the kernel's log may
 * name a narrower one (kernel_log_line.c).
 */
#include "cleanup.h"
#include "connection_error.h"
#include "event.h"

/* Reported only as the loss that it is. */
#define NONE 0

static const struct connection_error rows[] = {
#define ROW(code, text, event, action)                                                             \
	{                                                                                          \
		KERNEL_ERROR_##code, text, event, CONNECTION_ERROR_##action                        \
	}
	ROW(DATASN, "DataSN out of sequence", EVENT_PDU_INVALID, RECOVER),
	ROW(DATA_OFFSET, "data beyond the command's buffer", EVENT_EXCESS_DATA, RECOVER),
	ROW(MAX_CMDSN, "MaxCmdSN error", EVENT_PDU_INVALID, RECOVER),
	ROW(EXP_CMDSN, "ExpCmdSN error", EVENT_PDU_INVALID, RECOVER),
	ROW(BAD_OPCODE, "bad opcode", EVENT_OPCODE_UNKNOWN, RECOVER),
	/* Of a data segment, or of what an R2T asks for. */
	ROW(DATA_LENGTH, "bad data length", EVENT_PDU_INVALID, RECOVER),
	ROW(AHS_LENGTH, "bad additional header segment", EVENT_PDU_INVALID, RECOVER),
	ROW(PROTOCOL, "protocol error", EVENT_PDU_INVALID, RECOVER),
	ROW(LUN, "LUN error", EVENT_PDU_INVALID, RECOVER),
	ROW(BAD_ITT, "bad initiator task tag", EVENT_TASK_TAG_UNMATCHED, RECOVER),
	ROW(CONNECTION, "connection failure", NONE, RECOVER),
	ROW(R2TSN, "R2TSN out of sequence", EVENT_R2T_INVALID, RECOVER),
	ROW(SESSION, "session failure", NONE, RECOVER),
	ROW(HEADER_DIGEST, "header digest error", EVENT_HEADER_DIGEST_ERROR, RECOVER),
	ROW(DATA_DIGEST, "data digest error", EVENT_DATA_DIGEST_ERROR, RECOVER),
	ROW(PARAM_NOT_FOUND, "parameter not found", NONE, RECOVER),
	ROW(NO_SCSI_COMMAND, "no SCSI command", NONE, RECOVER),
	ROW(INVALID_HOST, "host is being removed", NONE, REMOVE),
	ROW(TRANSMIT, "transmission failure", EVENT_SEND_FAILED, RECOVER),
	ROW(CLOSED, "connection closed by the target", NONE, RECOVER),
	ROW(SCSI_RESET, "session reset by SCSI error handling", EVENT_TASK_MANAGEMENT_TIMEOUT,
	    RECOVER),
	ROW(NOOP_TIMEOUT, "NOP-Out timeout", EVENT_NOP_TIMEOUT, RECOVER),
#undef ROW
};

const struct connection_error *connection_error_get(unsigned code)
{
	for (size_t i = 0; i < ELEMENTSOF(rows); i++)
		if (rows[i].code == code)
			return &rows[i];
	return NULL;
}
