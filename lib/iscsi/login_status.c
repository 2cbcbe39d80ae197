/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Login Responses whose status is not success, RFC 7143 11.13.5: what each status means, and
 * redirection.
 */
#include <string.h>

#include "address.h"
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

/* Redirection */

/* The value of TargetAddress; NULL: there is none, or the text before it is malformed. */
static const char *find_address(const struct buffer *text, char *ret, size_t size)
{
	struct text_iterator iterator;
	struct text_pair pair;

	text_iterator_init(&iterator, text->data, text->length);
	while (text_iterator_next(&iterator, &pair, NULL) > 0) {
		if (pair.key_length != strlen("TargetAddress") ||
		    memcmp(pair.key, "TargetAddress", pair.key_length) != 0)
			continue;
		if (pair.value_length >= size)
			return "";
		memcpy(ret, pair.value, pair.value_length);
		ret[pair.value_length] = '\0';
		return ret;
	}
	return NULL;
}

/* RFC 7143, 13.8: domainname[:port], without a portal group. What is wrong with it, or NULL. */
static const char *read_redirect(struct login *login, const struct buffer *text,
				 struct login_redirect *ret)
{
	const struct login_config *config = &login->config;
	char room[PORTAL_TEXT_MAX + 8];
	const char *value = find_address(text, room, sizeof(room));
	int tag;

	if (!value)
		return "the redirection names no portal";
	if (portal_parse(value, ISCSI_PORT, ret->address, sizeof(ret->address), &ret->port, &tag) <
	    0)
		return "the redirection is to no address and port";
	if (tag >= 0 && !leniency_allows(&login->negotiation.leniencies, LENIENCY_REDIRECT_GROUP))
		return leniency_row(LENIENCY_REDIRECT_GROUP)->deviation;
	return address_localize(ret->address, sizeof(ret->address), config->portal_address,
				config->portal_scope);
}

/* What a single PDU holds, as text that ends in a NUL; and what is wrong with it, or NULL. */
static int terminate(struct login *login, struct buffer *text, const char **ret_fault)
{
	int r;

	*ret_fault = NULL;
	r = buffer_append(text, login->received_data, login->received_length);
	if (r >= 0)
		r = buffer_append(text, "", 1);
	if (r < 0)
		return r;
	if (login->received_length == 0 || text->data[text->length - 2] == '\0')
		text->length--;
	else if (!leniency_allows(&login->negotiation.leniencies, LENIENCY_TEXT_UNTERMINATED))
		*ret_fault = leniency_row(LENIENCY_TEXT_UNTERMINATED)->deviation;
	return 0;
}

static int redirect_fault(struct login *login, int error, bool retry, const char *reason)
{
	struct event *event = login_event(EVENT_REDIRECT_INVALID, EVENT_OUTCOME_FAILED);

	event_set_text(event, FIELD_DUMP_RETURNED, login->received_data, login->received_length);
	event_set_string(event, FIELD_REASON, reason);
	return login_fail(login, error, retry, EVENT_REDIRECT_INVALID, event);
}

/* RFC 7143, 11.13.5: class 1 sends the login to another portal. */
static int receive_redirect(struct login *login, const struct pdu *pdu,
			    const struct login_status *status)
{
	_cleanup_(buffer_done) struct buffer text = { 0 };
	struct login_step final = { .type = LOGIN_STEP_REDIRECT };
	char portal[PORTAL_TEXT_MAX];
	const char *fault;
	struct event *event;
	int r;

	r = terminate(login, &text, &fault);
	if (r < 0)
		return r;
	/* RFC 7143, 11.13.7: an address that goes on elsewhere is not the whole one. */
	if (pdu->login_response.more)
		fault = "the redirection goes on in another response";
	if (!fault)
		fault = read_redirect(login, &text, &final.redirect);
	if (fault)
		return redirect_fault(login, -EPROTO, false, fault);
	/* Portals that send everybody on to each other may do so for a moment only. */
	if (login->config.redirects >= LOGIN_REDIRECTS_MAX)
		return redirect_fault(login, -ELOOP, true, "the login was redirected too often");
	final.redirect.permanent = status->outcome == LOGIN_OUTCOME_MOVE;
	portal_format(final.redirect.address, final.redirect.port, portal);
	event = login_event(EVENT_LOGIN_REDIRECTED, EVENT_OUTCOME_CONTINUED);
	event_set_string(event, FIELD_REDIRECT, portal);
	event_set_status(event,
			 (unsigned)pdu->login_response.status_class << 8 |
				 pdu->login_response.status_detail,
			 status->text);
	login_raise(login, event);
	login_raise(login, leniency_event(&login->negotiation.leniencies));
	login_end(login, &final);
	return 0;
}

/* Refusal */

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
		return receive_redirect(login, pdu, status);
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
