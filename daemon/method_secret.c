/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "chap.h"
#include "json.h"
#include "method_secret.h"
#include "parse.h"

/* The secret itself cannot be taken. */
static int _printf_(3, 4) refuse(const struct secret_change *change,
				 struct settings_fault *ret_fault, const char *format, ...)
{
	va_list arguments;

	*ret_fault = (struct settings_fault){ 0 };
	(void)snprintf(ret_fault->name, sizeof(ret_fault->name), "%s",
		       secret_change_setting(change));
	va_start(arguments, format);
	(void)vsnprintf(ret_fault->message, sizeof(ret_fault->message), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

/* The bytes of what was sent; base64 lets them have any value. -ENOBUFS: too many. */
static int decode_secret(const char *text, const char *base64, struct secret **ret)
{
	char bytes[CHAP_SECRET_MAXIMUM];
	size_t length;
	int r;

	if (text) {
		length = strlen(text);
		return length > sizeof(bytes) ? -ENOBUFS : secret_new(text, length, ret);
	}
	r = base64_decode(base64, strlen(base64), bytes, sizeof(bytes), &length);
	if (r >= 0)
		r = secret_new(bytes, length, ret);
	memory_erase(bytes, sizeof(bytes));
	return r;
}

/* 1, 0 and errors as in secret_change_read(). */
static int read_bytes(struct call *call, struct secret_change *change,
		      struct settings_fault *ret_fault)
{
	json_object *parameters = call_parameters(call);
	const char *text = NULL, *base64 = NULL;
	int r;

	(void)json_get_string(parameters, "secret", &text);
	(void)json_get_string(parameters, "secretBase64", &base64);
	if (!text && !base64)
		return 1;
	r = text && base64 ? -EINVAL : decode_secret(text, base64, &change->secret);
	if (r == -EINVAL) {
		call_invalid_parameter(call, "secretBase64");
		return 0;
	}
	if (r == -ENOBUFS)
		return refuse(change, ret_fault, "must have at most %d bytes", CHAP_SECRET_MAXIMUM);
	if (r >= 0 && secret_length(change->secret) < CHAP_SECRET_MINIMUM)
		return -EMSGSIZE;
	return r < 0 ? r : 1;
}

static bool collides(const struct secret_change *change, const struct secret *secret,
		     const struct secret *target_secret)
{
	const struct secret *other = change->target ? secret : target_secret;

	return other && secret_equal(other, change->secret);
}

/*
 * RFC 7143, 9.2.1: a secret that proves this host to any target must prove no target to this host,
 * or the one target could pose as the other.
 */
static int check_directions(const struct records *records, const struct secret_change *change,
			    struct settings_fault *ret_fault)
{
	static const char format[] =
		"must differ from the secrets of the other direction, and %s has it";
	const struct portal *portal;
	const struct node *node;
	char text[PORTAL_TEXT_MAX];

	for (size_t i = 0; (node = records_at(records, i)); i++)
		if (collides(change, node->secret, node->target_secret))
			return refuse(change, ret_fault, format, node->key.target_name);
	for (size_t i = 0; (portal = records_portal_at(records, i)); i++) {
		portal_format(portal->address, portal->port, text);
		if (collides(change, portal->secret, portal->target_secret))
			return refuse(change, ret_fault, format, text);
	}
	return 0;
}

int secret_change_read(struct call *call, struct secret_change *ret,
		       struct settings_fault *ret_fault)
{
	_cleanup_(secret_change_done) struct secret_change change = { 0 };
	const char *role = NULL;
	int r;

	(void)json_get_string(call_parameters(call), "role", &role);
	change.target = strcmp(role, "target") == 0;
	r = read_bytes(call, &change, ret_fault);
	if (r > 0 && change.secret &&
	    check_directions(call_manager(call)->records, &change, ret_fault) < 0)
		r = -EINVAL;
	*ret = change;
	change.secret = NULL;
	return r;
}

void secret_change_done(struct secret_change *change)
{
	change->secret = secret_free(change->secret);
}

int secret_change_apply(const struct secret_change *change, struct secret **secret,
			struct secret **target_secret)
{
	return secret_copy(change->secret, change->target ? target_secret : secret);
}

const char *secret_change_setting(const struct secret_change *change)
{
	return change->target ? "authentication.targetSecret" : "authentication.secret";
}

enum event_number secret_too_short_event(const struct secret_change *change)
{
	return change->target ? EVENT_TARGET_SECRET_TOO_SHORT : EVENT_INITIATOR_SECRET_TOO_SHORT;
}

void secret_too_short_raise(struct call *call, const struct secret_change *change,
			    struct event *event)
{
	if (!change->target)
		event_set_number(event, FIELD_DUMP_SECRET_LENGTH, secret_length(change->secret));
	event_set_outcome(event, EVENT_OUTCOME_FAILED);
	eventlog_raise(call_manager(call)->log, event);
}

json_object *secret_too_short_to_json(const struct secret_change *change)
{
	_cleanup_json_ json_object *object =
		json_wrap("minimumBytes", json_object_new_int(CHAP_SECRET_MINIMUM));

	if (!object || json_set_string(object, "role", change->target ? "target" : "initiator") < 0)
		return NULL;
	return TAKE_PTR(object);
}
