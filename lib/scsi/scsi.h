/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SCSI commands that ask a logical unit about itself, and what the answers mean (SPC-4, SBC-3,
 * SAM-5). No I/O: command descriptor blocks out, bytes in. Answers come from a target: a decoder
 * takes any bytes, and -EPROTO means that they are no such answer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCSI_CDB_MAX   16
#define SCSI_SENSE_MAX 252
/* Of an answer: no page or list is longer in practice. */
#define SCSI_DATA_MAX 16384

struct scsi_cdb {
	uint8_t bytes[SCSI_CDB_MAX];
	uint8_t length;
	/* Of the answer, at most; as the command says. */
	uint32_t data_length;
};

/* SAM-5, 5.3.1 */
enum scsi_status {
	SCSI_STATUS_GOOD = 0x00,
	SCSI_STATUS_CHECK_CONDITION = 0x02,
	SCSI_STATUS_BUSY = 0x08,
	SCSI_STATUS_RESERVATION_CONFLICT = 0x18,
	SCSI_STATUS_TASK_SET_FULL = 0x28,
	SCSI_STATUS_TASK_ABORTED = 0x40,
};
/* "CHECK CONDITION"; NULL: unknown. */
const char *scsi_status_to_string(unsigned status);

/* Commands */

/* @page: of the vital product data; -1: the standard data. SPC-4, 6.6 */
void scsi_inquiry(int page, struct scsi_cdb *ret);
/* SPC-4, 6.33; all logical units. */
void scsi_report_luns(struct scsi_cdb *ret);
/* SBC-3, 5.16 and 5.15 */
void scsi_read_capacity_16(struct scsi_cdb *ret);
void scsi_read_capacity_10(struct scsi_cdb *ret);

/* INQUIRY */

/* Text is escaped, blanks around it are cut. SPC-4, 6.6.2 */
struct scsi_inquiry {
	unsigned qualifier, device_type, version, target_port_group_support;
	bool removable, third_party_copy, protection, command_queuing, multiple_ports;
	char vendor[40], product[80], revision[20];
	uint16_t version_descriptors[8];
	size_t n_version_descriptors;
};
int scsi_inquiry_decode(const void *data, size_t length, struct scsi_inquiry *ret);
/* "disk"; NULL: unknown. */
const char *scsi_device_type_to_string(unsigned type);

/*
 * The body of a page of vital product data: checks the header, gives what follows it. SPC-4, 7.8.1
 */
int scsi_page_decode(const void *data, size_t length, unsigned page, const uint8_t **ret_body,
		     size_t *ret_length);

/* Page 0x80. */
void scsi_serial_number_decode(const uint8_t *body, size_t length, char *ret, size_t size);

/* A designation descriptor of page 0x83. SPC-4, 7.8.6 */
struct scsi_designator {
	unsigned protocol, code_set, association, type;
	bool protocol_valid;
	const uint8_t *value;
	size_t length;
};
/* Takes the next one off *@body; 0: there is none any more. */
int scsi_designator_next(const uint8_t **body, size_t *length, struct scsi_designator *ret);
/* As people write it: "naa.6001405...", "eui.0000...", "iqn....", else text or hex. */
void scsi_designator_format(const struct scsi_designator *designator, char *ret, size_t size);
const char *scsi_designator_type_to_string(unsigned type);
const char *scsi_association_to_string(unsigned association);

/* Page 0xb0, SBC-3 6.5.3; lengths and granularities in blocks, 0: not told. */
struct scsi_block_limits {
	uint64_t maximum_transfer_length, optimal_transfer_length, optimal_transfer_granularity,
		maximum_prefetch_length, maximum_unmap_blocks, maximum_unmap_descriptors,
		optimal_unmap_granularity, maximum_write_same_length,
		maximum_compare_and_write_length;
};
int scsi_block_limits_decode(const uint8_t *body, size_t length, struct scsi_block_limits *ret);

/* Page 0xb1, SBC-3 6.5.2: 0 not told, 1 no rotation, else per minute. */
int scsi_rotation_rate_decode(const uint8_t *body, size_t length, unsigned *ret);

/* Page 0xb2, SBC-3 6.5.4 */
struct scsi_provisioning {
	bool unmap, write_same_16, write_same_10;
	unsigned type;
};
int scsi_provisioning_decode(const uint8_t *body, size_t length, struct scsi_provisioning *ret);
/* "full", "resource", "thin"; NULL: unknown. */
const char *scsi_provisioning_type_to_string(unsigned type);

/* READ CAPACITY */

struct scsi_capacity {
	uint64_t blocks; /* 0 stands for 2^64 */
	uint32_t block_length;
	/* Of the long form only. */
	bool detailed;
	unsigned protection_type; /* 0: none */
	unsigned physical_block_exponent;
	unsigned lowest_aligned_block;
	bool provisioning_managed, zeroes_when_unmapped;
};
int scsi_capacity_16_decode(const void *data, size_t length, struct scsi_capacity *ret);
/* -ERANGE: the number of blocks takes the long form. */
int scsi_capacity_10_decode(const void *data, size_t length, struct scsi_capacity *ret);

/* REPORT LUNS */

/* Number of logical units in the answer; those that did not fit are not counted. */
int scsi_luns_decode(const void *data, size_t length, size_t *ret);
/* One of them: eight bytes. */
const uint8_t *scsi_luns_at(const void *data, size_t index);
/* The number that Linux gives it. */
uint64_t scsi_lun_to_number(const uint8_t lun[8]);
/* SAM-5, 4.7.6: "peripheral", "flat", "logical_unit", "extended" */
const char *scsi_lun_method(const uint8_t lun[8]);

/* Sense data */

struct scsi_sense {
	unsigned key, asc, ascq;
	bool deferred; /* about an earlier command */
};
int scsi_sense_decode(const void *data, size_t length, struct scsi_sense *ret);
/* "ILLEGAL REQUEST" */
const char *scsi_sense_key_to_string(unsigned key);
/* "Invalid field in CDB"; NULL: not in the table. SPC-4, annex F */
const char *scsi_sense_text(unsigned asc, unsigned ascq);
