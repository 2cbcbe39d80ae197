/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Settings of nodes and of discoveries: the rows of settings.def. One name everywhere: Varlink
 * field, configuration file, command line, record. A set of settings holds only what somebody
 * configured; settings_effective() adds defaults.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json.h>

#include "cleanup.h"

enum setting_type {
	SETTING_BOOLEAN,
	SETTING_INTEGER,
	SETTING_TEXT,
	SETTING_ENUMERATION, /* number: index into .values */
	SETTING_LIST,        /* of an enumeration in order of preference; see settings_list() */
};

enum setting {
#define SETTING(symbol, ...) SETTING_##symbol,
#include "settings.def"
#undef SETTING
	_SETTING_MAX,
};

/* What settings are for: a row says which of them have it. */
enum settings_scope {
	SETTINGS_NODE,
	SETTINGS_DISCOVERY,
	SETTINGS_INTERFACE,
	_SETTINGS_SCOPE_MAX,
};

struct setting_description {
	const char *name; /* "keys.maxBurstLength" */
	enum setting_type type;
	int64_t minimum, maximum;  /* numbers; for text the greatest length */
	const char *default_value; /* as text; NULL: none */
	const char *const *values; /* enumerations and lists, NULL at the end */
	const char *description;   /* one sentence, without the full stop */
	const char *details;       /* whole sentences for the manual page; NULL: none */
	const char *(*fault)(const char *text); /* of texts: what the value must be, or NULL */
	bool power_of_two;
	bool immediate;      /* takes effect at once, else at the next login */
	bool discovery;      /* discoveries have it too */
	bool interface;      /* interfaces have it too */
	bool interface_only; /* nobody else has it */
};

const struct setting_description *setting_describe(enum setting setting);
/* -ENOENT: unknown. */
int setting_from_name(const char *name);
bool setting_applies(enum setting setting, enum settings_scope scope);

struct settings;

int settings_new(enum settings_scope scope, struct settings **ret);
int settings_copy(const struct settings *settings, struct settings **ret);
enum settings_scope settings_get_scope(const struct settings *settings);
struct settings *settings_free(struct settings *settings);
DEFINE_CLEANUP(struct settings *, settings_free);

/* Why a value was refused; @name is a dotted name and @value escaped text. */
struct settings_fault {
	char name[64];
	char value[128];
	char message[192]; /* "must be 512 to 16777215" */
	int64_t minimum, maximum;
	bool has_range;
};

/* Errors of the setters: -ENOENT (unknown name, or not of this scope), -EINVAL, -ERANGE with
 * @ret_fault filled in; -ENOMEM. */
int settings_set_text(struct settings *settings, const char *name, const char *value,
		      struct settings_fault *ret_fault);
/* Takes over all fields present in a Settings object of org.ois.node, org.ois.discovery or
 * org.ois.interface; all or nothing. Output-only fields are ignored. */
int settings_set_json(struct settings *settings, json_object *object,
		      struct settings_fault *ret_fault);
/* Back to "not configured". "keys" resets all below it. -ENOENT: unknown name. */
int settings_reset(struct settings *settings, const char *name);
/* Adds what @from has and @settings can have. Errors: -ENOMEM. */
int settings_take_over(struct settings *settings, const struct settings *from);
/* A value that does not go with others: fills @ret_fault in and returns -EINVAL. */
int settings_conflict(const struct settings *settings, enum setting setting, const char *message,
		      struct settings_fault *ret_fault);
/* Rules between settings, checked on the effective set (firstBurstLength above maxBurstLength,
 * ...). */
int settings_check(const struct settings *effective, struct settings_fault *ret_fault);

/* A Settings object of what is set. NULL: no memory. */
json_object *settings_to_json(const struct settings *settings);

bool settings_is_set(const struct settings *settings, enum setting setting);
bool settings_is_empty(const struct settings *settings);
bool settings_equal(const struct settings *a, const struct settings *b);

/*
 * Built-in defaults, over them @defaults (of the configuration file), over them what @interface
 * has, over them @own; each may be NULL. @defaults and @own are of one scope, which is the
 * result's, and that of a node if there is neither.
 */
int settings_effective(const struct settings *defaults, const struct settings *interface,
		       const struct settings *own, struct settings **ret);

/* Only on an effective set. Booleans and enumerations are numbers. */
int64_t settings_number(const struct settings *effective, enum setting setting);
/* NULL: not configured and no default. */
const char *settings_text(const struct settings *effective, enum setting setting);
/* Writes indices into .values in order of preference; returns how many. */
size_t settings_list(const struct settings *effective, enum setting setting, int ret[8]);

/* Indices of network.family and network.configuration. */
#define SETTING_NETWORK_MTU_MAX 9000
enum setting_family {
	SETTING_FAMILY_IPV4,
	SETTING_FAMILY_IPV6,
};
enum setting_configuration {
	SETTING_CONFIGURATION_STATIC,
	SETTING_CONFIGURATION_DHCP,
	SETTING_CONFIGURATION_AUTOMATIC,
};

enum setting_startup {
	STARTUP_MANUAL,
	STARTUP_AUTOMATIC,
};
enum setting_authentication {
	AUTHENTICATION_NONE,
	AUTHENTICATION_CHAP,
	AUTHENTICATION_MUTUAL_CHAP,
};
/* Indices of authentication.algorithms. */
enum setting_chap_algorithm {
	SETTING_CHAP_MD5,
	SETTING_CHAP_SHA1,
	SETTING_CHAP_SHA256,
	SETTING_CHAP_SHA3_256,
};
/* Indices of keys.headerDigest and keys.dataDigest. */
enum setting_digest {
	SETTING_DIGEST_NONE,
	SETTING_DIGEST_CRC32C,
};
