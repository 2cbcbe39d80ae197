/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions to logical units: org.ois.scsi.
 */
#include "client.h"
#include "interfaces.h"

/* The daemon answers by its deadline; a client that waits no longer would not hear it. */
#define SPARE_SECONDS UINT64_C(5)

/* A page of -1 stands for none. */
static int scsi_call(struct ois_client *client, const char *method, int64_t session,
		     const char *lun, int page, unsigned timeout_seconds, struct ois_call **ret)
{
	_cleanup_json_ json_object *parameters = json_object_new_object();
	int r;

	if (!parameters)
		return -ENOMEM;
	r = json_set_int(parameters, "session", session) | json_set_string(parameters, "lun", lun);
	if (page >= 0)
		r |= json_set_int(parameters, "page", page);
	if (timeout_seconds > 0)
		r |= json_set_int(parameters, "timeoutSeconds", timeout_seconds);
	if (r < 0)
		return -ENOMEM;
	r = call_new_json(client, method, TAKE_PTR(parameters), OIS_CALL_READ, ret);
	if (r >= 0 && timeout_seconds > 0)
		(void)ois_call_set_timeout(*ret, (timeout_seconds + SPARE_SECONDS) * 1000000);
	return r;
}

int ois_scsi_inquiry_call(struct ois_client *client, int64_t session, const char *lun, int page,
			  unsigned timeout_seconds, struct ois_call **ret)
{
	if (page < -1 || page > UINT8_MAX)
		return -EINVAL;
	return scsi_call(client, METHOD_SCSI_INQUIRY, session, lun, page, timeout_seconds, ret);
}

int ois_scsi_report_luns_call(struct ois_client *client, int64_t session, unsigned timeout_seconds,
			      struct ois_call **ret)
{
	return scsi_call(client, METHOD_SCSI_REPORT_LUNS, session, NULL, -1, timeout_seconds, ret);
}

int ois_scsi_read_capacity_call(struct ois_client *client, int64_t session, const char *lun,
				unsigned timeout_seconds, struct ois_call **ret)
{
	return scsi_call(client, METHOD_SCSI_READ_CAPACITY, session, lun, -1, timeout_seconds, ret);
}
