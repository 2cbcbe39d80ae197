// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an adapter is told of an interface: all of what it does not have, in the kernel's form, and
 * nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "fake_sysfs.h"
#include "interface.h"
#include "interface_apply.h"

#define PORT(name) name ".00:00:00:00:00:01"

static int set_up(void **state)
{
	fake_begin();
	return 0;
}

static int tear_down(void **state)
{
	fake_end();
	return 0;
}

/* "NAME=VALUE NAME=VALUE" */
static struct settings *make(const char *name, const char *assignments)
{
	_cleanup_(settings_freep) struct settings *own = NULL;
	_cleanup_free_ char *copy = strdup(assignments);
	struct settings_fault fault = { 0 };
	struct settings *settings = NULL;
	char *rest = copy, *word;

	assert_int_equal(settings_new(SETTINGS_INTERFACE, &own), 0);
	while (*assignments && (word = strsep(&rest, " "))) {
		char *value = strchr(word, '=');

		*value++ = '\0';
		assert_int_equal(settings_set_text(own, word, value, &fault), 0);
	}
	if (interface_resolve(name, own, &settings, &fault) < 0)
		fail_msg("%s: %s %s", assignments, fault.name, fault.message);
	return settings;
}

/* "number=value in hex" of each attribute, after its head was checked. */
static void describe(const struct buffer *buffer, uint8_t type, uint32_t number, char *ret,
		     size_t size)
{
	size_t at = 0;

	*ret = '\0';
	while (at < buffer->length) {
		const uint8_t *bytes = (const uint8_t *)buffer->data + at;
		uint16_t length, nla_type, parameter;
		uint32_t interface, width;

		/* Offsets are the kernel's, not those of our structures. */
		assert_true(buffer->length - at >= 16);
		memcpy(&length, bytes, 2);
		memcpy(&nla_type, bytes + 2, 2);
		memcpy(&interface, bytes + 4, 4);
		memcpy(&width, bytes + 8, 4);
		memcpy(&parameter, bytes + 12, 2);
		assert_int_equal(nla_type, parameter);
		assert_int_equal(interface, number);
		assert_int_equal(bytes[14], type);
		assert_int_equal(bytes[15], 2);
		assert_int_equal(length, 16 + width);
		assert_true(buffer->length - at >= length);
		(void)snprintf(ret + strlen(ret), size - strlen(ret), "%s%u=", *ret ? " " : "",
			       parameter);
		for (uint32_t i = 0; i < width; i++)
			(void)snprintf(ret + strlen(ret), size - strlen(ret), "%02x",
				       bytes[16 + i]);
		at += (size_t)(length + 3) & ~(size_t)3;
	}
	assert_int_equal(at, buffer->length);
}

static void check(const char *name, const char *assignments, const char *told, const char *names)
{
	_cleanup_(settings_freep) struct settings *settings = make(name, assignments);
	bool ipv6 = strstr(assignments, "network.family=ipv6");
	_cleanup_(buffer_done) struct buffer buffer = { 0 };
	char text[1024], said[512] = "";

	assert_int_equal(interface_differences(&fake, 3, settings, &buffer, said, sizeof(said)), 0);
	describe(&buffer, ipv6 ? 2 : 1, strstr(assignments, "network.number=1") ? 1 : 0, text,
		 sizeof(text));
	assert_string_equal(text, told);
	assert_string_equal(said, names);
}

#define ALL4                                                                                       \
	"network.enabled=yes network.address=192.0.2.9 network.prefixLength=20 "                   \
	"network.gateway=192.0.2.1 network.vlan=5 network.vlanPriority=3"

static void test_nothing_there(void **state)
{
	check(PORT("be2iscsi"), ALL4, "12=02 4=01 1=c0000209 2=fffff000 3=c0000201 16=0560 15=02",
	      "network.enabled, network.configuration, network.address, network.prefixLength, "
	      "network.gateway, network.vlan, network.vlanPriority");
	check(PORT("be2iscsi"), "network.configuration=dhcp network.vlan=0", "4=02 15=01",
	      "network.configuration, network.vlan");
	check(PORT("be2iscsi"), "network.family=ipv6 network.address=2001:db8::9",
	      "7=20010db8000000000000000000000009", "network.address");
	/* That it is not there is how one looks that is off. */
	check(PORT("be2iscsi"), "network.enabled=no", "", "");
	check(PORT("qla4xxx"), "network.mtu=9000", "19=2823", "network.mtu");
	check(PORT("qla4xxx"),
	      "network.family=ipv6 network.number=1 network.configuration=automatic "
	      "network.linkLocalAddress=fe80::9 network.gateway=fe80::1",
	      "9=02 10=02 6=fe800000000000000000000000000009 8=fe800000000000000000000000000001",
	      "network.configuration, network.linkLocalAddress, network.gateway");
	check(PORT("qla4xxx"), "network.family=ipv6 network.address=2001:db8::9",
	      "9=01 7=20010db8000000000000000000000009", "network.configuration, network.address");
}

#define DIRECTORY "class/iscsi_iface/ipv4-iface-3-0"

static void put_all(void)
{
	fake_put(DIRECTORY "/enabled", "enable\n");
	fake_put(DIRECTORY "/bootproto", "static\n");
	fake_put(DIRECTORY "/ipaddress", "192.0.2.9\n");
	fake_put(DIRECTORY "/subnet", "255.255.240.0\n");
	fake_put(DIRECTORY "/gateway", "192.0.2.1\n");
	fake_put(DIRECTORY "/vlan_id", "5\n");
	fake_put(DIRECTORY "/vlan_priority", "3\n");
	fake_put(DIRECTORY "/vlan_enabled", "enable\n");
}

static void test_only_what_differs(void **state)
{
	put_all();
	check(PORT("be2iscsi"), ALL4, "", "");
	/* An address goes with its mask, either way. */
	fake_put(DIRECTORY "/ipaddress", "192.0.2.10\n");
	check(PORT("be2iscsi"), ALL4, "1=c0000209 2=fffff000",
	      "network.address, network.prefixLength");
	put_all();
	fake_put(DIRECTORY "/subnet", "255.255.255.0\n");
	check(PORT("be2iscsi"), ALL4, "1=c0000209 2=fffff000",
	      "network.address, network.prefixLength");
	put_all();
	/* VLAN and priority are told as one, once. */
	fake_put(DIRECTORY "/vlan_priority", "0\n");
	check(PORT("be2iscsi"), ALL4, "16=0560", "network.vlan, network.vlanPriority");
	fake_put(DIRECTORY "/vlan_enabled", "disable\n");
	check(PORT("be2iscsi"), ALL4, "16=0560 15=02", "network.vlan, network.vlanPriority");
	put_all();
	check(PORT("be2iscsi"), "network.enabled=no", "12=01", "network.enabled");
}

static void test_ipv6(void **state)
{
	static const char directory[] = "class/iscsi_iface/ipv6-iface-3-1";
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/ipaddress", directory);
	fake_put(path, "2001:0db8:0000:0000:0000:0000:0000:0009\n");
	(void)snprintf(path, sizeof(path), "%s/ipaddr_autocfg", directory);
	fake_put(path, "static\n");
	check(PORT("qla4xxx"), "network.family=ipv6 network.number=1 network.address=2001:db8::9",
	      "", "");
}

static void test_applicable(void **state)
{
	static const struct {
		const char *name, *settings;
		bool applicable;
	} rows[] = {
		{ PORT("be2iscsi"), "network.enabled=no", true },
		{ PORT("be2iscsi"), "network.family=ipv6", false },
		{ PORT("be2iscsi"), "", false },
		{ PORT("qedi"), "network.address=192.0.2.9", false },
		{ PORT("cxgb3i"), "network.address=192.0.2.9", true },
		{ PORT("cxgb4i"), "", false },
		{ "default", "", false },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		_cleanup_(settings_freep) struct settings *settings =
			make(rows[i].name, rows[i].settings);

		assert_int_equal(interface_is_applicable(settings), rows[i].applicable);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
		TEST(test_nothing_there),
		TEST(test_only_what_differs),
		TEST(test_ipv6),
		TEST(test_applicable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
