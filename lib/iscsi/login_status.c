/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Login Responses whose status is not success, RFC 7143 11.13.5: what each status means, and
 * redirection.
 */
#include <string.h>

#include "login_private.h"

static const struct login_status {
	unsigned status_class, status_detail;
	int error;
	bool retry; /* the same login may succeed later */
	const char *text;
} rows[] = {
	{ 0, 0x00, 0, false, "success" },
	{ 1, 0x01, -EREMCHG, true, "the target has moved temporarily" },
	{ 1, 0x02, -EREMCHG, true, "the target has moved permanently" },
	{ 2, 0x00, -EINVAL, false, "the target finds fault with the initiator" },
	{ 2, 0x01, -EACCES, false, "authentication failed" },
	{ 2, 0x02, -EACCES, false, "this initiator has no access to the target" },
	{ 2, 0x03, -ENOENT, false, "the target was not found" },
	{ 2, 0x04, -ENOENT, false, "the target was removed" },
	{ 2, 0x05, -EPROTONOSUPPORT, false, "the iSCSI version is not supported" },
	{ 2, 0x06, -EUSERS, false, "the session has too many connections" },
	{ 2, 0x07, -EINVAL, false, "a parameter is missing" },
	{ 2, 0x08, -EUSERS, false, "the session cannot span to this portal" },
	{ 2, 0x09, -EOPNOTSUPP, false, "the session type is not supported" },
	{ 2, 0x0a, -ESTALE, false, "the session does not exist" },
	{ 2, 0x0b, -EINVAL, false, "the request is invalid during login" },
	{ 3, 0x00, -EIO, true, "the target has a fault" },
	{ 3, 0x01, -EBUSY, true, "the service is unavailable" },
	{ 3, 0x02, -EBUSY, true, "the target is out of resources" },
};

/* For an unknown detail the row of detail 0; NULL for an unknown class. */
static const struct login_status *login_status(unsigned status_class, unsigned status_detail)
{
	const struct login_status *found = NULL;

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		if (rows[i].status_class != status_class)
			continue;
		if (rows[i].status_detail == status_detail)
			return &rows[i];
		/* RFC 7143, 11.13.5: an unknown detail means what its class means. */
		if (!found && rows[i].status_detail == 0)
			found = &rows[i];
	}
	return found;
}

const char *login_status_text(unsigned status_class, unsigned status_detail)
{
	const struct login_status *status = login_status(status_class, status_detail);

	return status && status->status_detail == status_detail ? status->text : NULL;
}

/* RFC 7143, 11.13.5 and 13.8: class 1 names the portal to go to. */
static int receive_redirect(struct login *login, const struct pdu *pdu)
{
	struct login_step final = { .type = LOGIN_STEP_REDIRECT };
	char address[PORTAL_TEXT_MAX + 8] = "";
	struct text_iterator iterator;
	struct text_pair pair;
	struct event *event;

	text_iterator_init(&iterator, login->received_data, login->received_length);
	while (text_iterator_next(&iterator, &pair, NULL) > 0) {
		if (pair.key_length != strlen("TargetAddress") ||
		    memcmp(pair.key, "TargetAddress", pair.key_length) != 0 ||
		    pair.value_length >= sizeof(address))
			continue;
		memcpy(address, pair.value, pair.value_length);
		address[pair.value_length] = '\0';
		break;
	}
	if (portal_parse(address, ISCSI_PORT, final.redirect.address,
			 sizeof(final.redirect.address), &final.redirect.port,
			 &final.redirect.portal_group_tag) >= 0) {
		final.redirect.permanent = pdu->login_response.status_detail == 2;
		login_end(login, &final);
		return 0;
	}
	event = login_event(EVENT_REDIRECT_INVALID, EVENT_OUTCOME_FAILED);
	event_set_text(event, FIELD_DUMP_RETURNED, login->received_data, login->received_length);
	return login_fail(login, -EPROTO, false, EVENT_REDIRECT_INVALID, event);
}

/* RFC 7143, 11.13.5. Of such a response neither the stages nor the counters are valid. */
int login_refused(struct login *login, const struct pdu *pdu)
{
	unsigned class = pdu->login_response.status_class;
	unsigned detail = pdu->login_response.status_detail;
	const struct login_status *status = login_status(class, detail);
	enum event_number number = EVENT_LOGIN_FAILED;
	struct event *event;
	int r;

	if (class == PDU_LOGIN_REDIRECTION)
		return receive_redirect(login, pdu);
	event = login_event(EVENT_LOGIN_FAILED, EVENT_OUTCOME_FAILED);
	event_set_pdu(event, login->received_header, login->received_data, login->received_length);
	event_set_status(event, class << 8 | detail,
			 status ? status->text : "unknown status class");
	if (class == PDU_LOGIN_INITIATOR_ERROR && detail == 1 &&
	    login->config.authentication == LOGIN_AUTHENTICATION_NONE) {
		login_raise(login, event);
		number = EVENT_CHAP_REQUIRED;
		event = login_event(number, EVENT_OUTCOME_FAILED);
	}
	r = login_fail(login, status ? status->error : -EPROTO, status && status->retry, number,
		       event);
	login->final.failed.status_class = (int)class;
	login->final.failed.status_detail = (int)detail;
	return r;
}
