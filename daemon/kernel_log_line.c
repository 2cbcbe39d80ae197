/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A record is "PRIORITY,SEQUENCE,USEC,FLAGS;TEXT" and a newline, then lines with what the text is
 * about, in which we have no interest. Programs can write to the log, too, but never with the
 * kernel's facility, which is 0.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "event.h"
#include "kernel_abi.h"
#include "kernel_log_line.h"
#include "parse.h"

/* What follows "connection1:0: ". The same words in Linux 6.1 and 6.12. */
static const struct pattern {
	const char *begins, *holds; /* "": whatever */
	enum kernel_log_kind kind;
	unsigned event;
	unsigned code; /* of KERNEL_LOG_CAUSE */
	int status;    /* of a Reject; NONE: there is none, TOLD: its number follows @holds */
} patterns[] = {
#define NONE (-1)
#define TOLD (-2)
#define CAUSE(begins, event, code)                                                                 \
	{                                                                                          \
		begins, "", KERNEL_LOG_CAUSE, event, code, NONE                                    \
	}
#define FAULT(begins, holds, event, status)                                                        \
	{                                                                                          \
		begins, holds, KERNEL_LOG_FAULT, event, 0, status                                  \
	}
	CAUSE("invalid R2T with ", EVENT_R2T_INVALID, KERNEL_ERROR_DATA_LENGTH),
	CAUSE("invalid R2t with ", EVENT_R2T_INVALID, KERNEL_ERROR_DATA_LENGTH),
	CAUSE("Could not allocate R2T.", EVENT_R2T_INVALID, KERNEL_ERROR_PROTOCOL),
	CAUSE("iscsi_tcp: datalen ", EVENT_DATA_SEGMENT_TOO_LONG, KERNEL_ERROR_DATA_LENGTH),
	CAUSE("iscsi_tcp: received buffer of len ", EVENT_PDU_INVALID, KERNEL_ERROR_PROTOCOL),
	CAUSE("Cannot handle rejected pdu.", EVENT_PDU_INVALID, KERNEL_ERROR_PROTOCOL),
	CAUSE("received itt ", EVENT_TASK_TAG_UNMATCHED, KERNEL_ERROR_BAD_ITT),
	CAUSE("received invalid itt index ", EVENT_TASK_TAG_UNMATCHED, KERNEL_ERROR_BAD_ITT),
	CAUSE("ping timeout of ", EVENT_NOP_TIMEOUT, KERNEL_ERROR_NOOP_TIMEOUT),
	FAULT("pdu (op ", "due to DataDigest error", EVENT_PDU_REJECTED, 2),
	FAULT("pdu (op ", "Too many immediate commands", EVENT_PDU_REJECTED, 6),
	FAULT("pdu (op ", "rejected. Reason code 0x", EVENT_PDU_REJECTED, TOLD),
	FAULT("Got CHECK_CONDITION but invalid data buffer size ", "", EVENT_DATA_IN_SCSI_RESPONSE,
	      NONE),
#undef CAUSE
#undef FAULT
};

static const struct pattern *find_pattern(const char *text)
{
	for (size_t i = 0; i < ELEMENTSOF(patterns); i++)
		if (strncmp(text, patterns[i].begins, strlen(patterns[i].begins)) == 0 &&
		    strstr(text, patterns[i].holds))
			return &patterns[i];
	return NULL;
}

/* " connection1:0: detected conn error (1020)" */
static int parse_connection(const char *text, struct kernel_log_line *line)
{
	const struct pattern *pattern;
	unsigned reason;
	int n = 0;

	if (sscanf(text, " connection%9" SCNu32 ":%*9u: %n", &line->sid, &n) != 1 || n == 0)
		return -ENOENT;
	text += n;
	pattern = find_pattern(text);
	if (!pattern)
		return -ENOENT;
	line->kind = pattern->kind;
	line->event = pattern->event;
	line->code = pattern->code;
	line->status = pattern->status == TOLD ? NONE : pattern->status;
	if (pattern->status == TOLD &&
	    sscanf(strstr(text, pattern->holds) + strlen(pattern->holds), "%2x", &reason) == 1)
		line->status = (int)reason;
	(void)text_escape(text, strlen(text), line->text, sizeof(line->text));
	return 0;
}

/* "sd 0:0:0:1: [sda] tag#3 timing out command, waited 180s" */
static int parse_disk(const char *text, struct kernel_log_line *line)
{
	int n = 0;

	if (sscanf(text, "sd %9" SCNu32 ":%9" SCNu32 ":%9" SCNu32 ":%*20u: %n", &line->host,
		   &line->channel, &line->target, &n) != 3 ||
	    n == 0 ||
	    (!strstr(text + n, "timing out command") && !strstr(text + n, "Device offlined")))
		return -ENOENT;
	line->kind = KERNEL_LOG_DISK;
	line->status = NONE;
	return 0;
}

int kernel_log_parse(const char *record, size_t length, struct kernel_log_line *ret)
{
	struct kernel_log_line line = { 0 };
	char text[512];
	const char *start = memchr(record, ';', length), *end;
	size_t n;
	int r;

	/* One digit: a priority of the kernel's own. */
	if (!start || length < 2 || record[0] < '0' || record[0] > '7' || record[1] != ',')
		return -ENOENT;
	start++;
	end = memchr(start, '\n', length - (size_t)(start - record));
	n = end ? (size_t)(end - start) : length - (size_t)(start - record);
	if (n >= sizeof(text))
		n = sizeof(text) - 1;
	memcpy(text, start, n);
	text[n] = '\0';
	r = text[0] == ' ' ? parse_connection(text, &line) : parse_disk(text, &line);
	if (r >= 0)
		*ret = line;
	return r;
}

bool kernel_log_tells_cause(unsigned code)
{
	for (size_t i = 0; i < ELEMENTSOF(patterns); i++)
		if (patterns[i].kind == KERNEL_LOG_CAUSE && patterns[i].code == code)
			return true;
	return false;
}
