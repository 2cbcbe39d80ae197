/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.ois.scsi: what logical units say of themselves. A command is sent by the scanner; its answer
 * is decoded here.
 */
#include <errno.h>
#include <string.h>

#include "interfaces.h"
#include "json.h"
#include "method_common.h"
#include "parse.h"
#include "passthrough.h"
#include "scsi.h"

#define DEFAULT_TIMEOUT_SECONDS 10
#define TIMEOUT_SECONDS_MAX     3600

struct query {
	struct call *call;
	struct passthrough_command *command;
	uint32_t sid;
	struct sysfs_lun lun;
	struct scsi_cdb cdb;
	unsigned timeout_seconds;
	int page; /* of an INQUIRY; -1: standard */
	/* The answer as JSON; NULL with *@ret_error -EPROTO: it is none. */
	json_object *(*decode)(const struct query *query, const uint8_t *data, size_t length,
			       int *ret_error);
};

static json_object *hex_string(const void *data, size_t length)
{
	_cleanup_free_ char *text = malloc(2 * length + 1);

	if (!text)
		return NULL;
	hex_encode(data, length, text);
	return json_object_new_string(text);
}

static json_object *answer_new(const uint8_t *data, size_t length)
{
	return json_wrap("data", hex_string(data, length));
}

/* Zero stands for "not told" in most fields of SCSI. */
static int set_told(json_object *object, const char *name, uint64_t value)
{
	return value > 0 && value <= INT64_MAX ? json_set_int(object, name, (int64_t)value) : 0;
}

/* INQUIRY */

static json_object *standard_to_json(const struct scsi_inquiry *inquiry)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	json_object *descriptors = json_object_new_array();
	int r;

	if (!object || !descriptors) {
		json_object_put(descriptors);
		return NULL;
	}
	r = json_set_int(object, "deviceType", inquiry->device_type);
	r |= json_set_string(object, "deviceTypeName",
			     scsi_device_type_to_string(inquiry->device_type));
	r |= json_set_int(object, "peripheralQualifier", inquiry->qualifier);
	r |= json_set_bool(object, "removable", inquiry->removable);
	r |= json_set_int(object, "version", inquiry->version);
	r |= json_set_string(object, "vendor", inquiry->vendor);
	r |= json_set_string(object, "product", inquiry->product);
	r |= json_set_string(object, "revision", inquiry->revision);
	r |= json_set_int(object, "targetPortGroupSupport", inquiry->target_port_group_support);
	r |= json_set_bool(object, "thirdPartyCopy", inquiry->third_party_copy);
	r |= json_set_bool(object, "protection", inquiry->protection);
	r |= json_set_bool(object, "multiplePorts", inquiry->multiple_ports);
	r |= json_set_bool(object, "commandQueuing", inquiry->command_queuing);
	for (size_t i = 0; i < inquiry->n_version_descriptors; i++)
		r |= json_append(descriptors, json_object_new_int(inquiry->version_descriptors[i]));
	r |= json_set(object, "versionDescriptors", descriptors);
	return r < 0 ? NULL : TAKE_PTR(object);
}

static json_object *pages_to_json(const uint8_t *body, size_t length)
{
	_cleanup_json_ json_object *array = json_object_new_array();

	for (size_t i = 0; array && i < length; i++)
		if (json_append(array, json_object_new_int(body[i])) < 0)
			return NULL;
	return TAKE_PTR(array);
}

static json_object *designator_to_json(const struct scsi_designator *designator)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	char value[4 * UINT8_MAX + 8];
	int r;

	if (!object)
		return NULL;
	scsi_designator_format(designator, value, sizeof(value));
	r = json_set_string(object, "association",
			    scsi_association_to_string(designator->association));
	r |= json_set_string(object, "type", scsi_designator_type_to_string(designator->type));
	r |= json_set_string(object, "value", value);
	return r < 0 ? NULL : TAKE_PTR(object);
}

static json_object *designators_to_json(const uint8_t *body, size_t length)
{
	_cleanup_json_ json_object *array = json_object_new_array();
	struct scsi_designator designator;

	while (array && scsi_designator_next(&body, &length, &designator) > 0)
		if (json_append(array, designator_to_json(&designator)) < 0)
			return NULL;
	return TAKE_PTR(array);
}

static json_object *limits_to_json(const struct scsi_block_limits *limits)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = set_told(object, "maximumTransferLength", limits->maximum_transfer_length);
	r |= set_told(object, "optimalTransferLength", limits->optimal_transfer_length);
	r |= set_told(object, "optimalTransferGranularity", limits->optimal_transfer_granularity);
	r |= set_told(object, "maximumPrefetchLength", limits->maximum_prefetch_length);
	r |= set_told(object, "maximumUnmapBlocks", limits->maximum_unmap_blocks);
	r |= set_told(object, "maximumUnmapDescriptors", limits->maximum_unmap_descriptors);
	r |= set_told(object, "optimalUnmapGranularity", limits->optimal_unmap_granularity);
	r |= set_told(object, "maximumWriteSameLength", limits->maximum_write_same_length);
	r |= set_told(object, "maximumCompareAndWriteLength",
		      limits->maximum_compare_and_write_length);
	return r < 0 ? NULL : TAKE_PTR(object);
}

static json_object *provisioning_to_json(const struct scsi_provisioning *provisioning)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_string(object, "type", scsi_provisioning_type_to_string(provisioning->type));
	r |= json_set_bool(object, "unmap", provisioning->unmap);
	r |= json_set_bool(object, "writeSame16", provisioning->write_same_16);
	r |= json_set_bool(object, "writeSame10", provisioning->write_same_10);
	return r < 0 ? NULL : TAKE_PTR(object);
}

/* One function for each page we know; -EPROTO: the page is too short. */
static int add_pages(json_object *answer, const uint8_t *body, size_t length)
{
	return json_set(answer, "pages", pages_to_json(body, length));
}

static int add_serial_number(json_object *answer, const uint8_t *body, size_t length)
{
	char text[1024];

	scsi_serial_number_decode(body, length, text, sizeof(text));
	return json_set_string(answer, "serialNumber", text);
}

static int add_designators(json_object *answer, const uint8_t *body, size_t length)
{
	return json_set(answer, "designators", designators_to_json(body, length));
}

static int add_limits(json_object *answer, const uint8_t *body, size_t length)
{
	struct scsi_block_limits limits;
	int r = scsi_block_limits_decode(body, length, &limits);

	return r < 0 ? r : json_set(answer, "blockLimits", limits_to_json(&limits));
}

static int add_rotation(json_object *answer, const uint8_t *body, size_t length)
{
	unsigned rate;
	int r = scsi_rotation_rate_decode(body, length, &rate);

	return r < 0 ? r : set_told(answer, "rotationsPerMinute", rate);
}

static int add_provisioning(json_object *answer, const uint8_t *body, size_t length)
{
	struct scsi_provisioning provisioning;
	int r = scsi_provisioning_decode(body, length, &provisioning);

	return r < 0 ? r : json_set(answer, "provisioning", provisioning_to_json(&provisioning));
}

static const struct {
	int page;
	int (*add)(json_object *answer, const uint8_t *body, size_t length);
} pages[] = {
	{ 0x00, add_pages },  { 0x80, add_serial_number }, { 0x83, add_designators },
	{ 0xb0, add_limits }, { 0xb1, add_rotation },      { 0xb2, add_provisioning },
};

static int add_inquiry(const struct query *query, json_object *answer, const uint8_t *data,
		       size_t length)
{
	struct scsi_inquiry standard;
	const uint8_t *body;
	size_t body_length;
	int r;

	if (query->page < 0) {
		r = scsi_inquiry_decode(data, length, &standard);
		return r < 0 ? r : json_set(answer, "standard", standard_to_json(&standard));
	}
	r = scsi_page_decode(data, length, (unsigned)query->page, &body, &body_length);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ELEMENTSOF(pages); i++)
		if (pages[i].page == query->page)
			return pages[i].add(answer, body, body_length);
	return 0;
}

static json_object *decode_inquiry(const struct query *query, const uint8_t *data, size_t length,
				   int *ret_error)
{
	_cleanup_json_ json_object *answer = answer_new(data, length);

	*ret_error = answer ? add_inquiry(query, answer, data, length) : -ENOMEM;
	return *ret_error < 0 ? NULL : TAKE_PTR(answer);
}

/* REPORT LUNS */

static const char *block_device_of(const struct session *session, uint64_t lun)
{
	for (size_t i = 0; session && i < session->n_luns; i++)
		if (session->luns[i].lun == lun && session->luns[i].block[0])
			return session->luns[i].block;
	return NULL;
}

static json_object *unit_to_json(const struct session *session, const uint8_t lun[8])
{
	_cleanup_json_ json_object *object = json_object_new_object();
	uint64_t number = scsi_lun_to_number(lun);
	char text[LUN_TEXT_MAX];
	int r;

	if (!object)
		return NULL;
	lun_format(number, text, sizeof(text));
	r = json_set_string(object, "lun", text);
	r |= json_set(object, "bytes", hex_string(lun, 8));
	r |= json_set_string(object, "addressing", scsi_lun_method(lun));
	r |= json_set_string(object, "blockDevice", block_device_of(session, number));
	return r < 0 ? NULL : TAKE_PTR(object);
}

static json_object *decode_luns(const struct query *query, const uint8_t *data, size_t length,
				int *ret_error)
{
	const struct session *session = manager_find_session(call_manager(query->call), query->sid);
	_cleanup_json_ json_object *answer = answer_new(data, length);
	_cleanup_json_ json_object *array = json_object_new_array();
	size_t n = 0;

	*ret_error = answer && array ? scsi_luns_decode(data, length, &n) : -ENOMEM;
	for (size_t i = 0; i < n && *ret_error >= 0; i++)
		*ret_error = json_append(array, unit_to_json(session, scsi_luns_at(data, i)));
	if (*ret_error >= 0)
		*ret_error = json_set(answer, "luns", TAKE_PTR(array));
	return *ret_error < 0 ? NULL : TAKE_PTR(answer);
}

/* READ CAPACITY */

static int set_capacity(json_object *answer, const struct scsi_capacity *capacity)
{
	uint64_t bytes;
	int r;

	r = json_set_int(answer, "blocks",
			 capacity->blocks - 1 > INT64_MAX - 1 ? INT64_MAX
							      : (int64_t)capacity->blocks);
	r |= json_set_int(answer, "blockLengthBytes", capacity->block_length);
	if (!__builtin_mul_overflow(capacity->blocks, (uint64_t)capacity->block_length, &bytes))
		r |= set_told(answer, "sizeBytes", bytes);
	if (!capacity->detailed)
		return r;
	r |= set_told(answer, "physicalBlockLengthBytes",
		      (uint64_t)capacity->block_length << capacity->physical_block_exponent);
	r |= json_set_int(answer, "lowestAlignedBlock", capacity->lowest_aligned_block);
	r |= json_set_int(answer, "protectionType", capacity->protection_type);
	r |= json_set_bool(answer, "provisioningManaged", capacity->provisioning_managed);
	r |= json_set_bool(answer, "zeroesWhenUnmapped", capacity->zeroes_when_unmapped);
	return r;
}

static bool is_short_form(const struct query *query)
{
	return query->cdb.length == 10;
}

static json_object *decode_capacity(const struct query *query, const uint8_t *data, size_t length,
				    int *ret_error)
{
	_cleanup_json_ json_object *answer = answer_new(data, length);
	struct scsi_capacity capacity;

	*ret_error = !answer                ? -ENOMEM
		     : is_short_form(query) ? scsi_capacity_10_decode(data, length, &capacity)
					    : scsi_capacity_16_decode(data, length, &capacity);
	if (*ret_error >= 0)
		*ret_error = set_capacity(answer, &capacity);
	return *ret_error < 0 ? NULL : TAKE_PTR(answer);
}

/* The call */

static void query_gone(void *userdata)
{
	struct query *query = userdata;

	(void)passthrough_cancel(query->command);
	free(query);
}

static json_object *query_details(const struct query *query, const char *message)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	char text[LUN_TEXT_MAX];
	int r;

	if (!object)
		return NULL;
	lun_format(query->lun.lun, text, sizeof(text));
	r = json_set_int(object, "session", query->sid);
	r |= json_set_string(object, "lun", text);
	if (message)
		r |= json_set_string(object, "message", message);
	return r < 0 ? NULL : TAKE_PTR(object);
}

static void raise_timeout(const struct query *query)
{
	const struct session *session = manager_find_session(call_manager(query->call), query->sid);
	struct event *event = event_new(EVENT_PASSTHROUGH_TIMEOUT);
	char portal[PORTAL_TEXT_MAX];

	event_set_number(event, FIELD_SESSION, query->sid);
	if (session) {
		event_set_string(event, FIELD_TARGET, session->target_name);
		portal_format(session->address, session->port, portal);
		event_set_string(event, FIELD_PORTAL, portal);
	}
	event_set_hex(event, FIELD_COMMAND, query->cdb.bytes, query->cdb.length);
	event_set_outcome(event, EVENT_OUTCOME_FAILED);
	eventlog_raise(call_manager(query->call)->log, event);
}

static void answer_timeout(struct query *query)
{
	json_object *details = query_details(query, "the logical unit did not answer in time");

	raise_timeout(query);
	if (details && json_set_int(details, "event", EVENT_PASSTHROUGH_TIMEOUT) < 0) {
		json_object_put(details);
		details = NULL;
	}
	call_error(query->call, ERROR_SCSI_TIMED_OUT, details);
}

static int set_sense(json_object *details, const struct passthrough_result *result, char *message,
		     size_t size)
{
	struct scsi_sense sense;
	const char *text;
	int r;

	if (scsi_sense_decode(result->sense, result->sense_length, &sense) < 0)
		return 0;
	text = scsi_sense_text(sense.asc, sense.ascq);
	(void)snprintf(message, size, "the logical unit refused the command: %s, %s",
		       scsi_sense_key_to_string(sense.key), text ?: "vendor specific reason");
	r = json_set_int(details, "senseKey", sense.key);
	r |= json_set_int(details, "additionalSenseCode", sense.asc);
	r |= json_set_int(details, "additionalSenseCodeQualifier", sense.ascq);
	r |= json_set(details, "sense", hex_string(result->sense, result->sense_length));
	return r;
}

static void answer_refused(struct query *query, const struct passthrough_result *result)
{
	_cleanup_json_ json_object *details = query_details(query, NULL);
	const char *name = scsi_status_to_string(result->status);
	char message[256];
	int r;

	(void)snprintf(message, sizeof(message), "the logical unit answers with status %s",
		       name ?: "that is unknown");
	r = details ? json_set_int(details, "status", result->status) : -ENOMEM;
	if (r >= 0)
		r = json_set_string(details, "statusName", name);
	if (r >= 0)
		r = set_sense(details, result, message, sizeof(message));
	if (r >= 0)
		r = json_set_string(details, "message", message);
	call_error(query->call, ERROR_SCSI_COMMAND_FAILED, r < 0 ? NULL : TAKE_PTR(details));
}

static void answer_error(struct query *query, int error)
{
	json_object *details;

	if (error == -ETIMEDOUT) {
		answer_timeout(query);
		return;
	}
	if (error == -ENODEV) {
		call_error(query->call, ERROR_SCSI_NO_SUCH_LOGICAL_UNIT,
			   query_details(query, NULL));
		return;
	}
	details = query_details(query, error == -EIO ? "the command did not get through"
						     : strerror(-error));
	if (details && json_set_string(details, "errnoName", strerrorname_np(-error)) < 0) {
		json_object_put(details);
		details = NULL;
	}
	call_error(query->call, ERROR_SCSI_TRANSPORT_FAILED, details);
}

static void answer(struct query *query, const struct passthrough_result *result)
{
	json_object *object, *details;
	int error = 0;

	object = query->decode(query, result->data, result->length, &error);
	if (object) {
		call_reply(query->call, object);
		return;
	}
	if (error != -EPROTO && error != -ERANGE) {
		call_fail(query->call, error, NULL);
		return;
	}
	details = query_details(query, NULL);
	if (details && json_set(details, "data", hex_string(result->data, result->length)) < 0) {
		json_object_put(details);
		details = NULL;
	}
	call_error(query->call, ERROR_SCSI_INVALID_ANSWER, details);
}

static int query_send(struct query *query);

/* A unit that does not know the long form is asked in the short one. SBC-3, 5.15 */
static bool ask_short_form(struct query *query, const struct passthrough_result *result)
{
	const unsigned illegal_request = 0x5;
	struct scsi_sense sense;

	if (query->decode != decode_capacity || is_short_form(query) ||
	    result->status != SCSI_STATUS_CHECK_CONDITION ||
	    scsi_sense_decode(result->sense, result->sense_length, &sense) < 0 ||
	    sense.key != illegal_request)
		return false;
	scsi_read_capacity_10(&query->cdb);
	return query_send(query) >= 0;
}

static void query_done(void *userdata, const struct passthrough_result *result)
{
	struct query *query = userdata;

	query->command = NULL;
	if (result->error < 0)
		answer_error(query, result->error);
	else if (result->status == SCSI_STATUS_GOOD)
		answer(query, result);
	else if (!ask_short_form(query, result))
		answer_refused(query, result);
}

static int query_send(struct query *query)
{
	struct manager *manager = call_manager(query->call);

	return passthrough_send(manager->event, manager->scanner, &query->lun, &query->cdb,
				query->timeout_seconds, query_done, query, &query->command);
}

/* The session's device with this number; any one for a command that is to the target as a whole. */
static const struct sysfs_lun *find_unit(const struct session *session, const uint64_t *lun)
{
	for (size_t i = 0; i < session->n_luns; i++)
		if (!lun || session->luns[i].lun == *lun)
			return &session->luns[i];
	return NULL;
}

static void no_such_unit(struct call *call, uint32_t sid, uint64_t lun)
{
	const struct query query = { .sid = sid, .lun.lun = lun };

	call_error(call, ERROR_SCSI_NO_SUCH_LOGICAL_UNIT, query_details(&query, NULL));
}

/* Reads what all three methods have. 0: the call was answered. */
static int query_new(struct call *call, bool any_unit, struct query **ret)
{
	json_object *parameters = call_parameters(call);
	int64_t sid = -1, timeout = DEFAULT_TIMEOUT_SECONDS;
	const struct sysfs_lun *found;
	const struct session *session;
	const char *text = NULL;
	uint64_t lun = 0;
	struct query *query;

	if (json_get_int(parameters, "session", 0, UINT32_MAX, &sid) < 0)
		return call_invalid_parameter(call, "session"), 0;
	if (json_get_string(parameters, "lun", &text) > 0 && lun_parse(text, &lun) < 0)
		return call_invalid_parameter(call, "lun"), 0;
	if (json_get_int(parameters, "timeoutSeconds", 1, TIMEOUT_SECONDS_MAX, &timeout) < 0)
		return call_invalid_parameter(call, "timeoutSeconds"), 0;
	session = manager_find_session(call_manager(call), (uint32_t)sid);
	if (!session) {
		call_error(call, ERROR_SCSI_NO_SUCH_SESSION,
			   json_wrap("session", json_object_new_int64(sid)));
		return 0;
	}
	found = find_unit(session, any_unit ? NULL : &lun);
	if (!found) {
		no_such_unit(call, (uint32_t)sid, lun);
		return 0;
	}
	query = calloc(1, sizeof(*query));
	if (!query)
		return -ENOMEM;
	query->call = call;
	query->sid = (uint32_t)sid;
	query->lun = *found;
	query->timeout_seconds = (unsigned)timeout;
	*ret = query;
	return 1;
}

static int query_start(struct query *query)
{
	int r = query_send(query);

	if (r < 0) {
		free(query);
		return r;
	}
	call_keep(query->call, query, query_gone);
	return 0;
}

int method_scsi_inquiry(struct call *call)
{
	struct query *query;
	int64_t page = -1;
	int r;

	if (json_get_int(call_parameters(call), "page", 0, UINT8_MAX, &page) < 0) {
		call_invalid_parameter(call, "page");
		return 0;
	}
	r = query_new(call, false, &query);
	if (r <= 0)
		return r;
	query->page = (int)page;
	query->decode = decode_inquiry;
	scsi_inquiry(query->page, &query->cdb);
	return query_start(query);
}

int method_scsi_report_luns(struct call *call)
{
	struct query *query;
	int r;

	r = query_new(call, true, &query);
	if (r <= 0)
		return r;
	query->decode = decode_luns;
	scsi_report_luns(&query->cdb);
	return query_start(query);
}

int method_scsi_read_capacity(struct call *call)
{
	struct query *query;
	int r;

	r = query_new(call, false, &query);
	if (r <= 0)
		return r;
	query->decode = decode_capacity;
	scsi_read_capacity_16(&query->cdb);
	return query_start(query);
}
