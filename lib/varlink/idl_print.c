/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Printer of Varlink interface definitions, in the form our own files have.
 */
#include <string.h>

#include "idl.h"

static int print_indent(struct buffer *buffer, unsigned depth)
{
	int r = 0;

	while (r >= 0 && depth-- > 0)
		r = buffer_append(buffer, "\t", 1);
	return r;
}

static int print_comment(struct buffer *buffer, const char *comment, unsigned depth)
{
	int r = 0;

	while (r >= 0 && comment && *comment) {
		size_t length = strcspn(comment, "\n");

		r = length > 0 ? print_indent(buffer, depth) : 0;
		if (r >= 0)
			r = buffer_append(buffer, comment, length + 1);
		comment += length + 1;
	}
	return r;
}

/* An enum without comments goes on one line if it is short. */
static bool prints_short(const struct idl_type *type)
{
	size_t length = 0;

	for (size_t i = 0; i < type->n_fields; i++) {
		if (type->fields[i].comment)
			return false;
		length += strlen(type->fields[i].name) + 2;
	}
	return type->kind == IDL_ENUM && length <= 64;
}

static int print_type(struct buffer *buffer, const struct idl_type *type, unsigned depth);

static int print_field(struct buffer *buffer, const struct idl_field *field, enum idl_kind kind,
		       unsigned depth)
{
	int r;

	r = print_comment(buffer, field->comment, depth);
	if (r >= 0)
		r = print_indent(buffer, depth);
	if (r >= 0)
		r = buffer_append_string(buffer, field->name);
	if (r < 0 || kind == IDL_ENUM)
		return r;
	r = buffer_append_string(buffer, ": ");
	return r < 0 ? r : print_type(buffer, &field->type, depth);
}

static int print_fields(struct buffer *buffer, const struct idl_type *type, unsigned depth)
{
	bool brief = type->n_fields == 0 || prints_short(type);
	int r;

	r = buffer_append_string(buffer, brief ? "(" : "(\n");
	for (size_t i = 0; r >= 0 && i < type->n_fields; i++) {
		bool last = i + 1 == type->n_fields;

		r = print_field(buffer, &type->fields[i], type->kind, brief ? 0 : depth + 1);
		if (r >= 0 && brief)
			r = buffer_append_string(buffer, last ? "" : ", ");
		else if (r >= 0)
			r = buffer_append_string(buffer, last ? "\n" : ",\n");
	}
	if (r >= 0 && !brief)
		r = print_indent(buffer, depth);
	return r < 0 ? r : buffer_append_string(buffer, ")");
}

static int print_type(struct buffer *buffer, const struct idl_type *type, unsigned depth)
{
	static const char *const containers[] = {
		[IDL_PLAIN] = "", [IDL_ARRAY] = "[]", [IDL_MAP] = "[string]"
	};
	int r;

	r = buffer_append_string(buffer, type->nullable ? "?" : "");
	if (r >= 0)
		r = buffer_append_string(buffer, containers[type->container]);
	if (r < 0)
		return r;
	if (type->kind == IDL_STRUCT || type->kind == IDL_ENUM)
		return print_fields(buffer, type, depth);
	return buffer_append_string(buffer, type->kind == IDL_NAMED ? type->name
								    : idl_builtin_name(type->kind));
}

static int print_member(struct buffer *buffer, const struct idl_member *member)
{
	static const char *const keywords[] = {
		[IDL_TYPE] = "type", [IDL_METHOD] = "method", [IDL_ERROR] = "error"
	};
	const char *space = member->kind == IDL_METHOD ? "" : " ";
	int r;

	r = buffer_append(buffer, "\n", 1);
	if (r >= 0)
		r = print_comment(buffer, member->comment, 0);
	if (r >= 0)
		r = buffer_printf(buffer, "%s %s%s", keywords[member->kind], member->name, space);
	if (r >= 0)
		r = print_fields(buffer, &member->type, 0);
	if (r >= 0 && member->kind == IDL_METHOD) {
		r = buffer_append_string(buffer, " -> ");
		if (r >= 0)
			r = print_fields(buffer, &member->output, 0);
	}
	return r < 0 ? r : buffer_append(buffer, "\n", 1);
}

int idl_print(const struct idl *idl, struct buffer *buffer)
{
	int r;

	r = print_comment(buffer, idl->comment, 0);
	if (r >= 0)
		r = buffer_printf(buffer, "interface %s\n", idl->name);
	for (size_t i = 0; r >= 0 && i < idl->n_members; i++)
		r = print_member(buffer, &idl->members[i]);
	if (r >= 0 && idl->trailer)
		r = buffer_append(buffer, "\n", 1);
	return r < 0 ? r : print_comment(buffer, idl->trailer, 0);
}
