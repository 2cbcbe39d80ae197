/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the verbs of ois-ctl share: options, exit statuses, and the tables that drive parsing, help
 * and completion.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ois/ois.h>

#include "output.h"

/* ois-ctl(1) documents these. */
enum status {
	STATUS_DONE = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_NOTHING = 3, /* nothing matched */
	STATUS_DENIED = 4,
	STATUS_UNREACHABLE = 5,
	STATUS_TIMEOUT = 6,
	STATUS_PARTLY = 7, /* some of several things failed */
};

enum cli_option {
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_SOCKET,
	OPTION_TIMEOUT,
	OPTION_JSON,
	OPTION_JSON_AUTO,
	OPTION_NO_LEGEND,
	OPTION_NO_PAGER,
	OPTION_FULL,
	OPTION_QUIET,
	OPTION_ALL,
	OPTION_FORCE,
	OPTION_NO_WAIT,
	OPTION_SHUTDOWN,
	OPTION_PORTAL,
	OPTION_STARTUP,
	OPTION_RECORD,
	OPTION_INTERFACE,
	OPTION_SOURCE,
	OPTION_RESET,
	OPTION_SECRET,
	OPTION_SECRET_FILE,
	OPTION_TARGET_SECRET,
	OPTION_TARGET_SECRET_FILE,
	OPTION_SECRET_FORMAT,
	OPTION_REMOVE_SECRET,
	OPTION_REMOVE_TARGET_SECRET,
	OPTION_LUN,
	OPTION_FOLLOW,
	OPTION_LIVE,
	OPTION_LIST,
	OPTION_NUMBER,
	OPTION_TARGET,
	OPTION_SINCE,
	OPTION_LINES,
	OPTION_WATCH,
	OPTION_INTERVAL,
	OPTION_COUNT,
	OPTION_OPENMETRICS,
	OPTION_HOSTS,
	OPTION_PAGE,
	OPTION_DEADLINE,
	OPTION_SIZE,
	OPTION_INDEX,
	_OPTION_MAX,
};
_Static_assert(_OPTION_MAX <= 64, "options are bits of an uint64_t");

#define BIT(option) (UINT64_C(1) << (option))
/* Accepted by every verb. */
#define GENERAL_OPTIONS (BIT(OPTION_QUIET + 1) - 1)

/* How a secret is to be read; SECRET_NONE: not at all. */
enum secret_source {
	SECRET_NONE,
	SECRET_PROMPT,
	SECRET_FILE,
	SECRET_REMOVE,
};

struct secret_option {
	enum secret_source source;
	const char *path; /* SECRET_FILE; "-" is standard input */
};

struct cli {
	char **argv; /* as the program was called; options may have moved to its front */
	struct output output;
	struct ois_client *client;
	const struct verb *verb;
	const char *socket;
	uint64_t timeout_usec;
	uint64_t given; /* options, as bits */

	const char *portal, *startup, *record, *interface, *source, *lun, *target;
	const char **reset; /* NULL-terminated; NULL: none */
	size_t n_reset;
	struct secret_option secrets[2]; /* by enum ois_secret_role */
	enum ois_secret_format secret_format;
	unsigned *numbers;
	size_t n_numbers;
	int64_t since_usec; /* -1: no limit */
	int64_t lines;      /* -1: no limit */
	int64_t interval;   /* seconds */
	int64_t count;      /* -1: no limit */
	int64_t page, deadline, size, index;
};

/* What completion offers for arguments of a verb. */
enum complete {
	COMPLETE_NONE,
	COMPLETE_NODES,           /* target names of nodes */
	COMPLETE_SESSIONS,        /* numbers and target names of sessions */
	COMPLETE_SETTINGS,        /* a target, then settings */
	COMPLETE_PORTALS,         /* portals that something is kept for */
	COMPLETE_PORTAL_SETTINGS, /* a portal, then settings of discoveries */
	COMPLETE_IFACES,          /* names of interfaces */
	COMPLETE_IFACE_SETTINGS,  /* an interface, then its settings */
	COMPLETE_HOSTS,           /* numbers and hardware addresses of hosts */
	COMPLETE_EVENTS,          /* for --number: the verb has no arguments */
};

struct verb {
	const char *name; /* "node show": one word or more */
	const char *arguments;
	int minimum, maximum; /* arguments; maximum -1: any number */
	uint64_t options;
	enum complete complete;
	enum status (*run)(struct cli *cli, char **arguments); /* NULL-terminated */
	const char *help;                                      /* NULL: not shown */
};

struct option_row {
	const char *name;
	char letter;          /* '\0': none */
	const char *argument; /* NULL: takes none */
	const char *help;
};

/* The first one runs when none is named. */
extern const struct verb verbs[];
extern const size_t n_verbs;
extern const struct option_row option_rows[_OPTION_MAX];

static inline bool option_given(const struct cli *cli, enum cli_option option)
{
	return cli->given & BIT(option);
}

/* How many of the first words name the verb; 0: they do not. */
int verb_match(const struct verb *verb, char **words);
/*
 * Reads options and verb into @cli; *@ret_arguments points to the verb's own arguments in @argv,
 * NULL-terminated. Returns -1 to go on, or an exit status after a message, the help or the version
 * was printed.
 */
int options_parse(struct cli *cli, int argc, char **argv, char ***ret_arguments);
void options_done(struct cli *cli);
void print_help(const struct output *output);
/* A number from @minimum on. Errors: -EINVAL. */
int parse_count(const char *text, uint64_t minimum, int64_t *ret);
/* "2026-11-23 18:00", "18:00", "yesterday", "-2h". Errors: -EINVAL. */
int parse_since(const char *text, int64_t now_usec, int64_t *ret_usec);

/*
 * Reports the failure of what was attempted and returns the exit status: "Failed to @attempt: why".
 * @error may be NULL. What a person can do next is said too, where it is known.
 */
enum status report(struct cli *cli, int r, const struct ois_error *error, const char *format, ...)
	_printf_(4, 5);
/*
 * Says where to read about the event that reported a failure, once for each; nothing if @event is
 * no known number.
 */
void report_event(const struct cli *cli, int64_t event);
enum status usage_error(const char *format, ...) _printf_(1, 2);
enum status status_from_errno(int r);
/* Exit status of several things: STATUS_PARTLY if their statuses differ. */
void combine_status(enum status *total, enum status one, bool first);

/* --- Verbs --- */

enum status verb_status(struct cli *cli, char **arguments);
enum status verb_reload(struct cli *cli, char **arguments);
enum status verb_settings(struct cli *cli, char **arguments);
enum status verb_discover(struct cli *cli, char **arguments);
enum status verb_nodes(struct cli *cli, char **arguments);
enum status verb_node_show(struct cli *cli, char **arguments);
enum status verb_node_add(struct cli *cli, char **arguments);
enum status verb_node_set(struct cli *cli, char **arguments);
enum status verb_node_remove(struct cli *cli, char **arguments);
enum status verb_portals(struct cli *cli, char **arguments);
enum status verb_portal_show(struct cli *cli, char **arguments);
enum status verb_portal_set(struct cli *cli, char **arguments);
enum status verb_portal_remove(struct cli *cli, char **arguments);
enum status verb_ifaces(struct cli *cli, char **arguments);
enum status verb_iface_show(struct cli *cli, char **arguments);
enum status verb_iface_add(struct cli *cli, char **arguments);
enum status verb_iface_set(struct cli *cli, char **arguments);
enum status verb_iface_apply(struct cli *cli, char **arguments);
enum status verb_iface_remove(struct cli *cli, char **arguments);
enum status verb_login(struct cli *cli, char **arguments);
enum status verb_logout(struct cli *cli, char **arguments);
enum status verb_sessions(struct cli *cli, char **arguments);
enum status verb_session_show(struct cli *cli, char **arguments);
enum status verb_rescan(struct cli *cli, char **arguments);
enum status verb_session_adopt(struct cli *cli, char **arguments);
enum status verb_scsi_inquiry(struct cli *cli, char **arguments);
enum status verb_scsi_report_luns(struct cli *cli, char **arguments);
enum status verb_scsi_read_capacity(struct cli *cli, char **arguments);
enum status verb_hosts(struct cli *cli, char **arguments);
enum status verb_host_show(struct cli *cli, char **arguments);
enum status verb_host_set(struct cli *cli, char **arguments);
enum status verb_host_stats(struct cli *cli, char **arguments);
enum status verb_host_ping(struct cli *cli, char **arguments);
enum status verb_host_chap_list(struct cli *cli, char **arguments);
enum status verb_host_chap_set(struct cli *cli, char **arguments);
enum status verb_host_chap_remove(struct cli *cli, char **arguments);
enum status verb_flash_list(struct cli *cli, char **arguments);
enum status verb_flash_show(struct cli *cli, char **arguments);
enum status verb_flash_add(struct cli *cli, char **arguments);
enum status verb_flash_set(struct cli *cli, char **arguments);
enum status verb_flash_remove(struct cli *cli, char **arguments);
enum status verb_flash_login(struct cli *cli, char **arguments);
enum status verb_flash_logout(struct cli *cli, char **arguments);
enum status verb_stats(struct cli *cli, char **arguments);
enum status verb_events(struct cli *cli, char **arguments);
enum status verb_completion(struct cli *cli, char **arguments);

/* --- Shared by verbs --- */

static inline void selector_freep(struct ois_selector **selector)
{
	ois_selector_free(*selector);
}
static inline void call_unrefp(struct ois_call **call)
{
	ois_call_unref(*call);
}
static inline void error_unrefp(struct ois_error **error)
{
	ois_error_unref(*error);
}

/* Selector of nodes: @target (NULL: any), --portal, --startup. Prints its own message. */
enum status select_nodes(struct cli *cli, const char *target, struct ois_selector **ret);
/*
 * Selector of sessions: @which is a number, a target or a pattern (NULL: any), --portal. Prints its
 * own message.
 */
enum status select_sessions(struct cli *cli, const char *which, struct ois_selector **ret);

/* -1 for absent. */
int64_t number_or(int r, int64_t number, int64_t otherwise);
/* "3 nodes", "1 node" */
const char *plural(size_t n, const char *one, const char *many);

/* A secret, zeroed by secret_buffer_done(). */
struct secret_buffer {
	char *bytes;
	size_t length;
};
/*
 * Reads a secret in @format from where @option says; a line end after it does not belong to it.
 * Prints its own message.
 */
enum status secret_read(const struct secret_option *option, enum ois_secret_format format,
			const char *prompt, struct secret_buffer *ret);
void secret_buffer_done(struct secret_buffer *secret);

/* --- Shared by nodes and portals --- */

typedef int (*setting_function_t)(const char *name, const char *value, void *userdata);

/* An object with settings. */
struct settings_of {
	const void *object;
	const char *noun; /* where a setting that is no default comes from */
	int (*get)(const void *object, const char *name, unsigned flags, char **ret);
	int (*foreach)(const void *object, unsigned flags, setting_function_t function,
		       void *userdata);
};

/* A table of the settings in effect, after an empty line. */
void show_settings(const struct output *output, const struct settings_of *settings);
/* Settings of @what that cannot be sent. */
enum status refuse_settings(struct cli *cli, int r, const struct ois_error *error,
			    const char *attempt, const char *what);

bool secrets_given(const struct cli *cli);
/* Reads what is to be stored, before anything is changed. */
enum status read_secrets(const struct cli *cli, struct secret_buffer secrets[2]);
/* Makes the call that stores a secret, or removes it if it is empty. */
typedef int (*secret_call_t)(struct cli *cli, const void *where, enum ois_secret_role role,
			     const struct secret_buffer *secret, struct ois_call **ret);
/* @what: @where as a person calls it. */
enum status store_secrets(struct cli *cli, secret_call_t make_call, const void *where,
			  const char *what, const struct secret_buffer secrets[2]);
