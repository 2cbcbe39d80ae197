/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <time.h>

#include "discovery_private.h"

static int answer_timed_out(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct discovery *discovery = userdata;

	sendtargets_timed_out(discovery->exchange);
	discovery_run_exchange(discovery);
	return 0;
}

static int arm_timer(struct discovery *discovery)
{
	discovery->timer = sd_event_source_disable_unref(discovery->timer);
	return sd_event_add_time_relative(discovery->manager->event, &discovery->timer,
					  CLOCK_MONOTONIC, discovery->timeout_seconds * SECOND_USEC,
					  0, answer_timed_out, discovery);
}

static void pass_target(struct discovery *discovery, const struct sendtargets_target *target)
{
	struct discovery_portal portals[SENDTARGETS_PORTALS_MAX];
	struct discovery_target found = {
		.name = target->name,
		.alias = target->alias[0] ? target->alias : NULL,
		.rest = target->rest,
		.portals = portals,
		.n_portals = target->n_portals,
	};

	for (size_t i = 0; i < target->n_portals; i++)
		portals[i] = (struct discovery_portal){
			.address = target->portals[i].address,
			.port = target->portals[i].port,
			.portal_group_tag = target->portals[i].portal_group_tag,
		};
	discovery->targets += !target->rest;
	discovery->inside = true;
	discovery->callbacks->target(discovery->userdata, &found);
	discovery->inside = false;
}

static void exchange_send(struct discovery *discovery, const struct sendtargets_step *step)
{
	int r;

	r = channel_send(discovery->channel, step->send.header, step->send.data,
			 step->send.data_length);
	if (r >= 0 && step->send.timed)
		r = arm_timer(discovery);
	if (r < 0) {
		discovery_raise(discovery, channel_send_event(r));
		sendtargets_disconnected(discovery->exchange);
	}
}

void discovery_run_exchange(struct discovery *discovery)
{
	while (!discovery->cancelled && !discovery->paused) {
		struct sendtargets_step step;

		sendtargets_next(discovery->exchange, &step);
		switch (step.type) {
		case SENDTARGETS_STEP_WAIT:
			if (!discovery->lost)
				return;
			discovery->lost = false;
			sendtargets_disconnected(discovery->exchange);
			break;
		case SENDTARGETS_STEP_SEND:
			exchange_send(discovery, &step);
			break;
		case SENDTARGETS_STEP_EVENT:
			discovery_raise(discovery, step.event);
			break;
		case SENDTARGETS_STEP_TARGET:
			pass_target(discovery, step.target);
			break;
		case SENDTARGETS_STEP_DONE:
			if (step.done.skipped > 0)
				discovery->callbacks->incomplete(discovery->userdata);
			discovery_finish(discovery, NULL);
			return;
		case SENDTARGETS_STEP_FAILED:
			discovery_fail(discovery, step.failed.error, step.failed.event, NULL);
			return;
		}
	}
}

void discovery_pause(struct discovery *discovery)
{
	/* Targets come from an answer, so none is waited for. */
	discovery->timer = sd_event_source_disable_unref(discovery->timer);
	discovery->paused = true;
	channel_hold(discovery->channel, true);
}

void discovery_resume(struct discovery *discovery)
{
	if (!discovery->paused || discovery->cancelled)
		return;
	discovery->paused = false;
	channel_hold(discovery->channel, false);
	discovery_run_exchange(discovery);
}

void discovery_start_exchange(struct discovery *discovery, const struct login_result *result)
{
	struct sendtargets_config config = {
		.target_name = discovery->target_name,
		.address = discovery->address,
		.port = discovery->port,
		.scope = discovery_scope(discovery),
		.itt = DISCOVERY_TEXT_ITT,
		.cmd_sn = DISCOVERY_CMDSN,
		.exp_stat_sn = result->stat_sn + 1,
		.max_recv_data_segment_length = result->parameters.max_recv_data_segment_length,
		.logout = true,
		.strict = settings_number(discovery->settings, SETTING_STRICT),
	};
	int r;

	channel_set_limit(discovery->channel, config.max_recv_data_segment_length);
	r = sendtargets_new(&config, &discovery->exchange);
	if (r < 0) {
		discovery_lack(discovery, r);
		return;
	}
	channel_hold(discovery->channel, false);
	if (discovery_enter_phase(discovery, DISCOVERY_QUERYING))
		discovery_run_exchange(discovery);
}
