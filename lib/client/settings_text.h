/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Settings of nodes between "NAME=VALUE" and the JSON object org.ois.node Settings. Which names
 * there are, and of which kind their values, stands in the interface definition; ranges are the
 * daemon's business.
 */
#pragma once

#include "client.h"

/*
 * NULL and an empty array make an empty object. Errors: -ENOENT, -EINVAL with *@ret_error; -ENOMEM
 * without.
 */
int settings_from_text(const char *const *settings, json_object **ret,
		       struct ois_error **ret_error);
/* A scalar or an array of scalars as text. */
int setting_to_text(json_object *value, char **ret);
/* @prefix: dotted name of @settings itself, NULL at the top. */
int settings_foreach(json_object *settings, const char *prefix,
		     int (*function)(const char *name, const char *value, void *userdata),
		     void *userdata);
