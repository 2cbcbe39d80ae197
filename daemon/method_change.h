/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the methods share that change what a person set: of nodes, of portals for discoveries, and
 * of interfaces.
 */
#pragma once

#include "method_common.h"

/*
 * Answers with @answer, which is taken over, when everything changed so far is durable, or with
 * error @store_failed of the method's interface. NULL stands for no memory.
 */
int call_store(struct call *call, json_object *answer, const char *store_failed);

/* Answers what the settings functions return, with error @invalid_setting. */
int call_refuse_setting(struct call *call, const char *invalid_setting, int error,
			const struct settings_fault *fault);

/*
 * Rules between settings of a node or portal, which hold for what is in effect. @discovered: the
 * interface it was found over, or NULL.
 */
int settings_check_own(const struct manager *manager, const struct settings *own,
		       const char *discovered, struct settings_fault *ret_fault);
/* @own as parameters "settings" and "reset" change it; each is right, but not yet together. */
int changed_settings(const struct settings *own, json_object *parameters, struct settings **ret,
		     struct settings_fault *ret_fault);
/* Names of the settings in these parameters, for the event. */
void changed_names(json_object *parameters, char *names, size_t size);
