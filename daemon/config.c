/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Configuration: lines NAME=VALUE in sections, as in the files of systemd. Whatever cannot be used
 * is an error that tells file and line; nothing is passed over.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include "buffer.h"
#include "config_private.h"
#include "file.h"
#include "parse.h"

#define FILE_MAX_BYTES (1024 * 1024)
/* What useradd(8) accepts. */
#define GROUP_MAX 32

static const struct config_option options[] = {
	{ "Daemon", "AccessGroup", CONFIG_OPTION_GROUP, offsetof(struct config, access_group),
	  .default_value = "ois",
	  .text = "Members of this group may read everything the daemon tells, such as nodes, "
		  "sessions and events. "
		  "Changing anything is reserved to root. Empty: only root may read." },
	{ "Daemon", "LoginsMax", CONFIG_OPTION_NUMBER, offsetof(struct config, logins_max), 1,
	  65536, "64",
	  "Logins under way at the same time; others wait for their turn. Each takes a descriptor, "
	  "of which the daemon gets as many as LimitNOFILE= of its unit says." },
	{ "Daemon", "ScansMax", CONFIG_OPTION_NUMBER, offsetof(struct config, scans_max), 1, 256,
	  "32",
	  "SCSI hosts searched for logical units at the same time. Takes effect when the daemon "
	  "starts." },
	{ "Daemon", "EventHistory", CONFIG_OPTION_NUMBER, offsetof(struct config, event_history), 1,
	  100000, "1024",
	  "Events the daemon keeps in memory for those who ask what happened; the journal keeps "
	  "them "
	  "independently of this. Takes effect when the daemon starts." },
	{ "Daemon", "FIPSRequired", CONFIG_OPTION_BOOLEAN, offsetof(struct config, fips_required),
	  .default_value = "false",
	  .text = "Use the crypto library through its FIPS provider only, so that CHAP never uses "
		  "md5. If the provider does not start, event 37 tells why; no node is then logged "
		  "in automatically, and every login with CHAP fails, while those without can be "
		  "made by hand. Takes effect when the daemon starts." },
	{ "Initiator", "Name", CONFIG_OPTION_NAME, offsetof(struct config, initiator_name),
	  .text = "iSCSI name of this host (RFC 7143, 4.2.7), by which targets know it. Every host "
		  "needs its own. "
		  "Without it, the name is taken from /etc/iscsi/initiatorname.iscsi, which other "
		  "initiators "
		  "share; if that file tells none, a name is generated once and kept in "
		  "/etc/ois/initiatorname.iscsi." },
	{ "Initiator", "Alias", CONFIG_OPTION_ALIAS, offsetof(struct config, initiator_alias),
	  .text = "Name of this host that targets show to people (InitiatorAlias, RFC 7143, 13.7). "
		  "Without it, the "
		  "host name." },
};

/* Reading. Where a setting was given last tells where to look when two of them contradict each
 * other. */
struct parser {
	struct config *config;
	struct config_fault *fault;
	const char *file;
	unsigned line;
	const struct section *section;
	struct {
		size_t file; /* index in config->files */
		unsigned line;
	} given[_SETTINGS_SCOPE_MAX][_SETTING_MAX];
};

static const struct section {
	const char *name;
	bool settings; /* of @scope; else those of options[] */
	enum settings_scope scope;
} sections[] = {
	{ .name = "Daemon" },
	{ .name = "Initiator" },
	{ .name = "Node", .settings = true, .scope = SETTINGS_NODE },
	{ .name = "Discovery", .settings = true, .scope = SETTINGS_DISCOVERY },
};
#define SECTIONS "[Daemon], [Initiator], [Node] or [Discovery]"

static struct settings **defaults_of(struct config *config, enum settings_scope scope)
{
	return scope == SETTINGS_NODE ? &config->node_defaults : &config->discovery_defaults;
}

const struct config_option *config_option_at(size_t index)
{
	return index < ELEMENTSOF(options) ? &options[index] : NULL;
}

int config_fail(struct config_fault *fault, const char *file, unsigned line, int error,
		const char *format, ...)
{
	va_list arguments;

	*fault = (struct config_fault){ .line = line };
	(void)text_escape(file, strlen(file), fault->file, sizeof(fault->file));
	va_start(arguments, format);
	(void)vsnprintf(fault->message, sizeof(fault->message), format, arguments);
	va_end(arguments);
	return error;
}

int config_fail_errno(struct config_fault *fault, const char *file, int error, const char *doing)
{
	errno = -error;
	return config_fail(fault, file, 0, error, "%s: %m", doing);
}

int config_fail_setting(struct config_fault *fault, const char *setting, int error)
{
	(void)text_escape(setting, strlen(setting), fault->setting, sizeof(fault->setting));
	return error;
}

int config_replace(char **text, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

static int set_number(struct config *config, const struct config_option *option, const char *value,
		      char reason[128])
{
	uint64_t number;

	if (parse_u64(value, option->minimum, option->maximum, &number) < 0) {
		(void)snprintf(reason, 128, "must be a number, %u to %u", option->minimum,
			       option->maximum);
		return -EINVAL;
	}
	*(unsigned *)(void *)((char *)config + option->offset) = (unsigned)number;
	return 0;
}

static int set_boolean(struct config *config, const struct config_option *option, const char *value,
		       char reason[128])
{
	if (parse_boolean(value, (bool *)(void *)((char *)config + option->offset)) >= 0)
		return 0;
	(void)snprintf(reason, 128, "must be true or false");
	return -EINVAL;
}

/* What the value must be, or NULL. */
static const char *text_fault(const struct config_option *option, const char *value)
{
	const char *why = NULL;

	switch (option->type) {
	case CONFIG_OPTION_GROUP:
		if (strlen(value) > GROUP_MAX || strpbrk(value, " :,/"))
			why = "must be the name of a group";
		break;
	case CONFIG_OPTION_NAME:
		(void)iscsi_name_check(value, &why);
		break;
	case CONFIG_OPTION_ALIAS:
		if (*value == '\0' || strlen(value) > ALIAS_MAX)
			why = "must have 1 to 255 bytes";
		break;
	case CONFIG_OPTION_NUMBER:
	case CONFIG_OPTION_BOOLEAN:
		break;
	}
	return why;
}

static int set_option(struct config *config, const struct config_option *option, const char *value,
		      char reason[128])
{
	const char *why;

	if (option->type == CONFIG_OPTION_NUMBER)
		return set_number(config, option, value, reason);
	if (option->type == CONFIG_OPTION_BOOLEAN)
		return set_boolean(config, option, value, reason);
	why = text_fault(option, value);
	if (why) {
		(void)snprintf(reason, 128, "%s", why);
		return -EINVAL;
	}
	return config_replace((char **)(void *)((char *)config + option->offset), value);
}

/* "AccessGroup, LoginsMax, ..." */
static void list_options(const char *section, char ret[128])
{
	size_t length = 0;

	*ret = '\0';
	for (size_t i = 0; i < ELEMENTSOF(options); i++)
		if (strcmp(options[i].section, section) == 0)
			length += (size_t)snprintf(ret + length, 128 - length, "%s%s",
						   length ? ", " : "", options[i].name);
}

static int parse_option(struct parser *parser, const char *name, const char *value)
{
	char reason[128];
	int r;

	for (size_t i = 0; i < ELEMENTSOF(options); i++) {
		if (strcmp(options[i].section, parser->section->name) != 0 ||
		    strcmp(options[i].name, name) != 0)
			continue;
		r = set_option(parser->config, &options[i], value, reason);
		if (r < 0 && r != -ENOMEM)
			(void)config_fail(parser->fault, parser->file, parser->line, r, "%s",
					  reason);
		return r;
	}
	list_options(parser->section->name, reason);
	return config_fail(parser->fault, parser->file, parser->line, -EINVAL,
			   "is unknown; [%s] has %s", parser->section->name, reason);
}

static int parse_setting(struct parser *parser, const char *name, const char *value)
{
	enum settings_scope scope = parser->section->scope;
	struct settings_fault why;
	size_t n_files = 0;
	int setting, r;

	r = settings_set_text(*defaults_of(parser->config, scope), name, value, &why);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return config_fail(parser->fault, parser->file, parser->line, -EINVAL, "%s",
				   why.message);
	while (parser->config->files[n_files])
		n_files++;
	setting = setting_from_name(name);
	parser->given[scope][setting].file = n_files - 1;
	parser->given[scope][setting].line = parser->line;
	return 0;
}

static int parse_section(struct parser *parser, char *text)
{
	size_t length = strlen(text);

	if (text[length - 1] == ']') {
		text[length - 1] = '\0';
		for (size_t i = 0; i < ELEMENTSOF(sections); i++)
			if (strcmp(text + 1, sections[i].name) == 0) {
				parser->section = &sections[i];
				return 0;
			}
	}
	return config_fail(parser->fault, parser->file, parser->line, -EINVAL,
			   "the section must be " SECTIONS);
}

char *config_trim(char *text)
{
	size_t length;

	while (isspace((unsigned char)*text))
		text++;
	length = strlen(text);
	while (length > 0 && isspace((unsigned char)text[length - 1]))
		text[--length] = '\0';
	return text;
}

static int parse_line(void *userdata, unsigned number, char *line)
{
	struct parser *parser = userdata;
	char *equals, *name, *value;
	int r;

	parser->line = number;
	if (*line == '[')
		return parse_section(parser, line);
	equals = strchr(line, '=');
	if (!equals)
		return config_fail(parser->fault, parser->file, number, -EINVAL,
				   "the line must be NAME=VALUE, [SECTION] or a comment");
	if (!parser->section)
		return config_fail(parser->fault, parser->file, number, -EINVAL,
				   "the line must stand below " SECTIONS);
	*equals = '\0';
	name = config_trim(line);
	value = config_trim(equals + 1);
	if (parser->section->settings)
		r = parse_setting(parser, name, value);
	else
		r = parse_option(parser, name, value);
	return r == -EINVAL ? config_fail_setting(parser->fault, name, r) : r;
}

int config_read_lines(const char *path, struct config_fault *fault, config_line_t each,
		      void *userdata)
{
	_cleanup_(buffer_done) struct buffer content = { 0 };
	unsigned number = 0;
	char *next;
	int r;

	r = file_read(AT_FDCWD, path, FILE_MAX_BYTES, true, &content);
	if (r == -ENOENT || r == -ENOMEM)
		return r;
	if (r < 0)
		return config_fail_errno(fault, path, r, "cannot be read");
	if (content.length > 0 && memchr(content.data, '\0', content.length))
		return config_fail(fault, path, 0, -EINVAL, "is no text file");
	r = buffer_append(&content, "", 1);
	if (r < 0)
		return r;
	for (char *line = (char *)content.data; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		number++;
		line = config_trim(line);
		if (*line == '\0' || *line == '#' || *line == ';')
			continue;
		/* A tab around the equals sign is fine; other control characters are not. */
		for (char *tab = line; (tab = strchr(tab, '\t'));)
			*tab = ' ';
		if (!text_is_clean(line, strlen(line)))
			return config_fail(fault, path, number, -EINVAL,
					   "the line is not UTF-8, or holds control characters");
		r = each(userdata, number, line);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_file(struct config *config, const char *path)
{
	size_t n = 0;
	char **files;

	while (config->files && config->files[n])
		n++;
	files = reallocarray(config->files, n + 2, sizeof(*files));
	if (!files)
		return -ENOMEM;
	config->files = files;
	files[n + 1] = NULL;
	files[n] = strdup(path);
	return files[n] ? 0 : -ENOMEM;
}

static int read_config_file(struct parser *parser, const char *path)
{
	size_t n = 0;
	int r;

	r = add_file(parser->config, path);
	if (r < 0)
		return r;
	parser->file = path;
	parser->section = NULL;
	r = config_read_lines(path, parser->fault, parse_line, parser);
	parser->file = NULL;
	if (r != -ENOENT)
		return r;
	while (parser->config->files[n + 1])
		n++;
	free(parser->config->files[n]);
	parser->config->files[n] = NULL;
	return 0;
}

static int is_drop_in(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 5 &&
	       strcmp(entry->d_name + length - 5, ".conf") == 0;
}

/* Bytewise, whatever the locale. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_drop_ins(struct parser *parser, const char *path)
{
	char directory[PATH_MAX - NAME_MAX - 1], file[PATH_MAX];
	struct dirent **entries;
	int n, r = 0;

	if (snprintf(directory, sizeof(directory), "%s.d", path) >= (int)sizeof(directory))
		return config_fail_errno(parser->fault, path, -ENAMETOOLONG, "cannot be read");
	n = scandir(directory, &entries, is_drop_in, compare_names);
	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0)
		return config_fail_errno(parser->fault, directory, -errno, "cannot be read");
	for (int i = 0; i < n; i++) {
		(void)snprintf(file, sizeof(file), "%s/%s", directory, entries[i]->d_name);
		if (r >= 0)
			r = read_config_file(parser, file);
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* The defaults must go together, or every node would be wrong. */
static int check_settings(struct parser *parser, enum settings_scope scope, const char *path)
{
	const struct settings *defaults = *defaults_of(parser->config, scope);
	_cleanup_(settings_freep) struct settings *effective = NULL;
	struct settings_fault why;
	unsigned line = 0;
	int setting, r;

	r = settings_effective(defaults, NULL, NULL, &effective);
	if (r < 0 || settings_check(effective, &why) >= 0)
		return r;
	setting = setting_from_name(why.name);
	if (settings_is_set(defaults, setting)) {
		path = parser->config->files[parser->given[scope][setting].file];
		line = parser->given[scope][setting].line;
	}
	r = config_fail(parser->fault, path, line, -EINVAL, "%s", why.message);
	return config_fail_setting(parser->fault, why.name, r);
}

/* A group that does not exist has no members; that is no error. */
static int look_up_group(struct config *config)
{
	struct group group, *found = NULL;
	int r = ERANGE;

	/* The entry holds the names of all members. */
	for (size_t size = 4096; r == ERANGE && *config->access_group && size <= 4096 * 1024;
	     size *= 4) {
		_cleanup_free_ char *buffer = malloc(size);

		if (!buffer)
			return -ENOMEM;
		r = getgrnam_r(config->access_group, &group, buffer, size, &found);
	}
	config->access_group_known = r == 0 && found;
	if (config->access_group_known)
		config->access_gid = group.gr_gid;
	return 0;
}

static int set_host_alias(struct config *config)
{
	char name[HOST_NAME_MAX + 1];

	if (config->initiator_alias || gethostname(name, sizeof(name)) < 0 || !*name ||
	    !text_is_clean(name, strlen(name)))
		return 0;
	return config_replace(&config->initiator_alias, name);
}

static int config_new(struct config **ret)
{
	_cleanup_(config_freep) struct config *config = NULL;
	char reason[128];
	int r;

	config = calloc(1, sizeof(*config));
	if (!config)
		return -ENOMEM;
	r = settings_new(SETTINGS_NODE, &config->node_defaults);
	if (r >= 0)
		r = settings_new(SETTINGS_DISCOVERY, &config->discovery_defaults);
	for (size_t i = 0; r >= 0 && i < ELEMENTSOF(options); i++)
		if (options[i].default_value)
			r = set_option(config, &options[i], options[i].default_value, reason);
	if (r < 0)
		return r;
	config->files = calloc(1, sizeof(*config->files));
	if (!config->files)
		return -ENOMEM;
	*ret = TAKE_PTR(config);
	return 0;
}

struct config *config_free(struct config *config)
{
	if (!config)
		return NULL;
	for (char **file = config->files; file && *file; file++)
		free(*file);
	free(config->files);
	free(config->access_group);
	free(config->initiator_name);
	free(config->generated_file);
	free(config->initiator_alias);
	(void)settings_free(config->node_defaults);
	(void)settings_free(config->discovery_defaults);
	free(config);
	return NULL;
}

int config_load(const char *path, const char *initiator_path, const char *directory,
		struct config **ret, struct config_fault *ret_fault)
{
	_cleanup_(config_freep) struct config *config = NULL;
	struct parser parser = { .fault = ret_fault };
	int r;

	r = config_new(&config);
	if (r < 0)
		return r;
	parser.config = config;
	r = read_config_file(&parser, path);
	if (r >= 0)
		r = read_drop_ins(&parser, path);
	for (int scope = 0; r >= 0 && scope < _SETTINGS_SCOPE_MAX; scope++)
		r = check_settings(&parser, scope, path);
	if (r >= 0)
		r = config_find_name(config, initiator_path, directory, ret_fault);
	if (r >= 0)
		r = set_host_alias(config);
	if (r >= 0)
		r = look_up_group(config);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(config);
	return 0;
}
