/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Settings of nodes and portals between "NAME=VALUE" and the JSON object Settings of org.ois.node
 * or org.ois.discovery. Which names there are, and of which kind their values, stands in the
 * interface definition; ranges are the daemon's business.
 */
#pragma once

#include "client.h"

/*
 * NULL and an empty array make an empty object. Errors: -ENOENT, -EINVAL with *@ret_error; -ENOMEM
 * without.
 */
int settings_from_text(const char *interface_name, const char *const *settings, json_object **ret,
		       struct ois_error **ret_error);
/* Parameter "reset": names of settings, NULL at the end; NULL: none. Errors: -ENOMEM. */
int settings_add_reset(json_object *parameters, const char *const *reset);

/* The settings in a record: those in effect if @flags say so and they are there, else its own. */
json_object *settings_find(json_object *record, unsigned flags);
/* One of them as text. Errors: -ENODATA. */
int settings_get(json_object *record, const char *name, unsigned flags, char **ret);
/* A scalar or an array of scalars as text. */
int setting_to_text(json_object *value, char **ret);
/* @prefix: dotted name of @settings itself, NULL at the top. */
int settings_foreach(json_object *settings, const char *prefix,
		     int (*function)(const char *name, const char *value, void *userdata),
		     void *userdata);
