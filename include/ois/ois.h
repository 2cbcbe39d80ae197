/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libois: the C interface to oisd, the iSCSI initiator daemon. libois(3) has an introduction and an
 * example.
 *
 * - Errors: functions that return int return 0 or a positive number on success and a negative errno
 *   on failure. Results go to ret_ parameters, which are not touched on failure. Every function may
 *   return -ENOMEM and, for an argument that makes no sense, -EINVAL; other errors stand beside the
 *   function.
 * - Ownership: what a function hands out through a ret_ parameter belongs to the caller, who gives
 *   it back with the _unref() or _free() of its type; both accept NULL and return NULL. Everything
 *   returned otherwise, text above all, is borrowed: it lives as long as the object it came from.
 * - Text is UTF-8, ended by NUL. Names and messages may come from a target: escape control
 *   characters before showing them on a terminal.
 * - Units: times of day are in microseconds since 1970 (CLOCK_REALTIME), other units stand in the
 *   name.
 * - Threads: a client, and everything that came from it, belongs to one thread at a time. Different
 *   clients may be used by different threads. The library starts no thread, installs no signal
 *   handler and prints nothing.
 * - Growth: a later daemon may send more fields, and new words where words come from a list: treat
 *   unknown words as text.
 */
#ifndef OIS_OIS_H
#define OIS_OIS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ois_client;
struct ois_call;
struct ois_reply;
struct ois_error;
struct ois_selector;

/* --- Client: the way to the daemon --- */

#define OIS_SOCKET_PATH     "/run/ois/org.ois"
#define OIS_TIMEOUT_NONE    UINT64_MAX
#define OIS_TIMEOUT_DEFAULT UINT64_C(45000000)

/* Calls of one client that are under way at the same time; further ones wait their turn. */
#define OIS_CALLS_MAX 8

/*
 * Makes a client for the daemon behind the socket @path, OIS_SOCKET_PATH if NULL. Nothing
 * is opened yet: the connection is made with the first call, without waiting for it.
 * Errors: -ENAMETOOLONG, and those of epoll_create1(2).
 */
int ois_client_new(const char *path, struct ois_client **ret);

/*
 * Ends all calls that are under way as ois_call_cancel() does, and closes every connection. Not to
 * be called from a handler.
 */
struct ois_client *ois_client_free(struct ois_client *client);

/*
 * How long a call may go without an answer before it fails with -ETIMEDOUT, in microseconds. It
 * holds for calls made afterwards, but not for those without a limit (see ois_call_set_timeout()).
 * Default: OIS_TIMEOUT_DEFAULT.
 */
void ois_client_set_timeout(struct ois_client *client, uint64_t usec);

/*
 * For event loops: wait until poll(2) reports ois_client_get_events() on ois_client_get_fd(), or
 * until CLOCK_MONOTONIC reaches ois_client_get_timeout() microseconds (OIS_TIMEOUT_NONE: for ever),
 * then call ois_client_process(). The descriptor stays the same for the client's life and belongs
 * to it; the time changes, so ask before every wait.
 */
int ois_client_get_fd(const struct ois_client *client);
int ois_client_get_events(const struct ois_client *client);
uint64_t ois_client_get_timeout(const struct ois_client *client);

/*
 * Sends and receives what can be without waiting, and runs the handlers of what came. Returns 1 if
 * something was done, 0 if not. The failure of a call is told to its handler, not here. Errors:
 * -EBUSY when called from a handler.
 */
int ois_client_process(struct ois_client *client);

/*
 * Waits until ois_client_process() has something to do, at most @timeout_usec. Returns 1 then, 0
 * when the time is up. Errors: -EINTR (a signal handler ran).
 */
int ois_client_wait(struct ois_client *client, uint64_t timeout_usec);

/* --- Calls --- */

enum ois_call_flags {
	/* Several replies are expected: the Varlink flag "more". */
	OIS_CALL_MORE = 1 << 0,
	/*
	 * The call changes nothing, so it is made once more if the daemon went away (was
	 * restarted) before the first reply. Calls without this flag are never repeated.
	 */
	OIS_CALL_READ = 1 << 1,
};

/*
 * Hears every reply to a call; ois_reply_is_last() tells the last one, and ois_reply_get_error()
 * whether the call failed. @reply is borrowed and gone after the return; objects taken from it live
 * on with a reference of their own. A handler may start and cancel calls, but not wait for them. A
 * negative return value cancels the call.
 */
typedef int (*ois_handler_t)(struct ois_call *call, const struct ois_reply *reply, void *userdata);

/*
 * Makes a call to any method of the daemon, with the parameters as the text of a JSON object (NULL:
 * none). The functions below that end in _call() make the calls of the interfaces known here.
 * Errors: -EBADMSG (@parameters is no JSON object).
 */
int ois_call_new(struct ois_client *client, const char *method, const char *parameters,
		 unsigned flags, struct ois_call **ret);
struct ois_call *ois_call_ref(struct ois_call *call);
struct ois_call *ois_call_unref(struct ois_call *call);

/*
 * Adds a parameter to a call not yet started, or replaces it; @json is the text of a JSON value.
 * For parameters of a method that the function which made the call has no argument for. Errors:
 * -EBADMSG (no JSON value), -EBUSY (started).
 */
int ois_call_set_parameter(struct ois_call *call, const char *name, const char *json);
/* The same for a parameter that is text; NULL removes it. Errors: -EBUSY (started). */
int ois_call_set_text(struct ois_call *call, const char *name, const char *text);

/*
 * Time without a reply after which the call fails, in microseconds. Calls whose work takes as long
 * as it takes (login, logout, discovery, rescan, subscription) start with OIS_TIMEOUT_NONE, all
 * others with that of the client. Errors: -EBUSY.
 */
int ois_call_set_timeout(struct ois_call *call, uint64_t usec);

/*
 * Starts the call; @handler (may be NULL) runs from ois_client_process(). The client holds a
 * reference to the call until its last reply, so the caller's may be dropped. A call can be started
 * once. Errors: -EBUSY.
 */
int ois_call_start(struct ois_call *call, ois_handler_t handler, void *userdata);

/*
 * Starts the call and waits for its last reply. @handler may be NULL. Handlers of other calls of
 * the client run meanwhile. Returns 0, the negative value of a handler, or the errno of the
 * failure; then *@ret_error, if not NULL, tells all that is known (and is NULL after a handler's
 * own value). Errors: -EBUSY (already started, or called from a handler), -ECANCELED, and every
 * errno described at struct ois_error.
 */
int ois_call_run(struct ois_call *call, ois_handler_t handler, void *userdata,
		 struct ois_error **ret_error);

/*
 * Ends the call; its handler is not heard again. Varlink has no message for it: the connection is
 * closed. The daemon then ends a discovery or a subscription, but carries on with logins and
 * logouts.
 */
void ois_call_cancel(struct ois_call *call);

struct ois_client *ois_call_get_client(const struct ois_call *call);

/* The last reply that came, NULL before the first. Borrowed until the next reply. */
const struct ois_reply *ois_call_get_reply(const struct ois_call *call);

/* --- Errors --- */

/*
 * Why a call failed. The errno is one of these; names are the errors of the Varlink
 * interfaces.
 * - -ENOENT, -ECONNREFUSED: no daemon behind the socket
 * - -ECONNRESET: the daemon went away during the call
 * - -ETIMEDOUT: no reply in time, or the daemon had none from a target: TimedOut
 * - -EPROTO: the reply was no Varlink
 * - -EMSGSIZE: a call was longer than 1 MiB, or a reply longer than 16 MiB
 * - -EACCES: PermissionDenied, and for a socket that may not be opened
 * - -ENXIO, -ENOTTY: the daemon does not know the method, or cannot do it
 * - -EAGAIN: NotReady
 * - -EINVAL: InvalidParameter, InvalidSetting, ConfigurationInvalid, SecretTooShort
 * - -ESRCH: NoSuchNode, NoSuchSession, NoSuchEvent, NoSuchPortal, NoSuchHost,
 *   NoSuchEntry
 * - -EEXIST: NodeExists
 * - -EBUSY: NodeInUse, SessionInUse, EntryInUse, SubscriptionLimit
 * - -EOPNOTSUPP: NotManaged, NotSupported
 * - -ENOTCONN: NotLoggedIn
 * - -EREMOTEIO: any other error; the daemon tried and failed, as in LoginFailed
 */
struct ois_error *ois_error_ref(struct ois_error *error);
struct ois_error *ois_error_unref(struct ois_error *error);
/* Negative errno. */
int ois_error_get_errno(const struct ois_error *error);
/*
 * Name of the Varlink error, such as "org.ois.session.LoginFailed"; NULL if the failure is not the
 * daemon's answer.
 */
const char *ois_error_get_name(const struct ois_error *error);
/* One sentence in English without full stop. Never NULL. */
const char *ois_error_get_message(const struct ois_error *error);
/* Number of the event that reported the failure to the journal; 0: none. */
unsigned ois_error_get_event(const struct ois_error *error);
/* Parameters of the Varlink error as the text of a JSON object; "{}" if none. */
const char *ois_error_get_json(const struct ois_error *error);
/* A field of them, as described at OIS_OBJECT. */
const char *ois_error_get_text(const struct ois_error *error, const char *name);

/* --- Objects --- */

/*
 * What the daemon tells is handed out as objects that never change. OIS_OBJECT(noun) declares for
 * an object:
 * - ois_noun_ref(), ois_noun_unref(): take and give back a reference.
 * - ois_noun_get_json(): all of it, as the text of a JSON object with the names of the Varlink
 *   interface.
 * - ois_noun_get_text(object, "name"): a field as text, or NULL if it is absent. "a.b" is field b
 * of the object in field a, "a.0" the first element of the array in field a. Numbers and booleans
 * are given as in JSON, arrays and objects as JSON.
 * - ois_noun_get_number(object, "name", &ret): a field that is an integer. -ENODATA: absent, or of
 *   another type.
 * - ois_noun_get_boolean(object, "name"): a field that is a boolean: 0 or 1. -ENODATA: as before.
 *
 * The functions that name a field do the same: text is NULL and numbers are -ENODATA where the
 * daemon said nothing.
 */
#define OIS_OBJECT(noun)                                                                           \
	struct ois_##noun;                                                                         \
	struct ois_##noun *ois_##noun##_ref(struct ois_##noun *noun);                              \
	struct ois_##noun *ois_##noun##_unref(struct ois_##noun *noun);                            \
	const char *ois_##noun##_get_json(const struct ois_##noun *noun);                          \
	const char *ois_##noun##_get_text(const struct ois_##noun *noun, const char *name);        \
	int ois_##noun##_get_number(const struct ois_##noun *noun, const char *name,               \
				    int64_t *ret);                                                 \
	int ois_##noun##_get_boolean(const struct ois_##noun *noun, const char *name)

/* org.ois.manager: Status, SettingDescription */
OIS_OBJECT(status);
OIS_OBJECT(setting);
/* org.ois.node: Record */
OIS_OBJECT(node);
/* org.ois.discovery: Target, Portal, PortalRecord */
OIS_OBJECT(target);
OIS_OBJECT(portal);
OIS_OBJECT(portal_record);
/* org.ois.interface: Interface */
OIS_OBJECT(interface);
/* org.ois.session: Session, Connection, LogicalUnit, LoginProgress and LogoutProgress, Failure,
 * Statistics */
OIS_OBJECT(session);
OIS_OBJECT(connection);
OIS_OBJECT(logical_unit);
OIS_OBJECT(progress);
OIS_OBJECT(failure);
OIS_OBJECT(statistics);
/* What came of it all, in numbers: LoginSummary, LogoutSummary, Summary of org.ois.discovery */
OIS_OBJECT(summary);
/* org.ois.event: Event */
OIS_OBJECT(event);
/* org.ois.host: Host, ChapEntry, FlashNode */
OIS_OBJECT(host);
OIS_OBJECT(chap_entry);
OIS_OBJECT(flash_node);

/* True for the last reply to a call. */
int ois_reply_is_last(const struct ois_reply *reply);
/* Set if the call failed; the reply is then the last one and holds nothing else. */
struct ois_error *ois_reply_get_error(const struct ois_reply *reply);
/* Parameters of the reply as the text of a JSON object; "{}" if there are none. */
const char *ois_reply_get_json(const struct ois_reply *reply);
/* Fields of the parameters, as described at OIS_OBJECT. */
const char *ois_reply_get_text(const struct ois_reply *reply, const char *name);
int ois_reply_get_number(const struct ois_reply *reply, const char *name, int64_t *ret);
int ois_reply_get_boolean(const struct ois_reply *reply, const char *name);

/*
 * What the reply holds, NULL if it is not of this kind. Lists send one object a reply; an empty
 * list sends none.
 */
struct ois_status *ois_reply_get_status(const struct ois_reply *reply);
struct ois_setting *ois_reply_get_setting(const struct ois_reply *reply);
struct ois_node *ois_reply_get_node(const struct ois_reply *reply);
struct ois_target *ois_reply_get_target(const struct ois_reply *reply);
struct ois_portal_record *ois_reply_get_portal_record(const struct ois_reply *reply);
struct ois_interface *ois_reply_get_interface(const struct ois_reply *reply);
struct ois_session *ois_reply_get_session(const struct ois_reply *reply);
struct ois_progress *ois_reply_get_progress(const struct ois_reply *reply);
struct ois_statistics *ois_reply_get_statistics(const struct ois_reply *reply);
struct ois_summary *ois_reply_get_summary(const struct ois_reply *reply);
struct ois_event *ois_reply_get_event(const struct ois_reply *reply);
struct ois_host *ois_reply_get_host(const struct ois_reply *reply);
struct ois_chap_entry *ois_reply_get_chap_entry(const struct ois_reply *reply);
struct ois_flash_node *ois_reply_get_flash_node(const struct ois_reply *reply);

/* --- Selecting nodes and sessions --- */

/*
 * A selector without conditions selects everything; every condition narrows it. For
 * functions that only list, NULL stands for such a selector; where something is changed,
 * NULL is refused with -EINVAL, so that "everything" has to be said.
 */
int ois_selector_new(struct ois_selector **ret);
struct ois_selector *ois_selector_free(struct ois_selector *selector);
/* Shell pattern, glob(7); a plain target name selects that target. */
int ois_selector_set_target_name(struct ois_selector *selector, const char *pattern);
/*
 * "ADDRESS[:PORT]" of the node's portal, "[...]" around an IPv6 address before a port. Without a
 * port: any.
 */
int ois_selector_set_portal(struct ois_selector *selector, const char *portal);
/* For nodes: "manual" or "automatic". */
int ois_selector_set_startup(struct ois_selector *selector, const char *startup);
/* For sessions: number in the kernel. */
int ois_selector_set_session(struct ois_selector *selector, int64_t session);

/* --- The daemon --- */

/*
 * Waits for the status of the daemon. Errors: those of ois_call_run(), as in every function
 * here with a ret_error.
 */
int ois_get_status(struct ois_client *client, struct ois_status **ret,
		   struct ois_error **ret_error);
/* Reply: ois_reply_get_status(). */
int ois_get_status_call(struct ois_client *client, struct ois_call **ret);

const char *ois_status_get_version(const struct ois_status *status);
/* "starting", "running" or "stopping". */
const char *ois_status_get_state(const struct ois_status *status);
int ois_status_get_process_id(const struct ois_status *status, int64_t *ret);
int ois_status_get_started_usec(const struct ois_status *status, int64_t *ret);
const char *ois_status_get_initiator_name(const struct ois_status *status);
/* Node records. */
int ois_status_get_nodes(const struct ois_status *status, int64_t *ret);
/* Sessions in the kernel, and those of them that lost their connection and are logging in again. */
int ois_status_get_sessions(const struct ois_status *status, int64_t *ret);
int ois_status_get_recovering(const struct ois_status *status, int64_t *ret);

/*
 * Makes the daemon read its configuration files again. The reply is empty;
 * org.ois.manager.ConfigurationInvalid tells file and line, and the old configuration stays in
 * effect.
 */
int ois_reload_call(struct ois_client *client, struct ois_call **ret);

/*
 * Waits for the descriptions of all settings a node may have. *@ret is an array that ends with
 * NULL; returns how many stand before it. ois_settings_free() drops the references and the array.
 */
int ois_list_settings(struct ois_client *client, struct ois_setting ***ret,
		      struct ois_error **ret_error);
struct ois_setting **ois_settings_free(struct ois_setting **settings);
/* Replies: ois_reply_get_setting(). */
int ois_list_settings_call(struct ois_client *client, struct ois_call **ret);

/* Dotted, such as "loginTimeoutSeconds" or "keys.maxBurstLength". */
const char *ois_setting_get_name(const struct ois_setting *setting);
/* "boolean", "integer", "text", "enumeration" or "list" (of words, in order of preference). */
const char *ois_setting_get_kind(const struct ois_setting *setting);
const char *ois_setting_get_default(const struct ois_setting *setting);
/* Least and greatest value of an integer; the greatest length of a text. */
int ois_setting_get_minimum(const struct ois_setting *setting, int64_t *ret);
int ois_setting_get_maximum(const struct ois_setting *setting, int64_t *ret);
/* Words an enumeration or list may hold, NULL after the last. */
const char *ois_setting_get_value(const struct ois_setting *setting, size_t index);
/* "immediately" or "next_login". */
const char *ois_setting_get_applies(const struct ois_setting *setting);
/* Boolean: discoveries have it, too. */
int ois_setting_is_for_discovery(const struct ois_setting *setting);
int ois_setting_is_for_node(const struct ois_setting *setting);
int ois_setting_is_for_interface(const struct ois_setting *setting);
const char *ois_setting_get_description(const struct ois_setting *setting);

/* --- Discovery --- */

/*
 * Asks the portal "ADDRESS[:PORT]" (3260 by default) which targets it has, with the settings and
 * secrets that are kept for it. @record says
 * what becomes of node records: "none", "add" (create missing ones), "update" (also refresh
 * alias and portal group), "replace" (also delete those found here before that are gone);
 * NULL is "none". Settings of nodes are never changed. Replies: the present phase as the
 * text "phase" ("resolving", "connecting", "authenticating", "querying", "recording"),
 * ois_reply_get_target() for every target, last ois_reply_get_summary() with the numbers
 * targets, portals, recordsCreated, recordsUpdated, recordsDeleted, durationUSec.
 * Cancelling the call ends the discovery. While the replies are not read the portal waits.
 * More can be asked for with ois_call_set_text(): "targetName" (only this one), "interface" and
 * "sourceAddress" (the way to the portal; not together if the interface is of an adapter with a
 * network of its own: org.ois.discovery.InvalidSetting).
 */
int ois_discover_call(struct ois_client *client, const char *portal, const char *record,
		      struct ois_call **ret);

const char *ois_target_get_name(const struct ois_target *target);
const char *ois_target_get_alias(const struct ois_target *target);
/* Portals of the target that have a node record now. */
int ois_target_get_recorded(const struct ois_target *target, int64_t *ret);
/* NULL after the last. Borrowed. */
struct ois_portal *ois_target_get_portal(const struct ois_target *target, size_t index);

/* Numeric or a name; IPv6 without brackets. */
const char *ois_portal_get_address(const struct ois_portal *portal);
int ois_portal_get_port(const struct ois_portal *portal, int64_t *ret);
int ois_portal_get_portal_group_tag(const struct ois_portal *portal, int64_t *ret);

/* --- Nodes: what this host may log in to --- */

enum ois_list_flags {
	/* Nodes: also the settings in effect after defaults. */
	OIS_LIST_EFFECTIVE = 1 << 0,
	/* Sessions: also their logical units. */
	OIS_LIST_LOGICAL_UNITS = 1 << 1,
};

/*
 * Waits for the nodes selected, sorted by target name, address and port; array as in
 * ois_list_settings().
 */
int ois_list_nodes(struct ois_client *client, const struct ois_selector *selector, unsigned flags,
		   struct ois_node ***ret, struct ois_error **ret_error);
struct ois_node **ois_nodes_free(struct ois_node **nodes);
/* Replies: ois_reply_get_node(). */
int ois_list_nodes_call(struct ois_client *client, const struct ois_selector *selector,
			unsigned flags, struct ois_call **ret);

const char *ois_node_get_target_name(const struct ois_node *node);
const char *ois_node_get_target_alias(const struct ois_node *node);
/* Numeric or a name; IPv6 without brackets. */
const char *ois_node_get_address(const struct ois_node *node);
int ois_node_get_port(const struct ois_node *node, int64_t *ret);
int ois_node_get_portal_group_tag(const struct ois_node *node, int64_t *ret);
/* "static" (created by a person) or "send_targets". */
const char *ois_node_get_origin(const struct ois_node *node);
int ois_node_get_created_usec(const struct ois_node *node, int64_t *ret);
int ois_node_get_changed_usec(const struct ois_node *node, int64_t *ret);
/* Kernel number of the index-th session made from the node. -ENODATA: after the last. */
int ois_node_get_session(const struct ois_node *node, size_t index, int64_t *ret);

/*
 * A setting by its dotted name, as text: booleans are "yes" or "no", lists are joined with commas.
 * With OIS_LIST_EFFECTIVE in @flags the value in effect (if the list was asked for with it), else
 * what is configured for the node itself. The caller frees *@ret. Errors: -ENODATA (not
 * configured).
 */
int ois_node_get_setting(const struct ois_node *node, const char *name, unsigned flags, char **ret);
/*
 * Calls @function for every setting present, in the order of the daemon; a value other than 0 ends
 * it and is returned.
 */
int ois_node_foreach_setting(const struct ois_node *node, unsigned flags,
			     int (*function)(const char *name, const char *value, void *userdata),
			     void *userdata);

/*
 * Settings for the functions below are an array of "NAME=VALUE" that ends with NULL (or NULL for
 * none), where lists are joined with commas, such as "keys.headerDigest=crc32c,none". *@ret_error
 * tells a name that does not exist (-ENOENT) or a value of the wrong kind (-EINVAL); ranges are
 * checked by the daemon: org.ois.node.InvalidSetting.
 */

/* Creates a node. @portal is "ADDRESS[:PORT][,GROUP]". Reply: ois_reply_get_node(). */
int ois_node_create_call(struct ois_client *client, const char *target_name, const char *portal,
			 const char *const *settings, struct ois_call **ret,
			 struct ois_error **ret_error);
/*
 * Changes every node selected, or none if one cannot be changed; what @settings does not name
 * stays. @reset (may be NULL) names settings that go back to their default. The reply has the
 * number "updated".
 */
int ois_node_update_call(struct ois_client *client, const struct ois_selector *selector,
			 const char *const *settings, const char *const *reset,
			 struct ois_call **ret, struct ois_error **ret_error);

enum ois_force_flags {
	/* Nodes: also those with sessions. Sessions: also those whose devices are in use. */
	OIS_FORCE = 1 << 0,
};

/* Deletes every node selected; sessions are kept. The reply has the number "deleted". */
int ois_node_delete_call(struct ois_client *client, const struct ois_selector *selector,
			 unsigned flags, struct ois_call **ret);

/* How a secret is written where people and files keep it. */
enum ois_secret_format {
	OIS_SECRET_TEXT,   /* the bytes as they are */
	OIS_SECRET_HEX,    /* two digits for each byte, with or without "0x" before them */
	OIS_SECRET_BASE64, /* RFC 4648, section 4, with padding; with or without "0b" before it */
};

/*
 * The bytes of a secret. White space does not count, but in OIS_SECRET_TEXT. Zeroing @text and @ret
 * is the caller's part. Errors: -EINVAL (not in this format), -ENOBUFS (more than @size bytes).
 */
int ois_secret_decode(enum ois_secret_format format, const char *text, size_t length, void *ret,
		      size_t size, size_t *ret_length);

enum ois_secret_role {
	OIS_SECRET_INITIATOR, /* proves this host to the target */
	OIS_SECRET_TARGET,    /* proves the target to this host */
};

/*
 * Stores the CHAP secret of every node selected; with @length 0 removes it. The daemon takes
 * 12 to 255 bytes of any value. The bytes are copied, and the copies zeroed once they are sent;
 * zeroing the caller's own is the caller's part. The reply has the number "updated".
 */
int ois_node_set_secret_call(struct ois_client *client, const struct ois_selector *selector,
			     enum ois_secret_role role, const void *secret, size_t length,
			     struct ois_call **ret);

/* --- Discovery: what is kept for a portal --- */

/*
 * Waits for the portals something is kept for, sorted by address and port; array as in
 * ois_list_settings(). @portal "ADDRESS[:PORT]" asks for this one, NULL for all. Flags:
 * OIS_LIST_EFFECTIVE.
 */
int ois_list_portal_records(struct ois_client *client, const char *portal, unsigned flags,
			    struct ois_portal_record ***ret, struct ois_error **ret_error);
struct ois_portal_record **ois_portal_records_free(struct ois_portal_record **records);
/* Replies: ois_reply_get_portal_record(). */
int ois_list_portal_records_call(struct ois_client *client, const char *portal, unsigned flags,
				 struct ois_call **ret);

/* Numeric addresses in their shortest form; IPv6 without brackets. */
const char *ois_portal_record_get_address(const struct ois_portal_record *record);
int ois_portal_record_get_port(const struct ois_portal_record *record, int64_t *ret);
int ois_portal_record_get_created_usec(const struct ois_portal_record *record, int64_t *ret);
int ois_portal_record_get_changed_usec(const struct ois_portal_record *record, int64_t *ret);
/* As ois_node_get_setting() and ois_node_foreach_setting(). */
int ois_portal_record_get_setting(const struct ois_portal_record *record, const char *name,
				  unsigned flags, char **ret);
int ois_portal_record_foreach_setting(const struct ois_portal_record *record, unsigned flags,
				      int (*function)(const char *name, const char *value,
						      void *userdata),
				      void *userdata);

/*
 * Keeps settings for discoveries at a portal, which gets a record with the first one; arguments and
 * errors as of ois_node_update_call(). Reply: ois_reply_get_portal_record().
 */
int ois_portal_record_set_call(struct ois_client *client, const char *portal,
			       const char *const *settings, const char *const *reset,
			       struct ois_call **ret, struct ois_error **ret_error);
/*
 * Stores the CHAP secret for discoveries at a portal, which gets a record with it; with @length 0
 * removes it. Otherwise as ois_node_set_secret_call(). Reply: ois_reply_get_portal_record().
 */
int ois_portal_record_set_secret_call(struct ois_client *client, const char *portal,
				      enum ois_secret_role role, const void *secret, size_t length,
				      struct ois_call **ret);
/* Forgets all that is kept for discoveries at a portal. The reply is empty. */
int ois_portal_record_remove_call(struct ois_client *client, const char *portal,
				  struct ois_call **ret);

/* --- Interfaces: over what this host reaches targets --- */

/*
 * Waits for the interfaces, sorted by name; array as in ois_list_settings(). @name asks for this
 * one, listed or not; NULL for all that are listed. Flags: OIS_LIST_EFFECTIVE, also what the name
 * says.
 */
int ois_list_interfaces(struct ois_client *client, const char *name, unsigned flags,
			struct ois_interface ***ret, struct ois_error **ret_error);
struct ois_interface **ois_interfaces_free(struct ois_interface **interfaces);
/* Replies: ois_reply_get_interface(). */
int ois_list_interfaces_call(struct ois_client *client, const char *name, unsigned flags,
			     struct ois_call **ret);

const char *ois_interface_get_name(const struct ois_interface *interface);
/* SCSI host of the adapter's port. -ENOENT: the port is not there, or it is no port. */
int ois_interface_get_host(const struct ois_interface *interface, int64_t *ret);
/* Nodes and portals that name it. */
int ois_interface_get_users(const struct ois_interface *interface, int64_t *ret);
/* True if its name says all, and nothing was set. */
int ois_interface_is_built_in(const struct ois_interface *interface);
int ois_interface_get_created_usec(const struct ois_interface *interface, int64_t *ret);
int ois_interface_get_changed_usec(const struct ois_interface *interface, int64_t *ret);
/* As ois_node_get_setting() and ois_node_foreach_setting(). */
int ois_interface_get_setting(const struct ois_interface *interface, const char *name,
			      unsigned flags, char **ret);
int ois_interface_foreach_setting(const struct ois_interface *interface, unsigned flags,
				  int (*function)(const char *name, const char *value,
						  void *userdata),
				  void *userdata);

/*
 * Makes an interface, or changes one; arguments and errors as of ois_node_update_call(). Reply:
 * ois_reply_get_interface().
 */
int ois_interface_add_call(struct ois_client *client, const char *name, const char *const *settings,
			   struct ois_call **ret, struct ois_error **ret_error);
int ois_interface_set_call(struct ois_client *client, const char *name, const char *const *settings,
			   const char *const *reset, struct ois_call **ret,
			   struct ois_error **ret_error);
/*
 * Tells adapters those network settings that they do not have; @name NULL: of all interfaces. May
 * take many seconds. The reply has the numbers "applied" and "unchanged".
 */
int ois_interface_apply_call(struct ois_client *client, const char *name, struct ois_call **ret);
/* Forgets what was set for an interface. The reply is empty. */
int ois_interface_remove_call(struct ois_client *client, const char *name, struct ois_call **ret);

/* --- Sessions --- */

/*
 * Waits for the sessions selected, logins under way included; array as in
 * ois_list_settings().
 */
int ois_list_sessions(struct ois_client *client, const struct ois_selector *selector,
		      unsigned flags, struct ois_session ***ret, struct ois_error **ret_error);
struct ois_session **ois_sessions_free(struct ois_session **sessions);
/* Replies: ois_reply_get_session(). */
int ois_list_sessions_call(struct ois_client *client, const struct ois_selector *selector,
			   unsigned flags, struct ois_call **ret);
/*
 * Follows the sessions selected, all if NULL. Replies: ois_reply_get_session() with the fields of
 * Status of org.ois.session, for each session there is; the boolean "ready"; then a session for
 * each change, the last of one with the phase "closed". The number "missed" says that changes were
 * lost on the way, and that all begins anew. Ends only with the connection, or when it is
 * cancelled.
 */
int ois_subscribe_sessions_call(struct ois_client *client, const struct ois_selector *selector,
				struct ois_call **ret);

/* Number in the kernel; absent while the first login is under way. */
int ois_session_get_session(const struct ois_session *session, int64_t *ret);
/* "free", "logged_in" or "failed": RFC 7143, section 8.3. */
const char *ois_session_get_state(const struct ois_session *session);
/* What is being done: "queued", "connecting", ..., "logged_in", "retrying", ..., "closed". */
const char *ois_session_get_phase(const struct ois_session *session);
const char *ois_session_get_target_name(const struct ois_session *session);
const char *ois_session_get_target_alias(const struct ois_session *session);
/* Portal of the node; where the connection goes now stands in the connection. */
const char *ois_session_get_address(const struct ois_session *session);
int ois_session_get_port(const struct ois_session *session, int64_t *ret);
int ois_session_get_portal_group_tag(const struct ois_session *session, int64_t *ret);
/* Kernel transport, such as "tcp". */
const char *ois_session_get_transport(const struct ois_session *session);
/* Number of the SCSI host. */
int ois_session_get_host_number(const struct ois_session *session, int64_t *ret);
/* Boolean: made by the daemon, not found and left alone. */
int ois_session_is_managed(const struct ois_session *session);
/* Boolean: lost its connection and is logging in again. */
int ois_session_is_recovering(const struct ois_session *session);
int ois_session_get_logged_in_usec(const struct ois_session *session, int64_t *ret);
/* Of the last attempt to log in. */
struct ois_failure *ois_session_get_failure(const struct ois_session *session);
/* NULL after the last. Borrowed. */
struct ois_connection *ois_session_get_connection(const struct ois_session *session, size_t index);
struct ois_logical_unit *ois_session_get_logical_unit(const struct ois_session *session,
						      size_t index);

/* Where the connection goes to now, after redirection. */
const char *ois_connection_get_address(const struct ois_connection *connection);
int ois_connection_get_port(const struct ois_connection *connection, int64_t *ret);
/* "free", "xpt_wait", "in_login", "logged_in", ...: RFC 7143, section 8.1. */
const char *ois_connection_get_state(const struct ois_connection *connection);

/* Decimal; in hex with 0x where the number has more than one level. */
const char *ois_logical_unit_get_lun(const struct ois_logical_unit *unit);
/* "host:channel:target:lun" of the SCSI device. */
const char *ois_logical_unit_get_address(const struct ois_logical_unit *unit);
/* Name below /dev, such as "sda". */
const char *ois_logical_unit_get_block_device(const struct ois_logical_unit *unit);
const char *ois_logical_unit_get_vendor(const struct ois_logical_unit *unit);
const char *ois_logical_unit_get_model(const struct ois_logical_unit *unit);
const char *ois_logical_unit_get_wwid(const struct ois_logical_unit *unit);
int ois_logical_unit_get_size_bytes(const struct ois_logical_unit *unit, int64_t *ret);

/*
 * Waits for the counters of the sessions selected; array as in ois_list_settings(). Sessions whose
 * login is under way for the first time have none.
 */
int ois_list_statistics(struct ois_client *client, const struct ois_selector *selector,
			struct ois_statistics ***ret, struct ois_error **ret_error);
struct ois_statistics **ois_statistics_array_free(struct ois_statistics **statistics);
/* Replies: ois_reply_get_statistics(). */
int ois_list_statistics_call(struct ois_client *client, const struct ois_selector *selector,
			     struct ois_call **ret);
/*
 * The same of SCSI hosts, as HostStatistics of org.ois.session: sums over the sessions of each,
 * with the numbers "hostNumber", "sessions", "loggedIn", "logicalUnits" and those of logical units.
 */
int ois_list_host_statistics(struct ois_client *client, struct ois_statistics ***ret,
			     struct ois_error **ret_error);
int ois_list_host_statistics_call(struct ois_client *client, struct ois_call **ret);

/*
 * All counters are numbers named as in org.ois.session: ois_statistics_get_number() with "dataIn",
 * "r2t", "reconnects", ...; those the transport does not count are absent.
 */
int ois_statistics_get_session(const struct ois_statistics *statistics, int64_t *ret);
const char *ois_statistics_get_target_name(const struct ois_statistics *statistics);
const char *ois_statistics_get_address(const struct ois_statistics *statistics);
int ois_statistics_get_port(const struct ois_statistics *statistics, int64_t *ret);
/* Of PDUs, headers included. */
int ois_statistics_get_transmitted_bytes(const struct ois_statistics *statistics, int64_t *ret);
int ois_statistics_get_received_bytes(const struct ois_statistics *statistics, int64_t *ret);
/* With the numbers "requests", "completed", "errors", "timeouts". NULL after the last. Borrowed. */
struct ois_logical_unit *ois_statistics_get_logical_unit(const struct ois_statistics *statistics,
							 size_t index);

enum ois_login_flags {
	/* The summary comes as soon as the logins are queued. */
	OIS_LOGIN_NO_WAIT = 1 << 0,
	/* Logouts at shutdown: what is in use stays, and nodes are logged in at the next start. */
	OIS_LOGOUT_SHUTDOWN = 1 << 1,
};

/*
 * Logs in to every node selected, many at the same time. Replies: ois_reply_get_progress() at each
 * step, last ois_reply_get_summary() with the numbers loggedIn, present, failed. If exactly one
 * node was selected and its login fails, the call fails with org.ois.session.LoginFailed.
 * Cancelling the call does not cancel the logins.
 */
int ois_login_call(struct ois_client *client, const struct ois_selector *selector, unsigned flags,
		   struct ois_call **ret);

/*
 * Logs out every session selected; a login under way is given up. Flags: OIS_FORCE or
 * OIS_LOGOUT_SHUTDOWN. Replies:
 * ois_reply_get_progress(), last ois_reply_get_summary() with the numbers loggedOut, failed. If
 * exactly one session was selected and its logout fails, the call fails:
 * org.ois.session.LogoutFailed, org.ois.session.SessionInUse, ...
 */
int ois_logout_call(struct ois_client *client, const struct ois_selector *selector, unsigned flags,
		    struct ois_call **ret);

const char *ois_progress_get_target_name(const struct ois_progress *progress);
const char *ois_progress_get_address(const struct ois_progress *progress);
int ois_progress_get_port(const struct ois_progress *progress, int64_t *ret);
/*
 * As ois_session_get_phase(). A login ends with "logged_in" or "closed"; a logout with "closed", or
 * with "logged_in" if it failed.
 */
const char *ois_progress_get_phase(const struct ois_progress *progress);
/* From 1; logins only. */
int ois_progress_get_attempt(const struct ois_progress *progress, int64_t *ret);
/* Boolean: was logged in before the call. */
int ois_progress_is_present(const struct ois_progress *progress);
int ois_progress_get_session(const struct ois_progress *progress, int64_t *ret);
/* NULL after the last. Borrowed. */
struct ois_logical_unit *ois_progress_get_logical_unit(const struct ois_progress *progress,
						       size_t index);
struct ois_failure *ois_progress_get_failure(const struct ois_progress *progress);

/* One sentence. */
const char *ois_failure_get_message(const struct ois_failure *failure);
/* Number of the event that reported it. */
int ois_failure_get_event(const struct ois_failure *failure, int64_t *ret);

/*
 * Manages a session of another program, by its number in the kernel, from now on. Errors besides
 * the usual: -ESRCH, -EOPNOTSUPP (it cannot be taken over; the message says why).
 */
int ois_adopt_call(struct ois_client *client, int64_t session, struct ois_call **ret);
/*
 * Looks for new logical units of a session, by its number in the kernel, removes those that are
 * gone, and reads sizes again; @lun (may be NULL) for this one only. The reply has the arrays
 * "added", "removed", "resized" and "kept" (gone, but in use), see ois_reply_get_logical_unit().
 */
int ois_rescan_call(struct ois_client *client, int64_t session, const char *lun,
		    struct ois_call **ret);
/* Element of one of these arrays; NULL after the last. Borrowed. */
struct ois_logical_unit *ois_reply_get_logical_unit(const struct ois_reply *reply,
						    const char *array, size_t index);

/* --- SCSI --- */

/*
 * Ask a logical unit about itself, INQUIRY, REPORT LUNS and READ CAPACITY. @session is the number
 * in the kernel; @lun as in a logical unit, NULL for 0. @page of the vital product data, -1 for the
 * standard data. @timeout_seconds: after which the daemon gives up, 0 for its default. Replies have
 * the fields of org.ois.scsi, see ois_reply_get_text(). Errors of the call: org.ois.scsi.TimedOut,
 * org.ois.scsi.CommandFailed with sense data, ...
 */
int ois_scsi_inquiry_call(struct ois_client *client, int64_t session, const char *lun, int page,
			  unsigned timeout_seconds, struct ois_call **ret);
int ois_scsi_report_luns_call(struct ois_client *client, int64_t session, unsigned timeout_seconds,
			      struct ois_call **ret);
int ois_scsi_read_capacity_call(struct ois_client *client, int64_t session, const char *lun,
				unsigned timeout_seconds, struct ois_call **ret);

/* --- Hosts: ports of adapters --- */

/*
 * SCSI hosts of iSCSI. In these functions @host is a number, or a hardware address, which stays the
 * same over restarts. NULL, where one may be left out: all. Errors besides the usual: -ESRCH,
 * -ENOTUNIQ (several hosts have the address).
 */
int ois_list_hosts(struct ois_client *client, const char *host, struct ois_host ***ret,
		   struct ois_error **ret_error);
struct ois_host **ois_hosts_free(struct ois_host **hosts);
/* Replies: ois_reply_get_host(). */
int ois_list_hosts_call(struct ois_client *client, const char *host, struct ois_call **ret);

int ois_host_get_host_number(const struct ois_host *host, int64_t *ret);
const char *ois_host_get_transport(const struct ois_host *host);
/* Boolean: a port of an adapter; else it is there for one session only. */
int ois_host_is_adapter(const struct ois_host *host);
const char *ois_host_get_hardware_address(const struct ois_host *host);
const char *ois_host_get_address(const struct ois_host *host);
const char *ois_host_get_net_device(const struct ois_host *host);
const char *ois_host_get_initiator_name(const struct ois_host *host);
/* "up" or "down". */
const char *ois_host_get_port_state(const struct ois_host *host);

/*
 * The adapter sends @count pings (0: one) to a numeric @address, with @size_bytes of data and
 * @interval_msec between them (0: the default). Replies have the fields reply.sequence and
 * reply.roundTripUSec or reply.failure; the last one summary.sent, summary.received,
 * summary.averageUSec, ... Error of the call where there is no such thing: -EOPNOTSUPP.
 */
int ois_host_ping_call(struct ois_client *client, const char *host, const char *address,
		       unsigned count, unsigned size_bytes, unsigned interval_msec,
		       struct ois_call **ret);

/*
 * The adapter's own table of CHAP secrets, for the sessions it makes by itself. An @index of -1
 * stands for a free entry. Errors besides the usual: -ESRCH, -EBUSY (in use), -EOPNOTSUPP.
 */
int ois_list_chap_entries(struct ois_client *client, const char *host, struct ois_chap_entry ***ret,
			  struct ois_error **ret_error);
struct ois_chap_entry **ois_chap_entries_free(struct ois_chap_entry **entries);
/* Replies: ois_reply_get_chap_entry(). */
int ois_list_chap_entries_call(struct ois_client *client, const char *host, struct ois_call **ret);
int ois_host_set_chap_entry_call(struct ois_client *client, const char *host, int index,
				 enum ois_secret_role role, const char *user_name,
				 const void *secret, size_t length, struct ois_call **ret);
int ois_host_remove_chap_entry_call(struct ois_client *client, const char *host, int index,
				    struct ois_call **ret);
int ois_chap_entry_get_index(const struct ois_chap_entry *entry, int64_t *ret);
/* "initiator": proves this host to targets; "target": the other way round. */
const char *ois_chap_entry_get_role(const struct ois_chap_entry *entry);
const char *ois_chap_entry_get_user_name(const struct ois_chap_entry *entry);
int ois_chap_entry_is_secret_set(const struct ois_chap_entry *entry);

/*
 * What an adapter counts of a port. The reply is an ois_reply_get_statistics(), whose fields are
 * "mac.txFrames" and the other rows of <ois/host_counter.def>.
 */
int ois_host_get_statistics_call(struct ois_client *client, const char *host,
				 struct ois_call **ret);

/*
 * Sets what a host says it is: "NAME=VALUE" with the parameters of org.ois.host.SetParameters, NULL
 * after the last.
 */
int ois_host_set_parameters_call(struct ois_client *client, const char *host,
				 const char *const *parameters, struct ois_call **ret,
				 struct ois_error **ret_error);

/*
 * Flash nodes: targets that an adapter keeps, and logs in to by itself. @index: -1 for all.
 * Parameters are "NAME=VALUE", NULL after the last; oisd-adapters(7) lists them. @family: "ipv4" or
 * "ipv6"; the reply has the number "index". Errors besides the usual: -ESRCH, -EOPNOTSUPP.
 */
int ois_list_flash_nodes(struct ois_client *client, const char *host, int index,
			 struct ois_flash_node ***ret, struct ois_error **ret_error);
struct ois_flash_node **ois_flash_nodes_free(struct ois_flash_node **nodes);
/* Replies: ois_reply_get_flash_node(). */
int ois_list_flash_nodes_call(struct ois_client *client, const char *host, int index,
			      struct ois_call **ret);
int ois_host_create_flash_node_call(struct ois_client *client, const char *host, const char *family,
				    const char *const *parameters, struct ois_call **ret,
				    struct ois_error **ret_error);
int ois_host_set_flash_node_call(struct ois_client *client, const char *host, int index,
				 const char *const *parameters, struct ois_call **ret,
				 struct ois_error **ret_error);
int ois_host_remove_flash_node_call(struct ois_client *client, const char *host, int index,
				    struct ois_call **ret);
/* The reply comes when the login has begun. From a node without targetName: a discovery. */
int ois_host_login_flash_node_call(struct ois_client *client, const char *host, int index,
				   struct ois_call **ret);
int ois_host_logout_flash_node_call(struct ois_client *client, const char *host, int index,
				    struct ois_call **ret);
int ois_flash_node_get_index(const struct ois_flash_node *node, int64_t *ret);
const char *ois_flash_node_get_target_name(const struct ois_flash_node *node);
const char *ois_flash_node_get_address(const struct ois_flash_node *node);
/* Calls @function for each parameter, until it returns other than 0, and returns that. */
int ois_flash_node_foreach_parameter(const struct ois_flash_node *node,
				     int (*function)(const char *name, const char *value,
						     void *userdata),
				     void *userdata);

/* --- Events --- */

/*
 * Subscribes to the numbered events: to @n_numbers of them, all if 0, and to those about
 * targets that match the shell pattern @target_name, any if NULL. Starts with up to
 * @history past events. Replies: first one with the boolean "ready", then
 * ois_reply_get_event(), and the number "missed" if events were lost on the way. Ends only
 * with the connection, or when it is cancelled.
 */
int ois_subscribe_call(struct ois_client *client, const unsigned *numbers, size_t n_numbers,
		       const char *target_name, unsigned history, struct ois_call **ret);

/* Number and symbol as in <ois/events.h> and ois-events(7). */
int ois_event_get_event(const struct ois_event *event, int64_t *ret);
const char *ois_event_get_symbol(const struct ois_event *event);
/* "error", "warning", "notice" or "information". */
const char *ois_event_get_severity(const struct ois_event *event);
int ois_event_get_realtime_usec(const struct ois_event *event, int64_t *ret);
/* One line. */
const char *ois_event_get_message(const struct ois_event *event);
const char *ois_event_get_target_name(const struct ois_event *event);
/* Value of a journal field, such as "OIS_STATUS". */
const char *ois_event_get_field(const struct ois_event *event, const char *field);

/*
 * The table of events this library was built with: needs no daemon and no client. Rows are
 * constant. NULL: no such number, or after the last.
 */
struct ois_event_type;
const struct ois_event_type *ois_event_type_get(unsigned number);
const struct ois_event_type *ois_event_type_from_symbol(const char *symbol);
/* In the order of their numbers. */
const struct ois_event_type *ois_event_type_at(size_t index);
unsigned ois_event_type_get_number(const struct ois_event_type *type);
const char *ois_event_type_get_symbol(const struct ois_event_type *type);
const char *ois_event_type_get_severity(const struct ois_event_type *type);
/* Value of MESSAGE_ID in the journal. */
const char *ois_event_type_get_message_id(const struct ois_event_type *type);
/* Template of MESSAGE: journal fields between @ signs, optional parts in brackets. */
const char *ois_event_type_get_subject(const struct ois_event_type *type);
const char *ois_event_type_get_cause(const struct ois_event_type *type);
const char *ois_event_type_get_advice(const struct ois_event_type *type);
/* Journal fields with dump data the event may carry, NULL after the last. */
const char *ois_event_type_get_dump_field(const struct ois_event_type *type, size_t index);

#ifdef __cplusplus
}
#endif

#endif
