/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lio: sets up and removes targets of the kernel's own target, LIO, through configfs: a thousand in
 * seconds, from a shell it would be minutes. For guests only: "clear" removes every target it
 * finds.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT      "/sys/kernel/config/target"
#define STORE     ROOT "/core/rd_mcp_0"
#define ISCSI     ROOT "/iscsi"
#define WORDS_MAX 16

struct words {
	const char *word[WORDS_MAX];
	unsigned n;
};

struct options {
	const char *name;
	unsigned first, targets, luns, pages, tag;
	struct words portals, attributes, parameters, initiators;
	const char *authentication;           /* file with the secrets of sessions */
	const char *discovery_authentication; /* and of discovery sessions */
};

static const char usage_text[] =
	"Usage: lio setup [OPTION]... | lio clear\n"
	"\n"
	"setup adds targets NAME1, NAME2, ... to LIO; clear removes all targets and their disks.\n"
	"\n"
	"  --name NAME            start of the targets' names (iqn.2026-11.org.example:disk)\n"
	"  --first NUMBER         number of the first one (1)\n"
	"  --targets N            how many (1)\n"
	"  --luns N               logical units of each (1)\n"
	"  --pages N              size of each logical unit in pages of 4 KiB (256), in memory\n"
	"  --portal ADDRESS:PORT  where they listen (127.0.0.1:3260); may be repeated, "
	"[ADDRESS]:PORT for IPv6\n"
	"  --tag N                portal group tag (1)\n"
	"  --attribute NAME=VALUE of the portal group, as login_timeout=5; may be repeated\n"
	"  --parameter NAME=VALUE a text key the target negotiates, as HeaderDigest=CRC32C; may be "
	"repeated\n"
	"  --initiator NAME       let in this one only, with its own access list; may be repeated\n"
	"  --auth FILE            demand CHAP; lines of FILE: userid=, password=, and for mutual "
	"CHAP\n"
	"                         userid_mutual=, password_mutual=\n"
	"  --discovery-auth FILE  the same for discovery sessions\n";

struct path {
	char text[512];
};

static struct path path(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static struct path path(const char *fmt, ...)
{
	struct path p;
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(p.text, sizeof(p.text), fmt, ap) >= (int)sizeof(p.text))
		errx(1, "name too long: %s", p.text);
	va_end(ap);
	return p;
}

static void put(const char *directory, const char *attribute, const char *value)
{
	struct path file = path("%s/%s", directory, attribute);
	int fd = open(file.text, O_WRONLY | O_CLOEXEC);

	/* The value may be a secret: never in a message. */
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		err(1, "cannot set %s", file.text);
	close(fd);
}

static struct path make(struct path directory)
{
	if (mkdir(directory.text, 0755) < 0 && errno != EEXIST)
		err(1, "cannot create %s", directory.text);
	return directory;
}

static void join(struct path what, struct path where)
{
	if (symlink(what.text, where.text) < 0)
		err(1, "cannot link %s to %s", where.text, what.text);
}

static void put_words(struct path directory, const struct words *words)
{
	for (unsigned i = 0; i < words->n; i++) {
		const char *equals = strchr(words->word[i], '=');
		struct path name;

		if (!equals)
			errx(2, "NAME=VALUE expected: %s", words->word[i]);
		name = path("%.*s", (int)(equals - words->word[i]), words->word[i]);
		put(directory.text, name.text, equals + 1);
	}
}

/* Each line NAME=VALUE of @file to the attribute NAME of @directory. */
static void put_file(struct path directory, const char *file)
{
	FILE *f = fopen(file, "re");
	char line[600];

	if (!f)
		err(1, "cannot open %s", file);
	while (fgets(line, sizeof(line), f)) {
		char *value = strchr(line, '=');

		line[strcspn(line, "\n")] = 0;
		if (!value)
			errx(1, "%s: NAME=VALUE expected", file);
		*value++ = 0;
		put(directory.text, line, value);
	}
	fclose(f);
	explicit_bzero(line, sizeof(line));
}

/* The disk's name is its serial number, too. */
static struct path make_disk(const struct options *o, unsigned number, unsigned lun)
{
	struct path name = path("%.200s%u-%u", strchr(o->name, ':') + 1, number, lun);
	struct path disk = make(path(STORE "/%s", name.text));

	put(disk.text, "control", path("rd_pages=%u", o->pages).text);
	put(disk.text, "enable", "1");
	put(disk.text, "wwn/vpd_unit_serial", name.text);
	return disk;
}

static void setup_access(const char *group, const struct options *o)
{
	for (unsigned i = 0; i < o->initiators.n; i++) {
		struct path list = make(path("%s/acls/%s", group, o->initiators.word[i]));

		for (unsigned lun = 0; lun < o->luns; lun++) {
			struct path mapped = make(path("%s/lun_%u", list.text, lun));

			join(path("%s/lun/lun_%u", group, lun), path("%s/disk", mapped.text));
		}
		if (o->authentication)
			put_file(path("%s/auth", list.text), o->authentication);
	}
	if (o->initiators.n)
		return;
	/* Demo mode: everybody, with all logical units, writable. */
	put(group, "attrib/generate_node_acls", "1");
	put(group, "attrib/cache_dynamic_acls", "1");
	put(group, "attrib/demo_mode_write_protect", "0");
	if (o->authentication)
		put_file(path("%s/auth", group), o->authentication);
}

static void setup_target(const struct options *o, unsigned number)
{
	struct path target = make(path(ISCSI "/%s%u", o->name, number));
	struct path group = make(path("%s/tpgt_%u", target.text, o->tag));

	for (unsigned lun = 0; lun < o->luns; lun++) {
		struct path unit = make(path("%s/lun/lun_%u", group.text, lun));

		join(make_disk(o, number, lun), path("%s/disk", unit.text));
	}
	put(group.text, "attrib/authentication", o->authentication ? "1" : "0");
	setup_access(group.text, o);
	put_words(path("%s/attrib", group.text), &o->attributes);
	put_words(path("%s/param", group.text), &o->parameters);
	for (unsigned i = 0; i < o->portals.n; i++)
		make(path("%s/np/%s", group.text, o->portals.word[i]));
	put(group.text, "enable", "1");
}

static void setup(const struct options *o)
{
	make(path(ROOT "/core"));
	make(path(ISCSI));
	make(path(STORE));
	if (o->discovery_authentication) {
		put_file(path(ISCSI "/discovery_auth"), o->discovery_authentication);
		put(ISCSI, "discovery_auth/enforce_discovery_auth", "1");
	}
	for (unsigned i = 0; i < o->targets; i++)
		setup_target(o, o->first + i);
}

/*
 * Directories that the kernel itself put into another cannot be removed, and go with it: failures
 * are no news here, the caller sees by its own rmdir() whether all is gone.
 */
static void remove_tree(struct path top, unsigned depth)
{
	DIR *directory = opendir(top.text);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		struct path child = path("%s/%s", top.text, entry->d_name);

		if (entry->d_name[0] == '.')
			continue;
		if (entry->d_type == DT_LNK)
			(void)unlink(child.text);
		else if (entry->d_type == DT_DIR && depth > 0)
			remove_tree(child, depth - 1);
	}
	if (directory)
		closedir(directory);
	(void)rmdir(top.text);
}

static void clear_group(struct path group)
{
	put(group.text, "enable", "0");
	/* Access lists point to the logical units: first. */
	remove_tree(path("%s/acls", group.text), 2);
	remove_tree(path("%s/np", group.text), 1);
	remove_tree(path("%s/lun", group.text), 1);
	if (rmdir(group.text) < 0)
		err(1, "cannot remove %s", group.text);
}

static void clear_target(struct path target)
{
	DIR *directory = opendir(target.text);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		if (strncmp(entry->d_name, "tpgt_", 5) == 0)
			clear_group(path("%s/%s", target.text, entry->d_name));
	}
	if (directory)
		closedir(directory);
	if (rmdir(target.text) < 0)
		err(1, "cannot remove %s", target.text);
}

static void clear(void)
{
	DIR *directory = opendir(ISCSI);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		if (entry->d_type == DT_DIR && strchr(entry->d_name, ':'))
			clear_target(path(ISCSI "/%s", entry->d_name));
	}
	if (directory)
		closedir(directory);
	remove_tree(path(ISCSI), 0);
	remove_tree(path(STORE), 1);
}

static unsigned number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || end == text || value > 1000000)
		errx(2, "not a number: %s", text);
	return (unsigned)value;
}

static void add(struct words *words, const char *word)
{
	if (words->n == WORDS_MAX)
		errx(2, "too many of these: %s", word);
	words->word[words->n++] = word;
}

static void parse_options(int argc, char *argv[], struct options *o)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "first", required_argument, NULL, 'f' },
		{ "targets", required_argument, NULL, 't' },
		{ "luns", required_argument, NULL, 'l' },
		{ "pages", required_argument, NULL, 's' },
		{ "portal", required_argument, NULL, 'p' },
		{ "tag", required_argument, NULL, 'g' },
		{ "attribute", required_argument, NULL, 'a' },
		{ "parameter", required_argument, NULL, 'k' },
		{ "initiator", required_argument, NULL, 'i' },
		{ "auth", required_argument, NULL, 'c' },
		{ "discovery-auth", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
		switch (c) {
		case 'n':
			o->name = optarg;
			break;
		case 'f':
			o->first = number(optarg);
			break;
		case 't':
			o->targets = number(optarg);
			break;
		case 'l':
			o->luns = number(optarg);
			break;
		case 's':
			o->pages = number(optarg);
			break;
		case 'p':
			add(&o->portals, optarg);
			break;
		case 'g':
			o->tag = number(optarg);
			break;
		case 'a':
			add(&o->attributes, optarg);
			break;
		case 'k':
			add(&o->parameters, optarg);
			break;
		case 'i':
			add(&o->initiators, optarg);
			break;
		case 'c':
			o->authentication = optarg;
			break;
		case 'd':
			o->discovery_authentication = optarg;
			break;
		case 'h':
			fputs(usage_text, stdout);
			exit(0);
		default:
			exit(2);
		}
	}
	if (!strchr(o->name, ':'))
		errx(2, "a name with a colon expected: %s", o->name);
	if (!o->portals.n)
		add(&o->portals, "127.0.0.1:3260");
}

int main(int argc, char *argv[])
{
	struct options o = {
		.name = "iqn.2026-11.org.example:disk",
		.first = 1,
		.targets = 1,
		.luns = 1,
		.pages = 256,
		.tag = 1,
	};

	parse_options(argc, argv, &o);
	if (optind + 1 == argc && strcmp(argv[optind], "setup") == 0)
		setup(&o);
	else if (optind + 1 == argc && strcmp(argv[optind], "clear") == 0)
		clear();
	else {
		fputs(usage_text, stderr);
		return 2;
	}
	return 0;
}
