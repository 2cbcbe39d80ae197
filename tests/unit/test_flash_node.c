// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Flash nodes: what sysfs shows of them, and what is sent to change them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "fake_sysfs.h"
#include "flash_node.h"
#include "json.h"
#include "kernel_host.h"

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

#define NODE       "bus/iscsi_flashnode/devices/flashnode_sess-4:12/"
#define CONNECTION "bus/iscsi_flashnode/devices/flashnode_conn-4:12:0/"

static void listed(void **state)
{
	_cleanup_free_ uint32_t *indices = NULL;
	_cleanup_json_ json_object *node = NULL;
	size_t n = 7;

	assert_int_equal(flash_node_list(&fake, 4, &indices, &n), 0);
	assert_int_equal(n, 0);
	fake_put(NODE "targetname", "iqn.2026-11.org.example:disk1");
	fake_put(NODE "is_boot_target", "0");
	fake_put(NODE "chap_auth", "1");
	fake_put(NODE "password", "secret-of-alice");
	fake_put(NODE "username", "alice");
	fake_put(NODE "targetalias", "(null)");
	fake_put(CONNECTION "ipaddress", "2001:0db8:0000:0000:0000:0000:0000:0001");
	fake_put(CONNECTION "port", "3260");
	fake_put("bus/iscsi_flashnode/devices/flashnode_sess-4:3/targetname", "");
	fake_put("bus/iscsi_flashnode/devices/flashnode_sess-40:1/targetname", "");
	free(TAKE_PTR(indices));
	assert_int_equal(flash_node_list(&fake, 4, &indices, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(indices[0], 3);
	assert_int_equal(indices[1], 12);
	assert_int_equal(flash_node_read(&fake, 4, 12, &node), 0);
	/* Neither names nor secrets of CHAP. */
	assert_string_equal(
		json_object_to_json_string_ext(node, JSON_C_TO_STRING_PLAIN |
							     JSON_C_TO_STRING_NOSLASHESCAPE),
		"{\"index\":12,\"parameters\":{\"targetName\":\"iqn.2026-11.org.example:disk1\","
		"\"address\":\"2001:db8::1\",\"port\":\"3260\",\"bootTarget\":\"no\",\"chap\":"
		"\"yes\"}}");
	assert_int_equal(flash_node_read(&fake, 4, 5, &node), -ENOENT);
}

static struct kernel_host_request *compose(const char *text, int expected,
					   struct flash_node_fault *ret_fault)
{
	struct kernel_host_request *request =
		kernel_host_request_new(NULL, 1, 4, KERNEL_REQUEST_SET_FLASH_NODE);
	_cleanup_json_ json_object *object = NULL;

	assert_non_null(request);
	assert_int_equal(json_parse(text, strlen(text), &object), 0);
	assert_int_equal(flash_node_compose(object, request, ret_fault), expected);
	return request;
}

static void composed(void **state)
{
	static const uint8_t
		expected[] = {
			31,   0,   43,   0,   21,  0,   0,   0,   43,  0,   'n',  'a',  'a',
			'.',  '5', '0',  '0', '0', '0', '0', '0', '0', '0', '0',  '0',  '0',
			'0',  '0', '0',  '1', 0,   0, /* name, with NUL */
			26,   0,   35,   0,   16,  0,   0,   0,   35,  0,   192,  0,    2,
			1,    0,   0,    0,   0,   0,   0,   0,   0,   0,   0,    0,    0,
			0,    0, /* IPv4 in 16 bytes, then padding */
			12,   0,   32,   0,   2,   0,   0,   0,   32,  0,   0xbd, 0x0c, /* port
											   3261, two
											   bytes */
			14,   0,   25,   0,   4,   0,   0,   0,   25,  0,   0,    2,    0,
			0,    0,   0, /* 512, four bytes
				       */
			11,   0,   7,    0,   1,   0,   0,   0,   7,   0,   0,    0, /* no */
			16,   0,   30,   0,   6,   0,   0,   0,   30,  0,   0x40, 0,    1,
			0x37, 0,   0xff, /* ISID */
		};
	struct flash_node_fault fault;
	struct kernel_host_request *request;

	request = compose("{\"targetName\":\"naa.5000000000000001\",\"address\":\"192.0.2.1\","
			  "\"port\":\"3261\","
			  "\"firstBurstLength\":\"512\",\"immediateData\":\"no\",\"isid\":"
			  "\"4000013700ff\"}",
			  6, &fault);
	assert_int_equal(request->fault, 0);
	assert_int_equal(request->payload.length, sizeof(expected));
	assert_memory_equal(request->payload.data, expected, sizeof(expected));
	(void)kernel_host_request_free(request);
}

static void refused(void **state)
{
	static const struct {
		const char *text, *name, *message;
	} rows[] = {
		{ "{\"port\":\"0\"}", "port", "must be a number from 1 to 65535" },
		{ "{\"port\":\"65536\"}", "port", "must be a number from 1 to 65535" },
		{ "{\"port\":\"iscsi\"}", "port", "must be a number from 1 to 65535" },
		{ "{\"errorRecoveryLevel\":\"3\"}", "errorRecoveryLevel",
		  "must be a number from 0 to 2" },
		{ "{\"immediateData\":\"perhaps\"}", "immediateData", "must be yes or no" },
		{ "{\"address\":\"host.example\"}", "address", "must be a numeric address" },
		{ "{\"isid\":\"40000137\"}", "isid", "must have twelve hex digits" },
		{ "{\"isid\":\"40000137zzzz\"}", "isid", "must have twelve hex digits" },
		{ "{\"targetAlias\":\"\"}", "targetAlias", "must have 1 to 255 bytes" },
		{ "{\"bootTarget\":\"yes\"}", "bootTarget", "is shown only" },
		{ "{\"colour\":\"green\"}", "colour", "is no parameter of a flash node" },
	};
	struct flash_node_fault fault;

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		(void)kernel_host_request_free(compose(rows[i].text, -EINVAL, &fault));
		assert_string_equal(fault.name, rows[i].name);
		assert_string_equal(fault.message, rows[i].message);
	}
	(void)kernel_host_request_free(compose("{\"targetName\":\"disk1\"}", -EINVAL, &fault));
	assert_string_equal(fault.name, "targetName");
	(void)kernel_host_request_free(compose("{}", 0, &fault));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(listed, set_up, tear_down),
		cmocka_unit_test(composed),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
