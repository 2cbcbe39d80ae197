// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Settings of nodes: the rows themselves, every way a value comes in and goes out, and the rules
 * between settings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "parse.h"
#include "settings.h"

static struct settings *make(void)
{
	struct settings *settings = NULL;

	assert_int_equal(settings_new(SETTINGS_NODE, &settings), 0);
	return settings;
}

static struct settings *make_discovery(void)
{
	struct settings *settings = NULL;

	assert_int_equal(settings_new(SETTINGS_DISCOVERY, &settings), 0);
	return settings;
}

static struct settings *effective_of(const struct settings *defaults, const struct settings *own)
{
	struct settings *effective = NULL;

	assert_int_equal(settings_effective(defaults, NULL, own, &effective), 0);
	return effective;
}

static void set(struct settings *settings, const char *name, const char *value)
{
	struct settings_fault fault = { 0 };

	if (settings_set_text(settings, name, value, &fault) != 0)
		fail_msg("%s=%s: %s", name, value, fault.message);
}

static int set_json(struct settings *settings, const char *text, struct settings_fault *ret_fault)
{
	json_object *object = json_tokener_parse(text);
	int r;

	assert_non_null(object);
	r = settings_set_json(settings, object, ret_fault);
	json_object_put(object);
	return r;
}

static void test_rows(void **state)
{
	_cleanup_(settings_freep) struct settings *of_nodes = make(), *of_interfaces = NULL;

	assert_int_equal(settings_new(SETTINGS_INTERFACE, &of_interfaces), 0);
	for (int i = 0; i < _SETTING_MAX; i++) {
		const struct setting_description *row = setting_describe(i);
		bool named = row->type == SETTING_ENUMERATION || row->type == SETTING_LIST;

		assert_non_null(row->name);
		assert_non_null(row->description);
		assert_true(text_is_clean(row->description, strlen(row->description)));
		assert_true(row->description[strlen(row->description) - 1] != '.');
		if (row->details)
			assert_true(row->details[strlen(row->details) - 1] == '.');
		assert_int_equal(setting_from_name(row->name), i);
		assert_int_equal(named, row->values != NULL);
		assert_true(row->minimum <= row->maximum);
		if (row->type == SETTING_INTEGER || row->type == SETTING_TEXT)
			assert_true(row->maximum > 0);
		/* Only a text may be without a default, and what an adapter knows better. */
		assert_true(row->default_value || row->type == SETTING_TEXT || row->interface_only);
		if (row->default_value)
			set(row->interface_only ? of_interfaces : of_nodes, row->name,
			    row->default_value);
	}
	assert_int_equal(setting_from_name("no"), -ENOENT);
	assert_int_equal(setting_from_name("keys"), -ENOENT);
	assert_int_equal(setting_from_name("STARTUP"), -ENOENT);
}

/* Every row is a field of the interface, and every field a row. */
static void compare_interface(const char *path, enum settings_scope scope)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	char line[512], field[64], type[64], group[32] = "";
	bool inside = false;
	unsigned n = 0;
	int setting;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		char name[128];

		if (sscanf(line, "type %63[A-Za-z]", type) == 1) {
			inside = true;
			*group = '\0';
			if (strcmp(type, "Keys") == 0)
				(void)strcpy(group, "keys.");
			else if (strcmp(type, "Authentication") == 0)
				(void)strcpy(group, "authentication.");
			else if (strcmp(type, "TcpSettings") == 0)
				(void)strcpy(group, "tcp.");
			else if (strcmp(type, "NetworkSettings") == 0)
				(void)strcpy(group, "network.");
			else
				inside = strcmp(type, "Settings") == 0;
		}
		if (line[0] == ')')
			inside = false;
		if (!inside || sscanf(line, " %63[A-Za-z0-9]: %1[?]", field, type) != 2)
			continue;
		if (!*group &&
		    (strcmp(field, "keys") == 0 || strcmp(field, "tcp") == 0 ||
		     strcmp(field, "authentication") == 0 || strcmp(field, "network") == 0))
			continue;
		if (strcmp(field, "secretSet") == 0 || strcmp(field, "targetSecretSet") == 0)
			continue;
		(void)snprintf(name, sizeof(name), "%s%s", group, field);
		setting = setting_from_name(name);
		if (setting < 0 || !setting_applies(setting, scope))
			fail_msg("%s: %s is no setting", path, name);
		n++;
	}
	for (int i = 0; i < _SETTING_MAX; i++)
		n -= setting_applies(i, scope);
	assert_int_equal(n, 0);
}

static void test_rows_are_the_interfaces(void **state)
{
	compare_interface(PROJECT_SOURCE "/include/ois/org.ois.node.varlink", SETTINGS_NODE);
	compare_interface(PROJECT_SOURCE "/include/ois/org.ois.discovery.varlink",
			  SETTINGS_DISCOVERY);
	compare_interface(PROJECT_SOURCE "/include/ois/org.ois.interface.varlink",
			  SETTINGS_INTERFACE);
}

static void test_defaults(void **state)
{
	_cleanup_(settings_freep) struct settings *effective = effective_of(NULL, NULL);
	int list[8];

	assert_int_equal(settings_check(effective, NULL), 0);
	assert_int_equal(settings_number(effective, SETTING_STARTUP), STARTUP_MANUAL);
	assert_int_equal(settings_number(effective, SETTING_SCAN), 1);
	assert_int_equal(settings_number(effective, SETTING_REPLACEMENT_TIMEOUT_SECONDS), 120);
	assert_int_equal(settings_number(effective, SETTING_COMMANDS_MAX), 128);
	assert_int_equal(settings_number(effective, SETTING_AUTHENTICATION_METHOD),
			 AUTHENTICATION_NONE);
	assert_null(settings_text(effective, SETTING_AUTHENTICATION_USER_NAME));
	assert_null(settings_text(effective, SETTING_TCP_NET_DEVICE));
	assert_int_equal(settings_list(effective, SETTING_AUTHENTICATION_ALGORITHMS, list), 4);
	assert_int_equal(list[0], SETTING_CHAP_SHA3_256);
	assert_int_equal(list[3], SETTING_CHAP_MD5);
	assert_int_equal(settings_list(effective, SETTING_KEYS_DATA_DIGEST, list), 1);
	assert_int_equal(list[0], SETTING_DIGEST_NONE);
}

static void test_good_values(void **state)
{
	static const char *const rows[][3] = {
		/* name, value, as JSON */
		{ "startup", "automatic", "{\"startup\":\"automatic\"}" },
		{ "scan", "no", "{\"scan\":false}" },
		{ "scan", "ON", "{\"scan\":true}" },
		{ "loginTimeoutSeconds", "1", "{\"loginTimeoutSeconds\":1}" },
		{ "loginTimeoutSeconds", "300", "{\"loginTimeoutSeconds\":300}" },
		{ "replacementTimeoutSeconds", "-1", "{\"replacementTimeoutSeconds\":-1}" },
		{ "commandsMax", "4096", "{\"commandsMax\":4096}" },
		{ "keys.maxOutstandingR2T", "32768", "{\"keys\":{\"maxOutstandingR2T\":32768}}" },
		{ "keys.headerDigest", "crc32c,none",
		  "{\"keys\":{\"headerDigest\":[\"crc32c\",\"none\"]}}" },
		{ "keys.headerDigest", " none ,\tcrc32c ",
		  "{\"keys\":{\"headerDigest\":[\"none\",\"crc32c\"]}}" },
		{ "authentication.algorithms", "sha256",
		  "{\"authentication\":{\"algorithms\":[\"sha256\"]}}" },
		{ "authentication.userName", "\xc3\xa4 user",
		  "{\"authentication\":{\"userName\":\"\xc3\xa4 user\"}}" },
		{ "tcp.sourceAddress", "192.0.2.1", "{\"tcp\":{\"sourceAddress\":\"192.0.2.1\"}}" },
		{ "tcp.sourceAddress", "fe80::1%eth0",
		  "{\"tcp\":{\"sourceAddress\":\"fe80::1%eth0\"}}" },
		{ "tcp.netDevice", "fifteencharsxyz",
		  "{\"tcp\":{\"netDevice\":\"fifteencharsxyz\"}}" },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		_cleanup_(settings_freep) struct settings *settings = make(), *again = make();
		json_object *object;

		set(settings, rows[i][0], rows[i][1]);
		object = settings_to_json(settings);
		assert_non_null(object);
		assert_string_equal(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN),
				    rows[i][2]);
		assert_false(settings_equal(settings, again));
		assert_int_equal(settings_set_json(again, object, NULL), 0);
		assert_true(settings_equal(settings, again));
		json_object_put(object);
	}
}

static void test_bad_values(void **state)
{
	static const struct {
		const char *name, *value;
		int error;
		const char *message; /* part of it */
	} rows[] = {
		{ "startup", "onboot", -EINVAL, "must be manual or automatic" },
		{ "startup", "Manual", -EINVAL, "must be manual or automatic" },
		{ "scan", "maybe", -EINVAL, "must be true or false" },
		{ "loginTimeoutSeconds", "0", -ERANGE, "1 to 300" },
		{ "loginTimeoutSeconds", "301", -ERANGE, "1 to 300" },
		{ "loginTimeoutSeconds", "99999999999999999999", -ERANGE, "1 to 300" },
		{ "loginTimeoutSeconds", "10s", -EINVAL, "1 to 300" },
		{ "loginTimeoutSeconds", "", -EINVAL, "1 to 300" },
		{ "replacementTimeoutSeconds", "-2", -ERANGE, "-1 to 604800" },
		{ "commandsMax", "100", -EINVAL, "a power of two, 16 to 4096" },
		{ "commandsMax", "8", -ERANGE, "a power of two, 16 to 4096" },
		{ "keys.maxOutstandingR2T", "3", -EINVAL, "power of two" },
		{ "keys.headerDigest", "crc32", -EINVAL, "none or crc32c" },
		{ "keys.headerDigest", "none none", -EINVAL, "each element once" },
		{ "keys.headerDigest", " , ", -EINVAL, "none or crc32c" },
		{ "authentication.userName", "", -EINVAL, "must not be empty" },
		{ "authentication.userName", "a\nb", -EINVAL, "control characters" },
		{ "authentication.userName", "\xff", -EINVAL, "UTF-8" },
		{ "tcp.sourceAddress", "localhost", -EINVAL, "numeric" },
		{ "tcp.sourceAddress", "1.2.3.4%eth0", -EINVAL, "numeric" },
		{ "tcp.sourceAddress", "fe80::1%", -EINVAL, "numeric" },
		{ "tcp.sourceAddress", "1.2.3", -EINVAL, "numeric" },
		{ "tcp.netDevice", "sixteencharsxyzz", -ERANGE, "at most 15 bytes" },
		{ "tcp.netDevice", "../x", -EINVAL, "network device" },
		{ "loginTimeout", "1", -ENOENT, "no such setting" },
		{ "keys", "1", -ENOENT, "no such setting" },
		{ "", "1", -ENOENT, "no such setting" },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		_cleanup_(settings_freep) struct settings *settings = make(), *empty = make();
		struct settings_fault fault = { 0 };

		assert_int_equal(settings_set_text(settings, rows[i].name, rows[i].value, &fault),
				 rows[i].error);
		assert_string_equal(fault.name, rows[i].name);
		if (!strstr(fault.message, rows[i].message))
			fail_msg("%s=%s: \"%s\"", rows[i].name, rows[i].value, fault.message);
		assert_true(text_is_clean(fault.value, strlen(fault.value)));
		assert_true(settings_equal(settings, empty));
		assert_int_equal(settings_set_text(settings, rows[i].name, rows[i].value, NULL),
				 rows[i].error);
	}
}

static void test_fault_range(void **state)
{
	_cleanup_(settings_freep) struct settings *settings = make();
	struct settings_fault fault;

	assert_int_equal(settings_set_text(settings, "queueDepth", "2000", &fault), -ERANGE);
	assert_true(fault.has_range);
	assert_int_equal(fault.minimum, 1);
	assert_int_equal(fault.maximum, 1024);
	assert_string_equal(fault.value, "2000");
	assert_int_equal(settings_set_text(settings, "scan", "x", &fault), -EINVAL);
	assert_false(fault.has_range);
}

static void test_text_length(void **state)
{
	_cleanup_(settings_freep) struct settings *settings = make();
	char text[257];

	memset(text, 'u', sizeof(text));
	text[256] = '\0';
	assert_int_equal(settings_set_text(settings, "authentication.userName", text, NULL),
			 -ERANGE);
	text[255] = '\0';
	set(settings, "authentication.userName", text);
	assert_string_equal(settings_text(settings, SETTING_AUTHENTICATION_USER_NAME), text);
}

static void test_good_json(void **state)
{
	_cleanup_(settings_freep) struct settings *settings = make(), *expected = make();

	assert_int_equal(
		set_json(settings,
			 "{\"startup\":\"automatic\",\"scan\":null,\"queueDepth\":\"64\",\"keys\":"
			 "null,"
			 "\"authentication\":{\"secretSet\":true,\"targetSecretSet\":false,"
			 "\"method\":\"chap\",\"userName\":\"me\"},\"tcp\":{}}",
			 NULL),
		0);
	set(expected, "startup", "automatic");
	set(expected, "queueDepth", "64");
	set(expected, "authentication.method", "chap");
	set(expected, "authentication.userName", "me");
	assert_true(settings_equal(settings, expected));
	assert_false(settings_is_set(settings, SETTING_SCAN));
}

static void test_bad_json(void **state)
{
	static const struct {
		const char *json;
		int error;
		const char *name;
	} rows[] = {
		{ "{\"scan\":true,\"queueDepth\":0}", -ERANGE, "queueDepth" },
		{ "{\"scan\":\"true\"}", -EINVAL, "scan" },
		{ "{\"scan\":1}", -EINVAL, "scan" },
		{ "{\"queueDepth\":true}", -EINVAL, "queueDepth" },
		{ "{\"queueDepth\":1.5}", -EINVAL, "queueDepth" },
		{ "{\"queueDepth\":99999999999999999999999}", -ERANGE, "queueDepth" },
		{ "{\"queueDepth\":-99999999999999999999999}", -ERANGE, "queueDepth" },
		{ "{\"queueDepth\":\"many\"}", -EINVAL, "queueDepth" },
		{ "{\"startup\":0}", -EINVAL, "startup" },
		{ "{\"startup\":\"manual\\u0000\"}", -EINVAL, "startup" },
		{ "{\"keys\":{\"headerDigest\":\"none\"}}", -EINVAL, "keys.headerDigest" },
		{ "{\"keys\":{\"headerDigest\":[]}}", -EINVAL, "keys.headerDigest" },
		{ "{\"keys\":{\"headerDigest\":[\"none\",null]}}", -EINVAL, "keys.headerDigest" },
		{ "{\"keys\":{\"headerDigest\":[\"none\",\"none\"]}}", -EINVAL,
		  "keys.headerDigest" },
		{ "{\"keys\":{\"headerDigest\":[\"none,crc32c\"]}}", -EINVAL, "keys.headerDigest" },
		{ "{\"keys\":{\"keys\":{\"initialR2T\":true}}}", -ENOENT, "keys.keys" },
		{ "{\"keys\":{\"scan\":true}}", -ENOENT, "keys.scan" },
		{ "{\"keys\":[]}", -ENOENT, "keys" },
		{ "{\"keys.initialR2T\":true,\"x\":1}", -ENOENT, "x" },
		{ "{\"authentication\":{\"secret\":\"x\"}}", -ENOENT, "authentication.secret" },
		{ "{\"authentication\":{\"userName\":\"a\\u0000b\"}}", -EINVAL,
		  "authentication.userName" },
		{ "[]", -EINVAL, "settings" },
		{ "\"x\"", -EINVAL, "settings" },
		{ "{\"a234567890123456789012345678901234567890123456789012345678901234567890\":1}",
		  -ENOENT, "a23456789012345678901234567890123456789012345678901234567890123" },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		_cleanup_(settings_freep) struct settings *settings = make(), *before = NULL;
		struct settings_fault fault = { 0 };

		set(settings, "abortTimeoutSeconds", "7");
		set(settings, "tcp.netDevice", "eth0");
		assert_int_equal(settings_copy(settings, &before), 0);
		assert_int_equal(set_json(settings, rows[i].json, &fault), rows[i].error);
		assert_string_equal(fault.name, rows[i].name);
		assert_true(*fault.message != '\0');
		/* All or nothing. */
		assert_true(settings_equal(settings, before));
	}
}

static void test_reset(void **state)
{
	_cleanup_(settings_freep) struct settings *settings = make(), *expected = make();

	set(settings, "keys.initialR2T", "true");
	set(settings, "keys.maxBurstLength", "4096");
	set(settings, "keys.firstBurstLength", "4096");
	set(settings, "tcp.netDevice", "eth0");
	set(settings, "scan", "false");

	set(expected, "keys.initialR2T", "true");
	set(expected, "keys.firstBurstLength", "4096");
	set(expected, "tcp.netDevice", "eth0");
	set(expected, "scan", "false");
	assert_int_equal(settings_reset(settings, "keys.maxBurstLength"), 0);
	assert_true(settings_equal(settings, expected));

	assert_int_equal(settings_reset(settings, "keys"), 0);
	assert_int_equal(settings_reset(settings, "tcp"), 0);
	assert_int_equal(settings_reset(settings, "scan"), 0);
	assert_int_equal(settings_reset(settings, "scan"), 0);
	(void)settings_free(TAKE_PTR(expected));
	expected = make();
	assert_true(settings_equal(settings, expected));

	assert_int_equal(settings_reset(settings, "key"), -ENOENT);
	assert_int_equal(settings_reset(settings, "keys."), -ENOENT);
	assert_int_equal(settings_reset(settings, ""), -ENOENT);
}

static void test_layers_of_values(void **state)
{
	_cleanup_(settings_freep) struct settings *defaults = make(), *own = make(),
						  *effective = NULL;

	set(defaults, "queueDepth", "64");
	set(defaults, "authentication.userName", "all");
	set(defaults, "abortTimeoutSeconds", "9");
	set(own, "queueDepth", "8");
	set(own, "authentication.userName", "one");
	effective = effective_of(defaults, own);
	assert_int_equal(settings_number(effective, SETTING_QUEUE_DEPTH), 8);
	assert_int_equal(settings_number(effective, SETTING_ABORT_TIMEOUT_SECONDS), 9);
	assert_int_equal(settings_number(effective, SETTING_COMMANDS_MAX), 128);
	assert_string_equal(settings_text(effective, SETTING_AUTHENTICATION_USER_NAME), "one");
	/* The sources are left alone. */
	assert_string_equal(settings_text(defaults, SETTING_AUTHENTICATION_USER_NAME), "all");
	assert_false(settings_is_set(own, SETTING_ABORT_TIMEOUT_SECONDS));
}

static void test_rules(void **state)
{
	static const struct {
		const char *settings[3][2];
		const char *name; /* at fault; NULL: none */
	} rows[] = {
		{ { { "keys.firstBurstLength", "4096" }, { "keys.maxBurstLength", "4096" } },
		  NULL },
		{ { { "keys.firstBurstLength", "4097" }, { "keys.maxBurstLength", "4096" } },
		  "keys.firstBurstLength" },
		{ { { "keys.maxBurstLength", "65536" } }, "keys.firstBurstLength" },
		{ { { "noopIntervalSeconds", "0" }, { "noopTimeoutSeconds", "0" } }, NULL },
		{ { { "noopIntervalSeconds", "0" } }, "noopTimeoutSeconds" },
		{ { { "noopTimeoutSeconds", "0" } }, "noopTimeoutSeconds" },
		{ { { "headerDigestRequired", "yes" } }, "headerDigestRequired" },
		{ { { "headerDigestRequired", "yes" }, { "keys.headerDigest", "none,crc32c" } },
		  NULL },
		{ { { "headerDigestRequired", "yes" }, { "keys.dataDigest", "crc32c" } },
		  "headerDigestRequired" },
		{ { { "dataDigestRequired", "yes" } }, "dataDigestRequired" },
		{ { { "dataDigestRequired", "yes" }, { "keys.dataDigest", "crc32c" } }, NULL },
		{ { { "authentication.method", "chap" } }, "authentication.method" },
		{ { { "authentication.method", "chap" }, { "authentication.userName", "u" } },
		  NULL },
		{ { { "authentication.userName", "u" } }, NULL },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		_cleanup_(settings_freep) struct settings *own = make(), *effective = NULL;
		struct settings_fault fault = { 0 };

		for (size_t k = 0; k < 3 && rows[i].settings[k][0]; k++)
			set(own, rows[i].settings[k][0], rows[i].settings[k][1]);
		effective = effective_of(NULL, own);
		assert_int_equal(settings_check(effective, &fault), rows[i].name ? -EINVAL : 0);
		assert_string_equal(fault.name, rows[i].name ? rows[i].name : "");
		if (rows[i].name)
			assert_true(*fault.message && *fault.value);
	}
}

/* A discovery has some of the rows, and knows no other. */
static void test_discovery(void **state)
{
	_cleanup_(settings_freep) struct settings *defaults = make_discovery(),
						  *own = make_discovery(), *effective = NULL,
						  *copy = NULL;
	struct settings_fault fault = { 0 };
	json_object *object;

	assert_int_equal(settings_set_text(own, "startup", "manual", &fault), -ENOENT);
	assert_string_equal(fault.name, "startup");
	assert_string_equal(fault.message, "does not apply to a discovery");
	assert_int_equal(settings_set_text(own, "no", "manual", &fault), -ENOENT);
	assert_string_equal(fault.message, "there is no such setting");
	assert_int_equal(set_json(own,
				  "{\"tcp\":{\"netDevice\":\"eth0\"},\"keys\":{"
				  "\"initialR2T\":true}}",
				  &fault),
			 -ENOENT);
	assert_string_equal(fault.name, "keys.initialR2T");
	assert_true(settings_is_empty(own));
	assert_int_equal(settings_set_text(own, "loginTimeoutSeconds", "0", &fault), -ERANGE);
	assert_int_equal(settings_reset(own, "keys"), -ENOENT);
	assert_int_equal(settings_reset(own, "tcp"), 0);

	set(defaults, "loginTimeoutSeconds", "20");
	set(defaults, "connectTimeoutSeconds", "3");
	set(own, "loginTimeoutSeconds", "30");
	assert_int_equal(settings_copy(own, &copy), 0);
	assert_int_equal(settings_set_text(copy, "scan", "no", &fault), -ENOENT);
	effective = effective_of(defaults, own);
	for (int i = 0; i < _SETTING_MAX; i++)
		if (!setting_applies(i, SETTINGS_DISCOVERY))
			assert_false(settings_is_set(effective, i));
	assert_int_equal(settings_number(effective, SETTING_LOGIN_TIMEOUT_SECONDS), 30);
	assert_int_equal(settings_number(effective, SETTING_CONNECT_TIMEOUT_SECONDS), 3);
	assert_int_equal(settings_number(effective, SETTING_TCP_WINDOW_SIZE), 0);
	assert_int_equal(settings_check(effective, &fault), 0);
	object = settings_to_json(effective);
	assert_non_null(object);
	assert_false(json_object_object_get_ex(object, "keys", NULL));
	json_object_put(object);

	set(own, "authentication.method", "chap");
	(void)settings_free(effective);
	effective = effective_of(defaults, own);
	assert_int_equal(settings_check(effective, &fault), -EINVAL);
	assert_string_equal(fault.name, "authentication.method");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_rows_are_the_interfaces),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_good_values),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_fault_range),
		cmocka_unit_test(test_text_length),
		cmocka_unit_test(test_good_json),
		cmocka_unit_test(test_bad_json),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_layers_of_values),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_discovery),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
