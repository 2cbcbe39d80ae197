/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * completion: words for the shells' completion scripts, one a line, with a description after a tab.
 * Silent and quick when the daemon is away.
 * - verbs: every verb, "node show" as it is written
 * - options VERB...: options of the verb, with "=" where a value follows
 * - arguments VERB...: what the verb's arguments may be: targets, portals, interfaces, session
 *   numbers, settings
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

#define PATIENCE_USEC 1000000

static enum status print_verbs(void)
{
	for (size_t i = 0; i < n_verbs; i++)
		if (verbs[i].help)
			(void)printf("%s\t%s\n", verbs[i].name, verbs[i].help);
	return STATUS_DONE;
}

/* The verb that @words name, NULL if none. */
static const struct verb *named_verb(char **words)
{
	for (size_t i = 0; i < n_verbs; i++)
		if (verb_match(&verbs[i], words) > 0)
			return &verbs[i];
	return NULL;
}

static enum status print_options(char **words)
{
	const struct verb *verb = named_verb(words);
	uint64_t accepted = GENERAL_OPTIONS | (verb ? verb->options : 0);

	for (int i = 0; i < _OPTION_MAX; i++)
		if ((accepted & BIT(i)) && *option_rows[i].name)
			(void)printf("--%s%s\t%s\n", option_rows[i].name,
				     option_rows[i].argument ? "=" : "", option_rows[i].help);
	return STATUS_DONE;
}

static void print_portal(const struct ois_portal_record *record)
{
	_cleanup_free_ char *portal = NULL;
	int64_t port = 0;

	(void)ois_portal_record_get_port(record, &port);
	portal = format_portal(ois_portal_record_get_address(record), (int)port);
	if (portal)
		(void)printf("%s\n", portal);
}

static bool is_for(const struct verb *verb, const struct ois_setting *setting)
{
	if (verb->complete == COMPLETE_PORTAL_SETTINGS)
		return ois_setting_is_for_discovery(setting) > 0;
	if (verb->complete == COMPLETE_IFACE_SETTINGS)
		return ois_setting_is_for_interface(setting) > 0;
	return ois_setting_is_for_node(setting) > 0;
}

static int hear_word(struct ois_call *call, const struct ois_reply *reply, void *userdata)
{
	const struct verb *verb = userdata;
	const struct ois_portal_record *record = ois_reply_get_portal_record(reply);
	const struct ois_session *session = ois_reply_get_session(reply);
	const struct ois_setting *setting = ois_reply_get_setting(reply);
	const struct ois_interface *interface = ois_reply_get_interface(reply);
	const struct ois_node *node = ois_reply_get_node(reply);
	const struct ois_host *host = ois_reply_get_host(reply);
	_cleanup_free_ char *target = NULL;
	int64_t number;

	if (host && ois_host_get_host_number(host, &number) >= 0)
		(void)printf("%" PRId64 "\t%s\n", number, ois_host_get_transport(host) ?: "");
	if (host && ois_host_get_hardware_address(host))
		(void)printf("%s\n", ois_host_get_hardware_address(host));
	if (record)
		print_portal(record);
	if (interface && ois_interface_get_name(interface))
		(void)printf("%s\n", ois_interface_get_name(interface));
	if (setting && ois_setting_get_name(setting) && is_for(verb, setting))
		(void)printf("%s=\n", ois_setting_get_name(setting));
	if (node && ois_node_get_target_name(node))
		target = escape_text(ois_node_get_target_name(node));
	if (session && ois_session_get_target_name(session))
		target = escape_text(ois_session_get_target_name(session));
	if (session && ois_session_get_session(session, &number) >= 0)
		(void)printf("%" PRId64 "\t%s\n", number, target ?: "");
	if (target)
		(void)printf("%s\n", target);
	return 0;
}

static void print_words(struct ois_client *client, const struct verb *verb,
			int (*make)(struct ois_client *client, struct ois_call **ret))
{
	_cleanup_(call_unrefp) struct ois_call *call = NULL;

	if (make(client, &call) >= 0)
		(void)ois_call_run(call, hear_word, (void *)verb, NULL);
}

static int make_nodes(struct ois_client *client, struct ois_call **ret)
{
	return ois_list_nodes_call(client, NULL, 0, ret);
}

static int make_sessions(struct ois_client *client, struct ois_call **ret)
{
	return ois_list_sessions_call(client, NULL, 0, ret);
}

static int make_portals(struct ois_client *client, struct ois_call **ret)
{
	return ois_list_portal_records_call(client, NULL, 0, ret);
}

static int make_interfaces(struct ois_client *client, struct ois_call **ret)
{
	return ois_list_interfaces_call(client, NULL, 0, ret);
}

static int make_hosts(struct ois_client *client, struct ois_call **ret)
{
	return ois_list_hosts_call(client, NULL, ret);
}

static void print_events(void)
{
	const struct ois_event_type *type;

	for (size_t i = 0; (type = ois_event_type_at(i)); i++)
		(void)printf("%u\t%s\n", ois_event_type_get_number(type),
			     ois_event_type_get_symbol(type));
}

static enum status print_arguments(struct cli *cli, char **words)
{
	const struct verb *verb = named_verb(words);

	if (!verb)
		return STATUS_DONE;
	switch (verb->complete) {
	case COMPLETE_NONE:
		break;
	case COMPLETE_SETTINGS:
		print_words(cli->client, verb, ois_list_settings_call);
		print_words(cli->client, verb, make_nodes);
		break;
	case COMPLETE_PORTAL_SETTINGS:
		print_words(cli->client, verb, ois_list_settings_call);
		print_words(cli->client, verb, make_portals);
		break;
	case COMPLETE_PORTALS:
		print_words(cli->client, verb, make_portals);
		break;
	case COMPLETE_IFACE_SETTINGS:
		print_words(cli->client, verb, ois_list_settings_call);
		print_words(cli->client, verb, make_interfaces);
		break;
	case COMPLETE_IFACES:
		print_words(cli->client, verb, make_interfaces);
		break;
	case COMPLETE_NODES:
		print_words(cli->client, verb, make_nodes);
		break;
	case COMPLETE_EVENTS:
		print_events();
		break;
	case COMPLETE_HOSTS:
		print_words(cli->client, verb, make_hosts);
		break;
	case COMPLETE_SESSIONS:
		print_words(cli->client, verb, make_sessions);
		break;
	}
	return STATUS_DONE;
}

enum status verb_completion(struct cli *cli, char **arguments)
{
	ois_client_set_timeout(cli->client, PATIENCE_USEC);
	if (strcmp(arguments[0], "verbs") == 0)
		return print_verbs();
	if (strcmp(arguments[0], "options") == 0)
		return print_options(arguments + 1);
	if (strcmp(arguments[0], "arguments") == 0)
		return print_arguments(cli, arguments + 1);
	return STATUS_USAGE;
}
