/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which events the tests have seen raised, read from the tests themselves: what is counted is what
 * asserts the event when it runs.
 *
 *	event N                               scripts: a socket or, in tests/kernel, a kernel
 *	check_event N, check_events COUNT N   kernel tests
 *	check_boundary_event N                kernel tests that play a part of the kernel
 *	check_raised(EVENT_SYMBOL)            unit tests, whose kernel is a stand-in
 *
 * gen_proofs header TESTS prints a row for each event, for ois-ctl. gen_proofs LIST TESTS fails if
 * an event is raised by no test and is not in the list of those that belong to later work, or is in
 * it without need, and if no test says what the dump data of an event are.
 */
#include <glob.h>
#include <limits.h>
#include <string.h>

#include "event.h"

#define NUMBER_MAX 9999
/* The dump data of rows below are a contract, and known exactly. */
#define OWN_FIRST 1000

enum proof {
	PROOF_SOCKET = 1 << 0,
	PROOF_KERNEL = 1 << 1,
	PROOF_BOUNDARY = 1 << 2,
};

static unsigned proofs[NUMBER_MAX + 1];
/* Dump data of an event that is asserted; a bit for each field of its row. */
static unsigned dumps[NUMBER_MAX + 1];

/* "NAME=VALUE" among the words of a line, and not "NAME=*" if it is to be @exact; or "!NAME", which
 * asserts that the kernel does not tell it. */
static bool asserts(const char *line, const char *name, bool exact)
{
	size_t length = strlen(name);

	for (const char *at = line; (at = strstr(at, name)); at += length) {
		char after = at[length];

		if (at[-1] == ' ' && after == '=' && !(exact && at[length + 1] == '*'))
			return true;
		if (at[-1] == '!' && (after == ' ' || after == '\n' || after == '\0'))
			return true;
	}
	return false;
}

static bool asserts_dump(const char *line, enum event_field field, bool exact)
{
	bool pdu = field == FIELD_DUMP_PDU;
	bool data = field == FIELD_DUMP_DATA || field == FIELD_DUMP_DATA_LENGTH;

	return asserts(line, event_field_name(field), exact) || (pdu && strstr(line, " request")) ||
	       ((pdu || data) && strstr(line, " response"));
}

/* @line: the number, and what is asserted of the event. */
static void prove(const char *line, enum proof proof)
{
	const struct event_type *type = event_type_get((unsigned)strtoul(line, NULL, 10));

	if (!type)
		return;
	proofs[type->number] |= proof;
	for (size_t i = 0; i < type->n_dump; i++)
		if (asserts_dump(line, type->dump[i], type->number < OWN_FIRST))
			dumps[type->number] |= 1U << i;
}

static void read_script(const char *line, enum proof proof)
{
	if (strncmp(line, "event ", 6) == 0)
		prove(line + 6, proof);
}

static void read_shell(const char *line, enum proof proof)
{
	const char *command = line + strspn(line, " \t");

	if (strncmp(command, "check_event ", 12) == 0) {
		prove(command + 12, proof);
	} else if (strncmp(command, "check_events ", 13) == 0) {
		command += 13 + strcspn(command + 13, " ");
		prove(command, proof);
	} else if (strncmp(command, "check_boundary_event ", 21) == 0) {
		prove(command + 21, PROOF_BOUNDARY);
	}
}

static void read_unit(const char *line, enum proof proof)
{
	static const char call[] = "check_raised(EVENT_";
	const struct event_type *type;
	char symbol[64];

	for (const char *at = line; (at = strstr(at, call)); at += strlen(call)) {
		if (sscanf(at + strlen(call), "%63[A-Z0-9_]", symbol) != 1)
			continue;
		type = event_type_from_symbol(symbol);
		if (!type)
			continue;
		proofs[type->number] |= proof;
		/* Whoever calls it looks at the fields, too. */
		dumps[type->number] = ~0U;
	}
}

static const struct {
	const char *files; /* below the folder of all tests */
	void (*read)(const char *line, enum proof proof);
	enum proof proof;
} kinds[] = {
	{ "protocol/scripts/*.script", read_script, PROOF_SOCKET },
	{ "kernel/scripts/*.script", read_script, PROOF_KERNEL },
	{ "kernel/scripts/traced/*.script", read_script, PROOF_KERNEL },
	{ "kernel/test-*.sh", read_shell, PROOF_KERNEL },
	{ "unit/test_*.c", read_unit, PROOF_BOUNDARY },
};

static int for_each_line(const char *path, void (*call)(const char *line, enum proof proof),
			 enum proof proof)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	if (!file) {
		perror(path);
		return -errno;
	}
	while (getline(&line, &size, file) >= 0)
		call(line, proof);
	return 0;
}

static int read_tests(const char *folder)
{
	char pattern[PATH_MAX];
	int r = 0;

	for (size_t i = 0; i < ELEMENTSOF(kinds) && r >= 0; i++) {
		glob_t found;

		(void)snprintf(pattern, sizeof(pattern), "%s/%s", folder, kinds[i].files);
		if (glob(pattern, 0, NULL, &found) != 0)
			continue;
		for (size_t k = 0; k < found.gl_pathc && r >= 0; k++)
			r = for_each_line(found.gl_pathv[k], kinds[i].read, kinds[i].proof);
		globfree(&found);
	}
	return r;
}

/* PROOF(number, words, JSON) */
static int print_header(void)
{
	static const char *const names[] = { "socket", "kernel", "boundary" };
	const struct event_type *type;

	puts("/* SPDX-License-Identifier: LGPL-2.1-or-later */\n"
	     "/* Printed from the tests; see gen_proofs.c. */");
	for (size_t i = 0; (type = event_type_at(i)); i++) {
		char text[64] = "", json[64] = "";

		for (size_t k = 0; k < ELEMENTSOF(names); k++) {
			if (!(proofs[type->number] & 1U << k))
				continue;
			(void)sprintf(strchr(text, '\0'), "%s%s", *text ? ", " : "", names[k]);
			(void)sprintf(strchr(json, '\0'), "%s\\\"%s\\\"", *json ? "," : "",
				      names[k]);
		}
		printf("PROOF(%u, \"%s\", \"[%s]\")\n", type->number, *text ? text : "not yet",
		       json);
	}
	return 0;
}

/* The list: NUMBER REASON, one a line. */

static bool later[NUMBER_MAX + 1];
static int complaints;

static void read_later(const char *line, enum proof proof)
{
	char *end;
	const struct event_type *type = event_type_get((unsigned)strtoul(line, &end, 10));

	if (line[0] == '#' || line[0] == '\n')
		return;
	end += strspn(end, " \t");
	if (!type || *end == '\n' || !*end) {
		fprintf(stderr, "neither an event with a reason nor a comment: %s", line);
		complaints++;
		return;
	}
	later[type->number] = true;
}

static int check(const char *list)
{
	const struct event_type *type;
	int r = for_each_line(list, read_later, 0);

	for (size_t i = 0; r >= 0 && (type = event_type_at(i)); i++) {
		for (size_t k = 0; proofs[type->number] && k < type->n_dump; k++)
			if (!(dumps[type->number] & 1U << k)) {
				fprintf(stderr, "event %u: no test says what %s is\n", type->number,
					event_field_name(type->dump[k]));
				complaints++;
			}
		if (!!proofs[type->number] != later[type->number])
			continue;
		fprintf(stderr,
			later[type->number]
				? "event %u %s is raised by a test: take it off the list\n"
				: "event %u %s is raised by no test\n",
			type->number, type->symbol);
		complaints++;
	}
	return complaints > 0 ? -EBADMSG : r;
}

int main(int argc, char **argv)
{
	int r;

	if (argc != 3) {
		fputs("usage: gen_proofs header | LIST TESTS\n", stderr);
		return EXIT_FAILURE;
	}
	r = read_tests(argv[2]);
	if (r >= 0)
		r = strcmp(argv[1], "header") == 0 ? print_header() : check(argv[1]);
	if (fflush(stdout) != 0 || ferror(stdout))
		r = -EIO;
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
