/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What logical units say of themselves: scsi inquiry, report-luns, read-capacity.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

#define BYTES_PER_LINE 16

static inline void sessions_freep(struct ois_session ***sessions)
{
	ois_sessions_free(*sessions);
}

/* --- Showing --- */

/* A label for people and the field, "a.b" for parts. */
struct field {
	const char *label;
	const char *name;
};

static void show_fields(const struct output *output, const struct ois_reply *reply,
			const struct field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++)
		detail(output, fields[i].label, ois_reply_get_text(reply, fields[i].name));
}

/* Sixteen bytes a line, with their offset. */
static void show_bytes(const struct output *output, const struct ois_reply *reply)
{
	const char *hex = ois_reply_get_text(reply, "data") ?: "";
	size_t length = strlen(hex) / 2;

	for (size_t at = 0; at < length; at += BYTES_PER_LINE) {
		char line[8 + 3 * BYTES_PER_LINE], *end = line;

		end += sprintf(end, "%04zx ", at);
		for (size_t i = at; i < length && i < at + BYTES_PER_LINE; i++)
			end += sprintf(end, " %.2s", hex + 2 * i);
		detail(output, at == 0 ? "Data" : "", line);
	}
}

static void show_pages(const struct output *output, const struct ois_reply *reply)
{
	char name[32], line[8];
	int64_t page;

	for (size_t i = 0;; i++) {
		(void)snprintf(name, sizeof(name), "pages.%zu", i);
		if (ois_reply_get_number(reply, name, &page) < 0)
			return;
		(void)snprintf(line, sizeof(line), "0x%02" PRIx64, page);
		detail(output, i == 0 ? "Pages" : "", line);
	}
}

static void show_designators(const struct output *output, const struct ois_reply *reply)
{
	char name[40];
	const char *value;

	for (size_t i = 0;; i++) {
		char type[32];

		(void)snprintf(name, sizeof(name), "designators.%zu.value", i);
		value = ois_reply_get_text(reply, name);
		if (!value)
			return;
		(void)snprintf(name, sizeof(name), "designators.%zu.type", i);
		(void)snprintf(type, sizeof(type), "%s", ois_reply_get_text(reply, name) ?: "?");
		spaces_for_underscores(type);
		(void)snprintf(name, sizeof(name), "designators.%zu.association", i);
		detailf(output, i == 0 ? "Designators" : "", "%s: %s%s%s", type, value,
			ois_reply_get_text(reply, name) ? ", of the " : "",
			ois_reply_get_text(reply, name) ?: "");
	}
}

static void show_inquiry(const struct output *output, const struct ois_reply *reply)
{
	static const struct field fields[] = {
		{ "Device type", "standard.deviceTypeName" },
		{ "Vendor", "standard.vendor" },
		{ "Product", "standard.product" },
		{ "Revision", "standard.revision" },
		{ "Version", "standard.version" },
		{ "Qualifier", "standard.peripheralQualifier" },
		{ "Removable", "standard.removable" },
		{ "Command queuing", "standard.commandQueuing" },
		{ "Port group support", "standard.targetPortGroupSupport" },
		{ "Protection", "standard.protection" },
		{ "Third-party copy", "standard.thirdPartyCopy" },
		{ "Serial number", "serialNumber" },
		{ "Maximum transfer", "blockLimits.maximumTransferLength" },
		{ "Optimal transfer", "blockLimits.optimalTransferLength" },
		{ "Granularity", "blockLimits.optimalTransferGranularity" },
		{ "Maximum unmap", "blockLimits.maximumUnmapBlocks" },
		{ "Unmap descriptors", "blockLimits.maximumUnmapDescriptors" },
		{ "Unmap granularity", "blockLimits.optimalUnmapGranularity" },
		{ "Maximum write same", "blockLimits.maximumWriteSameLength" },
		{ "Compare and write", "blockLimits.maximumCompareAndWriteLength" },
		{ "Rotations a minute", "rotationsPerMinute" },
		{ "Provisioning", "provisioning.type" },
		{ "Unmap", "provisioning.unmap" },
		{ "Write same (16)", "provisioning.writeSame16" },
		{ "Write same (10)", "provisioning.writeSame10" },
	};

	show_fields(output, reply, fields, ELEMENTSOF(fields));
	show_pages(output, reply);
	show_designators(output, reply);
	show_bytes(output, reply);
}

static void show_luns(const struct output *output, const struct ois_reply *reply)
{
	static const char *const headers[] = { ">LUN", "ADDRESSING", "BYTES", "DEVICE", NULL };
	_cleanup_(table_freep) struct table *table = table_new(headers);
	const struct ois_logical_unit *unit;

	for (size_t i = 0; table && (unit = ois_reply_get_logical_unit(reply, "luns", i)); i++) {
		(void)table_add(table, ois_logical_unit_get_lun(unit));
		(void)table_add(table, ois_logical_unit_get_text(unit, "addressing"));
		(void)table_add(table, ois_logical_unit_get_text(unit, "bytes"));
		(void)table_add(table, ois_logical_unit_get_block_device(unit));
	}
	if (table)
		table_print(output, table, NULL);
}

static void show_capacity(const struct output *output, const struct ois_reply *reply)
{
	static const struct field fields[] = {
		{ "Blocks", "blocks" },
		{ "Block length", "blockLengthBytes" },
		{ "Physical block", "physicalBlockLengthBytes" },
		{ "Lowest aligned", "lowestAlignedBlock" },
		{ "Protection type", "protectionType" },
		{ "Can be unmapped", "provisioningManaged" },
		{ "Zeroes if unmapped", "zeroesWhenUnmapped" },
	};
	int64_t bytes;
	char size[32];

	if (ois_reply_get_number(reply, "sizeBytes", &bytes) >= 0) {
		format_size(bytes, size, sizeof(size));
		detailf(output, "Size", "%s, %" PRId64 " bytes", size, bytes);
	}
	show_fields(output, reply, fields, ELEMENTSOF(fields));
}

/* --- Asking --- */

struct question {
	const char *attempt;
	int (*make)(struct cli *cli, int64_t session, struct ois_call **ret);
	void (*show)(const struct output *output, const struct ois_reply *reply);
};

static int make_inquiry(struct cli *cli, int64_t session, struct ois_call **ret)
{
	return ois_scsi_inquiry_call(cli->client, session, cli->lun, (int)cli->page,
				     (unsigned)cli->deadline, ret);
}

static int make_report_luns(struct cli *cli, int64_t session, struct ois_call **ret)
{
	return ois_scsi_report_luns_call(cli->client, session, (unsigned)cli->deadline, ret);
}

static int make_read_capacity(struct cli *cli, int64_t session, struct ois_call **ret)
{
	return ois_scsi_read_capacity_call(cli->client, session, cli->lun, (unsigned)cli->deadline,
					   ret);
}

static enum status ask(struct cli *cli, const struct question *question, int64_t session)
{
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	int r;

	r = question->make(cli, session, &call);
	if (r >= 0)
		r = ois_call_run(call, NULL, NULL, &error);
	if (r < 0)
		return report(cli, r, error, "%s of session %" PRId64, question->attempt, session);
	if (cli->output.json != JSON_OFF)
		json_print(&cli->output, ois_reply_get_json(ois_call_get_reply(call)));
	else
		question->show(&cli->output, ois_call_get_reply(call));
	return STATUS_DONE;
}

/* Exactly one session: what is printed does not say whose it is. */
static enum status ask_one(struct cli *cli, const struct question *question, const char *which)
{
	_cleanup_(sessions_freep) struct ois_session **sessions = NULL;
	_cleanup_(selector_freep) struct ois_selector *selector = NULL;
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	enum status status;
	int64_t number;
	int r;

	status = select_sessions(cli, which, &selector);
	if (status != STATUS_DONE)
		return status;
	r = ois_list_sessions(cli->client, selector, 0, &sessions, &error);
	if (r < 0)
		return report(cli, r, error, "%s of %s", question->attempt, which);
	if (!sessions[0] || ois_session_get_session(sessions[0], &number) < 0) {
		message_error("Failed to %s of %s: no such session; 'ois-ctl sessions' lists the "
			      "sessions",
			      question->attempt, which);
		return STATUS_NOTHING;
	}
	if (sessions[1])
		return usage_error("%s matches several sessions: name one by its number", which);
	return ask(cli, question, number);
}

enum status verb_scsi_inquiry(struct cli *cli, char **arguments)
{
	static const struct question question = { "inquire", make_inquiry, show_inquiry };

	if (!option_given(cli, OPTION_PAGE))
		cli->page = -1;
	return ask_one(cli, &question, arguments[0]);
}

enum status verb_scsi_report_luns(struct cli *cli, char **arguments)
{
	static const struct question question = { "report the logical units", make_report_luns,
						  show_luns };

	return ask_one(cli, &question, arguments[0]);
}

enum status verb_scsi_read_capacity(struct cli *cli, char **arguments)
{
	static const struct question question = { "read the capacity", make_read_capacity,
						  show_capacity };

	return ask_one(cli, &question, arguments[0]);
}
