/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What nodes and portals share: their settings as a table, and secrets to be stored with them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* --- Settings --- */

static const char *const headers[] = { "SETTING", "VALUE", "FROM", NULL };

struct listing {
	const struct settings_of *settings;
	struct table *table;
};

static int add_setting(const char *name, const char *value, void *userdata)
{
	const struct listing *listing = userdata;
	const struct settings_of *settings = listing->settings;
	_cleanup_free_ char *own = NULL;
	bool configured = settings->get(settings->object, name, 0, &own) >= 0;

	(void)table_add(listing->table, name);
	(void)table_add(listing->table, value);
	return table_add_style(listing->table, configured ? STYLE_PLAIN : STYLE_GREY,
			       configured ? settings->noun : "default");
}

void show_settings(const struct output *output, const struct settings_of *settings)
{
	_cleanup_(table_freep) struct table *table = table_new(headers);
	struct listing listing = { settings, table };

	if (!table ||
	    settings->foreach(settings->object, OIS_LIST_EFFECTIVE, add_setting, &listing) < 0)
		return;
	(void)putchar('\n');
	table_print(output, table, NULL);
}

enum status refuse_settings(struct cli *cli, int r, const struct ois_error *error,
			    const char *attempt, const char *what)
{
	if (!error)
		return report(cli, r, NULL, "%s %s", attempt, what);
	return usage_error("Failed to %s %s: %s%s", attempt, what, ois_error_get_message(error),
			   r == -ENOENT ? "; 'ois-ctl settings' lists the names" : "");
}

/* --- Secrets --- */

bool secrets_given(const struct cli *cli)
{
	return cli->secrets[OIS_SECRET_INITIATOR].source != SECRET_NONE ||
	       cli->secrets[OIS_SECRET_TARGET].source != SECRET_NONE;
}

static const char *const secret_names[] = { [OIS_SECRET_INITIATOR] = "CHAP secret of this host",
					    [OIS_SECRET_TARGET] = "CHAP secret of the target" };

enum status read_secrets(const struct cli *cli, struct secret_buffer secrets[2])
{
	enum status status = STATUS_DONE;
	int inputs = 0, pipes = 0;

	for (size_t role = 0; role < ELEMENTSOF(secret_names); role++) {
		const struct secret_option *option = &cli->secrets[role];

		if (option->source == SECRET_PROMPT || option->source == SECRET_FILE)
			inputs++;
		if (option->source == SECRET_FILE && strcmp(option->path, "-") == 0)
			pipes++;
	}
	if (pipes > 1)
		return usage_error("Only one secret can be read from standard input");
	if (inputs == 0 && option_given(cli, OPTION_SECRET_FORMAT))
		return usage_error("Option --secret-format has no use without a secret to read");
	for (size_t role = 0; role < ELEMENTSOF(secret_names) && status == STATUS_DONE; role++)
		if (cli->secrets[role].source == SECRET_PROMPT ||
		    cli->secrets[role].source == SECRET_FILE)
			status = secret_read(&cli->secrets[role], cli->secret_format,
					     secret_names[role], &secrets[role]);
	return status;
}

enum status store_secrets(struct cli *cli, secret_call_t make_call, const void *where,
			  const char *what, const struct secret_buffer secrets[2])
{
	for (int role = 0; role < 2; role++) {
		_cleanup_(error_unrefp) struct ois_error *error = NULL;
		_cleanup_(call_unrefp) struct ois_call *call = NULL;
		int r;

		if (cli->secrets[role].source == SECRET_NONE)
			continue;
		r = make_call(cli, where, (enum ois_secret_role)role, &secrets[role], &call);
		if (r >= 0)
			r = ois_call_run(call, NULL, NULL, &error);
		if (r < 0)
			return report(cli, r, error, "%s the %s for %s",
				      secrets[role].length > 0 ? "store" : "remove",
				      secret_names[role], what);
		result_line(&cli->output, STYLE_PLAIN, "%s for %s %s", secret_names[role], what,
			    secrets[role].length > 0 ? "stored" : "removed");
	}
	return STATUS_DONE;
}
