/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Logins that an adapter does by itself (qla4xxx). The kernel has a session for it as with other
 * endpoints; START begins the login, and an event tells how it ended. No PDU is seen: what a target
 * said of a refusal nobody knows here, and what was agreed on is what the kernel shows.
 */
#include <stdlib.h>
#include <string.h>

#include "authentication.h"
#include "parse.h"
#include "session_private.h"
#include "turn.h"

/* What the CHAP table of the adapter has room for. */
#define USER_NAME_MAX 255
#define SECRET_MAX    99

bool session_logs_in_itself(const struct session *session)
{
	return session->transport && session->transport->kind == TRANSPORT_ADAPTER;
}

bool session_is_of_firmware(const struct session *session)
{
	return session_logs_in_itself(session) && session->found && session->found->creator == -1;
}

/* What it cannot do */

/* Texts end at a zero in the kernel. */
static bool fits(const struct secret *secret)
{
	return secret_length(secret) <= SECRET_MAX &&
	       !memchr(secret_bytes(secret) ?: "", '\0', secret_length(secret));
}

static bool is_mutual(const struct session *session)
{
	return session->private->target_secret ||
	       session_setting(session, SETTING_AUTHENTICATION_METHOD) ==
		       AUTHENTICATION_MUTUAL_CHAP;
}

static const char *chap_fault(const struct session *session)
{
	const char *name = settings_text(session->settings, SETTING_AUTHENTICATION_USER_NAME);
	const char *target_name =
		settings_text(session->settings, SETTING_AUTHENTICATION_TARGET_USER_NAME);
	const struct session_private *p = session->private;

	if (!authentication_allows_md5(session->settings))
		return "the adapter knows CHAP with MD5 only, which authentication.algorithms does "
		       "not list or FIPS forbids";
	if (!name || !p->secret)
		return "CHAP is wanted, and the node has no user name or no secret of this host";
	if (is_mutual(session) && (!target_name || !p->target_secret))
		return "the adapter lets a target prove itself only if the node has "
		       "authentication.targetUserName and a secret of the target";
	if (strlen(name) > USER_NAME_MAX || (target_name && strlen(target_name) > USER_NAME_MAX))
		return "the adapter takes user names of at most 255 bytes";
	if (!fits(p->secret) || !fits(p->target_secret))
		return "the adapter takes secrets of at most 99 bytes, none of them zero";
	return NULL;
}

const char *session_adapter_fault(const struct session *session)
{
	if (session_setting(session, SETTING_HEADER_DIGEST_REQUIRED) ||
	    session_setting(session, SETTING_DATA_DIGEST_REQUIRED))
		return "a digest is required, and the adapter decides on digests by itself";
	if (settings_text(session->settings, SETTING_INITIATOR_NAME))
		return "initiatorName is set, and the adapter logs in with a name of its own";
	if (session_setting(session, SETTING_AUTHENTICATION_METHOD) != AUTHENTICATION_NONE)
		return chap_fault(session);
	return NULL;
}

/* Logging in */

/* What the node wants; the adapter offers it, and keeps what comes of it to itself. */
static void add_offer(const struct session *session, struct kernel_batch *batch)
{
	struct login_config config = { 0 };
	const struct iscsi_offer *offer = &config.offer;

	session_fill_offer(session, &config);
	kernel_batch_set_number(batch, KERNEL_PARAM_MAX_RECV_DLENGTH,
				offer->max_recv_data_segment_length);
	kernel_batch_set_number(batch, KERNEL_PARAM_INITIAL_R2T, offer->initial_r2t);
	kernel_batch_set_number(batch, KERNEL_PARAM_IMMEDIATE_DATA, offer->immediate_data);
	kernel_batch_set_number(batch, KERNEL_PARAM_MAX_R2T, offer->max_outstanding_r2t);
	kernel_batch_set_number(batch, KERNEL_PARAM_FIRST_BURST_LENGTH, offer->first_burst_length);
	kernel_batch_set_number(batch, KERNEL_PARAM_MAX_BURST_LENGTH, offer->max_burst_length);
}

static void report_md5(struct session *session)
{
	struct event *event = event_new(EVENT_CHAP_MD5_ALONE);

	event_set_outcome(event, EVENT_OUTCOME_CONTINUED);
	event_set_string(event, FIELD_REASON, "the adapter knows no other algorithm");
	session_raise(session, event);
}

/* Without CHAP, too: those of an earlier login may still be there. */
static void add_credentials(struct session *session, struct kernel_batch *batch)
{
	bool chap = session_setting(session, SETTING_AUTHENTICATION_METHOD) != AUTHENTICATION_NONE;
	const struct session_private *p = session->private;
	bool mutual = chap && is_mutual(session);

	kernel_batch_set_string(
		batch, KERNEL_PARAM_USER_NAME,
		chap ? settings_text(session->settings, SETTING_AUTHENTICATION_USER_NAME) : "");
	kernel_batch_set_secret(batch, KERNEL_PARAM_PASSWORD, chap ? p->secret : NULL);
	kernel_batch_set_string(
		batch, KERNEL_PARAM_USER_NAME_IN,
		mutual ? settings_text(session->settings, SETTING_AUTHENTICATION_TARGET_USER_NAME)
		       : "");
	kernel_batch_set_secret(batch, KERNEL_PARAM_PASSWORD_IN, mutual ? p->target_secret : NULL);
	if (authentication_may_fall_back(session->settings))
		report_md5(session);
}

static void take_identity(struct session *session)
{
	const char *isid = session->found->isid;
	size_t length;

	session->isid_known = hex_decode(isid, strlen(isid), session->isid, sizeof(session->isid),
					 &length) >= 0 &&
			      length == sizeof(session->isid);
	if (session->found->portal_group_tag >= 0)
		session->portal_group_tag = (int)session->found->portal_group_tag;
}

void session_adapter_seen(struct session *session)
{
	if (session_logs_in_itself(session))
		take_identity(session);
}

/* What it agreed on with the target. Without it nothing but the listing is poorer. */
static void see(struct session *session)
{
	if (!session->found)
		session->found = malloc(sizeof(*session->found));
	if (!session->found)
		return;
	if (sysfs_session_read(&session->manager->sysfs, session->sid, session->found) >= 0) {
		take_identity(session);
		return;
	}
	free(session->found);
	session->found = NULL;
}

static void failed(struct session *session)
{
	static const char why[] = "the adapter could not log in; why, it does not tell";
	struct event *event = event_new(EVENT_ADAPTER_LOGIN_FAILED);

	event_set_outcome(event, EVENT_OUTCOME_FAILED);
	session_raise(session, event);
	session_fail(session, -EREMOTEIO, EVENT_ADAPTER_LOGIN_FAILED, why);
	session_post(session, CONNECTION_EVENT_LOGIN_FAILED);
}

static void end(struct session *session, bool logged_in)
{
	session->private->adapter_login = ADAPTER_LOGIN_NONE;
	session_arm_timer(session, 0, NULL);
	if (!logged_in) {
		failed(session);
		return;
	}
	see(session);
	session_settled(session);
	session_post(session, CONNECTION_EVENT_LOGIN_SUCCEEDED);
}

void session_adapter_told(struct session *session, bool logged_in)
{
	struct session_private *p = session->private;

	switch (p->adapter_login) {
	case ADAPTER_LOGIN_ASKED:
		/* Quicker than the way back from the worker. */
		p->adapter_login = logged_in ? ADAPTER_LOGIN_SUCCEEDED : ADAPTER_LOGIN_FAILED;
		break;
	case ADAPTER_LOGIN_BEGUN:
		end(session, logged_in);
		break;
	case ADAPTER_LOGIN_NONE:
		/* The firmware has mended the connection before we tried. */
		if (logged_in)
			session_retry_now(session);
		break;
	case ADAPTER_LOGIN_SUCCEEDED:
	case ADAPTER_LOGIN_FAILED:
		break;
	}
}

static int timed_out(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct session *session = userdata;
	static const char why[] = "the adapter did not finish the login in time";
	struct event *event = event_new(EVENT_LOGIN_TIMEOUT);

	session->private->adapter_login = ADAPTER_LOGIN_NONE;
	session_arm_timer(session, 0, NULL);
	event_set_string(event, FIELD_REASON, why);
	event_set_outcome(event, EVENT_OUTCOME_FAILED);
	session_raise(session, event);
	session_fail(session, -ETIMEDOUT, EVENT_LOGIN_TIMEOUT, why);
	session_post(session, CONNECTION_EVENT_LOGIN_FAILED);
	return 0;
}

/* For connecting and logging in, between which nothing is told. */
static uint64_t patience(const struct session *session)
{
	uint64_t usec = (uint64_t)(session_setting(session, SETTING_CONNECT_TIMEOUT_SECONDS) +
				   session_setting(session, SETTING_LOGIN_TIMEOUT_SECONDS)) *
			SECOND_USEC;
	uint64_t now = turn_usec(CLOCK_MONOTONIC), deadline = session->private->deadline_usec;
	uint64_t left = deadline > now ? deadline - now : 0;

	return usec < left ? usec : left;
}

static void refused(struct session *session, const struct kernel_result *result)
{
	if (result->operation == KERNEL_START_CONNECTION && result->error == -EEXIST) {
		session->private->hopeless = true;
		/* Told when it is given up. */
		session_fail(session, result->error, 0,
			     "the firmware of the adapter has a session with this target already; "
			     "'ois-ctl sessions' lists it, and it goes with its flash node");
	} else {
		session_refused(session, result);
	}
	session_post(session, CONNECTION_EVENT_LOGIN_FAILED);
}

static void begun(void *userdata, const struct kernel_result *result)
{
	struct session *session = userdata;
	struct session_private *p = session->private;
	enum adapter_login login = p->adapter_login;

	if (!session_batch_returned(session) || session->connection != CONNECTION_STATE_IN_LOGIN ||
	    login == ADAPTER_LOGIN_NONE)
		return;
	p->adapter_login = ADAPTER_LOGIN_NONE;
	if (result->error < 0) {
		refused(session, result);
		return;
	}
	if (login != ADAPTER_LOGIN_ASKED) {
		end(session, login == ADAPTER_LOGIN_SUCCEEDED);
		return;
	}
	p->adapter_login = ADAPTER_LOGIN_BEGUN;
	if (session_arm_timer(session, patience(session), timed_out) < 0) {
		session_lack(session, -ENOMEM, EVENT_WORKITEM_RESOURCES);
		session_post(session, CONNECTION_EVENT_LOGIN_FAILED);
	}
}

void session_adapter_login(struct session *session)
{
	struct kernel_batch *batch = session_batch(session);
	int r;

	if (batch) {
		session_add_identity(session, batch);
		session_add_limits(session, batch);
		add_offer(session, batch);
		add_credentials(session, batch);
		kernel_batch_barrier(batch);
		kernel_batch_start(batch);
	}
	session->private->adapter_login = ADAPTER_LOGIN_ASKED;
	r = session_submit(session, batch, begun);
	if (r < 0) {
		session_lack(session, r, EVENT_CONNECTION_RESOURCES);
		session_post(session, CONNECTION_EVENT_LOGIN_FAILED);
	}
}
