/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a login goes. A target may send it elsewhere, RFC 7143 11.13.5: for the moment, which holds
 * for one attempt, or for good, which is remembered with the node once a login has succeeded there.
 * Then each attempt begins there, and goes on at the node's own portal if that fails.
 */
#include <string.h>

#include "address.h"
#include "session_private.h"

static bool same_portal(const struct login_redirect *portal, const char *address, uint16_t port)
{
	return portal->port == port && strcmp(portal->address, address) == 0;
}

const char *session_address(const struct session *session)
{
	return session->redirect.address[0] ? session->redirect.address : session->address;
}

uint16_t session_port(const struct session *session)
{
	return session->redirect.address[0] ? session->redirect.port : session->port;
}

/* A session that came about at the portal remembered and did not work leads to the other one. */
void session_choose_portal(struct session *session)
{
	struct session_private *p = session->private;

	p->at_remembered = p->remembered.address[0] && !p->at_remembered;
	p->redirects = 0;
	if (p->at_remembered)
		session->redirect = p->remembered;
	else
		session->redirect = (struct login_redirect){ 0 };
}

void session_redirected(struct session *session, const struct login_redirect *redirect)
{
	/* What is for good behind something for the moment is for the moment. */
	bool permanent = !session->redirect.address[0] || session->redirect.permanent;

	session->private->redirects++;
	session->redirect = *redirect;
	session->redirect.permanent &= permanent;
	session_post(session, CONNECTION_EVENT_REDIRECTED);
}

bool session_falls_back(const struct session *session)
{
	return session->private->at_remembered && !session->private->leaving &&
	       (session->connection & (CONNECTION_STATE_XPT_WAIT | CONNECTION_STATE_IN_LOGIN));
}

/* A session of before: the kernel has both addresses. Of a host name it has what that stood for. */
void session_find_portal(struct session *session)
{
	const struct sysfs_session *found = session->found;
	struct login_redirect redirect = { .port = (uint16_t)found->port };

	if (found->port <= 0 ||
	    address_normalize(found->address, redirect.address, sizeof(redirect.address)) < 0)
		return;
	if (!address_is_numeric(session->address)) {
		session_know_address(session, session->address, redirect.address);
		return;
	}
	if (same_portal(&redirect, session->address, session->port))
		return;
	redirect.permanent = same_portal(&redirect, session->private->remembered.address,
					 session->private->remembered.port);
	session->redirect = redirect;
}

/* Remembering */

/* @portal NULL: none any more. */
static void remember(struct session *session, const struct login_redirect *portal)
{
	struct session_private *p = session->private;
	struct event *event =
		event_new(portal ? EVENT_REDIRECT_REMEMBERED : EVENT_REDIRECT_FORGOTTEN);
	struct records *records = session->manager->records;
	struct node *node = session_node(session);
	char text[PORTAL_TEXT_MAX];

	portal_format(portal ? portal->address : p->remembered.address,
		      portal ? portal->port : p->remembered.port, text);
	event_set_string(event, FIELD_REDIRECT, text);
	portal_format(session->address, session->port, text);
	event_set_string(event, FIELD_PORTAL, text);
	session_raise(session, event);
	if (portal)
		p->remembered = *portal;
	else
		p->remembered.address[0] = '\0';
	/* What is not kept the target says again. */
	if (node && records_set_redirect(records, node, portal ? portal->address : NULL,
					 portal ? portal->port : 0) >= 0)
		(void)records_commit(records, NULL, NULL);
}

void session_settled(struct session *session)
{
	const struct login_redirect *redirect = &session->redirect;
	struct session_private *p = session->private;
	bool known = p->remembered.address[0];

	if (redirect->address[0] && redirect->permanent &&
	    !same_portal(redirect, session->address, session->port)) {
		if (!known || !same_portal(redirect, p->remembered.address, p->remembered.port))
			remember(session, redirect);
		return;
	}
	/* The portal remembered may send elsewhere for the moment, and is still the right one. */
	if (known && (!p->at_remembered || !redirect->address[0] || redirect->permanent))
		remember(session, NULL);
}
