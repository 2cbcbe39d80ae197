/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One call of a Varlink method, from the view of the method. Its parameters were checked against
 * the interface and its caller against the access class. It belongs to its connection and is
 * answered exactly once; with the last answer, or when the client goes away, the call ends and is
 * gone. A method that neither answers nor keeps the call has its negative return value answered as
 * an error.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <json-c/json.h>

struct call;
struct manager;
struct service;

/* Never NULL. Borrowed until the call ends. */
json_object *call_parameters(const struct call *call);
struct manager *call_manager(const struct call *call);
struct service *call_service(const struct call *call);
/* Of the caller. */
uid_t call_uid(const struct call *call);

/*
 * Last answers; the call is gone afterwards. All take @parameters over. A NULL object means that
 * memory was too short to make it, and is answered as that.
 */
void call_reply(struct call *call, json_object *parameters);
/* @error with its interface: the constants of the generated header. */
void call_error(struct call *call, const char *error, json_object *parameters);
/*
 * The error that a negative errno means in the interface of the method, by the table in call.c. It
 * gets those of
 * @details (may be NULL) that it declares, and errnoName and message if it declares them and they
 * are absent.
 */
void call_fail(struct call *call, int error, json_object *details);
/* The same where the method knows better which error it is. */
void call_fail_as(struct call *call, const char *name, int error, json_object *details);
void call_invalid_parameter(struct call *call, const char *parameter);

/* One of many answers; another must follow. For methods that require "more". False: the call has
 * ended. */
bool call_stream(struct call *call, json_object *parameters);
/* The same for lists without a last answer of their own: call_list_end() makes the last item the
 * last answer. */
bool call_list(struct call *call, json_object *parameters);
void call_list_end(struct call *call);

/* The call stays when the method returns. gone() is called when the call ends, in whatever way. */
void call_keep(struct call *call, void *userdata, void (*gone)(void *userdata));
/*
 * For a call that is kept: produce() is called from the loop when the client has room for answers,
 * and is to make answers until call_full() is true, there is nothing to say now, or the call has
 * ended. After the second case call_wake() asks for it again. Thus a slow reader never makes us
 * hold a long list.
 */
void call_produce(struct call *call, void (*produce)(struct call *call, void *userdata));
void call_wake(struct call *call);
/* True if the client reads slowly, or if others should have their turn. */
bool call_full(struct call *call);
