// layers: oisd-core
// wraps: turn_ends work_submit
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Node records in memory and on disk: what is written is read again, what cannot be understood is
 * reported and kept, and a crash or an error at any step of a write leaves the old or the new file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "poller.h"
#include "record.h"
#include "secret.h"
#include "turn.h"
#include "work.h"

#define NODES_HEADER      "{\"format\":\"ois-nodes\",\"version\":1}\n"
#define DISCOVERED_HEADER "{\"format\":\"ois-discovered\",\"version\":1}\n"
#define TARGET            "iqn.2026-11.org.example:disk"

/*
 * The system calls of a write, one of which can be made to fail (errno) or to be the last thing
 * that happens (crash); steps are counted in the writing thread only.
 */
static atomic_int fault_step;  /* 0: none */
static atomic_int fault_errno; /* 0: crash */

static bool is_faulty(void)
{
	if (atomic_load(&fault_step) == 0 || gettid() == getpid())
		return false;
	return atomic_fetch_sub(&fault_step, 1) == 1;
}

static int fail_or_die(void)
{
	if (atomic_load(&fault_errno) == 0)
		_exit(7);
	errno = atomic_load(&fault_errno);
	return -1;
}

int openat(int directory, const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = va_arg(arguments, mode_t);
	va_end(arguments);
	if (is_faulty())
		return fail_or_die();
	return (int)syscall(SYS_openat, directory, path, flags, mode);
}

ssize_t write(int fd, const void *data, size_t length)
{
	if (is_faulty()) {
		(void)syscall(SYS_write, fd, data, length / 2);
		return fail_or_die();
	}
	return syscall(SYS_write, fd, data, length);
}

int fsync(int fd)
{
	if (is_faulty())
		return fail_or_die();
	return (int)syscall(SYS_fsync, fd);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
	if (is_faulty())
		return fail_or_die();
	return (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, 0);
}

/* A turn of the loop has time for one thing; there is no thread for a write. */
static bool short_turns, no_threads;

bool __real_turn_ends(size_t n_done);
bool __wrap_turn_ends(size_t n_done);
bool __wrap_turn_ends(size_t n_done)
{
	return short_turns ? n_done > 0 : __real_turn_ends(n_done);
}

int __real_work_submit(struct work *work, work_run_t run, work_done_t done, void *argument);
int __wrap_work_submit(struct work *work, work_run_t run, work_done_t done, void *argument);
int __wrap_work_submit(struct work *work, work_run_t run, work_done_t done, void *argument)
{
	return no_threads ? -EAGAIN : __real_work_submit(work, run, done, argument);
}

struct fixture {
	char directory[64];
	sd_event *event;
	struct poller *poller;
	struct journal *journal;
	struct eventlog *log;
	struct records *records;
};

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	return remove(path);
}

static void fixture_init(struct fixture *fixture)
{
	assert_int_equal(sd_event_new(&fixture->event), 0);
	assert_int_equal(poller_new(fixture->event, &fixture->poller), 0);
	assert_int_equal(journal_new(fixture->event, "/nonexistent/socket", &fixture->journal), 0);
	assert_int_equal(eventlog_new(fixture->event, fixture->journal, 100, &fixture->log), 0);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	(void)strcpy(fixture->directory, "/tmp/ois-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	fixture_init(fixture);
	*state = fixture;
	return 0;
}

static void fixture_done(struct fixture *fixture)
{
	fixture->records = records_free(fixture->records);
	fixture->log = eventlog_free(fixture->log);
	fixture->journal = journal_free(fixture->journal);
	fixture->poller = poller_free(fixture->poller);
	fixture->event = sd_event_unref(fixture->event);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	atomic_store(&fault_step, 0);
	short_turns = no_threads = false;
	fixture_done(fixture);
	(void)nftw(fixture->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	free(fixture);
	return 0;
}

static void load(struct fixture *fixture)
{
	fixture->records = records_free(fixture->records);
	assert_int_equal(
		records_new(fixture->poller, fixture->directory, fixture->log, &fixture->records),
		0);
}

static void on_done(void *userdata, int error)
{
	*(int *)userdata = error;
}

static int commit(struct fixture *fixture)
{
	int result = 1;

	assert_int_equal(records_commit(fixture->records, on_done, &result), 0);
	assert_int_equal(result, 1);
	while (result == 1)
		assert_true(sd_event_run(fixture->event, UINT64_MAX) >= 0);
	return result;
}

static void path_of(const struct fixture *fixture, const char *name, char ret[128])
{
	(void)snprintf(ret, 128, "%s/%s", fixture->directory, name);
}

static void put_bytes(const struct fixture *fixture, const char *name, const char *content,
		      size_t length)
{
	_cleanup_(fclosep) FILE *file = NULL;
	char path[128];

	path_of(fixture, name, path);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, length, file), length);
}

static void put_file(const struct fixture *fixture, const char *name, const char *content)
{
	put_bytes(fixture, name, content, strlen(content));
}

/* NULL: there is none. */
static char *get_file(const struct fixture *fixture, const char *name)
{
	_cleanup_(fclosep) FILE *file = NULL;
	struct stat status;
	char path[128], *content;

	path_of(fixture, name, path);
	file = fopen(path, "re");
	if (!file)
		return NULL;
	assert_int_equal(fstat(fileno(file), &status), 0);
	content = calloc(1, (size_t)status.st_size + 1);
	assert_non_null(content);
	assert_int_equal(fread(content, 1, (size_t)status.st_size, file), status.st_size);
	return content;
}

static void assert_file(const struct fixture *fixture, const char *name, const char *expected)
{
	_cleanup_free_ char *content = get_file(fixture, name);

	assert_non_null(content);
	assert_string_equal(content, expected);
}

static void assert_file_has(const struct fixture *fixture, const char *name, const char *part)
{
	_cleanup_free_ char *content = get_file(fixture, name);

	assert_non_null(content);
	if (!strstr(content, part))
		fail_msg("%s lacks %s: %s", name, part, content);
}

static struct node *find(const struct fixture *fixture, const char *target_name,
			 const char *address)
{
	return records_find(
		fixture->records,
		&(struct node_key){ .target_name = target_name, .address = address, .port = 3260 });
}

static struct node *create(struct fixture *fixture, const char *target_name, const char *address)
{
	struct node_key key = { .target_name = target_name, .address = address, .port = 3260 };
	struct node *node = NULL;

	assert_int_equal(records_create(fixture->records, &key, 1, &node), 0);
	return node;
}

static enum records_found discover(struct fixture *fixture, const char *target_name,
				   const char *address, int tag, const char *alias)
{
	struct node_key key = { .target_name = target_name, .address = address, .port = 3260 };
	enum records_found found = RECORDS_FOUND_UNCHANGED;

	assert_int_equal(records_found(fixture->records, &key, tag, alias, "192.0.2.100", 3261,
				       true, &found),
			 0);
	return found;
}

static void set(struct fixture *fixture, struct node *node, const char *name, const char *value)
{
	assert_int_equal(settings_set_text(node->settings, name, value, NULL), 0);
	records_changed(fixture->records, node, false);
}

static void set_secret(struct fixture *fixture, struct node *node, const char *text)
{
	(void)secret_free(node->secret);
	assert_int_equal(secret_new(text, strlen(text), &node->secret), 0);
	records_changed(fixture->records, node, false);
}

/* Number of events of this kind; *@ret_last is the last one. */
static unsigned count_events(const struct fixture *fixture, enum event_number number,
			     const struct event **ret_last)
{
	const struct eventlog_entry *entry;
	unsigned n = 0;

	for (uint64_t at = 0; (entry = eventlog_after(fixture->log, at)); at = entry->sequence) {
		if (event_type(entry->event)->number != number)
			continue;
		n++;
		if (ret_last)
			*ret_last = entry->event;
	}
	return n;
}

static void test_empty(void **state)
{
	struct fixture *fixture = *state;

	load(fixture);
	assert_int_equal(records_count(fixture->records), 0);
	assert_null(records_at(fixture->records, 0));
	assert_null(find(fixture, TARGET, "192.0.2.1"));
	/* Nothing was changed, so nothing is written. */
	assert_int_equal(commit(fixture), 0);
	assert_null(get_file(fixture, "nodes.jsonl"));
	assert_int_equal(eventlog_last(fixture->log), 0);
}

static void test_round_trip(void **state)
{
	struct fixture *fixture = *state;
	struct node *node;
	uint64_t created;

	load(fixture);
	node = create(fixture, TARGET, "2001:db8::1");
	created = node->created_usec;
	set(fixture, node, "keys.headerDigest", "crc32c,none");
	set(fixture, node, "authentication.userName", "quote\" back\\slash \xc3\xa4");
	set_secret(fixture, node, "sixteen bytes ..");
	assert_int_equal(secret_new("\0\xff", 2, &node->target_secret), 0);
	assert_int_equal(discover(fixture, TARGET, "192.0.2.7", 3, "alias \"7\""),
			 RECORDS_FOUND_CREATED);
	assert_int_equal(commit(fixture), 0);

	load(fixture);
	assert_int_equal(eventlog_last(fixture->log), 0);
	assert_int_equal(records_count(fixture->records), 2);
	node = find(fixture, TARGET, "2001:db8::1");
	assert_non_null(node);
	assert_int_equal(node->origin, NODE_ORIGIN_STATIC);
	assert_int_equal(node->portal_group_tag, 1);
	assert_int_equal(node->created_usec, created);
	assert_true(node->changed_usec >= created);
	assert_int_equal(node->last_seen_usec, 0);
	assert_string_equal(settings_text(node->settings, SETTING_AUTHENTICATION_USER_NAME),
			    "quote\" back\\slash \xc3\xa4");
	assert_true(settings_is_set(node->settings, SETTING_KEYS_HEADER_DIGEST));
	assert_false(settings_is_set(node->settings, SETTING_STARTUP));
	assert_int_equal(secret_length(node->secret), 16);
	assert_memory_equal(secret_bytes(node->secret), "sixteen bytes ..", 16);
	assert_int_equal(secret_length(node->target_secret), 2);
	assert_memory_equal(secret_bytes(node->target_secret), "\0\xff", 2);

	node = find(fixture, TARGET, "192.0.2.7");
	assert_non_null(node);
	assert_int_equal(node->origin, NODE_ORIGIN_SEND_TARGETS);
	assert_int_equal(node->portal_group_tag, 3);
	assert_string_equal(node->target_alias, "alias \"7\"");
	assert_string_equal(node->origin_address, "192.0.2.100");
	assert_int_equal(node->origin_port, 3261);
	assert_true(node->last_seen_usec > 0);
	assert_null(node->secret);
	assert_true(settings_is_empty(node->settings));
}

/* What a login has learned of a node is a fact, of static nodes too. */
static void test_md5_only(void **state)
{
	struct fixture *fixture = *state;
	struct node *node, *found;
	uint64_t since;

	load(fixture);
	node = create(fixture, TARGET, "192.0.2.1");
	(void)discover(fixture, TARGET, "192.0.2.2", 1, NULL);
	found = find(fixture, TARGET, "192.0.2.2");
	assert_int_equal(node->md5_only_usec, 0);
	records_set_md5_only(fixture->records, node, true);
	records_set_md5_only(fixture->records, found, true);
	since = node->md5_only_usec;
	assert_true(since > 0);
	/* Since the first time. */
	records_set_md5_only(fixture->records, node, true);
	assert_int_equal(node->md5_only_usec, since);
	assert_int_equal(commit(fixture), 0);
	load(fixture);
	assert_int_equal(records_count(fixture->records), 2);
	node = find(fixture, TARGET, "192.0.2.1");
	found = find(fixture, TARGET, "192.0.2.2");
	assert_int_equal(node->md5_only_usec, since);
	assert_int_equal(node->origin, NODE_ORIGIN_STATIC);
	assert_int_equal(node->last_seen_usec, 0);
	assert_true(found->md5_only_usec > 0 && found->last_seen_usec > 0);

	/* Forgotten when it is found again, and when a person changes something. */
	(void)discover(fixture, TARGET, "192.0.2.2", 1, NULL);
	assert_int_equal(found->md5_only_usec, 0);
	records_changed(fixture->records, node, true);
	assert_int_equal(node->md5_only_usec, since);
	records_changed(fixture->records, node, false);
	assert_int_equal(node->md5_only_usec, 0);
	assert_int_equal(commit(fixture), 0);
	load(fixture);
	assert_int_equal(find(fixture, TARGET, "192.0.2.1")->md5_only_usec, 0);
	assert_int_equal(find(fixture, TARGET, "192.0.2.2")->md5_only_usec, 0);
}

/* Where a target has moved to is known of static nodes as of those that were found. */
static void test_redirect(void **state)
{
	struct fixture *fixture = *state;
	struct node *node, *found;

	load(fixture);
	node = create(fixture, TARGET, "192.0.2.1");
	(void)discover(fixture, TARGET, "192.0.2.2", 1, NULL);
	found = find(fixture, TARGET, "192.0.2.2");
	assert_int_equal(records_set_redirect(fixture->records, node, "disk.example", 860), 0);
	assert_int_equal(records_set_redirect(fixture->records, found, "fe80::1%eth0", 3260), 0);
	assert_int_equal(commit(fixture), 0);
	load(fixture);
	node = find(fixture, TARGET, "192.0.2.1");
	found = find(fixture, TARGET, "192.0.2.2");
	assert_string_equal(node->redirect_address, "disk.example");
	assert_int_equal(node->redirect_port, 860);
	assert_true(node->redirect_usec > 0);
	assert_int_equal(node->origin, NODE_ORIGIN_STATIC);
	assert_int_equal(node->last_seen_usec, 0);
	assert_string_equal(found->redirect_address, "fe80::1%eth0");

	/* Neither settings nor discoveries have to do with it. */
	records_changed(fixture->records, node, false);
	(void)discover(fixture, TARGET, "192.0.2.2", 2, NULL);
	assert_non_null(node->redirect_address);
	assert_non_null(found->redirect_address);
	assert_int_equal(records_set_redirect(fixture->records, node, NULL, 0), 0);
	assert_int_equal(records_set_redirect(fixture->records, found, NULL, 0), 0);
	assert_int_equal(commit(fixture), 0);
	load(fixture);
	assert_int_equal(records_count(fixture->records), 2);
	assert_null(find(fixture, TARGET, "192.0.2.1")->redirect_address);
	assert_int_equal(find(fixture, TARGET, "192.0.2.1")->redirect_usec, 0);
	assert_null(find(fixture, TARGET, "192.0.2.2")->redirect_address);
}

static void test_redirect_invalid(void **state)
{
	static const char *const members[] = {
		"\"redirectAddress\":\"\",\"redirectPort\":1",
		"\"redirectAddress\":\"a b\",\"redirectPort\":1",
		"\"redirectAddress\":\"x\"",
		"\"redirectAddress\":\"x\",\"redirectPort\":0",
		"\"redirectAddress\":\"x\",\"redirectPort\":65536",
		"\"redirectAddress\":7,\"redirectPort\":1",
		"\"redirectAddress\":\"x\",\"redirectPort\":1,\"redirectTimestampUSec\":-1",
		"\"redirectPort\":1",
	};
	struct fixture *fixture = *state;
	char text[512];

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		(void)snprintf(text, sizeof(text),
			       DISCOVERED_HEADER "{\"targetName\":\"a\",\"address\":\"b\","
						 "\"port\":3260,%s}\n",
			       members[i]);
		put_file(fixture, "nodes.jsonl",
			 NODES_HEADER "{\"targetName\":\"a\",\"address\":\"b\",\"port\":3260}\n");
		put_file(fixture, "discovered.jsonl", text);
		load(fixture);
		assert_null(find(fixture, "a", "b")->redirect_address);
		assert_int_equal(count_events(fixture, EVENT_RECORD_INVALID, NULL), i + 1);
	}
}

/* A secret, of ours or of the target, is something a person set, even if nothing else is. */
static void test_secret_alone(void **state)
{
	struct fixture *fixture = *state;
	struct node *node;

	load(fixture);
	(void)discover(fixture, TARGET, "192.0.2.1", 1, NULL);
	(void)discover(fixture, TARGET, "192.0.2.2", 1, NULL);
	set_secret(fixture, find(fixture, TARGET, "192.0.2.1"), "secret secret");
	node = find(fixture, TARGET, "192.0.2.2");
	assert_int_equal(secret_new("target secret", 13, &node->target_secret), 0);
	records_changed(fixture->records, node, false);
	assert_int_equal(commit(fixture), 0);
	load(fixture);
	assert_int_equal(secret_length(find(fixture, TARGET, "192.0.2.1")->secret), 13);
	assert_int_equal(secret_length(find(fixture, TARGET, "192.0.2.2")->target_secret), 13);
}

/* What a person said last of a node found by a discovery survives both. */
static void test_logged_out(void **state)
{
	struct fixture *fixture = *state;
	struct node *node;

	load(fixture);
	(void)discover(fixture, TARGET, "192.0.2.1", 1, NULL);
	node = find(fixture, TARGET, "192.0.2.1");
	records_set_logged_out(fixture->records, node, true, true);
	assert_true(node->logged_out_usec > 0);
	assert_int_equal(commit(fixture), 0);
	load(fixture);
	node = find(fixture, TARGET, "192.0.2.1");
	assert_true(node->logged_out_usec > 0 && node->logged_out_forced);
	assert_int_equal(node->origin, NODE_ORIGIN_SEND_TARGETS);
	(void)discover(fixture, TARGET, "192.0.2.1", 1, NULL);
	assert_true(find(fixture, TARGET, "192.0.2.1")->logged_out_usec > 0);
	records_set_logged_out(fixture->records, find(fixture, TARGET, "192.0.2.1"), false, false);
	assert_int_equal(commit(fixture), 0);
	load(fixture);
	node = find(fixture, TARGET, "192.0.2.1");
	assert_true(node->logged_out_usec == 0 && !node->logged_out_forced);
	/* With a check of its devices. */
	records_set_logged_out(fixture->records, node, true, false);
	assert_int_equal(commit(fixture), 0);
	load(fixture);
	assert_false(find(fixture, TARGET, "192.0.2.1")->logged_out_forced);
}

/* A line with nothing but that makes no node. */
static void test_md5_only_of_nobody(void **state)
{
	struct fixture *fixture = *state;

	put_file(fixture, "nodes.jsonl",
		 NODES_HEADER "{\"targetName\":\"a\",\"address\":\"b\",\"port\":3260}\n");
	put_file(fixture, "discovered.jsonl",
		 DISCOVERED_HEADER
		 "{\"targetName\":\"a\",\"address\":\"b\",\"port\":3260,\"md5OnlyTimestampUSec\":5}"
		 "\n"
		 "{\"targetName\":\"a\",\"address\":\"c\",\"port\":3260,\"md5OnlyTimestampUSec\":6}"
		 "\n"
		 "{\"targetName\":\"a\",\"address\":\"b\",\"port\":3260,\"md5OnlyTimestampUSec\":7}"
		 "\n"
		 "{\"targetName\":\"a\",\"address\":\"b\",\"port\":3260,\"md5OnlyTimestampUSec\":"
		 "\"x\"}\n");
	load(fixture);
	assert_int_equal(records_count(fixture->records), 1);
	assert_int_equal(find(fixture, "a", "b")->md5_only_usec, 5);
	/* The third line repeats the first, the fourth is damaged. */
	assert_int_equal(count_events(fixture, EVENT_RECORD_INVALID, NULL), 2);
	/* Nothing of a node that is removed comes back. */
	records_remove(fixture->records, find(fixture, "a", "b"));
	assert_int_equal(commit(fixture), 0);
	load(fixture);
	assert_int_equal(records_count(fixture->records), 0);
}

static void test_permissions(void **state)
{
	struct fixture *fixture = *state;
	struct stat status;
	char path[128];

	/* The directory is made, its name kept. */
	(void)strcat(fixture->directory, "/new");
	(void)umask(0);
	load(fixture);
	set_secret(fixture, create(fixture, TARGET, "192.0.2.1"), "secret secret");
	(void)discover(fixture, TARGET, "192.0.2.1", 1, NULL);
	assert_int_equal(commit(fixture), 0);
	assert_int_equal(stat(fixture->directory, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	path_of(fixture, "discovered.jsonl", path);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	path_of(fixture, "nodes.jsonl", path);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	/* One that others can read is closed at once. */
	assert_int_equal(chmod(path, 0644), 0);
	load(fixture);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	(void)nftw(fixture->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	*strrchr(fixture->directory, '/') = '\0';
}

static void test_order(void **state)
{
	static const char *const names[][2] = {
		{ "iqn.2026-11.org.example:b", "192.0.2.1" },
		{ "iqn.2026-11.org.example:a", "192.0.2.9" },
		{ "iqn.2026-11.org.example:c", "192.0.2.1" },
		{ "iqn.2026-11.org.example:a", "192.0.2.10" },
		{ "iqn.2026-11.org.example:d", "192.0.2.1" },
	};
	static const size_t sorted[] = { 3, 1, 0, 2, 4 };
	struct fixture *fixture = *state;
	struct node_key key = { names[0][0], names[0][1], 3260 };
	struct node *nodes[ELEMENTSOF(names)], *node = NULL;

	load(fixture);
	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		nodes[i] = create(fixture, names[i][0], names[i][1]);
	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		assert_ptr_equal(records_at(fixture->records, i), nodes[sorted[i]]);
	assert_null(records_at(fixture->records, ELEMENTSOF(names)));
	assert_int_equal(records_create(fixture->records, &key, 1, &node), -EEXIST);
	/* Another port is another node. */
	key.port = 3261;
	assert_int_equal(records_create(fixture->records, &key, 1, &node), 0);
	assert_ptr_equal(records_at(fixture->records, 3), node);
	/* From either end and the middle, with the order kept. */
	records_remove(fixture->records, nodes[3]);
	assert_ptr_equal(records_at(fixture->records, 0), nodes[1]);
	records_remove(fixture->records, node);
	assert_ptr_equal(records_at(fixture->records, 1), nodes[0]);
	assert_ptr_equal(records_at(fixture->records, 2), nodes[2]);
	records_remove(fixture->records, nodes[4]);
	assert_int_equal(records_count(fixture->records), 3);
	assert_ptr_equal(records_at(fixture->records, 2), nodes[2]);
	assert_null(records_at(fixture->records, 3));
	assert_null(find(fixture, names[4][0], names[4][1]));
	for (size_t i = 3; i-- > 0;)
		records_remove(fixture->records, records_at(fixture->records, i));
	assert_int_equal(records_count(fixture->records), 0);
	node = create(fixture, names[0][0], names[0][1]);
	assert_ptr_equal(records_at(fixture->records, 0), node);
}

static void test_bad_keys(void **state)
{
	static char long_name[300];
	struct fixture *fixture = *state;
	const struct node_key rows[] = {
		{ "", "192.0.2.1", 3260 },        { TARGET, "", 3260 },
		{ TARGET, "192.0.2.1", 0 },       { TARGET, "a b", 3260 },
		{ "iqn\n", "192.0.2.1", 3260 },   { "\xff\xfe", "192.0.2.1", 3260 },
		{ long_name, "192.0.2.1", 3260 }, { TARGET, long_name, 3260 },
	};

	memset(long_name, 'n', sizeof(long_name) - 1);
	load(fixture);
	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		enum records_found found;
		struct node *node;

		assert_int_equal(records_create(fixture->records, &rows[i], 1, &node), -EINVAL);
		assert_int_equal(
			records_found(fixture->records, &rows[i], 1, NULL, "a", 1, true, &found),
			-EINVAL);
	}
	assert_int_equal(records_count(fixture->records), 0);
}

static void test_rediscovery_keeps_settings(void **state)
{
	struct fixture *fixture = *state;
	struct node_key unknown = { TARGET, "192.0.2.9", 3260 };
	enum records_found found;
	struct node *node;

	load(fixture);
	assert_int_equal(discover(fixture, TARGET, "192.0.2.1", 1, "old"), RECORDS_FOUND_CREATED);
	node = find(fixture, TARGET, "192.0.2.1");
	set(fixture, node, "queueDepth", "8");
	set_secret(fixture, node, "secret secret");
	assert_int_equal(commit(fixture), 0);

	assert_int_equal(discover(fixture, TARGET, "192.0.2.1", 1, "old"), RECORDS_FOUND_UNCHANGED);
	/* Not told is not changed. */
	assert_int_equal(discover(fixture, TARGET, "192.0.2.1", -1, NULL), RECORDS_FOUND_UNCHANGED);
	assert_string_equal(node->target_alias, "old");
	assert_int_equal(node->portal_group_tag, 1);
	assert_int_equal(discover(fixture, TARGET, "192.0.2.1", 2, "new"), RECORDS_FOUND_UPDATED);
	assert_int_equal(commit(fixture), 0);
	load(fixture);
	node = find(fixture, TARGET, "192.0.2.1");
	assert_int_equal(records_count(fixture->records), 1);
	assert_string_equal(node->target_alias, "new");
	assert_int_equal(node->portal_group_tag, 2);
	assert_int_equal(settings_number(node->settings, SETTING_QUEUE_DEPTH), 8);
	assert_int_equal(secret_length(node->secret), 13);
	assert_int_equal(node->origin, NODE_ORIGIN_SEND_TARGETS);

	assert_int_equal(records_found(fixture->records, &unknown, 1, NULL, "a", 1, false, &found),
			 -ENOENT);
	assert_int_equal(records_count(fixture->records), 1);
}

static void test_static_node_stays_static(void **state)
{
	struct fixture *fixture = *state;
	struct node *node;

	load(fixture);
	(void)create(fixture, TARGET, "192.0.2.1");
	assert_int_equal(discover(fixture, TARGET, "192.0.2.1", 5, "alias"), RECORDS_FOUND_UPDATED);
	assert_int_equal(commit(fixture), 0);
	load(fixture);
	node = find(fixture, TARGET, "192.0.2.1");
	assert_int_equal(node->origin, NODE_ORIGIN_STATIC);
	assert_int_equal(node->portal_group_tag, 5);
	assert_null(node->origin_address);
	assert_true(node->last_seen_usec > 0);
	/* Both lines go. */
	records_remove(fixture->records, node);
	assert_int_equal(commit(fixture), 0);
	assert_file(fixture, "nodes.jsonl", NODES_HEADER);
	assert_file(fixture, "discovered.jsonl", DISCOVERED_HEADER);
}

static void test_settings_without_facts(void **state)
{
	struct fixture *fixture = *state;
	struct node *node;
	char path[128];

	load(fixture);
	(void)discover(fixture, TARGET, "192.0.2.1", 1, NULL);
	(void)discover(fixture, TARGET, "192.0.2.2", 1, NULL);
	set(fixture, find(fixture, TARGET, "192.0.2.1"), "startup", "automatic");
	assert_int_equal(commit(fixture), 0);
	path_of(fixture, "discovered.jsonl", path);
	assert_int_equal(unlink(path), 0);
	load(fixture);
	assert_int_equal(records_count(fixture->records), 1);
	node = find(fixture, TARGET, "192.0.2.1");
	assert_int_equal(node->origin, NODE_ORIGIN_STATIC);
	assert_int_equal(settings_number(node->settings, SETTING_STARTUP), STARTUP_AUTOMATIC);
	assert_int_equal(eventlog_last(fixture->log), 0);
}

#define GOOD_LINE                                                                                  \
	"{\"targetName\":\"" TARGET                                                                \
	"\",\"address\":\"192.0.2.1\",\"port\":3260,\"createdTimestampUSec\":1,"                   \
	"\"changedTimestampUSec\":2,\"origin\":\"static\"}"

/* Each is reported with its number, kept, and does not disturb the good line behind it. */
static void test_damaged_lines(void **state)
{
	static const char *const rows[][2] = {
		{ "x", "no JSON object" },
		{ "{", "no JSON object" },
		{ "[]", "no JSON object" },
		{ "\xff\xfe", "no JSON object" },
		{ "{\"targetName\":\"\xff\"}", "no JSON object" },
		{ "{} {}", "no JSON object" },
		{ "{}", "missing" },
		{ "{\"targetName\":\"a\",\"address\":\"b\"}", "port" },
		{ "{\"targetName\":\"a\",\"address\":\"b\",\"port\":65536}", "number" },
		{ "{\"targetName\":\"a\",\"address\":\"b\",\"port\":\"1\"}", "number" },
		{ "{\"targetName\":1,\"address\":\"b\",\"port\":1}", "text" },
		{ "{\"targetName\":\"a\\u0000\",\"address\":\"b\",\"port\":1}", "no JSON object" },
		{ "{\"targetName\":\"\",\"address\":\"b\",\"port\":1}", "iSCSI name" },
		{ "{\"targetName\":\"a\",\"address\":\"b c\",\"port\":1}", "address" },
		{ "{\"targetName\":\"a\",\"address\":\"b\",\"port\":1,\"portalGroupTag\":-1}",
		  "number" },
		{ "{\"targetName\":\"a\",\"address\":\"b\",\"port\":1,\"settings\":[]}",
		  "settings" },
		{ "{\"targetName\":\"a\",\"address\":\"b\",\"port\":1,\"settings\":{\"queueDepth\":"
		  "0}}",
		  "queueDepth must be a number, 1 to 1024" },
		{ "{\"targetName\":\"a\",\"address\":\"b\",\"port\":1,\"secretBase64\":\"c2Vjcm\"}",
		  "base64" },
		{ "{\"targetName\":\"a\",\"address\":\"b\",\"port\":1,\"secretBase64\":7}",
		  "text" },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		unsigned before = count_events(fixture, EVENT_RECORD_INVALID, NULL);
		const struct event *event = NULL;
		char content[1024];

		(void)snprintf(content, sizeof(content), NODES_HEADER "\n%s\n" GOOD_LINE "\n",
			       rows[i][0]);
		put_file(fixture, "nodes.jsonl", content);
		load(fixture);
		assert_int_equal(count_events(fixture, EVENT_RECORD_INVALID, &event), before + 1);
		assert_string_equal(event_get(event, FIELD_LINE), "3");
		assert_non_null(strstr(event_get(event, FIELD_FILE), "/nodes.jsonl"));
		if (!strstr(event_get(event, FIELD_REASON), rows[i][1]))
			fail_msg("%s: %s", rows[i][0], event_get(event, FIELD_REASON));
		assert_int_equal(records_count(fixture->records), 1);
		assert_non_null(find(fixture, TARGET, "192.0.2.1"));

		records_changed(fixture->records, find(fixture, TARGET, "192.0.2.1"), false);
		assert_int_equal(commit(fixture), 0);
		(void)snprintf(content, sizeof(content), "\n%s\n", rows[i][0]);
		assert_file_has(fixture, "nodes.jsonl", content);
		assert_file_has(fixture, "nodes.jsonl", "\"192.0.2.1\"");
	}
}

static void test_secret_is_not_told(void **state)
{
	struct fixture *fixture = *state;
	const struct event *event = NULL;
	json_object *object;

	put_file(fixture, "nodes.jsonl",
		 NODES_HEADER "{\"targetName\":\"a\",\"address\":\"b\",\"port\":1,\"secretBase64\":"
			      "\"Z2VoZWlt!\"}\n");
	load(fixture);
	assert_int_equal(count_events(fixture, EVENT_RECORD_INVALID, &event), 1);
	for (int i = 0; i < _FIELD_MAX; i++)
		if (event_get(event, i))
			assert_null(strstr(event_get(event, i), "Z2VoZWlt"));

	set_secret(fixture, create(fixture, TARGET, "192.0.2.1"), "sixteen bytes ..");
	(void)discover(fixture, TARGET, "192.0.2.1", 1, NULL);
	assert_int_equal(commit(fixture), 0);
	assert_file_has(fixture, "nodes.jsonl", "\"secretBase64\":\"c2l4dGVlbiBieXRlcyAuLg==\"");
	{
		_cleanup_free_ char *facts = get_file(fixture, "discovered.jsonl");

		assert_null(strstr(facts, "ecret"));
	}
	object = settings_to_json(find(fixture, TARGET, "192.0.2.1")->settings);
	assert_string_equal(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN), "{}");
	json_object_put(object);
}

static void test_truncated_last_line(void **state)
{
	struct fixture *fixture = *state;
	size_t full = strlen(NODES_HEADER GOOD_LINE);

	for (size_t length = strlen(NODES_HEADER) + 1; length < full; length++) {
		put_bytes(fixture, "nodes.jsonl", NODES_HEADER GOOD_LINE, length);
		load(fixture);
		assert_int_equal(records_count(fixture->records), 0);
		assert_int_equal(eventlog_last(fixture->log), length - strlen(NODES_HEADER));
	}
	/* Only the line feed is missing. */
	put_file(fixture, "nodes.jsonl", NODES_HEADER GOOD_LINE);
	load(fixture);
	assert_int_equal(records_count(fixture->records), 1);
	/* A line of its own is made of the rest. */
	put_file(fixture, "nodes.jsonl", NODES_HEADER "{\"targetN");
	load(fixture);
	(void)create(fixture, TARGET, "192.0.2.1");
	assert_int_equal(commit(fixture), 0);
	assert_file_has(fixture, "nodes.jsonl", "\n{\"targetN\n");
	load(fixture);
	assert_int_equal(records_count(fixture->records), 1);
}

static void test_duplicate_lines(void **state)
{
	struct fixture *fixture = *state;
	const struct event *event = NULL;

	put_file(fixture, "nodes.jsonl", NODES_HEADER GOOD_LINE "\n" GOOD_LINE "\n");
	put_file(fixture, "discovered.jsonl",
		 DISCOVERED_HEADER
		 "{\"targetName\":\"" TARGET
		 "\",\"address\":\"192.0.2.2\",\"port\":3260,\"lastSeenTimestampUSec\":5}\n"
		 "{\"targetName\":\"" TARGET
		 "\",\"address\":\"192.0.2.2\",\"port\":3260,\"lastSeenTimestampUSec\":9}\n");
	load(fixture);
	assert_int_equal(records_count(fixture->records), 2);
	assert_int_equal(find(fixture, TARGET, "192.0.2.2")->last_seen_usec, 5);
	assert_int_equal(count_events(fixture, EVENT_RECORD_INVALID, &event), 2);
	assert_string_equal(event_get(event, FIELD_LINE), "3");
	assert_non_null(strstr(event_get(event, FIELD_REASON), "same node"));
}

static void test_huge_line(void **state)
{
	struct fixture *fixture = *state;
	const struct event *event = NULL;
	size_t length = 100000, header = strlen(NODES_HEADER);
	_cleanup_free_ char *content = malloc(header + length + 2), *written = NULL;

	assert_non_null(content);
	memcpy(content, NODES_HEADER, header);
	memset(content + header, 'h', length);
	content[header + length] = '\n';
	content[header + length + 1] = '\0';
	put_file(fixture, "nodes.jsonl", content);
	load(fixture);
	assert_int_equal(count_events(fixture, EVENT_RECORD_INVALID, &event), 1);
	assert_non_null(strstr(event_get(event, FIELD_REASON), "too long"));
	records_remove(fixture->records, create(fixture, TARGET, "192.0.2.1"));
	assert_int_equal(commit(fixture), 0);
	written = get_file(fixture, "nodes.jsonl");
	assert_string_equal(written, content);
}

static void test_reports_are_limited(void **state)
{
	struct fixture *fixture = *state;
	const struct event *event = NULL;
	char content[512] = NODES_HEADER;

	for (int i = 0; i < 100; i++)
		(void)strcat(content, "x\n");
	put_file(fixture, "nodes.jsonl", content);
	load(fixture);
	assert_int_equal(count_events(fixture, EVENT_RECORD_INVALID, &event), 17);
	assert_string_equal(event_get(event, FIELD_REASON), "84 further lines cannot be read");
}

/* Members a later version wrote come back where they were. */
static void test_unknown_members(void **state)
{
	static const char line[] =
		"{\"targetName\":\"" TARGET
		"\",\"address\":\"192.0.2.1\",\"port\":3260,\"later\":{\"a\":[1,2.5]},"
		"\"settings\":{\"queueDepth\":4,\"laterSetting\":1,\"keys\":{\"laterKey\":true,"
		"\"initialR2T\":true},"
		"\"laterGroup\":{\"x\":\"y\"}},\"origin\":\"static\"}\n";
	struct fixture *fixture = *state;
	struct node *node;

	put_file(fixture, "nodes.jsonl", NODES_HEADER);
	{
		_cleanup_(fclosep) FILE *file = NULL;
		char path[128];

		path_of(fixture, "nodes.jsonl", path);
		file = fopen(path, "ae");
		assert_non_null(file);
		assert_true(fputs(line, file) >= 0);
	}
	for (int i = 0; i < 2; i++) {
		load(fixture);
		assert_int_equal(eventlog_last(fixture->log), 0);
		node = find(fixture, TARGET, "192.0.2.1");
		assert_int_equal(settings_number(node->settings, SETTING_QUEUE_DEPTH), 4);
		assert_true(settings_is_set(node->settings, SETTING_KEYS_INITIAL_R2T));
		records_changed(fixture->records, node, false);
		assert_int_equal(commit(fixture), 0);
		assert_file_has(fixture, "nodes.jsonl", ",\"later\":{\"a\":[1,2.5]}}\n");
		assert_file_has(fixture, "nodes.jsonl", "\"laterSetting\":1");
		assert_file_has(fixture, "nodes.jsonl", "\"laterGroup\":{\"x\":\"y\"}");
		assert_file_has(fixture, "nodes.jsonl",
				"\"keys\":{\"initialR2T\":true,\"laterKey\":true}");
	}
	/* Resetting all we know keeps the rest. */
	(void)settings_reset(node->settings, "keys");
	(void)settings_reset(node->settings, "queueDepth");
	records_changed(fixture->records, node, false);
	assert_int_equal(commit(fixture), 0);
	assert_file_has(fixture, "nodes.jsonl", "\"keys\":{\"laterKey\":true}");
}

/* A file we do not understand as a whole is never overwritten; the other one is used as always. */
static void test_foreign_files(void **state)
{
	static const struct {
		const char *content;
		size_t nodes;
	} rows[] = {
		{ "{\"format\":\"ois-nodes\",\"version\":2}\n" GOOD_LINE "\n", 0 },
		{ "{\"format\":\"ois-nodes\",\"version\":999999999999999999999}\n" GOOD_LINE "\n",
		  1 },
		{ "{\"format\":\"ois-discovered\",\"version\":1}\n" GOOD_LINE "\n", 1 },
		{ "garbage\n" GOOD_LINE "\n", 1 },
		{ GOOD_LINE "\n", 0 },
		{ "\n", 0 },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		unsigned before = count_events(fixture, EVENT_RECORD_INVALID, NULL);

		put_file(fixture, "nodes.jsonl", rows[i].content);
		load(fixture);
		assert_int_equal(count_events(fixture, EVENT_RECORD_INVALID, NULL), before + 1);
		assert_int_equal(records_count(fixture->records), rows[i].nodes);
		(void)create(fixture, TARGET, "192.0.2.99");
		assert_int_equal(commit(fixture), -EROFS);
		assert_file(fixture, "nodes.jsonl", rows[i].content);
		/* It was told; what belongs to the other file is still stored. */
		(void)discover(fixture, TARGET, "192.0.2.98", 1, NULL);
		assert_int_equal(commit(fixture), 0);
		assert_file_has(fixture, "discovered.jsonl", "192.0.2.98");
		assert_file(fixture, "nodes.jsonl", rows[i].content);
		records_remove(fixture->records, find(fixture, TARGET, "192.0.2.98"));
		(void)commit(fixture);
	}
	assert_int_equal(count_events(fixture, EVENT_STORE_FAILED, NULL), 2 * ELEMENTSOF(rows));
}

static void test_unreadable_file(void **state)
{
	struct fixture *fixture = *state;
	const struct event *event = NULL;
	char path[128], other[128];

	path_of(fixture, "nodes.jsonl", path);
	path_of(fixture, "elsewhere", other);
	put_file(fixture, "elsewhere", NODES_HEADER);
	assert_int_equal(symlink(other, path), 0);
	load(fixture);
	assert_int_equal(count_events(fixture, EVENT_RECORD_INVALID, &event), 1);
	assert_null(event_get(event, FIELD_LINE));
	(void)create(fixture, TARGET, "192.0.2.1");
	assert_int_equal(commit(fixture), -EROFS);
	assert_file(fixture, "elsewhere", NODES_HEADER);

	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	load(fixture);
	assert_int_equal(count_events(fixture, EVENT_RECORD_INVALID, NULL), 2);
}

static void test_impossible_directory(void **state)
{
	struct fixture *fixture = *state;
	char directory[64];

	(void)strcpy(directory, fixture->directory);
	put_file(fixture, "file", "");
	(void)strcat(fixture->directory, "/file");
	load(fixture);
	(void)create(fixture, TARGET, "192.0.2.1");
	assert_int_equal(commit(fixture), -EROFS);
	/* Missing, and cannot be made: the daemon runs, and says so when it has to write. */
	(void)strcpy(fixture->directory, "/proc/ois-test/none");
	load(fixture);
	(void)create(fixture, TARGET, "192.0.2.1");
	assert_int_equal(commit(fixture), -ENOENT);
	assert_non_null(find(fixture, TARGET, "192.0.2.1"));
	assert_int_equal(count_events(fixture, EVENT_STORE_FAILED, NULL), 2);
	(void)strcpy(fixture->directory, directory);
}

/* A change of both files on top of what is there. */
static void change_both(struct fixture *fixture)
{
	set(fixture, find(fixture, TARGET, "192.0.2.1"), "queueDepth", "2");
	(void)discover(fixture, TARGET, "192.0.2.2", 2, NULL);
}

static void prepare_both(struct fixture *fixture)
{
	struct node *node;

	load(fixture);
	node = find(fixture, TARGET, "192.0.2.1");
	if (!node)
		node = create(fixture, TARGET, "192.0.2.1");
	set(fixture, node, "queueDepth", "1");
	(void)discover(fixture, TARGET, "192.0.2.2", 1, NULL);
	assert_int_equal(commit(fixture), 0);
	load(fixture);
}

/* The files are those before or after change_both(); returns how many are new. */
static int count_new(struct fixture *fixture)
{
	_cleanup_free_ char *nodes = NULL, *discovered = NULL;
	int64_t depth, tag;

	load(fixture);
	nodes = get_file(fixture, "nodes.jsonl.new");
	discovered = get_file(fixture, "discovered.jsonl.new");
	assert_null(nodes);
	assert_null(discovered);
	assert_int_equal(count_events(fixture, EVENT_RECORD_INVALID, NULL), 0);
	assert_int_equal(records_count(fixture->records), 2);
	depth = settings_number(find(fixture, TARGET, "192.0.2.1")->settings, SETTING_QUEUE_DEPTH);
	tag = find(fixture, TARGET, "192.0.2.2")->portal_group_tag;
	assert_in_range(depth, 1, 2);
	assert_in_range(tag, 1, 2);
	return (int)(depth + tag - 2);
}

static void test_crash_at_every_step(void **state)
{
	struct fixture *fixture = *state;
	int step, status, seen = 0;

	for (step = 1, status = 1; status != 0; step++) {
		pid_t child;

		prepare_both(fixture);
		/* No thread may exist while forking. */
		fixture_done(fixture);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			fixture_init(fixture);
			load(fixture);
			change_both(fixture);
			atomic_store(&fault_step, step);
			_exit(commit(fixture) == 0 ? 0 : 1);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_true(WEXITSTATUS(status) == 7 || WEXITSTATUS(status) == 0);
		fixture_init(fixture);
		seen |= 1 << count_new(fixture);
	}
	/* All old, one of each, all new. */
	assert_int_equal(seen, 7);
	assert_int_equal(count_new(fixture), 2);
	/* For each file: open, write, fsync, rename, fsync. */
	assert_int_equal(step - 2, 10);
}

static void test_error_at_every_step(void **state)
{
	struct fixture *fixture = *state;

	for (int step = 1; step <= 10; step++) {
		const struct event *event = NULL;

		prepare_both(fixture);
		change_both(fixture);
		atomic_store(&fault_errno, step % 2 ? ENOSPC : EIO);
		atomic_store(&fault_step, step);
		assert_int_equal(commit(fixture), step % 2 ? -ENOSPC : -EIO);
		assert_int_equal(atomic_load(&fault_step) <= 0, true);
		atomic_store(&fault_step, 0);
		assert_int_equal(count_events(fixture, EVENT_STORE_FAILED, &event), step);
		assert_non_null(
			strstr(event_get(event, FIELD_FILE), step <= 5 ? "/nodes" : "/discovered"));
		/* What failed is still in memory, and the next commit stores it. */
		assert_int_equal(commit(fixture), 0);
		assert_int_equal(count_new(fixture), 2);
	}
	atomic_store(&fault_errno, 0);
}

static void test_read_only_directory(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *before = NULL;

	prepare_both(fixture);
	before = get_file(fixture, "nodes.jsonl");
	set(fixture, find(fixture, TARGET, "192.0.2.1"), "queueDepth", "2");
	atomic_store(&fault_errno, EROFS);
	atomic_store(&fault_step, 1);
	assert_int_equal(commit(fixture), -EROFS);
	atomic_store(&fault_errno, 0);
	atomic_store(&fault_step, 0);
	assert_file(fixture, "nodes.jsonl", before);
}

static void test_leftover(void **state)
{
	struct fixture *fixture = *state;

	put_file(fixture, "nodes.jsonl", NODES_HEADER);
	put_file(fixture, "nodes.jsonl.new", "half");
	put_file(fixture, "discovered.jsonl.new", "half");
	load(fixture);
	assert_null(get_file(fixture, "nodes.jsonl.new"));
	assert_null(get_file(fixture, "discovered.jsonl.new"));
	assert_file(fixture, "nodes.jsonl", NODES_HEADER);
}

static void test_empty_file(void **state)
{
	struct fixture *fixture = *state;

	put_file(fixture, "nodes.jsonl", "");
	load(fixture);
	assert_int_equal(eventlog_last(fixture->log), 0);
	(void)create(fixture, TARGET, "192.0.2.1");
	assert_int_equal(commit(fixture), 0);
}

/* Nodes "b" to "i" in memory, not committed. */
static void load_eight(struct fixture *fixture)
{
	char name[] = "b";

	load(fixture);
	for (; name[0] <= 'i'; name[0]++)
		(void)create(fixture, name, "192.0.2.1");
}

/* The nodes in memory, as one word. */
static const char *names(const struct fixture *fixture)
{
	static char ret[32];
	const struct node *node;
	size_t n = 0;

	for (; (node = records_at(fixture->records, n)) && n < sizeof(ret) - 1; n++)
		ret[n] = node->key.target_name[0];
	ret[n] = '\0';
	return ret;
}

static void turn(struct fixture *fixture)
{
	assert_true(sd_event_run(fixture->event, UINT64_MAX) >= 0);
}

/* Nodes come and go while a commit of many has the loop again and again. */
static void test_changes_between_turns(void **state)
{
	struct fixture *fixture = *state;
	int first = 1, second = 1;

	load_eight(fixture);
	short_turns = true;
	assert_int_equal(records_commit(fixture->records, on_done, &first), 0);
	for (int i = 0; i < 3; i++)
		turn(fixture);
	assert_null(get_file(fixture, "nodes.jsonl"));
	records_remove(fixture->records, find(fixture, "b", "192.0.2.1"));
	records_remove(fixture->records, find(fixture, "h", "192.0.2.1"));
	(void)create(fixture, "a", "192.0.2.1");
	(void)create(fixture, "j", "192.0.2.1");
	set(fixture, find(fixture, "c", "192.0.2.1"), "queueDepth", "77");
	assert_int_equal(records_commit(fixture->records, on_done, &second), 0);
	while (first == 1)
		turn(fixture);
	assert_int_equal(first, 0);
	assert_int_equal(second, 1);
	while (second == 1)
		turn(fixture);
	assert_int_equal(second, 0);
	load(fixture);
	assert_int_equal(eventlog_last(fixture->log), 0);
	assert_string_equal(names(fixture), "acdefgij");
	assert_int_equal(
		settings_number(find(fixture, "c", "192.0.2.1")->settings, SETTING_QUEUE_DEPTH),
		77);
}

/* The commit has what there was when it was asked for, whatever comes meanwhile. */
static void test_commit_in_turns(void **state)
{
	struct fixture *fixture = *state;
	int result = 1;

	load_eight(fixture);
	short_turns = true;
	assert_int_equal(records_commit(fixture->records, on_done, &result), 0);
	for (unsigned i = 0; result == 1; i++) {
		char name[16];

		/* Before and behind where it is. */
		(void)snprintf(name, sizeof(name), "a%u", i);
		(void)create(fixture, name, "192.0.2.1");
		(void)snprintf(name, sizeof(name), "c%u", i);
		(void)create(fixture, name, "192.0.2.1");
		turn(fixture);
	}
	assert_int_equal(result, 0);
	for (char name[] = "b"; name[0] <= 'i'; name[0]++) {
		char line[32];

		(void)snprintf(line, sizeof(line), "\"targetName\":\"%s\"", name);
		assert_file_has(fixture, "nodes.jsonl", line);
	}
	short_turns = false;
	load(fixture);
	assert_int_equal(eventlog_last(fixture->log), 0);
}

static void test_free_between_turns(void **state)
{
	struct fixture *fixture = *state;
	int result = 1;

	load_eight(fixture);
	short_turns = true;
	assert_int_equal(records_commit(fixture->records, on_done, &result), 0);
	turn(fixture);
	load(fixture);
	assert_int_equal(result, 1);
	assert_string_equal(names(fixture), "bcdefghi");
}

/* Who waits is told, and nothing is lost. */
static void test_no_thread_after_turns(void **state)
{
	struct fixture *fixture = *state;

	load_eight(fixture);
	short_turns = no_threads = true;
	assert_int_equal(commit(fixture), -EAGAIN);
	assert_int_equal(count_events(fixture, EVENT_STORE_FAILED, NULL), 1);
	no_threads = false;
	assert_int_equal(commit(fixture), 0);
	load(fixture);
	assert_string_equal(names(fixture), "bcdefghi");
}

struct chain {
	struct fixture *fixture;
	int done;
};

/* Commits again from inside the callback. */
static void on_chain(void *userdata, int error)
{
	struct chain *chain = userdata;

	assert_int_equal(error, 0);
	if (++chain->done != 3)
		return;
	(void)create(chain->fixture, TARGET, "192.0.2.9");
	assert_int_equal(records_commit(chain->fixture->records, on_chain, chain), 0);
}

static void test_commits_share_writes(void **state)
{
	struct fixture *fixture = *state;
	struct chain chain = { .fixture = fixture };

	load(fixture);
	(void)create(fixture, TARGET, "192.0.2.1");
	for (int i = 0; i < 3; i++)
		assert_int_equal(records_commit(fixture->records, on_chain, &chain), 0);
	while (chain.done < 4)
		assert_true(sd_event_run(fixture->event, UINT64_MAX) >= 0);
	load(fixture);
	assert_int_equal(records_count(fixture->records), 2);
}

/* What was committed is stored though nobody waits any more. */
static void test_free_ends_writes(void **state)
{
	struct fixture *fixture = *state;
	struct chain chain = { .fixture = fixture };

	load(fixture);
	(void)create(fixture, TARGET, "192.0.2.1");
	assert_int_equal(records_commit(fixture->records, on_chain, &chain), 0);
	(void)create(fixture, TARGET, "192.0.2.2");
	assert_int_equal(records_commit(fixture->records, on_chain, &chain), 0);
	load(fixture);
	assert_int_equal(chain.done, 0);
	assert_int_equal(records_count(fixture->records), 2);
}

static void test_many(void **state)
{
	enum { N = 20000 };
	struct fixture *fixture = *state;
	char name[64];

	load(fixture);
	for (int i = 0; i < N; i++) {
		(void)snprintf(name, sizeof(name), "iqn.2026-11.org.example:%d",
			       (int)((unsigned)i * 7919 % N));
		assert_int_equal(discover(fixture, name, "192.0.2.1", 1, "alias"),
				 RECORDS_FOUND_CREATED);
	}
	assert_int_equal(commit(fixture), 0);
	load(fixture);
	assert_int_equal(records_count(fixture->records), N);
	assert_int_equal(eventlog_last(fixture->log), 0);
	for (size_t i = 0; i + 1 < N; i++)
		assert_true(strcmp(records_at(fixture->records, i)->key.target_name,
				   records_at(fixture->records, i + 1)->key.target_name) < 0);
	while (records_count(fixture->records) > 0)
		records_remove(fixture->records, records_at(fixture->records, 0));
	assert_int_equal(commit(fixture), 0);
	assert_file(fixture, "discovered.jsonl", DISCOVERED_HEADER);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_empty),
		TEST(test_round_trip),
		TEST(test_redirect),
		TEST(test_redirect_invalid),
		TEST(test_md5_only),
		TEST(test_secret_alone),
		TEST(test_logged_out),
		TEST(test_md5_only_of_nobody),
		TEST(test_permissions),
		TEST(test_order),
		TEST(test_bad_keys),
		TEST(test_rediscovery_keeps_settings),
		TEST(test_static_node_stays_static),
		TEST(test_settings_without_facts),
		TEST(test_damaged_lines),
		TEST(test_secret_is_not_told),
		TEST(test_truncated_last_line),
		TEST(test_duplicate_lines),
		TEST(test_huge_line),
		TEST(test_reports_are_limited),
		TEST(test_unknown_members),
		TEST(test_foreign_files),
		TEST(test_unreadable_file),
		TEST(test_impossible_directory),
		TEST(test_crash_at_every_step),
		TEST(test_error_at_every_step),
		TEST(test_read_only_directory),
		TEST(test_leftover),
		TEST(test_empty_file),
		TEST(test_commits_share_writes),
		TEST(test_free_ends_writes),
		TEST(test_changes_between_turns),
		TEST(test_commit_in_turns),
		TEST(test_free_between_turns),
		TEST(test_no_thread_after_turns),
		TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
