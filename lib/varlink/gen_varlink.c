/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Generates code from interface definitions, at build time:
 *   gen-varlink KIND OUTPUT FILE...
 * descriptions (C: the texts), names (header: names of methods and errors), handlers (header:
 * prototypes), methods (C: the table of struct varlink_method). Access and streaming of a method
 * stand in its comment.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "cleanup.h"
#include "idl.h"

struct source {
	const char *path;
	struct buffer text;
	struct idl *idl;
};

static _Noreturn void die(const char *path, const char *reason)
{
	(void)fprintf(stderr, "%s: %s\n", path, reason);
	exit(EXIT_FAILURE);
}

static void source_load(struct source *source, const char *path)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	struct idl_fault fault = { .reason = "out of memory" };
	uint8_t *at;
	size_t n;

	*source = (struct source){ .path = path, .text.limit = IDL_TEXT_MAX };
	if (!file)
		die(path, strerror(errno));
	do {
		if (buffer_reserve(&source->text, 4096, &at) < 0)
			die(path, "too large");
		n = fread(at, 1, 4096, file);
		buffer_commit(&source->text, n);
	} while (n > 0);
	if (ferror(file))
		die(path, "cannot be read");
	if (idl_parse((const char *)source->text.data, source->text.length, &source->idl, &fault) <
	    0) {
		(void)fprintf(stderr, "%s:%u: %s\n", path, fault.line, fault.reason);
		exit(EXIT_FAILURE);
	}
}

static int compare_sources(const void *a, const void *b)
{
	const struct source *left = a, *right = b;

	return strcmp(left->idl->name, right->idl->name);
}

/* Prints "NoSuchNode" as "no_such_node", or in capitals. */
static void print_snake(FILE *out, const char *name, bool capitals)
{
	for (const char *p = name; *p; p++) {
		if (isupper((unsigned char)*p) && p > name)
			(void)fputc('_', out);
		(void)fputc(capitals ? toupper((unsigned char)*p) : tolower((unsigned char)*p),
			    out);
	}
}

/* "node" of "org.ois.node" */
static const char *last_label(const struct source *source)
{
	const char *dot = strrchr(source->idl->name, '.');

	return dot ? dot + 1 : source->idl->name;
}

static void print_handler_name(FILE *out, const struct source *source,
			       const struct idl_member *member)
{
	(void)fprintf(out, "method_%s_", last_label(source));
	print_snake(out, member->name, false);
}

static void print_text(FILE *out, const struct source *source)
{
	const char *text = (const char *)source->text.data;

	(void)fprintf(out, "\t{ \"%s\",", source->idl->name);
	for (size_t i = 0; i < source->text.length; i++) {
		if (i == 0 || text[i - 1] == '\n')
			(void)fputs("\n\t  \"", out);
		if (text[i] == '\n')
			(void)fputs("\\n\"", out);
		else if (text[i] == '"' || text[i] == '\\')
			(void)fprintf(out, "\\%c", text[i]);
		else
			(void)fputc(text[i], out);
	}
	if (source->text.length == 0 || text[source->text.length - 1] != '\n')
		die(source->path, "does not end with a newline");
	(void)fputs(" },\n", out);
}

static void write_descriptions(FILE *out, const struct source *sources, size_t n)
{
	(void)fputs("#include \"registry.h\"\n\n"
		    "const struct varlink_description varlink_descriptions[] = {\n",
		    out);
	for (size_t i = 0; i < n; i++)
		print_text(out, &sources[i]);
	(void)fprintf(out, "};\nconst size_t varlink_n_descriptions = %zu;\n", n);
}

static void write_names(FILE *out, const struct source *sources, size_t n)
{
	(void)fputs("#pragma once\n", out);
	for (size_t i = 0; i < n; i++) {
		const struct idl *idl = sources[i].idl;

		(void)fputs("\n#define INTERFACE_", out);
		print_snake(out, last_label(&sources[i]), true);
		(void)fprintf(out, " \"%s\"\n", idl->name);
		for (size_t j = 0; j < idl->n_members; j++) {
			const struct idl_member *member = &idl->members[j];

			if (member->kind == IDL_TYPE)
				continue;
			(void)fputs(member->kind == IDL_METHOD ? "#define METHOD_"
							       : "#define ERROR_",
				    out);
			print_snake(out, last_label(&sources[i]), true);
			(void)fputc('_', out);
			print_snake(out, member->name, true);
			(void)fprintf(out, " \"%s.%s\"\n", idl->name, member->name);
		}
	}
}

static void write_handlers(FILE *out, const struct source *sources, size_t n)
{
	(void)fputs("#pragma once\n\n#include \"method.h\"\n\n", out);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < sources[i].idl->n_members; j++) {
			const struct idl_member *member = &sources[i].idl->members[j];

			if (member->kind != IDL_METHOD)
				continue;
			(void)fputs("int ", out);
			print_handler_name(out, &sources[i], member);
			(void)fputs("(struct call *call);\n", out);
		}
}

/* The part of a comment that belongs to the method: what follows the last gap. */
static const char *own_comment(const struct idl_member *member)
{
	const char *comment = member->comment ?: "", *gap;

	while ((gap = strstr(comment, "\n\n")))
		comment = gap + 2;
	return comment;
}

static void print_method(FILE *out, const struct source *source, const struct idl_member *member)
{
	static const struct {
		const char *start;
		const char *fields;
	} classes[] = {
		{ "# any. ", ".access = VARLINK_ACCESS_ANY" },
		{ "# read. ", ".access = VARLINK_ACCESS_READ" },
		{ "# change. ", ".access = VARLINK_ACCESS_CHANGE" },
		{ "# secret. ", ".access = VARLINK_ACCESS_CHANGE, .secret = true" },
	};
	const char *comment = own_comment(member);
	bool required = strstr(comment, "# [Requires 'more' flag]\n");
	bool supported = strstr(comment, "# [Supports 'more' flag]\n");
	size_t class = 0;

	while (class < ELEMENTSOF(classes) &&
	       strncmp(comment, classes[class].start, strlen(classes[class].start)) != 0)
		class ++;
	if (class == ELEMENTSOF(classes)) {
		(void)fprintf(stderr, "%s: the comment of method %s does not say who may call it\n",
			      source->path, member->name);
		exit(EXIT_FAILURE);
	}
	(void)fprintf(out, "\t{ .name = \"%s.%s\", %s,\n\t  %s%s.handler = ", source->idl->name,
		      member->name, classes[class].fields,
		      required ? ".more_required = true, " : "",
		      required || supported ? ".more_supported = true, " : "");
	print_handler_name(out, source, member);
	(void)fputs(" },\n", out);
}

static void write_methods(FILE *out, const struct source *sources, size_t n)
{
	(void)fputs("#include \"methods.h\"\n\n"
		    "const struct varlink_method varlink_methods[] = {\n",
		    out);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < sources[i].idl->n_members; j++)
			if (sources[i].idl->members[j].kind == IDL_METHOD)
				print_method(out, &sources[i], &sources[i].idl->members[j]);
	(void)fputs("\t{}\n};\n", out);
}

static const struct {
	const char *name;
	void (*write)(FILE *out, const struct source *sources, size_t n);
} kinds[] = {
	{ "descriptions", write_descriptions },
	{ "names", write_names },
	{ "handlers", write_handlers },
	{ "methods", write_methods },
};

int main(int argc, char *argv[])
{
	size_t kind = 0, n = argc > 3 ? (size_t)argc - 3 : 0;
	struct source *sources = calloc(n + 1, sizeof(*sources));
	FILE *out;

	while (argc > 3 && kind < ELEMENTSOF(kinds) && strcmp(argv[1], kinds[kind].name) != 0)
		kind++;
	if (!sources || n == 0 || kind == ELEMENTSOF(kinds))
		die("usage", "gen-varlink descriptions|names|handlers|methods OUTPUT FILE...");
	for (size_t i = 0; i < n; i++)
		source_load(&sources[i], argv[i + 3]);
	qsort(sources, n, sizeof(*sources), compare_sources);
	out = fopen(argv[2], "we");
	if (!out)
		die(argv[2], strerror(errno));
	(void)fputs("/* Generated by gen-varlink from the .varlink files. */\n", out);
	kinds[kind].write(out, sources, n);
	if (fclose(out) != 0)
		die(argv[2], strerror(errno));
	for (size_t i = 0; i < n; i++) {
		buffer_done(&sources[i].text);
		(void)idl_free(sources[i].idl);
	}
	free(sources);
	return EXIT_SUCCESS;
}
