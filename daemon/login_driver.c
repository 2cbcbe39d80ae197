/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "login_driver.h"

struct login_driver {
	sd_event *event;
	struct channel *channel;
	struct login *login;
	const struct login_driver_callbacks *callbacks;
	void *userdata;
	uint64_t request_usec, deadline_usec;
	sd_event_source *timer;
	int stage;  /* enum login_stage last reported; -1: none */
	bool busy;  /* driver_run() is at work: */
	bool freed; /* it frees the driver when it returns */
};

static void driver_run(struct login_driver *driver);

/* @usec: what the timer was set to. */
static int request_timed_out(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct login_driver *driver = userdata;

	if (usec >= driver->deadline_usec)
		login_overdue(driver->login);
	else
		login_timed_out(driver->login);
	driver_run(driver);
	return 0;
}

static int arm_timer(struct login_driver *driver)
{
	uint64_t due = deadline_of_step(driver->event, driver->request_usec, driver->deadline_usec);
	int r;

	if (!driver->timer)
		return sd_event_add_time(driver->event, &driver->timer, CLOCK_MONOTONIC, due, 0,
					 request_timed_out, driver);
	r = sd_event_source_set_time(driver->timer, due);
	return r < 0 ? r : sd_event_source_set_enabled(driver->timer, SD_EVENT_ONESHOT);
}

/* Something is missing, or broken, on this side; @event tells what. */
static void cannot_go_on(struct login_driver *driver, int error, struct event *event)
{
	enum event_number number = event ? event_type(event)->number : EVENT_REQUEST_RESOURCES;

	if (event)
		driver->callbacks->raise(driver->userdata, event);
	/* That nothing can be sent may be the target's doing; the kernel says ENOTCONN. */
	if (error == -ECONNRESET || error == -EPIPE || error == -ENOTCONN)
		login_disconnected(driver->login);
	else
		login_abort(driver->login, error, number);
}

static void lack(struct login_driver *driver, int error, enum event_number number)
{
	struct event *event = event_new(number);

	event_set_errno(event, error);
	event_set_outcome(event, EVENT_OUTCOME_FAILED);
	cannot_go_on(driver, error, event);
}

static void send_request(struct login_driver *driver, const struct login_step *step)
{
	int r;

	r = channel_send(driver->channel, step->send.header, step->send.data,
			 step->send.data_length);
	if (r < 0) {
		cannot_go_on(driver, r, channel_send_event(r));
		return;
	}
	r = arm_timer(driver);
	if (r < 0)
		lack(driver, r, EVENT_WORKITEM_RESOURCES);
}

static void report_stage(struct login_driver *driver)
{
	enum login_stage stage = login_stage(driver->login);

	if ((int)stage == driver->stage)
		return;
	driver->stage = (int)stage;
	driver->callbacks->stage(driver->userdata, stage);
}

/* The end is reported last; the receiver may free the driver, or start another. */
static void report_end(struct login_driver *driver, const struct login_step *step)
{
	driver->timer = sd_event_source_disable_unref(driver->timer);
	driver->callbacks->finished(driver->userdata, step);
}

/* Does what the machine wants until it waits or has ended. */
static void driver_run(struct login_driver *driver)
{
	bool waiting = false;

	driver->busy = true;
	while (!waiting && !driver->freed) {
		struct login_step step;

		login_next(driver->login, &step);
		switch (step.type) {
		case LOGIN_STEP_SEND:
			report_stage(driver);
			if (!driver->freed)
				send_request(driver, &step);
			break;
		case LOGIN_STEP_EVENT:
			if (step.event)
				driver->callbacks->raise(driver->userdata, step.event);
			break;
		case LOGIN_STEP_WAIT:
			waiting = true;
			break;
		case LOGIN_STEP_REDIRECT:
		case LOGIN_STEP_DONE:
		case LOGIN_STEP_FAILED:
			waiting = true;
			report_end(driver, &step);
			break;
		}
	}
	driver->busy = false;
	if (driver->freed)
		(void)login_driver_free(driver);
}

int login_driver_new(sd_event *event, struct channel *channel, const struct login_config *config,
		     const struct login_driver_times *times,
		     const struct login_driver_callbacks *callbacks, void *userdata,
		     struct login_driver **ret)
{
	_cleanup_(login_driver_freep) struct login_driver *driver = NULL;
	int r;

	driver = calloc(1, sizeof(*driver));
	if (!driver)
		return -ENOMEM;
	driver->event = event;
	driver->channel = channel;
	driver->callbacks = callbacks;
	driver->userdata = userdata;
	driver->request_usec = (uint64_t)times->request_seconds * 1000000;
	driver->deadline_usec = times->deadline_usec;
	driver->stage = -1;
	r = login_new(config, &driver->login);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(driver);
	return 0;
}

struct login_driver *login_driver_free(struct login_driver *driver)
{
	if (!driver)
		return NULL;
	driver->freed = driver->busy;
	if (driver->busy)
		return NULL;
	driver->timer = sd_event_source_disable_unref(driver->timer);
	driver->login = login_free(driver->login);
	free(driver);
	return NULL;
}

bool login_driver_final(const struct login_driver *driver, struct login_step *ret)
{
	return login_final(driver->login, ret);
}

void login_driver_start(struct login_driver *driver)
{
	driver_run(driver);
}

void login_driver_received(struct login_driver *driver, const uint8_t header[48], const void *data,
			   size_t length)
{
	login_receive(driver->login, header, data, length);
	driver_run(driver);
}

void login_driver_channel_failed(struct login_driver *driver, int error, bool sending)
{
	if (sending)
		cannot_go_on(driver, error, channel_send_event(error));
	else if (error == -ENOMEM)
		lack(driver, error, EVENT_REQUEST_RESOURCES);
	else
		login_disconnected(driver->login);
	driver_run(driver);
}
