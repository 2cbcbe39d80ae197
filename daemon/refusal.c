/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "refusal.h"

#define ANY_OPERATION _KERNEL_OPERATION_MAX

static const struct {
	int error; /* 0: whatever */
	enum kernel_operation operation;
	enum event_number event;
} refusals[] = {
	{ -EFAULT, ANY_OPERATION, EVENT_ADDRESS_MAPPING },
	/* The connection was lost meanwhile. */
	{ -ENOTCONN, ANY_OPERATION, EVENT_DROPPED_BEFORE_FULL_FEATURE },
	{ -ENOMEM, KERNEL_SET_PARAMETER, EVENT_IO_RESOURCES },
	{ -ENOMEM, KERNEL_START_CONNECTION, EVENT_IO_RESOURCES },
	{ -ENOBUFS, KERNEL_START_CONNECTION, EVENT_IO_RESOURCES },
	{ -EAGAIN, KERNEL_SEND_PDU, EVENT_TAG_RESOURCES },
	{ -EBUSY, KERNEL_SEND_PDU, EVENT_TAG_RESOURCES },
	{ -ENOMEM, KERNEL_SEND_PDU, EVENT_SEND_RESOURCES },
	{ -ENOBUFS, KERNEL_SEND_PDU, EVENT_SEND_RESOURCES },
	{ 0, KERNEL_CREATE_SESSION, EVENT_SESSION_RESOURCES },
	{ 0, KERNEL_SEND_PDU, EVENT_SEND_FAILED },
	{ 0, ANY_OPERATION, EVENT_CONNECTION_RESOURCES },
};

enum event_number refusal_number(const struct kernel_result *result)
{
	size_t i = 0;

	/* The last row fits everything. */
	while ((refusals[i].error != 0 && refusals[i].error != result->error) ||
	       (refusals[i].operation != ANY_OPERATION &&
		refusals[i].operation != result->operation))
		i++;
	return refusals[i].event;
}

struct event *refusal_event(const struct kernel_result *result, char ret_text[REFUSAL_TEXT_MAX])
{
	struct event *event = event_new(refusal_number(result));

	(void)snprintf(ret_text, REFUSAL_TEXT_MAX, "the kernel refused to %s: %s",
		       kernel_operation_to_string(result->operation), strerror(-result->error));
	event_set_status(event, (uint64_t)-result->error, ret_text);
	return event;
}
