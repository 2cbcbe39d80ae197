/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interface.h"
#include "manager.h"
#include "parse.h"
#include "sysfs.h"
#include "transport.h"

/* What a name says */

/* False: nothing. @settings NULL: only whether. */
static bool take_name(const char *name, struct settings *settings, int *ret_error)
{
	const char *dot = strchr(name, '.');
	struct transport *transport;
	enum setting setting;
	char prefix[16];
	int r = 0;

	if (strcmp(name, "default") == 0)
		name = "tcp";
	else if (!dot && strcmp(name, "iser") != 0)
		return false;
	(void)snprintf(prefix, sizeof(prefix), "%.*s", dot ? (int)(dot - name) : 8, name);
	transport = transport_find(prefix);
	if (!transport || (dot && transport->quirks & TRANSPORT_RDMA))
		return false;
	setting = transport->kind == TRANSPORT_SOCKET ? SETTING_TCP_NET_DEVICE : SETTING_ADAPTER;
	if (dot && setting_describe(setting)->fault(dot + 1))
		return false;
	if (settings)
		r = settings_set_text(settings, "transport", prefix, NULL);
	if (settings && dot && r >= 0)
		r = settings_set_text(settings, setting_describe(setting)->name, dot + 1, NULL);
	if (ret_error)
		*ret_error = r;
	return true;
}

bool interface_is_built_in(const char *name)
{
	return take_name(name, NULL, NULL);
}

bool interface_exists(const struct records *records, const char *name)
{
	return interface_is_built_in(name) || records_find_interface(records, name);
}

/* What the name says is not for others to say. */
static int check_name(const struct settings *named, const struct settings *own,
		      struct settings_fault *ret_fault)
{
	static const enum setting identity[] = { SETTING_TRANSPORT, SETTING_ADAPTER,
						 SETTING_TCP_NET_DEVICE };

	for (size_t i = 0; i < ELEMENTSOF(identity); i++)
		if (settings_is_set(own, identity[i]))
			return settings_conflict(own, identity[i],
						 "is what the name of the interface says, and must "
						 "not be set",
						 ret_fault);
	return 0;
}

/* What a transport takes */

static struct transport *transport_of(const struct settings *settings)
{
	return &transport_table()[settings_number(settings, SETTING_TRANSPORT)];
}

static int refuse(const struct settings *settings, enum setting setting,
		  struct settings_fault *ret_fault, const char *format, ...) _printf_(4, 5);

static int refuse(const struct settings *settings, enum setting setting,
		  struct settings_fault *ret_fault, const char *format, ...)
{
	char message[160];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return settings_conflict(settings, setting, message, ret_fault);
}

static bool is_network(enum setting setting)
{
	return strncmp(setting_describe(setting)->name, "network.", strlen("network.")) == 0;
}

/* One setting that is there. */
static int check_taken(const struct settings *settings, const struct transport *transport,
		       bool ipv6, enum setting setting, struct settings_fault *ret_fault)
{
	uint64_t taken = ipv6 ? transport->network6 : transport->network4;

	if (!is_network(setting))
		return 0;
	if (!transport_has_network(transport))
		return refuse(settings, setting, ret_fault,
			      "must not be set: %s has the network of this host", transport->name);
	if (!settings_text(settings, SETTING_ADAPTER))
		return refuse(settings, setting, ret_fault,
			      "needs the setting adapter, which port it is for");
	if (setting == SETTING_NETWORK_FAMILY ? taken == 0 : !(taken >> setting & 1))
		return refuse(settings, setting, ret_fault, "%s does not take this with %s",
			      transport->name, ipv6 ? "IPv6" : "IPv4");
	return 0;
}

static int check_transport(const struct settings *settings, const struct transport *transport,
			   bool ipv6, struct settings_fault *ret_fault)
{
	static const enum setting of_tcp[] = { SETTING_TCP_SOURCE_ADDRESS, SETTING_TCP_NET_DEVICE };
	int r = 0;

	for (size_t i = 0; i < ELEMENTSOF(of_tcp); i++)
		if (settings_is_set(settings, of_tcp[i]) && transport->kind != TRANSPORT_SOCKET)
			return refuse(settings, of_tcp[i], ret_fault,
				      "must not be set because transport is %s", transport->name);
	if (settings_is_set(settings, SETTING_ADAPTER) && !(transport->quirks & TRANSPORT_ADAPTERS))
		return refuse(settings, SETTING_ADAPTER, ret_fault,
			      "must not be set because transport is tcp or iser");
	for (int i = 0; i < _SETTING_MAX && r >= 0; i++)
		if (settings_is_set(settings, i))
			r = check_taken(settings, transport, ipv6, i, ret_fault);
	return r;
}

/* What goes together */

/* One that a host can have. */
static bool is_usable(const char *text, bool ipv6)
{
	struct in6_addr six;
	struct in_addr four;

	if (ipv6)
		return inet_pton(AF_INET6, text, &six) == 1 && !IN6_IS_ADDR_UNSPECIFIED(&six) &&
		       !IN6_IS_ADDR_MULTICAST(&six) && !IN6_IS_ADDR_LOOPBACK(&six) &&
		       !IN6_IS_ADDR_V4MAPPED(&six);
	return inet_pton(AF_INET, text, &four) == 1 && ntohl(four.s_addr) >> 24 != 0 &&
	       ntohl(four.s_addr) >> 24 != IN_LOOPBACKNET && ntohl(four.s_addr) >> 28 < 0xe;
}

static int check_addresses(const struct settings *settings, bool ipv6,
			   struct settings_fault *ret_fault)
{
	static const enum setting addresses[] = { SETTING_NETWORK_ADDRESS, SETTING_NETWORK_GATEWAY,
						  SETTING_NETWORK_LINK_LOCAL_ADDRESS };
	const char *local = settings_text(settings, SETTING_NETWORK_LINK_LOCAL_ADDRESS);
	struct in6_addr six;

	for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
		const char *text = settings_text(settings, addresses[i]);

		if (text && !is_usable(text, ipv6))
			return refuse(settings, addresses[i], ret_fault,
				      "must be an %s address that a host can have; network.family "
				      "is %s",
				      ipv6 ? "IPv6" : "IPv4", ipv6 ? "ipv6" : "ipv4");
	}
	if (local && inet_pton(AF_INET6, local, &six) == 1 && !IN6_IS_ADDR_LINKLOCAL(&six))
		return refuse(settings, SETTING_NETWORK_LINK_LOCAL_ADDRESS, ret_fault,
			      "must be of fe80::/10");
	return 0;
}

static int check_configuration(const struct settings *settings, bool ipv6,
			       struct settings_fault *ret_fault)
{
	int64_t how;

	if (!settings_is_set(settings, SETTING_NETWORK_CONFIGURATION))
		return 0;
	how = settings_number(settings, SETTING_NETWORK_CONFIGURATION);
	if (how == SETTING_CONFIGURATION_DHCP && ipv6)
		return refuse(settings, SETTING_NETWORK_CONFIGURATION, ret_fault,
			      "must be static or automatic with IPv6");
	if (how == SETTING_CONFIGURATION_AUTOMATIC && !ipv6)
		return refuse(settings, SETTING_NETWORK_CONFIGURATION, ret_fault,
			      "must be static or dhcp with IPv4");
	if (how != SETTING_CONFIGURATION_STATIC &&
	    settings_is_set(settings, SETTING_NETWORK_ADDRESS))
		return refuse(settings, SETTING_NETWORK_CONFIGURATION, ret_fault,
			      "must be static because network.address is set");
	return 0;
}

static int check_network(const struct settings *settings, const struct transport *transport,
			 bool ipv6, struct settings_fault *ret_fault)
{
	bool address = settings_is_set(settings, SETTING_NETWORK_ADDRESS);
	bool prefix = settings_is_set(settings, SETTING_NETWORK_PREFIX_LENGTH);
	uint64_t taken = ipv6 ? transport->network6 : transport->network4;
	int r;

	r = check_addresses(settings, ipv6, ret_fault);
	if (r >= 0)
		r = check_configuration(settings, ipv6, ret_fault);
	if (r < 0)
		return r;
	/* A port takes both or none. */
	if (address && !prefix && taken & NETWORK(PREFIX_LENGTH))
		return refuse(settings, SETTING_NETWORK_ADDRESS, ret_fault,
			      "needs network.prefixLength");
	if (prefix && !address)
		return refuse(settings, SETTING_NETWORK_PREFIX_LENGTH, ret_fault,
			      "needs network.address");
	if (settings_is_set(settings, SETTING_NETWORK_VLAN_PRIORITY) &&
	    (!settings_is_set(settings, SETTING_NETWORK_VLAN) ||
	     settings_number(settings, SETTING_NETWORK_VLAN) == 0))
		return refuse(settings, SETTING_NETWORK_VLAN_PRIORITY, ret_fault,
			      "needs network.vlan");
	return 0;
}

static int check(const struct settings *settings, struct settings_fault *ret_fault)
{
	const struct transport *transport = transport_of(settings);
	bool ipv6 = settings_is_set(settings, SETTING_NETWORK_FAMILY) &&
		    settings_number(settings, SETTING_NETWORK_FAMILY) == SETTING_FAMILY_IPV6;
	int r = check_transport(settings, transport, ipv6, ret_fault);

	return r < 0 ? r : check_network(settings, transport, ipv6, ret_fault);
}

/* What it stands for */

/* No defaults: what is not set is none of its business. */
static int compose(const char *name, const struct settings *own, struct settings **ret,
		   bool *ret_named)
{
	_cleanup_(settings_freep) struct settings *settings = NULL;
	int r;

	r = settings_new(SETTINGS_INTERFACE, &settings);
	if (r < 0)
		return r;
	*ret_named = take_name(name, settings, &r);
	if (r >= 0 && own)
		r = settings_take_over(settings, own);
	if (r >= 0 && !settings_is_set(settings, SETTING_TRANSPORT))
		r = settings_set_text(settings, "transport", "tcp", NULL);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(settings);
	return 0;
}

int interface_resolve(const char *name, const struct settings *own, struct settings **ret,
		      struct settings_fault *ret_fault)
{
	_cleanup_(settings_freep) struct settings *settings = NULL;
	bool named;
	int r;

	r = compose(name, own, &settings, &named);
	if (r >= 0 && named && own)
		r = check_name(settings, own, ret_fault);
	if (r >= 0)
		r = check(settings, ret_fault);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(settings);
	return 0;
}

int interface_get(const struct records *records, const char *name, struct settings **ret)
{
	const struct interface *record = records_find_interface(records, name);
	bool named;

	if (!record && !interface_is_built_in(name))
		return -ENOENT;
	return compose(name, record ? record->settings : NULL, ret, &named);
}

struct transport *interface_transport(const struct records *records, const char *name)
{
	_cleanup_(settings_freep) struct settings *settings = NULL;

	return interface_get(records, name, &settings) < 0 ? NULL : transport_of(settings);
}

int interface_effective(const struct records *records, const struct settings *defaults,
			const struct settings *own, const char *discovered, struct settings **ret)
{
	_cleanup_(settings_freep) struct settings *interface = NULL, *effective = NULL;
	const char *name = own ? settings_text(own, SETTING_INTERFACE) : NULL;
	int r = 0;

	if (!name)
		name = discovered;
	if (!name && defaults)
		name = settings_text(defaults, SETTING_INTERFACE);
	if (name)
		r = interface_get(records, name, &interface);
	if (r >= 0 || r == -ENOENT)
		r = settings_effective(defaults, interface, own, &effective);
	if (r >= 0 && name)
		r = settings_set_text(effective, "interface", name, NULL);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(effective);
	return 0;
}

int interface_effective_of(const struct manager *manager, const struct node *node,
			   struct settings **ret)
{
	return interface_effective(manager->records, manager->config->node_defaults, node->settings,
				   node->interface, ret);
}

static bool names(const struct settings *settings, const char *discovered, const char *name)
{
	const char *named = settings_text(settings, SETTING_INTERFACE) ?: discovered;

	return named && strcmp(named, name) == 0;
}

size_t interface_count_users(const struct records *records, const char *name)
{
	const struct portal *portal;
	const struct node *node;
	size_t n = 0;

	for (size_t i = 0; (node = records_at(records, i)); i++)
		n += names(node->settings, node->interface, name);
	for (size_t i = 0; (portal = records_portal_at(records, i)); i++)
		n += names(portal->settings, NULL, name);
	return n;
}

/* Ports */

static int compare_ports(const void *a, const void *b)
{
	return strcmp(((const struct interface_port *)a)->name,
		      ((const struct interface_port *)b)->name);
}

int interface_list_ports(const struct manager *manager, struct interface_port **ret, size_t *ret_n)
{
	_cleanup_free_ struct interface_port *ports = NULL;
	_cleanup_free_ struct sysfs_port *hosts = NULL;
	size_t n_hosts, n = 0;
	int r;

	r = sysfs_port_list(&manager->sysfs, &hosts, &n_hosts);
	if (r < 0)
		return r;
	ports = calloc(n_hosts + 1, sizeof(*ports));
	if (!ports)
		return -ENOMEM;
	for (size_t i = 0; i < n_hosts; i++) {
		const struct transport *transport = transport_find_host(hosts[i].proc_name);

		if (!transport || !(transport->quirks & TRANSPORT_ADAPTERS))
			continue;
		(void)snprintf(ports[n].name, sizeof(ports[n].name), "%s.%s", transport->name,
			       hosts[i].hardware_address);
		ports[n].host = hosts[i].number;
		/* One that tells no hardware address cannot be named. */
		n += interface_is_built_in(ports[n].name);
	}
	qsort(ports, n, sizeof(*ports), compare_ports);
	*ret = TAKE_PTR(ports);
	*ret_n = n;
	return 0;
}
