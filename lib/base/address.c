/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "cleanup.h"

/* As the kernel's dev_valid_name(), and nothing that looks like a part of an address. */
bool net_device_is_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= IF_NAMESIZE || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return false;
	for (; *name; name++)
		if (!isgraph((unsigned char)*name) || strchr("/:%", *name))
			return false;
	return true;
}

bool interface_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > INTERFACE_NAME_MAX || *name == '-')
		return false;
	for (; *name; name++)
		if (!isgraph((unsigned char)*name) || strchr("/\"\\", *name))
			return false;
	return true;
}

/* False: no IPv6 address. *@ret_scope: where it stands in @text; NULL: none. */
static bool parse_ipv6(const char *text, struct in6_addr *ret, const char **ret_scope)
{
	const char *percent = strchr(text, '%');
	size_t length = percent ? (size_t)(percent - text) : strlen(text);
	char digits[INET6_ADDRSTRLEN];

	if (length >= sizeof(digits))
		return false;
	memcpy(digits, text, length);
	digits[length] = '\0';
	*ret_scope = percent ? percent + 1 : NULL;
	return inet_pton(AF_INET6, digits, ret) == 1;
}

static int normalize_ipv6(const char *text, char *ret, size_t size)
{
	char digits[INET6_ADDRSTRLEN], device[IF_NAMESIZE] = "";
	struct in6_addr address;
	const char *scope;

	if (!parse_ipv6(text, &address, &scope) ||
	    !inet_ntop(AF_INET6, &address, digits, sizeof(digits)))
		return -EINVAL;
	/* Elsewhere a scope has no meaning. */
	if (scope && (!IN6_IS_ADDR_LINKLOCAL(&address) || !net_device_is_valid(scope)))
		return -EINVAL;
	/* @ret may be @text, where the scope stands that moves. */
	if (scope)
		(void)snprintf(device, sizeof(device), "%s", scope);
	if (strlen(digits) + (scope ? 1 + strlen(device) : 0) >= size)
		return -EINVAL;
	(void)snprintf(ret, size, "%s%s%s", digits, scope ? "%" : "", device);
	return 0;
}

int address_normalize(const char *text, char *ret, size_t size)
{
	if (*text == '\0' || strlen(text) >= size)
		return -EINVAL;
	for (const char *p = text; *p; p++)
		if (!isgraph((unsigned char)*p) || strchr("[]/,", *p))
			return -EINVAL;
	if (strchr(text, ':'))
		return normalize_ipv6(text, ret, size);
	memmove(ret, text, strlen(text) + 1);
	return 0;
}

bool address_is_numeric(const char *address)
{
	char normal[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
	struct in_addr ipv4;

	return inet_pton(AF_INET, address, &ipv4) == 1 ||
	       (strchr(address, ':') && address_normalize(address, normal, sizeof(normal)) >= 0);
}

bool address_is_wildcard(const char *address)
{
	struct in6_addr ipv6;
	struct in_addr ipv4;
	const char *scope;

	if (inet_pton(AF_INET, address, &ipv4) == 1)
		return ipv4.s_addr == htonl(INADDR_ANY);
	if (!parse_ipv6(address, &ipv6, &scope))
		return false;
	/* Also as an IPv4 address within IPv6. */
	return IN6_IS_ADDR_UNSPECIFIED(&ipv6) ||
	       (IN6_IS_ADDR_V4MAPPED(&ipv6) && ipv6.s6_addr32[3] == htonl(INADDR_ANY));
}

bool address_is_link_local(const char *address)
{
	struct in6_addr ipv6;
	const char *scope;

	return parse_ipv6(address, &ipv6, &scope) && IN6_IS_ADDR_LINKLOCAL(&ipv6);
}

const char *address_scope(const char *address)
{
	const char *percent = strchr(address, '%');

	return percent ? percent + 1 : NULL;
}

int address_set_scope(char *address, size_t size, const char *scope)
{
	size_t length = strcspn(address, "%");

	if (length + 1 + strlen(scope) >= size)
		return -EINVAL;
	(void)snprintf(address + length, size - length, "%%%s", scope);
	return 0;
}

const char *address_localize(char *address, size_t size, const char *asked, const char *scope)
{
	if (address_is_wildcard(address)) {
		if (!asked || strlen(asked) >= size)
			return "the address stands for any";
		(void)snprintf(address, size, "%s", asked);
	} else if (address_is_link_local(address)) {
		if (!scope)
			return "of a link-local address the network interface must be known";
		if (address_set_scope(address, size, scope) < 0)
			return "the address is too long";
	}
	return NULL;
}
