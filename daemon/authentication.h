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
 * borrowed, as everywhere in it; a secret that does not exist is NULL. With @md5_alone no other
 * algorithm is offered, which only authentication_may_fall_back() allows. Errors: -EAGAIN (no
 * random bytes yet).
 */
int authentication_configure(const struct settings *effective, const struct secret *secret,
			     const struct secret *target_secret, bool md5_alone,
			     struct login_config *config);

/*
 * True if MD5 can be offered alone to a target that cannot cope with a list: it is in the list
 * anyhow, so that the target could have chosen it, and so could anybody between. RFC 7143, 9.2.1
 */
bool authentication_may_fall_back(const struct settings *effective);
/* MD5 is in the list of the settings, and this system allows it. */
bool authentication_allows_md5(const struct settings *effective);
/* Event CHAP_MD5_ALONE. @now: it was in this attempt that the target @refused or closed. */
struct event *authentication_fallback_event(bool now, bool refused);
