/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Selectors: conditions on nodes and sessions, as org.ois.node.Selector and
 * org.ois.session.Selector.
 */
#include "client.h"
#include "parse.h"

struct ois_selector {
	json_object *conditions;
};

int ois_selector_new(struct ois_selector **ret)
{
	struct ois_selector *selector;

	selector = calloc(1, sizeof(*selector));
	if (!selector)
		return -ENOMEM;
	selector->conditions = json_object_new_object();
	if (!selector->conditions) {
		free(selector);
		return -ENOMEM;
	}
	*ret = selector;
	return 0;
}

struct ois_selector *ois_selector_free(struct ois_selector *selector)
{
	if (!selector)
		return NULL;
	json_object_put(selector->conditions);
	free(selector);
	return NULL;
}

int ois_selector_set_target_name(struct ois_selector *selector, const char *pattern)
{
	return pattern ? json_set_string(selector->conditions, "targetName", pattern) : -EINVAL;
}

int ois_selector_set_portal(struct ois_selector *selector, const char *portal)
{
	char address[PORTAL_ADDRESS_MAX];
	uint16_t port;
	int r;

	/* Port 0 is nobody's, so it can stand for "none given". */
	r = portal ? portal_parse(portal, 0, address, sizeof(address), &port, NULL) : -EINVAL;
	if (r < 0)
		return r;
	r = json_set_string(selector->conditions, "address", address);
	if (r >= 0 && port > 0)
		r = json_set_int(selector->conditions, "port", port);
	return r;
}

int ois_selector_set_startup(struct ois_selector *selector, const char *startup)
{
	return startup ? json_set_string(selector->conditions, "startup", startup) : -EINVAL;
}

int ois_selector_set_session(struct ois_selector *selector, int64_t session)
{
	return json_set_int(selector->conditions, "session", session);
}

json_object *selector_to_json(const struct ois_selector *selector)
{
	json_object *copy = NULL;

	if (!selector)
		return json_object_new_object();
	/* The selector may be changed after the call was made of it. */
	if (json_object_deep_copy(selector->conditions, &copy, NULL) < 0)
		return NULL;
	return copy;
}
