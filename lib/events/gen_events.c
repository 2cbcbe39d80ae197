/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Prints what others need of the event table: the journal catalogue, the manual page, the public
 * header. Runs at build time and reads nothing but the template of the manual page.
 */
#include <stdio.h>
#include <string.h>

#include "event.h"

/* journalctl indents nothing and terminals have 80 columns. */
#define CATALOGUE_WIDTH 76
/* The project's own events begin here. */
#define OWN_FIRST 1000

static const char *const labels[] = {
#define FIELD(symbol, name, label) [FIELD_##symbol] = (label),
#include "fields.def"
#undef FIELD
};

static const char *const symbols[] = {
#define FIELD(symbol, name, label) [FIELD_##symbol] = #symbol,
#include "fields.def"
#undef FIELD
};

/* Prints words of @text in lines of at most CATALOGUE_WIDTH characters. */
static void print_paragraph(const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t length = strcspn(text, " ");

		if (column > 0 && column + 1 + length > CATALOGUE_WIDTH) {
			putchar('\n');
			column = 0;
		}
		column += (size_t)printf("%s%.*s", column > 0 ? " " : "", (int)length, text);
		text += length;
		text += strspn(text, " ");
	}
	putchar('\n');
}

/* The catalogue cannot leave out parts whose fields are absent, so its subject has none of them. */
static void print_subject(const char *subject)
{
	while (*subject) {
		size_t length = strcspn(subject, "[");

		(void)fwrite(subject, 1, length, stdout);
		subject += length;
		subject += strcspn(subject, "]");
		if (*subject == ']')
			subject++;
	}
}

/* Long binary data would drown the text: the reader is sent to the field. */
static bool is_long(enum event_field field)
{
	return field == FIELD_DUMP_PDU || field == FIELD_DUMP_DATA || field == FIELD_DUMP_CHALLENGE;
}

static void print_catalogue_entry(const struct event_type *type)
{
	/* The empty line before "--" is needed: journalctl takes the entry for text otherwise. */
	printf("\n-- %s\nSubject: ", type->message_id);
	print_subject(type->subject);
	printf("\nDefined-By: OIS\nDocumentation: man:ois-events(7)\n\nEvent %u, %s, %s.\n\n",
	       type->number, type->symbol, event_severity_to_string(type->severity));
	print_paragraph(type->cause);
	putchar('\n');
	print_paragraph(type->advice);
	if (type->n_dump > 0)
		putchar('\n');
	for (size_t i = 0; i < type->n_dump; i++)
		printf(is_long(type->dump[i]) ? "    %s: in %s\n" : "    %s: @%s@\n",
		       labels[type->dump[i]], event_field_name(type->dump[i]));
}

static int print_catalogue(void)
{
	const struct event_type *type;

	puts("# SPDX-License-Identifier: LGPL-2.1-or-later\n"
	     "# Printed from the event table, include/ois/events.def.");
	for (size_t i = 0; (type = event_type_at(i)); i++)
		print_catalogue_entry(type);
	return 0;
}

static int print_header(void)
{
	const struct event_type *type;

	puts("/* SPDX-License-Identifier: LGPL-2.1-or-later */\n"
	     "/*\n"
	     " * The events of OIS, printed from the event table: numbers (OIS_EVENT), message ids "
	     "(MESSAGE_ID),\n"
	     " * and names of fields. ois-events(7) describes them. The ID128 form needs "
	     "<systemd/sd-id128.h>.\n"
	     " */\n"
	     "#pragma once\n");
	for (size_t i = 0; (type = event_type_at(i)); i++) {
		printf("#define OIS_EVENT_%s %u\n", type->symbol, type->number);
		printf("#define OIS_MESSAGE_ID_%s \"%s\"\n", type->symbol, type->message_id);
		printf("#define OIS_MESSAGE_ID128_%s SD_ID128_MAKE(", type->symbol);
		for (size_t digit = 0; digit < 32; digit += 2)
			printf("%s%.2s", digit > 0 ? "," : "", type->message_id + digit);
		puts(")");
	}
	putchar('\n');
	for (enum event_field field = 0; field < _FIELD_MAX; field++)
		printf("#define OIS_FIELD_%s \"%s\"\n", symbols[field], event_field_name(field));
	return 0;
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

static void print_manual_event(const struct event_type *type)
{
	printf(".TP\n\\fB%u\\fR  \\fB%s\\fR  (%s)\n", type->number, type->symbol,
	       event_severity_to_string(type->severity));
	print_roff(type->cause);
	printf("\n.IP\n");
	print_roff(type->advice);
	if (type->n_dump > 0)
		printf("\n.IP\nData: ");
	for (size_t i = 0; i < type->n_dump; i++)
		printf("%s\\fI%s\\fR", i > 0 ? ", " : "", event_field_name(type->dump[i]));
	printf("%s\n", type->n_dump > 0 ? "." : "");
}

static void print_manual_events(void)
{
	const struct event_type *type;
	bool own = false;

	puts(".SS The table");
	for (size_t i = 0; (type = event_type_at(i)); i++) {
		if (!own && type->number >= OWN_FIRST) {
			puts(".SS Further events");
			own = true;
		}
		print_manual_event(type);
	}
}

/* One group of fields: those whose names begin with @prefix, or those with neither prefix if it is
 * "". */
static void print_manual_fields(const char *prefix)
{
	puts(".PD 0");
	for (enum event_field field = 0; field < _FIELD_MAX; field++) {
		const char *name = event_field_name(field);
		bool context =
			strncmp(name, "OIS_DUMP_", 9) != 0 && strncmp(name, "OIS_PDU_", 8) != 0;

		if (*prefix ? strncmp(name, prefix, strlen(prefix)) != 0 : !context)
			continue;
		printf(".TP 34\n\\fI%s\\fR\n", name);
		print_roff(labels[field]);
		printf(".\n");
	}
	puts(".PD");
}

/* Copies the template; a line that names a part is replaced by it. */
static int print_manual(const char *template, const char *version)
{
	_cleanup_(fclosep) FILE *file = fopen(template, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	if (!file) {
		perror(template);
		return -errno;
	}
	while (getline(&line, &size, file) >= 0) {
		char *at = strstr(line, "@VERSION@");

		if (strcmp(line, "@EVENTS@\n") == 0)
			print_manual_events();
		else if (strcmp(line, "@CONTEXT_FIELDS@\n") == 0)
			print_manual_fields("");
		else if (strcmp(line, "@DUMP_FIELDS@\n") == 0)
			print_manual_fields("OIS_DUMP_");
		else if (strcmp(line, "@PDU_FIELDS@\n") == 0)
			print_manual_fields("OIS_PDU_");
		else if (at)
			printf("%.*s%s%s", (int)(at - line), line, version,
			       at + strlen("@VERSION@"));
		else
			fputs(line, stdout);
	}
	return ferror(file) ? -EIO : 0;
}

int main(int argc, char **argv)
{
	int r = -EINVAL;

	if (argc == 2 && strcmp(argv[1], "catalogue") == 0)
		r = print_catalogue();
	else if (argc == 2 && strcmp(argv[1], "header") == 0)
		r = print_header();
	else if (argc == 4 && strcmp(argv[1], "manual") == 0)
		r = print_manual(argv[2], argv[3]);
	else
		fputs("usage: gen_events catalogue | header | manual TEMPLATE VERSION\n", stderr);
	if (fflush(stdout) != 0 || ferror(stdout))
		r = -EIO;
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
