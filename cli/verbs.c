/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of verbs, and what they share: selectors, reports of failures, exit statuses.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

#define SECRETS                                                                                    \
	(BIT(OPTION_SECRET) | BIT(OPTION_SECRET_FILE) | BIT(OPTION_TARGET_SECRET) |                \
	 BIT(OPTION_TARGET_SECRET_FILE) | BIT(OPTION_SECRET_FORMAT))

const struct verb verbs[] = {
	{ "sessions", NULL, 0, 0, BIT(OPTION_PORTAL) | BIT(OPTION_FOLLOW), COMPLETE_NONE,
	  verb_sessions, "List sessions" },
	{ "session show", "SESSION|TARGET...", 1, -1, BIT(OPTION_PORTAL), COMPLETE_SESSIONS,
	  verb_session_show, "Show all about sessions" },
	{ "session adopt", "SESSION...", 1, -1, 0, COMPLETE_SESSIONS, verb_session_adopt,
	  "Manage sessions of other programs" },
	{ "status", NULL, 0, 0, 0, COMPLETE_NONE, verb_status, "Show the status of the daemon" },
	{ "discover", "ADDRESS[:PORT]", 1, 1,
	  BIT(OPTION_RECORD) | BIT(OPTION_TARGET) | BIT(OPTION_INTERFACE) | BIT(OPTION_SOURCE),
	  COMPLETE_NONE, verb_discover, "Ask a portal for its targets" },
	{ "portals", NULL, 0, 0, 0, COMPLETE_NONE, verb_portals,
	  "List portals that something is kept for" },
	{ "portal show", "ADDRESS[:PORT]...", 1, -1, 0, COMPLETE_PORTALS, verb_portal_show,
	  "Show the settings for discoveries at portals" },
	{ "portal set", "ADDRESS[:PORT] [NAME=VALUE...]", 1, -1,
	  SECRETS | BIT(OPTION_REMOVE_SECRET) | BIT(OPTION_REMOVE_TARGET_SECRET) |
		  BIT(OPTION_RESET),
	  COMPLETE_PORTAL_SETTINGS, verb_portal_set,
	  "Keep settings and secrets for discoveries at a portal" },
	{ "portal remove", "ADDRESS[:PORT]...", 1, -1, 0, COMPLETE_PORTALS, verb_portal_remove,
	  "Forget what is kept for portals" },
	{ "nodes", NULL, 0, 0, BIT(OPTION_PORTAL) | BIT(OPTION_STARTUP), COMPLETE_NONE, verb_nodes,
	  "List nodes: targets this host may log in to" },
	{ "node show", "TARGET...", 1, -1, BIT(OPTION_PORTAL), COMPLETE_NODES, verb_node_show,
	  "Show nodes and their settings" },
	{ "node add", "TARGET ADDRESS[:PORT][,GROUP] [NAME=VALUE...]", 2, -1, SECRETS,
	  COMPLETE_NONE, verb_node_add, "Create a node" },
	{ "node set", "TARGET|--all [NAME=VALUE...]", 0, -1,
	  SECRETS | BIT(OPTION_REMOVE_SECRET) | BIT(OPTION_REMOVE_TARGET_SECRET) |
		  BIT(OPTION_RESET) | BIT(OPTION_ALL) | BIT(OPTION_PORTAL),
	  COMPLETE_SETTINGS, verb_node_set, "Change settings and secrets of nodes" },
	{ "node remove", "TARGET...|--all", 0, -1,
	  BIT(OPTION_ALL) | BIT(OPTION_FORCE) | BIT(OPTION_PORTAL), COMPLETE_NODES,
	  verb_node_remove, "Delete nodes" },
	{ "ifaces", NULL, 0, 0, 0, COMPLETE_NONE, verb_ifaces,
	  "List interfaces, over which this host reaches targets" },
	{ "iface show", "NAME...", 1, -1, 0, COMPLETE_IFACES, verb_iface_show,
	  "Show interfaces and their settings" },
	{ "iface add", "NAME [NAME=VALUE...]", 1, -1, 0, COMPLETE_IFACE_SETTINGS, verb_iface_add,
	  "Make an interface" },
	{ "iface set", "NAME [NAME=VALUE...]", 1, -1, BIT(OPTION_RESET), COMPLETE_IFACE_SETTINGS,
	  verb_iface_set, "Change settings of an interface" },
	{ "iface apply", "[NAME...]", 0, -1, 0, COMPLETE_IFACES, verb_iface_apply,
	  "Tell adapters what was set of their network" },
	{ "iface remove", "NAME...", 1, -1, 0, COMPLETE_IFACES, verb_iface_remove,
	  "Forget what was set for interfaces" },
	{ "login", "TARGET...|--all|--startup=WHEN", 0, -1,
	  BIT(OPTION_ALL) | BIT(OPTION_STARTUP) | BIT(OPTION_PORTAL) | BIT(OPTION_NO_WAIT),
	  COMPLETE_NODES, verb_login, "Log in to nodes" },
	{ "logout", "SESSION|TARGET...|--all", 0, -1,
	  BIT(OPTION_ALL) | BIT(OPTION_FORCE) | BIT(OPTION_SHUTDOWN) | BIT(OPTION_PORTAL),
	  COMPLETE_SESSIONS, verb_logout, "Log out of sessions" },
	{ "rescan", "SESSION|TARGET...", 1, -1, BIT(OPTION_LUN) | BIT(OPTION_PORTAL),
	  COMPLETE_SESSIONS, verb_rescan, "Look for new logical units" },
	{ "scsi inquiry", "SESSION|TARGET", 1, 1,
	  BIT(OPTION_LUN) | BIT(OPTION_PAGE) | BIT(OPTION_DEADLINE) | BIT(OPTION_PORTAL),
	  COMPLETE_SESSIONS, verb_scsi_inquiry, "Ask a logical unit what it is" },
	{ "scsi report-luns", "SESSION|TARGET", 1, 1, BIT(OPTION_DEADLINE) | BIT(OPTION_PORTAL),
	  COMPLETE_SESSIONS, verb_scsi_report_luns, "Ask a target for its logical units" },
	{ "scsi read-capacity", "SESSION|TARGET", 1, 1,
	  BIT(OPTION_LUN) | BIT(OPTION_DEADLINE) | BIT(OPTION_PORTAL), COMPLETE_SESSIONS,
	  verb_scsi_read_capacity, "Ask a logical unit for its size" },
	{ "hosts", NULL, 0, 0, 0, COMPLETE_NONE, verb_hosts, "List SCSI hosts: ports of adapters" },
	{ "host show", "HOST...", 1, -1, 0, COMPLETE_HOSTS, verb_host_show,
	  "Show all about hosts" },
	{ "host set", "HOST NAME=VALUE...", 2, -1, 0, COMPLETE_HOSTS, verb_host_set,
	  "Set what a host says it is" },
	{ "host stats", "HOST", 1, 1, BIT(OPTION_OPENMETRICS), COMPLETE_HOSTS, verb_host_stats,
	  "Show what an adapter counts" },
	{ "host ping", "HOST ADDRESS", 2, 2,
	  BIT(OPTION_COUNT) | BIT(OPTION_SIZE) | BIT(OPTION_INTERVAL), COMPLETE_HOSTS,
	  verb_host_ping, "Let an adapter ping an address" },
	{ "host chap list", "HOST", 1, 1, 0, COMPLETE_HOSTS, verb_host_chap_list,
	  "List the CHAP secrets that an adapter keeps" },
	{ "host chap set", "HOST USERNAME", 2, 2, SECRETS | BIT(OPTION_INDEX), COMPLETE_HOSTS,
	  verb_host_chap_set, "Store a CHAP secret in an adapter" },
	{ "host chap remove", "HOST INDEX...", 2, -1, 0, COMPLETE_HOSTS, verb_host_chap_remove,
	  "Remove CHAP secrets from an adapter" },
	{ "host flashnode list", "HOST", 1, 1, 0, COMPLETE_HOSTS, verb_flash_list,
	  "List the targets that an adapter keeps" },
	{ "host flashnode show", "HOST INDEX", 2, 2, 0, COMPLETE_HOSTS, verb_flash_show,
	  "Show a target that an adapter keeps" },
	{ "host flashnode add", "HOST ipv4|ipv6 [NAME=VALUE...]", 2, -1, 0, COMPLETE_HOSTS,
	  verb_flash_add, "Make a target that an adapter keeps" },
	{ "host flashnode set", "HOST INDEX NAME=VALUE...", 3, -1, 0, COMPLETE_HOSTS,
	  verb_flash_set, "Change a target that an adapter keeps" },
	{ "host flashnode remove", "HOST INDEX", 2, 2, 0, COMPLETE_HOSTS, verb_flash_remove,
	  "Remove a target that an adapter keeps" },
	{ "host flashnode login", "HOST INDEX", 2, 2, 0, COMPLETE_HOSTS, verb_flash_login,
	  "Let an adapter log in by itself" },
	{ "host flashnode logout", "HOST INDEX", 2, 2, 0, COMPLETE_HOSTS, verb_flash_logout,
	  "Let an adapter log out" },
	{ "stats", "[SESSION|TARGET]", 0, 1,
	  BIT(OPTION_PORTAL) | BIT(OPTION_WATCH) | BIT(OPTION_INTERVAL) | BIT(OPTION_COUNT) |
		  BIT(OPTION_OPENMETRICS) | BIT(OPTION_HOSTS),
	  COMPLETE_SESSIONS, verb_stats, "Show counters of sessions or hosts" },
	{ "events", NULL, 0, 0,
	  BIT(OPTION_FOLLOW) | BIT(OPTION_LIVE) | BIT(OPTION_LIST) | BIT(OPTION_NUMBER) |
		  BIT(OPTION_TARGET) | BIT(OPTION_SINCE) | BIT(OPTION_LINES),
	  COMPLETE_EVENTS, verb_events, "Show numbered events from the journal" },
	{ "settings", NULL, 0, 0, 0, COMPLETE_NONE, verb_settings,
	  "List the settings of nodes, portals and interfaces" },
	{ "reload", NULL, 0, 0, 0, COMPLETE_NONE, verb_reload,
	  "Make the daemon read its configuration again" },
	{ "completion", "WHAT [VERB...]", 1, -1, 0, COMPLETE_NONE, verb_completion, NULL },
};
const size_t n_verbs = ELEMENTSOF(verbs);

/* --- Failures --- */

static const struct {
	int error;
	enum status status;
} statuses[] = {
	{ -EINVAL, STATUS_USAGE },
	{ -ESRCH, STATUS_NOTHING },
	{ -EACCES, STATUS_DENIED },
	{ -ENOENT, STATUS_UNREACHABLE },
	{ -ECONNREFUSED, STATUS_UNREACHABLE },
	{ -ECONNRESET, STATUS_UNREACHABLE },
	{ -ETIMEDOUT, STATUS_TIMEOUT },
};

enum status status_from_errno(int r)
{
	if (r >= 0)
		return STATUS_DONE;
	for (size_t i = 0; i < ELEMENTSOF(statuses); i++)
		if (statuses[i].error == r)
			return statuses[i].status;
	return STATUS_FAILED;
}

/* True for a name that the list of settings has: not for keys of nodes, nor for secrets. */
static bool is_listed(const char *setting)
{
	size_t length = setting ? strlen(setting) : 0;

	return length > 0 && strncmp(setting, "key.", 4) != 0 &&
	       (length < 6 || strcasecmp(setting + length - 6, "secret") != 0);
}

/* What a person can do next; "" where there is nothing sure to say. */
static const char *advice(int r, const struct ois_error *error)
{
	const char *name = error ? ois_error_get_name(error) : NULL;
	const char *setting = error ? ois_error_get_text(error, "setting") : NULL;

	if (!name && (r == -ENOENT || r == -ECONNREFUSED))
		return "; is oisd running? Start it with: systemctl start oisd.socket";
	if (!name && r == -ECONNRESET)
		return "; see: systemctl status oisd.service";
	if (r == -EACCES)
		return "; use sudo, or for reading be a member of the group in ois.conf";
	if (name && r == -ESRCH && strstr(name, "Node"))
		return "; 'ois-ctl nodes' lists the nodes";
	if (name && r == -ESRCH && strstr(name, "Portal"))
		return "; 'ois-ctl portals' lists the portals";
	if (name && r == -ESRCH && strstr(name, "NoSuchInterface"))
		return "; 'ois-ctl ifaces' lists the interfaces";
	if (name && r == -ESRCH && strstr(name, "Host"))
		return "; 'ois-ctl hosts' lists the hosts";
	if (name && r == -ESRCH && strstr(name, "Session"))
		return "; 'ois-ctl sessions' lists the sessions";
	if (name && strstr(name, ".InvalidSetting") && !strstr(name, ".host.") &&
	    is_listed(setting))
		return "; 'ois-ctl settings' lists names and values";
	if (name && r == -EBUSY && strstr(name, "InterfaceInUse"))
		return "; put their setting interface back first";
	if (name && r == -EBUSY && strstr(name, "InUse") && !strstr(name, ".host."))
		return "; --force does it anyway";
	return "";
}

#define EVENT_MAX 9999

void report_event(const struct cli *cli, int64_t event)
{
	const struct ois_event_type *type =
		event > 0 && event <= EVENT_MAX ? ois_event_type_get((unsigned)event) : NULL;
	static bool told[EVENT_MAX + 1];

	if (type && !told[event])
		message_notice(&cli->output,
			       "Event %" PRId64 " %s; details: journalctl MESSAGE_ID=%s -x", event,
			       ois_event_type_get_symbol(type),
			       ois_event_type_get_message_id(type));
	if (type)
		told[event] = true;
}

enum status report(struct cli *cli, int r, const struct ois_error *error, const char *format, ...)
{
	_cleanup_free_ char *attempt = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&attempt, format, arguments) < 0)
		attempt = NULL;
	va_end(arguments);
	message_error("Failed to %s: %s%s", attempt ?: "do it",
		      error ? ois_error_get_message(error) : strerror(-r), advice(r, error));
	if (error)
		report_event(cli, ois_error_get_event(error));
	return status_from_errno(r);
}

void combine_status(enum status *total, enum status one, bool first)
{
	if (first)
		*total = one;
	else if (*total != one)
		*total = STATUS_PARTLY;
}

/* --- Selectors --- */

static enum status add_portal(struct cli *cli, struct ois_selector *selector)
{
	if (!cli->portal || ois_selector_set_portal(selector, cli->portal) >= 0)
		return STATUS_DONE;
	return usage_error("Option --portal: '%s' is no ADDRESS[:PORT]", cli->portal);
}

enum status select_nodes(struct cli *cli, const char *target, struct ois_selector **ret)
{
	_cleanup_(selector_freep) struct ois_selector *selector = NULL;
	enum status status;
	int r;

	r = ois_selector_new(&selector);
	if (r >= 0 && target)
		r = ois_selector_set_target_name(selector, target);
	if (r >= 0 && cli->startup)
		r = ois_selector_set_startup(selector, cli->startup);
	if (r < 0)
		return report(cli, r, NULL, "select nodes");
	status = add_portal(cli, selector);
	if (status != STATUS_DONE)
		return status;
	*ret = selector;
	selector = NULL;
	return STATUS_DONE;
}

enum status select_sessions(struct cli *cli, const char *which, struct ois_selector **ret)
{
	_cleanup_(selector_freep) struct ois_selector *selector = NULL;
	enum status status;
	int r;

	r = ois_selector_new(&selector);
	if (r >= 0 && which && strspn(which, "0123456789") == strlen(which) && strlen(which) < 11)
		r = ois_selector_set_session(selector, strtoll(which, NULL, 10));
	else if (r >= 0 && which)
		r = ois_selector_set_target_name(selector, which);
	if (r < 0)
		return report(cli, r, NULL, "select sessions");
	status = add_portal(cli, selector);
	if (status != STATUS_DONE)
		return status;
	*ret = selector;
	selector = NULL;
	return STATUS_DONE;
}

/* --- Small things --- */

int64_t number_or(int r, int64_t number, int64_t otherwise)
{
	return r < 0 ? otherwise : number;
}

const char *plural(size_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}
