/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Varlink interface definitions: reads them into a tree, prints them, and checks JSON objects
 * against them. The language is what systemd 257 accepts: one "?" and one container per type, no
 * "any", an empty struct only as parameters, comments only before what they belong to.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <json-c/json.h>

#include "buffer.h"
#include "cleanup.h"

#define IDL_TEXT_MAX  (256 * 1024)
#define IDL_NAME_MAX  255
#define IDL_DEPTH_MAX 16
/* Fields of one struct, values of one enum, members of one interface. */
#define IDL_MEMBERS_MAX 1024

enum idl_kind {
	IDL_BOOL,
	IDL_INT,
	IDL_FLOAT,
	IDL_STRING,
	IDL_OBJECT, /* an object nobody checks */
	IDL_NAMED,  /* .name; .target after parsing */
	IDL_STRUCT, /* .fields */
	IDL_ENUM,   /* .fields, of which only the names matter */
};

enum idl_container {
	IDL_PLAIN,
	IDL_ARRAY,
	IDL_MAP, /* [string] */
};

struct idl_type {
	enum idl_kind kind;
	enum idl_container container;
	bool nullable;
	char *name;
	const struct idl_type *target; /* IDL_STRUCT or IDL_ENUM */
	struct idl_field *fields;
	size_t n_fields;
};

struct idl_field {
	char *name;
	char *comment; /* lines as written, "#" included; an empty one is a gap; NULL: none */
	struct idl_type type;
};

enum idl_member_kind {
	IDL_TYPE,
	IDL_METHOD,
	IDL_ERROR,
};

struct idl_member {
	enum idl_member_kind kind;
	char *name;
	char *comment;          /* as in struct idl_field */
	struct idl_type type;   /* of a type; parameters of a method or error */
	struct idl_type output; /* of a method */
};

struct idl {
	char *name;                 /* of the interface */
	char *comment;              /* as in struct idl_field */
	struct idl_member *members; /* in the order of the text */
	size_t n_members;
	char *trailer; /* comment after the last member */
};

/* Where and why a definition was refused. */
struct idl_fault {
	unsigned line;      /* from 1 */
	const char *reason; /* constant */
};

/*
 * Parses a definition. Errors: -EINVAL with *@ret_fault filled in (also for NUL and invalid UTF-8),
 * -E2BIG (a limit above), -ENOMEM. @ret_fault may be NULL.
 */
int idl_parse(const char *text, size_t length, struct idl **ret, struct idl_fault *ret_fault);
struct idl *idl_free(struct idl *idl);
DEFINE_CLEANUP(struct idl *, idl_free);

/* "bool"; NULL for kinds that have no name of their own. */
const char *idl_builtin_name(enum idl_kind kind);

/* Appends the definition in our form, comments included: what idl_print() wrote is printed the same
 * again. */
int idl_print(const struct idl *idl, struct buffer *buffer);

/* The member @name of this kind, or NULL. */
const struct idl_member *idl_find(const struct idl *idl, enum idl_member_kind kind,
				  const char *name);

/* How strictly idl_check() looks. */
enum idl_side {
	IDL_CALL,  /* what a client sent: unknown fields are faults, an int may be a decimal string
		    */
	IDL_REPLY, /* what we are about to send: no tolerance */
	IDL_PEER,  /* what a server of another version sent: unknown fields and enum values are fine
		    */
};

/* What is wrong with an object. Both strings are borrowed, from the object or the definition. */
struct idl_mismatch {
	const char *field;  /* the top-level field, however deep the fault lies */
	const char *reason; /* constant */
};

/*
 * Checks @object (NULL: one without members) against a struct. -EINVAL with *@ret_mismatch filled
 * in, which may be NULL.
 */
int idl_check(const struct idl_type *type, json_object *object, enum idl_side side,
	      struct idl_mismatch *ret_mismatch);
