/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discover: asks a portal for its targets, and records them as nodes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* So many targets are worth a new progress line. */
#define TARGETS_A_STEP 100

static const char *const headers[] = { "TARGET", "PORTAL", ">GROUP", NULL };

/* The table is printed when all is known: who looks at it must not hold up the portal. */
struct discovery {
	struct cli *cli;
	const char *portal;
	struct table *table;
	size_t n_targets; /* told so far; one with many portals is told more than once */
};

static int add_target(struct discovery *discovery, const struct ois_target *target)
{
	struct ois_portal *portal;
	int64_t port, tag;
	bool tagged;
	int r = 0;

	discovery->n_targets++;
	for (size_t i = 0; r >= 0 && (portal = ois_target_get_portal(target, i)); i++) {
		_cleanup_free_ char *text = NULL;

		port = tag = 0;
		(void)ois_portal_get_port(portal, &port);
		tagged = ois_portal_get_portal_group_tag(portal, &tag) >= 0;
		text = format_portal(ois_portal_get_address(portal), (int)port);
		r = table_add(discovery->table, ois_target_get_name(target));
		if (r >= 0)
			r = table_add(discovery->table, text);
		if (r >= 0)
			r = table_add_number(discovery->table, tagged, tag);
	}
	return r;
}

static int hear_reply(struct ois_call *call, const struct ois_reply *reply, void *userdata)
{
	struct discovery *discovery = userdata;
	const struct output *output = &discovery->cli->output;
	struct ois_target *target = ois_reply_get_target(reply);
	const char *phase = ois_reply_get_text(reply, "phase");
	int r = 0;

	if (output->json != JSON_OFF && !ois_reply_get_error(reply))
		json_print(output, ois_reply_get_json(reply));
	else if (target)
		r = add_target(discovery, target);
	if (phase || (target && discovery->n_targets % TARGETS_A_STEP == 0))
		progress_line(output, "Discovery at %s: %s, %zu %s so far", discovery->portal,
			      phase ?: "querying", discovery->n_targets,
			      plural(discovery->n_targets, "target", "targets"));
	return r;
}

static int64_t summary_number(const struct ois_summary *summary, const char *name)
{
	int64_t number = 0;

	(void)ois_summary_get_number(summary, name, &number);
	return number;
}

static void print_targets(const struct discovery *discovery, const struct ois_summary *summary)
{
	const struct output *output = &discovery->cli->output;
	int64_t n_targets = summary_number(summary, "targets");
	size_t n_portals = table_rows(discovery->table);
	char footer[256];

	if (discovery->n_targets == 0) {
		message_notice(output, "The portal %s has no target %s%sfor this host.",
			       discovery->portal, discovery->cli->target ?: "",
			       discovery->cli->target ? " " : "");
		return;
	}
	(void)snprintf(footer, sizeof(footer),
		       "%" PRId64 " %s at %zu %s; nodes: %" PRId64 " created, %" PRId64
		       " updated, %" PRId64 " deleted.",
		       n_targets, plural((size_t)n_targets, "target", "targets"), n_portals,
		       plural(n_portals, "portal", "portals"),
		       summary_number(summary, "recordsCreated"),
		       summary_number(summary, "recordsUpdated"),
		       summary_number(summary, "recordsDeleted"));
	pager_open(output);
	table_print(output, discovery->table, footer);
}

/* A value of an option that the daemon does not take; NULL: the failure is another one. */
static const char *wrong_option(const struct ois_error *error)
{
	static const char *const options[][2] = {
		{ "targetName", "--target: this is no iSCSI name" },
		{ "interface",
		  "--interface: there is no such interface, or its adapter logs in by itself; "
		  "'ois-ctl ifaces' lists the interfaces" },
		{ "sourceAddress", "--source: this is no numeric address" },
	};
	const char *parameter = error ? ois_error_get_text(error, "parameter") : NULL;

	for (size_t i = 0; parameter && i < ELEMENTSOF(options); i++)
		if (strcmp(options[i][0], parameter) == 0)
			return options[i][1];
	return NULL;
}

/* What is wrong with --source beside the interface; NULL: the failure is another one. */
static const char *wrong_source(const struct ois_error *error)
{
	const char *setting = error ? ois_error_get_text(error, "setting") : NULL;

	return setting && strcmp(setting, "sourceAddress") == 0
		       ? ois_error_get_text(error, "message")
		       : NULL;
}

static enum status report_failure(struct cli *cli, int r, const struct ois_error *error,
				  const char *portal)
{
	static const char refused[] = "org.ois.discovery.AuthenticationFailed";
	const char *name = error ? ois_error_get_name(error) : NULL;
	const char *detail = error ? ois_error_get_text(error, "statusDetail") : NULL;
	const char *wrong = wrong_option(error), *source = wrong_source(error);
	enum status status;

	if (wrong)
		return usage_error("Option %s", wrong);
	if (source)
		return usage_error("Option --source %s", source);
	status = report(cli, r, error, "discover targets at %s", portal);
	/* RFC 7143, 11.13.5: of the status details only 1 is about credentials. */
	if (name && strcmp(name, refused) == 0 && (!detail || strcmp(detail, "1") == 0))
		message_notice(&cli->output,
			       "To keep credentials for this portal: ois-ctl portal set %s "
			       "authentication.method=chap authentication.userName=NAME --secret",
			       portal);
	return status;
}

static int make_call(struct cli *cli, const char *portal, struct ois_call **ret)
{
	int r;

	r = ois_discover_call(cli->client, portal, cli->record ?: "add", ret);
	if (r < 0)
		return r;
	return ois_call_set_text(*ret, "targetName", cli->target) |
	       ois_call_set_text(*ret, "interface", cli->interface) |
	       ois_call_set_text(*ret, "sourceAddress", cli->source);
}

enum status verb_discover(struct cli *cli, char **arguments)
{
	_cleanup_(table_freep) struct table *table = table_new(headers);
	struct discovery discovery = { .cli = cli, .portal = arguments[0], .table = table };
	_cleanup_(error_unrefp) struct ois_error *error = NULL;
	_cleanup_(call_unrefp) struct ois_call *call = NULL;
	const struct ois_summary *summary;
	int r;

	r = make_call(cli, arguments[0], &call);
	if (r == -EINVAL || r == -ERANGE)
		return usage_error("'%s' is no portal: ADDRESS[:PORT] is expected", arguments[0]);
	if (r >= 0 && !table)
		r = -ENOMEM;
	if (r >= 0)
		r = ois_call_run(call, hear_reply, &discovery, &error);
	progress_clear(&cli->output);
	if (r < 0) {
		/* What was found before is recorded, too. */
		if (discovery.n_targets > 0)
			table_print(&cli->output, table, NULL);
		return report_failure(cli, r, error, arguments[0]);
	}
	summary = ois_reply_get_summary(ois_call_get_reply(call));
	if (cli->output.json == JSON_OFF && summary)
		print_targets(&discovery, summary);
	return STATUS_DONE;
}
