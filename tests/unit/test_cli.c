// layers: ois-varlink ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ois-ctl as a person runs it, against a daemon of canned replies: what it asks, what it prints,
 * how it ends.
 */
#include <fcntl.h>
#include <sys/wait.h>

#include "fake_daemon.h"

#define PROGRAM         PROJECT_BINARY "/bin/ois-ctl"
#define OK(...)         "{\"parameters\":" __VA_ARGS__ "}"
#define MORE(...)       "{\"continues\":true,\"parameters\":" __VA_ARGS__ "}"
#define FAIL(name, ...) "{\"error\":\"" name "\",\"parameters\":" __VA_ARGS__ "}"

struct result {
	int status;
	char output[8192], errors[8192];
};

static void read_all(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t n;

	assert_non_null(file);
	n = fread(text, 1, size - 1, file);
	text[n] = '\0';
	(void)fclose(file);
	(void)unlink(path);
}

static void run(const char *arguments, const char *socket, struct result *ret)
{
	char command[1024], out[] = "/tmp/ois-test-out-XXXXXX", err[] = "/tmp/ois-test-err-XXXXXX";
	int status;

	(void)close(mkstemp(out));
	(void)close(mkstemp(err));
	(void)snprintf(command, sizeof(command), "%s --socket=%s %s >%s 2>%s", PROGRAM, socket,
		       arguments, out, err);
	status = system(command);
	assert_true(WIFEXITED(status));
	ret->status = WEXITSTATUS(status);
	read_all(out, ret->output, sizeof(ret->output));
	read_all(err, ret->errors, sizeof(ret->errors));
}

/* Runs ois-ctl against the scenes; NULL: whatever was printed. */
static void check(const struct scene *scenes, const char *arguments, int status, const char *output,
		  const char *errors)
{
	struct fake_daemon fake;
	struct result result;

	fake_start(&fake, scenes);
	run(arguments, fake.path, &result);
	fake_stop(&fake);
	if (output)
		assert_string_equal(result.output, output);
	if (errors)
		assert_string_equal(result.errors, errors);
	assert_int_equal(result.status, status);
}

#define SESSION(number, phase, extra)                                                              \
	"{\"session\":{\"session\":" number ",\"state\":\"logged_in\",\"phase\":\"" phase          \
	"\",\"targetName\":"                                                                       \
	"\"iqn.2026-01.org.example:db\",\"address\":\"10.0.0.1\",\"port\":3260,\"managed\":true,"  \
	"\"recovering\":"                                                                          \
	"false,\"transport\":\"tcp\",\"parameters\":{},\"connections\":[]" extra "}}"
#define UNITS                                                                                      \
	",\"logicalUnits\":[{\"lun\":\"0\",\"address\":\"5:0:0:0\",\"deviceType\":0,"              \
	"\"blockDevice\":\"sda\"},"                                                                \
	"{\"lun\":\"1\",\"address\":\"5:0:0:1\",\"deviceType\":0,\"blockDevice\":\"sdb\"}]"

static void test_sessions(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.session.List",
		  .parameters = "{\"selector\":{},\"logicalUnits\":true}",
		  .replies = { MORE(SESSION("3", "logged_in", UNITS)),
			       OK(SESSION("null", "security_negotiation", "")) } },
		{},
	};
	static const struct scene nothing[] = {
		{ .method = "org.ois.session.List", .replies = { OK("{}") } },
		{},
	};

	check(scenes, "", 0,
	      "SESSION TARGET                     PORTAL        STATE                SINCE "
	      "DEVICES\n"
	      "      3 iqn.2026-01.org.example:db 10.0.0.1:3260 logged in            -     sda "
	      "sdb\n"
	      "      - iqn.2026-01.org.example:db 10.0.0.1:3260 security negotiation -     -\n"
	      "\n2 sessions listed.\n",
	      "");
	check(scenes, "sessions --no-legend", 0,
	      "3 iqn.2026-01.org.example:db 10.0.0.1:3260 logged in            - sda sdb\n"
	      "- iqn.2026-01.org.example:db 10.0.0.1:3260 security negotiation - -\n",
	      "");
	check(nothing, "sessions", 0, "", "No sessions.\n");
	check(nothing, "sessions -q", 0, "", "");
	check(nothing, "-j sessions", 0, "[]\n", "");
}

#define STATUS(number, phase, state, extra)                                                        \
	"{\"session\":{\"session\":" number ",\"targetName\":\"iqn.2026-01.org.example:db\","      \
	"\"address\":\"10.0.0.1\",\"port\":3260,\"managed\":true,\"phase\":\"" phase               \
	"\",\"state\":\"" state                                                                    \
	"\",\"connectionState\":\"free\",\"sinceTimestampUSec\":5000000,\"recovering\":false,"     \
	"\"reconnects\":0" extra "}}"

static void test_follow(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.session.Subscribe",
		  .parameters = "{\"selector\":{\"address\":\"10.0.0.1\",\"port\":3260}}",
		  .replies = { MORE(STATUS("3", "logged_in", "logged_in", "")),
			       MORE("{\"ready\":true}"),
			       MORE(STATUS("3", "logged_in", "failed",
					   ",\"failure\":{\"message\":\"no answer\"}")),
			       MORE("{\"missed\":2,\"ready\":true}"),
			       MORE(STATUS("null", "queued", "free", "")) },
		  .hang_up = true },
		{},
	};
	static const struct scene json[] = {
		{ .method = "org.ois.session.Subscribe",
		  .parameters = "{\"selector\":{}}",
		  .replies = { MORE("{\"session\":{\"phase\":\"queued\"}}"),
			       MORE("{\"ready\":true}"),
			       MORE("{\"session\":{\"phase\":\"closed\"}}") },
		  .hang_up = true },
		{},
	};

	check(scenes, "sessions --follow --portal=10.0.0.1:3260", 5,
	      "1970-01-01 00:00:05    3 iqn.2026-01.org.example:db 10.0.0.1:3260 logged in\n"
	      "1970-01-01 00:00:05    3 iqn.2026-01.org.example:db 10.0.0.1:3260 connection lost: "
	      "no answer\n"
	      "1970-01-01 00:00:05    - iqn.2026-01.org.example:db 10.0.0.1:3260 queued\n",
	      NULL);
	check(json, "-j sessions -f", 5, "{\"phase\":\"queued\"}\n{\"phase\":\"closed\"}\n", NULL);
}

/* What a target sends must not reach the terminal as it is. */
static void test_hostile_text(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.session.List",
		  .replies = { OK("{\"session\":{\"targetName\":\"\\u001b[2J\\nx\",\"phase\":"
				  "\"\\u001b\"}}") } },
		{},
	};

	check(scenes, "sessions --no-legend", 0, "- \\x1b[2J\\x0ax - \\x1b - -\n", "");
}

static void test_failures(void **state)
{
	static const struct {
		const char *reply, *errors;
		int status;
	} rows[] = {
		{ FAIL("org.varlink.service.PermissionDenied", "{}"),
		  "Failed to reload the configuration: permission denied; use sudo, or for reading "
		  "be a member of the "
		  "group in ois.conf\n",
		  4 },
		{ FAIL("org.ois.manager.ConfigurationInvalid",
		       "{\"file\":\"/x\",\"line\":3,\"message\":\"bad\"}"),
		  "Failed to reload the configuration: /x:3: bad\n", 2 },
		{ FAIL("org.ois.manager.SystemFailure",
		       "{\"errnoName\":\"ENOMEM\",\"message\":\"out of memory\"}"),
		  "Failed to reload the configuration: out of memory\n", 1 },
		{ "nonsense",
		  "Failed to reload the configuration: the answer to org.ois.manager.Reload is not "
		  "understood\n",
		  1 },
		{ NULL,
		  "Failed to reload the configuration: the daemon went away during "
		  "org.ois.manager.Reload; see: systemctl "
		  "status oisd.service\n",
		  5 },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		const struct scene scenes[] = {
			{ .method = "org.ois.manager.Reload",
			  .replies = { rows[i].reply },
			  .hang_up = true },
			{},
		};

		check(scenes, "reload", rows[i].status, "", rows[i].errors);
	}
}

static void test_timeout(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.manager.Reload", .wait = true },
		{},
	};

	check(scenes, "--timeout=1 reload", 6, "",
	      "Failed to reload the configuration: the daemon does not answer "
	      "org.ois.manager.Reload\n");
}

static void test_no_daemon(void **state)
{
	struct result result;

	run("nodes", "/tmp/ois-test-nobody-listens-here", &result);
	assert_int_equal(result.status, 5);
	assert_string_equal(result.output, "");
	assert_string_equal(
		result.errors,
		"Failed to list the nodes: no daemon answers at /tmp/ois-test-nobody-listens-here; "
		"is oisd running? Start it with: systemctl start oisd.socket\n");
	run("completion arguments login", "/tmp/ois-test-nobody-listens-here", &result);
	assert_int_equal(result.status, 0);
	assert_string_equal(result.output, "");
	assert_string_equal(result.errors, "");
}

static void test_usage(void **state)
{
	static const char *const wrong[] = {
		"nonsense",
		"node",
		"node nonsense",
		"sessions extra",
		"session show",
		"discover",
		"discover a b",
		"discover '[::1'",
		"discover 1:2:3",
		"discover '[fe80::1%]'",
		"--interface=eth0 sessions",
		"--source=::1 nodes",
		"--target=iqn.x status",
		"--nonsense",
		"--timeout=x status",
		"--timeout=0 status",
		"--json=long status",
		"--record=some discover x",
		"status --force",
		"sessions --record=add",
		"login",
		"login --all x",
		"logout",
		"logout --all 3",
		"node remove",
		"node remove --all x",
		"node set",
		"node set x",
		"node set x nonsense",
		"node set x nonsense=1",
		"node set x commandsMax=x",
		"node set x --secret-file=- --target-secret-file=-",
		"node set x --secret-file=/dev/null --secret-format=octal",
		"node set x commandsMax=64 --secret-format=hex",
		"nodes --secret-format=hex",
		"node add iqn.2026-01.org.example:x '[::1' commandsMax=32",
		"node add iqn.2026-01.org.example:x h:65536",
		"node add iqn.2026-01.org.example:x h:0",
		"node add iqn.2026-01.org.example:x h,65536",
		"node add iqn.2026-01.org.example:x 1:2:3",
		"node add iqn.2026-01.org.example:x ''",
		"events --number=0",
		"events --number=x",
		"events --number=1,",
		"events --since=never",
		"events --live --since=today",
		"events --lines=-1",
		"--portal='[::1' sessions",
	};
	struct result result;

	for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
		run(wrong[i], "/tmp/ois-test-nobody-listens-here", &result);
		if (result.status != 2 || *result.output || !*result.errors ||
		    strchr(result.errors, '\n')[1])
			fail_msg("%s: status %d, '%s', '%s'", wrong[i], result.status,
				 result.output, result.errors);
	}
	/* Where words are to choose from, the message tells them. */
	run("discover --record=some x", "/none", &result);
	assert_non_null(strstr(result.errors,
			       "Option --record: 'some' is no MODE (Nodes to record: "
			       "none, add (default), update, replace)\n"));
}

static void test_help(void **state)
{
	struct result result;

	run("--help", "/none", &result);
	assert_int_equal(result.status, 0);
	assert_string_equal(result.errors, "");
	assert_non_null(strstr(result.output, "\n  node remove TARGET...|--all "));
	assert_non_null(strstr(result.output, "\n  -n, --lines=N "));
	assert_null(strstr(result.output, "completion"));
	run("--version sessions", "/none", &result);
	assert_int_equal(result.status, 0);
	assert_string_equal(result.output, "ois-ctl " OIS_VERSION "\n");
}

#define KEY(name)                                                                                  \
	"{\"targetName\":\"iqn.2026-01.org.example:" name                                          \
	"\",\"address\":\"fd00::1\",\"port\":3260}"
#define STEP(name, phase, extra)                                                                   \
	"{\"progress\":{\"node\":" KEY(name) ",\"phase\":\"" phase "\",\"attempt\":1" extra "}}"

static void test_login(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.session.Login",
		  .parameters = "{\"selector\":{}}",
		  .replies = { MORE(STEP("a", "connecting", "")),
			       MORE(STEP("a", "logged_in",
					 ",\"session\":1,\"logicalUnits\":[{\"lun\":\"0\","
					 "\"blockDevice\":\"sda\"}]")),
			       MORE(STEP("b", "logged_in", ",\"session\":2,\"present\":true")),
			       MORE(STEP("c", "retrying",
					 ",\"failure\":{\"message\":\"refused\"}")),
			       MORE(STEP("c", "closed",
					 ",\"failure\":{\"message\":\"no answer\",\"event\":43}")),
			       OK("{\"summary\":{\"loggedIn\":1,\"present\":1,\"failed\":1}}") } },
		{},
	};

	check(scenes, "login --all", 7,
	      "iqn.2026-01.org.example:a at [fd00::1]:3260: logged in, session 1: sda\n"
	      "iqn.2026-01.org.example:b at [fd00::1]:3260: was logged in already, session 2\n"
	      "1 logged in, 1 were logged in already, 1 failed.\n",
	      NULL);
	check(scenes, "login --all -q", 7, "",
	      "Failed to log in to iqn.2026-01.org.example:c at [fd00::1]:3260: no answer\n");
}

/* It ends by the signal, for whoever started it. */
static void test_login_interrupted(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.session.Login",
		  .replies = { MORE(STEP("a", "connecting", "")) },
		  .interrupt = true,
		  .wait = true },
		{},
	};

	check(scenes, "login x", 128 + SIGINT, "",
	      "\nInterrupted. What is under way goes on; 'ois-ctl sessions' shows it, and 'ois-ctl "
	      "logout' ends logins.\n");
}

static void test_login_of_one(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.session.Login",
		  .parameters = "{\"selector\":{\"targetName\":\"*:c\",\"address\":\"fd00::1\"},"
				"\"noWait\":true}",
		  .replies = { MORE(STEP("c", "closed",
					 ",\"failure\":{\"message\":\"no answer\"}")),
			       FAIL("org.ois.session.LoginFailed",
				    "{\"node\":" KEY(
					    "c") ",\"phase\":\"connecting\",\"attempts\":1,"
						 "\"failure\":{\"message\":\"no answer\"}}") } },
		{},
	};
	static const struct scene denied[] = {
		{ .method = "org.ois.session.Login",
		  .replies = { FAIL("org.varlink.service.PermissionDenied", "{}") } },
		{},
	};
	static const struct scene nobody[] = {
		{ .method = "org.ois.session.Login",
		  .replies = { FAIL("org.ois.session.NoSuchNode", "{\"selector\":{}}") } },
		{},
	};

	/* Told once, though it comes twice. */
	check(scenes, "login '*:c' --portal=fd00::1 --no-wait", 1, "",
	      "Failed to log in to iqn.2026-01.org.example:c at [fd00::1]:3260: no answer\n");
	check(denied, "login x -q", 4, "", NULL);
	check(nobody, "login x", 3, "",
	      "Failed to log in to x: no such node; 'ois-ctl nodes' lists the nodes\n");
	/* That there is nothing is no failure of "all". */
	check(nobody, "login --all", 0, "", "Nothing to log in to.\n");
	check(nobody, "login --startup=automatic", 0, "", "Nothing to log in to.\n");
}

static void test_logout(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.session.Logout",
		  .parameters = "{\"selector\":{\"session\":4}}",
		  .replies = { MORE("{\"progress\":{\"session\":4,\"targetName\":\"iqn.x\","
				    "\"address\":\"h\",\"port\":1,\"phase\":\"closed\"}}"),
			       OK("{\"summary\":{\"loggedOut\":1,\"failed\":0}}") } },
		{},
	};
	static const struct scene in_use[] = {
		{ .method = "org.ois.session.Logout",
		  .parameters = "{\"selector\":{\"targetName\":\"iqn.x\"}}",
		  .replies = { FAIL("org.ois.session.SessionInUse",
				    "{\"session\":4,\"targetName\":\"iqn.x\",\"message\":\"sda is "
				    "mounted\"}") } },
		{},
	};

	check(scenes, "logout 4", 0, "iqn.x at h:1: logged out, session 4\n", "");
	check(in_use, "logout iqn.x", 1, "",
	      "Failed to log out of iqn.x: sda is mounted; --force does it anyway\n");
}

static void test_discover(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.discovery.Discover",
		  .parameters = "{\"method\":\"send_targets\",\"address\":\"h\",\"port\":3260,"
				"\"recordMode\":\"update\"}",
		  .replies = { MORE("{\"phase\":\"connecting\"}"),
			       MORE("{\"target\":{\"name\":\"iqn.x\",\"portals\":[{\"address\":"
				    "\"10.0.0.1\",\"port\":3260,"
				    "\"portalGroupTag\":1}],\"recorded\":1}}"),
			       /* The rest of one with many portals. */
			       MORE("{\"target\":{\"name\":\"iqn.x\",\"portals\":[{\"address\":"
				    "\"fd00::1\",\"port\":3260}],\"recorded\":1}}"),
			       OK("{\"summary\":{\"targets\":1,\"portals\":2,\"recordsCreated\":2,"
				  "\"recordsUpdated\":0,"
				  "\"recordsDeleted\":0,\"durationUSec\":5}}") } },
		{},
	};

	check(scenes, "discover h --record=update", 0,
	      "TARGET PORTAL         GROUP\n"
	      "iqn.x  10.0.0.1:3260      1\n"
	      "iqn.x  [fd00::1]:3260     -\n"
	      "\n1 target at 2 portals; nodes: 2 created, 0 updated, 0 deleted.\n",
	      "");
}

static void test_discover_options(void **state)
{
	static const struct scene one[] = {
		{ .method = "org.ois.discovery.Discover",
		  .parameters = "{\"method\":\"send_targets\",\"address\":\"fe80::1%eth0\","
				"\"port\":3261,\"recordMode\":\"none\",\"targetName\":\"iqn.x\","
				"\"interface\":\"tcp.eth0\",\"sourceAddress\":\"fe80::2\"}",
		  .replies = { OK(
			  "{\"summary\":{\"targets\":0,\"portals\":0,\"recordsCreated\":0,"
			  "\"recordsUpdated\":0,\"recordsDeleted\":0,\"durationUSec\":5}}") } },
		{},
	};
	static const struct scene broken_off[] = {
		{ .method = "org.ois.discovery.Discover",
		  .replies = { MORE("{\"target\":{\"name\":\"iqn.x\",\"portals\":[{\"address\":"
				    "\"h\","
				    "\"port\":1}],\"recorded\":1}}"),
			       FAIL("org.ois.discovery.ProtocolFailed",
				    "{\"address\":\"h\",\"port\":3260,\"phase\":\"querying\","
				    "\"message\":\"it hung up\"}") } },
		{},
	};
	static const struct scene wrong[][2] = {
#define WRONG(parameter)                                                                           \
	{                                                                                          \
		{ .method = "org.ois.discovery.Discover",                                          \
		  .replies = { FAIL("org.varlink.service.InvalidParameter",                        \
				    "{\"parameter\":\"" parameter "\"}") } },                      \
		{                                                                                  \
		}                                                                                  \
	}
		WRONG("targetName"),
		WRONG("interface"),
		WRONG("sourceAddress"),
#undef WRONG
	};
	static const struct scene impossible[] = {
		{ .method = "org.ois.discovery.Discover",
		  .replies = { FAIL("org.ois.discovery.InvalidSetting",
				    "{\"setting\":\"sourceAddress\",\"value\":\"192.0.2.1\","
				    "\"message\":\"must not be given\"}") } },
		{},
	};

	check(one,
	      "discover '[FE80:0::1%eth0]:3261' --record=none --target=iqn.x --interface=tcp.eth0 "
	      "--source=fe80::2",
	      0, "", "The portal [FE80:0::1%eth0]:3261 has no target iqn.x for this host.\n");
	check(broken_off, "discover h", 1, "TARGET PORTAL GROUP\niqn.x  h:1        -\n",
	      "Failed to discover targets at h: it hung up\n");
	check(wrong[0], "discover h", 2, "", "Option --target: this is no iSCSI name\n");
	check(wrong[1], "discover h", 2, "",
	      "Option --interface: there is no such interface, or its adapter logs in by itself; "
	      "'ois-ctl ifaces' lists the interfaces\n");
	check(wrong[2], "discover h", 2, "", "Option --source: this is no numeric address\n");
	check(impossible, "discover h --interface=bnx2i.00:00:00:00:00:01 --source=192.0.2.1", 2,
	      "", "Option --source must not be given\n");
}

/* OIS_TEST_SECRET in the commands. */
static char secret_path[] = "/tmp/ois-test-secret-XXXXXX";

static void write_secret(const char *text)
{
	FILE *file = fopen(secret_path, "we");

	assert_non_null(file);
	(void)fputs(text, file);
	(void)fclose(file);
}

static void test_node_set(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.node.Update",
		  .parameters = "{\"selector\":{\"targetName\":\"iqn.x\"},\"settings\":{"
				"\"commandsMax\":64},\"reset\":[\"keys\"]}",
		  .replies = { OK("{\"updated\":2}") } },
		{ .method = "org.ois.node.SetSecret",
		  .parameters = "{\"selector\":{\"targetName\":\"iqn.x\"},\"role\":\"initiator\","
				"\"secretBase64\":\"c2VjcmV0IA==\"}",
		  .replies = { OK("{\"updated\":2}") } },
		{ .method = "org.ois.node.SetSecret",
		  .parameters = "{\"selector\":{\"targetName\":\"iqn.x\"},\"role\":\"target\"}",
		  .replies = { OK("{\"updated\":2}") } },
		{},
	};
	static const struct scene remove[] = {
		{ .method = "org.ois.node.Delete",
		  .parameters = "{\"selector\":{\"targetName\":\"iqn.x\"},\"force\":true}",
		  .replies = { OK("{\"deleted\":1}") } },
		{},
	};
	static const struct scene none[] = { {} };
	struct fake_daemon fake;
	struct result result;

	write_secret("secret \n");
	check(scenes,
	      "node set iqn.x commandsMax=64 --reset=keys --remove-target-secret --secret-file=- "
	      "<$OIS_TEST_SECRET",
	      0,
	      "2 nodes changed\nCHAP secret of this host for iqn.x stored\nCHAP secret of the "
	      "target for iqn.x removed\n",
	      "");
	check(scenes,
	      "node set iqn.x commandsMax=64 --reset=keys --remove-target-secret "
	      "--secret-file=$OIS_TEST_SECRET",
	      0, NULL, "");
	(void)unlink(secret_path);
	check(remove, "node remove iqn.x --force", 0, "iqn.x: 1 node removed\n", "");
	check(remove, "node remove iqn.x --force -j", 0, "{\"deleted\":1}\n", "");
	/* A secret that cannot be read changes nothing. */
	fake_start(&fake, none);
	run("node set iqn.x commandsMax=64 --secret-file=/dev/null", fake.path, &result);
	fake_stop(&fake);
	assert_int_equal(result.status, 1);
	assert_string_equal(result.errors,
			    "Failed to read the CHAP secret of this host: it is empty\n");
}

static void test_secret_refused(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.node.SetSecret",
		  .replies = { FAIL(
			  "org.ois.node.InvalidSetting",
			  "{\"setting\":\"authentication.targetSecret\",\"message\":\"must "
			  "differ\"}") } },
		{},
	};

	write_secret("a secret of the target\n");
	check(scenes, "node set iqn.x --target-secret-file=- <$OIS_TEST_SECRET", 2, "",
	      "Failed to store the CHAP secret of the target for iqn.x: "
	      "authentication.targetSecret: must differ\n");
	(void)unlink(secret_path);
}

/* Text may look like digits; digits may stand for any bytes. */
static void test_secret_formats(void **state)
{
	static const struct {
		const char *options, *content, *base64, *error;
	} rows[] = {
		{ "", "0x0102030405\n", "MHgwMTAyMDMwNDA1", NULL },
		{ "--secret-format=text", "0x0102030405\n", "MHgwMTAyMDMwNDA1", NULL },
		{ "--secret-format=hex", "0x000a\n0d00\n", "AAoNAA==", NULL },
		{ "--secret-format=base64", "AAoNAA==\n", "AAoNAA==", NULL },
		{ "--secret-format=base64", "0bAAoNAA==", "AAoNAA==", NULL },
		{ "--secret-format=hex", "open sesame\n", NULL,
		  "it is not written in hexadecimal digits, two for each byte" },
		{ "--secret-format=base64", "open sesame\n", NULL,
		  "it is not written in base64 digits with their padding" },
		{ "--secret-format=hex", "\n", NULL, "it is empty" },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		char command[256], parameters[256], errors[256] = "";
		const struct scene scenes[] = {
			{ .method = rows[i].base64 ? "org.ois.node.SetSecret" : NULL,
			  .parameters = parameters,
			  .replies = { OK("{\"updated\":1}") } },
			{},
		};

		(void)snprintf(command, sizeof(command), "node set iqn.x --secret-file=%s %s",
			       secret_path, rows[i].options);
		(void)snprintf(parameters, sizeof(parameters),
			       "{\"selector\":{\"targetName\":\"iqn.x\"},\"role\":\"initiator\","
			       "\"secretBase64\":\"%s\"}",
			       rows[i].base64 ?: "");
		if (rows[i].error)
			(void)snprintf(errors, sizeof(errors),
				       "Failed to read the CHAP secret of this host: %s\n",
				       rows[i].error);
		write_secret(rows[i].content);
		check(scenes, command, rows[i].error ? 1 : 0, NULL, errors);
	}
	(void)unlink(secret_path);
}

#define RECORD                                                                                     \
	"{\"record\":{\"key\":{\"targetName\":\"iqn.x\",\"address\":\"fd00::1\",\"port\":3260,"    \
	"\"portalGroupTag\":2},"                                                                   \
	"\"settings\":{\"keys\":{\"headerDigest\":[\"crc32c\",\"none\"]}},\"effective\":{"         \
	"\"startup\":\"automatic\","                                                               \
	"\"scan\":true,\"keys\":{\"headerDigest\":[\"crc32c\",\"none\"]}},\"origin\":{\"kind\":"   \
	"\"send_targets\","                                                                        \
	"\"address\":\"h\",\"port\":3260},\"createdTimestampUSec\":0,\"changedTimestampUSec\":0,"  \
	"\"md5OnlyTimestampUSec\":1000000,\"redirect\":{\"address\":\"fe80::2\",\"port\":860,"     \
	"\"timestampUSec\":2000000},"                                                              \
	"\"sessions\":[3,4]}}"

static void test_nodes(void **state)
{
	static const struct scene list[] = {
		{ .method = "org.ois.node.List",
		  .parameters = "{\"selector\":{\"startup\":\"automatic\"},\"effective\":true}",
		  .replies = { OK(RECORD) } },
		{},
	};
	static const struct scene show[] = {
		{ .method = "org.ois.node.List", .replies = { OK(RECORD) } },
		{ .method = "org.ois.node.List", .replies = { OK("{}") } },
		{},
	};
	static const struct scene logged_out[] = {
		{ .method = "org.ois.node.List",
		  .replies = { OK("{\"record\":{\"key\":{\"targetName\":\"iqn.x\",\"address\":"
				  "\"fd00::1\",\"port\":1},\"settings\":{},\"effective\":{"
				  "\"startup\":\"automatic\"},\"origin\":{\"kind\":\"static\"},"
				  "\"createdTimestampUSec\":0,\"changedTimestampUSec\":0,"
				  "\"loggedOutTimestampUSec\":3000000,\"sessions\":[]}}") } },
		{},
	};
	static const struct scene none[] = {
		{ .method = "org.ois.node.List", .replies = { OK("{}") } },
		{},
	};
	static const struct scene add[] = {
		{ .method = "org.ois.node.Create",
		  .parameters = "{\"key\":{\"targetName\":\"iqn.x\",\"address\":\"fd00::1\","
				"\"port\":3260},\"settings\":{}}",
		  .replies = { OK(RECORD) } },
		/* The secret is for this portal, not for others of the address. */
		{ .method = "org.ois.node.SetSecret",
		  .parameters = "{\"selector\":{\"targetName\":\"iqn.x\",\"address\":\"fd00::1\","
				"\"port\":3260},\"role\":"
				"\"target\",\"secretBase64\":\"dGVuIGJ5dGVzISE=\"}",
		  .replies = { OK("{\"updated\":1}") } },
		{},
	};

	check(list, "nodes --startup=automatic", 0,
	      "TARGET PORTAL         STARTUP   SESSION ORIGIN\n"
	      "iqn.x  [fd00::1]:3260 automatic 3 4     send_targets\n"
	      "\n1 node listed.\n",
	      "");
	check(show, "node show iqn.x y", 7,
	      "        Target: iqn.x\n"
	      "        Portal: [fd00::1]:3260, group 2\n"
	      "      Moved to: [fe80::2]:860 since Thu 1970-01-01 00:00:02 UTC\n"
	      "        Origin: send_targets at h\n"
	      "       Created: Thu 1970-01-01 00:00:00 UTC\n"
	      "       Changed: Thu 1970-01-01 00:00:00 UTC\n"
	      "      MD5 only: Thu 1970-01-01 00:00:01 UTC\n"
	      "      Sessions: 3 4\n"
	      "\n"
	      "SETTING           VALUE       FROM\n"
	      "startup           automatic   default\n"
	      "scan              yes         default\n"
	      "keys.headerDigest crc32c,none node\n",
	      "Failed to show y: no such node; 'ois-ctl nodes' lists the nodes\n");
	write_secret("ten bytes!!\n");
	check(logged_out, "nodes", 0,
	      "TARGET PORTAL      STARTUP               SESSION ORIGIN\n"
	      "iqn.x  [fd00::1]:1 automatic, logged out -       static\n"
	      "\n1 node listed.\n",
	      "");
	check(logged_out, "node show iqn.x", 0,
	      "        Target: iqn.x\n"
	      "        Portal: [fd00::1]:1\n"
	      "        Origin: static\n"
	      "       Created: Thu 1970-01-01 00:00:00 UTC\n"
	      "       Changed: Thu 1970-01-01 00:00:00 UTC\n"
	      "    Logged out: Thu 1970-01-01 00:00:03 UTC\n"
	      "\n"
	      "SETTING VALUE     FROM\n"
	      "startup automatic default\n",
	      "");
	check(none, "nodes", 0, "", "No nodes. 'ois-ctl discover ADDRESS' finds targets.\n");
	check(add, "node add iqn.x fd00::1 --target-secret-file=- <$OIS_TEST_SECRET", 0,
	      "iqn.x at [fd00::1]:3260: added\nCHAP secret of the target for iqn.x stored\n", "");
	(void)unlink(secret_path);
}

static void test_node_add(void **state)
{
	static const struct {
		const char *portal, *key, *printed;
	} rows[] = {
		{ "192.0.2.1", "\"address\":\"192.0.2.1\",\"port\":3260", "192.0.2.1:3260" },
		{ "192.0.2.1:860,1", "\"address\":\"192.0.2.1\",\"port\":860,\"portalGroupTag\":1",
		  "192.0.2.1:860" },
		{ "storage.example.com,65535",
		  "\"address\":\"storage.example.com\",\"port\":3260,\"portalGroupTag\":65535",
		  "storage.example.com:3260" },
		{ "2001:DB8::0:1", "\"address\":\"2001:db8::1\",\"port\":3260",
		  "[2001:db8::1]:3260" },
		{ "'[2001:db8::1]:3261,7'",
		  "\"address\":\"2001:db8::1\",\"port\":3261,\"portalGroupTag\":7",
		  "[2001:db8::1]:3261" },
		{ "'[FE80::1%eth0]'", "\"address\":\"fe80::1%eth0\",\"port\":3260",
		  "[fe80::1%eth0]:3260" },
	};
	static const struct scene bad_name[] = {
		{ .method = "org.ois.node.Create",
		  .replies = { FAIL("org.ois.node.InvalidSetting",
				    "{\"setting\":\"key.targetName\",\"message\":\"a "
				    "name starts with iqn., eui. or naa.\"}") } },
		{},
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		char command[128], parameters[256], reply[320], printed[128];
		struct scene scenes[] = { { .method = "org.ois.node.Create",
					    .parameters = parameters,
					    .replies = { reply } },
					  {} };

		(void)snprintf(command, sizeof(command), "node add iqn.x %s", rows[i].portal);
		(void)snprintf(parameters, sizeof(parameters),
			       "{\"key\":{\"targetName\":\"iqn.x\",%s},\"settings\":{}}",
			       rows[i].key);
		(void)snprintf(reply, sizeof(reply),
			       OK("{\"record\":{\"key\":{\"targetName\":\"iqn.x\",%s}}}"),
			       rows[i].key);
		(void)snprintf(printed, sizeof(printed), "iqn.x at %s: added\n", rows[i].printed);
		check(scenes, command, 0, printed, "");
	}
	check(bad_name, "node add disk h", 2, "",
	      "Failed to add the node disk at h: key.targetName: a name starts with iqn., eui. or "
	      "naa.\n");
}

static void test_session_show(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.session.List",
		  .parameters = "{\"selector\":{\"session\":3},\"logicalUnits\":true}",
		  .replies = { OK(
			  "{\"session\":{\"session\":3,\"state\":\"failed\",\"phase\":\"retrying\","
			  "\"recovering\":true,"
			  "\"targetName\":\"iqn.x\",\"address\":\"h\",\"port\":3260,\"managed\":"
			  "true,\"transport\":\"tcp\","
			  "\"redirect\":{\"address\":\"10.0.0.2\",\"port\":860,\"permanent\":true},"
			  "\"hostNumber\":5,\"attempt\":2,\"failure\":{\"message\":\"no "
			  "answer\"},\"nextAttemptTimestampUSec\":1000000,\"reconnects\":1,"
			  "\"chapAlgorithm\":\"sha256\",\"mutualAuthentication\":false,"
			  "\"commandsMax\":64,"
			  "\"parameters\":{\"initialR2T\":false,\"maxBurstLength\":512},"
			  "\"connections\":[{\"connection\":0,\"state\":\"in_login\",\"address\":"
			  "\"10.0.0.2\",\"port\":860,"
			  "\"parameters\":{\"dataDigest\":\"none\",\"headerDigest\":\"crc32c\"}}],"
			  "\"logicalUnits\":[{\"lun\":\"0\",\"address\":\"5:0:0:0\",\"deviceType\":"
			  "0,\"blockDevice\":\"sda\","
			  "\"sizeBytes\":1610612736,\"state\":\"running\","
			  "\"vendor\":\"V\"}]}}") } },
		{},
	};
	static const struct scene trouble[] = {
		{ .method = "org.ois.session.List",
		  .replies = { OK("{\"session\":{\"session\":3,\"state\":\"failed\",\"phase\":"
				  "\"retrying\",\"recovering\":true,\"targetName\":\"iqn.x\","
				  "\"address\":\"h\",\"port\":3260,\"managed\":true,"
				  "\"transport\":\"tcp\",\"nextAttemptTimestampUSec\":1000000,"
				  "\"failure\":{\"message\":\"no answer\"},\"parameters\":{},"
				  "\"connections\":[]}}") } },
		{},
	};
	static const struct scene adopt[] = {
		{ .method = "org.ois.session.Adopt",
		  .parameters = "{\"session\":3}",
		  .replies = { OK("{}") } },
		{ .method = "org.ois.session.Adopt",
		  .parameters = "{\"session\":4}",
		  .replies = { FAIL("org.ois.session.NotAdoptable",
				    "{\"session\":4,\"message\":\"an adapter keeps it\"}") } },
		{},
	};
	static const struct scene none[] = { {} };
	static const struct scene nothing[] = {
		{ .method = "org.ois.session.List",
		  .replies = { FAIL("org.ois.session.NoSuchSession", "{\"selector\":{}}") } },
		{},
	};

	check(scenes, "session show 3", 0,
	      "       Session: 3\n"
	      "        Target: iqn.x\n"
	      "        Portal: h:3260\n"
	      "    Redirected: to 10.0.0.2:860, for good\n"
	      "     Transport: tcp, SCSI host 5\n"
	      "         State: recovering: retrying\n"
	      "    Reconnects: 1\n"
	      "  Last failure: no answer\n"
	      "       Attempt: 2\n"
	      "  Next attempt: Thu 1970-01-01 00:00:01 UTC; now\n"
	      "    Connection: 0: - to 10.0.0.2:860, in login\n"
	      "          CHAP: sha256, this host proved itself\n"
	      "    Negotiated: headerDigest=crc32c\n"
	      "                dataDigest=none\n"
	      "                initialR2T=no\n"
	      "                maxBurstLength=512\n"
	      "        Limits: commandsMax=64\n"
	      "\n"
	      "LUN DEVICE    SIZE VENDOR MODEL SCSI ADDRESS STATE   WWID\n"
	      "  0 sda    1.5 GiB V      -     5:0:0:0      running -\n",
	      "");
	check(trouble, "sessions", 0,
	      "SESSION TARGET PORTAL STATE                               SINCE DEVICES\n"
	      "      3 iqn.x  h:3260 recovering: retrying now: no answer -     -\n"
	      "\n1 session listed.\n",
	      "");
	check(adopt, "session adopt 3 4", 7, "Session 3: managed\n",
	      "Failed to adopt session 4: an adapter keeps it\n");
	check(none, "session adopt iqn.x", 2, "", "'iqn.x' is no number of a session\n");
	check(nothing, "session show 3", 3, "",
	      "Failed to show 3: no such session; 'ois-ctl sessions' lists the sessions\n");
}

static void test_rescan(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.session.List",
		  .parameters = "{\"selector\":{\"targetName\":\"*\"},\"logicalUnits\":true}",
		  .replies = { MORE(SESSION("3", "logged_in", "")),
			       OK(SESSION("4", "logged_in", "")) } },
		{ .method = "org.ois.session.Rescan",
		  .parameters = "{\"session\":3,\"lun\":\"7\"}",
		  .replies = { OK("{\"added\":[{\"lun\":\"7\",\"address\":\"5:0:0:7\","
				  "\"blockDevice\":\"sdx\"}],\"removed\":[],\"resized\":[{"
				  "\"lun\":\"1\",\"address\":\"5:0:0:1\",\"sizeBytes\":"
				  "1048576}],\"kept\":[{\"lun\":\"2\",\"address\":\"5:0:0:2\","
				  "\"blockDevice\":\"sdy\"}]}") } },
		{ .method = "org.ois.session.Rescan",
		  .parameters = "{\"session\":4,\"lun\":\"7\"}",
		  .replies = { FAIL("org.ois.session.NotLoggedIn", "{\"session\":4}") } },
		{},
	};

	check(scenes, "rescan '*' --lun=7", 7,
	      "Session 3: LUN 7 added (sdx)\n"
	      "Session 3: LUN 1 resized to 1 MiB\n"
	      "Session 3: LUN 2 gone at the target, but in use (sdy)\n",
	      "Failed to rescan session 4: the session has no connection now\n");
}

#define HOST                                                                                       \
	"{\"host\":{\"hostNumber\":4,\"transport\":\"qla4xxx\",\"procName\":\"qla4xxx\","          \
	"\"adapter\":true,\"hardwareAddress\":\"00:c0:dd:01:02:03\",\"address\":\"192.0.2.7\","    \
	"\"portState\":\"down\",\"portSpeedMegabits\":10000,\"sessions\":[7,9],"                   \
	"\"capabilities\":[\"multiple_r2t\",\"login_offload\"]}}"

static void test_hosts(void **state)
{
	static const struct scene list[] = {
		{ .method = "org.ois.host.List",
		  .parameters = "{}",
		  .replies = { MORE(HOST), OK("{\"host\":{\"hostNumber\":5,\"transport\":\"tcp\","
					      "\"adapter\":false,\"sessions\":[],"
					      "\"capabilities\":[]}}") } },
		{},
	};
	static const struct scene nothing[] = {
		{ .method = "org.ois.host.List", .replies = { OK("{}") } },
		{},
	};
	static const struct scene show[] = {
		{ .method = "org.ois.host.List",
		  .parameters = "{\"host\":\"00:c0:dd:01:02:03\"}",
		  .replies = { OK(HOST) } },
		{ .method = "org.ois.host.List",
		  .parameters = "{\"host\":\"6\"}",
		  .replies = { FAIL("org.ois.host.NoSuchHost", "{\"host\":\"6\"}") } },
		{},
	};

	check(list, "hosts", 0,
	      "HOST TRANSPORT PORT SPEED     HARDWARE ADDRESS  ADDRESS   NET DEVICE SESSIONS\n"
	      "   4 qla4xxx   down 10 Gbit/s 00:c0:dd:01:02:03 192.0.2.7 -                 2\n"
	      "   5 tcp       -    -         -                 -         -                 0\n"
	      "\n2 hosts listed.\n",
	      "");
	check(nothing, "hosts", 0, "", "No hosts.\n");
	check(nothing, "hosts -j", 0, "[]\n", "");
	check(show, "host show 00:c0:dd:01:02:03 6", 7,
	      "          Host: 4\n"
	      "     Transport: qla4xxx\n"
	      "        Driver: qla4xxx\n"
	      "          Kind: port of an adapter\n"
	      "          Port: down\n"
	      "         Speed: 10 Gbit/s\n"
	      "      Hardware: 00:c0:dd:01:02:03\n"
	      "       Address: 192.0.2.7\n"
	      "      Sessions: 7\n"
	      "                9\n"
	      "        Can do: multiple r2t\n"
	      "                login offload\n",
	      "Failed to show host 6: no such host; 'ois-ctl hosts' lists the hosts\n");
}

static void test_host_ping(void **state)
{
	static const struct scene some[] = {
		{ .method = "org.ois.host.Ping",
		  .parameters = "{\"address\":\"192.0.2.9\",\"count\":2,\"sizeBytes\":100,\"host\":"
				"\"4\"}",
		  .replies = { MORE("{\"reply\":{\"sequence\":1,\"roundTripUSec\":1234}}"),
			       MORE("{\"reply\":{\"sequence\":2,\"status\":4,\"failure\":"
				    "\"no answer in time\"}}"),
			       OK("{\"summary\":{\"sent\":2,\"received\":1,\"minimumUSec\":1234,"
				  "\"averageUSec\":1234,\"maximumUSec\":1234}}") } },
		{},
	};
	static const struct scene none[] = {
		{ .method = "org.ois.host.Ping",
		  .parameters = "{\"address\":\"192.0.2.9\",\"intervalMilliseconds\":3000,\"host\":"
				"\"4\"}",
		  .replies = { MORE("{\"reply\":{\"sequence\":1,\"failure\":\"the adapter did not "
				    "tell what became of it\"}}"),
			       OK("{\"summary\":{\"sent\":1,\"received\":0}}") } },
		{},
	};
	static const struct scene refused[] = {
		{ .method = "org.ois.host.Ping",
		  .replies = { FAIL(
			  "org.ois.host.NotSupported",
			  "{\"hostNumber\":4,\"transport\":\"cxgb4i\",\"operation\":\"send a "
			  "ping\",\"message\":\"cxgb4i cannot send a ping\"}") } },
		{},
	};

	check(some, "host ping 4 192.0.2.9 --count=2 --size=100", 7,
	      "192.0.2.9: 1: answered in 1.23 ms\n"
	      "192.0.2.9: 2: no answer in time\n"
	      "2 sent, 1 answered, least/average/most 1.23/1.23/1.23 ms\n",
	      "");
	check(none, "host ping 4 192.0.2.9 --interval=3", 6,
	      "192.0.2.9: 1: the adapter did not tell what became of it\n"
	      "1 sent, none answered\n",
	      "");
	check(refused, "host ping 4 192.0.2.9", 1, "",
	      "Failed to ping 192.0.2.9 from host 4: cxgb4i cannot send a ping\n");
}

static void test_host_chap(void **state)
{
	static const struct scene list[] = {
		{ .method = "org.ois.host.ListChapEntries",
		  .parameters = "{\"host\":\"4\"}",
		  .replies = { MORE("{\"entry\":{\"index\":0,\"role\":\"target\",\"userName\":"
				    "\"storage\",\"secretSet\":true}}"),
			       OK("{\"entry\":{\"index\":12,\"role\":\"initiator\",\"userName\":"
				  "\"alice\",\"secretSet\":false}}") } },
		{},
	};
	static const struct scene set[] = {
		{ .method = "org.ois.host.SetChapEntry",
		  .parameters = "{\"host\":\"4\",\"userName\":\"alice\",\"index\":7,\"role\":"
				"\"initiator\",\"secretBase64\":\"b3Blbi1zZXNhbWUtMTAwMQ==\"}",
		  .replies = { OK("{}") } },
		{},
	};
	static const struct scene removal[] = {
		{ .method = "org.ois.host.RemoveChapEntry",
		  .parameters = "{\"index\":7,\"host\":\"4\"}",
		  .replies = { OK("{}") } },
		{ .method = "org.ois.host.RemoveChapEntry",
		  .parameters = "{\"index\":8,\"host\":\"4\"}",
		  .replies = { FAIL("org.ois.host.EntryInUse",
				    "{\"hostNumber\":4,\"index\":8}") } },
		{},
	};
	static const struct scene nobody[] = { {} };

	check(list, "host chap list 4", 0,
	      "INDEX PROVES    USER NAME SECRET\n"
	      "    0 target    storage   set\n"
	      "   12 this host alice     -\n",
	      "");
	write_secret("open-sesame-1001\n");
	check(set, "host chap set 4 alice --index=7 --secret-file=$OIS_TEST_SECRET", 0,
	      "CHAP secret of this host for alice stored\n", "");
	check(removal, "host chap remove 4 7 8", 7, "CHAP secret 7 of host 4 removed\n",
	      "Failed to remove CHAP secret 8 of host 4: a session or a flash node uses it\n");
	check(nobody, "host chap remove 4 seven", 2, "", "'seven' is no INDEX\n");
	check(nobody, "host chap", 2, "",
	      "'host chap' alone is no verb; there are 'host chap list', 'host chap set', 'host "
	      "chap remove'\n");
	check(nobody, "host chap show", 2, "",
	      "Unknown verb 'host chap show'; there are 'host chap list', 'host chap set', 'host "
	      "chap remove'\n");
}

static void test_flash_nodes(void **state)
{
	static const struct scene list[] = {
		{ .method = "org.ois.host.ListFlashNodes",
		  .parameters = "{\"host\":\"4\"}",
		  .replies = { OK("{\"flashNode\":{\"index\":2,\"parameters\":{\"targetName\":"
				  "\"iqn.x\",\"address\":\"192.0.2.1\",\"port\":\"3260\",\"chap\":"
				  "\"no\"}}}") } },
		{},
	};
	static const struct scene show[] = {
		{ .method = "org.ois.host.ListFlashNodes",
		  .parameters = "{\"index\":2,\"host\":\"4\"}",
		  .replies = { OK("{\"flashNode\":{\"index\":2,\"parameters\":{\"targetName\":"
				  "\"iqn.x\",\"port\":\"3260\"}}}") } },
		{},
	};
	static const struct scene add[] = {
		{ .method = "org.ois.host.CreateFlashNode",
		  .parameters = "{\"parameters\":{\"targetName\":\"iqn.x\",\"port\":\"3261\"},"
				"\"family\":\"ipv4\",\"host\":\"4\"}",
		  .replies = { OK("{\"index\":3}") } },
		{},
	};
	static const struct scene set[] = {
		{ .method = "org.ois.host.SetFlashNode",
		  .parameters = "{\"index\":3,\"parameters\":{\"port\":\"0\"},\"host\":\"4\"}",
		  .replies = { FAIL(
			  "org.ois.host.InvalidSetting",
			  "{\"setting\":\"port\",\"message\":\"must be a number from 1 to "
			  "65535\"}") } },
		{},
	};
	static const struct scene login[] = {
		{ .method = "org.ois.host.LoginFlashNode",
		  .parameters = "{\"index\":3,\"host\":\"4\"}",
		  .replies = { OK("{}") } },
		{},
	};
	static const struct scene nobody[] = { {} };

	check(list, "host flashnode list 4", 0,
	      "INDEX TARGET PORTAL         CHAP BOOT\n"
	      "    2 iqn.x  192.0.2.1:3260 no   -\n",
	      "");
	check(show, "host flashnode show 4 2", 0,
	      "PARAMETER  VALUE\n"
	      "targetName iqn.x\n"
	      "port       3260\n",
	      "");
	check(add, "host flashnode add 4 ipv4 targetName=iqn.x port=3261", 0,
	      "Flash node 3 of host 4 made\n", "");
	check(set, "host flashnode set 4 3 port=0", 2, "",
	      "Failed to change flash node 3 of host 4: port: must be a number from 1 to 65535\n");
	check(login, "host flashnode login 4 3", 0, "Flash node 3 of host 4: login begun\n", "");
	check(nobody, "host flashnode add 4 ipv5", 2, "", "'ipv5' is neither ipv4 nor ipv6\n");
	check(nobody, "host flashnode remove 4 x", 2, "", "'x' is no INDEX\n");
}

static void test_port_stats(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.host.GetStatistics",
		  .parameters = "{\"host\":\"4\"}",
		  .replies = { OK("{\"statistics\":{\"hostNumber\":4,\"transport\":\"qla4xxx\","
				  "\"mac\":{\"txFrames\":17},\"ipv4\":{},\"ipv6\":{},\"tcp\":{},"
				  "\"ecc\":{},\"iscsi\":{\"sequenceError\":3}}}") } },
		{},
	};
	static const struct scene parameters[] = {
		{ .method = "org.ois.host.SetParameters",
		  .parameters = "{\"netDevice\":\"eth7\",\"address\":\"192.0.2.1\",\"host\":\"4\"}",
		  .replies = { OK("{}") } },
		{},
	};
	static const struct scene nobody[] = { {} };

	check(scenes, "host stats 4 --openmetrics", 0,
	      "# TYPE ois_port_mac_tx_frames counter\n"
	      "# HELP ois_port_mac_tx_frames Frames sent.\n"
	      "ois_port_mac_tx_frames_total{host=\"4\",transport=\"qla4xxx\",address=\"\"} 17\n"
	      "# TYPE ois_port_iscsi_sequence_error counter\n"
	      "# HELP ois_port_iscsi_sequence_error PDUs received out of sequence.\n"
	      "ois_port_iscsi_sequence_error_total{host=\"4\",transport=\"qla4xxx\",address=\"\"} "
	      "3\n"
	      "# EOF\n",
	      "");
	check(parameters, "host set 4 netDevice=eth7 address=192.0.2.1", 0, "Host 4 changed\n", "");
	check(nobody, "host set 4 eth7", 2, "", "'eth7' is no NAME=VALUE\n");
}

static void test_scsi(void **state)
{
	static const struct scene inquiry[] = {
		{ .method = "org.ois.session.List",
		  .replies = { OK(SESSION("3", "logged_in", "")) } },
		{ .method = "org.ois.scsi.Inquiry",
		  .parameters = "{\"session\":3,\"lun\":\"2\",\"page\":131,\"timeoutSeconds\":3}",
		  .replies = { OK(
			  "{\"data\":\"00830004deadbeef\",\"designators\":[{\"association\":"
			  "\"target_port\",\"type\":\"relative_target_port\",\"value\":\"1\"}]"
			  "}") } },
		{},
	};
	static const struct scene luns[] = {
		{ .method = "org.ois.session.List",
		  .replies = { OK(SESSION("3", "logged_in", "")) } },
		{ .method = "org.ois.scsi.ReportLuns",
		  .parameters = "{\"session\":3}",
		  .replies = { OK(
			  "{\"data\":\"\",\"luns\":[{\"lun\":\"7\",\"bytes\":\"0007000000000000\","
			  "\"addressing\":\"peripheral\",\"blockDevice\":\"sda\"}]}") } },
		{},
	};
	static const struct scene capacity[] = {
		{ .method = "org.ois.session.List",
		  .replies = { OK(SESSION("3", "logged_in", "")) } },
		{ .method = "org.ois.scsi.ReadCapacity",
		  .replies = { FAIL("org.ois.scsi.TimedOut",
				    "{\"session\":3,\"lun\":\"0\",\"event\":47,\"message\":\"the "
				    "logical unit "
				    "did not answer in time\"}") } },
		{},
	};
	static const struct scene several[] = {
		{ .method = "org.ois.session.List",
		  .replies = { MORE(SESSION("3", "logged_in", "")),
			       OK(SESSION("4", "logged_in", "")) } },
		{},
	};

	check(inquiry, "scsi inquiry 3 --lun=2 --page=0x83 --deadline=3", 0,
	      "   Designators: relative target port: 1, of the target_port\n"
	      "          Data: 0000  00 83 00 04 de ad be ef\n",
	      "");
	check(luns, "scsi report-luns 3", 0,
	      "LUN ADDRESSING BYTES            DEVICE\n"
	      "  7 peripheral 0007000000000000 sda\n",
	      "");
	check(capacity, "-q scsi read-capacity 3", 6, "",
	      "Failed to read the capacity of session 3: the logical unit did not answer in "
	      "time\n");
	check(several, "scsi inquiry 'iqn.*'", 2, "",
	      "iqn.* matches several sessions: name one by its number\n");
}

#define STATISTICS(session, bytes, commands)                                                       \
	"{\"statistics\":{\"session\":" session                                                    \
	",\"hostNumber\":5,\"targetName\":\"iqn.a\",\"address\":\"fe80::1\","                      \
	"\"port\":860,\"transport\":\"tcp\",\"state\":\"logged_in\",\"transmittedBytes\":" bytes   \
	",\"scsiCommand\":" commands ",\"reconnects\":2,\"logicalUnits\":[{\"lun\":\"0\","         \
	"\"address\":\"5:0:0:0\",\"blockDevice\":\"sda\",\"requests\":9,\"errors\":1},"            \
	"{\"lun\":\"1\",\"address\":\"5:0:0:1\",\"errors\":3}]}}"

#define HOST_STATISTICS                                                                            \
	"{\"statistics\":{\"hostNumber\":5,\"transport\":\"tcp\",\"procName\":\"iscsi_tcp\","      \
	"\"commandsMax\":128,\"sessions\":2,\"loggedIn\":1,\"transmittedBytes\":2048,"             \
	"\"scsiCommand\":7,\"reconnects\":4,\"logicalUnits\":3,\"errors\":6}}"

static void test_host_stats(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.session.GetHostStatistics",
		  .replies = { OK(HOST_STATISTICS) } },
		{},
	};
	static const struct scene nothing[] = {
		{ .method = "org.ois.session.GetHostStatistics", .replies = { OK("{}") } },
		{},
	};
	static const struct scene idle[] = { {} };
	struct fake_daemon fake;
	struct result result;

	check(scenes, "stats --hosts", 0,
	      "HOST DRIVER    SESSIONS READ WRITTEN COMMANDS TASK MGMT ERRORS TIMEOUTS RECONNECTS\n"
	      "   5 iscsi_tcp        2    -   2 KiB        7         -      6        -          "
	      "4\n",
	      "");
	check(nothing, "stats --hosts --watch --count=1", 0, "", "No hosts with sessions.\n");
	check(idle, "stats --hosts 3", 2, "",
	      "--hosts shows all hosts, and goes with no session\n");
	fake_start(&fake, scenes);
	run("stats --hosts --openmetrics", fake.path, &result);
	fake_stop(&fake);
	assert_int_equal(result.status, 0);
	assert_non_null(strstr(result.output, "# TYPE ois_host_sessions gauge\n"));
	assert_non_null(strstr(result.output, "\nois_host_sessions_logged_in{host=\"5\","
					      "driver=\"iscsi_tcp\",transport=\"tcp\"} 1\n"));
	assert_non_null(strstr(result.output, "\nois_host_transmitted_bytes_total{host=\"5\","));
	assert_non_null(strstr(result.output, "\nois_host_errors_total{host=\"5\","));
	assert_null(strstr(result.output, "ois_session_"));
}

static void test_stats(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.session.GetStatistics",
		  .replies = { MORE(STATISTICS("3", "2048", "7")),
			       OK(STATISTICS("12", "0", "0")) } },
		{},
	};
	static const struct scene watched[] = {
		{ .method = "org.ois.session.GetStatistics",
		  .parameters = "{\"selector\":{\"session\":3}}",
		  .replies = { OK(STATISTICS("3", "2048", "7")) } },
		{},
	};
	static const struct scene nothing[] = {
		{ .method = "org.ois.session.GetStatistics", .replies = { OK("{}") } },
		{},
	};
	static const struct scene idle[] = { {} };

	check(scenes, "stats", 0,
	      "SESSION TARGET READ WRITTEN COMMANDS TASK MGMT ERRORS TIMEOUTS RECONNECTS\n"
	      "      3 iqn.a     -   2 KiB        7         -      4        -          2\n"
	      "     12 iqn.a     -     0 B        0         -      4        -          2\n",
	      "");
	/* The first look shows the totals; it is the only one here. */
	check(watched, "stats 3 --watch --count=1", 0,
	      "SESSION TARGET READ WRITTEN COMMANDS TASK MGMT ERRORS TIMEOUTS RECONNECTS\n"
	      "      3 iqn.a     -   2 KiB        7         -      4        -          2\n",
	      "");
	check(nothing, "stats", 0, "", "No sessions.\n");
	check(nothing, "stats iqn.b", 3, "", "No session matches 'iqn.b'\n");
	check(idle, "stats --count=2", 2, "", "--interval and --count need --watch\n");
	check(idle, "stats --openmetrics --json=short", 2, "",
	      "--openmetrics goes with neither --watch nor --json\n");
}

/* Counters that are not there are not zero. */
static void test_openmetrics(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.session.GetStatistics",
		  .replies = { OK(STATISTICS("3", "2048", "7")) } },
		{},
	};
	static const char labels[] = "{session=\"3\",host=\"5\",target=\"iqn.a\",portal=\"[fe80::1]"
				     ":860\",transport=\"tcp\"";
	struct fake_daemon fake;
	struct result result;
	const char *text = result.output;
	char line[256];

	fake_start(&fake, scenes);
	run("stats --openmetrics", fake.path, &result);
	fake_stop(&fake);
	assert_int_equal(result.status, 0);
	(void)snprintf(line, sizeof(line), "\nois_session_transmitted_bytes_total%s} 2048\n",
		       labels);
	assert_non_null(strstr(text, line));
	(void)snprintf(line, sizeof(line), "\nois_session_logged_in%s} 1\n", labels);
	assert_non_null(strstr(text, line));
	(void)snprintf(line, sizeof(line),
		       "\nois_logical_unit_errors_total%s,lun=\"1\",device=\"\"} 3\n", labels);
	assert_non_null(strstr(text, line));
	assert_non_null(strstr(text, "\n# TYPE ois_session_transmitted_bytes counter\n"
				     "# UNIT ois_session_transmitted_bytes bytes\n"));
	assert_null(strstr(text, "ois_session_received_bytes_total"));
	assert_string_equal(text + strlen(text) - strlen("# EOF\n"), "# EOF\n");
}

static void test_settings_and_status(void **state)
{
	static const struct scene settings[] = {
		{ .method = "org.ois.manager.ListSettings",
		  .replies = { MORE("{\"setting\":{\"name\":\"scan\",\"kind\":\"boolean\","
				    "\"defaultValue\":\"true\",\"applies\":"
				    "\"next_login\",\"node\":true,\"discovery\":false,"
				    "\"description\":\"Look\"}"
				    "}"),
			       MORE("{\"setting\":{\"name\":\"n\",\"kind\":\"integer\",\"minimum\":"
				    "-1,\"maximum\":9,\"applies\":"
				    "\"immediately\",\"node\":true,\"discovery\":true,"
				    "\"interface\":true,\"description\":"
				    "\"Count\"}}"),
			       OK("{\"setting\":{\"name\":\"d\",\"kind\":\"list\",\"defaultValue\":"
				  "\"a b\",\"values\":[\"a\",\"b\"],"
				  "\"applies\":\"next_login\",\"interface\":true,\"description\":"
				  "\"List\"}}") } },
		{},
	};
	static const struct scene status[] = {
		{ .method = "org.ois.manager.GetStatus",
		  .replies = { OK(
			  "{\"status\":{\"version\":\"9\",\"state\":\"running\",\"processId\":5,"
			  "\"startedTimestampUSec\":9000000000000000,\"initiator\":{\"name\":\"iqn."
			  "h\",\"origin\":\"file\"},"
			  "\"transports\":[{\"name\":\"tcp\",\"module\":\"iscsi_tcp\",\"loaded\":"
			  "true,\"sessions\":1}],"
			  "\"nodes\":2,\"sessions\":1,\"recovering\":1,\"loginsInFlight\":3,"
			  "\"loginsQueued\":4,"
			  "\"journalDropped\":0,\"configurationFiles\":[\"/etc/ois/"
			  "ois.conf\"],\"recordsDirectory\":\"/r\"}}") } },
		{},
	};

	check(settings, "settings --no-legend", 0,
	      "scan yes yes, no at login nodes                      Look\n"
	      "n    -   -1..9   at once  nodes, portals, interfaces Count\n"
	      "d    a,b a, b    at login interfaces                 List\n",
	      "");
	check(status, "status", 0,
	      "        Daemon: oisd 9, process 5\n"
	      "         State: running since Wed 2255-03-14 16:00:00 UTC; 0s\n"
	      "     Initiator: iqn.h (file)\n"
	      "         Nodes: 2\n"
	      "      Sessions: 1, 1 of them recovering\n"
	      "        Logins: 3 under way, 4 waiting\n"
	      "    Transports: tcp (iscsi_tcp loaded), sessions: 1\n"
	      " Configuration: /etc/ois/ois.conf\n"
	      "       Records: /r\n",
	      "");
}

#define PORT                                                                                       \
	"{\"interface\":{\"name\":\"qedi.00:01\",\"settings\":{\"network\":{\"address\":"          \
	"\"192.0.2.9\"}},\"effective\":{\"transport\":\"qedi\",\"adapter\":\"00:01\",\"network\":" \
	"{"                                                                                        \
	"\"address\":\"192.0.2.9\"}},\"builtIn\":false,\"host\":0,\"users\":2,"                    \
	"\"createdTimestampUSec\":9000000000000000,\"changedTimestampUSec\":9000000000000000}}"

static void test_ifaces(void **state)
{
	static const struct scene list[] = {
		{ .method = "org.ois.interface.List",
		  .parameters = "{\"effective\":true}",
		  .replies = { MORE("{\"interface\":{\"name\":\"default\",\"settings\":{},"
				    "\"effective\":{\"transport\":\"tcp\"},\"builtIn\":true,"
				    "\"users\":0}}"),
			       OK(PORT) } },
		{},
	};
	static const struct scene show[] = {
		{ .method = "org.ois.interface.List",
		  .parameters = "{\"name\":\"qedi.00:01\",\"effective\":true}",
		  .replies = { OK(PORT) } },
		{ .method = "org.ois.interface.List", .replies = { OK("{}") } },
		{},
	};

	check(list, "ifaces", 0,
	      "INTERFACE  TRANSPORT HOST PORT OR DEVICE ADDRESS   INITIATOR USERS\n"
	      "default    tcp          - -              -         -             0\n"
	      "qedi.00:01 qedi         0 00:01          192.0.2.9 -             2\n"
	      "\n2 interfaces listed.\n",
	      "");
	check(show, "iface show qedi.00:01 x", 7,
	      "     Interface: qedi.00:01\n"
	      "     SCSI host: 0\n"
	      "       Used by: 2 nodes and portals\n"
	      "       Created: Wed 2255-03-14 16:00:00 UTC\n"
	      "       Changed: Wed 2255-03-14 16:00:00 UTC\n"
	      "\n"
	      "SETTING         VALUE     FROM\n"
	      "transport       qedi      default\n"
	      "adapter         00:01     default\n"
	      "network.address 192.0.2.9 interface\n",
	      "Failed to show x: there is no such interface; 'ois-ctl ifaces' lists the "
	      "interfaces\n");
}

static void test_iface_change(void **state)
{
	static const struct scene add[] = {
		{ .method = "org.ois.interface.Add",
		  .parameters = "{\"name\":\"x\",\"settings\":{\"network\":{\"vlan\":5}}}",
		  .replies = { OK(PORT) } },
		{},
	};
	static const struct scene set[] = {
		{ .method = "org.ois.interface.Set",
		  .parameters = "{\"name\":\"x\",\"settings\":{},\"reset\":[\"network\"]}",
		  .replies = { OK(PORT) } },
		{},
	};
	static const struct scene used[] = {
		{ .method = "org.ois.interface.Remove", .replies = { OK("{}") } },
		{ .method = "org.ois.interface.Remove",
		  .parameters = "{\"name\":\"y\"}",
		  .replies = { FAIL("org.ois.interface.InterfaceInUse",
				    "{\"name\":\"y\",\"users\":1}") } },
		{},
	};
	static const struct scene apply[] = {
		{ .method = "org.ois.interface.Apply",
		  .parameters = "{\"name\":\"x\"}",
		  .replies = { OK("{\"applied\":1,\"unchanged\":0}") } },
		{ .method = "org.ois.interface.Apply",
		  .parameters = "{\"name\":\"y\"}",
		  .replies = { OK("{\"applied\":0,\"unchanged\":1}") } },
		{ .method = "org.ois.interface.Apply",
		  .replies = { FAIL("org.ois.interface.ApplyFailed",
				    "{\"name\":\"z\",\"errnoName\":\"EIO\",\"message\":\"the "
				    "adapter did not take it: Input/output error\"}") } },
		{},
	};
	static const struct scene apply_all[] = {
		{ .method = "org.ois.interface.Apply",
		  .parameters = "{}",
		  .replies = { OK("{\"applied\":2,\"unchanged\":1}") } },
		{},
	};
	static const struct scene none[] = { {} };

	check(apply, "iface apply x y z", 7, "x: applied\ny: in force already\n",
	      "Failed to apply z: the adapter did not take it: Input/output error\n");
	check(apply_all, "iface apply", 0, "2 applied, 1 in force already\n", "");
	check(add, "iface add x network.vlan=5", 0, "x: added\n", "");
	check(set, "iface set x --reset=network", 0, "x: changed\n", "");
	check(used, "iface remove x y", 7, "x: removed\n",
	      "Failed to remove y: nodes or portals name the interface; put their setting "
	      "interface back first\n");
	check(none, "iface set x", 2, "", NULL);
	check(none, "iface add x startup=manual", 2, "", NULL);
}

#define PORTAL                                                                                     \
	"{\"portal\":{\"address\":\"fd00::1\",\"port\":3260,\"settings\":{\"authentication\":{"    \
	"\"userName\":\"u\",\"secretSet\":true}},\"effective\":{\"loginTimeoutSeconds\":15,"       \
	"\"authentication\":{\"method\":\"chap\",\"userName\":\"u\",\"secretSet\":true}},"         \
	"\"createdTimestampUSec\":9000000000000000,\"changedTimestampUSec\":9000000000000000}}"

static void test_portals(void **state)
{
	static const struct scene list[] = {
		{ .method = "org.ois.discovery.ListPortals",
		  .parameters = "{\"effective\":true}",
		  .replies = { OK(PORTAL) } },
		{},
	};
	static const struct scene none[] = {
		{ .method = "org.ois.discovery.ListPortals", .replies = { OK("{}") } },
		{},
	};
	static const struct scene show[] = {
		{ .method = "org.ois.discovery.ListPortals",
		  .parameters = "{\"address\":\"fd00::1\",\"port\":3260,\"effective\":true}",
		  .replies = { OK(PORTAL) } },
		{ .method = "org.ois.discovery.ListPortals",
		  .parameters = "{\"address\":\"h\",\"port\":1,\"effective\":true}",
		  .replies = { OK("{}") } },
		{},
	};

	check(list, "portals", 0,
	      "PORTAL         METHOD USER NAME SECRET TARGET SECRET\n"
	      "[fd00::1]:3260 chap   u         yes    -\n"
	      "\n1 portal listed.\n",
	      "");
	check(none, "portals", 0, "",
	      "No portals. 'ois-ctl portal set ADDRESS' keeps settings for discoveries there.\n");
	check(none, "portals -j", 0, "[]\n", "");
	check(show, "portal show [fd00::1] h:1", 7,
	      "        Portal: [fd00::1]:3260\n"
	      "       Created: Wed 2255-03-14 16:00:00 UTC\n"
	      "       Changed: Wed 2255-03-14 16:00:00 UTC\n"
	      "\n"
	      "SETTING                  VALUE FROM\n"
	      "loginTimeoutSeconds      15    default\n"
	      "authentication.method    chap  default\n"
	      "authentication.userName  u     portal\n"
	      "authentication.secretSet yes   portal\n",
	      "Failed to show h:1: nothing is kept for this portal; 'ois-ctl portals' lists the "
	      "portals\n");
}

static void test_portal_set(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.discovery.SetPortal",
		  .parameters = "{\"address\":\"h\",\"port\":3260,\"settings\":{\"tcp\":{"
				"\"windowSize\":64}},\"reset\":[\"authentication\"]}",
		  .replies = { OK(PORTAL) } },
		{ .method = "org.ois.discovery.SetPortalSecret",
		  .parameters = "{\"address\":\"h\",\"port\":3260,\"role\":\"initiator\","
				"\"secretBase64\":\"c2VjcmV0IA==\"}",
		  .replies = { OK(PORTAL) } },
		{ .method = "org.ois.discovery.SetPortalSecret",
		  .parameters = "{\"address\":\"h\",\"port\":3260,\"role\":\"target\"}",
		  .replies = { OK(PORTAL) } },
		{},
	};
	static const struct scene remove[] = {
		{ .method = "org.ois.discovery.RemovePortal",
		  .parameters = "{\"address\":\"h\",\"port\":1}",
		  .replies = { OK("{}") } },
		{ .method = "org.ois.discovery.RemovePortal",
		  .replies = { FAIL("org.ois.discovery.NoSuchPortal",
				    "{\"address\":\"i\",\"port\":3260}") } },
		{},
	};
	static const struct scene none[] = { {} };

	write_secret("secret \n");
	check(scenes,
	      "portal set h tcp.windowSize=64 --reset=authentication --remove-target-secret "
	      "--secret-file=$OIS_TEST_SECRET",
	      0,
	      "h: changed\nCHAP secret of this host for h stored\nCHAP secret of the target for h "
	      "removed\n",
	      "");
	(void)unlink(secret_path);
	check(remove, "portal remove h:1 i", 7, "h:1: removed\n",
	      "Failed to remove i: nothing is kept for this portal; 'ois-ctl portals' lists the "
	      "portals\n");
	/* Wrong use is told before anything is asked or changed. */
	check(none, "portal set h", 2, "", NULL);
	check(none, "portal set h:0 --secret", 2, "",
	      "'h:0' is no portal: ADDRESS[:PORT] is expected\n");
	check(none, "portal set h startup=automatic", 2, "",
	      "Failed to change h: discoveries have no setting 'startup'; 'ois-ctl settings' lists "
	      "the names\n");
}

/* A refusal says how to do better. */
static void test_discover_refused(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.discovery.Discover",
		  .replies = { FAIL("org.ois.discovery.AuthenticationFailed",
				    "{\"address\":\"h\",\"port\":1,\"event\":40,\"message\":"
				    "\"Target requires CHAP, and none is configured\"}") } },
		{},
	};
	static const struct scene denied[] = {
		{ .method = "org.ois.discovery.Discover",
		  .replies = { FAIL(
			  "org.ois.discovery.AuthenticationFailed",
			  "{\"address\":\"h\",\"port\":1,\"statusClass\":2,\"statusDetail\":2,"
			  "\"message\":\"no access\"}") } },
		{},
	};
	struct fake_daemon fake;
	struct result result;

	fake_start(&fake, scenes);
	run("discover h:1", fake.path, &result);
	fake_stop(&fake);
	assert_int_equal(result.status, 1);
	assert_string_equal(result.output, "");
	assert_non_null(strstr(result.errors, "Failed to discover targets at h:1: Target requires "
					      "CHAP, and none is configured\n"));
	assert_non_null(strstr(result.errors, "ois-ctl portal set h:1 authentication.method=chap "
					      "authentication.userName=NAME --secret\n"));
	assert_non_null(strstr(result.errors, "Event 40 "));
	/* No credentials would help. */
	check(denied, "discover h:1", 1, "", "Failed to discover targets at h:1: no access\n");
}

static void test_completion(void **state)
{
	static const struct scene portals[] = {
		{ .method = "org.ois.discovery.ListPortals", .replies = { OK(PORTAL) } },
		{},
	};
	static const struct scene settings[] = {
		{ .method = "org.ois.manager.ListSettings",
		  .replies = { MORE("{\"setting\":{\"name\":\"scan\",\"discovery\":false}}"),
			       OK("{\"setting\":{\"name\":\"tcp.netDevice\",\"discovery\":true}"
				  "}") } },
		{ .method = "org.ois.discovery.ListPortals", .replies = { OK(PORTAL) } },
		{},
	};

	static const struct scene interfaces[] = {
		{ .method = "org.ois.manager.ListSettings",
		  .replies = { MORE("{\"setting\":{\"name\":\"scan\",\"node\":true}}"),
			       OK("{\"setting\":{\"name\":\"network.vlan\",\"interface\":true}"
				  "}") } },
		{ .method = "org.ois.interface.List", .replies = { OK(PORT) } },
		{},
	};
	static const struct scene scenes[] = {
		{ .method = "org.ois.session.List",
		  .replies = { OK(SESSION("3", "logged_in", "")) } },
		{},
	};
	struct result result;

	check(scenes, "completion arguments logout", 0,
	      "3\tiqn.2026-01.org.example:db\niqn.2026-01.org.example:db\n", "");
	check(portals, "completion arguments portal show", 0, "[fd00::1]:3260\n", "");
	check(interfaces, "completion arguments iface set", 0, "network.vlan=\nqedi.00:01\n", "");
	check(settings, "completion arguments portal set", 0, "tcp.netDevice=\n[fd00::1]:3260\n",
	      "");
	run("completion verbs", "/none", &result);
	assert_non_null(strstr(result.output, "node show\t"));
	assert_null(strstr(result.output, "completion"));
	run("completion options node remove", "/none", &result);
	assert_non_null(strstr(result.output, "--force\t"));
	assert_null(strstr(result.output, "--record"));
	run("completion arguments events", "/none", &result);
	assert_non_null(strstr(result.output, "\n20\tCONNECTION_LOST\n"));
}

/* The shells find what the program offers, each word in its place. */
static void test_bash_completion(void **state)
{
	static const struct {
		const char *words, *expected;
	} rows[] = {
		{ "logo", "logout\n" },
		{ "session ''", "show adopt\n" },
		{ "node s", "show set\n" },
		{ "iface a", "add apply\n" },
		{ "portal s", "show set\n" },
		{ "host c", "chap\n" },
		{ "host chap ''", "list set remove\n" },
		{ "portal set --remove-t", "--remove-target-secret\n" },
		{ "node remove --fo", "--force\n" },
		{ "login --startup = a", "automatic\n" },
		{ "--json = s", "short\n" },
		{ "events --number = 2", "2 20 21 22 23 24 25 26 27 28 29\n" },
		{ "login ''", "\n" },
	};
	char command[1024], output[256];

	if (system("bash -c : 2>/dev/null") != 0)
		skip();
	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		FILE *pipe;

		(void)snprintf(command, sizeof(command),
			       "bash -c 'source %s/cli/completion/ois-ctl.bash; compopt() { :; }; "
			       "COMP_WORDS=(%s \"$@\"); "
			       "COMP_CWORD=$#; _ois_ctl; echo \"${COMPREPLY[*]}\"' bash %s",
			       PROJECT_SOURCE, PROGRAM, rows[i].words);
		pipe = popen(command, "re");
		assert_non_null(pipe);
		output[fread(output, 1, sizeof(output) - 1, pipe)] = '\0';
		assert_int_equal(pclose(pipe), 0);
		assert_string_equal(output, rows[i].expected);
	}
}

static void test_event_list(void **state)
{
	struct result result;

	run("events --list --number=CONNECT_FAILED,20 --no-legend", "/none", &result);
	assert_int_equal(result.status, 0);
	assert_string_equal(result.errors, "");
	assert_ptr_equal(strstr(result.output, " 1 CONNECT_FAILED  error "), result.output);
	assert_non_null(strstr(result.output, "\n20 CONNECTION_LOST error socket, kernel "));
	run("events --list --number=20 -j", "/none", &result);
	assert_ptr_equal(
		strstr(result.output,
		       "[{\"number\":20,\"symbol\":\"CONNECTION_LOST\",\"severity\":\"error\","),
		result.output);
	assert_non_null(strstr(result.output, "\"provedBy\":[\"socket\",\"kernel\"]"));
}

static void test_live_events(void **state)
{
	static const struct scene scenes[] = {
		{ .method = "org.ois.event.Subscribe",
		  .parameters = "{\"numbers\":[20],\"targetName\":\"iqn.*\",\"history\":3}",
		  .replies = { MORE("{\"ready\":true}"),
			       MORE("{\"event\":{\"number\":20,\"symbol\":\"CONNECTION_LOST\","
				    "\"severity\":\"error\","
				    "\"realtimeTimestampUSec\":0,\"message\":\"lost\\u0007\","
				    "\"fields\":{}},\"missed\":2}") },
		  .hang_up = true },
		{},
	};

	check(scenes, "events --live --number=20 --target='iqn.*' -n 3", 5,
	      "1970-01-01 00:00:00   20 CONNECTION_LOST            lost\\x07\n", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_no_daemon),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_login_of_one),
		cmocka_unit_test(test_login_interrupted),
		cmocka_unit_test(test_logout),
		cmocka_unit_test(test_discover),
		cmocka_unit_test(test_discover_options),
		cmocka_unit_test(test_node_set),
		cmocka_unit_test(test_secret_refused),
		cmocka_unit_test(test_secret_formats),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_node_add),
		cmocka_unit_test(test_session_show),
		cmocka_unit_test(test_rescan),
		cmocka_unit_test(test_scsi),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_host_ping),
		cmocka_unit_test(test_host_chap),
		cmocka_unit_test(test_flash_nodes),
		cmocka_unit_test(test_port_stats),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_host_stats),
		cmocka_unit_test(test_openmetrics),
		cmocka_unit_test(test_settings_and_status),
		cmocka_unit_test(test_ifaces),
		cmocka_unit_test(test_iface_change),
		cmocka_unit_test(test_portals),
		cmocka_unit_test(test_portal_set),
		cmocka_unit_test(test_discover_refused),
		cmocka_unit_test(test_completion),
		cmocka_unit_test(test_bash_completion),
		cmocka_unit_test(test_event_list),
		cmocka_unit_test(test_live_events),
	};

	(void)setenv("TZ", "UTC", 1);
	(void)close(mkstemp(secret_path));
	(void)setenv("OIS_TEST_SECRET", secret_path, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
