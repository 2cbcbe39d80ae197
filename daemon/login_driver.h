/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs one login machine over a PDU channel: sends what it wants sent, times its requests, passes
 * its events on, and reports the outcome. Sessions and discoveries use it alike.
 */
#pragma once

#include <systemd/sd-event.h>

#include "channel.h"
#include "cleanup.h"
#include "deadline.h"
#include "login.h"

struct login_driver;

struct login_driver_callbacks {
	/* An event to complete with its context and to report; the receiver owns it. */
	void (*raise)(void *userdata, struct event *event);
	/* The exchange entered this stage. */
	void (*stage)(void *userdata, enum login_stage stage);
	/* Last call: DONE, FAILED or REDIRECT; the driver may be freed in it. */
	void (*finished)(void *userdata, const struct login_step *step);
};

struct login_driver_times {
	unsigned request_seconds; /* for the answer to each Login Request */
	uint64_t deadline_usec;   /* for all of them, CLOCK_MONOTONIC; or DEADLINE_NONE */
};

/*
 * @channel and @callbacks are borrowed; so are the strings and secrets of @config. Errors: those of
 * login_new().
 */
int login_driver_new(sd_event *event, struct channel *channel, const struct login_config *config,
		     const struct login_driver_times *times,
		     const struct login_driver_callbacks *callbacks, void *userdata,
		     struct login_driver **ret);
struct login_driver *login_driver_free(struct login_driver *driver);
DEFINE_CLEANUP(struct login_driver *, login_driver_free);

/* Sends the first request; the outcome may be reported from inside. */
void login_driver_start(struct login_driver *driver);

/* As login_final(): what the events mean that are being raised. */
bool login_driver_final(const struct login_driver *driver, struct login_step *ret);

/* What the channel reported. */
void login_driver_received(struct login_driver *driver, const uint8_t header[48], const void *data,
			   size_t length);
void login_driver_channel_failed(struct login_driver *driver, int error, bool sending);
