/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "discovery.h"
#include "interface.h"
#include "json.h"
#include "method_change.h"
#include "parse.h"

/* Answering when it is on disk */

struct change {
	struct call *call; /* NULL: the client is gone */
	const char *store_failed;
	json_object *answer;
};

static void change_gone(void *userdata)
{
	struct change *change = userdata;

	change->call = NULL;
}

static void change_stored(void *userdata, int error)
{
	struct change *change = userdata;

	if (change->call && error < 0)
		call_store_failed(change->call, change->store_failed, error);
	else if (change->call)
		call_reply(change->call, TAKE_PTR(change->answer));
	json_object_put(change->answer);
	free(change);
}

int call_store(struct call *call, json_object *answer, const char *store_failed)
{
	struct change *change = answer ? calloc(1, sizeof(*change)) : NULL;
	int r = -ENOMEM;

	if (change) {
		*change = (struct change){ call, store_failed, answer };
		r = records_commit(call_manager(call)->records, change_stored, change);
	}
	if (r < 0) {
		json_object_put(answer);
		free(change);
		return r;
	}
	call_keep(call, change, change_gone);
	return 0;
}

/* Settings */

static json_object *fault_to_json(const struct settings_fault *fault)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_string(object, "setting", fault->name);
	if (fault->value[0])
		r |= json_set_string(object, "value", fault->value);
	if (fault->has_range) {
		r |= json_set_int(object, "minimum", fault->minimum);
		r |= json_set_int(object, "maximum", fault->maximum);
	}
	r |= json_set_string(object, "message", fault->message);
	return r < 0 ? NULL : TAKE_PTR(object);
}

int call_refuse_setting(struct call *call, const char *invalid_setting, int error,
			const struct settings_fault *fault)
{
	if (error == -ENOMEM)
		return error;
	call_error(call, invalid_setting, fault_to_json(fault));
	return 0;
}

int settings_check_own(const struct manager *manager, const struct settings *own,
		       const char *discovered, struct settings_fault *ret_fault)
{
	_cleanup_(settings_freep) struct settings *effective = NULL;
	const struct settings *defaults = settings_get_scope(own) == SETTINGS_NODE
						  ? manager->config->node_defaults
						  : manager->config->discovery_defaults;
	const char *name = settings_text(own, SETTING_INTERFACE);
	int r;

	if (name && !interface_exists(manager->records, name))
		return settings_conflict(
			own, SETTING_INTERFACE,
			"is no interface of this host; 'ois-ctl ifaces' lists them", ret_fault);
	if (name && settings_get_scope(own) == SETTINGS_DISCOVERY &&
	    !discovery_goes_over(manager->records, name))
		return settings_conflict(own, SETTING_INTERFACE,
					 "must not be of an adapter that logs in by itself",
					 ret_fault);
	r = interface_effective(manager->records, defaults, own, discovered, &effective);
	return r < 0 ? r : settings_check(effective, ret_fault);
}

static int reset_settings(struct settings *settings, json_object *names,
			  struct settings_fault *ret_fault)
{
	size_t n = names ? json_object_array_length(names) : 0;

	for (size_t i = 0; i < n; i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(names, i));

		if (settings_reset(settings, name) >= 0)
			continue;
		*ret_fault = (struct settings_fault){ .message = "is not known" };
		(void)text_escape(name, strlen(name), ret_fault->name, sizeof(ret_fault->name));
		return -ENOENT;
	}
	return 0;
}

int changed_settings(const struct settings *own, json_object *parameters, struct settings **ret,
		     struct settings_fault *ret_fault)
{
	_cleanup_(settings_freep) struct settings *settings = NULL;
	json_object *object = NULL, *reset = NULL;
	int r;

	(void)json_get_object(parameters, "settings", &object);
	(void)json_get_array(parameters, "reset", &reset);
	r = settings_copy(own, &settings);
	if (r >= 0)
		r = reset_settings(settings, reset, ret_fault);
	if (r >= 0 && object)
		r = settings_set_json(settings, object, ret_fault);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(settings);
	return 0;
}

/* Names of the settings in an object, for the event. */
static void append_names(char *names, size_t size, const char *prefix, json_object *object)
{
	json_object_object_foreach (object, name, value) {
		char full[64];
		size_t used = strlen(names);

		(void)snprintf(full, sizeof(full), "%s%s%s", prefix, prefix[0] ? "." : "", name);
		if (json_object_is_type(value, json_type_object))
			append_names(names, size, full, value);
		else if (value)
			(void)snprintf(names + used, size - used, "%s%s", used ? ", " : "", full);
	}
}

void changed_names(json_object *parameters, char *names, size_t size)
{
	json_object *object = NULL, *reset = NULL;
	size_t n;

	names[0] = '\0';
	if (json_get_object(parameters, "settings", &object) > 0)
		append_names(names, size, "", object);
	if (json_get_array(parameters, "reset", &reset) <= 0)
		return;
	n = json_object_array_length(reset);
	for (size_t i = 0; i < n; i++) {
		size_t used = strlen(names);

		(void)snprintf(names + used, size - used, "%s%s", used ? ", " : "",
			       json_object_get_string(json_object_array_get_idx(reset, i)));
	}
}
