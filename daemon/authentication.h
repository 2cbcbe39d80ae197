/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From settings and secrets to what the login machine needs to prove identities, for normal and
 * discovery sessions alike. RFC 7143, 12.1.
 */
#pragma once

#include "login.h"
#include "secret.h"
#include "settings.h"

/*
 * Completes @config with the authentication that @effective asks for. Texts and secrets are
 * borrowed, as everywhere in it; a secret that does not exist is NULL. Errors: -EAGAIN (no random
 * bytes yet).
 */
int authentication_configure(const struct settings *effective, const struct secret *secret,
			     const struct secret *target_secret, struct login_config *config);
