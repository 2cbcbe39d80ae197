/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SendTargets discovery, RFC 7143 Appendix C: the Text exchange of a discovery session from its
 * first request to the Logout, as a machine like that of login.h. Targets are handed out as they
 * arrive, so memory is bounded however many there are.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "event.h"
#include "bounds.h"
#include "parse.h"
#include "pdu.h"

/* Strings are borrowed until the machine is freed. */
struct sendtargets_config {
	const char *target_name; /* NULL: all targets */
	/* Where is asked. A target without an address, or with a wildcard for one, is there, too.
	 */
	const char *address;
	uint16_t port;
	/* The scope of link-local addresses in the answer; NULL: unknown, they are of no use. */
	const char *scope;
	uint16_t cid;
	uint32_t itt;         /* of the Text Requests; the Logout Request has the next one */
	uint32_t cmd_sn;      /* of all requests, which are immediate */
	uint32_t exp_stat_sn; /* StatSN of the last Login Response + 1 */
	uint32_t max_recv_data_segment_length; /* what we declared at login; 0: the default */
	bool logout; /* end with a Logout; without it the caller closes the connection */
	bool strict; /* no deviation of leniency.def is tolerated */
};

struct sendtargets_portal {
	char address[PORTAL_ADDRESS_MAX]; /* without brackets */
	uint16_t port;
	int portal_group_tag; /* -1: not told */
};

/* With at least one portal; one with more than SENDTARGETS_PORTALS_MAX comes several times in a
 * row. */
struct sendtargets_target {
	char name[ISCSI_NAME_MAX + 1];
	char alias[256]; /* escaped; empty: none */
	bool rest;       /* further portals of the one before */
	size_t n_portals;
	struct sendtargets_portal portals[SENDTARGETS_PORTALS_MAX];
};

enum sendtargets_step_type {
	SENDTARGETS_STEP_WAIT,   /* nothing to do until something arrives */
	SENDTARGETS_STEP_SEND,   /* send .send; borrowed until the next call */
	SENDTARGETS_STEP_EVENT,  /* report .event, which the caller now owns */
	SENDTARGETS_STEP_TARGET, /* .target; borrowed until the next call */
	SENDTARGETS_STEP_DONE,   /* final; the connection can be closed */
	SENDTARGETS_STEP_FAILED, /* final; an event went before */
};

struct sendtargets_step {
	enum sendtargets_step_type type;
	union {
		struct {
			const uint8_t *header;
			const void *data;
			size_t data_length;
			bool timed; /* the time for an answer begins; false: goes on */
		} send;
		struct event *event;
		const struct sendtargets_target *target;
		struct {
			size_t targets;
			size_t skipped; /* records that were malformed */
		} done;
		struct {
			/* -EPROTO, -ETIMEDOUT, -ECONNRESET, -EOPNOTSUPP (rejected), -ENOMEM */
			int error;
			enum event_number event;
		} failed;
	};
};

struct sendtargets;

/* Errors: -ENOMEM. */
int sendtargets_new(const struct sendtargets_config *config, struct sendtargets **ret);
struct sendtargets *sendtargets_free(struct sendtargets *sendtargets);
DEFINE_CLEANUP(struct sendtargets *, sendtargets_free);

/* The next thing to do; call until it says WAIT or something final. */
void sendtargets_next(struct sendtargets *sendtargets, struct sendtargets_step *ret);

/*
 * Feed, after sendtargets_next() said WAIT: a PDU came (data segment without padding; a NOP-In ping
 * is answered), no answer in time, or connection closed.
 */
void sendtargets_receive(struct sendtargets *sendtargets, const uint8_t header[PDU_HEADER_LENGTH],
			 const void *data, size_t length);
void sendtargets_timed_out(struct sendtargets *sendtargets);
void sendtargets_disconnected(struct sendtargets *sendtargets);
