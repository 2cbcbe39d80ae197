// layers: ois-varlink ois-varlink-methods ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The project's own interfaces: they parse, are in our form, keep its conventions, and the
 * generated table says what their comments say.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <ctype.h>
#include <string.h>
#include <cmocka.h>

#include "idl.h"
#include "interfaces.h"
#include "json.h"
#include "methods.h"
#include "registry.h"

/* The table is linked with handlers that only have an address. */
#define HANDLER(name)                                                                              \
	int method_##name(struct call *call)                                                       \
	{                                                                                          \
		return -ENOSYS;                                                                    \
	}
HANDLER(discovery_discover)
HANDLER(discovery_list_portals)
HANDLER(discovery_set_portal)
HANDLER(discovery_set_portal_secret)
HANDLER(discovery_remove_portal)
HANDLER(event_subscribe)
HANDLER(event_list_recent)
HANDLER(event_list_types)
HANDLER(interface_list)
HANDLER(interface_add)
HANDLER(interface_apply)
HANDLER(interface_set)
HANDLER(interface_remove)
HANDLER(host_list)
HANDLER(host_create_flash_node)
HANDLER(host_list_flash_nodes)
HANDLER(host_login_flash_node)
HANDLER(host_logout_flash_node)
HANDLER(host_remove_flash_node)
HANDLER(host_set_flash_node)
HANDLER(host_get_statistics)
HANDLER(host_list_chap_entries)
HANDLER(host_ping)
HANDLER(host_remove_chap_entry)
HANDLER(host_set_chap_entry)
HANDLER(host_set_parameters)
HANDLER(manager_get_status)
HANDLER(manager_reload)
HANDLER(manager_list_settings)
HANDLER(node_list)
HANDLER(node_create)
HANDLER(node_update)
HANDLER(node_delete)
HANDLER(node_set_secret)
HANDLER(session_list)
HANDLER(session_subscribe)
HANDLER(session_login)
HANDLER(session_logout)
HANDLER(scsi_inquiry)
HANDLER(scsi_read_capacity)
HANDLER(scsi_report_luns)
HANDLER(session_get_host_statistics)
HANDLER(session_get_statistics)
HANDLER(session_rescan)
HANDLER(session_adopt)
HANDLER(service_get_info)
HANDLER(service_get_interface_description)

static struct varlink_registry *registry;

static int setup(void **state)
{
	return varlink_registry_new(&registry);
}

static int teardown(void **state)
{
	registry = varlink_registry_free(registry);
	return 0;
}

static void test_sorted_and_complete(void **state)
{
	static const char *const names[] = {
		"org.ois.discovery", "org.ois.event",   "org.ois.host",
		"org.ois.interface", "org.ois.manager", "org.ois.node",
		"org.ois.scsi",      "org.ois.session", "org.varlink.service",
	};

	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		const struct varlink_interface *interface = varlink_registry_at(registry, i);

		assert_non_null(interface);
		assert_string_equal(interface->name, names[i]);
		assert_string_equal(interface->idl->name, names[i]);
		assert_ptr_equal(varlink_registry_find(registry, names[i]), interface);
	}
	assert_null(varlink_registry_at(registry, ELEMENTSOF(names)));
	assert_null(varlink_registry_find(registry, "org.ois"));
	assert_null(varlink_registry_find(registry, "org.ois.node.List"));
}

static void read_text(const char *path, char *ret, size_t size)
{
	FILE *file = fopen(path, "re");

	assert_non_null(file);
	ret[fread(ret, 1, size - 1, file)] = '\0';
	assert_true(feof(file));
	(void)fclose(file);
}

/* varlinkctl(1) and others find an interface by its name, whoever serves it; people, in oisd(8). */
static void test_found_by_name(void **state)
{
	char unit[4096], manual[65536], text[256];
	const struct varlink_interface *interface;

	read_text(PROJECT_SOURCE "/systemd/oisd.socket", unit, sizeof(unit));
	read_text(PROJECT_SOURCE "/man/oisd.8.in", manual, sizeof(manual));
	for (size_t i = 0; (interface = varlink_registry_at(registry, i)); i++) {
		bool ours = strcmp(interface->name, "org.varlink.service") != 0;

		(void)snprintf(text, sizeof(text), "\nSymlinks=/run/varlink/registry/%s\n",
			       interface->name);
		assert_int_equal(strstr(unit, text) != NULL, ours);
		(void)snprintf(text, sizeof(text), "\n.TP\n.B %s\n", interface->name);
		assert_non_null(strstr(manual, text));
	}
}

static void test_lookup(void **state)
{
	static const char *const none[] = {
		"",
		".",
		"List",
		"org.ois.node.",
		"org.ois.node",
		".List",
		"org.ois.node.list",
		"org.ois.node.NoSuchNode",
		"org.ois.nodes.List",
		"org.ois.node.x.List",
	};
	const struct idl_member *member =
		varlink_registry_member(registry, IDL_METHOD, METHOD_NODE_LIST);

	assert_non_null(member);
	assert_string_equal(member->name, "List");
	for (size_t i = 0; i < ELEMENTSOF(none); i++)
		assert_null(varlink_registry_member(registry, IDL_METHOD, none[i]));
	assert_non_null(varlink_registry_member(registry, IDL_ERROR, ERROR_NODE_NO_SUCH_NODE));
	assert_non_null(
		varlink_registry_member(registry, IDL_ERROR, ERROR_SERVICE_INVALID_PARAMETER));
}

/* What is served is the file, byte by byte, and the file is in the form idl_print() writes. */
static void test_files_are_formatted(void **state)
{
	const struct varlink_interface *interface;

	for (size_t i = 0; (interface = varlink_registry_at(registry, i)); i++) {
		_cleanup_(buffer_done) struct buffer printed = {};
		_cleanup_(fclosep) FILE *file = NULL;
		char path[512], text[64 * 1024] = "";

		(void)snprintf(path, sizeof(path), "%s/include/ois/%s.varlink", PROJECT_SOURCE,
			       interface->name);
		file = fopen(path, "re");
		assert_non_null(file);
		assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
		assert_string_equal(interface->description, text);
		assert_int_equal(idl_print(interface->idl, &printed), 0);
		assert_int_equal(buffer_append(&printed, "", 1), 0);
		assert_string_equal((const char *)printed.data, text);
	}
}

static void check_field_names(const struct idl_type *type)
{
	for (size_t i = 0; i < type->n_fields; i++) {
		const struct idl_field *field = &type->fields[i];

		/* Go's parsers refuse a capital; fields are camelCase, enum values have
		 * underscores. */
		assert_true(islower((unsigned char)field->name[0]));
		if (type->kind == IDL_STRUCT)
			assert_null(strchr(field->name, '_'));
		for (const char *p = field->name; type->kind == IDL_ENUM && *p; p++)
			assert_false(isupper((unsigned char)*p));
		check_field_names(&field->type);
	}
}

static void test_conventions(void **state)
{
	const struct varlink_interface *interface;

	for (size_t i = 0; (interface = varlink_registry_at(registry, i)); i++)
		for (size_t j = 0; j < interface->idl->n_members; j++) {
			check_field_names(&interface->idl->members[j].type);
			check_field_names(&interface->idl->members[j].output);
		}
	for (const struct varlink_method *method = varlink_methods; method->name; method++) {
		const struct idl_member *member =
			varlink_registry_member(registry, IDL_METHOD, method->name);

		assert_non_null(member);
		/* Each reply of a stream has one of its fields. */
		for (size_t i = 0; method->more_required && i < member->output.n_fields; i++)
			assert_true(member->output.fields[i].type.nullable);
	}
}

static const struct {
	const char *name;
	enum varlink_access access;
	bool more, secret;
	varlink_handler_t handler;
} methods[] = {
	{ "org.ois.discovery.Discover", VARLINK_ACCESS_CHANGE, true, false,
	  method_discovery_discover },
	{ "org.ois.discovery.ListPortals", VARLINK_ACCESS_READ, true, false,
	  method_discovery_list_portals },
	{ "org.ois.discovery.RemovePortal", VARLINK_ACCESS_CHANGE, false, false,
	  method_discovery_remove_portal },
	{ "org.ois.discovery.SetPortal", VARLINK_ACCESS_CHANGE, false, false,
	  method_discovery_set_portal },
	{ "org.ois.discovery.SetPortalSecret", VARLINK_ACCESS_CHANGE, false, true,
	  method_discovery_set_portal_secret },
	{ "org.ois.event.ListRecent", VARLINK_ACCESS_READ, true, false, method_event_list_recent },
	{ "org.ois.event.ListTypes", VARLINK_ACCESS_READ, true, false, method_event_list_types },
	{ "org.ois.event.Subscribe", VARLINK_ACCESS_READ, true, false, method_event_subscribe },
	{ "org.ois.host.CreateFlashNode", VARLINK_ACCESS_CHANGE, false, false,
	  method_host_create_flash_node },
	{ "org.ois.host.ListFlashNodes", VARLINK_ACCESS_READ, true, false,
	  method_host_list_flash_nodes },
	{ "org.ois.host.LoginFlashNode", VARLINK_ACCESS_CHANGE, false, false,
	  method_host_login_flash_node },
	{ "org.ois.host.LogoutFlashNode", VARLINK_ACCESS_CHANGE, false, false,
	  method_host_logout_flash_node },
	{ "org.ois.host.RemoveFlashNode", VARLINK_ACCESS_CHANGE, false, false,
	  method_host_remove_flash_node },
	{ "org.ois.host.SetFlashNode", VARLINK_ACCESS_CHANGE, false, false,
	  method_host_set_flash_node },
	{ "org.ois.host.GetStatistics", VARLINK_ACCESS_READ, false, false,
	  method_host_get_statistics },
	{ "org.ois.host.ListChapEntries", VARLINK_ACCESS_CHANGE, true, false,
	  method_host_list_chap_entries },
	{ "org.ois.host.Ping", VARLINK_ACCESS_CHANGE, true, false, method_host_ping },
	{ "org.ois.host.RemoveChapEntry", VARLINK_ACCESS_CHANGE, false, false,
	  method_host_remove_chap_entry },
	{ "org.ois.host.SetChapEntry", VARLINK_ACCESS_CHANGE, false, true,
	  method_host_set_chap_entry },
	{ "org.ois.host.SetParameters", VARLINK_ACCESS_CHANGE, false, false,
	  method_host_set_parameters },
	{ "org.ois.host.List", VARLINK_ACCESS_READ, true, false, method_host_list },
	{ "org.ois.interface.Add", VARLINK_ACCESS_CHANGE, false, false, method_interface_add },
	{ "org.ois.interface.Apply", VARLINK_ACCESS_CHANGE, false, false, method_interface_apply },
	{ "org.ois.interface.List", VARLINK_ACCESS_READ, true, false, method_interface_list },
	{ "org.ois.interface.Remove", VARLINK_ACCESS_CHANGE, false, false,
	  method_interface_remove },
	{ "org.ois.interface.Set", VARLINK_ACCESS_CHANGE, false, false, method_interface_set },
	{ "org.ois.manager.GetStatus", VARLINK_ACCESS_READ, false, false,
	  method_manager_get_status },
	{ "org.ois.manager.ListSettings", VARLINK_ACCESS_READ, true, false,
	  method_manager_list_settings },
	{ "org.ois.manager.Reload", VARLINK_ACCESS_CHANGE, false, false, method_manager_reload },
	{ "org.ois.node.Create", VARLINK_ACCESS_CHANGE, false, false, method_node_create },
	{ "org.ois.node.Delete", VARLINK_ACCESS_CHANGE, false, false, method_node_delete },
	{ "org.ois.node.List", VARLINK_ACCESS_READ, true, false, method_node_list },
	{ "org.ois.node.SetSecret", VARLINK_ACCESS_CHANGE, false, true, method_node_set_secret },
	{ "org.ois.node.Update", VARLINK_ACCESS_CHANGE, false, false, method_node_update },
	{ "org.ois.scsi.Inquiry", VARLINK_ACCESS_READ, false, false, method_scsi_inquiry },
	{ "org.ois.scsi.ReadCapacity", VARLINK_ACCESS_READ, false, false,
	  method_scsi_read_capacity },
	{ "org.ois.scsi.ReportLuns", VARLINK_ACCESS_READ, false, false, method_scsi_report_luns },
	{ "org.ois.session.GetHostStatistics", VARLINK_ACCESS_READ, true, false,
	  method_session_get_host_statistics },
	{ "org.ois.session.GetStatistics", VARLINK_ACCESS_READ, true, false,
	  method_session_get_statistics },
	{ "org.ois.session.List", VARLINK_ACCESS_READ, true, false, method_session_list },
	{ "org.ois.session.Subscribe", VARLINK_ACCESS_READ, true, false, method_session_subscribe },
	{ "org.ois.session.Login", VARLINK_ACCESS_CHANGE, true, false, method_session_login },
	{ "org.ois.session.Logout", VARLINK_ACCESS_CHANGE, true, false, method_session_logout },
	{ "org.ois.session.Adopt", VARLINK_ACCESS_CHANGE, false, false, method_session_adopt },
	{ "org.ois.session.Rescan", VARLINK_ACCESS_CHANGE, false, false, method_session_rescan },
	{ "org.varlink.service.GetInfo", VARLINK_ACCESS_ANY, false, false,
	  method_service_get_info },
	{ "org.varlink.service.GetInterfaceDescription", VARLINK_ACCESS_ANY, false, false,
	  method_service_get_interface_description },
};

static void test_methods(void **state)
{
	size_t n = 0;

	while (varlink_methods[n].name)
		n++;
	assert_int_equal(n, ELEMENTSOF(methods));
	for (size_t i = 0; i < ELEMENTSOF(methods); i++) {
		const struct varlink_method *method = varlink_method_find(methods[i].name);

		assert_non_null(method);
		assert_int_equal(method->access, methods[i].access);
		assert_int_equal(method->more_required, methods[i].more);
		assert_int_equal(method->more_supported, methods[i].more);
		assert_int_equal(method->secret, methods[i].secret);
		assert_ptr_equal(method->handler, methods[i].handler);
	}
	assert_null(varlink_method_find("org.ois.node.list"));
	assert_null(varlink_method_find(""));
}

/* A call as somebody would make it, and the same with one fault. */
static const struct {
	const char *method, *parameters, *field;
} examples[] = {
	{ METHOD_NODE_LIST, "{}", NULL },
	{ METHOD_NODE_LIST, "{\"selector\":{\"targetName\":\"iqn.*\",\"startup\":\"automatic\"}}",
	  NULL },
	{ METHOD_NODE_LIST, "{\"selector\":{\"startup\":\"never\"}}", "selector" },
	{ METHOD_NODE_LIST, "{\"filter\":{}}", "filter" },
	{ METHOD_NODE_CREATE,
	  "{\"key\":{\"targetName\":\"iqn.a\",\"address\":\"::1\",\"port\":3260}}", NULL },
	{ METHOD_NODE_CREATE, "{\"key\":{\"targetName\":\"iqn.a\",\"address\":\"::1\"}}", "key" },
	{ METHOD_NODE_UPDATE,
	  "{\"selector\":{},\"settings\":{\"keys\":{\"headerDigest\":[\"crc32c\"]}}}", NULL },
	{ METHOD_NODE_UPDATE, "{\"selector\":{},\"settings\":{\"keys\":{\"HeaderDigest\":[]}}}",
	  "settings" },
	{ METHOD_NODE_UPDATE, "{\"settings\":{}}", "selector" },
	{ METHOD_NODE_SET_SECRET, "{\"selector\":{},\"role\":\"target\",\"secret\":\"x\"}", NULL },
	{ METHOD_NODE_SET_SECRET, "{\"selector\":{},\"role\":\"both\"}", "role" },
	{ METHOD_SESSION_RESCAN, "{\"session\":1}", NULL },
	{ METHOD_SESSION_ADOPT, "{\"session\":1}", NULL },
	{ METHOD_SESSION_ADOPT, "{}", "session" },
	{ METHOD_SESSION_RESCAN, "{}", "session" },
	{ METHOD_MANAGER_GET_STATUS, "{\"verbose\":true}", "verbose" },
	{ METHOD_DISCOVERY_DISCOVER, "{\"method\":\"send_targets\",\"address\":\"10.0.0.1\"}",
	  NULL },
	{ METHOD_DISCOVERY_DISCOVER, "{\"method\":\"isns\",\"address\":\"10.0.0.1\"}", "method" },
	{ METHOD_DISCOVERY_SET_PORTAL,
	  "{\"address\":\"::1\",\"settings\":{\"authentication\":{\"method\":\"chap\"}}}", NULL },
	{ METHOD_DISCOVERY_SET_PORTAL, "{\"address\":\"::1\",\"settings\":{\"scan\":true}}",
	  "settings" },
	{ METHOD_DISCOVERY_SET_PORTAL_SECRET, "{\"address\":\"::1\",\"secret\":\"x\"}", "role" },
	{ METHOD_EVENT_SUBSCRIBE, "{\"numbers\":[1,2],\"severity\":\"error\"}", NULL },
	{ METHOD_EVENT_SUBSCRIBE, "{\"numbers\":[1,\"x\"]}", "numbers" },
};

static void test_examples(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(examples); i++) {
		const struct idl_member *method =
			varlink_registry_member(registry, IDL_METHOD, examples[i].method);
		_cleanup_json_ json_object *parameters = NULL;
		struct idl_mismatch mismatch = {};
		int r;

		assert_non_null(method);
		assert_int_equal(json_parse(examples[i].parameters, strlen(examples[i].parameters),
					    &parameters),
				 0);
		r = idl_check(&method->type, parameters, IDL_CALL, &mismatch);
		if (r != (examples[i].field ? -EINVAL : 0))
			fail_msg("%s %s", examples[i].method, examples[i].parameters);
		if (examples[i].field)
			assert_string_equal(mismatch.field, examples[i].field);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sorted_and_complete),
		cmocka_unit_test(test_found_by_name),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_files_are_formatted),
		cmocka_unit_test(test_conventions),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_examples),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
