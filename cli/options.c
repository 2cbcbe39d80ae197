/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line: the table of options here and that of verbs in verbs.c drive parsing, help and
 * completion.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli.h"

const struct option_row option_rows[_OPTION_MAX] = {
	[OPTION_HELP] = { "help", 'h', NULL, "Show this help" },
	[OPTION_VERSION] = { "version", '\0', NULL, "Show the version" },
	[OPTION_SOCKET] = { "socket", '\0', "PATH", "Socket of the daemon (" OIS_SOCKET_PATH ")" },
	[OPTION_TIMEOUT] = { "timeout", '\0', "SECONDS",
			     "Time to wait for an answer of the daemon, or 'infinity'" },
	[OPTION_JSON] = { "json", '\0', "MODE", "JSON output: short, pretty, off" },
	[OPTION_JSON_AUTO] = { "", 'j', NULL,
			       "JSON output: pretty on a terminal, short otherwise" },
	[OPTION_NO_LEGEND] = { "no-legend", '\0', NULL, "No header and footer around tables" },
	[OPTION_NO_PAGER] = { "no-pager", '\0', NULL, "No pager" },
	[OPTION_FULL] = { "full", 'l', NULL, "Do not shorten columns" },
	[OPTION_QUIET] = { "quiet", 'q', NULL, "Errors only, no notices" },
	[OPTION_ALL] = { "all", '\0', NULL, "All nodes or sessions" },
	[OPTION_FORCE] = { "force", '\0', NULL,
			   "Also sessions whose devices are in use, nodes that have sessions" },
	[OPTION_NO_WAIT] = { "no-wait", '\0', NULL, "Return as soon as the logins are queued" },
	[OPTION_SHUTDOWN] = { "shutdown", '\0', NULL, "The host goes down: leave sessions in use" },
	[OPTION_PORTAL] = { "portal", '\0', "ADDRESS[:PORT]",
			    "Only nodes or sessions of this portal" },
	[OPTION_STARTUP] = { "startup", '\0', "WHEN",
			     "Only nodes whose startup is manual or automatic" },
	[OPTION_RECORD] = { "record", '\0', "MODE",
			    "Nodes to record: none, add (default), update, replace" },
	[OPTION_INTERFACE] = { "interface", '\0', "NAME",
			       "Connect to the portal over this interface, such as tcp.eth1" },
	[OPTION_SOURCE] = { "source", '\0', "ADDRESS", "Connect to the portal from this address" },
	[OPTION_RESET] = { "reset", '\0', "NAME", "Put a setting back to its default" },
	[OPTION_SECRET] = { "secret", '\0', NULL, "Ask for the CHAP secret of this host" },
	[OPTION_SECRET_FILE] = { "secret-file", '\0', "FILE",
				 "Read the CHAP secret of this host; - is standard input" },
	[OPTION_TARGET_SECRET] = { "target-secret", '\0', NULL,
				   "Ask for the CHAP secret of the target" },
	[OPTION_TARGET_SECRET_FILE] = { "target-secret-file", '\0', "FILE",
					"Read the CHAP secret of the target; - is standard input" },
	[OPTION_SECRET_FORMAT] = { "secret-format", '\0', "FORMAT",
				   "Secrets are written as text (default), hex, base64" },
	[OPTION_REMOVE_SECRET] = { "remove-secret", '\0', NULL,
				   "Forget the CHAP secret of this host" },
	[OPTION_REMOVE_TARGET_SECRET] = { "remove-target-secret", '\0', NULL,
					  "Forget the CHAP secret of the target" },
	[OPTION_LUN] = { "lun", '\0', "LUN", "Only this logical unit" },
	[OPTION_FOLLOW] = { "follow", 'f', NULL, "Go on with new events, or changes of sessions" },
	[OPTION_LIVE] = { "live", '\0', NULL, "Follow the daemon itself instead of the journal" },
	[OPTION_LIST] = { "list", '\0', NULL, "List the event numbers" },
	[OPTION_NUMBER] = { "number", '\0', "N,...", "Only events of these numbers" },
	[OPTION_TARGET] = { "target", '\0', "TARGET",
			    "Only events about these targets; discover only this one" },
	[OPTION_SINCE] = { "since", '\0', "TIME",
			   "Only events since then, such as '18:00', '2026-11-23', '-2h'" },
	[OPTION_LINES] = { "lines", 'n', "N", "The last N events only" },
	[OPTION_WATCH] = { "watch", 'w', NULL, "Look again and again, and show rates" },
	[OPTION_INTERVAL] = { "interval", '\0', "SECONDS",
			      "Time between two looks (2) or pings (1)" },
	[OPTION_COUNT] = { "count", '\0', "N", "Look or ping N times only" },
	[OPTION_PAGE] = { "page", '\0', "NUMBER", "Page of the vital product data, such as 0x83" },
	[OPTION_DEADLINE] = { "deadline", '\0', "SECONDS", "Time a SCSI command may take (10)" },
	[OPTION_SIZE] = { "size", '\0', "BYTES", "Data in a ping (56)" },
	[OPTION_INDEX] = { "index", '\0', "N", "This entry of the CHAP table" },
	[OPTION_OPENMETRICS] = { "openmetrics", '\0', NULL, "OpenMetrics text for a collector" },
	[OPTION_HOSTS] = { "hosts", '\0', NULL, "Counters of SCSI hosts instead of sessions" },
};

enum status usage_error(const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	message_error("%s", text ?: "Wrong use");
	return STATUS_USAGE;
}

/* --- Values of options --- */

static int parse_json(struct output *output, const char *text)
{
	static const char *const modes[] = {
		[JSON_OFF] = "off", [JSON_SHORT] = "short", [JSON_PRETTY] = "pretty"
	};

	for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
		if (strcmp(modes[i], text) == 0) {
			output->json = (enum json_mode)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Digits only. */
static int parse_number(const char *text, uint64_t maximum, uint64_t *ret)
{
	unsigned long long number;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno != 0 || *end || number > maximum)
		return -EINVAL;
	*ret = number;
	return 0;
}

static int parse_numbers(struct cli *cli, const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *word;
	unsigned *grown;
	uint64_t number;

	if (!copy)
		return -ENOMEM;
	while ((word = strsep(&rest, ","))) {
		const struct ois_event_type *type = ois_event_type_from_symbol(word);

		if (type)
			number = ois_event_type_get_number(type);
		else if (parse_number(word, 9999, &number) < 0 ||
			 !ois_event_type_get((unsigned)number))
			return -EINVAL;
		grown = reallocarray(cli->numbers, cli->n_numbers + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		cli->numbers = grown;
		cli->numbers[cli->n_numbers++] = (unsigned)number;
	}
	return 0;
}

static int add_reset(struct cli *cli, const char *name)
{
	const char **grown = reallocarray(cli->reset, cli->n_reset + 2, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	cli->reset = grown;
	cli->reset[cli->n_reset++] = name;
	cli->reset[cli->n_reset] = NULL;
	return 0;
}

static int set_timeout(struct cli *cli, const char *text)
{
	uint64_t seconds;

	if (strcmp(text, "infinity") == 0) {
		cli->timeout_usec = OIS_TIMEOUT_NONE;
		return 0;
	}
	if (parse_number(text, UINT32_MAX, &seconds) < 0 || seconds == 0)
		return -EINVAL;
	cli->timeout_usec = seconds * 1000000;
	return 0;
}

static int set_word(const char **variable, const char *text, const char *const *words)
{
	for (; *words; words++) {
		if (strcmp(*words, text) == 0) {
			*variable = *words;
			return 0;
		}
	}
	return -EINVAL;
}

static int set_secret(struct cli *cli, enum ois_secret_role role, enum secret_source source,
		      const char *path)
{
	cli->secrets[role] = (struct secret_option){ .source = source, .path = path };
	return 0;
}

static int set_secret_format(struct cli *cli, const char *text)
{
	static const char *const formats[] = {
		[OIS_SECRET_TEXT] = "text",
		[OIS_SECRET_HEX] = "hex",
		[OIS_SECRET_BASE64] = "base64",
	};

	for (size_t i = 0; i < ELEMENTSOF(formats); i++) {
		if (strcmp(formats[i], text) == 0) {
			cli->secret_format = (enum ois_secret_format)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int set_since(struct cli *cli, const char *text)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return parse_since(text, (int64_t)now.tv_sec * 1000000, &cli->since_usec);
}

int parse_count(const char *text, uint64_t minimum, int64_t *ret)
{
	uint64_t number;

	if (parse_number(text, INT32_MAX, &number) < 0 || number < minimum)
		return -EINVAL;
	*ret = (int64_t)number;
	return 0;
}

/* People know pages in hex. */
static int set_page(struct cli *cli, const char *text)
{
	char *end;

	if (strncmp(text, "0x", 2) != 0)
		return parse_count(text, 0, &cli->page);
	cli->page = (int64_t)strtoul(text + 2, &end, 16);
	return text[2] && strchr("0123456789abcdefABCDEF", text[2]) && !*end &&
			       cli->page <= UINT8_MAX
		       ? 0
		       : -EINVAL;
}

/* Options of output. */
static int apply_output(struct output *output, enum cli_option option, const char *value)
{
	switch ((int)option) {
	case OPTION_JSON:
		return parse_json(output, value);
	case OPTION_JSON_AUTO:
		output->json = output->terminal ? JSON_PRETTY : JSON_SHORT;
		return 0;
	case OPTION_NO_LEGEND:
		output->legend = false;
		return 0;
	case OPTION_NO_PAGER:
		output->pager = false;
		return 0;
	case OPTION_FULL:
		output->full = true;
		return 0;
	case OPTION_QUIET:
		output->quiet = true;
		return 0;
	}
	return 1;
}

static int apply_secret(struct cli *cli, enum cli_option option, const char *value)
{
	switch ((int)option) {
	case OPTION_SECRET:
		return set_secret(cli, OIS_SECRET_INITIATOR, SECRET_PROMPT, NULL);
	case OPTION_SECRET_FILE:
		return set_secret(cli, OIS_SECRET_INITIATOR, SECRET_FILE, value);
	case OPTION_REMOVE_SECRET:
		return set_secret(cli, OIS_SECRET_INITIATOR, SECRET_REMOVE, NULL);
	case OPTION_TARGET_SECRET:
		return set_secret(cli, OIS_SECRET_TARGET, SECRET_PROMPT, NULL);
	case OPTION_TARGET_SECRET_FILE:
		return set_secret(cli, OIS_SECRET_TARGET, SECRET_FILE, value);
	case OPTION_REMOVE_TARGET_SECRET:
		return set_secret(cli, OIS_SECRET_TARGET, SECRET_REMOVE, NULL);
	case OPTION_SECRET_FORMAT:
		return set_secret_format(cli, value);
	}
	return 1;
}

/* Options with a value of their own; the rest are only noted. */
static int apply_value(struct cli *cli, enum cli_option option, const char *value)
{
	static const char *const startups[] = { "manual", "automatic", NULL };
	static const char *const records[] = { "none", "add", "update", "replace", NULL };

	switch ((int)option) {
	case OPTION_SOCKET:
		cli->socket = value;
		return 0;
	case OPTION_TIMEOUT:
		return set_timeout(cli, value);
	case OPTION_PORTAL:
		cli->portal = value;
		return 0;
	case OPTION_STARTUP:
		return set_word(&cli->startup, value, startups);
	case OPTION_RECORD:
		return set_word(&cli->record, value, records);
	case OPTION_INTERFACE:
		cli->interface = value;
		return 0;
	case OPTION_SOURCE:
		cli->source = value;
		return 0;
	case OPTION_RESET:
		return add_reset(cli, value);
	case OPTION_LUN:
		cli->lun = value;
		return 0;
	case OPTION_NUMBER:
		return parse_numbers(cli, value);
	case OPTION_TARGET:
		cli->target = value;
		return 0;
	case OPTION_SINCE:
		return set_since(cli, value);
	case OPTION_LINES:
		return parse_count(value, 0, &cli->lines);
	case OPTION_INTERVAL:
		return parse_count(value, 1, &cli->interval);
	case OPTION_PAGE:
		return set_page(cli, value);
	case OPTION_DEADLINE:
		return parse_count(value, 1, &cli->deadline);
	case OPTION_SIZE:
		return parse_count(value, 1, &cli->size);
	case OPTION_INDEX:
		return parse_count(value, 0, &cli->index);
	case OPTION_COUNT:
		return parse_count(value, 1, &cli->count);
	}
	return 0;
}

static int apply(struct cli *cli, enum cli_option option, const char *value)
{
	int r;

	r = apply_output(&cli->output, option, value);
	if (r == 1)
		r = apply_secret(cli, option, value);
	if (r == 1)
		r = apply_value(cli, option, value);
	return r;
}

/* --- Parsing --- */

#define LONG_ONLY 256

static void build_getopt(struct option *longs, char *letters)
{
	size_t n = 0;

	for (int i = 0; i < _OPTION_MAX; i++) {
		const struct option_row *row = &option_rows[i];
		int has_argument = row->argument ? required_argument : no_argument;

		if (*row->name)
			longs[n++] =
				(struct option){ row->name, has_argument, NULL, LONG_ONLY + i };
		if (row->letter) {
			*letters++ = row->letter;
			if (row->argument)
				*letters++ = ':';
		}
	}
	longs[n] = (struct option){};
	*letters = '\0';
}

static enum cli_option option_from_getopt(int c)
{
	for (int i = 0; c < LONG_ONLY && i < _OPTION_MAX; i++)
		if (option_rows[i].letter == c)
			return (enum cli_option)i;
	return (enum cli_option)(c - LONG_ONLY);
}

static const char *option_text(enum cli_option option, char buffer[64])
{
	if (*option_rows[option].name)
		(void)snprintf(buffer, 64, "--%s", option_rows[option].name);
	else
		(void)snprintf(buffer, 64, "-%c", option_rows[option].letter);
	return buffer;
}

static int parse_getopt(struct cli *cli, int argc, char **argv)
{
	struct option longs[_OPTION_MAX + 1];
	char letters[_OPTION_MAX * 2 + 1], name[64];
	enum cli_option option;
	int c;

	build_getopt(longs, letters);
	optind = 0;
	/* getopt prints its own message for an unknown option. */
	while ((c = getopt_long(argc, argv, letters, longs, NULL)) >= 0) {
		if (c == '?')
			return STATUS_USAGE;
		option = option_from_getopt(c);
		if (apply(cli, option, optarg) < 0)
			return usage_error("Option %s: '%s' is no %s (%s)",
					   option_text(option, name), optarg,
					   option_rows[option].argument, option_rows[option].help);
		cli->given |= BIT(option);
	}
	return -1;
}

int verb_match(const struct verb *verb, char **words)
{
	const char *at = verb->name;
	int n = 0;

	for (;;) {
		size_t length = strcspn(at, " ");

		if (!words[n] || strlen(words[n]) != length || strncmp(at, words[n], length) != 0)
			return 0;
		n++;
		if (!at[length])
			return n;
		at += length + 1;
	}
}

/* The verbs that go on after @words: "'node show', 'node add'"; "" if there are none. */
static void list_verbs(const char *words, char *ret, size_t size)
{
	size_t length = strlen(words);

	ret[0] = '\0';
	for (size_t i = 0; i < n_verbs; i++)
		if (strncmp(verbs[i].name, words, length) == 0)
			(void)snprintf(ret + strlen(ret), size - strlen(ret), "%s'%s'",
				       *ret ? ", " : "", verbs[i].name);
}

static enum status unknown_verb(char **words)
{
	char known[64] = "", longer[64], list[512] = "", found[512];
	int n;

	/* As far as it is the beginning of one. */
	for (n = 0; words[n]; n++) {
		if ((size_t)snprintf(longer, sizeof(longer), "%s%s ", known, words[n]) >=
		    sizeof(longer))
			break;
		list_verbs(longer, found, sizeof(found));
		if (!*found)
			break;
		(void)strcpy(known, longer);
		(void)strcpy(list, found);
	}
	if (*list && words[n])
		return usage_error("Unknown verb '%s%s'; there are %s", known, words[n], list);
	if (*list)
		return usage_error("'%.*s' alone is no verb; there are %s", (int)strlen(known) - 1,
				   known, list);
	return usage_error("Unknown verb '%s'; ois-ctl --help lists them", words[0]);
}

static int find_verb(struct cli *cli, char **words, int *ret_words)
{
	if (!words[0]) {
		cli->verb = &verbs[0];
		*ret_words = 0;
		return -1;
	}
	for (size_t i = 0; i < n_verbs; i++) {
		*ret_words = verb_match(&verbs[i], words);
		if (*ret_words > 0) {
			cli->verb = &verbs[i];
			return -1;
		}
	}
	return unknown_verb(words);
}

static int check_use(const struct cli *cli, char **arguments)
{
	uint64_t wrong = cli->given & ~(GENERAL_OPTIONS | cli->verb->options);
	const struct verb *verb = cli->verb;
	char name[64];
	int n = 0;

	while (arguments[n])
		n++;
	for (int i = 0; i < _OPTION_MAX; i++)
		if (wrong & BIT(i))
			return usage_error("Option %s has no use with '%s'",
					   option_text((enum cli_option)i, name), verb->name);
	if (n < verb->minimum)
		return usage_error("Too few arguments; use: ois-ctl %s %s", verb->name,
				   verb->arguments);
	if (verb->maximum >= 0 && n > verb->maximum)
		return usage_error("Too many arguments; use: ois-ctl %s%s%s", verb->name,
				   verb->arguments ? " " : "", verb->arguments ?: "");
	return -1;
}

int options_parse(struct cli *cli, int argc, char **argv, char ***ret_arguments)
{
	int words = 0, r;

	cli->since_usec = cli->lines = cli->count = cli->index = -1;
	cli->timeout_usec = OIS_TIMEOUT_DEFAULT;
	output_init(&cli->output);
	r = parse_getopt(cli, argc, argv);
	if (r >= 0)
		return r;
	if (option_given(cli, OPTION_HELP)) {
		print_help(&cli->output);
		return STATUS_DONE;
	}
	if (option_given(cli, OPTION_VERSION)) {
		(void)puts("ois-ctl " OIS_VERSION);
		return STATUS_DONE;
	}
	r = find_verb(cli, argv + optind, &words);
	if (r >= 0)
		return r;
	*ret_arguments = argv + optind + words;
	return check_use(cli, *ret_arguments);
}

void options_done(struct cli *cli)
{
	free(cli->reset);
	free(cli->numbers);
}

/* --- Help --- */

/* Two columns; what is too long for the first one gets a line of its own. */
#define HELP_WIDTH 34

static void print_help_line(const char *left, const char *right)
{
	if (strlen(left) > HELP_WIDTH)
		(void)printf("  %s\n  %*s %s\n", left, HELP_WIDTH, "", right);
	else
		(void)printf("  %-*s %s\n", HELP_WIDTH, left, right);
}

static void print_option(const struct option_row *row)
{
	char left[64], letter[8] = "    ";

	if (row->letter)
		(void)snprintf(letter, sizeof(letter), "-%c%s", row->letter,
			       *row->name ? ", " : "");
	(void)snprintf(left, sizeof(left), "%s%s%s%s%s", letter, *row->name ? "--" : "", row->name,
		       row->argument ? "=" : "", row->argument ?: "");
	print_help_line(left, row->help);
}

void print_help(const struct output *output)
{
	(void)printf("ois-ctl [OPTIONS...] VERB [ARGUMENTS...]\n\nManage iSCSI targets and "
		     "sessions.\n\n%sVerbs%s\n",
		     style_begin(output, STYLE_HEADER), style_end(output, STYLE_HEADER));
	for (size_t i = 0; i < n_verbs; i++) {
		char left[64];

		if (!verbs[i].help)
			continue;
		(void)snprintf(left, sizeof(left), "%s %s", verbs[i].name,
			       verbs[i].arguments ?: "");
		print_help_line(left, verbs[i].help);
	}
	(void)printf("\n%sOptions%s\n", style_begin(output, STYLE_HEADER),
		     style_end(output, STYLE_HEADER));
	for (int i = 0; i < _OPTION_MAX; i++)
		print_option(&option_rows[i]);
	(void)puts("\nTARGET is an iSCSI name or a shell pattern such as 'iqn.*:db*'. See "
		   "ois-ctl(1).");
}
