// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces: what a name says, what a transport takes, whose settings come first, and that records
 * of them are kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>

#include "interface.h"
#include "poller.h"
#include "transport.h"

#define HEADER "{\"format\":\"ois-nodes\",\"version\":1}\n"

static char directory[64], path[128];
static sd_event *event_loop;
static struct poller *poller;
static struct journal *journal;
static struct eventlog *log_of_events;
static struct records *records;

static void load(void)
{
	records = records_free(records);
	log_of_events = eventlog_free(log_of_events);
	assert_int_equal(eventlog_new(event_loop, journal, 100, &log_of_events), 0);
	assert_int_equal(records_new(poller, directory, log_of_events, &records), 0);
}

static int set_up(void **state)
{
	(void)strcpy(directory, "/tmp/ois-test-XXXXXX");
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/nodes.jsonl", directory);
	assert_int_equal(sd_event_new(&event_loop), 0);
	assert_int_equal(poller_new(event_loop, &poller), 0);
	assert_int_equal(journal_new(event_loop, "/nonexistent/socket", &journal), 0);
	load();
	return 0;
}

static int remove_entry(const char *entry, const struct stat *status, int type, struct FTW *ftw)
{
	return remove(entry);
}

static int tear_down(void **state)
{
	records = records_free(records);
	log_of_events = eventlog_free(log_of_events);
	journal = journal_free(journal);
	poller = poller_free(poller);
	event_loop = sd_event_unref(event_loop);
	return nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void on_done(void *userdata, int error)
{
	*(int *)userdata = error;
}

static void commit(void)
{
	int result = 1;

	assert_int_equal(records_commit(records, on_done, &result), 0);
	while (result == 1)
		assert_true(sd_event_run(event_loop, UINT64_MAX) >= 0);
	assert_int_equal(result, 0);
}

static void put_file(const char *content)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
}

static void assert_file_has(const char *part)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	char content[4096] = "";

	assert_non_null(file);
	assert_true(fread(content, 1, sizeof(content) - 1, file) > 0);
	if (!strstr(content, part))
		fail_msg("%s is not in %s", part, content);
}

static void set(struct settings *settings, const char *name, const char *value)
{
	struct settings_fault fault;

	if (settings_set_text(settings, name, value, &fault) < 0)
		fail_msg("%s=%s: %s", name, value, fault.message);
}

/* "NAME=VALUE NAME=VALUE" */
static struct settings *make(enum settings_scope scope, const char *assignments)
{
	_cleanup_free_ char *copy = strdup(assignments);
	struct settings *settings;
	char *rest = copy, *word;

	assert_int_equal(settings_new(scope, &settings), 0);
	while (*assignments && (word = strsep(&rest, " "))) {
		char *value = strchr(word, '=');

		*value++ = '\0';
		set(settings, word, value);
	}
	return settings;
}

static void test_names(void **state)
{
	static const struct {
		const char *name, *transport, *adapter, *net_device;
	} rows[] = {
		{ "default", "tcp", NULL, NULL },
		{ "iser", "iser", NULL, NULL },
		{ "tcp.eth1", "tcp", NULL, "eth1" },
		{ "tcp.eth1.5", "tcp", NULL, "eth1.5" },
		{ "qedi.00:0e:1e:c4:e1:6d", "qedi", "00:0e:1e:c4:e1:6d", NULL },
		{ "cxgb4i.00:07:43:2A:11:80", "cxgb4i", "00:07:43:2A:11:80", NULL },
	};
	static const char *const others[] = {
		"tcp",         "tcp.",    "Default", "iser.eth0", "qedi",         "qedi.eth0",
		"nosuch.eth0", "storage", "tcp.a/b", "",          "default.eth0",
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		_cleanup_(settings_freep) struct settings *settings = NULL;
		const char *text;

		assert_true(interface_is_built_in(rows[i].name));
		assert_true(interface_exists(records, rows[i].name));
		assert_int_equal(interface_get(records, rows[i].name, &settings), 0);
		text = transport_table()[settings_number(settings, SETTING_TRANSPORT)].name;
		assert_string_equal(text, rows[i].transport);
		text = settings_text(settings, SETTING_ADAPTER);
		assert_string_equal(text ?: "", rows[i].adapter ?: "");
		text = settings_text(settings, SETTING_TCP_NET_DEVICE);
		assert_string_equal(text ?: "", rows[i].net_device ?: "");
	}
	for (size_t i = 0; i < ELEMENTSOF(others); i++) {
		struct settings *settings;

		assert_false(interface_is_built_in(others[i]));
		assert_int_equal(interface_get(records, others[i], &settings), -ENOENT);
	}
}

#define PORT(name) name ".00:00:00:00:00:01"

static void test_limits(void **state)
{
	static const struct {
		const char *name, *settings;
		const char *fault; /* NULL: none */
	} rows[] = {
		{ "own", "", NULL },
		{ "own",
		  "tcp.netDevice=eth1 tcp.sourceAddress=192.0.2.1 "
		  "initiatorName=iqn.2026-11.org.example:b",
		  NULL },
		{ "own", "transport=iser tcp.netDevice=eth1", "tcp.netDevice" },
		{ "own", "adapter=00:00:00:00:00:01", "adapter" },
		{ "own", "transport=iser adapter=00:00:00:00:00:01", "adapter" },
		{ "own", "transport=qedi adapter=00:00:00:00:00:01 network.address=192.0.2.9",
		  NULL },
		{ "own", "transport=qedi network.address=192.0.2.9", "network.address" },
		{ "own", "network.mtu=9000", "network.mtu" },
		{ "tcp.eth1", "tcp.sourceAddress=192.0.2.1", NULL },
		{ "tcp.eth1", "tcp.netDevice=eth2", "tcp.netDevice" },
		{ "tcp.eth1", "transport=iser", "transport" },
		{ PORT("qedi"), "adapter=00:00:00:00:00:02", "adapter" },
		/* cxgb4i has the host's. */
		{ PORT("cxgb4i"), "initiatorName=iqn.2026-11.org.example:b", NULL },
		{ PORT("cxgb4i"), "network.address=192.0.2.9", "network.address" },
		{ PORT("cxgb3i"), "network.address=192.0.2.9", NULL },
		{ PORT("cxgb3i"), "network.family=ipv6", "network.family" },
		{ PORT("cxgb3i"), "network.vlan=1", "network.vlan" },
		{ PORT("bnx2i"),
		  "network.address=192.0.2.9 network.gateway=192.0.2.1 network.vlan=5 "
		  "network.vlanPriority=3 network.mtu=9000",
		  NULL },
		{ PORT("bnx2i"), "network.address=192.0.2.9 network.prefixLength=24",
		  "network.prefixLength" },
		{ PORT("bnx2i"), "network.configuration=dhcp", "network.configuration" },
		{ PORT("be2iscsi"), "network.address=192.0.2.9 network.prefixLength=24", NULL },
		{ PORT("be2iscsi"), "network.address=192.0.2.9", "network.address" },
		{ PORT("be2iscsi"), "network.prefixLength=24", "network.prefixLength" },
		{ PORT("be2iscsi"), "network.mtu=9000", "network.mtu" },
		{ PORT("be2iscsi"), "network.configuration=dhcp", NULL },
		{ PORT("be2iscsi"), "network.configuration=automatic", "network.configuration" },
		{ PORT("be2iscsi"),
		  "network.configuration=dhcp network.address=192.0.2.9 network.prefixLength=24",
		  "network.configuration" },
		{ PORT("be2iscsi"), "network.family=ipv6 network.address=2001:db8::9", NULL },
		{ PORT("be2iscsi"), "network.family=ipv6 network.gateway=2001:db8::1",
		  "network.gateway" },
		{ PORT("qla4xxx"),
		  "network.family=ipv6 network.configuration=automatic network.number=1 "
		  "network.linkLocalAddress=fe80::9 network.gateway=fe80::1",
		  NULL },
		{ PORT("qla4xxx"), "network.family=ipv6 network.configuration=dhcp",
		  "network.configuration" },
		{ PORT("qla4xxx"), "network.family=ipv6 network.linkLocalAddress=2001:db8::9",
		  "network.linkLocalAddress" },
		{ PORT("qla4xxx"), "network.number=1", "network.number" },
		{ PORT("qla4xxx"), "network.vlanPriority=1", "network.vlanPriority" },
		{ PORT("qla4xxx"), "network.vlan=0 network.vlanPriority=1",
		  "network.vlanPriority" },
		{ PORT("qedi"), "network.address=2001:db8::9", "network.address" },
		{ PORT("qedi"), "network.family=ipv6 network.address=192.0.2.9",
		  "network.address" },
		{ PORT("qedi"), "network.address=224.0.0.1", "network.address" },
		{ PORT("qedi"), "network.address=127.0.0.2", "network.address" },
		{ PORT("qedi"), "network.family=ipv6 network.address=::", "network.address" },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		_cleanup_(settings_freep) struct settings *own = NULL, *settings = NULL;
		struct settings_fault fault = { 0 };
		int r;

		own = make(SETTINGS_INTERFACE, rows[i].settings);
		r = interface_resolve(rows[i].name, own, &settings, &fault);
		if (r != (rows[i].fault ? -EINVAL : 0) ||
		    (rows[i].fault && strcmp(fault.name, rows[i].fault) != 0))
			fail_msg("%s, %s: %s %s", rows[i].name, rows[i].settings, fault.name,
				 fault.message);
		assert_int_equal(*fault.message != '\0', rows[i].fault != NULL);
	}
}

static const char *transport_of(const struct settings *settings)
{
	return transport_table()[settings_number(settings, SETTING_TRANSPORT)].name;
}

/* Its own, then the interface's, then those of the configuration, then the built-in ones. */
static void test_layers(void **state)
{
	_cleanup_(settings_freep) struct settings *own = NULL, *defaults = NULL, *effective = NULL,
						  *bare = NULL, *missing = NULL, *found = NULL;
	struct interface *interface;

	assert_int_equal(records_create_interface(records, "rear", &interface), 0);
	set(interface->settings, "tcp.netDevice", "eth5");
	set(interface->settings, "tcp.sourceAddress", "192.0.2.5");
	set(interface->settings, "initiatorName", "iqn.2026-11.org.example:rear");
	defaults = make(SETTINGS_NODE, "transport=iser tcp.netDevice=eth6 queueDepth=7");
	own = make(SETTINGS_NODE, "interface=rear tcp.sourceAddress=192.0.2.7");
	assert_int_equal(interface_effective(records, defaults, own, "tcp.eth1", &effective), 0);
	assert_string_equal(transport_of(effective), "tcp");
	assert_string_equal(settings_text(effective, SETTING_TCP_NET_DEVICE), "eth5");
	assert_string_equal(settings_text(effective, SETTING_TCP_SOURCE_ADDRESS), "192.0.2.7");
	assert_string_equal(settings_text(effective, SETTING_INITIATOR_NAME),
			    "iqn.2026-11.org.example:rear");
	assert_string_equal(settings_text(effective, SETTING_INTERFACE), "rear");
	assert_int_equal(settings_number(effective, SETTING_QUEUE_DEPTH), 7);

	/* None is named. */
	(void)settings_reset(own, "interface");
	assert_int_equal(interface_effective(records, defaults, own, NULL, &bare), 0);
	assert_string_equal(transport_of(bare), "iser");
	assert_null(settings_text(bare, SETTING_INTERFACE));
	/* By the discovery. */
	assert_int_equal(interface_effective(records, defaults, own, "tcp.eth1", &found), 0);
	assert_string_equal(settings_text(found, SETTING_TCP_NET_DEVICE), "eth1");
	/* One that is not there is named, and nothing more. */
	set(own, "interface", "nosuch");
	assert_int_equal(interface_effective(records, defaults, own, NULL, &missing), 0);
	assert_string_equal(settings_text(missing, SETTING_INTERFACE), "nosuch");
	assert_string_equal(settings_text(missing, SETTING_TCP_NET_DEVICE), "eth6");
	assert_false(interface_exists(records, "nosuch"));
}

static void test_users(void **state)
{
	static const struct node_key keys[] = { { "iqn.a", "192.0.2.1", 3260 },
						{ "iqn.b", "192.0.2.1", 3260 } };
	struct portal *portal;
	struct node *node;

	assert_int_equal(interface_count_users(records, "tcp.eth1"), 0);
	assert_int_equal(records_create(records, &keys[0], -1, &node), 0);
	set(node->settings, "interface", "tcp.eth1");
	assert_int_equal(records_create(records, &keys[1], -1, &node), 0);
	assert_int_equal(records_set_interface(records, node, "tcp.eth1"), 0);
	assert_int_equal(records_create_portal(records, "192.0.2.1", 3260, &portal), 0);
	set(portal->settings, "interface", "tcp.eth1");
	assert_int_equal(interface_count_users(records, "tcp.eth1"), 3);
	/* What the node says itself counts more than where it was found. */
	set(node->settings, "interface", "default");
	assert_int_equal(interface_count_users(records, "tcp.eth1"), 2);
	assert_int_equal(interface_count_users(records, "default"), 1);
}

static void test_records(void **state)
{
	struct interface *interface;
	uint64_t created;

	assert_int_equal(records_create_interface(records, "rear", &interface), 0);
	assert_int_equal(records_create_interface(records, "rear", &interface), -EEXIST);
	assert_int_equal(records_create_interface(records, "a b", &interface), -EINVAL);
	assert_int_equal(records_create_interface(records, "", &interface), -EINVAL);
	assert_int_equal(records_create_interface(records, "front", &interface), 0);
	set(interface->settings, "tcp.netDevice", "eth1");
	records_interface_changed(records, interface);
	created = interface->created_usec;
	assert_ptr_equal(records_interface_at(records, 0), interface);
	commit();
	assert_file_has("{\"interface\":\"front\",\"createdTimestampUSec\":");
	assert_file_has("\"settings\":{\"tcp\":{\"netDevice\":\"eth1\"}}}\n");

	load();
	assert_null(eventlog_after(log_of_events, 0));
	interface = records_find_interface(records, "front");
	assert_non_null(interface);
	assert_int_equal(interface->created_usec, created);
	assert_string_equal(settings_text(interface->settings, SETTING_TCP_NET_DEVICE), "eth1");
	assert_string_equal(records_interface_at(records, 1)->name, "rear");
	assert_null(records_interface_at(records, 2));
	records_remove_interface(records, interface);
	assert_null(records_find_interface(records, "front"));
	commit();
	load();
	assert_string_equal(records_interface_at(records, 0)->name, "rear");
	assert_null(records_interface_at(records, 1));
}

/* Nothing of a line that is wrong, or of a later version, is lost. */
static void test_lines(void **state)
{
	static const char *const bad[] = {
		"{\"interface\":\"\"}\n",
		"{\"interface\":7}\n",
		"{\"interface\":\"a b\"}\n",
		"{\"interface\":\"a\",\"settings\":7}\n",
		"{\"interface\":\"a\",\"settings\":{\"network\":{\"mtu\":1}}}\n",
		"{\"interface\":\"a\",\"createdTimestampUSec\":-1}\n",
	};
	static const char good[] =
		HEADER "{\"interface\":\"a\",\"later\":1,\"settings\":{\"network\":{\"x\":2},"
		       "\"transport\":\"qedi\"}}\n";
	struct interface *interface;

	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		char content[256];

		(void)snprintf(content, sizeof(content), HEADER "%s", bad[i]);
		put_file(content);
		load();
		assert_non_null(eventlog_after(log_of_events, 0));
		assert_null(records_interface_at(records, 0));
		assert_int_equal(records_create_interface(records, "other", &interface), 0);
		commit();
		assert_file_has(bad[i]);
	}
	put_file(HEADER "{\"interface\":\"a\"}\n{\"interface\":\"a\"}\n");
	load();
	assert_non_null(eventlog_after(log_of_events, 0));
	assert_null(records_interface_at(records, 1));
	put_file(good);
	load();
	assert_null(eventlog_after(log_of_events, 0));
	interface = records_find_interface(records, "a");
	assert_string_equal(transport_of(interface->settings), "qedi");
	records_interface_changed(records, interface);
	commit();
	assert_file_has("\"network\":{\"x\":2}");
	assert_file_has("\"later\":1}\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
		TEST(test_names), TEST(test_limits),  TEST(test_layers),
		TEST(test_users), TEST(test_records), TEST(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
