/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "flash_node.h"
#include "json.h"
#include "kernel_host.h"
#include "parse.h"
#include "sysfs.h"
#include "sysfs_private.h"

#define BUS        "bus/iscsi_flashnode/devices"
#define VALUE_SIZE 256

enum format {
	FORMAT_BOOLEAN,
	FORMAT_NUMBER,
	FORMAT_TEXT,
	FORMAT_NAME,    /* of a target */
	FORMAT_ADDRESS, /* 16 bytes, of which IPv4 has the first four */
	FORMAT_ISID,
	FORMAT_SHOWN,
	FORMAT_SHOWN_BOOLEAN,
};

enum place {
	PLACE_SESSION,
	PLACE_CONNECTION,
	_PLACE_MAX,
};

struct row {
	const char *name;
	uint16_t number;
	const char *attribute;
	enum place place;
	enum format format;
	size_t size;
	uint64_t minimum, maximum;
};

static const struct row rows[] = {
#define FLASH_NODE(name, number, attribute, place, format, size, minimum, maximum)                 \
	{ #name, number, #attribute, PLACE_##place, FORMAT_##format, size, minimum, maximum },
#include "flash_node.def"
#undef FLASH_NODE
};

/* Reading */

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int flash_node_list(const struct sysfs *sysfs, uint32_t host, uint32_t **ret, size_t *ret_n)
{
	_cleanup_(directory_close) struct directory directory = { .fd = -EBADF };
	int fd = sysfs_open(sysfs, O_RDONLY | O_DIRECTORY, BUS);
	_cleanup_free_ uint32_t *indices = NULL;
	char prefix[48];
	const char *name;
	uint32_t index;
	size_t n = 0;

	directory_init(fd, &directory);
	(void)snprintf(prefix, sizeof(prefix), "flashnode_sess-%" PRIu32 ":", host);
	while (fd >= 0 && (name = directory_next(&directory))) {
		uint32_t *larger;

		if (sysfs_parse_object(name, prefix, &index) < 0)
			continue;
		larger = reallocarray(indices, n + 1, sizeof(*indices));
		if (!larger)
			return -ENOMEM;
		indices = larger;
		indices[n++] = index;
	}
	if (n > 0)
		qsort(indices, n, sizeof(*indices), compare_u32);
	*ret = TAKE_PTR(indices);
	*ret_n = n;
	return 0;
}

static int set_value(json_object *object, const struct row *row, int fd)
{
	char value[VALUE_SIZE];

	if (fd < 0 || sysfs_read_string(fd, row->attribute, value, sizeof(value)) < 0 || !value[0])
		return 0;
	if (row->format == FORMAT_ADDRESS)
		sysfs_shorten_address(value, sizeof(value));
	if (row->format == FORMAT_BOOLEAN || row->format == FORMAT_SHOWN_BOOLEAN)
		return json_set_string(object, row->name, strcmp(value, "0") == 0 ? "no" : "yes");
	return json_set_string(object, row->name, value);
}

static json_object *read_parameters(const int fds[_PLACE_MAX])
{
	_cleanup_json_ json_object *object = json_object_new_object();

	for (size_t i = 0; object && i < ELEMENTSOF(rows); i++)
		if (set_value(object, &rows[i], fds[rows[i].place]) < 0)
			return NULL;
	return TAKE_PTR(object);
}

int flash_node_read(const struct sysfs *sysfs, uint32_t host, uint32_t index, json_object **ret)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	_cleanup_close_ int session =
		sysfs_open(sysfs, O_PATH | O_DIRECTORY, BUS "/flashnode_sess-%" PRIu32 ":%" PRIu32,
			   host, index);
	_cleanup_close_ int connection =
		sysfs_open(sysfs, O_PATH | O_DIRECTORY,
			   BUS "/flashnode_conn-%" PRIu32 ":%" PRIu32 ":0", host, index);
	const int fds[] = { [PLACE_SESSION] = session, [PLACE_CONNECTION] = connection };

	if (session < 0)
		return -ENOENT;
	if (!object || json_set_int(object, "index", index) < 0 ||
	    json_set(object, "parameters", read_parameters(fds)) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(object);
	return 0;
}

/* Setting */

static int _printf_(3, 4)
	refuse(const char *name, struct flash_node_fault *ret_fault, const char *format, ...)
{
	va_list arguments;

	(void)snprintf(ret_fault->name, sizeof(ret_fault->name), "%s", name);
	va_start(arguments, format);
	(void)vsnprintf(ret_fault->message, sizeof(ret_fault->message), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static int add_number(const struct row *row, const char *text, struct kernel_host_request *request,
		      struct flash_node_fault *ret_fault)
{
	uint64_t value;

	if (parse_u64(text, row->minimum, row->maximum, &value) < 0)
		return refuse(row->name, ret_fault, "must be a number from %" PRIu64 " to %" PRIu64,
			      row->minimum, row->maximum);
	kernel_host_add_number(request, row->number, (uint32_t)value, row->size);
	return 0;
}

static int add_text(const struct row *row, const char *text, struct kernel_host_request *request,
		    struct flash_node_fault *ret_fault)
{
	size_t length = strlen(text);
	const char *why = NULL;

	if (length < row->minimum || length > row->maximum)
		return refuse(row->name, ret_fault, "must have %" PRIu64 " to %" PRIu64 " bytes",
			      row->minimum, row->maximum);
	if (row->format == FORMAT_NAME && iscsi_target_name_check(text, &why) < 0)
		return refuse(row->name, ret_fault, "%s", why);
	kernel_host_add_attribute(request, row->number, text, length + 1);
	return 0;
}

static int add_address(const struct row *row, const char *text, struct kernel_host_request *request,
		       struct flash_node_fault *ret_fault)
{
	uint8_t bytes[sizeof(struct in6_addr)] = { 0 };

	if (inet_pton(AF_INET, text, bytes) != 1 && inet_pton(AF_INET6, text, bytes) != 1)
		return refuse(row->name, ret_fault, "must be a numeric address");
	kernel_host_add_attribute(request, row->number, bytes, sizeof(bytes));
	return 0;
}

static int add_isid(const struct row *row, const char *text, struct kernel_host_request *request,
		    struct flash_node_fault *ret_fault)
{
	uint8_t bytes[6];
	size_t length;

	if (strlen(text) != 2 * sizeof(bytes) ||
	    hex_decode(text, strlen(text), bytes, sizeof(bytes), &length) < 0)
		return refuse(row->name, ret_fault, "must have twelve hex digits");
	kernel_host_add_attribute(request, row->number, bytes, sizeof(bytes));
	return 0;
}

static int add_value(const struct row *row, const char *text, struct kernel_host_request *request,
		     struct flash_node_fault *ret_fault)
{
	bool value;

	switch (row->format) {
	case FORMAT_BOOLEAN:
		if (parse_boolean(text, &value) < 0)
			return refuse(row->name, ret_fault, "must be yes or no");
		kernel_host_add_number(request, row->number, value, row->size);
		return 0;
	case FORMAT_NUMBER:
		return add_number(row, text, request, ret_fault);
	case FORMAT_TEXT:
	case FORMAT_NAME:
		return add_text(row, text, request, ret_fault);
	case FORMAT_ADDRESS:
		return add_address(row, text, request, ret_fault);
	case FORMAT_ISID:
		return add_isid(row, text, request, ret_fault);
	case FORMAT_SHOWN:
	case FORMAT_SHOWN_BOOLEAN:
		break;
	}
	return refuse(row->name, ret_fault, "is shown only");
}

static const struct row *find_row(const char *name)
{
	for (size_t i = 0; i < ELEMENTSOF(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

int flash_node_compose(json_object *object, struct kernel_host_request *request,
		       struct flash_node_fault *ret_fault)
{
	int n = 0, r;

	json_object_object_foreach (object, name, value) {
		const struct row *row = find_row(name);

		if (!row)
			return refuse(name, ret_fault, "is no parameter of a flash node");
		r = add_value(row, json_object_get_string(value) ?: "", request, ret_fault);
		if (r < 0)
			return r;
		n++;
	}
	return n;
}
