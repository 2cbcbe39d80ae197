/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/random.h>

#include "authentication.h"

#define ALGORITHMS_MAX 8

/* What the settings list; returns how many. */
static size_t list_algorithms(const struct settings *effective,
			      enum chap_algorithm ret[ALGORITHMS_MAX])
{
	static const enum chap_algorithm algorithms[] = {
		[SETTING_CHAP_MD5] = CHAP_ALGORITHM_MD5,
		[SETTING_CHAP_SHA1] = CHAP_ALGORITHM_SHA1,
		[SETTING_CHAP_SHA256] = CHAP_ALGORITHM_SHA256,
		[SETTING_CHAP_SHA3_256] = CHAP_ALGORITHM_SHA3_256,
	};
	int values[ALGORITHMS_MAX];
	size_t n;

	n = settings_list(effective, SETTING_AUTHENTICATION_ALGORITHMS, values);
	for (size_t i = 0; i < n; i++)
		ret[i] = algorithms[values[i]];
	return n;
}

int authentication_configure(const struct settings *effective, const struct secret *secret,
			     const struct secret *target_secret, bool md5_alone,
			     struct login_config *config)
{
	enum setting_authentication method = (enum setting_authentication)settings_number(
		effective, SETTING_AUTHENTICATION_METHOD);
	enum chap_algorithm listed[ALGORITHMS_MAX];
	size_t n;

	if (method == AUTHENTICATION_NONE)
		return 0;
	config->authentication = LOGIN_AUTHENTICATION_CHAP;
	config->mutual = method == AUTHENTICATION_MUTUAL_CHAP;
	n = list_algorithms(effective, listed);
	for (size_t i = 0; i < n; i++)
		if (!md5_alone || listed[i] == CHAP_ALGORITHM_MD5)
			config->chap_algorithms[config->n_chap_algorithms++] = listed[i];
	config->user_name = settings_text(effective, SETTING_AUTHENTICATION_USER_NAME);
	config->secret = secret;
	config->target_user_name =
		settings_text(effective, SETTING_AUTHENTICATION_TARGET_USER_NAME);
	config->target_secret = target_secret;
	return getrandom(config->chap_random, sizeof(config->chap_random), GRND_NONBLOCK) ==
			       (ssize_t)sizeof(config->chap_random)
		       ? 0
		       : -EAGAIN;
}

/* Whether MD5, or any other algorithm, is in the list of the settings and this system allows it. */
static bool allows(const struct settings *effective, bool md5)
{
	enum chap_algorithm listed[ALGORITHMS_MAX];
	size_t n = list_algorithms(effective, listed);

	for (size_t i = 0; i < n; i++)
		if ((listed[i] == CHAP_ALGORITHM_MD5) == md5 && chap_algorithm_available(listed[i]))
			return true;
	return false;
}

bool authentication_allows_md5(const struct settings *effective)
{
	return allows(effective, true);
}

bool authentication_may_fall_back(const struct settings *effective)
{
	return settings_number(effective, SETTING_AUTHENTICATION_METHOD) != AUTHENTICATION_NONE &&
	       !settings_number(effective, SETTING_STRICT) && allows(effective, true) &&
	       allows(effective, false);
}

struct event *authentication_fallback_event(bool now, bool refused)
{
	struct event *event = event_new(EVENT_CHAP_MD5_ALONE);

	event_set_outcome(event, EVENT_OUTCOME_CONTINUED);
	event_set_string(event, FIELD_REASON,
			 !now      ? "it refused the list of algorithms in an earlier login"
			 : refused ? "it refused the list of algorithms"
				   : "it closed the connection on the list of algorithms");
	return event;
}
