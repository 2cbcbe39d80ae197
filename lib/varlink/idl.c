/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parser of Varlink interface definitions: recursive descent over the text, comments kept so that a
 * definition can be printed as it was written.
 */
#include <errno.h>
#include <string.h>

#include "idl.h"
#include "parse.h"

struct parser {
	const char *at, *end;
	unsigned line;
	unsigned depth;
	struct idl_fault *fault;
};

static const char *const builtin_names[] = {
	[IDL_BOOL] = "bool",     [IDL_INT] = "int",       [IDL_FLOAT] = "float",
	[IDL_STRING] = "string", [IDL_OBJECT] = "object",
};

const char *idl_builtin_name(enum idl_kind kind)
{
	return kind < ELEMENTSOF(builtin_names) ? builtin_names[kind] : NULL;
}

static int refuse(struct parser *parser, const char *reason)
{
	if (parser->fault)
		*parser->fault = (struct idl_fault){ .line = parser->line, .reason = reason };
	return -EINVAL;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_alphanumeric(char c)
{
	return is_upper(c) || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alpha(char c)
{
	return is_alphanumeric(c) && !(c >= '0' && c <= '9');
}

static void skip_space(struct parser *parser)
{
	for (; parser->at < parser->end && is_space(*parser->at); parser->at++)
		parser->line += *parser->at == '\n';
}

/* Appends one comment line; @gap: empty lines stand before it. */
static int keep_comment(struct buffer *comment, const char *line, size_t length, bool gap)
{
	int r;

	while (length > 0 && is_space(line[length - 1]))
		length--;
	r = gap && comment->length > 0 ? buffer_append(comment, "\n", 1) : 0;
	if (r >= 0)
		r = buffer_append(comment, line, length);
	return r < 0 ? r : buffer_append(comment, "\n", 1);
}

/* Skips white space and comments; *@ret are the lines of comments, NULL if there are none. */
static int read_comment(struct parser *parser, char **ret)
{
	_cleanup_(buffer_done) struct buffer comment = {};
	unsigned line = parser->line;
	int r;

	for (skip_space(parser); parser->at < parser->end && *parser->at == '#';
	     skip_space(parser)) {
		size_t length = (size_t)(parser->end - parser->at);
		const char *newline = memchr(parser->at, '\n', length);

		length = newline ? (size_t)(newline - parser->at) : length;
		r = keep_comment(&comment, parser->at, length, parser->line > line + 1);
		if (r < 0)
			return r;
		line = parser->line;
		parser->at += length;
	}
	/* A comment apart from what follows stays apart. */
	if (comment.length > 0 && parser->at < parser->end && parser->line > line + 1) {
		r = buffer_append(&comment, "\n", 1);
		if (r < 0)
			return r;
	}
	r = comment.length > 0 ? buffer_append(&comment, "", 1) : 0;
	if (r < 0)
		return r;
	*ret = (char *)TAKE_PTR(comment.data);
	return 0;
}

static bool take(struct parser *parser, const char *symbol)
{
	size_t length = strlen(symbol);

	skip_space(parser);
	if ((size_t)(parser->end - parser->at) < length || memcmp(parser->at, symbol, length) != 0)
		return false;
	parser->at += length;
	return true;
}

/* Everything that could be part of a name, so that a bad name is not read as a good one and a rest.
 */
static size_t word_length(const struct parser *parser)
{
	const char *at = parser->at;

	while (at < parser->end && (is_alphanumeric(*at) || *at == '_' || *at == '.' || *at == '-'))
		at++;
	return (size_t)(at - parser->at);
}

static bool take_word(struct parser *parser, const char *word)
{
	skip_space(parser);
	if (word_length(parser) != strlen(word) || memcmp(parser->at, word, strlen(word)) != 0)
		return false;
	parser->at += strlen(word);
	return true;
}

static bool member_name_valid(const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!is_alphanumeric(name[i]))
			return false;
	return length > 0 && is_upper(name[0]);
}

/* Single separators of the set between letters and digits. */
static bool separated_name_valid(const char *name, size_t length, const char *separators)
{
	if (length == 0 || !is_alpha(name[0]) || !is_alphanumeric(name[length - 1]))
		return false;
	for (size_t i = 1; i < length; i++)
		if (!is_alphanumeric(name[i]) &&
		    (!strchr(separators, name[i]) || !is_alphanumeric(name[i - 1])))
			return false;
	return true;
}

static bool field_name_valid(const char *name, size_t length)
{
	return separated_name_valid(name, length, "_");
}

static bool interface_name_valid(const char *name, size_t length)
{
	return separated_name_valid(name, length, ".-");
}

static int read_name(struct parser *parser, bool (*valid)(const char *name, size_t length),
		     const char *reason, char **ret)
{
	size_t length;

	skip_space(parser);
	length = word_length(parser);
	if (length > IDL_NAME_MAX)
		return -E2BIG;
	if (!valid(parser->at, length))
		return refuse(parser, reason);
	*ret = strndup(parser->at, length);
	if (!*ret)
		return -ENOMEM;
	parser->at += length;
	return 0;
}

static void type_done(struct idl_type *type)
{
	for (size_t i = 0; i < type->n_fields; i++) {
		free(type->fields[i].name);
		free(type->fields[i].comment);
		type_done(&type->fields[i].type);
	}
	free(type->fields);
	free(type->name);
}

/* Room for one more element of an array of @n. */
static int grow(void **array, size_t n, size_t size)
{
	void *larger;

	if (n >= IDL_MEMBERS_MAX)
		return -E2BIG;
	if (n > 0 && (n < 8 || (n & (n - 1)) != 0))
		return 0;
	larger = reallocarray(*array, n == 0 ? 8 : n * 2, size);
	if (!larger)
		return -ENOMEM;
	*array = larger;
	return 0;
}

static int add_field(struct idl_type *type, struct idl_field **ret)
{
	int r;

	r = grow((void **)&type->fields, type->n_fields, sizeof(*type->fields));
	if (r < 0)
		return r;
	*ret = &type->fields[type->n_fields++];
	**ret = (struct idl_field){};
	return 0;
}

static int read_type(struct parser *parser, struct idl_type *ret);

/* One field of a struct or value of an enum; the first one decides which it is. */
static int read_field(struct parser *parser, struct idl_type *type)
{
	struct idl_field *field;
	bool first = type->n_fields == 0;
	int r;

	r = add_field(type, &field);
	if (r < 0)
		return r;
	r = read_comment(parser, &field->comment);
	if (r < 0)
		return r;
	r = read_name(parser, field_name_valid, "not a field name", &field->name);
	if (r < 0)
		return r;
	for (size_t i = 0; i + 1 < type->n_fields; i++)
		if (strcmp(type->fields[i].name, field->name) == 0)
			return refuse(parser, "the name is there already");
	if (!take(parser, ":")) {
		if (!first && type->kind == IDL_STRUCT)
			return refuse(parser, "a type is missing");
		type->kind = IDL_ENUM;
		return 0;
	}
	if (!first && type->kind == IDL_ENUM)
		return refuse(parser, "a value of an enum has no type");
	type->kind = IDL_STRUCT;
	return read_type(parser, &field->type);
}

/* "(...)"; without anything inside only where @empty is set. */
static int read_fields(struct parser *parser, bool empty, struct idl_type *type)
{
	int r;

	if (!take(parser, "("))
		return refuse(parser, "an opening parenthesis is missing");
	if (parser->depth >= IDL_DEPTH_MAX)
		return refuse(parser, "nested too deep");
	type->kind = IDL_STRUCT;
	if (take(parser, ")"))
		return empty ? 0 : refuse(parser, "there are no fields");
	parser->depth++;
	do {
		r = read_field(parser, type);
		if (r < 0)
			return r;
	} while (take(parser, ","));
	parser->depth--;
	return take(parser, ")") ? 0 : refuse(parser, "a comma or closing parenthesis is missing");
}

/* What follows "?" and a container. */
static int read_element(struct parser *parser, struct idl_type *type)
{
	skip_space(parser);
	if (parser->at < parser->end && *parser->at == '(')
		return read_fields(parser, false, type);
	for (size_t kind = 0; kind < ELEMENTSOF(builtin_names); kind++)
		if (take_word(parser, builtin_names[kind])) {
			type->kind = (enum idl_kind)kind;
			return 0;
		}
	type->kind = IDL_NAMED;
	return read_name(parser, member_name_valid, "not a type", &type->name);
}

static int read_type(struct parser *parser, struct idl_type *ret)
{
	ret->nullable = take(parser, "?");
	if (take(parser, "[]"))
		ret->container = IDL_ARRAY;
	else if (take(parser, "[string]"))
		ret->container = IDL_MAP;
	return read_element(parser, ret);
}

/* Parameters of a method or error: a struct, maybe empty. */
static int read_parameters(struct parser *parser, struct idl_type *ret)
{
	int r;

	r = read_fields(parser, true, ret);
	if (r < 0)
		return r;
	return ret->kind == IDL_STRUCT ? 0 : refuse(parser, "parameters need types");
}

static int read_member_body(struct parser *parser, struct idl_member *member)
{
	int r;

	switch (member->kind) {
	case IDL_TYPE:
		return read_fields(parser, false, &member->type);
	case IDL_ERROR:
		return read_parameters(parser, &member->type);
	case IDL_METHOD:
		r = read_parameters(parser, &member->type);
		if (r < 0)
			return r;
		if (!take(parser, "->"))
			return refuse(parser, "an arrow is missing");
		return read_parameters(parser, &member->output);
	}
	return -EINVAL;
}

static int read_member(struct parser *parser, struct idl *idl, char **comment)
{
	static const char *const keywords[] = {
		[IDL_TYPE] = "type", [IDL_METHOD] = "method", [IDL_ERROR] = "error"
	};
	struct idl_member *member;
	size_t kind = 0;
	int r;

	while (kind < ELEMENTSOF(keywords) && !take_word(parser, keywords[kind]))
		kind++;
	if (kind == ELEMENTSOF(keywords))
		return refuse(parser, "neither type, method nor error");
	r = grow((void **)&idl->members, idl->n_members, sizeof(*idl->members));
	if (r < 0)
		return r;
	member = &idl->members[idl->n_members++];
	*member = (struct idl_member){ .kind = (enum idl_member_kind)kind,
				       .comment = TAKE_PTR(*comment) };
	r = read_name(parser, member_name_valid, "not a name of a type, method or error",
		      &member->name);
	if (r < 0)
		return r;
	for (size_t i = 0; i + 1 < idl->n_members; i++)
		if (strcmp(idl->members[i].name, member->name) == 0)
			return refuse(parser, "the name is there already");
	return read_member_body(parser, member);
}

static int read_interface(struct parser *parser, struct idl *idl)
{
	_cleanup_free_ char *comment = NULL;
	int r;

	r = read_comment(parser, &idl->comment);
	if (r < 0)
		return r;
	if (!take_word(parser, "interface"))
		return refuse(parser, "a definition starts with interface");
	r = read_name(parser, interface_name_valid, "not an interface name", &idl->name);
	for (;;) {
		if (r >= 0)
			r = read_comment(parser, &comment);
		if (r < 0)
			return r;
		if (parser->at == parser->end)
			break;
		r = read_member(parser, idl, &comment);
	}
	idl->trailer = TAKE_PTR(comment);
	return 0;
}

static int resolve_type(struct parser *parser, const struct idl *idl, struct idl_type *type)
{
	const struct idl_member *member;
	int r;

	for (size_t i = 0; i < type->n_fields; i++) {
		r = resolve_type(parser, idl, &type->fields[i].type);
		if (r < 0)
			return r;
	}
	if (type->kind != IDL_NAMED)
		return 0;
	member = idl_find(idl, IDL_TYPE, type->name);
	if (!member)
		return refuse(parser, "a type is used that is not defined");
	type->target = &member->type;
	return 0;
}

static int resolve(struct parser *parser, struct idl *idl)
{
	int r;

	for (size_t i = 0; i < idl->n_members; i++) {
		r = resolve_type(parser, idl, &idl->members[i].type);
		if (r >= 0)
			r = resolve_type(parser, idl, &idl->members[i].output);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Text is UTF-8 without control characters but white space. */
static int check_text(struct parser *parser)
{
	const char *start = parser->at;
	int r = 0;

	while (r >= 0 && parser->at < parser->end) {
		size_t n = utf8_length(parser->at, (size_t)(parser->end - parser->at));

		if (n == 0)
			r = refuse(parser, "not UTF-8");
		else if (!is_space(*parser->at) && !text_is_clean(parser->at, n))
			r = refuse(parser, "a control character");
		parser->line += *parser->at == '\n';
		parser->at += n;
	}
	parser->at = start;
	parser->line = 1;
	return r;
}

int idl_parse(const char *text, size_t length, struct idl **ret, struct idl_fault *ret_fault)
{
	struct parser parser = { .at = text, .end = text + length, .line = 1, .fault = ret_fault };
	_cleanup_(idl_freep) struct idl *idl = NULL;
	int r;

	if (length > IDL_TEXT_MAX)
		return -E2BIG;
	r = check_text(&parser);
	if (r < 0)
		return r;
	idl = calloc(1, sizeof(*idl));
	if (!idl)
		return -ENOMEM;
	r = read_interface(&parser, idl);
	if (r < 0)
		return r;
	r = resolve(&parser, idl);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(idl);
	return 0;
}

struct idl *idl_free(struct idl *idl)
{
	if (!idl)
		return NULL;
	for (size_t i = 0; i < idl->n_members; i++) {
		free(idl->members[i].name);
		free(idl->members[i].comment);
		type_done(&idl->members[i].type);
		type_done(&idl->members[i].output);
	}
	free(idl->members);
	free(idl->name);
	free(idl->comment);
	free(idl->trailer);
	free(idl);
	return NULL;
}

const struct idl_member *idl_find(const struct idl *idl, enum idl_member_kind kind,
				  const char *name)
{
	for (size_t i = 0; i < idl->n_members; i++)
		if (idl->members[i].kind == kind && strcmp(idl->members[i].name, name) == 0)
			return &idl->members[i];
	return NULL;
}
