/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.ois.manager: the daemon itself.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "interfaces.h"
#include "json.h"
#include "method_common.h"
#include "notify.h"
#include "service.h"

/* Status */

static const char *const initiator_origin_names[] = {
	[INITIATOR_ORIGIN_CONFIGURATION] = "configuration",
	[INITIATOR_ORIGIN_FILE] = "file",
	[INITIATOR_ORIGIN_GENERATED] = "generated",
};

static json_object *initiator_to_json(const struct config *config)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_string(object, "name", config->initiator_name);
	r |= json_set_string(object, "alias", config->initiator_alias);
	r |= json_set_string(object, "origin", initiator_origin_names[config->initiator_origin]);
	return r < 0 ? NULL : TAKE_PTR(object);
}

/* Of one without a row the sessions are known by its name only. */
static int64_t count_sessions(const struct manager *manager, const struct transport *transport)
{
	int64_t n = 0;

	for (const struct session *s = manager->sessions; s; s = s->next)
		n += s->in_kernel && strcmp(session_transport_name(s), transport->name) == 0;
	return n;
}

static json_object *transport_to_json(const struct manager *manager,
				      const struct transport *transport)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_string(object, "name", transport->name);
	r |= json_set_string(object, "module", transport->module);
	r |= json_set_bool(object, "loaded", transport->loaded);
	r |= json_set_string(object, "kind", transport_kind_to_string(transport->kind));
	r |= json_set_int(object, "sessions", count_sessions(manager, transport));
	return r < 0 ? NULL : TAKE_PTR(object);
}

struct transports {
	const struct manager *manager;
	json_object *array;
};

static int add_unknown(void *userdata, const char *name)
{
	const struct transport unknown = {
		.name = name,
		.kind = TRANSPORT_UNKNOWN,
		.loaded = true,
	};
	const struct transports *transports = userdata;

	if (transport_find(name))
		return 0;
	return json_append(transports->array, transport_to_json(transports->manager, &unknown));
}

static json_object *transports_to_json(const struct manager *manager)
{
	_cleanup_json_ json_object *array = json_object_new_array();
	struct transports transports = { manager, array };

	for (const struct transport *t = manager->transports; array && t->name; t++)
		if (json_append(array, transport_to_json(manager, t)) < 0)
			return NULL;
	if (array && sysfs_transport_list(&manager->sysfs, add_unknown, &transports) == -ENOMEM)
		return NULL;
	return TAKE_PTR(array);
}

static json_object *files_to_json(char *const *files)
{
	_cleanup_json_ json_object *array = json_object_new_array();

	for (; array && files && *files; files++)
		if (json_append(array, json_string(*files, strlen(*files))) < 0)
			return NULL;
	return TAKE_PTR(array);
}

static int set_counts(json_object *status, const struct manager *manager)
{
	int64_t in_kernel = 0, recovering = 0;
	int r;

	for (const struct session *s = manager->sessions; s; s = s->next) {
		in_kernel += s->in_kernel;
		recovering += s->recovering;
	}
	r = json_set_int(status, "nodes", (int64_t)records_count(manager->records));
	r |= json_set_int(status, "sessions", in_kernel);
	r |= json_set_int(status, "recovering", recovering);
	r |= json_set_int(status, "loginsInFlight", (int64_t)manager->n_logins_in_flight);
	r |= json_set_int(status, "loginsQueued", (int64_t)manager->n_logins_queued);
	r |= json_set_int(status, "subscribers", (int64_t)service_subscribers(manager->service));
	r |= json_set_int(status, "journalDropped", (int64_t)journal_dropped(manager->journal));
	r |= json_set_int(status, "longestTurnUSec", (int64_t)manager->longest_turn_usec);
	return r;
}

static json_object *status_to_json(const struct manager *manager)
{
	_cleanup_json_ json_object *status = json_object_new_object();
	int r;

	if (!status)
		return NULL;
	r = json_set_string(status, "version", OIS_VERSION);
	r |= json_set_string(status, "state", service_state(manager->service));
	r |= json_set_int(status, "processId", getpid());
	r |= json_set_int(status, "startedTimestampUSec", (int64_t)manager->started_usec);
	r |= json_set(status, "initiator", initiator_to_json(manager->config));
	r |= json_set(status, "transports", transports_to_json(manager));
	r |= set_counts(status, manager);
	r |= json_set(status, "configurationFiles", files_to_json(manager->config->files));
	r |= json_set_string(status, "recordsDirectory", manager->paths.records);
	return r < 0 ? NULL : TAKE_PTR(status);
}

int method_manager_get_status(struct call *call)
{
	call_reply(call, json_wrap("status", status_to_json(call_manager(call))));
	return 0;
}

/* Reload */

struct reload {
	struct call *call; /* NULL: the client is gone */
};

static void reload_gone(void *userdata)
{
	struct reload *reload = userdata;

	reload->call = NULL;
}

static json_object *fault_to_json(const struct config_fault *fault)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_string(object, "file", fault->file);
	if (fault->line > 0)
		r |= json_set_int(object, "line", fault->line);
	if (fault->setting[0])
		r |= json_set_string(object, "setting", fault->setting);
	r |= json_set_string(object, "message", fault->message);
	return r < 0 ? NULL : TAKE_PTR(object);
}

static void reload_done(void *userdata, int error, const struct config_fault *fault)
{
	_cleanup_free_ struct reload *reload = userdata;

	notify_reloaded();
	if (!reload->call)
		return;
	if (error >= 0)
		call_reply(reload->call, json_object_new_object());
	else if (error == -ENOMEM || error == -ECANCELED || !fault)
		call_fail(reload->call, error, NULL);
	else
		call_error(reload->call, ERROR_MANAGER_CONFIGURATION_INVALID, fault_to_json(fault));
}

int method_manager_reload(struct call *call)
{
	_cleanup_free_ struct reload *reload = calloc(1, sizeof(*reload));
	int r;

	if (!reload)
		return -ENOMEM;
	reload->call = call;
	r = manager_reload(call_manager(call), reload_done, reload);
	if (r < 0)
		return r;
	notify_reloading();
	call_keep(call, TAKE_PTR(reload), reload_gone);
	return 0;
}

/* Settings */

static const char *const setting_type_names[] = {
	[SETTING_BOOLEAN] = "boolean", [SETTING_INTEGER] = "integer",
	[SETTING_TEXT] = "text",       [SETTING_ENUMERATION] = "enumeration",
	[SETTING_LIST] = "list",
};

static json_object *values_to_json(const char *const *values)
{
	_cleanup_json_ json_object *array = json_object_new_array();

	for (; array && *values; values++)
		if (json_append(array, json_object_new_string(*values)) < 0)
			return NULL;
	return TAKE_PTR(array);
}

static json_object *setting_to_json(enum setting which)
{
	const struct setting_description *setting = setting_describe(which);
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_string(object, "name", setting->name);
	r |= json_set_string(object, "kind", setting_type_names[setting->type]);
	r |= json_set_string(object, "defaultValue", setting->default_value);
	if (setting->type == SETTING_INTEGER)
		r |= json_set_int(object, "minimum", setting->minimum);
	if (setting->type == SETTING_INTEGER || setting->type == SETTING_TEXT)
		r |= json_set_int(object, "maximum", setting->maximum);
	if (setting->values)
		r |= json_set(object, "values", values_to_json(setting->values));
	r |= json_set_string(object, "applies", setting->immediate ? "immediately" : "next_login");
	r |= json_set_bool(object, "node", setting_applies(which, SETTINGS_NODE));
	r |= json_set_bool(object, "discovery", setting_applies(which, SETTINGS_DISCOVERY));
	r |= json_set_bool(object, "interface", setting_applies(which, SETTINGS_INTERFACE));
	r |= json_set_string(object, "description", setting->description);
	return r < 0 ? NULL : TAKE_PTR(object);
}

int method_manager_list_settings(struct call *call)
{
	for (int i = 0; i < _SETTING_MAX; i++)
		if (!call_list(call, json_wrap("setting", setting_to_json(i))))
			return 0;
	call_list_end(call);
	return 0;
}
