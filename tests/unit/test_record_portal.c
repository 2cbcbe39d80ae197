// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a person keeps for discoveries at a portal: in memory in any form of its address, on disk
 * beside the nodes, and nothing of it is lost or told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <string.h>

#include "poller.h"
#include "record.h"
#include "secret.h"

#define HEADER "{\"format\":\"ois-nodes\",\"version\":1}\n"
#define NODE                                                                                       \
	"{\"targetName\":\"iqn.2026-11.org.example:disk\",\"address\":\"192.0.2.1\",\"port\":"     \
	"3260,"                                                                                    \
	"\"origin\":\"static\"}\n"
#define PORTAL "{\"discovery\":\"send_targets\",\"address\":\"192.0.2.1\",\"port\":3260}\n"

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

/* Why the only line that could not be read was refused; NULL: all could be. */
static const char *complaint(void)
{
	const struct eventlog_entry *entry = eventlog_after(log_of_events, 0);

	assert_true(!entry || !eventlog_after(log_of_events, entry->sequence));
	return entry ? event_get(entry->event, FIELD_REASON) : NULL;
}

static struct portal *create(const char *address, uint16_t port)
{
	struct portal *portal = NULL;

	assert_int_equal(records_create_portal(records, address, port, &portal), 0);
	return portal;
}

static void test_round_trip(void **state)
{
	struct portal *portal;
	uint64_t created;

	load();
	assert_null(records_portal_at(records, 0));
	portal = create("2001:DB8:0::1", 3260);
	assert_string_equal(portal->address, "2001:db8::1");
	created = portal->created_usec;
	assert_true(created > 0 && portal->changed_usec >= created);
	assert_int_equal(
		settings_set_text(portal->settings, "authentication.userName", "a \"b\"", NULL), 0);
	assert_int_equal(settings_set_text(portal->settings, "startup", "manual", NULL), -ENOENT);
	assert_int_equal(secret_new("sixteen bytes ..", 16, &portal->secret), 0);
	assert_int_equal(secret_new("\0\xff", 2, &portal->target_secret), 0);
	records_portal_changed(records, portal);
	commit();
	assert_file_has(
		"\n{\"discovery\":\"send_targets\",\"address\":\"2001:db8::1\",\"port\":3260,");
	assert_file_has("\"secretBase64\":\"c2l4dGVlbiBieXRlcyAuLg==\",\"targetSecretBase64\":"
			"\"AP8=\"}\n");

	load();
	assert_null(complaint());
	/* It is no node. */
	assert_int_equal(records_count(records), 0);
	portal = records_find_portal(records, "2001:db8:0:0::1", 3260);
	assert_non_null(portal);
	assert_ptr_equal(portal, records_portal_at(records, 0));
	assert_int_equal(portal->created_usec, created);
	assert_string_equal(settings_text(portal->settings, SETTING_AUTHENTICATION_USER_NAME),
			    "a \"b\"");
	assert_int_equal(secret_length(portal->secret), 16);
	assert_memory_equal(secret_bytes(portal->secret), "sixteen bytes ..", 16);
	assert_int_equal(secret_length(portal->target_secret), 2);
	records_remove_portal(records, portal);
	commit();
	load();
	assert_null(records_portal_at(records, 0));
}

static void test_keys(void **state)
{
	static const char *const bad[] = { "", "[::1]", "::1%", "a b", "1:2", "\x01" };
	struct portal *portal = NULL;

	load();
	(void)create("::1", 3260);
	(void)create("fe80::1%eth0", 3260);
	assert_int_equal(records_create_portal(records, "0:0::1", 3260, &portal), -EEXIST);
	assert_non_null(records_find_portal(records, "0::0:1", 3260));
	assert_null(records_find_portal(records, "::1", 3261));
	assert_null(records_find_portal(records, "::2", 3260));
	assert_null(records_find_portal(records, "fe80::1", 3260));
	assert_null(records_find_portal(records, "fe80::1%eth1", 3260));
	assert_int_equal(records_create_portal(records, "::1", 0, &portal), -EINVAL);
	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		assert_int_equal(records_create_portal(records, bad[i], 1, &portal), -EINVAL);
		assert_null(records_find_portal(records, bad[i], 1));
	}
}

static void test_order(void **state)
{
	static const struct {
		const char *address;
		uint16_t port;
	} sorted[] = { { "192.0.2.1", 3260 },
		       { "192.0.2.1", 10000 },
		       { "192.0.2.10", 1 },
		       { "192.0.2.2", 1 },
		       { "storage", 3260 } };
	static const size_t order[] = { 3, 0, 4, 2, 1 };

	load();
	for (size_t i = 0; i < ELEMENTSOF(order); i++)
		(void)create(sorted[order[i]].address, sorted[order[i]].port);
	commit();
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ELEMENTSOF(sorted); i++) {
			const struct portal *portal = records_portal_at(records, i);

			assert_non_null(portal);
			assert_string_equal(portal->address, sorted[i].address);
			assert_int_equal(portal->port, sorted[i].port);
		}
		assert_null(records_portal_at(records, ELEMENTSOF(sorted)));
		load();
	}
	records_remove_portal(records, records_find_portal(records, "192.0.2.10", 1));
	assert_string_equal(records_portal_at(records, 2)->address, "192.0.2.2");
	records_remove_portal(records, records_find_portal(records, "192.0.2.1", 3260));
	assert_int_equal(records_portal_at(records, 0)->port, 10000);
	records_remove_portal(records, records_find_portal(records, "storage", 3260));
	assert_null(records_portal_at(records, 2));
}

/* Each is reported, kept, and does not disturb what stands behind it. */
static void test_damaged_lines(void **state)
{
	static const char *const rows[][2] = {
		{ "{\"discovery\":\"isns\",\"address\":\"a\",\"port\":1}", "kind of discovery" },
		{ "{\"discovery\":null,\"address\":\"a\",\"port\":1}", "kind of discovery" },
		{ "{\"discovery\":1,\"address\":\"a\",\"port\":1}", "text" },
		{ "{\"discovery\":\"send_targets\"}", "address or port" },
		{ "{\"discovery\":\"send_targets\",\"address\":\"a\"}", "address or port" },
		{ "{\"discovery\":\"send_targets\",\"address\":\"a b\",\"port\":1}",
		  "address or port" },
		{ "{\"discovery\":\"send_targets\",\"address\":\"a\",\"port\":65536}", "number" },
		{ "{\"discovery\":\"send_targets\",\"address\":\"a\",\"port\":1,\"settings\":1}",
		  "settings is no object" },
		{ "{\"discovery\":\"send_targets\",\"address\":\"a\",\"port\":1,\"settings\":{"
		  "\"loginTimeoutSeconds\":0}}",
		  "loginTimeoutSeconds must be a number, 1 to 300" },
		{ "{\"discovery\":\"send_targets\",\"address\":\"a\",\"port\":1,\"secretBase64\":"
		  "\"c2Vjcm\"}",
		  "a secret is no base64" },
		{ "{\"discovery\":\"send_targets\",\"address\":\"a\",\"port\":1,"
		  "\"createdTimestampUSec\":-1}",
		  "number" },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		char content[1024];

		(void)snprintf(content, sizeof(content), HEADER "%s\n" PORTAL NODE, rows[i][0]);
		put_file(content);
		load();
		if (!complaint() || !strstr(complaint(), rows[i][1]))
			fail_msg("%s: %s", rows[i][0], complaint() ?: "accepted");
		assert_null(strstr(complaint(), "c2Vjcm"));
		assert_int_equal(records_count(records), 1);
		assert_non_null(records_portal_at(records, 0));
		assert_null(records_portal_at(records, 1));
		records_portal_changed(records, records_portal_at(records, 0));
		commit();
		(void)snprintf(content, sizeof(content), "\n%s\n", rows[i][0]);
		assert_file_has(content);
		assert_file_has("\n{\"discovery\":\"send_targets\",\"address\":\"192.0.2.1\"");
	}
}

static void test_duplicate(void **state)
{
	put_file(HEADER PORTAL PORTAL);
	load();
	assert_non_null(strstr(complaint(), "same portal"));
	assert_null(records_portal_at(records, 1));
}

/* Members a later version wrote come back where they were; settings of nodes are such, too. */
static void test_unknown_members(void **state)
{
	struct portal *portal;

	put_file(HEADER
		 "{\"discovery\":\"send_targets\",\"address\":\"a\",\"port\":1,\"later\":[1],"
		 "\"settings\":{\"later\":1,\"scan\":false,\"tcp\":{\"later\":2,\"netDevice\":"
		 "\"eth0\"},\"keys\":{\"initialR2T\":true}}}\n");
	load();
	assert_null(complaint());
	portal = records_portal_at(records, 0);
	assert_string_equal(settings_text(portal->settings, SETTING_TCP_NET_DEVICE), "eth0");
	assert_false(settings_is_set(portal->settings, SETTING_SCAN));
	records_portal_changed(records, portal);
	commit();
	assert_file_has("\"later\":[1]}\n");
	assert_file_has("\"settings\":{\"tcp\":{\"netDevice\":\"eth0\",\"later\":2},\"later\":1,"
			"\"scan\":false,\"keys\":{\"initialR2T\":true}}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_round_trip),    TEST(test_keys),      TEST(test_order),
		TEST(test_damaged_lines), TEST(test_duplicate), TEST(test_unknown_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
