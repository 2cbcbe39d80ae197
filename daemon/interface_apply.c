/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interface.h"
#include "interface_apply.h"
#include "manager.h"
#include "manager_private.h"
#include "parse.h"
#include "sysfs_private.h"
#include "transport.h"

/* What the kernel calls a part of the network, in both directions. */
struct parameter {
	enum iscsi_kernel_network number;
	const char *attribute; /* of the class device */
	enum setting setting;  /* that it comes from */
	size_t width;
	uint8_t value[16];           /* host byte order, but addresses */
	char text[INET6_ADDRSTRLEN]; /* as the attribute has it; addresses in any form */
};

#define PARAMETERS_MAX 12

struct network {
	const struct settings *settings;
	bool ipv6;
	struct parameter parameters[PARAMETERS_MAX];
	size_t n;
};

/* Composing */

static struct parameter *add(struct network *network, enum iscsi_kernel_network number,
			     const char *attribute, enum setting setting)
{
	struct parameter *parameter = &network->parameters[network->n++];

	*parameter =
		(struct parameter){ .number = number, .attribute = attribute, .setting = setting };
	return parameter;
}

static void add_byte(struct network *network, enum iscsi_kernel_network number,
		     const char *attribute, enum setting setting, uint8_t value, const char *text)
{
	struct parameter *parameter = add(network, number, attribute, setting);

	parameter->width = 1;
	parameter->value[0] = value;
	(void)snprintf(parameter->text, sizeof(parameter->text), "%s", text);
}

static void add_number(struct network *network, enum iscsi_kernel_network number,
		       const char *attribute, enum setting setting, uint16_t value, unsigned shown)
{
	struct parameter *parameter = add(network, number, attribute, setting);

	parameter->width = sizeof(value);
	memcpy(parameter->value, &value, sizeof(value));
	(void)snprintf(parameter->text, sizeof(parameter->text), "%u", shown);
}

static void add_address(struct network *network, enum iscsi_kernel_network number,
			const char *attribute, enum setting setting, const char *text)
{
	struct parameter *parameter = add(network, number, attribute, setting);

	parameter->width = network->ipv6 ? 16 : 4;
	(void)inet_pton(network->ipv6 ? AF_INET6 : AF_INET, text, parameter->value);
	(void)snprintf(parameter->text, sizeof(parameter->text), "%s", text);
}

static bool is_set(const struct network *network, enum setting setting)
{
	return settings_is_set(network->settings, setting);
}

static int64_t number_of(const struct network *network, enum setting setting)
{
	return settings_number(network->settings, setting);
}

static void add_mask(struct network *network)
{
	uint32_t mask = UINT32_MAX << (32 - number_of(network, SETTING_NETWORK_PREFIX_LENGTH));
	const struct in_addr address = { htonl(mask) };
	char text[INET_ADDRSTRLEN];

	(void)inet_ntop(AF_INET, &address, text, sizeof(text));
	add_address(network, KERNEL_NETWORK_IPV4_SUBNET, "subnet", SETTING_NETWORK_PREFIX_LENGTH,
		    text);
}

static void add_configuration4(struct network *network)
{
	bool dhcp = is_set(network, SETTING_NETWORK_CONFIGURATION) &&
		    number_of(network, SETTING_NETWORK_CONFIGURATION) == SETTING_CONFIGURATION_DHCP;

	add_byte(network, KERNEL_NETWORK_IPV4_BOOTPROTO, "bootproto", SETTING_NETWORK_CONFIGURATION,
		 dhcp ? 2 : 1, dhcp ? "dhcp" : "static");
}

static void add_configuration6(struct network *network)
{
	bool automatic = is_set(network, SETTING_NETWORK_CONFIGURATION) &&
			 number_of(network, SETTING_NETWORK_CONFIGURATION) ==
				 SETTING_CONFIGURATION_AUTOMATIC;

	add_byte(network, KERNEL_NETWORK_IPV6_ADDRESS_AUTOCFG, "ipaddr_autocfg",
		 SETTING_NETWORK_CONFIGURATION, automatic ? 2 : 1, automatic ? "nd" : "static");
}

static void add_ipv4(struct network *network)
{
	const struct settings *s = network->settings;

	if (is_set(network, SETTING_NETWORK_CONFIGURATION) ||
	    is_set(network, SETTING_NETWORK_ADDRESS))
		add_configuration4(network);
	if (is_set(network, SETTING_NETWORK_ADDRESS)) {
		add_address(network, KERNEL_NETWORK_IPV4_ADDRESS, "ipaddress",
			    SETTING_NETWORK_ADDRESS, settings_text(s, SETTING_NETWORK_ADDRESS));
		add_mask(network);
	}
	if (is_set(network, SETTING_NETWORK_GATEWAY))
		add_address(network, KERNEL_NETWORK_IPV4_GATEWAY, "gateway",
			    SETTING_NETWORK_GATEWAY, settings_text(s, SETTING_NETWORK_GATEWAY));
}

/* Where this is 1 the port does it by itself: the other way round than everywhere else. */
static void add_own(struct network *network, enum iscsi_kernel_network number,
		    const char *attribute, enum setting setting)
{
	add_byte(network, number, attribute, setting, 2, "static");
}

static void add_ipv6(struct network *network, bool configurable)
{
	const struct settings *s = network->settings;

	if (configurable && (is_set(network, SETTING_NETWORK_CONFIGURATION) ||
			     is_set(network, SETTING_NETWORK_ADDRESS)))
		add_configuration6(network);
	if (is_set(network, SETTING_NETWORK_ADDRESS))
		add_address(network, KERNEL_NETWORK_IPV6_ADDRESS, "ipaddress",
			    SETTING_NETWORK_ADDRESS, settings_text(s, SETTING_NETWORK_ADDRESS));
	if (is_set(network, SETTING_NETWORK_LINK_LOCAL_ADDRESS)) {
		add_own(network, KERNEL_NETWORK_IPV6_LINK_LOCAL_AUTOCFG, "link_local_autocfg",
			SETTING_NETWORK_LINK_LOCAL_ADDRESS);
		add_address(network, KERNEL_NETWORK_IPV6_LINK_LOCAL, "link_local_addr",
			    SETTING_NETWORK_LINK_LOCAL_ADDRESS,
			    settings_text(s, SETTING_NETWORK_LINK_LOCAL_ADDRESS));
	}
	if (is_set(network, SETTING_NETWORK_GATEWAY))
		add_address(network, KERNEL_NETWORK_IPV6_ROUTER, "router_addr",
			    SETTING_NETWORK_GATEWAY, settings_text(s, SETTING_NETWORK_GATEWAY));
}

static void add_vlan(struct network *network)
{
	uint16_t id, priority = 0;

	if (!is_set(network, SETTING_NETWORK_VLAN))
		return;
	id = (uint16_t)number_of(network, SETTING_NETWORK_VLAN);
	if (is_set(network, SETTING_NETWORK_VLAN_PRIORITY))
		priority = (uint16_t)number_of(network, SETTING_NETWORK_VLAN_PRIORITY);
	/* Both are told as one, and shown as two. */
	if (id > 0) {
		add_number(network, KERNEL_NETWORK_VLAN_TAG, "vlan_id", SETTING_NETWORK_VLAN,
			   (uint16_t)(id | priority << 13), id);
		add_number(network, KERNEL_NETWORK_VLAN_TAG, "vlan_priority",
			   SETTING_NETWORK_VLAN_PRIORITY, (uint16_t)(id | priority << 13),
			   priority);
	}
	add_byte(network, KERNEL_NETWORK_VLAN_ENABLED, "vlan_enabled", SETTING_NETWORK_VLAN,
		 id > 0 ? 2 : 1, id > 0 ? "enable" : "disable");
}

/* In the order in which an adapter is to hear it. */
static void compose(const struct settings *settings, const struct transport *transport,
		    struct network *ret)
{
	bool enabled;

	*ret = (struct network){ .settings = settings };
	ret->ipv6 = is_set(ret, SETTING_NETWORK_FAMILY) &&
		    number_of(ret, SETTING_NETWORK_FAMILY) == SETTING_FAMILY_IPV6;
	if (is_set(ret, SETTING_NETWORK_ENABLED)) {
		enabled = number_of(ret, SETTING_NETWORK_ENABLED);
		add_byte(ret, KERNEL_NETWORK_ENABLED, "enabled", SETTING_NETWORK_ENABLED,
			 enabled ? 2 : 1, enabled ? "enable" : "disable");
	}
	if (ret->ipv6)
		add_ipv6(ret, transport->network6 & NETWORK(CONFIGURATION));
	else
		add_ipv4(ret);
	add_vlan(ret);
	if (is_set(ret, SETTING_NETWORK_MTU))
		add_number(ret, KERNEL_NETWORK_MTU, "mtu", SETTING_NETWORK_MTU,
			   (uint16_t)number_of(ret, SETTING_NETWORK_MTU),
			   (unsigned)number_of(ret, SETTING_NETWORK_MTU));
}

/* Comparing */

static bool is_address(const struct parameter *parameter)
{
	return parameter->width == 4 || parameter->width == 16;
}

static bool is_shown(const struct parameter *parameter, const char *text)
{
	uint8_t shown[16];

	if (!is_address(parameter))
		return strcmp(text, parameter->text) == 0;
	return inet_pton(parameter->width == 16 ? AF_INET6 : AF_INET, text, shown) == 1 &&
	       memcmp(shown, parameter->value, parameter->width) == 0;
}

/* @fd -1: the port has no such interface, which is how a disabled one looks. */
static bool has(int fd, const struct parameter *parameter)
{
	char text[64];

	if (fd < 0)
		return parameter->number == KERNEL_NETWORK_ENABLED && parameter->value[0] == 1;
	return sysfs_read_string(fd, parameter->attribute, text, sizeof(text)) >= 0 &&
	       is_shown(parameter, text);
}

/* An address and its mask go together. */
static bool is_pair(const struct parameter *a, const struct parameter *b)
{
	return (a->number == KERNEL_NETWORK_IPV4_ADDRESS &&
		b->number == KERNEL_NETWORK_IPV4_SUBNET) ||
	       (a->number == KERNEL_NETWORK_IPV4_SUBNET &&
		b->number == KERNEL_NETWORK_IPV4_ADDRESS) ||
	       a->number == b->number;
}

static void name_setting(char *names, size_t size, enum setting setting)
{
	const char *name = setting_describe(setting)->name;
	size_t used = strlen(names);

	if (!strstr(names, name))
		(void)snprintf(names + used, size - used, "%s%s", used ? ", " : "", name);
}

static int append(struct buffer *buffer, const struct network *network, uint32_t number,
		  const struct parameter *parameter)
{
	struct iscsi_kernel_interface_parameter head = {
		.interface_number = number,
		.length = (uint32_t)parameter->width,
		.parameter = (uint16_t)parameter->number,
		.interface_type = network->ipv6 ? 2 : 1,
		.parameter_type = KERNEL_PARAMETER_NETWORK,
	};
	struct nlattr attribute = {
		.nla_len = (uint16_t)(NLA_HDRLEN + sizeof(head) + parameter->width),
		/* be2iscsi looks for the other half of an address by it. */
		.nla_type = (uint16_t)parameter->number,
	};
	static const uint8_t padding[NLA_ALIGNTO];
	int r;

	r = buffer_append(buffer, &attribute, sizeof(attribute));
	if (r >= 0)
		r = buffer_append(buffer, &head, sizeof(head));
	if (r >= 0)
		r = buffer_append(buffer, parameter->value, parameter->width);
	if (r >= 0)
		r = buffer_append(buffer, padding,
				  NLA_ALIGN(attribute.nla_len) - attribute.nla_len);
	return r;
}

static const struct transport *transport_of(const struct settings *settings)
{
	return &transport_table()[settings_number(settings, SETTING_TRANSPORT)];
}

static uint32_t interface_number(const struct settings *settings)
{
	return settings_is_set(settings, SETTING_NETWORK_NUMBER)
		       ? (uint32_t)settings_number(settings, SETTING_NETWORK_NUMBER)
		       : 0;
}

int interface_differences(const struct sysfs *sysfs, uint32_t host,
			  const struct settings *interface, struct buffer *ret, char *names,
			  size_t size)
{
	bool different[PARAMETERS_MAX] = { false };
	_cleanup_close_ int fd = -EBADF;
	struct network network;
	uint32_t number = interface_number(interface);
	int r = 0;

	compose(interface, transport_of(interface), &network);
	fd = sysfs_open(sysfs, O_PATH | O_DIRECTORY, "class/iscsi_iface/ipv%c-iface-%u-%u",
			network.ipv6 ? '6' : '4', host, number);
	for (size_t i = 0; i < network.n; i++)
		different[i] = !has(fd, &network.parameters[i]);
	for (size_t i = 0; i < network.n && r >= 0; i++) {
		const struct parameter *one = &network.parameters[i];
		bool send = false, sent = false;

		for (size_t k = 0; k < network.n; k++)
			if (different[k] && is_pair(one, &network.parameters[k]))
				send = true;
		/* Its number is that of the one before: it has been told. */
		sent = i > 0 && network.parameters[i - 1].number == one->number;
		if (send)
			name_setting(names, size, one->setting);
		if (send && !sent)
			r = append(ret, &network, number, one);
	}
	return r;
}

/* Telling */

struct application {
	struct manager *manager;
	char *name;
	uint32_t host;
	char names[512];
	interface_applied_t done;
	void *userdata;
};

static void applied(void *userdata, const struct kernel_result *result)
{
	struct application *application = userdata;
	bool failed = result->error < 0;
	enum event_number number = failed ? EVENT_INTERFACE_NOT_APPLIED : EVENT_INTERFACE_APPLIED;
	struct event *event = event_new(number);
	char message[160] = "";

	if (failed)
		(void)snprintf(message, sizeof(message), "the adapter did not take it: %s",
			       strerror(-result->error));
	event_set_string(event, FIELD_IFACE, application->name);
	event_set_number(event, FIELD_HOST, application->host);
	event_set_string(event, FIELD_SETTING, application->names);
	if (failed)
		event_set_status(event, (uint64_t)-result->error, message);
	if (result->error != -ECANCELED)
		eventlog_raise(application->manager->log, event);
	else
		event_free(event);
	if (application->done)
		application->done(application->userdata, result->error, failed ? number : 0,
				  failed ? message : NULL);
	free(application->name);
	free(application);
}

static bool has_address(const struct sysfs *sysfs, uint32_t host, const char *wanted)
{
	_cleanup_close_ int fd =
		sysfs_open(sysfs, O_PATH | O_DIRECTORY, "class/iscsi_host/host%u", host);
	char text[64];

	return fd >= 0 && sysfs_read_string(fd, "ipaddress", text, sizeof(text)) >= 0 &&
	       strcmp(text, wanted) == 0;
}

/* cxgb3i has an address and nothing else. 1: there is nothing to tell. */
static int compose_request(struct application *application, const struct settings *settings,
			   struct kernel_batch **ret)
{
	const struct sysfs *sysfs = &application->manager->sysfs;
	const struct transport *transport = transport_of(settings);
	const char *address = settings_text(settings, SETTING_NETWORK_ADDRESS);
	_cleanup_(buffer_done) struct buffer buffer = { 0 };
	int r;

	*ret = kernel_batch_new(application->manager->kernel, transport->handle,
				KERNEL_SESSION_NEW);
	if (!*ret)
		return -ENOMEM;
	if (transport->quirks & TRANSPORT_HOST_ADDRESS) {
		if (has_address(sysfs, application->host, address))
			return 1;
		name_setting(application->names, sizeof(application->names),
			     SETTING_NETWORK_ADDRESS);
		kernel_batch_set_host(*ret, application->host, KERNEL_HOST_PARAM_ADDRESS, address);
		return 0;
	}
	r = interface_differences(sysfs, application->host, settings, &buffer, application->names,
				  sizeof(application->names));
	if (r < 0 || buffer.length == 0)
		return r < 0 ? r : 1;
	kernel_batch_set_interface(*ret, application->host, buffer.data, buffer.length);
	return 0;
}

bool interface_is_applicable(const struct settings *interface)
{
	const struct transport *transport = transport_of(interface);

	if (transport->quirks & TRANSPORT_PATH_REQUESTS)
		return false;
	for (int i = 0; i < _SETTING_MAX; i++)
		if (settings_is_set(interface, i) && setting_describe(i)->interface_only &&
		    i != SETTING_NETWORK_FAMILY && i != SETTING_NETWORK_NUMBER)
			return true;
	return false;
}

/* The port it is of. Errors: -ENODEV, -EOPNOTSUPP, -ENOMEM. */
static int find_port(struct manager *manager, const struct settings *settings, uint32_t *ret)
{
	struct transport *transport = transport_find(transport_of(settings)->name);
	int r;

	if (!interface_is_applicable(settings))
		return -EOPNOTSUPP;
	if (!transport->loaded)
		transport_refresh(manager, transport);
	if (!transport->loaded || manager_open_kernel(manager) < 0)
		return -ENODEV;
	r = sysfs_host_find(&manager->sysfs, transport->proc_name,
			    settings_text(settings, SETTING_ADAPTER), ret);
	return r == -ENOTUNIQ ? -ENODEV : r;
}

static int begin(struct manager *manager, const char *name, const struct settings *settings,
		 uint32_t host, interface_applied_t done, void *userdata)
{
	_cleanup_(kernel_batch_freep) struct kernel_batch *batch = NULL;
	struct application *application = calloc(1, sizeof(*application));
	int r = -ENOMEM;

	if (application) {
		*application = (struct application){
			.manager = manager, .host = host, .done = done, .userdata = userdata
		};
		application->name = strdup(name);
		r = application->name ? compose_request(application, settings, &batch) : -ENOMEM;
	}
	if (r == 0)
		r = kernel_batch_submit(TAKE_PTR(batch), applied, application);
	if (r != 0 && application) {
		free(application->name);
		free(application);
	}
	return r;
}

int interface_apply(struct manager *manager, const char *name, interface_applied_t done,
		    void *userdata)
{
	_cleanup_(settings_freep) struct settings *settings = NULL;
	uint32_t host;
	int r;

	r = interface_get(manager->records, name, &settings);
	if (r >= 0)
		r = find_port(manager, settings, &host);
	return r < 0 ? r : begin(manager, name, settings, host, done, userdata);
}

static bool has_sessions(const struct manager *manager, uint32_t host)
{
	for (const struct session *s = manager->sessions; s; s = s->next)
		if (s->in_kernel && s->host == host)
			return true;
	return false;
}

void interface_apply_all(struct manager *manager)
{
	const struct interface *record;

	for (size_t i = 0; (record = records_interface_at(manager->records, i)); i++) {
		_cleanup_(settings_freep) struct settings *settings = NULL;
		uint32_t host;

		if (interface_get(manager->records, record->name, &settings) >= 0 &&
		    find_port(manager, settings, &host) >= 0 && !has_sessions(manager, host))
			(void)begin(manager, record->name, settings, host, NULL, NULL);
	}
}
