// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Configuration files: what they set, how a fault in them is told, and where the initiator's name
 * comes from.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "parse.h"

static char directory[64];

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	return remove(path);
}

static int set_up(void **state)
{
	(void)strcpy(directory, "/tmp/ois-test-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
	return nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static void put_file(const char *name, const char *content)
{
	_cleanup_(fclosep) FILE *file = fopen(path_of(name), "we");

	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
}

static int try_load(struct config **ret, struct config_fault *ret_fault)
{
	return config_load(path_of("ois.conf"), path_of("name"), path_of("records"), ret,
			   ret_fault);
}

static struct config *load(void)
{
	struct config_fault fault = { 0 };
	struct config *config = NULL;

	if (try_load(&config, &fault) < 0)
		fail_msg("%s:%u: %s: %s", fault.file, fault.line, fault.setting, fault.message);
	return config;
}

static void test_no_files(void **state)
{
	_cleanup_(config_freep) struct config *config = load();
	struct settings *empty = NULL;
	char host[256] = "";

	assert_string_equal(config->access_group, "ois");
	assert_int_equal(config->logins_max, 64);
	assert_int_equal(config->scans_max, 32);
	assert_int_equal(config->event_history, 1024);
	assert_false(config->fips_required);
	assert_null(config->files[0]);
	assert_int_equal(settings_new(SETTINGS_NODE, &empty), 0);
	assert_true(settings_equal(config->node_defaults, empty));
	(void)settings_free(empty);
	(void)gethostname(host, sizeof(host) - 1);
	assert_string_equal(config->initiator_alias, host);
	assert_int_equal(config->initiator_origin, INITIATOR_ORIGIN_GENERATED);
}

static void test_all_options(void **state)
{
	_cleanup_(config_freep) struct config *config = NULL;

	put_file("ois.conf", "# comment\n"
			     "; comment = \x01 too\n"
			     "\n"
			     "  [Daemon]  \n"
			     "AccessGroup = root\n"
			     "\tLoginsMax\t=\t1024\n"
			     "ScansMax=1\r\n"
			     "EventHistory=5\n"
			     "FIPSRequired=yes\n"
			     "[Initiator]\n"
			     "Name=iqn.2026-11.org.example:host\n"
			     "Alias=a host # not a comment\n"
			     "[Node]\n"
			     "startup=automatic\n"
			     "keys.headerDigest=crc32c,none\n"
			     "loginTimeoutSeconds=20\n"
			     "[Discovery]\n"
			     "authentication.method = chap\n"
			     "authentication.userName=alice\n"
			     "loginTimeoutSeconds=7\n"
			     "[Daemon]\n"
			     "EventHistory=6");
	config = load();
	assert_string_equal(config->access_group, "root");
	assert_true(config->access_group_known);
	assert_int_equal(config->access_gid, 0);
	assert_int_equal(config->logins_max, 1024);
	assert_int_equal(config->scans_max, 1);
	assert_int_equal(config->event_history, 6);
	assert_true(config->fips_required);
	assert_string_equal(config->initiator_name, "iqn.2026-11.org.example:host");
	assert_int_equal(config->initiator_origin, INITIATOR_ORIGIN_CONFIGURATION);
	assert_string_equal(config->initiator_alias, "a host # not a comment");
	assert_int_equal(settings_number(config->node_defaults, SETTING_STARTUP),
			 STARTUP_AUTOMATIC);
	assert_true(settings_is_set(config->node_defaults, SETTING_KEYS_HEADER_DIGEST));
	assert_false(settings_is_set(config->node_defaults, SETTING_KEYS_DATA_DIGEST));
	assert_int_equal(settings_number(config->node_defaults, SETTING_LOGIN_TIMEOUT_SECONDS), 20);
	assert_false(settings_is_set(config->node_defaults, SETTING_AUTHENTICATION_METHOD));
	assert_int_equal(settings_number(config->discovery_defaults, SETTING_LOGIN_TIMEOUT_SECONDS),
			 7);
	assert_string_equal(
		settings_text(config->discovery_defaults, SETTING_AUTHENTICATION_USER_NAME),
		"alice");
	/* A name that is configured is not generated. */
	assert_int_equal(access(path_of("records"), F_OK), -1);
}

static void test_group(void **state)
{
	_cleanup_(config_freep) struct config *nobody = NULL, *unknown = NULL;

	put_file("ois.conf", "[Daemon]\nAccessGroup=\n");
	nobody = load();
	assert_string_equal(nobody->access_group, "");
	assert_false(nobody->access_group_known);
	put_file("ois.conf", "[Daemon]\nAccessGroup=no-such-group-here\n");
	unknown = load();
	assert_false(unknown->access_group_known);
}

static void test_drop_ins(void **state)
{
	_cleanup_(config_freep) struct config *config = NULL;

	assert_int_equal(mkdir(path_of("ois.conf.d"), 0700), 0);
	put_file("ois.conf", "[Daemon]\nLoginsMax=1\nScansMax=1\nEventHistory=1\n");
	put_file("ois.conf.d/20-b.conf", "[Daemon]\nLoginsMax=3\n");
	put_file("ois.conf.d/10-a.conf", "[Daemon]\nLoginsMax=2\nScansMax=2\n");
	put_file("ois.conf.d/30-c.conf~", "garbage");
	put_file("ois.conf.d/.hidden.conf", "garbage");
	put_file("ois.conf.d/.conf", "garbage");
	config = load();
	assert_int_equal(config->logins_max, 3);
	assert_int_equal(config->scans_max, 2);
	assert_int_equal(config->event_history, 1);
	assert_string_equal(config->files[0], path_of("ois.conf"));
	assert_string_equal(config->files[1], path_of("ois.conf.d/10-a.conf"));
	assert_string_equal(config->files[2], path_of("ois.conf.d/20-b.conf"));
	assert_null(config->files[3]);
}

static void test_drop_ins_alone(void **state)
{
	_cleanup_(config_freep) struct config *config = NULL;

	assert_int_equal(mkdir(path_of("ois.conf.d"), 0700), 0);
	put_file("ois.conf.d/a.conf", "[Daemon]\nLoginsMax=7\n");
	config = load();
	assert_int_equal(config->logins_max, 7);
	assert_string_equal(config->files[0], path_of("ois.conf.d/a.conf"));
	assert_null(config->files[1]);
}

static void test_faults(void **state)
{
	static const struct {
		const char *content;
		unsigned line;
		const char *setting, *message;
	} rows[] = {
		{ "LoginsMax=1\n", 1, "", "below [Daemon]" },
		{ "[daemon]\n", 1, "", "[Daemon], [Initiator], [Node] or [Discovery]" },
		{ "[Daemon\nLoginsMax=1\n", 1, "", "[Daemon], [Initiator], [Node] or [Discovery]" },
		{ "[\n", 1, "", "[Daemon], [Initiator], [Node] or [Discovery]" },
		{ "[]\n", 1, "", "[Daemon], [Initiator], [Node] or [Discovery]" },
		{ "[Daemon]\n\nLoginsMax\n", 3, "", "NAME=VALUE" },
		{ "[Daemon]\nLoginMax=1\n", 2, "LoginMax",
		  "AccessGroup, LoginsMax, ScansMax, EventHistory, FIPSRequired" },
		{ "[Daemon]\nName=iqn.2026-11.org.example:x\n", 2, "Name", "[Daemon] has" },
		{ "[Daemon]\n=1\n", 2, "", "[Daemon] has" },
		{ "[Daemon]\nLoginsMax=0\n", 2, "LoginsMax", "1 to 65536" },
		{ "[Daemon]\nLoginsMax=65537\n", 2, "LoginsMax", "1 to 65536" },
		{ "[Daemon]\nLoginsMax=-1\n", 2, "LoginsMax", "1 to 65536" },
		{ "[Daemon]\nLoginsMax=\n", 2, "LoginsMax", "1 to 65536" },
		{ "[Daemon]\nLoginsMax=1 # one\n", 2, "LoginsMax", "1 to 65536" },
		{ "[Daemon]\nFIPSRequired=maybe\n", 2, "FIPSRequired", "true or false" },
		{ "[Daemon]\nFIPSRequired=\n", 2, "FIPSRequired", "true or false" },
		{ "[Daemon]\nAccessGroup=a b\n", 2, "AccessGroup", "name of a group" },
		{ "[Initiator]\nName=host\n", 2, "Name", "iqn." },
		{ "[Initiator]\nName=iqn.2026-11.org.example:Host\n", 2, "Name", "lower-case" },
		{ "[Initiator]\nAlias=\n", 2, "Alias", "1 to 255" },
		{ "[Initiator]\nAlias=a\x01\n", 2, "", "control characters" },
		{ "[Initiator]\nAlias=\xff\n", 2, "", "UTF-8" },
		{ "[Node]\nloginTimeout=1\n", 2, "loginTimeout", "no such setting" },
		{ "[Node]\n\n\nloginTimeoutSeconds=0\n", 4, "loginTimeoutSeconds", "1 to 300" },
		{ "[Node]\nkeys.headerDigest=md5\n", 2, "keys.headerDigest", "none or crc32c" },
		{ "[Discovery]\nstartup=manual\n", 2, "startup", "does not apply to a discovery" },
		{ "[Discovery]\nloginTimeoutSeconds=301\n", 2, "loginTimeoutSeconds", "1 to 300" },
		/* What [Node] says is not for discoveries, nor the other way round. */
		{ "[Discovery]\n\nauthentication.method=chap\n[Node]\n"
		  "authentication.userName=u\n",
		  3, "authentication.method", "needs authentication.userName" },
		/* Each is fine alone. */
		{ "[Node]\nkeys.firstBurstLength=65536\nkeys.maxBurstLength=4096\n", 2,
		  "keys.firstBurstLength", "keys.maxBurstLength" },
		{ "[Node]\nscan=no\nnoopTimeoutSeconds=0\n", 3, "noopTimeoutSeconds",
		  "noopIntervalSeconds" },
		{ "[Node]\nkeys.maxBurstLength=4096\n", 0, "keys.firstBurstLength",
		  "keys.maxBurstLength" },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		struct config_fault fault = { 0 };
		struct config *config = NULL;

		put_file("ois.conf", rows[i].content);
		if (try_load(&config, &fault) != -EINVAL)
			fail_msg("accepted: %s", rows[i].content);
		assert_null(config);
		assert_string_equal(fault.file, path_of("ois.conf"));
		assert_int_equal(fault.line, rows[i].line);
		assert_string_equal(fault.setting, rows[i].setting);
		if (!strstr(fault.message, rows[i].message))
			fail_msg("%s: \"%s\"", rows[i].content, fault.message);
	}
}

static void test_fault_in_drop_in(void **state)
{
	struct config_fault fault = { 0 };
	struct config *config = NULL;

	assert_int_equal(mkdir(path_of("ois.conf.d"), 0700), 0);
	put_file("ois.conf", "[Node]\nkeys.maxBurstLength=4096\n");
	put_file("ois.conf.d/a.conf", "[Node]\n\nkeys.firstBurstLength=8192\n");
	put_file("ois.conf.d/b.conf", "[Daemon]\n");
	assert_int_equal(try_load(&config, &fault), -EINVAL);
	assert_string_equal(fault.file, path_of("ois.conf.d/a.conf"));
	assert_int_equal(fault.line, 3);

	/* The section does not reach into the next file. */
	put_file("ois.conf.d/a.conf", "keys.firstBurstLength=1024\n");
	assert_int_equal(try_load(&config, &fault), -EINVAL);
	assert_int_equal(fault.line, 1);
}

static void test_unreadable(void **state)
{
	struct config_fault fault = { 0 };
	struct config *config = NULL;

	assert_int_equal(mkdir(path_of("ois.conf"), 0700), 0);
	assert_true(try_load(&config, &fault) < 0);
	assert_string_equal(fault.file, path_of("ois.conf"));
	assert_non_null(strstr(fault.message, "cannot be read"));
	assert_int_equal(rmdir(path_of("ois.conf")), 0);

	assert_int_equal(mkfifo(path_of("ois.conf"), 0600), 0);
	assert_true(try_load(&config, &fault) < 0);
	assert_int_equal(unlink(path_of("ois.conf")), 0);

	put_file("ois.conf", "");
	assert_int_equal(truncate(path_of("ois.conf"), 64), 0);
	assert_int_equal(try_load(&config, &fault), -EINVAL);
	assert_non_null(strstr(fault.message, "no text file"));
	assert_int_equal(truncate(path_of("ois.conf"), 2 * 1024 * 1024), 0);
	assert_int_equal(try_load(&config, &fault), -EFBIG);
	assert_int_equal(unlink(path_of("ois.conf")), 0);

	put_file("ois.conf.d", "");
	assert_int_equal(try_load(&config, &fault), -ENOTDIR);
}

static void test_name_file(void **state)
{
	_cleanup_(config_freep) struct config *config = NULL, *second = NULL;

	put_file("name", "## comment\n\nGenerateName=no\nsomething else\n"
			 "InitiatorName = iqn.1993-08.org.debian:01:abc \nInitiatorAlias=shared\n");
	config = load();
	assert_string_equal(config->initiator_name, "iqn.1993-08.org.debian:01:abc");
	assert_int_equal(config->initiator_origin, INITIATOR_ORIGIN_FILE);
	assert_string_equal(config->initiator_alias, "shared");
	assert_int_equal(access(path_of("records"), F_OK), -1);

	put_file("ois.conf", "[Initiator]\nAlias=own\n");
	second = load();
	assert_string_equal(second->initiator_alias, "own");
	assert_int_equal(second->initiator_origin, INITIATOR_ORIGIN_FILE);
}

static void test_bad_name_file(void **state)
{
	struct config_fault fault = { 0 };
	struct config *config = NULL;

	put_file("name", "# x\nInitiatorName=iqn.1993-08.org.debian:01:A\n");
	assert_int_equal(try_load(&config, &fault), -EINVAL);
	assert_string_equal(fault.file, path_of("name"));
	assert_int_equal(fault.line, 2);
	assert_string_equal(fault.setting, "InitiatorName");
	assert_non_null(strstr(fault.message, "lower-case"));
}

static void test_generated_once(void **state)
{
	_cleanup_(config_freep) struct config *first = NULL, *second = NULL, *third = NULL;
	struct stat status;

	/* It tells no name, so it counts as absent. */
	put_file("name", "GenerateName=yes\n");
	first = load();
	assert_int_equal(first->initiator_origin, INITIATOR_ORIGIN_GENERATED);
	assert_int_equal(iscsi_name_check(first->initiator_name, NULL), 0);
	assert_int_equal(stat(path_of("records/initiatorname.iscsi"), &status), 0);
	assert_int_equal(access(path_of("records/initiatorname.iscsi.new"), F_OK), -1);
	second = load();
	assert_string_equal(first->initiator_name, second->initiator_name);
	assert_int_equal(second->initiator_origin, INITIATOR_ORIGIN_GENERATED);
	/* Another host gets another one. */
	assert_int_equal(unlink(path_of("records/initiatorname.iscsi")), 0);
	third = load();
	assert_string_not_equal(first->initiator_name, third->initiator_name);
}

static void test_name_cannot_be_kept(void **state)
{
	struct config_fault fault = { 0 };
	struct config *config = NULL;

	put_file("records", "");
	assert_int_equal(try_load(&config, &fault), -ENOTDIR);
	assert_int_equal(unlink(path_of("records")), 0);
	assert_int_equal(config_load(path_of("ois.conf"), path_of("name"), "/proc/ois-test",
				     &config, &fault),
			 -ENOENT);
	assert_string_equal(fault.file, "/proc/ois-test/initiatorname.iscsi");
	assert_non_null(strstr(fault.message, "Name= must be set in section [Initiator]"));
	assert_non_null(strstr(fault.message, strerror(ENOENT)));
}

/* What is configured changes nothing. */
static void check_defaults(enum settings_scope scope, const struct settings *configured)
{
	_cleanup_(settings_freep) struct settings *nothing = NULL, *defaults = NULL,
						  *effective = NULL;

	assert_int_equal(settings_new(scope, &nothing), 0);
	assert_int_equal(settings_effective(NULL, NULL, nothing, &defaults), 0);
	assert_int_equal(settings_effective(configured, NULL, nothing, &effective), 0);
	assert_true(settings_equal(effective, defaults));
}

/* The sample, as installed and with every comment sign before a value taken away, means the
 * defaults. */
static void test_sample(void **state)
{
	static const char *const samples[] = { "cat", "sed 's/^#\\([A-Za-z0-9.]*=.\\)/\\1/'" };

	for (size_t i = 0; i < ELEMENTSOF(samples); i++) {
		_cleanup_(config_freep) struct config *config = NULL;
		char command[512];

		(void)snprintf(command, sizeof(command),
			       "%s < " PROJECT_BINARY "/conf/ois.conf > %s", samples[i],
			       path_of("ois.conf"));
		assert_int_equal(system(command), 0);
		config = load();
		assert_int_equal(settings_is_empty(config->node_defaults), i == 0);
		assert_int_equal(settings_is_empty(config->discovery_defaults), i == 0);
		check_defaults(SETTINGS_NODE, config->node_defaults);
		check_defaults(SETTINGS_DISCOVERY, config->discovery_defaults);
		assert_int_equal(config->logins_max, 64);
		assert_string_equal(config->access_group, "ois");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_no_files),
		TEST(test_all_options),
		TEST(test_group),
		TEST(test_drop_ins),
		TEST(test_drop_ins_alone),
		TEST(test_faults),
		TEST(test_fault_in_drop_in),
		TEST(test_unreadable),
		TEST(test_name_file),
		TEST(test_bad_name_file),
		TEST(test_generated_once),
		TEST(test_name_cannot_be_kept),
		TEST(test_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
