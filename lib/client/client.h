/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of the client: calls wait in a queue for one of a few connections. A connection carries
 * one call at a time, as the daemon serves them; that way a stream holds up nobody, and cancelling
 * costs one connection.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <json-c/json.h>

#include "cleanup.h"
#include "message.h"
#include "object.h"
#include "ois/ois.h"
#include "secret.h"

struct connection;

struct ois_reply {
	json_object *parameters; /* NULL: none */
	struct ois_error *error;
	bool last;
};

enum call_state {
	CALL_NEW,
	CALL_QUEUED,
	CALL_ACTIVE,
	CALL_DONE,
};

struct ois_call {
	unsigned references;
	struct ois_client *client; /* a reference */
	struct ois_call
		*next; /* in the client's list of started calls; that list holds a reference */

	char *method;
	json_object *parameters;
	/* Joins the parameters, as secretBase64, only on the way out. */
	struct secret *secret;
	unsigned flags;
	uint64_t timeout_usec, deadline_usec;
	bool timeout_set; /* not the client's */

	enum call_state state;
	struct connection *connection; /* CALL_ACTIVE */
	bool repeated;                 /* on a second connection */
	bool replied;
	int result;             /* CALL_DONE: 0 or negative errno */
	bool stopped;           /* by its handler */
	struct ois_reply reply; /* the last one, if @replied */
	ois_handler_t handler;
	void *userdata;
};

DEFINE_CLEANUP(struct ois_call *, ois_call_unref);
DEFINE_CLEANUP(struct ois_error *, ois_error_unref);
DEFINE_CLEANUP(struct ois_client *, ois_client_free);

struct ois_client {
	unsigned references; /* the owner's, and one of every call */
	bool closed;         /* the owner's is gone */
	bool processing;
	uint64_t now_usec; /* of this round of processing; 0: not asked for yet */
	char *path;
	int epoll;
	uint64_t timeout_usec;
	uint64_t
		retry_usec; /* when to connect again to a daemon whose queue was full; 0: at once */
	struct ois_call *calls;
	struct connection *connections;
	unsigned n_connections;
};

/* CLOCK_MONOTONIC, read once in a round of processing. */
uint64_t client_now(struct ois_client *client);

struct ois_client *client_ref(struct ois_client *client);
struct ois_client *client_unref(struct ois_client *client);

/* Queues the message to send. Errors: -ENOMEM, -EMSGSIZE. */
int call_write(const struct ois_call *call, struct varlink_stream *stream);
/*
 * Hands a reply to the call: takes over @parameters and @error (both may be NULL). The caller holds
 * a reference to the call; the handler may have cancelled it when this returns.
 */
void call_deliver(struct ois_call *call, json_object *parameters, struct ois_error *error,
		  bool last);
/* Ends the call with an errno that is no answer of the daemon. */
void call_fail(struct ois_call *call, int error);
/* No more timeout: the work takes as long as it takes. */
void call_set_patient(struct ois_call *call);

/* Takes the call out of the client's list and ends it with @result; drops the list's reference. */
void client_forget(struct ois_call *call, int result);
/* Connects @call with the loop: it is sent by the next ois_client_process(). */
void client_enqueue(struct ois_call *call);

/* A failure that is no answer of the daemon; @socket is its path. */
int error_new_errno(int error, const char *socket, const char *method, struct ois_error **ret);
/* A Varlink error; @parameters is borrowed and may be NULL. */
int error_new_varlink(const char *name, json_object *parameters, struct ois_error **ret);
int error_new_message(int error, struct ois_error **ret, const char *format, va_list arguments)
	_printf_(3, 0);

/*
 * Makes a call to @method with @parameters, which it takes over, also on failure; NULL stands for
 * no memory.
 */
int call_new_json(struct ois_client *client, const char *method, json_object *parameters,
		  unsigned flags, struct ois_call **ret);

/*
 * The same for a method that stores a secret, with role and secret as its parameters; with @length
 * 0 it removes it.
 */
int call_new_secret(struct ois_client *client, const char *method, json_object *parameters,
		    enum ois_secret_role role, const void *secret, size_t length,
		    struct ois_call **ret);

/* For functions with a @ret_error that fail without one; returns @error. */
int call_unmade(int error, struct ois_error **ret_error);
/* A mistake in an argument, found before anything is sent; returns @error, or -ENOMEM. */
int call_refused(int error, struct ois_error **ret_error, const char *format, ...) _printf_(3, 4);
/* The reply lacks what it must have: -EPROTO. */
int call_misunderstood(const struct ois_call *call, struct ois_error **ret_error);

/* The selector's JSON object, a new reference; NULL selector: an empty object. NULL: no memory. */
json_object *selector_to_json(const struct ois_selector *selector);

/*
 * Runs @call, which it takes over, and collects what @get finds in its replies into an array that
 * ends with NULL. Returns how many.
 */
int call_collect(struct ois_call *call, void *(*get)(const struct ois_reply *reply), void ***ret,
		 struct ois_error **ret_error);
/* Drops the references and the array. */
void **objects_free(void **objects);
