/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Settings of nodes, discoveries and interfaces, from the rows of settings.def. Values live in an
 * array that is made when the first one is set, because most nodes of a large installation have
 * none of their own.
 */
#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "address.h"
#include "parse.h"
#include "settings.h"
#include "table.h"

#define LIST_MAX 8
/* Longest value as text, for faults and defaults; texts are shorter than this. */
#define VALUE_TEXT_MAX 320

/* Numbers, indices of enumerations, or a list: one byte an element, its index plus one. */
union setting_value {
	int64_t number;
	char *text;
};

struct settings {
	enum settings_scope scope;
	uint64_t present; /* a bit for each setting */
	union setting_value *values;
};

static_assert(_SETTING_MAX <= 64, "settings.present has a bit for each setting");

static const char *address_fault(const char *text)
{
	return address_is_numeric(text) ? NULL : "must be a numeric IPv4 or IPv6 address";
}

static const char *interface_fault(const char *text)
{
	return interface_name_is_valid(text)
		       ? NULL
		       : "must be the name of an interface: printable characters without spaces";
}

static const char *initiator_fault(const char *text)
{
	const char *fault = NULL;

	return iscsi_name_check(text, &fault) < 0 ? fault : NULL;
}

static const char *net_device_fault(const char *text)
{
	return net_device_is_valid(text) ? NULL : "must be the name of a network device";
}

/* "00:0e:1e:c4:e1:6d" */
static const char *hardware_address_fault(const char *text)
{
	bool valid = strlen(text) == 17;

	for (size_t i = 0; valid && text[i]; i++)
		valid = i % 3 == 2 ? text[i] == ':' : isxdigit((unsigned char)text[i]) != 0;
	return valid ? NULL : "must be a hardware address, such as 00:0e:1e:c4:e1:6d";
}

static const char *const transport_names[] = {
#define TRANSPORT(name, ...) name,
#include "transport.def"
#undef TRANSPORT
	NULL,
};

#define NAMES(...)                                                                                 \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

static const struct setting_description descriptions[] = {
#define SETTING(symbol, ...) [SETTING_##symbol] = { __VA_ARGS__ },
#include "settings.def"
#undef SETTING
};

const struct setting_description *setting_describe(enum setting setting)
{
	assert(setting < _SETTING_MAX);
	return &descriptions[setting];
}

int setting_from_name(const char *name)
{
	for (int i = 0; i < _SETTING_MAX; i++)
		if (strcmp(descriptions[i].name, name) == 0)
			return i;
	return -ENOENT;
}

bool setting_applies(enum setting setting, enum settings_scope scope)
{
	const struct setting_description *row = &descriptions[setting];

	switch (scope) {
	case SETTINGS_NODE:
		return !row->interface_only;
	case SETTINGS_DISCOVERY:
		return row->discovery;
	case SETTINGS_INTERFACE:
		return row->interface || row->interface_only;
	case _SETTINGS_SCOPE_MAX:
		break;
	}
	return false;
}

static bool is_present(const struct settings *settings, enum setting setting)
{
	return settings->present >> setting & 1;
}

/* Fills @fault in and returns @error. */
static int _printf_(5, 6) refuse(struct settings_fault *fault, const char *name, const char *value,
				 int error, const char *format, ...)
{
	int setting = setting_from_name(name);
	va_list arguments;

	if (!fault)
		return error;
	*fault = (struct settings_fault){ 0 };
	(void)text_escape(name, strlen(name), fault->name, sizeof(fault->name));
	if (value)
		(void)text_escape(value, strlen(value), fault->value, sizeof(fault->value));
	va_start(arguments, format);
	(void)vsnprintf(fault->message, sizeof(fault->message), format, arguments);
	va_end(arguments);
	if (setting >= 0 && descriptions[setting].type == SETTING_INTEGER) {
		fault->minimum = descriptions[setting].minimum;
		fault->maximum = descriptions[setting].maximum;
		fault->has_range = true;
	}
	return error;
}

/* "must be manual or automatic" */
static int refuse_name(struct settings_fault *fault, const struct setting_description *row,
		       const char *value)
{
	char names[128] = "";
	size_t length = 0;

	for (size_t i = 0; row->values[i]; i++)
		length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
					   i == 0               ? ""
					   : row->values[i + 1] ? ", "
								: " or ",
					   row->values[i]);
	return refuse(fault, row->name, value, -EINVAL, "must be %s%s",
		      row->type == SETTING_LIST ? "a list, each element once, of " : "", names);
}

static int refuse_number(struct settings_fault *fault, const struct setting_description *row,
			 const char *value, int error)
{
	return refuse(fault, row->name, value, error, "must be %s %" PRId64 " to %" PRId64,
		      row->power_of_two ? "a power of two," : "a number,", row->minimum,
		      row->maximum);
}

int settings_new(enum settings_scope scope, struct settings **ret)
{
	struct settings *settings = calloc(1, sizeof(*settings));

	if (!settings)
		return -ENOMEM;
	settings->scope = scope;
	*ret = settings;
	return 0;
}

enum settings_scope settings_get_scope(const struct settings *settings)
{
	return settings->scope;
}

static void clear_value(struct settings *settings, enum setting setting)
{
	if (!is_present(settings, setting))
		return;
	if (descriptions[setting].type == SETTING_TEXT)
		free(settings->values[setting].text);
	settings->present &= ~(UINT64_C(1) << setting);
}

struct settings *settings_free(struct settings *settings)
{
	if (!settings)
		return NULL;
	for (int i = 0; i < _SETTING_MAX; i++)
		clear_value(settings, i);
	free(settings->values);
	free(settings);
	return NULL;
}

static int make_room(struct settings *settings)
{
	if (!settings->values)
		settings->values = calloc(_SETTING_MAX, sizeof(*settings->values));
	return settings->values ? 0 : -ENOMEM;
}

static int put_number(struct settings *settings, enum setting setting, int64_t number)
{
	if (make_room(settings) < 0)
		return -ENOMEM;
	settings->values[setting].number = number;
	settings->present |= UINT64_C(1) << setting;
	return 0;
}

static int put_text(struct settings *settings, enum setting setting, const char *text)
{
	char *copy = strdup(text);

	if (!copy || make_room(settings) < 0) {
		free(copy);
		return -ENOMEM;
	}
	clear_value(settings, setting);
	settings->values[setting].text = copy;
	settings->present |= UINT64_C(1) << setting;
	return 0;
}

int settings_take_over(struct settings *settings, const struct settings *from)
{
	int r = 0;

	for (int i = 0; i < _SETTING_MAX && r >= 0; i++) {
		if (!is_present(from, i) || !setting_applies(i, settings->scope))
			continue;
		if (descriptions[i].type == SETTING_TEXT)
			r = put_text(settings, i, from->values[i].text);
		else
			r = put_number(settings, i, from->values[i].number);
	}
	return r;
}

int settings_copy(const struct settings *settings, struct settings **ret)
{
	_cleanup_(settings_freep) struct settings *copy = NULL;
	int r;

	r = settings_new(settings->scope, &copy);
	if (r < 0)
		return r;
	r = settings_take_over(copy, settings);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(copy);
	return 0;
}

static int set_number(struct settings *settings, enum setting setting, int64_t number,
		      const char *value, struct settings_fault *ret_fault)
{
	const struct setting_description *row = &descriptions[setting];

	if (number < row->minimum || number > row->maximum)
		return refuse_number(ret_fault, row, value, -ERANGE);
	if (row->power_of_two && (number & (number - 1)) != 0)
		return refuse_number(ret_fault, row, value, -EINVAL);
	return put_number(settings, setting, number);
}

static int set_text(struct settings *settings, enum setting setting, const char *value,
		    struct settings_fault *ret_fault)
{
	const struct setting_description *row = &descriptions[setting];
	size_t length = strlen(value);
	const char *fault;

	if (length == 0)
		return refuse(ret_fault, row->name, value, -EINVAL, "must not be empty");
	if (length > (size_t)row->maximum)
		return refuse(ret_fault, row->name, value, -ERANGE,
			      "must have at most %" PRId64 " bytes", row->maximum);
	if (!text_is_clean(value, length))
		return refuse(ret_fault, row->name, value, -EINVAL,
			      "must be UTF-8 text without control characters");
	fault = row->fault ? row->fault(value) : NULL;
	if (fault)
		return refuse(ret_fault, row->name, value, -EINVAL, "%s", fault);
	return put_text(settings, setting, value);
}

static int value_index(const struct setting_description *row, const char *name, size_t length)
{
	for (int i = 0; row->values[i]; i++)
		if (strlen(row->values[i]) == length && memcmp(row->values[i], name, length) == 0)
			return i;
	return -EINVAL;
}

/* Appends an element to a packed list; -EINVAL if it is unknown or there already. */
static int list_append(const struct setting_description *row, int64_t *list, const char *name,
		       size_t length)
{
	int index = value_index(row, name, length);
	unsigned shift = 0;

	if (index < 0)
		return index;
	for (; *list >> shift; shift += 8)
		if ((*list >> shift & 0xff) == index + 1)
			return -EINVAL;
	*list |= (int64_t)(index + 1) << shift;
	return 0;
}

static int set_list(struct settings *settings, enum setting setting, const char *value,
		    struct settings_fault *ret_fault)
{
	const struct setting_description *row = &descriptions[setting];
	static const char separators[] = ", \t";
	int64_t list = 0;

	for (const char *p = value + strspn(value, separators); *p; p += strspn(p, separators)) {
		size_t length = strcspn(p, separators);

		if (list_append(row, &list, p, length) < 0)
			return refuse_name(ret_fault, row, value);
		p += length;
	}
	if (list == 0)
		return refuse_name(ret_fault, row, value);
	return put_number(settings, setting, list);
}

static int set_any(struct settings *settings, enum setting setting, const char *value,
		   struct settings_fault *ret_fault)
{
	const struct setting_description *row = &descriptions[setting];
	int64_t number;
	bool boolean;
	int r;

	switch (row->type) {
	case SETTING_BOOLEAN:
		if (parse_boolean(value, &boolean) < 0)
			return refuse(ret_fault, row->name, value, -EINVAL,
				      "must be true or false");
		return put_number(settings, setting, boolean);
	case SETTING_INTEGER:
		r = parse_i64(value, row->minimum, row->maximum, &number);
		if (r < 0)
			return refuse_number(ret_fault, row, value, r);
		return set_number(settings, setting, number, value, ret_fault);
	case SETTING_TEXT:
		return set_text(settings, setting, value, ret_fault);
	case SETTING_ENUMERATION:
		r = value_index(row, value, strlen(value));
		return r < 0 ? refuse_name(ret_fault, row, value)
			     : put_number(settings, setting, r);
	case SETTING_LIST:
		return set_list(settings, setting, value, ret_fault);
	}
	return -EINVAL;
}

/* The name is unknown, or none of this scope. */
static int refuse_unknown(const struct settings *settings, const char *name, const char *value,
			  struct settings_fault *ret_fault)
{
	static const char *const others[_SETTINGS_SCOPE_MAX] = {
		[SETTINGS_NODE] = "is a setting of interfaces; set it there",
		[SETTINGS_DISCOVERY] = "does not apply to a discovery",
		[SETTINGS_INTERFACE] = "does not apply to an interface",
	};

	if (setting_from_name(name) < 0)
		return refuse(ret_fault, name, value, -ENOENT, "there is no such setting");
	return refuse(ret_fault, name, value, -ENOENT, "%s",
		      table_name(others, ELEMENTSOF(others), settings->scope));
}

/* -ENOENT: unknown, or none of this scope. */
static int find_setting(const struct settings *settings, const char *name)
{
	int setting = setting_from_name(name);

	return setting >= 0 && setting_applies(setting, settings->scope) ? setting : -ENOENT;
}

int settings_set_text(struct settings *settings, const char *name, const char *value,
		      struct settings_fault *ret_fault)
{
	int setting = find_setting(settings, name);

	if (setting < 0)
		return refuse_unknown(settings, name, value, ret_fault);
	return set_any(settings, setting, value, ret_fault);
}

static int refuse_json(struct settings_fault *fault, const struct setting_description *row)
{
	static const char *const types[] = {
		[SETTING_BOOLEAN] = "a boolean",
		[SETTING_INTEGER] = "an integer",
		[SETTING_TEXT] = "a string",
		[SETTING_ENUMERATION] = "a string",
		[SETTING_LIST] = "an array of strings",
	};

	return refuse(fault, row->name, NULL, -EINVAL, "must be %s", types[row->type]);
}

/* NULL if @value is no string, or holds a NUL character. */
static const char *json_text(json_object *value)
{
	const char *text;

	if (!json_object_is_type(value, json_type_string))
		return NULL;
	text = json_object_get_string(value);
	return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

static int set_json_integer(struct settings *settings, enum setting setting, json_object *value,
			    struct settings_fault *ret_fault)
{
	int64_t number = json_object_get_int64(value);
	char text[24];

	/* json-c clamps what does not fit; every range ends far below. */
	(void)snprintf(text, sizeof(text), "%" PRId64, number);
	return set_number(settings, setting, number, text, ret_fault);
}

static int set_json_list(struct settings *settings, enum setting setting, json_object *array,
			 struct settings_fault *ret_fault)
{
	const struct setting_description *row = &descriptions[setting];
	size_t n = json_object_array_length(array);
	int64_t list = 0;

	for (size_t i = 0; i < n; i++) {
		const char *name = json_text(json_object_array_get_idx(array, i));

		if (!name)
			return refuse_json(ret_fault, row);
		if (list_append(row, &list, name, strlen(name)) < 0)
			return refuse_name(ret_fault, row, name);
	}
	if (list == 0)
		return refuse_name(ret_fault, row, "");
	return put_number(settings, setting, list);
}

static int set_json_value(struct settings *settings, enum setting setting, json_object *value,
			  struct settings_fault *ret_fault)
{
	const struct setting_description *row = &descriptions[setting];
	enum json_type type = json_object_get_type(value);
	const char *text = json_text(value);

	if (row->type == SETTING_BOOLEAN && type == json_type_boolean)
		return put_number(settings, setting, json_object_get_boolean(value));
	if (row->type == SETTING_INTEGER && type == json_type_int)
		return set_json_integer(settings, setting, value, ret_fault);
	if (row->type == SETTING_LIST && type == json_type_array)
		return set_json_list(settings, setting, value, ret_fault);
	/* Varlink lets an integer be written as a decimal string. */
	if (text && row->type != SETTING_BOOLEAN && row->type != SETTING_LIST)
		return set_any(settings, setting, text, ret_fault);
	return refuse_json(ret_fault, row);
}

static bool is_output_only(const char *name)
{
	return strcmp(name, "authentication.secretSet") == 0 ||
	       strcmp(name, "authentication.targetSecretSet") == 0;
}

/* @group is "" or "keys." and so on. */
static int set_json_group(struct settings *settings, const char *group, json_object *object,
			  struct settings_fault *ret_fault)
{
	int r = 0;

	json_object_object_foreach (object, member, value) {
		char name[64];
		int setting;

		if (!value)
			continue;
		if (snprintf(name, sizeof(name), "%s%s", group, member) >= (int)sizeof(name))
			return refuse_unknown(settings, member, NULL, ret_fault);
		setting = find_setting(settings, name);
		if (setting >= 0)
			r = set_json_value(settings, setting, value, ret_fault);
		else if (is_output_only(name))
			continue;
		else if (!*group && json_object_is_type(value, json_type_object) &&
			 strlen(name) < 32)
			r = set_json_group(settings, strcat(name, "."), value, ret_fault);
		else
			r = refuse_unknown(settings, name, NULL, ret_fault);
		if (r < 0)
			return r;
	}
	return 0;
}

int settings_set_json(struct settings *settings, json_object *object,
		      struct settings_fault *ret_fault)
{
	_cleanup_(settings_freep) struct settings *copy = NULL;
	struct settings previous;
	int r;

	if (!json_object_is_type(object, json_type_object))
		return refuse(ret_fault, "settings", NULL, -EINVAL, "must be an object");
	r = settings_copy(settings, &copy);
	if (r < 0)
		return r;
	r = set_json_group(copy, "", object, ret_fault);
	if (r < 0)
		return r;
	previous = *settings;
	*settings = *copy;
	*copy = previous;
	return 0;
}

int settings_reset(struct settings *settings, const char *name)
{
	size_t length = strlen(name);
	bool found = false;

	for (int i = 0; i < _SETTING_MAX; i++) {
		const char *row = descriptions[i].name;

		if (length == 0 || strncmp(row, name, length) != 0 ||
		    (row[length] != '\0' && row[length] != '.') ||
		    !setting_applies(i, settings->scope))
			continue;
		clear_value(settings, i);
		found = true;
	}
	return found ? 0 : -ENOENT;
}

bool settings_is_set(const struct settings *settings, enum setting setting)
{
	assert(setting < _SETTING_MAX);
	return is_present(settings, setting);
}

bool settings_is_empty(const struct settings *settings)
{
	return settings->present == 0;
}

bool settings_equal(const struct settings *a, const struct settings *b)
{
	if (a->present != b->present)
		return false;
	for (int i = 0; i < _SETTING_MAX; i++) {
		if (!is_present(a, i))
			continue;
		if (descriptions[i].type == SETTING_TEXT
			    ? strcmp(a->values[i].text, b->values[i].text) != 0
			    : a->values[i].number != b->values[i].number)
			return false;
	}
	return true;
}

int settings_effective(const struct settings *defaults, const struct settings *interface,
		       const struct settings *own, struct settings **ret)
{
	_cleanup_(settings_freep) struct settings *effective = NULL;
	const struct settings *given = own ?: defaults;
	enum settings_scope scope = given ? given->scope : SETTINGS_NODE;
	int r;

	assert(!own || !defaults || own->scope == defaults->scope);
	r = settings_new(scope, &effective);
	for (int i = 0; i < _SETTING_MAX && r >= 0; i++)
		if (descriptions[i].default_value && setting_applies(i, scope))
			r = set_any(effective, i, descriptions[i].default_value, NULL);
	assert(r >= 0 || r == -ENOMEM);
	if (r >= 0 && defaults)
		r = settings_take_over(effective, defaults);
	if (r >= 0 && interface)
		r = settings_take_over(effective, interface);
	if (r >= 0 && own)
		r = settings_take_over(effective, own);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(effective);
	return 0;
}

int64_t settings_number(const struct settings *effective, enum setting setting)
{
	assert(setting < _SETTING_MAX && is_present(effective, setting));
	return effective->values[setting].number;
}

const char *settings_text(const struct settings *effective, enum setting setting)
{
	assert(setting < _SETTING_MAX && descriptions[setting].type == SETTING_TEXT);
	return is_present(effective, setting) ? effective->values[setting].text : NULL;
}

size_t settings_list(const struct settings *effective, enum setting setting, int ret[LIST_MAX])
{
	int64_t list = settings_number(effective, setting);
	size_t n = 0;

	for (; list; list >>= 8)
		ret[n++] = (int)(list & 0xff) - 1;
	return n;
}

/* Writes the value as settings_set_text() takes it. */
static void format_value(const struct settings *settings, enum setting setting,
			 char ret[VALUE_TEXT_MAX])
{
	const struct setting_description *row = &descriptions[setting];
	size_t length = 0, n;
	int list[LIST_MAX];

	*ret = '\0';
	if (!is_present(settings, setting))
		return;
	switch (row->type) {
	case SETTING_BOOLEAN:
		(void)strcpy(ret, settings->values[setting].number ? "true" : "false");
		return;
	case SETTING_INTEGER:
		(void)snprintf(ret, VALUE_TEXT_MAX, "%" PRId64, settings->values[setting].number);
		return;
	case SETTING_TEXT:
		(void)snprintf(ret, VALUE_TEXT_MAX, "%s", settings->values[setting].text);
		return;
	case SETTING_ENUMERATION:
		(void)strcpy(ret, row->values[settings->values[setting].number]);
		return;
	case SETTING_LIST:
		n = settings_list(settings, setting, list);
		for (size_t i = 0; i < n; i++)
			length += (size_t)snprintf(ret + length, VALUE_TEXT_MAX - length, "%s%s",
						   i == 0 ? "" : " ", row->values[list[i]]);
		return;
	}
}

int settings_conflict(const struct settings *effective, enum setting setting, const char *message,
		      struct settings_fault *ret_fault)
{
	char value[VALUE_TEXT_MAX];

	format_value(effective, setting, value);
	return refuse(ret_fault, descriptions[setting].name, value, -EINVAL, "%s", message);
}

static bool list_has(const struct settings *effective, enum setting setting, int value)
{
	int list[LIST_MAX];
	size_t n = settings_list(effective, setting, list);

	for (size_t i = 0; i < n; i++)
		if (list[i] == value)
			return true;
	return false;
}

/* Whether the hosts of the node's transport are ports of adapters. */
static bool has_adapters(const struct settings *effective)
{
	const char *name = transport_names[settings_number(effective, SETTING_TRANSPORT)];

	return strcmp(name, "tcp") != 0 && strcmp(name, "iser") != 0;
}

/* What only nodes have. */
static int check_node(const struct settings *effective, struct settings_fault *ret_fault)
{
	bool interval = settings_number(effective, SETTING_NOOP_INTERVAL_SECONDS) > 0;
	bool timeout = settings_number(effective, SETTING_NOOP_TIMEOUT_SECONDS) > 0;

	/* RFC 7143, 13.14. */
	if (settings_number(effective, SETTING_KEYS_FIRST_BURST_LENGTH) >
	    settings_number(effective, SETTING_KEYS_MAX_BURST_LENGTH))
		return settings_conflict(effective, SETTING_KEYS_FIRST_BURST_LENGTH,
					 "must not exceed keys.maxBurstLength", ret_fault);
	/* With one of them 0 the kernel would use 5 seconds for it. */
	if (interval && !timeout)
		return settings_conflict(effective, SETTING_NOOP_TIMEOUT_SECONDS,
					 "must not be 0 unless noopIntervalSeconds is 0 too",
					 ret_fault);
	if (timeout && !interval)
		return settings_conflict(effective, SETTING_NOOP_TIMEOUT_SECONDS,
					 "must be 0 because noopIntervalSeconds is 0", ret_fault);
	if (settings_text(effective, SETTING_ADAPTER) && !has_adapters(effective))
		return settings_conflict(effective, SETTING_ADAPTER,
					 "must not be set because transport is tcp or iser",
					 ret_fault);
	if (settings_number(effective, SETTING_HEADER_DIGEST_REQUIRED) &&
	    !list_has(effective, SETTING_KEYS_HEADER_DIGEST, SETTING_DIGEST_CRC32C))
		return settings_conflict(effective, SETTING_HEADER_DIGEST_REQUIRED,
					 "needs crc32c in keys.headerDigest", ret_fault);
	if (settings_number(effective, SETTING_DATA_DIGEST_REQUIRED) &&
	    !list_has(effective, SETTING_KEYS_DATA_DIGEST, SETTING_DIGEST_CRC32C))
		return settings_conflict(effective, SETTING_DATA_DIGEST_REQUIRED,
					 "needs crc32c in keys.dataDigest", ret_fault);
	return 0;
}

int settings_check(const struct settings *effective, struct settings_fault *ret_fault)
{
	int r = effective->scope == SETTINGS_NODE ? check_node(effective, ret_fault) : 0;

	if (r < 0 || effective->scope == SETTINGS_INTERFACE)
		return r;
	if (settings_number(effective, SETTING_AUTHENTICATION_METHOD) != AUTHENTICATION_NONE &&
	    !settings_text(effective, SETTING_AUTHENTICATION_USER_NAME))
		return settings_conflict(effective, SETTING_AUTHENTICATION_METHOD,
					 "needs authentication.userName", ret_fault);
	return 0;
}

static json_object *list_to_json(const struct settings *settings, enum setting setting)
{
	json_object *array = json_object_new_array();
	int list[LIST_MAX];
	size_t n = settings_list(settings, setting, list);

	for (size_t i = 0; array && i < n; i++) {
		json_object *name = json_object_new_string(descriptions[setting].values[list[i]]);

		if (!name || json_object_array_add(array, name) < 0) {
			json_object_put(name);
			json_object_put(array);
			return NULL;
		}
	}
	return array;
}

static json_object *value_to_json(const struct settings *settings, enum setting setting)
{
	const struct setting_description *row = &descriptions[setting];
	const union setting_value *value = &settings->values[setting];

	switch (row->type) {
	case SETTING_BOOLEAN:
		return json_object_new_boolean(value->number != 0);
	case SETTING_INTEGER:
		return json_object_new_int64(value->number);
	case SETTING_TEXT:
		return json_object_new_string(value->text);
	case SETTING_ENUMERATION:
		return json_object_new_string(row->values[value->number]);
	case SETTING_LIST:
		return list_to_json(settings, setting);
	}
	return NULL;
}

/* The object the member belongs to, made if missing; *@ret_member is its name there. */
static json_object *group_of(json_object *object, const char *name, const char **ret_member)
{
	const char *dot = strchr(name, '.');
	json_object *group = NULL;
	char prefix[32];

	*ret_member = dot ? dot + 1 : name;
	if (!dot)
		return object;
	(void)snprintf(prefix, sizeof(prefix), "%.*s", (int)(dot - name), name);
	if (json_object_object_get_ex(object, prefix, &group))
		return group;
	group = json_object_new_object();
	if (group && json_object_object_add(object, prefix, group) < 0) {
		json_object_put(group);
		return NULL;
	}
	return group;
}

json_object *settings_to_json(const struct settings *settings)
{
	json_object *object = json_object_new_object();

	for (int i = 0; object && i < _SETTING_MAX; i++) {
		json_object *group, *value;
		const char *member;

		if (!is_present(settings, i))
			continue;
		group = group_of(object, descriptions[i].name, &member);
		value = group ? value_to_json(settings, i) : NULL;
		if (!value || json_object_object_add(group, member, value) < 0) {
			json_object_put(value);
			json_object_put(object);
			return NULL;
		}
	}
	return object;
}
