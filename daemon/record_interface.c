/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a person keeps for interfaces, one for each port of an adapter at the most that a person
 * wanted to be different: in memory, and their lines in nodes.jsonl.
 */
#include <string.h>

#include "address.h"
#include "record_private.h"
#include "turn.h"

/* The member that tells such a line from one about a node. */
#define NAME_MEMBER "interface"

struct interface_record *interface_record_free(struct interface_record *record)
{
	if (!record)
		return NULL;
	free(record->interface.name);
	(void)settings_free(record->interface.settings);
	json_object_put(record->unknown);
	json_object_put(record->unknown_settings);
	free(record);
	return NULL;
}

/* Errors: -EINVAL, -ENOMEM. */
static int interface_record_new(const char *name, struct interface_record **ret)
{
	_cleanup_(interface_record_freep) struct interface_record *record = NULL;

	if (!interface_name_is_valid(name))
		return -EINVAL;
	record = calloc(1, sizeof(*record));
	if (!record)
		return -ENOMEM;
	record->interface.name = strdup(name);
	if (!record->interface.name ||
	    settings_new(SETTINGS_INTERFACE, &record->interface.settings) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(record);
	return 0;
}

/* In memory */

int interface_compare(const void *a, const void *b)
{
	const struct interface *one = a, *other = b;

	return strcmp(one->name, other->name);
}

struct interface *records_interface_at(const struct records *records, size_t index)
{
	return record_array_at(&records->interfaces, index);
}

struct interface *records_find_interface(const struct records *records, const char *name)
{
	return record_array_find(&records->interfaces, &(struct interface){ .name = (char *)name });
}

int records_create_interface(struct records *records, const char *name, struct interface **ret)
{
	_cleanup_(interface_record_freep) struct interface_record *record = NULL;
	int r;

	if (records_find_interface(records, name))
		return -EEXIST;
	r = interface_record_new(name, &record);
	if (r < 0)
		return r;
	record->interface.created_usec = turn_usec(CLOCK_REALTIME);
	r = record_array_insert(&records->interfaces, record);
	if (r < 0)
		return r;
	*ret = &TAKE_PTR(record)->interface;
	records_interface_changed(records, *ret);
	return 0;
}

void records_interface_changed(struct records *records, struct interface *interface)
{
	interface->changed_usec = turn_usec(CLOCK_REALTIME);
	records->files[RECORD_FILE_NODES].dirty = true;
}

void records_remove_interface(struct records *records, struct interface *interface)
{
	record_array_remove(&records->interfaces, interface);
	(void)interface_record_free((struct interface_record *)interface);
	records->files[RECORD_FILE_NODES].dirty = true;
}

void records_free_interfaces(struct records *records)
{
	for (size_t i = 0; i < records->interfaces.n; i++)
		(void)interface_record_free(records->interfaces.rows[i]);
	record_array_done(&records->interfaces);
}

/* Lines */

bool interface_line_is(json_object *line)
{
	return json_object_object_get_ex(line, NAME_MEMBER, NULL);
}

/* Makes a record of a line. *@fault is set if it cannot be used. Errors: -ENOMEM. */
static int take_line(json_object *line, struct interface_record **ret, struct record_fault *fault)
{
	_cleanup_(interface_record_freep) struct interface_record *record = NULL;
	const char *name = record_line_text(line, NAME_MEMBER, fault);
	int r;

	if (fault->reason)
		return 0;
	r = interface_record_new(name ?: "", &record);
	if (r == -EINVAL) {
		fault->reason = "interface is no name of an interface";
		return 0;
	}
	if (r < 0)
		return r;
	record->interface.created_usec = record_line_time(line, "createdTimestampUSec", fault);
	record->interface.changed_usec = record_line_time(line, "changedTimestampUSec", fault);
	r = record_line_settings(line, record->interface.settings, &record->unknown_settings,
				 fault);
	if (r < 0 || fault->reason)
		return r;
	*ret = TAKE_PTR(record);
	return 0;
}

int interface_line_read(struct records *records, json_object *line, struct record_fault *fault)
{
	static const char *const known[] = {
		NAME_MEMBER, "createdTimestampUSec", "changedTimestampUSec", "settings", NULL,
	};
	_cleanup_(interface_record_freep) struct interface_record *record = NULL;
	int r;

	r = take_line(line, &record, fault);
	if (!record)
		return r;
	if (records_find_interface(records, record->interface.name)) {
		fault->reason = "an earlier line is about the same interface";
		return 0;
	}
	record_line_unknown(line, known, &record->unknown);
	r = record_array_insert(&records->interfaces, record);
	if (r >= 0)
		record = NULL;
	return r;
}

static int write_line(const struct interface_record *record, struct buffer *content)
{
	const struct interface *interface = &record->interface;
	int r;

	r = record_append_text(content, "{\"" NAME_MEMBER "\":", interface->name);
	if (r >= 0)
		r = record_append_number(
			content, ",\"createdTimestampUSec\":", (int64_t)interface->created_usec);
	if (r >= 0)
		r = record_append_number(
			content, ",\"changedTimestampUSec\":", (int64_t)interface->changed_usec);
	if (r >= 0)
		r = record_append_settings(content, interface->settings, record->unknown_settings);
	return r < 0 ? r : record_append_rest(content, record->unknown);
}

int interface_lines_write(const struct records *records, struct buffer *content)
{
	int r = 0;

	for (size_t i = 0; i < records->interfaces.n && r >= 0; i++)
		r = write_line(records->interfaces.rows[i], content);
	return r;
}
