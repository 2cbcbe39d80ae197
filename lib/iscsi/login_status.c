/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Login Responses whose status is not success, RFC 7143 11.13.5: what each status means, and
 * redirection.
 */
#include <string.h>

#include "login_private.h"

#define OTHER LOGIN_STATUS_OTHER

static const struct login_status rows[] = {
#define STATUS(class, detail, does, errno_value, says, advises)                                    \
	{ .status_class = (class),                                                                 \
	  .status_detail = (detail),                                                               \
	  .outcome = LOGIN_OUTCOME_##does,                                                         \
	  .error = (errno_value),                                                                  \
	  .meaning = (says),                                                                       \
	  .advice = (advises),                                                                     \
	  .text = says "; " advises },
#include "login_status.def"
#undef STATUS
};

/* RFC 7143, 11.13.5: an unknown detail means what its class means. */
const struct login_status *login_status_find(unsigned status_class, unsigned status_detail)
{
	size_t i = 0;

	/* The last row is for everything. */
	while (i < ELEMENTSOF(rows) - 1 &&
	       !((rows[i].status_class == status_class || rows[i].status_class == OTHER) &&
		 (rows[i].status_detail == status_detail || rows[i].status_detail == OTHER)))
		i++;
	return &rows[i];
}

const struct login_status *login_status_at(size_t index)
{
	return index < ELEMENTSOF(rows) ? &rows[index] : NULL;
}

const char *login_status_text(unsigned status_class, unsigned status_detail)
{
	return login_status_find(status_class, status_detail)->text;
}

/* RFC 7143, 11.13.5 and 13.8: class 1 names the portal to go to. */
static int receive_redirect(struct login *login, const struct login_status *status)
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
		final.redirect.permanent = status->outcome == LOGIN_OUTCOME_MOVE;
		login_end(login, &final);
		return 0;
	}
	event = login_event(EVENT_REDIRECT_INVALID, EVENT_OUTCOME_FAILED);
	event_set_text(event, FIELD_DUMP_RETURNED, login->received_data, login->received_length);
	return login_fail(login, -EPROTO, false, EVENT_REDIRECT_INVALID, event);
}

/* The target asks for what was not even configured. */
static bool wants_chap(const struct login *login, unsigned status_class, unsigned status_detail)
{
	return status_class == PDU_LOGIN_INITIATOR_ERROR && status_detail == 1 &&
	       login->config.authentication == LOGIN_AUTHENTICATION_NONE;
}

/* RFC 7143, 11.13.5. Of such a response neither the stages nor the counters are valid. */
int login_refused(struct login *login, const struct pdu *pdu)
{
	unsigned class = pdu->login_response.status_class;
	unsigned detail = pdu->login_response.status_detail;
	const struct login_status *status = login_status_find(class, detail);
	enum event_number number = EVENT_LOGIN_FAILED;
	struct event *event;

	if (class == PDU_LOGIN_REDIRECTION)
		return receive_redirect(login, status);
	event = login_event(EVENT_LOGIN_FAILED, EVENT_OUTCOME_FAILED);
	event_set_pdu(event, login->received_header, login->received_data, login->received_length);
	event_set_status(event, class << 8 | detail, status->text);
	if (wants_chap(login, class, detail)) {
		login_raise(login, event);
		number = EVENT_CHAP_REQUIRED;
		event = login_event(number, EVENT_OUTCOME_FAILED);
	}
	(void)login_fail(login, status->error, status->outcome == LOGIN_OUTCOME_RETRY, number,
			 event);
	login->final.failed.status_class = (int)class;
	login->final.failed.status_detail = (int)detail;
	login->final.failed.patience = status->outcome == LOGIN_OUTCOME_PATIENCE;
	return status->error;
}
