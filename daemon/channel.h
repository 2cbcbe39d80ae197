/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A PDU channel: PDUs go out, PDUs come in, whatever carries them. Two carriers: the daemon's own
 * TCP socket (discovery, first logins on tcp) and the kernel (re-logins, every other transport),
 * which moves the PDUs of a connection that is bound there. Login and discovery do not know which
 * one they have.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "cleanup.h"
#include "event.h"

struct channel;
struct kernel;
struct poller;

struct channel_callbacks {
	/*
	 * One PDU; everything is borrowed for the time of the call, in which the channel may be
	 * freed. With @length above the limit there is no @data, and failed() follows.
	 */
	void (*received)(void *userdata, const uint8_t header[48], const void *data, size_t length);
	/*
	 * The end, reported once: @error 0: the peer closed; -EMSGSIZE: a data segment above the
	 * limit; else the errno of sending (@sending) or receiving. The channel may be freed in it.
	 */
	void (*failed)(void *userdata, int error, bool sending);
};

/* Takes over the connected, non-blocking @fd, on success only. @callbacks is borrowed. Errors:
 * -ENOMEM. */
int channel_new_socket(struct poller *poller, int fd, const struct channel_callbacks *callbacks,
		       void *userdata, struct channel **ret);
/* The connection must be bound; its PDUs are handed in with channel_deliver(). */
int channel_new_kernel(struct poller *poller, struct kernel *kernel, uint64_t transport_handle,
		       uint32_t sid, const struct channel_callbacks *callbacks, void *userdata,
		       struct channel **ret);
struct channel *channel_free(struct channel *channel);
DEFINE_CLEANUP(struct channel *, channel_free);

/* Longest data segment to accept, RFC 7143 13.12; initially 8192. The kernel's limit is fixed. */
void channel_set_limit(struct channel *channel, size_t data_segment_length);

/*
 * Nothing more is received (@on), or it goes on; nothing should be left to be written. A socket is
 * not read meanwhile; of what the kernel hands in, some PDUs are kept, and more are a failure.
 */
void channel_hold(struct channel *channel, bool on);

/*
 * Queues a PDU (copied; padding is added). Failures are reported by failed(), also those found at
 * once. Errors: -ENOMEM; -ENOBUFS (the peer does not read); of kernel_batch_submit().
 */
int channel_send(struct channel *channel, const uint8_t header[48], const void *data,
		 size_t length);
/* What is to be reported of a PDU that could not be sent: event 7, or 55. */
struct event *channel_send_event(int error);

/* The kernel received a PDU of this connection. */
void channel_deliver(struct channel *channel, const uint8_t header[48], const void *data,
		     size_t length);

/*
 * Socket carrier: gives the descriptor away. Nothing beyond the last PDU received has been read
 * from it, and nothing is left to be written.
 */
int channel_take_fd(struct channel *channel);
