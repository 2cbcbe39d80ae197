/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "passthrough.h"

#define SECOND_USEC UINT64_C(1000000)

struct passthrough_command {
	struct scanner_job *job;
	passthrough_done_t done;
	void *userdata;
	sd_event_source *timer;
};

struct passthrough_command *passthrough_cancel(struct passthrough_command *command)
{
	if (!command)
		return NULL;
	(void)scanner_cancel(command->job);
	sd_event_source_disable_unref(command->timer);
	free(command);
	return NULL;
}

static void finish(struct passthrough_command *command, const struct passthrough_result *result)
{
	passthrough_done_t done = command->done;
	void *userdata = command->userdata;

	(void)passthrough_cancel(command);
	done(userdata, result);
}

static void told(void *userdata, const struct scanner_answer *answer, const void *payload,
		 size_t length)
{
	struct passthrough_command *command = userdata;

	command->job = NULL;
	finish(command, &(struct passthrough_result){
				.error = answer->error,
				.status = answer->command.status,
				.data = payload,
				.length = length,
				.sense = answer->command.sense,
				.sense_length = answer->command.sense_length,
			});
}

static int expired(sd_event_source *source, uint64_t usec, void *userdata)
{
	finish(userdata, &(struct passthrough_result){ .error = -ETIMEDOUT });
	return 0;
}

int passthrough_send(sd_event *event, struct scanner *scanner, const struct sysfs_lun *lun,
		     const struct scsi_cdb *cdb, unsigned timeout_seconds, passthrough_done_t done,
		     void *userdata, struct passthrough_command **ret)
{
	const struct scanner_request request = {
		.order = SCANNER_COMMAND,
		.host = lun->host,
		.channel = lun->channel,
		.target = lun->target,
		.lun = lun->lun,
		.timeout_seconds = timeout_seconds,
		.cdb = *cdb,
	};
	struct passthrough_command *command = calloc(1, sizeof(*command));
	int r;

	if (!command)
		return -ENOMEM;
	command->done = done;
	command->userdata = userdata;
	r = sd_event_add_time_relative(event, &command->timer, CLOCK_MONOTONIC,
				       timeout_seconds * SECOND_USEC, 0, expired, command);
	if (r >= 0)
		r = scanner_submit(scanner, &request, told, command, &command->job);
	if (r < 0) {
		(void)passthrough_cancel(command);
		return r;
	}
	*ret = command;
	return 0;
}
