/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Prints what others need of the tables of options and settings: the sample of ois.conf and its
 * manual page. Runs at build time. A line of the template that names a part is replaced by it.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config.h"

#define SAMPLE_WIDTH 98

/* Settings of nodes are listed in groups by what stands before the dot. */
static const struct {
	const char *prefix, *title;
} groups[] = {
	{ "", "General" },
	{ "authentication.", "Authentication (RFC 7143, 12.1)" },
	{ "keys.", "Text keys (RFC 7143, 13)" },
	{ "tcp.", "Transport tcp" },
};

static bool in_group(const char *name, const char *prefix)
{
	return *prefix ? strncmp(name, prefix, strlen(prefix)) == 0 : !strchr(name, '.');
}

/* Words of @text in lines of comment. */
static void print_comment(const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t length = strcspn(text, " ");

		if (column > 0 && column + 1 + length > SAMPLE_WIDTH) {
			putchar('\n');
			column = 0;
		}
		column += (size_t)printf("%s%.*s", column > 0 ? " " : "# ", (int)length, text);
		text += length;
		text += strspn(text, " ");
	}
	putchar('\n');
}

static void print_sample_options(const char *section)
{
	const struct config_option *option;

	for (size_t i = 0; (option = config_option_at(i)); i++) {
		if (strcmp(option->section, section) != 0)
			continue;
		putchar('\n');
		print_comment(option->text);
		printf("#%s=%s\n", option->name,
		       option->default_value ? option->default_value : "");
	}
}

static void print_sample_settings(const char *prefix, enum settings_scope scope)
{
	for (int i = 0; i < _SETTING_MAX; i++) {
		const struct setting_description *row = setting_describe(i);

		if (!in_group(row->name, prefix) || !setting_applies(i, scope))
			continue;
		printf("\n# %s.\n#%s=%s\n", row->description, row->name,
		       row->default_value ? row->default_value : "");
	}
}

/* Text for roff. An option's dash must stay a dash. */
static void print_roff(const char *text)
{
	for (const char *at = text; *at; at++) {
		bool word = at == text || at[-1] == ' ';

		if (*at == '\\')
			fputs("\\e", stdout);
		else if (*at == '-' && word)
			fputs("\\-", stdout);
		else if (at == text && (*at == '.' || *at == '\''))
			printf("\\&%c", *at);
		else
			putchar(*at);
	}
}

static void print_manual_options(const char *section)
{
	const struct config_option *option;

	for (size_t i = 0; (option = config_option_at(i)); i++) {
		if (strcmp(option->section, section) != 0)
			continue;
		printf(".TP\n\\fB%s=\\fR\n", option->name);
		print_roff(option->text);
		putchar('\n');
		if (option->type == CONFIG_OPTION_NUMBER)
			printf("A number, %u to %u.\n", option->minimum, option->maximum);
		if (option->type == CONFIG_OPTION_BOOLEAN)
			printf("\\fBtrue\\fR or \\fBfalse\\fR.\n");
		if (option->default_value)
			printf("Default: \\fB%s\\fR.\n", option->default_value);
	}
}

static void print_manual_values(const struct setting_description *row)
{
	switch (row->type) {
	case SETTING_BOOLEAN:
		fputs("\\fBtrue\\fR or \\fBfalse\\fR", stdout);
		return;
	case SETTING_INTEGER:
		printf("%s, %s%" PRId64 " to %" PRId64,
		       row->power_of_two ? "A power of two" : "A number",
		       row->minimum < 0 ? "\\" : "", row->minimum, row->maximum);
		return;
	case SETTING_TEXT:
		printf("A text of at most %" PRId64 " bytes", row->maximum);
		return;
	case SETTING_ENUMERATION:
	case SETTING_LIST:
		fputs(row->type == SETTING_LIST ? "A list of " : "", stdout);
		for (size_t i = 0; row->values[i]; i++)
			printf("%s\\fB%s\\fR",
			       i == 0               ? ""
			       : row->values[i + 1] ? ", "
						    : " or ",
			       row->values[i]);
		return;
	}
}

static void print_manual_setting(const struct setting_description *row)
{
	printf(".TP\n\\fB%s=\\fR\n", row->name);
	print_roff(row->description);
	fputs(".\n", stdout);
	if (row->details) {
		print_roff(row->details);
		putchar('\n');
	}
	fputs(".br\n", stdout);
	print_manual_values(row);
	if (row->default_value)
		printf("; default: \\fB%s%s\\fR.\n", *row->default_value == '-' ? "\\" : "",
		       row->default_value);
	else
		fputs("; not set by default.\n", stdout);
}

static void print_settings(bool manual)
{
	for (size_t i = 0; i < ELEMENTSOF(groups); i++) {
		if (!manual) {
			printf("\n## %s\n", groups[i].title);
			print_sample_settings(groups[i].prefix, SETTINGS_NODE);
			continue;
		}
		printf(".SS %s\n", groups[i].title);
		for (int k = 0; k < _SETTING_MAX; k++)
			if (in_group(setting_describe(k)->name, groups[i].prefix) &&
			    setting_applies(k, SETTINGS_NODE))
				print_manual_setting(setting_describe(k));
	}
}

/* Of those that nodes have, too, what they mean stands in ois.conf(5). */
static void print_interface_settings(void)
{
	for (int i = 0; i < _SETTING_MAX; i++)
		if (setting_applies(i, SETTINGS_INTERFACE) && setting_applies(i, SETTINGS_NODE))
			printf(".br\n\\fB%s\\fR\n", setting_describe(i)->name);
}

static void print_network_settings(void)
{
	for (int i = 0; i < _SETTING_MAX; i++)
		if (setting_describe(i)->interface_only)
			print_manual_setting(setting_describe(i));
}

/* In the manual only their names: what they mean stands under [Node]. */
static void print_discovery_settings(bool manual)
{
	for (size_t i = 0; i < ELEMENTSOF(groups) && !manual; i++)
		print_sample_settings(groups[i].prefix, SETTINGS_DISCOVERY);
	for (int i = 0; i < _SETTING_MAX && manual; i++)
		if (setting_applies(i, SETTINGS_DISCOVERY))
			printf(".br\n\\fB%s\\fR\n", setting_describe(i)->name);
}

/* Rows of leniency.def. */
static const struct {
	const char *name, *rfc, *deviation, *targets, *reaction;
} leniencies[] = {
#define LENIENCY(symbol, ...) { __VA_ARGS__ },
#include "leniency.def"
#undef LENIENCY
};

static void print_leniencies(void)
{
	for (size_t i = 0; i < ELEMENTSOF(leniencies); i++) {
		printf(".TP\n\\fB%s\\fR (%s)\n", leniencies[i].name, leniencies[i].rfc);
		printf("%c", toupper(*leniencies[i].deviation));
		print_roff(leniencies[i].deviation + 1);
		fputs(".\n", stdout);
		print_roff(leniencies[i].reaction);
		fputs("\n.br\nTargets: ", stdout);
		print_roff(leniencies[i].targets);
		putchar('\n');
	}
}

static void print_part(const char *line, bool manual, const char *version)
{
	const char *at = strstr(line, "@VERSION@");
	void (*print_options)(const char *) = manual ? print_manual_options : print_sample_options;

	if (strcmp(line, "@DAEMON@\n") == 0)
		print_options("Daemon");
	else if (strcmp(line, "@INITIATOR@\n") == 0)
		print_options("Initiator");
	else if (strcmp(line, "@NODE@\n") == 0)
		print_settings(manual);
	else if (strcmp(line, "@DISCOVERY@\n") == 0)
		print_discovery_settings(manual);
	else if (strcmp(line, "@INTERFACE@\n") == 0)
		print_interface_settings();
	else if (strcmp(line, "@NETWORK@\n") == 0)
		print_network_settings();
	else if (strcmp(line, "@LENIENCIES@\n") == 0)
		print_leniencies();
	else if (at)
		printf("%.*s%s%s", (int)(at - line), line, version, at + strlen("@VERSION@"));
	else
		fputs(line, stdout);
}

static int print(const char *template, bool manual, const char *version)
{
	_cleanup_(fclosep) FILE *file = fopen(template, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	if (!file) {
		perror(template);
		return -errno;
	}
	while (getline(&line, &size, file) >= 0)
		print_part(line, manual, version);
	return ferror(file) ? -EIO : 0;
}

int main(int argc, char **argv)
{
	int r = -EINVAL;

	if (argc == 4 && strcmp(argv[1], "sample") == 0)
		r = print(argv[2], false, argv[3]);
	else if (argc == 4 && strcmp(argv[1], "manual") == 0)
		r = print(argv[2], true, argv[3]);
	else
		fputs("usage: gen_settings sample | manual TEMPLATE VERSION\n", stderr);
	if (fflush(stdout) != 0 || ferror(stdout))
		r = -EIO;
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
