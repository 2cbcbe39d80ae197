/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the parts of a session share: session.c (machine, identity, watches), session_login.c
 * (connect, Login Phase), session_endpoint.c (connections of
 * the kernel's own), session_adapter.c (logins that adapters do by themselves), session_redirect.c
 * (where it goes), session_start.c (hand-over, proof),
 * session_scan.c (logical units), session_kernel.c (what the kernel says), session_datapath.c (and
 * of commands), session_async.c (Asynchronous Messages), session_attention.c (unit attentions),
 * session_recovery.c (attempts), session_found.c and session_details.c (sessions we did not make),
 * session_ping.c (whether it lives), session_outage.c (what an outage needs beside them),
 * session_logout.c (logout, removal), session_word.c (what a person wants, and is kept).
 *
 * The connection machine of RFC 7143 decides what to do next: whoever learns something posts an
 * event, the table gives the new state and an action, and actions are the functions below. An
 * action may post; the event is handled when the action has returned.
 */
#pragma once

#include <netinet/in.h>

#include "channel.h"
#include "kernel.h"
#include "kernel_log_line.h"
#include "login_driver.h"
#include "manager.h"
#include "portal.h"
#include "secret.h"
#include "session.h"
#include "manager_private.h"
#include "tracepoint.h"

#define SECOND_USEC        UINT64_C(1000000)
#define SESSION_POSTED_MAX 8
/* Causes of an outage that are remembered to have been told. */
#define SESSION_TOLD_MAX 8
/* CmdSN and ITT of our Login Requests; any number will do. */
#define SESSION_INITIAL_CMDSN 1
/* Marks sessions of ours in the kernel: the interface label. */
#define SESSION_LABEL "ois"
/* The same of one that another program made: until the next login its ISID is not known. */
#define SESSION_LABEL_ADOPTED "ois-adopted"

/* Of a discovery, without devices: of no use to anybody but its maker. */
#define SESSION_LABEL_DISCOVERY "ois-discovery"

/* Conditions of logical units that somebody is told of. */
enum attention {
	ATTENTION_LUNS,
	ATTENTION_CAPACITY,
	ATTENTION_INQUIRY,
	ATTENTION_MODE,
	ATTENTION_ACCESS,
	ATTENTION_THRESHOLD,
	_ATTENTION_MAX,
};

struct session_attention {
	sd_event_source *timer; /* those noted are handled together */
	struct {
		unsigned n;
		uint64_t lun; /* of the first */
		bool several; /* other ones, too */
	} noted[_ATTENTION_MAX];
	bool rescan_due, all_luns; /* as soon as the session can be scanned */
	uint64_t lun;
};

/* A login that the adapter does by itself. */
enum adapter_login {
	ADAPTER_LOGIN_NONE,
	ADAPTER_LOGIN_ASKED,     /* for, and the kernel has not answered */
	ADAPTER_LOGIN_SUCCEEDED, /* which was told before that answer came */
	ADAPTER_LOGIN_FAILED,    /* the same */
	ADAPTER_LOGIN_BEGUN,
};

struct session_watcher {
	struct session_watcher *next;
	struct session_watch watch;
	bool logout; /* ends with SESSION_CLOSED, else with SESSION_LOGGED_IN, too */
	bool told;   /* knows the present phase */
	bool gone;
};

struct session_private {
	enum connection_event posted[SESSION_POSTED_MAX];
	size_t n_posted;
	bool running;
	unsigned unexpected; /* events the tables have no row for */

	/* What is under way; at most one of them, but for the timer. */
	sd_event_source *timer;
	struct portal_connect *connect;
	struct endpoint_connect *endpoint_connect;
	struct endpoint *endpoint; /* of the present connection; NULL: none, or not known */
	struct channel *channel;
	struct login_driver *driver;
	struct devices_scan *scan;
	/* For devices in use, after which the session is to be left; what else goes on does not end
	 * it. */
	struct devices_scan *check;
	struct devices_scan *revival; /* of disks, after an outage */
	/* Running while the logout waits for the records to hold that it is wanted. */
	sd_event_source *word;
	bool for_now; /* it is not kept */
	bool forced;  /* whatever uses the devices */
	bool storing; /* they will call back, and the session is not freed before */
	/* Pieces of work that cannot be called back: batches and module loads; the session waits
	 * for them. */
	unsigned pending;
	bool admitted;          /* counts as a login in flight */
	bool admitted_recovery; /* as a recovery, too */
	bool due;               /* the next attempt waits for them only */
	bool connected;         /* and waits for its turn to log in */
	bool bound; /* the kernel has a socket of a re-login; an adapter has an endpoint */
	sd_event_source *ping;  /* until it is sent, then until it is answered */
	bool pinged;            /* it was sent */
	uint64_t deadline_usec; /* of the attempt under way, CLOCK_MONOTONIC */

	int fd;           /* handed to the kernel, open until it has it */
	uint32_t adapter; /* host that connects; KERNEL_HOST_ANY: the kernel chooses */
	enum adapter_login adapter_login;
	bool answered;      /* the ping of the hand-over came back */
	bool unread;        /* was found, and more is to be read of it */
	bool found_told;    /* by event 1009 */
	bool started;       /* the kernel was told to start the connection */
	bool leaving;       /* somebody wants it logged out */
	bool persistent;    /* an automatic node: retried until it works */
	bool removing;      /* on its way out of the kernel */
	bool vanished;      /* the kernel removed it */
	bool adapter_gone;  /* and it is removed for that */
	bool created_event; /* SESSION_ESTABLISHED was raised */
	bool sent_away;     /* the connection ended because the target asked for it */
	int retry_max;      /* further attempts of a first login; -1: any number */
	bool hopeless;      /* the attempt failed in a way that another one would not change */
	bool goes_on;       /* what is being reported does not end it */
	struct {
		unsigned number;
		char status[16];
	} told[SESSION_TOLD_MAX]; /* errors of the present outage */
	size_t n_told;
	uint64_t told_usec;               /* since when; CLOCK_MONOTONIC */
	char last_error[256];             /* what the last event of severity error said */
	unsigned redirects;               /* followed since the first portal of the attempt */
	struct login_redirect remembered; /* of the node: tried first; without address: none */
	bool at_remembered;               /* the attempt began there */
	struct iscsi_parameters agreed;   /* at the last login that brought a session */
	bool agreed_known;
	bool md5_known;     /* the target is known to cope with nothing but MD5 alone */
	bool md5_alone;     /* is offered, though the settings list more algorithms */
	bool offer_changed; /* in this attempt; once is enough */
	bool offer_refused; /* the target said so, rather than just closing the connection */

	/* The host name connected to last, and the address it had: a lost session tries it first */
	char known_name[PORTAL_ADDRESS_MAX], known_address[64];
	bool at_known;      /* the attempt goes there */
	bool went_to_known; /* so did the last one to this name */

	/* For the login machine, which borrows them. */
	struct secret *secret, *target_secret;

	struct session_datapath *datapath; /* what of its commands is remembered */

	session_taken_t taken;
	void *taken_userdata;

	struct renegotiation *renegotiation; /* the Text exchange under way, or unanswered */
	sd_event_source *text_timer;
	unsigned async_told;      /* events of Asynchronous Messages on this connection */
	uint64_t async_told_usec; /* since when; CLOCK_MONOTONIC */
	bool time2wait_told;      /* by the target, for the next login */
	uint16_t time2wait;
	struct session_attention attention;

	struct session_watcher *watchers;
	session_scan_t scan_done;
	bool scan_waits; /* scan_done() is for the next scan, not for that under way */
	void *scan_userdata;
};

/* session.c */
void session_post(struct session *session, enum connection_event event);
/* An effective setting; booleans and enumerations are numbers. */
int64_t session_setting(const struct session *session, enum setting which);
void session_set_phase(struct session *session, enum session_phase phase,
		       const struct session_failure *failure);
/* Tells those who follow, if any: after each change of what session_get_status() says. */
void session_changed(struct session *session);
/* Completes the event with what it is about, and reports it. */
void session_raise(struct session *session, struct event *event);
/* A request was not answered in time: event 8, and @then, the one for this kind of request. */
void session_unanswered(struct session *session, enum pdu_opcode opcode, enum event_number then,
			enum event_outcome outcome);
/* @message NULL: what the last error event said. */
void session_fail(struct session *session, int error, unsigned event, const char *message);
/* Something on this side is missing for what is to be done next: raises @event, which is also the
 * failure. */
void session_lack(struct session *session, int error, enum event_number event);
/* The clock was set: times told of the session follow. */
void session_shift_clock(struct session *session, int64_t usec);
int session_arm_timer(struct session *session, uint64_t usec, sd_event_time_handler_t handler);
/* Ends everything that can be ended. */
void session_cancel(struct session *session);
/* The end: SESSION_CLOSED is told, and the manager frees the session when nothing is pending. */
void session_close(struct session *session, const struct session_failure *failure);
void session_apply(struct session *session, enum session_event event);
/* Tells those who wished it that the logout does not take place. */
void session_refuse_logout(struct session *session, const struct session_failure *failure);
int session_watch(struct session *session, const struct session_watch *watch, bool logout);
int session_new(struct manager *manager, const struct node *node, struct session **ret);
struct session *session_free(struct session *session);
DEFINE_CLEANUP(struct session *, session_free);
int session_new_found(struct manager *manager, const struct sysfs_session *found,
		      const struct node *node, struct session **ret);
int session_take_node(struct session *session, const struct node *node);
/* What the attempt would need on this side is not there, event 5: it has failed. */
void session_setup_failed(struct session *session, int error, const char *text);
/* Tells watchers the present phase who do not know it yet; called by the manager. */
void session_tell(struct session *session);
/* A batch for this session, and its submission: session->private->pending counts it. */
struct kernel_batch *session_batch(struct session *session);
int session_submit(struct session *session, struct kernel_batch *batch, kernel_done_t done);
/* The kernel lets the connection go, and keeps the session and its devices. */
int session_stop_connection(struct session *session, kernel_done_t done);
/* To be called first when a piece of work that session->private->pending counts comes back; false:
 * go no further. */
bool session_returned(struct session *session);

/* What the session was made from, if it is still there. */
struct node *session_node(const struct session *session);
/* Ends the attempt under way, or what is left of it. */
void session_disconnect(struct session *session);

/* session_redirect.c */
/* Where the attempt begins: at the portal remembered, or at that of the node. */
void session_choose_portal(struct session *session);
/* Where a session found at the start is. */
void session_find_portal(struct session *session);
/* The target sends the login elsewhere. */
void session_redirected(struct session *session, const struct login_redirect *redirect);
/* If the attempt fails now: does it go on at the portal of the node? */
bool session_falls_back(const struct session *session);
/* The login has succeeded where it is now. */
void session_settled(struct session *session);

/* session_login.c */
void session_know_address(struct session *session, const char *name, const char *address);
/* What the node's settings ask for, no more than the transport can do. */
void session_fill_offer(const struct session *session, struct login_config *config);
/* What connecting tells, whatever it connects with; @userdata is the session. */
void session_connect_raise(void *userdata, struct event *event);
void session_connect_resolved(void *userdata);
/* The end of connecting, one of the two. @address: of the portal, numeric. */
void session_connected_to(struct session *session, const char *address);
void session_connect_failed(struct session *session, int error, enum event_number event,
			    const char *text);
void session_action_connect(struct session *session);
void session_action_login(struct session *session);
void session_action_reconnect(struct session *session);

/* session_endpoint.c */
void session_connect_endpoint(struct session *session);
/* Makes the session in the kernel, bound to the endpoint that was connected. */
struct kernel_batch *session_new_bound(struct session *session);
/* To whatever the connection is: an endpoint, or a socket. */
void session_add_binding(struct session *session, struct kernel_batch *batch);

/* session_adapter.c */
/* Made by the firmware of such an adapter, and its own. */
bool session_is_of_firmware(const struct session *session);
/* What the node insists on and an adapter that logs in by itself cannot do; NULL: nothing. */
const char *session_adapter_fault(const struct session *session);
/* The connection is bound: the adapter is to log in. */
void session_adapter_login(struct session *session);
/* The adapter has told how a login ended. */
void session_adapter_told(struct session *session, bool logged_in);
/* session->found is complete: takes what only the adapter knows. */
void session_adapter_seen(struct session *session);

/* session_start.c */
/* How long the kernel waits for what. */
void session_add_limits(struct session *session, struct kernel_batch *batch);
/* By which a session is known to later runs of the daemon. */
void session_add_identity(struct session *session, struct kernel_batch *batch);
/* What the kernel has to know of a finished Login Phase, before it starts the connection. */
void session_add_negotiated(struct kernel_batch *batch, const struct transport *transport,
			    const struct login_result *result);
/* A batch has made the session, or not. */
void session_take_number(struct session *session, const struct kernel_result *result);
void session_action_start(struct session *session);
/* The kernel refused a batch: reports it and keeps it as the failure. */
void session_refused(struct session *session, const struct kernel_result *result);
/* The kernel hands up the answer: session_kernel_pdu(). Where an adapter logs in by itself the
 * result of the batch is the answer. */
void session_add_ping(const struct session *session, struct kernel_batch *batch);
/* A batch came back; false: the session is to go on with something else, a logout for one. */
bool session_batch_returned(struct session *session);
/* A session found whose first login went as far as the start of its connection goes on there. */
void session_finish_start(struct session *session);
/* The ping came back: the session works. */
void session_proven(struct session *session);
/* All is done that a login does. */
void session_established(struct session *session);

/* session_scan.c */
void session_take_luns(struct session *session, const struct devices_result *result);
/* Whoever waits for a rescan waits no more. */
void session_rescan_failed(struct session *session, int error);
/* The scan after a login, at whose end the session is established. */
void session_first_scan(struct session *session);

/* session_async.c */
/* @data: not longer than @length, whatever the header says. */
void session_async_pdu(struct session *session, const uint8_t header[48], const struct pdu *pdu,
		       const void *data, size_t length);
void session_text_pdu(struct session *session, const uint8_t header[48], const struct pdu *pdu,
		      const void *data, size_t length);
/* The connection is gone, and with it what was under way on it. */
void session_async_reset(struct session *session);

/* session_attention.c */
/* Which device and condition an event is about. */
void session_set_sense(const struct session *session, struct event *event, uint64_t lun,
		       unsigned asc, unsigned ascq);
/* A logical unit has a condition, as sense data or as the kernel names it. */
void session_attend_sense(struct session *session, uint64_t lun, unsigned asc, unsigned ascq);
void session_attend_named(struct session *session, uint64_t lun, const char *name);
/* Rescans as soon as what is under way has ended; @lun NULL: everything. */
void session_rescan_later(struct session *session, const uint64_t *lun);
/* The session can be scanned: does what was put off. */
void session_attend(struct session *session);

/* session_found.c */
/* Takes over sessions of the kernel that are not known yet, and removes what is left of others.
 * Errors: -ENOMEM. */
int session_find_all(struct manager *manager);
/* Event 1009, once. */
void session_report_found(struct session *session);
/* Another program may have made this session, or one of another program's has failed. */
void session_look(struct manager *manager, uint32_t sid);
void session_look_end(struct manager *manager);

/* session_ping.c */
/* Soon, and unless one is under way: if it is not answered, the connection counts as lost. */
void session_ping(struct session *session);
/* In a moment, at one that was found and seems to live: whether it has lost its connection. */
void session_look_again(struct session *session);
/* It was answered, or matters no more. */
void session_ping_end(struct session *session);

/* session_kernel.c */
/* What the kernel says is about the present connection; else it came late, and is about the one
 * before. */
bool session_connected(const struct session *session);
void session_kernel_pdu(struct session *session, const uint8_t header[48], const void *data,
			size_t length);
/* An adapter has ended a login by itself; enum iscsi_kernel_login_state. */
void session_kernel_login_ended(struct session *session, unsigned state);
/* KERNEL_ERROR_NONE: it was not heard, but seen in sysfs. */
void session_kernel_failed(struct session *session, unsigned error);

/* session_datapath.c */
struct session_datapath *session_datapath_free(struct session_datapath *datapath);
void session_command_timed_out(struct session *session, const struct tracepoint_timeout *timeout);
/* A step of SCSI error handling, in the kernel's words. */
void session_error_handling(struct session *session, const char *text);
void session_log_line(struct session *session, const struct kernel_log_line *line);
/* Reports why the kernel gave the connection up, as far as it tells. */
void session_explain_error(struct session *session, unsigned error, enum event_outcome outcome);

/* session_recovery.c */
void session_action_fail(struct session *session);
/* The manager admits the login. */
void session_begin(struct session *session);
/* What was waited for has come back: the next attempt may be due. */
void session_resume(struct session *session);
/* If the attempt under way fails: will there be another one? */
bool session_retries(const struct session *session);
/* A session was lost, and nothing is done about it: event 71. */
void session_not_recovered(struct session *session, int error, const char *why);
/* Next attempt, or the end of the login. */
void session_attempt_failed(struct session *session);
/* A lost connection is cleaned up: wait, connect again. */
void session_recover(struct session *session);
/* Something changed: a session that waits for its next attempt tries at once. */
void session_hurry(struct session *session);
/* A session that waits for its next attempt, whichever, tries at once. */
void session_retry_now(struct session *session);
/* A session found: goes on with whatever state session->found is in. */
void session_adopt(struct session *session);

/* session_outage.c */
void session_outage_begin(struct session *session);
/* An error of an outage: true if it was told before. */
bool session_outage_told(struct session *session, const struct event *event);
/* The session is back. */
void session_outage_over(struct session *session);
/* What was negotiated is in force. */
void session_agreed(struct session *session);

/* session_word.c */
/* Keeps the wish with the node, then begins to leave. */
void session_word_leave(struct session *session);
/* The same wish, while a logout for now only is under way: that is one for good now. */
void session_word_join(struct session *session);
void session_word_end(struct session *session);
/* Of a session found at the start: a logout begun before is finished. */
void session_word_resume(struct session *session);

/* session_details.c */
/* Reads the rest of what sysfs says of a session found, tells of it and lists its devices. */
void session_read_details(struct session *session);

/* session_logout.c */
void session_action_logout(struct session *session);
void session_action_announce(struct session *session);
void session_action_close(struct session *session);
void session_action_stop(struct session *session);
void session_logout_pdu(struct session *session, const struct pdu *pdu);
/* Goes on with a logout wished while something that cannot be called back was under way. */
void session_leave(struct session *session);
void session_kernel_unbound(struct session *session);
void session_kernel_destroyed(struct session *session);
/* Removes everything of the session from the kernel; then CLEANED_UP in CLEANUP_WAIT, else the end.
 */
void session_remove(struct session *session);
