/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/random.h>

#include "authentication.h"

int authentication_configure(const struct settings *effective, const struct secret *secret,
			     const struct secret *target_secret, struct login_config *config)
{
	static const enum chap_algorithm algorithms[] = {
		[SETTING_CHAP_MD5] = CHAP_ALGORITHM_MD5,
		[SETTING_CHAP_SHA1] = CHAP_ALGORITHM_SHA1,
		[SETTING_CHAP_SHA256] = CHAP_ALGORITHM_SHA256,
		[SETTING_CHAP_SHA3_256] = CHAP_ALGORITHM_SHA3_256,
	};
	int values[8];
	size_t n;

	if (settings_number(effective, SETTING_AUTHENTICATION_METHOD) != AUTHENTICATION_CHAP)
		return 0;
	config->authentication = LOGIN_AUTHENTICATION_CHAP;
	n = settings_list(effective, SETTING_AUTHENTICATION_ALGORITHMS, values);
	for (size_t i = 0; i < n && i < ELEMENTSOF(config->chap_algorithms); i++)
		config->chap_algorithms[config->n_chap_algorithms++] = algorithms[values[i]];
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
