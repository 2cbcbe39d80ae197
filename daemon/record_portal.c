/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Portals that a person keeps something for, in memory and as lines of nodes.jsonl.
 */
#include <string.h>

#include "address.h"
#include "parse.h"
#include "record_private.h"
#include "turn.h"

/* As in Method of org.ois.discovery; by this member a line is known to be about a portal. */
#define METHOD_MEMBER "discovery"
#define METHOD_NAME   "send_targets"

struct portal_record *portal_record_free(struct portal_record *record)
{
	if (!record)
		return NULL;
	free(record->portal.address);
	(void)settings_free(record->portal.settings);
	(void)secret_free(record->portal.secret);
	(void)secret_free(record->portal.target_secret);
	json_object_put(record->unknown);
	json_object_put(record->unknown_settings);
	free(record);
	return NULL;
}

/* Errors: -EINVAL (no address or port), -ENOMEM. */
static int portal_record_new(const char *address, uint16_t port, struct portal_record **ret)
{
	_cleanup_(portal_record_freep) struct portal_record *record = NULL;
	char normal[PORTAL_ADDRESS_MAX];

	if (port == 0 || address_normalize(address, normal, sizeof(normal)) < 0)
		return -EINVAL;
	record = calloc(1, sizeof(*record));
	if (!record)
		return -ENOMEM;
	record->portal.address = strdup(normal);
	record->portal.port = port;
	if (!record->portal.address ||
	    settings_new(SETTINGS_DISCOVERY, &record->portal.settings) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(record);
	return 0;
}

/* In memory */

int portal_compare(const void *a, const void *b)
{
	const struct portal *one = a, *other = b;
	int order = strcmp(one->address, other->address);

	return order != 0 ? order : (int)one->port - (int)other->port;
}

struct portal *records_portal_at(const struct records *records, size_t index)
{
	return record_array_at(&records->portals, index);
}

struct portal *records_find_portal(const struct records *records, const char *address,
				   uint16_t port)
{
	char normal[PORTAL_ADDRESS_MAX];

	if (address_normalize(address, normal, sizeof(normal)) < 0)
		return NULL;
	return record_array_find(&records->portals,
				 &(struct portal){ .address = normal, .port = port });
}

int records_create_portal(struct records *records, const char *address, uint16_t port,
			  struct portal **ret)
{
	_cleanup_(portal_record_freep) struct portal_record *record = NULL;
	int r;

	if (records_find_portal(records, address, port))
		return -EEXIST;
	r = portal_record_new(address, port, &record);
	if (r < 0)
		return r;
	record->portal.created_usec = turn_usec(CLOCK_REALTIME);
	r = record_array_insert(&records->portals, record);
	if (r < 0)
		return r;
	*ret = &TAKE_PTR(record)->portal;
	records_portal_changed(records, *ret);
	return 0;
}

void records_portal_changed(struct records *records, struct portal *portal)
{
	portal->changed_usec = turn_usec(CLOCK_REALTIME);
	records->files[RECORD_FILE_NODES].dirty = true;
}

void records_remove_portal(struct records *records, struct portal *portal)
{
	record_array_remove(&records->portals, portal);
	(void)portal_record_free((struct portal_record *)portal);
	records->files[RECORD_FILE_NODES].dirty = true;
}

void records_free_portals(struct records *records)
{
	for (size_t i = 0; i < records->portals.n; i++)
		(void)portal_record_free(records->portals.rows[i]);
	record_array_done(&records->portals);
}

/* Lines */

bool portal_line_is(json_object *line)
{
	return json_object_object_get_ex(line, METHOD_MEMBER, NULL);
}

static int take_configuration(struct portal_record *record, json_object *line,
			      struct record_fault *fault)
{
	struct portal *portal = &record->portal;
	int r;

	portal->created_usec = record_line_time(line, "createdTimestampUSec", fault);
	portal->changed_usec = record_line_time(line, "changedTimestampUSec", fault);
	r = record_line_secret(line, "secretBase64", &portal->secret, fault);
	if (r >= 0)
		r = record_line_secret(line, "targetSecretBase64", &portal->target_secret, fault);
	if (r >= 0)
		r = record_line_settings(line, portal->settings, &record->unknown_settings, fault);
	return r;
}

/* Makes a record of a line. *@fault is set if it cannot be used. Errors: -ENOMEM. */
static int take_line(json_object *line, struct portal_record **ret, struct record_fault *fault)
{
	_cleanup_(portal_record_freep) struct portal_record *record = NULL;
	const char *method = record_line_text(line, METHOD_MEMBER, fault);
	const char *address = record_line_text(line, "address", fault);
	uint16_t port = (uint16_t)record_line_number(line, "port", UINT16_MAX, 0, fault);
	int r;

	if (!fault->reason && (!method || strcmp(method, METHOD_NAME) != 0))
		fault->reason = "this kind of discovery is not known";
	if (fault->reason)
		return 0;
	r = portal_record_new(address ?: "", port, &record);
	if (r == -EINVAL) {
		fault->reason = "address or port is none";
		return 0;
	}
	if (r >= 0)
		r = take_configuration(record, line, fault);
	if (r < 0 || fault->reason)
		return r;
	*ret = TAKE_PTR(record);
	return 0;
}

int portal_line_read(struct records *records, json_object *line, struct record_fault *fault)
{
	static const char *const known[] = {
		METHOD_MEMBER,          "address",  "port", "createdTimestampUSec",
		"changedTimestampUSec", "settings", NULL,
	};
	_cleanup_(portal_record_freep) struct portal_record *record = NULL;
	int r;

	r = take_line(line, &record, fault);
	record_line_wipe(line);
	if (!record)
		return r;
	if (records_find_portal(records, record->portal.address, record->portal.port)) {
		fault->reason = "an earlier line is about the same portal";
		return 0;
	}
	record_line_unknown(line, known, &record->unknown);
	r = record_array_insert(&records->portals, record);
	if (r >= 0)
		record = NULL;
	return r;
}

static int write_line(const struct portal_record *record, struct buffer *content)
{
	const struct portal *portal = &record->portal;
	int r;

	r = record_append_text(content, "{\"" METHOD_MEMBER "\":", METHOD_NAME);
	if (r >= 0)
		r = record_append_text(content, ",\"address\":", portal->address);
	if (r >= 0)
		r = record_append_number(content, ",\"port\":", portal->port);
	if (r >= 0)
		r = record_append_number(
			content, ",\"createdTimestampUSec\":", (int64_t)portal->created_usec);
	if (r >= 0)
		r = record_append_number(
			content, ",\"changedTimestampUSec\":", (int64_t)portal->changed_usec);
	if (r >= 0)
		r = record_append_settings(content, portal->settings, record->unknown_settings);
	if (r >= 0)
		r = record_append_secret(content, ",\"secretBase64\":", portal->secret);
	if (r >= 0)
		r = record_append_secret(content,
					 ",\"targetSecretBase64\":", portal->target_secret);
	return r < 0 ? r : record_append_rest(content, record->unknown);
}

int portal_lines_write(const struct records *records, struct buffer *content)
{
	int r = 0;

	for (size_t i = 0; i < records->portals.n && r >= 0; i++)
		r = write_line(records->portals.rows[i], content);
	return r;
}
