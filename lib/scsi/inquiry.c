/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>

#include "parse.h"
#include "scsi.h"
#include "scsi_private.h"
#include "table.h"

#define INQUIRY          0x12
#define INQUIRY_EVPD     0x01
#define STANDARD_MINIMUM 36
#define PAGE_HEADER      4

void scsi_inquiry(int page, struct scsi_cdb *ret)
{
	*ret = (struct scsi_cdb){
		.bytes = { INQUIRY, page >= 0 ? INQUIRY_EVPD : 0, page >= 0 ? (uint8_t)page : 0,
			   SCSI_DATA_MAX >> 8, SCSI_DATA_MAX & 0xff },
		.length = 6,
		.data_length = SCSI_DATA_MAX,
	};
	/* Standard data is short, and old units misread a length of more than one byte. */
	if (page < 0) {
		ret->bytes[3] = 0;
		ret->bytes[4] = UINT8_MAX;
		ret->data_length = UINT8_MAX;
	}
}

/* ASCII, filled up with blanks. */
static void take_text(const uint8_t *data, size_t length, char *ret, size_t size)
{
	while (length > 0 && (data[length - 1] == ' ' || data[length - 1] == '\0'))
		length--;
	for (; length > 0 && *data == ' '; length--)
		data++;
	(void)text_escape(data, length, ret, size);
}

int scsi_inquiry_decode(const void *data, size_t length, struct scsi_inquiry *ret)
{
	const uint8_t *bytes = data;

	if (length < STANDARD_MINIMUM)
		return -EPROTO;
	*ret = (struct scsi_inquiry){
		.qualifier = bytes[0] >> 5,
		.device_type = bytes[0] & 0x1f,
		.removable = bytes[1] & 0x80,
		.version = bytes[2],
		.target_port_group_support = bytes[5] >> 4 & 3,
		.third_party_copy = bytes[5] & 0x08,
		.protection = bytes[5] & 0x01,
		.multiple_ports = bytes[6] & 0x10,
		.command_queuing = bytes[7] & 0x02,
	};
	take_text(bytes + 8, 8, ret->vendor, sizeof(ret->vendor));
	take_text(bytes + 16, 16, ret->product, sizeof(ret->product));
	take_text(bytes + 32, 4, ret->revision, sizeof(ret->revision));
	for (size_t at = 58; at + 2 <= length && at < 74; at += 2)
		if (get_be16(bytes + at) != 0)
			ret->version_descriptors[ret->n_version_descriptors++] =
				get_be16(bytes + at);
	return 0;
}

static const char *const device_types[] = {
	[0x00] = "disk",
	[0x01] = "tape",
	[0x02] = "printer",
	[0x03] = "processor",
	[0x05] = "cd_dvd",
	[0x07] = "optical",
	[0x08] = "media_changer",
	[0x0c] = "storage_array_controller",
	[0x0d] = "enclosure",
	[0x0e] = "simplified_disk",
	[0x11] = "object_storage",
	[0x14] = "zoned_disk",
	[0x1e] = "well_known_logical_unit",
	[0x1f] = "none",
};

const char *scsi_device_type_to_string(unsigned type)
{
	return table_name(device_types, ELEMENTSOF(device_types), type);
}

int scsi_page_decode(const void *data, size_t length, unsigned page, const uint8_t **ret_body,
		     size_t *ret_length)
{
	const uint8_t *bytes = data;
	size_t there;

	if (length < PAGE_HEADER || bytes[1] != page)
		return -EPROTO;
	there = get_be16(bytes + 2);
	*ret_body = bytes + PAGE_HEADER;
	*ret_length = there < length - PAGE_HEADER ? there : length - PAGE_HEADER;
	return 0;
}

void scsi_serial_number_decode(const uint8_t *body, size_t length, char *ret, size_t size)
{
	take_text(body, length, ret, size);
}

/* Designators */

enum designator_type {
	DESIGNATOR_EUI_64 = 2,
	DESIGNATOR_NAA = 3,
	DESIGNATOR_PORT = 4,
	DESIGNATOR_PORT_GROUP = 5,
	DESIGNATOR_UNIT_GROUP = 6,
};

static const char *const designator_types[] = {
	"vendor_specific",
	"t10_vendor",
	"eui64",
	"naa",
	"relative_target_port",
	"target_port_group",
	"logical_unit_group",
	"md5",
	"scsi_name",
	"protocol_port",
	"uuid",
};

const char *scsi_designator_type_to_string(unsigned type)
{
	return table_name(designator_types, ELEMENTSOF(designator_types), type);
}

static const char *const associations[] = { "logical_unit", "target_port", "target_device" };

const char *scsi_association_to_string(unsigned association)
{
	return table_name(associations, ELEMENTSOF(associations), association);
}

int scsi_designator_next(const uint8_t **body, size_t *length, struct scsi_designator *ret)
{
	const uint8_t *bytes = *body;

	if (*length < 4 || (size_t)bytes[3] + 4 > *length)
		return 0;
	*ret = (struct scsi_designator){
		.protocol = bytes[0] >> 4,
		.code_set = bytes[0] & 0x0f,
		.protocol_valid = bytes[1] & 0x80,
		.association = bytes[1] >> 4 & 3,
		.type = bytes[1] & 0x0f,
		.value = bytes + 4,
		.length = bytes[3],
	};
	*body += ret->length + 4;
	*length -= ret->length + 4;
	return 1;
}

void scsi_designator_format(const struct scsi_designator *designator, char *ret, size_t size)
{
	static const char *const prefixes[] = {
		[DESIGNATOR_EUI_64] = "eui.", [DESIGNATOR_NAA] = "naa."
	};
	const char *prefix = table_name(prefixes, ELEMENTSOF(prefixes), designator->type) ?: "";
	char hex[2 * UINT8_MAX + 1];

	if (designator->type >= DESIGNATOR_PORT && designator->type <= DESIGNATOR_UNIT_GROUP &&
	    designator->length == 4) {
		(void)snprintf(ret, size, "%u", get_be16(designator->value + 2));
	} else if (designator->code_set == 1) {
		hex_encode(designator->value, designator->length, hex);
		(void)snprintf(ret, size, "%s%s", prefix, hex);
	} else {
		take_text(designator->value, designator->length, ret, size);
	}
}

/* Block devices */

int scsi_block_limits_decode(const uint8_t *body, size_t length, struct scsi_block_limits *ret)
{
	if (length < 12)
		return -EPROTO;
	/* Offsets are those of the page, whose header is not in the body. */
	*ret = (struct scsi_block_limits){
		.maximum_compare_and_write_length = body[1],
		.optimal_transfer_granularity = get_be16(body + 2),
		.maximum_transfer_length = get_be32(body + 4),
		.optimal_transfer_length = get_be32(body + 8),
		.maximum_prefetch_length = length >= 16 ? get_be32(body + 12) : 0,
		.maximum_unmap_blocks = length >= 20 ? get_be32(body + 16) : 0,
		.maximum_unmap_descriptors = length >= 24 ? get_be32(body + 20) : 0,
		.optimal_unmap_granularity = length >= 28 ? get_be32(body + 24) : 0,
		.maximum_write_same_length = length >= 40 ? get_be64(body + 32) : 0,
	};
	return 0;
}

int scsi_rotation_rate_decode(const uint8_t *body, size_t length, unsigned *ret)
{
	if (length < 2)
		return -EPROTO;
	*ret = get_be16(body);
	return 0;
}

int scsi_provisioning_decode(const uint8_t *body, size_t length, struct scsi_provisioning *ret)
{
	if (length < 4)
		return -EPROTO;
	*ret = (struct scsi_provisioning){
		.unmap = body[1] & 0x80,
		.write_same_16 = body[1] & 0x40,
		.write_same_10 = body[1] & 0x20,
		.type = body[2] & 7,
	};
	return 0;
}

static const char *const provisioning_types[] = { "full", "resource", "thin" };

const char *scsi_provisioning_type_to_string(unsigned type)
{
	return table_name(provisioning_types, ELEMENTSOF(provisioning_types), type);
}
