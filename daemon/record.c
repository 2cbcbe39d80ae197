/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nodes in memory. They are found through a balanced tree, because a target chooses the names and
 * could make a hash table slow; the order for listings is an array made from the tree when asked
 * for.
 */
#include <assert.h>
#include <ctype.h>
#include <search.h>
#include <string.h>
#include <time.h>

#include "parse.h"
#include "record_private.h"
#include "turn.h"

const char *node_key_fault(const struct node_key *key)
{
	size_t length = strlen(key->target_name);

	if (length == 0 || length > ISCSI_NAME_MAX || !text_is_clean(key->target_name, length))
		return "targetName is no iSCSI name";
	length = strlen(key->address);
	if (length == 0 || length >= PORTAL_ADDRESS_MAX)
		return "address is no address";
	for (const char *p = key->address; *p; p++)
		if (!isgraph((unsigned char)*p))
			return "address is no address";
	return key->port == 0 ? "port must be 1 to 65535" : NULL;
}

static int compare_keys(const struct node_key *a, const struct node_key *b)
{
	int order = strcmp(a->target_name, b->target_name);

	if (order == 0)
		order = strcmp(a->address, b->address);
	return order != 0 ? order : (int)a->port - (int)b->port;
}

static int compare_records(const void *a, const void *b)
{
	return compare_keys(&((const struct record *)a)->node.key,
			    &((const struct record *)b)->node.key);
}

struct record *record_free(struct record *record)
{
	if (!record)
		return NULL;
	free((char *)record->node.key.target_name);
	free((char *)record->node.key.address);
	free(record->node.target_alias);
	free(record->node.origin_address);
	free(record->node.interface);
	free(record->node.redirect_address);
	(void)settings_free(record->node.settings);
	(void)secret_free(record->node.secret);
	(void)secret_free(record->node.target_secret);
	for (int i = 0; i < _RECORD_FILE_MAX; i++)
		json_object_put(record->unknown[i]);
	json_object_put(record->unknown_settings);
	free(record);
	return NULL;
}

int record_new(const struct node_key *key, struct record **ret)
{
	_cleanup_(record_freep) struct record *record = NULL;

	record = calloc(1, sizeof(*record));
	if (!record)
		return -ENOMEM;
	record->node.key.target_name = strdup(key->target_name);
	record->node.key.address = strdup(key->address);
	record->node.key.port = key->port;
	record->node.portal_group_tag = -1;
	if (!record->node.key.target_name || !record->node.key.address ||
	    settings_new(SETTINGS_NODE, &record->node.settings) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(record);
	return 0;
}

/* Room is made here, so that making the order never fails. */
static int order_reserve(struct record_order *order, size_t n)
{
	struct record **records;
	size_t allocate = order->allocated ? order->allocated * 2 : 64;

	if (order->allocated >= n)
		return 0;
	/* What is in the array need not be kept: a new record makes it invalid. */
	records = malloc(allocate * sizeof(*records));
	if (!records)
		return -ENOMEM;
	free(order->records);
	*order = (struct record_order){ .records = records, .allocated = allocate };
	return 0;
}

static void order_visit(const void *entry, VISIT visit, void *userdata)
{
	struct record_order *order = userdata;

	if (visit == postorder || visit == leaf)
		order->records[order->n++] = *(struct record *const *)entry;
}

static void order_make(const struct records *records)
{
	struct record_order *order = records->order;

	if (order->valid)
		return;
	order->first = order->n = 0;
	twalk_r(records->tree, order_visit, order);
	order->valid = true;
}

/* Index of the first one that is not before the key, or, with @after, that is after it. */
static size_t order_position(const struct record_order *order, const struct node_key *key,
			     bool after)
{
	size_t low = 0, high = order->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int relation = compare_keys(&order->records[order->first + middle]->node.key, key);

		if (relation < 0 || (relation == 0 && after))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t records_after(const struct records *records, const struct node_key *key)
{
	order_make(records);
	return order_position(records->order, key, true);
}

/* Takes a record out by moving the shorter side, so that deleting all from either end is cheap. */
static void order_remove(struct record_order *order, const struct record *record)
{
	struct record **first = order->records + order->first;
	size_t low;

	if (!order->valid)
		return;
	low = order_position(order, &record->node.key, false);
	assert(low < order->n && first[low] == record);
	order->n--;
	if (low < order->n / 2) {
		memmove(first + 1, first, low * sizeof(*first));
		order->first++;
	} else {
		memmove(first + low, first + low + 1, (order->n - low) * sizeof(*first));
	}
}

int records_insert(struct records *records, struct record *record)
{
	int r;

	r = order_reserve(records->order, records->n + 1);
	if (r < 0)
		return r;
	records->order->valid = false;
	if (!tsearch(record, &records->tree, compare_records))
		return -ENOMEM;
	records->n++;
	return 0;
}

/* A new record; the key comes from outside. */
static int add(struct records *records, const struct node_key *key, enum node_origin origin,
	       struct record **ret)
{
	_cleanup_(record_freep) struct record *record = NULL;
	int r;

	if (node_key_fault(key))
		return -EINVAL;
	r = record_new(key, &record);
	if (r < 0)
		return r;
	record->node.origin = origin;
	record->node.created_usec = record->node.changed_usec = turn_usec(CLOCK_REALTIME);
	r = records_insert(records, record);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(record);
	return 0;
}

size_t records_count(const struct records *records)
{
	return records->n;
}

struct node *records_at(const struct records *records, size_t index)
{
	if (index >= records->n)
		return NULL;
	order_make(records);
	return &records->order->records[records->order->first + index]->node;
}

struct node *records_find(const struct records *records, const struct node_key *key)
{
	struct record probe = { .node.key = *key };
	struct record *const *found = tfind(&probe, &records->tree, compare_records);

	return found ? &(*found)->node : NULL;
}

int records_create(struct records *records, const struct node_key *key, int portal_group_tag,
		   struct node **ret)
{
	struct record *record = NULL;
	int r;

	if (records_find(records, key))
		return -EEXIST;
	r = add(records, key, NODE_ORIGIN_STATIC, &record);
	if (r < 0)
		return r;
	record->node.portal_group_tag = portal_group_tag;
	records->files[RECORD_FILE_NODES].dirty = true;
	*ret = &record->node;
	return 0;
}

void records_remove(struct records *records, struct node *node)
{
	struct record *record = (struct record *)node;

	order_remove(records->order, record);
	(void)tdelete(record, &records->tree, compare_records);
	records->n--;
	records->files[RECORD_FILE_NODES].dirty = true;
	if (record_has_line(record, RECORD_FILE_DISCOVERED))
		records->files[RECORD_FILE_DISCOVERED].dirty = true;
	(void)record_free(record);
}

void records_changed(struct records *records, struct node *node, bool facts)
{
	node->changed_usec = turn_usec(CLOCK_REALTIME);
	records->files[facts ? RECORD_FILE_DISCOVERED : RECORD_FILE_NODES].dirty = true;
	if (!facts)
		records_set_md5_only(records, node, false);
}

void records_set_md5_only(struct records *records, struct node *node, bool md5_only)
{
	if (md5_only == (node->md5_only_usec > 0))
		return;
	node->md5_only_usec = md5_only ? turn_usec(CLOCK_REALTIME) : 0;
	records->files[RECORD_FILE_DISCOVERED].dirty = true;
}

void records_set_logged_out(struct records *records, struct node *node, bool logged_out,
			    bool forced)
{
	if (logged_out == (node->logged_out_usec > 0))
		return;
	node->logged_out_usec = logged_out ? turn_usec(CLOCK_REALTIME) : 0;
	node->logged_out_forced = logged_out && forced;
	records->files[RECORD_FILE_NODES].dirty = true;
}

int records_set_redirect(struct records *records, struct node *node, const char *address,
			 uint16_t port)
{
	char *copy = address ? strdup(address) : NULL;

	if (address && !copy)
		return -ENOMEM;
	free(node->redirect_address);
	node->redirect_address = copy;
	node->redirect_port = port;
	node->redirect_usec = copy ? turn_usec(CLOCK_REALTIME) : 0;
	records->files[RECORD_FILE_DISCOVERED].dirty = true;
	return 0;
}

int records_set_interface(struct records *records, struct node *node, const char *name)
{
	char *copy;

	if (name && node->interface && strcmp(name, node->interface) == 0)
		return 0;
	copy = name ? strdup(name) : NULL;
	if (name && !copy)
		return -ENOMEM;
	free(node->interface);
	node->interface = copy;
	records->files[RECORD_FILE_DISCOVERED].dirty = true;
	return 0;
}

/* Replaces *@text by clean text, unless it is the same; 1 if it changed. */
static int replace_text(char **text, const char *value)
{
	char clean[PORTAL_ADDRESS_MAX];
	char *copy;

	(void)text_escape(value, strlen(value), clean, sizeof(clean));
	if (*text && strcmp(*text, clean) == 0)
		return 0;
	copy = strdup(clean);
	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 1;
}

/* An answer without tag or alias says nothing about them; 1 if something changed. */
static int update_facts(struct node *node, int portal_group_tag, const char *target_alias)
{
	int changed = 0;

	if (target_alias)
		changed = replace_text(&node->target_alias, target_alias);
	if (changed >= 0 && portal_group_tag >= 0 && portal_group_tag != node->portal_group_tag) {
		node->portal_group_tag = portal_group_tag;
		changed = 1;
	}
	return changed;
}

int records_found(struct records *records, const struct node_key *key, int portal_group_tag,
		  const char *target_alias, const char *origin_address, uint16_t origin_port,
		  bool create, enum records_found *ret)
{
	struct node *node = records_find(records, key);
	enum records_found found = RECORDS_FOUND_UNCHANGED;
	struct record *record = NULL;
	int r;

	if (!node) {
		if (!create)
			return -ENOENT;
		r = add(records, key, NODE_ORIGIN_SEND_TARGETS, &record);
		if (r < 0)
			return r;
		node = &record->node;
		found = RECORDS_FOUND_CREATED;
	}
	node->last_seen_usec = turn_usec(CLOCK_REALTIME);
	node->md5_only_usec = 0;
	records->files[RECORD_FILE_DISCOVERED].dirty = true;
	if (node->origin == NODE_ORIGIN_SEND_TARGETS) {
		r = replace_text(&node->origin_address, origin_address);
		if (r < 0)
			return r;
		node->origin_port = origin_port;
	}
	r = update_facts(node, portal_group_tag, target_alias);
	if (r < 0)
		return r;
	if (r > 0 && found == RECORDS_FOUND_UNCHANGED) {
		node->changed_usec = node->last_seen_usec;
		found = RECORDS_FOUND_UPDATED;
	}
	*ret = found;
	return 0;
}

static void forget_record(void *record)
{
	(void)record_free(record);
}

struct records *records_free(struct records *records)
{
	if (!records)
		return NULL;
	records_finish(records);
	tdestroy(records->tree, forget_record);
	records_free_portals(records);
	records_free_interfaces(records);
	for (int i = 0; i < _RECORD_FILE_MAX; i++) {
		for (struct record_line *line = records->files[i].kept, *next; line; line = next) {
			next = line->next;
			(void)secret_free(line->text);
			free(line);
		}
	}
	if (records->order)
		free(records->order->records);
	free(records->order);
	free(records->directory);
	free(records);
	return NULL;
}

/* A node of which only settings are left was found once; what a person set is never dropped, so it
 * is static now. */
static void adopt_settings(struct records *records)
{
	struct node *node;

	for (size_t i = 0; (node = records_at(records, i)); i++)
		if (node->origin == NODE_ORIGIN_SEND_TARGETS && node->last_seen_usec == 0)
			node->origin = NODE_ORIGIN_STATIC;
}

int records_new(struct poller *poller, const char *directory, struct eventlog *log,
		struct records **ret)
{
	_cleanup_(records_freep) struct records *records = NULL;
	int r;

	records = calloc(1, sizeof(*records));
	if (!records)
		return -ENOMEM;
	records->log = log;
	records->poller = poller;
	records->waiting_end = &records->waiting;
	records->portals.compare = portal_compare;
	records->interfaces.compare = interface_compare;
	for (int i = 0; i < _RECORD_FILE_MAX; i++)
		records->files[i].kept_end = &records->files[i].kept;
	records->directory = strdup(directory);
	records->order = calloc(1, sizeof(*records->order));
	if (!records->directory || !records->order)
		return -ENOMEM;
	r = work_new(poller, "ois-records", 1, &records->work);
	if (r < 0)
		return r;
	for (int i = 0; i < _RECORD_FILE_MAX; i++) {
		r = record_file_load(records, i);
		if (r < 0)
			return r;
	}
	adopt_settings(records);
	*ret = TAKE_PTR(records);
	return 0;
}
