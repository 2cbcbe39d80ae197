/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel shows of the commands of a session, as events: those that time out, what SCSI
 * error handling does about it, and why a connection was given up.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "connection_error.h"
#include "datapath.h"
#include "session_private.h"

/* Of the commands that time out the first is told at once, and the others together after this. */
#define TIMEOUTS_INTERVAL_USEC (10 * SECOND_USEC)

enum task {
	TASK_UNKNOWN,
	TASK_ABORT,
	TASK_UNIT_RESET,
	TASK_TARGET_RESET,
};

/* Of each unit, how many timeouts are known. */
struct unit_timeouts {
	uint32_t channel, target;
	uint64_t lun;
	int64_t known; /* -1: not yet */
};

/* Sessions have one when something has happened. */
struct session_datapath {
	struct kernel_log_line cause; /* event 0: none */

	/* Error handling: what was asked of the target, and whether it was sent. */
	enum task task;
	uint64_t lun;
	bool sent;
	bool told; /* why the session is about to be reset */

	sd_event_source *timer; /* not NULL: a timeout was told not long ago */
	struct tracepoint_timeout last;
	uint64_t n_held;

	struct unit_timeouts *units;
	size_t n_units;
};

struct session_datapath *session_datapath_free(struct session_datapath *d)
{
	if (!d)
		return NULL;
	d->timer = sd_event_source_disable_unref(d->timer);
	free(d->units);
	free(d);
	return NULL;
}

/* NULL if memory is short; then less is told. */
static struct session_datapath *get_datapath(struct session *session)
{
	struct session_private *p = session->private;

	if (!p->datapath)
		p->datapath = calloc(1, sizeof(*p->datapath));
	return p->datapath;
}

/* Commands that time out */

static void set_device(struct event *event, uint32_t host, uint32_t channel, uint32_t target,
		       uint64_t lun)
{
	char device[64];

	(void)snprintf(device, sizeof(device), "%u:%u:%u:%" PRIu64, host, channel, target, lun);
	event_set_string(event, FIELD_DEVICE, device);
}

static void raise_timeout(struct session *session, const struct tracepoint_timeout *timeout,
			  uint64_t count)
{
	struct event *event = event_new(EVENT_SCSI_TIMEOUT);

	set_device(event, timeout->host, timeout->channel, timeout->target, timeout->lun);
	event_set_hex(event, FIELD_DUMP_CDB, timeout->cdb, timeout->cdb_length);
	event_set_number(event, FIELD_COUNT, count);
	session_raise(session, event);
}

static int interval_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct session *session = userdata;
	struct session_datapath *d = session->private->datapath;

	if (d->n_held > 0) {
		raise_timeout(session, &d->last, d->n_held);
		d->n_held = 0;
		(void)sd_event_source_set_time_relative(source, TIMEOUTS_INTERVAL_USEC);
		(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
		return 0;
	}
	d->timer = sd_event_source_disable_unref(d->timer);
	return 0;
}

void session_command_timed_out(struct session *session, const struct tracepoint_timeout *timeout)
{
	struct session_datapath *d = get_datapath(session);

	if (d && d->timer) {
		d->last = *timeout;
		d->n_held++;
		return;
	}
	raise_timeout(session, timeout, 1);
	if (d)
		(void)sd_event_add_time_relative(session->manager->event, &d->timer,
						 CLOCK_MONOTONIC, TIMEOUTS_INTERVAL_USEC, 0,
						 interval_over, session);
}

/* Where no trace events tell of them: the kernel counts them for each disk. */

static struct unit_timeouts *find_unit(struct session *session, const struct sysfs_lun *lun)
{
	struct session_datapath *d = get_datapath(session);
	struct unit_timeouts *more;

	if (!d)
		return NULL;
	for (size_t i = 0; i < d->n_units; i++)
		if (d->units[i].lun == lun->lun && d->units[i].channel == lun->channel &&
		    d->units[i].target == lun->target)
			return &d->units[i];
	more = reallocarray(d->units, d->n_units + 1, sizeof(*more));
	if (!more)
		return NULL;
	d->units = more;
	more = &d->units[d->n_units++];
	*more = (struct unit_timeouts){
		.channel = lun->channel,
		.target = lun->target,
		.lun = lun->lun,
		/* A session found at the start may have had some before. */
		.known = session->found ? -1 : 0,
	};
	return more;
}

static void count_unit(struct session *session, const struct sysfs_lun *lun)
{
	struct unit_timeouts *unit = find_unit(session, lun);
	struct sysfs_lun_counters counters;
	struct event *event;

	if (!unit)
		return;
	sysfs_lun_read_counters(&session->manager->sysfs, lun, &counters);
	if (counters.timeouts < 0)
		return;
	/* Another disk may be there instead, which begins to count. */
	if (unit->known > counters.timeouts)
		unit->known = 0;
	if (unit->known >= 0 && counters.timeouts > unit->known) {
		event = event_new(EVENT_SCSI_TIMEOUT);
		set_device(event, lun->host, lun->channel, lun->target, lun->lun);
		event_set_number(event, FIELD_COUNT, (uint64_t)(counters.timeouts - unit->known));
		session_raise(session, event);
	}
	unit->known = counters.timeouts;
}

void session_count_timeouts(struct session *session)
{
	if (!session->managed || datapath_traces(session->manager->datapath))
		return;
	for (size_t i = 0; i < session->n_luns; i++)
		count_unit(session, &session->luns[i]);
}

/* Error handling */

static const char *const task_texts[] = {
	[TASK_UNKNOWN] = NULL,
	[TASK_ABORT] = "abort of a command",
	[TASK_UNIT_RESET] = "reset of a logical unit",
	[TASK_TARGET_RESET] = "reset of the target",
};

static void raise_task(struct session *session, enum event_number number)
{
	const struct session_datapath *d = session->private->datapath;
	struct event *event = event_new(number);
	char reason[64];

	if (d->task == TASK_UNIT_RESET)
		(void)snprintf(reason, sizeof(reason), "reset of logical unit %" PRIu64, d->lun);
	else
		(void)snprintf(reason, sizeof(reason), "%s", task_texts[d->task] ?: "");
	event_set_string(event, FIELD_REASON, reason[0] ? reason : NULL);
	session_raise(session, event);
}

static void task_asked(struct session *session, enum task task, uint64_t lun)
{
	struct session_datapath *d = session->private->datapath;

	d->task = task;
	d->lun = lun;
	d->sent = false;
}

static void task_sent(struct session *session)
{
	struct session_datapath *d = session->private->datapath;

	d->sent = true;
	if (d->task == TASK_UNIT_RESET || d->task == TASK_TARGET_RESET)
		raise_task(session, EVENT_TARGET_RESET);
}

static void task_unanswered(struct session *session)
{
	struct event *event = event_new(EVENT_REQUEST_TIMEOUT);

	event_set_number(event, FIELD_DUMP_FUNCTION, PDU_OPCODE_TASK_MANAGEMENT_REQUEST);
	event_set_string(event, FIELD_DUMP_FUNCTION_NAME,
			 pdu_opcode_to_string(PDU_OPCODE_TASK_MANAGEMENT_REQUEST));
	session_raise(session, event);
	raise_task(session, EVENT_TASK_MANAGEMENT_TIMEOUT);
	session->private->datapath->told = true;
}

/* Resets are not sent at all, and fail, once the connection is given up. */
static void reset_failed(struct session *session)
{
	struct session_datapath *d = session->private->datapath;

	if (!d->sent)
		return;
	raise_task(session, EVENT_RESET_FAILED);
	d->sent = false;
	d->told = true;
}

/* "iscsi_eh_target_reset tgt iqn.2026-11.org.example:disk reset result = FAILED": the function that
 * says it, and what it says. */
void session_error_handling(struct session *session, const char *text)
{
	const char *words = strchr(text, ' ');
	uint64_t lun = 0;
	size_t length;

	if (!words || !get_datapath(session))
		return;
	words++;
	length = strlen(words);
	if (strncmp(words, "aborting [sc ", 13) == 0)
		task_asked(session, TASK_ABORT, 0);
	else if (sscanf(words, "LU Reset [sc %*s lun %" SCNu64 "]", &lun) == 1)
		task_asked(session, TASK_UNIT_RESET, lun);
	else if (strncmp(words, "tgt Reset [sc ", 14) == 0)
		task_asked(session, TASK_TARGET_RESET, 0);
	else if (strcmp(words, "tmf set timeout") == 0)
		task_sent(session);
	else if (strcmp(words, "tmf timedout") == 0)
		task_unanswered(session);
	else if (length > 9 && strcmp(words + length - 9, " = FAILED") == 0)
		reset_failed(session);
}

/* The kernel's log */

static void raise_fault(struct session *session, const struct kernel_log_line *line)
{
	struct event *event = event_new(line->event);

	if (line->status >= 0)
		event_set_status(event, (uint64_t)line->status,
				 pdu_reject_reason_to_string((unsigned)line->status));
	event_set_string(event, FIELD_REASON, line->text);
	event_set_outcome(event, EVENT_OUTCOME_CONTINUED);
	session_raise(session, event);
}

void session_log_line(struct session *session, const struct kernel_log_line *line)
{
	struct session_datapath *d;

	if (line->kind == KERNEL_LOG_FAULT) {
		raise_fault(session, line);
		return;
	}
	d = get_datapath(session);
	if (d)
		d->cause = *line;
}

/* Why a connection was given up */

static void raise_cause(struct session *session, unsigned error, unsigned number,
			const struct kernel_log_line *cause, enum event_outcome outcome)
{
	struct event *event = event_new(number);

	event_set_status(event, error, connection_error_get(error)->text);
	if (error == KERNEL_ERROR_SCSI_RESET)
		event_set_string(event, FIELD_REASON,
				 "an abort or a reset was not answered, or a reset failed");
	else if (cause)
		event_set_string(event, FIELD_REASON, cause->text);
	event_set_outcome(event, outcome);
	session_raise(session, event);
}

/*
 * The rule by which the log and the error belong together: a line that names a cause comes right
 * before the error with the code of that line's row. So it counts for the next error of the
 * connection if that has this code, and never for a later one.
 */
void session_explain_error(struct session *session, unsigned error, enum event_outcome outcome)
{
	const struct connection_error *row = connection_error_get(error);
	struct session_datapath *d = session->private->datapath;
	const struct kernel_log_line *cause = NULL;
	unsigned number = row ? row->event : 0;
	/* Trace events have said which of the two it was. */
	bool told = error == KERNEL_ERROR_SCSI_RESET && d && d->told;

	if (d && d->cause.event > 0 && d->cause.code == error) {
		cause = &d->cause;
		number = cause->event;
	}
	if (number == EVENT_NOP_TIMEOUT)
		session_unanswered(session, PDU_OPCODE_NOP_OUT, EVENT_NOP_TIMEOUT, outcome);
	else if (number > 0 && !told)
		raise_cause(session, error, number, cause, outcome);
	if (error == KERNEL_ERROR_SCSI_RESET || error == KERNEL_ERROR_NOOP_TIMEOUT)
		session_count_timeouts(session);
	if (d) {
		d->cause.event = 0;
		d->told = false;
	}
}
