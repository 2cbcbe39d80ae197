/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "bsg.h"
#include "renew.h"
#include "trace.h"

#define ANSWER_TIMEOUT_SECONDS 10
/* SPC-4, 6.6.2: the target knows no such logical unit. */
#define QUALIFIER_NOT_SUPPORTED 3
#define ASC_NOT_SUPPORTED       0x25

/*
 * SPC-4, 6.6.1: a target answers INQUIRY for any number and says of one it does not have that it
 * has not; some refuse the command instead.
 */
static bool is_gone(const struct sysfs *sysfs, const struct sysfs_lun *lun)
{
	struct bsg_answer answer;
	struct scsi_inquiry inquiry;
	struct scsi_sense sense;
	uint8_t data[SCSI_DATA_MAX];
	struct scsi_cdb cdb;

	scsi_inquiry(-1, &cdb);
	if (bsg_run(sysfs, lun, &cdb, ANSWER_TIMEOUT_SECONDS, data, &answer) < 0)
		return false;
	if (answer.status == SCSI_STATUS_GOOD)
		return scsi_inquiry_decode(data, answer.length, &inquiry) >= 0 &&
		       inquiry.qualifier == QUALIFIER_NOT_SUPPORTED;
	return answer.status == SCSI_STATUS_CHECK_CONDITION &&
	       scsi_sense_decode(answer.sense, answer.sense_length, &sense) >= 0 &&
	       sense.asc == ASC_NOT_SUPPORTED;
}

static void order(const struct sysfs *sysfs, const struct sysfs_lun *lun, const char *attribute)
{
	char name[SYSFS_LUN_NAME_MAX];
	int r = sysfs_lun_order(sysfs, lun, attribute);

	sysfs_lun_address(lun, name);
	if (r < 0)
		trace("device %s: %s: %s", name, attribute, strerror(-r));
}

int renew_units(const struct sysfs *sysfs, uint32_t sid, uint32_t host, const uint64_t *lun,
		struct sysfs_lun **ret, size_t *ret_n)
{
	_cleanup_(usage_freep) struct usage *usage = NULL;
	_cleanup_free_ struct sysfs_lun *luns = NULL;
	size_t n = 0, n_kept = 0;
	int r;

	r = usage_new(sysfs, &usage);
	if (r >= 0)
		r = sysfs_lun_list(sysfs, sid, host, usage, &luns, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (lun && luns[i].lun != *lun)
			continue;
		if (is_gone(sysfs, &luns[i])) {
			if (luns[i].use[0])
				luns[n_kept++] = luns[i];
			else
				order(sysfs, &luns[i], "delete");
		} else if (sysfs_lun_is_disk(&luns[i])) {
			order(sysfs, &luns[i], "rescan");
		}
	}
	*ret = TAKE_PTR(luns);
	*ret_n = n_kept;
	return 0;
}
