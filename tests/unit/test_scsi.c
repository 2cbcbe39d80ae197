// layers: ois-scsi ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands byte by byte, answers as devices send them, and answers cut at every length.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "scsi.h"

static void commands(void **state)
{
	static const uint8_t
		standard[] = { 0x12, 0, 0, 0, 0xff, 0 },
		page[] = { 0x12, 1, 0x83, 0x40, 0, 0 },
		luns[] = { 0xa0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0 },
		capacity_16[] = { 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0 },
		capacity_10[] = { 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	struct scsi_cdb cdb;

	scsi_inquiry(-1, &cdb);
	assert_int_equal(cdb.length, sizeof(standard));
	assert_memory_equal(cdb.bytes, standard, sizeof(standard));
	assert_int_equal(cdb.data_length, 255);
	scsi_inquiry(0x83, &cdb);
	assert_memory_equal(cdb.bytes, page, sizeof(page));
	assert_int_equal(cdb.data_length, SCSI_DATA_MAX);
	scsi_report_luns(&cdb);
	assert_int_equal(cdb.length, sizeof(luns));
	assert_memory_equal(cdb.bytes, luns, sizeof(luns));
	scsi_read_capacity_16(&cdb);
	assert_int_equal(cdb.length, sizeof(capacity_16));
	assert_memory_equal(cdb.bytes, capacity_16, sizeof(capacity_16));
	scsi_read_capacity_10(&cdb);
	assert_int_equal(cdb.length, sizeof(capacity_10));
	assert_memory_equal(cdb.bytes, capacity_10, sizeof(capacity_10));
}

/* In memory of exactly this size, so that a sanitizer sees what is read beyond it. */
static uint8_t *exact(const void *data, size_t length)
{
	uint8_t *copy = malloc(length > 0 ? length : 1);

	assert_non_null(copy);
	memcpy(copy, data, length);
	return copy;
}

static void inquiry(void **state)
{
	uint8_t data[74] = { 0x00, 0x80, 0x05, 0x12, 69, 0x39, 0x10, 0x02 };
	struct scsi_inquiry found;

	memcpy(data + 8, "LIO-ORG \033k              4.0\n", 28);
	data[58] = 0x09, data[59] = 0x60, data[62] = 0x04, data[63] = 0xc0;
	assert_int_equal(scsi_inquiry_decode(data, sizeof(data), &found), 0);
	assert_int_equal(found.device_type, 0);
	assert_string_equal(scsi_device_type_to_string(found.device_type), "disk");
	assert_true(found.removable && found.third_party_copy && found.protection);
	assert_true(found.multiple_ports && found.command_queuing);
	assert_int_equal(found.version, 5);
	assert_int_equal(found.target_port_group_support, 3);
	assert_string_equal(found.vendor, "LIO-ORG");
	/* It must not reach a terminal as it is. */
	assert_string_equal(found.product, "\\x1bk");
	assert_int_equal(found.n_version_descriptors, 2);
	assert_int_equal(found.version_descriptors[1], 0x04c0);
	for (size_t length = 0; length <= sizeof(data); length++) {
		_cleanup_free_ uint8_t *cut = exact(data, length);

		assert_int_equal(scsi_inquiry_decode(cut, length, &found),
				 length < 36 ? -EPROTO : 0);
	}
	assert_null(scsi_device_type_to_string(0x04));
	assert_null(scsi_device_type_to_string(0x20));
}

static void vital_product_data(void **state)
{
	static const uint8_t data[] = { 0, 0x80, 0, 8, ' ', 'a', 'b', '1', ' ', ' ', 0, 0 };
	const uint8_t *body;
	size_t length;
	char text[16];

	assert_int_equal(scsi_page_decode(data, sizeof(data), 0x80, &body, &length), 0);
	assert_int_equal(length, 8);
	scsi_serial_number_decode(body, length, text, sizeof(text));
	assert_string_equal(text, "ab1");
	assert_int_equal(scsi_page_decode(data, sizeof(data), 0x83, &body, &length), -EPROTO);
	assert_int_equal(scsi_page_decode(data, 3, 0x80, &body, &length), -EPROTO);
	/* It says that there is more than came. */
	assert_int_equal(scsi_page_decode(data, 6, 0x80, &body, &length), 0);
	assert_int_equal(length, 2);
	scsi_serial_number_decode(body, 0, text, sizeof(text));
	assert_string_equal(text, "");
}

static void designators(void **state)
{
	static const uint8_t body[] = { /* NAA, binary, of the unit */
					0x01, 0x03, 0, 8, 0x60, 0x01, 0x40, 0x5a, 1, 2, 3, 4,
					/* relative target port */
					0x51, 0x94, 0, 4, 0, 0, 0x01, 0x02,
					/* SCSI name, text */
					0x53, 0xa8, 0, 8, 'i', 'q', 'n', '.', 'x', 0, 0, 0,
					/* claims more than there is */
					0x01, 0x02, 0, 8, 1, 2, 3
	};
	struct scsi_designator found;
	const uint8_t *at = body;
	size_t length = sizeof(body);
	char text[64];

	assert_int_equal(scsi_designator_next(&at, &length, &found), 1);
	scsi_designator_format(&found, text, sizeof(text));
	assert_string_equal(text, "naa.6001405a01020304");
	assert_string_equal(scsi_designator_type_to_string(found.type), "naa");
	assert_string_equal(scsi_association_to_string(found.association), "logical_unit");
	assert_int_equal(scsi_designator_next(&at, &length, &found), 1);
	scsi_designator_format(&found, text, sizeof(text));
	assert_string_equal(text, "258");
	assert_true(found.protocol_valid && found.protocol == 5);
	assert_string_equal(scsi_association_to_string(found.association), "target_port");
	assert_int_equal(scsi_designator_next(&at, &length, &found), 1);
	scsi_designator_format(&found, text, sizeof(text));
	assert_string_equal(text, "iqn.x");
	assert_int_equal(scsi_designator_next(&at, &length, &found), 0);
	assert_null(scsi_association_to_string(3));
	assert_null(scsi_designator_type_to_string(15));
}

static void block_pages(void **state)
{
	uint8_t body[60] = { 0, 1, 0x00, 0x08, 0, 0, 0x20, 0, 0, 0, 0x10, 0 };
	struct scsi_block_limits limits;
	struct scsi_provisioning provisioning;
	unsigned rate;

	body[16] = 0xff, body[39] = 7;
	assert_int_equal(scsi_block_limits_decode(body, sizeof(body), &limits), 0);
	assert_int_equal(limits.maximum_compare_and_write_length, 1);
	assert_int_equal(limits.optimal_transfer_granularity, 8);
	assert_int_equal(limits.maximum_transfer_length, 0x2000);
	assert_int_equal(limits.optimal_transfer_length, 0x1000);
	assert_int_equal(limits.maximum_unmap_blocks, 0xff000000);
	assert_int_equal(limits.maximum_write_same_length, 7);
	for (size_t length = 0; length < sizeof(body); length++) {
		_cleanup_free_ uint8_t *cut = exact(body, length);

		assert_int_equal(scsi_block_limits_decode(cut, length, &limits),
				 length < 12 ? -EPROTO : 0);
	}
	assert_int_equal(scsi_rotation_rate_decode((const uint8_t[]){ 0, 1 }, 2, &rate), 0);
	assert_int_equal(rate, 1);
	assert_int_equal(scsi_rotation_rate_decode((const uint8_t[]){ 0 }, 1, &rate), -EPROTO);
	assert_int_equal(
		scsi_provisioning_decode((const uint8_t[]){ 0, 0xa0, 2, 0 }, 4, &provisioning), 0);
	assert_true(provisioning.unmap && !provisioning.write_same_16 &&
		    provisioning.write_same_10);
	assert_string_equal(scsi_provisioning_type_to_string(provisioning.type), "thin");
	assert_int_equal(scsi_provisioning_decode((const uint8_t[]){ 0, 0, 0 }, 3, &provisioning),
			 -EPROTO);
	assert_null(scsi_provisioning_type_to_string(7));
}

static void capacity(void **state)
{
	uint8_t data[32] = { 0, 0, 0, 2, 0, 0, 0, 0xff, 0, 0, 2, 0, 0x03, 0x13, 0xc0, 0x07 };
	struct scsi_capacity found;

	assert_int_equal(scsi_capacity_16_decode(data, sizeof(data), &found), 0);
	assert_int_equal(found.blocks, 0x200000100);
	assert_int_equal(found.block_length, 512);
	assert_int_equal(found.protection_type, 2);
	assert_int_equal(found.physical_block_exponent, 3);
	assert_int_equal(found.lowest_aligned_block, 7);
	assert_true(found.detailed && found.provisioning_managed && found.zeroes_when_unmapped);
	assert_int_equal(scsi_capacity_16_decode(data, 15, &found), -EPROTO);
	memset(data, 0xff, 8);
	assert_int_equal(scsi_capacity_16_decode(data, sizeof(data), &found), 0);
	assert_int_equal(found.blocks, 0);

	assert_int_equal(
		scsi_capacity_10_decode((const uint8_t[]){ 0, 0, 0, 9, 0, 0, 16, 0 }, 8, &found),
		0);
	assert_int_equal(found.blocks, 10);
	assert_int_equal(found.block_length, 4096);
	assert_false(found.detailed);
	assert_int_equal(scsi_capacity_10_decode(data, 8, &found), -ERANGE);
	assert_int_equal(scsi_capacity_10_decode(data, 7, &found), -EPROTO);
}

static void luns(void **state)
{
	static const uint8_t data[] = { 0,    0, 0, 40, 0, 0, 0, 0,   /* header: five */
					0,    7, 0, 0,  0, 0, 0, 0,   /* 7 */
					0x40, 9, 0, 0,  0, 0, 0, 0,   /* flat */
					0xc1, 1, 0, 0,  0, 0, 0, 0,   /* well known */
					0,    1, 0, 2,  0, 3, 0, 4 }; /* four levels */
	size_t n;

	assert_int_equal(scsi_luns_decode(data, sizeof(data), &n), 0);
	assert_int_equal(n, 4);
	assert_int_equal(scsi_lun_to_number(scsi_luns_at(data, 0)), 7);
	assert_string_equal(scsi_lun_method(scsi_luns_at(data, 0)), "peripheral");
	/* As Linux numbers them. */
	assert_int_equal(scsi_lun_to_number(scsi_luns_at(data, 1)), 0x4009);
	assert_string_equal(scsi_lun_method(scsi_luns_at(data, 1)), "flat");
	assert_int_equal(scsi_lun_to_number(scsi_luns_at(data, 2)), 0xc101);
	assert_string_equal(scsi_lun_method(scsi_luns_at(data, 2)), "extended");
	assert_int_equal(scsi_lun_to_number(scsi_luns_at(data, 3)), 0x0004000300020001);
	assert_int_equal(scsi_luns_decode(data, 7, &n), -EPROTO);
	assert_int_equal(scsi_luns_decode(data, 15, &n), 0);
	assert_int_equal(n, 0);
}

static void sense(void **state)
{
	static const uint8_t fixed[] = { 0xf0, 0, 0x25, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x24, 0x00 },
			     descriptor[] = { 0x73, 0x06, 0x3f, 0x0e };
	struct scsi_sense found;

	assert_int_equal(scsi_sense_decode(fixed, sizeof(fixed), &found), 0);
	assert_true(found.key == 5 && found.asc == 0x24 && found.ascq == 0 && !found.deferred);
	assert_string_equal(scsi_sense_key_to_string(found.key), "ILLEGAL REQUEST");
	assert_string_equal(scsi_sense_text(found.asc, found.ascq), "Invalid field in CDB");
	assert_int_equal(scsi_sense_decode(descriptor, sizeof(descriptor), &found), 0);
	assert_true(found.key == 6 && found.deferred);
	assert_string_equal(scsi_sense_text(found.asc, found.ascq),
			    "Reported LUNs data has changed");
	assert_null(scsi_sense_text(0x80, 0x01));
	for (size_t length = 0; length < sizeof(fixed); length++) {
		_cleanup_free_ uint8_t *cut = exact(fixed, length);

		assert_int_equal(scsi_sense_decode(cut, length, &found), length < 3 ? -EPROTO : 0);
	}
	assert_int_equal(scsi_sense_decode(descriptor, 3, &found), -EPROTO);
	assert_int_equal(scsi_sense_decode("\x7f\0\0\0", 4, &found), -EPROTO);
	assert_string_equal(scsi_status_to_string(0x28), "TASK SET FULL");
	assert_null(scsi_status_to_string(0x01));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands),
		cmocka_unit_test(inquiry),
		cmocka_unit_test(vital_product_data),
		cmocka_unit_test(designators),
		cmocka_unit_test(block_pages),
		cmocka_unit_test(capacity),
		cmocka_unit_test(luns),
		cmocka_unit_test(sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
